"""`least_squares` and `curve_fit`: SciPy's nonlinear least squares, with exact Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

from xformad import tree
from xformad.core.typing import Value
from xformad.errors import ArgumentError
from xformad.scipy.optimize.unknowns import Bounds, Vector, bounds_of, of_vector, refuse_traced, unknowns_of
from xformad.transformations.matrices import jacobian
from xformad.transformations.vectors import Layout, plain_function


def least_squares(
    fun: Callable[..., Any], x0: Any, args: Any = (), *, bounds: Any = (-np.inf, np.inf), **options: Any
) -> Any:
    """Minimise the sum of squares of a function's results by `scipy.optimize.least_squares`, with the exact Jacobian.

    Computed in double precision.

    Args:
        fun: `fun(x, *args)`, the residuals: a pytree of real numbers and arrays.
        x0: where to start: a pytree of real numbers and arrays.
        args: further arguments, a tuple.
        bounds: `xformad.scipy.optimize.Bounds` of trees; or as SciPy takes them, for the vector of all entries.
        options: all else that SciPy takes: `method`, `loss`, `x_scale`, `max_nfev`, ...

    Returns:
        SciPy's result, with `x` and the gradient `grad` as trees like x0, and `fun` as a tree like the residuals. The
        rows of `jac` are the residuals, its columns the unknowns, in the order of `xformad.tree.leaves_of`.

    Raises:
        UnsupportedError: for complex unknowns; for traced ones, or arguments.
        ArgumentError: if `jac` is given.

    >>> t, y = np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.5, 0.75])
    >>> least_squares(lambda p: p["height"] * np.exp(-p["rate"] * t) - y, {"height": 1.0, "rate": 1.0}).x
    {'height': np.float64(2.99999...), 'rate': np.float64(0.693147...)}
    """
    if "jac" in options:
        raise ArgumentError("least_squares computes the exact Jacobian itself; leave out jac=")
    layout, start = unknowns_of(x0, "least_squares")
    residuals = of_vector(fun, layout, args, "least_squares")
    forms: list[Layout] = []

    def vector(x: Value) -> Value:
        found = residuals(x)
        forms[:] = [Layout(found, "the residuals of least_squares")]
        leaves = tree.leaves_of(found)
        return forms[0].vector(leaves)

    if isinstance(bounds, Bounds | scipy.optimize.Bounds):
        both = bounds_of(bounds, layout)
        bounds = (both.lb, both.ub)
    plain = plain_function(vector, "the function of least_squares")
    found = scipy.optimize.least_squares(plain, start, jacobian(vector), bounds, **options)
    found.x, found.grad = layout.tree(found.x), layout.tree(found.grad)
    found.fun = forms[0].tree(found.fun)
    return found


def curve_fit(f: Callable[..., Any], xdata: Any, ydata: Any, p0: Any = None, *args: Any, **options: Any) -> Any:
    """Fit a function to data by `scipy.optimize.curve_fit`, with the exact Jacobian.

    Args:
        f: `f(xdata, *parameters)`, written with NumPy's functions.
        xdata, ydata, p0, args, options: as SciPy takes them.

    Returns:
        As SciPy: the parameters and their covariance.

    Raises:
        UnsupportedError: if the data are traced.

    >>> t, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([3.0, 1.5, 0.75, 0.375])
    >>> curve_fit(lambda t, height, rate: height * np.exp(-rate * t), t, y)[0]
    array([3.        , 0.69314718])
    """
    refuse_traced((xdata, ydata, p0, args, options), "curve_fit")

    def matrix(xdata: Any, *parameters: float) -> Vector:
        found: Vector = jacobian(lambda p: f(xdata, *p))(np.array(parameters))
        return found

    if len(args) < 6:  # where SciPy has jac, the tenth
        options.setdefault("jac", matrix)
    return scipy.optimize.curve_fit(f, xdata, ydata, p0, *args, **options)
