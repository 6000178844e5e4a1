"""`check_grads`: derivatives against differences, to any order.

The checker is recursive: the derivative functions that it has checked are checked by itself, as functions of the
arguments and of the tangents or cotangents. With two modes, all mixes of them are checked: reverse over forward, ...

    >>> import numpy as np
    >>> check_grads(lambda x: np.sin(x) * x, (np.array([0.5, 1.0]),), order=3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from xformad import tree
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.transformations.forward import jvp
from xformad.transformations.reverse import vjp

Mode = Literal["reverse", "forward"]
Differences = Literal["central", "complex"]

ENTRIES: Final = 40
"""How many entries of an array are checked at the most; they are chosen at random."""


class GradientError(AssertionError):
    """A derivative differs from the difference quotient. The message gives the argument, both values and the entry."""


@dataclass(frozen=True)
class Settings:
    """How derivatives are compared with differences."""

    atol: float | None
    rtol: float | None
    eps: float | None
    differences: Differences
    random: np.random.Generator
    modes: tuple[Mode, ...]
    level: int = 1
    precision: float = 0.0  # the coarsest among the arguments' and the results'

    def step(self) -> float:
        """The step of a central difference: the cube root of the precision balances truncation and rounding."""
        return self.eps or self.precision ** (1 / 3)

    def tolerance(self, scale: float) -> float:
        """The allowed error, for numbers of that size."""
        error = self.precision ** (2 / 3)
        default = 2e4 * error if self.precision < 1e-15 else 1e2 * error
        rtol = default if self.rtol is None else self.rtol
        return (rtol if self.atol is None else self.atol) + rtol * scale


def check_grads(
    fun: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[Mode] = ("reverse",),
    *,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    differences: Differences = "central",
    seed: int = 0,
) -> None:
    """Check the derivatives of a function at a point against difference quotients.

    Args:
        fun: a function of pytrees, smooth at the point, with a pytree as result.
        args: its arguments: the point. Leaves that are not floating-point are held fixed.
        order: to which order derivatives are checked.
        modes: the modes of differentiation to check.
        atol, rtol: the allowed absolute and relative error; by default what differences in the arguments' precision give.
        eps: the step of the differences.
        differences: `"central"`; or `"complex"`, f(x + ih) / h, exact to rounding for real-analytic functions that
            accept complex arguments.
        seed: of the random cotangents, and of the choice of entries in large arrays.

    Raises:
        GradientError: where a derivative is wrong; the message shows the argument, the two values and the worst entry.
        ValueError: for an unknown mode.
    """
    unknown = set(modes) - {"reverse", "forward"}
    if unknown:
        raise ValueError(f"check_grads knows the modes ('reverse', 'forward'), not {sorted(unknown)}")
    settings = Settings(atol, rtol, eps, differences, np.random.default_rng(seed), tuple(modes))
    leaves, structure = tree.flatten(tuple(args))
    smooth = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]

    def of_smooth(*values: Value) -> Any:
        filled = list(leaves)
        for i, value in zip(smooth, values, strict=True):
            filled[i] = value
        return fun(*tree.unflatten(structure, filled))

    paths = [f"args{path}" for path in structure.paths()]
    check(of_smooth, [leaves[i] for i in smooth], [paths[i] for i in smooth], order, settings)


def is_floating(x: Value) -> bool:
    return isinstance(x, float | complex | np.ndarray | np.generic) and dtype_of(x).kind in "fc"


@dataclass(frozen=True)
class Results:
    """The results of a function at the point.

    Attributes:
        leaves: the leaves of the result.
        structure: its tree.
        weights: a random cotangent for each.
        smooth: which of them are floating-point.
    """

    leaves: list[Value]
    structure: tree.Structure
    weights: list[Value]
    smooth: list[int]


def check(fun: Callable[..., Any], args: list[Value], paths: list[str], order: int, settings: Settings) -> None:
    """Check the derivatives of `fun` in each mode, then those of the derivative functions."""
    if order < 1:
        return
    leaves, structure = tree.flatten(fun(*args))
    smooth = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]
    results = Results(leaves, structure, [random_like(leaf, settings.random) for leaf in leaves], smooth)
    precisions = [float(np.finfo(dtype_of(x)).eps) for x in [*args, *(leaves[i] for i in smooth)]]
    settings = replace(settings, precision=max([settings.precision, *precisions]))
    if "reverse" in settings.modes:
        check_reverse(fun, args, paths, order, settings, results)
    if "forward" in settings.modes:
        check_forward(fun, args, paths, order, settings, results)


def check_forward(
    fun: Callable[..., Any], args: list[Value], paths: list[str], order: int, settings: Settings, results: Results
) -> None:
    """Check the tangent that `fun` gives for a tangent of each argument, then the function that gives it."""
    tangents = [random_like(arg, settings.random) for arg in args]
    for i, path in enumerate(paths):
        given = [t if k == i else np.zeros_like(t) for k, t in enumerate(tangents)]
        out, tangent = jvp(fun, args, given)
        compare_values(tree.unflatten(results.structure, results.leaves), out)
        moved = tree.leaves_of(tangent)
        for k in results.smooth:
            compare_tangent(fun, args, i, tangents[i], k, moved[k], path, settings)

    def push(*point: Value) -> Any:
        return jvp(fun, point[len(args) :], point[: len(args)])[1]

    names = [f"the tangent of {path}" for path in paths]
    deeper = replace(settings, level=settings.level + 1)
    check(push, [*tangents, *args], [*names, *paths], order - 1, deeper)


def compare_tangent(
    fun: Callable[..., Any],
    args: list[Value],
    i: int,
    direction: Value,
    k: int,
    tangent: Value,
    path: str,
    settings: Settings,
) -> None:
    """Compare the tangent of result k with the difference quotient along the direction of argument i."""
    at_point = [np.asarray(x, complex)[()] for x in args] if settings.differences == "complex" else args

    def at(shift: complex) -> Value:
        moved = at_point[i] + np.asarray(shift * direction, np.result_type(at_point[i]))
        return np.asarray(tree.leaves_of(fun(*(moved if n == i else x for n, x in enumerate(at_point))))[k])

    if settings.differences == "complex":
        expected = np.imag(at(1e-30j)) / 1e-30
    else:
        step = settings.step() * max(1.0, float(np.max(np.abs(args[i]), initial=0.0)))
        expected = (at(step) - at(-step)) / (2 * step)
    if shape_of(tangent) != expected.shape:
        raise GradientError(
            f"the tangent of order {settings.level} along {path} has shape {shape_of(tangent)}, but the result has shape "
            f"{expected.shape}"
        )
    scale = float(np.max(np.abs(expected), initial=0.0))
    errors = np.ravel(np.abs(np.asarray(tangent) - expected))
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors))) if errors.size else 0
    if errors.size and not errors[worst] <= settings.tolerance(scale):
        place = tuple(int(n) for n in np.unravel_index(worst, expected.shape))
        raise GradientError(
            f"the tangent of order {settings.level} along {path} is wrong, worst at entry {place}: the forward mode gives "
            f"{np.ravel(tangent)[worst]}, the {settings.differences} difference {np.ravel(expected)[worst]}; the argument "
            f"is\n{args[i]!r}"
        )


def check_reverse(
    fun: Callable[..., Any], args: list[Value], paths: list[str], order: int, settings: Settings, results: Results
) -> None:
    """Check the pullback of `fun`, then that of the function that pulls back."""
    out, pullback = vjp(fun, *args)
    structure, weights, smooth = results.structure, results.weights, results.smooth
    compare_values(tree.unflatten(structure, results.leaves), out)

    def weighted(*point: Value) -> Value:
        leaves = tree.leaves_of(fun(*point))
        return sum(np.sum(weights[i] * leaves[i]) for i in smooth)

    gradients = pullback(tree.unflatten(structure, weights))
    for i, (arg, gradient, path) in enumerate(zip(args, gradients, paths, strict=True)):
        compare(weighted, args, i, arg, gradient, path, settings)

    def pull(*point: Value) -> Any:
        filled: list[Value] = list(weights)
        for i, value in zip(smooth, point, strict=False):
            filled[i] = value
        back = vjp(fun, *point[len(smooth) :])[1]
        return back(tree.unflatten(structure, filled))

    deeper = replace(settings, level=settings.level + 1)
    names = [f"the cotangent of result {i}" for i in smooth]
    check(pull, [*(weights[i] for i in smooth), *args], [*names, *paths], order - 1, deeper)


def compare_values(plain: Any, traced: Any) -> None:
    """A traced run must compute what a plain one does."""
    for expected, got in zip(tree.leaves_of(plain), tree.leaves_of(traced), strict=True):
        if not np.array_equal(expected, got, equal_nan=dtype_of(expected).kind in "fc"):
            if np.allclose(expected, got, rtol=1e-5, atol=1e-7, equal_nan=True):
                continue
            raise GradientError(f"the traced run gives {got!r}, the plain one {expected!r}")


def random_like(x: Value, random: np.random.Generator) -> Value:
    """Random numbers of the shape and dtype of a result."""
    shape, dtype = shape_of(x), dtype_of(x)
    values: Any = random.normal(size=shape)
    if dtype.kind == "c":
        values = values + 1j * random.normal(size=shape)
    return np.asarray(values, dtype)[()] if dtype.kind in "fc" else np.zeros(shape, float)


def compare(
    weighted: Callable[..., Value],
    args: list[Value],
    i: int,
    arg: Value,
    gradient: Value,
    path: str,
    settings: Settings,
) -> None:
    """Compare a gradient with difference quotients, entry by entry."""
    dtype = dtype_of(arg)
    if shape_of(gradient) != shape_of(arg) or dtype_of(gradient) != dtype:
        raise GradientError(
            f"the derivative of order {settings.level} with respect to {path} has shape {shape_of(gradient)} and dtype "
            f"{dtype_of(gradient)}, but the argument has shape {shape_of(arg)} and dtype {dtype}"
        )
    size = int(np.prod(shape_of(arg)))
    entries = range(size) if size <= ENTRIES else settings.random.choice(size, ENTRIES, replace=False)
    worst: tuple[float, int, Value, Value] | None = None
    for entry in entries:
        expected = quotient(weighted, args, i, int(entry), settings)
        got = np.ravel(gradient)[entry]
        error = float(np.abs(got - expected)) / settings.tolerance(float(np.abs(expected)))
        if (error > 1 or np.isnan(error)) and (worst is None or not error <= worst[0]):
            worst = error, int(entry), got, expected
    if worst is not None:
        _, entry, got, expected = worst
        place = tuple(int(k) for k in np.unravel_index(entry, shape_of(arg)))
        relative = float(np.abs(got - expected) / (np.abs(expected) or 1.0))
        raise GradientError(
            f"the derivative of order {settings.level} with respect to {path} is wrong, worst at entry {place}: "
            f"the reverse mode gives {got}, the {settings.differences} difference {expected} "
            f"(relative error {relative:.1e}); the argument is\n{arg!r}"
        )


def quotient(weighted: Callable[..., Value], args: list[Value], i: int, entry: int, settings: Settings) -> Value:
    """The difference quotient with respect to an entry; d/dx - i d/dy for a complex one."""
    arg = np.asarray(args[i])
    others = [np.asarray(x, complex)[()] for x in args] if settings.differences == "complex" else args

    def at(shift: complex) -> Value:
        moved = np.array(others[i], order="C")
        moved.reshape(-1)[entry] += shift
        return weighted(*(moved[()] if k == i else other for k, other in enumerate(others)))

    scale = max(1.0, float(np.abs(arg.reshape(-1)[entry])))
    if settings.differences == "complex":
        step = 1e-30
        return np.imag(at(1j * step)) / step
    step = settings.step() * scale

    def along(direction: complex) -> float:
        return float(np.real(at(direction * step) - at(-direction * step))) / (2 * step)

    return along(1) - 1j * along(1j) if arg.dtype.kind == "c" else along(1)
