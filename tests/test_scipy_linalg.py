"""`xformad.scipy.linalg` beside its table: values over SciPy's options, stacks, what is plain, dense spectra, accuracy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import xformad
from tests.operations.table_linalg_scipy import LONGER, OTHER, SQUARE, TALL, VECTOR, WIDE
from xformad import tree
from xformad.scipy import linalg
from xformad.testing import check_grads

POSITIVE = SQUARE @ SQUARE.T + np.eye(3)
SYMMETRIC = SQUARE + SQUARE.T

OPTIONS: list[tuple[str, tuple[Any, ...], dict[str, list[Any]]]] = [
    ("solve_triangular", (SQUARE, TALL), {"trans": [0, 1, 2, "T"], "lower": [False, True], "unit_diagonal": [False, True]}),
    ("cholesky", (POSITIVE,), {"lower": [False, True]}),
    ("cho_factor", (POSITIVE,), {"lower": [False, True]}),
    ("lu", (WIDE,), {"permute_l": [False, True]}),
    ("lu", (TALL,), {"p_indices": [False, True]}),
    ("lu_factor", (TALL,), {}),
    ("solve", (POSITIVE, TALL), {"assume_a": ["gen", "sym", "her", "pos"], "lower": [False, True]}),
    ("solve", (POSITIVE, TALL), {"assume_a": ["gen", "sym"], "transposed": [False, True]}),
    ("pinv", (TALL,), {"rtol": [None, 0.1], "return_rank": [False, True]}),
    ("pinvh", (SYMMETRIC,), {"lower": [False, True], "return_rank": [True]}),
    ("lstsq", (TALL, VECTOR), {"lapack_driver": ["gelsd", "gelsy"]}),
    ("lstsq", (WIDE, TALL[:2]), {}),
    ("norm", (SQUARE,), {"ord": [None, "fro", 1, 2, np.inf], "keepdims": [False, True]}),
    ("expm_frechet", (SQUARE, OTHER), {"compute_expm": [False, True], "method": ["SPS", "blockEnlarge"]}),
    ("solve_discrete_lyapunov", (0.1 * SQUARE, OTHER), {"method": [None, "direct", "bilinear"]}),
    ("eigh", (SYMMETRIC,), {"lower": [False, True], "subset_by_index": [None, (1, 2)], "driver": [None, "evr"]}),
    ("eigh", (SYMMETRIC, POSITIVE), {"type": [1, 2, 3], "lower": [False, True]}),
    ("eigh", (SYMMETRIC,), {"subset_by_value": [(3.0, np.inf), (-1e3, 4.0)], "eigvals_only": [False, True]}),
    ("eigvalsh", (SYMMETRIC, POSITIVE), {"subset_by_index": [None, (0, 1)]}),
    ("eigh_tridiagonal", (LONGER, VECTOR), {"eigvals_only": [False, True], "lapack_driver": ["auto", "stemr", "stev"]}),
    ("eigh_tridiagonal", (LONGER, VECTOR), {"select": ["v"], "select_range": [(0.0, 2.0)]}),
    ("eigh", (SYMMETRIC, POSITIVE), {"subset_by_value": [(0.5, 1.5)], "type": [1, 3]}),
    ("eig", (SYMMETRIC,), {"right": [False, True]}),
    ("svd", (SQUARE,), {"full_matrices": [False, True], "compute_uv": [False, True]}),
    ("orth", (TALL,), {"rcond": [None, 0.9]}),
    ("polar", (WIDE,), {"side": ["left", "right"]}),
    ("qr", (TALL,), {"mode": ["r", "economic"], "pivoting": [False, True]}),
    ("qr", (WIDE,), {"mode": ["full", "r", "economic"], "pivoting": [False, True]}),
    ("qr_multiply", (TALL, WIDE), {"pivoting": [False, True], "conjugate": [False, True]}),
    ("qr_multiply", (TALL, VECTOR[:2]), {"mode": ["left"]}),
    ("fractional_matrix_power", (POSITIVE,), {"t": [0.5, -1.3, 2]}),
    ("convolution_matrix", (VECTOR,), {"n": [1, 3, 5], "mode": ["full", "same", "valid"]}),
    ("hankel", (VECTOR,), {}),
    ("fiedler_companion", (np.arange(1.0, 8.0),), {}),
    ("toeplitz", (VECTOR,), {"r": [None, LONGER]}),
    ("diagsvd", (VECTOR,), {"M": [3, 5], "N": [3]}),
    ("block_diag", (TALL, VECTOR, SQUARE), {}),
    ("det", (SQUARE,), {}),
    ("schur", (SYMMETRIC,), {"output": ["real", "complex"]}),
    ("hessenberg", (SQUARE,), {"calc_q": [False, True]}),
    ("hessenberg", (SQUARE[:2, :2],), {"calc_q": [False, True]}),
    ("signm", (SQUARE - 3 * np.eye(3),), {}),
]  # fmt: skip


def product(choices: dict[str, list[Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for name, values in choices.items():
        found = [{**each, name: value} for each in found for value in values]
    return found


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [(name, args, options) for name, args, choices in OPTIONS for options in product(choices)],
    ids=lambda x: str(x) if isinstance(x, str | dict) else "",
)
@pytest.mark.parametrize("dtype", [float, complex])
def test_values_are_scipys(name: str, args: tuple[Any, ...], options: dict[str, Any], dtype: Any) -> None:
    if dtype is complex and (options.get("transposed") or "tridiagonal" in name or name == "signm"):
        return
    args = tuple(np.asarray(x, dtype) for x in args)
    plain = getattr(scipy.linalg, name)(*args, **options)
    traced = xformad.trace(lambda *args: getattr(linalg, name)(*args, **options))(*args)
    found = xformad.evaluate(traced, *args)
    for expected, value in zip(arrays(plain), arrays(found), strict=True):
        assert np.shape(expected) == np.shape(value)
        assert np.asarray(expected).dtype.kind == np.asarray(value).dtype.kind
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-10)


def arrays(out: Any) -> list[Any]:
    """The leaves of a result, truth values and None left out."""
    return [x for x in tree.leaves_of(out) if x is not None and not isinstance(x, bool)]


STACKED: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (linalg.solve_triangular, (SQUARE, TALL)),
    (lambda a, b: linalg.cho_solve(linalg.cho_factor(a @ np.swapaxes(a, -1, -2)), b), (SQUARE, TALL)),
    (lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b), (SQUARE, TALL)),
    (lambda a: linalg.lu(a), (SQUARE,)),
    (linalg.expm, (SQUARE,)),
    (linalg.expm_frechet, (SQUARE, OTHER)),
    (linalg.sqrtm, (SQUARE,)),
    (linalg.logm, (SQUARE,)),
    (linalg.cosm, (SQUARE,)),
    (linalg.solve_sylvester, (SQUARE, OTHER, OTHER)),
    (linalg.solve_discrete_lyapunov, (0.1 * SQUARE, OTHER)),
    (lambda ab, b: linalg.solve_banded((1, 1), ab, b), (SQUARE, TALL)),
    (linalg.solve_toeplitz, (VECTOR, TALL)),
    (linalg.solve, (SQUARE, TALL)),
    (linalg.toeplitz, (VECTOR, LONGER)),
    (linalg.circulant, (VECTOR,)),
    (linalg.companion, (LONGER,)),
    (linalg.leslie, (LONGER, VECTOR)),
    (linalg.convolution_matrix, (VECTOR, 3)),
    (linalg.block_diag, (TALL, SQUARE)),
    (lambda a: linalg.eigvalsh(a + np.swapaxes(a, -1, -2)), (SQUARE,)),
    (linalg.eigh_tridiagonal, (LONGER, VECTOR)),
    (linalg.polar, (TALL,)),
    (lambda a: linalg.qr(a, mode="economic", pivoting=True), (TALL,)),
]  # fmt: skip


@pytest.mark.parametrize(("fun", "args"), STACKED)
def test_stacks_are_computed_matrix_by_matrix(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """The first axes are those of a stack, of any number, in value and gradient."""
    count = len([x for x in args if isinstance(x, np.ndarray)])
    stacks = [np.stack([[x, 1.1 * x], [0.9 * x, x + 0.05]]) for x in args[:count]]

    def pulled(*arrays: Any) -> Any:
        out, pullback = xformad.vjp(lambda *arrays: fun(*arrays, *args[count:]), *arrays)
        ones = tree.map(lambda x: np.ones(np.shape(x), np.result_type(x, np.float32)), out)
        return out, pullback(ones)

    found = tree.leaves_of(pulled(*stacks))
    for i in range(2):
        for j in range(2):
            one = tree.leaves_of(pulled(*[x[i, j] for x in stacks]))
            for expected, value in zip(one, found, strict=True):
                np.testing.assert_allclose(value[i, j], expected, rtol=1e-10, atol=1e-10)


def test_every_function_of_scipy_is_there() -> None:
    names = [name for name in scipy.linalg.__all__ if inspect.isfunction(getattr(scipy.linalg, name))]
    aside = {"get_blas_funcs", "get_lapack_funcs", "find_best_blas_type", "solve_lyapunov", "kron"}
    assert sorted(set(names) - aside - set(linalg.__all__)) == []


FACES = [
    name
    for name in linalg.__all__
    if inspect.isfunction(getattr(linalg, name))
    and inspect.unwrap(getattr(linalg, name)).__module__.startswith("xformad")
]


@pytest.mark.parametrize("name", FACES)
def test_signatures_are_scipys(name: str) -> None:
    """A face takes all arguments that SciPy's function takes, in the same order."""
    face, original = getattr(linalg, name), getattr(scipy.linalg, name)
    expected = list(inspect.signature(original).parameters)
    found = list(inspect.signature(inspect.unwrap(face)).parameters)
    if not set(expected) <= set(found):  # of SciPy before 1.15, which had other names for some
        expected = [each for each in expected if each not in {"turbo", "eigvals", "cond", "rcond"} - set(found)]
        found = [each for each in found if each in expected]
        assert sorted(found) == sorted(expected)
        return
    assert found[: len(expected)] == expected


