"""From a graph to nests of loops: which operations share a loop, and what is written to memory at all.

Operations on arrays of one shape go into one nest if their operands are there entry by entry; the value of an entry is
then in a register. It is written to memory only if another nest needs it, or the caller. An operation goes into the
earliest nest that it can go into: after those that write what it reads. Operations that only move entries are views.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np

from xformad.compiler.native import scalars, views
from xformad.compiler.native.views import Buffer, View
from xformad.core.graph import Graph, Node
from xformad.core.guards import guard
from xformad.core.typing import Shape

LONGEST: Final = 300
"""How many instructions a nest may have: beyond, registers would not do."""


@dataclass(frozen=True)
class Load:
    """Read an entry of a view, which has the shape of the nest."""

    view: View


@dataclass(frozen=True)
class Scalar:
    """An operation on registers (numbers of instructions) and literals (strings), computed in a dtype."""

    name: str
    args: tuple[int | str, ...]
    operand_dtypes: tuple[np.dtype[Any], ...]
    computed: np.dtype[Any]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Store:
    """Write a register to an entry of a view."""

    register: int | str
    view: View
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Reduce:
    """Combine a register into an entry of a view, whose strides are zero along the axes that are reduced."""

    name: str
    register: int | str
    view: View
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Add:
    """Add a register to an entry of a view."""

    register: int | str
    view: View
    dtype: np.dtype[Any]


Instruction = Load | Scalar | Store | Reduce | Add


@final
@dataclass
class Nest:
    """Loops over all indices of a shape, and what is done at each."""

    shape: Shape
    instructions: list[Instruction] = field(default_factory=list)
    known: dict[Any, int] = field(default_factory=dict)

    def add(self, instruction: Instruction) -> int:
        """Add an instruction; equal ones are there once."""
        number = self.known.get(instruction)
        if number is None:
            number = self.known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return number


@final
@dataclass
class Check:
    """A guard: the truth value, or the whole number, that must be at a place in memory."""

    view: View
    expected: int


class Unsupported(Exception):
    """A graph holds what there are no machine operations for."""


@final
class Planner:
    """Makes the steps of a kernel of a graph.

    Attributes:
        steps: nests and checks, in order.
        temporaries: buffers that are neither arguments nor results.
        constants: the arrays that the graph holds.
        views: where the nodes lie, that lie in memory.
        places: for nodes that are in registers: the nest's number, and the register.
        written: for each buffer, the number of the last step that writes into it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.steps: list[Nest | Check] = []
        self.temporaries: list[Buffer] = []
        self.constants: list[np.ndarray[Any, Any]] = []
        self.views: dict[Node, View] = {}
        self.places: dict[Node, tuple[int, int | str]] = {}
        self.written: dict[Buffer, int] = {}
        self.checked = -1
        self.results: dict[Node, Buffer] = {}
        for number, node in enumerate(graph.inputs):
            self.require(scalars.supported(node.dtype))
            buffer = Buffer("argument", node.dtype, size_of(node.shape), number)
            self.views[node] = views.whole(buffer, node.shape)
        outputs = [out for out in graph.outputs if isinstance(out, Node)]
        copies: list[tuple[Node, Buffer]] = []
        for number, out in enumerate(outputs):
            buffer = Buffer("result", out.dtype, size_of(out.shape), number)
            if out in self.results or out in self.views:
                copies.append((out, buffer))
            else:
                self.results[out] = buffer
        for node in graph.equations:
            self.plan(node)
        for out, buffer in list(self.results.items()):
            view = self.view_of(out)
            if view.buffer is not buffer:
                copies.append((out, buffer))
        for out, buffer in copies:
            self.copy(self.view_of(out), views.whole(buffer, out.shape))

    def require(self, condition: bool) -> None:
        if not condition:
            raise Unsupported

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
        array = np.ascontiguousarray(array)
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
        self.require(not node.primitive.multiple and scalars.supported(node.dtype))
        how = PLANS.get(node.primitive.name)
        if how is None:
            raise Unsupported
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


