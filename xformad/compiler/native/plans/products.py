"""Products of arrays: `matmul`, `dot`, `tensordot`, `einsum`.

All are contractions of arrays whose axes have labels. A label that both factors and the result have numbers a stack of
products; one that the result has not is summed over; the others are the rows and columns of matrices:

    nkd,kde->nke    for each k: the rows n, summed over d, by the columns e

Axes that lie in memory as one become one, so that a stack of matrices times one matrix is a single product.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from xformad.compiler.native import blas, views
from xformad.compiler.native.contractions import Factor, Label, Labels, Lengths, matrices
from xformad.compiler.native.entries import Entry
from xformad.compiler.native.planner import PLANS, Planner, size_of
from xformad.compiler.native.plans.complex_numbers import multiply
from xformad.compiler.native.plans.moves import viewed
from xformad.compiler.native.steps import Product
from xformad.compiler.native.views import View
from xformad.core.graph import Node
from xformad.core.typing import Shape

FEW: Final = 2**18
"""Up to how many multiplications a product is done in loops over tiles, if BLAS is there. In double precision they took 0.8
to 1.6 times as long as OpenBLAS's kernels for AVX-512, and 0.55 to 0.95 times as long as those for AVX2 (AMD Zen 4, one
thread); above, OpenBLAS may use threads."""

FEW_COPIED: Final = 2**14
"""The same where the right factor would have to be copied for tiles, for a left factor of few rows."""

FEW_ROWS: Final = 32


def shape_of(x: Any) -> Shape:
    return x.shape if isinstance(x, Node) else np.shape(x)


def contract(planner: Planner, node: Node, terms: Sequence[Sequence[Label]], out: Sequence[Label]) -> None:
    """The sum over all labels that the result has not of the products of the operands' entries."""
    operands = planner.operands(node)
    planner.require(node.dtype.kind in "iufc")
    planner.require(all((x if isinstance(x, Node) else np.asarray(x)).dtype == node.dtype for x in operands))
    lengths: Lengths = {}
    for x, term in zip(operands, terms, strict=True):
        for label, n in zip(term, shape_of(x), strict=True):
            lengths[label] = n if lengths.get(label, 1) == 1 else lengths[label]
    work = math.prod(lengths.values())
    planner.require(work <= FEW or node.dtype.kind in "iu" or blas.gemm(node.dtype.char) is not None)
    labels = tuple(out)
    if summed_as_they_are(planner, node, operands, terms, labels):
        return
    factors = [factor(planner, x, term, lengths) for x, term in zip(operands, terms, strict=True)]
    while len(factors) > 2:
        first, second = cheapest(factors, lengths)
        others = [f for f in factors if f is not first and f is not second]
        wanted = {*labels, *(x for f in others for x in f.labels)}
        kept = tuple([x for x in dict.fromkeys(first.labels + second.labels) if x in wanted])
        target = fresh(planner, node.dtype, kept, lengths)
        factors = [*others, contracted(planner, [first, second], target, lengths)]
    summed = [x for f in factors for x in f.labels if x not in labels]
    if not summed and len(factors) == 1:
        viewed(planner, node, spread(factors[0], labels, node.shape))
    elif not summed:
        number = nest_after(planner, node.shape, factors)
        planner.keep(node, number, multiplied(planner, number, factors, labels))
    else:
        target = Factor(planner.result(node), labels)
        planner.views[node] = contracted(planner, factors, target, lengths).view


def summed_as_they_are(
    planner: Planner, node: Node, operands: Sequence[Any], terms: Sequence[Sequence[Label]], labels: Labels
) -> bool:
    """Sum up products of operands with the same axes while they are in registers. Returns whether they are such."""
    term, shape = tuple(terms[0]), shape_of(operands[0])
    same = all(tuple(other) == term and shape_of(x) == shape for other, x in zip(terms, operands, strict=True))
    if not same or len(set(term)) < len(term) or set(term) == set(labels) or size_of(shape) == 0:
        return False
    number = planner.nest_for(shape, list(operands))
    found = times([planner.entries(number, x, node.dtype) for x in operands])
    target = spread(Factor(planner.result(node), labels), term, shape)
    for entry, part in zip(found, target.parts, strict=True):
        planner.reduce(number, "sum", entry, part)
    return True


def times(factors: Sequence[tuple[Entry, ...]]) -> tuple[Entry, ...]:
    """The product of entries, or of pairs of real and imaginary parts."""
    return functools.reduce(lambda x, y: multiply(x, y) if len(x) == 2 else (x[0] * y[0],), factors)


