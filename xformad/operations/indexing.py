"""Indexing, and its transpose: adding pieces into a zero array at their indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.index import ARRAY, index_value
from xformad.core.interpreter import agreed
from xformad.core.primitive import Primitive, getitem
from xformad.core.source import user_line
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.interpreters import taylor_rules
from xformad.interpreters.batch_rules import defbatch
from xformad.interpreters.cotangents import Scattered, scatter_add
from xformad.interpreters.dependence import Dependence, united
from xformad.interpreters.index_sets import Dependences, defindexset, interchangeable, varying_axes
from xformad.interpreters.jvp_rules import defjvp_joint, jointly_linear
from xformad.interpreters.taylor_rules import deftaylor
from xformad.interpreters.vjp_rules import BROADCAST, MOVES, TRUST, VjpEntry, vjp_rules
from xformad.operations.batched_index import getitem_batch, positions, scatter_add_batch
from xformad.operations.discrete import stop_gradient

MAX_INDICES = 64  # NumPy's bound on the number of dimensions


def getitem_vjp(g: Value, _ans: Value, _x: Value, *arrays: Value, index: Any) -> Scattered:
    """G at the index. What an index of arrays leaves out is structurally zero, as for boolean masks."""
    if arrays:
        return Scattered(g, index, tuple([stop_gradient(array) for array in arrays]), True)
    return Scattered(g, index)


vjp_rules[getitem] = VjpEntry(
    {0: getitem_vjp, **dict.fromkeys(range(1, MAX_INDICES + 1))}, check=TRUST, mask=MOVES, specs=False, linear=True
)
defbatch(getitem, getitem_batch)


def getitem_index_set(dependences: Dependences, ans: Value, x: Value, *arrays: Value, index: Any) -> Dependence:
    """Positions are indexed. Along axes whose index may be another one at another point, any entry can be the one."""
    each = dependences[0]
    assert each is not None
    axes = varying_axes(index, arrays, dependences[1:], np.ndim(x))
    positions = interchangeable(np.shape(x), axes)
    if np.size(x) and not np.size(ans) and any(other is not None for other in dependences[1:]):
        raise UnsupportedError(
            f"an index that depends on the values selects nothing of an array at {user_line()}, so what it selects "
            "elsewhere is unknown; prepare at a point where it selects something, or use numpy.where"
        )
    if axes:
        each = each.merge(positions.ravel(), positions.size)
    return each.pick(np.ravel(index_value(positions, *arrays, index=index)))


defindexset(getitem, getitem_index_set)


def scatter_add_vjp(
    argnum: int,
    g: Value,
    _ans: Value,
    *args: Value,
    indices: tuple[tuple[Any, int], ...],
    shape: Shape,
    dtype: np.dtype[Any],
) -> Value:
    """What stands in g at the index of one piece."""
    index, count = indices[argnum]
    if not count:
        return getitem(g, index=index)
    start = len(indices) + sum(n for _, n in indices[:argnum])
    return getitem(g, *args[start : start + count], index=index)


def scatter_add_vjps(
    argnums: tuple[int, ...],
    g: Value,
    _ans: Value,
    *args: Value,
    indices: tuple[tuple[Any, int], ...],
    shape: Shape,
    dtype: np.dtype[Any],
) -> list[Value]:
    """The same for all pieces, each of which is served with its own arrays."""
    starts = np.cumsum([len(indices), *(count for _, count in indices)]).tolist()
    return [
        getitem(g, *args[starts[argnum] : starts[argnum + 1]], index=indices[argnum][0])
        if argnum < len(indices)
        else None
        for argnum in argnums
    ]


vjp_rules[scatter_add] = VjpEntry(variadic=scatter_add_vjp, many=scatter_add_vjps, check=BROADCAST, mask=MOVES)
defjvp_joint(scatter_add, jointly_linear(scatter_add, lambda params: len(params["indices"])))
defbatch(scatter_add, scatter_add_batch)
deftaylor(scatter_add, taylor_rules.jointly_linear(scatter_add, lambda params: len(params["indices"])))


def scatter_add_index_set(
    dependences: Dependences,
    ans: Value,
    *args: Value,
    indices: tuple[tuple[Any, int], ...],
    shape: Shape,
    dtype: np.dtype[Any],
) -> Dependence:
    """Every entry depends on those that are added to it; or, along axes whose index varies, may be at another point."""
    found = []
    start = len(indices)
    for each, (index, count) in zip(dependences, indices, strict=False):
        arrays = args[start : start + count]
        if each is not None and not each.empty:
            axes = varying_axes(index, arrays, dependences[start : start + count], len(shape))
            positions = interchangeable(shape, axes)
            piece = index_value(positions, *arrays, index=index)
            merged = each.merge(np.ravel(piece), positions.size)
            found.append(merged.pick(positions.ravel()) if axes else merged)
        start += count
    return united(found)


defindexset(scatter_add, scatter_add_index_set)


def scattered(pieces: list[Value], masks: list[Value], shape: Shape, dtype: np.dtype[Any]) -> Value:
    """An array of pieces that each fill a mask; zero elsewhere."""
    return scatter_add(*pieces, *masks, indices=((ARRAY, 1),) * len(pieces), shape=shape, dtype=dtype)


def nonzero_value(x: Value) -> tuple[Value, ...]:
    return np.nonzero(x)


nonzero = Primitive("nonzero", nonzero_value, multiple=True)
vjp_rules[nonzero] = VjpEntry({0: None}, check=TRUST)
defbatch(nonzero, lambda _size, _batched, x: tuple(positions(agreed(x) != 0, True)))
