"""`odeint`: against closed forms, differences and loops, in every mix of transformations."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad
from xformad import (
    ArgumentError,
    ConvergenceError,
    DifferentiationError,
    MissingPackageError,
    TreeError,
    derivatives,
    evaluate,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    odeint,
    root,
    trace,
    vmap,
)
from xformad.testing import check_grads

BOTH: Any = ("reverse", "forward")
TIMES = np.array([0.0, 0.4, 1.0])
TIGHT: Any = {"rtol": 1e-12, "atol": 1e-12}


def forward(fun: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a: jvp(fun, (a,), (1.0,))[1]


def decay(y: Any, t: Any, rate: Any) -> Any:
    return -rate * y


def decayed(rate: Any) -> Any:
    """exp(-rate), the rate as an argument."""
    return odeint(decay, 1.0, TIMES, rate, **TIGHT)[-1]


def decayed_by_closure(rate: Any) -> Any:
    """exp(-rate), the rate in a closure."""
    return odeint(lambda y, t: {"y": -rate * y["y"]}, {"y": 1.0}, TIMES, **TIGHT)["y"][-1]


@pytest.mark.parametrize("fun", [decayed, decayed_by_closure])
def test_derivatives_to_third_order_in_every_mix(fun: Callable[..., Any]) -> None:
    assert type(fun(0.5)) is np.float64
    for order in (0, 1, 2, 3):
        mixes: Any = itertools.product((grad, forward), repeat=order)
        for modes in mixes:
            derivative = fun
            for mode in modes:
                derivative = mode(derivative)
            assert derivative(0.5) == pytest.approx((-1) ** order * np.exp(-0.5), rel=1e-10), modes


def test_vmap_in_every_mix() -> None:
    rates = np.array([0.0, 0.5, 2.0])
    expected = np.exp(-rates)
    np.testing.assert_allclose(vmap(decayed)(rates), expected, rtol=1e-11)
    np.testing.assert_allclose(vmap(grad(decayed))(rates), -expected, rtol=1e-10)
    np.testing.assert_allclose(vmap(forward(decayed))(rates), -expected, rtol=1e-10)
    np.testing.assert_allclose(vmap(hessian(decayed))(rates), expected, rtol=1e-9)
    np.testing.assert_allclose(grad(lambda r: np.sum(vmap(decayed)(r)))(rates), -expected, rtol=1e-10)
    np.testing.assert_allclose(hessian(lambda r: np.sum(vmap(decayed)(r)))(rates), np.diag(expected), atol=1e-9)
    table = np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
    np.testing.assert_allclose(vmap(vmap(decayed))(table), np.exp(-table), rtol=1e-11)
    assert vmap(lambda r: odeint(decay, np.ones(2), TIMES, r))(np.zeros(0)).shape == (0, 3, 2)


def oscillator(y: Any, t: Any, frequency: Any) -> Any:
    return {"x": y["v"], "v": -(frequency**2) * y["x"]}


def test_the_harmonic_oscillator() -> None:
    """x = x0 cos(w t) + v0 sin(w t) / w, with respect to everything, against derivatives of the closed form."""

    def integrated(start: Any, times: Any, frequency: Any) -> Any:
        return odeint(oscillator, start, times, frequency, **TIGHT)["x"]

    def closed(start: Any, times: Any, frequency: Any) -> Any:
        angle = frequency * (times - times[0])
        return start["x"] * np.cos(angle) + start["v"] * np.sin(angle) / frequency

    args = ({"x": 1.2, "v": -0.3}, np.array([0.2, 0.5, 3.0, 4.0]), 1.7)
    np.testing.assert_allclose(integrated(*args), closed(*args), atol=1e-10)
    for transform in (jacfwd, jacrev):
        expected = xformad.tree.leaves_of(transform(closed, (0, 1, 2))(*args))
        found = xformad.tree.leaves_of(transform(integrated, (0, 1, 2))(*args))
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-9)
    weights = np.array([0.3, -1.0, 0.5, 2.0])
    expected = hessian(lambda *args: weights @ closed(*args), (0, 1, 2))(*args)
    for outer, inner in itertools.product((jacfwd, jacrev), repeat=2):
        second = outer(inner(lambda *args: weights @ integrated(*args), (0, 1, 2)), (0, 1, 2))(*args)
        for got, want in zip(xformad.tree.leaves_of(second), xformad.tree.leaves_of(expected), strict=True):
            np.testing.assert_allclose(got, want, atol=2e-8)


def lotka_volterra(y: Any, t: Any, p: Any) -> Any:
    prey, predator = y
    return (p["birth"] * prey - p["hunt"] * prey * predator, p["gain"] * prey * predator - p["death"] * predator)


def test_lotka_volterra_against_differences() -> None:
    p = {"birth": 1.1, "hunt": 0.4, "gain": 0.1, "death": 0.4}

    def populations(start: Any, p: Any) -> Any:
        return odeint(lotka_volterra, start, np.array([0.0, 1.0, 2.5]), p, **TIGHT)

    check_grads(populations, ((5.0, 2.0), p), modes=BOTH, order=1)

    def prey(birth: Any) -> Any:
        return populations((5.0, 2.0), {**p, "birth": birth})[0][-1]

    difference = (grad(prey)(1.1 + 1e-4) - grad(prey)(1.1 - 1e-4)) / 2e-4
    mixes: Any = itertools.product((grad, forward), repeat=2)
    for outer, inner in mixes:
        assert outer(inner(prey))(1.1) == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("times", [TIMES, TIMES[::-1], np.array([-1.0, -2.0, -4.0])], ids=str)
def test_times(times: Any) -> None:
    """y = y0 exp((t^2 - t0^2) / 2), with respect to every time, forwards and backwards."""

    def integrated(t: Any) -> Any:
        return odeint(lambda y, t: t * y, 2.0, t, **TIGHT)

    def closed(t: Any) -> Any:
        return 2 * np.exp(0.5 * (t**2 - t[0] ** 2))

    scale = np.max(closed(times))
    np.testing.assert_allclose(integrated(times), closed(times), rtol=1e-9)
    for transform in (jacfwd, jacrev):
        np.testing.assert_allclose(transform(integrated)(times), jacfwd(closed)(times), atol=1e-9 * scale)
    for outer, inner in itertools.product((jacfwd, jacrev), repeat=2):
        np.testing.assert_allclose(outer(inner(integrated))(times), jacfwd(jacfwd(closed))(times), atol=1e-7 * scale)


def test_time_enters_twice() -> None:
    """A time that is an argument as well, and a start that depends on it."""

    def integrated(a: Any) -> Any:
        times = xformad.numpy.array([a, 2 * a, a + 2])
        return odeint(lambda y, t, a: a * t, a**2, times, a, **TIGHT)[-1]

    def closed(a: Any) -> Any:
        return a**2 + 0.5 * a * ((a + 2) ** 2 - a**2)

    for mode in (grad, forward):
        assert mode(integrated)(0.7) == pytest.approx(grad(closed)(0.7), rel=1e-11)
        assert mode(forward(integrated))(0.7) == pytest.approx(grad(grad(closed))(0.7), rel=1e-9)
        assert mode(grad(integrated))(0.7) == pytest.approx(grad(grad(closed))(0.7), rel=1e-9)


def test_vmap_over_each_argument_agrees_with_a_loop() -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(1, 3, size=(4, 2))
    rates = rng.uniform(0.5, 1.5, size=(4, 2))
    times = np.array([[0.0, 1.0], [0.5, 2.0], [1.0, -1.0], [2.0, 2.1]])

    def path(start: Any, times: Any, rates: Any) -> Any:
        return odeint(lambda y, t, r: -r * np.sin(y) * (1 + 0.1 * np.sin(t)) - 0.1 * y[::-1], start, times, rates)

    def total(*args: Any) -> Any:
        return np.sum(path(*args) ** 2)

    for batched in itertools.product((0, None), repeat=3):
        if batched == (None, None, None):
            continue
        data: list[Any] = [starts, times, rates]
        data = [x if axis == 0 else x[0] for x, axis in zip(data, batched, strict=True)]
        gradient = grad(total, argnums=(0, 1, 2))
        for fun in (path, gradient, jacfwd(path, 2)):
            together = xformad.tree.leaves_of(vmap(fun, in_axes=batched)(*data))
            for i in range(4):
                alone = fun(*[x[i] if axis == 0 else x for x, axis in zip(data, batched, strict=True)])
                for got, want in zip(together, xformad.tree.leaves_of(alone), strict=True):
                    np.testing.assert_allclose(got[i], want, atol=1e-6)


def test_the_tolerance_holds_for_each_example() -> None:
    """One fast example among many slow ones gets the tolerance that it would get alone."""
    rates = np.concatenate([np.full(99, 1e-3), [30.0]])
    times = np.linspace(0, 1, 11)
    found = vmap(lambda r: odeint(lambda y, t: np.cos(r * t) * r * y, 1.0, times, rtol=1e-6, atol=1e-9))(rates)
    np.testing.assert_allclose(found, np.exp(np.sin(rates[:, None] * times)), rtol=1e-5)


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_methods(method: str) -> None:
    """Robertson's chemistry for a short time: reverse and forward mode agree, and the sum of the species is constant."""

    def rates(y: Any, t: Any, k: Any) -> Any:
        a, b, c = y
        return xformad.numpy.array([-k[0] * a + k[1] * b * c, k[0] * a - k[1] * b * c - k[2] * b**2, k[2] * b**2])

    def species(k: Any) -> Any:
        return odeint(rates, np.array([1.0, 0.1, 0.0]), np.array([0.0, 0.3]), k, method=method, rtol=1e-7, atol=1e-9)[
            -1
        ]

    k = np.array([0.4, 1.5, 3.0])
    assert np.sum(species(k)) == pytest.approx(1.1, abs=1e-6)
    jacobian = jacfwd(species)(k)
    np.testing.assert_allclose(np.sum(jacobian, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(jacrev(species)(k), jacobian, atol=1e-5)
    step = 1e-3 * np.eye(3)
    differences = np.stack([(species(k + s) - species(k - s)) / 2e-3 for s in step], axis=1)
    np.testing.assert_allclose(jacobian, differences, atol=2e-5)
    np.testing.assert_allclose(vmap(species)(np.stack([k, 2 * k]))[1], species(2 * k), atol=1e-6)


def forgetful(y: Any, t: Any, rate: Any) -> Any:
    """The solution is soon what the cosine makes it, wherever it began."""
    return -rate * (y - np.cos(t))


@pytest.mark.parametrize(("method", "rtol"), [("DOP853", 1e-8), ("Radau", 1e-6)])
def test_stiff_equations_are_integrated_back_in_short_pieces(method: str, rtol: float) -> None:
    """Back in time, errors grow by exp(80) here."""

    def last(rate: Any) -> Any:
        return odeint(forgetful, 2.0, np.array([0.0, 2.0]), rate, method=method, rtol=rtol)[-1]

    def closed(r: Any) -> Any:
        return r * (r * np.cos(2.0) + np.sin(2.0)) / (1 + r**2) + (2 - r**2 / (1 + r**2)) * np.exp(-2 * r)

    for mode in (grad, forward):
        assert mode(last)(40.0) == pytest.approx(grad(closed)(40.0), rel=1e-3)


def test_too_stiff_for_the_adjoint_method() -> None:
    def last(rate: Any) -> Any:
        return odeint(forgetful, 1.0, np.array([0.0, 20.0]), rate, method="LSODA")[-1]

    assert jvp(last, (1e5,), (1e5,))[1] == pytest.approx(-np.sin(20) / 1e5, rel=1e-2)
    with pytest.raises(ConvergenceError) as caught:
        grad(last)(1e5)
    assert str(caught.value) == (
        f"the adjoint method of odeint at {__file__}:{sys._getframe().f_lineno - 2} cannot integrate the state back in "
        "time, not even over 1/4096 of the way between two times: the equation is too stiff for it; use forward mode "
        "(jvp, jacfwd), or give more times"
    )


def test_branches_in_the_function() -> None:
    """A force that acts for a while; the branch on time is that of each evaluation, on the state that of each example."""

    def motion(y: Any, t: Any, force: Any) -> Any:
        return force if t < 1.0 else -y if y > 0 else 0.0 * y

    def last(force: Any) -> Any:
        return odeint(motion, 0.0, np.array([0.0, 1.0, 2.0]), force, options={"max_step": 0.1})[-1]

    forces = np.array([2.0, -3.0])
    np.testing.assert_allclose(vmap(last)(forces), [2 / np.e, -3.0], rtol=1e-4)
    np.testing.assert_allclose(vmap(grad(last))(forces), [1 / np.e, 1.0], rtol=1e-3)


def test_shooting() -> None:
    """A boundary value problem: the initial speed that hits the target, and its derivative. A root of an integral."""

    def speed(target: Any) -> Any:
        def miss(v: Any) -> Any:
            return odeint(oscillator, {"x": 0.0, "v": v}, np.array([0.0, 1.0]), 0.9, **TIGHT)["x"][-1] - target

        return root(miss, 1.0)

    factor = 0.9 / np.sin(0.9)
    assert speed(2.0) == pytest.approx(2 * factor, rel=1e-11)
    for mode in (grad, forward):
        assert mode(speed)(2.0) == pytest.approx(factor, rel=1e-10)


def test_an_implicit_equation_of_motion() -> None:
    """An integral of a root: y' = z, where z^3 + z = a y."""

    def slope(y: Any, t: Any, a: Any) -> Any:
        return root(lambda z: z**3 + z - a * y, y, method="newton")

    check_grads(lambda y, a: odeint(slope, y, np.array([0.0, 0.5]), a, **TIGHT), (1.0, 1.3), modes=BOTH, order=1)


def test_complex_states() -> None:
    def turned(w: Any) -> Any:
        return odeint(lambda y, t: 1j * w * y, 1.0 + 0.0j, TIMES, **TIGHT)

    np.testing.assert_allclose(turned(2.0), np.exp(2j * TIMES), atol=1e-11)
    assert grad(lambda w: np.real(turned(w)[-1]))(2.0) == pytest.approx(-np.sin(2.0), rel=1e-9)
    np.testing.assert_allclose(jacfwd(turned)(2.0), 1j * TIMES * np.exp(2j * TIMES), atol=1e-10)
    rate = 0.3 - 1.0j
    decayed = grad(lambda a: np.real(odeint(lambda y, t: -a * y, 1.0 + 0j, TIMES, **TIGHT)[-1]))(rate)
    assert decayed == pytest.approx(grad(lambda a: np.real(np.exp(-a)))(rate), rel=1e-9)


def test_dtypes_and_shapes() -> None:
    single = odeint(decay, np.ones((2, 3), np.float32), [0, 1], np.float32(0.5))
    assert single.dtype == np.float32
    assert single.shape == (2, 2, 3)
    np.testing.assert_allclose(single[1], np.exp(-0.5), rtol=1e-6)
    gradient = grad(lambda r: np.sum(odeint(decay, np.ones(3, np.float32), [0, 1], r)))(np.float32(0.5))
    assert gradient.dtype == np.float32
    assert odeint(decay, 2, TIMES, 0.0).tolist() == [2.0, 2.0, 2.0]
    assert odeint(decay, np.ones(2), [0.3], 1.0).tolist() == [[1.0, 1.0]]
    assert odeint(lambda y, t: y, np.ones((0, 2)), TIMES).shape == (3, 0, 2)
    assert grad(lambda y: np.sum(odeint(decay, y, [0.3], 1.0)))(2.0) == 1.0


def test_other_transformations() -> None:
    np.testing.assert_allclose(derivatives(decayed, 3)(0.5), np.exp(-0.5) * np.array([1, -1, 1, -1]), rtol=1e-10)
    graph = trace(decayed)(0.5)
    assert evaluate(graph, 2.0) == pytest.approx(np.exp(-2.0))
    assert grad(grad(lambda r: evaluate(graph, r)))(2.0) == pytest.approx(np.exp(-2.0))
    assert linearize(decayed, 0.5)[1](2.0) == pytest.approx(-2 * np.exp(-0.5))
    assert grad(xformad.checkpoint(decayed))(0.5) == pytest.approx(-np.exp(-0.5))


def test_what_the_result_does_not_need_is_not_integrated_back() -> None:
    count = 0

    def counted(y: Any, t: Any) -> Any:
        nonlocal count
        count += 1
        return -y

    counts = []
    for row in (0, 1, -1):
        count = 0
        grad(lambda y, row=row: odeint(counted, y, np.linspace(0, 5, 6))[row])(1.0)
        counts.append(count)
    forward_only = counts[0]
    assert forward_only < counts[1] < counts[2]
    count = 0
    grad(lambda y: np.sum(odeint(counted, y, np.linspace(0, 5, 6))))(1.0)
    assert counts[2] < count  # anew at each of the times


# What is refused.


def test_wrong_times() -> None:
    for times in ([0.0, 1.0, 1.0], [0.0, 2.0, 1.0], [0.0, np.nan]):
        with pytest.raises(ArgumentError) as caught:
            odeint(decay, 1.0, times, 1.0)
        line = f"{__file__}:{sys._getframe().f_lineno - 1}"
        assert (
            str(caught.value) == f"odeint: the times t must rise or fall strictly, but are {np.array(times)} ({line})"
        )
    for wrong, form in ((1.0, "shape () and dtype float64"), (np.ones((2, 2)), "shape (2, 2) and dtype float64")):
        with pytest.raises(ArgumentError) as caught:
            odeint(decay, 1.0, wrong, 1.0)
        assert str(caught.value) == (
            f"odeint: t must be an array of one axis with the times, first that of y0, but has {form}"
        )


def test_wrong_method() -> None:
    with pytest.raises(ArgumentError) as caught:
        odeint(decay, 1.0, TIMES, 1.0, method="dopri5")
    assert str(caught.value) == (
        "odeint: method must be one of ('RK23', 'RK45', 'DOP853', 'Radau', 'BDF', 'LSODA'), not 'dopri5'"
    )


def test_wrong_forms() -> None:
    y0 = {"x": 1.0, "rest": [np.ones(3)]}
    with pytest.raises(TreeError) as caught:
        odeint(lambda y, t: {"x": y["x"], "rest": [y["rest"][0][:2]]}, y0, TIMES)
    line = f"{__file__}:{sys._getframe().f_lineno - 1}"
    assert str(caught.value) == (
        "the result of the function of odeint['rest'][0] is float64[2], but y0['rest'][0] is float64[3]; their shapes must "
        f"be equal ({line})"
    )
    with pytest.raises(TreeError) as caught:
        odeint(lambda y, t: (y["x"], y["rest"]), y0, TIMES)
    assert str(caught.value) == "the result of the function of odeint is a tuple, but must be a dict"
    with pytest.raises(TreeError) as caught:
        odeint(lambda y, t: 1j * y, 1.0, TIMES)
    assert "give a complex y0, or return the real part" in str(caught.value)
    with pytest.raises(DifferentiationError) as refused:
        odeint(lambda y, t: y, {"x": "text"}, TIMES)
    assert str(refused.value) == "y0['x'] is a str, but must be a number or an array of them"


def test_a_solution_that_grows_without_bound() -> None:
    with pytest.raises(ConvergenceError) as caught:
        odeint(lambda y, t: y**2, 1.0, np.array([0.0, 0.5, 2.0]))
    line = f"{__file__}:{sys._getframe().f_lineno - 1}"
    found = str(caught.value)
    assert found.startswith("odeint with method 'DOP853' came no further than the time ")
    assert f"of those asked for at {line}: " in found
    assert found.endswith(
        "The solution grows without bound, the function has a singularity or returns NaN, or the equation is stiff: then "
        "use method='Radau', 'BDF' or 'LSODA'"
    )
    assert caught.value.evaluations > 0
    with pytest.raises(ConvergenceError):
        odeint(lambda y, t: y * np.nan, 1.0, TIMES)


class Holder:
    value: Any = None


HOLDER = Holder()


def test_a_traced_value_that_is_not_found() -> None:
    def solution(rate: Any) -> Any:
        HOLDER.value = rate
        return odeint(lambda y, t: -HOLDER.value * y, 1.0, TIMES)[-1]

    for derivative in (grad, forward):
        with pytest.raises(DifferentiationError, match="pass it as an argument"):
            derivative(solution)(2.0)


def test_missing_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(MissingPackageError) as caught:
        odeint(decay, 1.0, TIMES, 1.0)
    assert str(caught.value) == "odeint needs SciPy; install it with: pip install 'xformad[scipy]'"
