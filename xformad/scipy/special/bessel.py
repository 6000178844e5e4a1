"""Bessel functions, differentiable in their argument: chapter 10 of the DLMF.

The derivative is a sum of functions of neighbouring orders (10.6.1, 10.29.1); so are those of any order n, as the shift
S of the order by one commutes with the derivative: ((S^-1 - S) / 2)^n (10.6.7, 10.29.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.dispatch import UFUNCS
from xformad.core.interpreter import anywhere, dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters import series
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import TaylorRule, from_composition
from xformad.numpy.elementwise import COMPOSED
from xformad.scipy.special.ufuncs import Unknown, from_all_derivatives, from_partials, smooth_ufunc

ORDER: Final = Unknown("the order")

Nth = Callable[[int, Value, Value], Value]
"""`nth(n, v, z)`: the derivative of order n of the function of order v."""


def by_neighbours(bind: Callable[[Value, Value], Value], sign: int, scale: int) -> Nth:
    """The derivatives where f_v' = scale (f_(v-1) + sign f_(v+1)) / 2."""

    def nth(n: int, v: Value, z: Value) -> Value:
        total = bind(v - n, z)
        for k in range(1, n + 1):
            total = total + sign**k * math.comb(n, k) * bind(v - n + 2 * k, z)
        return (scale / 2) ** n * total

    return nth


def of_order(name: str, ufunc: Any, sign: int, scale: int) -> tuple[Primitive, Nth]:
    """The primitive of a family of functions, and their derivatives."""

    def bind(v: Value, z: Value) -> Value:
        return primitive.bind(v, z)

    nth = by_neighbours(bind, sign, scale)
    primitive = smooth_ufunc(ufunc, ORDER, lambda v, z: nth(1, v, z), name=name, nth=nth)
    return primitive, nth


def complex_argument(ufunc: Any, primitive: Primitive) -> None:
    """Call the primitive with a complex last argument always, as what it computes is complex."""
    del UFUNCS[ufunc]
    COMPOSED[ufunc] = lambda v, z: primitive.bind(v, z + 0j)


def of_whole_order(ufunc: Any, nth: Nth) -> Primitive:
    """The primitive of an own ufunc for whole orders."""
    return smooth_ufunc(ufunc, ORDER, lambda n, x: nth(1, n, x), nth=nth)


def of_fixed_order(ufunc: Any, order: int, nth: Nth) -> Primitive:
    """The primitive of an own ufunc for one order. Its dtype is that of the argument."""
    return smooth_ufunc(ufunc, lambda x: nth(1, order, x), nth=lambda n, x: nth(n, order, x))


jv, jv_nth = of_order("jv", scipy.special.jv, -1, 1)
yv, yv_nth = of_order("yv", scipy.special.yv, -1, 1)
iv, iv_nth = of_order("iv", scipy.special.iv, 1, 1)
kv, kv_nth = of_order("kv", scipy.special.kv, 1, -1)
hankel1, hankel1_nth = of_order("hankel1", scipy.special.hankel1, -1, 1)
hankel2, hankel2_nth = of_order("hankel2", scipy.special.hankel2, -1, 1)
complex_argument(scipy.special.hankel1, hankel1)
complex_argument(scipy.special.hankel2, hankel2)
yn: Primitive = of_whole_order(scipy.special.yn, yv_nth)
kn: Primitive = of_whole_order(scipy.special.kn, kv_nth)
j0: Primitive = of_fixed_order(scipy.special.j0, 0, jv_nth)
j1: Primitive = of_fixed_order(scipy.special.j1, 1, jv_nth)
y0: Primitive = of_fixed_order(scipy.special.y0, 0, yv_nth)
y1: Primitive = of_fixed_order(scipy.special.y1, 1, yv_nth)
i1: Primitive = of_fixed_order(scipy.special.i1, 1, iv_nth)
k0: Primitive = of_fixed_order(scipy.special.k0, 0, kv_nth)
k1: Primitive = of_fixed_order(scipy.special.k1, 1, kv_nth)
i0: Primitive = smooth_ufunc(
    scipy.special.i0,
    lambda x: i1(x),
    name="special_i0",
    public="i0",
    singular=False,
    nth=lambda n, x: iv_nth(n, 0, x),
)


def second_differences(bind: Callable[[Value, Value], Value], turn: complex, scale: complex) -> Nth:
    """The derivatives where f_v' = scale (g_(v-1) + 2 g_v + g_(v+1)) / 2 for g_v = turn^v f_v.

    The sum is (T^(1/2) + T^(-1/2))^2 of the shift T of g.
    """

    def nth(n: int, v: Value, z: Value) -> Value:
        total: Value = 0
        for k in range(2 * n + 1):
            total = total + turn ** (k - n) * math.comb(2 * n, k) * bind(v - n + k, z)
        return (scale / 2) ** n * total

    return nth


