"""In-place programs: writes, views and derivatives through them, against plain NumPy and difference quotients."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from tests.operations.case import Case
from tests.operations.test_table import CASES
from xformad import (
    XformadError,
    evaluate,
    grad,
    jvp,
    taylor,
    trace,
    tree,
    value_and_grad,
    value_of,
    vmap,
)
from xformad.testing import check_grads

MASKS = np.random.default_rng(8).random((40, 24)) > 0.6


def index_for(choose: Random, shape: tuple[int, ...]) -> Any:
    """A random index of an array of this shape, basic or of arrays."""
    kind = choose.randrange(10)
    if kind == 0:
        return ...
    if kind == 1 and shape:
        return MASKS[choose.randrange(40)][: int(np.prod(shape))].reshape(shape) if np.prod(shape) <= 24 else ...
    if kind == 2 and shape and shape[0]:
        return np.array([choose.randrange(-shape[0], shape[0]) for _ in range(choose.randint(1, 3))])
    parts: list[Any] = []
    for n in shape[: choose.randint(0, len(shape))] if kind < 8 else shape:
        if n and (kind >= 8 or choose.random() < 0.4):
            parts.append(choose.randrange(-n, n))
        else:
            step = choose.choice([None, 1, 2, -1])
            bounds = sorted((choose.randint(0, n), choose.randint(0, n)))
            parts.append(slice(*(bounds if step != -1 else (None, None)), step))
        if choose.random() < 0.1:
            parts.append(None)
    if kind == 3:
        parts.insert(choose.randint(0, len(parts)), ...)
    return tuple(parts)


def view_of(choose: Random, a: Any) -> Callable[[Any], Any]:
    """A random function that NumPy makes a view by, where it can."""
    shape = a.shape
    size = int(np.prod(shape))
    options: list[Callable[[Any], Any]] = [
        lambda x: x.T,
        lambda x: np.transpose(x),
        lambda x: x.ravel(),
        lambda x: np.ravel(x),
        lambda x: x.reshape(-1),
        lambda x: np.reshape(x, (size, 1)),
        lambda x: x[None],
        lambda x: x[...],
        lambda x: np.squeeze(x),
        lambda x: np.expand_dims(x, 0),
        lambda x: np.flip(x),
        lambda x: np.atleast_2d(x),
        lambda x: x.reshape((2, size // 2)) if size % 2 == 0 else x.reshape((size,)),
        lambda x: x.reshape((3, size // 3)).T if size % 3 == 0 else x.reshape((1, size)),
        lambda x: np.broadcast_to(x, (2, *shape)),
        lambda x: x.real,
        lambda x: np.asarray(x),
    ]
    if len(shape) >= 2:
        options += [
            lambda x: np.swapaxes(x, 0, 1),
            lambda x: np.moveaxis(x, 0, -1),
            lambda x: np.diagonal(x),
            lambda x: np.split(x, [1])[-1],
            lambda x: np.rot90(x),
            lambda x: np.einsum("ij->ji", x) if x.ndim == 2 else x.T,
            lambda x: x.ravel("F"),
            lambda x: x.mT,
        ]
    return choose.choice(options)


def copy_of(choose: Random) -> Callable[[Any], Any]:
    """A random function whose result is an array of its own."""
    return choose.choice(
        [
            np.tanh,
            lambda x: x * 1.1,
            lambda x: x + 0.0,
            np.copy,
            lambda x: x.copy(),
            xnp.array,
            lambda x: np.tile(x, 1),
            lambda x: np.repeat(x, 1, axis=0) if x.ndim else x * 1.0,
            lambda x: np.flip(x) * 0.5,
            lambda x: x.flatten(),
            lambda x: np.cumsum(x, axis=0) * 0.3 if x.ndim else x * 1.0,
            lambda x: xnp.zeros(x.shape) + 0.2,
            lambda x: xnp.zeros_like(x),
            lambda x: xnp.full(x.shape, 0.3),
            lambda x: xnp.ones(x.shape, order="F"),
        ]
    )


def augmented(choose: Random, a: Any, v: Any) -> Any:
    kind = choose.randrange(4)
    if kind == 0:
        a += v
    elif kind == 1:
        a -= v
    elif kind == 2:
        a *= v
    else:
        a /= 1.5 + np.sum(v * 0.1) ** 2
    return a


def written_by_a_function(choose: Random, a: Any, v: Any) -> None:
    """Write into an array by a random function that does."""
    size = max(1, a.size)
    positions = [choose.randrange(size) for _ in range(2)]
    where = MASKS[choose.randrange(40)][: a.size].reshape(a.shape)
    options: list[Callable[[], Any]] = [
        lambda: np.put(a, positions, v),
        lambda: np.place(a, where, [0.1, 0.2, 0.3]),
        lambda: np.putmask(a, where, v * np.arange(1.0, 4.0)),
        lambda: np.copyto(a, v),
        lambda: np.copyto(a, np.cos(a), where=where),
        lambda: a.fill(0.4),
        lambda: a.sort(axis=0),
        lambda: a.partition(0),
        lambda: np.add.at(a, [0, 0], v),
        lambda: np.subtract.at(a, (..., [0, 0]), 0.3),
        lambda: np.multiply.at(a, 0, v),
        lambda: np.put_along_axis(a, np.argsort(a, axis=0), v, axis=0),
        lambda: np.fill_diagonal(a, v),
        lambda: np.add(a, v, out=a),
        lambda: np.tanh(a, out=a, where=where),
        lambda: np.cumsum(a * 0.3, axis=0, out=a),
        lambda: np.sum(a, axis=0, out=a[0]),
        lambda: np.add.accumulate(a * 0.2, axis=0, out=a),
        lambda: np.clip(a, -0.5, 0.9, out=a),
    ]
    choose.choice(options)()


def run(seed: int, x: Any) -> Any:
    """A random program on a 2 x 3 x 2 array: views, writes, augmented assignments; every array is read in the end."""
    choose = Random(seed)
    arrays = [x * 1.0, xnp.zeros((2, 3)), xnp.ones(6)]
    if choose.random() < 0.5:
        arrays[0] = xnp.array(x)
    for _ in range(choose.randint(3, 12)):
        a = choose.choice(arrays)
        kind = choose.randrange(8)
        if kind == 0:
            arrays.append(view_of(choose, a)(a))
        elif kind == 1:
            arrays.append(copy_of(choose)(a))
        elif kind == 2:
            part = a[index_for(choose, a.shape)]
            if np.ndim(part):
                arrays.append(part)
        elif kind == 3:
            b = choose.choice(arrays)
            index = index_for(choose, a.shape)
            v = choose.choice([0.7, np.sum(b) * 0.3, b[(0,) * b.ndim] if b.size else 0.1])
            a[index] = v
        elif kind == 4:
            index = index_for(choose, a.shape)
            part = a[index]
            b = choose.choice(arrays)
            a[index] = np.tanh(part) * 0.9 + np.mean(b) if np.size(part) and np.size(b) else 0.3
        elif kind == 5:
            b = choose.choice(arrays)
            augmented(choose, a, b if np.shape(b) == np.shape(a) else 0.3 * np.sum(b))
        elif kind == 6:
            index = index_for(choose, a.shape)
            a[index] += 0.2 * np.sum(choose.choice(arrays))
        elif a.size:
            written_by_a_function(choose, a, 0.3 * np.sum(choose.choice(arrays)))
    total = 0.1 * np.sum(x * x)
    for i, a in enumerate(arrays):
        total = total + np.sum(np.tanh(a) * np.cos(np.arange(a.size).reshape(a.shape) + i))
    return total


POINT = np.random.default_rng(3).normal(size=(2, 3, 2))
DIRECTION = np.random.default_rng(4).normal(size=(2, 3, 2))
REFUSALS = (XformadError, ValueError, IndexError, TypeError)


def outcome(transformed: Callable[[], Any]) -> Any:
    """What a program gives; None where it is refused."""
    try:
        return transformed()
    except REFUSALS:
        return None


@pytest.mark.parametrize("seed", range(400))
def test_a_generated_program_gives_numpys_numbers_or_an_error(seed: int) -> None:
    def program(x: Any) -> Any:
        return run(seed, x)

    expected = outcome(lambda: program(POINT.copy()))
    found = {
        "grad": outcome(lambda: value_and_grad(program)(POINT)[0]),
        "jvp": outcome(lambda: jvp(program, (POINT,), (DIRECTION,))[0]),
        "vmap": outcome(lambda: vmap(program)(np.stack([POINT + 0.1, POINT]))[1]),
        "taylor": outcome(lambda: taylor(program, (POINT,), ((DIRECTION,),))[0]),
        "grad of jvp": outcome(lambda: value_and_grad(lambda x: jvp(program, (x,), (DIRECTION,))[0])(POINT)[0]),
        "trace": outcome(lambda: evaluate(trace(program)(POINT), POINT)),
    }
    for name, value in found.items():
        if value is not None:
            assert expected is not None, name
            np.testing.assert_allclose(value, expected, rtol=1e-12, err_msg=name)


def test_most_generated_programs_are_not_refused() -> None:
    """Of those that NumPy runs."""
    seeds = [seed for seed in range(300) if outcome(lambda seed=seed: run(seed, POINT.copy())) is not None]
    ran = [seed for seed in seeds if outcome(lambda seed=seed: grad(lambda x: run(seed, x))(POINT)) is not None]
    assert len(ran) > 0.75 * len(seeds)


@pytest.mark.parametrize("seed", range(150))
def test_derivatives_of_a_generated_program(seed: int) -> None:
    def program(x: Any) -> Any:
        return run(seed, x)

    gradient = outcome(lambda: grad(program)(POINT))
    if gradient is None:
        return
    check_grads(program, (POINT,), order=2, modes=("forward", "reverse"), rtol=3e-4, atol=3e-4)
    _, (first, second) = taylor(program, (POINT,), ((DIRECTION, None),))
    np.testing.assert_allclose(first, np.sum(gradient * DIRECTION), rtol=1e-9)
    product = jvp(grad(program), (POINT,), (DIRECTION,))[1]
    np.testing.assert_allclose(2 * second, np.sum(product * DIRECTION), rtol=1e-8, atol=1e-8)
    again = grad(lambda x: np.sum(grad(program)(x) * DIRECTION))(POINT)
    np.testing.assert_allclose(again, product, rtol=1e-8, atol=1e-8)
    batch = np.stack([POINT, POINT + 0.01])
    one_by_one = outcome(lambda: np.stack([grad(program)(x) for x in batch]))
    at_once = outcome(lambda: vmap(grad(program))(batch))
    if at_once is not None and one_by_one is not None:
        np.testing.assert_allclose(at_once, one_by_one, rtol=1e-8, atol=1e-10)


# Which functions give views: every case of the table of operations.

SINGLE = [case for case in CASES if any(isinstance(arg, np.ndarray) and arg.ndim and arg.size for arg in case.args)]


def made(x: Any, how: str) -> Any:
    """A copy of an argument: as a result of an operation, or one that has been written into."""
    if not np.ndim(x):
        return x
    if how == "result":
        return x * 1.0
    out = xnp.zeros(x.shape, x.dtype)
    out[...] = x
    return out


def writes(case: Case, args: list[Any], how: str, back: bool) -> list[Any]:
    """Call a function on arrays, write into these, or, the other way round, into its result; then read both."""
    arrays = [made(x, how) for x in args]
    result = case.fun(*arrays)
    parts = [part for part in tree.leaves_of(result) if np.ndim(part) and part.size and part.dtype.kind in "fc"]
    arrays = [a for a in arrays if np.ndim(a)]
    for x in parts if back else arrays:
        x[...] = 0.375
    return [x * 1.0 for x in (arrays if back else parts)]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("how", ["result", "written"])
@pytest.mark.parametrize("case", SINGLE, ids=[case.name for case in SINGLE])
def test_results_share_memory_with_arguments_as_in_numpy(case: Case, how: str, back: bool) -> None:
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in case.args]
    try:
        expected = writes(case, copies, how, back)
    except (ValueError, DeprecationWarning) as error:
        assert "read-only" in str(error) or "broadcast_arrays" in str(error)
        expected = None
    found: list[Any] = []
    refused: list[Exception] = []

    def traced(*args: Any) -> Any:
        try:
            found.extend(value_of(writes(case, list(args), how, back)))
        except (XformadError, ValueError) as error:
            refused.append(error)
        return args[0]

    jvp(traced, case.args, case.args)
    if not refused:
        assert expected is not None
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)
