"""The logistic function and its relatives, Box-Cox transformations, Huber's losses, and functions of degrees and powers."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks
from xformad.operations.constants import LOG_2, LOG_10
from xformad.operations.makers import nondifferentiable
from xformad.scipy.faces import face
from xformad.scipy.special.hypergeometric import hyp1f1, log1p_ratio_slope
from xformad.scipy.special.ufuncs import smooth_ufunc

DEGREE: Final = math.pi / 180


def expit_series(_taylor: Kinks, ans: Value, x: Series) -> Series:
    """By y' = w x' with w = y z and z = 1 - y, whose value is expit(-x): that does not round to 0."""
    rates = series.slopes(x)
    y, z = [ans], [expit(-x[0])]
    w = [ans * z[0]]
    for n in range(1, len(x)):
        y.append(series.over(series.convolved(rates, w, n, 1, n), n))
        z.append(series.minus(None, y[n]) if y[n] is not None else None)
        w.append(series.convolved(y, z, n, 0, n))
    return y


expit: Primitive = smooth_ufunc(
    scipy.special.expit, lambda x: expit(x) * expit(-x), singular=False, taylor=expit_series
)
log_expit: Primitive = smooth_ufunc(scipy.special.log_expit, lambda x: expit(-x), singular=False)
logit: Primitive = smooth_ufunc(scipy.special.logit, lambda p: 1 / (p * (1 - p)))

if hasattr(scipy.special, "softplus"):  # since SciPy 1.17

    @face(scipy.special.softplus)
    def softplus(x: Value, **kwargs: Any) -> Value:
        """log(1 + exp(x)), by `numpy.logaddexp`, whose keywords are taken, too.

        >>> from xformad import grad
        >>> grad(softplus)(0.0)
        np.float64(0.5)
        """
        return np.logaddexp(0, x, **kwargs)


def exprel_slope(t: Value) -> Value:
    """The derivative of (exp(t) - 1) / t."""
    return hyp1f1.bind(2.0, 3.0, t) / 2


def boxcox_by_power(x: Value, power: Value) -> Value:
    """(x^p (p log(x) - 1) + 1) / p^2, which is log(x)^2 h(p log(x)) for the derivative h of (exp(t) - 1) / t."""
    zero = x == 0
    log = np.log(np.where(zero, 1, x))
    return np.where(zero, 1 / np.where(zero, power, 1) ** 2, log * log * exprel_slope(power * log))


boxcox: Primitive = smooth_ufunc(scipy.special.boxcox, lambda x, power: x ** (power - 1), boxcox_by_power)
boxcox1p: Primitive = smooth_ufunc(
    scipy.special.boxcox1p,
    lambda x, power: np.exp((power - 1) * np.log1p(x)),
    lambda x, power: np.log1p(x) ** 2 * exprel_slope(power * np.log1p(x)),
)


def inverse_by_power(y: Value, power: Value) -> Value:
    """The inverse is exp(y l(p y)) with l(t) = log(1 + t) / t."""
    return inv_boxcox.bind(y, power) * (y * y) * log1p_ratio_slope(power * y)


inv_boxcox: Primitive = smooth_ufunc(
    scipy.special.inv_boxcox, lambda y, power: inv_boxcox.bind(y, power) / (1 + power * y), inverse_by_power
)
inv_boxcox1p: Primitive = smooth_ufunc(
    scipy.special.inv_boxcox1p, lambda y, power: inv_boxcox.bind(y, power) / (1 + power * y), inverse_by_power
)

powm1: Primitive = smooth_ufunc(
    scipy.special.powm1, lambda x, y: y * x ** (y - 1), lambda x, y: x**y * np.log(np.where(x == 0, 1, x))
)

huber: Primitive = smooth_ufunc(
    scipy.special.huber,
    lambda delta, r: np.where(abs(r) <= delta, 0, abs(r) - delta),
    lambda delta, r: np.where(abs(r) <= delta, r, delta * np.sign(r)),
)


def stretch(delta: Value, r: Value) -> Value:
    """sqrt(1 + (r / delta)^2)."""
    return np.sqrt(1 + (r / delta) ** 2)


def pseudo_huber_by_delta(delta: Value, r: Value) -> Value:
    """2 delta (s - 1) - r^2 / (delta s), without its cancellation: delta (r / delta)^4 / (s (s + 1)^2)."""
    s = stretch(delta, r)
    return delta * (r / delta) ** 4 / (s * (s + 1) ** 2)


pseudo_huber: Primitive = smooth_ufunc(
    scipy.special.pseudo_huber, pseudo_huber_by_delta, lambda delta, r: r / stretch(delta, r)
)

# What NumPy has, too, in SciPy's implementation, and functions like them.
exp2: Primitive = smooth_ufunc(
    scipy.special.exp2, lambda x: LOG_2.double * exp2(x), name="special_exp2", public="exp2", singular=False
)
exp10: Primitive = smooth_ufunc(scipy.special.exp10, lambda x: LOG_10.double * exp10(x), singular=False)
expm1: Primitive = smooth_ufunc(
    scipy.special.expm1, lambda x: np.exp(x), name="special_expm1", public="expm1", singular=False
)
log1p: Primitive = smooth_ufunc(scipy.special.log1p, lambda x: 1 / (1 + x), name="special_log1p", public="log1p")
cbrt: Primitive = smooth_ufunc(scipy.special.cbrt, lambda x: 1 / (3 * cbrt(x) ** 2), name="special_cbrt", public="cbrt")
cosm1: Primitive = smooth_ufunc(scipy.special.cosm1, lambda x: -np.sin(x), singular=False)
sindg: Primitive = smooth_ufunc(scipy.special.sindg, lambda x: DEGREE * cosdg(x), singular=False)
cosdg: Primitive = smooth_ufunc(scipy.special.cosdg, lambda x: -DEGREE * sindg(x), singular=False)
tandg: Primitive = smooth_ufunc(scipy.special.tandg, lambda x: DEGREE * (1 + tandg(x) ** 2))
cotdg: Primitive = smooth_ufunc(scipy.special.cotdg, lambda x: -DEGREE * (1 + cotdg(x) ** 2))
radian: Primitive = smooth_ufunc(
    scipy.special.radian,
    lambda *_: DEGREE,
    lambda *_: DEGREE / 60,
    lambda *_: DEGREE / 3600,
    singular=False,
)
round_: Primitive = nondifferentiable("special_round", scipy.special.round)
