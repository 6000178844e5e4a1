"""How operations become steps of a kernel, by family. Importing this fills `planner.PLANS`."""

from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.plans import (
    complex_numbers,
    compositions,
    elementwise,
    indexing,
    joining,
    loops,
    moves,
    products,
    special,
    sums,
)

__all__ = [
    "PLANS",
    "Planner",
    "complex_numbers",
    "compositions",
    "elementwise",
    "indexing",
    "joining",
    "loops",
    "moves",
    "products",
    "special",
    "sums",
]
