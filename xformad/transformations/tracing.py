"""`trace`: a function's computation graph, recorded from one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from xformad import tree
from xformad.core.graph import Graph, Node
from xformad.core.interpreter import held
from xformad.core.primitive import Tracer
from xformad.interpreters.evaluate import owned
from xformad.interpreters.trace import Trace
from xformad.transformations.pullback import constant
from xformad.transformations.transformed import Transformed

P = ParamSpec("P")


def run_trace(fun: Callable[..., Any], options: None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Graph:
    leaves, in_structure = tree.flatten(args)
    with Trace(fun) as interpreter:
        tracers = [interpreter.input(held(constant(leaf))) for leaf in leaves]
        out = fun(*tree.unflatten(in_structure, tracers), **kwargs)
    results, out_structure = tree.flatten(out)
    outputs = tuple(
        x.extra if type(x) is Tracer and x.interpreter is interpreter else owned(constant(x))
        for x in map(held, results)
    )
    inputs = tuple(tracer.extra for tracer in tracers)
    return Graph(
        getattr(fun, "__name__", "function"),
        inputs,
        needed(interpreter.nodes, outputs),
        outputs,
        in_structure,
        out_structure,
    )


def needed(nodes: list[Node], outputs: tuple[Any, ...]) -> tuple[Node, ...]:
    """The recorded operations that the outputs depend on, in order."""
    wanted = {out for out in outputs if isinstance(out, Node)}
    for node in reversed(nodes):
        if node in wanted:
            wanted.update(node.parents)
    return tuple(node for node in nodes if node in wanted and node.primitive is not None)


def trace(fun: Callable[P, Any]) -> Transformed[P, Graph]:
    """The computation graph of a function.

    Args:
        fun: a function of pytrees, with a pytree as result. Its positional arguments become the graph's inputs.

    Returns:
        A function of the same arguments whose result is the `Graph` of one run. `str(graph)` shows an equation a line;
        `xformad.evaluate(graph, *args)` runs it.

    >>> print(trace(lambda x, y: x * y + 1)(3.0, 5.0))
    inputs  a: float64[], b: float64[]
    c: float64[] = multiply a b
    d: float64[] = add c 1
    outputs d
    """
    return Transformed(run_trace, fun, None, "trace")
