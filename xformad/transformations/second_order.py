"""Second derivatives: `hessian`, products with it (`hvp`, `vhp`, `ggnvp`), and what is made of its diagonal.

The gradient is computed by reverse mode, and its derivative along a direction by forward mode: how the gradient moves
when the argument does. All directions at once make the Hessian.

>>> import numpy as np
>>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
array([[6., 2.],
       [2., 0.]])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from xformad import tree
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.typing import Value
from xformad.errors import ArgumentError, DifferentiationError
from xformad.transformations.basis import Chosen
from xformad.transformations.forward import push
from xformad.transformations.matrices import Options, checked_chunk_size, run_matrix
from xformad.transformations.pullback import record
from xformad.transformations.reverse import bare, conforming, grad, value_and_grad
from xformad.transformations.taylor import expand_side
from xformad.transformations.transformed import Argnums, Key, Transformed, checked_argnums, keys_of

P = ParamSpec("P")


def hessian(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The Hessian of a scalar function: all second derivatives. Forward over reverse mode, all columns at once.

    Args:
        fun: a function with a real scalar result.
        argnums, has_aux: as for `grad`.
        holomorphic: whether `fun` is a holomorphic function of complex arguments.
        chunk_size: how many columns to compute at once, as for `jacobian`.

    Returns:
        A function of the same arguments. For an array, its result has the shape `argument.shape + argument.shape`; for
        containers it is a tree like the argument of trees like the argument. A pair `(hessian, aux)` with `has_aux`.

    >>> hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 1.0, "b": 3.0})["a"]
    {'a': np.float64(6.0), 'b': np.float64(2.0)}
    """
    options = Options(checked_argnums(argnums), has_aux, holomorphic, checked_chunk_size(chunk_size), "forward")
    return Transformed(run_hessian, fun, options, "hessian")


