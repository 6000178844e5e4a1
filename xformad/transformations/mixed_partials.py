"""Mixed partial derivatives of any order, from derivatives along lines: `mixed_partial`.

>>> mixed_partial(lambda x, y: x**3 * y**2, (2, 1), argnums=(0, 1))(2.0, 5.0)
np.float64(120.0)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, ParamSpec, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import spec_of
from xformad.errors import ArgumentError
from xformad.transformations.taylor import expand
from xformad.transformations.transformed import Argnums, Transformed, checked_argnums, keys_of
from xformad.transformations.vmap import vmap

P = ParamSpec("P")


@final
class PartialOptions(NamedTuple):
    orders: Any
    argnums: Argnums


def lattice(orders: list[np.ndarray[Any, Any]]) -> Iterator[tuple[float, list[np.ndarray[Any, Any]]]]:
    """Weights and directions, whose derivatives of the total order, over its factorial, sum to the mixed derivative.

    By the polarisation identity, with d the sum of the orders a, the derivative is the sum over b <= a of
    (-1)^|b| binomial(a, b) 2^-d times the coefficient d of f(x + t (a - 2 b)). Opposite directions give the same.
    """
    flat = np.concatenate([np.ravel(each) for each in orders])
    total = int(flat.sum())
    if np.count_nonzero(flat) == 1:
        yield float(math.factorial(total)), [np.minimum(each, 1) for each in orders]
        return
    ends = np.cumsum([each.size for each in orders])[:-1]
    for chosen in itertools.product(*(range(n + 1) for n in flat)):
        direction = flat - 2 * np.array(chosen)
        leading = direction[np.nonzero(direction)[0][:1]]
        if leading.size == 0 or leading[0] < 0:  # the opposite one stands for both
            continue
        count = math.prod(math.comb(int(n), k) for n, k in zip(flat, chosen, strict=True))
        weight = 2.0 * (-1) ** sum(chosen) * count / 2**total
        parts = np.split(direction, ends)
        yield weight, [part.reshape(each.shape) for part, each in zip(parts, orders, strict=True)]


def checked_orders(argument: Any, given: Any, name: str) -> list[np.ndarray[Any, Any]]:
    """How often to differentiate by each entry of each leaf of an argument."""
    leaves, structure = tree.flatten(argument)
    orders = [given] if structure is tree.LEAF else tree.flatten_like(structure, given, name)
    found = []
    for order, leaf, path in zip(orders, leaves, structure.paths(name), strict=True):
        each, shape = np.asarray(order), spec_of(leaf)[0]
        if each.dtype.kind not in "iu" or np.any(each < 0) or each.shape != shape:
            raise ArgumentError(
                f"{path} must be whole numbers that are not negative, of the argument's shape {shape}, not {order!r}"
            )
        found.append(each)
    return found


def run_mixed_partial(
    fun: Callable[..., Any], options: PartialOptions, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    keys = keys_of(fun, options.argnums, args, kwargs)
    several = isinstance(options.argnums, tuple)
    arguments = [args[key] if isinstance(key, int) else kwargs[key] for key in keys]
    structure = tree.flatten(arguments)[1]
    orders = []
    for i, (argument, given) in enumerate(zip(arguments, options.orders if several else [options.orders], strict=True)):
        orders += checked_orders(argument, given, f"orders[{i}]" if several else "orders")
    total = sum(int(each.sum()) for each in orders)
    if total == 0:
        return fun(*args, **kwargs)
    weights, points = zip(*lattice(orders), strict=True)

    def coefficient(*directions: Any) -> Any:
        moved = tree.unflatten(structure, list(directions))
        coefficients = {key: [direction] for key, direction in zip(keys, moved, strict=True)}
        return expand(fun, args, kwargs, coefficients, total).coefficient(total)

    if len(weights) == 1:
        found = coefficient(*(each.astype(float) for each in points[0]))
        return tree.map(lambda c: c * weights[0], found)
    batch = [np.stack([np.asarray(each, float) for each in leaf]) for leaf in zip(*points, strict=True)]
    return tree.map(lambda c: np.tensordot(np.asarray(weights, c.dtype), c, axes=1)[()], vmap(coefficient)(*batch))


def mixed_partial(fun: Callable[P, Any], orders: Any, argnums: Argnums = 0) -> Transformed[P, Any]:
    """One partial derivative of any order, by any of the variables: from the derivatives along some lines.

    See A. Griewank, J. Utke and A. Walther, "Evaluating higher derivative tensors by forward propagation of univariate
    Taylor series" (2000). The lines are half of the product of (order + 1) over the variables, as one batch; the cost
    does not depend on the number of variables that are not differentiated by.

    Args:
        fun: a function of pytrees, with a pytree as result.
        orders: how often to differentiate by each entry of the argument: whole numbers in a tree like the argument; a
            tuple of such if `argnums` is a tuple.
        argnums: as for `grad`.

    Returns:
        A function of the same arguments, with a result like that of `fun`.

    >>> mixed_partial(lambda x: x[0] ** 3 * x[1] ** 2, np.array([1, 2]))(np.array([2.0, 5.0]))
    np.float64(24.0)
    """
    return Transformed(run_mixed_partial, fun, PartialOptions(orders, checked_argnums(argnums)), "mixed_partial")
