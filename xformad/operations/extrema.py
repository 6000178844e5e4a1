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
from xformad.interpreters import series
from xformad.interpreters.cotangents import Masked, everywhere
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, TaylorRule, deftaylor, from_composition
from xformad.operations.linalg_norms import euclidean_series, over_norm, rising
from xformad.operations.makers import elementwise


def taken(g: Value, ans: Value, x: Value, y: Value) -> Masked:
    """The cotangent of x where the result is x, half of it where it is y as well."""
    chosen = x == ans
    tied = x == y
    if everywhere(chosen) and not anywhere(tied):
        return Masked(g, chosen, full=True)
    return Masked(np.where(chosen, np.where(tied, 0.5 * g, g), 0), chosen)


def first(g: Value, ans: Value, x: Value, y: Value) -> Masked:
    return taken(g, ans, x, y)


def second(g: Value, ans: Value, x: Value, y: Value) -> Masked:
    return taken(g, ans, y, x)


def taken_series(name: str, larger: bool, ignores_nan: bool = False) -> TaylorRule:
    """The series of the one that is taken for small t: the first coefficients that differ decide.

    At a tie its value is taken too. It is the same number, but where that is traced, its derivative is that of the branch.
    """

    def rule(taylor: Kinks, ans: Value, x: Series, y: Series) -> Series:
        first, differs = series.ahead(x, y, taylor.side) if larger else series.ahead(y, x, taylor.side)
        if differs:
            taylor.kink(f"{name} of equal values that move apart")
        if ignores_nan:
            first = np.logical_or(first, np.isnan(y[0]))
        found = series.chosen(first, x, y)
        return found if differs else [ans, *found[1:]]

    return rule


maximum: Primitive = elementwise("maximum", np.maximum, first, second)
deftaylor(maximum, taken_series("numpy.maximum", larger=True))

minimum: Primitive = elementwise("minimum", np.minimum, first, second)
deftaylor(minimum, taken_series("numpy.minimum", larger=False))

fmax: Primitive = elementwise("fmax", np.fmax, first, second)
deftaylor(fmax, taken_series("numpy.fmax", larger=True, ignores_nan=True))

fmin: Primitive = elementwise("fmin", np.fmin, first, second)
deftaylor(fmin, taken_series("numpy.fmin", larger=False, ignores_nan=True))


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


def absolute_series(taylor: Kinks, ans: Value, x: Series) -> Series:
    if dtype_of(x[0]).kind == "c":
        parts = [series.each(part, x) for part in (np.real, np.imag)]
        return euclidean_series(taylor, ans, parts, lambda c: c, lambda mask: mask)
    positive, differs = series.ahead(x, series.still(0.0, x), taylor.side)
    if differs:
        taylor.kink("numpy.absolute of zero")
    found = series.each(lambda c: series.select(positive, c, -c), x)
    return found if differs else [ans, *found[1:]]


absolute: Primitive = elementwise(core.absolute, np.absolute, absolute_vjp)


def absolute_jvp(t: Value, ans: Value, x: Value) -> Value:
    if dtype_of(x).kind == "c":
        return rising(over_norm(np.real(np.conjugate(x) * t), ans), ans, lambda: absolute(t), x)
    slope = t * sign(x)
    if type(x) is Tracer and anywhere(x == 0):
        slope = np.where(x == 0, over_norm(x * t, ans), slope)
    return rising(slope, ans, lambda: absolute(t), x)


defjvp(absolute, absolute_jvp)
deftaylor(absolute, absolute_series)

fabs: Primitive = elementwise("fabs", np.fabs, lambda g, _ans, x: g * sign(x))
deftaylor(fabs, absolute_series)


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


def sign_series(taylor: Kinks, ans: Value, x: Series) -> Series:
    """Constant for a real number; x / |x| for a complex one."""
    if dtype_of(x[0]).kind != "c":
        return series.still(ans, x)
    regular = series.filled(x, x[0] == 0, 1.0) if anywhere(x[0] == 0) else x
    return from_composition(lambda z: z / np.absolute(z))(taylor, ans, regular)  # type: ignore[no-any-return]


deftaylor(sign, sign_series)


def copysign_series(taylor: Kinks, _ans: Value, x: Series, y: Series) -> Series:
    size = absolute_series(taylor, np.absolute(x[0]), x)
    return series.each(lambda c: c * np.copysign(1.0, y[0]), size)


# |x| with the sign of y: locally x or -x.
copysign: Primitive = elementwise("copysign", np.copysign, lambda g, ans, x, _y: g * sign(x) * sign(ans), None)
deftaylor(copysign, copysign_series)

# 0, y or 1 as x is negative, zero or positive.
heaviside: Primitive = elementwise("heaviside", np.heaviside, None, lambda g, _ans, x, _y: np.where(x == 0, g, 0))
deftaylor(heaviside, lambda _taylor, ans, x, y: [ans, *series.each(lambda c: np.where(x[0] == 0, c, 0), y[1:])])
