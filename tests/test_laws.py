"""Laws that hold for every program, on generated ones: interpreters are each other's oracles.

python -m pytest tests/test_laws.py                                # the same few programs in every run
python -m pytest tests/test_laws.py --hypothesis-profile=search    # a thousand others for each law
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

import xformad
from tests.generated import ANALYTIC, BRANCHING, CONSTANT, SELECTING, SMOOTH, Program, parameters, programs
from xformad import checkpoint, grad, hessian, hvp, jacfwd, jacrev, jvp, taylor, tree, vjp, vmap

any_program = programs(ANALYTIC, SMOOTH, SELECTING, BRANCHING, CONSTANT)
seeds = st.integers(0, 10_000)

LIMIT = 1e4
"""Programs whose numbers grow beyond it are of no use: rounding errors grow, too."""


def flat(values: Any) -> Any:
    """All numbers of a tree, one after the other."""
    return np.concatenate([np.ravel(leaf) for leaf in tree.leaves_of(values)])


def assert_close(found: Any, expected: Any, rtol: float = 1e-8) -> None:
    """Equal trees, but for an error in proportion to the largest number."""
    assert tree.flatten(found)[1] == tree.flatten(expected)[1]
    for x, y in zip(tree.leaves_of(found), tree.leaves_of(expected), strict=True):
        assert np.shape(x) == np.shape(y)
    x, y = flat(found), flat(expected)
    size = np.max(np.abs(y), initial=1.0)
    assume(size < LIMIT)  # False for NaN, too
    np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * size)


def tame(program: Callable[..., Any], *args: Any) -> Any:
    """The result of a program, whose numbers are to be neither infinite nor huge."""
    out = program(*args)
    assume(np.max(np.abs(flat(out)), initial=0.0) < LIMIT)
    return out


def like(values: Any, seed: int) -> Any:
    """Random numbers in the form of a tree."""
    random = np.random.default_rng(seed)

    def draw(x: Any) -> Any:
        drawn = random.normal(size=np.shape(x))
        return drawn + 1j * random.normal(size=np.shape(x)) if np.iscomplexobj(x) else drawn

    return tree.map(draw, values)


def inner(a: Any, b: Any) -> Any:
    """The real part of the product that is not conjugated."""
    return np.real(np.sum(flat(a) * flat(b)))


def plus(a: Any, b: Any, factor: float = 1.0) -> Any:
    return tree.map(lambda x, y: x + factor * y, a, b)


def shift(p: Any, direction: Any, t: Any) -> Any:
    return tree.map(lambda x, v: x + t * v, p, direction)


# First derivatives.


@given(programs(ANALYTIC, SMOOTH, SELECTING, BRANCHING), seeds)
def test_gradient_is_the_slope(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    tame(program, p)
    slope = inner(grad(program)(p), v)
    assume(abs(slope) < LIMIT)
    quotients = []
    for h in (1e-4, 5e-5):
        ahead, behind = program(shift(p, v, h)), program(shift(p, v, -h))
        quotients.append((ahead - behind) / (2 * h))
    assume(abs(quotients[1] - quotients[0]) < 1e-4 * (1 + abs(slope)))  # no kink or jump in between
    np.testing.assert_allclose(slope, (4 * quotients[1] - quotients[0]) / 3, rtol=1e-4, atol=1e-4)


@given(any_program, seeds)
def test_pullback_is_the_transpose_of_the_pushforward(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    out, pullback = vjp(program.tree, p)
    w = like(out, seed + 2)
    _, moved = jvp(program.tree, (p,), (v,))
    assert_close(inner(pullback(w)[0], v), inner(w, moved))


@given(programs(ANALYTIC), seeds)
def test_complex_pullback_is_the_transpose_of_the_pushforward(program: Program, seed: int) -> None:
    p = parameters(seed, complex)
    v = like(p, seed + 1)
    out, pullback = vjp(program.tree, p)
    w = like(out, seed + 2)
    _, moved = jvp(program.tree, (p,), (v,))
    assert_close(inner(pullback(w)[0], v), inner(w, moved))


@given(programs(ANALYTIC), seeds)
def test_holomorphic_gradient_is_the_slope_in_every_direction(program: Program, seed: int) -> None:
    p = parameters(seed, complex)
    v = like(p, seed + 1)
    tame(program, p)
    gradient = grad(program, holomorphic=True)(p)
    tangent = jvp(program, (p,), (v,))[1]
    assert_close(np.sum(flat(gradient) * flat(v)), tangent)
    assert_close(jvp(program, (p,), (tree.map(lambda x: 1j * x, v),))[1], 1j * tangent)


@given(any_program, seeds)
def test_pushforward_and_pullback_are_linear(program: Program, seed: int) -> None:
    p = parameters(seed)
    u, v = like(p, seed + 1), like(p, seed + 2)
    out, pullback = vjp(program.tree, p)
    a, b = like(out, seed + 3), like(out, seed + 4)
    assert_close(pullback(plus(a, b, 0.7)), plus(pullback(a), pullback(b), 0.7))
    first, second, both = (jvp(program.tree, (p,), (t,))[1] for t in (u, v, plus(u, v, 0.7)))
    assert_close(both, plus(first, second, 0.7))


@given(any_program, seeds)
def test_linearize_and_its_transpose(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    out, moved = jvp(program.tree, (p,), (v,))
    value, linear = xformad.linearize(program.tree, p)
    assert_close(value, out)
    assert_close(linear(v), moved)
    w = like(out, seed + 2)
    assert_close(xformad.linear_transpose(linear, p)(w)[0], vjp(program.tree, p)[1](w)[0])


# Batches.


@given(any_program, seeds, st.integers(0, 3), st.data())
def test_vmap_is_a_stack(program: Program, seed: int, size: int, data: st.DataObject) -> None:
    size = max(size, 1)
    one = parameters(seed)
    axes = {
        "w": data.draw(st.sampled_from([None, 0, 1, 2, -1]), "axis of w"),
        "b": data.draw(st.sampled_from([None, 0, 1, -1]), "axis of b"),
    }
    assume(axes["w"] is not None or axes["b"] is not None)
    many = [parameters(seed + k) for k in range(size)]
    batch = {k: one[k] if axis is None else np.stack([p[k] for p in many], axis) for k, axis in axes.items()}
    each = [{k: one[k] if axes[k] is None else p[k] for k in p} for p in many]
    out_axis = data.draw(st.sampled_from([0, -1]), "axis of the result")
    for fun in (program.tree, grad(program)):
        expected = tree.map(lambda *leaves: np.stack(leaves, out_axis), *[tame(fun, p) for p in each])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", xformad.BatchSplitWarning)
            assert_close(vmap(fun, (axes,), out_axis)(batch), expected)


@given(any_program, seeds)
def test_gradient_of_a_sum_over_a_batch(program: Program, seed: int) -> None:
    batch = tree.map(lambda *leaves: np.stack(leaves), *[parameters(seed + k) for k in range(3)])
    tame(vmap(program), batch)
    assert_close(grad(lambda p: np.sum(vmap(program)(p)))(batch), vmap(grad(program))(batch))


@given(any_program, seeds)
def test_pairs_of_a_batch(program: Program, seed: int) -> None:
    many = [parameters(seed + k) for k in range(3)]
    ws, bs = (np.stack([p[name] for p in many]) for name in "wb")

    def fun(w: Any, b: Any) -> Any:
        return program.tree({"w": w, "b": b})

    rows = [[tame(fun, w, b) for b in bs] for w in ws]
    expected = tree.map(lambda *x: np.stack(x), *[tree.map(lambda *x: np.stack(x), *row) for row in rows])
    assert_close(vmap(vmap(fun, (None, 0)), (0, None))(ws, bs), expected)


# Matrices of derivatives.


@given(any_program, seeds)
def test_jacobians_of_both_modes_are_equal(program: Program, seed: int) -> None:
    p = parameters(seed)
    forward = jacfwd(program.tree)(p)
    assert_close(jacrev(program.tree)(p), forward)
    assert_close(xformad.jacobian(program.tree)(p), forward)
    assert_close(jacfwd(program.tree, chunk_size=5)(p), forward)
    v = like(p, seed)
    moved = jvp(program.tree, (p,), (v,))[1]
    products = tree.map(lambda t: 0.0 * t, moved)
    for name, axes in (("w", 2), ("b", 1)):
        of_name = blocks(forward, name)
        products = tree.map(lambda total, block, name=name, axes=axes: total + np.tensordot(block, v[name], axes),
                            products, of_name)  # fmt: skip
    assert_close(products, moved)


def blocks(matrix: Any, name: str) -> Any:
    """The blocks of a Jacobian of `Program.tree` by one parameter."""
    return {"rows": [row[name] for row in matrix["rows"]], "total": matrix["total"][name]}


def dense(matrix: Any) -> Any:
    """A Hessian by the parameters w and b as one matrix, of the order w, b."""
    sizes = {"w": 9, "b": 3}
    return np.block([[np.reshape(matrix[r][c], (sizes[r], sizes[c])) for c in sizes] for r in sizes])


@given(any_program, seeds)
def test_hessian_is_symmetric_and_that_of_four_mixes(program: Program, seed: int) -> None:
    p = parameters(seed)
    expected = dense(hessian(program)(p))
    assert_close(expected.T, expected)
    for outer in (jacfwd, jacrev):
        for inside in (jacfwd, jacrev):
            assert_close(dense(outer(inside(program))(p)), expected)
    v = like(p, seed + 1)
    product = expected @ flat(v)
    assert_close(flat(hvp(program)(p, v)), product)
    assert_close(flat(xformad.vhp(program)(p, v)), product)
    assert_close(flat(xformad.hessian_diagonal(program)(p)), np.diagonal(expected))
    assert_close(xformad.laplacian(program)(p), np.trace(expected))
    assert_close(xformad.divergence(grad(program))(p), np.trace(expected))
    along = jvp(lambda p: jvp(program, (p,), (v,))[1], (p,), (v,))[1]
    assert_close(along, flat(v) @ product)
    assert_close(flat(grad(lambda p: inner(grad(program)(p), v))(p)), product)


@given(programs(ANALYTIC, SMOOTH, SELECTING, BRANCHING, size=3), seeds)
def test_sparse_derivatives_are_the_dense_ones(program: Program, seed: int) -> None:
    w, b = parameters(seed)["w"], parameters(seed)["b"]

    def rows(w: Any) -> Any:
        return program.matrix({"w": w, "b": b})[0]

    def energy(w: Any) -> Any:
        return program({"w": w, "b": b})

    matrix = xformad.jacobian(rows)(w).reshape(9, 9)
    assert_close(xformad.sparse_jacobian(rows, w)(w).toarray(), matrix)
    assert_close(xformad.sparse_hessian(energy, w)(w).toarray(), hessian(energy)(w).reshape(9, 9))


# Series.


@given(any_program, seeds)
def test_first_coefficient_is_the_tangent(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    out, moved = jvp(program.tree, (p,), (v,))
    value, (first,) = taylor(program.tree, (p,), ([v],), order=1)
    assert_close(value, out)
    assert_close(first, moved)


def nested(fun: Callable[[Any], Any], order: int) -> list[Any]:
    """The derivatives of a function of a number at 0, to an order, by nested forward mode."""
    found = []
    for _ in range(order + 1):
        found.append(fun(0.0))
        fun = slope(fun)
    return found


def slope(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda t: jvp(fun, (t,), (1.0,))[1]


@given(programs(ANALYTIC, SMOOTH, SELECTING, BRANCHING, size=3), seeds)
def test_series_is_that_of_nested_forward_mode(program: Program, seed: int) -> None:
    p = parameters(seed)
    v, a = like(p, seed + 1), like(p, seed + 2)
    derivatives = nested(lambda t: program.tree(shift(shift(p, v, t), a, t * t)), 4)
    value, coefficients = taylor(program.tree, (p,), ([v, a],), order=4)
    for found, derivative, factor in zip([value, *coefficients], derivatives, (1, 1, 2, 6, 24), strict=True):
        assert_close(tree.map(lambda c, factor=factor: c * factor, found), derivative, rtol=1e-7)


@given(programs(ANALYTIC, size=3), seeds)
def test_series_of_complex_numbers(program: Program, seed: int) -> None:
    p = parameters(seed, complex)
    v = like(p, seed + 1)
    derivatives = nested(lambda t: program.tree(shift(p, v, t)), 3)
    value, coefficients = taylor(program.tree, (p,), ([v],), order=3)
    for found, derivative, factor in zip([value, *coefficients], derivatives, (1, 1, 2, 6), strict=True):
        assert_close(tree.map(lambda c, factor=factor: c * factor, found), derivative, rtol=1e-7)


@given(programs(ANALYTIC, SMOOTH, SELECTING, BRANCHING, size=3), seeds)
def test_derivatives_along_a_direction(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    tame(program, p)
    found = xformad.derivatives(program, 3, direction=v)(p)
    expected = nested(lambda t: program(shift(p, v, t)), 3)
    for x, y in zip(found, expected, strict=True):
        assert_close(x, y, rtol=1e-7)
    assert_close(found[2], flat(v) @ dense(hessian(program)(p)) @ flat(v))


# The same function, computed otherwise.


@given(any_program, seeds)
def test_checkpoint_changes_no_derivative(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    again = checkpoint(program)
    assert_close(again(p), tame(program, p))
    assert_close(grad(again)(p), grad(program)(p))
    assert_close(jvp(again, (p,), (v,)), jvp(program, (p,), (v,)))
    assert_close(hessian(again)(p), hessian(program)(p))
    assert_close(taylor(again, (p,), ([v],), order=3), taylor(program, (p,), ([v],), order=3))


@given(any_program, seeds)
def test_recorded_graph_evaluates_to_the_result(program: Program, seed: int) -> None:
    p = parameters(seed)
    v = like(p, seed + 1)
    for fun in (program.tree, grad(program), lambda p: jvp(program.tree, (p,), (v,))[1]):
        expected = tame(fun, p)
        graph = xformad.trace(fun)(p)
        assert_close(xformad.evaluate(graph, p), expected, rtol=1e-12)


@given(any_program, seeds)
def test_derivatives_write_into_nothing(program: Program, seed: int) -> None:
    p, untouched = parameters(seed), parameters(seed)
    first = grad(program)(p)
    copy = tree.map(np.array, first)
    grad(program)(p)
    hessian(program)(p)
    for x, y in zip(tree.leaves_of([p, first]), tree.leaves_of([untouched, copy]), strict=True):
        np.testing.assert_array_equal(x, y)


# The others keep a state, which must be single, too; and the statements' constants are not.
STATELESS = ("plain", "checkpoint", "cond", "switch", "vmap", "grad", "jvp", "custom_vjp", "custom_jvp")


@given(programs(ANALYTIC, SMOOTH, SELECTING, BRANCHING, forms=STATELESS), seeds)
def test_gradients_have_the_precision_of_the_parameters(program: Program, seed: int) -> None:
    p = tree.map(lambda x: x.astype(np.float32), parameters(seed))
    tame(program, p)
    for leaf, expected in zip(tree.leaves_of(grad(program)(p)), tree.leaves_of(p), strict=True):
        assert leaf.dtype == np.float32
        assert leaf.shape == expected.shape
