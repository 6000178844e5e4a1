"""Triangular systems and the factorisations that lead to them: `solve_triangular`, `cholesky`, `lu`, and their solvers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations import linalg_factors
from xformad.operations.linalg_solve import adjoint, solve_index_set, transposed
from xformad.operations.makers import nondifferentiable, smooth
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import for_columns, side_by_side, stacked

# Triangular systems. What is on the other side of the diagonal is not read, and has no derivative.


def triangular_value(a: Value, b: Value, lower: bool, unit: bool) -> Value:
    return stacked(
        lambda a, b: (
            scipy.linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit, check_finite=False)
            if a.size and b.size
            else np.zeros(b.shape, np.result_type(a, b, np.float32))
        ),
        a,
        b,
    )


def part_read(x: Value, lower: bool, unit: bool) -> Value:
    """The triangle of a matrix that is read."""
    return np.tril(x, -1 if unit else 0) if lower else np.triu(x, 1 if unit else 0)


def triangular_vjp_matrix(g: Value, ans: Value, a: Value, _b: Value, lower: bool, unit: bool) -> Value:
    """-A^-T G X^T, in the triangle that is read."""
    moved = triangular(transposed(a), g, lower=not lower, unit=unit)
    return -part_read(moved @ transposed(ans), lower, unit)


# The right-hand sides are columns of matrices.
triangular: Primitive = smooth(
    "solve_triangular",
    triangular_value,
    triangular_vjp_matrix,
    lambda g, _ans, a, _b, lower, unit: triangular(transposed(a), g, lower=not lower, unit=unit),
)
defindexset(triangular, lambda dependences, ans, a, b, **_params: solve_index_set(dependences, ans, a, b))


def triangular_jvp(tangents: Tangents, ans: Value, a: Value, b: Value, lower: bool, unit: bool) -> Value:
    """A dX = dB - dA X."""
    of_a, of_b = tangents
    if of_a is not None:
        moved = part_read(of_a, lower, unit) @ ans
        of_b = -moved if of_b is None else of_b - moved
    return triangular(a, of_b, lower=lower, unit=unit)


defjvp_joint(triangular, triangular_jvp, strict=False)
defbatch(triangular, side_by_side(triangular))


def triangular_series(_taylor: Kinks, ans: Value, a: Series, b: Series, lower: bool, unit: bool) -> Series:
    """By A X = B."""
    x = [ans]
    read = [a[0], *series.each(lambda c: part_read(c, lower, unit), a[1:])]
    for n in range(1, len(a)):
        rest = series.minus(b[n], series.combined(operator.matmul, read, x, n, 1, n))
        x.append(None if rest is None else triangular(a[0], rest, lower=lower, unit=unit))
    return x


deftaylor(triangular, triangular_series)


@face(scipy.linalg.solve_triangular)
def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Value:
    """Solve a triangular system, as `scipy.linalg.solve_triangular` does.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n). One triangle is read; the other has no derivative.
        b: the right-hand side, shape (n,) or (..., n, k).
        trans: 0 or "N" for a x = b, 1 or "T" for the transpose of a, 2 or "C" for the conjugated one.
        lower: whether the lower triangle is read.
        unit_diagonal: whether the diagonal is taken for ones, and not read.
        overwrite_b: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.

    Returns:
        The solution, of the shape of b, and stacked as a is.

    Raises:
        numpy.linalg.LinAlgError: if the matrix is singular.

    >>> from xformad import grad
    >>> a = np.array([[2.0, 0.0], [1.0, 4.0]])
    >>> grad(lambda a: np.sum(solve_triangular(a, np.ones(2), lower=True)))(a)
    array([[-0.1875 , -0.     ],
           [-0.125  , -0.03125]])
    """
    a, b = array(a, check_finite), array(b, check_finite)
    flipped = trans in (1, 2, "T", "C")
    if flipped:
        a = adjoint(a) if trans in (2, "C") else transposed(a)
    lower, unit = bool(lower) != flipped, bool(unit_diagonal)
    return for_columns(lambda b: triangular(a, b, lower=lower, unit=unit), b)


# Cholesky's factorisation: NumPy's, and its derivative.


@face(scipy.linalg.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Value:
    """The triangular factor of positive definite matrices, as `scipy.linalg.cholesky` gives it: the upper one.

    As for `numpy.linalg.cholesky` the gradient is symmetric: it is that of the Hermitian matrix.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n). One triangle is read.
        lower: whether the lower triangle is read, and the lower factor returned.
        overwrite_a: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: cholesky(s * np.eye(2)))(4.0)
    array([[0.25, 0.  ],
           [0.  , 0.25]])
    """
    a = array(a, check_finite)
    return linalg_factors.cholesky(a) if lower else adjoint(linalg_factors.cholesky(adjoint(a)))


@face(scipy.linalg.cho_factor)
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Value, bool]:
    """What `cho_solve` takes: the factor of `cholesky` and which one it is. The other triangle is that of a.

    >>> from xformad import grad
    >>> grad(lambda s: np.sum(cho_solve(cho_factor(s * np.eye(2)), np.ones(2))))(2.0).round(12)
    np.float64(-0.5)
    """
    a = array(a, check_finite)
    factor = cholesky(a, lower, check_finite=False)
    return factor + (np.triu(a, 1) if lower else np.tril(a, -1)), lower


@face(scipy.linalg.cho_solve)
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Value:
    """Solve a positive definite system with the result of `cho_factor`, as `scipy.linalg.cho_solve` does.

    >>> from xformad import grad
    >>> factor = cho_factor(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> grad(lambda b: np.sum(cho_solve(factor, b)))(np.ones(2)).round(6)
    array([0.333333, 0.333333])
    """
    c, lower = c_and_lower
    c, b = array(c, check_finite), array(b, check_finite)
    if shape_of(c)[-2] != shape_of(c)[-1]:
        raise ValueError("The factored matrix c is not square.")
    first, second = (c, adjoint(c)) if lower else (adjoint(c), c)

    def solve(b: Value) -> Value:
        return triangular(second, triangular(first, b, lower=True, unit=False), lower=False, unit=False)

    return for_columns(solve, b)


# The factorisation P A = L U with row exchanges.


def lu_value(a: Value) -> tuple[Value, Value]:
    def factor(a: Value) -> tuple[Value, Value]:
        if a.size == 0:
            return np.zeros(a.shape, np.result_type(a, np.float32)), np.zeros(0, np.int32)
        packed, pivots = scipy.linalg.lu_factor(a, check_finite=False)
        return packed, pivots

    found: tuple[Value, Value] = stacked(factor, a)
    return found


def order_of_rows(pivots: Value, rows: int) -> Value:
    """The rows of the matrix in the order in which the factorisation takes them: row i is exchanged with pivots[i]."""
    order = np.broadcast_to(np.arange(rows), (*pivots.shape[:-1], rows)).copy()
    for i in range(pivots.shape[-1]):
        other = pivots[..., i : i + 1].astype(np.intp)
        mine, theirs = order[..., i : i + 1].copy(), np.take_along_axis(order, other, -1)
        np.put_along_axis(order, other, mine, -1)
        order[..., i : i + 1] = theirs
    return order


permutation = nondifferentiable("permutation_of_pivots", order_of_rows)
defbatch(permutation, as_it_is(permutation))


def permuted(x: Value, order: Value) -> Value:
    """The rows of matrices in another order."""
    ndim = max(ndim_of(x), ndim_of(order) + 1)
    x = np.reshape(x, (1,) * (ndim - ndim_of(x)) + shape_of(x))
    order = np.reshape(order, (1,) * (ndim - 1 - ndim_of(order)) + (*shape_of(order), 1))
    outer = np.broadcast_shapes(shape_of(x)[:-2], shape_of(order)[:-2])
    x = np.broadcast_to(x, (*outer, *shape_of(x)[-2:]))
    return np.take_along_axis(x, np.broadcast_to(order, (*outer, *shape_of(order)[-2:])), axis=-2)


def square_factors(packed: Value) -> tuple[Value, Value]:
    """L and U, filled up with unit vectors to square matrices: for a tall matrix L has columns more, for a wide U rows."""
    rows, columns = shape_of(packed)[-2:]
    rank = min(rows, columns)
    outer = ((0, 0),) * (ndim_of(packed) - 2)
    lower = np.pad(np.tril(packed[..., :rank], -1), (*outer, (0, 0), (0, rows - rank)))
    upper = np.pad(np.triu(packed[..., :rank, :]), (*outer, (0, columns - rank), (0, 0)))
    beyond = np.diag((np.arange(columns) >= rank).astype(dtype_of(packed)))
    return lower + np.eye(rows, dtype=dtype_of(packed)), upper + beyond


def lu_vjp(g: tuple[Value, Value], ans: tuple[Value, Value], _a: Value) -> Value:
    """P^T L^-T M U^-T with M the part below the diagonal of L^T gL and the other part of gU U^T."""
    packed, pivots = ans
    lower, upper = square_factors(packed)
    of_both = g[0]
    below = transposed(lower) @ np.tril(of_both, -1)
    above = np.triu(of_both) @ transposed(upper)
    moved = triangular(transposed(lower), np.tril(below, -1) + np.triu(above), lower=False, unit=True)
    moved = transposed(triangular(upper, transposed(moved), lower=False, unit=False))
    return permuted(moved, np.argsort(permutation(pivots, rows=shape_of(packed)[-2]), axis=-1))


# L below the diagonal and U in one matrix, and the rows' exchanges.
lu_packed = Primitive("lu_factor", lu_value, multiple=True)
vjp_rules[lu_packed] = VjpEntry({0: lu_vjp}, check=TRUST)
defindexset(lu_packed, per_matrix)
defbatch(lu_packed, as_it_is(lu_packed))


def moved_factors(t: Value, lower: Value, upper: Value) -> Value:
    """L times what is below the diagonal of M = L^-1 T U^-1, and the other part of M times U: dL and dU for dA = T."""
    m = triangular(lower, t, lower=True, unit=True)
    m = transposed(triangular(transposed(upper), transposed(m), lower=True, unit=False))
    return lower @ np.tril(m, -1) + np.triu(m) @ upper


def lu_jvp(tangents: Tangents, ans: tuple[Value, Value], _a: Value) -> tuple[Value, None]:
    packed, pivots = ans
    order = permutation(pivots, rows=shape_of(packed)[-2])
    return moved_factors(permuted(tangents[0], order), *square_factors(packed)), None


defjvp_joint(lu_packed, lu_jvp)


def lu_series(_taylor: Kinks, ans: tuple[Value, Value], a: Series) -> tuple[Series, None]:
    """By L U = P A, whose new terms are L_0 U_n + L_n U_0: as in the first derivative."""
    packed, pivots = ans
    rank = min(shape_of(packed)[-2:])
    order = permutation(pivots, rows=shape_of(packed)[-2])
    factors = square_factors(packed)
    both, lower, upper = [packed], [factors[0][..., :rank]], [factors[1][..., :rank, :]]
    for n in range(1, len(a)):
        rest = None if a[n] is None else permuted(a[n], order)
        rest = series.minus(rest, series.combined(operator.matmul, lower, upper, n, 1, n - 1))
        moved = None if rest is None else moved_factors(rest, *factors)
        both.append(moved)
        lower.append(None if moved is None else np.tril(moved[..., :rank], -1))
        upper.append(None if moved is None else np.triu(moved[..., :rank, :]))
    return both, None


deftaylor(lu_packed, lu_series)


@face(scipy.linalg.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Value, Value]:
    """L, without its diagonal of ones, and U in one matrix, and the row exchanges, as `scipy.linalg.lu_factor` does.

    The row exchanges are whole numbers without derivative.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: lu_factor(s * np.array([[2.0, 1.0], [4.0, 3.0]]))[0])(2.0)
    array([[ 4. ,  3. ],
           [ 0. , -0.5]])
    """
    packed, pivots = lu_packed(array(a, check_finite))
    return packed, pivots


@face(scipy.linalg.lu_solve)
def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Value:
    """Solve a system with the result of `lu_factor`, as `scipy.linalg.lu_solve` does.

    Args:
        lu_and_piv: the result of `lu_factor`.
        b: the right-hand side, shape (n,) or (..., n, k).
        trans: 0 for a x = b, 1 for the transpose of a, 2 for the conjugated one.
        overwrite_b: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.

    >>> from xformad import grad
    >>> factors = lu_factor(np.array([[2.0, 1.0], [4.0, 4.0]]))
    >>> grad(lambda b: np.sum(lu_solve(factors, b)))(np.ones(2))
    array([0. , 0.25])
    """
    packed, pivots = lu_and_piv
    packed, b = array(packed, check_finite), array(b, check_finite)
    order = permutation(pivots, rows=shape_of(packed)[-2])
    if shape_of(packed)[-1] != shape_of(b)[0 if ndim_of(b) == 1 else -2]:
        raise ValueError(f"Shapes of lu {shape_of(packed)} and b {shape_of(b)} are incompatible")
    if trans == 0:

        def solve(b: Value) -> Value:
            below = triangular(packed, permuted(b, order), lower=True, unit=True)
            return triangular(packed, below, lower=False, unit=False)

    else:
        turned = transposed(packed) if trans == 1 else adjoint(packed)

        def solve(b: Value) -> Value:
            below = triangular(turned, b, lower=True, unit=False)
            return permuted(triangular(turned, below, lower=False, unit=True), np.argsort(order, axis=-1))

    return for_columns(solve, b)


@face(scipy.linalg.lu)
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False
) -> tuple[Value, ...]:
    """The factors of P L U = A, as `scipy.linalg.lu` gives them.

    Args:
        a: the matrix, or a stack of them, shape (..., m, n).
        permute_l: whether to return P L and U.
        overwrite_a: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.
        p_indices: whether to return the permutation as whole numbers, A = L[p] U, and not as a matrix.

    Returns:
        P, L and U, or P L and U. The permutation has no derivative.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: lu(s * np.array([[2.0, 1.0], [4.0, 3.0]]))[2])(2.0)
    array([[ 4. ,  3. ],
           [ 0. , -0.5]])
    """
    packed, pivots = lu_packed(array(a, check_finite))
    rows, columns = shape_of(packed)[-2:]
    order = permutation(pivots, rows=rows)
    rank = min(rows, columns)
    lower = np.tril(packed[..., :rank], -1) + np.eye(rows, rank, dtype=dtype_of(packed))
    upper = np.triu(packed[..., :rank, :])
    if permute_l:
        return permuted(lower, np.argsort(order, axis=-1)), upper
    if p_indices:
        return np.argsort(order, axis=-1).astype(np.int32), lower, upper
    matrix = np.arange(rows)[:, None] == order[..., None, :]
    return matrix.astype(dtype_of(packed).type(0).real.dtype), lower, upper
