"""Reductions, and products of small matrices."""

from __future__ import annotations

from typing import Final

import numpy as np

from xformad.compiler.native import views
from xformad.compiler.native.planner import PLANS, Planner, size_of
from xformad.compiler.native.steps import Load, Nest, Reduce, Scalar
from xformad.compiler.native.views import View
from xformad.core.graph import Node


def plan_reduction(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    x = planner.operand(node, 0)
    axis = node.params.get("axis")
    axes = tuple(range(len(x.shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple([a % max(1, len(x.shape)) for a in axes])
    planner.require(node.dtype.kind == "f" and (size_of(x.shape) > 0 or name in ("sum", "prod")))
    planner.reduction(node, name, axes)


def plan_product(planner: Planner, node: Node) -> None:
    """A small product of matrices or vectors: a sum over the common axis."""
    x, y = planner.operands(node)
    shapes = [z.shape if isinstance(z, Node) else np.shape(z) for z in (x, y)]
    planner.require(node.dtype.kind == "f" and all(1 <= len(s) <= 2 for s in shapes))
    sources = [planner.view_of(z) if isinstance(z, Node) else planner.constant(np.asarray(z)) for z in (x, y)]
    a, b = sources
    m = a.shape[0] if len(a.shape) == 2 else 1
    k = a.shape[-1]
    n = b.shape[1] if len(b.shape) == 2 else 1
    planner.require(m * n * k <= SMALL_PRODUCT and a.buffer.dtype == b.buffer.dtype == node.dtype)
    rows = a if len(a.shape) == 2 else View(a.buffer, a.offset, (0, a.strides[0]), (1, k))
    columns = b if len(b.shape) == 2 else View(b.buffer, b.offset, (b.strides[0], 0), (k, 1))
    shape = (m, k, n)
    left = View(rows.buffer, rows.offset, (rows.strides[0], rows.strides[1], 0), shape)
    right = View(columns.buffer, columns.offset, (0, columns.strides[0], columns.strides[1]), shape)
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    planner.views[node] = views.whole(buffer, node.shape)
    first = max(planner.after(left), planner.after(right))
    number = planner.first_nest(shape, first)
    nest = planner.steps[number]
    assert isinstance(nest, Nest)
    dtype = node.dtype
    product = nest.add(Scalar("multiply", (nest.add(Load(left)), nest.add(Load(right))), (dtype, dtype), dtype, dtype))
    nest.add(Reduce("sum", product, View(buffer, 0, (n, 0, 1), shape), dtype))
    planner.written[buffer] = number


SMALL_PRODUCT: Final = 40_000

PLANS.update(
    {**dict.fromkeys(("sum", "prod", "max", "min"), plan_reduction), "matmul": plan_product, "dot": plan_product}
)
