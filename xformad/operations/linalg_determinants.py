"""Determinants of stacks of matrices: `det`, `slogdet`.

The gradient of det A is its matrix of cofactors C, which is det(A) A^-T where A is regular and has no quotient in it
where A is not. So C is an operation of its own, and so is its derivative. For singular matrices they go by the
singular value decomposition: the cofactors of a product are the product of the cofactors, those of a unitary matrix U
are det(U) conj(U), and those of a diagonal matrix are products of its other entries.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters import series
from xformad.interpreters.batch_rules import aligned, as_it_is, defbatch
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor import Taylor
from xformad.interpreters.taylor_rules import Kinks, TaylorRule, deftaylor, from_composition
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations.linalg_solve import inv, inv_series, transposed
from xformad.operations.makers import smooth

Array = Any


def regular_inverse(a: Array) -> Array | None:
    """The inverses, if all matrices are regular and so well conditioned that det(A) A^-1 is accurate."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(a).all():
        return inverse
    condition = np.linalg.norm(a, axis=(-2, -1)) * np.linalg.norm(inverse, axis=(-2, -1))
    accurate = bool((condition < np.finfo(a.dtype).eps ** -0.5).all() and np.linalg.det(a).all())
    return inverse if accurate else None


def others(s: Array) -> Array:
    """The products of all entries but one."""
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


def others_but_two(s: Array) -> Array:
    """The matrix of the products of all entries but two; zero on the diagonal."""
    n = s.shape[-1]
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    i, k = np.indices((n, n))
    previous = np.roll(s, 1, axis=-1)[..., None, :]
    between = np.cumprod(np.where(k > i + 1, previous, 1), axis=-1)
    upper = np.where(k > i, before[..., :, None] * between * after[..., None, :], 0)
    return upper + np.swapaxes(upper, -1, -2)


def rotations(a: Array) -> tuple[Array, Array, Array]:
    """(X, s, Y) with A = conj(X) diag(s) conj(Y) up to the factor that makes cofactors of A those of diag(s): X C Y."""
    u, s, vh = np.linalg.svd(a)
    factor = np.linalg.det(u) * np.linalg.det(vh)
    return np.conjugate(u) * factor[..., None, None], s, np.conjugate(vh)


def cofactors_value(a: Array) -> Array:
    if a.shape[-1] == 0:
        return np.zeros_like(a)
    inverse = regular_inverse(a)
    if inverse is not None:
        return np.swapaxes(inverse, -1, -2) * np.linalg.det(a)[..., None, None]
    x, s, y = rotations(a)
    return (x * others(s)[..., None, :]) @ y


def cofactors_change_value(g: Array, a: Array) -> Array:
    """The derivative of the cofactors at A along G, which is the second derivative of det with one slot left open.

    (<G, A^-T> A^-T - A^-T G^T A^-T) det A; for a diagonal matrix, with E the change and p the products of all entries
    but two, it is sum_k p_ik E_kk on the diagonal and - p_ij E_ji elsewhere.
    """
    if a.shape[-1] == 0:
        return np.zeros_like(a)
    inverse = regular_inverse(a)
    if inverse is not None:
        x = np.swapaxes(inverse, -1, -2)
        inner = np.add.reduce(g * x, axis=(-2, -1), keepdims=True)
        return (inner * x - x @ np.swapaxes(g, -1, -2) @ x) * np.linalg.det(a)[..., None, None]
    u, s, vh = np.linalg.svd(a)
    x, _, y = rotations(a)
    change = np.conjugate(np.swapaxes(u, -1, -2)) @ g @ np.conjugate(np.swapaxes(vh, -1, -2))
    products = others_but_two(s)
    inner = (products @ np.diagonal(change, axis1=-2, axis2=-1)[..., None])[..., 0]
    middle = -products * np.swapaxes(change, -1, -2)
    diagonal = np.arange(s.shape[-1])
    middle[..., diagonal, diagonal] = inner
    return x @ middle @ y


def plain(x: Value) -> Value:
    return x.interpreter.plain(x) if type(x) is Tracer else x


def third_derivative(h: Value, _ans: Value, g: Value, a: Value) -> Value:
    """The gradient of <H, C'(A) G> by A, where A is regular, by X = A^-T and dX = - X dA^T X."""
    if a.shape[-1] and regular_inverse(plain(a)) is None:
        raise UnsupportedError("the third derivative of numpy.linalg.det at a singular matrix is not supported")
    x = transposed(np.linalg.inv(a))
    gx, hx = inner(g, x), inner(h, x)
    twice = x @ transposed(g) @ x
    turned = transposed(h)
    total = x * (gx * hx - inner(h, twice)) - hx * twice - gx * (x @ turned @ x)
    return np.linalg.det(a)[..., None, None] * (total + twice @ turned @ x + x @ turned @ twice)


def inner(x: Value, y: Value) -> Value:
    return np.add.reduce(x * y, axis=(-2, -1), keepdims=True)


def characteristic(a: Value) -> list[Value]:
    """The coefficients of det(s I - A), that of s^n first, without a division: singular matrices are no matter.

    The algorithm of Samuelson and Berkowitz: each leading block gives a Toeplitz matrix that takes the coefficients of
    the block before to its own. S. Berkowitz, "On computing the determinant in small parallel time ..." (1984).
    """
    one = np.ones(shape_of(a)[:-2], dtype_of(a))
    coefficients = [one]
    for r in range(shape_of(a)[-1]):
        block, column, row = a[..., :r, :r], a[..., :r, r : r + 1], a[..., r : r + 1, :r]
        toeplitz = [one, -a[..., r, r]]
        for _ in range(r):
            toeplitz.append(-(row @ column)[..., 0, 0])
            column = block @ column
        coefficients = [
            functools.reduce(operator.add, [toeplitz[i - j] * coefficients[j] for j in range(min(i, r) + 1)])
            for i in range(r + 2)
        ]
    return coefficients


