"""`odeint`: solutions of ordinary differential equations, as functions of all that they depend on.

SciPy integrates. The derivatives are solutions of differential equations themselves, so they are integrated, too, as the
same operation one level below, and differentiated in turn:

- forward mode moves the state y with a tangent s along dy/dt = f(y, t, a): ds/dt = (df/dy) s + (df/da) da;
- reverse mode takes the cotangent w of the state back in time, and sums up those of a: dw/dt = -(df/dy)^T w, and
  dq/dt = -(df/da)^T w. The state is integrated back beside it, anew between each two times.

>>> import numpy as np
>>> from xformad import grad
>>> decay = lambda y, t, rate: -rate * y
>>> grad(lambda rate: odeint(decay, 1.0, np.array([0.0, 2.0]), rate)[-1])(0.5)  # -2 exp(-1)
np.float64(-0.735758...)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, final

import numpy as np

from xformad import optional, tree
from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import ArgumentError, ConvergenceError
from xformad.interpreters.batch_rules import Batched, defbatch
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint, zeros_like
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.transformations.calls import floating, is_array
from xformad.transformations.forward import push
from xformad.transformations.matrices import jacobian
from xformad.transformations.pullback import record
from xformad.transformations.transformed import Key
from xformad.transformations.values import value_of
from xformad.transformations.vectors import Layout, VectorFunction, plain_function
from xformad.transformations.vmap import vmap

RightHandSide: TypeAlias = Callable[..., Value]
"""`fun(y, t, *operands)`: the derivative of the state, a vector like it."""

METHODS: Final = ("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA")
ODEPACK: Final = "odeint"
"""`scipy.integrate.odeint`; used by `xformad.scipy.integrate`."""
IMPLICIT: Final = ("Radau", "BDF", "LSODA", ODEPACK)
PRECISION: Final = 100 * float(np.finfo(float).eps)
DRIFT: Final = 100.0
"""How many tolerances the state that was integrated back may be off."""
LOST: Final = 1e3
"""How many times larger than expected the state may become on its way back."""
HALVINGS: Final = 12


@final
class Integrator(NamedTuple):
    """The options of `scipy.integrate.solve_ivp`."""

    method: str
    rtol: float
    atol: float
    options: tuple[tuple[str, Any], ...] = ()


def path_value(y0: Value, t: Value, *operands: Value, fun: RightHandSide, integrator: Integrator) -> Value:
    """The states at the times, in rows, for plain operands."""
    y0, t = np.asarray(y0, np.float64), np.asarray(t, np.float64)
    plain = plain_function(lambda t, y: fun(y, t, *operands), "the function of odeint")
    steps = np.diff(t)
    if not np.isfinite(t).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise ArgumentError(f"odeint: the times t must rise or fall strictly, but are {t} ({user_line()})")
    if len(t) == 1 or not y0.size:
        return np.broadcast_to(y0, (len(t), y0.size)).copy()
    if not np.isfinite(plain(t[0], y0)).all():  # SciPy would go on for ever
        raise stuck(integrator, t[0], "The function returned infinities or NaN.", 1)
    options = dict(integrator.options)
    if integrator.method == ODEPACK:
        return path_by_odepack(plain, y0, t, integrator)
    if integrator.method in IMPLICIT:
        options["jac"] = lambda t, y: jacobian(fun)(y, t, *operands)
    with np.errstate(all="ignore"):  # of steps that are not taken
        found = optional.scipy("integrate", "odeint").solve_ivp(
            plain, (t[0], t[-1]), y0, integrator.method, t, rtol=integrator.rtol, atol=integrator.atol, **options
        )
    if found.status != 0 or not np.isfinite(found.y).all():
        raise stuck(integrator, found.t[-1] if len(found.t) else t[0], found.message, found.nfev)
    states: Value = np.ascontiguousarray(found.y.T)
    return states


def path_by_odepack(plain: Callable[..., Value], y0: Value, t: Value, integrator: Integrator) -> Value:
    """The states by `scipy.integrate.odeint`, whose loop over steps is compiled."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they say is in the message
        states, told = optional.scipy("integrate", "odeint").odeint(
            plain, y0, t, (), None, 0, True, rtol=integrator.rtol, atol=integrator.atol, tfirst=True,
            **dict(integrator.options),
        )  # fmt: skip
    if told["message"] != "Integration successful." or not np.isfinite(states).all():
        ahead = (told["tcur"] - t[1:]) * np.sign(t[-1] - t[0]) >= 0
        last = int(np.argmin(np.append(ahead, False)))  # what is told of later times has no meaning
        raise stuck(integrator, t[last], told["message"], int(told["nfe"][last - 1]) if last else 1)
    return states


