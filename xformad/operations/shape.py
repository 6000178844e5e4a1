"""Shapes and element types: operations that rearrange, repeat or convert the entries of one array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xformad.core.interpreter import ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Shape, Value
from xformad.interpreters.batch_rules import Batched, along_axes, defbatch, defbatch_elementwise, widened
from xformad.interpreters.cotangents import cast, unbroadcast
from xformad.interpreters.index_sets import defindexset, elementwise
from xformad.operations.makers import moves, nondifferentiable


def reshape_value(x: Value, shape: Shape, order: str = "C") -> Value:
    return np.reshape(x, shape, order=order)  # type: ignore[call-overload]


def reshape_vjp(g: Value, _ans: Value, _x: Value, shape: Shape, order: str = "C") -> Value:
    return reshape(g, shape=_x.shape) if order == "C" else reshape(g, shape=_x.shape, order=order)


reshape: Primitive = moves("reshape", reshape_value, reshape_vjp, view=True)


def reshape_batch(size: int, _batched: Batched, x: Value, shape: Shape, order: str = "C") -> Value:
    if order == "C":
        return reshape(x, shape=(size, *shape))
    last = reshape(np.moveaxis(x, 0, -1), shape=(*shape, size), order=order)  # the slowest axis in Fortran's order
    return np.moveaxis(last, -1, 0)


defbatch(reshape, reshape_batch)


def ravel_vjp(g: Value, _ans: Value, _x: Value, order: str) -> Value:
    return reshape_vjp(g, _ans, _x, shape=(-1,), order=order)


# As `reshape`, but the result is contiguous in memory: a copy where that is not.
ravel: Primitive = moves("ravel", lambda x, order: np.ravel(x, order), ravel_vjp, view=True)
defbatch(ravel, lambda size, batched, x, order: reshape_batch(size, batched, x, (math.prod(shape_of(x)[1:]),), order))


def inverse(axes: Shape) -> Shape:
    """The permutation that undoes `axes`.

    >>> inverse((1, 2, 0))
    (2, 0, 1)
    """
    order = [0] * len(axes)
    for i, axis in enumerate(axes):
        order[axis] = i
    return tuple(order)


transpose: Primitive = moves(
    "transpose",
    lambda x, axes: np.transpose(x, axes),
    lambda g, _ans, _x, axes: transpose(g, axes=inverse(axes)),
    view=True,
)
defbatch(transpose, lambda _size, _batched, x, axes: transpose(x, axes=(0, *[i + 1 for i in axes])))

flip: Primitive = moves(
    "flip", lambda x, axis: np.flip(x, axis), lambda g, _ans, _x, axis: flip(g, axis=axis), view=True
)
defbatch(flip, along_axes(flip))

roll: Primitive = moves(
    "roll",
    lambda x, shift, axis: np.roll(x, shift, axis),
    lambda g, _ans, _x, shift, axis: roll(g, shift=tuple([-each for each in shift]), axis=axis),
)
defbatch(roll, along_axes(roll))


def broadcast_vjp(g: Value, _ans: Value, _x: Value, shape: Shape) -> Value:
    return unbroadcast(g, _x.shape)


broadcast: Primitive = moves("broadcast", lambda x, shape: np.broadcast_to(x, shape), broadcast_vjp, view=True)
defbatch(
    broadcast,
    lambda size, _batched, x, shape: broadcast(widened(x, max(len(shape), ndim_of(x) - 1)), shape=(size, *shape)),
)


def pad_vjp(g: Value, _ans: Value, _x: Value, widths: tuple[tuple[int, int], ...]) -> Value:
    return g[tuple([slice(before, before + n) for (before, _), n in zip(widths, _x.shape, strict=True)])]


# Zeros before and after along each axis: the transpose cuts them off.
pad = moves("pad", lambda x, widths: np.pad(x, widths), pad_vjp)
defbatch(pad, lambda _size, _batched, x, widths: pad(x, widths=((0, 0), *widths)))


def copy_value(x: Value, order: Any) -> Value:
    return x.copy(order) if isinstance(x, np.ndarray) else x


copy = moves("copy", copy_value, lambda g, _ans, _x, order: g)  # noqa: ARG005


def copy_batch(_size: int, _batched: Batched, x: Value, order: Any) -> Value:
    if order not in ("F", "f") or x.ndim < 3:
        return copy(x, order=order)
    backwards = (0, *range(x.ndim - 1, 0, -1))  # each example in Fortran's order
    return np.transpose(copy(np.transpose(x, backwards), order="C"), backwards)


defbatch(copy, copy_batch)


def converted(x: Value, dtype: np.dtype[Any]) -> Value:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x).astype(dtype)[()]


def astype_vjp(g: Value, _ans: Value, _x: Value, dtype: np.dtype[Any]) -> Value:
    return cast(g, _x.dtype)


# From a complex to a real dtype NumPy drops the imaginary part, and warns.
astype = moves("astype", converted, astype_vjp)
defindexset(astype, elementwise)
defbatch_elementwise(astype)

# To whole numbers, truth values and all else that has no derivative.
discretize = nondifferentiable("discretize", converted)
defbatch_elementwise(discretize)
