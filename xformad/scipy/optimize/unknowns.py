"""What SciPy's solvers are to find, as a pytree for the user and as a vector for SciPy; and limits for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

from xformad import tree
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import ArgumentError, TreeError, UnsupportedError
from xformad.transformations.calls import is_array
from xformad.transformations.vectors import Layout

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bounds:
    """Limits for a pytree of unknowns: lb <= x <= ub.

    SciPy's own `scipy.optimize.Bounds`, and sequences of pairs, do as well: they are for the vector of all entries, in
    the order of `xformad.tree.leaves_of`.

    Args:
        lb, ub: pytrees like x. A number stands for all entries of an array, and for all arrays of a part of the tree;
            None there is no limit.
        keep_feasible: as for `scipy.optimize.Bounds`.

    >>> from xformad.scipy.optimize import minimize
    >>> minimize(lambda p: p["a"] ** 2 + p["b"], {"a": 3.0, "b": 3.0}, bounds=Bounds(lb={"a": 1.0, "b": 0.0})).x
    {'a': np.float64(1.0), 'b': np.float64(0.0)}
    """

    lb: Any = None
    ub: Any = None
    keep_feasible: bool = False


def unknowns_of(x0: Any, name: str) -> tuple[Layout, Vector]:
    """How x0 lies in a vector, and the vector. A list of numbers is an array, as for SciPy.

    Raises:
        UnsupportedError: if it is traced, or complex.
    """
    refuse_traced(x0, name)
    if type(x0) in (list, tuple) and all(isinstance(leaf, float | int | np.number) for leaf in x0):
        x0 = np.array(x0)
    layout = Layout(x0, "x0")
    for dtype, path in zip(layout.dtypes, layout.structure.paths("x0"), strict=True):
        if dtype.kind == "c":
            raise UnsupportedError(
                f"{name}: {path} is complex, but the unknowns must be real; give its real and its imaginary part, "
                "{'re': x.real, 'im': x.imag}, and let the function add them up"
            )
    return layout, layout.vector([np.asarray(leaf) for leaf in tree.leaves_of(x0)])


def refuse_traced(values: Any, name: str) -> None:
    """Refuse traced values among the leaves of a tree: what SciPy's solvers find is not differentiated.

    Raises:
        UnsupportedError: if there is one.
    """
    if any(type(leaf) is Tracer for leaf in tree.leaves_of(values)):
        raise UnsupportedError(
            f"{name} is not differentiated, but depends on a traced value ({user_line()}); the solution as a function of "
            "it is the root of the gradient: xformad.root(xformad.grad(fun), x0, *args). Where no derivative is wanted, "
            "use xformad.stop_gradient(x) or xformad.value_of(x)"
        )


def of_vector(fun: Callable[..., Any], layout: Layout, args: Any, name: str) -> Callable[[Value], Any]:
    """The function of the vector, its other arguments given. It computes in double precision."""
    rest = args if isinstance(args, tuple) else (args,)
    refuse_traced(rest, name)

    @functools.wraps(fun, assigned=("__name__", "__qualname__", "__doc__"), updated=())
    def call(vector: Value) -> Any:
        return fun(tree.unflatten(layout.structure, layout.leaves(vector, double=True)), *rest)

    return call


def bounds_of(bounds: Any, layout: Layout) -> Any:
    """Limits as SciPy takes them, for the vector.

    Raises:
        ArgumentError: if there are not as many as entries.
        TreeError: if the tree is not that of x0.
    """
    if isinstance(bounds, Bounds):
        lower = limits(bounds.lb, layout, -np.inf, "lb")
        return scipy.optimize.Bounds(lower, limits(bounds.ub, layout, np.inf, "ub"), bounds.keep_feasible)
    if bounds is not None and not isinstance(bounds, scipy.optimize.Bounds) and len(bounds) != layout.size:
        raise ArgumentError(
            f"bounds must be {layout.size} pairs, one an entry of x0, but there are {len(bounds)}; for a tree use "
            "xformad.scipy.optimize.Bounds(lb, ub)"
        )
    return bounds


def limits(given: Any, layout: Layout, missing: float, name: str) -> Vector:
    """The vector of limits, of a tree of them like that of the unknowns."""
    found = tree.flatten_prefix(layout.structure, given, lambda x: x is None or is_array(x), name)
    parts = []
    for limit, shape, path in zip(found, layout.shapes, layout.structure.paths(name), strict=True):
        try:
            parts.append(np.broadcast_to(missing if limit is None else limit, shape).ravel())
        except ValueError as error:
            raise TreeError(f"{path} has shape {np.shape(limit)}, but is for an array of shape {shape}") from error
    return np.concatenate([np.zeros(0), *parts])
