"""Autograd's `autograd.numpy.numpy_boxes`: traced arrays, for `isinstance`."""

from __future__ import annotations

from xformad.compat.autograd.builtins import SequenceBox as SequenceBox
from xformad.compat.autograd.tracer import Box


class ArrayBox(Box):
    """`isinstance(x, ArrayBox)` asks whether x is traced."""
