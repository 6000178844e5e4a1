"""Matrices of derivatives: `jacobian`, `value_and_jacobian`, `hessian`, and products with them: `hvp`.

>>> import numpy as np
>>> jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
array([[2., 0.],
       [0., 6.]])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from xformad import tree
from xformad.core.interpreter import spec_of
from xformad.core.typing import Value
from xformad.errors import DifferentiationError
from xformad.transformations.pullback import Record
from xformad.transformations.reverse import Options, bare, conforming, grad, recorded, warn_independent
from xformad.transformations.transformed import Argnums, Transformed, checked_argnums

P = ParamSpec("P")
R = TypeVar("R")


def rows(run: Record, position: int) -> list[list[list[Value]]]:
    """The rows of the Jacobian of one leaf of the result: a gradient, leaf by leaf, for each of its entries."""
    shape, dtype = spec_of(run.leaves[position])
    if dtype.kind not in "fc" and type(run.leaves[position]) is not int:
        raise DifferentiationError(f"jacobian needs floating-point results, but got dtype {dtype}")
    dtype = dtype if dtype.kind in "fc" else np.dtype(float)
    found = []
    for index in np.ndindex(*shape):
        basis = np.zeros(shape, dtype)
        basis[index] = 1
        cotangents: list[Value] = [None] * len(run.leaves)
        cotangents[position] = basis if shape else dtype.type(1)
        found.append([tree.leaves_of(gradient) for gradient in run.pull(cotangents)])
    return found


def blocks(run: Record, position: int) -> list[Any]:
    """The Jacobian of one leaf of the result with respect to each argument, in the argument's containers."""
    shape, dtype = spec_of(run.leaves[position])
    found = rows(run, position)
    results = []
    for i, argument in enumerate(run.arguments):
        leaves = []
        for j, leaf in enumerate(argument.leaves):
            inner, kind = spec_of(leaf)
            column = [row[i][j] for row in found]
            if column:
                leaves.append(np.reshape(np.stack(column), shape + inner) if shape else column[0])
            else:
                leaves.append(np.zeros(shape + inner, kind if kind.kind in "fc" else dtype))
        results.append(leaves[0] if argument.structure is tree.LEAF else tree.unflatten(argument.structure, leaves))
    return results


def jacobian_of(run: Record, argnums: Argnums) -> Any:
    parts = [bare(blocks(run, position), argnums) for position in range(len(run.leaves))]
    return parts[0] if run.structure is tree.LEAF else tree.unflatten(run.structure, parts)


def run_jacobian(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run = recorded(fun, options, args, kwargs)
    matrix = jacobian_of(run, options.argnums)
    if not any(run.nodes):
        warn_independent(fun)
    return (matrix, run.aux) if options.has_aux else matrix


def run_value_and_jacobian(
    fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    run = recorded(fun, options, args, kwargs)
    matrix = jacobian_of(run, options.argnums)
    if not any(run.nodes):
        warn_independent(fun)
    return ((run.out, run.aux), matrix) if options.has_aux else (run.out, matrix)


def jacobian(fun: Callable[P, Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[P, Any]:
    """The Jacobian of a function of pytrees with a pytree as result: all partial derivatives.

    Args:
        fun: the function.
        argnums, has_aux: as for `grad`.

    Returns:
        A function of the same arguments. For arrays, its result has the shape `result.shape + argument.shape`. For
        containers it is a tree like the result of trees like the argument. A pair `(jacobian, aux)` with `has_aux`.

    >>> jacobian(lambda x, y: {"sum": x + y, "product": x * y}, argnums=(0, 1))(3.0, 5.0)
    {'sum': (np.float64(1.0), np.float64(1.0)), 'product': (np.float64(5.0), np.float64(3.0))}
    """
    return Transformed(run_jacobian, fun, Options(checked_argnums(argnums), has_aux), "jacobian")


def value_and_jacobian(fun: Callable[P, R], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[P, Any]:
    """The value and the Jacobian, from one run.

    Args:
        fun, argnums, has_aux: as for `jacobian`.

    Returns:
        A function of the same arguments, with the result `(value, jacobian)`, or `((value, aux), jacobian)`.
    """
    return Transformed(run_value_and_jacobian, fun, Options(checked_argnums(argnums), has_aux), "value_and_jacobian")


def run_hessian(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run = recorded(grad(fun, options.argnums, has_aux=options.has_aux), options, args, kwargs)  # type: ignore[call-overload]
    matrix = jacobian_of(run, options.argnums)
    return (matrix, run.aux) if options.has_aux else matrix


def hessian(fun: Callable[P, Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[P, Any]:
    """The Hessian of a scalar function: all second derivatives.

    Args:
        fun: a function with a real scalar result.
        argnums, has_aux: as for `grad`.

    Returns:
        A function of the same arguments. For an array, its result has the shape `argument.shape + argument.shape`; for
        containers it is a tree like the argument of trees like the argument.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return Transformed(run_hessian, fun, Options(checked_argnums(argnums), has_aux), "hessian")


def run_hvp(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    *args_of_fun, vector = args
    run = recorded(grad(fun, options.argnums, has_aux=options.has_aux), options, tuple(args_of_fun), kwargs)  # type: ignore[call-overload]
    vectors = tree.flatten_like(run.structure, vector, "vector")
    paths = run.structure.paths("vector")
    seeds = [conforming(v, g, path, "gradient") for v, g, path in zip(vectors, run.leaves, paths, strict=True)]
    product = bare(run.pull(seeds), options.argnums)
    return (product, run.aux) if options.has_aux else product


def hvp(fun: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[..., Any]:
    """The product of the Hessian with a vector, without forming the Hessian, at the cost of a few gradients.

    Args:
        fun: a function with a real scalar result.
        argnums, has_aux: as for `grad`.

    Returns:
        A function of the same arguments and, last, of the vector, which is like the argument (a tuple of such if
        `argnums` is a tuple). The result is like the vector; a pair `(product, aux)` with `has_aux`.

    >>> hvp(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 2.])
    """
    return Transformed(run_hvp, fun, Options(checked_argnums(argnums), has_aux), "hvp")
