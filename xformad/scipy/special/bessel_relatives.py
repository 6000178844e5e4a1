"""Airy, Kelvin and Struve functions, and spherical Bessel functions: chapters 9 to 11 of the DLMF."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.scipy.faces import face
from xformad.scipy.special.bessel import (
    ORDER,
    hankel1_nth,
    hankel2_nth,
    iv_nth,
    jv_nth,
    kv_nth,
    yv_nth,
)
from xformad.scipy.special.gamma_functions import rgamma
from xformad.scipy.special.ufuncs import part, several, smooth_ufunc


def airy_part(name: str, index: int, slope: Any) -> Primitive:
    return smooth_ufunc(part(scipy.special.airy, index), slope, name=name, singular=False)


# y'' = z y
ai: Primitive = airy_part("airy_ai", 0, lambda z: ai_slope(z))
ai_slope: Primitive = airy_part("airy_ai_slope", 1, lambda z: z * ai(z))
bi: Primitive = airy_part("airy_bi", 2, lambda z: bi_slope(z))
bi_slope: Primitive = airy_part("airy_bi_slope", 3, lambda z: z * bi(z))
several(scipy.special.airy, ai, ai_slope, bi, bi_slope)


def struve_excess(v: Value, x: Value) -> Value:
    """(x / 2)^v / (sqrt(pi) gamma(v + 3/2)) (DLMF 11.4.29)."""
    return (x / 2) ** v * rgamma(v + 1.5) / math.sqrt(math.pi)


struve: Primitive = smooth_ufunc(
    scipy.special.struve,
    ORDER,
    lambda v, x: (struve.bind(v - 1, x) - struve.bind(v + 1, x) + struve_excess(v, x)) / 2,
)
modstruve: Primitive = smooth_ufunc(
    scipy.special.modstruve,
    ORDER,
    lambda v, x: (modstruve.bind(v - 1, x) + modstruve.bind(v + 1, x) + struve_excess(v, x)) / 2,
)

# Of Kelvin's equation: f'' = -f'/x + i f for ber + i bei and ker + i kei.
ber: Primitive = smooth_ufunc(scipy.special.ber, lambda x: berp(x))
bei: Primitive = smooth_ufunc(scipy.special.bei, lambda x: beip(x))
ker: Primitive = smooth_ufunc(scipy.special.ker, lambda x: kerp(x))
kei: Primitive = smooth_ufunc(scipy.special.kei, lambda x: keip(x))
berp: Primitive = smooth_ufunc(scipy.special.berp, lambda x: -bei(x) - berp(x) / x)
beip: Primitive = smooth_ufunc(scipy.special.beip, lambda x: ber(x) - beip(x) / x)
kerp: Primitive = smooth_ufunc(scipy.special.kerp, lambda x: -kei(x) - kerp(x) / x)
keip: Primitive = smooth_ufunc(scipy.special.keip, lambda x: ker(x) - keip(x) / x)


def spherical(function: Any, below: int, above: int) -> Primitive:
    """f_n' = (below n f_(n-1) + above (n + 1) f_(n+1)) / (2 n + 1) (DLMF 10.51.2, 10.51.5)."""

    def slope(n: Value, z: Value) -> Value:
        lower = primitive.bind(np.maximum(n - 1, 0), z)
        return (below * n * lower + above * (n + 1) * primitive.bind(n + 1, z)) / (2 * n + 1)

    primitive = smooth_ufunc(lambda n, z: function(n, z), ORDER, slope, name=function.__name__)
    return primitive


def described(text: str) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """A decorator that gives a function its docstring."""

    def describe(function: Callable[..., Value]) -> Callable[..., Value]:
        function.__doc__ = text
        return function

    return describe


def spherical_face(function: Any, primitive: Primitive) -> Any:
    @face(function)
    @described("The spherical Bessel function of order n at z; `derivative` must be False for traced z.")
    def call(n: Any, z: Any, derivative: bool = False) -> Value:
        if derivative:
            raise UnsupportedError(
                f"scipy.special.{function.__name__} with derivative=True is not supported on traced arrays; "
                "differentiate it instead"
            )
        return primitive.bind(as_array(n), as_array(z))

    return call


spherical_jn_ = spherical(scipy.special.spherical_jn, 1, -1)
spherical_yn_ = spherical(scipy.special.spherical_yn, 1, -1)
spherical_in_ = spherical(scipy.special.spherical_in, 1, 1)
spherical_kn_ = spherical(scipy.special.spherical_kn, -1, -1)
spherical_jn = spherical_face(scipy.special.spherical_jn, spherical_jn_)
spherical_yn = spherical_face(scipy.special.spherical_yn, spherical_yn_)
spherical_in = spherical_face(scipy.special.spherical_in, spherical_in_)
spherical_kn = spherical_face(scipy.special.spherical_kn, spherical_kn_)


def derivative_face(function: Any, nth: Any) -> Any:
    """The face of `jvp` and the like."""

    @face(function)
    @described("The derivative of order n of a Bessel function of order v at z.")
    def call(v: Any, z: Any, n: int = 1) -> Value:
        z = as_array(z)
        if function.__name__ in ("h1vp", "h2vp") and dtype_of(z).kind != "c":
            z = z + 0j
        v = (
            np.asarray(v) if isinstance(v, int | float) else as_array(v)
        )  # an array, whose precision counts, as in SciPy
        return nth(n, v, z)

    return call


jvp = derivative_face(scipy.special.jvp, jv_nth)
yvp = derivative_face(scipy.special.yvp, yv_nth)
ivp = derivative_face(scipy.special.ivp, iv_nth)
kvp = derivative_face(scipy.special.kvp, kv_nth)
h1vp = derivative_face(scipy.special.h1vp, hankel1_nth)
h2vp = derivative_face(scipy.special.h2vp, hankel2_nth)
