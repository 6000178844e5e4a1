"""Autograd's operators, its NumPy, its tools, and `install`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import pytest

import xformad.compat.autograd.numpy as anp
import xformad.compat.autograd.numpy.random as npr
from xformad.compat.autograd import (
    checkpoint,
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    hessian,
    hessian_vector_product,
    holomorphic_grad,
    install,
    jacobian,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    tensor_jacobian_product,
    uninstall,
    value_and_grad,
    vector_jacobian_product,
)
from xformad.compat.autograd.differential_operators import make_jvp_reversemode
from xformad.compat.autograd.misc import const_graph, flatten
from xformad.compat.autograd.misc.flatten import flatten_func
from xformad.compat.autograd.misc.optimizers import adam, rmsprop, sgd
from xformad.compat.autograd.numpy.linalg import norm
from xformad.compat.autograd.numpy.numpy_wrapper import wrap_namespace
from xformad.compat.autograd.scipy.signal import convolve
from xformad.compat.autograd.test_util import check_grads, check_jvp, check_vjp, combo_check, make_numerical_jvp
from xformad.compat.autograd.util import subval, toposort
from xformad.compat.autograd.wrap_util import unary_to_nary, wraps

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=3)
A = RANDOM.normal(size=(2, 3))


def field(x: Any) -> Any:
    return np.sin(A @ x) * x[0]


# Operators.


def test_what_a_gradient_is_like() -> None:
    assert grad(lambda x: np.sum(x**2))(np.ones(2, np.float32)).dtype == np.float32
    assert type(grad(lambda x: x**2)(3.0)) is np.float64
    assert grad(lambda x: x[0] * x[1][0])([2.0, (3.0,)]) == [3.0, (2.0,)]
    assert grad(lambda x, y: x * y, [0, 1])(2.0, 3.0) == (3.0, 2.0)
    assert grad(lambda x, y: x * y, -1)(2.0, 3.0) == 2.0
    np.testing.assert_array_equal(grad(lambda x: np.sum(x**2))(np.arange(3)), [0.0, 2.0, 4.0])
    assert grad(lambda x: x**2)(3) == 6.0


def test_names() -> None:
    assert grad(field).__name__ == "grad_of_field_wrt_argnum_0"
    assert jacobian(field, 0).__name__ == "jacobian_of_field_wrt_argnum_0"
    assert "of function field with respect to argument number 0" in (grad(field).__doc__ or "")


@pytest.mark.parametrize(
    "out",
    [lambda x: x, lambda x: np.sum(x) * 1j, lambda x: (np.sum(x),)],
    ids=["array", "complex", "tuple"],
)
def test_grad_needs_a_real_scalar(out: Any) -> None:
    words = "Grad only applies to real scalar-output functions. Try jacobian, elementwise_grad or holomorphic_grad."
    with pytest.raises(TypeError, match=words):
        grad(out)(X)
    with pytest.raises(TypeError, match="value_and_grad only applies to real scalar-output"):
        value_and_grad(out)(X)


def test_a_result_of_one_entry_counts_as_a_scalar() -> None:
    np.testing.assert_allclose(grad(lambda x: np.sum(x**2, keepdims=True))(X), 2 * X)
    value, gradient = value_and_grad(lambda x: np.sum(x**2, keepdims=True))(X)
    assert value.shape == (1,)
    np.testing.assert_allclose(gradient, 2 * X)


def test_elementwise_grad_of_complex_results_is_refused() -> None:
    with pytest.raises(TypeError, match="Elementwise_grad only applies to real-output functions"):
        elementwise_grad(lambda x: x * 1j)(X)


def test_a_constant() -> None:
    with pytest.warns(UserWarning, match=r"^Output seems independent of input\.$"):
        assert grad(lambda x: 1.0)(2.0) == 0.0
    with pytest.warns(UserWarning, match=r"^Output seems independent of input\.$"):
        np.testing.assert_array_equal(make_vjp(lambda x: np.ones(2))(X)[0](np.ones(2)), np.zeros(3))


def test_what_cannot_be_differentiated() -> None:
    with pytest.raises(TypeError):
        grad(lambda x: 1.0)("text")
    with pytest.raises(AssertionError):
        grad(lambda x: x, "x")  # type: ignore[arg-type]


def test_products() -> None:
    v, w = RANDOM.normal(size=3), RANDOM.normal(size=2)
    matrix = jacobian(field)(X)
    np.testing.assert_allclose(make_jvp(field)(X)(v)[1], matrix @ v)
    np.testing.assert_allclose(make_jvp_reversemode(field)(X)(v), matrix @ v)
    np.testing.assert_allclose(make_vjp(field)(X)[0](w), w @ matrix)
    np.testing.assert_allclose(tensor_jacobian_product(field)(X, w), w @ matrix)
    np.testing.assert_allclose(make_ggnvp(field)(X)(v), matrix.T @ matrix @ v)
    np.testing.assert_allclose(deriv(field)(X), matrix.sum(1))
    assert vector_jacobian_product is tensor_jacobian_product


def test_second_derivatives() -> None:
    def f(x: Any, y: float) -> Any:
        return np.sum(np.sin(x) * x[::-1] ** 2) * y

    v = RANDOM.normal(size=3)
    matrix = hessian(f)(X, 2.0)
    np.testing.assert_allclose(matrix, jacobian(jacobian(f))(X, 2.0))
    np.testing.assert_allclose(hessian_vector_product(f)(X, 2.0, v), matrix @ v)
    product, gradient = make_hvp(f)(X, 2.0)
    np.testing.assert_allclose(product(v), matrix @ v)
    np.testing.assert_allclose(gradient, grad(f)(X, 2.0))
    assert hessian(field)(X).shape == (2, 3, 3)
    check_grads(f, (0, 1))(X, 2.0)


def test_further_results() -> None:
    gradient, aux = grad_and_aux(lambda x: (np.sum(x**2), {"x": x}))(X)
    np.testing.assert_allclose(gradient, 2 * X)
    np.testing.assert_array_equal(aux["x"], X)


def test_all_arguments_by_name() -> None:
    def f(a: Any, *rest: Any, b: Any = 3.0, **named: Any) -> Any:
        return a * rest[0] * b * named["c"]

    found = multigrad_dict(f)(2.0, 5.0, c=7.0)
    assert found == {"a": 105.0, "rest": (42.0,), "b": 70.0, "named": {"c": 30.0}}


def test_checkpoint() -> None:
    calls = []

    def f(x: Any, y: Any = 2.0) -> Any:
        calls.append(1)
        return np.sum(np.sin(x) * y)

    np.testing.assert_allclose(grad(checkpoint(f))(X), 2 * np.cos(X))
    assert len(calls) == 2


# Complex numbers.


def test_complex_gradients() -> None:
    z = 0.3 - 0.8j
    assert grad(lambda z: np.real(z) ** 2 + 3 * np.imag(z))(1 + 2j) == 2 - 3j
    np.testing.assert_allclose(holomorphic_grad(lambda z: np.exp(z) * z)(z), np.exp(z) * (1 + z))
    np.testing.assert_allclose(grad(np.angle)(z), grad(lambda z: np.arctan2(np.imag(z), np.real(z)))(z))
    assert np.isrealobj(grad(lambda x: np.abs(np.exp(1j * x) + 1))(1.0))
    with pytest.warns(UserWarning, match="Input to holomorphic_grad is not complex"):
        assert holomorphic_grad(lambda x: x**2)(3.0) == 6.0
    vjp, _ = make_vjp(lambda z: z * 2j)(z)
    assert vjp(1.0) == 2j


# NumPy.


def test_lists_of_traced_numbers() -> None:
    def f(x: Any) -> Any:
        parts = [x[0], x[1] ** 2, 3.0]
        return (
            anp.sum(parts)
            + anp.mean(parts) * anp.prod(parts)
            + anp.dot(parts, [1.0, 2.0, 3.0])
            + norm(parts)
            + anp.std(parts)
            + anp.var(parts)
            + anp.max(parts)
        )

    check_grads(f)(np.array([0.5, 1.2, 0.3]))

    def g(x: Any) -> Any:
        return anp.concatenate(each for each in (x, [x[0], x[1]]))

    np.testing.assert_array_equal(jacobian(g)(X), np.vstack([np.eye(3), np.eye(3)[:2]]))
    np.testing.assert_array_equal(anp.vstack([X, X]), np.vstack([X, X]))
    np.testing.assert_array_equal(anp.hstack(np.ones((2, 3))), np.ones(6))


def test_r_and_c() -> None:
    rows = jacobian(lambda x: anp.r_[x, 1.0, x[:1], 0:2])(X)
    np.testing.assert_array_equal(rows, [*np.eye(3), np.zeros(3), np.eye(3)[0], np.zeros(3), np.zeros(3)])
    check_grads(lambda x: anp.c_[x, np.ones(3)])(X)
    check_grads(lambda x: anp.c_[anp.c_[x, x], np.ones((3, 1))])(X)
    np.testing.assert_array_equal(anp.r_[1:4, 5.0], np.r_[1:4, 5.0])
    np.testing.assert_array_equal(anp.c_[X, X], np.c_[X, X])


def test_where() -> None:
    assert anp.where(True, 1.0, 2.0) == 1.0
    assert type(anp.where(True, 1.0, 2.0)) is float
    assert type(anp.where(True, np.ones(2), 2.0)) is np.ndarray
    assert grad(lambda x: anp.where(True, x, 2.0))(3.0) == 1.0
    np.testing.assert_array_equal(
        jacobian(lambda x: anp.where([True, False], [x[0], x[1]], 0.0))(X), [[1, 0, 0], [0, 0, 0]]
    )
    np.testing.assert_array_equal(anp.where(X > 0), np.where(X > 0))
    assert anp.where(False, x=1.0, y=2.0) == 2.0
    with pytest.raises(ValueError, match="either both or neither of x and y should be given"):
        anp.where(True, 1.0)


def test_additions_to_numpy() -> None:
    check_grads(lambda x: anp.full((2, 2), x))(3.0)
    check_grads(lambda x: anp.full(2, x, dtype=float))(3.0)
    np.testing.assert_array_equal(anp.full(2, 1.5), [1.5, 1.5])
    np.testing.assert_array_equal(anp.make_diagonal(X, axis1=-1, axis2=-2), np.diag(X))
    with pytest.raises(NotImplementedError, match="only supports offset=0"):
        anp.make_diagonal(X)
    assert anp.metadata(np.ones(2, complex)) == ((2,), 1, np.dtype(complex), True)
    np.testing.assert_array_equal(anp.concatenate_args(0, X, X), np.concatenate([X, X]))
    np.testing.assert_array_equal(anp.array_from_args((), {"dtype": float}, 1, 2), [1.0, 2.0])
    assert anp.numpy_wrapper.holds_tracer([1.0]) is False
    assert anp.numpy_wrapper.sin is np.sin
    assert anp.__version__ == np.__version__
    space: dict[str, Any] = {}
    wrap_namespace({"f": abs, "g": abs, "pi": 3.14, "name": "text"}, space)
    assert set(space) == {"f", "g", "pi"}
    assert space["f"] is space["g"]


def test_names_of_numpy() -> None:
    assert anp.sin is np.sin
    assert anp.linalg.solve is np.linalg.solve
    assert anp.fft.fft is np.fft.fft
    assert npr.randn is np.random.randn
    for name in ("numpy", "numpy.linalg", "numpy.fft", "numpy.random", "numpy.numpy_wrapper"):
        module = importlib.import_module(f"xformad.compat.autograd.{name}")
        with pytest.raises(AttributeError, match=f"module 'autograd.{name}' has no attribute 'nothing'"):
            module.nothing


@pytest.mark.parametrize("name", ["special", "linalg", "integrate", "signal", "stats", "stats.norm"])
def test_names_of_scipy(name: str) -> None:
    module = importlib.import_module(f"xformad.compat.autograd.scipy.{name}")
    with pytest.raises(AttributeError, match=f"module 'autograd.scipy.{name}' has no attribute 'nothing'"):
        module.nothing


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
def test_convolution(mode: Any) -> None:
    a, b = RANDOM.normal(size=(2, 4, 3)), RANDOM.normal(size=(2, 2, 3))
    for options in ({"axes": ([1], [1])}, {"axes": ([1], [1]), "dot_axes": ([0, 2], [0, 2])}):
        check_grads(lambda a, b, options=options: convolve(a, b, mode=mode, **options), (0, 1), order=1)(a, b)
    x, y = RANDOM.normal(size=5), RANDOM.normal(size=3)
    np.testing.assert_allclose(convolve(x, y, mode=mode), np.convolve(x, y, mode))
    if mode != "same":
        np.testing.assert_allclose(convolve(y, x, mode=mode), np.convolve(y, x, mode))


def test_convolutions_that_are_refused() -> None:
    with pytest.raises(ValueError, match="Mode other undefined"):
        convolve(X, X, mode="other")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="One array must be larger"):
        convolve(np.ones((2, 3)), np.ones((3, 2)), mode="valid")


# Tools.


def test_flatten() -> None:
    value = {"b": [1.0, (np.ones((2, 1)), 2.0)], "a": X}
    vector, unflatten = flatten(value)
    np.testing.assert_array_equal(vector, [*X, 1.0, 1.0, 1.0, 2.0])
    back = unflatten(2 * vector)
    assert list(back) == ["b", "a"]
    assert type(back["b"][1]) is tuple
    np.testing.assert_array_equal(back["b"][1][0], 2 * np.ones((2, 1)))
    np.testing.assert_array_equal(flatten([])[0], [])
    np.testing.assert_array_equal(grad(lambda v: np.sum(flatten(unflatten(v))[0] ** 2))(vector), 2 * vector)
    fun, _, flat = flatten_func(lambda p: {"b": p["b"], "a": p["a"] * 2}, value)
    np.testing.assert_array_equal(fun(flat), [*(2 * X), *flat[3:]])
    assert grad(lambda x: flatten({"x": x, "y": [x]})[0][1])(2.0) == 1.0


@pytest.mark.parametrize(("optimizer", "options"), [(sgd, {}), (rmsprop, {}), (adam, {"step_size": 0.1})])
def test_optimizers(optimizer: Any, options: dict[str, float]) -> None:
    seen = []

    def objective(params: Any, i: int) -> Any:
        return np.sum((params["a"] - 1.0) ** 2) + (params["b"][0] + 2.0) ** 2

    start = {"a": np.zeros(2), "b": [0.0]}
    found = optimizer(grad(objective), start, lambda x, i, g: seen.append((i, set(x), set(g))), 300, **options)
    np.testing.assert_allclose(found["a"], np.ones(2), atol=0.1)
    np.testing.assert_allclose(found["b"][0], -2.0, atol=0.1)
    assert seen[-1] == (299, {"a", "b"}, {"a", "b"})
    optimizer(grad(objective), start, num_iters=1)


def test_const_graph_of_a_constant() -> None:
    with (
        pytest.warns(UserWarning, match="Output seems independent"),
        pytest.raises(ValueError, match="independent of input"),
    ):
        const_graph(lambda x: 1.0)(2.0)


def test_the_checkers() -> None:
    combo_check(np.dot, (0, 1), order=1)([X, A], [X, np.eye(3)])
    combo_check(lambda x, scale: x**2 * scale)([0.5, X], scale=[1.0, 2.0])
    check_vjp(field, X)
    check_jvp(field, X)
    np.testing.assert_allclose(make_numerical_jvp(field, X)(X), make_jvp(field)(X)(X)[1], rtol=1e-6)
    with pytest.raises(AssertionError):
        check_grads(np.sin, modes=["sideways"])(1.0)


def test_wrapping() -> None:
    @unary_to_nary
    def at_twice(fun: Any, x: Any, scale: float = 2.0) -> Any:
        return fun(scale * x)

    assert at_twice(lambda x, y: x - y, 1)(10.0, 3.0) == 4.0
    assert at_twice(lambda x: x, 0, 3.0)(1.0) == 3.0
    assert subval((1, 2), 0, 5) == (5, 2)

    def braces() -> None:
        """{of} {no} {format}"""

    assert wraps(braces, "{missing}")(lambda: 1)() == 1

    class Link:
        def __init__(self, *parents: Any) -> None:
            self.parents = parents

    root = Link()
    left, right = Link(root), Link(root)
    order = list(toposort(Link(left, right)))
    assert order[-1] is root
    assert len(order) == 4


# The drop-in.


def test_install_and_uninstall() -> None:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "autograd"}
    install()
    try:
        install()
        ours = importlib.import_module("autograd")
        assert ours.__name__ == "xformad.compat.autograd"
        assert ours.__spec__ is not None
        assert ours.__spec__.name == "xformad.compat.autograd"
        special = importlib.import_module("autograd.scipy.special")
        assert special.__name__ == "xformad.compat.autograd.scipy.special"
        importlib.import_module("autograd.misc.flatten")
        assert callable(importlib.import_module("autograd.misc").flatten)
        with pytest.raises(ModuleNotFoundError, match=r"autograd\.nothing"):
            importlib.import_module("autograd.nothing")
        assert importlib.import_module("numpy") is np
    finally:
        uninstall()
    uninstall()
    after = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "autograd"}
    assert after == before