def factor(planner: Planner, x: Any, labels: Sequence[Label], lengths: Lengths) -> Factor:
    """An operand. Axes with the same label become one, the diagonal; those that are broadcast or have length 1 go."""
    view = planner.view_of(x) if isinstance(x, Node) else planner.constant(x)
    strides: dict[Label, int] = {}
    for label, n, stride in zip(labels, view.shape, view.strides, strict=True):
        if n != 1:
            strides[label] = strides.get(label, 0) + stride
    shape = tuple([lengths[label] for label in strides])
    return Factor(replace(view, strides=tuple(strides.values()), shape=shape), tuple(strides))


def cheapest(factors: list[Factor], lengths: Lengths) -> tuple[Factor, Factor]:
    """The two factors whose product takes the fewest multiplications."""

    def work(pair: tuple[Factor, Factor]) -> int:
        return math.prod(lengths[x] for x in {*pair[0].labels, *pair[1].labels})

    return min(itertools.combinations(factors, 2), key=work)


def contracted(planner: Planner, factors: list[Factor], target: Factor, lengths: Lengths) -> Factor:
    """Write the product of one or two factors, summed over what the target has not. Returns where it lies."""
    if size_of(target.view.shape) * math.prod(lengths[x] for f in factors for x in f.labels) == 0:
        planner.fill(target.view)
        return target
    if len(factors) == 2:
        left, right = factors
        factors = [
            without(planner, f, tuple([x for x in f.labels if x not in target.labels + other.labels]), lengths)
            for f, other in ((left, right), (right, left))
        ]
        left, right = factors
        if target.view.dtype.kind in "fc" and any(x not in target.labels for x in left.labels):
            return multiplied_as_matrices(planner, left, right, target, lengths)
    summed_in_loops(planner, factors, target, lengths)
    return target


# In loops over entries.


def nest_after(planner: Planner, shape: Shape, read: Sequence[Factor]) -> int:
    """The number of a nest that can read these arrays."""
    return planner.first_nest(shape, max(planner.after(each.view) for each in read))


def spread(each: Factor, labels: Labels, shape: Shape) -> View:
    """The array broadcast to axes with these labels."""
    return replace(each.view, strides=tuple([each.stride(x) for x in labels]), shape=shape)


def multiplied(planner: Planner, number: int, factors: Sequence[Factor], labels: Labels) -> tuple[Entry, ...]:
    """The product of the factors' entries, or its real and imaginary parts."""
    shape = planner.nest(number).shape
    return times([planner.loaded(number, spread(each, labels, shape)) for each in factors])


def summed_in_loops(planner: Planner, factors: Sequence[Factor], target: Factor, lengths: Lengths) -> None:
    """Write the product of the factors, summed over what the target has not; or as it is, if it has all."""
    labels = tuple(dict.fromkeys(target.labels + tuple([x for f in factors for x in f.labels])))
    shape = tuple([lengths[x] for x in labels])
    number = nest_after(planner, shape, factors)
    found, view = multiplied(planner, number, factors, labels), spread(target, labels, shape)
    if len(labels) == len(target.labels):
        planner.store(number, tuple([entry.register for entry in found]), view)
        return
    for entry, part in zip(found, view.parts, strict=True):
        planner.reduce(number, "sum", entry, part)


def without(planner: Planner, each: Factor, gone: Labels, lengths: Lengths) -> Factor:
    """A factor summed over labels that nothing else has."""
    if not gone:
        return each
    kept = tuple([x for x in each.labels if x not in gone])
    target = fresh(planner, each.view.dtype, kept, lengths)
    summed_in_loops(planner, [each], target, lengths)
    return target


def fresh(planner: Planner, dtype: np.dtype[Any], labels: Labels, lengths: Lengths) -> Factor:
    """A temporary array whose axes have these labels."""
    shape = tuple([lengths[x] for x in labels])
    return Factor(views.whole(planner.temporary(dtype, shape), shape), labels)


# As products of matrices.


