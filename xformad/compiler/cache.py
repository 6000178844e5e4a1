"""A dictionary of bounded size, for what has been compiled.

What goes, when there is no room, is what has not been used since the last time that room was made: the "clock" algorithm
(F. J. Corbató, 1968), by which a use costs no more than a mark.

>>> cache: Cache[str, int] = Cache(2)
>>> cache.add("a", 1), cache.add("b", 2), cache.get("a"), cache.add("c", 3)
(1, 2, 1, 3)
>>> cache.get("a"), cache.get("b")
(1, None)
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar, final

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@final
class Slot(Generic[V]):
    """A value, and whether it was used since room was made."""

    __slots__ = ("used", "value")

    def __init__(self, value: V) -> None:
        self.value = value
        self.used = False


@final
class Cache(Generic[K, V]):
    """A dictionary that forgets.

    Args:
        size: how many entries are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.slots: dict[K, Slot[V]] = {}
        self.lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, if it is there."""
        slot = self.slots.get(key)
        if slot is None:
            return None
        slot.used = True
        return slot.value

    def add(self, key: K, value: V) -> V:
        """Add a value, if there is none. Returns the one that is there."""
        with self.lock:
            found = self.slots.get(key)
            if found is not None:
                return found.value
            while len(self.slots) >= self.size:
                oldest = next(iter(self.slots))
                slot = self.slots.pop(oldest)
                if slot.used:  # another round
                    slot.used = False
                    self.slots[oldest] = slot
            self.slots[key] = Slot(value)
            return value

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.slots.clear()

    def __len__(self) -> int:
        return len(self.slots)

    def __iter__(self) -> Iterator[V]:
        return iter([slot.value for slot in list(self.slots.values())])
