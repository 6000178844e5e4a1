"""Selecting entries by conditions. What is sent to the entry not taken is structurally zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xformad.core.interpreter import shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import defbatch_elementwise
from xformad.interpreters.cotangents import Masked, everywhere
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.taylor_rules import deftaylor
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.makers import nondifferentiable, smooth


def where_vjp_first(g: Value, _ans: Value, condition: Value, _x: Value, _y: Value) -> Masked:
    return sent(g, condition, lambda: where(condition, g, 0))


def where_vjp_second(g: Value, _ans: Value, condition: Value, _x: Value, _y: Value) -> Masked:
    return sent(g, np.logical_not(condition), lambda: where(condition, 0, g))


def sent(g: Value, chosen: Value, rest_zero: Callable[[], Value]) -> Masked:
    """The cotangent of the entries that are taken."""
    full = everywhere(chosen)
    return Masked(g if full else rest_zero(), filling(chosen, g), full)


def filling(mask: Value, g: Value) -> Value:
    """A mask in the shape of a cotangent."""
    shape = shape_of(g)
    return mask if shape_of(mask) == shape else np.broadcast_to(mask, shape)


# The condition is a boolean array.
where: Primitive = smooth("where", np.where, None, where_vjp_first, where_vjp_second, mask=ELEMENTWISE)


def where_jvp(tangents: Tangents, _ans: Value, condition: Value, _x: Value, _y: Value) -> Value:
    _, of_x, of_y = (0 if t is None else t for t in tangents)
    return where(condition, of_x, of_y)


defjvp_joint(where, where_jvp, strict=False)
deftaylor(where, lambda _taylor, ans, condition, x, y: [ans, *series.chosen(condition[0], x[1:], y[1:])])

# NaN and infinities replaced: what the finite entries are is of no account here.
replacement = nondifferentiable("replacement", np.nan_to_num)
defbatch_elementwise(replacement)
