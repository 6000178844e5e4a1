"""Compiled functions under transformations: they stay one operation, `jit_call`.

Forward mode and `vmap` make another compiled function of one, and reverse mode two: one for the way forward, which returns
what the way back needs too, and one for the way back. Both come from one recording of the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from xformad.compiler.backends import program_of
from xformad.compiler.replay import Program
from xformad.core.graph import Graph
from xformad.core.guards import GuardError
from xformad.core.interpreter import Interpreter, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import Batched, batch_rules
from xformad.interpreters.cotangents import Masked, unmasked
from xformad.interpreters.evaluate import evaluate
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole
from xformad.interpreters.recording import NotRecordableError
from xformad.interpreters.vjp_rules import defvjp_joint, entries
from xformad.transformations.calls import (
    Call,
    FlatFunction,
    batched_over,
    floating,
    named,
    pulled_back,
    pushed_forward,
    split_tangents,
)
from xformad.transformations.compiled import Compiled, Guarded, Ways, is_plain, key_of, turn
from xformad.transformations.recorded import joint, parted


@final
class Pair:
    """A path in reverse mode.

    Attributes:
        forward: of the arguments: the results, then the residuals.
        backward: of the residuals and the cotangents: those of the wanted arguments, and masks.
        masked: for each of these cotangents whether it has a mask.
        results: how many results there are.
        return_way: the graph of `backward`.
        guarded: what was taken for granted.
        calls: how often it was run.
    """

    __slots__ = ("backward", "calls", "forward", "guarded", "masked", "results", "return_way")

    def __init__(
        self, forward: Graph, backward: Graph, results: int, masked: tuple[bool, ...], guarded: Guarded
    ) -> None:
        self.forward: Program = program_of(forward)
        self.backward: Program = program_of(backward)
        self.results = results
        self.masked = masked
        self.return_way = backward
        self.guarded = guarded
        self.calls = 0


def pair_for(fun: Compiled, wanted: tuple[bool, ...], values: Sequence[Value]) -> tuple[Pair, list[Value]] | None:
    """The path in reverse mode for these arguments, and what its way forward returns; None if the function is to be run as
    it is.
    """
    key = (wanted, *key_of(values))
    ways: Ways[Pair] = fun.pairs.get(key) or fun.pairs.add(key, Ways())
    try:
        found = gone_forward(ways.known, values)
    except Exception:  # the program may catch it, or else raises it again
        return None
    if found is not None:
        return found
    if ways.plain:
        fun.many(ways.known)
        return None
    with turn():
        found = gone_forward(ways.known, values)
        if found is None:
            try:
                pair = record_pair(fun.fun, wanted, values)
            except NotRecordableError as error:
                fun.refused(ways, error)
                return None
            fun.recordings += 1
            if ways.add(pair):
                found = gone_forward([pair], values)
    return found


def gone_forward(known: Sequence[Pair], values: Sequence[Value]) -> tuple[Pair, list[Value]] | None:
    """What the way forward of one of the paths returns, if it fits."""
    for pair in known:
        try:
            found = pair.forward.run(*values)
        except GuardError:
            continue
        pair.calls += 1
        return pair, found
    return None


def record_pair(fun: FlatFunction, wanted: tuple[bool, ...], values: Sequence[Value]) -> Pair:
    """Record a run together with its way back, part the two, and compile them."""
    recorded = joint(fun, wanted, values, masks=True)
    count = len(recorded.results)
    forward, backward, _ = parted(recorded.graph, len(values), count)
    return Pair(forward, backward, count, recorded.masked, Guarded(recorded.recorder))


class JitCall(Call):
    """A call of a `Compiled` function, which reverse and forward mode and `vmap` keep one operation."""

    def seen(self, values: Sequence[Value]) -> bool:
        return True

    def kept(self, interpreter: Interpreter, args: tuple[Value, ...]) -> bool:
        return interpreter.runs_compiled or super().kept(interpreter, args)


def jit_value(*args: Value, fun: Compiled) -> tuple[Value, ...]:
    return fun(*args)


def jit_vjp(
    *args: Value, fun: Compiled, wanted: tuple[bool, ...]
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    found = pair_for(fun, wanted, args) if all(map(is_plain, args)) else None
    if found is None:  # traced by others, too, or run as it is: the way back runs forward again
        ans = tuple(jit_call.bind(*args, fun=fun))
        return ans, again(fun, wanted, args, ans)
    pair, results = found
    ans, residuals = tuple(results[: pair.results]), results[pair.results :]
    smooth = list(map(floating, ans))
    fall_back = again(fun, wanted, args, ans)

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [each for each, s in zip(g, smooth, strict=True) if s]
        kinds = set(map(type, given))
        if Masked in kinds:  # the way back was recorded for cotangents without masks
            return fall_back(g)
        if Tracer in kinds:
            found = jit_call.bind(*residuals, *given, fun=pair_function(fun, pair))
        else:
            try:
                found = pair.backward.run(*residuals, *given)
            except GuardError:
                return fall_back(g)
        return spread(found, wanted, pair.masked)

    return ans, pullback


def again(
    fun: Compiled, wanted: tuple[bool, ...], args: Sequence[Value], ans: Sequence[Value]
) -> Callable[[Any], list[Value]]:
    """The pullback that runs forward again."""
    smooth = list(map(floating, ans))

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [each for each, s in zip(g, smooth, strict=True) if s]
        masked = tuple([type(each) is Masked for each in given])
        masks = [each.mask for each in given if type(each) is Masked]
        back = fun.made(("vjp", wanted, tuple(smooth), masked), lambda: with_masks(fun.fun, wanted, smooth, masked))
        found = jit_call.bind(*args, *map(unmasked, given), *masks, fun=back)
        count = sum(wanted)
        full = [shape_of(mask) != shape_of(g) for g, mask in zip(found, found[count:], strict=False)]
        kept = [mask for mask, f in zip(found[count:], full, strict=True) if not f]
        return spread([*found[:count], *kept], wanted, [not f for f in full])

    return pullback


def with_masks(
    fun: FlatFunction, wanted: Sequence[bool], smooth: Sequence[bool], masked: Sequence[bool]
) -> FlatFunction:
    """`pulled_back`, which returns a mask for each of the cotangents, too; a single True where there is none."""
    pull = pulled_back(fun, wanted, smooth, masked, masks=True)

    def run(*values: Value) -> tuple[Value, ...]:
        found = pull(*values)
        return (*map(unmasked, found), *[g.mask if type(g) is Masked else np.True_ for g in found])

    return named(run, "pullback", fun)


def spread(found: Sequence[Value], wanted: Sequence[bool], masked: Sequence[bool]) -> list[Value]:
    """The cotangent of each argument, None for those not wanted; of those that are, and the masks of some."""
    masks = iter(found[len(masked) :])
    given = iter([Masked(g, next(masks)) if m else g for g, m in zip(found, masked, strict=False)])
    return [next(given) if w else None for w in wanted]


def pair_function(fun: Compiled, pair: Pair) -> Compiled:
    """The way back as a function that can be transformed."""
    return fun.made(("backward", pair), lambda: bindable(pair.return_way))


def bindable(graph: Graph) -> FlatFunction:
    """A graph as a function of values that may be traced."""

    def run(*values: Value) -> tuple[Value, ...]:
        found: tuple[Value, ...] = tuple(evaluate(graph, *values))
        return found

    return named(run, "backward", run)


def jit_jvp(tangents: Tangents, *args: Value, fun: Compiled) -> tuple[list[Value], list[Value]]:
    moving = tuple([t is not None for t in tangents])
    pushed = fun.made(("jvp", moving), lambda: pushed_forward(fun.fun, moving))
    return split_tangents(jit_call.bind(*args, *[t for t in tangents if t is not None], fun=pushed))


def jit_batch(size: int, batched: Batched, *args: Value, fun: Compiled) -> tuple[Value, ...]:
    run = fun.made(("vmap", size, tuple(batched)), lambda: batched_over(fun.fun, size, batched))
    return jit_call.bind(*args, fun=run)  # type: ignore[no-any-return]


jit_call = JitCall("jit", jit_value)
defvjp_joint(jit_call, jit_vjp)
entries[jit_call].masked = True
defjvp_whole(jit_call, jit_jvp)
batch_rules[jit_call] = jit_batch
