"""`record`: run a function on tracers; `Record`: what came of it, with the pullback of its tape.

All of reverse mode is built of these two: `grad` pulls back 1, `jacobian` the rows of the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import numpy as np
from numpy import float64, ndarray

from xformad import tree
from xformad.core.graph import Node
from xformad.core.interpreter import SCALAR, dtype_of, held, spec_of
from xformad.core.operands import WHAT_TO_WRITE, refuse_argument
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import DifferentiationError, TreeError
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.transformations.transformed import Key

NUMBERS: Final = frozenset((float, int, float64, ndarray, Tracer))
NUMERIC: Final = (ndarray, np.generic, float, int)
EMPTY: Final[list[Any]] = []


@final
class Argument:
    """One differentiated argument of a recorded call: its tree, its leaves, and their nodes."""

    __slots__ = ("leaves", "nodes", "structure", "tracers")

    def __init__(self, tape: Vjp, value: Any, key: Key, tracer: Tracer | None = None) -> None:
        if type(value) in NUMBERS:
            self.leaves = [value]
            self.structure = tree.LEAF
            tracer = lifted(tape, value, key, bare=True) if tracer is None else tracer
            self.tracers = [tracer]
            self.nodes: list[Node | None] = [tracer.extra]
            return
        self.leaves, self.structure = tree.flatten(value)
        bare = self.structure is tree.LEAF
        self.tracers = [lifted(tape, leaf, key, bare=bare) for leaf in self.leaves]
        self.nodes = [node_of(x, tape) for x in self.tracers]

    def traced(self) -> Any:
        """The argument with tracers for leaves."""
        return self.tracers[0] if self.structure is tree.LEAF else tree.unflatten(self.structure, self.tracers)


def lifted(tape: Vjp, leaf: Value, key: Key, *, bare: bool) -> Value:
    """A tracer for a leaf of an argument; the leaf itself where it is no number.

    Whole numbers inside a container may be counts and indices, so they keep their value and only their derivative is
    that of a float. An argument that is a whole number itself is taken for a float.
    """
    kind = type(leaf)
    if kind is float or kind is float64:
        return tape.input(leaf)
    if kind is int:
        return tape.input(float(leaf) if bare else leaf)
    if (kind is ndarray or kind is Tracer) and leaf.dtype.kind in "fc":
        return tape.input(leaf)
    if isinstance(leaf, bool | np.bool_ | str | bytes) and not bare:
        return leaf
    if isinstance(leaf, ndarray | np.generic | complex | Tracer) or hasattr(kind, "__array_function__"):
        if kind is not ndarray or leaf.dtype.kind in WHAT_TO_WRITE:
            refuse_argument(leaf, f"argument {key!r}", text=not bare)
        dtype = dtype_of(leaf)
        if dtype.kind in "fc" or (dtype.kind in "iub" and not bare):
            return tape.input(leaf)
        if dtype.kind in "iub":
            raise DifferentiationError(
                f"argument {key!r} is an array of dtype {dtype}, which has no derivative; "
                "cast it to a floating-point dtype: x.astype(float)"
            )
    elif bare:
        raise DifferentiationError(f"argument {key!r} is a {kind.__name__}, which cannot be differentiated")
    return leaf


@final
class Record:
    """A recorded call: its result, and the pullback from cotangents of the result to cotangents of the arguments.

    Attributes:
        out: the result, of values one level below.
        aux: what the function returned beside it, with `has_aux`.
        nodes: for each leaf of the result its node; None for one that does not depend on the arguments.
        leaves: the leaves of the result.
        structure: its tree.
        arguments: the differentiated arguments.
    """

    __slots__ = ("arguments", "aux", "leaves", "nodes", "structure")

    def __init__(self, arguments: list[Argument], tape: Vjp, out: Any, aux: Any) -> None:
        self.nodes: list[Node | None]
        out = held(out)
        if type(out) in NUMBERS:
            self.structure = tree.LEAF
            node = node_of(out, tape)
            self.nodes = [node]
            self.leaves = [constant(out) if node is None else held(out.value)]
        else:
            leaves, self.structure = tree.flatten(out)
            leaves = [held(x) for x in leaves]
            self.nodes = [node_of(x, tape) for x in leaves]
            self.leaves = [
                constant(x) if node is None else held(x.value) for x, node in zip(leaves, self.nodes, strict=True)
            ]
        self.aux = aux
        self.arguments = arguments

    @property
    def out(self) -> Any:
        return self.leaves[0] if self.structure is tree.LEAF else tree.unflatten(self.structure, self.leaves)

    def pull(self, cotangents: list[Value]) -> list[Any]:
        """The gradient of each argument, like the argument, for a cotangent of each leaf of the result (None: zero)."""
        return self.send(self.seeds(cotangents), cotangents)

    def consume(self, cotangents: list[Value]) -> list[Any]:
        """As `pull`, once: the tape is freed as the backward pass goes."""
        seeds = self.seeds(cotangents)
        self.nodes = EMPTY
        return self.send(seeds, cotangents)

    def seeds(self, cotangents: list[Value]) -> list[tuple[Node, Value]]:
        if len(cotangents) == 1:
            node = self.nodes[0]
            return [] if node is None or cotangents[0] is None else [(node, cotangents[0])]
        pairs = zip(self.nodes, cotangents, strict=True)
        return [(node, g) for node, g in pairs if node is not None and g is not None]

    def send(self, seeds: list[tuple[Node, Value]], cotangents: list[Value]) -> list[Any]:
        arguments = self.arguments
        taken = list(cotangents)
        if len(arguments) == 1 and arguments[0].structure is tree.LEAF and arguments[0].nodes[0] is not None:
            argument = arguments[0]
            node = argument.nodes[0]
            assert node is not None
            return [finished(backward_pass(seeds, [node])[0], argument.leaves[0], node, taken)]
        inputs = [node for argument in arguments for node in argument.nodes if node is not None]
        gradients = iter(backward_pass(seeds, inputs))
        return [like(argument, gradients, taken) for argument in arguments]


def node_of(x: Value, tape: Vjp) -> Node | None:
    """The node of a tracer of this tape; None for any other value."""
    return x.extra if type(x) is Tracer and x.interpreter is tape else None


def constant(x: Value) -> Value:
    """A leaf of a result that is not of the tape; a tracer among them must not have escaped."""
    if type(x) is Tracer and not x.interpreter.live:
        x.interpreter.escaped()
    return x


def like(argument: Argument, gradients: Any, taken: list[Value]) -> Any:
    """The gradient of an argument, in its containers. No two arrays share memory, nor does one with a cotangent."""
    leaves = []
    for i, (leaf, node) in enumerate(zip(argument.leaves, argument.nodes, strict=True)):
        if node is None:
            leaves.append(0.0 if isinstance(leaf, bool | np.bool_) else None)
            continue
        g = next(gradients)
        if g is not None and node.dtype.kind not in "fc":
            path = list(argument.structure.paths())[i]
            raise DifferentiationError(
                f"the leaf {path} of an argument is an array of dtype {node.dtype}, which has no derivative, but the "
                "result depends on it; cast it to a floating-point dtype: x.astype(float)"
            )
        leaves.append(finished(g, leaf, node, taken))
    return leaves[0] if argument.structure is tree.LEAF else tree.unflatten(argument.structure, leaves)


def finished(g: Value, leaf: Value, node: Node, taken: list[Value]) -> Value:
    """A gradient as the user gets it: of the leaf's shape and dtype, in memory of its own, like none of those `taken`."""
    if type(g) is float64 and node.spec is SCALAR and type(leaf) is not ndarray:
        return g
    shape, dtype = node.spec
    if dtype.kind not in "fc":
        dtype = np.dtype(float64)
    if g is None:
        return np.zeros(shape, dtype) if isinstance(leaf, ndarray) or shape else dtype.type(0)
    if type(g) is Tracer:
        return held(g)
    if type(leaf) is not ndarray and shape == ():
        return dtype.type(g)
    if type(g) is not ndarray or g.dtype is not dtype:
        g = np.asarray(g, dtype) if isinstance(g, NUMERIC) else g
    if type(g) is ndarray:
        shared = g.base is not None or not g.flags.writeable
        for other in taken:
            shared = shared or g is other
        if shared:
            g = g.copy()
        taken.append(g)
    return g


