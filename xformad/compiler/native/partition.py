"""Which equations of a graph become kernels: all that there are machine operations for, as few kernels as can be.

What depends on operations that are left to NumPy comes in a later kernel; all else goes into the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

import numpy as np

from xformad.compiler.native.plans import PLANS, Planner
from xformad.compiler.native.steps import UnsupportedGraphError
from xformad.compiler.passes import constant_key, with_equations
from xformad.compiler.primitives import is_own
from xformad.core.graph import Graph, Node, component
from xformad.core.guards import guard
from xformad.core.interpreter import SCALAR, Spec
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.trace import Traced
from xformad.tree import LEAF

Compile = Callable[[Graph], Callable[..., tuple[Value, ...]]]

known: Final[dict[Hashable, bool]] = {}
"""Which operations there are machine operations for, by primitive, shapes and parameters."""

MOST_KNOWN: Final = 100_000


def is_planned(primitive: Primitive | None) -> bool:
    """Whether there are machine operations for a primitive. Plans go by names, which users' primitives may have, too."""
    return primitive is not None and primitive.name in PLANS and is_own(primitive)


def is_native(node: Node) -> bool:
    """Whether a kernel can be made of this operation: it is tried."""
    if node.primitive is component:
        return is_native(node.parents[0])
    if node.primitive is not guard and not is_planned(node.primitive):
        return False
    if node.value is int:  # Python's has no bounds
        return False
    constants = [
        (arg.shape, arg.dtype) if isinstance(arg, np.ndarray) and arg.ndim else constant_key(arg)
        for i, arg in enumerate(node.args)
        if i not in node.argnums
    ]
    key: Hashable = (
        node.primitive,
        node.spec,
        tuple([parent.spec for parent in node.parents]),
        node.argnums,
        tuple(constants),
        repr(node.params),
    )
    found = known.get(key)
    if found is None:
        if len(known) > MOST_KNOWN:
            known.clear()
        found = known[key] = tried(node)
    return found


def reason_outside(node: Node) -> str:
    """Why an operation is left to NumPy."""
    if not is_planned(node.primitive):
        return "there is no machine operation for it"
    return "there is no machine operation for these shapes, dtypes or parameters"


def tried(node: Node) -> bool:
    """Whether an operation can be planned by itself."""
    inputs = {parent: Node(0, None, None, (), {}, (), parent.spec, Traced(())) for parent in node.parents}
    parents = tuple([inputs[parent] for parent in node.parents])
    alone = Node(0, node.value, node.primitive, node.args, node.params, parents, node.spec, node.plan)
    parts = [part_of(alone, i) for i in range(len(node.value))] if isinstance(node.value, tuple) else []
    outputs = () if node.primitive is guard else tuple(parts or [alone])
    try:
        Planner(Graph("", tuple(inputs.values()), (alone, *parts), outputs, LEAF, LEAF))
    except UnsupportedGraphError:
        return False
    return True


def part_of(whole: Node, i: int) -> Node:
    """A component of a tuple."""
    spec = whole.value[i]
    return Node(0, None, component, (None,), {"index": i}, (whole,), (spec.shape, spec.dtype), Traced((0,)))


def with_kernels(graph: Graph, compile_graph: Compile) -> Graph:
    """The graph in which kernels stand for what they compute."""
    native = {node for node in graph.equations if is_native(node)}
    stages = stages_of(graph, native)
    members: dict[int, list[Node]] = {}
    others: dict[int, list[Node]] = {}
    for node in graph.equations:
        (members if node in native else others).setdefault(stages[node], []).append(node)
    wanted = {out for out in graph.outputs if isinstance(out, Node)}
    for node in graph.equations:
        for parent in node.parents:
            if parent in native and (node not in native or stages[node] != stages[parent]):
                wanted.add(parent)
    instead: dict[Node, Node] = {}
    equations: list[Node] = []
    for stage in range(max(stages.values(), default=-1) + 1):
        inside = members.get(stage, [])
        if inside:
            equations += kernel_of(graph.name, inside, wanted, instead, compile_graph)
        for node in others.get(stage, []):
            equations.append(replaced(node, instead))
    outputs = tuple([instead.get(out, out) if isinstance(out, Node) else out for out in graph.outputs])
    return with_equations(graph, equations, outputs)


def replaced(node: Node, instead: dict[Node, Node]) -> Node:
    """An equation that takes what kernels return."""
    if not any(parent in instead for parent in node.parents):
        return node
    parents = tuple([instead.get(parent, parent) for parent in node.parents])
    found = Node(node.number, node.value, node.primitive, node.args, node.params, parents, node.spec, node.plan)
    instead[node] = found
    return found


def stages_of(graph: Graph, native: set[Node]) -> dict[Node, int]:
    """When each equation can run: the kernel of a stage first, then what is left to NumPy, then the next stage."""
    stages: dict[Node, int] = {}
    guarded = 0
    for node in graph.equations:
        stage = 0
        for parent in node.parents:
            if parent in stages:
                stage = max(stage, stages[parent] + (node in native and parent not in native))
        if node.primitive is guard:
            guarded = max(guarded, stage)
        elif node not in native:  # an error of a way not taken must not be raised
            stage = max(stage, guarded)
        stages[node] = stage
    return stages


def kernel_of(
    name: str, inside: list[Node], wanted: set[Node], instead: dict[Node, Node], compile_graph: Compile
) -> list[Node]:
    """The equations that stand for a kernel: one for all its results, and one for each."""
    members = set(inside)
    inputs: dict[Node, Node] = {}
    for node in inside:
        for parent in node.parents:
            if parent not in members and parent not in inputs:
                inputs[parent] = Node(0, None, None, (), {}, (), parent.spec, Traced(()))
    mapped: dict[Node, Node] = dict(inputs)
    equations = []
    for node in inside:
        parents = tuple([mapped[parent] for parent in node.parents])
        mapped[node] = Node(
            node.number, node.value, node.primitive, node.args, node.params, parents, node.spec, node.plan
        )
        equations.append(mapped[node])
    results = [node for node in inside if node in wanted]
    graph = Graph(name, tuple(inputs.values()), tuple(equations), tuple([mapped[node] for node in results]), LEAF, LEAF)
    primitive = Primitive("kernel", compile_graph(graph), multiple=True)
    outer = tuple([instead.get(parent, parent) for parent in inputs])
    specs = tuple([Spec(*node.spec) for node in results])
    blanks: tuple[Any, ...] = (None,) * len(outer)
    whole = Node(0, specs, primitive, blanks, {}, outer, SCALAR, Traced(tuple(range(len(outer)))))
    found = [whole]
    for i, node in enumerate(results):
        part = part_of(whole, i)
        instead[node] = part
        found.append(part)
    return found
