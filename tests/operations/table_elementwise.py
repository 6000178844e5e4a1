"""Rows for the elementwise operations: every floating-point ufunc of NumPy, and functions like them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from xformad import ConcretizationError, UnsupportedError

X = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6]])
P = np.array([0.4, 1.7, 3.1])
U = np.array([-0.6, 0.2, 0.9])
SIZES: dict[str, Any] = {
    "": X,
    "0-d": 0.7,
    "empty": np.zeros((0, 3)),
    "strided": np.linspace(-2.3, 2.9, 12).reshape(3, 4).T[::2],
}

ANYWHERE: list[tuple[Any, bool]] = [
    (np.negative, True), (np.positive, True), (np.square, True), (np.exp, True), (np.exp2, False), (np.expm1, True),
    (np.sin, True), (np.cos, True), (np.sinh, True), (np.cosh, True), (np.tanh, True), (np.arctan, True),
    (np.arcsinh, True), (np.deg2rad, False), (np.rad2deg, False), (np.radians, False), (np.degrees, False),
    (np.absolute, True), (np.fabs, False), (np.conjugate, True), (np.real, True), (np.imag, True), (np.sinc, False),
]  # fmt: skip
POSITIVE: list[tuple[Any, bool]] = [
    (np.log, True), (np.log2, True), (np.log10, True), (np.log1p, True), (np.sqrt, True), (np.cbrt, False),
    (np.reciprocal, True),
]  # fmt: skip


def fix(x: Any) -> Any:
    """`numpy.fix`, which newer versions deprecate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.fix(x)


ROUNDING: list[Any] = [np.floor, np.ceil, np.trunc, np.rint, np.round, fix, np.sign]
PAIRS: list[tuple[Any, bool]] = [
    (np.add, True), (np.subtract, True), (np.multiply, True), (np.divide, True), (np.arctan2, False),
    (np.hypot, False), (np.logaddexp, False), (np.logaddexp2, False), (np.maximum, False), (np.minimum, False),
    (np.fmax, False), (np.fmin, False), (np.remainder, False), (np.fmod, False), (np.copysign, False),
]  # fmt: skip
Y = np.array([[0.8, 2.3, -1.1], [0.6, 1.3, 1.4]])
SHAPES: dict[str, tuple[Any, Any]] = {
    "": (X, Y),
    "rows": (X, Y[0]),
    "columns": (X[:, :1], Y[1]),
    "scalar": (X, 1.25),
    "empty": (np.zeros((0, 3)), Y[0]),
}

CASES = [
    *(Case(f"{f.__name__} {size}", f, (x,), complex=c) for f, c in ANYWHERE for size, x in SIZES.items()),
    *(
        Case(f"{f.__name__} {size}", lambda x, f=f: f(np.abs(x) + 0.3), (x,))
        for f, _ in POSITIVE
        for size, x in SIZES.items()
    ),
    *(Case(f"{f.__name__} complex", f, (P,), complex=True) for f, c in POSITIVE if c),
    *(Case(f"{f.__name__} shift", lambda x, f=f: x * f(x), (X,)) for f in ROUNDING),
    *(Case(f"{f.__name__} {name}", f, xy, complex=c) for f, c in PAIRS for name, xy in SHAPES.items()),
    *(
        Case(f"{f.__name__} of one array", lambda x, f=f: f(x, x), (P,))
        for f in (np.add, np.multiply, np.divide, np.subtract)
    ),
    Case("tan", np.tan, (U,), complex=True),
    Case("arcsin", np.arcsin, (U,), complex=True),
    Case("arccos", np.arccos, (U,), complex=True),
    Case("arctanh", np.arctanh, (U,), complex=True),
    Case("arccosh", np.arccosh, (P + 1,), complex=True),
    Case("angle", np.angle, (X[0],), complex=True),
    Case("angle in degrees", lambda x: np.angle(x + 1j, deg=True), (X,)),
    Case("sign complex", lambda x: np.sign(x + 0.5j), (X,), complex=True),
    Case("power", np.power, (P, Y[0]), complex=True),
    Case("power broadcast", lambda x, y: x**y, (P[:, None], Y[1])),
    *(
        Case(f"power {n}", lambda x, n=n: x**n, (X,), complex=True, order=3)
        for n in (0, 1, 2, 3, -1, -2, 0.0, 2.0, 3.0)
    ),
    *(Case(f"power {n!r}", lambda x, n=n: x**n, (P,), complex=True) for n in (0.5, -1.5, np.float64(2), np.int64(3))),
    Case("power of array of whole numbers", lambda x: x ** np.array([0, 1, 2]), (X,)),
    Case("power of a constant", lambda y: 2.0**y, (Y,), complex=True),
    Case("float_power", np.float_power, (P, Y[0]), single=False),
    Case("ldexp", lambda x: np.ldexp(x, np.array([1, -2, 3])), (P,)),
    Case("heaviside", lambda x, y: x * np.heaviside(x, y), (X, Y)),
    Case("divmod", lambda x, y: divmod(x, y)[1] * divmod(x, y)[0], (X, np.abs(Y))),
    Case("np.divmod", lambda x, y: np.divmod(x, y)[1], (X, np.abs(Y))),
    Case("modf", lambda x: np.modf(x)[0] * x + np.modf(x)[1], (X,)),
    Case("frexp", lambda x: np.frexp(x)[0] * x, (P,)),
    Case("remainder operator", lambda x, y: x % y + x // y, (X, np.abs(Y))),
    Case("mod reversed", lambda y: 7.3 % y, (P,)),
    Case("operators with constants", lambda x: (2 * x + 1 - x / 3) / (1 + x * x) - (3 - x), (X,), complex=True),
    Case("reversed operators with arrays", lambda x: Y - x + Y * x + Y / x, (X,), complex=True),
    Case("operators with lists", lambda x: x * [1, 2, 3] + [[4], [5]], (X,)),
    Case("dtype keyword", lambda x: np.add(x, 1.0, dtype=np.float64), (X,), single=False),
    Case("multiply.outer", np.multiply.outer, (P, Y)),
    Case("add.outer", np.add.outer, (P, Y)),
    Case("real and imag attributes", lambda x: x.real * 2 + x.imag, (X,), complex=True),
    Case("conj method", lambda x: x * x.conj(), (X,), complex=True),
    Case("complex from real", lambda x: np.abs(np.exp(1j * x) + x), (X,)),
    Case("real part of a complex product", lambda x: np.real(np.exp(2j * x) * (x + 1j)), (X,)),
    Case("real_if_close", lambda x: np.real_if_close(x * (1 + 0j)), (X,)),
    Case("comparison decides", lambda x: x * (x > 0.5) + np.logical_not(x > 0.5), (X,)),
]

REFUSED = [
    Refused(
        "out=", lambda x: np.add(x, 1.0, out=np.empty((2, 3))), (X,), ConcretizationError, "values into a plain array"
    ),
    Refused(
        "where=", lambda x: np.log(x, where=x > 0), (P,), UnsupportedError, "use numpy.where(mask, numpy.log(x), other)"
    ),
    Refused("at", lambda x: np.add.at(x, [0], 1.0), (P,), UnsupportedError, "would write into an argument"),
]
