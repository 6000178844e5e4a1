"""Faces of `numpy.fft`: lengths, axes and norms. Each transform is made of three: `fft`, `rfft` and `irfft`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements, normalized_axis, refuse_out
from xformad.operations import fourier, shape

Transform = Callable[..., Any]


def on_zeros(function: Transform, a: Value, **options: Any) -> Any:
    """A transform of zeros in the shape of an array: for NumPy's own errors."""
    return function(np.zeros(shape_of(a)), **options)


def along(function: Transform, a: Value, n: Any, axis: Any, norm: Any, real_inverse: bool = False) -> tuple[Any, ...]:
    """The arguments of a transform along one axis, checked: the length, the axis and the norm."""
    given = shape_of(a)
    if not (isinstance(axis, int | np.integer) and -len(given) <= axis < len(given)):
        on_zeros(function, a, n=n, axis=axis, norm=norm)
    axis = normalize_axis_index(int(axis), len(given))
    if n is None:
        n = (given[axis] - 1) * 2 if real_inverse else given[axis]
    if not isinstance(n, int | np.integer) or n < 1 or norm not in (None, *fourier.OPPOSITE):
        on_zeros(function, a, n=n, axis=axis, norm=norm)
    return int(n), axis, norm or "backward"


def resized(a: Value, n: int, axis: int) -> Value:
    """An array cut or padded with zeros to length n along an axis."""
    length = shape_of(a)[axis]
    if n < length:
        return a[(slice(None),) * axis + (slice(n),)]
    if n == length:
        return a
    return shape.pad(a, widths=tuple([(0, n - length if i == axis else 0) for i in range(a.ndim)]))


