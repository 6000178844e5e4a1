"""The operations, a file a family, a block an operation: its implementation and its rules for every interpreter together.

`makers` names the algebra (`elementwise`, `moves`, `smooth`, ...) so that an operation states only what is its own.
"""

from xformad.operations import (
    arithmetic,
    batched_index,
    complex_numbers,
    discrete,
    einsum,
    exponential,
    extrema,
    indexing,
    joining,
    linalg_determinants,
    linalg_factors,
    linalg_general,
    linalg_norms,
    linalg_solve,
    linalg_spectral,
    products,
    reductions,
    roots,
    selection,
    shape,
    sorting,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "batched_index",
    "complex_numbers",
    "discrete",
    "einsum",
    "exponential",
    "extrema",
    "indexing",
    "joining",
    "linalg_determinants",
    "linalg_factors",
    "linalg_general",
    "linalg_norms",
    "linalg_solve",
    "linalg_spectral",
    "products",
    "reductions",
    "roots",
    "selection",
    "shape",
    "sorting",
    "trigonometric",
]
