"""The tracing interpreter: runs a program one level below and records every operation on its inputs as a `Node`.

>>> import numpy as np
>>> with Trace() as interpreter:
...     x = interpreter.input(2.0)
...     y = np.sin(x) * x
>>> y.extra
<Node 3 multiply: float64[]>
>>> [node.primitive.name for node in y.extra.parents if node.primitive]
['sin']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from xformad.core.graph import Node, component
from xformad.core.interpreter import SCALAR, Interpreter, held, spec_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Params, ShapeDtype, Value
from xformad.core.views import ARGUMENT
from xformad.interpreters.snapshots import Snapshots


class Traced(NamedTuple):
    """The positions of the traced ones among a node's arguments: what this interpreter puts on a node as its plan."""

    argnums: tuple[int, ...]


@final
class Trace(Interpreter):
    """Records the graph of a program. Every node keeps its value, arguments and parents.

    Attributes:
        nodes: all that was recorded, in order, inputs first among what depends on them.
    """

    name: ClassVar[str] = "trace"

    def __init__(self, fun: Callable[..., Any] | None = None) -> None:
        super().__init__(fun)
        self.nodes: list[Node] = []
        self.snapshots = Snapshots()

    def input(self, value: Value) -> Tracer:
        """A tracer for an argument."""
        tracer = self.record(held(value), None, (), {}, (), Traced(()))
        tracer.memory = ARGUMENT
        return tracer

    def keeps_call(self, args: tuple[Value, ...]) -> bool:
        return True

    def spec(self, tracer: Tracer) -> ShapeDtype:
        node: Node = tracer.extra
        return node.spec

    def record(
        self,
        value: Value,
        primitive: Primitive | None,
        args: Any,
        params: Params,
        parents: tuple[Node, ...],
        traced: Traced,
    ) -> Tracer:
        spec = SCALAR if isinstance(value, tuple) else spec_of(value)
        node = Node(len(self.nodes) + 1, value, primitive, args, params, parents, spec, traced)
        self.nodes.append(node)
        return Tracer(self, value, node)

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        positions = tuple(i for i, arg in enumerate(args) if type(arg) is Tracer and arg.interpreter is self)
        parents = tuple(args[i].extra for i in positions)
        values = tuple(arg.value if i in positions else arg for i, arg in enumerate(args))
        value = primitive.bind(*values, **params)
        kept = tuple(
            arg if i in positions else self.snapshots.of(arg) if type(arg) is np.ndarray else held(arg)
            for i, arg in enumerate(values)
        )
        out = self.record(value, primitive, kept, params, parents, Traced(positions))
        if not primitive.multiple:
            return out
        return tuple(
            self.record(part, component, (value,), {"index": i}, (out.extra,), Traced((0,)))
            for i, part in enumerate(value)
        )
