"""`odeint` and `solve_ivp` with SciPy's signatures, on `xformad.odeint`, which knows the derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.integrate
import scipy.optimize

from xformad import tree
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import ArgumentError, UnsupportedError
from xformad.numpy.implements import as_array
from xformad.transformations.closures import Closure
from xformad.transformations.ode import METHODS, ODEPACK, Integrator, integrated
from xformad.transformations.values import stop_gradient, value_of


def traced(fun: Callable[..., Any], *values: Any) -> bool:
    """Whether a function closes over a traced value, or there is one among the leaves of these."""
    return any(type(leaf) is Tracer for leaf in tree.leaves_of(values)) or bool(Closure(fun).tracers)


def refuse(name: str, given: dict[str, Any], instead: str) -> None:
    """Refuse arguments that are given.

    Raises:
        UnsupportedError: if one is.
    """
    for key, value in given.items():
        if value:
            raise UnsupportedError(
                f"scipy.integrate.{name} with {key}= is not supported on traced values ({user_line()}); {instead}"
            )


def as_tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


def as_state(x: Any) -> Value:
    """An initial value as an array of one axis of floating-point numbers."""
    x = as_array(x)
    x = x if dtype_of(x).kind in "fc" else np.asarray(x, float)
    return np.reshape(x, (-1,))


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    args: Any = (),
    Dfun: Any = None,
    col_deriv: Any = 0,
    full_output: Any = 0,
    ml: Any = None,
    mu: Any = None,
    rtol: Any = None,
    atol: Any = None,
    tcrit: Any = None,
    h0: float = 0.0,
    hmax: float = 0.0,
    hmin: float = 0.0,
    ixpr: Any = 0,
    mxstep: int = 0,
    mxhnil: int = 0,
    mxordn: int = 12,
    mxords: int = 5,
    printmessg: Any = 0,
    tfirst: bool = False,
) -> Value:
    """Integrate a system of ordinary differential equations, as `scipy.integrate.odeint` does.

    `xformad.odeint` takes states that are pytrees, and other methods.

    Args:
        func: `func(y, t, *args)`, with `tfirst` `func(t, y, *args)`. It returns the derivative of y, an array or a list.
        y0: the state at the time `t[0]`, of one axis.
        t: the times, which rise or fall strictly.
        args: further arguments, a tuple.
        Dfun, col_deriv, ml, mu: about the Jacobian; traced integrations do without.
        full_output, tcrit: refused on traced values.
        rtol, atol: the tolerances, 1.49012e-8 if not given; numbers.
        h0, hmax, hmin, mxstep, mxhnil, mxordn, mxords: as SciPy takes them.
        ixpr, printmessg: what to print; nothing, on traced values.
        tfirst: the order of the arguments of func.

    Returns:
        The states at all times, of shape `(len(t), len(y0))`.

    Raises:
        ConvergenceError: if a traced integration fails.
        UnsupportedError: for what is refused.

    >>> from xformad import grad
    >>> pendulum = lambda y, t, b, c: [y[1], -b * y[1] - c * np.sin(y[0])]
    >>> grad(lambda b: odeint(pendulum, [3.0, 0.0], np.linspace(0, 10, 101), (b, 5.0))[-1, 0])(0.25)
    np.float64(3.6446...)
    """
    if not traced(func, y0, t, args, rtol, atol):
        return scipy.integrate.odeint(
            func, y0, t, args, Dfun, col_deriv, full_output, ml, mu, rtol, atol, tcrit, h0, hmax, hmin, ixpr, mxstep,
            mxhnil, mxordn, mxords, printmessg, tfirst,
        )  # fmt: skip
    refuse("odeint", {"full_output": full_output}, "leave it out; if the integration fails, an error tells")
    refuse("odeint", {"tcrit": tcrit is not None}, "integrate up to each of these times, and on from there")
    relative, absolute = (tolerance("odeint", x, 1.49012e-8) for x in (rtol, atol))
    state = as_state(y0)

    def rate(y: Value, t: Value, *args: Any) -> Value:
        found = func(t, y, *args) if tfirst else func(y, t, *args)
        return np.reshape(as_array(found), shape_of(y))

    options = {
        "h0": h0,
        "hmax": hmax,
        "hmin": hmin,
        "mxstep": mxstep,
        "mxhnil": mxhnil,
        "mxordn": mxordn,
        "mxords": mxords,
    }
    integrator = Integrator(ODEPACK, relative, absolute, tuple(options.items()))
    return integrated(rate, state, as_array(t), as_tuple(args), integrator)


def tolerance(name: str, given: Any, default: float) -> float:
    if given is None:
        return default
    if np.ndim(value_of(given)):
        raise UnsupportedError(
            f"scipy.integrate.{name} of traced values takes one tolerance for all components ({user_line()}); scale the "
            "state instead"
        )
    return float(value_of(given))


def solve_ivp(
    fun: Callable[..., Any],
    t_span: Sequence[Any],
    y0: Any,
    method: str = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    **options: Any,
) -> Any:
    """Integrate a system of ordinary differential equations, as `scipy.integrate.solve_ivp` does.

    The default tolerances, 1e-3 and 1e-6, are SciPy's; the derivatives are as exact as the solution.

    Args:
        fun: `fun(t, y, *args)`. It returns the derivative of y, an array or a list.
        t_span: the time at which the state is y0, and that up to which to integrate.
        y0: the state, of one axis, which may be complex.
        method: a method's name.
        t_eval: the times at which the states are returned. If not given, these are the integrator's steps, and their
            times are constants, but the first, which is `t_span[0]`, and the last, which is `t_span[1]`.
        dense_output, events: refused on traced values.
        vectorized: whether fun takes many states at once; of no account on traced values.
        args: further arguments, a tuple.
        options: `rtol`, `atol` (numbers), `max_step`, `first_step`, `min_step`. `jac` is not used on traced values, it is
            computed.

    Returns:
        SciPy's result: `t`, `y` of shape `(len(y0), len(t))`, `success`, `status`, `message`, ...; on traced values without
        the counts of evaluations.

    Raises:
        ConvergenceError: if a traced integration fails.
        UnsupportedError: for what is refused.

    >>> from xformad import grad
    >>> decay = lambda t, y, rate: -rate * y
    >>> final = lambda rate: solve_ivp(decay, (0, 2), [1.0], args=(rate,), rtol=1e-8, atol=1e-8).y[0, -1]
    >>> grad(final)(0.5)  # -2 exp(-1)
    np.float64(-0.735758...)
    """
    if not traced(fun, t_span, y0, t_eval, args, options):
        return scipy.integrate.solve_ivp(
            fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options
        )
    refuse("solve_ivp", {"dense_output": dense_output}, "give the times at which you need the state as t_eval")
    refuse(
        "solve_ivp",
        {"events": events is not None},
        "find the time of the event on plain values, then solve for it with xformad.root",
    )
    if method not in METHODS:
        raise ArgumentError(f"solve_ivp: method must be one of {METHODS} on traced values, not {method!r}")
    refuse("solve_ivp", {k: options.get(k) is not None for k in ("jac_sparsity", "lband", "uband")}, "leave it out")
    chosen = {k: float(value_of(v)) for k, v in options.items() if k in ("max_step", "first_step", "min_step") and v}
    rtol, atol = (tolerance("solve_ivp", options.get(k), d) for k, d in (("rtol", 1e-3), ("atol", 1e-6)))
    integrator = Integrator(method, rtol, atol, tuple(chosen.items()))
    state, rest = as_state(y0), () if args is None else as_tuple(args)

    def rate(y: Value, t: Value, *args: Any) -> Value:
        return np.reshape(as_array(fun(t, y, *args)), shape_of(y))

    def states(y: Value, times: list[Value]) -> Value:
        return integrated(rate, y, np.stack(times), rest, integrator)

    first, last = (as_time(x) for x in t_span)
    if t_eval is None:
        middle = steps(rate, state, (first, last), rest, integrator)
        times = [first, *middle, last]
        found = states(state, times) if len(times) > 1 else state[None]
    else:
        asked = as_array(t_eval)
        times = [as_time(asked[i]) for i in range(shape_of(asked)[0])]
        found = at_times(states, state, first, last, times)
    message = "The solver successfully reached the end of the integration interval."
    return scipy.optimize.OptimizeResult(
        t=np.stack(times) if times else np.zeros(0), y=np.swapaxes(found, 0, 1), sol=None, t_events=None,
        y_events=None, status=0, success=True, message=message,
    )  # fmt: skip


def as_time(x: Any) -> Value:
    return x * 1.0 if type(x) is Tracer else np.float64(x)


def steps(
    rate: Callable[..., Value], state: Value, span: tuple[Value, Value], args: tuple[Any, ...], integrator: Integrator
) -> list[float]:
    """The times of the steps that the integrator takes between the ends, which are found on plain values.

    Raises:
        UnsupportedError: under vmap, whose examples would need different ones.
    """

    def plain(t: float, y: Value) -> Value:
        return value_of(rate(y, t, *args))

    start, ends = value_of(state), [value_of(x) for x in span]
    if np.shape(start) != shape_of(state) or any(np.ndim(x) for x in ends) or np.ndim(plain(ends[0], start)) != 1:
        raise UnsupportedError(
            f"scipy.integrate.solve_ivp without t_eval returns as many states as it takes steps, which differ between the "
            f"examples of vmap ({user_line()}); give it t_eval"
        )
    found = scipy.integrate.solve_ivp(
        plain, ends, start, integrator.method, rtol=integrator.rtol, atol=integrator.atol, **dict(integrator.options)
    )
    middle: list[float] = found.t[1:-1].tolist()
    return middle


def at_times(
    states: Callable[[Value, list[Value]], Value], state: Value, first: Value, last: Value, times: list[Value]
) -> Value:
    """The states at the times asked for, in rows.

    The integration goes on to the last time of the span, as SciPy's does. Where the first time asked for is the first of
    the span, the state there is the initial one. Where one of the two may move, its derivatives are those of an
    integration some way on and back.
    """
    if not times:
        return np.zeros((0, *shape_of(state)))
    start = value_of(first)
    at_start = bool(np.all(value_of(times[0]) == start))
    at_end = bool(np.all(value_of(times[-1]) == value_of(last)))
    span = [first, *(times[1:] if at_start else times), *([] if at_end else [stop_gradient(last)])]
    found = states(state, span) if len(span) > 1 else state[None]
    count = len(times) - at_start
    rows = found[1 : count + 1]
    if not at_start:
        return rows
    here = state
    if type(first) is Tracer or type(times[0]) is Tracer:
        away = stop_gradient(first + 0.1 * (last - first))
        back = states(states(state, [first, away])[-1], [away, times[0]])[-1]
        here = stop_gradient(state) + (back - stop_gradient(back))
    return np.concatenate([here[None], rows])
