"""The gamma and beta functions, their logarithms and reciprocals: chapter 5 of the DLMF.

What would be a difference of digamma functions of near arguments is `psi_difference`, which does not cancel.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.operations.makers import nondifferentiable
from xformad.scipy.faces import face
from xformad.scipy.special.polygamma_functions import psi, psi_difference
from xformad.scipy.special.ufuncs import either, smooth_ufunc

gamma: Primitive = smooth_ufunc(scipy.special.gamma, lambda x: gamma(x) * psi(x))
gammaln: Primitive = smooth_ufunc(scipy.special.gammaln, psi)
loggamma: Primitive = smooth_ufunc(scipy.special.loggamma, psi)
gammasgn: Primitive = nondifferentiable("gammasgn", scipy.special.gammasgn)


def rgamma_reflected(x: Value) -> Value:
    """The derivative of 1 / gamma(x) = gamma(1 - x) sin(pi x) / pi (DLMF 5.5.3), which is regular at the poles of gamma."""
    return gamma(1 - x) * (np.cos(math.pi * x) - psi(1 - x) * np.sin(math.pi * x) / math.pi)


def rgamma_slope(x: Value) -> Value:
    left = np.real(x) < 0.5 if dtype_of(x).kind == "c" else x < 0.5
    return either(left, rgamma_reflected, lambda x: -psi(x) * rgamma(x), x, safe=(0.0, 1.0))


rgamma: Primitive = smooth_ufunc(scipy.special.rgamma, rgamma_slope, singular=False)

beta: Primitive = smooth_ufunc(
    scipy.special.beta,
    lambda a, b: -beta.bind(a, b) * psi_difference(a, b),
    lambda a, b: -beta.bind(a, b) * psi_difference(b, a),
)
betaln: Primitive = smooth_ufunc(
    scipy.special.betaln, lambda a, b: -psi_difference(a, b), lambda a, b: -psi_difference(b, a)
)
poch: Primitive = smooth_ufunc(
    scipy.special.poch,
    lambda z, m: poch.bind(z, m) * psi_difference(z, m),
    lambda z, m: poch.bind(z, m) * psi(z + m),
)
binom: Primitive = smooth_ufunc(
    scipy.special.binom,
    lambda n, k: binom.bind(n, k) * psi_difference(n - k + 1, k),
    lambda n, k: binom.bind(n, k) * psi_difference(k + 1, n - 2 * k),
)


@face(scipy.special.multigammaln)
def multigammaln(a: Value, d: int) -> Value:
    """The logarithm of the multivariate gamma function of dimension d.

    Args:
        a: numbers above (d - 1) / 2.
        d: a whole number from 1 on.

    >>> from xformad import grad
    >>> grad(lambda a: multigammaln(a, 1))(2.0).round(12)  # psi(2)
    np.float64(0.422784335098)
    """
    if np.ndim(d) > 0 or int(d) != d:
        raise ValueError("d should be a positive integer (dimension)")
    if np.any(a <= 0.5 * (d - 1)):
        raise ValueError(f"condition a ({a}) > 0.5 * (d-1) ({0.5 * (d - 1)}) not met")
    total = np.float64(d * (d - 1) * 0.25 * math.log(math.pi))  # SciPy's result is float64, too
    for j in range(1, int(d) + 1):
        total = total + gammaln(a - (j - 1.0) / 2)
    return total
