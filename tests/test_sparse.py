"""Sparse Jacobians and Hessians: patterns, colourings, values against dense ones, and what is refused."""

from __future__ import annotations

import importlib
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse

import xformad
import xformad.numpy as xnp
from xformad import sparse_hessian, sparse_jacobian
from xformad.interpreters.dependence import Dependence, united
from xformad.transformations.coloring import color_columns, color_symmetric

random = np.random.default_rng(7)


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def arrow(x: Any) -> Any:
    return np.sum(np.exp(0.1 * x[0]) * x**2)


def blocks(x: Any) -> Any:
    """Each row of a matrix for itself."""
    rows = np.reshape(x, (-1, 3))
    return np.sum(np.tanh(np.sum(rows, axis=1)) ** 2)


def bipartite(x: Any) -> Any:
    """Products of the entries of one half with all those of the other."""
    half = len(x) // 2
    return np.sum(x[:half, None] * x[None, half:])


def separable(x: Any) -> Any:
    return np.sum(np.sin(x))


def dense(mask: Any) -> Any:
    return np.asarray(mask, bool)


def tridiagonal(n: int) -> Any:
    return dense(np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1))


def arrow_pattern(n: int) -> Any:
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    return pattern


HESSIANS: list[tuple[Callable[..., Any], Any, int]] = [
    (rosenbrock, tridiagonal(12), 3),
    (arrow, arrow_pattern(12), 2),
    (blocks, dense(np.kron(np.eye(4), np.ones((3, 3)))), 3),
    (bipartite, dense(np.kron([[0, 1], [1, 0]], np.ones((6, 6)))), 6),
    (separable, np.eye(12, dtype=bool), 1),
    (lambda x: np.sum(np.sin(x)) ** 2, np.ones((12, 12), bool), 12),
    (lambda x: np.sum(x), np.zeros((12, 12), bool), 0),
    (lambda x: x[2] * x[5] ** 2, dense(np.isin(np.arange(144), [29, 62, 65])).reshape(12, 12), 2),
]


@pytest.mark.parametrize(("fun", "pattern", "colors"), HESSIANS)
def test_hessian(fun: Callable[..., Any], pattern: Any, colors: int) -> None:
    hessian = sparse_hessian(fun, random.normal(size=12))
    np.testing.assert_array_equal(hessian.pattern.toarray(), pattern)
    assert hessian.color_count == colors
    assert hessian.compression == "symmetric"
    assert hessian.nnz == np.count_nonzero(pattern)
    for _ in range(3):
        x = random.normal(size=12)
        got = hessian(x)
        assert isinstance(got, scipy.sparse.csr_array)
        np.testing.assert_allclose(got.toarray(), xformad.hessian(fun)(x), rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(got.toarray(), got.toarray().T)  # exactly


def heat(x: Any) -> Any:
    """A step of the implicit heat equation on a plane, five points a row."""
    u = np.pad(np.reshape(x, (4, 5)), 1)
    return np.ravel(u[1:-1, 1:-1] ** 3 - u[:-2, 1:-1] - u[2:, 1:-1] - u[1:-1, :-2] - u[1:-1, 2:])


def five_points() -> Any:
    rows = [np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1) for n in (4, 5)]
    return dense(np.kron(rows[0] - np.eye(4), np.eye(5)) + np.kron(np.eye(4), rows[1]))


WIDE = np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.5, 1.0]])

