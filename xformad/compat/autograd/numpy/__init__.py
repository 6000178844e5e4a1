"""Autograd's `autograd.numpy`: NumPy's namespace for differentiable programs.

>>> import xformad.compat.autograd.numpy as np
>>> from xformad.compat.autograd import grad
>>> grad(lambda x: np.sum([x, x**2]))(3.0)
np.float64(7.0)
"""

from __future__ import annotations

from typing import Any

from xformad.compat.autograd.numpy import (
    fft,
    linalg,
    numpy_boxes,
    numpy_jvps,
    numpy_vjps,
    numpy_vspaces,
    numpy_wrapper,
    random,
)

globals().update(
    numpy_wrapper.NAMES,
    fft=fft,
    linalg=linalg,
    random=random,
    numpy_boxes=numpy_boxes,
    numpy_jvps=numpy_jvps,
    numpy_vjps=numpy_vjps,
    numpy_vspaces=numpy_vspaces,
    __version__=numpy_wrapper.numpy_version,
)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.numpy' has no attribute '{name}'")
