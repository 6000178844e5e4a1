"""Rows for `xformad.scipy.linalg`. Functions of a symmetric or Hermitian matrix get one built of the argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from tests.operations.table_linalg import adjoint, positive, regular, turning
from tests.operations.table_products import sample
from xformad import UnsupportedError
from xformad.scipy import linalg

SQUARE, OTHER = regular(3, 3), regular(3, 3).T + 0.3
TALL, WIDE = sample(3, 2), sample(2, 3)
VECTOR, LONGER = np.array([1.3, 0.7, -0.4]), np.array([2.1, 0.8, 1.7, -0.9])


def hermitian(x: Any) -> Any:
    return x + adjoint(x)


def invariant(w: Any, v: Any) -> Any:
    """What does not depend on the phases of the vectors."""
    return w, np.abs(v) ** 2, (v * np.sin(w)[..., None, :]) @ adjoint(v)


def invariant_schur(t: Any, z: Any) -> Any:
    """What does not depend on the phases of the vectors."""
    return np.diagonal(t), np.abs(z) ** 2, z @ t @ t @ adjoint(z)


def projection(q: Any) -> Any:
    return q @ adjoint(q)


def case(name: str, fun: Callable[..., Any], *args: Any, **options: Any) -> Case:
    return Case(f"scipy.linalg {name}", fun, args, **{"complex": True, **options})


CASES = [
    case("solve_triangular", linalg.solve_triangular, SQUARE, TALL),
    case("solve_triangular trans", lambda a, b: linalg.solve_triangular(a, b, "C", True, True), SQUARE, VECTOR),
    case("cholesky", lambda a: linalg.cholesky(positive(a)), SQUARE),
    case("cho_factor", lambda a: linalg.cho_factor(positive(a), lower=True)[0], SQUARE),
    case("cho_solve", lambda a, b: linalg.cho_solve(linalg.cho_factor(positive(a)), b), SQUARE, TALL),
    case("lu", lambda a: linalg.lu(a)[1:], SQUARE),
    case("lu tall", lambda a: linalg.lu(a, permute_l=True), TALL),
    case("lu wide", lambda a: linalg.lu(a, p_indices=True)[1:], WIDE),
    case("lu_solve", lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b), OTHER, VECTOR),
    case("lu_solve trans", lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b, 2), OTHER, TALL),
    case("expm", linalg.expm, 0.3 * SQUARE),
    case("expm_frechet", linalg.expm_frechet, 0.3 * SQUARE, OTHER),
    case("sqrtm", linalg.sqrtm, SQUARE),
    case("sqrtm complex", lambda a: linalg.sqrtm(a * (1 + 0.5j)), SQUARE, complex=False),
    case("logm", lambda a: linalg.logm(4 * np.eye(3) + 0.1 * a), SQUARE),
    case("fractional_matrix_power", lambda a: linalg.fractional_matrix_power(a, 0.3), SQUARE),
    case("cosm", linalg.cosm, 0.3 * SQUARE),
    case("sinm", linalg.sinm, 0.3 * SQUARE),
    case("tanm", linalg.tanm, 0.1 * SQUARE),
    case("coshm", linalg.coshm, 0.3 * SQUARE),
    case("sinhm", linalg.sinhm, 0.3 * SQUARE),
    case("tanhm", linalg.tanhm, 0.1 * SQUARE),
    case("signm", linalg.signm, SQUARE - 3 * np.eye(3), complex=False),
    case("funm", lambda a: linalg.funm(a, np.sqrt), turning(3, 3) + 5 * np.eye(3)),
    case("solve_sylvester", linalg.solve_sylvester, SQUARE, regular(2, 2), TALL),
    case("solve_continuous_lyapunov", linalg.solve_continuous_lyapunov, SQUARE, OTHER),
    case("solve_discrete_lyapunov", linalg.solve_discrete_lyapunov, 0.1 * SQUARE, OTHER),
    case("solve_discrete_lyapunov bilinear", lambda a, q: linalg.solve_discrete_lyapunov(a, q, "bilinear"),
         0.1 * SQUARE, OTHER),
    case("solve_banded", lambda ab, b: linalg.solve_banded((1, 1), ab, b), SQUARE, TALL),
    case("solve_banded lower", lambda ab, b: linalg.solve_banded((2, 0), ab, b), SQUARE, VECTOR),
    case("solveh_banded", lambda e, b: linalg.solveh_banded(np.stack([e, 4 + e]), b), VECTOR, TALL),
    case("solveh_banded lower", lambda e, b: linalg.solveh_banded(np.stack([9 + e, e, e * e]), b, lower=True),
         VECTOR, VECTOR),
    case("solve_toeplitz", lambda c, r, b: linalg.solve_toeplitz((c, r), b), VECTOR, VECTOR[::-1], TALL),
    case("solve_toeplitz hermitian", linalg.solve_toeplitz, VECTOR, VECTOR[::-1]),
    case("matmul_toeplitz", linalg.matmul_toeplitz, VECTOR, TALL),
    case("solve", linalg.solve, SQUARE, VECTOR),
    case("solve her", lambda a, b: linalg.solve(a, b, assume_a="her", lower=True), SQUARE, TALL),
    case("solve sym", lambda a, b: linalg.solve(a, b, assume_a="sym"), SQUARE, TALL),
    case("solve pos transposed", lambda a, b: linalg.solve(a, b, assume_a="pos", transposed=True), SQUARE, TALL,
         complex=False),
    case("solve transposed", lambda a, b: linalg.solve(a, b, transposed=True), SQUARE, TALL, complex=False),
    case("inv", linalg.inv, SQUARE),
    case("det", linalg.det, SQUARE),
    case("pinv", linalg.pinv, TALL),
    case("pinvh", linalg.pinvh, SQUARE),
    case("lstsq", lambda a, b: linalg.lstsq(a, b)[:2], TALL, SQUARE),
    case("lstsq vector", lambda a, b: (linalg.lstsq(a, b)[0], linalg.lstsq(a, b)[3]), TALL, VECTOR),
    case("norm", linalg.norm, TALL),
    case("toeplitz", linalg.toeplitz, VECTOR),
    case("toeplitz row", linalg.toeplitz, VECTOR, LONGER),
    case("circulant", linalg.circulant, VECTOR),
    case("hankel", linalg.hankel, VECTOR, LONGER),
    case("companion", linalg.companion, LONGER),
    case("fiedler", linalg.fiedler, VECTOR),
    case("fiedler_companion", linalg.fiedler_companion, LONGER),
    case("leslie", linalg.leslie, LONGER, VECTOR),
    case("convolution_matrix", lambda a: linalg.convolution_matrix(a, 2, "same"), VECTOR),
    case("block_diag", linalg.block_diag, TALL, VECTOR, WIDE),
    case("khatri_rao", linalg.khatri_rao, TALL, TALL[:2]),
    case("diagsvd", lambda s: linalg.diagsvd(s, 3, 4), VECTOR),
    case("eigh", lambda a: invariant(*linalg.eigh(hermitian(a))), SQUARE),
    case("eigh generalised", lambda a, b: linalg.eigh(hermitian(a), positive(b)), SQUARE, OTHER, complex=False),
    case("eigvalsh type 3", lambda a, b: linalg.eigvalsh(hermitian(a), positive(b), type=3, lower=False),
         SQUARE, OTHER),
    case("eigvalsh subset", lambda a: linalg.eigvalsh(hermitian(a), subset_by_index=(1, 2)), SQUARE),
    case("eigh_tridiagonal", linalg.eigh_tridiagonal, LONGER, VECTOR, complex=False),
    case("eigvalsh_tridiagonal", lambda d, e: linalg.eigvalsh_tridiagonal(d, e, "i", (0, 1)), LONGER, VECTOR,
         complex=False),
    case("eig", lambda a: (linalg.eig(a)[0], np.abs(linalg.eig(a)[1])), turning(3, 3)),
    case("eigvals", linalg.eigvals, turning(3, 3)),
    case("svd", lambda a: linalg.svd(a, full_matrices=False), TALL, complex=False),
    case("svdvals", linalg.svdvals, TALL),
    case("orth", lambda a: projection(linalg.orth(a)), TALL),
    case("polar", linalg.polar, TALL),
    case("polar left", lambda a: linalg.polar(a, "left"), SQUARE),
    case("schur", lambda a: invariant_schur(*linalg.schur(a)), np.diag([1.0, 5.0, 9.0]) + 0.3 * sample(3, 3), complex=False),
    case("schur complex", lambda a: invariant_schur(*linalg.schur(a, output="complex")), turning(3, 3)),
    case("hessenberg", lambda a: linalg.hessenberg(a, calc_q=True), turning(4, 4)),
    case("rsf2csf", lambda a: invariant_schur(*linalg.rsf2csf(*linalg.schur(a))),
         np.diag([1.0, 5.0, 9.0]) + 0.3 * sample(3, 3), complex=False),
    case("qr", linalg.qr, SQUARE),
    case("qr pivoting", lambda a: linalg.qr(a, mode="economic", pivoting=True)[:2], TALL),
    case("qr r", lambda a: linalg.qr(a, mode="r"), TALL),
    case("qr_multiply", linalg.qr_multiply, TALL, VECTOR),
    case("qr_multiply left", lambda a, c: linalg.qr_multiply(a, c, "left", conjugate=True), TALL, sample(2, 2)),
]  # fmt: skip


def refused(name: str, text: str, fun: Callable[..., Any], *args: Any, error: Any = UnsupportedError) -> Refused:
    return Refused(f"scipy.linalg {name}", fun, args, error, text)


LinAlgError = np.linalg.LinAlgError

REFUSED = [
    refused("solve_triangular of a wide matrix", "square", linalg.solve_triangular, WIDE, TALL, error=ValueError),
    refused("solve_triangular singular", "singular", linalg.solve_triangular, np.ones((2, 2)) - np.eye(2), np.ones(2),
            error=LinAlgError),
    refused("solve_triangular of NaN", "infs or NaNs", linalg.solve_triangular, np.nan * SQUARE, VECTOR,
            error=ValueError),
    refused("cholesky", "positive definite", linalg.cholesky, -SQUARE, error=LinAlgError),
    refused("lu_solve", "incompatible", lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b), SQUARE, WIDE,
            error=ValueError),
    refused("expm of a wide matrix", "square", linalg.expm, WIDE, error=LinAlgError),
    refused("logm of a wide matrix", "square", linalg.logm, WIDE, error=ValueError),
    refused("sqrtm disp", "leave it out", lambda a: linalg.sqrtm(a, disp=False), SQUARE),
    refused("expm_frechet", "same shape", linalg.expm_frechet, SQUARE, WIDE[:, :2], error=ValueError),
    refused("fractional_matrix_power", "expm(t * logm(A))", linalg.fractional_matrix_power, SQUARE, 0.5),
    refused("pinv atol", "use rtol", lambda a: linalg.pinv(a, atol=0.1), SQUARE),
    refused("solve complex transposed", "complex matrices", lambda a: linalg.solve(a * 1j, VECTOR, transposed=True),
            SQUARE, error=NotImplementedError),
    refused("solve assume_a", "recognized matrix structure", lambda a: linalg.solve(a, VECTOR, assume_a="odd"), SQUARE,
            error=ValueError),
    refused("solve_banded", "lower and upper diagonals", lambda ab: linalg.solve_banded((1, 2), ab, VECTOR), SQUARE,
            error=ValueError),
    refused("solveh_banded", "definite", linalg.solveh_banded, -SQUARE, VECTOR, error=LinAlgError),
    refused("companion", "must not be zero", linalg.companion, np.array([0.0, 1.0]), error=ValueError),
    refused("leslie", "Incorrect lengths", linalg.leslie, VECTOR, VECTOR, error=ValueError),
    refused("hankel of a matrix", "numpy.ravel", linalg.hankel, SQUARE),
    refused("eig generalised", "eig(solve(b, a))", linalg.eig, SQUARE, OTHER),
    refused("eig left", "conjugated left ones", lambda a: linalg.eig(a, left=True), SQUARE),
    refused("eigh subset", "not valid", lambda a: linalg.eigh(a, subset_by_index=(1, 5)), SQUARE, error=ValueError),
    refused("svd full", "full_matrices=False", linalg.svd, TALL),
    refused("qr full", "mode='economic'", linalg.qr, TALL),
    refused("qr raw", "mode='economic'", lambda a: linalg.qr(a, mode="raw"), TALL),
    refused("schur of a rotation", "output='complex'", linalg.schur, np.array([[0.0, 1.0], [-1.0, 0.0]])),
    refused("schur sort", "leave it out", lambda a: linalg.schur(a, sort="lhp"), SQUARE),
    refused("null_space", "I - pinv(A) @ A", linalg.null_space, WIDE),
    refused("ldl", "use cholesky or lu", linalg.ldl, SQUARE),
    refused("qz", "eigvals(solve(B, A))", linalg.qz, SQUARE, OTHER),
]  # fmt: skip
