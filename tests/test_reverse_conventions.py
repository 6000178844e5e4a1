"""Conventions of reverse mode: outputs that it refuses, dtypes, complex numbers, pickling, methods, signatures."""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import (
    DifferentiationError,
    IndependentOutputWarning,
    XformadError,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    make_vjp,
    stop_gradient,
    value_and_grad,
    value_and_jacobian,
    value_of,
    vjp,
)

TRANSFORMS: list[Any] = [grad, value_and_grad, elementwise_grad, jacobian, value_and_jacobian, hessian]


def square(x: Any) -> Any:
    """The square."""
    return x * x


# Outputs.


def refusal(fun: Callable[..., Any], x: Any) -> str:
    with pytest.raises(DifferentiationError) as error:
        grad(fun)(x)
    assert isinstance(error.value, TypeError)
    assert isinstance(error.value, XformadError)
    with pytest.raises(DifferentiationError) as other:
        value_and_grad(fun)(x)
    assert str(other.value) == str(error.value)
    return str(error.value)


def test_output_that_is_an_array() -> None:
    def doubled(x: Any) -> Any:
        return 2 * x

    text = (
        "grad needs a function with a real scalar result, but doubled returned an array of shape {}; use jacobian for "
        "all its derivatives, elementwise_grad for those of an elementwise function, or sum the result"
    )
    assert refusal(doubled, np.ones(2)) == text.format("(2,)")
    assert refusal(doubled, np.ones((1, 1))) == text.format("(1, 1)")
    assert refusal(doubled, np.ones(1)) == text.format("(1,)")
    assert refusal(doubled, np.ones(0)) == text.format("(0,)")


def test_output_that_is_complex() -> None:
    def rotated(x: Any) -> Any:
        return 1j * x

    assert refusal(rotated, 2.0) == (
        "grad needs a function with a real scalar result, but rotated returned a complex128 number; use "
        "holomorphic=True if it is holomorphic, or return its real part, or use jacobian or elementwise_grad"
    )


def test_output_that_is_a_whole_number_or_a_truth_value() -> None:
    def largest(x: Any) -> Any:
        return np.argmax(x)

    def positive(x: Any) -> Any:
        return np.all(x > 0)

    text = (
        "grad needs a function with a real scalar result, but {} returned {}, of type {}; "
        "return a floating-point number, or use jacobian or elementwise_grad"
    )
    assert refusal(largest, np.ones(2)) == text.format("largest", "np.int64(0)", "int64")
    assert refusal(positive, np.ones(2)) == text.format("positive", "np.True_", "bool")


def test_output_that_is_no_number() -> None:
    def name(x: Any) -> Any:
        return "text"

    def pair(x: Any) -> Any:
        return x, x

    def nothing(x: Any) -> Any:
        return None

    assert refusal(name, 1.0) == (
        "grad needs a function with a real scalar result, but name returned 'text', of type str; "
        "return a floating-point number, or use jacobian or elementwise_grad"
    )
    text = "grad needs a function with a real scalar result, but {} returned a {}; use jacobian, or return one number"
    assert refusal(pair, 1.0) == text.format("pair", "tuple")
    assert refusal(nothing, 1.0) == text.format("nothing", "NoneType")


def test_matrices_of_derivatives_need_floating_point_outputs() -> None:
    for transform in (jacobian, value_and_jacobian):
        with pytest.raises(DifferentiationError) as error:
            transform(lambda x: x > 1)(np.ones(2))
        assert str(error.value) == "jacobian needs floating-point results, but got dtype bool"
    with pytest.raises(DifferentiationError) as error:
        elementwise_grad(lambda x: np.argsort(x))(np.ones(2))
    assert str(error.value) == "elementwise_grad needs a floating-point result, but got dtype int64"


