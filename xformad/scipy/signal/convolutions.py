"""Convolutions in one dimension and more: directly, by Fourier transforms, by overlap-add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.signal

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.operations.convolutions import by_windows, convolution, convolve_value
from xformad.scipy.faces import face
from xformad.scipy.signal.arguments import zeros


def convolve_by_value(x: Value, y: Value, dims: int, mode: str, method: str) -> Value:
    if method == "direct":  # several times as fast as SciPy's
        return convolve_value(x, y, dims, mode)
    ndim = max(x.ndim, y.ndim)
    x, y = (z.reshape((1,) * (ndim - z.ndim) + z.shape) for z in (x, y))
    if x.size == 0 or y.size == 0:
        return by_windows(x, y, dims, mode)
    function = scipy.signal.oaconvolve if method == "oa" else scipy.signal.fftconvolve
    return function(x, y, mode, axes=tuple(range(ndim - dims, ndim)))


# `method`: "direct", "fft" or "oa".
convolve_by: Primitive = convolution("convolve_by", convolve_by_value)

MODES = ("full", "same", "valid")


def centered(x: Value, shape: Shape) -> Value:
    """The entries in the middle, as many as another array has."""
    starts = [(n - m) // 2 for n, m in zip(shape_of(x), shape, strict=True)]
    return x[tuple([slice(start, start + m) for start, m in zip(starts, shape, strict=True)])]


def fits_into(small: Shape, large: Shape, axes: list[int]) -> bool:
    return all(small[i] <= large[i] for i in axes)


def convolved(x: Value, y: Value, mode: str, method: str, axes: list[int]) -> Value:
    """A convolution along some axes; the others broadcast. In `valid`, one array fits into the other."""
    axes = [i for i in axes if shape_of(x)[i] != 1 and shape_of(y)[i] != 1]
    if mode == "valid" and not fits_into(shape_of(y), shape_of(x), axes):
        x, y = y, x
    like = shape_of(x)
    if not axes:
        full = x * y
    else:
        last = list(range(-len(axes), 0))
        full = convolve_by(
            np.moveaxis(x, axes, last),
            np.moveaxis(y, axes, last),
            dims=len(axes),
            mode="valid" if mode == "valid" else "full",
            method=method,
        )
        full = np.moveaxis(full, last, axes)
    return centered(full, like) if mode == "same" else full


def checked(function: Callable[..., Any], x: Value, y: Value, mode: Any, over: list[int], **options: Any) -> None:
    """SciPy's own errors for modes and shapes that are wrong."""
    left, right = shape_of(x), shape_of(y)
    fits = mode != "valid" or fits_into(left, right, over) or fits_into(right, left, over)
    others = [i for i in range(min(len(left), len(right))) if i not in over]
    broadcast = all(left[i] == right[i] or 1 in (left[i], right[i]) for i in others)
    if mode not in MODES or len(left) != len(right) or not fits or not broadcast or 0 in left + right:
        function(np.zeros(left), np.zeros(right), mode, **options)
        raise UnsupportedError(
            f"scipy.signal.{function.__name__} of shapes {left} and {right} in mode {mode!r} has no rules for traced arrays"
        )


