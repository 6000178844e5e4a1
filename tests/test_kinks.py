"""Kinks and singular points: the derivatives that docs/conventions.md promises there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from xformad import IndependentOutputWarning, elementwise_grad, grad, hessian, jacobian, value_and_grad

A = np.array
E = np.eye(2)
ZERO2, ZERO3 = np.zeros(2), np.zeros(3)


@dataclass(frozen=True)
class Kink:
    """A function of one array, a singular point, the gradient there, and the Hessian where it is defined."""

    name: str
    fun: Callable[[Any], Any]
    x: Any
    gradient: Any
    hessian: Any = None


def quiet(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Without NumPy's warnings about the value: what the backward pass warns of is not hidden."""

    def wrapped(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return fun(x)

    return wrapped


def norm(x: Any) -> Any:
    return np.linalg.norm(x)


def pair(fun: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return lambda x: fun(x[0], x[1])


KINKS = [
    Kink("abs", np.abs, 0.0, 0.0),
    Kink("abs of an array", lambda x: np.sum(np.abs(x)), A([-2.0, 0.0, 2.0]), [-1.0, 0.0, 1.0]),
    Kink("fabs", np.fabs, 0.0, 0.0),
    Kink("abs squared", lambda x: np.abs(x) ** 2, 0.0, 0.0, 2.0),
    Kink("complex abs", np.abs, 0j, 0j),
    Kink("complex abs squared", lambda z: np.abs(z) ** 2, 0j, 0j),
    Kink("sign", lambda x: x * np.sign(x), 0.0, 0.0),
    Kink("norm", norm, ZERO3, ZERO3),
    Kink("norm of one number", norm, A([0.0]), [0.0]),
    Kink("norms of rows", lambda x: np.sum(np.linalg.norm(x, axis=1)), A([[0.0, 0.0], [3.0, 4.0]]), [[0, 0], [0.6, 0.8]]),
    Kink("Frobenius norm", lambda x: np.linalg.norm(x, "fro"), np.zeros((2, 2)), np.zeros((2, 2))),
    Kink("norm of a difference", lambda x: np.linalg.norm(x - x), A([1.0, 2.0]), ZERO2),
    Kink("norm squared", lambda x: norm(x) ** 2, ZERO2, ZERO2, 2 * E),
    Kink("norm squared as a product", lambda x: norm(x) * norm(x), ZERO2, ZERO2, 2 * E),
    Kink("norm to the fourth", lambda x: norm(x) ** 4, ZERO2, ZERO2, 0 * E),
    Kink("sum of squares", lambda x: np.sum(np.abs(x) ** 2), ZERO2, ZERO2, 2 * E),
    Kink("std", np.std, np.ones(3), ZERO3),
    Kink("std along an axis", lambda x: np.sum(np.std(x, axis=0)), np.ones((3, 2)), np.zeros((3, 2))),
    Kink("std with ddof", lambda x: np.std(x, ddof=1), np.ones(3), ZERO3),
    Kink("std squared", lambda x: np.std(x) ** 2, np.ones(2), ZERO2, [[0.5, -0.5], [-0.5, 0.5]]),
    Kink("var", np.var, np.ones(2), ZERO2, [[0.5, -0.5], [-0.5, 0.5]]),
    Kink("hypot", pair(np.hypot), ZERO2, ZERO2),
    Kink("hypot squared", lambda x: np.hypot(x[0], x[1]) ** 2, ZERO2, ZERO2, 2 * E),
    Kink("arctan2", pair(np.arctan2), ZERO2, ZERO2),
    Kink("sinc", np.sinc, 0.0, 0.0, -np.pi**2 / 3),
    Kink("sinc nearby", np.sinc, 1e-9, -np.pi**2 / 3 * 1e-9, -np.pi**2 / 3),
    # Ties.
    Kink("max", np.max, A([1.0, 1.0, 0.0]), [0.5, 0.5, 0.0]),
    Kink("max of equal numbers", np.max, np.ones(4), [0.25] * 4),
    Kink("max along an axis", lambda x: np.sum(np.max(x, axis=1)), A([[1.0, 1.0], [2.0, 0.0]]), [[0.5, 0.5], [1.0, 0.0]]),
    Kink("min", np.min, A([1.0, 1.0, 2.0]), [0.5, 0.5, 0.0]),
    Kink("maximum", lambda x: np.maximum(x, 0.0), 0.0, 0.5),
    Kink("maximum, constant first", lambda x: np.maximum(0.0, x), 0.0, 0.5),
    Kink("maximum of itself", lambda x: np.maximum(x, x), 2.0, 1.0),
    Kink("minimum", lambda x: np.minimum(x, 0.0), 0.0, 0.5),
    Kink("fmax", lambda x: np.fmax(x, 0.0), 0.0, 0.5),
    Kink("fmin of itself", lambda x: np.fmin(x, x), 2.0, 1.0),
    Kink("fmax with a NaN", lambda x: np.fmax(x, np.nan), 2.0, 1.0),
    Kink("clip at the lower bound", lambda x: np.clip(x, 0.0, 1.0), 0.0, 0.5),
    Kink("clip at the upper bound", lambda x: np.clip(x, 0.0, 1.0), 1.0, 0.5),
    Kink("clip inside", lambda x: np.clip(x, 0.0, 1.0) ** 2, 0.5, 1.0, 2.0),
    Kink("clip outside", lambda x: np.clip(x, 0.0, 1.0), 2.0, 0.0),
    Kink("clip with one bound", lambda x: np.clip(x, 0.0, None), 0.0, 0.5),
    Kink("sort", lambda x: np.sum(np.sort(x) * A([1.0, 10.0, 100.0])), A([2.0, 1.0, 2.0]), [10.0, 1.0, 100.0]),
    Kink("relu squared", lambda x: np.maximum(x, 0.0) ** 2, 0.0, 0.0),
    # Products.
    Kink("prod", np.prod, A([0.0, 2.0, 3.0]), [6.0, 0.0, 0.0], [[0, 3, 2], [3, 0, 0], [2, 0, 0]]),
    Kink("prod with two zeros", np.prod, A([0.0, 0.0, 3.0]), [0.0] * 3, [[0, 3, 0], [3, 0, 0], [0, 0, 0]]),
    Kink("prod along an axis", lambda x: np.sum(np.prod(x, axis=1)), A([[0.0, 2.0], [3.0, 5.0]]), [[2.0, 0.0], [5.0, 3.0]]),
    Kink("prod without a zero", np.prod, A([1.0, 2.0, 3.0]), [6.0, 3.0, 2.0], [[0, 3, 2], [3, 0, 1], [2, 1, 0]]),
    Kink("cumprod", lambda x: np.sum(np.cumprod(x)), A([2.0, 0.0, 3.0]), [1.0, 8.0, 0.0], [[0, 4, 0], [4, 0, 2], [0, 2, 0]]),
    # Powers.
    Kink("sqrt", np.sqrt, 0.0, np.inf),
    Kink("sqrt of an array", lambda x: np.sum(np.sqrt(x)), A([0.0, 4.0]), [np.inf, 0.25]),
    Kink("power 0.5", lambda x: x**0.5, 0.0, np.inf),
    Kink("cbrt", np.cbrt, 0.0, np.inf),
    Kink("reciprocal", lambda x: 1.0 / x, 0.0, -np.inf),
    Kink("log", np.log, 0.0, np.inf),
    Kink("x**0", lambda x: x**0, 0.0, 0.0),
    Kink("x**0.0", lambda x: x**0.0, 0.0, 0.0),
    Kink("x**0.0 of an array", lambda x: np.sum(x**0.0), ZERO2, ZERO2, 0 * E),
    Kink("x**1", lambda x: x**1, 0.0, 1.0),
    Kink("x**1.0", lambda x: x**1.0, 0.0, 1.0),
    Kink("x**2.0", lambda x: x**2.0, 0.0, 0.0, 2.0),
    Kink("x**3.0", lambda x: x**3.0, 0.0, 0.0, 0.0),
    Kink("x**3 of an array", lambda x: np.sum(x**3), ZERO2, ZERO2, 0 * E),
    Kink("x**[0, 1, 2]", lambda x: np.sum(x ** A([0.0, 1.0, 2.0])), ZERO3, [0.0, 1.0, 0.0], np.diag([0.0, 0.0, 2.0])),
    Kink("0**y", lambda y: 0.0**y, 2.0, 0.0, 0.0),
    Kink("0**y of an array", lambda y: np.sum(np.zeros(2) ** y), A([1.0, 2.0]), ZERO2),
    Kink("x**y at (0, 2)", pair(np.power), A([0.0, 2.0]), ZERO2, [[2.0, 0.0], [0.0, 0.0]]),
    Kink("x**y at (0, 3)", pair(np.power), A([0.0, 3.0]), ZERO2, 0 * E),
    Kink("float_power", lambda x: np.float_power(x, 2.0), 0.0, 0.0, 2.0),
    Kink("negative base", lambda x: x**3.0, -2.0, 12.0, -12.0),
    # Infinite arguments.
    Kink("logaddexp", pair(np.logaddexp), A([-np.inf, -np.inf]), [0.5, 0.5]),
    Kink("logaddexp2", pair(np.logaddexp2), A([-np.inf, -np.inf]), [0.5, 0.5]),
    Kink("logaddexp with one infinity", pair(np.logaddexp), A([-np.inf, 1.0]), [0.0, 1.0]),
    Kink("logaddexp of large numbers", pair(np.logaddexp), A([1000.0, 0.0]), [1.0, 0.0]),
    Kink("tanh of a large number", np.tanh, 1000.0, 0.0, 0.0),
    Kink("tanh of a tiny number", np.tanh, 1e-300, 1.0, -2e-300),
    # Linear algebra.
    Kink("det of a singular matrix", np.linalg.det, A([[1.0, 2.0], [2.0, 4.0]]), [[4.0, -2.0], [-2.0, 1.0]]),
    Kink("det of zero", np.linalg.det, np.zeros((2, 2)), np.zeros((2, 2))),
    Kink("det of rank 2 of 3", np.linalg.det, np.diag([1.0, 2.0, 0.0]), np.diag([0.0, 0.0, 2.0])),
    Kink("eigvalsh of I", lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), E, 2 * E),
    Kink("svdvals of I", lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 2), E, 2 * E),
    Kink("nuclear norm of I", lambda a: np.linalg.norm(a, "nuc"), E, E),
]  # fmt: skip


