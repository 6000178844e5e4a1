"""Writing into traced arrays: `x[i] = v`, `x += y`, and which arrays share memory with which.

How a handle of memory works is told in `xformad.numpy.memory`. Here, an ordinary traced array becomes one, when it is
written into for the first time, with all its views; and here values are fitted to what they are written to.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xformad.core.dispatch import METHODS
from xformad.core.index import ARRAY
from xformad.core.interpreter import concrete, dtype_of, held, shape_of, stack
from xformad.core.primitive import Tracer, getitem
from xformad.core.source import user_line
from xformad.core.typing import Shape, Value
from xformad.core.views import ARGUMENT, Origin, owns_all, views_of
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.numpy.indexing import parsed
from xformad.numpy.memory import MEMORY, Window, frozen, key_of, view_of
from xformad.numpy.storage import Storage
from xformad.operations import shape as operations


def become(handle: Tracer, window: Window) -> None:
    """Make an ordinary traced array, wherever the program holds it, a handle."""
    handle.interpreter = MEMORY
    window.storage.handle(handle, window)


def converted(x: Tracer) -> Window:
    """The window of an array about to be written into. An ordinary one becomes a handle, as do all that share its memory.

    Raises:
        UnsupportedError: if it is an argument of the function.
    """
    if x.interpreter is MEMORY:
        window: Window = x.extra
        return window
    if x.memory is ARGUMENT:
        raise UnsupportedError(
            f"the assignment at {user_line()} would write into an argument of a function under transformation, or into an "
            "array from outside of it; copy it first: x = xformad.numpy.array(x)"
        )
    if type(x.memory) is Origin and x.memory.primitive is not operations.broadcast and owns_all(x):
        x.memory = None
    root = x
    while type(root.memory) is Origin:
        root = root.memory.base
    shape, dtype = root.interpreter.spec(root)
    if not shape:
        raise TypeError(f"'{dtype.type.__module__}.{dtype.type.__name__}' object does not support item assignment")
    storage = Storage(held(root), shape, dtype, False, "C", False)
    waiting = [(root, Window(storage, shape))]
    while waiting:
        handle, window = waiting.pop()
        waiting += family(handle, window)
        become(handle, window)
    return converted(x)  # once more if it was a view of what turned out to be a copy


def family(handle: Tracer, window: Window) -> list[tuple[Tracer, Window]]:
    """The living views of an array that becomes a handle, and their windows. Copies among them have no part in it."""
    found = []
    for origin in views_of(handle):
        view = origin.view()
        if view is None:
            continue
        if origin.primitive is None or window.frozen:
            part: Any = frozen(window.storage, held(view))
        else:
            part = view_of(window, origin.primitive, origin.params)
        if type(part) is not Window:
            view.memory = None
            continue
        if part.frozen:
            part.known = held(view)
        found.append((view, part))
    return found


# Writing.


def write(x: Tracer, index: Any, v: Value) -> None:
    """`x[index] = v`.

    Raises:
        UnsupportedError: if x cannot be written into here.
    """
    window = converted(x)
    storage = window.storage
    check_writable(window)
    static, arrays = parsed(index)
    arrays = tuple(map(held, arrays))
    if not arrays and (static is Ellipsis or (static == slice(None) and window.shape)):
        static = ()
    if type(v) is Tracer and v.interpreter is MEMORY and not arrays and is_same(v.extra, window, static):
        return  # x[i] += y has written already
    mask = arrays[-1] if static is ARRAY else None
    if type(mask) is Tracer and shape_of(v) == () and mask.dtype == bool and mask.shape == window.shape:
        # it may differ between examples, or be another one at another point
        static, arrays, v = (), (), np.where(mask, fitted(v, (), storage.dtype), window.value())
    key = None if arrays else key_of(window, static)
    if key is not None:
        if key and len(key) == len(storage.shape) and shape_of(v):
            raise ValueError("setting an array element with a sequence.")
        storage.put(key, fitted(v, storage.shape[len(key) :], storage.dtype))
    elif window.parent is None:
        shape = shape_of(getitem(np.broadcast_to(False, window.shape), *arrays, index=static))
        storage.assign(fitted(v, shape, storage.dtype), static, arrays)
    else:
        places = getitem(window.positions(), *arrays, index=static)
        v = fitted(v, shape_of(places), storage.dtype)
        found = unravelled(places, storage.shape)
        if shape_of(places) == () and type(places) is not Tracer:
            storage.put(tuple(map(int, found)), v)
        else:
            storage.assign(v, (ARRAY,) * len(storage.shape), found)


def check_writable(window: Window) -> None:
    """Refuse to write into what nobody may write into."""
    if window.frozen:
        raise UnsupportedError(
            f"the assignment at {user_line()} is into an array of which cannot be told here whether it shares memory with "
            "another one; write into that one, or into a copy: xformad.numpy.array(x)"
        )
    if window.parent is not None and not window.positions().flags.writeable:
        raise ValueError("assignment destination is read-only")
    if stack.live and stack.live[-1].level > window.storage.level:
        raise UnsupportedError(
            f"the assignment at {user_line()} is into an array from outside of the function under {stack.live[-1].name}; "
            "copy it inside: x = xformad.numpy.array(x), and return it"
        )


def is_same(other: Window, window: Window, index: Any) -> bool:
    """Whether a window is that of `window[index]`."""
    if other.storage is not window.storage or other.frozen:
        return False
    mine, its = window.positions()[index], other.positions()
    return type(mine) is np.ndarray and mine.__array_interface__ == its.__array_interface__


def unravelled(places: Value, shape: Shape) -> tuple[Value, ...]:
    """Positions as an index of the storage, an array an axis."""
    if type(places) is not Tracer:
        return np.unravel_index(places, shape)
    found = []
    for n in reversed(shape):
        found.append(places % n)
        places = places // n
    return tuple(reversed(found))


def fitted(v: Value, shape: Shape, dtype: np.dtype[Any]) -> Value:
    """A value in the shape and dtype of what it is written to, as it is now.

    Raises:
        ValueError: if it does not broadcast.
        UnsupportedError: if its dtype loses derivatives.
    """
    v = held(as_array(v))
    if type(v) is not Tracer:
        out = np.empty(shape, dtype)
        out[...] = v
        return out if shape else out[()]
    found = dtype_of(v)
    if found != dtype:
        if not np.can_cast(found, dtype, "same_kind") and found.kind in "fc":
            raise UnsupportedError(
                f"the assignment at {user_line()} of {found} values into an array of dtype {dtype} would drop their "
                f"{'imaginary parts' if found.kind == 'c' and dtype.kind == 'f' else 'derivatives'}; "
                f"make the array with dtype={found}"
            )
        v = METHODS["astype"](v, dtype)
    lengths = shape_of(v)
    if lengths == shape:
        return v
    extra = len(lengths) - len(shape)
    if extra > 0 and all(n == 1 for n in lengths[:extra]):
        v = operations.reshape(v, shape=lengths[extra:])
    try:
        return operations.broadcast(v, shape=shape)
    except ValueError:
        raise ValueError(f"could not broadcast input array from shape {lengths} into shape {shape}") from None


def write_result(x: Tracer, out: Value, name: str) -> None:
    """`x[...] = out`, for the result of an operation that was told to put it there.

    Raises:
        TypeError: if x cannot have it.
        ValueError: if it has another shape.
    """
    shape, dtype = shape_of(x), dtype_of(x)
    if shape == () and x.interpreter is not MEMORY and type(x.memory) is not Origin:
        raise TypeError("return arrays must be of ArrayType")
    found = dtype_of(out)
    if not np.can_cast(found, dtype, "same_kind"):
        raise TypeError(f"Cannot cast ufunc '{name}' output from {found!r} to {dtype!r} with casting rule 'same_kind'")
    if shape_of(out) != shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {shape} doesn't match the broadcast shape {shape_of(out)}"
        )
    if (
        x.interpreter is MEMORY
        or x.memory is not None
        or views_of(x)
        or found != dtype
        or type(out) is not Tracer
        or out.interpreter is MEMORY
    ):
        write(x, Ellipsis, out)
    else:  # nobody shares its memory: it stays an ordinary traced array
        x.interpreter, x.value, x.extra = out.interpreter, out.value, out.extra


def is_array(x: Value) -> bool:
    """Whether something of no axes is an array."""
    return type(x) is np.ndarray and not x.ndim


def augmented(name: str) -> Callable[[Tracer, Value], Value]:
    """The method of `x += y` and its like. A number is left to `x = x + y`."""
    compute = getattr(operator, name)
    rebind = Tracer.__dict__[f"__{name.strip('_')}__"]

    def method(self: Tracer, other: Value) -> Value:
        interpreter = self.interpreter
        if type(self.memory) is not Origin and interpreter is not MEMORY:
            if not interpreter.spec(self)[0] and (self.memory is not ARGUMENT or not is_array(concrete(self))):
                return rebind(self, other)
            if self.memory is ARGUMENT:
                converted(self)  # refuses
        out = compute(self, other)
        write_result(self, out, name)
        return self

    return method


for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    setattr(Tracer, f"__i{name.strip('_')}__", augmented(name))
METHODS["__setitem__"] = write
