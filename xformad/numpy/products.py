"""Faces of the products: `dot`, `inner`, `outer`, `tensordot`, `einsum`, `kron`, `cross`, ..."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.numpy.elementwise import COMPOSED
from xformad.numpy.implements import as_array, implements, normalized_axis, refuse_out
from xformad.numpy.memory import aliased
from xformad.operations import einsum as einsums
from xformad.operations import products
from xformad.operations.products import matmul


@implements(np.dot, method="dot")
def dot(a: Any, b: Any, out: Any = None) -> Value:
    if out is not None:
        refuse_out(out, "dot")
    return products.dot.bind(as_array(a), as_array(b))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Value:
    a, b = as_array(a), as_array(b)
    left, right = len(shape_of(a)), len(shape_of(b))
    if left == 0 or right == 0:
        return a * b
    if right == 1:
        return matmul(a, b)
    if left == 1 and right == 2:
        return matmul(b, a)
    return products.tensordot(a, b, axes=((left - 1,), (right - 1,)))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Value:
    refuse_out(out, "outer")
    return np.reshape(as_array(a), (-1, 1)) * np.reshape(as_array(b), (1, -1))


def conjugated(x: Value) -> Value:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Value:
    return matmul(conjugated(np.ravel(as_array(a))), np.ravel(as_array(b)))


def vecdot(x1: Value, x2: Value, axis: int = -1) -> Value:
    if axis != -1:
        x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    x1 = conjugated(x1)
    if len(shape_of(x1)) == 1 and len(shape_of(x2)) == 1:
        return matmul(x1, x2)
    return matmul(x1[..., None, :], x2[..., None])[..., 0, 0]


def matvec(x1: Value, x2: Value) -> Value:
    return matmul(x1, x2) if len(shape_of(x2)) == 1 else matmul(x1, x2[..., None])[..., 0]


def vecmat(x1: Value, x2: Value) -> Value:
    x1 = conjugated(x1)
    return matmul(x1, x2) if len(shape_of(x1)) == 1 else matmul(x1[..., None, :], x2)[..., 0, :]


COMPOSED[np.vecdot] = vecdot
if hasattr(np, "matvec"):  # NumPy 2.2
    COMPOSED[np.matvec] = matvec
    COMPOSED[np.vecmat] = vecmat


@implements(np.linalg.vecdot)
def linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Value:
    return vecdot(as_array(x1), as_array(x2), axis)


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Value:
    return matmul(as_array(x1), as_array(x2))


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Value:
    x1, x2 = as_array(x1), as_array(x2)
    if len(shape_of(x1)) != 1 or len(shape_of(x2)) != 1:
        return on_zeros(np.linalg.outer, x1, x2)
    return x1[:, None] * x2


def on_zeros(function: Callable[..., Any], *values: Value, **options: Any) -> Value:
    """A function of zeros in the shapes of the values: for NumPy's own errors about shapes."""
    return function(*(np.zeros(shape_of(value)) for value in values), **options)


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Value:
    a, b = as_array(a), as_array(b)
    left, right = len(shape_of(a)), len(shape_of(b))
    if isinstance(axes, int | np.integer):
        if not 0 <= axes <= min(left, right):
            return on_zeros(np.tensordot, a, b, axes=axes)
        of_a, of_b = tuple(range(left - axes, left)), tuple(range(axes))
    else:
        given_a, given_b = axes
        of_a, of_b = normalized_axis(as_axes(given_a), left), normalized_axis(as_axes(given_b), right)
    return products.tensordot(a, b, axes=(of_a, of_b))


def as_axes(axes: Any) -> Any:
    return axes.tolist() if isinstance(axes, np.ndarray) else axes


@implements(np.kron)
def kron(a: Any, b: Any) -> Value:
    a, b = as_array(a), as_array(b)
    rank = max(len(shape_of(a)), len(shape_of(b)))
    left = (1,) * (rank - len(shape_of(a))) + shape_of(a)
    right = (1,) * (rank - len(shape_of(b))) + shape_of(b)
    if rank == 0:
        return a * b
    spaced = np.reshape(a, [n for length in left for n in (length, 1)])
    product = spaced * np.reshape(b, [n for length in right for n in (1, length)])
    return np.reshape(product, [m * n for m, n in zip(left, right, strict=True)])


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Value:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = as_array(a), as_array(b)
    a, b = last(a, axisa), last(b, axisb)
    lengths = (shape_of(a)[-1], shape_of(b)[-1])
    if lengths == (3, 3):
        product = products.cross(a, b)
        return product if axisc == -1 else np.moveaxis(product, -1, axisc)
    on_zeros(np.cross, *(np.zeros(length) for length in lengths))  # its warning about plane vectors, or its error
    if lengths == (2, 2):
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    product = products.cross(in_space(a), in_space(b))
    return product if axisc == -1 else np.moveaxis(product, -1, axisc)


def last(x: Value, axis: int) -> Value:
    axis = normalize_axis_index(axis, len(shape_of(x)))
    return x if axis == len(shape_of(x)) - 1 else np.moveaxis(x, axis, -1)


