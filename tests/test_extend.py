"""Extending xformad: primitives of one's own, their rules, and an interpreter of one's own."""

from __future__ import annotations

import inspect
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import (
    ConcretizationError,
    MissingRuleError,
    RuleError,
    elementwise_grad,
    grad,
    hessian,
    jacobian,
    operations,
    vjp,
)
from xformad.core.dispatch import UFUNCS
from xformad.core.typing import Params, Value
from xformad.extend import (
    Interpreter,
    Primitive,
    RuleTable,
    Tracer,
    defbatch,
    deflinear,
    defvjp,
    defvjp_joint,
    defvjp_variadic,
    primitive,
    primitive_of,
    primitives,
    user_line,
)
from xformad.testing import check_grads

# The two programs of the introduction.


def test_logistic_regression() -> None:
    def sigmoid(x: Any) -> Any:
        return 0.5 * (xnp.tanh(x / 2.0) + 1.0)

    def logistic_predictions(weights: Any, inputs: Any) -> Any:
        return sigmoid(xnp.dot(inputs, weights))

    inputs = np.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
    targets = np.array([True, True, False, True])

    def training_loss(weights: Any) -> Any:
        predictions = logistic_predictions(weights, inputs)
        label_probabilities = predictions * targets + (1 - predictions) * (1 - targets)
        return -xnp.sum(xnp.log(label_probabilities))

    training_gradient = grad(training_loss)
    weights = np.array([0.0, 0.0, 0.0])
    assert training_loss(weights) == pytest.approx(4 * np.log(2))
    for _ in range(100):
        weights -= training_gradient(weights) * 0.01
    assert training_loss(weights) == pytest.approx(1.067270675787016, rel=1e-6)
    check_grads(training_loss, (weights,), order=3)


@primitive
def logsumexp(x: Any) -> Any:
    """The logarithm of the sum of exponentials."""
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


defvjp(logsumexp, lambda g, ans, x: g * np.exp(x - ans))


def test_logsumexp() -> None:
    def example(y: Any) -> Any:
        z = y**2
        return logsumexp(z)

    x = np.array([1.5, 6.7, 1e-10])
    weights = np.exp(x**2 - logsumexp(x**2))
    np.testing.assert_allclose(grad(example)(x), weights * 2 * x, rtol=1e-12)
    assert grad(lambda x: logsumexp(x**2))(np.arange(3.0)).round(8).tolist() == [0.0, 0.09322525, 3.74495821]
    check_grads(example, (np.array([0.5, 1.0, -0.3]),), order=3)


def test_logsumexp_in_nested_derivatives() -> None:
    def outer(y: Any) -> Any:
        return grad(lambda x: logsumexp(x * y))(np.ones(3)) @ np.arange(3.0)

    step = 1e-6
    difference = (outer(2.0 + step) - outer(2.0 - step)) / (2 * step)
    assert grad(outer)(2.0) == pytest.approx(difference, rel=1e-8)
    assert grad(lambda y: grad(lambda x: logsumexp(x * y))(np.ones(3)) @ np.arange(3.0))(2.0) == pytest.approx(1.0)

    def weighted(y: Any) -> Any:
        return grad(lambda x: logsumexp(x * y))(np.array([0.1, 0.5, 0.2])) @ np.arange(3.0)

    difference = (weighted(2.0 + step) - weighted(2.0 - step)) / (2 * step)
    assert grad(weighted)(2.0) == pytest.approx(difference, rel=1e-8)
    x = np.arange(3.0)
    p = np.exp(x - logsumexp(x))
    np.testing.assert_allclose(hessian(logsumexp)(x), np.diag(p) - np.outer(p, p), rtol=1e-13)


def test_a_primitive_is_called_as_its_function() -> None:
    assert logsumexp.__name__ == "logsumexp"
    assert logsumexp.__doc__ == "The logarithm of the sum of exponentials."
    assert logsumexp(np.zeros(2)) == np.log(2)
    assert repr(logsumexp) == "<Primitive logsumexp>"
    assert list(inspect.signature(logsumexp).parameters) == ["x"]
    assert isinstance(logsumexp, Primitive)


