"""Elliptic integrals and functions: chapters 19 and 22 of the DLMF, with the parameter m = k^2 as in SciPy.

All are made of Carlson's integrals, and these are of the form of the integral of (t + x)^-a (t + y)^-b ... over positive
t. A derivative is another one of this form, without the differences that the usual formulas divide by (at m = 0, and at
equal arguments).
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.interpreter import anywhere
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import defbatch_elementwise
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor, from_derivative
from xformad.interpreters.vjp_rules import BROADCAST, ELEMENTWISE, VjpEntry, vjp_rules
from xformad.scipy.special.ufuncs import Partial, part, several, smooth_ufunc

STEP: Final = 0.4
"""Of the trapezoidal rule in u after t = exp(u). Its error is exp(-2 pi d / STEP), as the integrand is analytic for
|Im u| < d = pi, whatever the arguments: Trefethen and Weideman, "The exponentially convergent trapezoidal rule" (2014)."""

DIGITS: Final = 38.0
"""Where exp(-DIGITS) of the integrand are left, the rule ends."""


def carlson_value(*args: Any, powers: tuple[float, ...]) -> Any:
    """The integral over t > 0 of the product of (t + x)^-p over the arguments x, one of which may be 0, and their powers."""
    kind = np.result_type(*args, 0.0)
    with np.errstate(all="ignore"):
        xs = np.broadcast_arrays(*[np.asarray(x, complex if kind.kind == "c" else float) for x in args])
        sizes = np.abs(xs)
        usable = np.isfinite(sizes) & (sizes > 0)
        low = math.log(np.min(sizes, initial=1.0, where=usable))
        high = math.log(np.max(sizes, initial=1.0, where=usable))
        at_zero = max((p for x, p in zip(sizes, powers, strict=True) if np.any(x == 0)), default=0.0)
        first = low - DIGITS / max(1 - at_zero, 0.1)
        last = high + DIGITS / (sum(powers) - 1)
        total = np.zeros_like(xs[0])
        for u in np.arange(first, last + STEP, STEP):
            t = math.exp(u)
            term = np.full_like(total, t)
            for x, p in zip(xs, powers, strict=True):
                term = term * (t + x) ** -p
            total = total + term
    return (total * STEP).astype(kind)[()]


carlson = Primitive("carlson_integral", carlson_value)


def carlson_slope(argnum: int, *args: Value, powers: tuple[float, ...]) -> Value:
    more = tuple([p + (i == argnum) for i, p in enumerate(powers)])
    return -powers[argnum] * carlson.bind(*args, powers=more)


def carlson_vjp(argnum: int, g: Value, _ans: Value, *args: Value, powers: tuple[float, ...]) -> Value:
    return g * carlson_slope(argnum, *args, powers=powers)


def carlson_jvp(tangents: Tangents, _ans: Value, *args: Value, powers: tuple[float, ...]) -> Value:
    parts = [t * carlson_slope(i, *args, powers=powers) for i, t in enumerate(tangents) if t is not None]
    return functools.reduce(operator.add, parts)


def carlson_series(taylor: Kinks, ans: Value, *args: Series, powers: tuple[float, ...]) -> Series:
    partials = [functools.partial(carlson_slope, i) for i in range(len(args))]
    return from_derivative(*partials)(taylor, ans, *args, powers=powers)  # type: ignore[no-any-return]


vjp_rules[carlson] = VjpEntry(variadic=carlson_vjp, check=BROADCAST, mask=ELEMENTWISE, specs=False)
defjvp_joint(carlson, carlson_jvp, strict=False)
defbatch_elementwise(carlson)
deftaylor(carlson, carlson_series)


def carlson_ufunc(ufunc: Any, scale: float, *powers: float) -> Primitive:
    """The primitive of one of SciPy's: `scale` times the integral."""

    def partial(argnum: int) -> Partial:
        return lambda *args: scale * carlson_slope(argnum, *args, powers=powers)

    return smooth_ufunc(ufunc, *[partial(i) for i in range(len(powers))])


elliprc: Primitive = carlson_ufunc(scipy.special.elliprc, 0.5, 0.5, 1.0)
elliprf: Primitive = carlson_ufunc(scipy.special.elliprf, 0.5, 0.5, 0.5, 0.5)
elliprd: Primitive = carlson_ufunc(scipy.special.elliprd, 1.5, 0.5, 0.5, 1.5)
elliprj: Primitive = carlson_ufunc(scipy.special.elliprj, 1.5, 0.5, 0.5, 0.5, 1.0)

