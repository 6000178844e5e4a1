"""Counting: numbers of equal entries, and the edges of the bins of a histogram. Sums of weights are `scatter_add`."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.interpreter import agreed, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import Batched, Differs, defbatch, spread_out
from xformad.operations.makers import nondifferentiable

# How often each of the numbers 0, 1, ..., length - 1 stands in an array.
counts: Primitive = nondifferentiable("counts", lambda x, length: np.bincount(np.ravel(x), minlength=length))


def counts_batch(size: int, _batched: Batched, x: Value, length: int) -> Value:
    """Each example counts in a range of numbers of its own."""
    x = np.reshape(x, (size, int(np.prod(shape_of(x)[1:]))))
    return np.reshape(counts(x + length * np.arange(size)[:, None], length=length * size), (size, length))


defbatch(counts, counts_batch)


def bin_edges_value(x: Value, *bounds: Value, bins: int | str) -> Value:
    return np.histogram_bin_edges(x, bins, bounds or None)


# The edges of so many bins of equal width, or of as many as a rule of that name says. Constants: `xformad.numpy` makes
# them follow the smallest and largest entry.
bin_edges: Primitive = nondifferentiable("bin_edges", bin_edges_value, 3)


def bin_edges_batch(size: int, batched: Batched, *values: Value, bins: int | str) -> Value:
    """One example after the other. They must have the same number of bins."""
    examples = zip(*[agreed(x) for x in spread_out(size, batched, values)], strict=True)
    found: list[Any] = [bin_edges_value(*example, bins=bins) for example in examples]
    Differs.check([len(edges) for edges in found])
    return np.stack(found)


defbatch(bin_edges, bin_edges_batch)
