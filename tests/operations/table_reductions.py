"""Rows for reductions and cumulative operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError

X = np.array([[[0.3, -1.2, 0.7, 2.2], [1.9, -0.4, 2.6, 0.1]], [[-0.9, 1.1, 0.5, 1.3], [0.8, -2.1, 1.6, -0.3]]])
ZEROS = np.array([[0.0, 2.0, 3.0], [1.5, 0.0, 0.0], [0.7, -1.2, 2.0]])
MASK = np.array([[True, False, True, True], [True, True, False, True]])

AXES: list[dict[str, Any]] = [
    {}, {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}, {"axis": (-1, 0), "keepdims": True}, {"axis": None, "keepdims": True},
    {"axis": 1, "keepdims": True}, {"axis": ()},
]  # fmt: skip
REDUCTIONS = [
    (np.sum, True), (np.prod, True), (np.mean, True), (np.var, True), (np.std, True), (np.max, False), (np.min, False),
]  # fmt: skip
NONEMPTY = [options for options in AXES if options.get("axis") != ()]


def label(options: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in options.items())


CASES = [
    *(
        Case(f"{f.__name__} {label(options)}", lambda x, f=f, options=options: f(x, **options), (X,), complex=c)
        for f, c in REDUCTIONS
        for options in (AXES if f in (np.sum, np.prod, np.mean, np.max, np.min) else NONEMPTY)
    ),
    *(
        Case(f"{f.__name__} where", lambda x, f=f: f(x, axis=-1, where=MASK), (X,))
        for f in (np.sum, np.prod, np.mean, np.var, np.std)
    ),
    *(
        Case(f"{f.__name__} initial", lambda x, f=f: f(x, axis=1, initial=0.6), (X,))
        for f in (np.sum, np.prod, np.max, np.min)
    ),
    *(
        Case(f"{f.__name__} where and initial", lambda x, f=f: f(x, axis=2, where=MASK, initial=-5.0), (X,))
        for f in (np.sum, np.prod, np.max)
    ),
    *(Case(f"{f.__name__} of scalar", f, (1.7,)) for f in (np.sum, np.prod, np.mean, np.max, np.min)),
    *(Case(f"{f.__name__} of empty", f, (np.zeros((0, 3)),)) for f in (np.sum, np.prod)),
    Case("sum of empty along axis", lambda x: np.sum(x, axis=0), (np.zeros((0, 3)),)),
    Case("sum method", lambda x: x.sum(axis=0).sum(), (X,)),
    Case("mean method", lambda x: x.mean(axis=(0, 1), keepdims=True), (X,)),
    Case("max method", lambda x: x.max(axis=1) + x.min(axis=1), (X,)),
    Case("prod, var, std methods", lambda x: x.prod(0) + x.var(0) + x.std(0, ddof=1), (X,)),
    Case("sum dtype", lambda x: np.sum(x, dtype=np.float64), (X,), single=False),
    Case("var ddof", lambda x: np.var(x, axis=0, ddof=1), (X,), complex=True),
    Case("std correction", lambda x: np.std(x, axis=2, correction=1, keepdims=True), (X,)),
    Case("var mean", lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)), (X,)),
    Case("ptp", lambda x: np.ptp(x, axis=-1), (X,)),
    Case("prod with zeros", lambda x: np.prod(x, axis=1), (ZEROS,)),
    Case("prod with zeros, axis 0", lambda x: np.prod(x, axis=0, keepdims=True), (ZEROS,)),
    Case("prod with zeros of all", lambda x: np.prod(x[:1]), (ZEROS,)),
    Case("prod with zeros over two axes", lambda x: np.prod(x[None] + np.zeros((2, 1, 1)), axis=(0, 2)), (ZEROS,)),
    *(
        Case(f"cumsum axis={axis}", lambda x, axis=axis: np.cumsum(x, axis=axis), (X,), complex=True)
        for axis in (None, 0, -1)
    ),
    *(
        Case(f"cumprod axis={axis}", lambda x, axis=axis: np.cumprod(x, axis=axis), (X,), complex=True)
        for axis in (None, 0, -1)
    ),
    *(
        Case(f"cumprod with zeros axis={axis}", lambda x, axis=axis: np.cumprod(x, axis=axis), (ZEROS,))
        for axis in (None, 0, 1)
    ),
    Case("cumsum of empty", np.cumsum, (np.zeros(0),)),
    Case("cumprod of empty", np.cumprod, (np.zeros(0),)),
    Case("cumsum method", lambda x: x.cumsum(axis=1) * x.cumprod(axis=0), (X,)),
    Case("add.reduce", lambda x: np.add.reduce(x, axis=1, keepdims=True) + np.add.reduce(x), (X,)),
    Case("multiply.reduce", lambda x: np.multiply.reduce(x, axis=(0, 1)), (X,)),
    Case("maximum.reduce", lambda x: np.maximum.reduce(x, axis=1), (X,)),
    Case("add.accumulate", lambda x: np.add.accumulate(x, axis=1) + np.multiply.accumulate(x, axis=2), (X,)),
    Case("argmax as index", lambda x: x[0, 0, np.argmax(x[0, 0])] * x.argmin(), (X,)),
    Case("any and all decide", lambda x: x * 2 if np.any(x > 1) and not np.all(x > 1) else x, (X,)),
    Case("logical_or.reduce", lambda x: x * np.logical_or.reduce(x > 1, axis=0), (X,)),
    Case("count_nonzero", lambda x: x * np.count_nonzero(x > 0, axis=0), (X,)),
    Case("python sum, max, min", lambda x: sum(x) + max(x) * min(x), (X[0, 0],)),
]

REFUSED = [
    Refused(
        "sum out=",
        lambda x: np.sum(x, out=np.zeros(())),
        (X,),
        ConcretizationError,
        "into a plain array",
    ),
    Refused("max of empty", np.max, (np.zeros(0),), ValueError, "zero-size array"),
    Refused("max where without initial", lambda x: np.max(x, where=x > 0), (X,), ValueError, "initial="),
    Refused("axis out of range", lambda x: np.sum(x, axis=3), (X,), np.exceptions.AxisError, "axis 3 is out of bounds"),
]
