"""One row of the table of operations, from which every interpreter is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """An operation, called as a user calls it, with sample arguments.

    Attributes:
        name: what the test is called; unique in the table.
        fun: a function of arrays, written with plain NumPy, that uses the operation.
        args: float64 samples, away from kinks; the derivative is checked with respect to all of them.
        complex: whether it is also to be checked at complex arguments (made of the samples).
        single: whether float32 arguments give a float32 result.
        order: to which order the derivatives are checked.
    """

    name: str
    fun: Callable[..., Any]
    args: tuple[Any, ...]
    complex: bool = False
    single: bool = True
    order: int = 2


@dataclass(frozen=True)
class Refused:
    """A call that must be refused: the error's type and a part of its text."""

    name: str
    fun: Callable[..., Any]
    args: tuple[Any, ...]
    error: type[Exception]
    text: str
