"""Indexing, and its transpose: adding pieces into a zero array at their indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.index import ARRAY
from xformad.core.primitive import Primitive, getitem
from xformad.core.typing import Shape, Value
from xformad.interpreters.cotangents import Scattered, scatter_add
from xformad.interpreters.jvp_rules import defjvp_joint, jointly_linear
from xformad.interpreters.vjp_rules import BROADCAST, MOVES, TRUST, VjpEntry, vjp_rules
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


vjp_rules[scatter_add] = VjpEntry(variadic=scatter_add_vjp, check=BROADCAST, mask=MOVES)
defjvp_joint(scatter_add, jointly_linear(scatter_add, lambda params: len(params["indices"])))


def scattered(pieces: list[Value], masks: list[Value], shape: Shape, dtype: np.dtype[Any]) -> Value:
    """An array of pieces that each fill a mask; zero elsewhere."""
    return scatter_add(*pieces, *masks, indices=((ARRAY, 1),) * len(pieces), shape=shape, dtype=dtype)


def nonzero_value(x: Value) -> tuple[Value, ...]:
    return np.nonzero(x)


nonzero = Primitive("nonzero", nonzero_value, multiple=True)
vjp_rules[nonzero] = VjpEntry({0: None}, check=TRUST)
