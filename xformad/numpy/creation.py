"""Making arrays of nested lists that hold traced values: `array`, `asarray`, `asanyarray`, `ascontiguousarray`.

NumPy does not dispatch these. A call without traced values is NumPy's own; one with them NumPy refuses, as it would
drop their derivatives, and then the lists are joined by `stack`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import array as numpy_array
from numpy import asanyarray as numpy_asanyarray
from numpy import asarray as numpy_asarray
from numpy import ascontiguousarray as numpy_ascontiguousarray

from xformad.core.dispatch import METHODS
from xformad.core.interpreter import shape_of, stack
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.errors import ConcretizationError
from xformad.numpy.memory import MEMORY, aliased, detached, writable
from xformad.operations import joining
from xformad.operations import shape as operations


def array(object: Any, *args: Any, **kwargs: Any) -> Value:
    """An array of numbers, arrays, traced values, and nested lists of these. The arguments are those of `numpy.array`.

    Raises:
        ValueError: if the lists are not regular.

    >>> array([1.0, 2.0], dtype="float32")
    array([1., 2.], dtype=float32)
    """
    if type(object) is Tracer or (stack.live and type(object) in (list, tuple) and Tracer in map(type, object)):
        return array_of(object, *args, **kwargs)
    try:
        made = np.array(object, *args, **kwargs) if args or kwargs else numpy_array(object)
    except ConcretizationError:
        return array_of(object, *args, **kwargs)
    return writable(made, order=None if isinstance(object, np.ndarray) else order_of(made)) if stack.live else made


def array_of(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
    like: Any = None,
) -> Value:
    """`numpy.array` of what holds traced values."""
    del subok, ndmax, like
    result = assembled(object)
    if dtype is not None and np.dtype(dtype) != result.dtype:
        result = result.astype(dtype)
    elif result is object:
        result = operations.copy(result, order="K") if copy else laid_out(result, order)
    shape = shape_of(result)
    return result if len(shape) >= ndmin else np.reshape(result, (1,) * (ndmin - len(shape)) + shape)


def laid_out(x: Tracer, order: str | None) -> Value:
    """A traced array in an order in memory, `"C"` or `"F"`: NumPy copies where it does not lie in that."""
    if order is None or order in "KA":
        return x
    if x.interpreter is MEMORY:
        window = x.extra
        if window.frozen or not window.storage.certain:
            return aliased(x, x)
        flags = window.positions().flags
        return x if (flags.c_contiguous if order == "C" else flags.f_contiguous) else detached(x)
    return x if x.memory is None and sum(n != 1 for n in x.shape) <= 1 else aliased(x, x)


def asarray(a: Any, *args: Any, **kwargs: Any) -> Value:
    """As `array`, without a copy of what is an array already.

    >>> asarray([1.0, 2.0])
    array([1., 2.])
    """
    if type(a) is Tracer:
        return asarray_of(a, *args, **kwargs)
    try:
        return np.asarray(a, *args, **kwargs) if args or kwargs else numpy_asarray(a)
    except ConcretizationError:
        return asarray_of(a, *args, **kwargs)


def asanyarray(a: Any, *args: Any, **kwargs: Any) -> Value:
    """As `asarray`; subclasses of ndarray pass.

    >>> asanyarray([1.0, 2.0])
    array([1., 2.])
    """
    if type(a) is Tracer:
        return asarray_of(a, *args, **kwargs)
    try:
        return np.asanyarray(a, *args, **kwargs) if args or kwargs else numpy_asanyarray(a)
    except ConcretizationError:
        return asarray_of(a, *args, **kwargs)


def asarray_of(
    a: Any, dtype: Any = None, order: str = "K", *, device: Any = None, copy: bool | None = None, like: Any = None
) -> Value:
    """`numpy.asarray` of what holds traced values."""
    del device
    return array_of(a, dtype, order=order, copy=copy, like=like)


def ascontiguousarray(a: Any, *args: Any, **kwargs: Any) -> Value:
    """As `asarray`, of at least one dimension, contiguous in memory.

    >>> ascontiguousarray(2.0)
    array([2.])
    """
    if type(a) is Tracer:
        return contiguous_of(a, *args, **kwargs)
    try:
        return np.ascontiguousarray(a, *args, **kwargs) if args or kwargs else numpy_ascontiguousarray(a)
    except ConcretizationError:
        return contiguous_of(a, *args, **kwargs)


def contiguous_of(a: Any, dtype: Any = None, *, like: Any = None) -> Value:
    """`numpy.ascontiguousarray` of what holds traced values."""
    return array_of(a, dtype, copy=False, order="C", ndmin=1, like=like)


def assembled(x: Any) -> Value:
    """A traced value as it is; nested lists with traced values in them as one array."""
    if type(x) is Tracer or not isinstance(x, list | tuple):
        return x
    leaves: list[Value] = []
    lengths = regular(x, leaves)
    if lengths is not None:  # all leaves at once
        flat = stacked(leaves)
        return flat if len(lengths) == 1 else operations.reshape(flat, shape=lengths + shape_of(leaves[0]))
    return stacked([assembled(each) for each in x])


def stacked(parts: list[Value]) -> Value:
    shape = shape_of(parts[0])
    if any(shape_of(part) != shape for part in parts):
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous shape: its parts have "
            f"the shapes {', '.join(dict.fromkeys(str(shape_of(part)) for part in parts))}"
        )
    return joining.stack(*parts, axis=0)


def regular(x: Any, leaves: list[Value]) -> Shape | None:
    """Collect the leaves of nested lists and return the lists' lengths; None where they differ."""
    if type(x) is Tracer or not isinstance(x, list | tuple):
        leaves.append(x)
        return ()
    inside = {regular(each, leaves) for each in x}
    lengths = inside.pop() if len(inside) == 1 else None
    return None if lengths is None else (len(x), *lengths)


METHODS["asarray"] = asarray


# Arrays to write into: see `xformad.numpy.memory`.


def order_of(x: Any) -> str | None:
    """How an array that NumPy made lies in memory; None if in another way."""
    return "C" if x.flags.c_contiguous else "F" if x.flags.f_contiguous else None


def making(function: Callable[..., Any], like: bool = False) -> Callable[..., Any]:
    """A function of NumPy that makes an array. In a program under transformation, traced values may be written into it.

    Args:
        function: NumPy's.
        like: whether the array is made like another one.
    """

    @functools.wraps(function)
    def made(first: Any = None, /, *others: Any, **kwargs: Any) -> Value:
        if first is not None and not others and not kwargs and not stack.live:  # the usual call, in half the time
            return function(first)
        args = others if first is None else (first, *others)
        out = function(*args, **kwargs)
        if type(out) is not np.ndarray or not stack.live:
            return out
        return writable(out, own=True, order=None if like else order_of(out))

    return made


zeros, ones, empty = making(np.zeros), making(np.ones), making(np.empty)
eye, identity = making(np.eye), making(np.identity)
arange, linspace = making(np.arange), making(np.linspace)
zeros_like, ones_like, empty_like = making(np.zeros_like, True), making(np.ones_like, True), making(np.empty_like, True)
numpy_full, full_like, copy = making(np.full), making(np.full_like, True), making(np.copy, True)


@functools.wraps(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **kwargs: Any) -> Value:
    if type(fill_value) is not Tracer:
        return numpy_full(shape, fill_value, dtype, order=order, **kwargs)
    value = fill_value if dtype is None else fill_value.astype(dtype)
    return detached(np.broadcast_to(value, shape))
