"""Sorting and searching. Sorted values are those at the positions that `argsort` gives: ties keep their order."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements, normalized_axis
from xformad.numpy.indexing import along, take_along_axis
from xformad.operations import sorting


def flat_or_along(a: Value, axis: int | None) -> tuple[Value, int]:
    """The array to sort and the axis, counted from the front: with `axis=None` the flat array."""
    a = as_array(a)
    if axis is None:
        return np.ravel(a), 0
    return a, normalized_axis(axis, a.ndim)[0]


def refuse_fields(order: Any, name: str) -> None:
    if order is not None:
        raise UnsupportedError(f"numpy.{name} with order= is for structured arrays, which have no derivatives")


@implements(np.sort)
def sort(
    a: Value,
    axis: int | None = -1,
    kind: str | None = None,
    order: Any = None,
    *,
    stable: bool | None = None,
) -> Value:
    refuse_fields(order, "sort")
    a, axis = flat_or_along(a, axis)
    return take_along_axis(a, sorting.argsort(a, axis=axis), axis)


@implements(np.argsort, method="argsort")
def argsort(
    a: Value,
    axis: int | None = -1,
    kind: str | None = None,
    order: Any = None,
    *,
    stable: bool | None = None,
) -> Value:
    refuse_fields(order, "argsort")
    a, axis = flat_or_along(a, axis)
    return sorting.argsort(a, axis=axis)


def places(kth: Any) -> int | tuple[int, ...]:
    """The places of a partition as plain numbers."""
    return tuple([operator.index(k) for k in kth]) if np.ndim(kth) else operator.index(kth)


@implements(np.partition)
def partition(a: Value, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Value:
    refuse_fields(order, "partition")
    a, axis = flat_or_along(a, axis)
    return take_along_axis(a, sorting.argpartition(a, kth=places(kth), axis=axis), axis)


@implements(np.argpartition, method="argpartition")
def argpartition(a: Value, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Value:
    refuse_fields(order, "argpartition")
    a, axis = flat_or_along(a, axis)
    return sorting.argpartition(a, kth=places(kth), axis=axis)


@implements(np.sort_complex)
def sort_complex(a: Value) -> Value:
    result = sort(a)
    return result if result.dtype.kind == "c" else result.astype(np.result_type(result.dtype, np.complex64))


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Value:
    return sorting.lexsort(*[as_array(keys[i]) for i in range(len(keys))], axis=axis)


@implements(np.searchsorted)
def searchsorted(a: Value, v: Value, side: str = "left", sorter: Value = None) -> Value:
    rest = () if sorter is None else (as_array(sorter),)
    return sorting.searchsorted(as_array(a), as_array(v), *rest, side=side)


@implements(method="searchsorted")
def searchsorted_method(x: Value, v: Value, side: str = "left", sorter: Value = None) -> Value:
    return searchsorted(x, v, side, sorter)


@implements(np.digitize)
def digitize(x: Value, bins: Value, right: bool = False) -> Value:
    return sorting.digitize(as_array(x), as_array(bins), right=right)


@implements(np.unique)
def unique(
    ar: Value,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Value:
    ar = as_array(ar)
    first, inverse, counts = sorting.unique(ar, axis=axis, equal_nan=equal_nan)
    values = np.ravel(ar)[first] if axis is None else along(ar, first, normalized_axis(axis, ar.ndim)[0])
    wanted = [(return_index, first), (return_inverse, inverse), (return_counts, counts)]
    results = [result for asked, result in wanted if asked]
    return (values, *results) if results else values


@implements(np.unique_values)
def unique_values(x: Value, /) -> Value:
    return unique(x, equal_nan=False)
