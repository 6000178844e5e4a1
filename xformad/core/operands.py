"""What primitives take as operands: numbers and arrays; lists, made arrays; other libraries' arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from xformad.core.dispatch import METHODS
from xformad.core.typing import Value
from xformad.errors import UnsupportedError

OPERANDS: Final[set[type]] = {
    *(float, int, bool, complex, np.ndarray, np.bool_),
    *(np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128, np.clongdouble),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
}
"""The types that primitives take as they are, `Tracer` among them: one look-up settles the usual case."""


def as_operand(x: Value, name: str) -> Value:
    """`x` as something that a primitive takes: lists become arrays, foreign arrays pass, NotImplemented else."""
    if type(x) in OPERANDS:
        return x
    if isinstance(x, list | tuple):
        return METHODS["asarray"](x)
    if isinstance(x, np.ma.MaskedArray | np.matrix):
        raise UnsupportedError(f"{name}: {type(x).__name__} is not supported with traced arrays; pass numpy.asarray(x)")
    if isinstance(x, np.ndarray | np.generic | int | float | complex) or hasattr(type(x), "__array_function__"):
        return x
    return NotImplemented
