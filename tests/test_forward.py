"""Forward mode: `jvp`, `make_jvp`, `linearize`, `linear_transpose`; rules of an extender; mixes with reverse mode."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import xformad
from xformad import (
    DifferentiationError,
    EscapedTracerError,
    MissingRuleError,
    RuleError,
    TreeError,
    checkpoint,
    grad,
    jacfwd,
    jvp,
    linear_transpose,
    linearize,
    make_jvp,
    scan,
)
from xformad.extend import defjvp, defjvp_joint, defvjp, defvjp_joint, primitive
from xformad.interpreters.vjp_rules import VjpEntry, vjp_rules
from xformad.testing import check_grads

X = np.array([0.5, -1.2, 2.0])
V = np.array([1.0, 0.3, -0.7])


INTEGERS = (
    "argument 0 is an array of dtype int64, which has no derivative; cast it to a floating-point dtype: x.astype(float), "
    "or give None as its tangent"
)


def forward(fun: Any) -> Any:
    """The derivative of a function of a number."""
    return lambda x: jvp(fun, (x,), (1.0,))[1]


def test_value_and_tangent() -> None:
    value, tangent = jvp(lambda x, y: x * np.sin(y), (3.0, 0.5), (1.0, 2.0))
    np.testing.assert_allclose(value, 3 * np.sin(0.5))
    np.testing.assert_allclose(tangent, np.sin(0.5) + 6 * np.cos(0.5))


def test_pytrees() -> None:
    def fun(p: Any) -> Any:
        return {"sum": p["a"] + p["b"][0], "name": "n", "none": None, "count": 3, "product": (p["a"] * p["b"][0],)}

    out, tangent = jvp(fun, ({"a": 2.0, "b": [X]},), ({"b": [V], "a": 1.0},))
    np.testing.assert_array_equal(out["sum"], 2.0 + X)
    np.testing.assert_allclose(tangent["sum"], 1.0 + V)
    np.testing.assert_allclose(tangent["product"][0], X + 2.0 * V)
    assert tangent["name"] is None
    assert tangent["none"] is None
    assert tangent["count"] == 0.0


def test_none_holds_fixed() -> None:
    fun = lambda p, y: p["a"] * p["b"] * y  # noqa: E731
    assert jvp(fun, ({"a": 2.0, "b": 3.0}, 5.0), ({"a": 1.0, "b": None}, None))[1] == 15.0
    assert jvp(fun, ({"a": 2.0, "b": 3.0}, 5.0), (None, 1.0))[1] == 6.0


def test_aux_and_keywords() -> None:
    out, tangent, aux = jvp(lambda x, *, scale: (x * scale, {"x": x}), (2.0,), (1.0,), has_aux=True, scale=3.0)
    assert (out, tangent, aux) == (6.0, 3.0, {"x": 2.0})


def test_make_jvp() -> None:
    product = make_jvp(lambda x, y: x**2 * y, X, 3.0, argnums=(0, "y"))
    value, tangent = product((V, 1.0))
    np.testing.assert_allclose(value, 3 * X**2)
    np.testing.assert_allclose(tangent, 6 * X * V + X**2)
    assert make_jvp(lambda x: (x, 7), 2.0, has_aux=True)(1.0) == (2.0, 1.0, 7)


def test_integers() -> None:
    assert jvp(lambda x: x * x, (3,), (1,)) == (9.0, 6.0)
    assert jvp(lambda p: p["n"] * p["x"], ({"n": 3, "x": 2.0},), ({"n": 0, "x": 1.0},)) == (6.0, 3.0)
    assert jvp(lambda p: p["n"] * p["x"], ({"n": 3, "x": 2.0},), ({"n": 1.0, "x": 0.0},)) == (6.0, 2.0)


def test_derivatives_of_the_tangent_of_a_float_do_not_raise_on_division_by_zero() -> None:
    assert jvp(np.sqrt, (0.0,), (1.0,))[1] == np.inf


@pytest.mark.parametrize(
    ("primals", "tangents", "error", "text"),
    [
        ((X,), (V[:2],), TreeError, "the tangent of argument 0 has shape (2,), but the argument has shape (3,)"),
        (([X],), ([1.0],), TreeError, "the tangent of argument 0[0] has shape (), but the argument has shape (3,)"),
        (({"a": X},), ({"b": V},), TreeError, "the tangent of argument 0 has the keys ['b'], but must have ['a']"),
        ((X,), (V * 1j,), TreeError, "the tangent of argument 0 is complex, but the argument has dtype float64"),
        ((X,), (V, V), TreeError, "jvp was given 1 primals, but 2 tangents"),
        (X, (V,), TreeError, "jvp takes a tuple of primals, one an argument, not ndarray: jvp(f, (x,), (v,))"),
        ((X,), V, TreeError, "jvp takes a tuple of tangents, one an argument, not ndarray: jvp(f, (x,), (v,))"),
        (
            (np.arange(3),),
            (V,),
            DifferentiationError,
            INTEGERS,
        ),
        (("text",), (1.0,), DifferentiationError, "argument 0 is a str, which cannot move; give None as its tangent"),
    ],
)  # fmt: skip
def test_what_is_refused(primals: Any, tangents: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        jvp(lambda x: x, primals, tangents)
    assert str(raised.value) == text


def test_perturbations_are_not_confused() -> None:
    mixes = [(a, b) for a in (forward, grad) for b in (forward, grad)]
    for outer, inner in mixes:
        assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
        assert outer(lambda x, inner=inner: x * inner(lambda y: x * y)(1.0))(4.0) == 8.0
        assert outer(lambda x, inner=inner: inner(lambda y: y * (x - y))(x))(1.0) == -1.0


def test_nested_forward_mode_of_a_user_primitive() -> None:
    @primitive
    def fourth(x: Any) -> Any:
        return x**4

    defvjp(fourth, lambda g, _ans, x: g * 4 * x**3)
    first, second, third = forward(fourth), forward(forward(fourth)), forward(forward(forward(fourth)))
    assert (first(3.0), second(3.0), third(3.0)) == (108.0, 108.0, 72.0)


def test_escaped() -> None:
    kept: list[Any] = []
    jvp(kept.append, (1.0,), (1.0,))
    with pytest.raises(EscapedTracerError, match="traced by jvp of append was used"):
        kept[0] + 1
    with pytest.raises(EscapedTracerError):
        jvp(lambda x: x * kept[0], (1.0,), (1.0,))
    with pytest.raises(EscapedTracerError):
        jvp(lambda x: x, (1.0,), (kept[0],))


def test_primitives_with_vjp_rules_alone_pass_every_check() -> None:
    @primitive
    def weighted(x: Any, y: Any, *, power: int) -> Any:
        return np.sum(x**power * y, axis=-1)

    defvjp(
        weighted,
        lambda g, _ans, x, y, power: g[..., None] * power * x ** (power - 1) * y,
        lambda g, _ans, x, y, power: g[..., None] * x**power,
    )
    check_grads(
        lambda x, y: weighted(x, y, power=3),
        (np.outer([1.0, 2.0], X), np.outer([0.5, 1.0], V)),
        modes=("forward", "reverse"),
    )

    @primitive
    def joint(x: Any, y: Any) -> Any:
        return x * np.exp(y)

    def rule(x: Any, y: Any) -> Any:
        ans = joint(x, y)
        return ans, lambda g: (g * np.exp(y), g * ans)

    defvjp_joint(joint, rule)
    check_grads(joint, (X, V), modes=("forward", "reverse"))


def test_primitives_with_jvp_rules() -> None:
    @primitive
    def product(x: Any, y: Any) -> Any:
        return x * y

    defjvp(product, lambda t, _ans, _x, y: t * y, lambda t, _ans, x, _y: x * t)
    assert jvp(product, (3.0, 5.0), (1.0, 10.0)) == (15.0, 35.0)

    @primitive
    def scaled(x: Any, y: Any) -> Any:
        return x * y

    defjvp(scaled, lambda t, _ans, _x, y: t * y, argnums=(0,))
    assert jvp(scaled, (3.0, 5.0), (1.0, None)) == (15.0, 5.0)
    with pytest.raises(MissingRuleError) as raised:
        jvp(scaled, (3.0, 5.0), (1.0, 1.0))
    assert str(raised.value) == (
        "no jvp rule for primitive 'scaled' with respect to argument 1; add one with xformad.extend.defjvp(scaled, ...)"
    )

    @primitive
    def still(x: Any) -> Any:
        return x * 2

    defjvp_joint(still, lambda tangents, ans, x: None)
    assert jvp(still, (3.0,), (1.0,)) == (6.0, 0.0)


def test_a_primitive_without_rules() -> None:
    @primitive
    def bare(x: Any) -> Any:
        return x

    with pytest.raises(MissingRuleError) as raised:
        jvp(bare, (1.0,), (1.0,))
    assert str(raised.value) == "no vjp rule for primitive 'bare'; add one with xformad.extend.defvjp(bare, ...)"


def test_wrong_rules_are_refused() -> None:
    @primitive
    def double(x: Any) -> Any:
        return 2 * x

    defjvp(double, lambda t, _ans, x: np.sum(t))
    with pytest.raises(RuleError) as raised:
        jvp(double, (X,), (V,))
    assert str(raised.value) == "the jvp rule of primitive 'double' returned shape () for a result of shape (3,)"

    @primitive
    def triple(x: Any) -> Any:
        return 3 * x

    defvjp(triple, lambda g, _ans, x: np.sum(g) * 3)
    with pytest.raises(RuleError) as raised:
        jvp(triple, (X,), (V,))
    assert str(raised.value) == (
        "the vjp rule of primitive 'triple' with respect to argument 0 returned shape () for an argument of shape (3,)"
    )

    @primitive
    def cast(x: Any) -> Any:
        return x * 1

    defjvp(cast, lambda t, _ans, x: t.astype(np.float32))
    with pytest.raises(RuleError) as raised:
        jvp(cast, (X,), (V,))
    assert str(raised.value) == (
        "the jvp rule of primitive 'cast' returned dtype float32 for a result of dtype float64; cast it with .astype"
    )


def test_replacing_the_vjp_rule_replaces_what_is_derived() -> None:
    @primitive
    def power(x: Any) -> Any:
        return x**2

    defvjp(power, lambda g, _ans, x: g * x)
    assert forward(power)(3.0) == 3.0
    vjp_rules.replace(power, VjpEntry({0: lambda g, _ans, x: g * 2 * x}))
    assert forward(power)(3.0) == 6.0


def test_linearize() -> None:
    runs: list[int] = []

    def fun(x: Any, y: Any) -> Any:
        runs.append(1)
        return np.tanh(x) * y, np.sum(x)

    out, linear = linearize(fun, X, 2.0)
    np.testing.assert_allclose(out[0], 2 * np.tanh(X))
    for v in (V, X):
        expected = jvp(fun, (X, 2.0), (v, 0.5))[1]
        for a, b in zip(linear(v, 0.5), expected, strict=True):
            np.testing.assert_allclose(a, b)
    assert len(runs) == 3
    assert repr(linear) == "<linear map of 5 operations>"
    value, linear, aux = linearize(lambda x: (x * x, "aux"), 3.0, has_aux=True)
    assert (value, linear(1.0), aux) == (9.0, 6.0, "aux")
    with pytest.raises(TreeError) as raised:
        linear(V)
    assert str(raised.value) == "tangents[0] has shape (3,), but the argument has shape ()"


def test_derivatives_of_a_linear_map_with_respect_to_the_point() -> None:
    slope = grad(lambda x: linearize(lambda y: y**3, x)[1](1.0))
    assert slope(2.0) == 12.0
    assert forward(lambda x: linearize(lambda y: y**3, x)[1](x))(2.0) == 36.0


def test_linear_transpose() -> None:
    a = np.arange(6.0).reshape(2, 3)
    transposed = linear_transpose(lambda x: {"y": a @ x}, X)
    np.testing.assert_allclose(transposed({"y": np.array([1.0, 10.0])})[0], a.T @ np.array([1.0, 10.0]))
    _, linear = linearize(lambda x: np.sin(x) * np.sum(x), X)
    w = np.array([0.3, 0.1, -2.0])
    np.testing.assert_allclose(np.dot(w, linear(V)), np.dot(linear_transpose(linear, X)(w)[0], V))


def test_where_is_safe() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x, expected in ((0.0, 0.0), (4.0, 0.25)):
            assert forward(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(x) == expected
    root = lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0) * x), x**2)  # noqa: E731
    assert grad(forward(root))(0.0) == 2.0
    safe = lambda x: np.where(x >= 0, x**3, np.sqrt(np.abs(x)))  # noqa: E731
    for second in (grad(forward(safe)), forward(grad(safe)), forward(forward(safe)), grad(grad(safe))):
        assert second(2.0) == 12.0


@pytest.mark.parametrize(
    ("fun", "x", "expected"),
    [
        (np.abs, 0.0, 0.0),
        (lambda x: np.maximum(x, 0.0), 0.0, 0.5),
        (lambda x: np.maximum(x, x), 1.0, 1.0),
        (lambda x: x**0.0, 0.0, 0.0),
        (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
        (lambda x: np.arctan2(x, x * 0.0), 0.0, 0.0),
        (np.sinc, 0.0, 0.0),
        (lambda x: np.max(np.stack([x, x, 0 * x])), 1.0, 1.0),
        (lambda x: np.std(x * np.ones(3)), 1.0, 0.0),
        (lambda x: np.linalg.norm(x * np.ones(3)), 0.0, 0.0),
        (lambda x: np.logaddexp(-np.inf + 0 * x, x), 0.0, 1.0),
        (lambda x: np.prod(x * np.array([1.0, 0.0, 3.0])), 2.0, 0.0),
    ],
)
def test_kinks(fun: Any, x: float, expected: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert forward(fun)(x) == expected


SMOOTH_AT_ZERO: list[Any] = [
    (lambda x: np.linalg.norm(x) ** 2, 2 * np.eye(3)),
    (lambda x: np.linalg.norm(x) * np.linalg.norm(2 * x), 4 * np.eye(3)),
    (lambda x: np.cos(np.linalg.norm(x)), -np.eye(3)),
    (lambda x: np.sum(np.linalg.norm(x[:, None], axis=1) ** 2), 2 * np.eye(3)),
    (lambda x: np.sum(np.abs(x) ** 2), 2 * np.eye(3)),
    (lambda x: np.hypot(x[0], x[1]) ** 2 + x[2] ** 2, 2 * np.eye(3)),
    (lambda x: np.std(x) ** 2, 2 * (np.eye(3) - 1 / 3) / 3),
]


@pytest.mark.parametrize(("fun", "hessian"), SMOOTH_AT_ZERO)
def test_second_derivatives_where_a_norm_is_zero(fun: Any, hessian: Any) -> None:
    zero = np.zeros(3)
    for v in (V, np.array([0.0, 1.0, 0.0])):
        np.testing.assert_allclose(jvp(grad(fun), (zero,), (v,))[1], hessian @ v, atol=1e-12)
        for w in (X, np.array([0.0, 1.0, 0.0])):
            twice = jvp(lambda x, w=w: jvp(fun, (x,), (w,))[1], (zero,), (v,))[1]
            np.testing.assert_allclose(twice, w @ hessian @ v, atol=1e-12)


def test_reverse_over_forward_where_a_norm_is_zero_is_not_silently_wrong() -> None:
    directional = lambda x: jvp(lambda y: np.linalg.norm(y) ** 2, (x,), (V,))[1]  # noqa: E731
    with pytest.warns(RuntimeWarning, match="use forward over reverse") as warned:
        assert np.isnan(grad(directional)(np.zeros(3))).all()
    assert warned[0].filename == __file__
    np.testing.assert_allclose(grad(directional)(X), 2 * V)
    penalty = lambda x: jvp(lambda y: np.sum(np.abs(y)), (x,), (V,))[1]  # noqa: E731
    np.testing.assert_array_equal(grad(penalty)(np.zeros(3)), np.zeros(3))


SYMMETRIC = np.array([[0.3, 1.0, -0.2], [1.0, 0.7, 0.4], [-0.2, 0.4, -0.6]])
DEGENERATE = {
    "identity": np.eye(3),
    "two equal": np.diag([2.0, 1.0, 2.0]),
    "distinct": np.diag([3.0, 1.0, 2.0]),
    "turned": 2.0 * np.eye(3) + np.ones((3, 3)),
}


def rebuilt(a: Any) -> Any:
    w, v = np.linalg.eigh(a)
    return (v * w) @ v.T


def rebuilt_svd(a: Any) -> Any:
    u, s, vh = np.linalg.svd(a)
    return (u * s) @ vh


def root_of_matrix(a: Any) -> Any:
    w, v = np.linalg.eigh(a)
    return (v * np.sqrt(w)) @ v.T


@pytest.mark.parametrize("a", DEGENERATE.values(), ids=DEGENERATE)
def test_equal_eigenvalues_and_singular_values(a: Any) -> None:
    """What a rule of reverse mode cannot know (docs/decisions/0009), a direction tells."""
    np.testing.assert_allclose(jvp(rebuilt, (a,), (SYMMETRIC,))[1], SYMMETRIC, atol=1e-12)
    np.testing.assert_allclose(jvp(rebuilt_svd, (a,), (SYMMETRIC,))[1], SYMMETRIC, atol=1e-12)
    np.testing.assert_allclose(jvp(np.linalg.eigvalsh, (a,), (np.eye(3),))[1], np.ones(3))
    np.testing.assert_allclose(jvp(np.linalg.svdvals, (a,), (np.eye(3),))[1], np.ones(3))
    root, tangent = jvp(root_of_matrix, (a,), (SYMMETRIC,))
    np.testing.assert_allclose(root @ tangent + tangent @ root, SYMMETRIC, atol=1e-12)
    np.testing.assert_allclose(jacfwd(rebuilt)(a), jacfwd(lambda x: 0.5 * (x + x.T))(a), atol=1e-12)
    log_det = lambda a: np.sum(np.log(np.linalg.eigvalsh(a)))  # noqa: E731
    inverse = np.linalg.inv(a)
    product = jvp(grad(log_det), (a,), (SYMMETRIC,))[1]
    np.testing.assert_allclose(product, -inverse @ SYMMETRIC @ inverse, atol=1e-12)


def test_eigenvectors_of_equal_values_have_no_derivative() -> None:
    for part in (lambda a: np.linalg.eigh(a)[1], lambda a: np.linalg.svd(a)[0], lambda a: np.linalg.svd(a)[2]):
        assert np.isnan(jvp(part, (np.eye(3),), (SYMMETRIC,))[1]).any()
    sides = jvp(np.linalg.eigvalsh, (np.eye(2),), (np.diag([1.0, 3.0]),))[1]
    np.testing.assert_allclose(sides, [2.0, 2.0])  # a tie, shared equally


def test_long_chains_do_not_recurse() -> None:
    def chain(x: Any) -> Any:
        for _ in range(100_000):
            x = x + 1e-9
        return x

    assert jvp(chain, (1.0,), (1.0,))[1] == 1.0


def test_exceptions_leave_the_stack_clean() -> None:
    def broken(x: Any) -> Any:
        raise RuntimeError("inner")

    def fun(x: Any) -> Any:
        with pytest.raises(RuntimeError):
            jvp(broken, (x,), (1.0,))
        return x**3

    assert grad(forward(fun))(2.0) == 12.0


def test_types_of_results() -> None:
    value, tangent = jvp(lambda x: x * x, (np.float32(2.0),), (np.float32(1.0),))
    assert (value.dtype, tangent.dtype) == (np.float32, np.float32)
    assert jvp(lambda x: x, (np.zeros((0, 3)),), (np.zeros((0, 3)),))[1].shape == (0, 3)
    holomorphic = jvp(lambda z: z**2, (1 + 2j,), (1j,))
    assert holomorphic == ((1 + 2j) ** 2, 2 * (1 + 2j) * 1j)
    assert jvp(np.real, (1 + 2j,), (3 + 4j,)) == (1.0, 3.0)
    assert xformad.jvp(np.abs, (3 + 4j,), (1j,)) == (5.0, 0.8)


def test_linearize_gives_plain_values_where_an_operation_holds_a_function() -> None:
    """`scan` returns values and tangents together; only the tangents are recorded."""

    def fun(x: Any) -> Any:
        state, rows = scan(lambda total, factor: (total * factor, total), x, np.array([2.0, 3.0]))
        return state + checkpoint(np.sin)(x), rows

    (value, aux), linear = linearize(fun, 0.5)
    assert value == 3.0 + np.sin(0.5)
    np.testing.assert_array_equal(aux, [0.5, 1.0])
    np.testing.assert_allclose(linear(1.0)[0], 6.0 + np.cos(0.5))
    value, linear, aux = linearize(fun, 0.5, has_aux=True)
    np.testing.assert_array_equal(aux, [0.5, 1.0])
