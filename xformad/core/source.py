"""Where in the user's program something happened, for messages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

import numpy

OURS = tuple(str(folder) + os.sep for folder in (Path(__file__).parents[1], Path(numpy.__file__).parent))


def user_line() -> str:
    """`file:line` of the innermost frame outside of xformad and NumPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return "?" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def user_depth() -> int:
    """The `stacklevel` with which the caller's `warnings.warn` names the line that `user_line` does."""
    depth = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
        depth += 1
    return depth
