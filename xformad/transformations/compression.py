"""How the entries of a sparse matrix are read off its products with a few vectors of ones and zeros.

>>> tridiagonal = Dependence.from_rows([[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]], 4)
>>> compression = compressed(tridiagonal)
>>> compression.kind, compression.seeds(0, 2).tolist()
('columns', [[True, False, False, True], [False, True, False, False]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from xformad.interpreters.dependence import Dependence, Positions
from xformad.transformations.coloring import color_columns, color_symmetric, widest


@final
@dataclass(frozen=True, slots=True)
class Compression:
    """A colouring, and where in the products the entries of the matrix are.

    Attributes:
        kind: what is coloured: `"columns"`, `"rows"`, or the columns of a `"symmetric"` matrix.
        colors: of each column or row.
        positions: for each entry of the pattern its place among all entries of the products, a product a row.
    """

    kind: str
    colors: Positions
    positions: Positions

    @property
    def count(self) -> int:
        """The number of colours, which is the number of products. A matrix without entries needs none."""
        return int(self.colors.max(initial=-1)) + 1 if len(self.positions) else 0

    def seeds(self, start: int, stop: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The vectors to take products with, for these colours: true at all columns (or rows) of the colour."""
        seeds: np.ndarray[Any, np.dtype[np.bool_]] = self.colors == np.arange(start, stop)[:, None]
        return seeds


def compressed(pattern: Dependence, forward: bool = False) -> Compression:
    """The compression of a Jacobian, of its columns or of its rows, whichever takes fewer colours.

    The entry (i, j) is entry i of the product of the colour of column j, or entry j of the product of the colour of row i.

    Args:
        pattern: where it has entries.
        forward: whether only its columns can be compressed.
    """
    sides = {"columns": pattern, "rows": pattern.transposed()}
    found: tuple[str, Positions] | None = None
    for kind in ["columns"] if forward else sorted(sides, key=lambda kind: widest(sides[kind])):
        if found is None or widest(sides[kind]) <= found[1].max(initial=-1):
            colors = color_columns(sides[kind])
            if found is None or colors.max(initial=-1) < found[1].max(initial=-1):
                found = kind, colors
    assert found is not None
    kind, colors = found
    rows, columns = pattern.pairs()
    if kind == "rows":
        return Compression(kind, colors, colors[rows] * pattern.width + columns)
    return Compression(kind, colors, colors[columns] * pattern.size + rows)


def compressed_symmetric(pattern: Dependence) -> Compression:
    """The compression of a matrix that is symmetric, as its pattern is.

    As for columns, the entry (i, j) is entry i of the product of the colour of j, if no other entry of row i has that
    colour; else it is entry j of the product of the colour of i. (i, j) and (j, i) are read from the same place.
    """
    colors = color_symmetric(pattern)
    if widest(pattern) <= colors.max(initial=-1):
        other = color_columns(pattern)
        colors = other if other.max(initial=-1) < colors.max(initial=-1) else colors
    rows, columns = pattern.pairs()
    groups = rows * (int(colors.max(initial=-1)) + 1) + colors[columns]
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    alone = counts[inverse] == 1
    size = pattern.size
    positions = np.where(alone, colors[columns] * size + rows, colors[rows] * size + columns)
    mirrored = np.argsort(columns, kind="stable")  # the place of (j, i) among the entries, for each (i, j)
    return Compression("symmetric", colors, np.where(rows <= columns, positions, positions[mirrored]))
