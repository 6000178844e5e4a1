"""Branches that are one operation: `cond` and `switch`.

Python's own `if` works under every transformation too. What is one operation stays one when transformations are nested,
and under `vmap` all branches are computed, for all examples at once.

>>> cond(True, lambda x: 2 * x, lambda x: x, 3.0)
6.0
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from xformad.core.interpreter import Interpreter, ndim_of, shape_of, spec_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Shape, ShapeDtype, Value
from xformad.core.views import lent
from xformad.errors import TreeError
from xformad.interpreters.batch import Batch
from xformad.interpreters.batch_rules import Batched, batch_rules, widened
from xformad.interpreters.evaluate import GraphFunction
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole
from xformad.interpreters.recording import Recorded, Recorder, recording_rules
from xformad.interpreters.trace import Trace
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.operations.selection import where
from xformad.transformations.calls import (
    Call,
    Flat,
    FlatFunction,
    batched_over,
    floating,
    pulled_back,
    pushed_forward,
    split_tangents,
)
from xformad.transformations.recorded import closed, ran

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


def switch_recorded(index: Value, *operands: Value, branches: Branches) -> Recorded | None:
    """All branches are recorded, the one that is taken first: it is the one whose errors count."""
    taken = min(max(int(index), 0), len(branches) - 1)
    found: dict[int, GraphFunction] = {}
    specs: list[ShapeDtype] = []
    for k in (taken, *range(taken), *range(taken + 1, len(branches))):
        branch = closed(branches[k], operands)
        if branch is None:
            return None
        found[k] = branch.function
        others = [spec_of(x) for x in branch.values]
        specs = specs or others
        if specs != others:
            return None
    params = {"branches": tuple([found[k] for k in range(len(branches))])}
    return Recorded(params, ran(switch_p, (index, *operands), params))


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


@final
class SwitchCall(Call):
    """A call of one of several functions. If it is known which, a recording has that one alone."""

    def kept(self, interpreter: Interpreter, args: tuple[Value, ...]) -> bool:
        known = type(interpreter) is Recorder and type(args[0]) is not Tracer
        return not known and super().kept(interpreter, args)


switch_p = SwitchCall("switch", switch_value, seen_by=(Trace, Batch, Recorder))
defvjp_joint(switch_p, switch_vjp)
defjvp_whole(switch_p, switch_jvp)
batch_rules[switch_p] = switch_batch
recording_rules[switch_p] = switch_recorded


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
            if run and (run[0].structure != flat.structure or run[0].others != flat.others):
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
