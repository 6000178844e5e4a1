"""Indexing a batch: where NumPy puts the axes of index arrays, and where the batch axis goes.

NumPy broadcasts the arrays of an index, numbers among them counted as arrays, and puts their axes where the arrays stand;
if slices stand between the arrays, first of all. A batched index array has the batch axis before the axes of the others,
and an array whose rows are the examples is indexed by the number of the example as well:

    x[:, i]    with x of shape (B, 4, 5) and i of shape (B, 3) becomes    x[arange(B)[:, None], :, i]

of shape (B, 3, 4); the axis of the 3 is then moved to its place, so that it is (B, 4, 3).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from xformad.core.index import ARRAY
from xformad.core.interpreter import agreed, dtype_of, ndim_of, shape_of
from xformad.core.primitive import getitem
from xformad.core.typing import Shape, Value
from xformad.interpreters.batch_rules import Batched, Differs, widened
from xformad.interpreters.cotangents import scatter_add


def is_array(part: Any) -> bool:
    """Whether a part of an index counts as an array where there is an array."""
    return part is ARRAY or isinstance(part, int)


class Layout(NamedTuple):
    """An index of the whole of an example, and where the axes of its arrays go.

    Attributes:
        parts: one part an axis, and None for new axes: no boolean arrays.
        arrays: the index arrays, those batched with the batch axis first, all of the same rank.
        batched: which of them are.
        rank: of the arrays broadcast together, without the batch axis.
        place: which axis of the result their axes begin at.
        ndim: of the result.
    """

    parts: tuple[Any, ...]
    arrays: list[Value]
    batched: Batched
    rank: int
    place: int
    ndim: int


def layout(index: Any, arrays: tuple[Value, ...], batched: Batched, ndim: int) -> Layout:
    """Make out the index of an example with `ndim` axes."""
    parts: list[Any] = []
    found: list[Value] = []
    flags: list[bool] = []
    rest = iter(zip(arrays, batched, strict=True))
    for part in index if isinstance(index, tuple) else (index,):
        if part is not ARRAY:
            parts.append(part)
            continue
        array, flag = next(rest)
        if dtype_of(array).kind != "b":
            new = [array]
        elif ndim_of(array) == flag:  # the mask of a number
            values = agreed(array)
            if flag:
                Differs.check(values)
            parts.append(bool(values[0] if flag else values))
            continue
        else:
            new = positions(array, flag)
        parts += [ARRAY] * len(new)
        found += new
        flags += [flag] * len(new)
    used = sum(part is not None and part is not Ellipsis and not isinstance(part, bool) for part in parts)
    fill = [slice(None)] * (ndim - used)
    if Ellipsis not in parts:
        parts += fill
    elif fill:  # one that stands for no axis stays: it keeps arrays apart all the same
        at = parts.index(Ellipsis)
        parts[at : at + 1] = fill
    where = [i for i, part in enumerate(parts) if is_array(part)]
    together = where[-1] - where[0] + 1 == len(where)
    ranks = [ndim_of(array) - flag for array, flag in zip(found, flags, strict=True)]
    rank = max([*ranks, int(has_bool(tuple(parts)))])
    return Layout(
        tuple(parts),
        [widened(array, rank) if flag else array for array, flag in zip(found, flags, strict=True)],
        tuple(flags),
        rank,
        sum(part is not Ellipsis for part in parts[: where[0]]) if together else 0,
        sum(not is_array(part) and part is not Ellipsis for part in parts) + rank,
    )


def positions(mask: Value, batched: bool) -> list[Value]:
    """The positions of the true entries, an array an axis. Under a batch each example must have as many.

    Raises:
        Differs: if the numbers differ.
    """
    mask = agreed(mask)
    if not batched:
        return list(np.nonzero(mask))
    counts = np.count_nonzero(mask, axis=tuple(range(1, mask.ndim)))
    Differs.check(counts)
    _, *found = np.nonzero(mask)
    return [each.reshape((len(mask), counts[0])) for each in found]


def moved(x: Value, source: int, destination: int, count: int) -> Value:
    """`count` neighbouring axes moved to another place."""
    if source == destination or count == 0:
        return x
    return np.moveaxis(x, range(source, source + count), range(destination, destination + count))


def apart(index: Any) -> bool:
    """Whether slices stand between the arrays of an index."""
    if not isinstance(index, tuple):
        return False
    where = [i for i, part in enumerate(index) if is_array(part)]
    return where[-1] - where[0] + 1 != len(where)


def has_bool(index: Any) -> bool:
    """Whether True or False is in an index: such counts as an array of rank 1."""
    return any(part is True or part is False for part in (index if isinstance(index, tuple) else (index,)))


def with_batch(index: Any) -> tuple[Any, ...]:
    """The index of all examples."""
    return (slice(None), *index) if isinstance(index, tuple) else (slice(None), index)


def example_numbers(size: int, rank: int) -> Value:
    return np.arange(size).reshape((size,) + (1,) * rank)


def getitem_batch(size: int, batched: Batched, x: Value, *arrays: Value, index: Any) -> Value:
    """`x[index]` of each example."""
    if not any(batched[1:]):
        found = getitem(x, *arrays, index=with_batch(index))
        ranks = [1 if dtype_of(array).kind == "b" else ndim_of(array) for array in arrays]
        if has_bool(index):
            ranks.append(1)
        return moved(found, max(ranks), 0, 1) if ranks and apart(index) else found
    if batched[0] and index is ARRAY and dtype_of(arrays[0]).kind == "b" and arrays[0].ndim > 1:
        count = positions(arrays[0], True)[0].shape[1]
        found = getitem(x, arrays[0], index=ARRAY)
        return found.reshape((size, count, *found.shape[1:]))
    plan = layout(index, arrays, batched[1:], ndim_of(x) - batched[0])
    if not batched[0]:
        found = getitem(x, *plan.arrays, index=plan.parts)
        if any(plan.batched):
            return moved(found, plan.place, 0, 1)
        return np.broadcast_to(found, (size, *shape_of(found)))  # masks of numbers only
    found = getitem(x, example_numbers(size, plan.rank), *plan.arrays, index=(ARRAY, *plan.parts))
    return moved(found, 1, 1 + plan.place, plan.rank)


def scatter_add_batch(
    size: int, batched: Batched, *args: Value, indices: tuple[tuple[Any, int], ...], shape: Shape, dtype: Any
) -> Value:
    """Pieces added into a zero array for each example."""
    if len(indices) == 1 and (indices[0][0] is ARRAY or indices[0][0] == (ARRAY,)):
        piece, rows = args
        if dtype_of(rows).kind != "b" and ndim_of(piece) - batched[0] == ndim_of(rows) - batched[1] + len(shape) - 1:
            return into_rows(size, batched, piece, rows, shape, dtype)
    pieces, found, changed = [], [], []
    position = len(indices)
    for piece, flag, (index, count) in zip(args, batched, indices, strict=False):
        arrays, flags = args[position : position + count], batched[position : position + count]
        position += count
        if not count and not (has_bool(index) and apart(index)):
            pieces.append(widened(piece, ndim_at(index, len(shape))) if flag else piece)
            changed.append((with_batch(index), 0))
            continue
        plan = layout(index, arrays, flags, len(shape))
        missing = plan.ndim - (ndim_of(piece) - flag)
        if flag:
            piece = moved(widened(piece, plan.ndim), 1 + plan.place, 1, plan.rank)
        elif ndim_of(piece):
            piece = moved(np.reshape(piece, (1,) * missing + shape_of(piece)), plan.place, 0, plan.rank)
        pieces.append(piece)
        found += [example_numbers(size, plan.rank), *plan.arrays]
        changed.append(((ARRAY, *plan.parts), 1 + len(plan.arrays)))
    return scatter_add(*pieces, *found, indices=tuple(changed), shape=(size, *shape), dtype=dtype)


def ndim_at(index: Any, ndim: int) -> int:
    """The number of axes that an index without arrays leaves."""
    parts = index if isinstance(index, tuple) else (index,)
    numbers = sum(type(part) is int for part in parts)
    return ndim - numbers + sum(part is None for part in parts) + has_bool(index)


def into_rows(size: int, batched: Batched, piece: Value, rows: Value, shape: Shape, dtype: Any) -> Value:
    """Pieces added to rows: the tables of all examples as one tall table."""
    length = shape[0]
    rows = np.where(rows < 0, rows + length, rows) + example_numbers(size, ndim_of(rows) - batched[1]) * length
    rest = shape[1:]
    piece = piece if batched[0] else np.broadcast_to(piece, (size, *shape_of(piece)))
    flat = piece.reshape((math.prod(shape_of(rows)), *rest))
    tall = scatter_add(flat, rows.reshape(-1), indices=((ARRAY, 1),), shape=(size * length, *rest), dtype=dtype)
    return tall.reshape((size, *shape))
