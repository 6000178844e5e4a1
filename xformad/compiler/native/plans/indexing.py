"""Indexing with numbers, slices and arrays of whole numbers, and its reverse.

An index without arrays is a view. With arrays, an entry lies where a view says and so many strides further on: the sum
over the arrays of what they have at that place times the stride of the axis that they index.

Constant arrays were checked when the program was recorded. Others are checked as they are used: where one is out of range,
a truth value in memory is set, and what was computed is dropped in the end as if a guard did not hold; so the program is run
on NumPy, which says what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xformad.compiler.native import views
from xformad.compiler.native.entries import Entry
from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.plans.moves import view_operand, viewed
from xformad.compiler.native.steps import Add, Load, Positions, Store, UnsupportedGraphError
from xformad.compiler.native.views import View
from xformad.core.graph import Node
from xformad.core.index import ARRAY
from xformad.interpreters.trace import Traced
from xformad.operations.batched_index import layout

WHOLE = np.dtype(np.int64)


class Found(NamedTuple):
    """What an index with arrays selects.

    Attributes:
        view: of the shape of the result, as if all arrays were zero.
        arrays: the whole numbers from 0 up, a node or a constant array each; the stride of the axis that each indexes.
        place: which axis of the result their axes begin at.
        rank: how many axes these are.
    """

    view: View
    arrays: list[tuple[Any, int]]
    place: int
    rank: int

    def placed(self, view: View) -> View:
        """The view of an array of the index in the shape of the result."""
        whole = (*self.view.shape[: self.place + self.rank], *[1] * (len(self.view.shape) - self.place - self.rank))
        view = views.broadcast(view, whole[self.place : self.place + self.rank])
        after = len(self.view.shape) - self.place - self.rank
        strides = (*[0] * self.place, *view.strides, *[0] * after)
        return View(view.buffer, view.offset, strides, self.view.shape, view.part)


def plan_getitem(planner: Planner, node: Node) -> None:
    x, *arrays = planner.operands(node)
    if not arrays:
        viewed(planner, node, views.sliced(view_operand(planner, node), node.params["index"]))
        return
    source = planner.view_of(x) if isinstance(x, Node) else planner.constant(x)
    found = selected(planner, source, arrays, node.params["index"])
    planner.require(found.view.shape == node.shape)
    number, positions = nest_of(planner, found, [], planner.after(source))
    nest = planner.nest(number)
    entries = [Entry(nest, nest.add(Load(part, positions)), part.dtype) for part in found.view.parts]
    planner.keep(node, number, entries)


def selected(planner: Planner, source: View, arrays: list[Any], index: Any) -> Found:
    """Make out an index of a view."""
    if not arrays:
        view = views.sliced(source, index)
        if view is None:
            raise UnsupportedGraphError
        return Found(view, [], 0, 0)
    arrays = [array if isinstance(array, Node) else np.asarray(array) for array in arrays]
    planner.require(all(array.dtype.kind in ("iu" if isinstance(array, Node) else "iub") for array in arrays))
    plan = layout(index, tuple(arrays), (False,) * len(arrays), len(source.shape))
    offset = source.offset
    outer: list[tuple[int, int]] = []
    found: list[tuple[Any, int]] = []
    waiting = iter(plan.arrays)
    axis = 0
    for part in plan.parts:
        if part is Ellipsis:
            continue
        planner.require(not isinstance(part, bool | np.bool))
        if part is None:
            outer.append((0, 1))
            continue
        n, stride = source.shape[axis], source.strides[axis]
        axis += 1
        if part is ARRAY:
            found.append((in_range(planner, next(waiting), n), stride))
        elif isinstance(part, slice):
            start, _, step = part.indices(n)
            length = len(range(*part.indices(n)))
            outer.append((stride * step, length))
            offset += start * stride if length else 0
        else:
            offset += (part + n if part < 0 else part) * stride
    shape = np.broadcast_shapes(*[array.shape for array, _ in found])
    before, after = outer[: plan.place], outer[plan.place :]
    strides = (*[s for s, _ in before], *[0] * len(shape), *[s for s, _ in after])
    lengths = (*[n for _, n in before], *shape, *[n for _, n in after])
    return Found(View(source.buffer, offset, strides, lengths, source.part), found, plan.place, len(shape))


def in_range(planner: Planner, array: Any, length: int) -> Any:
    """An index array with numbers from the end made numbers from the beginning."""
    if not isinstance(array, Node):
        positions = np.asarray(array).astype(np.int64)
        return np.where(positions < 0, positions + length, positions)
    key = (array, length)
    found = planner.indices.get(key)
    if found is None:
        planner.require(length > 0)  # there is nothing to read that would be dropped
        number = planner.nest_for(array.shape, [array])
        whole = planner.entries(number, array, WHOLE)[0]
        whole = (whole < 0).choose(whole + length, whole)
        inside = (whole >= 0) & (whole < length)
        planner.conditions.setdefault(number, []).append(inside)
        found = planner.indices[key] = Node(0, None, None, (), {}, (), (array.shape, WHOLE), Traced(()))
        planner.keep(found, number, [inside.choose(whole, 0)])
    return found


def nest_of(planner: Planner, found: Found, operands: list[Any], first: int) -> tuple[int, Positions]:
    """The nest in which to go through what an index selects, not before a step, and how far the entries are."""
    shape = found.view.shape
    loose = [array for array, _ in found.arrays if array.shape == shape]
    first = max(first, planner.earliest(shape, [*operands, *loose]))
    lying = {
        id(array): planner.view_of(array) if isinstance(array, Node) else planner.constant(array)
        for array, _ in found.arrays
        if array.shape != shape
    }
    number = planner.first_nest(shape, max([first, *[planner.after(view) for view in lying.values()]]))
    registers = [
        planner.loaded(number, found.placed(lying[id(array)]))[0].register
        if id(array) in lying
        else planner.registers(number, array)[0]
        for array, _ in found.arrays
    ]
    return number, tuple([(register, stride) for register, (_, stride) in zip(registers, found.arrays, strict=True)])


def plan_scatter(planner: Planner, node: Node) -> None:
    """`scatter_add`: zeros, to which each piece is added at its index."""
    indices = node.params["indices"]
    operands = planner.operands(node)
    target = planner.result(node)
    planner.fill(target)
    filled = last = planner.after(target)
    at = len(indices)
    for x, (index, count) in zip(operands, indices, strict=False):
        found = selected(planner, target, operands[at : at + count], index)
        at += count
        number, positions = nest_of(planner, found, [x], filled)
        nest = planner.nest(number)
        nest.ordered = nest.ordered or count > 0  # what is added to the same entry is added in order
        for entry, part in zip(planner.entries(number, x, node.dtype), found.view.parts, strict=True):
            nest.instructions.append(Add(entry.register, part, part.dtype, positions))  # twice the same is added twice
        last = max(last, number)
    planner.written[target.buffer] = last


def plan_setitem(planner: Planner, node: Node) -> None:
    """A copy, and what is written into it."""
    x, value, *arrays = planner.operands(node)
    target = planner.result(node)
    planner.copy(planner.view_of(x) if isinstance(x, Node) else planner.constant(x), target)
    found = selected(planner, target, arrays, node.params["index"])
    number, positions = nest_of(planner, found, [value], planner.after(target))
    nest = planner.nest(number)
    nest.ordered = nest.ordered or bool(arrays)  # of what is written to the same entry, the last one stays
    for entry, part in zip(planner.entries(number, value, node.dtype), found.view.parts, strict=True):
        nest.instructions.append(Store(entry.register, part, part.dtype, positions))
    planner.written[target.buffer] = max(number, planner.written[target.buffer])


PLANS.update({"getitem": plan_getitem, "scatter_add": plan_scatter, "setitem": plan_setitem})