def arithmetic(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    planner.require(node.dtype.kind == "f" or name not in scalars.FLOATS_ONLY)
    planner.elementwise(node, name, node.dtype)


def comparison(planner: Planner, node: Node) -> None:
    found = [np.asarray(x) if not isinstance(x, Node) else x for x in planner.operands(node)]
    computed = np.result_type(*[x.dtype for x in found if isinstance(x, Node) or x.ndim])
    planner.elementwise(node, node.primitive.name, computed)  # type: ignore[union-attr]


def logic(planner: Planner, node: Node) -> None:
    planner.elementwise(node, node.primitive.name, np.dtype(bool))  # type: ignore[union-attr]


def conversion(planner: Planner, node: Node) -> None:
    x = planner.operand(node, 0)
    planner.require(not (x.dtype.kind == "f" and node.dtype.kind == "i"))
    planner.elementwise(node, "astype", node.dtype)


def selection(planner: Planner, node: Node) -> None:
    """`numpy.where(condition, x, y)`."""
    condition = planner.operand(node, 0)
    planner.require((condition.dtype if hasattr(condition, "dtype") else np.dtype(type(condition))).kind == "b")
    operands = planner.operands(node)
    number = planner.nest_for(node.shape, operands)
    registers = [planner.register(number, operands[0], np.dtype(bool))]
    registers += [planner.register(number, x, node.dtype) for x in operands[1:]]
    nest = planner.steps[number]
    assert isinstance(nest, Nest)
    instruction = Scalar(
        "where", tuple([r for r, _ in registers]), tuple([d for _, d in registers]), node.dtype, node.dtype
    )
    planner.places[node] = number, nest.add(instruction)


def viewed(planner: Planner, node: Node, view: View | None) -> None:
    """An operation that only moves entries."""
    planner.require(view is not None)
    assert view is not None
    planner.views[node] = view


def view_operand(planner: Planner, node: Node) -> View:
    return planner.view_of(planner.operand(node, 0))


def plan_reshape(planner: Planner, node: Node) -> None:
    planner.require(node.params.get("order", "C") == "C")
    source = view_operand(planner, node)
    view = views.reshaped(source, node.shape)
    if view is None:
        buffer = planner.temporary(node.dtype, source.shape)
        straight = views.whole(buffer, source.shape)
        planner.copy(source, straight)
        view = views.reshaped(straight, node.shape)
    viewed(planner, node, view)


def plan_reduction(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    x = planner.operand(node, 0)
    axis = node.params.get("axis")
    axes = tuple(range(len(x.shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple([a % max(1, len(x.shape)) for a in axes])
    planner.require(node.dtype.kind == "f" and (size_of(x.shape) > 0 or name in ("sum", "prod")))
    planner.reduction(node, name, axes)


def plan_pad(planner: Planner, node: Node) -> None:
    """Zeros, and the operand among them."""
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    target = planner.views[node] = views.whole(buffer, node.shape)
    fill(planner, target)
    x = planner.operand(node, 0)
    inner = views.sliced(
        target,
        tuple([slice(before, before + n) for (before, _), n in zip(node.params["widths"], x.shape, strict=True)]),
    )
    assert inner is not None
    planner.place(x, inner)


def fill(planner: Planner, target: View) -> None:
    """Write zeros."""
    number = planner.first_nest(target.shape, planner.written.get(target.buffer, -1) + 1)
    nest = planner.steps[number]
    assert isinstance(nest, Nest)
    dtype = target.buffer.dtype
    nest.add(Store(scalars.literal(0, dtype), target, dtype))
    planner.written[target.buffer] = number


def plan_joining(planner: Planner, node: Node) -> None:
    """`concatenate` and `stack`: each operand is written to its place."""
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    target = planner.views[node] = views.whole(buffer, node.shape)
    axis = node.params["axis"] % len(node.shape)
    stacked = node.primitive.name == "stack"  # type: ignore[union-attr]
    at = 0
    for x in planner.operands(node):
        planner.require(np.asarray(x).dtype == node.dtype if not isinstance(x, Node) else x.dtype == node.dtype)
        length = 1 if stacked else (x.shape if isinstance(x, Node) else np.shape(x))[axis]
        part = views.sliced(target, (slice(None),) * axis + (at if stacked else slice(at, at + length),))
        assert part is not None
        at += length
        planner.place(x, part)


def plan_scatter(planner: Planner, node: Node) -> None:
    """`scatter_add` at indices without arrays: zeros, to which each piece is added at its place."""
    indices = node.params["indices"]
    planner.require(all(count == 0 for _, count in indices) and len(node.args) == len(indices))
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    target = planner.views[node] = views.whole(buffer, node.shape)
    parts = [views.sliced(target, index) for index, _ in indices]
    fill(planner, target)
    filled = planner.after(target)
    last = filled
    for part, x in zip(parts, planner.operands(node), strict=True):
        planner.require(part is not None)
        assert part is not None
        number = planner.nest_for(part.shape, [x])
        if number < filled:
            number = planner.first_nest(part.shape, filled)
        register, dtype = planner.register(number, x, node.dtype)
        nest = planner.steps[number]
        assert isinstance(nest, Nest)
        nest.instructions.append(Add(register, part, dtype))  # twice the same piece is added twice
        last = max(last, number)
    planner.written[buffer] = last


def plan_product(planner: Planner, node: Node) -> None:
    """A small product of matrices or vectors: a sum over the common axis."""
    x, y = planner.operands(node)
    shapes = [z.shape if isinstance(z, Node) else np.shape(z) for z in (x, y)]
    planner.require(node.dtype.kind == "f" and all(1 <= len(s) <= 2 for s in shapes))
    sources = [planner.view_of(z) if isinstance(z, Node) else planner.constant(np.asarray(z)) for z in (x, y)]
    a, b = sources
    m = a.shape[0] if len(a.shape) == 2 else 1
    k = a.shape[-1]
    n = b.shape[1] if len(b.shape) == 2 else 1
    planner.require(m * n * k <= SMALL_PRODUCT and a.buffer.dtype == b.buffer.dtype == node.dtype)
    rows = a if len(a.shape) == 2 else View(a.buffer, a.offset, (0, a.strides[0]), (1, k))
    columns = b if len(b.shape) == 2 else View(b.buffer, b.offset, (b.strides[0], 0), (k, 1))
    shape = (m, k, n)
    left = View(rows.buffer, rows.offset, (rows.strides[0], rows.strides[1], 0), shape)
    right = View(columns.buffer, columns.offset, (0, columns.strides[0], columns.strides[1]), shape)
    buffer = planner.results.get(node) or planner.temporary(node.dtype, node.shape)
    planner.views[node] = views.whole(buffer, node.shape)
    first = max(planner.after(left), planner.after(right))
    number = planner.first_nest(shape, first)
    nest = planner.steps[number]
    assert isinstance(nest, Nest)
    dtype = node.dtype
    product = nest.add(Scalar("multiply", (nest.add(Load(left)), nest.add(Load(right))), (dtype, dtype), dtype, dtype))
    nest.add(Reduce("sum", product, View(buffer, 0, (n, 0, 1), shape), dtype))
    planner.written[buffer] = number


SMALL_PRODUCT: Final = 40_000

PLANS: Final[dict[str, Any]] = {
    **dict.fromkeys(scalars.ARITHMETIC, arithmetic),
    **dict.fromkeys(scalars.COMPARISONS, comparison),
    **dict.fromkeys(scalars.LOGIC, logic),
    "astype": conversion,
    "discretize": conversion,
    "where": selection,
    "reshape": plan_reshape,
    "transpose": lambda p, node: viewed(p, node, views.transposed(view_operand(p, node), node.params["axes"])),
    "broadcast": lambda p, node: viewed(p, node, views.broadcast(view_operand(p, node), node.shape)),
    "getitem": lambda p, node: (
        p.require(len(node.args) == 1),
        viewed(p, node, views.sliced(view_operand(p, node), node.params["index"])),
    ),
    "flip": lambda p, node: viewed(
        p,
        node,
        views.flipped(
            view_operand(p, node),
            tuple(range(len(node.shape)))
            if node.params["axis"] is None
            else node.params["axis"]
            if isinstance(node.params["axis"], tuple)
            else (node.params["axis"],),
        ),
    ),
    "stop_gradient": lambda p, node: viewed(p, node, view_operand(p, node)),
    "positive": lambda p, node: viewed(p, node, view_operand(p, node)),
    "copy": lambda p, node: viewed(p, node, view_operand(p, node)),
    "sum": plan_reduction,
    "prod": plan_reduction,
    "max": plan_reduction,
    "min": plan_reduction,
    "pad": plan_pad,
    "concatenate": plan_joining,
    "stack": plan_joining,
    "scatter_add": plan_scatter,
    "matmul": plan_product,
    "dot": plan_product,
}
"""What becomes of each primitive. A graph with another one is left to NumPy."""
