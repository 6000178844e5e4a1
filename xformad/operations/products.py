"""Products of arrays: `matmul`, `tensordot`, `cross`. Each is linear in both factors, so a rule is another product.

With G the cotangent of X Y, that of X is G Y^T and that of Y is X^T G. The transposes are plain, not conjugated: see
docs/conventions.md.
"""

from __future__ import annotations

import math

import numpy as np

from xformad.core import primitive as core
from xformad.core.dispatch import UFUNCS
from xformad.core.interpreter import ndim_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import Batched, aligned, defbatch, lined_up
from xformad.interpreters.cotangents import Outer
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import Dependences, defindexset
from xformad.interpreters.index_sets_of_products import contraction, dot_terms, matmul_terms, product, tensordot_terms
from xformad.interpreters.vjp_rules import BROADCAST, VjpEntry, vjp_rules
from xformad.operations.makers import smooth

Axes = tuple[int, ...]


def rows(x: Value) -> Value:
    """A stack of matrices as one tall matrix."""
    shape = x.shape
    return x.reshape((math.prod(shape[:-1]), shape[-1]))


def matmul_vjp_left(g: Value, _ans: Value, _x: Value, y: Value) -> Value:
    ndim = y.ndim
    if ndim == 2:
        return g @ y.T
    if ndim == 1:
        if _x.ndim == 2:
            return Outer(g, y)
        return g[..., None] * y if _x.ndim > 1 else g * y
    if _x.ndim == 1:
        return (y @ g[..., None])[..., 0]
    return g @ np.swapaxes(y, -1, -2)


def matmul_vjp_right(g: Value, _ans: Value, x: Value, _y: Value) -> Value:
    ndim = x.ndim
    right = _y.ndim
    if ndim == 2:
        return x.T @ g if right > 1 else g @ x
    if ndim == 1:
        if right == 1:
            return g * x
        return Outer(x, g) if right == 2 else x[:, None] * g[..., None, :]
    if right == 1:
        return g.reshape((g.size,)) @ rows(x)
    # One factor for a whole stack: the sum over the stack is part of one product.
    return rows(x).T @ rows(g) if right == 2 else np.swapaxes(x, -1, -2) @ g


matmul = core.matmul
UFUNCS[np.matmul] = matmul
vjp_rules[matmul] = VjpEntry({0: matmul_vjp_left, 1: matmul_vjp_right}, check=BROADCAST, linear=True)
defindexset(matmul, product(matmul_terms))


def matmul_batch(_size: int, batched: Batched, x: Value, y: Value) -> Value:
    """A product of stacks. Vectors of a batch become matrices with one row or column, if not the batch is the matrix."""
    left, right = ndim_of(x) - batched[0], ndim_of(y) - batched[1]
    if not batched[1]:
        if right == 1 or (left == 1 and right == 2):
            return matmul(x, y)
        if right == 2:  # one product for the whole batch
            return matmul(rows(x), y).reshape((*x.shape[:-1], y.shape[-1]))
    elif not batched[0]:
        if right == 1 and left <= 2:
            return matmul(y, x.T)
        if left == 1:
            return matmul(x, y)
    if left == 1:
        x = x[..., None, :]
    if right == 1:
        y = y[..., None]
    x, y = lined_up(batched, (x, y))
    product = x * y if x.shape[-1] == y.shape[-2] == 1 else matmul(x, y)
    if left == 1:
        return product[..., 0, 0] if right == 1 else product[..., 0, :]
    return product[..., 0] if right == 1 else product


defbatch(matmul, matmul_batch)


def free(ndim: int, axes: Axes) -> list[int]:
    """The axes that a product does not sum over."""
    return [i for i in range(ndim) if i not in axes]


def back(product: Value, order: list[int]) -> Value:
    """Put axes that stand in this order back into their places."""
    inverse = [order.index(i) for i in range(len(order))]
    return product if inverse == list(range(len(order))) else np.transpose(product, inverse)


def tensordot_vjp_left(g: Value, _ans: Value, _x: Value, y: Value, axes: tuple[Axes, Axes]) -> Value:
    of_x, of_y = axes
    free_x, free_y = free(_x.ndim, of_x), free(y.ndim, of_y)
    ndim = len(free_x) + len(free_y)
    product = tensordot(g, y, axes=(tuple(range(len(free_x), ndim)), tuple(free_y)))
    return back(product, [*free_x, *(of_x[of_y.index(axis)] for axis in sorted(of_y))])


