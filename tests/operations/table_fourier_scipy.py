"""Rows for `scipy.fft`."""

from __future__ import annotations

import numpy as np

import xformad.scipy.fft as fft
from tests.operations.case import Case, Refused
from xformad import UnsupportedError

V = np.array([0.5, -1.0, 2.0, 0.3])
M = np.array([[0.4, -0.7, 1.5], [0.2, 0.9, -0.3]])

# fmt: off
CASES = [
    Case("scipy.fft.fft", lambda x: fft.fft(x, 3, norm="ortho"), (V,), complex=True),
    Case("scipy.fft.irfftn", fft.irfftn, (M,), complex=True),
    Case("scipy.fft.hfft2", fft.hfft2, (M,), complex=True),
    Case("scipy.fft.ihfftn", lambda x: fft.ihfftn(x, (2, 4)), (M,)),
    Case("scipy.fft.fftshift", lambda x: fft.ifftshift(fft.fftshift(x, 0) ** 2), (M,), complex=True),
    *(Case(f"scipy.fft.dct {i}", lambda x, i=i: fft.dct(x, i), (V,), complex=i == 2) for i in (1, 2, 3, 4)),
    *(Case(f"scipy.fft.dst {i}", lambda x, i=i: fft.dst(x, i, axis=0), (M,), complex=i == 2) for i in (1, 2, 3, 4)),
    Case("scipy.fft.idct", lambda x: fft.idct(x, n=5, norm="ortho"), (V,)),
    Case("scipy.fft.idst", lambda x: fft.idst(x, 3), (V,)),
    Case("scipy.fft.dctn", lambda x: fft.dctn(x, norm="ortho"), (M,)),
    Case("scipy.fft.idstn", lambda x: fft.idstn(x, 1, (4,), orthogonalize=True), (M,)),
]
# fmt: on
REFUSED = [
    Refused("scipy.fft.fht", lambda x: fft.fht(x, 0.1, 0.5), (V,), UnsupportedError, "fht is not supported on traced"),
    Refused("scipy.fft.dct of type 5", lambda x: fft.dct(x, 5), (V,), ValueError, "invalid DCT type"),
    Refused("scipy.fft.fftn of equal axes", lambda x: fft.fftn(x, axes=(0, 0)), (M,), ValueError, "unique"),
]
