"""Differences, finite-difference gradients, the trapezoidal rule, and cumulative sums that begin with nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements, refuse_out


def part(x: Value, axis: int, index: slice | int) -> Value:
    """A slice along an axis, counted from the front."""
    return x[(slice(None),) * axis + (index,)]


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Value:
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    a = as_array(a)
    shape = shape_of(a)
    if not shape:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, len(shape))
    edge = (*shape[:axis], 1, *shape[axis + 1 :])
    ends = [x if x is None else as_array(x) for x in (prepend, append)]
    before, after = (np.broadcast_to(x, edge) if x is not None and shape_of(x) == () else x for x in ends)
    pieces = [x for x in (before, a, after) if x is not None]
    if len(pieces) > 1:
        a = np.concatenate(pieces, axis=axis)
    for _ in range(n):
        following, preceding = part(a, axis, slice(1, None)), part(a, axis, slice(None, -1))
        a = np.not_equal(following, preceding) if dtype_of(a).kind == "b" else following - preceding
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Value:
    ary = np.ravel(as_array(ary))
    pieces = [ary[1:] - ary[:-1]]
    for value, name, place in ((to_end, "to_end", 1), (to_begin, "to_begin", 0)):
        if value is not None:
            value = np.ravel(as_array(value))
            if not np.can_cast(dtype_of(value), dtype_of(ary), "same_kind"):
                raise TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
            pieces.insert(place, value if dtype_of(value) == dtype_of(ary) else value.astype(dtype_of(ary)))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def spacings(f: Value, axes: Sequence[int], given: tuple[Any, ...]) -> list[Value]:
    """For each axis the distance of neighbours: one number, or one for each pair of them."""
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and shape_of(as_array(given[0])) == ():
        return [as_array(given[0])] * len(axes)
    if len(given) != len(axes):
        raise TypeError("invalid number of arguments")
    found = []
    for x, axis in zip(map(as_array, given), axes, strict=True):
        shape = shape_of(x)
        if len(shape) > 1:
            raise ValueError("distances must be either scalars or 1d")
        if shape and shape[0] != shape_of(f)[axis]:
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        found.append(np.diff(x.astype(float) if dtype_of(x).kind in "iu" else x) if shape else x)
    return found


def slope(f: Value, axis: int, h: Value, edge_order: int) -> Value:
    """Second-order differences inside, those of `edge_order` at the two ends; the formulas of `numpy.gradient`."""
    n = shape_of(f)[axis]
    low, mid, high = (part(f, axis, slice(i, n - 2 + i)) for i in range(3))
    first, second, third = (part(f, axis, slice(i, i + 1)) for i in range(3))
    last, previous, before = (part(f, axis, slice(n - 1 - i, n - i)) for i in range(3))
    uniform = shape_of(h) == ()
    if uniform:
        inside = (high - low) / (2.0 * h)
    else:
        h = np.reshape(h, [-1 if i == axis else 1 for i in range(len(shape_of(f)))])
        x, y = part(h, axis, slice(None, -1)), part(h, axis, slice(1, None))
        inside = -y / (x * (x + y)) * low + (y - x) / (x * y) * mid + x / (y * (x + y)) * high
    ends = [h, h, h, h] if uniform else [part(h, axis, slice(i, i + 1 or None)) for i in (0, 1, -1, -2)]
    if edge_order == 1:
        left, right = (second - first) / ends[0], (last - previous) / ends[2]
    elif uniform:
        left = -1.5 / h * first + 2.0 / h * second + -0.5 / h * third
        right = 0.5 / h * before + -2.0 / h * previous + 1.5 / h * last
    else:
        left = one_sided(first, second, third, ends[0], ends[1])
        right = -one_sided(last, previous, before, ends[2], ends[3])
    return np.concatenate([left, inside, right], axis=axis)


def one_sided(f: Value, g: Value, h: Value, x: Value, y: Value) -> Value:
    """The slope at the first of three points with the distances x and y."""
    return -(2.0 * x + y) / (x * (x + y)) * f + (x + y) / (x * y) * g - x / (y * (x + y)) * h


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Value:
    f = as_array(f)
    ndim = len(shape_of(f))
    axes = tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)
    distances = spacings(f, axes, varargs)
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if dtype_of(f).kind in "iub":
        f = f.astype(float)
    results = []
    for i, h in zip(axes, distances, strict=True):
        if shape_of(f)[i] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
                "required."
            )
        found = slope(f, i, h, edge_order)
        results.append(found if dtype_of(found) == dtype_of(f) else found.astype(dtype_of(f)))
    return results[0] if len(results) == 1 else tuple(results)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Value:
    y = as_array(y)
    ndim = len(shape_of(y))
    place = normalize_axis_index(axis, ndim)
    width = as_array(dx)
    if x is not None:
        x = as_array(x)
        if len(shape_of(x)) == 1:
            width = np.reshape(diff(x), [-1 if i == place else 1 for i in range(ndim)])
        else:
            width = diff(x, axis=axis)
    pairs = part(y, place, slice(1, None)) + part(y, place, slice(None, -1))
    return np.sum(width * pairs / 2.0, axis=axis)


def cumulative(name: str, function: Callable[..., Value], first: int) -> Callable[..., Value]:
    def face(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Value:
        refuse_out(out, name)
        x = np.atleast_1d(as_array(x))
        if axis is None:
            if len(shape_of(x)) >= 2:
                raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
            axis = 0
        result = function(x, axis=axis, dtype=dtype)
        if not include_initial:
            return result
        shape = list(shape_of(x))
        shape[axis] = 1
        return np.concatenate([np.full(shape, first, dtype_of(result)), result], axis=axis)

    return face


if hasattr(np, "cumulative_sum"):  # NumPy 2.1
    implements(np.cumulative_sum)(cumulative("cumulative_sum", np.cumsum, 0))
    implements(np.cumulative_prod)(cumulative("cumulative_prod", np.cumprod, 1))
