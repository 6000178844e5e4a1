"""All passes, in the order in which they help each other.

>>> import xformad, numpy as np
>>> graph = xformad.trace(xformad.grad(lambda x: np.sum((x - np.mean(x)) ** 2)))(np.ones(4))
>>> print(simplified(graph))
inputs  a: float64[4]
b: float64[] = sum a  axis=(0,) keepdims=False
c: float64[] = multiply b 0.25
d: float64[4] = subtract a c
e: float64[4] = add d d
f: float64[] = sum e  axis=(0,) keepdims=False
g: float64[] = multiply f -0.25
h: float64[4] = add e g
outputs h
"""

from __future__ import annotations

from typing import Final

from xformad.compiler.passes.algebra import with_exact_identities
from xformad.compiler.passes.broadcasting import without_repeated_entries
from xformad.compiler.passes.chains import with_best_chains
from xformad.compiler.passes.constants import with_folded_constants
from xformad.compiler.passes.contractions import with_matrix_products
from xformad.compiler.passes.loops import without_unused_parts
from xformad.compiler.passes.outputs import with_own_outputs
from xformad.compiler.passes.products import with_absorbed_transposes, with_moved_scalars
from xformad.compiler.passes.rewriting import without_dead_code
from xformad.compiler.passes.sharing import without_repetition
from xformad.compiler.passes.sums import with_factored_sums, with_kept_axes, with_plain_scatters
from xformad.compiler.passes.views import with_collapsed_views
from xformad.core.graph import Graph

PASSES: Final = (
    without_dead_code,
    with_collapsed_views,
    without_repetition,
    with_kept_axes,
    without_repeated_entries,
    with_exact_identities,
    with_plain_scatters,
    with_factored_sums,
    with_matrix_products,
    with_absorbed_transposes,
    with_moved_scalars,
    with_best_chains,
    with_folded_constants,
    with_collapsed_views,
    with_kept_axes,
    without_repeated_entries,
    with_exact_identities,
    without_repetition,
    without_unused_parts,
)


def simplified(graph: Graph) -> Graph:
    """A graph of the same function with less to do.

    First what is written in different ways is written in one, so that what is equal is seen to be: chains of views, then
    repetition. Then what is broadcast becomes an operand as it is, which brings out the factors 1 that the cotangents of
    sums are, and these go. Scatters that are sums, and sums whose terms have a factor, come next, then products of
    matrices: first what becomes one, then its transposes and scalars, then the order of several. All these make new views
    and factors, for which there is a second round.

    Each pass goes through the graph once, so the time is proportional to the number of equations.

    Args:
        graph: what was recorded.

    Returns:
        The graph; its outputs are memory of their own where those of the recorded one were.
    """
    found = graph
    for each in PASSES:
        found = each(found)
    return with_own_outputs(graph, found)
