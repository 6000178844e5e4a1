"""Private copies of the arrays that a program uses and that others may write into: constants and arguments.

A rule for `x * y` needs `y` long after the multiplication ran, and the program may have written into `y` by then.
So the tape keeps a copy. An array used a hundred times in a loop is copied once: a later use compares it with the copy
and takes another one only if it has changed. Arrays that cannot change are kept as they are, so

    data.flags.writeable = False

spares a large constant both the copy and the comparisons.
"""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np

from xformad.core.primitive import Tracer

SMALL: Final = 4096  # bytes: below, copying costs less than looking for an earlier copy

Array = np.ndarray[Any, Any]


@final
class Snapshots:
    """The private copies that one tape has made."""

    __slots__ = ("callers", "taken")

    def __init__(self) -> None:
        self.taken: dict[tuple[Any, ...], Array] = {}
        self.callers: dict[int, Array] = {}

    def of_argument(self, array: Array) -> Array:
        """An argument of the function: a copy if it is small, else itself, to be copied when a rule needs it."""
        if array.nbytes <= SMALL:
            return array.copy(order="K")
        owner = owner_of(array)
        self.callers[id(owner)] = owner
        return array

    def of_traced(self, array: Array, tracer: Tracer) -> Array:
        """The same for the array that a tracer stands for: a copy if it is one of the caller's, or a view of one."""
        if id(owner_of(array)) not in self.callers:
            return array
        copy = self.of(array)
        node = tracer.extra
        if node.primitive is None:  # an argument of the function: from now on the copy stands for it
            tracer.value = copy
        return copy

    def of(self, array: Array) -> Array:
        """An array equal to this one now, that nobody else writes into."""
        if not array.flags.writeable and array.base is None:
            return array
        if array.nbytes <= SMALL:
            return array.copy(order="K")
        key = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        copy = self.taken.get(key)
        if copy is None or not np.array_equal(copy, array, equal_nan=array.dtype.kind in "fc"):
            copy = self.taken[key] = frozen(array)
        return copy


def owner_of(array: Array) -> Array:
    """The array whose memory this one is a view of."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


def frozen(array: Array) -> Array:
    copy = array.copy(order="K")
    copy.flags.writeable = False
    return copy
