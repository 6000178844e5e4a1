"""Products inside kernels, against NumPy: every layout of the factors, by tiles and by BLAS, stacks, and contractions."""

from __future__ import annotations

import ctypes
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from xformad import trace
from xformad.compiler.native import blas, partition
from xformad.compiler.native.engine import Kernel
from xformad.compiler.native.planner import Planner
from xformad.compiler.native.plans import products
from xformad.compiler.native.steps import Product
from xformad.compiler.native.views import Buffer, View
from xformad.compiler.passes import simplified
from xformad.compiler.replay import Program

Function = Callable[..., Any]

DTYPES = [np.float64, np.float32, np.complex128, np.complex64, np.int64, np.int8]

generator = np.random.default_rng(5)

PRODUCTS = {"matmul", "dot", "tensordot", "einsum"}


def kernels(fun: Function, *args: Any, outside: bool = False) -> list[Any]:
    """What a function of arrays returns that is compiled for these arguments, from its second run."""
    graph = partition.with_kernels(simplified(trace(fun)(*args)), Kernel)
    left = {node.primitive.name for node in graph.equations if node.primitive is not None}
    assert bool(left & PRODUCTS) == outside
    run = Program(graph).run
    run(*args)
    found: list[Any] = run(*args)
    return found


def check(found: Any, expected: Any, bound: Any) -> None:
    """Compare with what a product may be wrong by in any order of summation: k eps |A| |B| (Higham, sec. 3.5)."""
    expected = np.asarray(expected)
    assert np.shape(found) == expected.shape
    assert np.asarray(found).dtype == expected.dtype
    eps = 0.0 if expected.dtype.kind in "iu" else np.finfo(expected.dtype).eps
    assert np.all(np.abs(found - expected) <= 2 * bound * eps)


def normal(*shape: int, dtype: Any = float) -> Any:
    """Random numbers; whole ones up to 50 as integers."""
    x, y = generator.normal(size=(2, *shape))
    if np.dtype(dtype).kind in "iu":
        return (10 * x).astype(dtype)
    return (x + 1j * y if np.dtype(dtype).kind == "c" else x).astype(dtype)


