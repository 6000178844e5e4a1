"""`scipy.integrate` for programs under transformation: differential equations, and integrals of functions and of samples.

They are differentiated with respect to initial values, times and limits, arguments, and what the functions close over, in
every mode. What is not here is SciPy's own, and works on plain values.

>>> import numpy as np
>>> from xformad import grad
>>> from xformad.scipy.integrate import quad
>>> grad(lambda a: quad(lambda x: np.exp(-a * x), 0, np.inf)[0])(2.0)  # of 1/a
np.float64(-0.24999...)
"""

from __future__ import annotations

from typing import Any

import scipy.integrate

from xformad.scipy.integrate.equations import odeint, solve_ivp
from xformad.scipy.integrate.quadrature import fixed_quad, quad
from xformad.scipy.integrate.samples import cumulative_trapezoid, simpson, trapezoid

__all__ = ["cumulative_trapezoid", "fixed_quad", "odeint", "quad", "simpson", "solve_ivp", "trapezoid"]


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own."""
    return getattr(scipy.integrate, name)
