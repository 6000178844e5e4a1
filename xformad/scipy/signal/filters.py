"""Filters along an axis: `lfilter`, `sosfilt`, forwards and backwards, and the states in which they settle."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import scipy.signal

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.operations import convolutions, shape
from xformad.scipy.faces import face
from xformad.scipy.signal.arguments import along, zeros
from xformad.scipy.signal.recursion import filtered


def longer(c: Value, count: int) -> Value:
    """Coefficients with zeros behind."""
    missing = count - shape_of(c)[-1]
    return shape.pad(c, widths=((0, 0),) * (ndim_of(c) - 1) + ((0, missing),)) if missing > 0 else c


def unchecked(b: Value, a: Value, x: Value, zi: Any) -> bool:
    """Whether arguments are of a form that SciPy is to be asked about."""
    wrong = len(shape_of(b)) != 1 or len(shape_of(a)) != 1 or 0 in shape_of(b) + shape_of(a) or ndim_of(x) == 0
    return wrong or zi is not None or not np.all(a[0] != 0)


@face(scipy.signal.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along an axis: a_0 y_n = sum_k b_k x_(n-k) - sum_(k>0) a_k y_(n-k).

    Args:
        b, a: the coefficients of the filter.
        x: the signal.
        axis: along which axis.
        zi: the state before, as SciPy has it. With it, a pair of the result and the state behind is returned.

    >>> from xformad import grad
    >>> grad(lambda a: np.sum(lfilter([1.0], a, np.ones(3))))(np.array([1.0, -0.5]))
    array([-5.75, -3.  ])
    """
    b, a, x = np.atleast_1d(as_array(b)), np.atleast_1d(as_array(a)), as_array(x)
    if unchecked(b, a, x, zi):
        ones = np.ones(shape_of(a))
        scipy.signal.lfilter(
            np.zeros(shape_of(b)), ones, np.zeros(shape_of(x)), axis, None if zi is None else zeros(zi)
        )
        if not np.all(a[0] != 0):
            scipy.signal.lfilter([1.0], [0.0, 1.0], [1.0])  # SciPy's error
    x = np.moveaxis(x, axis, -1)
    taps = max(shape_of(a)[0], shape_of(b)[0]) - 1
    length = shape_of(x)[-1]
    before: Value = None
    if zi is not None:
        before = np.moveaxis(as_array(zi), axis, -1)
        before = np.broadcast_to(before, (*shape_of(x)[:-1], taps))
    if shape_of(a)[0] == 1:
        full = convolutions.convolve(x, b / a[0], dims=1, mode="full")
        if zi is None:
            return np.moveaxis(full[..., :length], -1, axis)
        full = full + longer(before, shape_of(full)[-1])
        return np.moveaxis(full[..., :length], -1, axis), np.moveaxis(full[..., length:], -1, axis)
    y = filtered(b, a, x)
    if zi is None:
        return np.moveaxis(y, -1, axis)
    y = y + filtered(a[:1], a, longer(before, length)[..., :length])
    return np.moveaxis(y, -1, axis), np.moveaxis(state(b / a[0], a / a[0], x, y, before), -1, axis)


def state(b: Value, a: Value, x: Value, y: Value, before: Value) -> Value:
    """What is left of the state before, of b * x and of -a * y, behind the last entry."""
    taps = shape_of(before)[-1]
    length = shape_of(x)[-1]
    recent = min(length, taps)
    found = longer(before[..., length:], taps)
    for sign, c, z in ((1, b, x), (-1, a, y)):
        if recent and taps:
            behind = convolutions.convolve(z[..., length - recent :], longer(c, taps + 1), dims=1, mode="full")
            found = found + sign * behind[..., recent:]
    return found


