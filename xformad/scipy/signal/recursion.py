"""A recursive filter as a primitive: y of a * y = b * x, where * convolves along the last axis and leading axes broadcast.

So y is linear in x and b, and by a * dy = db * x + b * dx - da * y. The transpose of a filter is the filter that runs
backwards in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import aligned, defbatch
from xformad.interpreters.dependence import Dependence, united
from xformad.interpreters.index_sets import Dependences, accumulation, along_axes, broadcast, defindexset
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.operations import shape
from xformad.operations.convolutions import convolve
from xformad.operations.makers import smooth


def filter_value(b: Value, a: Value, x: Value) -> Value:
    if b.ndim == a.ndim == 1:
        return scipy.signal.lfilter(b, a, x) if x.size else np.zeros(x.shape, np.result_type(b, a, x))
    leading = np.broadcast_shapes(b.shape[:-1], a.shape[:-1], x.shape[:-1])
    b, a, x = (np.broadcast_to(z, leading + z.shape[-1:]) for z in (b, a, x))
    y = np.empty(x.shape, np.result_type(b, a, x))
    for place in np.ndindex(leading):
        y[place] = scipy.signal.lfilter(b[place], a[place], x[place])
    return y


def one(a: Value) -> Value:
    return np.ones(1, dtype_of(a))


def backwards(b: Value, a: Value, x: Value) -> Value:
    """The filter that runs backwards in time."""
    return np.flip(filtered(b, a, np.flip(x, -1)), -1)


def lagged(x: Value, g: Value, count: int) -> Value:
    """sum_n g_n x_(n-k) for k = 0, ..., count - 1."""
    before = shape.pad(x, widths=((0, 0),) * (x.ndim - 1) + ((count - 1, 0),))
    return np.flip(convolve(before, np.flip(g, -1), dims=1, mode="valid"), -1)


def filter_vjp_b(g: Value, _ans: Value, _b: Value, a: Value, x: Value) -> Value:
    return lagged(x, backwards(one(a), a, g), _b.shape[-1])


def filter_vjp_a(g: Value, ans: Value, _b: Value, a: Value, _x: Value) -> Value:
    return -lagged(ans, backwards(one(a), a, g), a.shape[-1])


def filter_vjp_x(g: Value, _ans: Value, b: Value, a: Value, _x: Value) -> Value:
    return backwards(b, a, g)


filtered: Primitive = smooth("filtered", filter_value, filter_vjp_b, filter_vjp_a, filter_vjp_x)


def filter_jvp(tangents: Tangents, ans: Value, b: Value, a: Value, x: Value) -> Value:
    of_b, of_a, of_x = tangents
    known: Any = None
    if of_b is not None:
        known = filtered(of_b, one(a), x)
    if of_x is not None:
        known = series.plus(known, filtered(b, one(a), of_x))
    if of_a is not None:
        part = filtered(of_a, one(a), ans)
        known = -part if known is None else known - part
    return filtered(one(a), a, known)


defjvp_joint(filtered, filter_jvp, strict=False)
defbatch(filtered, aligned(filtered))


def filter_series(_taylor: Kinks, ans: Value, b: Series, a: Series, x: Series) -> Series:
    """By a * y = b * x."""
    y = [ans]
    unit = one(a[0])

    def convolved(c: Value, z: Value) -> Value:
        return filtered(c, unit, z)

    for n in range(1, len(a)):
        known = series.combined(convolved, b, x, n, 0, n)
        rest = series.minus(known, series.combined(convolved, a, y, n, 1, n))
        y.append(None if rest is None else filtered(unit, a[0], rest))
    return y


deftaylor(filtered, filter_series)


def filter_index_set(dependences: Dependences, ans: Value, b: Value, a: Value, x: Value) -> Dependence:
    """Every entry depends on what came in up to it, and on all coefficients."""
    of_b, of_a, of_x = dependences
    found = [along_axes(-1)((of_b, of_a, None), ans, b, a, x)] if of_b is not None or of_a is not None else []
    if of_x is not None:
        found.append(accumulation((broadcast(of_x, x.shape, ans.shape),), ans, ans, axis=-1))
    return united(found)


defindexset(filtered, filter_index_set)
