"""Shapes: NumPy's functions that rearrange, repeat and pad arrays."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from xformad.core.dispatch import ATTRIBUTES
from xformad.core.interpreter import agreed, concrete, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements, normalized_axis
from xformad.numpy.memory import detached
from xformad.operations import shape as operations


def layout_of(x: Tracer, name: str) -> Value:
    """An array that lies in memory as one that was written into does, in a program of plain NumPy."""
    if x.extra.frozen or not x.extra.storage.certain:
        raise UnsupportedError(
            f'numpy.{name} with order="K" or "A" is not supported on a traced array that was written into; use order="C"'
        )
    return x.extra.positions()


def memory_order(x: Value, order: str | None, name: str) -> str:
    """`order` as "C" or "F": "A" and "K" ask how the array lies in memory."""
    if order is None or order in "Cc":
        return "C"
    if order in "Ff":
        return "F"
    value = np.asarray(layout_of(x, name) if type(x) is Tracer and x.interpreter.in_place else concrete(x))
    flags = value[(0,) * (value.ndim - x.ndim)].flags if value.size else value.flags  # of one example of a batch
    if order in "Aa" or flags.c_contiguous or flags.f_contiguous:
        return "F" if flags.fnc else "C"
    raise UnsupportedError(f'numpy.{name} with order="K" is not supported on a strided traced array; use order="C"')


def integers(values: Any) -> Shape:
    """A length or a sequence of lengths as a tuple."""
    if isinstance(values, Iterable) and not (type(values) is Tracer and values.ndim == 0):
        return tuple([operator.index(n) for n in values])
    return (operator.index(values),)


def resolved(x: Value, shape: Shape) -> Shape:
    """A shape with its -1, if any, worked out; NumPy's error if it does not fit."""
    if -1 in shape or any(n < 0 for n in shape):
        return np.broadcast_to(np.empty((), bool), shape_of(x)).reshape(shape).shape
    return shape


def reshaped(x: Value, shape: Shape, order: str = "C") -> Value:
    shape = resolved(x, shape)
    return operations.reshape(x, shape=shape) if order == "C" else operations.reshape(x, shape=shape, order=order)


