"""Values without their derivatives: `stop_gradient` cuts them off, `value_of` reads what a traced value stands for."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from xformad import tree
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.operations import discrete

T = TypeVar("T")


def stop_gradient(x: T) -> T:
    """The same value, taken for a constant by every transformation around.

    Args:
        x: a pytree of values.

    >>> from xformad import grad
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(discrete.stop_gradient, x)  # type: ignore[no-any-return]


def value_of(x: T) -> T:
    """The plain values that traced ones stand for, to look at, store or print. Arrays are read-only views.

    Args:
        x: a pytree of values, traced or not.

    >>> value_of([1.0, (2.0,)])
    [1.0, (2.0,)]
    """
    return tree.map(plain, x)  # type: ignore[no-any-return]


def plain(x: Value) -> Value:
    if type(x) is not Tracer:
        return x
    value = x.interpreter.plain(x)
    if type(value) is np.ndarray:
        value = value.view()
        value.flags.writeable = False
    return value
