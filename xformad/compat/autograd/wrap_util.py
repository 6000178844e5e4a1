"""Autograd's `autograd.wrap_util`: operators on functions of one argument become those of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from xformad.compat.autograd.util import subvals

F = TypeVar("F", bound=Callable[..., Any])
Argnum: TypeAlias = int | Sequence[int]


def unary_to_nary(unary_operator: Callable[..., Any]) -> Callable[..., Any]:
    """Make `operator(fun, x)` an `operator(fun, argnum=0)(*args)`, of the argument or arguments at `argnum`.

    >>> @unary_to_nary
    ... def doubled(fun, x):
    ...     return fun(2 * x)
    >>> doubled(lambda a, b: (a, b), 1)(1, 2)
    (1, 4)
    """

    @wraps(unary_operator)
    def nary_operator(fun: Callable[..., Any], argnum: Argnum = 0, *op_args: Any, **op_kwargs: Any) -> Any:
        assert isinstance(argnum, int | tuple | list), argnum

        @wrap_nary_f(fun, unary_operator, argnum)
        def nary_f(*args: Any, **kwargs: Any) -> Any:
            @wraps(fun)
            def unary_f(x: Any) -> Any:
                places = [(argnum, x)] if isinstance(argnum, int) else zip(argnum, x, strict=True)
                return fun(*subvals(args, places), **kwargs)

            x = args[argnum] if isinstance(argnum, int) else tuple(args[i] for i in argnum)
            return unary_operator(unary_f, x, *op_args, **op_kwargs)

        return nary_f

    return nary_operator


def wraps(
    fun: Callable[..., Any], namestr: str = "{fun}", docstr: str = "{doc}", **kwargs: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function the name and docstring of another, in these formats."""

    def named(f: Callable[..., Any]) -> Callable[..., Any]:
        try:
            f.__name__ = namestr.format(fun=get_name(fun), **kwargs)
            f.__doc__ = docstr.format(fun=get_name(fun), doc=get_doc(fun), **kwargs)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            pass  # an object that takes no name, or a docstring with braces
        return f

    return named


def wrap_nary_f(
    fun: Callable[..., Any], op: Callable[..., Any], argnum: Argnum
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Name the function that an operator returns."""
    doc = "{op} of function {fun} with respect to argument number {argnum}: takes the arguments of {fun}."
    return wraps(fun, "{op}_of_{fun}_wrt_argnum_{argnum}", doc, op=get_name(op), argnum=argnum)


def get_name(f: Any) -> str:
    """The name of a function, for messages."""
    return getattr(f, "__name__", "[unknown name]")


def get_doc(f: Any) -> str:
    """The docstring of a function."""
    return getattr(f, "__doc__", None) or ""
