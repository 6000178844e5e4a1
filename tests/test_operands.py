"""Operators and ufuncs on traced values with operands of every kind, on either side."""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import ConcretizationError, UnsupportedError, grad, value_and_grad, vjp

VECTOR = np.array([0.5, 1.0, 2.0])

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "pow": operator.pow,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}

OPERANDS: dict[str, Any] = {
    "bool": True,
    "int": 3,
    "float": 1.5,
    "complex": 1 + 2j,
    "numpy float": np.float64(1.5),
    "numpy float32": np.float32(1.5),
    "numpy float16": np.float16(1.5),
    "numpy int": np.int64(3),
    "numpy int8": np.int8(3),
    "numpy bool": np.bool_(True),
    "numpy complex": np.complex128(1 + 2j),
    "array": np.array([1.0, 2.0, 3.0]),
    "float32 array": np.array([1.0, 2.0, 3.0], np.float32),
    "int array": np.array([1, 2, 3]),
    "bool array": np.array([True, False, True]),
    "column": np.array([[1.0], [2.0]]),
    "0-d array": np.array(1.5),
    "empty array": np.ones((0, 1)),
    "list": [1.0, 2.0, 3.0],
    "list of ints": [1, 2, 3],
    "tuple": (1.0, 2.0, 3.0),
    "nested list": [[1.0], [2.0]],
}

NOT_FOR_COMPLEX = {"floordiv", "mod", "lt", "le", "gt", "ge"}
POINTS: dict[str, Any] = {
    "float": 1.5,
    "numpy float32": np.float32(1.5),
    "array": VECTOR,
    "float32 array": VECTOR.astype(np.float32),
    "0-d array": np.array(1.5),
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("name", OPERATORS)
def test_value_and_dtype_are_numpys(name: str, operand: str, point: str) -> None:
    apply, other, x = OPERATORS[name], OPERANDS[operand], POINTS[point]
    if "complex" in operand and name in NOT_FOR_COMPLEX:
        pytest.skip("not defined for complex numbers")
    for fun in (lambda x: apply(x, other), lambda x: apply(other, x)):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            # Numbers have no operators with lists; a traced number has those of an array.
            plain = fun(np.asarray(x) if isinstance(other, list | tuple) else x)  # type: ignore[no-untyped-call]
            out, pullback = vjp(fun, x)
            np.testing.assert_array_equal(out, plain)
            assert np.asarray(out).dtype == np.asarray(plain).dtype
            assert np.shape(out) == np.shape(plain)
            if np.asarray(out).dtype.kind in "fc":
                (gradient,) = pullback(np.ones_like(out))
                assert np.shape(gradient) == np.shape(x)
                assert np.asarray(gradient).dtype == np.asarray(x).dtype


@pytest.mark.parametrize("operand", ["int", "float", "numpy float", "array", "column", "list", "0-d array"])
def test_derivatives_on_either_side(operand: str) -> None:
    other = OPERANDS[operand]
    a = np.asarray(other, float)
    ones = np.ones(np.broadcast_shapes(a.shape, (3,)))

    def back(g: Any) -> Any:
        return np.broadcast_to(g, ones.shape).reshape(-1, 3).sum(0)

    x = VECTOR
    for fun, expected in (
        (lambda x: x + other, ones),
        (lambda x: other + x, ones),
        (lambda x: x - other, ones),
        (lambda x: other - x, -ones),
        (lambda x: x * other, a * ones),
        (lambda x: other * x, a * ones),
        (lambda x: x / other, ones / a),
        (lambda x: other / x, -a / x**2),
        (lambda x: x**other, a * x ** (a - 1)),
        (lambda x: other**x, a**x * np.log(a)),
    ):
        np.testing.assert_allclose(grad(lambda x, fun=fun: np.sum(fun(x)))(x), back(expected), rtol=1e-14)


# NEP 50: Python numbers are weak.


def test_weak_python_numbers() -> None:
    x = np.array([0.5, 1.0], np.float32)
    for fun in (
        lambda x: x * 2.0,
        lambda x: 2.0 * x + 1,
        lambda x: x**2.0 / 3,
        lambda x: 2**x,
        lambda x: np.maximum(x, 0.1),
        lambda x: np.where(x > 0.7, x, 0.0),
        lambda x: np.sum(x * 2.0),
        lambda x: np.mean(x) * 3.0,
        lambda x: 1.0 - np.exp(-0.5 * x),
    ):
        value, gradient = value_and_grad(lambda x, fun=fun: np.sum(fun(x)))(x)
        assert np.asarray(value).dtype == np.float32
        assert gradient.dtype == np.float32
        assert grad(grad(lambda x, fun=fun: np.sum(fun(x) ** 2)))(np.float32(0.5)).dtype == np.float32


def test_strong_numpy_numbers() -> None:
    x = np.array([0.5, 1.0], np.float32)
    value, gradient = value_and_grad(lambda x: np.sum(x * np.float64(2)))(x)
    assert np.asarray(value).dtype == np.float64
    assert gradient.dtype == np.float32
    assert np.asarray(value_and_grad(lambda x: np.sum(x * np.arange(2)))(x)[0]).dtype == np.float64
    assert value_and_grad(lambda x: np.sum(np.abs(x * 1j)))(x)[0].dtype == np.float32


# Operands that are refused.


class NotForUfuncs:
    """An array of another library that wants operators for itself, as pandas and SymPy objects do."""

    __array_ufunc__ = None

    def __mul__(self, other: Any) -> str:
        return "left"

    def __rmul__(self, other: Any) -> str:
        return "right"


class Reflected:
    def __rmul__(self, other: Any) -> str:
        return "right"


class Arraylike:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.ones(3)


def test_foreign_classes_may_take_over() -> None:
    results: list[str] = []

    def f(x: Any) -> Any:
        results.extend((x * NotForUfuncs(), NotForUfuncs() * x, x * Reflected()))
        return x * x

    grad(f)(2.0)
    assert results == ["right", "left", "right"]
    with pytest.raises(TypeError, match=r"^unsupported operand type\(s\) for \*: 'Reflected' and 'Tracer'$"):
        grad(lambda x: Reflected() * x)(2.0)


@pytest.mark.parametrize("operand", ["text", {}, {1}, None, object(), len, Arraylike()], ids=lambda x: type(x).__name__)
def test_operands_that_are_no_numbers(operand: Any) -> None:
    kind = type(operand).__name__
    with pytest.raises(TypeError) as error:
        grad(lambda x: x * operand)(2.0)
    if operand != "text":  # which Python takes for a repetition
        assert str(error.value) == f"unsupported operand type(s) for *: 'Tracer' and '{kind}'"
    with pytest.raises(TypeError):
        grad(lambda x: operand * x)(2.0)
    with pytest.raises(TypeError) as error:
        grad(lambda x: np.multiply(x, operand))(2.0)
    assert str(error.value).startswith("operand type(s) all returned NotImplemented from __array_ufunc__")
    assert f"'{kind}'" in str(error.value)


class Units(np.ndarray):
    """A subclass of ndarray."""


def test_subclasses_of_ndarray_count_as_arrays() -> None:
    units = np.array([1.0, 2.0]).view(Units)
    assert grad(lambda x: np.sum(x * units))(3.0) == 3.0
    assert grad(lambda x: np.sum(units * x))(3.0) == 3.0
    assert np.asarray(grad(lambda x: np.sum(x**2))(units)).tolist() == [2.0, 4.0]


def test_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"^operands could not be broadcast together with shapes \(3,\) \(2,\) $"):
        grad(lambda x: np.sum(x * np.ones(2)))(VECTOR)