def complex_transform(function: Transform, inverse: bool) -> Transform:
    def face(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
        refuse_out(out, f"fft.{function.__name__}")
        a = as_array(a)
        n, axis, norm = along(function, a, n, axis, norm)
        return fourier.fft(resized(a, n, axis), axis=(axis,), inverse=inverse, norm=norm)

    return implements(function)(face)


fft = complex_transform(np.fft.fft, inverse=False)
ifft = complex_transform(np.fft.ifft, inverse=True)


def conjugated(x: Value) -> Value:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


@implements(np.fft.rfft)
def rfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    refuse_out(out, "fft.rfft")
    a = as_array(a)
    n, axis, norm = along(np.fft.rfft, a, n, axis, norm)
    return fourier.rfft(resized(a, n, axis), axis=axis, norm=norm)


@implements(np.fft.irfft)
def irfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    refuse_out(out, "fft.irfft")
    a = as_array(a)
    n, axis, norm = along(np.fft.irfft, a, n, axis, norm, real_inverse=True)
    return fourier.irfft(resized(a, n // 2 + 1, axis), axis=axis, n=n, norm=norm)


@implements(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    refuse_out(out, "fft.hfft")
    a = as_array(a)
    n, axis, norm = along(np.fft.hfft, a, n, axis, norm, real_inverse=True)
    return irfft(conjugated(a), n, axis, fourier.OPPOSITE[norm])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Value:
    refuse_out(out, "fft.ihfft")
    a = as_array(a)
    n, axis, norm = along(np.fft.ihfft, a, n, axis, norm)
    return np.conjugate(rfft(a, n, axis, fourier.OPPOSITE[norm]))


def along_all(
    function: Transform, a: Value, s: Any, axes: Any, real_inverse: bool = False
) -> tuple[list[int], tuple[int, ...]]:
    """The lengths and the axes of a transform along several axes."""
    given = shape_of(a)
    if s is not None and (axes is None or len(s) != len(axes) or None in s):  # NumPy's warning, or its error
        on_zeros(function, a, s=s, axes=axes)
    if axes is None:
        axes = range(len(given)) if s is None else range(-len(s), 0)
    if any(not isinstance(axis, int | np.integer) or not -len(given) <= axis < len(given) for axis in axes):
        on_zeros(function, a, s=s, axes=axes)
    axes = [normalize_axis_index(int(axis), len(given)) for axis in axes]
    lengths = [-1] * len(axes) if s is None else list(s)
    if real_inverse and axes:
        last = given[axes[-1]]
        if s is None or lengths[-1] is None:
            lengths[-1] = (last - 1) * 2
    lengths = [given[axis] if n is None or n == -1 else n.__index__() for n, axis in zip(lengths, axes, strict=True)]
    return lengths, tuple(axes)


LAST_AXIS_FIRST = np.fft.rfftn(np.ones(1), (3, 2, 4), (0, 0, 0)).shape == (3,)
"""Whether `rfftn` takes the axes before the last one in reverse order, as NumPy does since 2.1; of equal axes it matters."""


def transformed(a: Value, lengths: list[int], axes: tuple[int, ...], norm: Any, inverse: bool) -> Value:
    """Complex transforms along axes, the last one first."""
    one = ifft if inverse else fft
    if len(set(axes)) < len(axes) or norm not in (None, *fourier.OPPOSITE) or min(lengths, default=1) < 1:
        for n, axis in zip(reversed(lengths), reversed(axes), strict=True):
            a = one(a, n, axis, norm)
        return a
    for n, axis in zip(lengths, axes, strict=True):
        a = resized(a, n, axis)
    return fourier.fft(a, axis=axes, inverse=inverse, norm=norm or "backward") if axes else a


def complex_transforms(function: Transform, inverse: bool, default: Any) -> Transform:
    def face(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Value:
        refuse_out(out, f"fft.{function.__name__}")
        a = as_array(a)
        lengths, axes = along_all(function, a, s, axes)
        return transformed(a, lengths, axes, norm, inverse)

    return implements(function)(face)


fftn = complex_transforms(np.fft.fftn, inverse=False, default=None)
ifftn = complex_transforms(np.fft.ifftn, inverse=True, default=None)
fft2 = complex_transforms(np.fft.fft2, inverse=False, default=(-2, -1))
ifft2 = complex_transforms(np.fft.ifft2, inverse=True, default=(-2, -1))


def real_transforms(function: Transform, default: Any) -> Transform:
    def face(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Value:
        refuse_out(out, f"fft.{function.__name__}")
        a = as_array(a)
        lengths, axes = along_all(function, a, s, axes)
        if not axes:
            return on_zeros(function, a, s=s, axes=axes, norm=norm)
        half = rfft(a, lengths[-1], axes[-1], norm)
        order = slice(None, -1) if LAST_AXIS_FIRST else slice(-2, None, -1)
        return transformed(half, lengths[order], axes[order], norm, inverse=False)

    return implements(function)(face)


rfftn = real_transforms(np.fft.rfftn, default=None)
rfft2 = real_transforms(np.fft.rfft2, default=(-2, -1))


def real_inverses(function: Transform, default: Any) -> Transform:
    def face(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Value:
        refuse_out(out, f"fft.{function.__name__}")
        a = as_array(a)
        lengths, axes = along_all(function, a, s, axes, real_inverse=True)
        if not axes:
            return on_zeros(function, a, s=s, axes=axes, norm=norm)
        for n, axis in zip(lengths[:-1], axes[:-1], strict=True):
            a = ifft(a, n, axis, norm)
        return irfft(a, lengths[-1], axes[-1], norm)

    return implements(function)(face)


irfftn = real_inverses(np.fft.irfftn, default=None)
irfft2 = real_inverses(np.fft.irfft2, default=(-2, -1))


def shifting(function: Transform, by: Callable[[int], int]) -> Transform:
    def face(x: Any, axes: Any = None) -> Value:
        x = as_array(x)
        axes = normalized_axis(axes, len(shape_of(x)))
        return np.roll(x, [by(shape_of(x)[i]) for i in axes], axes)

    return implements(function)(face)


fftshift = shifting(np.fft.fftshift, lambda n: n // 2)
ifftshift = shifting(np.fft.ifftshift, lambda n: -(n // 2))
