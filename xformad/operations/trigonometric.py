"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

import math

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.exponential import sqrt
from xformad.operations.makers import elementwise, smooth

sin: Primitive = elementwise("sin", np.sin, lambda g, _ans, x: g * cos(x))

cos: Primitive = elementwise("cos", np.cos, lambda g, _ans, x: g * -sin(x))

tan: Primitive = elementwise("tan", np.tan, lambda g, ans, _x: g * (1 + ans * ans))

arcsin: Primitive = elementwise("arcsin", np.arcsin, lambda g, _ans, x: g / sqrt((1 - x) * (1 + x)), singular=True)

arccos: Primitive = elementwise("arccos", np.arccos, lambda g, _ans, x: -g / sqrt((1 - x) * (1 + x)), singular=True)

arctan: Primitive = elementwise("arctan", np.arctan, lambda g, _ans, x: g / (1 + x * x))

sinh: Primitive = elementwise("sinh", np.sinh, lambda g, _ans, x: g * cosh(x))

cosh: Primitive = elementwise("cosh", np.cosh, lambda g, _ans, x: g * sinh(x))

tanh: Primitive = elementwise("tanh", np.tanh, lambda g, ans, _x: g * (1.0 - ans * ans))

arcsinh: Primitive = elementwise("arcsinh", np.arcsinh, lambda g, _ans, x: g / sqrt(x * x + 1))

arccosh: Primitive = elementwise(
    "arccosh", np.arccosh, lambda g, _ans, x: g / (sqrt(x - 1) * sqrt(x + 1)), singular=True
)

arctanh: Primitive = elementwise("arctanh", np.arctanh, lambda g, _ans, x: g / ((1 - x) * (1 + x)), singular=True)

deg2rad: Primitive = elementwise("deg2rad", np.deg2rad, lambda g, _ans, _x: g * (math.pi / 180), linear=True)

rad2deg: Primitive = elementwise("rad2deg", np.rad2deg, lambda g, _ans, _x: g * (180 / math.pi), linear=True)

radians: Primitive = elementwise("radians", np.radians, lambda g, _ans, _x: g * (math.pi / 180), linear=True)

degrees: Primitive = elementwise("degrees", np.degrees, lambda g, _ans, _x: g * (180 / math.pi), linear=True)


def squared_radius(x: Value, y: Value) -> Value:
    """x^2 + y^2, but 1 at the origin, where what is divided by it is 0."""
    total = x * x + y * y
    return np.where(total == 0, 1.0, total)


arctan2: Primitive = elementwise(
    "arctan2",
    np.arctan2,
    lambda g, _ans, y, x: g * x / squared_radius(x, y),
    lambda g, _ans, y, x: -g * y / squared_radius(x, y),
)


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


sinc: Primitive = smooth(
    "sinc", sinc_value, lambda g, _ans, x, order: g * sinc(x, order=order + 1), mask=ELEMENTWISE, specs=False
)
