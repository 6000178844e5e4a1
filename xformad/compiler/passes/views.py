"""Chains of operations that only move entries: two become one, and one that moves nothing goes.

>>> import xformad, numpy as np
>>> print(with_collapsed_views(xformad.trace(lambda x: np.reshape(x.T.T[1:, 2:][:, 0][:, None], (-1, 1)))(np.ones((4, 5)))))
inputs  a: float64[4,5]
b: float64[3] = getitem a  index=(1:4, 2)
c: float64[3,1] = reshape b  shape=(3, 1)
outputs c
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from xformad.compiler.passes.algebra import Identity
from xformad.compiler.passes.rewriting import applies, equation, operand, rewritten, shape_of, size_of, type_of
from xformad.core.graph import Graph, Node
from xformad.core.primitive import Primitive, getitem
from xformad.core.typing import Shape, Value
from xformad.operations.reductions import kept, spread
from xformad.operations.shape import broadcast, flip, ravel, reshape, transpose

Item: TypeAlias = int | slice


def with_collapsed_views(graph: Graph) -> Graph:
    """Views of views are views of the first array, and the same entries in the same places are the array itself.

    reshape(reshape(x)) = reshape(x)      transpose(transpose(x, p), q) = transpose(x, p[q])
    broadcast(broadcast(x)) = broadcast(x)      x[a:b][c] = x[a + c]      flip(flip(x)) = x
    x[:, None], x[0] of a single row, and a transpose that moves axes of length 1 only, are a reshape(x)
    spread(x) = broadcast(reshape(x))
    """
    return rewritten(graph, collapsed)


def collapsed(node: Node) -> Value:
    """What stands for an equation that only moves entries."""
    rule = RULES.get(node.primitive)
    if rule is None or not isinstance(operand(node, 0), Node):
        return node
    return rule(node)


# Shapes.


def of_reshape(node: Node) -> Value:
    """Of the same shape, of another reshape, of what is broadcast to axes of length 1."""
    x = node.parents[0]
    if node.params.get("order", "C") != "C":
        return node
    if x.shape == node.shape:
        return x
    if applies(x, reshape) and x.params.get("order", "C") == "C":
        return reshaped(node, operand(x, 0), node.shape)
    if applies(x, broadcast):
        source = operand(x, 0)
        if shape_of(source) == ():
            return broadcasted(node, source, node.shape)
        if size_of(shape_of(source)) == size_of(x.shape):
            return reshaped(node, source, node.shape)
    return node


def reshaped(like: Node, x: Value, shape: Shape) -> Value:
    """An array in another shape."""
    if shape_of(x) == shape and shape:
        return x
    return equation(like, reshape, x, shape=shape, dtype=type_of(x), params={"shape": shape})


def of_ravel(node: Node) -> Value:
    """What is as the array lies in C's order is one of its shapes."""
    return reshaped(node, node.parents[0], node.shape) if node.params["order"] == "C" else node


def of_transpose(node: Node) -> Value:
    """Of another transpose; and one that moves no axis, or none that is longer than 1."""
    x, axes = node.parents[0], node.params["axes"]
    if axes == tuple(range(len(axes))):
        return x
    long = [axis for axis in axes if x.shape[axis] != 1]
    if long == sorted(long):
        return reshaped(node, x, node.shape)
    if applies(x, transpose):
        return transposed(node, operand(x, 0), tuple([x.params["axes"][axis] for axis in axes]))
    return node


def transposed(like: Node, x: Value, axes: Shape) -> Value:
    """An array with its axes in another order."""
    if axes == tuple(range(len(axes))):
        return x
    shape = tuple([shape_of(x)[axis] for axis in axes])
    return equation(like, transpose, x, shape=shape, dtype=type_of(x), params={"axes": axes})


