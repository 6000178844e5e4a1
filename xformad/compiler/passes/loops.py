"""Loops without what nobody uses: stacked results, parts of the state, and the operands that these alone need.

The identity: a step computes the part that is used from that part of the state alone.

>>> import numpy as np
>>> from xformad import jit, scan
>>> fast = jit(lambda x: scan(lambda state, e: ((state[0] + e, state[1] * e), np.sin(e)), (0.0, x), np.ones(3))[0][0])
>>> print(next(node for node in fast.graph(1.0).equations if "body" in node.params).params["body"].graph)
inputs  a: float64[], b: float64[]
c: float64[] = add a b
outputs c
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xformad.compiler.passes.rewriting import made, operands_of, rewritten, without_dead_code
from xformad.core.graph import Graph, Node, component
from xformad.core.typing import Value
from xformad.interpreters.evaluate import GraphFunction
from xformad.tree import flatten


def without_unused_parts(graph: Graph) -> Graph:
    """A `scan` computes what is used of its result, and what later steps need for that."""
    used: dict[Any, set[int]] = {}
    for node in graph.equations:
        if node.primitive is component:
            used.setdefault(node.parents[0].params.get("body"), set()).add(node.params["index"])
    if not any(isinstance(body, GraphFunction) for body in used):
        return graph
    smaller: dict[Node, list[int]] = {}
    moved: set[Node] = set()

    def rule(node: Node) -> Value:
        if node.primitive is component and node not in moved and node.parents[0] in smaller:
            index = smaller[node.parents[0]].index(node.params["index"])
            found = made(node, component, operands_of(node), node.spec, node.value, {"index": index})
            moved.add(found)
            return found
        body = node.params.get("body")
        if node.primitive is None or node.primitive.name != "scan" or not isinstance(body, GraphFunction):
            return node
        return node if node in smaller else pruned(node, body, used.get(body, set()), smaller)

    return rewritten(graph, rule)


def pruned(node: Node, body: GraphFunction, used: set[int], smaller: dict[Node, list[int]]) -> Node:
    """A loop without what is not used. `smaller` is told which of the components are left."""
    constants, held, _ = node.params["counts"]
    inputs, outputs = body.graph.inputs, body.graph.outputs
    kept = set(used)
    while True:
        wanted = ancestors(body.graph, [outputs[i] for i in kept])
        more = {k for k in range(held) if inputs[constants + k] in wanted} - kept
        if not more:
            break
        kept |= more
    positions = [
        i for i, x in enumerate(inputs) if (i - constants in kept if 0 <= i - constants < held else x in wanted)
    ]
    if node.params["length"] is None or (len(kept) == len(outputs) and len(positions) == len(inputs)):
        return node
    left = sorted(kept)
    operands = operands_of(node)
    counts = type(node.params["counts"])(
        sum(i < constants for i in positions),
        sum(k < held for k in left),
        sum(i >= constants + held for i in positions),
    )
    step = part(body.graph, positions, left)
    strong = tuple([positions.index(i) for i in body.strong if i in positions])
    params = {**node.params, "body": GraphFunction(step, strong), "counts": counts}
    value = tuple([node.value[i] for i in left])
    found = made(node, node.primitive, [operands[i] for i in positions], node.spec, value, params)
    smaller[found] = left
    return found


def ancestors(graph: Graph, nodes: Sequence[Any]) -> set[Any]:
    """What these depend on, themselves included."""
    found = set(filter(lambda node: isinstance(node, Node), nodes))
    for node in reversed(graph.equations):
        if node in found:
            found.update(node.parents)
    return found


def part(graph: Graph, positions: Sequence[int], left: Sequence[int]) -> Graph:
    """The graph of some of the results, of the inputs that they need."""
    inputs = tuple([graph.inputs[i] for i in positions])
    outputs = tuple([graph.outputs[i] for i in left])
    structures = [flatten(tuple(range(len(leaves))))[1] for leaves in (inputs, outputs)]
    return without_unused_parts(without_dead_code(Graph(graph.name, inputs, graph.equations, outputs, *structures)))
