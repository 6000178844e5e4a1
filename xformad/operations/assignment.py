"""Assignment into an array, as a function: `setitem(x, v, index=i)` is what x is after `x[i] = v`.

It is linear in both. On the way back, what has been written over has no influence any more:

    >>> import numpy as np
    >>> setitem(np.array([1.0, 2.0, 3.0]), 7.0, index=1)
    array([1., 7., 3.])
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xformad.core.index import ARRAY, assemble
from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.primitive import Primitive, getitem
from xformad.core.typing import Value
from xformad.interpreters import taylor_rules
from xformad.interpreters.batch_rules import Batched, defbatch
from xformad.interpreters.dependence import Dependence, stacked
from xformad.interpreters.index_sets import Dependences, defindexset, everything, numbered
from xformad.interpreters.jvp_rules import defjvp_joint, jointly_linear
from xformad.interpreters.taylor_rules import deftaylor
from xformad.interpreters.vjp_rules import BROADCAST, MOVES, VjpEntry, vjp_rules
from xformad.operations.batched_index import apart, example_numbers, has_bool, layout, moved, with_batch
from xformad.operations.discrete import stop_gradient
from xformad.operations.indexing import MAX_INDICES


def assigned(x: Value, v: Value, *arrays: Value, index: Any) -> Value:
    """The implementation: a copy of x with v, of the shape of `x[index]`, written into it."""
    out = np.array(x, order="K")
    out[assemble(index, arrays)] = v
    return out


setitem = Primitive("setitem", assigned)
"""The array x, the value, of the shape of `x[index]`; then the arrays of the index."""


def overwritten_vjp(g: Value, _ans: Value, _x: Value, _v: Value, *arrays: Value, index: Any) -> Value:
    """G but for what was written over."""
    found = [stop_gradient(array) for array in arrays]
    shape = shape_of(getitem(np.broadcast_to(False, shape_of(g)), *found, index=index))
    return setitem(g, np.zeros(shape, dtype_of(g)), *found, index=index)


def written_vjp(g: Value, _ans: Value, _x: Value, _v: Value, *arrays: Value, index: Any) -> Value:
    """G at the index. Of values written to the same entry, the one that stayed there has it all."""
    found = [stop_gradient(array) for array in arrays]
    message = getitem(g, *found, index=index)
    if not any(dtype_of(array).kind in "iu" and math.prod(shape_of(array)) > 1 for array in found):
        return message
    shape = shape_of(message)
    order = np.arange(math.prod(shape)).reshape(shape)
    stayed = getitem(setitem(np.full(shape_of(g), -1), order, *found, index=index), *found, index=index)
    return np.where(np.equal(stayed, order), message, np.zeros((), dtype_of(g)))


vjp_rules[setitem] = VjpEntry(
    {0: overwritten_vjp, 1: written_vjp, **dict.fromkeys(range(2, MAX_INDICES + 2))}, check=BROADCAST, mask=MOVES
)
defjvp_joint(setitem, jointly_linear(setitem, lambda _params: 2))


def setitem_batch(size: int, batched: Batched, x: Value, v: Value, *arrays: Value, index: Any) -> Value:
    """`x[index] = v` for each example."""
    x = x if batched[0] else np.broadcast_to(x, (size, *shape_of(x)))
    v = v if batched[1] else np.broadcast_to(v, (size, *shape_of(v)))
    if not any(batched[2:]):
        ranks = [1 if dtype_of(array).kind == "b" else ndim_of(array) for array in arrays]
        if has_bool(index):
            ranks.append(1)
        v = moved(v, 0, max(ranks), 1) if ranks and apart(index) else v
        return setitem(x, v, *arrays, index=with_batch(index))
    plan = layout(index, arrays, batched[2:], ndim_of(x) - 1)
    v = moved(v, 1 + plan.place, 1, plan.rank)
    return setitem(x, v, example_numbers(size, plan.rank), *plan.arrays, index=(ARRAY, *plan.parts))


defbatch(setitem, setitem_batch)
deftaylor(setitem, taylor_rules.jointly_linear(setitem, lambda _params: 2))


def setitem_index_set(dependences: Dependences, ans: Value, x: Value, v: Value, *arrays: Value, index: Any) -> Any:
    """Positions are written. Where the index may be another one at another point, any entry can be the one written."""
    if any(each is not None for each in dependences[2:]):
        return everything(dependences[:2], ans)
    parts: list[Dependence] = []
    positions = []
    count = 1  # position 0 is that of what depends on nothing
    for each, arg in zip(dependences, (x, v), strict=False):
        if each is None or each.empty:
            positions.append(np.zeros(np.shape(arg), np.intp))
        else:
            positions.append(count + numbered(np.shape(arg)))
            parts.append(each)
            count += each.size
    return stacked(parts).pick(np.ravel(assigned(*positions, *arrays, index=index)) - 1)


defindexset(setitem, setitem_index_set)
