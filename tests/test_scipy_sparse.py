"""`xformad.scipy.sparse` beside its table: constructors against SciPy's, containers, constants, what is not stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import xformad
from tests.operations.table_sparse_scipy import DATA, PLACES, TWICE, by_rows
from xformad import UnsupportedError
from xformad.scipy import sparse
from xformad.scipy.sparse.linalg import spsolve
from xformad.testing import check_grads

scipy_sparse: Any = scipy.sparse
DENSE = scipy_sparse.coo_array((DATA, PLACES)).toarray()


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("places", [PLACES, TWICE])
def test_constructors_are_scipys(format: str, places: Any) -> None:
    make, original = getattr(sparse, f"{format}_array"), getattr(scipy_sparse, f"{format}_array")
    data = np.cos(np.arange(len(places[0])))
    expected = original((data, places), shape=(4, 5)).toarray()
    found, pullback = xformad.vjp(lambda data: make((data, places), shape=(4, 5)).toarray(), data)
    np.testing.assert_array_equal(found, expected)
    weights = np.arange(20.0).reshape(4, 5)
    np.testing.assert_array_equal(pullback(weights)[0], weights[places])
    np.testing.assert_array_equal(make(original((data, places), shape=(4, 5))).toarray(), expected)


@pytest.mark.parametrize("first", ["csr", "csc", "coo"])
@pytest.mark.parametrize("second", ["csr", "csc", "coo"])
def test_formats_are_converted(first: str, second: str) -> None:
    def changed(data: Any) -> Any:
        return getattr(sparse, f"{second}_array")(getattr(sparse, f"{first}_array")((data, PLACES)))

    found, pullback = xformad.vjp(lambda data: changed(data).toarray(), DATA)
    np.testing.assert_array_equal(found, DENSE)
    np.testing.assert_array_equal(pullback(np.arange(9.0).reshape(3, 3))[0], np.arange(9.0).reshape(3, 3)[PLACES])
    assert changed(DATA).format == second


def test_attributes() -> None:
    a = by_rows(DATA)
    assert (a.shape, a.dtype, a.format, a.nnz) == ((3, 3), np.dtype(float), "csr", 5)
    assert (a.T.format, a.T.T.pattern is a.pattern) == ("csc", True)
    np.testing.assert_array_equal((-a / 2).toarray(), -DENSE / 2)
    np.testing.assert_array_equal(a.transpose().conj().toarray(), DENSE.T)
    np.testing.assert_array_equal(a.dot(np.ones(3)), DENSE.sum(1))
    np.testing.assert_array_equal(np.ones(3) @ a, DENSE.sum(0))
    assert repr(a).startswith("SparseArray(array(")


def test_matrix_is_a_container() -> None:
    """It may be an argument, and its gradient is one of the same pattern."""
    a = by_rows(DATA)
    gradient = xformad.grad(lambda a: np.sum((a @ np.arange(3.0)) ** 2))(a)
    assert type(gradient) is sparse.SparseArray
    dense = xformad.grad(lambda a: np.sum((a @ np.arange(3.0)) ** 2))(DENSE)
    np.testing.assert_allclose(gradient.toarray(), np.where(DENSE != 0, dense, 0))


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia", "lil"])
def test_constant_matrices_of_any_format(format: str) -> None:
    constant = scipy_sparse.coo_array(DENSE).asformat(format)
    check_grads(lambda x: sparse.csr_array(constant) @ x, (np.array([0.3, -1.0, 2.0]),))
    check_grads(lambda x: constant @ x, (np.array([0.3, -1.0, 2.0]),))
    check_grads(lambda b: spsolve(sparse.csr_array(constant), b), (np.array([0.3, -1.0, 2.0]),))


@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "coo_array", "csr_matrix", "csc_matrix", "dia_array"])
def test_products_with_scipys_own_matrices(kind: str) -> None:
    """SciPy leaves the product to the traced array, from either side."""
    constant, x = getattr(scipy_sparse, kind)(DENSE), np.array([0.3, -1.0, 2.0])
    for transform in (xformad.jacrev, xformad.jacfwd):
        np.testing.assert_array_equal(transform(lambda x: constant @ x)(x), DENSE)
        np.testing.assert_array_equal(transform(lambda x: x @ constant)(x), DENSE.T)
    assert "5 entries" in repr(xformad.sparse_jacobian(lambda x: np.sin(constant @ x), x))
    batch = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(xformad.vmap(lambda x: constant @ x)(batch), batch @ DENSE.T)
    np.testing.assert_allclose(xformad.vjp(lambda x: constant @ x, batch.T)[0], DENSE @ batch.T)


def test_other_operations_with_scipys_own_matrices_are_refused() -> None:
    matrix = scipy_sparse.csr_matrix(DENSE)
    with pytest.raises(TypeError, match="unsupported operand"):
        xformad.grad(lambda x: np.sum(matrix * x))(np.ones(3))
    with pytest.raises((xformad.ConcretizationError, AttributeError), match="traced"):
        xformad.grad(lambda x: np.sum(matrix.multiply(x)))(np.ones((3, 3)))


def test_plain_arrays_go_to_scipy() -> None:
    np.testing.assert_array_equal(
        spsolve(scipy_sparse.csc_array(DENSE), np.ones(3)),
        scipy.sparse.linalg.spsolve(scipy_sparse.csc_array(DENSE), np.ones(3)),
    )


def test_solution_does_not_change_the_pattern() -> None:
    """SciPy adds up values at the same place in place."""
    a = sparse.csc_array((np.append(DATA, 1.0), TWICE))
    before = a.pattern.indices[0].copy()
    spsolve(a, np.ones(3))
    np.testing.assert_array_equal(a.pattern.indices[0], before)


def test_sparse_jacobian_of_a_sparse_product_is_sparse() -> None:
    found = xformad.sparse_jacobian(lambda x: np.sin(by_rows(DATA) @ x), np.zeros(3))
    assert "5 entries" in repr(found)


def test_large_diffusion_problem() -> None:
    """The derivative of a functional of the solution by the coefficients, in time linear in their number."""
    n = 2000
    nodes = np.arange(n)
    rows = np.concatenate([nodes, nodes[1:], nodes[:-1]])
    columns = np.concatenate([nodes, nodes[:-1], nodes[1:]])

    def compliance(k: Any) -> Any:
        data = np.concatenate([k[:-1] + k[1:], -k[1:-1], -k[1:-1]])
        return np.sum(spsolve(sparse.csc_array((data, (rows, columns))), np.ones(n)))

    k = 1.0 + 0.1 * np.cos(np.arange(n + 1))
    direction = np.sin(np.arange(n + 1))
    step = 1e-5
    difference = (compliance(k + step * direction) - compliance(k - step * direction)) / (2 * step)
    np.testing.assert_allclose(xformad.grad(compliance)(k) @ direction, difference, rtol=1e-3)


def test_refusals() -> None:
    with pytest.raises(UnsupportedError, match="divided by numbers only"):
        xformad.grad(lambda d: np.sum((by_rows(d) / np.ones(3)).data))(DATA)
    with pytest.raises(ValueError, match="must be square"):
        xformad.grad(lambda d: np.sum(spsolve(sparse.csr_array((d, PLACES), shape=(3, 4)), np.ones(3))))(DATA)