@face(scipy.signal.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Value:
    """The convolution of two arrays of equally many axes.

    Args:
        in1, in2: the arrays.
        mode: "full"; "same", the middle part, in the shape of `in1`; or "valid", where no term is missing.
        method: "direct", "fft", or "auto", which takes what is likely faster.

    >>> convolve(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    array([1., 5., 6.])
    """
    x, y = as_array(in1), as_array(in2)
    if ndim_of(x) == ndim_of(y) == 0:
        return x * y
    axes = list(range(ndim_of(x)))
    checked(scipy.signal.convolve, x, y, mode, axes, method=method)
    if method == "auto":
        method = scipy.signal.choose_conv_method(zeros(x), zeros(y), mode)
    if method not in ("direct", "fft"):
        scipy.signal.convolve([1.0], [1.0], mode, method)  # SciPy's error
    return convolved(x, y, mode, method, axes)


@face(scipy.signal.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Value:
    """The cross-correlation of two arrays of equally many axes: the convolution with the second one reversed, conjugated.

    Args:
        in1, in2, mode, method: as for `convolve`.

    >>> correlate(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    array([3., 7., 2.])
    """
    x, y = as_array(in1), as_array(in2)
    checked(scipy.signal.correlate, x, y, mode, list(range(ndim_of(x))), method=method)
    return convolve(x, reversed_conjugate(y), mode, method)


def reversed_conjugate(x: Value) -> Value:
    x = np.conjugate(x) if dtype_of(x).kind == "c" else x
    return np.flip(x) if ndim_of(x) else x


def by_transforms(function: Callable[..., Any], method: str, in1: Any, in2: Any, mode: str, axes: Any) -> Value:
    x, y = as_array(in1), as_array(in2)
    if ndim_of(x) == ndim_of(y) == 0:
        return x * y
    ndim = ndim_of(x)
    given = list(range(ndim)) if axes is None else [int(i) for i in np.atleast_1d(axes)]
    if not given or not all(-ndim <= i < ndim for i in given) or len({i % ndim for i in given}) < len(given):
        function(zeros(x), zeros(y), mode, axes)
    over = [i % ndim for i in given]
    longer = [i for i in over if i < ndim_of(y) and shape_of(x)[i] != 1 and shape_of(y)[i] != 1]
    checked(function, x, y, mode, longer, axes=axes)
    return convolved(x, y, mode, method, over)


@face(scipy.signal.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Value:
    """The convolution by Fourier transforms.

    Args:
        in1, in2, mode: as for `convolve`.
        axes: along which axes; the others broadcast.

    >>> fftconvolve(np.array([1.0, 2.0]), np.array([1.0, 3.0])).round(12)
    array([1., 5., 6.])
    """
    return by_transforms(scipy.signal.fftconvolve, "fft", in1, in2, mode, axes)


@face(scipy.signal.oaconvolve)
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Value:
    """The convolution by Fourier transforms of blocks, for arrays of very different lengths.

    Args:
        in1, in2, mode, axes: as for `fftconvolve`.

    >>> oaconvolve(np.array([1.0, 2.0]), np.array([1.0, 3.0])).round(12)
    array([1., 5., 6.])
    """
    return by_transforms(scipy.signal.oaconvolve, "oa", in1, in2, mode, axes)


PADDING = {"wrap": "wrap", "circular": "wrap", "symm": "symmetric", "symmetric": "symmetric"}


def extended(x: Value, margins: Shape, boundary: str, fillvalue: Any) -> Value:
    """A matrix continued beyond its edges."""
    rows, columns = (
        np.pad(np.arange(n), m, mode=PADDING.get(boundary, "edge"))  # type: ignore[call-overload]
        for n, m in zip(shape_of(x), margins, strict=True)
    )
    wide = x[np.ix_(rows, columns)]
    if boundary in PADDING:
        return wide
    inside = np.ones(shape_of(x), bool)
    return np.where(np.pad(inside, [(m, m) for m in margins]), wide, np.asarray(fillvalue, dtype_of(x)))


def in_plane(function: Callable[..., Any], x: Value, y: Value, mode: str, boundary: str, fillvalue: Any) -> Value:
    """`y` has been turned already where it is a correlation."""
    checked(function, x, y, mode, [0, 1])
    function(np.ones((1, 1)), np.ones((1, 1)), mode, boundary, fillvalue)  # SciPy's errors
    if mode == "valid" or (boundary not in PADDING and np.all(np.equal(fillvalue, 0))):
        return convolved(x, y, mode, "direct", [0, 1])
    margins = tuple([n - 1 for n in shape_of(y)])
    full = convolve_by(extended(x, margins, boundary, fillvalue), y, dims=2, mode="valid", method="direct")
    return centered(full, shape_of(x)) if mode == "same" else full


@face(scipy.signal.convolve2d)
def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Value:
    """The convolution of two matrices.

    Args:
        in1, in2, mode: as for `convolve`.
        boundary: how `in1` goes on beyond its edges: "fill" with `fillvalue`, "wrap" around, or mirrored, "symm".
        fillvalue: a constant.

    >>> convolve2d(np.eye(2), np.array([[1.0, 2.0]]))
    array([[1., 2., 0.],
           [0., 1., 2.]])
    """
    return in_plane(scipy.signal.convolve2d, as_array(in1), as_array(in2), mode, boundary, fillvalue)


@face(scipy.signal.correlate2d)
def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Value:
    """The cross-correlation of two matrices.

    Args:
        in1, in2, mode, boundary, fillvalue: as for `convolve2d`.

    >>> correlate2d(np.eye(2), np.array([[1.0, 2.0]]))
    array([[2., 1., 0.],
           [0., 2., 1.]])
    """
    x, y = as_array(in1), as_array(in2)
    if mode == "same":  # of an even number, the other one of the two in the middle
        checked(scipy.signal.correlate2d, x, y, mode, [0, 1])
        full = correlate2d(x, y, "full", boundary, fillvalue)
        starts = [n // 2 for n in shape_of(y)]
        return full[tuple([slice(start, start + n) for start, n in zip(starts, shape_of(x), strict=True)])]
    found = in_plane(scipy.signal.correlate2d, x, reversed_conjugate(y), mode, boundary, fillvalue)
    if mode == "valid" and not fits_into(shape_of(y), shape_of(x), [0, 1]) and dtype_of(found).kind == "c":
        return np.conjugate(found)  # SciPy conjugates the smaller one
    return found
