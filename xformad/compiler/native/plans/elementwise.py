"""Operations entry by entry."""

from __future__ import annotations

import numpy as np

from xformad.compiler.native import scalars
from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.steps import Nest, Scalar
from xformad.core.graph import Node


def arithmetic(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    planner.require(node.dtype.kind == "f" or name not in scalars.FLOATS_ONLY)
    planner.elementwise(node, name, node.dtype)


def comparison(planner: Planner, node: Node) -> None:
    found = [np.asarray(x) if not isinstance(x, Node) else x for x in planner.operands(node)]
    computed = np.result_type(*[x.dtype for x in found if isinstance(x, Node) or x.ndim])
    planner.elementwise(node, node.primitive.name, computed)  # type: ignore[union-attr]


def logic(planner: Planner, node: Node) -> None:
    planner.elementwise(node, node.primitive.name, np.dtype(bool))  # type: ignore[union-attr]


def conversion(planner: Planner, node: Node) -> None:
    x = planner.operand(node, 0)
    planner.require(not (x.dtype.kind == "f" and node.dtype.kind == "i"))
    planner.elementwise(node, "astype", node.dtype)


def selection(planner: Planner, node: Node) -> None:
    """`numpy.where(condition, x, y)`."""
    condition = planner.operand(node, 0)
    planner.require((condition.dtype if hasattr(condition, "dtype") else np.dtype(type(condition))).kind == "b")
    operands = planner.operands(node)
    number = planner.nest_for(node.shape, operands)
    registers = [planner.register(number, operands[0], np.dtype(bool))]
    registers += [planner.register(number, x, node.dtype) for x in operands[1:]]
    nest = planner.steps[number]
    assert isinstance(nest, Nest)
    instruction = Scalar(
        "where", tuple([r for r, _ in registers]), tuple([d for _, d in registers]), node.dtype, node.dtype
    )
    planner.places[node] = number, nest.add(instruction)


PLANS.update(
    {
        **dict.fromkeys(scalars.ARITHMETIC, arithmetic),
        **dict.fromkeys(scalars.COMPARISONS, comparison),
        **dict.fromkeys(scalars.LOGIC, logic),
        "astype": conversion,
        "discretize": conversion,
        "where": selection,
    }
)
