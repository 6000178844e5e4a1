"""Autograd's `autograd.misc.tracers`: graphs of programs, to run again without Python's control flow, or to look at.

>>> import numpy as np
>>> replayed = const_graph(lambda x: np.sin(x) * x)
>>> float(replayed(2.0)), float(replayed(2.0))
(1.8185948536513634, 1.8185948536513634)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from xformad.compat.autograd.tracer import Node, toposort, trace
from xformad.compat.autograd.util import subvals
from xformad.compat.autograd.wrap_util import wraps


class ConstGraphNode(Node):
    """A call to be repeated with other values of what is traced."""

    __slots__ = ("parents", "partial_fun")
    parents: Sequence[Any]

    def __init__(
        self,
        value: Any,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parent_argnums: Sequence[int],
        parents: Sequence[Any],
    ) -> None:
        def partial_fun(values: Iterable[Any]) -> Any:
            return fun(*subvals(args, zip(parent_argnums, values, strict=True)), **kwargs)

        self.parents = parents
        self.partial_fun = partial_fun

    def initialize_root(self, *args: Any, **kwargs: Any) -> None:
        self.parents = ()


def const_graph_unary(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that runs `fun` the first time, and from then on repeats its calls."""
    nodes: list[Any] = []

    def run(x: Any) -> Any:
        if not nodes:
            value, end = trace(ConstGraphNode.new_root(), fun, x)
            if end is None:
                raise ValueError("Output is independent of input")
            nodes.extend(reversed(list(toposort(end))))
            return value
        values = {nodes[0]: x}
        for node in nodes[1:]:
            values[node] = node.partial_fun([values[parent] for parent in node.parents])
        return values[nodes[-1]]

    return run


def const_graph(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """A function that runs `partial(fun, *args, **kwargs)` the first time, and from then on repeats its calls."""
    bound = partial(fun, *args, **kwargs)
    run = const_graph_unary(lambda given: bound(*given))

    @wraps(fun)
    def replayed(*given: Any) -> Any:
        return run(given)

    return replayed


class FullGraphNode(Node):
    """A call with all that went into it: `recipe` is `(fun, args, kwargs, zip(argnums, parents))`."""

    __slots__ = ("parents", "recipe", "value")
    parents: Sequence[Any]

    def __init__(
        self,
        value: Any,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parent_argnums: Sequence[int],
        parents: Sequence[Any],
    ) -> None:
        self.value = value
        self.parents = parents
        self.recipe: Any = (fun, args, kwargs, list(zip(parent_argnums, parents, strict=True)))

    def initialize_root(self, *args: Any, **kwargs: Any) -> None:
        self.value = None
        self.parents = ()
        self.recipe = (lambda x: x, (), {}, [])


def full_graph(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The last node of the graph of `fun(*args, **kwargs)`."""
    return trace(FullGraphNode.new_root(), lambda given: fun(*given, **kwargs), args)[1]
