"""Autograd's `autograd.scipy.signal`: `convolve` with its own signature, and `xformad.scipy.signal`.

>>> import numpy as np
>>> convolve(np.array([1.0, 2.0]), np.array([1.0, 0.0, 1.0]))
array([1., 2., 1., 2.])
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from xformad.compat.autograd.scipy.faces import names_of
from xformad.core.interpreter import ndim_of, shape_of
from xformad.core.typing import Value

globals().update(names_of("signal"))

Axes = Sequence[int]


def convolve(
    A: Value,
    B: Value,
    axes: Sequence[Axes] | None = None,
    dot_axes: Sequence[Axes] = ((), ()),
    mode: Literal["full", "valid", "same"] = "full",
) -> Value:
    """Convolve along some axes, and sum products along others.

    Args:
        A: the signal, an array.
        B: the kernel, an array.
        axes: the axes of A and those of B to convolve along; all of them if not given.
        dot_axes: the axes of A and those of B to sum products along.
        mode: which part: all, where the arrays overlap entirely, or as many as A has, from the middle.

    Returns:
        An array of the other axes of A, the other axes of B, and the convolved axes.

    Raises:
        ValueError: for another mode, or in mode "valid" if neither array is larger along all axes.
    """
    if mode not in ("valid", "full", "same"):
        raise ValueError(f"Mode {mode} undefined, it can be one of 'valid', 'full', and 'same'")
    along_a, along_b = (range(ndim_of(A)), range(ndim_of(A))) if axes is None else axes
    letters = iter(string.ascii_letters)
    names_a, names_b = [next(letters) for _ in shape_of(A)], [next(letters) for _ in shape_of(B)]
    for i, j in zip(*dot_axes, strict=True):
        names_b[j] = names_a[i]
    lengths = [(shape_of(A)[i], shape_of(B)[j]) for i, j in zip(along_a, along_b, strict=True)]
    swapped = mode != "same" and any(n < m for n, m in lengths)
    if mode == "valid" and swapped and any(n > m for n, m in lengths):
        raise ValueError("One array must be larger than the other along all convolved dimensions")
    windows, kernel = (B, A) if swapped else (A, B)
    names_windows, names_kernel = (names_b, names_a) if swapped else (names_a, names_b)
    out = []
    for i, j in zip(*((along_b, along_a) if swapped else (along_a, along_b)), strict=True):
        size = shape_of(kernel)[j]
        windows = windows_along(windows, i, size, mode)
        kernel = np.flip(kernel, j)
        names_windows.append(names_kernel[j])
        out.append(names_windows[i])
    summed = {names_a[i] for i in dot_axes[0]} | set(out)
    rest_a = [name for i, name in enumerate(names_a[: ndim_of(A)]) if name not in summed and i not in along_a]
    rest_b = [name for j, name in enumerate(names_b[: ndim_of(B)]) if name not in summed and j not in along_b]
    operands = f"{''.join(names_windows)},{''.join(names_kernel)}->{''.join(rest_a + rest_b + out)}"
    return np.einsum(operands, windows, kernel, optimize=True)


def windows_along(x: Value, axis: int, size: int, mode: str) -> Value:
    """The windows of that size along an axis, on a new last axis; first padded with zeros as the mode says."""
    right = {"full": size - 1, "same": (size - 1) // 2, "valid": 0}[mode]
    left = 0 if mode == "valid" else size - 1 - (right if mode == "same" else 0)
    if left or right:
        x = np.pad(x, [(left, right) if i == axis else (0, 0) for i in range(ndim_of(x))])
    count = shape_of(x)[axis] - size + 1
    before = (slice(None),) * axis
    return np.stack([x[(*before, slice(start, start + count))] for start in range(size)], axis=-1)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.scipy.signal' has no attribute '{name}'")
