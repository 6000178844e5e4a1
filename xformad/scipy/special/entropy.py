"""Entropies, and x log(y). At zeros their values are the limits that make entropies of distributions right."""

from __future__ import annotations

import numpy as np
import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.scipy.special.ufuncs import smooth_ufunc


def ratio_value(x: Value, y: Value) -> Value:
    """x / y, but 0 / 0 = 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


ratio: Primitive = smooth_ufunc(
    ratio_value, lambda _x, y: 1 / y, lambda x, y: -ratio.bind(ratio.bind(x, y), y), name="ratio"
)


def log_ratio(x: Value, y: Value) -> Value:
    """log(x / y), exact for x near y, without overflow of the quotient."""
    near = abs(x - y) < 0.5 * abs(y)
    inside = np.where(near, x, 1.0), np.where(near, y, 1.0)
    outside = np.where(near, 1.0, x), np.where(near, 1.0, y)
    return np.where(near, np.log1p((inside[0] - inside[1]) / inside[1]), np.log(outside[0]) - np.log(outside[1]))


def kl_div_by_y(x: Value, y: Value) -> Value:
    """1 - x / y, exact for x near y; 1 at x = y = 0, as for x = 0 and any y."""
    return np.where(y == 0, 1 - ratio.bind(x, y), ratio.bind(y - x, y))


entr: Primitive = smooth_ufunc(scipy.special.entr, lambda x: -np.log(x) - 1)
xlogy: Primitive = smooth_ufunc(scipy.special.xlogy, lambda _x, y: np.log(y), lambda x, y: ratio.bind(x, y))
xlog1py: Primitive = smooth_ufunc(scipy.special.xlog1py, lambda _x, y: np.log1p(y), lambda x, y: ratio.bind(x, 1 + y))
rel_entr: Primitive = smooth_ufunc(
    scipy.special.rel_entr, lambda x, y: log_ratio(x, y) + 1, lambda x, y: -ratio.bind(x, y)
)
kl_div: Primitive = smooth_ufunc(scipy.special.kl_div, log_ratio, kl_div_by_y)
