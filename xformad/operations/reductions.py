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
from xformad.interpreters.batch_rules import Batched, along_axes, defbatch, shifted
from xformad.interpreters.cotangents import Masked
from xformad.interpreters.index_sets import accumulation, defindexset, reduction
from xformad.interpreters.jvp_rules import defjvp
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


max_: Primitive = smooth(
    "max", lambda x, axis, keepdims: np.maximum.reduce(x, axis=axis, keepdims=keepdims), extremum_vjp
)
defjvp(max_, extremum_jvp)
defindexset(max_, reduction)
defbatch(max_, along_axes(max_))

min_: Primitive = smooth(
    "min", lambda x, axis, keepdims: np.minimum.reduce(x, axis=axis, keepdims=keepdims), extremum_vjp
)
defjvp(min_, extremum_jvp)
defindexset(min_, reduction)
defbatch(min_, along_axes(min_))


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


prod_: Primitive = smooth(
    "prod", lambda x, axis, keepdims: np.multiply.reduce(x, axis=axis, keepdims=keepdims), prod_vjp
)
defindexset(prod_, reduction)
defbatch(prod_, along_axes(prod_))


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


cumprod: Primitive = smooth("cumprod", lambda x, axis: np.multiply.accumulate(x, axis=axis), cumprod_vjp)
defindexset(cumprod, accumulation)
defbatch(cumprod, along_axes(cumprod))