def of_broadcast(node: Node) -> Value:
    """To the same shape, of another broadcast, of what has only got axes of length 1 in front."""
    x, shape = node.parents[0], node.shape
    if x.shape == shape and shape:
        return x
    if size_of(x.shape) == size_of(shape):
        return reshaped(node, x, shape)
    if applies(x, broadcast):
        return broadcasted(node, operand(x, 0), shape)
    if applies(x, reshape) and x.params.get("order", "C") == "C":
        inner = operand(x, 0)
        lengths = shape_of(inner)
        if x.shape == (1,) * (len(x.shape) - len(lengths)) + lengths:
            return broadcasted(node, inner, shape)
    return node


def broadcasted(like: Node, x: Value, shape: Shape) -> Value:
    """An array repeated along the axes that it lacks."""
    if shape_of(x) == shape and shape:
        return x
    return equation(like, broadcast, x, shape=shape, dtype=type_of(x), params={"shape": shape})


def of_spread(node: Node) -> Value:
    """A view instead of an array of its own."""
    x, shape = node.parents[0], node.shape
    aligned = x if node.params["keepdims"] else reshaped(node, x, kept(shape, node.params["axis"]))
    return broadcasted(node, aligned, shape)


def of_flip(node: Node) -> Value:
    """Flipped twice."""
    x = node.parents[0]
    return operand(x, 0) if applies(x, flip) and x.params == node.params else node


# Indices.


def of_getitem(node: Node) -> Value:
    """An index that takes everything, one that only makes axes, and one of what another one took."""
    x = node.parents[0]
    if len(node.args) != 1:
        return node
    items = itemized(node.params["index"], len(x.shape))
    if items is None:
        return node
    if all(takes_all(item, n) for item, n in paired(items, x.shape)):
        return reshaped(node, x, node.shape) if node.shape else node
    if None in items or not applies(x, getitem) or len(x.args) != 1:
        return node
    source = operand(x, 0)
    inner = itemized(x.params["index"], len(shape_of(source)))
    if inner is None or None in inner:
        return node
    found = composed(inner, items, shape_of(source))
    return node if found is None else equation(node, getitem, source, shape=node.shape, params={"index": found})


def itemized(index: Any, ndim: int) -> list[Any] | None:
    """An index of numbers, slices and new axes, with an item for each axis and each new one; None for others."""
    items = list(index) if isinstance(index, tuple) else [index]
    if not all(item is None or item is Ellipsis or type(item) in (int, slice) for item in items):
        return None
    missing = [slice(None)] * (ndim - sum(item is not None and item is not Ellipsis for item in items))
    if Ellipsis not in items:
        return items + missing
    at = items.index(Ellipsis)
    return items[:at] + missing + items[at + 1 :]


def paired(items: list[Any], shape: Shape) -> list[tuple[Any, int]]:
    """The items with the lengths of the axes that they index."""
    lengths = iter(shape)
    return [(item, 1 if item is None else next(lengths)) for item in items]


def takes_all(item: Any, n: int) -> bool:
    """Whether an item takes all entries along an axis of length n, in their order."""
    return item is None or (item.indices(n) == (0, n, 1) if isinstance(item, slice) else n == 1)


def composed(inner: list[Item], outer: list[Item], shape: Shape) -> tuple[Item, ...] | None:
    """The index of an array that takes what `outer` takes of what `inner` takes. None where a step is negative."""
    rest = iter(outer)
    found: list[Item] = []
    for item, n in zip(inner, shape, strict=True):
        if isinstance(item, int):
            found.append(item)
            continue
        start, stop, step = item.indices(n)
        taken = range(start, stop, step)
        then = next(rest)
        if isinstance(then, int):
            found.append(taken[then])
            continue
        taken = taken[then]
        if taken.step < 0:
            return None
        found.append(slice(taken.start, max(taken.start, taken.stop), None if taken.step == 1 else taken.step))
    while found and found[-1] == slice(None):
        found.pop()
    return tuple(found)


RULES: Final[dict[Primitive | None, Identity]] = {
    reshape: of_reshape,
    ravel: of_ravel,
    transpose: of_transpose,
    broadcast: of_broadcast,
    spread: of_spread,
    flip: of_flip,
    getitem: of_getitem,
}
