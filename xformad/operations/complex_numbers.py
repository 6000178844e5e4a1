"""Complex numbers: parts and conjugates. Cotangents are transposed, not conjugated: see docs/conventions.md."""

from __future__ import annotations

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.taylor_rules import coefficientwise, deftaylor
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.makers import elementwise, smooth

conjugate: Primitive = elementwise("conjugate", np.conjugate, lambda g, _ans, _x: conjugate(g))
deftaylor(conjugate, coefficientwise(conjugate))


def real_vjp(g: Value, _ans: Value, _x: Value) -> Value:
    dtype = dtype_of(_x)
    return g * dtype.type(1) if dtype.kind == "c" else g


def imag_vjp(g: Value, _ans: Value, _x: Value) -> Value:
    dtype = dtype_of(_x)
    return g * dtype.type(-1j) if dtype.kind == "c" else np.zeros(shape_of(g), dtype)


def real_value(x: Value) -> Value:
    part = np.real(x)
    return part.view() if part is x and isinstance(part, np.ndarray) else part  # a view shows whose memory it is


real: Primitive = smooth("real", real_value, real_vjp, mask=ELEMENTWISE)
defjvp(real, lambda t, _ans, _x: real(t))
deftaylor(real, coefficientwise(real))

imag: Primitive = smooth("imag", np.imag, imag_vjp, mask=ELEMENTWISE)
defjvp(imag, lambda t, _ans, _x: imag(t))
deftaylor(imag, coefficientwise(imag))
