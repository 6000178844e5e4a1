"""Numbers between two ends, which may be traced: `linspace`, `logspace`, `geomspace`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.element_types import type_like
from xformad.numpy.implements import as_array, implements


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: None = None,
) -> Any:
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = as_array(start), as_array(stop)
    kind = np.result_type(type_like(start), type_like(stop), 0.0)
    delta = stop - start
    intervals = num - 1 if endpoint else num
    step = delta / intervals if intervals > 0 else delta * np.nan
    places = np.arange(num, dtype=np.finfo(kind).dtype).reshape((-1,) + (1,) * len(shape_of(delta)))
    points = places * (step if intervals > 0 else delta) + start
    if endpoint and num > 1:
        last = np.broadcast_to(stop, (1, *shape_of(delta)))
        points = np.concatenate([points[:-1], last if dtype_of(last) == kind else last.astype(kind)])
    wanted = kind if dtype is None else np.dtype(dtype)
    if wanted.kind in "iu":
        points = np.floor(points)
    if dtype_of(points) != wanted:
        points = points.astype(wanted)
    points = np.moveaxis(points, 0, axis)
    return (points, step) if retstep else points


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Value:
    start, stop, base = as_array(start), as_array(stop), as_array(base)
    if shape_of(base):
        ndim = len(np.broadcast_shapes(shape_of(start), shape_of(stop), shape_of(base)))
        start, stop, base = [np.reshape(x, (1,) * (ndim - len(shape_of(x))) + shape_of(x)) for x in (start, stop, base)]
        base = np.expand_dims(base, axis)
    points = np.power(base, linspace(start, stop, num=num, endpoint=endpoint, axis=axis))
    return points if dtype is None else points.astype(dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Value:
    start, stop = as_array(start), as_array(stop)
    if anywhere(start == 0) or anywhere(stop == 0):
        raise ValueError("Geometric sequence cannot include zero")
    num = operator.index(num)
    kind = np.result_type(type_like(start), type_like(stop), float(num), np.zeros((), dtype))
    start, stop = as_array(np.multiply(start, kind.type(1))), as_array(np.multiply(stop, kind.type(1)))
    direction = np.sign(start)
    inside = logspace(np.log10(start / direction), np.log10(stop / direction), num=num, endpoint=endpoint)
    points = inside * direction
    shape = (1, *shape_of(points)[1:])
    parts = [np.broadcast_to(start, shape), points[1:], np.broadcast_to(stop, shape)]
    if num > 1 and endpoint:
        points = np.concatenate([parts[0], points[1:-1], parts[2]])
    elif num > 0:
        points = np.concatenate(parts[:2])
    wanted = kind if dtype is None else np.dtype(dtype)
    points = points if dtype_of(points) == wanted else points.astype(wanted)
    return np.moveaxis(points, 0, axis)
