"""What `jit(fun).explain(*args)` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from xformad.compiler.backends import reason_outside
from xformad.compiler.kernels import body_of
from xformad.compiler.replay import Program
from xformad.core.graph import Node, component
from xformad.core.guards import guard
from xformad.core.texts import describe
from xformad.core.typing import Value
from xformad.transformations.compiled import Compiled, Path, key_of


def explained(fun: Compiled, values: Sequence[Value]) -> str:
    """The paths for arguments of these shapes, and what they consist of."""
    ways = fun.paths.get(key_of(values))
    known = () if ways is None else ways.known
    kinds = ", ".join(describe(np.shape(x), np.asarray(x).dtype) for x in values)
    lines = [f"jit of {fun.__name__} for {kinds or 'no arrays'}: {counted(len(known), 'path')}"]
    for number, path in enumerate(known, 1):
        lines += [f"path {number}, run {counted(path.calls, 'time')}: {counted(len(path.graph), 'operation')}"]
        lines += [f"  {line}" for line in of_path(path)]
    return "\n".join(lines)


def of_path(path: Path) -> Iterable[str]:
    """The lines on one path."""
    for reason in path.guarded.reasons:
        yield f"guard: {reason}"
    yield from of_program(path.program)


def of_program(program: Program) -> Iterable[str]:
    """The lines on what runs: kernels, and operations of NumPy's."""
    for node in program.graph.equations:
        assert node.primitive is not None
        body = body_of(node.primitive)
        if body is not None:
            inside = body.equations
            yield f"kernel of {counted(len(inside), 'operation')}: {tally(inside)}"
        elif node.primitive is not guard and node.primitive is not component:
            yield f"NumPy: {node.primitive.name}: {reason_outside(node)}"


def tally(nodes: Iterable[Node]) -> str:
    """How many there are of each operation."""
    counts = Counter(node.primitive.name for node in nodes if node.primitive is not None)
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
