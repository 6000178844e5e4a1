"""What the transformations share: the object that they return, and the choice of arguments to differentiate.

A transformed function is an object that holds the transformation, the function and the options. It can be pickled when
the function can, shows the function's name, signature and docstring, and infers its parameters in an editor.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, final

from xformad.errors import ArgumentError

P = ParamSpec("P")
R = TypeVar("R")

Argnums: TypeAlias = int | str | tuple[int | str, ...]
"""Which arguments: a position (negative: from the end), a name, or a tuple of these."""

Key: TypeAlias = int | str
"""An argument of one call: its position among the positional ones, or its keyword."""


@final
class Transformed(Generic[P, R]):
    """A transformed function: `transform(fun, options, args, kwargs)`, when called with `*args, **kwargs`."""

    def __init__(
        self,
        transform: Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], R],
        fun: Callable[P, Any],
        options: Any,
        name: str,
    ) -> None:
        self.transform = transform
        self.fun = fun
        self.options = options
        self.name = name
        self.__wrapped__ = fun
        self.__name__ = f"{name}({getattr(fun, '__name__', 'function')})"
        self.__doc__ = f"{self.__name__}: {fun.__doc__}" if getattr(fun, "__doc__", None) else self.__name__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.transform(self.fun, self.options, args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method, as a function is one."""
        if instance is None:
            return self
        return Transformed(self.transform, self.fun.__get__(instance, owner), self.options, self.name)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __reduce__(self) -> Any:
        return Transformed, (self.transform, self.fun, self.options, self.name)


def keys_of(fun: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Key]:
    """Where in this call the arguments stand that `argnums` names.

    Raises:
        ArgumentError: if the call has no such argument.
    """
    return [key_of(fun, argnum, args, kwargs) for argnum in (argnums if isinstance(argnums, tuple) else (argnums,))]


def key_of(fun: Callable[..., Any], argnum: int | str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Key:
    if isinstance(argnum, int):
        if 0 <= argnum < len(args):
            return argnum
        if not kwargs and -len(args) <= argnum < 0:
            return len(args) + argnum
    elif argnum in kwargs:
        return argnum
    names = parameter_names(fun)
    if names is not None:
        if isinstance(argnum, str):
            if argnum in names and names.index(argnum) < len(args):
                return names.index(argnum)
        else:
            given = [name for i, name in enumerate(names) if i < len(args) or name in kwargs]
            if -len(given) <= argnum < len(given):
                name = given[argnum]
                return name if name in kwargs else names.index(name)
    name = getattr(inspect.unwrap(fun), "__name__", "the function")
    raise ArgumentError(
        f"argnums {argnum!r} names no argument of this call of {name}, which has {len(args)} positional arguments"
        + (f" and the keywords {list(kwargs)}" if kwargs else "")
    )


def parameter_names(fun: Callable[..., Any]) -> list[str] | None:
    """The names of the parameters that may be passed by position; None where the function does not tell."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return None
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def checked_argnums(argnums: Argnums) -> Argnums:
    """`argnums` as they are kept: lists become tuples.

    Raises:
        ArgumentError: if they are not of the kinds that name arguments.
    """
    chosen: Any = tuple(argnums) if isinstance(argnums, list | tuple) else argnums
    for argnum in chosen if isinstance(chosen, tuple) else (chosen,):
        if not isinstance(argnum, int | str) or isinstance(argnum, bool):
            raise ArgumentError(f"argnums must be an int, an argument name, or a tuple of these, not {argnums!r}")
    checked: Argnums = chosen
    return checked
