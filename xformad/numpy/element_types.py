"""Element types, copies and arrays made like another: `astype`, `copy`, `shape`, `result_type`, `zeros_like`."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.dispatch import ATTRIBUTES
from xformad.core.interpreter import concrete, dtype_of, plain, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements, normalized_axis
from xformad.numpy.memory import aliased, detached, writable
from xformad.numpy.shapes import integers
from xformad.operations import shape as operations


@implements(np.astype)
def astype(x: Value, dtype: Any, /, *, copy: bool = True, device: None = None) -> Value:
    to = np.dtype(dtype)
    if not copy and to == dtype_of(x):
        return x
    if to.kind in "fc":
        return operations.astype(x, dtype=to)
    if to.kind not in "iub":
        raise UnsupportedError(f"astype to {to} is not supported on traced arrays; print numbers with f'{{x}}'")
    return operations.discretize(x, dtype=to)


@implements(method="astype")
def astype_method(
    x: Tracer,
    dtype: Any,
    order: str = "K",
    casting: Any = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> Value:
    if casting != "unsafe" and not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {x.dtype!r} to {np.dtype(dtype)!r} according to the rule '{casting}'"
        )
    if copy or np.dtype(dtype) != x.dtype:
        return astype(x, dtype)
    return x if order == "K" else aliased(operations.astype(x, dtype=x.dtype), x)


@implements(np.copy)
def copy(a: Value, order: str = "K", subok: bool = False) -> Value:
    return operations.copy(a, order=order)


@implements(method="copy")
def copy_method(x: Tracer, order: str = "C") -> Value:
    return operations.copy(x, order=order)


@implements(np.shape)
def shape(a: Value) -> Shape:
    return shape_of(a)


@implements(np.ndim)
def ndim(a: Value) -> int:
    return len(shape_of(a))


@implements(np.size)
def size(a: Value, axis: Any = None) -> int:
    lengths = shape_of(a)
    total = 1
    for i in normalized_axis(axis, len(lengths)):
        total *= lengths[i]
    return total


ATTRIBUTES["itemsize"] = lambda x: x.dtype.itemsize
ATTRIBUTES["nbytes"] = lambda x: x.dtype.itemsize * x.size


@implements(np.iscomplexobj)
def iscomplexobj(x: Value) -> bool:
    return dtype_of(x).kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Value) -> bool:
    return dtype_of(x).kind != "c"


def type_like(x: Value) -> Any:
    """What stands for a traced array where only types matter: a Python number is a weak type."""
    if type(x) is not Tracer:
        return x
    value = concrete(x)
    return value if type(value) in (int, float, complex) else x.dtype


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Value) -> np.dtype[Any]:
    return np.result_type(*[type_like(x) for x in arrays_and_dtypes])


@implements(np.can_cast)
def can_cast(from_: Value, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(from_.dtype if type(from_) is Tracer else from_, to, casting)


@implements(np.min_scalar_type)
def min_scalar_type(a: Value) -> np.dtype[Any]:
    return np.min_scalar_type(plain(a))


@implements(np.common_type)
def common_type(*arrays: Value) -> Any:
    return np.common_type(*[np.empty(0, dtype_of(x)) for x in arrays])


def like_of(a: Value, dtype: Any, shape: Any) -> tuple[Shape, np.dtype[Any]]:
    """The shape and dtype that a `..._like` function asks for."""
    return shape_of(a) if shape is None else integers(shape), np.dtype(dtype_of(a) if dtype is None else dtype)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Value,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: None = None,
) -> Value:
    return writable(np.zeros(*like_of(a, dtype, shape)), own=True)


@implements(np.ones_like)
def ones_like(
    a: Value,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: None = None,
) -> Value:
    return writable(np.ones(*like_of(a, dtype, shape)), own=True)


@implements(np.full_like)
def full_like(
    a: Value,
    /,
    fill_value: Value,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: None = None,
) -> Value:
    shape, dtype = like_of(a, dtype, shape)
    fill_value = as_array(fill_value)
    if type(fill_value) is not Tracer:
        return writable(np.full(shape, fill_value, dtype), own=True)
    return detached(np.broadcast_to(fill_value if fill_value.dtype == dtype else astype(fill_value, dtype), shape))
