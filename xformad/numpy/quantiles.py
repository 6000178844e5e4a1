"""Medians, quantiles and percentiles: entries picked by their place in the order, and means of two neighbours.

The place is that of the nine kinds of Hyndman and Fan, Sample quantiles in statistical packages, The American
Statistician 50 (1996) 361. The derivative goes to the entries picked; with respect to the probability it is the slope
between them. Where several entries equal the quantile, one of them is the picked one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from xformad.core.interpreter import anywhere, concrete, dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_depth
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements, never, normalized_axis, refuse_out
from xformad.numpy.indexing import take, take_along_axis
from xformad.operations import sorting

Place = Callable[[Value, Value], tuple[Value, Value]]
"""Of the number of entries and a probability: the place in the order, and how far it is from the entry before it to the
one after it; None where the place is an entry's."""


def between(alpha: float, beta: float) -> Place:
    """Linear interpolation at a place that the two plotting positions shift."""

    def place(n: Value, q: Value) -> tuple[Value, Value]:
        at = n * q + (alpha + q * (1 - alpha - beta)) - 1
        return at, at - np.floor(at)

    return place


def linear(n: Value, q: Value) -> tuple[Value, Value]:
    at = (n - 1) * q
    return at, at - np.floor(at)


def stepped(shift: float, stays: Callable[[Value, Value], Value]) -> Place:
    """The entry before the place or the one after it."""

    def place(n: Value, q: Value) -> tuple[Value, Value]:
        at = n * q - 1 - shift
        before = np.floor(at)
        return np.where(stays(at - before, before), before, before + 1), None

    return place


def averaged(n: Value, q: Value) -> tuple[Value, Value]:
    at = n * q - 1
    return at, np.where(at == np.floor(at), 0.5, 1.0)


def midpoint(n: Value, q: Value) -> tuple[Value, Value]:
    at = 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q))
    return at, np.where(at == np.floor(at), 0.0, 0.5)


METHODS: Final[dict[str, Place]] = {
    "inverted_cdf": stepped(0, lambda part, _: part == 0),
    "averaged_inverted_cdf": averaged,
    "closest_observation": stepped(0.5, lambda part, before: np.logical_and(part == 0, before % 2 == 1)),
    "interpolated_inverted_cdf": between(0, 1),
    "hazen": between(0.5, 0.5),
    "weibull": between(0, 0),
    "linear": linear,
    "median_unbiased": between(1 / 3, 1 / 3),
    "normal_unbiased": between(3 / 8, 3 / 8),
    "lower": lambda n, q: (np.floor((n - 1) * q), None),
    "higher": lambda n, q: (np.ceil((n - 1) * q), None),
    "midpoint": midpoint,
    "nearest": lambda n, q: (np.rint((n - 1) * q), None),
}


def gathered(a: Value, axis: Any) -> tuple[Value, Shape]:
    """The array with the reduced axes as one, the last; and the shape of the result with these axes kept."""
    shape = shape_of(a)
    axes = normalized_axis(axis, len(shape))
    rest = [i for i in range(len(shape)) if i not in axes]
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    if axes != (len(shape) - 1,):
        length = int(np.prod([shape[i] for i in axes]))
        moved = a if [*rest, *axes] == list(range(len(shape))) else np.transpose(a, (*rest, *axes))
        a = np.reshape(moved, (*[shape[i] for i in rest], length))
    return a, kept


def ordered(a: Value, positions: Value) -> Value:
    """The entries at these places in the order of the last axis: places for all rows, or for each its own."""
    shape = shape_of(a)
    if type(positions) is Tracer:
        order = sorting.argsort(a, axis=len(shape) - 1)
    else:
        order = sorting.argpartition(a, kth=tuple(np.unique(positions).tolist()), axis=len(shape) - 1)
    if len(shape_of(positions)) == 1 and len(shape) > 1:
        return take_along_axis(a, take(order, positions, axis=-1), -1)
    return take_along_axis(a, take_along_axis(order, positions, -1), -1)


def present(a: Value) -> Value:
    """How many entries of each row are numbers, with the last axis kept; and a warning where none is."""
    count = np.sum(np.logical_not(np.isnan(a)), axis=-1, keepdims=True)
    if anywhere(count == 0):
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=user_depth())
    return count


def arranged(picked: Value, kept: Shape, axis: Any, keepdims: bool, of: Shape) -> Value:
    """A result with the probabilities along its last axis in NumPy's shape, which has them first."""
    axes = normalized_axis(axis, len(kept))
    shape = kept if keepdims else tuple([n for i, n in enumerate(kept) if i not in axes])
    if of and len(shape_of(picked)) > 1:
        picked = np.moveaxis(picked, -1, 0)
    return picked if shape_of(picked) == of + shape else np.reshape(picked, of + shape)


def found(a: Value, q: Value, axis: Any, method: str, keepdims: Any, weights: Any, skip: bool) -> Value:
    """The quantiles; with `skip` those of the entries that are not NaN."""
    if method not in METHODS:
        raise ValueError(f"{method!r} is not a valid method. Use one of: {METHODS.keys()}")
    if len(shape_of(q)) > 2:
        raise ValueError("q must be a scalar or 1d")
    if len(shape_of(q)) == 2 and keepdims:
        raise UnsupportedError(
            "numpy.quantile with keepdims=True is supported for q of one dimension; reshape the result"
        )
    probabilities = np.ravel(q)
    sizes = None if weights is None else gathered(weighed(weights, a, axis, method), axis)[0]
    a, kept = gathered(a, axis)
    skip = skip and dtype_of(a).kind == "f"
    count = present(a) if skip else np.full(1, shape_of(a)[-1])
    if sizes is not None:
        picked = ordered_by_weight(a, sizes, probabilities, count)
    else:
        weak = type(concrete(q)) in (int, float)
        picked = interpolated(a, METHODS[method], count, probabilities, dtype_of(a) if weak else dtype_of(q))
    return arranged(defined(a, picked, count, skip), kept, axis, bool(keepdims), shape_of(q))


