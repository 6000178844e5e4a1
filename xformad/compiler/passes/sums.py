"""Sums of what is repeated along the axes that are summed over, and sums of pieces in a zero array.

These change how results are rounded, by a unit in the last place for an operation or two, and how far from overflow they
are: c (x_1 + x_2) for c x_1 + c x_2. A result that is infinite or NaN stays one of both.

>>> import xformad, numpy as np
>>> print(with_factored_sums(xformad.trace(lambda x, c: np.sum(-x * c, axis=0))(np.ones((4, 3)), np.ones(3))))
inputs  a: float64[4,3], b: float64[3]
c: float64[3] = sum a  axis=(0,) keepdims=False
d: float64[3] = negative c
e: float64[3] = multiply d b
outputs e
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from xformad.compiler.passes.rewriting import (
    equation,
    operand,
    operands_of,
    rewritten,
    shape_of,
    size_of,
    type_of,
    uses,
)
from xformad.compiler.passes.views import broadcasted, itemized, paired, reshaped, takes_all
from xformad.core.graph import Graph, Node
from xformad.core.primitive import add, divide, multiply, negative
from xformad.core.typing import Shape, Value
from xformad.interpreters.cotangents import scatter_add
from xformad.operations.reductions import kept, max_, min_, prod_, sum_
from xformad.operations.shape import broadcast, reshape

REDUCTIONS: Final = (sum_, prod_, max_, min_)


def with_kept_axes(graph: Graph) -> Graph:
    """reshape(sum(x), with axes of length 1) = sum(x, keepdims=True), and without = sum(x, keepdims=False).

    So for products and extrema. One that is needed in both shapes is computed once, and reshaped.

    >>> import xformad, numpy as np
    >>> print(with_kept_axes(xformad.trace(lambda x: np.reshape(np.max(x, axis=1), (3, 1)))(np.ones((3, 4)))))
    inputs  a: float64[3,4]
    b: float64[3,1] = max a  axis=(1,) keepdims=True
    outputs b
    """
    counts = uses(graph)

    def rule(node: Node) -> Value:
        if node.primitive is not reshape:
            return node
        x = operand(node, 0)
        if not isinstance(x, Node) or x.primitive not in REDUCTIONS or counts.get(x, 0) > 1:
            return node
        axis, lengths = x.params["axis"], shape_of(operand(x, 0))
        dropped = tuple([n for i, n in enumerate(lengths) if i not in axis])
        if node.shape not in (dropped, kept(lengths, axis)):
            return node
        params = {"axis": axis, "keepdims": node.shape != dropped}
        return equation(node, x.primitive, operand(x, 0), shape=node.shape, params=params)

    return rewritten(graph, rule, counts)


def with_factored_sums(graph: Graph) -> Graph:
    """Factors that are the same for all terms of a sum are taken out of it.

    sum of n copies of x = n x      sum(c x) = c sum(x)      sum(x / c) = sum(x) / c      sum(-x) = -sum(x)

    A sum over axes of length 1 is x + 0.0, exactly: 0.0 is what sums start with.
    """
    counts = uses(graph)

    def rule(node: Node) -> Value:
        if node.primitive is not sum_ or not node.parents or node.dtype.kind not in "fc":
            return node
        x = node.parents[0]
        if x.dtype != node.dtype:
            return node
        return of_sum(node, x, counts)

    return rewritten(graph, rule, counts)


def of_sum(node: Node, x: Node, counts: dict[Node, int]) -> Value:
    """What stands for the sum of x over some axes."""
    axis = node.params["axis"]
    if all(x.shape[i] == 1 for i in axis):
        return equation(node, add, reshaped(node, x, node.shape), 0.0, shape=node.shape) if x.shape else node
    if x.primitive is broadcast:
        return of_repeated(node, operand(x, 0), x.shape, axis)
    if counts.get(x, 0) > 1:
        return node
    if x.primitive is negative:
        return equation(node, negative, summed(node, operand(x, 0), axis), shape=node.shape)
    if x.primitive is multiply or x.primitive is divide:
        one, other = operands_of(x)
        if is_constant_along(other, x.shape, axis) and is_full(one, x):
            return equation(node, x.primitive, summed(node, one, axis), factor(node, other, x.shape), shape=node.shape)
        if x.primitive is multiply and is_constant_along(one, x.shape, axis) and is_full(other, x):
            return equation(node, multiply, factor(node, one, x.shape), summed(node, other, axis), shape=node.shape)
    return node


def of_repeated(node: Node, x: Value, shape: Shape, axis: Shape) -> Value:
    """The sum over n copies, along axes that x lacks or where its length is 1, is n x."""
    aligned = (1,) * (len(shape) - len(shape_of(x))) + shape_of(x)
    copies = size_of(tuple([shape[i] for i in axis if aligned[i] == 1]))
    rest = tuple([i for i in axis if aligned[i] != 1])
    if copies <= 1:
        return node
    found = reshaped(node, x, aligned)
    if rest:
        found = equation(node, sum_, found, shape=kept(aligned, rest), params={"axis": rest, "keepdims": True})
    times = equation(node, multiply, found, float(copies), shape=shape_of(found))
    return reshaped(node, broadcasted(node, times, kept(shape, axis)), node.shape)


def is_constant_along(x: Value, shape: Shape, axis: Shape) -> bool:
    """Whether an operand is repeated along axes of the result."""
    lengths = shape_of(x)
    missing = len(shape) - len(lengths)
    return all(i < missing or lengths[i - missing] == 1 for i in axis)


def is_full(x: Value, node: Node) -> bool:
    """Whether an operand has the shape and dtype of the result."""
    return isinstance(x, Node) and x.spec == node.spec


def summed(node: Node, x: Value, axis: Shape) -> Value:
    """Another array summed in the same way."""
    return equation(node, sum_, x, shape=node.shape, params=node.params)


def factor(node: Node, x: Value, shape: Shape) -> Value:
    """A factor of all terms, as it broadcasts to the sum."""
    lengths = (1,) * (len(shape) - len(shape_of(x))) + shape_of(x)
    if not shape_of(x) or node.params["keepdims"]:
        return x
    wanted = tuple([n for i, n in enumerate(lengths) if i not in node.params["axis"]])
    return np.reshape(x, wanted) if not isinstance(x, Node) else reshaped(node, x, wanted)


def with_plain_scatters(graph: Graph) -> Graph:
    """Zeros to which pieces are added: without the pieces that are zero, and as a sum where each piece fills all.

    scatter(x at [...]) = x + 0.0      scatter(x at [:, None]) = reshape(x) + 0.0

    This is exact: adding pieces starts with 0.0, and 0.0 + 0.0 = 0.0 + -0.0 = 0.0.

    >>> import xformad, numpy as np
    >>> graph = xformad.trace(xformad.grad(lambda x: np.sum(x[:, None])))(np.ones(3))
    >>> print(with_plain_scatters(graph))
    inputs  a: float64[3]
    outputs const:float64[3]
    """

    def rule(node: Node) -> Value:
        return of_scatter(node) if node.primitive is scatter_add else node

    return rewritten(graph, rule)


def of_scatter(node: Node) -> Value:
    indices: tuple[tuple[Any, int], ...] = node.params["indices"]
    pieces = operands_of(node)
    if len(pieces) != len(indices) or any(type_of(x) != node.dtype for x in pieces) or node.dtype.kind not in "fc":
        return node
    wanted = [i for i, x in enumerate(pieces) if isinstance(x, Node) or np.count_nonzero(x)]
    if len(wanted) < len(pieces) and wanted:
        params = {**node.params, "indices": tuple([indices[i] for i in wanted])}
        return equation(node, scatter_add, *[pieces[i] for i in wanted], shape=node.shape, params=params)
    if not node.shape or not all(
        fills(index, shape_of(x), node.shape) for (index, _), x in zip(indices, pieces, strict=True)
    ):
        return node
    total: Value = 0.0
    for piece in pieces:
        entries = reshaped(node, piece, node.shape) if isinstance(piece, Node) else np.reshape(piece, node.shape)
        total = equation(node, add, entries, total, shape=node.shape)
    return total


def fills(index: Any, piece: Shape, shape: Shape) -> bool:
    """Whether an index takes all entries of an array, in their order, and a piece has one for each."""
    items = itemized(index, len(shape))
    return (
        items is not None
        and size_of(piece) == size_of(shape)
        and all(takes_all(item, n) for item, n in paired(items, shape))
    )