JACOBIANS: list[tuple[str, Callable[..., Any], int, Any, str, int]] = [
    ("differences", lambda x: x[1:] * x[:-1], 5, np.eye(4, 5) + np.eye(4, 5, k=1), "columns", 2),
    ("elementwise", np.sin, 4, np.eye(4), "columns", 1),
    ("gradient", lambda x: np.sum(x**2), 4, np.ones((1, 4)), "rows", 1),
    ("one input of many", lambda x: np.sin(x[1]) * np.ones(3), 4, np.eye(4)[[1, 1, 1]], "columns", 1),
    ("heat", heat, 20, five_points(), "columns", 7),
    ("constant matrix", lambda x: np.tanh(WIDE @ x), 4, WIDE != 0, "columns", 2),
    ("constant matrix, right", lambda x: x @ WIDE.T, 4, WIDE != 0, "columns", 2),
    ("einsum", lambda x: np.einsum("ij,j->i", WIDE, x), 4, WIDE != 0, "columns", 2),
    ("cumulative sum", np.cumsum, 4, np.tri(4), "columns", 4),
    ("sorted", np.sort, 3, np.ones((3, 3)), "columns", 3),
    ("maximum of neighbours", lambda x: np.maximum(x[1:], x[:-1]), 3, np.eye(2, 3) + np.eye(2, 3, k=1), "columns", 2),
    ("where", lambda x: np.where(x[0] > 0, x[1:], x[:-1]), 3, np.eye(2, 3) + np.eye(2, 3, k=1), "columns", 2),
    ("rows", lambda x: np.stack([np.sum(x[:4]), np.sum(x[4:])]), 8, np.kron(np.eye(2), np.ones((1, 4))), "rows", 1),
    ("reversed pieces", lambda x: np.concatenate([x[::-1], x[:1]]), 3, np.eye(3)[[2, 1, 0, 0]], "columns", 1),
    ("constant", lambda x: np.zeros(2), 3, np.zeros((2, 3)), "columns", 0),
    ("no entries", lambda x: x[:0], 3, np.zeros((0, 3)), "rows", 0),
    ("no inputs", np.sin, 0, np.zeros((0, 0)), "columns", 0),
]


@pytest.mark.parametrize(
    ("fun", "size", "pattern", "compression", "colors"), [j[1:] for j in JACOBIANS], ids=[j[0] for j in JACOBIANS]
)
def test_jacobian(fun: Callable[..., Any], size: int, pattern: Any, compression: str, colors: int) -> None:
    jacobian = sparse_jacobian(fun, random.normal(size=size))
    np.testing.assert_array_equal(jacobian.pattern.toarray(), dense(pattern))
    assert (jacobian.compression, jacobian.color_count) == (compression, colors)
    for _ in range(3):
        x = random.normal(size=size)
        got = jacobian(x)
        assert got.shape == jacobian.shape == np.shape(pattern)
        columns = [xformad.jvp(fun, (x,), (column,))[1] for column in np.eye(size)]
        expected = np.stack(columns, axis=-1).reshape(got.shape) if columns else np.zeros(got.shape)
        np.testing.assert_allclose(got.toarray(), expected, rtol=1e-12, atol=1e-14)


def test_a_long_chain_takes_three_products() -> None:
    n = 3000
    hessian = sparse_hessian(rosenbrock, np.zeros(n))
    assert hessian.nnz == 3 * n - 2
    assert hessian.color_count == 3
    x, v = random.normal(size=n), random.normal(size=n)
    np.testing.assert_allclose(hessian(x) @ v, xformad.hvp(rosenbrock)(x, v), rtol=1e-10)


def pendulum(z: Any) -> Any:
    """The defects of a swing-up by the trapezoidal rule: at each node angle, speed and torque."""
    state, torque = z[:, :2], z[:, 2]
    slope = np.stack([state[:, 1], torque - np.sin(state[:, 0])], axis=1)
    defects = state[1:] - state[:-1] - 0.05 * (slope[1:] + slope[:-1])
    return np.concatenate([np.ravel(defects), state[0], state[-1] - np.array([np.pi, 0.0])])


def lagrangian(z: Any, multipliers: Any) -> Any:
    return np.sum(z[:, 2] ** 2) + multipliers @ pendulum(z)


@pytest.mark.parametrize("nodes", [4, 30])
def test_optimal_control(nodes: int) -> None:
    """What an interior-point method evaluates at each step: as many colours for many nodes as for few."""
    z, multipliers = random.normal(size=(nodes, 3)), random.normal(size=2 * nodes + 2)
    jacobian = sparse_jacobian(pendulum, np.zeros((nodes, 3)), verify=True)
    hessian = sparse_hessian(lagrangian, np.zeros((nodes, 3)), np.zeros(2 * nodes + 2), verify=True)
    assert jacobian.color_count <= 6
    assert hessian.color_count == 1  # only angles and torques are not linear, each by itself
    expected = xformad.jacobian(pendulum)(z).reshape(jacobian.shape)
    np.testing.assert_allclose(jacobian(z).toarray(), expected, rtol=1e-12, atol=1e-14)
    expected = xformad.hessian(lagrangian)(z, multipliers).reshape(hessian.shape)
    np.testing.assert_allclose(hessian(z, multipliers).toarray(), expected, rtol=1e-12, atol=1e-14)


