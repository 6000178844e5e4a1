"""`jit` against plain running: over the table of operations, generated programs and programs that branch, in every mode."""

from __future__ import annotations

import gc
import os
import threading
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies

import xformad.numpy as xnp
from tests.generated import make, parameters
from tests.operations.case import Case
from tests.operations.test_table import each_case
from xformad import grad, hessian, jacfwd, jacobian, jacrev, jit, jvp, taylor, tree, vjp, vmap
from xformad.compiler import backends
from xformad.extend import Primitive, primitive


def pulled(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The cotangents of all arguments for cotangents one."""

    def run(*args: Any) -> Any:
        out, pullback = vjp(fun, *args)
        return out, pullback(tree.map(lambda x: xnp.ones_like(x), out))

    return run


def pushed(fun: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: jvp(fun, args, args)


def batched(fun: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: vmap(fun)(*[np.stack([x, 1.01 * x]) for x in args])


MODES: dict[str, Callable[[Callable[..., Any]], tuple[Callable[..., Any], Callable[..., Any]]]] = {
    "value": lambda fun: (fun, jit(fun)),
    "vjp of jit": lambda fun: (pulled(fun), pulled(jit(fun))),
    "jit of vjp": lambda fun: (pulled(fun), jit(pulled(fun))),
    "jvp of jit": lambda fun: (pushed(fun), pushed(jit(fun))),
    "jit of jvp": lambda fun: (pushed(fun), jit(pushed(fun))),
    "vmap of jit": lambda fun: (batched(fun), batched(jit(fun))),
}


def assert_same(expected: Any, found: Any, rtol: float) -> None:
    expected, found = tree.leaves_of(expected), tree.leaves_of(found)
    assert len(expected) == len(found)
    for x, y in zip(expected, found, strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(y, x, rtol=rtol, atol=rtol)


BACKENDS = [name for name in ("replay", "llvm") if name in ("replay", backends.chosen["backend"])]
ALL = bool(os.environ.get("XFORMAD_ALL_MODES"))
"""Whether the table is compiled in every mode: else each operation is in two of the six, in turn, and replayed in all."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the back ends in turn."""
    monkeypatch.setitem(backends.chosen, "backend", request.param)
    return str(request.param)


def agrees(case: Case, modes: Iterable[str]) -> None:
    for mode in modes:
        plain, fast = MODES[mode](case.fun)
        for factor in (1.0, 1.01, 1.0):  # recorded, run again on other numbers, and on the first ones
            args = tuple([factor * x for x in case.args])
            assert_same(plain(*args), fast(*args), 1e-13)


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@each_case
def test_the_table(case: Case, backend: str) -> None:
    names = list(MODES)
    first = zlib.crc32(case.name.encode())
    agrees(case, names if ALL or backend == "replay" else {names[first % 6], names[(first + 3) % 6]})


@pytest.mark.parametrize("seed", range(100))
def test_a_generated_program(seed: int, backend: str) -> None:
    fun = make(seed)
    fast = jit(fun)
    direction = parameters(seed + 5)
    pairs: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
        (fun, fast),
        (grad(fun), grad(fast)),
        (grad(fun), jit(grad(fun))),
        (lambda p: jvp(grad(fun), (p,), (direction,)), lambda p: jvp(grad(fast), (p,), (direction,))),
        (lambda p: jvp(grad(fun), (p,), (direction,)), jit(lambda p: jvp(grad(fun), (p,), (direction,)))),
    ]
    for plain, quick in pairs if ALL or backend == "replay" else [pairs[seed % len(pairs)]]:
        for other in (seed, seed + 1, seed + 2, seed):
            assert_same(plain(parameters(other)), quick(parameters(other)), 1e-9)


def newton_sqrt(a: Any) -> Any:
    """The number of steps depends on a."""
    r = a
    while abs(r * r - a) > 1e-12 * a:
        r = (r + a / r) / 2.0
    return r


