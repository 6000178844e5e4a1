"""`quad` and `fixed_quad`: integrals of functions, differentiable to any order.

With I(a, b, p) the integral of f(x, p) from a to b, dI = f(b, p) db - f(a, p) da + (the integral of df/dp) dp. That last
integral is one of the same kind, so it is differentiated in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate
from scipy.special import roots_legendre

from xformad import tree
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import DifferentiationError
from xformad.interpreters.batch_rules import Batched, defbatch
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.scipy.integrate.equations import as_time, as_tuple, refuse, traced
from xformad.transformations.calls import floating
from xformad.transformations.forward import push
from xformad.transformations.pullback import record
from xformad.transformations.transformed import Key
from xformad.transformations.values import value_of
from xformad.transformations.vectors import Layout, VectorFunction, plain_function

Integrand = Callable[..., Value]
"""`fun(x, *operands)`: a vector, of x, a vector of one entry."""

Options = tuple[tuple[str, Any], ...]


def integral_value(a: Value, b: Value, *operands: Value, fun: Integrand, options: Options) -> tuple[Value, Value]:
    """The integrals of the components, and an estimate of the error."""
    plain = plain_function(lambda x: fun(np.array([x]), *operands), "the function of quad")
    chosen = dict(options)
    a, b = float(a), float(b)
    at = next((x for x in (0.5 * (a + b), a, b) if np.isfinite(x)), 0.0)
    size = len(plain(at))
    if size == 1:
        value, error, *_ = scipy.integrate.quad(lambda x: float(plain(x)[0]), a, b, **chosen)
        return np.array([value]), np.float64(error)
    chosen = {"epsabs": chosen["epsabs"], "epsrel": chosen["epsrel"], "points": chosen["points"]}
    value, error = scipy.integrate.quad_vec(plain, a, b, norm="max", **chosen)
    return value, np.float64(error)


def at_limit(fun: Integrand, limit: Value, operands: tuple[Value, ...]) -> Value:
    """The integrand at a limit; zero at an infinite one."""
    finite = np.isfinite(limit)
    found = fun(np.reshape(np.where(finite, limit, 0.0), (1,)), *operands)
    return np.where(finite, found, 0.0)


def integral_jvp(
    tangents: Tangents, ans: Value, a: Value, b: Value, *operands: Value, fun: Integrand, options: Options
) -> tuple[Value, None]:
    of_a, of_b, *of_operands = tangents
    keys: list[Key] = [i for i, moved in enumerate(of_operands, 1) if moved is not None]
    given = [moved for moved in of_operands if moved is not None]
    count = len(operands)
    total: Value = 0.0

    def moving(x: Value, *values: Value) -> Value:
        return push(fun, (x, *values[:count]), {}, keys, list(values[count:])).tangent

    if given:
        total = integral.bind(a, b, *operands, *given, fun=moving, options=options)[0]
    if of_b is not None:
        total = total + at_limit(fun, b, operands) * of_b
    if of_a is not None:
        total = total - at_limit(fun, a, operands) * of_a
    return total, None


def integral_vjp(
    a: Value, b: Value, *operands: Value, fun: Integrand, options: Options
) -> tuple[tuple[Value, Value], Callable[[Any], Any]]:
    ans = integral.bind(a, b, *operands, fun=fun, options=options)
    keys: list[Key] = [i for i, x in enumerate(operands, 1) if floating(x)]
    layout = Layout([x for x in operands if floating(x)], "operands")

    def pulled(x: Value, g: Value, *operands: Value) -> Value:
        return layout.vector(record(fun, (x, *operands), {}, keys).consume([g]))

    def pullback(g: tuple[Value, Value]) -> list[Value]:
        w = g[0]
        found = iter(())
        if keys:
            sums = integral.bind(a, b, w, *operands, fun=pulled, options=options)[0]
            found = iter(layout.leaves(sums))
        ends = [-np.sum(w * at_limit(fun, a, operands)), np.sum(w * at_limit(fun, b, operands))]
        return [*ends, *[next(found) if floating(x) else None for x in operands]]

    return ans, pullback


def integral_batch(
    size: int, batched: Batched, *values: Value, fun: Integrand, options: Options
) -> tuple[Value, Value]:
    """Each integral is computed for itself, since each needs as many points as it needs."""
    examples = [[x[i] if b else x for x, b in zip(values, batched, strict=True)] for i in range(size)]
    found = [integral.bind(*example, fun=fun, options=options) for example in examples]
    if not found:
        return np.zeros((0, 1)), np.zeros(0)
    return np.stack([value for value, _ in found]), np.stack([error for _, error in found])


integral = Primitive("integral", integral_value, multiple=True)
defvjp_joint(integral, integral_vjp)
defjvp_joint(integral, integral_jvp)
defbatch(integral, integral_batch)


def one_number(found: Any) -> Value:
    """The result of an integrand, as a vector of one entry.

    Raises:
        DifferentiationError: if it is not one real number.
    """
    leaves = tree.leaves_of(found)
    shape = shape_of(leaves[0]) if len(leaves) == 1 else ()
    if len(leaves) != 1 or shape not in ((), (1,)) or dtype_of(leaves[0]).kind == "c":
        raise DifferentiationError(
            f"quad needs an integrand with a real number as result, but it returned {found!r} ({user_line()}); integrate "
            "each component, and the real and the imaginary part, for itself"
        )
    return np.reshape(leaves[0], (1,)) * 1.0


def quad(
    func: Callable[..., Any],
    a: Any,
    b: Any,
    args: Any = (),
    full_output: Any = 0,
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
    points: Any = None,
    weight: Any = None,
    wvar: Any = None,
    wopts: Any = None,
    maxp1: int = 50,
    limlst: int = 50,
    complex_func: bool = False,
) -> Any:
    """The integral of a function from a to b, as `scipy.integrate.quad` computes it.

    It is differentiated with respect to both limits, to `args`, and to what `func` closes over. The derivatives are
    integrals, computed to the same tolerances.

    Args:
        func: `func(x, *args)`, with a real number as result.
        a, b: the limits, which may be infinite.
        args: further arguments, a tuple.
        full_output, weight, wvar, wopts, complex_func: as SciPy takes them; refused on traced values.
        epsabs, epsrel, limit, maxp1, limlst: as SciPy takes them.
        points: where the integrand has kinks or jumps, or is singular; constants.

    Returns:
        `(value, error)`; the estimate of the error is not differentiated.

    Raises:
        DifferentiationError: if the result of func is not one real number.
        UnsupportedError: for what is refused.

    >>> from xformad import grad
    >>> grad(lambda b: quad(np.cos, 0.0, b)[0])(1.0)  # cos(1)
    np.float64(0.5403023058681398)
    """
    if not traced(func, a, b, args):
        return scipy.integrate.quad(
            func,
            a,
            b,
            args,
            full_output,
            epsabs,
            epsrel,
            limit,
            points,
            weight,
            wvar,
            wopts,
            maxp1,
            limlst,
            complex_func,
        )
    refuse("quad", {"full_output": full_output}, "leave it out")
    refuse("quad", {"weight": weight}, "multiply the integrand by the weight")
    refuse("quad", {"complex_func": complex_func}, "integrate the real and the imaginary part, each for itself")
    breaks = None if points is None else tuple(np.ravel(value_of(points)).tolist())
    options = {"epsabs": epsabs, "epsrel": epsrel, "limit": limit, "points": breaks, "maxp1": maxp1, "limlst": limlst}
    function = VectorFunction(func, Layout(0.0, "x"), (), as_tuple(args), one_number)
    found, error = integral.bind(
        as_time(a), as_time(b), *function.operands, fun=function, options=tuple(options.items())
    )
    return found[0], value_of(error) if type(error) is Tracer else error


def fixed_quad(func: Callable[..., Any], a: Any, b: Any, args: Any = (), n: int = 5) -> tuple[Value, None]:
    """The integral of a function from a to b by Gauss' rule, as `scipy.integrate.fixed_quad` computes it.

    Args:
        func: `func(x, *args)`, of an array of points; the last axis of its result belongs to them.
        a, b: the limits, finite ones.
        args: further arguments, a tuple.
        n: how many points.

    Returns:
        `(value, None)`.

    Raises:
        ValueError: for an infinite limit.

    >>> from xformad import grad
    >>> grad(lambda b: fixed_quad(lambda x: x**8, 0.0, b)[0])(1.0)
    np.float64(0.99999...)
    """
    if not np.all(np.isfinite(a)) or not np.all(np.isfinite(b)):
        raise ValueError("Gaussian quadrature is only available for finite limits.")
    x, w = roots_legendre(n)
    half = (b - a) / 2.0
    return half * np.sum(w * func(half * (x + 1) + a, *as_tuple(args)), axis=-1), None
