"""Roots of sums of squares, whose derivative where they are zero is taken as zero: as for a norm."""

from __future__ import annotations

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.taylor_rules import deftaylor
from xformad.operations.linalg_norms import euclidean_series, over_norm, rising
from xformad.operations.makers import elementwise

hypot: Primitive = elementwise(
    "hypot",
    np.hypot,
    lambda g, ans, x, _y: x * over_norm(g, ans),
    lambda g, ans, _x, y: y * over_norm(g, ans),
)


def hypot_jvp(tangents: Tangents, ans: Value, x: Value, y: Value) -> Value:
    of_x, of_y = (0.0 if t is None else t for t in tangents)
    return rising(over_norm(x * of_x + y * of_y, ans), ans, lambda: hypot(of_x, of_y), x + y)


defjvp_joint(hypot, hypot_jvp)
deftaylor(hypot, lambda taylor, ans, x, y: euclidean_series(taylor, ans, [x, y], lambda c: c, lambda mask: mask))
