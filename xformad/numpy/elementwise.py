"""Faces around the elementwise operations: ufunc methods and keywords, parts of complex numbers, rounding, `sinc`, ..."""

from __future__ import annotations

import importlib
import math
import sys
from typing import Any, Final

import numpy as np

from xformad.core.dispatch import METHODS, UFUNC_METHODS, UFUNCS
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy import folds
from xformad.numpy.implements import as_array, implements, refuse_out
from xformad.numpy.memory import aliased
from xformad.operations import bessel, complex_numbers, discrete, trigonometric

SPECIAL: Final = "xformad.scipy.special"
"""Where the rules of SciPy's ufuncs are. It is above this layer, and imported when one of them is met."""


def call(ufunc: Any, *inputs: Any, where: Any = True, dtype: Any = None, **options: Any) -> Value:
    """A ufunc called with keywords, or one that is a composition."""
    name = ufunc.__name__
    if where is not True:
        raise UnsupportedError(
            f"numpy.{name} with where= is not supported on traced arrays; use numpy.where(mask, numpy.{name}(x), other)"
        )
    if ufunc in COMPOSED and "axis" in options:
        return COMPOSED[ufunc](*map(as_array, inputs), axis=options["axis"])
    unknown = set(options) - {"casting", "order", "subok"}
    if unknown:
        raise UnsupportedError(f"numpy.{name} with {', '.join(sorted(unknown))}= is not supported on traced arrays")
    operands = [as_array(x) for x in inputs]
    if dtype is not None:
        operands = [
            x.astype(dtype) if isinstance(x, Tracer | np.ndarray | np.generic) else np.dtype(dtype).type(x)
            for x in operands
        ]
    primitive = UFUNCS.get(ufunc)
    if primitive is not None:
        return primitive.bind(*operands)
    composed = COMPOSED.get(ufunc)
    if composed is not None:
        return composed(*operands)
    if "scipy.special" in sys.modules and SPECIAL not in sys.modules:  # it may be one of SciPy's
        importlib.import_module(SPECIAL)
        return ufunc(*operands)
    raise UnsupportedError(
        f"numpy ufunc {name} has no rule for traced arrays; compose it of functions that have one (docs/coverage.md "
        "lists them), or make it a primitive with xformad.extend.primitive and defvjp"
    )


def outer(ufunc: Any, a: Any, b: Any, **options: Any) -> Value:
    a, b = as_array(a), as_array(b)
    return ufunc(np.reshape(a, shape_of(a) + (1,) * len(shape_of(b))), b, **options)


UFUNC_METHODS.update({"outer": outer, "reduceat": folds.slices})


def divmod_(x: Value, y: Value) -> tuple[Value, Value]:
    return np.floor_divide(x, y), np.remainder(x, y)


def modf(x: Value) -> tuple[Value, Value]:
    whole = np.trunc(x)
    return np.where(np.isinf(x), 0, x) - np.where(np.isinf(x), 0, whole), whole


def frexp(x: Value) -> tuple[Value, Value]:
    """The exponent is locally constant, so the mantissa is x times a constant."""
    exponent = discrete.exponent(x)
    return np.ldexp(x, -exponent), exponent


COMPOSED: Any = {np.divmod: divmod_, np.modf: modf, np.frexp: frexp}


@implements(np.real, attribute="real")
def real(val: Any) -> Value:
    val = as_array(val)
    return aliased(complex_numbers.real(val), val)


@implements(np.imag, attribute="imag")
def imag(val: Any) -> Value:
    val = as_array(val)
    return aliased(complex_numbers.imag(val), val)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Value:
    z = as_array(z)
    radians = np.arctan2(np.imag(z), np.real(z))
    return radians * (180 / math.pi) if deg else radians


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Value:
    a = as_array(a)
    if dtype_of(a).kind != "c":
        return a
    limit = tol * float(np.finfo(dtype_of(a)).eps) if tol > 1 else tol
    return np.real(a) if np.all(np.absolute(np.imag(a)) < limit) else a


def conj(x: Value) -> Value:
    return np.conjugate(x) if dtype_of(x).kind == "c" else x


METHODS["conj"] = METHODS["conjugate"] = conj


@implements(np.round, np.around, method="round")
def round(a: Any, decimals: int = 0, out: Any = None) -> Value:
    refuse_out(out, "round")
    return discrete.round_(as_array(a), decimals=decimals)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Value:
    refuse_out(out, "fix")
    return np.trunc(x)


@implements(np.sinc)
def sinc(x: Any) -> Value:
    return trigonometric.sinc(as_array(x), order=0)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Value:
    close = np.less_equal(np.absolute(a - b), atol + rtol * np.absolute(b))
    close = np.logical_and(close, np.isfinite(b)) | np.equal(a, b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    return bool(np.all(isclose(as_array(a), as_array(b), rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    a1, a2 = as_array(a1), as_array(a2)
    if shape_of(a1) != shape_of(a2):
        return False
    same = np.equal(a1, a2)
    return bool(np.all(same | (np.isnan(a1) & np.isnan(a2)) if equal_nan else same))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    a1, a2 = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return bool(np.all(np.equal(a1, a2)))


@implements(np.isreal)
def isreal(x: Any) -> Value:
    return np.equal(np.imag(x), 0)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Value:
    return np.not_equal(np.imag(x), 0)


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Value:
    refuse_out(out, "isposinf")
    refuse_complex(x, "isposinf")
    return np.equal(x, np.inf)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Value:
    refuse_out(out, "isneginf")
    refuse_complex(x, "isneginf")
    return np.equal(x, -np.inf)


def refuse_complex(x: Any, name: str) -> None:
    if dtype_of(as_array(x)).kind == "c":
        raise TypeError(f"This operation is not supported for {dtype_of(x)} values because it would be ambiguous.")


implements(method="__lshift__")(lambda x, y: np.left_shift(x, y))
implements(method="__rlshift__")(lambda x, y: np.left_shift(y, x))
implements(method="__rshift__")(lambda x, y: np.right_shift(x, y))
implements(method="__rrshift__")(lambda x, y: np.right_shift(y, x))


@implements(np.i0)
def i0(x: Any) -> Value:
    x = as_array(x)
    if dtype_of(x).kind == "c":
        raise TypeError("i0 not supported for complex values")
    return bessel.i0(x if dtype_of(x).kind == "f" else x.astype(float), order=0)
