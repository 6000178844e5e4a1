"""Discrete cosine and sine transforms.

All are made of those of SciPy without factors, y = A x. Types 1 and 4 are symmetric, but for the ends of the cosine
transform of type 1: A = C D with D = diag(1, 2, ..., 2, 1) and C symmetric. Those of types 2 and 3 are each other's
transposes, but for one column, the first one of the cosine transform and the last one of the sine transform:

    A_3 = A_2^T E     with E = diag(1/2, 1, ..., 1) or diag(1, ..., 1, 1/2)

(Martucci, Symmetric convolution and the discrete sine and cosine transforms, IEEE Trans. Signal Processing 42, 1994.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.fft

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import along_axes, defbatch
from xformad.interpreters.index_sets import defindexset
from xformad.numpy.fourier import resized
from xformad.numpy.implements import as_array
from xformad.operations.fourier import fft_index_set
from xformad.operations.makers import smooth
from xformad.scipy.faces import face

INVERSE: Final = {1: 1, 2: 3, 3: 2, 4: 4}
OPPOSITE: Final = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def transform_value(x: Value, axis: int, kind: str, type: int) -> Value:
    return (scipy.fft.dct if kind == "dct" else scipy.fft.dst)(x, type, axis=axis, orthogonalize=False)


def scaled(x: Value, axis: int, first: float, last: float) -> Value:
    """The first and the last entries along an axis times factors."""
    factors = np.ones(shape_of(x)[axis], dtype_of(x).type(0).real.dtype)
    factors[0] *= first
    factors[-1] *= last
    return x * factors.reshape((-1,) + (1,) * (x.ndim - axis - 1))


def transform_vjp(g: Value, _ans: Value, _x: Value, axis: int, kind: str, type: int) -> Value:
    ends = (2.0, 1.0) if kind == "dct" else (1.0, 2.0)
    if type == 1 and kind == "dct":
        return scaled(transform(scaled(g, axis, 2.0, 2.0), axis=axis, kind=kind, type=1), axis, 0.5, 0.5)
    if type == 2:
        g = scaled(g, axis, *ends)
    moved = transform(g, axis=axis, kind=kind, type=INVERSE[type])
    return scaled(moved, axis, *(1 / end for end in ends)) if type == 3 else moved


# `kind`: "dct" or "dst". `type`: 1 to 4.
transform: Primitive = smooth("trigonometric_transform", transform_value, transform_vjp, linear=True)
defindexset(transform, fft_index_set)
defbatch(transform, along_axes(transform))


def along_axis(
    kind: str, x: Value, type: int, n: Any, axis: int, norm: Any, orthogonalize: Any, inverse: bool
) -> Value:
    """A transform with its factors. `type`: of the transform itself, after it was inverted."""
    norm = norm or "backward"
    function: Any = scipy.fft.dct if kind == "dct" else scipy.fft.dst
    length = shape_of(x)[axis] if n is None and -x.ndim <= axis < x.ndim else n
    if type not in INVERSE or norm not in OPPOSITE or length is None or length < 1 + (kind == "dct" and type == 1):
        function(np.zeros(shape_of(x)), type, n, axis, norm)  # SciPy's error
    axis = axis % x.ndim
    x = resized(x, int(length), axis)
    if orthogonalize is None or dtype_of(x).kind == "c":  # of which SciPy, 1.17 at least, takes no notice
        orthogonalize = norm == "ortho"
    root = math.sqrt(2.0)
    size = 2 * (length + {"dct": -1, "dst": 1}[kind]) if type == 1 else 2 * length
    factor = {"backward": 1.0, "ortho": 1 / math.sqrt(size), "forward": 1 / size}[OPPOSITE[norm] if inverse else norm]
    only = (root, 1.0) if kind == "dct" else (1.0, root)
    both = (root, root) if kind == "dct" and type == 1 else only if type in (2, 3) else (1.0, 1.0)
    if orthogonalize and type in (1, 3) and both != (1.0, 1.0):
        x = scaled(x, axis, *both)
    y = transform(x, axis=axis, kind=kind, type=type)
    if orthogonalize and type in (1, 2) and both != (1.0, 1.0):
        y = scaled(y, axis, *(1 / each for each in both))
    return y if factor == 1.0 else y * factor


def one_axis(original: Callable[..., Any], kind: str, inverse: bool, what: str) -> Callable[..., Any]:
    @face(original)
    def transformed(
        x: Any,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Value:
        x = as_array(x)
        if type not in INVERSE or x.ndim == 0:
            original(np.zeros(shape_of(x)), type, n, axis, norm)  # SciPy's error
        return along_axis(kind, x, INVERSE[type] if inverse else type, n, axis, norm, orthogonalize, inverse)

    return described(transformed, original, what)


def many_axes(original: Callable[..., Any], kind: str, inverse: bool, what: str) -> Callable[..., Any]:
    @face(original)
    def transformed(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        orthogonalize: bool | None = None,
    ) -> Value:
        x = as_array(x)
        lengths, chosen = lengths_and_axes(original, x, s, axes, type=type, norm=norm)
        for n, axis in zip(lengths, chosen, strict=True):
            x = along_axis(kind, x, INVERSE[type] if inverse else type, n, axis, norm, orthogonalize, inverse)
        return x

    return described(transformed, original, what)


def lengths_and_axes(original: Any, x: Value, s: Any, axes: Any, **options: Any) -> tuple[list[int], list[int]]:
    """The lengths and the axes of a transform in several dimensions, as SciPy takes them; or its error."""
    shape = shape_of(x)
    wanted = None if s is None else [int(n) for n in np.atleast_1d(s)]
    if axes is None:
        chosen = list(range(len(shape)))[len(shape) - len(wanted) if wanted is not None else 0 :]
    else:
        chosen = [int(i) for i in np.atleast_1d(axes)]
    count = len(chosen) if wanted is None else len(wanted)
    inside = all(-len(shape) <= i < len(shape) for i in chosen) and count == len(chosen) and count <= len(shape)
    if not inside or len({i % len(shape) for i in chosen}) < count:
        original(np.zeros(shape), s=s, axes=axes, **options)
        raise ValueError(f"scipy.fft.{original.__name__} of axes {axes} and lengths {s}")
    chosen = [i % len(shape) for i in chosen]
    lengths = [-1] * count if wanted is None else wanted
    lengths = [shape[i] if n == -1 else n for n, i in zip(lengths, chosen, strict=True)]
    if min(lengths, default=1) < 1 or options.get("type", 2) not in INVERSE:
        original(np.zeros(shape), s=s, axes=axes, **options)  # SciPy's error
    return lengths, chosen


def described(function: Callable[..., Any], original: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A face with the name of SciPy's function."""
    function.__name__ = function.__qualname__ = original.__name__
    function.__doc__ = (
        f"{what} SciPy's function, on traced arrays too; `overwrite_x` and `workers` are of no account there."
    )
    return function


dct = one_axis(scipy.fft.dct, "dct", False, "The discrete cosine transform of type 1 to 4 along an axis.")
idct = one_axis(scipy.fft.idct, "dct", True, "The inverse of the discrete cosine transform along an axis.")
dst = one_axis(scipy.fft.dst, "dst", False, "The discrete sine transform of type 1 to 4 along an axis.")
idst = one_axis(scipy.fft.idst, "dst", True, "The inverse of the discrete sine transform along an axis.")
dctn = many_axes(scipy.fft.dctn, "dct", False, "The discrete cosine transform of type 1 to 4 along several axes.")
idctn = many_axes(scipy.fft.idctn, "dct", True, "The inverse of the discrete cosine transform along several axes.")
dstn = many_axes(scipy.fft.dstn, "dst", False, "The discrete sine transform of type 1 to 4 along several axes.")
idstn = many_axes(scipy.fft.idstn, "dst", True, "The inverse of the discrete sine transform along several axes.")
