"""Orders and positions: whole numbers, so without derivative. Sorting itself is indexing with them."""

from __future__ import annotations

import numpy as np

from xformad.core.interpreter import agreed, anywhere, dtype_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import Batched, Differs, along_axes, defbatch, spread_out
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.operations.makers import nondifferentiable


def argsort_value(x: Value, axis: int) -> Value:
    return np.argsort(x, axis=axis, kind="stable")


argsort = nondifferentiable("argsort", argsort_value)
defbatch(argsort, along_axes(argsort))


def sided_order(x: Series, side: int, axis: int) -> Value:
    """The order for small t > 0, or for t < 0."""
    keys = [c if side > 0 or n % 2 == 0 else -c for n, c in enumerate(x) if c is not None]
    return np.lexsort(tuple(keys[::-1]), axis=axis)


def order_series(taylor: Kinks, order: Value, x: Series, axis: int) -> Value:
    """The order for small t: among equal entries, the coefficients decide. Equal values have the places of the order."""
    values = np.take_along_axis(x[0], order, axis)
    increasing = np.moveaxis(np.sort(values, axis=axis), axis, -1)
    if dtype_of(x[0]).kind == "c" or not anywhere(increasing[..., 1:] == increasing[..., :-1]):
        return order
    found = [sided_order(x, side, axis) for side in (taylor.side, -taylor.side)]
    if anywhere(found[0] != found[1]):
        taylor.kink("an order of equal entries that move apart")
    places = argsort(argsort(values, axis=axis), axis=axis)
    return np.take_along_axis(found[0], places, axis)


deftaylor(argsort, lambda taylor, ans, x, axis: series.still(order_series(taylor, ans, x, axis), x))


def argpartition_value(x: Value, kth: int | tuple[int, ...], axis: int) -> Value:
    return np.argpartition(x, kth, axis=axis)


argpartition = nondifferentiable("argpartition", argpartition_value)
defbatch(argpartition, along_axes(argpartition))
deftaylor(argpartition, lambda taylor, ans, x, axis, **_: series.still(order_series(taylor, ans, x, axis), x))


def lexsort_value(*keys: Value, axis: int) -> Value:
    return np.lexsort(keys, axis=axis)


lexsort = nondifferentiable("lexsort", lexsort_value, 64)


def lexsort_batch(size: int, batched: Batched, *keys: Value, axis: int) -> Value:
    return lexsort(*spread_out(size, batched, keys), axis=axis + 1 if axis >= 0 else axis)


defbatch(lexsort, lexsort_batch)


def searchsorted_value(a: Value, v: Value, *sorter: Value, side: str) -> Value:
    return np.searchsorted(a, v, side, *sorter)  # type: ignore[call-overload]


searchsorted = nondifferentiable("searchsorted", searchsorted_value, 3)


def searchsorted_batch(size: int, batched: Batched, a: Value, v: Value, *sorter: Value, side: str) -> Value:
    """In a batch of arrays: where a stable sort of the array and the values together puts them.

    A value's place in it, less the number of values before it, is the number of the array's entries before it. Values
    stand before equal entries for the side "left".
    """
    if not any(batched[::2]):
        return searchsorted(a, v, *sorter, side=side)
    a, v, *order = spread_out(size, batched, (a, v, *sorter))
    if order:
        a = np.take_along_axis(a, order[0], axis=1)
    shape, v = v.shape, v.reshape((size, -1)) if size else v.reshape((0, 0))
    together = np.concatenate([v, a] if side == "left" else [a, v], axis=1)
    start = 0 if side == "left" else a.shape[1]
    places = argsort(argsort(together, axis=1), axis=1)[:, start : start + v.shape[1]]
    return np.reshape(places - argsort(argsort(v, axis=1), axis=1), shape)


defbatch(searchsorted, searchsorted_batch)

digitize = nondifferentiable("digitize", np.digitize, 2)


def digitize_batch(size: int, batched: Batched, x: Value, bins: Value, right: bool) -> Value:
    """As NumPy's: a search in the bins, from behind where they decrease."""
    if not batched[1]:
        return digitize(x, bins, right=right)
    change = bins[:, 1:] - bins[:, :-1]
    rises, falls = np.all(change >= 0, axis=1), np.all(change <= 0, axis=1)
    if anywhere(~(rises | falls)):
        raise ValueError("bins must be monotonically increasing or decreasing")
    found = searchsorted_batch(
        size, batched[::-1], np.where(rises[:, None], bins, bins[:, ::-1]), x, side="left" if right else "right"
    )
    rises = rises.reshape((size,) + (1,) * (found.ndim - 1))
    return np.where(rises, found, bins.shape[1] - found)


defbatch(digitize, digitize_batch)


def running_extremum_value(x: Value, axis: int, largest: bool) -> Value:
    extreme = (np.maximum if largest else np.minimum).accumulate(x, axis=axis)
    x, extreme = np.moveaxis(x, axis, 0), np.moveaxis(extreme, axis, 0)
    fresh = x[1:] > extreme[:-1] if largest else x[1:] < extreme[:-1]
    fresh |= np.isnan(x[1:]) > np.isnan(extreme[:-1])
    places = np.arange(1, max(len(x), 1)).reshape((-1,) + (1,) * (x.ndim - 1))
    found = np.concatenate([np.zeros_like(x[:1], int), np.where(fresh, places, 0)])
    return np.moveaxis(np.maximum.accumulate(found, axis=0), 0, axis)


# The place of the largest or smallest entry up to each one; of equal ones the first.
running_extremum: Primitive = nondifferentiable("running_extremum", running_extremum_value)
defbatch(running_extremum, along_axes(running_extremum))


def running_extremum_series(taylor: Kinks, places: Value, x: Series, axis: int, largest: bool) -> Series:
    """The places for small t: among equal entries, the coefficients decide."""
    extreme = np.take_along_axis(x[0], places, axis)
    here = np.reshape(np.arange(x[0].shape[axis]), [-1 if i == axis else 1 for i in range(x[0].ndim)])
    if not anywhere(np.logical_and(x[0] == extreme, places != here)):
        return series.still(places, x)
    found = []
    for side in (taylor.side, -taylor.side):
        ranks = argsort(sided_order(x, side, axis), axis=axis)
        found.append(running_extremum(ranks, axis=axis, largest=largest))
    if anywhere(found[0] != found[1]):
        taylor.kink("a running extremum of equal entries that move apart")
    return series.still(found[0], x)


deftaylor(running_extremum, running_extremum_series)


def unique_value(x: Value, axis: int | None, equal_nan: bool) -> tuple[Value, ...]:
    """The positions of the first occurrences, the inverse, and the counts."""
    found = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan)
    return tuple(found[1:])


unique = nondifferentiable(Primitive("unique", unique_value, multiple=True), unique_value)


def unique_batch(size: int, _batched: Batched, x: Value, axis: int | None, equal_nan: bool) -> tuple[Value, ...]:
    """One example after the other: NumPy has no form for several. Their numbers of unique entries must be the same."""
    found = [unique_value(example, axis, equal_nan) for example in agreed(x)]
    Differs.check([len(first) for first, _, _ in found])
    return tuple([np.stack(parts) for parts in zip(*found, strict=True)])


defbatch(unique, unique_batch)
