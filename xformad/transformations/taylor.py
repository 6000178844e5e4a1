"""Derivatives of high order, by power series: `taylor`, `derivatives`.

>>> derivatives(lambda x: np.exp(2 * x), 3)(0.0)
array([1., 2., 4., 8.])
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import held, plain, spec_of
from xformad.core.operands import refuse_argument
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import ArgumentError, DifferentiationError, TreeError
from xformad.interpreters.series import Series
from xformad.interpreters.taylor import Taylor
from xformad.transformations.forward import is_none, still
from xformad.transformations.pullback import constant, paired
from xformad.transformations.reverse import conforming
from xformad.transformations.transformed import Argnums, Key, Transformed, checked_argnums, keys_of

P = ParamSpec("P")

MOST_DERIVATIVES = 170  # 171! is no float


@final
class Expanded(NamedTuple):
    """What came of a run on power series.

    Attributes:
        series: for each leaf of the result its series, None for zero coefficients.
        structure: the tree of the result.
        aux: what the function returned beside it, with `has_aux`.
        kinks: what was not smooth, with the user's line.
    """

    series: list[Series]
    structure: tree.Structure
    aux: Any
    kinks: list[str]

    @property
    def out(self) -> Any:
        return tree.unflatten(self.structure, [x[0] for x in self.series])

    def coefficient(self, n: int) -> Any:
        """The coefficients of order n, in the result's containers."""
        return tree.unflatten(self.structure, [filled_coefficient(x, n) for x in self.series])


def filled_coefficient(x: Series, n: int) -> Value:
    c = x[n]
    return still(x[0]) if c is None else np.float64(c) if type(c) is float else c


def moving(interpreter: Taylor, leaf: Value, coefficients: list[Value], path: str, *, alone: bool) -> Value:
    """A tracer for a leaf of an argument; the leaf itself where all coefficients are None.

    Raises:
        DifferentiationError: if a whole-number array, or what is no number, is given a coefficient that is not zero.
        TreeError: if a coefficient's shape differs from the leaf's.
    """
    if all(c is None for c in coefficients):
        return leaf
    if type(leaf) is int and alone:
        leaf = float(leaf)
    numeric = isinstance(leaf, np.ndarray | np.generic | Tracer | int | float | complex)
    if type(leaf) is not np.ndarray or leaf.dtype.kind == "V":
        refuse_argument(leaf, path, text=True)
    if not numeric or spec_of(leaf)[1].kind not in "fc":
        if not any(isinstance(c, str) or type(c) is Tracer or np.any(c) for c in coefficients if c is not None):
            return leaf
        if type(leaf) is int:
            return moving(interpreter, float(leaf), coefficients, path, alone=alone)
        what = f"an array of dtype {spec_of(leaf)[1]}" if numeric else f"a {type(leaf).__name__}"
        fix = "cast it to a floating-point dtype: x.astype(float), or " if numeric else ""
        raise DifferentiationError(f"{path} is {what}, which cannot move; {fix}give None as its coefficients")
    names = [f"coefficient {n} of {path}" for n in range(1, len(coefficients) + 1)]
    return interpreter.input(
        leaf,
        [
            None if c is None else conforming(c, leaf, name, "argument")
            for c, name in zip(coefficients, names, strict=True)
        ],
    )


def expand(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    coefficients: dict[Key, list[Any]],
    order: int,
    has_aux: bool = False,
) -> Expanded:
    """Run `fun` with arguments that move along curves with these coefficients.

    Raises:
        DifferentiationError: where the result has no power series, because of a kink.
    """
    right = expand_side(fun, args, kwargs, coefficients, order, has_aux, 1)
    if right.kinks:
        left = expand_side(fun, args, kwargs, coefficients, order, has_aux, -1)
        check_smooth(fun, right, left)
    return right