def defined(a: Value, picked: Value, count: Value, skip: bool) -> Value:
    """What was picked, and NaN for the rows that have NaN, or, with `skip`, nothing else."""
    if dtype_of(a).kind not in "fc":
        return picked
    undefined = count == 0 if skip else np.any(np.isnan(a), axis=-1, keepdims=True)
    return picked if never(undefined) else np.where(undefined, np.nan, picked)


def interpolated(a: Value, method: Place, count: Value, q: Value, dtype: np.dtype[Any]) -> Value:
    """The entries before the place and after it, and what is between them."""
    at, part = method(count.astype(dtype_of(q)) if dtype_of(q).kind == "f" else count, q)
    last = np.maximum(count - 1, 0)
    before = np.floor(at)
    first = np.minimum(np.maximum(before, 0), last).astype(np.intp)
    if part is None:
        return ordered(a, first)
    outside = np.logical_or(at < 0, at >= last)
    second = np.minimum(np.where(outside, first, first + 1), last)
    pair = ordered(a, np.concatenate([first, second], axis=-1))
    width = shape_of(first)[-1]
    x, y = pair[..., :width], pair[..., width:]
    if dtype.kind == "f":
        part = part.astype(dtype)
    step, high = y - x, part >= 0.5
    return x + step * part if never(high) else np.where(high, y - step * (1 - part), x + step * part)


def weighed(weights: Any, a: Value, axis: Any, method: str) -> Value:
    """Weights in the shape of the array. They say which entry is picked, so the derivative with respect to them is zero."""
    if method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    weights = in_shape_of(as_array(weights), a, axis)
    if anywhere(weights < 0):
        raise ValueError("Weights must be non-negative.")
    return np.broadcast_to(weights, shape_of(a))


def in_shape_of(weights: Value, a: Value, axis: Any) -> Value:
    """Weights along some axes, in the shape that broadcasts against the array."""
    shape, of_weights = shape_of(a), shape_of(weights)
    if shape == of_weights:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = normalized_axis(axis, len(shape))
    if of_weights != tuple([shape[i] for i in axes]):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    turned = np.transpose(weights, np.argsort(axes).tolist())
    return np.reshape(turned, [n if i in axes else 1 for i, n in enumerate(shape)])


def ordered_by_weight(a: Value, weights: Value, q: Value, count: Value) -> Value:
    """The entry up to which the weights in order add up to the share q of all, or more."""
    order = sorting.argsort(a, axis=len(shape_of(a)) - 1)
    sizes = take_along_axis(weights, order, -1)
    sizes = np.where(np.arange(shape_of(a)[-1]) < count, sizes, 0)
    share = np.cumsum(sizes, axis=-1, dtype=np.float64)
    share = share / share[..., -1:]
    if dtype_of(q).kind == "f":
        share = share.astype(dtype_of(q))
    if anywhere(np.isnan(share)):
        raise ValueError("Weights included NaN, inf or were all zero.")
    share = np.where(share == 0, -1, share)  # an entry without weight is not picked, even for q = 0
    less = [np.sum(share < q[i], axis=-1) for i in range(shape_of(q)[0])]
    places = np.minimum(np.stack(less, axis=-1), np.maximum(count - 1, 0))
    return take_along_axis(a, take_along_axis(order, places, -1), -1)


def face(name: str, top: int, skip: bool) -> Callable[..., Value]:
    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Value:
        refuse_out(out, name)
        a = as_array(a)
        if dtype_of(a).kind == "c":
            raise TypeError("a must be an array of real numbers")
        if skip and 0 in shape_of(a):
            return np.nanmean(a, axis, keepdims=keepdims)
        share = as_array(q) if top == 1 else as_array(q) / top
        if anywhere(np.logical_not(np.logical_and(share >= 0, share <= 1))):
            raise ValueError(f"{'Quantiles' if top == 1 else 'Percentiles'} must be in the range [0, {top}]")
        return found(a, share, axis, method, keepdims, weights, skip)

    return quantile


quantile = implements(np.quantile)(face("quantile", 1, False))
percentile = implements(np.percentile)(face("percentile", 100, False))
nanquantile = implements(np.nanquantile)(face("nanquantile", 1, True))
nanpercentile = implements(np.nanpercentile)(face("nanpercentile", 100, True))


def middle(name: str, skip: bool) -> Callable[..., Value]:
    """The mean of the two entries in the middle, which may be the same one."""

    def median(
        a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
    ) -> Value:
        refuse_out(out, name)
        a = as_array(a)
        if 0 in shape_of(a):
            return (np.nanmean if skip else np.mean)(a, axis=axis, keepdims=bool(keepdims))
        a, kept = gathered(a, axis)
        nan = skip and dtype_of(a).kind == "f"
        count = present(a) if nan else np.full(1, shape_of(a)[-1])
        low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, shape_of(a)[-1] - 1)
        if type(count) is Tracer or np.any(low != high):
            low = np.concatenate([low, high], axis=-1)
        picked = np.mean(ordered(a, low), axis=-1, keepdims=True)
        return arranged(defined(a, picked, count, nan), kept, axis, bool(keepdims), ())

    return median


median = implements(np.median)(middle("median", False))
nanmedian = implements(np.nanmedian)(middle("nanmedian", True))
