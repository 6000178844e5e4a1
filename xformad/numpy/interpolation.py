"""Faces of `interp`, linear interpolation between points, and `unwrap`."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements
from xformad.numpy.indexing import take_with_traced_indices as take

DOUBLE = np.dtype(np.float64)


def converted(x: Value, dtype: np.dtype[Any]) -> Value:
    if dtype_of(x) == dtype:
        return x
    return np.asarray(x, dtype)[()] if isinstance(x, int | float | complex) else x.astype(dtype)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Value:
    """At a point of `xp` the slope is that to the right: of the piece that NumPy takes."""
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    check(x, xp, fp, period)
    x, xp = converted(x, DOUBLE), converted(xp, DOUBLE)
    fp = converted(fp, np.dtype(np.complex128) if dtype_of(fp).kind == "c" else DOUBLE)
    if period is not None:
        period = np.absolute(period)
        left = right = None
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    y = np.where(x < xp[-1], between(x, xp, fp), fp[-1])
    if right is not None:
        y = np.where(x > xp[-1], right, y)
    y = np.where(x < xp[0], fp[0] if left is None else left, y)
    return np.where(np.isnan(x), x, y) if shape_of(xp) != (1,) and anywhere(np.isnan(x)) else y


def check(x: Value, xp: Value, fp: Value, period: Any) -> None:
    """NumPy's own errors, by points of the same shapes and dtypes that increase."""
    points = np.arange(np.size(xp), dtype=dtype_of(xp)).reshape(shape_of(xp))
    values = np.zeros(shape_of(fp), dtype_of(fp))
    sign = None if period is None else 0 if not anywhere(period != 0) else 1
    np.interp(np.zeros((1,) * len(shape_of(x)), dtype_of(x)), points, values, period=sign)


def between(x: Value, xp: Value, fp: Value) -> Value:
    """On the line through the points before and after."""
    last = shape_of(xp)[0] - 1
    if last == 0:
        return fp[0]
    after = np.clip(np.searchsorted(xp, x, side="right"), 1, last)
    low, high = take(xp, after - 1), take(xp, after)
    value, next_value = take(fp, after - 1), take(fp, after)
    with np.errstate(invalid="ignore", divide="ignore"):  # infinite values, and equal points at the end
        slope = (next_value - value) / (high - low)
        y = slope * (x - low) + value
        if anywhere(np.isnan(y)):  # as NumPy does: from the other point, or constant
            y = np.where(np.isnan(y), slope * (x - high) + next_value, y)
            y = np.where(np.logical_and(np.isnan(y), next_value == value), value, y)
            y = np.where(x == low, value, y)
    return y


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Value:
    """The multiples of the period that are added are constants, so the derivative is that of p."""
    p = as_array(p)
    steps = np.diff(p, axis=axis)
    if discont is None:
        discont = period / 2
    low = -period / 2
    reduced = np.mod(steps - low, period) + low
    reduced = np.where(np.logical_and(reduced == low, steps > 0), period / 2, reduced)
    correction = np.where(np.absolute(steps) < discont, 0.0, reduced - steps)
    before = (slice(None),) * (axis % p.ndim)
    rest = p[(*before, slice(1, None))] + np.cumsum(correction, axis=axis)
    return np.concatenate([p[(*before, slice(1))], rest], axis=axis)
