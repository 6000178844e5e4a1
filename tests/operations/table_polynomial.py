"""Rows for polynomials."""

from __future__ import annotations

import numpy as np

from tests.operations.case import Case, Refused

P = np.array([1.0, -0.5, 2.0, 0.3])
Q = np.array([1.5, -0.4])
X = np.array([-1.0, 0.2, 0.9, 1.4, 2.0])
Y = np.array([0.3, -0.2, 1.0, 0.4, 0.9])
MATRIX = np.array([[1.0, 0.4, -0.2], [0.3, 2.0, 0.5], [-0.6, 0.1, 0.7]])

CASES = [
    Case("poly of roots", np.poly, (P,), complex=True),
    Case("poly of a matrix", np.poly, (MATRIX,), complex=True),
    Case("poly of a matrix of equal eigenvalues", lambda x: np.poly(x)[1:], (np.diag([1.0, 1.0, 2.0]),)),
    Case("polyadd", np.polyadd, (P, Q), complex=True),
    Case("polysub", np.polysub, (Q, P), complex=True),
    Case("polymul", np.polymul, (P, Q), complex=True),
    Case("polydiv", np.polydiv, (P, Q), complex=True),
    Case("polydiv by a longer one", np.polydiv, (Q, P), complex=True),
    Case("polyval", np.polyval, (P, X[:3]), complex=True),
    Case("polyder", np.polyder, (P,), complex=True),
    Case("polyder m=2", lambda p: np.polyder(p, 2), (P,), complex=True),
    Case("polyint k", lambda p: np.polyint(p, 2, p[1:] ** 2), (Q,), complex=True),
    Case("polyint", np.polyint, (P,), complex=True),
    Case("poly1d", lambda p, q, x: (np.poly1d(p) * np.poly1d(q))(x) + np.poly1d(p).deriv()(x), (P, Q, 0.7)),
    Case("roots", np.roots, (np.array([1.0, -0.5, -2.0, 0.3]),), complex=True),
    Case("roots that are complex", np.roots, (P,), complex=True),
    Case("roots that are zero", lambda p: np.roots(np.concatenate([p, np.zeros(1)])), (Q,), complex=True),
    Case("vander", np.vander, (P,), complex=True),
    Case("vander increasing", lambda x: np.vander(x, 3, increasing=True), (P,), complex=True),
    Case("trim_zeros", lambda x: np.trim_zeros(np.concatenate([np.zeros(1), x, np.zeros(2)])), (P,), complex=True),
    Case("polyfit", lambda x, y: np.polyfit(x, y, 2), (X, Y), order=1),
    Case("polyfit weighted of two", lambda y, w: np.polyfit(X, y, 1, w=w), (np.stack([Y, X], 1), 1 + X**2), order=1),
    Case("polyfit cov", lambda x, y: np.polyfit(x, y, 1, cov=True), (X, Y), order=1),
]  # fmt: skip

REFUSED = [
    Refused("polyder of order -1", lambda p: np.polyder(p, -1), (P,), ValueError, "positive"),
    Refused("polyint with too few constants", lambda p: np.polyint(p, 3, [1, 2]), (P,), ValueError, "k must be"),
    Refused("polyfit of lengths that differ", lambda x: np.polyfit(x, X, 1), (P,), TypeError, "same length"),
    Refused("polyfit of degree -1", lambda x: np.polyfit(x, X, -1), (X,), ValueError, "expected deg >= 0"),
    Refused("poly of a wide matrix", lambda x: np.poly(x), (MATRIX[:2],), ValueError, "square"),
    Refused("vander of a matrix", np.vander, (MATRIX,), ValueError, "one-dimensional"),
]
