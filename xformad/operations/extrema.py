"""Maxima and minima of two arrays, absolute values and signs: functions with kinks.

Ties share equally: where x and y are equal, each has half of the derivative. What goes to the one not taken is
structurally zero.
"""

from __future__ import annotations

import numpy as np

from xformad.core import primitive as core
from xformad.core.interpreter import anywhere, dtype_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Value
from xformad.interpreters.cotangents import Masked
from xformad.interpreters.jvp_rules import defjvp
from xformad.operations.linalg_norms import over_norm, rising
from xformad.operations.makers import elementwise


def taken(g: Value, ans: Value, x: Value, y: Value) -> Masked:
    """The cotangent of x where the result is x, half of it where it is y as well."""
    chosen = x == ans
    return Masked(np.where(chosen, np.where(x == y, 0.5 * g, g), 0), chosen)


def first(g: Value, ans: Value, x: Value, y: Value) -> Masked:
    return taken(g, ans, x, y)


def second(g: Value, ans: Value, x: Value, y: Value) -> Masked:
    return taken(g, ans, y, x)


maximum: Primitive = elementwise("maximum", np.maximum, first, second)

minimum: Primitive = elementwise("minimum", np.minimum, first, second)

fmax: Primitive = elementwise("fmax", np.fmax, first, second)

fmin: Primitive = elementwise("fmin", np.fmin, first, second)


def nonzero(x: Value) -> Value:
    """x, but 1 where it is 0: a divisor for what is 0 there."""
    return np.where(x == 0, 1, x)


def absolute_vjp(g: Value, ans: Value, x: Value) -> Value:
    """The sign of a real number; conj(x) / |x| for a complex one, 0 at 0. Where a second derivative is being taken at 0,
    the quotient by |x| finds that of |x|^2.
    """
    if dtype_of(x).kind == "c":
        return np.conj(x) * over_norm(g, ans)
    if type(g) is Tracer and anywhere(x == 0):
        return np.where(x == 0, x * over_norm(g, ans), g * sign(x))
    return g * sign(x)


absolute: Primitive = elementwise(core.absolute, np.absolute, absolute_vjp)


def absolute_jvp(t: Value, ans: Value, x: Value) -> Value:
    if dtype_of(x).kind == "c":
        return rising(over_norm(np.real(np.conjugate(x) * t), ans), ans, lambda: absolute(t), x)
    slope = t * sign(x)
    if type(x) is Tracer and anywhere(x == 0):
        slope = np.where(x == 0, over_norm(x * t, ans), slope)
    return rising(slope, ans, lambda: absolute(t), x)


defjvp(absolute, absolute_jvp)

fabs: Primitive = elementwise("fabs", np.fabs, lambda g, _ans, x: g * sign(x))


def sign_vjp(g: Value, ans: Value, x: Value) -> Value:
    """0 for a real number. For a complex one x / |x|: the part of g across the direction of x, over |x|."""
    if dtype_of(x).kind != "c":
        return np.zeros_like(g)
    inward = np.real(g * ans) * np.conj(ans)
    return (g - inward) / nonzero(np.absolute(x))


sign: Primitive = elementwise("sign", np.sign, sign_vjp)


def sign_jvp(t: Value, ans: Value, x: Value) -> Value | None:
    """The part of t across the direction of x, over |x|."""
    if dtype_of(x).kind != "c":
        return None
    return (t - ans * np.real(np.conjugate(ans) * t)) / nonzero(np.absolute(x))


defjvp(sign, sign_jvp)

# |x| with the sign of y: locally x or -x.
copysign: Primitive = elementwise("copysign", np.copysign, lambda g, ans, x, _y: g * sign(x) * sign(ans), None)

# 0, y or 1 as x is negative, zero or positive.
heaviside: Primitive = elementwise("heaviside", np.heaviside, None, lambda g, _ans, x, _y: np.where(x == 0, g, 0))
