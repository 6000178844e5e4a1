"""Mathematical constants in the precision of what they meet.

A Python float is a weak type, so `x * math.log(2)` keeps float32. For longdouble it would not do: its 53 bits are too few.

>>> LOG_2.like(np.float32(1.0)), LOG_2.like(np.longdouble(1.0)) - LOG_2.double != 0
(0.6931471805599453, np.True_)
"""

from __future__ import annotations

from typing import Final, final

import numpy as np

from xformad.core.interpreter import dtype_of
from xformad.core.typing import Value


@final
class Constant:
    """A real constant.

    Args:
        value: in longdouble.
    """

    __slots__ = ("double", "long")

    def __init__(self, value: np.longdouble) -> None:
        self.long = value
        self.double = float(value)

    def like(self, x: Value) -> Value:
        """The constant in the precision of `x`; it promotes nothing."""
        if type(x) is float or type(x) is np.float64:
            return self.double
        return self.long if dtype_of(x).char in "gG" else self.double


LOG_2: Final = Constant(np.log(np.longdouble(2)))
LOG_10: Final = Constant(np.log(np.longdouble(10)))
THIRD: Final = Constant(np.longdouble(1) / 3)


def inverse(number: float, x: Value) -> Value:
    """1 / number in the precision of `x`."""
    return 1 / np.longdouble(number) if dtype_of(x).char in "gG" else 1.0 / number
