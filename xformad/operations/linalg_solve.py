"""Inverses and linear systems, for stacks of matrices: `inv`, `solve`, `pinv`.

The formulas are those of M. Giles, "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), with plain transposes: see docs/conventions.md.
"""

from __future__ import annotations

import operator

import numpy as np

from xformad.core.interpreter import dtype_of, ndim_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import Batched, as_it_is, defbatch, lined_up
from xformad.interpreters.dependence import Dependence, united
from xformad.interpreters.index_sets import Dependences, along_axes, defindexset, per_matrix, present
from xformad.interpreters.jvp_rules import Tangents, defjvp, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.interpreters.vjp_rules import TRUST
from xformad.operations.makers import smooth


def transposed(x: Value) -> Value:
    """The matrices of a stack transposed."""
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


def conjugated(x: Value) -> Value:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


def adjoint(x: Value) -> Value:
    """The matrices of a stack transposed and conjugated."""
    return conjugated(transposed(x))


def inv_vjp(g: Value, ans: Value, _x: Value) -> Value:
    """- X^-T G X^-T."""
    turned = transposed(ans)
    return -(turned @ (g @ turned))


inv: Primitive = smooth("inv", np.linalg.inv, inv_vjp, check=TRUST)
defjvp(inv, lambda t, ans, _x: -(ans @ (t @ ans)))
defindexset(inv, per_matrix)
defbatch(inv, as_it_is(inv))


def inv_series(_taylor: Kinks, ans: Value, x: Series) -> Series:
    """By Y X = I."""
    y = [ans]
    for n in range(1, len(x)):
        rest = series.combined(operator.matmul, x, y, n, 1, n)
        y.append(None if rest is None else -(ans @ rest))
    return y


deftaylor(inv, inv_series)


def solve_transposed(a: Value, g: Value, vector: bool) -> Value:
    """A^-T g, for the right-hand side of a system. For a stack of matrices, that of a vector is a stack of vectors."""
    if vector and a.ndim > 2:
        return solve(transposed(a), g[..., None])[..., 0]
    return solve(transposed(a), g)


def solve_vjp_matrix(g: Value, ans: Value, a: Value, _b: Value) -> Value:
    vector = _b.ndim == 1
    moved = solve_transposed(a, g, vector)
    if vector:
        return -(moved[..., None] * ans[..., None, :])
    return -(moved @ transposed(ans))


def solve_vjp_right(g: Value, _ans: Value, a: Value, _b: Value) -> Value:
    return solve_transposed(a, g, _b.ndim == 1)


# b is a vector if it has one axis, else a stack of matrices.
solve: Primitive = smooth("solve", np.linalg.solve, solve_vjp_matrix, solve_vjp_right)


def solve_index_set(dependences: Dependences, ans: Value, a: Value, b: Value) -> Dependence:
    """A column of the result depends on that of b and on the whole matrix."""
    if np.ndim(b) == 1:
        found: Dependence = per_matrix(dependences, ans, a, b[:, None])
        return found
    rules = (along_axes(-2, -1), along_axes(-2))
    each = [rules[i]((None,) * i + (of_argument,), ans, a, b) for i, of_argument in present(dependences)]
    return united(each)


defindexset(solve, solve_index_set)


def solve_jvp(tangents: Tangents, ans: Value, a: Value, b: Value) -> Value:
    """A dx = db - dA x. For a stack of matrices, a vector on the right gives a stack of vectors."""
    of_a, of_b = tangents
    if of_a is None:
        return solve(a, of_b)
    if b.ndim > 1:
        moved = of_a @ ans
        return solve(a, -moved if of_b is None else of_b - moved)
    moved = (of_a @ ans[..., None])[..., 0]
    return solve(a, (-moved if of_b is None else of_b - moved)[..., None])[..., 0]


defjvp_joint(solve, solve_jvp)


