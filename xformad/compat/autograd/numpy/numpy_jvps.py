"""Autograd's `autograd.numpy.numpy_jvps`: what rules of a program's own use of it."""

from __future__ import annotations

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value


def broadcast(x: Value, target: Value) -> Value:
    """A tangent in the shape of the result, and complex if that is.

    >>> broadcast(1.0, np.zeros(2))
    array([1., 1.])
    """
    if shape_of(x) != shape_of(target):
        x = np.broadcast_to(x, shape_of(target))
    return x + 0j if dtype_of(target).kind == "c" and dtype_of(x).kind != "c" else x
