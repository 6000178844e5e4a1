"""Random programs under `vmap` against a loop over the examples: values and derivatives, with Python's control flow.

The statements are those of `tests/generated.py`, and more that branch, loop and index by the numbers, so that the
examples go different ways.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from tests.generated import STATEMENTS, WEIGHTS
from xformad import grad, jvp, vmap

Statement = Callable[[Any, Any, int, int], Any]


def halved_until_small(m: Any, q: Any, i: int, j: int) -> Any:
    while np.sum(m * m) > 3.03:
        m = 0.6 * m
    return m


def first_large_row(m: Any, q: Any, i: int, j: int) -> Any:
    for row in q:
        if row[j] > 0.21:
            return m * row
    return m + 0.3


def row_sums(m: Any, q: Any, i: int, j: int) -> Any:
    sums = [row[0] * q[i, j] if row[1] > row[2] else row @ row for row in m]
    return xnp.array([sums, sums[::-1], [max(s, 0.11) for s in sums]]) * 0.3


def caught(m: Any, q: Any, i: int, j: int) -> Any:
    try:
        if q[i, j] > 0.17:
            raise ValueError
    except ValueError:
        return np.sin(m)
    return m * q


BRANCHING: list[Statement] = [
    lambda m, q, i, j: np.sin(m) if m[i, j] > 0.1 else m + q,
    lambda m, q, i, j: m * max(q[i, j], 0.05),
    lambda m, q, i, j: m + min(q[i, j], m[j, i], 0.4),
    lambda m, q, i, j: 0.2 * m if np.all(q[i] < 0.9) else np.cos(m),
    lambda m, q, i, j: m - q[np.argmax(m[:, j])],
    lambda m, q, i, j: m * q[int(np.argmin(m[i])), j],
    lambda m, q, i, j: m[np.argsort(q[:, j])],
    lambda m, q, i, j: np.take_along_axis(m, np.argsort(q, axis=i % 2), axis=i % 2),
    lambda m, q, i, j: 0.3 * np.sum(m[m > 0.31] ** 2),
    lambda m, q, i, j: np.sum(m[q > np.max(q[i])]) + np.sum(m * (q > 0.2)),
    lambda m, q, i, j: np.mean(m[: 1 + np.count_nonzero(q[:, j] > 0.1)]),
    lambda m, q, i, j: np.sum(m[np.nonzero(q[i] > 0.12)[0], j]),
    lambda m, q, i, j: (np.sin, np.tanh, np.cos)[np.argmax(q[i])](m),
    lambda m, q, i, j: m[:, np.array([i, j, i]), None][np.arange(3), :, 0] if q[0, i] > q[1, j] else m[:, ::-1],
    lambda m, q, i, j: vmap(lambda row, s: row * s if row[i] > s else row + s)(m, q[:, j]),
    lambda m, q, i, j: np.sum(vmap(lambda s: max(s, 0.2) * m[i, j], 0)(q[i])),
    lambda m, q, i, j: 0.3 * grad(lambda x: np.sum(x**3) if x[i, j] > 0.3 else np.sum(np.sin(x) * q))(m),
    lambda m, q, i, j: np.reshape(np.ravel(m, order="F"), (3, 3)) @ q,
    lambda m, q, i, j: np.linalg.solve(q + 5 * np.eye(3), m[:, i if q[j, j] > 0 else j]) * m,
    halved_until_small,
    first_large_row,
    row_sums,
    caught,
]


def program(seed: int) -> Callable[[Any], Any]:
    """A random program of three to eight statements on a matrix, with a number as result."""
    choose = Random(seed)
    statements = [
        (
            choose.choice([*BRANCHING, *STATEMENTS.values()]),
            choose.random(),
            choose.random(),
            choose.randrange(3),
            choose.randrange(3),
        )
        for _ in range(choose.randint(3, 8))
    ]

    def run(w: Any) -> Any:
        matrices, total = [w, np.exp(0.3 * w)], 0.0
        for statement, first, second, i, j in statements:
            m, q = (matrices[int(share * len(matrices))] for share in (first, second))
            result = statement(m, q, i, j)
            if np.ndim(result) == 2:
                matrices.append(result)
            else:
                total = total + np.sum(result)
        return total + np.sum(np.tanh(matrices[-1]) * WEIGHTS)

    return run


def close(found: Any, expected: list[Any]) -> None:
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(150))
def test_a_generated_program_on_a_batch(seed: int) -> None:
    fun = program(seed)
    random = np.random.default_rng(seed)
    w, t = random.normal(size=(2, 5, 3, 3))
    close(vmap(fun, in_axes=2)(np.moveaxis(w, 0, 2)), [fun(x) for x in w])
    slopes = [grad(fun)(x) for x in w]
    close(vmap(grad(fun))(w), slopes)
    close(grad(lambda ws: np.sum(vmap(fun)(ws)))(w), slopes)
    moved = [jvp(fun, (x,), (d,))[1] for x, d in zip(w, t, strict=True)]
    close(vmap(lambda x, d: jvp(fun, (x,), (d,))[1])(w, t), moved)
    close(jvp(vmap(fun), (w,), (t,))[1], moved)
    second: Any = grad(lambda x: np.sum(grad(fun)(x) ** 2))
    close(vmap(second)(w[:2]), [second(x) for x in w[:2]])
    pairs = vmap(lambda x: vmap(lambda s: fun(s * x))(np.array([0.5, 1.5])))(w[:3])
    close(pairs, [np.stack([fun(0.5 * x), fun(1.5 * x)]) for x in w[:3]])
