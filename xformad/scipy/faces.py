"""Faces of SciPy's functions, which do not hand traced arrays over as NumPy's do.

A face has the signature of SciPy's function. Called on plain arrays it is SciPy's function:

    @face(scipy.linalg.expm)
    def expm(A): ...
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import numpy as np

from xformad.core.interpreter import anywhere
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array

F = TypeVar("F", bound=Callable[..., Any])


def traced(values: Iterable[Any]) -> bool:
    """Whether there is a traced array among arguments, or in tuples and lists among them."""
    return any(type(x) is Tracer or (isinstance(x, tuple | list) and traced(x)) for x in values)


def face(original: Callable[..., Any]) -> Callable[[F], F]:
    """A decorator: SciPy's function where no argument is traced, the decorated one else."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if traced(args) or traced(kwargs.values()):
                return function(*args, **kwargs)
            return original(*args, **kwargs)

        return cast(F, call)

    return decorate


def refused(original: F, reason: str) -> F:
    """SciPy's function for plain arrays; on traced ones an error that gives the reason, and what to write instead."""
    module = ".".join(part for part in original.__module__.split(".") if not part.startswith("_"))

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if traced(args) or traced(kwargs.values()):
            raise UnsupportedError(f"{module}.{original.__name__} is not supported on traced arrays: {reason}")
        return original(*args, **kwargs)

    call.__doc__ = f"SciPy's function, for plain arrays. Refused on traced ones: {reason}."
    return cast(F, call)


def array(x: Any, check_finite: bool = True) -> Value:
    """An argument as an array, traced or not, with SciPy's check."""
    x = as_array(x)
    if check_finite and anywhere(~np.isfinite(x)):
        raise ValueError("array must not contain infs or NaNs")
    return x
