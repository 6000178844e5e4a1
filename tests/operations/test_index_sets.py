"""The index sets of every operation of the table contain every entry of its derivatives that is not zero.

They are found at the sample point, and must hold at other points, too.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import xformad
from tests.generated import of_matrix
from tests.operations.case import Case
from tests.operations.test_table import CASES
from xformad import tree
from xformad.core.interpreter import held
from xformad.interpreters.index_sets import IndexSets

# What they select depends on the values, and so does the shape of their results.
SHAPES_VARY = {"extract traced condition"}


# Where a mask that depends on the values is false everywhere, the sets are unknown.
NOTHING_SELECTED = {"piecewise scalar"}

# NumPy asks their first argument only whether it is traced.
NEED_ALL = {
    "pad traced values",
    "full_like fill",
    "full_like shape",
    "select default",
    "piecewise argument",
    "method dot (2, 3) (3, 2)",
}
ONE_BY_ONE = [c for c in CASES if c.name not in NOTHING_SELECTED | NEED_ALL]

BY_ORDER = {order: [c for c in CASES if c.order >= order and c.name not in NOTHING_SELECTED] for order in (1, 2)}


def pattern(fun: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The pattern of the Jacobian with respect to all arguments, as a dense boolean matrix."""
    width = sum(np.size(x) for x in args)
    with IndexSets(width, fun) as interpreter:
        starts = np.cumsum([0, *(np.size(x) for x in args)])
        out = fun(*[interpreter.input(x, int(start)) for x, start in zip(args, starts, strict=False)])
    rows = []
    for leaf in map(held, tree.leaves_of(out)):
        found = leaf.extra.rows() if isinstance(leaf, xformad.extend.Tracer) else [[]] * np.size(leaf)
        dense = np.zeros((np.size(leaf), width), bool)
        for i, columns in enumerate(found):
            dense[i, columns] = True
        rows.append(dense)
    return np.concatenate(rows)


def jacobian(fun: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The dense Jacobian with respect to all arguments, by reverse mode."""
    out, pullback = xformad.vjp(fun, *args)
    leaves, structure = tree.flatten(out)
    rows = []
    for i, leaf in enumerate(leaves):
        for k in range(np.size(leaf)):
            seeds = [np.zeros(np.shape(each), np.asarray(each).dtype) for each in leaves]
            seeds[i].reshape(-1)[k] = 1
            gradients = pullback(tree.unflatten(structure, seeds))
            rows.append(np.concatenate([np.ravel(g) for g in gradients]))
    return np.array(rows).reshape(len(rows), sum(np.size(x) for x in args))


def shuffled(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Another point: the same numbers elsewhere, so that other entries are the largest, the first, the positive ones."""
    random = np.random.default_rng(3)
    return tuple(random.permutation(np.ravel(x)).reshape(np.shape(x))[()] for x in args)


def assert_contained(matrix: Any, found: Any) -> None:
    assert matrix.shape == found.shape
    assert not np.any((matrix != 0) & ~found)


@pytest.mark.parametrize("case", BY_ORDER[1], ids=[c.name for c in BY_ORDER[1]])
def test_pattern_contains_the_jacobian(case: Case) -> None:
    found = pattern(case.fun, case.args)
    assert_contained(jacobian(case.fun, case.args), found)
    if case.name not in SHAPES_VARY:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            assert_contained(jacobian(case.fun, shuffled(case.args)), found)


@pytest.mark.parametrize("case", ONE_BY_ONE, ids=[c.name for c in ONE_BY_ONE])
def test_pattern_of_each_argument_with_the_others_constant(case: Case) -> None:
    for i, x in enumerate(case.args):
        fun = functools.partial(with_one, case, i)
        assert_contained(jacobian(fun, (x,)), pattern(fun, (x,)))


def with_one(case: Case, position: int, x: Any) -> Any:
    return case.fun(*case.args[:position], x, *case.args[position + 1 :])


def curved(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A number with a second derivative by each entry of the result."""

    def energy(*args: Any) -> Any:
        leaves = [leaf for leaf in tree.leaves_of(fun(*args)) if leaf.dtype.kind in "fc"]
        return sum(np.sum(np.cos(0.3 * np.real(leaf)) + np.imag(leaf) ** 2) for leaf in leaves)

    return energy


@pytest.mark.parametrize("case", BY_ORDER[2], ids=[c.name for c in BY_ORDER[2]])
def test_pattern_of_the_gradient_contains_the_hessian(case: Case) -> None:
    gradient = xformad.grad(curved(case.fun), tuple(range(len(case.args))))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = pattern(gradient, case.args)
        assert_contained(jacobian(gradient, case.args), found)
        if case.name not in SHAPES_VARY:
            assert_contained(jacobian(gradient, shuffled(case.args)), found)


@pytest.mark.parametrize("case", [c for c in CASES if c.name in NOTHING_SELECTED], ids=sorted(NOTHING_SELECTED))
def test_a_mask_that_selects_nothing_is_refused(case: Case) -> None:
    with pytest.raises(xformad.UnsupportedError, match=r"selects nothing of an array at .*use numpy.where"):
        pattern(case.fun, case.args)


STATEMENTS: list[Callable[[Any, Any, int, int], Any]] = [
    lambda m, q, i, j: np.sum(m[q > -1.0] ** 2),
    lambda m, q, i, j: np.sum(np.sort(m, axis=0)[i] * q[j]),
    lambda m, q, i, j: m[np.argmax(q[:, i])] @ q[j],
    lambda m, q, i, j: np.take_along_axis(m, np.argsort(q, axis=1), axis=1),
    lambda m, q, i, j: np.clip(m * q, -0.5, 0.5),
    lambda m, q, i, j: np.max(m, axis=j % 2) @ q,
]


def selecting(seed: int) -> Callable[[Any], Any]:
    """A random program that selects by values, with a number as result."""
    plain = of_matrix(seed)
    choose = Random(seed)
    statements = [(choose.choice(STATEMENTS), choose.randrange(3), choose.randrange(3)) for _ in range(3)]

    def run(w: Any) -> Any:
        m, total = np.sin(w), 0.0
        for statement, i, j in statements:
            result = statement(m, w, i, j)
            if np.ndim(result) == 2:
                m = m + result
            else:
                total = total + np.sum(result * result)
        return total + np.sum(m[1:] * m[:-1]) + 0.1 * plain(m)

    return run


@pytest.mark.parametrize("make", [of_matrix, selecting])
@pytest.mark.parametrize("seed", range(40))
def test_pattern_of_a_generated_program_holds_at_other_points(make: Callable[..., Any], seed: int) -> None:
    gradient = xformad.grad(make(seed))
    random = np.random.default_rng(seed)
    found = pattern(gradient, (random.normal(size=(3, 3)),))
    for _ in range(3):
        assert_contained(jacobian(gradient, (random.normal(size=(3, 3)),)), found)
