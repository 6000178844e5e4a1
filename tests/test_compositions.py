"""All pairs and triples of transformations, nested in every order, against difference quotients and loops.

Each transformation is put into a form that takes a function of a vector, with a number as result, and returns another
one. So they can be nested in any order, and each has a truth that knows nothing of xformad: differences along a direction,
a loop over examples, the function itself.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import (
    checkpoint,
    cond,
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    jvp,
    scan,
    taylor,
    tree,
    vjp,
    vmap,
    while_loop,
)

Function = Callable[[Any], Any]

X: Final = np.array([0.3, -0.4, 0.5])
EXAMPLES: Final = np.array([[1.0, 0.8, 1.1], [0.9, 1.2, 0.7]])
A, B, C, V, W = [0.6 * d / np.linalg.norm(d) for d in np.random.default_rng(2).normal(size=(5, 3))]


# Small programs. What they decide by values stays the same near X.


def elementwise(x: Any) -> Any:
    return np.sum(np.sin(x) * np.exp(0.5 * x[::-1])) + np.tanh(x[0] * x[2]) / (2.0 + x @ x)


def linear_algebra(x: Any) -> Any:
    m = 2.0 * np.eye(3) + 0.4 * np.outer(x, np.cos(x)) + np.diag(x) / 3
    return np.linalg.solve(m, x) @ A + np.log(np.linalg.det(m)) + np.linalg.norm(m)


def indices_and_branches(x: Any) -> Any:
    y = np.sort(x * np.array([1.0, 1.0, 0.1]) + np.array([30.0, 10.0, 20.0])) / 10.0
    z = np.where(y > 1.5, np.sin(y), y * y) if np.max(y) > y[0] else y
    for i, each in enumerate(z):
        z = z * 0.9 + each * y[[i, 0, 1]]
    return np.sum(z[np.array([0, 0, 2])] * xnp.array([y[0], 1.0, max(y[0], y[2])])) / 10.0


def control_flow(x: Any) -> Any:
    state, rows = scan(lambda s, a: (np.sin(s + a * x), s @ x), x, A)
    y = cond(x[0] > -9.0, lambda y: np.tanh(y) * x, lambda y: y, state)
    y, _ = while_loop(lambda s: s[1] < 2, lambda s: (np.cos(s[0]) * x + s[0], s[1] + 1), (y, 0))
    return np.sum(y) + rows @ B


def trees(x: Any) -> Any:
    parameters: Any = {"w": np.reshape(xnp.array([x[0], 1.0, x[1], x[2]]), (2, 2)), "b": (x[:2], None)}
    moved = tree.map(lambda leaf: 0.7 * np.sin(leaf), parameters)
    return np.sum(np.tanh(moved["w"] @ moved["b"][0] + parameters["b"][0])) + np.prod(1.0 + 0.3 * x)


PROGRAMS: Final[dict[str, Function]] = {
    fun.__name__: fun for fun in (elementwise, linear_algebra, indices_and_branches, control_flow, trees)
}


# The truth: central differences of order 8, with steps at which rounding and truncation are small, and loops.

OFFSETS: Final = np.arange(-4, 5)
STEP: Final = 0.08


def stencil(order: int) -> Any:
    """The weights of the values at `OFFSETS` that make up a Taylor coefficient, exact for polynomials."""
    powers = np.vander(OFFSETS, increasing=True).T.astype(float)
    return np.linalg.solve(powers, np.arange(len(OFFSETS)) == order) / STEP**order


FIRST, SECOND = stencil(1), stencil(2)


def difference(curve: Callable[[float], Any], weights: Any) -> Any:
    """The sum of a function's values, weighted."""
    return sum(w * curve(STEP * k) for w, k in zip(weights, OFFSETS, strict=True) if abs(w) > 1e-9)


def true_gradient(fun: Function) -> Function:
    return lambda x: difference(lambda t: fun(x + t * A), FIRST)


def true_tangent(fun: Function) -> Function:
    return lambda x: difference(lambda t: fun(x + t * B), FIRST)


def true_loop(fun: Function) -> Function:
    return lambda x: sum((k + 1) * fun(example * x) for k, example in enumerate(EXAMPLES))


def true_hessian(fun: Function) -> Function:
    return lambda x: difference(lambda t: fun(x + t * C), 2 * SECOND)


def true_series(fun: Function) -> Function:
    return lambda x: difference(lambda t: fun(x + t * V + t * t * W), FIRST + SECOND)


def itself(fun: Function) -> Function:
    return fun


# The transformations.


def by_grad(fun: Function) -> Function:
    return lambda x: grad(fun)(x) @ A


def by_jvp(fun: Function) -> Function:
    return lambda x: jvp(fun, (x,), (B,))[1]


def by_vmap(fun: Function) -> Function:
    return lambda x: np.array([1.0, 2.0]) @ vmap(lambda example: fun(example * x))(EXAMPLES)


def by_hessian(fun: Function) -> Function:
    return lambda x: C @ hessian(fun)(x) @ C


def by_taylor(fun: Function) -> Function:
    return lambda x: sum(taylor(fun, (x,), ([V, W],), order=2)[1])


def by_custom_vjp(fun: Function) -> Function:
    own = custom_vjp(fun)
    own.defvjp(lambda x: (fun(x), x), lambda x, g: vjp(fun, x)[1](g))
    return own


def by_custom_jvp(fun: Function) -> Function:
    own = custom_jvp(fun)
    own.defjvp(lambda primals, tangents: jvp(fun, primals, tangents))
    return own


TRANSFORMATIONS: Final[dict[str, tuple[Callable[[Function], Function], Callable[[Function], Function]]]] = {
    "grad": (by_grad, true_gradient),
    "jvp": (by_jvp, true_tangent),
    "vmap": (by_vmap, true_loop),
    "hessian": (by_hessian, true_hessian),
    "taylor": (by_taylor, true_series),
    "checkpoint": (checkpoint, itself),
    "custom_vjp": (by_custom_vjp, itself),
    "custom_jvp": (by_custom_jvp, itself),
}
IDENTITIES: Final = {"checkpoint", "custom_vjp", "custom_jvp"}


@functools.cache
def truth(program: str, names: tuple[str, ...]) -> float:
    """The value at X of a program under transformations, the outermost first."""
    fun = PROGRAMS[program]
    for name in reversed(names):
        fun = TRANSFORMATIONS[name][1](fun)
    return float(fun(X))


def check(program: str, names: tuple[str, ...]) -> None:
    fun = PROGRAMS[program]
    for name in reversed(names):
        fun = TRANSFORMATIONS[name][0](fun)
    expected = truth(program, tuple(name for name in names if name not in IDENTITIES))
    np.testing.assert_allclose(fun(X), expected, rtol=1e-4, atol=1e-5, err_msg=f"{program} under {names}")


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_by_themselves(name: str, program: str) -> None:
    check(program, (name,))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("outer", TRANSFORMATIONS)
def test_pairs(outer: str, program: str) -> None:
    for name in TRANSFORMATIONS:
        check(program, (outer, name))


@pytest.mark.parametrize("names", list(itertools.product(TRANSFORMATIONS, repeat=2)), ids="-".join)
def test_triples(names: tuple[str, str]) -> None:
    """Each of two of the programs, in turn; pairs are tested of all."""
    for k, name in enumerate(TRANSFORMATIONS):
        for program in (list(PROGRAMS) * 3)[k : k + 2]:
            check(program, (*names, name))
