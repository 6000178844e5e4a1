"""The text of a nest of loops in LLVM's language: a function whose parameters are pointers to the memory it works on.

Each pointer is to another buffer, which `noalias` says, or the vectoriser would have to find out at run time.
"""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np

from xformad.compiler.native import scalars
from xformad.compiler.native.splitting import is_parted
from xformad.compiler.native.steps import Add, Load, Nest, Place, Reduce, Scalar
from xformad.compiler.native.views import Buffer, View
from xformad.core.typing import Shape

BLOCK: Final = 1024
"""How many entries are summed up in registers before the sum is added to the total, with its rounding error."""

LONG: Final = 8
"""How many steps an innermost loop has at least that is vectorised before it is unrolled."""

VECTORISED: Final = "!0"

METADATA: Final = """
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.unroll.disable"}
!2 = !{!"llvm.loop.vectorize.followup_vectorized", !3}
!3 = !{!"llvm.loop.mustprogress"}
"""
"""What is said of such loops. Unrolled at once, a loop is gone before the vectoriser sees it, which then takes the loop
around it, along which entries lie apart. After the vectoriser, nothing is said any more.
"""


@final
class NestWriter:
    """Writes the function of one nest.

    Args:
        nest: the nest.
        parted: whether it may be cut into chunks.

    Attributes:
        parted: whether it is: then the last two parameters are the bounds of the outermost loop.
        buffers: those that it works on, in the order of its parameters.
        lines: of its body.
    """

    def __init__(self, nest: Nest, *, parted: bool = False) -> None:
        self.nest = nest
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"
        self.buffers: list[Buffer] = []
        self.written: set[Buffer] = set()
        views = [i.view for i in nest.instructions if not isinstance(i, Scalar)]
        order = list(range(len(nest.shape))) if nest.ordered else loop_order(nest.shape, views)
        self.shape = tuple([nest.shape[i] for i in order])
        self.strides = {id(view): tuple([view.strides[i] for i in order]) for view in views}
        self.collapse(views)
        self.parted = parted and is_parted(nest, self.shape, self.strides)
        self.reductions = [i for i in nest.instructions if isinstance(i, Reduce)]
        for reduce in self.reductions:
            self.initialise(reduce)
        self.loops(0, [])
        self.lines.append("  ret void")
        parameters = ", ".join(f"ptr noalias %p{i}" for i in range(len(self.buffers)))
        self.parameters = parameters + ", i64 %begin, i64 %end" * self.parted
        self.body = "\n".join(self.lines)

    def collapse(self, views: list[View]) -> None:
        """Axes along which all views go on as they would along one become one."""
        axes = [i for i, n in enumerate(self.shape) if n != 1]
        shape: list[int] = []
        strides: dict[int, list[int]] = {key: [] for key in self.strides}
        for i in axes:
            n = self.shape[i]
            if shape and all(strides[key][-1] == self.strides[key][i] * n for key in strides):
                shape[-1] *= n
                for key, found in strides.items():
                    found[-1] = self.strides[key][i]
                continue
            shape.append(n)
            for key, found in strides.items():
                found.append(self.strides[key][i])
        self.shape = tuple(shape)
        self.strides = {key: tuple(found) for key, found in strides.items()}

    # Writing.

    def write(self, text: str) -> str:
        """An instruction with a result."""
        name = f"%v{self.count}"
        self.count += 1
        self.lines.append(f"  {name} = {text}")
        return name

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def fresh(self, name: str) -> str:
        self.count += 1
        return f"{name}{self.count}"

    def pointer(self, buffer: Buffer) -> str:
        if buffer not in self.buffers:
            self.buffers.append(buffer)
        return f"%p{self.buffers.index(buffer)}"

    def position(self, view: View, indices: list[str], further: list[tuple[str, int]]) -> str:
        """Where an entry lies in a buffer, or one so many strides further on."""
        terms = [index if stride == 1 else self.write(f"mul nsw i64 {index}, {stride}") for index, stride in further]
        for index, stride in zip(indices, self.strides[id(view)], strict=False):
            if stride == 0 or index == "0":
                continue
            terms.append(index if stride == 1 else self.write(f"mul nsw i64 {index}, {stride}"))
        if view.offset or not terms:
            terms.append(str(view.offset))
        position = terms[0]
        for term in terms[1:]:
            position = self.write(f"add nsw i64 {position}, {term}")
        return position

    def address(self, view: View, indices: list[str], further: list[tuple[str, int]]) -> str:
        """The address of an entry."""
        kind = scalars.MEMORY_TYPES[view.buffer.dtype.char]
        part = "" if view.part is None else f", i32 {view.part}"
        position = self.position(view, indices, further)
        return self.write(f"getelementptr inbounds {kind}, ptr {self.pointer(view.buffer)}, i64 {position}{part}")

    def load(self, view: View, indices: list[str], further: list[tuple[str, int]]) -> str:
        dtype = view.dtype
        address = self.address(view, indices, further)
        found = self.write(f"load {scalars.MEMORY_TYPES[dtype.char]}, ptr {address}")
        return self.write(f"trunc i8 {found} to i1") if dtype.char == "?" else found

    def store(
        self, value: str, dtype: np.dtype[Any], view: View, indices: list[str], further: list[tuple[str, int]]
    ) -> None:
        target = view.dtype
        value = scalars.converted(self.write, value, dtype, target)
        if target.char == "?":
            value = self.write(f"zext i1 {value} to i8")
        address = self.address(view, indices, further)
        self.lines.append(f"  store {scalars.MEMORY_TYPES[target.char]} {value}, ptr {address}")

    # Loops.

    def loop(self, axis: int) -> tuple[str, str, str]:
        """Open the loop along an axis: its index, and the names of its blocks."""
        start = "%begin" if axis == 0 and self.parted else "0"
        head, end = self.fresh("loop"), self.fresh("end")
        before = self.block
        self.lines.append(f"  br label %{head}")
        index = f"%{self.fresh('i')}"
        self.label(head)
        self.lines.append(f"  {index} = phi i64 [{start}, %{before}], [{index}n, %{head}close]")
        return index, head, end

    def bound(self, axis: int) -> str:
        """Where the loop along an axis ends."""
        return "%end" if axis == 0 and self.parted else str(self.shape[axis])

    def close(self, index: str, head: str, end: str, length: str, *, innermost: bool = False) -> None:
        long = length == "%end" or (length.isdigit() and int(length) >= LONG)
        hint = f", !llvm.loop {VECTORISED}" if innermost and long else ""
        self.lines.append(f"  br label %{head}close")
        self.label(f"{head}close")
        self.lines.append(f"  {index}n = add nuw nsw i64 {index}, 1")
        done = self.write(f"icmp eq i64 {index}n, {length}")
        self.lines.append(f"  br i1 {done}, label %{end}, label %{head}{hint}")
        self.label(end)

    def initialise(self, reduce: Reduce) -> None:
        """Write the identity of a reduction to all its results."""
        value = scalars.identity(reduce.name, reduce.dtype)
        self.each(0, [], reduce, value)

    def each(self, axis: int, indices: list[str], reduce: Reduce, value: str) -> None:
        if axis == len(self.shape):
            self.store(value, reduce.dtype, reduce.view, indices, [])
        elif self.strides[id(reduce.view)][axis] == 0:
            self.each(axis + 1, [*indices, "0"], reduce, value)
        elif self.shape[axis]:
            index, head, end = self.loop(axis)
            self.each(axis + 1, [*indices, index], reduce, value)
            self.close(index, head, end, self.bound(axis))

    def loops(self, axis: int, indices: list[str]) -> None:
        if any(n == 0 for n in self.shape):
            return
        if axis == len(self.shape):
            self.instructions(indices, [])
        elif axis == len(self.shape) - 1:
            self.innermost(indices)
        else:
            index, head, end = self.loop(axis)
            self.loops(axis + 1, [*indices, index])
            self.close(index, head, end, self.bound(axis))

    def innermost(self, indices: list[str]) -> None:
        """The last loop: what is reduced along it is kept in registers."""
        n = self.shape[-1]
        inside = [r for r in self.reductions if self.strides[id(r.view)][-1] == 0]
        if not inside:
            last = len(self.shape) - 1
            index, head, end = self.loop(last)
            self.instructions([*indices, index], [])
            self.close(index, head, end, self.bound(last), innermost=True)
            return
        totals = self.accumulating(indices, inside, "0", str(n)) if n <= BLOCK else self.blocked(indices, inside, n)
        for reduce, total in zip(inside, totals, strict=True):
            self.combine(reduce, total, [*indices, "0"])

    def accumulating(self, indices: list[str], inside: list[Reduce], start: str, length: str) -> list[str]:
        """A loop whose reductions are in registers; their values in the end."""
        head, end = self.fresh("loop"), self.fresh("end")
        before = self.block
        self.lines.append(f"  br label %{head}")
        self.label(head)
        index = f"%{self.fresh('i')}"
        self.lines.append(f"  {index} = phi i64 [0, %{before}], [{index}n, %{head}close]")
        registers = []
        for reduce in inside:
            kind = scalars.TYPES[reduce.dtype.char]
            name = f"%{self.fresh('a')}"
            identity = scalars.identity(reduce.name, reduce.dtype)
            self.lines.append(f"  {name} = phi {kind} [{identity}, %{before}], [{name}n, %{head}close]")
            registers.append(name)
        position = index if start == "0" else self.write(f"add nuw nsw i64 {index}, {start}")
        values = self.instructions([*indices, position], inside)
        for reduce, name, value in zip(inside, registers, values, strict=True):
            self.lines.append(f"  {name}n = {scalars.combination(reduce.name, reduce.dtype, name, value)}")
        self.close(index, head, end, length, innermost=True)
        return [f"{name}n" for name in registers]

    def blocked(self, indices: list[str], inside: list[Reduce], n: int) -> list[str]:
        """Blocks, whose sums are added up with their rounding errors (D. E. Knuth's TwoSum)."""
        blocks = -(-n // BLOCK)
        before = self.block
        head, end = self.fresh("loop"), self.fresh("end")
        self.lines.append(f"  br label %{head}")
        self.label(head)
        index = f"%{self.fresh('i')}"
        self.lines.append(f"  {index} = phi i64 [0, %{before}], [{index}n, %{head}close]")
        totals = []
        for reduce in inside:
            kind = scalars.TYPES[reduce.dtype.char]
            name = f"%{self.fresh('t')}"
            identity = scalars.identity(reduce.name, reduce.dtype)
            zero = scalars.literal(0, reduce.dtype)
            self.lines.append(f"  {name} = phi {kind} [{identity}, %{before}], [{name}n, %{head}close]")
            if compensated(reduce):
                self.lines.append(f"  {name}e = phi {kind} [{zero}, %{before}], [{name}en, %{head}close]")
            totals.append(name)
        start = self.write(f"mul nuw nsw i64 {index}, {BLOCK}")
        rest = self.write(f"sub nsw i64 {n}, {start}")
        short = self.write(f"icmp slt i64 {rest}, {BLOCK}")
        length = self.write(f"select i1 {short}, i64 {rest}, i64 {BLOCK}")
        sums = self.accumulating(indices, inside, start, length)
        for reduce, name, value in zip(inside, totals, sums, strict=True):
            kind = scalars.TYPES[reduce.dtype.char]
            if compensated(reduce):
                self.lines.append(f"  {name}n = fadd {kind} {name}, {value}")
                part = self.write(f"fsub {kind} {name}n, {name}")
                other = self.write(f"fsub {kind} {name}n, {part}")
                first = self.write(f"fsub {kind} {value}, {part}")
                second = self.write(f"fsub {kind} {name}, {other}")
                error = self.write(f"fadd {kind} {first}, {second}")
                self.lines.append(f"  {name}en = fadd {kind} {name}e, {error}")
            else:
                self.lines.append(f"  {name}n = {scalars.combination(reduce.name, reduce.dtype, name, value)}")
        self.close(index, head, end, str(blocks))
        found = []
        for reduce, name in zip(inside, totals, strict=True):
            if not compensated(reduce):
                found.append(f"{name}n")
                continue
            kind = scalars.TYPES[reduce.dtype.char]
            corrected = self.write(f"fadd {kind} {name}n, {name}en")
            finite = self.write(f"fcmp ord {kind} {name}en, {name}en")  # an infinite sum has a NaN for an error
            found.append(self.write(f"select i1 {finite}, {kind} {corrected}, {kind} {name}n"))
        return found

    def combine(self, reduce: Reduce, value: str, indices: list[str]) -> None:
        """Combine a value into memory."""
        before = self.load(reduce.view, indices, [])
        total = self.write(scalars.combination(reduce.name, reduce.dtype, before, value))
        self.store(total, reduce.dtype, reduce.view, indices, [])

    def instructions(self, indices: list[str], inside: list[Reduce]) -> list[str]:
        """What is done at each index; the values for the reductions that are kept in registers."""
        registers: dict[int, str] = {}
        values: dict[int, str] = {}
        for number, instruction in enumerate(self.nest.instructions):
            if isinstance(instruction, Scalar):
                registers[number] = self.scalar(instruction, registers)
                continue
            if isinstance(instruction, Reduce):
                value = operand(instruction.register, registers)
                if any(instruction is each for each in inside):
                    values[id(instruction)] = value
                else:
                    self.combine(instruction, value, indices)
                continue
            if isinstance(instruction, Place):
                registers[number] = self.position(instruction.view, indices, [])
                continue
            further = [(operand(register, registers), stride) for register, stride in instruction.positions]
            if isinstance(instruction, Load):
                registers[number] = self.load(instruction.view, indices, further)
                continue
            value, dtype = operand(instruction.register, registers), instruction.dtype
            if isinstance(instruction, Add):
                value = scalars.converted(self.write, value, dtype, instruction.view.dtype)
                dtype = instruction.view.dtype
                value = scalars.EMITTERS["add"](
                    self.write, [self.load(instruction.view, indices, further), value], dtype
                )
            self.store(value, dtype, instruction.view, indices, further)
        return [values[id(each)] for each in inside]

    def scalar(self, instruction: Scalar, registers: dict[int, str]) -> str:
        """One operation on registers."""
        found = []
        for i, (arg, dtype) in enumerate(zip(instruction.args, instruction.operand_dtypes, strict=True)):
            name = operand(arg, registers)
            computed = scalars.OPERANDS.get((instruction.name, i), instruction.computed)
            found.append(scalars.converted(self.write, name, dtype, computed) if isinstance(arg, int) else name)
        if instruction.name == "astype":
            return found[0]
        if instruction.name == "where":
            kind = scalars.TYPES[instruction.dtype.char]
            return self.write(f"select i1 {found[0]}, {kind} {found[1]}, {kind} {found[2]}")
        emitter = scalars.EMITTERS[instruction.name]
        return emitter(self.write, found, instruction.computed)


def operand(register: int | str, registers: dict[int, str]) -> str:
    return registers[register] if isinstance(register, int) else register


def compensated(reduce: Reduce) -> bool:
    """Whether the rounding errors of a reduction are added up as well."""
    return reduce.name == "sum" and reduce.dtype.kind == "f"


def loop_order(shape: Shape, views: list[View]) -> list[int]:
    """The axes from the outermost loop to the innermost: along the last ones, entries lie closest."""
    return sorted(
        range(len(shape)),
        key=lambda i: (-sum(abs(view.strides[i]) for view in views), i),
    )