def test_a_loop_over_entries() -> None:
    def loop(x: Any) -> Any:
        total = 0.0
        for i in range(len(x) - 1):
            total = total + (x[i] * x[i + 1] - 1) ** 2
        return total

    hessian = sparse_hessian(loop, np.ones(60))
    assert hessian.color_count == 3
    x = random.normal(size=60)
    np.testing.assert_allclose(hessian(x).toarray(), xformad.hessian(loop)(x), rtol=1e-12, atol=1e-12)


# Colourings.


def from_mask(mask: Any) -> Dependence:
    rows, columns = np.nonzero(mask)
    return Dependence.from_pairs(rows, columns, *mask.shape)


@pytest.mark.parametrize("seed", range(30))
def test_columns_of_one_color_share_no_row(seed: int) -> None:
    choose = np.random.default_rng(seed)
    mask = choose.random(choose.integers(1, 14, size=2)) < choose.choice([0.1, 0.3, 0.6])
    colors = color_columns(from_mask(mask))
    for row in mask:
        assert len(set(colors[row])) == np.count_nonzero(row)


@pytest.mark.parametrize("seed", range(30))
def test_star_coloring(seed: int) -> None:
    """Neighbours differ, and two colours make no path of four vertices."""
    choose = np.random.default_rng(seed)
    n = int(choose.integers(1, 14))
    mask = choose.random((n, n)) < choose.choice([0.05, 0.15, 0.3])
    mask = (mask | mask.T) & ~np.eye(n, dtype=bool)
    colors = color_symmetric(from_mask(mask))
    for i, j in zip(*np.nonzero(mask), strict=True):
        assert colors[i] != colors[j]
        for k in np.flatnonzero(mask[j]):
            if k != i and colors[k] == colors[i]:
                assert not any(colors[m] == colors[j] for m in np.flatnonzero(mask[k]) if m not in (i, j))


@pytest.mark.parametrize("seed", range(20))
def test_random_quadratic_and_cubic_forms(seed: int) -> None:
    """Random symmetric patterns, with and without entries on the diagonal."""
    choose = np.random.default_rng(seed)
    n = 10
    i, j = choose.integers(0, n, size=(2, int(choose.integers(1, 25))))

    def form(x: Any) -> Any:
        return np.sum(x[i] * x[j] ** 2)

    hessian = sparse_hessian(form, choose.normal(size=n), verify=True)
    x = choose.normal(size=n)
    np.testing.assert_allclose(hessian(x).toarray(), xformad.hessian(form)(x), rtol=1e-12, atol=1e-12)
    jacobian = sparse_jacobian(lambda x: x[i] * x[j] ** 2, choose.normal(size=n), verify=True)
    np.testing.assert_allclose(
        jacobian(x).toarray(), xformad.jacobian(lambda x: x[i] * x[j] ** 2)(x), rtol=1e-12, atol=1e-12
    )


def test_large_patterns_are_colored_in_linear_time() -> None:
    n = 20_000
    center = np.arange(n)
    zeros = np.zeros(n, int)
    star = Dependence.from_pairs(np.r_[center, zeros, center], np.r_[center, center, zeros], n, n)
    assert color_symmetric(star).max() == 1
    band = united([Dependence.from_pairs(center[k:], center[: n - k], n, n) for k in range(4)])
    assert color_columns(band).max() == 3


# Arguments, results, options.


class Point(NamedTuple):
    position: Any
    mass: float


def potential(points: Any, scale: float = 1.0) -> Any:
    first, second = points["a"], points["b"]
    return scale * np.sum(first.position**3) * second.mass + np.sum(second.position**2 * first.mass)


