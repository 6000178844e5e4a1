"""Functions that write into an array: `put`, `place`, `copyto`, `fill_diagonal`, ..., `ufunc.at`, and `out=` arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xformad import tree
from xformad.core.dispatch import FUNCTIONS, METHODS, UFUNC_METHODS, unsupported
from xformad.core.index import assemble
from xformad.core.interpreter import dtype_of, held, shape_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import ConcretizationError, UnsupportedError
from xformad.interpreters.cotangents import scatter_add
from xformad.numpy import folds, reductions
from xformad.numpy.elementwise import call
from xformad.numpy.implements import as_array, implements
from xformad.numpy.in_place import fitted, write, write_result
from xformad.numpy.indexing import along_axis_index, parsed
from xformad.numpy.memory import writable
from xformad.numpy.sorting import partition, sort


def destination(x: Value, name: str) -> Tracer:
    """What a function is to write into.

    Raises:
        ConcretizationError: if it is a plain array, which cannot hold traced values.
    """
    if type(x) is Tracer:
        return x
    raise ConcretizationError(
        f"{name} at {user_line()} would write traced values into a plain array and drop what is traced; "
        "make the array by xformad.numpy.zeros, array or another function of xformad.numpy, inside of the function"
    )


def repeated(values: Value, count: int) -> Value:
    """The entries of values, from the start again after the last one, `count` in all."""
    values = np.ravel(as_array(values))
    if shape_of(values)[0] == count:
        return values
    return values[np.arange(count) % max(1, shape_of(values)[0])] if count else values[:0]


def write_flat(x: Tracer, positions: Any, values: Value) -> None:
    """`x.flat[positions] = values`."""
    write(x, tuple(np.unravel_index(positions, x.shape)), values)


@implements(np.put)
def put(a: Value, ind: Any, v: Value, mode: str = "raise") -> None:
    a = destination(a, "numpy.put")
    positions = np.asarray(ind).ravel()
    if positions.size == 0:
        return
    size = a.size
    if mode == "wrap":
        positions = positions % size
    elif mode == "clip":
        positions = np.clip(positions, 0, size - 1)
    elif positions.max() >= size or positions.min() < -size:
        outside = positions[(positions >= size) | (positions < -size)][0]
        raise IndexError(f"index {outside} is out of bounds for axis 0 with size {size}")
    if shape_of(np.ravel(as_array(v))) == (0,):
        return
    write_flat(a, positions % size, repeated(v, positions.size))


@implements(method="put")
def put_method(x: Tracer, indices: Any, values: Value, mode: str = "raise") -> None:
    put(x, indices, values, mode)


@implements(np.put_along_axis)
def put_along_axis(arr: Value, indices: Value, values: Value, axis: int | None) -> None:
    arr, indices = destination(arr, "numpy.put_along_axis"), as_array(indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        write_flat(arr, np.asarray(indices) % max(1, arr.size), values)
        return
    axis = np.lib.array_utils.normalize_axis_index(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    write(arr, along_axis_index(arr.shape, indices, axis), values)


def chosen(mask: Any, x: Tracer, name: str) -> Any:
    """The flat positions where a mask is true."""
    mask = np.asarray(mask)
    if mask.size != x.size:
        raise ValueError(f"{name}: mask and data must be the same size")
    return np.flatnonzero(mask)


@implements(np.place)
def place(arr: Value, mask: Any, vals: Value) -> None:
    arr = destination(arr, "numpy.place")
    positions = chosen(mask, arr, "place")
    if positions.size == 0:
        return
    if shape_of(np.ravel(as_array(vals))) == (0,):
        raise ValueError("Cannot insert from an empty array!")
    write_flat(arr, positions, repeated(vals, positions.size))


@implements(np.putmask)
def putmask(a: Value, mask: Any, values: Value) -> None:
    a = destination(a, "numpy.putmask")
    positions = chosen(mask, a, "putmask")
    if shape_of(np.ravel(as_array(values))) == (0,):
        return
    write_flat(a, positions, repeated(values, a.size)[positions])


@implements(np.copyto)
def copyto(dst: Value, src: Value, casting: Any = "same_kind", where: Value = True) -> None:
    dst, src = destination(dst, "numpy.copyto"), held(as_array(src))
    if type(src) not in (int, float, complex) and not np.can_cast(dtype_of(src), dst.dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {dtype_of(src)!r} to {dst.dtype!r} according to the rule '{casting}'"
        )
    if where is True:
        write(dst, ..., src)
    else:
        shape = np.broadcast_shapes(dst.shape, shape_of(where))
        write(dst, ..., np.where(np.broadcast_to(where, shape), src, held(dst)))


@implements(np.fill_diagonal)
def fill_diagonal(a: Value, val: Value, wrap: bool = False) -> None:
    a = destination(a, "numpy.fill_diagonal")
    shape = a.shape
    if len(shape) < 2:
        raise ValueError("array must be at least 2-d")
    end = None
    if len(shape) == 2:
        step = shape[1] + 1
        end = None if wrap else shape[1] * shape[1]
    else:
        if len(set(shape)) > 1:
            raise ValueError("All dimensions of input must be of equal length")
        step = 1 + sum(math.prod(shape[:i]) for i in range(1, len(shape)))
    positions = np.arange(a.size)[:end:step]
    write_flat(a, positions, repeated(val, positions.size))


@implements(method="fill")
def fill(x: Tracer, value: Value) -> None:
    if shape_of(as_array(value)):
        raise ValueError("setting an array element with a sequence.")
    write(x, ..., value)


@implements(method="sort")
def sort_method(x: Tracer, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    write(x, ..., sort(x, axis, kind, order, stable=stable))


@implements(method="partition")
def partition_method(x: Tracer, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None) -> None:
    write(x, ..., partition(x, kth, axis, kind, order))


def at(ufunc: Any, a: Value, indices: Any, *values: Value) -> None:
    """`ufunc.at`: as `a[indices] = ufunc(a[indices], values)`, but an entry that is there twice is served twice."""
    name = f"numpy.{ufunc.__name__}.at"
    a = destination(a, name)
    static, arrays = parsed(indices)
    arrays = tuple(map(held, arrays))
    present = held(a)
    part = present[indices]
    if ufunc in (np.add, np.subtract):
        v = fitted(values[0], shape_of(part), a.dtype)
        total = scatter_add(v, *arrays, indices=((static, len(arrays)),), shape=a.shape, dtype=a.dtype)
        write(a, ..., ufunc(present, total))
        return
    found = np.ravel(np.arange(a.size).reshape(a.shape)[assemble(static, tuple(map(np.asarray, arrays)))])
    if len(np.unique(found)) != len(found):
        raise UnsupportedError(
            f"{name} with an entry indexed twice is not supported on traced arrays at {user_line()}; loop over the indices, "
            "or use numpy.add.at"
        )
    write(a, indices, ufunc(part, *map(held, values)))


# Arguments `out=`.


def into(out: Any, result: Value, name: str, where: Value = True) -> Value:
    """Put a result where an argument `out` says, or, if that is None, return it."""
    if out is None:
        return result
    x = destination(out, name)
    if where is not True:
        result = np.where(where, result, held(x))
    write_result(x, result, name)
    return x


def call_into(ufunc: Any, *inputs: Any, out: Any = None, where: Value = True, **options: Any) -> Value:
    """A ufunc called with keywords."""
    if out is None:
        return call(ufunc, *inputs, where=where, **options)
    name = f"numpy.{ufunc.__name__}"
    for x in out:
        if x is not None:
            destination(x, name)
    results = call(ufunc, *inputs, **options)
    if len(out) == 1:
        return into(out[0], spread(results, out[0]), name, where)
    return tuple([into(x, spread(result, x), name, where) for x, result in zip(out, results, strict=True)])


def spread(result: Value, out: Value) -> Value:
    """The result of a ufunc for `out`: the operands are broadcast to it."""
    shape = shape_of(result) if out is None else shape_of(out)
    fits = shape_of(result) != shape and np.broadcast_shapes(shape_of(result), shape) == shape
    return np.broadcast_to(result, shape) if fits else result


def method_into(method: Any) -> Any:
    """A method of ufuncs, such as `numpy.add.reduce`, with `out=`."""

    def face(ufunc: Any, *inputs: Any, out: Any = None, **options: Any) -> Value:
        return into(folds.first_or_none(out), method(ufunc, *inputs, **options), f"numpy.{ufunc.__name__}")

    return face


def function_into(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Value:
    """A function called with `out=`."""
    out = kwargs["out"]
    rest = {key: value for key, value in kwargs.items() if key != "out"}
    name = f"{function.__module__}.{function.__name__}"
    return into(None if out is None else destination(out, name), FUNCTIONS[function](*args, **rest), name)


def unknown(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Value:
    """A function without a face: NumPy's own, where no array holds traced values, on copies.

    Raises:
        UnsupportedError: if one does.
    """
    values = tree.map(held, (args, kwargs))
    if any(type(x) is Tracer for x in tree.leaves_of(values)):
        raise UnsupportedError(unsupported(function))
    return tree.map(writable, function(*values[0], **values[1]))


METHODS["__out__"] = function_into
METHODS["__unknown__"] = unknown
UFUNC_METHODS.update(
    {
        "__call__": call_into,
        "reduce": method_into(reductions.reduce),
        "accumulate": method_into(reductions.accumulate),
        "at": at,
    }
)
