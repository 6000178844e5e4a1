"""Rows for reductions and accumulations by any ufunc, and for functions applied along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

import xformad.numpy as xnp
from tests.operations.case import Case, Refused
from xformad import UnsupportedError

X = np.array([[0.3, 1.2, 0.7], [1.9, 0.4, 2.6]])
V = np.array([0.5, 1.5, 2.5, 0.7])

FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x, axis=(0, 1), keepdims=True), X),
    "hypot.reduce where": (lambda x: np.hypot.reduce(x, axis=0, where=np.array([True, False, True])), X),
    "subtract.reduce": (lambda x: np.subtract.reduce(x, axis=1, initial=2.0), X),
    "maximum.accumulate": (lambda x: np.maximum.accumulate(x, axis=1), X),
    "minimum.accumulate": (np.minimum.accumulate, V),
    "divide.accumulate": (np.divide.accumulate, V),
    "add.reduceat": (lambda x: np.add.reduceat(x, [0, 2, 1], axis=1), X),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda r: np.outer(r, r[:2]), 0, x), X),
    "apply_over_axes": (lambda x: np.apply_over_axes(np.sum, x, [0, 1]), X),
    "vectorize": (lambda x: xnp.vectorize(lambda t, u: t * u if t > u else u)(x, x[0]), X),
    "vectorize signature": (lambda x: xnp.vectorize(lambda r, s: r @ s, signature="(n),(n)->()")(x, x[0]), X),
    "asarray_chkfinite": (lambda x: xnp.asarray_chkfinite([x[0], x[1]]), V),
    "asfortranarray": (lambda x: xnp.asfortranarray(x) * 2, X),
    "ix_": (lambda x: x[np.ix_(np.arange(2), np.argsort(x[0]))], X),
    "unravel_index": (lambda x: x[np.unravel_index(np.argmax(x), (2, 3))], X),
    "ravel_multi_index": (lambda x: x * np.ravel_multi_index((np.argmax(x), 1), (6, 2)), X),
    "isreal": (lambda x: x * np.isreal(x) + x * np.iscomplex(x + 0j), X),
    "isposinf": (lambda x: x * ~np.isposinf(x) * ~np.isneginf(x), X),
    "isscalar": (lambda x: x * xnp.isscalar(x), X),
    "amax": (lambda x: np.amax(x, axis=0) - np.amin(x), X),
    "shifts": (lambda x: x * ((np.rint(x).astype(int) << 1) + (1 << np.rint(x).astype(int) >> 1)), X),
    "array_equiv": (lambda x: x * np.array_equiv(x, x[0]), X),
}

CASES = [
    *(Case(name, fun, (x,)) for name, (fun, x) in FUNCTIONS.items()),
    Case("i0", np.i0, (V,), order=3),
    Case("i0 far", np.i0, (np.array([9.0, -12.0]),), single=False),
    Case("nextafter", lambda x: np.nextafter(x, 9.0) ** 2, (V,)),
    Case("linspace", lambda x, y: np.linspace(x, y, 4, axis=1), (X[0], X[1])),
    Case("linspace step", lambda x: np.linspace(x, 1, 4, endpoint=False, retstep=True), (0.3,)),
    Case("logspace", lambda x, b: np.logspace(x, 1.0, 3, base=b), (V[:2], V[2:])),
    Case("geomspace", lambda x, y: np.geomspace(x, y, 4), (X[0], X[1])),
]

REFUSED = [
    Refused("subtract.reduce", lambda x: np.subtract.reduce(x, axis=(0, 1)), (X,), ValueError, "not reorderable"),
    Refused("divide.reduce where", lambda x: np.divide.reduce(x, where=x > 1), (X,), UnsupportedError, "x[mask]"),
    Refused("add.reduceat", lambda x: np.add.reduceat(x, [0, 5]), (V,), IndexError, "index 5 out-of-bounds"),
    Refused("hypot.accumulate", lambda x: np.hypot.accumulate(x, axis=2), (X,), ValueError, "out of bounds"),
    Refused("i0 complex", lambda x: np.i0(x * 1j), (V,), TypeError, "complex"),
    Refused(
        "vectorize outputs", lambda x: xnp.vectorize(lambda t: (t, t), signature="()->()")(x), (V,), ValueError, "2"
    ),
    Refused(
        "vectorize sizes", lambda x: xnp.vectorize(np.dot, signature="(n),(n)->()")(x, x[:2]), (V,), ValueError, "'n'"
    ),
    Refused("linspace", lambda x: np.linspace(x, 1.0, -1), (0.3,), ValueError, "non-negative"),
    Refused("asarray_chkfinite", lambda x: xnp.asarray_chkfinite(x), (V * np.inf,), ValueError, "infs or NaNs"),
]
