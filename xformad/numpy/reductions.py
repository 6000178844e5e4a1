"""Faces of the reductions: `sum`, `mean`, `var`, `max`, ... with `axis`, `keepdims`, `where` and `initial` as NumPy's."""

from __future__ import annotations

import builtins
import math
import operator
from typing import Any

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.numpy import folds
from xformad.numpy.implements import as_array, implements, normalized_axis, refuse_out
from xformad.numpy.indexing import take_along_axis
from xformad.operations import discrete, linalg_norms, reductions, sorting


@implements(np.sum, method="sum")
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = None,
    initial: Any = None,
    where: Any = None,
) -> Value:
    if type(a) is Tracer and axis is dtype is out is initial is where is None and not keepdims:
        shape, kind = a.interpreter.spec(a)
        if kind.kind != "b":
            return a.interpreter.process(reductions.sum_, (a,), {"axis": (*range(len(shape)),), "keepdims": False})
    refuse_out(out, "sum")
    a = typed(as_array(a), dtype)
    if where is not None:
        a = np.where(where, a, 0)
    total = reductions.sum_(widened(a), axis=normalized_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))
    return total if initial is None else total + initial


@implements(np.prod, method="prod")
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = None,
    initial: Any = None,
    where: Any = None,
) -> Value:
    refuse_out(out, "prod")
    a = typed(as_array(a), dtype)
    if where is not None:
        a = np.where(where, a, 1)
    product = reductions.prod_(widened(a), axis=normalized_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))
    return product * initial if initial is not None else product


def typed(a: Value, dtype: Any) -> Value:
    return a if dtype is None else a.astype(dtype)


def widened(a: Value) -> Value:
    """Small whole numbers are summed as NumPy sums them, in the default one."""
    return a.astype(int) if dtype_of(a).kind == "b" else a


def extremum(primitive: Any, pair: Any, lowest: float) -> Any:
    def face(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = None, initial: Any = None, where: Any = None
    ) -> Value:
        refuse_out(out, primitive.name)
        a = as_array(a)
        if where is not None:
            if initial is None:
                raise ValueError(f"{primitive.name} with where= needs initial=, as NumPy's")
            a = np.where(where, a, lowest)
        axes = normalized_axis(axis, len(shape_of(a)))
        if initial is not None and math.prod(shape_of(a)[i] for i in axes) == 0:
            shape = reductions.kept(shape_of(a), axes)
            a = np.broadcast_to(as_array(initial), shape)
        extreme = primitive(a, axis=axes, keepdims=bool(keepdims))
        return pair(extreme, initial) if initial is not None else extreme

    return face


max = implements(np.max, np.amax, method="max")(extremum(reductions.max_, np.maximum, -np.inf))
min = implements(np.min, np.amin, method="min")(extremum(reductions.min_, np.minimum, np.inf))


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = None) -> Value:
    refuse_out(out, "ptp")
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


def counted(a: Value, axis: Any, keepdims: Any, where: Any) -> Value:
    """How many entries go into each result; an array only with `where`, of a dtype that promotes nothing."""
    shape = shape_of(a)
    if where is not None:
        count = np.sum(np.broadcast_to(where, shape), axis=axis, keepdims=bool(keepdims))
        return count.astype(np.finfo(dtype_of(a)).dtype) if dtype_of(a).kind in "fc" else count
    return math.prod(shape[i] for i in normalized_axis(axis, len(shape)))


@implements(np.mean, method="mean")
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = None, *, where: Any = None
) -> Value:
    refuse_out(out, "mean")
    a = as_array(a)
    kind = dtype_of(a)
    if kind.char == "e" and dtype is None:  # as NumPy, which sums these in float32
        return mean(a, axis, np.float32, None, keepdims, where=where).astype(kind)
    total = sum(a, axis, dtype, None, keepdims, where=where)
    return total / counted(a, axis, keepdims, where)


@implements(np.var, method="var")
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = None,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Value:
    refuse_out(out, "var")
    a, deviation = deviations(a, axis, dtype, where, mean)
    complex_valued = dtype_of(deviation).kind == "c"
    squares = np.real(deviation * np.conjugate(deviation)) if complex_valued else deviation * deviation
    removed = correction if correction is not None else ddof
    total = sum(squares, axis, keepdims=keepdims, where=where)
    return over_count(total, degrees(counted(a, axis, keepdims, where), removed))


