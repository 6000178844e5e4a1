"""Contractions of two arrays whose axes have labels, seen as products of stacks of matrices.

>>> import numpy as np
>>> from xformad.compiler.native.views import Buffer, whole
>>> lengths = {"n": 5, "k": 3, "d": 2, "e": 4}
>>> def array(labels):
...     shape = tuple(lengths[x] for x in labels)
...     return Factor(whole(Buffer("temporary", np.dtype(float), 0), shape), tuple(labels))
>>> [view.shape for view in matrices(array("nkd"), array("kde"), array("nke"), lengths)]
[(3, 5, 2), (3, 2, 4), (3, 5, 4)]
>>> [view.shape for view in matrices(array("nkd"), array("de"), array("nke"), lengths)]
[(15, 2), (2, 4), (15, 4)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from xformad.compiler.native import views
from xformad.compiler.native.views import View
from xformad.core.typing import Shape

Label: TypeAlias = int | str
Labels: TypeAlias = tuple[Label, ...]
Lengths: TypeAlias = dict[Label, int]


@final
@dataclass(frozen=True)
class Factor:
    """An array whose axes have labels."""

    view: View
    labels: Labels

    def stride(self, label: Label) -> int:
        """That of a label's axis; 0 for one that the array has not, along which it is broadcast."""
        return self.view.strides[self.labels.index(label)] if label in self.labels else 0

    def arranged(self, labels: Sequence[Label]) -> Factor:
        """The same with its axes in this order."""
        return Factor(views.transposed(self.view, tuple([self.labels.index(x) for x in labels])), tuple(labels))


def joined(labels: Sequence[Label], factors: Sequence[Factor], lengths: Lengths) -> list[tuple[int, list[int]]]:
    """Axes that lie one in the other in all these arrays become one: its length, and its stride in each."""
    found: list[tuple[int, list[int]]] = []
    for label in labels:
        n, strides = lengths[label], [f.stride(label) for f in factors]
        if found and all(outer == n * inner for outer, inner in zip(found[-1][1], strides, strict=True)):
            found[-1] = found[-1][0] * n, strides
        elif n != 1:
            found.append((n, strides))
    return found


def matrices(left: Factor, right: Factor, result: Factor, lengths: Lengths) -> tuple[View, View, View] | None:
    """The factors and the result as stacks of matrices; None if what is summed over does not lie as one axis in both."""
    factors = left, right, result
    summed = sorted([x for x in left.labels if x not in result.labels], key=left.stride, reverse=True)
    inner = joined(summed, factors, lengths) or [(1, [0, 0, 0])]
    if len(inner) > 1:
        return None
    k, along = inner[0]
    rows = joined([x for x in result.labels if x not in right.labels], factors, lengths)
    columns = joined([x for x in result.labels if x not in left.labels], factors, lengths)
    stack = joined([x for x in result.labels if x in left.labels and x in right.labels], factors, lengths)
    m, down = chosen(rows)
    n, across = chosen(columns)
    stack += [axis for axis in rows + columns if axis[1] is not down and axis[1] is not across]
    lead = tuple([length for length, _ in stack])

    def view(which: int, shape: Shape, steps: Shape) -> View:
        source = factors[which].view
        strides = (*[strides[which] for _, strides in stack], *steps)
        return View(source.buffer, source.offset, strides, (*lead, *shape))

    return (
        view(0, (m, k), (down[0], along[0])),
        view(1, (k, n), (along[1], across[1])),
        view(2, (m, n), (down[2], across[2])),
    )


def chosen(axes: list[tuple[int, list[int]]]) -> tuple[int, list[int]]:
    """The axis that becomes one of the matrices': along which the result's entries are neighbours, or the longest."""
    return max(axes, key=lambda axis: (axis[1][2] == 1, axis[0]), default=(1, [0, 0, 0]))
