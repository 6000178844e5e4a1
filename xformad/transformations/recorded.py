"""Functions of flat arrays as graphs: what a `Recorder` makes of them, forward and back.

The body of a loop is recorded once, on the values of the first step, and stands for all steps if it is *closed*: if it
took nothing about the values for granted, and used no traced values but its operands.

>>> body = closed(lambda total, x: (total + x * x, total), [0.0, 2.0])
>>> print(body.function.graph)
inputs  a: float64[], b: float64[]
c: float64[] = multiply b b
d: float64[] = add a c
outputs d, a
>>> closed(lambda total, x: (total + x if x > 0 else total,), [0.0, 2.0])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from xformad import tree
from xformad.compiler.backends import program_of, replayed
from xformad.compiler.loops import runner_of
from xformad.compiler.passes import simplified, without_dead_code
from xformad.compiler.passes.residuals import recomputed
from xformad.compiler.primitives import is_own
from xformad.compiler.replay import depends_on_numbers
from xformad.core.graph import Graph, Node
from xformad.core.guards import GuardError
from xformad.core.interpreter import concrete, spec_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Params, Value
from xformad.interpreters.batch import Batch
from xformad.interpreters.cotangents import Masked, unmasked
from xformad.interpreters.evaluate import PYTHON_NUMBERS, GraphFunction, owned
from xformad.interpreters.recording import Recorder
from xformad.interpreters.trace import Traced
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.transformations.calls import FlatFunction, floating, name_of, zeros

MUCH: Final = 20_000
"""How many operations are worth compiling them, if they are run once."""


def flat_graph(name: str, inputs: tuple[Node, ...], equations: tuple[Node, ...], outputs: tuple[Any, ...]) -> Graph:
    """A graph of tuples of arrays."""
    structures = [tree.flatten(tuple(range(len(leaves))))[1] for leaves in (inputs, outputs)]
    return Graph(name, inputs, equations, outputs, *structures)


def graph_of(name: str, recorder: Recorder, inputs: Sequence[Tracer], outs: Sequence[Value]) -> Graph:
    """The graph of a recorded run."""
    nodes = tuple([x.extra for x in inputs])
    outputs = tuple([x.extra if type(x) is Tracer and x.interpreter is recorder else owned(x) for x in outs])
    equations = tuple([node for node in recorder.nodes if node.primitive is not None])
    return flat_graph(name, nodes, equations, outputs)


class Closed(NamedTuple):
    """A function as a graph that holds for all values of the same shapes and dtypes.

    Attributes:
        function: the graph, to be called.
        values: what it returned when it was recorded.
    """

    function: GraphFunction
    values: tuple[Value, ...]


def closed(fun: FlatFunction, values: Sequence[Value]) -> Closed | None:
    """Record a function on these values; None if it is not closed, or raises an error."""
    try:
        with Recorder(fun) as recorder, np.errstate(all="ignore"):
            inputs = [recorder.input(x) for x in values]
            outs = fun(*inputs)
        recorder.check()
    except Exception:  # it is raised again where the function is run as it is
        return None
    graph = simplified(graph_of(name_of(fun), recorder, inputs, outs))
    return Closed(GraphFunction(graph), tuple(map(concrete, outs))) if is_closed(graph, recorder) else None


def is_closed(graph: Graph, recorder: Recorder) -> bool:
    """Whether what was recorded holds for all values."""
    return not (
        recorder.guarded
        or recorder.failure
        or any(type(out) is Tracer for out in graph.outputs)
        or any(
            depends_on_numbers(node) and is_own(node.primitive)
            for node in graph.equations
            if node.primitive is not None
        )
        or has_unsized(graph.outputs, recorder)
    )


def has_unsized(nodes: Sequence[Any], recorder: Recorder) -> bool:
    """Whether the length of one of these depends on values."""
    return any(isinstance(node, Node) and node.number in recorder.unsized for node in nodes)


def closed_step(
    body: FlatFunction, constants: Sequence[Value], state: Sequence[Value], rows: Sequence[Value]
) -> Closed | None:
    """The step of a loop as a graph that holds for all steps; None if there is none.

    A Python number in the initial state, of which the step makes a scalar of NumPy, is one from the start.
    """
    state = list(state)
    strong: list[int] = []
    while True:
        found = closed(body, [*constants, *state, *rows])
        if found is None:
            return None
        more = []
        for k, (before, after) in enumerate(zip(state, found.values, strict=False)):
            if spec_of(before) != spec_of(after) or (
                type(after) in PYTHON_NUMBERS and type(before) not in PYTHON_NUMBERS
            ):
                return None
            if type(before) in PYTHON_NUMBERS and type(after) not in PYTHON_NUMBERS:
                more.append(k)
                state[k] = np.asarray(before)[()]
        if not more:
            positions = tuple([len(constants) + k for k in strong])
            return Closed(GraphFunction(found.function.graph, positions), found.values)
        strong += more


def ran(primitive: Primitive, args: Sequence[Value], params: Params) -> tuple[Value, ...]:
    """The value of an operation that holds graphs, for plain operands."""
    runner = runner_of(primitive.name, params, replayed)
    assert runner is not None
    return runner(*args)


def ran_fast(
    primitive: Primitive, args: Sequence[Value], params: Params, blanks: tuple[Value, ...]
) -> tuple[Value, ...]:
    """The same by a compiled program, for results like these."""
    with Recorder() as recorder:
        inputs = [recorder.input(x) for x in args]
        nodes = tuple([x.extra for x in inputs])
        plan = Traced(tuple(range(len(nodes))))
        whole = recorder.record(blanks, primitive, (None,) * len(nodes), params, nodes, plan)
        graph = graph_of(primitive.name, recorder, inputs, recorder.components(blanks, whole))
    try:
        return tuple(program_of(graph).run(*args))
    except GuardError:  # an index out of bounds, say, of which NumPy tells
        return ran(primitive, args, params)


# Forward and back.


class Keeping(NamedTuple):
    """The step of a loop that keeps what its way back needs, and that way back.

    Attributes:
        results: how many results the step has.
        forward: of the operands of the step: its results, then what is to be stacked.
        fixed: of the constants: what is the same in all steps.
        sequences: which of the sequences the way back goes along again.
        backward: of what is the same, of entries of these sequences and of the stacks, and of cotangents: the wanted ones.
    """

    results: int
    forward: GraphFunction
    fixed: GraphFunction
    sequences: tuple[int, ...]
    backward: GraphFunction


def keeping(
    body: FlatFunction, constants: int, held: int, wanted: Sequence[bool], values: Sequence[Value]
) -> Keeping | None:
    """Record a step with its way back; None if they are no closed graphs."""
    try:
        with np.errstate(all="ignore"):
            found = joint(body, wanted, values)
    except Exception:  # it is raised again where the step is run as it is
        return None
    if not is_closed(found.graph, found.recorder):
        return None
    forward, backward, residuals = parted(found.graph, len(values), len(found.results))
    if has_unsized(residuals, found.recorder):
        return None
    rows = forward.inputs[constants + held :]
    varying = set(forward.inputs[constants:])
    for node in forward.equations:
        if any(parent in varying for parent in node.parents):
            varying.add(node)
    same = tuple([node for node in residuals if node not in varying])
    along = tuple([node for node in residuals if node in rows])
    stacked = tuple([node for node in residuals if node in varying and node not in rows])
    results = forward.outputs[: len(found.results)]
    cotangents = backward.inputs[len(residuals) :]
    name = forward.name
    return Keeping(
        len(results),
        GraphFunction(without_dead_code(flat_graph(name, forward.inputs, forward.equations, (*results, *stacked)))),
        GraphFunction(without_dead_code(flat_graph(name, forward.inputs[:constants], forward.equations, same))),
        tuple([rows.index(node) for node in along]),
        GraphFunction(
            flat_graph(
                f"pullback({name})", (*same, *along, *stacked, *cotangents), backward.equations, backward.outputs
            )
        ),
    )


def is_recorded(values: Sequence[Value]) -> bool:
    """Whether a `Recorder` is at work on one of these values."""
    for x in values:
        while type(x) is Tracer:
            if type(x.interpreter) is Recorder:
                return True
            x = x.value
    return False


def example(x: Value) -> Value:
    """A plain value like the one that a traced value stands for: of a batch, the first one."""
    if type(x) is not Tracer:
        return x
    inner = example(x.value)
    if type(x.interpreter) is not Batch:
        return inner
    shape, dtype = spec_of(x)
    return inner[0] if len(inner) else np.zeros(shape, dtype)[()]


class Joint(NamedTuple):
    """A run together with its way back, recorded for cotangents 1 of those results that are floating-point.

    Attributes:
        recorder: what recorded them.
        graph: of the arguments and the cotangents: the results, and the cotangents of the wanted arguments.
        results: what the run returned.
        masked: which of the cotangents are structurally zero outside of a mask.
    """

    recorder: Recorder
    graph: Graph
    results: tuple[Value, ...]
    masked: tuple[bool, ...]


def joint(fun: FlatFunction, wanted: Sequence[bool], values: Sequence[Value], *, masks: bool = False) -> Joint:
    """Record a run and its way back. With `masks`, the graph's last results are the masks of cotangents that have one."""
    with Recorder(fun) as recorder:
        inputs = [recorder.input(x) for x in values]
        with Vjp(fun, partial=True) as tape:
            args = [tape.input(x) if w else x for x, w in zip(inputs, wanted, strict=True)]
            outs = fun(*args)
        own = [type(x) is Tracer and x.interpreter is tape for x in outs]
        results = [x.value if o else x for x, o in zip(outs, own, strict=True)]
        cotangents = [recorder.input(ones_like(x)) for x in results if floating(x)]
        given = iter(cotangents)
        pairs = [(x, next(given), o) for x, o in zip(outs, own, strict=True) if floating(x)]
        seeds = [(x.extra, g) for x, g, o in pairs if o]
        nodes = [x.extra for x, w in zip(args, wanted, strict=True) if w]
        with np.errstate(all="ignore"):  # which the cotangents to come may not give cause for
            found = backward_pass(seeds, nodes, masks=masks)
        back = [zeros(node.spec) if g is None else unmasked(g) for g, node in zip(found, nodes, strict=True)]
    recorder.check()
    masked = tuple([type(g) is Masked for g in found])
    back += [g.mask for g in found if type(g) is Masked]
    whole = graph_of(name_of(fun), recorder, [*inputs, *cotangents], [*results, *back])
    return Joint(recorder, simplified(whole), tuple(map(concrete, results)), masked)


