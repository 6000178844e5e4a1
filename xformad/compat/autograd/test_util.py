"""Autograd's `autograd.test_util`: derivatives against differences.

>>> import numpy as np
>>> check_grads(lambda x: np.sin(x) * x, modes=["fwd", "rev"])(np.array([0.5, 1.0]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

from xformad import testing
from xformad.compat.autograd.core import floating
from xformad.compat.autograd.core import make_jvp as make_jvp
from xformad.compat.autograd.core import make_vjp as make_vjp
from xformad.compat.autograd.vspaces import vspace
from xformad.compat.autograd.wrap_util import get_name as get_name
from xformad.compat.autograd.wrap_util import unary_to_nary

TOL: Final = 1e-6
RTOL: Final = 1e-6
EPS: Final = 1e-6

MODES: Final[dict[str, testing.Mode]] = {"fwd": "forward", "rev": "reverse"}


def scalar_close(a: Any, b: Any) -> bool:
    """Whether two numbers agree."""
    return bool(abs(a - b) < TOL or abs(a - b) / abs(a + b) < RTOL)


@unary_to_nary
def check_grads(fun: Callable[[Any], Any], x: Any, modes: Sequence[str] = ("fwd", "rev"), order: int = 2) -> None:
    """Check the derivatives of a function, `check_grads(fun, argnum, modes, order)(*args)`.

    Raises:
        AssertionError: where one is wrong.
    """
    assert all(mode in MODES for mode in modes)
    testing.check_grads(fun, (floating(x),), order, [MODES[mode] for mode in modes])


def check_vjp(f: Callable[[Any], Any], x: Any) -> None:
    """Check the reverse mode of `f` at x."""
    check_grads(f, modes=["rev"], order=1)(x)


def check_jvp(f: Callable[[Any], Any], x: Any) -> None:
    """Check the forward mode of `f` at x."""
    check_grads(f, modes=["fwd"], order=1)(x)


def make_numerical_jvp(f: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """The function from a tangent of x to the difference quotient of the result."""
    space, out = vspace(x), vspace(f(x))

    def jvp(v: Any) -> Any:
        above = f(space.add(x, space.scalar_mul(v, EPS / 2)))
        below = f(space.add(x, space.scalar_mul(v, -EPS / 2)))
        return out.scalar_mul(out.add(above, out.scalar_mul(below, -1.0)), 1.0 / EPS)

    return jvp


def check_equivalent(x: Any, y: Any) -> None:
    """Check that two values are of one space, and equal along a random direction."""
    x_space, y_space = vspace(x), vspace(y)
    assert x_space == y_space, f"VSpace mismatch:\nx: {x_space}\ny: {y_space}"
    v = x_space.randn()
    assert scalar_close(x_space.inner_prod(x, v), x_space.inner_prod(y, v)), f"Value mismatch:\nx: {x}\ny: {y}"


def combo_check(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., None]:
    """Check the derivatives for every combination of arguments, each given as a list of them."""

    def check(*choices: Sequence[Any], **named: Sequence[Any]) -> None:
        for chosen in product(*choices):
            for values in product(*named.values()):
                options = dict(zip(named, values, strict=True))
                check_grads(fun, *args, **kwargs)(*chosen, **options)

    return check
