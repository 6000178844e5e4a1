"""Rows for joining and splitting, and for arrays made of nested lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError, UnsupportedError
from xformad.numpy import creation

X = np.random.default_rng(4).normal(size=(2, 3, 2))
A = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6]])
B = np.array([[1.3, 0.2, -0.7]])
V = np.array([0.5, -1.5, 2.5])
W = np.array([0.7, 1.1, -0.3])
LONG = np.array([0.5, -1.5, 2.5, 0.7, 1.1, -0.3])

JOINED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "concatenate": (lambda x, y: np.concatenate((x, y)), (A, B)),
    "concatenate axis": (lambda x, y: np.concatenate([x, y[:, :1], x * 2], axis=-1), (A, A)),
    "concatenate flat": (lambda x, y: np.concatenate([x, y], axis=None), (A, 0.5)),
    "concatenate one": (lambda x: np.concatenate([x]), (A,)),
    "concatenate itself": (lambda x: np.concatenate([x, x * x]), (A,)),
    "concatenate with plain": (lambda x: np.concatenate([np.ones((1, 3)), x, np.zeros((0, 3))]), (A,)),
    "concatenate an array": (lambda x: np.concatenate(x), (X,)),
    "concat": (lambda x, y: np.concat([x, y]), (V, W)),
    "concatenate lists": (lambda x: np.concatenate([x, [1.0, 2.0]]), (V,)),
    "stack": (lambda x, y: np.stack([x, y]), (V, W)),
    "stack axis": (lambda x, y: np.stack([x, y], axis=-1), (V, W)),
    "stack middle": (lambda x: np.stack([x, 2 * x, x * x], axis=1), (A,)),
    "stack scalars": (lambda x, y: np.stack([x, y, x * y, 1.0]), (0.5, 2.0)),
    "stack an array": (lambda x: np.stack(x, axis=1), (X,)),
    "vstack": (lambda x, y: np.vstack([x, y]), (V, B)),
    "hstack": (lambda x, y: np.hstack([x, y]), (V, W)),
    "hstack matrices": (lambda x, y: np.hstack([x, y]), (A, A)),
    "hstack scalars": (lambda x, y: np.hstack([x, y, 2.0]), (0.5, V)),
    "dstack": (lambda x, y: np.dstack([x, y]), (V, W)),
    "dstack matrices": (lambda x, y: np.dstack([x, y]), (A, A)),
    "column_stack": (lambda x, y: np.column_stack([x, y]), (V, W)),
    "column_stack mixed": (lambda x, y: np.column_stack([x, y]), (A, np.array([0.5, 1.0]))),
    "block": (lambda x, y: np.block([[x, x * 2], [y, np.zeros((1, 3))]]), (A, B)),
    "block row": (lambda x, y: np.block([x, y, 1.0]), (V, W)),
    "block scalars": (lambda x: np.block([[x, 1.0], [2.0, x * x]]), (0.5,)),
    "append": (lambda x, y: np.append(x, y), (A, V)),
    "append axis": (lambda x, y: np.append(x, y, axis=0), (A, B)),
    "insert": (lambda x, c: np.insert(x, 1, c), (V, 0.5)),
    "insert end": (lambda x: np.insert(x, 3, 1.5), (V,)),
    "insert several": (lambda x, y: np.insert(x, [0, 2, 2], y), (V, W)),
    "insert row": (lambda x, y: np.insert(x, 1, y, axis=0), (A, V)),
    "insert column": (lambda x, y: np.insert(x, -1, y, axis=1), (A, np.array([0.5, 1.5]))),
    "insert number in columns": (lambda x, c: np.insert(x, [0, 3], c, axis=1), (A, 0.5)),
    "insert flat": (lambda x, c: np.insert(x, 2, c), (A, 0.5)),
    "insert slice": (lambda x, y: np.insert(x, slice(1, 3), y[:2]), (V, W)),
    "delete": (lambda x: np.delete(x, 1), (V,)),
    "delete several": (lambda x: np.delete(x, [0, -1], axis=1), (A,)),
    "delete slice": (lambda x: np.delete(x, slice(1, None)), (A,)),
    "split": (lambda x: np.split(x, 3), (LONG,)),
    "split at": (lambda x: np.split(x, [1, 4]), (LONG,)),
    "split past": (lambda x: np.split(x, [2, 9]), (LONG,)),
    "split axis": (lambda x: np.split(x, 3, axis=1), (A,)),
    "array_split": (lambda x: np.array_split(x, 4), (LONG,)),
    "hsplit": (lambda x: np.hsplit(x, [1]), (A,)),
    "hsplit vector": (lambda x: np.hsplit(x, 2), (LONG,)),
    "vsplit": (lambda x: np.vsplit(x, 2), (A,)),
    "dsplit": (lambda x: np.dsplit(x, 2), (X,)),
    "unstack": (lambda x: [a * a for a in np.moveaxis(x, 1, 0)], (A,)),
}

MADE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "array": (lambda x, y: creation.array([[x, 1.0], [y * x, 2]]), (0.5, 2.0)),
    "array list": (lambda x: creation.array([x, x * x, 3]), (0.5,)),
    "array rows": (lambda x, y: creation.array([x, y, [1.0, 2.0, 3.0]]), (V, W)),
    "array of arrays": (lambda x: creation.array([[x, x], [x * x, V]]), (V,)),
    "array tuple": (lambda x: creation.array((x[0], x[1] * x[2])), (V,)),
    "array 0-d": (lambda x: creation.array(x) * 2.0, (0.5,)),
    "array copy": (lambda x: creation.array(x) * x, (A,)),
    "array ndmin": (lambda x: creation.array([x, 1.0], ndmin=3), (0.5,)),
    "array ndmin of array": (lambda x: creation.array(x, ndmin=3), (A,)),
    "array one": (lambda x: creation.array([x]), (V,)),
    "array deep": (lambda x: creation.array([[[x]], [[1]]]), (0.5,)),
    "asarray": (lambda x: creation.asarray([x, 1.0]), (0.5,)),
    "asanyarray": (lambda x: creation.asanyarray([[x], [x * x]]), (0.5,)),
    "ascontiguousarray": (lambda x: creation.ascontiguousarray(x), (0.5,)),
    "operand list": (lambda x: x * [x[0], 1.0, x[1]], (V,)),
    "ufunc of a list": (lambda x: np.add([x, 1.0], x), (0.5,)),
}

CASES = [
    *(Case(name, fun, args, complex=True) for name, (fun, args) in JOINED.items()),
    *(Case(name, fun, args, complex=True) for name, (fun, args) in MADE.items()),
    Case("concatenate dtype", lambda x: np.concatenate([x, x], dtype=complex).real, (V,), single=False),
    Case("array dtype", lambda x: creation.array([x, 1.0], dtype=x.dtype), (np.float64(0.5),)),
]

REFUSED = [
    Refused("concatenate ranks", lambda x: np.concatenate([x, V]), (A,), ValueError, "dimensions"),
    Refused("concatenate lengths", lambda x: np.concatenate([x, B[:, :2]]), (A,), ValueError, "dimension"),
    Refused("concatenate out", lambda x: np.concatenate([x], out=A), (A,), ConcretizationError, "into a plain array"),
    Refused("concatenate scalars", lambda x: np.concatenate([x, 1.0]), (0.5,), ValueError, "zero-dimensional"),
    Refused("stack shapes", lambda x: np.stack([x, B]), (A,), ValueError, "same shape"),
    Refused("split unequal", lambda x: np.split(x, 4), (LONG,), ValueError, "equal division"),
    Refused("array ragged", lambda x: creation.array([[x, 1.0], [x]]), (0.5,), ValueError, "inhomogeneous"),
    Refused("array ragged arrays", lambda x: creation.array([x, 1.0]), (V,), ValueError, "inhomogeneous"),
    Refused("array of objects", lambda x: creation.array([x, 1.0], dtype=object), (0.5,), UnsupportedError, "object"),
    Refused("numpy.array", lambda x: np.array([x, 1.0]), (0.5,), TypeError, "xformad.numpy.array"),
    Refused("block ragged", lambda x: np.block([[x], x]), (V,), ValueError, "mismatched"),
]
