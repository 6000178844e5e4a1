"""Families with densities: `Continuous`."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.typing import Value
from xformad.scipy.stats.families import Family, double, exponential, logarithm, put_together, select, traced
from xformad.scipy.stats.quantiles import quantile
from xformad.transformations.values import stop_gradient


class Continuous(Family):
    """A family with densities. The derivatives of all methods are with respect to the point and to all parameters."""

    def _logpdf(self, x: Value, *shapes: Value) -> Value:
        raise NotImplementedError

    def _pdf(self, x: Value, *shapes: Value) -> Value:
        return exponential(self._logpdf(x, *shapes))

    def _cdf(self, x: Value, *shapes: Value) -> Value:
        raise NotImplementedError

    def _sf(self, x: Value, *shapes: Value) -> Value:
        return 1 - self._cdf(x, *shapes)

    def _cdf_of_shapes(self, x: Value, *shapes: Value) -> Value:
        """As `_cdf`; of this, derivatives with respect to the shapes are taken."""
        return self._cdf(x, *shapes)

    def _sf_of_shapes(self, x: Value, *shapes: Value) -> Value:
        return self._sf(x, *shapes)

    def _logcdf(self, x: Value, *shapes: Value) -> Value:
        return logarithm(self._cdf(x, *shapes), self._sf(x, *shapes))

    def _logsf(self, x: Value, *shapes: Value) -> Value:
        return logarithm(self._sf(x, *shapes), self._cdf(x, *shapes))

    def _ppf(self, q: Value, *shapes: Value) -> Value:
        return quantile.bind(q, *shapes, family=self, upper=False)

    def _isf(self, q: Value, *shapes: Value) -> Value:
        return quantile.bind(q, *shapes, family=self, upper=True)

    def inside(self, lower: Value, upper: Value) -> Value:
        """A point inside of the support."""
        if traced(lower, upper) or np.ndim(lower) or np.ndim(upper):
            return stop_gradient(np.clip(0.0, lower, upper))
        if np.isfinite(lower):
            return lower + 0.5 if lower + 1 <= upper else 0.5 * (lower + upper)
        return 0.5

    def density(self, name: str, x: Any, args: Any, kwargs: Any, outside: float) -> Value:
        if not traced(x, args, kwargs):
            return getattr(self.scipy, name)(x, *args, **kwargs)
        y, valid, shapes, scale = self.standard(x, args, kwargs)
        lower, upper = self._support(*shapes)
        supported = valid & (y >= lower) & (y <= upper)
        with np.errstate(all="ignore"):
            found = getattr(self, f"_{name}")(select(supported, y, self.inside(lower, upper)), *shapes)
            if scale is not None:
                found = found - np.log(scale) if name == "logpdf" else found / scale
        return put_together(supported, found, lambda: np.where(valid & (y == y), outside, np.nan))

    def probability(self, name: str, x: Any, args: Any, kwargs: Any, below: float, above: float) -> Value:
        if not traced(x, args, kwargs):
            return getattr(self.scipy, name)(x, *args, **kwargs)
        y, valid, shapes, _ = self.standard(x, args, kwargs)
        lower, upper = self._support(*shapes)
        between = valid & (y > lower) & (y < upper)

        def outside() -> Value:
            return np.where(valid & (y <= lower), below, np.where(valid & (y >= upper), above, np.nan))

        with np.errstate(all="ignore"):
            found = getattr(self, f"_{name}")(select(between, y, self.inside(lower, upper)), *shapes)
        return put_together(between, found, outside)

    def standard(self, x: Any, args: Any, kwargs: Any) -> tuple[Value, Value, list[Value], Value | None]:
        """The point in the standard form, where the parameters are valid, the shapes, and the scale if it is not 1."""
        shapes, loc, scale = self.parsed(*args, **kwargs)
        valid, shapes = self.checked(shapes)
        y = double(x)
        y = y if type(loc) is np.float64 and loc == 0 else y - loc
        if type(scale) is np.float64 and scale == 1:
            return y, valid, shapes, None
        valid = valid & (scale > 0)
        scale = select(valid, scale, 1.0)
        return y / scale, valid, shapes, scale

    def inverse(self, name: str, q: Any, args: Any, kwargs: Any) -> Value:
        if not traced(q, args, kwargs):
            return getattr(self.scipy, name)(q, *args, **kwargs)
        shapes, loc, scale = self.parsed(*args, **kwargs)
        valid, shapes = self.checked(shapes)
        valid = valid & (scale > 0) & (loc == loc)
        q = double(q)
        between = valid & (q > 0) & (q < 1)

        def outside() -> Value:
            lower, upper = self._support(*shapes)
            ends: Value = np.where(q == (name == "isf"), lower, upper)
            ends = np.where(np.isfinite(ends), np.where(np.isfinite(ends), ends, 0.0) * scale + loc, ends)
            return np.where(valid & ((q == 0) | (q == 1)), ends, np.nan)

        with np.errstate(all="ignore"):
            found = getattr(self, f"_{name}")(select(between, q, 0.25), *shapes)
        return put_together(between, found * scale + loc, outside)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Value:
        """The density at x."""
        return self.density("pdf", x, args, kwargs, 0.0)

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Value:
        """The logarithm of the density at x."""
        return self.density("logpdf", x, args, kwargs, -np.inf)

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> Value:
        """The probability of values up to x."""
        return self.probability("cdf", x, args, kwargs, 0.0, 1.0)

    def logcdf(self, x: Any, *args: Any, **kwargs: Any) -> Value:
        """The logarithm of `cdf`."""
        return self.probability("logcdf", x, args, kwargs, -np.inf, 0.0)

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> Value:
        """The probability of values above x."""
        return self.probability("sf", x, args, kwargs, 1.0, 0.0)

    def logsf(self, x: Any, *args: Any, **kwargs: Any) -> Value:
        """The logarithm of `sf`."""
        return self.probability("logsf", x, args, kwargs, 0.0, -np.inf)

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Value:
        """The inverse of `cdf`."""
        return self.inverse("ppf", q, args, kwargs)

    def isf(self, q: Any, *args: Any, **kwargs: Any) -> Value:
        """The inverse of `sf`."""
        return self.inverse("isf", q, args, kwargs)
