"""Piecewise polynomials whose coefficients are linear in the interpolated values: splines.

The nodes are plain arrays. So the map from values to coefficients is a matrix, which SciPy gives, column by column; and a
point lies in the piece that a search among the nodes finds. The rest is Horner's rule: everything has derivatives by the
values and by the points, of any order. At a node the derivative by a point is that of the piece on its right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, final

import numpy as np
import scipy.interpolate

from xformad import tree
from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy import take
from xformad.numpy.implements import as_array
from xformad.scipy.faces import traced

interpolate: Any = scipy.interpolate  # the stubs want literal options


@final
class PiecewisePolynomial:
    """A function of one variable that is a polynomial between two nodes: what the splines here are, once made.

    It is a pytree with one leaf, `c`.

    Attributes:
        c: the coefficients, that of the highest power first, shape (k + 1, m, ...).
        x: the m + 1 nodes.
        extrapolate: whether the first and the last polynomial are continued; False: NaN; "periodic": the function is.
        axis: where in the result the axes of the points are.
    """

    __slots__ = ("axis", "c", "extrapolate", "x")

    def __init__(self, c: Value, x: Any, extrapolate: Any = True, axis: int = 0) -> None:
        self.c = c
        self.x = x
        self.extrapolate = extrapolate
        self.axis = axis

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Value:
        """The values at points, or those of a derivative.

        Args:
            x: the points, of any shape.
            nu: the order of the derivative.
            extrapolate: as the attribute, which it replaces for this call.

        Returns:
            The values, with the axes of the points in the place of that of the interpolated values.
        """
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        points = as_array(x)
        points = points if dtype_of(points).kind == "f" else np.asarray(points, float)
        first, last = self.x[0], self.x[-1]
        if extrapolate == "periodic":
            points = first + (points - first) % (last - first)
        pieces = len(self.x) - 1
        at = np.clip(np.searchsorted(self.x[1:-1], points, side="right"), 0, pieces - 1)
        trailing = ndim_of(self.c) - 2
        step = np.reshape(points - take(self.x, at), (*shape_of(points), *(1,) * trailing))
        c = self.derivative(nu).c
        total = take(c[0], at, axis=0)
        for k in range(1, shape_of(c)[0]):
            total = total * step + take(c[k], at, axis=0)
        if extrapolate is False or extrapolate == 0:
            outside = np.reshape(np.logical_or(points < first, points > last), shape_of(step))
            total = np.where(outside, np.nan, total)
        if self.axis == 0:
            return total
        count = ndim_of(points)
        return np.moveaxis(total, list(range(count)), list(range(self.axis, self.axis + count)))

    def derivative(self, nu: int = 1) -> PiecewisePolynomial:
        """The derivative of an order."""
        c = self.c
        for _ in range(nu):
            degree = shape_of(c)[0] - 1
            powers = np.reshape(np.arange(degree, 0, -1.0), (degree, *(1,) * (ndim_of(c) - 1)))
            c = c[:-1] * powers if degree else 0 * c
        return PiecewisePolynomial(c, self.x, self.extrapolate, self.axis)

    def antiderivative(self) -> PiecewisePolynomial:
        """The integral from the first node on."""
        count = shape_of(self.c)[0]
        ones = (1,) * (ndim_of(self.c) - 1)
        c = self.c / np.reshape(np.arange(count, 0, -1.0), (count, *ones))
        steps = np.diff(self.x)[None] ** np.arange(count, 0, -1)[:, None]
        sums = np.cumsum(np.sum(c * np.reshape(steps, (*steps.shape, *ones[1:])), axis=0), axis=0)
        constants = np.concatenate([np.zeros_like(sums[:1]), sums[:-1]])
        return PiecewisePolynomial(np.concatenate([c, constants[None]]), self.x, self.extrapolate, self.axis)

    def integrate(self, a: Any, b: Any) -> Value:
        """The integral from a to b."""
        if self.extrapolate == "periodic":
            raise UnsupportedError(
                "the integral of a periodic spline is not supported; use antiderivative() within a period"
            )
        primitive = self.antiderivative()
        return primitive(b) - primitive(a)


def parts(f: PiecewisePolynomial) -> tuple[tuple[Value], Any]:
    return (f.c,), (tuple(f.x.tolist()), f.extrapolate, f.axis)


tree.register(
    PiecewisePolynomial, parts, lambda aux, children: PiecewisePolynomial(children[0], np.array(aux[0]), *aux[1:])
)


def nodes(x: Any, name: str) -> Any:
    if traced((x,)):
        raise UnsupportedError(
            f"scipy.interpolate.{name} with traced nodes is not supported: derivatives exist by the values and by the "
            "points where it is evaluated; pass plain nodes"
        )
    return np.asarray(x, float)


def linear(make: Callable[[Any], Any], values: Value, count: int) -> Value:
    """The coefficients of `make(values)`, which are a matrix times the values, and a constant."""
    constant = make(np.zeros((count, 1)))
    matrix = make(np.eye(count)) - constant
    found = np.tensordot(matrix, values, axes=(-1, 0))
    if not constant.any():
        return found
    return found + np.reshape(constant, (*constant.shape[:-1], *(1,) * (ndim_of(values) - 1)))


def ends(condition: Any, y: Any) -> Any:
    """The conditions at the ends, where (order, number) sets a derivative in every column."""
    if not isinstance(condition, tuple | list):
        return condition
    if len(condition) != 2 or not isinstance(condition[0], int):
        return tuple(ends(each, y) for each in condition)
    if traced(condition) or np.ndim(condition[1]):
        raise UnsupportedError("splines with derivatives at the ends that are traced or no numbers are not supported")
    return condition[0], np.full(y.shape[1:], condition[1])


def moved(y: Any, axis: int, count: int) -> tuple[Value, int]:
    """The values with the interpolation axis first, and where that was."""
    y = as_array(y)
    axis = axis % ndim_of(y)
    y = np.moveaxis(y, axis, 0)
    if shape_of(y)[0] != count:
        raise ValueError(f"x and y are incompatible: {count} nodes, {shape_of(y)[0]} values")
    return y, axis


def CubicSpline(
    x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None
) -> PiecewisePolynomial:
    """The cubic spline through values, as `scipy.interpolate.CubicSpline` makes it.

    Args:
        x: the nodes, plain and increasing, shape (n,).
        y: the values, an array with n entries along `axis`.
        axis: the axis.
        bc_type: the conditions at the ends, as SciPy has them. For "periodic" the values must be plain.
        extrapolate: see `PiecewisePolynomial`.

    >>> from xformad import grad
    >>> x = np.arange(5.0)
    >>> grad(lambda t: CubicSpline(x, x**3)(t))(1.5).round(12)
    np.float64(6.75)
    >>> grad(lambda y: CubicSpline(x, y)(1.5))(x**3)
    array([-0.046875,  0.5     ,  0.65625 , -0.125   ,  0.015625])
    """
    x = nodes(x, "CubicSpline")
    y, axis = moved(y, axis, len(x))
    periodic = isinstance(bc_type, str) and bc_type == "periodic"
    extrapolate = ("periodic" if periodic else True) if extrapolate is None else extrapolate
    if periodic:
        if traced((y,)):
            raise UnsupportedError(
                "scipy.interpolate.CubicSpline with bc_type='periodic' of traced values is not supported, since the first "
                "and the last value must be equal; use make_interp_spline of values continued over the ends"
            )
        c: Value = interpolate.CubicSpline(x, y, bc_type=bc_type).c
    else:
        c = linear(lambda y: interpolate.CubicSpline(x, y, bc_type=ends(bc_type, y)).c, y, len(x))
    return PiecewisePolynomial(c, x, extrapolate, axis)


def CubicHermiteSpline(x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> PiecewisePolynomial:
    """The cubic spline through values with given slopes, as `scipy.interpolate.CubicHermiteSpline` makes it.

    >>> from xformad import grad
    >>> grad(lambda slopes: CubicHermiteSpline([0.0, 1.0], [0.0, 0.0], slopes)(0.5))(np.zeros(2))
    array([ 0.125, -0.125])
    """
    x = nodes(x, "CubicHermiteSpline")
    (y, axis), (slopes, _) = moved(y, axis, len(x)), moved(dydx, axis, len(x))
    step = np.reshape(np.diff(x), (-1, *(1,) * (ndim_of(y) - 1)))
    rise = (y[1:] - y[:-1]) / step
    bend = (slopes[:-1] + slopes[1:] - 2 * rise) / step
    c = np.stack([bend / step, (rise - slopes[:-1]) / step - bend, slopes[:-1], y[:-1] + 0 * rise])
    return PiecewisePolynomial(c, x, True if extrapolate is None else extrapolate, axis)


def polynomials(t: Any, c: Any, k: int, at: Any) -> Any:
    """The coefficients of a B-spline at the left ends of its pieces: its derivatives, over the factorials."""
    spline = interpolate.BSpline(t, c, k)
    return np.stack([spline(at, nu=nu) / math.factorial(nu) for nu in range(k, -1, -1)])


def BSpline(t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0) -> PiecewisePolynomial:
    """The spline with these knots and coefficients, as `scipy.interpolate.BSpline` makes it; here as polynomials.

    Args:
        t: the knots, plain, shape (n + k + 1,).
        c: the coefficients, an array with n entries along `axis`.
        k: the degree.
        extrapolate: see `PiecewisePolynomial`.
        axis: the axis.

    >>> from xformad import grad
    >>> grad(lambda c: BSpline(np.arange(6.0), c, 2)(2.0))(np.ones(3))
    array([0.5, 0.5, 0. ])
    """
    t = nodes(t, "BSpline")
    count = len(t) - k - 1
    c = as_array(c)
    axis = axis % ndim_of(c)
    c = np.moveaxis(c, axis, 0)[:count]
    at = np.unique(t[k : count + 1])
    return PiecewisePolynomial(linear(lambda c: polynomials(t, c, k, at[:-1]), c, count), at, extrapolate, axis)


def make_interp_spline(
    x: Any, y: Any, k: int = 3, t: Any = None, bc_type: Any = None, axis: int = 0, check_finite: bool = True
) -> PiecewisePolynomial:
    """The spline of degree k through values, as `scipy.interpolate.make_interp_spline` makes it; here as polynomials.

    Args:
        x: the nodes, plain, shape (n,).
        y: the values, an array with n entries along `axis`.
        k: the degree.
        t: the knots, plain; by default SciPy's choice.
        bc_type: the conditions at the ends, as SciPy has them, but not "periodic".
        axis: the axis.
        check_finite: has no effect.

    >>> from xformad import grad
    >>> grad(lambda y: make_interp_spline([0.0, 1.0, 3.0], y, k=1)(1.5))(np.zeros(3))
    array([0.  , 0.75, 0.25])
    """
    x = nodes(x, "make_interp_spline")
    t = None if t is None else nodes(t, "make_interp_spline")
    if isinstance(bc_type, str) and bc_type == "periodic":
        raise UnsupportedError("scipy.interpolate.make_interp_spline with bc_type='periodic' is not supported here")
    y, axis = moved(y, axis, len(x))
    knots = interpolate.make_interp_spline(x, np.zeros(len(x)), k, t, bc_type).t

    def coefficients(y: Any) -> Any:
        return interpolate.make_interp_spline(x, y, k, t, ends(bc_type, y)).c

    found = BSpline(knots, linear(coefficients, y, len(x)), k)
    return PiecewisePolynomial(found.c, found.x, True, axis)
