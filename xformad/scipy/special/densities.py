"""The densities of the gamma and beta distributions, of which the incomplete gamma and beta functions are integrals.

Written with powers they lose as many digits as their exponents have. So they are written with the remainder of
Stirling's formula and with log(1 + u) - u, as C. Loader does: "Fast and accurate computation of binomial probabilities"
(2000).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.scipy.special.entropy import ratio
from xformad.scipy.special.polygamma_functions import psi, psi_difference
from xformad.scipy.special.ufuncs import smooth_ufunc

HALF_LOG_2_PI: Final = math.log(2 * math.pi) / 2
STIRLING: Final = [float(b) / (2 * k * (2 * k - 1)) for k, b in enumerate(scipy.special.bernoulli(20)[2::2], 1)]
"""The coefficients of a^(1-2k) in the remainder (DLMF 5.11.1)."""


def stirling_remainder(a: Any) -> Any:
    """log gamma(a) - (a - 1/2) log(a) + a - log(2 pi) / 2."""
    large = a > 16
    far = np.where(large, a, 16.0)
    series = sum(c * far ** (1 - 2.0 * k) for k, c in enumerate(STIRLING, 1))
    near = np.where(large, 1.0, a)
    return np.where(large, series, scipy.special.gammaln(near) - (near - 0.5) * np.log(near) + near - HALF_LOG_2_PI)


def log_quotient(x: Any, a: Any) -> Any:
    """log(x / a) - (x / a - 1), by the series of the inverse hyperbolic tangent where x is near a."""
    u = (x - a) / a
    near = abs(u) < 0.5
    w = np.where(near, u, 0.0)
    v = w / (2 + w)
    square = v * v
    total = np.zeros_like(v)
    for k in range(17, 0, -1):
        total = total * square + 1 / (2 * k + 1)
    return np.where(near, -w * v + 2 * v * square * total, np.log(np.where(near, 1.0, x / a)) - u)


def gamma_kernel(a: Any, x: Any) -> Any:
    """x^a exp(-x) / gamma(a) for x > 0 and a > 0."""
    return np.sqrt(a / (2 * math.pi)) * np.exp(a * log_quotient(x, a) - stirling_remainder(a))


def beta_kernel(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x^a y^b / B(a, b) for x > 0 and y = 1 - x > 0."""
    n = a + b
    exponent = a * log_quotient(x, a / n) + b * log_quotient(y, b / n)
    exponent = exponent + stirling_remainder(n) - stirling_remainder(a) - stirling_remainder(b)
    return np.sqrt(a / n * b / (2 * math.pi)) * np.exp(exponent)


def floats(*args: Any) -> tuple[Any, ...]:
    """The arguments as float64 of one shape, and the dtype of a ufunc's result."""
    kind = np.result_type(*args, 0.0)
    return *np.broadcast_arrays(*[np.asarray(x, float) for x in args]), np.float32 if kind == np.float16 else kind


def gamma_density_value(a: Value, x: Value) -> Value:
    a, x, kind = floats(a, x)
    with np.errstate(all="ignore"):
        value = gamma_kernel(a, x) / x
        value = np.where(x == 0, np.where(a < 1, np.inf, np.where(a == 1, 1.0, 0.0)), value)
        value = np.where(np.isinf(x), 0.0, value)
        return np.where((a > 0) & (x >= 0), value, np.nan).astype(kind)[()]


def present(density: Value, factor: Value) -> Value:
    """The product, 0 where the density is, whatever the factor."""
    return np.where(density == 0, 0, density * np.where(density == 0, 0, factor))


def gamma_density_by_x(a: Value, x: Value) -> Value:
    """f (a - 1) / x - f, where f / x is a density, too."""
    above = a > 1
    raised = gamma_density.bind(np.where(above, a - 1, 1.0), x)
    density = gamma_density.bind(a, x)
    return np.where(above, raised, ratio.bind(np.where(above, 0, a - 1), x) * density) - density


gamma_density: Primitive = smooth_ufunc(
    gamma_density_value,
    lambda a, x: present(gamma_density.bind(a, x), np.log(x) - psi(a)),
    gamma_density_by_x,
    name="gamma_density",
)


def beta_density_value(a: Value, b: Value, x: Value) -> Value:
    a, b, x, kind = floats(a, b, x)
    with np.errstate(all="ignore"):
        value = beta_kernel(a, b, x, 1 - x) / (x * (1 - x))
        value = np.where(x == 0, np.where(a < 1, np.inf, np.where(a == 1, b, 0.0)), value)
        value = np.where(x == 1, np.where(b < 1, np.inf, np.where(b == 1, a, 0.0)), value)
        return np.where((a > 0) & (b > 0) & (x >= 0) & (x <= 1), value, np.nan).astype(kind)[()]


def beta_density_by_x(a: Value, b: Value, x: Value) -> Value:
    """f (a - 1) / x - f (b - 1) / (1 - x), where f / x and f / (1 - x) are multiples of densities, too."""
    density = beta_density.bind(a, b, x)
    more, less = a > 1, b > 1
    left = (a + b - 1) * beta_density.bind(np.where(more, a - 1, 1.0), b, x)
    right = (a + b - 1) * beta_density.bind(a, np.where(less, b - 1, 1.0), x)
    left = np.where(more, left, ratio.bind(np.where(more, 0, a - 1), x) * density)
    return left - np.where(less, right, ratio.bind(np.where(less, 0, b - 1), 1 - x) * density)


beta_density: Primitive = smooth_ufunc(
    beta_density_value,
    lambda a, b, x: present(beta_density.bind(a, b, x), np.log(x) + psi_difference(a, b)),
    lambda a, b, x: present(beta_density.bind(a, b, x), np.log1p(-x) + psi_difference(b, a)),
    beta_density_by_x,
    name="beta_density",
)
