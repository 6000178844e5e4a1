"""Watching interpreters at work: what `xformad.debug_nans` and `xformad.profile` stand on.

A `Watcher` is told of every operation that an interpreter of this thread processes, and of every message that a node sends
in a backward pass, with the user's line of the operation that the node recorded. `Bottom` is an interpreter to be watched
where there is no other: it runs operations one level below, that is, on NumPy.

>>> import numpy as np
>>> from xformad.interpreters.vjp import backward_pass
>>> class Printer(Watcher):
...     def applied(self, application, out):
...         print("applied", application.primitive.name)
...     def sent(self, place, node, g, messages):
...         print("sent by", place.primitive.name)
>>> with Printer(), Vjp() as tape:
...     y = np.sin(tape.input(2.0))
...     gradient = backward_pass([(y.extra, 1.0)], [y.extra.parents[0]])
applied sin
sent by sin

Nothing of this is in the way of who is not watched. The thread's stack of interpreters is replaced by one that tells the
watcher who enters it, and these interpreters get another `process`.
"""

from __future__ import annotations

import copy
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple, Self, final

from xformad import tree
from xformad.core.graph import Node, component
from xformad.core.interpreter import Interpreter, dtype_of, held, stack
from xformad.core.primitive import Primitive, Tracer
from xformad.core.source import user_frame, user_line
from xformad.core.typing import Params, Value
from xformad.core.views import argument
from xformad.interpreters.vjp import Vjp, sent_by
from xformad.interpreters.vjp_rules import entries


@final
class Application(NamedTuple):
    """A primitive applied under an interpreter, to arguments of which at least one is its tracer."""

    interpreter: Interpreter
    primitive: Primitive
    args: tuple[Value, ...]
    params: Params


@final
class Place(NamedTuple):
    """Where a node of a tape was recorded: the operation, the user's line, and the operands."""

    primitive: Primitive
    line: str
    args: tuple[Value, ...]