def ones_like(x: Value) -> Value:
    """A cotangent to record with."""
    plain = concrete(x)
    return np.ones_like(plain) if np.shape(plain) else np.asarray(plain).dtype.type(1)


class Parts(NamedTuple):
    """A graph of a run and its way back, parted.

    Attributes:
        forward: of the arguments: the results, then the residuals.
        backward: of the residuals and the cotangents: those of the wanted arguments.
        residuals: the nodes of the residuals in `forward`.
    """

    forward: Graph
    backward: Graph
    residuals: tuple[Node, ...]


def parted(whole: Graph, arguments: int, count: int) -> Parts:
    """The way forward, which does not depend on cotangents, and the way back, of a graph of both. What is computed from
    the residuals at no cost is no residual.
    """
    inputs, cotangents = whole.inputs[:arguments], whole.inputs[arguments:]
    late = set(cotangents)
    for node in whole.equations:
        if any(parent in late for parent in node.parents):
            late.add(node)
    again = recomputed(whole, late)
    backward = [node for node in whole.equations if node in late or node in again]
    residuals: dict[Node, None] = {}
    for node in backward:
        residuals.update(dict.fromkeys(parent for parent in node.parents if parent not in late and parent not in again))
    outs, back = whole.outputs[:count], whole.outputs[count:]
    residuals.update(dict.fromkeys(out for out in back if isinstance(out, Node) and out not in late | again))
    kept = tuple(residuals)
    early = tuple([node for node in whole.equations if node not in late])
    forth = without_dead_code(flat_graph(whole.name, inputs, early, (*outs, *kept)))
    return Parts(forth, flat_graph(whole.name, (*kept, *cotangents), tuple(backward), back), kept)
