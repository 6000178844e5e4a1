"""Rows for `scipy.stats`: the operations that are its own, and one family composed of others. More are tested in
`tests/test_scipy_stats.py`.
"""

from __future__ import annotations

import numpy as np

from tests.operations.case import Case, Refused
from xformad import UnsupportedError
from xformad.scipy import stats

X = np.array([-0.4, 3.7])

CASES = [
    Case("stats.norm.logpdf", stats.norm.logpdf, (X, 0.3, 1.7)),
    Case("stats.t.cdf", stats.t.cdf, (X, 2.4), order=1),
    Case("stats.t.sf", lambda x: stats.t.sf(x, 2.4), (X,)),
    Case("stats.gamma.ppf", lambda q: stats.gamma.ppf(q, 2.3, scale=1.2), (np.array([0.2, 0.7]),)),
    Case("stats.gamma.isf", stats.gamma.isf, (np.array([0.2, 0.7]), 2.3), order=1),
    Case("stats.poisson.ppf", lambda m: m * stats.poisson.ppf(0.7, m), (np.array([1.2, 4.3]),)),
]

REFUSED = [
    Refused("stats.norm.fit", stats.norm.fit, (X,), UnsupportedError, "scipy.stats.norm.fit of traced values is not"),
]
