"""How NumPy's functions, methods and attributes find what they do on traced arrays.

    @implements(np.swapaxes, method="swapaxes")
    def swapaxes(a, axis1, axis2): ...

NumPy calls the face with the arguments that the user gave, so a face has the signature of NumPy's function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from xformad.core.dispatch import ATTRIBUTES, FUNCTIONS, METHODS
from xformad.core.operands import OPERANDS, refuse_unfit
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import UnsupportedError

F = TypeVar("F", bound=Callable[..., Any])


def implements(
    *functions: Callable[..., Any], method: str | None = None, attribute: str | None = None
) -> Callable[[F], F]:
    """Register a face: what these NumPy functions, and a method or an attribute of ndarray, do on traced arrays."""

    def register(face: F) -> F:
        for function in functions:
            if function in FUNCTIONS:
                raise ValueError(f"numpy.{function.__name__} is implemented already")
            FUNCTIONS[function] = face
        if method is not None:
            METHODS[method] = face
            if method not in Tracer.__dict__:
                setattr(Tracer, method, face)
        if attribute is not None:
            ATTRIBUTES[attribute] = face
            setattr(Tracer, attribute, property(face))
        return face

    return register


def as_array(x: Any) -> Value:
    """An argument as something to compute with: lists, which may hold traced values, become arrays."""
    if type(x) in OPERANDS:
        return x
    refuse_unfit(x)
    return METHODS["asarray"](x)


def never(condition: Value) -> bool:
    """Whether a condition is plain and holds nowhere, so that what is to happen where it holds can be left out."""
    return type(condition) is not Tracer and not np.any(condition)


def refuse_out(out: object, name: str) -> None:
    """Refuse an `out=` argument."""
    if out is not None:
        raise UnsupportedError(
            f"{name} with out= is supported on traced arrays as a function of NumPy, out by keyword: "
            f"numpy.{name}(x, out=y); or use its result: y = {name}(x)"
        )


def normalized_axis(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` as NumPy's reductions take it, as a tuple of non-negative ones.

    >>> normalized_axis(None, 2), normalized_axis(-1, 3)
    ((0, 1), (2,))
    """
    if axis is None:
        return (0,) if ndim == 1 else tuple(range(ndim))
    if type(axis) is int and 0 <= axis < ndim:
        return (axis,)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(np.lib.array_utils.normalize_axis_tuple(axes, ndim))
