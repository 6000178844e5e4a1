"""`xformad.scipy.optimize`: SciPy gets exact derivatives of functions of pytrees, and its results become trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import xformad
import xformad.scipy.optimize as own
from xformad import ArgumentError, DifferentiationError, TreeError, UnsupportedError, grad, jvp
from xformad.scipy.optimize import Bounds, Progress, curve_fit, least_squares, minimize

GRADIENTS = ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP"]
HESSIANS = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-exact", "dogleg", "trust-constr"]
COBYQA = ["COBYQA"] if "COBYQA" in (scipy.optimize.minimize.__doc__ or "") else []  # since SciPy 1.14
VALUES = ["Nelder-Mead", "Powell", "COBYLA", *COBYQA]
START: Any = {"a": np.array([0.9, 1.2]), "b": (1.1,)}


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def of_tree(p: Any, shift: float = 0.0) -> Any:
    """Least, zero, at ones."""
    return rosenbrock(np.concatenate([p["a"], np.reshape(p["b"][0], (1,))]) - shift)


@pytest.mark.parametrize("method", [None, *GRADIENTS, *HESSIANS])
def test_minimum_of_a_function_of_a_tree(method: str | None) -> None:
    found = minimize(of_tree, START, method=method, tol=1e-9)
    np.testing.assert_allclose(found.x["a"], np.ones(2), rtol=1e-4)
    assert found.x["b"][0] == pytest.approx(1.0, rel=1e-4)
    assert type(found.x["b"][0]) is np.float64
    gradient = grad(of_tree)(found.x)
    shown = found.grad if method == "trust-constr" else found.jac
    np.testing.assert_allclose(shown["a"], gradient["a"], atol=1e-5)  # Newton-CG gives that before the last step
    assert shown["b"][0] == pytest.approx(gradient["b"][0], abs=1e-5)


@pytest.mark.parametrize("method", VALUES)
def test_methods_without_derivatives(method: str) -> None:
    found = minimize(lambda p: np.sum((p["x"] - 1.0) ** 2), {"x": np.zeros(2)}, method=method)
    np.testing.assert_allclose(found.x["x"], np.ones(2), atol=1e-2)


@pytest.mark.parametrize("method", [*GRADIENTS, *HESSIANS])
def test_arrays_take_the_way_that_scipy_takes_with_derivatives(method: str) -> None:
    start = np.array([0.9, 1.2, 1.1])
    of_scipy = {"jac": grad(rosenbrock)}
    if method in HESSIANS:
        of_scipy["hess"] = xformad.hessian(rosenbrock)
    expected = scipy.optimize.minimize(rosenbrock, start, method=method, **of_scipy)
    found = minimize(rosenbrock, start, method=method)
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-7)
    assert found.nit == expected.nit
    assert found.success


def test_value_and_gradient_come_from_one_run() -> None:
    runs = []

    def counted(x: Any) -> Any:
        runs.append(1)
        return rosenbrock(x)

    found = minimize(counted, np.array([0.9, 1.2, 1.1]), method="L-BFGS-B")
    assert len(runs) == found.nfev


def test_arguments_lists_and_numbers() -> None:
    assert minimize(lambda x, a, b: (x - a) ** 2 + b, 0.0, (3.0, 1.0)).x == pytest.approx(3.0)
    assert minimize(lambda x, a: (x - a) ** 2, 0, 3.0).x == pytest.approx(3.0)
    found = minimize(lambda x, a: np.sum((x - a) ** 2), [0, 0], (np.array([1.0, 2.0]),)).x
    np.testing.assert_allclose(found, [1.0, 2.0])
    found = minimize(lambda x: np.sum(x[0] ** 2) + x[1] ** 2, [np.ones(2), 1.0]).x
    assert type(found) is list
    assert found[0].shape == (2,)
    assert minimize(rosenbrock, np.array([0.9, 1.2]), callback=None, options={"maxiter": 1}).nit == 1


def test_single_precision_stays_and_is_searched_in_double() -> None:
    start = {"x": np.full(2, 0.5, np.float32)}
    kinds = []

    def fun(p: Any) -> Any:
        kinds.append(p["x"].dtype)
        return rosenbrock(p["x"])

    found = minimize(fun, start, tol=1e-10)
    assert found.x["x"].dtype == found.jac["x"].dtype == np.float32
    np.testing.assert_allclose(found.x["x"], np.ones(2), rtol=1e-6)
    assert set(kinds) == {np.dtype(float)}


@pytest.mark.parametrize("method", ["L-BFGS-B", "TNC", "SLSQP", "trust-constr", "Nelder-Mead"])
def test_bounds_of_trees(method: str) -> None:
    bounds = Bounds({"a": np.array([2.0, -np.inf]), "b": None}, {"a": None, "b": (-1.0,)})
    found = minimize(
        lambda p: np.sum(p["a"] ** 2) + p["b"][0] ** 2,
        {"a": np.full(2, 3.0), "b": (-3.0,)},
        method=method,
        bounds=bounds,
    )
    np.testing.assert_allclose(found.x["a"], [2.0, 0.0], atol=2e-3)
    assert found.x["b"][0] == pytest.approx(-1.0, abs=2e-3)


def test_bounds_as_scipy_takes_them() -> None:
    def square(p: Any) -> Any:
        return np.sum(p["a"] ** 2)

    for bounds in ([(1, 2), (None, -1)], scipy.optimize.Bounds([1, -np.inf], [2, -1])):
        np.testing.assert_allclose(minimize(square, {"a": np.array([1.5, -3.0])}, bounds=bounds).x["a"], [1.0, -1.0])
    found = minimize(square, {"a": np.array([1.5, 3.0])}, bounds=Bounds(1.0)).x
    np.testing.assert_allclose(found["a"], [1.0, 1.0])


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "COBYLA", *COBYQA])
def test_constraints_of_trees(method: str) -> None:
    """The largest box of surface 6 is the unit cube."""
    sides: Any = {"x": 0.7, "y": 1.5, "z": 1.2}

    def surface(p: Any) -> Any:
        return {"surface": 2 * (p["x"] * p["y"] + p["y"] * p["z"] + p["z"] * p["x"])}

    def volume(p: Any) -> Any:
        return -p["x"] * p["y"] * p["z"]

    limit = scipy.optimize.NonlinearConstraint(surface, -np.inf, {"surface": 6.0})
    found = minimize(volume, sides, method=method, constraints=limit, bounds=Bounds(0.1, 5.0))
    for side in found.x.values():
        assert side == pytest.approx(1.0, abs=1e-3)


def test_constraints_as_dicts_and_matrices() -> None:
    def square(p: Any) -> Any:
        return p["x"] ** 2 + p["y"] ** 2

    equation: Any = {"type": "eq", "fun": lambda p, total: p["x"] + p["y"] - total, "args": (2.0,)}
    found = minimize(square, {"x": 3.0, "y": 0.0}, constraints=[equation])
    assert found.x["x"] == pytest.approx(1.0)
    assert found.nit < 5
    matrix = scipy.optimize.LinearConstraint([[1.0, 1.0]], 2.0, 2.0)
    assert minimize(square, {"x": 3.0, "y": 0.0}, constraints=matrix).x["x"] == pytest.approx(1.0)


def test_constraints_get_exact_derivatives() -> None:
    """trust-constr asks for the Jacobian and for the Hessian of a combination: differences would show in their number."""
    runs = []

    def circle(p: Any) -> Any:
        runs.append(type(p["x"]))
        return p["x"] ** 2 + p["y"] ** 2

    limit = scipy.optimize.NonlinearConstraint(circle, -np.inf, 1.0)
    found = minimize(
        lambda p: p["x"] + p["y"], {"x": 0.0, "y": 0.1}, method="trust-constr", constraints=limit, tol=1e-10
    )
    assert found.x["x"] == pytest.approx(-np.sqrt(0.5), rel=1e-5)
    assert float in runs or np.float64 in runs
    assert xformad.core.primitive.Tracer in runs


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-constr", "Nelder-Mead"])
def test_progress_tells_of_every_iteration(method: str) -> None:
    told: list[Progress] = []
    seen: list[Any] = []

    def callback(x: Any, *state: Any) -> None:
        assert len(state) == (method == "trust-constr")
        seen.append(x)

    found = minimize(of_tree, START, method=method, progress=told.append, callback=callback)
    assert [each.iteration for each in told] == list(range(1, len(told) + 1))
    assert len(told) == len(seen) >= found.nit - 1
    for each, x in zip(told, seen, strict=True):
        assert each.value == of_tree(each.x)
        np.testing.assert_array_equal(each.x["a"], x["a"])
        gradient = grad(of_tree)(each.x)
        norm = np.sqrt(np.sum(gradient["a"] ** 2) + gradient["b"][0] ** 2)
        if method == "Nelder-Mead":
            assert np.isnan(each.gradient_norm)
        else:
            assert each.gradient_norm == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "TNC", "trust-exact", "Powell"])
def test_progress_ends_the_search(method: str) -> None:
    def until(progress: Progress) -> None:
        if progress.iteration == 2:
            raise StopIteration

    found = minimize(of_tree, START, method=method, progress=until)
    assert found.status == 99
    assert not found.success
    assert found.message == "`callback` raised `StopIteration`."
    assert found.fun == pytest.approx(of_tree(found.x))


def test_callback_gets_intermediate_results() -> None:
    told = []

    def callback(intermediate_result: Any) -> None:
        told.append(intermediate_result)

    minimize(of_tree, START, callback=callback)
    assert all(each.fun == of_tree(each.x) for each in told)


def test_methods_of_the_users_own() -> None:
    def newton(fun: Any, x0: Any, jac: Any, hess: Any, hessp: Any, **options: Any) -> Any:
        x = x0
        for _ in range(options["steps"]):
            matrix = hess(x)
            np.testing.assert_allclose(matrix[:, 0], hessp(x, np.eye(len(x))[0]))
            x = x - np.linalg.solve(matrix, jac(x))
        return scipy.optimize.OptimizeResult(x=x, fun=fun(x))

    found = minimize(of_tree, START, method=newton, options={"steps": 30})
    np.testing.assert_allclose(found.x["a"], np.ones(2))


def test_what_minimize_refuses() -> None:
    def square(x: Any) -> Any:
        return np.sum(x**2)

    with pytest.raises(UnsupportedError) as raised:
        grad(lambda a: minimize(lambda x: np.sum((x - a) ** 2), np.zeros(2)).fun)(1.0)
    assert "minimize is not differentiated, but depends on a traced value (" in str(raised.value)
    assert "xformad.root(xformad.grad(fun), x0, *args)" in str(raised.value)
    for fun in (
        lambda a: minimize(lambda x, a: np.sum((x - a) ** 2), np.zeros(2), (a,)).fun,
        lambda a: minimize(square, a).fun,
        lambda a: minimize(lambda x: np.sum((x - a) ** 2), np.zeros(2), method="Powell").fun,
    ):
        with pytest.raises(UnsupportedError, match="minimize is not differentiated"):
            grad(fun)(1.0)
    with pytest.raises(UnsupportedError) as raised:
        minimize(lambda x: np.sum(np.abs(x["z"]) ** 2), {"z": np.ones(2) + 1j})
    assert str(raised.value) == (
        "minimize: x0['z'] is complex, but the unknowns must be real; give its real and its imaginary part, "
        "{'re': x.real, 'im': x.imag}, and let the function add them up"
    )
    with pytest.raises(DifferentiationError, match=r"but <lambda> returned an array of shape \(2,\)"):
        minimize(lambda x: x, np.zeros(2))
    with pytest.raises(ArgumentError) as wrong:
        minimize(square, np.zeros(2), bounds=[(0, 1)])
    assert str(wrong.value) == (
        "bounds must be 2 pairs, one an entry of x0, but there are 1; for a tree use "
        "xformad.scipy.optimize.Bounds(lb, ub)"
    )
    with pytest.raises(ArgumentError) as wrong:
        minimize(square, np.zeros(2), constraints=scipy.optimize.LinearConstraint(np.eye(3)))
    assert str(wrong.value) == "minimize: the matrix of a LinearConstraint has 3 columns, but x0 has 2 entries"
    with pytest.raises(TreeError, match=r"lb\['a'\] has shape \(3,\), but is for an array of shape \(2,\)"):
        minimize(of_tree, START, bounds=Bounds({"a": np.zeros(3), "b": None}))
    with pytest.raises(TreeError, match="lb has the keys"):
        minimize(of_tree, START, bounds=Bounds({"a": None}))
    with pytest.raises(ValueError, match="Unknown solver gradient"):
        minimize(square, np.zeros(2), method="gradient")


def test_solution_as_a_function() -> None:
    """What the refusal says to write."""

    def fun(x: Any, a: Any) -> Any:
        return (x - a) ** 2 + 0.1 * x**4

    def best(a: Any) -> Any:
        return xformad.root(grad(fun), minimize(fun, 0.0, (xformad.value_of(a),)).x, a)

    step = 1e-5
    assert jvp(best, (2.0,), (1.0,))[1] == pytest.approx((best(2 + step) - best(2 - step)) / (2 * step), rel=1e-8)


TIMES = np.linspace(0.0, 3.0, 12)
DATA = 2.5 * np.exp(-1.3 * TIMES) + 0.5


def residuals(p: Any, y: Any) -> Any:
    return {"model": p["height"] * np.exp(-p["rates"][0] * TIMES) + p["rates"][1] - y, "prior": 0.0 * p["height"]}


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_of_trees(method: str) -> None:
    start: Any = {"height": 1.0, "rates": np.array([1.0, 0.0])}
    found = least_squares(residuals, start, (DATA,), method=method)
    assert found.x["height"] == pytest.approx(2.5)
    np.testing.assert_allclose(found.x["rates"], [1.3, 0.5])
    assert found.fun["model"].shape == (12,)
    assert found.grad["rates"].shape == (2,)
    np.testing.assert_allclose(found.jac[:-1, 0], np.exp(-1.3 * TIMES))


def test_least_squares_with_bounds() -> None:
    start: Any = {"height": 1.0, "rates": np.array([1.0, 0.0])}
    found = least_squares(residuals, start, (DATA,), bounds=Bounds(ub={"height": 2.0, "rates": None}), loss="soft_l1")
    assert found.x["height"] == pytest.approx(2.0)
    array = least_squares(lambda x: x - 3.0, np.zeros(2), bounds=([-1, -1], [1, 4]))
    np.testing.assert_allclose(array.x, [1.0, 3.0])
    with pytest.raises(ArgumentError, match="least_squares computes the exact Jacobian itself; leave out jac="):
        least_squares(residuals, start, (DATA,), jac="3-point")
    with pytest.raises(UnsupportedError, match="least_squares is not differentiated"):
        grad(lambda y: least_squares(residuals, start, (y,)).cost)(DATA)


def test_curve_fit() -> None:
    def decay(t: Any, height: Any, rate: Any, rest: Any) -> Any:
        return height * np.exp(-rate * t) + rest

    noisy = DATA + 0.01 * np.sin(17 * TIMES)
    for options in ({}, {"p0": [1.0, 1.0, 0.0]}, {"sigma": 1 + TIMES}, {"bounds": (0, 5)}, {"method": "dogbox"}):
        found, covariance = curve_fit(decay, TIMES, noisy, **options)
        expected, of_scipy = scipy.optimize.curve_fit(decay, TIMES, noisy, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(covariance, of_scipy, rtol=1e-4)
    with pytest.raises(UnsupportedError, match="curve_fit is not differentiated"):
        grad(lambda y: curve_fit(decay, TIMES, y)[0][0])(noisy)


def test_all_else_is_scipys() -> None:
    assert own.brentq is scipy.optimize.brentq
    with pytest.raises(AttributeError):
        own.unknown_name
