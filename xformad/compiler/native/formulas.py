"""Formulas that write themselves in LLVM's language: the arithmetic of `functions_*.py`.

A `Number` is the result of an instruction. Its operators write further instructions, so that a formula in Python is a
function without a branch in LLVM's language:

>>> formula = Formula(DOUBLE)
>>> x = formula.parameter("x")
>>> print(formula.text("twice", x + x))
define internal double @twice(double %x) alwaysinline memory(none) nounwind willreturn {
  %1 = fadd double %x, %x
  ret double %1
}

The same formula is written for vectors by giving `Formula` a number of lanes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias, final

import numpy as np


@final
@dataclass(frozen=True, slots=True)
class Format:
    """A format of floating-point numbers (IEEE 754).

    Attributes:
        kind: its name in LLVM's language.
        integer: that of the integers of its size.
        mantissa: how many bits of the mantissa are stored.
        bias: of the exponent.
        suffix: of the names of LLVM's intrinsic functions.
    """

    kind: str
    integer: str
    mantissa: int
    bias: int
    suffix: str

    @property
    def shifter(self) -> float:
        """1.5 * 2^mantissa: a number x so much smaller, added to it, is rounded to an integer, which its last bits are."""
        return 1.5 * 2.0**self.mantissa

    def parts(self, exact: Fraction, count: int) -> list[float]:
        """A constant as the unevaluated sum of so many numbers of this format."""
        found = []
        for _ in range(count):
            found.append(float(exact) if self.kind == "double" else float(np.float32(float(exact))))
            exact -= Fraction(found[-1])
        return found

    def bits(self, x: float) -> int:
        """The bits of a number, as an integer."""
        code, integer = ("<d", "<q") if self.kind == "double" else ("<f", "<i")
        return int(struct.unpack(integer, struct.pack(code, x))[0])

    @property
    def smallest(self) -> float:
        """The smallest normal number."""
        return float(2.0 ** (1 - self.bias))


DOUBLE: Final = Format("double", "i64", 52, 1023, "f64")
SINGLE: Final = Format("float", "i32", 23, 127, "f32")

WIDTHS: Final = {"i64": "double", "i32": "float"}


@final
class Number:
    """The result of an instruction: a floating-point number, an integer, or a truth value.

    Attributes:
        formula: that it is part of.
        name: its name.
        kind: its type, without the lanes.
    """

    __slots__ = ("formula", "kind", "name")

    def __init__(self, formula: Formula, name: str, kind: str) -> None:
        self.formula = formula
        self.name = name
        self.kind = kind

    @property
    def floating(self) -> bool:
        return self.kind in ("double", "float")

    def two(self, instruction: str, other: Operand) -> Number:
        right = self.formula.number(other, self.kind)
        text = f"{instruction} {self.formula.type(self.kind)} {self.name}, {right.name}"
        return Number(self.formula, self.formula.write(text), self.kind)

    def __add__(self, other: Operand) -> Number:
        return self.two("fadd" if self.floating else "add", other)

    def __radd__(self, other: float) -> Number:
        return self.formula.number(other, self.kind) + self

    def __sub__(self, other: Operand) -> Number:
        return self.two("fsub" if self.floating else "sub", other)

    def __rsub__(self, other: float) -> Number:
        return self.formula.number(other, self.kind) - self

    def __mul__(self, other: Operand) -> Number:
        return self.two("fmul" if self.floating else "mul", other)

    def __rmul__(self, other: float) -> Number:
        return self * other

    def __truediv__(self, other: Operand) -> Number:
        return self.two("fdiv", other)

    def __rtruediv__(self, other: float) -> Number:
        return self.formula.number(other, self.kind) / self

    def __neg__(self) -> Number:
        text = f"fneg {self.formula.type(self.kind)} {self.name}"
        return Number(self.formula, self.formula.write(text), self.kind)

    def __and__(self, other: Operand) -> Number:
        return self.two("and", other)

    def __or__(self, other: Operand) -> Number:
        return self.two("or", other)

    def __xor__(self, other: Operand) -> Number:
        return self.two("xor", other)

    def __lshift__(self, other: int) -> Number:
        return self.two("shl", other)

    def __rshift__(self, other: int) -> Number:
        """Zeros are shifted in."""
        return self.two("lshr", other)

    def compared(self, floats: str, integers: str, other: Operand) -> Number:
        right = self.formula.number(other, self.kind)
        how = f"fcmp {floats}" if self.floating else f"icmp {integers}"
        text = f"{how} {self.formula.type(self.kind)} {self.name}, {right.name}"
        return Number(self.formula, self.formula.write(text), "i1")

    def __lt__(self, other: Operand) -> Number:
        return self.compared("olt", "slt", other)

    def __le__(self, other: Operand) -> Number:
        return self.compared("ole", "sle", other)

    def __gt__(self, other: Operand) -> Number:
        return self.compared("ogt", "sgt", other)

    def __ge__(self, other: Operand) -> Number:
        return self.compared("oge", "sge", other)

    def equals(self, other: Operand) -> Number:
        return self.compared("oeq", "eq", other)

    def differs(self, other: Operand) -> Number:
        """Whether unequal, or NaN."""
        return self.compared("une", "ne", other)

    def called(self, name: str, *others: Operand) -> Number:
        """A function of LLVM's."""
        operands = [self, *[self.formula.number(other, self.kind) for other in others]]
        text = ", ".join(f"{self.formula.type(each.kind)} {each.name}" for each in operands)
        suffix = self.formula.suffix
        return Number(
            self.formula,
            self.formula.write(f"call {self.formula.type(self.kind)} @llvm.{name}.{suffix}({text})"),
            self.kind,
        )

    def bits(self) -> Number:
        """The same bits as an integer."""
        return self.cast("bitcast", self.formula.format.integer)

    def floats(self) -> Number:
        """The same bits as a floating-point number."""
        return self.cast("bitcast", WIDTHS[self.kind])

    def cast(self, instruction: str, kind: str) -> Number:
        formula = self.formula
        text = f"{instruction} {formula.type(self.kind)} {self.name} to {formula.type(kind)}"
        return Number(formula, formula.write(text), kind)