def test_inside_of_a_primitive_is_not_traced() -> None:
    seen: list[Any] = []

    @primitive
    def half(x: Any) -> Any:
        seen.append(type(x))
        return float(x) / 2

    defvjp(half, lambda g, _ans, _x: g / 2)
    assert grad(half)(3.0) == 0.5
    assert seen == [float]


def test_a_module_level_primitive_pickles() -> None:
    assert pickle.loads(pickle.dumps(logsumexp)) is logsumexp
    assert pickle.loads(pickle.dumps(grad(logsumexp)))(np.zeros(2)).tolist() == [0.5, 0.5]


# defvjp.


def scaled_power() -> Any:
    return primitive(lambda x, y, n=1.0: x**n * y)


def test_argnums_and_none() -> None:
    f = scaled_power()
    defvjp(f, lambda g, _ans, x, _y, n=1.0: g * x**n, argnums=[1])
    assert grad(f, 1)(3.0, 5.0) == 3.0
    assert grad(f, 1)(3.0, 5.0, n=2.0) == 9.0
    with pytest.raises(MissingRuleError) as error:
        grad(f)(3.0, 5.0)
    name = f.name
    assert str(error.value) == (
        f"no vjp rule for primitive '{name}' with respect to argument 0; add one with xformad.extend.defvjp({name}, ...)"
    )
    f = scaled_power()
    defvjp(f, None, lambda g, _ans, x, _y, n=1.0: g * x**n)
    assert grad(lambda x, y: f(x, y) + x, argnums=(0, 1))(3.0, 5.0) == (1.0, 3.0)
    assert grad(lambda x: f(x, 5.0) + x)(3.0) == 1.0
    f = scaled_power()
    defvjp(
        f,
        lambda g, _ans, x, _y, n=1.0: g * x**n,
        lambda g, _ans, x, y, n=1.0: g * n * x ** (n - 1) * y,
        argnums=(1, 0),
    )
    assert grad(f, argnums=(0, 1))(3.0, 5.0, n=2.0) == (30.0, 9.0)


def test_missing_rule() -> None:
    @primitive
    def hypot3(x: Any, y: Any, z: Any) -> Any:
        return np.sqrt(x**2 + y**2 + z**2)

    with pytest.raises(MissingRuleError) as error:
        grad(hypot3)(1.0, 2.0, 3.0)
    assert str(error.value) == "no vjp rule for primitive 'hypot3'; add one with xformad.extend.defvjp(hypot3, ...)"
    assert isinstance(error.value, NotImplementedError)
    assert hypot3(1.0, 2.0, 2.0) == 3.0
    defvjp(hypot3, lambda g, ans, x, _y, _z: g * x / ans, lambda g, ans, _x, y, _z: g * y / ans)
    assert grad(hypot3, argnums=(0, 1))(1.0, 2.0, 2.0) == (1 / 3, 2 / 3)
    with pytest.raises(MissingRuleError) as error:
        grad(hypot3, argnums=(0, 2))(1.0, 2.0, 3.0)
    assert str(error.value) == (
        "no vjp rule for primitive 'hypot3' with respect to argument 2; add one with xformad.extend.defvjp(hypot3, ...)"
    )


def test_duplicate_rules_are_refused() -> None:
    refused: list[Callable[[], None]] = [
        lambda: defvjp(logsumexp, lambda g, _ans, _x: g),
        lambda: deflinear(logsumexp, lambda g, _ans, _x: g),
        lambda: defvjp_joint(logsumexp, lambda x: (x, lambda g: (g,))),
        lambda: defvjp_variadic(logsumexp, lambda i, g, _ans, *_args: g),
    ]
    for again in refused:
        with pytest.raises(ValueError) as error:
            again()
        assert str(error.value) == (
            "primitive 'logsumexp' already has a vjp rule; "
            "call the table's replace(primitive, rule) to put another in its place"
        )


