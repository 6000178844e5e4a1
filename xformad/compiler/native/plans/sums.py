"""Reductions."""

from __future__ import annotations

from xformad.compiler.native.planner import PLANS, Planner, size_of
from xformad.core.graph import Node


def plan_reduction(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    x = planner.operand(node, 0)
    axis = node.params.get("axis")
    axes = tuple(range(len(x.shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple([a % max(1, len(x.shape)) for a in axes])
    planner.require(node.dtype.kind == "f" and (size_of(x.shape) > 0 or name in ("sum", "prod")))
    planner.reduction(node, name, axes)


PLANS.update(dict.fromkeys(("sum", "prod", "max", "min"), plan_reduction))
