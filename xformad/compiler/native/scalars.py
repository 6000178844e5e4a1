"""Scalar operations in LLVM's language: what one entry of an elementwise operation is.

An emitter gets a function that writes an instruction and returns the name of its result, the operands' names, and the
dtypes. Operands have been converted to the dtype in which NumPy computes.
"""

from __future__ import annotations

import platform
import re
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from xformad.compiler.native.functions import FUNCTIONS, PREFIX
from xformad.compiler.native.integers import INTEGER_ARITHMETIC, fmod
from xformad.compiler.native.steps import UnsupportedGraphError

Write: TypeAlias = Callable[[str], str]
Emitter: TypeAlias = Callable[[Write, list[str], np.dtype[Any]], str]

INTEGERS: Final = "bBhHiIlLqQ"

TYPES: Final = {
    "d": "double",
    "f": "float",
    "?": "i1",
    **{char: f"i{8 * np.dtype(char).itemsize}" for char in INTEGERS},
}
"""LLVM's types of the dtypes, by their characters. Complex numbers are two registers; other dtypes are left to NumPy."""

MEMORY_TYPES: Final = {**TYPES, "?": "i8", "F": "{float, float}", "D": "{double, double}"}


def supported(dtype: np.dtype[Any]) -> bool:
    """Whether there are machine operations for a dtype."""
    return dtype.char in MEMORY_TYPES and dtype.isnative


def literal(value: Any, dtype: np.dtype[Any]) -> str:
    """A constant.

    >>> literal(1.5, np.dtype(float)), literal(True, np.dtype(bool)), literal(3, np.dtype(np.int64))
    ('0x3FF8000000000000', 'true', '3')

    Raises:
        UnsupportedGraphError: if it is not a number of that dtype.
    """
    if dtype.kind == "f":
        number = float(np.asarray(value, dtype))  # LLVM writes floats as doubles, too
        return "0x" + struct.pack(">d", number).hex().upper()
    if dtype.kind == "b":
        return "true" if value else "false"
    if np.asarray(value).dtype.kind not in "iub" or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise UnsupportedGraphError
    return str(int(value))


def of_two(floats: str, integers: str, truths: str = "") -> Emitter:
    """An instruction with two operands."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        name = floats if dtype.kind == "f" else truths if dtype.kind == "b" else integers
        return write(f"{name} {TYPES[dtype.char]} {args[0]}, {args[1]}")

    return emit


def compared(floats: str, signed: str, unsigned: str) -> Emitter:
    """A comparison. NaN is unequal to everything, and neither less nor greater."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        how = f"fcmp {floats}" if dtype.kind == "f" else f"icmp {signed if dtype.kind == 'i' else unsigned}"
        return write(f"{how} {TYPES[dtype.char]} {args[0]}, {args[1]}")

    return emit


def intrinsic_name(name: str, dtype: np.dtype[Any]) -> str:
    """The name of one of LLVM's own functions, for a dtype."""
    return f"@llvm.{name}.{f'f{8 * dtype.itemsize}' if dtype.kind == 'f' else TYPES[dtype.char]}"


def intrinsic(name: str) -> Emitter:
    """One of LLVM's own functions, or of the C library's, by LLVM's name for them."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        kind = TYPES[dtype.char]
        operands = ", ".join(f"{kind} {arg}" for arg in args)
        return write(f"call {kind} {intrinsic_name(name, dtype)}({operands})")

    return emit


def function(name: str) -> Emitter:
    """One of `FUNCTIONS`."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        kind = TYPES[dtype.char]
        operands = ", ".join(f"{kind} {arg}" for arg in args)
        return write(f"call {kind} @{PREFIX}{name}{'' if dtype.char == 'd' else 'f'}({operands})")

    return emit


def one_of_two(name: str, which: int) -> Emitter:
    """A result of one of `FUNCTIONS` that has two."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        kind = TYPES[dtype.char]
        both = f"{{{kind}, {kind}}}"
        found = write(f"call {both} @{PREFIX}{name}{'' if dtype.char == 'd' else 'f'}({kind} {args[0]})")
        return write(f"extractvalue {both} {found}, {which}")

    return emit


def extremum(floats: str, integers: str, truths: str) -> Emitter:
    """The larger or the smaller one."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        if dtype.kind == "b":
            return write(f"{truths} i1 {args[0]}, {args[1]}")
        if dtype.kind != "f":
            return intrinsic(f"{'s' if dtype.kind == 'i' else 'u'}{integers}")(write, args, dtype)
        kind = TYPES[dtype.char]  # of 0 and -0, NumPy returns either one, too
        return write(f"call nsz {kind} {intrinsic_name(floats, dtype)}({kind} {args[0]}, {kind} {args[1]})")

    return emit


