"""Loops of unknown length that are one operation: `while_loop`.

Python's own `while` works under every transformation too. A loop that is one operation stays one when transformations are
nested, and under `vmap` it takes as many steps as the slowest example needs.

>>> while_loop(lambda x: x < 10.0, lambda x: 2.0 * x, 1.0)
16.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xformad.core.interpreter import ndim_of, shape_of, spec_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.interpreters.batch import Batch
from xformad.interpreters.batch_rules import Batched, batch_rules, widened
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole, zeros_like
from xformad.interpreters.recording import Recorded, Recorder, recording_rules
from xformad.interpreters.trace import Trace
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.operations.selection import where
from xformad.transformations.bodies import State
from xformad.transformations.calls import (
    Call,
    FlatFunction,
    batched_over,
    floating,
    named,
    pulled_back,
    pushed_forward,
    repeated,
    split_tangents,
)
from xformad.transformations.closures import Closure
from xformad.transformations.loops import Counts, scan_p, stacked
from xformad.transformations.recorded import closed, closed_step, ran


class WhileCounts(tuple[int, int]):
    """How many constants the condition and the body of a loop have."""

    __slots__ = ()

    def parts(self, values: Sequence[Value]) -> tuple[list[Value], list[Value], list[Value]]:
        first, second = self[0], self[0] + self[1]
        return list(values[:first]), list(values[first:second]), list(values[second:])


def while_value(
    *args: Value, condition: FlatFunction, body: FlatFunction, counts: WhileCounts, saving: bool
) -> tuple[Value, ...]:
    """The number of steps, and the final state; if `saving`, also true for each step, and the states before each."""
    of_condition, of_body, state = counts.parts(args)
    rows: list[Sequence[Value]] = []
    steps = 0
    while bool(condition(*of_condition, *state)[0]):
        rows.append((True, *state) if saving else ())
        state = list(body(*of_body, *state))
        steps += 1
    if not saving:
        return (steps, *state)
    if not steps:
        return (0, *state, np.zeros(0, bool), *[np.zeros((0, *shape_of(x)), spec_of(x)[1]) for x in state])
    return (steps, *state, *[stacked(column) for column in zip(*rows, strict=True)])


def while_recorded(
    *args: Value, condition: FlatFunction, body: FlatFunction, counts: WhileCounts, saving: bool
) -> Recorded | None:
    """The condition and one step are recorded: how many steps there are is nothing that a recording holds for."""
    of_condition, of_body, state = counts.parts(args)
    step = closed_step(body, of_body, state, [])
    if step is None:
        return None
    graph = step.function
    tested = closed(condition, [*of_condition, *graph.operands([*of_body, *state])[len(of_body) :]])
    if tested is None or spec_of(tested.values[0]) != ((), np.dtype(bool)):
        return None
    params = {"condition": tested.function, "body": graph, "counts": counts, "saving": saving}
    unsized = range(len(state) + 1, 2 * len(state) + 2) if saving else ()
    return Recorded(params, ran(while_p, args, params), unsized)


def while_vjp(
    *args: Value,
    condition: FlatFunction,
    body: FlatFunction,
    counts: WhileCounts,
    saving: bool,
    wanted: Sequence[bool],
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    """The states before each step are kept. The pullback is a `scan` over them in the other direction."""
    _, of_body, state = counts.parts(args)
    held = len(state)
    saved = while_p.bind(*args, condition=condition, body=body, counts=counts, saving=True)
    ans, active, states = saved[: held + 1], saved[held + 1], saved[held + 2 :]
    body_wanted = counts.parts(wanted)[1]
    smooth = [floating(x) for x in state]
    moving = sum(smooth)
    step = pulled_back(body, [*body_wanted, *smooth], smooth)
    inner = Counts(len(of_body), moving + sum(body_wanted), 1 + held + moving * saving)

    def back(*values: Value) -> tuple[Value, ...]:
        """One step back; none for an example of a batch that had come to its end."""
        fixed, cotangents, (taken, *rows) = inner.parts(values)
        before, of_saved = rows[:held], rows[held:]
        found = step(*fixed, *before, *cotangents[:moving])
        of_body, of_state = found[: sum(body_wanted)], found[sum(body_wanted) :]
        new = [*of_state, *[t + each for t, each in zip(cotangents[moving:], of_body, strict=True)]]
        if type(taken) is Tracer:
            new = [where(taken, x, g) for x, g in zip(new, cotangents, strict=True)]
        return (*[x + g for x, g in zip(new, of_saved, strict=False)], *new[len(of_saved) :])

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [each for each, s in zip(g[1:], smooth, strict=False) if s]
        of_saved = [each for each, s in zip(g[held + 2 :], smooth, strict=True) if s] if saving else []
        zeros = [zeros_like(x) for x, w in zip(of_body, body_wanted, strict=True) if w]
        found = scan_p.bind(
            *of_body, *given, *zeros, active, *states, *of_saved,
            body=named(back, "pullback", body), counts=inner, length=None, reverse=True,
        )  # fmt: skip
        of_state, of_constants = iter(found[:moving]), iter(found[moving:])
        return [
            *[None] * counts[0],
            *[next(of_constants) if w else None for w in body_wanted],
            *[next(of_state) if s else None for s in smooth],
        ]

    return (saved if saving else ans), pullback


def while_jvp(
    tangents: Tangents,
    *args: Value,
    condition: FlatFunction,
    body: FlatFunction,
    counts: WhileCounts,
    saving: bool,
) -> tuple[list[Value], list[Value]]:
    """One loop, with the tangent of the state in its state."""
    of_condition, of_body, state = counts.parts(args)
    _, t_body, t_state = counts.parts(tangents)
    moving_body = [t for t in t_body if t is not None]
    moving_state = [zeros_like(x) if t is None else t for t, x in zip(t_state, state, strict=True) if floating(x)]
    step = pushed_forward(body, [*(t is not None for t in t_body), *map(floating, state)])

    def moved(*values: Value) -> tuple[Value, ...]:
        fixed, rest = values[: len(of_body)], values[len(of_body) :]
        t_fixed, rest = rest[: len(moving_body)], rest[len(moving_body) :]
        return step(*fixed, *rest[: len(state)], *t_fixed, *rest[len(state) :])

    def tested(*values: Value) -> tuple[Value, ...]:
        return condition(*values[: len(of_condition) + len(state)])

    inner = WhileCounts((len(of_condition), len(of_body) + len(moving_body)))
    found = while_p.bind(
        *of_condition, *of_body, *moving_body, *state, *moving_state,
        condition=tested, body=moved, counts=inner, saving=saving,
    )  # fmt: skip
    held = len(state) + len(moving_state)
    final, of_final = split_tangents(found[1 : held + 1])
    if not saving:
        return [found[0], *final], [None, *of_final]
    states, of_states = split_tangents(found[held + 2 :])
    return [found[0], *final, found[held + 1], *states], [None, *of_final, None, *of_states]


def while_batch(
    size: int,
    batched: Batched,
    *args: Value,
    condition: FlatFunction,
    body: FlatFunction,
    counts: WhileCounts,
    saving: bool,
) -> tuple[Value, ...]:
    """The loop goes on while an example does; those that are done keep their state."""
    of_condition, of_body, state = counts.parts(args)
    b_condition, b_body, b_state = counts.parts(batched)
    state = [x if b else repeated(x, size) for x, b in zip(state, b_state, strict=True)]
    tested = batched_over(condition, size, (*b_condition, *[True] * len(state)))
    step = batched_over(body, size, (*b_body, *[True] * len(state)))
    first = len(of_condition)

    def any_left(*values: Value) -> tuple[Value, ...]:
        return (np.any(tested(*values[:first], *values[first + 1 :])[0]),)

    def masked(*values: Value) -> tuple[Value, ...]:
        # The condition's constants come again before those of the body.
        left = tested(*values[:first], *values[first + len(of_body) + 1 :])[0]
        count, now = values[first + len(of_body)], values[first + len(of_body) + 1 :]
        with np.errstate(all="ignore"):  # of what becomes of the others nothing is used
            moved = step(*values[first : first + len(of_body)], *now)
        kept = [where(widened(left, ndim_of(x) - 1), y, x) for x, y in zip(now, moved, strict=True)]
        return (count + left, *kept)

    inner = WhileCounts((len(of_condition), len(of_condition) + len(of_body)))
    found = while_p.bind(
        *of_condition, *of_condition, *of_body, np.zeros(size, int), *state,
        condition=any_left, body=masked, counts=inner, saving=saving,
    )  # fmt: skip
    held = len(state) + 1
    if not saving:
        return tuple(found[1:])
    steps, before = found[1], found[held + 2]
    taken = np.concatenate([before[1:], steps[None]]) > before
    return (*found[1 : held + 1], *[np.swapaxes(x, 0, 1) for x in (taken, *found[held + 3 :])])


while_p = Call("while", while_value, seen_by=(Trace, Batch, Recorder))
defvjp_joint(while_p, while_vjp)
defjvp_whole(while_p, while_jvp)
batch_rules[while_p] = while_batch
recording_rules[while_p] = while_recorded


def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init: Any) -> Any:
    """A loop that goes on while a condition holds: one operation under every transformation, reverse mode included.

    Args:
        cond_fun: `cond_fun(state) -> truth value`.
        body_fun: `body_fun(state) -> state`, a function of pytrees. The state keeps its tree, shapes and dtypes.
        init: the initial state.

    Returns:
        The final state.

    Raises:
        TreeError: if the body changes the form of the state.

    >>> while_loop(lambda x: x < 100, lambda x: x * x, 3.0)
    6561.0
    """
    state = State("while_loop", init)
    of_condition, of_body = Closure(cond_fun), Closure(body_fun)
    counts = WhileCounts((len(of_condition.tracers), len(of_body.tracers)))

    def condition(*values: Value) -> tuple[Value, ...]:
        return (of_condition.of(values[: counts[0]])(state.whole(values[counts[0] :])),)

    def body(*values: Value) -> tuple[Value, ...]:
        return tuple(state.flat(of_body.of(values[: counts[1]])(state.whole(values[counts[1] :]))))

    found = state.retyped(
        lambda: while_p.bind(
            *of_condition.tracers,
            *of_body.tracers,
            *state.arrays,
            condition=condition,
            body=body,
            counts=counts,
            saving=False,
        )
    )
    return state.whole(found[1:])
