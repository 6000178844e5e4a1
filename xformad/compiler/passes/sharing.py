"""What is computed twice is computed once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import numpy as np

from xformad.compiler.passes.rewriting import operands_of, rewritten
from xformad.core.graph import Graph, Node
from xformad.core.primitive import add, bitwise_and, bitwise_or, bitwise_xor, equal, multiply, not_equal
from xformad.core.typing import Value
from xformad.operations.discrete import logical_and, logical_or, logical_xor

SMALL: Final = 4096  # bytes: up to here, a recording takes a copy of an array for each use

COMMUTATIVE: Final = frozenset(
    (add, multiply, equal, not_equal, logical_and, logical_or, logical_xor, bitwise_and, bitwise_or, bitwise_xor)
)
"""Operations whose operands may change places. An extremum of 0.0 and -0.0 is the first of them, or the second."""


def without_repetition(graph: Graph) -> Graph:
    """Equal operations on equal operands have equal results: the second one is the first one. x + y = y + x, and x y = y x.

    >>> import xformad
    >>> print(without_repetition(xformad.trace(lambda x: (x * x) + (x * x))(3.0)))
    inputs  a: float64[]
    b: float64[] = multiply a a
    c: float64[] = add b b
    outputs c
    """
    first: dict[Hashable, Node] = {}

    def rule(node: Node) -> Node:
        key = key_of(node)
        return node if key is None else first.setdefault(key, node)

    return rewritten(graph, rule)


def key_of(node: Node) -> Hashable:
    """Equal for operations that compute the same; None where that cannot be told."""
    if node.primitive in COMMUTATIVE:
        return node.primitive, frozenset([x if isinstance(x, Node) else content_key(x) for x in operands_of(node)])
    if len(node.args) == len(node.parents) and not node.params:
        return node.primitive, node.argnums, node.parents
    constants = [content_key(arg) for i, arg in enumerate(node.args) if i not in node.argnums]
    params = [(name, parameter_key(value)) for name, value in node.params.items()]
    key = (node.primitive, node.argnums, node.parents, tuple(constants), tuple(params))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def content_key(x: Value) -> Hashable:
    """Equal for constants that compute the same, small arrays by their entries."""
    if isinstance(x, np.ndarray) and x.nbytes <= SMALL and not x.dtype.hasobject:
        return x.dtype, x.shape, x.strides, x.tobytes()
    return constant_key(x)


def constant_key(x: Value) -> Hashable:
    """Equal for constants that compute the same: of the same type, not only of the same value. 0.0 is not -0.0."""
    if isinstance(x, np.ndarray):
        return id(x)
    if isinstance(x, np.generic):
        return type(x), x.tobytes()
    return type(x), repr(x)


def parameter_key(x: Any) -> Hashable:
    """Equal for parameters that mean the same. Slices are not hashable before Python 3.12; True is not 1."""
    if isinstance(x, slice):
        return slice, x.start, x.stop, x.step
    if isinstance(x, tuple):
        return tuple([parameter_key(each) for each in x])
    return (type(x), repr(x)) if isinstance(x, bool | float | complex) else x
