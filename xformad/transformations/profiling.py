"""`profile`: where the time of a program goes, by operation and by line.

>>> def fun(x):
...     return np.sum(np.tanh(x) ** 2)
>>> from xformad import grad
>>> report = profile(grad(fun))(np.ones(1000))
>>> sorted((row.phase, row.operation, row.calls, row.flops) for row in report.rows if row.phase == "forward")
[('forward', 'power', 1, 10000), ('forward', 'sum', 1, 1000), ('forward', 'tanh', 1, 10000)]

An interpreter runs the program one level below all others, so that every operation passes through it, those of the rules
of derivatives, too. Functions under `jit` run compiled: a copy of the compiled program, with a look at the clock between
its lines, stands for it while the profile is made.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from types import FrameType
from typing import Any, ParamSpec, TypeAlias, TypeVar, final

import numpy as np

from xformad.compiler.kernels import body_of
from xformad.compiler.replay import Program
from xformad.compiler.timing import TIMED
from xformad.core.graph import Node, component
from xformad.core.primitive import Tracer
from xformad.core.source import user_frame
from xformad.core.typing import ShapeDtype, Value
from xformad.interpreters.cotangents import Masked
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.interpreters.watching import Application, Bottom, Place, Watcher
from xformad.transformations.compiled import Compiled
from xformad.transformations.compiled_rules import jit_call
from xformad.transformations.costs import bytes_of, flops_of
from xformad.transformations.jit import family
from xformad.transformations.profiles import Profile, Row

P = ParamSpec("P")
R = TypeVar("R")


Spent: TypeAlias = tuple[int, float, int, int | None]
"""Calls, seconds, bytes, flops."""


@final
class Profiler(Watcher):
    """Takes the time of what reaches the bottom, and of compiled programs.

    Attributes:
        spent: calls, seconds, bytes and flops, by phase, operation and line.
    """

    def __init__(self, bottom: Bottom) -> None:
        super().__init__()
        self.bottom = bottom
        self.spent: dict[tuple[str, str, str], Spent] = {}
        self.programs: dict[int, Program] = {}
        self.started: tuple[Program, int, float] | None = None
        self.where = ("forward", "?")

    def applied(self, application: Application, out: Value) -> None:
        """All is done in `process`."""

    def sent(self, place: Place, node: Node, g: Value, messages: Sequence[Value]) -> None:
        """The operations of the rules have been seen by themselves."""

    def phase(self) -> str:
        """Whether a backward pass is going on in the user's line."""
        if self.place() is not None:
            return "backward"
        frame = user_frame()[0]
        walk: FrameType | None = sys._getframe()
        while walk is not None and walk is not frame:
            if walk.f_code is backward_pass.__code__:
                return "backward"
            walk = walk.f_back
        return "forward"

    def spend(
        self, where: tuple[str, str], operation: str, seconds: float, moved: int, flops: int | None, calls: int = 1
    ) -> None:
        key = (where[0], operation, where[1])
        before = self.spent.get(key, (0, 0.0, 0, 0))
        total = None if flops is None or before[3] is None else before[3] + flops
        self.spent[key] = (before[0] + calls, before[1] + seconds, before[2] + moved, total)

    def rows(self) -> list[Row]:
        return [
            Row(phase, operation, line, calls, seconds, moved, flops)
            for (phase, operation, line), (calls, seconds, moved, flops) in self.spent.items()
        ]

    def process(self, application: Application, processed: Callable[..., Value]) -> Value:
        interpreter, primitive, args, params = application
        if primitive is jit_call:
            return self.compiled(application, processed)
        if interpreter is not self.bottom:
            return processed(primitive, args, params)
        where = (self.phase(), self.line())
        start = perf_counter()
        out = processed(primitive, args, params)
        seconds = perf_counter() - start
        operands = [self.bottom.lowered(arg) for arg in args]
        outs = [self.bottom.lowered(part) for part in (out if primitive.multiple else (out,))]
        specs: list[ShapeDtype] = [(np.shape(each), np.asarray(each).dtype) for each in outs]
        flops = flops_of(primitive.name, specs, list(map(np.shape, operands)), params)
        self.spend(where, primitive.name, seconds, bytes_of(outs, operands), flops)
        return out

    # Compiled programs.

    def compiled(self, application: Application, processed: Callable[..., Value]) -> Value:
        """Run a function under `jit`. Reverse mode is given plain values, so that it runs what it does unwatched."""
        tape, primitive, args, params = application
        own = [type(arg) is Tracer and arg.interpreter is tape for arg in args]
        if type(tape) is Vjp:
            inside = [self.bottom.lowered(arg.value if o else arg) for arg, o in zip(args, own, strict=True)]
            if any(type(x) is Tracer for x in inside):
                return processed(primitive, args, params)
            args = tuple([Tracer(tape, x, arg.extra) if o else x for x, arg, o in zip(inside, args, own, strict=True)])
        elif tape is not self.bottom:
            return processed(primitive, args, params)
        fun: Compiled = params["fun"]
        self.where = (self.phase(), self.line())
        self.instrument(fun)
        before = recordings(fun)
        start = perf_counter()
        out = processed(primitive, args, params)
        if recordings(fun) != before:
            self.spend(self.where, f"{fun.__name__}: record and compile", perf_counter() - start, 0, None)
            self.instrument(fun)
            out = processed(primitive, args, params)
        if type(tape) is Vjp:
            self.lift(tape, out)
        return out

    def lift(self, tape: Vjp, out: Sequence[Value]) -> None:
        """Have what comes after a compiled function in reverse mode, forward and back, be seen again."""
        whole: dict[Node, None] = {}
        for part in out:
            if type(part) is Tracer and part.interpreter is tape:
                part.value = self.bottom.lifted(part.value)
                whole[part.extra.parents[0]] = None
        for node in whole:
            node.args = (partial(self.pulled, node.args[0]),)

    def pulled(self, pullback: Callable[[Any], list[Value]], g: Sequence[Value]) -> list[Value]:
        self.where = ("backward", self.line())
        return [self.bottom.lifted(x) for x in pullback(tuple(map(self.lowered, g)))]

    def lowered(self, g: Value) -> Value:
        if type(g) is Masked:
            return Masked(self.bottom.lowered(g.g), self.bottom.lowered(g.mask), g.full)
        return self.bottom.lowered(g)

    def instrument(self, fun: Compiled) -> None:
        """Have a function's programs look at the clock between their lines."""
        for program in programs_of(fun):
            if id(program) not in self.programs:
                self.programs[id(program)] = program
                TIMED.enter(program)

    def tick(self, program: Program, position: int) -> None:
        """Called in a program before the equation of a position, and in the end."""
        now = perf_counter()
        if self.started is not None and self.started[:2] == (program, position - 1):
            self.charge(program.places[position - 1][1], now - self.started[2])
        self.started = (program, position, perf_counter())

    def charge(self, node: Node, seconds: float) -> None:
        """Write down what an equation took."""
        part = node.primitive is component  # which is no operation of its own
        calls = 0 if part else 1
        if part:
            node = node.parents[0]
        outs = node.value if isinstance(node.value, tuple) else (node,)
        moved = calls * sum(size_in_bytes(x) for x in (*node.parents, *outs))
        body = body_of(node.primitive)
        if body is None:
            specs = [(x.shape, x.dtype) for x in outs]
            name = name_of(node)
            found = [flops_of(name, specs, shapes_of(node), node.params)]
        else:
            counts = Counter(name_of(inner) for inner in body.equations)
            name = "kernel of " + ", ".join(each if n == 1 else f"{n} {each}" for each, n in counts.items())
            found = [flops_of(name_of(each), [each.spec], shapes_of(each), each.params) for each in body.equations]
        known = [calls * flops for flops in found if flops is not None]
        self.spend(self.where, name, seconds, moved, sum(known) if known else None, calls)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for program in self.programs.values():
            TIMED.leave(program)
        self.programs.clear()


