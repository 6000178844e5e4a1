"""Loops and branches whose bodies are graphs: bodies are planned as kernels are, on memory of their own.

An entry of a sequence is a buffer whose place is another one in each step, and so is the place of a stacked result. The
state has two places, which change their parts after each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xformad.compiler.native import views
from xformad.compiler.native.planner import PLANS, Planner, size_of
from xformad.compiler.native.steps import Branch, Carry, Loop, Row
from xformad.compiler.native.views import Buffer, View
from xformad.compiler.native.whole_numbers import MANY_STEPS, Bounds, fit
from xformad.core.graph import Graph, Node, component
from xformad.core.interpreter import spec_of
from xformad.interpreters.evaluate import GraphFunction


def plan_component(planner: Planner, node: Node) -> None:
    planner.views[node] = planner.parts[node.parents[0]][node.params["index"]]


def plan_scan(planner: Planner, node: Node) -> None:
    constants, held, _ = node.params["counts"]
    first = constants + held
    body = graph_of(planner, node.params["body"])
    found = planner.operands(node)
    given = given_to(planner, found, body.inputs, alike=first)
    steps, reverse = node.params["length"], node.params["reverse"]
    planner.require(steps is not None and fit(body, found[constants:first], constants, steps, bounds(found, body)))
    stacks = [target(planner, node, i) for i in range(held, len(body.outputs))]
    rows = [row(planner, x, reverse) for x in (*given[first:], *stacks)]
    entries = [View(r.buffer, 0, x.strides[1:], x.shape[1:]) for r, x in zip(rows, given[first:], strict=False)]
    state = State(planner, body, given[constants:first], constants)
    after = [*state.after, *[each.buffer for each in rows[len(entries) :]]]
    inner = Planner(body, [*given[:constants], *state.before, *entries], after, planner)
    state.run(node, Loop(inner.steps, steps, rows, state.carries), stacks)


def plan_while(planner: Planner, node: Node) -> None:
    of_condition, of_body = node.params["counts"]
    planner.require(not node.params["saving"])
    condition, body = graph_of(planner, node.params["condition"]), graph_of(planner, node.params["body"])
    found = planner.operands(node)
    tested = given_to(planner, found[:of_condition], condition.inputs)
    given = given_to(planner, found[of_condition:], body.inputs)
    initial = found[of_condition + of_body :]
    planner.require(fit(body, initial, of_body, MANY_STEPS, {}))
    planner.require(fit(condition, [], 0, 0, {x: (-(2**62), 2**62) for x in condition.inputs if x.value is int}))
    state = State(planner, body, given[of_body:], of_body)
    test = planner.temporary(np.dtype(bool), ())
    taken = planner.temporary(np.dtype(np.int64), ())
    before = Planner(condition, [*tested, *state.before], [test], planner)
    inner = Planner(body, [*given[:of_body], *state.before], state.after, planner)
    loop = Loop(inner.steps, None, [], state.carries, before.steps, views.whole(test, ()), views.whole(taken, ()))
    state.run(node, loop, [views.whole(taken, ())])
    planner.parts[node] = [planner.parts[node][-1], *planner.parts[node][:-1]]


def plan_switch(planner: Planner, node: Node) -> None:
    branches = [graph_of(planner, branch) for branch in node.params["branches"]]
    index, *others = planner.operands(node)
    planner.require(isinstance(index, Node) and index.dtype.kind in "bi" and index.shape == ())
    chosen = planner.view_of(index)
    given = given_to(planner, others, branches[0].inputs)
    planner.require(all(fit(branch, [], 0, 0, {}) for branch in branches))
    targets = [target(planner, node, i) for i in range(len(branches[0].outputs))]
    after = [each.buffer for each in targets]
    planner.steps.append(Branch(chosen, [Planner(branch, given, after, planner).steps for branch in branches]))
    written(planner, node, targets)


class State:
    """What a loop carries along.

    Args:
        planner: what plans the loop.
        body: a step.
        initial: where the state lies in the beginning.
        start: the position of the first part of it among the operands of the step.

    Attributes:
        before: where it lies before a step. What stays as it is lies where it lay.
        after: where a step writes it; None for what stays as it is.
        carries: the two places of the rest.
    """

    def __init__(self, planner: Planner, body: Graph, initial: Sequence[View], start: int) -> None:
        self.planner = planner
        self.before: list[View] = []
        self.after: list[Buffer | None] = []
        self.carries: list[Carry] = []
        for k, x in enumerate(initial):
            dtype, shape = x.buffer.dtype, x.shape
            if body.outputs[k] is body.inputs[start + k]:
                self.before.append(x)
                self.after.append(None)
                continue
            places = planner.temporary(dtype, shape), planner.temporary(dtype, shape)
            planner.copy(x, views.whole(places[0], shape))
            read, write = (Buffer("moving", dtype, size_of(shape), next(planner.moving), places) for _ in range(2))
            self.carries.append(Carry(read, write, *places))
            self.before.append(views.whole(read, shape))
            self.after.append(write)

    def run(self, node: Node, loop: Loop, others: Sequence[View]) -> None:
        """Add the loop. Its results are the final state, and others, which it writes."""
        self.planner.steps.append(loop)
        written(self.planner, node, [*self.before, *others])


def written(planner: Planner, node: Node, parts: Sequence[View]) -> None:
    """Note that the last step writes the components of a node."""
    planner.parts[node] = list(parts)
    for part in parts:
        if part.buffer.kind != "argument":
            planner.written[part.buffer] = len(planner.steps) - 1


def graph_of(planner: Planner, function: Any) -> Graph:
    planner.require(isinstance(function, GraphFunction))
    graph: Graph = function.graph
    return graph


def given_to(planner: Planner, operands: Sequence[Any], inputs: Sequence[Node], alike: int | None = None) -> list[View]:
    """Where operands lie, which must be what a body was recorded with; from some one on, sequences of that."""
    found = []
    for k, (x, node) in enumerate(zip(operands, inputs, strict=False)):
        shape, dtype = spec_of_operand(x)
        planner.require(dtype == node.dtype)
        planner.require((shape if alike is None or k < alike else shape[1:]) == node.shape)
        view = planner.view_of(x) if isinstance(x, Node) else planner.constant(x)
        found.append(view if view.part is None else planner.straight(view))
    return found


def bounds(operands: Sequence[Any], body: Graph) -> dict[Node, Bounds]:
    """Of those operands of a step that are entries of constant whole numbers."""
    return {
        node: (int(x.min()), int(x.max()))
        for x, node in zip(operands, body.inputs, strict=True)
        if isinstance(x, np.ndarray) and x.dtype.kind == "i" and x.size
    }


def spec_of_operand(x: Any) -> Any:
    return x.spec if isinstance(x, Node) else spec_of(x)


def target(planner: Planner, node: Node, index: int) -> View:
    """Where a component is to lie."""
    assert isinstance(node.value, tuple)
    shape, dtype = node.value[index].shape, node.value[index].dtype
    for out, buffer in planner.results.items():
        if out.primitive is component and out.parents[0] is node and out.params["index"] == index:
            return views.whole(buffer, shape)
    return views.whole(planner.temporary(dtype, shape), shape)


def row(planner: Planner, x: View, reverse: bool) -> Row:
    """An entry along the first axis."""
    buffer = Buffer("moving", x.buffer.dtype, size_of(x.shape[1:]), next(planner.moving), (x.buffer,))
    stride = x.strides[0]
    if reverse:
        return Row(buffer, x.buffer, x.offset + (x.shape[0] - 1) * stride, -stride)
    return Row(buffer, x.buffer, x.offset, stride)


PLANS.update({"component": plan_component, "scan": plan_scan, "while": plan_while, "switch": plan_switch})
