"""Discrete Fourier transforms: of all kinds, along one axis or several.

The matrix of a transform is symmetric, W_jk = exp(-2 pi i jk / n), so a transform is its own transpose. Those of real
arrays keep half of the frequencies. Their transposes are each other, but for the frequencies that stand for two.

Lengths are those of the arrays here; the faces in `xformad.numpy.fft` cut and pad them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import index_sets
from xformad.interpreters.batch_rules import along_axes, defbatch
from xformad.interpreters.cotangents import cast
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import Dependences, defindexset
from xformad.operations.makers import smooth

Axes = tuple[int, ...]

OPPOSITE: Final = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The `norm` with which the inverse transform has the same factor."""


def fft_value(x: Value, axis: Axes, inverse: bool, norm: str) -> Value:
    if len(axis) == 1:
        return (np.fft.ifft if inverse else np.fft.fft)(x, axis=axis[0], norm=norm)  # type: ignore[arg-type]
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=axis, norm=norm)  # type: ignore[arg-type]


def fft_vjp(g: Value, _ans: Value, _x: Value, axis: Axes, inverse: bool, norm: str) -> Value:
    return cast(fft(g, axis=axis, inverse=inverse, norm=norm), dtype_of(_x))


def fft_index_set(dependences: Dependences, ans: Value, x: Value, axis: int | Axes, **_params: object) -> Dependence:
    """Every frequency depends on all entries along the axes."""
    axes = (axis,) if isinstance(axis, int) else axis
    found: Dependence = index_sets.along_axes(*[i - ans.ndim for i in axes])(dependences, ans, x)
    return found


fft: Primitive = smooth("fft", fft_value, fft_vjp, linear=True)
defindexset(fft, fft_index_set)
defbatch(fft, along_axes(fft))


def counted(x: Value, axis: int, n: int, single: float, double: float) -> Value:
    """Half of the frequencies of n, weighted by whether they stand for one or, with their conjugates, for two."""
    weights = np.full(n // 2 + 1, double, dtype_of(x).type(0).real.dtype)
    weights[0] = single
    if n % 2 == 0:
        weights[-1] = single
    return x * weights.reshape((-1,) + (1,) * (x.ndim - axis - 1))


def rfft_vjp(g: Value, _ans: Value, _x: Value, axis: int, norm: str) -> Value:
    n = _x.shape[axis]
    return irfft(counted(np.conjugate(g), axis, n, 1.0, 0.5), n=n, axis=axis, norm=OPPOSITE[norm])


# Of a real array, half of the frequencies along an axis.
rfft: Primitive = smooth(
    "rfft",
    lambda x, axis, norm: np.fft.rfft(x, axis=axis, norm=norm),
    rfft_vjp,
    linear=True,
)
defindexset(rfft, fft_index_set)
defbatch(rfft, along_axes(rfft))


def irfft_vjp(g: Value, _ans: Value, _x: Value, axis: int, n: int, norm: str) -> Value:
    moved = counted(rfft(g, axis=axis, norm=OPPOSITE[norm]), axis, n, 1.0, 2.0)
    return cast(np.conjugate(moved), dtype_of(_x))


# Of half of n frequencies, a real array. The imaginary parts of those that stand for one are of no account.
irfft: Primitive = smooth(
    "irfft",
    lambda x, axis, n, norm: np.fft.irfft(x, n, axis, norm),
    irfft_vjp,
    linear=True,
)
defindexset(irfft, fft_index_set)
defbatch(irfft, along_axes(irfft))
