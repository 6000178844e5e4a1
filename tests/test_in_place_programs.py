"""Generated programs that write into arrays, run by plain NumPy and under every interpreter: the same numbers, or an error.

The programs are those of `tests/in_place_programs.py`. With `--hypothesis-profile=search` thousands of others are tried.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.in_place_programs import DIRECTION, POINT, arrays_of, run
from xformad import XformadError, checkpoint, evaluate, grad, jvp, scan, taylor, trace, value_and_grad, vjp, vmap

REFUSALS = (XformadError, ValueError, IndexError, TypeError)

programs = st.lists(st.integers(0, 2**16 - 1), min_size=30, max_size=150)


@pytest.fixture(autouse=True)
def _without_warnings() -> Iterator[None]:
    """Programs divide by zero and overflow."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def outcome(call: Callable[[], Any]) -> Any:
    """What a program gives; None where it is refused."""
    try:
        return call()
    except REFUSALS:
        return None


BATCH = np.stack([POINT + 0.1, POINT])

MODES: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "grad": lambda f: value_and_grad(f)(POINT)[0],
    "jvp": lambda f: jvp(f, (POINT,), (DIRECTION,))[0],
    "vmap": lambda f: vmap(f)(BATCH)[1],
    "taylor": lambda f: taylor(f, (POINT,), ((DIRECTION,),))[0],
    "trace": lambda f: evaluate(trace(f)(POINT), POINT),
    "grad of jvp": lambda f: value_and_grad(lambda x: jvp(f, (x,), (DIRECTION,))[0])(POINT)[0],
    "grad of grad": lambda f: value_and_grad(lambda x: value_and_grad(f)(x)[0])(POINT)[0],
    "vmap of grad": lambda f: vmap(lambda x: value_and_grad(f)(x)[0])(BATCH)[1],
    "trace of jvp": lambda f: evaluate(trace(lambda x: jvp(f, (x,), (DIRECTION,))[0])(POINT), POINT),
}


@given(programs)
def test_numpys_numbers_or_an_error(numbers: list[int]) -> None:
    def program(x: Any) -> Any:
        return run(numbers, x)

    expected = outcome(lambda: program(POINT.copy()))
    for name, mode in MODES.items():
        found = outcome(lambda mode=mode: mode(program))  # type: ignore[misc]
        if found is not None:
            assert expected is not None, name
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8, err_msg=name)


@given(programs)
def test_arrays_that_a_program_returns(numbers: list[int]) -> None:
    def program(x: Any) -> Any:
        return arrays_of(numbers, x)

    def scanned(xs: Any) -> Any:
        return [a[0] for a in scan(lambda _, x: (None, program(x)), None, xs)[1]]

    expected = outcome(lambda: program(POINT.copy()))
    found = {
        "jvp": outcome(lambda: jvp(program, (POINT,), (DIRECTION,))[0]),
        "vjp": outcome(lambda: vjp(program, POINT)[0]),
        "taylor": outcome(lambda: taylor(program, (POINT,), ((DIRECTION,),))[0]),
        "trace": outcome(lambda: evaluate(trace(program)(POINT), POINT)),
        "vmap": outcome(lambda: [a[1] for a in vmap(program)(BATCH)]),
        "jvp of jvp": outcome(lambda: jvp(lambda x: jvp(program, (x,), (x,))[0], (POINT,), (DIRECTION,))[0]),
        "scan": outcome(lambda: scanned(POINT[None])),
        "jvp of scan": outcome(lambda: jvp(scanned, (POINT[None],), (POINT[None],))[0]),
        "vjp of checkpoint": outcome(lambda: vjp(checkpoint(program), POINT)[0]),
    }
    for name, arrays in found.items():
        if arrays is not None:
            assert expected is not None, name
            for x, y in zip(arrays, expected, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8, err_msg=name)
                assert np.asarray(x).dtype == np.asarray(y).dtype, name


def slope(program: Callable[[Any], Any]) -> float | None:
    """The difference quotient along the direction; None at a kink, where those of the two sides differ."""
    h = 1e-6
    before, here, after = [program(POINT + t * DIRECTION) for t in (-h, 0.0, h)]
    left, right = (here - before) / h, (after - here) / h
    return (left + right) / 2 if abs(left - right) < 1e-3 * (1 + abs(right)) else None


@given(programs)
def test_derivatives(numbers: list[int]) -> None:
    def program(x: Any) -> Any:
        return run(numbers, x, single=np.float64)

    gradient = outcome(lambda: grad(program)(POINT))
    if gradient is None or not np.all(np.abs(gradient) < 1e3):
        return
    along = np.sum(gradient * DIRECTION)
    quotient = slope(program)
    if quotient is not None:
        np.testing.assert_allclose(along, quotient, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(jvp(program, (POINT,), (DIRECTION,))[1], along, rtol=1e-7, atol=1e-8)
    product = jvp(grad(program), (POINT,), (DIRECTION,))[1]
    again = grad(lambda x: np.sum(grad(program)(x) * DIRECTION))(POINT)
    np.testing.assert_allclose(again, product, rtol=1e-6, atol=1e-6)
    _, (first, second) = taylor(program, (POINT,), ((DIRECTION, None),))
    if np.isfinite(second):
        np.testing.assert_allclose(first, along, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(2 * second, np.sum(product * DIRECTION), rtol=1e-5, atol=1e-5)
    batch = np.stack([POINT, POINT + 0.01])
    one_by_one = outcome(lambda: np.stack([grad(program)(x) for x in batch]))
    at_once = outcome(lambda: vmap(grad(program))(batch))
    if at_once is not None and one_by_one is not None:
        np.testing.assert_allclose(at_once, one_by_one, rtol=1e-6, atol=1e-7)


def test_most_programs_are_not_refused() -> None:
    """Of those that NumPy runs."""
    ran = allowed = 0
    for seed in range(300):
        numbers = np.random.default_rng(seed).integers(0, 2**16, 120).tolist()
        if outcome(lambda numbers=numbers: run(numbers, POINT.copy())) is not None:  # type: ignore[misc]
            allowed += 1
            ran += outcome(lambda numbers=numbers: grad(lambda x: run(numbers, x))(POINT)) is not None  # type: ignore[misc]
    assert allowed > 100
    assert ran > 0.8 * allowed
