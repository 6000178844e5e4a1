"""Sparse matrices of SciPy as factors of traced arrays: `A @ x` and `x @ A`.

SciPy asks for `numpy.asanyarray(x)`, and leaves the product to `x.__rmatmul__` where that is an object and not numbers.
What the product is, says `xformad.scipy.sparse`, which is above this layer, and imported when there is one.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from xformad.core.typing import Value

SPARSE: Final = "xformad.scipy.sparse.arrays"
PRODUCTS: Final = frozenset(("_matmul_dispatch", "_rmatmul_dispatch"))
SCIPY: Final = os.path.join("scipy", "sparse")


def as_array(x: Value, concretize: Callable[[Value, str], Value]) -> Any:
    """What `numpy.asarray(x)` is: an object without axes if the product of a sparse matrix asks, else what is allowed."""
    code = sys._getframe(2).f_code
    if code.co_name not in PRODUCTS or SCIPY not in code.co_filename:
        return concretize(x, "numpy.asarray(x)")
    found = np.empty((), object)
    found[()] = x
    return found


def sparse_product(x: Any, y: Any) -> Value:
    """x @ y, one of them a sparse matrix of SciPy's; NotImplemented if none is."""
    if not any(type(each).__module__.startswith("scipy.sparse") for each in (x, y)):
        return NotImplemented
    wrapped = importlib.import_module(SPARSE).wrapped
    return wrapped(x) @ y if type(x).__module__.startswith("scipy.sparse") else x @ wrapped(y)
