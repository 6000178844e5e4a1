"""Rows for selecting entries by conditions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError, UnsupportedError

A = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6]])
B = np.array([[1.3, 0.2, -0.7], [0.1, 0.9, -1.6]])
V = np.array([0.5, -1.5, 2.5])
MASK = np.array([[True, False, True], [False, False, True]])
COLUMN = np.array([[0.5], [1.5]])
INDEX = np.array([[0, 1, 0], [1, 1, 0]])

SELECTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "where": (lambda x, y: np.where(MASK, x, y), (A, B)),
    "where scalar condition": (lambda x, y: np.where(True, x, y), (A, B)),
    "where list condition": (lambda x, y: np.where([True, False, True], x, y), (A, B)),
    "where numbers condition": (lambda x, y: np.where(INDEX, x, y), (A, B)),
    "where broadcast": (lambda x, y: np.where(MASK, x, y), (V, COLUMN)),
    "where broadcast condition": (lambda x, y: np.where(np.array([[True], [False]]), x, y), (V, COLUMN)),
    "where broadcast up": (lambda x, y: np.where(MASK[:, None], x, y), (V, COLUMN)),
    "where scalars": (lambda x, y: np.where(MASK, x, y), (0.5, 2.5)),
    "where all scalars": (lambda x, y: np.where(np.True_, x * x, y), (0.5, 2.5)),
    "where constant": (lambda x: np.where(MASK, x, 0), (A,)),
    "where constant first": (lambda x: np.where(MASK, 1.0, x), (A,)),
    "where of products": (lambda x, y: np.where(MASK, x * y, x / y), (A, B)),
    "where nested": (lambda x, y: np.where(MASK, x * x, np.where(INDEX > 0, y * x, x * x * y)), (A, B)),
    "where of sums": (lambda x: np.where(MASK, np.sum(np.exp(x), axis=0), x), (A,)),
    "where of reshaped": (lambda x: np.where(MASK.ravel(), np.ravel(np.exp(x)), 0.0), (A,)),
    "where of indexed": (lambda x: np.where(MASK[0], np.exp(x)[1], x[0] * x[1]), (A,)),
    "where of item": (lambda x: np.where(MASK, np.exp(x)[0, 1], x), (A,)),
    "where of joined": (lambda x: np.where(MASK.ravel(), np.concatenate([x[0] ** 2, x[1]]), 0.0), (A,)),
    "where of stacked": (lambda x: np.where(MASK, np.stack([x[0] ** 2, x[1]]), 0.0), (A,)),
    "where of transposed": (lambda x: np.where(MASK.T, (x * x).T, 0.0), (A,)),
    "where of broadcast": (lambda x: np.where(MASK, np.broadcast_to(x * x, (2, 3)), 0.0), (V,)),
    "where 1 argument": (lambda x: x[np.where(MASK)], (A,)),
    "select": (lambda x, y: np.select([MASK, INDEX > 0], [x * x, y * y], default=1.5), (A, B)),
    "select default": (lambda x, y: np.select([MASK], [x], y), (A, V)),
    "choose": (lambda x, y: np.choose(INDEX, [x, y * y]), (A, B)),
    "choose broadcast": (lambda x: np.choose(INDEX, [x, 2.0]), (V,)),
    "choose rows": (lambda x: np.choose([1, 0, 1], x), (A,)),
    "choose wrap": (lambda x: np.choose(INDEX + 3, x, mode="wrap"), (A,)),
    "choose clip": (lambda x: np.choose(INDEX * 7, x, mode="clip"), (A,)),
    "replaced NaN": (lambda x: np.where(np.isnan(x / 1.0), 0.0, x), (A,)),
}

REAL: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "where traced condition": (lambda x: np.where(x > 0, x**2, -x), (A,)),
    "piecewise": (lambda x: np.piecewise(x, [x < 0, x >= 1], [np.sin, lambda t: t * t, 0.5]), (A,)),
    "piecewise overlap": (lambda x: np.piecewise(x, [x < 1, x < 0], [np.sin, lambda t: t * t]), (A,)),
    "piecewise scalar": (lambda x: np.piecewise(x, [x < 0], [np.sin, np.exp]), (0.5,)),
    "piecewise one condition": (lambda x: np.piecewise(x, x > 0, [np.sin, 0.0]), (V,)),
    "piecewise argument": (lambda x, c: np.piecewise(x, [x > 0], [lambda t, c: t * c, 0.0], c), (A, 0.7)),
    "clip": (lambda x: np.clip(x, -1.0, 1.0), (A,)),
    "clip below": (lambda x: np.clip(x, 0.0, None), (A,)),
    "clip above": (lambda x: np.clip(x, None, 0.0), (A,)),
    "clip keywords": (lambda x: np.clip(x, a_min=-0.5, a_max=0.5), (A,)),
    "clip traced bounds": (np.clip, (A, np.array([-1.0, -1.0, 0.0]), np.array([[0.5], [2.0]]))),
    "clip bounds crossed": (lambda x, y: np.clip(x, 1.0, y), (A, 0.5)),
    "x.clip": (lambda x: x.clip(-1.0, 1.0), (A,)),
    "x.clip keywords": (lambda x: x.clip(max=1.0), (A,)),
    "clip then square": (lambda x: np.clip(x * x, 0.1, 1.0) * x, (A,)),
    "nan_to_num": (np.nan_to_num, (A,)),
}

CASES = [
    *(Case(name, fun, args, complex=name != "replaced NaN") for name, (fun, args) in SELECTIONS.items()),
    *(Case(name, fun, args) for name, (fun, args) in REAL.items()),
    Case("nan_to_num complex", lambda x: np.nan_to_num(x, nan=1.0), (A,), complex=True),
]

REFUSED = [
    Refused("where 2 arguments", lambda x: np.where(MASK, x), (A,), ValueError, "both or neither"),
    Refused("where shapes", lambda x: np.where(MASK, x, np.ones(2)), (A,), ValueError, "broadcast"),
    Refused("select lengths", lambda x: np.select([MASK], [x, x]), (A,), ValueError, "same length"),
    Refused("select condition", lambda x: np.select([INDEX], [x]), (A,), TypeError, "boolean"),
    Refused("choose outside", lambda x: np.choose(INDEX + 1, x), (A,), ValueError, "invalid entry"),
    Refused("clip out", lambda x: np.clip(x, 0, 1, out=A), (A,), ConcretizationError, "into a plain array"),
    Refused("nan_to_num in place", lambda x: np.nan_to_num(x, copy=False), (A,), UnsupportedError, "copy=False"),
]
