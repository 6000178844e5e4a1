"""`checkpoint` and `checkpoint_scan`: what they save, and that they change nothing else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.test_control_flow import agree
from xformad import checkpoint, checkpoint_scan, grad, vjp

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
