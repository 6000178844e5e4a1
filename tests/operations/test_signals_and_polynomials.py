"""Convolutions, interpolation, phases and polynomials: NumPy's values over all options, and edge cases."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import grad, jacobian, jvp, sparse_jacobian, trace, tree, vjp, vmap
from xformad.testing import check_grads

convolve: Any = np.convolve
interp: Any = np.interp
trim_zeros: Any = np.trim_zeros


def assert_numpys(fun: Callable[..., Any], *args: Any, **tolerances: float) -> None:
    """The value with each argument traced, and with all, is NumPy's, in shape and dtype too."""
    expected = fun(*args)
    options: Any = {"rtol": 1e-12, "atol": 1e-13} | tolerances
    for traced in (*[(i,) for i in range(len(args))], tuple(range(len(args)))):

        def some(*values: Any, traced: Any = traced) -> Any:
            filled = list(args)
            for i, value in zip(traced, values, strict=True):
                filled[i] = value
            return fun(*filled)

        found = vjp(some, *[args[i] for i in traced])[0]
        for a, b in zip(tree.leaves_of(found), tree.leaves_of(expected), strict=True):
            assert np.shape(a) == np.shape(b)
            assert np.asarray(a).dtype == np.asarray(b).dtype or np.asarray(b).dtype.kind == "i"
            np.testing.assert_allclose(a, b, **options)


def same_error(fun: Callable[..., Any], *args: Any) -> None:
    with pytest.raises(Exception) as plain:
        fun(*args)
    with pytest.raises(type(plain.value)) as traced:
        vjp(fun, *args)
    assert str(traced.value) == str(plain.value)


def numbers(random: np.random.Generator, *shape: int) -> Any:
    real = random.normal(size=shape)
    return real if random.integers(2) else real + 1j * random.normal(size=shape)


# Convolutions.


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_convolutions_of_all_lengths(function: Any, mode: str) -> None:
    random = np.random.default_rng(0)
    for n in range(1, 7):
        for m in range(1, 7):
            assert_numpys(lambda x, y: function(x, y, mode), numbers(random, n), numbers(random, m))
    x, y = random.normal(size=4), random.normal(size=3)
    check_grads(lambda x, y: function(x, y, mode), (x, y), modes=("forward", "reverse"))
    check_grads(lambda x, y: function(y, x, mode), (x + 1j, y * (1 - 2j)), modes=("forward", "reverse"))


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_convolutions_of_numbers_and_errors(function: Any) -> None:
    if function is np.convolve:
        assert_numpys(lambda x, y: function(x, y), np.array(2.0), np.ones(3))
    else:
        same_error(function, np.array(2.0), np.ones(3))
    for x, y in [(np.ones(0), np.ones(2)), (np.ones(2), np.ones(0)), (np.ones((2, 2)), np.ones(2))]:
        same_error(function, x, y)
    same_error(lambda x: function(x, x, "whole"), np.ones(2))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolution_with_a_constant_has_a_sparse_jacobian(mode: str) -> None:
    kernel = np.array([1.0, 0.0, 2.0])

    def smooth(x: Any) -> Any:
        return convolve(x, kernel, mode)

    x = np.arange(9.0)
    found = sparse_jacobian(smooth, x)(x)
    np.testing.assert_allclose(found.toarray(), jacobian(smooth)(x))
    assert found.nnz == np.count_nonzero(jacobian(smooth)(x))


@pytest.mark.parametrize("mode", ["full", "valid"])
def test_convolution_under_vmap_batches_both(mode: str) -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(3, 5)), random.normal(size=(3, 2))

    def norm(x: Any, y: Any) -> Any:
        return np.sum(convolve(x, y, mode) ** 2)

    for axes in [(0, 0), (0, None), (None, 0)]:
        args = [value if axis == 0 else value[0] for value, axis in zip((x, y), axes, strict=True)]
        found = vmap(grad(norm, (0, 1)), axes)(*args)
        for i in range(3):
            each = [value[i] if axis == 0 else value for value, axis in zip(args, axes, strict=True)]
            for a, b in zip(found, grad(norm, (0, 1))(*each), strict=True):
                np.testing.assert_allclose(a[i], b, rtol=1e-12)


