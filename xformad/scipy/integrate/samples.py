"""Integrals of samples: `trapezoid`, `cumulative_trapezoid`, `simpson`. Plain arguments go to SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate

from xformad import tree
from xformad.core.interpreter import shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.numpy.implements import as_array


def traced(*values: Any) -> bool:
    return any(type(leaf) is Tracer for leaf in tree.leaves_of(values))


def lined_up(y: Any, x: Any, dx: Any, axis: int) -> tuple[Value, Value]:
    """The samples with their axis last, and the distances between them.

    Raises:
        ValueError: if the points are not as many as the samples.
    """
    y = np.moveaxis(as_array(y), axis, -1)
    if x is None:
        return y, np.broadcast_to(dx, (max(shape_of(y)[-1] - 1, 0),))
    x = as_array(x)
    x = x if len(shape_of(x)) == 1 else np.moveaxis(x, axis, -1)
    if shape_of(x)[-1] != shape_of(y)[-1]:
        raise ValueError("If given, length of x along axis must be the same as y.")
    return y, x[..., 1:] - x[..., :-1]


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Value:
    """The integral by the trapezoidal rule.

    Args:
        y: the samples.
        x: where they were taken, of one axis or of the shape of y.
        dx: the distance between them, if x is not given.
        axis: along which axis.

    >>> trapezoid(np.array([1.0, 2.0, 4.0]))
    np.float64(4.5)
    """
    if not traced(y, x, dx):
        return scipy.integrate.trapezoid(y, x, dx, axis)
    y, h = lined_up(y, x, dx, axis)
    return np.sum(h * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: float | None = None) -> Value:
    """The integrals up to each sample by the trapezoidal rule.

    Args:
        y, x, dx, axis: as for `trapezoid`.
        initial: 0 to begin with a zero; None to begin with the second sample.

    Raises:
        ValueError: for another `initial`.

    >>> cumulative_trapezoid(np.array([1.0, 2.0, 4.0]), initial=0)
    array([0. , 1.5, 4.5])
    """
    if not traced(y, x, dx):
        return scipy.integrate.cumulative_trapezoid(y, x, dx, axis, initial)
    y, h = lined_up(y, x, dx, axis)
    sums = np.cumsum(h * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)
    if initial is not None:
        if initial != 0:
            raise ValueError("`initial` must be `None` or `0`.")
        sums = np.concatenate([np.zeros((*shape_of(sums)[:-1], 1)), sums], axis=-1)
    return np.moveaxis(sums, -1, axis)


def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Value:
    """The integral by Simpson's rule for points at any distances.

    For an even number of samples, the last interval is integrated by the parabola through the last three. K. V.
    Cartwright, "Simpson's Rule Cumulative Integration with MS Excel and Irregularly-spaced Data" (2017).

    Args:
        y, x, dx, axis: as for `trapezoid`.

    >>> simpson(np.array([0.0, 1.0, 4.0]))
    np.float64(2.6666666666666665)
    """
    if not traced(y, x, dx):
        return scipy.integrate.simpson(y, x=x, dx=dx, axis=axis)
    y, h = lined_up(y, x, dx, axis)
    count = shape_of(y)[-1]
    if count < 3:
        return np.sum(h * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)
    pairs = count - 2 + count % 2
    first, middle, last = y[..., 0 : pairs - 1 : 2], y[..., 1:pairs:2], y[..., 2 : pairs + 1 : 2]
    before, after = h[..., 0 : pairs - 1 : 2], h[..., 1:pairs:2]
    both = before + after
    parts = first * (2 - after / before) + middle * both**2 / (before * after) + last * (2 - before / after)
    total = np.sum(both / 6.0 * parts, axis=-1)
    if count % 2:
        return total
    before, after = h[..., -2], h[..., -1]
    both = before + after
    own = y[..., -1] * (2 * after**2 + 3 * before * after) / (6 * both)
    own = own + y[..., -2] * (after**2 + 3 * before * after) / (6 * before)
    return total + own - y[..., -3] * after**3 / (6 * before * both)
