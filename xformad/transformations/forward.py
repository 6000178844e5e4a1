"""Forward mode: `jvp`, `make_jvp`; and linear maps: `linearize`, `linear_transpose`.

>>> jvp(lambda x: x**3, (2.0,), (1.0,))
(8.0, np.float64(12.0))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, final

import numpy as np

from xformad import tree
from xformad.core.graph import Graph
from xformad.core.interpreter import held, spec_of
from xformad.core.operands import refuse_argument
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import DifferentiationError, TreeError
from xformad.interpreters.cusps import tangent_of
from xformad.interpreters.evaluate import evaluate
from xformad.interpreters.jvp import Jvp
from xformad.interpreters.jvp_rules import zeros_like
from xformad.transformations.pullback import constant, paired, record
from xformad.transformations.reverse import Pullback, conforming
from xformad.transformations.tracing import run_trace
from xformad.transformations.transformed import Argnums, Key, checked_argnums, keys_of


@final
class Pushed(NamedTuple):
    """What came of a run on primals and tangents.

    Attributes:
        leaves: the leaves of the result.
        tangents: theirs; zeros where a leaf does not depend on what moves.
        structure: the tree of the result.
        aux: what the function returned beside it, with `has_aux`.
    """

    leaves: list[Value]
    tangents: list[Value]
    structure: tree.Structure
    aux: Any

    @property
    def out(self) -> Any:
        return tree.unflatten(self.structure, self.leaves)

    @property
    def tangent(self) -> Any:
        return tree.unflatten(self.structure, self.tangents)


def moving(interpreter: Jvp, leaf: Value, tangent: Value, path: str, called: str, *, alone: bool) -> Value:
    """A tracer for a leaf of an argument; the leaf itself where it does not move.

    Raises:
        DifferentiationError: if a whole-number array, or what is no number, is given a tangent that is not zero.
        TreeError: if the tangent's shape differs from the leaf's.
    """
    if tangent is None:
        return leaf
    kind = type(leaf)
    if kind is int and alone:
        leaf, kind = float(leaf), float
    if kind is float or kind is np.float64:
        if type(tangent) is float or type(tangent) is np.float64:
            return interpreter.input(leaf, tangent)
    elif not isinstance(leaf, np.ndarray | np.generic | Tracer | int | float | complex):
        if isinstance(tangent, str) or np.any(tangent):
            raise DifferentiationError(f"{path} is a {kind.__name__}, which cannot move; give None as its tangent")
        return leaf
    dtype = spec_of(leaf)[1]
    if kind is not np.ndarray or dtype.kind == "V":
        refuse_argument(leaf, path, text=True)
    if dtype.kind not in "fc":
        if type(tangent) is Tracer or np.any(tangent):
            if kind is int:
                return moving(interpreter, float(leaf), tangent, path, called, alone=alone)
            raise DifferentiationError(
                f"{path} is an array of dtype {dtype}, which has no derivative; cast it to a floating-point dtype: "
                "x.astype(float), or give None as its tangent"
            )
        return leaf
    return interpreter.input(leaf, conforming(tangent, leaf, f"the {called} {path}", "argument"))


def push(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    keys: list[Key],
    tangents: list[Any],
    has_aux: bool = False,
    called: str = "tangent of",
) -> Pushed:
    """Run `fun` with the arguments at `keys` moving with these tangents, which messages call "the tangent of" them."""
    with Jvp(fun) as interpreter:
        positional = list(args)
        for key, tangent in zip(keys, tangents, strict=True):
            argument = positional[key] if isinstance(key, int) else kwargs[key]
            name = f"argument {key!r}"
            leaves, structure = tree.flatten(argument)
            given = tree.flatten_prefix(structure, tangent, is_none, f"the {called} {name}")
            alone = structure is tree.LEAF
            paths = [name] if alone else structure.paths(name)
            tracers = [
                moving(interpreter, leaf, t, path, called, alone=alone)
                for leaf, t, path in zip(leaves, given, paths, strict=True)
            ]
            moved = tree.unflatten(structure, tracers)
            if isinstance(key, int):
                positional[key] = moved
            else:
                kwargs = {**kwargs, key: moved}
        out = fun(*positional, **kwargs)
        aux = None
        if has_aux:
            out, aux = paired(out)
            aux = tree.map(lambda x: primal_of(x, interpreter), aux)
    leaves, structure = tree.flatten(out)
    primals, moved = [], []
    for leaf in map(held, leaves):
        if type(leaf) is Tracer and leaf.interpreter is interpreter:
            primals.append(held(leaf.value))
            moved.append(held(tangent_of(leaf)))
        else:
            primals.append(constant(leaf))
            moved.append(still(leaf))
    return Pushed(primals, moved, structure, aux)


def is_none(x: Any) -> bool:
    return x is None


def primal_of(x: Value, interpreter: Jvp) -> Value:
    x = held(x)
    return held(x.value) if type(x) is Tracer and x.interpreter is interpreter else x


def still(leaf: Value) -> Value:
    """The tangent of a leaf of the result that does not move: zeros; None for what is no number."""
    if not isinstance(leaf, np.ndarray | np.generic | Tracer | int | float | complex) and not hasattr(leaf, "dtype"):
        return None
    return zeros_like(leaf) if spec_of(leaf)[1].kind in "fc" else np.zeros(spec_of(leaf)[0])[()]


def jvp(
    fun: Callable[..., Any],
    primals: tuple[Any, ...] | list[Any],
    tangents: Any,
    *,
    has_aux: bool = False,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """The value of a function and its derivative along a direction: the product of the Jacobian with a vector.

    Args:
        fun: a function of pytrees, with a pytree as result.
        primals: a tuple of its arguments.
        tangents: a tuple of the same trees: how each leaf moves, of its shape; dtypes are cast. None in the place of an
            argument, or of a part of one, holds it fixed.
        has_aux: as for `grad`.
        kwargs: keyword arguments, which are held fixed.

    Returns:
        `(fun(*primals), tangent)`, with `has_aux` `(result, tangent, aux)`. The tangent is like the result.

    Raises:
        TreeError: if the tangents' tree or shapes are not those of the primals.
        DifferentiationError: if what has no derivative is to move.

    >>> jvp(lambda x, y: x * y, (3.0, 5.0), (1.0, 0.0))
    (15.0, np.float64(5.0))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TreeError(
                f"jvp takes a tuple of {name}, one an argument, not {type(given).__name__}: jvp(f, (x,), (v,))"
            )
    if len(primals) != len(tangents):
        raise TreeError(f"jvp was given {len(primals)} primals, but {len(tangents)} tangents")
    run = push(fun, tuple(primals), kwargs, list(range(len(primals))), list(tangents), has_aux)
    result = (run.out, run.tangent)
    return (*result, run.aux) if has_aux else result


