"""Spectra of signals: of short pieces of them, and averages of these.

SciPy is asked for the frequencies and times, with zeros in the place of the signal: so the errors and warnings are its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal

from xformad.core.index import ARRAY
from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.interpreters.cotangents import scatter_add
from xformad.numpy.implements import as_array
from xformad.scipy.faces import face, traced
from xformad.scipy.signal import smoothing
from xformad.scipy.signal.arguments import along
from xformad.scipy.signal.filters import mirrored


def refuse(name: str, window: Any, detrend: Any) -> None:
    if traced([window]):
        raise UnsupportedError(f"scipy.signal.{name} of a traced window has no rules; multiply pieces of x by it")
    if callable(detrend):
        raise UnsupportedError(f"scipy.signal.{name} with a function detrend= has no rules; use 'constant' or 'linear'")


def line(x: Value, axis: int) -> Any:
    """Zeros along an axis in the place of a signal."""
    shape = [n if i == axis % ndim_of(x) or n == 0 else 1 for i, n in enumerate(shape_of(x))]
    return np.zeros(shape, dtype_of(x))


def window_for(window: Any, nperseg: int | None, length: int, default: int = 256) -> Any:
    """The window as an array."""
    if isinstance(window, str | tuple):
        return scipy.signal.get_window(window, min(int(nperseg or default), length))
    return np.asarray(window)


def pieces(x: Value, window: Any, step: int, detrend: Any) -> Value:
    """Pieces of a signal along a new axis before the last one, without trend, times the window."""
    size = len(window)
    starts = np.arange(0, shape_of(x)[-1] - size + 1, step)
    cut = x[..., starts[:, None] + np.arange(size)]
    if detrend:
        cut = smoothing.detrend(cut, type=detrend)
    return cut * window


def transformed(x: Value, nfft: int, onesided: bool) -> Value:
    return np.fft.rfft(np.real(x), nfft) if onesided else np.fft.fft(x, nfft)


def continued(x: Value, length: int) -> Value:
    missing = length - shape_of(x)[-1]
    zeros = np.zeros((*shape_of(x)[:-1], max(missing, 0)), dtype_of(x))
    return np.concatenate([x, zeros], axis=-1) if missing > 0 else x


@face(scipy.signal.csd)
def csd(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Value]:
    """The cross power spectral density of two signals, by Welch's method.

    Args:
        x, y: the signals.
        fs: how many entries a unit of time has.
        window: its name, or an array, a constant.
        nperseg: the length of a piece.
        noverlap: by how much pieces overlap, half of that by default.
        nfft: to which length they are continued by zeros.
        detrend: "constant", "linear" or False.
        return_onesided: whether the negative frequencies of real signals are left out.
        scaling: "density" or "spectrum".
        axis: along which axis.
        average: of the pieces: "mean" or "median".

    Returns:
        The frequencies, and the density.

    >>> frequencies, density = csd(np.arange(4.0), np.ones(4), nperseg=4, detrend=False)
    >>> density.round(3)
    array([5.333+0.j   , 2.667+1.333j, 0.   +0.j   ])
    """
    refuse("csd", window, detrend)
    same = y is x
    x = as_array(x)
    y = x if same else as_array(y)
    options: Any = {
        "fs": fs,
        "window": window,
        "nperseg": nperseg,
        "noverlap": noverlap,
        "nfft": nfft,
        "detrend": detrend,
    }
    options |= {"return_onesided": return_onesided, "scaling": scaling, "axis": axis, "average": average}
    example = line(x, axis)
    frequencies, plain = scipy.signal.csd(example, example if same else line(y, axis), **options)
    if 0 in shape_of(x) + shape_of(y):
        return frequencies, plain
    x, y = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    length = max(shape_of(x)[-1], shape_of(y)[-1])
    kind = np.result_type(dtype_of(x), dtype_of(y), np.complex64)
    taps = window_for(window, nperseg, length)
    size = len(taps)
    step = size - (size // 2 if noverlap is None else int(noverlap))
    nfft = size if nfft is None else int(nfft)
    onesided = return_onesided and dtype_of(x).kind != "c"
    of_x = transformed(pieces(continued(x, length), taps, step, detrend), nfft, onesided)
    of_y = of_x if same else transformed(pieces(continued(y, length), taps, step, detrend), nfft, onesided)
    scale = 1 / (fs * np.sum(taps**2)) if scaling == "density" else 1 / np.sum(taps) ** 2
    weights = np.full(shape_of(of_x)[-1], scale)
    if onesided:
        weights[1 : -1 if nfft % 2 == 0 else None] *= 2
    power = np.conjugate(of_x) * of_y * weights
    power = (averaged(np.real(power), average) if same else averaged(power, average)).astype(kind)
    return frequencies, np.moveaxis(np.real(power) if same else power, -1, axis)


def averaged(power: Value, average: str) -> Value:
    """The average of the pieces. That of medians is corrected for their bias (Allen et al., arXiv:gr-qc/0509116, app. B)."""
    count = shape_of(power)[-2]
    if count == 1:
        return power[..., 0, :]
    if average == "mean":
        return np.mean(power, axis=-2)
    even = 2 * np.arange(1.0, (count - 1) // 2 + 1)
    bias = 1 + np.sum(1 / (even + 1) - 1 / even)
    if dtype_of(power).kind == "c":
        return (np.median(np.real(power), axis=-2) + 1j * np.median(np.imag(power), axis=-2)) / bias
    return np.median(power, axis=-2) / bias


@face(scipy.signal.welch)
def welch(
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Value]:
    """The power spectral density of a signal, by Welch's method.

    Args:
        x: the signal.
        fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average: as for `csd`.

    Returns:
        The frequencies, and the density.

    >>> welch(np.arange(4.0), nperseg=4)[1].round(3)
    array([0.667, 1.667, 0.   ])
    """
    refuse("welch", window, detrend)
    return csd(x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average)


@face(scipy.signal.periodogram)
def periodogram(
    x: Any,
    fs: float = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Any, Value]:
    """The power spectral density of a signal as one piece.

    Args:
        x: the signal.
        fs, window, nfft, detrend, return_onesided, scaling, axis: as for `csd`.

    Returns:
        The frequencies, and the density.

    >>> periodogram(np.arange(4.0))[1]
    array([0., 4., 1.])
    """
    refuse("periodogram", window, detrend)
    x = as_array(x)
    length = shape_of(x)[axis]
    if 0 in shape_of(x) or (hasattr(window, "size") and window.size != min(length, nfft or length)):
        return scipy.signal.periodogram(line(x, axis), fs, window, nfft)  # type: ignore[no-any-return]
    if nfft is not None and nfft < length:
        x, length, nfft = along(x, 0, nfft, axis), nfft, None
    window = "boxcar" if window is None else window
    return welch(x, fs, window, length, 0, nfft, detrend, return_onesided, scaling, axis)


@face(scipy.signal.coherence)
def coherence(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    axis: int = -1,
) -> tuple[Any, Value]:
    """The coherence of two signals, |csd(x, y)|^2 / (welch(x) welch(y)).

    Args:
        x, y, fs, window, nperseg, noverlap, nfft, detrend, axis: as for `csd`.

    Returns:
        The frequencies, and the coherence.

    >>> coherence(np.arange(8.0) ** 2, np.sin(np.arange(8.0)), nperseg=4)[1].round(3)
    array([0.022, 0.068, 0.004])
    """
    options: Any = {
        "fs": fs,
        "window": window,
        "nperseg": nperseg,
        "noverlap": noverlap,
        "nfft": nfft,
        "detrend": detrend,
    }
    frequencies, of_x = welch(x, axis=axis, **options)
    _, of_y = welch(y, axis=axis, **options)
    _, of_both = csd(x, y, axis=axis, **options)
    return frequencies, np.abs(of_both) ** 2 / of_x / of_y


@face(scipy.signal.stft)
def stft(
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Any, Any, Value]:
    """The Fourier transforms of short pieces of a signal.

    Args:
        x: the signal.
        fs, window, nperseg, noverlap, nfft, detrend, return_onesided, axis: as for `csd`.
        boundary: how the signal goes on at its ends, by half of a piece: "zeros", "even", "odd", "constant" or None.
        padded: whether zeros are added at the end so that the last piece is whole.
        scaling: "spectrum" or "psd".

    Returns:
        The frequencies, the times, and the transforms with the times along the last axis.

    >>> np.abs(stft(np.ones(4), nperseg=4, window="boxcar")[2][0])
    array([0.5, 1. , 0.5])
    """
    refuse("stft", window, detrend)
    x = as_array(x)
    options: Any = {
        "fs": fs,
        "window": window,
        "nperseg": nperseg,
        "noverlap": noverlap,
        "nfft": nfft,
        "detrend": detrend,
    }
    options |= {"return_onesided": return_onesided, "boundary": boundary, "padded": padded, "scaling": scaling}
    frequencies, times, plain = scipy.signal.stft(line(x, axis), axis=axis, **options)
    if 0 in shape_of(x):
        return frequencies, times, plain
    kind = np.result_type(dtype_of(x), np.complex64)
    onesided = return_onesided and dtype_of(x).kind != "c"
    x = np.moveaxis(x, axis, -1)
    taps = window_for(window, nperseg, shape_of(x)[-1]).astype(dtype_of(x))
    size = len(taps)
    step = size - (size // 2 if noverlap is None else int(noverlap))
    if boundary == "zeros":
        edge = np.zeros((*shape_of(x)[:-1], size // 2), dtype_of(x))
        x = np.concatenate([edge, x, edge], axis=-1)
    elif boundary is not None:
        x = mirrored(x, size // 2, -1, boundary)
    if padded:
        x = continued(x, shape_of(x)[-1] + (-(shape_of(x)[-1] - size) % step) % size)
    scale = 1 / np.sum(taps) if scaling == "spectrum" else 1 / np.sqrt(fs * np.sum(taps * taps))
    found = transformed(pieces(x, taps, step, detrend), size if nfft is None else int(nfft), onesided)
    found = (found * scale).astype(kind)
    return frequencies, times, np.moveaxis(found, -1, axis - 1 if axis < 0 else axis)


@face(scipy.signal.istft)
def istft(
    Zxx: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Any, Value]:
    """The signal of which these are the Fourier transforms of short pieces.

    Args:
        Zxx: the transforms.
        fs, window, nperseg, noverlap, nfft, scaling: as for `stft`.
        input_onesided: whether negative frequencies are left out.
        boundary: whether half of a piece is cut off at the ends.
        time_axis, freq_axis: the axes of Zxx.

    Returns:
        The times, and the signal.

    >>> istft(stft(np.arange(4.0), nperseg=2)[2], nperseg=2)[1].round(12)
    array([0., 1., 2., 3.])
    """
    refuse("istft", window, None)
    z = as_array(Zxx)
    ndim = ndim_of(z)
    ends = [axis % ndim for axis in (freq_axis, time_axis)] if ndim > 1 else []
    shape = [n if i in ends else 1 for i, n in enumerate(shape_of(z))]
    options: Any = {"nperseg": nperseg, "noverlap": noverlap, "nfft": nfft, "input_onesided": input_onesided}
    options |= {"boundary": boundary, "time_axis": time_axis, "freq_axis": freq_axis, "scaling": scaling}
    scipy.signal.istft(np.zeros(shape, dtype_of(z)), fs, window, **options)
    z = np.moveaxis(z, ends, (-2, -1))
    count, segments = shape_of(z)[-2:]
    default = 2 * (count - 1) if input_onesided else count
    size = default if nperseg is None else int(nperseg)
    if nfft is None:
        nfft = size if input_onesided and size == default + 1 else default
    step = size - (size // 2 if noverlap is None else int(noverlap))
    x = np.fft.irfft(z, nfft, axis=-2) if input_onesided else np.fft.ifft(z, nfft, axis=-2)
    x = np.swapaxes(x[..., :size, :], -1, -2)
    kind = np.finfo(dtype_of(x)).dtype
    taps = window_for(window, size, size).astype(kind)
    scale = np.sum(taps) if scaling == "spectrum" else np.sqrt(fs * np.sum(taps**2))
    length = size + (segments - 1) * step
    places = np.arange(segments)[:, None] * step + np.arange(size)
    norm = np.zeros(length, kind)
    np.add.at(norm, places, np.broadcast_to(taps**2, places.shape))
    total = overlapping(x * (taps * scale), places, length) / np.where(norm > 1e-10, norm, 1).astype(kind)
    if boundary:
        total = total[..., size // 2 : -(size // 2)]
    if ndim > 2:
        axis = ends[1] - 1 if ends[0] < ends[1] else ends[1]
        total = np.moveaxis(total, -1, axis)
    return np.arange(shape_of(total)[0]) / float(fs), total


def overlapping(x: Value, places: Any, length: int) -> Value:
    """The sum of pieces, each at its place."""
    outer: Shape = shape_of(x)[:-2]
    first = np.moveaxis(x, (-2, -1), (0, 1))
    total = scatter_add(first, places, indices=((ARRAY, 1),), shape=(length, *outer), dtype=dtype_of(x))
    return np.moveaxis(total, 0, -1)
