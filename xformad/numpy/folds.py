"""Reductions, accumulations and `reduceat` with any ufunc of two arguments: `np.logaddexp.reduce(x, axis=0)`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array, normalized_axis, refuse_out

ASSOCIATIVE: Final = {
    *(np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logical_and, np.logical_or, np.logical_xor, np.gcd, np.lcm),
}
"""The ufuncs whose operands may be put together in any order: by halves, in about log2(n) steps."""


LOGICAL: Final = {np.logical_and, np.logical_or, np.logical_xor}


def operand(ufunc: Any, a: Any, dtype: Any) -> Value:
    """The array in the dtype in which it is reduced."""
    a = as_array(a) if dtype is None else as_array(a).astype(dtype)
    return np.not_equal(a, 0) if ufunc in LOGICAL else a


def first_or_none(out: Any) -> Any:
    """NumPy hands `out` to the protocol as a tuple."""
    return out[0] if isinstance(out, tuple) and len(out) == 1 else out


def fold(
    ufunc: Any,
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Value:
    """`ufunc.reduce`."""
    name = ufunc.__name__
    refuse_out(first_or_none(out), f"{name}.reduce")
    a = operand(ufunc, a, dtype)
    shape = shape_of(a)
    axes = normalized_axis(axis, len(shape))
    if len(axes) != 1 and ufunc not in ASSOCIATIVE:
        raise ValueError(f"reduction operation '{name}' is not reorderable, so at most one axis may be specified")
    neutral = ufunc.identity if initial is None else initial
    if where is not None and where is not True:
        if neutral is None or (ufunc.identity is None and ufunc not in (np.fmax, np.fmin)):
            raise UnsupportedError(
                f"numpy.{name}.reduce with where= is not supported on traced arrays; reduce x[mask] instead"
            )
        a = np.where(where, a, neutral)
    rest = [i for i in range(len(shape)) if i not in axes]
    a = np.reshape(np.transpose(a, (*axes, *rest)), (-1 if axes else 1, *[shape[i] for i in rest]))
    if not shape_of(a)[0]:
        if neutral is None:
            raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
        folded: Value = np.full(shape_of(a)[1:], neutral, dtype_of(a))
    elif ufunc in ASSOCIATIVE:
        folded = by_halves(ufunc, a)
        folded = folded if initial is None else ufunc(folded, initial)
    else:
        folded = a[0] if initial is None else ufunc(initial, a[0])
        for i in range(1, shape_of(a)[0]):
            folded = ufunc(folded, a[i])
    return np.reshape(folded, [1 if i in axes else n for i, n in enumerate(shape)]) if keepdims else folded


def by_halves(ufunc: Any, a: Value) -> Value:
    while (n := shape_of(a)[0]) > 1:
        half = ufunc(a[: n // 2], a[n // 2 : n // 2 * 2])
        a = np.concatenate([half, a[-1:]]) if n % 2 else half
    return a[0]


def scan(ufunc: Any, a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Value:
    """`ufunc.accumulate`."""
    refuse_out(first_or_none(out), f"{ufunc.__name__}.accumulate")
    a = operand(ufunc, a, dtype)
    axis = normalize_axis_index(axis, len(shape_of(a)))
    a = np.moveaxis(a, axis, 0)
    n = shape_of(a)[0]
    if ufunc in ASSOCIATIVE:
        length = 1
        while length < n:  # each entry is that of the last `length` ones up to it
            a = np.concatenate([a[:length], ufunc(a[:-length], a[length:])])
            length *= 2
    elif n:
        parts = [a[0]]
        for i in range(1, n):
            parts.append(ufunc(parts[-1], a[i]))
        a = np.stack(parts)
    return np.moveaxis(a, 0, axis)


def slices(ufunc: Any, a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Value:
    """`ufunc.reduceat`."""
    refuse_out(first_or_none(out), f"{ufunc.__name__}.reduceat")
    a = operand(ufunc, a, dtype)
    axis = normalize_axis_index(axis, len(shape_of(a)))
    a = np.moveaxis(a, axis, 0)
    n = shape_of(a)[0]
    starts = [int(i) for i in indices]
    for i in starts:
        if not 0 <= i < n:
            raise IndexError(f"index {i} out-of-bounds in {ufunc.__name__}.reduceat [0, {n})")
    parts = [
        ufunc.reduce(a[start:stop]) if start < stop else a[start]
        for start, stop in zip(starts, [*starts[1:], n], strict=True)
    ]
    return np.moveaxis(np.stack(parts), 0, axis)
