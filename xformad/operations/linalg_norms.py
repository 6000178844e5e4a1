"""Euclidean and other vector norms, and the quotient by a norm that is right where the norm is zero.

The gradient of the norm n of x is x / n, and 0 at x = 0. A function such as n(x)**2 is smooth at 0 all the same: its
gradient, by the chain rule, is (c / n) x with c = 2 n, and its Hessian there is the limit of c / n: 2, by l'Hopital's
rule the derivative of c by n. The values c = n = 0 do not show it (n**3 has the same ones), but where a second
derivative is being taken, the gradient is itself recorded on a tape, and the tape shows how c depends on n; or it moves
along a direction, and both slopes are known: `xformad.interpreters.cusps`.
"""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable

import numpy as np

from xformad.core.graph import Node
from xformad.core.interpreter import anywhere, dtype_of, shape_of, stack
from xformad.core.primitive import Primitive, Tracer
from xformad.core.source import user_depth
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch import Batch
from xformad.interpreters.batch_rules import Batched, along_axes, defbatch, defbatch_elementwise, shifted, spread_out
from xformad.interpreters.cusps import Cusp, Germ, cusp
from xformad.interpreters.index_sets import defindexset, elementwise, reduction
from xformad.interpreters.jvp import Jvp
from xformad.interpreters.jvp_rules import Tangents, defjvp, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor, from_composition
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.interpreters.vjp_rules import ELEMENTWISE, TRUST
from xformad.operations.constants import inverse
from xformad.operations.makers import smooth
from xformad.operations.reductions import sum_value

Axes = tuple[int, ...]


def divided_value(c: Value, n: Value, limit: Value) -> Value:
    zero = n == 0
    return np.where(zero, limit, c / np.where(zero, 1, n)).astype(dtype_of(c), copy=False)[()]


def over_norm(c: Value, n: Value) -> Value:
    """c / n for the cotangent c of a norm n >= 0: at n = 0 its limit where c = 0, and 0 elsewhere.

    The building block of rules for what is the root of a sum of squares: the cotangent of the sum is 0.5 c / n.
    """
    if type(n) is np.float64 or type(n) is float:
        if n != 0.0:
            return c / n
        return divided(c, n, 0.0)
    if not anywhere(n == 0):
        return c / n
    return divided(c, n, limit_of(c, n))


def divided_jvp(tangents: Tangents, ans: Value, c: Value, n: Value, _limit: Value) -> Germ | Value:
    """(dc - ans dn) / n; where n = 0, the value is the quotient of the slopes, and the slope is taken as 0."""
    of_c, of_n, _ = tangents
    if of_n is None:
        return over_norm(of_c, n)
    moved = -(ans * of_n) if of_c is None else of_c - ans * of_n
    slope = over_norm(moved, n)
    if of_c is None or not anywhere(n == 0):
        return slope
    singular = np.logical_and(np.logical_and(n == 0, c == 0), of_n != 0)
    return Germ(np.where(singular, of_c / np.where(singular, of_n, 1), ans), slope)


# The derivatives are those of the quotient. The limit is the value of an even function of n, whose derivative is 0.
divided: Primitive = smooth(
    "divided_by_norm",
    divided_value,
    lambda g, _ans, _c, n, _limit: over_norm(g, n),
    lambda g, ans, _c, n, _limit: -over_norm(g * ans, n),
    None,
)
defjvp_joint(divided, divided_jvp)
defindexset(divided, elementwise)
defbatch_elementwise(divided)


def divided_series(taylor: Kinks, ans: Value, c: Series, n: Series, _limit: Series) -> Series:
    """c / n; where both are zero, c / t over n / t.

    The last coefficient of these is not known, and that of the quotient is left out: a rule multiplies the quotient with
    an array that is zero where its norm is, so this coefficient has no part in the result.
    """
    zero = n[0] == 0
    if not anywhere(zero):
        return series.quotient(ans, c, n)
    moving = series.moving(n, zero)
    pole = np.logical_and(moving, c[0] != 0)
    if anywhere(pole):
        taylor.kink("the derivative of a norm that is zero")
    above = series.chosen(moving, series.shifted(c), series.filled(c, zero, 0.0))
    below = series.filled(series.chosen(moving, series.shifted(n), n), np.logical_and(zero, ~moving), 1.0)
    start = divided(above[0], below[0], 0.0)
    found = divided_series(taylor, start, above, below, _limit)
    value = np.where(np.logical_and(moving, ~pole), found[0], ans)
    result = [value, *series.each(lambda x: np.where(pole, np.nan, x), found[1:])]
    mark = unknown_derivative(moving, n)
    return result if mark is None else [series.plus(x, mark) for x in result]


