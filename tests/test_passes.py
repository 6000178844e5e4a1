"""The passes of the compiler: each by the graphs it makes, and all together against the graphs as they were recorded."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy import negative

import xformad
import xformad.numpy as xnp
from tests.generated import make, parameters
from tests.operations.case import Case
from tests.operations.test_table import each_case
from xformad import grad, tree, vjp
from xformad.compiler.passes import (
    simplified,
    with_absorbed_transposes,
    with_best_chains,
    with_collapsed_views,
    with_exact_identities,
    with_factored_sums,
    with_folded_constants,
    with_kept_axes,
    with_matrix_products,
    with_moved_scalars,
    with_plain_scatters,
    without_dead_code,
    without_repeated_entries,
    without_repetition,
)
from xformad.compiler.passes.chains import best_order
from xformad.compiler.passes.rewriting import operands_of, rewritten, with_operands
from xformad.core.graph import Graph
from xformad.core.guards import GuardError
from xformad.interpreters.evaluate import evaluate, evaluated
from xformad.interpreters.recording import Recorder
from xformad.transformations.recorded import graph_of, joint, parted

Pass = Callable[[Graph], Graph]


def recorded(fun: Callable[..., Any], *args: Any) -> Graph:
    """What `jit` records: the graph of the leaves, with guards."""
    leaves, structure = tree.flatten(args)
    with Recorder(fun) as recorder:
        inputs = [recorder.input(x) for x in leaves]
        outs = tree.leaves_of(fun(*tree.unflatten(structure, inputs)))
    return graph_of("f", recorder, inputs, outs)


def equations(graph: Graph) -> list[str]:
    """The lines of a graph's text, without the types."""
    lines = str(graph).splitlines()[1:]
    return [
        line if line.startswith("outputs") else f"{line.split(':')[0]} = {line.split(' = ', 1)[1]}" for line in lines
    ]


X = np.arange(1.0, 13.0).reshape(3, 4)
ROW = np.arange(1.0, 5.0)
MASK = X > 4.0
WHOLE = np.arange(4)

