"""The logarithm and what is made of it.

A positive number is 2^n m with m between sqrt(1/2) and sqrt(2). With f = m - 1 and s = f / (2 + f), log m =
2 artanh s = f - (f^2 / 2 - s (f^2 / 2 + R(s^2))) with a polynomial R, as in FreeBSD's and Sun's `e_log.c` (P. T. P. Tang,
Table-driven implementation of the logarithm function in IEEE floating-point arithmetic, 1990, without the table).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from xformad.compiler.native.coefficients import coefficients
from xformad.compiler.native.formulas import (
    Number,
    absolute,
    choose,
    fma,
    least,
    polynomial,
    power_of_two,
    signed,
    two_product,
    two_sum,
)
from xformad.compiler.native.functions_exp import LN2, exp, exp2

LOG10_2: Final = Fraction("0.30102999566398119521373889472449302676818988146210854131042746")
LOG10_E: Final = Fraction("0.434294481903251827651128918916605082294397005803666566114453783")

ROOT: Final = 0.7071067811865476


def normalised(x: Number) -> tuple[Number, Number]:
    """n and m with x = 2^n m, for positive x, subnormal ones, too."""
    f = x.formula.format
    tiny = x < f.smallest
    x = choose(tiny, x * 2.0 ** (f.mantissa + 2), x)
    offset = f.bits(ROOT)
    shifted = x.bits() + ((f.bias << f.mantissa) - offset)
    power = 2.0**f.mantissa  # its last bits count ones
    n = ((shifted >> f.mantissa) | f.bits(power)).floats() - choose(
        tiny, power + f.bias + f.mantissa + 2, power + f.bias
    )
    return n, ((shifted & ((1 << f.mantissa) - 1)) + offset).floats()


def log_parts(m: Number) -> tuple[Number, Number, Number]:
    """f, f^2 / 2 and s (f^2 / 2 + R), the difference of which is log m."""
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    return f, half, s * fma(z, polynomial(z, coefficients("log", m.formula)), half)


def limits(x: Number, value: Number, pole: float = 0.0) -> Number:
    """A logarithm's value where it isn't finite: at infinity, at its pole and beneath, at NaN."""
    value = choose(x < float("inf"), value, x)  # infinity, or NaN
    return choose(x > pole, value, choose(x.equals(pole), float("-inf"), float("nan")))


def log(x: Number) -> Number:
    n, m = normalised(x)
    high, low = x.formula.format.parts(LN2, 2)
    f, half, rest = log_parts(m)
    return limits(x, fma(n, high, f - (half - fma(n, low, rest))))


def log_to_base(x: Number, of_two: Fraction, of_e: Fraction) -> Number:
    """The sum of two products, with their rounding errors."""
    n, m = normalised(x)
    f, half, rest = log_parts(m)
    high = f - half
    low = rest + ((f - high) - half)
    first, second = x.formula.format.parts(of_e, 2)
    product = high * first
    missing = fma(high, first, -product) + fma(high, second, low * first)
    if of_two == 1:
        whole = n
    else:
        first, second = x.formula.format.parts(of_two, 2)
        whole = n * first
        missing = missing + fma(n, second, fma(n, first, -whole))
    total, error = two_sum(whole, product)
    return limits(x, total + (error + missing))


def log2(x: Number) -> Number:
    return log_to_base(x, Fraction(1), 1 / LN2)


def log10(x: Number) -> Number:
    return log_to_base(x, LOG10_2, LOG10_E)


def log_of_one_and(x: Number, missing: Number | None, more: Number | None = None) -> Number:
    """log(1 + x + missing) + more * log 2. What rounding takes from 1 + x is added to the logarithm, divided by m."""
    total, error = two_sum(x.formula.constant(1.0), x)
    if missing is not None:
        error = error + missing
    n, m = normalised(total)
    error = error * power_of_two(-least(n, 100.0))  # beyond, there is nothing in it
    if more is not None:
        n = n + more
    high, low = x.formula.format.parts(LN2, 2)
    f, half, rest = log_parts(m)
    inverse = fma(f, fma(f, fma(f, -1.0, 1.0), -1.0), 1.0)  # roughly
    return fma(n, high, f - (half - fma(n, low, fma(error, inverse, rest))))


def log1p(x: Number) -> Number:
    small = absolute(x) < 2.0 ** -(x.formula.format.mantissa + 2)
    return choose(small, x, limits(x, log_of_one_and(x, None), -1.0))


def arcsinh(x: Number) -> Number:
    """log(1 + (|x| + x^2 / (1 + sqrt(1 + x^2))))."""
    double = x.formula.format.mantissa == 52
    size = absolute(x)
    huge = size > 2.0 ** (x.formula.format.mantissa + 2)
    bounded = choose(huge, 1.0, size)
    square = bounded * bounded
    total, error = two_sum(bounded, square / ((square + 1.0).called("sqrt") + 1.0))
    value = log_of_one_and(choose(huge, size, total), choose(huge, -1.0, error), choose(huge, 1.0, size * 0.0))
    value = choose(size < float("inf"), value, size)
    return signed(choose(size < (2.0**-28 if double else 2.0**-13), size, value), x)


def arccosh(x: Number) -> Number:
    """log(1 + (t + sqrt(2 t + t^2))) with t = x - 1."""
    huge = x > 2.0 ** (x.formula.format.mantissa + 2)
    t = choose(huge, 1.0, x - 1.0)
    square, square_error = two_product(t, t)
    below, error = two_sum(t + t, square)
    root = below.called("sqrt")
    rest = fma(-root, root, below) + (error + square_error)
    total, error = two_sum(t, root)
    error = error + choose(root > 0.0, rest / (root + root), 0.0)
    value = log_of_one_and(choose(huge, x, total), choose(huge, -1.0, error), choose(huge, 1.0, t * 0.0))
    return choose(x < float("inf"), choose(x < 1.0, float("nan"), value), x)


def arctanh(x: Number) -> Number:
    """log((1 + |x|) / (1 - |x|)) / 2, the quotient divided by a power of two to be near one before log is taken."""
    size = absolute(x)
    above, below = size + 1.0, 1.0 - size
    n, _ = normalised(above / below)
    power = power_of_two(n)
    exact = size > 0.5  # below is; at smaller ones, the power of two is small
    top = choose(exact, fma(power, -below, above), fma(size, power + 1.0, 1.0 - power))
    s = top / choose(exact, fma(power, below, above), fma(size, 1.0 - power, power + 1.0))
    z = s * s
    high, low = x.formula.format.parts(LN2 / 2, 2)
    rest = s * z * polynomial(z, coefficients("log", x.formula)) * 0.5
    value = fma(n, high, s + fma(n, low, rest))
    value = choose(size < 1.0, value, choose(size.equals(1.0), float("inf"), float("nan")))
    return choose(size < 2.0 ** -(x.formula.format.mantissa // 2 + 2), x, signed(value, x))


def logaddexp(x: Number, y: Number) -> Number:
    """The larger one and log(1 + e^-|x - y|)."""
    larger, smaller = choose(x > y, x, y), choose(x > y, y, x)
    difference = smaller - larger
    value = larger + log1p(exp(difference))
    return choose(x.equals(y), x + x.formula.format.parts(LN2, 1)[0], choose(difference <= 0.0, value, x + y))


def logaddexp2(x: Number, y: Number) -> Number:
    """The larger one and log2(1 + 2^-|x - y|)."""
    larger, smaller = choose(x > y, x, y), choose(x > y, y, x)
    difference = smaller - larger
    value = fma(log1p(exp2(difference)), x.formula.format.parts(1 / LN2, 1)[0], larger)
    return choose(x.equals(y), x + 1.0, choose(difference <= 0.0, value, x + y))


def log_expit(x: Number) -> Number:
    """-log(1 + e^-x)."""
    rest = log1p(exp(-absolute(x)))
    return choose(x < 0.0, x - rest, -rest)
