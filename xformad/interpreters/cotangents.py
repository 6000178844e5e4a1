"""Cotangents that are not yet plain arrays: how the backward pass adds up what a node's children send.

Most cotangents are arrays of the node's shape. Some kinds carry more, so that no work is done twice and no zero is
taken for a number:

- `Masked`: outside its mask it is a *structural* zero: the branch that `where` did not take. It stays zero whatever the
  local derivatives are, so that 0 * inf makes no NaN there.
- `Scattered`: what `x[i]` sends. A thousand indexings of one array fill one buffer, not a thousand dense arrays.
- `Outer`: what a product of a matrix and a vector sends to the matrix. A sum of these is one matrix product.
- `Parts`: what the components of a tuple-valued primitive (`eigh`) send to it.
"""

from __future__ import annotations

import math
from typing import Any, Final, final

import numpy as np

from xformad.core.graph import Node
from xformad.core.index import ARRAY, assemble
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.typing import Shape, Value

PLAIN: Final = frozenset((float, np.float64, np.ndarray, np.float32, np.complex128, np.complex64))
"""The types of cotangents that are added up in place."""


@final
class Masked:
    """A cotangent that is structurally zero outside of a mask.

    Attributes:
        g: the cotangent, numerically zero outside of the mask.
        mask: a boolean array of its shape.
        full: whether it is known that the mask leaves everything. The usual case: a bound far away.
    """

    __slots__ = ("full", "g", "mask")

    def __init__(self, g: Value, mask: Value, full: bool = False) -> None:
        self.g = g
        self.mask = mask
        self.full = full


def everywhere(mask: Value) -> bool:
    """Whether a mask is known to leave everything."""
    return type(mask) is not Tracer and bool(np.all(mask))


@final
class Scattered:
    """A sum of pieces, each added into a zero array at an index.

    Plain pieces are added into one buffer as they come. Those that an outer transformation traces are collected, and
    become one operation in the end.

    Args:
        piece: a cotangent.
        index: where it goes: the static part of the index, see `xformad.core.index`.
        arrays: the arrays of the index.
        structural: whether that the rest is structurally zero is worth a mask, as it is for the index of arrays.
        mask: outside of which the piece is structurally zero, where its index does not say so.

    Attributes:
        buffer: the sum of the plain pieces; None before there is a second one.
        pieces: the pieces that are not in the buffer.
        indices: theirs, as `(index, arrays)`.
        covered: the indices of all pieces, in the buffer or not.
    """

    __slots__ = ("buffer", "covered", "indices", "pieces", "size", "structural")

    def __init__(
        self,
        piece: Value,
        index: Any,
        arrays: tuple[Value, ...] = (),
        structural: bool = False,
        mask: Value = None,
    ) -> None:
        self.buffer: Value = None
        self.pieces = [piece]
        self.indices: list[tuple[Any, tuple[Value, ...]]] = [(index, arrays)]
        self.covered: list[tuple[Any, tuple[Value, ...]]] = self.indices if mask is None else [(ARRAY, (mask,))]
        self.structural = structural

    def include(self, other: Scattered, node: Node) -> None:
        """Add the pieces of another one, which has no buffer."""
        if self.buffer is None:
            pieces, indices, covered = self.pieces, self.indices, self.covered
            self.buffer = np.zeros(*node.spec)
            self.covered = []
            self.pieces = []
            self.indices = []
            self.size = 0
            self.add(pieces[0], indices[0], node)
            self.covered[-1] = covered[0]
        self.structural = self.structural or other.structural
        self.add(other.pieces[0], other.indices[0], node)
        self.covered[-1] = other.covered[0]

    def add(self, piece: Value, where: tuple[Any, tuple[Value, ...]], node: Node) -> None:
        """Add a piece to the buffer, or, if it is traced, to the pieces."""
        index, arrays = where
        self.covered.append(where)
        if type(piece) in PLAIN and not (arrays and any(type(array) is Tracer for array in arrays)):
            if arrays:
                add_at(self.buffer, index, arrays, piece)
            else:
                self.buffer[index] += piece
        else:
            self.collect(piece, index, arrays, node)

    def collect(self, piece: Value, index: Any, arrays: tuple[Value, ...], node: Node) -> None:
        """Add a traced piece. When the pieces are much larger than the node, they are summed, so memory is bounded."""
        self.pieces.append(piece)
        self.indices.append((index, arrays))
        self.size = size = self.size + getattr(piece, "size", 1)
        if size > 4096 and size > 4 * math.prod(node.shape) + 4096:
            self.pieces = [self.dense(node)]
            self.indices = [(..., ())]
            self.buffer = np.zeros(*node.spec)
            self.size = 0

    def dense(self, node: Node) -> Value:
        """The sum, as one array of the node's shape."""
        pieces, indices = self.pieces, self.indices
        shape, dtype = node.spec
        if self.buffer is None:
            index, found = indices[0]
            if type(pieces[0]) in PLAIN and not found:
                out = np.zeros(shape, dtype)
                out[index] = pieces[0]
                return out
        elif not pieces:
            return self.buffer
        else:
            pieces, indices = [self.buffer, *pieces], [(..., ()), *indices]
        counted = tuple([(index, len(arrays)) for index, arrays in indices])
        arrays = [array for _, found in indices for array in found]
        return scatter_add.bind(*pieces, *arrays, indices=counted, shape=shape, dtype=dtype)

    def settle(self, node: Node) -> Value:
        """The sum, as an array or, where the rest is structurally zero, a `Masked` one."""
        g = self.dense(node)
        if not self.structural:
            return g
        mask = np.zeros(node.shape, bool)
        traced = []
        for index, arrays in self.covered:
            if any(type(array) is Tracer for array in arrays):
                traced.append(covered_by(index, arrays, node.shape))
            else:
                mask[assemble(index, arrays)] = True
        if mask.all():
            return g
        for each in traced:
            mask = np.logical_or(mask, each)
        return Masked(g, mask)


