"""Autograd's `autograd.numpy.numpy_wrapper`: NumPy's namespace, and what Autograd adds to it.

The functions are those of `xformad.numpy`, so mostly NumPy's own. Those here take more: lists that hold traced numbers,
which Autograd hands to NumPy as arrays of objects.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy

import xformad.numpy
from xformad import tree
from xformad.compat.autograd.primitives import notrace_primitive, primitive
from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value

numpy_version = numpy.__version__


def holds_tracer(x: Any) -> bool:
    """Whether x is a list or tuple with a traced value in it."""
    return type(x) in (list, tuple) and any(type(leaf) is Tracer for leaf in tree.leaves_of(x))


def of_lists(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes lists of traced numbers as well."""

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if type(arg) in (list, tuple) and any(map(holds_tracer, args)):
                args = tuple([xformad.numpy.array(arg) if holds_tracer(arg) else arg for arg in args])
                break
        return fun(*args, **kwargs)

    return wrapped


def of_iterables(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function that joins arrays and takes them from any iterable, lists of traced numbers among them."""

    @functools.wraps(fun)
    def wrapped(arrays: Any, *args: Any, **kwargs: Any) -> Any:
        if type(arrays) is not Tracer and not isinstance(arrays, numpy.ndarray):
            arrays = [xformad.numpy.array(each) if holds_tracer(each) else each for each in arrays]
        return fun(arrays, *args, **kwargs)

    return wrapped


def where(condition: Any, *args: Any, **kwargs: Any) -> Any:
    """NumPy's `where`; of Python's numbers, a Python number, as in Autograd.

    Raises:
        ValueError: if one of `x` and `y` is given without the other.
    """
    if not args and not kwargs:
        return numpy.where(condition)
    if len(args) + len(kwargs) != 2:
        raise ValueError("either both or neither of x and y should be given")
    x = args[0] if args else kwargs["x"]
    y = args[1] if len(args) > 1 else kwargs["y"]
    if any(map(holds_tracer, (condition, x, y))):
        condition, x, y = (xformad.numpy.array(each) if holds_tracer(each) else each for each in (condition, x, y))
    result = numpy.where(condition, x, y)
    plain = type(result) is numpy.ndarray and not any(map(holds_array, (condition, x, y)))
    return result.tolist() if plain else result


def holds_array(x: Any) -> bool:
    return any(isinstance(leaf, numpy.ndarray | numpy.generic | Tracer) for leaf in tree.leaves_of(x))


def full(shape: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Value:
    """NumPy's `full`; the number may be traced."""
    if type(fill_value) is not Tracer:
        return numpy.full(shape, fill_value, dtype, *args, **kwargs)
    return fill_value * numpy.ones(shape, dtype_of(fill_value) if dtype is None else dtype)


def make_diagonal(D: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """Matrices with D in their diagonals.

    Raises:
        NotImplementedError: for other diagonals than the main one of the last two axes.
    """
    if (offset, axis1, axis2) != (0, -1, -2):
        raise NotImplementedError("Currently make_diagonal only supports offset=0, axis1=-1, axis2=-2")
    return D[..., None] * numpy.eye(shape_of(D)[-1], dtype=dtype_of(D))


def concatenate_args(axis: int | None, *args: Value) -> Value:
    """`concatenate` of the arguments."""
    return numpy.concatenate(args, axis)


def array_from_args(array_args: tuple[Any, ...], array_kwargs: dict[str, Any], *args: Value) -> Value:
    """`array` of the arguments."""
    return xformad.numpy.array(args, *array_args, **array_kwargs)


def metadata(A: Value) -> tuple[tuple[int, ...], int, Any, bool]:
    """The shape of a value, its number of axes, its dtype, and whether it is complex."""
    dtype = dtype_of(A)
    return shape_of(A), ndim_of(A), dtype, dtype.kind == "c"


class Joined:
    """`r_` and `c_`, of traced values too."""

    def __init__(self, plain: Any, columns: bool) -> None:
        self.plain = plain
        self.columns = columns

    def __getitem__(self, items: Any) -> Value:
        parts = items if type(items) is tuple else (items,)
        if not any(type(part) is Tracer or holds_tracer(part) for part in parts):
            return self.plain[items]
        arrays = [self.plain[part] if isinstance(part, slice) else xformad.numpy.array(part) for part in parts]
        if self.columns:
            arrays = [part[:, None] if part.ndim == 1 else numpy.atleast_2d(part) for part in arrays]
        return numpy.concatenate([numpy.atleast_1d(part) for part in arrays], axis=-1)


def wrap_namespace(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Put a namespace's functions into another one as primitives, and its numbers and types as they are."""
    wrapped: dict[int, Any] = {}
    for name, value in old.items():
        if callable(value) and type(value) is not type:
            if id(value) not in wrapped:
                wrapped[id(value)] = primitive(value)
            new[name] = wrapped[id(value)]
        elif isinstance(value, float | int | type | None):
            new[name] = value


OF_LISTS: Final = (
    *("amax", "amin", "average", "cumprod", "cumsum", "dot", "inner", "matmul", "max", "mean", "min", "outer", "prod"),
    *("ravel", "reshape", "std", "sum", "tensordot", "transpose", "var"),
)

OF_ITERABLES: Final = ("column_stack", "concatenate", "dstack", "hstack", "stack", "vstack")

NAMES: Final[dict[str, Any]] = {
    **{
        name: value
        for name, value in vars(xformad.numpy).items()
        if not name.startswith("_") and name not in ("annotations", "numpy", "Any")
    },
    **{name: of_lists(getattr(xformad.numpy, name)) for name in OF_LISTS},
    **{name: of_iterables(getattr(xformad.numpy, name)) for name in OF_ITERABLES},
    "array_from_args": array_from_args,
    "c_": Joined(numpy.c_, columns=True),
    "concatenate_args": concatenate_args,
    "full": full,
    "make_diagonal": make_diagonal,
    "metadata": metadata,
    "notrace_primitive": notrace_primitive,
    "numpy_version": numpy_version,
    "primitive": primitive,
    "r_": Joined(numpy.r_, columns=False),
    "where": where,
    "wrap_namespace": wrap_namespace,
}
"""What `autograd.numpy` holds."""


def __getattr__(name: str) -> Any:
    """The names of `autograd.numpy`, which Autograd's module has too."""
    if name in NAMES:
        return NAMES[name]
    raise AttributeError(f"module 'autograd.numpy.numpy_wrapper' has no attribute '{name}'")
