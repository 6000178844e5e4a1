"""Compiled programs with a look at the clock between their lines, while somebody wants to know.

>>> import numpy as np, xformad
>>> program = Program(xformad.trace(lambda x: np.exp(x * 2.0))(np.ones(3)))
>>> print(timed_source(program))
def run(v1):
    __tick__(0)
    v2 = multiply(v1, k0)
    __tick__(1)
    v3 = exp(v2, out=v2)
    __tick__(2)
    return [v3]

A program's function is known in many places, and is called without a look at whether it is to be timed. So its code is
replaced, and put back afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any, Final, TypeAlias, final

from xformad.compiler.replay import Program

TICK: Final = "__tick__"
"""What the looks at the clock are called in a program."""

Tick: TypeAlias = Callable[[Program, int], None]
"""Called in a program before the equation of a position, and in the end."""


@final
class Timed:
    """The programs that look at the clock, for any thread.

    Attributes:
        codes: by program, the code that it had before, and for how many it looks at the clock.
        thread: its `tick` is who wants to know in this thread.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.codes: dict[int, tuple[CodeType, int]] = {}
        self.thread = threading.local()

    def enter(self, program: Program) -> None:
        run: Any = program.run
        with self.lock:
            code, count = self.codes.get(id(program), (run.__code__, 0))
            self.codes[id(program)] = code, count + 1
            if count == 0:
                run.__globals__[TICK] = partial(self.tick, program)
                run.__code__ = timed_code(program)

    def leave(self, program: Program) -> None:
        run: Any = program.run
        with self.lock:
            code, count = self.codes.pop(id(program))
            if count > 1:
                self.codes[id(program)] = code, count - 1
            else:
                run.__code__ = code
                run.__globals__.pop(TICK)

    def tick(self, program: Program, position: int) -> None:
        """Tell who wants to know in this thread, if there is one."""
        tick: Tick | None = getattr(self.thread, "tick", None)
        if tick is not None:
            tick(program, position)


TIMED: Final = Timed()


def timed_source(program: Program) -> str:
    """The text of a program with a look at the clock before each equation and before it returns."""
    lines = program.source.split("\n")
    places = [*[first for first, _ in program.places], len(lines) - 1]
    for position, first in reversed(list(enumerate(places))):
        lines.insert(first, f"    {TICK}({position})")
    return "\n".join(lines)


def timed_code(program: Program) -> CodeType:
    """The code of that text."""
    namespace: dict[str, Any] = {}
    exec(compile(timed_source(program), "<xformad.profile>", "exec"), namespace)  # noqa: S102
    code: CodeType = namespace["run"].__code__
    return code
