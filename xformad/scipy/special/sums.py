"""`logsumexp`, `softmax` and `log_softmax`.

The derivative of log(sum b exp(a)) by a is b exp(a - result). Where that is infinite minus infinite, the entries that are
infinite as the result is have equal shares, as in `numpy.logaddexp`: so a slice of nothing but -inf has the derivative
1 / n for each of its n entries, and no NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from xformad.core.interpreter import anywhere, dtype_of, ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.interpreters import index_sets, series
from xformad.interpreters.batch_rules import Batched, along_axes, defbatch, shifted, spread_out
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import collapsed, defindexset
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor, from_composition
from xformad.interpreters.vjp_rules import VjpEntry, vjp_rules
from xformad.numpy.implements import as_array, normalized_axis
from xformad.operations.makers import smooth
from xformad.scipy.faces import face

Axes = tuple[int, ...]


def kept(shape: Shape, axis: Axes) -> Shape:
    return tuple([1 if i in axis else n for i, n in enumerate(shape)])


def total(x: Value, axis: Axes) -> Value:
    return np.sum(x, axis=axis, keepdims=True)


def shares(a: Value, ans: Value, axis: Axes) -> Value:
    """exp(a - ans). Of entries that are infinite as the result is, each has an equal share."""
    same = np.logical_and(a == ans, np.isinf(a))
    if not anywhere(same):
        return np.exp(a - ans)
    count = total(same, axis)
    infinite = count > 0
    finite = np.exp(np.where(infinite, 0, a) - np.where(infinite, 0, ans))
    each = 1 / np.where(infinite, count, 1).astype(dtype_of(ans))
    return np.where(infinite, np.where(same, each, 0), finite)


def own_shares(a: Value, ans: Value, axis: Axes) -> Value:
    """The same of a sum without weights: that of `softmax`, which has no rounding of a large result."""
    return shares(a, ans, axis) if anywhere(np.isinf(ans)) else softmax_.bind(a, axis=axis)


def log_sum_exp_value(a: Value, axis: Axes) -> Value:
    if np.size(a) == 0:  # where SciPy takes one axis only
        return np.full(kept(np.shape(a), axis), -np.inf, a.dtype)
    return scipy.special.logsumexp(a, axis, keepdims=True)


log_sum_exp: Primitive = smooth(
    "log_sum_exp",
    log_sum_exp_value,
    lambda g, ans, a, axis: g * own_shares(a, ans, axis),
)
defjvp(log_sum_exp, lambda t, ans, a, axis: total(t * own_shares(a, ans, axis), axis))
defindexset(log_sum_exp, lambda dependences, _ans, a, axis: collapsed(dependences[0], np.shape(a), axis))
defbatch(log_sum_exp, along_axes(log_sum_exp))


def log_sum_exp_series(_taylor: Kinks, ans: Value, a: Series, axis: Axes) -> Series:
    """The logarithm of the sum of exp(a - ans), which is 1 at t = 0."""
    powers = series.exponential(own_shares(a[0], ans, axis), a)
    return series.logarithm(ans, [np.ones_like(ans), *series.each(lambda c: total(c, axis), powers[1:])])


deftaylor(log_sum_exp, log_sum_exp_series)


def weighted_value(a: Value, b: Value, axis: Axes) -> Value:
    """The logarithm of the modulus of the sum of real numbers; that of the sum of complex ones."""
    if np.size(a) == 0:
        return np.full(kept(np.shape(a), axis), -np.inf, np.result_type(a, b))
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        return scipy.special.logsumexp(a, axis, b, keepdims=True)
    return scipy.special.logsumexp(a, axis, b, keepdims=True, return_sign=True)[0]


def weighted_sign_value(a: Value, b: Value, axis: Axes) -> Value:
    if np.size(a) == 0 or np.iscomplexobj(a) or np.iscomplexobj(b):
        return np.ones_like(total(a, axis))
    return scipy.special.logsumexp(a, axis, b, keepdims=True, return_sign=True)[1]


def weighted_batch(primitive: Primitive) -> Any:
    def rule(size: int, batched: Batched, a: Value, b: Value, axis: Axes) -> Value:
        return primitive.bind(*spread_out(size, batched, (a, b)), axis=shifted(axis))

    return rule


def signed_shares(a: Value, b: Value, ans: Value, axis: Axes) -> Value:
    """exp(a - ans) with the sign of the sum. An entry of weight zero has no share in an infinite sum."""
    present = np.where(np.logical_and(b == 0, np.isinf(a)), -np.inf, a)
    return weighted_sign.bind(a, b, axis=axis) * shares(present, ans, axis)


weighted_sign = Primitive("weighted_sign", weighted_sign_value)
vjp_rules[weighted_sign] = VjpEntry({0: None, 1: None})
defbatch(weighted_sign, weighted_batch(weighted_sign))
weighted_log_sum_exp: Primitive = smooth(
    "weighted_log_sum_exp",
    weighted_value,
    lambda g, ans, a, b, axis: g * b * signed_shares(a, b, ans, axis),
    lambda g, ans, a, b, axis: g * signed_shares(a, b, ans, axis),
)
defjvp(
    weighted_log_sum_exp,
    lambda t, ans, a, b, axis: total(t * b * signed_shares(a, b, ans, axis), axis),
    lambda t, ans, a, b, axis: total(t * signed_shares(a, b, ans, axis), axis),
)
defbatch(weighted_log_sum_exp, weighted_batch(weighted_log_sum_exp))


def weighted_index_set(dependences: Any, _ans: Value, a: Value, b: Value, axis: Axes) -> Dependence:
    return collapsed(index_sets.elementwise(dependences, a, a, b), np.shape(a), axis)


defindexset(weighted_log_sum_exp, weighted_index_set)


def weighted_series(_taylor: Kinks, ans: Value, a: Series, b: Series, axis: Axes) -> Series:
    """As above. The sum of b exp(a - ans) is the sign at t = 0, and here it is divided by that."""
    first = signed_shares(a[0], b[0], ans, axis)
    powers = series.product(b[0] * first, b, series.exponential(first, a))
    return series.logarithm(ans, [np.ones_like(ans), *series.each(lambda c: total(c, axis), powers[1:])])


deftaylor(weighted_log_sum_exp, weighted_series)


def mixed(dependences: Any, _ans: Value, x: Value, axis: Axes) -> Dependence:
    """Each entry depends on all of its slice."""
    shape = np.shape(x)
    return index_sets.broadcast(collapsed(dependences[0], shape, axis), kept(shape, axis), shape)


# The Jacobian diag(y) - y y^T of softmax is symmetric.
softmax_: Primitive = smooth(
    "softmax",
    lambda x, axis: scipy.special.softmax(x, axis),
    lambda g, ans, _x, axis: ans * (g - total(g * ans, axis)),
)
defjvp(softmax_, lambda t, ans, _x, axis: ans * (t - total(t * ans, axis)))
defindexset(softmax_, mixed)
defbatch(softmax_, along_axes(softmax_))
deftaylor(softmax_, from_composition(lambda x, axis: np.exp(log_softmax_.bind(x, axis=axis))))

log_softmax_: Primitive = smooth(
    "log_softmax",
    lambda x, axis: scipy.special.log_softmax(x, axis),
    lambda g, ans, _x, axis: g - np.exp(ans) * total(g, axis),
)
defjvp(log_softmax_, lambda t, ans, _x, axis: t - total(np.exp(ans) * t, axis))
defindexset(log_softmax_, mixed)
defbatch(log_softmax_, along_axes(log_softmax_))
deftaylor(log_softmax_, from_composition(lambda x, axis: x - log_sum_exp.bind(x, axis=axis)))


def floating(x: Value) -> Value:
    return x if dtype_of(x).kind in "fc" else x.astype(float)


@face(scipy.special.logsumexp)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """The logarithm of the sum of exponentials.

    Args:
        a: the exponents.
        axis: the axis or axes of the sum; None: all.
        b: weights of the exponentials, of a shape that broadcasts with that of `a`; they may be negative.
        keepdims: whether the axes stay, with length 1.
        return_sign: whether to return the logarithm of the modulus, and the sign of the sum.

    Returns:
        The logarithm, NaN where the sum is negative; or a pair.

    Raises:
        UnsupportedError: for the sign of a sum of complex numbers.

    >>> import numpy as np
    >>> from xformad import grad
    >>> grad(logsumexp)(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    a = np.atleast_1d(floating(as_array(a)))
    if b is not None:
        b = as_array(b)
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        a, b = np.broadcast_to(a, shape), np.broadcast_to(b, shape)
    axes = normalized_axis(axis, ndim_of(a))
    if b is None:
        out, sign = log_sum_exp.bind(a, axis=axes), None
    else:
        out, sign = weighted_log_sum_exp.bind(a, b, axis=axes), weighted_sign.bind(a, b, axis=axes)
    if dtype_of(out).kind == "c":
        if return_sign:
            raise UnsupportedError(
                "scipy.special.logsumexp with return_sign=True is not supported for complex traced arrays; take the "
                "real and imaginary parts of the result without it"
            )
        sign = None
    elif return_sign and sign is None:
        sign = np.ones_like(out)
    elif not return_sign and sign is not None:
        out = np.where(sign < 0, np.nan, out)
    if not keepdims:
        out = np.squeeze(out, axis=axes)
        sign = sign if sign is None else np.squeeze(sign, axis=axes)
    return (out, sign) if return_sign else out


@face(scipy.special.softmax)
def softmax(x: Any, axis: Any = None) -> Value:
    """exp(x) divided by its sum.

    Args:
        x: numbers.
        axis: the axis or axes of the sum; None: all.

    >>> import numpy as np
    >>> from xformad import jacobian
    >>> jacobian(softmax)(np.array([0.0, 0.0]))
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    x = floating(as_array(x))
    return softmax_.bind(x, axis=normalized_axis(axis, ndim_of(x)))


@face(scipy.special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Value:
    """The logarithm of `softmax`, without underflow.

    Args:
        x: numbers.
        axis: the axis or axes of the sum; None: all.

    >>> import numpy as np
    >>> from xformad import grad
    >>> grad(lambda x: log_softmax(x)[0])(np.array([1000.0, 0.0]))
    array([0., 0.])
    """
    x = floating(as_array(x))
    return log_softmax_.bind(x, axis=normalized_axis(axis, ndim_of(x)))
