"""Loops that are one operation: `scan`, `map` and `fori_loop`.

A Python loop works under every transformation too, and is recorded step by step. A loop that is one operation is
transformed as a whole: its derivative is again a loop.

>>> import numpy as np
>>> from xformad import grad
>>> grad(lambda x: scan(lambda total, factor: (total * factor, total), x, np.array([2.0, 3.0]))[0])(1.0)
np.float64(6.0)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import shape_of, spec_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import TreeError
from xformad.interpreters.batch_rules import Batched, batch_rules
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole, zeros_like
from xformad.interpreters.recording import Recorded, Recorder, recording_rules
from xformad.interpreters.trace import Trace
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.operations import discrete, joining
from xformad.transformations.bodies import Body, State
from xformad.transformations.calls import (
    Call,
    FlatFunction,
    batched_over,
    floating,
    is_array,
    named,
    pulled_back,
    pushed_forward,
    repeated,
    run_together,
    split_tangents,
)
from xformad.transformations.recorded import MUCH, Keeping, closed_step, example, is_recorded, keeping, ran, ran_fast


@final
class Counts(NamedTuple):
    """How many of a loop's operands are constants, parts of the state, and sequences."""

    constants: int
    state: int
    sequences: int

    def parts(self, values: Sequence[Value]) -> tuple[list[Value], list[Value], list[Value]]:
        first, second = self.constants, self.constants + self.state
        return list(values[:first]), list(values[first:second]), list(values[second : second + self.sequences])


def scan_value(
    *args: Value, body: FlatFunction, counts: Counts, length: int | None, reverse: bool
) -> tuple[Value, ...]:
    """The state after all steps, and what each step returned beside it, stacked. Without `length`, the sequences tell it."""
    constants, initial, sequences = counts.parts(args)
    length = shape_of(sequences[0])[0] if length is None else length
    state: Sequence[Value] = initial
    step = body.fixed(constants) if isinstance(body, Body) else partial(body, *constants)
    steps: Iterable[tuple[Value, ...]] = zip(*[rows_of(x, length, reverse) for x in sequences], strict=False)
    rows: list[tuple[Value, ...]] = []
    held = counts.state
    for x in steps if sequences else repeat((), length):
        out = step(*state, *x)
        state = out[:held]
        if len(out) > held:
            rows.append(out[held:])
    if not length:
        return (*state, *no_rows(step, state, sequences, held))
    if reverse:
        rows.reverse()
    return (*state, *[stacked(column) for column in zip(*rows, strict=True)])


def no_rows(step: FlatFunction, state: Sequence[Value], sequences: Sequence[Value], held: int) -> list[Value]:
    """What is stacked where there are no steps: nothing, of the shape that a step on zeros gives."""
    specs = [spec_of(x) for x in sequences]
    with np.errstate(all="ignore"):
        out = step(*state, *[np.zeros(shape[1:], dtype)[()] for shape, dtype in specs])
    return [np.zeros((0, *shape_of(y)), spec_of(y)[1]) for y in out[held:]]


def rows_of(x: Value, length: int, reverse: bool) -> Iterable[Value]:
    """The entries of an array along its first axis, in the order of the steps."""
    if type(x) is Tracer:
        return (x[i] for i in (range(length - 1, -1, -1) if reverse else range(length)))
    return x[::-1] if reverse else x  # type: ignore[no-any-return]


def stacked(column: Sequence[Value]) -> Value:
    """What the steps returned, along a first axis."""
    if type(column[0]) is np.ndarray or any(type(x) is Tracer for x in column):
        return joining.stack.bind(*column, axis=0)
    return np.array(column)