def test_number_of_rules_and_argnums() -> None:
    f = primitive(lambda x, y: x)
    f.name = "first"
    with pytest.raises(ValueError) as error:
        defvjp(f, lambda g, _ans, _x, _y: g, argnums=(0, 1))
    assert str(error.value) == "defvjp(first): 1 rules for 2 argnums"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (lambda g: 1.0, "returned shape () for an argument of shape (3,)"),
        (lambda g: np.ones(2), "returned shape (2,) for an argument of shape (3,)"),
        (lambda g: np.ones((1, 3)), "returned shape (1, 3) for an argument of shape (3,)"),
        (lambda g: g.astype(np.float32), "returned dtype float32 for an argument of dtype float64; cast it with .astype"),
        (lambda g: 1j * g, "returned dtype complex128 for an argument of dtype float64; cast it with .astype"),
        (lambda g: None, "returned None; return a cotangent of shape (3,)"),
    ],
)  # fmt: skip
def test_wrong_results_of_a_rule(result: Callable[[Any], Any], text: str) -> None:
    second = Primitive("second", lambda x, y: y * 1.0)
    defvjp(second, None, lambda g, _ans, _x, _y: result(g))
    with pytest.raises(RuleError) as error:
        grad(lambda y: np.sum(second.bind(2.0, y)))(np.ones(3))
    assert str(error.value) == f"the vjp rule of primitive 'second' with respect to argument 1 {text}"
    assert isinstance(error.value, ValueError)


def test_wrong_result_where_an_argument_occurs_twice() -> None:
    second = Primitive("second", lambda x, y: x * y)
    defvjp(second, lambda g, _ans, _x, y: g * y, lambda g, _ans, x, _y: 1.0)
    with pytest.raises(RuleError, match=r"with respect to argument 1 returned shape \(\)"):
        grad(lambda x: np.sum(second.bind(x, x)))(np.ones(3))


def test_python_numbers_are_scalars_of_any_dtype() -> None:
    f = primitive(lambda x: x * 2)
    defvjp(f, lambda g, _ans, _x: 2.0)
    g = grad(f)(np.float32(3.0))
    assert g == 2.0
    assert type(g) is np.float32


def test_what_a_rule_does_not_need_is_a_shape_and_a_dtype() -> None:
    f = primitive(lambda x, y: np.sum(x) * y)
    seen: list[Any] = []

    def rule(g: Any, _ans: Any, _x: Any, y: Any) -> Any:
        seen.append((_x.shape, _x.dtype, _x.ndim, _x.size))
        return np.full(_x.shape, 1.0) * g * y

    defvjp(f, rule, argnums=[0])
    assert grad(f)(np.ones((2, 3)), 4.0).tolist() == [[4.0] * 3] * 2
    assert seen == [((2, 3), np.dtype(float), 2, 6)]


def test_parameters_by_keyword() -> None:
    f = scaled_power()
    defvjp(f, lambda g, _ans, x, y, n=1.0: g * n * x ** (n - 1) * y, lambda g, _ans, x, _y, n=1.0: g * x**n)
    assert grad(lambda x: f(x, 5.0, n=2.0))(3.0) == 30.0
    assert grad(lambda x: f(x, y=5.0, n=2.0))(3.0) == 30.0
    assert grad(lambda x: f(y=x, x=3.0, n=2.0))(5.0) == 9.0
    assert grad(lambda x: f(y=5.0, x=x, n=2.0))(3.0) == 30.0

    @primitive
    def named(x: Any, *, scale: Any) -> Any:
        return x * scale

    defvjp(named, lambda g, _ans, _x, scale: g * scale)
    assert grad(lambda x: named(x, scale=2.0))(3.0) == 2.0
    with pytest.raises(ConcretizationError) as error:
        grad(lambda x: named(3.0, scale=x))(2.0)
    assert str(error.value) == (
        "primitive 'named' takes 'scale' by keyword only, so it cannot be traced; make it positional"
    )


# Linear, joint, variadic, multiple.


