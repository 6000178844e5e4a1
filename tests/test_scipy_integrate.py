"""`xformad.scipy.integrate`: SciPy's values, and derivatives against closed forms and differences, in every mode."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate

import xformad
from xformad import (
    ArgumentError,
    ConvergenceError,
    DifferentiationError,
    UnsupportedError,
    derivatives,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    vmap,
)
from xformad.scipy.integrate import (
    cumulative_trapezoid,
    fixed_quad,
    odeint,
    quad,
    simpson,
    solve_ivp,
    trapezoid,
)
from xformad.testing import check_grads

BOTH: Any = ("reverse", "forward")
TIMES = np.array([0.0, 0.4, 1.0, 1.5])
TIGHT: Any = {"rtol": 1e-10, "atol": 1e-10}


def forward(fun: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a: jvp(fun, (a,), (1.0,))[1]


def pendulum(y: Any, t: Any, friction: Any, force: Any) -> Any:
    return [y[1], -friction * y[1] - force * np.sin(y[0])]


def swapped(t: Any, y: Any, friction: Any, force: Any) -> Any:
    return pendulum(y, t, friction, force)


def test_odeint_has_scipys_values() -> None:
    start = [3.0, 0.1]
    for options in ({}, {"rtol": 1e-5, "atol": 1e-7}, {"hmax": 0.05}, {"mxstep": 5000}):
        expected = scipy.integrate.odeint(pendulum, start, TIMES, (0.25, 5.0), **options)
        np.testing.assert_array_equal(odeint(pendulum, start, TIMES, (0.25, 5.0), **options), expected)
        found = xformad.make_vjp(lambda b, o=options: odeint(pendulum, start, TIMES, (b, 5.0), **o), 0.25)[1]
        np.testing.assert_array_equal(found, expected)
        found = xformad.make_vjp(lambda b, o=options: odeint(swapped, start, TIMES, (b, 5.0), tfirst=True, **o), 0.25)[
            1
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    single = xformad.make_vjp(lambda a: odeint(lambda y, t, a: -a * y, 1, TIMES, a), 0.5)[1]
    np.testing.assert_array_equal(single, scipy.integrate.odeint(lambda y, t, a: -a * y, 1, TIMES, (0.5,)))
    back, _ = odeint(pendulum, start, TIMES, (0.25, 5.0), full_output=True)
    assert back.shape == (4, 2)


def test_odeint_with_respect_to_all() -> None:
    """The initial values, the times, the arguments, and what the function closes over."""

    def fun(start: Any, times: Any, friction: Any, force: Any) -> Any:
        return odeint(lambda y, t, b: pendulum(y, t, b, force), start, times, (friction,), **TIGHT)[1:]

    check_grads(fun, (np.array([1.0, 0.1]), TIMES, 0.3, 2.0), order=1, modes=BOTH, rtol=1e-4, atol=1e-5)


def decayed(rate: Any) -> Any:
    return solve_ivp(lambda t, y: -rate * y, (0.0, 1.0), [1.0], "DOP853", [1.0], **TIGHT).y[0, 0]


def decayed_by_odeint(rate: Any) -> Any:
    return odeint(lambda y, t: -rate * y, [1.0], [0.0, 1.0], **TIGHT)[1, 0]


def decayed_by_quad(rate: Any) -> Any:
    """exp(-rate) = 1 - rate * integral of exp(-rate x)."""
    return 1 - rate * quad(lambda x, a: np.exp(-a * x), 0.0, 1.0, rate)[0]


@pytest.mark.parametrize("fun", [decayed, decayed_by_odeint, decayed_by_quad])
def test_derivatives_in_every_mix_and_vmap(fun: Callable[..., Any]) -> None:
    for order in (1, 2, 3) if fun is decayed_by_quad else (1, 2):
        mixes: Any = itertools.product((grad, forward), repeat=order)
        for modes in mixes:
            derivative = fun
            for mode in modes:
                derivative = mode(derivative)
            assert derivative(0.5) == pytest.approx((-1) ** order * np.exp(-0.5), rel=1e-7), modes
    rates = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(vmap(fun)(rates), np.exp(-rates), rtol=1e-8)
    np.testing.assert_allclose(vmap(grad(fun))(rates), -np.exp(-rates), rtol=1e-7)
    np.testing.assert_allclose(hessian(lambda r: np.sum(vmap(fun)(r)))(rates), np.diag(np.exp(-rates)), atol=1e-7)
    np.testing.assert_allclose(derivatives(fun, 2)(0.5), np.exp(-0.5) * np.array([1, -1, 1]), rtol=1e-7)


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_solve_ivp_has_scipys_values(method: str) -> None:
    for asked in (None, TIMES, TIMES[1:3], [0.0], [1.5]):
        start, span = [3.0, 0.1], (0.0, 1.5)
        expected = scipy.integrate.solve_ivp(swapped, span, start, method, asked, args=(0.25, 5.0), max_step=0.5)

        def run(b: Any, asked: Any = asked) -> Any:
            found = solve_ivp(swapped, (0.0, 1.5), [3.0, 0.1], method, asked, args=(b, 5.0), max_step=0.5)
            return found.t, found.y, found.success

        times, states, success = xformad.make_vjp(run, 0.25)[1]
        assert success
        np.testing.assert_allclose(times, expected.t, rtol=1e-12)
        if method in ("RK23", "RK45", "DOP853"):
            np.testing.assert_allclose(states, expected.y, rtol=1e-12)
        np.testing.assert_allclose(states, expected.y, rtol=1e-2, atol=1e-3)
        again = solve_ivp(swapped, span, start, method, asked, args=(0.25, 5.0), max_step=0.5)
        np.testing.assert_array_equal(again.y, expected.y)


def of_span(span: Any, start: Any, friction: Any) -> Any:
    """At times between those of the span."""
    return solve_ivp(swapped, span, start, "DOP853", [0.5, 1.0], args=(friction, 2.0), **TIGHT).y


def of_times(times: Any, start: Any, friction: Any) -> Any:
    """The first time is the beginning of the span."""
    return solve_ivp(swapped, (times[0], 2.0), start, "DOP853", times, args=(friction, 2.0), **TIGHT).y


def of_ends(span: Any, start: Any, friction: Any) -> Any:
    """At the end of the span, the steps in between are the integrator's."""
    found = solve_ivp(swapped, span, start, "DOP853", args=(friction, 2.0), **TIGHT)
    return found.y[:, -1], found.y[:, 0], found.t[-1], found.t[0]


