"""Autograd's operators: `grad`, `jacobian`, `hessian` and the others, with its argument orders and results.

>>> import numpy as np
>>> grad(lambda x, y: np.sum(x * y**2), 1)(np.ones(2), np.array([1.0, 2.0]))
array([2., 4.])
>>> hessian(lambda x: np.prod(x))(np.array([2.0, 3.0]))
array([[0., 1.],
       [1., 0.]])
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

import xformad.transformations.checkpointing as checkpointing
import xformad.transformations.matrices as matrices
import xformad.transformations.second_order as second_order
from xformad import tree
from xformad.compat.autograd.core import floating, recorded
from xformad.compat.autograd.core import make_jvp as make_unary_jvp
from xformad.compat.autograd.core import make_vjp as make_unary_vjp
from xformad.compat.autograd.vspaces import vspace
from xformad.compat.autograd.wrap_util import Argnum, unary_to_nary, wrap_nary_f
from xformad.core.interpreter import dtype_of, spec_of
from xformad.core.typing import Value
from xformad.transformations.pullback import Record, ones_like_output

__all__ = [
    "checkpoint",
    "deriv",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "jacobian",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_jvp_reversemode",
    "make_vjp",
    "multigrad_dict",
    "tensor_jacobian_product",
    "value_and_grad",
    "vector_jacobian_product",
]

make_vjp = unary_to_nary(make_unary_vjp)
make_jvp = unary_to_nary(make_unary_jvp)


def of_run(
    name: str, fun: Callable[..., Any], argnum: Argnum, result: Callable[[Record, Callable[[list[Value]], Any]], Any]
) -> Callable[..., Any]:
    """An operator that is made of one recorded run, and of a function that sends cotangents back through it, once."""
    assert isinstance(argnum, int | tuple | list), argnum
    argnums = (argnum,) if isinstance(argnum, int) else tuple(argnum)

    def operated(*args: Any, **kwargs: Any) -> Any:
        run = recorded(fun, args, kwargs, argnums)

        def back(cotangents: list[Value]) -> Any:
            gradients = run.consume(cotangents)
            return gradients[0] if isinstance(argnum, int) else tuple(gradients)

        return result(run, back)

    operator = functools.partial(of_run)
    operator.__name__ = name  # type: ignore[attr-defined]
    return wrap_nary_f(fun, operator, argnum)(operated)


def scalar_seed(run: Record, name: str) -> list[Value]:
    """The cotangent 1 of a real result of one entry.

    Raises:
        TypeError: for any other result, with Autograd's words.
    """
    if run.structure is tree.LEAF:
        shape, dtype = spec_of(run.leaves[0])
        if dtype.kind != "c" and np.prod(shape) == 1:
            return [np.ones(shape, dtype if dtype.kind == "f" else float) if shape else 1.0]
    raise TypeError(
        f"{name} only applies to real scalar-output functions. Try jacobian, elementwise_grad or holomorphic_grad."
    )


def grad(fun: Callable[..., Any], argnum: Argnum = 0) -> Callable[..., Any]:
    """The gradient of a function with a real result of one entry.

    Args:
        fun: the function.
        argnum: the position of the argument to differentiate with respect to, or a tuple of positions.

    Returns:
        A function of the same arguments. Its result is like the argument, or a tuple of such.

    Raises:
        TypeError: when called, if the result is no real number.
    """
    return of_run("grad", fun, argnum, lambda run, back: back(scalar_seed(run, "Grad")))


def value_and_grad(fun: Callable[..., Any], argnum: Argnum = 0) -> Callable[..., Any]:
    """The value and the gradient, for `scipy.optimize.minimize(..., jac=True)`.

    >>> value_and_grad(lambda x: x**2)(3.0)
    (9.0, np.float64(6.0))
    """

    def both(run: Record, back: Callable[[list[Value]], Any]) -> tuple[Any, Any]:
        value = run.out
        return value, back(scalar_seed(run, "value_and_grad"))

    return of_run("value_and_grad", fun, argnum, both)


def elementwise_grad(fun: Callable[..., Any], argnum: Argnum = 0) -> Callable[..., Any]:
    """The sum of each column of the Jacobian: the derivatives of a function that acts on each element by itself.

    >>> elementwise_grad(np.tanh)(np.array([0.0, 1.0]))
    array([1.        , 0.41997434])
    """

    def summed(run: Record, back: Callable[[list[Value]], Any]) -> Any:
        if any(dtype_of(leaf).kind == "c" for leaf in run.leaves):
            raise TypeError("Elementwise_grad only applies to real-output functions.")
        return back(ones_like_output(run, "elementwise_grad"))

    return of_run("elementwise_grad", fun, argnum, summed)


@unary_to_nary
def deriv(fun: Callable[[Any], Any], x: Any) -> Any:
    """The tangent of the result for a tangent of ones."""
    return make_unary_jvp(fun, x)(vspace(x).ones())[1]


@unary_to_nary
def jacobian(fun: Callable[[Any], Any], x: Any) -> Any:
    """The Jacobian, of shape `result.shape + argument.shape`.

    All rows at once; one after the other, as in Autograd, where a rule of the program's takes plain cotangents only.
    """
    point = floating(x)
    try:
        return matrices.jacobian(fun)(point)
    except Exception as error:  # a rule that calls SciPy, say, may raise anything
        batched = error
    run = recorded(fun, (point,), {}, (0,))
    if run.structure is not tree.LEAF:
        raise batched
    shape, dtype = spec_of(run.leaves[0])
    rows = [run.pull([row])[0] for row in np.eye(int(np.prod(shape)), dtype=dtype).reshape((-1, *shape))]
    return np.reshape(np.stack(rows), shape + spec_of(point)[0])


@unary_to_nary
def hessian(fun: Callable[[Any], Any], x: Any) -> Any:
    """The Jacobian of the Jacobian."""
    try:
        return second_order.hessian(fun)(floating(x))
    except Exception:  # as in `jacobian`, and for results that are no scalars  # noqa: S110
        pass
    return jacobian(jacobian(fun))(x)


@unary_to_nary
def holomorphic_grad(fun: Callable[[Any], Any], x: Any) -> Any:
    """The complex derivative of a holomorphic function."""
    if not vspace(x).iscomplex:
        warnings.warn("Input to holomorphic_grad is not complex", stacklevel=3)
    return grad(lambda x: np.real(fun(x)))(x)


def grad_named(fun: Callable[..., Any], argname: str) -> Callable[..., Any]:
    """The gradient with respect to the argument of that name."""
    return grad(fun, inspect.getfullargspec(fun).args.index(argname))


@unary_to_nary
def make_hvp(fun: Callable[[Any], Any], x: Any) -> Any:
    """The function from a vector to its product with the Hessian, and the gradient."""
    return make_unary_vjp(grad(fun), x)


def hessian_tensor_product(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """The product of the Hessian with a tensor, which is the last argument of the function returned."""
    gradient = grad(fun, argnum)

    def vector_dot_grad(*args: Any, **kwargs: Any) -> Any:
        *rest, vector = args
        return np.tensordot(gradient(*rest, **kwargs), vector, np.ndim(vector))

    return grad(vector_dot_grad, argnum)


hessian_vector_product = hessian_tensor_product


def tensor_jacobian_product(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """The product of a tensor, the last argument of the function returned, with the Jacobian."""

    def vector_dot_fun(*args: Any, **kwargs: Any) -> Any:
        *rest, vector = args
        return np.tensordot(vector, fun(*rest, **kwargs), axes=np.ndim(vector))

    return jacobian(vector_dot_fun, argnum)  # type: ignore[no-any-return]


vector_jacobian_product = tensor_jacobian_product


@unary_to_nary
def make_jvp_reversemode(fun: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """The function from a tangent of x to the tangent of the result."""
    jvp = make_unary_jvp(fun, x)
    return lambda v: jvp(v)[1]


def half_squares(x: Value) -> Value:
    """The loss of least squares."""
    return 0.5 * np.sum(x**2, axis=-1)


def make_ggnvp(f: Callable[..., Any], g: Callable[[Any], Any] = half_squares, f_argnum: int = 0) -> Callable[..., Any]:
    """Products with the generalised Gauss-Newton matrix of `g(f(x))`.

    >>> make_ggnvp(lambda x: x**2)(np.array([1.0, 2.0]))(np.array([1.0, 1.0]))
    array([ 4., 16.])
    """

    @unary_to_nary
    def make(f: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
        def product(v: Any) -> Any:
            return second_order.ggnvp(f, g)(floating(x), v)

        return product

    return make(f, f_argnum)  # type: ignore[no-any-return]


@unary_to_nary
def grad_and_aux(fun: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """The gradient of the first of two results, and the second."""
    vjp, (ans, aux) = make_unary_vjp(lambda x: tuple(fun(x)), x)
    return vjp((vspace(ans).ones(), tree.map(lambda leaf: np.zeros(*spec_of(leaf)), aux))), aux


def multigrad_dict(fun: Callable[..., Any]) -> Callable[..., OrderedDict[str, Any]]:
    """The gradients with respect to all arguments, as a dict from names to gradients.

    >>> dict(multigrad_dict(lambda x, y=2.0: x * y)(3.0))
    {'x': np.float64(2.0), 'y': np.float64(3.0)}
    """
    signature = inspect.signature(fun)

    def gradients(*args: Any, **kwargs: Any) -> OrderedDict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()

        def of_named(named: dict[str, Any]) -> Any:
            call = inspect.BoundArguments(signature, OrderedDict(named))
            return fun(*call.args, **call.kwargs)

        found = grad(of_named)(dict(bound.arguments))
        return OrderedDict((name, found[name]) for name in bound.arguments)

    return gradients


def checkpoint(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The function, run again in the backward pass in place of storing what it computes."""
    return checkpointing.checkpoint(fun)
