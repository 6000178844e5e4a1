"""Solvers of plain numbers, without derivatives: nonlinear systems, and the linear ones on the way.

`Solver` holds the options. Whatever finds the solution, Newton's method finishes it: its steps make the solution as exact
as the derivatives are to be, and the length of the last one tells how far off the solution is, also where a solver of
the user's own does not tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, final

import numpy as np

from xformad import optional
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import ConvergenceError
from xformad.transformations.forward import linearize
from xformad.transformations.matrices import jacobian
from xformad.transformations.vectors import plain_function

Vector: TypeAlias = np.ndarray[Any, Any]
Residual: TypeAlias = Callable[[Vector], Vector]
LinearSolver: TypeAlias = Callable[[Callable[[Vector], Vector], Vector], Vector]
"""`solve(product, b)`: the x with `product(x) = b`."""

WITH_JACOBIAN: Final = ("hybr", "lm")
QUASI_NEWTON: Final = ("broyden1", "broyden2", "anderson", "linearmixing", "diagbroyden", "excitingmixing", "krylov")
ROOT_METHODS: Final = (*WITH_JACOBIAN, *QUASI_NEWTON, "df-sane", "newton")
FIXED_POINT_METHODS: Final = ("anderson", "iterate", *(name for name in ROOT_METHODS if name != "anderson"))
KRYLOV: Final = ("gmres", "lgmres", "bicgstab", "cg", "minres")
POLISHING_STEPS: Final = 8


@final
class Solver(NamedTuple):
    """How a system is solved.

    Attributes:
        name: of the public function, for messages.
        method: one of `ROOT_METHODS` or `FIXED_POINT_METHODS`, or a function `method(residual, x0)` of plain vectors.
        tol: how large Newton's next step may be at the end, relative to the largest entries of x and x0.
        max_iterations: of the methods of this file.
        options: of `scipy.optimize.root`.
        solve: how linear systems are solved: `"dense"`, one of `KRYLOV`, or a function.
    """

    name: str
    method: str | Callable[[Residual, Vector], Vector]
    tol: float
    max_iterations: int = 200
    options: tuple[tuple[str, Any], ...] = ()
    solve: str | LinearSolver = "dense"


@final
class Attempt:
    """One search for a solution: the function, of which evaluations are counted.

    Args:
        solver: the options.
        fun: the function that is to be zero, of vectors of float64.
    """

    def __init__(self, solver: Solver, fun: Callable[[Value], Value]) -> None:
        self.solver = solver
        self.fun = fun
        self.residual = plain_function(fun, f"the function of {solver.name}")
        self.evaluations = 0
        self.message = ""

    def __call__(self, x: Vector) -> Vector:
        self.evaluations += 1
        return self.residual(x)

    def solution(self, x0: Vector) -> Vector:
        """The solution.

        Raises:
            ConvergenceError: if it is not found.
        """
        r = self(x0)
        if r.size == 0 or not r.any():
            return x0
        x = np.asarray(self.search(x0), np.float64).reshape(x0.shape)
        return self.polished(x, x0, largest(r))

    def search(self, x0: Vector) -> Vector:
        method = self.solver.method
        if callable(method):
            return method(self, x0)
        if method == "newton":
            return x0
        if self.solver.name == "fixed_point" and method in ("anderson", "iterate"):
            return self.iterate(x0, 5 if method == "anderson" else 0)
        options: dict[str, Any] = {"jac": jacobian(self.fun)} if method in WITH_JACOBIAN else {}
        found = optional.scipy("optimize", self.solver.name).root(
            self, x0, method=method, options=dict(self.solver.options), **options
        )
        self.message = "" if found.success else f"; SciPy says: {' '.join(str(found.message).split())}"
        x: Vector = found.x
        return x

    def iterate(self, x: Vector, memory: int) -> Vector:
        """Fixed-point iteration x + r(x), accelerated: the combination of the last steps whose residual is least.

        D. G. Anderson, "Iterative procedures for nonlinear integral equations" (1965), in the form of H. F. Walker and
        P. Ni, "Anderson acceleration for fixed-point iterations" (2011).
        """
        points: list[Vector] = []
        residuals: list[Vector] = []
        best, least = x, np.inf
        for _ in range(self.solver.max_iterations):
            r = self(x)
            size = largest(r)
            if not np.isfinite(size):
                break
            if size < least:
                best, least = x, size
            if size <= 1e-3 * self.solver.tol * max(largest(x), np.finfo(float).tiny):
                break
            points, residuals = [*points[-memory:], x], [*residuals[-memory:], r]
            step = r
            if len(points) > 1 and memory:
                dr = np.diff(residuals, axis=0)
                weights = np.linalg.lstsq(dr.T, r, rcond=None)[0]
                step = r - weights @ (np.diff(points, axis=0) + dr)
            x = x + step
        return best

    def polished(self, x: Vector, x0: Vector, start: float) -> Vector:
        """The solution after steps of Newton's method, as long as they improve it."""
        r = self(x)
        steps = 10 * self.solver.max_iterations if self.solver.method == "newton" else POLISHING_STEPS
        length = np.inf
        for _ in range(steps):
            if not np.isfinite(r).all():
                raise self.failure(r, np.inf)
            if not r.any():
                return x
            step = self.newton_step(x, r)
            length = np.inf if step is None else largest(step)
            if step is None or not np.isfinite(length):
                break
            candidate = x + step
            better = self(candidate)
            if not largest(better) < largest(r):
                break
            x, r = candidate, better
            if length <= np.finfo(float).eps * largest(x):
                break
        if length <= self.solver.tol * max(largest(x), largest(x0)):
            return x
        if (
            largest(r) <= 64 * self.solver.tol**2 * start
        ):  # zero to rounding: the Jacobian is singular, or almost, there
            return x
        raise self.failure(r, length)

    def newton_step(self, x: Vector, r: Vector) -> Vector | None:
        """The step to where the linearised function is zero; None if there is none."""
        try:
            return linear_step(self.solver, self.fun, x, -r)
        except np.linalg.LinAlgError:
            return None

    def failure(self, r: Vector, length: float) -> ConvergenceError:
        method = self.solver.method
        how = f"method {method!r}" if isinstance(method, str) else getattr(method, "__name__", "the given method")
        size = largest(r)
        return ConvergenceError(
            f"{self.solver.name} with {how} found no solution at {user_line()}: after {self.evaluations} evaluations the "
            f"largest residual is {size:.1e}, and Newton's next step would be {length:.1e}{self.message}; give an x0 nearer "
            "to a solution, another method, or a larger tol",
            size,
            self.evaluations,
        )


