"""Makers of primitives, named for their algebra. Each registers the rules that follow from it.

sin = elementwise("sin", np.sin, lambda g, _ans, x: g * cos(x))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xformad.core.dispatch import UFUNCS
from xformad.core.primitive import Primitive
from xformad.core.typing import Implementation, Value, VjpRule
from xformad.core.views import ViewPrimitive
from xformad.interpreters.batch_rules import defbatch_elementwise
from xformad.interpreters.vjp_rules import BROADCAST, ELEMENTWISE, MOVES, TRUST, VjpEntry, vjp_rules


def elementwise(
    primitive: str | Primitive,
    ufunc: Callable[..., Value],
    *vjps: VjpRule | None,
    linear: bool = False,
    singular: bool = False,
) -> Primitive:
    """A primitive that acts element by element and broadcasts its arguments.

    Args:
        primitive: its name; or one of the inert ones of `xformad.core.primitive`, to be given its rules.
        ufunc: the NumPy function that calls it on traced arrays; and its implementation, if it is new.
        vjps: a rule for each argument. Broadcasting and promotion are undone afterwards. None: a zero derivative.
        linear: whether it is linear in each of its arguments.
        singular: whether a derivative may be infinite where it is finite: forward mode does not warn of it.
    """
    if isinstance(primitive, str):
        primitive = Primitive(primitive, ufunc)
    UFUNCS[ufunc] = primitive
    check = TRUST if len(vjps) == 1 else BROADCAST
    vjp_rules[primitive] = VjpEntry(
        dict(enumerate(vjps)), check=check, mask=ELEMENTWISE, specs=False, linear=linear, singular=singular
    )
    defbatch_elementwise(primitive)
    return primitive


def nondifferentiable(primitive: str | Primitive, implementation: Implementation, arguments: int = 1) -> Primitive:
    """A primitive whose derivative is zero wherever it exists: comparisons, rounding, whole-number results.

    Args:
        primitive: its name, or an inert primitive.
        implementation: the NumPy function; if it is a ufunc, traced arrays dispatch to the primitive, and it acts
            element by element.
        arguments: how many it takes.
    """
    if isinstance(primitive, str):
        primitive = Primitive(primitive, implementation)
    if hasattr(implementation, "nin"):
        UFUNCS[implementation] = primitive
        defbatch_elementwise(primitive)
    vjp_rules[primitive] = VjpEntry(dict.fromkeys(range(arguments)), check=TRUST)
    return primitive


def moves(name: str, implementation: Implementation, transpose: VjpRule, *, view: bool = False) -> Primitive:
    """A linear primitive of one array that only moves, repeats, drops or adds up its entries.

    Args:
        name: its name.
        implementation: the NumPy function, parameters by keyword.
        transpose: `transpose(g, _ans, _x, **params)`, the cotangent of the array.
        view: whether the NumPy function returns a view, where it can.
    """
    primitive = (ViewPrimitive if view else Primitive)(name, implementation)
    vjp_rules[primitive] = VjpEntry({0: transpose}, check=TRUST, mask=MOVES, linear=True)
    return primitive


def smooth(name: str, implementation: Implementation, *vjps: VjpRule | None, **options: Any) -> Primitive:
    """A primitive of general form, with a rule an argument.

    Args:
        name: its name.
        implementation: the NumPy function, parameters by keyword.
        vjps: a rule for each argument; None: a zero derivative.
        options: of `VjpEntry`. With `mask=ELEMENTWISE` it acts element by element and broadcasts.
    """
    primitive = Primitive(name, implementation)
    options = {"check": TRUST if len(vjps) == 1 else BROADCAST, **options}
    vjp_rules[primitive] = VjpEntry(dict(enumerate(vjps)), **options)
    if options.get("mask") == ELEMENTWISE:
        defbatch_elementwise(primitive)
    return primitive


def variadic(
    name: str,
    implementation: Implementation,
    rule: VjpRule,
    *,
    many: VjpRule | None = None,
    mask: str = "",
    linear: bool = False,
) -> Primitive:
    """A primitive of any number of arrays, with `rule(argnum, g, ans, *args, **params)`; `many`: see `VjpEntry`."""
    primitive = Primitive(name, implementation)
    vjp_rules[primitive] = VjpEntry(variadic=rule, many=many, check=BROADCAST, mask=mask, linear=linear)
    return primitive
