"""Joining arrays: along an axis that they have, and along a new one."""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.primitive import Primitive, getitem
from xformad.core.typing import Value
from xformad.interpreters import taylor_rules
from xformad.interpreters.batch_rules import defbatch, joining
from xformad.interpreters.jvp_rules import defjvp_joint, jointly_linear
from xformad.interpreters.taylor_rules import deftaylor
from xformad.interpreters.vjp_rules import MOVES
from xformad.operations.makers import variadic

SCALARS = frozenset((float, np.float64))


def concatenate_value(*arrays: Value, axis: int, bounds: tuple[int, ...]) -> Value:
    return np.concatenate(arrays, axis=axis)


def concatenate_vjp(argnum: int, g: Value, _ans: Value, *_arrays: Value, axis: int, bounds: tuple[int, ...]) -> Value:
    cut = slice(bounds[argnum], bounds[argnum + 1])
    return getitem(g, index=(slice(None),) * axis + (cut,) if axis else cut)


def concatenate_vjps(argnums: tuple[int, ...], g: Value, ans: Value, *_arrays: Value, **params: Any) -> list[Value]:
    return [concatenate_vjp(argnum, g, ans, **params) for argnum in argnums]


# `bounds`: where along the axis each array begins, and where the last one ends.
concatenate: Primitive = variadic("concatenate", concatenate_value, concatenate_vjp, many=concatenate_vjps, mask=MOVES)
defjvp_joint(concatenate, jointly_linear(concatenate))
defbatch(concatenate, joining(concatenate))
deftaylor(concatenate, taylor_rules.jointly_linear(concatenate))


def stack_value(*arrays: Value, axis: int) -> Value:
    for array in arrays:
        if type(array) not in SCALARS:
            return np.stack(arrays, axis=axis)
    return np.array(arrays)


def stack_vjp(argnum: int, g: Value, _ans: Value, *_arrays: Value, axis: int) -> Value:
    return getitem(g, index=(slice(None),) * axis + (argnum,) if axis else argnum)


def stack_vjps(argnums: tuple[int, ...], g: Value, ans: Value, *_arrays: Value, axis: int) -> list[Value]:
    return [stack_vjp(argnum, g, ans, axis=axis) for argnum in argnums]


stack: Primitive = variadic("stack", stack_value, stack_vjp, many=stack_vjps, mask=MOVES)
defjvp_joint(stack, jointly_linear(stack))
defbatch(stack, joining(stack))
deftaylor(stack, taylor_rules.jointly_linear(stack))