def test_trees_are_flattened_leaf_by_leaf() -> None:
    points = {"a": Point(random.normal(size=(2, 2)), 1.5), "b": Point(random.normal(size=3), 0.5)}
    hessian = sparse_hessian(potential, points, scale=2.0)
    assert hessian.shape == (9, 9)

    def flat(x: Any) -> Any:
        return potential({"a": Point(x[:4].reshape(2, 2), x[4]), "b": Point(x[5:8], x[8])}, 3.0)

    x = np.concatenate([np.ravel(leaf) for leaf in xformad.tree.leaves_of(points)])
    np.testing.assert_allclose(hessian(points, scale=3.0).toarray(), xformad.hessian(flat)(x), atol=1e-14)
    outputs = sparse_jacobian(lambda p: {"m": p["b"].mass ** 2, "p": np.sin(p["a"].position)}, points)
    assert outputs.shape == (5, 9)
    np.testing.assert_array_equal(outputs(points).nonzero(), [[0, 1, 2, 3, 4], [8, 0, 1, 2, 3]])


def test_argnums_and_aux() -> None:
    def fun(x: Any, y: Any, k: int) -> Any:
        return x * y[:3] ** k, {"sum": np.sum(y)}

    x, y = random.normal(size=3), random.normal(size=4)
    both = sparse_jacobian(fun, x, y, 2, argnums=("y", 0), has_aux=True)
    matrix, aux = both(x, y, 2)
    np.testing.assert_allclose(
        matrix.toarray(), np.hstack([np.diag(2 * x * y[:3]), np.zeros((3, 1)), np.diag(y[:3] ** 2)])
    )
    assert aux == {"sum": np.sum(y)}
    hessian = sparse_hessian(lambda x, y: (np.sum(x * y**2), y), x, y[:3], argnums=(0, 1), has_aux=True)
    matrix, aux = hessian(x, y[:3])
    np.testing.assert_array_equal(aux, y[:3])
    np.testing.assert_allclose(matrix.toarray()[3:, :3], np.diag(2 * y[:3]))
    constant = sparse_jacobian(lambda x: (np.ones(2), "aux"), x, has_aux=True)
    assert constant(x)[1] == "aux"
    assert constant(x)[0].nnz == 0


def test_numbers() -> None:
    assert sparse_hessian(lambda x: x**3, 2.0)(3.0).toarray().tolist() == [[18.0]]
    assert sparse_jacobian(lambda x: x**2, 1)(3).toarray().tolist() == [[6.0]]


def test_precision() -> None:
    x = np.ones(4, np.float32)
    assert sparse_hessian(rosenbrock, x)(x).dtype == np.float32
    assert sparse_jacobian(np.sin, x)(x).dtype == np.float32
    assert sparse_jacobian(lambda x: x[:0], x)(x).dtype == np.float32
    np.testing.assert_allclose(sparse_jacobian(lambda x: np.sum(x**2), x)(2 * x).toarray(), [[4, 4, 4, 4]])


def test_complex_results() -> None:
    def fun(x: Any) -> Any:
        return np.sum(x * 1j + x**2)

    matrix = sparse_jacobian(fun, np.ones(3))  # by columns: rows would give real parts only
    assert matrix.compression == "columns"
    np.testing.assert_allclose(matrix(np.ones(3)).toarray(), [[2 + 1j] * 3])


@pytest.mark.parametrize("chunk_size", [1, 2, 100, None])
def test_chunks(chunk_size: int | None) -> None:
    x = random.normal(size=9)

    def rows(x: Any) -> Any:
        return np.stack([np.sum(x[:-2] * x[2:]), np.sum(x**3)])

    for prepare, dense_one, fun in (
        (sparse_hessian, xformad.hessian, lambda x: np.sum(np.outer(x, x**2)[:4])),
        (sparse_jacobian, xformad.jacobian, lambda x: np.cumsum(x**2)),
        (sparse_jacobian, xformad.jacobian, rows),
    ):
        got = prepare(fun, x, chunk_size=chunk_size)(x + 0.5)
        np.testing.assert_allclose(got.toarray(), dense_one(fun)(x + 0.5), rtol=1e-12, atol=1e-12)


