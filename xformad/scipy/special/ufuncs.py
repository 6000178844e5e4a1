"""Makers of primitives of SciPy's ufuncs: from partial derivatives, written with traceable functions, follows every mode.

    erf = smooth_ufunc(scipy.special.erf, lambda x: 2 / sqrt(pi) * np.exp(-x * x))

SciPy hands its ufuncs over as NumPy does, so `scipy.special.erf(x)` of a traced x is the primitive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad.core.dispatch import UFUNCS
from xformad.core.primitive import Primitive
from xformad.core.typing import Value, VjpRule
from xformad.errors import UnsupportedError
from xformad.interpreters import series
from xformad.interpreters.batch_rules import defbatch_elementwise
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import TaylorRule, deftaylor, from_derivative
from xformad.interpreters.vjp_rules import BROADCAST, ELEMENTWISE, VjpEntry, vjp_rules
from xformad.numpy.elementwise import COMPOSED

TWO_OVER_ROOT_PI: Final = 2 / math.sqrt(math.pi)

Partial: TypeAlias = Callable[..., Value]
"""A partial derivative: a function of the arguments, written with functions that are differentiable again."""


@final
class Unknown:
    """A partial derivative that is not known here: an error that names the argument, raised where that is traced.

    Args:
        role: what the argument is: "the order".
        instead: what to write instead, a clause; by default, what works for any function.
    """

    __slots__ = ("instead", "role")

    def __init__(self, role: str, instead: str = "") -> None:
        self.role = role
        self.instead = instead or (
            "differentiate with respect to the others, or wrap it in a primitive with a rule of your own"
            " (docs/write_a_primitive.md)"
        )

    def error(self, name: str, argnum: int) -> UnsupportedError:
        return UnsupportedError(
            f"the derivative of scipy.special.{name} with respect to its argument {argnum}, {self.role}, is not known "
            f"here; {self.instead}"
        )


class Rules(dict[int, VjpRule | None]):
    """The rules of a primitive by argument. To ask for one that is not known is the refusal of a traced argument."""

    def __init__(self, name: str, partials: tuple[Partial | Unknown | None, ...]) -> None:
        super().__init__()
        self.name = name
        self.unknown = {i: partial for i, partial in enumerate(partials) if isinstance(partial, Unknown)}
        for i, partial in enumerate(partials):
            self[i] = None if partial is None or isinstance(partial, Unknown) else vjp_of(partial)

    def __getitem__(self, argnum: int) -> VjpRule | None:
        if argnum in self.unknown:
            raise self.unknown[argnum].error(self.name, argnum)
        return super().__getitem__(argnum)


def vjp_of(partial: Partial) -> VjpRule:
    """The vjp rule of an elementwise function: g times the derivative."""
    return lambda g, _ans, *args, **params: g * partial(*args, **params)


def from_partials(name: str, partials: tuple[Partial | Unknown | None, ...]) -> TaylorRule:
    """The Taylor rule of the same, see `from_derivative`."""

    def refusal(unknown: Unknown, argnum: int) -> Partial:
        def refuse(*_args: Value, **_params: Any) -> Value:
            raise unknown.error(name, argnum)

        return refuse

    return from_derivative(*[refusal(p, i) if isinstance(p, Unknown) else p for i, p in enumerate(partials)])


def from_all_derivatives(nth: Callable[..., Value], otherwise: TaylorRule) -> TaylorRule:
    """The Taylor rule of a function whose derivatives of any order, by its last argument, are as cheap as itself.

    The series of the function at x_0 is evaluated at x - x_0 by Horner's rule. With `from_derivative`, a derivative that
    is a sum of two functions of the same kind would double the work with each order.

    Args:
        nth: `nth(n, *args, **params)`, the derivative of order n.
        otherwise: the rule where other arguments move too.
    """

    def rule(taylor: Any, ans: Value, *args: Series, **params: Any) -> Series:
        *others, x = args
        if any(series.moves(other) for other in others):
            return otherwise(taylor, ans, *args, **params)  # type: ignore[no-any-return]
        values = [each[0] for each in args]
        step = [None, *x[1:]]
        total: Series = series.still(None, x)
        for n in range(len(x) - 1, -1, -1):
            c = nth(n, *values, **params) / math.factorial(n) if n else ans
            total = [c, *series.product(None, total, step)[1:]]
        return total

    return rule


def smooth_ufunc(
    ufunc: Callable[..., Value],
    *partials: Partial | Unknown | None,
    name: str = "",
    public: str = "",
    singular: bool = True,
    nth: Callable[..., Value] | None = None,
    taylor: TaylorRule | None = None,
) -> Primitive:
    """The primitive of an elementwise function.

    Args:
        ufunc: a ufunc of SciPy, which calls the primitive on traced arrays; or any elementwise function.
        partials: the partial derivative by each argument; None where it is zero.
        name: of the primitive; by default that of the ufunc.
        public: what messages call it; by default its name.
        singular: whether a derivative may be infinite, so that there are no warnings of it.
        nth: see `from_all_derivatives`.
        taylor: a Taylor rule of its own.
    """
    primitive = Primitive(name or ufunc.__name__, ufunc)
    if isinstance(ufunc, np.ufunc):
        UFUNCS[ufunc] = primitive
    public = public or primitive.name
    rules = Rules(public, partials)
    vjp_rules[primitive] = VjpEntry(rules, check=BROADCAST, mask=ELEMENTWISE, specs=False, singular=singular)
    defbatch_elementwise(primitive)
    if taylor is None:
        taylor = from_partials(public, partials)
        if nth is not None:
            taylor = from_all_derivatives(nth, taylor)
    deftaylor(primitive, taylor)
    return primitive


def part(ufunc: Callable[..., tuple[Value, ...]], index: int) -> Callable[..., Value]:
    """One of the results of a function that returns several."""
    return lambda *args: ufunc(*args)[index]


def several(ufunc: Any, *parts: Callable[..., Value]) -> None:
    """A ufunc of several results: on traced arrays it is made of a primitive for each of them."""
    COMPOSED[ufunc] = lambda *args: tuple([each(*args) for each in parts])


def either(condition: Value, inside: Partial, outside: Partial, *args: Value, safe: tuple[float, float]) -> Value:
    """`inside(*args)` where the condition holds, `outside(*args)` elsewhere, neither evaluated where it should not be.

    Args:
        condition: truth values.
        inside: the one expression, `safe[0]` being in its domain.
        outside: the other one, `safe[1]` being in its domain.
        args: traced or not; the last of them takes the safe values.
    """
    *others, x = args
    first = inside(*others, np.where(condition, x, safe[0]))
    second = outside(*others, np.where(condition, safe[1], x))
    return np.where(condition, first, second)