def test_linear() -> None:
    reverse = primitive(lambda x: np.array(x)[::-1])
    deflinear(reverse, lambda g, _ans, _x: reverse(g))
    defbatch(reverse, lambda size, batched, x: np.flip(x, 1))
    assert jacobian(reverse)(np.ones(2)).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert jacobian(jacobian(lambda x: reverse(x) ** 2))(np.ones(2)).shape == (2, 2, 2)
    check_grads(lambda x: reverse(x) * x, (np.arange(3.0),), order=3)


def test_joint() -> None:
    runs: list[str] = []

    def both(x: Any, y: Any) -> Any:
        runs.append("forward")
        product = x * y

        def pullback(g: Any) -> Any:
            runs.append("backward")
            return g * y, g * x

        return product, pullback

    product = primitive(lambda x, y: x * y)
    defvjp_joint(product, both)
    assert grad(product, argnums=(0, 1))(2.0, 3.0) == (3.0, 2.0)
    assert runs == ["forward", "backward"]
    assert grad(product)(2.0, 3.0) == 3.0
    assert grad(product, 1)(2.0, 3.0) == 2.0
    assert grad(grad(lambda x: product(x, x * x)))(2.0) == 12.0
    check_grads(lambda x, y: product(x, y) * x, (np.array([1.0, 2.0]), np.array([0.5, 3.0])), order=3)


def test_joint_rule_with_a_zero() -> None:
    first = primitive(lambda x, y: x * 1.0)
    defvjp_joint(first, lambda x, y: (x * 1.0, lambda g: (g, None)))
    assert grad(lambda x, y: first(x, y) * y, argnums=(0, 1))(2.0, 3.0) == (3.0, 2.0)


def test_wrong_result_of_a_joint_rule() -> None:
    f = Primitive("product", lambda x, y: x * y)
    defvjp_joint(f, lambda x, y: (x * y, lambda g: (g * y, np.ones(2))))
    with pytest.raises(RuleError) as error:
        grad(lambda x, y: np.sum(f.bind(x, y)), argnums=(0, 1))(np.ones(3), np.ones(3))
    assert str(error.value) == (
        "the vjp rule of primitive 'product' with respect to argument 1 returned shape (2,) for an argument of shape (3,)"
    )


def test_variadic() -> None:
    total = primitive(lambda *xs: sum(i * x for i, x in enumerate(xs)))
    defvjp_variadic(total, lambda i, g, _ans, *_xs: g * i)
    assert grad(total, argnums=(0, 1, 3))(1.0, 1.0, 1.0, 1.0) == (0.0, 1.0, 3.0)
    assert grad(lambda x: total(x, x, x * x))(3.0) == 13.0
    product = primitive(lambda *xs: np.prod(xs))
    defvjp_variadic(product, lambda i, g, _ans, *xs: g * product(*xs[:i], *xs[i + 1 :]))
    assert grad(product, argnums=(0, 1, 2))(2.0, 3.0, 5.0) == (15.0, 10.0, 6.0)
    assert grad(grad(product), 2)(2.0, 3.0, 5.0) == 3.0


def sine_and_cosine() -> Primitive:
    """A primitive with two results."""
    both = Primitive("sine_and_cosine", lambda x: (np.sin(x), np.cos(x)), multiple=True)
    defvjp(both, lambda g, ans, _x: g[0] * ans[1] - g[1] * ans[0])
    return both


def test_multiple_results() -> None:
    both = sine_and_cosine()
    x = 0.5
    assert grad(lambda x: both.bind(x)[0])(x) == np.cos(x)
    assert grad(lambda x: both.bind(x)[1])(x) == -np.sin(x)
    assert grad(lambda x: both.bind(x)[0] * both.bind(x)[1])(x) == pytest.approx(np.cos(2 * x))
    s, c = jacobian(lambda x: both.bind(x))(x)
    assert (s, c) == (np.cos(x), -np.sin(x))
    a = np.array([0.5, 1.0])
    np.testing.assert_allclose(elementwise_grad(lambda x: both.bind(x)[0])(a), np.cos(a))


