"""What NumPy makes arrays with and does not dispatch, and which changes nothing in a traced value but checks it."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.interpreter import anywhere
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.numpy.creation import asarray


def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Value:
    """`numpy.asarray_chkfinite`, for traced values and lists of them as well.

    Raises:
        ValueError: if an entry is infinite or NaN.

    >>> asarray_chkfinite([1.0, 2.0])
    array([1., 2.])
    """
    a = asarray(a, dtype=dtype, order=order)
    if a.dtype.kind in "fc" and anywhere(~np.isfinite(a)):
        raise ValueError("array must not contain infs or NaNs")
    return a


def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Value:
    """`numpy.asfortranarray`, for traced values and lists of them as well, whose order in memory is not promised.

    >>> asfortranarray([1.0, 2.0])
    array([1., 2.])
    """
    return asarray(a, dtype=dtype, order="F", **({} if like is None else {"like": like}))


def isscalar(element: Any) -> bool:
    """`numpy.isscalar`; a traced value without axes is a number.

    >>> isscalar(2.0), isscalar([2.0])
    (True, False)
    """
    return element.shape == () if type(element) is Tracer else np.isscalar(element)
