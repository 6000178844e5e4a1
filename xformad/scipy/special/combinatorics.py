"""Numbers of combinations and permutations, and factorials, as functions of real numbers."""

from __future__ import annotations

import numpy as np
import scipy.special

from xformad.core.interpreter import ndim_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.scipy.faces import face
from xformad.scipy.special.gamma_functions import binom, gamma, poch

WHOLE = "exact=True is for whole numbers, which have no derivative; use exact=False"


def refuse_exact(exact: bool, name: str) -> None:
    if exact:
        raise UnsupportedError(f"scipy.special.{name} is not supported on traced arrays with {WHOLE}")


@face(scipy.special.comb)
def comb(N: Value, k: Value, *, exact: bool = False, repetition: bool = False) -> Value:
    """The number of combinations of N things taken k at a time, `binom` with zeros outside of 0 <= k <= N.

    Args:
        N: numbers.
        k: numbers, of a shape that broadcasts with that of N.
        exact: must be False for traced arrays.
        repetition: whether things may be taken several times.

    >>> from xformad import grad
    >>> grad(lambda n: comb(n, 2))(5.0).round(12)  # of n (n - 1) / 2
    np.float64(4.5)
    """
    refuse_exact(exact, "comb")
    N, k = as_array(N), as_array(k)
    if repetition:
        values = binom.bind(N + k - 1, k)
        return np.where(np.logical_and(k == 0, N >= 0), 1.0, values)
    taken = np.logical_and(np.logical_and(k <= N, N >= 0), k >= 0)
    return np.where(taken, binom.bind(N, k), 0.0)


@face(scipy.special.perm)
def perm(N: Value, k: Value, exact: bool = False) -> Value:
    """The number of permutations of N things taken k at a time; zero outside of 0 <= k <= N.

    Args:
        N: numbers.
        k: numbers, of a shape that broadcasts with that of N.
        exact: must be False for traced arrays.

    >>> from xformad import grad
    >>> grad(lambda n: perm(n, 2))(5.0).round(12)  # of n (n - 1)
    np.float64(9.0)
    """
    refuse_exact(exact, "perm")
    N, k = as_array(N), as_array(k)
    taken = np.logical_and(np.logical_and(k <= N, N >= 0), k >= 0)
    return np.where(taken, poch.bind(N - k + 1, k), 0.0)


@face(scipy.special.factorial)
def factorial(n: Value, exact: bool = False, extend: str = "zero") -> Value:
    """gamma(n + 1), which is n! for whole numbers n; zero for negative ones unless `extend` is "complex".

    Args:
        n: numbers.
        exact: must be False for traced arrays.
        extend: "zero" or "complex".

    >>> from xformad import grad
    >>> grad(factorial)(3.0).round(12)
    np.float64(7.536706010591)
    """
    refuse_exact(exact, "factorial")
    n = as_array(n)
    values = gamma(n + 1)
    if extend == "complex":
        return values
    values = np.where(n < 0, 0.0, values)
    return values.astype(float) if ndim_of(n) > 0 else values  # as in SciPy
