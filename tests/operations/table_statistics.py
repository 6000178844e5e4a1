"""Rows for quantiles, averages and the functions that pass over NaN."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError, UnsupportedError

X = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6]])
V = np.array([0.5, -1.5, 2.5, 0.7])
P = np.array([0.6, 1.1, 0.4])
HOLES = np.array([[1.0, np.nan, 1.0], [1.0, 1.0, 1.0]])

FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "median even": (np.median, V),
    "median odd": (lambda x: np.median(x, axis=1, keepdims=True), X),
    "quantile": (lambda x: np.quantile(x, [0.2, 0.7], axis=1), X),
    "quantile midpoint": (lambda x: np.quantile(x, 0.4, method="midpoint"), V),
    "percentile": (lambda x: np.percentile(x, 30.0, axis=(0, 1), keepdims=True, method="hazen"), X),
    "quantile weights": (lambda x: np.quantile(x, 0.4, weights=[1.0, 2.0, 0.5, 1.0], method="inverted_cdf"), V),
    "nanmedian": (lambda x: np.nanmedian(x * HOLES, axis=1), X),
    "nanquantile": (lambda x: np.nanquantile(x * HOLES, [0.3, 0.6], axis=1), X),
    "nanpercentile": (lambda x: np.nanpercentile(x * HOLES, 40.0), X),
    "average": (lambda x: np.average(x, axis=0), X),
    "cov bias": (lambda x: np.cov(x, bias=True), X),
    "nansum": (lambda x: np.nansum(x * HOLES, axis=1, keepdims=True), X),
    "nanprod": (lambda x: np.nanprod(x * HOLES, axis=1), X),
    "nancumsum": (lambda x: np.nancumsum(x * HOLES, axis=1), X),
    "nancumprod": (lambda x: np.nancumprod(x * HOLES), X),
    "nanmean": (lambda x: np.nanmean(x * HOLES, axis=1), X),
    "nanvar": (lambda x: np.nanvar(x * HOLES, axis=1, ddof=1), X),
    "nanstd": (lambda x: np.nanstd(x * HOLES, axis=1), X),
    "nanmax": (lambda x: np.nanmax(x * HOLES, axis=1), X),
    "nanmin": (lambda x: np.nanmin(x * HOLES, axis=0), X),
    "nanargmax": (lambda x: x * np.nanargmax(x * HOLES, axis=1, keepdims=True), X),
    "nanargmin": (lambda x: x * np.nanargmin(x * HOLES), X),
}

CASES = [
    *(Case(name, fun, (x,)) for name, (fun, x) in FUNCTIONS.items()),
    Case("quantile in q", np.quantile, (V, 0.4)),
    Case("quantile of constants", lambda q: np.quantile(X, q, axis=1), (P - 0.2,), single=False),
    Case("average weights", lambda x, w: np.average(x, axis=1, weights=w, returned=True), (X, P)),
    Case("cov", lambda x: np.cov(x), (X,), complex=True, single=False),
    Case("cov aweights", lambda x, y, w: np.cov(x, y, rowvar=False, aweights=w), (X.T, V[:3], P)),
    Case("corrcoef", np.corrcoef, (X.T,), complex=True),
]

REFUSED = [
    Refused("quantile out of range", lambda x: np.quantile(x, 1.5), (V,), ValueError, "in the range [0, 1]"),
    Refused("quantile method", partial(np.quantile, q=0.5, method="best"), (V,), ValueError, "'best' is not a valid"),
    Refused("quantile complex", lambda x: np.quantile(x * 1j, 0.5), (V,), TypeError, "real numbers"),
    Refused("quantile q 2-d", lambda x: np.quantile(x, [[0.5]], keepdims=True), (V,), UnsupportedError, "reshape"),
    Refused("median out", lambda x: np.median(x, out=np.zeros(())), (V,), ConcretizationError, "into a plain array"),
    Refused("nanargmax", lambda x: np.nanargmax(x * np.nan), (V,), ValueError, "All-NaN slice"),
    Refused("average", lambda x: np.average(x, weights=[1.0, -1.0, 0.0, 0.0]), (V,), ZeroDivisionError, "sum to zero"),
    Refused("cov fweights", partial(np.cov, fweights=P), (X,), TypeError, "must be integer"),
]
