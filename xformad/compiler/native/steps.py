"""What a kernel is made of: nests of loops with instructions, products, checks of guards, and loops and branches of them.

Instructions work on numbers of the machine. Complex numbers are two registers, and two views of the memory they are in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np

from xformad.compiler.native.blas import Routine
from xformad.compiler.native.views import Buffer, View
from xformad.core.typing import Shape

Register: TypeAlias = int | str
"""The number of the instruction whose result it is, or a literal."""

Positions: TypeAlias = tuple[tuple[Register, int], ...]
"""How much further on in memory than a view says: the sum of whole numbers in registers times strides."""


@dataclass(frozen=True)
class Load:
    """Read an entry of a view, which has the shape of the nest."""

    view: View
    positions: Positions = ()


@dataclass(frozen=True)
class Place:
    """Where an entry of a view lies, as a whole number: its position in the buffer, in which nothing is read."""

    view: View


@dataclass(frozen=True)
class Scalar:
    """An operation on registers (numbers of instructions) and literals (strings), computed in a dtype."""

    name: str
    args: tuple[Register, ...]
    operand_dtypes: tuple[np.dtype[Any], ...]
    computed: np.dtype[Any]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Store:
    """Write a register to an entry of a view."""

    register: Register
    view: View
    dtype: np.dtype[Any]
    positions: Positions = ()


@dataclass(frozen=True)
class Reduce:
    """Combine a register into an entry of a view, whose strides are zero along the axes that are reduced."""

    name: str
    register: Register
    view: View
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Add:
    """Add a register to an entry of a view."""

    register: Register
    view: View
    dtype: np.dtype[Any]
    positions: Positions = ()


Instruction = Load | Place | Scalar | Store | Reduce | Add


@final
@dataclass
class Nest:
    """Loops over all indices of a shape, and what is done at each.

    Attributes:
        ordered: whether the indices must be gone through in order, because what is done at one depends on others.
    """

    shape: Shape
    instructions: list[Instruction] = field(default_factory=list)
    known: dict[Any, int] = field(default_factory=dict)
    ordered: bool = False

    def add(self, instruction: Instruction) -> int:
        """Add an instruction; equal ones are there once."""
        number = self.known.get(instruction)
        if number is None:
            number = self.known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return number

    @property
    def buffers(self) -> list[Buffer]:
        """What it reads and writes."""
        return [i.view.buffer for i in self.instructions if not isinstance(i, Scalar)]


@final
@dataclass
class Product:
    """The product of matrices, or of each two in stacks of such.

    Attributes:
        left: of shape (..., m, k).
        right: of shape (..., k, n).
        result: of shape (..., m, n).
        routine: the function of BLAS that is called; None for loops.
    """

    left: View
    right: View
    result: View
    routine: Routine | None

    @property
    def buffers(self) -> list[Buffer]:
        """What it reads and writes."""
        return [self.left.buffer, self.right.buffer, self.result.buffer]

    @property
    def work(self) -> int:
        """How many multiplications it takes."""
        return math.prod(self.result.shape) * self.left.shape[-1]


@final
@dataclass
class Check:
    """A guard: the truth value, or the whole number, that must be at a place in memory."""

    view: View
    expected: int

    @property
    def buffers(self) -> list[Buffer]:
        """What it reads."""
        return [self.view.buffer]


@final
@dataclass
class Row:
    """An entry along the first axis of an array, as a buffer of its own: another one in each step of a loop.

    Attributes:
        buffer: the entry.
        whole: the array's memory.
        offset, stride: where the entry of step i lies, in entries of the memory: at `offset + i * stride`.
    """

    buffer: Buffer
    whole: Buffer
    offset: int
    stride: int


@final
@dataclass
class Carry:
    """A part of the state of a loop. Two places in memory change their parts after each step.

    Attributes:
        read: the state before a step; after the loop, the final one.
        write: the state after a step.
        first, second: the places of the two in the first step.
    """

    read: Buffer
    write: Buffer
    first: Buffer
    second: Buffer


@final
@dataclass
class Loop:
    """Steps that are run again and again.

    Attributes:
        steps: what is done each time.
        count: how many times; None if the condition says it.
        condition: steps that are run before each time.
        test: the truth value that they find.
        taken: where the number of times is written.
    """

    steps: list[Step]
    count: int | None
    rows: list[Row]
    carries: list[Carry]
    condition: list[Step] = field(default_factory=list)
    test: View | None = None
    taken: View | None = None

    @property
    def buffers(self) -> list[Buffer]:
        """What it and its steps read and write."""
        found = [row.buffer for row in self.rows] + [carry.read for carry in self.carries]
        found += [view.buffer for view in (self.test, self.taken) if view is not None]
        return found + [buffer for step in (*self.condition, *self.steps) for buffer in step.buffers]


@final
@dataclass
class Branch:
    """One of several lists of steps is run: the one that a whole number in memory says, or the nearest one."""

    index: View
    branches: list[list[Step]]

    @property
    def buffers(self) -> list[Buffer]:
        """What it and its steps read and write."""
        return [self.index.buffer, *[buffer for steps in self.branches for step in steps for buffer in step.buffers]]


Step: TypeAlias = Nest | Product | Check | Loop | Branch


class UnsupportedGraphError(Exception):
    """A graph holds what there are no machine operations for."""