def test_multiple_results_by_a_joint_rule() -> None:
    both = Primitive("both", lambda x: (np.sin(x), np.cos(x)), multiple=True)

    def joint(x: Any) -> Any:
        s, c = np.sin(x), np.cos(x)
        return (s, c), lambda g: (g[0] * c - g[1] * s,)

    defvjp_joint(both, joint)
    check_grads(lambda x: both.bind(x)[0] * 2 + both.bind(x)[1] ** 2, (np.array([0.3, 1.0]),), order=3)


def test_multiple_results_to_second_order() -> None:
    both = sine_and_cosine()
    assert grad(grad(lambda x: both.bind(x)[0]))(0.5) == pytest.approx(-np.sin(0.5))
    check_grads(lambda x: both.bind(x)[0] * both.bind(x)[1] ** 2, (np.array([0.3, 1.0]),), order=3)


def test_custom_derivative() -> None:
    """A rule may say something else than the derivative: a gradient that is clipped, a straight-through estimate."""
    clipped = primitive(lambda x: x)
    defvjp(clipped, lambda g, _ans, _x: np.clip(g, -1.0, 1.0))
    assert grad(lambda x: 100.0 * clipped(x))(2.0) == 1.0
    steps = primitive(np.round)
    defvjp(steps, lambda g, _ans, _x: g)
    assert grad(lambda x: steps(x) ** 2)(2.6) == 6.0


# An interpreter of one's own: it counts operations, by a table that says what they cost.

costs: RuleTable[Callable[..., int]] = RuleTable("cost", "defcost")


class Counting(Interpreter):
    """Runs a program one level below and counts."""

    name = "counting"

    def __init__(self, default: int | None) -> None:
        super().__init__()
        self.default = default
        self.counted: Counter[str] = Counter()

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if primitive in costs or self.default is None:
            self.counted[primitive.name] += costs[primitive](*args, **params)
        else:
            self.counted[primitive.name] += self.default
        values = [arg.value if type(arg) is Tracer and arg.interpreter is self else arg for arg in args]
        return Tracer(self, primitive.bind(*values, **params), None)


def count(fun: Callable[..., Any], default: int | None = 1) -> Callable[..., Any]:
    def counted(*args: Any) -> Any:
        with Counting(default) as interpreter:
            out = fun(*(Tracer(interpreter, arg, None) for arg in args))
            value = out.value if type(out) is Tracer and out.interpreter is interpreter else out
        return value, dict(interpreter.counted)

    return counted


def test_interpreter_of_ones_own() -> None:
    value, counted = count(lambda x: np.sin(x) * x + np.sin(2.0))(2.0)
    assert value == np.sin(2.0) * 2.0 + np.sin(2.0)
    assert counted == {"sin": 1, "multiply": 1, "add": 1}
    assert count(lambda x: logsumexp(x * x))(np.ones(3))[1] == {"multiply": 1, "logsumexp": 1}


def test_interpreter_of_ones_own_nests() -> None:
    def f(x: Any) -> Any:
        return x * x * x

    assert grad(lambda x: count(f)(x)[0])(2.0) == 12.0
    assert grad(grad(lambda x: count(f)(x)[0]))(2.0) == 12.0
    value, counted = count(grad(f))(2.0)
    assert value == 12.0
    assert counted["multiply"] == 6
    assert count(lambda x: f(x) if x == 2 else x)(2.0)[1] == {"equal": 1, "multiply": 2}
    assert grad(lambda x: count(grad(lambda y: y * y * x))(x)[0])(3.0) == 12.0


def test_rule_table_of_ones_own() -> None:
    product = Primitive("product", lambda a, b: a @ b)
    with pytest.raises(MissingRuleError) as error:
        count(product.bind, None)(np.ones((2, 3)), np.ones((3, 4)))
    assert str(error.value) == "no cost rule for primitive 'product'; add one with defcost(product, ...)"
    costs[product] = lambda a, b: 2 * a.shape[0] * a.shape[1] * b.shape[1]
    assert count(product.bind, None)(np.ones((2, 3)), np.ones((3, 4)))[1] == {"product": 48}
    assert product in costs
    assert len(costs) == 1
    assert list(costs) == [product]
    assert costs.coverage() == ["product"]
    assert repr(costs) == "<RuleTable of 1 cost rules>"
    with pytest.raises(ValueError, match="primitive 'product' already has a cost rule"):
        costs[product] = lambda a, b: 0
    costs.replace(product, lambda a, b: 1)
    assert count(product.bind, None)(np.ones((2, 3)), np.ones((3, 4)))[1] == {"product": 1}