def expand_side(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    coefficients: dict[Key, list[Any]],
    order: int,
    has_aux: bool,
    side: int,
) -> Expanded:
    """As `expand`, for t > 0 or for t < 0."""
    with Taylor(order, fun, side) as interpreter:
        positional = list(args)
        for key, given in coefficients.items():
            argument = positional[key] if isinstance(key, int) else kwargs[key]
            name = f"argument {key!r}"
            leaves, structure = tree.flatten(argument)
            flat = [
                tree.flatten_prefix(structure, c, is_none, f"coefficient {n} of {name}") for n, c in enumerate(given, 1)
            ]
            alone = structure is tree.LEAF
            tracers = [
                moving(interpreter, leaf, [c[i] for c in flat], name + path, alone=alone)
                for i, (leaf, path) in enumerate(zip(leaves, structure.paths(), strict=True))
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
            aux = tree.map(lambda x: at_zero(x, interpreter), aux)
    leaves, structure = tree.flatten(out)
    series = [
        [held(x.value), *map(held, x.extra)]
        if type(x) is Tracer and x.interpreter is interpreter
        else [constant(x), *[None] * order]
        for x in map(held, leaves)
    ]
    return Expanded(series, structure, aux, interpreter.kinks)


def at_zero(x: Value, interpreter: Taylor) -> Value:
    """The value of what may be a series."""
    x = held(x)
    return held(x.value) if type(x) is Tracer and x.interpreter is interpreter else x


def check_smooth(fun: Callable[..., Any], right: Expanded, left: Expanded) -> None:
    """Compare the series for t > 0 with those for t < 0, after a run that met a kink.

    Raises:
        DifferentiationError: where they differ, or where there are none.
    """
    for x, y, path in zip(right.series, left.series, right.structure.paths("the result"), strict=True):
        values, others = plain(x[0]), plain(y[0])
        if not isinstance(values, np.ndarray | np.generic | int | float | complex):
            continue
        finite = np.isfinite(values)
        for n, (a, b) in enumerate(zip(x, y, strict=True)):
            a, b = (np.asarray(0.0 if c is None else plain(c)) for c in (a, b))
            with np.errstate(all="ignore"):
                size = np.maximum(np.max(np.abs(a), initial=0), np.max(np.abs(b), initial=0))
                rounding = 1e4 * np.finfo(a.dtype).eps * size if a.dtype.kind in "fc" else 0
                smooth = np.abs(a - b) <= rounding
            if np.shape(values) == np.shape(others) and not np.any(finite & ~smooth):
                continue
            which = f"coefficient {n} of {path}" if n else f"the value of {path}"
            name = getattr(fun, "__name__", "the function")
            raise DifferentiationError(
                f"{name} has no Taylor series of order {n} here, because of {right.kinks[0]}: {which} is not the same on "
                "both sides or does not exist; move the point, ask for a lower order, or use grad or jvp, which follow "
                "docs/conventions.md at kinks"
            )


def taylor(
    fun: Callable[..., Any],
    primals: tuple[Any, ...] | list[Any],
    series: tuple[Any, ...] | list[Any],
    *,
    order: int | None = None,
    has_aux: bool = False,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """The Taylor series of a function along a curve, of all orders in one run.

    The arguments are x(t) = x_0 + x_1 t + x_2 t^2 + ..., and the result is y(t) = y_0 + y_1 t + y_2 t^2 + ... What goes
    in and out are these coefficients: y_n is the n-th derivative over n factorial. The cost is O(order^2).

    Args:
        fun: a function of pytrees, with a pytree as result.
        primals: a tuple of its arguments x_0.
        series: for each argument a list of trees like it, [x_1, x_2, ...]; those that are not given are zero. None in
            the place of a list, a tree or a part of one stands for zeros.
        order: of the last coefficient; the length of the longest list if not given.
        has_aux: as for `grad`.
        kwargs: keyword arguments, which are held fixed.

    Returns:
        `(fun(*primals), [y_1, ..., y_order])`, with `has_aux` `(result, coefficients, aux)`. Each y_n is like the result.

    Raises:
        TreeError: if a coefficient's tree or shapes are not those of its argument.
        DifferentiationError: if what has no derivative is to move, or if the result has no such series, as |x| at 0.

    >>> taylor(np.exp, (0.0,), ([1.0],), order=3)
    (np.float64(1.0), [np.float64(1.0), np.float64(0.5), np.float64(0.16666...)])
    """
    for name, given in (("primals", primals), ("series", series)):
        if not isinstance(given, tuple | list):
            raise TreeError(
                f"taylor takes a tuple of {name}, one an argument, not {type(given).__name__}: taylor(f, (x,), ([v],))"
            )
    if len(primals) != len(series):
        raise TreeError(f"taylor was given {len(primals)} primals, but {len(series)} series")
    for i, given in enumerate(series):
        if given is not None and not isinstance(given, tuple | list):
            raise TreeError(
                f"the series of argument {i} is a list of coefficients, [x_1, x_2, ...], not {type(given).__name__}"
            )
    coefficients: dict[Key, list[Any]] = {i: list(given or []) for i, given in enumerate(series)}
    longest = max((len(given) for given in coefficients.values()), default=0)
    count = longest if order is None else checked_order(order)
    run = expand(fun, tuple(primals), kwargs, {i: c[:count] for i, c in coefficients.items()}, count, has_aux)
    result = (run.out, [run.coefficient(n) for n in range(1, count + 1)])
    return (*result, run.aux) if has_aux else result


def checked_order(order: int) -> int:
    if type(order) is not int or order < 0:
        raise ArgumentError(f"order must be a whole number that is not negative, not {order!r}")
    return order


@final
class Options(NamedTuple):
    order: int
    argnums: Argnums
    direction: Any
    has_aux: bool


def directions_of(options: Options, args: tuple[Any, ...], kwargs: dict[str, Any], keys: list[Key]) -> list[Any]:
    """The direction in which each of the arguments moves."""
    if options.direction is not None:
        return list(options.direction) if isinstance(options.argnums, tuple) else [options.direction]
    argument = args[keys[0]] if isinstance(keys[0], int) else kwargs[keys[0]]
    number = tree.flatten(argument)[1] is tree.LEAF and not isinstance(argument, str)
    if len(keys) == 1 and number and spec_of(argument)[0] == ():
        return [1.0]
    raise ArgumentError(
        "derivatives of a function of what is no single number need a direction, like the argument: "
        "derivatives(f, order, direction=v); numpy.ones_like(x) for a function that acts on each entry for itself"
    )


def run_derivatives(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    keys = keys_of(fun, options.argnums, args, kwargs)
    directions = directions_of(options, args, kwargs, keys)
    coefficients = {key: [direction] for key, direction in zip(keys, directions, strict=True)}
    run = expand(fun, args, kwargs, coefficients if options.order else {}, options.order, options.has_aux)
    result = tree.unflatten(run.structure, [stacked(x) for x in run.series])
    return (result, run.aux) if options.has_aux else result


def stacked(x: Series) -> Value:
    """The derivatives, first the value, along a new first axis."""
    if all(c is None or type(c) is float for c in x[1:]) and isinstance(x[0], float):
        return np.array([0.0 if c is None else c * math.factorial(n) for n, c in enumerate(x)])
    return np.stack([x[0], *(filled_coefficient(x, n) * float(math.factorial(n)) for n in range(1, len(x)))])


def derivatives(
    fun: Callable[P, Any], order: int, argnums: Argnums = 0, *, direction: Any = None, has_aux: bool = False
) -> Transformed[P, Any]:
    """All derivatives up to an order, of a function of a number, or of an array along a direction. In one run.

    Args:
        fun: a function of pytrees, with a pytree as result.
        order: of the highest derivative, at most 170.
        argnums: the arguments that move, as for `grad`.
        direction: for an argument that is no number, v such that the derivatives are those of f(x + t v) by t at 0: like
            the argument; a tuple of such if `argnums` is a tuple.
        has_aux: as for `grad`.

    Returns:
        A function of the same arguments. Its result is like that of `fun`, with arrays that have a new first axis of
        length `order + 1`: the value, the first derivative, the second one, ... A pair `(derivatives, aux)` with `has_aux`.

    >>> f, df, d2f = derivatives(np.sin, 2)(0.0)
    >>> derivatives(lambda x: x[0] ** 2 * x[1], 3, direction=np.array([1.0, 1.0]))(np.array([1.0, 3.0]))
    array([ 3.,  7., 10.,  6.])
    """
    if checked_order(order) > MOST_DERIVATIVES:
        raise ArgumentError(f"the derivative of order {order} may overflow; take Taylor coefficients: taylor(f, ...)")
    options = Options(order, checked_argnums(argnums), direction, has_aux)
    return Transformed(run_derivatives, fun, options, "derivatives")