# Interpolation.


@pytest.mark.parametrize("size", [1, 2, 5])
def test_interp_at_points_between_and_outside(size: int) -> None:
    random = np.random.default_rng(size)
    xp = np.cumsum(random.uniform(0.1, 1.0, size=size))
    fp = random.normal(size=size)
    x = np.concatenate([xp, random.uniform(-1, 6, size=20), [np.nan, np.inf, -np.inf]])
    assert_numpys(interp, x, xp, fp)
    assert_numpys(lambda x, f: interp(x, xp, f, -3.0, right=7.0), x, fp)
    assert_numpys(interp, x.reshape(2, -1) if x.size % 2 == 0 else x[None], xp, fp * (1 - 2j))
    assert_numpys(interp, float(xp[0]), xp, fp)
    for period in (2.0, -2.5):
        assert_numpys(lambda *args, period=period: interp(*args, period=period), x[:-3], xp[::-1], fp)


def test_interp_of_infinite_values_and_equal_points() -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
    with np.errstate(all="ignore"):
        for fp in ([np.inf, 1.0, 2.0], [0.0, np.inf, 1.0], [np.inf, np.inf, 1.0], [0.0, 1.0, np.nan]):
            assert_numpys(interp, x, np.array([0.0, 1.0, 2.0]), np.array(fp))
        assert_numpys(interp, x, np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0, 4.0]))
        assert_numpys(interp, x, np.array([0.0, 1.0, 2.0, 2.0]), np.array([0.0, 1.0, 3.0, 4.0]))
    xp = np.array([0.0, 1.0, 1.0, 2.0])
    assert np.all(np.isfinite(grad(lambda f: interp(1.5, xp, f))(np.arange(4.0))))
    assert np.all(np.isfinite(grad(lambda p: interp(1.5, p, np.arange(4.0)))(xp)))


def test_interp_has_the_slope_to_the_right_at_a_point() -> None:
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 1.0])
    slopes = [grad(lambda x: interp(x, xp, fp))(x) for x in (-1.0, 0.0, 0.5, 1.0, 2.0)]
    assert slopes == [0.0, 2.0, 2.0, -0.5, -0.5]
    assert grad(lambda x: interp(x, xp, fp) + x)(3.0) == 1.0


def test_interp_of_single_precision_is_of_double_precision() -> None:
    args = [np.array(x, np.float32) for x in ([0.3, 1.2], [0.0, 1.0, 2.0], [0.0, 1.0, 4.0])]
    assert_numpys(interp, *args)
    assert grad(lambda x: np.sum(interp(x, args[1], args[2])))(args[0]).dtype == np.float32


def test_interp_errors_are_numpys() -> None:
    x = np.arange(3.0)
    same_error(lambda x: interp(x, x[:2], x), x)
    same_error(lambda x: interp(x, x[:0], x[:0]), x)
    same_error(lambda x: interp(x, x[:, None], x), x)
    same_error(lambda x: interp(x, x, x[:, None], period=3), x)
    same_error(lambda x: interp(x, x, x, period=0), x)
    same_error(lambda x: interp(x, np.arange(3.0), np.arange(3.0)), x * 1j)


def test_interp_differentiates_its_period() -> None:
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 1.0])
    check_grads(lambda x, p: interp(x, xp, fp, period=p), (np.array([0.3, 3.7, 9.1, -1.2]), 4.0), order=1)


# Phases.


