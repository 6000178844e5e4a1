"""Python's whole numbers in the bodies of loops: whether the machine's can stand for them.

Python's have no bounds. But those that count steps, and what is computed of them, mostly have:

>>> from xformad.transformations.recorded import closed
>>> body = closed(lambda count, x: (count + 2, x * (3 * count)), [0, 1.5]).function.graph
>>> fit(body, state=[0], start=0, steps=100, known={})
True
>>> fit(body, state=[0], start=0, steps=2**62, known={})
False
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from xformad.core.graph import Graph, Node

Bounds: TypeAlias = tuple[int, int]
"""The least and the greatest value that a number can have."""

MACHINE: Final[Bounds] = (-(2**63), 2**63 - 1)

MANY_STEPS: Final = 2**40
"""More steps than a loop of unknown length takes in hours."""


def fit(body: Graph, state: Sequence[Any], start: int, steps: int, known: dict[Node, Bounds]) -> bool:
    """Whether all of Python's whole numbers in a step fit into the machine's.

    Args:
        body: the step.
        state: the state in the beginning, as far as it is known: nodes or numbers.
        start: the position of the state among the operands of the step.
        steps: how many there are.
        known: bounds of operands.
    """
    bounds = dict(known)
    for k, x in enumerate(state):
        before, after = body.inputs[start + k], body.outputs[k]
        if before.value is int:
            step = increment(before, after)
            if type(x) is not int or step is None:
                return False
            bounds[before] = min(x, x + step * steps), max(x, x + step * steps)
    for node in body.equations:
        if node.value is int:
            found = bounds_of(node, bounds)
            if found is None or found[0] < MACHINE[0] or found[1] > MACHINE[1]:
                return False
            bounds[node] = found
    return all(MACHINE[0] <= low and high <= MACHINE[1] for low, high in bounds.values())


def increment(before: Node, after: Any) -> int | None:
    """What a step adds to a number, if that is always the same."""
    if after is before:
        return 0
    if not isinstance(after, Node) or after.primitive is None or after.parents != (before,):
        return None
    others = [x for x in after.args if type(x) is int]
    if len(others) != 1 or after.primitive.name not in ("add", "subtract"):
        return None
    if after.primitive.name == "add":
        return others[0]
    return -others[0] if after.argnums == (0,) else None


def bounds_of(node: Node, bounds: dict[Node, Bounds]) -> Bounds | None:
    """The bounds of a result; None where they are not known."""
    name = node.primitive.name if node.primitive is not None else ""
    if name == "whole_number":
        return bounds.get(node.parents[0], MACHINE)
    parents = iter(node.parents)
    given = [bounds.get(next(parents)) if i in node.argnums else (x, x) for i, x in enumerate(node.args)]
    operands = [x for x in given if x is not None and type(x[0]) is int]
    if len(operands) < len(given):
        return None
    (a, b), (c, d) = operands[0], operands[-1]
    if name == "add":
        return a + c, b + d
    if name == "subtract":
        return a - d, b - c
    if name == "multiply":
        products = [a * c, a * d, b * c, b * d]
        return min(products), max(products)
    if name == "negative":
        return -b, -a
    if name == "remainder" and c > 0:
        return 0, d - 1
    if name == "floor_divide" and c > 0:
        return min(a // c, a // d), max(b // c, b // d)
    return None