def stuck(integrator: Integrator, time: float, message: str, evaluations: int) -> ConvergenceError:
    """The error where an integration does not come to its end."""
    return ConvergenceError(
        f"odeint with method {integrator.method!r} came no further than the time {time:.6g} of those asked for at "
        f"{user_line()}: {message} The solution grows without bound, the function has a singularity or returns NaN, or the "
        "equation is stiff: then use method='Radau', 'BDF' or 'LSODA'",
        evaluations=evaluations,
    )


def path_jvp(
    tangents: Tangents, ans: Value, y0: Value, t: Value, *operands: Value, fun: RightHandSide, integrator: Integrator
) -> Value:
    """The state moves with a tangent s; and along the path, where a time moves."""
    of_y0, of_t, *of_operands = tangents
    keys: list[Key] = [0, *[i for i, moved in enumerate(of_operands, 2) if moved is not None]]
    given = [moved for moved in of_operands if moved is not None]
    size, count = len(y0), len(operands)

    def moving(z: Value, t: Value, *values: Value) -> Value:
        run = push(fun, (z[:size], t, *values[:count]), {}, keys, [z[size:], *values[count:]])
        return np.concatenate([run.out, run.tangent])

    s = zeros_like(y0) if of_y0 is None else of_y0
    if of_t is not None:
        s = s - fun(y0, t[0], *operands) * of_t[0]
    start = np.concatenate([y0, s])
    moved = path.bind(start, t, *operands, *given, fun=moving, integrator=integrator)[:, size:]
    return moved if of_t is None else moved + slopes(fun, ans, t, operands) * of_t[:, None]


def slopes(fun: RightHandSide, states: Value, t: Value, operands: Sequence[Value]) -> Value:
    """The derivative of the state at each time, in rows."""
    return np.stack([fun(states[i], t[i], *operands) for i in range(len(t))])


def path_vjp(
    y0: Value, t: Value, *operands: Value, fun: RightHandSide, integrator: Integrator
) -> tuple[Value, Callable[[Value], Any]]:
    """The adjoint equation, from each time back to the one before."""
    ans = path.bind(y0, t, *operands, fun=fun, integrator=integrator)

    def pullback(g: Value) -> list[Value]:
        adjoint = Adjoint(fun, operands, integrator, len(y0))
        rows = [i for i in range(1, len(t)) if type(g) is Tracer or g[i].any()]
        of_t: list[Value] = [0.0] * len(t)
        w: Value = zeros_like(y0)
        sums: Value = np.zeros(adjoint.layout.size)
        for i, before in zip(reversed(rows), reversed([0, *rows][: len(rows)]), strict=True):
            of_t[i] = g[i] @ fun(ans[i], t[i], *operands)
            w, sums = adjoint.back(ans[i], w + g[i], sums, t[i], t[before], ans[before], HALVINGS)
        if rows:
            of_t[0] = -(w @ fun(y0, t[0], *operands))
        found = iter(adjoint.layout.leaves(sums))
        return [w + g[0], np.stack(of_t), *[next(found) if floating(x) else None for x in operands]]

    return ans, pullback