GRAPHS: list[tuple[str, Pass, Callable[..., Any], tuple[Any, ...], list[str]]] = [
    ("a factor 1", with_exact_identities, lambda x: 1.0 * x * np.float64(1.0), (X,), ["outputs a"]),
    ("a divisor 1", with_exact_identities, lambda x: x / 1, (X,), ["outputs a"]),
    ("less 0", with_exact_identities, lambda x: x - 0.0 - 0, (X,), ["outputs a"]),
    ("and -0", with_exact_identities, lambda x: -0.0 + x + -0.0, (X,), ["outputs a"]),
    ("whole numbers and 0", with_exact_identities, lambda x: 0 + x + 0, (WHOLE,), ["outputs a"]),
    (
        "0 and what is never -0",
        with_exact_identities,
        lambda x: (np.exp(x) + 0.0, np.sum(x, axis=0) + 0.0, x * x + 0.0, x + 1.0 + 0.0),
        (X,),
        ["b = exp a", "c = sum a  axis=(0,) keepdims=False", "d = multiply a a", "e = add a 1.0", "outputs b, c, d, e"],
    ),
    ("signs", with_exact_identities, lambda x: negative(negative(x)) + +x, (X,), ["b = add a a", "outputs b"]),
    ("a negative term", with_exact_identities, lambda x, y: x + -y, (X, ROW), ["c = subtract a b", "outputs c"]),
    ("a negative first term", with_exact_identities, lambda x, y: -x + y, (X, ROW), ["c = subtract b a", "outputs c"]),
    ("less a negative", with_exact_identities, lambda x, y: x - -y, (X, ROW), ["c = add a b", "outputs c"]),
    ("negative factors", with_exact_identities, lambda x, y: -x * -y, (X, ROW), ["c = multiply a b", "outputs c"]),
    ("a quotient", with_exact_identities, lambda x, y: -x / -y, (X, ROW), ["c = divide a b", "outputs c"]),
    ("a sign and a factor", with_exact_identities, lambda x: -(-x * 3.0), (X,), ["b = multiply a 3.0", "outputs b"]),
    ("a sign and a divisor", with_exact_identities, lambda x: 3 / -x, (X,), ["b = divide -3 a", "outputs b"]),
    ("a power of two", with_exact_identities, lambda x: x / 8, (X,), ["b = multiply a 0.125", "outputs b"]),
    ("a square", with_exact_identities, lambda x: x**2, (X,), ["b = multiply a a", "outputs b"]),
    ("the first power", with_exact_identities, lambda x: x**1, (X,), ["outputs a"]),
    ("of a square", with_exact_identities, lambda x: np.square(-x), (X,), ["b = square a", "outputs b"]),
    ("absolute values", with_exact_identities, lambda x: abs(abs(-x)), (X,), ["b = absolute a", "outputs b"]),
    ("the same dtype", with_exact_identities, lambda x: x.astype(float), (X,), ["outputs a"]),
    (
        "a wider dtype",
        with_exact_identities,
        lambda x: x.astype(np.float64).astype(np.float32),
        (X.astype(np.float32),),
        ["outputs a"],
    ),
    ("a real part", with_exact_identities, lambda x: np.real(np.conj(x)), (X,), ["outputs a"]),
    ("a conjugate", with_exact_identities, lambda x: np.conj(np.conj(x)), (X + 1j,), ["outputs a"]),
    ("equal branches", with_exact_identities, lambda x, c: np.where(c, x, x), (X, MASK), ["outputs a"]),
    (
        "a negated condition",
        with_exact_identities,
        lambda x, c: np.where(np.logical_not(c), x, 0.0),
        (X, MASK),
        ["c = where b 0.0 a", "outputs c"],
    ),
    ("equal operands", with_exact_identities, lambda x: np.maximum(x, np.minimum(x, x)), (X,), ["outputs a"]),
    (
        "not equal",
        with_exact_identities,
        lambda x, y: np.logical_not(x == y),
        (X, ROW),
        ["c = not_equal a b", "outputs c"],
    ),
    (
        "truth values",
        with_exact_identities,
        lambda c: ~~np.logical_not(np.logical_not((c & c) & True)) | (c & c),
        (MASK,),
        ["outputs a"],
    ),
    (
        "reshaped twice",
        with_collapsed_views,
        lambda x: x.reshape(2, 6).reshape(-1),
        (X,),
        ["b = reshape a  shape=(12,)", "outputs b"],
    ),
    ("reshaped back", with_collapsed_views, lambda x: x.reshape(2, 6).reshape(3, 4), (X,), ["outputs a"]),
    ("transposed back", with_collapsed_views, lambda x: x.T.T, (X,), ["outputs a"]),
    (
        "transposed twice",
        with_collapsed_views,
        lambda x: x.transpose(1, 2, 0).transpose(1, 2, 0),
        (X.reshape(3, 2, 2),),
        ["b = transpose a  axes=(2, 0, 1)", "outputs b"],
    ),
    (
        "a row as a column",
        with_collapsed_views,
        lambda x: x[None].T,
        (ROW,),
        ["b = reshape a  shape=(4, 1)", "outputs b"],
    ),
    (
        "broadcast twice",
        with_collapsed_views,
        lambda x: np.broadcast_to(np.broadcast_to(x, (1, 3, 4)), (2, 3, 4)),
        (ROW,),
        ["b = broadcast a  shape=(2, 3, 4)", "outputs b"],
    ),
    (
        "a number broadcast and reshaped",
        with_collapsed_views,
        lambda x: np.reshape(np.broadcast_to(x, (2, 3)), (3, 2)),
        (2.0,),
        ["b = broadcast a  shape=(3, 2)", "outputs b"],
    ),
    (
        "an index of an index",
        with_collapsed_views,
        lambda x: x[1:, ::2][:, 1:][-1],
        (X,),
        ["b = getitem a  index=(2, 2:4:2)", "outputs b"],
    ),
    ("an index that takes all", with_collapsed_views, lambda x: x[...][:, 0:4][:10], (X,), ["outputs a"]),
    ("the only row", with_collapsed_views, lambda x: x[None][0], (X,), ["outputs a"]),
    ("flipped back", with_collapsed_views, lambda x: np.flip(np.flip(x, 1), 1), (X,), ["outputs a"]),
    (
        "a reduction that keeps its axes",
        with_kept_axes,
        lambda x: (np.reshape(np.sum(x, axis=1), (3, 1)), np.reshape(np.max(x, axis=0, keepdims=True), 4)),
        (X,),
        ["b = sum a  axis=(1,) keepdims=True", "c = max a  axis=(0,) keepdims=False", "outputs b, c"],
    ),
    (
        "a reduction that is needed with its axes and without",
        with_kept_axes,
        lambda x: (lambda y: (y, np.reshape(y, (3, 1))))(np.sum(x, axis=1)),
        (X,),
        ["b = sum a  axis=(1,) keepdims=False", "c = reshape b  shape=(3, 1)", "outputs b, c"],
    ),
    (
        "the gradient of a sum",
        with_collapsed_views,
        lambda x: grad(lambda x: np.sum(np.sum(x, axis=1) ** 3))(x),
        (X,),
        [
            "b = sum a  axis=(1,) keepdims=False",
            "c = power b 2",
            "d = multiply 3 c",
            "e = multiply const:float64[3] d",
            "f = reshape e  shape=(3, 1)",
            "g = broadcast f  shape=(3, 4)",
            "outputs g",
        ],
    ),
    (
        "what the result has anyway",
        without_repeated_entries,
        lambda x, y: np.broadcast_to(x, (3, 4)) * y,
        (ROW, X),
        ["c = multiply a b", "outputs c"],
    ),
    (
        "what is repeated is computed once",
        without_repeated_entries,
        lambda x: np.exp(np.broadcast_to(x, (3, 4)) + 1.0),
        (ROW,),
        ["b = add a 1.0", "c = exp b", "d = broadcast c  shape=(3, 4)", "outputs d"],
    ),
    (
        "equal entries of constants",
        without_repeated_entries,
        lambda x: np.full((3, 4), 2.0) * x + np.full(4, 0.5),
        (X,),
        ["b = multiply 2.0 a", "c = add b 0.5", "outputs c"],
    ),
    (
        "zeros of both signs are not equal",
        without_repeated_entries,
        lambda x: x + np.array([0.0, -0.0, 0.0, 0.0]),
        (X,),
        ["b = add a const:float64[4]", "outputs b"],
    ),
    (
        "twice the same",
        without_repetition,
        lambda x: (x[1:] * 2.0 + np.array([1.0, 2.0, 3.0, 4.0]), x[1:] * 2.0 + np.array([1.0, 2.0, 3.0, 4.0])),
        (X,),
        ["b = getitem a  index=1:", "c = multiply b 2.0", "d = add c const:float64[4]", "outputs d, d"],
    ),
    (
        "operands that have changed places",
        without_repetition,
        lambda x, y: (x * y + y * x) * 2.0 - 2.0 * (y * x + x * y),
        (X, ROW),
        ["c = multiply a b", "d = add c c", "e = multiply d 2.0", "f = subtract e e", "outputs f"],
    ),
    (
        "operands that may not change places",
        without_repetition,
        lambda x, y: np.maximum(x, y) - np.maximum(y, x),
        (X, ROW),
        ["c = maximum a b", "d = maximum b a", "e = subtract c d", "outputs e"],
    ),
    (
        "not twice the same",
        without_repetition,
        lambda x: (x + 0.0, x + -0.0, x * 1, x * 1.0),
        (X,),
        ["b = add a 0.0", "c = add a -0.0", "d = multiply a 1", "e = multiply a 1.0", "outputs b, c, d, e"],
    ),
    (
        "copies are added",
        with_factored_sums,
        lambda x: np.sum(np.broadcast_to(x, (3, 4)), axis=0),
        (ROW,),
        ["b = reshape a  shape=(1, 4)", "c = multiply b 3.0", "d = reshape c  shape=(4,)", "outputs d"],
    ),
    (
        "copies of terms are added",
        with_factored_sums,
        lambda x: np.sum(np.broadcast_to(x, (3, 4))),
        (ROW,),
        [
            "b = reshape a  shape=(1, 4)",
            "c = sum b  axis=(1,) keepdims=True",
            "d = multiply c 3.0",
            "e = reshape d  shape=()",
            "outputs e",
        ],
    ),
    (
        "a common factor",
        with_factored_sums,
        lambda x, c: np.sum(c[:, None] * x, axis=1),
        (X, ROW[:3]),
        [
            "c = getitem b  index=(:, None)",
            "d = reshape c  shape=(3,)",
            "e = sum a  axis=(1,) keepdims=False",
            "f = multiply d e",
            "outputs f",
        ],
    ),
    (
        "a common divisor",
        with_factored_sums,
        lambda x, c: np.sum(-x / c),
        (X, 2.0),
        ["c = sum a  axis=(0, 1) keepdims=False", "d = negative c", "e = divide d b", "outputs e"],
    ),
    (
        "a factor of some terms",
        with_factored_sums,
        lambda x, c: np.sum(x * c, axis=1),
        (X, ROW),
        ["c = multiply a b", "d = sum c  axis=(1,) keepdims=False", "outputs d"],
    ),
    (
        "terms that are needed anyway",
        with_factored_sums,
        lambda x: (lambda y: (np.sum(y), y))(-x),
        (X,),
        ["b = negative a", "c = sum b  axis=(0, 1) keepdims=False", "outputs c, b"],
    ),
    (
        "a sum of one term",
        with_factored_sums,
        lambda x: np.sum(x, axis=0),
        (X[:1],),
        ["b = reshape a  shape=(4,)", "c = add b 0.0", "outputs c"],
    ),
    (
        "pieces that fill all",
        with_plain_scatters,
        lambda x: vjp(lambda x: (x[:, None], x[...]), x)[1]((np.ones((4, 1)) * x[:, None], x)),
        (ROW,),
        [
            "b = getitem a  index=(:, None)",
            "c = multiply const:float64[4,1] b",
            "d = reshape c  shape=(4,)",
            "e = add a 0.0",
            "f = add d e",
            "outputs f",
        ],
    ),
    (
        "pieces of zeros",
        with_plain_scatters,
        lambda x: grad(lambda x: np.sum(x[:2] ** 3) + 0.0 * np.sum(x))(x),
        (ROW,),
        [
            "b = getitem a  index=:2",
            "c = power b 2",
            "d = multiply 3 c",
            "e = multiply const:float64[2] d",
            "f = scatter_add e  indices=((slice(None, 2, None), 0),) shape=(4,) dtype=float64",
            "outputs f",
        ],
    ),
    (
        "all pairs",
        with_matrix_products,
        lambda x, y: np.sum(x[:, None] * y, axis=-1),
        (X, X[:2]),
        [
            "c = getitem a  index=(:, None)",
            "d = reshape c  shape=(3, 4)",
            "e = transpose b  axes=(1, 0)",
            "f = matmul d e",
            "outputs f",
        ],
    ),
    (
        "stacks, and axes in any order",
        with_matrix_products,
        lambda x, y: np.sum(x[:, :, None, :] * y[:, None, :, None], axis=(0,)),
        (np.ones((7, 2, 3)), np.ones((7, 5))),
        [
            "c = getitem a  index=(:, :, None, :)",
            "d = getitem b  index=(:, None, :, None)",
            "e = reshape c  shape=(7, 2, 3)",
            "f = transpose e  axes=(1, 2, 0)",
            "g = reshape f  shape=(6, 7)",
            "h = reshape d  shape=(7, 5)",
            "i = matmul g h",
            "j = reshape i  shape=(2, 3, 5)",
            "k = transpose j  axes=(0, 2, 1)",
            "outputs k",
        ],
    ),
    (
        "a fused loop is as good",
        with_matrix_products,
        lambda x, v: (np.sum(x * v, axis=1), np.sum(x * x), np.sum(x * x, axis=0)),
        (X, ROW),
        [
            "c = multiply a b",
            "d = sum c  axis=(1,) keepdims=False",
            "e = multiply a a",
            "f = sum e  axis=(0, 1) keepdims=False",
            "g = multiply a a",
            "h = sum g  axis=(0,) keepdims=False",
            "outputs d, f, h",
        ],
    ),
    (
        "products that are needed anyway",
        with_matrix_products,
        lambda x, y: (lambda z: (z, np.sum(z, axis=0)))(x[:, :, None] * y[:, None]),
        (X, X),
        [
            "c = getitem a  index=(:, :, None)",
            "d = getitem b  index=(:, None)",
            "e = multiply c d",
            "f = sum e  axis=(0,) keepdims=False",
            "outputs e, f",
        ],
    ),
    (
        "a transposed product of transposes",
        with_absorbed_transposes,
        lambda x, y: (x.T @ y.T).T,
        (X, X.reshape(4, 3)),
        ["c = matmul b a", "outputs c"],
    ),
    (
        "a transposed product as a factor",
        with_absorbed_transposes,
        lambda x, y: (x @ y).T @ x,
        (X, X.reshape(4, 3)),
        [
            "c = transpose b  axes=(1, 0)",
            "d = transpose a  axes=(1, 0)",
            "e = matmul c d",
            "f = matmul e a",
            "outputs f",
        ],
    ),
    (
        "a transposed product",
        with_absorbed_transposes,
        lambda x, y: (x @ y).T,
        (X, X.reshape(4, 3)),
        ["c = matmul a b", "d = transpose c  axes=(1, 0)", "outputs d"],
    ),
    (
        "a scalar times a large factor",
        with_moved_scalars,
        lambda x, v: (2.0 * x) @ v + (-x) @ v,
        (X, ROW),
        ["c = matmul a b", "d = multiply 2.0 c", "e = matmul a b", "f = negative e", "g = add d f", "outputs g"],
    ),
    (
        "a scalar times a large product",
        with_moved_scalars,
        lambda x, y, c: (x @ y) / c,
        (X[:, :1], X[:1], 3.0),
        ["d = divide a c", "e = matmul d b", "outputs e"],
    ),
    (
        "a scalar from one factor to the other",
        with_moved_scalars,
        lambda x, y: (x * 2.0) @ y,
        (X, X[:1, :1].T * np.ones((4, 1))),
        ["c = matmul a b", "d = multiply c 2.0", "outputs d"],
    ),
    (
        "scalars that would gain little",
        with_moved_scalars,
        lambda x, y: 2.0 * (x @ (y * 3.0)),
        (X, X.T),
        ["c = multiply b 3.0", "d = matmul a c", "e = multiply 2.0 d", "outputs e"],
    ),
    (
        "matrices and a vector",
        with_best_chains,
        lambda x, v: x.T @ x @ x.T @ v,
        (X, ROW[:3]),
        [
            "c = transpose a  axes=(1, 0)",
            "d = transpose a  axes=(1, 0)",
            "e = matmul d b",
            "f = matmul a e",
            "g = matmul c f",
            "outputs g",
        ],
    ),
    (
        "a vector and matrices",
        with_best_chains,
        lambda x, v: v @ (x @ (x.T @ x)),
        (X, ROW[:3]),
        [
            "c = transpose a  axes=(1, 0)",
            "d = matmul b a",
            "e = matmul d c",
            "f = matmul e a",
            "outputs f",
        ],
    ),
    (
        "products that are needed, too",
        with_best_chains,
        lambda x, v: (lambda y: (y @ v, np.sum(y)))(x @ x.T),
        (X, ROW[:3]),
        [
            "c = transpose a  axes=(1, 0)",
            "d = matmul a c",
            "e = matmul d b",
            "f = sum d  axis=(0, 1) keepdims=False",
            "outputs e, f",
        ],
    ),
    (
        "an order that gains little",
        with_best_chains,
        lambda x: x @ x.T @ x,
        (X,),
        ["b = transpose a  axes=(1, 0)", "c = matmul a b", "d = matmul c a", "outputs d"],
    ),
    (
        "a vector in the middle",
        with_best_chains,
        lambda x, v, w: (x @ v) @ w,
        (X, ROW, ROW[:3]),
        ["d = matmul a b", "e = matmul d c", "outputs e"],
    ),
]


