"""What is computed again in another nest of loops, as that costs less than to write it to memory and to read it there."""

from __future__ import annotations

import dataclasses
from typing import Final

from xformad.compiler.native.steps import Load, Nest, Register, Scalar

CHEAP: Final = frozenset(
    (
        "add",
        "subtract",
        "multiply",
        "negative",
        "square",
        "astype",
        "absolute",
        "equal",
        "not_equal",
        "less",
        "less_equal",
    )
)

MOST: Final = 3
"""How many operations are done again at most."""


def computed_again(
    source: Nest, registers: tuple[Register, ...], target: Nest, itemsize: int
) -> tuple[Register, ...] | None:
    """Have a nest compute what another one has in registers; None if it is better read.

    Args:
        source: the nest that has it.
        registers: where.
        target: the nest that needs it, of the same shape.
        itemsize: the bytes of an entry, which would be written and read.
    """
    if source.shape != target.shape or source.ordered or target.ordered:
        return None
    needed: set[int] = set()
    waiting = [register for register in registers if isinstance(register, int)]
    while waiting:
        number = waiting.pop()
        if number in needed:
            continue
        needed.add(number)
        instruction = source.instructions[number]
        if isinstance(instruction, Scalar) and instruction.name in CHEAP:
            waiting += [arg for arg in instruction.args if isinstance(arg, int)]
        elif not isinstance(instruction, Load) or instruction.positions:
            return None
    found = [source.instructions[number] for number in sorted(needed)]
    loads = [i for i in found if isinstance(i, Load)]
    further = sum(i.view.dtype.itemsize for i in loads if i not in target.known and any(i.view.strides[-1:]))
    if len(found) - len(loads) > MOST or further >= 2 * itemsize:
        return None
    again: dict[int, int] = {}
    for number in sorted(needed):
        instruction = source.instructions[number]
        if isinstance(instruction, Scalar):
            args = tuple([again[arg] if isinstance(arg, int) else arg for arg in instruction.args])
            instruction = dataclasses.replace(instruction, args=args)
        again[number] = target.add(instruction)
    return tuple([again[register] if isinstance(register, int) else register for register in registers])
