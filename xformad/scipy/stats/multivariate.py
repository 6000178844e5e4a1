"""Distributions of vectors: `multivariate_normal`, `dirichlet`, `multinomial`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats
from scipy import special

from xformad.core.interpreter import shape_of
from xformad.core.typing import Value
from xformad.scipy.stats.families import Frozen, double, missing, traced

LOG_2PI = math.log(2 * math.pi)


class Multivariate:
    """What they share: plain arguments, and methods that are not here, go to SciPy's distribution.

    Args:
        name: SciPy's.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.scipy: Any = getattr(scipy.stats, name)
        self.__doc__ = f"`scipy.stats.{name}` for programs under transformation.\n\n{type(self).__doc__}"

    def __repr__(self) -> str:
        return f"<xformad.scipy.stats.{self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with these parameters, as in SciPy."""
        return Frozen(self, args, kwargs)

    def __dir__(self) -> list[str]:
        return dir(self.scipy)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self.scipy, name)
        if not callable(found):
            return found

        def method(*args: Any, **kwargs: Any) -> Any:
            if traced(args, kwargs):
                instead = "give it plain values, xformad.value_of(x), or write it with NumPy's functions"
                raise missing(f"{self.name}.{name}", "is not supported", instead)
            return found(*args, **kwargs)

        return method


class MultivariateNormal(Multivariate):
    """The covariance must be positive definite. What is differentiated is a function of its symmetric part."""

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Value:
        """The logarithm of the density at x, whose last axis holds the components."""
        if not traced(x, mean, cov):
            return self.scipy.logpdf(x, mean, cov, allow_singular)
        mean, cov = self.parameters(mean, cov)
        size = shape_of(mean)[0]
        x = double(x)
        if len(shape_of(x)) < 2:
            x = np.reshape(x, (-1, size) if size == 1 or not shape_of(x) else (1, -1))
        root = self.root(cov)
        deviation = x - mean
        white = np.linalg.solve(root, np.reshape(deviation, (-1, size)).T)
        square = np.reshape(np.sum(white * white, axis=0), shape_of(deviation)[:-1])
        return np.squeeze(-0.5 * (size * LOG_2PI + square) - np.sum(np.log(np.diagonal(root))))

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Value:
        """The density at x."""
        if not traced(x, mean, cov):
            return self.scipy.pdf(x, mean, cov, allow_singular)
        return np.exp(self.logpdf(x, mean, cov))

    def entropy(self, mean: Any = None, cov: Any = 1) -> Value:
        """The entropy, in natural units."""
        if not traced(mean, cov):
            return self.scipy.entropy(mean, cov)
        mean, cov = self.parameters(mean, cov)
        return 0.5 * shape_of(mean)[0] * (LOG_2PI + 1) + np.sum(np.log(np.diagonal(self.root(cov))))

    def parameters(self, mean: Any, cov: Any) -> tuple[Value, Value]:
        """The mean as a vector, the covariance as a matrix.

        Raises:
            UnsupportedError: for an object of SciPy's.
            ValueError: if they do not fit.
        """
        if isinstance(cov, scipy.stats.Covariance):
            raise missing(self.name, "takes no object of scipy.stats.Covariance", "give it the matrix, cov.covariance")
        cov = double(1.0 if cov is None else cov)
        ndim = len(shape_of(cov))
        if mean is None:
            mean = np.zeros(shape_of(cov)[0] if ndim > 1 else 1)
        mean = np.reshape(double(mean), (-1,)) if not np.ndim(mean) else double(mean)
        if len(shape_of(mean)) != 1:
            raise ValueError(f"Array 'mean' must be a vector of length {math.prod(shape_of(mean))}.")
        size = shape_of(mean)[0]
        if size == 1:
            cov = np.reshape(cov, (1, 1))
        elif ndim < 2:
            cov = cov * np.eye(size)
        if shape_of(cov) != (size, size):
            raise ValueError(
                f"Array 'cov' must be square of the dimension of 'mean', {size}, but cov.shape = {shape_of(cov)}."
            )
        return mean, 0.5 * (cov + np.swapaxes(cov, 0, 1))

    def root(self, cov: Value) -> Value:
        """The Cholesky factor of the covariance.

        Raises:
            UnsupportedError: if there is none.
        """
        try:
            return np.linalg.cholesky(cov)
        except np.linalg.LinAlgError as error:
            raise missing(
                self.name, "needs a positive definite covariance", "add a small multiple of the identity to it"
            ) from error