def covered_by(index: Any, arrays: tuple[Value, ...], shape: Shape) -> Value:
    """The mask of the entries at an index of traced arrays."""
    if index is ARRAY and shape_of(arrays[0]) == shape and dtype_of(arrays[0]).kind == "b":
        return arrays[0]
    ones = getitem.bind(np.ones(shape), *arrays, index=index)
    return scatter_add.bind(ones, *arrays, indices=((index, len(arrays)),), shape=shape, dtype=np.dtype(float)) != 0


@final
class Outer:
    """A sum of outer products of vectors, which is one matrix product: what `W @ x` sends to W at each step of a loop."""

    __slots__ = ("left", "right")

    def __init__(self, left: Value, right: Value) -> None:
        self.left = [left]
        self.right = [right]

    def include(self, other: Outer) -> None:
        """Add the products of another one."""
        self.left += other.left
        self.right += other.right

    def large(self, node: Node) -> bool:
        """Whether the vectors take several times the memory of their sum."""
        count = len(self.left)
        return not count & 63 and count * sum(node.shape) > 4 * (math.prod(node.shape) + 1024)

    def settle(self, node: Node) -> Value:
        """The sum, as an array of the node's dtype."""
        if len(self.left) == 1:
            product = np.dot(self.left[0][:, None], self.right[0][None])
        else:
            product = np.dot(np.stack(self.left).T, np.stack(self.right))
        return cast(product, node.dtype)


@final
class Parts:
    """The cotangents of some of the components of a tuple-valued primitive."""

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Value]) -> None:
        self.parts = parts

    def settle(self, node: Node) -> tuple[Value, ...]:
        """A cotangent for every component. Those that received none get one zero, spread over all entries: see `absent`."""
        return tuple(
            self.parts[i] if i in self.parts else np.broadcast_to(np.zeros((), dtype_of(part)), shape_of(part))
            for i, part in enumerate(node.value)
        )


def absent(g: Value) -> bool:
    """Whether a component's cotangent stands for none: a zero because the program does not use the component."""
    return type(g) is np.ndarray and g.ndim > 0 and not any(g.strides) and not g.any()


SPECIAL = frozenset((Masked, Scattered, Outer, Parts))


