"""Rows for products of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError

Shape = tuple[int, ...]
linalg: Any = np.linalg


def sample(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def pair(f: Any, left: Shape, right: Shape, name: str = "", *, order: int = 2) -> Case:
    """A product of two arrays of these shapes."""
    return Case(
        f"{name or f.__name__} {left} {right}",
        f,
        (sample(*left)[()], sample(*right, seed=1)[()]),
        complex=True,
        order=order,
    )


MATMUL: list[tuple[Shape, Shape]] = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)), ((2, 3), (2, 3, 4)), ((2, 2, 3), (2, 3, 4)), ((1, 2, 3), (2, 3, 1)), ((2, 1, 2, 3), (2, 3, 1)),
    ((2, 0), (0, 3)), ((2, 0, 3), (3, 2)), ((0, 2, 3), (0, 3, 2)), ((1, 1), (1, 1)),
]  # fmt: skip
DOT: list[tuple[Shape, Shape]] = [
    ((), ()), ((), (2,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)),
    ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 4)), ((2, 2, 3), (2, 3, 2)), ((3,), (4, 3, 2)),
]  # fmt: skip
INNER: list[tuple[Shape, Shape]] = [
    ((), (2,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 3)), ((2, 3), (4, 3)), ((2, 2, 3), (4, 3)),
    ((3,), (2, 4, 3)),
]  # fmt: skip
TENSORDOT: list[tuple[Any, Shape, Shape]] = [
    (0, (2,), (3,)), (1, (2, 3), (3, 4)), (2, (2, 3, 4), (3, 4, 2)), (((0, 1), (1, 0)), (2, 3, 4), (3, 2, 2)),
    (((2, 0), (0, 1)), (2, 3, 4), (4, 2, 3)), ((-1, 0), (2, 3), (3, 2)), (((), ()), (2,), (3,)),
    (([1], [-2]), (2, 3), (3, 2)), (((0, 1), (0, 1)), (2, 3), (2, 3)), (1, (2, 0), (0, 3)),
]  # fmt: skip
X = np.ones((2, 3))

CASES = [
    *(pair(np.matmul, *shapes) for shapes in MATMUL),
    *(pair(np.dot, *shapes) for shapes in DOT),
    *(pair(np.inner, *shapes) for shapes in INNER),
    *(
        pair(lambda x, y, axes=axes: np.tensordot(x, y, axes=axes), left, right, f"tensordot axes={axes}")
        for axes, left, right in TENSORDOT
    ),
    pair(lambda x, y: x @ y, (2, 3), (3, 2), "operator @"),
    pair(lambda x, y: x.dot(y), (2, 3), (3, 2), "method dot"),
    pair(lambda x, y: X @ x + y @ X.T, (3, 2), (2, 3), "constant @ x"),
    pair(np.outer, (2, 2), (3,)),
    pair(linalg.outer, (2,), (3,), "linalg.outer"),
    pair(np.multiply.outer, (2, 2), (3,), "multiply.outer"),
    pair(np.vdot, (2, 3), (3, 2)),
    pair(np.vdot, (4,), (4,)),
    pair(np.vecdot, (3,), (3,)),
    pair(np.vecdot, (4, 3), (3,)),
    pair(np.vecdot, (4, 1, 3), (2, 3)),
    pair(lambda x, y: linalg.vecdot(x, y, axis=0), (3, 2), (3, 2), "linalg.vecdot axis=0"),
    pair(linalg.matmul, (2, 3), (3, 2), "linalg.matmul"),
    pair(linalg.tensordot, (2, 3, 2), (3, 2, 2), "linalg.tensordot"),
    pair(np.kron, (2, 3), (3, 2)),
    pair(np.kron, (2,), (3, 2)),
    pair(np.kron, (), (3, 2)),
    pair(np.cross, (3,), (3,)),
    pair(np.cross, (2, 3), (3,)),
    pair(lambda x, y: np.cross(x, y, axis=0), (3, 2), (3, 2), "cross axis=0"),
    pair(lambda x, y: np.cross(x, y, axisa=0, axisc=0), (3, 2), (2, 3), "cross axisa=0 axisc=0"),
    pair(linalg.cross, (2, 3), (2, 3), "linalg.cross"),
    Case("multi_dot vectors at the ends", lambda *x: linalg.multi_dot(x),
         (sample(3), sample(3, 2), sample(2, 4), sample(4)), complex=True),
    Case("multi_dot two", lambda *x: linalg.multi_dot(x), (sample(2, 3), sample(3, 2)), complex=True),
    Case("multi_dot matrices", lambda *x: linalg.multi_dot(list(x)),
         (sample(5, 1), sample(1, 4), sample(4, 2), sample(2, 1)), complex=True),
    *(
        Case(f"matrix_power {n}", lambda x, n=n: linalg.matrix_power(x, n) + x, (sample(2, 3, 3),), complex=True)
        for n in (0, 1, 2, 3, 6)
    ),
    Case("matrix_power -2", lambda x: linalg.matrix_power(x, -2), (sample(3, 3) + 3 * np.eye(3),), complex=True),
]  # fmt: skip
if hasattr(np, "matvec"):
    CASES += [
        pair(np.matvec, (5, 2, 3), (5, 3)),
        pair(np.matvec, (2, 3), (5, 3)),
        pair(np.vecmat, (3,), (5, 3, 2)),
        pair(np.vecmat, (5, 3), (3, 2)),
    ]

REFUSED = [
    Refused("matmul of a number", lambda x: x @ 2.0, (X,), ValueError, "matmul"),
    Refused("matmul of shapes that do not fit", lambda x: x @ x, (X,), ValueError, "matmul"),
    Refused(
        "tensordot of shapes that do not fit", lambda x: np.tensordot(x, x, axes=1), (X,), ValueError, "shape-mismatch"
    ),
    Refused("cross of four components", lambda x: np.cross(x, x), (np.ones(4),), ValueError, "dimension"),
    Refused(
        "dot with out", lambda x: np.dot(x, x, out=np.ones(())), (X[0],), ConcretizationError, "into a plain array"
    ),
    Refused("matrix_power of a wide matrix", lambda x: linalg.matrix_power(x, 2), (X,), ValueError, "square"),
    Refused("multi_dot of one", lambda x: linalg.multi_dot([x]), (X,), ValueError, "at least two"),
]