deftaylor(divided, divided_series)


def rising(slope: Value, n: Value, rise: Callable[[], Value], x: Value, axis: Axes | None = None) -> Cusp | Value:
    """The tangent of a norm n of x: its slope; and where n is zero, a rise to both sides if second derivatives are taken.

    Args:
        slope: the tangent, 0 where n is 0.
        n: the norm; `rise` gives that of the tangent of x.
        x: what it is the norm of.
        axis: the axes of x that n does not have.
    """
    orders = sum(isinstance(interpreter, Vjp | Jvp) for interpreter in stack.live)
    if orders < 2 or not anywhere(n == 0):
        return slope
    below = n
    while type(below) is Tracer:
        if isinstance(below.interpreter, Jvp):
            return slope
        if isinstance(below.interpreter, Vjp):
            return slope + undetermined(x, n, axis=axis)
        below = below.value
    return cusp(n, slope, n == 0, rise())


UNKNOWN = (
    "the derivative of a Taylor series by the point that it is at is not determined where a norm is zero, and NaN was put "
    "in its place; use the series of the derivative: derivatives(grad(fun), ...) for a gradient of derivatives(fun, ...)"
)


def lost(where: Value, zeros: Value, message: str) -> Value:
    """Zeros, but NaN where a derivative is not known, with a warning."""
    if not anywhere(where):
        return zeros
    warnings.warn(message, RuntimeWarning, stacklevel=user_depth())
    return np.where(where, np.nan, zeros)


def unknown_vjp(g: Value, _ans: Value, _x: Value, mask: Value) -> Value:
    return lost(mask, np.zeros_like(g), UNKNOWN)


# Zeros, added to what is right at one point only.
unknown: Primitive = smooth(
    "unknown_derivative", lambda x, _mask: np.zeros_like(x), unknown_vjp, None, mask=ELEMENTWISE
)


def unknown_derivative(mask: Value, *parts: Series) -> Value:
    """Zeros whose derivative is not known where a mask is true; None if no value is traced, so that nobody asks for one."""
    traced = [unknown(x[0], mask) for x in parts if type(x[0]) is Tracer]
    return functools.reduce(operator.add, traced) if traced else None


def unknown_series(taylor: Kinks, ans: Value, x: Series, mask: Series) -> Series:
    if anywhere(mask[0]):
        taylor.kink("the derivative of a Taylor series at a norm that is zero")
    return [ans, *[np.where(mask[0], np.nan, 0.0 * ans) for _ in x[1:]]]


deftaylor(unknown, unknown_series)

UNDETERMINED = (
    "reverse over forward mode cannot tell the second derivative of a norm or an absolute value where it is zero, and "
    "NaN was put in its place; use forward over reverse: jvp(grad(fun), ...) for a gradient of jvp(fun, ...)"
)


def undetermined_vjp(g: Value, _ans: Value, x: Value, n: Value, axis: Axes | None) -> Value:
    """NaN where the norm is zero and the cotangent too, as that of `n * dn` is in the derivative of n**2: that is 0 / 0."""
    where = np.logical_and(n == 0, g == 0)
    return lost(where if axis is None else np.expand_dims(where, axis), np.zeros_like(x), UNDETERMINED)


def undetermined_value(x: Value, n: Value, axis: Axes | None) -> Value:
    return np.zeros_like(n)


# Zero, added to the tangent of a norm: the mark at which a backward pass sees that it lacks what it needs.
undetermined: Primitive = smooth("undetermined", undetermined_value, undetermined_vjp, None)
deftaylor(undetermined, lambda _taylor, ans, x, _n, **_: series.still(ans, x))


def undetermined_batch(size: int, batched: Batched, x: Value, n: Value, axis: Axes | None) -> Value:
    x, n = spread_out(size, batched, (x, n))
    if axis is None:
        return undetermined(x, n, axis=None if x.ndim == n.ndim else tuple(range(1, x.ndim)))
    return undetermined(x, n, axis=shifted(axis))


