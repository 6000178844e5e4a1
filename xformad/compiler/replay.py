"""The back end that needs nothing but NumPy: a graph becomes straight-line Python, an operation a line.

A result takes the memory of an operand that is not needed any more, where it fits (`out=`). A guard is an `if`.

>>> import numpy as np, xformad
>>> program = Program(xformad.trace(lambda x: np.exp(x * 2.0) + 1.0)(np.ones(3)))
>>> print(program.source)
def run(v1):
    v2 = multiply(v1, k0)
    v3 = exp(v2, out=v2)
    v4 = add(v3, k1, out=v3)
    return [v4]
>>> program.run(np.zeros(3))
[array([2., 2., 2.])]
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any, Final, Protocol, final, runtime_checkable

import numpy as np

from xformad.compiler.primitives import is_own
from xformad.core.dispatch import UFUNCS
from xformad.core.graph import Graph, Node, component
from xformad.core.guards import GuardError, guard, holds
from xformad.core.interpreter import spec_of
from xformad.core.primitive import Primitive, getitem
from xformad.core.typing import Value
from xformad.interpreters.evaluate import owned

DATA_DEPENDENT: Final = frozenset(("eig", "fractional_matrix_power", "logm", "nonzero", "roots", "sqrtm", "unique"))
"""Primitives whose results' shapes or dtypes depend on the numbers in their operands."""


def depends_on_numbers(node: Node) -> bool:
    """Whether the shape or the dtype of a result may: what follows was recorded for those that were found then. Of users'
    primitives nothing is known.
    """
    assert node.primitive is not None
    if node.primitive is getitem:  # x[mask]
        return any(i > 0 and parent.dtype == bool for i, parent in zip(node.argnums, node.parents, strict=True))
    return node.primitive.name in DATA_DEPENDENT or not is_own(node.primitive)


CLASHING: Final = re.compile(r"[kv]\d")
"""Functions' names that would be mistaken for those of constants and values: `scipy.special.k0`."""


def ufuncs() -> dict[Primitive, Any]:
    """The ufunc of each primitive that acts element by element as one does."""
    return {primitive: ufunc for ufunc, primitive in UFUNCS.items() if ufunc.signature is None and ufunc.nout == 1}


@final
class Program:
    """A graph, ready to be run on leaves.

    Args:
        graph: what was recorded.

    Attributes:
        source: the text of the function that runs.
        places: for each equation, in order, the number of its first line in the text.
        run: the function: a list of the results' leaves, of those of the arguments.
    """

    def __init__(self, graph: Graph) -> None:
        writer = Writer(graph)
        self.graph = graph
        self.source = writer.source
        self.places = writer.places
        self.run: Callable[..., list[Value]] = writer.function()


@runtime_checkable
class Inlined(Protocol):
    """An implementation that writes the lines of its call itself: a kernel."""

    def write(self, writer: Writer, operands: list[str], name: str) -> list[str]:
        """Add lines to the text; what the results are called in it."""


