"""Complex numbers as pairs of real ones: their arithmetic, by the formulas that NumPy computes with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from xformad.compiler.native.entries import BOOL, Entry

Complex: TypeAlias = tuple[Entry, ...]
"""The real and the imaginary part."""


def multiply(x: Complex, y: Complex) -> Complex:
    (a, b), (c, d) = x, y
    return a * c - b * d, a * d + b * c


def divide(x: Complex, y: Complex) -> Complex:
    """By R. L. Smith's algorithm (1962): with the quotient of the divisor's smaller part by its larger one."""
    (a, b), (c, d) = x, y
    real = abs(c) >= abs(d)
    large, small = real.choose(c, d), real.choose(d, c)
    ratio = small / large
    scale = large.like(1.0) / (large + small * ratio)
    first = real.choose(a + b * ratio, a * ratio + b)
    second = real.choose(b - a * ratio, b * ratio - a)
    zero = c.equals(0.0) & d.equals(0.0)
    return zero.choose(a / abs(c), first * scale), zero.choose(b / abs(c), second * scale)


def reciprocal(x: Complex) -> Complex:
    a, b = x
    real = abs(a) >= abs(b)
    large, small = real.choose(a, b), real.choose(b, a)
    ratio = small / large
    whole = large + small * ratio
    return real.choose(whole.like(1.0), ratio) / whole, real.choose(-ratio, ratio.like(-1.0)) / whole


def square(x: Complex) -> Complex:
    a, b = x
    return a * a - b * b, a * b + b * a


def absolute(x: Complex) -> tuple[Entry, ...]:
    return (x[0].calculated("hypot", x[1]),)


def exp(x: Complex) -> Complex:
    """e^a (cos b + i sin b). Where e^a is too large for a number, but not its product with a small cosine, in two steps.

    The exceptional values are those of C99's `cexp`.
    """
    a, b = x
    step = STEPS[a.dtype.char]
    size = a.calculated("minimum", step).calculated("exp")
    rest = (a.calculated("maximum", step) - step).calculated("exp")
    real, imaginary = size * b.calculated("cos") * rest, size * b.calculated("sin") * rest
    known = (b - b).equals(0.0)
    least, most = a.equals(-np.inf), a.equals(np.inf)
    real = known.choose(real, least.choose(0.0, most.choose(np.inf, real)))
    imaginary = known.choose(imaginary, least.choose(b.like(0.0).calculated("copysign", b), imaginary))
    straight = b.equals(0.0)
    return straight.choose(a.calculated("exp"), real), straight.choose(b, imaginary)


STEPS: Final = {"d": 700.0, "f": 80.0}
"""Up to which numbers the exponential is finite, and that of twice of which is infinite, by the dtype's character."""

ARITHMETIC: Final[dict[str, Callable[..., Complex]]] = {
    "add": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "subtract": lambda x, y: (x[0] - y[0], x[1] - y[1]),
    "multiply": multiply,
    "divide": divide,
    "negative": lambda x: (-x[0], -x[1]),
    "conjugate": lambda x: (x[0], -x[1]),
    "exp": exp,
    "square": square,
    "reciprocal": reciprocal,
}
"""Operations with a complex result, of complex operands."""


def of_parts(name: str) -> Callable[[Complex], tuple[Entry, ...]]:
    """Whether something holds for either part."""
    return lambda x: (x[0].calculated(name, dtype=BOOL) | x[1].calculated(name, dtype=BOOL),)


COMPARISONS: Final[dict[str, Callable[..., tuple[Entry, ...]]]] = {
    "equal": lambda x, y: (x[0].equals(y[0]) & x[1].equals(y[1]),),
    "not_equal": lambda x, y: (x[0].differs(y[0]) | x[1].differs(y[1]),),
    "isnan": of_parts("isnan"),
    "isinf": of_parts("isinf"),
    "isfinite": lambda x: (x[0].calculated("isfinite", dtype=BOOL) & x[1].calculated("isfinite", dtype=BOOL),),
}
"""Operations with a truth value as result."""
