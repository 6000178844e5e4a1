"""Where in the user's program something happened, for messages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

import numpy

OURS = tuple(
    str(folder) + os.sep
    for folder in (Path(__file__).parents[1], Path(numpy.__file__).parent, Path(numpy.__file__).parents[1] / "scipy")
)


INTERPRETING: Final[set[CodeType]] = set()
"""The code of the methods by which interpreters give primitives meanings: see `Interpreter.__init_subclass__`."""


def user_line() -> str:
    """`file:line` of the innermost line of the user's program: outside of xformad, of NumPy, and of interpreters.

    An interpreter may live outside of xformad, and so may the rules that it calls. Therefore frames count by runs: those
    between two of xformad's or NumPy's are an interpreter's, all of them, if one of them is a method of an interpreter.
    A function that sets `__tracebackhide__ = True`, pytest's mark for helpers, is passed over like xformad's own.

    >>> user_line()
    '<doctest ...>:1'
    """
    frame = user_frame()[0]
    return "?" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def user_depth() -> int:
    """The `stacklevel` with which the caller's `warnings.warn` names the line that `user_line` does."""
    return user_frame()[1]


def user_frame() -> tuple[FrameType | None, int]:
    """The frame of the line that `user_line` names, and its depth, counted from the caller of the caller."""
    frame: FrameType | None = sys._getframe(2)
    depth = 1
    found: tuple[FrameType | None, int] = None, depth
    while frame is not None:
        while frame is not None and passed_over(frame):
            frame = frame.f_back
            depth += 1
        found = frame, depth
        interpreting = False
        while frame is not None and not passed_over(frame):
            interpreting = interpreting or frame.f_code in INTERPRETING
            frame = frame.f_back
            depth += 1
        if not interpreting:
            break
    return found


def passed_over(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(OURS) or "__tracebackhide__" in frame.f_code.co_varnames
