"""`vmap` where the table has no rows: operations without derivatives, and products of all ranks, either factor batched."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from xformad import grad, tree, vmap

random = np.random.default_rng(7)
SIZE = 4
ROWS = np.round(random.normal(size=(SIZE, 6)), 1)
SORTED = np.sort(ROWS, axis=1)
MATRICES = random.integers(-3, 4, size=(SIZE, 3, 5)).astype(float)
VALUES = np.array([[0.3, np.nan, -2.0, 5.0], [np.inf, 0.1, 0.2, -np.inf], [0.0, 0.0, 1.0, 1.0], [0.5, 0.4, 0.3, 0.2]])
LINALG: Any = np.linalg


def check(fun: Callable[..., Any], *args: Any) -> None:
    """On batches of all arguments, and of each with the first example of the others, equal to a loop."""
    choices = {(True,) * len(args), *(tuple(i == j for j in range(len(args))) for i in range(len(args)))}
    for which in sorted(choices):
        given = [x if batched else x[0] for x, batched in zip(args, which, strict=True)]
        results = [fun(*[x[i] if b else x for x, b in zip(given, which, strict=True)]) for i in range(SIZE)]
        expected = tree.map(lambda *leaves: np.stack(leaves), *results)
        found = vmap(fun, tuple(0 if batched else None for batched in which))(*given)
        for x, y in zip(tree.leaves_of(expected), tree.leaves_of(found), strict=True):
            assert x.shape == y.shape
            assert x.dtype == y.dtype
            np.testing.assert_allclose(y, x, rtol=1e-12, atol=1e-12)


DISCRETE: dict[str, tuple[Any, ...]] = {
    "argsort": (lambda x: np.argsort(x, axis=0, kind="stable"), MATRICES),
    "argsort flat": (lambda x: np.argsort(x, axis=None, kind="stable"), MATRICES),
    "argpartition": (lambda x: np.take_along_axis(x, np.argpartition(x, 2, axis=-1), -1)[:, 2], MATRICES),
    "lexsort": (lambda x, y: np.lexsort((x, y)), ROWS, ROWS[::-1]),
    "lexsort axis": (lambda x, y: np.lexsort((x, y), axis=0), MATRICES, MATRICES[::-1]),
    "searchsorted": (np.searchsorted, SORTED, VALUES),
    "searchsorted right": (lambda a, v: np.searchsorted(a, v, "right"), SORTED, VALUES),
    "searchsorted among NaN": (np.searchsorted, np.sort(VALUES, axis=1), VALUES),
    "searchsorted matrix": (np.searchsorted, SORTED, MATRICES),
    "searchsorted number": (np.searchsorted, SORTED, VALUES[:, 0]),
    "searchsorted sorter": (lambda a, v: np.searchsorted(a, v, sorter=np.argsort(a)), ROWS, VALUES),
    "searchsorted sorter right": (
        lambda a, v, s: np.searchsorted(a, v, side="right", sorter=s),
        SORTED[:, [3, 1, 0, 5, 2, 4]], VALUES, np.array([[2, 1, 4, 0, 5, 3]] * SIZE),
    ),
    "digitize": (np.digitize, MATRICES, SORTED),
    "digitize right": (lambda x, bins: np.digitize(x, bins, right=True), VALUES, SORTED),
    "digitize falling": (np.digitize, VALUES, SORTED[:, ::-1]),
    "digitize rising or falling": (
        lambda x, bins: np.digitize(x, bins, True), VALUES, np.where([[1], [0], [1], [0]], SORTED, SORTED[:, ::-1]),
    ),
    "digitize number": (np.digitize, VALUES[:, 0], SORTED),
    "unique": (lambda x: np.unique(x, return_counts=True), np.array([[1, 2, 1], [3, 3, 0], [5, 4, 4], [0, 0, 9]])),
    "argmax": (lambda x: np.argmax(x), MATRICES),
    "argmax axis": (lambda x: np.argmax(x, axis=-1), MATRICES),
    "argmin keepdims": (lambda x: np.argmin(x, keepdims=True), MATRICES),
    "argmin axis keepdims": (lambda x: np.argmin(x, axis=0, keepdims=True), MATRICES),
    "argmax of a number": (lambda x: np.argmax(x), ROWS[:, 0]),
    "any": (lambda x: np.any(x > 2), MATRICES),
    "any of a number": (lambda x: np.any(x), np.array([0.0, 1.0, 0.0, 2.0])),
    "any axes": (lambda x: np.any(x > 1, axis=(0, -1)), MATRICES),
    "any where": (lambda x: np.any(x > 1, axis=-1, where=x < 3), MATRICES),
    "all keepdims": (lambda x: np.all(x > -3, keepdims=True), MATRICES),
    "all where": (lambda x: np.all(x > 1, axis=1, where=x > 0), MATRICES),
    "count_nonzero": (lambda x: np.count_nonzero(x), MATRICES),
    "count_nonzero axis": (lambda x: np.count_nonzero(x, axis=-2, keepdims=True), MATRICES),
    "frexp": (lambda x: np.frexp(x), MATRICES),
    "divmod": (lambda x, y: np.divmod(x, y), MATRICES, MATRICES[::-1] + 0.5),
    "isclose": (lambda x, y: np.isclose(x, y), ROWS, ROWS + 1e-7),
    "round": (lambda x: np.round(x, -1), 10 * MATRICES),
    "nan_to_num": (lambda x: np.nan_to_num(x, nan=7.0), VALUES),
    "gcd": (np.gcd, np.array([12, 18, 7, 9]), np.array([8, 27, 14, 6])),
    "shift": (np.left_shift, np.array([1, 2, 3, 4]), np.array([0, 1, 2, 3])),
    "matrix_rank": (lambda x: LINALG.matrix_rank(x), np.where(np.arange(4)[:, None, None] % 2, MATRICES, 1.0)),
    "matrix_rank of vectors": (lambda x: LINALG.matrix_rank(x), np.where([[1], [0], [1], [1]], ROWS, 0)),
    "matrix_rank tol": (lambda x, tol: LINALG.matrix_rank(x + 0 * tol, tol=tol), MATRICES, np.array([0.1, 3.0, 5.0, 9.0])),
    "matrix_rank of stacks": (lambda x: LINALG.matrix_rank(x, rtol=1e-5), np.stack([MATRICES] * SIZE)),
    "choose": (lambda i, x: np.choose(i, [x, -x, 2 * x]), np.array([[0, 2], [1, 1], [2, 0], [1, 2]]), ROWS[:, :2]),
    "choose number": (lambda i, x: np.choose(i, [x, -x]), np.array([0, 1, 1, 0]), ROWS),
    "take": (lambda x, i: np.take(x, i, axis=1), MATRICES, random.integers(0, 5, size=(SIZE, 2, 2))),
    "take wrap": (lambda x, i: np.take(x, i, mode="wrap"), MATRICES, random.integers(-9, 30, size=(SIZE, 2))),
    "take_along_axis": (np.take_along_axis, np.array(ROWS), np.argsort(ROWS, axis=1)),
    "bincount-like": (lambda x, i: np.sum(np.where(i[:, None] == np.arange(3), x[:, None], 0), axis=0),
                      ROWS, random.integers(0, 3, size=(SIZE, 6))),
}  # fmt: skip


@pytest.mark.parametrize("name", DISCRETE)
def test_operations_without_derivatives(name: str) -> None:
    fun, *args = DISCRETE[name]
    check(fun, *args)


def test_bins_that_neither_rise_nor_fall() -> None:
    with pytest.raises(ValueError, match="bins must be monotonically increasing or decreasing"):
        vmap(np.digitize)(VALUES, np.array([[0.0, 1.0, 0.5]] * SIZE))


def factors(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[Any, Any]:
    return random.normal(size=(SIZE, *left)), random.normal(size=(SIZE, *right))


def check_with_gradients(fun: Callable[..., Any], x: Any, y: Any) -> None:
    check(fun, x, y)
    check(grad(lambda x, y: np.sum(np.sin(fun(x, y))), (0, 1)), x, y)


LEFT: list[tuple[int, ...]] = [(3,), (4, 3), (2, 4, 3), (1, 4, 3), (5, 2, 4, 3)]
RIGHT: list[tuple[int, ...]] = [(3,), (3, 5), (2, 3, 5), (1, 3, 1), (5, 2, 3, 2)]


@pytest.mark.parametrize(("left", "right"), list(product(LEFT, RIGHT)))
def test_matmul_of_all_ranks(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check_with_gradients(np.matmul, *factors(left, right))


@pytest.mark.parametrize(("left", "right"), list(product([(), *LEFT[:3]], [(), *RIGHT[:3]])))
def test_dot_of_all_ranks(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check_with_gradients(np.dot, *factors(left, right))


@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (4, 1), (1, 1), (0, 3)])
def test_matmul_of_thin_and_empty_matrices(rows: int, columns: int) -> None:
    check_with_gradients(np.matmul, *factors((4, rows), (rows, columns)))
    check_with_gradients(np.matmul, *factors((columns, rows), (2, rows, 1)))
    with pytest.raises(ValueError, match="matmul"):
        vmap(np.matmul)(np.ones((SIZE, 3, 1)), np.ones((SIZE, 2, 3)))


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [((2, 3), (3, 4), 1), ((2, 3, 4), (4, 3, 5), ((1, 2), (1, 0))), ((3,), (3,), 1), ((2,), (3,), 0), ((2, 3), (2, 3), 2),
     ((3, 2, 4), (5, 4, 3, 1), ((2, 0), (1, 2)))],
)  # fmt: skip
def test_tensordot(left: tuple[int, ...], right: tuple[int, ...], axes: Any) -> None:
    check_with_gradients(lambda x, y: np.tensordot(x, y, axes), *factors(left, right))


@pytest.mark.parametrize(
    ("left", "right", "subscripts"),
    [((2, 3), (3, 4), "ij,jk->ik"), ((3, 3), (3,), "ii,i->i"), ((2, 3), (3,), "ij,k->"), ((2, 3, 4), (4, 2), "...j,jk"),
     ((3,), (4,), "a,b->ba"), ((2, 3), (1, 3), "ij,kj->ki")],
)  # fmt: skip
def test_einsum(left: tuple[int, ...], right: tuple[int, ...], subscripts: str) -> None:
    for optimize in (False, True):
        check_with_gradients(lambda x, y, o=optimize: np.einsum(subscripts, x, y, optimize=o), *factors(left, right))


@pytest.mark.parametrize(("left", "right"), list(product([(3,), (2, 3), (4, 1, 3)], [(3,), (2, 3), (1, 3)])))
def test_cross(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check_with_gradients(np.cross, *factors(left, right))


@pytest.mark.parametrize("left", [(3, 3), (2, 3, 3), (1, 3, 3), (4, 2, 3, 3)])
@pytest.mark.parametrize("right", [(3,), (3, 2), (2, 3, 1), (1, 3, 2), (4, 1, 3, 2)])
def test_solve(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = factors(left, right)
    check_with_gradients(LINALG.solve, a + 4 * np.eye(3), b)


@pytest.mark.parametrize("shapes", [((3,), (2, 3)), ((2, 1), (3,)), ((), (2, 3)), ((4, 1, 3), (2, 1))])
def test_elementwise_of_all_ranks(shapes: tuple[Any, Any]) -> None:
    x, y = factors(*shapes)
    check_with_gradients(lambda x, y: x * y + np.arctan2(x, y), x, y)
    check_with_gradients(lambda x, y: np.where(x > y, x * y, y), x, y)
    check_with_gradients(np.maximum, x, y)
    check_with_gradients(lambda x, y: np.clip(x, -0.5, y), x, y)
    check_with_gradients(lambda x, y: np.hypot(x, 2.0 * y) + x.astype(np.float32) * 2, x, y)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining_with_what_is_the_same_for_all(axis: int) -> None:
    x, y = factors((2, 3), (2, 3))
    check_with_gradients(lambda x, y: np.concatenate([x, y, np.ones((2, 3))], axis=axis), x, y)
    check_with_gradients(lambda x, y: np.stack([x, y, np.ones((2, 3))], axis=axis), x, y)
