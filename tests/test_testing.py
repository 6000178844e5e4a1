"""The checker is checked: it must catch rules that are wrong by little, and say where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from xformad import stop_gradient
from xformad.extend import defjvp, defvjp, primitive
from xformad.testing import GradientError, check_grads

X = np.array([0.5, 1.0, 1.5])


def wrong_sine(error: float) -> Callable[..., Any]:
    sine = primitive(lambda x: np.sin(x))
    defvjp(sine, lambda g, _ans, x: g * np.cos(x) * (1 + error))
    return sine


def wrong_second_order(error: float) -> Callable[..., Any]:
    """The first derivative is right; the derivative of the rule is not."""
    cosine = primitive(lambda x: np.cos(x))
    defvjp(cosine, lambda g, _ans, x: -g * np.sin(x) * (1 + error))
    sine = primitive(lambda x: np.sin(x))
    defvjp(sine, lambda g, _ans, x: g * cosine(x))
    return sine


def text_of(fun: Callable[..., Any], args: Any, **options: Any) -> str:
    with pytest.raises(GradientError) as error:
        check_grads(fun, args, **options)
    return str(error.value)


@pytest.mark.parametrize("error", [1e-3, 1e-4, -1e-4, 0.5])
def test_wrong_rule_is_caught(error: float) -> None:
    check_grads(wrong_sine(0.0), (X,), order=3)
    for fun in (
        wrong_sine(error),
        lambda x: np.sum(wrong_sine(error)(x)),
        lambda x: wrong_sine(error)(x) ** 2 + x,
        lambda x: {"a": x, "b": [wrong_sine(error)(x)]},
    ):
        for x in (X, 0.5, np.array(0.5), X[:1]):
            text_of(fun, (x,), order=1)


@pytest.mark.parametrize("error", [1e-3, 1e-4])
def test_wrong_second_derivative_is_caught(error: float) -> None:
    check_grads(wrong_second_order(0.0), (X,), order=3)
    check_grads(wrong_second_order(error), (X,), order=1)
    assert "the derivative of order 2 with respect to args[0]" in text_of(wrong_second_order(error), (X,), order=2)
    assert "the derivative of order 2 with respect to args[0]" in text_of(wrong_second_order(error), (X,))


def test_derivative_that_is_cut_off_is_caught() -> None:
    text_of(lambda x: x * stop_gradient(x), (X,), order=1)
    text_of(lambda x: np.sum(x**2) + 1e-3 * stop_gradient(np.sum(x)), (X,), order=1)


def test_wrong_entry_is_caught() -> None:
    f = primitive(lambda x: x**2)
    mask = np.array([1.0, 1.001, 1.0])
    defvjp(f, lambda g, _ans, x: 2 * g * x * mask)
    assert "worst at entry (1,)" in text_of(f, (X,), order=1)
    large = primitive(lambda x: x**2)
    factors = np.ones((20, 10))
    factors[:, 7] = 1.001
    defvjp(large, lambda g, _ans, x: 2 * g * x * factors)
    assert ", 7): " in text_of(large, (np.ones((20, 10)),), order=1)


def test_which_argument_is_wrong() -> None:
    f = primitive(lambda x, y: x * y)
    defvjp(f, lambda g, _ans, _x, y: g * y, lambda g, _ans, x, _y: g * x * 1.001)
    assert "with respect to args[1] is wrong" in text_of(f, (X, X), order=1)
    assert "with respect to args[0]['b'][1] is wrong" in text_of(
        lambda p: f(p["a"], p["b"][1]), ({"a": X, "b": (3, X)},), order=1
    )


class Pair(NamedTuple):
    first: Any
    second: Any


def test_pytrees_and_leaves_that_are_not_smooth() -> None:
    def f(p: Any, n: int, flag: bool) -> Any:
        total = p.first["w"] * n if flag else p.first["w"]
        return Pair(total + p.second[0] ** p.second[1], [np.argmax(total), np.sum(total)])

    check_grads(f, (Pair({"w": X}, [2.0, 3]), 2, True), order=2)
    check_grads(lambda x, index: x[index], (X, np.array([0, 2])), order=2)
    check_grads(lambda x, name: x if name == "linear" else x**2, (X, "square"), order=2)
    check_grads(lambda p: p["x"] ** 2, ({"x": 0.5, "none": None},), order=2)
    text_of(lambda p, n: wrong_sine(1e-3)(p["x"]) * n, ({"x": X}, 3), order=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precisions(dtype: Any) -> None:
    x = X.astype(dtype)
    check_grads(lambda x: np.sin(x) * np.exp(-x), (x,), order=2)
    check_grads(lambda x: x**3, (dtype(0.5),), order=2)
    error = 0.05 if dtype is np.float32 else 1e-4
    text_of(wrong_sine(error), (x,), order=1)


def test_mixed_precisions() -> None:
    x = X.astype(np.float32)
    check_grads(lambda x: x**3 * np.float64(2), (x,), order=2)
    check_grads(lambda x, y: np.sin(x) * y, (x, X), order=2)
    check_grads(lambda x: np.sin(x).astype(np.float32), (X,), order=2)
    text_of(lambda x: wrong_sine(0.05)(x) * np.float64(2), (x,), order=1)


def test_complex() -> None:
    z = np.array([0.5 + 0.3j, -1.0 + 2j])
    check_grads(lambda z: z**2 * np.exp(z), (z,), order=2)
    check_grads(lambda z: np.abs(z) ** 2, (z,), order=2)
    check_grads(np.conj, (z,), order=2)
    check_grads(lambda z: np.real(z) * np.imag(z), (0.5 + 1j,), order=3)
    square = primitive(lambda z: z**2)
    defvjp(square, lambda g, _ans, z: 2 * g * z * (1 + 1e-3j))
    text_of(square, (z,), order=1)
    conjugated = primitive(lambda z: z**2)
    defvjp(conjugated, lambda g, _ans, z: 2 * g * np.conj(z))
    text_of(conjugated, (z,), order=1)


def test_complex_step() -> None:
    check_grads(lambda x: np.exp(x) / x, (X,), order=2, differences="complex", rtol=1e-13)
    text_of(wrong_sine(1e-10), (X,), order=1, differences="complex", rtol=1e-12)
    check_grads(wrong_sine(1e-10), (X,), order=1)


def test_order() -> None:
    check_grads(np.tanh, (X,), order=4)
    check_grads(lambda x: x**3, (0.5,), order=5)
    check_grads(wrong_sine(0.5), (X,), order=0)

    @primitive
    def cube(x: Any) -> Any:
        return x**3

    three_squares = primitive(lambda x: 3 * x**2)
    six = primitive(lambda x: 6 * x)
    defvjp(cube, lambda g, _ans, x: g * three_squares(x))
    defvjp(three_squares, lambda g, _ans, x: g * six(x))
    defvjp(six, lambda g, _ans, x: g * 6.01)
    check_grads(cube, (X,), order=2)
    assert "the derivative of order 3 " in text_of(cube, (X,), order=3)


def test_text_of_the_error() -> None:
    double = primitive(lambda x: 2 * x)
    defvjp(double, lambda g, _ans, x: g * np.array([2.0, 3.0]))
    text = text_of(lambda x: double(x) * 1.0, (np.array([1.0, 4.0]),), order=1, seed=0)
    weight = np.random.default_rng(0).normal(size=2)[1]
    start = (
        "the derivative of order 1 with respect to args[0] is wrong, worst at entry (1,): "
        f"the reverse mode gives {3 * weight}, the central difference "
    )
    assert text.startswith(start)
    assert float(text[len(start) :].split()[0]) == pytest.approx(2 * weight, rel=1e-9)
    assert text.endswith("(relative error 5.0e-01); the argument is\narray([1., 4.])")
    assert issubclass(GradientError, AssertionError)


def test_value_under_tracing_is_checked() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(x)
        return x if len(seen) == 1 else x + 1.0

    assert "the traced run gives" in text_of(f, (X,))


def test_nan_is_an_error() -> None:
    f = primitive(lambda x: x * 1.0)
    defvjp(f, lambda g, _ans, x: g * np.nan)
    assert "the reverse mode gives nan" in text_of(f, (X,), order=1)


def test_tolerances() -> None:
    check_grads(wrong_sine(1e-3), (X,), order=1, rtol=1e-2)
    check_grads(wrong_sine(1e-3), (X,), order=1, atol=1e-1)
    text_of(wrong_sine(1e-6), (X,), order=1, rtol=1e-8, atol=1e-8)
    check_grads(lambda x: np.sin(100 * x), (X,), order=1, eps=1e-6)


def test_unknown_mode() -> None:
    with pytest.raises(ValueError) as error:
        check_grads(np.sin, (X,), modes=("backwards",))  # type: ignore[arg-type]
    assert str(error.value) == "check_grads knows the modes ('reverse', 'forward'), not ['backwards']"


def test_empty_and_large_arrays() -> None:
    check_grads(lambda x: x * 2, (np.ones(0),), order=2)
    check_grads(lambda x: np.sum(x, axis=0), (np.ones((0, 3)),), order=2)
    check_grads(lambda x: x**2, (np.linspace(1.0, 2.0, 500).reshape(50, 10),), order=1)


def test_arrays_in_another_order() -> None:
    for x in (np.ones((2, 3)).T, np.asfortranarray(np.ones((2, 3))), np.ones((4, 6))[::2, ::-2]):
        check_grads(lambda x: x**2, (x,), order=2)
        check_grads(lambda x: x**2, (x,), order=2, differences="complex")
        text_of(lambda x: wrong_sine(1e-3)(x), (x,), order=1)


def test_arguments_are_left_alone() -> None:
    x = X.copy()
    check_grads(lambda x: x**2, (x,), order=2)
    np.testing.assert_array_equal(x, X)


def test_function_without_a_smooth_result() -> None:
    check_grads(np.argsort, (X,), order=2)
    check_grads(lambda x: (np.argmax(x), 3.0), (X,), order=2)
    check_grads(lambda n: n + 1, (3,), order=2)


def test_wrong_rules_are_caught_in_forward_mode() -> None:
    @primitive
    def cubed(x: Any) -> Any:
        return x**3

    defvjp(cubed, lambda g, _ans, x: g * 3 * x**2)
    defjvp(cubed, lambda t, _ans, x: t * 3.003 * x**2)
    check_grads(cubed, (X,), order=1)
    with pytest.raises(GradientError) as error:
        check_grads(cubed, (X,), order=1, modes=("forward",))
    assert "the tangent of order 1 along args[0] is wrong, worst at entry" in str(error.value)
    check_grads(lambda x: np.sin(x) * x, (X,), order=2, modes=("forward",), differences="complex")
