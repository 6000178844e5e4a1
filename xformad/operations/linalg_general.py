"""Eigenvalues and eigenvectors of general square matrices, for stacks of them: `eig`.

The vectors are normalised to length one; their phase is arbitrary, so a function of the matrix must not depend on it.
Formulas: M. Giles (2008), cited in `linalg_solve`; with the normalisation: C. Boeddeker, P. Hanebrink, L. Drude,
J. Heymann and R. Haeb-Umbach, "On the computation of complex-valued gradients with application to statistically optimum
beamforming" (2017). At equal eigenvalues what is said in `linalg_spectral` holds. A matrix without a full set of
eigenvectors is refused by NumPy, which cannot invert those.
"""

from __future__ import annotations

import operator

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.cotangents import absent, cast
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations.linalg_solve import solve, transposed
from xformad.operations.linalg_spectral import determined, gaps_of, on_diagonal, over_gaps, size_of


def diagonal_of(x: Value) -> Value:
    return np.diagonal(x, axis1=-2, axis2=-1)


def eig_vjp(g: tuple[Value, Value], ans: tuple[Value, Value], _a: Value) -> Value:
    """V^-T (diag(gw) + F o (M - V^T conj(V) diag(Re M))) V^T with M = V^T gV and F_ij = 1 / (w_j - w_i)."""
    of_w, of_v = g
    w, v = ans
    if shape_of(v)[-1] == 0:
        return np.zeros(shape_of(v), dtype_of(_a))
    turned = transposed(v)
    middle = on_diagonal(of_w)
    if not absent(of_v):
        m = turned @ of_v
        along = (turned @ np.conjugate(v)) * np.real(diagonal_of(m))[..., None, :]
        middle = middle + over_gaps(m - along, w, of_w, size_of(m), ("eig", "eigvals"))
    return cast(solve(turned, middle @ turned), dtype_of(_a))


eig = Primitive("eig", np.linalg.eig, multiple=True)
vjp_rules[eig] = VjpEntry({0: eig_vjp}, check=TRUST)


def eig_jvp(tangents: Tangents, ans: tuple[Value, Value], _a: Value) -> tuple[Value, Value]:
    """dw = diag M and dV = V (F o M) with M = V^-1 dA V, less the part of dV along V that would change its length."""
    w, v = ans
    (t,) = tangents
    if shape_of(v)[-1] == 0:
        return np.zeros_like(w), np.zeros_like(v)
    m = solve(v, t @ v)
    across = m * (1 - np.eye(shape_of(v)[-1], dtype=dtype_of(v)))
    moved = v @ determined(across, *gaps_of(w, -1), size_of(m))
    along = np.real(np.sum(np.conjugate(v) * moved, axis=-2))
    return diagonal_of(m), moved - v * along[..., None, :]


defjvp_joint(eig, eig_jvp, strict=False)
defindexset(eig, per_matrix)
defbatch(eig, as_it_is(eig))


def eig_series(_taylor: Kinks, ans: tuple[Value, Value], a: Series) -> tuple[Series, Series]:
    """By A V = V diag(w), as for `eigh`: with P = V_0^-1 R of what is known at order n,

    w_n = diag P and (V_0^-1 V_n)_ij = P_ij / (w_j - w_i), less the part along V_0 that would change the length.
    """
    w, v = [ans[0]], [ans[1]]
    if shape_of(v[0])[-1] == 0:
        return series.still(w[0], a), series.still(v[0], a)
    gaps, equal = gaps_of(w[0], -1)
    distinct = 1 - np.eye(shape_of(v[0])[-1], dtype=dtype_of(v[0]))
    for n in range(1, len(a)):
        known = series.combined(lambda x, y: x * y[..., None, :], v, w, n, 1, n - 1)
        rest = series.minus(series.combined(operator.matmul, a, v, n, 1, n), known)
        p = np.zeros_like(v[0]) if rest is None else solve(v[0], rest)
        moved = v[0] @ determined(p * distinct, gaps, equal, size_of(p))
        along = np.real(np.sum(np.conjugate(v[0]) * moved, axis=-2))
        lengths = series.combined(lambda x, y: np.real(np.sum(np.conjugate(x) * y, axis=-2)), v, v, n, 1, n - 1)
        w.append(diagonal_of(p))
        v.append(moved - v[0] * series.plus(along, None if lengths is None else 0.5 * lengths)[..., None, :])
    return w, v


deftaylor(eig, eig_series)
