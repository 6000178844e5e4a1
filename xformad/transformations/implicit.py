"""Implicit functions: `root` and `fixed_point`. What solves an equation is differentiated without the way to it.

Where f(x, a) = 0 defines x as a function of a, the implicit function theorem gives its derivative from f at the solution
alone: J dx = -(df/da) da with the Jacobian J = df/dx.

>>> from xformad import grad
>>> grad(lambda a: root(lambda x: x**2 - a, 1.0))(2.0)  # the square root
np.float64(0.35355339059327...)

The rules below are programs of the solution, which is bound one level below as the same operation. So they are
differentiated in turn, to any order: the solution inside of them depends on a, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from xformad import tree
from xformad.core.interpreter import shape_of
from xformad.core.primitive import Primitive
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import ArgumentError, DifferentiationError, TreeError
from xformad.interpreters.batch_rules import Batched, BatchRule, defbatch
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.transformations.calls import floating
from xformad.transformations.forward import linearize, push
from xformad.transformations.matrices import jacobian
from xformad.transformations.pullback import record
from xformad.transformations.solvers import (
    FIXED_POINT_METHODS,
    KRYLOV,
    ROOT_METHODS,
    Attempt,
    LinearSolver,
    Residual,
    Solver,
    Vector,
    krylov_solution,
)
from xformad.transformations.transformed import Key
from xformad.transformations.values import stop_gradient
from xformad.transformations.vectors import Layout, VectorFunction

Function: TypeAlias = Callable[..., Value]
"""`fun(x, *operands)`: the residual, a vector like x."""

Method: TypeAlias = str | Callable[[Residual, Vector], Vector]


def solution_value(x0: Value, *operands: Value, fun: Function, solver: Solver) -> Value:
    """The solution, for plain operands."""
    return Attempt(solver, lambda x: fun(x, *operands)).solution(np.asarray(x0))


def solution_jvp(
    tangents: Tangents, ans: Value, _x0: Value, *operands: Value, fun: Function, solver: Solver
) -> Value | None:
    """J dx = -df."""
    keys: list[Key] = [i for i, t in enumerate(tangents[1:], 1) if t is not None]
    if not keys:
        return None
    df = push(fun, (ans, *operands), {}, keys, [t for t in tangents[1:] if t is not None]).tangent
    return -linear_solve(fun, ans, operands, df, solver, transpose=False)


def solution_vjp(x0: Value, *operands: Value, fun: Function, solver: Solver) -> tuple[Value, Callable[[Value], Any]]:
    """J^T w = g; the cotangent of an operand is that of f for -w."""
    ans = solution.bind(x0, *operands, fun=fun, solver=solver)

    def pullback(g: Value) -> list[Value]:
        w = linear_solve(fun, ans, operands, g, solver, transpose=True)
        keys: list[Key] = [i for i, x in enumerate(operands, 1) if floating(x)]
        found = iter(record(fun, (ans, *operands), {}, keys).consume([-w]))
        return [None, *[next(found) if floating(x) else None for x in operands]]

    return ans, pullback


def one_by_one(primitive: Primitive) -> BatchRule:
    """The batching rule of an iteration: each example needs as many steps as it needs."""

    def rule(size: int, batched: Batched, *values: Value, **params: Any) -> Value:
        examples = ([x[i] if b else x for x, b in zip(values, batched, strict=True)] for i in range(size))
        found = [primitive.bind(*example, **params) for example in examples]
        return np.stack(found) if found else np.zeros((0, shape_of(values[0])[batched[0]]))

    return rule


solution = Primitive("root", solution_value)
defvjp_joint(solution, solution_vjp)
defjvp_joint(solution, solution_jvp)
defbatch(solution, one_by_one(solution))


def linear_solve(
    fun: Function, x: Value, operands: tuple[Value, ...], b: Value, solver: Solver, *, transpose: bool
) -> Value:
    """The t with J t = b, or J^T t = b. Without a matrix, it is the root of a function that is linear in t."""
    if solver.solve == "dense":
        matrix = jacobian(fun)(x, *operands)
        try:
            return np.linalg.solve(matrix.T if transpose else matrix, b)
        except np.linalg.LinAlgError as error:
            raise DifferentiationError(
                f"the solution of {solver.name} at {user_line()} has no derivative: the Jacobian of the function with "
                "respect to x is singular there"
            ) from error
    return linear_solution.bind(b, x, *operands, fun=fun, solver=solver, transpose=transpose)


def product(fun: Function, x: Value, operands: Sequence[Value], t: Value, transpose: bool) -> Value:
    """J t, or J^T t."""
    if transpose:
        return record(fun, (x, *operands), {}, [0]).consume([t])[0]
    return push(fun, (x, *operands), {}, [0], [t]).tangent


def linear_solution_value(
    b: Value, x: Value, *operands: Value, fun: Function, solver: Solver, transpose: bool
) -> Value:
    """The solution without a matrix, for plain operands. What depends on x alone is computed once."""
    if transpose:
        run = record(fun, (x, *operands), {}, [0])
        return krylov_solution(solver, lambda t: np.asarray(run.pull([t])[0]), b)
    return krylov_solution(solver, linearize(lambda x: fun(x, *operands), x)[1], b)


def linear_solution_jvp(
    tangents: Tangents, ans: Value, *args: Value, fun: Function, solver: Solver, transpose: bool
) -> Value:
    """A dt = db - dA t."""

    def missing(b: Value, x: Value, *operands: Value) -> Value:
        return b - product(fun, x, operands, ans, transpose)

    keys: list[Key] = [i for i, t in enumerate(tangents) if t is not None]
    moved = push(missing, args, {}, keys, [t for t in tangents if t is not None]).tangent
    return linear_solution.bind(moved, *args[1:], fun=fun, solver=solver, transpose=transpose)


def linear_solution_vjp(
    *args: Value, fun: Function, solver: Solver, transpose: bool
) -> tuple[Value, Callable[[Value], Any]]:
    """A^T w = g; the cotangents are those of b - A t for w."""
    ans = linear_solution.bind(*args, fun=fun, solver=solver, transpose=transpose)

    def missing(b: Value, x: Value, *operands: Value) -> Value:
        return b - product(fun, x, operands, ans, transpose)

    def pullback(g: Value) -> list[Value]:
        w = linear_solution.bind(g, *args[1:], fun=fun, solver=solver, transpose=not transpose)
        keys: list[Key] = [i for i, x in enumerate(args) if floating(x)]
        found = iter(record(missing, args, {}, keys).consume([w]))
        return [next(found) if floating(x) else None for x in args]

    return ans, pullback


linear_solution = Primitive("linear_solution", linear_solution_value)
defvjp_joint(linear_solution, linear_solution_vjp)
defjvp_joint(linear_solution, linear_solution_jvp)
defbatch(linear_solution, one_by_one(linear_solution))


def root(
    fun: Callable[..., Any],
    x0: Any,
    *args: Any,
    method: Method = "hybr",
    tol: float | None = None,
    solve: str | LinearSolver = "dense",
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Solve a system of equations: the x with `fun(x, *args) = 0`, differentiable to any order and in every mode.

    The solution is differentiated with respect to `args` and to what `fun` closes over, by the implicit function theorem;
    its derivative with respect to `x0` is zero. Computed in double precision.

    Args:
        fun: `fun(x, *args)`, a function of pytrees. It returns as many numbers as x has, in any containers.
        x0: where to start, a pytree of the form of x.
        args: further arguments, pytrees.
        method: a method of `scipy.optimize.root`; `"newton"`, which needs no SciPy; or a solver of your own: a function
            `method(residual, x0)` of plain vectors of float64, that returns the solution (`residual(x)` returns a vector).
        tol: how large the step of Newton's method may be that is left at the end, relative to the largest entries of x
            and x0. The square root of the precision of `x0`, if not given; most often the result is exact to rounding,
            since Newton's method finishes it.
        solve: how linear systems with the Jacobian are solved: `"dense"`, by a matrix; without one `"gmres"`, `"lgmres"`,
            `"bicgstab"`, for a symmetric Jacobian `"minres"`, for a symmetric positive definite one `"cg"`, of SciPy; or
            a function `solve(product, b)` of plain vectors that returns the t with `product(t) = b`.
        options: of `scipy.optimize.root`.

    Returns:
        The solution, like `x0`.

    Raises:
        ConvergenceError: if no solution is found.
        DifferentiationError: when differentiated, if the Jacobian is singular at the solution.
        TreeError: if `fun` returns another number of numbers than x has.
        MissingPackageError: if SciPy is needed, but not installed.

    >>> from xformad import hessian
    >>> circle_and_line = lambda p, r: {"circle": p["x"] ** 2 + p["y"] ** 2 - r**2, "line": p["x"] - p["y"]}
    >>> root(circle_and_line, {"x": 1.0, "y": 2.0}, 2.0)
    {'x': np.float64(1.41421356...), 'y': np.float64(1.41421356...)}
    >>> hessian(lambda a: root(lambda x: x**3 - a, 1.0))(8.0)  # the cube root
    np.float64(-0.00694444...)
    """
    layout = Layout(x0, "x0")

    def vector(result: Any) -> Value:
        form = Layout(result, "the result of the function of root")
        if form.size != layout.size:
            raise TreeError(
                f"root needs as many equations as unknowns, but x0 has {layout.size} real numbers, and the function "
                f"returned {form.size} ({user_line()})"
            )
        return form.vector(tree.leaves_of(result))

    function = VectorFunction(fun, layout, (), args, vector)
    return solved("root", function, function, x0, method, tol, solve, options)


