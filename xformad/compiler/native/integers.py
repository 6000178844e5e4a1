"""Operations on whole numbers in LLVM's language, with NumPy's results where the machine has none.

Numbers wrap around. What is divided by zero is 0, and the smallest number divided by -1 is itself; NumPy warns of both in
plain running.

>>> lines = []
>>> def write(text):
...     lines.append(text)
...     return f"%{len(lines)}"
>>> shifted("shl")(write, ["%x", "%n"], np.dtype(np.int64))
'%3'
>>> lines
['icmp ult i64 %n, 64', 'shl i64 %x, %n', 'select i1 %1, i64 %2, i64 0']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np


def shifted(name: str) -> Callable[..., str]:
    """A shift; one by as many bits as there are, or more, moves all out."""

    def emit(write: Callable[[str], str], args: list[str], dtype: np.dtype[Any]) -> str:
        (x, n), bits = args, 8 * dtype.itemsize
        kind = f"i{bits}"
        fits = write(f"icmp ult {kind} {n}, {bits}")
        if name == "shl":
            return write(f"select i1 {fits}, {kind} {write(f'shl {kind} {x}, {n}')}, {kind} 0")
        if dtype.kind == "u":
            return write(f"select i1 {fits}, {kind} {write(f'lshr {kind} {x}, {n}')}, {kind} 0")
        least = write(f"select i1 {fits}, {kind} {n}, {kind} {bits - 1}")
        return write(f"ashr {kind} {x}, {least}")

    return emit


def divided(write: Callable[[str], str], args: list[str], dtype: np.dtype[Any]) -> tuple[str, str, str]:
    """The quotient rounded towards zero, the rest, and whether the divisor is zero: then both are anything."""
    x, y = args
    kind = f"i{8 * dtype.itemsize}"
    zero = write(f"icmp eq {kind} {y}, 0")
    if dtype.kind == "u":
        divisor = write(f"select i1 {zero}, {kind} 1, {kind} {y}")
        return write(f"udiv {kind} {x}, {divisor}"), write(f"urem {kind} {x}, {divisor}"), zero
    # By -1 is by 1 and a change of sign: the machine would refuse the smallest number.
    minus = write(f"icmp eq {kind} {y}, -1")
    special = write(f"or i1 {zero}, {minus}")
    divisor = write(f"select i1 {special}, {kind} 1, {kind} {y}")
    quotient = write(f"sdiv {kind} {x}, {divisor}")
    opposite = write(f"sub {kind} 0, {quotient}")
    chosen = write(f"select i1 {minus}, {kind} {opposite}, {kind} {quotient}")
    return chosen, write(f"srem {kind} {x}, {divisor}"), zero


def crossing(write: Callable[[str], str], rest: str, y: str, kind: str) -> str:
    """Whether a rest is of the other sign than the divisor."""
    differ = write(f"icmp slt {kind} {write(f'xor {kind} {rest}, {y}')}, 0")
    some = write(f"icmp ne {kind} {rest}, 0")
    return write(f"and i1 {differ}, {some}")


def floor_divide(write: Callable[[str], str], args: list[str], dtype: np.dtype[Any]) -> str:
    """The quotient rounded down."""
    kind = f"i{8 * dtype.itemsize}"
    quotient, rest, zero = divided(write, args, dtype)
    if dtype.kind == "i":
        one = write(f"zext i1 {crossing(write, rest, args[1], kind)} to {kind}")
        quotient = write(f"sub {kind} {quotient}, {one}")
    return write(f"select i1 {zero}, {kind} 0, {kind} {quotient}")


def remainder(write: Callable[[str], str], args: list[str], dtype: np.dtype[Any]) -> str:
    """The rest with the sign of the divisor."""
    kind = f"i{8 * dtype.itemsize}"
    _, rest, zero = divided(write, args, dtype)
    if dtype.kind == "i":
        more = write(f"select i1 {crossing(write, rest, args[1], kind)}, {kind} {args[1]}, {kind} 0")
        rest = write(f"add {kind} {rest}, {more}")
    return write(f"select i1 {zero}, {kind} 0, {kind} {rest}")


def fmod(write: Callable[[str], str], args: list[str], dtype: np.dtype[Any]) -> str:
    """The rest with the sign of the dividend."""
    kind = f"i{8 * dtype.itemsize}"
    _, rest, zero = divided(write, args, dtype)
    return write(f"select i1 {zero}, {kind} 0, {kind} {rest}")


def invert(write: Callable[[str], str], args: list[str], dtype: np.dtype[Any]) -> str:
    """All bits the other way round."""
    return write(f"xor i{8 * dtype.itemsize} {args[0]}, -1")


INTEGER_ARITHMETIC: Final[dict[str, Callable[..., str]]] = {
    "floor_divide": floor_divide,
    "remainder": remainder,
    "left_shift": shifted("shl"),
    "right_shift": shifted("shr"),
    "invert": invert,
}