@pytest.fixture(params=["tiles", "BLAS"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By which all products are computed that are not sums of products of vectors."""
    few = 0 if request.param == "BLAS" else 10**9
    monkeypatch.setattr(products, "FEW", few)
    monkeypatch.setattr(products, "FEW_COPIED", few)
    return str(request.param)


LAYOUTS: dict[str, Function] = {
    "as it is": lambda x: x[:4, 1:],
    "transposed": lambda x: x[1:, :4].T,
    "reversed": lambda x: x[3::-1, 1:],
    "columns reversed": lambda x: x[:4, :0:-1],
    "every second": lambda x: np.concatenate([x, x], axis=1)[:4, 2::2],
    "equal rows": lambda x: np.broadcast_to(x[0, 1:], (4, 4)),
    "equal columns": lambda x: np.broadcast_to(x[1:, :1], (4, 4)),
    "computed": lambda x: np.square(x[:4, 1:]),
    "transposed stack": lambda x: np.stack([x, x + x], axis=2)[1:, :4, 1].T,
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(method: str, dtype: Any) -> None:
    """All combinations in one kernel."""
    pairs = list(itertools.product(LAYOUTS.values(), repeat=2))

    def fun(x: Any, y: Any) -> Any:
        return tuple([left(x) @ right(y) for left, right in pairs])

    x, y = normal(5, 5, dtype=dtype), normal(5, 5, dtype=dtype)
    for found, expected in zip(kernels(fun, x, y), fun(x, y), strict=True):
        check(found, expected, 16.0 * (1.0 + np.max(np.abs(x))) ** 2 * (1.0 + np.max(np.abs(y))) ** 2)


@pytest.mark.parametrize("lengths", [(1, 2, 3, 4), (5, 8, 9), (1, 16, 23), (7, 40)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sizes(lengths: Sequence[int], dtype: Any) -> None:
    """Tiles, their vectors and what is left of both."""
    shapes = list(itertools.product(lengths, repeat=3))
    x, y = normal(50, 50, dtype=dtype), normal(50, 50, dtype=dtype)

    def fun(x: Any, y: Any) -> Any:
        return tuple([x[:m, :k] @ y[:k, :n] for m, k, n in shapes])

    for (m, k, n), found in zip(shapes, kernels(fun, x, y), strict=True):
        check(found, x[:m, :k] @ y[:k, :n], k * (np.abs(x[:m, :k]) @ np.abs(y[:k, :n])))


def test_large() -> None:
    x, y, v = normal(130, 210), normal(210, 150), normal(210)

    def fun(x: Any, y: Any, v: Any) -> Any:
        return x @ y, y.T @ x.T, x[:, ::2] @ y[::2], x[::2] @ y, x @ x.T, y[:, :1] * (y @ y.T), x @ v, v @ y, v @ v

    bounds = [np.abs(x) @ np.abs(y)] * 9
    bounds[4:9] = [
        np.abs(x) @ np.abs(x.T),
        np.abs(y[:, :1]) * (np.abs(y) @ np.abs(y.T)),
        np.abs(x) @ np.abs(v),
        np.abs(v) @ np.abs(y),
        np.abs(v) @ np.abs(v),
    ]
    bounds[1:4] = [bounds[0].T, bounds[0], bounds[0][::2]]
    for found, expected, bound in zip(kernels(fun, x, y, v), fun(x, y, v), bounds, strict=True):
        check(found, expected, 210 * bound)


STACKS = [
    ((), ()),
    ((3,), ()),
    ((), (3,)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((1,), (2, 3)),
    ((3, 0), ()),
]


def test_stacks(method: str) -> None:
    """Of matrices, in both orders of their entries, and with vectors."""

    def products_of(x: Any, y: Any, v: Any, w: Any) -> Any:
        turned = np.swapaxes(x, -1, -2)
        return (
            x @ y,
            np.swapaxes(y, -1, -2) @ turned,
            turned @ np.swapaxes(y @ y, -1, -2)[..., :2, :],
            x @ w,
            v @ y,
            v @ turned,
        )

    def fun(*args: Any) -> Any:
        return tuple([each for i in range(0, len(args), 4) for each in products_of(*args[i : i + 4])])

    args = [z for s, t in STACKS for z in (normal(*s, 2, 5), normal(*t, 5, 5), normal(5), normal(5))]
    for found, expected in zip(kernels(fun, *args), fun(*args), strict=True):
        check(found, expected, 5000.0)


def subscripts(seed: int) -> tuple[str, list[Any]]:
    """A contraction, with letters that are repeated, summed over in one factor only, or of length one."""
    choose = random.Random(seed)
    lengths = {letter: choose.choice([1, 2, 3, 9]) for letter in "abcde"}
    terms = ["".join(choose.choices("abcde", k=choose.randint(0, 4))) for _ in range(choose.choice([1, 2, 2, 2, 3]))]
    letters = sorted(set("".join(terms)))
    out = "".join(choose.sample(letters, choose.randint(0, len(letters))))
    return f"{','.join(terms)}->{out}", [normal(*[lengths[x] for x in term]) for term in terms]


@pytest.mark.parametrize("first", range(0, 150, 30))
def test_einsum(method: str, first: int) -> None:
    cases = [subscripts(seed) for seed in range(first, first + 30)]

    def fun(*args: Any) -> Any:
        given = iter(args)
        return tuple([np.einsum(text, *[next(given) for _ in arrays]) for text, arrays in cases])

    args = [np.asarray(x) for _, arrays in cases for x in arrays]
    sizes = fun(*map(np.abs, args))
    for (text, _), found, expected, size in zip(cases, kernels(fun, *args), fun(*args), sizes, strict=True):
        assert np.shape(found) == expected.shape, text
        np.testing.assert_array_less(np.abs(found - expected), 1e-14 * (1.0 + size), err_msg=text)


def test_tensordot_and_dot(method: str) -> None:
    def fun(x: Any, y: Any, v: Any) -> Any:
        return (
            np.tensordot(x, y, axes=([0, 2], [2, 1])),
            np.tensordot(x, y, axes=([2], [1])),
            np.tensordot(x, y, axes=([2, 0], [1, 2])),
            np.tensordot(x, x, axes=([0, 1, 2], [0, 1, 2])),
            np.tensordot(x, v, axes=0),
            np.dot(x, y.T),
            np.dot(x, v),
            np.dot(v, x[0].T),
            np.dot(v, v),
            np.inner(x, x),
            np.kron(x[0], v),
        )

    x, y, v = normal(2, 3, 4), normal(5, 4, 2), normal(4)
    for found, expected in zip(kernels(fun, x, y, v), fun(x, y, v), strict=True):
        check(found, expected, 1000.0)


@pytest.mark.parametrize("shape", list(itertools.product((0, 1, 2), repeat=3)))
def test_lengths_zero_and_one(method: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape

    def fun(x: Any, y: Any) -> Any:
        return x @ y, y.T @ x.T, np.einsum("mk,kn->nm", x, y), x @ np.ones((k, n))

    x, y = normal(m, k), normal(k, n)
    for found, expected in zip(kernels(fun, x, y), fun(x, y), strict=True):
        check(found, expected, 100.0)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_and_infinity(method: str) -> None:
    x, y = np.ones((9, 9)), np.ones((9, 9))
    x[0, 0], x[1, 1], y[2, 2] = np.nan, np.inf, -np.inf

    def fun(x: Any, y: Any) -> Any:
        return x @ y, x.T @ y, x @ y.T, x @ y[:, 2], y[2] @ x, 0.0 * (x @ y)

    for found, expected in zip(kernels(fun, x, y), fun(x, y), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_one_array_twice(method: str) -> None:
    def fun(x: Any) -> Any:
        return x @ x, x @ x.T, x.T @ x, x[::2] @ x[:, 1::2], x[0] @ x, x @ x[0], x @ x @ x

    x = normal(12, 12)
    for found, expected in zip(kernels(fun, x), fun(x), strict=True):
        check(found, expected, 50_000.0)


def test_results_that_go_on_and_constants(method: str) -> None:
    """A product that is a result and a factor, one that only goes on, and factors that are constants."""
    c = normal(12, 12)

    def fun(x: Any) -> Any:
        y = x @ c
        z = np.asfortranarray(c) @ np.tanh(y)
        return y, y.T, y @ y, np.sum(z, axis=0), z[1:] @ x[:, :2], c @ np.ones(12) * x

    x = 0.3 * normal(12, 12)
    for found, expected in zip(kernels(fun, x), fun(x), strict=True):
        check(found, expected, 10_000.0)


def test_arguments_that_lie_otherwise(method: str) -> None:
    x, y = normal(10, 10), normal(10, 10)
    run = Program(partition.with_kernels(trace(lambda x, y: x @ y)(x, y), Kernel)).run
    for left, right in ((x.T, y), (x[::-1], y[:, ::-1]), (np.asfortranarray(x), np.broadcast_to(y[0], (10, 10)))):
        check(run(left, right)[0], left @ right, 1000.0)


def test_without_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small products stay in kernels; large ones are NumPy's."""
    monkeypatch.setattr(blas, "gemm", lambda char: None)
    monkeypatch.setattr(partition, "known", {})
    small, large = normal(20, 20), normal(100, 100)
    check(kernels(lambda x: x @ x.T, small)[0], small @ small.T, 2000.0)
    check(kernels(lambda x: np.exp(x) @ x.T, large, outside=True)[0], np.exp(large) @ large.T, 1e5)


def test_parts_of_complex_numbers(method: str) -> None:
    def fun(x: Any, y: Any) -> Any:
        return (
            x.real @ y.imag,
            x.real.T @ x.imag,
            np.einsum("ii->i", x.imag),
            x[0] @ y,
            x @ y[0],
            x[0] @ y[0],
            x.T @ np.conj(y),
        )

    x, y = normal(9, 9, dtype=complex), normal(9, 9, dtype=complex)
    for found, expected in zip(kernels(fun, x, y), fun(x, y), strict=True):
        check(found, expected, 2000.0)


def test_products_of_what_is_in_registers() -> None:
    """No array is written for them."""

    def fun(x: Any, y: Any) -> Any:
        z, w = x * y, x - 2.0 * y
        return (
            np.einsum("ij,ij->", z, w),
            np.einsum("ij,ij->j", z, w),
            np.einsum("ij,ij,ij->i", z, w, x),
            np.dot(z[0], w[0]),
        )

    x, y = normal(30, 40), normal(30, 40)
    planner = Planner(trace(lambda x, y: fun(x, y)[:3])(x, y))
    assert not any(isinstance(step, Product) for step in planner.steps)
    assert not planner.temporaries
    for found, expected in zip(kernels(fun, x, y), fun(x, y), strict=True):
        check(found, expected, 1e5)


def test_a_large_product_of_integers() -> None:
    x = normal(70, 80, dtype=np.int64)
    check(kernels(lambda x: x @ x.T, x)[0], x @ x.T, 0.0)


def test_other_dtypes_are_left_to_numpy() -> None:
    x, y = np.arange(9).reshape(3, 3), normal(3, 3)
    np.testing.assert_array_equal(kernels(lambda x, y: x @ y, x, y, outside=True)[0], x @ y)
    np.testing.assert_array_equal(kernels(lambda x: (x > 0) @ (x > 5), x, outside=True)[0], (x > 0) @ (x > 5))


def test_blas_is_used_only_if_it_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, real, where = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(
        None, *[ctypes.c_int] * 3, *[whole] * 3, real, where, whole, where, whole, real, where, whole
    )
    nothing = kind(lambda *args: None)
    assert not blas.is_right(nothing, "i64", np.dtype(float))

    class Library:
        cblas_dgemm = nothing

    search = blas.gemm.__wrapped__
    assert search("d") is not None
    assert search("f") is not None
    for libraries in ((Library(),), ()):
        monkeypatch.setattr(blas, "libraries", lambda found=libraries: found)
        assert search("d") is None


def test_description_of_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    name = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert blas.description().startswith(name)
    monkeypatch.setattr(blas, "libraries", lambda: ())
    assert blas.description().startswith(name)
    assert "kernels" not in blas.description()


@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((3, 4), (4, 1), (blas.PLAIN, 4)),
        ((3, 4), (7, 1), (blas.PLAIN, 7)),
        ((3, 4), (1, 3), (blas.TRANSPOSED, 3)),
        ((1, 4), (0, 1), (blas.PLAIN, 4)),
        ((1, 4), (0, 5), (blas.TRANSPOSED, 5)),
        ((3, 1), (6, 0), (blas.PLAIN, 6)),
        ((3, 1), (1, 0), (blas.PLAIN, 1)),
        ((1, 1), (0, 0), (blas.PLAIN, 1)),
        ((3, 4), (0, 1), None),
        ((3, 4), (-4, 1), None),
        ((3, 4), (8, 2), None),
    ],
)
def test_what_blas_can_read(shape: Any, strides: Any, expected: Any) -> None:
    assert blas.layout(View(Buffer("argument", np.dtype(float), 100), 0, strides, shape)) == expected


def test_work_is_the_number_of_multiplications() -> None:
    x, y = normal(6, 5, 4), normal(4, 3)
    planner = Planner(trace(lambda x, y: x @ y)(x, y))
    assert [step.work for step in planner.steps if isinstance(step, Product)] == [360]
