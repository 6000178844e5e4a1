"""Products of matrices: transposes and scalar factors go where they cost least.

The products are rounded in another order then: c (A B) and (c A) B differ by a unit in the last place or two in each entry,
and as far as the sums in A B are inexact. Numbers near overflow may become infinite, or cease to.

>>> import xformad, numpy as np
>>> print(with_absorbed_transposes(xformad.trace(lambda a, b: (a.T @ b).T)(np.ones((4, 3)), np.ones((4, 2)))))
inputs  a: float64[4,3], b: float64[4,2]
c: float64[2,4] = transpose b  axes=(1, 0)
d: float64[2,3] = matmul c a
outputs d
"""

from __future__ import annotations

from typing import Final

from xformad.compiler.passes.rewriting import (
    applies,
    equation,
    operand,
    operands_of,
    rewritten,
    shape_of,
    size_of,
    type_of,
    uses,
)
from xformad.compiler.passes.views import transposed
from xformad.core.graph import Graph, Node
from xformad.core.primitive import divide, matmul, multiply, negative
from xformad.core.typing import Value
from xformad.operations.products import dot
from xformad.operations.shape import transpose

SWAPPED: Final = (1, 0)
"""The axes of a transposed matrix."""


def is_product(x: Value) -> bool:
    """Whether an operand is a product of matrices, or of a matrix and a vector, of floating-point numbers of one dtype."""
    if not isinstance(x, Node) or (x.primitive is not matmul and x.primitive is not dot) or x.dtype.kind not in "fc":
        return False
    left, right = operands_of(x)
    ndims = len(shape_of(left)), len(shape_of(right))
    return ndims in ((1, 2), (2, 1), (2, 2)) and type_of(left) == type_of(right) == x.dtype


def with_absorbed_transposes(graph: Graph) -> Graph:
    """(X Y)^T = Y^T X^T, where X or Y is a transpose already, or where the result is a factor of another product.

    A transposed matrix costs a product nothing: it is told so. Sums are not even in another order.
    """
    counts = uses(graph)
    factors = {parent for node in graph.equations if is_product(node) for parent in node.parents}

    def rule(node: Node) -> Value:
        if node.primitive is not transpose or node.params["axes"] != SWAPPED:
            return node
        product = operand(node, 0)
        if not is_product(product) or counts.get(product, 0) > 1:
            return node
        left, right = operands_of(product)
        if not (is_transposed(left) or is_transposed(right) or node in factors):
            return node
        return equation(node, product.primitive, turned(node, right), turned(node, left), shape=node.shape)

    return rewritten(graph, rule, counts)


def is_transposed(x: Value) -> bool:
    return applies(x, transpose) and x.params["axes"] == SWAPPED


def turned(like: Node, x: Value) -> Value:
    """The transpose of a matrix."""
    return operand(x, 0) if is_transposed(x) else transposed(like, x, SWAPPED)


def with_moved_scalars(graph: Graph) -> Graph:
    """(c A) B = c (A B) = A (c B), -A and A / c being such, too: the factor goes where the fewest entries are.

    It moves only if there are at most half as many as where it was.
    """
    counts = uses(graph)

    def rule(node: Node) -> Value:
        if is_product(node):
            return factored(node, counts)
        scaled = scaled_array(node)
        if scaled is None or not is_product(scaled) or counts.get(scaled, 0) > 1:
            return node
        factors = operands_of(scaled)
        sizes = [size_of(shape_of(x)) for x in factors]
        small = sizes.index(min(sizes))
        if 2 * sizes[small] > size_of(node.shape):
            return node
        factors[small] = scaled_alike(node, node, factors[small])
        return equation(node, scaled.primitive, *factors, shape=node.shape)

    return rewritten(graph, rule, counts)


def factored(node: Node, counts: dict[Node, int]) -> Value:
    """A product one of whose factors is a much larger array times a scalar: the scalar times the product."""
    factors = operands_of(node)
    for i, x in enumerate(factors):
        inner = scaled_array(x)
        if inner is not None and counts.get(x, 0) <= 1 and 2 * size_of(node.shape) <= size_of(x.shape):
            factors[i] = inner
            return scaled_alike(node, x, equation(node, node.primitive, *factors, shape=node.shape))
    return node


def scaled_array(x: Value) -> Node | None:
    """A for c A, A / c and -A, where c is a scalar; None for all else."""
    if not isinstance(x, Node) or not x.spec[0]:
        return None
    if x.primitive is negative:
        found = operand(x, 0)
    elif x.primitive is multiply or x.primitive is divide:
        left, right = operands_of(x)
        found = left if shape_of(right) == () else right if shape_of(left) == () and x.primitive is multiply else None
    else:
        return None
    return found if isinstance(found, Node) and found.spec == x.spec else None


def scaled_alike(like: Node, x: Node, array: Value) -> Node:
    """Another array times the same scalar."""
    inner = scaled_array(x)
    operands = [array if each is inner else each for each in operands_of(x)]
    return equation(like, x.primitive, *operands, shape=shape_of(array))
