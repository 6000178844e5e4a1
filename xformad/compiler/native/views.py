"""Where the entries of an array lie: `View`, a buffer with an offset and a stride an axis, all counted in entries.

Operations that only move entries are views of what they move, and cost nothing:

>>> import numpy as np
>>> x = whole(Buffer("argument", np.dtype(float), 6), (2, 3))
>>> transposed(x, (1, 0)).strides, sliced(x, (slice(None), 1)).offset, reshaped(x, (3, 2)).strides
((1, 3), 1, (2, 1))
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from xformad.core.typing import Shape


@final
class Buffer:
    """A piece of memory.

    Attributes:
        kind: "argument", "constant", "temporary", "result" or, in a loop, "moving".
        dtype: of its entries.
        size: how many there are.
        number: its own; of a temporary, where it begins in bytes, once that is known.
        within: the memory in which one that moves lies.
    """

    __slots__ = ("dtype", "kind", "number", "size", "within")

    def __init__(
        self, kind: str, dtype: np.dtype[Any], size: int, number: int = -1, within: tuple[Buffer, ...] = ()
    ) -> None:
        self.kind = kind
        self.dtype = dtype
        self.size = size
        self.number = number
        self.within = within


def all_within(buffers: list[Buffer]) -> list[Buffer]:
    """Buffers, and the memory in which those lie that move."""
    found = list(buffers)
    for buffer in found:  # which grows
        found += buffer.within
    return found


PARTS: Final[dict[str, np.dtype[Any]]] = {"F": np.dtype(np.float32), "D": np.dtype(np.float64)}
"""The dtypes of the real and the imaginary parts of complex numbers, by their characters."""


def part_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of complex numbers; of others, their own.

    >>> part_of(np.dtype(complex)), part_of(np.dtype(int))
    (dtype('float64'), dtype('int64'))
    """
    return PARTS.get(dtype.char, dtype)


@dataclass(frozen=True)
class View:
    """The array of a shape whose entry i lies at `offset + i . strides` in a buffer.

    Attributes:
        part: 0 for the real parts of what lies there, 1 for the imaginary ones; None for the whole.
    """

    buffer: Buffer
    offset: int
    strides: tuple[int, ...]
    shape: Shape
    part: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the entries."""
        return self.buffer.dtype if self.part is None else part_of(self.buffer.dtype)

    @property
    def parts(self) -> tuple[View, ...]:
        """The real and the imaginary parts of complex entries; of others, themselves."""
        if self.dtype.kind != "c":
            return (self,)
        return tuple([dataclasses.replace(self, part=part) for part in (0, 1)])


def whole(buffer: Buffer, shape: Shape) -> View:
    """The array that fills a buffer, in C order."""
    return View(buffer, 0, c_strides(shape), shape)


def c_strides(shape: Shape) -> tuple[int, ...]:
    """The strides of an array in C order.

    >>> c_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def is_contiguous(view: View) -> bool:
    """Whether the entries lie one after the other, in C order."""
    expected = c_strides(view.shape)
    return all(n == 1 or s == e for n, s, e in zip(view.shape, view.strides, expected, strict=True))


def transposed(view: View, axes: Shape) -> View:
    """`numpy.transpose`."""
    return View(
        view.buffer,
        view.offset,
        tuple([view.strides[i] for i in axes]),
        tuple([view.shape[i] for i in axes]),
        view.part,
    )


def broadcast(view: View, shape: Shape) -> View:
    """`numpy.broadcast_to`."""
    extra = len(shape) - len(view.shape)
    strides = [0 if n == 1 else s for n, s in zip(view.shape, view.strides, strict=True)]
    return View(view.buffer, view.offset, (0,) * extra + tuple(strides), shape, view.part)


def sliced(view: View, index: Any) -> View | None:
    """`x[index]` for numbers, slices, None and an ellipsis; None for anything else."""
    parts = index if isinstance(index, tuple) else (index,)
    if not all(type(part) in (int, slice, type(None), type(Ellipsis)) for part in parts):
        return None
    taken = sum(type(part) in (int, slice) for part in parts)
    rest = (slice(None),) * (len(view.shape) - taken)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts = (*parts[:at], *rest, *parts[at + 1 :])
    else:
        parts = (*parts, *rest)
    axis = 0
    offset = view.offset
    strides: list[int] = []
    shape: list[int] = []
    for part in parts:
        if part is None:
            strides.append(0)
            shape.append(1)
            continue
        n, stride = view.shape[axis], view.strides[axis]
        axis += 1
        if type(part) is int:
            offset += (part + n if part < 0 else part) * stride
            continue
        start, stop, step = part.indices(n)
        length = len(range(start, stop, step))
        offset += start * stride if length else 0
        strides.append(stride * step)
        shape.append(length)
    return View(view.buffer, offset, tuple(strides), tuple(shape), view.part)


def flipped(view: View, axes: Shape) -> View:
    """`numpy.flip`."""
    found: View | None = sliced(
        view, tuple([slice(None, None, -1) if i in axes else slice(None) for i in range(len(view.shape))])
    )
    assert found is not None
    return found


def reshaped(view: View, shape: Shape) -> View | None:
    """`numpy.reshape` in C order; None where it takes a copy."""
    if math.prod(shape) == 0:
        return View(view.buffer, view.offset, (0,) * len(shape), shape, view.part)
    axes = [(n, s) for n, s in zip(view.shape, view.strides, strict=True) if n != 1]
    strides: list[int] = []
    at = 0
    waiting = list(shape)
    while waiting:
        if waiting[0] == 1:
            strides.append(0)
            waiting.pop(0)
            continue
        taken = [axes[at]]
        count = axes[at][0]
        at += 1
        wanted = [waiting.pop(0)]
        total = wanted[0]
        while count != total:
            if count < total:
                n, s = axes[at]
                if taken[-1][1] != n * s:
                    return None
                taken.append((n, s))
                count *= n
                at += 1
            else:
                wanted.append(waiting.pop(0))
                total *= wanted[-1]
        for i in range(len(taken) - 1):
            if taken[i][1] != taken[i + 1][0] * taken[i + 1][1]:
                return None
        step = taken[-1][1]
        found = []
        for n in reversed(wanted):
            found.append(step)
            step *= n
        strides += reversed(found)
    return View(view.buffer, view.offset, tuple(strides), shape, view.part)