Operand: TypeAlias = Number | float
"""A number, or a constant of the kind of the other operand."""


@final
class Formula:
    """The instructions of a function.

    Attributes:
        format: in which it is computed.
        lanes: 0 for numbers, or of how many numbers the vectors consist.
    """

    def __init__(self, number_format: Format, lanes: int = 0, wide: bool = False) -> None:
        self.format = number_format
        self.lanes = lanes
        self.wide = wide
        self.lines: list[str] = []
        self.parameters: list[str] = []
        self.count = 0

    @property
    def suffix(self) -> str:
        return f"v{self.lanes}{self.format.suffix}" if self.lanes else self.format.suffix

    def type(self, kind: str) -> str:
        return f"<{self.lanes} x {kind}>" if self.lanes else kind

    def write(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %{self.count} = {text}")
        return f"%{self.count}"

    def parameter(self, name: str) -> Number:
        """The next parameter. A `wide` formula takes floats, and computes with doubles."""
        kind = "float" if self.wide else self.format.kind
        self.parameters.append(f"{self.type(kind)} %{name}")
        x = Number(self, f"%{name}", kind)
        return x.cast("fpext", "double") if self.wide else x

    def number(self, x: Operand, kind: str) -> Number:
        """A constant."""
        if isinstance(x, Number):
            return x
        if kind == "i1":
            text = "true" if x else "false"
        elif kind in WIDTHS:
            text = str(int(x))
        else:
            exact = float(x) if kind == "double" else float(np.float32(x))
            text = "0x" + struct.pack(">d", exact).hex().upper()
        return Number(self, f"splat ({kind} {text})" if self.lanes else text, kind)

    def constant(self, x: float) -> Number:
        return self.number(x, self.format.kind)

    def text(self, name: str, result: Number, attributes: str = "alwaysinline") -> str:
        """The function with this result."""
        if self.wide:
            result = result.cast("fptrunc", "float")
        kind = self.type(result.kind)
        return "\n".join([self.head(kind, name, attributes), *self.lines, f"  ret {kind} {result.name}", "}"])

    def head(self, kind: str, name: str, attributes: str) -> str:
        return (
            f"define internal {kind} @{name}({', '.join(self.parameters)}) "
            f"{attributes} memory(none) nounwind willreturn {{"
        )

    def guarded(
        self, name: str, results: Sequence[Number], guard: Number, others: Sequence[str], attributes: str
    ) -> str:
        """The function with these results, but where a guard is true with those of other functions of the parameter."""
        kind = self.type(results[0].kind)
        whole = kind if len(results) == 1 else "{" + ", ".join([kind] * len(results)) + "}"
        lines = [self.head(whole, name, attributes), "entry:", *self.lines]
        condition = guard.name
        if self.lanes:
            condition = "%any"
            lines.append(f"  %any = call i1 @llvm.vector.reduce.or.v{self.lanes}i1({self.type('i1')} {guard.name})")
        lines += [f"  br i1 {condition}, label %rare, label %end", "rare:"]
        for number, (result, other) in enumerate(zip(results, others, strict=True)):
            lines += self.asked(f"%rare{number}", result, guard, other)
        lines += ["  br label %end", "end:"]
        for number, result in enumerate(results):
            lines.append(f"  %end{number} = phi {kind} [{result.name}, %entry], [%rare{number}, %rare]")
        if len(results) == 1:
            lines.append(f"  ret {kind} %end0")
        else:
            both = "poison"
            for number in range(len(results)):
                lines.append(f"  %both{number} = insertvalue {whole} {both}, {kind} %end{number}, {number}")
                both = f"%both{number}"
            lines.append(f"  ret {whole} {both}")
        return "\n".join([*lines, "}"])

    def asked(self, name: str, result: Number, guard: Number, other: str) -> list[str]:
        """The results of another function, lane by lane, where a guard is true."""
        single, kind = result.kind, self.type(result.kind)
        x = self.parameters[0].rsplit(" ", 1)[1]
        if not self.lanes:
            return [f"  {name} = call {single} @{other}({single} {x})"]
        lines = []
        values = "poison"
        for lane in range(self.lanes):
            lines += [
                f"  {name}x{lane} = extractelement {kind} {x}, i64 {lane}",
                f"  {name}y{lane} = call {single} @{other}({single} {name}x{lane})",
                f"  {name}z{lane} = insertelement {kind} {values}, {single} {name}y{lane}, i64 {lane}",
            ]
            values = f"{name}z{lane}"
        lines.append(f"  {name} = select {self.type('i1')} {guard.name}, {kind} {values}, {kind} {result.name}")
        return lines


def choose(condition: Number, yes: Operand, no: Operand) -> Number:
    """One of two numbers. Both are computed."""
    formula = condition.formula
    kind = yes.kind if isinstance(yes, Number) else no.kind if isinstance(no, Number) else formula.format.kind
    first, second = formula.number(yes, kind), formula.number(no, kind)
    both = f"{formula.type(kind)} {first.name}, {formula.type(kind)} {second.name}"
    return Number(formula, formula.write(f"select {formula.type('i1')} {condition.name}, {both}"), kind)


def fma(x: Number, y: Operand, z: Operand) -> Number:
    """x * y + z, rounded once."""
    return x.called("fma", y, z)


def absolute(x: Number) -> Number:
    return x.called("fabs")


def signed(size: Number, sign: Number) -> Number:
    """A number with the sign of another one."""
    return size.called("copysign", sign)


def least(x: Number, bound: float) -> Number:
    """The smaller one, or NaN."""
    return choose(x > bound, bound, x)


def greatest(x: Number, bound: float) -> Number:
    """The larger one, or NaN."""
    return choose(x < bound, bound, x)


def rounded(x: Number) -> Number:
    """The nearest integer of a number below 2^(mantissa - 1)."""
    shifter = x.formula.format.shifter
    return (x + shifter) - shifter


def power_of_two(n: Number) -> Number:
    """2^n for an integer n, as a floating-point number, for which this is a normal number: its exponent's bits."""
    f = n.formula.format
    return ((n + (f.shifter + f.bias)).bits() << f.mantissa).floats()


def horner(x: Number, coefficients: Sequence[float]) -> Number:
    """A polynomial, its coefficients from the lowest power up. The fewest instructions, each waiting for the last."""
    total: Operand = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = fma(x, total, c)
    assert isinstance(total, Number)
    return total


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """A polynomial, its coefficients from the lowest power up: odd and even powers apart, so that two chains run at once."""
    if len(coefficients) < 5:
        return horner(x, coefficients)
    z = x * x
    return fma(x, horner(z, coefficients[1::2]), horner(z, coefficients[0::2]))


def fast_two_sum(x: Operand, y: Number) -> tuple[Number, Number]:
    """The sum and its error, if |x| >= |y| (T. J. Dekker, 1971)."""
    x = y.formula.number(x, y.kind)
    total = x + y
    return total, (x - total) + y


def two_sum(x: Number, y: Number) -> tuple[Number, Number]:
    """The sum and its error (D. E. Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def two_product(x: Number, y: Operand) -> tuple[Number, Number]:
    """The product and its error."""
    product = x * y
    return product, fma(x, y, -product)
