"""Memory that traced arrays share: the present value of what a program writes into, and writes that wait.

Writes are collected. `out[i] = v` in a loop costs the same at each step, forward and backward: the entries written wait in
a dictionary, where reading `out[i - 1]` finds them, until somebody needs the whole array.
"""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Any, final

import numpy as np

from xformad.core.index import ARRAY, assemble
from xformad.core.interpreter import Interpreter, held, stack
from xformad.core.primitive import Tracer, getitem
from xformad.core.source import user_line
from xformad.core.typing import Shape, Value
from xformad.core.views import Ended
from xformad.errors import ConcretizationError, UnsupportedError
from xformad.operations import shape as operations
from xformad.operations.assignment import setitem
from xformad.operations.joining import stack as joined

if TYPE_CHECKING:
    from xformad.numpy.memory import Window

Key = tuple[int, ...]


@final
class Member(weakref.ref["Storage"]):
    """Stands in `Tracer.memory` of a handle, so that the storage finds its handles."""

    __slots__ = ("handle",)

    handle: weakref.ref[Tracer]


@final
class Storage:
    """Memory that handles share.

    Args:
        value: the array, which nothing writes into but this.
        shape, dtype: of it.
        certain: whether it lies in memory as it would in a program of plain NumPy.
        order: how it lies there: "C" or "F".
        own: whether nobody else has `value`, a plain array, so that it may be written into.

    Attributes:
        exposed: whether the program has the array as a plain one, by `numpy.asarray`: it must not become a traced one.
        pending: values by the index of what they were written to: numbers, all for the same axes.
        version: the number of writes.
        level: of the newest interpreter at work when the storage was made.
    """

    __slots__ = (
        *("__weakref__", "certain", "dtype", "ended", "exposed", "level", "order"),
        *("own", "pending", "places", "shape", "value", "version"),
    )

    def __init__(self, value: Value, shape: Shape, dtype: np.dtype[Any], certain: bool, order: str, own: bool) -> None:
        self.value = value
        self.shape = shape
        self.dtype = dtype
        self.certain = certain or sum(n != 1 for n in shape) <= 1
        self.order = order
        self.own = own
        self.exposed = False
        self.pending: dict[Key, Value] = {}
        self.version = 0
        self.level = 0
        if stack.live:
            newest = stack.live[-1]
            self.level = newest.level
            self.ended = Ended(newest)
            self.ended.storage = weakref.ref(self)
            newest.in_memory = True
        self.places: Any = None

    def positions(self) -> Any:
        """An array whose entries are their own positions, laid out in memory as this one."""
        if self.places is None:
            numbered = np.arange(math.prod(self.shape)).reshape(self.shape)
            self.places = np.asfortranarray(numbered) if self.order == "F" else numbered
        return self.places

    def settled(self) -> Value:
        """The value of the whole array."""
        if self.pending:
            pending, self.pending = self.pending, {}
            self.value = filled(self.value, pending, self.shape)
            self.own = False
        return self.shared(self.value)

    def shared(self, value: Value) -> Value:
        """The array or a view of it, for somebody who may keep it."""
        if type(value) is np.ndarray:
            if self.exposed:
                return value.copy(order="K")
            self.own = False
        return value

    def entry(self, key: Key) -> Value:
        """What stands at an index of numbers, as many as those of what is pending, or more."""
        if self.pending:
            count = len(next(iter(self.pending)))
            found = self.pending.get(key[:count])
            if found is not None:
                return found if len(key) == count else getitem(found, index=key[count:])
        return self.shared(getitem(self.value, index=key))

    def has(self, key: Key | None) -> bool:
        """Whether `entry` knows what stands there."""
        return key is not None and (not self.pending or len(next(iter(self.pending))) <= len(key))

    def put(self, key: Key, v: Value) -> None:
        """Write `v`, of the shape and dtype of what is there, at an index of numbers."""
        if not key and not self.exposed:
            self.pending.clear()
            self.value, self.own = v, False
        elif type(self.value) is not Tracer and type(v) is not Tracer and not self.pending:
            self.owned()[key] = v
        else:
            self.check_hidden()
            if self.pending and len(next(iter(self.pending))) != len(key):
                self.settled()
            self.pending[key] = v
        self.version += 1

    def assign(self, v: Value, index: Any, arrays: tuple[Value, ...]) -> None:
        """Write `v`, of the shape and dtype of what is there, at an index."""
        traced = type(v) is Tracer or any(type(array) is Tracer for array in arrays)
        if traced or self.pending or type(self.value) is Tracer:
            self.check_hidden()
            self.value = setitem(self.settled(), v, *arrays, index=index)
            self.own = type(self.value) is not Tracer
        else:
            self.owned()[assemble(index, arrays)] = v
        self.version += 1

    def check_hidden(self) -> None:
        """Refuse traced values where the program has the array as a plain one.

        Raises:
            ConcretizationError: if it has.
        """
        if self.exposed:
            raise ConcretizationError(
                f"the assignment at {user_line()} of a traced value is into an array that the program has made a plain one "
                "by numpy.asarray, which would not see it; use xformad.numpy.asarray, or xformad.value_of for a copy"
            )

    def owned(self) -> Any:
        """The plain array, to be written into."""
        if not self.own:
            self.value, self.own = np.array(self.value, order="K"), True
        return self.value

    def handle(self, handle: Tracer, window: Window) -> None:
        """Make a tracer a handle of a part of this."""
        handle.value = None
        handle.extra = window
        handle.memory = member = Member(self)
        member.handle = weakref.ref(handle)

    def release(self, interpreter: Interpreter) -> None:
        """Make the living handles ordinary tracers again, as the interpreter to which their values belong ends."""
        for member in weakref.getweakrefs(self):
            handle = member.handle() if type(member) is Member else None
            if handle is not None:
                release(handle, interpreter)


def release(handle: Tracer, interpreter: Interpreter) -> None:
    """Make a handle an ordinary tracer again, if its value is one of this interpreter."""
    try:
        value = held(handle.extra.value())
    except UnsupportedError:  # what is in doubt
        return
    if type(value) is Tracer and value.interpreter is interpreter:
        handle.interpreter, handle.value, handle.extra = interpreter, value.value, value.extra
        handle.memory = None


def filled(value: Value, entries: dict[Key, Value], shape: Shape) -> Value:
    """The array after these entries have been written."""
    keys = sorted(entries)
    outer = shape[: len(keys[0])]
    parts = [entries[key] for key in keys]
    if len(keys) == 1 and math.prod(outer) > 1:
        return setitem(value, parts[0], index=keys[0])
    whole = joined(*parts, axis=0)
    if len(keys) == math.prod(outer):
        return whole if len(outer) == 1 else operations.reshape(whole, shape=shape)
    index = (ARRAY,) * len(outer)
    return setitem(value, whole, *(np.array(each) for each in zip(*keys, strict=True)), index=index)
