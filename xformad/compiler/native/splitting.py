"""Which loops are cut into chunks, for threads, and into which. It depends on shapes only, and so do the results.

A loop that sums up everything becomes a loop over chunks, each with a sum of its own, and one over these sums.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from xformad.compiler.native.functions import FUNCTIONS
from xformad.compiler.native.planner import Planner
from xformad.compiler.native.steps import (
    Add,
    Branch,
    Check,
    Instruction,
    Load,
    Nest,
    Place,
    Product,
    Reduce,
    Scalar,
    Step,
    Store,
)
from xformad.compiler.native.views import View

LARGE: Final = 400_000
"""The work from which on a nest is cut: about a tenth of a millisecond, some twenty times what it costs to share it."""

CHUNK: Final = 50_000
"""The least work of a chunk."""

MOST: Final = 64
"""How many chunks there are at most."""

SUMMED: Final = 16_384
"""How many entries a chunk of a sum over everything has."""

WEIGHT: Final = 16
"""The work of a function such as exp, in additions."""


CALLED: Final = frozenset((*FUNCTIONS, "sin", "cos"))


def work_of(step: Step) -> int:
    """About how many additions' time a step takes; for a loop without a bound, much."""
    if isinstance(step, Product):
        return step.work // 8
    if isinstance(step, Check):
        return 1
    if isinstance(step, Nest):
        calls = sum(i.name in CALLED for i in step.instructions if isinstance(i, Scalar))
        return math.prod(step.shape) * (len(step.instructions) + WEIGHT * calls)
    if isinstance(step, Branch):
        return max(sum(map(work_of, steps)) for steps in step.branches)
    return (10_000 if step.count is None else step.count) * sum(map(work_of, step.steps))


def is_parted(nest: Nest, shape: tuple[int, ...], strides: dict[int, tuple[int, ...]]) -> bool:
    """Whether the outermost loop may be cut: no two of its steps write to one place, and it is worth it.

    Args:
        nest: the nest.
        shape: the lengths of its loops, from the outermost one.
        strides: along them, of the views of the instructions, by the views' identities.
    """
    if nest.ordered or not shape or work_of(nest) < LARGE or shape[0] < 2:
        return False
    for instruction in nest.instructions:
        if isinstance(instruction, Add) or (isinstance(instruction, Store) and instruction.positions):
            return False
        if isinstance(instruction, Store | Reduce) and strides[id(instruction.view)][0] == 0:
            return False
    return True


def rows_of_chunk(nest: Nest, length: int) -> int:
    """How many steps of the outermost loop make a chunk."""
    chunks = max(1, min(MOST, length, work_of(nest) // CHUNK))
    return -(-length // chunks)


def with_partial_sums(planner: Planner, nest: Nest) -> list[Nest]:
    """A nest that reduces everything to single entries, as one over chunks, the rest, and one over the chunks' results."""
    if nest.ordered or work_of(nest) < LARGE or math.prod(nest.shape) < 2 * SUMMED:
        return [nest]
    flat = flattened(nest)
    if flat is None:
        return [nest]
    if not all(
        isinstance(i, Load | Scalar | Store | Reduce) and not getattr(i, "positions", ()) for i in flat.instructions
    ):
        return [nest]
    reductions = [i for i in flat.instructions if isinstance(i, Reduce)]
    if not reductions or any(i.view.strides != (0,) for i in reductions):
        return [nest]
    chunks, rest = divmod(flat.shape[0], SUMMED)
    count = chunks + (rest > 0)
    partial = {id(i): View(planner.temporary(i.dtype, (count,)), 0, (1,), (count,)) for i in reductions}
    found = []
    for shape, first in (((chunks, SUMMED), 0), ((1, rest), chunks)):
        if rest or first == 0:
            piece = Nest(shape)
            for i in flat.instructions:
                if isinstance(i, Reduce):
                    view = View(partial[id(i)].buffer, first, (1, 0), shape)
                    piece.instructions.append(dataclasses.replace(i, view=view))
                elif isinstance(i, Scalar):
                    piece.instructions.append(i)
                else:
                    assert not isinstance(i, Add | Place)
                    step = i.view.strides[0]
                    offset = i.view.offset + first * SUMMED * step
                    view = dataclasses.replace(i.view, offset=offset, strides=(SUMMED * step, step), shape=shape)
                    piece.instructions.append(dataclasses.replace(i, view=view))
            found.append(piece)
    last = Nest((count,))
    for i in reductions:
        register = last.add(Load(partial[id(i)]))
        last.instructions.append(
            dataclasses.replace(i, register=register, view=dataclasses.replace(i.view, shape=(count,)))
        )
    return [*found, last]


def flattened(nest: Nest) -> Nest | None:
    """The same nest with one loop, if all its views go on along it evenly."""
    if len(nest.shape) == 1:
        return nest
    if any(n < 2 for n in nest.shape):
        return None
    changed: list[Instruction] = []
    for i in nest.instructions:
        if isinstance(i, Scalar):
            changed.append(i)
            continue
        strides = i.view.strides
        if any(strides[k] != strides[k + 1] * nest.shape[k + 1] for k in range(len(strides) - 1)):
            return None
        view = dataclasses.replace(i.view, strides=(strides[-1],), shape=(math.prod(nest.shape),))
        changed.append(dataclasses.replace(i, view=view))
    return Nest((math.prod(nest.shape),), changed)
