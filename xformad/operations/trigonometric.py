"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

import math

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor, from_derivative, singular_at
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.exponential import exp, sqrt
from xformad.operations.makers import elementwise, smooth

sin: Primitive = elementwise("sin", np.sin, lambda g, _ans, x: g * cos(x))
deftaylor(sin, lambda _taylor, ans, x: series.rotated(ans, series.at(cos, x[0]), x, -1)[0])

cos: Primitive = elementwise("cos", np.cos, lambda g, _ans, x: g * -sin(x))
deftaylor(cos, lambda _taylor, ans, x: series.rotated(series.at(sin, x[0]), ans, x, -1)[1])

tan: Primitive = elementwise("tan", np.tan, lambda g, ans, _x: g * (1 + ans * ans))
deftaylor(tan, lambda _taylor, ans, x: series.logistic(ans, 1 + ans * ans, x, 1))


def at_one(x: Value) -> Value:
    return np.logical_or(x == 1, x == -1)


arcsin: Primitive = elementwise("arcsin", np.arcsin, lambda g, _ans, x: g / sqrt((1 - x) * (1 + x)), singular=True)
deftaylor(
    arcsin,
    singular_at("numpy.arcsin of 1 or -1", at_one, from_derivative(lambda x: 1 / sqrt((1 - x) * (1 + x))), (0.0, 0.0)),
)

arccos: Primitive = elementwise("arccos", np.arccos, lambda g, _ans, x: -g / sqrt((1 - x) * (1 + x)), singular=True)
deftaylor(
    arccos,
    singular_at("numpy.arccos of 1 or -1", at_one, from_derivative(lambda x: -1 / sqrt((1 - x) * (1 + x))), (0.0, 0.0)),
)

arctan: Primitive = elementwise("arctan", np.arctan, lambda g, _ans, x: g / (1 + x * x))
deftaylor(arctan, from_derivative(lambda x: 1 / (1 + x * x)))

sinh: Primitive = elementwise("sinh", np.sinh, lambda g, _ans, x: g * cosh(x))
deftaylor(sinh, lambda _taylor, ans, x: series.rotated(ans, series.at(cosh, x[0]), x, 1)[0])

cosh: Primitive = elementwise("cosh", np.cosh, lambda g, _ans, x: g * sinh(x))
deftaylor(cosh, lambda _taylor, ans, x: series.rotated(series.at(sinh, x[0]), ans, x, 1)[1])


def tanh_series(_taylor: Kinks, ans: Value, x: Series) -> Series:
    """By y' = w x' with w = 1 - y^2, whose value is found without the rounding of y^2 to 1: it is 4 / (e^x + e^-x)^2."""
    if type(x[0]) is Tracer or dtype_of(x[0]).kind == "c":
        rate = 1 - ans * ans
    else:
        small = series.at(exp, -2 * abs(x[0]))
        rate = 4 * small / (1 + small) ** 2
    return series.logistic(ans, rate, x, -1)


tanh: Primitive = elementwise("tanh", np.tanh, lambda g, ans, _x: g * (1.0 - ans * ans))
deftaylor(tanh, tanh_series)

arcsinh: Primitive = elementwise("arcsinh", np.arcsinh, lambda g, _ans, x: g / sqrt(x * x + 1))
deftaylor(arcsinh, from_derivative(lambda x: 1 / sqrt(x * x + 1)))

arccosh: Primitive = elementwise(
    "arccosh", np.arccosh, lambda g, _ans, x: g / (sqrt(x - 1) * sqrt(x + 1)), singular=True
)
deftaylor(
    arccosh,
    singular_at(
        "numpy.arccosh of 1", at_one, from_derivative(lambda x: 1 / (sqrt(x - 1) * sqrt(x + 1))), regular=(2.0, 0.0)
    ),
)

