"""Autograd's `autograd.scipy.stats.t`: the functions of that distribution."""

from __future__ import annotations

from typing import Any

from xformad.compat.autograd.scipy.faces import names_of, public

globals().update(public(names_of("stats")["t"]))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.scipy.stats.t' has no attribute '{name}'")