def holomorphic(name: str, ufunc: Any, turn: complex, scale: complex) -> tuple[Primitive, Nth]:
    """The primitive of a family of functions with an exponential factor, and their derivatives."""

    def bind(v: Value, z: Value) -> Value:
        return primitive.bind(v, z)

    nth = second_differences(bind, turn, scale)
    primitive = smooth_ufunc(ufunc, ORDER, lambda v, z: nth(1, v, z), name=name, nth=nth)
    return primitive, nth


kve, kve_nth = holomorphic("kve", scipy.special.kve, -1, 1)
hankel1e, hankel1e_nth = holomorphic("hankel1e", scipy.special.hankel1e, -1j, -1j)
hankel2e, hankel2e_nth = holomorphic("hankel2e", scipy.special.hankel2e, 1j, 1j)
complex_argument(scipy.special.hankel1e, hankel1e)
complex_argument(scipy.special.hankel2e, hankel2e)
k0e: Primitive = of_fixed_order(scipy.special.k0e, 0, kve_nth)
k1e: Primitive = of_fixed_order(scipy.special.k1e, 1, kve_nth)


def real_only(z: Value, name: str, instead: str) -> None:
    """Refuse complex arguments of what is no holomorphic function of them."""
    if dtype_of(z).kind == "c":
        raise UnsupportedError(
            f"scipy.special.{name} has no complex derivative, as its factor depends on |z|; write {instead}"
        )


def jve_slope(v: Value, z: Value) -> Value:
    real_only(z, "jve", "scipy.special.jv(v, z) * numpy.exp(-numpy.abs(z.imag))")
    return jv_nth(1, v, z)


def yve_slope(v: Value, z: Value) -> Value:
    real_only(z, "yve", "scipy.special.yv(v, z) * numpy.exp(-numpy.abs(z.imag))")
    return yv_nth(1, v, z)


# Of real arguments these are jv and yv.
jve: Primitive = smooth_ufunc(scipy.special.jve, ORDER, jve_slope)
yve: Primitive = smooth_ufunc(scipy.special.yve, ORDER, yve_slope)

right = second_differences(lambda v, x: ive.bind(v, x), -1, -1)
left = second_differences(lambda v, x: ive.bind(v, x), 1, 1)


def ive_nth(n: int, v: Value, x: Value) -> Value:
    """Of I_v(x) exp(-|x|), which has a kink at 0; for x other than that."""
    real_only(x, "ive", "scipy.special.iv(v, z) * numpy.exp(-numpy.abs(z.real))")
    return np.where(x < 0, left(n, v, x), right(n, v, x))


def ive_slope(v: Value, x: Value) -> Value:
    """At the kink, the mean of both sides."""
    mean = (ive.bind(v - 1, x) + ive.bind(v + 1, x)) / 2
    return np.where(x == 0, mean, ive_nth(1, v, x))


def with_kink(rule: TaylorRule, *order: int) -> TaylorRule:
    """The rule; where x is 0, that of exp(-|x|) I_v(x). The order of I is the first argument, if it is not given."""
    product = from_composition(lambda *args: np.exp(-np.abs(args[-1])) * iv.bind(*order, *args))

    def guarded(taylor: Any, ans: Value, *args: Series) -> Series:
        *others, x = args
        zero = x[0] == 0
        if not anywhere(zero):
            return rule(taylor, ans, *args)  # type: ignore[no-any-return]
        inside = product(taylor, ans, *others, series.filled(x, np.logical_not(zero), 0.0))
        outside = rule(taylor, ans, *others, series.filled(x, zero, 1.0))
        return [ans, *series.chosen(zero, inside, outside)[1:]]

    return guarded


ive: Primitive = smooth_ufunc(
    scipy.special.ive,
    ORDER,
    ive_slope,
    taylor=with_kink(from_all_derivatives(ive_nth, from_partials("ive", (ORDER, ive_slope)))),
)


def scaled_of_fixed_order(ufunc: Any, order: int) -> Primitive:
    rule = from_all_derivatives(lambda n, x: ive_nth(n, order, x), from_partials(ufunc.__name__, ()))
    return smooth_ufunc(ufunc, lambda x: ive_slope(order, x), taylor=with_kink(rule, order))


i0e: Primitive = scaled_of_fixed_order(scipy.special.i0e, 0)
i1e: Primitive = scaled_of_fixed_order(scipy.special.i1e, 1)
