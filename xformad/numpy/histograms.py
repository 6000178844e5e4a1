"""Histograms and `bincount`: sums of weights, with their derivatives; counts have none.

A bin's edges follow the smallest and the largest entry, where NumPy takes the range from them, and have derivatives as
these do. Which bin an entry falls into has none.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from xformad.core.index import ARRAY
from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.interpreters.cotangents import scatter_add
from xformad.numpy.implements import as_array, implements
from xformad.operations import counting
from xformad.operations.discrete import stop_gradient


def sums(positions: Value, weights: Value, length: int, dtype: Any) -> Value:
    """The sums of the weights at each position: counts, where there are none."""
    if weights is None:
        return counting.counts(positions, length=length)
    wide = np.result_type(dtype, np.float64)  # as numpy.bincount adds
    weights = weights if dtype_of(weights) == wide else weights.astype(wide)
    total = scatter_add(weights, positions, indices=((ARRAY, 1),), shape=(length,), dtype=wide)
    return total if wide == dtype else total.astype(dtype)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Value:
    x = as_array(x)
    if type(x) is not Tracer:
        length = len(np.bincount(x, minlength=minlength))  # NumPy says what is wrong with them
    elif len(shape_of(x)) != 1 or dtype_of(x).kind not in "iub" or anywhere(x < 0):
        raise ValueError("numpy.bincount takes a one-dimensional array of whole numbers that are not negative")
    else:
        length = max(operator.index(minlength), operator.index(np.max(x)) + 1 if shape_of(x)[0] else 0)
    if weights is None:
        return counting.counts(x, length=length)
    weights = as_array(weights)
    if shape_of(weights) != shape_of(x):
        raise ValueError("The weights and list don't have the same length.")
    if dtype_of(weights).kind == "c":
        raise TypeError("Cannot cast array data from complex weights to float64; count real and imaginary parts")
    safe_weights(weights)
    return sums(x, weights, length, np.dtype(float))


def safe_weights(weights: Value) -> None:
    """NumPy's error where it does not take weights of their dtype, as longdouble."""
    np.bincount(np.zeros(1, int), np.zeros(1, dtype_of(weights)))


def edges_of(a: Value, bins: Any, range: Any) -> Value:
    """The edges of the bins: those given, or bins of equal width from the smallest entry to the largest."""
    if not isinstance(bins, str) and shape_of(as_array(bins)):
        edges = as_array(bins)
        if len(shape_of(edges)) != 1:
            raise ValueError("`bins` must be 1d, when an array")
        if anywhere(edges[:-1] > edges[1:]):
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges
    bounds = () if range is None else tuple([as_array(bound) for bound in range])
    edges = counting.bin_edges(a, *bounds, bins=bins if isinstance(bins, str | float) else operator.index(bins))
    if range is None and 0 not in shape_of(a):
        bounds = (np.min(a), np.max(a))
    ends = [bound for bound in bounds if type(bound) is Tracer and dtype_of(bound).kind == "f"]
    if not ends:
        return edges
    share = np.linspace(0, 1, shape_of(edges)[0], dtype=dtype_of(edges))
    first, last = [bound - stop_gradient(bound) for bound in bounds]  # zeros that carry the derivative
    return edges + (first * (1 - share) + last * share)


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Value:
    a, _ = flat(a, weights)
    edges = edges_of(a, bins, range)
    refuse_weighted(bins, weights)
    return edges


def flat(a: Any, weights: Any) -> tuple[Value, Value]:
    a = as_array(a)
    if weights is not None:
        weights = as_array(weights)
        if shape_of(weights) != shape_of(a):
            raise ValueError("weights should have the same shape as a.")
        weights = np.ravel(weights)
    return np.ravel(a), weights


def refuse_weighted(bins: Any, weights: Any) -> None:
    if isinstance(bins, str) and weights is not None:
        raise TypeError("Automated estimation of the number of bins is not supported for weighted data")


def bin_of(a: Value, edges: Value) -> Value:
    """The number of the bin that each entry falls into, as many as there are bins for entries outside of all.

    Bins have their lower edge; the last one has its upper edge as well.
    """
    a, edges = stop_gradient(a), stop_gradient(edges)
    count = shape_of(edges)[0] - 1
    place: Value = np.searchsorted(edges, a, side="right") - 1
    place = np.where(a == edges[-1], count - 1, place)
    return np.where(place < 0, count, place)


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    a, weights = flat(a, weights)
    edges = edges_of(a, bins, range)
    refuse_weighted(bins, weights)
    count = shape_of(edges)[0] - 1
    total = sums(bin_of(a, edges), weights, count + 1, None if weights is None else dtype_of(weights))[:-1]
    if density:
        return total / (edges[1:] - edges[:-1]).astype(float) / np.sum(total), edges
    return total, edges


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    columns = columns_of(sample)
    if not isinstance(bins, Sequence | Tracer) and np.ndim(bins) == 0:
        bins = [bins] * len(columns)
    if len(bins) != len(columns):
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    if range is not None and len(range) != len(columns):
        raise ValueError("range argument must have one entry per dimension")
    ranges = [None] * len(columns) if range is None else range
    edges = [
        edges_of(x if bounds is None else np.zeros(1), each, bounds)  # a range has its own dtype
        for x, each, bounds in zip(columns, bins, ranges, strict=True)
    ]
    shape = tuple([shape_of(each)[0] - 1 for each in edges])
    places = [bin_of(x, each) for x, each in zip(columns, edges, strict=True)]
    cells = int(np.prod(shape))
    cell: Value = np.zeros((), int)
    inside: Value = np.ones((), bool)
    for place, count in zip(places, shape, strict=True):
        cell = cell * count + place
        inside = np.logical_and(inside, place < count)
    if weights is not None:
        weights = as_array(weights)
        safe_weights(weights)
    found = sums(np.where(inside, cell, cells), weights, cells + 1, np.dtype(float))[:-1]
    total = np.reshape(found.astype(float) if weights is None else found, shape)
    if density:
        whole = np.sum(total)
        for i, each in enumerate(edges):
            total = total / np.reshape(each[1:] - each[:-1], [-1 if j == i else 1 for j, _ in enumerate(shape)])
        total = total / whole
    return total, edges


def columns_of(sample: Any) -> list[Value]:
    """The coordinates of the points: columns of an (n, d) array, or d arrays."""
    if isinstance(sample, Tracer | np.ndarray):
        points = sample if len(shape_of(sample)) == 2 else np.reshape(sample, (-1, 1))
        return [points[:, i] for i in np.arange(shape_of(points)[1]).tolist()]
    columns = [as_array(column) for column in sample]
    return columns if shape_of(columns[0]) else [as_array(columns)]


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Value, Value, Value]:
    x, y = as_array(x), as_array(y)
    if shape_of(x) != shape_of(y):
        raise ValueError("x and y must have the same length.")
    if isinstance(bins, Sequence | Tracer | np.ndarray) and len(bins) not in (1, 2):
        bins = [as_array(bins)] * 2
    total, edges = histogramdd([x, y], bins, range, density, weights)
    return total, edges[0], edges[1]
