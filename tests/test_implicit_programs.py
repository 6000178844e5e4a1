"""Random programs of roots, fixed points and integrals, inside of and around other transformations, against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import checkpoint, cond, fixed_point, grad, jvp, odeint, root, scan, vmap

Random = np.random.Generator
Operation = Callable[[Any, Random], Any]
TIMES = np.array([0.0, 0.7])
TIGHT: Any = {"rtol": 1e-11, "atol": 1e-11}


# Each makes a vector of three numbers of another one.


def by_root(v: Any, random: Random) -> Any:
    a = 0.2 * random.normal(size=(3, 3))
    method, solve = random.choice(["hybr", "newton", "lm"]), random.choice(["dense", "gmres"])
    return root(
        lambda x: x + a @ np.tanh(x) + 0.1 * np.sin(v) * x - v, np.zeros(3), method=str(method), solve=str(solve)
    )


def by_root_over_containers(v: Any, random: Random) -> Any:
    def equations(p: Any, v: Any) -> Any:
        return {"first": p["a"] * (2 + np.sin(v[0])) - v[:2], "second": p["b"] ** 3 + p["b"] - v[2]}

    found = root(equations, {"a": np.ones(2), "b": 0.3}, v)
    return xnp.array([found["a"][0], found["a"][1], found["b"]])


def by_fixed_point(v: Any, random: Random) -> Any:
    a = 0.1 * random.normal(size=(3, 3))
    return fixed_point(lambda x: v + np.tanh(a @ x), v)


def by_integral(v: Any, random: Random) -> Any:
    a = 0.4 * random.normal(size=(3, 3))
    return odeint(lambda y, t: np.tanh(a @ y) * np.cos(v[0] * t), v, TIMES, **TIGHT)[-1]


def by_integral_to_a_time(v: Any, random: Random) -> Any:
    times = xnp.array([0.1 * v[0], 1.0 + 0.1 * np.sin(v[1])])
    return odeint(lambda y, t, w: {"y": -w * y["y"] + np.sin(t)}, {"y": v}, times, 0.3 * v[2], **TIGHT)["y"][-1]


def by_batch_of_roots(v: Any, random: Random) -> Any:
    return vmap(lambda a, c: root(lambda x: x + 0.3 * np.sin(x) * c - a, 0.0))(v, random.normal(size=3))


def by_batch_of_integrals(v: Any, random: Random) -> Any:
    return vmap(lambda a: odeint(lambda y, t: -0.2 * y * a, v[0], TIMES, **TIGHT)[-1])(v)


def by_gradient_of_root(v: Any, random: Random) -> Any:
    def energy(u: Any) -> Any:
        return np.sum(root(lambda x: x + 0.2 * np.tanh(x) * v - u, np.zeros(3), method="newton") ** 2)

    return 0.5 * grad(energy)(v)


def by_scan(v: Any, random: Random) -> Any:
    def step(state: Any, x: Any) -> tuple[Any, Any]:
        return root(lambda z: z - state - 0.1 * np.sin(z * x), state, method="newton"), None

    return scan(step, v, random.normal(size=2))[0]


def by_checkpoint(v: Any, random: Random) -> Any:
    return checkpoint(lambda v: by_root(v, np.random.default_rng(1)))(v)


def by_branches(v: Any, random: Random) -> Any:
    def first(v: Any) -> Any:
        return by_fixed_point(v, np.random.default_rng(1))

    def second(v: Any) -> Any:
        return by_integral(v, np.random.default_rng(2))

    return cond(v[0] > 0.1, first, second, v)


def by_formula(v: Any, random: Random) -> Any:
    return np.sin(v) + 0.1 * v * v[::-1]


OPERATIONS: list[Operation] = [
    *(by_root, by_root_over_containers, by_fixed_point, by_integral, by_integral_to_a_time, by_batch_of_roots),
    *(by_batch_of_integrals, by_gradient_of_root, by_scan, by_checkpoint, by_branches, by_formula),
]


@pytest.mark.parametrize("seed", range(24))
def test_a_program(seed: int) -> None:
    random = np.random.default_rng(seed)
    chain = [OPERATIONS[i] for i in (seed % len(OPERATIONS), random.integers(len(OPERATIONS)))]

    def program(v: Any) -> Any:
        constants = np.random.default_rng(seed)
        for operation in chain:
            v = operation(v, constants)
        return np.sum(np.array([1.0, -0.5, 2.0]) * v + 0.1 * v**2)

    v, d = 0.7 * random.normal(size=3), random.normal(size=3)
    step = 1e-5
    gradient = grad(program)

    def along(v: Any) -> Any:
        return jvp(program, (v,), (d,))[1]

    first = (program(v + step * d) - program(v - step * d)) / (2 * step)
    for found in (gradient(v) @ d, along(v)):
        np.testing.assert_allclose(found, first, rtol=1e-6, atol=1e-7)
    second = (gradient(v + step * d) - gradient(v - step * d)) / (2 * step)
    products = [jvp(gradient, (v,), (d,))[1], grad(along)(v), grad(lambda v: gradient(v) @ d)(v)]
    for product in products:
        np.testing.assert_allclose(product, second, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jvp(along, (v,), (d,))[1], second @ d, rtol=1e-5, atol=1e-6)
    batch = np.stack([v, v + 0.1 * d])
    gradients = np.stack([gradient(each) for each in batch])
    np.testing.assert_allclose(vmap(gradient)(batch), gradients, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(grad(lambda batch: np.sum(vmap(program)(batch)))(batch), gradients, rtol=1e-6, atol=1e-8)
    of_batch = vmap(lambda v: jvp(gradient, (v,), (d,))[1])(batch)
    np.testing.assert_allclose(of_batch[0], second, rtol=1e-5, atol=1e-6)
