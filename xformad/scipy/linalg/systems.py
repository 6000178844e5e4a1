"""General systems, inverses, determinants, least squares and norms: NumPy's operations under SciPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.operations import linalg_solve
from xformad.operations.linalg_solve import conjugated, transposed
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import for_columns
from xformad.scipy.linalg.triangular import triangular


def mirrored(a: Value, lower: bool, hermitian: bool) -> Value:
    """A symmetric or Hermitian matrix of which one triangle is read."""
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    other = transposed(half)
    middle = a * np.eye(shape_of(a)[-1], dtype=dtype_of(a).type(0).real.dtype)
    if hermitian and dtype_of(a).kind == "c":
        return half + conjugated(other) + np.real(middle)
    return half + other + middle


def structured(a: Value, assume: str | None, lower: bool, original: Any) -> Value:
    """The matrix of which SciPy reads a part only, if so told."""
    if assume in (None, "gen", "general", "banded"):
        return a
    if assume in ("sym", "symmetric", "her", "hermitian", "pos", "positive definite"):
        return mirrored(a, lower, hermitian=not assume.startswith("sym"))
    n = shape_of(a)[-1]
    if assume in ("diagonal", "tridiagonal"):
        width = 0 if assume == "diagonal" else 1
        return np.where(np.abs(np.arange(n)[:, None] - np.arange(n)) <= width, a, 0)
    if assume in ("upper triangular", "lower triangular"):
        return np.triu(a) if assume == "upper triangular" else np.tril(a)
    original(np.eye(2), np.ones(2), assume_a=assume)  # raises SciPy's error
    raise ValueError(f"{assume} is not a recognized matrix structure")


@face(scipy.linalg.solve)
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Value:
    """Solve a system, as `scipy.linalg.solve` does.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n). Where one triangle is read, the other has no derivative.
        b: the right-hand side, shape (n,) or (..., n, k).
        lower: which triangle is read if `assume_a` says that the matrix is symmetric.
        overwrite_a: has no effect on traced arrays.
        overwrite_b: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.
        assume_a: the structure of the matrix: "gen", "sym", "her", "pos", "diagonal", "tridiagonal", "banded",
            "upper triangular", "lower triangular"; None for any. What it says is not read has no derivative.
        transposed: whether to solve with the transposed matrix, which must be real.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(solve(a, np.ones(2), assume_a="sym")))(np.array([[2.0, 1.0], [0.0, 2.0]])).round(6)
    array([[-0.111111, -0.222222],
           [ 0.      , -0.111111]])
    """
    a, b = array(a, check_finite), array(b, check_finite)
    if transposed and dtype_of(a).kind == "c":
        raise NotImplementedError(
            "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b for complex matrices."
        )
    if assume_a in ("upper triangular", "lower triangular"):
        below = (assume_a == "lower triangular") != bool(transposed)
        a = linalg_solve.transposed(a) if transposed else a
        return for_columns(lambda b: triangular(a, b, lower=below, unit=False), b)
    a = structured(a, assume_a, lower, scipy.linalg.solve)
    return np.linalg.solve(linalg_solve.transposed(a) if transposed else a, b)


@face(scipy.linalg.inv)
def inv(
    a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: str | None = None, lower: bool = False
) -> Value:
    """The inverse of matrices, as `scipy.linalg.inv` gives it. Arguments as for `solve`.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(inv(a)))(np.eye(2))
    array([[-1., -1.],
           [-1., -1.]])
    """
    a = array(a, check_finite)
    return np.linalg.inv(structured(a, assume_a, lower, scipy.linalg.solve))


@face(scipy.linalg.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Value:
    """The determinant of matrices, as `scipy.linalg.det` gives it: in double precision.

    >>> from xformad import grad
    >>> grad(det)(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[ 4., -3.],
           [-2.,  1.]])
    """
    a = array(a, check_finite)
    return np.linalg.det(a.astype(np.result_type(dtype_of(a), np.float64)))


@face(scipy.linalg.pinv)
def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True) -> Any:
    """The pseudo-inverse of matrices, as `scipy.linalg.pinv` gives it. It has a derivative where the rank is constant.

    Args:
        a: the matrix, or a stack of them, shape (..., m, n).
        atol: None or zero, on traced arrays.
        rtol: which singular values, relative to the largest, are taken for zero.
        return_rank: whether to return the rank, too, a whole number.
        check_finite: whether infinities and NaNs are refused.

    Raises:
        UnsupportedError: if an absolute tolerance is given.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(pinv(a)))(2 * np.eye(2))
    array([[-0.25, -0.25],
           [-0.25, -0.25]])
    """
    a = array(a, check_finite)
    if atol is not None and atol != 0:
        raise UnsupportedError("scipy.linalg.pinv with atol is not supported on traced arrays; use rtol")
    if rtol is None:
        rtol = max(shape_of(a)[-2:]) * np.finfo(dtype_of(a)).eps
    if rtol < 0:
        raise ValueError("atol and rtol values must be positive.")
    found = linalg_solve.pinv(a, rcond=float(rtol), hermitian=False)
    return (found, np.linalg.matrix_rank(a, rtol=rtol)) if return_rank else found


@face(scipy.linalg.pinvh)
def pinvh(
    a: Any,
    atol: Any = None,
    rtol: Any = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """The pseudo-inverse of Hermitian matrices of which one triangle is read; otherwise as `pinv`.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(pinvh(a)))(2 * np.eye(2))
    array([[-0.25,  0.  ],
           [-0.5 , -0.25]])
    """
    a = mirrored(array(a, check_finite), lower, hermitian=True)
    return pinv(a, atol=atol, rtol=rtol, return_rank=return_rank)


@face(scipy.linalg.lstsq)
def lstsq(
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: str | None = None,
) -> tuple[Value, Value, Value, Value]:
    """Least squares, as `scipy.linalg.lstsq` computes them: solution, squared residuals, rank, singular values.

    The rank is a whole number. There is a derivative where it is constant.

    Args:
        a: the matrix, shape (m, n).
        b: the right-hand side, shape (m,) or (m, k).
        cond: which singular values, relative to the largest, are taken for zero.
        overwrite_a: has no effect on traced arrays.
        overwrite_b: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.
        lapack_driver: without effect on traced arrays, but "gelsy" gives no residuals and no singular values.

    >>> from xformad import grad
    >>> a = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> grad(lambda b: lstsq(a, b)[0][1])(np.ones(3)).round(6)
    array([-0.5, -0. ,  0.5])
    """
    a, b = array(a, check_finite), array(b, check_finite)
    if ndim_of(a) != 2:
        raise UnsupportedError("scipy.linalg.lstsq of traced stacks of matrices is not supported; use xformad.vmap")
    if lapack_driver not in (None, "gelsd", "gelsy", "gelss"):
        raise ValueError(f'LAPACK driver "{lapack_driver}" is not found')
    eps = float(np.finfo(np.result_type(dtype_of(a), dtype_of(b))).eps)
    x, residuals, rank, s = np.linalg.lstsq(a, b, rcond=eps if cond is None else cond)
    if lapack_driver == "gelsy":
        return x, np.zeros(0, dtype_of(x)), rank, None
    if shape_of(residuals) == (0,) and (ndim_of(b) == 1 or shape_of(b)[1] > 0):
        return x, np.zeros(0, dtype_of(x)), rank, s
    return x, residuals[0] if ndim_of(b) == 1 else residuals, rank, s


@face(scipy.linalg.norm)
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Value:
    """The norm of vectors or matrices: that of `numpy.linalg.norm`.

    >>> from xformad import grad
    >>> grad(norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    return np.linalg.norm(array(a, check_finite), ord, axis, keepdims)
