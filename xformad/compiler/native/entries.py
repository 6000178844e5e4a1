"""`Entry`: an entry of an array, in a register of a nest, with the arithmetic of numbers.

Operations are written with it as one writes formulas; each operator adds an instruction to the nest:

>>> nest = Nest((3,))
>>> x = Entry(nest, "0x4000000000000000", np.dtype(float))
>>> y = x * 3.0 - x
>>> [(instruction.name, instruction.args) for instruction in nest.instructions]
[('multiply', ('0x4000000000000000', '0x4008000000000000')), ('subtract', (0, '0x4000000000000000'))]
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad.compiler.native import scalars
from xformad.compiler.native.steps import Nest, Register, Scalar, UnsupportedGraphError

BOOL: Final = np.dtype(bool)


@final
class Entry:
    """An entry of an array.

    Args:
        nest: in whose registers it is.
        register: which of them, or a literal.
        dtype: its own.
    """

    __slots__ = ("dtype", "nest", "register")

    def __init__(self, nest: Nest, register: Register, dtype: np.dtype[Any]) -> None:
        self.nest = nest
        self.register = register
        self.dtype = dtype

    def like(self, x: Operand) -> Entry:
        """A constant of the same dtype."""
        return x if isinstance(x, Entry) else Entry(self.nest, scalars.literal(x, self.dtype), self.dtype)

    def calculated(self, name: str, *others: Operand, dtype: np.dtype[Any] | None = None) -> Entry:
        """What an operation gives, by the name of its primitive."""
        operands = [self, *[self.like(other) for other in others]]
        result = self.dtype if dtype is None else dtype
        registers = tuple([each.register for each in operands])
        dtypes = tuple([each.dtype for each in operands])
        return Entry(self.nest, self.nest.add(Scalar(name, registers, dtypes, self.dtype, result)), result)

    def astype(self, dtype: np.dtype[Any]) -> Entry:
        """In another dtype.

        Raises:
            UnsupportedGraphError: if that depends on the machine.
        """
        if dtype == self.dtype:
            return self
        if not scalars.convertible(self.dtype, dtype):
            raise UnsupportedGraphError
        instruction = Scalar("astype", (self.register,), (self.dtype,), dtype, dtype)
        return Entry(self.nest, self.nest.add(instruction), dtype)

    def choose(self, yes: Operand, no: Operand) -> Entry:
        """`numpy.where` with this truth value as condition."""
        kept = yes if isinstance(yes, Entry) else no
        assert isinstance(kept, Entry)
        first, second = kept.like(yes), kept.like(no)
        dtype = kept.dtype
        registers = (self.register, first.register, second.register)
        return Entry(self.nest, self.nest.add(Scalar("where", registers, (BOOL, dtype, dtype), dtype, dtype)), dtype)

    def __add__(self, other: Operand) -> Entry:
        return self.calculated("add", other)

    def __sub__(self, other: Operand) -> Entry:
        return self.calculated("subtract", other)

    def __mul__(self, other: Operand) -> Entry:
        return self.calculated("multiply", other)

    def __truediv__(self, other: Operand) -> Entry:
        return self.calculated("divide", other)

    def __neg__(self) -> Entry:
        return self.calculated("negative")

    def __abs__(self) -> Entry:
        return self.calculated("absolute")

    def __lt__(self, other: Operand) -> Entry:
        return self.calculated("less", other, dtype=BOOL)

    def __ge__(self, other: Operand) -> Entry:
        return self.calculated("greater_equal", other, dtype=BOOL)

    def __and__(self, other: Entry) -> Entry:
        return self.calculated("bitwise_and", other)

    def __or__(self, other: Entry) -> Entry:
        return self.calculated("bitwise_or", other)

    def equals(self, other: Operand) -> Entry:
        """Whether equal. NaN is not."""
        return self.calculated("equal", other, dtype=BOOL)

    def differs(self, other: Operand) -> Entry:
        """Whether unequal, or NaN."""
        return self.calculated("not_equal", other, dtype=BOOL)


Operand: TypeAlias = Entry | float
"""An entry, or a constant of the dtype of the other operand."""
