"""`checkpoint` and `checkpoint_scan`: what they save, and that they change nothing else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.test_control_flow import agree
from xformad import checkpoint, checkpoint_scan, grad, hessian, jacrev, scan, vjp, vmap
from xformad.extend import defvjp, primitive

X = np.array([0.3, -0.7, 1.1])


def peak(fun: Callable[[], Any]) -> int:
    fun()
    tracemalloc.start()
    fun()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_every_mode_and_pair_of_modes() -> None:
    def block(x: Any, scale: Any, name: str = "") -> Any:
        return {"y": np.tanh(x) * scale, "name": name, "n": 2}

    def net(wrap: Any, x: Any) -> Any:
        for i in range(3):
            x = wrap(block)(x, x[0], name=str(i))["y"] + x
        return np.sum(x**2)

    agree(lambda x: net(checkpoint, x), lambda x: net(lambda f: f, x), X)
    agree(lambda x: net(lambda f: checkpoint(checkpoint(f)), x), lambda x: net(lambda f: f, x), X)


def test_how_often_the_function_runs() -> None:
    runs: list[int] = []

    def counted(x: Any) -> Any:
        runs.append(1)
        return np.sin(x) * x

    value, pullback = vjp(checkpoint(counted), X)
    assert len(runs) == 1
    np.testing.assert_allclose(value, np.sin(X) * X)
    pullback(np.ones(3))
    assert len(runs) == 2
    assert checkpoint(counted).__name__ == "checkpoint(counted)"


def test_a_checkpointed_block_keeps_its_arguments_only() -> None:
    x = np.linspace(0.0, 1.0, 100_000)

    def block(x: Any) -> Any:
        for _ in range(20):
            x = np.sin(x) * 1.01
        return x

    def net(wrap: Any, x: Any) -> Any:
        for _ in range(4):
            x = wrap(block)(x)
        return np.sum(x)

    plain, saved = (
        peak(lambda: grad(lambda x: net(lambda f: f, x))(x)),
        peak(lambda: grad(lambda x: net(checkpoint, x))(x)),
    )
    assert saved < 0.4 * plain


def test_recursive_checkpoints_need_memory_of_the_logarithm_of_the_steps() -> None:
    x = np.linspace(0.0, 1.0, 500)

    def of(steps: int) -> int:
        def loop(x: Any) -> Any:
            return np.sum(checkpoint_scan(lambda s, _: (np.sin(s) * 1.01 + 0.1, None), x, length=steps)[0])

        return peak(lambda: grad(loop)(x))

    few, many = of(64), of(4096)
    assert many < 3.5 * few
    assert many < 0.04 * 4096 * 2 * x.nbytes  # two arrays a step on a plain tape


def test_whole_numbers_in_containers_have_the_derivative_of_floats() -> None:
    assert grad(lambda p: checkpoint(lambda p: p["w"] ** 2)(p))({"w": 3}) == {"w": 6.0}
    assert grad(lambda p: scan(lambda s, _: (s * p["w"], None), 1.0, length=2)[0])({"w": 3}) == {"w": 6.0}
    assert grad(lambda p: scan(lambda s, _: (s * s, None), p["w"], length=2)[0])({"w": 3}) == {"w": 108.0}


def test_only_what_is_differentiated_is_pulled_back() -> None:
    data = np.ones((4, 3))
    pulled: list[str] = []

    @primitive
    def product(a: Any, w: Any) -> Any:
        return a @ w

    def by_data(g: Any, _ans: Any, _a: Any, w: Any) -> Any:
        pulled.append("data")
        return np.outer(g, w)

    defvjp(product, by_data, lambda g, _ans, a, _w: g @ a)
    gradient = grad(lambda w: np.sum(checkpoint(lambda a, w: np.sin(product(a, w)))(data, w)))
    np.testing.assert_allclose(gradient(X), grad(lambda w: np.sum(np.sin(data @ w)))(X))
    assert pulled == []


def test_structural_zeros_pass_into_a_checkpointed_function() -> None:
    x = np.array([0.0, 4.0])

    def safe(root: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: np.sum(np.where(x > 0, root(x), 0.0))

    transforms: list[Callable[[Any], Any]] = [
        lambda f: grad(f)(x),
        lambda f: hessian(f)(x),
        lambda f: grad(lambda x: np.sum(grad(f)(x)))(x),
        lambda f: vmap(grad(f))(np.stack([x, x])),
    ]
    for transform in transforms:
        found = transform(safe(checkpoint(np.sqrt)))
        np.testing.assert_allclose(found, transform(safe(np.sqrt)))
        assert np.isfinite(found).all()


def test_arrays_that_are_written_into_afterwards() -> None:
    def of(wrap: Callable[[Any], Any]) -> Any:
        factors = np.ones(3)
        batches = {"a": [np.ones(3)]}

        def loss(x: Any) -> Any:
            y = wrap(lambda x: x * factors * batches["a"][0])(x)
            factors[:] = 5.0
            batches["a"][0][:] = 7.0
            return np.sum(y)

        return loss

    np.testing.assert_array_equal(grad(of(checkpoint))(X), np.ones(3))


def test_norms_that_are_zero() -> None:
    def squared(x: Any) -> Any:
        return checkpoint(np.linalg.norm)(x) ** 2

    zero = np.zeros(2)
    np.testing.assert_allclose(grad(squared)(zero), zero)
    np.testing.assert_allclose(hessian(squared)(zero), 2 * np.eye(2))
    with pytest.warns(
        RuntimeWarning, match="if that is inside of a checkpointed function, and NaN was put in its place"
    ):
        assert np.isnan(np.diag(jacrev(grad(squared))(zero))).all()
    assert np.isfinite(jacrev(grad(squared))(zero + 0.1)).all()


def test_a_long_loop_in_a_fraction_of_the_memory_of_its_tape() -> None:
    x = np.linspace(0.0, 1.0, 8)

    def step(h: Any) -> Any:
        return np.tanh(0.9 * h + 0.1 * np.sin(h)) + 0.01 * np.cos(h)

    def plain(x: Any) -> Any:
        for _ in range(10_000):
            x = step(x)
        return np.sum(x)

    def saving(x: Any) -> Any:
        return np.sum(checkpoint_scan(lambda h, _: (step(h), None), x, length=10_000)[0])

    assert peak(lambda: grad(saving)(x)) < 0.02 * peak(lambda: grad(plain)(x))
    np.testing.assert_allclose(grad(saving)(x), grad(plain)(x))