def test_plain_arrays_go_to_scipy() -> None:
    assert type(linalg.expm(np.eye(2))) is np.ndarray
    np.testing.assert_array_equal(linalg.null_space(np.ones((1, 2))), scipy.linalg.null_space(np.ones((1, 2))))


def test_other_triangle_has_no_derivative() -> None:
    gradient = xformad.grad(lambda a: np.sum(linalg.solve_triangular(a, VECTOR, lower=True)))(SQUARE)
    np.testing.assert_array_equal(np.triu(gradient, 1), 0)
    garbage = np.where(np.tri(3) > 0, SQUARE, np.nan)
    again = xformad.grad(lambda a: np.sum(linalg.solve_triangular(a, VECTOR, lower=True, check_finite=False)))(garbage)
    np.testing.assert_array_equal(again, gradient)


@pytest.mark.parametrize("fun", [linalg.expm, linalg.logm, linalg.sqrtm, linalg.cosm])
@pytest.mark.parametrize(
    "matrix",
    [2 * np.eye(3), np.diag([1.0, 1.0, 4.0]), np.array([[2.0, 1, 0], [0, 2, 1], [0, 0, 2]])],
    ids=["multiple of the identity", "a pair of equal eigenvalues", "a Jordan block"],
)
def test_functions_of_matrices_with_equal_eigenvalues(fun: Any, matrix: Any) -> None:
    check_grads(fun, (matrix,), order=2, modes=("forward", "reverse"))


