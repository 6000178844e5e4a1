"""Autograd's `autograd.numpy.random`: NumPy's. What is drawn is constant, so parameters must not be traced."""

from __future__ import annotations

from typing import Any

import numpy.random

globals().update({name: value for name, value in vars(numpy.random).items() if not name.startswith("_")})


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.numpy.random' has no attribute '{name}'")
