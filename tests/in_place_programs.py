"""Random programs that write into arrays: slices, views, assignments, augmented assignments, `out=`, arithmetic.

A program is a list of whole numbers, which say what it does, so that hypothesis can make a failing one smaller. It does the
same for plain arrays and for traced ones: what it chooses depends on shapes and dtypes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

import xformad.numpy as xnp

T = TypeVar("T")

MASKS = np.random.default_rng(8).random((40, 24)) > 0.6
POINT = np.random.default_rng(3).normal(size=(2, 3, 2))
DIRECTION = np.random.default_rng(4).normal(size=(2, 3, 2))


class Choices:
    """Choices that a list of whole numbers makes; the first option when it has ended."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers = iter(numbers)

    def below(self, n: int) -> int:
        return next(self.numbers, 0) % n

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def mask(self, shape: tuple[int, ...]) -> Any:
        return MASKS[self.below(40)][: int(np.prod(shape))].reshape(shape)


def index_for(choose: Choices, shape: tuple[int, ...]) -> Any:
    """An index of an array of this shape: basic, of arrays, or a mask."""
    kind = choose.below(12)
    size = int(np.prod(shape))
    if kind == 0:
        return ...
    if kind == 1 and size <= 24:
        return choose.mask(shape)
    if kind == 2 and shape and shape[0]:
        return np.array([choose.below(2 * shape[0]) - shape[0] for _ in range(1 + choose.below(3))])
    if kind == 3 and len(shape) > 1 and size:
        return (..., choose.one_of([0, [0, -1], slice(None, None, -1)]))
    if kind == 4 and len(shape) > 1 and size:
        return (slice(None), np.array([0, -1]))
    parts: list[Any] = []
    for n in shape if kind >= 10 else shape[: choose.below(len(shape) + 1)]:
        if n and (kind >= 10 or choose.below(5) < 2):
            parts.append(choose.below(2 * n) - n)
        else:
            step = choose.one_of([None, 1, 2, -1, -2])
            bounds = sorted((choose.below(n + 1), choose.below(n + 1)))
            backward = step is not None and step < 0
            parts.append(slice(None, None, step) if backward else slice(bounds[0], bounds[1], step))
        if choose.below(10) == 9:
            parts.append(None)
    if kind == 5:
        parts.insert(choose.below(len(parts) + 1), ...)
    return tuple(parts)


