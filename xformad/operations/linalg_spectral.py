"""Eigenvalues of Hermitian matrices and singular values, with their vectors, for stacks of matrices: `eigh`, `svd`.

Formulas: M. Giles (2008), cited in `linalg_solve`; J. Townsend, "Differentiating the singular value decomposition"
(2016); for complex matrices Z.-Q. Wan and S.-X. Zhang, "Automatic differentiation for complex valued SVD" (2019).

Vectors are determined up to a factor of modulus one, and those of equal values up to a rotation among them. A function
of the matrix must not depend on this choice. If the one at hand does, it has no derivative.

Where values are equal there is more to it: the derivative can be undetermined though it exists. At the identity matrix,
`sum(V @ diag(w) @ V.T)` and `sum(V @ V.T) + sum(w)` send the same cotangents to V and w, and their gradients differ: a
matrix of ones, and the identity matrix. What is known for certain is given:

- for functions of the values alone;
- for functions of the vectors whose cotangents do not turn vectors of equal values, if those values are not used:
  turning them is then without effect in a neighbourhood, as it is for projections onto invariant subspaces.

Else the entries are NaN, with a RuntimeWarning: a wrong number would go unnoticed. Functions that use vectors for one
thing and values for another can take the values from `eigvalsh` or `svdvals`.
"""

from __future__ import annotations

import operator
import warnings

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.cotangents import absent
from xformad.interpreters.cusps import Cusp, Germ
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations.linalg_solve import adjoint, conjugated, transposed

WARNING = (
    "the derivative of numpy.linalg.{name} with respect to vectors of equal values, or to the phase of a vector, is not "
    "determined, and NaN was put in its place; do not use what depends on the choice of vectors, and take values used "
    "beside vectors from numpy.linalg.{values}"
)


def on_diagonal(x: Value) -> Value:
    """Matrices with these diagonals."""
    return x[..., None] * np.eye(shape_of(x)[-1], dtype=dtype_of(x))


def over_gaps(turn: Value, w: Value, of_w: Value, scale: Value, names: tuple[str, str]) -> Value:
    """`turn[i, j] / (w[j] - w[i])`, the cotangent of a rotation among vectors over the gaps of their values.

    Args:
        turn: the matrices of the cotangents. They must be zero, up to rounding, where there is no gap.
        w: the values.
        of_w: their cotangents, which must be zero where there is no gap.
        scale: the size of the numbers whose differences `turn` has, a number for each matrix.
        names: of the function and of the one that gives values only, for the warning.
    """
    n = shape_of(w)[-1]
    rounding = 100 * n * float(np.finfo(dtype_of(w)).eps)
    gaps = w[..., None, :] - w[..., :, None]
    largest = np.max(np.absolute(w), axis=-1)[..., None, None]
    equal = np.absolute(gaps) <= rounding * largest
    result = np.where(equal, 0, turn / np.where(equal, 1, gaps))
    distinct = ~np.eye(n, dtype=bool)
    used = of_w != 0
    undetermined = np.absolute(turn) > rounding * scale
    undetermined = equal & (undetermined | (distinct & (used[..., None, :] | used[..., :, None])))
    if not anywhere(undetermined):
        return result
    warnings.warn(WARNING.format(name=names[0], values=names[1]), RuntimeWarning, stacklevel=2)
    return np.where(undetermined, np.nan, result)


def size_of(x: Value) -> Value:
    return np.max(np.absolute(x), axis=(-2, -1), keepdims=True)


def eigh_vjp(g: tuple[Value, Value], ans: tuple[Value, Value], _a: Value, uplo: str) -> Value:
    """conj(V) (diag(gw) + F o (V^T gV)) V^T with F_ij = 1 / (w_j - w_i), made Hermitian.

    The cotangent is symmetric although NumPy reads one triangle: it is that of the Hermitian matrix.
    """
    del uplo
    of_w, of_v = g
    w, v = ans
    if shape_of(v)[-1] == 0:
        return np.zeros(shape_of(v), dtype_of(v))
    turned = transposed(v)
    if absent(of_v):
        return (conjugated(v) * of_w[..., None, :]) @ turned
    m = turned @ of_v
    middle = 0.5 * over_gaps(m - adjoint(m), w, of_w, size_of(m), ("eigh", "eigvalsh")) + on_diagonal(of_w)
    return conjugated(v) @ middle @ turned


