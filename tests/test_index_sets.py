"""The interpreter of index sets: primitives without rules, choices by values, nesting, errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import xformad
import xformad.numpy as xnp
from xformad import cond, grad, hessian, jvp, sparse_jacobian, switch, vmap
from xformad.extend import Dependence, Tracer, defindexset, defvjp, primitive
from xformad.interpreters.dependence import stacked, united
from xformad.interpreters.index_sets import IndexSets, elementwise, index_set_rules

X = np.array([0.3, -1.2, 0.7, 2.2])


def sets(fun: Any, x: Any = X) -> Any:
    """What the entries of the result depend on."""
    with IndexSets(np.size(x), fun) as interpreter:
        out = fun(interpreter.input(x, 0))
    assert isinstance(out, Tracer)
    return out.extra.rows()


# Dependence.


def test_rows_are_picked_and_merged() -> None:
    dependence = Dependence.from_rows([[0, 2], [], [1]], 3)
    assert dependence.size == 3
    assert not dependence.empty
    assert dependence.pick(np.array([2, -1, 0, 0])).rows() == [[1], [], [0, 2], [0, 2]]
    assert dependence.pick(np.array([], int)).rows() == []
    assert dependence.merge(np.array([1, 1, 1]), 2).rows() == [[], [0, 1, 2]]
    assert dependence.transposed().rows() == [[0], [2], [0]]
    other = Dependence.from_rows([[2], [1], [1]], 3)
    assert united([dependence, other]).rows() == [[0, 2], [1], [1]]
    assert united([dependence, Dependence.none(3, 3)]) is dependence
    assert united([dependence, Dependence.from_rows([[0, 2], [], [1]], 3)]) is dependence
    assert stacked([dependence, other]).rows() == [[0, 2], [], [1], [2], [1], [1]]
    assert Dependence.from_pairs(np.array([1, 1, 0]), np.array([2, 2, 1]), 2, 3).rows() == [[1], [2]]
    assert Dependence.none(0, 0).transposed().rows() == []


# Constants, and values that vary without a derivative.


def test_constants_depend_on_nothing() -> None:
    assert sets(lambda x: xformad.stop_gradient(x) + 1.0) == [[], [], [], []]
    assert sets(np.round) == [[], [], [], []]
    assert sets(lambda x: np.arange(4.0) * x) == [[0], [1], [2], [3]]
    assert sets(lambda x: np.copysign(1.0, x)) == [[], [], [], []]
    assert sets(lambda x: np.pad(x[:2], 1)) == [[], [0], [1], []]


def test_choices_by_values_depend_on_all_that_could_be_chosen() -> None:
    everything = [0, 1, 2, 3]
    assert sets(np.max) == [everything]
    assert sets(lambda x: x[np.argmax(x)]) == [everything]
    assert sets(lambda x: x[x > 0])[0] == everything
    assert sets(lambda x: np.maximum(x, x[::-1])) == [[0, 3], [1, 2], [1, 2], [0, 3]]
    assert sets(lambda x: np.sort(np.reshape(x, (2, 2)), axis=1)) == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert sets(lambda x: np.where(x > 0, x[0], 1.0)) == [[0]] * 4
    assert sets(lambda x: x[xnp.array([np.argmin(x), 1])]) == [everything] * 2
    assert sets(lambda x: np.reshape(x, (2, 2))[np.argmax(x[:2])]) == [[0, 2], [1, 3]]
    assert sets(lambda x: np.reshape(x, (2, 2))[:, np.argmax(x[:2])]) == [[0, 1], [2, 3]]
    assert sets(lambda x: np.reshape(x, (2, 2))[np.reshape(x, (2, 2)) > 1.0]) == [everything]


def test_every_branch_of_a_condition_counts() -> None:
    def chosen(x: Any) -> Any:
        return cond(x[0] > 0, lambda y: y[1] * y, lambda y: np.sinh(y) * y[2], x)

    assert sets(chosen) == [[0, 1, 2], [1, 2], [1, 2], [1, 2, 3]]
    # The logarithm is of negative numbers; no matter, nor is there a warning.
    assert sets(lambda x: cond(x[0] > 0, lambda y: y, np.log, x)) == [[0], [1], [2], [3]]
    assert sets(lambda x: cond(True, np.sin, lambda y: y[::-1], x)) == [[0], [1], [2], [3]]
    largest: Any = np.argmax
    assert sets(lambda x: switch(largest(x), [np.sum, np.prod, lambda y: y[0]], x)) == [[0, 1, 2, 3]]
    hessian = xformad.sparse_hessian(lambda x: np.sum(chosen(x)[1:]), X, verify=True)
    for x in (np.abs(X), np.abs(X) * [-1, 1, 1, 1]):
        np.testing.assert_allclose(
            hessian(x).toarray(), xformad.hessian(lambda x: np.sum(chosen(x)[1:]))(x), atol=1e-14
        )
    with pytest.raises(xformad.TreeError, match="under a sparse derivative the branches must return the same shapes"):
        sets(lambda x: cond(x[0] > 0, lambda y: y, lambda y: y[1:], x))


def test_loops_and_checkpoints() -> None:
    assert sets(lambda x: xformad.scan(lambda c, y: (c + y, c * y), 0.0, x)[1]) == [
        [0],
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
    ]
    assert sets(xformad.checkpoint(lambda x: x * x[::-1])) == [[0, 3], [1, 2], [1, 2], [0, 3]]
    energy = xformad.checkpoint(lambda x: np.sum(x[1:] * x[:-1]))
    assert sets(grad(energy)) == [[1], [0, 2], [1, 3], [2]]


def test_gradients_are_scattered_to_all_places_that_could_be_chosen() -> None:
    def energy(x: Any) -> Any:
        return np.sum(np.sort(x)[:2] ** 2) + x[0]

    assert sets(grad(energy)) == [[0, 1, 2, 3]] * 4
    assert sets(grad(lambda x: np.sum(np.maximum(x, 0.0) ** 2) + x[0] ** 2 + x[1] ** 2)) == [[0], [1], [2], [3]]


def test_an_index_that_selects_nothing_is_refused() -> None:
    with pytest.raises(xformad.UnsupportedError) as error:
        sets(lambda x: x[x > 5.0])
    assert re.match(
        r"an index that depends on the values selects nothing of an array at .*test_index_sets.py:\d+, so what it selects "
        "elsewhere is unknown; prepare at a point where it selects something, or use numpy.where$",
        str(error.value),
    )
    assert sets(lambda x: x[x[:0] > 0][:0] if len(x) == 0 else x[:0]) == []


# Products.


def test_products_with_constants_have_their_zeros() -> None:
    band = np.eye(4) + np.eye(4, k=1)
    assert sets(lambda x: band @ x) == [[0, 1], [1, 2], [2, 3], [3]]
    assert sets(lambda x: x @ band) == [[0], [0, 1], [1, 2], [2, 3]]
    assert sets(lambda x: np.tensordot(band, x, 1)) == [[0, 1], [1, 2], [2, 3], [3]]
    assert sets(lambda x: np.einsum("ij,j,i->i", band, x, np.ones(4))) == [[0, 1], [1, 2], [2, 3], [3]]
    assert sets(lambda x: np.einsum("i,j->i", x, np.zeros(2))) == [[0], [1], [2], [3]]
    assert sets(lambda x: np.stack([band, 2 * band]) @ x)[4:] == [[0, 1], [1, 2], [2, 3], [3]]
    assert sets(lambda x: np.diag(np.outer(x, x))) == [[0], [1], [2], [3]]
    assert sets(lambda x: np.outer(x[:2], x[2:])) == [[0, 2], [0, 3], [1, 2], [1, 3]]
    assert sets(lambda x: np.cross(x[:3], np.array([1.0, 2.0, 3.0]))) == [[1, 2], [0, 2], [0, 1]]


def test_stacks_of_matrices_are_apart() -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 2))
    first, second = [0, 1, 2, 3], [4, 5, 6, 7]
    assert sets(np.linalg.det, x) == [first, second]
    assert sets(np.linalg.inv, x) == [first] * 4 + [second] * 4
    right = np.ones((2, 2))
    assert sets(lambda b: np.linalg.solve(np.eye(2), b), right) == [[0, 2], [1, 3], [0, 2], [1, 3]]
    assert sets(lambda a: np.linalg.solve(np.eye(2) + a, right), right) == [first] * 4


# Primitives of others.


@primitive
def cube(x: Any) -> Any:
    return x**3


defvjp(cube, lambda g, _ans, x: g * 3 * x**2)


def test_a_primitive_without_a_rule_depends_on_everything() -> None:
    assert sets(cube) == [[0, 1, 2, 3]] * 4
    jacobian = sparse_jacobian(cube, X)
    np.testing.assert_allclose(jacobian(2 * X).toarray(), np.diag(12 * X**2))
    pair = xformad.extend.Primitive("pair", lambda x: (x[:2], x[2] * x[3]), multiple=True)
    with IndexSets(4) as interpreter:
        first, second = pair.bind(interpreter.input(X, 0))
    assert first.extra.rows() == [[0, 1, 2, 3]] * 2
    assert second.extra.rows() == [[0, 1, 2, 3]]


def test_rules() -> None:
    square = xformad.extend.Primitive("square", lambda x: x * x)
    defindexset(square, elementwise)
    assert sets(square) == [[0], [1], [2], [3]]
    with pytest.raises(ValueError, match="primitive 'square' already has a sparsity rule"):
        defindexset(square, elementwise)
    assert "matmul" in index_set_rules.coverage()


# Nesting and errors.


def test_under_other_transformations() -> None:
    def energy(x: Any) -> Any:
        return np.tanh(x[0] * x[1])

    x = X.reshape(2, 2)
    assert sets(vmap(energy), x) == [[0, 1], [2, 3]]
    assert sets(vmap(grad(energy)), x) == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert sets(lambda x: jvp(lambda y: y**2 * y[::-1], (x,), (np.ones(4),))[1]) == [[0, 3], [1, 2], [1, 2], [0, 3]]
    assert sets(lambda x: np.diag(hessian(lambda y: np.sum(y**3))(x))) == [[0], [1], [2], [3]]
    inner = sparse_jacobian(lambda x: grad(energy)(x), X[:2])
    np.testing.assert_allclose(inner(X[2:]).toarray(), hessian(energy)(X[2:]), rtol=1e-12)


def test_escaped_values_are_refused() -> None:
    kept = []

    def keep(x: Any) -> Any:
        kept.append(x)
        return x

    sets(keep)
    with pytest.raises(xformad.EscapedTracerError, match="index_sets"):
        kept[0] + 1.0
