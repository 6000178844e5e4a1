"""Reverse mode: the interpreter that records a tape, its rules, and the backward pass over it.

The forward run is traced: each operation on a traced value leaves a `Node` with its value, primitive, arguments and
parents. The backward pass is message passing: a node receives cotangents from its children, adds them up, and sends
`vjp(g, ans, *args, **params)` to each parent; nodes are served in the reverse order of recording, so all children have
spoken before a node does. Rules are written with NumPy operations on the values one level below, so that an outer
transformation sees them and may differentiate them again.

    >>> import numpy as np
    >>> with Vjp() as tape:
    ...     x = tape.input(3.0)
    ...     y = np.sin(x) * x
    >>> backward_pass([(y.extra, 1.0)], [x.extra])
    [np.float64(-2.8288574...)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any, ClassVar, Final, final

from numpy import float64, ndarray

from xformad.core.graph import Node, component
from xformad.core.interpreter import FLOAT, SCALAR, Interpreter, held, spec_of
from xformad.core.operands import refuse_result
from xformad.core.primitive import NO_PARAMS, Primitive, Tracer, getitem
from xformad.core.typing import Params, ShapeDtype, Value
from xformad.core.views import argument, link
from xformad.errors import RuleError
from xformad.interpreters.cotangents import (
    PLAIN,
    SPECIAL,
    Masked,
    Parts,
    Scattered,
    accumulate,
    unmasked,
)
from xformad.interpreters.snapshots import Snapshots
from xformad.interpreters.structural_zeros import fitted, masked_messages, settled
from xformad.interpreters.vjp_rules import (
    BROADCAST,
    STRICT,
    TRUST,
    Plan,
    VjpEntry,
    entries,
    vjp_rules,
)

PLAIN_FLOATS: Final = frozenset((float, float64))
new: Final = object.__new__


@final
class Vjp(Interpreter):
    """Runs a program one level below and records the tape of it.

    Args:
        fun: the function under transformation, for messages.
        partial: whether it is a part of a program, so that its inputs may depend on each other.
    """

    name: ClassVar[str] = "grad"

    def __init__(self, fun: Callable[..., Any] | None = None, *, partial: bool = False) -> None:
        self.fun = fun
        self.partial = partial
        self.count = 0
        self.snapshots = Snapshots()

    def input(self, value: Value) -> Tracer:
        """A tracer for an argument."""
        if type(value) is ndarray:
            value = self.snapshots.of_argument(value)
        elif type(value) is Tracer:
            if not value.interpreter.live:
                value.interpreter.escaped()
            value = held(value)
        self.count += 1
        spec = SCALAR if type(value) is int else spec_of(value)
        return argument(self, value, Node(self.count, value, None, (), NO_PARAMS, (), spec, None))

    def keeps_call(self, args: tuple[Value, ...]) -> bool:
        return True

    def spec(self, tracer: Tracer) -> ShapeDtype:
        node: Node = tracer.extra
        return node.spec

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        entry = entries.get(primitive)
        if entry is None:
            raise vjp_rules.missing(primitive)
        if entry.joint is not None:
            return self.joint(primitive, entry, args, params)
        values: Sequence[Value]
        parents: Sequence[Node]
        if len(args) == 1:
            x = args[0]
            parents = (x.extra,)
            x = x.value
            values = (x,)
            plan = entry.quick[0] or entry.plan(primitive, 1, 1)
            if type(x) is Tracer:
                value = x.interpreter.process(primitive, values, params)
            else:
                value = primitive.implementation(x, **params) if params else primitive.implementation(x)
        elif len(args) == 2:
            x, y = args
            if type(x) is not Tracer or x.interpreter is not self:
                parents = (y.extra,)
                y = y.value
                if type(x) is float or type(x) is int:
                    plan = entry.quick[6] or entry.plan_beside_number(primitive, 2)
                else:
                    plan = entry.quick[2] or entry.plan(primitive, 2, 2)
            elif type(y) is not Tracer or y.interpreter is not self:
                parents = (x.extra,)
                x = x.value
                if type(y) is int or type(y) is float:
                    plan = entry.quick[5] or entry.plan_beside_number(primitive, 1)
                else:
                    plan = entry.quick[1] or entry.plan(primitive, 1, 2)
            else:
                parents = (x.extra, y.extra)
                x = x.value
                y = y.value
                plan = entry.quick[3] or entry.plan(primitive, 3, 2)
            values = (x, y)
            if type(x) is Tracer:
                if type(y) is not Tracer or x.interpreter is y.interpreter:
                    value = x.interpreter.process(primitive, values, params)
                else:
                    value = primitive.bind(x, y, **params)
            elif type(y) is Tracer:
                value = y.interpreter.process(primitive, values, params)
            else:
                value = primitive.implementation(x, y, **params) if params else primitive.implementation(x, y)
        else:
            values, parents, traced = self.unwrap(args)
            plan = entry.plans.get((traced, len(values))) or entry.plan(primitive, traced, len(values))
            value = primitive.bind(*values, **params)
        if plan.select is not None:
            if not plan.rules:
                return value
            parents = [parents[k] for k in plan.select]
        kind = type(value)
        kept = value
        spec: ShapeDtype
        if kind is float64 or kind is float:
            spec = SCALAR
            if not plan.small:
                values = plan.keep(values, args, self.snapshots)
        elif kind is ndarray:
            dtype = value.dtype
            if dtype is not FLOAT:
                refuse_result(dtype, primitive.name)
            spec = (value.shape, dtype)
            values = plan.blank or plan.keep(values, args, self.snapshots)
            if not plan.keep_value:
                kept = None
        elif primitive.multiple:
            self.count += 1
            values = plan.keep(values, args, self.snapshots)
            return self.components(value, Node(self.count, value, primitive, values, params, parents, SCALAR, plan))
        else:
            spec = spec_of(value)
            if spec is not SCALAR or not plan.small:
                values = plan.keep(values, args, self.snapshots)
            if spec is not SCALAR and not plan.keep_value:
                kept = None
        # Node(...) and Tracer(...), without the calls of __init__, which would be a quarter of the cost of recording.
        node = new(Node)
        node.number = self.count = self.count + 1
        node.value = kept
        node.primitive = primitive
        node.args = values
        node.params = params
        node.parents = parents
        node.spec = spec
        node.plan = plan
        tracer = new(Tracer)
        tracer.interpreter = self
        tracer.value = value
        tracer.extra = node
        tracer.memory = None
        return tracer

    def item(self, tracer: Tracer, index: int | slice) -> Value:
        """What `process` does for `x[index]`, in half of the time: loops over the entries of an array are made of it."""
        x = tracer.value
        plan = entries[getitem].quick[0]
        if type(x) is not ndarray or not self.live or plan is None:
            return super().item(tracer, index)
        value: Value = x[index]
        node = new(Node)
        node.number = self.count = self.count + 1
        node.value = None
        node.primitive = getitem
        node.args = (None,)
        node.params = {"index": index}
        node.parents = (tracer.extra,)
        if type(value) is ndarray:
            node.spec = (value.shape, value.dtype)
        else:
            node.spec = SCALAR if type(value) is float64 else spec_of(value)
        node.plan = plan
        out = new(Tracer)
        out.interpreter = self
        out.value = value
        out.extra = node
        out.memory = None
        if type(value) is ndarray:
            link(tracer, out, getitem, node.params)
        return out

    def unwrap(self, args: tuple[Value, ...]) -> tuple[list[Value], list[Node], int]:
        """The values of the arguments, the nodes of the traced ones, and their bit mask."""
        values = []
        parents = []
        traced = 0
        for i, arg in enumerate(args):
            if type(arg) is Tracer and arg.interpreter is self:
                parents.append(arg.extra)
                traced |= 1 << i
                arg = arg.value
            values.append(arg)
        return values, parents, traced

    def joint(self, primitive: Primitive, entry: VjpEntry, args: tuple[Value, ...], params: Params) -> Value:
        """A primitive whose rule computes the result together with a pullback, which the node keeps for its arguments."""
        assert entry.joint is not None
        values, parents, traced = self.unwrap(args)
        plan = entry.plans.get((traced, len(values))) or entry.plan(primitive, traced, len(values))
        values = [
            (held(value) if arg is value else value)
            if type(value) is not ndarray
            else self.snapshots.of_traced(value, arg)
            if arg is not value
            else self.snapshots.of(value)
            for value, arg in zip(values, args, strict=True)
        ]  # the pullback may hold them
        value, pullback = entry.joint(*values, **params)
        self.count += 1
        if primitive.multiple:
            node = Node(self.count, value, primitive, (pullback,), params, parents, SCALAR, plan)
            return self.components(value, node)
        node = Node(self.count, None, primitive, (pullback,), params, parents, spec_of(value), plan)
        return Tracer(self, value, node)

    def components(self, value: tuple[Value, ...], whole: Node) -> tuple[Value, ...]:
        """The components of a tuple, traced where they are differentiable."""
        parts = []
        plan = MASKED_COMPONENT if whole.plan.entry.masked else COMPONENT
        for i, part in enumerate(value):
            spec = spec_of(part)
            if spec[1].kind in "fc":
                self.count += 1
                node = Node(self.count, None, component, (None,), {"index": i}, (whole,), spec, plan)
                part = Tracer(self, part, node)
            parts.append(part)
        return tuple(parts)


COMPONENT: Final = Plan(VjpEntry({0: lambda g, _ans, _whole, index: Parts({index: unmasked(g)})}, check=TRUST), 1, 1)

# Of a primitive whose pullback takes masked cotangents.
MASKED_COMPONENT: Final = Plan(VjpEntry({0: lambda g, _ans, _whole, index: Parts({index: g})}, check=TRUST), 1, 1)


def backward_pass(seeds: list[tuple[Node, Value]], inputs: list[Node], *, masks: bool = False) -> list[Value]:
    """Send cotangents from the outputs back to the inputs.

    Args:
        seeds: output nodes with their cotangents. The list is emptied, so that the tape can be freed on the way.
        inputs: the nodes whose cotangents are wanted.
        masks: whether a cotangent may be returned as a `Masked` one.

    Returns:
        The cotangent of each input, None where nothing arrived.
    """
    cotangents: dict[Node, Value] = {}
    heap: list[tuple[int, Node]] = []
    for node, g in seeds:
        if type(g) is float:  # Python's floats raise where NumPy's divide by zero
            g = float64(g)
        if node in cotangents:
            cotangents[node] = accumulate(cotangents[node], g, node)
        else:
            cotangents[node] = g
            if node.parents:
                heappush(heap, (-node.number, node))
    seeds.clear()
    following: Node | None = None  # the next node, where it is known without asking the heap, and its cotangent
    following_g: Value = None
    while following is not None or heap:
        if following is None:
            node = heappop(heap)[1]
            g = cotangents.pop(node)
        else:
            node = following
            g = following_g
            following = following_g = None
        plan = node.plan
        params = node.params
        args = node.args
        if node.primitive is getitem and type(g) in PLAIN and len(args) == 1:
            target = cotangents.get(node.parents[0])
            if type(target) is Scattered and target.buffer is not None:  # one more x[i]: spare it the objects
                index = params["index"]
                target.covered.append((index, ()))
                target.buffer[index] += g
                continue
        check = plan.check
        value = node.value
        rules = plan.rules
        if plan.joint or type(g) in SPECIAL:
            messages = messages_of(node, g)
            rules = messages  # one a parent, too
        else:
            messages = None
        for parent, rule in zip(node.parents, rules):  # noqa: B905 (the keyword would cost as much as the rest)
            if messages is not None:
                message = rule
                if message is None:
                    continue
            elif params or len(args) > 2:
                message = rule(g, value, *args, **params)
            elif len(args) == 2:
                message = rule(g, value, args[0], args[1])
            else:
                message = rule(g, value, args[0])
            if check == BROADCAST:
                shape, dtype = parent.spec
                if type(message) is ndarray:
                    if message.shape != shape or message.dtype is not dtype:
                        message = fitted(message, parent)
                elif parent.spec is not SCALAR or type(message) not in PLAIN_FLOATS:
                    message = fitted(message, parent)
            elif check == STRICT:
                message = strict(message, parent, node, rules, rule)
            if parent is following:
                following_g = accumulate(following_g, message, parent)
            elif parent in cotangents:
                cotangents[parent] = accumulate(cotangents[parent], message, parent)
            elif parent.number == node.number - 1 and parent.parents:
                following = parent
                following_g = message
            else:
                cotangents[parent] = message
                if parent.parents:
                    heappush(heap, (-parent.number, parent))
    found = [cotangents.get(node) for node in inputs]
    return [g if masks and type(g) is Masked else settled(g, node) for g, node in zip(found, inputs, strict=True)]


def messages_of(node: Node, g: Value) -> Sequence[Value]:
    """What a node sends to its parents, where its cotangent is no plain array, its rule a joint one, or somebody watches."""
    watch = node.plan.watch
    return sent_by(node, g) if watch is None else watch(node, g)


def sent_by(node: Node, g: Value) -> Sequence[Value]:
    """The same, whether or not somebody watches."""
    if type(g) in SPECIAL and type(g) is not Masked:
        g = g.settle(node)
    if node.plan.entry.joint is not None:
        messages = node.args[0](unmasked(g))
        return [messages[i] for i in node.argnums]
    if type(g) is Masked and node.plan is not MASKED_COMPONENT:
        return masked_messages(node, g)
    many = node.plan.entry.many if node.plan.joint else None
    if many is not None:
        found: Sequence[Value] = many(node.argnums, g, node.value, *node.args, **node.params)
        return found
    return [rule(g, node.value, *node.args, **node.params) for rule in node.plan.rules]


def strict(message: Value, parent: Node, node: Node, rules: Sequence[Any], rule: Any) -> Value:
    """Refuse a cotangent that is not of its argument's shape and dtype. Python numbers are scalars of any dtype."""
    if type(message) in SPECIAL or spec_of(message) == parent.spec:
        return message
    assert node.primitive is not None
    argnum = next(i for i, p, r in zip(node.argnums, node.parents, rules, strict=True) if p is parent and r is rule)
    what = f"the vjp rule of primitive '{node.primitive.name}' with respect to argument {argnum}"
    if message is None:
        raise RuleError(f"{what} returned None; return a cotangent of shape {parent.shape}")
    shape, dtype = spec_of(message)
    if shape != parent.shape:
        raise RuleError(f"{what} returned shape {shape} for an argument of shape {parent.shape}")
    if dtype != parent.dtype and type(message) not in (float, int):
        raise RuleError(f"{what} returned dtype {dtype} for an argument of dtype {parent.dtype}; cast it with .astype")
    return message
