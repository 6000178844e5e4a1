"""What a function returns is memory of its own, if it was before: the caller may write into it.

>>> import xformad, numpy as np
>>> graph = xformad.trace(lambda x: x * 1.0)(np.ones(3))
>>> x = graph.inputs[0]
>>> print(with_own_outputs(graph, with_equations(graph, (), (x,))))
inputs  a: float64[3]
b: float64[3] = copy a  order='K'
outputs b
"""

from __future__ import annotations

from typing import Final, NamedTuple

from xformad.compiler.passes.rewriting import equation, with_equations
from xformad.core.graph import Graph, Node
from xformad.operations.shape import copy

SHARING: Final = frozenset(
    ("reshape", "ravel", "transpose", "broadcast", "getitem", "flip", "real", "imag", "stop_gradient", "copy")
)
"""Operations whose results may lie in the memory of their first operand. A `copy` may be one of a number."""


class Memory(NamedTuple):
    """Where a result lies.

    Attributes:
        owner: the node whose memory it is.
        writable: whether each entry has a place of its own.
    """

    owner: Node
    writable: bool


def memory_of(node: Node) -> Memory:
    """Follow views to what they are views of."""
    writable = True
    while node.primitive is not None and node.primitive.name in SHARING and node.parents:
        if node.primitive.name == "copy" and node.shape:
            break
        writable = writable and node.primitive.name != "broadcast"
        node = node.parents[0]
    return Memory(node, writable)


def with_own_outputs(before: Graph, after: Graph) -> Graph:
    """An output that had memory of its own, and now shares that of an input or of another output, is copied.

    Args:
        before: the graph as it was recorded.
        after: the graph of the same function, simplified.
    """
    lent = set(before.inputs)
    holders: dict[Node, Node] = {}
    equations = list(after.equations)
    outputs = list(after.outputs)
    for i, (old, new) in enumerate(zip(before.outputs, after.outputs, strict=True)):
        if not isinstance(new, Node):
            continue
        was, now = memory_of(old), memory_of(new)
        own = now.owner not in lent or was.owner in lent
        if new.shape:
            own = own and now.writable >= was.writable and holders.setdefault(now.owner, was.owner) is was.owner
        if not own:
            outputs[i] = equation(new, copy, new, shape=new.shape, params={"order": "K"})
            equations.append(outputs[i])
    return with_equations(after, equations, tuple(outputs))
