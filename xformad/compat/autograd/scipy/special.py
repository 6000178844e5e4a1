"""Autograd's `autograd.scipy.special`: SciPy's, whose ufuncs dispatch, and `xformad.scipy.special`."""

from __future__ import annotations

from typing import Any

from xformad.compat.autograd.scipy.faces import names_of

globals().update(names_of("special"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.scipy.special' has no attribute '{name}'")