def accumulate(old: Value, new: Value, node: Node) -> Value:
    """The sum of two cotangents of a node, of any kinds."""
    if type(old) is Scattered:
        if type(new) is Masked:
            if type(new.mask) is Tracer:
                new = Scattered(new.g, ..., (), True, new.mask)
            else:
                new = Scattered(new.g[new.mask], ARRAY, (new.mask,), True)
        elif type(new) is not Scattered:
            new = Scattered(new.settle(node) if type(new) is Outer else new, ...)
        old.include(new, node)
        return old
    if type(old) not in SPECIAL and type(new) not in SPECIAL:
        return old + new
    if type(new) is Scattered:
        return accumulate(new, old, node)
    if type(old) is Parts:
        for i, part in new.parts.items():
            old.parts[i] = old.parts[i] + part if i in old.parts else part
        return old
    if type(old) is Outer and type(new) is Outer:
        old.include(new)
        return old.settle(node) if old.large(node) else old
    if type(old) is Outer or type(new) is Outer:
        old, new = (g.settle(node) if type(g) is Outer else g for g in (old, new))
        return accumulate(old, new, node)
    if type(old) is Masked and type(new) is Masked:
        if old.full or new.full:
            return Masked(old.g + new.g, old.mask if old.full else new.mask, full=True)
        return Masked(old.g + new.g, np.logical_or(old.mask, new.mask))
    return unmasked(old) + unmasked(new)


def unmasked(g: Value) -> Value:
    """A cotangent as an array, its structural zeros as numbers."""
    return g.g if type(g) is Masked else g


def unbroadcast(g: Value, shape: Shape) -> Value:
    """Sum a cotangent over the axes along which an argument of this shape was broadcast.

    >>> unbroadcast(np.ones((2, 3)), (1, 3)).tolist()
    [[2.0, 2.0, 2.0]]
    """
    found = shape_of(g)
    if found == shape:
        return g
    if shape == ():
        return np.add.reduce(g, axis=None)
    extra = len(found) - len(shape)
    if extra < 0 or any(n != 1 and n != found[extra + i] for i, n in enumerate(shape)):
        return np.broadcast_to(g, shape)
    axes = (*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 and found[extra + i] != 1))
    return np.reshape(np.add.reduce(g, axis=axes), shape)


def cast(g: Value, dtype: np.dtype[Any]) -> Value:
    """A cotangent in the dtype of its argument: a real argument gets the real part."""
    found = dtype_of(g)
    if found == dtype:
        return g
    if found.kind == "c" and dtype.kind != "c":
        g = g.real
    return g.astype(dtype) if hasattr(g, "astype") else dtype.type(g)


def scatter(*args: Value, indices: tuple[tuple[Any, int], ...], shape: Shape, dtype: np.dtype[Any]) -> Value:
    """The implementation of `scatter_add`: a zero array with every piece added at its index."""
    out = np.zeros(shape, dtype)
    position = len(indices)
    for piece, (index, count) in zip(args, indices, strict=False):
        if count:
            add_at(out, index, args[position : position + count], piece)
        else:
            out[index] += piece
        position += count
    return out


def add_at(out: Value, index: Any, arrays: tuple[Value, ...], piece: Value) -> None:
    """`out[index] += piece`, where an entry that is indexed more than once receives every contribution."""
    arrays = tuple([np.asarray(array) for array in arrays])
    if all(array.dtype.kind == "b" for array in arrays):
        out[assemble(index, arrays)] += piece
    elif index is ARRAY and out.ndim > 1 and piece.size > 64 and piece.shape == arrays[0].shape + out.shape[1:]:
        # Rows of a table. numpy.add.at is four times as fast on a flat array as it is on rows.
        row = out.size // len(out)
        positions = arrays[0].astype(np.intp)[..., None] * row + np.arange(row)
        np.add.at(out.reshape(-1), positions.reshape(-1), piece.reshape(-1))
    else:
        np.add.at(out, assemble(index, arrays), piece)


scatter_add = Primitive("scatter_add", scatter)
"""The transpose of indexing: the pieces first, then the arrays of their indices. Its rules are in `operations`."""
