"""Autograd's `autograd.numpy.numpy_vspaces`: the vector spaces of arrays."""

from __future__ import annotations

from xformad.compat.autograd.vspaces import ArrayVSpace, ComplexArrayVSpace, NamedTupleVSpace, VSpace

__all__ = ["ArrayVSpace", "ComplexArrayVSpace", "NamedTupleVSpace", "VSpace"]
