"""The error function and its complement.

Near zero, erf x = x + x P(x^2); further out 1 - e^T(|x|), of which an error counts the less the larger x is. The
complement is e^(-x^2) (1 + P(q)) / (1 + 2 x) with q = (x - 4) / (x + 4), one polynomial for all x >= 0 (J. L. Schonfelder,
Chebyshev expansions for the error and related functions, 1978; M. M. Shepherd and J. G. Laframboise, Chebyshev
approximation of (1 + 2 x) exp(x^2) erfc x, 1981).
"""

from __future__ import annotations

from xformad.compiler.native.coefficients import coefficients
from xformad.compiler.native.formulas import (
    Number,
    absolute,
    choose,
    fast_two_sum,
    fma,
    greatest,
    least,
    polynomial,
    power_of_two,
    signed,
    two_product,
    two_sum,
)
from xformad.compiler.native.functions_exp import quotient, scaled, split, tail


def erf(x: Number) -> Number:
    size = absolute(x)
    near = fma(x, polynomial(x * x, coefficients("erf", x.formula)), x)
    bounded = least(greatest(size, 1.0), 5.95)
    n, r, missing = split(polynomial(bounded, coefficients("erf_tail", x.formula)))
    rest = (1.0 + (r + tail(r, missing))) * power_of_two(n)
    return choose(size >= 1.0, signed(1.0 - rest, x), near)


def erfc(x: Number) -> Number:
    size = least(absolute(x), 27.3)
    square, square_low = two_product(size, size)
    n, r, missing = split(-square)
    r, missing = fast_two_sum(r, missing - square_low)
    above, above_error = two_sum(size, x.formula.constant(-4.0))
    below, below_error = two_sum(size, x.formula.constant(4.0))
    q = quotient(above, above_error, below, below_error)
    above, above_error = fast_two_sum(1.0, polynomial(q, coefficients("erfc", x.formula)))
    below, below_error = two_sum(size + size, x.formula.constant(1.0))
    factor = quotient(above, above_error, below, below_error)
    high, low = fast_two_sum(1.0, r + tail(r, missing))
    value = scaled(fma(factor, high, factor * low), n)
    return choose(x < 0.0, 2.0 - value, value)
