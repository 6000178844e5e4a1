"""The zeta functions of Riemann and Hurwitz, and Lambert's W: chapters 25 and 4.13 of the DLMF."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters.taylor_rules import deftaylor, from_derivative
from xformad.interpreters.vjp_rules import BROADCAST, ELEMENTWISE
from xformad.numpy.implements import as_array
from xformad.operations.makers import smooth
from xformad.scipy.faces import face
from xformad.scipy.special.gamma_functions import gamma
from xformad.scipy.special.polygamma_functions import psi
from xformad.scipy.special.ufuncs import either, smooth_ufunc

TERMS: Final = 12
"""Of the sum, and of the Euler-Maclaurin series."""

BERNOULLI: Final = [float(b) for b in scipy.special.bernoulli(2 * TERMS)[2::2]]


def times(x: list[Any], y: list[Any]) -> list[Any]:
    """The product of two power series."""
    return [sum(x[j] * y[n - j] for j in range(n + 1)) for n in range(len(x))]


def zeta_value(s: Value, q: Value, order: int) -> Value:
    """The derivative of that order by s; of SciPy's function, which is NaN for s < 1."""
    value = scipy.special.zeta(s, q)
    return value if order == 0 else np.where(np.isnan(value), value, summed(s, q, order))[()]


def summed(s: Value, q: Value, order: int) -> Value:
    """The derivative of that order of the Hurwitz zeta function by s > -1, by the Euler-Maclaurin formula (DLMF 25.11.5).

    It is the sum of (q + k)^-s over k < N, and with a = q + N of a^(1-s) / (s - 1), a^-s / 2 and
    B_2j / (2j)! (s)_(2j-1) a^(1-2j-s). Each is differentiated as a power series in s. For q > 0.
    """
    kind = np.result_type(s, q, 0.0)
    x, y = np.broadcast_arrays(np.asarray(s, float), np.asarray(q, float))
    if np.any(y <= 0):
        raise UnsupportedError("the derivative of scipy.special.zeta(x, q) with respect to x is known for q > 0 only")

    def power(base: Any, exponent: Any) -> list[Any]:
        """base^-(exponent + e) in powers of e."""
        log = -np.log(base)
        return [base**-exponent * log**n / math.factorial(n) for n in range(order + 1)]

    with np.errstate(all="ignore"):
        total = [np.zeros_like(x) for _ in range(order + 1)]
        for k in range(TERMS):
            total = [a + b for a, b in zip(total, power(y + k, x), strict=True)]
        a = y + TERMS
        last = power(a, x)
        inverse = [(-1.0) ** n / (x - 1) ** (n + 1) for n in range(order + 1)]
        integral = [a * c for c in times(last, inverse)]
        total = [t + i + c / 2 for t, i, c in zip(total, integral, last, strict=True)]
        rising: list[Any] = [x, np.ones_like(x), *[np.zeros_like(x)] * (order - 1)]
        for j, b in enumerate(BERNOULLI, 1):
            if j > 1:
                for shift in (2 * j - 3, 2 * j - 2):
                    rising = times(rising, [x + shift, np.ones_like(x), *[np.zeros_like(x)] * (order - 1)])
            scale = b / math.factorial(2 * j) * a ** (1 - 2.0 * j)
            total = [t + scale * c for t, c in zip(total, times(rising, last), strict=True)]
        return (math.factorial(order) * total[order]).astype(kind)[()]


def zeta_by_q(s: Value, q: Value, order: int) -> Value:
    """-s zeta(s + 1, q), and its derivatives by s."""
    slope = -s * hurwitz.bind(s + 1, q, order=order)
    return slope if order == 0 else slope - order * hurwitz.bind(s + 1, q, order=order - 1)


hurwitz: Primitive = smooth(
    "zeta",
    zeta_value,
    lambda g, _ans, s, q, order: g * hurwitz.bind(s, q, order=order + 1),
    lambda g, _ans, s, q, order: g * zeta_by_q(s, q, order),
    mask=ELEMENTWISE,
    specs=False,
    check=BROADCAST,
    singular=True,
)
deftaylor(hurwitz, from_derivative(lambda s, q, order: hurwitz.bind(s, q, order=order + 1), zeta_by_q))


