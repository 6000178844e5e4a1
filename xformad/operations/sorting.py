"""Orders and positions: whole numbers, so without derivative. Sorting itself is indexing with them."""

from __future__ import annotations

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.operations.makers import nondifferentiable


def argsort_value(x: Value, axis: int) -> Value:
    return np.argsort(x, axis=axis, kind="stable")


argsort = nondifferentiable("argsort", argsort_value)


def argpartition_value(x: Value, kth: int | tuple[int, ...], axis: int) -> Value:
    return np.argpartition(x, kth, axis=axis)


argpartition = nondifferentiable("argpartition", argpartition_value)


def lexsort_value(*keys: Value, axis: int) -> Value:
    return np.lexsort(keys, axis=axis)


lexsort = nondifferentiable("lexsort", lexsort_value, 64)


def searchsorted_value(a: Value, v: Value, *sorter: Value, side: str) -> Value:
    return np.searchsorted(a, v, side, *sorter)  # type: ignore[call-overload]


searchsorted = nondifferentiable("searchsorted", searchsorted_value, 3)

digitize = nondifferentiable("digitize", np.digitize, 2)


def unique_value(x: Value, axis: int | None) -> tuple[Value, ...]:
    """The positions of the first occurrences, the inverse, and the counts."""
    return tuple(np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)[1:])


unique = nondifferentiable(Primitive("unique", unique_value, multiple=True), unique_value)
