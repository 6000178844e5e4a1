"""Tangents where a norm is zero, or eigenvalues meet: what a function is on the two sides of such a point of a line.

Moving along a direction v through x = 0, the norm n of x has a cusp: it rises on both sides with the slope |v|. Its
derivative there is taken as 0, the mean of the slopes 1 and -1 times |v|. A function such as n**2 is smooth all the same,
and its second derivative needs the two slopes: its gradient is (c / n) x with c = 2 n, where c / n is 0 / 0. On either
side it is the quotient of the slopes of c and n, by l'Hopital's rule.

Where eigenvalues meet, the vectors on either side are those that diagonalise the direction, and need not be the ones at
the point: a function of the matrix does not see the difference, and its slopes on both sides are right.

So a tangent can be a `Cusp`, which has a `Germ`, value and slope, for each side, and operations are applied to both
sides for themselves. Where the sides agree in the end the derivative exists, and is found; where they do not, the
mean of the two is the convention for kinks (docs/conventions.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value


class Germ(NamedTuple):
    """A value and its slope, moving away from a point."""

    value: Value
    slope: Value


class Cusp(NamedTuple):
    """The germs along the direction of the tangent, and against it.

    Attributes:
        right: along it.
        left: against it.
        torn: whether the values of the two may differ for a free choice, as of eigenvectors. Where they do differ in the
            end, there is no derivative, and NaN says so.
    """

    right: Germ
    left: Germ
    torn: bool = False


def cusp(n: Value, t: Value, zero: Value, rise: Value) -> Cusp:
    """The tangent of a norm n that is t, but rises to both sides where `zero` is true."""
    return Cusp(Germ(n, np.where(zero, rise, t)), Germ(n, np.where(zero, rise, -t)))


def side_of(tracer: Tracer, side: int) -> Germ:
    """The germ of a tracer on one side: 0 along its direction, 1 against it."""
    tangent = tracer.extra
    if type(tangent) is Cusp:
        return tangent.left if side else tangent.right
    return Germ(tracer.value, -tangent if side else tangent)


def is_torn(tracer: Tracer) -> bool:
    """Whether a tracer has a cusp whose sides may differ."""
    return type(tracer.extra) is Cusp and tracer.extra.torn


def tangent_of(tracer: Tracer) -> Value:
    """The tangent of a tracer: of a cusp the mean of both sides."""
    tangent = tracer.extra
    if type(tangent) is not Cusp:
        return tangent
    right, left = tangent.right, tangent.left
    mean = 0.5 * (right.slope - left.slope)
    if not tangent.torn:
        return mean
    rounding = 1e3 * float(np.finfo(dtype_of(mean)).eps)
    apart = np.absolute(right.value - left.value) > rounding * np.max(np.absolute(right.value))
    return np.where(apart, np.nan, mean)
