"""Products of several matrices, in the order that takes the fewest multiplications.

>>> import xformad, numpy as np
>>> print(with_best_chains(xformad.trace(lambda a, b, v: a @ b @ v)(np.ones((9, 9)), np.ones((9, 9)), np.ones(9))))
inputs  a: float64[9,9], b: float64[9,9], c: float64[9]
d: float64[9] = matmul b c
e: float64[9] = matmul a d
outputs e
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from xformad.compiler.passes.products import is_product
from xformad.compiler.passes.rewriting import equation, operands_of, rewritten, shape_of, uses
from xformad.core.graph import Graph, Node
from xformad.core.primitive import matmul
from xformad.core.typing import Value

LONGEST: Final = 10
"""How many factors are looked at together: finding the best order of n takes n^3 / 6 steps."""

WORTH: Final = 2
"""How many times fewer multiplications another order must take: it rounds in another way."""

Order: TypeAlias = dict[tuple[int, int], int]
"""For the factors from one up to another one, both included, the last one of the left half."""


class Chain(NamedTuple):
    """A product of several factors.

    Attributes:
        factors: matrices; the first and the last one may be vectors.
        work: how many multiplications it takes as it stands.
    """

    factors: tuple[Value, ...]
    work: int


def with_best_chains(graph: Graph) -> Graph:
    """(A B) C = A (B C), in the order of the fewest multiplications, if they are at most half as many as before.

    Products that are needed for something else, too, stay as they are. Results differ as the rounding of products of
    matrices does, and where partial products overflow.
    """
    counts = uses(graph)
    chains: dict[Node, Chain] = {}

    def part(x: Value, end: int) -> Chain:
        """An operand as a chain whose factor at the end that meets the other operand is a matrix."""
        found = chains.get(x) if isinstance(x, Node) and counts.get(x, 0) <= 1 else None
        return Chain((x,), 0) if found is None or len(shape_of(found.factors[end])) == 1 else found

    def rule(node: Node) -> Value:
        if not is_product(node):
            return node
        left, right = operands_of(node)
        first, second = part(left, -1), part(right, 0)
        if len(first.factors) + len(second.factors) > LONGEST:
            first, second = Chain((left,), 0), Chain((right,), 0)
        factors = first.factors + second.factors
        chain = chains[node] = Chain(factors, first.work + second.work + multiplications(left, right))
        if len(factors) == 2:
            return node
        work, order = best_order(lengths_of(factors))
        return node if WORTH * work > chain.work else ordered(node, factors, order)

    return rewritten(graph, rule, counts)


def multiplications(left: Value, right: Value) -> int:
    """How many a product of two factors takes."""
    a, b, c = lengths_of((left, right))
    return a * b * c


def lengths_of(factors: tuple[Value, ...]) -> list[int]:
    """The number of rows of the first factor, and of the columns of each one. Vectors are a row, or a column."""
    first, last = shape_of(factors[0]), shape_of(factors[-1])
    inner = [shape_of(x)[0] for x in factors[1:]]
    return [first[0] if len(first) == 2 else 1, *inner, last[1] if len(last) == 2 else 1]


def best_order(lengths: list[int]) -> tuple[int, Order]:
    """The fewest multiplications for a chain, and how: by those of all its parts (Godbole 1973).

    >>> best_order([9, 9, 9, 1])
    (162, {(0, 1): 0, (1, 2): 1, (0, 2): 0})
    """
    n = len(lengths) - 1
    work = {(i, i): 0 for i in range(n)}
    order: Order = {}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            ends = lengths[i] * lengths[j + 1]
            work[i, j], order[i, j] = min((work[i, k] + work[k + 1, j] + ends * lengths[k + 1], k) for k in range(i, j))
    return work[0, n - 1], order


def ordered(node: Node, factors: tuple[Value, ...], order: Order) -> Node:
    """The product of the factors in an order."""

    def product(i: int, j: int) -> Value:
        if i == j:
            return factors[i]
        left, right = product(i, order[i, j]), product(order[i, j] + 1, j)
        return equation(node, matmul, left, right, shape=shape_of(left)[:-1] + shape_of(right)[1:])

    found = product(0, len(factors) - 1)
    assert isinstance(found, Node)
    return found
