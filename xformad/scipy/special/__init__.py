"""`scipy.special` for programs under transformation: the same names, and derivatives.

    >>> import numpy as np
    >>> import scipy.special
    >>> from xformad import grad
    >>> grad(lambda x: np.sum(scipy.special.erf(x)))(np.array([0.0, 1.0]))
    array([1.12837917, 0.41510750])

Ufuncs are SciPy's own objects, which take traced arrays as they are. What else SciPy has, `logsumexp` for one, does not
hand traced arrays over, so it has to be taken from here:

    >>> from xformad.scipy.special import logsumexp
    >>> grad(logsumexp)(np.array([0.0, 0.0]))
    array([0.5, 0.5])

Derivatives with respect to orders and parameters that are not known are refused by name, where these are traced.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from xformad.scipy.faces import refused
from xformad.scipy.special import (
    bessel,
    combinatorics,
    elliptic,
    entropy,
    error_functions,
    exponential_integrals,
    gamma_functions,
    hypergeometric,
    logistic,
    polygamma_functions,
    sums,
    zeta_functions,
)
from xformad.scipy.special.combinatorics import comb, factorial, perm
from xformad.scipy.special.gamma_functions import multigammaln
from xformad.scipy.special.polygamma_functions import polygamma
from xformad.scipy.special.sums import log_softmax, logsumexp, softmax
from xformad.scipy.special.zeta_functions import lambertw, zeta

__all__ = sorted(scipy.special.__all__)

INSTEAD = (
    "it is made for whole numbers, or computes tables and roots; take it of plain values, or of functions that have a "
    "derivative (docs/coverage.md lists them)"
)


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own: a ufunc, which dispatches; or a function of plain arrays."""
    found = getattr(scipy.special, name)
    if isinstance(found, np.ufunc | type) or not callable(found):
        return found
    found = globals()[name] = refused(found, INSTEAD)
    return found
