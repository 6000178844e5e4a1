"""The modified Bessel function I0, which NumPy has for its Kaiser window."""

from __future__ import annotations

import math

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.taylor_rules import deftaylor, from_derivative
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.makers import smooth


def i0_value(x: Value, order: int) -> Value:
    """The derivative of that order of I0: the mean of cos(u)^order exp(x cos(u)) over the circle (DLMF 10.32.1).

    The points at u and at pi - u together give a hyperbolic sine or cosine, so that nothing cancels. The trapezoidal rule
    is exact up to the Fourier coefficients I_n(x) beyond the number of its points, which are below the rounding where
    n^2 > 80 |x|.
    """
    if order == 0:
        return np.i0(x)[()]
    z = np.asarray(x)
    largest = float(np.max(np.abs(z), initial=0.0, where=np.isfinite(z)))
    points = 2 * (16 + order + math.isqrt(int(20 * min(largest, 1e4))))
    total = np.zeros(z.shape)
    part = np.sinh if order % 2 else np.cosh
    for i in range(points):
        c = math.cos((i + 0.5) * math.pi / (2 * points))
        total = total + c**order * part(c * z.astype(float))
    return (total / points).astype(z.dtype)[()]


i0: Primitive = smooth(
    "i0", i0_value, lambda g, _ans, x, order: g * i0(x, order=order + 1), mask=ELEMENTWISE, specs=False
)
deftaylor(i0, from_derivative(lambda x, order: i0(x, order=order + 1)))
