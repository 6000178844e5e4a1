"""Triangular factorisations of stacks of matrices: `cholesky`, `qr`."""

from __future__ import annotations

import operator

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.cotangents import absent
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations.linalg_solve import adjoint, conjugated, solve, transposed
from xformad.operations.makers import smooth


def triangle(x: Value) -> Value:
    """Which entries of a matrix are below the diagonal, and half of the diagonal: 1, 1/2, 0."""
    n = shape_of(x)[-1]
    dtype = dtype_of(x).type(0).real.dtype
    mask = np.tri(n, dtype=dtype)
    mask[range(n), range(n)] = 0.5
    return mask


def cholesky_vjp(g: Value, ans: Value, _a: Value) -> Value:
    """L^-T P conj(L)^-1 with P the lower triangle, its diagonal halved, of L^T G; made Hermitian.

    I. Murray, "Differentiation of the Cholesky decomposition" (2016). The cotangent is symmetric although NumPy reads
    one triangle: it is that of the Hermitian matrix.
    """
    turned = transposed(ans)
    p = (turned @ g) * triangle(ans)
    half = solve(turned, p + adjoint(p))
    return 0.5 * adjoint(solve(turned, adjoint(half)))


# The lower factor.
cholesky: Primitive = smooth("cholesky", np.linalg.cholesky, cholesky_vjp, check=TRUST)
defindexset(cholesky, per_matrix)
defbatch(cholesky, as_it_is(cholesky))


def cholesky_jvp(t: Value, ans: Value, _a: Value) -> Value:
    """L P with P the lower triangle, its diagonal halved, of L^-1 dA L^-H; dA made Hermitian."""
    half = solve(ans, 0.5 * (t + adjoint(t)))
    return ans @ (adjoint(solve(ans, adjoint(half))) * triangle(ans))


defjvp(cholesky, cholesky_jvp)


def cholesky_series(_taylor: Kinks, ans: Value, a: Series) -> Series:
    """By L L^H = A, whose new terms are L_0 L_n^H + L_n L_0^H: as in the first derivative."""
    factor, turned = [ans], [adjoint(ans)]
    for n in range(1, len(a)):
        rest = series.minus(a[n], series.combined(operator.matmul, factor, turned, n, 1, n - 1))
        factor.append(None if rest is None else cholesky_jvp(rest, ans, None))
        turned.append(None if rest is None else adjoint(factor[n]))
    return factor


deftaylor(cholesky, cholesky_series)


def qr_vjp(g: tuple[Value, Value], ans: tuple[Value, Value], a: Value) -> Value:
    """[gQ + Q (M + M^H)] R^-H of the conjugated cotangents, M the upper triangle, halved diagonal, of gR R^H - Q^H gQ.

    S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum
    experimental design" (2010). For a wide matrix [X, Y] = Q [U, V], the columns Y give gY = Q gV and add Y gV^H to gQ:
    D. Roberts and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms ..." (2020).
    """
    q, r = ans
    of_q, of_r = conjugated(g[0]), conjugated(g[1])
    rank = shape_of(q)[-1]
    rest = None
    if shape_of(r)[-1] > rank:
        rest = q @ of_r[..., rank:]
        of_q = of_q + a[..., rank:] @ adjoint(of_r[..., rank:])
        r, of_r = r[..., :rank], of_r[..., :rank]
    m = -(adjoint(q) @ of_q) if absent(g[1]) else of_r @ adjoint(r) - adjoint(q) @ of_q
    m = m * triangle(r).T
    inner = of_q + q @ (m + adjoint(m))
    result = adjoint(solve(r, adjoint(inner)))
    return conjugated(result if rest is None else np.concatenate([result, rest], axis=-1))


# The reduced factorisation.
qr = Primitive("qr", np.linalg.qr, multiple=True)
vjp_rules[qr] = VjpEntry({0: qr_vjp}, check=TRUST)
defindexset(qr, per_matrix)
defbatch(qr, as_it_is(qr))


def qr_series(_taylor: Kinks, ans: tuple[Value, Value], a: Series) -> tuple[Series, Series]:
    """By Q R = A and Q^H Q = I, whose new terms are Q_0 R_n + Q_n R_0 = B R_0 and X + X^H = -S with X = Q_0^H Q_n.

    Q_0^H B = X + R_n R_0^-1, and the second term is upper triangular with a real diagonal: so this gives X below the
    diagonal. The columns of a wide matrix beyond its rows are Q^H times those of A.
    """
    rank = shape_of(ans[0])[-1]
    lower = np.tri(rank, k=-1)
    diagonal = np.eye(rank)
    wide = shape_of(ans[1])[-1] > rank
    q, r = [ans[0]], [ans[1][..., :rank]]
    turned = [adjoint(ans[0])]
    for n in range(1, len(a)):
        rest = series.combined(operator.matmul, q, r, n, 1, n - 1)
        rest = series.minus(None if a[n] is None else a[n][..., :rank], rest)
        rest = np.zeros_like(ans[0]) if rest is None else rest
        s = series.combined(operator.matmul, turned, q, n, 1, n - 1)
        s = np.zeros_like(r[0]) if s is None else s
        b = adjoint(solve(adjoint(r[0]), adjoint(rest)))
        c = turned[0] @ b
        below = lower * c
        x = below - adjoint(below) - lower.T * s + diagonal * (c - 0.5 * (c + adjoint(c) + s))
        q.append(b - q[0] @ (c - x))
        r.append((c - x) @ r[0])
        turned.append(adjoint(q[n]))
    if wide:
        beyond = series.products(operator.matmul, None, turned, series.each(lambda c: c[..., rank:], a))
        none = np.zeros_like(ans[1][..., rank:])
        joined = zip(r[1:], beyond[1:], strict=True)
        r = [ans[1], *[np.concatenate([x, none if y is None else y], axis=-1) for x, y in joined]]
    return q, r


deftaylor(qr, qr_series)
