"""Sums of products that are products of matrices.

>>> import xformad, numpy as np
>>> graph = xformad.trace(lambda x, y: np.sum(x[:, None] * y, axis=2))(np.ones((50, 8)), np.ones((40, 8)))
>>> print(with_matrix_products(graph))
inputs  a: float64[50,8], b: float64[40,8]
c: float64[50,1,8] = getitem a  index=(:, None)
d: float64[50,8] = reshape c  shape=(50, 8)
e: float64[8,40] = transpose b  axes=(1, 0)
f: float64[50,40] = matmul d e
outputs f
"""

from __future__ import annotations

from typing import NamedTuple

from xformad.compiler.passes.rewriting import equation, operands_of, rewritten, shape_of, size_of, type_of, uses
from xformad.compiler.passes.views import reshaped, transposed
from xformad.core.graph import Graph, Node
from xformad.core.primitive import matmul, multiply
from xformad.core.typing import Shape, Value
from xformad.operations.reductions import kept, sum_


def with_matrix_products(graph: Graph) -> Graph:
    """sum_k x[i, k] y[j, k] = x y^T: the products of all i, j and k are never in memory.

    So for stacks of matrices, for several axes in place of one, and for factors in any order. Sums where one factor has
    all axes that the result has are left: a fused loop reads each number once, as BLAS does. The terms are added in
    another order.
    """
    counts = uses(graph)

    def rule(node: Node) -> Value:
        if node.primitive is not sum_ or not node.parents or node.dtype.kind not in "fc":
            return node
        terms = node.parents[0]
        if terms.primitive is not multiply or counts.get(terms, 0) > 1:
            return node
        left, right = operands_of(terms)
        if not type_of(left) == type_of(right) == terms.dtype == node.dtype:
            return node
        return contracted(node, terms.shape, left, right)

    return rewritten(graph, rule, counts)


class Roles(NamedTuple):
    """The axes of the terms that are longer than 1, by what they are for the product of matrices.

    Attributes:
        stack: of both factors and the result.
        rows: of the left factor and the result.
        columns: of the right factor and the result.
        summed: of both factors.
        alone: of one factor, and summed over.
    """

    stack: list[int]
    rows: list[int]
    columns: list[int]
    summed: list[int]
    alone: list[int]


def roles(shape: Shape, left: Shape, right: Shape, axis: Shape) -> Roles:
    """What each axis is, from the factors' shapes with as many axes as the terms."""
    found = Roles([], [], [], [], [])
    for i, n in enumerate(shape):
        if n != 1:
            both, result = left[i] == right[i], i not in axis
            role = (found.stack if both else found.rows if left[i] == n else found.columns) if result else found.summed
            (role if result or both else found.alone).append(i)
    return found


def contracted(node: Node, shape: Shape, left: Value, right: Value) -> Value:
    """The sum of the products of two arrays that are broadcast to a shape."""
    axis = node.params["axis"]
    left_shape, right_shape = [(1,) * (len(shape) - len(shape_of(x))) + shape_of(x) for x in (left, right)]
    found = roles(shape, left_shape, right_shape, axis)
    if not (found.rows and found.columns and found.summed) or size_of(shape) == 0:
        return node
    stack, rows, columns, summed = (tuple([shape[i] for i in part]) for part in found[:4])
    m, n, k = size_of(rows), size_of(columns), size_of(summed)
    one = arranged(node, left, left_shape, found.alone, [*found.stack, *found.rows, *found.summed], (*stack, m, k))
    other = arranged(
        node, right, right_shape, found.alone, [*found.stack, *found.summed, *found.columns], (*stack, k, n)
    )
    product = equation(node, matmul, one, other, shape=(*stack, m, n))
    order = [*found.stack, *found.rows, *found.columns]
    entries = reshaped(node, product, (*stack, *rows, *columns))
    return reshaped(node, transposed(node, entries, tuple([order.index(i) for i in sorted(order)])), node.shape)


def arranged(node: Node, x: Value, aligned: Shape, alone: list[int], order: list[int], shape: Shape) -> Value:
    """A factor with its axes in this order, in a shape; it is summed first over axes that it has alone."""
    own = tuple([i for i in alone if aligned[i] != 1])
    if own:
        whole = reshaped(node, x, aligned)
        x = equation(node, sum_, whole, shape=kept(aligned, own), params={"axis": own, "keepdims": True})
    long = sorted(order)
    entries = reshaped(node, x, tuple([aligned[i] for i in long]))
    return reshaped(node, transposed(node, entries, tuple([long.index(i) for i in order])), shape)