@pytest.mark.parametrize("options", [{}, {"discont": 4.0}, {"axis": 0}, {"period": 3.0}, {"period": 2.5, "axis": -2}])
def test_unwrap(options: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    p = random.uniform(-9, 9, size=(4, 5))
    assert_numpys(lambda p: np.unwrap(p, **options), p)
    np.testing.assert_array_equal(jacobian(lambda p: np.unwrap(p, **options))(p).reshape(20, 20), np.eye(20))
    assert_numpys(lambda p: np.unwrap(p, **options), p.astype(np.float32), rtol=1e-6, atol=1e-6)


def test_unwrap_of_half_a_period_and_errors() -> None:
    assert_numpys(lambda p: np.unwrap(p, period=4.0), np.array([0.0, 2.0, 4.0, 2.0, 0.0, 6.0]))
    same_error(np.unwrap, np.array(1.0))
    check_grads(lambda p, s: np.unwrap(p, period=s), (np.array([0.0, 3.0, 5.5]), 4.0), order=1)


# Polynomials.


def test_polynomials_of_all_lengths() -> None:
    random = np.random.default_rng(0)
    for n in range(1, 5):
        for m in range(1, 5):
            p, q = numbers(random, n), numbers(random, m)
            for function in (np.polyadd, np.polysub, np.polymul, np.polydiv):
                assert_numpys(function, p, q)
            assert_numpys(np.polyval, p, q)
        for order in range(4):
            assert_numpys(lambda p, m=order: np.polyder(p, m), p)
            assert_numpys(lambda p, m=order: np.polyint(p, m, 2.0), p)
            assert_numpys(lambda p, m=order: np.polyint(p, m), p)
        assert_numpys(np.poly, p)
        assert_numpys(np.vander, p)
        assert_numpys(np.roots, p)
        for count in (1, 3):
            assert_numpys(lambda p, n=count: np.vander(p, n, increasing=True), p)


def test_leading_zeros_are_cut_off_with_right_derivatives() -> None:
    p, q = np.array([0.0, 0.0, 1.0, 2.0]), np.array([0.0, 3.0, 4.0])
    assert_numpys(np.polymul, p, q)
    assert_numpys(np.polymul, np.zeros(3), q)
    assert_numpys(np.polymul, np.zeros(0), q)
    check = jacobian(lambda p: np.polymul(p, q))(p)  # the product's last three coefficients
    np.testing.assert_array_equal(check, jacobian(lambda p: np.convolve(p, q))(p)[3:])
    assert_numpys(np.roots, np.array([0.0, 1.0, -3.0, 2.0, 0.0, 0.0][:5]))
    change = jvp(np.roots, (np.array([0.0, 1.0, -3.0, 2.0]),), (np.array([1.0, 0.0, 0.0, 0.0]),))[1]
    np.testing.assert_allclose(change, [-8.0, 1.0])  # -r^3 / p'(r) at 2 and 1
    assert vjp(np.roots, np.zeros(3))[0].shape == (0,)
    assert_numpys(np.roots, np.array([2.0]))
    np.testing.assert_array_equal(grad(lambda p: np.sum(np.roots(p)))(np.array([2.0])), [0.0])


def test_polydiv_drops_a_small_remainder_as_numpy_does() -> None:
    quotient, divisor = np.array([1.0, 2.0, 3.0]), np.array([2.0, -1.0])
    assert_numpys(np.polydiv, np.polymul(quotient, divisor), divisor)
    assert_numpys(np.polydiv, np.array([1.0, 2.0, 3.0, 1e-9]), np.array([1.0, 0.0, 0.5]))


def test_roots_move_as_differences_say() -> None:
    for p in ([1.0, -1.0, -2.0, 0.5], [1.0, 0.2, 3.0, -1.0, 2.0], [1.0 + 2j, 0.5, -1j]):
        check_grads(np.roots, (np.array(p),), order=2, modes=("forward", "reverse"))


def test_roots_in_a_batch() -> None:
    p = np.array([[1.0, -3.0, 2.0], [1.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
    found = vmap(lambda p: np.sum(np.roots(p) ** 2))(p)
    np.testing.assert_allclose(found, [np.sum(np.roots(each) ** 2) for each in p])


def test_a_double_root_moves_infinitely_fast() -> None:
    with np.errstate(all="ignore"):
        assert not np.any(np.isfinite(grad(lambda p: np.sum(np.roots(p)[0]))(np.array([1.0, 0.0, 0.0]))))


def test_poly_of_conjugate_roots_is_real() -> None:
    zeros = np.array([1 + 2j, 1 - 2j, 0.5])
    assert_numpys(np.poly, zeros)
    check_grads(np.poly, (np.array([[0.0, 1.0], [-1.0, 0.0]]),), modes=("forward", "reverse"))
    assert_numpys(np.poly, np.array([[0.0, 1.0], [-1.0, 0.0]]), atol=1e-14)
    assert_numpys(np.poly, np.zeros(0))
    same_error(np.poly, np.ones((2, 3)))
    same_error(np.poly, np.ones((2, 2, 2)))


def test_characteristic_polynomial_of_a_batch() -> None:
    a = np.random.default_rng(0).normal(size=(3, 4, 4))
    found = vmap(jacobian(np.poly))(a)
    for each, expected in zip(found, a, strict=True):
        np.testing.assert_allclose(each, jacobian(np.poly)(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("trim", ["fb", "f", "b", "BF"])
def test_trim_zeros(trim: str) -> None:
    for x in ([0.0, 0.0, 1.0, 0.0, 2.0, 0.0], [0.0, 0.0], [1.0], []):
        assert_numpys(lambda x: trim_zeros(x, trim), np.array(x))


def test_trim_zeros_of_matrices() -> None:
    x = np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    of_vectors_only = "axis" not in inspect.signature(np.trim_zeros).parameters  # before NumPy 2.2
    for axis in () if of_vectors_only else (None, 0, -1, (0, 1), ()):
        assert_numpys(lambda x, axis=axis: trim_zeros(x, axis=axis), x)


FITS: list[tuple[int, dict[str, Any]]] = [
    (0, {}), (2, {}), (2, {"full": True}), (1, {"cov": True}), (2, {"cov": "unscaled"}), (1, {"rcond": 1e-9}),
]  # fmt: skip


@pytest.mark.parametrize(("degree", "options"), FITS)
@pytest.mark.parametrize("columns", [0, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_polyfit(degree: int, options: dict[str, Any], columns: int, weighted: bool) -> None:
    random = np.random.default_rng(0)
    x = np.linspace(-1, 2, 7)
    y = random.normal(size=(7, columns) if columns else 7)
    w = random.uniform(0.5, 2, size=7) if weighted else None
    assert_numpys(lambda x, y: np.polyfit(x, y, degree, w=w, **options), x, y, rtol=1e-10, atol=1e-12)


def test_polyfit_gradients_and_warning() -> None:
    x, y = np.linspace(-1, 2, 6), np.array([0.3, -0.2, 1.0, 0.4, 0.9, 0.1])
    check_grads(lambda x, y, w: np.polyfit(x, y, 2, w=w), (x, y, 1 + x**2), modes=("forward", "reverse"))
    check_grads(lambda x, y: np.polyfit(x, y, 1, cov=True)[1], (x, y), modes=("forward", "reverse"))
    with pytest.warns(np.exceptions.RankWarning, match="Polyfit may be poorly conditioned") as caught:
        vjp(lambda y: np.polyfit(np.ones(6), y, 2), y)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.RankWarning)
        assert_numpys(lambda y: np.polyfit(np.ones(6), y, 2), y)
    same_error(lambda y: np.polyfit(y, y, -1), y)
    same_error(lambda y: np.polyfit(y[:, None], y, 1), y)
    same_error(lambda y: np.polyfit(y, y[:, None, None], 1), y)
    same_error(lambda y: np.polyfit(y, y, 1, w=y[:2]), y)
    same_error(lambda y: np.polyfit(x, y, 5, cov=True), y)


def test_polynomial_objects_hold_traced_coefficients() -> None:
    p, q = np.array([1.0, -0.5, 2.0]), np.array([1.5, -0.4])

    def program(p: Any, q: Any, x: Any) -> Any:
        a, b = np.poly1d(p), np.poly1d(q)
        quotient, rest = (np.poly1d(c) for c in np.polydiv(p, q))
        return (a * b + a - b)(x) + quotient(x) ** 2 + rest(x) + a.deriv()(x) * a.integ(k=2.0)(x)

    assert_numpys(program, p, q, 0.7)
    check_grads(program, (p, q, 0.7), modes=("forward", "reverse"))
    assert_numpys(lambda x: np.polyval(np.poly1d(p), x), 0.3)
    assert_numpys(lambda x: np.polyadd(np.poly1d(p), x).coeffs, q)


def test_graphs_are_short() -> None:
    def count(fun: Callable[..., Any], *args: Any) -> int:
        return len(trace(fun)(*args).equations)

    x = np.arange(1.0, 5.0)
    assert count(np.convolve, x, x) <= 3
    assert count(np.roots, x) <= 3
