"""What kernels consist of: a compiled program's graph, with the equations again that kernels stand for.

A kernel is an equation whose primitive is implemented by an object with a `graph` of its own.

>>> import numpy as np
>>> from xformad.transformations.tracing import trace
>>> inner = trace(lambda x: (np.sin(x) * x,))(2.0)
>>> class Sum:
...     graph = inner
...     def __call__(self, x):
...         return (np.sin(x) * x,)
>>> kernel = Primitive("kernel", Sum(), multiple=True)
>>> whole, groups = expanded(trace(lambda x: kernel.bind(x + 1.0)[0])(2.0))
>>> print(whole)
inputs  a: float64[]
b: float64[] = add a 1.0
c: float64[] = sin b
d: float64[] = multiply c b
outputs d
>>> groups
{'kernel 1': [<Node 2 sin: float64[]>, <Node 3 multiply: float64[]>]}
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from xformad.compiler.passes import with_equations
from xformad.core.graph import Graph, Node, component
from xformad.core.primitive import Primitive


@runtime_checkable
class Fused(Protocol):
    """The implementation of a kernel.

    Attributes:
        graph: what it computes.
    """

    graph: Graph


def body_of(primitive: Primitive | None) -> Graph | None:
    """What a kernel computes; None for what is no kernel."""
    implementation: object = None if primitive is None else primitive.implementation
    return implementation.graph if isinstance(implementation, Fused) else None


def expanded(graph: Graph) -> tuple[Graph, dict[str, list[Node]]]:
    """The graph of the same function without kernels, and for each kernel the equations that it stood for."""
    instead: dict[Node, Node] = {}
    results: dict[Node, tuple[Node, ...]] = {}
    equations: list[Node] = []
    groups: dict[str, list[Node]] = {}

    def copied(node: Node) -> Node:
        parents = tuple([instead.get(parent, parent) for parent in node.parents])
        instead[node] = Node(
            node.number, node.value, node.primitive, node.args, node.params, parents, node.spec, node.plan
        )
        equations.append(instead[node])
        return instead[node]

    for node in graph.equations:
        body = body_of(node.primitive)
        if body is not None:
            operands = [instead.get(parent, parent) for parent in node.parents]
            instead.update(zip(body.inputs, operands, strict=True))
            groups[f"kernel {len(groups) + 1}"] = [copied(inner) for inner in body.equations]
            results[node] = tuple([instead[out] for out in body.outputs])
        elif node.primitive is component and node.parents[0] in results:
            instead[node] = results[node.parents[0]][node.params["index"]]
        else:
            copied(node)
    outputs = tuple([instead.get(out, out) if isinstance(out, Node) else out for out in graph.outputs])
    return with_equations(graph, equations, outputs), groups
