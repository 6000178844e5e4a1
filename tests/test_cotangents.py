"""Cotangents of different kinds that meet at one node: their sums agree with difference quotients, to second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import grad, value_of
from xformad.testing import check_grads

W = np.random.default_rng(0).normal(size=(3, 3))
X = np.array([0.4, -0.7, 1.1])


def loop(w: Any, x: Any) -> Any:
    for _ in range(3):
        x = np.tanh(w @ x)
    return x


def components(w: Any, x: Any) -> Any:
    q, r = np.linalg.qr(w + 3 * np.eye(3))
    return q @ x + r @ x + q[0] * r[0]


MEETINGS: dict[str, Callable[..., Any]] = {
    "products in a loop": loop,
    "vector times matrix in a loop": lambda w, x: loop(w, x) @ w @ w,
    "a product and the matrix itself": lambda w, x: (w @ x) @ (w * w),
    "a product and rows": lambda w, x: w @ x + w[0] * w[1] + w[2, 0] * w[:, 1],
    "rows and a product": lambda w, x: w[0] * x + w[1] * w @ x,
    "a product and a mask": lambda w, x: np.sum(w[w > 0]) * (w @ x) + np.sum(np.where(w > 0, w, w**2)),
    "a product and an index of arrays": lambda w, x: w[[0, 0, 2]] @ x + w @ x + w[np.array([1]), :2].sum(),
    "products of a computed matrix": lambda w, x: np.exp(w) @ x + np.exp(w) @ (x * x),
    "one exponential of many uses": lambda w, x: (lambda e: e @ x + e[0] + e[:, 1] * e[0, 0] + np.sum(e))(np.exp(w)),
    "components of a tuple": components,
    "an index of arrays and the array itself": lambda w, x: (lambda e: e[[0, 0]] @ x + np.sum(e))(np.exp(w)),
    "a mask, the array itself and a row": lambda w, x: (lambda e: e * e + np.sum(e[w > 0]) + e[0])(np.exp(w)) @ x,
    "an index of arrays and a product": lambda w, x: (lambda e: e[[1], :2].sum() + e @ x)(np.exp(w)),
    "two indices of arrays and a row": lambda w, x: (lambda e: (e[[0, 2]] @ x)[0] * e[[1]] @ x + e[2])(np.exp(w)),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_sums_of_cotangents(name: str) -> None:
    check_grads(MEETINGS[name], (W, X), order=2)


@pytest.mark.parametrize("name", MEETINGS)
def test_precision_is_kept(name: str) -> None:
    single = grad(lambda w: np.sum(MEETINGS[name](w, X.astype(np.float32))))(W.astype(np.float32))
    double = grad(lambda w: np.sum(MEETINGS[name](w, X)))(W)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=2e-4, atol=1e-4)


def test_many_products_are_summed_on_the_way() -> None:
    """The vectors of a long loop do not pile up."""
    steps = 2000

    def fun(w: Any) -> Any:
        total = 0.0
        for i in range(steps):
            total = total + (w @ X)[i % 3]
        return total

    expected = np.zeros((3, 3))
    for i in range(steps):
        expected[i % 3] += X
    np.testing.assert_allclose(grad(fun)(W), expected, rtol=1e-12)
    assert value_of(fun(W)) == fun(W)