def test_results_have_memory_of_their_own() -> None:
    jacobian = sparse_jacobian(lambda x: x[1:] * x[:-1], np.ones(4))
    first = jacobian(np.ones(4))
    first.indices[:] = 0
    first.data[:] = 7
    jacobian.pattern.indptr[:] = 0
    np.testing.assert_array_equal(jacobian(np.ones(4)).toarray(), np.eye(3, 4) + np.eye(3, 4, k=1))


def test_repr_and_pickle() -> None:
    hessian = sparse_hessian(rosenbrock, np.zeros(5))
    assert repr(hessian) == "<sparse_hessian of rosenbrock: 5 x 5, 13 entries, 3 colors (symmetric)>"
    assert repr(sparse_jacobian(np.sin, np.zeros(2))) == "<sparse_jacobian of sin: 2 x 2, 2 entries, 1 color (columns)>"
    np.testing.assert_array_equal(hessian.colors, [0, 1, 0, 2, 0])
    again = pickle.loads(pickle.dumps(hessian))
    np.testing.assert_array_equal(again(np.ones(5)).toarray(), hessian(np.ones(5)).toarray())


# What the pattern may depend on.


def branching(x: Any) -> Any:
    return np.sum(x[1:] * x[:-1]) if x[0] > 0 else np.sum(x**2) + x[0] * x[2]


def test_verify_finds_a_pattern_that_does_not_hold() -> None:
    hessian = sparse_hessian(branching, np.ones(3), verify=True)
    hessian(2 * np.ones(3))
    text = (
        r"^sparse_hessian of branching is wrong in 3 rows at .*test_sparse.py:\d+, the first of which is row 0: its pattern "
        "does not hold at this point, because the function branches in Python on its values; use numpy.where in the "
        "function, or prepare the derivative at this point$"
    )
    with pytest.raises(xformad.PatternError, match=text):
        hessian(-np.ones(3))
    jacobian = sparse_jacobian(lambda x: x[:1] * (x[1] if x[0] > 0 else x[2]), np.ones(3), verify=True)
    with pytest.raises(xformad.PatternError, match="1 rows"):
        jacobian(-np.ones(3))


def test_the_pattern_holds_for_other_constants() -> None:
    """Zeros of an argument that is not differentiated are not taken for structural ones."""
    jacobian = sparse_jacobian(lambda x, a: a @ x, np.ones(3), np.eye(3))
    a = random.normal(size=(3, 3))
    np.testing.assert_allclose(jacobian(np.ones(3), a).toarray(), a)
    weighted = sparse_jacobian(lambda x, a: a * x, np.ones(3), np.zeros(3))
    np.testing.assert_allclose(weighted(np.ones(3), a[0]).toarray(), np.diag(a[0]))


def test_whole_numbers_are_fixed() -> None:
    edges = np.array([0, 1])
    jacobian = sparse_jacobian(lambda x, edges: x[edges] ** 2, np.ones(3), edges)
    assert jacobian(np.ones(3), edges.copy()).nnz == 2
    with pytest.raises(xformad.ArgumentError) as error:
        jacobian(np.ones(3), edges + 1)
    assert str(error.value) == (
        "argument 1 is not the one that sparse_jacobian was prepared with, and the pattern may depend on it; "
        "prepare the derivative anew"
    )


# What is refused.


def refused(error: type[Exception], text: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error) as raised:
        call()
    assert re.search(text, str(raised.value)), str(raised.value)


def test_arguments_that_are_refused() -> None:
    error = xformad.DifferentiationError
    need = "^sparse_jacobian needs real floating-point arguments, but argument 0"
    refused(error, need + " is a str$", lambda: sparse_jacobian(np.sin, "text"))
    refused(error, need + " is an array of dtype int64$", lambda: sparse_jacobian(np.sin, np.arange(3)))
    refused(error, need + " is an array of dtype complex128$", lambda: sparse_jacobian(np.sin, np.ones(2) * 1j))
    refused(error, need + r"\['n'\] is a int$", lambda: sparse_jacobian(lambda d: d["x"], {"x": 1.0, "n": 2}))
    refused(
        error,
        "^sparse_jacobian needs floating-point results, but got dtype bool$",
        lambda: sparse_jacobian(lambda x: x > 0, np.ones(2)),
    )
    refused(error, "scalar result", lambda: sparse_hessian(lambda x: x, np.ones(2)))
    refused(xformad.ArgumentError, "argnums 3", lambda: sparse_jacobian(np.sin, np.ones(2), argnums=3))


