"""Scalar operations in LLVM's language: what one entry of an elementwise operation is.

An emitter gets a function that writes an instruction and returns the name of its result, the operands' names, and the
dtypes. Operands have been converted to the dtype in which NumPy computes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from xformad.compiler.native.functions import FUNCTIONS, PREFIX

Write: TypeAlias = Callable[[str], str]
Emitter: TypeAlias = Callable[[Write, list[str], np.dtype[Any]], str]

TYPES: Final = {"d": "double", "f": "float", "l": "i64", "q": "i64", "i": "i32", "?": "i1"}
"""LLVM's types of the dtypes, by their characters. Other dtypes are left to NumPy."""

MEMORY_TYPES: Final = {**TYPES, "?": "i8"}


def supported(dtype: np.dtype[Any]) -> bool:
    """Whether there are machine operations for a dtype."""
    return dtype.char in TYPES and dtype.isnative


def literal(value: Any, dtype: np.dtype[Any]) -> str:
    """A constant.

    >>> literal(1.5, np.dtype(float)), literal(True, np.dtype(bool)), literal(3, np.dtype(np.int64))
    ('0x3FF8000000000000', 'true', '3')
    """
    if dtype.kind == "f":
        number = float(np.asarray(value, dtype))  # LLVM writes floats as doubles, too
        return "0x" + struct.pack(">d", number).hex().upper()
    if dtype.kind == "b":
        return "true" if value else "false"
    return str(int(value))


def is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f"


def of_two(floats: str, integers: str | None) -> Emitter:
    """An instruction with two operands."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        name = floats if is_float(dtype) else integers
        return write(f"{name} {TYPES[dtype.char]} {args[0]}, {args[1]}")

    return emit


def compared(floats: str, integers: str) -> Emitter:
    """A comparison. NaN is unequal to everything, and neither less nor greater."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        how = f"fcmp {floats}" if is_float(dtype) else f"icmp {integers}"
        return write(f"{how} {TYPES[dtype.char]} {args[0]}, {args[1]}")

    return emit


def bitwise(name: str) -> Emitter:
    """An instruction on truth values."""
    return lambda write, args, _: write(f"{name} i1 {args[0]}, {args[1]}")


def intrinsic(name: str) -> Emitter:
    """One of LLVM's own functions, or of the C library's, by LLVM's name for them."""

    def emit(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
        kind = TYPES[dtype.char]
        operands = ", ".join(f"{kind} {arg}" for arg in args)
        return write(f"call {kind} @llvm.{name}.{'f64' if dtype.char == 'd' else 'f32'}({operands})")

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


def negative(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    kind = TYPES[dtype.char]
    return write(f"fneg {kind} {args[0]}" if is_float(dtype) else f"sub {kind} 0, {args[0]}")


def square(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    return of_two("fmul", "mul")(write, [args[0], args[0]], dtype)


def reciprocal(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    return write(f"fdiv {TYPES[dtype.char]} {literal(1, dtype)}, {args[0]}")


def sign(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    """1, -1, 0, or NaN."""
    kind, x = TYPES[dtype.char], args[0]
    up = write(f"fcmp ogt {kind} {x}, {literal(0, dtype)}")
    down = write(f"fcmp olt {kind} {x}, {literal(0, dtype)}")
    rest = write(f"fadd {kind} {x}, {literal(0, dtype)}")  # 0 or NaN; -0 becomes 0
    lower = write(f"select i1 {down}, {kind} {literal(-1, dtype)}, {kind} {rest}")
    return write(f"select i1 {up}, {kind} {literal(1, dtype)}, {kind} {lower}")


def isnan(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    return write(f"fcmp uno {TYPES[dtype.char]} {args[0]}, {args[0]}")


def isinf(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    size = intrinsic("fabs")(write, args, dtype)
    return write(f"fcmp oeq {TYPES[dtype.char]} {size}, {literal(np.inf, dtype)}")


def isfinite(write: Write, args: list[str], dtype: np.dtype[Any]) -> str:
    size = intrinsic("fabs")(write, args, dtype)
    return write(f"fcmp one {TYPES[dtype.char]} {size}, {literal(np.inf, dtype)}")


ARITHMETIC: Final[dict[str, Emitter]] = {
    "add": of_two("fadd", "add"),
    "subtract": of_two("fsub", "sub"),
    "multiply": of_two("fmul", "mul"),
    "divide": of_two("fdiv", None),
    "negative": negative,
    "square": square,
    "reciprocal": reciprocal,
    "sqrt": intrinsic("sqrt"),
    "absolute": intrinsic("fabs"),
    "fabs": intrinsic("fabs"),
    "maximum": intrinsic("maximum"),
    "minimum": intrinsic("minimum"),
    "fmax": intrinsic("maxnum"),
    "fmin": intrinsic("minnum"),
    "floor": intrinsic("floor"),
    "ceil": intrinsic("ceil"),
    "trunc": intrinsic("trunc"),
    "rint": intrinsic("rint"),
    "copysign": intrinsic("copysign"),
    "sign": sign,
    "sin": one_of_two("sincos", 0),
    "cos": one_of_two("sincos", 1),
    **{name: function(name) for name in FUNCTIONS if name != "sincos"},
    "float_power": function("power"),
}
"""Operations whose result has the dtype in which they are computed."""

COMPARISONS: Final[dict[str, Emitter]] = {
    "equal": compared("oeq", "eq"),
    "not_equal": compared("une", "ne"),
    "less": compared("olt", "slt"),
    "less_equal": compared("ole", "sle"),
    "greater": compared("ogt", "sgt"),
    "greater_equal": compared("oge", "sge"),
    "isnan": isnan,
    "isinf": isinf,
    "isfinite": isfinite,
}
"""Operations whose result is a truth value, computed in the dtype of the operands."""

LOGIC: Final[dict[str, Emitter]] = {
    "logical_and": bitwise("and"),
    "logical_or": bitwise("or"),
    "logical_xor": bitwise("xor"),
    "logical_not": lambda write, args, _: write(f"xor i1 {args[0]}, true"),
}
"""Operations on truth values."""

FLOATS_ONLY: Final = frozenset(ARITHMETIC) - {"add", "subtract", "multiply", "negative", "square"}


def converted(write: Write, x: str, before: np.dtype[Any], after: np.dtype[Any]) -> str:
    """`x.astype(after)`, for conversions that machines do as NumPy does."""
    if before.char == after.char or TYPES[before.char] == TYPES[after.char]:
        return x
    a, b = TYPES[before.char], TYPES[after.char]
    if after.kind == "b":
        if before.kind == "f":
            return write(f"fcmp une {a} {x}, {literal(0, before)}")
        return write(f"icmp ne {a} {x}, 0")
    if before.kind == "b":
        return write(f"uitofp i1 {x} to {b}" if after.kind == "f" else f"zext i1 {x} to {b}")
    if before.kind == "f" and after.kind == "f":
        return write(f"{'fpext' if after.itemsize > before.itemsize else 'fptrunc'} {a} {x} to {b}")
    if after.kind == "f":
        return write(f"sitofp {a} {x} to {b}")
    if before.kind == "i":
        return write(f"{'sext' if after.itemsize > before.itemsize else 'trunc'} {a} {x} to {b}")
    raise ValueError(f"no machine conversion from {before} to {after}")


IDENTITIES: Final[dict[str, float]] = {"sum": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}

COMBINE: Final[dict[str, str]] = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}
"""The reductions, and the operations by which they go on."""
