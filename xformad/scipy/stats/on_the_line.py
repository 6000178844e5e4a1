"""Continuous families on the whole line, and on the circle.

The formulas are SciPy's (`scipy/stats/_continuous_distns.py`), which cites their sources.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from xformad.core.typing import Value
from xformad.scipy.stats.densities import Continuous
from xformad.scipy.stats.families import exponential, missing
from xformad.scipy.stats.quantiles import probability

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

FAR = 700.0
"""exp of more overflows."""


class Normal(Continuous):
    """exp(-x^2/2) / sqrt(2 pi)."""

    def _logpdf(self, x: Value) -> Value:
        return -0.5 * x * x - HALF_LOG_2PI

    def _cdf(self, x: Value) -> Value:
        return special.ndtr(x)

    def _sf(self, x: Value) -> Value:
        return special.ndtr(-x)

    def _logcdf(self, x: Value) -> Value:
        return special.log_ndtr(x)

    def _logsf(self, x: Value) -> Value:
        return special.log_ndtr(-x)

    def _ppf(self, q: Value) -> Value:
        return special.ndtri(q)

    def _isf(self, q: Value) -> Value:
        return -special.ndtri(q)

    def _mean(self) -> Value:
        return 0.0

    def _var(self) -> Value:
        return 1.0

    def _entropy(self) -> Value:
        return HALF_LOG_2PI + 0.5


class Cauchy(Continuous):
    """1 / (pi (1 + x^2))."""

    def _logpdf(self, x: Value) -> Value:
        far = np.abs(x) > 1
        near, inverse = np.where(far, 1.0, x), 1 / np.where(far, x, 1.0)  # x^2 must not overflow
        tail = 2 * np.log(np.abs(inverse)) - np.log1p(inverse * inverse)
        return np.where(far, tail, -np.log1p(near * near)) - math.log(math.pi)

    def _cdf(self, x: Value) -> Value:
        return np.arctan2(1.0, -x) / math.pi

    def _sf(self, x: Value) -> Value:
        return np.arctan2(1.0, x) / math.pi

    def _ppf(self, q: Value) -> Value:
        return np.sin(math.pi * (q - 0.5)) / np.sin(math.pi * np.where(q < 0.5, q, 1 - q))

    def _isf(self, q: Value) -> Value:
        return -self._ppf(q)

    def _entropy(self) -> Value:
        return math.log(4 * math.pi)


class Laplace(Continuous):
    """exp(-|x|) / 2."""

    def _logpdf(self, x: Value) -> Value:
        return -np.abs(x) - math.log(2)

    def _cdf(self, x: Value) -> Value:
        tail = 0.5 * exponential(-np.abs(x))
        return np.where(x > 0, 1 - tail, tail)

    def _sf(self, x: Value) -> Value:
        return self._cdf(-x)

    def _logcdf(self, x: Value) -> Value:
        above = x > 0
        tail = 0.5 * exponential(-np.where(above, x, 1.0))
        return np.where(above, np.log1p(-tail), x - math.log(2))

    def _logsf(self, x: Value) -> Value:
        return self._logcdf(-x)

    def _ppf(self, q: Value) -> Value:
        above = q > 0.5
        side = np.log(2 * np.where(above, 1 - q, q))
        return np.where(above, -side, side)

    def _isf(self, q: Value) -> Value:
        return -self._ppf(q)

    def _mean(self) -> Value:
        return 0.0

    def _var(self) -> Value:
        return 2.0

    def _entropy(self) -> Value:
        return 1 + math.log(2)


class Logistic(Continuous):
    """exp(-x) / (1 + exp(-x))^2."""

    def _logpdf(self, x: Value) -> Value:
        return -np.logaddexp(0.0, x) - np.logaddexp(0.0, -x)

    def _cdf(self, x: Value) -> Value:
        return special.expit(x)

    def _sf(self, x: Value) -> Value:
        return special.expit(-x)

    def _logcdf(self, x: Value) -> Value:
        return -np.logaddexp(0.0, -x)

    def _logsf(self, x: Value) -> Value:
        return -np.logaddexp(0.0, x)

    def _ppf(self, q: Value) -> Value:
        return special.logit(q)

    def _isf(self, q: Value) -> Value:
        return -special.logit(q)

    def _mean(self) -> Value:
        return 0.0

    def _var(self) -> Value:
        return math.pi**2 / 3

    def _entropy(self) -> Value:
        return 2.0


class GumbelRight(Continuous):
    """exp(-x - exp(-x)), the distribution of largest values."""

    def _logpdf(self, x: Value) -> Value:
        return -x - np.exp(-x)

    def _cdf(self, x: Value) -> Value:
        return exponential(-np.exp(-x))

    def _sf(self, x: Value) -> Value:
        return -np.expm1(-np.exp(-np.maximum(x, -FAR)))

    def _logcdf(self, x: Value) -> Value:
        return -np.exp(-x)

    def _logsf(self, x: Value) -> Value:
        return log_of_rest(np.exp(-x))

    def _ppf(self, q: Value) -> Value:
        return -np.log(-np.log(q))

    def _isf(self, q: Value) -> Value:
        return -np.log(-np.log1p(-q))

    def _mean(self) -> Value:
        return np.euler_gamma

    def _var(self) -> Value:
        return math.pi**2 / 6

    def _entropy(self) -> Value:
        return np.euler_gamma + 1


class GumbelLeft(Continuous):
    """exp(x - exp(x)), the distribution of least values."""

    def _logpdf(self, x: Value) -> Value:
        return x - np.exp(x)

    def _cdf(self, x: Value) -> Value:
        return -np.expm1(-np.exp(np.minimum(x, FAR)))

    def _sf(self, x: Value) -> Value:
        return exponential(-np.exp(x))

    def _logcdf(self, x: Value) -> Value:
        return log_of_rest(np.exp(x))

    def _logsf(self, x: Value) -> Value:
        return -np.exp(x)

    def _ppf(self, q: Value) -> Value:
        return np.log(-np.log1p(-q))

    def _isf(self, q: Value) -> Value:
        return np.log(-np.log(q))

    def _mean(self) -> Value:
        return -np.euler_gamma

    def _var(self) -> Value:
        return math.pi**2 / 6

    def _entropy(self) -> Value:
        return np.euler_gamma + 1


def log_of_rest(rate: Value) -> Value:
    """log(1 - exp(-rate)) for a positive rate."""
    small = rate < math.log(2)
    near = np.log(-np.expm1(-np.where(small, rate, 0.5)))
    return np.where(small, near, np.log1p(-exponential(-np.where(small, 1.0, rate))))


class GeneralisedNormal(Continuous):
    """exp(-|x|^beta) beta / (2 Gamma(1/beta))."""

    def _logpdf(self, x: Value, beta: Value) -> Value:
        return np.log(0.5 * beta) - special.gammaln(1 / beta) - np.abs(x) ** beta

    def _cdf(self, x: Value, beta: Value) -> Value:
        return probability.bind(x, beta, family=self, upper=False)

    def _sf(self, x: Value, beta: Value) -> Value:
        return probability.bind(x, beta, family=self, upper=True)

    def _cdf_of_shapes(self, x: Value, beta: Value) -> Value:
        apart = np.where(x == 0, 1.0, np.abs(x))
        half = 0.5 * special.gammaincc(1 / beta, apart**beta)
        return np.where(x == 0, 0.5, np.where(x > 0, 1 - half, half))

    def _sf_of_shapes(self, x: Value, beta: Value) -> Value:
        return self._cdf_of_shapes(-x, beta)

    def _mean(self, beta: Value) -> Value:
        return 0 * beta

    def _var(self, beta: Value) -> Value:
        return np.exp(special.gammaln(3 / beta) - special.gammaln(1 / beta))

    def _entropy(self, beta: Value) -> Value:
        return 1 / beta - np.log(0.5 * beta) + special.gammaln(1 / beta)


class Student(Continuous):
    """(1 + x^2/df)^(-(df+1)/2) / (sqrt(df) B(df/2, 1/2)); the normal one for infinite df."""

    def _logpdf(self, x: Value, df: Value) -> Value:
        normal = df == np.inf
        df = np.where(normal, 1.0, df)
        found = (
            np.log(special.poch(0.5 * df, 0.5))
            - 0.5 * (np.log(df) + math.log(math.pi))
            - (df + 1) / 2 * np.log1p(x * x / df)
        )
        return np.where(normal, -0.5 * x * x - HALF_LOG_2PI, found)

    def _cdf(self, x: Value, df: Value) -> Value:
        return probability.bind(x, df, family=self, upper=False)

    def _sf(self, x: Value, df: Value) -> Value:
        return probability.bind(x, df, family=self, upper=True)

    def _cdf_of_shapes(self, x: Value, df: Value) -> Value:
        """DLMF 8.17 and Abramowitz and Stegun 26.7.1, from the nearer one of the ends of the incomplete beta function."""
        df = np.where(df == np.inf, 1e10, df)
        square = np.where(x == 0, 1.0, x * x)
        near = square < df
        inner = 0.5 * special.betainc(0.5, df / 2, np.where(near, square, df) / (df + np.where(near, square, df)))
        outer = 0.5 * special.betainc(df / 2, 0.5, df / (df + np.where(near, df, square)))
        tail = np.where(x == 0, 0.5, np.where(near, 0.5 - inner, outer))
        return np.where(x > 0, 1 - tail, tail)

    def _sf_of_shapes(self, x: Value, df: Value) -> Value:
        return self._cdf_of_shapes(-x, df)

    def _mean(self, df: Value) -> Value:
        return np.where(df > 1, 0.0, np.inf)

    def _var(self, df: Value) -> Value:
        finite = (df > 2) & (df < np.inf)
        found = np.where(finite, df, 3.0) / (np.where(finite, df, 3.0) - 2)
        return np.where(finite, found, np.where(df == np.inf, 1.0, np.where(df > 1, np.inf, np.nan)))


class VonMises(Continuous):
    """exp(kappa cos(x)) / (2 pi I0(kappa))."""

    def _argcheck(self, *shapes: Value) -> Value:
        return shapes[0] >= 0

    def _logpdf(self, x: Value, kappa: Value) -> Value:
        return -2 * kappa * np.sin(0.5 * x) ** 2 - math.log(2 * math.pi) - np.log(special.i0e(kappa))

    def _cdf(self, x: Value, kappa: Value) -> Value:
        return probability.bind(x, kappa, family=self, upper=False)

    def _cdf_of_shapes(self, x: Value, kappa: Value) -> Value:
        raise missing(
            "vonmises.cdf",
            "has no derivative with respect to kappa",
            "integrate pdf from -pi to x with xformad.scipy.integrate.quad",
        )

    def _sf_of_shapes(self, x: Value, kappa: Value) -> Value:
        return 1 - self._cdf_of_shapes(x, kappa)

    def _entropy(self, kappa: Value) -> Value:
        ratio = special.i1e(kappa) / special.i0e(kappa)
        return -kappa * ratio + np.log(2 * math.pi * special.i0e(kappa)) + kappa


class WrappedCauchy(Continuous):
    """(1 - c^2) / (2 pi (1 + c^2 - 2 c cos(x)))."""

    example = (0.5,)

    def _argcheck(self, *shapes: Value) -> Value:
        return (shapes[0] > 0) & (shapes[0] < 1)

    def _logpdf(self, x: Value, c: Value) -> Value:
        return np.log(self._pdf(x, c))

    def _pdf(self, x: Value, c: Value) -> Value:
        return (1 - c * c) / (2 * math.pi * (1 + c * c - 2 * c * np.cos(x)))

    def _cdf(self, x: Value, c: Value) -> Value:
        return np.arctan2((1 + c) * np.sin(0.5 * x), (1 - c) * np.cos(0.5 * x)) / math.pi

    def _ppf(self, q: Value, c: Value) -> Value:
        return 2 * np.arctan2((1 - c) * np.sin(math.pi * q), (1 + c) * np.cos(math.pi * q))

    def _isf(self, q: Value, c: Value) -> Value:
        return self._ppf(1 - q, c)

    def _entropy(self, c: Value) -> Value:
        return np.log(2 * math.pi * (1 - c * c))


cauchy = Cauchy("cauchy")
gennorm = GeneralisedNormal("gennorm")
gumbel_l = GumbelLeft("gumbel_l")
gumbel_r = GumbelRight("gumbel_r")
laplace = Laplace("laplace")
logistic = Logistic("logistic")
norm = Normal("norm")
t = Student("t")
vonmises = VonMises("vonmises")
wrapcauchy = WrappedCauchy("wrapcauchy")
