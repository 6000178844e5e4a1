"""Rows for sorting and searching."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import UnsupportedError

X = np.random.default_rng(5).normal(size=(2, 3, 4))
V = np.array([0.5, -1.5, 2.5, 0.7, -0.2])
M = np.array([[0.3, -1.2, 0.7, 2.2], [1.9, -0.4, 2.6, 0.1], [-0.9, 1.1, 0.5, 1.3]])
WEIGHTS = np.array([1.0, 10.0, 100.0, 1000.0, 3.0])
EDGES = np.array([-1.0, 0.0, 1.0])

FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "sort": (lambda x: np.sort(x) * WEIGHTS, V),
    "sort axis": (lambda x: np.sort(x, axis=0), M),
    "sort last": (lambda x: np.sort(x), X),
    "sort middle": (lambda x: np.sort(x, axis=1) ** 2, X),
    "sort flat": (lambda x: np.sort(x, axis=None), M),
    "sort stable": (lambda x: np.sort(x, stable=True), M),
    "sort kind": (lambda x: np.sort(x, kind="mergesort"), M),
    "sort empty": (np.sort, np.zeros(0)),
    "sort ties": (lambda x: np.sort(x)[::2] * 2, np.array([2.0, 1.0, 3.0, 5.0])),
    "partition": (lambda x: np.partition(x, 2)[2] * x, V),
    "partition several": (lambda x: np.partition(x, (1, 2), axis=0)[1:3], M),
    "argsort": (lambda x: x[np.argsort(x)] * WEIGHTS, V),
    "x.argsort": (lambda x: x[x.argsort()] * WEIGHTS, V),
    "argsort axis": (lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0), M),
    "argpartition": (lambda x: x[np.argpartition(x, 1)[1]] * x, V),
    "lexsort": (lambda x: x[np.lexsort((x, np.round(x)))], V),
    "searchsorted": (lambda x: x * np.searchsorted(EDGES, x), V),
    "searchsorted in traced": (lambda x: x * np.searchsorted(np.sort(x), 0.6, side="right"), V),
    "x.searchsorted": (lambda x: x * x.searchsorted(0.1, sorter=np.argsort(x)), V),
    "digitize": (lambda x: x * np.digitize(x, EDGES), V),
    "unique": (np.unique, V),
    "unique matrix": (np.unique, M),
    "unique axis": (lambda x: np.unique(x, axis=0), M),
    "unique parts": (lambda x: np.unique(x, return_inverse=True, return_counts=True)[0] * WEIGHTS, V),
    "unique_values": (lambda x: np.sort(np.unique_values(x)), V),
    "median of sorted": (lambda x: np.sort(x)[2], V),
}

CASES = [
    *(Case(name, fun, (x,)) for name, (fun, x) in FUNCTIONS.items()),
    Case("sort complex", lambda x: np.sort(x, axis=-1) ** 2, (M,), complex=True),
]

REFUSED = [
    Refused("sort order", lambda x: np.sort(x, order="a"), (V,), UnsupportedError, "structured"),
    Refused("sort axis", lambda x: np.sort(x, axis=2), (M,), ValueError, "out of bounds"),
]
