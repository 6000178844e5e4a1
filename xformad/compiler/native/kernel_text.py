"""The text of a kernel in LLVM's language: a function a nest, and one that calls them in turn.

Nests that differ only in the memory they work on share a function, so that an unrolled loop is compiled once.
"""

from __future__ import annotations

from typing import Final, final

from xformad.compiler.native import scalars
from xformad.compiler.native.nest_text import METADATA, NestWriter
from xformad.compiler.native.planner import Planner
from xformad.compiler.native.pool import Pool
from xformad.compiler.native.product_text import ProductWriter
from xformad.compiler.native.splitting import rows_of_chunk, with_partial_sums
from xformad.compiler.native.steps import Branch, Check, Loop, Nest, Product, Step
from xformad.compiler.native.views import Buffer, all_within

ALIGNMENT: Final = 64


@final
class KernelWriter:
    """Writes the module of a kernel.

    Args:
        planner: the kernel's steps.
        lanes: how many doubles a vector of this machine has.
        pool: the threads, if there are any.

    Attributes:
        text: of the module. Its function `kernel` takes pointers to the arguments, the results and the memory for
            temporaries, and returns 0, or the number of the guard that does not hold, from 1.
        memory: how many bytes the temporaries need.
    """

    def __init__(self, planner: Planner, lanes: int, pool: Pool | None) -> None:
        self.planner = planner
        self.pool = pool
        self.tasks: dict[tuple[str, int], str] = {}
        planner.steps[:] = [
            piece
            for step in planner.steps
            for piece in (with_partial_sums(planner, step) if isinstance(step, Nest) else [step])
        ]
        self.memory = place_temporaries(planner)
        self.lanes = lanes
        self.names: dict[tuple[str, str], str] = {}
        self.lines: list[str] = []
        self.count = 0
        self.checks = 0
        self.steps(planner.steps, parted=pool is not None)
        texts = [
            f"define internal void {name}({parameters}) noinline {{\nentry:\n{body}\n}}"
            for (parameters, body), name in self.names.items()
        ]
        texts += self.tasks.values()
        results = sum(1 for out in planner.graph.outputs if out is not None)
        arguments = [f"ptr %argument{i}" for i in range(len(planner.graph.inputs))]
        arguments += [f"ptr %result{i}" for i in range(results)]
        arguments += ["ptr %temporaries"]
        pointers = [
            f"  %temporary{buffer.number} = getelementptr i8, ptr %temporaries, i64 {buffer.number}"
            for buffer in {buffer.number: buffer for buffer in planner.temporaries if buffer.number >= 0}.values()
        ]
        body = "\n".join([*pointers, *self.lines, "  ret i64 0"])
        texts.append(f"define internal i64 @kernel({', '.join(arguments)}) {{\nentry:\n{body}\n}}")
        self.functions = len(self.names)
        self.text = "\n\n".join(texts) + "\n" + METADATA

    def steps(self, steps: list[Step], *, parted: bool = False) -> None:
        """Write steps, one after the other."""
        for step in steps:
            if isinstance(step, Nest | Product):
                writer = NestWriter(step, parted=parted) if isinstance(step, Nest) else ProductWriter(step, self.lanes)
                name = self.names.setdefault((writer.parameters, writer.body), f"@nest{len(self.names)}")
                memory = ", ".join(f"ptr {pointer(buffer)}" for buffer in writer.buffers)
                if isinstance(writer, NestWriter) and writer.parted:
                    self.job(name, writer)
                else:
                    self.lines.append(f"  call void {name}({memory})")
            elif isinstance(step, Check):
                self.checks += 1
                self.lines += check(step, self.checks)
            elif isinstance(step, Loop):
                self.loop(step)
            else:
                self.branch(step)

    def job(self, name: str, writer: NestWriter) -> None:
        """Have the pool run a nest in chunks. What it works on is handed over as an array of pointers."""
        assert self.pool is not None
        length = writer.shape[0]
        rows = rows_of_chunk(writer.nest, length)
        count = len(writer.buffers)
        task = f"{name}rows{rows}of{length}"
        if (name, length) not in self.tasks:
            lines = [f"define internal void {task}(ptr %pointers, i64 %chunk) {{", "entry:"]
            lines += [
                f"  %begin = mul nsw i64 %chunk, {rows}",
                f"  %full = add nsw i64 %begin, {rows}",
                f"  %last = icmp sgt i64 %full, {length}",
                f"  %end = select i1 %last, i64 {length}, i64 %full",
            ]
            for i in range(count):
                lines += [f"  %at{i} = getelementptr ptr, ptr %pointers, i64 {i}", f"  %p{i} = load ptr, ptr %at{i}"]
            pointers = "".join(f"ptr %p{i}, " for i in range(count))
            lines += [f"  call void {name}({pointers}i64 %begin, i64 %end)", "  ret void", "}"]
            self.tasks[name, length] = "\n".join(lines)
        n = self.number()
        self.lines.append(f"  %pointers{n} = alloca [{count} x ptr]")
        for i, buffer in enumerate(writer.buffers):
            self.lines.append(f"  %slot{n}x{i} = getelementptr ptr, ptr %pointers{n}, i64 {i}")
            self.lines.append(f"  store ptr {pointer(buffer)}, ptr %slot{n}x{i}")
        self.lines.append(
            f"  call void inttoptr (i64 {self.pool.run} to ptr)(ptr inttoptr (i64 {self.pool.address} to ptr), "
            f"ptr {task}, ptr %pointers{n}, i64 {-(-length // rows)})"
        )

    def number(self) -> int:
        """What makes the labels of a loop, or a branch, its own."""
        self.count += 1
        return self.count

    def loop(self, step: Loop) -> None:
        """A loop that looks before each step whether there is one more."""
        n = self.number()
        write = self.lines.append
        self.lines += [f"  br label %before{n}", f"before{n}:", f"  br label %head{n}", f"head{n}:"]
        write(f"  %i{n} = phi i64 [0, %before{n}], [%following{n}, %again{n}]")
        for carry in step.carries:
            for here, other, first in ((carry.read, carry.write, carry.first), (carry.write, carry.read, carry.second)):
                write(f"  {pointer(here)} = phi ptr [{pointer(first)}, %before{n}], [{pointer(other)}, %again{n}]")
        if step.test is None:
            write(f"  %more{n} = icmp ult i64 %i{n}, {step.count}")
        else:
            self.steps(step.condition)
            write(f"  %test{n} = load i8, ptr {pointer(step.test.buffer)}")
            write(f"  %more{n} = icmp ne i8 %test{n}, 0")
        self.lines += [f"  br i1 %more{n}, label %step{n}, label %end{n}", f"step{n}:"]
        for row in step.rows:
            size = row.whole.dtype.itemsize
            name = pointer(row.buffer)
            write(f"  {name}i = mul nsw i64 %i{n}, {row.stride * size}")
            write(f"  {name}o = add nsw i64 {name}i, {row.offset * size}")
            write(f"  {name} = getelementptr i8, ptr {pointer(row.whole)}, i64 {name}o")
        self.steps(step.steps)
        self.lines += [f"  br label %again{n}", f"again{n}:", f"  %following{n} = add nuw nsw i64 %i{n}, 1"]
        self.lines += [f"  br label %head{n}", f"end{n}:"]
        if step.taken is not None:
            write(f"  store i64 %i{n}, ptr {pointer(step.taken.buffer)}")

    def branch(self, step: Branch) -> None:
        """The steps that the index says."""
        n = self.number()
        last = len(step.branches) - 1
        kind = scalars.MEMORY_TYPES[step.index.buffer.dtype.char]
        self.lines += [
            f"  %at{n}index = getelementptr {kind}, ptr {pointer(step.index.buffer)}, i64 {step.index.offset}",
            f"  %index{n} = load {kind}, ptr %at{n}index",
            f"  %low{n} = icmp slt {kind} %index{n}, 0",
            f"  %from{n} = select i1 %low{n}, {kind} 0, {kind} %index{n}",
            f"  switch {kind} %from{n}, label %branch{n}x{last} [",
            *[f"    {kind} {k}, label %branch{n}x{k}" for k in range(last)],
            "  ]",
        ]
        for k, steps in enumerate(step.branches):
            self.lines.append(f"branch{n}x{k}:")
            self.steps(steps)
            self.lines.append(f"  br label %joined{n}")
        self.lines.append(f"joined{n}:")


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
        for buffer in all_within(step.buffers):
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
