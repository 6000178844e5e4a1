"""Derivatives of the incomplete gamma and beta functions by their parameters, of any order, as integrals.

The derivative of the density f by a parameter is f times a polynomial of logarithms. After t = x exp(-v), or for the upper
tail t = x exp(v), or the same for t / (1 - t), the integrand is exp(-e(v)) with a convex e from e(0) = 0 on, times that
polynomial. The tail that is smaller is integrated, up to where e is DROP, by Gauss-Legendre quadrature on panels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.scipy.special.densities import beta_kernel, gamma_kernel
from xformad.scipy.special.polygamma_functions import difference_value, polygamma_tail

DROP: Final = 42.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def reach(exponent: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    """The v at which the exponent is DROP, by bisection."""
    low, high = np.zeros(shape), np.full(shape, 2.0**-40)
    for _ in range(1100):
        short = exponent(high) < DROP
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    for _ in range(12):
        middle = (low + high) / 2
        short = exponent(middle) < DROP
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high


def tail_integral(exponent: Callable[[Any], Any], polynomial: Callable[[Any], Any], wall: Any) -> Any:
    """The integral of exp(-exponent(v)) polynomial(v) over v > 0. `wall`: where the exponent may begin to grow."""
    end = reach(exponent, wall.shape)
    breaks = [0 * end, 0.1 * end, 0.35 * end, end]
    breaks += [np.clip(b, 0, end) for b in (0 * end + 5, 0 * end + 16, 0 * end + 40, wall - 20, wall - 4, wall + 4)]
    edges = np.sort(np.stack(breaks), axis=0)
    nodes, weights = (x.reshape((-1,) + (1,) * end.ndim) for x in (NODES, WEIGHTS))
    total = np.zeros_like(end)
    for left, right in itertools.pairwise(edges):
        half, middle = (right - left) / 2, (right + left) / 2
        if half.any():
            v = middle + half * nodes
            total = total + half * np.sum(weights * np.exp(-exponent(v)) * polynomial(v), axis=0)
    return total


def bell(first: Any, others: list[Any], order: int) -> Any:
    """The derivative of that order of exp(g), over exp(g), of the derivatives of g: the first one, and the others."""
    found = [np.ones_like(first)]
    for n in range(order):
        terms = [math.comb(n, k) * found[n - k] * (first if k == 0 else others[k - 1]) for k in range(n + 1)]
        found.append(sum(terms))
    return found[order]


def log_less_psi(a: Any) -> Any:
    """log(a) - psi(a)."""
    large = a > 16
    return np.where(
        large, -polygamma_tail(0, np.where(large, a, 16.0)), np.log(a) - scipy.special.psi(np.where(large, 1.0, a))
    )


def gammainc_by_a(a: Any, x: Any, order: int) -> Any:
    """The derivative of that order >= 1 of P(a, x) by a, for a > 0 and 0 < x < inf."""
    others = [-scipy.special.polygamma(k, a) for k in range(1, order)]
    u = (x - a) / a
    near = abs(u) < 0.5
    level = np.where(near, np.log1p(np.where(near, u, 0)), np.log(x) - np.log(a)) + log_less_psi(a)
    lower = x <= a
    sign = np.where(lower, -1.0, 1.0)

    def exponent(v: Any) -> Any:
        return np.where(lower, a * v + x * np.expm1(-v), x * np.expm1(np.minimum(v, 709)) - a * v)

    value = tail_integral(exponent, lambda v: bell(level + sign * v, others, order), np.maximum(-np.log(x), 0))
    return -sign * gamma_kernel(a, x) * value


def beta_logs(first: Any, second: Any, a: Any, b: Any, i: int, j: int) -> Any:
    """The derivative of the logarithm of the beta density, i times by a and j times by b; `first` where (i, j) = (1, 0)."""
    if j == 0:
        return first if i == 1 else difference_value(a, b, i - 1)
    if i == 0:
        return second if j == 1 else difference_value(b, a, j - 1)
    return scipy.special.polygamma(i + j - 1, a + b)


def product_of_logs(log: Callable[[int, int], Any], i: int, j: int) -> Any:
    """The derivative of exp(g), i times by a and j times by b, over exp(g): as `bell` in two variables.

    Args:
        log: `log(k, h)`, the derivative of g, k times by a and h times by b.
        i: the order by a.
        j: the order by b.
    """
    found: dict[tuple[int, int], Any] = {(0, 0): 1.0}
    for m, n in [(m, n) for m in range(i + 1) for n in range(j + 1) if m + n]:
        p, q = (m - 1, n) if m else (m, n - 1)
        found[m, n] = sum(
            math.comb(p, k) * math.comb(q, h) * found[p - k, q - h] * log(k + (m > 0), h + (m == 0))
            for k in range(p + 1)
            for h in range(q + 1)
        )
    return found[i, j]


def betainc_by_parameters(a: Any, b: Any, x: Any, y: Any, i: int, j: int) -> Any:
    """The derivative of I_x(a, b), i times by a and j times by b, i + j >= 1, for a, b > 0 and 0 < x = 1 - y < 1.

    After t / (1 - t) = x / y exp(-v) the exponent is a v + (a + b) log(1 - x (1 - exp(-v))). The upper tail is the lower
    one of I_y(b, a).
    """
    lower = x * (a + b) <= a
    c, d = np.where(lower, a, b), np.where(lower, b, a)
    z, rest = np.where(lower, x, y), np.where(lower, y, x)
    level, other = np.log(z) + difference_value(c, d, 0), np.log(rest) + difference_value(d, c, 0)

    def log_sum(v: Any) -> Any:
        return np.log1p(z * np.expm1(-v))

    def exponent(v: Any) -> Any:
        return c * v + (c + d) * log_sum(v)

    def polynomial(v: Any) -> Any:
        near, far = level - v - log_sum(v), other - log_sum(v)
        first, second = np.where(lower, near, far), np.where(lower, far, near)
        return product_of_logs(lambda k, h: beta_logs(first, second, a, b, k, h), i, j)

    wall = np.maximum(np.log(z) - np.log(rest), 0)
    value = tail_integral(exponent, polynomial, wall)
    return np.where(lower, 1.0, -1.0) * beta_kernel(a, b, x, y) * value