def scan_vjp(
    *args: Value, body: FlatFunction, counts: Counts, length: int | None, reverse: bool, wanted: Sequence[bool]
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    """The pullback is a loop in the other direction. Where the body is recorded, the loop keeps what each step back needs;
    else the states before each step, and the pullback runs each step again.
    """
    constants, init, xs = counts.parts(args)
    of_constants, _, of_xs = counts.parts(wanted)
    of_state = [floating(x) for x in init]
    smooth_in = [*of_constants, *of_state, *of_xs]
    kept = recorded_step(body, args, counts, length, reverse, smooth_in) if is_recorded(args) else None
    step: FlatFunction
    if kept is None:

        def saving(*values: Value) -> tuple[Value, ...]:
            return (*body(*values), *counts.parts(values)[1])

        saved = scan_p.bind(*args, body=named(saving, "saving", body), counts=counts, length=length, reverse=reverse)
        count = len(saved) - counts.state
        fixed, before = constants, [*saved[count:], *xs]
        smooth_out = [floating(x) for x in saved[:count]]
        step = pulled_back(body, smooth_in, smooth_out)
    else:
        saved = scan_p.bind(*args, body=kept.forward, counts=counts, length=length, reverse=reverse)
        count = kept.results
        fixed, before = list(kept.fixed(*constants)), [*[xs[j] for j in kept.sequences], *saved[count:]]
        smooth_out = [floating(x) for x in saved[:count]]
        step = kept.backward
    moving = sum(of_state)
    inner = Counts(len(fixed), moving + sum(of_constants), len(before) + sum(smooth_out[counts.state :]))

    def back(*values: Value) -> tuple[Value, ...]:
        """One step back: from the cotangent of the state after it, and the sum of those of the constants, to that before."""
        same, cotangents, rows = inner.parts(values)
        found = step(*same, *rows[: len(before)], *cotangents[:moving], *rows[len(before) :])
        of_fixed, others = found[: sum(of_constants)], found[sum(of_constants) :]
        totals = [total + each for total, each in zip(cotangents[moving:], of_fixed, strict=True)]
        return (*others[:moving], *totals, *others[moving:])

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [each for each, smooth in zip(g, smooth_out, strict=True) if smooth]
        zeros = [zeros_like(x) for x, smooth in zip(constants, of_constants, strict=True) if smooth]
        found = scan_p.bind(
            *fixed, *given[:moving], *zeros, *before, *given[moving:],
            body=named(back, "pullback", body), counts=inner, length=length, reverse=not reverse,
        )  # fmt: skip
        totals, others = found[moving : inner.state], [*found[:moving], *found[inner.state :]]
        rest = iter([*totals, *others])
        return [next(rest) if smooth else None for smooth in smooth_in]

    return saved[:count], pullback


def recorded_step(
    body: FlatFunction, args: Sequence[Value], counts: Counts, length: int | None, reverse: bool, wanted: Sequence[bool]
) -> Keeping | None:
    """A step with its way back as graphs, recorded on the first step; None if they cannot be recorded."""
    constants, state, xs = counts.parts([example(x) for x in args])
    return keeping(body, counts.constants, counts.state, wanted, [*constants, *state, *first_row(xs, reverse)])


def first_row(xs: Sequence[Value], reverse: bool) -> list[Value]:
    """The entries of plain sequences in the first step; zeros, if there are no steps."""
    return [x[-1 if reverse else 0] if len(x) else np.zeros(x.shape[1:], x.dtype)[()] for x in xs]


def scan_recorded(
    *args: Value, body: FlatFunction, counts: Counts, length: int | None, reverse: bool
) -> Recorded | None:
    """One step is recorded, and stands for all."""
    constants, state, xs = counts.parts(args)
    step = closed_step(body, constants, state, first_row(xs, reverse))
    if step is None:
        return None
    params = {"body": step.function, "counts": counts, "length": length, "reverse": reverse}
    if length is None:  # it is that of the sequences, of which nothing is known
        free = range(counts.constants + counts.state, len(args))
        return Recorded(params, ran(scan_p, args, params), range(counts.state, len(step.values)), free)
    if length * len(step.function.graph) <= MUCH:
        return Recorded(params, ran(scan_p, args, params))
    rows = step.values[counts.state :]
    stacks = [np.broadcast_to(np.zeros((), spec_of(y)[1]), (length, *shape_of(y))) for y in rows]
    return Recorded(params, ran_fast(scan_p, args, params, (*step.values[: counts.state], *stacks)))


def scan_jvp(
    tangents: Tangents, *args: Value, body: FlatFunction, counts: Counts, length: int | None, reverse: bool
) -> tuple[list[Value], list[Value]]:
    """One loop, with the tangent of the state in its state."""
    constants, state, xs = counts.parts(args)
    of_constants, of_state, of_xs = counts.parts(tangents)
    moving_state = [zeros_like(x) if t is None else t for t, x in zip(of_state, state, strict=True) if floating(x)]
    moving_constants = [t for t in of_constants if t is not None]
    moving_xs = [t for t in of_xs if t is not None]
    moving = [*(t is not None for t in of_constants), *(floating(x) for x in state), *(t is not None for t in of_xs)]
    step = pushed_forward(body, moving)
    inner = Counts(len(constants) + len(moving_constants), len(state) + len(moving_state), len(xs) + len(moving_xs))

    def moved(*values: Value) -> tuple[Value, ...]:
        fixed, inside, rows = inner.parts(values)
        given = (*fixed[len(constants) :], *inside[len(state) :], *rows[len(xs) :])
        outs, ts = split_tangents(step(*fixed[: len(constants)], *inside[: len(state)], *rows[: len(xs)], *given))
        cut = counts.state
        return (*outs[:cut], *present(ts[:cut]), *outs[cut:], *present(ts[cut:]))

    found = scan_p.bind(
        *constants, *moving_constants, *state, *moving_state, *xs, *moving_xs,
        body=named(moved, "jvp", body), counts=inner, length=length, reverse=reverse,
    )  # fmt: skip
    final, of_final = split_tangents(found[: inner.state])
    ys, of_ys = split_tangents(found[inner.state :])
    return [*final, *ys], [*of_final, *of_ys]


def present(tangents: Sequence[Value]) -> list[Value]:
    return [t for t in tangents if t is not None]


def scan_batch(
    size: int, batched: Batched, *args: Value, body: FlatFunction, counts: Counts, length: int | None, reverse: bool
) -> tuple[Value, ...]:
    """One loop over batches: the steps stay the first axis of what is gone through.

    Where nobody below sees it as one, the loop is first tried as a Python loop is run. If the examples go different ways
    in a step, they do so in that step alone in a loop over batches.
    """
    if not scan_p.seen(args):
        loop = partial(scan_value, body=body, counts=counts, length=length, reverse=reverse)
        together = run_together(loop, size, batched, args)
        if together is not None:
            return together
    constants, state, xs = counts.parts(args)
    of_constants, of_state, of_xs = counts.parts(batched)
    state = [x if b else repeated(x, size) for x, b in zip(state, of_state, strict=True)]
    xs = [np.swapaxes(x, 0, 1) if b else x for x, b in zip(xs, of_xs, strict=True)]
    step = batched_over(body, size, (*of_constants, *[True] * len(state), *of_xs))
    found = scan_p.bind(*constants, *state, *xs, body=step, counts=counts, length=length, reverse=reverse)
    return (*found[: counts.state], *[np.swapaxes(y, 0, 1) for y in found[counts.state :]])


scan_p = Call("scan", scan_value, seen_by=(Trace, Recorder))
defvjp_joint(scan_p, scan_vjp)
defjvp_whole(scan_p, scan_jvp)
batch_rules[scan_p] = scan_batch
recording_rules[scan_p] = scan_recorded


def scan_length(xs: Any, length: int | None, name: str) -> int:
    """The number of steps.

    Raises:
        TreeError: if the sequences have different lengths, or none tells it.
    """
    leaves, structure = tree.flatten(xs)
    first = None if length is None else f"length is {length}"
    for leaf, path in zip(leaves, structure.paths("xs"), strict=True):
        shape = shape_of(leaf) if is_array(leaf) else ()
        if not shape:
            raise TreeError(f"{path} of {name} has no axis to go along: each leaf of xs needs one entry a step")
        if first is None:
            length, first = shape[0], f"{path} has length {shape[0]}"
        elif shape[0] != length:
            raise TreeError(
                f"{first}, but {path} has length {shape[0]}; {name} goes along the first axis of all of them"
            )
    if length is None:
        raise TreeError(f"{name} without xs needs length=, the number of steps")
    return length


def scan(
    body: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """A loop over the first axis of arrays that carries a state along: one operation under every transformation.

    Where it is recorded, by `trace` say, a backward pass keeps the state before each step and runs the step again;
    elsewhere it keeps the tape of every step, as that of a Python loop. `checkpoint_scan` needs far less memory.

    Args:
        body: `body(state, x) -> (state, y)`, a function of pytrees. The state keeps its tree, shapes and dtypes. It may
            close over traced values.
        init: the initial state. A Python number in it takes the dtype that the body gives it.
        xs: a pytree of arrays whose first axis has one entry a step; None if there is nothing to go along.
        length: the number of steps, needed if there are no arrays in `xs`.
        reverse: whether to go from the last entry to the first.

    Returns:
        `(state, ys)`: the final state, and the second results, each leaf stacked along a first axis.

    Raises:
        TreeError: if lengths differ, or if the body changes the form of the state.

    >>> scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    """
    return run_scan(scan_p.bind, "scan", body, init, xs, scan_length(xs, length, "scan"), reverse)


def run_scan(
    run: Callable[..., tuple[Value, ...]],
    name: str,
    body: Callable[[Any, Any], Any],
    init: Any,
    xs: Any,
    length: int,
    reverse: bool,
) -> tuple[Any, Any]:
    """A loop over the entries of xs, `run` on flat arrays."""
    leaves, entry = tree.flatten(xs)
    state = State(name, init)
    step = Body(body, state, entry)
    counts = Counts(len(step.tracers), step.count, len(leaves))
    found = state.retyped(
        lambda: run(*step.tracers, *state.arrays, *leaves, body=step, counts=counts, length=length, reverse=reverse)
    )
    return state.whole(found[: step.count]), step.results(found[step.count :])


def map(fun: Callable[[Any], Any], xs: Any) -> Any:  # noqa: A001 - as the field calls it
    """A function of one entry applied to each along the first axis of arrays, one after the other: `vmap` in less memory.

    Args:
        fun: a function of a pytree, with a pytree as result.
        xs: a pytree of arrays of the same length.

    Returns:
        A tree like the result of `fun`, each leaf stacked along a first axis.

    Raises:
        TreeError: if lengths differ.

    >>> map(lambda x: x**2, np.array([1.0, 3.0]))
    array([1., 9.])
    """
    scan_length(xs, None, "map")
    return scan(lambda state, x: (state, fun(x)), None, xs)[1]


def fori_loop(lower: int, upper: int, body: Callable[[int, Any], Any], init: Any) -> Any:
    """A loop over whole numbers that carries a state: `for i in range(lower, upper): state = body(i, state)`.

    Args:
        lower, upper: the first number, and the one after the last.
        body: `body(i, state) -> state`, a function of pytrees.
        init: the initial state.

    Returns:
        The final state.

    Raises:
        TreeError: if the body changes the form of the state.

    >>> fori_loop(1, 5, lambda i, product: product * i, 1.0)
    24.0
    """
    numbers = np.arange(operator.index(lower), operator.index(upper))

    def step(state: Any, i: Any) -> tuple[Any, Any]:
        if type(i) is np.int64 or type(i) is Tracer:  # NumPy's number would make a float64 of a float32
            i = discrete.whole_number(i)
        return body(i, state), None

    return run_scan(scan_p.bind, "fori_loop", step, init, numbers, len(numbers), False)[0]