def in_space(x: Value) -> Value:
    """A vector of the plane with a third component, zero."""
    return x if shape_of(x)[-1] == 3 else np.concatenate([x, 0 * x[..., :1]], axis=-1)


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Value:
    x1, x2 = as_array(x1), as_array(x2)
    if shape_of(x1)[axis] != 3 or shape_of(x2)[axis] != 3:
        return on_zeros(np.linalg.cross, x1, x2, axis=axis)
    return cross(x1, x2, axis=axis)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Value:
    refuse_out(out, "linalg.multi_dot")
    factors = [as_array(x) for x in arrays]
    shapes = [shape_of(x) for x in factors]
    if len(factors) < 2 or any(len(shape) != 2 for shape in shapes[1:-1]):
        return on_zeros(lambda *zeros: np.linalg.multi_dot(zeros), *factors)
    left, right = len(shapes[0]) == 1, len(shapes[-1]) == 1
    if left:
        factors[0] = factors[0][None, :]
    if right:
        factors[-1] = factors[-1][:, None]
    product = in_order(factors, 0, len(factors) - 1, best_splits([shape_of(x) for x in factors]))
    if left and right:
        return product[0, 0]
    return product[0] if left else product[:, 0] if right else product


def best_splits(shapes: list[Shape]) -> dict[tuple[int, int], int]:
    """Where to split each run of factors for the fewest multiplications (Cormen et al., matrix-chain multiplication)."""
    lengths = [shape[0] for shape in shapes] + [shapes[-1][1]]
    count = len(shapes)
    cost = {(i, i): 0 for i in range(count)}
    splits = {}
    for size in range(1, count):
        for i in range(count - size):
            j = i + size
            cost[i, j], splits[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k) for k in range(i, j)
            )
    return splits


def in_order(factors: list[Value], i: int, j: int, splits: dict[tuple[int, int], int]) -> Value:
    if i == j:
        return factors[i]
    k = splits[i, j]
    return matmul(in_order(factors, i, k, splits), in_order(factors, k + 1, j, splits))


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Value:
    refuse_out(out, "einsum")
    if options.get("dtype") is not None:
        raise UnsupportedError("numpy.einsum with dtype= is not supported on traced arrays; cast with x.astype(dtype)")
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0], [as_array(x) for x in operands[1:]]
    else:
        subscripts, arrays = from_lists(operands)
    shapes = [shape_of(x) for x in arrays]
    explicit = explicit_subscripts(subscripts.replace(" ", ""), shapes)
    if explicit is None:
        on_zeros(partial(np.einsum, subscripts), *arrays)
        raise ValueError(f"einsum: bad subscripts '{subscripts}' for operands of shapes {shapes}")
    if isinstance(optimize, list | tuple):
        optimize = tuple(tuple(step) if isinstance(step, list | tuple) else step for step in optimize)
    result = einsums.einsum.bind(*arrays, subscripts=explicit, optimize=optimize)
    inputs, _, output = explicit.partition("->")
    return aliased(result, arrays[0]) if set(inputs) == set(output) else result


NAMES = ascii_uppercase + ascii_lowercase
"""The letters of the numbers in lists of subscripts, in the order in which implicit results have their axes."""


def from_lists(operands: tuple[Any, ...]) -> tuple[str, list[Value]]:
    """`(x, [0, 1], y, [1, 2], [0, 2])` as a string of subscripts and the operands."""
    pairs, output = operands, ""
    if len(operands) % 2:
        pairs, output = operands[:-1], "->" + term(operands[-1])
    return ",".join(term(part) for part in pairs[1::2]) + output, [as_array(x) for x in pairs[::2]]


def term(labels: Any) -> str:
    return "".join("..." if label is Ellipsis else NAMES[int(label)] for label in labels)


def explicit_subscripts(subscripts: str, shapes: list[Shape]) -> str | None:
    """The subscripts with the result written out and a letter for each axis of an ellipsis; None if they are wrong.

    >>> explicit_subscripts("...ij,jk", [(5, 2, 3), (3, 4)])
    'aij,jk->aik'
    """
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        return None
    letters = inputs.replace("...", "").replace(",", "")
    if not arrow:
        output = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
        output = ("..." if "..." in inputs else "") + output
    if not set(letters + output.replace("...", "")) <= set(ascii_letters):
        return None
    unused = "".join(letter for letter in ascii_letters if letter not in letters)
    counts = [len(shape) - len(part.replace("...", "")) for part, shape in zip(terms, shapes, strict=True)]
    if any(count < 0 or (count and "..." not in part) for part, count in zip(terms, counts, strict=True)):
        return None
    most = max(counts)
    if most > len(unused) or (most and "..." not in output):
        return None
    axes = unused[:most]
    expanded = [part.replace("...", axes[most - count :]) for part, count in zip(terms, counts, strict=True)]
    return f"{','.join(expanded)}->{output.replace('...', axes)}"


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Value:
    a = as_array(a)
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return on_zeros(np.linalg.matrix_power, a, n=n)
    n = int(n.__index__())
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 0:
        identity = np.zeros(shape, dtype_of(a))
        identity[...] = np.eye(shape[-1], dtype=dtype_of(a))
        return identity
    if n == 3:  # NumPy's order
        return matmul(matmul(a, a), a)
    result: Value = None
    while True:
        n, odd = divmod(n, 2)
        if odd:
            result = a if result is None else matmul(result, a)
        if not n:
            return result
        a = matmul(a, a)