def largest(x: Vector) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def linear_step(solver: Solver, fun: Callable[[Value], Value], x: Vector, b: Vector) -> Vector:
    """The t with J t = b, where J is the Jacobian of `fun` at x.

    Raises:
        numpy.linalg.LinAlgError: if J is singular.
        ConvergenceError: if an iterative solver does not find it.
    """
    if solver.solve == "dense":
        found: Vector = np.linalg.solve(jacobian(fun)(x), b)
        return found
    return krylov_solution(solver, linearize(fun, x)[1], b)


def krylov_solution(solver: Solver, product: Callable[[Vector], Vector], b: Vector) -> Vector:
    """The t with `product(t) = b`.

    Raises:
        ConvergenceError: if it is not found.
    """
    if not b.any():
        return b
    size = largest(b)  # some methods take small numbers for zeros
    if callable(solver.solve):
        name, t, info = getattr(solver.solve, "__name__", "the given solver"), solver.solve(product, b), 0
        t = np.asarray(t, np.float64).reshape(b.shape)
    else:
        name = solver.solve
        sparse = optional.scipy("sparse.linalg", solver.name)
        operator = sparse.LinearOperator((b.size, b.size), matvec=product, dtype=np.float64)
        t, info = getattr(sparse, name)(operator, b / size, rtol=1e-13)
        t = t * size
    left = largest(b - product(t))
    if not left <= 1e-8 * size:
        raise ConvergenceError(
            f"the linear system of {solver.name} was not solved by {name} at {user_line()}: the largest residual is "
            f'{left:.1e}, {info or "an unknown number of"} iterations; use solve="dense", or another solver',
            left,
            int(info),
        )
    return t
