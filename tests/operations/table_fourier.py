"""Rows for discrete Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError

fft: Any = np.fft
V = np.array([0.5, -1.0, 2.0, 0.3])
M = np.array([[0.4, -0.7, 1.5], [0.2, 0.9, -0.3]])
CUBE = np.cos(np.arange(12.0)).reshape(2, 3, 2)

CASES = [
    Case("fft", fft.fft, (V,), complex=True),
    Case("fft cut axis=0", lambda x: fft.fft(x, 1, 0, "ortho"), (M,), complex=True),
    Case("ifft padded", lambda x: fft.ifft(x, n=5, norm="forward"), (V,), complex=True),
    Case("fft2", fft.fft2, (M,), complex=True),
    Case("ifft2", lambda x: fft.ifft2(x, (3, 2), norm="ortho"), (M,), complex=True),
    Case("fftn", lambda x: fft.fftn(x, (3, -1), axes=(2, 0)), (CUBE,), complex=True, order=1),
    Case("ifftn", fft.ifftn, (M,), complex=True),
    Case("fftn repeated axes", lambda x: fft.fftn(x, axes=(0, 1, 0)), (M,), complex=True, order=1),
    Case("rfft even", fft.rfft, (V,)),
    Case("rfft odd padded axis=0", lambda x: fft.rfft(x, 3, 0, "forward"), (M,)),
    Case("irfft even", lambda x: fft.irfft(x, norm="ortho"), (V,), complex=True),
    Case("irfft odd cut axis=-2", lambda x: fft.irfft(x, 3, -2), (M,), complex=True),
    Case("rfft2", fft.rfft2, (M,)),
    Case("irfft2", lambda x: fft.irfft2(x, (3, 3)), (M,), complex=True),
    Case("rfftn", lambda x: fft.rfftn(x, (3, 2), axes=(0, 2), norm="ortho"), (CUBE,), order=1),
    Case("irfftn", fft.irfftn, (M,), complex=True),
    Case("hfft", fft.hfft, (V,), complex=True),
    Case("ihfft", lambda x: fft.ihfft(x, 5, norm="ortho"), (V,)),
    Case("fftshift", fft.fftshift, (M,), complex=True),
    Case("ifftshift axis", lambda x: fft.ifftshift(x, axes=-1), (M,), complex=True),
]

REFUSED = [
    Refused("fft of no points", lambda x: fft.fft(x, 0), (V,), ValueError, "Invalid number of FFT data points"),
    Refused("rfft of an unknown norm", lambda x: fft.rfft(x, norm="sqrt"), (V,), ValueError, "Invalid norm value"),
    Refused("rfft of complex numbers", fft.rfft, (V * 1j,), TypeError, "rfft"),
    Refused("fft out", lambda x: fft.fft(x, out=np.ones(4, complex)), (V,), ConcretizationError, "into a plain array"),
]