@pytest.mark.parametrize(("one_pass", "fun", "args", "expected"), [g[1:] for g in GRAPHS], ids=[g[0] for g in GRAPHS])
def test_a_pass(one_pass: Pass, fun: Callable[..., Any], args: tuple[Any, ...], expected: list[str]) -> None:
    graph = recorded(fun, *args)
    found = one_pass(graph)
    assert equations(found) == expected
    for x, y in zip(evaluated(graph, args), evaluated(found, args), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-15)
        assert np.asarray(x).dtype == np.asarray(y).dtype


LEFT: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    ("0 of a result that may be -0", lambda x: x + 0.0, (X,)),
    ("-0 taken away", lambda x: x - -0.0, (X,)),
    ("a factor 0", lambda x: 0.0 * x, (X,)),
    ("what may be infinite less itself", lambda x: x - x, (X,)),
    ("a quotient of the same", lambda x: x / x, (X,)),
    ("a difference negated", lambda x, y: -(x - y), (X, ROW)),
    ("a root as a power", lambda x: x**0.5, (X,)),
    ("a complex factor 1", lambda x: 1.0 * x, (X + 1j,)),
    ("a divisor that is no power of two", lambda x: x / 3.0, (X,)),
    ("a divisor whose inverse is subnormal", lambda x: x / 2.0**1023, (X,)),
    ("a factor of another dtype", lambda x: np.float64(1.0) * x, (X.astype(np.float32),)),
    ("a quotient of whole numbers", lambda x: x / 1, (WHOLE,)),
    ("a factor 1 that broadcasts", lambda x: x * np.ones((1, 1)), (ROW,)),
    ("a comparison negated", lambda x, y: np.logical_not(x < y), (X, ROW)),
    ("a narrower dtype and back", lambda x: x.astype(np.float32).astype(float), (X,)),
    ("what has no derivative", lambda x: xformad.stop_gradient(x) * x, (X,)),
    ("a number of Python's times one of NumPy's", lambda x: np.float64(1.0) * x, (2.0,)),
]