def over_count(total: Value, count: Value) -> Value:
    """A sum over the number of its terms, which may be more than float16 has a number for."""
    if dtype_of(total).char != "e" or isinstance(count, np.ndarray) or count < 65504:
        return total / count
    return (total.astype(np.float32) / count).astype(np.float16)


def deviations(a: Any, axis: Any, dtype: Any, where: Any, mean: Any) -> tuple[Value, Value]:
    """The array, and its differences from its mean."""
    a = typed(as_array(a), dtype)
    if mean is None:
        mean = over_count(sum(a, axis, keepdims=True, where=where), counted(a, axis, True, where))
    return a, a - mean


def degrees(count: Value, removed: Any) -> Value:
    """The degrees of freedom that are left, not less than 0."""
    left = count - removed
    return np.maximum(left, 0) if isinstance(left, np.ndarray) else builtins.max(left, 0)


@implements(np.std, method="std")
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = None,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Value:
    refuse_out(out, "std")
    a, deviation = deviations(a, axis, dtype, where, mean)
    count = degrees(counted(a, axis, keepdims, where), correction if correction is not None else ddof)
    if where is not None:
        deviation = np.where(where, deviation, 0)
    axes = normalized_axis(axis, len(shape_of(a)))
    size = linalg_norms.norm(deviation, axis=axes, keepdims=bool(keepdims))
    long = dtype_of(size).char == "g"
    return size / (math.sqrt(count) if type(count) is int and not long else np.sqrt(count, dtype=dtype_of(size)))


def cumulative(primitive: Any) -> Any:
    def face(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Value:
        refuse_out(out, primitive.name)
        a = widened(typed(as_array(a), dtype))
        if axis is None:
            a, axis = np.ravel(a), 0
        return primitive(a, axis=normalized_axis(axis, len(shape_of(a)))[0])

    return face


cumsum = implements(np.cumsum, method="cumsum")(cumulative(reductions.cumsum))
cumprod = implements(np.cumprod, method="cumprod")(cumulative(reductions.cumprod))


def reducing(primitive: Any, neutral: bool = False) -> Any:
    """The face of a reduction without a derivative: NumPy's own arguments, passed on.

    `neutral` stands in the place of what `where=` leaves out.
    """

    def face(a: Any, axis: Any = None, out: Any = None, keepdims: Any = None, *, where: Any = None) -> Value:
        refuse_out(out, primitive.name)
        a = as_array(a)
        if where is not None:
            a = np.where(where, a, neutral)
        return primitive(a, axis=axis, keepdims=bool(keepdims))

    return face


any = implements(np.any, method="any")(reducing(discrete.any_))
all = implements(np.all, method="all")(reducing(discrete.all_, neutral=True))
argmax = implements(np.argmax, method="argmax")(reducing(discrete.argmax))
argmin = implements(np.argmin, method="argmin")(reducing(discrete.argmin))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Value:
    return discrete.count_nonzero(as_array(a), axis=axis, keepdims=keepdims)


# Ufunc methods: what `np.add.reduce(x, axis=0)` and its like do.

REDUCTIONS: Any = {
    np.add: sum,
    np.multiply: prod,
    np.maximum: max,
    np.minimum: min,
    np.logical_and: all,
    np.logical_or: any,
}


def running(largest: bool) -> Any:
    def face(a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Value:
        refuse_out(out, "maximum.accumulate" if largest else "minimum.accumulate")
        a = typed(as_array(a), dtype)
        (axis,) = normalized_axis(operator.index(axis), len(shape_of(a)))
        return take_along_axis(a, sorting.running_extremum(a, axis=axis, largest=largest), axis)

    return face


ACCUMULATIONS: Any = {np.add: cumsum, np.multiply: cumprod, np.maximum: running(True), np.minimum: running(False)}


def reduce(
    ufunc: Any, a: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
) -> Value:
    face = REDUCTIONS.get(ufunc)
    if face is None:
        return folds.fold(ufunc, a, axis, dtype, out, keepdims, **options)
    if dtype is not None:
        a = as_array(a).astype(dtype)
    return face(a, axis=axis, out=folds.first_or_none(out), keepdims=keepdims, **options)


def accumulate(ufunc: Any, a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Value:
    face = ACCUMULATIONS.get(ufunc)
    if face is None:
        return folds.scan(ufunc, a, axis, dtype, out)
    return face(a, axis=axis, dtype=dtype, out=folds.first_or_none(out))
