"""Every operation of the table against independent truth: NumPy's values, difference quotients, dtypes, refusals.

The rows are in `table_<family>.py`. A new operation is tested by adding a row there.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xformad
from tests.operations.case import Case, Refused
from xformad import tree
from xformad.testing import check_grads

TABLES: Any = [
    importlib.import_module(f"tests.operations.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("table_*.py"))
]
CASES: list[Case] = [case for table in TABLES for case in table.CASES]
REFUSED: list[Refused] = [case for table in TABLES for case in table.REFUSED]

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def cast(args: tuple[Any, ...], dtype: type) -> tuple[Any, ...]:
    return tuple(np.asarray(x, dtype)[()] for x in args)


def test_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))


def assert_same(plain: Any, got: Any) -> None:
    """Equal to a few roundings, of the same shape and dtype."""
    plain, got = tree.leaves_of(plain), tree.leaves_of(got)
    assert len(plain) == len(got)
    for expected, found in zip(plain, got, strict=True):
        assert np.shape(expected) == np.shape(found)
        assert np.asarray(expected).dtype == np.asarray(found).dtype
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@each_case
def test_value_under_tracing_is_numpys(case: Case) -> None:
    plain = case.fun(*case.args)
    assert_same(plain, xformad.vjp(case.fun, *case.args)[0])


@each_case
def test_recorded_graph_evaluates_to_the_value(case: Case) -> None:
    graph = xformad.trace(case.fun)(*case.args)
    assert_same(case.fun(*case.args), xformad.evaluate(graph, *case.args))
    assert str(graph).count("\n") == len(graph.equations) + 1


@each_case
def test_derivatives_agree_with_differences(case: Case) -> None:
    check_grads(case.fun, case.args, order=case.order)


@each_case
def test_precision_is_numpys(case: Case) -> None:
    """float32 arguments give results of NumPy's dtype, and float32 gradients."""
    args = cast(case.args, np.float32)
    out, pullback = xformad.vjp(case.fun, *args)
    for expected, found in zip(tree.leaves_of(case.fun(*args)), tree.leaves_of(out), strict=True):
        assert np.asarray(expected).dtype == np.asarray(found).dtype
    gradients = pullback(tree.map(np.ones_like, out))
    for arg, gradient in zip(args, gradients, strict=True):
        assert np.asarray(gradient).dtype == np.float32
        assert np.shape(gradient) == np.shape(arg)


@pytest.mark.parametrize("case", [c for c in CASES if c.complex], ids=[c.name for c in CASES if c.complex])
def test_complex_derivatives_agree_with_differences(case: Case) -> None:
    random = np.random.default_rng(1)
    args = tuple((np.asarray(x) + 0.3j * random.normal(size=np.shape(x)))[()] for x in case.args)
    check_grads(case.fun, args, order=case.order)


@each_case
def test_backward_pass_does_not_write_into_what_it_is_given(case: Case) -> None:
    args = tuple(np.array(x)[()] for x in case.args)
    before = [np.array(x) for x in args]
    _, pullback = xformad.vjp(case.fun, *args)
    out = case.fun(*args)
    ones = tree.map(np.ones_like, out)
    first = pullback(ones)
    for x in first:
        if isinstance(x, np.ndarray):
            x *= 0
    second = pullback(ones)
    for x, y in zip(args, before, strict=True):
        np.testing.assert_array_equal(x, y)
    for leaf in tree.leaves_of(ones):
        np.testing.assert_array_equal(leaf, np.ones_like(leaf))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = xformad.vjp(case.fun, *args)[1](ones)
    for x, y in zip(second, fresh, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_what_must_be_refused(case: Refused) -> None:
    with pytest.raises(case.error) as raised:
        xformad.vjp(case.fun, *case.args)
    assert case.text in str(raised.value)
