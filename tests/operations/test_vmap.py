"""Every operation of the table under `vmap`: equal to a loop over the examples, in value and derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.operations.case import Case
from tests.operations.test_table import CASES, assert_same
from xformad import BatchError, ConcretizationError, UnsupportedError, operations, tree, vjp, vmap
from xformad.core.primitive import Primitive
from xformad.interpreters.batch_rules import batch_rules

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])

Which = tuple[bool, ...]


def choices(case: Case) -> Iterator[Which]:
    """Which of the arguments to batch: each alone, and all. NumPy does not tell us of some that are alone."""
    count = len(case.args)
    for i in range(count):
        alone = tuple(i == j for j in range(count))
        if dispatched(case, i):
            yield alone
    if count > 1:
        yield (True,) * count


def dispatched(case: Case, i: int) -> bool:
    """Whether NumPy hands the call over where only this argument is traced; reverse mode tells."""
    if len(case.args) == 1:
        return True
    try:
        vjp(lambda x: case.fun(*case.args[:i], x, *case.args[i + 1 :]), case.args[i])
    except (ConcretizationError, UnsupportedError):
        return False
    return True


def batch(x: Any, size: int, axis: int = 0) -> Any:
    """Examples near x."""
    examples = [np.asarray(x) * (1 + 0.01 * i) for i in range(size)]
    return np.moveaxis(np.stack(examples) if examples else np.zeros((0, *np.shape(x))), 0, axis)


def batches(case: Case, which: Which, size: int) -> list[Any]:
    return [batch(x, size) if batched else x for x, batched in zip(case.args, which, strict=True)]


def loop(fun: Callable[..., Any], args: list[Any], which: Which, size: int) -> Any:
    """The function on each example by itself."""
    results = [fun(*[x[i] if batched else x for x, batched in zip(args, which, strict=True)]) for i in range(size)]
    return tree.map(lambda *leaves: np.stack(leaves), *results)


def axes(which: Which) -> tuple[int | None, ...]:
    return tuple(0 if batched else None for batched in which)


def cotangent(out: Any, *leading: int) -> Any:
    """Numbers without a pattern, in the form of a result, with more axes before."""

    def leaf(x: Any) -> Any:
        shape = (*leading, *np.shape(x))
        return np.cos(1.0 + 3 * np.arange(np.prod(shape, dtype=int))).reshape(shape).astype(np.result_type(x))[()]

    return tree.map(leaf, out)


@each_case
@pytest.mark.parametrize("size", [1, 3])
def test_value_is_that_of_a_loop(case: Case, size: int) -> None:
    for which in choices(case):
        args = batches(case, which, size)
        assert_same(loop(case.fun, args, which, size), vmap(case.fun, axes(which))(*args))


@each_case
def test_batch_axis_may_be_any(case: Case) -> None:
    expected = vmap(case.fun)(*batches(case, (True,) * len(case.args), 2))
    for axis in range(-1, 1 + max(np.ndim(x) for x in case.args)):
        in_axes = tuple(min(axis, np.ndim(x)) for x in case.args)
        args = [batch(x, 2, i) for x, i in zip(case.args, in_axes, strict=True)]
        assert_same(expected, vmap(case.fun, in_axes)(*args))
        got = vmap(case.fun, out_axes=-1)(*batches(case, (True,) * len(case.args), 2))
        assert_same(expected, tree.map(lambda x: np.moveaxis(x, -1, 0), got))


@each_case
def test_gradients_of_examples_are_those_of_a_loop(case: Case) -> None:
    def pulled(*args: Any) -> Any:
        out, pullback = vjp(case.fun, *args)
        return pullback(cotangent(out))

    for which in choices(case):
        args = batches(case, which, 3)
        assert_close(loop(pulled, args, which, 3), vmap(pulled, axes(which))(*args))


@each_case
def test_pullback_of_a_batch_of_cotangents(case: Case) -> None:
    out, pullback = vjp(case.fun, *case.args)
    cotangents = cotangent(out, 3)
    assert_close(loop(pullback, [cotangents], (True,), 3) if tree.flatten(out)[1] is tree.LEAF else
                 stacked([pullback(tree.map(lambda x, i=i: x[i], cotangents)) for i in range(3)]),
                 vmap(pullback)(cotangents))  # fmt: skip


def stacked(results: list[Any]) -> Any:
    return tree.map(lambda *leaves: np.stack(leaves), *results)


@each_case
def test_gradient_of_the_batch(case: Case) -> None:
    for which in choices(case):
        args = batches(case, which, 3)
        out, pullback = vjp(vmap(case.fun, axes(which)), *args)
        g = cotangent(out)
        parts = []
        for i in range(3):
            example = [x[i] if batched else x for x, batched in zip(args, which, strict=True)]
            parts.append(vjp(case.fun, *example)[1](tree.map(lambda x, i=i: x[i], g)))
        expected = [
            np.stack(each) if batched else sum(each)
            for each, batched in zip(zip(*parts, strict=True), which, strict=True)
        ]
        assert_close(expected, list(pullback(g)))


def assert_close(expected: Any, found: Any) -> None:
    left, right = tree.leaves_of(expected), tree.leaves_of(found)
    assert len(left) == len(right)
    for x, y in zip(left, right, strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.result_type(x) == np.result_type(y)
        np.testing.assert_allclose(y, x, rtol=1e-9, atol=1e-9)


@each_case
def test_batch_without_examples(case: Case) -> None:
    """Its result is empty, of the right shape and dtype, or there is an error that says why not."""
    which = (True,) * len(case.args)
    try:
        found = vmap(case.fun)(*batches(case, which, 0))
    except BatchError as error:
        assert "no examples" in str(error)  # noqa: PT017
        return
    expected = vmap(case.fun)(*batches(case, which, 1))
    assert_same(tree.map(lambda x: x[:0], expected), found)


def test_every_operation_has_a_batching_rule() -> None:
    for name in operations.__all__:
        for value in vars(getattr(operations, name)).values():
            if isinstance(value, Primitive):
                assert value in batch_rules, value


NESTED = [case for case in CASES if len(case.args) == 2]


@pytest.mark.parametrize("case", NESTED, ids=[case.name for case in NESTED])
def test_all_pairs_of_examples(case: Case) -> None:
    """Two batches, one inside of the other."""
    if not (dispatched(case, 0) and dispatched(case, 1)):
        return
    x, y = batches(case, (True, True), 3)
    expected = stacked([stacked([case.fun(a, b) for b in y]) for a in x])
    assert_same(expected, vmap(vmap(case.fun, (None, 0)), (0, None))(x, y))
    swapped = vmap(vmap(case.fun, (0, None)), (None, 0))(x, y)
    assert_same(expected, tree.map(lambda z: np.swapaxes(z, 0, 1), swapped))


@pytest.mark.parametrize("case", [c for c in CASES if c.complex], ids=[c.name for c in CASES if c.complex])
def test_complex_and_single_precision(case: Case) -> None:
    which = (True,) * len(case.args)
    random = np.random.default_rng(1)
    for dtype in (np.complex128, np.float32):
        args = [(x + 0.3j * random.normal(size=x.shape) if dtype is np.complex128 else x).astype(dtype)
                for x in batches(case, which, 3)]  # fmt: skip
        expected, found = loop(case.fun, args, which, 3), vmap(case.fun)(*args)
        for x, y in zip(tree.leaves_of(expected), tree.leaves_of(found), strict=True):
            assert x.shape == y.shape
            assert x.dtype == y.dtype
            np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-4)
