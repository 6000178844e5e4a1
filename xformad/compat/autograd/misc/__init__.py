"""Autograd's `autograd.misc`: `flatten`, optimizers, fixed points, graphs."""

from __future__ import annotations

from xformad.compat.autograd.misc.flatten import flatten
from xformad.compat.autograd.misc.tracers import const_graph

__all__ = ["const_graph", "flatten"]