@final
class Writer:
    """Writes the text of a program.

    Attributes:
        lines: of the text.
        places: as in `Program`.
        names: of the nodes in it.
        namespace: what else the text names: primitives' implementations, constants.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = {node: f"v{i}" for i, node in enumerate((*graph.inputs, *graph.equations), 1)}
        self.namespace: dict[str, Any] = {"__builtins__": {}, "GuardError": GuardError, "holds": holds, "bool": bool}
        self.functions: dict[int, str] = {}
        self.constants = 0
        self.parts: dict[Node, list[str]] = {}
        self.ufuncs = ufuncs()
        self.last_use = last_uses(graph, self.ufuncs)
        self.fresh: set[Node] = set()
        inputs = ", ".join(self.names[node] for node in graph.inputs)
        self.lines = [f"def run({inputs}):"]
        self.places: list[tuple[int, Node]] = []
        for position, node in enumerate(graph.equations):
            self.places.append((len(self.lines), node))
            self.write(position, node)
        outputs = [self.names[out] if isinstance(out, Node) else self.output(out) for out in graph.outputs]
        self.lines.append(f"    return [{', '.join(outputs)}]")
        self.source = "\n".join(self.lines)

    def function(self) -> Callable[..., list[Value]]:
        """What the text defines. It names functions and constants by what this class has put into its namespace only."""
        exec(compile(self.source, "<xformad.jit>", "exec"), self.namespace)  # noqa: S102
        run: Callable[..., list[Value]] = self.namespace["run"]
        return run

    def write(self, position: int, node: Node) -> None:
        """The line of an equation."""
        name = self.names[node]
        operands = self.operands(node)
        if node.primitive is guard:
            self.write_guard(node, operands[0])
            return
        if node.primitive is component and node.parents[0] in self.parts:
            self.names[node] = self.parts[node.parents[0]][node.params["index"]]
            return
        if node.primitive is component:
            self.lines.append(f"    {name} = {operands[0]}[{node.params['index']}]")
            return
        assert node.primitive is not None
        implementation: object = node.primitive.implementation
        if isinstance(implementation, Inlined):
            self.parts[node] = implementation.write(self, operands, name)
            return
        ufunc = None if node.params or node.spec[0] == () else self.ufuncs.get(node.primitive)
        if ufunc is not None:
            target = self.reusable(position, node)
            if target is not None:
                operands.append(f"out={target}")
            self.fresh.add(node)
            function = self.named(ufunc, node.primitive.name)
        else:
            function = self.named(node.primitive.implementation, node.primitive.name)
            operands += [f"{key}={self.constant(value)}" for key, value in node.params.items()]
        self.lines.append(f"    {name} = {function}({', '.join(operands)})")
        if depends_on_numbers(node):
            self.write_types(node, name)

    def write_guard(self, node: Node, operand: str) -> None:
        expected, how = node.params["expected"], node.params["how"]
        if how == "truth":
            test = f"not {operand}" if expected else operand
        elif how == "index":
            test = f"{operand} != {int(expected)}"
        else:
            test = f"not holds({operand}, {self.constant(expected)}, {self.constant(how)})"
        self.lines.append(f"    if {test}: raise GuardError()")
        self.names[node] = operand

    def write_types(self, node: Node, name: str) -> None:
        """What follows was recorded for these shapes and dtypes."""
        parts = enumerate(node.value) if isinstance(node.value, tuple) else [(None, node)]
        for i, part in parts:
            operand = name if i is None else f"{name}[{i}]"
            expected = self.constant((part.shape, part.dtype))
            self.lines.append(f"    if {self.named(spec_of, 'spec_of')}({operand}) != {expected}: raise GuardError()")

    def operands(self, node: Node) -> list[str]:
        parents = dict(zip(node.argnums, node.parents, strict=True))
        return [self.names[parents[i]] if i in parents else self.constant(arg) for i, arg in enumerate(node.args)]

    def reusable(self, position: int, node: Node) -> str | None:
        """An operand in whose memory the result may lie: fresh, as large, and not needed any more."""
        for parent in node.parents:
            if parent in self.fresh and self.last_use[parent] == position and parent.spec == node.spec:
                return self.names[parent]
        return None

    def constant(self, value: Any) -> str:
        name = f"k{self.constants}"
        self.constants += 1
        self.namespace[name] = value
        return name

    def output(self, value: Value) -> str:
        """A result that does not depend on the arguments: an array of its own for each call."""
        name = self.constant(value)
        return f"{self.named(owned, 'owned')}({name})" if isinstance(value, np.ndarray) else name

    def named(self, function: Any, name: str) -> str:
        """The name of a function in the text."""
        found = self.functions.get(id(function))
        if found is None:
            if not name.isidentifier():
                name = "primitive"
            found = f"{name}_{len(self.functions)}" if name in self.namespace or clashes(name) else name
            self.functions[id(function)] = found
            self.namespace[found] = function
        return found


def clashes(name: str) -> bool:
    """Whether something else in a program's text is called so."""
    return bool(CLASHING.match(name)) or keyword.iskeyword(name)


def may_share(node: Node, elementwise: dict[Primitive, Any]) -> bool:
    """Whether a result may lie in the memory of an operand."""
    return bool(node.params) or node.primitive not in elementwise


def last_uses(graph: Graph, elementwise: dict[Primitive, Any]) -> dict[Node, int]:
    """The position of the last equation that needs a node's memory: as an operand, or through a view of it."""
    last: dict[Node, int] = {}
    end = len(graph.equations)
    for node in (*graph.inputs, *graph.equations):
        last[node] = -1
    for out in graph.outputs:
        if isinstance(out, Node):
            last[out] = end
    for position in range(end - 1, -1, -1):
        node = graph.equations[position]
        until = max(position, last[node]) if may_share(node, elementwise) else position
        for parent in node.parents:
            last[parent] = max(last[parent], until)
    return last