def det_by_products(a: Value) -> Value:
    return (-1) ** shape_of(a)[-1] * characteristic(a)[-1]


def cofactors_by_products(a: Value) -> Value:
    """By the theorem of Cayley and Hamilton the adjugate is a polynomial of A: Horner's rule."""
    identity = np.eye(shape_of(a)[-1], dtype=dtype_of(a))
    total = identity
    for c in characteristic(a)[1:-1]:
        total = total @ a + c[..., None, None] * identity
    return (-1) ** (shape_of(a)[-1] - 1) * transposed(total)


def cofactors_change_by_products(g: Value, a: Value) -> Value:
    """The first coefficient of the cofactors of A + s G."""
    with Taylor(1) as taylor:
        change = cofactors_by_products(taylor.input(a, [g]))
    return change.extra[0] if type(change) is Tracer and change.interpreter is taylor else np.zeros_like(a)


def cofactors_by_inverse(a: Value) -> Value:
    return np.linalg.det(a)[..., None, None] * transposed(np.linalg.inv(a))


def cofactors_change_by_inverse(g: Value, a: Value) -> Value:
    x = transposed(np.linalg.inv(a))
    return np.linalg.det(a)[..., None, None] * (inner(g, x) * x - x @ transposed(g) @ x)


def regular_or_not(regular: TaylorRule, singular: TaylorRule) -> TaylorRule:
    """The rule of a function of a matrix, its last argument; one for all matrices that are regular, one for any."""

    def rule(taylor: Kinks, ans: Value, *args: Series) -> Any:
        a = args[-1][0]
        if shape_of(a)[-1] == 0:
            return series.still(ans, args[-1])
        return (singular if regular_inverse(plain(a)) is None else regular)(taylor, ans, *args)

    return rule


def logarithmic_rates(taylor: Kinks, a: Series) -> Series:
    """The series of t tr(A^-1 A'), t times the derivative of log det A."""
    inverse = inv_series(taylor, inv(a[0]), a)
    return series.products(lambda x, c: np.sum(transposed(x) * c, axis=(-2, -1)), None, inverse, series.slopes(a))


cofactors_change: Primitive = smooth(
    "cofactors_change",
    cofactors_change_value,
    lambda h, _ans, _g, a: cofactors_change(h, a),  # second derivatives are symmetric
    third_derivative,
)
defjvp(  # the derivatives of det of every order are symmetric in their directions
    cofactors_change,
    lambda t, _ans, _g, a: cofactors_change(t, a),
    lambda t, ans, g, a: third_derivative(t, ans, g, a),
)
defbatch(cofactors_change, aligned(cofactors_change))
defindexset(cofactors_change, per_matrix)
deftaylor(
    cofactors_change,
    regular_or_not(from_composition(cofactors_change_by_inverse), from_composition(cofactors_change_by_products)),
)

cofactors: Primitive = smooth("cofactors", cofactors_value, lambda g, _ans, a: cofactors_change(g, a))
defjvp(cofactors, lambda t, _ans, a: cofactors_change(t, a))
defbatch(cofactors, as_it_is(cofactors))
defindexset(cofactors, per_matrix)
deftaylor(cofactors, regular_or_not(from_composition(cofactors_by_inverse), from_composition(cofactors_by_products)))

det: Primitive = smooth("det", np.linalg.det, lambda g, _ans, a: weighted(g, cofactors(a)))
defjvp(det, lambda t, _ans, a: np.sum(cofactors(a) * t, axis=(-2, -1)))
defbatch(det, as_it_is(det))
defindexset(det, per_matrix)


deftaylor(
    det,
    regular_or_not(
        lambda taylor, ans, a: series.grown(ans, logarithmic_rates(taylor, a)), from_composition(det_by_products)
    ),
)


def weighted(g: Value, x: Value) -> Value:
    """A number for each matrix of a stack, times the matrix."""
    return g * x if len(shape_of(x)) == 2 else g[..., None, None] * x


def slogdet_vjp(g: tuple[Value, Value], ans: tuple[Value, Value], a: Value) -> Value:
    """A^-T for the logarithm. The complex sign exp(i Im log det A) turns with the imaginary part of tr(A^-1 dA)."""
    of_sign, of_logarithm = g
    if dtype_of(a).kind == "c":
        of_logarithm = of_logarithm + 1j * np.imag(of_sign * ans[0])
    return weighted(of_logarithm, transposed(np.linalg.inv(a)))


slogdet = Primitive("slogdet", np.linalg.slogdet, multiple=True)
vjp_rules[slogdet] = VjpEntry({0: slogdet_vjp}, check=TRUST)
defindexset(slogdet, per_matrix)
defbatch(slogdet, as_it_is(slogdet))


def slogdet_series(taylor: Kinks, ans: tuple[Value, Value], a: Series) -> tuple[Series | None, Series]:
    """The integral of tr(A^-1 A'). Its imaginary part turns a complex sign."""
    if dtype_of(a[0]).kind != "c":
        return None, series.integral(ans[1], logarithmic_rates(taylor, a))
    logarithm = series.integral(None, logarithmic_rates(taylor, a))
    sign = series.exponential(ans[0], series.each(lambda c: 1j * np.imag(c), logarithm))
    return sign, [ans[1], *series.each(np.real, logarithm[1:])]


deftaylor(slogdet, slogdet_series)
