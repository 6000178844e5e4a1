"""The tables by which NumPy's protocols find what a ufunc, function, method or attribute does on traced arrays.

They are filled where operations are defined (`xformad.operations.makers`) and where NumPy's signatures are read
(`xformad.numpy.implements`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xformad.core.typing import Value

if TYPE_CHECKING:
    from xformad.core.primitive import Primitive, Tracer

UFUNCS: dict[Any, Primitive] = {}
"""The primitive of each NumPy ufunc. Filled where the operations are defined."""

UFUNC_METHODS: dict[str, Callable[..., Value]] = {}
"""The same for the ufuncs' methods and for calls with keywords: `reduce`, `outer`, `__call__` with `dtype=`."""

FUNCTIONS: dict[Callable[..., Value], Callable[..., Value]] = {}
"""What NumPy's functions do on traced arrays. Filled by `xformad.numpy`."""

METHODS: dict[str, Callable[..., Value]] = {}
"""The methods of ndarray on traced arrays, as functions of the tracer and their arguments."""

ATTRIBUTES: dict[str, Callable[[Tracer], Value]] = {}
"""The attributes of ndarray on traced arrays, as functions of the tracer."""


def unsupported(function: Callable[..., Value]) -> str:
    """What to say of a NumPy function that has no implementation for traced arrays."""
    name = f"{getattr(function, '__module__', 'numpy')}.{getattr(function, '__name__', function)}"
    return (
        f"{name} is not supported on traced arrays; compose it of functions that are (docs/coverage.md lists them), "
        "or make it a primitive with xformad.extend.primitive and defvjp"
    )
