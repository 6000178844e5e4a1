"""The Taylor rules of primitives: how they are declared, and how those that are not declared follow from other rules.

A rule is a function `rule(taylor, ans, *series, **params)` of the interpreter, the result and the power series of the
arguments, lists [x_0, ..., x_k]. It returns that of the result, which begins with `ans`. None in a list is a zero:

    deftaylor(exp, lambda _taylor, ans, x: exponential(ans, x))

`from_derivative` and `from_composition` make rules of functions. A primitive without a Taylor rule needs none:

- where it is linear in each argument, its series is a Cauchy product;
- where its vjp rules say that the derivative is zero, so are the coefficients;
- else its jvp rule gives y' = J(x) x', and with y' known up to t^n, y is known up to t^(n+1): one run of the rule,
  itself on series, an order. The cost is O(k^3) for order k, so the library's own primitives have rules.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product as combinations
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from xformad.core.interpreter import Interpreter, anywhere, spec_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.core.typing import Params, Value
from xformad.errors import RuleError
from xformad.interpreters.jvp_rules import JvpEntry, entry_for, fitted_tangent, zeros_like
from xformad.interpreters.series import (
    Series,
    added,
    each,
    filled,
    integral,
    moves,
    plus,
    product,
    products,
    slopes,
)
from xformad.interpreters.vjp_rules import STRICT, VjpEntry, vjp_rules


class Kinks(Protocol):
    """What a rule sees of the interpreter.

    Attributes:
        side: 1 where the series are to hold for small t > 0, -1 for t < 0. That matters at a kink only.
    """

    side: int

    def kink(self, what: str) -> None:
        """Report that a series holds on one side only, or, with NaN for coefficients, that there is none."""


TaylorRule: TypeAlias = Callable[..., Any]
"""`rule(taylor, ans, *series, **params)`: the series of the result; a tuple of such where that is a tuple."""

taylor_rules: Final[RuleTable[TaylorRule]] = RuleTable("taylor", "xformad.extend.deftaylor")
derived: Final[dict[Primitive, tuple[VjpEntry | None, JvpEntry | None, TaylorRule | None]]] = {}


def deftaylor(primitive: Primitive, rule: TaylorRule) -> None:
    """Give a primitive its Taylor rule.

    Args:
        primitive: the primitive.
        rule: `rule(taylor, ans, *series, **params)`, where each of `series` is a list of the Taylor coefficients of one
            argument, the value first; None stands for a zero coefficient. It returns such a list for the result, `ans`
            first; a tuple of lists, None in the place of a constant, where the primitive returns a tuple. `taylor` is
            the interpreter, of use at kinks only.

    Raises:
        ValueError: if the primitive has a Taylor rule already.

    >>> negated = Primitive("negated", lambda x: -x)
    >>> deftaylor(negated, lambda _taylor, ans, x: [ans, *(None if c is None else -c for c in x[1:])])
    """
    taylor_rules[primitive] = rule


def fitted(c: Value, ans: Value, primitive: Primitive) -> Value:
    """A rule's coefficient in the shape and dtype of the result.

    Raises:
        RuleError: if a user's rule returned another shape or dtype.
    """
    entry = vjp_rules.rules.get(primitive)
    if entry is not None and entry.check != STRICT:
        return fitted_tangent(c, ans, primitive, strict=False)
    shape, dtype = spec_of(ans)
    found, kind = spec_of(c)
    what = f"the taylor rule of primitive '{primitive.name}' returned"
    if found != shape:
        raise RuleError(f"{what} a coefficient of shape {found} for a result of shape {shape}")
    if kind != dtype and type(c) not in (float, int):
        raise RuleError(f"{what} a coefficient of dtype {kind} for a result of dtype {dtype}; cast it with .astype")
    return dtype.type(c) if kind != dtype else c


def tracer_of(taylor: Interpreter, x: Series) -> Value:
    """A tracer for a series; the value itself where that does not move."""
    return Tracer(taylor, x[0], x[1:]) if moves(x) else x[0]


def series_of(taylor: Interpreter, x: Value, order: int) -> Series:
    """The series of a value up to an order."""
    if type(x) is Tracer and x.interpreter is taylor:
        return [x.value, *x.extra[:order]]
    return [x, *[None] * order]


def run(
    taylor: Interpreter, fun: Callable[..., Value], series: tuple[Series, ...] | list[Series], params: Params
) -> Series:
    """The series of a function of series."""
    return series_of(taylor, fun(*[tracer_of(taylor, x) for x in series], **params), len(series[0]) - 1)


def from_derivative(*partials: Callable[..., Value] | None) -> TaylorRule:
    """A Taylor rule made of derivatives: of y = f(x) with f'(x) = h(x), y' = h(x) x' gives one coefficient after the other.

    Args:
        partials: the partial derivative by each argument, `h(*args, **params)`, a function written with NumPy's
            functions; None where it is zero.

    >>> from xformad import operations
    >>> softplus = Primitive("softplus", lambda x: operations.exponential.log1p(operations.exponential.exp(x)))
    >>> deftaylor(softplus, from_derivative(lambda x: 1 / (1 + operations.exponential.exp(-x))))
    """

    def rule(taylor: Interpreter, ans: Value, *series: Series, **params: Any) -> Series:
        shorter = [x[:-1] for x in series]
        total: Series = [None] * len(series[0])
        for partial, x in zip(partials, series, strict=True):
            if partial is not None and moves(x):
                rate = run(taylor, partial, shorter, params)
                total = added(total, product(None, [*rate, None], slopes(x)))
        return integral(ans, total)

    return rule


def from_composition(fun: Callable[..., Value]) -> TaylorRule:
    """A Taylor rule made of other operations.

    Args:
        fun: computes the primitive, `fun(*args, **params)`, with NumPy's functions. Its value is of no account, but its
            derivatives are.

    >>> cube = Primitive("cube", lambda x: x**3)
    >>> deftaylor(cube, from_composition(lambda x: x * x * x))
    """

    def rule(taylor: Interpreter, ans: Value, *series: Series, **params: Any) -> Series:
        return [ans, *run(taylor, fun, series, params)[1:]]

    return rule


def coefficientwise(function: Callable[..., Value]) -> TaylorRule:
    """The rule of a linear function of one argument; over the real numbers at least, as t is real."""

    def rule(_taylor: Interpreter, ans: Value, x: Series, *_others: Series, **params: Any) -> Series:
        return [ans, *each(lambda c: function(c, **params), x[1:])]

    return rule


def singular_at(
    what: str, singular: Callable[[Value], Value], rule: TaylorRule, regular: tuple[float, float]
) -> TaylorRule:
    """The rule of a function of one argument that has no series at some points: there, the coefficients are NaN.

    That holds for a root of 0 + 0 t + 0 t^2 too, because these zeros tell nothing about the coefficients of higher order.

    Args:
        what: it is, for the message.
        singular: whether x_0 is such a point.
        rule: for all others.
        regular: an argument and a value that are put in the place of singular ones.
    """

    def guarded(taylor: Any, ans: Value, x: Series, **params: Any) -> Series:
        points = singular(x[0])
        if not anywhere(points):
            return rule(taylor, ans, x, **params)  # type: ignore[no-any-return]
        taylor.kink(what)
        y = rule(taylor, np.where(points, regular[1], ans), filled(x, points, regular[0]), **params)
        return [ans, *[np.where(points, np.nan, 0.0 if c is None else c) for c in y[1:]]]

    return guarded


def jointly_linear(primitive: Primitive, operands: Callable[[Params], int] | None = None) -> TaylorRule:
    """The rule of a primitive that is linear in all of its first arguments together, as many as `operands(params)`."""

    def rule(_taylor: Interpreter, ans: Value, *series: Series, **params: Any) -> Series:
        count = len(series) if operands is None else operands(params)
        rest = [x[0] for x in series[count:]]
        y = [ans]
        for n in range(1, len(series[0])):
            terms = [x[n] for x in series[:count]]
            if all(c is None for c in terms):
                y.append(None)
                continue
            filled = [zeros_like(x[0]) if c is None else c for c, x in zip(terms, series, strict=False)]
            y.append(primitive.bind(*filled, *rest, **params))
        return y

    return rule


def multilinear(primitive: Primitive, entry: VjpEntry) -> TaylorRule:
    """The rule of a primitive that is linear in each argument that has a vjp rule: the Cauchy product of these."""

    def rule(_taylor: Interpreter, ans: Value, *series: Series, **params: Any) -> Series:
        factors = [i for i, x in enumerate(series) if moves(x) and entry.rule(i) is not None]
        values = [x[0] for x in series]

        def term(*coefficients: Value) -> Value:
            for i, c in zip(factors, coefficients, strict=True):
                values[i] = c
            return primitive.bind(*values, **params)

        if len(factors) == 1:
            return [ans, *each(term, series[factors[0]][1:])]
        if len(factors) == 2:
            return products(term, ans, series[factors[0]], series[factors[1]])
        return [ans, *many_products(term, [series[i] for i in factors])[1:]]

    return rule


def many_products(multiply: Callable[..., Value], factors: list[Series]) -> Series:
    """The Cauchy product of any number of series."""
    length = len(factors[0]) if factors else 1
    known = [[j for j, c in enumerate(x) if c is not None] for x in factors[:-1]]
    total: Series = [None] * length
    for chosen in combinations(*known):
        start = sum(chosen)
        coefficients = [x[j] for x, j in zip(factors, chosen, strict=False)]
        for n in range(start, length):
            last = factors[-1][n - start]
            if last is not None:
                total[n] = plus(total[n], multiply(*coefficients, last))
    return total


def rule_for(primitive: Primitive) -> TaylorRule | None:
    """The Taylor rule of a primitive, declared or derived; None if its derivative is zero.

    Raises:
        MissingRuleError: if the primitive has no rule of any kind.
    """
    declared = taylor_rules.rules.get(primitive)
    if declared is not None:
        return declared
    entry = vjp_rules.rules.get(primitive)
    tangents = entry_for(primitive)
    found = derived.get(primitive)
    if found is None or found[0] is not entry or found[1] is not tangents:
        found = derived[primitive] = entry, tangents, derive(primitive, entry, tangents)
    return found[2]


def derive(primitive: Primitive, entry: VjpEntry | None, tangents: JvpEntry | None) -> TaylorRule | None:
    if tangents is None:
        return None
    if entry is not None and entry.linear and not primitive.multiple:
        return multilinear(primitive, entry)
    return from_tangents(primitive, tangents)


def from_tangents(primitive: Primitive, entry: JvpEntry) -> TaylorRule:
    """The rule that follows from a jvp rule: y' = J(x, y) x', one order after the other."""

    def rule(taylor: Interpreter, ans: Value, *series: Series, **params: Any) -> Any:
        parts = ans if primitive.multiple else (ans,)
        found: list[Series] = [[part] for part in parts]
        rates = [velocity(x) if moves(x) else None for x in series]
        for n in range(len(series[0]) - 1):
            args = [tracer_of(taylor, x[: n + 1]) for x in series]
            answers = [tracer_of(taylor, y) for y in found]
            moved = [None if x is None else tracer_of(taylor, x[: n + 1]) for x in rates]
            answer = tuple(answers) if primitive.multiple else answers[0]
            tangent = entry.tangent(primitive, moved, answer, args, params)
            for y, t in zip(found, tangent if primitive.multiple else (tangent,), strict=True):
                c = None if t is None else series_of(taylor, t, n)[n]
                y.append(None if c is None else fitted_tangent(c, y[0], primitive, entry.strict) / (n + 1))
        return tuple(found) if primitive.multiple else found[0]

    return rule


def velocity(x: Series) -> Series:
    """The series of x'. It begins with a number, as the tangent of a jvp rule does."""
    rates = slopes(x)[1:]
    return [zeros_like(x[0]) if rates[0] is None else rates[0], *rates[1:]]


__all__ = [
    "Kinks",
    "TaylorRule",
    "coefficientwise",
    "deftaylor",
    "fitted",
    "from_composition",
    "from_derivative",
    "jointly_linear",
    "run",
    "series_of",
    "singular_at",
    "taylor_rules",
    "tracer_of",
]
