"""The evaluation interpreter: a primitive means its implementation. It is what `bind` falls through to.

On a recorded graph, evaluation binds the equations one after the other, so a graph runs on plain arrays as on traced
ones, under any interpreter.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np

from xformad import tree
from xformad.core.graph import Graph, Node
from xformad.core.typing import Value


def evaluate(graph: Graph, *args: Any) -> Any:
    """Run a graph.

    Args:
        graph: what `xformad.trace` recorded.
        args: arguments like those that it was recorded with: the same trees and shapes.

    Returns:
        A result like that of the recorded function.

    Raises:
        TreeError: if the arguments' trees differ from the recorded ones.

    >>> import xformad
    >>> graph = xformad.trace(lambda x: x**2 + 1)(3.0)
    >>> evaluate(graph, 5.0), xformad.grad(lambda x: evaluate(graph, x))(5.0)
    (26.0, np.float64(10.0))
    """
    leaves = tree.flatten_like(graph.in_structure, args, "args")
    return tree.unflatten(graph.out_structure, evaluated(graph, leaves))


def evaluated(graph: Graph, leaves: Sequence[Value]) -> list[Value]:
    """The leaves of a graph's result, of those of its arguments."""
    values: dict[Node, Value] = dict(zip(graph.inputs, leaves, strict=True))
    for node in graph.equations:
        assert node.primitive is not None
        operands = list(node.args)
        for position, parent in zip(node.argnums, node.parents, strict=True):
            operands[position] = values[parent]
        values[node] = node.primitive.bind(*operands, **node.params)
    return [values[out] if isinstance(out, Node) else owned(out) for out in graph.outputs]


def owned(constant: Value) -> Value:
    """A constant of the graph, in memory of its own."""
    return constant.copy() if isinstance(constant, np.ndarray) else constant


@final
class GraphFunction:
    """A graph as a function of leaves: the functions in a recorded `scan`, say, so that all rules of it hold.

    Args:
        graph: what was recorded.
        strong: the positions of those inputs that were NumPy's scalars. A Python number there becomes one, as its dtype
            would not count else.

    >>> import xformad
    >>> GraphFunction(xformad.trace(lambda x: x**2 + 1)(3.0))(5.0)
    (26.0,)
    """

    def __init__(self, graph: Graph, strong: tuple[int, ...] = ()) -> None:
        self.graph = graph
        self.strong = strong
        self.number = next(numbers)
        self.__name__ = graph.name

    def __call__(self, *values: Value) -> tuple[Value, ...]:
        return tuple(evaluated(self.graph, self.operands(values)))

    def operands(self, values: Sequence[Value]) -> Sequence[Value]:
        """The values with NumPy's scalars where the graph needs them."""
        if not self.strong:
            return values
        operands = list(values)
        for i in self.strong:
            if type(operands[i]) in PYTHON_NUMBERS:
                operands[i] = np.asarray(operands[i])[()]
        return operands

    def __repr__(self) -> str:
        return f"<GraphFunction {self.number} of {self.graph.name}: {len(self.graph)} equations>"


PYTHON_NUMBERS: Final = frozenset((bool, int, float, complex))

numbers: Final = itertools.count(1)
"""What tells one graph's function from another one's."""
