"""Reductions along axes: sums, products, extrema; and cumulative sums and products.

`axis` is always a tuple of non-negative axes here; the faces in `xformad.numpy` take NumPy's forms.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Shape, Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import Batched, along_axes, defbatch, shifted
from xformad.interpreters.cotangents import Masked
from xformad.interpreters.index_sets import accumulation, defindexset, reduction
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, TaylorRule, deftaylor, from_composition
from xformad.operations.makers import moves, smooth

Axes = tuple[int, ...]
SCALARS: Final = (float, np.generic, complex, int)


def kept(shape: Shape, axis: Axes) -> Shape:
    """The shape of a reduction that keeps the reduced axes, with length 1."""
    return tuple([1 if i in axis else n for i, n in enumerate(shape)])


def spread_value(x: Value, shape: Shape, axis: Axes, keepdims: bool) -> Value:
    if len(axis) == len(shape) and isinstance(x, SCALARS):
        out = np.empty(shape, getattr(x, "dtype", type(x)))
        out.fill(x)
        return out
    if not keepdims:
        x = np.reshape(x, kept(shape, axis))
    if type(x) is np.ndarray:
        out = np.empty(shape, x.dtype)
        out[...] = x
        return out
    return np.broadcast_to(x, shape)


def sum_value(x: Value, axis: Axes, keepdims: bool) -> Value:
    return np.add.reduce(x, axis, keepdims=True) if keepdims else np.add.reduce(x, axis)


# Repeats a reduction's result along the reduced axes: the transpose of `sum`.
spread: Primitive = moves(
    "spread", spread_value, lambda g, _ans, _x, axis, keepdims, **_: sum_(g, axis=axis, keepdims=keepdims)
)


def spread_batch(size: int, _batched: Batched, x: Value, shape: Shape, axis: Axes, keepdims: bool) -> Value:
    return spread(x, shape=(size, *shape), axis=shifted(axis), keepdims=keepdims)


defbatch(spread, spread_batch)

sum_: Primitive = moves(
    "sum", sum_value, lambda g, _ans, _x, axis, keepdims: spread(g, shape=_x.shape, axis=axis, keepdims=keepdims)
)
defindexset(sum_, reduction)
defbatch(sum_, along_axes(sum_))


def like(value: Value, x: Value, axis: Axes, keepdims: bool) -> Value:
    """A reduction's result or cotangent in the shape that broadcasts against x."""
    return value if keepdims else np.reshape(value, kept(shape_of(x), axis))


def extremum_vjp(g: Value, ans: Value, x: Value, axis: Axes, keepdims: bool) -> Masked:
    """Entries that attain the extremum share equally; to all others goes a structural zero."""
    taken = x == like(ans, x, axis, keepdims)
    g = like(g, x, axis, keepdims)
    if type(taken) is Tracer or np.count_nonzero(taken) != math.prod(shape_of(g)):  # ties
        g = g / np.add.reduce(taken, axis=axis, keepdims=True).astype(dtype_of(ans))
    return Masked(np.where(taken, g, 0), taken)


def extremum_jvp(t: Value, ans: Value, x: Value, axis: Axes, keepdims: bool) -> Value:
    """The mean of the tangents of the entries that attain the extremum."""
    taken = x == like(ans, x, axis, keepdims)
    count = np.sum(taken, axis=axis, keepdims=keepdims)
    return np.sum(np.where(taken, t, 0), axis=axis, keepdims=keepdims) / count.astype(dtype_of(ans))


def extremum_series(side: int) -> TaylorRule:
    """The series of an entry that attains the extremum for small t: among equal ones, the coefficients decide in order."""

    def rule(taylor: Kinks, ans: Value, x: Series, axis: Axes, keepdims: bool) -> Series:
        taken = x[0] == like(ans, x[0], axis, keepdims)
        count = np.sum(taken, axis=axis, keepdims=True)
        differs = False
        for n, c in enumerate(x[1:], 1):
            if not anywhere(count > 1):
                break
            if c is not None:
                turn = side if taylor.side > 0 or n % 2 == 0 else -side
                best = np.max(np.where(taken, turn * c, -np.inf), axis=axis, keepdims=True)
                still = np.logical_and(taken, turn * c == best)
                differs = differs or anywhere(still != taken)
                taken, count = still, np.sum(still, axis=axis, keepdims=True)
        if differs:
            taylor.kink("an extremum of equal entries that move apart")
        share = taken / count.astype(dtype_of(ans))
        found = series.each(lambda c: np.sum(share * np.where(taken, c, 0), axis=axis, keepdims=keepdims), x)
        return found if differs else [ans, *found[1:]]

    return rule


max_: Primitive = smooth(
    "max", lambda x, axis, keepdims: np.maximum.reduce(x, axis=axis, keepdims=keepdims), extremum_vjp
)
defjvp(max_, extremum_jvp)
defindexset(max_, reduction)
defbatch(max_, along_axes(max_))
deftaylor(max_, extremum_series(1))