@pytest.mark.parametrize(("fun", "args"), [case[1:] for case in LEFT], ids=[case[0] for case in LEFT])
def test_what_is_no_identity_is_left(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    graph = recorded(fun, *args)
    assert str(with_exact_identities(graph)) == str(graph)


SPECIAL = [0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1.7e308, 3.0]
SAMPLES: dict[str, Any] = {
    "float64": np.array(SPECIAL),
    "float32": np.array([*SPECIAL[:7], 1e-45, -1e-40, 3e38, 3.0], np.float32),
    "int64": np.array([0, 1, -1, 7, np.iinfo(np.int64).min, np.iinfo(np.int64).max]),
    "int8": np.array([0, 1, -1, 7, -128, 127], np.int8),
    "uint8": np.array([0, 1, 7, 255], np.uint8),
    "bool": np.array([True, False]),
    "complex128": np.array([complex(a, b) for a in SPECIAL for b in SPECIAL]),
}

EXACT: list[Callable[..., Any]] = [
    lambda x, _: 1 * x + (x * 1 - 0),
    lambda x, _: x / 1 + x / -4 - x / 0.5,
    lambda x, y: x + -y,
    lambda x, y: -x + y,
    lambda x, y: x - -y,
    lambda x, y: (-x) * (-y),
    lambda x, y: (-x) / (-y),
    lambda x, y: -((-x) * 3.0) / (2.5 / -y),
    lambda x, y: -(x / -3.0) + -(0.1 * y),
    lambda x, _: x**2 - x**1,
    lambda x, _: abs(abs(-x)),
    lambda x, _: np.square(-x) + 0.0,
    lambda x, y: negative(negative(x)) + (+y),
    lambda x, y: np.exp(x) + 0.0 + (y + 1.0 + 0.0),
    lambda x, y: np.where(np.logical_not(x == y), np.where(x == y, x, x), y),
    lambda x, y: np.logical_and(np.logical_not(np.logical_not(x == y)), True) | (x != y),
    lambda x, _: np.conj(np.conj(x)).astype(np.complex128).astype(np.complex128),
    lambda x, y: np.maximum(x, x) + np.minimum(y, y),
    lambda x, y: np.full(np.shape(x), 3, x.dtype) * y + x * np.ones(np.shape(x), x.dtype),
    lambda x, y: np.broadcast_to(x[:9, None], (len(x[:9]), len(y))) * y,
    lambda x, y: vjp(lambda x: (x[None], x[...]), x)[1]((y[None], x)) if x.dtype.kind in "fc" else x,
    lambda x, _: np.sum(x[None], axis=0),
]


def assert_identical(x: Any, y: Any) -> None:
    """Equal, zeros with their signs; NaN where there is NaN."""
    x, y = np.asarray(x), np.asarray(y)
    assert x.shape == y.shape
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(x, y)
    for part in (np.real, np.imag):
        known = ~np.isnan(part(x))
        np.testing.assert_array_equal(np.signbit(part(x)[known]), np.signbit(part(y)[known]))


EXACT_PASSES: list[Pass] = [
    with_exact_identities,
    with_collapsed_views,
    without_repeated_entries,
    with_plain_scatters,
    with_folded_constants,
    without_repetition,
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", SAMPLES)
def test_exact_identities_are_exact(dtype: str) -> None:
    """For each pair of special values, in each dtype for which NumPy computes it."""
    values = SAMPLES[dtype]
    x, y = (np.ascontiguousarray(each).reshape(-1) for each in np.meshgrid(values, values))
    shrunk = 0
    for fun in EXACT:
        try:
            graph = recorded(fun, x, y)
        except TypeError:  # the negative of a truth value, say
            continue
        found = graph
        for one_pass in EXACT_PASSES:
            found = one_pass(found)
        shrunk += len(found) < len(graph)
        for one, other in zip(evaluated(graph, [x, y]), evaluated(found, [x, y]), strict=True):
            assert_identical(one, other)
    assert shrunk > len(EXACT) // 4


def test_numbers_of_python_stay_what_they_are() -> None:
    """They take the dtype of the arrays that they meet, unlike those of NumPy."""
    single = np.ones(2, np.float32)

    def fun(x: Any, y: Any) -> Any:
        return [
            (1.0 * x) * y,
            (np.float64(1.0) * x) * y,
            np.broadcast_to(x, (2,)) * y,
            np.where(True, x, 2.0) * y,
            (x + -0.0) * y,
            np.full(2, 3.0) * x * y,
            np.maximum(x, x) * y,
        ]

    for x in (2.0, np.float64(2.0), np.float32(2.0), 2):
        graph = recorded(fun, x, single)
        expected = [np.asarray(out).dtype for out in fun(x, single)]
        assert [out.dtype for out in graph.outputs] == expected
        assert [np.asarray(out).dtype for out in evaluated(simplified(graph), [x, single])] == expected


def test_constants_are_folded() -> None:
    graph = recorded(lambda c, x: (np.exp(c) * 2.0 + np.sum(np.broadcast_to(c, (2000,))), x), 0.0, 1.0)
    first = graph.equations[0]

    def known(node: Any) -> Any:
        return with_operands(node, [0.0 if x is graph.inputs[0] else x for x in operands_of(node)])

    found = with_folded_constants(
        rewritten(graph, lambda node: known(node) if graph.inputs[0] in node.parents else node)
    )
    assert first.primitive is not None
    assert equations(found) == [
        "c = broadcast 0.0  shape=(2000,)",  # small constants do not become large ones
        "d = sum c  axis=(0,) keepdims=False",
        "e = add 2.0 d",
        "outputs e, b",
    ]
    assert evaluated(found, [5.0, 6.0]) == [2.0, 6.0]


def test_sums_of_products_are_products_of_matrices() -> None:
    """Whichever axes the factors and the result have: every one of the 4 ^ 4 ways, for 4 axes."""
    random = np.random.default_rng(0)
    products = 0
    for kinds in itertools.product(range(4), repeat=4):
        # Which of both factors has the axis; and whether it is summed over, by turns.
        left = tuple([1 if kind == 1 else i + 2 for i, kind in enumerate(kinds)])
        right = tuple([1 if kind == 2 else i + 2 for i, kind in enumerate(kinds)])
        axis = tuple([i for i, kind in enumerate(kinds) if kind == 3 or (kind < 3 and i == 3 - kinds[0])])
        x, y = random.normal(size=left), random.normal(size=right)
        for keepdims in (False, True):
            graph = recorded(lambda x, y, axis=axis, keep=keepdims: np.sum(x * y, axis=axis, keepdims=keep), x, y)
            found = with_matrix_products(graph)
            products += found is not graph
            np.testing.assert_allclose(evaluated(found, [x, y])[0], evaluated(graph, [x, y])[0], rtol=1e-12, atol=1e-14)
    assert products > 50


def test_chains_take_the_fewest_multiplications() -> None:
    """Against all orders."""

    def fewest(lengths: tuple[int, ...]) -> int:
        inner = range(1, len(lengths) - 1)
        ends = lengths[0] * lengths[-1]
        return min((ends * lengths[i] + fewest(lengths[: i + 1]) + fewest(lengths[i:]) for i in inner), default=0)

    random = np.random.default_rng(0)
    for count in (3, 4, 5, 6):
        lengths = random.integers(6, 12, count + 1).tolist()
        arrays = [random.normal(size=(m, n)) for m, n in itertools.pairwise(lengths)]
        arrays[-1] = arrays[-1][:, 0]
        lengths[-1] = 1
        assert best_order(lengths)[0] == fewest(tuple(lengths))
        graph = recorded(lambda *factors: functools.reduce(np.matmul, factors), *arrays)
        found = with_best_chains(graph)
        assert all(len(node.shape) == 1 for node in found.equations)
        np.testing.assert_allclose(evaluated(found, arrays)[0], evaluated(graph, arrays)[0], rtol=1e-9)


def test_long_chains_take_no_time() -> None:
    graph = recorded(lambda x, v: functools.reduce(np.matmul, [x] * 500, v), np.eye(3), np.ones(3))
    assert with_best_chains(graph) is graph
    powers = recorded(lambda x, v: functools.reduce(np.matmul, [x] * 30) @ v, np.eye(3), np.ones(3))
    found = with_best_chains(powers)
    assert sum(node.shape == (3,) for node in found.equations) > sum(node.shape == (3,) for node in powers.equations)
    np.testing.assert_allclose(evaluated(found, [np.eye(3), np.ones(3)])[0], np.ones(3))


def test_guards_stay_before_what_they_protect() -> None:
    def fun(x: Any, y: Any) -> Any:
        scaled = negative(negative(x))
        if y != 0.0:
            scaled = np.linalg.inv(x * 1.0) @ scaled
        if np.sum(-x) > 100.0:
            return x
        return -scaled

    graph = simplified(recorded(fun, np.eye(2), 1.0))
    names = [node.primitive.name for node in graph.equations if node.primitive is not None]
    assert names.index("guard") < names.index("inv")
    assert names.count("guard") == 2
    with pytest.raises(GuardError):
        evaluated(graph, [np.zeros((2, 2)), 0.0])
    with pytest.raises(np.linalg.LinAlgError):
        evaluated(graph, [np.zeros((2, 2)), 1.0])


def test_results_are_memory_of_their_own() -> None:
    def fun(x: Any) -> Any:
        return x * 1.0, x * 2.0, x * 2.0, x[1:], np.sum(x, axis=0, keepdims=True).T * np.ones((4, 3)), (x * 1.0).T

    x = X.copy()
    outs = evaluated(simplified(recorded(fun, x)), [x])
    views = [outs[3]]
    for i, out in enumerate(outs):
        assert np.shares_memory(out, x) == any(out is view for view in views)
        assert out.flags.writeable
        for other in outs[:i]:
            assert not np.shares_memory(out, other)


def test_dead_code() -> None:
    graph = recorded(lambda x: x * 2.0 if np.sum(np.sin(x)) > 0 else np.exp(x), X)
    assert without_dead_code(graph).equations == graph.equations
    dead = recorded(lambda x: (np.exp(x), x + 1.0)[1], X)
    assert equations(without_dead_code(dead)) == ["b = add a 1.0", "outputs b"]


def pulled(fun: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        out, pullback = vjp(fun, *args)
        return out, pullback(tree.map(lambda x: xnp.ones_like(x), out))

    return run


def assert_simplified(fun: Callable[..., Any], args: tuple[Any, ...], rtol: float) -> None:
    """The simplified graph computes what the recorded one does, on other values too, and fails where that fails."""
    graph = recorded(fun, *args)
    found = simplified(graph)
    assert len(found) <= len(graph) + len(graph.outputs)
    leaves = tree.leaves_of(args)
    for values in (leaves, [1.01 * x for x in leaves]):
        try:
            expected = evaluated(graph, values)
        except GuardError:
            with pytest.raises(GuardError):
                evaluated(found, values)
            continue
        for x, y in zip(expected, evaluated(found, values), strict=True):
            assert np.shape(x) == np.shape(y)
            assert np.asarray(x).dtype == np.asarray(y).dtype
            np.testing.assert_allclose(y, x, rtol=rtol, atol=rtol)


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@each_case
def test_the_table(case: Case) -> None:
    assert_simplified(pulled(case.fun), case.args, 1e-13)


@pytest.mark.parametrize("seed", range(0, 100, 2))
def test_a_generated_program(seed: int) -> None:
    assert_simplified(grad(make(seed)), (parameters(seed),), 1e-9)


def test_what_costs_nothing_is_computed_again_on_the_way_back() -> None:
    graph = joint(lambda x, w: (np.tanh(x) @ w,), (True, True), (X, X.T.copy())).graph
    forward, backward, residuals = parted(graph, 2, 1)
    assert len(residuals) == 2
    assert equations(forward) == ["c = tanh a", "d = matmul c b", "outputs d, b, c"]  # not 1 - c c, and no transposes
    assert equations(backward) == [
        "d = transpose a  axes=(1, 0)",
        "e = matmul c d",
        "f = transpose b  axes=(1, 0)",
        "g = matmul f c",
        "h = multiply b b",
        "i = subtract 1.0 h",
        "j = multiply e i",
        "outputs j, g",
    ]


def test_what_is_small_or_costs_more_is_kept() -> None:
    graph = joint(lambda x: (np.sum(x[0] ** 2) * np.exp(x[1, 0]),), (True,), (X,)).graph
    forward, _, residuals = parted(graph, 1, 1)
    kept = [node.primitive.name for node in residuals if node.primitive is not None]
    assert kept == ["exp", "sum", "add"]
    assert forward.inputs[0] not in residuals  # not all of it, for one row


def test_simplified_graphs_have_the_same_derivatives() -> None:
    def fun(x: Any) -> Any:
        smooth = np.sum(np.where(x > 2.0, x**2, negative(negative(x))) * np.ones((3, 4))) + np.sum(abs(-x) * 3.0 / 4)
        return smooth + xformad.stop_gradient(x)[0, 0] * x[0, 1]

    graph = simplified(xformad.trace(fun)(X))
    np.testing.assert_allclose(grad(lambda x: evaluate(graph, x))(X), grad(fun)(X), rtol=1e-14)


def test_passes_take_time_in_proportion() -> None:
    def chain(x: Any) -> Any:
        for _ in range(1500):
            x = np.tanh(1.0 * x) + np.sum(-x) * np.full(3, 0.1) - x**2
        return x

    graph = recorded(chain, np.full(3, 0.1))
    assert len(graph) > 10_000
    start = time.process_time()
    assert len(simplified(graph)) < len(graph)
    assert time.process_time() - start < 3.0  # 0.4 s on a machine of our own
