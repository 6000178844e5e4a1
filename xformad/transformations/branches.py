"""Branches and loops of unknown length that are one operation: `cond`, `switch`, `while_loop`.

Python's own `if` and `while` work under every transformation too. What is one operation stays one when transformations
are nested, and under `vmap` it is computed for all examples at once: both branches, or as many steps as the slowest
example needs.

>>> cond(True, lambda x: 2 * x, lambda x: x, 3.0)
6.0
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xformad.core.interpreter import ndim_of, shape_of, spec_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Shape, Value
from xformad.core.views import lent
from xformad.errors import TreeError
from xformad.interpreters.batch import Batch
from xformad.interpreters.batch_rules import Batched, batch_rules, widened
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole, zeros_like
from xformad.interpreters.trace import Trace
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.operations.selection import where
from xformad.transformations.bodies import State
from xformad.transformations.calls import (
    Call,
    Flat,
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

Branches = tuple[FlatFunction, ...]


def switch_value(index: Value, *operands: Value, branches: Branches) -> tuple[Value, ...]:
    if type(index) is Tracer and index.interpreter.takes_every_branch:
        with np.errstate(all="ignore"):
            found = [branch(*map(lent, operands)) for branch in branches]
        for others in found[1:]:
            check_alike(list(map(shape_of, found[0])), list(map(shape_of, others)), "a sparse derivative")
        return merged(index, found)
    return branches[min(max(chosen(index), 0), len(branches) - 1)](*operands)


def chosen(index: Value) -> int:
    """An index, or a truth value, as a number, if the interpreter has one."""
    if type(index) is Tracer and index.dtype.kind != "b":
        return operator.index(index)
    return int(bool(index)) if type(index) is Tracer else int(index)


def switch_vjp(
    index: Value, *operands: Value, branches: Branches, wanted: Sequence[bool]
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    ans = switch_p.bind(index, *operands, branches=branches)

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        smooth_out = [floating(x) for x in ans]
        given = [each for each, smooth in zip(g, smooth_out, strict=True) if smooth]
        back = tuple([pulled_back(branch, wanted[1:], smooth_out) for branch in branches])
        found = iter(switch_p.bind(index, *operands, *given, branches=back))
        return [next(found) if w else None for w in wanted]

    return ans, pullback


def switch_jvp(
    tangents: Tangents, index: Value, *operands: Value, branches: Branches
) -> tuple[list[Value], list[Value]]:
    moving = [t is not None for t in tangents[1:]]
    given = [t for t in tangents[1:] if t is not None]
    moved = tuple([pushed_forward(branch, moving) for branch in branches])
    return split_tangents(switch_p.bind(index, *operands, *given, branches=moved))


def switch_batch(size: int, batched: Batched, index: Value, *operands: Value, branches: Branches) -> tuple[Value, ...]:
    """Where the examples take different branches, all branches are computed, and `where` takes what each example takes."""
    runs = tuple([batched_over(branch, size, batched[1:]) for branch in branches])
    if not batched[0]:
        return switch_p.bind(index, *operands, branches=runs)  # type: ignore[no-any-return]
    found = [run(*operands) for run in runs]
    for others in found[1:]:
        check_alike([shape_of(x)[1:] for x in found[0]], [shape_of(x)[1:] for x in others], "vmap")
    return merged(index, found)


def merged(index: Value, found: Sequence[tuple[Value, ...]]) -> tuple[Value, ...]:
    """Of the results of all branches those that the index chooses, for each example if it is batched."""
    index = np.minimum(np.maximum(index * 1, 0), len(found) - 1)
    results = found[0]
    for k, others in enumerate(found[1:], 1):
        results = tuple(
            [where(widened(index == k, ndim_of(x) - 1), y, x) for x, y in zip(results, others, strict=True)]
        )
    return results


def check_alike(shapes: list[Shape], others: list[Shape], under: str) -> None:
    """Raises TreeError if two branches return arrays of different shapes."""
    if shapes != others:
        raise TreeError(
            f"under {under} the branches must return the same shapes, but one returned {shapes}, another {others} "
            f"({user_line()})"
        )


switch_p = Call("switch", switch_value, seen_by=(Trace, Batch))
defvjp_joint(switch_p, switch_vjp)
defjvp_whole(switch_p, switch_jvp)
batch_rules[switch_p] = switch_batch


def switch(index: int, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Call one of several functions: one operation under every transformation.

    Args:
        index: which one; clipped to those that there are.
        branches: functions of the operands, which must return the same trees. They may close over traced values.
        operands: their arguments, pytrees.

    Returns:
        What the chosen function returns.

    Raises:
        TreeError: under `vmap`, if they return different trees or shapes.

    >>> switch(1, [np.sin, np.cos, np.tan], 0.0)
    np.float64(1.0)
    """
    if not branches:
        raise TreeError("switch needs a branch")
    flats = [Flat(branch, operands) for branch in branches]
    closed = [len(flat.tracers) for flat in flats]
    starts = [sum(closed[:i]) for i in range(len(flats))]
    run: list[Flat] = []

    def taking(flat: Flat, start: int) -> FlatFunction:
        def branch(*values: Value) -> tuple[Value, ...]:
            out = flat(*values[start : start + len(flat.tracers)], *values[sum(closed) :])
            if run and run[0].structure != flat.structure:
                raise TreeError(
                    f"the branches must return the same tree, but one returned {run[0].structure}, another "
                    f"{flat.structure} ({user_line()})"
                )
            run.append(flat)
            return out

        return branch

    tracers = [tracer for flat in flats for tracer in flat.tracers]
    common = flats[0].operands[closed[0] :]
    chosen = tuple([taking(flat, start) for flat, start in zip(flats, starts, strict=True)])
    found = switch_p.bind(index, *tracers, *common, branches=chosen)
    return run[0].result(found)


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """Call one of two functions: one operation under every transformation.

    Args:
        pred: the condition, a truth value.
        true_fun: the function of the operands that is called if it is true.
        false_fun: the one that is called if not; it must return the same tree.
        operands: the arguments, pytrees.

    Returns:
        What the chosen function returns.

    Raises:
        TreeError: under `vmap`, if they return different trees or shapes.

    >>> from xformad import grad
    >>> grad(lambda x: cond(x > 1, lambda x: x**2, lambda x: -x, x))(3.0)
    np.float64(6.0)
    """
    return switch(pred != 0 if hasattr(pred, "dtype") else bool(pred), [false_fun, true_fun], *operands)


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


while_p = Call("while", while_value, seen_by=(Trace, Batch))
defvjp_joint(while_p, while_vjp)
defjvp_whole(while_p, while_jvp)
batch_rules[while_p] = while_batch


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
