"""Every operation of the table in forward mode, and in all mixes of the two modes to second order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xformad
from tests.operations.case import Case
from tests.operations.test_table import CASES, assert_same, cast, each_case
from xformad import tree
from xformad.testing import check_grads

# A norm at zero has no second derivative by reverse over forward mode, which is NaN with a warning: tests/test_forward.py.
MIXED = [case for case in CASES if not ("norm" in case.name and "zero" in case.name)]


@each_case
def test_value_in_forward_mode_is_numpys(case: Case) -> None:
    out, tangent = xformad.jvp(case.fun, case.args, tuple(np.ones_like(x) for x in case.args))
    assert_same(case.fun(*case.args), out)
    for leaf, moved in zip(tree.leaves_of(out), tree.leaves_of(tangent), strict=True):
        assert np.shape(moved) == np.shape(leaf)
        assert np.asarray(moved).dtype == (np.asarray(leaf).dtype if np.asarray(leaf).dtype.kind in "fc" else float)


@pytest.mark.parametrize("case", MIXED, ids=[case.name for case in MIXED])
def test_all_mixes_of_modes_agree_with_differences(case: Case) -> None:
    check_grads(case.fun, case.args, order=min(case.order, 2), modes=("forward", "reverse"))


@each_case
def test_single_precision_tangents(case: Case) -> None:
    args = cast(case.args, np.float32)
    out, tangent = xformad.jvp(case.fun, args, tuple(np.ones_like(x) for x in args))
    for leaf, moved in zip(tree.leaves_of(out), tree.leaves_of(tangent), strict=True):
        if np.asarray(leaf).dtype.kind in "fc":
            assert np.asarray(moved).dtype == np.asarray(leaf).dtype


def random_like(x: Any, random: np.random.Generator) -> Any:
    values = random.normal(size=np.shape(x))
    if np.asarray(x).dtype.kind == "c":
        values = values + 1j * random.normal(size=np.shape(x))
    return np.asarray(values, np.asarray(x).dtype if np.asarray(x).dtype.kind in "fc" else float)[()]


@pytest.mark.parametrize("case", [c for c in CASES if c.complex], ids=[c.name for c in CASES if c.complex])
def test_complex_tangents_agree_with_cotangents(case: Case) -> None:
    """The law <w, J v> = <J^T w, v>, with the real part of the products that are not conjugated."""
    random = np.random.default_rng(2)
    args = tuple((np.asarray(x) + 0.3j * random.normal(size=np.shape(x)))[()] for x in case.args)
    directions = tuple(random_like(x, random) for x in args)
    out, tangent = xformad.jvp(case.fun, args, directions)
    weights = tree.map(lambda x: random_like(x, random), out)
    gradients = xformad.vjp(case.fun, *args)[1](weights)
    pairs = zip(tree.leaves_of(weights), tree.leaves_of(tangent), strict=True)
    left = sum(np.sum(np.real(w * t)) for w, t in pairs)
    right = sum(np.sum(np.real(g * v)) for g, v in zip(gradients, directions, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