@pytest.mark.parametrize("transform", [grad, value_and_grad, elementwise_grad, jacobian, value_and_jacobian])
def test_output_independent_of_the_input(transform: Any) -> None:
    def constant(x: Any) -> Any:
        return 3.0

    for x in (2.0, np.ones(3), np.ones((2, 2), np.float32), {"a": np.ones(2), "b": [1.0]}):
        with pytest.warns(IndependentOutputWarning) as caught:
            result = transform(constant)(x)
        assert [str(warning.message) for warning in caught] == [
            "the result of constant does not depend on the arguments differentiated: the derivatives are zero"
        ]
        assert caught[0].filename == __file__
        gradient = result[1] if transform in (value_and_grad, value_and_jacobian) else result
        if isinstance(x, dict):
            assert gradient["a"].tolist() == [0.0, 0.0]
            assert gradient["b"] == [0.0]
        else:
            assert np.shape(gradient) == np.shape(x)
            assert np.asarray(gradient).dtype == np.asarray(x).dtype
            assert not np.any(gradient)


def test_output_depends_on_one_of_several_arguments() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad(lambda x, y: x * x, argnums=(0, 1))(2.0, 3.0) == (4.0, 0.0)
        assert jacobian(lambda x: (x * x, 3.0))(2.0) == (4.0, 0.0)
        assert vjp(lambda x: 3.0, 2.0)[1](1.0) == (0.0,)
        assert make_vjp(lambda x: 3.0, 2.0)[0](1.0) == 0.0


