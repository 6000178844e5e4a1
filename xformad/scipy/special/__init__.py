"""`scipy.special` for programs under transformation: the same names, and derivatives.

    >>> import numpy as np
    >>> import scipy.special
    >>> from xformad import grad
    >>> grad(lambda x: np.sum(scipy.special.erf(x)))(np.array([0.0, 1.0]))
    array([1.12837917, 0.4151075 ])

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
    bessel as bessel,
)
from xformad.scipy.special import (
    bessel_relatives as bessel_relatives,
)
from xformad.scipy.special import (
    combinatorics as combinatorics,
)
from xformad.scipy.special import (
    densities as densities,
)
from xformad.scipy.special import (
    distributions as distributions,
)
from xformad.scipy.special import (
    elliptic as elliptic,
)
from xformad.scipy.special import (
    entropy as entropy,
)
from xformad.scipy.special import (
    error_functions as error_functions,
)
from xformad.scipy.special import (
    exponential_integrals as exponential_integrals,
)
from xformad.scipy.special import (
    gamma_functions as gamma_functions,
)
from xformad.scipy.special import (
    hypergeometric as hypergeometric,
)
from xformad.scipy.special import (
    incomplete as incomplete,
)
from xformad.scipy.special import (
    logistic as logistic,
)
from xformad.scipy.special import (
    orthogonal as orthogonal,
)
from xformad.scipy.special import (
    polygamma_functions as polygamma_functions,
)
from xformad.scipy.special import (
    sums as sums,
)
from xformad.scipy.special import (
    zeta_functions as zeta_functions,
)
from xformad.scipy.special.bessel_relatives import (
    h1vp as h1vp,
)
from xformad.scipy.special.bessel_relatives import (
    h2vp as h2vp,
)
from xformad.scipy.special.bessel_relatives import (
    ivp as ivp,
)
from xformad.scipy.special.bessel_relatives import (
    jvp as jvp,
)
from xformad.scipy.special.bessel_relatives import (
    kvp as kvp,
)
from xformad.scipy.special.bessel_relatives import (
    spherical_in as spherical_in,
)
from xformad.scipy.special.bessel_relatives import (
    spherical_jn as spherical_jn,
)
from xformad.scipy.special.bessel_relatives import (
    spherical_kn as spherical_kn,
)
from xformad.scipy.special.bessel_relatives import (
    spherical_yn as spherical_yn,
)
from xformad.scipy.special.bessel_relatives import (
    yvp as yvp,
)
from xformad.scipy.special.combinatorics import comb as comb
from xformad.scipy.special.combinatorics import factorial as factorial
from xformad.scipy.special.combinatorics import perm as perm
from xformad.scipy.special.gamma_functions import multigammaln as multigammaln
from xformad.scipy.special.polygamma_functions import polygamma as polygamma
from xformad.scipy.special.sums import log_softmax as log_softmax
from xformad.scipy.special.sums import logsumexp as logsumexp
from xformad.scipy.special.sums import softmax as softmax
from xformad.scipy.special.zeta_functions import lambertw as lambertw
from xformad.scipy.special.zeta_functions import zeta as zeta

__all__ = sorted(set(scipy.special.__all__))

INSTEAD = (
    "it is made for whole numbers, or computes tables and roots; take it of plain values, or of functions that have a "
    "derivative (docs/coverage.md lists them)"
)


for module, optional in ((orthogonal, "sph_harm_y"), (logistic, "softplus")):  # of newer versions of SciPy
    if hasattr(module, optional):
        globals()[optional] = getattr(module, optional)


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own: a ufunc, which dispatches; or a function of plain arrays."""
    found = getattr(scipy.special, name)
    if isinstance(found, np.ufunc | type) or not callable(found):
        return found
    found = globals()[name] = refused(found, INSTEAD)
    return found
