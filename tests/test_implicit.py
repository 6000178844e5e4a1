"""`root` and `fixed_point`: against closed forms and differences, in every mix of transformations."""

from __future__ import annotations

import itertools
import sys
import warnings
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
    fixed_point,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    root,
    scan,
    trace,
    value_and_grad,
    vjp,
    vmap,
)
from xformad.testing import check_grads

Array = np.ndarray[Any, Any]
BOTH: Any = ("reverse", "forward")


def forward(fun: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a: jvp(fun, (a,), (1.0,))[1]


def square_root(a: Any) -> Any:
    return root(lambda x: x**2 - a, 1.0)


def square_root_of_argument(a: Any) -> Any:
    return root(lambda x, a: x**2 - a, 1.0, a)


def square_root_without_matrix(a: Any) -> Any:
    return root(lambda x: x**2 - a, 1.0, solve="gmres")


def square_root_by_newton(a: Any) -> Any:
    return root(lambda x: x**2 - a, 1.0, method="newton")


def heron(a: Any) -> Any:
    return fixed_point(lambda x: 0.5 * (x + a / x), 1.0)


ROOTS = [square_root, square_root_of_argument, square_root_without_matrix, square_root_by_newton, heron]


@pytest.mark.parametrize("fun", ROOTS)
def test_derivatives_to_third_order_in_every_mix(fun: Callable[..., Any]) -> None:
    expected = [1.5**0.5, 0.5 * 1.5**-0.5, -0.25 * 1.5**-1.5, 0.375 * 1.5**-2.5]
    assert fun(1.5) == pytest.approx(expected[0], rel=1e-15)
    assert type(fun(1.5)) is np.float64
    for order in (1, 2, 3):
        mixes: Any = itertools.product((grad, forward), repeat=order)
        for modes in mixes:
            derivative = fun
            for mode in modes:
                derivative = mode(derivative)
            assert derivative(1.5) == pytest.approx(expected[order], rel=1e-12), modes


@pytest.mark.parametrize("fun", ROOTS)
def test_vmap_in_every_mix(fun: Callable[..., Any]) -> None:
    a = np.array([0.5, 1.5, 4.0])
    np.testing.assert_allclose(vmap(fun)(a), a**0.5, rtol=1e-14)
    np.testing.assert_allclose(vmap(grad(fun))(a), 0.5 * a**-0.5, rtol=1e-13)
    np.testing.assert_allclose(vmap(forward(grad(fun)))(a), -0.25 * a**-1.5, rtol=1e-12)
    np.testing.assert_allclose(grad(lambda a: np.sum(vmap(fun)(a)))(a), 0.5 * a**-0.5, rtol=1e-13)
    np.testing.assert_allclose(grad(lambda a: np.sum(vmap(grad(fun))(a)))(a), -0.25 * a**-1.5, rtol=1e-12)
    np.testing.assert_allclose(hessian(lambda a: np.sum(vmap(fun)(a)))(a), np.diag(-0.25 * a**-1.5), atol=1e-13)
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(vmap(vmap(fun))(table), table**0.5, rtol=1e-14)
    assert vmap(fun)(np.zeros(0)).shape == (0,)


def two_circles(p: Any, centre: Any, radii: Any) -> Any:
    """A system over containers: the crossing of two circles."""
    x, y = p["x"], p["y"]
    return (x**2 + y**2 - radii[0] ** 2, np.sum((xformad.numpy.array([x, y]) - centre) ** 2) - radii[1] ** 2)


def crossing(centre: Any, radii: Any, **options: Any) -> Any:
    return root(two_circles, {"x": 1.0, "y": 1.0}, centre, radii, **options)


@pytest.mark.parametrize("options", [{}, {"solve": "gmres"}, {"method": "newton"}], ids=str)
def test_a_system_over_containers(options: dict[str, Any]) -> None:
    centre, radii = np.array([1.0, 0.2]), (1.3, 1.1)
    found = crossing(centre, radii, **options)
    assert list(found) == ["x", "y"]
    for equation in two_circles(found, centre, radii):
        assert abs(equation) < 1e-14
    check_grads(lambda centre, radii: crossing(centre, radii, **options), (centre, radii), modes=BOTH)


@pytest.mark.parametrize("solve", ["gmres", "lgmres", "bicgstab", "minres", "cg", "own"])
def test_linear_solvers_agree_with_the_matrix(solve: Any) -> None:
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(6, 6))
    matrix = factor @ factor.T + 6 * np.eye(6)

    def own(product: Callable[[Array], Array], b: Array) -> Array:
        return np.linalg.solve(np.stack([product(row) for row in np.eye(b.size)], axis=1), b)

    def energy_minimum(b: Any, solve: Any) -> Any:
        """Where the gradient of a convex function is zero, so the Jacobian is symmetric and positive definite."""
        return root(lambda x: matrix @ x + x**3 - b, np.zeros(6), solve=solve)

    solver = own if solve == "own" else solve
    b = rng.normal(size=6)
    np.testing.assert_allclose(energy_minimum(b, solver), energy_minimum(b, "dense"), rtol=1e-12)
    for transform in (jacfwd, jacrev):
        np.testing.assert_allclose(
            transform(lambda b: energy_minimum(b, solver))(b),
            jacrev(lambda b: energy_minimum(b, "dense"))(b),
            atol=1e-11,
        )
    v = rng.normal(size=6)
    found, expected = (hvp(lambda b, s=s: np.sum(energy_minimum(b, s) ** 2))(b, v) for s in (solver, "dense"))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_large_system_without_a_matrix() -> None:
    """The discretised equation u'' = a exp(u), whose matrix would take 200 MB. dx/da is checked by a difference."""
    n = 5000
    evaluated: list[tuple[int, ...]] = []

    def tridiagonal(product: Callable[[Array], Array], b: Array) -> Array:
        """Three products give the three diagonals."""
        diagonals = np.zeros((3, n))
        for offset in range(3):
            v = np.zeros(n)
            v[offset::3] = 1
            w = product(v)
            evaluated.append(w.shape)
            for j in range(offset, n, 3):
                for k in (-1, 0, 1):
                    if 0 <= j + k < n:
                        diagonals[1 + k, j] = w[j + k]
        import_scipy = pytest.importorskip("scipy.linalg")
        return np.asarray(import_scipy.solve_banded((1, 1), diagonals, b))

    def solution(a: Any) -> Any:
        def residual(u: Any) -> Any:
            padded = np.concatenate([np.zeros(1), u, np.zeros(1)])
            return (padded[2:] - 2 * u + padded[:-2]) * (n + 1) ** 2 - a * np.exp(u)

        return root(residual, np.zeros(n), method="newton", solve=tridiagonal)

    value, gradient = value_and_grad(lambda a: np.mean(solution(a)))(1.0)
    assert gradient == pytest.approx((np.mean(solution(1.001)) - np.mean(solution(0.999))) / 0.002, rel=1e-5)
    assert value < 0
    assert evaluated


