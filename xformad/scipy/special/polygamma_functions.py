"""The digamma function, its derivatives, and differences of them that do not cancel.

Chapter 5 of the DLMF: the recurrence 5.15.5, the reflection 5.15.6, the asymptotic series 5.15.8.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.taylor_rules import deftaylor, from_derivative
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.numpy.implements import as_array
from xformad.operations.makers import smooth
from xformad.scipy.faces import face
from xformad.scipy.special.ufuncs import Unknown, smooth_ufunc

BERNOULLI: Final = [float(b) for b in scipy.special.bernoulli(30)[2::2]]
"""B_2, B_4, ..., B_30."""

START: Final = 16.0
"""From where on the asymptotic series is used."""


def polygamma_tail(n: int, z: Any) -> Any:
    """psi^(n)(z) by its asymptotic series, for |z| > 15 in the right half-plane and n >= 1; for n = 0 less log(z)."""
    total = 1 / (2 * z) if n == 0 else math.factorial(n - 1) / z**n + math.factorial(n) / (2 * z ** (n + 1))
    for k, b in enumerate(BERNOULLI, 1):
        total = total + b * math.factorial(2 * k + n - 1) / math.factorial(2 * k) / z ** (2 * k + n)
    return (-1.0) ** (n + 1) * total


def complex_polygamma(n: int, z: Any) -> Any:
    """psi^(n)(z) for complex z and n >= 1: shifted to the right until the asymptotic series holds."""
    z = np.asarray(z, complex)
    total, shifted = np.zeros_like(z), z.copy()
    steps = np.where(abs(z.imag) > START, np.maximum(-z.real, 0), np.maximum(START - z.real, 0))
    for k in range(math.ceil(float(np.max(np.where(np.isfinite(steps), steps, 0), initial=0)))):
        active = steps > k
        total = total + np.where(active, 1 / np.where(active, shifted, 1) ** (n + 1), 0)
        shifted = np.where(active, shifted + 1, shifted)
    return polygamma_tail(n, shifted) - (-1.0) ** n * math.factorial(n) * total


def polygamma_value(n: Value, x: Value) -> Value:
    """SciPy's `polygamma`, and for complex x."""
    if dtype_of(x).kind != "c":
        return scipy.special.polygamma(n, x)
    orders = np.unique(n)
    with np.errstate(all="ignore"):
        value = sum(
            np.where(
                np.equal(n, order),
                scipy.special.psi(x) if order == 0 else complex_polygamma(int(order), x),
                0,
            )
            for order in orders
        )
    return np.asarray(value, dtype_of(x))[()]


polygamma_: Primitive = smooth_ufunc(
    polygamma_value, Unknown("the order"), lambda n, x: polygamma_.bind(n + 1, x), name="polygamma"
)
psi: Primitive = smooth_ufunc(scipy.special.psi, lambda x: polygamma_.bind(1, x), name="psi")


@face(scipy.special.polygamma)
def polygamma(n: Value, x: Value) -> Value:
    """The derivative of order n of the digamma function, of real and of complex arguments.

    Args:
        n: whole numbers from 0 on.
        x: of a shape that broadcasts with that of n.

    >>> import numpy as np
    >>> from xformad import grad
    >>> grad(lambda x: polygamma(1, x))(1.0).round(12)  # -2 zeta(3)
    np.float64(-2.404113806319)
    """
    return polygamma_.bind(as_array(n), as_array(x))


def difference_value(a: Value, b: Value, order: int) -> Value:
    """psi^(n)(a + b) - psi^(n)(a) for n = order, without cancellation where both arguments are positive.

    Both are shifted up by the recurrence, and then the asymptotic series are subtracted term by term:
    (a + b)^-p - a^-p = a^-p (exp(-p log(1 + b / a)) - 1).
    """
    if dtype_of(a).kind == "c" or dtype_of(b).kind == "c":
        return polygamma_value(order, a + b) - polygamma_value(order, a)
    kind = np.result_type(a, b, 0.0)
    kind = np.dtype(np.float32) if kind == np.float16 else kind
    with np.errstate(all="ignore"):
        x, y = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
        positive = (x > 0) & (x + y > 0) & np.isfinite(x + y)
        start = np.where(positive, x, 1.0)
        step = np.where(positive, y, 1.0)
        total = np.zeros_like(start)
        sign = (-1.0) ** (order + 1) * math.factorial(order)
        for _ in range(int(START)):
            low = np.minimum(start, start + step) < START
            if not low.any():
                break
            ratio = np.log1p(step / start)
            total = total + np.where(low, sign * np.expm1(-(order + 1) * ratio) / start ** (order + 1), 0)
            start = np.where(low, start + 1, start)
        ratio = np.log1p(step / start)
        sign = (-1.0) ** (order + 1)

        def powers(p: int) -> Any:
            return np.expm1(-p * ratio) / start**p

        if order == 0:
            total = total + ratio - powers(1) / 2
        else:
            total = total + sign * (
                math.factorial(order - 1) * powers(order) + math.factorial(order) / 2 * powers(order + 1)
            )
        for k, b2k in enumerate(BERNOULLI, 1):
            c = b2k * math.factorial(2 * k + order - 1) / math.factorial(2 * k)
            total = total + sign * c * powers(2 * k + order)
        plain = scipy.special.polygamma(order, x + y) - scipy.special.polygamma(order, x)
        return np.where(positive, total, plain).astype(kind)[()]


polygamma_difference: Primitive = smooth(
    "polygamma_difference",
    difference_value,
    lambda g, _ans, a, b, order: g * polygamma_difference.bind(a, b, order=order + 1),
    lambda g, _ans, a, b, order: g * polygamma_.bind(order + 1, a + b),
    mask=ELEMENTWISE,
    specs=False,
)
deftaylor(
    polygamma_difference,
    from_derivative(
        lambda a, b, order: polygamma_difference.bind(a, b, order=order + 1),
        lambda a, b, order: polygamma_.bind(order + 1, a + b),
    ),
)


def psi_difference(a: Value, b: Value) -> Value:
    """psi(a + b) - psi(a)."""
    return polygamma_difference.bind(a, b, order=0)
