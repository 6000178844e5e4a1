"""The distribution functions of statistics that are incomplete gamma and beta functions, and their inverses.

Numbers of events are rounded down by SciPy, so the derivative with respect to them is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.scipy.special.densities import beta_density, gamma_density
from xformad.scipy.special.gamma_functions import beta
from xformad.scipy.special.incomplete import betainc_slope, by_shape
from xformad.scipy.special.ufuncs import Unknown, either, smooth_ufunc

TRIALS = Unknown("the number of trials")


def chi_by_x(v: Value, x: Value) -> Value:
    return gamma_density.bind(v / 2, x / 2) / 2


chdtr: Primitive = smooth_ufunc(scipy.special.chdtr, lambda v, x: by_shape(v / 2, x / 2) / 2, chi_by_x)
chdtrc: Primitive = smooth_ufunc(
    scipy.special.chdtrc, lambda v, x: by_shape(v / 2, x / 2) / -2, lambda v, x: -chi_by_x(v, x)
)


def chdtri_by_v(v: Value, p: Value) -> Value:
    x = chdtri.bind(v, p)
    return by_shape(v / 2, x / 2) / -2 / chi_by_x(v, x)


chdtri: Primitive = smooth_ufunc(scipy.special.chdtri, chdtri_by_v, lambda v, p: -1 / chi_by_x(v, chdtri.bind(v, p)))

gdtr: Primitive = smooth_ufunc(
    scipy.special.gdtr,
    lambda a, b, x: x * gamma_density.bind(b, a * x),
    lambda a, b, x: by_shape(b, a * x),
    lambda a, b, x: a * gamma_density.bind(b, a * x),
)
gdtrc: Primitive = smooth_ufunc(
    scipy.special.gdtrc,
    lambda a, b, x: -x * gamma_density.bind(b, a * x),
    lambda a, b, x: -by_shape(b, a * x),
    lambda a, b, x: -a * gamma_density.bind(b, a * x),
)


def gdtrix_slope(a: Value, b: Value, p: Value) -> Value:
    return 1 / (a * gamma_density.bind(b, a * gdtrix.bind(a, b, p)))


gdtrix: Primitive = smooth_ufunc(
    scipy.special.gdtrix,
    lambda a, b, p: -gdtrix.bind(a, b, p) / a,
    lambda a, b, p: -by_shape(b, a * gdtrix.bind(a, b, p)) * gdtrix_slope(a, b, p),
    gdtrix_slope,
)

pdtr: Primitive = smooth_ufunc(scipy.special.pdtr, None, lambda k, m: -gamma_density.bind(np.floor(k) + 1, m))
pdtrc: Primitive = smooth_ufunc(scipy.special.pdtrc, None, lambda k, m: gamma_density.bind(np.floor(k) + 1, m))
pdtri: Primitive = smooth_ufunc(
    scipy.special.pdtri, None, lambda k, y: -1 / gamma_density.bind(np.floor(k) + 1, pdtri.bind(k, y))
)


def binomial_slope(k: Value, n: Value, p: Value) -> Value:
    return beta_density.bind(np.floor(k) + 1, n - np.floor(k), p)


bdtr: Primitive = smooth_ufunc(scipy.special.bdtr, None, TRIALS, lambda k, n, p: -binomial_slope(k, n, p))
bdtrc: Primitive = smooth_ufunc(scipy.special.bdtrc, None, TRIALS, binomial_slope)
bdtri: Primitive = smooth_ufunc(
    scipy.special.bdtri, None, TRIALS, lambda k, n, y: -1 / binomial_slope(k, n, bdtri.bind(k, n, y))
)


def negative_binomial_slope(k: Value, n: Value, p: Value) -> Value:
    return beta_density.bind(n, np.floor(k) + 1, p)


nbdtr: Primitive = smooth_ufunc(scipy.special.nbdtr, None, TRIALS, negative_binomial_slope)
nbdtrc: Primitive = smooth_ufunc(scipy.special.nbdtrc, None, TRIALS, lambda k, n, p: -negative_binomial_slope(k, n, p))
nbdtri: Primitive = smooth_ufunc(
    scipy.special.nbdtri, None, TRIALS, lambda k, n, y: 1 / negative_binomial_slope(k, n, nbdtri.bind(k, n, y))
)


def f_slopes(sign: int) -> tuple[Any, Any, Any]:
    """The partial derivatives of I_y(m / 2, n / 2) with y = m x / (n + m x), for m and n degrees of freedom."""

    def by_x(m: Value, n: Value, x: Value) -> Value:
        total = n + m * x
        return sign * beta_density.bind(m / 2, n / 2, m * x / total) * (m * n / (total * total))

    def by_m(m: Value, n: Value, x: Value) -> Value:
        return sign * betainc_slope(0, m / 2, n / 2, m * x / (n + m * x)) / 2 + x / m * by_x(m, n, x)

    def by_n(m: Value, n: Value, x: Value) -> Value:
        return sign * betainc_slope(1, m / 2, n / 2, m * x / (n + m * x)) / 2 - x / n * by_x(m, n, x)

    return by_m, by_n, by_x


fdtr: Primitive = smooth_ufunc(scipy.special.fdtr, *f_slopes(1))
fdtrc: Primitive = smooth_ufunc(scipy.special.fdtrc, *f_slopes(-1))


def fdtri_slopes() -> tuple[Any, Any, Any]:
    by_m, by_n, by_x = f_slopes(1)

    def slope(m: Value, n: Value, p: Value) -> Value:
        return 1 / by_x(m, n, fdtri.bind(m, n, p))

    return (
        lambda m, n, p: -by_m(m, n, fdtri.bind(m, n, p)) * slope(m, n, p),
        lambda m, n, p: -by_n(m, n, fdtri.bind(m, n, p)) * slope(m, n, p),
        slope,
    )


fdtri: Primitive = smooth_ufunc(scipy.special.fdtri, *fdtri_slopes())


def student_density(df: Value, t: Value) -> Value:
    return np.exp(-(df + 1) / 2 * np.log1p(t * t / df)) / (np.sqrt(df) * beta.bind(df / 2, 0.5))


def student_by_df(df: Value, t: Value) -> Value:
    """With y = t^2 / (df + t^2) it is 1/2 + sign(t) I_y(1/2, df / 2) / 2, or the same with 1 - I_(1-y)(df / 2, 1/2)."""
    square = t * t
    central = square < df

    def near(df: Value, square: Value) -> Value:
        return betainc_slope(1, 0.5, df / 2, square / (df + square))

    def far(df: Value, square: Value) -> Value:
        return -betainc_slope(0, df / 2, 0.5, df / (df + square))

    turn = either(central, near, far, df, square, safe=(1.0, 1.0))
    return np.sign(t) * turn / 4 - student_density(df, t) * t / (2 * df)


stdtr: Primitive = smooth_ufunc(scipy.special.stdtr, student_by_df, student_density)


def stdtrit_slope(df: Value, p: Value) -> Value:
    return 1 / student_density(df, stdtrit.bind(df, p))


stdtrit: Primitive = smooth_ufunc(
    scipy.special.stdtrit,
    lambda df, p: -student_by_df(df, stdtrit.bind(df, p)) * stdtrit_slope(df, p),
    stdtrit_slope,
)
