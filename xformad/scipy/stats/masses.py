"""Families on whole numbers: `Discrete`."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.typing import Value
from xformad.scipy.stats.families import Family, double, exponential, logarithm, missing, put_together, select, traced
from xformad.scipy.stats.quantiles import steps
from xformad.transformations.values import stop_gradient


class Discrete(Family):
    """A family on whole numbers. The derivatives are with respect to the parameters; those with respect to the number and
    to the location are zero, and so are all of the quantiles `ppf` and `isf`, which are steps.
    """

    def _logpmf(self, k: Value, *shapes: Value) -> Value:
        raise NotImplementedError

    def _pmf(self, k: Value, *shapes: Value) -> Value:
        return exponential(self._logpmf(k, *shapes))

    def _cdf(self, k: Value, *shapes: Value) -> Value:
        raise missing(f"{self.name}.cdf", "has no formula", "add up pmf")

    def _sf(self, k: Value, *shapes: Value) -> Value:
        return 1 - self._cdf(k, *shapes)

    def _logcdf(self, k: Value, *shapes: Value) -> Value:
        return logarithm(self._cdf(k, *shapes), self._sf(k, *shapes))

    def _logsf(self, k: Value, *shapes: Value) -> Value:
        return logarithm(self._sf(k, *shapes), self._cdf(k, *shapes))

    def mass(self, name: str, k: Any, args: Any, kwargs: Any, outside: float) -> Value:
        if not traced(k, args, kwargs):
            return getattr(self.scipy, name)(k, *args, **kwargs)
        k, valid, shapes = self.standard(k, args, kwargs)
        lower, upper = self._support(*shapes)
        supported = valid & (k >= lower) & (k <= upper) & (np.floor(k) == k)
        with np.errstate(all="ignore"):
            found = getattr(self, f"_{name}")(select(supported, k, lower), *shapes)
        return put_together(supported, found, lambda: np.where(valid & (k == k), outside, np.nan))

    def probability(self, name: str, k: Any, args: Any, kwargs: Any, below: float, above: float) -> Value:
        if not traced(k, args, kwargs):
            return getattr(self.scipy, name)(k, *args, **kwargs)
        k, valid, shapes = self.standard(k, args, kwargs)
        lower, upper = self._support(*shapes)
        between = valid & (k >= lower) & (k < upper)

        def outside() -> Value:
            return np.where(valid & (k < lower), below, np.where(valid & (k >= upper), above, np.nan))

        with np.errstate(all="ignore"):
            found = getattr(self, f"_{name}")(np.floor(select(between, k, lower)), *shapes)
        return put_together(between, found, outside)

    def standard(self, k: Any, args: Any, kwargs: Any) -> tuple[Value, Value, list[Value]]:
        """The number in the standard form, where the parameters are valid, and the shapes."""
        shapes, loc, _ = self.parsed(*args, **kwargs)
        valid, shapes = self.checked(shapes)
        return stop_gradient(double(k) - loc), valid, shapes

    def inverse(self, name: str, q: Any, args: Any, kwargs: Any) -> Value:
        if not traced(q, args, kwargs):
            return getattr(self.scipy, name)(q, *args, **kwargs)
        shapes, loc, _ = self.parsed(*args, **kwargs)
        return steps.bind(double(q), *shapes, family=self, upper=name == "isf") + stop_gradient(loc)

    def pmf(self, k: Any, *args: Any, **kwargs: Any) -> Value:
        """The probability of k."""
        return self.mass("pmf", k, args, kwargs, 0.0)

    def logpmf(self, k: Any, *args: Any, **kwargs: Any) -> Value:
        """The logarithm of `pmf`."""
        return self.mass("logpmf", k, args, kwargs, -np.inf)

    def cdf(self, k: Any, *args: Any, **kwargs: Any) -> Value:
        """The probability of numbers up to k."""
        return self.probability("cdf", k, args, kwargs, 0.0, 1.0)

    def logcdf(self, k: Any, *args: Any, **kwargs: Any) -> Value:
        """The logarithm of `cdf`."""
        return self.probability("logcdf", k, args, kwargs, -np.inf, 0.0)

    def sf(self, k: Any, *args: Any, **kwargs: Any) -> Value:
        """The probability of numbers above k."""
        return self.probability("sf", k, args, kwargs, 1.0, 0.0)

    def logsf(self, k: Any, *args: Any, **kwargs: Any) -> Value:
        """The logarithm of `sf`."""
        return self.probability("logsf", k, args, kwargs, 0.0, -np.inf)

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Value:
        """The least number whose `cdf` is at least q."""
        return self.inverse("ppf", q, args, kwargs)

    def isf(self, q: Any, *args: Any, **kwargs: Any) -> Value:
        """The least number whose `sf` is at most q."""
        return self.inverse("isf", q, args, kwargs)
