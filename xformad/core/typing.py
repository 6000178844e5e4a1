"""The few type names that the whole library shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Value: TypeAlias = Any
"""Whatever flows through a program: a number, an ndarray, another library's array, or a `Tracer` for one.

NumPy code is duck-typed, and any array that implements NEP 13 and NEP 18 may flow through as a value, so there is
no nominal type to name here. Everything that is not such a value is typed exactly.
"""

Params: TypeAlias = dict[str, Any]
"""The keyword parameters of a primitive: axes, shapes, dtypes, static indices. Never a traced value."""

Shape: TypeAlias = tuple[int, ...]

ShapeDtype: TypeAlias = tuple[Shape, np.dtype[Any]]
"""The type of an array."""

Implementation: TypeAlias = Callable[..., Value]
"""A function of plain values that computes a primitive."""

VjpRule: TypeAlias = Callable[..., Value]
"""`rule(g, ans, *args, **params)`: the cotangent of one argument, given the cotangent `g` of the result."""