def kinked(x: Any) -> Any:
    """The way through depends on the entries, on an index found among them, and on their number."""
    largest = int(np.argmax(x))
    total = x[largest] ** 2
    for i in range(int(np.floor(np.abs(x[0])))):
        total = total + np.sin(x[i % len(x)])
    if total > 2.0:
        return total * x
    return {"small": x - total}["small"]


FINITE = strategies.floats(0.01, 100.0)


@settings(max_examples=15)
@given(strategies.lists(FINITE, min_size=1, max_size=12))
def test_a_loop_until_convergence(numbers: list[float]) -> None:
    fast = jit(newton_sqrt)
    for a in numbers:
        assert_same(newton_sqrt(a), fast(a), 1e-15)
        np.testing.assert_allclose(grad(fast)(a), grad(newton_sqrt)(a), rtol=1e-14)
        np.testing.assert_allclose(jit(grad(newton_sqrt))(a), grad(newton_sqrt)(a), rtol=1e-14)


@settings(max_examples=25)
@given(strategies.lists(strategies.lists(strategies.floats(-5.0, 5.0), min_size=3, max_size=3), min_size=1, max_size=8))
def test_branches(points: list[list[float]]) -> None:
    fast = jit(kinked)
    for point in points:
        x = np.array(point)
        assert_same(kinked(x), fast(x), 1e-14)
        assert_same(vjp(kinked, x)[1](x), vjp(fast, x)[1](x), 1e-14)
        assert_same(jvp(kinked, (x,), (x,)), jvp(fast, (x,), (x,)), 1e-14)


def test_trees_keywords_and_values_that_are_no_arrays() -> None:
    def fun(p: dict[str, Any], *, power: int = 2, kind: str = "sum") -> dict[str, Any]:
        out = p["x"] ** power
        return {kind: np.sum(out), "kind": kind, "flag": p["flag"]}

    fast = jit(fun)
    for power in (2, 3):
        for kind in ("sum", "total"):
            for flag in (True, False):
                p = {"x": np.array([1.0, 2.0]), "flag": flag}
                assert fast(p, power=power, kind=kind) == fun(p, power=power, kind=kind)


def test_results_may_differ_in_form() -> None:
    fast = jit(lambda x: (x, "large") if x > 1.0 else {"small": x})
    for x in (0.5, 2.0, 0.25, 3.0):
        assert fast(x) == ((x, "large") if x > 1.0 else {"small": x})


def test_each_path_is_recorded_once() -> None:
    runs: list[str] = []

    @jit
    def fun(x: Any) -> Any:
        runs.append("recorded")
        return np.sin(x) if x > 0 else np.cos(x)

    for x in (1.0, 2.0, -1.0, -2.0, 3.0):
        assert fun(x) == (np.sin(x) if x > 0 else np.cos(x))
    assert len(runs) == 2


def test_other_modes_run_the_function() -> None:
    fast = jit(np.tanh)
    value, series = taylor(fast, (0.5,), ([1.0],), order=3)
    expected, coefficients = taylor(np.tanh, (0.5,), ([1.0],), order=3)
    assert value == expected
    np.testing.assert_array_equal(series, coefficients)


def test_nesting() -> None:
    def fun(x: Any) -> Any:
        return np.sum(np.tanh(x) ** 3 * x[0])

    x = np.array([0.3, -0.5, 1.2])
    for fast in (jit(jit(fun)), jit(lambda x: jit(fun)(x) + 0.0)):
        assert_same(fun(x), fast(x), 1e-15)
        for nested in (hessian(fast), jit(hessian(fast)), jit(hessian(jit(fast))), hessian(jit(fast))):
            assert_same(hessian(fun)(x), nested(x), 1e-13)
    assert_same(grad(grad(newton_sqrt))(2.0), jit(grad(jit(grad(jit(newton_sqrt)))))(2.0), 1e-14)


