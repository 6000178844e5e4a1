"""Kernels on several threads: the numbers do not depend on how many there are, nor on who calls."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from xformad import ArgumentError, grad, jit, value_and_grad
from xformad.compiler.native import engine

random = np.random.default_rng(0)
LINE = random.normal(size=200_003)
TABLE = random.normal(size=(701, 300))


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


WORKS: dict[str, tuple[Callable[..., Any], Any]] = {
    "entry by entry": (lambda x: np.tanh(x) * np.exp(-x * x), LINE),
    "a sum of everything": (lambda x: np.sum(np.tanh(x) * np.exp(-x * x)), LINE),
    "a sum, and entries": (value_and_grad(lambda x: np.sum(np.sin(x) ** 2)), LINE),
    "sums of a table": (
        lambda x: (np.sum(np.exp(x)), np.max(np.sin(x)), np.min(x * x), np.prod(np.cos(x) / np.cos(x))),
        TABLE,
    ),
    "rows": (softmax, TABLE),
    "columns": (lambda x: np.sum(np.sin(x), axis=0), TABLE),
    "transposed": (lambda x: np.exp(x.T) + np.cos(x).T, TABLE),
    "strides": (lambda x: np.exp(x[::-1, ::2]) * 2.0, TABLE),
    "indices": (lambda x: np.exp(x)[np.arange(700, -1, -1)], TABLE),
    "running sums": (lambda x: np.cumsum(np.exp(np.sin(x)), axis=1), TABLE),
}


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = jit.threads()
    yield
    jit.set_threads(before)


@pytest.mark.parametrize("name", WORKS)
def test_the_number_of_threads_does_not_matter(name: str) -> None:
    fun, x = WORKS[name]
    fast = jit(fun)
    expected = fast(x)  # plain running
    found = []
    for count in (1, 2, 3, 8, 2):
        jit.set_threads(count)
        assert jit.threads() == count
        found.append([np.asarray(part) for part in (fast(x) if isinstance(expected, tuple) else (fast(x),))])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(expected if isinstance(expected, tuple) else (expected,), found[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_large_loops_are_cut() -> None:
    """Else these tests would show nothing."""
    for name in ("entry by entry", "a sum of everything", "rows", "transposed"):
        fun, x = WORKS[name]
        fast = jit(fun)
        (kernel,) = [node for node in fast.path((x,), {}).program.graph.equations if node.primitive.name == "kernel"]  # type: ignore[union-attr]
        text = kernel.primitive.implementation.text  # type: ignore[union-attr]
        assert f"i64 {engine.pool[0].run}" in text
        assert "rows" in text


def test_sums_are_as_accurate_as_numpys() -> None:
    x = random.normal(size=1_000_000) * np.exp(random.normal(size=1_000_000) * 5.0)
    fast = jit(lambda x: np.sum(x * 1.0))
    fast(x)
    exact = float(np.sum(x.astype(np.longdouble)))
    assert abs(fast(x) - exact) <= 2.0 * max(abs(np.sum(x) - exact), np.spacing(abs(exact)))


def test_infinities_and_nan_in_sums() -> None:
    fast = jit(lambda x: np.sum(np.exp(x)))
    for value in (np.nan, np.inf, -np.inf, 0.0):
        x = LINE.copy()
        x[100_000] = value
        fast(x)
        np.testing.assert_allclose(fast(x), np.sum(np.exp(x)), rtol=1e-14)


def test_callers_on_many_threads() -> None:
    fast, slope = jit(softmax), jit(grad(lambda x: np.sum(np.sin(x) ** 2)))
    fast(TABLE), slope(LINE)
    expected = [fast(TABLE), slope(LINE)]
    jit.set_threads(3)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                np.testing.assert_array_equal(fast(TABLE), expected[0])
                np.testing.assert_array_equal(slope(LINE), expected[1])
        except BaseException as error:
            failures.append(error)

    callers = [threading.Thread(target=work) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


def in_a_child(queue: Any, fast: Callable[[Any], Any], expected: Any) -> None:
    again = jit(softmax)  # compiled in the child
    again(TABLE)
    queue.put(bool(np.array_equal(fast(TABLE), expected) and np.array_equal(again(TABLE), expected)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process() -> None:
    fast = jit(softmax)
    fast(TABLE)
    expected = fast(TABLE)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_a_child, args=(queue, fast, expected))
    child.start()
    assert queue.get(timeout=60)
    child.join(timeout=60)
    np.testing.assert_array_equal(fast(TABLE), expected)


def test_the_process_ends() -> None:
    program = """
import numpy as np
from xformad import jit
jit.set_threads(4)
fast = jit(lambda x: np.sum(np.exp(x)))
fast(np.zeros(300_000))
print(float(fast(np.zeros(300_000))))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "300000.0\n"
    assert found.stderr == ""


def test_set_threads_takes_a_positive_number() -> None:
    with pytest.raises(ArgumentError, match=r"^jit.set_threads takes a positive number of threads, not 0$"):
        jit.set_threads(0)
