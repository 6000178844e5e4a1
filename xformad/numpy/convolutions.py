"""Faces of NumPy's convolutions of sequences: `convolve` and `correlate`."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements
from xformad.numpy.products import on_zeros
from xformad.operations import convolutions

MODES = {"full": "full", "same": "same", "valid": "valid", 0: "valid", 1: "same", 2: "full"}


def sequences(function: Any, a: Any, v: Any, mode: Any) -> tuple[Value, Value]:
    """The arguments as vectors that are not empty; NumPy's own errors and warnings otherwise."""
    a, v = as_array(a), as_array(v)
    if mode not in ("full", "same", "valid") or any(len(shape_of(x)) != 1 or shape_of(x) == (0,) for x in (a, v)):
        on_zeros(function, a, v, mode=mode)
    return np.atleast_1d(a), np.atleast_1d(v)


def part(full: Value, shorter: int, longer: int, start: int) -> Value:
    """As many entries in the middle of a full convolution as the longer sequence has."""
    return full[start : start + longer] if shorter > 1 else full


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Value:
    a, v = sequences(np.convolve, a, v, mode)
    if v.size > a.size:
        a, v = v, a
    if MODES[mode] == "same":
        full = convolutions.convolve(a, v, dims=1, mode="full")
        return part(full, v.size, a.size, (v.size - 1) // 2)
    return convolutions.convolve(a, v, dims=1, mode=MODES[mode])


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Value:
    a, v = sequences(np.correlate, a, v, mode)
    turned = np.flip(np.conjugate(v) if dtype_of(v).kind == "c" else v)
    if MODES[mode] == "valid" and v.size > a.size:
        return convolutions.convolve(turned, a, dims=1, mode="valid")
    if MODES[mode] == "same":
        full = convolutions.convolve(a, turned, dims=1, mode="full")
        shorter, longer = sorted((a.size, v.size))
        return part(full, shorter, longer, shorter // 2 if v.size > a.size else (shorter - 1) // 2)
    return convolutions.convolve(a, turned, dims=1, mode=MODES[mode])
