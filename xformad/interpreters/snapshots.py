"""Private copies of the arrays that a program uses but does not trace.

A rule for `x * y` needs `y` long after the multiplication ran, and the program may have written into `y` by then.
So the tape keeps a copy. An array used a hundred times in a loop is copied once: a later use compares it with the copy
and takes another one only if it has changed. Arrays that cannot change are kept as they are, so

    data.flags.writeable = False

spares a large constant both the copy and the comparisons.
"""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np

SMALL: Final = 4096  # bytes: below, copying costs less than looking for an earlier copy

Array = np.ndarray[Any, Any]


@final
class Snapshots:
    """The private copies that one tape has made."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken: dict[tuple[Any, ...], Array] = {}

    def of(self, array: Array) -> Array:
        """An array equal to this one now, that nobody else writes into."""
        if not array.flags.writeable and array.base is None:
            return array
        if array.nbytes <= SMALL:
            return frozen(array)
        key = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        copy = self.taken.get(key)
        if copy is None or not np.array_equal(copy, array, equal_nan=array.dtype.kind in "fc"):
            copy = self.taken[key] = frozen(array)
        return copy


def frozen(array: Array) -> Array:
    copy = array.copy(order="K")
    copy.flags.writeable = False
    return copy
