"""Small random programs, from which laws of derivatives are tested: every statement meets every other, in any order.

A program takes the parameters `{"w": 3 x 3 matrix, "b": vector of 3}` and makes matrices of matrices, statement by
statement. A statement may stand in a form: in the body of a `scan`, under `checkpoint`, in a branch, batched by `vmap`, in
a function that is differentiated itself. So one array is used whole, by rows, by index arrays, under masks and in
products, inside and outside of operations that hold functions. Rules that are tested one by one do not meet there.

    >>> program = Program((Step("checkpoint", "matrix product", "plus", 0.0, 0.0, 1, 2),))
    >>> p = parameters(seed=1)
    >>> float(program(p) - np.sum(np.tanh(0.15 * p["w"] @ p["w"]) * WEIGHTS))
    0.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import numpy as np
from hypothesis import strategies

import xformad
from xformad import (
    checkpoint,
    cond,
    custom_jvp,
    custom_vjp,
    fori_loop,
    grad,
    jvp,
    scan,
    stop_gradient,
    switch,
    vjp,
    vmap,
    while_loop,
)

Statement = Callable[[Any, Any, int, int], Any]
"""Of two matrices and two positions: a matrix for the statements that follow, or a number for the sum."""

Form = Callable[[Statement, Statement, Any, Any, int, int], Any]
"""What is done with a statement, or with two: the result is a matrix, or a number."""

source = np.random.default_rng(5)
MASKS: Final = [source.random((3, 3)) > 0.5 for _ in range(3)]
WEIGHTS: Final = source.normal(size=(3, 3))
X: Final = np.array([0.4, -0.7, 1.1])
EYE: Final = np.eye(3)


def tamed(m: Any) -> Any:
    """So that numbers do not grow from statement to statement."""
    return np.tanh(0.5 * m)


def positive_definite(m: Any) -> Any:
    """Symmetric, with eigenvalues far from each other and from zero."""
    return np.diag(np.array([2.0, 4.0, 7.0])) + 0.2 * np.tanh(m + m.T)


# Holomorphic: for complex parameters, too.
ANALYTIC: Final[dict[str, Statement]] = {
    "add a row": lambda m, q, i, j: m + q[i],
    "add a column": lambda m, q, i, j: m + 0.5 * q[:, j : j + 1],
    "add a sum of squares": lambda m, q, i, j: m + 0.1 * np.sum(q[:, j:] ** 2),
    "masked by a constant": lambda m, q, i, j: np.where(MASKS[i], m, 0.5 * q * q),
    "exp": lambda m, q, i, j: np.exp(0.2 * np.sin(m)),
    "sin": lambda m, q, i, j: np.sin(m),
    "transpose": lambda m, q, i, j: tamed(m.T + q),
    "product of elements": lambda m, q, i, j: tamed(m * q),
    "plus": lambda m, q, i, j: m + 0.5 * q,
    "reversed": lambda m, q, i, j: np.reshape(np.reshape(m, (9,))[::-1], (3, 3)),
    "minus a sum": lambda m, q, i, j: m - 0.1 * np.sum(q, axis=j % 2, keepdims=True),
    "concatenate": lambda m, q, i, j: np.concatenate([m[1:], q[:1]]),
    "stack": lambda m, q, i, j: np.stack([m[i], q[:, j], X * m[j]], axis=i % 2),
    "cumsum": lambda m, q, i, j: 0.3 * np.cumsum(m, axis=i % 2),
    "cumprod": lambda m, q, i, j: np.cumprod(1.0 + 0.2 * np.sin(m), axis=j % 2),
    "prod": lambda m, q, i, j: np.prod(1.0 + 0.2 * np.sin(m + q), axis=i % 2),
    "repeated rows": lambda m, q, i, j: 0.3 * np.sum(m[np.array([i, j, i])]),
    "taken rows": lambda m, q, i, j: m[np.array([i, j, i])] * q,
    "pairs of indices": lambda m, q, i, j: m[[i, j, 0], [j, 1, i]] * q,
    "selected by a mask": lambda m, q, i, j: np.sum(m[MASKS[i]] ** 2),
    "columns in products": lambda m, q, i, j: np.sum(m[:, [i, i, j]] * q),
    "row times column": lambda m, q, i, j: m[i] @ q[:, j],
    "entry times entry": lambda m, q, i, j: m[i, j] * q[j, i],
    "matrix times vector": lambda m, q, i, j: np.sum(np.sin(m @ (q @ X))),
    "vector times matrix": lambda m, q, i, j: np.sin(X @ m) @ q[j],
    "matrix product": lambda m, q, i, j: 0.3 * m @ q,
    "outer": lambda m, q, i, j: np.sum(np.outer(m[i], q[j]) * m),
    "einsum": lambda m, q, i, j: 0.2 * np.einsum("ij,kj,k->ik", m, q, X),
    "tensordot": lambda m, q, i, j: 0.2 * np.tensordot(m, q, axes=([i % 2], [j % 2])),
    "trace": lambda m, q, i, j: np.trace(m @ q) * 0.3,
    "diagonal": lambda m, q, i, j: np.diag(np.diagonal(m)) + np.tril(q, i - 1),
    "roll": lambda m, q, i, j: np.roll(m, i, axis=j % 2) - 0.3 * np.flip(q, axis=0),
    "pad": lambda m, q, i, j: np.pad(m[i:, :2], ((0, i), (1, 0))),
    "solve": lambda m, q, i, j: np.linalg.solve(3.0 * EYE + 0.3 * np.sin(m), q),
    "inv": lambda m, q, i, j: np.linalg.inv(3.0 * EYE + 0.3 * np.sin(m)),
    "det": lambda m, q, i, j: 0.1 * np.linalg.det(2.0 * EYE + 0.3 * np.sin(m)),
    "matrix_power": lambda m, q, i, j: np.linalg.matrix_power(0.5 * np.sin(m), i + 1),
    "mean": lambda m, q, i, j: np.mean(m, axis=i % 2) + q,
    "var of a row": lambda m, q, i, j: np.sum((m[i] - np.mean(q[j])) ** 2),
    "power": lambda m, q, i, j: (1.0 + 0.1 * np.sin(m)) ** (i + 0.5),
    "divide": lambda m, q, i, j: m / (2.0 + np.sin(q) * 0.5),
    "log": lambda m, q, i, j: np.log(3.0 + np.sin(m)),
    "sqrt": lambda m, q, i, j: np.sqrt(3.0 + np.sin(m)),
    "for": lambda m, q, i, j: sum((k * 0.2) * row for k, row in enumerate(m)) + q,
    "array of numbers": lambda m, q, i, j: xformad.numpy.array([[m[i, j], 1.0, q[j, i]], list(m[j]), list(X)]),
}

# Smooth functions of real numbers.
SMOOTH: Final[dict[str, Statement]] = {
    "tanh": lambda m, q, i, j: np.tanh(m),
    "arctan2": lambda m, q, i, j: np.arctan2(m, 2.0 + np.tanh(q)),
    "hypot": lambda m, q, i, j: np.hypot(1.0 + m * m, q),
    "logaddexp": lambda m, q, i, j: np.logaddexp(m, q),
    "variable power": lambda m, q, i, j: (1.5 + np.tanh(m)) ** np.tanh(q),
    "sinc": lambda m, q, i, j: np.sinc(0.3 * m),
    "std": lambda m, q, i, j: np.std(q, axis=i % 2) + m,
    "var": lambda m, q, i, j: np.var(m),
    "norm": lambda m, q, i, j: np.linalg.norm(1.0 + 0.1 * m * q),
    "norms of rows": lambda m, q, i, j: np.linalg.norm(m - 2.5, axis=i % 2) * np.tanh(q),
    "cholesky": lambda m, q, i, j: 0.3 * np.linalg.cholesky(positive_definite(m)) * q,
    "eigvalsh": lambda m, q, i, j: 0.1 * np.linalg.eigvalsh(positive_definite(m)) * q,
    "eigh": lambda m, q, i, j: np.abs(np.linalg.eigh(positive_definite(m))[1]) * q,
    "svd": lambda m, q, i, j: 0.1 * np.linalg.svd(positive_definite(m))[1] * q,
    "qr": lambda m, q, i, j: np.linalg.qr(3.0 * EYE + np.tanh(m))[0] @ q,
    "slogdet": lambda m, q, i, j: np.linalg.slogdet(3.0 * EYE + 0.3 * np.tanh(m))[1],
    "pinv": lambda m, q, i, j: np.linalg.pinv(3.0 * EYE[:, :2] + np.tanh(m[:, :2])).T @ q[:2],
}

# Derivatives of which are not the slopes.
CONSTANT: Final[dict[str, Statement]] = {
    "stop_gradient": lambda m, q, i, j: m * stop_gradient(np.tanh(q)),
    "gradient of a stopped one": lambda m, q, i, j: m + 0.1 * grad(lambda x: np.sum(x * stop_gradient(x)))(q),
}

# What is taken depends on the values.
SELECTING: Final[dict[str, Statement]] = {
    "where": lambda m, q, i, j: np.where(m > 0.13, m, np.sin(m)),
    "two wheres": lambda m, q, i, j: np.where(q > 0.11, np.log(np.where(q > 0.11, q, 1.0)), m),
    "maximum": lambda m, q, i, j: np.maximum(m, 0.77 * q + 0.01),
    "minimum": lambda m, q, i, j: np.minimum(m, 0.77 * q + 0.01),
    "abs": lambda m, q, i, j: np.abs(m - 0.031) * q,
    "clip": lambda m, q, i, j: np.clip(m * q, -0.5, 0.5),
    "max": lambda m, q, i, j: np.max(m * WEIGHTS),
    "max along an axis": lambda m, q, i, j: np.max(m * WEIGHTS, axis=i % 2) + q,
    "sort": lambda m, q, i, j: 0.1 * np.sort(m, axis=None) @ np.arange(9.0),
    "sort along an axis": lambda m, q, i, j: np.sort(m * WEIGHTS, axis=i % 2) + 0.1 * q,
    "argsort": lambda m, q, i, j: np.take_along_axis(m, np.argsort(q * WEIGHTS, axis=1), axis=1),
    "argmax": lambda m, q, i, j: m[np.argmax(q[:, i] * X)] @ q[j],
    "remainder": lambda m, q, i, j: np.remainder(m, 1.7) * q,
}

# Python decides.
BRANCHING: Final[dict[str, Statement]] = {
    "if": lambda m, q, i, j: np.sin(m) if m[i, j] > q[j, i] else 0.5 * m * q,
    "while": lambda m, q, i, j: halved(m) + q,
    "python max": lambda m, q, i, j: max(m[i, j], 0.3 * q[j, i]) * m,
}


def halved(m: Any) -> Any:
    while np.sum(m * m) > 1.0:
        m = m / 2
    return m


# Forms in which a statement may stand.


def plain(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return s(m, q, i, j)


def checkpointed(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return checkpoint(lambda m, q: s(m, q, i, j))(m, q)


def checkpointed_closure(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return checkpoint(lambda m: r(s(m, q, i, j) + m, q, i, j))(m)


def scanned(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    def body(state: Any, row: Any) -> Any:
        return {"m": tamed(s(state["m"], q, i, j)) + 0.3 * state["m"]}, state["m"][i] * row

    state, rows = scan(body, {"m": m}, q, reverse=i == 1)
    return state["m"] + 0.3 * rows


def counted(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return fori_loop(0, 1 + i, lambda k, m: tamed(s(m, q, i, j)) + (0.1 * k) * q, m + q)


def mapped(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return np.mean(xformad.map(lambda x: s(x * m, q, i, j), X), axis=0)


def chosen(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return cond(m[i, j] > 0.05, lambda m, q: s(m, q, i, j) + q, lambda m, q: r(m, q, i, j) + q, m, q)


def switched(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return switch(i, [lambda m: m + s(m, q, i, j), lambda m: r(m, m, i, j) * m, lambda m: s(m, m, i, j) - m], m)


def repeated(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    def step(state: Any) -> Any:
        x, count = state
        return 0.6 * tamed(s(x, q, i, j)) + 0.1 * x, count + 1

    return while_loop(lambda state: (np.sum(state[0] ** 2).real > 0.3) & (state[1] < 3), step, (m + 0.0 * q, 0))[0]


def batched(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return np.mean(vmap(lambda x, row: s(x * m, q + row, i, j), (0, 1))(X, q), axis=0)


def differentiated(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return m + 0.1 * grad(lambda x: np.sum(tamed(s(x, q, i, j))), holomorphic=np.iscomplexobj(m))(m)


def pushed(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    return m + 0.1 * jvp(lambda x: s(x, q, i, j), (m,), (q,))[1]


def with_vjp_rule(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    def plain(m: Any, q: Any) -> Any:
        return s(m, q, i, j)

    fun = custom_vjp(plain)
    fun.defvjp(lambda m, q: (plain(m, q), {"m": m, "q": q}), lambda kept, g: vjp(plain, kept["m"], kept["q"])[1](g))
    return fun(m, q)


def with_jvp_rule(s: Statement, r: Statement, m: Any, q: Any, i: int, j: int) -> Any:
    def plain(m: Any, q: Any) -> Any:
        return s(m, q, i, j)

    fun = custom_jvp(plain)
    fun.defjvp(lambda primals, tangents: jvp(plain, primals, tangents))
    return fun(m, q)


HOLDING: Final[dict[str, Form]] = {
    "custom_vjp": with_vjp_rule,
    "custom_jvp": with_jvp_rule,
    "checkpoint": checkpointed,
    "checkpoint of a closure": checkpointed_closure,
    "scan": scanned,
    "fori_loop": counted,
    "map": mapped,
    "cond": chosen,
    "switch": switched,
    "while_loop": repeated,
    "vmap": batched,
    "grad": differentiated,
    "jvp": pushed,
}


@dataclass(frozen=True)
class Step:
    """A statement of a program.

    Attributes:
        form: what is done with it.
        statement, other: names of statements; the other one is for forms that need two.
        first, second: the two matrices, as shares of those that there are.
        i, j: two positions.
    """

    form: str
    statement: str
    other: str
    first: float
    second: float
    i: int
    j: int


STATEMENTS: Final = {**ANALYTIC, **SMOOTH, **SELECTING, **BRANCHING, **CONSTANT}
FORMS: Final[dict[str, Form]] = {"plain": plain, **HOLDING}


@dataclass(frozen=True)
class Program:
    """A program: a function of parameters, whose repr tells what it does."""

    steps: tuple[Step, ...]

    def matrix(self, p: Any) -> Any:
        """The last matrix that is made, and the sum of the numbers."""
        w, b = p["w"], p["b"]
        matrices, total = [w, np.exp(0.3 * np.sin(w)) + b], 0.0
        for step in self.steps:
            m, q = (matrices[int(share * len(matrices))] for share in (step.first, step.second))
            statement, other = STATEMENTS[step.statement], STATEMENTS[step.other]
            result = FORMS[step.form](statement, other, m, q, step.i, step.j)
            if np.ndim(result) == 2:
                matrices.append(result)
            else:
                total = total + np.sum(result)
        return matrices[-1], total

    def __call__(self, p: Any) -> Any:
        """A number."""
        last, total = self.matrix(p)
        return total + np.sum(tamed(last) * WEIGHTS)

    def tree(self, p: Any) -> Any:
        """A tree of results."""
        last, total = self.matrix(p)
        return {"rows": [tamed(last[0]), last[1:] * X], "total": total + 0.1 * np.sum(last)}


def parameters(seed: int, dtype: type = float) -> Any:
    """Random parameters."""
    source = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        x = source.normal(size=shape)
        return x + 0.3j * source.normal(size=shape) if dtype is complex else x

    return {"w": draw(3, 3), "b": draw(3)}


def make(
    seed: int, pools: Sequence[dict[str, Statement]] = (ANALYTIC, SMOOTH, SELECTING, BRANCHING), forms: float = 0.4
) -> Program:
    """A random program of one to seven statements.

    Args:
        seed: of the random choice.
        pools: the statements to choose from.
        forms: the share of statements that stand in a form.
    """
    choose = Random(seed)
    names = [name for pool in pools for name in pool]
    steps = [
        Step(
            choose.choice(list(HOLDING)) if choose.random() < forms else "plain",
            choose.choice(names), choose.choice(names), choose.random(), choose.random(),
            choose.randrange(3), choose.randrange(3),
        )
        for _ in range(choose.randint(1, 7))
    ]  # fmt: skip
    return Program(tuple(steps))


def of_matrix(seed: int) -> Callable[[Any], Any]:
    """A random program of a 3 x 3 matrix, with a number as result. Python decides nothing in it by values."""
    program = make(seed, (ANALYTIC, SMOOTH, SELECTING))
    return lambda w: program({"w": w, "b": X})


def programs(
    *pools: dict[str, Statement], forms: Sequence[str] = tuple(FORMS), size: int = 5
) -> strategies.SearchStrategy[Program]:
    """A strategy for programs of statements in these pools, in these forms."""
    name = strategies.sampled_from([name for pool in pools for name in pool])
    share, position = strategies.sampled_from([0.0, 0.3, 0.6, 0.95]), strategies.integers(0, 2)
    step = strategies.builds(Step, strategies.sampled_from(list(forms)), name, name, share, share, position, position)
    return strategies.lists(step, min_size=1, max_size=size).map(lambda steps: Program(tuple(steps)))