def view_of(choose: Choices, a: Any) -> Any:
    """What NumPy makes a view by, where it can."""
    shape = np.shape(a)
    size = int(np.prod(shape))
    options: list[Callable[[Any], Any]] = [
        lambda x: x.T,
        np.transpose,
        lambda x: x.ravel(),
        np.ravel,
        lambda x: x.reshape(-1),
        lambda x: np.reshape(x, (size, 1)),
        lambda x: np.reshape(x, shape),
        lambda x: x[None],
        lambda x: x[...],
        np.squeeze,
        lambda x: np.expand_dims(x, 0),
        np.flip,
        np.atleast_1d,
        np.atleast_2d,
        np.atleast_3d,
        lambda x: x.reshape((2, size // 2)) if size % 2 == 0 else x.reshape((size,)),
        lambda x: x.reshape((3, size // 3)).T if size % 3 == 0 else x.reshape((1, size)),
        lambda x: np.broadcast_to(x, (2, *shape)) if size else x,
        lambda x: np.broadcast_arrays(x, np.ones((2, *shape)))[0],
        lambda x: x.real,
        np.real,
        lambda x: x.imag,
        lambda x: xnp.asarray(x),
        lambda x: xnp.ascontiguousarray(x),
        lambda x: x.astype(x.dtype, copy=False),
        lambda x: x[()],
    ]
    if len(shape) >= 1:
        options += [lambda x: list(x)[-1] if len(x) else x, lambda x: np.flip(x, 0), lambda x: x[::-1]]
    if len(shape) >= 2:
        options += [
            lambda x: np.swapaxes(x, 0, 1),
            lambda x: x.swapaxes(0, -1),
            lambda x: np.moveaxis(x, 0, -1),
            np.diagonal,
            lambda x: np.split(x, [1])[-1],
            lambda x: np.array_split(x, 2, axis=1)[0],
            np.rot90,
            lambda x: np.rot90(x, 2),
            lambda x: np.einsum("ij->ji", x) if x.ndim == 2 else x.T,
            lambda x: np.einsum("ii->i", x) if x.ndim == 2 and shape[0] == shape[1] else x.T,
            lambda x: x.ravel("F"),
            lambda x: x.reshape(-1, order="F"),
            lambda x: x.mT,
            np.fliplr,
            lambda x: np.unstack(x)[0] if shape[0] else x,
            lambda x: next(iter(x)) if shape[0] else x,
            lambda x: xnp.asfortranarray(x),
        ]
    return choose.one_of(options)(a)


def copy_of(choose: Choices, x: Any, single: Any) -> Any:
    """An array of its own, made of another one."""
    shape = np.shape(x)
    options: list[Callable[[], Any]] = [
        lambda: x * 1.1,
        lambda: np.tanh(x * 0.5),
        lambda: x + 0.0,
        lambda: np.copy(x),
        lambda: x.copy(),
        lambda: xnp.copy(x),
        lambda: xnp.array(x),
        lambda: np.tile(x, 1),
        lambda: np.repeat(x, 1, axis=0) if np.ndim(x) else x * 1.0,
        lambda: np.flip(x) * 0.5,
        lambda: x.flatten(),
        lambda: np.cumsum(x, axis=0) * 0.3 if np.ndim(x) else x * 1.0,
        lambda: xnp.zeros(shape) + 0.2,
        lambda: xnp.zeros_like(x),
        lambda: np.ones_like(x),
        lambda: xnp.full(shape, 0.3),
        lambda: np.full_like(x, np.sum(x) * 0.1),
        lambda: xnp.ones(shape, order="F"),
        lambda: xnp.zeros(shape[::-1]).T,
        lambda: xnp.eye(3),
        lambda: xnp.arange(4.0),
        lambda: xnp.array(0.5),
        lambda: np.concatenate([x, x[:1] * 0.5]) if np.ndim(x) else x * 1.0,
        lambda: np.stack([x, x * 0.5]),
        lambda: np.where(x > 0.1, x, 0.5),
        lambda: x.astype(complex),
        lambda: x.astype(single),
        lambda: np.sort(x, axis=0) if np.ndim(x) else x * 1.0,
        lambda: x[..., [0]] if np.ndim(x) and shape[-1] else x * 1.0,
        lambda: np.pad(x, 1) if np.ndim(x) else x * 1.0,
        lambda: np.matmul(x, np.swapaxes(x, -1, -2)) * 0.1 if np.ndim(x) >= 2 else x * 1.0,
        lambda: np.outer(x, [0.1, 0.2]),
        lambda: np.round(x * 0.0 + 0.5),
        lambda: np.conj(x),
        lambda: np.positive(x),
    ]
    return choose.one_of(options)()


def augmented(choose: Choices, a: Any, v: Any) -> Any:
    """`a += v` and its like."""
    kind = choose.below(6)
    if kind == 0:
        a += v
    elif kind == 1:
        a -= v
    elif kind == 2:
        a *= v
    elif kind == 3:
        a /= 1.5 + np.sum(abs(v) * 0.1) ** 2
    elif kind == 4:
        a **= 2
    else:
        a += 0.25
    return a


def write_by_a_function(choose: Choices, a: Any, v: Any) -> None:
    """Write into an array by a function that does."""
    size = max(1, a.size)
    positions = [choose.below(size) for _ in range(2)]
    where = choose.mask(a.shape) if a.size <= 24 else np.ones(a.shape, bool)
    options: list[Callable[[], Any]] = [
        lambda: np.put(a, positions, v),
        lambda: a.put(positions, v, mode="wrap"),
        lambda: np.place(a, where, [0.1, 0.2, 0.3]),
        lambda: np.putmask(a, where, v * np.arange(1.0, 4.0)),
        lambda: np.copyto(a, v),
        lambda: np.copyto(a, np.cos(a), where=where),
        lambda: np.copyto(a, a[::-1] if a.ndim else a),
        lambda: a.fill(0.4),
        lambda: a.fill(v),
        lambda: a.sort(axis=0),
        lambda: a.sort(),
        lambda: a.partition(0),
        lambda: np.add.at(a, [0, 0], v),
        lambda: np.subtract.at(a, (..., np.array([0, 0])), 0.3),  # type: ignore[arg-type]
        lambda: np.multiply.at(a, 0, v),
        lambda: np.negative.at(a, 0),
        lambda: np.put_along_axis(a, np.argsort(a, axis=0), v, axis=0),
        lambda: np.fill_diagonal(a, v),
        lambda: np.add(a, v, out=a),
        lambda: np.add(a[:1], v, out=a[-1:]),
        lambda: np.tanh(a, out=a, where=where),
        lambda: np.multiply(v, 2.0, out=a) if np.ndim(v) == a.ndim else None,
        lambda: np.cumsum(a * 0.3, axis=0, out=a) if a.ndim else None,  # NumPy crashes
        lambda: np.cumsum(a, axis=0, out=a) if a.ndim else None,
        lambda: np.sum(a, axis=0, out=a[0]),
        lambda: np.mean(a * v, axis=0, out=a[-1]),
        lambda: np.add.accumulate(a * 0.2, axis=0, out=a) if a.ndim else None,
        lambda: np.add.reduce(a, axis=0, out=a[0]),
        lambda: np.clip(a, -0.5, 0.9, out=a),
        lambda: np.maximum(a, v, out=a),
        lambda: np.dot(a[0], a[0].T, out=a[0]) if a.ndim == 3 else None,
        lambda: np.matmul(a * 0.5, a, out=a) if a.ndim == 2 and a.shape[0] == a.shape[1] else None,
        lambda: np.take(a * 1.0, [0, 0], axis=0, out=a[:2]),
        lambda: np.concatenate([a[-1:] * 0.5, a[:-1] * 0.7], out=a),
    ]
    choose.one_of(options)()


def swap(choose: Choices, a: Any) -> None:
    """Exchange two parts, with and without a copy."""
    kind = choose.below(4)
    if kind == 0:
        a[0], a[-1] = a[-1], a[0]
    elif kind == 1:
        a[0], a[-1] = a[-1].copy(), a[0].copy()
    elif kind == 2:
        a[[0, -1]] = a[[-1, 0]]
    else:
        a[1:] = a[:-1]


def loop(choose: Choices, a: Any) -> None:
    """Write entries or rows one after the other."""
    kind = choose.below(5)
    if kind == 0:
        for i in range(1, len(a)):
            a[i] = a[i - 1] * 0.7 + 0.1
    elif kind == 1:
        for row in a:
            row *= 0.9
    elif kind == 2:
        for i in range(len(a)):
            a[i] += 0.5 * np.sum(a[:i])
    elif kind == 3:
        for i, row in enumerate(a):
            row[...] = row * 0.5 + i
    else:
        for place in np.ndindex(a.shape):
            a[place] = np.cos(a[place]) + 0.1 * a[(0,) * a.ndim]


def some(choose: Choices, arrays: list[Any]) -> Any:
    """A number made of an array, or an array."""
    b = choose.one_of(arrays)
    kind = choose.below(4)
    if kind == 0:
        return 0.7
    if kind == 1 or not np.size(b):
        return 0.3 * np.sum(abs(b))
    if kind == 2:
        return b[(0,) * np.ndim(b)] * 0.5
    return b


def run(numbers: Iterable[int], x: Any, single: Any = np.float32) -> Any:
    """A number made of all arrays of the program of these numbers on an array of shape (2, 3, 2). For the arguments see
    `arrays_of`.
    """
    total = 0.1 * np.sum(x * x)
    for i, a in enumerate(arrays_of(numbers, x, single)):
        weights = np.cos(np.arange(a.size).reshape(a.shape) + i)
        total = total + np.sum(np.tanh(np.real(a)) * weights) + np.sum(np.sin(np.imag(a)) * weights)
    return total


def arrays_of(numbers: Iterable[int], x: Any, single: Any = np.float32) -> list[Any]:
    """The arrays that the program of these numbers leaves.

    Args:
        numbers: what it does.
        x: the array.
        single: the dtype that some arrays are converted to.
    """
    choose = Choices(numbers)
    arrays = [x * 1.0, xnp.zeros((2, 3)), xnp.ones(6)]
    if choose.below(2):
        arrays[0] = xnp.array(x)
    for _ in range(2 + choose.below(12)):
        place = choose.below(len(arrays))
        a = arrays[place]
        kind = choose.below(14)
        if kind == 0:
            arrays.append(view_of(choose, a))
        elif kind == 1:
            arrays.append(copy_of(choose, a, single))
        elif kind == 2:
            part = a[index_for(choose, a.shape)]
            if np.ndim(part):
                arrays.append(part)
        elif kind == 3:
            a[index_for(choose, a.shape)] = some(choose, arrays)
        elif kind == 4:
            index = index_for(choose, a.shape)
            part = a[index]
            a[index] = np.tanh(part) * 0.9 + some(choose, arrays) if np.size(part) else 0.3
        elif kind == 5:
            v = some(choose, arrays)
            arrays[place] = augmented(
                choose, a, v if np.ndim(v) == 0 or np.shape(v) == np.shape(a) else np.sum(v) * 0.2
            )
        elif kind == 6:
            index = index_for(choose, a.shape)
            a[index] += 0.2 * np.sum(abs(choose.one_of(arrays)))
        elif kind == 7:
            if a.size:
                write_by_a_function(choose, a, some(choose, arrays))
        elif kind == 8:
            arrays[place] = view_of(choose, a)  # the array itself may be gone
        elif kind == 9:
            arrays[place] = copy_of(choose, a, single)
        elif kind == 10:
            if a.ndim and len(a) > 1:
                swap(choose, a)
        elif kind == 11:
            if a.ndim and a.size <= 24:
                loop(choose, a)
        elif kind == 12 and len(arrays) > 3:
            del arrays[place]
        elif kind == 13:
            view_of(choose, view_of(choose, a))[index_for(choose, np.shape(a))] = 0.6
        del a
        arrays = [b if np.size(b) <= 100 else b[:1] * 1.0 for b in arrays if hasattr(b, "shape")] or [xnp.ones(2)]
    return arrays
