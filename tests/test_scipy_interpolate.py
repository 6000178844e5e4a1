"""`xformad.scipy.interpolate` beside its table: SciPy's values over its options, derivatives, integrals, containers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.interpolate

import xformad
from tests.operations.table_interpolate_scipy import GRID, KNOTS, NODES, VALUES
from tests.operations.table_products import sample
from xformad import UnsupportedError
from xformad.scipy import interpolate

original: Any = scipy.interpolate
EVERYWHERE = np.linspace(-0.5, 3.6, 24).reshape(2, 12)


@pytest.mark.parametrize("values", [VALUES, sample(5, 2), VALUES * (1 + 2j)], ids=["vector", "matrix", "complex"])
@pytest.mark.parametrize("ends", ["not-a-knot", "natural", "clamped", ((1, 0.5), (2, -1.0))])
@pytest.mark.parametrize("nu", [0, 1, 2, 4])
def test_cubic_splines_are_scipys(values: Any, ends: Any, nu: int) -> None:
    if values.ndim == 2 and isinstance(ends, tuple):
        ends = ((1, np.full(2, 0.5)), (2, np.full(2, -1.0)))
        with pytest.raises(UnsupportedError, match="that are traced or no numbers"):
            interpolate.CubicSpline(NODES, values, bc_type=ends)
        return
    expected = original.CubicSpline(NODES, values, bc_type=ends)(EVERYWHERE, nu)
    found = interpolate.CubicSpline(NODES, values, bc_type=ends)(EVERYWHERE, nu)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def test_conditions_at_the_ends_of_interpolating_splines() -> None:
    ends = ([(1, 0.5)], [(2, -1.0)])
    expected = original.make_interp_spline(NODES, VALUES, bc_type=ends)(EVERYWHERE)
    found = interpolate.make_interp_spline(NODES, VALUES, bc_type=ends)(EVERYWHERE)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("extrapolate", [True, False, "periodic"])
def test_extrapolation_is_scipys(extrapolate: Any) -> None:
    expected = original.CubicSpline(NODES, VALUES, extrapolate=extrapolate)(EVERYWHERE)
    found = interpolate.CubicSpline(NODES, VALUES, extrapolate=extrapolate)(EVERYWHERE)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def test_periodic_splines_of_plain_values() -> None:
    values = np.append(VALUES[:-1], VALUES[0])
    expected = original.CubicSpline(NODES, values, bc_type="periodic")
    found = interpolate.CubicSpline(NODES, values, bc_type="periodic")
    np.testing.assert_allclose(found(EVERYWHERE), expected(EVERYWHERE), rtol=1e-11)
    np.testing.assert_allclose(xformad.grad(found)(5.0), expected(5.0, 1), rtol=1e-11)
    with pytest.raises(UnsupportedError, match="within a period"):
        found.integrate(0.0, 1.0)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_interpolating_splines_are_scipys(k: int, axis: int) -> None:
    x = np.array([0.0, 0.7, 1.5, 2.0, 3.1, 3.3])
    values = np.moveaxis(sample(6, 2, 3), 0, axis)
    expected = original.make_interp_spline(x, values, k, axis=axis)
    found = interpolate.make_interp_spline(x, values, k, axis=axis)
    np.testing.assert_allclose(found(EVERYWHERE), expected(EVERYWHERE), rtol=1e-9, atol=1e-9)


def test_b_splines_are_scipys() -> None:
    expected, found = original.BSpline(KNOTS, VALUES, 2), interpolate.BSpline(KNOTS, VALUES, 2)
    np.testing.assert_allclose(found(EVERYWHERE), expected(EVERYWHERE), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.integrate(0.2, 2.8), expected.integrate(0.2, 2.8), rtol=1e-11)
    np.testing.assert_allclose(
        found.derivative()(EVERYWHERE), expected.derivative()(EVERYWHERE), rtol=1e-11, atol=1e-11
    )


def test_hermite_splines_are_scipys() -> None:
    expected = original.CubicHermiteSpline(NODES, VALUES, VALUES[::-1])
    found = interpolate.CubicHermiteSpline(NODES, VALUES, VALUES[::-1])
    np.testing.assert_allclose(found(EVERYWHERE), expected(EVERYWHERE), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.integrate(0.2, 2.8), expected.integrate(0.2, 2.8), rtol=1e-11)


@pytest.mark.parametrize("fill", [np.nan, 0.5, None])
def test_grids_are_scipys(fill: Any) -> None:
    values = sample(3, 2, 2)
    points = np.stack([np.linspace(-0.5, 3.0, 15), np.linspace(3.5, -1.0, 15)], -1).reshape(3, 5, 2)
    expected = original.RegularGridInterpolator(GRID, values, "linear", False, fill)(points)
    found = interpolate.RegularGridInterpolator(GRID, values, "linear", False, fill)(points)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    with pytest.raises(ValueError, match="dimension 3 but this RegularGridInterpolator has dimension 2"):
        interpolate.RegularGridInterpolator(GRID, values)(np.zeros(3))
    with pytest.raises(ValueError, match=r"There are \(3, 2\) points"):
        interpolate.RegularGridInterpolator(GRID, values.T)


def test_derivative_by_a_point_is_that_of_the_spline() -> None:
    spline = interpolate.CubicSpline(NODES, VALUES)
    found = xformad.derivatives(spline, 4)(1.1)
    np.testing.assert_allclose(found, [spline(1.1, nu) for nu in range(5)], rtol=1e-11, atol=1e-11)


def test_splines_are_containers() -> None:
    """A spline may be an argument, and is differentiated by its coefficients."""
    spline = interpolate.make_interp_spline(NODES, VALUES, k=1)
    gradient = xformad.grad(lambda f: f(1.1))(spline)
    assert type(gradient) is interpolate.PiecewisePolynomial
    np.testing.assert_allclose(gradient.c[:, 1], [1.1 - 0.7, 1.0])


def test_refused_names_work_on_plain_arrays() -> None:
    np.testing.assert_array_equal(interpolate.pchip_interpolate(NODES, VALUES, 1.0),
                                  original.pchip_interpolate(NODES, VALUES, 1.0))  # fmt: skip
