"""Matrices made of the entries of vectors: `toeplitz`, `circulant`, `companion`, `block_diag`, ...

Each entry of such a matrix is one of the vector, or zero, or one: the matrix is the vector, indexed by a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import anywhere, dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.scipy.faces import face

ZERO, ONE = 0, 1


def arranged(entries: Value, table: Any) -> Value:
    """The entries along the last axis, at table - 2; and where the table has 0 or 1, these numbers."""
    constants = np.broadcast_to(np.array([0, 1], dtype_of(entries)), (*shape_of(entries)[:-1], 2))
    return np.concatenate([constants, entries], axis=-1)[..., table]


def joined(first: Value, second: Value) -> Value:
    """Two vectors in one, or stacks of them that broadcast."""
    outer = np.broadcast_shapes(shape_of(first)[:-1], shape_of(second)[:-1])
    spread = [np.broadcast_to(x, (*outer, shape_of(x)[-1])) for x in (first, second)]
    return np.concatenate(spread, axis=-1)


@face(scipy.linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Value:
    """The matrix with constant diagonals whose first column is c and whose first row is r, or conj(c).

    Args:
        c: shape (..., m).
        r: shape (..., n); its first entry is not read.

    >>> from xformad import grad
    >>> grad(lambda c: np.sum(toeplitz(c)))(np.ones(3))
    array([3., 4., 2.])
    """
    c = np.atleast_1d(as_array(c))
    r = np.conjugate(c) if r is None else np.atleast_1d(as_array(r))
    rows, columns = shape_of(c)[-1], shape_of(r)[-1]
    return joined(c[..., ::-1], r[..., 1:])[..., np.arange(columns) + np.arange(rows - 1, -1, -1)[:, None]]


@face(scipy.linalg.circulant)
def circulant(c: Any) -> Value:
    """The matrix whose columns are c, each one moved down by one more entry.

    >>> from xformad import grad
    >>> grad(lambda c: circulant(c)[0] @ np.arange(3.0))(np.ones(3))
    array([0., 2., 1.])
    """
    c = np.atleast_1d(as_array(c))
    n = shape_of(c)[-1]
    return c[..., (np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]


@face(scipy.linalg.hankel)
def hankel(c: Any, r: Any = None) -> Value:
    """The matrix with constant antidiagonals whose first column is c and whose last row is r, or zeros.

    >>> from xformad import grad
    >>> grad(lambda c: np.sum(hankel(c)))(np.ones(3))
    array([1., 2., 3.])
    """
    c = as_array(c)
    r = np.zeros(shape_of(c), dtype_of(c)) if r is None else as_array(r)
    if ndim_of(c) != 1 or ndim_of(r) != 1:
        raise UnsupportedError("scipy.linalg.hankel of traced arrays takes vectors; use numpy.ravel, or xformad.vmap")
    rows, columns = shape_of(c)[0], shape_of(r)[0]
    return np.concatenate([c, r[1:]])[np.arange(rows)[:, None] + np.arange(columns)]


@face(scipy.linalg.companion)
def companion(a: Any) -> Value:
    """The matrix whose eigenvalues are the roots of the polynomial with these coefficients, that of the highest power first.

    >>> from xformad import jacobian
    >>> jacobian(lambda b: companion(np.stack([1.0 + 0 * b, b, 6.0 * b])))(-5.0)
    array([[-1., -6.],
           [ 0.,  0.]])
    """
    a = np.atleast_1d(as_array(a))
    n = shape_of(a)[-1] - 1
    if n < 1:
        raise ValueError("The length of `a` along the last axis must be at least 2.")
    if anywhere(a[..., 0] == 0):
        raise ValueError("The first coefficient(s) of `a` (i.e. elements of `a[..., 0]`) must not be zero.")
    table = np.eye(n, k=-1, dtype=int)
    table[0] = np.arange(n) + 2
    return arranged(-a[..., 1:] / a[..., :1], table)


@face(scipy.linalg.fiedler_companion)
def fiedler_companion(a: Any) -> Value:
    """A matrix of five diagonals whose eigenvalues are the roots of a polynomial, the highest power first.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(fiedler_companion(a)))(np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 9., -1., -1., -1.])
    """
    a = np.atleast_1d(as_array(a))
    n = shape_of(a)[-1] - 1
    if n <= 0:
        return np.zeros(0, dtype_of(a))
    if n > 1 and anywhere(a[..., 0] == 0):
        raise ValueError("Leading coefficient is zero.")
    entries = -a[..., 1:] / a[..., :1]
    if n == 1:
        return entries[..., None]
    table = np.zeros((n, n), int)
    at = np.arange(n) + 2  # where the coefficient of each power, from the second on, is
    table[range(3, n, 2), range(1, n - 2, 2)] = ONE
    table[range(2, n, 2), range(1, n - 1, 2)] = at[2::2]
    table[range(0, n - 2, 2), range(2, n, 2)] = ONE
    table[range(0, n - 1, 2), range(1, n, 2)] = at[1::2]
    table[[0, 1], 0] = [at[0], ONE]
    return arranged(entries, table)


@face(scipy.linalg.leslie)
def leslie(f: Any, s: Any) -> Value:
    """The matrix of a population's growth: fecundities f in the first row, survival rates s below the diagonal.

    >>> from xformad import grad
    >>> grad(lambda s: np.sum(leslie(np.ones(3), s)))(np.ones(2))
    array([1., 1.])
    """
    f, s = np.atleast_1d(as_array(f)), np.atleast_1d(as_array(s))
    n = shape_of(f)[-1]
    if n != shape_of(s)[-1] + 1:
        raise ValueError(
            "Incorrect lengths for f and s. The length of s along the last axis must be one less than the length of f."
        )
    if n == 1:
        raise ValueError("The length of s must be at least 1.")
    table = np.zeros((n, n), int)
    table[0] = np.arange(n) + 2
    table[range(1, n), range(n - 1)] = np.arange(n, 2 * n - 1) + 2
    return arranged(joined(f, s), table)


@face(scipy.linalg.fiedler)
def fiedler(a: Any) -> Value:
    """The matrix of the distances between numbers.

    >>> from xformad import grad
    >>> grad(lambda a: fiedler(a)[0, 1])(np.array([1.0, 4.0, 9.0]))
    array([-1.,  1.,  0.])
    """
    a = np.atleast_1d(as_array(a))
    return np.absolute(a[..., :, None] - a[..., None, :])


@face(scipy.linalg.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Value:
    """The matrix whose product with a vector of length n is the convolution with a.

    Args:
        a: shape (..., m).
        n: the number of columns.
        mode: "full", "same" or "valid", as for `numpy.convolve`.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(convolution_matrix(a, 3, "valid")))(np.ones(2))
    array([2., 2.])
    """
    if n <= 0:
        raise ValueError("n must be a positive integer.")
    a = as_array(a)
    length = shape_of(a)[-1]
    if length == 0:
        raise ValueError("len(a) must be at least 1.")
    if mode not in ("full", "valid", "same"):
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    lag = np.arange(n + length - 1)[:, None] - np.arange(n)
    table = np.where((lag >= 0) & (lag < length), lag + 2, ZERO)
    if mode != "full":
        trim = min(n, length) - 1
        before = trim // 2 if mode == "same" else trim
        after = trim - before if mode == "same" else trim
        table = table[before : len(table) - after]
    return arranged(a, table)


@face(scipy.linalg.block_diag)
def block_diag(*arrs: Any) -> Value:
    """The matrix with these blocks along its diagonal, and zeros elsewhere.

    Args:
        arrs: matrices, stacks of them that broadcast, shape (..., m, n), vectors for matrices of one row, or numbers.

    >>> from xformad import grad
    >>> grad(lambda x: np.sum(block_diag(x, 2 * x) @ np.arange(4.0)))(np.ones((2, 2)))
    array([[4., 7.],
           [4., 7.]])
    """
    blocks = [np.atleast_2d(as_array(x)) for x in arrs]
    outer = np.broadcast_shapes(*[shape_of(x)[:-2] for x in blocks])
    width = sum(shape_of(x)[-1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        height, columns = shape_of(x)[-2:]
        x = np.broadcast_to(x, (*outer, height, columns))
        after = width - before - columns
        rows.append(np.pad(x, (*((0, 0),) * len(outer), (0, 0), (before, after))))
        before += columns
    return np.concatenate(rows, axis=-2)


@face(scipy.linalg.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Value:
    """The Kronecker products of the columns of two matrices, column by column.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(khatri_rao(a, np.ones((3, 1)))))(np.ones((2, 1)))
    array([[3.],
           [3.]])
    """
    a, b = as_array(a), as_array(b)
    if ndim_of(a) < 2 or ndim_of(b) < 2:
        raise ValueError("The both arrays should be 2-dimensional.")
    if shape_of(a)[-1] != shape_of(b)[-1]:
        raise ValueError("The number of columns for both arrays should be equal.")
    found = a[..., :, None, :] * b[..., None, :, :]
    return np.reshape(found, (*shape_of(found)[:-3], -1, shape_of(a)[-1]))


@face(scipy.linalg.diagsvd)
def diagsvd(s: Any, M: int, N: int) -> Value:
    """The matrix of shape (M, N) with these singular values on its diagonal.

    >>> from xformad import grad
    >>> grad(lambda s: np.sum(diagsvd(s, 2, 3)))(np.ones(2))
    array([1., 1.])
    """
    s = as_array(s)
    n = shape_of(s)[-1]
    if n not in (M, N):
        raise ValueError("Length of s must be M or N.")
    table = np.zeros((M, N), int)
    table[range(n), range(n)] = np.arange(n) + 2
    return arranged(s, table)


@face(scipy.linalg.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: int | None = None) -> Value:
    """The product of a Toeplitz matrix with columns. SciPy takes a Fourier transform; here the matrix is made.

    >>> from xformad import grad
    >>> grad(lambda c: np.sum(matmul_toeplitz(c, np.ones(3))))(np.ones(3))
    array([3., 4., 2.])
    """
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    matrix = toeplitz(c, r)
    return matrix.astype(np.result_type(dtype_of(matrix), np.float64)) @ as_array(x)