@pytest.mark.parametrize("method", ["hybr", "lm", "broyden1", "anderson", "krylov", "df-sane", "newton"])
def test_methods(method: str) -> None:
    def solution(a: Any) -> Any:
        return root(lambda x: x + 0.3 * np.sin(x[::-1]) - a, np.zeros(3), method=method)

    a = np.array([0.3, -0.2, 0.9])
    x = solution(a)
    np.testing.assert_allclose(x + 0.3 * np.sin(x[::-1]), a, atol=1e-14)
    inverse = np.linalg.inv(np.eye(3) + 0.3 * np.cos(x[::-1])[:, None] * np.eye(3)[::-1])
    np.testing.assert_allclose(jacobian(solution)(a), inverse, rtol=1e-12)


def test_a_solver_of_the_users_own() -> None:
    seen: list[type] = []

    def bisection(residual: Callable[[Array], Array], x0: Array) -> Array:
        low, high = x0 - 10, x0 + 10
        for _ in range(60):
            middle = 0.5 * (low + high)
            seen.append(type(residual(middle)))
            low, high = np.where(residual(middle) < 0, middle, low), np.where(residual(middle) < 0, high, middle)
        return low

    def solution(a: Any) -> Any:
        return root(lambda x: x**3 + x - a, 0.0, method=bisection)

    assert hessian(solution)(2.0) == pytest.approx(-6 / 4**3, rel=1e-12)
    assert set(seen) == {np.ndarray}


def test_x0_has_no_derivative() -> None:
    def from_start(x0: Any) -> Any:
        return root(lambda x: x**2 - 2.0, x0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xformad.IndependentOutputWarning)
        assert grad(from_start)(1.0) == 0.0
    assert jvp(from_start, (1.0,), (1.0,))[1] == 0.0
    assert grad(lambda x0: x0 * from_start(x0))(1.0) == pytest.approx(2**0.5)
    np.testing.assert_allclose(vmap(from_start)(np.array([1.0, -1.0])), [2**0.5, -(2**0.5)])


