"""Hypergeometric functions, differentiable in their last argument: DLMF 13.3.15, 13.3.22, 15.5.1, 16.3.1."""

from __future__ import annotations

import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.scipy.special.ufuncs import Unknown, smooth_ufunc

PARAMETER = Unknown("a parameter")

hyp0f1: Primitive = smooth_ufunc(
    scipy.special.hyp0f1, PARAMETER, lambda v, z: hyp0f1.bind(v + 1, z) / v, singular=False
)
hyp1f1: Primitive = smooth_ufunc(
    scipy.special.hyp1f1, PARAMETER, PARAMETER, lambda a, b, z: a / b * hyp1f1.bind(a + 1, b + 1, z)
)
hyp2f1: Primitive = smooth_ufunc(
    scipy.special.hyp2f1,
    PARAMETER,
    PARAMETER,
    PARAMETER,
    lambda a, b, c, z: a * b / c * hyp2f1.bind(a + 1, b + 1, c + 1, z),
)
hyperu: Primitive = smooth_ufunc(
    scipy.special.hyperu, PARAMETER, PARAMETER, lambda a, b, z: -a * hyperu.bind(a + 1, b + 1, z)
)


# (exp(x) - 1) / x is 1F1(1; 2; x).
exprel: Primitive = smooth_ufunc(scipy.special.exprel, lambda x: hyp1f1.bind(2.0, 3.0, x) / 2, singular=False)


def log1p_ratio(t: Value) -> Value:
    """log(1 + t) / t, which is smooth at 0: 2F1(1, 1; 2; -t)."""
    return hyp2f1.bind(1.0, 1.0, 2.0, -t)


def log1p_ratio_slope(t: Value) -> Value:
    """Its derivative."""
    return hyp2f1.bind(2.0, 2.0, 3.0, -t) / -2