@face(scipy.signal.lfilter_zi)
def lfilter_zi(b: Any, a: Any) -> Value:
    """The state in which a filter is when it has settled on the input 1.

    Args:
        b, a: the coefficients of the filter.

    >>> lfilter_zi(np.array([1.0]), np.array([1.0, -0.5]))
    array([1.])
    """
    b, a = np.atleast_1d(as_array(b)), np.atleast_1d(as_array(a))
    if ndim_of(b) != 1 or ndim_of(a) != 1 or shape_of(a)[0] == shape_of(b)[0] == 1:
        return scipy.signal.lfilter_zi(np.ones(shape_of(b)), np.ones(shape_of(a)))  # SciPy's error
    while shape_of(a)[0] > 1 and a[0] == 0.0:
        a = a[1:]
    b, a = b / a[0], a / a[0]
    count = max(shape_of(a)[0], shape_of(b)[0])
    b, a = longer(b, count), longer(a, count)
    kept = np.eye(count - 1) - np.eye(count - 1, k=1)
    matrix = kept + np.concatenate([a[1:, None], np.zeros((count - 1, max(count - 2, 0)))], axis=1)[:, : count - 1]
    kind = np.result_type(dtype_of(a), dtype_of(b))
    return np.linalg.solve(matrix.astype(kind), b[1:] - a[1:] * b[0])


def sections_of(sos: Any) -> Value:
    sos = np.atleast_2d(as_array(sos))
    if ndim_of(sos) != 2 or shape_of(sos)[1] != 6 or not np.all(sos[:, 3] == 1):
        scipy.signal.sosfilt(np.ones(shape_of(sos)) * np.where(np.arange(shape_of(sos)[-1]) == 3, 2.0, 1.0), [1.0])
    return sos