eigh = Primitive("eigh", lambda a, uplo: np.linalg.eigh(a, uplo), multiple=True)
vjp_rules[eigh] = VjpEntry({0: eigh_vjp}, check=TRUST)
defindexset(eigh, per_matrix)
defbatch(eigh, as_it_is(eigh))


def determined(turn: Value, denominators: Value, equal: Value, scale: Value) -> Value:
    """`turn / denominators`; where these vanish 0 if `turn` does, up to rounding, and else NaN: not determined."""
    rounding = 100 * shape_of(turn)[-1] * float(np.finfo(dtype_of(denominators)).eps)
    quotient = np.where(equal, 0, turn / np.where(equal, 1, denominators))
    return np.where(equal & (np.absolute(turn) > rounding * scale), np.nan, quotient)


def gaps_of(w: Value, sign: float) -> tuple[Value, Value]:
    """`w[j] + sign w[i]`, and where that is zero up to rounding."""
    gaps = w[..., None, :] + sign * w[..., :, None]
    rounding = 100 * shape_of(w)[-1] * float(np.finfo(dtype_of(w)).eps)
    return gaps, np.absolute(gaps) <= rounding * np.max(np.absolute(w), axis=-1)[..., None, None]


def resolved(m: Value, equal: Value) -> Value:
    """The rotation among vectors of equal values that makes m diagonal there, as it is on the side where m points to.

    The blocks are set apart by shifts, so that no vector mixes two of them.
    """
    block = np.argmax(equal, axis=-1)
    shift = 4 * (size_of(m)[..., 0] + 1e-300) * block
    return np.linalg.eigh(np.where(equal, m, 0) + on_diagonal(shift))[1]


def eigh_on_side(w: Value, v: Value, m: Value, equal: Value, gaps: Value) -> tuple[Germ, Germ]:
    """Values and vectors moving along M, from a point where values are equal."""
    turn = resolved(m, equal)
    m, v = adjoint(turn) @ m @ turn, v @ turn
    turned = np.where(equal, 0, m / np.where(equal, 1, gaps))
    return Germ(w, np.real(np.diagonal(m, axis1=-2, axis2=-1))), Germ(v, v @ turned)


def eigh_jvp(tangents: Tangents, ans: tuple[Value, Value], _a: Value, uplo: str) -> tuple[Value, Value]:
    """dw = diag M and dV = V (F o M) with M = V^H dA V, dA made Hermitian, and F_ij = 1 / (w_j - w_i), 0 for equal values.

    Where values are equal, the vectors on either side are those that make M diagonal.
    """
    del uplo
    w, v = ans
    (t,) = tangents
    if shape_of(v)[-1] == 0:
        return np.zeros_like(w), np.zeros_like(v)
    m = adjoint(v) @ (0.5 * (t + adjoint(t))) @ v
    gaps, equal = gaps_of(w, -1)
    if not anywhere(equal & ~np.eye(shape_of(v)[-1], dtype=bool)):
        return np.real(np.diagonal(m, axis1=-2, axis2=-1)), v @ np.where(equal, 0, m / np.where(equal, 1, gaps))
    sides = [eigh_on_side(w, v, side, equal, gaps) for side in (m, -m)]
    return Cusp(sides[0][0], sides[1][0]), Cusp(sides[0][1], sides[1][1], torn=True)


defjvp_joint(eigh, eigh_jvp)


def apart(turn: Value, equal: Value) -> Value:
    """Where the block of vectors of equal values is no multiple of the identity: then the values move apart."""
    rounding = 100 * shape_of(turn)[-1] * float(np.finfo(dtype_of(turn)).eps) * size_of(turn)
    diagonal = np.diagonal(turn, axis1=-2, axis2=-1)
    differs = np.absolute(diagonal[..., None, :] - diagonal[..., :, None]) > rounding
    off = np.absolute(turn * (1 - np.eye(shape_of(turn)[-1]))) > rounding
    return np.logical_and(equal, np.logical_or(off, differs))