def recordings(fun: Compiled) -> int:
    return sum(each.recordings for each in family(fun))


def programs_of(fun: Compiled) -> Iterator[Program]:
    """The programs of a compiled function, and of those that transformations made of it."""
    for each in family(fun):
        for ways in each.paths:
            for path in ways.known:
                yield path.program
        for pairs in each.pairs:
            for pair in pairs.known:
                yield pair.forward
                yield pair.backward


def name_of(node: Node) -> str:
    return "input" if node.primitive is None else node.primitive.name


def shapes_of(node: Node) -> list[tuple[int, ...]]:
    """The shapes of an equation's operands."""
    parents = dict(zip(node.argnums, node.parents, strict=True))
    return [parents[i].shape if i in parents else np.shape(arg) for i, arg in enumerate(node.args)]


def size_in_bytes(x: Any) -> int:
    """Of a node, or of one of its results."""
    return int(np.prod(x.shape)) * int(x.dtype.itemsize)


def profile(fun: Callable[P, R]) -> Callable[P, Profile[R]]:
    """The function that runs another one and tells where its time went.

    Times are of the operations only, not of Python's work between them; small arrays are seen with what it costs to see
    them, so call with arguments as large as in earnest. For a function under `jit`, call it once before: else it is
    recorded and compiled, which gets a row of its own, and run again.

    Args:
        fun: a function of pytrees. It may be a transformed one, as `profile(grad(fun))`.

    Returns:
        A function of the same arguments. Its result has a table as its text; `rows`, `by_operation`, `by_line` and `total`
        have the numbers, and `value` the result of `fun`.

    >>> report = profile(lambda x: np.exp(x) @ x)(np.ones(100))
    >>> report.value, sorted((row.operation, row.flops, row.bytes) for row in report.rows)
    (np.float64(271.828...), [('exp', 1000, 1600), ('matmul', 200, 1608)])
    """

    def run(*args: P.args, **kwargs: P.kwargs) -> Profile[R]:
        __tracebackhide__ = True
        bottom = Bottom(fun, compiled=True)
        profiler = Profiler(bottom)
        before = getattr(TIMED.thread, "tick", None)
        TIMED.thread.tick = profiler.tick
        try:
            with profiler:
                value = bottom.run(fun, args, kwargs)
        finally:
            TIMED.thread.tick = before
        return Profile(value, profiler.rows())

    return run
