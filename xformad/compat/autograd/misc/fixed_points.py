"""Autograd's `autograd.misc.fixed_points`: fixed points of maps, by iteration, differentiable.

>>> from xformad.compat.autograd import grad
>>> root = lambda a: fixed_point(lambda a: lambda x: 0.5 * (x + a / x), a, 1.0, lambda x, y: abs(x - y), 1e-12)
>>> grad(root)(2.0)
np.float64(0.35355339059...)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xformad.compat.autograd.core import make_vjp
from xformad.compat.autograd.primitives import defvjp, primitive
from xformad.compat.autograd.vspaces import vspace

Map = Callable[[Any], Callable[[Any], Any]]


@primitive
def fixed_point(f: Map, a: Any, x0: Any, distance: Callable[[Any, Any], Any], tol: float) -> Any:
    """The x with `x = f(a)(x)`, iterated from `x0` until the distance of two iterates is at most `tol`."""
    step = f(a)
    x, before = step(x0), x0
    while distance(x, before) > tol:
        x, before = step(x), x
    return x


def fixed_point_vjp(
    ans: Any, f: Map, a: Any, x0: Any, distance: Callable[[Any, Any], Any], tol: float
) -> Callable[[Any], Any]:
    """The adjoint is a fixed point too: w = g + w df/dx."""

    def adjoint(params: tuple[Any, Any, Any]) -> Callable[[Any], Any]:
        a, x, g = params
        pull = make_vjp(f(a), x)[0]
        return lambda w: vspace(x).add(pull(w), g)

    pull_back = make_vjp(lambda a: f(a)(ans), a)[0]
    return lambda g: pull_back(fixed_point(adjoint, (a, ans, g), vspace(x0).zeros(), distance, tol))


defvjp(fixed_point, None, fixed_point_vjp, None)
