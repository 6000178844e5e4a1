"""Reductions that pass over NaN: what is NaN counts as 0, 1 or infinite, and has the derivative zero."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.source import user_depth
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements, never, normalized_axis, refuse_out
from xformad.numpy.reductions import typed
from xformad.operations import linalg_norms

NO_FREEDOM: Final = "Degrees of freedom <= 0 for slice."


def filled(a: Any, value: float) -> tuple[Value, Value]:
    """The array with a number in the place of NaN, and where that is: None for whole numbers, which have none."""
    a = as_array(a)
    if dtype_of(a).kind not in "fc":
        return a, None
    mask = np.isnan(a)
    return a if never(mask) else np.where(mask, value, a), mask


def over_filled(name: str, value: float) -> Callable[..., Value]:
    """The face of a function of which NumPy says that NaN counts as some number."""
    function = getattr(np, name.removeprefix("nan"))

    def face(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Value:
        refuse_out(out, name)
        return function(filled(a, value)[0], axis=axis, dtype=dtype, **options)

    return face


nansum = implements(np.nansum)(over_filled("nansum", 0))
nanprod = implements(np.nanprod)(over_filled("nanprod", 1))
nancumsum = implements(np.nancumsum)(over_filled("nancumsum", 0))
nancumprod = implements(np.nancumprod)(over_filled("nancumprod", 1))


def kept(mask: Value, where: Any) -> Value:
    """What is not NaN, and wanted."""
    return np.logical_not(mask) if where is None else np.logical_and(np.logical_not(mask), where)


def over(total: Value, count: Value, message: str, root: bool = False) -> Value:
    """A total over a count, or its root; NaN without derivative where there is nothing to be had, and a warning."""
    nothing = count <= 0
    if anywhere(nothing):
        warnings.warn(message, RuntimeWarning, stacklevel=user_depth())
    count = np.where(nothing, 1, count).astype(np.finfo(dtype_of(total)).dtype)
    quotient = total / (np.sqrt(count) if root else count)
    return quotient if never(nothing) else np.where(nothing, np.nan, quotient)


def inexact(dtype: Any) -> None:
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        raise TypeError("If a is inexact, then dtype must be inexact")


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = None
) -> Value:
    refuse_out(out, "nanmean")
    a, mask = filled(a, 0)
    if mask is None:
        return np.mean(a, axis=axis, dtype=dtype, keepdims=keepdims, **given(where=where))
    inexact(dtype)
    total = np.sum(a, axis=axis, dtype=dtype, keepdims=keepdims, **given(where=where))
    count = np.sum(np.broadcast_to(kept(mask, where), shape_of(a)), axis=axis, keepdims=keepdims)
    return over(total, count, "Mean of empty slice")


def given(**options: Any) -> dict[str, Any]:
    """The options that the caller gave."""
    return {name: value for name, value in options.items() if value is not None}


def spread(
    name: str,
    a: Any,
    axis: Any,
    dtype: Any,
    out: Any,
    ddof: Any,
    keepdims: Any,
    where: Any,
    mean: Any,
    correction: Any,
) -> tuple[Value, Value]:
    """The deviations from the mean, zero where there is NaN, and the degrees of freedom."""
    refuse_out(out, name)
    inexact(dtype)
    if correction is not None:
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    a, mask = filled(a, 0)
    a = typed(a, dtype)
    keep = np.broadcast_to(kept(mask, where), shape_of(a))
    if mean is None:
        total = np.sum(a, axis=axis, keepdims=True, **given(where=where))
        count = np.sum(keep, axis=axis, keepdims=True)
        mean = total / np.where(count == 0, 1, count).astype(np.finfo(dtype_of(a)).dtype)
    freedom = np.sum(keep, axis=axis, keepdims=bool(keepdims)) - ddof
    return np.where(keep, a - mean, 0), freedom


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Value:
    a = as_array(a)
    if dtype_of(a).kind not in "fc":
        return np.var(a, axis, dtype, out, ddof, keepdims, **given(where=where, mean=mean, correction=correction))
    deviation, freedom = spread("nanvar", a, axis, dtype, out, ddof, keepdims, where, mean, correction)
    squares = deviation * deviation
    if dtype_of(deviation).kind == "c":
        squares = np.real(deviation * np.conjugate(deviation))
    return over(np.sum(squares, axis=axis, keepdims=bool(keepdims)), freedom, NO_FREEDOM)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Value:
    a = as_array(a)
    if dtype_of(a).kind not in "fc":
        return np.std(a, axis, dtype, out, ddof, keepdims, **given(where=where, mean=mean, correction=correction))
    deviation, freedom = spread("nanstd", a, axis, dtype, out, ddof, keepdims, where, mean, correction)
    axes = normalized_axis(axis, len(shape_of(a)))
    return over(linalg_norms.norm(deviation, axis=axes, keepdims=bool(keepdims)), freedom, NO_FREEDOM, root=True)


def extremum(name: str, function: Callable[..., Value], worst: float) -> Callable[..., Value]:
    def face(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = None
    ) -> Value:
        refuse_out(out, name)
        a, mask = filled(a, worst)
        extreme = function(a, axis=axis, keepdims=keepdims, **given(initial=initial, where=where))
        if mask is None or initial is not None:
            return extreme
        empty = np.all(mask, axis=axis, keepdims=keepdims)
        if where is None and anywhere(np.any(mask) & (extreme == worst) & ~empty):  # a tie of numbers with NaN
            count = np.maximum(np.sum(~mask, axis=axis, keepdims=keepdims), 1).astype(dtype_of(a))
            shares = np.sum(np.where(mask, 0, a), axis=axis, keepdims=keepdims) / count
            extreme = np.where(extreme == worst, shares, extreme)
        if anywhere(empty):
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=user_depth())
        return extreme if never(empty) else np.where(empty, np.nan, extreme)

    return face


nanmax = implements(np.nanmax)(extremum("nanmax", np.max, -np.inf))
nanmin = implements(np.nanmin)(extremum("nanmin", np.min, np.inf))


def position(name: str, function: Callable[..., Value], worst: float) -> Callable[..., Value]:
    def face(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
        refuse_out(out, name)
        a, mask = filled(a, worst)
        if mask is not None and 0 not in shape_of(a) and anywhere(np.all(mask, axis=axis)):
            raise ValueError("All-NaN slice encountered")
        return function(a, axis=axis, keepdims=keepdims)

    return face


nanargmax = implements(np.nanargmax)(position("nanargmax", np.argmax, -np.inf))
nanargmin = implements(np.nanargmin)(position("nanargmin", np.argmin, np.inf))
