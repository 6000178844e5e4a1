"""Shapes and element types: operations that rearrange, repeat or convert the entries of one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Shape, Value
from xformad.interpreters.cotangents import cast, unbroadcast
from xformad.interpreters.index_sets import defindexset, elementwise
from xformad.operations.makers import moves, nondifferentiable


def reshape_value(x: Value, shape: Shape, order: str = "C") -> Value:
    return np.reshape(x, shape, order=order)  # type: ignore[call-overload]


def reshape_vjp(g: Value, _ans: Value, _x: Value, shape: Shape, order: str = "C") -> Value:
    return reshape(g, shape=_x.shape) if order == "C" else reshape(g, shape=_x.shape, order=order)


reshape: Primitive = moves("reshape", reshape_value, reshape_vjp)


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
)

flip: Primitive = moves("flip", lambda x, axis: np.flip(x, axis), lambda g, _ans, _x, axis: flip(g, axis=axis))

roll: Primitive = moves(
    "roll",
    lambda x, shift, axis: np.roll(x, shift, axis),
    lambda g, _ans, _x, shift, axis: roll(g, shift=tuple([-each for each in shift]), axis=axis),
)


def broadcast_vjp(g: Value, _ans: Value, _x: Value, shape: Shape) -> Value:
    return unbroadcast(g, _x.shape)


broadcast: Primitive = moves("broadcast", lambda x, shape: np.broadcast_to(x, shape), broadcast_vjp)


def pad_vjp(g: Value, _ans: Value, _x: Value, widths: tuple[tuple[int, int], ...]) -> Value:
    return g[tuple([slice(before, before + n) for (before, _), n in zip(widths, _x.shape, strict=True)])]


# Zeros before and after along each axis: the transpose cuts them off.
pad = moves("pad", lambda x, widths: np.pad(x, widths), pad_vjp)


def copy_value(x: Value, order: Any) -> Value:
    return x.copy(order) if isinstance(x, np.ndarray) else x


copy = moves("copy", copy_value, lambda g, _ans, _x, order: g)  # noqa: ARG005


def converted(x: Value, dtype: np.dtype[Any]) -> Value:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x).astype(dtype)[()]


def astype_vjp(g: Value, _ans: Value, _x: Value, dtype: np.dtype[Any]) -> Value:
    return cast(g, _x.dtype)


# From a complex to a real dtype NumPy drops the imaginary part, and warns.
astype = moves("astype", converted, astype_vjp)
defindexset(astype, elementwise)

# To whole numbers, truth values and all else that has no derivative.
discretize = nondifferentiable("discretize", converted)
