"""Indexing: `x[...]`, and the functions that pick entries by position or by condition."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from xformad.core.dispatch import METHODS
from xformad.core.index import ARRAY
from xformad.core.interpreter import shape_of
from xformad.core.primitive import Tracer, getitem
from xformad.core.typing import Value
from xformad.core.views import link_item
from xformad.interpreters.cotangents import scatter_add
from xformad.numpy.implements import as_array, implements, normalized_axis, refuse_out
from xformad.numpy.memory import aliased, detached
from xformad.operations import indexing


@implements(method="__getitem__")
def index(x: Value, key: Any) -> Value:
    """`x[key]`."""
    static, arrays = parsed(key)
    out = getitem(x, *arrays, index=static)
    if not arrays and type(x) is Tracer:
        link_item(x, out, static)
    return out


def parsed(key: Any) -> tuple[Any, tuple[Value, ...]]:
    """An index as its static part and the arrays in it."""
    if type(key) is not tuple:
        return part(key)
    parts = []
    arrays: tuple[Value, ...] = ()
    for each in key:
        static, found = part(each)
        parts.append(static)
        arrays += found
    return parts[0] if len(parts) == 1 and arrays else tuple(parts), arrays


def part(key: Any) -> tuple[Any, tuple[Value, ...]]:
    """One entry of an index, as its static part and the arrays in it."""
    kind = type(key)
    if kind is int or key is None or key is Ellipsis or kind is bool:
        return key, ()
    if kind is slice:
        return slice(whole(key.start), whole(key.stop), whole(key.step)), ()
    if kind is np.ndarray or kind is Tracer:
        return ARRAY, (key,)
    if kind is list or kind is tuple or kind is range:
        array = METHODS["asarray"](key) if key else np.zeros(0, np.intp)
        return ARRAY, (array,)
    if isinstance(key, np.bool_):
        return bool(key), ()
    if hasattr(key, "__index__"):
        return operator.index(key), ()
    if hasattr(kind, "__array_function__") or hasattr(kind, "__array__"):
        return ARRAY, (key,)
    return key, ()  # NumPy says what is wrong with it


def whole(bound: Any) -> int | None:
    """A bound of a slice as a plain number."""
    return bound if bound is None or type(bound) is int else operator.index(bound)


def along(x: Value, positions: Value, axis: int) -> Value:
    """The entries of x at these positions along an axis, counted from the front."""
    return index(x, (slice(None),) * axis + (positions,))


def take_with_traced_indices(
    a: Value, indices: Value, axis: int | None = None, out: Value = None, mode: Any = "raise"
) -> Value:
    """`numpy.take`, which NumPy does not dispatch on the indices: where these are traced, `a` may be plain.

    >>> take_with_traced_indices(np.array([1.0, 2.0, 4.0]), [2, 0])
    array([4., 1.])
    """
    return (take if type(indices) is Tracer else np.take)(a, indices, axis, out, mode)


@implements(np.take, method="take")
def take(a: Value, indices: Value, axis: int | None = None, out: None = None, mode: str = "raise") -> Value:
    refuse_out(out, "take")
    a, indices = as_array(a), as_array(indices)
    if type(indices) is np.ndarray and indices.size == 0:
        indices = indices.astype(np.intp)
    if axis is None:
        a, axis = np.ravel(a), 0
    (axis,) = normalized_axis(axis, a.ndim)
    if mode == "wrap":
        indices = np.remainder(indices, a.shape[axis])
    elif mode == "clip":
        indices = np.minimum(np.maximum(indices, 0), a.shape[axis] - 1)
    if type(a) is not Tracer:
        a = np.asarray(a)
    if type(indices) is range:
        indices = np.asarray(indices)
    return detached(along(a, indices, axis))


@implements(np.take_along_axis)
def take_along_axis(arr: Value, indices: Value, axis: int | None = -1) -> Value:
    arr, indices = as_array(arr), as_array(indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        arr, axis = np.ravel(arr), 0
    (axis,) = normalized_axis(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    if arr.ndim == 1:
        return index(arr, indices)
    return index(arr, along_axis_index(arr.shape, indices, axis))


def along_axis_index(shape: tuple[int, ...], positions: Value, axis: int) -> tuple[Value, ...]:
    """The index of the entries at `positions` along an axis, at their own place along all others."""
    ndim = len(shape)
    places = [np.arange(n).reshape((1,) * i + (n,) + (1,) * (ndim - i - 1)) for i, n in enumerate(shape)]
    return (*places[:axis], positions, *places[axis + 1 :])


@implements(np.compress)
def compress(condition: Value, a: Value, axis: int | None = None, out: None = None) -> Value:
    refuse_out(out, "compress")
    condition = as_array(condition)
    if len(shape_of(condition)) != 1:
        raise ValueError("condition must be a 1-d array")
    return take(a, np.nonzero(condition)[0], axis)


@implements(method="compress")
def compress_method(x: Tracer, condition: Value, axis: int | None = None, out: None = None) -> Value:
    return compress(condition, x, axis, out)


@implements(np.extract)
def extract(condition: Value, arr: Value) -> Value:
    return np.ravel(as_array(arr))[np.nonzero(np.ravel(as_array(condition)))[0]]


@implements(np.diagonal, method="diagonal")
def diagonal(a: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    first, second = np.lib.array_utils.normalize_axis_tuple((axis1, axis2), a.ndim, "axis1 or axis2")
    rest = tuple(i for i in range(a.ndim) if i not in (first, second))
    moved = a if (*rest, first, second) == tuple(range(a.ndim)) else np.transpose(a, (*rest, first, second))
    rows, columns = a.shape[first], a.shape[second]
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    steps = np.arange(length)
    return aliased(moved[..., steps + max(0, -offset), steps + max(0, offset)], a)


@implements(np.trace, method="trace")
def trace(a: Value, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Value:
    refuse_out(out, "trace")
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.diag)
def diag(v: Value, k: int = 0) -> Value:
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    length = v.size + abs(k)
    steps = np.arange(v.size)
    return scatter_add(
        v,
        steps + max(0, -k),
        steps + max(0, k),
        indices=(((ARRAY, ARRAY), 2),),
        shape=(length, length),
        dtype=v.dtype,
    )


@implements(np.diagflat)
def diagflat(v: Value, k: int = 0) -> Value:
    return diag(np.ravel(as_array(v)), k)


def triangle(m: Value, k: int) -> Value:
    """Where the last two axes of m are on the k-th diagonal or below. A vector stands for a matrix of such rows."""
    lengths = m.shape[-2:]
    return np.tri(lengths[0], lengths[-1], k, bool)


@implements(np.tril)
def tril(m: Value, k: int = 0) -> Value:
    return np.where(triangle(m, k), m, np.zeros(1, m.dtype))


@implements(np.triu)
def triu(m: Value, k: int = 0) -> Value:
    return np.where(triangle(m, k - 1), np.zeros(1, m.dtype), m)


@implements(np.tril_indices_from)
def tril_indices_from(arr: Value, k: int = 0) -> Value:
    return np.tril_indices(arr.shape[-2], k, arr.shape[-1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Value, k: int = 0) -> Value:
    return np.triu_indices(arr.shape[-2], k, arr.shape[-1])


@implements(np.diag_indices_from)
def diag_indices_from(arr: Value) -> Value:
    return np.diag_indices_from(np.zeros(arr.shape, bool))


@implements(np.nonzero, method="nonzero")
def nonzero(a: Value) -> tuple[Value, ...]:
    found: tuple[Value, ...] = indexing.nonzero(a)
    return found


@implements(np.flatnonzero)
def flatnonzero(a: Value) -> Value:
    return nonzero(np.ravel(a))[0]


@implements(np.argwhere)
def argwhere(a: Value) -> Value:
    if a.ndim == 0:
        return argwhere(np.reshape(a, 1))[:, :0]
    return np.stack(nonzero(a), axis=1)


def leaving(name: str) -> Callable[..., Any]:
    """A method of ndarray that turns the array into plain Python values: what the interpreter allows."""

    def method(x: Tracer, *args: Any) -> Any:
        return getattr(np.asarray(x.interpreter.concretize(x, f"x.{name}()")), name)(*args)

    return method


for name in ("item", "tolist"):
    METHODS[name] = leaving(name)
