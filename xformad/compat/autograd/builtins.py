"""Autograd's `autograd.builtins`: `isinstance` and `type` that see through tracers.

Containers of traced values are plain containers here, so `list`, `tuple` and `dict` are Python's.
"""

from __future__ import annotations

import builtins
from typing import Any

from xformad.compat.autograd.tracer import Box, TracedMeta, container_take, getval, make_sequence
from xformad.compat.autograd.vspaces import (
    ContainerVSpace,
    DictVSpace,
    ListVSpace,
    NamedTupleVSpace,
    SequenceVSpace,
    TupleVSpace,
)

__all__ = [
    "ContainerVSpace",
    "DictBox",
    "DictVSpace",
    "ListVSpace",
    "NamedTupleVSpace",
    "SequenceBox",
    "SequenceVSpace",
    "TupleVSpace",
    "container_take",
    "dict",
    "isinstance",
    "list",
    "make_sequence",
    "tuple",
    "type",
]

isinstance_, type_ = builtins.isinstance, builtins.type
dict = dict_ = builtins.dict
list = list_ = builtins.list
tuple = tuple_ = builtins.tuple


def isinstance(x: Any, kinds: Any) -> bool:
    """Python's `isinstance`, of the value of what is traced.

    >>> from xformad.compat.autograd import grad
    >>> grad(lambda x: x**2 if isinstance(x, float) else x)(3.0)
    np.float64(6.0)
    """
    return builtins.isinstance(getval(x), kinds)


def type(x: Any, *rest: Any) -> Any:
    """Python's `type`, of the value of what is traced."""
    return builtins.type(x, *rest) if rest else builtins.type(getval(x))


class NeverMeta(TracedMeta):
    """`isinstance(x, SequenceBox)`: no container is traced as a whole."""

    def __instancecheck__(cls, instance: object) -> bool:
        return False


class SequenceBox(Box, metaclass=NeverMeta):
    """Traced lists and tuples, which do not exist here: their entries are traced."""


class DictBox(Box, metaclass=NeverMeta):
    """Traced dicts, which do not exist here: their values are traced."""
