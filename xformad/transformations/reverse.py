"""Reverse mode: `vjp`, `make_vjp`, `grad`, `value_and_grad`, `elementwise_grad`.

>>> import numpy as np
>>> grad(lambda x: np.sum(np.sin(x) ** 2))(np.array([0.0, 1.0]))
array([0.        , 0.90929743])
>>> grad(grad(lambda x: x**3))(2.0)
np.float64(12.0)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, ParamSpec, TypeVar, final, overload

import numpy as np

from xformad import tree
from xformad.core.interpreter import SCALAR, spec_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_depth
from xformad.core.typing import Value
from xformad.errors import DifferentiationError, IndependentOutputWarning, TreeError
from xformad.transformations.pullback import NUMBERS, Record, ones_like_output, record, scalar_gradient
from xformad.transformations.transformed import Argnums, Key, Transformed, checked_argnums, keys_of

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")


@final
class Options(NamedTuple):
    """The options of the transformations of this file."""

    argnums: Argnums = 0
    has_aux: bool = False
    holomorphic: bool = False


DEFAULT: Final = Options()


def recorded(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Record:
    argnums = options.argnums
    keys: list[Key] = (
        [argnums] if type(argnums) is int and 0 <= argnums < len(args) else keys_of(fun, argnums, args, kwargs)
    )
    return record(fun, args, kwargs, keys, options.has_aux)


def bare(gradients: list[Any], argnums: Argnums) -> Any:
    """The gradients as `argnums` asks for them: an int or a name gives the bare one, a tuple a tuple."""
    return tuple(gradients) if isinstance(argnums, tuple) else gradients[0]


def run_grad(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if options is DEFAULT and len(args) == 1 and not kwargs and type(args[0]) in NUMBERS:
        gradient, run = scalar_gradient(fun, args[0])
        if run is None:
            return gradient
    else:
        run = recorded(fun, options, args, kwargs)
    gradient = bare(run.consume([seed(run, fun, options)]), options.argnums)
    return (gradient, run.aux) if options.has_aux else gradient


def run_value_and_grad(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run = recorded(fun, options, args, kwargs)
    value = run.out
    gradient = bare(run.consume([seed(run, fun, options)]), options.argnums)
    return ((value, run.aux), gradient) if options.has_aux else (value, gradient)


def seed(run: Record, fun: Callable[..., Any], options: Options) -> Value:
    """The cotangent 1 of a scalar result."""
    if run.structure is not tree.LEAF:
        raise DifferentiationError(
            f"grad needs a function with a real scalar result, but {name_of(fun)} returned a "
            f"{type(run.out).__name__}; use jacobian, or return one number"
        )
    node = run.nodes[0]
    if node is not None and node.spec is SCALAR:
        return 1.0
    value = run.leaves[0]
    shape, dtype = spec_of(value)
    if shape != ():
        raise DifferentiationError(
            f"grad needs a function with a real scalar result, but {name_of(fun)} returned an array of shape {shape}; "
            "use jacobian for all its derivatives, elementwise_grad for those of an elementwise function, "
            "or sum the result"
        )
    if dtype.kind == "c" and not options.holomorphic:
        raise DifferentiationError(
            f"grad needs a function with a real scalar result, but {name_of(fun)} returned a {dtype} number; "
            "use holomorphic=True if it is holomorphic, or return its real part, or use jacobian or elementwise_grad"
        )
    if dtype.kind not in "fc" and type(value) is not int:
        raise DifferentiationError(
            f"grad needs a function with a real scalar result, but {name_of(fun)} returned {value!r}, of type "
            f"{type(value).__name__}; return a floating-point number, or use jacobian or elementwise_grad"
        )
    if node is None:
        warn_independent(fun)
    return dtype.type(1) if dtype.kind in "fc" else 1.0


def warn_independent(fun: Callable[..., Any]) -> None:
    warnings.warn(
        f"the result of {name_of(fun)} does not depend on the arguments differentiated: the derivatives are zero",
        IndependentOutputWarning,
        stacklevel=user_depth(),
    )


def name_of(fun: Callable[..., Any]) -> str:
    return getattr(fun, "__name__", "the function")


@overload
def grad(
    fun: Callable[P, Any], argnums: Argnums = ..., *, has_aux: Literal[False] = ..., holomorphic: bool = ...
) -> Transformed[P, Any]: ...
@overload
def grad(
    fun: Callable[P, tuple[Any, A]], argnums: Argnums = ..., *, has_aux: Literal[True], holomorphic: bool = ...
) -> Transformed[P, tuple[Any, A]]: ...
def grad(
    fun: Callable[P, Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Transformed[P, Any]:
    """The gradient of a scalar function.

    Args:
        fun: a function with a real scalar result.
        argnums: the arguments to differentiate with respect to: a position, negative ones counted from the end, or a
            name; or a tuple of these.
        has_aux: whether `fun` returns a pair `(result, aux)`, of which only the first is differentiated.
        holomorphic: whether `fun` is a holomorphic function of a complex argument, with a complex result.

    Returns:
        A function of the same arguments. Its result is the gradient, of the shape, dtype and container of the argument;
        a tuple of gradients if `argnums` is a tuple; a pair `(gradient, aux)` with `has_aux`. For a complex argument
        x + iy it is df/dx - i df/dy.

    Raises:
        DifferentiationError: when called, if the result is not a real scalar or an argument is not differentiable.
        ArgumentError: if `argnums` names no argument.

    >>> grad(lambda x, y: x**2 * y, argnums=(0, 1))(3.0, 5.0)
    (np.float64(30.0), np.float64(9.0))
    """
    options = Options(checked_argnums(argnums), has_aux, holomorphic)
    return Transformed(run_grad, fun, DEFAULT if options == DEFAULT else options, "grad")


@overload
def value_and_grad(
    fun: Callable[P, R], argnums: Argnums = ..., *, has_aux: Literal[False] = ..., holomorphic: bool = ...
) -> Transformed[P, tuple[R, Any]]: ...
@overload
def value_and_grad(
    fun: Callable[P, tuple[R, A]], argnums: Argnums = ..., *, has_aux: Literal[True], holomorphic: bool = ...
) -> Transformed[P, tuple[tuple[R, A], Any]]: ...
def value_and_grad(
    fun: Callable[P, Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Transformed[P, Any]:
    """The value and the gradient of a scalar function, computed together.

    Args:
        fun, argnums, has_aux, holomorphic: as for `grad`.

    Returns:
        A function of the same arguments, with the result `(value, gradient)`, or `((value, aux), gradient)`.

    >>> value_and_grad(lambda x: x**2)(3.0)
    (9.0, np.float64(6.0))
    """
    return Transformed(
        run_value_and_grad, fun, Options(checked_argnums(argnums), has_aux, holomorphic), "value_and_grad"
    )


def run_elementwise(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run = recorded(fun, options, args, kwargs)
    ones = ones_like_output(run, "elementwise_grad")
    if not any(run.nodes):
        warn_independent(fun)
    gradient = bare(run.consume(ones), options.argnums)
    return (gradient, run.aux) if options.has_aux else gradient


def elementwise_grad(fun: Callable[P, Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Transformed[P, Any]:
    """The derivative of an elementwise function, at every element: the gradient of the sum of the result.

    Args:
        fun: a function that acts on each element of an array by itself; broadcasting is allowed.
        argnums, has_aux: as for `grad`.

    Returns:
        A function of the same arguments, with the derivatives in the shape of the argument.

    >>> elementwise_grad(np.tanh)(np.array([0.0, 1.0]))
    array([1.        , 0.41997434])
    """
    return Transformed(run_elementwise, fun, Options(checked_argnums(argnums), has_aux), "elementwise_grad")


@final
class Pullback:
    """The linear map from cotangents of a result to cotangents of the arguments. It may be called any number of times."""

    def __init__(self, run: Record, argnums: Argnums) -> None:
        self.run = run
        self.argnums = argnums

    def __call__(self, cotangent: Any) -> Any:
        """Pull a cotangent back.

        Args:
            cotangent: a pytree like the result, of the same shapes; dtypes are cast.

        Raises:
            TreeError: if the tree or a shape is not that of the result.
        """
        given = tree.flatten_like(self.run.structure, cotangent, "cotangent")
        paths = self.run.structure.paths("cotangent")
        cotangents = [conforming(g, leaf, path) for g, leaf, path in zip(given, self.run.leaves, paths, strict=True)]
        return bare(self.run.pull(cotangents), self.argnums)


def conforming(g: Value, leaf: Value, path: str, of: str = "result") -> Value:
    """A cotangent in the shape and dtype of the leaf that it is for.

    Raises:
        TreeError: if the shape differs, or a complex one is given for a real leaf.
    """
    shape, dtype = spec_of(leaf)
    if type(g) is not Tracer and type(g) is not float:
        g = np.asarray(g)
    found, kind = spec_of(g)
    if found != shape:
        raise TreeError(f"{path} has shape {found}, but the {of} has shape {shape}")
    if kind.kind == "c" and dtype.kind != "c":
        raise TreeError(f"{path} is complex, but the {of} has dtype {dtype}")
    if kind == dtype or dtype.kind not in "fc":
        return g
    return g.astype(dtype) if kind.kind in "fciub" and type(g) is not float else dtype.type(g)


def make_vjp(
    fun: Callable[..., R], *args: Any, argnums: Argnums = 0, has_aux: bool = False, **kwargs: Any
) -> tuple[Any, ...]:
    """Run a function and return the vector-Jacobian product function of that run.

    Args:
        fun: a function of pytrees, with a pytree as result.
        args, kwargs: its arguments.
        argnums: the arguments to differentiate with respect to, as for `grad`.
        has_aux: as for `grad`.

    Returns:
        `(vjp, fun(*args))`, with `has_aux` `(vjp, result, aux)`. `vjp(g)` takes a cotangent like the result and returns
        one like the argument, or a tuple of these if `argnums` is a tuple.

    >>> product, value = make_vjp(lambda x: x**2, np.array([1.0, 3.0]))
    >>> value, product(np.ones(2))
    (array([1., 9.]), array([2., 6.]))
    """
    argnums = checked_argnums(argnums)
    run = recorded(fun, Options(argnums, has_aux), args, kwargs)
    result = (Pullback(run, argnums), owned_out(run))
    return (*result, run.aux) if has_aux else result


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, **kwargs: Any) -> tuple[Any, ...]:
    """Run a function and return its result and the pullback of that run.

    Args:
        fun: a function of pytrees, with a pytree as result.
        primals: its arguments; the pullback is with respect to all of them.
        kwargs: keyword arguments, which are not differentiated.
        has_aux: as for `grad`.

    Returns:
        `(fun(*primals), pullback)`, with `has_aux` `(result, pullback, aux)`. `pullback(g)` takes a cotangent like the
        result and returns a tuple, one cotangent an argument.

    >>> out, pullback = vjp(lambda x, y: x * y, 3.0, 5.0)
    >>> out, pullback(1.0)
    (15.0, (np.float64(5.0), np.float64(3.0)))
    """
    argnums = tuple(range(len(primals)))
    run = recorded(fun, Options(argnums, has_aux), primals, kwargs)
    result = (owned_out(run), Pullback(run, argnums))
    return (*result, run.aux) if has_aux else result


def owned_out(run: Record) -> Any:
    """The result, in memory that the tape does not use."""
    return tree.map(lambda x: x.copy() if type(x) is np.ndarray else x, run.out)
