"""Constraints on pytrees, as SciPy takes them: functions of vectors with exact Jacobians, and Hessians of combinations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
from scipy.sparse.linalg import LinearOperator

from xformad import tree
from xformad.core.typing import Value
from xformad.errors import ArgumentError
from xformad.scipy.optimize.unknowns import Vector, limits, of_vector
from xformad.transformations.forward import linearize
from xformad.transformations.matrices import jacobian
from xformad.transformations.reverse import grad
from xformad.transformations.vectors import Layout, plain_function


def constraints_of(constraints: Any, layout: Layout, start: Vector, curved: bool) -> Any:
    """The constraints, for vectors of unknowns; with second derivatives, if `curved`."""
    if isinstance(constraints, list | tuple):
        return [constraint_of(each, layout, start, curved) for each in constraints]
    return constraint_of(constraints, layout, start, curved)


def constraint_of(constraint: Any, layout: Layout, start: Vector, curved: bool) -> Any:
    if isinstance(constraint, scipy.optimize.NonlinearConstraint):
        return nonlinear(constraint, layout, start, curved)
    if isinstance(constraint, dict):
        fun = vectorial(of_vector(constraint["fun"], layout, constraint.get("args", ()), "minimize"))
        plain = plain_function(fun, "a constraint of minimize")
        return {"type": constraint["type"], "fun": plain, "jac": jacobian(fun)}
    if isinstance(constraint, scipy.optimize.LinearConstraint):
        columns = constraint.A.shape[-1]
        if columns != layout.size:
            raise ArgumentError(
                f"minimize: the matrix of a LinearConstraint has {columns} columns, but x0 has {layout.size} entries"
            )
    return constraint


def nonlinear(constraint: Any, layout: Layout, start: Vector, curved: bool) -> Any:
    of_tree = of_vector(constraint.fun, layout, (), "minimize")
    form = Layout(of_tree(start), "the result of a constraint of minimize")
    fun = vectorial(of_tree)

    def curvature(x: Vector, weights: Vector) -> Any:
        """The Hessian of the combination of the constraints, as a linear map."""
        product = linearize(grad(lambda x: np.dot(weights, fun(x))), x)[1]
        return LinearOperator((x.size, x.size), matvec=lambda p: product(p.ravel()), dtype=np.float64)

    return scipy.optimize.NonlinearConstraint(
        plain_function(fun, "a constraint of minimize"),
        limits(constraint.lb, form, -np.inf, "lb"),
        limits(constraint.ub, form, np.inf, "ub"),
        jacobian(fun),
        keep_feasible=constraint.keep_feasible,
        **({"hess": curvature} if curved else {}),
    )


def vectorial(fun: Callable[[Value], Any]) -> Callable[[Value], Value]:
    """The function with the vector of its result."""

    def call(x: Value) -> Value:
        found = fun(x)
        return Layout(found, "the result of a constraint of minimize").vector(tree.leaves_of(found))

    return call
