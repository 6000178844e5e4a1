"""Autograd's `autograd.misc.flatten`: containers of arrays as one vector.

>>> import numpy as np
>>> vector, unflatten = flatten({"w": np.ones((1, 2)), "b": [3.0, 4.0]})
>>> vector
array([3., 4., 1., 1.])
>>> unflatten(np.arange(4.0))["w"]
array([[2., 3.]])
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xformad.core.interpreter import shape_of
from xformad.core.typing import Value


def flatten(value: Any) -> tuple[Value, Callable[[Value], Any]]:
    """The numbers of nested lists, tuples and dicts of arrays, in a vector, and the function back.

    The keys of dicts are sorted. Numbers of several types become one type.
    """
    leaves: list[Value] = []
    back = collect(value, leaves, 0)[0]
    vector = np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.array([])
    return vector, back


def collect(value: Any, leaves: list[Value], start: int) -> tuple[Callable[[Value], Any], int]:
    """Append the leaves of a value; the function that finds it in the vector from `start` on, and where it ends."""
    if isinstance(value, dict):
        parts = {}
        for key in sorted(value):
            parts[key], start = collect(value[key], leaves, start)
        order = list(value)
        return lambda vector: {key: parts[key](vector) for key in order}, start
    if isinstance(value, list | tuple):
        backs = []
        for part in value:
            back, start = collect(part, leaves, start)
            backs.append(back)
        kind: Any = type(value)
        if hasattr(kind, "_fields"):
            return lambda vector: kind(*[back(vector) for back in backs]), start
        return lambda vector: kind([back(vector) for back in backs]), start
    leaves.append(value)
    shape = shape_of(value)
    end = start + math.prod(shape)
    if shape == ():
        return lambda vector: vector[start], end
    if len(shape) == 1:
        return lambda vector: vector[start:end], end
    return lambda vector: np.reshape(vector[start:end], shape), end


def flatten_func(func: Callable[..., Any], example: Any) -> tuple[Callable[..., Value], Callable[[Value], Any], Value]:
    """A function of containers as one of vectors, with the function back and the example as a vector."""
    flat_example, unflatten = flatten(example)
    return lambda x, *args: flatten(func(unflatten(x), *args))[0], unflatten, flat_example