def test_vjp_of_a_primitive_with_a_nontrivial_cotangent() -> None:
    _, pullback = vjp(logsumexp, np.zeros(2))
    assert pullback(3.0)[0].tolist() == [1.5, 1.5]


def test_primitive_of() -> None:
    assert primitive_of(np.sin).name == "sin"
    assert primitive_of("sin") is primitive_of(np.sin)
    assert primitive_of("sum").name == "sum"
    assert primitive_of(logsumexp) is logsumexp
    wrong: list[tuple[Any, str]] = [(np.mean, "mean"), ("sine", "sine"), (np.sum, "sum")]
    for operation, name in wrong:
        with pytest.raises(ValueError) as error:
            primitive_of(operation)
        assert str(error.value) == (
            f"'{name}' is neither a ufunc nor the name of a primitive; print(xformad.trace(fun)(x)) shows the primitives "
            "that a function is composed of, and xformad.extend.primitives() lists all"
        )


def test_names_of_primitives() -> None:
    """The names tell xformad's primitives apart, and leave out those of the user."""
    found = primitives()
    assert set(UFUNCS.values()) <= set(found.values())
    assert all(each.name == name for name, each in found.items())
    assert "logsumexp" not in found
    everything = [
        value for module in vars(operations).values() if inspect.ismodule(module) for value in vars(module).values()
    ]
    for each in everything:
        if isinstance(each, Primitive):
            assert found[each.name] is each
    found.clear()
    assert primitives()


def test_owns() -> None:
    with Counting(1) as first, Counting(1) as second:
        x = Tracer(first, 1.0, None)
        assert first.owns(x)
        assert not second.owns(x)
        assert not first.owns(1.0)


class Remembering(Interpreter):
    """Writes down the user's line, asked for in a method and in a function that it calls."""

    name = "remembering"
    carries = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        self.lines += [user_line(), asked_by_a_rule()]
        return Tracer(self, primitive.bind(*[x.value if self.owns(x) else x for x in args], **params), None)


def asked_by_a_rule() -> str:
    return user_line()


def numbers_of(lines: list[str]) -> list[int]:
    assert {line.rpartition(":")[0] for line in lines} == {__file__}
    return [int(line.rpartition(":")[2]) for line in lines]


def test_the_users_line_is_not_the_interpreters() -> None:
    def fun(x: Any) -> Any:
        y = np.sin(x)
        return y * 2.0

    start = fun.__code__.co_firstlineno
    with Remembering() as outer, Remembering() as inner:
        x = Tracer(inner, Tracer(outer, 2.0, None), None)
        fun(x)
        assert numbers_of(inner.lines) == [start + 1, start + 1, start + 2, start + 2]
        assert numbers_of(outer.lines) == numbers_of(inner.lines)
        outer.lines.clear()
        here = inspect.currentframe()
        assert here is not None
        line = here.f_lineno + 1
        grad(lambda y: fun(y) * x)(3.0)
    assert set(numbers_of(outer.lines)) == {line}


def test_a_hidden_helper_is_not_the_users_line() -> None:
    def helper(fun: Any, x: Any) -> Any:
        __tracebackhide__ = True
        return grad(fun)(x)

    with Remembering() as interpreter:
        x = Tracer(interpreter, 2.0, None)
        here = inspect.currentframe()
        assert here is not None
        line = here.f_lineno + 1
        helper(np.sin, x)
    assert set(numbers_of(interpreter.lines)) == {line}


def test_what_an_interpreter_carries() -> None:
    with Remembering() as interpreter:
        x = Tracer(interpreter, 2.0, None)
        with pytest.raises(ConcretizationError) as error:
            float(x)
    assert "would drop the memory of a value traced by remembering; " in str(error.value)
    assert str(error.value).endswith("to drop the memory on purpose, write float(xformad.value_of(x))")
