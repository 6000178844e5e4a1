"""Convolutions: of numbers along the last axis, or the last few, of two arrays; leading axes broadcast.

The full convolution is a product of polynomials, z_i = sum_j x_(i-j) y_j. Its valid part, where no term is missing, is
what its transposes are made of:

    z = full(x, y)          x gets valid(g, flipped y)      y gets valid(g, flipped x)
    z = valid(x, y)         x gets full(g, flipped y)       y gets flipped valid(x, flipped g)

In `valid`, x is not shorter than y along any axis.
"""

from __future__ import annotations

from itertools import product as combinations
from string import ascii_letters
from typing import Any

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Implementation, Value
from xformad.interpreters.batch_rules import aligned, defbatch
from xformad.interpreters.dependence import Dependence, united
from xformad.interpreters.index_sets import Dependences, along_axes, defindexset, numbered, present
from xformad.operations.makers import smooth


def flipped(x: Value, dims: int) -> Value:
    """An array in reverse order along the last axes."""
    return np.flip(x, tuple(range(x.ndim - dims, x.ndim)))


def convolution(name: str, implementation: Implementation) -> Primitive:
    """A primitive that convolves two arrays, with its rules.

    Args:
        name: its name.
        implementation: `implementation(x, y, dims, mode, **options)`. `dims`: along how many of the last axes. `mode`:
            "full" or "valid". The options are passed on to the convolutions in the rules.
    """

    def vjp_left(g: Value, _ans: Value, _x: Value, y: Value, dims: int, mode: str, **options: Any) -> Value:
        other = "valid" if mode == "full" else "full"
        return primitive(g, flipped(y, dims), dims=dims, mode=other, **options)

    def vjp_right(g: Value, _ans: Value, x: Value, _y: Value, dims: int, mode: str, **options: Any) -> Value:
        if mode == "full":
            return primitive(g, flipped(x, dims), dims=dims, mode="valid", **options)
        return flipped(primitive(x, flipped(g, dims), dims=dims, mode="valid", **options), dims)

    primitive = smooth(name, implementation, vjp_left, vjp_right, linear=True)
    defbatch(primitive, aligned(primitive))
    defindexset(primitive, convolution_index_set)
    return primitive


def convolution_index_set(
    dependences: Dependences, ans: Value, x: Value, y: Value, dims: int, mode: str, method: str = "direct"
) -> Dependence:
    """Term by term: an entry of one array meets the entries of the other one, but for the constant zeros among these.

    By other methods than the direct one, all entries have a part in the rounding errors of all.
    """
    if method != "direct":
        return along_axes(*range(-dims, 0))(dependences, ans, x, y)  # type: ignore[no-any-return]
    found = []
    leading = ans.shape[: ans.ndim - dims]
    targets: Any = numbered(ans.shape)
    for i, each in present(dependences):
        operand, other = (x, y) if i == 0 else (y, x)
        sources: Any = np.broadcast_to(numbered(operand.shape), leading + operand.shape[operand.ndim - dims :])
        pairs = []
        for place in combinations(*map(range, other.shape[other.ndim - dims :])):
            if dependences[1 - i] is None and not np.any(other[(..., *place)]):
                continue
            lengths = list(zip(place, operand.shape[operand.ndim - dims :], ans.shape[ans.ndim - dims :], strict=True))
            if mode == "full":  # what is at k meets at k + place
                pairs.append((sources, targets[(..., *[slice(j, j + n) for j, n, _ in lengths])]))
            elif i == 0:
                starts = [m - 1 - j for m, (j, _, _) in zip(other.shape[other.ndim - dims :], lengths, strict=True)]
                within: Any = (..., *[slice(s, s + m) for s, (_, _, m) in zip(starts, lengths, strict=True)])
                pairs.append((sources[within], targets))
            else:  # an entry of y meets another one of x in each entry of the result
                ranges = [np.arange(m) + n - 1 - j for j, n, m in lengths]
                inside = [(r >= 0) & (r < n) for r, (_, n, _) in zip(ranges, lengths, strict=True)]
                pairs.append(
                    (
                        sources[(..., *np.ix_(*[r[ok] for r, ok in zip(ranges, inside, strict=True)]))],
                        targets[(..., *np.ix_(*[np.flatnonzero(ok) for ok in inside]))],
                    )
                )
        if pairs:
            picked = each.pick(np.concatenate([source.ravel() for source, _ in pairs]))
            found.append(picked.merge(np.concatenate([target.ravel() for _, target in pairs]), targets.size))
    return united(found)


def by_windows(x: Value, y: Value, dims: int, mode: str) -> Value:
    """The convolution of stacks of arrays, as products of the windows of one with the other one."""
    if mode == "full":
        if x.shape[-1] < y.shape[-1]:
            x, y = y, x
        x = np.pad(x, [(0, 0)] * (x.ndim - dims) + [(n - 1, n - 1) for n in y.shape[y.ndim - dims :]])
    lengths = y.shape[y.ndim - dims :]
    windows = np.lib.stride_tricks.sliding_window_view(x, lengths, tuple(range(x.ndim - dims, x.ndim)))
    places, summed = ascii_letters[:dims], ascii_letters[dims : 2 * dims]
    return np.einsum(f"...{places}{summed},...{summed}->...{places}", windows, flipped(y, dims))


def convolve_value(x: Value, y: Value, dims: int, mode: str) -> Value:
    if x.ndim == y.ndim == dims == 1:
        return np.convolve(x, y, mode)  # type: ignore[call-overload]
    return by_windows(x, y, dims, mode)


convolve: Primitive = convolution("convolve", convolve_value)
