"""`Profile`: what `profile` found, as rows and as a table.

>>> report = Profile(None, [Row("forward", "sin", "/home/prog.py:3", 2, 0.003, 16000, 10000)])
>>> print(report)
     time  share   calls     bytes     flops  phase     operation  line
  3.00 ms 100.0%       2   16.00 k   10.00 k  forward   sin        prog.py:3
  3.00 ms 100.0%       2   16.00 k   10.00 k            total
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar, final

from xformad.core.texts import shortened

R = TypeVar("R")


@final
@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Row:
    """What was spent on an operation in a line of the program.

    Attributes:
        phase: "forward"; "backward" in a backward pass; "" where several are added up.
        operation: the name of the primitive; of a kernel the operations that it consists of.
        line: `file:line`. In a backward pass that of the operation of the forward pass that is pulled back through.
        calls: how often it was applied.
        seconds: the time.
        bytes: the bytes read and written.
        flops: floating-point operations, by the model in `xformad.transformations.costs`; None if there is no formula.
    """

    phase: str
    operation: str
    line: str
    calls: int
    seconds: float
    bytes: int
    flops: int | None


@final
class Profile(Generic[R]):
    """What `profile` found.

    Attributes:
        value: the result of the call.
        rows: what was spent, for each phase, operation and line, the most expensive one first.
    """

    def __init__(self, value: R, rows: Sequence[Row]) -> None:
        self.value = value
        self.rows = by_time(rows)

    @property
    def by_operation(self) -> list[Row]:
        """The rows, added up by phase and operation."""
        return added(self.rows, lambda row: (row.phase, row.operation, ""))

    @property
    def by_line(self) -> list[Row]:
        """The rows, added up by line."""
        return added(self.rows, lambda row: ("", "", row.line))

    @property
    def total(self) -> Row:
        """All rows, added up."""
        return sum_of(self.rows, "", "total", "")

    def __str__(self) -> str:
        """The table, the most expensive row first."""
        return "\n".join(line.rstrip() for line in table([*self.rows, self.total], self.total.seconds))

    def __repr__(self) -> str:
        return f"<Profile: {self.total.calls} operations, {duration(self.total.seconds)}>"

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return f"<pre>{html.escape(str(self))}</pre>"


def by_time(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.seconds, row))


def sum_of(rows: Sequence[Row], phase: str, operation: str, line: str) -> Row:
    known = [row.flops for row in rows if row.flops is not None]
    return Row(
        phase,
        operation,
        line,
        sum(row.calls for row in rows),
        sum(row.seconds for row in rows),
        sum(row.bytes for row in rows),
        sum(known) if known else None,
    )


def added(rows: Sequence[Row], key: Callable[[Row], tuple[str, str, str]]) -> list[Row]:
    """Rows added up that have the same key: a phase, an operation, a line."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return by_time([sum_of(group, *names) for names, group in groups.items()])


def table(rows: Sequence[Row], total: float) -> Iterator[str]:
    """The lines of a table."""
    width = min(max(len(row.operation) for row in rows), 40)
    yield f"{'time':>9} {'share':>6} {'calls':>7} {'bytes':>9} {'flops':>9}  {'phase':8}  {'operation':{width}}  line"
    for row in rows:
        share = row.seconds / total if total else 0.0
        flops = "-" if row.flops is None else amount(row.flops)
        name = shortened(row.operation, 40)
        file, _, number = row.line.rpartition(":")
        line = f"{Path(file).name}:{number}" if file else row.line
        yield (
            f"{duration(row.seconds):>9} {share:6.1%} {row.calls:7} {amount(row.bytes):>9} {flops:>9}  "
            f"{row.phase:8}  {name:{width}}  {line}"
        )


def duration(seconds: float) -> str:
    """A time in a few characters.

    >>> duration(0.0123), duration(1.5e-6)
    ('12.30 ms', '1.50 us')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.2f} {unit}"
    return f"{seconds * 1e6:.2f} us"


def amount(count: int) -> str:
    """A number in a few characters.

    >>> amount(999), amount(1_234_567)
    ('999', '1.23 M')
    """
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return str(count)