defbatch(undetermined, undetermined_batch)


def limit_of(c: Value, n: Value) -> Value:
    """The limit of c / n where both are zero: the derivative of c by n, if the tape that is being recorded has it."""
    if type(c) is Tracer and isinstance(c.interpreter, Batch) and type(n) is Tracer:
        return batched_limit(c.interpreter, c, n)
    if (
        not (type(c) is Tracer and type(n) is Tracer and c.interpreter is n.interpreter)
        or type(c.interpreter) is not Vjp
    ):
        return 0.0
    ones = np.ones(shape_of(n), dtype_of(n))
    slope = slope_of(c.extra, n.extra, ones)
    if slope is None:
        if not c.interpreter.partial:
            return 0.0
        return lost(np.logical_and(c.value == 0, n.value == 0), np.zeros_like(c.value), IN_A_CALL)
    if ones.size > 1:
        # Entry i of the slope is the sum of dc_j / dn_i over j. Random signs tell whether only j = i contributes;
        # otherwise the function is not twice differentiable.
        signs = np.random.default_rng(0).choice([-1.0, 1.0], ones.shape).astype(ones.dtype)
        turned = slope_of(c.extra, n.extra, signs)
        slope = np.where(np.absolute(turned * signs - slope) <= 1e-5 * np.absolute(slope), slope, 0)
    return np.where(c.value == 0, slope, 0)


IN_A_CALL = (
    "reverse over reverse mode cannot tell the second derivative of a norm or an absolute value where it is zero, if that "
    "is inside of a checkpointed function, and NaN was put in its place; use forward over reverse: jvp(grad(fun), ...)"
)


def batched_limit(batch: Batch, c: Value, n: Value) -> Value:
    """The same for a batch of examples, on the tape below."""
    if n.interpreter is batch:
        limit = limit_of(c.value, n.value)
    else:  # one norm for all examples, and the derivative of each example's c by it
        limit = np.stack([limit_of(c.value[i], n) for i in range(batch.size)])
    return batch.input(limit) if np.ndim(limit) else limit


def slope_of(c: Node, n: Node, seed: Value) -> Value:
    """The derivative of c by n, counting every norm of the same array as n, for `norm(x) * norm(x)`."""
    nodes = [n, *same_operations(c, n)]
    if c in nodes:
        return seed
    parents = n.parents
    for node in nodes:
        node.parents = ()  # inputs, for this pass
    try:
        slopes = [slope for slope in backward_pass([(c, seed[()])], nodes) if slope is not None]
    finally:
        for node in nodes:
            node.parents = parents
    return sum(slopes[1:], slopes[0]) if slopes else None


def same_operations(start: Node, like: Node) -> list[Node]:
    """The nodes on the way to `start` that apply the same primitive to the same node as `like` does."""
    found, seen, stack = [], {start}, [start]
    while stack:
        node = stack.pop()
        if node is like:
            continue
        if node.primitive is like.primitive and node.parents == like.parents and node.params == like.params:
            found.append(node)
            continue
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return found


def euclidean_series(
    taylor: Kinks,
    ans: Value,
    parts: list[Series],
    total: Callable[[Value], Value],
    spread: Callable[[Value], Value],
) -> Series:
    """The root of a sum of squares. Where it is zero, x is t z for another series z, and |x| = |t| |z|.

    Args:
        parts: the series of real numbers whose squares are summed.
        total: their sum, over entries that are parts of one norm.
        spread: repeats a norm for its entries, or has a shape that broadcasts so.
    """
    zero = ans == 0
    if not anywhere(zero):
        squares = [series.each(total, series.product(x[0] * x[0], x, x)) for x in parts]
        return series.square_root(ans, functools.reduce(series.added, squares))
    entries = spread(zero)
    moving = functools.reduce(np.logical_or, [series.moving(x, entries) for x in parts])
    away = np.logical_and(zero, total(np.where(moving, 1.0, 0.0)) > 0)
    if anywhere(away):
        taylor.kink("a norm that is zero")
    # What stays zero becomes 1, whose norm is regular.
    rest = [series.chosen(spread(away), series.shifted(x), x) for x in parts]
    resting = spread(np.logical_and(zero, ~away))
    rest = [series.filled(x, resting, 1.0) for x in rest]
    start = np.sqrt(functools.reduce(operator.add, [total(x[0] * x[0]) for x in rest]))
    found = euclidean_series(taylor, start, rest, total, spread)
    outward = series.each(lambda c: taylor.side * c, found[:-1])
    result = [ans, *series.chosen(zero, series.chosen(away, outward, series.still(None, outward)), found[1:])]
    mark = unknown_derivative(spread(away), *parts)
    return result if mark is None else [series.plus(c, total(mark)) for c in result]


