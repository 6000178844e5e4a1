"""What a program costs: floating-point operations and memory traffic, by primitive and by source line.

An interpreter outside of xformad, with a rule table of its own. It runs every primitive one level below and writes down
what the primitive costs, under the line of the user's program that called it. It takes any program: gradients, whose
backward pass it counts separately, and programs under other transformations.

    python examples/operation_counter.py

The counts are of a model, not of a processor:

- Arithmetic costs one operation for each entry of its result; an elementary function such as exp costs `ELEMENTARY`;
  moving data costs none.
- A product of an m x k and a k x n matrix costs 2 m n k. Linear algebra costs what G. Golub and C. Van Loan, "Matrix
  Computations" (4th edition, 2013), give for real matrices, to leading order.
- Complex results cost four times as much, which is exact for sums of products.
- A primitive reads each array argument once and writes its result once. A view of an argument moves no memory.

A primitive without a formula, as all of arithmetic, costs one operation for each entry of its result.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xformad import tree, value_of, vjp
from xformad.extend import (
    Interpreter,
    Primitive,
    RuleTable,
    Tracer,
    dtype_of,
    primitive_of,
    shape_of,
    user_line,
)

ELEMENTARY = 10
"""What an exponential, a sine or a power counts for: about as many operations as its polynomial has."""

Shape = tuple[int, ...]
Formula = Callable[..., float]
"""`formula(out, *shapes, **params)`: the operations, given the shape of the result (of the first one of several) and
those of the arguments."""

costs: RuleTable[Formula] = RuleTable("cost", "defcost")


def defcost(operation: Primitive | str | Callable[..., Any], formula: Formula) -> None:
    """Say what a primitive costs."""
    costs[primitive_of(operation)] = formula


@dataclass
class Count:
    """What was counted in one place.

    Attributes:
        calls: how often a primitive was applied.
        flops: floating-point operations.
        read: bytes of array arguments.
        written: bytes of results that are no views.
    """

    calls: int = 0
    flops: float = 0.0
    read: int = 0
    written: int = 0

    def add(self, other: Count) -> None:
        """Add another count to this one."""
        self.calls += other.calls
        self.flops += other.flops
        self.read += other.read
        self.written += other.written


@dataclass(frozen=True)
class Place:
    """Where something is counted: the phase of the run, the primitive, and `file:line` of the program."""

    phase: str
    primitive: str
    line: str


@dataclass(frozen=True)
class Report:
    """The counts of a run, by place."""

    counts: dict[Place, Count] = field(default_factory=dict)

    def total(self, *, phase: str | None = None, primitive: str | None = None) -> Count:
        """The sum over all places, or over those of a phase or of a primitive."""
        out = Count()
        for place, count in self.counts.items():
            if phase in (None, place.phase) and primitive in (None, place.primitive):
                out.add(count)
        return out

    def __str__(self) -> str:
        """The table, the most expensive place first."""
        lines = [f"{'phase':9} {'primitive':12} {'calls':>6} {'flops':>14} {'read':>12} {'written':>12}  line"]
        order = sorted(self.counts.items(), key=lambda item: (-item[1].flops, -item[1].read - item[1].written))
        for place, count in order:
            lines.append(row(place.phase, place.primitive, count) + f"  {Path(place.line).name}")
        phases = dict.fromkeys(place.phase for place in self.counts)
        lines += [row(phase, "in all", self.total(phase=phase)) for phase in phases]
        return "\n".join(lines)


def row(phase: str, name: str, count: Count) -> str:
    return f"{phase:9} {name:12} {count.calls:6d} {count.flops:14,.0f} {count.read:12,d} {count.written:12,d}"


class Counting(Interpreter):
    """Runs a program one level below, and counts what it does.

    Attributes:
        report: what was counted so far.
        phase: what the report calls the part of the run that is going on.
    """

    name = "counting"
    carries = "count"

    def __init__(self, fun: Callable[..., Any] | None = None) -> None:
        super().__init__(fun)
        self.report = Report()
        self.phase = "forward"

    def lift(self, value: Any) -> Any:
        """A tracer for a leaf of the arguments; what is no number passes as it is."""
        return Tracer(self, value, None) if dtype_of(value).kind in "fciub" else value

    def lower(self, value: Any) -> Any:
        """What a value of the program is outside of it."""
        return value.value if self.owns(value) else value

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if not self.live:
            self.escaped()
        values = [self.lower(arg) for arg in args]
        out = primitive.bind(*values, **params)
        place = Place(self.phase, primitive.name, user_line())
        self.report.counts.setdefault(place, Count()).add(cost_of(primitive, out, values, params))
        return tuple([Tracer(self, part, None) for part in out]) if primitive.multiple else Tracer(self, out, None)

    def concretize(self, tracer: Tracer, how: str) -> Any:
        """`float(x)` and the like: what follows is not counted. An interpreter below may have its own opinion."""
        value = tracer.value
        if how == "numpy.asarray(x)":
            return super().concretize(tracer, how)
        return value.interpreter.concretize(value, how) if type(value) is Tracer else value


def cost_of(primitive: Primitive, out: Any, values: list[Any], params: dict[str, Any]) -> Count:
    """What one application of a primitive costs."""
    parts = list(out) if primitive.multiple else [out]
    shapes = [shape_of(part) for part in parts]
    if primitive in costs:
        flops = costs[primitive](shapes[0], *map(shape_of, values), **params)
    else:
        flops = sum(math.prod(shape) for shape in shapes)
    if any(dtype_of(part).kind == "c" for part in parts):
        flops *= 4
    arrays = [value for value in values if shape_of(value)]
    written = [part for part in parts if not any(is_view(part, array) for array in arrays)]
    read = arrays if written or not parts else []
    return Count(1, flops, sum(map(size_in_bytes, read)), sum(map(size_in_bytes, written)))


def is_view(part: Any, array: Any) -> bool:
    part, array = value_of(part), value_of(array)
    return isinstance(part, np.ndarray) and isinstance(array, np.ndarray) and np.may_share_memory(part, array)


def size_in_bytes(x: Any) -> int:
    return math.prod(shape_of(x)) * dtype_of(x).itemsize


def counted(fun: Callable[..., Any]) -> Callable[..., tuple[Any, Report]]:
    """The function that runs `fun` and returns its result and what it cost."""

    def run(*args: Any) -> tuple[Any, Report]:
        __tracebackhide__ = True  # no line of the program
        with Counting(fun) as interpreter:
            out = fun(*tree.map(interpreter.lift, args))
        return tree.map(interpreter.lower, out), interpreter.report

    return run


def counted_gradient(fun: Callable[..., Any]) -> Callable[..., tuple[Any, Report]]:
    """The function that returns the gradients of `fun` by all arguments and their cost, forward and backward apart."""

    def run(*args: Any) -> tuple[Any, Report]:
        __tracebackhide__ = True  # no line of the program
        with Counting(fun) as interpreter:
            _, pullback = vjp(fun, *tree.map(interpreter.lift, args))
            interpreter.phase = "backward"
            gradients = pullback(1.0)
        return tree.map(interpreter.lower, gradients), interpreter.report

    return run


# The formulas.


def each_entry(weight: float) -> Formula:
    """So many operations for each entry of the result."""
    return lambda out, *shapes, **params: weight * math.prod(out)


def each_input(weight: float) -> Formula:
    """So many operations for each entry of the first argument."""
    return lambda out, x, *shapes, **params: weight * math.prod(x)


def reduction(out: Shape, x: Shape, **params: Any) -> float:
    """One operation less than there are entries, for each result."""
    return max(math.prod(x) - math.prod(out), 0)


def of_matrices(formula: Callable[[int, int], float]) -> Formula:
    """`formula(m, n)` for each matrix of a stack, m the longer side."""
    return lambda out, a, *shapes, **params: math.prod(a[:-2]) * formula(max(a[-2:]), min(a[-2:]))


def matmul(out: Shape, x: Shape, y: Shape) -> float:
    return 2 * math.prod(out) * x[-1]


def dot(out: Shape, x: Shape, y: Shape) -> float:
    return 2 * math.prod(out) * x[-1] if x and y else math.prod(out)


def tensordot(out: Shape, x: Shape, y: Shape, axes: tuple[Shape, Shape]) -> float:
    return 2 * math.prod(out) * math.prod(x[axis] for axis in axes[0])


def einsum(out: Shape, *shapes: Shape, subscripts: str, optimize: Any) -> float:
    """Of each step of the contraction path: a product for each operand but one, and a sum if a letter is summed over."""
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    lengths = {
        letter: n for term, shape in zip(terms, shapes, strict=True) for letter, n in zip(term, shape, strict=True)
    }
    path = optimize
    if not isinstance(path, list | tuple):
        path = np.einsum_path(subscripts, *(np.broadcast_to(0.0, shape) for shape in shapes), optimize=optimize)[0]
    flops = 0.0
    for step in path[1:]:
        taken = [terms.pop(position) for position in sorted(step, reverse=True)]
        letters = set("".join(taken))
        wanted = letters & set("".join([output, *terms])) if terms else set(output)
        terms.append("".join(wanted))
        flops += (len(taken) - 1 + (letters != wanted)) * math.prod(lengths[letter] for letter in letters)
    return flops


def solve(out: Shape, a: Shape, b: Shape) -> float:
    """A factorisation, and two triangular systems for each column of the result."""
    n = a[-1]
    return math.prod(a[:-2]) * 2 * n**3 / 3 + 2 * n * math.prod(out)


def sorting(out: Shape, x: Shape, **params: Any) -> float:
    """n log2 n comparisons along an axis, taken for the last one."""
    return math.prod(x) * math.log2(max(x[-1], 1)) if x else 0.0


def register() -> None:
    """Fill the table."""
    moves = (
        "reshape ravel transpose flip roll broadcast setitem pad copy astype spread getitem concatenate stack where "
        "stop_gradient real imag discretize replacement positive nonzero"
    )
    elementary = (
        "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh "
        "arctanh cbrt power float_power sinc i0 logaddexp logaddexp2 hypot"
    )
    for name in moves.split():
        defcost(name, each_entry(0))
    for name in elementary.split():
        defcost(name, each_entry(ELEMENTARY))
    for name in ["sum", "prod", "max", "min", "any", "all", "count_nonzero", "argmax", "argmin"]:
        defcost(name, reduction)
    for name in ["cumsum", "cumprod"]:
        defcost(name, each_input(1))
    for name in ["norm", "whole_norm"]:
        defcost(name, each_input(2))  # a product and a sum
    defcost("power_norm", each_input(1 + ELEMENTARY))
    defcost("scatter_add", lambda out, *shapes, indices, **params: sum(map(math.prod, shapes[: len(indices)])))
    defcost("cross", each_entry(3))  # two products and a difference
    for name in ["argsort", "argpartition", "unique"]:
        defcost(name, sorting)
    defcost("matmul", matmul)
    defcost("dot", dot)
    defcost("tensordot", tensordot)
    defcost("einsum", einsum)
    defcost("solve", solve)
    defcost("inv", of_matrices(lambda m, n: 2 * n**3))
    defcost("det", of_matrices(lambda m, n: 2 * n**3 / 3))
    defcost("slogdet", of_matrices(lambda m, n: 2 * n**3 / 3))
    defcost("cofactors", of_matrices(lambda m, n: 2 * n**3 + n**2))
    defcost("cofactors_change", of_matrices(lambda m, n: 6 * n**3))  # an inverse and two products
    defcost("cholesky", of_matrices(lambda m, n: n**3 / 3))
    defcost("qr", of_matrices(lambda m, n: 4 * n**2 * (m - n / 3)))  # the factorisation, and as much to form Q
    defcost("eig", of_matrices(lambda m, n: 25 * n**3))
    defcost("eigh", of_matrices(lambda m, n: 9 * n**3))
    defcost("svd", of_matrices(lambda m, n: 14 * m * n**2 + 8 * n**3))
    defcost("pinv", of_matrices(lambda m, n: 14 * m * n**2 + 8 * n**3 + 2 * m * n**2))


register()


# An example: the gradient of a neural network.


def network(parameters: list[tuple[Any, Any]], inputs: Any, targets: Any) -> Any:
    """The mean squared error of a network with tanh between its layers."""
    for weights, biases in parameters[:-1]:
        inputs = np.tanh(inputs @ weights + biases)
    weights, biases = parameters[-1]
    outputs = inputs @ weights + biases
    return np.mean((outputs - targets) ** 2)


def main(argv: Sequence[str] | None = None) -> Report:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Count what the gradient of a neural network costs.")
    parser.add_argument("--layers", type=int, nargs="+", default=[64, 128, 32, 8], help="the widths of the layers")
    parser.add_argument("--examples", type=int, default=256, help="examples in the batch (default: 256)")
    options = parser.parse_args(argv)
    if len(options.layers) < 2 or min(*options.layers, options.examples) < 1:
        parser.error("--layers needs two positive widths or more, and --examples must be positive")

    random = np.random.default_rng(0)
    parameters = [
        (random.normal(size=(m, n)) / math.sqrt(m), np.zeros(n))
        for m, n in zip(options.layers, options.layers[1:], strict=False)
    ]
    inputs = random.normal(size=(options.examples, options.layers[0]))
    targets = random.normal(size=(options.examples, options.layers[-1]))
    _, report = counted_gradient(lambda parameters: network(parameters, inputs, targets))(parameters)
    print(report)
    forward, backward = (report.total(phase=phase).flops for phase in ("forward", "backward"))
    print(f"the backward pass costs {backward / forward:.2f} times the forward pass")
    return report


if __name__ == "__main__":
    main()
