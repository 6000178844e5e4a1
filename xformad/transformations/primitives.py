"""`primitive`: a NumPy function becomes a primitive."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast, final

from xformad.compiler.primitives import made, qualified
from xformad.core.primitive import Primitive, Tracer
from xformad.errors import ConcretizationError

P = ParamSpec("P")
R = TypeVar("R")


@final
class FunctionPrimitive(Primitive, Generic[P, R]):
    """A primitive made of a function. Traced arguments given by keyword are moved to their positions."""

    __name__: str

    def __init__(self, fun: Callable[P, R], *, name: str | None = None, multiple: bool = False) -> None:
        super().__init__(name or str(getattr(fun, "__name__", "primitive")), fun, multiple=multiple)
        functools.update_wrapper(self, fun)
        made[qualified(self)] = self

    def __call__(self, *args: P.args, **params: P.kwargs) -> R:
        if any(type(value) is Tracer for value in params.values()):
            args, params = self.positional(args, params)
        return cast("R", self.bind(*args, **params))

    def positional(self, args: tuple[Any, ...], params: dict[str, Any]) -> tuple[Any, Any]:
        """The call with the traced keywords, and those before them, as positional arguments."""
        bound = inspect.signature(self.implementation).bind(*args, **params)
        positional, keywords = list(bound.args), dict(bound.kwargs)
        traced = [name for name, value in keywords.items() if type(value) is Tracer]
        if traced:
            raise ConcretizationError(
                f"primitive '{self.name}' takes {traced[0]!r} by keyword only, so it cannot be traced; make it positional"
            )
        return positional, keywords

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", self.name))


def primitive(fun: Callable[P, R]) -> FunctionPrimitive[P, R]:
    """Make a NumPy function a primitive: its inside is not traced, its derivative is what `defvjp` says.

    Args:
        fun: a function of arrays, which are passed by position. What is passed by keyword is a parameter and is not
            differentiated. It may call anything: NumPy, SciPy, C code.

    Returns:
        The primitive, called as the function is. Give it rules with `xformad.extend.defvjp`.

    >>> import numpy as np
    >>> from xformad import grad
    >>> from xformad.extend import defvjp
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda g, _ans, x: g * 3 * x**2)
    >>> grad(grad(cube))(2.0)
    np.float64(12.0)
    """
    return FunctionPrimitive(fun)
