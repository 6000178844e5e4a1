"""Random programs in which several uses of one array meet, against difference quotients, to second order.

Cotangents of different kinds add up where an array is used whole, by rows, by index arrays, under masks and in products.
Rules tested one by one do not show a mistake there.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from xformad.testing import check_grads

random = np.random.default_rng(5)
MASKS = [random.random((3, 3)) > 0.5 for _ in range(3)]
WEIGHTS = random.normal(size=(3, 3))
X = np.array([0.4, -0.7, 1.1])

# Of two matrices and two positions: a matrix for the statements that follow, or a number for the sum.
STATEMENTS: list[Callable[[Any, Any, int, int], Any]] = [
    lambda m, q, i, j: m + q[i],
    lambda m, q, i, j: m + 0.1 * np.sum(q[:, j:] ** 2),
    lambda m, q, i, j: np.where(MASKS[i], m, 0.5 * q * q),
    lambda m, q, i, j: np.where(m > 0.13, m, np.sin(m)),
    lambda m, q, i, j: np.maximum(m, 0.77 * q + 0.01),
    lambda m, q, i, j: np.exp(0.2 * m),
    lambda m, q, i, j: np.tanh(m),
    lambda m, q, i, j: np.tanh(m.T + q),
    lambda m, q, i, j: np.tanh(m * q),
    lambda m, q, i, j: m + 0.5 * q,
    lambda m, q, i, j: np.reshape(np.reshape(m, (9,))[::-1], (3, 3)),
    lambda m, q, i, j: m - 0.1 * np.sum(q, axis=j % 2, keepdims=True),
    lambda m, q, i, j: np.concatenate([m[1:], q[:1]]),
    lambda m, q, i, j: 0.3 * np.cumsum(m, axis=i % 2),
    lambda m, q, i, j: 0.3 * np.sum(m[np.array([i, j, i])]),
    lambda m, q, i, j: np.sum(m[MASKS[i]] ** 2),
    lambda m, q, i, j: np.sum(m[:, [i, i, j]] * q),
    lambda m, q, i, j: m[i] @ q[:, j],
    lambda m, q, i, j: m[i, j] * q[j, i],
    lambda m, q, i, j: np.sum(np.tanh(m @ (q @ X))),
    lambda m, q, i, j: np.tanh(X @ m) @ q[j],
    lambda m, q, i, j: np.sum(np.outer(m[i], q[j]) * m),
    lambda m, q, i, j: np.max(m * WEIGHTS),
    lambda m, q, i, j: 0.1 * np.sort(m, axis=None) @ np.arange(9.0),
]


def program(seed: int) -> Callable[[Any], Any]:
    """A random program of three to nine statements on a matrix, with a number as result."""
    choose = Random(seed)
    statements = [
        (choose.choice(STATEMENTS), choose.random(), choose.random(), choose.randrange(3), choose.randrange(3))
        for _ in range(choose.randint(3, 9))
    ]

    def run(w: Any) -> Any:
        matrices, total = [w, np.exp(0.3 * w)], 0.0
        for statement, first, second, i, j in statements:
            m, q = (matrices[int(share * len(matrices))] for share in (first, second))
            result = statement(m, q, i, j)
            if np.ndim(result):
                matrices.append(result)
            else:
                total = total + result
        return total + np.sum(np.tanh(matrices[-1]) * WEIGHTS)

    return run


@pytest.mark.parametrize("seed", range(200))
def test_derivatives_of_a_generated_program(seed: int) -> None:
    w = np.random.default_rng(seed).normal(size=(3, 3))
    check_grads(program(seed), (w,), order=2, modes=("forward", "reverse"), rtol=2e-4, atol=2e-4)
