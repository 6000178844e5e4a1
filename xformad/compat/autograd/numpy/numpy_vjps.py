"""Autograd's `autograd.numpy.numpy_vjps`: what rules of a program's own use of it.

>>> import numpy as np
>>> unbroadcast_f(np.ones(2), lambda g: g * np.ones((3, 2)))(1.0)
array([3., 3.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xformad.compat.autograd.numpy.numpy_wrapper import metadata
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.interpreters import cotangents


def unbroadcast(x: Value, target_meta: tuple[Any, ...], broadcast_idx: int = 0) -> Value:
    """A cotangent summed over the axes along which an operand was broadcast; `target_meta` is its `metadata`."""
    shape, _, _, iscomplex = target_meta
    if shape_of(x) != shape:
        x = cotangents.unbroadcast(x, shape)
    return x if iscomplex or dtype_of(x).kind != "c" else np.real(x)


def unbroadcast_f(target: Value, f: Callable[[Value], Value]) -> Callable[[Value], Value]:
    """The function f of a cotangent, its result summed over the axes along which `target` was broadcast."""
    target_meta = metadata(target)
    return lambda g: unbroadcast(f(g), target_meta)


def match_complex(target: Value, x: Value) -> Value:
    """x as a real or complex array, as `target` is one."""
    wanted, given = dtype_of(target).kind == "c", dtype_of(x).kind == "c"
    return x if wanted == given else x + 0j if wanted else np.real(x)


def replace_zero(x: Value, val: Value) -> Value:
    """x with `val` in the place of zeros."""
    return np.where(x, x, val)


def balanced_eq(x: Value, z: Value, y: Value) -> Value:
    """1 where x equals z; a half where y does too."""
    return (x == z) / (1.0 + (x == y))
