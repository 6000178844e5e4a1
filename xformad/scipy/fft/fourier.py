"""The Fourier transforms of `scipy.fft`, by those of `numpy.fft`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.fft

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array
from xformad.scipy.faces import face
from xformad.scipy.fft.trigonometric import OPPOSITE, described, lengths_and_axes

OF_REAL: Final = ("rfft", "ihfft", "rfft2", "ihfft2", "rfftn", "ihfftn")
HALF: Final = ("irfft", "hfft", "irfft2", "hfft2", "irfftn", "hfftn")
BY: Final[dict[str, Any]] = {
    "fftn": np.fft.fftn, "ifftn": np.fft.ifftn, "rfftn": np.fft.rfftn, "irfftn": np.fft.irfftn,
    "hfftn": np.fft.irfftn, "ihfftn": np.fft.rfftn,
}  # fmt: skip


def checked(original: Callable[..., Any], x: Value, norm: Any, **options: Any) -> None:
    """SciPy's own errors for a norm or a type that is wrong."""
    wrong = original.__name__ in OF_REAL and dtype_of(x).kind == "c"
    if norm not in (None, *OPPOSITE) or wrong or shape_of(x) == ():
        original(np.zeros(shape_of(x), dtype_of(x)), norm=norm, **options)


def one_axis(original: Callable[..., Any], what: str) -> Callable[..., Any]:
    by: Any = getattr(np.fft, original.__name__)

    @face(original)
    def transformed(
        x: Any,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        plan: Any = None,
    ) -> Value:
        x = as_array(x)
        checked(original, x, norm, n=n, axis=axis)
        inside = -len(shape_of(x)) <= axis < len(shape_of(x))
        points = n if n is not None or not inside else shape_of(x)[axis] - (original.__name__ in HALF)
        if not inside or points is None or points < 1:
            original(np.zeros(shape_of(x), dtype_of(x)), n, axis)  # SciPy's error, which lacks for irfft of n=0
            raise ValueError(f"invalid number of data points ({points}) specified")
        return by(x, n, axis, norm)

    return described(transformed, original, what)


def many_axes(original: Callable[..., Any], default: Any, what: str) -> Callable[..., Any]:
    name = original.__name__
    by = BY[name.replace("2", "n")]
    hermitian = name.startswith(("hfft", "ihfft"))

    @face(original)
    def transformed(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        plan: Any = None,
    ) -> Value:
        x = as_array(x)
        checked(original, x, norm, s=s, axes=axes)
        lengths, chosen = lengths_and_axes(original, x, s, axes)
        if not chosen:
            return (
                x
                if name in ("fftn", "ifftn", "fft2", "ifft2")
                else original(np.zeros(shape_of(x), dtype_of(x)), s, axes)
            )
        if name in HALF and s is None:
            lengths[-1] = 2 * (shape_of(x)[chosen[-1]] - 1)
            if lengths[-1] < 1:
                original(np.zeros(shape_of(x), dtype_of(x)), s, axes)  # SciPy's error
        norm = OPPOSITE[norm or "backward"] if hermitian else norm
        if name.startswith("hfft") and dtype_of(x).kind == "c":
            x = np.conjugate(x)
        found = by(x, lengths, chosen, norm)
        return np.conjugate(found) if name.startswith("ihfft") else found

    return described(transformed, original, what)


fft = one_axis(scipy.fft.fft, "The discrete Fourier transform along an axis.")
ifft = one_axis(scipy.fft.ifft, "The inverse discrete Fourier transform along an axis.")
rfft = one_axis(scipy.fft.rfft, "The frequencies that are not negative, of a real array along an axis.")
irfft = one_axis(scipy.fft.irfft, "The inverse of `rfft`.")
hfft = one_axis(scipy.fft.hfft, "The real transform of half of a Hermitian signal along an axis.")
ihfft = one_axis(scipy.fft.ihfft, "The inverse of `hfft`.")
fft2 = many_axes(scipy.fft.fft2, (-2, -1), "The discrete Fourier transform along two axes.")
ifft2 = many_axes(scipy.fft.ifft2, (-2, -1), "The inverse discrete Fourier transform along two axes.")
fftn = many_axes(scipy.fft.fftn, None, "The discrete Fourier transform along several axes.")
ifftn = many_axes(scipy.fft.ifftn, None, "The inverse discrete Fourier transform along several axes.")
rfft2 = many_axes(scipy.fft.rfft2, (-2, -1), "`rfftn` along two axes.")
irfft2 = many_axes(scipy.fft.irfft2, (-2, -1), "The inverse of `rfft2`.")
rfftn = many_axes(scipy.fft.rfftn, None, "The discrete Fourier transform of a real array along several axes.")
irfftn = many_axes(scipy.fft.irfftn, None, "The inverse of `rfftn`.")
hfft2 = many_axes(scipy.fft.hfft2, (-2, -1), "`hfftn` along two axes.")
ihfft2 = many_axes(scipy.fft.ihfft2, (-2, -1), "The inverse of `hfft2`.")
hfftn = many_axes(scipy.fft.hfftn, None, "The real transform of half of a Hermitian signal along several axes.")
ihfftn = many_axes(scipy.fft.ihfftn, None, "The inverse of `hfftn`.")


@face(scipy.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Value:
    """Move the frequency zero to the middle.

    Args:
        x: what stands in the order of frequencies.
        axes: along which axes; all by default.

    >>> fftshift(np.arange(4))
    array([2, 3, 0, 1])
    """
    return np.fft.fftshift(x, axes)


@face(scipy.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Value:
    """The inverse of `fftshift`.

    Args:
        x: what stands in the order of frequencies, zero in the middle.
        axes: along which axes; all by default.

    >>> ifftshift(np.array([2, 3, 0, 1]))
    array([0, 1, 2, 3])
    """
    return np.fft.ifftshift(x, axes)
