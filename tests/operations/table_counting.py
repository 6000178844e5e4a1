"""Rows for histograms, `bincount` and sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused

V = np.array([0.5, -1.5, 2.5, 0.7])
W = np.array([0.6, 1.1, 0.4, 0.9])
EDGES = np.array([-2.0, 0.0, 0.6, 3.0])
PLACES = np.array([0, 2, 2, 1])

FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "bincount": (lambda w: np.bincount(PLACES, w, minlength=4).astype(w.dtype), W),
    "bincount of traced": (lambda x: x[:3] * np.bincount(np.abs(np.floor(x)).astype(int), minlength=3)[:3], V),
    "histogram weights": (lambda w: np.histogram(V, EDGES, weights=w)[0], W),
    "histogram density": (lambda x: np.histogram(x, 3, density=True)[0].astype(x.dtype), V),
    "histogram edges": (lambda x: np.histogram(x, 3)[1], V),
    "histogram_bin_edges": (lambda x: x[:3] * np.histogram_bin_edges(x, 2, range=(-2.0, 3.0)).astype(x.dtype), V),
    "histogram2d": (lambda w: np.histogram2d(V, W, 2, weights=w)[0].astype(w.dtype), W),
    "histogramdd": (lambda w: np.histogramdd((V, W), [EDGES - 0.1, EDGES], weights=w)[0].astype(w.dtype), W),
    "unique_all": (lambda x: np.unique_all(x).values * np.unique_all(x).counts, V),
    "unique_counts": (lambda x: np.unique_counts(x).values, V),
    "unique_inverse": (lambda x: np.unique_inverse(x).values[np.unique_inverse(x).inverse_indices], V),
    "isin": (lambda x: x * np.isin(np.floor(x), [0.0, 2.0]), V),
    "union1d": (lambda x: np.union1d(x, [3.5]), V),
    "intersect1d": (lambda x: np.intersect1d(x, x[1:3]), V),
    "setdiff1d": (lambda x: np.setdiff1d(x, x[:1]), V),
    "setxor1d": (lambda x: np.setxor1d(x, x[:2]), V),
}

CASES = [Case(name, fun, (x,)) for name, (fun, x) in FUNCTIONS.items()]

REFUSED = [
    Refused("bincount complex", lambda w: np.bincount(PLACES, w * 1j), (W,), TypeError, "complex"),
    Refused("bincount lengths", lambda w: np.bincount(PLACES[:2], w), (W,), ValueError, "same length"),
    Refused("histogram bins", lambda x: np.histogram(x, [1.0, 0.0]), (V,), ValueError, "increase monotonically"),
    Refused("histogram weights shape", lambda x: np.histogram(x, weights=x[:2]), (V,), ValueError, "same shape"),
]
