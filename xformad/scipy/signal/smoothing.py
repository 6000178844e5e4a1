"""Linear functions of a signal along an axis: trends, smoothing, the analytic signal, other sampling rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.operations import convolutions
from xformad.scipy.faces import face, traced


@face(scipy.signal.detrend)
def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False) -> Value:
    """A signal without its mean or its linear trend.

    Args:
        data: the signal.
        axis: along which axis.
        type: "constant" or "linear".
        bp: where one trend ends and the next one begins, constants.
        overwrite_data: of no account.

    >>> detrend(np.array([1.0, 2.0, 4.0])).round(3)
    array([ 0.167, -0.333,  0.167])
    """
    x = as_array(data)
    if type in ("constant", "c"):
        return x - np.mean(x, axis=axis, keepdims=True)
    length = shape_of(x)[axis]
    breaks = np.sort(np.unique(np.concatenate([[0], np.atleast_1d(bp), [length]])))
    if type not in ("linear", "l") or breaks[-1] > length:
        scipy.signal.detrend(np.zeros(length), -1, type, bp)  # SciPy's error
    x = np.moveaxis(x, axis, -1)
    pieces = []
    for start, stop in zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True):
        line = np.stack([np.arange(1.0, stop - start + 1), np.ones(stop - start)], axis=1)
        basis = np.linalg.svd(line, full_matrices=False)[0][:, : min(2, stop - start)]
        basis = basis.astype(np.finfo(dtype_of(x)).dtype)
        piece = x[..., start:stop]
        pieces.append(piece - (piece @ basis) @ basis.T)
    return np.moveaxis(np.concatenate(pieces, axis=-1), -1, axis)


@face(scipy.signal.savgol_filter)
def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Value:
    """A signal smoothed by polynomials, each fitted to the entries around a place (Savitzky and Golay).

    Args:
        x: the signal.
        window_length: to how many entries.
        polyorder: the order of the polynomials.
        deriv: of which derivative the value is taken.
        delta: the distance between entries, for derivatives.
        axis: along which axis.
        mode: what is done at the ends: "interp", "mirror", "nearest", "wrap", "constant".
        cval: the constant.

    >>> savgol_filter(np.arange(5.0) ** 2, 3, 2).round(12)
    array([ 0.,  1.,  4.,  9., 16.])
    """
    x = as_array(x)
    length = shape_of(x)[axis]
    if mode not in PADDING or (mode == "interp" and window_length > length):
        scipy.signal.savgol_filter(np.zeros(length), window_length, polyorder, mode=mode)  # SciPy's error
    if dtype_of(x).kind == "c":
        raise UnsupportedError(
            "scipy.signal.savgol_filter of complex arrays drops imaginary parts; filter x.real and x.imag"
        )
    weights = scipy.signal.savgol_coeffs(window_length, polyorder, deriv=deriv, delta=delta).astype(dtype_of(x))
    x = np.moveaxis(x, axis, -1)
    half = window_length // 2
    if mode == "interp":
        fitted = scipy.signal.savgol_filter(np.eye(window_length), window_length, polyorder, deriv, delta, axis=0)
        fitted = fitted.astype(dtype_of(x))
        inner = convolutions.convolve(x, weights, dims=1, mode="valid")[..., (window_length + 1) % 2 :]
        first, last = x[..., :window_length] @ fitted[:half].T, x[..., length - window_length :] @ fitted[-half:].T
        if half == 0:
            return np.moveaxis(inner, -1, axis)
        return np.moveaxis(np.concatenate([first, inner[..., : length - 2 * half], last], axis=-1), -1, axis)
    before, behind = (window_length - 1) // 2, half
    if mode == "constant":
        margin = tuple([(0, 0)] * (ndim_of(x) - 1) + [(before, behind)])
        wide = np.pad(x, margin, constant_values=cval)
    else:
        wide = x[..., np.pad(np.arange(length), (before, behind), mode=PADDING[mode])]  # type: ignore[call-overload]
    return np.moveaxis(convolutions.convolve(wide, weights, dims=1, mode="valid"), -1, axis)


PADDING = {"interp": "", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


@face(scipy.signal.hilbert)
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Value:
    """The analytic signal: without negative frequencies, and with x as its real part.

    Args:
        x: a real signal.
        N: as how many entries it is taken, cut off or continued by zeros.
        axis: along which axis.

    >>> np.abs(hilbert(np.cos(np.pi / 2 * np.arange(4)))).round(12)
    array([1., 1., 1., 1.])
    """
    x = as_array(x)
    length = shape_of(x)[axis] if N is None else N
    if dtype_of(x).kind == "c" or length <= 0:
        scipy.signal.hilbert(np.zeros(1, dtype_of(x)), length)  # SciPy's error
    gain = np.zeros(length, dtype_of(x))
    gain[: (length + 1) // 2] = 2
    gain[0] = 1
    if length % 2 == 0:
        gain[length // 2] = 1
    frequencies: Value = np.moveaxis(np.fft.fft(x, length, axis=axis), axis, -1)
    return np.moveaxis(np.fft.ifft(frequencies * gain), -1, axis)


@face(scipy.signal.resample)
def resample(x: Any, num: int, t: Any = None, axis: int = 0, window: Any = None, domain: str = "time") -> Any:
    """A periodic signal at other points, by its Fourier transform.

    Args:
        x: the signal, or its transform.
        num: at how many points.
        t: where the signal was taken, two points at least. With it, a pair of the result and its points is returned.
        axis: along which axis.
        window: by what the frequencies are multiplied: a constant.
        domain: "time", or "freq" where x is the transform.

    >>> resample(np.array([0.0, 1.0, 0.0, -1.0]), 8).round(3)
    array([ 0.   ,  0.707,  1.   ,  0.707,  0.   , -0.707, -1.   , -0.707])
    """
    if traced([window]):
        raise UnsupportedError("scipy.signal.resample of a traced window has no rules; multiply numpy.fft.fft(x) by it")
    x = np.moveaxis(as_array(x), axis, -1)
    n = shape_of(x)[-1]
    if domain not in ("time", "freq"):
        scipy.signal.resample(np.zeros(n), num, domain=domain)  # SciPy's error
    if domain == "freq" and dtype_of(x).kind != "c":
        raise UnsupportedError('scipy.signal.resample in the domain "freq" takes a complex array; write x + 0j')
    if window is not None:
        window = window_of(window, n)  # SciPy multiplies complex frequencies by it in double precision
        if dtype_of(x).kind != "c":
            window = np.array(window, dtype_of(x))
    m = min(num, n)
    half = m // 2 + 1
    if domain == "time" and dtype_of(x).kind != "c":
        frequencies: Value = np.fft.rfft(x)
        if window is not None:
            count = n // 2 + 1
            folded = window.copy()
            folded[1:count] = (window[1:count] + np.flip(window)[: count - 1]) / 2
            frequencies = frequencies * folded[:count]
        gain = np.ones(half, dtype_of(x))
        if m % 2 == 0 and num != n:
            gain[m // 2] = 2.0 if num < n else 0.5
        y: Value = np.fft.irfft(frequencies[..., :half] * (gain * (num / n)).astype(dtype_of(x)), num)
    else:
        frequencies = np.fft.fft(x) if domain == "time" else x
        if window is not None:
            frequencies = frequencies * window
        y = np.fft.ifft(unfolded(frequencies, num, m) * (num / n), num)
    y = np.moveaxis(y, -1, axis)
    return y if t is None else (y, t[0] + (t[1] - t[0]) * (n / num) * np.arange(num))


def window_of(window: Any, n: int) -> Any:
    if callable(window):
        return window(np.fft.fftfreq(n))
    if not hasattr(window, "shape"):
        impulse = np.eye(1, n, dtype=complex)[0]  # SciPy's versions differ in the order of a window's entries
        return np.real(np.fft.fft(scipy.signal.resample(impulse, n, window=window)))
    if window.shape != (n,):
        scipy.signal.resample(np.zeros(n), n, window=window)  # SciPy's error
    return window


def unfolded(x: Value, num: int, m: int) -> Value:
    """m frequencies, the negative ones behind, in the places of `num`. That of m / 2 stands for itself and its negative."""
    n = shape_of(x)[-1]
    half = m // 2 + 1
    first, last = x[..., :half], x[..., n - m + half :] if m > half else x[..., :0]
    if m % 2 == 0 and num != n:
        middle = first[..., -1:]
        first = first[..., :-1]
        if num < n:
            middle = middle + x[..., n - m // 2 : n - m // 2 + 1]
            return np.concatenate([first, middle, last], axis=-1)
        zeros = np.zeros((*shape_of(x)[:-1], num - m - 1), dtype_of(x))
        return np.concatenate([first, middle / 2, zeros, middle / 2, last], axis=-1)
    zeros = np.zeros((*shape_of(x)[:-1], num - m), dtype_of(x))
    return np.concatenate([first, zeros, last], axis=-1)
