"""Exponentials, logarithms and roots."""

from __future__ import annotations

import math

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.operations.makers import elementwise

exp: Primitive = elementwise("exp", np.exp, lambda g, ans, _x: g * ans)

exp2: Primitive = elementwise("exp2", np.exp2, lambda g, ans, _x: g * (ans * math.log(2)))

expm1: Primitive = elementwise("expm1", np.expm1, lambda g, ans, _x: g * (ans + 1))

log: Primitive = elementwise("log", np.log, lambda g, _ans, x: g / x, singular=True)

log2: Primitive = elementwise("log2", np.log2, lambda g, _ans, x: g / (x * math.log(2)), singular=True)

log10: Primitive = elementwise("log10", np.log10, lambda g, _ans, x: g / (x * math.log(10)), singular=True)

log1p: Primitive = elementwise("log1p", np.log1p, lambda g, _ans, x: g / (1 + x), singular=True)

sqrt: Primitive = elementwise("sqrt", np.sqrt, lambda g, ans, _x: g * (0.5 / ans), singular=True)

cbrt: Primitive = elementwise("cbrt", np.cbrt, lambda g, ans, _x: g / (3 * ans * ans), singular=True)


def share(x: Value, y: Value, ans: Value, half: float) -> Value:
    """x - ans, the logarithm of the share that x has in a sum. Two equal infinities have half each."""
    with np.errstate(invalid="ignore"):
        difference = x - ans
    infinite = np.logical_and(np.isinf(x), x == ans)
    return np.where(infinite, np.where(x == y, half, 0.0), difference)


logaddexp: Primitive = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda g, ans, x, y: g * exp(share(x, y, ans, -math.log(2))),
    lambda g, ans, x, y: g * exp(share(y, x, ans, -math.log(2))),
)

logaddexp2: Primitive = elementwise(
    "logaddexp2",
    np.logaddexp2,
    lambda g, ans, x, y: g * exp2(share(x, y, ans, -1.0)),
    lambda g, ans, x, y: g * exp2(share(y, x, ans, -1.0)),
)
