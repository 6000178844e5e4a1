"""Rows for `xformad.scipy.sparse`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from tests.operations.table_products import sample
from xformad import UnsupportedError
from xformad.scipy.sparse import coo_array, csc_array, csr_array
from xformad.scipy.sparse.linalg import spsolve

PLACES = np.array([0, 2, 1, 0, 2]), np.array([0, 1, 1, 2, 2])
DATA = np.array([3.0, -0.7, 2.5, 0.4, 4.0])
TWICE = np.array([0, 2, 1, 0, 2, 2]), np.array([0, 1, 1, 2, 2, 2])


def by_rows(data: Any) -> Any:
    return csr_array((data, PLACES), shape=(3, 3))


def case(name: str, fun: Callable[..., Any], *args: Any) -> Case:
    return Case(f"scipy.sparse {name}", fun, args, complex=True)


CASES = [
    case("csr @ vector", lambda data, x: by_rows(data) @ x, DATA, sample(3)),
    case("csc @ matrix", lambda data, x: csc_array((data, PLACES)) @ x, DATA, sample(3, 2)),
    case("vector @ coo", lambda data, x: x @ coo_array((data, TWICE)), np.append(DATA, 1.0), sample(3)),
    case("matrix @ csr.T", lambda data, x: x @ by_rows(data).T, DATA, sample(2, 3)),
    case("toarray", lambda data: (2 * by_rows(data)).toarray(), DATA),
    case("constant @ vector", lambda x: csr_array(np.diag([1.0, 2.0])[[0, 1, 1]]) @ x, sample(2)),
    case("spsolve", lambda data, b: spsolve(by_rows(data), b), DATA, sample(3)),
    case("spsolve csc matrix", lambda data, b: spsolve(csc_array((data, TWICE)).T, b), np.append(DATA, 1.0), sample(3, 2)),
]  # fmt: skip

REFUSED = [
    Refused("scipy.sparse of a dense array", lambda a: csr_array(a), (np.eye(2),), UnsupportedError, "the stored values"),
    Refused("scipy.sparse product of two", lambda d: by_rows(d) @ by_rows(d), (DATA,), UnsupportedError, "A @ (B @ x)"),
    Refused("scipy.sparse times a matrix", lambda d: by_rows(d) * np.eye(3), (DATA,), UnsupportedError, "numbers only"),
    Refused("scipy.sparse of another size", lambda d: by_rows(d) @ np.ones(2), (DATA,), ValueError, "dimension mismatch"),
    Refused("spsolve of another size", lambda d: spsolve(by_rows(d), np.ones(2)), (DATA,), ValueError, "rhs dimension"),
]  # fmt: skip
