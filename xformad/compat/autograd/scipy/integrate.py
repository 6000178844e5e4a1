"""Autograd's `autograd.scipy.integrate`: that of `xformad.scipy.integrate`."""

from __future__ import annotations

from typing import Any

from xformad.compat.autograd.scipy.faces import names_of

globals().update(names_of("integrate"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.scipy.integrate' has no attribute '{name}'")
