"""Families on whole numbers. The formulas are SciPy's (`scipy/stats/_discrete_distns.py`)."""

from __future__ import annotations

import numpy as np
from scipy import special

from xformad.core.typing import Value
from xformad.scipy.stats.families import exponential
from xformad.scipy.stats.masses import Discrete
from xformad.transformations.values import value_of


class Binomial(Discrete):
    """The number of successes in n trials, each with probability p."""

    example = (1.0, 0.5)

    def _argcheck(self, *shapes: Value) -> Value:
        n, p = shapes
        return (n >= 0) & (np.floor(n) == n) & (p >= 0) & (p <= 1)

    def _support(self, *shapes: Value) -> tuple[Value, Value]:
        return 0.0, shapes[0]

    def _logpmf(self, k: Value, n: Value, p: Value) -> Value:
        ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        return ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def _cdf(self, k: Value, n: Value, p: Value) -> Value:
        return special.betainc(np.where(k < n, n - k, 1.0), k + 1, 1 - p)

    def _sf(self, k: Value, n: Value, p: Value) -> Value:
        return special.betainc(k + 1, np.where(k < n, n - k, 1.0), p)

    def _mean(self, n: Value, p: Value) -> Value:
        return n * p

    def _var(self, n: Value, p: Value) -> Value:
        return n * p * (1 - p)


class Bernoulli(Discrete):
    """1 with probability p, and 0 else."""

    example = (0.5,)

    def _argcheck(self, *shapes: Value) -> Value:
        return (shapes[0] >= 0) & (shapes[0] <= 1)

    def _logpmf(self, k: Value, p: Value) -> Value:
        return special.xlogy(k, p) + special.xlog1py(1 - k, -p)

    def _pmf(self, k: Value, p: Value) -> Value:
        return np.where(k == 1, p, 1 - p)

    def _cdf(self, k: Value, p: Value) -> Value:
        return 1 - p

    def _sf(self, k: Value, p: Value) -> Value:
        return p

    def _mean(self, p: Value) -> Value:
        return p

    def _var(self, p: Value) -> Value:
        return p * (1 - p)

    def _entropy(self, p: Value) -> Value:
        return -special.xlogy(p, p) - special.xlog1py(1 - p, -p)


class BetaBinomial(Discrete):
    """Binomial, with a probability that is beta-distributed."""

    example = (1.0, 1.0, 1.0)

    def _argcheck(self, *shapes: Value) -> Value:
        n, a, b = shapes
        return (n >= 0) & (np.floor(n) == n) & (a > 0) & (b > 0)

    def _support(self, *shapes: Value) -> tuple[Value, Value]:
        return 0.0, shapes[0]

    def _logpmf(self, k: Value, n: Value, a: Value, b: Value) -> Value:
        ways = -np.log(n + 1) - special.betaln(n - k + 1, k + 1)
        return ways + special.betaln(k + a, n - k + b) - special.betaln(a, b)

    def _cdf(self, k: Value, n: Value, a: Value, b: Value) -> Value:
        return self.added(k, n, a, b, upper=False)

    def _sf(self, k: Value, n: Value, a: Value, b: Value) -> Value:
        return self.added(k, n, a, b, upper=True)

    def added(self, k: Value, n: Value, a: Value, b: Value, *, upper: bool) -> Value:
        """The sum of the probabilities up to k, or above."""
        total: Value = 0.0
        for i in range(int(np.max(value_of(n), initial=0.0)) + 1):
            counts = ((i > k) if upper else (i <= k)) & (i <= n)
            mass = exponential(self._logpmf(np.where(counts, float(i), 0.0), n, a, b))
            total = total + np.where(counts, mass, 0.0)
        return total

    def _mean(self, n: Value, a: Value, b: Value) -> Value:
        return n * a / (a + b)

    def _var(self, n: Value, a: Value, b: Value) -> Value:
        return n * (a + b + n) * a * b / ((a + b) ** 2 * (a + b + 1))


class Geometric(Discrete):
    """The number of trials up to the first success."""

    example = (0.5,)

    def _argcheck(self, *shapes: Value) -> Value:
        return (shapes[0] > 0) & (shapes[0] <= 1)

    def _logpmf(self, k: Value, p: Value) -> Value:
        return special.xlog1py(k - 1, -p) + np.log(p)

    def _pmf(self, k: Value, p: Value) -> Value:
        return (1 - p) ** (k - 1) * p

    def _cdf(self, k: Value, p: Value) -> Value:
        return -np.expm1(np.log1p(-p) * k)

    def _sf(self, k: Value, p: Value) -> Value:
        return exponential(self._logsf(k, p))

    def _logsf(self, k: Value, p: Value) -> Value:
        return k * np.log1p(-p)

    def _mean(self, p: Value) -> Value:
        return 1 / p

    def _var(self, p: Value) -> Value:
        return (1 - p) / p**2

    def _entropy(self, p: Value) -> Value:
        return -np.log(p) - special.xlog1py(1 - p, -p) / p


class NegativeBinomial(Discrete):
    """The number of failures before the n-th success."""

    example = (1.0, 0.5)

    def _argcheck(self, *shapes: Value) -> Value:
        n, p = shapes
        return (n > 0) & (p > 0) & (p <= 1)

    def _logpmf(self, k: Value, n: Value, p: Value) -> Value:
        ways = special.gammaln(n + k) - special.gammaln(k + 1) - special.gammaln(n)
        return ways + n * np.log(p) + special.xlog1py(k, -p)

    def _cdf(self, k: Value, n: Value, p: Value) -> Value:
        return special.betainc(n, k + 1, p)

    def _sf(self, k: Value, n: Value, p: Value) -> Value:
        return special.betainc(k + 1, n, 1 - p)

    def _mean(self, n: Value, p: Value) -> Value:
        return n * (1 - p) / p

    def _var(self, n: Value, p: Value) -> Value:
        return n * (1 - p) / p**2


class Poisson(Discrete):
    """exp(-mu) mu^k / k!."""

    def _argcheck(self, *shapes: Value) -> Value:
        return shapes[0] >= 0

    def _logpmf(self, k: Value, mu: Value) -> Value:
        return special.xlogy(k, mu) - special.gammaln(k + 1) - mu

    def _cdf(self, k: Value, mu: Value) -> Value:
        return special.gammaincc(k + 1, mu)

    def _sf(self, k: Value, mu: Value) -> Value:
        return special.gammainc(k + 1, mu)

    def _mean(self, mu: Value) -> Value:
        return mu

    def _var(self, mu: Value) -> Value:
        return mu


bernoulli = Bernoulli("bernoulli")
betabinom = BetaBinomial("betabinom")
binom = Binomial("binom")
geom = Geometric("geom")
nbinom = NegativeBinomial("nbinom")
poisson = Poisson("poisson")
