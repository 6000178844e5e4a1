"""What is repeated along an axis is not computed, nor stored, for each entry of it.

>>> import xformad, numpy as np
>>> graph = xformad.trace(lambda x: np.exp(np.broadcast_to(x, (2, 3))) * np.full((2, 3), 2.0))(np.ones(3))
>>> print(without_repeated_entries(graph))
inputs  a: float64[3]
b: float64[3] = exp a
c: float64[3] = multiply b 2.0
d: float64[2,3] = broadcast c  shape=(2, 3)
outputs d
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.compiler.passes.rewriting import (
    PYTHON_TYPES,
    acts_by_entry,
    equation,
    operand,
    operands_of,
    rewritten,
    shape_of,
    type_of,
    with_operands,
)
from xformad.compiler.passes.sharing import SMALL
from xformad.compiler.passes.views import broadcasted
from xformad.core.graph import Graph, Node
from xformad.core.typing import Value
from xformad.operations.shape import broadcast


def without_repeated_entries(graph: Graph) -> Graph:
    """f(broadcast(x), y) = f(x, y) where y has the shape anyway, and f(broadcast(x)) = broadcast(f(x)).

    This holds for what acts entry by entry. A constant array of equal entries is one number, broadcast.
    """
    numbers: dict[int, tuple[Value, Value]] = {}

    def source(x: Value) -> Value:
        """What an operand is broadcast from."""
        if isinstance(x, Node):
            return operand(x, 0) if x.primitive is broadcast else x
        if not isinstance(x, np.ndarray) or not x.ndim:
            return x
        if id(x) not in numbers:
            numbers[id(x)] = x, uniform(x)
        return numbers[id(x)][1]

    def rule(node: Node) -> Value:
        if not node.spec[0] or not node.parents or not acts_by_entry(node.primitive):
            return node
        operands = operands_of(node)
        found = [source(x) for x in operands]
        if all(x is y for x, y in zip(found, operands, strict=True)) or not keeps_type(operands, found):
            return node
        shape = np.broadcast_shapes(*map(shape_of, found))
        if shape == node.shape:
            return with_operands(node, found)
        return broadcasted(node, equation(node, node.primitive, *found, shape=shape, params=node.params), node.shape)

    return rewritten(graph, rule)


def uniform(x: np.ndarray[Any, Any]) -> Value:
    """The number that stands in all entries of an array, 0.0 being another one than -0.0; the array, if there is none."""
    if not x.size or x.dtype.kind not in "fiubc":
        return x
    value: Value = x[(0,) * x.ndim]
    if x.nbytes <= SMALL:
        return value if x.tobytes() == value.tobytes() * x.size else x
    if x[(-1,) * x.ndim].tobytes() != value.tobytes():
        return x
    words = np.dtype((np.void, x.dtype.itemsize)) if x.dtype.itemsize > 8 else np.dtype(f"u{x.dtype.itemsize}")
    return value if (np.ascontiguousarray(x).view(words) == value.view(words)).all() else x


def keeps_type(operands: list[Value], sources: list[Value]) -> bool:
    """Whether a result has the same dtype if an array is one number: one of Python's takes the dtype of what it meets."""
    weak = [
        isinstance(x, Node) and x is not y and x.spec[0] == () and x.spec[1] in PYTHON_TYPES
        for x, y in zip(sources, operands, strict=True)
    ]
    if not any(weak):
        return True
    if any(w and type_of(x).kind == "i" for x, w in zip(sources, weak, strict=True)):
        return False  # Python's whole numbers have no bounds
    others = [
        type_of(x) for x, w in zip(sources, weak, strict=True) if not w and (shape_of(x) or isinstance(x, np.generic))
    ]
    return not others or np.result_type(*others) == np.result_type(*others, *map(type_of, sources))
