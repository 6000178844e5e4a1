"""Roots of sums of squares, whose derivative where they are zero is taken as zero: as for a norm."""

from __future__ import annotations

import numpy as np

from xformad.core.primitive import Primitive
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.linalg_norms import over_norm
from xformad.operations.makers import elementwise, smooth

# The square root of a sum of squares: a standard deviation.
root: Primitive = smooth("root", np.sqrt, lambda g, ans, _x: 0.5 * over_norm(g, ans), mask=ELEMENTWISE, specs=False)

hypot: Primitive = elementwise(
    "hypot",
    np.hypot,
    lambda g, ans, x, _y: x * over_norm(g, ans),
    lambda g, ans, _x, y: y * over_norm(g, ans),
)