@final
class Adjoint:
    """The adjoint equation of one right-hand side.

    Args:
        fun, operands: the right-hand side.
        integrator: the options.
        size: the length of the state.

    Attributes:
        layout: how the cotangents of the operands lie in the vector of their sums.
    """

    def __init__(self, fun: RightHandSide, operands: tuple[Value, ...], integrator: Integrator, size: int) -> None:
        self.fun = fun
        self.operands = operands
        self.integrator = integrator
        self.size = size
        self.keys: list[Key] = [0, *[i for i, x in enumerate(operands, 2) if floating(x)]]
        self.layout = Layout([x for x in operands if floating(x)], "operands")

    def rate(self, z: Value, t: Value, *operands: Value, bound: float) -> Value:
        """How the state, its cotangent and the sums change.

        Raises:
            ConvergenceError: if the state is larger than the bound.
        """
        y = z[: self.size]
        if anywhere(np.absolute(y) > bound):
            raise ConvergenceError("the adjoint method of odeint lost the state")
        run = record(self.fun, (y, t, *operands), {}, self.keys)
        of_state, *others = run.pull([z[self.size : 2 * self.size]])
        return np.concatenate([run.out, -of_state, -self.layout.vector(others)])

    def back(
        self, y: Value, w: Value, sums: Value, late: Value, early: Value, before: Value, halvings: int
    ) -> tuple[Value, Value]:
        """The cotangent of the state, and the sums, at an earlier time, at which the state is known.

        Where the state forgets where it came from, it cannot be integrated back for long. Then it is computed forward to
        the middle, from where both halves of the way are shorter.

        Raises:
            ConvergenceError: if the state does not come back to what it was.
        """
        size = self.size
        bound = LOST * (self.reach(y, late, early) + self.reach(before, early, late))
        try:
            z = self.path(np.concatenate([y, w, sums]), late, early, partial(self.rate, bound=bound))
            if not self.strayed(z[:size], before):
                return z[size : 2 * size], z[2 * size :]
        except ConvergenceError:
            pass
        if not halvings:
            raise ConvergenceError(
                f"the adjoint method of odeint at {user_line()} cannot integrate the state back in time, not even over "
                f"1/{2**HALVINGS} of the way between two times: the equation is too stiff for it; use forward mode "
                "(jvp, jacfwd), or give more times"
            )
        middle = 0.5 * (late + early)
        between = self.path(before, early, middle, self.fun)
        w, sums = self.back(y, w, sums, late, middle, between, halvings - 1)
        return self.back(between, w, sums, middle, early, before, halvings - 1)

    def reach(self, y: Value, start: Value, stop: Value) -> float:
        """How large the state may be expected to be between two times: a plain number."""
        straight = np.absolute(y) + np.absolute(self.fun(y, start, *self.operands) * (stop - start))
        return float(np.max(value_of(straight), initial=0.0))

    def path(self, start: Value, first: Value, last: Value, fun: RightHandSide) -> Value:
        return path.bind(start, np.stack([first, last]), *self.operands, fun=fun, integrator=self.integrator)[-1]

    def strayed(self, y: Value, right: Value) -> bool:
        """Whether a state is not what it should be."""
        allowed = DRIFT * (self.integrator.atol + self.integrator.rtol * np.absolute(right))
        return anywhere(np.absolute(y - right) > allowed)