def multiplied_as_matrices(planner: Planner, left: Factor, right: Factor, target: Factor, lengths: Lengths) -> Factor:
    """Write the product of two factors that have something to be summed over. Returns where it lies."""
    left, right = (f if f.view.part is None else Factor(planner.straight(f.view), f.labels) for f in (left, right))
    found = matrices(left, right, target, lengths)
    if found is None:  # what is summed over is not one axis in both
        summed = tuple([x for x in left.labels if x not in target.labels])
        left, right = (
            Factor(planner.straight(f.arranged(order).view), order)
            for f, order in ((f, tuple([x for x in f.labels if x not in summed]) + summed) for f in (left, right))
        )
        found = matrices(left, right, target, lengths)
        assert found is not None
    if blas.layout(found[2]) is None:  # neither rows nor columns of the result lie one after the other
        stack = [x for x in left.labels if x in right.labels and x in target.labels]
        order = sorted(target.labels, key=lambda x: (x not in stack, x not in left.labels))
        own = fresh(planner, target.view.dtype, tuple(order), lengths)
        target = own.arranged(target.labels)
        found = matrices(left, right, target, lengths)
        assert found is not None
    step = planned(planner, *found)
    if step is None:
        summed_in_loops(planner, [left, right], target, lengths)
    else:
        planner.steps.append(step)
        planner.written[target.view.buffer] = len(planner.steps) - 1
    return target


def planned(planner: Planner, left: View, right: View, result: View) -> Product | None:
    """The step that multiplies stacks of matrices; None where it is best to do it in loops over entries."""
    (m, k), n = left.shape[-2:], right.shape[-1]
    if n == 1 and m > 1:
        return planned(planner, *turned(left, right, result))
    of_vectors = n == 1 or (right.strides[-2] == 1 and right.strides[-1] != 1)  # that lie one entry after the other
    if m == 1 and (of_vectors or result.dtype.kind == "c"):
        return None
    routine = blas.gemm(result.dtype.char)
    straight = left.strides[-2] == 1 if result.strides[-1] != 1 else right.strides[-1] == 1
    few = 0 if result.dtype.kind == "c" else FEW if straight or m >= FEW_ROWS else FEW_COPIED
    if m * n * k > few and routine is not None:
        left, right = (x if blas.layout(x) else compact(planner, x) for x in (left, right))
        return Product(left, right, result, routine)
    if result.dtype.kind == "c":
        return None
    if result.strides[-1] != 1 and n > 1:
        left, right, result = turned(left, right, result)
    if right.strides[-1] != 1 and right.shape[-1] > 1:
        right = compact(planner, right)
    return Product(left, right, result, None)


def turned(left: View, right: View, result: View) -> tuple[View, View, View]:
    """The same product by (A B)^T = B^T A^T."""
    left, right, result = (
        View(v.buffer, v.offset, (*v.strides[:-2], *v.strides[:-3:-1]), (*v.shape[:-2], *v.shape[:-3:-1]))
        for v in (right, left, result)
    )
    return left, right, result


def compact(planner: Planner, view: View) -> View:
    """A copy of a stack of matrices in C order, of which a matrix that is there many times has one."""
    stack = [n if stride else 1 for n, stride in zip(view.shape[:-2], view.strides, strict=False)]
    once = View(view.buffer, view.offset, view.strides, (*stack, *view.shape[-2:]))
    return views.broadcast(planner.straight(once), view.shape)


# The operations.


def plan_matmul(planner: Planner, node: Node) -> None:
    left, right = (len(shape_of(x)) for x in planner.operands(node))
    stack = tuple(range(max(left, right, 2) - 2))
    of_left: Labels = ("k",) if left == 1 else (*stack[len(stack) - left + 2 :], "m", "k")
    of_right: Labels = ("k",) if right == 1 else (*stack[len(stack) - right + 2 :], "k", "n")
    contract(planner, node, (of_left, of_right), (*stack, *("m",) * (left > 1), *("n",) * (right > 1)))


def plan_dot(planner: Planner, node: Node) -> None:
    left, right = (len(shape_of(x)) for x in planner.operands(node))
    summed = ((left - 1,), (max(right - 2, 0),)) if left and right else ((), ())
    plan_along(planner, node, summed)


def plan_tensordot(planner: Planner, node: Node) -> None:
    plan_along(planner, node, node.params["axes"])


def plan_along(planner: Planner, node: Node, axes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """A product summed over some axes of the left and of the right factor."""
    left, right = (len(shape_of(x)) for x in planner.operands(node))
    of_left: list[Label] = [f"left{i}" for i in range(left)]
    of_right: list[Label] = [f"right{i}" for i in range(right)]
    out = [x for i, x in enumerate(of_left) if i not in axes[0]]
    out += [x for i, x in enumerate(of_right) if i not in axes[1]]
    for i, j in zip(*axes, strict=True):
        of_right[j] = of_left[i]
    contract(planner, node, (of_left, of_right), out)


def plan_einsum(planner: Planner, node: Node) -> None:
    terms, out = node.params["subscripts"].split("->")
    contract(planner, node, terms.split(","), out)


PLANS.update({"matmul": plan_matmul, "dot": plan_dot, "tensordot": plan_tensordot, "einsum": plan_einsum})
