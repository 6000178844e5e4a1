"""Joining arrays and splitting them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from xformad.core.interpreter import shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements, refuse_out
from xformad.numpy.indexing import along, index
from xformad.operations import joining


def sequence(arrays: Any) -> list[Value]:
    """The arrays of a sequence of them; of an array its first axis."""
    return [as_array(x) for x in arrays]


def checked(joined: Callable[..., Value], arrays: list[Value], dtype: Any, casting: Any) -> list[Value]:
    """The arrays cast to `dtype=`, if given. NumPy says whether that is allowed."""
    if dtype is None:
        return arrays
    joined([np.empty((1,), getattr(x, "dtype", None)) for x in arrays], dtype=dtype, casting=casting)
    return [x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype) for x in arrays]


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: None = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Value:
    refuse_out(out, "concatenate")
    parts = checked(np.concatenate, sequence(arrays), dtype, casting)
    if axis is None:
        parts, axis = [np.ravel(x) for x in parts], 0
    return joined(parts, axis)


def joined(parts: list[Value], axis: int) -> Value:
    """Arrays joined along an axis. A shape that does not fit is refused by NumPy."""
    bounds = [0]
    ndim = len(shape_of(parts[0])) if parts else 0
    axis = normalize_axis_index(axis, ndim) if ndim else axis
    for part in parts:
        shape = shape_of(part)
        bounds.append(bounds[-1] + (shape[axis] if axis < len(shape) else 0))
    return joining.concatenate(*parts, axis=axis, bounds=tuple(bounds))


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: Any = "same_kind") -> Value:
    refuse_out(out, "stack")
    parts = checked(np.stack, sequence(arrays), dtype, casting)
    if not parts:
        raise ValueError("need at least one array to stack")
    return joining.stack(*parts, axis=normalize_axis_index(axis, len(shape_of(parts[0])) + 1))


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Value:
    return concatenate([np.atleast_2d(x) for x in sequence(tup)], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Value:
    parts = [np.atleast_1d(x) for x in sequence(tup)]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Value:
    return concatenate([np.atleast_3d(x) for x in sequence(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Value:
    parts = sequence(tup)
    return concatenate([x if len(shape_of(x)) >= 2 else np.reshape(x, (-1, 1)) for x in parts], 1)


@implements(np.block)
def block(arrays: Any) -> Value:
    depth, ndim = depth_of(arrays, []), 0
    leaves: list[Value] = []
    gather(arrays, leaves)
    ndim = max([depth, *(len(shape_of(x)) for x in leaves)])
    return joined_block(arrays, depth, ndim) if depth else as_array(arrays).copy()


def depth_of(arrays: Any, path: list[int]) -> int:
    """How deep the lists are nested; they must be so evenly."""
    if isinstance(arrays, tuple):
        raise TypeError(
            f"arrays{path} is a tuple. Only lists can be used to arrange blocks, and np.block does not allow implicit "
            "conversion from tuple to ndarray."
        )
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ValueError(f"List at arrays{path} cannot be empty")
    depths = {depth_of(x, [*path, i]) for i, x in enumerate(arrays)}
    if len(depths) != 1:
        raise ValueError(f"List depths are mismatched below arrays{path}")
    return 1 + depths.pop()


def gather(arrays: Any, leaves: list[Value]) -> None:
    if isinstance(arrays, list):
        for x in arrays:
            gather(x, leaves)
    else:
        leaves.append(arrays)


def joined_block(arrays: Any, depth: int, ndim: int) -> Value:
    """Blocks joined along the last axes, the innermost list along the last one."""
    if depth == 0:
        x = as_array(arrays)
        shape = shape_of(x)
        return np.reshape(x, (1,) * (ndim - len(shape)) + shape)
    return joined([joined_block(x, depth - 1, ndim) for x in arrays], ndim - depth)


@implements(np.append)
def append(arr: Value, values: Value, axis: int | None = None) -> Value:
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, values, axis = np.ravel(arr), np.ravel(values), 0
    return concatenate((arr, values), axis)


@implements(np.insert)
def insert(arr: Value, obj: Any, values: Value, axis: int | None = None) -> Value:
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    n = arr.shape[axis]
    shape = shape_of(values)
    single = not isinstance(obj, slice) and np.ndim(obj) == 0
    if single:
        shape = (1,) * (arr.ndim - len(shape)) + shape
        values = np.moveaxis(np.reshape(values, shape), 0, axis)
        count = values.shape[axis]
    else:
        count = len(range(n)[obj]) if isinstance(obj, slice) else inserted(obj, n)
    values = np.broadcast_to(values, (*arr.shape[:axis], count, *arr.shape[axis + 1 :]))
    order = np.insert(np.arange(n), obj, np.arange(n, n + count))
    return along(concatenate((arr, values.astype(arr.dtype)), axis), order, axis)


def inserted(obj: Any, n: int) -> int:
    """How many entries `numpy.insert` adds at these places."""
    return int(np.insert(np.zeros(n), obj, 0).size) - n


@implements(np.delete)
def delete(arr: Value, obj: Any, axis: int | None = None) -> Value:
    arr = as_array(arr)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    return along(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


@implements(np.array_split)
def array_split(ary: Value, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    ary = as_array(ary)
    axis = normalize_axis_index(axis, ary.ndim)
    n = ary.shape[axis]
    if np.ndim(indices_or_sections):
        bounds = [0, *(operator.index(i) for i in indices_or_sections), n]
    else:
        sections = operator.index(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, extra = divmod(n, sections)
        bounds = [i * each + min(i, extra) for i in range(sections + 1)]
    before = (slice(None),) * axis
    return [index(ary, (*before, slice(i, j))) for i, j in pairwise(bounds)]


@implements(np.split)
def split(ary: Value, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    if not np.ndim(indices_or_sections) and ary.shape[axis] % operator.index(indices_or_sections):
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Value, indices_or_sections: Any) -> list[Value]:
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Value, indices_or_sections: Any) -> list[Value]:
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Value, indices_or_sections: Any) -> list[Value]:
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


def unstack(x: Value, /, *, axis: int = 0) -> tuple[Value, ...]:
    if x.ndim == 0:
        raise ValueError("Input array must be at least 1-d.")
    before = (slice(None),) * normalize_axis_index(axis, x.ndim)
    return tuple([index(x, (*before, i)) for i in range(x.shape[axis])])


if hasattr(np, "unstack"):  # since NumPy 2.1
    implements(np.unstack)(unstack)
