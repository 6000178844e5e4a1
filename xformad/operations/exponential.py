"""Exponentials, logarithms and roots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xformad.core.interpreter import anywhere
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, TaylorRule, deftaylor, from_composition, singular_at
from xformad.operations.constants import LOG_2, LOG_10, THIRD, Constant
from xformad.operations.makers import elementwise

exp: Primitive = elementwise("exp", np.exp, lambda g, ans, _x: g * ans)
deftaylor(exp, lambda _taylor, ans, x: series.exponential(ans, x))

exp2: Primitive = elementwise("exp2", np.exp2, lambda g, ans, _x: g * (ans * LOG_2.like(ans)))
deftaylor(exp2, lambda _taylor, ans, x: series.exponential(ans, series.each(lambda c: c * LOG_2.like(ans), x)))

expm1: Primitive = elementwise("expm1", np.expm1, lambda g, ans, _x: g * (ans + 1))
deftaylor(expm1, lambda _taylor, ans, x: [ans, *series.exponential(series.at(exp, x[0]), x)[1:]])

log: Primitive = elementwise("log", np.log, lambda g, _ans, x: g / x, singular=True)
deftaylor(log, lambda _taylor, ans, x: series.logarithm(ans, x))


def scaled_logarithm(ans: Value, x: Series, divisor: Constant) -> Series:
    """The series of log(x) over a constant."""
    return [ans, *series.each(lambda c: c / divisor.like(c), series.logarithm(ans, x)[1:])]


log2: Primitive = elementwise("log2", np.log2, lambda g, _ans, x: g / (x * LOG_2.like(x)), singular=True)
deftaylor(log2, lambda _taylor, ans, x: scaled_logarithm(ans, x, LOG_2))

log10: Primitive = elementwise("log10", np.log10, lambda g, _ans, x: g / (x * LOG_10.like(x)), singular=True)
deftaylor(log10, lambda _taylor, ans, x: scaled_logarithm(ans, x, LOG_10))

log1p: Primitive = elementwise("log1p", np.log1p, lambda g, _ans, x: g / (1 + x), singular=True)
deftaylor(log1p, lambda _taylor, ans, x: series.logarithm(ans, [1 + x[0], *x[1:]]))

sqrt: Primitive = elementwise("sqrt", np.sqrt, lambda g, ans, _x: g * (0.5 / ans), singular=True)
deftaylor(
    sqrt,
    singular_at(
        "numpy.sqrt of zero", lambda x: x == 0, lambda _taylor, ans, x: series.square_root(ans, x), regular=(1.0, 1.0)
    ),
)

cbrt: Primitive = elementwise("cbrt", np.cbrt, lambda g, ans, _x: g / (3 * ans * ans), singular=True)
deftaylor(
    cbrt,
    singular_at(
        "numpy.cbrt of zero",
        lambda x: x == 0,
        lambda _taylor, ans, x: series.raised(ans, x, THIRD.like(ans)),
        regular=(1.0, 1.0),
    ),
)


def share(x: Value, y: Value, ans: Value, half: Value) -> Value:
    """x - ans, the logarithm of the share that x has in a sum. Two equal infinities have half each."""
    with np.errstate(invalid="ignore"):
        difference = x - ans
    infinite = np.logical_and(np.isinf(x), x == ans)
    return np.where(infinite, np.where(x == y, half, 0.0), difference)


def log_of_sum_series(of_difference: Callable[[Value], Value]) -> TaylorRule:
    """The larger one, plus the logarithm of 1 + exp of the difference. Of equal infinities each has half."""
    composed = from_composition(lambda larger, smaller: larger + of_difference(smaller - larger))

    def rule(taylor: Kinks, ans: Value, x: Series, y: Series) -> Series:
        first = x[0] > y[0]
        larger, smaller = series.chosen(first, x, y), series.chosen(first, y, x)
        infinite = np.isinf(larger[0])
        if not anywhere(infinite):
            return composed(taylor, ans, larger, smaller)  # type: ignore[no-any-return]
        mean = series.added(series.each(lambda c: 0.5 * c, x), series.each(lambda c: 0.5 * c, y))
        alone = series.chosen(x[0] == y[0], mean, larger)
        finite = composed(taylor, ans, series.filled(larger, infinite, 0.0), series.filled(smaller, infinite, 0.0))
        return [ans, *series.chosen(infinite, alone, finite)[1:]]

    return rule


logaddexp: Primitive = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda g, ans, x, y: g * exp(share(x, y, ans, -LOG_2.like(ans))),
    lambda g, ans, x, y: g * exp(share(y, x, ans, -LOG_2.like(ans))),
)
deftaylor(logaddexp, log_of_sum_series(lambda d: log1p(exp(d))))

logaddexp2: Primitive = elementwise(
    "logaddexp2",
    np.logaddexp2,
    lambda g, ans, x, y: g * exp2(share(x, y, ans, -1.0)),
    lambda g, ans, x, y: g * exp2(share(y, x, ans, -1.0)),
)
deftaylor(logaddexp2, log_of_sum_series(lambda d: log1p(exp2(d)) / LOG_2.like(d)))
