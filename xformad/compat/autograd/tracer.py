"""Autograd's `autograd.tracer`: boxes, and graphs of nodes of a program's own.

What Autograd calls a box is a tracer of xformad, so `isinstance(x, Box)` and `isinstance(x, ArrayBox)` ask for that. A
subclass of `Node` gives a graph of the calls of a program:

    >>> import numpy as np
    >>> class Recipe(Node):
    ...     def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
    ...         self.parents = parents
    ...         self.name = fun.__name__
    ...     def initialize_root(self):
    ...         self.parents, self.name = [], "start"
    >>> value, node = trace(Recipe.new_root(), lambda x: np.sin(x) * x, 0.5)
    >>> [each.name for each in toposort(node)]
    ['multiply', 'sin', 'start']
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, final

import numpy as np

from xformad import tree
from xformad.compat.autograd.primitives import OPERATIONS, notrace_primitive, primitive
from xformad.compat.autograd.util import subvals, toposort
from xformad.core.dispatch import ATTRIBUTES
from xformad.core.interpreter import Interpreter, dtype_of, stack
from xformad.core.primitive import Primitive, Tracer
from xformad.core.source import user_depth
from xformad.core.typing import Params, Value
from xformad.errors import UnsupportedError
from xformad.interpreters.vjp_rules import VjpEntry, vjp_rules
from xformad.transformations.values import value_of

__all__ = [
    "Box",
    "JVPNode",
    "Node",
    "VJPNode",
    "getval",
    "isbox",
    "new_box",
    "notrace_primitive",
    "primitive",
    "register_notrace",
    "subvals",
    "toposort",
    "trace",
    "trace_stack",
]


class TracedMeta(type):
    """`isinstance(x, Box)`: whether x is traced; `type(x) == ArrayBox` asks the same."""

    def __instancecheck__(cls, instance: object) -> bool:
        return type(instance) is Tracer

    def __eq__(cls, other: object) -> bool:
        return cls is other or (other is Tracer and cls.__name__ == "ArrayBox")

    def __hash__(cls) -> int:
        return id(cls)


class Box(metaclass=TracedMeta):
    """What is traced."""

    types: ClassVar[set[type]] = {Tracer}
    type_mappings: ClassVar[dict[type, type]] = {}

    @classmethod
    def register(cls, value_type: type) -> None:
        """Autograd's way to make a type differentiable. Types of NumPy's arrays and numbers need none.

        Raises:
            UnsupportedError: boxes of a program's own do not exist here.
        """
        if issubclass(value_type, np.ndarray | np.generic | float | complex):
            return
        raise UnsupportedError(
            f"xformad has no boxes of a program's own, so {cls.__name__}.register({value_type.__name__}) does nothing here; "
            "make the type known as a container of arrays with xformad.tree.register"
        )


def isbox(x: object) -> bool:
    """Whether a value is traced."""
    return type(x) is Tracer


def getval(x: Any) -> Any:
    """The plain value under all tracers."""
    return value_of(x) if type(x) is Tracer else x


class Node:
    """What a graph knows about one call. Subclasses define both methods."""

    __slots__: tuple[str, ...] | list[str] = ()

    def __init__(
        self,
        value: Any,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parent_argnums: Sequence[int],
        parents: Sequence[Any],
    ) -> None:
        raise NotImplementedError

    def initialize_root(self, *args: Any, **kwargs: Any) -> None:
        """Make this the node of the argument."""
        raise NotImplementedError

    @classmethod
    def new_root(cls, *args: Any, **kwargs: Any) -> Any:
        """The node of the argument of a traced function."""
        root = cls.__new__(cls)
        root.initialize_root(*args, **kwargs)
        return root


class VJPNode(Node):
    """Stands for reverse mode in `register_notrace`."""


class JVPNode(Node):
    """Stands for forward mode in `register_notrace`."""


notrace_primitives: Final[defaultdict[type, set[Callable[..., Any]]]] = defaultdict(set)


class Nothing(dict[int, Any]):
    """The rules of a primitive whose derivative is zero with respect to any argument."""

    def __contains__(self, argnum: object) -> bool:
        return True

    def __missing__(self, argnum: int) -> None:
        return None


def register_notrace(trace_type: type, primitive_fun: Callable[..., Any]) -> None:
    """Say that a primitive has a plain result under a kind of trace: the derivative is zero."""
    notrace_primitives[trace_type].add(primitive_fun)
    operation = OPERATIONS.get(primitive_fun)
    if operation is not None and issubclass(trace_type, VJPNode | JVPNode):
        vjp_rules.replace(operation.plain, VjpEntry(Nothing()))


@final
class NodeTrace(Interpreter):
    """Makes a node of every call; for `trace`."""

    name = "autograd.tracer.trace"
    carries = "graph"

    def __init__(self, node_type: type, fun: Callable[..., Any]) -> None:
        super().__init__(fun)
        self.node_type = node_type

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        argnums = tuple([i for i, arg in enumerate(args) if self.owns(arg)])
        parents = tuple([args[i].extra for i in argnums])
        values = tuple([arg.value if self.owns(arg) else arg for arg in args])
        ans = primitive.bind(*values, **params)
        fun = callable_of(primitive)
        if fun in notrace_primitives[self.node_type]:
            return ans
        if not primitive.multiple:
            if dtype_of(ans).kind not in "fc":
                return ans
            return Tracer(self, ans, self.node_type(ans, fun, values, params, argnums, parents))
        whole = self.node_type(ans, fun, values, params, argnums, parents)
        return tuple([self.item_of(whole, ans, i) for i in range(len(ans))])

    def item_of(self, node: Any, container: Any, key: Any) -> Tracer:
        """A tracer for one entry of a container."""
        value = container[key]
        return Tracer(self, value, self.node_type(value, container_take, (container, key), {}, (0,), (node,)))

    def boxed(self, x: Any, node: Any) -> Any:
        """Tracers for the leaves of an argument."""
        if tree.kind_of(type(x)) is None or x is None:
            return Tracer(self, x, node)
        if isinstance(x, dict):
            return {key: self.boxed(x[key], self.item_of(node, x, key).extra) for key in x}
        parts = [self.boxed(part, self.item_of(node, x, i).extra) for i, part in enumerate(x)]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)

    def unboxed(self, x: Any) -> tuple[Any, Any]:
        """A result one level below, and its node; None for one that does not depend on the argument."""
        if self.owns(x):
            return x.value, x.extra
        if tree.kind_of(type(x)) is None or x is None:
            return x, None
        keys = list(x) if isinstance(x, dict) else range(len(x))
        parts = [self.unboxed(x[key]) for key in keys]
        values = [value for value, _ in parts]
        of = [i for i, (_, node) in enumerate(parts) if node is not None]
        value = dict(zip(x, values, strict=True)) if isinstance(x, dict) else type(x)(values)
        if not of:
            return value, None
        build: Callable[..., Any] = make_dict if isinstance(x, dict) else make_sequence
        first = tuple(x) if isinstance(x, dict) else type(x)
        argnums = [i + 1 for i in of]
        return value, self.node_type(value, build, (first, *values), {}, argnums, [parts[i][1] for i in of])


def container_take(container: Any, key: Any) -> Any:
    """An entry of a container, in graphs."""
    return container[key]


def make_sequence(kind: Callable[[Any], Any], *values: Any) -> Any:
    """A list or tuple of results, in graphs."""
    return kind(values)


def make_dict(keys: tuple[Any, ...], *values: Any) -> dict[Any, Any]:
    """A dict of results, in graphs."""
    return dict(zip(keys, values, strict=True))


CALLABLES: Final[dict[Primitive, Callable[..., Any]]] = {}


def callable_of(primitive: Primitive) -> Callable[..., Any]:
    """A primitive of xformad as the function that a node shows, with a `__name__`."""
    found = CALLABLES.get(primitive)
    if found is None:
        wrapped = next((fun for fun, operation in OPERATIONS.items() if operation.plain is primitive), None)
        if wrapped is None:

            def wrapped(*args: Any, **kwargs: Any) -> Any:
                return primitive.bind(*args, **kwargs)

            wrapped.__name__ = primitive.name
        found = CALLABLES[primitive] = wrapped
    return found


def trace(start_node: Any, fun: Callable[..., Any], x: Any) -> tuple[Any, Any]:
    """Run `fun(x)` and make nodes of its calls, of the type of `start_node`.

    Returns:
        The result, and the node of the last call; None if the result does not depend on x.
    """
    with NodeTrace(type(start_node), fun) as interpreter:
        value, node = interpreter.unboxed(fun(interpreter.boxed(x, start_node)))
    if node is None:
        warn_independent()
    return value, node


def warn_independent() -> None:
    """Autograd's warning, word for word, so that a program's filter for it works."""
    warnings.warn("Output seems independent of input.", stacklevel=user_depth())


def new_box(value: Any, trace: Any, node: Any) -> Any:
    """A traced value; `trace` is the interpreter of another one, its `_trace`."""
    return Tracer(trace, value, node)


class TraceStack:
    """How many traces are at work in this thread, counted from -1."""

    @property
    def top(self) -> int:
        """The number of the newest one."""
        return len(stack.live) - 1


trace_stack: Final = TraceStack()


# What programs read of boxes, to print and to debug.
ATTRIBUTES.setdefault("_value", lambda x: x.value)
ATTRIBUTES.setdefault("_node", lambda x: x.extra)
ATTRIBUTES.setdefault("_trace", lambda x: x.interpreter)
