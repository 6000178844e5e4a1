"""`custom_vjp` and `custom_jvp`: one rule in every mode; pytrees; arguments that are not differentiated; misuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xformad
from tests.test_control_flow import agree
from xformad import (
    MissingRuleError,
    RuleError,
    TreeError,
    UnsupportedError,
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    jvp,
    vmap,
)
from xformad.testing import check_grads

X = np.array([0.3, -0.7, 1.1])


@custom_vjp
def by_vjp(p: Any, y: Any) -> Any:
    return {"out": np.sin(p["a"]) * y, "count": 3, "name": "n"}


def forward(p: Any, y: Any) -> Any:
    return by_vjp(p, y), (p["a"], {"y": y}, "static")


def backward(residuals: Any, g: Any) -> Any:
    a, rest, static = residuals
    assert static == "static"
    assert g["name"] is None
    assert g["count"] == 0.0
    return {"a": g["out"] * np.cos(a) * rest["y"], "b": None}, np.sum(g["out"] * np.sin(a))


by_vjp.defvjp(forward, backward)


@custom_jvp
def by_jvp(p: Any, y: Any) -> Any:
    return {"out": np.sin(p["a"]) * y, "count": 3, "name": "n"}


@by_jvp.defjvp
def rule(primals: Any, tangents: Any) -> Any:
    (p, y), (dp, dy) = primals, tangents
    tangent = np.cos(p["a"]) * dp["a"] * y + np.sin(p["a"]) * dy
    return by_jvp(p, y), {"out": tangent, "count": None, "name": None}


@pytest.mark.parametrize("fun", [by_vjp, by_jvp], ids=["vjp", "jvp"])
def test_every_mode_and_pair_of_modes(fun: Any) -> None:
    agree(
        lambda x: np.sum(fun({"a": x, "b": 2.0}, x[0])["out"] ** 2),
        lambda x: np.sum((np.sin(x) * x[0]) ** 2),
        X,
    )
    check_grads(lambda a, y: fun({"a": a, "b": 1}, y)["out"], (X, 2.0), modes=("forward", "reverse"))
    out = fun({"a": X, "b": 2.0}, 3.0)
    assert (out["count"], out["name"]) == (3, "n")
    np.testing.assert_allclose(grad(lambda y: np.sum(fun(y=y, p={"a": X, "b": 0})["out"]))(2.0), np.sum(np.sin(X)))


def test_the_rule_is_what_counts() -> None:
    @custom_vjp
    def clipped(x: Any) -> Any:
        return x * 1.0

    clipped.defvjp(lambda x: (x * 1.0, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    assert grad(lambda x: clipped(x) ** 2)(3.0) == 1.0
    np.testing.assert_array_equal(vmap(grad(lambda x: clipped(x) ** 2))(np.array([3.0, 0.1])), [1.0, 0.2])

    @custom_jvp
    def straight(x: Any) -> Any:
        return np.round(x)

    straight.defjvp(lambda primals, tangents: (straight(*primals), tangents[0]))
    for transform in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]):
        np.testing.assert_allclose(transform(lambda x: straight(x) ** 2)(2.6), 6.0)
    assert xformad.derivatives(lambda x: straight(x) * x, 2)(2.6)[1] == 5.6


def test_arguments_that_are_not_differentiated() -> None:
    options = {"scale": 2.0, "name": "text"}
    makers: Any = (custom_vjp, custom_jvp)
    for make in makers:
        kinds: list[Any] = []

        def scaled(fun: Any, x: Any, options: Any = None) -> Any:
            return fun(x) * options["scale"]

        apply = make(nondiff_argnums=(0, 2))(scaled)

        if make is custom_vjp:

            def ahead(fun: Any, x: Any, options: Any, apply: Any = apply) -> Any:
                return apply(fun, x, options), x

            def back(fun: Any, options: Any, x: Any, g: Any, kinds: Any = kinds) -> Any:
                kinds.append(options)
                return (g * grad(fun)(x) * options["scale"],)

            apply.defvjp(ahead, back)
        else:

            def along(
                fun: Any, options: Any, primals: Any, tangents: Any, kinds: Any = kinds, apply: Any = apply
            ) -> Any:
                kinds.append(options)
                (x,), (t,) = primals, tangents
                return apply(fun, x, options), grad(fun)(x) * t * options["scale"]

            apply.defjvp(along)
        np.testing.assert_allclose(grad(lambda x, apply=apply: apply(np.sin, x, options))(0.5), 2 * np.cos(0.5))
        np.testing.assert_allclose(
            hessian(lambda x, apply=apply: apply(np.sin, x, options=options))(0.5), -2 * np.sin(0.5)
        )
        assert kinds[0] is options


def test_what_is_the_same_for_all_examples_gets_the_sum() -> None:
    @custom_vjp
    def product(w: Any, x: Any) -> Any:
        return w @ x

    product.defvjp(lambda w, x: (w @ x, (w, x)), lambda r, g: (g * r[1], g * r[0]))
    xs = np.stack([X, 2 * X])
    np.testing.assert_allclose(grad(lambda w: np.sum(vmap(product, in_axes=(None, 0))(w, xs)))(X), 3 * X)
    np.testing.assert_allclose(vmap(grad(product), in_axes=(None, 0))(X, xs), xs)


def test_methods_pickles_and_repr() -> None:
    class Model:
        @custom_vjp
        def energy(self, x: Any) -> Any:
            return x**2

    Model.energy.defvjp(lambda self, x: (x**2, x), lambda x, g: (None, 2 * g * x))
    assert Model().energy(3.0) == 9.0
    assert repr(by_vjp) == "<custom_vjp function by_vjp>"
    assert by_vjp.__name__ == "by_vjp"


def test_misuse() -> None:
    @custom_vjp
    def without(x: Any) -> Any:
        return x

    with pytest.raises(MissingRuleError) as missing:
        grad(without)(1.0)
    assert str(missing.value) == (
        "custom_vjp function without has no rule; add one with without.defvjp(forward, backward)"
    )

    @custom_jvp
    def ruleless(x: Any) -> Any:
        return x

    with pytest.raises(MissingRuleError) as missing:
        grad(ruleless)(1.0)
    assert str(missing.value) == "custom_jvp function ruleless has no rule; add one with ruleless.defjvp(rule)"

    def wrong(forward: Any, backward: Any) -> Any:
        @custom_vjp
        def f(x: Any) -> Any:
            return {"y": 2 * x["a"]}

        f.defvjp(forward, backward)
        return grad(lambda x: np.sum(f({"a": x})["y"]))

    ahead = lambda x: ({"y": 2 * x["a"]}, None)  # noqa: E731
    back = "the backward function of custom_vjp f"
    single = X.astype(np.float32)
    cases: list[Any] = [
        (lambda x: x, lambda _, g: None, RuleError, "the forward function of custom_vjp f must return a pair"),
        (ahead, lambda _, g: ({"a": 1.0},), RuleError, f"{back} returned shape () for argument 0['a'] of shape (3,)"),
        (
            ahead,
            lambda _, g: ({"a": single},),
            RuleError,
            f"{back} returned dtype float32 for argument 0['a'] of dtype ",
        ),
        (
            ahead,
            lambda _, g: ({"b": X},),
            TreeError,
            f"what {back} returned for argument 0 has the keys ['b'], but must",
        ),
        (
            ahead,
            lambda _, g: X,
            RuleError,
            f"{back} must return a tuple of 1 cotangents, one a differentiated argument",
        ),
    ]
    for forward, backward, error, text in cases:
        with pytest.raises(error) as raised:
            wrong(forward, backward)(X)
        assert text in str(raised.value)

    @custom_jvp
    def bent(x: Any) -> Any:
        return 2 * x

    bent.defjvp(lambda primals, tangents: (2 * primals[0], np.sum(tangents[0])))
    with pytest.raises(RuleError) as raised:
        jvp(bent, (X,), (X,))
    assert str(raised.value) == "the rule of custom_jvp bent returned shape () for the result of shape (3,)"


class Box:
    w: Any = None


def test_closures_over_traced_values_are_refused() -> None:
    box = Box()

    def outer(w: Any) -> Any:
        box.w = w

        @custom_vjp
        def seen(x: Any) -> Any:
            return x * w

        @custom_vjp
        def hidden(x: Any) -> Any:
            return x * box.w

        for f in (seen, hidden):
            f.defvjp(lambda x, f=f: (f.fun(x), None), lambda _, g: (g,))
            with pytest.raises(UnsupportedError, match="uses a traced value that is none of its arguments"):
                f(w * 2)
        return w

    grad(outer)(3.0)