@face(scipy.signal.sosfilt)
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along an axis by a cascade of filters of the second order.

    Args:
        sos: their coefficients, a row (b_0, b_1, b_2, 1, a_1, a_2) for each.
        x, axis: as for `lfilter`.
        zi: the states before, of shape (number of filters, ..., 2, ...); with it, the states behind are returned too.

    >>> sosfilt(np.array([[1.0, 0, 0, 1, -0.5, 0]]), np.ones(3))
    array([1.  , 1.5 , 1.75])
    """
    sos, x = sections_of(sos), as_array(x)
    if zi is not None or ndim_of(x) == 0:
        plain = np.array([[1.0, 0, 0, 1, 0, 0]] * shape_of(sos)[0])
        scipy.signal.sosfilt(plain, np.zeros(shape_of(x)), axis, None if zi is None else zeros(zi))  # SciPy's errors
    axis = axis % ndim_of(x)
    behind = []
    for i in range(shape_of(sos)[0]):
        if zi is None:
            x = section_filtered(sos[i], x, axis)
        else:
            x, last = section_filtered(sos[i], x, axis, as_array(zi)[i])
            behind.append(last)
    return x if zi is None else (x, np.stack(behind))


def section_filtered(section: Value, x: Value, axis: int, zi: Value = None) -> Any:
    return lfilter(section[:3], section[3:], x, axis, zi)


@face(scipy.signal.sosfilt_zi)
def sosfilt_zi(sos: Any) -> Value:
    """The states in which a cascade is when it has settled on the input 1.

    Args:
        sos: the coefficients, as for `sosfilt`.

    >>> sosfilt_zi(np.array([[1.0, 0, 0, 1, -0.5, 0]]))
    array([[1., 0.]])
    """
    sos = sections_of(sos)
    states, gain = [], 1.0
    for i in range(shape_of(sos)[0]):
        b, a = sos[i, :3], sos[i, 3:]
        states.append(gain * lfilter_zi(b, a))
        gain = gain * np.sum(b) / np.sum(a)
    return np.stack(states)


def mirrored(x: Value, edge: int, axis: int, kind: str) -> Value:
    """A signal continued at both ends: "even" mirrors it, "odd" turns it around its end, "constant" goes on."""
    length = shape_of(x)[axis]
    first, last = along(x, 0, 1, axis), along(x, length - 1, length, axis)
    if kind == "constant":
        left, right = np.repeat(first, edge, axis), np.repeat(last, edge, axis)
    else:
        left = np.flip(along(x, 1, edge + 1, axis), axis)
        right = np.flip(along(x, length - edge - 1, length - 1, axis), axis)
        if kind == "odd":
            left, right = 2 * first - left, 2 * last - right
    return np.concatenate([left, x, right], axis=axis)


def prepared(x: Value, axis: int, padtype: Any, padlen: Any, taps: int, example: Any) -> tuple[Value, int]:
    """The signal continued as `filtfilt` does, and by how many entries at each end."""
    edge = 0 if padtype is None else 3 * taps if padlen is None else int(padlen)
    if padtype not in ("even", "odd", "constant", None) or shape_of(x)[axis] <= edge:
        example()  # SciPy's error
    return (mirrored(x, edge, axis, padtype) if edge > 0 else x), edge


@face(scipy.signal.filtfilt)
def filtfilt(
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    irlen: int | None = None,
) -> Value:
    """Filter forwards and then backwards, which shifts no phase.

    Args:
        b, a, x, axis: as for `lfilter`.
        padtype: how the signal goes on beyond its ends: "odd", "even", "constant" or None.
        padlen: by how many entries.
        method: "pad". SciPy's "gust" is refused for traced arrays.
        irlen: for "gust".

    >>> filtfilt(np.array([0.5, 0.5]), np.array([1.0]), np.arange(8.0)).round(12)
    array([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    if method == "gust":
        raise UnsupportedError(
            'scipy.signal.filtfilt of method "gust" has no rules for traced arrays; use method="pad"'
        )
    b, a, x = np.atleast_1d(as_array(b)), np.atleast_1d(as_array(a)), as_array(x)
    taps = max(shape_of(a)[0], shape_of(b)[0])

    def example() -> Any:
        return scipy.signal.filtfilt(np.ones(taps), [1.0], np.zeros(shape_of(x)), axis, padtype, padlen, method)

    if method != "pad" or ndim_of(x) == 0:
        example()
    extended, edge = prepared(x, axis, padtype, padlen, taps, example)
    settled = lfilter_zi(b, a)
    settled = np.reshape(settled, [taps - 1 if i == axis % ndim_of(x) else 1 for i in range(ndim_of(x))])
    y, _ = lfilter(b, a, extended, axis, settled * along(extended, None, 1, axis))
    y, _ = lfilter(b, a, np.flip(y, axis), axis, settled * along(y, -1, None, axis))
    y = np.flip(y, axis)
    return along(y, edge, -edge, axis) if edge > 0 else y


@face(scipy.signal.sosfiltfilt)
def sosfiltfilt(sos: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None) -> Value:
    """Filter forwards and then backwards by a cascade of filters of the second order.

    Args:
        sos: the coefficients, as for `sosfilt`.
        x, axis, padtype, padlen: as for `filtfilt`.

    >>> sosfiltfilt(np.array([[0.5, 0.5, 0, 1, 0, 0]]), np.arange(12.0)).round(12)[:4]
    array([0., 1., 2., 3.])
    """
    sos, x = sections_of(sos), as_array(x)
    taps = 2 * shape_of(sos)[0] + 1
    taps -= min([operator.index(np.sum(sos[:, i] == 0)) for i in (2, 5)])

    def example() -> Any:
        return scipy.signal.sosfiltfilt([[1, 0, 0, 1, 0, 0]], np.zeros(shape_of(x)), axis, padtype, padlen or 3 * taps)

    extended, edge = prepared(x, axis, padtype, padlen, taps, example)
    settled = sosfilt_zi(sos)
    form = [2 if i == axis % ndim_of(x) else 1 for i in range(ndim_of(x))]
    settled = np.reshape(settled, [shape_of(sos)[0], *form])
    y, _ = sosfilt(sos, extended, axis, settled * along(extended, None, 1, axis))
    y, _ = sosfilt(sos, np.flip(y, axis), axis, settled * along(y, -1, None, axis))
    y = np.flip(y, axis)
    return along(y, edge, -edge, axis) if edge > 0 else y
