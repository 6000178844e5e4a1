"""Sets: the entries of arrays that are equal, or not. What is taken from a traced array has its derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.interpreter import shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements
from xformad.numpy.indexing import take
from xformad.numpy.sorting import unique
from xformad.operations.discrete import stop_gradient

ALL, COUNTS, INVERSE = (
    type(function(np.zeros(1))) for function in (np.unique_all, np.unique_counts, np.unique_inverse)
)


@implements(np.unique_all)
def unique_all(x: Any, /) -> Any:
    return ALL(*unique(x, True, True, True, equal_nan=False))


@implements(np.unique_counts)
def unique_counts(x: Any, /) -> Any:
    return COUNTS(*unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any, /) -> Any:
    return INVERSE(*unique(x, return_inverse=True, equal_nan=False))


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: str | None = None
) -> Value:
    element, tested = stop_gradient(as_array(element)), stop_gradient(np.ravel(as_array(test_elements)))
    if not shape_of(tested)[0]:
        return np.full(shape_of(element), invert)
    tested = np.sort(tested)
    place = np.minimum(np.searchsorted(tested, element), shape_of(tested)[0] - 1)
    compare = np.not_equal if invert else np.equal
    return compare(take(tested, place), element)


def distinct(ar: Any, assume_unique: bool) -> Value:
    return np.ravel(as_array(ar)) if assume_unique else unique(ar)


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """Of equal entries, that of the first array is taken."""
    ar1, ar2 = as_array(ar1), as_array(ar2)
    if assume_unique:
        first, second = np.ravel(ar1), np.ravel(ar2)
    else:
        first, places = unique(ar1, return_index=True)
        second, others = unique(ar2, return_index=True)
    both = np.concatenate([first, second])
    order = np.argsort(both)
    both = both[order]
    equal = both[1:] == both[:-1]
    shared = both[:-1][equal]
    if not return_indices:
        return shared
    of_first, of_second = order[:-1][equal], order[1:][equal] - shape_of(first)[0]
    if not assume_unique:
        of_first, of_second = places[of_first], others[of_second]
    return shared, of_first, of_second


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Value:
    both = np.concatenate([distinct(ar1, assume_unique), distinct(ar2, assume_unique)])
    if not shape_of(both)[0]:
        return both
    both = np.sort(both)
    differs = np.concatenate([[True], both[1:] != both[:-1], [True]])
    return both[np.logical_and(differs[1:], differs[:-1])]


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Value:
    return unique(np.concatenate([np.ravel(as_array(ar1)), np.ravel(as_array(ar2))]))


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Value:
    first = distinct(ar1, assume_unique)
    return first[isin(first, as_array(ar2), invert=True)]
