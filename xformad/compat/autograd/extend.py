"""Autograd's `autograd.extend`: what programs extend it with.

>>> import numpy as np
>>> from xformad.compat.autograd import grad
>>> @primitive
... def cube(x):
...     return x**3
>>> defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
>>> grad(grad(cube))(2.0)
np.float64(12.0)
"""

from __future__ import annotations

from xformad.compat.autograd.primitives import (
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    notrace_primitive,
    primitive,
)
from xformad.compat.autograd.tracer import Box, JVPNode, VJPNode, register_notrace
from xformad.compat.autograd.vspaces import SparseObject, VSpace, vspace

__all__ = [
    "Box",
    "JVPNode",
    "SparseObject",
    "VJPNode",
    "VSpace",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "notrace_primitive",
    "primitive",
    "register_notrace",
    "vspace",
]
