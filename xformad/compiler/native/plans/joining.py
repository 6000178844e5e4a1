"""Operations that write their operands into parts of a new array."""

from __future__ import annotations

import numpy as np

from xformad.compiler.native import scalars, views
from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.steps import Add, Nest, Store
from xformad.compiler.native.views import View
from xformad.core.graph import Node


def plan_pad(planner: Planner, node: Node) -> None:
    """Zeros, and the operand among them."""
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    target = planner.views[node] = views.whole(buffer, node.shape)
    fill(planner, target)
    x = planner.operand(node, 0)
    inner = views.sliced(
        target,
        tuple([slice(before, before + n) for (before, _), n in zip(node.params["widths"], x.shape, strict=True)]),
    )
    assert inner is not None
    planner.place(x, inner)


def fill(planner: Planner, target: View) -> None:
    """Write zeros."""
    number = planner.first_nest(target.shape, planner.written.get(target.buffer, -1) + 1)
    nest = planner.steps[number]
    assert isinstance(nest, Nest)
    dtype = target.buffer.dtype
    nest.add(Store(scalars.literal(0, dtype), target, dtype))
    planner.written[target.buffer] = number


def plan_joining(planner: Planner, node: Node) -> None:
    """`concatenate` and `stack`: each operand is written to its place."""
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    target = planner.views[node] = views.whole(buffer, node.shape)
    axis = node.params["axis"] % len(node.shape)
    stacked = node.primitive.name == "stack"  # type: ignore[union-attr]
    at = 0
    for x in planner.operands(node):
        planner.require(np.asarray(x).dtype == node.dtype if not isinstance(x, Node) else x.dtype == node.dtype)
        length = 1 if stacked else (x.shape if isinstance(x, Node) else np.shape(x))[axis]
        part = views.sliced(target, (slice(None),) * axis + (at if stacked else slice(at, at + length),))
        assert part is not None
        at += length
        planner.place(x, part)


def plan_scatter(planner: Planner, node: Node) -> None:
    """`scatter_add` at indices without arrays: zeros, to which each piece is added at its place."""
    indices = node.params["indices"]
    planner.require(all(count == 0 for _, count in indices) and len(node.args) == len(indices))
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    target = planner.views[node] = views.whole(buffer, node.shape)
    parts = [views.sliced(target, index) for index, _ in indices]
    fill(planner, target)
    filled = planner.after(target)
    last = filled
    for part, x in zip(parts, planner.operands(node), strict=True):
        planner.require(part is not None)
        assert part is not None
        number = planner.nest_for(part.shape, [x])
        if number < filled:
            number = planner.first_nest(part.shape, filled)
        register, dtype = planner.register(number, x, node.dtype)
        nest = planner.steps[number]
        assert isinstance(nest, Nest)
        nest.instructions.append(Add(register, part, dtype))  # twice the same piece is added twice
        last = max(last, number)
    planner.written[buffer] = last


PLANS.update({"pad": plan_pad, "concatenate": plan_joining, "stack": plan_joining, "scatter_add": plan_scatter})
