"""Triangular factorisations of stacks of matrices: `cholesky`, `qr`."""

from __future__ import annotations

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.cotangents import absent
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import defjvp
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
