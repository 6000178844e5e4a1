"""Faces of NumPy's polynomial functions, `poly` to `vander`. Coefficients stand with the highest power first.

Shapes depend on values here: leading zeros are cut off as NumPy does at the values at hand.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array, implements
from xformad.numpy.products import on_zeros
from xformad.operations import polynomials


def coefficients(p: Any) -> Value:
    return np.atleast_1d(p.coeffs if isinstance(p, np.poly1d) else as_array(p))


def like_arguments(result: Value, *arguments: Any) -> Any:
    """A polynomial object if an argument is one."""
    return np.poly1d(result) if any(isinstance(p, np.poly1d) for p in arguments) else result


def leading_zeros(p: Value) -> int:
    """How many zeros come first; all but one of a polynomial that is zero."""
    nonzero = p != 0
    return operator.index(np.argmax(nonzero)) if np.any(nonzero) else max(shape_of(p)[0] - 1, 0)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Value:
    x = as_array(filt)
    trim = trim.lower()
    if trim not in ("fb", "bf", "f", "b"):
        np.trim_zeros(np.zeros(1), trim)  # type: ignore[arg-type]  # NumPy's error
    ndim = len(shape_of(x))
    axes = range(ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, ndim)
    nonzero = x != 0
    index = [slice(None)] * ndim
    for i in axes:
        found = np.any(nonzero, axis=tuple(j for j in range(ndim) if j != i))
        if not np.any(found):
            index[i] = slice(0)
            continue
        start = operator.index(np.argmax(found)) if "f" in trim else None
        behind = operator.index(np.argmax(np.flip(found))) if "b" in trim else 0
        index[i] = slice(start, shape_of(x)[i] - behind)
    return x[tuple(index)]


def padded(p: Value, length: int) -> Value:
    missing = length - shape_of(p)[0]
    return np.concatenate([np.zeros(missing, dtype_of(p)), p]) if missing > 0 else p


def lined_up(a1: Any, a2: Any) -> tuple[Value, Value]:
    p, q = coefficients(a1), coefficients(a2)
    length = max(shape_of(p)[0], shape_of(q)[0])
    return padded(p, length), padded(q, length)


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    p, q = lined_up(a1, a2)
    return like_arguments(p + q, a1, a2)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    p, q = lined_up(a1, a2)
    return like_arguments(p - q, a1, a2)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Zeros are cut off the product and not the factors: with their derivatives, they have a part in other entries."""
    p, q = coefficients(a1), coefficients(a2)
    p, q = (x if shape_of(x) != (0,) else np.zeros(1) for x in (p, q))
    cut = leading_zeros(p) + leading_zeros(q)
    return like_arguments(np.convolve(p, q)[cut:], a1, a2)


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    p, q = coefficients(u) + 0.0, coefficients(v) + 0.0
    m, n = shape_of(p)[0] - 1, shape_of(q)[0] - 1
    scale = 1.0 / q[0]
    quotient, before = [], []
    rest = p.astype(np.result_type(dtype_of(p), dtype_of(q)))
    for _ in range(m - n + 1):
        factor = scale * rest[0]
        quotient.append(factor)
        changed = rest[: n + 1] - factor * q
        before.append(changed[:1])
        rest = np.concatenate([changed[1:], rest[n + 1 :]])
    whole = np.stack(quotient) if quotient else np.zeros(1, dtype_of(rest))
    rest = np.concatenate([*before, rest])
    small = np.isclose(rest, 0, rtol=1e-14)
    cut = shape_of(rest)[0] - 1 if np.all(small) else operator.index(np.argmin(small))
    return like_arguments(whole, u, v), like_arguments(rest[cut:], u, v)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    p = coefficients(p) if isinstance(p, np.poly1d) else as_array(p)
    if isinstance(x, np.poly1d):
        y: Any = 0
    else:
        x = as_array(x)
        y = np.zeros_like(x)
    for i in range(shape_of(p)[0]):
        y = y * x + p[i]
    return y


@implements(np.polyder)
def polyder(p: Any, m: Any = 1) -> Any:
    m = int(m)
    if m < 0:
        np.polyder([1.0], m)  # NumPy's error
    q = p.coeffs if isinstance(p, np.poly1d) else as_array(p)
    for _ in range(m):
        q = q[:-1] * np.arange(shape_of(q)[0] - 1, 0, -1)
    return like_arguments(q, p)


