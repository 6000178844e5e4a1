"""Histograms, `bincount` and sets, reductions by any ufunc, ranges and `vectorize`: NumPy's values over their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from tests.operations.test_table import assert_same
from xformad import DifferentiationError, UnsupportedError, derivatives, grad, vjp, vmap

RANDOM = np.random.default_rng(4)
V = RANDOM.normal(size=20)
W = RANDOM.uniform(size=20)
POINTS = RANDOM.normal(size=(20, 2))
EDGES = np.array([-2.0, -1.0, 0.0, 0.3, 2.0])
X = RANDOM.uniform(0.1, 2.0, size=(3, 4))
CUBE = RANDOM.normal(size=(2, 3, 4))
KEEP = X > 0.8


def assert_numpys(fun: Callable[..., Any], *args: Any) -> None:
    assert_same(fun(*args), vjp(fun, *args)[0])


BINS: list[dict[str, Any]] = [
    *({}, {"bins": 3}, {"bins": EDGES}, {"bins": 4, "range": (-1, 1)}, {"bins": "auto"}, {"density": True}),
    *({"bins": "fd", "range": (-1.0, 1.0)}, {"bins": EDGES, "density": True}),
]  # fmt: skip


@pytest.mark.parametrize("options", BINS, ids=str)
def test_histograms(options: dict[str, Any]) -> None:
    assert_numpys(lambda x: np.histogram(x, **options), V)
    if not isinstance(options.get("bins"), str):
        assert_numpys(lambda w: np.histogram(V, weights=w, **options), W)
        assert_numpys(lambda w: np.histogram(V, weights=w * (1 + 1j), **options), W)


def test_histograms_at_the_edges() -> None:
    assert_numpys(np.histogram, np.array([1.0, 1.0]))
    assert_numpys(np.histogram, np.zeros(0))
    assert_numpys(lambda x: np.histogram(x, [0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0, 2.0, -1.0, np.nan]))
    assert_numpys(lambda x: np.histogram(x, 2), np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("bins", [3, (2, 3), [EDGES, EDGES + 0.1], [EDGES, 3]], ids=str)
def test_histograms_of_points(bins: Any) -> None:
    for options in ({}, {"density": True}, {"range": [(-1, 1), None]}):
        assert_numpys(lambda x, options=options: np.histogramdd(x, bins, **options), POINTS)
        assert_numpys(lambda x, options=options: np.histogram2d(x, x**2, bins, **options), V)
    assert_numpys(lambda w: np.histogramdd((V, V**2), bins, weights=w), W)


def test_derivative_of_a_density_follows_the_range() -> None:
    """Counts stay, and the width is a third of the largest entry less the smallest."""
    x = np.array([1.0, 2.0, 0.5, 4.0])
    gradient = grad(lambda x: np.histogram(x, 3, density=True)[0][0])(x)
    np.testing.assert_allclose(gradient, [0, 0, 0.5 * 3 / 3.5**2, -0.5 * 3 / 3.5**2])


def test_histograms_of_a_batch() -> None:
    rows = V.reshape(4, 5)
    np.testing.assert_array_equal(vmap(lambda x: np.histogram(x, 3)[0])(rows), [np.histogram(x, 3)[0] for x in rows])
    places = np.array([[0, 2, 2], [1, 1, 2]])
    np.testing.assert_array_equal(vmap(lambda x: np.bincount(x, minlength=4))(places), [[1, 0, 2, 0], [0, 2, 1, 0]])


def test_sets() -> None:
    first, second = np.array([3.0, 1.0, 2.0, 1.0, 5.0]), np.array([2.0, 7.0, 3.0, 3.0])
    holes = np.array([np.nan, 1.0, np.nan, 2.0])
    for name in ("intersect1d", "setxor1d", "union1d", "setdiff1d", "isin"):
        function = getattr(np, name)
        for x, y in ((first, second), (second, first), (first, holes), (holes, first), (first, second[:0])):
            assert_numpys(function, x, y)
    assert_numpys(lambda x: np.intersect1d(x, second, return_indices=True), first)
    assert_numpys(lambda x: np.isin(x, second, invert=True), holes)
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        for x in (first, holes, second.reshape(2, 2)):
            assert_numpys(getattr(np, name), x)
            assert type(vjp(getattr(np, name), x)[0]) is type(getattr(np, name)(x))


UFUNCS = [
    *(np.add, np.multiply, np.maximum, np.fmax, np.logaddexp, np.hypot, np.subtract, np.divide, np.logical_xor),
    *(np.copysign, np.nextafter),
]  # fmt: skip


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_methods_of_ufuncs(ufunc: Any) -> None:
    for axis in (0, 1, -1):
        assert_numpys(lambda x, axis=axis: ufunc.reduce(x, axis=axis, keepdims=True), X)
        assert_numpys(lambda x, axis=axis: ufunc.accumulate(x, axis=axis), X)
        assert_numpys(lambda x, axis=axis: ufunc.reduceat(x, [0, 2, 1], axis=axis), X)
    assert_numpys(lambda x: ufunc.accumulate(x), X[:0])


def test_running_extrema() -> None:
    x = np.array([[1.0, 3.0, 3.0, np.nan, 5.0], [2.0, 1.0, 2.0, 0.0, 7.0]])
    for ufunc in (np.maximum, np.minimum):
        assert_numpys(lambda x, u=ufunc: u.accumulate(x, axis=1), x)
        assert_numpys(ufunc.accumulate, x[:1])
    weights = np.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(grad(lambda x: np.maximum.accumulate(x) @ weights)(np.ones(3)), [111.0, 0, 0])
    with pytest.raises(DifferentiationError, match="running extremum of equal entries that move apart"):
        derivatives(lambda t: np.maximum.accumulate(xnp.array([1.0, t])), 1)(1.0)
    smooth = derivatives(lambda t: np.maximum.accumulate(xnp.array([1.0 - t * t, 1.0 + t * t])), 2)(0.0)
    np.testing.assert_array_equal(smooth, [[1, 1], [0, 0], [-2, 2]])


def test_where_of_ufuncs() -> None:
    """It leaves entries undefined, so it is refused; reductions leave them out."""
    assert_numpys(lambda x: np.logaddexp.reduce(x, axis=1, where=KEEP), X)
    assert_numpys(lambda x: np.fmax.reduce(x, axis=1, where=KEEP, initial=-1.0), X)
    assert_numpys(lambda x: np.logaddexp.reduce(x, axis=0), X[:0])
    with pytest.raises(UnsupportedError, match=r"use numpy\.where"):
        vjp(lambda x: np.exp(x, where=KEEP), X)


def test_shifts_of_traced_whole_numbers() -> None:
    n = np.array([1, 2, 3])
    shifts: list[Callable[[Any], Any]] = [lambda i: i << 1, lambda i: 1 << i, lambda i: i >> 1, lambda i: 16 >> i]
    for function in shifts:
        np.testing.assert_array_equal(vmap(function)(n), function(n))


def test_parts_of_infinite_numbers() -> None:
    x = np.array([1.5, np.inf, -np.inf, np.nan, -2.25])
    assert_numpys(np.modf, x)
    for function in (np.isneginf, np.isposinf, np.isreal, np.iscomplex, np.frexp):
        assert_numpys(function, x)
    with pytest.raises(TypeError, match="ambiguous"):
        vjp(np.isposinf, x + 0j)


@pytest.mark.parametrize("options", [{}, {"num": 5}, {"endpoint": False, "num": 4}, {"num": 1}, {"num": 0}], ids=str)
def test_ranges(options: dict[str, Any]) -> None:
    for x in (X[0], X[0].astype(np.float32), np.float32(2.0), 2.0):
        assert_numpys(lambda x: np.linspace(x, x * 2, **options), x)
        assert_numpys(lambda x: np.geomspace(x, x * 2, **options), np.float64(x) if np.ndim(x) == 0 else X[0])
        assert_numpys(lambda x: np.linspace(x, 2, axis=-1, **options), x)
    assert_numpys(lambda x: np.logspace(0, 1, base=x, **options), X[0])
    assert_numpys(lambda x: np.linspace(x, 7, dtype=int, **options), X[0])


def test_functions_along_axes() -> None:
    for axis in (0, 1, -1):
        for function in (np.sort, np.sum, lambda r: np.outer(r, r[:2])):
            assert_numpys(lambda x, axis=axis, f=function: np.apply_along_axis(f, axis, x), CUBE)
    assert_numpys(lambda x: np.apply_over_axes(np.sum, x, [0, -1]), CUBE)
    with pytest.raises(ValueError, match="iteration dimensions"):
        vjp(lambda x: np.apply_along_axis(np.sum, 0, x), CUBE[:, :0])


def test_vectorize_is_numpys_on_plain_arrays() -> None:
    double = xnp.vectorize(lambda x, y=1.0: 2 * x * y)
    assert isinstance(double, np.vectorize)
    np.testing.assert_array_equal(double([1.0, 2.0]), [2.0, 4.0])


VECTORIZED: list[tuple[Callable[..., Any], dict[str, Any], tuple[Any, ...], dict[str, Any]]] = [
    (lambda x: x * x if x > 1 else 0.0 * x, {}, (X,), {}),
    (lambda x, y: (x * y, x), {}, (X, X[0]), {}),
    (lambda x, y=1.0: x * y, {}, (X,), {"y": X[0]}),
    (lambda x, k: x * k[1], {"excluded": [1]}, (X, [1, 2.0]), {}),
    (lambda x, k: x * k[1], {"excluded": {"k"}}, (X,), {"k": [1, 2.0]}),
    (lambda x: 2 * x, {"otypes": [np.float32]}, (X,), {}),
    (lambda x: (x[:2], np.sum(x)), {"signature": "(n)->(k),()"}, (X,), {}),
    (lambda m, v: m @ v, {"signature": "(m, n),(n)->(m)"}, (CUBE, X[0]), {}),
]


@pytest.mark.parametrize(("fun", "options", "args", "named"), VECTORIZED)
def test_vectorize(fun: Any, options: dict[str, Any], args: tuple[Any, ...], named: dict[str, Any]) -> None:
    expected = np.vectorize(fun, **options)(*args, **named)
    assert_same(expected, vjp(lambda x: xnp.vectorize(fun, **options)(x, *args[1:], **named), args[0])[0])


def test_vectorize_as_a_decorator_and_over_closures() -> None:
    @xnp.vectorize
    def size(x: float) -> float:
        return x if x > 0 else -x

    assert grad(size)(-2.0) == -1.0
    assert grad(lambda s: np.sum(xnp.vectorize(lambda t: t * s)(np.arange(3.0))))(2.0) == 3.0
    assert grad(lambda s: np.sum(size([s, 2.0])))(3.0) == 1.0


def test_positions_of_a_batch() -> None:
    rows, columns = vmap(lambda x: np.unravel_index(np.argmax(x), (3, 4)))(CUBE)
    np.testing.assert_array_equal(CUBE[[0, 1], rows, columns], np.max(CUBE, axis=(1, 2)))
    flat = vmap(lambda i: np.ravel_multi_index((i, i + 3), (4, 5), mode="wrap"))(np.arange(3))
    np.testing.assert_array_equal(flat, np.ravel_multi_index((np.arange(3), np.arange(3, 6)), (4, 5), mode="wrap"))
    with pytest.raises(UnsupportedError, match="reverse the shape"):
        vmap(lambda i: np.unravel_index(i, (3, 4), order="F"))(np.arange(3))
    with pytest.raises(ValueError, match="out of bounds"):
        vmap(lambda i: np.unravel_index(i, (1, 2)))(np.arange(3))
