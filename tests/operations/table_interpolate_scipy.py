"""Rows for `xformad.scipy.interpolate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from tests.operations.table_products import sample
from xformad import UnsupportedError
from xformad.scipy import interpolate

NODES = np.array([0.0, 0.7, 1.5, 2.0, 3.1])
KNOTS = np.array([0.0, 0.0, 0.0, 1.2, 3.0, 3.0, 3.0])
VALUES = np.array([0.3, -1.1, 0.8, 0.5, 1.7])
POINTS = np.array([0.4, 1.1, 2.9])
GRID = (np.array([0.0, 1.0, 2.5]), np.array([0.0, 3.0]))
INSIDE = np.array([[0.4, 1.1], [1.3, 2.2]])


def case(name: str, fun: Callable[..., Any], *args: Any) -> Case:
    return Case(f"scipy.interpolate {name}", fun, args)


CASES = [
    case("CubicSpline", lambda y, x: interpolate.CubicSpline(NODES, y, bc_type="natural")(x), VALUES, POINTS),
    case("CubicSpline axis", lambda y: interpolate.CubicSpline(NODES, y, axis=1)(POINTS, 1), sample(2, 5)),
    case("CubicHermiteSpline", lambda y, s, x: interpolate.CubicHermiteSpline(NODES, y, s)(x),
         VALUES, VALUES[::-1], POINTS),
    case("make_interp_spline", lambda y, x: interpolate.make_interp_spline(NODES, y)(x), VALUES, POINTS),
    case("make_interp_spline linear", lambda y, x: interpolate.make_interp_spline(NODES, y, k=1)(x), VALUES, POINTS),
    case("BSpline", lambda c, x: interpolate.BSpline(KNOTS, c, 2)(x), VALUES[:4], POINTS),
    case("BSpline integral", lambda c, b: interpolate.BSpline(KNOTS, c, 2).integrate(0.5, b), VALUES[:4], 2.7),
    case("RegularGridInterpolator", lambda v, p: interpolate.RegularGridInterpolator(GRID, v, "linear", False, None)(p),
         sample(3, 2), INSIDE),
]  # fmt: skip

REFUSED = [
    Refused("scipy.interpolate nodes", lambda x: interpolate.CubicSpline(x, VALUES), (NODES,), UnsupportedError,
            "pass plain nodes"),
    Refused("scipy.interpolate periodic", lambda y: interpolate.CubicSpline(NODES, y, bc_type="periodic"), (VALUES,),
            UnsupportedError, "continued over the ends"),
    Refused("scipy.interpolate sizes", lambda y: interpolate.CubicSpline(NODES, y), (VALUES[:3],), ValueError,
            "5 nodes, 3 values"),
    Refused("scipy.interpolate pchip", lambda y: interpolate.PchipInterpolator(NODES, y), (VALUES,), UnsupportedError,
            "use CubicSpline"),
    Refused("scipy.interpolate griddata", lambda y: interpolate.griddata(NODES, y, POINTS), (VALUES,), UnsupportedError,
            "use RegularGridInterpolator"),
    Refused("scipy.interpolate grid method", lambda v: interpolate.RegularGridInterpolator(GRID, v, "cubic"),
            (np.ones((3, 2)),), UnsupportedError, "method='linear'"),
    Refused("scipy.interpolate grid bounds", lambda p: interpolate.RegularGridInterpolator(GRID, np.ones((3, 2)))(p),
            (np.array([3.0, 0.0]),), ValueError, "out of bounds in dimension 0"),
]  # fmt: skip