@implements(np.polyint)
def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    m = int(m)
    constants = np.zeros(m) if k is None else np.atleast_1d(as_array(k))
    if shape_of(constants)[0] == 1 and m > 1:
        constants = constants[0] * np.ones(m)
    if m < 0 or shape_of(constants)[0] < m:
        np.polyint([1.0], m, None if k is None else np.zeros(shape_of(constants)))  # NumPy's error
    q = p.coeffs if isinstance(p, np.poly1d) else as_array(p)
    for i in range(m):
        q = np.concatenate([q / np.arange(shape_of(q)[0], 0, -1), constants[i : i + 1]])
    return like_arguments(q, p)


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Value:
    x = as_array(x)
    if len(shape_of(x)) != 1:
        return on_zeros(np.vander, x)
    count = shape_of(x)[0] if N is None else int(N)
    if count < 1:
        return on_zeros(np.vander, x, N=count)
    x = x.astype(np.promote_types(dtype_of(x), int))
    columns = [np.ones(shape_of(x), dtype_of(x))]
    for _ in range(count - 1):
        columns.append(columns[-1] * x)
    return np.stack(columns if increasing else columns[::-1], axis=1)


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Value:
    """Of a matrix by its eigenvalues, as NumPy does. The derivative does not need that these differ."""
    zeros = np.atleast_1d(as_array(seq_of_zeros))
    shape = shape_of(zeros)
    if len(shape) == 2 and shape[0] == shape[1] and shape[0] != 0:
        return polynomials.characteristic_polynomial(zeros)
    if len(shape) != 1:
        return on_zeros(np.poly, zeros)
    kind = np.dtype(np.mintypecode(dtype_of(zeros).char))  # float16 and whole numbers become float64
    a: Value = np.ones(1, kind)
    for i in range(shape[0]):
        a = np.concatenate([a, np.zeros(1, kind)]) - zeros[i] * np.concatenate([np.zeros(1, kind), a])
    if kind.kind == "c" and np.all(np.sort(zeros) == np.sort(np.conjugate(zeros))):
        return np.real(a)
    return a


@implements(np.roots)
def roots(p: Any) -> Value:
    """A root moves by -dp(r) / p'(r): infinitely fast where it is a double one."""
    p = coefficients(p)
    if len(shape_of(p)) != 1:
        return on_zeros(np.roots, p)
    if not np.any(p != 0):
        return np.array([])
    return polynomials.roots(p, count=shape_of(p)[0] - 1 - leading_zeros(p))


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: Any = False, w: Any = None, cov: Any = False) -> Any:
    order = int(deg) + 1
    x, y = as_array(x), as_array(y)
    w = None if w is None else as_array(w)
    fitting(x, y, w, deg)
    x, y = x + 0.0, y + 0.0
    if rcond is None:
        rcond = shape_of(x)[0] * np.finfo(dtype_of(x)).eps
    left, right = vander(x, order), y
    if w is not None:
        left = left * w[:, None]
        right = right * (w[:, None] if len(shape_of(y)) == 2 else w)
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, s = np.linalg.lstsq(left, right, rcond)
    c = (c.T / scale).T
    if rank != order and not full:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=3)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    base = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    if cov == "unscaled":
        factor: Any = 1
    elif shape_of(x)[0] <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    else:
        factor = residuals / (shape_of(x)[0] - order)
    return c, base * factor if len(shape_of(y)) == 1 else base[:, :, None] * factor


def fitting(x: Value, y: Value, w: Value, deg: Any) -> None:
    """NumPy's own errors about shapes, by a fit of zeros: a few of them are not reached by one that goes through."""
    shapes = shape_of(x), shape_of(y), None if w is None else shape_of(w)
    fits = len(shapes[0]) == 1 and shapes[0] != (0,) and len(shapes[1]) in (1, 2) and shapes[1][0] == shapes[0][0]
    if int(deg) < 0 or not fits or (w is not None and shapes[2] != shapes[0]):
        np.polyfit(np.zeros(shapes[0]), np.zeros(shapes[1]), deg, w=None if w is None else np.zeros(shape_of(w)))
