"""`scipy.fft` for programs under transformation: Fourier transforms, and cosine and sine transforms of types 1 to 4.

What is not here is SciPy's own, and works on plain arrays.

>>> import numpy as np
>>> from xformad import grad
>>> from xformad.scipy.fft import dct
>>> grad(lambda x: np.sum(dct(x, norm="ortho") ** 2))(np.array([1.0, 2.0, 4.0])).round(12)
array([2., 4., 8.])
"""

from __future__ import annotations

from typing import Any

import scipy.fft

from xformad.scipy.faces import refused
from xformad.scipy.fft.fourier import (
    fft,
    fft2,
    fftn,
    fftshift,
    hfft,
    hfft2,
    hfftn,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    ihfft2,
    ihfftn,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftn,
)
from xformad.scipy.fft.trigonometric import dct, dctn, dst, dstn, idct, idctn, idst, idstn

__all__ = [
    "dct",
    "dctn",
    "dst",
    "dstn",
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "idct",
    "idctn",
    "idst",
    "idstn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]


def __getattr__(name: str) -> Any:
    """What is not here is SciPy's own, for plain arrays."""
    found = getattr(scipy.fft, name)
    if name in ("fht", "ifht"):
        return refused(found, "it has no rules; xformad.extend.primitive makes it one")
    return found
