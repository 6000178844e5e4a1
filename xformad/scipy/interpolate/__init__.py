"""`scipy.interpolate` for programs under transformation: splines and grids, linear in the values.

    >>> import numpy as np
    >>> from xformad import grad
    >>> from xformad.scipy.interpolate import CubicSpline
    >>> x = np.linspace(0.0, 3.0, 7)
    >>> grad(lambda t: CubicSpline(x, np.sin(x))(t))(1.0).round(2)
    np.float64(0.54)

They have derivatives by the values and by the points, not by the nodes. What they make are functions of their own, not
SciPy's objects, so that they can be called with traced points.
"""

from __future__ import annotations

import scipy.interpolate

from xformad.scipy.faces import refused
from xformad.scipy.interpolate.grids import RegularGridInterpolator
from xformad.scipy.interpolate.piecewise import (
    BSpline,
    CubicHermiteSpline,
    CubicSpline,
    PiecewisePolynomial,
    make_interp_spline,
)

Akima1DInterpolator = refused(
    scipy.interpolate.Akima1DInterpolator,
    "it is not linear in the values; use CubicSpline, or CubicHermiteSpline with slopes of your own",
)
LinearNDInterpolator = refused(scipy.interpolate.LinearNDInterpolator, "use RegularGridInterpolator on a grid")
PchipInterpolator = refused(
    scipy.interpolate.PchipInterpolator,
    "it is not linear in the values; use CubicSpline, or CubicHermiteSpline with slopes of your own",
)
RBFInterpolator = refused(
    scipy.interpolate.RBFInterpolator, "solve for the weights with numpy.linalg.solve of the matrix of kernels"
)
UnivariateSpline = refused(scipy.interpolate.UnivariateSpline, "use make_interp_spline")
griddata = refused(scipy.interpolate.griddata, "use RegularGridInterpolator on a grid")
interp1d = refused(scipy.interpolate.interp1d, "use numpy.interp, or make_interp_spline with k=1, 2 or 3")
interpn = refused(scipy.interpolate.interpn, "use RegularGridInterpolator")
make_lsq_spline = refused(scipy.interpolate.make_lsq_spline, "use numpy.linalg.lstsq of the matrix of BSpline values")
make_smoothing_spline = refused(scipy.interpolate.make_smoothing_spline, "there is no rule for it")
pchip_interpolate = refused(scipy.interpolate.pchip_interpolate, "use CubicHermiteSpline with slopes of your own")
splev = refused(scipy.interpolate.splev, "use BSpline")
splrep = refused(scipy.interpolate.splrep, "use make_interp_spline")

__all__ = [
    "Akima1DInterpolator",
    "BSpline",
    "CubicHermiteSpline",
    "CubicSpline",
    "LinearNDInterpolator",
    "PchipInterpolator",
    "PiecewisePolynomial",
    "RBFInterpolator",
    "RegularGridInterpolator",
    "UnivariateSpline",
    "griddata",
    "interp1d",
    "interpn",
    "make_interp_spline",
    "make_lsq_spline",
    "make_smoothing_spline",
    "pchip_interpolate",
    "splev",
    "splrep",
]
