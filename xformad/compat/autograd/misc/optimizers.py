"""Autograd's `autograd.misc.optimizers`: stochastic gradient methods on containers of arrays.

>>> import numpy as np
>>> slope = lambda p, i: {"w": 2 * p["w"]}
>>> adam(slope, {"w": np.ones(2)}, num_iters=100, step_size=0.01)["w"].round(1)
array([0.2, 0.2])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from xformad.compat.autograd.misc.flatten import flatten
from xformad.compat.autograd.wrap_util import wraps
from xformad.core.typing import Value

Gradient: TypeAlias = Callable[[Any, int], Any]
Callback: TypeAlias = Callable[[Any, int, Any], object] | None


def unflatten_optimizer(optimize: Callable[..., Value]) -> Callable[..., Any]:
    """An optimizer of vectors as one of containers: `optimizer(grad, x0, callback=None, ...)`."""

    @wraps(optimize)
    def of_containers(grad: Gradient, x0: Any, callback: Callback = None, *args: Any, **kwargs: Any) -> Any:
        vector, unflatten = flatten(x0)

        def told(x: Value, i: int, g: Value) -> None:
            if callback is not None:
                callback(unflatten(x), i, unflatten(g))

        def gradient(x: Value, i: int) -> Value:
            return flatten(grad(unflatten(x), i))[0]

        return unflatten(optimize(gradient, vector, told if callback else None, *args, **kwargs))

    return of_containers


@unflatten_optimizer
def sgd(
    grad: Gradient,
    x: Value,
    callback: Callback = None,
    num_iters: int = 200,
    step_size: float = 0.1,
    mass: float = 0.9,
) -> Value:
    """Gradient descent with momentum; `grad(x, i)` has the number of the iteration."""
    velocity = np.zeros(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        if callback:
            callback(x, i, g)
        velocity = mass * velocity - (1.0 - mass) * g
        x = x + step_size * velocity
    return x


@unflatten_optimizer
def rmsprop(
    grad: Gradient,
    x: Value,
    callback: Callback = None,
    num_iters: int = 100,
    step_size: float = 0.1,
    gamma: float = 0.9,
    eps: float = 1e-8,
) -> Value:
    """Gradient descent with steps divided by the root of the mean square of each derivative."""
    squares = np.ones(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        if callback:
            callback(x, i, g)
        squares = squares * gamma + g**2 * (1 - gamma)
        x = x - step_size * g / (np.sqrt(squares) + eps)
    return x


@unflatten_optimizer
def adam(
    grad: Gradient,
    x: Value,
    callback: Callback = None,
    num_iters: int = 100,
    step_size: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Value:
    """Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1)."""
    first = np.zeros(len(x))
    second = np.zeros(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        if callback:
            callback(x, i, g)
        first = (1 - b1) * g + b1 * first
        second = (1 - b2) * g**2 + b2 * second
        unbiased = first / (1 - b1 ** (i + 1))
        x = x - step_size * unbiased / (np.sqrt(second / (1 - b2 ** (i + 1))) + eps)
    return x
