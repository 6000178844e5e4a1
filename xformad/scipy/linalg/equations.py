"""Linear equations for matrices: Sylvester's and Lyapunov's."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import aligned, defbatch
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.operations.linalg_solve import adjoint, transposed
from xformad.operations.makers import smooth
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import stacked


def sylvester_value(a: Value, b: Value, q: Value) -> Value:
    dtype = np.result_type(a, b, q, np.float32)

    def solution(a: Value, b: Value, q: Value) -> Value:
        if q.size == 0:
            return np.zeros(q.shape, dtype)
        if np.result_type(a, b).kind != "c" and q.dtype.kind == "c":  # SciPy's goes by real Schur forms then
            real = scipy.linalg.solve_sylvester(a, b, q.real)
            return (real + 1j * scipy.linalg.solve_sylvester(a, b, q.imag)).astype(dtype)
        return scipy.linalg.solve_sylvester(*[x.astype(dtype) for x in (a, b, q)])

    return stacked(solution, a, b, q)


# A X + X B = Q. With Z the solution of A^T Z + Z B^T = gX: gQ = Z, gA = -Z X^T and gB = -X^T Z.
sylvester: Primitive = smooth(
    "solve_sylvester",
    sylvester_value,
    lambda g, ans, a, b, _q: -(sylvester(transposed(a), transposed(b), g) @ transposed(ans)),
    lambda g, ans, a, b, _q: -(transposed(ans) @ sylvester(transposed(a), transposed(b), g)),
    lambda g, _ans, a, b, _q: sylvester(transposed(a), transposed(b), g),
)


def sylvester_jvp(tangents: Tangents, ans: Value, a: Value, b: Value, q: Value) -> Value:
    """A dX + dX B = dQ - dA X - X dB."""
    of_a, of_b, rest = tangents
    if of_a is not None:
        rest = series.minus(rest, of_a @ ans)
    if of_b is not None:
        rest = series.minus(rest, ans @ of_b)
    return sylvester(a, b, rest)


defjvp_joint(sylvester, sylvester_jvp, strict=False)
defindexset(sylvester, per_matrix)
defbatch(sylvester, aligned(sylvester))


def sylvester_series(_taylor: Kinks, ans: Value, a: Series, b: Series, q: Series) -> Series:
    x = [ans]
    for n in range(1, len(q)):
        rest = series.minus(q[n], series.combined(operator.matmul, a, x, n, 1, n))
        rest = series.minus(rest, series.combined(operator.matmul, x, b, n, 0, n - 1))
        x.append(None if rest is None else sylvester(a[0], b[0], rest))
    return x


deftaylor(sylvester, sylvester_series)


@face(scipy.linalg.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Value:
    """The X with A X + X B = Q, as `scipy.linalg.solve_sylvester` computes it, by Schur forms of A and B.

    Args:
        a: the matrix A, or a stack of them, shape (..., m, m).
        b: the matrix B, shape (..., n, n).
        q: the right-hand side, shape (..., m, n).

    >>> from xformad import grad
    >>> grad(lambda s: solve_sylvester(s * np.eye(2), np.eye(2), np.eye(2))[0, 0])(1.0)
    np.float64(-0.25)
    """
    return sylvester(array(a, False), array(b, False), array(q, False))


@face(scipy.linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Value:
    """The X with A X + X A^H = Q, as `scipy.linalg.solve_continuous_lyapunov` computes it.

    >>> from xformad import grad
    >>> grad(lambda s: solve_continuous_lyapunov(s * np.eye(2), np.eye(2))[0, 0])(1.0)
    np.float64(-0.5)
    """
    a, q = array(a), array(q)
    for name, x in (("a", a), ("q", q)):
        if shape_of(x)[-1] != shape_of(x)[-2]:
            raise ValueError(f"Matrix {name} should be square.")
    if shape_of(a)[-1] != shape_of(q)[-1]:
        raise ValueError("Matrix a and q should have the same shape.")
    return sylvester(a, adjoint(a), q)


@face(scipy.linalg.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Value:
    """The X with A X A^H - X + Q = 0, as `scipy.linalg.solve_discrete_lyapunov` computes it.

    Args:
        a: the matrix A, or a stack of them, shape (..., n, n).
        q: the matrix Q, shape (..., n, n).
        method: "direct", a system of n^2 equations, or "bilinear"; None: the first for n < 10.

    >>> from xformad import grad
    >>> grad(lambda s: solve_discrete_lyapunov(s * np.eye(2), np.eye(2))[0, 0])(0.5).round(6)
    np.float64(1.777778)
    """
    a, q = array(a, False), array(q, False)
    n = shape_of(a)[-1]
    name = ("bilinear" if n >= 10 else "direct") if method is None else method.lower()
    identity = np.eye(n)
    if name == "direct":
        product = np.einsum("...ij,...kl->...ikjl", a, np.conjugate(a))
        product = np.reshape(product, (*shape_of(product)[:-4], n * n, n * n))
        columns = np.reshape(q, (*shape_of(q)[:-2], n * n, 1))
        found = np.linalg.solve(np.eye(n * n) - product, columns)
        return np.reshape(found, (*shape_of(found)[:-2], n, n))
    if name == "bilinear":
        inverse = np.linalg.inv(adjoint(a) + identity)
        b = adjoint((adjoint(a) - identity) @ inverse)
        return sylvester(b, adjoint(b), -2 * (np.linalg.inv(a + identity) @ q @ inverse))
    raise ValueError(f"Unknown solver {method}")
