"""Taylor mode: `taylor`, `derivatives`, `mixed_partial`, nesting, kinks, linear algebra, rules of extenders."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import xformad
from tests.generated import of_matrix
from xformad import derivatives, grad, hessian, jvp, mixed_partial, taylor, tree, vjp, vmap
from xformad.extend import Primitive, defjvp, deftaylor, defvjp, from_composition, from_derivative, primitive

linalg: Any = np.linalg
sin: Any = np.sin
wrong: Any = 1.0


def series_of(fun: Callable[[Any], Any], x: Any, order: int) -> list[Any]:
    """The Taylor coefficients of a function of a number, the value first."""
    value, coefficients = taylor(fun, (x,), ([1.0],), order=order)
    return [value, *coefficients]


# Against mpmath.

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[float, ...]]] = {
    "exp": (np.exp, mpmath.exp, (-3.0, 0.0, 0.7, 9.0)),
    "exp2": (np.exp2, lambda x: mpmath.mpf(2) ** x, (-3.0, 0.7, 9.0)),
    "expm1": (np.expm1, mpmath.expm1, (-30.0, 0.0, 0.7)),
    "log": (np.log, mpmath.log, (0.1, 0.7, 9.0)),
    "log2": (np.log2, lambda x: mpmath.log(x, 2), (0.1, 9.0)),
    "log10": (np.log10, mpmath.log10, (0.1, 9.0)),
    "log1p": (np.log1p, mpmath.log1p, (-0.5, 0.0, 9.0)),
    "sqrt": (np.sqrt, mpmath.sqrt, (0.1, 0.7, 9.0)),
    "cbrt": (np.cbrt, mpmath.cbrt, (0.1, 0.7, 9.0)),
    "reciprocal": (np.reciprocal, lambda x: 1 / x, (-0.3, 0.7, 9.0)),
    "square": (np.square, lambda x: x * x, (-0.3, 0.0)),
    "sin": (np.sin, mpmath.sin, (-3.0, 0.0, 0.7, 9.0)),
    "cos": (np.cos, mpmath.cos, (-3.0, 0.0, 0.7, 9.0)),
    "tan": (np.tan, mpmath.tan, (-1.2, 0.7, 9.0)),
    "arcsin": (np.arcsin, mpmath.asin, (-0.6, 0.4, 0.9)),
    "arccos": (np.arccos, mpmath.acos, (-0.6, 0.4, 0.9)),
    "arctan": (np.arctan, mpmath.atan, (-3.0, 0.7, 9.0)),
    "sinh": (np.sinh, mpmath.sinh, (-3.0, 0.0, 0.7, 9.0)),
    "cosh": (np.cosh, mpmath.cosh, (-3.0, 0.0, 0.7, 9.0)),
    "tanh": (np.tanh, mpmath.tanh, (-2.0, 0.7, 9.0, 30.0)),
    "arcsinh": (np.arcsinh, mpmath.asinh, (-3.0, 0.7, 9.0)),
    "arccosh": (np.arccosh, mpmath.acosh, (1.2, 2.4, 9.0)),
    "arctanh": (np.arctanh, mpmath.atanh, (-0.6, 0.4, 0.9)),
    "sinc": (np.sinc, lambda x: mpmath.sinc(mpmath.pi * x), (0.3, 0.7, 2.3, 9.0)),
    "power 2.5": (lambda x: x**2.5, lambda x: x ** mpmath.mpf(2.5), (0.3, 1.7, 9.0)),
    "power -3": (lambda x: x**-3, lambda x: x**-3, (-0.3, 1.7)),
    "power 7": (lambda x: x**7, lambda x: x**7, (-0.3, 0.0, 1.7)),
    "power of a constant": (lambda x: 3.0**x, lambda x: mpmath.mpf(3) ** x, (-0.3, 1.7)),
    "power of itself": (lambda x: x**x, lambda x: x**x, (0.3, 1.7)),
    "arctan2": (lambda x: np.arctan2(np.sin(x), x), lambda x: mpmath.atan2(mpmath.sin(x), x), (1.7, -2.3)),
    "hypot": (lambda x: np.hypot(x, 2.0), lambda x: mpmath.sqrt(x * x + 4), (0.0, 1.7)),
    "logaddexp": (lambda x: np.logaddexp(x, -x), lambda x: mpmath.log(2 * mpmath.cosh(x)), (0.3, 5.0)),
    "tanh times a gaussian": (
        lambda x: np.tanh(x) * np.exp(-x * x),
        lambda x: mpmath.tanh(x) * mpmath.exp(-x * x),
        (0.8, -1.3),
    ),
    "quotient": (lambda x: np.sin(x) / (2 + np.cos(3 * x)), lambda x: mpmath.sin(x) / (2 + mpmath.cos(3 * x)), (0.8,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_order_20_agrees_with_mpmath(name: str) -> None:
    fun, reference, points = FUNCTIONS[name]
    for x in points:
        with mpmath.workdps(60):
            exact = np.array([float(c) for c in mpmath.taylor(reference, mpmath.mpf(x), 20)])
        # A coefficient that is small beside its neighbours is as exact as these.
        size = np.maximum(np.abs(exact), 0.1 * np.sqrt(np.abs(np.roll(exact, 1) * np.roll(exact, -1))))
        found = np.array(series_of(fun, x, 20), float)
        error = np.abs(found - exact)[1:]
        assert np.all(error <= 1e-12 * size[1:] + 1e-300), (x, error / size[1:])
        array = taylor(fun, (np.array([x, x]),), ([np.ones(2)],), order=20)[1]
        np.testing.assert_allclose([c[1] for c in array], found[1:], rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_order_40_neither_overflows_nor_loses_digits(scale: float) -> None:
    """Of 1 / (1 + x), all coefficients are 1 or -1, times a power of the step."""
    found = taylor(lambda x: 1 / (1 + x) + np.log1p(x) * 0, (0.0,), ([1.0],), order=40)[1]
    np.testing.assert_allclose(found, [(-1.0) ** n for n in range(1, 41)], rtol=1e-14)
    found = taylor(lambda x: np.exp(x / scale), (0.3 * scale,), ([scale],), order=40)[1]
    np.testing.assert_allclose(found, [math.exp(0.3) / math.factorial(n) for n in range(1, 41)], rtol=1e-13)
    assert np.all(np.isfinite(derivatives(np.tanh, 40)(0.3)))


def test_analytic_functions_on_a_circle() -> None:
    """Complex coefficients agree with those that a Fourier transform finds in values on a circle."""

    def fun(z: Any) -> Any:
        return np.exp(np.sin(z)) / (3 + z * z) + np.sqrt(z + 2) * np.log(z + 3) + np.arctan(z / 2) ** 3

    x, radius, count = 0.3 + 0.2j, 0.5, 64
    circle = radius * np.exp(2j * np.pi * np.arange(count) / count)
    exact = np.fft.fft(fun(x + circle)) / count / radius ** np.arange(count)
    value, found = taylor(fun, (x,), ([1.0 + 0j],), order=12)
    np.testing.assert_allclose([value, *found], exact[:13], rtol=1e-9, atol=1e-10)


# taylor: what goes in and comes out.


def test_pytrees_and_keyword_arguments() -> None:
    def fun(p: Any, y: Any, *, scale: float) -> Any:
        return {"product": p["x"] * y * scale, "rest": (p["x"], p["name"], 7, None)}

    primals = ({"x": np.array([1.0, 2.0]), "name": "text"}, 3.0)
    series = ([{"x": np.array([1.0, 0.0]), "name": None}], [None, 2.0])
    out, coefficients = taylor(fun, primals, series, scale=10.0)
    assert out["rest"][1:] == ("text", 7, None)
    np.testing.assert_array_equal(out["product"], [30.0, 60.0])
    first, second = coefficients
    np.testing.assert_array_equal(first["product"], [30.0, 0.0])
    np.testing.assert_array_equal(second["product"], [20.0, 40.0])
    assert first["rest"][1:] == (None, 0.0, None)
    np.testing.assert_array_equal(second["rest"][0], [0.0, 0.0])


def test_what_comes_out_has_the_types_of_the_value() -> None:
    _, (c, d) = taylor(lambda x: x * x, (2.0,), ([1.0, 0.5],))
    assert (type(c), c, type(d), d) == (np.float64, 4.0, np.float64, 3.0)
    for value in (np.float32(2), np.array(2.0), np.ones((2, 3), np.float32), np.zeros((0, 3)), np.complex64(1j)):
        _, coefficients = taylor(lambda x: np.tanh(x) * x, (value,), ([np.ones_like(value)],), order=3)
        for each in coefficients:
            assert np.shape(each) == np.shape(value)
            assert each.dtype == value.dtype
    assert taylor(lambda x: 5.0, (2.0,), ([1.0],), order=2) == (5.0, [0.0, 0.0])
    assert taylor(lambda x: x, (2.0,), (None,)) == (2.0, [])
    assert taylor(lambda x: x * x, (3,), ([1],))[1] == [6.0]


def test_aux_is_handed_out() -> None:
    out, coefficients, aux = taylor(lambda x: (x * x, {"x": x, "s": "text"}), (3.0,), ([1.0],), has_aux=True)
    assert (out, coefficients, aux) == (9.0, [6.0], {"x": 3.0, "s": "text"})
    assert derivatives(lambda x: (x * x, x), 1, has_aux=True)(3.0)[1] == 3.0


def test_a_float32_array_beside_a_double_keeps_the_double() -> None:
    single = np.array([1.1], np.float32)
    _, (c,) = taylor(
        lambda x: np.sum(np.float64(x) * single) if type(x) is float else x * single, (np.float64(0.3),), ([1.0],)
    )
    assert c.dtype == (np.float64(0.3) * single).dtype
    np.testing.assert_array_equal(c, np.float64(1.0) * single)


DIRECTION = (
    "derivatives of a function of what is no single number need a direction, like the argument: "
    "derivatives(f, order, direction=v); numpy.ones_like(x) for a function that acts on each entry for itself"
)
WHOLE_NUMBERS = (
    "argument 0 is an array of dtype int64, which cannot move; cast it to a floating-point dtype: x.astype(float), "
    "or give None as its coefficients"
)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: taylor(np.sin, wrong, ([1.0],)), xformad.TreeError,
         "taylor takes a tuple of primals, one an argument, not float: taylor(f, (x,), ([v],))"),
        (lambda: taylor(np.sin, (1.0,), wrong), xformad.TreeError,
         "taylor takes a tuple of series, one an argument, not float: taylor(f, (x,), ([v],))"),
        (lambda: taylor(np.sin, (1.0,), ([1.0], [1.0])), xformad.TreeError, "taylor was given 1 primals, but 2 series"),
        (lambda: taylor(np.sin, (1.0,), (1.0,)), xformad.TreeError,
         "the series of argument 0 is a list of coefficients, [x_1, x_2, ...], not float"),
        (lambda: taylor(np.sin, (np.ones(2),), ([np.ones(3)],)), xformad.TreeError,
         "coefficient 1 of argument 0 has shape (3,), but the argument has shape (2,)"),
        (lambda: taylor(lambda p: p["a"], ({"a": 1.0},), ([{"b": 1.0}],)), xformad.TreeError,
         "coefficient 1 of argument 0 has the keys ['b'], but must have ['a']"),
        (lambda: taylor(np.sin, (np.arange(3),), ([np.ones(3)],)), xformad.DifferentiationError, WHOLE_NUMBERS),
        (lambda: taylor(lambda p: p[0], ((1.0, "s"),), ([(1.0, 2.0)],)), xformad.DifferentiationError,
         "argument 0[1] is a str, which cannot move; give None as its coefficients"),
        (lambda: taylor(np.sin, (1.0,), ([1.0],), order=-1), xformad.ArgumentError,
         "order must be a whole number that is not negative, not -1"),
        (lambda: derivatives(np.sin, 171), xformad.ArgumentError,
         "the derivative of order 171 may overflow; take Taylor coefficients: taylor(f, ...)"),
        (lambda: derivatives(sin, 2)(np.ones(2)), xformad.ArgumentError, DIRECTION),
        (lambda: mixed_partial(np.sin, 1.5)(1.0), xformad.ArgumentError,
         "orders must be whole numbers that are not negative, of the argument's shape (), not 1.5"),
    ],
)  # fmt: skip
def test_misuse_is_refused(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == text


def test_a_tracer_that_escaped_is_refused() -> None:
    kept: list[Any] = []

    def fun(x: Any) -> Any:
        kept.append(x)
        return x

    taylor(fun, (1.0,), ([1.0],))
    with pytest.raises(xformad.EscapedTracerError, match=r"a value traced by taylor of fun was used at .*test_taylor"):
        kept[0] + 1


# derivatives


def test_derivatives_of_a_number_and_along_a_direction() -> None:
    np.testing.assert_allclose(derivatives(np.exp, 4)(0.0), np.ones(5))
    x, v = np.array([0.3, -0.8]), np.array([1.0, 2.0])
    found = derivatives(lambda x: {"f": np.sin(x[0]) * x[1], "x": x}, 2, direction=v)(x)
    assert found["x"].shape == (3, 2)
    np.testing.assert_array_equal(found["x"], [x, v, np.zeros(2)])
    h = hessian(lambda x: np.sin(x[0]) * x[1])(x)
    np.testing.assert_allclose(found["f"][2], v @ h @ v)
    both = derivatives(lambda x, y: x * y, 2, argnums=(0, 1), direction=(1.0, 1.0))(2.0, 3.0)
    np.testing.assert_array_equal(both, [6.0, 5.0, 2.0])
    np.testing.assert_array_equal(derivatives(lambda x, y: x * y, 2, "y")(2.0, y=3.0), [6.0, 2.0, 0.0])
    assert derivatives(np.sin, 0)(0.5).tolist() == [np.sin(0.5)]
    np.testing.assert_array_equal(derivatives(lambda x: x**2, 2)(np.float32(3)), np.array([9, 6, 2], np.float32))
    assert derivatives(lambda x: x**2, 2)(np.float32(3)).dtype == np.float32


def test_python_control_flow_and_branches() -> None:
    def fun(x: Any) -> Any:
        total, term, n = 0.0, 1.0, 0
        while abs(term) > 1e-18:
            total = total + term
            n += 1
            term = term * x / n
        return max(total, 0.0) if total > 0.5 else -total

    np.testing.assert_allclose(derivatives(fun, 5)(0.7), np.full(6, np.exp(0.7)), rtol=1e-12)


def test_control_flow_that_is_one_operation() -> None:
    def by_scan(x: Any) -> Any:
        return xformad.scan(lambda carry, c: (np.sin(carry) + c * x, carry), x, np.arange(4.0))[0]

    def by_loop(x: Any) -> Any:
        carry = x
        for c in range(4):
            carry = np.sin(carry) + c * x
        return carry

    expected = derivatives(by_loop, 5)(0.3)
    np.testing.assert_allclose(derivatives(by_scan, 5)(0.3), expected, rtol=1e-12)
    np.testing.assert_allclose(derivatives(xformad.checkpoint(by_loop), 5)(0.3), expected, rtol=1e-12)
    np.testing.assert_allclose(derivatives(grad(xformad.checkpoint(by_loop)), 4)(0.3), expected[1:], rtol=1e-12)
    found = derivatives(lambda x: xformad.cond(x > 0, by_scan, np.cos, x), 5)(0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# Mixed partial derivatives.


def test_mixed_partials() -> None:
    def fun(x: Any) -> Any:
        return np.sin(x[0] * x[1]) * np.exp(x[2]) + x[0] ** 3 * x[2] ** 2

    x = np.array([0.4, -0.7, 0.3])
    for orders in ([1, 0, 0], [0, 2, 0], [1, 1, 0], [2, 1, 1], [1, 2, 2], [0, 0, 0]):
        nested: Callable[[Any], Any] = fun
        for i, count in enumerate(orders):
            for _ in range(count):
                nested = partial(nested, i)
        np.testing.assert_allclose(mixed_partial(fun, orders)(x), nested(x), rtol=1e-10, atol=1e-12)
    tree_of = mixed_partial(
        lambda p, y: p["a"] ** 2 * y**3 * p["b"][1], ({"a": 2, "b": np.array([0, 1])}, np.array(2)), (0, 1)
    )
    np.testing.assert_allclose(tree_of({"a": np.array(3.0), "b": np.ones(2)}, np.array(2.0)), 2 * 12)


def partial(fun: Callable[[Any], Any], i: int) -> Callable[[Any], Any]:
    return lambda x: jvp(fun, (x,), (np.eye(3)[i],))[1]


# Nesting.


def bell(x: Any) -> Any:
    return np.exp(-x * x) * np.sin(x)


def bell_exactly(x: Any) -> Any:
    return mpmath.exp(-x * x) * mpmath.sin(x)


def exact_derivatives(order: int, x: float) -> list[float]:
    with mpmath.workdps(40):
        return [float(mpmath.diff(bell_exactly, mpmath.mpf(x), n)) for n in range(order + 1)]


def test_nesting() -> None:
    x = 0.6
    exact = exact_derivatives(8, x)
    np.testing.assert_allclose(derivatives(grad(bell), 4)(x), exact[1:6], rtol=1e-9)
    np.testing.assert_allclose(derivatives(grad(grad(bell)), 3)(x), exact[2:6], rtol=1e-9)
    np.testing.assert_allclose(grad(lambda x: derivatives(bell, 4)(x)[4])(x), exact[5], rtol=1e-9)
    np.testing.assert_allclose(hessian(lambda x: derivatives(bell, 4)(x)[4])(x), exact[6], rtol=1e-9)
    np.testing.assert_allclose(jvp(derivatives(bell, 4), (x,), (1.0,))[1], exact[1:6], rtol=1e-9)
    np.testing.assert_allclose(derivatives(lambda x: jvp(bell, (x,), (1.0,))[1], 4)(x), exact[1:6], rtol=1e-9)
    twice = derivatives(derivatives(bell, 3), 2)(x)
    np.testing.assert_allclose(twice, [[exact[i + j] for j in range(4)] for i in range(3)], rtol=1e-9)
    np.testing.assert_allclose(derivatives(lambda x: derivatives(grad(bell), 2)(x)[2], 2)(x), exact[3:6], rtol=1e-9)
    xs = np.array([0.1, 0.6, -1.2])
    rows = [exact_derivatives(4, float(each)) for each in xs]
    np.testing.assert_allclose(vmap(derivatives(bell, 4))(xs), rows, rtol=1e-9)
    np.testing.assert_allclose(derivatives(vmap(bell), 4, direction=np.ones(3))(xs), np.transpose(rows), rtol=1e-9)
    np.testing.assert_allclose(
        vmap(grad(lambda x: derivatives(bell, 3)(x)[3]))(xs), [row[4] for row in rows], rtol=1e-9
    )
    graph = xformad.trace(derivatives(bell, 3))(x)
    np.testing.assert_allclose(xformad.evaluate(graph, 0.1), rows[0][:4], rtol=1e-9)


def test_perturbations_are_not_confused() -> None:
    assert derivatives(lambda x: x * derivatives(lambda y: x + y, 1)(1.0)[1], 1)(1.0)[1] == 1.0
    assert derivatives(lambda x: x * derivatives(lambda y: x * y, 1)(1.0)[1], 1)(4.0)[1] == 8.0


def test_branches_differ_across_a_batch() -> None:
    def fun(x: Any) -> Any:
        return np.sin(x) if x > 0 else x**3

    xs = np.array([0.5, -0.5, 1.5])
    expected = [derivatives(fun, 3)(x) for x in xs]
    np.testing.assert_allclose(vmap(derivatives(fun, 3))(xs), expected)


def slope(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda t: jvp(fun, (t,), (1.0,))[1]


@pytest.mark.parametrize("seed", range(60))
def test_generated_programs_agree_with_nested_forward_mode(seed: int) -> None:
    random = np.random.default_rng(seed)
    w, v = random.normal(size=(3, 3)), random.normal(size=(3, 3))
    fun = of_matrix(seed)
    found = derivatives(fun, 3, direction=v)(w)
    expected = []
    step: Callable[[Any], Any] = lambda t: fun(w + t * v)  # noqa: E731
    for _ in range(4):
        expected.append(step(0.0))
        step = slope(step)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.max(np.abs(expected)))


@pytest.mark.parametrize("seed", range(20))
def test_generated_programs_under_reverse_mode(seed: int) -> None:
    """The gradient of a derivative along a line is the derivative of the gradient."""
    random = np.random.default_rng(seed)
    w, v = random.normal(size=(3, 3)), random.normal(size=(3, 3))
    fun = of_matrix(seed)
    inside = grad(lambda w: derivatives(fun, 2, direction=v)(w)[2])(w)
    outside = derivatives(grad(fun), 2, direction=v)(w)[2]
    np.testing.assert_allclose(inside, outside, rtol=1e-8, atol=1e-8 * np.max(np.abs(outside), initial=1))


# Kinks.

SMOOTH: dict[str, tuple[Callable[[Any], Any], Any, Any, list[float]]] = {
    "|x|^3 to order 2": (lambda x: np.abs(x) ** 3, 0.0, 1.0, [0, 0, 0]),
    "|x| |x|": (lambda x: np.abs(x) * np.abs(x), 0.0, 1.0, [0, 0, 2, 0, 0]),
    "|x| that stays zero": (lambda x: np.abs(x * 0.0), 0.0, 1.0, [0, 0, 0]),
    "|x^2|": (lambda x: np.abs(x * x), 0.0, 1.0, [0, 0, 2, 0]),
    "norm squared": (lambda x: linalg.norm(x) ** 2, np.zeros(2), np.array([3.0, 4.0]), [0, 0, 50, 0]),
    "norm to the fourth": (lambda x: linalg.norm(x) ** 4, np.zeros(2), np.array([3.0, 4.0]), [0, 0, 0, 0, 15000]),
    "cosine of a norm": (lambda x: np.cos(linalg.norm(x)), np.zeros(2), np.array([3.0, 4.0]), [1, 0, -25, 0, 625]),
    "variance by std": (lambda x: np.std(x) ** 2, np.ones(2), np.array([1.0, 3.0]), [0, 0, 2, 0]),
    "hypot squared": (lambda x: np.hypot(x, 2 * x) ** 2, 0.0, 1.0, [0, 0, 10, 0]),
    "norm of a slow start": (lambda x: linalg.norm(np.array([3.0, 4.0]) * x**2), 0.0, 1.0, [0, 0, 10, 0, 0]),
    "maximum and minimum": (lambda x: np.maximum(x, 0.0) + np.minimum(x, 0.0), 0.0, 1.0, [0, 1, 0]),
    "maximum of the same": (lambda x: np.maximum(x, x), 2.0, 1.0, [2, 1, 0]),
    "maximum of touching parabolas": (lambda x: np.maximum(x * x, 0.0), 0.0, 1.0, [0, 0, 2, 0]),
    "max of a sum": (lambda x: np.max(x) + np.min(x), np.array([1.0, 1.0]), np.array([2.0, 3.0]), [2, 5, 0]),
    "sorted sum": (lambda x: np.sum(np.sort(x)), np.array([1.0, 1.0]), np.array([2.0, 3.0]), [2, 5, 0]),
    "clip inside": (lambda x: np.clip(x, -1.0, 1.0), 0.5, 1.0, [0.5, 1, 0]),
    "power 2.5 to order 2": (lambda x: x**2.5, 0.0, 1.0, [0, 0, 0]),
    "power 0.0": (lambda x: x**0.0, 0.0, 1.0, [1, 0, 0]),
    "power of an array": (lambda x: np.sum(x ** np.array([0, 1, 2, 3])), np.zeros(4), np.ones(4), [1, 1, 2, 6]),
    "0 ** y": (lambda y: 0.0**y, 2.0, 1.0, [0, 0, 0]),
    "where takes the other": (lambda x: np.where(x > 0, np.sqrt(x), x * x), 0.0, 1.0, [0, 0, 2, 0]),
    "where takes the other of two": (
        lambda x: np.sum(np.where(x > 0, np.sqrt(np.abs(x)), 0.0)), np.array([0.0, 4.0]), np.ones(2), [2, 0.25, -0.03125]
    ),
    "logaddexp of -inf": (lambda x: np.exp(np.logaddexp(-np.inf, x)), 0.0, 1.0, [1, 1, 1]),
    "prod with zeros": (lambda x: np.prod(x), np.array([0.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0]), [0, 6, 6, 0]),
    "sign": (lambda x: np.sign(x) * x, 0.0, 1.0, [0, 0, 0]),
    "comparison": (lambda x: x * (x > 0), 0.0, 1.0, [0, 0, 0]),
    "invariant of equal eigenvalues": (
        lambda t: np.sum(linalg.eigvalsh(np.eye(2) * np.exp(t))), 0.0, 1.0, [2, 2, 2]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_smooth_at_a_kink(name: str) -> None:
    fun, x, direction, expected = SMOOTH[name]
    with np.errstate(all="ignore"):
        found = derivatives(fun, len(expected) - 1, direction=direction)(x)
    np.testing.assert_allclose(found, expected, atol=1e-12)


POWER = "numpy.power of zero with an exponent that moves or is no whole number"
APART = "an order of equal entries that move apart"

KINKS: dict[str, tuple[Callable[[Any], Any], Any, Any, int, str]] = {
    "abs": (lambda x: np.abs(x), 0.0, 1.0, 1, "numpy.absolute of zero"),
    "|x|^3": (lambda x: np.abs(x) ** 3, 0.0, 1.0, 3, "numpy.absolute of zero"),
    "abs of one entry": (lambda x: np.sum(np.abs(x)), np.array([1.0, 0.0]), np.ones(2), 1, "numpy.absolute of zero"),
    "complex abs": (lambda x: np.abs(x * (1 + 2j)), 0.0, 1.0, 1, "a norm that is zero"),
    "sqrt": (lambda x: np.sqrt(x), 0.0, 1.0, 1, "numpy.sqrt of zero"),
    "sqrt of x^2": (lambda x: np.sqrt(x * x), 0.0, 1.0, 1, "numpy.sqrt of zero"),
    "sqrt of a small series": (lambda x: np.sqrt(x**8), 0.0, 1.0, 1, "numpy.sqrt of zero"),
    "cbrt": (lambda x: np.cbrt(x), 0.0, 1.0, 1, "numpy.cbrt of zero"),
    "power": (lambda x: x**2.5, 0.0, 1.0, 3, POWER),
    "power of power": (lambda x: x ** (2 + x), 0.0, 1.0, 1, POWER),
    "maximum": (lambda x: np.maximum(x, 0.0), 0.0, 1.0, 1, "numpy.maximum of equal values that move apart"),
    "minimum": (lambda x: np.minimum(x, -x), 0.0, 1.0, 1, "numpy.minimum of equal values that move apart"),
    "clip": (lambda x: np.clip(x, 0.0, 1.0), 1.0, 1.0, 1, "numpy.minimum of equal values that move apart"),
    "max": (lambda x: np.max(x), np.zeros(2), np.array([1.0, 2.0]), 1, "an extremum of equal entries that move apart"),
    "sort": (lambda x: np.sort(x)[0], np.zeros(2), np.array([1.0, 2.0]), 1, APART),
    "partition": (lambda x: np.partition(x, 0)[0], np.zeros(3), np.arange(3.0) ** 2, 1, APART),
    "norm": (lambda x: linalg.norm(x), np.zeros(2), np.ones(2), 1, "a norm that is zero"),
    "std": (lambda x: np.std(x), np.ones(2), np.array([1.0, 2.0]), 1, "a norm that is zero"),
    "hypot": (lambda x: np.hypot(x, x), 0.0, 1.0, 1, "a norm that is zero"),
    "arcsin": (lambda x: np.arcsin(x), 1.0, 1.0, 1, "numpy.arcsin of 1 or -1"),
    "arccos": (lambda x: np.arccos(x), -1.0, 1.0, 1, "numpy.arccos of 1 or -1"),
    "arccosh": (lambda x: np.arccosh(x), 1.0, 1.0, 1, "numpy.arccosh of 1"),
    "arctan2": (lambda x: np.arctan2(x, x), 0.0, 1.0, 1, "numpy.arctan2 at the origin"),
    "eigh": (
        lambda t: linalg.eigvalsh(np.eye(2) + t * np.array([[1.0, 2.0], [2.0, 3.0]])), 0.0, 1.0, 1,
        "numpy.linalg.eigh of a matrix with equal eigenvalues that move apart",
    ),
    "svd": (
        lambda t: linalg.svdvals(np.eye(2) + t * np.array([[1.0, 2.0], [0.0, 3.0]])), 0.0, 1.0, 1,
        "numpy.linalg.svd of a matrix with equal singular values that move apart",
    ),
    "svd of a singular matrix": (
        lambda t: linalg.svdvals(np.diag([1.0, 0.0]) + t * np.eye(2)), 0.0, 1.0, 1,
        "numpy.linalg.svd of a matrix with a singular value of zero",
    ),
    "gradient of a norm": (lambda x: grad(linalg.norm)(x), np.zeros(2), np.ones(2), 1, "a norm that is zero"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_refused(name: str) -> None:
    fun, x, direction, order, what = KINKS[name]
    with pytest.raises(xformad.DifferentiationError) as raised, np.errstate(all="ignore"):
        derivatives(fun, order, direction=direction)(x)
    text = re.sub(r"[^ ]*test_taylor\.py:\d+", "FILE:LINE", str(raised.value))
    assert text == (
        f"<lambda> has no Taylor series of order {order} here, because of {what} at FILE:LINE: coefficient {order} of "
        "the result is not the same on both sides or does not exist; move the point, ask for a lower order, or use grad "
        "or jvp, which follow docs/conventions.md at kinks"
    )


def test_gradient_of_a_smooth_function_of_a_norm() -> None:
    x, v = np.zeros(2), np.array([3.0, 4.0])
    found = derivatives(grad(lambda x: linalg.norm(x) ** 4), 3, direction=v)(x)
    np.testing.assert_allclose(found, np.stack([0 * v, 0 * v, 0 * v, 24 * 25 * v]), atol=1e-12)
    found = derivatives(grad(lambda x: np.cos(linalg.norm(x))), 3, direction=v)(x)
    np.testing.assert_allclose(found, np.stack([0 * v, -v, 0 * v, 25 * v]), atol=1e-12)


def test_kinks_under_other_transformations() -> None:
    xs = np.array([0.0, 1.0, -2.0])
    np.testing.assert_allclose(
        vmap(lambda x: derivatives(SMOOTH["|x|^3 to order 2"][0], 2)(x)[2])(xs), [0.0, 6.0, 12.0]
    )
    with pytest.raises(xformad.DifferentiationError, match=r"numpy\.absolute of zero"):
        vmap(derivatives(KINKS["abs"][0], 1))(xs)
    assert grad(lambda x: derivatives(lambda t: np.maximum(t, 0.0) * x, 2)(1.0)[1])(3.0) == 1.0


BRANCHES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "abs": (lambda x: np.abs(x) * np.abs(x) * np.exp(x), lambda x: x * x * np.exp(x)),
    "maximum": (lambda x: np.maximum(x, 0.0) + np.minimum(x, 0.0) + x * x, lambda x: x + x * x),
    "copysign": (lambda x: np.copysign(x, 1.0) * np.copysign(x, -1.0), lambda x: -x * x),
    "max": (
        lambda x: np.max(np.stack([x, 2 * x])) * np.min(np.stack([x, 2 * x])),
        lambda x: 2 * x * x,
    ),
    "power": (lambda x: x**3 + x**2.0 + x ** np.array(4), lambda x: x * x * x + x * x + x * x * x * x),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_derivatives_of_a_series_at_a_kink(name: str) -> None:
    """By the point that the series is at: what the branches give is right on both sides."""
    fun, same = BRANCHES[name]
    outer: list[Callable[[Callable[[Any], Any]], Any]] = [
        lambda f: vjp(lambda x: derivatives(f, 2)(x), 0.0)[1](np.array([1.0, 2.0, 3.0]))[0],
        lambda f: jvp(derivatives(f, 2), (0.0,), (1.0,))[1],
        lambda f: hessian(lambda x: derivatives(f, 2)(x) @ np.array([1.0, 2.0, 3.0]))(0.0),
        lambda f: derivatives(derivatives(f, 2), 2)(0.0),
    ]
    for each in outer:
        np.testing.assert_allclose(each(fun), each(same), atol=1e-12)


def test_derivatives_of_a_series_at_a_norm_of_zero_are_not_made_up() -> None:
    def second(x: Any) -> Any:
        return derivatives(lambda x: linalg.norm(x) ** 2, 2, direction=np.array([3.0, 4.0]))(x)[2]

    assert second(np.zeros(2)) == 50.0
    with pytest.warns(RuntimeWarning, match="is not determined where a norm is zero"):
        assert np.isnan(grad(second)(np.zeros(2))).all()
    with pytest.warns(RuntimeWarning, match="is not determined where a norm is zero"):
        assert np.isnan(jvp(second, (np.zeros(2),), (np.ones(2),))[1])
    with pytest.raises(xformad.DifferentiationError, match="a norm that is zero"):
        derivatives(second, 1, direction=np.ones(2))(np.zeros(2))
    rows = vmap(second)(np.array([[0.0, 0.0], [1.0, 2.0]]))
    np.testing.assert_allclose(rows, [50.0, 50.0])
    np.testing.assert_allclose(grad(second)(np.array([1.0, 2.0])), [0.0, 0.0], atol=1e-9)


def test_laplacian_follows_the_conventions_at_kinks() -> None:
    assert xformad.laplacian(lambda x: np.sum(np.abs(x) + x**2))(np.zeros(2)) == 4.0
    assert xformad.laplacian(lambda x: np.sum(x**3))(np.array([1.0, 2.0])) == 18.0


# Linear algebra, to order 8, by what defines it.

random = np.random.default_rng(3)


def matrix_series(n: int, m: int, *, kind: str = "real", order: int = 8) -> list[Any]:
    found = [
        random.normal(size=(n, m)) + (1j * random.normal(size=(n, m)) if kind == "complex" else 0) for _ in range(4)
    ]
    return found + [np.zeros((n, m))] * (order - 3)


def times(x: list[Any], y: list[Any]) -> list[Any]:
    return [sum(x[j] @ y[n - j] for j in range(n + 1)) for n in range(len(x))]


def adjoint(x: list[Any]) -> list[Any]:
    return [np.conj(np.swapaxes(c, -1, -2)) for c in x]


def of(fun: Callable[..., Any], *series: list[Any]) -> list[Any]:
    """The series of each leaf of the result."""
    out, coefficients = taylor(fun, tuple(x[0] for x in series), tuple(x[1:] for x in series), order=len(series[0]) - 1)
    return [list(each) for each in zip(*(tree.leaves_of(c) for c in (out, *coefficients)), strict=True)]


def assert_close(x: list[Any], y: list[Any]) -> None:
    for n, (a, b) in enumerate(zip(x, y, strict=True)):
        scale = max(np.max(np.abs(a)), np.max(np.abs(b)), 1e-3)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * scale * 6**n)


def constant(x: Any, order: int = 8) -> list[Any]:
    return [x, *[np.zeros_like(x)] * order]


def on_diagonal(x: list[Any]) -> list[Any]:
    return [np.diag(c) for c in x]


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_factorisations_satisfy_their_definitions(kind: str) -> None:
    a = matrix_series(3, 3, kind=kind)
    a[0] = a[0] + 3 * np.eye(3)
    (inverse,) = of(linalg.inv, a)
    assert_close(times(a, inverse), constant(np.eye(3)))
    b = matrix_series(3, 2, kind=kind)
    (x,) = of(linalg.solve, a, b)
    assert_close(times(a, x), b)
    h = [c + d for c, d in zip(a, adjoint(a), strict=True)]
    w, v = of(linalg.eigh, h)
    assert_close(times(h, v), times(v, on_diagonal(w)))
    assert_close(times(adjoint(v), v), constant(np.eye(3)))
    positive = times(a, adjoint(a))
    (factor,) = of(linalg.cholesky, positive)
    assert_close(times(factor, adjoint(factor)), positive)
    for shape in ((3, 3), (4, 2), (2, 4)):
        c = matrix_series(*shape, kind=kind)
        rank = min(shape)
        u, s, vh = of(lambda c: linalg.svd(c, full_matrices=False), c)
        assert_close(times(times(u, on_diagonal(s)), vh), c)
        assert_close(times(adjoint(u), u), constant(np.eye(rank)))
        assert_close(times(vh, adjoint(vh)), constant(np.eye(rank)))
        q, r = of(linalg.qr, c)
        assert_close(times(q, r), c)
        assert_close(times(adjoint(q), q), constant(np.eye(rank)))
        assert_close([np.tril(each[:, :rank], -1) for each in r], constant(np.zeros((rank, rank))))
        (p,) = of(linalg.pinv, c)
        assert_close(times(times(c, p), c), c)
        assert_close(times(times(p, c), p), p)
        assert_close(times(c, p), adjoint(times(c, p)))


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_determinant_is_the_polynomial_it_is(rank: int) -> None:
    """Of A + t B, of any rank of A, against its values at roots of unity; its cofactors by reverse mode as well."""
    b = 0.3 * random.normal(size=(4, 4))
    a = random.normal(size=(4, rank)) @ random.normal(size=(rank, 4))
    roots = np.exp(2j * np.pi * np.arange(8) / 8)
    exact = np.fft.fft([linalg.det(a + root * b) for root in roots]).real / 8
    (found,) = of(linalg.det, [a, b, *[None] * 6])
    np.testing.assert_allclose(found, exact, atol=1e-10 * np.max(np.abs(exact)))
    slopes = np.fft.fft([linalg.det(a + root * b) * linalg.inv(a + root * b).T for root in roots], axis=0).real / 8
    found = derivatives(grad(linalg.det), 4, direction=b)(a)
    exact = np.array([slopes[n] * math.factorial(n) for n in range(5)])
    np.testing.assert_allclose(found, exact, atol=1e-9 * np.max(np.abs(exact)))
    curvature = derivatives(lambda a: vjp(grad(linalg.det), a)[1](b)[0], 2, direction=b)(a)
    np.testing.assert_allclose(curvature[:2], exact[1:3], atol=1e-9 * np.max(np.abs(exact)))


def test_determinant_of_a_well_conditioned_matrix_to_order_20() -> None:
    found = taylor(lambda t: linalg.det(np.exp(t) * np.eye(5)), (0.0,), ([1.0],), order=20)[1]
    np.testing.assert_allclose(found, [5.0**n / math.factorial(n) for n in range(1, 21)], rtol=1e-12)


# Rules of extenders.


def test_a_primitive_with_a_vjp_rule_alone() -> None:
    wave = Primitive("wave", lambda x: np.sin(x) ** 2)
    defvjp(wave, lambda g, _ans, x: g * 2 * np.sin(x) * np.cos(x))
    np.testing.assert_allclose(series_of(wave, 0.7, 8), series_of(lambda x: np.sin(x) ** 2, 0.7, 8), rtol=1e-12)
    root = Primitive("root", np.sqrt)
    defvjp(root, lambda g, ans, _x: 0.5 * g / ans)
    np.testing.assert_allclose(series_of(root, 0.7, 8), series_of(np.sqrt, 0.7, 8), rtol=1e-12)
    x, v = np.array([0.3, 1.2]), np.array([1.0, -2.0])
    found = derivatives(lambda x: np.sum(root(wave(x)) * x), 4, direction=v)(x)
    np.testing.assert_allclose(found, derivatives(lambda x: np.sum(np.sqrt(np.sin(x) ** 2) * x), 4, direction=v)(x))
    assert derivatives(grad(root), 3)(0.7).tolist() == pytest.approx(derivatives(np.sqrt, 4)(0.7)[1:].tolist())


def test_a_primitive_of_several_arguments_and_results() -> None:
    @primitive
    def mixed(x: Any, y: Any, scale: float = 1.0) -> Any:
        return scale * x @ np.exp(y)

    defvjp(
        mixed,
        lambda g, _ans, _x, y, scale=1.0: g * scale * np.exp(y),
        lambda g, _ans, x, y, scale=1.0: g * scale * x * np.exp(y),
    )
    x, y = np.array([0.3, 1.2]), np.array([0.5, -0.4])
    series = ([np.ones(2), y], [x, None, y])
    found = taylor(lambda x, y: mixed(x, y, scale=2.0), (x, y), series, order=5)[1]
    expected = taylor(lambda x, y: 2.0 * np.sum(x * np.exp(y)), (x, y), series, order=5)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-12)

    pair = Primitive("pair", lambda x: (np.exp(x), np.argmax(x)), multiple=True)
    defvjp(pair, lambda g, ans, x: g[0] * ans[0])
    (c, d) = taylor(pair, (x,), ([np.ones(2)],), order=2)[1]
    np.testing.assert_allclose(c[0], np.exp(x))
    np.testing.assert_allclose(d[0], np.exp(x) / 2)
    assert c[1] == 0


def test_a_primitive_with_jvp_rules() -> None:
    cube = Primitive("cube", lambda x: x**3)
    defjvp(cube, lambda t, _ans, x: t * 3 * x**2)
    np.testing.assert_allclose(series_of(cube, 2.0, 4), [8.0, 12.0, 6.0, 1.0, 0.0])
    np.testing.assert_allclose(derivatives(cube, 4, direction=np.ones(2))(np.array([2.0, 0.0]))[:, 1], [0, 0, 0, 6, 0])


def two(_t: Any) -> float:
    return 2.0


def partial_program(f: Callable[..., Any], x: Callable[[Any], Any], y: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda t: f(x(t), y(t))


def test_makers_of_rules() -> None:
    softplus = Primitive("softplus", lambda x, sharpness: np.log1p(np.exp(sharpness * x)) / sharpness)
    deftaylor(softplus, from_derivative(lambda x, sharpness: 1 / (1 + np.exp(-sharpness * x))))
    defvjp(softplus, lambda g, _ans, x, sharpness: g / (1 + np.exp(-sharpness * x)))
    expected = series_of(lambda x: np.log1p(np.exp(3 * x)) / 3, 0.4, 6)
    np.testing.assert_allclose(series_of(lambda x: softplus.bind(x, sharpness=3.0), 0.4, 6), expected, rtol=1e-12)
    ratio = Primitive("ratio", lambda x, y: x / y)
    deftaylor(ratio, from_derivative(lambda x, y: 1 / y, lambda x, y: -x / y**2))
    composed = Primitive("composed", lambda x, y: x / y)
    deftaylor(composed, from_composition(lambda x, y: x * y**-1))
    for each in (ratio, composed):
        defvjp(each, lambda g, _ans, _x, y: g / y, lambda g, _ans, x, y: -g * x / y**2)
        for f, g in ((np.sin, np.exp), (np.sin, two), (two, np.exp)):
            found = series_of(partial_program(each.bind, f, g), 0.3, 5)
            np.testing.assert_allclose(found, series_of(partial_program(np.divide, f, g), 0.3, 5), rtol=1e-12)


def test_a_wrong_rule_is_refused() -> None:
    doubled = Primitive("doubled", lambda x: 2 * x)
    defvjp(doubled, lambda g, _ans, _x: 2 * g)
    rules: list[tuple[Callable[..., Any], str]] = [
        (lambda _t, ans, x: [ans, 1.0], "a coefficient of shape () for a result of shape (2,)"),
        (lambda _t, ans, x: [ans, x[1].astype(np.float32)],
         "a coefficient of dtype float32 for a result of dtype float64; cast it with .astype"),
        (lambda _t, ans, x: [ans], "1 coefficients for order 1; return 2, the value first"),
    ]  # fmt: skip
    for rule, text in rules:
        xformad.interpreters.taylor_rules.taylor_rules.replace(doubled, rule)
        with pytest.raises(xformad.RuleError) as raised:
            taylor(doubled, (np.ones(2),), ([np.ones(2)],))
        assert str(raised.value) == f"the taylor rule of primitive 'doubled' returned {text}"
    with pytest.raises(ValueError, match="primitive 'doubled' already has a taylor rule"):
        deftaylor(doubled, lambda _t, ans, x: x)


def test_a_primitive_without_rules_is_refused() -> None:
    opaque = Primitive("opaque", lambda x: x)
    with pytest.raises(xformad.MissingRuleError, match="no vjp rule for primitive 'opaque'"):
        taylor(opaque, (1.0,), ([1.0],))
