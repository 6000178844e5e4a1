"""Arithmetic: sums, products, quotients, powers and remainders."""

from __future__ import annotations

import numpy as np

from xformad.core import primitive as core
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.operations.exponential import log
from xformad.operations.makers import elementwise, nondifferentiable

add: Primitive = elementwise(core.add, np.add, lambda g, _ans, _x, _y: g, lambda g, _ans, _x, _y: g)

subtract: Primitive = elementwise(core.subtract, np.subtract, lambda g, _ans, _x, _y: g, lambda g, _ans, _x, _y: -g)

multiply: Primitive = elementwise(
    core.multiply, np.multiply, lambda g, _ans, _x, y: g * y, lambda g, _ans, x, _y: g * x, linear=True
)

divide: Primitive = elementwise(
    core.divide, np.divide, lambda g, _ans, _x, y: g / y, lambda g, ans, _x, y: -(g * ans / y), singular=True
)

negative: Primitive = elementwise(core.negative, np.negative, lambda g, _ans, _x: -g, linear=True)

positive: Primitive = elementwise(core.positive, np.positive, lambda g, _ans, _x: g, linear=True)

square: Primitive = elementwise("square", np.square, lambda g, _ans, x: g * (x + x))

reciprocal: Primitive = elementwise("reciprocal", np.reciprocal, lambda g, ans, _x: -(g * ans * ans), singular=True)


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


power: Primitive = elementwise(core.power, np.power, power_vjp_base, power_vjp_exponent, singular=True)

float_power: Primitive = elementwise("float_power", np.float_power, power_vjp_base, power_vjp_exponent, singular=True)

floor_divide = nondifferentiable(core.floor_divide, np.floor_divide, 2)

# x - y floor(x / y), whose second term is locally constant but for the factor y.
remainder: Primitive = elementwise(
    core.remainder, np.remainder, lambda g, _ans, _x, _y: g, lambda g, _ans, x, y: -(g * np.floor_divide(x, y))
)

fmod: Primitive = elementwise(
    "fmod", np.fmod, lambda g, _ans, _x, _y: g, lambda g, _ans, x, y: -(g * np.trunc(divide(x, y)))
)

# x 2^i, i a whole number.
ldexp: Primitive = elementwise("ldexp", np.ldexp, lambda g, _ans, _x, i: ldexp(g, i), None)
