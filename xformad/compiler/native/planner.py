"""From a graph to nests of loops: which operations share a loop, and what is written to memory at all.

Operations on arrays of one shape go into one nest if their operands are there entry by entry; the value of an entry is
then in a register. It is written to memory only if another nest needs it, or the caller. An operation goes into the
earliest nest that it can go into: after those that write what it reads. Operations that only move entries are views.

A complex number is two registers. Its arithmetic is that of real numbers, so that nests know nothing of it.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad.compiler.native import scalars, views
from xformad.compiler.native.entries import Entry
from xformad.compiler.native.repetition import computed_again
from xformad.compiler.native.steps import Check, Load, Nest, Reduce, Register, Step, Store, UnsupportedGraphError
from xformad.compiler.native.views import Buffer, View, part_of
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
        places: for nodes that are in registers: the nest's number, and the register; two for complex numbers.
        parts: where the components of those nodes lie whose values are tuples.
        written: for each buffer, the number of the last step that writes into it.
        copies: of views, in C order.
        indices: for arrays of indices and the lengths of the axes they index, the numbers from the beginning.
        conditions: for nests, by their numbers, what must be true of each entry: if it is not, results are dropped.
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
        self.places: dict[Node, tuple[int, tuple[Register, ...]]] = {}
        self.parts: dict[Node, list[View]] = {}
        self.written: dict[Buffer, int] = {}
        self.copies: dict[View, View] = {}
        self.indices: dict[tuple[Node, int], Node] = {}
        self.conditions: dict[int, list[Entry]] = {}
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
            view = self.view_of(out) if isinstance(out, Node) else self.constant(out)
            self.copy(view, views.whole(buffer, view.shape))
        for number, conditions in self.conditions.items():
            self.check_each(number, conditions)

    def require(self, condition: bool) -> None:
        if not condition:
            raise UnsupportedGraphError

    # Where things are.

    def view_of(self, node: Node) -> View:
        """Where a node lies in memory. One that is in a register is written there."""
        view = self.views.get(node)
        if view is None:
            step, registers = self.places[node]
            buffer = self.results.get(node)
            if buffer is None:
                buffer = self.temporary(node.dtype, node.shape)
            view = self.views[node] = views.whole(buffer, node.shape)
            self.store(step, registers, view)
        return view

    def temporary(self, dtype: np.dtype[Any], shape: Shape) -> Buffer:
        buffer = Buffer("temporary", dtype, size_of(shape))
        self.temporaries.append(buffer)
        return buffer

    def constant(self, value: Any) -> View:
        """A constant, in memory."""
        array = np.asarray(value, order="C")
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
        return self.first_nest(shape, self.earliest(shape, operands))

    def earliest(self, shape: Shape, operands: list[Any]) -> int:
        """The number of the first step at which operands are there for a nest of a shape."""
        first = 0
        for x in operands:
            if isinstance(x, Node):
                place = self.places.get(x)
                if place is not None and x.shape == shape:
                    first = max(first, place[0])
                else:
                    first = max(first, self.after(self.view_of(x)))
        return first

    def first_nest(self, shape: Shape, first: int) -> int:
        for number in range(first, len(self.steps)):
            step = self.steps[number]
            if isinstance(step, Nest) and step.shape == shape and len(step.instructions) < LONGEST:
                return number
        self.steps.append(Nest(shape))
        return len(self.steps) - 1

    def nest(self, number: int) -> Nest:
        step = self.steps[number]
        assert isinstance(step, Nest)
        return step

    def registers(self, number: int, x: Any) -> tuple[Register, ...]:
        """An operand that is no number, in a nest: a register, or two."""
        place = self.places.get(x) if isinstance(x, Node) else None
        if place is not None and place[0] == number:
            return place[1]
        if place is not None and x not in self.views and x not in self.results:
            found = computed_again(self.nest(place[0]), place[1], self.nest(number), x.dtype.itemsize)
            if found is not None:
                return found
        nest = self.nest(number)
        view = views.broadcast(self.view_of(x) if isinstance(x, Node) else self.constant(x), nest.shape)
        return tuple([nest.add(Load(part)) for part in view.parts])

    def register(self, number: int, x: Any, dtype: np.dtype[Any]) -> tuple[Register, np.dtype[Any]]:
        """An operand in a nest: a register, or a literal, and its dtype. Not of complex numbers."""
        if not isinstance(x, Node) and np.ndim(x) == 0:
            return scalars.literal(np.asarray(x)[()], dtype), dtype
        found = np.asarray(x).dtype if not isinstance(x, Node) else x.dtype
        self.require(found.kind != "c")
        return self.registers(number, x)[0], found

    def entries(self, number: int, x: Any, dtype: np.dtype[Any]) -> tuple[Entry, ...]:
        """An operand in a nest, in a dtype: an entry, or its real and imaginary parts."""
        nest, part = self.nest(number), part_of(dtype)
        parts = 2 if dtype.kind == "c" else 1
        before = x.dtype if isinstance(x, Node) else np.asarray(x).dtype
        self.require(before.kind != "c" or parts == 2)
        if not isinstance(x, Node) and np.ndim(x) == 0:
            value = np.asarray(x)[()]
            literals = (value.real, value.imag) if parts == 2 else (value,)
            return tuple([Entry(nest, scalars.literal(each, part), part) for each in literals])
        found = [Entry(nest, each, part_of(before)).astype(part) for each in self.registers(number, x)]
        return (*found, *[Entry(nest, scalars.literal(0, part), part)] * (parts - len(found)))

    def keep(self, node: Node, number: int, found: Sequence[Entry]) -> None:
        """What an operation gives, in the registers of a nest."""
        self.places[node] = number, tuple([each.astype(part_of(node.dtype)).register for each in found])

    def calculated(self, node: Node, computed: Sequence[np.dtype[Any]], formula: Formula) -> None:
        """An operation entry by entry, by a formula of its operands, each in the dtype given for it."""
        operands = self.operands(node)
        for x, dtype in zip(operands, computed, strict=True):
            self.require(scalars.supported(dtype) and scalars.supported(getattr(x, "dtype", dtype)))
        number = self.nest_for(node.shape, operands)
        found = formula(*[self.entries(number, x, dtype) for x, dtype in zip(operands, computed, strict=True)])
        self.keep(node, number, found)

    def elementwise(self, node: Node, name: str, computed: np.dtype[Any]) -> None:
        """An operation entry by entry that the machine has, on real numbers."""
        part = part_of(node.dtype)
        self.calculated(
            node,
            [computed] * len(node.args),
            lambda x, *others: (x[0].calculated(name, *[other[0] for other in others], dtype=part),),
        )

    def store(self, number: int, registers: tuple[Register, ...], target: View) -> None:
        """Write what is in registers of a nest."""
        nest = self.nest(number)
        for register, part in zip(registers, target.parts, strict=True):
            nest.add(Store(register, part, part.dtype))
        self.written[target.buffer] = max(number, self.written.get(target.buffer, -1))

    def result(self, node: Node) -> View:
        """The memory for a node that is not computed in registers."""
        buffer = self.results.get(node) or self.temporary(node.dtype, node.shape)
        view = self.views[node] = views.whole(buffer, node.shape)
        return view

    def reduction(self, node: Node, name: str, axes: Shape, computed: np.dtype[Any] | None = None) -> None:
        """A sum, product, maximum or minimum over axes, of entries in a dtype."""
        x = self.operand(node, 0)
        number = self.nest_for(x.shape, [x])
        entries = self.entries(number, x, node.dtype if computed is None else computed)
        kept = tuple([1 if i in axes else n for i, n in enumerate(x.shape)])
        target = views.broadcast(views.whole(self.result(node).buffer, kept), x.shape)
        for entry, part in zip(entries, target.parts, strict=True):
            self.reduce(number, name, entry.astype(part.dtype), part)

    def reduce(self, number: int, name: str, entry: Entry, target: View) -> None:
        """Combine an entry in a nest into a view, whose strides are zero along the axes that are reduced."""
        self.nest(number).add(Reduce(name, entry.register, target, target.dtype))
        self.written[target.buffer] = number

    def loaded(self, number: int, view: View, dtype: np.dtype[Any] | None = None) -> tuple[Entry, ...]:
        """What lies in a view of the shape of a nest: an entry, or its parts, in a dtype."""
        nest = self.nest(number)
        part = part_of(view.dtype if dtype is None else dtype)
        return tuple([Entry(nest, nest.add(Load(each)), each.dtype).astype(part) for each in view.parts])

    def check_each(self, number: int, conditions: list[Entry]) -> None:
        """End with a check of what must be true of each entry of a nest."""
        flag = views.whole(self.temporary(conditions[0].dtype, ()), ())
        together = functools.reduce(operator.and_, conditions)
        self.reduce(number, "min", together, views.broadcast(flag, self.nest(number).shape))
        self.steps.append(Check(flag, 1))

    def ordered_nest(self, shape: Shape, first: int) -> int:
        """The number of a nest that goes through its indices in order."""
        number = self.first_nest(shape, first)
        self.nest(number).ordered = True
        return number

    def copy(self, source: View, target: View) -> None:
        """Move entries from a view to another one."""
        first = max(self.after(source), self.after(target))
        number = self.first_nest(source.shape, first)
        nest = self.nest(number)
        found = [Entry(nest, nest.add(Load(part)), part.dtype).astype(part_of(target.dtype)) for part in source.parts]
        found += [Entry(nest, scalars.literal(0, part.dtype), part.dtype) for part in target.parts[len(found) :]]
        self.store(number, tuple([entry.register for entry in found]), target)

    def fill(self, target: View) -> None:
        """Write zeros."""
        number = self.first_nest(target.shape, self.after(target))
        self.store(number, tuple([scalars.literal(0, part.dtype) for part in target.parts]), target)

    def straight(self, view: View) -> View:
        """A copy of a view in C order, made once."""
        found = self.copies.get(view)
        if found is None:
            found = self.copies[view] = views.whole(self.temporary(view.dtype, view.shape), view.shape)
            self.copy(view, found)
        return found

    def place(self, x: Any, target: View) -> None:
        """Write an operand into a part of a buffer: from the register where it is, if it is in one."""
        place = self.places.get(x) if isinstance(x, Node) else None
        if place is not None and x.shape == target.shape and self.written.get(target.buffer, -1) < place[0]:
            found = self.entries(place[0], x, target.dtype)
            self.store(place[0], tuple([entry.register for entry in found]), target)
        else:
            self.copy(self.view_of(x) if isinstance(x, Node) else self.constant(x), target)

    def plan_guard(self, node: Node) -> None:
        """A truth value or a whole number is looked at in memory."""
        x = self.operand(node, 0)
        self.require(node.params["how"] in ("truth", "index") and x.shape == () and x.dtype.kind in "bi")
        view = self.view_of(x)
        self.steps.append(Check(view, int(node.params["expected"])))


def size_of(shape: Shape) -> int:
    return int(np.prod(shape, dtype=np.int64))


Formula: TypeAlias = Callable[..., Sequence[Entry]]
"""Of the operands' entries, each a tuple of one or of two, the same for the result."""

Plan: TypeAlias = Callable[[Planner, Node], None]

PLANS: Final[dict[str, Plan]] = {}
"""What becomes of each primitive, by its name; a graph with another one is left to NumPy. The modules of `plans` fill it."""
