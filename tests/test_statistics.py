"""Quantiles, averages, differences and the functions that pass over NaN: NumPy's values over their options, and kinks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import grad, vjp
from xformad.numpy.quantiles import METHODS

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(3, 4, 5))
HOLES = X.copy()
HOLES[0, 1, 2] = HOLES[2, 2, 3] = np.nan
HOLES[1, :, :2] = np.nan
WEIGHTS = RANDOM.uniform(0.1, 1.0, size=X.shape)
KEEP = RANDOM.uniform(size=X.shape) > 0.4
PLACES = np.cumsum(RANDOM.uniform(0.1, 1.0, size=4))


def result(fun: Callable[..., Any], *args: Any) -> tuple[Any, list[str]]:
    """What a call gives, and its warnings."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        out = fun(*args)
    return out, sorted({str(warning.message) for warning in caught})


def call(name: str, *args: Any, **options: Any) -> Callable[[Any], Any]:
    """A function of NumPy with all arguments but the first one given."""
    return lambda a: getattr(np, name)(a, *args, **options)


def assert_numpys(fun: Callable[[Any], Any], x: Any) -> None:
    """A traced call gives NumPy's value, of its shape and dtype, with its warnings."""
    expected, said = result(fun, x)
    (found, _), also = result(vjp, fun, x)
    assert np.shape(found) == np.shape(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    tolerance = 1e-13 if np.asarray(expected).dtype in (np.float64, np.complex128) else 1e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert said == also


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_of_every_method(name: str, method: Any, dtype: Any) -> None:
    for q in (0.3, 0, 1.0, [0.1, 0.5], np.float32(0.4)):
        for x in (X, HOLES):
            assert_numpys(call(name, q, axis=1, method=method), x.astype(dtype))
    assert_numpys(call(name, [0.2, 0.9], axis=(0, -1), keepdims=True, method=method), HOLES.astype(dtype))


@pytest.mark.parametrize("q", [0, 0.35, [0.1, 1.0]])
def test_weighted_quantiles(q: Any) -> None:
    lacking = WEIGHTS * (np.arange(5) > 0)
    for weights in (WEIGHTS, lacking):
        assert_numpys(call("quantile", q, weights=weights, method="inverted_cdf"), X)
        assert_numpys(call("nanquantile", q, weights=weights, method="inverted_cdf"), HOLES)
    by_axis = WEIGHTS[0, :, 0]
    assert_numpys(lambda a: np.quantile(a, q, axis=1, weights=by_axis, method="inverted_cdf"), X)


@pytest.mark.parametrize(
    "name", ["median", "nanmedian", "nanmax", "nanmin", "nanmean", "nansum", "nanprod", "nanvar", "nanstd"]
)
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": (0, 2), "keepdims": True}, {"axis": -1}], ids=str)
def test_reductions_that_pass_over_nan(name: str, options: dict[str, Any]) -> None:
    for x in (X, HOLES, X[:2], X.astype(np.float32)):
        assert_numpys(call(name, **options), x)


@pytest.mark.parametrize("name", ["nanmean", "nanvar", "nanstd", "nansum", "nanprod"])
def test_where(name: str) -> None:
    assert_numpys(call(name, axis=1, where=KEEP), HOLES)


def test_slices_of_nan_only_are_warned_of() -> None:
    x = np.full((2, 3), np.nan)
    x[0, 0] = 1.0
    for name in ("nanmedian", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd"):
        assert_numpys(call(name, axis=1), x)
    assert_numpys(lambda a: np.nanvar(a, axis=1, ddof=1), x)


@pytest.mark.parametrize("options", [{}, {"y": X[1]}, {"y": X[1], "rowvar": False}, {"dtype": np.float32}], ids=str)
def test_covariances(options: dict[str, Any]) -> None:
    for x in (X[0], X[0].astype(np.float32), X[0] + 1j * X[1]):
        if not (options.get("dtype") and x.dtype.kind == "c"):
            assert_numpys(call("cov", **options), x)
            assert_numpys(call("corrcoef", **options), x)
    assert_numpys(np.cov, X[0, 0])
    assert_numpys(np.corrcoef, X[0, 0])


def test_covariances_of_weighted_samples() -> None:
    frequencies, weights = [1, 3, 2, 1, 1], WEIGHTS[0, 0]
    samples: list[dict[str, Any]] = [
        *({"bias": True}, {"ddof": 0}, {"fweights": frequencies}, {"aweights": weights}),
        {"fweights": frequencies, "aweights": weights},
        {"ddof": 0, "aweights": weights},
    ]
    for options in samples:
        assert_numpys(call("cov", **options), X[0])


def test_averages() -> None:
    by_axis = WEIGHTS[0, 0]
    assert_numpys(lambda a: np.average(a, axis=(0, 1), weights=WEIGHTS, returned=True)[1], X)
    assert_numpys(lambda a: np.average(a, axis=2, weights=by_axis, keepdims=True), X.astype(np.float32))
    assert_numpys(lambda a: np.average(a, axis=2, returned=True)[1], X)
    assert_numpys(lambda a: np.average(np.arange(5), weights=a), by_axis)
    assert_numpys(lambda a: np.average(a, axis=(2, 1), weights=WEIGHTS[0].T), X)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("spacing", [(), (0.3,), (0.2, 0.5), (PLACES, 0.5), (np.arange(4), np.arange(5))], ids=str)
def test_gradients_on_grids(spacing: tuple[Any, ...], order: int) -> None:
    on_grid = call("gradient", *spacing, edge_order=order)
    assert_numpys(lambda a: np.stack(on_grid(a)), X[0])
    assert_numpys(call("gradient", axis=1, edge_order=order), X[0, :3, :3].astype(np.float32))


def test_differences() -> None:
    samples: list[dict[str, Any]] = [{"n": 2}, {"n": 0}, {"prepend": 0.0}, {"append": 1.5, "axis": 0}, {"prepend": X}]
    for options in samples:
        assert_numpys(call("diff", **options), X)
    assert_numpys(lambda a: np.diff(a > 0), X)
    assert_numpys(lambda a: np.ediff1d(a, to_begin=1.0, to_end=[2, 3]), X)
    rules: list[dict[str, Any]] = [{}, {"dx": 0.5}, {"x": PLACES, "axis": 1}, {"x": X, "axis": 1}]
    for options in rules:
        assert_numpys(call("trapezoid", **options), X)


def test_nan_has_no_derivative() -> None:
    x = np.array([3.0, np.nan, 1.0])
    for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmedian", "nanmax", "nanmin"):
        gradient = grad(getattr(np, name))(x)
        assert gradient[1] == 0
        np.testing.assert_allclose(gradient[[0, 2]], grad(getattr(np, name))(x[[0, 2]]), rtol=1e-14)
    np.testing.assert_array_equal(grad(lambda x: np.nanquantile(x, 0.5))(x), [0.5, 0, 0.5])


def test_nan_takes_no_share_of_an_infinite_extremum() -> None:
    x = np.array([[np.nan, -np.inf, -np.inf], [np.nan, 1.0, 2.0]])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.nanmax(x, axis=1)))(x), [[0, 0.5, 0.5], [0, 0, 1]])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.nanmin(-x, axis=1)))(x), [[0, -0.5, -0.5], [0, 0, -1]])
    assert_numpys(call("nanmax", axis=1), np.vstack([x, np.full(3, np.nan)]).astype(np.float32))


