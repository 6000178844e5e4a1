"""Constants: what depends on nothing but constants is computed while compiling."""

from __future__ import annotations

import contextlib
from typing import Final

import numpy as np

from xformad.compiler.passes.rewriting import acts_by_entry, rewritten, size_of
from xformad.core.graph import Graph, Node
from xformad.core.guards import guard
from xformad.core.typing import Value

FOLDABLE: Final = frozenset(
    (
        *("reshape", "ravel", "transpose", "broadcast", "spread", "getitem", "flip", "roll", "pad", "copy"),
        *("sum", "prod", "max", "min", "cumsum", "cumprod", "any", "all", "argmax", "argmin", "count_nonzero"),
        *("matmul", "dot", "tensordot", "einsum", "concatenate", "stack", "scatter_add", "astype", "discretize"),
    )
)
"""Operations, beside those that act entry by entry, that give the same each time: none is random, none calls users' code."""

SMALL: Final = 64  # entries


def with_folded_constants(graph: Graph) -> Graph:
    """f(constants) is a constant. It is computed once, if it is not larger than the constants, or small.

    >>> import xformad, numpy as np
    >>> from xformad.compiler.passes.rewriting import with_operands
    >>> graph = xformad.trace(lambda c, x: np.exp(c) + x)(2.0, 3.0)
    >>> exp, add = graph.equations
    >>> print(with_folded_constants(rewritten(graph, lambda node: with_operands(node, [2.0]) if node is exp else node)))
    inputs  a: float64[], b: float64[]
    c: float64[] = add 7.38905609893065 b
    outputs c
    """

    def rule(node: Node) -> Value:
        return node if node.parents else folded(node)

    return rewritten(graph, rule)


def folded(node: Node) -> Value:
    """The value of an operation on constants; the operation itself, where it is better left or raises an error."""
    if node.primitive is None or node.primitive is guard or isinstance(node.value, tuple):
        return node
    if not acts_by_entry(node.primitive) and node.primitive.name not in FOLDABLE:
        return node
    if size_of(node.shape) > max(SMALL, sum(np.size(arg) for arg in node.args)):
        return node
    with contextlib.suppress(Exception), np.errstate(all="ignore"):
        value = node.primitive.bind(*node.args, **node.params)
        if np.shape(value) == node.shape and np.asarray(value).dtype == node.dtype:
            return value
    return node