def scalar_gradient(fun: Callable[..., Any], x: Value) -> tuple[Value, Record | None]:
    """The gradient of the usual function: of one number or array, with a float as result. It saves the objects of a
    `Record`, a tenth of the time for a small function. For another result, the record of the run is the second value.
    """
    with Vjp(fun) as tape:
        tracer = lifted(tape, x, 0, bare=True)
        out = fun(tracer)
    node = node_of(out, tape)
    if node is None or node.spec is not SCALAR:
        return None, Record([Argument(tape, x, 0, tracer)], tape, out, None)
    seeds = [(node, 1.0)]
    del out, node  # the tape is freed as the backward pass goes
    return finished(backward_pass(seeds, [tracer.extra])[0], x, tracer.extra, []), None


def record(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    keys: list[Key],
    has_aux: bool = False,
) -> Record:
    """Run `fun` with tracers in the place of the arguments at `keys`."""
    with Vjp(fun) as tape:
        arguments = []
        positional = list(args)
        for key in keys:
            if isinstance(key, int):
                argument = Argument(tape, positional[key], key)
                positional[key] = argument.traced()
            else:
                argument = Argument(tape, kwargs[key], key)
                kwargs = {**kwargs, key: argument.traced()}
            arguments.append(argument)
        out = fun(*positional, **kwargs)
        aux = None
        if has_aux:
            out, aux = paired(out)
            aux = tree.map(lambda x: lowered(x, tape), aux)
    return Record(arguments, tape, out, aux)


def paired(out: Any) -> tuple[Any, Any]:
    """What a function returns with `has_aux`: its result and the rest."""
    if not isinstance(out, tuple) or len(out) != 2:
        raise TreeError(
            f"with has_aux=True the function must return a pair (result, aux), but it returned {out!r} ({user_line()})"
        )
    return out


def lowered(x: Value, tape: Vjp) -> Value:
    """What a value of the function is outside of it."""
    x = held(x)
    return held(x.value) if type(x) is Tracer and x.interpreter is tape else x


def ones_like_output(record: Record, what: str) -> list[Value]:
    """A cotangent of ones for each leaf of the result."""
    cotangents = []
    for leaf in record.leaves:
        shape, dtype = spec_of(leaf)
        if dtype.kind not in "fc" and type(leaf) is not int:
            raise DifferentiationError(f"{what} needs a floating-point result, but got dtype {dtype}")
        cotangents.append(np.ones(shape, dtype) if shape else dtype.type(1) if dtype.kind in "fc" else 1.0)
    return cotangents
