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
from xformad.compiler.passes import simplified, without_dead_code
from xformad.compiler.replay import DATA_DEPENDENT
from xformad.core.graph import Graph, Node
from xformad.core.interpreter import concrete
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.interpreters.cotangents import Masked, unmasked
from xformad.interpreters.evaluate import GraphFunction, owned
from xformad.interpreters.recording import Recorder
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.transformations.calls import FlatFunction, floating, name_of, zeros

PYTHON_NUMBERS: Final = frozenset((bool, int, float, complex))


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
    except Exception:  # it is raised again where the function is run as it is
        return None
    graph = simplified(graph_of(name_of(fun), recorder, inputs, outs))
    return Closed(GraphFunction(graph), tuple(map(concrete, outs))) if is_closed(graph, recorder) else None


def is_closed(graph: Graph, recorder: Recorder) -> bool:
    """Whether what was recorded holds for all values."""
    return not (
        recorder.guarded
        or any(type(out) is Tracer for out in graph.outputs)
        or any(node.primitive.name in DATA_DEPENDENT for node in graph.equations if node.primitive is not None)
    )


# Forward and back.


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
    """The way forward, which does not depend on cotangents, and the way back, of a graph of both."""
    inputs, cotangents = whole.inputs[:arguments], whole.inputs[arguments:]
    late = set(cotangents)
    for node in whole.equations:
        if any(parent in late for parent in node.parents):
            late.add(node)
    backward = [node for node in whole.equations if node in late]
    residuals: dict[Node, None] = {}
    for node in backward:
        residuals.update(dict.fromkeys(parent for parent in node.parents if parent not in late))
    outs, back = whole.outputs[:count], whole.outputs[count:]
    residuals.update(dict.fromkeys(out for out in back if isinstance(out, Node) and out not in late))
    kept = tuple(residuals)
    early = tuple([node for node in whole.equations if node not in late])
    forth = without_dead_code(flat_graph(whole.name, inputs, early, (*outs, *kept)))
    return Parts(forth, flat_graph(whole.name, (*kept, *cotangents), tuple(backward), back), kept)
