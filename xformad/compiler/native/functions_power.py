"""Powers and roots.

x^y = e^(y log x). An error of the exponent, which may be 700, is multiplied by it, so that log x is computed as a sum of two
numbers to 65 bits: log m = 2 s + 2/3 s^3 + ... with s = (m - 1) / (m + 1), the first terms in double-length arithmetic
(T. J. Dekker, A floating-point technique for extending the available precision, 1971).
"""

from __future__ import annotations

from fractions import Fraction

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
    rounded,
    signed,
    two_product,
)
from xformad.compiler.native.functions_exp import LN2, scaled, split, tail
from xformad.compiler.native.functions_log import normalised


def log_in_two(x: Number) -> tuple[Number, Number]:
    """The logarithm of a positive number as a sum."""
    f = x.formula.format
    n, m = normalised(x)
    difference = m - 1.0
    total, total_error = fast_two_sum(2.0, difference)
    inverse = 1.0 / total
    s = difference * inverse
    s_low = (fma(-s, total, difference) - s * total_error) * inverse
    square, square_low = two_product(s, s)
    square_low = fma(s + s, s_low, square_low)
    first, second = f.parts(Fraction(2, 3), 2)
    factor, factor_low = fast_two_sum(first, square * polynomial(square, coefficients("log_tail", x.formula)))
    cube, cube_low = two_product(s, square)
    cube_low = fma(s, square_low, fma(s_low, square, cube_low))
    term, term_low = two_product(cube, factor)
    term_low = fma(cube, factor_low + second, fma(cube_low, factor, term_low))
    first, second = f.parts(LN2, 2)
    whole, whole_low = two_product(n, first)
    high, low = fast_two_sum(whole, s + s)
    low = low + fma(n, second, whole_low) + (s_low + s_low)
    high, error = fast_two_sum(high, term)
    return fast_two_sum(high, error + low + term_low)


def log_roughly(x: Number) -> Number:
    """The same to 40 bits."""
    n, m = normalised(x)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    value = s * fma(z, fma(z, polynomial(z, coefficients("log_tail", x.formula)), 2 / 3), 2.0)
    return fma(n, x.formula.format.parts(LN2, 1)[0], value)


def power(x: Number, y: Number) -> Number:
    """Signs, zeros, infinities and NaN as those of C's `pow`."""
    size = absolute(x)
    bounded = least(greatest(y, -(2.0**70)), 2.0**70)  # beyond, a power is 1, 0 or infinite
    if x.formula.wide:
        exponent = log_roughly(size) * bounded
        n, r, missing = split(least(greatest(exponent, -600.0), 600.0))
        value = (1.0 + (r + tail(r, missing))) * power_of_two(n)
    else:
        high, low = log_in_two(size)
        exponent, exponent_low = two_product(high, bounded)
        exponent_low = choose(absolute(exponent) < 800.0, fma(low, bounded, exponent_low), 0.0)
        n, r, missing = split(least(greatest(exponent, -750.0), 710.0))
        r, missing = fast_two_sum(r, missing + exponent_low)
        value = scaled(1.0 + (r + tail(r, missing)), n)
    whole = y.equals(y.called("rint"))
    half = y * 0.5
    odd = whole & half.differs(half.called("rint"))
    value = choose((x < 0.0) & (whole ^ True), float("nan"), value)
    zero = size.equals(0.0)
    value = choose(zero | size.equals(float("inf")), choose(zero ^ (y < 0.0), 0.0, float("inf")), value)
    value = choose(odd, signed(value, x), value)
    value = choose(x.compared("uno", "eq", y), float("nan"), value)
    return choose(x.equals(1.0) | y.equals(0.0), 1.0, value)


def cbrt(x: Number) -> Number:
    """E. Halley's step from a polynomial's value; the exponent is divided by three before."""
    size = absolute(x)
    n, m = normalised(size)
    third = rounded(n * (1 / 3))
    rest = n - third * 3.0
    up, down = rest > 0.5, rest < -0.5
    y = polynomial(m, coefficients("cbrt", x.formula)) * choose(up, 2.0 ** (1 / 3), choose(down, 0.5 ** (1 / 3), 1.0))
    m = choose(up, m + m, choose(down, m * 0.5, m))
    square, error = two_product(y, y)
    difference = fma(square, y, fma(error, y, -m))
    y = y - y * difference / fma(difference, 2.0, m * 3.0)
    value = signed(y * power_of_two(third), x)
    return choose((size > 0.0) & (size < float("inf")), value, x)


def hypot(x: Number, y: Number) -> Number:
    """Scaled by a power of two so that no square overflows or vanishes."""
    f = x.formula.format
    a, b = absolute(x), absolute(y)
    larger, smaller = choose(a > b, a, b), choose(a > b, b, a)
    far, shift, near, back_shift = (500, 600, -450, 600) if f.mantissa == 52 else (60, 80, -40, 100)
    down, up = larger > 2.0**far, larger < 2.0**near
    scale = choose(down, 2.0**-shift, choose(up, 2.0**back_shift, 1.0))
    back = choose(down, 2.0**shift, choose(up, 2.0**-back_shift, 1.0))
    larger, smaller = larger * scale, smaller * scale
    value = fma(larger, larger, smaller * smaller).called("sqrt") * back
    value = choose(x.compared("uno", "eq", y), float("nan"), value)
    infinite = a.equals(float("inf")) | b.equals(float("inf"))
    return choose(infinite, float("inf"), value)
