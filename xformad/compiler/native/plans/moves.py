"""Operations that only move entries: views, which cost nothing."""

from __future__ import annotations

from xformad.compiler.native import views
from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.views import View
from xformad.core.graph import Node


def viewed(planner: Planner, node: Node, view: View | None) -> None:
    """An operation that only moves entries."""
    planner.require(view is not None)
    assert view is not None
    planner.views[node] = view


def view_operand(planner: Planner, node: Node) -> View:
    return planner.view_of(planner.operand(node, 0))


def plan_reshape(planner: Planner, node: Node) -> None:
    planner.require(node.params.get("order", "C") == "C")
    source = view_operand(planner, node)
    view = views.reshaped(source, node.shape)
    if view is None:
        view = views.reshaped(planner.straight(source), node.shape)
    viewed(planner, node, view)


def plan_transpose(planner: Planner, node: Node) -> None:
    viewed(planner, node, views.transposed(view_operand(planner, node), node.params["axes"]))


def plan_broadcast(planner: Planner, node: Node) -> None:
    viewed(planner, node, views.broadcast(view_operand(planner, node), node.shape))


def plan_getitem(planner: Planner, node: Node) -> None:
    """An index of numbers and slices."""
    planner.require(len(node.args) == 1)
    viewed(planner, node, views.sliced(view_operand(planner, node), node.params["index"]))


def plan_flip(planner: Planner, node: Node) -> None:
    axis = node.params["axis"]
    axes = tuple(range(len(node.shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    viewed(planner, node, views.flipped(view_operand(planner, node), axes))


def plan_same(planner: Planner, node: Node) -> None:
    """The operand itself."""
    viewed(planner, node, view_operand(planner, node))


PLANS.update(
    {
        "reshape": plan_reshape,
        "transpose": plan_transpose,
        "broadcast": plan_broadcast,
        "getitem": plan_getitem,
        "flip": plan_flip,
        "stop_gradient": plan_same,
        "positive": plan_same,
        "copy": plan_same,
    }
)
