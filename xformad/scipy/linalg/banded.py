"""Systems whose matrices are given by their diagonals: `solve_banded`, `solveh_banded`, `solve_toeplitz`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import defbatch
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.operations.linalg_solve import conjugated, solve_index_set, transposed
from xformad.operations.makers import smooth
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import for_columns, side_by_side, stacked

# Banded matrices. The band has the entry A[i, j] in row `upper + i - j` of column j; the corners that are outside of the
# matrix are not read.


def banded_value(band: Value, b: Value, upper: int, positive: bool) -> Value:
    if band.size == 0 or b.size == 0:
        outer = np.broadcast_shapes(band.shape[:-2], b.shape[:-2])
        return np.zeros((*outer, *b.shape[-2:]), np.result_type(band, b, np.float32))

    def solution(band: Value, b: Value) -> Value:
        if positive:
            return scipy.linalg.solveh_banded(band[: upper + 1], b, check_finite=False)
        return scipy.linalg.solve_banded((band.shape[-2] - 1 - upper, upper), band, b, check_finite=False)

    return stacked(solution, band, b)


def places(band: Value, upper: int) -> tuple[Any, Any, Any]:
    """The row and the column of the matrix that each entry of a band is at, and whether the matrix has such a row."""
    rows, n = shape_of(band)[-2:]
    j = np.broadcast_to(np.arange(n), (rows, n))
    i = j + np.arange(rows)[:, None] - upper
    return np.clip(i, 0, max(n - 1, 0)), j, (i >= 0) & (i < n)


def flipped(band: Value, upper: int) -> Value:
    """The band of the transposed matrix, which has as many diagonals above as this one has below."""
    rows = shape_of(band)[-2]
    i, _, inside = places(band, rows - 1 - upper)
    return np.where(inside, band[..., np.arange(rows)[::-1, None], i], 0)


def product(band: Value, x: Value, upper: int) -> Value:
    """The matrix times columns."""
    turned = flipped(band, upper)  # row k of its column i has A[i, j] for j = i + k - lower
    j, _, inside = places(band, shape_of(band)[-2] - 1 - upper)
    return np.sum(np.where(inside, turned, 0)[..., None] * x[..., j, :], axis=-3)


def banded_vjp_band(g: Value, ans: Value, band: Value, _b: Value, upper: int, positive: bool) -> Value:
    """The entries of -A^-T G X^T within the band."""
    moved = banded(flipped(band, upper), g, upper=shape_of(band)[-2] - 1 - upper, positive=positive)
    i, j, inside = places(band, upper)
    return np.where(inside, -np.sum(moved[..., i, :] * ans[..., j, :], axis=-1), 0)


def banded_vjp_right(g: Value, _ans: Value, band: Value, _b: Value, upper: int, positive: bool) -> Value:
    return banded(flipped(band, upper), g, upper=shape_of(band)[-2] - 1 - upper, positive=positive)


# `positive`: whether the matrix is positive definite, and to be solved as such. The band is whole nevertheless.
banded: Primitive = smooth("solve_banded", banded_value, banded_vjp_band, banded_vjp_right)
defindexset(banded, lambda dependences, ans, a, b, **_params: solve_index_set(dependences, ans, a, b))


def banded_jvp(tangents: Tangents, ans: Value, band: Value, b: Value, upper: int, positive: bool) -> Value:
    """A dX = dB - dA X."""
    of_band, rest = tangents
    if of_band is not None:
        rest = series.minus(rest, product(of_band, ans, upper))
    return banded(band, rest, upper=upper, positive=positive)


defjvp_joint(banded, banded_jvp, strict=False)
defbatch(banded, side_by_side(banded))


def banded_series(_taylor: Kinks, ans: Value, band: Series, b: Series, upper: int, positive: bool) -> Series:
    """By A X = B."""
    x = [ans]
    for n in range(1, len(b)):
        rest = series.minus(b[n], series.combined(lambda a, c: product(a, c, upper), band, x, n, 1, n))
        x.append(None if rest is None else banded(band[0], rest, upper=upper, positive=positive))
    return x


deftaylor(banded, banded_series)


@face(scipy.linalg.solve_banded)
def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Value:
    """Solve a system with a banded matrix, as `scipy.linalg.solve_banded` does.

    Args:
        l_and_u: the numbers of diagonals below and above the main one.
        ab: the diagonals, shape (..., l + u + 1, n), with the entry A[i, j] at ab[u + i - j, j].
        b: the right-hand side, shape (n,) or (..., n, k).
        overwrite_ab: has no effect on traced arrays.
        overwrite_b: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.

    Returns:
        The solution, of the shape of b.

    >>> from xformad import grad
    >>> ab = np.array([[0.0, 1.0], [2.0, 4.0]])
    >>> grad(lambda ab: np.sum(solve_banded((0, 1), ab, np.ones(2))))(ab)
    array([[ 0.     , -0.125  ],
           [-0.1875 , -0.03125]])
    """
    lower, upper = l_and_u
    ab, b = array(ab, check_finite), array(b, check_finite)
    if shape_of(ab)[-1] != shape_of(b)[0 if ndim_of(b) == 1 else -2]:
        raise ValueError("shapes of ab and b are not compatible.")
    if lower + upper + 1 != shape_of(ab)[-2]:
        raise ValueError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 ({lower + upper + 1}) does not equal "
            f"ab.shape[0] ({shape_of(ab)[-2]})"
        )
    return for_columns(lambda b: banded(ab, b, upper=upper, positive=False), b)


@face(scipy.linalg.solveh_banded)
def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Value:
    """Solve a system with a banded positive definite matrix, as `scipy.linalg.solveh_banded` does.

    Args:
        ab: the diagonals of one half, shape (..., u + 1, n): A[i, j] is at ab[u + i - j, j], or ab[i - j, j] if `lower`.
        b: the right-hand side, shape (n,) or (..., n, k).
        overwrite_ab: has no effect on traced arrays.
        overwrite_b: has no effect on traced arrays.
        lower: which half is given.
        check_finite: whether infinities and NaNs are refused.

    Raises:
        numpy.linalg.LinAlgError: if the matrix is not positive definite.

    >>> from xformad import grad
    >>> ab = np.array([[0.0, 1.0], [2.0, 4.0]])
    >>> grad(lambda b: np.sum(solveh_banded(ab, b)))(np.ones(2)).round(6)
    array([0.428571, 0.142857])
    """
    ab, b = array(ab, check_finite), array(b, check_finite)
    if shape_of(ab)[-1] != shape_of(b)[0 if ndim_of(b) == 1 else -2]:
        raise ValueError("shapes of ab and b are not compatible.")
    diagonals, n = shape_of(ab)[-2:]
    outer = ((0, 0),) * (ndim_of(ab) - 2)
    others = []
    for d in range(1, diagonals):
        if lower:
            others.append(np.pad(conjugated(ab[..., d : d + 1, : n - d]), (*outer, (0, 0), (d, 0))))
        else:
            others.append(np.pad(conjugated(ab[..., diagonals - 1 - d : diagonals - d, d:]), (*outer, (0, 0), (0, d))))
    middle = ab[..., :1, :] if lower else ab[..., -1:, :]
    if dtype_of(ab).kind == "c":
        middle = np.real(middle)
    parts = [*others[::-1], middle, ab[..., 1:, :]] if lower else [ab[..., :-1, :], middle, *others]
    band = np.concatenate(parts, axis=-2)
    return for_columns(lambda b: banded(band, b, upper=diagonals - 1, positive=True), b)


# Toeplitz matrices, given by their diagonals from the lower left to the upper right corner, as a matrix of one row.


def toeplitz_value(diagonals: Value, b: Value) -> Value:
    if diagonals.size == 0 or b.size == 0:
        outer = np.broadcast_shapes(diagonals.shape[:-2], b.shape[:-2])
        return np.zeros((*outer, *b.shape[-2:]), np.result_type(diagonals, b, np.float32))

    def solution(diagonals: Value, b: Value) -> Value:
        n = b.shape[0]
        found = scipy.linalg.solve_toeplitz((diagonals[0, n - 1 :: -1], diagonals[0, n - 1 :]), b, check_finite=False)
        return found.astype(np.result_type(diagonals, b, np.float32), copy=False)

    return stacked(solution, diagonals, b)


def dense(diagonals: Value, n: int) -> Value:
    """The matrices."""
    return diagonals[..., 0, np.arange(n) + np.arange(n - 1, -1, -1)[:, None]]


def sums_of_diagonals(x: Value) -> Value:
    """The transpose of `dense`: each row is shifted by one more than the row before, and all are added up."""
    n = shape_of(x)[-1]
    outer = shape_of(x)[:-2]
    wide = np.pad(x[..., ::-1, :], (*((0, 0),) * len(outer), (0, 0), (0, n)))
    flat = np.reshape(wide, (*outer, 2 * n * n))[..., : 2 * n * n - n]
    return np.sum(np.reshape(flat, (*outer, n, 2 * n - 1)), axis=-2, keepdims=True)


def toeplitz_vjp_diagonals(g: Value, ans: Value, diagonals: Value, _b: Value) -> Value:
    return -sums_of_diagonals(toeplitz_solve(diagonals[..., ::-1], g) @ transposed(ans))


toeplitz_solve: Primitive = smooth(
    "solve_toeplitz",
    toeplitz_value,
    toeplitz_vjp_diagonals,
    lambda g, _ans, diagonals, _b: toeplitz_solve(diagonals[..., ::-1], g),
)
defindexset(toeplitz_solve, per_matrix)


def toeplitz_jvp(tangents: Tangents, ans: Value, diagonals: Value, b: Value) -> Value:
    of_diagonals, rest = tangents
    if of_diagonals is not None:
        rest = series.minus(rest, dense(of_diagonals, shape_of(ans)[-2]) @ ans)
    return toeplitz_solve(diagonals, rest)


defjvp_joint(toeplitz_solve, toeplitz_jvp, strict=False)
defbatch(toeplitz_solve, side_by_side(toeplitz_solve))


def toeplitz_series(_taylor: Kinks, ans: Value, diagonals: Series, b: Series) -> Series:
    x = [ans]
    matrices = [None, *series.each(lambda c: dense(c, shape_of(ans)[-2]), diagonals[1:])]
    for n in range(1, len(b)):
        rest = series.minus(b[n], series.combined(lambda m, c: m @ c, matrices, x, n, 1, n))
        x.append(None if rest is None else toeplitz_solve(diagonals[0], rest))
    return x


deftaylor(toeplitz_solve, toeplitz_series)


@face(scipy.linalg.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Value:
    """Solve a system with a Toeplitz matrix by Levinson's recursion, as `scipy.linalg.solve_toeplitz` does.

    Args:
        c_or_cr: the first column c, or a tuple (c, r) with the first row, shapes (..., n). Without r it is conj(c).
        b: the right-hand side, shape (n,) or (..., n, k).
        check_finite: whether infinities and NaNs are refused.

    >>> from xformad import grad
    >>> grad(lambda c: np.sum(solve_toeplitz(c, np.ones(2))))(np.array([2.0, 1.0])).round(6)
    array([-0.222222, -0.222222])
    """
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, np.conjugate(c_or_cr))
    c, r, b = array(c, check_finite), array(r, check_finite), array(b, check_finite)
    if shape_of(c)[-1] != shape_of(r)[-1] or shape_of(c)[-1] != shape_of(b)[0 if ndim_of(b) == 1 else -2]:
        raise ValueError("Incompatible dimensions.")
    c, r, b = (x.astype(np.result_type(dtype_of(x), np.float64)) for x in (c, r, b))  # as SciPy does
    diagonals = np.concatenate([c[..., ::-1], r[..., 1:]], axis=-1)[..., None, :]
    return for_columns(lambda b: toeplitz_solve(diagonals, b), b)
