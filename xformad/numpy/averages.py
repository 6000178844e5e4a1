"""Weighted averages, covariances and correlations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.source import user_depth
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements, normalized_axis
from xformad.numpy.products import conjugated
from xformad.numpy.quantiles import in_shape_of
from xformad.operations.discrete import stop_gradient


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Value:
    a = as_array(a)
    axes = normalized_axis(axis, len(shape_of(a)))
    if weights is None:
        mean = np.mean(a, axis=axes, keepdims=bool(keepdims))
        total: Value = np.prod([shape_of(a)[i] for i in axes])
    else:
        weights = in_shape_of(as_array(weights), a, axis)
        dtype = np.result_type(dtype_of(a), dtype_of(weights))
        if dtype_of(a).kind in "iub":
            dtype = np.result_type(dtype, np.float64)
        total = np.sum(np.broadcast_to(weights, shape_of(a)), axis=axes, keepdims=bool(keepdims), dtype=dtype)
        if anywhere(total == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        mean = np.sum(a * weights, axis=axes, keepdims=bool(keepdims), dtype=dtype) / total
    if not returned:
        return mean
    if dtype_of(total) != dtype_of(mean):
        total = total.astype(dtype_of(mean))
    return mean, total if shape_of(total) == shape_of(mean) else np.broadcast_to(total, shape_of(mean))


def observations(x: Value, transposed: bool) -> Value:
    """Variables in rows, observations in columns."""
    if len(shape_of(x)) < 2:
        return np.reshape(x, (1, -1))
    return np.transpose(x) if transposed else x


def sample_weights(weights: Any, name: str, count: int) -> Value:
    weights = as_array(weights)
    if name == "fweights" and anywhere(weights != np.rint(weights)):
        raise TypeError("fweights must be integer")
    if len(shape_of(weights)) > 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if shape_of(weights)[0] != count:
        raise RuntimeError(f"incompatible numbers of samples and {name}")
    if anywhere(weights < 0):
        raise ValueError(f"{name} cannot be negative")
    return weights.astype(float)


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: Any = True,
    bias: Any = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Value:
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    arrays = [as_array(x) for x in (m, y) if x is not None]
    for x, name in zip(arrays, "my", strict=False):
        if len(shape_of(x)) > 2:
            raise ValueError(f"{name} has more than 2 dimensions")
    dtype = np.dtype(dtype or np.result_type(*map(dtype_of, arrays), np.float64))
    parts = [observations(arrays[0], not rowvar)]
    parts += [observations(x, not rowvar and shape_of(x)[:1] != (1,)) for x in arrays[1:]]
    x = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=0)
    if shape_of(parts[0])[0] == 0:
        return np.zeros((0, 0))
    if dtype_of(x) != dtype:
        x = x.astype(dtype)
    ddof = ddof if ddof is not None else int(not bias)
    count = shape_of(x)[1]
    frequencies = None if fweights is None else sample_weights(fweights, "fweights", count)
    sizes = None if aweights is None else sample_weights(aweights, "aweights", count)
    weights = frequencies if sizes is None else sizes if frequencies is None else frequencies * sizes
    mean, total = average(x, axis=1, weights=weights, returned=True)
    total = total[0]
    if weights is None:
        freedom: Value = count - ddof
    elif ddof == 0:
        freedom = total
    elif sizes is None:
        freedom = total - ddof
    else:
        freedom = total - ddof * np.sum(weights * sizes) / total
    if anywhere(freedom <= 0):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=user_depth())
        freedom = np.maximum(freedom, 0.0)
    deviation = x - mean[:, None]
    weighted = deviation if weights is None else deviation * weights
    if dtype_of(freedom) != dtype:
        freedom = np.asarray(freedom, dtype) if isinstance(freedom, int | float) else freedom.astype(dtype)
    return np.squeeze(np.matmul(deviation, conjugated(np.transpose(weighted))) / freedom)


def within(c: Value, low: float, high: float) -> Value:
    """Roundings beyond the bounds taken off the value; the derivative is as without."""
    beyond = stop_gradient(c)
    return c - (beyond - np.clip(beyond, low, high))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: Any = True, *, dtype: Any = None) -> Value:
    c = cov(x, y, rowvar, dtype=dtype)
    if len(shape_of(c)) == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / deviation[:, None] / deviation[None, :]
    if dtype_of(c).kind == "c":
        return within(np.real(c), -1, 1) + 1j * within(np.imag(c), -1, 1)
    return within(c, -1, 1)
