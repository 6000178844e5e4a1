"""Error functions, the normal distribution, Dawson's and Fresnel's integrals.

Formulas: chapter 7 of the NIST Digital Library of Mathematical Functions (DLMF). The derivative of exp(z^2) erfc(z) is a
difference of almost equal numbers for large z, so it has an evaluation of its own, `scaled_erfc_derivative`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import deftaylor
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.makers import smooth
from xformad.scipy.special.ufuncs import TWO_OVER_ROOT_PI, part, several, smooth_ufunc

ROOT_2: Final = math.sqrt(2)
ROOT_2_PI: Final = math.sqrt(2 * math.pi)

erf: Primitive = smooth_ufunc(scipy.special.erf, lambda x: TWO_OVER_ROOT_PI * np.exp(-x * x), singular=False)
erfc: Primitive = smooth_ufunc(scipy.special.erfc, lambda x: -TWO_OVER_ROOT_PI * np.exp(-x * x), singular=False)
erfi: Primitive = smooth_ufunc(scipy.special.erfi, lambda x: TWO_OVER_ROOT_PI * np.exp(x * x), singular=False)
erfinv: Primitive = smooth_ufunc(scipy.special.erfinv, lambda x: np.exp(erfinv(x) ** 2) / TWO_OVER_ROOT_PI)
erfcinv: Primitive = smooth_ufunc(scipy.special.erfcinv, lambda x: -np.exp(erfcinv(x) ** 2) / TWO_OVER_ROOT_PI)


def scaled_erfc_integral(z: Any, order: int) -> Any:
    """exp(z^2) i^n erfc(z), the repeated integral of erfc, for n = order >= 0 (DLMF 7.18).

    It satisfies y_n = y_(n-2) / (2 n) - z y_(n-1) / n with y_(-1) = 2 / sqrt(pi) and y_0 = erfcx(z), by which it is
    computed where the real part of z is small or negative. In the right half-plane it is the smallest solution, so the
    recurrence is run backwards from far out (Gautschi 1961). For large |z| by the asymptotic series DLMF 7.18.14.
    """
    before, now = np.full_like(z, TWO_OVER_ROOT_PI), scipy.special.erfcx(z)
    for n in range(1, order + 1):
        before, now = now, before / (2 * n) - z * now / n
    right, size = z.real, np.abs(z)
    backward = (right >= 1) & (size < 9)
    far = (size >= 9) & (right >= -abs(z.imag) / 2)
    if np.any(backward):
        x = np.where(backward, z, 2.0)
        ratio = np.zeros_like(x)  # y_n / y_(n-1)
        product = np.full_like(x, TWO_OVER_ROOT_PI)
        for n in range(order + 320, -1, -1):
            ratio = 1 / (2 * (x + (n + 1) * ratio))
            if n <= order:
                product = product * ratio
        now = np.where(backward, product, now)
    if np.any(far):
        x = np.where(far, z, 9.0)
        term = TWO_OVER_ROOT_PI / (2 * x) ** (order + 1)
        total = term
        for m in range(1, 30):
            term = -term * (2 * m + order) * (2 * m + order - 1) / (m * (2 * x) ** 2)
            total = total + term
        now = np.where(far, total, now)
    return now


def erfcx_value(x: Value, order: int) -> Value:
    """The derivative of that order of exp(x^2) erfc(x): (-2)^n n! exp(x^2) i^n erfc(x) (DLMF 7.18.4)."""
    if order == 0:
        return scipy.special.erfcx(x)
    z = np.asarray(x, complex if np.iscomplexobj(x) else float)
    with np.errstate(all="ignore"):
        value = (-2.0) ** order * math.factorial(order) * scaled_erfc_integral(z, order)
    return value.astype(scipy.special.erfcx(np.ones(1, dtype_of(x))).dtype)[()]


def erfcx_series(_taylor: Any, ans: Value, x: Series, order: int) -> Series:
    """The series of the function at x_0, at x - x_0, by Horner's rule."""
    step = [None, *x[1:]]
    total: Series = series.still(None, x)
    for n in range(len(x) - 1, -1, -1):
        c = erfcx_derivative(x[0], order=order + n) / math.factorial(n) if n else ans
        total = [c, *series.product(None, total, step)[1:]]
    return total


