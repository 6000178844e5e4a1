"""Operations that NumPy or SciPy put together of others: planned as what they consist of.

What it is that they consist of is found by recording a function that composes them, on zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from xformad.compiler.native.planner import PLANS, Planner
from xformad.core.graph import Node
from xformad.core.guards import guard
from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.interpreters.recording import Recorder


def norm(x: Value, axis: Shape, keepdims: bool) -> Value:
    squares = x.real**2 + x.imag**2 if dtype_of(x).kind == "c" else x * x
    return np.sqrt(np.sum(squares, axis=axis, keepdims=keepdims))


def whole_norm(x: Value) -> Value:
    return norm(x, tuple(range(x.ndim)), keepdims=False)


def power_norm(x: Value, order: float, axis: int, keepdims: bool) -> Value:
    return np.sum(x**order, axis=axis, keepdims=keepdims) ** (1.0 / order)


def divided_by_norm(c: Value, n: Value, limit: Value) -> Value:
    zero = n == 0
    return np.where(zero, limit, c / np.where(zero, 1, n)).astype(dtype_of(c))


def softmax(x: Value, axis: Any) -> Value:
    shifted = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


def log_softmax(x: Value, axis: Any) -> Value:
    largest = np.max(x, axis=axis, keepdims=True)
    shifted = x - np.where(np.isfinite(largest), largest, 0)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def log_sum_exp(a: Value, axis: Shape) -> Value:
    """The largest entries, of which there are m, and the others, by log1p, as SciPy; where that is not finite, directly."""
    largest = np.max(a, axis=axis, keepdims=True)
    taken = a == largest
    m = np.sum(taken, axis=axis, keepdims=True).astype(dtype_of(a))
    others = np.where(taken, -np.inf, a) - np.where(np.isfinite(largest), largest, 0)
    rest = np.sum(np.exp(others), axis=axis, keepdims=True)
    found = np.log1p(np.where(rest == 0, rest, rest / m)) + np.log(m) + largest
    return np.where(np.isfinite(found), found, np.log(np.sum(np.exp(a), axis=axis, keepdims=True)))


def cross(x: Value, y: Value) -> Value:
    x0, x1, x2 = x[..., 0], x[..., 1], x[..., 2]
    y0, y1, y2 = y[..., 0], y[..., 1], y[..., 2]
    return np.stack([x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0], axis=-1)


def ratio(x: Value, y: Value) -> Value:
    """x / y, but 0 / 0 = 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


COMPOSITIONS: Final[dict[str, Callable[..., Value]]] = {
    "norm": norm,
    "whole_norm": whole_norm,
    "power_norm": power_norm,
    "divided_by_norm": divided_by_norm,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "log_sum_exp": log_sum_exp,
    "cross": cross,
    "ratio": ratio,
}
"""By the names of primitives: functions of their operands, and of their parameters by keyword."""


def plan_composition(planner: Planner, node: Node) -> None:
    equations, found = composed(planner, node)
    if node in planner.results:
        planner.results[found] = planner.results[node]
    for equation in equations:
        planner.plan(equation)
    if found in planner.places:
        planner.places[node] = planner.places[found]
    if found in planner.views:
        planner.views[node] = planner.views[found]


def composed(planner: Planner, node: Node) -> tuple[list[Node], Node]:
    """The equations that an operation consists of, and the last one."""
    assert node.primitive is not None
    operands = planner.operands(node)
    instead: dict[Node, Node] = {}
    with Recorder() as recorder, np.errstate(all="ignore"):
        values = []
        for x in operands:
            tracer = recorder.input(np.zeros(x.shape, x.dtype)[()]) if isinstance(x, Node) else x
            if isinstance(x, Node):
                instead[tracer.extra] = x
            values.append(tracer)
        result = COMPOSITIONS[node.primitive.name](*values, **node.params)
    planner.require(type(result) is Tracer and result.extra.spec == node.spec)
    equations = []
    for each in recorder.nodes:
        if each in instead:
            continue
        planner.require(each.primitive is not guard)
        parents = tuple([instead[parent] for parent in each.parents])
        same = Node(each.number, each.value, each.primitive, each.args, each.params, parents, each.spec, each.plan)
        instead[each] = same
        equations.append(same)
    return equations, instead[result.extra]


PLANS.update(dict.fromkeys(COMPOSITIONS, plan_composition))
