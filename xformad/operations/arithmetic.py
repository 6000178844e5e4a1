"""Arithmetic: sums, products, quotients, powers and remainders."""

from __future__ import annotations

import operator

import numpy as np

from xformad.core import primitive as core
from xformad.core.interpreter import anywhere, dtype_of
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
    return g * ans * log(np.where(x == 0, 1.0, like_power(x, ans)))


def like_power(x: Value, ans: Value) -> Value:
    """A base in the precision of its power: complex if that is, so that negative ones have a logarithm."""
    dtype = dtype_of(ans)
    if type(x) is float or type(x) is int:
        return dtype.type(x)
    return x + 0j if dtype.kind == "c" and dtype_of(x).kind != "c" else x


def power_series(taylor: Kinks, ans: Value, x: Series, y: Series) -> Series:
    """exp(y log x) for a moving exponent; for a constant one by x z' = y z x'. Both need another way where x_0 is zero."""
    p = y[0]
    if not series.moves(y) and (type(p) is int or type(p) is float) and p in (0, 1, 2):
        return series.still(ans, x) if p == 0 else [ans, *x[1:]] if p == 1 else series.product(ans, x, x)
    zero = x[0] == 0
    singular = anywhere(zero)
    base = series.filled(x, zero, 1.0) if singular else x
    if series.moves(y):
        base = [like_power(base[0], ans), *base[1:]]
        logarithm = series.logarithm(series.at(log, base[0]), base)
        regular = series.exponential(ans, series.product(p * logarithm[0], y, logarithm))
    else:
        regular = series.raised(ans, base, p)
    if not singular:
        return regular
    return [ans, *series.chosen(zero, powers_of_zero(taylor, x, y, zero), regular)[1:]]


def powers_of_zero(taylor: Kinks, x: Series, y: Series, zero: Value) -> Series:
    """x ** p where x_0 is zero: the sum of binomial(p, m) x_0^(p-m) (x - x_0)^m, by Horner's rule.

    If p is no whole number, there is no term of m > p, unless x stays zero; and if p < 1, that is not to be seen, because
    the zeros of x up to the order k tell nothing about the next one. There is none of m > 0 for an exponent that moves.
    """
    order = len(x) - 1
    p = y[0]
    varies = series.moving(y, zero)
    leaves = np.logical_or(np.real(p) < 1, series.moving(x, zero)) if series.moves(x) else False
    instead = np.where(leaves, np.nan, 0.0)
    base = np.where(zero, x[0], 1.0)
    weights: Series = [1.0]
    for m in range(order):
        weights.append(weights[m] * (p - m) / (m + 1))
    total: Series = series.still(None, x)
    for m in range(order, -1, -1):
        missing = np.logical_and(zero, np.logical_and(np.logical_or(np.real(p) < m, varies), m > 0))
        absent = np.logical_and(missing, np.logical_or(weights[m] != 0, varies))
        if anywhere(np.logical_and(absent, leaves)):
            taylor.kink("numpy.power of zero with an exponent that moves or is no whole number")
        term = weights[m] * power(base, np.where(missing, 1, p - m if m else np.where(np.real(p) < 0, 1, p)))
        term = np.where(absent, instead, np.where(missing, 0.0, term))
        total = [term, *series.product(None, total, [None, *x[1:]])[1:]]
    return total


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

# The neighbour of x on the way to y: x, but for one unit in the last place.
nextafter: Primitive = elementwise("nextafter", np.nextafter, lambda g, _ans, _x, _y: g, None)
deftaylor(nextafter, lambda _taylor, ans, x, _y: [ans, *x[1:]])