def fixed_point(
    fun: Callable[..., Any],
    x0: Any,
    *args: Any,
    method: Method = "anderson",
    tol: float | None = None,
    solve: str | LinearSolver = "dense",
    options: Mapping[str, Any] | None = None,
) -> Any:
    """The x with `x = fun(x, *args)`, differentiable as `root` is, by (I - df/dx) dx = (df/da) da.

    Args:
        fun: `fun(x, *args)`, a function of pytrees whose result is like x.
        x0: where to start.
        args: further arguments, pytrees.
        method: `"anderson"`, iteration with Anderson's acceleration; `"iterate"`, without; or as for `root`, where the
            residual is `fun(x) - x`.
        tol, solve: as for `root`. The matrix is that of `fun(x) - x`.
        options: `{"max_iterations": 200}`; otherwise as for `root`.

    Returns:
        The fixed point, like `x0`.

    Raises:
        ConvergenceError, DifferentiationError, TreeError, MissingPackageError: as `root`.

    >>> from xformad import grad
    >>> grad(lambda a: fixed_point(lambda x: 0.5 * (x + a / x), 1.0))(2.0)  # Heron's square root
    np.float64(0.35355339059327...)
    """
    layout = Layout(x0, "x0")
    function = VectorFunction(
        fun, layout, (), args, lambda result: layout.like(result, "the result of the function of fixed_point")
    )
    return solved(
        "fixed_point", function, lambda x, *operands: function(x, *operands) - x, x0, method, tol, solve, options
    )


def solved(
    name: str,
    function: VectorFunction,
    residual: Function,
    x0: Any,
    method: Method,
    tol: float | None,
    solve: str | LinearSolver,
    options: Mapping[str, Any] | None,
) -> Any:
    layout = function.layout
    methods = ROOT_METHODS if name == "root" else FIXED_POINT_METHODS
    if not callable(method) and method not in methods:
        raise ArgumentError(f"{name}: method must be one of {methods} or a function, not {method!r}")
    if not callable(solve) and solve not in ("dense", *KRYLOV):
        raise ArgumentError(f"{name}: solve must be one of {('dense', *KRYLOV)} or a function, not {solve!r}")
    if tol is None:
        tol = float(np.sqrt(max((np.finfo(dtype).eps for dtype in layout.dtypes), default=1.0)))
    given = dict(options or {})
    solver = Solver(name, method, tol, given.pop("max_iterations", 200), tuple(given.items()), solve)
    start = layout.vector(stop_gradient(tree.leaves_of(x0)))
    return layout.tree(solution.bind(start, *function.operands, fun=residual, solver=solver))
