"""Jacobians and Hessians: modes, shapes, trees, chunks, complex numbers, what is refused, and how often the program runs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import xformad
from xformad import (
    ArgumentError,
    DifferentiationError,
    IndependentOutputWarning,
    TreeError,
    divergence,
    ggnvp,
    grad,
    hessian,
    hessian_diagonal,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    laplacian,
    tree,
    value_and_jacfwd,
    value_and_jacobian,
    value_and_jacrev,
    value_grad_and_hessian,
    vhp,
    vjp,
    vmap,
)

JACOBIANS: Any = [jacobian, jacfwd, jacrev]
each_jacobian = pytest.mark.parametrize("matrix", JACOBIANS)
random = np.random.default_rng(7)
X = random.normal(size=3)
A = random.normal(size=(4, 3))
W = {"w": random.normal(size=(2, 3)), "b": (random.normal(size=2), 0.5)}


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def model(p: Any, x: Any = X) -> Any:
    return {"out": np.tanh(p["w"] @ x + p["b"][0]) * p["b"][1], "sum": np.sum(p["w"] ** 3)}


def assert_trees_close(got: Any, expected: Any, rtol: float = 1e-10) -> None:
    found, structure = tree.flatten(got)
    for a, b in zip(found, tree.flatten_like(structure, expected), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)


def by_loop(fun: Any, x: Any) -> Any:
    """The Jacobian of an array function of an array, column by column."""
    columns = []
    for i in range(x.size):
        unit = np.zeros(x.size)
        unit[i] = 1
        columns.append(jvp(fun, (x,), (unit.reshape(x.shape),))[1])
    return np.stack(columns, axis=-1).reshape(np.shape(columns[0]) + x.shape)


@each_jacobian
def test_shapes(matrix: Any) -> None:
    assert_trees_close(matrix(lambda x: A @ np.sin(x))(X), A * np.cos(X))
    assert_trees_close(matrix(lambda x: np.sum(x**2))(X), 2 * X)
    assert_trees_close(matrix(lambda x: x * X)(2.0), X)
    assert_trees_close(matrix(lambda x: x**2)(3.0), 6.0)
    assert isinstance(matrix(lambda x: x**2)(3.0), np.float64)
    assert_trees_close(matrix(lambda x: np.outer(x, x))(X), by_loop(lambda x: np.outer(x, x), X))
    assert matrix(lambda x: x * 2)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
    assert matrix(lambda x: np.sum(x))(np.zeros(0)).shape == (0,)
    assert matrix(lambda x: x * np.ones(0))(2.0).shape == (0,)
    single = matrix(lambda x: x**2)(X.astype(np.float32))
    assert single.dtype == np.float32


@each_jacobian
def test_trees(matrix: Any) -> None:
    result = matrix(model)(W)
    assert set(result) == {"out", "sum"}
    assert result["out"]["w"].shape == (2, 2, 3)
    assert result["out"]["b"][0].shape == (2, 2)
    assert result["out"]["b"][1].shape == (2,)
    assert result["sum"]["w"].shape == (2, 3)
    flat = by_loop(lambda w: model({**W, "w": w})["out"], W["w"])
    np.testing.assert_allclose(result["out"]["w"], flat)
    np.testing.assert_allclose(result["sum"]["b"][0], np.zeros(2))


@each_jacobian
@pytest.mark.parametrize("chunk_size", [1, 2, 4, 9, 100])
def test_chunks(matrix: Any, chunk_size: int) -> None:
    assert_trees_close(matrix(model, chunk_size=chunk_size)(W), matrix(model)(W))


@each_jacobian
def test_argnums_and_aux(matrix: Any) -> None:
    def fun(x: Any, y: Any, scale: Any = 1.0) -> Any:
        return scale * np.outer(x, y), "aux"

    (first, second), aux = matrix(fun, argnums=(0, "y"), has_aux=True)(X, X[:2], scale=2.0)
    assert aux == "aux"
    np.testing.assert_allclose(first, 2 * np.einsum("ik,j->ijk", np.eye(3), X[:2]))
    np.testing.assert_allclose(second, 2 * np.einsum("i,jk->ijk", X, np.eye(2)))
    assert matrix(fun, argnums="scale", has_aux=True)(X, X, scale=2.0)[0].shape == (3, 3)


@pytest.mark.parametrize("matrix", [value_and_jacobian, value_and_jacfwd, value_and_jacrev])
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_the_function_runs_once(matrix: Any, chunk_size: int | None) -> None:
    for out in (2, 5):
        runs: list[int] = []

        def fun(x: Any, out: int = out, runs: Any = runs) -> Any:
            runs.append(1)
            return np.resize(np.arange(15.0), (out, 3)) @ x**2

        value, jacobian = matrix(fun, chunk_size=chunk_size)(X)
        assert len(runs) == 1
        np.testing.assert_allclose(value, fun(X))
        np.testing.assert_allclose(jacobian, np.resize(np.arange(15.0), (out, 3)) * 2 * X)
        (value, aux), jacobian = matrix(lambda x: (x**2, "aux"), has_aux=True, chunk_size=chunk_size)(X)
        assert aux == "aux"


def test_jacobian_goes_by_columns_where_they_are_fewer() -> None:
    """A vector of 2000 results of one number: by rows, an array of 2000 * 2000 numbers would be made."""
    many = np.linspace(0.0, 1.0, 2000)
    tracemalloc.start()
    jacobian(lambda x: np.sin(x * many) ** 2)(0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_chunks_bound_the_memory() -> None:
    weights = np.linspace(0.0, 1.0, 400)

    def peak(chunk_size: int | None) -> int:
        tracemalloc.start()
        jacrev(lambda x: np.sin(np.cos(np.exp(x * weights))) * weights, chunk_size=chunk_size)(weights)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(20) < 0.8 * peak(None)


def test_complex() -> None:
    z = X + 1j * X[::-1]
    for matrix in JACOBIANS:
        np.testing.assert_allclose(matrix(lambda z: z**2, holomorphic=True)(z), np.diag(2 * z))
    wave = lambda x: np.exp(1j * x)  # noqa: E731
    for matrix in (jacobian, jacfwd):
        np.testing.assert_allclose(matrix(wave)(X), np.diag(1j * np.exp(1j * X)))
    energy = lambda z: np.real(z * np.conj(z))  # noqa: E731
    for matrix in (jacobian, jacrev):
        np.testing.assert_allclose(matrix(energy)(z), np.diag(2 * np.conj(z)))
    texts: Any = {
        (jacrev, wave, 0): "jacrev needs real results, but got complex ones; use jacfwd or jacobian",
        (jacfwd, energy, 1): "jacfwd needs real arguments, but got complex ones; use jacrev or jacobian",
        (jacobian, np.conj, 1): "the Jacobian of a function of complex arguments with complex results is defined for "
        "holomorphic functions: say holomorphic=True, or take that of the real and imaginary parts",
    }
    for (matrix, fun, kind), text in texts.items():
        with pytest.raises(DifferentiationError) as raised:
            matrix(fun)(z if kind else X)
        assert str(raised.value) == text


def test_refused() -> None:
    for matrix in JACOBIANS:
        with pytest.raises(DifferentiationError):
            matrix(lambda x: x)(np.arange(3))
        with pytest.raises(DifferentiationError, match="floating-point results"):
            matrix(lambda x: "text")(X)
        with pytest.raises(ArgumentError) as raised:
            matrix(np.sin, chunk_size=0)
        assert str(raised.value) == "chunk_size must be a positive int or None, not 0"
    with pytest.warns(IndependentOutputWarning):
        assert jacobian(lambda x: np.ones(2))(X).tolist() == np.zeros((2, 3)).tolist()


HESSIANS: Any = {
    "forward over reverse": hessian,
    "reverse over reverse": lambda f: jacrev(grad(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "any": lambda f: jacobian(jacobian(f)),
    "chunks": lambda f: hessian(f, chunk_size=2),
}


@pytest.mark.parametrize("matrix", HESSIANS.values(), ids=HESSIANS)
def test_hessians_agree(matrix: Any) -> None:
    x = random.normal(size=5)
    steps = 1e-6 * np.eye(5)
    expected = np.stack([(grad(rosenbrock)(x + h) - grad(rosenbrock)(x - h)) / 2e-6 for h in steps])
    np.testing.assert_allclose(matrix(rosenbrock)(x), expected, rtol=1e-6, atol=1e-5)
    assert_trees_close(
        matrix(lambda p: np.sum(model(p)["out"] ** 2))(W), hessian(lambda p: np.sum(model(p)["out"] ** 2))(W)
    )


def test_hessian_of_a_tree_and_its_value() -> None:
    fun = lambda p, y: (p["a"] ** 2 * p["b"] * y, "aux")  # noqa: E731
    point = {"a": 2.0, "b": 3.0}
    assert hessian(fun, has_aux=True)(point, 1.0) == ({"a": {"a": 6.0, "b": 4.0}, "b": {"a": 4.0, "b": 0.0}}, "aux")
    (value, aux), gradient, matrix = value_grad_and_hessian(fun, argnums="y", has_aux=True)(point, 5.0)
    assert (value, aux, gradient, matrix) == (60.0, "aux", 12.0, 0.0)
    value, gradient, matrix = value_grad_and_hessian(rosenbrock)(X)
    assert_trees_close((value, gradient, matrix), (rosenbrock(X), grad(rosenbrock)(X), hessian(rosenbrock)(X)))


def test_products_with_the_hessian() -> None:
    v = random.normal(size=3)
    expected = hessian(rosenbrock)(X) @ v
    for product in (hvp, vhp):
        np.testing.assert_allclose(product(rosenbrock)(X, v), expected)
        assert product(lambda x, y: x**2 * y, argnums=(0, 1))(2.0, 3.0, (1.0, 10.0)) == (46.0, 4.0)
        with pytest.raises(TreeError):
            product(rosenbrock)(X, v[:2])
        with pytest.raises(ArgumentError, match="takes a tuple of 2 vectors, one an argument"):
            product(lambda x, y: x**2 * y, argnums=(0, 1))(2.0, 3.0, 1.0)


def test_gauss_newton() -> None:
    def loss(out: Any) -> Any:
        return np.log(np.sum(np.exp(out)))

    def predict(x: Any) -> Any:
        return np.tanh(A @ x) * 2

    j = jacobian(predict)(X)
    h = hessian(loss)(predict(X))
    v = random.normal(size=3)
    np.testing.assert_allclose(ggnvp(predict, loss)(X, v), j.T @ h @ j @ v)
    np.testing.assert_allclose(ggnvp(predict)(X, v), j.T @ j @ v)
    by_argument = ggnvp(lambda a, b: a * b, argnums=(0, 1))(2.0, 3.0, (1.0, 0.0))
    assert by_argument == (9.0, 6.0)


def test_diagonal_laplacian_divergence() -> None:
    for fun in (rosenbrock, lambda x: np.linalg.norm(x) ** 2, lambda x: np.exp(np.sum(np.sin(x)) * x[0])):
        matrix = hessian(fun)(X)
        for chunk_size in (None, 2):
            np.testing.assert_allclose(hessian_diagonal(fun, chunk_size=chunk_size)(X), np.diag(matrix), rtol=1e-9)
            np.testing.assert_allclose(laplacian(fun, chunk_size=chunk_size)(X), np.trace(matrix), rtol=1e-9)
    assert hessian_diagonal(lambda p: p["a"] ** 3 + p["b"] ** 2 * p["a"])({"a": 2.0, "b": 1.0}) == {"a": 12.0, "b": 4.0}
    assert laplacian(lambda x, y: x**2 + x * y**3, argnums=(0, 1))(2.0, 1.0) == 14.0
    np.testing.assert_allclose(divergence(lambda x: A[:3] @ np.sin(x))(X), np.trace(A[:3] * np.cos(X)))
    assert divergence(lambda p: {"b": p["b"] * p["a"], "a": p["a"] ** 2})({"a": 3.0, "b": 1.0}) == 9.0
    assert divergence(lambda x: x)(np.zeros(0)) == 0.0
    with pytest.raises(DifferentiationError, match="divergence needs a result like the argument"):
        divergence(lambda x: A @ x)(X)
    with pytest.raises(DifferentiationError, match="hessian_diagonal needs a function with a real scalar result"):
        hessian_diagonal(lambda x: np.sin(x))(X)


def test_compositions() -> None:
    fun = lambda x: np.sum(np.tanh(A @ x) ** 2)  # noqa: E731
    points = random.normal(size=(4, 3))
    np.testing.assert_allclose(vmap(hessian(fun))(points), np.stack([hessian(fun)(x) for x in points]))
    np.testing.assert_allclose(vmap(jacrev(lambda x: A @ x**2))(points), np.stack([A * 2 * x for x in points]))
    third = jacobian(hessian(fun))(X)
    np.testing.assert_allclose(third, jacfwd(jacfwd(jacfwd(fun)))(X), atol=1e-12)
    np.testing.assert_allclose(third, np.transpose(third, (2, 0, 1)), atol=1e-12)
    trace = grad(lambda x: np.trace(hessian(fun)(x)))(X)
    np.testing.assert_allclose(trace, np.einsum("iik->k", third), atol=1e-12)
    out, pullback = vjp(jacobian(lambda x: A @ np.sin(x)), X)
    np.testing.assert_allclose(pullback(np.ones_like(out))[0], -np.sum(A, axis=0) * np.sin(X))


def test_a_primitive_with_a_vjp_rule_alone() -> None:
    @xformad.extend.primitive
    def cubes(x: Any) -> Any:
        return np.sum(x**3)

    xformad.extend.defvjp(cubes, lambda g, _ans, x: g * 3 * x**2)
    with pytest.warns(RuntimeWarning, match="defbatch"):
        got = vmap(cubes)(np.stack([X, 2 * X]))
    np.testing.assert_allclose(got, [np.sum(X**3), 8 * np.sum(X**3)])
    for matrix in HESSIANS.values():
        np.testing.assert_allclose(matrix(cubes)(X), np.diag(6 * X), atol=1e-12)
