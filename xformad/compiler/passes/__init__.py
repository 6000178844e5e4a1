"""Passes: functions from a graph to a graph that computes the same with less work.

Each says in its docstring by which identity. Guards stay, in their order among what they protect.
"""

from xformad.compiler.passes.algebra import with_exact_identities
from xformad.compiler.passes.broadcasting import without_repeated_entries
from xformad.compiler.passes.chains import with_best_chains
from xformad.compiler.passes.constants import with_folded_constants
from xformad.compiler.passes.contractions import with_matrix_products
from xformad.compiler.passes.outputs import with_own_outputs
from xformad.compiler.passes.pipeline import simplified
from xformad.compiler.passes.products import with_absorbed_transposes, with_moved_scalars
from xformad.compiler.passes.rewriting import rewritten, with_equations, with_parents, without_dead_code
from xformad.compiler.passes.sharing import constant_key, without_repetition
from xformad.compiler.passes.sums import with_factored_sums, with_kept_axes, with_plain_scatters
from xformad.compiler.passes.views import with_collapsed_views

__all__ = [
    "constant_key",
    "rewritten",
    "simplified",
    "with_absorbed_transposes",
    "with_best_chains",
    "with_collapsed_views",
    "with_equations",
    "with_exact_identities",
    "with_factored_sums",
    "with_folded_constants",
    "with_kept_axes",
    "with_matrix_products",
    "with_moved_scalars",
    "with_own_outputs",
    "with_parents",
    "with_plain_scatters",
    "without_dead_code",
    "without_repeated_entries",
    "without_repetition",
]
