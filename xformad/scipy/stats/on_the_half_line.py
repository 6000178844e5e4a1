"""Continuous families on half of the line, and on intervals.

The formulas are SciPy's (`scipy/stats/_continuous_distns.py`), which cites their sources.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from xformad.core.typing import Value
from xformad.scipy.stats.densities import Continuous
from xformad.scipy.stats.families import exponential
from xformad.scipy.stats.on_the_line import HALF_LOG_2PI, log_of_rest


class Exponential(Continuous):
    """exp(-x)."""

    def _logpdf(self, x: Value) -> Value:
        return -x

    def _cdf(self, x: Value) -> Value:
        return -np.expm1(-x)

    def _sf(self, x: Value) -> Value:
        return np.exp(-x)

    def _logcdf(self, x: Value) -> Value:
        return log_of_rest(x)

    def _logsf(self, x: Value) -> Value:
        return -x

    def _ppf(self, q: Value) -> Value:
        return -np.log1p(-q)

    def _isf(self, q: Value) -> Value:
        return -np.log(q)

    def _mean(self) -> Value:
        return 1.0

    def _var(self) -> Value:
        return 1.0

    def _entropy(self) -> Value:
        return 1.0


class Uniform(Continuous):
    """1, on the interval from 0 to 1."""

    def _logpdf(self, x: Value) -> Value:
        return 0.0 * x

    def _cdf(self, x: Value) -> Value:
        return x

    def _logsf(self, x: Value) -> Value:
        return np.log1p(-x)

    def _ppf(self, q: Value) -> Value:
        return q

    def _isf(self, q: Value) -> Value:
        return 1 - q

    def _mean(self) -> Value:
        return 0.5

    def _var(self) -> Value:
        return 1 / 12

    def _entropy(self) -> Value:
        return 0.0


class Gamma(Continuous):
    """x^(a-1) exp(-x) / Gamma(a)."""

    def _logpdf(self, x: Value, a: Value) -> Value:
        return special.xlogy(a - 1, x) - x - special.gammaln(a)

    def _cdf(self, x: Value, a: Value) -> Value:
        return special.gammainc(a, x)

    def _sf(self, x: Value, a: Value) -> Value:
        return special.gammaincc(a, x)

    def _mean(self, a: Value) -> Value:
        return a

    def _var(self, a: Value) -> Value:
        return a

    def _entropy(self, a: Value) -> Value:
        return special.psi(a) * (1 - a) + a + special.gammaln(a)


class ChiSquared(Continuous):
    """x^(df/2-1) exp(-x/2) / (2^(df/2) Gamma(df/2))."""

    def _logpdf(self, x: Value, df: Value) -> Value:
        return special.xlogy(df / 2 - 1, x) - x / 2 - special.gammaln(df / 2) - math.log(2) / 2 * df

    def _cdf(self, x: Value, df: Value) -> Value:
        return special.gammainc(df / 2, x / 2)

    def _sf(self, x: Value, df: Value) -> Value:
        return special.gammaincc(df / 2, x / 2)

    def _mean(self, df: Value) -> Value:
        return df

    def _var(self, df: Value) -> Value:
        return 2 * df

    def _entropy(self, df: Value) -> Value:
        half = 0.5 * df
        return half + math.log(2) + special.gammaln(half) + (1 - half) * special.psi(half)


class InverseGamma(Continuous):
    """x^(-a-1) exp(-1/x) / Gamma(a)."""

    def _logpdf(self, x: Value, a: Value) -> Value:
        positive = x > 0
        x = np.where(positive, x, 1.0)
        return np.where(positive, -(a + 1) * np.log(x) - special.gammaln(a) - 1 / x, -np.inf)

    def _cdf(self, x: Value, a: Value) -> Value:
        return special.gammaincc(a, 1 / x)

    def _sf(self, x: Value, a: Value) -> Value:
        return special.gammainc(a, 1 / x)

    def _mean(self, a: Value) -> Value:
        return np.where(a > 1, 1 / (np.where(a > 1, a, 2.0) - 1), np.inf)

    def _var(self, a: Value) -> Value:
        safe = np.where(a > 2, a, 3.0)
        return np.where(a > 2, 1 / ((safe - 1) ** 2 * (safe - 2)), np.inf)

    def _entropy(self, a: Value) -> Value:
        return a - (a + 1) * special.psi(a) + special.gammaln(a)


class Beta(Continuous):
    """x^(a-1) (1-x)^(b-1) / B(a, b)."""

    example = (1.0, 1.0)

    def _logpdf(self, x: Value, a: Value, b: Value) -> Value:
        return special.xlog1py(b - 1, -x) + special.xlogy(a - 1, x) - special.betaln(a, b)

    def _cdf(self, x: Value, a: Value, b: Value) -> Value:
        return special.betainc(a, b, x)

    def _sf(self, x: Value, a: Value, b: Value) -> Value:
        return special.betainc(b, a, 1 - x)

    def _mean(self, a: Value, b: Value) -> Value:
        return a / (a + b)

    def _var(self, a: Value, b: Value) -> Value:
        return a * b / ((a + b) ** 2 * (a + b + 1))

    def _entropy(self, a: Value, b: Value) -> Value:
        own = special.betaln(a, b) - (a - 1) * special.psi(a) - (b - 1) * special.psi(b)
        return own + (a + b - 2) * special.psi(a + b)


class Fisher(Continuous):
    """The distribution of the ratio of two mean squares."""

    example = (1.0, 1.0)

    def _logpdf(self, x: Value, dfn: Value, dfd: Value) -> Value:
        own = dfd / 2 * np.log(dfd) + dfn / 2 * np.log(dfn) + special.xlogy(dfn / 2 - 1, x)
        return own - (dfn + dfd) / 2 * np.log(dfd + dfn * x) - special.betaln(dfn / 2, dfd / 2)

    def _cdf(self, x: Value, dfn: Value, dfd: Value) -> Value:
        return special.betainc(dfn / 2, dfd / 2, dfn * x / (dfd + dfn * x))

    def _sf(self, x: Value, dfn: Value, dfd: Value) -> Value:
        return special.betainc(dfd / 2, dfn / 2, dfd / (dfd + dfn * x))

    def _mean(self, dfn: Value, dfd: Value) -> Value:
        safe = np.where(dfd > 2, dfd, 3.0)
        return np.where(dfd > 2, safe / (safe - 2), np.inf) + 0 * dfn


class LogNormal(Continuous):
    """exp(-log(x)^2 / (2 s^2)) / (s x sqrt(2 pi))."""

    def _logpdf(self, x: Value, s: Value) -> Value:
        positive = x > 0
        logarithm = np.log(np.where(positive, x, 1.0))
        return np.where(positive, -(logarithm**2) / (2 * s**2) - logarithm - np.log(s) - HALF_LOG_2PI, -np.inf)

    def _cdf(self, x: Value, s: Value) -> Value:
        return special.ndtr(np.log(x) / s)

    def _sf(self, x: Value, s: Value) -> Value:
        return special.ndtr(-np.log(x) / s)

    def _logcdf(self, x: Value, s: Value) -> Value:
        return special.log_ndtr(np.log(x) / s)

    def _logsf(self, x: Value, s: Value) -> Value:
        return special.log_ndtr(-np.log(x) / s)

    def _ppf(self, q: Value, s: Value) -> Value:
        return np.exp(s * special.ndtri(q))

    def _isf(self, q: Value, s: Value) -> Value:
        return np.exp(-s * special.ndtri(q))

    def _mean(self, s: Value) -> Value:
        return np.exp(0.5 * s * s)

    def _var(self, s: Value) -> Value:
        return np.exp(s * s) * np.expm1(s * s)

    def _entropy(self, s: Value) -> Value:
        return 0.5 + HALF_LOG_2PI + np.log(s)


class HalfNormal(Continuous):
    """sqrt(2/pi) exp(-x^2/2)."""

    def _logpdf(self, x: Value) -> Value:
        return 0.5 * math.log(2 / math.pi) - 0.5 * x * x

    def _cdf(self, x: Value) -> Value:
        return special.erf(x / math.sqrt(2))

    def _sf(self, x: Value) -> Value:
        return 2 * special.ndtr(-x)

    def _logsf(self, x: Value) -> Value:
        near = x < 1
        close = np.log1p(-special.erf(np.where(near, x, 1.0) / math.sqrt(2)))
        return np.where(near, close, math.log(2) + special.log_ndtr(-np.where(near, 1.0, x)))

    def _ppf(self, q: Value) -> Value:
        return special.ndtri((1 + q) / 2)

    def _isf(self, q: Value) -> Value:
        return -special.ndtri(q / 2)

    def _mean(self) -> Value:
        return math.sqrt(2 / math.pi)

    def _var(self) -> Value:
        return 1 - 2 / math.pi

    def _entropy(self) -> Value:
        return 0.5 * math.log(math.pi / 2) + 0.5


class Pareto(Continuous):
    """b x^(-b-1)."""

    def _logpdf(self, x: Value, b: Value) -> Value:
        return np.log(b) - (b + 1) * np.log(x)

    def _cdf(self, x: Value, b: Value) -> Value:
        return -np.expm1(-b * np.log(x))

    def _sf(self, x: Value, b: Value) -> Value:
        return x ** (-b)

    def _logcdf(self, x: Value, b: Value) -> Value:
        return log_of_rest(b * np.log(x))

    def _logsf(self, x: Value, b: Value) -> Value:
        return -b * np.log(x)

    def _ppf(self, q: Value, b: Value) -> Value:
        return (1 - q) ** (-1 / b)

    def _isf(self, q: Value, b: Value) -> Value:
        return q ** (-1 / b)

    def _mean(self, b: Value) -> Value:
        safe = np.where(b > 1, b, 2.0)
        return np.where(b > 1, safe / (safe - 1), np.inf)

    def _var(self, b: Value) -> Value:
        safe = np.where(b > 2, b, 3.0)
        return np.where(b > 2, safe / ((safe - 2) * (safe - 1) ** 2), np.inf)

    def _entropy(self, b: Value) -> Value:
        return 1 + 1 / b - np.log(b)


class Weibull(Continuous):
    """c x^(c-1) exp(-x^c)."""

    def _logpdf(self, x: Value, c: Value) -> Value:
        return np.log(c) + special.xlogy(c - 1, x) - x**c

    def _cdf(self, x: Value, c: Value) -> Value:
        return -np.expm1(-(x**c))

    def _sf(self, x: Value, c: Value) -> Value:
        return exponential(-(x**c))

    def _logcdf(self, x: Value, c: Value) -> Value:
        return log_of_rest(x**c)

    def _logsf(self, x: Value, c: Value) -> Value:
        return -(x**c)

    def _ppf(self, q: Value, c: Value) -> Value:
        return (-np.log1p(-q)) ** (1 / c)

    def _isf(self, q: Value, c: Value) -> Value:
        return (-np.log(q)) ** (1 / c)

    def _mean(self, c: Value) -> Value:
        return np.exp(special.gammaln(1 + 1 / c))

    def _var(self, c: Value) -> Value:
        return np.exp(special.gammaln(1 + 2 / c)) - np.exp(2 * special.gammaln(1 + 1 / c))

    def _entropy(self, c: Value) -> Value:
        return -np.euler_gamma / c - np.log(c) + np.euler_gamma + 1


def log_of_difference(p: Value, q: Value) -> Value:
    """log(exp(p) - exp(q)) for p > q."""
    return p + log_of_rest(p - q)


def log_mass(a: Value, b: Value) -> Value:
    """The logarithm of the probability that the normal distribution gives to the interval from a to b.

    Where both are on the same side it is computed in the left tail, where nothing cancels.
    """
    right = a > 0
    tail = right | (b <= 0)
    low, high = np.where(right, -b, a), np.where(right, -a, b)
    bounded = tail & (low > -np.inf)
    end = special.log_ndtr(np.where(tail, high, 0.0))
    difference = log_of_difference(np.where(bounded, end, 0.0), special.log_ndtr(np.where(bounded, low, -1.0)))
    central = np.log1p(-special.ndtr(np.where(tail, -1.0, a)) - special.ndtr(-np.where(tail, 1.0, b)))
    return np.where(tail, np.where(bounded, difference, end), central)


class TruncatedNormal(Continuous):
    """The normal distribution between a and b."""

    example = (-1.0, 1.0)

    def _argcheck(self, *shapes: Value) -> Value:
        return shapes[0] < shapes[1]

    def _support(self, *shapes: Value) -> tuple[Value, Value]:
        return shapes[0], shapes[1]

    def _logpdf(self, x: Value, a: Value, b: Value) -> Value:
        return -0.5 * x * x - HALF_LOG_2PI - log_mass(a, b)

    def _cdf(self, x: Value, a: Value, b: Value) -> Value:
        return exponential(self._logcdf(x, a, b))

    def _sf(self, x: Value, a: Value, b: Value) -> Value:
        return exponential(self._logsf(x, a, b))

    def _logcdf(self, x: Value, a: Value, b: Value) -> Value:
        return better(log_mass(a, x) - log_mass(a, b), log_mass(x, b) - log_mass(a, b))

    def _logsf(self, x: Value, a: Value, b: Value) -> Value:
        return better(log_mass(x, b) - log_mass(a, b), log_mass(a, x) - log_mass(a, b))


def better(logarithm: Value, of_rest: Value) -> Value:
    """The logarithm of a probability, from that of the rest where that is small."""
    near = logarithm > -0.1
    return np.where(near, np.log1p(-exponential(np.where(near, of_rest, -1.0))), logarithm)


beta = Beta("beta")
chi2 = ChiSquared("chi2")
expon = Exponential("expon")
f = Fisher("f")
gamma = Gamma("gamma")
halfnorm = HalfNormal("halfnorm")
invgamma = InverseGamma("invgamma")
lognorm = LogNormal("lognorm")
pareto = Pareto("pareto")
truncnorm = TruncatedNormal("truncnorm")
uniform = Uniform("uniform")
weibull_min = Weibull("weibull_min")