@pytest.mark.parametrize("name", ["nanvar", "nanstd"])
def test_a_slice_without_freedom_has_no_derivative(name: str) -> None:
    """Also where what it is sent is zero."""
    x = np.array([[1.0, np.nan], [2.0, 4.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = vjp(lambda x: getattr(np, name)(x, axis=1, ddof=1), x)[1](np.array([0.0, 1.0]))[0]
    np.testing.assert_allclose(found, [[0, 0], [-2, 2] if name == "nanvar" else [-(0.5**0.5), 0.5**0.5]])


def test_median_of_equal_entries() -> None:
    """Two in the middle have a half each; else one of the equal ones has all."""
    np.testing.assert_array_equal(grad(np.median)(np.array([2.0, 1.0, 2.0, 3.0])), [0.5, 0, 0.5, 0])
    assert sorted(grad(np.median)(np.array([1.0, 1.0, 0.0]))) == [0, 0, 1]


def test_perfect_correlation_has_its_second_derivative() -> None:
    """The correlation of x and x + t d is at its maximum at t = 0: -|d's part across x|^2 / |x|^2 is the curvature."""
    x, d = np.array([1.0, 2.0, 4.0]), np.array([0.3, -0.2, 0.1])
    found = grad(grad(lambda t: np.corrcoef(x, x + t * d)[0, 1]))(0.0)
    x, d = x - x.mean(), d - d.mean()
    across = d - x * (d @ x) / (x @ x)
    np.testing.assert_allclose(found, -(across @ across) / (x @ x), rtol=1e-12)
