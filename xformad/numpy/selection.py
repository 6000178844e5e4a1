"""Selecting entries by conditions: `where`, `select`, `choose`, `piecewise`, `clip`, `nan_to_num`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, implements, refuse_out
from xformad.operations import indexing, selection

MISSING: Any = object()


def truth(condition: Value) -> Value:
    """A condition as an array of truth values."""
    condition = as_array(condition)
    return condition if dtype_of(condition).kind == "b" else np.not_equal(condition, 0)


@implements(np.where)
def where(condition: Value, x: Value = MISSING, y: Value = MISSING, /) -> Value:
    if x is MISSING and y is MISSING:
        return indexing.nonzero(condition)
    if x is MISSING or y is MISSING:
        raise ValueError("either both or neither of x and y should be given")
    return selection.where(truth(condition), as_array(x), as_array(y))


@implements(np.select)
def select(condlist: Sequence[Value], choicelist: Sequence[Value], default: Value = 0) -> Value:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    for i, condition in enumerate(condlist):
        if dtype_of(condition).kind != "b":
            raise TypeError(f"invalid entry {i} in condlist: should be boolean ndarray")
    result = as_array(default)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice, result)
    return result


@implements(np.choose, method="choose")
def choose(a: Value, choices: Any, out: None = None, mode: str = "raise") -> Value:
    refuse_out(out, "choose")
    a = as_array(a)
    n = len(choices)
    if mode == "wrap":
        a = np.remainder(a, n)
    elif mode == "clip":
        a = np.minimum(np.maximum(a, 0), n - 1)
    elif np.any(np.logical_or(a < 0, a >= n)):
        raise ValueError("invalid entry in choice array")
    result = as_array(choices[n - 1])
    shape = np.broadcast_shapes(shape_of(a), *(shape_of(choices[i]) for i in range(n)))
    for i in range(n - 2, -1, -1):
        result = where(a == i, choices[i], result)
    return result if shape_of(result) == shape else np.broadcast_to(result, shape)


def is_array(x: Value) -> bool:
    """Whether NumPy takes a member of `condlist` for a condition, not for an entry of the only one."""
    return isinstance(x, list | np.ndarray) or (type(x) is Tracer and x.ndim > 0)


@implements(np.piecewise)
def piecewise(
    x: Value, condlist: Any, funclist: Sequence[Value | Callable[..., Value]], *args: Any, **kw: Any
) -> Value:
    x = as_array(x)
    shape = shape_of(x)
    if np.isscalar(condlist) or (shape != () and not is_array(condlist[0])):
        condlist = [condlist]
    conditions = [np.broadcast_to(truth(condition), shape) for condition in condlist]
    if len(conditions) == len(funclist) - 1:
        conditions.append(np.logical_not(reduce(np.logical_or, conditions)))
    elif len(conditions) != len(funclist):
        count = len(conditions)
        raise ValueError(f"with {count} condition(s), either {count} or {count + 1} functions are expected")
    pieces, masks = [], []
    later = np.zeros(shape, bool)
    for condition, fun in zip(reversed(conditions), reversed(funclist), strict=True):
        mask = np.logical_and(condition, np.logical_not(later))  # where conditions overlap, the last one counts
        later = np.logical_or(later, condition)
        if type(mask) is Tracer or np.any(mask):  # a traced one may be true at another point
            pieces.append(fun(x[mask], *args, **kw) if callable(fun) else fun)
            masks.append(mask)
    return indexing.scattered(pieces, masks, shape, dtype_of(x))


@implements(np.clip)
def clip(
    a: Value,
    a_min: Value = MISSING,
    a_max: Value = MISSING,
    out: None = None,
    *,
    min: Value = MISSING,
    max: Value = MISSING,
    **kwargs: Any,
) -> Value:
    refuse_out(out, "clip")
    if kwargs:
        raise UnsupportedError(
            f"numpy.clip with {', '.join(kwargs)}= is not supported on traced arrays; cast with astype"
        )
    if a_min is MISSING and a_max is MISSING:
        a_min, a_max = min, max
    elif min is not MISSING or max is not MISSING:
        raise ValueError("Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden.")
    elif a_min is MISSING or a_max is MISSING:
        raise TypeError("clip() missing 1 required positional argument: 'a_max'")
    result = as_array(a)
    if a_min is not None and a_min is not MISSING:
        result = np.maximum(result, as_array(a_min))
    if a_max is not None and a_max is not MISSING:
        result = np.minimum(result, as_array(a_max))
    return result.copy() if result is a else result


@implements(method="clip")
def clip_method(x: Tracer, min: Value = None, max: Value = None, out: None = None, **kwargs: Any) -> Value:
    return clip(x, min, max, out, **kwargs)


@implements(np.nan_to_num)
def nan_to_num(
    x: Value, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Value:
    if not copy:
        raise UnsupportedError("numpy.nan_to_num with copy=False writes into its argument; use its result")
    x = as_array(x)
    if not all(value is None or np.isscalar(value) for value in (nan, posinf, neginf)):
        raise UnsupportedError(
            "numpy.nan_to_num takes plain numbers for traced arrays; write numpy.where(numpy.isnan(x), nan, x)"
        )
    if x.dtype.kind == "c":
        return nan_to_num(x.real, copy, nan, posinf, neginf) + 1j * nan_to_num(x.imag, copy, nan, posinf, neginf)
    return where(np.isfinite(x), x, selection.replacement(x, nan=nan, posinf=posinf, neginf=neginf))
