"""Positions: between those in an array and those in the flat one, and grids of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements
from xformad.numpy.shapes import integers


def refuse_fortran(order: str, name: str) -> None:
    if order != "C":
        raise UnsupportedError(
            f"numpy.{name} of traced positions has order='C' only; reverse the shape and the positions"
        )


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Value, ...]:
    refuse_fortran(order, "unravel_index")
    indices, shape = as_array(indices), integers(shape)
    if anywhere(np.logical_or(indices < 0, indices >= int(np.prod(shape)))):
        raise ValueError(f"index is out of bounds for array with size {int(np.prod(shape))}")
    found = []
    for length in reversed(shape):
        found.append(np.remainder(indices, length))
        indices = np.floor_divide(indices, length)
    return tuple(found[::-1])


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Value:
    refuse_fortran(order, "ravel_multi_index")
    dims = integers(dims)
    modes = [mode] * len(dims) if isinstance(mode, str) else mode
    flat: Value = 0
    for index, length, how in zip([as_array(multi_index[i]) for i in range(len(dims))], dims, modes, strict=True):
        if how == "wrap":
            index = np.remainder(index, length)
        elif how == "clip":
            index = np.minimum(np.maximum(index, 0), length - 1)
        elif anywhere(np.logical_or(index < 0, index >= length)):
            raise ValueError("invalid entry in coordinates array")
        flat = flat * length + index
    return flat


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Value, ...]:
    found = []
    for i, x in enumerate(map(as_array, args)):
        if len(shape_of(x)) != 1:
            raise ValueError("Cross index must be 1 dimensional")
        places = np.nonzero(x)[0] if dtype_of(x).kind == "b" else x
        found.append(np.reshape(places, [-1 if j == i else 1 for j in range(len(args))]))
    return tuple(found)