@pytest.mark.parametrize("fun", [of_span, of_times, of_ends])
def test_solve_ivp_with_respect_to_all(fun: Any) -> None:
    first = np.array([0.1, 1.7]) if fun is not of_times else np.array([0.1, 0.7, 1.5])
    check_grads(fun, (first, np.array([1.0, 0.1]), 0.3), order=1, modes=BOTH, rtol=1e-5, atol=1e-6)


def test_the_first_time_and_the_beginning_of_the_span_are_two() -> None:
    """y(t; s) with y(s) = 1 is exp(-(t - s)), also where t = s."""

    def fun(s: Any, t: Any) -> Any:
        return solve_ivp(lambda t, y: -y, (s, 1.0), [1.0], "DOP853", np.stack([t]), **TIGHT).y[0, 0]

    assert fun(0.0, 0.0) == 1.0
    np.testing.assert_allclose(jacrev(fun, argnums=(0, 1))(0.0, 0.0), [1.0, -1.0], rtol=1e-8)
    np.testing.assert_allclose(hessian(fun, argnums=0)(0.0, 0.0), 1.0, rtol=1e-8)
    np.testing.assert_allclose(grad(grad(fun, argnums=0), argnums=1)(0.0, 0.0), -1.0, rtol=1e-8)


def test_solve_ivp_of_complex_states() -> None:
    def turned(rate: Any) -> Any:
        return solve_ivp(lambda t, y: 1j * rate * y, (0, 1), [1.0 + 0j], "DOP853", [1.0], **TIGHT).y[0, 0]

    assert jvp(turned, (0.7,), (1.0,))[1] == pytest.approx(1j * np.exp(0.7j), rel=1e-9)


