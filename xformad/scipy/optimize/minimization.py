"""`minimize`: SciPy's minimisers, with exact gradients and Hessians, of functions of pytrees."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, final

import numpy as np
import scipy.optimize

from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.scipy.optimize.constraints import constraints_of
from xformad.scipy.optimize.unknowns import Vector, bounds_of, of_vector, refuse_traced, unknowns_of
from xformad.transformations.forward import linearize
from xformad.transformations.reverse import grad, value_and_grad
from xformad.transformations.second_order import hessian
from xformad.transformations.vectors import Layout

WITHOUT_GRADIENT: Final = ("nelder-mead", "powell", "cobyla", "cobyqa")
WITH_PRODUCTS: Final = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr")
WITH_HESSIAN: Final = ("dogleg", "trust-exact")


class Progress(NamedTuple):
    """What `progress` is told after each iteration.

    Attributes:
        iteration: its number, from 1.
        value: of the function.
        gradient_norm: the length of the gradient; NaN for a method without gradients.
        x: the unknowns, a tree like x0.
    """

    iteration: int
    value: float
    gradient_norm: float
    x: Any


@final
class Objective:
    """A function of a vector with its derivatives, each computed once at a point.

    Args:
        fun: the function.
        smooth: whether the gradient is asked for.
    """

    def __init__(self, fun: Callable[[Value], Value], smooth: bool) -> None:
        self.fun = fun
        self.with_gradient = value_and_grad(fun) if smooth else None
        self.gradient = grad(fun)
        self.known: tuple[Vector, float, Vector | None] | None = None
        self.curved: tuple[Vector, Callable[[Vector], Vector]] | None = None

    def evaluate(self, x: Vector) -> tuple[float, Vector | None]:
        """The value and, where it is asked for, the gradient."""
        if self.known is None or not np.array_equal(self.known[0], x):
            value, gradient = (self.fun(x), None) if self.with_gradient is None else self.with_gradient(x)
            if type(value) is Tracer:
                refuse_traced(value, "minimize")
            self.known = x.copy(), value, gradient
        return self.known[1:]

    def value(self, x: Vector) -> float:
        return self.evaluate(x)[0]

    def value_and_gradient(self, x: Vector) -> tuple[float, Vector | None]:
        return self.evaluate(x)

    def product(self, x: Vector, p: Vector) -> Vector:
        """The Hessian at x times p. What depends on x alone is computed once."""
        if self.curved is None or not np.array_equal(self.curved[0], x):
            self.curved = x.copy(), linearize(self.gradient, x)[1]
        return self.curved[1](np.asarray(p, np.float64))

    def hessian(self, x: Vector) -> Vector:
        found: Vector = hessian(self.fun)(x)
        return found


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str | Callable[..., Any] | None = None,
    *,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    progress: Callable[[Progress], Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Minimise a function of a pytree by a method of `scipy.optimize.minimize`, which gets exact derivatives.

    A method that takes a gradient gets it together with the value, from one run; one that takes second derivatives gets
    products of the Hessian with vectors, or the Hessian. Computed in double precision.

    Args:
        fun: `fun(x, *args)`, with a real number as result.
        x0: where to start: a pytree of real numbers and arrays. A list of numbers is an array, as for SciPy.
        args: further arguments, a tuple.
        method: a method of SciPy's, or a function like those. If not given, BFGS, with bounds L-BFGS-B, with constraints
            SLSQP. For many unknowns use `"L-BFGS-B"` or `"Newton-CG"`, which keep no matrix.
        bounds: `xformad.scipy.optimize.Bounds` of trees; or as SciPy takes them, for the vector of all entries, in the
            order of `xformad.tree.leaves_of`.
        constraints: as SciPy takes them, one or several. The function of a `NonlinearConstraint`, or of a dict, takes x,
            a tree, and returns any tree, and its limits are trees like the result, or numbers. The derivatives are found
            by xformad, those given are not used. A `LinearConstraint` is one for the vector of all entries.
        tol, options: as SciPy takes them.
        callback: called after each iteration, as SciPy does, with x, or with `intermediate_result`: x is a tree.
        progress: called after each iteration with a `Progress`. Either of them ends the search by raising StopIteration.

    Returns:
        SciPy's result, with `x` and the gradient `jac` as trees like x0. What has an entry for each pair of unknowns,
        such as `hess_inv`, is in the order of the vector.

    Raises:
        UnsupportedError: for complex unknowns; for traced ones, or arguments.
        DifferentiationError: if the result of `fun` is no real number.
        TreeError: if limits do not fit.

    >>> rosenbrock = lambda p: (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
    >>> minimize(rosenbrock, {"x": -1.0, "y": 2.0}, method="trust-ncg", options={"gtol": 1e-10}).x
    {'x': np.float64(1.0), 'y': np.float64(1.0)}
    """
    layout, start = unknowns_of(x0, "minimize")
    name = method.lower() if isinstance(method, str) else method
    smooth = name not in WITHOUT_GRADIENT
    objective = Objective(of_vector(fun, layout, args, "minimize"), smooth)
    second: dict[str, Any] = {}
    if name in WITH_PRODUCTS or callable(name):
        second["hessp"] = objective.product
    if name in WITH_HESSIAN or callable(name):
        second["hess"] = objective.hessian
    watcher = Watcher(layout, objective, callback, progress)
    try:
        found = scipy.optimize.minimize(
            objective.value_and_gradient if smooth else objective.value,
            start,
            method=method,
            jac=True if smooth else None,
            bounds=bounds_of(bounds, layout),
            constraints=constraints_of(constraints, layout, start, curved=name == "trust-constr" or callable(name)),
            tol=tol,
            callback=None if callback is None and progress is None else watcher.call,
            options=None if options is None else dict(options),
            **second,
        )
    except StopIteration:  # of methods in which SciPy lets it through
        found = watcher.stopped()
    for key in ("x", "jac", "grad", "lagrangian_grad"):
        if isinstance(found.get(key), np.ndarray) and found[key].shape == (layout.size,):
            found[key] = layout.tree(found[key])
    return found


@final
class Watcher:
    """Tells the user's functions of each iteration."""

    def __init__(
        self,
        layout: Layout,
        objective: Objective,
        callback: Callable[..., Any] | None,
        progress: Callable[[Progress], Any] | None,
    ) -> None:
        self.layout = layout
        self.objective = objective
        self.callback = callback
        self.progress = progress
        self.iterations = 0
        self.x = np.zeros(0)

    def call(self, xk: Vector, *state: Any) -> Any:
        """What SciPy calls."""
        self.iterations += 1
        self.x = np.array(xk)
        x = self.layout.tree(self.x)
        if self.progress is not None:
            value, gradient = self.objective.evaluate(self.x)
            norm = np.nan if gradient is None else float(np.linalg.norm(gradient))
            self.progress(Progress(self.iterations, float(value), norm, x))
        if self.callback is None:
            return None
        if set(inspect.signature(self.callback).parameters) == {"intermediate_result"}:
            value = self.objective.value(self.x)
            rest = dict(state[0]) if state else {}
            return self.callback(intermediate_result=scipy.optimize.OptimizeResult({**rest, "x": x, "fun": value}))
        return self.callback(x, *state)

    def stopped(self) -> Any:
        """The result where the user's function ended the search."""
        value, gradient = self.objective.evaluate(self.x)
        return scipy.optimize.OptimizeResult(
            x=self.x,
            fun=value,
            **({} if gradient is None else {"jac": gradient}),
            nit=self.iterations,
            success=False,
            status=99,
            message="`callback` raised `StopIteration`.",
        )
