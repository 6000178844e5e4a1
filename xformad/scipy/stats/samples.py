"""Statistics of samples, with SciPy's names. Plain arguments, and options that are not here, go to SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats

from xformad.core.interpreter import shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array
from xformad.scipy.stats.families import missing, traced


def refuse_options(name: str, options: dict[str, Any]) -> None:
    if options:
        raise missing(
            name, f"does not take {', '.join(options)}=", "write it with numpy.mean, numpy.std and numpy.where"
        )


def sample(a: Any, axis: int | None) -> tuple[Value, int, int]:
    """The sample, its axis, and how many it is of along that."""
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    return a, axis, shape_of(a)[axis]


def central(a: Value, axis: int, order: int) -> Value:
    """A central moment."""
    return np.mean((a - np.mean(a, axis=axis, keepdims=True)) ** order, axis=axis)


def sem(a: Any, axis: int | None = 0, ddof: int = 1, **options: Any) -> Value:
    """The standard error of the mean.

    Args:
        a: the sample.
        axis: along which axis; None for all entries.
        ddof: what is taken from the number of entries.
        options: as SciPy takes them, for plain samples.

    >>> from xformad import grad
    >>> grad(sem)(np.array([1.0, 2.0, 4.0]))
    array([-0.25197632, -0.06299408,  0.31497039])
    """
    if not traced(a):
        return scipy.stats.sem(a, axis, ddof, **options)
    refuse_options("sem", options)
    a, axis, n = sample(a, axis)
    return np.std(a, axis=axis, ddof=ddof) / np.sqrt(n)


def zscore(a: Any, axis: int | None = 0, ddof: int = 0, **options: Any) -> Value:
    """The entries, less the mean, over the standard deviation.

    Args:
        a, axis, ddof, options: as for `sem`.

    >>> zscore(np.array([1.0, 2.0, 3.0]))
    array([-1.22474487,  0.        ,  1.22474487])
    """
    if not traced(a):
        return scipy.stats.zscore(a, axis, ddof, **options)
    refuse_options("zscore", options)
    a = as_array(a)
    return (a - np.mean(a, axis=axis, keepdims=True)) / np.std(a, axis=axis, ddof=ddof, keepdims=True)


def gmean(a: Any, axis: int | None = 0, **options: Any) -> Value:
    """The geometric mean.

    Args:
        a, axis, options: as for `sem`.

    >>> gmean(np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    if not traced(a):
        return scipy.stats.gmean(a, axis, **options)
    refuse_options("gmean", options)
    a, axis, _ = sample(a, axis)
    return np.exp(np.mean(np.log(a), axis=axis))


def hmean(a: Any, axis: int | None = 0, **options: Any) -> Value:
    """The harmonic mean of positive numbers.

    Args:
        a, axis, options: as for `sem`.

    >>> hmean(np.array([1.0, 3.0]))
    np.float64(1.5)
    """
    if not traced(a):
        return scipy.stats.hmean(a, axis=axis, **options)
    refuse_options("hmean", options)
    a, axis, _ = sample(a, axis)
    return 1 / np.mean(1 / a, axis=axis)


def skew(a: Any, axis: int | None = 0, bias: bool = True, **options: Any) -> Value:
    """The skewness.

    Args:
        a, axis, options: as for `sem`.
        bias: whether not to correct for the size of the sample.

    >>> round(float(skew(np.array([1.0, 2.0, 6.0]))), 6)
    0.59517
    """
    if not traced(a):
        return scipy.stats.skew(a, axis, bias, **options)
    refuse_options("skew", options)
    a, axis, n = sample(a, axis)
    found = central(a, axis, 3) / central(a, axis, 2) ** 1.5
    return found if bias or n < 3 else found * np.sqrt(n * (n - 1)) / (n - 2)


def kurtosis(a: Any, axis: int | None = 0, fisher: bool = True, bias: bool = True, **options: Any) -> Value:
    """The kurtosis.

    Args:
        a, axis, options: as for `sem`.
        fisher: whether to take 3 from it, so that it is 0 for the normal distribution.
        bias: whether not to correct for the size of the sample.

    >>> round(float(kurtosis(np.array([1.0, 2.0, 6.0, 7.0]))), 6)
    -1.852071
    """
    if not traced(a):
        return scipy.stats.kurtosis(a, axis, fisher, bias, **options)
    refuse_options("kurtosis", options)
    a, axis, n = sample(a, axis)
    found = central(a, axis, 4) / central(a, axis, 2) ** 2
    if not bias and n > 3:
        found = ((n**2 - 1) * found - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3)) + 3
    return found - 3 if fisher else found
