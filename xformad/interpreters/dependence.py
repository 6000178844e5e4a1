"""`Dependence`: for each entry of an array, the set of input entries that it depends on.

It is the pattern of a Jacobian: a row for each entry of the array, a column for each input entry, stored by rows as sparse
matrices are. All that index sets need is built of two operations: to pick rows, and to merge rows.

    >>> x = Dependence.of_inputs(3, 0, 3)
    >>> x.pick(np.array([2, 0, -1])).rows()
    [[2], [0], []]
    >>> x.merge(np.array([0, 0, 1]), 2).rows()
    [[0, 1], [2]]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad.core.source import user_line
from xformad.errors import UnsupportedError

Positions: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]
"""Positions of entries, counted in the order in which NumPy ravels."""

LIMIT: Final = 2**26
"""How many dependences an array may have: half a gigabyte of them."""


@final
class Dependence:
    """The dependence of the entries of one array on the entries of the inputs. It is never written into.

    Attributes:
        indptr: where in `indices` the row of each entry begins, and where the last one ends.
        indices: the columns of each row, sorted.
        width: the number of input entries.
    """

    __slots__ = ("indices", "indptr", "width")

    def __init__(self, indptr: Positions, indices: Positions, width: int) -> None:
        self.indptr = indptr
        self.indices = indices
        self.width = width

    @staticmethod
    def of_inputs(size: int, start: int, width: int) -> Dependence:
        """That of an input whose entries have the numbers from `start` on."""
        return Dependence(np.arange(size + 1), np.arange(start, start + size), width)

    @staticmethod
    def none(size: int, width: int) -> Dependence:
        """That of entries that depend on no input."""
        return Dependence(np.zeros(size + 1, np.intp), np.zeros(0, np.intp), width)

    @staticmethod
    def from_pairs(rows: Positions, columns: Positions, size: int, width: int) -> Dependence:
        """The dependence of entry `rows[k]` on input `columns[k]`, for all k. Pairs may occur more than once."""
        keys = np.sort(rows * width + columns)
        if len(keys):
            distinct = np.empty(len(keys), bool)
            distinct[0] = True
            np.not_equal(keys[1:], keys[:-1], out=distinct[1:])
            keys = keys[distinct]
            rows, columns = np.divmod(keys, width)
        return Dependence(ends(np.bincount(rows, minlength=size)), columns, width)

    @staticmethod
    def from_rows(rows: Sequence[Sequence[int]], width: int) -> Dependence:
        """That with these sets, given as sorted lists."""
        columns = [column for row in rows for column in row]
        return Dependence(ends(np.array([len(row) for row in rows], np.intp)), np.array(columns, np.intp), width)

    @property
    def size(self) -> int:
        """The number of entries of the array."""
        return len(self.indptr) - 1

    @property
    def empty(self) -> bool:
        """Whether no entry depends on any input."""
        return len(self.indices) == 0

    def rows(self) -> list[list[int]]:
        """The sets, as lists."""
        bounds, columns = self.indptr.tolist(), self.indices.tolist()
        return [columns[start:end] for start, end in pairwise(bounds)]

    def pairs(self) -> tuple[Positions, Positions]:
        """Entry and input of each dependence."""
        return np.repeat(np.arange(self.size), np.diff(self.indptr)), self.indices

    def transposed(self) -> Dependence:
        """For each input the entries that depend on it."""
        rows, columns = self.pairs()
        return Dependence.from_pairs(columns, rows, self.width, self.size)

    def pick(self, positions: Positions) -> Dependence:
        """The rows at these positions; an empty one at -1."""
        counts = np.append(np.diff(self.indptr), 0)[positions]
        bounds = ends(counts)
        if bounds[-1] > LIMIT:
            raise UnsupportedError(
                f"the derivative at {user_line()} is not sparse: {len(positions)} values depend on {bounds[-1]} entries of "
                "the arguments; use xformad.jacobian or xformad.hessian, or products: xformad.jvp, vjp, hvp"
            )
        first = self.indptr[positions] - bounds[:-1]  # the last of these is of no account where the row is empty
        return Dependence(bounds, self.indices[np.repeat(first, counts) + np.arange(bounds[-1])], self.width)

    def merge(self, into: Positions, size: int) -> Dependence:
        """Rows of which number `into[k]` is united with row k, for all k."""
        if self.empty:
            return Dependence.none(size, self.width)
        rows, columns = self.pairs()
        return Dependence.from_pairs(into[rows], columns, size, self.width)


def ends(counts: Positions) -> Positions:
    """Where parts of these lengths begin, one after the other, and where the last one ends."""
    bounds = np.zeros(len(counts) + 1, np.intp)
    np.cumsum(counts, out=bounds[1:])
    return bounds


def stacked(parts: Sequence[Dependence]) -> Dependence:
    """The rows of several arrays, one array after the other."""
    if len(parts) == 1:
        return parts[0]
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    return Dependence(ends(counts), np.concatenate([part.indices for part in parts]), parts[0].width)


def united(parts: Sequence[Dependence]) -> Dependence:
    """The union of arrays of the same size, entry by entry."""
    distinct = list({id(part): part for part in parts if not part.empty}.values())
    if not distinct:
        return parts[0]
    if len(distinct) == 1 or (len(distinct) == 2 and same(*distinct)):
        return distinct[0]
    found = [part.pairs() for part in distinct]
    rows, columns = (np.concatenate(each) for each in zip(*found, strict=True))
    return Dependence.from_pairs(rows, columns, parts[0].size, parts[0].width)


def same(one: Dependence, other: Dependence) -> bool:
    """Whether two arrays have the same dependence."""
    return np.array_equal(one.indptr, other.indptr) and np.array_equal(one.indices, other.indices)