def phases(turned: Series, vectors: Series, n: int) -> Value:
    """The diagonal of V_0^H V_n for which every vector is at any t orthogonal to its own derivative, as in `eigh_jvp`."""
    total = series.combined(operator.matmul, turned, series.slopes(vectors), n, 1, n - 1)
    return 0.0 if total is None else -np.diagonal(total, axis1=-2, axis2=-1) / n


def eigh_series(taylor: Kinks, ans: tuple[Value, Value], a: Series, uplo: str) -> tuple[Series, Series]:
    """By A V = V diag(w), whose new terms are A_0 V_n - V_n W_0 - V_0 W_n = -R, so, with P = V_0^H R,

    w_n = diag P and (V_0^H V_n)_ij = P_ij / (w_j - w_i): perturbation theory. The diagonal is a matter of `phases`.
    """
    del uplo
    w, v = [ans[0]], [ans[1]]
    size = shape_of(v[0])[-1]
    if size == 0:
        return series.still(w[0], a), series.still(v[0], a)
    turned = [adjoint(v[0])]
    gaps, equal = gaps_of(w[0], -1)
    equal = np.logical_and(equal, ~np.eye(size, dtype=bool))
    divisor = np.where(np.logical_or(equal, np.eye(size, dtype=bool)), 1, gaps)
    a = [a[0], *series.each(lambda c: 0.5 * (c + adjoint(c)), a[1:])]
    for n in range(1, len(a)):
        rest = series.combined(operator.matmul, a, v, n, 1, n)
        rest = series.minus(rest, series.combined(lambda x, y: x * y[..., None, :], v, w, n, 1, n - 1))
        p = np.zeros_like(v[0]) if rest is None else turned[0] @ rest
        lost = apart(p, equal)
        if anywhere(lost):
            taylor.kink("numpy.linalg.eigh of a matrix with equal eigenvalues that move apart")
        w.append(np.real(np.diagonal(p, axis1=-2, axis2=-1)) + np.where(np.any(lost, axis=-1), np.nan, 0.0))
        across = np.where(equal, np.where(lost, np.nan, 0.0), p / divisor) * (1 - np.eye(size))
        v.append(v[0] @ (across + on_diagonal(phases(turned, v, n) + 0 * w[0])))
        turned.append(adjoint(v[n]))
    return w, v


deftaylor(eigh, eigh_series)


def svd_vjp(g: tuple[Value, Value, Value], ans: tuple[Value, Value, Value], _a: Value, hermitian: bool) -> Value:
    """With a = U^H gU, b = V^H gV and x' = x - x^H, of the conjugated cotangents:

    U [ diag(gs) + (a' + b')_ij / 2 (s_j - s_i) + (a' - b')_ij / 2 (s_j + s_i) ] V^H
    + (I - U U^H) gU S^-1 V^H + U S^-1 gV^H (I - V V^H)
    """
    del hermitian
    u, s, vh = ans
    of_s = g[1]
    if shape_of(s)[-1] == 0:
        return np.zeros((*shape_of(u)[:-1], shape_of(vh)[-1]), dtype_of(u))
    if absent(g[0]) and absent(g[2]):
        return (conjugated(u) * of_s[..., None, :]) @ conjugated(vh)
    of_u, of_v = conjugated(g[0]), transposed(g[2])
    a, b = adjoint(u) @ of_u, vh @ of_v
    scale = np.maximum(size_of(a), size_of(b))
    a, b = a - adjoint(a), b - adjoint(b)
    names = ("svd", "svdvals")
    middle = over_gaps(a + b, s, of_s, scale, names) + over_sums(a - b, s, scale, names)
    result = u @ (0.5 * middle + on_diagonal(of_s)) @ vh
    rank, rows, columns = shape_of(s)[-1], shape_of(u)[-2], shape_of(vh)[-1]
    if rows > rank and not absent(g[0]):
        outside = of_u / s[..., None, :]
        result = result + (outside - u @ (adjoint(u) @ outside)) @ vh
    if columns > rank and not absent(g[2]):
        outside = adjoint(of_v / s[..., None, :])
        result = result + u @ (outside - (outside @ adjoint(vh)) @ vh)
    return conjugated(result)


