"""What the way back computes again rather than being given by the way forward.

A view costs nothing to take again, and a little arithmetic on an array that is read anyway costs less than reading another
one: `1 - y * y` is not kept for the way back of `y = tanh(x)`, if y is.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from xformad.compiler.passes.rewriting import size_of
from xformad.core.graph import Graph, Node
from xformad.core.primitive import (
    Primitive,
    absolute,
    add,
    equal,
    getitem,
    greater,
    greater_equal,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    subtract,
)
from xformad.operations.arithmetic import square
from xformad.operations.discrete import logical_and, logical_not, logical_or
from xformad.operations.selection import where
from xformad.operations.shape import astype, broadcast, discretize, reshape, transpose

VIEWS: Final = frozenset((reshape, transpose, broadcast, getitem))

CHEAP: Final[frozenset[Primitive | None]] = frozenset(
    (
        *(add, subtract, multiply, negative, absolute, square, where, astype, discretize),
        *(equal, not_equal, less, less_equal, greater, greater_equal, logical_and, logical_or, logical_not),
    )
)

MOST_STEPS: Final = 4
"""How many of these operations in a row cost less than reading an array."""


def recomputed(graph: Graph, late: AbstractSet[Node]) -> set[Node]:
    """Which equations of the way forward are computed again on the way back, as what they need is at hand there.

    Args:
        graph: of both ways.
        late: the equations of the way back, and the cotangents.

    Returns:
        Equations that are not late. Of what they need, one part is among them, and the other is needed there anyway.
    """
    early = [node for node in graph.equations if node not in late]
    needed = {parent for node in graph.equations if node in late for parent in node.parents if parent not in late}
    for node in reversed(early):
        if node in needed and is_view(node):
            needed.add(node.parents[0])
    steps = {node: 0 for node in graph.inputs if node in needed}  # of all that is at hand on the way back
    again: set[Node] = set()
    for node in early:
        if all(parent in steps for parent in node.parents) and (is_view(node) or node.primitive in CHEAP):
            steps[node] = sum(steps[parent] for parent in set(node.parents)) + (not is_view(node))
            if steps[node] <= MOST_STEPS:
                again.add(node)
                continue
            del steps[node]
        if node in needed:
            steps[node] = 0
    found: set[Node] = set()
    for node in reversed(early):
        if node in needed and node in again:
            found.add(node)
            needed.update(node.parents)
    return found


def is_view(node: Node) -> bool:
    """Whether an equation only shows an array in another way, and not a small part of it."""
    if node.primitive not in VIEWS or len(node.parents) != 1 or len(node.args) != 1:
        return False
    return 2 * size_of(node.shape) >= size_of(node.parents[0].shape)