def test_second_derivatives_of_a_linear_function_are_zero_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hessian(lambda x: np.sum(3 * x))(np.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert hvp(lambda x: np.sum(3 * x))(np.ones(2), np.ones(2)).tolist() == [0.0, 0.0]


# Arguments.


def test_whole_number_is_taken_for_a_float() -> None:
    for transform in (grad, elementwise_grad, jacobian):
        assert transform(square)(3) == 6.0
        assert type(transform(square)(3)) is np.float64
    assert grad(lambda x: x**-1)(2) == -0.25
    assert grad(grad(square))(3) == 2.0
    assert hessian(square)(3) == 2.0
    assert hvp(square)(3, 2) == 4.0
    assert value_and_grad(square)(3) == (9.0, 6.0)


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint16", "bool"])
def test_array_of_whole_numbers_is_refused(dtype: str) -> None:
    for x in (np.ones(3, dtype), np.ones((), dtype), np.dtype(dtype).type(1)):
        for transform in TRANSFORMS:
            with pytest.raises(DifferentiationError) as error:
                transform(lambda x: np.sum(x))(x)
            assert str(error.value) == (
                f"argument 0 is an array of dtype {dtype}, which has no derivative; "
                "cast it to a floating-point dtype: x.astype(float)"
            )


@pytest.mark.parametrize(
    ("x", "text"),
    [
        ("text", "argument 'x' is a str, which cannot be differentiated"),
        (True, "argument 'x' is a bool, which cannot be differentiated"),
        (object(), "argument 'x' is a object, which cannot be differentiated"),
    ],
)
def test_what_cannot_be_differentiated(x: Any, text: str) -> None:
    with pytest.raises(DifferentiationError) as error:
        grad(square, "x")(x=x)
    assert str(error.value) == text


def test_noncontiguous_and_foreign_order_arrays() -> None:
    x = np.arange(12.0).reshape(3, 4)
    for each in (x[:, ::2], x.T, x[::-1], np.asfortranarray(x), x[1:2, 1:2]):
        np.testing.assert_array_equal(grad(lambda x: np.sum(x**3))(each), 3 * each**2)
    swapped = x.astype(">f8")
    g = grad(lambda x: np.sum(x**3))(swapped)
    np.testing.assert_array_equal(g, 3 * x**2)


def test_read_only_argument() -> None:
    x = np.ones(3)
    x.flags.writeable = False
    g = grad(lambda x: np.sum(x))(x)
    g += 1
    assert g.tolist() == [2.0, 2.0, 2.0]


# Dtypes.


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_precision_is_kept(dtype: Any) -> None:
    x = np.array([0.5, 1.0], dtype)

    def f(x: Any) -> Any:
        return np.sum(np.sin(2.0 * x) ** 2 / (1 + x) - x)

    assert np.asarray(f(x)).dtype == dtype
    value, g = value_and_grad(f)(x)
    assert np.asarray(value).dtype == dtype
    assert g.dtype == dtype
    assert hessian(f)(x).dtype == dtype
    assert elementwise_grad(lambda x: np.exp(x))(x).dtype == dtype
    assert jacobian(lambda x: 3.0 * x)(x).dtype == dtype
    scalar = dtype(0.5)
    assert type(grad(lambda x: x * 2.0)(scalar)) is dtype
    assert type(grad(grad(lambda x: x**3))(scalar)) is dtype


def test_mixed_precision() -> None:
    x, y = np.ones(2, np.float32), np.ones(2)
    gx, gy = grad(lambda x, y: np.sum(x * y), argnums=(0, 1))(x, y)
    assert gx.dtype == np.float32
    assert gy.dtype == np.float64
    assert value_and_grad(lambda x: np.sum(x * y))(x)[0].dtype == np.float64


# Complex numbers.


def test_complex_convention() -> None:
    """grad of a real f(x + iy) is df/dx - i df/dy."""
    assert grad(np.abs)(1 + 0.5j) == pytest.approx(0.894427190999916 - 0.447213595499958j, rel=1e-14)
    assert grad(lambda z: np.real(z**2))(1 + 2j) == 2 + 4j
    assert grad(np.real)(1 + 2j) == 1
    assert grad(np.imag)(1 + 2j) == -1j
    assert grad(lambda z: np.real(z * np.conj(z)))(1 + 2j) == 2 - 4j
    assert grad(np.abs)(0j) == 0
    z = np.array([1 + 2j, 3 - 1j])
    g = grad(lambda z: np.sum(np.abs(z) ** 2))(z)
    assert g.dtype == complex
    np.testing.assert_allclose(g, 2 * np.conj(z), rtol=1e-14)


def test_real_argument_of_complex_intermediates_has_a_real_gradient() -> None:
    for x in (0.5, np.array([0.5, 1.0]), np.float32(0.5), np.ones(2, np.float32)):
        g = grad(lambda x: np.sum(np.real(np.exp(1j * x))))(x)
        assert np.asarray(g).dtype == np.asarray(x).dtype
        np.testing.assert_allclose(g, -np.sin(x), rtol=1e-6)
    assert grad(lambda x: np.abs(3 + 1j * x))(4.0) == 0.8


def test_holomorphic() -> None:
    assert grad(lambda z: z**3, holomorphic=True)(1 + 2j) == 3 * (1 + 2j) ** 2
    assert grad(grad(lambda z: z**3, holomorphic=True), holomorphic=True)(1 + 2j) == 6 * (1 + 2j)
    value, g = value_and_grad(np.exp, holomorphic=True)(0.5j)
    assert value == np.exp(0.5j)
    assert g == np.exp(0.5j)


def test_complex_pullback_is_the_transpose() -> None:
    _, pullback = vjp(lambda z: (1 + 2j) * z, np.array([1j, 2.0]))
    np.testing.assert_array_equal(pullback(np.array([1.0, 1j]))[0], np.array([1 + 2j, -2 + 1j]))
    _, pullback = vjp(np.conj, 1 + 2j)
    assert pullback(2 + 3j) == (2 - 3j,)


def test_complex64() -> None:
    z = np.array([1 + 2j], np.complex64)
    assert grad(lambda z: np.sum(np.abs(z)))(z).dtype == np.complex64
    assert jacobian(lambda z: z**2, holomorphic=True)(z).dtype == np.complex64


def test_jacobian_of_a_complex_function() -> None:
    z = np.array([1 + 2j, 3j])
    np.testing.assert_array_equal(jacobian(lambda z: z**2, holomorphic=True)(z), np.diag(2 * z))
    assert jacobian(lambda x: x * 1j)(2.0) == 1j


# Values without derivatives.


def test_stop_gradient() -> None:
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert grad(grad(lambda x: x * x * stop_gradient(x)))(3.0) == 6.0
    assert grad(lambda x: x * float(stop_gradient(x)))(3.0) == 3.0
    assert grad(lambda x: x * stop_gradient({"a": [x, 2.0, None]})["a"][0])(3.0) == 3.0
    x = np.array([1.0, 2.0])
    assert grad(lambda x: np.sum(x * stop_gradient(x)))(x).tolist() == [1.0, 2.0]
    assert grad(lambda x: np.sum(x * np.asarray(stop_gradient(x))))(x).tolist() == [1.0, 2.0]
    assert stop_gradient(x) is x


def test_stop_gradient_of_an_outer_level() -> None:
    def f(x: Any) -> Any:
        return grad(lambda y: y * stop_gradient(x * y))(2.0)

    assert f(3.0) == 6.0
    with pytest.warns(IndependentOutputWarning):
        assert grad(f)(3.0) == 0.0


def test_value_of() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(value_of({"x": x, "y": [x * 2, 3.0]}))
        return np.sum(x * x)

    grad(grad(f))(3.0)
    assert seen == [{"x": 3.0, "y": [6.0, 3.0]}]
    assert type(seen[0]["x"]) is float
    grad(f)(np.array([1.0, 2.0]))
    array = seen[1]["x"]
    assert type(array) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 5.0
    assert value_of(2.0) == 2.0
    x = np.ones(2)
    assert value_of(x) is x


# The transformed function as an object.


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_pickling(transform: Any) -> None:
    derivative = pickle.loads(pickle.dumps(transform(square)))
    assert derivative(3.0) == transform(square)(3.0)
    twice = pickle.loads(pickle.dumps(grad(grad(square))))
    assert twice(3.0) == 2.0


def test_pickling_keeps_options() -> None:
    derivative = pickle.loads(pickle.dumps(grad(np.power, argnums=(1, 0))))
    assert derivative(2.0, 3.0) == (pytest.approx(8 * np.log(2)), 12.0)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(grad(lambda x: x))


class Model:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    def energy(self, x: Any) -> Any:
        return self.scale * x**2

    force = grad(energy)
    stiffness = grad(grad(energy))

    @value_and_grad
    def both(self, x: Any) -> Any:
        return self.scale * x**2

    @staticmethod
    @grad
    def static(x: Any) -> Any:
        return x**2


def test_methods() -> None:
    model = Model(5.0)
    assert grad(model.energy)(3.0) == 30.0
    assert model.force(3.0) == 30.0
    assert model.stiffness(3.0) == 10.0
    assert model.both(3.0) == (45.0, 30.0)
    assert Model.static(3.0) == 6.0
    assert model.static(3.0) == 6.0
    assert repr(Model.force) == "<grad(energy)>"
    assert pickle.loads(pickle.dumps(grad(model.energy)))(3.0) == 30.0


def test_callable_objects() -> None:
    class Polynomial:
        def __call__(self, x: Any, y: Any = 1.0) -> Any:
            return x**2 * y

    assert grad(Polynomial())(3.0) == 6.0
    assert grad(Polynomial(), "y")(3.0, y=2.0) == 9.0
    assert repr(grad(Polynomial())) == "<grad(function)>"


@pytest.mark.parametrize("transform", [*TRANSFORMS, hvp])
def test_name_signature_and_docstring(transform: Any) -> None:
    def energy(position: float, charge: float = 1.0, *, unit: str = "J") -> float:
        """The energy."""
        return position * charge

    derivative = transform(energy)
    name = f"{transform.__name__}(energy)"
    assert derivative.__name__ == name
    assert derivative.__doc__ == f"{name}: The energy."
    assert derivative.__wrapped__ is energy
    assert repr(derivative) == f"<{name}>"
    if transform is not hvp:
        assert inspect.signature(derivative) == inspect.signature(energy)
    nested = transform(derivative) if transform is grad else derivative
    assert list(inspect.signature(nested).parameters)[:2] == ["position", "charge"]