def over_sums(turn: Value, s: Value, scale: Value, names: tuple[str, str]) -> Value:
    """`turn[i, j] / (s[j] + s[i])`. Vectors of vanishing values turn by themselves, left and right."""
    n = shape_of(s)[-1]
    rounding = 100 * n * float(np.finfo(dtype_of(s)).eps)
    sums = s[..., None, :] + s[..., :, None]
    vanishing = sums <= rounding * np.max(s, axis=-1)[..., None, None]
    result = np.where(vanishing, 0, turn / np.where(vanishing, 1, sums))
    undetermined = vanishing & (np.absolute(turn) > rounding * scale)
    if not anywhere(undetermined):
        return result
    warnings.warn(WARNING.format(name=names[0], values=names[1]), RuntimeWarning, stacklevel=2)
    return np.where(undetermined, np.nan, result)


# The reduced decomposition.
svd = Primitive("svd", lambda a, hermitian: np.linalg.svd(a, full_matrices=False, hermitian=hermitian), multiple=True)
vjp_rules[svd] = VjpEntry({0: svd_vjp}, check=TRUST)
defindexset(svd, per_matrix)


def svd_jvp(
    tangents: Tangents, ans: tuple[Value, Value, Value], _a: Value, hermitian: bool
) -> tuple[Value, Value, Value]:
    """With X = U^H dA V: ds = Re diag X, dU = U (P + Q) / 2 and dV = V (P - Q) / 2 inside of the spans of U and V, where
    P_ij = (X + X^H)_ij / (s_j - s_i) and Q_ij = (X - X^H)_ij / (s_j + s_i); outside of them dA V / s and dA^H U / s.

    Where values are equal, the vectors on either side are those that make X + X^H diagonal.
    """
    del hermitian
    u, s, vh = ans
    (t,) = tangents
    if shape_of(s)[-1] == 0:
        return np.zeros_like(u), np.zeros_like(s), np.zeros_like(vh)
    gaps, equal = gaps_of(s, -1)
    if not anywhere(equal & ~np.eye(shape_of(s)[-1], dtype=bool)):
        return svd_moved(u, s, vh, t, gaps, equal)
    sides = []
    for side in (t, -t):
        x = adjoint(u) @ side @ adjoint(vh)
        turn = resolved(x + adjoint(x), equal)
        values = (u @ turn, s, adjoint(turn) @ vh)
        sides.append([Germ(*each) for each in zip(values, svd_moved(*values, side, gaps, equal), strict=True)])
    (right_u, right_s, right_v), (left_u, left_s, left_v) = sides
    return Cusp(right_u, left_u, torn=True), Cusp(right_s, left_s), Cusp(right_v, left_v, torn=True)


def svd_moved(u: Value, s: Value, vh: Value, t: Value, gaps: Value, equal: Value) -> tuple[Value, Value, Value]:
    """The tangents of a decomposition in which vectors of equal values do not turn into each other."""
    rank, rows, columns = shape_of(s)[-1], shape_of(u)[-2], shape_of(vh)[-1]
    v = adjoint(vh)
    x = adjoint(u) @ t @ v
    p = np.where(equal, 0, (x + adjoint(x)) / np.where(equal, 1, gaps))
    q = determined(x - adjoint(x), *gaps_of(s, 1), size_of(x))
    of_u, of_v = 0.5 * (u @ (p + q)), 0.5 * (v @ (p - q))
    divisor = np.where(s == 0, np.nan, s)[..., None, :]
    if rows > rank:
        outside = t @ v / divisor
        of_u = of_u + outside - u @ (adjoint(u) @ outside)
    if columns > rank:
        outside = adjoint(t) @ u / divisor
        of_v = of_v + outside - v @ (vh @ outside)
    return of_u, np.real(np.diagonal(x, axis1=-2, axis2=-1)), adjoint(of_v)


