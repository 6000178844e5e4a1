"""The exponential function and what is made of it.

An argument is x = n log 2 + r with |r| <= log(2) / 2, and e^r = 1 + r + r^2 q(r) with a polynomial q (P. T. P. Tang,
Table-driven implementation of the exponential function in IEEE floating-point arithmetic, 1989, without the table). The
multiple of log 2 is subtracted in two steps, the first of which is exact in fused arithmetic.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from xformad.compiler.native.coefficients import coefficients
from xformad.compiler.native.formulas import (
    Number,
    Operand,
    absolute,
    choose,
    fast_two_sum,
    fma,
    greatest,
    least,
    polynomial,
    power_of_two,
    rounded,
    signed,
    two_sum,
)

LN2: Final = Fraction("0.693147180559945309417232121458176568075500134360255254120680009")


def split(x: Number) -> tuple[Number, Number, Number]:
    """n, r, and what is missing from r, with x = n log 2 + r."""
    f = x.formula.format
    high, low = f.parts(LN2, 2)
    n = fma(x, f.parts(1 / LN2, 1)[0], f.shifter) - f.shifter
    first = fma(n, -high, x)
    r = fma(n, -low, first)
    return n, r, fma(n, -low, first - r)


def tail(r: Number, missing: Number) -> Number:
    """e^r - 1 - r."""
    return fma(r * r, polynomial(r, coefficients("exp", r.formula)), missing)


def scaled(mantissa: Number, n: Number) -> Number:
    """mantissa * 2^n. In two steps, so that subnormal numbers and infinity come out right, rounded once."""
    half = rounded(n * 0.5)
    return (mantissa * power_of_two(half)) * power_of_two(n - half)


def exp(x: Number) -> Number:
    double = x.formula.format.mantissa == 52
    n, r, missing = split(least(greatest(x, -750.0 if double else -105.0), 710.0 if double else 89.0))
    return scaled(1.0 + (r + tail(r, missing)), n)


def exp2(x: Number) -> Number:
    f = x.formula.format
    x = least(greatest(x, -1080.0 if f.mantissa == 52 else -152.0), f.bias + 1.0)
    n = rounded(x)
    fraction = x - n
    high, low = f.parts(LN2, 2)
    r = fraction * high
    return scaled(1.0 + (r + tail(r, fma(fraction, low, fma(fraction, high, -r)))), n)


def expm1_parts(x: Number, halvings: int) -> tuple[Number, Number]:
    """(e^x - 1) / 2^halvings, as the sum of two numbers, the second of which is less than half as large."""
    n, r, missing = split(x)
    power = power_of_two(n - halvings)
    high, error = fast_two_sum(power - 0.5**halvings, power * r)  # the difference is exact, or much larger
    return high, fma(power, tail(r, missing), error)


def expm1(x: Number) -> Number:
    double = x.formula.format.mantissa == 52
    bounded = least(greatest(x, -40.0 if double else -20.0), 709.79 if double else 88.73)
    high, low = expm1_parts(bounded, 1)
    small = absolute(x) < x.formula.format.smallest * 2.0**30  # a half of it might be rounded
    return choose(small, x, signed((high + low) * 2.0, x))


def sinh(x: Number) -> Number:
    """(t + t / (t + 1)) / 2 with t = e^|x| - 1. A quarter of t does not overflow where the result doesn't."""
    double = x.formula.format.mantissa == 52
    size = absolute(x)
    high, low = fast_two_sum(*expm1_parts(least(size, 710.5 if double else 89.5), 2))
    below, error = two_sum(high * 4.0, x.formula.constant(1.0))
    rest = quotient(high, low, below, fma(low, 4.0, error))
    value = (high + (choose(size < 40.0, rest, 0.0) + low)) * 2.0
    return signed(choose(size < (2.0**-28 if double else 2.0**-13), size, value), x)


def cosh(x: Number) -> Number:
    double = x.formula.format.mantissa == 52
    n, r, missing = split(least(absolute(x), 710.5 if double else 89.5))
    power = power_of_two(n - 2.0)
    high, error = fast_two_sum(power, power * r)
    high, low = fast_two_sum(high, fma(power, tail(r, missing), error))
    return (high + (low + 0.0625 / high)) * 2.0


def tanh(x: Number) -> Number:
    """t / (t + 2) = 1 - 2 / (t + 2) with t = e^2|x| - 1. The quotient is corrected by its remainder."""
    double = x.formula.format.mantissa == 52
    size = absolute(x)
    high, low = fast_two_sum(*expm1_parts(least(size + size, 44.0 if double else 20.0), 0))
    large = size > 0.55
    below, error = fast_two_sum(2.0, high)
    value = quotient(choose(large, 2.0, high), choose(large, 0.0, low), below, error + low)
    return signed(choose(large, 1.0 - value, value), x)


def quotient(above: Number, above_low: Operand, below: Number, below_low: Operand) -> Number:
    """The quotient of two sums of two numbers: that of their first ones, corrected by what remains."""
    inverse = 1.0 / below
    value = above * inverse
    return fma(fma(-value, below, above) + (above_low - value * below_low), inverse, value)


def expit(x: Number) -> Number:
    """1 / (1 + e^-x)."""
    power = exp(-absolute(x))
    below, error = fast_two_sum(1.0, power)
    return quotient(choose(x < 0.0, power, 1.0), 0.0, below, error)
