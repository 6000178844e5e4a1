"""The reverse-mode transformations: what they take, what they return, what they refuse."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

from xformad import (
    ArgumentError,
    DifferentiationError,
    IndependentOutputWarning,
    TreeError,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    make_vjp,
    tree,
    value_and_grad,
    value_and_jacobian,
    vjp,
)


def cubic(x: Any, y: Any = 1.0, *, scale: Any = 1.0) -> Any:
    """A cubic."""
    return scale * x**2 * y


def same(got: Any, expected: Any) -> bool:
    """Equal in structure, shapes, dtypes and numbers."""
    (found, a), (wanted, b) = tree.flatten(got), tree.flatten(expected)
    return a == b and all(
        np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.asarray(y).dtype and np.array_equal(x, y)
        for x, y in zip(found, wanted, strict=True)
    )


# Values and forms of the results.


def test_each_transformation_at_a_point() -> None:
    x = np.array([1.0, 3.0])
    product, value = make_vjp(lambda x: x**2, x)
    assert same(value, np.array([1.0, 9.0]))
    assert same(product(np.array([1.0, 10.0])), np.array([2.0, 60.0]))
    out, pullback = vjp(lambda x, y: x * y, x, 2.0)
    assert same(out, np.array([2.0, 6.0]))
    assert same(pullback(np.ones(2)), (np.array([2.0, 2.0]), np.float64(4.0)))
    assert same(grad(lambda x: np.sum(x**3))(x), np.array([3.0, 27.0]))
    assert same(value_and_grad(lambda x: np.sum(x**3))(x), (np.float64(28.0), np.array([3.0, 27.0])))
    assert same(elementwise_grad(lambda x: x**3)(x), np.array([3.0, 27.0]))
    assert same(jacobian(lambda x: x**3)(x), np.diag([3.0, 27.0]))
    assert same(value_and_jacobian(lambda x: x**3)(x), (np.array([1.0, 27.0]), np.diag([3.0, 27.0])))
    assert same(hessian(lambda x: np.sum(x**3))(x), np.diag([6.0, 18.0]))
    assert same(hvp(lambda x: np.sum(x**3))(x, np.array([1.0, 2.0])), np.array([6.0, 36.0]))


def test_result_of_a_python_float_is_a_numpy_scalar() -> None:
    for x in (2.0, 2, np.float64(2.0)):
        g = grad(lambda x: x * x)(x)
        assert type(g) is np.float64
        assert g == 4.0
    assert type(value_and_grad(lambda x: x * x)(2.0)[0]) is float


def test_zero_dimensional_array() -> None:
    x = np.array(2.0)
    g = grad(lambda x: x * x)(x)
    assert type(g) is np.ndarray
    assert g.shape == ()
    assert g == 4.0
    assert same(jacobian(lambda x: x * np.ones(3))(x), np.ones(3))
    assert hessian(lambda x: x**3)(x) == 12.0


def test_empty_arrays() -> None:
    x = np.ones(0)
    assert same(grad(lambda x: np.sum(x * 2))(x), np.ones(0))
    assert same(jacobian(lambda x: x * 2)(x), np.ones((0, 0)))
    assert same(jacobian(lambda x: np.sum(x * 2))(x), np.ones(0))
    assert same(jacobian(lambda x: x * np.ones(0))(2.0), np.ones(0))
    assert same(jacobian(lambda x: x * 2)(np.ones((0, 3))), np.ones((0, 3, 0, 3)))
    assert same(hessian(lambda x: np.sum(x * x))(x), np.ones((0, 0)))
    assert same(elementwise_grad(lambda x: np.sin(x))(x), np.ones(0))
    assert same(vjp(lambda x: x * 2, x)[1](x), (np.ones(0),))


def test_shapes_of_jacobians() -> None:
    a = np.arange(6.0).reshape(2, 3)
    assert jacobian(lambda x: x * a)(a).shape == (2, 3, 2, 3)
    assert jacobian(lambda x: np.sum(x * a, axis=0))(a).shape == (3, 2, 3)
    assert jacobian(lambda x: np.sum(x * a))(a).shape == (2, 3)
    assert jacobian(lambda x: x * a)(2.0).shape == (2, 3)
    assert hessian(lambda x: np.sum(x**2))(a).shape == (2, 3, 2, 3)
    assert jacobian(grad(lambda x: np.sum(x**3)))(a).shape == (2, 3, 2, 3)
    assert jacobian(jacobian(lambda x: x**3))(np.ones(2)).shape == (2, 2, 2)


# Which arguments.


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 12.0),
        (1, 4.0),
        (-1, 4.0),
        (-2, 12.0),
        ("x", 12.0),
        ("y", 4.0),
        ((0, 1), (12.0, 4.0)),
        ((1, 0), (4.0, 12.0)),
        ((0,), (12.0,)),
        (("y", 0), (4.0, 12.0)),
        ([0, -1], (12.0, 4.0)),
        ((), ()),
    ],
)
def test_argnums(argnums: Any, expected: Any) -> None:
    if argnums == ():
        with pytest.warns(IndependentOutputWarning):
            assert grad(cubic, argnums)(2.0, 3.0) == ()
        return
    assert grad(cubic, argnums)(2.0, 3.0) == expected
    assert value_and_grad(cubic, argnums)(2.0, 3.0) == (12.0, expected)
    assert elementwise_grad(cubic, argnums)(2.0, 3.0) == expected
    assert jacobian(cubic, argnums)(2.0, 3.0) == expected
    assert value_and_jacobian(cubic, argnums)(2.0, 3.0) == (12.0, expected)
    assert make_vjp(cubic, 2.0, 3.0, argnums=argnums)[0](1.0) == expected


def test_argnums_of_second_derivatives() -> None:
    assert hessian(cubic, argnums=1)(2.0, 3.0) == 0.0
    assert hessian(cubic, argnums=(0, 1))(2.0, 3.0) == ((6.0, 4.0), (4.0, 0.0))
    assert hessian(cubic, argnums=("x",))(2.0, 3.0) == ((6.0,),)
    assert hvp(cubic)(2.0, 3.0, 10.0) == 60.0
    assert hvp(cubic, argnums=(0, 1))(2.0, 3.0, (1.0, 10.0)) == (46.0, 4.0)
    assert hvp(cubic, argnums=1)(2.0, 3.0, 10.0) == 0.0


def test_calls_with_keywords() -> None:
    assert grad(cubic)(2.0, y=3.0) == 12.0
    assert grad(cubic)(x=2.0, y=3.0) == 12.0
    assert grad(cubic, "y")(2.0, y=3.0) == 4.0
    assert grad(cubic, 1)(2.0, y=3.0) == 4.0
    assert grad(cubic, -1)(2.0, y=3.0) == 4.0
    assert grad(cubic, "scale")(2.0, 3.0, scale=5.0) == 12.0
    assert grad(cubic, ("scale", 0))(2.0, 3.0, scale=5.0) == (12.0, 60.0)
    assert jacobian(cubic)(2.0, scale=5.0) == 20.0
    assert hessian(cubic)(2.0, y=3.0, scale=5.0) == 30.0
    assert hvp(cubic)(2.0, 1.0, scale=5.0) == 10.0
    assert vjp(cubic, 2.0, scale=5.0)[1](1.0) == (20.0,)
    assert make_vjp(cubic, 2.0, scale=5.0)[0](1.0) == 20.0
    assert grad(grad(cubic), "y")(2.0, y=3.0) == 4.0


@pytest.mark.parametrize(
    ("argnums", "args", "kwargs", "shown"),
    [
        (2, (2.0, 3.0), {}, "2"),
        (-3, (2.0, 3.0), {}, "-3"),
        ("z", (2.0, 3.0), {}, "'z'"),
        ((0, 5), (2.0, 3.0), {}, "5"),
    ],
)
def test_argnums_out_of_range(argnums: Any, args: Any, kwargs: Any, shown: str) -> None:
    text = f"argnums {shown} names no argument of this call of cubic, which has 2 positional arguments"
    for transform in (grad, value_and_grad, elementwise_grad, jacobian, value_and_jacobian, hessian):
        with pytest.raises(ArgumentError) as error:
            transform(cubic, argnums)(*args, **kwargs)
        assert str(error.value) == text


def test_argnums_that_name_a_missing_keyword() -> None:
    with pytest.raises(ArgumentError) as error:
        grad(cubic, "scale")(2.0, y=3.0)
    assert str(error.value) == (
        "argnums 'scale' names no argument of this call of cubic, which has 1 positional arguments and the keywords ['y']"
    )


@pytest.mark.parametrize("argnums", [1.5, None, (0, None), True, {0}])
def test_argnums_of_a_wrong_kind(argnums: Any) -> None:
    with pytest.raises(ArgumentError) as error:
        grad(cubic, argnums)
    assert str(error.value) == f"argnums must be an int, an argument name, or a tuple of these, not {argnums!r}"
    assert isinstance(error.value, TypeError)


def test_functions_that_tell_no_signature() -> None:
    assert grad(np.multiply, (0, -1))(2.0, 3.0) == (3.0, 2.0)
    assert grad(lambda *args: args[0] * args[2], 2)(2.0, 0.0, 3.0) == 2.0
    assert grad(lambda *args: args[0] * args[2], -1)(2.0, 0.0, 3.0) == 2.0
    assert grad(lambda **kwargs: kwargs["a"] ** 2, "a")(a=3.0) == 6.0


# has_aux.


def with_aux(x: Any) -> Any:
    return np.sum(x**2), {"double": 2 * x, "text": "kept", "count": 3, "none": None}


AUX = {"double": np.array([2.0, 6.0]), "text": "kept", "count": 3, "none": None}


def test_has_aux_everywhere() -> None:
    x = np.array([1.0, 3.0])
    gradient, matrix = np.array([2.0, 6.0]), 2 * np.eye(2)
    product, value, aux = make_vjp(with_aux, x, has_aux=True)
    assert value == 10.0
    assert same(product(1.0), gradient)
    assert same(aux, AUX)
    value, pullback, aux = vjp(with_aux, x, has_aux=True)
    assert value == 10.0
    assert same(pullback(1.0), (gradient,))
    assert same(aux, AUX)
    assert same(grad(with_aux, has_aux=True)(x), (gradient, AUX))
    assert same(value_and_grad(with_aux, has_aux=True)(x), ((np.float64(10.0), AUX), gradient))
    assert same(elementwise_grad(with_aux, has_aux=True)(x), (gradient, AUX))
    assert same(jacobian(with_aux, has_aux=True)(x), (gradient, AUX))
    assert same(value_and_jacobian(with_aux, has_aux=True)(x), ((np.float64(10.0), AUX), gradient))
    assert same(hessian(with_aux, has_aux=True)(x), (matrix, AUX))
    assert same(hvp(with_aux, has_aux=True)(x, np.array([1.0, 0.0])), (np.array([2.0, 0.0]), AUX))


def test_aux_is_traced_by_an_outer_derivative() -> None:
    def f(x: Any) -> Any:
        gradient, aux = grad(lambda y: (y**2, y * x), has_aux=True)(x)
        return gradient * aux

    assert grad(f)(3.0) == 54.0  # 2 x^3


@pytest.mark.parametrize("result", [1.0, (1.0,), (1.0, 2.0, 3.0), [1.0, 2.0]])
def test_has_aux_of_what_is_no_pair(result: Any) -> None:
    with pytest.raises(TreeError) as error:
        grad(lambda x: result, has_aux=True)(1.0)
    assert str(error.value).startswith(
        f"with has_aux=True the function must return a pair (result, aux), but it returned {result!r} ("
    )


# Pytrees.


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Layer:
    weights: Any
    bias: Any
    activation: str = field(default="tanh", metadata={"static": True})


class Pair:
    def __init__(self, first: Any, second: Any) -> None:
        self.first, self.second = first, second


tree.register(Pair, lambda pair: ((pair.first, pair.second), None), lambda aux, children: Pair(*children))


def test_containers_in() -> None:
    assert grad(lambda d: d["a"] * d["b"])({"a": 2.0, "b": 3.0}) == {"a": 3.0, "b": 2.0}
    assert grad(lambda d: d[0] * d[1])([2.0, 3.0]) == [3.0, 2.0]
    assert grad(lambda d: d[0] * d[1][0])((2.0, (3.0,))) == (3.0, (2.0,))
    assert same(grad(lambda p: p.x * p.y)(Point(2.0, 3.0)), Point(np.float64(3.0), np.float64(2.0)))
    assert grad(lambda p: p.weights * p.bias)(Layer(2.0, 3.0, "relu")) == Layer(3.0, 2.0, "relu")
    assert grad(lambda d: d["a"])({"a": 2.0, "nothing": None, "empty": []}) == {"a": 1.0, "nothing": None, "empty": []}
    pair = grad(lambda p: p.first * p.second)(Pair(2.0, 3.0))
    assert (type(pair), pair.first, pair.second) == (Pair, 3.0, 2.0)
    ordered = grad(lambda d: d["b"] * d["a"])(OrderedDict(b=2.0, a=3.0))
    assert ordered == OrderedDict(b=3.0, a=2.0)
    assert type(ordered) is OrderedDict
    default = grad(lambda d: d["b"] ** 2)(defaultdict(float, b=2.0))
    assert default == {"b": 4.0}
    assert default.default_factory is float


def test_unused_leaves_get_zeros_of_their_own_kind() -> None:
    x = {"used": 2.0, "float": 3.0, "array": np.ones((2, 3), np.float32), "complex": 1j}
    g = grad(lambda x: x["used"] ** 2)(x)
    assert same(
        g, {"used": np.float64(4.0), "float": np.float64(0), "array": np.zeros((2, 3), np.float32), "complex": 0j}
    )


def test_leaves_that_are_no_floats() -> None:
    x = {"x": 2.0, "n": 3, "flag": True, "name": "linear", "none": None}
    seen: dict[str, Any] = {}

    def f(x: Any) -> Any:
        seen.update(x)
        return x["x"] ** 2 if x["flag"] and x["name"] == "linear" else x["x"]

    g = grad(f)(x)
    assert g["x"] == 4.0
    assert g["n"] == 0.0
    assert g["flag"] == 0.0
    assert g["none"] is None
    assert g["name"] is None
    assert seen["flag"] is True
    assert seen["name"] == "linear"


def test_whole_number_in_a_container_counts_and_has_a_derivative() -> None:
    assert grad(lambda x: x[0] * x[1])([2.0, 3]) == [3.0, 2.0]
    assert grad(lambda x: sum(x[0] for _ in range(x[1])))([2.0, 3]) == [3.0, 0.0]


def test_integer_array_in_a_container() -> None:
    x = {"values": np.array([1.0, 2.0, 4.0]), "index": np.array([0, 2, 2])}
    g = grad(lambda x: np.sum(x["values"][x["index"]]))(x)
    assert same(g, {"values": np.array([1.0, 0.0, 2.0]), "index": np.zeros(3)})
    with pytest.raises(DifferentiationError) as error:
        grad(lambda x: np.sum(x["values"] * x["index"]))(x)
    assert str(error.value) == (
        "the leaf ['index'] of an argument is an array of dtype int64, which has no derivative, but the result depends "
        "on it; cast it to a floating-point dtype: x.astype(float)"
    )


def test_containers_out() -> None:
    x = np.array([1.0, 3.0])
    assert same(
        jacobian(lambda x: {"sum": np.sum(x), "each": [x * x]})(x),
        {"sum": np.ones(2), "each": [np.diag([2.0, 6.0])]},
    )
    assert same(
        jacobian(lambda p: Point(p["a"] * p["b"], p["a"]))({"a": 2.0, "b": 3.0}),
        Point({"a": np.float64(3), "b": np.float64(2)}, {"a": np.float64(1), "b": np.float64(0)}),
    )
    assert hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0}) == {
        "a": {"a": 6.0, "b": 4.0},
        "b": {"a": 4.0, "b": 0.0},
    }
    out, pullback = vjp(lambda x: (x, None, [2 * x]), 3.0)
    assert out == (3.0, None, [6.0])
    assert pullback((1.0, None, [10.0])) == (21.0,)


def test_order_of_keys_in_cotangents() -> None:
    _, pullback = vjp(lambda x: {"b": 2 * x, "a": 3 * x}, 1.0)
    assert pullback({"a": 1.0, "b": 10.0}) == (23.0,)
    assert pullback({"b": 10.0, "a": 1.0}) == (23.0,)


def test_containers_to_higher_order() -> None:
    f = grad(lambda p: p["a"] ** 3 * p["b"][0])
    assert grad(lambda p: f(p)["a"])({"a": 2.0, "b": [5.0]}) == {"a": 60.0, "b": [12.0]}
    vector = {"a": 1.0, "b": [10.0]}
    assert hvp(lambda p: p["a"] ** 3 * p["b"][0])({"a": 2.0, "b": [5.0]}, vector) == {"a": 180.0, "b": [12.0]}


# Closures, order, calls.


def test_closures_and_higher_order() -> None:
    a = np.array([1.0, 2.0])
    assert grad(lambda x: grad(lambda y: np.sum(a * y**2 * x))(3.0))(2.0) == 18.0
    f: Callable[..., Any] = lambda x: x**5  # noqa: E731
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        f = grad(f)
        assert f(2.0) == expected
    assert grad(grad(grad(np.tanh)))(0.5) == pytest.approx(-0.5652092882597705, rel=1e-13)
    assert same(elementwise_grad(elementwise_grad(elementwise_grad(lambda x: x**4)))(a), np.array([24.0, 48.0]))


def test_python_control_flow() -> None:
    def f(x: Any, n: int) -> Any:
        return x if n == 0 else (x * f(x, n - 1) if x > 0 else -f(x, n - 1))

    assert grad(f)(2.0, 3) == 32.0
    assert grad(f)(-2.0, 3) == -1.0


@pytest.mark.parametrize("transform", [grad, value_and_grad, elementwise_grad, jacobian, value_and_jacobian, hessian])
def test_the_value_is_computed_once(transform: Any) -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(x)
        return np.sum(x**2)

    x = np.array([1.0, 3.0])
    transform(f)(x)
    assert len(calls) == 1


def test_hvp_computes_the_value_once() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(x)
        return np.sum(x**2)

    hvp(f)(np.ones(2), np.ones(2))
    assert len(calls) == 1


def test_pullback_may_be_called_again() -> None:
    _, pullback = vjp(lambda x: np.sin(x) * x, np.array([1.0, 2.0]))
    first = pullback(np.array([1.0, 0.0]))[0]
    second = pullback(np.array([1.0, 0.0]))[0]
    assert same(first, second)
    assert first is not second


# What a pullback refuses.


@pytest.mark.parametrize(
    ("cotangent", "text"),
    [
        ({"a": 1.0}, "cotangent has the keys ['a'], but must have ['a', 'b']"),
        ([1.0, 2.0], "cotangent is a list, but must be a dict"),
        (1.0, "cotangent is a float, but must be a dict"),
        ({"a": 1.0, "b": (np.ones(2), 1.0)}, "cotangent['b'] has 2 children, but must have 1"),
        ({"a": 1.0, "b": (np.ones(3),)}, "cotangent['b'][0] has shape (3,), but the result has shape (2,)"),
        ({"a": 1.0, "b": (1.0,)}, "cotangent['b'][0] has shape (), but the result has shape (2,)"),
        ({"a": [1.0], "b": (np.ones(2),)}, "cotangent['a'] is a list, but must be a leaf"),
        ({"a": 1j, "b": (np.ones(2),)}, "cotangent['a'] is complex, but the result has dtype float64"),
        ({"a": np.ones(1), "b": (np.ones(2),)}, "cotangent['a'] has shape (1,), but the result has shape ()"),
    ],
)
def test_cotangents_of_a_wrong_form(cotangent: Any, text: str) -> None:
    _, pullback = vjp(lambda x: {"a": x, "b": (x * np.ones(2),)}, 3.0)
    with pytest.raises(TreeError) as error:
        pullback(cotangent)
    assert str(error.value) == text


def test_a_cotangent_is_cast_to_the_dtype_of_the_result() -> None:
    _, pullback = vjp(lambda x: 2 * x, np.ones(2, np.float32))
    for cotangent in (np.ones(2), np.ones(2, int), np.ones(2, np.float32)):
        assert same(pullback(cotangent), (np.full(2, 2, np.float32),))
    _, pullback = vjp(lambda x: 2 * x, 3.0)
    assert pullback(1) == (2.0,)


def test_hvp_refuses_a_vector_of_a_wrong_form() -> None:
    with pytest.raises(TreeError) as error:
        hvp(lambda x: np.sum(x**2))(np.ones(2), (1.0, 2.0))
    assert str(error.value) == "the vector for argument 0 is a tuple, but must be a leaf"
    with pytest.raises(TreeError) as error:
        hvp(lambda x: np.sum(x**2))(np.ones(2), np.ones(3))
    assert str(error.value) == "the vector for argument 0 has shape (3,), but the argument has shape (2,)"


def test_hvp_is_differentiable_in_the_vector() -> None:
    x = np.array([1.0, 3.0])
    product = hvp(lambda x: np.sum(x**3))
    assert same(grad(lambda v: np.sum(product(x, v)))(np.ones(2)), 6 * x)
    assert same(grad(lambda x: np.sum(product(x, np.array([1.0, 2.0]))))(x), np.array([6.0, 12.0]))
