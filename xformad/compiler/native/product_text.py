"""The text of a product of matrices in LLVM's language: a call of BLAS, or loops over tiles that stay in registers.

A tile of the result has some rows of some vectors each. For each index that is summed over, each row's entry of the left
factor is multiplied by the vectors of the right one, and added to the row's vectors. The last tile of a row or column ends
where the matrix ends: what it shares with the one before is computed twice, with the same result, and no rest is left.
"""

from __future__ import annotations

from typing import Final, final

from xformad.compiler.native import blas, scalars
from xformad.compiler.native.steps import Product
from xformad.compiler.native.views import Buffer, View, part_of

PARTIAL_SUMS: Final = 8
"""How many sums are under way at least, since the next term of each must wait for the one before."""


def ceiling(n: int, m: int) -> int:
    return -(-n // m)


@final
class ProductWriter:
    """Writes the function of a product.

    Args:
        step: the product.
        lanes: how many doubles a vector has.

    Attributes:
        buffers: those that it works on, in the order of its parameters.
        parameters: the text of these.
        body: the text of the function's body.
    """

    def __init__(self, step: Product, lanes: int) -> None:
        self.step = step
        self.lanes = lanes * 8 // step.result.dtype.itemsize
        self.registers = 24 if lanes == 8 else 12  # of 32 or 16, the rest is for the factors
        self.kind = scalars.MEMORY_TYPES[step.result.dtype.char]
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"
        self.buffers: list[Buffer] = list(dict.fromkeys(step.buffers))
        self.parameters = ", ".join(f"ptr noalias %p{i}" for i in range(len(self.buffers)))
        self.numbers = [self.number(1), self.number(0)] if step.routine else []
        self.batch(0, (str(step.left.offset), str(step.right.offset), str(step.result.offset)))
        self.lines.append("  ret void")
        self.body = "\n".join(self.lines)

    # Writing.

    def write(self, text: str) -> str:
        """An instruction with a result."""
        name = f"%v{self.count}"
        self.count += 1
        self.lines.append(f"  {name} = {text}")
        return name

    def open(self) -> tuple[str, str]:
        """Open a loop: its number and its index, to which `{number}n` follows."""
        self.count += 1
        number, before = f"{self.count}", self.block
        self.lines += [f"  br label %loop{number}", f"loop{number}:"]
        self.block = f"loop{number}"
        index = f"%i{number}"
        self.lines.append(f"  {index} = phi i64 [0, %{before}], [{index}n, %loop{number}close]")
        return number, index

    def close(self, number: str, end: int, step: int = 1) -> None:
        self.lines += [f"  br label %loop{number}close", f"loop{number}close:"]
        self.lines.append(f"  %i{number}n = add nuw nsw i64 %i{number}, {step}")
        done = self.write(f"icmp sge i64 %i{number}n, {end}")
        self.lines += [f"  br i1 {done}, label %end{number}, label %loop{number}", f"end{number}:"]
        self.block = f"end{number}"

    def moved(self, position: str, index: str, stride: int) -> str:
        """A position in a buffer, some strides further."""
        if stride == 0 or index == "0":
            return position
        if position.isdecimal() and index.isdecimal():
            return str(int(position) + int(index) * stride)
        term = index if stride == 1 else self.write(f"mul nsw i64 {index}, {stride}")
        return term if position == "0" else self.write(f"add nsw i64 {position}, {term}")

    def address(self, view: View, position: str) -> str:
        pointer = f"%p{self.buffers.index(view.buffer)}"
        return self.write(f"getelementptr inbounds {self.kind}, ptr {pointer}, i64 {position}")

    # Products.

    def batch(self, axis: int, positions: tuple[str, str, str]) -> None:
        """Loops over the stack, and in them one product each."""
        step = self.step
        if axis == len(step.result.shape) - 2:
            self.tiles(positions) if step.routine is None else self.call(step.routine, positions)
        elif step.result.shape[axis] == 1:
            self.batch(axis + 1, positions)
        else:
            number, index = self.open()
            views = step.left, step.right, step.result
            left, right, result = (self.moved(p, index, v.strides[axis]) for p, v in zip(positions, views, strict=True))
            self.batch(axis + 1, (left, right, result))
            self.close(number, step.result.shape[axis])

    def call(self, routine: blas.Routine, positions: tuple[str, str, str]) -> None:
        """A call of BLAS."""
        left, right, result = self.step.left, self.step.right, self.step.result
        addresses = [self.address(v, p) for v, p in zip((left, right, result), positions, strict=True)]
        (m, k), n = left.shape[-2:], right.shape[-1]
        layouts = [blas.layout(view) for view in (left, right, result)]
        assert None not in layouts
        (left_kind, left_step), (right_kind, right_step), (result_kind, result_step) = layouts  # type: ignore[misc]
        order = blas.ROW_MAJOR
        if result_kind == blas.TRANSPOSED:  # then all is read by columns
            order = blas.COLUMN_MAJOR
            left_kind, right_kind = (blas.PLAIN + blas.TRANSPOSED - each for each in (left_kind, right_kind))
        whole, (one, zero) = routine.integer, self.numbers
        operands = [f"i32 {each}" for each in (order, left_kind, right_kind)]
        operands += [f"{whole} {each}" for each in (m, n, k)]
        operands += [one, f"ptr {addresses[0]}", f"{whole} {left_step}", f"ptr {addresses[1]}", f"{whole} {right_step}"]
        operands += [zero, f"ptr {addresses[2]}", f"{whole} {result_step}"]
        self.lines.append(f"  call void inttoptr (i64 {routine.address} to ptr)({', '.join(operands)})")

    def number(self, value: float) -> str:
        """A number as BLAS takes it: itself, or the address of a complex one."""
        part = part_of(self.step.result.dtype)
        real, imaginary = (f"{scalars.TYPES[part.char]} {scalars.literal(x, part)}" for x in (value, 0))
        if self.step.result.dtype.kind != "c":
            return real
        address = self.write(f"alloca {self.kind}")
        self.lines.append(f"  store {self.kind} {{{real}, {imaginary}}}, ptr {address}")
        return f"ptr {address}"

    def tiles(self, positions: tuple[str, str, str]) -> None:
        """Loops over the tiles."""
        left, right, result = self.step.left, self.step.right, self.step.result
        m, n = result.shape[-2:]
        width = 1 << (min(n, self.lanes).bit_length() - 1)
        vectors = ceiling(n, width)
        vectors = ceiling(vectors, ceiling(vectors, min(4, self.registers)))
        rows = ceiling(m, ceiling(m, max(1, self.registers // vectors)))
        columns, start = self.blocks(n, vectors * width)
        column_positions = (
            positions[0],
            self.moved(positions[1], start, right.strides[-1]),
            self.moved(positions[2], start, result.strides[-1]),
        )
        heights, start = self.blocks(m, rows)
        tile_positions = (
            self.moved(column_positions[0], start, left.strides[-2]),
            column_positions[1],
            self.moved(column_positions[2], start, result.strides[-2]),
        )
        pieces = [min(i * width, n - width) for i in range(vectors)]
        self.tile(tile_positions, rows, pieces, width)
        for number, blocks in (heights, columns):
            if number:
                self.close(number, blocks)

    def blocks(self, length: int, block: int) -> tuple[tuple[str, int], str]:
        """Open a loop over the blocks of an axis, if there are several; where the block begins."""
        count = ceiling(length, block)
        if count == 1:
            return ("", 1), "0"
        number, index = self.open()
        start = self.write(f"mul nuw nsw i64 {index}, {block}")
        if length % block:
            last = self.write(f"icmp sgt i64 {start}, {length - block}")
            start = self.write(f"select i1 {last}, i64 {length - block}, i64 {start}")
        return (number, count), start

    def tile(self, positions: tuple[str, str, str], rows: int, pieces: list[int], width: int) -> None:
        """The products of some rows with some vectors of columns."""
        left, result = self.step.left, self.step.result
        k = left.shape[-1]
        sums = rows * len(pieces)
        parts = max(1, min(k, PARTIAL_SUMS // sums))
        kind = f"<{width} x {self.kind}>"
        bases = [self.moved(positions[0], str(r), left.strides[-2]) for r in range(rows)]
        totals = ["zeroinitializer"] * (sums * parts)
        if k >= parts:
            before = self.block
            number, index = self.open()
            names = [f"%s{number}_{i}" for i in range(len(totals))]
            first = len(self.lines)
            self.lines += names  # written when it is known what they become
            for part in range(parts):
                at = self.moved(index, "1", part)
                mine = names[part * sums : (part + 1) * sums]
                found = self.terms(bases, positions[1], at, pieces, kind, mine)
                totals[part * sums : (part + 1) * sums] = found
            for at_phi, (name, total) in enumerate(zip(names, totals, strict=True), first):
                phi = f"  {name} = phi {kind} [zeroinitializer, %{before}], [{total}, %loop{number}close]"
                self.lines[at_phi] = phi
            self.close(number, k - k % parts, parts)
        for last in range(k - k % parts, k):
            totals[:sums] = self.terms(bases, positions[1], str(last), pieces, kind, totals[:sums])
        for part in range(1, parts):
            totals[:sums] = [
                self.write(f"fadd {kind} {x}, {y}")
                for x, y in zip(totals[:sums], totals[part * sums : (part + 1) * sums], strict=True)
            ]
        for r in range(rows):
            base = self.moved(positions[2], str(r), result.strides[-2])
            for i, piece in enumerate(pieces):
                address = self.address(result, self.moved(base, str(piece), 1))
                itemsize = result.dtype.itemsize
                self.lines.append(f"  store {kind} {totals[r * len(pieces) + i]}, ptr {address}, align {itemsize}")

    def terms(self, bases: list[str], base: str, at: str, pieces: list[int], kind: str, totals: list[str]) -> list[str]:
        """Add the products of the entries at an index that is summed over."""
        left, right = self.step.left, self.step.right
        itemsize = right.dtype.itemsize
        row = self.moved(base, at, right.strides[-2])
        vectors = [
            self.write(f"load {kind}, ptr {self.address(right, self.moved(row, str(piece), 1))}, align {itemsize}")
            for piece in pieces
        ]
        width = kind[1 : kind.index(" ")]
        suffix = f"v{width}f{8 * itemsize}"
        found = []
        for r, base_of_row in enumerate(bases):
            entry = self.write(
                f"load {self.kind}, ptr {self.address(left, self.moved(base_of_row, at, left.strides[-1]))}"
            )
            single = self.write(f"insertelement {kind} poison, {self.kind} {entry}, i64 0")
            spread = self.write(f"shufflevector {kind} {single}, {kind} poison, <{width} x i32> zeroinitializer")
            for i, vector in enumerate(vectors):
                total = totals[r * len(pieces) + i]
                found.append(
                    self.write(f"call {kind} @llvm.fmuladd.{suffix}({kind} {spread}, {kind} {vector}, {kind} {total})")
                )
        return found
