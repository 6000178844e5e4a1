"""Interpolation on a grid of any number of dimensions: `RegularGridInterpolator`, linear between the points."""

from __future__ import annotations

import itertools
from typing import Any, final

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy import take
from xformad.numpy.implements import as_array
from xformad.scipy.interpolate.piecewise import nodes


@final
class RegularGridInterpolator:
    """Linear interpolation on a grid, as `scipy.interpolate.RegularGridInterpolator` with `method="linear"`.

    It is linear in the values; by a point it has the derivative of the cell on the right.

    Args:
        points: the plain, increasing coordinates along each axis.
        values: the values on the grid, and further axes.
        method: "linear".
        bounds_error: whether points outside are an error.
        fill_value: what is put outside otherwise; None: the linear functions are continued.

    >>> from xformad import grad
    >>> grid = (np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    >>> values = np.array([[0.0, 2.0], [3.0, 5.0]])
    >>> grad(lambda p: RegularGridInterpolator(grid, values)(p)[0])(np.array([0.5, 1.0]))
    array([3., 1.])
    """

    __slots__ = ("bounds_error", "fill_value", "grid", "values")

    def __init__(
        self,
        points: Any,
        values: Any,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Any = np.nan,
    ) -> None:
        if method != "linear":
            raise UnsupportedError(
                f"scipy.interpolate.RegularGridInterpolator with method={method!r} is not supported on traced arrays; use "
                "method='linear', or splines along one axis after the other"
            )
        self.grid = [nodes(x, "RegularGridInterpolator") for x in points]
        self.values = as_array(values)
        self.bounds_error = bounds_error
        self.fill_value = fill_value
        shape = tuple(len(x) for x in self.grid)
        if shape_of(self.values)[: len(shape)] != shape:
            raise ValueError(f"There are {shape} points and values of shape {shape_of(self.values)}")

    def __call__(self, xi: Any) -> Value:
        """The values at points, an array of shape (..., number of axes)."""
        xi = as_array(xi)
        xi = xi[None] if ndim_of(xi) == 1 else xi
        if shape_of(xi)[-1] != len(self.grid):
            raise ValueError(
                f"The requested sample points xi have dimension {shape_of(xi)[-1]} but this RegularGridInterpolator has "
                f"dimension {len(self.grid)}"
            )
        trailing = (1,) * (ndim_of(self.values) - len(self.grid))
        starts, shares, outside = [], [], False
        for i, x in enumerate(self.grid):
            point = xi[..., i]
            beyond = np.logical_or(point < x[0], point > x[-1])
            if self.bounds_error and anywhere(beyond):
                raise ValueError(f"One of the requested xi is out of bounds in dimension {i}")
            outside = np.logical_or(outside, beyond)
            at = np.searchsorted(x[1:-1], point, side="right")
            starts.append(at)
            share = (point - take(x, at)) / take(np.diff(x), at)
            shares.append(np.reshape(share, (*shape_of(share), *trailing)))
        strides = np.cumprod([1, *[len(x) for x in self.grid[:0:-1]]])[::-1]
        flat = np.reshape(self.values, (-1, *shape_of(self.values)[len(self.grid) :]))
        total: Value = 0.0
        for corner in itertools.product((0, 1), repeat=len(self.grid)):
            weight: Value = 1.0
            position: Value = 0
            for offset, start, share, stride in zip(corner, starts, shares, strides, strict=True):
                weight = weight * (share if offset else 1 - share)
                position = position + (start + offset) * int(stride)
            total = total + weight * take(flat, position, axis=0)
        if self.fill_value is None or self.bounds_error:
            return total
        where = np.reshape(outside, (*shape_of(outside), *trailing))
        return np.where(where, np.asarray(self.fill_value, dtype_of(total)), total)
