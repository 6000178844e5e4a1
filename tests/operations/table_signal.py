"""Rows for convolutions, interpolation and phases."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused

V = np.array([0.5, -1.0, 2.0, 0.3])
W = np.array([1.5, 0.7, -0.4])
POINTS = np.array([0.0, 1.0, 2.5, 4.0])
AT = np.array([-0.5, 0.3, 3.0, 4.5])
PHASES = np.array([0.1, 3.0, -2.5, -1.0, 2.5])
interp: Any = np.interp

CASES = [
    Case("convolve", np.convolve, (V, W), complex=True),
    Case("convolve same", lambda x, y: np.convolve(x, y, "same"), (W, V), complex=True),
    Case("convolve valid", lambda x, y: np.convolve(x, y, mode="valid"), (V, W), complex=True),
    Case("convolve constant", lambda x: np.convolve(np.array([1.0, 0.0, 2.0]), x, "valid"), (V,), complex=True),
    Case("correlate", np.correlate, (V, W), complex=True),
    Case("correlate same", lambda x, y: np.correlate(x, y, "same"), (W, V), complex=True),
    Case("correlate full", lambda x, y: np.correlate(x, y, "full"), (W, V), complex=True),
    Case("interp", interp, (AT, POINTS, V), order=2),
    Case("interp outside", lambda x, f: interp(x, POINTS, f, 2 * f[0], right=f[1] ** 2), (AT, V)),
    Case("interp period", lambda x, p, f: interp(x, p, f, period=5.0), (AT + 5.1, POINTS[::-1], V)),
    Case("interp complex values", lambda x, f: interp(x, POINTS, f * (1 + 2j)), (1.7, V)),
    Case("unwrap", np.unwrap, (PHASES,)),
    Case("unwrap period axis", lambda x: np.unwrap(x, 0.6, 0, period=1.5), (PHASES[:, None] * [1.0, 2.0],)),
]

REFUSED = [
    Refused("convolve of nothing", lambda x: np.convolve(x, x[:0]), (V,), ValueError, "v cannot be empty"),
    Refused("convolve of matrices", lambda x: np.convolve(x, x), (np.eye(2),), ValueError, "object too deep"),
    Refused("interp of lengths that differ", lambda x: interp(x, POINTS, V[1:]), (V,), ValueError, "same length"),
    Refused("interp of period 0", lambda x: interp(x, POINTS, V, period=0), (V,), ValueError, "non-zero"),
]