class Dirichlet(Multivariate):
    """The density is one with respect to all components but the last."""

    def logpdf(self, x: Any, alpha: Any) -> Value:
        """The logarithm of the density at x, whose first axis holds the components, with or without the last one."""
        if not traced(x, alpha):
            return self.scipy.logpdf(x, alpha)
        alpha = self.parameter(alpha)
        size = shape_of(alpha)[0]
        x = double(x)
        shape = shape_of(x)
        if len(shape) not in (1, 2) or shape[0] not in (size - 1, size):
            raise ValueError(
                "Vector 'x' must have either the same number of entries as, or one entry fewer than, parameter vector "
                f"'a', but alpha.shape = {shape_of(alpha)} and x.shape = {shape}."
            )
        if shape[0] == size - 1:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        if np.any(x < 0) or np.any(x > 1) or np.any(np.abs(np.sum(x, axis=0) - 1) > 10e-10):
            raise ValueError(f"The input vector 'x' must lie within the normal simplex, but is {x}.")
        alpha = np.reshape(alpha, (size,) + (1,) * (len(shape) - 1))
        if np.any((x == 0) & (alpha < 1)):
            raise ValueError("Each entry in 'x' must be greater than zero if its alpha is less than one.")
        return np.squeeze(np.sum(special.xlogy(alpha - 1, x), axis=0) - log_beta(alpha))

    def pdf(self, x: Any, alpha: Any) -> Value:
        """The density at x."""
        return np.exp(self.logpdf(x, alpha)) if traced(x, alpha) else self.scipy.pdf(x, alpha)

    def mean(self, alpha: Any) -> Value:
        """The mean, a vector."""
        if not traced(alpha):
            return self.scipy.mean(alpha)
        alpha = self.parameter(alpha)
        return alpha / np.sum(alpha)

    def var(self, alpha: Any) -> Value:
        """The variances of the components."""
        if not traced(alpha):
            return self.scipy.var(alpha)
        mean = self.mean(alpha)
        return mean * (1 - mean) / (np.sum(double(alpha)) + 1)

    def entropy(self, alpha: Any) -> Value:
        """The entropy, in natural units."""
        if not traced(alpha):
            return self.scipy.entropy(alpha)
        alpha = self.parameter(alpha)
        total = np.sum(alpha)
        own = np.sum((alpha - 1) * special.psi(alpha))
        return log_beta(alpha) + (total - shape_of(alpha)[0]) * special.psi(total) - own

    def parameter(self, alpha: Any) -> Value:
        alpha = double(alpha)
        if len(shape_of(alpha)) != 1:
            raise ValueError(f"Parameter vector 'a' must be one dimensional, but a.shape = {shape_of(alpha)}.")
        if np.any(alpha <= 0):
            raise ValueError("All parameters must be greater than 0")
        return alpha


def log_beta(alpha: Value) -> Value:
    """The logarithm of the beta function of many arguments."""
    return np.sum(special.gammaln(alpha)) - special.gammaln(np.sum(alpha))


class Multinomial(Multivariate):
    """The derivatives are with respect to the probabilities, each for itself."""

    def logpmf(self, x: Any, n: Any, p: Any) -> Value:
        """The logarithm of the probability of the counts x, whose last axis holds the components."""
        if not traced(x, n, p):
            return self.scipy.logpmf(x, n, p)
        x, n, p = np.floor(double(x)), np.floor(double(n)), double(p)
        last = 1 - np.sum(p[..., :-1], axis=-1, keepdims=True)
        whole = np.abs(last - p[..., -1:]) <= 10 * np.finfo(float).eps
        p = np.concatenate([p[..., :-1], np.where(whole, p[..., -1:], last)], axis=-1)  # as SciPy does
        valid = np.all((p >= 0) & (p <= 1), axis=-1) & (n >= 0)
        possible = np.all(x >= 0, axis=-1) & (np.sum(x, axis=-1) == n)
        counts = np.where(np.expand_dims(valid & possible, -1), x, 0.0)
        p = np.where(np.expand_dims(valid, -1), p, 0.5)
        ways = special.gammaln(np.where(valid, n, 0.0) + 1)
        found = ways + np.sum(special.xlogy(counts, p) - special.gammaln(counts + 1), axis=-1)
        return np.where(valid, np.where(possible, found, -np.inf), np.nan)

    def pmf(self, x: Any, n: Any, p: Any) -> Value:
        """The probability of the counts x."""
        return np.exp(self.logpmf(x, n, p)) if traced(x, n, p) else self.scipy.pmf(x, n, p)

    def mean(self, n: Any, p: Any) -> Value:
        """The mean, a vector."""
        return np.expand_dims(double(n), -1) * double(p) if traced(n, p) else self.scipy.mean(n, p)


dirichlet = Dirichlet("dirichlet")
multinomial = Multinomial("multinomial")
multivariate_normal = MultivariateNormal("multivariate_normal")