class WatchedStack(list[Interpreter]):
    """A thread's stack of interpreters, while somebody watches who enters it.

    Attributes:
        watchers: who does, the newest last.
        plainly: whether one of them has functions under `jit` run as they are.
    """

    def __init__(self, live: Sequence[Interpreter], watchers: tuple[Watcher, ...]) -> None:
        super().__init__(live)
        self.watchers = watchers
        self.plainly = any(watcher.plainly for watcher in watchers)

    def run(self, fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a function, its operations seen by the watchers."""
        return fun(*args, **kwargs) if self else Bottom(fun).run(fun, args, kwargs)

    def append(self, interpreter: Interpreter) -> None:
        super().append(interpreter)
        for watcher in self.watchers:
            watcher.watch(interpreter)


class Watcher(ABC):
    """Watches the interpreters of the thread in which it is entered.

    Attributes:
        plainly: whether functions under `jit` are to be run as they are, so that their operations are seen.
        chain: what is going on, the outermost first: operations that are being processed, and nodes that send messages.
    """

    plainly: ClassVar[bool] = False

    def __init__(self) -> None:
        self.chain: list[Application | Place] = []
        self.before: list[tuple[Interpreter, Any]] = []

    @abstractmethod
    def applied(self, application: Application, out: Value) -> None:
        """Called when an interpreter has processed an operation."""

    @abstractmethod
    def sent(self, place: Place, node: Node, g: Value, messages: Sequence[Value]) -> None:
        """Called when a node has made of its cotangent g what it sends to its parents."""

    def __enter__(self) -> Self:
        live = stack.live
        watchers = live.watchers if isinstance(live, WatchedStack) else ()
        for interpreter in live:
            self.before.append((interpreter, vars(interpreter).get("process")))
            self.watch(interpreter)
        stack.live = WatchedStack(live, (*watchers, self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        live = stack.live
        assert isinstance(live, WatchedStack)
        watchers = tuple([watcher for watcher in live.watchers if watcher is not self])
        stack.live = WatchedStack(live, watchers) if watchers else list(live)
        while self.before:
            interpreter, process = self.before.pop()
            if process is None:
                vars(interpreter).pop("process", None)
            else:
                vars(interpreter)["process"] = process

    def watch(self, interpreter: Interpreter) -> None:
        """Give an interpreter a `process` that tells of what it does."""
        processed = interpreter.process
        chain = self.chain

        def process(primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
            application = Application(interpreter, primitive, args, params)
            chain.append(application)
            try:
                out = self.process(application, processed)
                self.applied(application, out)
            finally:
                chain.pop()
            if type(interpreter) is Vjp:
                self.mark(interpreter, Place(primitive, self.line(), args), out)
            return out

        vars(interpreter)["process"] = process

    def process(self, application: Application, processed: Callable[..., Value]) -> Value:
        """Have the interpreter do its work."""
        return processed(application.primitive, application.args, application.params)

    def line(self) -> str:
        """The user's line of what is going on; in a backward pass that of the operation whose node sends messages.

        Rules of operations that hold functions (`checkpoint`) run the user's program again: then it is the line in it.
        """
        place = self.place()
        if place is None:
            return user_line()
        line, frame = place.line, sys._getframe()
        entry = entries.get(place.primitive)
        if entry is not None and entry.joint is not None:
            users = user_frame()[0]
            while frame.f_back is not None and frame.f_code is not SENDING:
                if frame is users:
                    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
                frame = frame.f_back
        return line

    def place(self) -> Place | None:
        """Where the node was recorded that is sending messages, if one is."""
        for each in reversed(self.chain):
            if type(each) is Place:
                return each
        return None

    def mark(self, tape: Vjp, place: Place, out: Value) -> None:
        """Have the nodes of a result send their messages through `send`."""
        for part in out if place.primitive.multiple else (out,):
            if type(part) is not Tracer or part.interpreter is not tape:
                continue
            node: Node = part.extra
            if node.primitive is component:
                node = node.parents[0]
            plan = node.plan
            if plan is None or node.primitive is not place.primitive or is_watched_by(plan.watch, self):
                continue
            node.plan = copy.copy(plan)
            node.plan.joint = True
            node.plan.watch = Messages(self, place, sent_by if plan.watch is None else plan.watch)


@final
class Messages:
    """Sends a node's messages, and tells the watcher."""

    __slots__ = ("place", "send", "watcher")

    def __init__(self, watcher: Watcher, place: Place, send: Callable[[Node, Value], Sequence[Value]]) -> None:
        self.watcher = watcher
        self.place = place
        self.send = send

    def __call__(self, node: Node, g: Value) -> Sequence[Value]:
        watcher = self.watcher
        watcher.chain.append(self.place)
        try:
            messages = self.send(node, g)
            watcher.sent(self.place, node, g, messages)
        finally:
            watcher.chain.pop()
        return messages


SENDING: Final = Messages.__call__.__code__


def is_watched_by(watch: Any, watcher: Watcher) -> bool:
    while isinstance(watch, Messages):
        if watch.watcher is watcher:
            return True
        watch = watch.send
    return False


@final
class Bottom(Interpreter):
    """Runs operations one level below, on NumPy where there is none: a program is what it is without, but can be watched.

    Args:
        fun: the function, for messages.
        compiled: whether functions under `jit` are run compiled.
    """

    name: ClassVar[str] = "watching"
    carries: ClassVar[str] = "trace"

    def __init__(self, fun: Callable[..., Any] | None = None, *, compiled: bool = False) -> None:
        super().__init__(fun)
        self.runs_compiled = compiled

    def input(self, value: Value) -> Tracer:
        """A tracer for an argument."""
        return argument(self, held(value), None)

    def lifted(self, value: Any) -> Any:
        """A tracer for a leaf of an argument; what is no number as it is."""
        if isinstance(value, bool | str | bytes) or value is None or type(value) is Tracer:
            return value
        return self.input(value) if dtype_of(value).kind in "fciu" else value

    def lowered(self, value: Value) -> Value:
        """What a value of the program is outside of it."""
        value = held(value)
        return value.value if type(value) is Tracer and value.interpreter is self else value

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        values = [arg.value if type(arg) is Tracer and arg.interpreter is self else arg for arg in args]
        out = primitive.bind(*values, **params)
        return tuple([Tracer(self, part, None) for part in out]) if primitive.multiple else Tracer(self, out, None)

    def concretize(self, tracer: Tracer, how: str) -> Value:
        """What follows is not seen, and nothing is lost by it."""
        value = tracer.value
        return value.interpreter.concretize(value, how) if type(value) is Tracer else value

    def run(self, fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a function, its operations run by this interpreter."""
        with self:
            args, kwargs = tree.map(self.lifted, (args, kwargs))
            out = fun(*args, **kwargs)
        return tree.map(self.lowered, out)
