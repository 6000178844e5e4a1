"""Autograd's `autograd.numpy.fft`: NumPy's, which dispatches."""

from __future__ import annotations

from typing import Any

import numpy.fft

globals().update({name: value for name, value in vars(numpy.fft).items() if not name.startswith("_")})


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.numpy.fft' has no attribute '{name}'")
