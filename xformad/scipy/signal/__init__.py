"""`scipy.signal` for programs under transformation: convolutions, filters, trends, and spectra.

Windows and the coefficients of filters are constants. What is not here is SciPy's own, and works on plain arrays.

>>> import numpy as np
>>> from xformad import grad
>>> from xformad.scipy.signal import lfilter
>>> grad(lambda x: lfilter([1.0], [1.0, -0.5], x)[-1])(np.ones(3))
array([0.25, 0.5 , 1.  ])
"""

from __future__ import annotations

import inspect
from typing import Any

import scipy.signal

from xformad.scipy.faces import refused
from xformad.scipy.signal.convolutions import convolve, convolve2d, correlate, correlate2d, fftconvolve, oaconvolve
from xformad.scipy.signal.filters import filtfilt, lfilter, lfilter_zi, sosfilt, sosfilt_zi, sosfiltfilt
from xformad.scipy.signal.smoothing import detrend, hilbert, resample, savgol_filter
from xformad.scipy.signal.spectra import coherence, csd, istft, periodogram, stft, welch

__all__ = [
    "coherence",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "filtfilt",
    "hilbert",
    "istft",
    "lfilter",
    "lfilter_zi",
    "oaconvolve",
    "periodogram",
    "resample",
    "savgol_filter",
    "sosfilt",
    "sosfilt_zi",
    "sosfiltfilt",
    "stft",
    "welch",
]

INSTEAD = {
    "decimate": "filter with filtfilt or lfilter, and take x[::q]",
    "find_peaks": "find them in xformad.value_of(x), and index x with them",
    "medfilt": "take numpy.median of windows that are made by indexing",
    "spectrogram": "use stft, and the square of its absolute value",
    "upfirdn": "use convolve, and indexing",
    "resample_poly": "use resample, or convolve and indexing",
}


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own, for plain arrays."""
    found = getattr(scipy.signal, name)
    if inspect.isroutine(found):
        return refused(found, INSTEAD.get(name, "it has no rules; xformad.extend.primitive makes it one"))
    return found
