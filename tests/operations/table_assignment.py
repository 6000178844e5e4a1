"""Rows for arrays that are written into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

import xformad.numpy as xnp
from tests.operations.case import Case, Refused
from xformad import ConcretizationError, UnsupportedError

A = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6]])
V = np.array([0.5, -1.5, 2.5])
MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([1, 0, 1])


def put(index: Any) -> Callable[[Any, Any], Any]:
    """A copy of x with v written at an index."""

    def assigned(x: Any, v: Any) -> Any:
        out = xnp.array(x)
        out[index] = v
        return out * x

    return assigned


def after(write: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """What an array is after something has been done to a copy of it."""

    def written(x: Any, v: Any) -> Any:
        out = xnp.array(x)
        write(out, v)
        return out * x

    return written


def by_a_view(x: Any, v: Any) -> Any:
    out = xnp.array(x)
    row, turned = out[1], out.T
    row[:2] = v[1:] ** 2
    out[0, 0] = v[0] * x[0, 0]
    turned[2] += v[:2]
    return np.sin(row) * out


def recurrence(x: Any) -> Any:
    out = xnp.ones(4, x.dtype)
    for i in range(1, 4):
        out[i] = out[i - 1] * x[i - 1]
    return out


CASES = [
    Case("setitem number", put((1, 0)), (A, np.float64(0.8)), complex=True),
    Case("setitem row", put(0), (A, V), complex=True),
    Case("setitem slice", put((slice(None), slice(None, None, -2))), (A, V[:2])),
    Case("setitem mask", put(MASK), (A, V)),
    Case("setitem index array, twice the same", put((ROWS, np.array([0, 2, 0]))), (A, V)),
    Case("setitem by a view", by_a_view, (A, V)),
    Case("setitem in a loop", recurrence, (V,), complex=True),
    Case("put", after(lambda a, v: np.put(a, [0, 4], v[:2])), (A, V)),
    Case("place", after(lambda a, v: np.place(a, MASK, v)), (A, V)),
    Case("putmask", after(lambda a, v: np.putmask(a, MASK, v)), (A, V)),
    Case("put_along_axis", after(lambda a, v: np.put_along_axis(a, np.array([[2], [0]]), v[:2, None], 1)), (A, V)),
    Case("copyto", after(lambda a, v: np.copyto(a, v, where=MASK)), (A, V)),
    Case("fill_diagonal", after(lambda a, v: np.fill_diagonal(a, v[:2])), (A, V)),
    Case("add.at", after(lambda a, v: np.add.at(a, cast(Any, (ROWS, 0)), v)), (A, V)),
    Case("multiply.at", after(lambda a, v: np.multiply.at(a, cast(Any, (slice(None), 1)), v[:2])), (A, V)),
    Case("augmented", after(lambda a, v: a.__imul__(v)), (A, V)),
    Case("out of a ufunc", after(lambda a, v: np.multiply(a, v, out=a)), (A, V)),
    Case("out of a reduction", after(lambda a, v: np.sum(a * v, axis=0, out=a[1])), (A, V)),
    Case("fill", after(lambda a, v: a[0].fill(v[1])), (A, V)),
    Case("sort in place", after(lambda a, v: a.sort(axis=1)), (A, V)),
    Case("ravel of columns", lambda x: np.ravel(x, "F") ** 2, (A,)),
]

REFUSED = [
    Refused(
        "setitem of an argument",
        lambda x: x.__setitem__(0, 1.0),
        (A,),
        UnsupportedError,
        "would write into an argument",
    ),
    Refused(
        "setitem drops derivatives",
        lambda x: xnp.zeros(3, int).__setitem__(0, x[0]),
        (V,),
        UnsupportedError,
        "make the array with dtype=float64",
    ),
    Refused(
        "multiply.at, twice the same",
        lambda x: np.multiply.at(x * 1.0, [0, 0], 2.0),
        (V,),
        UnsupportedError,
        "with an entry indexed twice",
    ),
    Refused(
        "out, plain",
        lambda x: np.sin(x, out=np.zeros(3)),
        (V,),
        ConcretizationError,
        "make the array by xformad.numpy.zeros",
    ),
    Refused("out of a method", lambda x: x.sum(out=xnp.zeros(())), (V,), UnsupportedError, "as a function of NumPy"),
]
