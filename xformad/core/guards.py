"""What a recorded run took for granted: `guard(x, expected=...)` holds while x is what it was then.

>>> guard.bind(3, expected=3, how="index")
3
>>> guard.bind(4, expected=3, how="index")
Traceback (most recent call last):
...
xformad.core.guards.GuardError: index
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value


@final
class GuardError(Exception):
    """A guard does not hold: this run takes another way than the recorded one. `jit` catches it."""


def check(x: Value, expected: Any, how: str) -> Value:
    """The implementation of `guard`.

    Raises:
        GuardError: if x is not what is expected.
    """
    if not holds(x, expected, how):
        raise GuardError(how)
    return x


def holds(x: Value, expected: Any, how: str) -> bool:
    """Whether a guard holds, for a plain value."""
    if how == "truth":
        return bool(x) is expected
    if how == "index":
        return bool(x == expected)
    if how == "integer":
        return bool(int(x) == expected)
    if how == "shape":
        return bool(np.shape(x) == expected)
    return type(x) is type(expected) and np.array_equal(x, expected, equal_nan=np.asarray(x).dtype.kind in "fc")


any_ = Primitive("any", np.any)  # its rules are in xformad.operations
guard = Primitive("guard", check)
"""The value; as parameters what is expected, and `how` it is looked at: as a "truth" value, as an "index", as an
"integer" after rounding towards zero, its "shape", or its "value"."""