erfcx_derivative: Primitive = smooth(
    "erfcx_derivative",
    erfcx_value,
    lambda g, _ans, x, order: g * erfcx_derivative(x, order=order + 1),
    mask=ELEMENTWISE,
    specs=False,
)
deftaylor(erfcx_derivative, erfcx_series)

erfcx: Primitive = smooth_ufunc(
    scipy.special.erfcx,
    lambda x: erfcx_derivative(x, order=1),
    singular=False,
    nth=lambda n, x: erfcx_derivative(x, order=n),
)
# w(z) = erfcx(-i z)
wofz: Primitive = smooth_ufunc(
    scipy.special.wofz,
    lambda z: -1j * erfcx_derivative(-1j * z, order=1),
    singular=False,
    nth=lambda n, z: (-1j) ** n * erfcx_derivative(-1j * z, order=n),
)


def dawson_derivative(n: int, x: Value) -> Value:
    """For real x it is sqrt(pi) / 2 times the imaginary part of w(x); for complex z by D' = 1 - 2 z D."""
    if dtype_of(x).kind == "c":
        before = dawsn(x)
        now = 1 - 2 * x * before
        for k in range(1, n):
            before, now = now, -2 * (x * now + k * before)
        return now
    return np.imag((-1j) ** n * erfcx_derivative(-1j * x, order=n)) / TWO_OVER_ROOT_PI


dawsn: Primitive = smooth_ufunc(
    scipy.special.dawsn, lambda x: dawson_derivative(1, x), singular=False, nth=dawson_derivative
)

ndtr: Primitive = smooth_ufunc(scipy.special.ndtr, lambda x: np.exp(-x * x / 2) / ROOT_2_PI, singular=False)


def log_ndtr_slope(x: Value) -> Value:
    """exp(-x^2 / 2) / (sqrt(2 pi) ndtr(x)), which neither underflows nor divides by zero on the left."""
    return (2 / ROOT_2_PI) / erfcx(x / -ROOT_2)


log_ndtr: Primitive = smooth_ufunc(scipy.special.log_ndtr, log_ndtr_slope)
ndtri: Primitive = smooth_ufunc(scipy.special.ndtri, lambda p: ROOT_2_PI * np.exp(ndtri(p) ** 2 / 2))
ndtri_exp: Primitive = smooth_ufunc(scipy.special.ndtri_exp, lambda y: 1 / log_ndtr_slope(ndtri_exp(y)))

fresnel_sine: Primitive = smooth_ufunc(
    part(scipy.special.fresnel, 0), lambda z: np.sin((math.pi / 2) * z * z), name="fresnel_sine", singular=False
)
fresnel_cosine: Primitive = smooth_ufunc(
    part(scipy.special.fresnel, 1), lambda z: np.cos((math.pi / 2) * z * z), name="fresnel_cosine", singular=False
)
several(scipy.special.fresnel, fresnel_sine, fresnel_cosine)

owens_t: Primitive = smooth_ufunc(
    scipy.special.owens_t,
    lambda h, a: -np.exp(-h * h / 2) * erf(h * a / ROOT_2) / (2 * ROOT_2_PI),
    lambda h, a: np.exp(-h * h * (1 + a * a) / 2) / (2 * math.pi * (1 + a * a)),
    singular=False,
)


def voigt_slopes(x: Value, sigma: Value, gamma: Value) -> tuple[Value, Value]:
    """The derivatives by x and by gamma: with z = (x + i gamma) / (sigma sqrt(2)) the profile is Re w(z) / (sigma s)."""
    slope = -1j * erfcx_derivative(-1j * (x + 1j * gamma) / (ROOT_2 * sigma), order=1) / (ROOT_2 * sigma)
    size = sigma * ROOT_2_PI
    return np.real(slope) / size, -np.imag(slope) / size


def voigt_by_sigma(x: Value, sigma: Value, gamma: Value) -> Value:
    """The profile is homogeneous of degree -1 in its arguments together."""
    by_x, by_gamma = voigt_slopes(x, sigma, gamma)
    return -(voigt_profile.bind(x, sigma, gamma) + x * by_x + gamma * by_gamma) / sigma


voigt_profile: Primitive = smooth_ufunc(
    scipy.special.voigt_profile,
    lambda x, sigma, gamma: voigt_slopes(x, sigma, gamma)[0],
    voigt_by_sigma,
    lambda x, sigma, gamma: voigt_slopes(x, sigma, gamma)[1],
)