@pytest.mark.parametrize("fun", [linalg.expm, linalg.logm, linalg.sqrtm])
@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_derivatives_are_linear_in_their_direction(fun: Any, size: float) -> None:
    direction = size * OTHER
    np.testing.assert_allclose(
        xformad.jvp(fun, (SQUARE,), (direction,))[1] / size, xformad.jvp(fun, (SQUARE,), (OTHER,))[1], rtol=1e-10
    )


def test_polar_factors_of_matrices_with_equal_singular_values() -> None:
    """Where the derivative of the singular vectors does not exist, that of the factors does."""
    check_grads(linalg.polar, (2 * np.eye(3),), order=1)


def test_schur_form_with_equal_eigenvalues_is_not_determined() -> None:
    with pytest.warns(RuntimeWarning, match="equal eigenvalues is not determined"):
        tangents = xformad.jvp(linalg.schur, (np.eye(3),), (SQUARE,))[1]
    assert np.isnan(tangents[0]).any()


def test_complex_results_of_real_matrices() -> None:
    rotated = np.array([[-4.0, 1.0], [0.0, -9.0]])
    assert linalg.sqrtm(rotated).dtype == complex
    check_grads(linalg.sqrtm, (rotated,), order=2)


def test_taylor_series_of_a_rotation() -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    found = xformad.derivatives(lambda t: linalg.expm(t * turn)[0], 6)(0.0)
    np.testing.assert_allclose(found, [[1, 0], [0, -1], [-1, 0], [0, 1], [1, 0], [0, -1], [-1, 0]], atol=1e-12)


def test_log_likelihood_by_cholesky_is_that_by_numpy() -> None:
    """As Gaussian processes are fitted."""
    x = np.linspace(0.0, 1.0, 6)
    y = np.sin(5 * x)

    def covariance(p: Any) -> Any:
        return np.exp(p[0] - 0.5 * (x[:, None] - x) ** 2 / p[1] ** 2) + p[2] ** 2 * np.eye(6)

    def by_cholesky(p: Any) -> Any:
        factor = linalg.cho_factor(covariance(p), lower=True)
        return 0.5 * y @ linalg.cho_solve(factor, y) + np.sum(np.log(np.diagonal(factor[0])))

    def by_numpy(p: Any) -> Any:
        k = covariance(p)
        return 0.5 * y @ np.linalg.solve(k, y) + 0.5 * np.linalg.slogdet(k)[1]

    p = np.array([0.1, 0.4, 0.3])
    np.testing.assert_allclose(xformad.grad(by_cholesky)(p), xformad.grad(by_numpy)(p), rtol=1e-9)
    np.testing.assert_allclose(xformad.hessian(by_cholesky)(p), xformad.hessian(by_numpy)(p), rtol=1e-8)
