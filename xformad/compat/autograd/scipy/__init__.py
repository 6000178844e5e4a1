"""Autograd's `autograd.scipy`: the parts of SciPy that differentiate. They need SciPy."""

from __future__ import annotations

from xformad.compat.autograd.scipy import integrate, linalg, signal, special, stats

__all__ = ["integrate", "linalg", "signal", "special", "stats"]
