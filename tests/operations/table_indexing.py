"""Rows for indexing, and for the functions that pick entries by position or condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError, UnsupportedError

X = np.random.default_rng(2).normal(size=(2, 3, 4))
M = np.array([[0.3, -1.2, 0.7, 2.2], [1.9, -0.4, 2.6, 0.1], [-0.9, 1.1, 0.5, 1.3]])
V = np.array([0.5, -1.5, 2.5, 0.7, -0.2])
MASK = np.array([[True, False, True, False], [False, False, True, True], [True, True, False, True]])
NONE = np.zeros(5, bool)
EMPTY = np.zeros((0, 3))

INDICES: dict[str, tuple[Any, Any]] = {
    "int": (V, 1),
    "negative int": (V, -2),
    "int of matrix": (M, 1),
    "numpy int": (M, np.int64(2)),
    "0-d array": (M, np.array(2)),
    "slice": (V, slice(1, 4)),
    "slice with step": (V, slice(None, None, -2)),
    "slice of numpy ints": (V, slice(np.int64(1), np.int64(4), None)),
    "empty slice": (V, slice(3, 3)),
    "ellipsis": (M, Ellipsis),
    "newaxis": (V, None),
    "tuple": (M, (1, 2)),
    "empty tuple": (M, ()),
    "tuple of slices": (X, (slice(1), slice(None, None, 2), slice(1, 3))),
    "ellipsis last": (X, (1, Ellipsis)),
    "ellipsis first": (X, (Ellipsis, 0)),
    "newaxis inside": (M, (slice(None), None, 1)),
    "newaxis ellipsis": (M, (None, Ellipsis, None)),
    "list": (V, [0, 0, 3, -1]),
    "array": (V, np.array([4, 1, 1])),
    "array in a tuple": (V, (np.array([4, 1, 1]),)),
    "small integers": (M, np.array([2, 0, 2], np.int8)),
    "rows": (M, np.array([[2, 0], [2, -1]])),
    "many rows": (M, np.array([2, 0, 1, 1, -1] * 8)),
    "empty list": (M, []),
    "range": (M, range(2)),
    "two arrays": (M, ([0, 0, 2], [1, 1, 3])),
    "arrays that broadcast": (M, (np.array([[0], [2]]), np.array([0, 0, 3]))),
    "array and slice": (X, (slice(None), [0, 2, 2], slice(1, 3))),
    "arrays apart": (X, ([0, 1, 0], slice(None), [0, 3, 0])),
    "array and int": (X, (0, slice(None), [1, 1])),
    "array and newaxis": (M, ([0, 2], None, slice(2))),
    "mask": (M, MASK),
    "mask on axis 0": (M, np.array([True, False, True])),
    "mask on axis 1": (M, (slice(None), np.array([True, False, True, False]))),
    "mask and array": (M, (np.array([True, False, True]), [0, 3])),
    "list of bools": (M, [True, False, True]),
    "empty mask": (V, NONE),
    "True": (V, True),
    "False": (V, False),
    "numpy True": (V, np.True_),
    "0-d mask": (V, np.array(True)),
    "of an empty array": (EMPTY, (slice(None), 1)),
    "nested tuple": (M, ((0, 2), slice(1, 3))),
}

PICKS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "take flat": (lambda x: np.take(x, [1, 1, 5]), (M,)),
    "take axis": (lambda x: np.take(x, np.array([[0, 2], [1, 1]]), axis=1), (M,)),
    "take int": (lambda x: np.take(x, 1, axis=-1), (M,)),
    "take none": (lambda x: np.take(x, [], axis=0), (M,)),
    "take wrap": (lambda x: np.take(x, [-5, 7, 2], axis=0, mode="wrap"), (M,)),
    "take clip": (lambda x: np.take(x, [-5, 7, 2], axis=0, mode="clip"), (M,)),
    "x.take": (lambda x: x.take([0, 0], axis=1), (M,)),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.array([[1, 1], [0, 3], [2, 0]]), axis=1), (M,)),
    "take_along_axis 0": (lambda x: np.take_along_axis(x, np.array([[2, 1, 0, 0]]), axis=0), (M,)),
    "take_along_axis flat": (lambda x: np.take_along_axis(x, np.array([7, 7, 0]), axis=None), (M,)),
    "take_along_axis 1-d": (lambda x: np.take_along_axis(x, np.argsort(V), axis=-1), (V,)),
    "compress": (lambda x: np.compress([True, False, True], x, axis=0), (M,)),
    "compress flat": (lambda x: np.compress([False, True, True], x), (M,)),
    "x.compress": (lambda x: x.compress([False, True, True], axis=1), (M,)),
    "extract": (lambda x: np.extract(MASK, x), (M,)),
    "extract traced condition": (lambda x: np.extract(x > 0, x), (M,)),
    "diagonal": (np.diagonal, (M,)),
    "diagonal offset": (lambda x: np.diagonal(x, 1), (M,)),
    "diagonal below": (lambda x: np.diagonal(x, -2), (M,)),
    "diagonal outside": (lambda x: np.diagonal(x, 7), (M,)),
    "diagonal axes": (lambda x: np.diagonal(x, 0, 2, 0), (X,)),
    "x.diagonal": (lambda x: x.diagonal(1, 1, 2), (X,)),
    "trace": (np.trace, (M,)),
    "trace offset": (lambda x: np.trace(x, 1, 2, 1), (X,)),
    "x.trace": (lambda x: x.trace(), (M,)),
    "diag of matrix": (lambda x: np.diag(x, -1), (M,)),
    "diag of vector": (np.diag, (V,)),
    "diag above": (lambda x: np.diag(x, 2), (V,)),
    "diag below": (lambda x: np.diag(x, -1), (V,)),
    "diagflat": (lambda x: np.diagflat(x, 1), (M,)),
    "tril": (np.tril, (M,)),
    "tril k": (lambda x: np.tril(x, 1), (X,)),
    "triu": (np.triu, (M,)),
    "triu k": (lambda x: np.triu(x, -1), (X,)),
    "tril of vector": (np.tril, (V,)),
    "tril_indices_from": (lambda x: x[np.tril_indices_from(x[:, :3])], (M,)),
    "triu_indices_from": (lambda x: x[np.triu_indices_from(x, 1)], (M,)),
    "diag_indices_from": (lambda x: x[:, :3][np.diag_indices_from(x[:, :3])], (M,)),
    "nonzero": (lambda x: x[np.nonzero(x > 0)], (M,)),
    "x.nonzero": (lambda x: x[x.nonzero()], (M,)),
    "flatnonzero": (lambda x: x.ravel()[np.flatnonzero(x > 0)], (M,)),
    "argwhere": (lambda x: x[tuple(np.argwhere(x > 0).T)], (M,)),
    "argwhere 0-d": (lambda x: x * np.argwhere(x > 0).shape[0], (0.5,)),
    "traced mask": (lambda x: x[x > 0] ** 2, (M,)),
    "argmax": (lambda x: x[np.argmax(x)] * x[0], (V,)),
    "loop": (lambda x: sum(x[i] * x[i + 1] for i in range(4)), (V,)),
    "iteration": (lambda x: [row[1] * row for row in x], (M,)),
    "unpacking": (lambda x: x[0] * x[1] + x[2] ** x[3], (np.array([0.5, 1.5, 2.5, 0.7]),)),
    "overlapping slices": (lambda x: x[1:] * x[:-1] + x[1], (V,)),
    "index of index": (lambda x: (x * x)[1:][:, [0, 0, 2]][-1, 1:], (M,)),
    "mask of elementwise": (lambda x: np.exp(x)[MASK], (M,)),
    "mask then reshape": (lambda x: np.reshape(np.exp(x), (4, 3))[MASK.T], (M,)),
}

CASES = [
    *(Case(f"index {name}", lambda x, key=key: x[key], (x,), complex=True) for name, (x, key) in INDICES.items()),
    *(Case(name, fun, args) for name, (fun, args) in PICKS.items()),
    Case("index squared", lambda x: x[[0, 0, 2]] ** 2 * x[MASK[:, 0]].sum(), (M,), complex=True),
    Case("diag complex", lambda x: np.diag(x) * np.diag(np.diag(x)), (M,), complex=True),
]


def stored(x: Any) -> Any:
    x[0] = 1.0
    return x


REFUSED = [
    Refused("x.item", lambda x: x[0].item(), (V,), ConcretizationError, "x.item()"),
    Refused("x.tolist", lambda x: x.tolist(), (V,), ConcretizationError, "x.tolist()"),
    Refused("index float", lambda x: x[1.0], (V,), IndexError, "only integers"),
    Refused("index too large", lambda x: x[5], (V,), IndexError, "out of bounds"),
    Refused("index text", lambda x: x["a"], (V,), IndexError, "only integers"),
    Refused("index too many", lambda x: x[0, 0], (V,), IndexError, "too many indices"),
    Refused("mask of wrong length", lambda x: x[np.array([True, False])], (V,), IndexError, "boolean"),
    Refused("assignment", stored, (V,), UnsupportedError, "assignment"),
    Refused("take out", lambda x: np.take(x, [0], out=np.zeros(1)), (V,), ConcretizationError, "into a plain array"),
    Refused("take_along_axis ranks", lambda x: np.take_along_axis(x, np.array([0]), 0), (M,), ValueError, "dimensions"),
]