def negative(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    kind = TYPES[dtype.char]
    return write(f"fneg {kind} {args[0]}" if dtype.kind == "f" else f"sub {kind} 0, {args[0]}")


def absolute(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    """The smallest integer's is itself."""
    if dtype.kind == "f":
        return intrinsic("fabs")(write, args, dtype)
    if dtype.kind != "i":
        return args[0]
    kind = TYPES[dtype.char]
    return write(f"call {kind} {intrinsic_name('abs', dtype)}({kind} {args[0]}, i1 false)")


def whole(name: str) -> Emitter:
    """A function that is the identity for integers."""
    return lambda write, args, dtype: intrinsic(name)(write, args, dtype) if dtype.kind == "f" else args[0]


def square(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    return of_two("fmul", "mul", "and")(write, [args[0], args[0]], dtype)


def reciprocal(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    return write(f"fdiv {TYPES[dtype.char]} {literal(1, dtype)}, {args[0]}")


def sign(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    """1, -1, 0, or NaN."""
    kind, x = TYPES[dtype.char], args[0]
    zero = literal(0, dtype)
    if dtype.kind == "f":
        up = write(f"fcmp ogt {kind} {x}, {zero}")
        down = write(f"fcmp olt {kind} {x}, {zero}")
        rest = write(f"fadd {kind} {x}, {zero}")  # 0 or NaN; -0 becomes 0
        lower = write(f"select i1 {down}, {kind} {literal(-1, dtype)}, {kind} {rest}")
        return write(f"select i1 {up}, {kind} {literal(1, dtype)}, {kind} {lower}")
    if dtype.kind == "u":
        return converted(write, write(f"icmp ne {kind} {x}, 0"), np.dtype(bool), dtype)
    up = write(f"icmp sgt {kind} {x}, 0")
    return write(f"select i1 {up}, {kind} 1, {kind} {write(f'ashr {kind} {x}, {8 * dtype.itemsize - 1}')}")


def ldexp(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    """Times a power of two, whose exponent is a short integer."""
    kind = TYPES[dtype.char]
    return write(f"call {kind} {intrinsic_name('ldexp', dtype)}.i32({kind} {args[0]}, i32 {args[1]})")


def isnan(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    return write(f"fcmp uno {TYPES[dtype.char]} {args[0]}, {args[0]}")


def isinf(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    size = intrinsic("fabs")(write, args, dtype)
    return write(f"fcmp oeq {TYPES[dtype.char]} {size}, {literal(np.inf, dtype)}")


def isfinite(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    size = intrinsic("fabs")(write, args, dtype)
    return write(f"fcmp one {TYPES[dtype.char]} {size}, {literal(np.inf, dtype)}")


def signbit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    integer = f"i{8 * dtype.itemsize}"
    bits = write(f"bitcast {TYPES[dtype.char]} {args[0]} to {integer}")
    return write(f"icmp slt {integer} {bits}, 0")


ARITHMETIC: Final[dict[str, Emitter]] = {
    "add": of_two("fadd", "add", "or"),
    "subtract": of_two("fsub", "sub"),
    "multiply": of_two("fmul", "mul", "and"),
    "divide": of_two("fdiv", ""),
    "negative": negative,
    "square": square,
    "reciprocal": reciprocal,
    "sqrt": intrinsic("sqrt"),
    "absolute": absolute,
    "fabs": intrinsic("fabs"),
    "maximum": extremum("maximum", "max", "or"),
    "minimum": extremum("minimum", "min", "and"),
    "fmax": extremum("maxnum", "max", "or"),
    "fmin": extremum("minnum", "min", "and"),
    "floor": whole("floor"),
    "ceil": whole("ceil"),
    "trunc": whole("trunc"),
    "rint": intrinsic("rint"),
    "copysign": intrinsic("copysign"),
    "sign": sign,
    "fmod": lambda write, args, dtype: (of_two("frem", "") if dtype.kind == "f" else fmod)(write, args, dtype),
    "ldexp": ldexp,
    "sin": one_of_two("sincos", 0),
    "cos": one_of_two("sincos", 1),
    **{name: function(name) for name in FUNCTIONS if name != "sincos"},
    "float_power": function("power"),
    "bitwise_and": of_two("", "and", "and"),
    "bitwise_or": of_two("", "or", "or"),
    "bitwise_xor": of_two("", "xor", "xor"),
    **INTEGER_ARITHMETIC,
}
"""Operations whose result has the dtype in which they are computed."""

KINDS: Final = {
    **dict.fromkeys(ARITHMETIC, "f"),
    **dict.fromkeys(("add", "multiply", "square", "absolute", "maximum", "minimum", "fmax", "fmin"), "fiub"),
    **dict.fromkeys(("subtract", "negative", "sign", "fmod"), "fiu"),
    **dict.fromkeys(("floor", "ceil", "trunc"), "fiub"),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), "iub"),
    **dict.fromkeys(INTEGER_ARITHMETIC, "iu"),
}
"""The kinds of dtypes that each operation works on."""

COMPARISONS: Final[dict[str, Emitter]] = {
    "equal": compared("oeq", "eq", "eq"),
    "not_equal": compared("une", "ne", "ne"),
    "less": compared("olt", "slt", "ult"),
    "less_equal": compared("ole", "sle", "ule"),
    "greater": compared("ogt", "sgt", "ugt"),
    "greater_equal": compared("oge", "sge", "uge"),
}
"""Operations whose result is a truth value, computed in the dtype of the operands."""

PROPERTIES: Final[dict[str, Emitter]] = {
    "isnan": isnan,
    "isinf": isinf,
    "isfinite": isfinite,
    "signbit": signbit,
}
"""The same, of floats."""

LOGIC: Final[dict[str, Emitter]] = {
    "logical_and": of_two("", "", "and"),
    "logical_or": of_two("", "", "or"),
    "logical_xor": of_two("", "", "xor"),
    "logical_not": lambda write, args, _: write(f"xor i1 {args[0]}, true"),
}
"""Operations on truth values."""

OPERANDS: Final = {("where", 0): np.dtype(bool), ("ldexp", 1): np.dtype(np.int32)}
"""The dtypes of operands, by position, that are not the one in which is computed."""

EMITTERS: Final = {**ARITHMETIC, **COMPARISONS, **PROPERTIES, **LOGIC}


MACHINE: Final = platform.machine().lower()

SATURATES: Final = {"x86_64": False, "amd64": False, "aarch64": True, "arm64": True}
"""What machines make of floats that an integer type has no number for: the nearest it has, and 0 of NaN; or the smallest."""


def convertible(before: np.dtype[Any], after: np.dtype[Any]) -> bool:
    """Whether it is known what NumPy makes of a number in another dtype."""
    return before.kind != "f" or after.kind in "fb" or (after.char in "ilq" and MACHINE in SATURATES)


def truncated(write: Write, x: str, before: np.dtype[Any], after: np.dtype[Any]) -> str:
    """The whole number towards zero of a float."""
    a, b = TYPES[before.char], TYPES[after.char]
    if SATURATES[MACHINE]:
        return write(f"call {b} @llvm.fptosi.sat.{b}.f{8 * before.itemsize}({a} {x})")
    bound = 2.0 ** (8 * after.itemsize - 1)
    # A double just above the smallest short integer less one is that integer.
    low = bound + 1 if before.itemsize > after.itemsize else bound
    above = write(f"fcmp {'ogt' if low > bound else 'oge'} {a} {x}, {literal(-low, before)}")
    below = write(f"fcmp olt {a} {x}, {literal(bound, before)}")
    inside = write(f"and i1 {above}, {below}")
    number = write(f"fptosi {a} {x} to {b}")
    return write(f"select i1 {inside}, {b} {number}, {b} {np.iinfo(after).min}")


def converted(write: Write, x: str, before: np.dtype[Any], after: np.dtype[Any]) -> str:
    """`x.astype(after)`, for dtypes that are `convertible`."""
    a, b = TYPES[before.char], TYPES[after.char]
    if a == b:
        return x
    if after.kind == "b":
        return write(f"fcmp une {a} {x}, {literal(0, before)}" if before.kind == "f" else f"icmp ne {a} {x}, 0")
    wider = after.itemsize > before.itemsize
    if before.kind == "f" and after.kind == "i":
        return truncated(write, x, before, after)
    if before.kind == "f":
        name = "fpext" if wider else "fptrunc"
    elif after.kind == "f":
        name = "sitofp" if before.kind == "i" else "uitofp"
    elif before.kind == "b":
        name = "zext"
    else:
        name = "trunc" if not wider else "sext" if before.kind == "i" else "zext"
    return write(f"{name} {a} {x} to {b}")


COMBINE: Final[dict[str, str]] = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}
"""The reductions, and the operations by which they go on."""


def identity(name: str, dtype: np.dtype[Any]) -> str:
    """What a reduction begins with."""
    if name in ("sum", "prod"):
        return literal(int(name == "prod"), dtype)
    if dtype.kind == "b":
        return literal(name == "min", dtype)
    if dtype.kind == "f":
        return literal(-np.inf if name == "max" else np.inf, dtype)
    bounds = np.iinfo(dtype)
    return literal(bounds.min if name == "max" else bounds.max, dtype)


def combination(name: str, dtype: np.dtype[Any], x: str, y: str) -> str:
    """The instruction by which a reduction goes on. A sum may be reordered, so that it can be vectorised."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return ""

    ARITHMETIC[COMBINE[name]](keep, [x, y], dtype)
    return re.sub("^(fadd|fmul)", r"\1 reassoc", found[0])
