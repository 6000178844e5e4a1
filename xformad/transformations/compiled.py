"""Functions of flat arrays that are recorded once and compiled: what `jit` is made of.

A `Compiled` function keeps, for each combination of shapes and dtypes, the paths that its runs have taken so far. A path
is a recorded run with its guards. A call tries the paths, and where none fits it records another one.

Under transformations it stays one operation, `jit_call`: forward mode and `vmap` make another compiled function of it, and
reverse mode two, one for the way forward, which returns what the way back needs too, and one for the way back.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, final

import numpy as np

from xformad.compiler.backends import program_of
from xformad.compiler.passes import simplified
from xformad.compiler.replay import Program
from xformad.core.graph import Graph
from xformad.core.guards import GuardError, guard
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import ManyPathsWarning
from xformad.interpreters.batch_rules import Batched, batch_rules
from xformad.interpreters.cotangents import unmasked
from xformad.interpreters.evaluate import evaluate
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole
from xformad.interpreters.recording import Recorder
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.transformations.calls import (
    Call,
    FlatFunction,
    batched_over,
    floating,
    name_of,
    named,
    pulled_back,
    pushed_forward,
    split_tangents,
)
from xformad.transformations.recorded import graph_of, joint, parted

Key: TypeAlias = tuple[Any, ...]

MAX_PATHS: Final = 16
"""How many paths are kept for one combination of shapes and dtypes. Beyond, the function is run as it is."""

RECORDING: Final = threading.RLock()
"""One thread at a time records. It is one lock for all functions, so that two that call each other cannot wait for ever."""

MAX_KEYS: Final = 64
"""How many combinations of shapes and dtypes are kept; the one not used for longest goes first."""


def key_of(values: Sequence[Value]) -> Key:
    """What a recording holds for: the types, shapes and dtypes of the arguments."""
    return tuple([(x.dtype, x.shape) if type(x) is np.ndarray else type(x) for x in values])


@final
class Pair(NamedTuple):
    """A path in reverse mode.

    Attributes:
        forward: of the arguments: the results, then the residuals.
        backward: of the residuals and the cotangents: those of the wanted arguments.
        results: how many results there are.
        return_way: the graph of `backward`.
        guarded: whether the way back has guards, which another cotangent may not fulfil.
    """

    forward: Program
    backward: Program
    results: int
    return_way: Graph
    guarded: bool


@final
class Compiled:
    """A function of arrays that returns a tuple of arrays, recorded and compiled as it is called.

    Args:
        fun: the function. Traced values must not reach it by closures.
    """

    def __init__(self, fun: FlatFunction, name: str = "") -> None:
        self.fun = fun
        self.__name__ = name or name_of(fun)
        self.paths: dict[Key, list[Program]] = {}
        self.pairs: dict[Key, list[Pair]] = {}
        self.derived: dict[Key, Compiled] = {}
        self.warned = False

    def __call__(self, *values: Value) -> tuple[Value, ...]:
        for x in values:
            if type(x) is Tracer:
                return self.fun(*values)
        key = key_of(values)
        for path in self.paths.get(key, ()):
            try:
                return tuple(path.run(*values))
            except GuardError:
                continue
        with RECORDING:
            for path in self.paths.get(key, ()):  # another thread may have recorded it meanwhile
                try:
                    return tuple(path.run(*values))
                except GuardError:
                    continue
            if len(self.paths.get(key, ())) >= MAX_PATHS:
                self.warn()
            else:
                return self.record(key, values)
        return self.fun(*values)

    def record(self, key: Key, values: Sequence[Value]) -> tuple[Value, ...]:
        """Run the function and keep the way that it takes."""
        with Recorder(self.fun) as recorder:
            inputs = [recorder.input(x) for x in values]
            outs = self.fun(*inputs)
        graph = graph_of(self.__name__, recorder, inputs, outs)
        self.keep(self.paths, key, program_of(simplified(graph)))
        return tuple([x.value if type(x) is Tracer and x.interpreter is recorder else x for x in outs])

    def keep(self, table: dict[Key, list[Any]], key: Key, path: Any) -> None:
        """Add a path; what was not used for longest is dropped."""
        table[key] = [*table.get(key, ()), path]  # another list: threads may be going through the one before
        while len(table) > MAX_KEYS:
            table.pop(next(iter(table)))

    def warn(self) -> None:
        """Say once that there are too many paths."""
        if not self.warned:
            self.warned = True
            warnings.warn(
                f"jit of {self.__name__} has taken {MAX_PATHS} different ways through the program for arguments of the "
                "same shapes, and runs it as it is from now on",
                ManyPathsWarning,
                stacklevel=2,
            )

    def made(self, key: Key, make: Callable[[], FlatFunction]) -> Compiled:
        """A compiled function derived from this one, made once."""
        found = self.derived.get(key)
        return self.derived.setdefault(key, Compiled(make())) if found is None else found

    def pair(self, wanted: tuple[bool, ...], values: Sequence[Value]) -> tuple[Pair, list[Value]] | None:
        """The path in reverse mode for these arguments, and what its way forward returns; None if there are too many."""
        key = (wanted, *key_of(values))
        for pair in self.pairs.get(key, ()):
            try:
                return pair, pair.forward.run(*values)
            except GuardError:
                continue
        with RECORDING:
            pairs = self.pairs.get(key, ())
            if len(pairs) >= MAX_PATHS:
                self.warn()
                return None
            recorded = record_pair(self.fun, wanted, values)
            self.keep(self.pairs, key, recorded)
        return recorded, recorded.forward.run(*values)


def record_pair(fun: FlatFunction, wanted: tuple[bool, ...], values: Sequence[Value]) -> Pair:
    """Record a run together with its way back, part the two, and compile them."""
    recorded = joint(fun, wanted, values)
    count = len(recorded.results)
    forward, backward, _ = parted(recorded.graph, len(values), count)
    guarded = any(node.primitive is guard for node in backward.equations)
    return Pair(program_of(forward), program_of(backward), count, backward, guarded)


class JitCall(Call):
    """A call of a `Compiled` function, which reverse and forward mode and `vmap` keep one operation."""

    def seen(self, values: Sequence[Value]) -> bool:
        return True


def jit_value(*args: Value, fun: Compiled) -> tuple[Value, ...]:
    return fun(*args)


def jit_vjp(
    *args: Value, fun: Compiled, wanted: tuple[bool, ...]
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    found = None if any(type(x) is Tracer for x in args) else fun.pair(wanted, args)
    if found is None:
        return jit_vjp_again(*args, fun=fun, wanted=wanted)
    pair, results = found
    ans, residuals = tuple(results[: pair.results]), results[pair.results :]
    smooth = [floating(x) for x in ans]
    again = args if pair.guarded else None

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [unmasked(each) for each, s in zip(g, smooth, strict=True) if s]
        if any(type(each) is Tracer for each in given):
            found = iter(jit_call.bind(*residuals, *given, fun=pair_function(fun, pair)))
        else:
            try:
                found = iter(pair.backward.run(*residuals, *given))
            except GuardError:
                assert again is not None
                return pulled(again, given)
        return [next(found) if w else None for w in wanted]

    def pulled(args: tuple[Value, ...], given: list[Value]) -> list[Value]:
        found = iter(backwards(fun, wanted, smooth)(*args, *given))
        return [next(found) if w else None for w in wanted]

    return ans, pullback


def pair_function(fun: Compiled, pair: Pair) -> Compiled:
    """The way back as a function that can be transformed."""
    return fun.made(("backward", id(pair)), lambda: bindable(pair.return_way))


def bindable(graph: Graph) -> FlatFunction:
    """A graph as a function of values that may be traced."""

    def run(*values: Value) -> tuple[Value, ...]:
        found: tuple[Value, ...] = tuple(evaluate(graph, *values))
        return found

    return named(run, "backward", run)


def backwards(fun: Compiled, wanted: tuple[bool, ...], smooth: list[bool]) -> Compiled:
    """The function of arguments and cotangents: it runs forward again, and back."""
    return fun.made(("vjp", wanted, tuple(smooth)), lambda: pulled_back(fun.fun, wanted, smooth))


def jit_vjp_again(
    *args: Value, fun: Compiled, wanted: tuple[bool, ...]
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    """Where arguments are traced by others, the way back runs forward again."""
    ans = jit_call.bind(*args, fun=fun)
    smooth = list(map(floating, ans))

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [unmasked(each) for each, s in zip(g, smooth, strict=True) if s]
        found = iter(jit_call.bind(*args, *given, fun=backwards(fun, wanted, smooth)))
        return [next(found) if w else None for w in wanted]

    return ans, pullback


def jit_jvp(tangents: Tangents, *args: Value, fun: Compiled) -> tuple[list[Value], list[Value]]:
    moving = tuple([t is not None for t in tangents])
    pushed = fun.made(("jvp", moving), lambda: pushed_forward(fun.fun, moving))
    return split_tangents(jit_call.bind(*args, *[t for t in tangents if t is not None], fun=pushed))


def jit_batch(size: int, batched: Batched, *args: Value, fun: Compiled) -> tuple[Value, ...]:
    run = fun.made(("vmap", size, tuple(batched)), lambda: batched_over(fun.fun, size, batched))
    return jit_call.bind(*args, fun=run)  # type: ignore[no-any-return]


jit_call = JitCall("jit", jit_value)
defvjp_joint(jit_call, jit_vjp)
defjvp_whole(jit_call, jit_jvp)
batch_rules[jit_call] = jit_batch
