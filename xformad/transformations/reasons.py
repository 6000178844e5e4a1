"""Why an operation makes a NaN or an infinity of finite operands: for the messages of `debug_nans`.

>>> reason_of_value("log", [-2.0])
'log of a negative number, -2.0'
>>> reason_of_derivative("sqrt", [0.0], 0.0)
'the derivative of sqrt at 0.0 is infinite, and 0 times infinity is NaN'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

Outside = tuple[Callable[..., bool], str]
"""Where a function is not finite: a condition on entries of its operands, and how it is said."""

NEGATIVE: Final[Outside] = (lambda x: x < 0, "of a negative number, {0}")
ZERO: Final[Outside] = (lambda x: x == 0, "of zero")
OVERFLOW: Final[Outside] = (lambda *operands: all(map(np.isfinite, operands)), "of {0} overflows")
OF_INFINITY: Final[Outside] = (lambda x: np.isinf(x), "of {0}")
BEYOND_ONE: Final[Outside] = (lambda x: abs(x) > 1, "of {0}, which is outside of [-1, 1]")
BY_ZERO: Final[Outside] = (lambda x, y: y == 0, "of {0} by zero")
BOTH_OVERFLOW: Final[Outside] = (OVERFLOW[0], "of {0} and {1} overflows")

OUTSIDE: Final[dict[str, tuple[Outside, ...]]] = {
    **dict.fromkeys(("log", "log2", "log10"), (NEGATIVE, ZERO)),
    "log1p": ((lambda x: x < -1, "of {0}, which is less than -1"), (lambda x: x == -1, "of -1")),
    "sqrt": (NEGATIVE,),
    **dict.fromkeys(("arcsin", "arccos"), (BEYOND_ONE,)),
    "arccosh": ((lambda x: x < 1, "of {0}, which is less than 1"),),
    "arctanh": (BEYOND_ONE, (lambda x: abs(x) == 1, "of {0}")),
    **dict.fromkeys(("exp", "exp2", "expm1", "sinh", "cosh", "square"), (OVERFLOW,)),
    **dict.fromkeys(("sin", "cos", "tan"), (OF_INFINITY,)),
    "reciprocal": (ZERO, OVERFLOW),
    "divide": (
        (lambda x, y: x == 0 and y == 0, "of zero by zero"),
        BY_ZERO,
        (lambda x, y: bool(np.isinf(x) and np.isinf(y)), "of an infinity by an infinity"),
        BOTH_OVERFLOW,
    ),
    **dict.fromkeys(("remainder", "fmod", "floor_divide"), (BY_ZERO,)),
    "multiply": ((lambda x, y: x == 0 or y == 0, "of zero and an infinity"), BOTH_OVERFLOW),
    **dict.fromkeys(
        ("add", "subtract"), ((lambda x, y: bool(np.isinf(x) and np.isinf(y)), "of two infinities"), BOTH_OVERFLOW)
    ),
    **dict.fromkeys(
        ("power", "float_power"),
        (
            (lambda x, y: x < 0 and y != np.rint(y), "of a negative number, {0}, with the fractional exponent {1}"),
            (lambda x, y: x == 0 and y < 0, "of zero with the negative exponent {1}"),
            BOTH_OVERFLOW,
        ),
    ),
}
"""Where a function is no finite number though its operands are."""

SINGULAR: Final[dict[str, Callable[..., bool]]] = {
    **dict.fromkeys(("sqrt", "cbrt", "log", "log2", "log10", "reciprocal"), lambda x: x == 0),
    "log1p": lambda x: x == -1,
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), lambda x: abs(x) == 1),
    "arccosh": lambda x: x == 1,
    **dict.fromkeys(("power", "float_power"), lambda x, y: x == 0 and y < 1),
    "divide": lambda x, y: y == 0,
}
"""Where a derivative is infinite though the function is defined."""


def reason_of_value(name: str, entries: Sequence[Any] | None) -> str | None:
    """Why an operation is not finite for these entries of its operands; None if that is not known.

    Args:
        name: of the primitive.
        entries: of each operand the one that the result's entry is made of; None where it is made of many.
    """
    for condition, text in OUTSIDE.get(name, ()):
        if entries is not None and holds(condition, entries):
            return f"{name} {text.format(*map(shown, entries))}"
    return None


def reason_of_derivative(name: str, entries: Sequence[Any] | None, factor: Any) -> str | None:
    """Why a derivative times a factor is not finite; None if that is not known.

    Args:
        name: of the primitive.
        entries: as for `reason_of_value`.
        factor: the entry of the cotangent; None where there is no such one.
    """
    condition = SINGULAR.get(name)
    if condition is None or entries is None or not holds(condition, entries):
        return None
    where = " and ".join(map(shown, entries))
    infinite = f"the derivative of {name} at {where} is infinite"
    return f"{infinite}, and 0 times infinity is NaN" if factor is not None and factor == 0 else infinite


def holds(condition: Callable[..., bool], entries: Sequence[Any]) -> bool:
    if any(isinstance(entry, complex | np.complexfloating) for entry in entries):
        return False
    with np.errstate(all="ignore"):
        return bool(condition(*entries))


def shown(entry: Any) -> str:
    """A number as Python writes it."""
    return str(entry.item() if isinstance(entry, np.generic) else entry)