arctanh: Primitive = elementwise("arctanh", np.arctanh, lambda g, _ans, x: g / ((1 - x) * (1 + x)), singular=True)
deftaylor(arctanh, from_derivative(lambda x: 1 / ((1 - x) * (1 + x))))

deg2rad: Primitive = elementwise("deg2rad", np.deg2rad, lambda g, _ans, _x: deg2rad(g), linear=True)

rad2deg: Primitive = elementwise("rad2deg", np.rad2deg, lambda g, _ans, _x: rad2deg(g), linear=True)

radians: Primitive = elementwise("radians", np.radians, lambda g, _ans, _x: radians(g), linear=True)

degrees: Primitive = elementwise("degrees", np.degrees, lambda g, _ans, _x: degrees(g), linear=True)


def squared_radius(x: Value, y: Value) -> Value:
    """x^2 + y^2, but 1 at the origin, where what is divided by it is 0."""
    total = x * x + y * y
    return np.where(total == 0, 1.0, total)


def arctan2_series(taylor: Kinks, ans: Value, y: Series, x: Series) -> Series:
    """By r^2 z' = x y' - y x' with r^2 = x^2 + y^2."""
    r = series.added(series.product(x[0] * x[0], x, x), series.product(y[0] * y[0], y, y))
    turn = series.subtracted(series.product(None, x, series.slopes(y)), series.product(None, y, series.slopes(x)))
    origin = r[0] == 0
    if not anywhere(origin):
        return series.integral(ans, series.quotient(None, turn, r))
    taylor.kink("numpy.arctan2 at the origin")
    z = series.integral(ans, series.quotient(None, turn, series.filled(r, origin, 1.0)))
    return [ans, *series.each(lambda c: np.where(origin, np.nan, c), z[1:])]


arctan2: Primitive = elementwise(
    "arctan2",
    np.arctan2,
    lambda g, _ans, y, x: g * x / squared_radius(x, y),
    lambda g, _ans, y, x: -g * y / squared_radius(x, y),
)
deftaylor(arctan2, arctan2_series)


def sinc_value(x: Value, order: int) -> Value:
    """The derivative of that order of sin(pi x) / (pi x).

    Near 0 by the series sum over 2k >= n of (-1)^k pi^2k x^(2k-n) / ((2k+1) (2k-n)!); elsewhere by Leibniz' rule for
    x sinc(x) = sin(pi x) / pi, that is x f_n = pi^(n-1) sin(pi x + n pi/2) - n f_(n-1).
    """
    if order == 0:
        return np.sinc(x)
    z = np.asarray(x)
    near = np.abs(z) < 1 + order / 4
    inside, outside = np.where(near, z, 0), np.where(near, 1, z)
    series = np.zeros_like(inside)
    for k in range((order + 1) // 2, (order + 1) // 2 + 24 + order):
        term = (-1) ** k * math.pi ** (2 * k) / ((2 * k + 1) * math.factorial(2 * k - order))
        series = series + term * inside ** (2 * k - order)
    value = np.sinc(outside)
    for n in range(1, order + 1):
        value = (math.pi ** (n - 1) * np.sin(math.pi * outside + n * math.pi / 2) - n * value) / outside
    return np.where(near, series, value)[()].astype(z.dtype)


def sinc_series(_taylor: Kinks, ans: Value, x: Series, order: int) -> Series:
    """The series of the function at x_0, its derivatives over factorials, at x - x_0: by Horner's rule."""
    last = len(x) - 1
    step = [None, *x[1:]]
    total: Series = series.still(None, x)
    for n in range(last, -1, -1):
        derivative = sinc(x[0], order=order + n) if n else ans
        total = [derivative / math.factorial(n), *series.product(None, total, step)[1:]]
    return total


sinc: Primitive = smooth(
    "sinc", sinc_value, lambda g, _ans, x, order: g * sinc(x, order=order + 1), mask=ELEMENTWISE, specs=False
)
deftaylor(sinc, sinc_series)
