"""From a graph to nests of loops: which operations share a loop, and what is written to memory at all.

Operations on arrays of one shape go into one nest if their operands are there entry by entry; the value of an entry is
then in a register. It is written to memory only if another nest needs it, or the caller. An operation goes into the
earliest nest that it can go into: after those that write what it reads. Operations that only move entries are views.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad.compiler.native import scalars, views
from xformad.compiler.native.steps import Check, Load, Nest, Reduce, Scalar, Step, Store, UnsupportedGraphError
from xformad.compiler.native.views import Buffer, View
from xformad.core.graph import Graph, Node
from xformad.core.guards import guard
from xformad.core.typing import Shape

LONGEST: Final = 300
"""How many instructions a nest may have: beyond, registers would not do."""


@final
class Planner:
    """Makes the steps of a kernel of a graph.

    Args:
        graph: what is computed.
        inputs, outputs: where the arguments lie, and where the results are to lie, in the body of a loop. A result for
            which there is no place is not wanted.
        around: what plans that loop.

    Attributes:
        steps: nests, products, checks, loops and branches, in order.
        temporaries: buffers that are neither arguments nor results.
        constants: the arrays that the graph holds.
        moving: numbers for buffers whose place is another one in each step of a loop.
        views: where the nodes lie, that lie in memory.
        places: for nodes that are in registers: the nest's number, and the register.
        parts: where the components of those nodes lie whose values are tuples.
        written: for each buffer, the number of the last step that writes into it.
        copies: of views, in C order.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[View] | None = None,
        outputs: Sequence[Buffer | None] | None = None,
        around: Planner | None = None,
    ) -> None:
        self.graph = graph
        self.steps: list[Step] = []
        self.temporaries: list[Buffer] = [] if around is None else around.temporaries
        self.constants: list[np.ndarray[Any, Any]] = [] if around is None else around.constants
        self.moving: Iterator[int] = itertools.count() if around is None else around.moving
        self.views: dict[Node, View] = {}
        self.places: dict[Node, tuple[int, int | str]] = {}
        self.parts: dict[Node, list[View]] = {}
        self.written: dict[Buffer, int] = {}
        self.copies: dict[View, View] = {}
        self.results: dict[Node, Buffer] = {}
        for number, node in enumerate(graph.inputs):
            self.require(scalars.supported(node.dtype))
            buffer = Buffer("argument", node.dtype, size_of(node.shape), number)
            self.views[node] = views.whole(buffer, node.shape) if inputs is None else inputs[number]
        if outputs is None:
            nodes = [out for out in graph.outputs if isinstance(out, Node)]
            outputs = [Buffer("result", out.dtype, size_of(out.shape), number) for number, out in enumerate(nodes)]
            pairs: list[tuple[Any, Buffer | None]] = list(zip(nodes, outputs, strict=True))
        else:
            pairs = list(zip(graph.outputs, outputs, strict=True))
        copies: list[tuple[Any, Buffer]] = []
        for out, place in pairs:
            if place is None:
                continue
            if not isinstance(out, Node) or out in self.results or out in self.views:
                copies.append((out, place))
            else:
                self.results[out] = place
        for node in graph.equations:
            self.plan(node)
        for out, buffer in list(self.results.items()):
            view = self.view_of(out)
            if view.buffer is not buffer:
                copies.append((out, buffer))
        for out, buffer in copies:
            view = self.view_of(out) if isinstance(out, Node) else self.constant(np.asarray(out))
            self.copy(view, views.whole(buffer, view.shape))

    def require(self, condition: bool) -> None:
        if not condition:
            raise UnsupportedGraphError

    # Where things are.

    def view_of(self, node: Node) -> View:
        """Where a node lies in memory. One that is in a register is written there."""
        view = self.views.get(node)
        if view is None:
            step, register = self.places[node]
            buffer = self.results.get(node)
            if buffer is None:
                buffer = self.temporary(node.dtype, node.shape)
            view = self.views[node] = views.whole(buffer, node.shape)
            nest = self.steps[step]
            assert isinstance(nest, Nest)
            nest.add(Store(register, view, node.dtype))
            self.written[buffer] = step
        return view

    def temporary(self, dtype: np.dtype[Any], shape: Shape) -> Buffer:
        buffer = Buffer("temporary", dtype, size_of(shape))
        self.temporaries.append(buffer)
        return buffer

    def constant(self, array: np.ndarray[Any, Any]) -> View:
        array = np.asarray(array, order="C")
        self.require(scalars.supported(array.dtype))
        buffer = Buffer("constant", array.dtype, array.size, len(self.constants))
        self.constants.append(array)
        return views.whole(buffer, array.shape)

    def after(self, view: View) -> int:
        """The number of the first step that can read a view."""
        return self.written.get(view.buffer, -1) + 1

    # Where operations go.

    def plan(self, node: Node) -> None:
        """Deal with one equation."""
        assert node.primitive is not None
        if node.primitive is guard:
            self.plan_guard(node)
            return
        self.require(isinstance(node.value, tuple) or scalars.supported(node.dtype))
        how = PLANS.get(node.primitive.name)
        if how is None:
            raise UnsupportedGraphError
        how(self, node)

    def operand(self, node: Node, position: int) -> Any:
        """An operand: a node, or a constant."""
        for argnum, parent in zip(node.argnums, node.parents, strict=True):
            if argnum == position:
                return parent
        return node.args[position]

    def operands(self, node: Node) -> list[Any]:
        return [self.operand(node, i) for i in range(len(node.args))]

    def nest_for(self, shape: Shape, operands: list[Any]) -> int:
        """The number of the nest for an operation on operands that are broadcast to a shape."""
        first = 0
        for x in operands:
            if isinstance(x, Node):
                place = self.places.get(x)
                if place is not None and x.shape == shape:
                    first = max(first, place[0])
                else:
                    first = max(first, self.after(self.view_of(x)))
        return self.first_nest(shape, first)

    def first_nest(self, shape: Shape, first: int) -> int:
        for number in range(first, len(self.steps)):
            step = self.steps[number]
            if isinstance(step, Nest) and step.shape == shape and len(step.instructions) < LONGEST:
                return number
        self.steps.append(Nest(shape))
        return len(self.steps) - 1

    def register(self, number: int, x: Any, dtype: np.dtype[Any]) -> tuple[int | str, np.dtype[Any]]:
        """An operand in a nest: a register, or a literal, and its dtype."""
        nest = self.steps[number]
        assert isinstance(nest, Nest)
        if not isinstance(x, Node):
            if np.ndim(x) == 0 and np.size(x) == 1:
                return scalars.literal(x, dtype), dtype
            view = self.constant(x)
            return nest.add(Load(views.broadcast(view, nest.shape))), view.buffer.dtype
        place = self.places.get(x)
        if place is not None and place[0] == number:
            return place[1], x.dtype
        return nest.add(Load(views.broadcast(self.view_of(x), nest.shape))), x.dtype

    def elementwise(self, node: Node, name: str, computed: np.dtype[Any]) -> None:
        """An operation entry by entry."""
        self.require(scalars.supported(computed))
        operands = self.operands(node)
        number = self.nest_for(node.shape, operands)
        found = [self.register(number, x, computed) for x in operands]
        nest = self.steps[number]
        assert isinstance(nest, Nest)
        instruction = Scalar(name, tuple([r for r, _ in found]), tuple([d for _, d in found]), computed, node.dtype)
        self.places[node] = number, nest.add(instruction)

    def reduction(self, node: Node, name: str, axes: Shape) -> None:
        """A sum, product, maximum or minimum over axes."""
        x = self.operand(node, 0)
        number = self.nest_for(x.shape, [x])
        register, dtype = self.register(number, x, x.dtype)
        buffer = self.results.get(node) or self.temporary(node.dtype, node.shape)
        view = self.views[node] = views.whole(buffer, node.shape)
        kept = tuple([1 if i in axes else n for i, n in enumerate(x.shape)])
        spread = views.broadcast(View(buffer, 0, views.c_strides(kept), kept), x.shape)
        nest = self.steps[number]
        assert isinstance(nest, Nest)
        if dtype != node.dtype:
            register = nest.add(Scalar("astype", (register,), (dtype,), node.dtype, node.dtype))
        nest.add(Reduce(name, register, spread, node.dtype))
        self.written[view.buffer] = number

    def copy(self, source: View, target: View) -> None:
        """Move entries from a view to another one."""
        first = max(self.after(source), self.after(target))
        number = self.first_nest(source.shape, first)
        nest = self.steps[number]
        assert isinstance(nest, Nest)
        nest.add(Store(nest.add(Load(source)), target, source.buffer.dtype))
        self.written[target.buffer] = max(number, self.written.get(target.buffer, -1))

    def straight(self, view: View) -> View:
        """A copy of a view in C order, made once."""
        found = self.copies.get(view)
        if found is None:
            dtype = view.buffer.dtype
            found = self.copies[view] = views.whole(self.temporary(dtype, view.shape), view.shape)
            self.copy(view, found)
        return found

    def place(self, x: Any, target: View) -> None:
        """Write an operand into a part of a buffer: from the register where it is, if it is in one."""
        place = self.places.get(x) if isinstance(x, Node) else None
        if place is not None and x.shape == target.shape and self.written.get(target.buffer, -1) < place[0]:
            nest = self.steps[place[0]]
            assert isinstance(nest, Nest)
            nest.add(Store(place[1], target, target.buffer.dtype))
            self.written[target.buffer] = place[0]
        else:
            self.copy(self.view_of(x) if isinstance(x, Node) else self.constant(np.asarray(x)), target)

    def plan_guard(self, node: Node) -> None:
        """A truth value or a whole number is looked at in memory."""
        x = self.operand(node, 0)
        self.require(node.params["how"] in ("truth", "index") and x.shape == () and x.dtype.kind in "bi")
        view = self.view_of(x)
        self.steps.append(Check(view, int(node.params["expected"])))


def size_of(shape: Shape) -> int:
    return int(np.prod(shape, dtype=np.int64))


Plan: TypeAlias = Callable[[Planner, Node], None]

PLANS: Final[dict[str, Plan]] = {}
"""What becomes of each primitive, by its name; a graph with another one is left to NumPy. The modules of `plans` fill it."""
