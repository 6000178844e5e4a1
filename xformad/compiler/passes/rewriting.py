"""How a pass goes through a graph: a rule says what becomes of each equation, and `rewritten` applies it in order.

A rule sees an equation whose operands have been dealt with. It returns the equation itself, or what its result is instead:
an operand, a constant, or a new equation on operands and on other new ones. New equations stand where the old one stood, so
what a guard protects stays behind it, and the rule is applied to them, too.

>>> import xformad
>>> from xformad.core.primitive import negative, positive
>>> graph = xformad.trace(lambda x: -(+(-x)))(3.0)
>>> print(rewritten(graph, lambda node: operand(node, 0) if node.primitive is positive else node))
inputs  a: float64[]
b: float64[] = negative a
c: float64[] = negative b
outputs c
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np

from xformad.core.dispatch import UFUNCS
from xformad.core.graph import Graph, Node
from xformad.core.guards import guard
from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Params, Shape, ShapeDtype, Value
from xformad.interpreters.trace import Traced
from xformad.operations.selection import where

Rule: TypeAlias = Callable[[Node], Value]
"""What an equation, whose operands have been dealt with, becomes: itself, an operand, a constant, or a new equation."""

MOST_STEPS: Final = 50
"""How often a rule is applied to what it has made of one equation. No rule of ours comes near: each makes less of it."""


def rewritten(graph: Graph, rule: Rule, counts: dict[Node, int] | None = None) -> Graph:
    """Apply a rule to each equation, in order, and to the new equations that it makes. What nothing needs any more goes.

    Args:
        graph: the graph.
        rule: what becomes of an equation.
        counts: how often nodes are used. What stands for a node gets its number.
    """
    instead: dict[Node, Value] = {}
    known: dict[Node, None] = dict.fromkeys(graph.inputs)

    def settled(found: Value) -> Value:
        """What the rule makes in the end of what it has made, and all that this needs, among those that are known."""
        for _ in range(MOST_STEPS):
            if not isinstance(found, Node) or found in known:
                return found
            node = with_settled(found)
            found = rule(node)
            if found is node:
                break
        known[node] = None
        return node

    def with_settled(node: Node) -> Node:
        """A new equation, once those among its operands that are new are settled."""
        for parent in node.parents:
            if parent not in known:
                return with_operands(node, [settled(x) if isinstance(x, Node) else x for x in operands_of(node)])
        return node

    for node in graph.equations:
        current = node
        for parent in node.parents:
            if parent in instead:
                current = with_operands(
                    node, [instead.get(x, x) if isinstance(x, Node) else x for x in operands_of(node)]
                )
                break
        found = rule(current)
        if found is current:
            known[current] = None
        else:
            found = settled(found)
        if found is not node:
            instead[node] = found
            if counts is not None and isinstance(found, Node):
                counts[found] = counts.get(found, 0) + counts.get(node, 0)
    if not instead:
        return graph
    inputs = set(graph.inputs)
    outputs = tuple([instead.get(out, out) if isinstance(out, Node) else out for out in graph.outputs])
    return without_dead_code(with_equations(graph, [node for node in known if node not in inputs], outputs))


def without_dead_code(graph: Graph) -> Graph:
    """What no output and no guard depends on is not computed.

    >>> import xformad
    >>> graph = xformad.trace(lambda x: (x, -x))(3.0)
    >>> print(without_dead_code(with_equations(graph, graph.equations, graph.inputs)))
    inputs  a: float64[]
    outputs a
    """
    wanted = {out for out in graph.outputs if isinstance(out, Node)}
    for node in reversed(graph.equations):
        if node in wanted or node.primitive is guard:
            wanted.add(node)
            wanted.update(node.parents)
    return with_equations(graph, [node for node in graph.equations if node in wanted], graph.outputs)


# Equations.


def operands_of(node: Node) -> list[Value]:
    """The operands of an equation: nodes and constants."""
    found = list(node.args)
    for position, parent in zip(node.argnums, node.parents, strict=True):
        found[position] = parent
    return found


def operand(node: Node, position: int) -> Value:
    """One operand of an equation: a node, or a constant."""
    for argnum, parent in zip(node.argnums, node.parents, strict=True):
        if argnum == position:
            return parent
    return node.args[position]


def with_operands(node: Node, operands: Sequence[Value]) -> Node:
    """The same operation on other operands."""
    return made(node, node.primitive, operands, node.spec, node.value, node.params)


def with_parents(node: Node, parents: Sequence[Node]) -> Node:
    """The same operation on other nodes."""
    return Node(node.number, node.value, node.primitive, node.args, node.params, tuple(parents), node.spec, node.plan)


def equation(
    like: Node,
    primitive: Primitive | None,
    *operands: Value,
    shape: Shape,
    dtype: np.dtype[Any] | None = None,
    params: Params | None = None,
) -> Node:
    """A new equation that stands, perhaps with others, for the equation `like`, whose dtype it has if none is given. If
    that one is a number of Python's, this one is, too.
    """
    number = like.value if dtype is None and isinstance(like.value, type) else None
    return made(like, primitive, operands, (shape, like.spec[1] if dtype is None else dtype), number, params or {})


def made(
    like: Node,
    primitive: Primitive | None,
    operands: Iterable[Value],
    spec: ShapeDtype,
    value: Value,
    params: Params,
) -> Node:
    args = tuple(operands)
    argnums = tuple([i for i, x in enumerate(args) if isinstance(x, Node)])
    constants = tuple([None if isinstance(x, Node) else x for x in args])
    parents = tuple([args[i] for i in argnums])
    return Node(like.number, value, primitive, constants, params, parents, spec, Traced(argnums))


def with_equations(graph: Graph, equations: Sequence[Node], outputs: tuple[Any, ...]) -> Graph:
    """The graph of the same function with other equations."""
    return Graph(graph.name, graph.inputs, tuple(equations), outputs, graph.in_structure, graph.out_structure)


# What is known about operands.


def applies(x: Value, primitive: Primitive) -> bool:
    """Whether an operand is the result of a primitive."""
    return isinstance(x, Node) and x.primitive is primitive


def shape_of(x: Value) -> Shape:
    """The shape of a node or a constant."""
    return x.spec[0] if isinstance(x, Node) else np.shape(x)


def type_of(x: Value) -> np.dtype[Any]:
    """The dtype of a node or a constant."""
    return x.spec[1] if isinstance(x, Node) else dtype_of(x)


def size_of(shape: Shape) -> int:
    """How many entries an array of this shape has."""
    total = 1
    for n in shape:
        total *= n
    return total


def uses(graph: Graph) -> dict[Node, int]:
    """How often each node is an operand or an output."""
    counts: dict[Node, int] = {}
    for node in graph.equations:
        for parent in node.parents:
            counts[parent] = counts.get(parent, 0) + 1
    for out in graph.outputs:
        if isinstance(out, Node):
            counts[out] = counts.get(out, 0) + 1
    return counts


PYTHON_TYPES: Final = frozenset(map(np.dtype, (int, float, complex)))
"""The dtypes of Python's numbers, which take the dtype of the arrays that they meet."""