def test_matrices_of_derivatives() -> None:
    def fun(x: Any) -> Any:
        return np.tanh(x) * x[0] + x**2

    x = np.array([0.3, -0.5, 1.2])
    for transform in (jacobian, jacfwd, jacrev):
        for fast in (transform(jit(fun)), jit(transform(fun)), jit(transform(jit(fun)))):
            assert_same(transform(fun)(x), fast(x), 1e-14)
            assert_same(transform(fun)(2.0 * x), fast(2.0 * x), 1e-14)
    assert_same(jacrev(jacrev(fun))(x), jacrev(jacrev(jit(fun)))(x), 1e-14)


def test_a_closed_over_traced_value() -> None:
    x = np.array([1.0, 2.0])

    def outer(w: Any) -> Any:
        return np.sum(jit(lambda x: w * x**2)(x))

    np.testing.assert_allclose(grad(outer)(3.0), 5.0)
    np.testing.assert_allclose(jit(grad(outer))(3.0), 5.0)


def test_a_result_is_not_changed_by_the_next_call() -> None:
    constant = np.ones(3)
    fast = jit(lambda x: (np.exp(x) + 1.0, constant, x[1:]))
    first = fast(np.zeros(3))
    first[1][0] = 5.0
    second = fast(np.ones(3))
    np.testing.assert_array_equal(first[0], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(second[1], [1.0, 1.0, 1.0])


def test_threads() -> None:
    fast = jit(kinked)
    points = np.random.default_rng(0).normal(size=(200, 3)) * 0.3
    expected = [kinked(x) for x in points]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for x, value in zip(points, expected, strict=True):
                assert_same(value, fast(x), 1e-14)
                grad(lambda x: np.sum(fast(x)))(x)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_calls_leave_nothing() -> None:
    fast = jit(grad(lambda x: np.sum(np.tanh(x) ** 2)))
    x = np.ones(3)
    fast(x)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(2000):
        fast(x)
    gc.collect()
    assert len(gc.get_objects()) <= before + 20


def test_arrays_of_other_classes_are_not_read_by_machine_code() -> None:
    fast = jit(lambda x: np.exp(x) + 1.0)
    for size in (3, 5):
        x = np.ma.masked_array(np.ones(size), np.arange(size) == 1)
        for _ in range(2):
            found: Any = fast(x)
            assert isinstance(found, np.ma.MaskedArray)
            assert found.mask.tolist() == x.mask.tolist()
    grad(lambda x: np.sum(fast(x)))(np.ones(3))
    assert fast.cache_info().misses == 1


def test_names_of_primitives_may_be_anything() -> None:
    double = Primitive("twice, please", lambda x: 2.0 * x)
    fast = jit(lambda x: double.bind(x) + 1.0)
    assert fast(3.0) == fast(3.0) == 7.0


def test_shapes_and_dtypes_that_depend_on_numbers() -> None:
    @primitive
    def positive(x: Any) -> Any:
        return x[x > 0.0]

    @primitive
    def square(x: Any) -> Any:  # not NumPy's
        return np.repeat(x, 2)

    real, turning = np.diag([1.0, 2.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    cases: list[tuple[Callable[..., Any], Any, Any]] = [
        (lambda x: x[x > 0.0] * 2.0, np.array([1.0, -1.0, 2.0]), np.ones(3)),
        (lambda x: positive(x) * 2.0, np.array([1.0, -1.0, 2.0]), np.ones(3)),
        (lambda x: square(x[x > 0.0]) * 2.0, np.array([1.0, -1.0, 2.0]), np.ones(3)),
        (lambda x: np.exp(np.linalg.eig(x)[0]), real, turning),
        (lambda x: np.exp(np.roots(x)), np.array([1.0, 0.0, -1.0]), np.array([1.0, 0.0, 1.0])),
    ]
    for fun, *points in cases:
        fast = jit(fun)
        for x in (*points, *points):
            assert_same(fun(x), fast(x), 1e-14)
        assert fast.cache_info().misses == 2


def test_an_error_leaves_nothing_behind() -> None:
    fast = jit(lambda x: np.linalg.inv(x))
    with pytest.raises(np.linalg.LinAlgError):
        fast(np.zeros((2, 2)))
    np.testing.assert_array_equal(fast(np.eye(2)), np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        fast(np.zeros((2, 2)))
