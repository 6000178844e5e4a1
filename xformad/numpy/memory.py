"""In-place programs: arrays under transformation that a program writes into.

    out = xformad.numpy.zeros(3)
    out[1:] = x[:-1]
    row = table[0]
    row[1] += 5.0       # changes table

Derivatives need values that stay as they are. So a traced array that is written into becomes a *handle* of a `Storage`,
which has a new value after each write; `setitem` makes it of the old one. A handle is a tracer of an interpreter of its
own, `Memory`, that is newer than all others: operations on handles are applied to the present values of their arrays, one
level below, where nothing is ever written into. A view is a handle of the same storage. It knows the positions of its
entries there, and computes its value when it is asked for it and a write has happened since.

Which operations give views, and of what, NumPy says: they are applied to an array of the entries' positions.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, final

import numpy as np

from xformad.core.interpreter import Interpreter, agreed, held, plain, shape_of, stack
from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.source import user_line
from xformad.core.typing import Params, Shape, ShapeDtype, Value
from xformad.core.views import ViewPrimitive, lent, link
from xformad.errors import ConcretizationError, UnsupportedError
from xformad.numpy.storage import Key, Storage, release
from xformad.operations import shape as operations


@final
class Window:
    """The part of a storage that a handle stands for.

    Args:
        storage: the storage.
        shape: of the part.
        places: the positions of its entries in the storage; None for all of it, and for what cannot be written into.
        parent, primitive, params: how its value follows from that of another window; None for all of the storage.
        key: the index of numbers by which it was taken, if it was.
        frozen: where its value cannot follow: the value, and the storage's version then.
    """

    __slots__ = ("frozen", "key", "known", "params", "parent", "places", "primitive", "shape", "storage", "version")

    def __init__(
        self,
        storage: Storage,
        shape: Shape,
        places: Any = None,
        parent: Window | None = None,
        primitive: Primitive | None = None,
        params: Params | None = None,
        key: Key | None = None,
        frozen: bool = False,
    ) -> None:
        self.storage = storage
        self.shape = shape
        self.places = places
        self.parent = parent
        self.primitive = primitive
        self.params = params
        self.key = key
        self.frozen = frozen
        self.known: Value = None
        self.version = -1

    def positions(self) -> Any:
        return self.storage.positions() if self.parent is None else self.places

    def value(self) -> Value:
        """The present value, which stays as it is."""
        storage = self.storage
        if self.version == storage.version and not storage.exposed and (self.parent is not None or self.frozen):
            return self.known
        if self.frozen and self.version == storage.version:
            return self.known
        if self.frozen:
            raise UnsupportedError(
                f"the array used at {user_line()} was made of one that has been written into since, and whether it shares "
                "memory with that one cannot be told; make it after the write, or of a copy: xformad.numpy.array(a)"
            )
        if self.parent is None:
            return storage.settled()
        assert self.primitive is not None
        assert self.params is not None
        if storage.has(self.key):
            assert self.key is not None
            self.known = storage.entry(self.key)
        else:
            self.known = self.primitive(self.parent.value(), **self.params)
        self.version = storage.version
        return self.known

    def plain_array(self) -> Any:
        """The part as a plain array, which shares the memory: `numpy.asarray`."""
        storage = self.storage
        if self.frozen:
            raise ConcretizationError(
                f"numpy.asarray(x) at {user_line()} would make a plain array that may share memory with another one; "
                "use xformad.numpy.asarray(x), or xformad.value_of(x) for a copy"
            )
        if self.parent is not None:
            assert self.primitive is not None
            assert self.params is not None
            return self.primitive.implementation(self.parent.plain_array(), **self.params)
        array = storage.owned()
        storage.exposed = True
        return array


def frozen(storage: Storage, value: Value) -> Window:
    """The window of what may or may not be a view."""
    window = Window(storage, shape_of(value), frozen=True)
    window.known, window.version = value, storage.version
    return window


@final
class Memory(Interpreter):
    """Applies operations to what handles stand for, one level below."""

    name: ClassVar[str] = "in-place memory"
    in_place: ClassVar[bool] = True
    level = math.inf  # type: ignore[assignment]
    live = True

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if len(args) == 1 and (primitive is getitem or type(primitive) is ViewPrimitive):
            return self.view(args[0], primitive, params)
        if primitive.multiple:  # it may hold functions of the user's
            found = primitive.bind(*[lent(held(x)) for x in args], **params)
            return tuple([held(x) if type(x) is Tracer else writable(x) for x in found])
        values = [x.extra.value() if type(x) is Tracer and x.interpreter is self else x for x in args]
        return writable(primitive.bind(*values, **params))

    def view(self, handle: Tracer, primitive: Primitive, params: Params) -> Value:
        """What a primitive that gives views gives: a view, a copy, or an entry."""
        window = view_of(handle.extra, primitive, params)
        if type(window) is Window:
            return handle_of(window)
        return held(window) if type(window) is Tracer else writable(window)

    def keeps_call(self, args: tuple[Value, ...]) -> bool:
        return True

    def held(self, tracer: Tracer) -> Value:
        value = tracer.extra.value()
        return value.copy() if type(value) is np.ndarray else held(value)

    def returned(self, tracer: Tracer, interpreter: Interpreter) -> None:
        release(tracer, interpreter)

    def spec(self, tracer: Tracer) -> ShapeDtype:
        return tracer.extra.shape, tracer.extra.storage.dtype

    def plain(self, tracer: Tracer) -> Value:
        return plain(tracer.extra.value())

    def agreed(self, tracer: Tracer) -> Value:
        return agreed(tracer.extra.value())

    def formatted(self, tracer: Tracer, spec: str) -> str:
        return format(tracer.extra.value(), spec)

    def truth(self, tracer: Tracer) -> bool:
        return bool(tracer.extra.value())

    def index(self, tracer: Tracer) -> int:
        return tracer.extra.value().__index__()  # type: ignore[no-any-return]

    def concretize(self, tracer: Tracer, how: str) -> Value:
        value = tracer.extra.value()
        if type(value) is Tracer:
            return value.interpreter.concretize(value, how)
        return tracer.extra.plain_array() if how == "numpy.asarray(x)" else value


MEMORY: Final = Memory()


def view_of(window: Window, primitive: Primitive, params: Params) -> Any:
    """The window of a view; the value of what is no view."""
    storage = window.storage
    if window.frozen:
        return frozen(storage, primitive(window.value(), **params))
    places = window.positions()
    key = key_of(window, params["index"]) if primitive is getitem else None
    found = primitive.implementation(places, **params)
    if type(found) is not np.ndarray:  # an entry
        key = tuple(map(int, np.unravel_index(found, storage.shape)))
        return storage.entry(key) if storage.has(key) else getitem(window.value(), **params)
    if not settles(storage, primitive, places.shape, found.shape):
        return frozen(storage, primitive(window.value(), **params))
    if not np.may_share_memory(found, storage.positions()):
        return primitive(window.value(), **params)
    return Window(storage, found.shape, found, window, primitive, params, key)


def settles(storage: Storage, primitive: Primitive, old: Shape, new: Shape) -> bool:
    """Whether it is known if an array in this storage becomes a view or a copy."""
    if storage.certain or math.prod(old) == 0:
        return True
    if primitive is operations.reshape:
        return [n for n in old if n != 1] == [n for n in new if n != 1]
    return primitive is not operations.ravel


def key_of(window: Window, index: Any) -> Key | None:
    """The index of numbers of a window's part, from the start of the storage; None if it is no such index."""
    before = () if window.parent is None else window.key
    parts = index if type(index) is tuple else (index,)
    if before is None or len(parts) > len(window.shape) or not all(type(part) is int for part in parts):
        return None
    for part, n in zip(parts, window.shape, strict=False):
        if not -n <= part < n:
            return None
    return before + tuple([part + n if part < 0 else part for part, n in zip(parts, window.shape, strict=False)])