def test_branches_in_the_function() -> None:
    """The function is run, not a recording of it, so its branches are those of each iterate and of each example."""

    def residual(x: Any, a: Any) -> Any:
        return x - a if a > 0 else 3 * x - a if x < -1 else x - a - 2 / 3 * (x + 1) * 0

    def solution(a: Any) -> Any:
        return root(residual, 5.0, a)

    a = np.array([2.0, -6.0, -0.5])
    np.testing.assert_allclose(vmap(solution)(a), [2.0, -2.0, -0.5])
    np.testing.assert_allclose(vmap(grad(solution))(a), [1.0, 1 / 3, 1.0])


def test_closures_within_closures() -> None:
    def outer(a: Any) -> Any:
        def inner(b: Any) -> Any:
            return root(lambda x: x**2 - a * b - square_root(a), 1.0)

        return grad(inner)(2.0) * inner(3.0)

    def expected(a: Any) -> Any:
        return 0.5 * a * (2 * a + a**0.5) ** -0.5 * (3 * a + a**0.5) ** 0.5

    assert outer(1.7) == pytest.approx(expected(1.7), rel=1e-13)
    assert grad(outer)(1.7) == pytest.approx(grad(expected)(1.7), rel=1e-12)
    assert forward(grad(outer))(1.7) == pytest.approx(grad(grad(expected))(1.7), rel=1e-11)


def test_taylor() -> None:
    found = derivatives(square_root, 5)(1.5)
    factor, expected = 1.0, []
    for k in range(6):
        expected.append(factor * 1.5 ** (0.5 - k))
        factor *= 0.5 - k
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_other_transformations() -> None:
    graph = trace(square_root)(2.0)
    assert [node.primitive.name for node in graph.equations if node.primitive] == ["root", "getitem"]
    assert evaluate(graph, 9.0) == pytest.approx(3.0)
    assert grad(grad(lambda a: evaluate(graph, a)))(9.0) == pytest.approx(-0.25 * 9**-1.5)
    value, linear = linearize(square_root, 4.0)
    assert (value, linear(2.0)) == pytest.approx((2.0, 0.5))
    out, pullback = vjp(square_root, 4.0)
    assert (out, *pullback(2.0)) == pytest.approx((2.0, 0.5))
    assert grad(xformad.checkpoint(square_root))(4.0) == pytest.approx(0.25)
    pattern = xformad.sparse_jacobian(vmap(square_root), np.array([1.0, 4.0]))(np.array([1.0, 4.0]))
    np.testing.assert_allclose(pattern.toarray(), np.diag([0.5, 0.25]))


def test_arguments_that_are_changed_afterwards() -> None:
    """What the pullback needs of them was taken when they were passed."""

    def solution(a: Any) -> Any:
        matrix = np.array([[2.0, 1.0], [0.0, 4.0]])
        x = root(lambda x, matrix: matrix @ x - a, np.zeros(2), matrix)
        matrix[:] = np.nan
        return np.sum(x)

    np.testing.assert_allclose(grad(solution)(np.ones(2)), [0.5, 0.125])


def test_in_a_loop() -> None:
    """An implicit method for dy/dt = -y**3, and the Python loop of the same."""

    def step(y: Any, _: Any) -> tuple[Any, Any]:
        return root(lambda z: z - y + 0.1 * z**3, y, method="newton"), None

    def loop(y: Any) -> Any:
        for _ in range(5):
            y, _ = step(y, None)
        return y

    for derivative in (grad, forward, hessian):
        scanned = derivative(lambda y: scan(step, y, length=5)[0])(1.2)
        assert scanned == pytest.approx(derivative(loop)(1.2), rel=1e-12)
    assert grad(loop)(1.2) == pytest.approx((loop(1.2 + 1e-5) - loop(1.2 - 1e-5)) / 2e-5, rel=1e-8)


def test_dtypes_and_shapes() -> None:
    single = root(lambda x: x**2 - np.float32(2), np.ones(2, np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, np.float32(2**0.5))
    gradient = grad(lambda a: np.sum(root(lambda x: x**2 - a, np.ones(2, np.float32))))(np.full(2, 2, np.float32))
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 0.5 * 2**-0.5, rtol=1e-6)
    assert root(lambda x: x - 1.5, 0) == 1.5
    table = root(lambda x: x**3 - np.arange(6.0).reshape(2, 3), np.ones((2, 3)))
    assert table.shape == (2, 3)
    np.testing.assert_allclose(table**3, np.arange(6.0).reshape(2, 3), atol=1e-13)
    assert root(lambda x: x, np.zeros((0, 2))).shape == (0, 2)
    assert root(lambda x: (x["a"] - 2.0, None), {"a": 1.0, "b": None}) == {"a": 2.0, "b": None}