def make_jvp(
    fun: Callable[..., Any], *args: Any, argnums: Argnums = 0, has_aux: bool = False, **kwargs: Any
) -> Callable[[Any], tuple[Any, ...]]:
    """The Jacobian-vector product function of a function at a point.

    Args:
        fun: a function of pytrees, with a pytree as result.
        args, kwargs: its arguments: the point.
        argnums: the arguments that move, as for `grad`.
        has_aux: as for `grad`.

    Returns:
        A function of a tangent like the argument (a tuple of such if `argnums` is a tuple), which runs `fun` and returns
        `(result, tangent)`, with `has_aux` `(result, tangent, aux)`.

    >>> product = make_jvp(lambda x: x**2, np.array([1.0, 3.0]))
    >>> product(np.array([1.0, 0.0]))
    (array([1., 9.]), array([2., 0.]))
    """
    argnums = checked_argnums(argnums)
    keys = keys_of(fun, argnums, args, kwargs)

    def product(tangent: Any) -> tuple[Any, ...]:
        run = push(fun, args, kwargs, keys, list(tangent) if isinstance(argnums, tuple) else [tangent], has_aux)
        result = (run.out, run.tangent)
        return (*result, run.aux) if has_aux else result

    return product


@final
class LinearMap:
    """A linear map between pytrees: a recorded program of tangents. It may be applied any number of times."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, *tangents: Any) -> Any:
        """Apply the map to tangents, one an argument, like the arguments.

        Raises:
            TreeError: if the trees or shapes differ.
        """
        structure = self.graph.in_structure
        leaves = tree.flatten_like(structure, tangents, "tangents")
        paths = structure.paths("tangents")
        nodes = self.graph.inputs
        moved = [
            conforming(t, node.value, path, "argument") for t, node, path in zip(leaves, nodes, paths, strict=True)
        ]
        return evaluate(self.graph, *tree.unflatten(structure, moved))

    def __repr__(self) -> str:
        return f"<linear map of {len(self.graph)} operations>"


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, **kwargs: Any) -> tuple[Any, ...]:
    """Run a function and return its result and its derivative there, as a linear map.

    As `jvp`, but what depends on the primals alone is computed once, for any number of tangents.

    Args:
        fun: a function of pytrees, with a pytree as result.
        primals: its arguments.
        has_aux: as for `grad`.
        kwargs: keyword arguments, which are held fixed.

    Returns:
        `(fun(*primals), linear)`, with `has_aux` `(result, linear, aux)`. `linear(*tangents)` returns the tangent of the
        result.

    >>> value, linear = linearize(lambda x: np.sin(x) ** 2, 1.0)
    >>> linear(2.0)
    np.float64(1.81859485...)
    """
    values: list[Any] = []

    def tangent(*tangents: Any) -> Any:
        run = push(fun, primals, kwargs, list(range(len(primals))), list(tangents), has_aux)
        recording = {leaf.interpreter for leaf in tree.leaves_of(tangents) if type(leaf) is Tracer}
        # An operation that holds a function, such as scan, returns values and tangents together, recorded all of them.
        values.extend(
            tree.map(lambda x: x.value if type(x) is Tracer and x.interpreter in recording else x, each)
            for each in (run.out, run.aux)
        )
        return run.tangent

    zeros = tree.map(still, tuple(float(x) if type(x) is int else x for x in primals))
    linear = LinearMap(run_trace(tangent, None, zeros, {}))
    return (values[0], linear, values[1]) if has_aux else (values[0], linear)


def linear_transpose(fun: Callable[..., Any], *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The transpose of a linear function.

    Args:
        fun: a function of pytrees that is linear in all of its arguments together. That it is, is not checked.
        primals: values of the arguments' shapes and dtypes; what they are is of no account.

    Returns:
        A function of a cotangent like the result, which returns a tuple of cotangents, one an argument: the w with
        <g, fun(x)> = <w, x> for all x. It can be differentiated, as all else.

    >>> linear_transpose(lambda x: np.array([[1.0, 2.0], [0.0, 3.0]]) @ x, np.zeros(2))(np.array([1.0, 10.0]))
    (array([ 1., 32.]),)
    """
    argnums = tuple(range(len(primals)))
    return Pullback(record(fun, primals, {}, list(argnums)), argnums)
