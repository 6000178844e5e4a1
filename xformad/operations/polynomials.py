"""The roots of polynomials, and the characteristic polynomials of matrices.

Coefficients stand with the highest power first, as in NumPy's polynomial functions.
"""

from __future__ import annotations

import math

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.cotangents import cast
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import Dependences, collapsed, defindexset, numbered
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor, from_composition, run
from xformad.operations.makers import smooth


def horner(p: Value, x: Value) -> Value:
    """The values of polynomials at the entries of the last axis of x."""
    y = p[..., :1]
    for i in range(1, p.shape[-1]):
        y = y * x + p[..., i : i + 1]
    return y


def derivative(p: Value) -> Value:
    """The coefficients of the derivatives of polynomials."""
    degree = p.shape[-1] - 1
    return p[..., :-1] * np.arange(degree, 0, -1).astype(dtype_of(p)) if degree > 0 else 0 * p


def roots_value(p: Value, count: int) -> Value:
    if p.ndim == 1:
        return np.roots(p)
    found = [np.roots(each) for each in p.reshape((-1, p.shape[-1]))]
    if not found:
        return np.zeros((*p.shape[:-1], count), p.dtype)
    return np.stack(found).reshape((*p.shape[:-1], count))


def powers(x: Value, count: int) -> Value:
    """x^(count - 1), ..., x, 1 along a new last axis."""
    columns = [np.ones_like(x)]
    for _ in range(count - 1):
        columns.append(columns[-1] * x)
    return np.stack(columns[::-1], axis=-1)


def roots_vjp(g: Value, ans: Value, p: Value, count: int) -> Value:
    """By p(r) = 0: dr = -sum_k dp_k r^(n-k) / p'(r)."""
    if count == 0:
        return np.zeros(shape_of(p), dtype_of(p))
    sent = -g / horner(derivative(p), ans)
    return cast(np.sum(sent[..., None] * powers(ans, p.shape[-1]), axis=-2), dtype_of(p))


# `count` says how many there are: as many as coefficients after the first one that is not zero.
roots: Primitive = smooth("roots", roots_value, roots_vjp)
defjvp(roots, lambda t, ans, p, count: -horner(t, ans) / horner(derivative(p), ans) if count else np.zeros_like(ans))
defbatch(roots, as_it_is(roots))


def roots_index_set(dependences: Dependences, ans: Value, p: Value, count: int) -> Dependence:
    """Every root depends on all coefficients."""
    (each,) = dependences
    assert each is not None
    merged = collapsed(each, p.shape, (-1,))
    return merged.pick(np.broadcast_to(numbered(p.shape[:-1])[..., None], ans.shape).ravel())


defindexset(roots, roots_index_set)


def roots_series(taylor: Kinks, ans: Value, p: Series, count: int) -> Series:
    """Newton's method from the roots of p_0: each step doubles the number of coefficients that are right."""
    order = len(p) - 1
    if count == 0 or order == 0:
        return [ans, *[None] * order]

    def newton(p: Value) -> Value:
        r = ans
        for _ in range(math.ceil(math.log2(order + 1))):
            r = r - horner(p, r) / horner(derivative(p), r)
        return r

    return [ans, *run(taylor, newton, [p], {})[1:]]  # type: ignore[arg-type]


deftaylor(roots, roots_series)


def adjugates(ans: Value, a: Value) -> list[Value]:
    """B_0, ..., B_(n-1) in adj(z - A) = sum_k B_k z^(n-1-k), of the characteristic polynomial c: B_k = A B_(k-1) + c_k.

    Gantmacher, The Theory of Matrices I, chapter IV, section 4.
    """
    identity = np.eye(shape_of(a)[-1], dtype=dtype_of(a))
    found = [np.broadcast_to(identity, shape_of(a))]
    for k in range(1, shape_of(a)[-1]):
        found.append(a @ found[-1] + ans[..., k, None, None] * identity)
    return found


def trace(a: Value) -> Value:
    return np.trace(a, axis1=-2, axis2=-1)


def characteristic_value(a: Value) -> Value:
    if a.ndim == 2:
        return np.poly(a)
    found = [np.poly(each) for each in a.reshape((-1, *a.shape[-2:]))]
    if not found:
        return np.zeros((*a.shape[:-2], a.shape[-1] + 1), a.dtype)
    return np.stack(found).reshape((*a.shape[:-2], a.shape[-1] + 1))


def characteristic_vjp(g: Value, ans: Value, a: Value) -> Value:
    """The derivative of det(z - A) is -tr(adj(z - A) dA)."""
    total = 0
    for k, each in enumerate(adjugates(ans, a)):
        total = total - g[..., k + 1, None, None] * np.swapaxes(each, -1, -2)
    return cast(total, dtype_of(a))


def characteristic_jvp(t: Value, ans: Value, a: Value) -> Value:
    found = [-trace(each @ t) for each in adjugates(ans, a)]
    return np.stack([np.zeros_like(found[0]), *found], axis=-1)


def leverrier(a: Value) -> Value:
    """The characteristic polynomial by the method of Leverrier and Faddeev."""
    identity = np.eye(shape_of(a)[-1], dtype=dtype_of(a))
    b, found = identity, [np.ones(shape_of(a)[:-2], dtype_of(a))]
    for k in range(1, shape_of(a)[-1] + 1):
        b = a @ b
        found.append(-trace(b) / k)
        b = b + found[-1][..., None, None] * identity
    return np.stack(found, axis=-1)


characteristic_polynomial: Primitive = smooth("characteristic_polynomial", characteristic_value, characteristic_vjp)
defjvp(characteristic_polynomial, characteristic_jvp)
deftaylor(characteristic_polynomial, from_composition(leverrier))
defbatch(characteristic_polynomial, as_it_is(characteristic_polynomial))


def characteristic_index_set(dependences: Dependences, ans: Value, a: Value) -> Dependence:
    """Every coefficient depends on all entries of the matrix."""
    (each,) = dependences
    assert each is not None
    merged = collapsed(each, a.shape, (-2, -1))
    return merged.pick(np.broadcast_to(numbered(a.shape[:-2])[..., None], ans.shape).ravel())


defindexset(characteristic_polynomial, characteristic_index_set)