def tensordot_vjp_right(g: Value, _ans: Value, x: Value, _y: Value, axes: tuple[Axes, Axes]) -> Value:
    of_x, of_y = axes
    free_x, free_y = free(x.ndim, of_x), free(_y.ndim, of_y)
    product = tensordot(x, g, axes=(tuple(free_x), tuple(range(len(free_x)))))
    return back(product, [*(of_y[of_x.index(axis)] for axis in sorted(of_x)), *free_y])


# `axes`: the axes of x and of y that are summed over, non-negative.
tensordot: Primitive = smooth(
    "tensordot",
    lambda x, y, axes: np.tensordot(x, y, axes=axes),
    tensordot_vjp_left,
    tensordot_vjp_right,
    linear=True,
)
defindexset(tensordot, product(tensordot_terms))


def tensordot_batch(size: int, batched: Batched, x: Value, y: Value, axes: tuple[Axes, Axes]) -> Value:
    """One product of matrices if one factor is batched, a stack of such if both are."""
    of_x, of_y = (tuple([i + b for i in each]) for b, each in zip(batched, axes, strict=True))
    if not batched[1]:
        return tensordot(x, y, axes=(of_x, of_y))
    if not batched[0]:
        return np.moveaxis(tensordot(x, y, axes=(of_x, of_y)), ndim_of(x) - len(of_x), 0)
    free_x, free_y = free(x.ndim, (0, *of_x)), free(y.ndim, (0, *of_y))
    lengths = [x.shape[i] for i in free_x], [x.shape[i] for i in of_x], [y.shape[i] for i in free_y]
    left = np.transpose(x, (0, *free_x, *of_x)).reshape((size, math.prod(lengths[0]), math.prod(lengths[1])))
    right = np.transpose(y, (0, *of_y, *free_y)).reshape((size, math.prod(lengths[1]), math.prod(lengths[2])))
    return matmul(left, right).reshape((size, *lengths[0], *lengths[2]))


defbatch(tensordot, tensordot_batch)


def dot_vjp_left(g: Value, _ans: Value, _x: Value, y: Value) -> Value:
    left, right = _x.ndim, ndim_of(y)
    if left == 0 or right == 0:
        return g * y
    if left <= 2 and right <= 2:
        return matmul_vjp_left(g, _ans, _x, y)
    return tensordot_vjp_left(g, _ans, _x, y, ((left - 1,), (max(right - 2, 0),)))


def dot_vjp_right(g: Value, _ans: Value, x: Value, _y: Value) -> Value:
    left, right = ndim_of(x), _y.ndim
    if left == 0 or right == 0:
        return g * x
    if left <= 2 and right <= 2:
        return matmul_vjp_right(g, _ans, x, _y)
    return tensordot_vjp_right(g, _ans, x, _y, ((left - 1,), (max(right - 2, 0),)))


dot: Primitive = smooth("dot", np.dot, dot_vjp_left, dot_vjp_right, linear=True)
defindexset(dot, product(dot_terms))


def dot_batch(size: int, batched: Batched, x: Value, y: Value) -> Value:
    left, right = ndim_of(x) - batched[0], ndim_of(y) - batched[1]
    if left == 0 or right == 0:
        x, y = lined_up(batched, (x, y))
        return x * y
    if left <= 2 and right <= 2:
        return matmul_batch(size, batched, x, y)
    return tensordot_batch(size, batched, x, y, ((left - 1,), (max(right - 2, 0),)))


defbatch(dot, dot_batch)


def cross_value(x: Value, y: Value) -> Value:
    x0, x1, x2 = x[..., 0], x[..., 1], x[..., 2]
    y0, y1, y2 = y[..., 0], y[..., 1], y[..., 2]
    return np.stack([x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0], axis=-1)


# Of vectors along the last axis. g . (dx * y) = dx . (y * g), the triple product.
cross: Primitive = smooth(
    "cross", cross_value, lambda g, _ans, _x, y: cross(y, g), lambda g, _ans, x, _y: cross(g, x), linear=True
)


def cross_index_set(dependences: Dependences, ans: Value, x: Value, y: Value) -> Dependence:
    """That of the product with the permutation symbol, which is zero where two indices are equal."""
    left, right = (
        "".join(map(chr, range(ord("a") + ans.ndim - np.ndim(each), ord("a") + ans.ndim - 1))) for each in (x, y)
    )
    symbol = np.ones((3, 3, 3)) - np.einsum("ij,k->ijk", np.eye(3), np.ones(3))
    symbol = symbol * np.swapaxes(symbol, 0, 2) * np.swapaxes(symbol, 1, 2)
    terms = (left + "x", right + "y", "zxy")
    return contraction((*dependences, None), (x, y, symbol), terms, max(left, right, key=len) + "z")


defindexset(cross, cross_index_set)
defbatch(cross, aligned(cross))