def solve_batch(_size: int, batched: Batched, a: Value, b: Value) -> Value:
    if not batched[1]:
        return solve(a, b) if ndim_of(b) == 1 else solve(*lined_up(batched, (a, b)))
    vector = b.ndim == 2
    if not batched[0] and a.ndim == 2 and b.ndim <= 3:  # one factorisation: the right-hand sides side by side
        columns = b if vector else np.moveaxis(b, 2, 1).reshape((b.shape[0] * b.shape[2], b.shape[1]))
        found = solve(a, columns.T).T
        return found if vector else np.moveaxis(found.reshape((b.shape[0], b.shape[2], b.shape[1])), 1, 2)
    return solve(*lined_up(batched, (a, b[..., None])))[..., 0] if vector else solve(*lined_up(batched, (a, b)))


defbatch(solve, solve_batch)


def solve_series(_taylor: Kinks, ans: Value, a: Series, b: Series) -> Series:
    """By A x = b, for columns."""
    vector = ndim_of(b[0]) == 1
    x, b = ([c if c is None or not vector else c[..., None] for c in y] for y in ([ans], b))
    for n in range(1, len(a)):
        rest = series.minus(b[n], series.combined(operator.matmul, a, x, n, 1, n))
        x.append(None if rest is None else solve(a[0], rest))
    return series.each(lambda c: c[..., 0], x) if vector else x


deftaylor(solve, solve_series)


def pinv_vjp(g: Value, ans: Value, a: Value, rcond: float | None, hermitian: bool) -> Value:
    """The derivative where the rank is constant: Golub and Pereyra, "The differentiation of pseudo-inverses ..." (1973).

    dP = - P dA P + P P^H dA^H (I - A P) + (I - P A) dA^H P^H P
    """
    del rcond, hermitian
    g = conjugated(g)
    turned, back = adjoint(ans), adjoint(g)
    left = back @ (ans @ turned)
    right = (turned @ ans) @ back
    gradient = left - a @ (ans @ left) + right - (right @ ans) @ a - turned @ g @ turned
    return conjugated(gradient)


pinv: Primitive = smooth(
    "pinv",
    lambda a, rcond, hermitian: np.linalg.pinv(a, hermitian=hermitian, **({} if rcond is None else {"rcond": rcond})),
    pinv_vjp,
    check=TRUST,
)
defindexset(pinv, per_matrix)


def pinv_jvp(t: Value, ans: Value, a: Value, rcond: float | None, hermitian: bool) -> Value:
    """The formula of `pinv_vjp`."""
    del rcond, hermitian
    turned, back = adjoint(ans), adjoint(t)
    left = (ans @ turned) @ back
    right = back @ (turned @ ans)
    return left - (left @ a) @ ans + right - ans @ (a @ right) - ans @ t @ ans


defjvp(pinv, pinv_jvp)
defbatch(pinv, as_it_is(pinv))


def pinv_series(_taylor: Kinks, ans: Value, a: Series, rcond: float | None, hermitian: bool) -> Series:
    """The formula of `pinv_vjp` as a differential equation, one order after the other."""
    del rcond, hermitian
    rates = series.slopes(a)
    back = series.each(adjoint, rates)
    p, turned = [ans], [adjoint(ans)]
    after: Series = []  # P P^H
    before: Series = []  # P^H P
    outer: Series = []  # A P
    inner: Series = []  # P A
    left, right, moved = [None], [None], [None]  # P P^H t A'^H, t A'^H P^H P and P t A', which have nothing at 0
    for n in range(1, len(a)):
        for found, x, y in ((after, p, turned), (before, turned, p), (outer, a, p), (inner, p, a)):
            found.append(series.combined(operator.matmul, x, y, n - 1, 0, n - 1))
        left.append(series.combined(operator.matmul, after, back, n, 0, n - 1))
        right.append(series.combined(operator.matmul, back, before, n, 1, n))
        moved.append(series.combined(operator.matmul, p, rates, n, 0, n - 1))
        total = series.plus(left[n], right[n])
        total = series.minus(total, series.combined(operator.matmul, left, outer, n, 1, n))
        total = series.minus(total, series.combined(operator.matmul, inner, right, n, 0, n - 1))
        total = series.minus(total, series.combined(operator.matmul, moved, p, n, 1, n))
        p.append(series.over(total, n))
        turned.append(None if p[n] is None else adjoint(p[n]))
    return p


deftaylor(pinv, pinv_series)
