"""`scipy.stats` for programs under transformation: distributions, differentiable in the point and in all parameters.

>>> from xformad import grad
>>> from xformad.scipy import stats
>>> grad(stats.norm.logpdf, argnums=(0, 2))(1.0, 0.0, 2.0)
(np.float64(-0.25), np.float64(-0.375))
"""

from __future__ import annotations

from typing import Any

import scipy.stats

from xformad.scipy.stats.discrete import bernoulli, betabinom, binom, geom, nbinom, poisson
from xformad.scipy.stats.multivariate import dirichlet, multinomial, multivariate_normal
from xformad.scipy.stats.on_the_half_line import (
    beta,
    chi2,
    expon,
    f,
    gamma,
    halfnorm,
    invgamma,
    lognorm,
    pareto,
    truncnorm,
    uniform,
    weibull_min,
)
from xformad.scipy.stats.on_the_line import (
    cauchy,
    gennorm,
    gumbel_l,
    gumbel_r,
    laplace,
    logistic,
    norm,
    t,
    vonmises,
    wrapcauchy,
)
from xformad.scipy.stats.samples import gmean, hmean, kurtosis, sem, skew, zscore

__all__ = [
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "f",
    "gamma",
    "gennorm",
    "geom",
    "gmean",
    "gumbel_l",
    "gumbel_r",
    "halfnorm",
    "hmean",
    "invgamma",
    "kurtosis",
    "laplace",
    "logistic",
    "lognorm",
    "multinomial",
    "multivariate_normal",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "sem",
    "skew",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "weibull_min",
    "wrapcauchy",
    "zscore",
]


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own."""
    return getattr(scipy.stats, name)
