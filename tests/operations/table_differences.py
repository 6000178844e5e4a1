"""Rows for differences, gradients on grids, the trapezoidal rule and cumulative sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused

X = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6], [0.2, 0.8, -0.5]])
V = np.array([0.5, -1.5, 2.5, 0.7])
T = np.array([0.0, 0.4, 1.3, 1.5])

FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "diff": (lambda x: np.diff(x, n=2, axis=0), X),
    "ediff1d": (lambda x: np.ediff1d(x, to_begin=x[0], to_end=[1.0, 2.0]), V),
    "gradient": (lambda x: np.gradient(x), X),
    "gradient edge_order": (lambda x: np.gradient(x, 0.5, axis=1, edge_order=2), X),
}
if hasattr(np, "cumulative_sum"):
    FUNCTIONS["cumulative_sum"] = (lambda x: np.cumulative_sum(x, axis=1, include_initial=True), X)
    FUNCTIONS["cumulative_prod"] = (lambda x: np.cumulative_prod(x, include_initial=True), V)

CASES = [
    *(Case(name, fun, (x,)) for name, (fun, x) in FUNCTIONS.items()),
    Case("diff ends", lambda x, p: np.diff(x, prepend=p, append=x[:, :1]), (X, 0.3)),
    Case("gradient spacing", np.gradient, (V, 0.5)),
    Case("gradient places", np.gradient, (V, T)),
    Case("gradient places, second order", lambda f, t: np.gradient(f, t, edge_order=2), (V, T)),
    Case("trapezoid", lambda y, x: np.trapezoid(y, x, axis=0), (X, T[:3])),
    Case("trapezoid dx", lambda y, h: np.trapezoid(y, dx=h), (X, 0.3)),
]

REFUSED = [
    Refused("diff of 0-d", np.diff, (1.0,), ValueError, "at least one dimensional"),
    Refused("gradient too small", np.gradient, (V[:1],), ValueError, "too small"),
    Refused("gradient spacings", lambda x: np.gradient(x, 1.0, 1.0), (V,), TypeError, "invalid number"),
    Refused("ediff1d complex", lambda x: np.ediff1d(x, to_end=1j), (V,), TypeError, "`to_end`"),
]
