"""What the primitives of `xformad.scipy.linalg` share: stacks of matrices, of which SciPy knows since 1.15 only."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xformad.core.interpreter import ndim_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Shape, Value
from xformad.interpreters.batch_rules import Batched, BatchRule, lined_up


def stacked(function: Callable[..., Any], *arrays: Any) -> Any:
    """A function of plain matrices, at each place of stacks that broadcast against each other.

    >>> stacked(np.trace, np.ones((2, 3, 3))).tolist()
    [3.0, 3.0]
    """
    outer = np.broadcast_shapes(*[np.shape(x)[:-2] for x in arrays])
    if not outer:
        return function(*arrays)
    count = math.prod(outer)
    if count == 0:  # what comes out is seen on other matrices
        found = function(*[generic(x.shape[-2:], x.dtype) for x in arrays])
        return each_part(found, lambda part: np.zeros((*outer, *np.shape(part)), np.result_type(part)))
    spread = [np.broadcast_to(x, (*outer, *x.shape[-2:])).reshape((count, *x.shape[-2:])) for x in arrays]
    results = [function(*matrices) for matrices in zip(*spread, strict=True)]
    if isinstance(results[0], tuple):
        return tuple([np.stack(parts).reshape(outer + parts[0].shape) for parts in zip(*results, strict=True)])
    return np.stack(results).reshape(outer + np.shape(results[0]))


def generic(shape: Shape, dtype: Any) -> Any:
    """A regular matrix."""
    return (3 * np.eye(shape[0], shape[1]) + np.cos(1.0 + np.arange(math.prod(shape))).reshape(shape)).astype(dtype)


def each_part(found: Any, function: Callable[[Any], Any]) -> Any:
    return tuple([function(part) for part in found]) if isinstance(found, tuple) else function(found)


def for_columns(solve: Callable[[Value], Value], b: Value) -> Value:
    """A solver of systems whose right-hand sides are columns, for a vector too: an array of one axis."""
    return solve(b[:, None])[..., 0] if ndim_of(b) == 1 else solve(b)


def side_by_side(primitive: Primitive) -> BatchRule:
    """The rule of a primitive of a matrix and columns, with one matrix for all examples: it is factorised once."""

    def rule(_size: int, batched: Batched, a: Value, b: Value, **params: Any) -> Value:
        if batched[0] or a.ndim > 2 or b.ndim > 3:
            return primitive.bind(*lined_up(batched, (a, b)), **params)
        size, rows, columns = b.shape
        found = primitive.bind(a, np.moveaxis(b, 0, 1).reshape((rows, size * columns)), **params)
        return np.moveaxis(found.reshape((found.shape[0], size, columns)), 1, 0)

    return rule