defjvp_joint(svd, svd_jvp)
defbatch(svd, as_it_is(svd))


def svd_series(
    taylor: Kinks, ans: tuple[Value, Value, Value], a: Series, hermitian: bool
) -> tuple[Series, Series, Series]:
    """By A V = U S and A^H U = V S, whose new terms are A_0 V_n - U_n S_0 - U_0 S_n = -R and the like with R'.

    With P = U_0^H R, Q = V_0^H R', X = U_0^H U_n and Y = V_0^H V_n: (X + Y)_ij = (P + Q)_ij / (s_j - s_i) and
    (X - Y)_ij = (P - Q)_ij / (s_j + s_i). Outside of the spans of U_0 and V_0 there are R / s and R' / s.
    """
    del hermitian
    u, s, vh = [ans[0]], [ans[1]], [ans[2]]
    rank, rows, columns = shape_of(s[0])[-1], shape_of(u[0])[-2], shape_of(vh[0])[-1]
    if rank == 0:
        return series.still(u[0], a), series.still(s[0], a), series.still(vh[0], a)
    v, back = [adjoint(vh[0])], series.each(adjoint, a)
    turned, zeros = [adjoint(u[0])], (np.zeros_like(u[0]), np.zeros_like(v[0]))
    diagonal = np.eye(rank, dtype=bool)
    gaps, equal = gaps_of(s[0], -1)
    sums, vanishing = gaps_of(s[0], 1)
    equal = np.logical_and(equal, ~diagonal)
    gaps, sums = np.where(np.logical_or(equal, diagonal), 1, gaps), np.where(vanishing, 1, sums)
    none = np.diagonal(vanishing, axis1=-2, axis2=-1)
    if anywhere(none):
        taylor.kink("numpy.linalg.svd of a matrix with a singular value of zero")
    divisor = np.where(none, np.nan, s[0])[..., None, :]
    for n in range(1, len(a)):
        of_u = rest_of(a, v, u, s, n, zeros[0])
        of_v = rest_of(back, u, v, s, n, zeros[1])
        p, q = turned[0] @ of_u, vh[0] @ of_v
        used = np.absolute(p) + np.absolute(q)
        used = used > 100 * rank * float(np.finfo(dtype_of(s[0])).eps) * np.max(used, axis=(-2, -1), keepdims=True)
        lost = np.logical_or(apart(p + q, equal), np.logical_and(vanishing, used))
        if anywhere(lost):
            taylor.kink("numpy.linalg.svd of a matrix with equal singular values that move apart")
        nan = np.where(lost, np.nan, 0.0)
        both = np.where(equal, 0, (p + q) / gaps) * ~diagonal + nan
        both = both + on_diagonal(phases(turned, u, n) + phases(vh, v, n) + 0 * s[0])
        difference = np.where(vanishing, 0, (p - q) / sums)
        s.append(0.5 * np.real(np.diagonal(p + q, axis1=-2, axis2=-1)) + np.where(np.any(lost, axis=-1), np.nan, 0.0))
        x, y = u[0] @ (0.5 * (both + difference)), v[0] @ (0.5 * (both - difference))
        if rows > rank:
            x = x + (of_u - u[0] @ p) / divisor
        if columns > rank:
            y = y + (of_v - v[0] @ q) / divisor
        u.append(x)
        v.append(y)
        turned.append(adjoint(x))
        vh.append(adjoint(y))
    return u, s, vh


def rest_of(a: Series, v: Series, u: Series, s: Series, n: int, zero: Value) -> Value:
    """The terms of order n of A V - U S of which all factors are known."""
    rest = series.combined(operator.matmul, a, v, n, 1, n)
    rest = series.minus(rest, series.combined(lambda x, y: x * y[..., None, :], u, s, n, 1, n - 1))
    return zero if rest is None else rest


deftaylor(svd, svd_series)
