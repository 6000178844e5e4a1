"""Operations that only move entries: views, which cost nothing, or copies."""

from __future__ import annotations

import itertools

from xformad.compiler.native import views
from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.views import View
from xformad.core.graph import Node
from xformad.core.typing import Shape


def viewed(planner: Planner, node: Node, view: View | None) -> None:
    """An operation that only moves entries."""
    planner.require(view is not None)
    assert view is not None
    planner.views[node] = view


def view_operand(planner: Planner, node: Node) -> View:
    return planner.view_of(planner.operand(node, 0))


def plan_reshape(planner: Planner, node: Node) -> None:
    """In Fortran's order: the transpose of what is made of the transpose in C's."""
    source = view_operand(planner, node)
    order = node.params.get("order", "C")
    planner.require(order in ("C", "F"))
    if order == "C":
        viewed(planner, node, joined(planner, source, node.shape))
        return
    backwards = views.transposed(source, tuple(reversed(range(len(source.shape)))))
    found = joined(planner, backwards, node.shape[::-1])
    viewed(planner, node, views.transposed(found, tuple(reversed(range(len(node.shape))))))


def joined(planner: Planner, source: View, shape: Shape) -> View:
    """The entries of a view in another shape: another view, or one of a copy."""
    view = views.reshaped(source, shape)
    if view is None:
        view = views.reshaped(planner.straight(source), shape)
    assert view is not None
    return view


def plan_transpose(planner: Planner, node: Node) -> None:
    viewed(planner, node, views.transposed(view_operand(planner, node), node.params["axes"]))


def plan_broadcast(planner: Planner, node: Node) -> None:
    viewed(planner, node, views.broadcast(view_operand(planner, node), node.shape))


def plan_flip(planner: Planner, node: Node) -> None:
    axis = node.params["axis"]
    axes = tuple(range(len(node.shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    viewed(planner, node, views.flipped(view_operand(planner, node), axes))


def plan_same(planner: Planner, node: Node) -> None:
    """The operand itself."""
    viewed(planner, node, view_operand(planner, node))


def plan_spread(planner: Planner, node: Node) -> None:
    """A reduction's result, repeated along the axes that were reduced."""
    axes, shape = node.params["axis"], node.params["shape"]
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    view = views.reshaped(view_operand(planner, node), kept)
    viewed(planner, node, None if view is None else views.broadcast(view, shape))


def plan_part(planner: Planner, node: Node) -> None:
    """The real or the imaginary part."""
    view = view_operand(planner, node)
    imaginary = node.primitive.name == "imag"  # type: ignore[union-attr]
    if view.dtype.kind == "c":
        viewed(planner, node, view.parts[imaginary])
    elif imaginary:
        planner.fill(planner.result(node))
    else:
        viewed(planner, node, view)


def plan_roll(planner: Planner, node: Node) -> None:
    """Along each axis two pieces change places."""
    source, target = view_operand(planner, node), planner.result(node)
    shifts = [0] * len(node.shape)
    for shift, axis in zip(node.params["shift"], node.params["axis"], strict=True):
        shifts[axis] += shift
    pieces = [
        [(slice(n - s, n), slice(0, s)), (slice(0, n - s), slice(s, n))] if s else [(slice(None), slice(None))]
        for n, s in [(n, s % max(1, n)) for n, s in zip(node.shape, shifts, strict=True)]
    ]
    for piece in itertools.product(*pieces):
        old, new = (views.sliced(view, tuple([pair[i] for pair in piece])) for i, view in enumerate((source, target)))
        assert old is not None
        assert new is not None
        planner.copy(old, new)


PLANS.update(
    {
        "reshape": plan_reshape,
        "transpose": plan_transpose,
        "broadcast": plan_broadcast,
        "flip": plan_flip,
        "ravel": plan_reshape,
        "spread": plan_spread,
        "real": plan_part,
        "imag": plan_part,
        "roll": plan_roll,
        "stop_gradient": plan_same,
        "positive": plan_same,
        "copy": plan_same,
    }
)