def run_hessian(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    gradient = grad(fun, options.argnums, has_aux=options.has_aux, holomorphic=options.holomorphic)  # type: ignore[call-overload]
    return run_matrix(gradient, options, args, kwargs)


def value_grad_and_hessian(
    fun: Callable[P, Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Transformed[P, Any]:
    """The value, the gradient and the Hessian of a scalar function, from one run.

    Args:
        fun, argnums, has_aux, chunk_size: as for `hessian`.

    Returns:
        A function of the same arguments with the result `(value, gradient, hessian)`; with `has_aux`
        `((value, aux), gradient, hessian)`.

    >>> value_grad_and_hessian(lambda x: x**3)(2.0)
    (8.0, np.float64(12.0), np.float64(12.0))
    """
    options = Options(checked_argnums(argnums), has_aux, False, checked_chunk_size(chunk_size), "forward")
    return Transformed(run_value_grad_and_hessian, fun, options, "value_grad_and_hessian")


def run_value_grad_and_hessian(
    fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    @functools.wraps(fun)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = value_and_grad(fun, options.argnums, has_aux=options.has_aux)(*args, **kwargs)  # type: ignore[call-overload]
        return found, (value, found)

    matrix, (value, found) = run_matrix(gradient, options._replace(has_aux=True), args, kwargs)
    return value, found, matrix


def with_vector(
    fun: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> tuple[tuple[Any, ...], list[Key], list[Any], Any]:
    """The arguments of `fun`, the keys of those that are differentiated, a vector for each, and the vector as given.

    Raises:
        ArgumentError: if no vector is given, or not as many as arguments.
    """
    if not args:
        raise ArgumentError(f"{name} takes the arguments of the function and, last, a vector")
    *rest, vector = args
    keys = keys_of(fun, argnums, tuple(rest), kwargs)
    if not isinstance(argnums, tuple):
        return tuple(rest), keys, [vector], vector
    if not isinstance(vector, tuple | list) or len(vector) != len(keys):
        raise ArgumentError(f"{name} with argnums={argnums!r} takes a tuple of {len(keys)} vectors, one an argument")
    return tuple(rest), keys, list(vector), tuple(vector)


def run_hvp(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    args, keys, vectors, _ = with_vector(fun, options.argnums, args, kwargs, "hvp")
    gradient = grad(fun, options.argnums, has_aux=options.has_aux)  # type: ignore[call-overload]
    run = push(gradient, args, kwargs, keys, vectors, options.has_aux, called="vector for")
    return (run.tangent, run.aux) if options.has_aux else run.tangent


def hvp(fun: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[..., Any]:
    """The product of the Hessian with a vector, by forward over reverse mode, without forming the Hessian.

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


def run_vhp(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    args, keys, _, vector = with_vector(fun, options.argnums, args, kwargs, "vhp")
    run = record(grad(fun, options.argnums, has_aux=options.has_aux), args, kwargs, keys, options.has_aux)  # type: ignore[call-overload]
    vectors = tree.flatten_like(run.structure, vector, "vector")
    paths = run.structure.paths("vector")
    seeds = [conforming(v, g, path, "gradient") for v, g, path in zip(vectors, run.leaves, paths, strict=True)]
    product = bare(run.pull(seeds), options.argnums)
    return (product, run.aux) if options.has_aux else product


def vhp(fun: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[..., Any]:
    """The product of a vector with the Hessian, by reverse over reverse mode.

    The Hessian is symmetric, so this is the number that `hvp` computes, in another way: `hvp` is mostly faster.

    Args:
        fun, argnums, has_aux: as for `hvp`.

    Returns:
        As `hvp`.

    >>> vhp(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 2.])
    """
    return Transformed(run_vhp, fun, Options(checked_argnums(argnums), has_aux), "vhp")


class ModelAndLoss(NamedTuple):
    """What `ggnvp` is of."""

    argnums: Argnums
    loss: Callable[[Any], Any]


def half_squares(out: Any) -> Value:
    """Half of the sum of squares of all leaves."""
    return 0.5 * sum(np.sum(np.real(x * np.conjugate(x))) for x in tree.leaves_of(out))


def run_ggnvp(fun: Callable[..., Any], options: ModelAndLoss, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    args, keys, vectors, _ = with_vector(fun, options.argnums, args, kwargs, "ggnvp")
    moved = push(fun, args, kwargs, keys, vectors, called="vector for")
    curved = push(grad(options.loss), (moved.out,), {}, [0], [moved.tangent])
    run = record(fun, args, kwargs, keys)
    return bare(run.pull(curved.tangents), options.argnums)


def ggnvp(
    fun: Callable[..., Any], loss: Callable[[Any], Any] = half_squares, argnums: Argnums = 0
) -> Transformed[..., Any]:
    """The product of the generalised Gauss-Newton matrix J^T H J with a vector, without forming a matrix.

    J is the Jacobian of the model, H the Hessian of a loss of its results, so this is the Hessian of `loss(fun(x))`
    without the curvature of the model. It is positive semidefinite if the loss is convex. N. Schraudolph, "Fast curvature
    matrix-vector products for second-order gradient descent" (2002).

    Args:
        fun: the model, a function with a pytree as result.
        loss: a function of the model's result with a real scalar result; half of the sum of squares if not given.
        argnums: as for `grad`.

    Returns:
        A function of the model's arguments and, last, of a vector, as for `hvp`.

    >>> a = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]])
    >>> ggnvp(lambda x: a @ x)(np.zeros(2), np.array([1.0, 0.0]))
    array([2., 3.])
    """
    return Transformed(run_ggnvp, fun, ModelAndLoss(checked_argnums(argnums), loss), "ggnvp")


def run_diagonal(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    chosen = Chosen(fun, options.argnums, args, kwargs)
    basis = chosen.basis

    def second(vector: list[Value]) -> Any:
        """The second derivative of each result along a unit vector: by its power series, and at kinks by the conventions
        of forward mode.
        """
        tangents = chosen.trees(vector)
        directions: dict[Key, list[Any]] = {i: [t] for i, t in enumerate(tangents)}
        run = expand_side(chosen, tuple(chosen.values), {}, directions, 2, False, 1)
        if not run.kinks:
            return tree.map(lambda c: 2 * c, run.coefficient(2))

        def first(*values: Any) -> Any:
            return push(chosen, values, {}, list(range(len(values))), tangents).tangent

        return push(first, tuple(chosen.values), {}, list(range(len(tangents))), tangents).tangent

    found: Value = basis.mapped(second, options.chunk_size) if basis.size else np.zeros(0)
    if shape_of(found) != (basis.size,):
        raise DifferentiationError(
            f"hessian_diagonal needs a function with a real scalar result, but got one of shape {shape_of(found)[1:]}; "
            "use jacobian, or sum the result"
        )
    return bare(chosen.trees(basis.blocks(found, (), dtype_of(found))), options.argnums)


def hessian_diagonal(
    fun: Callable[P, Any], argnums: Argnums = 0, *, chunk_size: int | None = None
) -> Transformed[P, Any]:
    """The diagonal of the Hessian: the second derivative with respect to each entry, exactly, without the other entries.

    Args:
        fun: a function with a real scalar result.
        argnums: as for `grad`.
        chunk_size: how many entries to treat at once, as for `jacobian`.

    Returns:
        A function of the same arguments, with a result like the argument (a tuple of such if `argnums` is a tuple).

    Raises:
        DifferentiationError: when called, if the result is no scalar.

    >>> hessian_diagonal(lambda x: np.sum(x**3) + np.prod(x))(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """
    options = Options(checked_argnums(argnums), False, False, checked_chunk_size(chunk_size))
    return Transformed(run_diagonal, fun, options, "hessian_diagonal")


def run_laplacian(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    diagonal = run_diagonal(fun, options._replace(argnums=as_tuple(options.argnums)), args, kwargs)
    return sum(np.sum(leaf) for leaf in tree.leaves_of(diagonal))


def as_tuple(argnums: Argnums) -> tuple[int | str, ...]:
    return argnums if isinstance(argnums, tuple) else (argnums,)


def laplacian(fun: Callable[P, Any], argnums: Argnums = 0, *, chunk_size: int | None = None) -> Transformed[P, Any]:
    """The Laplacian of a scalar function: the sum of its second derivatives with respect to each entry.

    Args:
        fun: a function with a real scalar result.
        argnums: as for `grad`; of several arguments, the sum over all of them.
        chunk_size: how many entries to treat at once, as for `jacobian`.

    Returns:
        A function of the same arguments whose result is a number.

    >>> laplacian(lambda x: np.sum(x**2))(np.ones(3))
    np.float64(6.0)
    """
    options = Options(checked_argnums(argnums), False, False, checked_chunk_size(chunk_size))
    return Transformed(run_laplacian, fun, options, "laplacian")


def run_divergence(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    chosen = Chosen(fun, options.argnums, args, kwargs)
    structure = chosen.structures[0]

    def along(vector: list[Value]) -> Value:
        """The tangent of the result along a unit vector, in the entry of that vector."""
        run = push(fun, args, kwargs, chosen.keys, chosen.trees(vector))
        tangents = tree.flatten_like(structure, run.tangent, "result")
        for leaf, t, path in zip(chosen.leaves, tangents, structure.paths("result"), strict=True):
            if shape_of(leaf) != shape_of(t):
                raise DifferentiationError(
                    f"divergence needs a result like the argument, but {path} has shape {shape_of(t)}, and the argument "
                    f"{shape_of(leaf)}"
                )
        return sum(np.sum(v * t) for v, t in zip(vector, tangents, strict=True) if v is not None)

    if not chosen.basis.size:
        return 0.0
    return np.sum(chosen.basis.mapped(along, options.chunk_size))


def divergence(fun: Callable[P, Any], argnum: int | str = 0, *, chunk_size: int | None = None) -> Transformed[P, Any]:
    """The divergence of a vector field: the trace of its Jacobian.

    Args:
        fun: a function whose result has the tree and shapes of its argument.
        argnum: which argument.
        chunk_size: how many entries to treat at once, as for `jacobian`.

    Returns:
        A function of the same arguments whose result is a number.

    Raises:
        DifferentiationError, TreeError: when called, if the result is not like the argument.

    >>> divergence(lambda x: x**2)(np.array([1.0, 3.0]))
    np.float64(8.0)
    """
    options = Options(checked_argnums(argnum), False, False, checked_chunk_size(chunk_size))
    return Transformed(run_divergence, fun, options, "divergence")
