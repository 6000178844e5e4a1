"""Operations that write their operands into parts of a new array."""

from __future__ import annotations

import numpy as np

from xformad.compiler.native import scalars, views
from xformad.compiler.native.planner import PLANS, Planner
from xformad.core.graph import Node


def plan_pad(planner: Planner, node: Node) -> None:
    """Zeros, and the operand among them."""
    target = planner.result(node)
    planner.fill(target)
    x = planner.operand(node, 0)
    inner = views.sliced(
        target,
        tuple([slice(before, before + n) for (before, _), n in zip(node.params["widths"], x.shape, strict=True)]),
    )
    assert inner is not None
    planner.place(x, inner)


def plan_joining(planner: Planner, node: Node) -> None:
    """`concatenate` and `stack`: each operand is written to its place."""
    target = planner.result(node)
    axis = node.params["axis"] % len(node.shape)
    stacked = node.primitive.name == "stack"  # type: ignore[union-attr]
    at = 0
    for x in planner.operands(node):
        planner.require(scalars.convertible(x.dtype if isinstance(x, Node) else np.asarray(x).dtype, node.dtype))
        length = 1 if stacked else (x.shape if isinstance(x, Node) else np.shape(x))[axis]
        part = views.sliced(target, (slice(None),) * axis + (at if stacked else slice(at, at + length),))
        assert part is not None
        at += length
        planner.place(x, part)


PLANS.update({"pad": plan_pad, "concatenate": plan_joining, "stack": plan_joining})
