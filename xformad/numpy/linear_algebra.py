"""Faces of `numpy.linalg`: systems, determinants, norms, decompositions.

Not named `linalg`, which as an attribute of `xformad.numpy` is NumPy's own module.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from xformad.core.interpreter import concrete, dtype_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements, normalized_axis
from xformad.operations import (
    linalg_determinants,
    linalg_factors,
    linalg_general,
    linalg_norms,
    linalg_solve,
    linalg_spectral,
)

LINALG: Final = "fdFD"  # the dtypes that NumPy hands to LAPACK
SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))
EigResult: Any = type(np.linalg.eig(np.eye(1)))
EighResult: Any = type(np.linalg.eigh(np.eye(1)))
SVDResult: Any = type(np.linalg.svd(np.eye(1)))
QRResult: Any = type(np.linalg.qr(np.eye(1)))


@implements(np.linalg.inv)
def inv(a: Any) -> Value:
    return linalg_solve.inv(as_array(a))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Value:
    return linalg_solve.solve(as_array(a), as_array(b))


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Value:
    a = as_array(a)
    shape = shape_of(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    inverse = linalg_solve.inv(np.reshape(a, (math.prod(shape[:ind]), -1)))
    return np.reshape(inverse, shape[ind:] + shape[:ind])


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Value:
    a, b = as_array(a), as_array(b)
    if axes is not None:
        ndim = len(shape_of(a))
        a = np.transpose(a, [*(i for i in range(ndim) if i not in axes), *axes])
    shape = shape_of(a)[len(shape_of(b)) :]
    size = math.prod(shape)
    return np.reshape(linalg_solve.solve(np.reshape(a, (-1, size)), np.ravel(b)), shape)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Value:
    a = as_array(a)
    tolerance = rcond if rtol is None else rtol
    if tolerance is not None and np.ndim(tolerance) != 0:
        raise UnsupportedError("numpy.linalg.pinv with an array of tolerances is not supported; pass a number")
    return linalg_solve.pinv(a, rcond=None if tolerance is None else float(tolerance), hermitian=bool(hermitian))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Value, Value, Value, Value]:
    """By the pseudo-inverse: at constant rank this is differentiable, for rank-deficient matrices too."""
    a, b = as_array(a), as_array(b)
    rows, columns = shape_of(a)
    if not {dtype_of(a).char, dtype_of(b).char} <= set(LINALG):
        np.linalg.lstsq(np.ones((1, 1), dtype_of(a)), np.ones(1, dtype_of(b)))  # NumPy's error
    if rcond is None:
        rcond = float(np.finfo(np.result_type(dtype_of(a), dtype_of(b))).eps) * max(rows, columns)
    s = linalg_spectral.svd(a, hermitian=False)[1]
    rank = np.count_nonzero(s > rcond * np.max(s, initial=0.0)) if min(rows, columns) else 0
    x = linalg_solve.pinv(a, rcond=float(rcond), hermitian=False) @ b
    rest = b - a @ x
    residuals = np.sum(np.real(rest * np.conjugate(rest)), axis=0, keepdims=len(shape_of(b)) == 1)
    return x, residuals if rank == columns < rows else residuals[:0], rank, s


@implements(np.linalg.eig)
def eig(a: Any) -> Value:
    return EigResult(*linalg_general.eig(as_array(a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Value:
    return linalg_general.eig(as_array(a))[0]


@implements(np.linalg.det)
def det(a: Any) -> Value:
    return linalg_determinants.det(as_array(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Value:
    return SlogdetResult(*linalg_determinants.slogdet(as_array(a)))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Value:
    a = as_array(a)
    return (
        linalg_solve.adjoint(linalg_factors.cholesky(linalg_solve.adjoint(a))) if upper else linalg_factors.cholesky(a)
    )


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Value:
    return EighResult(*linalg_spectral.eigh(as_array(a), uplo=UPLO))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Value:
    return linalg_spectral.eigh(as_array(a), uplo=UPLO)[0]


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Value:
    a = as_array(a)
    shape = shape_of(a)
    if compute_uv and full_matrices and len(shape) >= 2 and shape[-1] != shape[-2]:
        raise UnsupportedError(
            f"numpy.linalg.svd of matrices of shape {shape[-2:]} with full_matrices=True has vectors that the matrix does "
            "not determine, so it has no derivative; use full_matrices=False"
        )
    result = linalg_spectral.svd(a, hermitian=bool(hermitian))
    return SVDResult(*result) if compute_uv else result[1]


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Value:
    return linalg_spectral.svd(as_array(x), hermitian=False)[1]


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Value:
    a = as_array(a)
    shape = shape_of(a)
    if mode == "complete" and len(shape) >= 2 and shape[-2] > shape[-1]:
        raise UnsupportedError(
            f"numpy.linalg.qr of matrices of shape {shape[-2:]} with mode='complete' has columns that the matrix does not "
            "determine, so it has no derivative; use mode='reduced'"
        )
    if mode not in ("reduced", "complete", "r"):
        raise UnsupportedError(
            f"numpy.linalg.qr with mode={mode!r} is not supported on traced arrays; use mode='reduced'"
        )
    q, r = linalg_factors.qr(a)
    return r if mode == "r" else QRResult(q, r)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Value:
    a = as_array(A)
    shape = shape_of(a)
    if tol is not None and rtol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    if len(shape) < 2:
        return np.any(a != 0).astype(int)
    s = linalg_spectral.svd(a, hermitian=bool(hermitian))[1]
    if tol is not None:
        return np.count_nonzero(s > as_array(tol)[..., None] if np.ndim(tol) else s > tol, axis=-1)
    if rtol is None:
        rtol = max(shape[-2:]) * np.finfo(dtype_of(s)).eps
    elif np.ndim(rtol):
        rtol = as_array(rtol)[..., None]
    return np.count_nonzero(s > np.max(s, axis=-1, keepdims=True) * rtol, axis=-1)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Value:
    x = as_array(x)
    if p is None or p in (2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return norm(x, p, axis=(-2, -1)) * norm(inv(x), p, axis=(-2, -1))


@implements(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Value:
    return np.matrix_transpose(as_array(x))


@implements(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Value:
    return np.diagonal(as_array(x), offset, -2, -1)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Value:
    return np.trace(as_array(x), offset, -2, -1, dtype=dtype)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    x = as_array(x)
    if dtype_of(x).kind not in "fc":
        x = x.astype(float)
    ndim = len(shape_of(x))
    if axis is None:
        if ord is None:
            return whole_norm(x, ndim, keepdims)
        if ndim not in (1, 2):
            raise ValueError("Improper number of dimensions to norm.")
        axis = tuple(range(ndim))
    axes = normalized_axis(axis, ndim)
    if len(axes) == 1:
        return vector_norm_along(x, ord, axes[0], bool(keepdims))
    if len(axes) == 2:
        return matrix_norm_along(x, ord, axes, bool(keepdims))
    raise ValueError("Improper number of dimensions to norm.")


def whole_norm(x: Value, ndim: int, keepdims: bool) -> Value:
    if keepdims:
        return linalg_norms.norm(x, axis=tuple(range(ndim)), keepdims=True)
    return linalg_norms.whole_norm(x)


def vector_norm_along(x: Value, order: Any, axis: int, keepdims: bool) -> Value:
    if order is None or order == 2:
        if not keepdims and len(shape_of(x)) == 1:
            return linalg_norms.whole_norm(x)
        return linalg_norms.norm(x, axis=(axis,), keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    if order == 0:
        return np.sum((x != 0).astype(dtype_of(np.absolute(concrete(x)))), axis=axis, keepdims=keepdims)
    size = np.absolute(x)
    if order == math.inf:
        return np.max(size, axis=axis, keepdims=keepdims)
    if order == -math.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if order == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return linalg_norms.power_norm(size, order=float(order), axis=axis, keepdims=keepdims)


def matrix_norm_along(x: Value, order: Any, axes: tuple[int, ...], keepdims: bool) -> Value:
    rows, columns = axes
    if rows == columns:
        raise ValueError("Duplicate axes given.")
    if order is None or order in ("fro", "f"):
        return linalg_norms.norm(x, axis=axes, keepdims=keepdims)
    if order in (1, -1, math.inf, -math.inf):
        along, over = (rows, columns) if order in (1, -1) else (columns, rows)
        sums = np.sum(np.absolute(x), axis=along, keepdims=True)
        result = np.max(sums, axis=over, keepdims=True) if order > 0 else np.min(sums, axis=over, keepdims=True)
        return result if keepdims else np.squeeze(result, axis=axes)
    if order not in ("nuc", 2, -2):
        raise ValueError("Invalid norm order for matrices.")
    s = svdvals(np.moveaxis(x, axes, (-2, -1)))
    result = np.sum(s, axis=-1) if order == "nuc" else s[..., 0] if order == 2 else s[..., -1]
    return np.expand_dims(result, axes) if keepdims else result


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Value:
    x = as_array(x)
    shape = shape_of(x)
    axes = normalized_axis(axis, len(shape))
    if ord == 2 or ord is None:
        if dtype_of(x).kind not in "fc":
            x = x.astype(float)
        return linalg_norms.norm(x, axis=axes, keepdims=bool(keepdims))
    kept = [i for i in range(len(shape)) if i not in axes]
    flat = np.reshape(np.transpose(x, [*kept, *axes]), [*(shape[i] for i in kept), math.prod(shape[i] for i in axes)])
    result = norm(flat, ord, axis=-1)
    return np.expand_dims(result, axes) if keepdims else result


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Value:
    return norm(x, ord, axis=(-2, -1), keepdims=keepdims)