def test_what_is_refused_of_equations() -> None:
    run: Any = lambda **options: grad(  # noqa: E731
        lambda a: np.sum(solve_ivp(lambda t, y: -a * y, (0, 1), [1.0], **options).y)
    )
    with pytest.raises(UnsupportedError) as raised:
        run(dense_output=True)(1.0)
    assert str(raised.value).startswith(
        "scipy.integrate.solve_ivp with dense_output= is not supported on traced values ("
    )
    assert str(raised.value).endswith("); give the times at which you need the state as t_eval")
    with pytest.raises(UnsupportedError, match="find the time of the event on plain values, then solve for it with"):
        run(events=lambda t, y: y[0])(1.0)
    with pytest.raises(UnsupportedError, match="takes one tolerance for all components"):
        run(atol=[1e-3])(1.0)
    with pytest.raises(UnsupportedError, match="with lband= is not supported"):
        run(lband=1)(1.0)
    with pytest.raises(UnsupportedError, match="without t_eval returns as many states as it takes steps, which differ"):
        vmap(run())(np.ones(2))
    with pytest.raises(ArgumentError, match="solve_ivp: method must be one of"):
        run(method="Euler")(1.0)
    with pytest.raises(UnsupportedError, match="odeint with full_output= is not supported"):
        grad(lambda a: np.sum(odeint(lambda y, t: -a * y, 1.0, TIMES, full_output=True)[0]))(1.0)
    with pytest.raises(UnsupportedError, match=r"integrate up to each of these times"):
        grad(lambda a: np.sum(odeint(lambda y, t: -a * y, 1.0, TIMES, tcrit=[1.0])))(1.0)
    with pytest.raises(
        ConvergenceError, match=r"odeint with method 'odeint' came no further than the time 0.4 of those"
    ):
        grad(lambda a: np.sum(odeint(lambda y, t: a * y**2, 1.0, TIMES)))(1.2)


def test_quad_has_scipys_values() -> None:
    cases: list[tuple[Any, Any, Any, dict[str, Any]]] = [
        (lambda x, a: np.exp(-a * x * x), 0.0, np.inf, {}),
        (lambda x, a: np.exp(-a * x * x), -np.inf, np.inf, {"epsabs": 1e-12}),
        (lambda x, a: np.abs(x - 0.3) ** a, 0, 1, {"points": [0.3]}),
        (lambda x, a: np.cos(a * x), 1.0, -1.0, {"limit": 100}),
        (lambda x, a: a, 0, 2, {}),
    ]
    for fun, low, high, options in cases:
        expected: Any = scipy.integrate.quad(fun, low, high, (0.7,), **options)
        assert quad(fun, low, high, (0.7,), **options) == expected
        found: list[Any] = []

        def value(a: Any, fun: Any = fun, ends: Any = (low, high), options: Any = options, found: Any = found) -> Any:
            both = quad(fun, ends[0], ends[1], (a,), **options)
            found.append(both[1])
            return both[0]

        assert xformad.make_vjp(value, 0.7)[1] == expected[0]
        assert type(found[0]) is np.float64
        assert found[0] == expected[1]
    assert quad(lambda x: x, 0, 1, full_output=True)[2]["neval"] == 21


def test_quad_with_respect_to_limits_arguments_and_closures() -> None:
    def fun(a: Any, b: Any, p: Any, q: Any) -> Any:
        return quad(lambda x, p: np.sin(p["a"] * x) * np.sum(q * x) + p["b"][1] * x, a, b, (p,))[0]

    args = (0.2, 1.7, {"a": 1.3, "b": np.array([0.3, 0.4])}, np.array([0.5, 0.2, 0.1]))
    check_grads(fun, args, order=2, modes=BOTH)
    assert grad(lambda b: quad(lambda x: np.exp(-x), b, np.inf)[0])(0.5) == -np.exp(-0.5)
    infinite = grad(lambda a, b: quad(lambda x: np.exp(-a * x), 0.0, b)[0], argnums=(0, 1))(2.0, np.inf)
    np.testing.assert_allclose(infinite, [-0.25, 0.0])
    assert grad(lambda a: quad(lambda x: np.abs(x - a), 0.0, 1.0, points=[xformad.value_of(a)])[0])(
        0.3
    ) == pytest.approx(-0.4)

    def double(a: Any) -> Any:
        return quad(lambda y: quad(lambda x: np.exp(a * x * y), 0.0, y)[0], 0.0, 1.0)[0]

    check_grads(double, (0.7,), order=1, modes=BOTH)
    np.testing.assert_allclose(jacfwd(double)(0.7), jacrev(double)(0.7), rtol=1e-10)