STRONG: Final = frozenset(
    ("sum", "prod", "max", "min", "matmul", "dot", "where", "astype", "discretize", "reshape", "getitem")
)
"""Operations, beside ufuncs, whose results are never numbers of Python."""


def may_be_python(x: Value, depth: int = 4) -> bool:
    """Whether an operand may be a number of Python, which its dtype does not tell."""
    if not isinstance(x, Node):
        return not isinstance(x, np.generic | np.ndarray)
    if x.spec[0] or x.spec[1] not in PYTHON_TYPES:
        return False
    if x.primitive is None:  # a recording keeps the types of Python's numbers; other graphs have values
        return isinstance(x.value, type | int | float | complex) and not isinstance(x.value, np.generic)
    if depth == 0:
        return True
    if isinstance(x.primitive.implementation, np.ufunc) or x.primitive.name in STRONG:
        return False
    return not acts_by_entry(x.primitive) or all(may_be_python(each, depth - 1) for each in operands_of(x))


def acts_by_entry(primitive: Primitive | None) -> bool:
    """Whether an operation acts entry by entry, and broadcasts its operands."""
    return primitive in by_entry(len(UFUNCS))


@cache
def by_entry(count: int) -> frozenset[Primitive | None]:
    """The primitives that act entry by entry, while there are so many ufuncs."""
    del count
    return frozenset([where, *(p for ufunc, p in UFUNCS.items() if ufunc.signature is None and ufunc.nout == 1)])
