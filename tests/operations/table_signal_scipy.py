"""Rows for `scipy.signal`."""

from __future__ import annotations

from typing import Any

import numpy as np

import xformad.scipy.signal as signal
from tests.operations.case import Case, Refused
from xformad import UnsupportedError

V = np.array([0.5, -1.0, 2.0, 0.3, -0.7])
W = np.array([1.5, 0.7])
M = np.array([[0.4, -0.7, 1.5], [0.2, 0.9, -0.3]])
A = np.array([1.3, -0.4, 0.2])
SOS = np.array([[1.0, 0.5, 0.2, 1.0, -0.3, 0.1]])
Z = np.array([[0.3, -0.2]])
LONG = np.cos(np.arange(9.0) ** 1.5)

# fmt: off
CASES = [
    Case("signal.convolve", signal.convolve, (M, M.T[:2, :1]), complex=True),
    Case("signal.convolve valid swapped", lambda x, y: signal.convolve(y, x, "valid"), (V, W), complex=True),
    Case("signal.correlate", lambda x, y: signal.correlate(x, y, "same", method="direct"), (V, W), complex=True),
    Case("signal.fftconvolve", lambda x, y: signal.fftconvolve(x, y, axes=1), (M, M[:1, :2]), complex=True),
    Case("signal.fftconvolve same", lambda x, y: signal.fftconvolve(x, y, "same"), (V, W), complex=True),
    Case("signal.oaconvolve", signal.oaconvolve, (V, W), complex=True),
    Case("signal.convolve2d", lambda x, y: signal.convolve2d(x, y, "same", "symm"), (M, M[:, :2]), complex=True),
    Case("signal.correlate2d", signal.correlate2d, (M, M[:1]), complex=True),
    Case("signal.lfilter", lambda b, a, x: signal.lfilter(b, a, x), (W, A, V), complex=True),
    Case("signal.lfilter state", lambda b, x, z: signal.lfilter(b, A, x, zi=z), (W, M, Z), complex=True),
    Case("signal.lfilter fir", lambda b, x: signal.lfilter(b, [2.0], x, 0), (W, M), complex=True),
    Case("signal.lfilter_zi", signal.lfilter_zi, (W, A), complex=True),
    Case("signal.sosfilt", lambda x, z: signal.sosfilt(SOS, x, zi=z), (V, Z), complex=True),
    Case("signal.sosfilt sections", lambda a, x: signal.sosfilt(np.concatenate([SOS[0, :4], a])[None], x), (W / 9, V)),
    Case("signal.sosfilt_zi", lambda a: signal.sosfilt_zi(np.concatenate([SOS[0, :4], a])[None]), (W / 9,)),
    Case("signal.filtfilt", lambda b, a, x: signal.filtfilt(b, a, x, padlen=3), (W, A, V), complex=True, order=1),
    Case("signal.sosfiltfilt", lambda x: signal.sosfiltfilt(SOS, x, padlen=3), (V,), complex=True),
    Case("signal.detrend", lambda x: signal.detrend(x, bp=2), (V,), complex=True),
    Case("signal.detrend constant", lambda x: signal.detrend(x, 0, "constant"), (M,), complex=True),
    Case("signal.savgol_filter", lambda x: signal.savgol_filter(x, 3, 1), (V,)),
    Case("signal.savgol_filter wrap", lambda x: signal.savgol_filter(x, 4, 2, deriv=1, mode="wrap"), (V,)),
    Case("signal.hilbert", signal.hilbert, (V,)),
    Case("signal.resample", lambda x: signal.resample(x, 8), (V,), complex=True),
    Case("signal.resample fewer", lambda x: signal.resample(x, 4, window="hamming"), (V,), complex=True),
    Case("signal.stft", lambda x: signal.stft(x, nperseg=4)[2], (V,)),
    Case("signal.istft", lambda x: signal.istft(x, nperseg=2, noverlap=1)[1], (M,), complex=True),
    Case("signal.welch", lambda x: signal.welch(x, nperseg=4, return_onesided=False)[1], (LONG,), complex=True),
    Case("signal.welch median", lambda x: signal.welch(x, nperseg=4, detrend="linear", average="median")[1], (LONG,)),
    Case("signal.csd", lambda x, y: signal.csd(x, y, nperseg=4)[1], (LONG[:6], V)),
    Case("signal.periodogram", lambda x: signal.periodogram(x, nfft=6)[1], (V,)),
    Case("signal.coherence", lambda x, y: signal.coherence(x, y, nperseg=4)[1], (LONG, LONG[::-1] ** 2), order=1),
]
# fmt: on


def refused(name: str, fun: Any, text: str, error: type[Exception] = UnsupportedError) -> Refused:
    return Refused(f"signal.{name}", fun, (LONG,), error, text)


REFUSED = [
    refused("filtfilt gust", lambda x: signal.filtfilt([1.0], [1.0, 0.5], x, method="gust"), 'use method="pad"'),
    refused(
        "medfilt",
        lambda x: signal.medfilt(x),
        "medfilt is not supported on traced arrays: take numpy.median",
    ),
    refused(
        "wiener",
        lambda x: signal.wiener(x),
        "wiener is not supported on traced arrays: it has no rules",
    ),
    refused("savgol_filter of complex arrays", lambda x: signal.savgol_filter(x * 1j, 3, 1), "drops imaginary parts"),
    refused("welch of a traced window", lambda x: signal.welch(x, window=x), "of a traced window has no rules"),
    refused("stft with a function", lambda x: signal.stft(x, detrend=np.sin), "with a function detrend= has no rules"),
    refused("lfilter of a_0 = 0", lambda x: signal.lfilter([1.0], x - x[0], x), "", ValueError),
    refused("convolve of axes that differ", lambda x: signal.convolve(x, x[None]), "dimensionality", ValueError),
    refused("fftconvolve of no axes", lambda x: signal.fftconvolve(x, x, axes=()), "axes cannot be empty", ValueError),
    refused("resample of real frequencies", lambda x: signal.resample(x, 3, domain="freq"), "write x + 0j"),
    refused("detrend of another type", lambda x: signal.detrend(x, type="cubic"), "Trend type must be", ValueError),
]
