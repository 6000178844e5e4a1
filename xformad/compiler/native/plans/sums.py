"""Reductions."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from xformad.compiler.native import views
from xformad.compiler.native.entries import Entry
from xformad.compiler.native.planner import PLANS, Planner, size_of
from xformad.compiler.native.plans.complex_numbers import ARITHMETIC
from xformad.compiler.native.steps import Place
from xformad.compiler.native.views import Buffer, View
from xformad.core.graph import Node
from xformad.core.typing import Shape


def axes_of(x: Node, axis: Any) -> Shape:
    """The axes of a reduction, from what NumPy takes for them."""
    count = len(x.shape)
    axes = tuple(range(count)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple([a % max(1, count) for a in axes])


def plan_reduction(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    x = planner.operand(node, 0)
    planner.require(node.dtype.kind in ("fiubc" if name == "sum" else "fiub"))
    planner.require(size_of(x.shape) > 0 or name in ("sum", "prod"))
    planner.reduction(node, name, axes_of(x, node.params.get("axis")))


def plan_truth(planner: Planner, node: Node) -> None:
    """Whether any entry, or each one, is not zero; or how many are not."""
    x = planner.operand(node, 0)
    planner.require(set(node.params) <= {"axis", "keepdims"} and x.dtype.kind != "c")
    name = {"any": "max", "all": "min", "count_nonzero": "sum"}[node.primitive.name]  # type: ignore[union-attr]
    planner.reduction(node, name, axes_of(x, node.params.get("axis")), np.dtype(bool))


def plan_place(planner: Planner, node: Node) -> None:
    """The first place of the largest or the smallest entry: the smallest place of one that is equal to it, or is NaN."""
    x = planner.operand(node, 0)
    planner.require(x.dtype.kind in "fiub" and size_of(x.shape) > 0 and set(node.params) <= {"axis", "keepdims"})
    source, shape, axes = planner.view_of(x), x.shape, axes_of(x, node.params.get("axis"))
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    name = node.primitive.name.removeprefix("arg")  # type: ignore[union-attr]
    extreme = views.whole(planner.temporary(x.dtype, kept), kept)
    number = planner.first_nest(shape, planner.after(source))
    planner.reduce(number, name, planner.loaded(number, source)[0], views.broadcast(extreme, shape))
    number = planner.first_nest(shape, planner.after(extreme))
    entry = planner.loaded(number, source)[0]
    found = entry.equals(planner.loaded(number, views.broadcast(extreme, shape))[0])
    if x.dtype.kind == "f":
        found = found | entry.differs(entry)
    lengths = [n if i in axes else 1 for i, n in enumerate(shape)]
    numbered = views.broadcast(views.whole(Buffer("numbers", WHOLE, 0), tuple(lengths)), shape)
    place = Entry(planner.nest(number), planner.nest(number).add(Place(numbered)), WHOLE)
    result = views.whole(planner.result(node).buffer, kept)
    planner.reduce(number, "min", found.choose(place, math.prod(lengths)), views.broadcast(result, shape))


def plan_accumulation(planner: Planner, node: Node) -> None:
    """Each entry of the result is the one before it combined with the next operand, in order."""
    x = planner.operand(node, 0)
    planner.require(node.dtype.kind in "fiubc" and len(node.shape) > 0)
    axis = node.params["axis"] % len(node.shape)
    source, target = planner.view_of(x), planner.result(node)
    n = node.shape[axis]
    if size_of(node.shape) == 0:
        return

    def cut(view: View, start: int, stop: int) -> View:
        found = views.sliced(view, (slice(None),) * axis + (slice(start, stop),))
        assert found is not None
        return found

    planner.copy(cut(source, 0, 1), cut(target, 0, 1))
    if n == 1:
        return
    name = {"cumsum": "add", "cumprod": "multiply"}[node.primitive.name]  # type: ignore[union-attr]
    new, old, out = cut(source, 1, n), cut(target, 0, n - 1), cut(target, 1, n)
    number = planner.ordered_nest(new.shape, max(planner.after(source), planner.after(target)))
    combine = ARITHMETIC[name] if node.dtype.kind == "c" else lambda x, y: (x[0].calculated(name, y[0]),)
    found = combine(planner.loaded(number, old), planner.loaded(number, new, node.dtype))
    planner.store(number, tuple([entry.register for entry in found]), out)


WHOLE: Final = np.dtype(np.int64)

PLANS.update(
    {
        **dict.fromkeys(("sum", "prod", "max", "min"), plan_reduction),
        **dict.fromkeys(("any", "all", "count_nonzero"), plan_truth),
        **dict.fromkeys(("argmax", "argmin"), plan_place),
        **dict.fromkeys(("cumsum", "cumprod"), plan_accumulation),
    }
)
