"""Colouring of sparsity patterns: which columns of a sparse matrix can be found by one product with a vector.

Columns that share no row can be told apart in their sum: column j of J is in J v, v with ones at all columns of its colour.
So a banded matrix of any size takes as many products as its band is wide:

    >>> tridiagonal = Dependence.from_rows([[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]], 4)
    >>> color_columns(tridiagonal).tolist()
    [0, 1, 2, 0]

A symmetric matrix takes fewer: an entry can be found from its row or from its column. An arrow needs two colours:

    >>> arrow = Dependence.from_rows([[0, 1, 2, 3], [0, 1], [0, 2], [0, 3]], 4)
    >>> color_columns(arrow).tolist(), color_symmetric(arrow).tolist()
    ([0, 1, 2, 3], [0, 1, 1, 1])

A. Curtis, M. Powell and J. Reid, "On the estimation of sparse Jacobian matrices" (1974); T. Coleman and J. Moré,
"Estimation of sparse Hessian matrices and graph coloring problems" (1984); A. Gebremedhin, F. Manne and A. Pothen,
"What color is your Jacobian? Graph coloring for computing derivatives" (2005).

The sets of colours that are forbidden are whole numbers, a bit a colour. Python unites such sets of any size at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xformad.interpreters.dependence import Dependence, Positions


def color_columns(pattern: Dependence) -> Positions:
    """A colour for each column, so that no row has two entries of one colour: greedy, in the better of two orders."""
    columns = pattern.transposed().rows()
    bound = widest(pattern)
    return better(lambda order: greedy_columns(columns, pattern.size, order), columns, bound)


def widest(pattern: Dependence) -> int:
    """The largest number of entries in a row: no colouring of the columns has fewer colours."""
    return int(np.diff(pattern.indptr).max(initial=0))


def better(color: Callable[[Sequence[int]], list[int]], neighbors: list[list[int]], bound: int) -> Positions:
    """The colouring with fewer colours: in the given order, which suits bands, or by falling number of neighbours.

    Args:
        color: colours in an order.
        neighbors: of each vertex.
        bound: a number of colours that none falls below.
    """
    first = color(range(len(neighbors)))
    if max(first, default=-1) + 1 > bound:
        second = color(sorted(range(len(neighbors)), key=lambda vertex: -len(neighbors[vertex])))
        if max(second) < max(first):
            first = second
    return np.array(first, np.intp)


def lowest(forbidden: int) -> int:
    """The smallest colour that is not in a set.

    >>> lowest(0b1011)
    2
    """
    return (~forbidden & (forbidden + 1)).bit_length() - 1


def greedy_columns(columns: list[list[int]], height: int, order: Sequence[int]) -> list[int]:
    """Give each column in turn the smallest colour that none of its rows has."""
    taken = [0] * height  # the colours in each row
    colors = [0] * len(columns)
    for column in order:
        forbidden = 0
        for row in columns[column]:
            forbidden |= taken[row]
        colors[column] = lowest(forbidden)
        bit = 1 << colors[column]
        for row in columns[column]:
            taken[row] |= bit
    return colors


def color_symmetric(pattern: Dependence) -> Positions:
    """A star colouring of a symmetric pattern: neighbours differ, and no path of four vertices has two colours only.

    Then of any entry h_ij, either j is the only neighbour of i with its colour, or i is the only one of j with its.
    """
    neighbors = [[j for j in row if j != i] for i, row in enumerate(pattern.rows())]
    return better(lambda order: greedy_star(neighbors, order), neighbors, 2)


def greedy_star(neighbors: list[list[int]], order: Sequence[int]) -> list[int]:
    """Give each vertex in turn the smallest colour with which no path of four vertices of two colours comes about.

    A vertex is the centre of a star if two of its neighbours have the same colour; its colour is then forbidden to the
    further neighbours of these.
    """
    count = len(neighbors)
    near = [0] * count  # the colours of its neighbours
    twice = [0] * count  # those of them that two or more neighbours have
    centres = [0] * count  # the colours of the neighbours that are the centre of a star that it is in
    colors = [-1] * count
    for vertex in order:
        forbidden = near[vertex]
        for other in neighbors[vertex]:
            if colors[other] >= 0:
                # v - w - x: where v is the centre of a star of w, not the colour of any x; else not of centres x.
                forbidden |= near[other] if twice[vertex] >> colors[other] & 1 else centres[other]
        color = colors[vertex] = lowest(forbidden)
        bit = 1 << color
        for other in neighbors[vertex]:
            if colors[other] >= 0 and twice[vertex] >> colors[other] & 1:
                centres[other] |= bit
            if near[other] & bit:
                mark = 1 << colors[other] if colors[other] >= 0 else 0
                if twice[other] & bit:
                    centres[vertex] |= mark
                else:
                    twice[other] |= bit
                    for each in neighbors[other]:
                        if colors[each] == color:
                            centres[each] |= mark
            near[other] |= bit
    return colors