@pytest.fixture(autouse=True)
def independent_results_are_zero() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndependentOutputWarning)
        yield


INFINITE = {"sqrt", "sqrt of an array", "power 0.5", "cbrt", "reciprocal", "log"}


def derivative(kink: Kink) -> Callable[[Any], Any]:
    """The gradient. A warning in the backward pass is an error, except where the gradient is infinite."""
    return quiet(grad(kink.fun)) if kink.name in INFINITE else grad(quiet(kink.fun))


@pytest.mark.parametrize("kink", KINKS, ids=[kink.name for kink in KINKS])
def test_gradient(kink: Kink) -> None:
    got = derivative(kink)(kink.x)
    np.testing.assert_allclose(got, kink.gradient, rtol=1e-13, atol=1e-15)
    assert np.shape(got) == np.shape(kink.x)
    assert not np.isnan(got).any()


SECOND = [kink for kink in KINKS if kink.hessian is not None]


@pytest.mark.parametrize("kink", SECOND, ids=[kink.name for kink in SECOND])
def test_hessian(kink: Kink) -> None:
    got = hessian(quiet(kink.fun))(kink.x)
    np.testing.assert_allclose(got, kink.hessian, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jacobian(grad(quiet(kink.fun)))(kink.x), kink.hessian, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kink", KINKS, ids=[kink.name for kink in KINKS])
def test_float32(kink: Kink) -> None:
    x = np.asarray(kink.x)
    if x.dtype.kind == "c" or "tiny" in kink.name:
        dtype = np.dtype(np.complex64 if x.dtype.kind == "c" else np.float64)
    else:
        dtype = np.dtype(np.float32)
    got = derivative(kink)(x.astype(dtype)[()])
    assert np.asarray(got).dtype == dtype
    np.testing.assert_allclose(got, kink.gradient, rtol=1e-5, atol=1e-6)


# Third and higher derivatives.


@pytest.mark.parametrize("power", [2, 2.0, np.float64(2.0)])
def test_high_derivatives_of_a_power_at_zero(power: Any) -> None:
    f: Callable[[Any], Any] = lambda x: x**power  # noqa: E731
    for expected in (0.0, 2.0, 0.0, 0.0):
        f = grad(f)
        assert f(0.0) == expected


def test_high_derivatives_of_a_power_of_an_array_at_zero() -> None:
    f: Callable[[Any], Any] = lambda x: x ** A([2.0, 3.0])  # noqa: E731
    for expected in ([0.0, 0.0], [2.0, 0.0], [0.0, 6.0], [0.0, 0.0]):
        f = elementwise_grad(f)
        assert f(ZERO2).tolist() == expected


def test_high_derivatives_of_sinc_at_zero() -> None:
    f: Callable[[Any], Any] = np.sinc
    for expected in (0.0, -(np.pi**2) / 3, 0.0, np.pi**4 / 5):
        f = grad(f)
        assert f(0.0) == pytest.approx(expected, rel=1e-12)


def test_second_derivative_in_the_base_of_a_power() -> None:
    assert grad(grad(np.power))(0.0, 1.0) == 0.0
    assert grad(grad(np.power))(0.0, 2.0) == 2.0
    assert grad(grad(np.power))(0.0, 0.0) == 0.0


def test_python_floats_never_raise_what_numpy_does_not() -> None:
    with np.errstate(all="ignore"):
        assert grad(np.sqrt)(0.0) == np.inf
        assert grad(lambda x: x**0.5)(0) == np.inf
        assert grad(lambda x: 1 / x)(0.0) == -np.inf
        assert grad(lambda x: 1 / x)(0) == -np.inf
        assert grad(grad(lambda x: 1 / x))(0.0) == np.inf
        assert grad(lambda x: x**-1)(0.0) == -np.inf
        assert grad(lambda x: x**400)(10.0) == np.inf
        assert grad(lambda x: 10.0**x)(400.0) == np.inf
        assert np.isnan(grad(lambda x: x**0.5)(-1.0))


# `where` is safe.


def safe_sqrt(x: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return np.where(x >= 0, x, np.sqrt(-x))


def test_where_is_safe() -> None:
    f: Callable[[Any], Any] = safe_sqrt
    for expected in (1.0, 0.0, 0.0):
        f = grad(f)
        assert f(1.0) == expected
    x = A([1.0, 0.0, -4.0])
    assert elementwise_grad(safe_sqrt)(x).tolist() == [1.0, 1.0, -0.25]
    second = elementwise_grad(elementwise_grad(safe_sqrt))(x)
    assert second.tolist() == [0.0, 0.0, -0.03125]
    np.testing.assert_array_equal(hessian(lambda x: np.sum(safe_sqrt(x)))(x), np.diag([0.0, 0.0, -0.03125]))


def test_where_is_safe_through_chains_and_broadcasts() -> None:
    def f(x: Any) -> Any:
        with np.errstate(all="ignore"):
            distance = np.sqrt(np.sum((x[:, None] - x[None]) ** 2, axis=2))
            return np.sum(np.where(np.eye(3) > 0, 0.0, 1.0 / distance))

    x = A([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    value, gradient = value_and_grad(f)(x)
    assert value == pytest.approx(1.0)
    assert np.isfinite(gradient).all()
    step = 1e-6 * np.eye(6)[3].reshape(3, 2)
    assert gradient[1, 1] == pytest.approx((f(x + step) - f(x - step)) / 2e-6, abs=1e-8)
    matrix = hessian(f)(x).reshape(6, 6)
    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)


def test_where_is_safe_for_a_log_likelihood() -> None:
    def f(p: Any) -> Any:
        counts = A([0.0, 3.0])
        with np.errstate(all="ignore"):
            return np.sum(np.where(counts > 0, counts * np.log(p), 0.0))

    assert grad(f)(A([0.0, 0.5])).tolist() == [0.0, 6.0]
    assert hessian(f)(A([0.0, 0.5])).tolist() == [[0.0, 0.0], [0.0, -12.0]]


def test_zeros_that_are_numbers_are_not_structural() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(grad(lambda x: 0.0 * np.sqrt(x))(0.0))
        assert np.isnan(grad(lambda x: np.where(x >= 0, 0.0 * np.sqrt(x), x))(0.0))


# Vectors of equal values are not determined.


@pytest.mark.parametrize("decompose", ["eigh", "svd"])
def test_vectors_of_equal_values_give_no_number_in_silence(decompose: str) -> None:
    def rebuilt(a: Any) -> Any:
        if decompose == "eigh":
            values, vectors = np.linalg.eigh(a)
            return np.sum(vectors @ np.diag(values) @ vectors.T)
        u, s, vt = np.linalg.svd(a)
        return np.sum(u @ np.diag(s) @ vt)

    distinct = A([[2.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(grad(rebuilt)(distinct), np.ones((2, 2)), rtol=1e-12)
    with pytest.warns(RuntimeWarning, match="equal values"):
        gradient = grad(rebuilt)(np.eye(2))
    assert np.isnan(gradient).any()
