"""`scipy.optimize` with exact derivatives: `minimize`, `least_squares` and `curve_fit` give SciPy those that it asks for.

What stands here takes its unknowns as pytrees. All else in `scipy.optimize` is SciPy's own, and works on plain arrays. A
solution that is to be differentiated itself is that of an equation: see `xformad.root` and `xformad.fixed_point`.

>>> from xformad.scipy.optimize import minimize
>>> minimize(lambda p: (p["x"] - 3) ** 2 + (p["y"] - 2) ** 2, {"x": 0.0, "y": 0.0}).x
{'x': np.float64(3.0), 'y': np.float64(2.0)}
"""

from __future__ import annotations

from typing import Any

import scipy.optimize

from xformad.scipy.optimize.fitting import curve_fit, least_squares
from xformad.scipy.optimize.minimization import Progress, minimize
from xformad.scipy.optimize.unknowns import Bounds

__all__ = ["Bounds", "Progress", "curve_fit", "least_squares", "minimize"]


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own."""
    return getattr(scipy.optimize, name)
