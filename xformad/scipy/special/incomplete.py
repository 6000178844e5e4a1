"""The incomplete gamma and beta functions and their inverses, differentiable in all arguments: chapter 8 of the DLMF."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.taylor_rules import deftaylor, from_derivative
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.makers import smooth
from xformad.scipy.special.densities import beta_density, floats, gamma_density, present
from xformad.scipy.special.incomplete_values import betainc_by_parameters, gammainc_by_a, product_of_logs
from xformad.scipy.special.polygamma_functions import polygamma_, polygamma_difference, psi
from xformad.scipy.special.ufuncs import smooth_ufunc


def gammainc_value(a: Value, x: Value, order: int) -> Value:
    """The derivative of that order of gammainc by its first argument; 0 at x = 0 and infinity."""
    a, x, kind = floats(a, x)
    inside = (a > 0) & (x > 0) & (x < np.inf) & np.isfinite(a)
    with np.errstate(all="ignore"):
        value = gammainc_by_a(np.where(inside, a, 1.0), np.where(inside, x, 1.0), order)
    outside = np.where((a > 0) & (x >= 0), 0.0, np.nan)
    return np.where(inside, value, outside).astype(kind)[()]


def gamma_density_by_a(a: Value, x: Value, order: int) -> Value:
    """The derivative of that order of the density by its first argument."""
    density = gamma_density.bind(a, x)
    log = np.log(x) - psi(a)
    found: list[Value] = [1.0]
    for n in range(order):
        found.append(found[n] * log)
        for k in range(1, n + 1):
            found[-1] = found[-1] - scipy.special.binom(n, k) * found[n - k] * polygamma_.bind(k, a)
    return present(density, found[order])


gammainc_shape: Primitive = smooth(
    "gammainc_by_shape",
    gammainc_value,
    lambda g, _ans, a, x, order: g * gammainc_shape.bind(a, x, order=order + 1),
    lambda g, _ans, a, x, order: g * gamma_density_by_a(a, x, order),
    mask=ELEMENTWISE,
    specs=False,
    singular=True,
)
deftaylor(
    gammainc_shape,
    from_derivative(lambda a, x, order: gammainc_shape.bind(a, x, order=order + 1), gamma_density_by_a),
)


def by_shape(a: Value, x: Value) -> Value:
    return gammainc_shape.bind(a, x, order=1)


gammainc: Primitive = smooth_ufunc(scipy.special.gammainc, by_shape, lambda a, x: gamma_density.bind(a, x))
gammaincc: Primitive = smooth_ufunc(
    scipy.special.gammaincc, lambda a, x: -by_shape(a, x), lambda a, x: -gamma_density.bind(a, x)
)


def inverse_slopes(inverse: Any, sign: int) -> tuple[Any, Any]:
    """The partial derivatives of x with P(a, x) = y, or with Q(a, x) = y."""

    def by_a(a: Value, y: Value) -> Value:
        x = inverse().bind(a, y)
        return -by_shape(a, x) / gamma_density.bind(a, x)

    def by_y(a: Value, y: Value) -> Value:
        return sign / gamma_density.bind(a, inverse().bind(a, y))

    return by_a, by_y


gammaincinv: Primitive = smooth_ufunc(scipy.special.gammaincinv, *inverse_slopes(lambda: gammaincinv, 1))
gammainccinv: Primitive = smooth_ufunc(scipy.special.gammainccinv, *inverse_slopes(lambda: gammainccinv, -1))


def betainc_value(a: Value, b: Value, x: Value, orders: tuple[int, int]) -> Value:
    """The derivative of those orders of betainc by its first two arguments; 0 at x = 0 and 1."""
    a, b, x, kind = floats(a, b, x)
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & np.isfinite(a) & np.isfinite(b)
    with np.errstate(all="ignore"):
        a, b, x = np.where(inside, a, 1.0), np.where(inside, b, 1.0), np.where(inside, x, 0.5)
        value = betainc_by_parameters(a, b, x, 1 - x, *orders)
    return np.where(inside, value, 0.0).astype(kind)[()]


def logs_of_density(a: Value, b: Value, x: Value, i: int, j: int) -> Value:
    """The derivative of the logarithm of the beta density, i times by a and j times by b."""
    if j == 0:
        difference = polygamma_difference.bind(a, b, order=i - 1)
        return np.log(x) + difference if i == 1 else difference
    if i == 0:
        difference = polygamma_difference.bind(b, a, order=j - 1)
        return np.log1p(-x) + difference if j == 1 else difference
    return polygamma_.bind(i + j - 1, a + b)


def beta_density_by_parameters(a: Value, b: Value, x: Value, orders: tuple[int, int]) -> Value:
    """The derivative of those orders of the density by its first two arguments."""
    factor = product_of_logs(lambda i, j: logs_of_density(a, b, x, i, j), *orders)
    return present(beta_density.bind(a, b, x), factor)


def betainc_by(argnum: int) -> Any:
    """The partial derivative by one of the parameters."""

    def partial(a: Value, b: Value, x: Value, orders: tuple[int, int]) -> Value:
        more = (orders[0] + (argnum == 0), orders[1] + (argnum == 1))
        return betainc_shape.bind(a, b, x, orders=more)

    return partial


betainc_shape: Primitive = smooth(
    "betainc_by_parameters",
    betainc_value,
    lambda g, _ans, a, b, x, orders: g * betainc_by(0)(a, b, x, orders),
    lambda g, _ans, a, b, x, orders: g * betainc_by(1)(a, b, x, orders),
    lambda g, _ans, a, b, x, orders: g * beta_density_by_parameters(a, b, x, orders),
    mask=ELEMENTWISE,
    specs=False,
    singular=True,
)
deftaylor(betainc_shape, from_derivative(betainc_by(0), betainc_by(1), beta_density_by_parameters))


def betainc_slope(argnum: int, a: Value, b: Value, x: Value) -> Value:
    return betainc_by(argnum)(a, b, x, (0, 0))


betainc: Primitive = smooth_ufunc(
    scipy.special.betainc,
    lambda a, b, x: betainc_slope(0, a, b, x),
    lambda a, b, x: betainc_slope(1, a, b, x),
    lambda a, b, x: beta_density.bind(a, b, x),
)
betaincc: Primitive = smooth_ufunc(
    scipy.special.betaincc,
    lambda a, b, x: -betainc_slope(0, a, b, x),
    lambda a, b, x: -betainc_slope(1, a, b, x),
    lambda a, b, x: -beta_density.bind(a, b, x),
)


def beta_inverse_slopes(inverse: Any, sign: int) -> tuple[Any, Any, Any]:
    """The partial derivatives of x with I_x(a, b) = y, or with 1 - I_x(a, b) = y."""

    def by(argnum: int) -> Any:
        def partial(a: Value, b: Value, y: Value) -> Value:
            x = inverse().bind(a, b, y)
            return -betainc_slope(argnum, a, b, x) / beta_density.bind(a, b, x)

        return partial

    return by(0), by(1), lambda a, b, y: sign / beta_density.bind(a, b, inverse().bind(a, b, y))


betaincinv: Primitive = smooth_ufunc(scipy.special.betaincinv, *beta_inverse_slopes(lambda: betaincinv, 1))
betainccinv: Primitive = smooth_ufunc(scipy.special.betainccinv, *beta_inverse_slopes(lambda: betainccinv, -1))