def path_batch(
    size: int, batched: Batched, y0: Value, t: Value, *operands: Value, fun: RightHandSide, integrator: Integrator
) -> Value:
    """The states of all examples are one state. Its error is at most what is allowed, in the mean over all entries; so that
    it is in each example, the tolerance of the whole is smaller.

    Where times differ, or a method solves systems of the size of the state, there is a path for each example.
    """
    if batched[1] or integrator.method in IMPLICIT or not size:
        values = (y0, t, *operands)
        examples = [[x[i] if b else x for x, b in zip(values, batched, strict=True)] for i in range(size)]
        found = [path.bind(*example, fun=fun, integrator=integrator) for example in examples]
        return np.stack(found) if found else np.zeros((0, *shape_of(t)[-1:], *shape_of(y0)[-1:]))
    states = y0 if batched[0] else np.broadcast_to(y0, (size, *shape_of(y0)))
    width = shape_of(states)[1]
    axes = (0, None, *[0 if b else None for b in batched[2:]])

    def together(z: Value, t: Value, *operands: Value) -> Value:
        rates = vmap(fun, axes, axis_size=size)(np.reshape(z, (size, width)), t, *operands)
        return np.reshape(rates, (size * width,))

    share = size**0.5
    stricter = integrator._replace(rtol=max(integrator.rtol / share, PRECISION), atol=integrator.atol / share)
    found = path.bind(np.reshape(states, (size * width,)), t, *operands, fun=together, integrator=stricter)
    return np.moveaxis(np.reshape(found, (shape_of(t)[0], size, width)), 1, 0)


path = Primitive("odeint", path_value)
defvjp_joint(path, path_vjp)
defjvp_joint(path, path_jvp)
defbatch(path, path_batch)


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    method: str = "DOP853",
    rtol: float = 1e-8,
    atol: float = 1e-8,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Integrate a system of ordinary differential equations, dy/dt = func(y, t, *args).

    The solution is differentiated with respect to `y0`, every time in `t`, `args`, and what `func` closes over, in every
    mode and to any order, by integrating the equations of the derivatives: forward sensitivities, and the adjoint
    equation backwards. They are as exact as the tolerances ask for. Computed in double precision.

    Args:
        func: `func(y, t, *args)`, a function of pytrees. It returns the derivative of y, of y's tree and shapes; t is a
            number.
        y0: the state at the time `t[0]`, a pytree of numbers and arrays, which may be complex.
        t: an array of times, which rise or fall strictly.
        args: further arguments, pytrees.
        method: of `scipy.integrate.solve_ivp`: `"DOP853"`, `"RK45"`, `"RK23"`; for stiff equations `"Radau"`, `"BDF"`,
            `"LSODA"`, which get the exact Jacobian.
        rtol, atol: the relative and absolute tolerance of a step.
        options: more options of the method, such as `max_step` and `first_step`.

    Returns:
        The states at all times: a tree like y0, whose leaves have one more axis at the front, as long as `t`.

    Raises:
        ConvergenceError: if the integration fails.
        ArgumentError: if t is not one axis of times that rise or fall, or for an unknown method.
        TreeError: if `func` returns another tree or other shapes than those of y0.
        MissingPackageError: if SciPy is not installed.

    >>> import numpy as np
    >>> swing = lambda y, t: {"angle": y["speed"], "speed": -y["angle"]}
    >>> odeint(swing, {"angle": 1.0, "speed": 0.0}, np.array([0.0, np.pi / 2, np.pi]))["speed"].round(6)
    array([ 0., -1., -0.])
    """
    if method not in METHODS:
        raise ArgumentError(f"odeint: method must be one of {METHODS}, not {method!r}")
    return integrated(func, y0, t, args, Integrator(method, rtol, atol, tuple((options or {}).items())))


def integrated(func: Callable[..., Any], y0: Any, t: Any, args: tuple[Any, ...], integrator: Integrator) -> Any:
    """What `odeint` returns, by an integrator."""
    if not is_array(t):
        t = np.asarray(t)
    if len(shape_of(t)) != 1 or not shape_of(t)[0] or dtype_of(t).kind not in "fiu":
        raise ArgumentError(
            f"odeint: t must be an array of one axis with the times, first that of y0, but has shape {shape_of(t)} and "
            f"dtype {dtype_of(t)}"
        )
    times = t if dtype_of(t) == np.dtype(float) else t.astype(float)
    layout = Layout(y0, "y0")
    function = VectorFunction(
        func, layout, (times[0],), args, lambda result: layout.like(result, "the result of the function of odeint")
    )
    start = layout.vector(tree.leaves_of(y0))
    return layout.tree(path.bind(start, times, *function.operands, fun=function, integrator=integrator))
