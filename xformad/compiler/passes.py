"""Passes: functions from a graph to a graph that computes the same with less work.

Each says in its docstring by which identity. Guards stay, in their order among what they protect.

>>> import xformad
>>> graph = xformad.trace(lambda x: (x * x) + (x * x))(3.0)
>>> print(without_repetition(graph))
inputs  a: float64[]
b: float64[] = multiply a a
c: float64[] = add b b
outputs c
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np

from xformad.core.graph import Graph, Node
from xformad.core.guards import guard
from xformad.core.typing import Value

Rule: TypeAlias = Callable[[Node], Node]
"""What an equation, whose parents have been dealt with, becomes: itself, an equation before it, or another one."""


def rewritten(graph: Graph, rule: Rule) -> Graph:
    """Apply a rule to each equation, in order."""
    instead: dict[Node, Node] = {}
    equations: dict[Node, None] = {}
    for node in graph.equations:
        current = node
        if any(parent in instead for parent in node.parents):
            current = with_parents(node, [instead.get(parent, parent) for parent in node.parents])
        found = rule(current)
        if found is not node:
            instead[node] = found
        equations[found] = None
    known = set(graph.inputs)
    outputs = tuple([instead.get(out, out) if isinstance(out, Node) else out for out in graph.outputs])
    return with_equations(graph, [node for node in equations if node not in known], outputs)


def with_parents(node: Node, parents: Sequence[Node]) -> Node:
    """The same operation on other operands."""
    return Node(node.number, node.value, node.primitive, node.args, node.params, tuple(parents), node.spec, node.plan)


def with_equations(graph: Graph, equations: Sequence[Node], outputs: tuple[Any, ...]) -> Graph:
    """The graph of the same function with other equations."""
    return Graph(graph.name, graph.inputs, tuple(equations), outputs, graph.in_structure, graph.out_structure)


def without_dead_code(graph: Graph) -> Graph:
    """What no output and no guard depends on is not computed."""
    wanted = {out for out in graph.outputs if isinstance(out, Node)}
    for node in reversed(graph.equations):
        if node.primitive is guard or node in wanted:
            wanted.add(node)
            wanted.update(node.parents)
    return with_equations(graph, [node for node in graph.equations if node in wanted], graph.outputs)


def without_repetition(graph: Graph) -> Graph:
    """Equal operations on equal operands have equal results: the second one is the first one."""
    first: dict[Hashable, Node] = {}

    def rule(node: Node) -> Node:
        key = key_of(node)
        return node if key is None else first.setdefault(key, node)

    return rewritten(graph, rule)


def key_of(node: Node) -> Hashable:
    """Equal for operations that compute the same; None where that cannot be told."""
    constants = [constant_key(arg) for i, arg in enumerate(node.args) if i not in node.argnums]
    key = (node.primitive, node.argnums, node.parents, tuple(constants), tuple(node.params.items()))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def constant_key(x: Value) -> Hashable:
    """Equal for constants that compute the same: of the same type, not only of the same value. 0.0 is not -0.0."""
    if isinstance(x, np.ndarray):
        return id(x)
    if isinstance(x, np.generic):
        return type(x), x.tobytes()
    return type(x), repr(x)


def simplified(graph: Graph) -> Graph:
    """All passes, in the order in which they help each other."""
    return without_dead_code(without_repetition(graph))
