"""What kernels compute, for every dtype, against NumPy: the same bits, of the same dtype, and in one kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import xformad.numpy as xnp
from xformad import grad, jit, tree, vjp

Array = np.ndarray[Any, np.dtype[Any]]

Row = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of division by zero and the like

SIGNED: Final = ("int8", "int16", "int32", "int64")
UNSIGNED: Final = ("uint8", "uint16", "uint32", "uint64")
FLOATS: Final = ("float32", "float64")
COMPLEX: Final = ("complex64", "complex128")
DTYPES: Final = ("bool", *SIGNED, *UNSIGNED, *FLOATS, *COMPLEX)

KINDS: Final = {"bool": "b", **dict.fromkeys(SIGNED, "i"), **dict.fromkeys(UNSIGNED, "u"), **dict.fromkeys(FLOATS, "f")}

ENTRYWISE: Final[dict[str, dict[str, Row]]] = {
    "biufc": {
        "add": lambda x, y: x + y,
        "multiply": lambda x, y: x * y,
        "square": lambda x, _: np.square(x),
        "equal": lambda x, y: x == y,
        "not equal": lambda x, y: x != y,
        "where": lambda x, y: np.where(x == y, x, y),
        "as a truth value": lambda x, _: x.astype(bool),
        "real": lambda x, _: np.real(x),
        "conjugate": lambda x, _: np.conjugate(x),
        "whole": lambda x, _: np.positive(x) if x.dtype != bool else x,
    },
    "biuf": {
        "less": lambda x, y: x < y,
        "less or equal": lambda x, y: x <= y,
        "greater": lambda x, y: x > y,
        "greater or equal": lambda x, y: x >= y,
        "maximum": lambda x, y: np.maximum(x, y),
        "minimum": lambda x, y: np.minimum(x, y),
        "absolute": lambda x, _: abs(x),
        "logical and": lambda x, y: np.logical_and(x, y),
        "logical or": lambda x, y: np.logical_or(x, y),
        "logical xor": lambda x, y: np.logical_xor(x, y),
        "logical not": lambda x, _: np.logical_not(x),
        "to float64": lambda x, _: x.astype(np.float64),
        "to float32": lambda x, _: x.astype(np.float32),
        "to complex128": lambda x, _: x.astype(np.complex128),
        "times an imaginary number": lambda x, _: x * 1j,
    },
    "iufc": {
        "subtract": lambda x, y: x - y,
        "negative": lambda x, _: -x,
    },
    "iuf": {
        "floor divide": lambda x, y: x // y,
        "remainder": lambda x, y: x % y,
        "fmod": lambda x, y: np.fmod(x, y),
        "sign": lambda x, _: np.sign(x),
        "floor": lambda x, _: np.floor(x),
        "ceil": lambda x, _: np.ceil(x),
        "trunc": lambda x, _: np.trunc(x),
        "clip": lambda x, _: np.clip(x, 1, 5),
        "a constant": lambda x, _: (x + 3, x < 3, x * np.arange(2, dtype=np.int8)[1]),
    },
    "biu": {
        "bitwise and": lambda x, y: x & y,
        "bitwise or": lambda x, y: x | y,
        "bitwise xor": lambda x, y: x ^ y,
        "invert": lambda x, _: ~x,
        "to int8": lambda x, _: x.astype(np.int8),
        "to uint16": lambda x, _: x.astype(np.uint16),
        "to int64": lambda x, _: x.astype(np.int64),
        "to uint64": lambda x, _: x.astype(np.uint64),
    },
    "iu": {
        "left shift": lambda x, y: np.left_shift(x, y),
        "right shift": lambda x, y: np.right_shift(x, y),
        "powers": lambda x, _: (x**2, x**3, x**4),
        "round": lambda x, _: np.round(x),
    },
    "fc": {
        "divide": lambda x, y: x / y,
        "reciprocal": lambda x, _: np.reciprocal(x),
        "isnan": lambda x, _: np.isnan(x),
        "isinf": lambda x, _: np.isinf(x),
        "isfinite": lambda x, _: np.isfinite(x),
    },
    "f": {
        "fmax": lambda x, y: np.fmax(x, y),
        "fmin": lambda x, y: np.fmin(x, y),
        "copysign": lambda x, y: np.copysign(x, y),
        "heaviside": lambda x, y: np.heaviside(x, y),
        "sqrt": lambda x, _: np.sqrt(x),
        "rint": lambda x, _: np.rint(x),
        "signbit": lambda x, _: np.signbit(x),
        "units of angles": lambda x, _: (np.deg2rad(x), np.rad2deg(x), np.radians(x), np.degrees(x)),
        "round": lambda x, _: (np.round(x), np.round(x, 2), np.round(x, -1)),
        "nan_to_num": lambda x, _: (np.nan_to_num(x), np.nan_to_num(x, nan=1.5, posinf=2.0, neginf=-3.0)),
        "imag": lambda x, _: np.imag(x),
        "ldexp": lambda x, _: (np.ldexp(x, 3), np.ldexp(x, -1030)),
        "square by power": lambda x, _: x**2,
        "a constant": lambda x, _: (x + 3, x < 0.1, x * np.float32(0.5)),
    },
    "c": {
        "imag": lambda x, _: np.imag(x),
        "a constant": lambda x, _: (x + 3, x * 2j, x == 1),
    },
}
"""Operations entry by entry on two arrays of a dtype, by the kinds of dtypes that they are tried for."""

WHOLE: Final[dict[str, dict[str, Row]]] = {
    "biufc": {
        "sum": lambda x: (np.sum(x), np.sum(x, axis=0), np.sum(x, axis=1, keepdims=True)),
        "cumsum": lambda x: (np.cumsum(x, axis=0), np.cumsum(x, axis=1), np.cumsum(x)),
        "cumprod": lambda x: np.cumprod(x, axis=1),
        "rows": lambda x: (x[[0, -1, 0]], x[np.array([[1, 0], [2, 2]])]),
        "columns": lambda x: (x[:, [1, -1]], x[..., [0]], x[1:, [2, 0]], x[0, [2, 0]], x[[2, 0], None, 1]),
        "entries": lambda x: (x[[0, 2], [1, -1]], x[np.array([[0], [2]]), np.array([1, 3])]),
        "arrays apart": lambda x: x[None][[0, 0], :, [1, -1]],
        "mask": lambda x: (x[np.array([True, False, True])], x[np.eye(3, 4) > 0]),
        "take": lambda x: (
            np.take(x, [1, 1], axis=0),
            np.take(x, [5, -1]),
            np.take_along_axis(x, np.eye(3, 4, dtype=int), 0),
        ),
        "roll": lambda x: (np.roll(x, 1), np.roll(x, (-1, 2), (0, 1)), np.roll(x, 7, axis=1)),
        "views": lambda x: (
            x.T,
            x[::-1, 1:],
            x.reshape(4, 3),
            x.reshape((2, 6), order="F"),
            np.ravel(x),
            np.flip(x, 1),
        ),
        "joined": lambda x: (np.concatenate([x, x[:1]]), np.stack([x[0], x[1]], axis=1), np.pad(x, 1)),
        "diagonals": lambda x: (np.diagonal(x), np.trace(x), np.tril(x), np.triu(x, 1)),
        "repeated": lambda x: (np.repeat(x, 2, axis=0), np.tile(x, (2, 1))),
    },
    "biuf": {
        "max": lambda x: (np.max(x), np.max(x, axis=0), np.max(x, axis=1)),
        "min": lambda x: (np.min(x), np.min(x, axis=0), np.min(x, axis=(0, 1))),
        "argmax": lambda x: (np.argmax(x), np.argmax(x, axis=0), np.argmax(x, axis=1, keepdims=True)),
        "argmin": lambda x: (np.argmin(x), np.argmin(x, axis=0), np.argmin(x.T, axis=-1)),
        "any": lambda x: (np.any(x), np.any(x, axis=0)),
        "all": lambda x: (np.all(x), np.all(x, axis=1)),
        "count_nonzero": lambda x: (np.count_nonzero(x), np.count_nonzero(x, axis=0)),
    },
    "iu": {"prod": lambda x: (np.prod(x), np.prod(x, axis=0)), "diff": lambda x: np.diff(x)},
    "f": {"prod": lambda x: np.prod(x, axis=0), "diff": lambda x: np.diff(x), "mean": lambda x: np.mean(x, axis=0)},
    "c": {"prod": lambda x: np.sum(x, axis=(0, 1), keepdims=True)},
}
"""Operations on a matrix."""


def rows_of(table: dict[str, dict[str, Row]], dtype: str) -> dict[str, Row]:
    """The operations to try for a dtype."""
    kind = KINDS.get(dtype, "c")
    return {name: row for kinds, rows in table.items() if kind in kinds for name, row in rows.items()}


def numbers(dtype: str) -> Array:
    """Ordinary numbers of a dtype and extreme ones."""
    kind = KINDS.get(dtype, "c")
    if kind == "b":
        return np.array([False, True])
    if kind in "iu":
        bounds = np.iinfo(dtype)
        small = [0, 1, 2, 3, 7, 31] + ([-1, -2, -5] if kind == "i" else [])
        return np.array([*small, bounds.min, bounds.max, bounds.max - 1, bounds.min + 1], dtype)
    if kind == "f":
        info = np.finfo(dtype)
        ordinary = [0.0, 0.1, 1.0, 2.5, 3.0, 8.0, 1234.567]
        positive = np.array([*ordinary, info.max, info.tiny, info.smallest_subnormal, np.inf, np.nan], dtype)
        return np.concatenate([positive, -positive])
    parts = [0.0, -0.0, 1.0, -2.0, 0.5, 3.0, np.inf, np.nan]
    found = np.empty((len(parts), len(parts)), dtype)
    found.real, found.imag = np.array(parts)[:, None], parts
    return found.ravel()


EITHER_ZERO: Final = frozenset(("maximum", "minimum", "fmax", "fmin", "clip"))
"""Operations that may give 0 or -0 where their operands are 0 and -0: NumPy says nothing of it."""


def assert_identical(expected: Any, found: Any, what: str) -> None:
    """Of the same shape, dtype, and the same bits, but for the sign of NaN."""
    expected, found = tree.leaves_of(expected), tree.leaves_of(found)
    assert len(expected) == len(found)
    for x, y in zip(map(np.asarray, expected), map(np.asarray, found), strict=True):
        assert x.shape == y.shape, what
        assert x.dtype == y.dtype, what
        for a, b in [(x.real, y.real), (x.imag, y.imag)] if x.dtype.kind == "c" else [(x, y)]:
            np.testing.assert_array_equal(a, b, what)
            if a.dtype.kind == "f" and what not in EITHER_ZERO:
                here = ~np.isnan(a)
                np.testing.assert_array_equal(np.signbit(a)[here], np.signbit(b)[here], what)


def outside(fast: Any, *args: Array) -> set[str]:
    """The operations of a jitted function that are not in kernels."""
    names = {node.primitive.name for node in fast.path(args, {}).program.graph.equations}
    assert "kernel" in names
    return names - {"kernel", "component"}


def agrees(rows: dict[str, Row], *args: Array) -> None:
    """All operations together, in one kernel, give what each gives in plain running."""
    fast = jit(lambda *args: [row(*args) for row in rows.values()])
    assert not outside(fast, *args)
    for (name, row), found in zip(rows.items(), fast(*args), strict=True):
        assert_identical(row(*args), found, name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_entry_by_entry(dtype: str) -> None:
    each = numbers(dtype)
    agrees(rows_of(ENTRYWISE, dtype), np.repeat(each, len(each)), np.tile(each, len(each)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_arrays(dtype: str) -> None:
    x = (np.arange(12) * 5 % 7 - 2).reshape(3, 4).astype(dtype)
    if dtype in COMPLEX:
        x = x + x.dtype.type(1j) * x[::-1]
    agrees(rows_of(WHOLE, dtype), x)


@pytest.mark.parametrize("dtype", ["bool", "int16", "float64", "complex128"])
@pytest.mark.parametrize("form", ["no axes", "empty", "broadcast", "not contiguous"])
def test_forms_of_arrays(dtype: str, form: str) -> None:
    each = numbers(dtype)
    x, y = {
        "no axes": (each[1], each[-2:].reshape(2)[0]),
        "empty": (each[:0], each[:0]),
        "broadcast": (each[:, None], each),
        "not contiguous": (np.repeat(each, 2)[::2], np.repeat(each, 3)[::-3]),
    }[form]
    agrees(rows_of(ENTRYWISE, dtype), x, y)


def test_empty_sums() -> None:
    for dtype in ("int32", "float64", "complex64"):
        agrees({"sums": lambda x: (np.sum(x), np.sum(x, axis=0), np.cumsum(x, axis=1))}, np.zeros((0, 3), dtype))


def test_long_sums_of_integers_and_complex_numbers() -> None:
    random = np.random.default_rng(0)
    for x in (random.integers(-100, 100, (3, 5000)), random.integers(-9, 9, (3, 5000)) * (1.0 - 2.0j)):
        agrees({"sums": lambda x: (np.sum(x, axis=1), np.sum(x, axis=0), np.sum(x))}, x)


def test_inexact_operations_on_complex_numbers() -> None:
    """NumPy rounds products and sums together on some machines. The error is small beside the factors."""
    random = np.random.default_rng(0)
    for dtype in (np.complex64, np.complex128):
        x, y = (random.normal(size=(2, 200)) + 1j * random.normal(size=(2, 200))).astype(dtype)
        fast = jit(lambda x, y: (x * y, x / y, 1 / x, x**2, abs(x)))
        expected = (x * y, x / y, 1 / x, x**2, abs(x))
        assert not outside(fast, x, y)
        for a, b in zip(expected, fast(x, y), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_less(np.abs(a - b), 8 * np.finfo(dtype).eps * np.abs(a))


def test_the_exponential_of_complex_numbers() -> None:
    parts = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1400.0, 1e30, np.inf, -np.inf, np.nan]
    for dtype, ends in ((np.complex128, [709.9, 710.0, -745.5]), (np.complex64, [88.9, 89.0, -103.5])):
        z = np.array([complex(a, b) for a in parts + ends for b in parts], dtype)
        fast = jit(lambda z: np.exp(z))
        assert not outside(fast, z)
        for a, b in ((np.exp(z).real, fast(z).real), (np.exp(z).imag, fast(z).imag)):
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
            finite = np.isfinite(a)
            np.testing.assert_array_equal(a[~finite], b[~finite])
            tiny = np.finfo(dtype).tiny
            bound = 4 * np.spacing(np.maximum(np.abs(a[finite]), tiny))
            assert np.all(np.abs(a[finite] - b[finite]) <= bound)


def test_floats_to_integers() -> None:
    bounds = [2.0**31, 2.0**63]
    ends = [end for bound in bounds for x in (bound, bound - 1, bound + 1, bound + 0.5) for end in (x, -x)]
    x = np.array([0.0, -0.0, 1.5, -1.5, 1e30, -1e30, np.inf, -np.inf, np.nan, *ends] * 3)
    near = np.concatenate([x, np.nextafter(x, 0.0), np.nextafter(x, np.inf)])
    rows: dict[str, Row] = {"int32": lambda x: x.astype(np.int32), "int64": lambda x: x.astype(np.int64)}
    for dtype in FLOATS:
        agrees(rows, near.astype(dtype))


def test_functions_of_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    each = np.array([0.0, -0.0, 0.3, 1.0, 2.5, -1.5, 30.0, np.inf, -np.inf, np.nan])
    x, y = np.repeat(each, len(each)), np.tile(each, len(each))
    rows: dict[str, Row] = {
        "entr": lambda x, _: special.entr(x),
        "ndtr": lambda x, _: special.ndtr(x),
        "exprel": lambda x, _: special.exprel(x),
        "xlogy": lambda x, y: special.xlogy(x, y),
        "xlog1py": lambda x, y: special.xlog1py(x, y),
        "huber": lambda x, y: special.huber(x, y),
    }
    for dtype, rtol in (("float64", 1e-15), ("float32", 5e-7)):
        args = x.astype(dtype), y.astype(dtype)
        fast = jit(lambda *args: [row(*args) for row in rows.values()])
        assert not outside(fast, *args)
        for (name, row), found in zip(rows.items(), fast(*args), strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, row(*args), rtol, err_msg=name)


def test_compositions() -> None:
    """Norms, softmax and the like are planned as what they consist of, with their exceptional values."""
    special = pytest.importorskip("xformad.scipy.special")
    x = np.random.default_rng(0).normal(size=(4, 6))
    extreme = x.copy()
    extreme[1, 2], extreme[2], extreme[3, 1] = np.inf, -np.inf, np.nan
    rows: dict[str, Row] = {
        "norms": lambda x: (np.linalg.norm(x, axis=1), np.linalg.norm(x), np.linalg.norm(x, 3, axis=0, keepdims=True)),
        "norm of complex numbers": lambda x: np.linalg.norm(x * (1 + 2j), axis=0),
        "softmax": lambda x: (special.softmax(x, axis=1), special.log_softmax(x, axis=0)),
        "logsumexp": lambda x: (special.logsumexp(x), special.logsumexp(x, axis=1)),
        "cross": lambda x: np.cross(x[:, :3], x[:, 3:]),
        "derivatives": lambda x: [
            grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(x),
            grad(lambda x: np.sum(np.cos(np.linalg.norm(x))))(x),
            grad(lambda x: special.logsumexp(x))(x),
        ],
    }
    fast = jit(lambda x: [row(x) for row in rows.values()])
    for y in (x, extreme, 0 * x, x.astype(np.float32)):
        assert not outside(fast, y)
        expected = [row(y) for row in rows.values()]
        for a, b in zip(tree.leaves_of(expected), tree.leaves_of(fast(y)), strict=True):
            assert a.dtype == b.dtype
            bound = 1e-15 if a.real.dtype == np.float64 else 1e-6
            np.testing.assert_allclose(b, a, rtol=bound, atol=bound)


def test_arrays_of_indices_that_are_traced() -> None:
    x = np.arange(12.0).reshape(3, 4)
    i, j = np.array([0, -1, 2, 2]), np.array([[1], [-4]])
    rows: dict[str, Row] = {
        "rows": lambda x, i, j: x[i],
        "columns": lambda x, i, j: x[:, j],
        "entries": lambda x, i, j: x[i, j],
        "with numbers": lambda x, i, j: (x[1, j], x[i, 1:3], x[j % 3, None, 2]),
        "one": lambda x, i, j: x[i[0]],
        "sums": lambda x, i, j: x[np.argmax(x, axis=0), np.arange(4)],
        "as another type": lambda x, i, j: x[i.astype(np.int8)],
    }
    agrees(rows, x, i, j)
    fast = jit(lambda x, i: np.sum(x[i] ** 2, axis=1))
    fast(x, i)
    for other in (i, -1 - np.abs(i), i * 0):
        assert_identical(np.sum(x[other] ** 2, axis=1), fast(x, other), "sum of squares")


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_out_of_range(index: int) -> None:
    x = np.arange(3.0)
    fast = jit(lambda x, i: x[i] * 2.0)
    good, bad = np.array([0, 2]), np.array([0, index])
    for _ in range(2):
        np.testing.assert_array_equal(fast(x, good), [0.0, 4.0])
        with pytest.raises(IndexError, match=f"index {index} is out of bounds for axis 0 with size 3"):
            fast(x, bad)
    with pytest.raises(IndexError):
        grad(lambda x: np.sum(fast(x, bad)))(x)
    with pytest.raises(IndexError):
        jit(lambda x: x[np.array([0, index])])(x)


def test_the_way_back_of_indexing_adds_up() -> None:
    x = np.arange(12.0).reshape(3, 4)
    i, j = np.array([0, -1, 2, 2]), np.array([1, 1, 3, 3])
    functions: list[Row] = [
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, j],
        lambda x, i: x[[1, 1, 0]] * x[2],
        lambda x, i: np.take_along_axis(x, i[:, None][:3], axis=1),
        lambda x, i: x[np.eye(3, 4) > 0],
    ]
    rows = {
        str(number): lambda x, i, fun=fun: vjp(lambda x: fun(x, i), x)[1](np.cos(fun(x, i)))
        for number, fun in enumerate(functions)
    }
    agrees(rows, x, i)
    for fun in functions:
        fast = jit(fun)
        cotangent = np.sin(np.arange(np.size(fun(x, i)), dtype=float)).reshape(np.shape(fun(x, i)))
        plain = vjp(lambda x, fun=fun: fun(x, i), x)[1](cotangent)
        for _ in range(2):
            assert_identical(plain, vjp(lambda x, fast=fast: fast(x, i), x)[1](cotangent), "vjp of jit")


def test_writing_into_arrays() -> None:
    def written(x: Any, v: Any, i: Any) -> Any:
        y = xnp.array(x)
        y[i] = v
        y[1:, 2] = v[0, 0]
        y[[0, 0], [1, 1]] = v[0, 1:3]  # the last one stays
        y[:, 0] += 1
        return y

    i = np.array([2, 0])
    for dtype in ("int32", "float32", "complex128"):
        x, v = np.arange(12).reshape(3, 4).astype(dtype), -np.arange(8).reshape(2, 4).astype(dtype)
        agrees({"written": written}, x, v, i)
