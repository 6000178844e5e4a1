"""What `where` and masks send to the entry not taken stays zero, whatever the local derivative is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import grad, hessian

X = np.array([0.0, 1.0, 4.0, 0.0])
POSITIVE = np.array([False, True, True, False])

# Each is written such that the entry not taken has an infinite derivative at X, and with what its gradient is.
SAFE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "plain": (lambda x: np.where(x > 0, np.log(x), 0.0), lambda x: 1 / x),
    "other branch": (lambda x: np.where(x <= 0, 0.0, np.sqrt(x)), lambda x: 0.5 / np.sqrt(x)),
    "two steps": (lambda x: np.where(x > 0, 2.0 * np.sqrt(x) ** 3, 0.0), lambda x: 3 * np.sqrt(x)),
    "quotient": (lambda x: np.where(x > 0, 1.0 / x, 0.0), lambda x: -1 / x**2),
    "nested": (lambda x: np.where(x > 0, np.where(x > -1, np.log(x), x), 0.0), lambda x: 1 / x),
    "nested the other way": (lambda x: np.where(x < 5, np.where(x > 0, np.log(x), 0.0), 7.0), lambda x: 1 / x),
    "maximum": (lambda x: np.where(x > 0, np.maximum(np.log(x), -9.0), 0.0), lambda x: 1 / x),
    "clip": (lambda x: np.clip(np.log(x), -5.0, 5.0), lambda x: 1 / x),
    "select": (lambda x: np.select([x > 0], [np.log(x)], 0.0), lambda x: 1 / x),
    "reshape": (lambda x: np.where(np.reshape(x > 0, (2, 2)), np.reshape(np.log(x), (2, 2)), 0.0), lambda x: 1 / x),
    "flip and roll": (lambda x: np.where(x[::-1] > 0, np.roll(np.flip(np.log(x)), 4), 0.0), lambda x: 1 / x),
    "slice": (lambda x: np.where(x[1:] > 0, np.log(x)[1:], 0.0), lambda x: 1 / x),
    "items": (lambda x: sum(np.where(x[i] > 0, np.log(x)[i], 0.0) for i in range(4)), lambda x: 1 / x),
    "items of one array": (
        lambda x: (lambda y: sum(np.where(x[i] > 0, y[i], 0.0) for i in range(4)))(np.log(x)),
        lambda x: 1 / x,
    ),
    "rows": (
        lambda x: (lambda y: sum(np.where(POSITIVE, y[i], 0.0) for i in range(2)))(np.log(np.stack([x, x]))),
        lambda x: 2 / x,
    ),
    "sum": (lambda x: np.where(POSITIVE, np.sum(np.log([1.0, 2.0] * x[:, None]), axis=1), 0.0), lambda x: 2 / x),
    "concatenate": (
        lambda x: np.where(POSITIVE, np.concatenate([np.log(x[:2]), np.log(x[2:])]), 0.0),
        lambda x: 1 / x,
    ),
    "stack": (lambda x: np.where(POSITIVE, np.stack([np.log(x), np.log(x)]), 0.0), lambda x: 2 / x),
    "broadcast": (lambda x: np.where(POSITIVE, np.broadcast_to(np.log(x), (2, 4)), 0.0), lambda x: 2 / x),
    "transpose": (lambda x: np.where(POSITIVE[:, None], np.log(x)[None].T, 0.0), lambda x: 1 / x),
    "argument broadcast": (lambda x: np.where(POSITIVE, np.log(x) + np.ones((2, 1)), 0.0), lambda x: 2 / x),
    "mask": (lambda x: np.log(x)[x > 0], lambda x: 1 / x),
    "positions": (lambda x: np.log(x)[[1, 2, 2]], lambda x: 1 / x + (x == 4) / x),
    "two masks": (lambda x: (lambda y: y[x > 0].sum() + y[x == 4].sum())(np.log(x)), lambda x: 1 / x + (x == 4) / x),
    "mask and item": (lambda x: (lambda y: y[x > 0].sum() + y[1])(np.log(x)), lambda x: 1 / x + (x == 1) / x),
    "mask and where": (
        lambda x: (lambda y: y[x > 0].sum() + np.where(x > 0, y, 0).sum())(np.log(x)),
        lambda x: 2 / x,
    ),
    "mask squared": (lambda x: (np.sqrt(x) * np.sqrt(x))[x > 0], lambda x: x**0),
    "piecewise": (lambda x: np.piecewise(x, [x > 0], [np.log, 0.0]), lambda x: 1 / x),
    "tril": (lambda x: np.triu(np.log(np.outer(x, x) + np.tril(np.ones((4, 4)), -1) * 0)[1:3, 1:3]), lambda x: 3 / x),
    "nan_to_num": (lambda x: np.nan_to_num(np.log(x)), lambda x: 1 / x),
    "sort": (lambda x: np.sort(np.log(x))[[2, 3]], lambda x: 1 / x),
}


@pytest.mark.parametrize("name", SAFE)
def test_what_is_not_taken_gets_zero(name: str) -> None:
    fun, derivative = SAFE[name]
    expected = np.zeros(4)
    expected[POSITIVE] = derivative(X[POSITIVE])

    def total(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.sum(fun(x))

    np.testing.assert_allclose(grad(total)(X), expected, rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in SAFE if name != "tril"])
def test_to_second_order(name: str) -> None:
    fun, derivative = SAFE[name]
    expected = np.zeros((4, 4))
    for i in np.flatnonzero(POSITIVE):
        expected[i, i] = grad(lambda x: np.sum(derivative(x) * np.ones(1)))(X[i])
    if name in ("positions", "two masks"):
        expected[2, 2] = 2 * grad(lambda x: 1 / x)(4.0)
    if name == "mask and item":
        expected[1, 1] = 2 * grad(lambda x: 1 / x)(1.0)

    def total(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.sum(fun(x))

    np.testing.assert_allclose(hessian(total)(X), expected, rtol=1e-14, atol=1e-15)


def test_scalar() -> None:
    def fun(x: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return np.where(x >= 0, x, np.sqrt(-x))

    assert grad(fun)(1.0) == 1.0
    assert grad(grad(fun))(1.0) == 0.0
    assert grad(grad(grad(fun)))(1.0) == 0.0


def test_zeros_that_are_numbers_are_not_structural() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(grad(lambda x: 0.0 * np.sqrt(x))(0.0))


def test_ties_share_equally() -> None:
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(0.0) == 0.5
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(1.0) == 0.5
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(0.3) == 1.0
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(1.3) == 0.0