def test_calls_that_are_refused() -> None:
    jacobian = sparse_jacobian(lambda x: x[x.shape[0] - 2 :], np.ones(3))
    refused(
        xformad.TreeError,
        r"^argument 0 has shape \(4,\), but sparse_jacobian was prepared with shape \(3,\)$",
        lambda: jacobian(np.ones(4)),
    )
    refused(xformad.TreeError, "argument 0", lambda: jacobian([np.ones(3)]))
    refused(
        xformad.ArgumentError,
        r"^sparse_jacobian was prepared with the arguments \[0\], but called with \[0, 'y'\]$",
        lambda: jacobian(np.ones(3), y=2),
    )
    growing = sparse_jacobian(lambda x: x[x > 0], np.array([1.0, -1.0, -1.0]))
    refused(
        xformad.TreeError,
        "^sparse_jacobian of <lambda> was prepared with a result of 1 entries, but the function returned 3$",
        lambda: growing(np.ones(3)),
    )


def test_transformations_of_it_are_refused() -> None:
    jacobian = sparse_jacobian(np.sin, np.ones(3))
    refused(
        xformad.UnsupportedError,
        "^sparse_jacobian of sin at .*test_sparse.py.* is itself being transformed by grad, but SciPy's matrices hold no "
        "traced values; use xformad.jacobian, hessian, or products: jvp, vjp, hvp$",
        lambda: xformad.grad(lambda x: jacobian(x)[0, 0])(np.ones(3)),
    )


def test_what_is_not_sparse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xformad.interpreters.dependence.LIMIT", 1000)
    refused(
        xformad.UnsupportedError,
        r"^the derivative at .*test_sparse.py:\d+ is not sparse: 100 values depend on 10000 entries of the arguments; use "
        "xformad.jacobian or xformad.hessian, or products: xformad.jvp, vjp, hvp$",
        lambda: sparse_jacobian(lambda x: x - np.mean(x), np.ones(100)),
    )


def test_plain_arrays_of_what_varies_are_refused() -> None:
    table = np.arange(3.0)

    def fun(x: Any) -> Any:
        return x * table[np.argsort(x)]

    with pytest.raises(xformad.ConcretizationError) as error:
        sparse_jacobian(fun, np.ones(3))
    assert re.match(
        r"numpy.asarray\(x\) at .*test_sparse.py:\d+ would hide that x may be another array at another point; use "
        r"xformad.numpy.asarray\(x\), and xformad.numpy.take\(a, x, axis=0\) in the place of a\[x\] for a plain array a$",
        str(error.value),
    )
    jacobian = sparse_jacobian(lambda x: x * xnp.take(table, np.argsort(x)), np.ones(3))
    np.testing.assert_allclose(jacobian(np.array([3.0, 1.0, 2.0])).toarray(), np.diag([1.0, 2.0, 0.0]))


def test_numbers_that_vary_may_be_branched_on() -> None:
    def fun(x: Any) -> Any:
        assert float(np.argmax(x)) == 2
        assert bool(np.any(x > 0))
        with pytest.raises(xformad.ConcretizationError, match=r"float\(x\)"):
            float(x[0])
        return x[int(np.argmax(x))] * x[:2]

    assert sparse_jacobian(fun, np.arange(3.0)).nnz == 4


def test_missing_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    for prepare in (sparse_jacobian, sparse_hessian):
        with pytest.raises(ImportError) as error:
            prepare(rosenbrock, np.ones(3))
        name = prepare.__name__
        assert str(error.value) == f"{name} needs SciPy; install it with: pip install 'xformad[scipy]'"
        assert type(error.value) is xformad.MissingPackageError


def test_xformad_does_not_import_scipy() -> None:
    assert not hasattr(importlib.import_module("xformad.transformations.sparse"), "scipy")
