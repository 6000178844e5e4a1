"""The recording interpreter of `jit`: runs a program on plain values and records it, with what it took for granted.

Values are concrete, so a program may branch on them, count with them and print them. Each time it does, the recording gets
a `guard`: on other inputs, for which the guard does not hold, the program might have gone another way.

>>> with Recorder() as recorder:
...     x = recorder.input(2.0)
...     y = x * 3.0 if x > 1.0 else -x
>>> [(node.primitive.name, node.params) for node in recorder.nodes if node.primitive]
[('less', {}), ('guard', {'expected': True, 'how': 'truth'}), ('multiply', {})]
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias, final

import numpy as np

from xformad.core.graph import Node, component
from xformad.core.guards import GuardError, any_, guard
from xformad.core.interpreter import SCALAR, Interpreter, Spec, spec_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.source import user_line
from xformad.core.typing import Params, ShapeDtype, Value
from xformad.errors import ConcretizationError
from xformad.interpreters.snapshots import Snapshots
from xformad.interpreters.trace import Traced


class Recorded(NamedTuple):
    """How a primitive that holds functions is recorded.

    Attributes:
        params: the parameters, with graphs in the place of functions.
        value: the result.
        unsized: the components of the result whose lengths depend on values.
        free: the operands that may have other lengths.
    """

    params: Params
    value: tuple[Value, ...]
    unsized: Collection[int] = ()
    free: Collection[int] = ()


RecordingRule: TypeAlias = Callable[..., Recorded | None]
"""Of the plain operands and the parameters: what is recorded; or None."""

recording_rules: Final[dict[Primitive, RecordingRule]] = {}
"""What records a primitive that holds functions as one operation. Where a rule finds that it cannot be, and returns None,
the functions are run on the tracers."""


PYTHON_NUMBERS: Final = frozenset((bool, int, float, complex))


class ForeignTracerError(Exception):
    """A function that is recorded for itself, the body of a loop, uses values traced around it: it is no closed graph."""


class NotRecordableError(ConcretizationError):
    """What a program does with a recorded value cannot be recorded, so that nothing that depends on it would be noticed: it
    makes a plain array of it, or catches an error.
    """


@final
class Recorder(Interpreter):
    """Records a program and its guards. Nodes keep constants, but not the values of what was recorded; only, of Python's
    numbers, the type, as their dtype gives way to that of arrays.

    Attributes:
        nodes: all that was recorded, in order.
        lines: the user's line of each guard, for messages; of all equations, if they are `located`.
        failure: which operation raised an error, if one did. A program that catches it goes a way of which the recording
            does not know the condition.
        unsized: the numbers of nodes whose lengths depend on values. Whoever asks for a length takes it for granted.
    """

    name: ClassVar[str] = "jit"
    carries: ClassVar[str] = "recording"

    def __init__(self, fun: Callable[..., Any] | None = None, *, located: bool = False) -> None:
        super().__init__(fun)
        self.located = located
        self.nodes: list[Node] = []
        self.snapshots = Snapshots()
        self.guarded: set[tuple[Node, str]] = set()
        self.lines: dict[Node, str] = {}
        self.failure = ""
        self.unsized: set[int] = set()

    def input(self, value: Value) -> Tracer:
        """A tracer for an argument."""
        return Tracer(self, value, self.record(value, None, (), {}, (), Traced(())))

    def spec(self, tracer: Tracer) -> ShapeDtype:
        node: Node = tracer.extra
        if node.number in self.unsized:
            self.take_for_granted(tracer, node.shape, "shape")
        return node.spec

    def record(
        self,
        value: Value,
        primitive: Primitive | None,
        args: tuple[Value, ...],
        params: Params,
        parents: tuple[Node, ...],
        traced: Traced,
    ) -> Node:
        kept: Any = None
        if isinstance(value, tuple):
            spec = SCALAR
            kept = tuple([Spec(*spec_of(part)) for part in value])
        else:
            spec = spec_of(value)
            if type(value) in PYTHON_NUMBERS:
                kept = type(value)
        node = Node(len(self.nodes) + 1, kept, primitive, args, params, parents, spec, traced)
        self.nodes.append(node)
        return node

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        values = list(args)
        kept = list(args)
        positions = []
        parents = []
        for i, arg in enumerate(args):
            if type(arg) is Tracer:
                if arg.interpreter is not self:
                    raise ForeignTracerError
                values[i] = arg.value
                kept[i] = None
                positions.append(i)
                parents.append(arg.extra)
            elif type(arg) is np.ndarray:
                kept[i] = self.snapshots.of(arg)
        rule = recording_rules.get(primitive)
        try:
            found = None if rule is None else rule(*values, **params)
        except GuardError:  # a user's primitive in a loop returned another shape in another step
            found = None
        if rule is not None and found is None:
            return primitive.implementation(*args, **params)
        if self.unsized:
            for i in positions:
                if found is None or i not in found.free:
                    self.spec(args[i])
        if found is None:
            try:
                value = primitive.bind(*values, **params)
            except Exception as error:
                self.failure = (
                    f"{primitive.name} at {user_line()} raised {type(error).__name__}, which the program caught"
                )
                raise
        else:
            params, value = found.params, found.value
        node = self.record(value, primitive, tuple(kept), params, tuple(parents), Traced(tuple(positions)))
        if self.located or primitive is guard:
            self.lines[node] = user_line()
        if not primitive.multiple:
            return Tracer(self, value, node)
        parts = self.components(value, node)
        if found is not None:
            self.unsized.update([parts[i].extra.number for i in found.unsized])
        return parts

    def components(self, value: tuple[Value, ...], whole: Node) -> tuple[Value, ...]:
        """The components of a tuple."""
        nodes = [
            self.record(part, component, (None,), {"index": i}, (whole,), Traced((0,))) for i, part in enumerate(value)
        ]
        return tuple([Tracer(self, part, node) for part, node in zip(value, nodes, strict=True)])

    def check(self) -> None:
        """Called when the program has run.

        Raises:
            NotRecordableError: if it caught an error of an operation's.
        """
        if self.failure:
            raise NotRecordableError(f"{self.failure}; whether it does so for other numbers is not known")

    def take_for_granted(self, tracer: Tracer, expected: Any, how: str) -> None:
        """Record that the program's course depends on a value."""
        if not self.live:
            self.escaped()
        if (tracer.extra, how) not in self.guarded:
            self.guarded.add((tracer.extra, how))
            params = {"expected": expected, "how": how}
            node = self.record(tracer.value, guard, (None,), params, (tracer.extra,), Traced((0,)))
            self.lines[node] = user_line()

    def truth(self, tracer: Tracer) -> bool:
        expected = bool(tracer.value)
        self.take_for_granted(tracer, expected, "truth")
        return expected

    def index(self, tracer: Tracer) -> int:
        value = tracer.value
        expected = int(value) if isinstance(value, np.floating) else operator.index(value)  # rounded by `math.floor`
        self.take_for_granted(tracer, expected, "index")
        return expected

    def anywhere(self, tracer: Tracer) -> bool:
        return self.truth(any_.bind(tracer))

    def agreed(self, tracer: Tracer) -> Value:
        value = tracer.value
        self.take_for_granted(tracer, self.snapshots.of(value) if type(value) is np.ndarray else value, "value")
        return value

    def plain(self, tracer: Tracer) -> Value:
        return self.agreed(tracer)

    def concretize(self, tracer: Tracer, how: str) -> Value:
        """Numbers may be looked at. What becomes a plain array is lost: `xformad.numpy.array` relies on the error."""
        if how == "int(x)":
            expected = int(tracer.value)
            self.take_for_granted(tracer, expected, "integer")
            return expected
        if how != "numpy.asarray(x)":
            return self.agreed(tracer)
        try:
            return super().concretize(tracer, how)
        except ConcretizationError as error:
            raise NotRecordableError(*error.args) from None
