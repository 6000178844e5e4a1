"""What primitives take as operands: numbers and arrays; lists, made arrays; other libraries' arrays."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from xformad.core.dispatch import METHODS
from xformad.core.typing import Value
from xformad.errors import DifferentiationError, UnsupportedError

OPERANDS: Final[set[type]] = {
    *(float, int, bool, complex, np.ndarray, np.bool_),
    *(np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128, np.clongdouble),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
}
"""The types that primitives take as they are, `Tracer` among them: one look-up settles the usual case."""


WHAT_TO_WRITE: Final[dict[str, str]] = {
    "O": "; make it an array of numbers: x.astype(float)",
    "V": "; take a field of it: x['name']",
    "M": "; make dates numbers: (x - x[0]) / numpy.timedelta64(1, 'D')",
    "m": "; make times numbers: x / numpy.timedelta64(1, 's')",
    "U": "; encode text as numbers",
    "S": "; encode text as numbers",
    "T": "; encode text as numbers",
}
"""What to write in the place of an array that holds no numbers, by the kind of its dtype: ends of sentences."""

SUBCLASSES: Final[dict[type, str]] = {
    np.ma.MaskedArray: ", since derivatives have no mask; use numpy.where(x.mask, 0.0, x.data), or x.filled(0.0)",
    np.matrix: ", since its * is another product; pass numpy.asarray(x), and write @",
    np.recarray: ", since its fields may be no numbers; take one: x['name'], or pass numpy.asarray(x)",
}
"""The subclasses of ndarray that compute something else than ndarray does, and what to write: ends of sentences."""


def objection(x: Value) -> tuple[str, str] | None:
    """What keeps an array from being traced, or from meeting traced ones: what it is, and what to write instead.

    >>> objection(np.array(["2020-01-01"], "datetime64[D]"))
    ('an array of dtype datetime64[D]', "; make dates numbers: (x - x[0]) / numpy.timedelta64(1, 'D')")
    >>> objection(np.ones(2)) is None
    True
    """
    for subclass, instead in SUBCLASSES.items():
        if isinstance(x, subclass):
            return f"a {type(x).__name__}", instead
    dtype = getattr(x, "dtype", None)
    kind = getattr(dtype, "kind", "")
    return (f"an array of dtype {dtype}", WHAT_TO_WRITE[kind]) if kind in WHAT_TO_WRITE else None


def refuse_unfit(x: Value, name: str | None = None) -> None:
    """Refuse an operand that holds no numbers, or that is of a subclass with other rules."""
    found = objection(x)
    if found is not None:
        where = "" if name is None else f"{name}: "
        raise UnsupportedError(f"{where}{found[0]} is not supported with traced arrays{found[1]}")


def refuse_argument(x: Value, name: str, *, text: bool = False) -> None:
    """Refuse an argument of a transformed function that holds no numbers, or that is of a subclass with other rules.

    Args:
        x: the argument, or a leaf of it.
        name: what messages call it.
        text: whether text is let through, which containers hold as labels.
    """
    found = objection(x)
    if found is not None and not (text and x.dtype.kind in "UST"):
        raise DifferentiationError(f"{name} is {found[0]}, which cannot be differentiated{found[1]}")


def refuse_result(dtype: np.dtype[Any], name: str) -> None:
    """Refuse a result that holds no numbers, as that of a product with an array of objects."""
    if dtype.kind in WHAT_TO_WRITE:
        raise UnsupportedError(
            f"{name}: an operand, and so the result, is an array of dtype {dtype}, which is not supported with traced "
            f"arrays{WHAT_TO_WRITE[dtype.kind]}"
        )


def as_operand(x: Value, name: str) -> Value:
    """`x` as something that a primitive takes: lists become arrays, foreign arrays pass, NotImplemented else."""
    if type(x) in OPERANDS:
        return x
    if isinstance(x, list | tuple):
        return METHODS["asarray"](x)
    if isinstance(x, str | bytes):
        return NotImplemented
    if isinstance(x, np.ndarray | np.generic | int | float | complex) or hasattr(type(x), "__array_function__"):
        refuse_unfit(x, name)
        return x
    return NotImplemented