# K(m) = R_F(0, 1 - m, 1) and E(m) = K(m) - m R_D(0, 1 - m, 1) / 3 (DLMF 19.25.1), so E' = -R_D(0, 1 - m, 1) / 6.
ellipk: Primitive = smooth_ufunc(
    scipy.special.ellipk, lambda m: carlson.bind(0.0, 1 - m, 1.0, powers=(0.5, 1.5, 0.5)) / 4
)
ellipkm1: Primitive = smooth_ufunc(
    scipy.special.ellipkm1, lambda p: carlson.bind(0.0, p, 1.0, powers=(0.5, 1.5, 0.5)) / -4
)
ellipe: Primitive = smooth_ufunc(
    scipy.special.ellipe, lambda m: carlson.bind(0.0, 1 - m, 1.0, powers=(0.5, 0.5, 1.5)) / -4
)


def radicand(phi: Value, m: Value) -> Value:
    """1 - m sin(phi)^2."""
    return 1 - m * np.sin(phi) ** 2


def incomplete_by_m(complete_slope: Callable[[Value], Value], scale: float, powers: tuple[float, ...]) -> Partial:
    """The derivative by m: sin^3 c(cos^2, 1 - m sin^2, 1) of Carlson's integrals for |phi| < pi / 2 (DLMF 19.25.5, 19.25.9).

    Beyond that, each turn by pi adds twice the complete integral.
    """

    def partial(phi: Value, m: Value) -> Value:
        turns = np.rint(phi / math.pi)
        rest = phi - math.pi * turns
        part = scale * np.sin(rest) ** 3 * carlson.bind(np.cos(rest) ** 2, radicand(rest, m), 1.0, powers=powers)
        if not anywhere(turns != 0):
            return part
        return part + np.where(turns == 0, 0, 2 * turns * complete_slope(m))

    return partial


ellipkinc: Primitive = smooth_ufunc(
    scipy.special.ellipkinc,
    lambda phi, m: 1 / np.sqrt(radicand(phi, m)),
    incomplete_by_m(lambda m: carlson.bind(0.0, 1 - m, 1.0, powers=(0.5, 1.5, 0.5)) / 4, 0.25, (0.5, 1.5, 0.5)),
)
ellipeinc: Primitive = smooth_ufunc(
    scipy.special.ellipeinc,
    lambda phi, m: np.sqrt(radicand(phi, m)),
    incomplete_by_m(lambda m: carlson.bind(0.0, 1 - m, 1.0, powers=(0.5, 0.5, 1.5)) / -4, -0.25, (0.5, 0.5, 1.5)),
)

# Jacobi's functions of u and m are those of the amplitude phi with F(phi, m) = u: so d phi / du = dn, and d phi / dm is
# -dn times the derivative of F by m.
phase: Primitive = smooth_ufunc(
    part(scipy.special.ellipj, 3),
    lambda u, m: delta.bind(u, m),
    lambda u, m: -delta.bind(u, m) * phase_shift(u, m),
    name="jacobi_amplitude",
)


def phase_shift(u: Value, m: Value) -> Value:
    """The derivative of F(phi, m) by m at the amplitude."""
    partial = incomplete_by_m(
        lambda m: carlson.bind(0.0, 1 - m, 1.0, powers=(0.5, 1.5, 0.5)) / 4, 0.25, (0.5, 1.5, 0.5)
    )
    return partial(phase.bind(u, m), m)


sine: Primitive = smooth_ufunc(
    part(scipy.special.ellipj, 0),
    lambda u, m: cosine.bind(u, m) * delta.bind(u, m),
    lambda u, m: -cosine.bind(u, m) * delta.bind(u, m) * phase_shift(u, m),
    name="jacobi_sn",
)
cosine: Primitive = smooth_ufunc(
    part(scipy.special.ellipj, 1),
    lambda u, m: -sine.bind(u, m) * delta.bind(u, m),
    lambda u, m: sine.bind(u, m) * delta.bind(u, m) * phase_shift(u, m),
    name="jacobi_cn",
)


def delta_by_m(u: Value, m: Value) -> Value:
    """Of dn = sqrt(1 - m sn^2)."""
    s = sine.bind(u, m)
    return m * s * cosine.bind(u, m) * phase_shift(u, m) - s * s / (2 * delta.bind(u, m))


delta: Primitive = smooth_ufunc(
    part(scipy.special.ellipj, 2),
    lambda u, m: -m * sine.bind(u, m) * cosine.bind(u, m),
    delta_by_m,
    name="jacobi_dn",
)
several(scipy.special.ellipj, sine, cosine, delta, phase)