def riemann_value(x: Value, order: int) -> Value:
    """The derivative of that order of Riemann's function."""
    return scipy.special.zeta(x) if order == 0 else summed(x, np.ones_like(x), order)


def reflected_slope(x: Value) -> Value:
    """The derivative of zeta(x) = 2 (2 pi)^(x-1) sin(pi x / 2) gamma(1 - x) zeta(1 - x) (DLMF 25.4.1)."""
    y = 1 - x
    sine, cosine = np.sin(math.pi / 2 * x), np.cos(math.pi / 2 * x)
    level = sine * (math.log(2 * math.pi) - psi(y)) + math.pi / 2 * cosine
    inner = riemann.bind(y, order=0) * level - riemann.bind(y, order=1) * sine
    return 2 * (2 * math.pi) ** (x - 1) * gamma(y) * inner


def riemann_slope(x: Value, order: int) -> Value:
    if dtype_of(x).kind == "c":
        raise UnsupportedError("the derivative of scipy.special.zeta(x) is known for real x only")
    if order > 0:
        return riemann.bind(x, order=order + 1)
    return either(x < -0.5, reflected_slope, lambda x: riemann.bind(x, order=1), x, safe=(-1.0, 2.0))


riemann: Primitive = smooth(
    "riemann_zeta",
    riemann_value,
    lambda g, _ans, x, order: g * riemann_slope(x, order),
    mask=ELEMENTWISE,
    specs=False,
    singular=True,
)
deftaylor(riemann, from_derivative(riemann_slope))
zetac: Primitive = smooth_ufunc(scipy.special.zetac, lambda x: riemann_slope(x, 0))


@face(scipy.special.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Value:
    """The Hurwitz zeta function, the sum of (k + q)^-x over k = 0, 1, ...; without q Riemann's function.

    Args:
        x: the exponents.
        q: numbers, positive for a derivative with respect to x; None: 1.
        out: not supported.

    Raises:
        UnsupportedError: with `out`.

    >>> from xformad import grad
    >>> grad(zeta)(2.0).round(12)
    np.float64(-0.937548254316)
    """
    if out is not None:
        raise UnsupportedError("scipy.special.zeta with out= is not supported on traced arrays; use its result")
    x = as_array(x)
    return riemann.bind(x, order=0) if q is None else hurwitz.bind(x, as_array(q), order=0)


# W exp(W) = z, so W' = 1 / (exp(W) (1 + W)).
lambertw_: Primitive = smooth(
    "lambertw",
    lambda z, k, tol: scipy.special.lambertw(z, k, tol),
    lambda g, ans, _z, **_: g * (np.exp(-ans) / (1 + ans)),
    mask=ELEMENTWISE,
    specs=True,
    check=BROADCAST,
    singular=True,
)


def lambertw_slope(z: Value, k: Any, tol: float) -> Value:
    w = lambertw_.bind(z, k=k, tol=tol)
    return np.exp(-w) / (1 + w)


deftaylor(lambertw_, from_derivative(lambertw_slope))


@face(scipy.special.lambertw)
def lambertw(z: Any, k: int = 0, tol: float = 1e-8) -> Value:
    """Lambert's W, the solution w of w exp(w) = z, a complex number.

    Args:
        z: real or complex numbers.
        k: the branch, a whole number.
        tol: the tolerance of SciPy's iteration.

    >>> import numpy as np
    >>> from xformad import grad
    >>> grad(lambda z: np.real(lambertw(z)))(0.0)
    np.float64(1.0)
    """
    return lambertw_.bind(as_array(z), k=k, tol=tol)


def wrightomega_slope(z: Value) -> Value:
    w = wrightomega(z)
    return w / (1 + w)


wrightomega: Primitive = smooth_ufunc(scipy.special.wrightomega, wrightomega_slope)
