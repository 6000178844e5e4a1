"""The text of a kernel in LLVM's language: a function a nest, and one that calls them in turn.

Nests that differ only in the memory they work on share a function, so that an unrolled loop is compiled once.
"""

from __future__ import annotations

from typing import Final, final

from xformad.compiler.native import scalars
from xformad.compiler.native.nest_text import NestWriter
from xformad.compiler.native.planner import Planner
from xformad.compiler.native.product_text import ProductWriter
from xformad.compiler.native.steps import Check, Nest
from xformad.compiler.native.views import Buffer

ALIGNMENT: Final = 64


@final
class KernelWriter:
    """Writes the module of a kernel.

    Args:
        planner: the kernel's steps.
        lanes: how many doubles a vector of this machine has.

    Attributes:
        text: of the module. Its function `kernel` takes pointers to the arguments, the results and the memory for
            temporaries, and returns 0, or the number of the guard that does not hold, from 1.
        memory: how many bytes the temporaries need.
    """

    def __init__(self, planner: Planner, lanes: int) -> None:
        self.planner = planner
        self.memory = place_temporaries(planner)
        functions: dict[tuple[str, str], str] = {}
        lines: list[str] = []
        checks = 0
        for step in planner.steps:
            if not isinstance(step, Check):
                writer = NestWriter(step) if isinstance(step, Nest) else ProductWriter(step, lanes)
                key = (writer.parameters, writer.body)
                name = functions.setdefault(key, f"@nest{len(functions)}")
                memory = ", ".join(f"ptr {pointer(buffer)}" for buffer in writer.buffers)
                lines.append(f"  call void {name}({memory})")
            else:
                checks += 1
                lines += check(step, checks)
        texts = [
            f"define internal void {name}({parameters}) noinline {{\nentry:\n{body}\n}}"
            for (parameters, body), name in functions.items()
        ]
        results = sum(1 for out in planner.graph.outputs if out is not None)
        arguments = [f"ptr %argument{i}" for i in range(len(planner.graph.inputs))]
        arguments += [f"ptr %result{i}" for i in range(results)]
        arguments += ["ptr %temporaries"]
        pointers = [
            f"  %temporary{buffer.number} = getelementptr i8, ptr %temporaries, i64 {buffer.number}"
            for buffer in {buffer.number: buffer for buffer in planner.temporaries if buffer.number >= 0}.values()
        ]
        body = "\n".join([*pointers, *lines, "  ret i64 0"])
        texts.append(f"define internal i64 @kernel({', '.join(arguments)}) {{\nentry:\n{body}\n}}")
        self.functions = len(functions)
        self.text = "\n\n".join(texts)


def check(step: Check, number: int) -> list[str]:
    """Return the number of a guard, if what lies in memory is not what is expected."""
    kind = scalars.MEMORY_TYPES[step.view.buffer.dtype.char]
    return [
        f"  %at{number} = getelementptr {kind}, ptr {pointer(step.view.buffer)}, i64 {step.view.offset}",
        f"  %found{number} = load {kind}, ptr %at{number}",
        f"  %holds{number} = icmp eq {kind} %found{number}, {step.expected}",
        f"  br i1 %holds{number}, label %next{number}, label %fails{number}",
        f"fails{number}:",
        f"  ret i64 {number}",
        f"next{number}:",
    ]


def pointer(buffer: Buffer) -> str:
    """What the kernel calls the beginning of a buffer."""
    return f"@constant{buffer.number}" if buffer.kind == "constant" else f"%{buffer.kind}{buffer.number}"


def place_temporaries(planner: Planner) -> int:
    """Give each temporary its place: that of one which is not needed any more, where it fits. Returns the bytes needed."""
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for number, step in enumerate(planner.steps):
        for buffer in step.buffers:
            first.setdefault(buffer, number)
            last[buffer] = number
    free: list[tuple[int, int]] = []  # sizes and places
    waiting: list[tuple[int, Buffer]] = []
    end = 0
    for buffer in sorted((b for b in planner.temporaries if b in first), key=lambda b: first[b]):
        for until, done in list(waiting):
            if until < first[buffer]:
                waiting.remove((until, done))
                free.append((bytes_of(done), done.number))
        size = bytes_of(buffer)
        fitting = [place for place in free if place[0] == size]
        if fitting:
            buffer.number = fitting[0][1]
            free.remove(fitting[0])
        else:
            buffer.number = end
            end += size
        waiting.append((last[buffer], buffer))
    return end


def bytes_of(buffer: Buffer) -> int:
    """The memory of a temporary, a multiple of what vectors are aligned to."""
    return -(-max(1, buffer.size * buffer.dtype.itemsize) // ALIGNMENT) * ALIGNMENT