def test_complex_unknowns() -> None:
    a = 1.0 + 2.0j
    assert root(lambda z: z**2 - a, 1.0 + 1.0j) == pytest.approx(a**0.5)

    def real_part(a: Any) -> Any:
        return np.real(root(lambda z: z**2 - a, 1.0 + 1.0j) ** 3)

    assert grad(real_part)(a) == pytest.approx(grad(lambda a: np.real(a**1.5))(a), rel=1e-12)
    check_grads(lambda z, a: root(lambda z: z * np.conj(z) + z - a, z), (0.5 + 0.1j, 1.0 + 0.2j), modes=BOTH)


# Fixed points.


def kepler(mean_anomaly: Any, eccentricity: Any, **options: Any) -> Any:
    return fixed_point(lambda e: mean_anomaly + eccentricity * np.sin(e), mean_anomaly, **options)


@pytest.mark.parametrize("method", ["anderson", "iterate", "hybr", "newton"])
def test_keplers_equation(method: str) -> None:
    m, e = 0.8, 0.4
    anomaly = kepler(m, e, method=method)
    assert anomaly - e * np.sin(anomaly) == pytest.approx(m, rel=1e-15)
    c, s = np.cos(anomaly), np.sin(anomaly)
    by_m, by_e = grad(lambda m, e: kepler(m, e, method=method), argnums=(0, 1))(m, e)
    assert (by_m, by_e) == pytest.approx((1 / (1 - e * c), s / (1 - e * c)), rel=1e-13)
    assert hessian(lambda m: kepler(m, e, method=method))(m) == pytest.approx(-e * s / (1 - e * c) ** 3, rel=1e-12)
    check_grads(lambda m, e: kepler(m, e, method=method), (m, e), modes=BOTH, order=3)


@pytest.mark.parametrize("solve", ["dense", "gmres"])
def test_a_linear_contraction(solve: str) -> None:
    rng = np.random.default_rng(1)
    matrix, b = 0.1 * rng.normal(size=(5, 5)), rng.normal(size=5)

    def solution(matrix: Any, b: Any) -> Any:
        return fixed_point(lambda x: {"x": matrix @ x["x"] + b}, {"x": np.zeros(5)}, solve=solve)["x"]

    inverse = np.linalg.inv(np.eye(5) - matrix)
    np.testing.assert_allclose(solution(matrix, b), inverse @ b, rtol=1e-13)
    np.testing.assert_allclose(jacrev(solution, 1)(matrix, b), inverse, atol=1e-13)
    np.testing.assert_allclose(jacfwd(solution, 1)(matrix, b), inverse, atol=1e-13)
    check_grads(solution, (matrix, b), modes=BOTH)


def test_andersons_acceleration_needs_fewer_evaluations() -> None:
    counts = {}
    for method in ("anderson", "iterate"):
        count = 0

        def step(x: Any) -> Any:
            nonlocal count
            count += 1
            return np.cos(x) * np.array([0.9, 0.95, 0.99])

        fixed_point(step, np.ones(3), method=method)
        counts[method] = count
    assert counts["anderson"] < 0.6 * counts["iterate"]


# What is refused.


def message_of(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value)


def here(offset: int) -> str:
    """The place of a line before the caller's."""
    return f"{__file__}:{sys._getframe(1).f_lineno - offset}"


def test_no_root() -> None:
    with pytest.raises(ConvergenceError) as caught:
        root(lambda x: x**2 + 1, 1.0)
    line = here(1)
    error = caught.value
    found = message_of(caught)
    assert found.startswith(
        f"root with method 'hybr' found no solution at {line}: after {error.evaluations} evaluations"
    )
    assert "Newton's next step would be" in found
    assert "SciPy says: The iteration is not making good progress" in found
    assert found.endswith("; give an x0 nearer to a solution, another method, or a larger tol")
    assert error.residual >= 1
    assert error.evaluations > 3
    assert isinstance(error, RuntimeError)


@pytest.mark.parametrize("method", ["lm", "newton", lambda residual, x0: x0], ids=["lm", "newton", "own"])
def test_what_the_method_takes_for_a_root_is_none(method: Any) -> None:
    """A least-squares method is content where the square of the residual is least."""
    with pytest.raises(ConvergenceError, match="found no solution"):
        root(lambda x: x**2 + 1, 0.7, method=method)
    with pytest.raises(ConvergenceError, match="found no solution"):
        grad(lambda a: root(lambda x: x**2 + a, 0.7, method=method))(1.0)