def test_vmap_of_quad_is_a_loop() -> None:
    def fun(b: Any, p: Any) -> Any:
        return quad(lambda x: np.exp(-p * x), 0.0, b)[0]

    limits, rates = np.array([0.5, 1.0, np.inf]), np.array([0.3, 1.0, 2.0])
    np.testing.assert_allclose(
        vmap(fun)(limits, rates), [fun(*each) for each in zip(limits, rates, strict=True)], rtol=1e-12
    )
    np.testing.assert_allclose(
        vmap(grad(fun, argnums=1))(limits, rates),
        [grad(fun, argnums=1)(*each) for each in zip(limits, rates, strict=True)],
        rtol=1e-12,
    )
    np.testing.assert_allclose(vmap(lambda p: quad(lambda x: x * p, 0.0, 2.0))(rates)[0], 2 * rates)
    assert vmap(fun)(np.zeros(0), np.zeros(0)).shape == (0,)


def test_what_is_refused_of_quad() -> None:
    run: Any = lambda **options: grad(lambda a: quad(lambda x: a * x, 0.0, 1.0, **options)[0])(1.0)  # noqa: E731
    with pytest.raises(UnsupportedError, match=r"quad with weight= is not supported on traced values .* by the weight"):
        run(weight="cos", wvar=1.0)
    with pytest.raises(UnsupportedError, match="quad with full_output="):
        run(full_output=True)
    with pytest.raises(UnsupportedError, match="quad with complex_func="):
        run(complex_func=True)
    with pytest.raises(DifferentiationError, match="quad needs an integrand with a real number as result"):
        grad(lambda a: quad(lambda x: np.stack([a, x]), 0.0, 1.0)[0])(1.0)
    with pytest.raises(DifferentiationError, match="integrate each component, and the real and the imaginary part"):
        grad(lambda a: quad(lambda x: a * 1j, 0.0, 1.0)[0])(1.0)
    with pytest.raises(ValueError, match="only available for finite limits"):
        fixed_quad(np.cos, 0.0, np.inf)


def test_fixed_quad() -> None:
    for n in (1, 5, 9):
        assert fixed_quad(np.exp, 0.3, 1.1, n=n)[0] == pytest.approx(
            scipy.integrate.fixed_quad(np.exp, 0.3, 1.1, n=n)[0], rel=1e-14
        )
    check_grads(lambda a, b, p: fixed_quad(lambda x, p: np.exp(p * x), a, b, (p,))[0], (0.2, 1.3, 0.7), modes=BOTH)


Y = np.random.default_rng(3).normal(size=(6, 5))
X = np.cumsum(np.random.default_rng(4).uniform(0.5, 1.5, size=(6, 5)), axis=0)


@pytest.mark.parametrize("name", ["trapezoid", "cumulative_trapezoid", "simpson"])
def test_samples(name: str) -> None:
    own: Any = {"trapezoid": trapezoid, "cumulative_trapezoid": cumulative_trapezoid, "simpson": simpson}[name]
    its = getattr(scipy.integrate, name)
    for count in (2, 3, 4, 5, 6):
        y, x = Y[:count], X[:count]
        for options in ({}, {"dx": 0.3}, {"axis": 0}, {"x": x, "axis": 0}, {"x": x[:, 0], "axis": 0}):
            expected = its(y, **options)
            np.testing.assert_allclose(own(y, **options), expected, rtol=1e-13)
            found = xformad.make_vjp(lambda y, o=options: own(y, **o), y)[1]
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        check_grads(lambda y, x: own(y, x=x, axis=0), (y, x[:, 0]), order=1, modes=BOTH)
        check_grads(lambda y, dx: own(y, dx=dx), (y, 0.3), order=1, modes=BOTH)
    with pytest.raises(ValueError, match="length of x along axis must be the same as y"):
        grad(lambda y: np.sum(own(y, x=np.arange(4.0))))(Y)


def test_cumulative_trapezoid_from_zero() -> None:
    check_grads(lambda y: cumulative_trapezoid(y, initial=0), (Y,), order=1, modes=BOTH)
    found = xformad.make_vjp(lambda y: cumulative_trapezoid(y, initial=0, axis=0), Y)[1]
    np.testing.assert_allclose(found, scipy.integrate.cumulative_trapezoid(Y, initial=0, axis=0), rtol=1e-13)
    with pytest.raises(ValueError, match="`initial` must be `None` or `0`"):
        grad(lambda y: np.sum(cumulative_trapezoid(y, initial=1.0)))(Y)
