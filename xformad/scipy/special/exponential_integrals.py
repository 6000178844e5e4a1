"""Exponential, sine and cosine integrals, and Spence's function: chapters 6, 8.19 and 25.12 of the DLMF."""

from __future__ import annotations

import math

import numpy as np
import scipy.special

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.scipy.special.hypergeometric import exprel, log1p_ratio
from xformad.scipy.special.ufuncs import Unknown, either, part, several, smooth_ufunc

exp1: Primitive = smooth_ufunc(scipy.special.exp1, lambda x: -np.exp(-x) / x)
expi: Primitive = smooth_ufunc(scipy.special.expi, lambda x: np.exp(x) / x)


def expn_by_x(n: Value, x: Value) -> Value:
    """-E_(n-1)(x), where E_0(x) = exp(-x) / x and E_(-1)(x) = exp(-x) (1 + x) / x^2."""
    if type(n) is int and n >= 2:
        return -expn.bind(n - 1, x)
    regular = n >= 2
    above = -expn.bind(np.where(regular, n - 1, 1), np.where(regular, x, 1.0))
    below = -np.exp(-x) / x * np.where(n == 1, 1.0, (1 + x) / x)
    return np.where(regular, above, below)


expn: Primitive = smooth_ufunc(scipy.special.expn, Unknown("the order"), expn_by_x)


def sine_ratio(x: Value) -> Value:
    """sin(x) / x."""
    return np.sin(x) / x if dtype_of(x).kind == "c" else np.sinc(x / math.pi)


def hyperbolic_sine_ratio(x: Value) -> Value:
    """sinh(x) / x."""
    return np.sinh(x) / x if dtype_of(x).kind == "c" else (exprel(x) + exprel(-x)) / 2


sine_integral: Primitive = smooth_ufunc(part(scipy.special.sici, 0), sine_ratio, name="sine_integral")
cosine_integral: Primitive = smooth_ufunc(part(scipy.special.sici, 1), lambda x: np.cos(x) / x, name="cosine_integral")
several(scipy.special.sici, sine_integral, cosine_integral)

hyperbolic_sine_integral: Primitive = smooth_ufunc(
    part(scipy.special.shichi, 0), hyperbolic_sine_ratio, name="hyperbolic_sine_integral"
)
hyperbolic_cosine_integral: Primitive = smooth_ufunc(
    part(scipy.special.shichi, 1), lambda x: np.cosh(x) / x, name="hyperbolic_cosine_integral"
)
several(scipy.special.shichi, hyperbolic_sine_integral, hyperbolic_cosine_integral)


def spence_slope(z: Value) -> Value:
    """log(z) / (1 - z), which is smooth at 1."""
    near = abs(z - 1) < 0.5
    return either(near, lambda x: -log1p_ratio(x - 1), lambda x: np.log(x) / (1 - x), z, safe=(1.0, 2.0))


spence: Primitive = smooth_ufunc(scipy.special.spence, spence_slope)
