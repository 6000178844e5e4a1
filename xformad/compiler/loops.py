"""Loops and branches whose bodies are graphs: the bodies are compiled once, and Python goes round.

Where there are machine operations for a whole loop, it is part of a kernel instead (`xformad.compiler.native.plans.loops`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, final

import numpy as np

from xformad.compiler.passes import with_equations
from xformad.compiler.primitives import Substitute
from xformad.compiler.replay import Program
from xformad.core.graph import Graph, Node
from xformad.core.interpreter import spec_of
from xformad.core.typing import Params, ShapeDtype, Value
from xformad.interpreters.evaluate import GraphFunction

Compile: TypeAlias = Callable[[Graph], Program]


class Runner(Protocol):
    """Runs a loop or a branch: what stands for its implementation in a program."""

    def __call__(self, *args: Value) -> tuple[Value, ...]: ...


@final
class Scan:
    """`scan`: what the steps return is written to its place in the stack."""

    def __init__(
        self, compile_graph: Compile, body: GraphFunction, counts: Sequence[int], length: int | None, reverse: bool
    ) -> None:
        self.body = body
        self.run = compile_graph(body.graph).run
        self.constants, self.held = counts[0], counts[1]
        self.length = length
        self.reverse = reverse
        self.specs = [spec_of_output(out) for out in body.graph.outputs[self.held :]]

    def __call__(self, *args: Value) -> tuple[Value, ...]:
        first = self.constants + self.held
        constants, sequences = args[: self.constants], args[first:]
        state: Sequence[Value] = self.body.operands(args)[self.constants : first]
        length = len(sequences[0]) if self.length is None else self.length
        stacks = [np.empty((length, *shape), dtype) for shape, dtype in self.specs]
        run, held = self.run, self.held
        for i in range(length - 1, -1, -1) if self.reverse else range(length):
            found = run(*constants, *state, *[x[i] for x in sequences])
            state = found[:held]
            for stack, row in zip(stacks, found[held:], strict=True):
                stack[i] = row
        return (*state, *stacks)


@final
class While:
    """`while_loop`: the number of steps, and the final state; if `saving`, also those before each step."""

    def __init__(
        self,
        compile_graph: Compile,
        condition: GraphFunction,
        body: GraphFunction,
        counts: Sequence[int],
        saving: bool,
    ) -> None:
        self.body = body
        self.goes_on = compile_graph(condition.graph).run
        self.run = compile_graph(body.graph).run
        self.of_condition, self.of_body = counts
        self.saving = saving

    def __call__(self, *args: Value) -> tuple[Value, ...]:
        first = self.of_condition + self.of_body
        of_condition, of_body = args[: self.of_condition], args[self.of_condition : first]
        state: Sequence[Value] = self.body.operands((*of_body, *args[first:]))[self.of_body :]
        goes_on, run = self.goes_on, self.run
        before: list[Sequence[Value]] = []
        steps = 0
        while goes_on(*of_condition, *state)[0]:
            if self.saving:
                before.append(state)
            state = run(*of_body, *state)
            steps += 1
        if not self.saving:
            return (steps, *state)
        specs = [node.spec for node in self.body.graph.inputs[self.of_body :]]
        stacks = [np.empty((steps, *shape), dtype) for shape, dtype in specs]
        for k, stack in enumerate(stacks):
            for i, row in enumerate(before):
                stack[i] = row[k]
        return (steps, *state, np.ones(steps, bool), *stacks)


@final
class Switch:
    """`switch` and `cond`: the branch that the first operand says."""

    def __init__(self, compile_graph: Compile, branches: Sequence[GraphFunction]) -> None:
        self.runs = [compile_graph(branch.graph).run for branch in branches]

    def __call__(self, index: Value, *operands: Value) -> tuple[Value, ...]:
        return tuple(self.runs[min(max(int(index), 0), len(self.runs) - 1)](*operands))


RUNNERS: Final[dict[str, Callable[..., Runner]]] = {"scan": Scan, "while": While, "switch": Switch}
"""What runs each operation that holds graphs, by the primitive's name."""


def runner_of(name: str, params: Params, compile_graph: Compile) -> Runner | None:
    """What runs an operation, if it holds graphs."""
    held = [part for value in params.values() for part in (value if type(value) is tuple else (value,))]
    if name in RUNNERS and any(isinstance(part, GraphFunction) for part in held):
        return RUNNERS[name](compile_graph, **params)
    return None


def with_runners(graph: Graph, compile_graph: Compile) -> Graph:
    """The graph in which runners, with compiled bodies, stand for the operations that hold graphs."""
    instead: dict[Node, Node] = {}
    equations: list[Node] = []
    for node in graph.equations:
        assert node.primitive is not None
        runner = runner_of(node.primitive.name, node.params, compile_graph)
        parents = tuple([instead.get(parent, parent) for parent in node.parents])
        if runner is not None:
            primitive = Substitute(node.primitive.name, runner, multiple=True)
            found = Node(node.number, node.value, primitive, node.args, {}, parents, node.spec, node.plan)
        elif parents != node.parents:
            found = Node(node.number, node.value, node.primitive, node.args, node.params, parents, node.spec, node.plan)
        else:
            equations.append(node)
            continue
        instead[node] = found
        equations.append(found)
    if not instead:
        return graph
    outputs = tuple([instead.get(out, out) if isinstance(out, Node) else out for out in graph.outputs])
    return with_equations(graph, equations, outputs)


def spec_of_output(out: Any) -> ShapeDtype:
    """The shape and dtype of an output: of a node, or of a constant."""
    return out.spec if isinstance(out, Node) else spec_of(out)