min_: Primitive = smooth(
    "min", lambda x, axis, keepdims: np.minimum.reduce(x, axis=axis, keepdims=keepdims), extremum_vjp
)
defjvp(min_, extremum_jvp)
defindexset(min_, reduction)
defbatch(min_, along_axes(min_))
deftaylor(min_, extremum_series(-1))


def others(x: Value, axis: int) -> Value:
    """The product of all entries along an axis but the one in the same place, without dividing: zeros are no matter."""
    one = np.ones_like(np.take(x, [0], axis=axis))
    n = shape_of(x)[axis]
    before = np.cumprod(np.concatenate([one, np.take(x, range(n - 1), axis=axis)], axis=axis), axis=axis)
    after = np.concatenate([np.take(x, range(n - 1, 0, -1), axis=axis), one][::-1], axis=axis)
    return before * np.flip(np.cumprod(after, axis=axis), axis=axis)


def prod_vjp(g: Value, ans: Value, x: Value, axis: Axes, keepdims: bool) -> Value:
    shape = shape_of(x)
    if 0 in shape:
        return np.zeros(shape, x.dtype)
    g = like(g, x, axis, keepdims)
    if not anywhere(x == 0):
        return g * like(ans, x, axis, keepdims) / x
    rest = tuple(i for i in range(len(shape)) if i not in axis)
    order = (*rest, *axis)
    flat = np.reshape(np.transpose(x, order), (*(shape[i] for i in rest), -1))
    moved = np.reshape(others(flat, len(rest)), [shape[i] for i in order])
    return g * np.transpose(moved, np.argsort(order).tolist())


def product_by_halves(x: Value, axis: Axes, keepdims: bool) -> Value:
    """The product along axes, of the first half of the entries times the second, and so on."""
    shape = shape_of(x)
    rest = tuple(i for i in range(len(shape)) if i not in axis)
    flat = np.reshape(np.transpose(x, (*rest, *axis)), (*(shape[i] for i in rest), -1))
    while (n := shape_of(flat)[-1]) > 1:
        half = flat[..., : n // 2] * flat[..., n // 2 : n // 2 * 2]
        flat = np.concatenate([half, flat[..., -1:]], axis=-1) if n % 2 else half
    return np.reshape(flat[..., 0], kept(shape, axis) if keepdims else [shape[i] for i in rest])


def prod_series(taylor: Kinks, ans: Value, x: Series, axis: Axes, keepdims: bool) -> Series:
    if 0 in shape_of(x[0]):
        return series.still(ans, x)
    return from_composition(product_by_halves)(taylor, ans, x, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]


prod_: Primitive = smooth(
    "prod", lambda x, axis, keepdims: np.multiply.reduce(x, axis=axis, keepdims=keepdims), prod_vjp
)
defindexset(prod_, reduction)
defbatch(prod_, along_axes(prod_))
deftaylor(prod_, prod_series)


def reverse_cumsum(g: Value, axis: int) -> Value:
    return np.flip(cumsum(np.flip(g, axis=axis), axis=axis), axis=axis)


cumsum: Primitive = smooth(
    "cumsum",
    lambda x, axis: np.add.accumulate(x, axis=axis),
    lambda g, _ans, _x, axis: reverse_cumsum(g, axis),
    linear=True,
)
defindexset(cumsum, accumulation)
defbatch(cumsum, along_axes(cumsum))


def cumprod_vjp(g: Value, ans: Value, x: Value, axis: int) -> Value:
    """Sum over the later entries of g times the product of all up to there but x: by a recurrence where x has zeros.

    With S_i = g_i + x_(i+1) S_(i+1), the cotangent is S_i times the product of the entries before i.
    """
    n = shape_of(x)[axis]
    if n == 0:
        return np.zeros(shape_of(x), x.dtype)
    if not anywhere(x == 0):
        return reverse_cumsum(g * ans, axis) / x
    x, g = np.moveaxis(x, axis, 0), np.moveaxis(g, axis, 0)
    total = g[n - 1]
    totals = [total]
    for i in range(n - 2, -1, -1):
        total = g[i] + x[i + 1] * total
        totals.append(total)
    before = np.concatenate([np.ones_like(x[:1]), cumprod(x[:-1], axis=0)])
    return np.moveaxis(before * np.stack(totals[::-1]), 0, axis)


def cumprod_by_doubling(x: Value, axis: int) -> Value:
    """The products of the last 1, 2, 4, ... entries up to each one."""
    x = np.moveaxis(x, axis, 0)
    length = 1
    while length < shape_of(x)[0]:
        x = np.concatenate([x[:length], x[length:] * x[:-length]])
        length *= 2
    return np.moveaxis(x, 0, axis)


cumprod: Primitive = smooth("cumprod", lambda x, axis: np.multiply.accumulate(x, axis=axis), cumprod_vjp)
defindexset(cumprod, accumulation)
defbatch(cumprod, along_axes(cumprod))
deftaylor(cumprod, from_composition(cumprod_by_doubling))
