"""Arithmetic: sums, products, quotients, powers, remainders, and the algebra of signs."""

from __future__ import annotations

import numpy as np

from xformad.core import primitive as core
from xformad.core.typing import Value
from xformad.operations.makers import elementwise, nondifferentiable

add = elementwise(core.add, np.add, lambda g, _ans, _x, _y: g, lambda g, _ans, _x, _y: g)

subtract = elementwise(core.subtract, np.subtract, lambda g, _ans, _x, _y: g, lambda g, _ans, _x, _y: -g)

multiply = elementwise(
    core.multiply, np.multiply, lambda g, _ans, _x, y: g * y, lambda g, _ans, x, _y: g * x, linear=True
)

divide = elementwise(core.divide, np.divide, lambda g, _ans, _x, y: g / y, lambda g, ans, _x, y: -(g * ans / y))

negative = elementwise(core.negative, np.negative, lambda g, _ans, _x: -g, linear=True)

positive = elementwise(core.positive, np.positive, lambda g, _ans, _x: g, linear=True)
