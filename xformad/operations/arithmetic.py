"""Arithmetic: sums, products, quotients, powers and remainders."""

from __future__ import annotations

import operator

import numpy as np

from xformad.core import primitive as core
from xformad.core.interpreter import anywhere
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.operations.exponential import log
from xformad.operations.makers import elementwise, nondifferentiable

add: Primitive = elementwise(core.add, np.add, lambda g, _ans, _x, _y: g, lambda g, _ans, _x, _y: g)
deftaylor(add, lambda _taylor, ans, x, y: [ans, *series.added(x[1:], y[1:])])

subtract: Primitive = elementwise(core.subtract, np.subtract, lambda g, _ans, _x, _y: g, lambda g, _ans, _x, _y: -g)
deftaylor(subtract, lambda _taylor, ans, x, y: [ans, *series.subtracted(x[1:], y[1:])])

multiply: Primitive = elementwise(
    core.multiply, np.multiply, lambda g, _ans, _x, y: g * y, lambda g, _ans, x, _y: g * x, linear=True
)
deftaylor(multiply, lambda _taylor, ans, x, y: series.product(ans, x, y))

divide: Primitive = elementwise(
    core.divide, np.divide, lambda g, _ans, _x, y: g / y, lambda g, ans, _x, y: -(g * ans / y), singular=True
)
deftaylor(divide, lambda _taylor, ans, x, y: series.quotient(ans, x, y))

negative: Primitive = elementwise(core.negative, np.negative, lambda g, _ans, _x: -g, linear=True)
deftaylor(negative, lambda _taylor, ans, x: [ans, *series.each(operator.neg, x[1:])])

positive: Primitive = elementwise(core.positive, np.positive, lambda g, _ans, _x: g, linear=True)

square: Primitive = elementwise("square", np.square, lambda g, _ans, x: g * (x + x))
deftaylor(square, lambda _taylor, ans, x: series.product(ans, x, x))

reciprocal: Primitive = elementwise("reciprocal", np.reciprocal, lambda g, ans, _x: -(g * ans * ans), singular=True)
deftaylor(reciprocal, lambda _taylor, ans, x: series.reciprocal(ans, x))


def power_vjp_base(g: Value, _ans: Value, x: Value, y: Value) -> Value:
    """y x^(y-1), which is 0 where y is 0, at x = 0 too."""
    if type(y) is int or type(y) is float:
        if y == 2:
            return g * (x + x)
        if y == 1:
            return g
        if y == 0:
            return g * 0.0
        return g * (y * power(x, y - 1))
    return g * np.where(y == 0, 0.0 * x, y * power(x, np.where(y == 0, 1, y - 1)))


def power_vjp_exponent(g: Value, ans: Value, x: Value, _y: Value) -> Value:
    """x^y log x, which is 0 at x = 0."""
    return g * ans * log(np.where(x == 0, 1.0, x))


def power_series(taylor: Kinks, ans: Value, x: Series, y: Series) -> Series:
    """exp(y log x) for a moving exponent; for a constant one by x z' = y z x'. Both need another way where x_0 is zero."""
    p = y[0]
    if not series.moves(y) and (type(p) is int or type(p) is float) and p in (0, 1, 2):
        return series.still(ans, x) if p == 0 else [ans, *x[1:]] if p == 1 else series.product(ans, x, x)
    zero = x[0] == 0
    base = series.filled(x, zero, 1.0) if anywhere(zero) else x
    if series.moves(y):
        logarithm = series.logarithm(series.at(log, base[0]), base)
        regular = series.exponential(ans, series.product(p * logarithm[0], y, logarithm))
    else:
        regular = series.raised(ans, base, p)
    if base is x:
        return regular
    return [ans, *series.chosen(zero, powers_of_zero(taylor, x, y, zero), regular)[1:]]


def powers_of_zero(taylor: Kinks, x: Series, y: Series, zero: Value) -> Series:
    """x ** y where x_0 is zero. Whole powers are products, and those above k begin after the order k.

    Another power p > 1 has as many derivatives as it is large, or is zero to the order k if x is. One of p < 1 has none,
    nor has one that moves, unless x stays zero.
    """
    order = len(x) - 1
    p = y[0]
    size = np.real(p)
    varies = series.moving(y, zero)
    whole = np.logical_and(np.logical_and(p == np.floor(size), size >= 0), np.logical_not(varies))
    begins = np.logical_or(size < 1, series.moving(x, zero)) if series.moves(x) else False
    lost = np.logical_and(np.logical_and(zero, np.logical_not(whole)), begins)
    found: Series = [
        np.where(np.logical_and(lost, np.logical_or(varies, size <= n)), np.nan, 0.0) for n in range(order + 1)
    ]
    if anywhere(np.isnan(found[order])):
        taylor.kink("numpy.power of zero with an exponent that moves or is no whole number")
    factor = x
    for exponent in range(1, order + 1):
        chosen = np.logical_and(p == exponent, whole)
        if anywhere(chosen):
            found = series.chosen(chosen, factor, found)
        factor = series.product(factor[0] * x[0], factor, x) if exponent < order else factor
    return found


power: Primitive = elementwise(core.power, np.power, power_vjp_base, power_vjp_exponent, singular=True)
deftaylor(power, power_series)

float_power: Primitive = elementwise("float_power", np.float_power, power_vjp_base, power_vjp_exponent, singular=True)
deftaylor(float_power, power_series)


def rest_series(ans: Value, x: Series, y: Series, quotient: Value) -> Series:
    """x - q y for a whole number q, which is locally constant."""
    return [ans, *series.subtracted(x[1:], series.each(lambda c: quotient * c, y[1:]))]


floor_divide = nondifferentiable(core.floor_divide, np.floor_divide, 2)

# x - y floor(x / y), whose second term is locally constant but for the factor y.
remainder: Primitive = elementwise(
    core.remainder, np.remainder, lambda g, _ans, _x, _y: g, lambda g, _ans, x, y: -(g * np.floor_divide(x, y))
)
deftaylor(remainder, lambda _taylor, ans, x, y: rest_series(ans, x, y, np.floor_divide(x[0], y[0])))

fmod: Primitive = elementwise(
    "fmod", np.fmod, lambda g, _ans, _x, _y: g, lambda g, _ans, x, y: -(g * np.trunc(divide(x, y)))
)
deftaylor(fmod, lambda _taylor, ans, x, y: rest_series(ans, x, y, np.trunc(divide(x[0], y[0]))))

# x 2^i, i a whole number.
ldexp: Primitive = elementwise("ldexp", np.ldexp, lambda g, _ans, _x, i: ldexp(g, i), None)
deftaylor(ldexp, lambda _taylor, ans, x, i: [ans, *series.each(lambda c: ldexp(c, i[0]), x[1:])])
