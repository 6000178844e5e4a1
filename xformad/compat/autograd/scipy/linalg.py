"""Autograd's `autograd.scipy.linalg`: that of `xformad.scipy.linalg`."""

from __future__ import annotations

from typing import Any

from xformad.compat.autograd.scipy.faces import names_of

globals().update(names_of("linalg"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.scipy.linalg' has no attribute '{name}'")