# Handles.


def handle_of(window: Window) -> Tracer:
    """A new handle."""
    handle = Tracer.__new__(Tracer)
    handle.interpreter = MEMORY
    window.storage.handle(handle, window)
    return handle


def writable(value: Value, own: bool = False, order: str | None = None) -> Value:
    """A plain array made in a program under transformation, as a handle, so that traced values may be written into it.

    Args:
        value: an array, or something else, which is returned as it is.
        own: whether nobody else has it.
        order: how it lies in memory, if it lies there as in a program of plain NumPy.
    """
    if type(value) is not np.ndarray or value.dtype.kind not in "fciub" or not stack.live:
        return value
    laid_out = order or ("F" if value.flags.fnc else "C")
    storage = Storage(value, value.shape, value.dtype, order is not None, laid_out, own)
    return handle_of(Window(storage, value.shape))


def detached(x: Value) -> Value:
    """An array as one of its own: what NumPy copies. Nothing is copied, as values stay as they are."""
    if type(x) is not Tracer:
        return x
    value = x.extra.value() if x.interpreter is MEMORY else x
    return held(value) if type(value) is Tracer else writable(value)


def aliased(out: Value, x: Value) -> Value:
    """What NumPy makes a view of x, but cannot be written into here; and not be used once x has been written into."""
    if type(x) is not Tracer or (type(out) is not Tracer and type(out) is not np.ndarray):
        return out
    if x.interpreter is MEMORY:
        value = out.extra.value() if type(out) is Tracer and out.interpreter is MEMORY else out
        return handle_of(frozen(x.extra.storage, value))
    if type(out) is Tracer:
        out = held(out)
        link(x, out, None, {})
    return out