@implements(np.reshape)
def reshape(a: Value, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Value:
    a = as_array(a)
    return reshaped(a, integers(shape), memory_order(a, order, "reshape"))


@implements(method="reshape")
def reshape_method(x: Tracer, *shape: Any, order: str = "C", copy: bool | None = None) -> Value:
    return reshape(x, shape[0] if len(shape) == 1 else shape, order, copy=copy)


@implements(np.ravel, method="ravel")
def ravel(a: Value, order: str = "C") -> Value:
    a = as_array(a)
    return operations.ravel(a, order=memory_order(a, order, "ravel"))


@implements(method="flatten")
def flatten(x: Tracer, order: str = "C") -> Value:
    return operations.copy(ravel(x, order), order="C")


def transposed(a: Value, axes: Shape) -> Value:
    return operations.transpose(a, axes=axes)


@implements(np.transpose)
def transpose(a: Value, axes: Any = None) -> Value:
    a = as_array(a)
    ndim = a.ndim
    if axes is None:
        return transposed(a, tuple(range(ndim - 1, -1, -1)))
    axes = integers(axes)
    if len(axes) != ndim:
        raise ValueError("axes don't match array")
    return transposed(a, normalize_axis_tuple(axes, ndim))


@implements(method="transpose")
def transpose_method(x: Tracer, *axes: Any) -> Value:
    return transpose(x, (axes[0] if len(axes) == 1 else axes) or None)


ATTRIBUTES["T"] = transpose


@implements(np.matrix_transpose, attribute="mT")
def matrix_transpose(x: Value, /) -> Value:
    if x.ndim < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {x.ndim}")
    return swapaxes(x, -1, -2)


@implements(np.swapaxes, method="swapaxes")
def swapaxes(a: Value, axis1: int, axis2: int) -> Value:
    order = list(range(a.ndim))
    first, second = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    order[first], order[second] = second, first
    return transposed(a, tuple(order))


@implements(np.moveaxis)
def moveaxis(a: Value, source: Any, destination: Any) -> Value:
    sources = normalize_axis_tuple(source, a.ndim, "source")
    destinations = normalize_axis_tuple(destination, a.ndim, "destination")
    if len(sources) != len(destinations):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [i for i in range(a.ndim) if i not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return transposed(a, tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Value, axis: int, start: int = 0) -> Value:
    axis = normalize_axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    if not 0 <= start <= a.ndim:
        raise np.exceptions.AxisError(
            f"'start' arg requires {-a.ndim} <= start < {a.ndim + 1}, but it is out of bounds"
        )
    order = list(range(a.ndim))
    order.remove(axis)
    order.insert(start - 1 if axis < start else start, axis)
    return transposed(a, tuple(order))


@implements(np.squeeze, method="squeeze")
def squeeze(a: Value, axis: Any = None) -> Value:
    a = as_array(a)
    lengths = a.shape
    if axis is None:
        return operations.reshape(a, shape=tuple([n for n in lengths if n != 1]))
    axes = normalized_axis(axis, a.ndim)
    if any(lengths[i] != 1 for i in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return operations.reshape(a, shape=tuple([n for i, n in enumerate(lengths) if i not in axes]))


@implements(np.expand_dims)
def expand_dims(a: Value, axis: Any) -> Value:
    a = as_array(a)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    ndim = len(axes) + a.ndim
    axes = normalize_axis_tuple(axes, ndim)
    lengths = iter(a.shape)
    return operations.reshape(a, shape=tuple([1 if i in axes else next(lengths) for i in range(ndim)]))


def each(arrays: tuple[Value, ...], one: Any) -> Value:
    results = tuple([one(as_array(x)) for x in arrays])
    return results[0] if len(results) == 1 else results


@implements(np.atleast_1d)
def atleast_1d(*arys: Value) -> Value:
    return each(arys, lambda x: np.reshape(x, (1,)) if shape_of(x) == () else x)


@implements(np.atleast_2d)
def atleast_2d(*arys: Value) -> Value:
    return each(arys, lambda x: x if len(shape_of(x)) >= 2 else np.reshape(x, (1, -1)))


@implements(np.atleast_3d)
def atleast_3d(*arys: Value) -> Value:
    def one(x: Value) -> Value:
        shape = shape_of(x)
        return x if len(shape) >= 3 else np.reshape(x, (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1))

    return each(arys, one)


@implements(np.broadcast_to)
def broadcast_to(array: Value, shape: Any, subok: bool = False) -> Value:
    return operations.broadcast(as_array(array), shape=integers(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Value, subok: bool = False) -> tuple[Value, ...]:
    arrays = [as_array(x) for x in args]
    shape = np.broadcast_shapes(*(shape_of(x) for x in arrays))
    return tuple([x if shape_of(x) == shape else np.broadcast_to(x, shape) for x in arrays])


@implements(np.meshgrid)
def meshgrid(*xi: Value, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Value, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    ndim = len(xi)
    places = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        places[0], places[1] = 1, 0
    grids = tuple([np.reshape(x, (1,) * i + (-1,) + (1,) * (ndim - i - 1)) for x, i in zip(xi, places, strict=True)])
    grids = grids if sparse else broadcast_arrays(*grids)
    return tuple(map(detached, grids)) if copy else grids


@implements(np.tile)
def tile(A: Value, reps: Any) -> Value:
    A = as_array(A)
    counts = integers(reps)
    lengths = A.shape
    ndim = max(len(counts), len(lengths))
    counts = (1,) * (ndim - len(counts)) + counts
    lengths = (1,) * (ndim - len(lengths)) + lengths
    apart = tuple([n for length in lengths for n in (1, length)])
    spread = tuple([n for pair in zip(counts, lengths, strict=True) for n in pair])
    whole = tuple([count * length for count, length in zip(counts, lengths, strict=True)])
    return detached(np.reshape(np.broadcast_to(np.reshape(A, apart), spread), whole))


@implements(np.repeat, method="repeat")
def repeat(a: Value, repeats: Any, axis: int | None = None) -> Value:
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    n = a.shape[axis]
    counts = np.asarray(agreed(repeats))
    if counts.size == 1 and counts.dtype.kind in "iu":
        count = int(counts.reshape(()))
        before, after = a.shape[:axis], a.shape[axis + 1 :]
        spread = np.broadcast_to(np.reshape(a, (*before, n, 1, *after)), (*before, n, count, *after))
        return detached(np.reshape(spread, (*before, n * count, *after)))
    return a[(slice(None),) * axis + (np.repeat(np.arange(n), counts),)]


@implements(np.roll)
def roll(a: Value, shift: Any, axis: Any = None) -> Value:
    a = as_array(a)
    if axis is None:
        return np.reshape(roll(ravel(a), shift, 0), a.shape)
    pairs = np.broadcast(agreed(shift), axis)
    if pairs.ndim > 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    by = [(operator.index(n), normalize_axis_index(operator.index(i), a.ndim)) for n, i in pairs]
    return operations.roll(a, shift=tuple([n for n, _ in by]), axis=tuple([i for _, i in by]))


@implements(np.flip)
def flip(m: Value, axis: Any = None) -> Value:
    m = as_array(m)
    return operations.flip(m, axis=normalized_axis(axis, m.ndim))


@implements(np.flipud)
def flipud(m: Value) -> Value:
    if m.ndim < 1:
        raise ValueError("Input must be >= 1-d.")
    return operations.flip(m, axis=(0,))


@implements(np.fliplr)
def fliplr(m: Value) -> Value:
    if m.ndim < 2:
        raise ValueError("Input must be >= 2-d.")
    return operations.flip(m, axis=(1,))


@implements(np.rot90)
def rot90(m: Value, k: int = 1, axes: Sequence[int] = (0, 1)) -> Value:
    first, second = axes
    first, second = normalize_axis_index(first, m.ndim), normalize_axis_index(second, m.ndim)
    if first == second:
        raise ValueError("Axes must be different.")
    k %= 4
    if k == 0:
        return m[:]
    if k == 2:
        return operations.flip(m, axis=(first, second))
    if k == 1:
        return swapaxes(operations.flip(m, axis=(second,)), first, second)
    return operations.flip(swapaxes(m, first, second), axis=(second,))


@implements(np.resize)
def resize(a: Value, new_shape: Any) -> Value:
    a = ravel(as_array(a))
    shape = integers(new_shape)
    total = int(np.prod(shape))
    if a.size == 0 or total == 0:
        return np.zeros(shape, a.dtype)
    return np.reshape(a[np.arange(total) % a.size], shape)


@implements(np.pad)
def pad(array: Value, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Value:
    array = as_array(array)
    ndim = array.ndim
    if isinstance(pad_width, dict):
        given = {normalize_axis_index(i, ndim): width for i, width in pad_width.items()}
        pad_width = [given.get(i, (0, 0)) for i in range(ndim)]
    pairs = np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist() if ndim else []
    widths = tuple([(operator.index(before), operator.index(after)) for before, after in pairs])
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError("index can't contain negative values")
    array = detached(array)
    if mode == "constant":
        return padded(array, widths, kwargs.get("constant_values", 0))
    if mode not in ("edge", "reflect", "symmetric", "wrap") or kwargs.get("reflect_type", "even") != "even":
        raise UnsupportedError(
            f"numpy.pad with mode={mode!r} {kwargs or ''} is not supported on traced arrays; join the parts with "
            "numpy.concatenate, or use mode='constant', 'edge', 'reflect', 'symmetric' or 'wrap'"
        )
    for axis, width in enumerate(widths):
        if width != (0, 0):
            positions = np.pad(np.arange(array.shape[axis]), width, mode=mode)
            array = array[(slice(None),) * axis + (positions,)]
    return array


def padded(array: Value, widths: tuple[tuple[int, int], ...], values: Any) -> Value:
    """Constants before and after along each axis; along later axes those of the earlier ones are padded too."""
    if type(values) in (int, float) and values == 0:
        return operations.pad(array, widths=widths)
    values = np.broadcast_to(as_array(values), (array.ndim, 2))
    for axis, width in enumerate(widths):
        parts = [array]
        for side in (0, 1):
            shape = (*array.shape[:axis], width[side], *array.shape[axis + 1 :])
            part = np.broadcast_to(values[axis, side].astype(array.dtype), shape)
            parts.insert(0, part) if side == 0 else parts.append(part)
        array = np.concatenate(parts, axis=axis)
    return array