def real_parts(x: Series) -> list[Series]:
    return [series.each(np.real, x), series.each(np.imag, x)] if dtype_of(x[0]).kind == "c" else [x]


def norm_value(x: Value, axis: Axes, keepdims: bool) -> Value:
    squares = x.real**2 + x.imag**2 if dtype_of(x).kind == "c" else x * x
    return np.sqrt(sum_value(squares, axis, keepdims))


def whole_norm_value(x: Value) -> Value:
    x = np.ravel(x)
    return np.sqrt(x.real @ x.real + x.imag @ x.imag if x.dtype.kind == "c" else x @ x)


def conjugated(x: Value) -> Value:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


def inward(t: Value, x: Value) -> Value:
    """The products of which the derivative of half a squared norm is the sum."""
    return np.real(np.conjugate(x) * t) if dtype_of(x).kind == "c" else x * t


def norm_vjp(g: Value, ans: Value, x: Value, axis: Axes, keepdims: bool) -> Value:
    quotient = over_norm(g, ans)
    if not keepdims:
        quotient = np.expand_dims(quotient, axis)
    return quotient * conjugated(x)


# The Euclidean norm of all entries; and along axes, a tuple of non-negative ones.
whole_norm: Primitive = smooth(
    "whole_norm", whole_norm_value, lambda g, ans, x: over_norm(g, ans) * conjugated(x), check=TRUST
)
defjvp(whole_norm, lambda t, ans, x: rising(over_norm(np.sum(inward(t, x)), ans), ans, lambda: whole_norm(t), x))
defbatch(
    whole_norm,
    lambda _size, _batched, x: norm(x, axis=tuple(range(1, x.ndim)), keepdims=False),
)
deftaylor(whole_norm, lambda taylor, ans, x: euclidean_series(taylor, ans, real_parts(x), np.sum, lambda mask: mask))

norm: Primitive = smooth("norm", norm_value, norm_vjp, check=TRUST)
defindexset(norm, reduction)
defbatch(norm, along_axes(norm))


def norm_jvp(t: Value, ans: Value, x: Value, axis: Axes, keepdims: bool) -> Value:
    slope = over_norm(np.sum(inward(t, x), axis=axis, keepdims=keepdims), ans)
    return rising(slope, ans, lambda: norm(t, axis=axis, keepdims=keepdims), x, None if keepdims else axis)


defjvp(norm, norm_jvp)


def norm_series(taylor: Kinks, ans: Value, x: Series, axis: Axes, keepdims: bool) -> Series:
    def total(c: Value) -> Value:
        return np.sum(c, axis=axis, keepdims=keepdims)

    def spread(mask: Value) -> Value:
        return mask if keepdims else np.expand_dims(mask, axis)

    return euclidean_series(taylor, ans, real_parts(x), total, spread)


deftaylor(norm, norm_series)


def power_norm_value(x: Value, order: float, axis: int, keepdims: bool) -> Value:
    return sum_value(x**order, (axis,), keepdims) ** inverse(order, x)


def power_norm_vjp(g: Value, ans: Value, x: Value, order: float, axis: int, keepdims: bool) -> Value:
    """(x / n)^(p - 1), and 0 where the norm is zero."""
    if not keepdims:
        g, ans = np.expand_dims(g, axis), np.expand_dims(ans, axis)
    zero = ans == 0
    share = np.where(zero, 1, x) / np.where(zero, 1, ans)
    return np.where(zero, 0, g * share ** (order - 1))


# (sum |x|^p)^(1/p) of absolute values, along one axis.
power_norm: Primitive = smooth("power_norm", power_norm_value, power_norm_vjp, check=TRUST)
defindexset(power_norm, reduction)
defbatch(power_norm, along_axes(power_norm))
deftaylor(
    power_norm,
    from_composition(
        lambda x, order, axis, keepdims: np.sum(x**order, axis=axis, keepdims=keepdims) ** inverse(order, x)
    ),
)