# Methods and keywords of ufuncs.


def test_methods_of_ufuncs() -> None:
    x = np.array([2.0, 3.0, 4.0])
    assert grad(lambda x: np.add.reduce(x))(x).tolist() == [1.0, 1.0, 1.0]
    assert grad(lambda x: np.multiply.reduce(x))(x).tolist() == [12.0, 8.0, 6.0]
    assert grad(lambda x: np.maximum.reduce(x))(x).tolist() == [0.0, 0.0, 1.0]
    assert grad(lambda x: np.minimum.reduce(x))(x).tolist() == [1.0, 0.0, 0.0]
    assert grad(lambda x: np.add.accumulate(x)[1])(x).tolist() == [1.0, 1.0, 0.0]
    assert grad(lambda x: np.multiply.accumulate(x)[2])(x).tolist() == [12.0, 8.0, 6.0]
    assert grad(lambda x: np.sum(np.multiply.outer(x, x)))(x).tolist() == [18.0, 18.0, 18.0]
    assert (
        grad(lambda x: np.sum(np.add.reduce(np.multiply.outer(x, x), axis=1, keepdims=True)))(x).tolist() == [18.0] * 3
    )
    assert grad(lambda x: np.sum(np.subtract.outer(x, np.ones(2))))(x).tolist() == [2.0, 2.0, 2.0]


def test_keywords_of_ufuncs() -> None:
    x = np.array([2.0, 3.0])
    value, gradient = value_and_grad(lambda x: np.sum(np.multiply(x, x, dtype=np.float32)))(x)
    assert np.asarray(value).dtype == np.float32
    assert gradient.tolist() == [4.0, 6.0]
    assert gradient.dtype == np.float64
    assert grad(lambda x: np.sum(np.add(x, 1, casting="same_kind")))(x).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("fun", "text"),
    [
        (
            lambda x: np.sin(x, where=np.array([True, False, True])),
            "numpy.sin with where= is not supported on traced arrays; use numpy.where(mask, numpy.sin(x), other)",
        ),
        (
            lambda x: np.divide.reduce(x, where=x > 0),
            "numpy.divide.reduce with where= is not supported on traced arrays; reduce x[mask] instead",
        ),
    ],
)
def test_what_ufuncs_refuse(fun: Any, text: str) -> None:
    with pytest.raises(UnsupportedError) as error:
        grad(lambda x: np.sum(fun(x)))(VECTOR)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("fun", "name"),
    [
        (lambda x: np.sin(x, out=np.zeros(3)), "numpy.sin"),
        (lambda x: np.sum(x, out=np.zeros(())), "numpy.sum"),
        (lambda x: np.hypot.reduce(x, out=np.zeros(())), "numpy.hypot"),
        (lambda x: np.add.at(np.zeros(3), 0, x[0]), "numpy.add.at"),
    ],
)
def test_traced_values_are_not_written_into_plain_arrays(fun: Any, name: str) -> None:
    with pytest.raises(ConcretizationError) as error:
        grad(lambda x: np.sum(fun(x)))(VECTOR)
    assert re.fullmatch(
        f"{name} at .*test_operands.py:[0-9]+ would write traced values into a plain array and drop what is traced; make "
        "the array by xformad.numpy.zeros, array or another function of xformad.numpy, inside of the function",
        str(error.value),
    )


@pytest.mark.parametrize("fun", [lambda x: np.sin(np.zeros(3), out=x), lambda x: np.add.at(x, 0, 1.0)])
def test_an_argument_is_not_written_into(fun: Any) -> None:
    with pytest.raises(UnsupportedError) as error:
        grad(lambda x: np.sum(fun(x)))(VECTOR)
    assert re.fullmatch(
        "the assignment at .*test_operands.py:[0-9]+ would write into an argument of .*; copy it first: "
        r"x = xformad.numpy.array\(x\)",
        str(error.value),
    )