def test_no_fixed_point() -> None:
    with pytest.raises(ConvergenceError, match=r"^fixed_point with method 'anderson' found no solution"):
        fixed_point(lambda x: x + 1 + x**2, 0.0)
    with pytest.raises(ConvergenceError, match="the largest residual is nan"):
        root(lambda x: x - np.nan, 0.0)


def test_a_double_root_has_no_derivative() -> None:
    def solution(a: Any) -> Any:
        return root(lambda x: (x - a) ** 2 * np.ones(1), np.ones(1), method=lambda residual, x0: np.full(1, 2.0))[0]

    assert solution(2.0) == 2.0
    for derivative in (grad, forward):
        with pytest.raises(DifferentiationError) as caught:
            derivative(solution)(2.0)
        assert "has no derivative: the Jacobian of the function with respect to x is singular there" in message_of(
            caught
        )
        assert message_of(caught).startswith(f"the solution of root at {__file__}:")


def test_wrong_numbers_of_equations() -> None:
    with pytest.raises(TreeError) as caught:
        root(lambda x: x[:2], np.ones(3))
    line = here(1)
    assert message_of(caught) == (
        f"root needs as many equations as unknowns, but x0 has 3 real numbers, and the function returned 2 ({line})"
    )


def test_wrong_forms_of_fixed_points() -> None:
    with pytest.raises(TreeError) as caught:
        fixed_point(lambda x: {"a": x["a"], "b": [x["b"][0], np.ones(2)]}, {"a": 1.0, "b": [1.0, np.ones(3)]})
    line = here(1)
    assert message_of(caught) == (
        "the result of the function of fixed_point['b'][1] is float64[2], but x0['b'][1] is float64[3]; their shapes must "
        f"be equal ({line})"
    )
    with pytest.raises(TreeError) as caught:
        fixed_point(lambda x: 1j * x, 1.0)
    line = here(1)
    assert message_of(caught) == (
        "the result of the function of fixed_point is complex128[], but x0 is float64[]; give a complex x0, or return the "
        f"real part ({line})"
    )
    with pytest.raises(TreeError, match="is a str, but must be a number or an array"):
        fixed_point(lambda x: "x", 1.0)
    with pytest.raises(TreeError, match="the result of the function of fixed_point is a tuple, but must be a leaf"):
        fixed_point(lambda x: (x, x), 1.0)


def test_wrong_options() -> None:
    with pytest.raises(ArgumentError) as caught:
        root(lambda x: x, 1.0, solve="lu")
    assert message_of(caught) == (
        "root: solve must be one of ('dense', 'gmres', 'lgmres', 'bicgstab', 'cg', 'minres') or a function, not 'lu'"
    )
    with pytest.raises(ArgumentError) as caught:
        root(lambda x: x - 1, 1.5, method="bisect")
    assert message_of(caught).startswith("root: method must be one of ('hybr', 'lm', ")
    assert message_of(caught).endswith("or a function, not 'bisect'")
    with pytest.raises(DifferentiationError) as refused:
        root(lambda x: x, {"a": "text"})
    assert message_of(refused) == "x0['a'] is a str, but must be a number or an array of them"


def test_an_unsolved_linear_system() -> None:
    with pytest.raises(ConvergenceError) as caught:
        root(lambda x: x**2 - 2.0, 1.0, solve=lambda product, b: 0 * b)
    assert "was not solved by <lambda>" in message_of(caught)
    assert message_of(caught).endswith('use solve="dense", or another solver')


class Holder:
    value: Any = None


HOLDER = Holder()


def test_a_traced_value_that_is_not_found() -> None:
    """Never a zero derivative: what closure conversion cannot see is an error."""

    def solution(a: Any) -> Any:
        HOLDER.value = a
        return root(lambda x: x**2 - HOLDER.value, 1.0)

    for derivative in (grad, forward):
        with pytest.raises(DifferentiationError) as caught:
            derivative(solution)(2.0)
        assert "that it holds where xformad does not look, such as a global variable" in message_of(caught)
        assert "pass it as an argument" in message_of(caught)


def test_missing_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("scipy.optimize", "scipy.sparse.linalg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError) as caught:
        root(lambda x: x**2 - 2.0, 1.0)
    assert message_of(caught) == "root needs SciPy; install it with: pip install 'xformad[scipy]'"
    with pytest.raises(MissingPackageError) as caught:
        fixed_point(np.cos, 1.0, solve="gmres")
    assert message_of(caught) == "fixed_point needs SciPy; install it with: pip install 'xformad[scipy]'"
    assert grad(square_root_by_newton)(4.0) == pytest.approx(0.25)
    assert grad(heron)(4.0) == pytest.approx(0.25)
