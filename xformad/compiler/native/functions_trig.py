"""Sine, cosine, tangent and their inverses.

An argument is x = n pi / 2 + r with |r| <= pi / 4. The multiple of pi / 2 is subtracted in three parts: the first product is
exact in fused arithmetic, and the others give r and what is missing from it (W. J. Cody and W. Waite, Software manual for
the elementary functions, 1980; J.-M. Muller, Elementary Functions, chapter 11). Sine and cosine of r are polynomials as in
Sun's `k_sin.c` and `k_cos.c`. For arguments beyond `BOUNDS`, where n is not exact any more, see `functions.py`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from xformad.compiler.native.coefficients import coefficients
from xformad.compiler.native.formulas import (
    Number,
    absolute,
    choose,
    fast_two_sum,
    fma,
    polynomial,
    signed,
    two_product,
    two_sum,
)
from xformad.compiler.native.functions_exp import quotient

HALF_PI: Final = Fraction("1.57079632679489661923132169163975144209858469968755291048747230")

BOUNDS: Final = {"double": 2.0**45, "float": 2.0**20}

TURN: Final = 0.41421356237309503
"""The tangent of pi / 8."""


def split(x: Number) -> tuple[Number, Number, Number]:
    """n as an integer in its last bits, r, and what is missing from r."""
    f = x.formula.format
    shifted = fma(x, f.parts(1 / HALF_PI, 1)[0], f.shifter)
    n = shifted - f.shifter
    first, second, third = f.parts(HALF_PI, 3)
    product, error = two_product(n, second)
    r, missing = two_sum(fma(n, -first, x), -product)
    return shifted.bits(), r, fma(n, -third, missing - error)


def sine_and_cosine(r: Number, missing: Number) -> tuple[tuple[Number, Number], tuple[Number, Number]]:
    """Of r: sums of two numbers each."""
    z = r * r
    half = z * 0.5
    sine = fma(r * z, polynomial(z, coefficients("sin", r.formula)), fma(-half, missing, missing))
    whole, error = fast_two_sum(1.0, -half)
    cosine = error + fma(z * z, polynomial(z, coefficients("cos", r.formula)), -(r * missing))
    return (r, sine), (whole, cosine)


def sincos(x: Number) -> tuple[Number, Number]:
    """Sine and cosine. Which of the polynomials is which, and their signs, are in the last bits of n."""
    sign = 62 if x.formula.format.integer == "i64" else 30
    n, r, missing = split(x)
    (sine, sine_low), (cosine, cosine_low) = sine_and_cosine(r, missing)
    sine, cosine = sine + sine_low, cosine + cosine_low
    odd = (n & 1).equals(1)
    first, second = choose(odd, cosine, sine), choose(odd, sine, cosine)
    first = (first.bits() ^ ((n & 2) << sign)).floats()
    second = (second.bits() ^ (((n + 1) & 2) << sign)).floats()
    return choose(x.equals(0.0), x, first), second


def tan(x: Number) -> Number:
    n, r, missing = split(x)
    (sine, sine_low), (cosine, cosine_low) = sine_and_cosine(r, missing)
    sine, sine_low = fast_two_sum(sine, sine_low)
    cosine, cosine_low = fast_two_sum(cosine, cosine_low)
    odd = (n & 1).equals(1)
    above, above_low = choose(odd, -cosine, sine), choose(odd, -cosine_low, sine_low)
    below, below_low = choose(odd, sine, cosine), choose(odd, sine_low, cosine_low)
    tiny = absolute(x) < x.formula.format.smallest * 2.0**30
    return choose(tiny, x, quotient(above, above_low, below, below_low))


def arctan_of_quotient(above: Number, below: Number) -> tuple[Number, Number]:
    """arctan(above / below) for 0 <= above <= below: as a sum. arctan t = pi / 4 + arctan((t - 1) / (t + 1))."""
    f = below.formula.format
    large = above > below * TURN
    difference, difference_error = two_sum(above, -below)
    total, total_error = fast_two_sum(below, above)
    top, bottom = choose(large, difference, above), choose(large, total, below)
    t = top / bottom
    rest = fma(-t, bottom, top) + choose(large, difference_error - t * total_error, 0.0)
    missing = rest / bottom
    z = t * t
    first, second = f.parts(HALF_PI / 2, 2)
    tail = fma(t * z, polynomial(z, coefficients("arctan", below.formula)), choose(large, missing + second, missing))
    high, error = fast_two_sum(choose(large, first, 0.0), t)
    return high, error + tail


def arctan(x: Number) -> Number:
    f = x.formula.format
    size = absolute(x)
    inverted = size > 1.0
    one = f.parts(Fraction(1), 1)[0]
    bounded = choose(size < f.smallest * 2.0**50, 0.0, choose(size > 1 / f.smallest, 1 / f.smallest, size))
    high, low = arctan_of_quotient(choose(inverted, one, bounded), choose(inverted, bounded, one))
    first, second = f.parts(HALF_PI, 2)
    top, error = fast_two_sum(first, -high)
    value = choose(inverted, top + (error + (second - low)), high + low)
    value = choose(size.differs(size), size, value)
    return signed(choose(size < 2.0 ** -(f.mantissa // 2 + 2), size, value), x)


def arctan2(y: Number, x: Number) -> Number:
    """The quotient of the smaller and the larger one, turned into the right octant."""
    f = x.formula.format
    rise, run = absolute(y), absolute(x)
    steep = rise > run
    above, below = choose(steep, run, rise), choose(steep, rise, run)
    infinite = below.equals(float("inf"))
    above = choose(infinite, choose(above.equals(float("inf")), 1.0, 0.0), above)
    below = choose(infinite, 1.0, choose(below.equals(0.0), 1.0, below))
    scale = choose(
        below > 2.0 ** (f.bias - 10), 2.0**-20, choose(below < 2.0 ** (20 - f.bias // 2), 2.0 ** (f.bias // 2), 1.0)
    )
    above, below = above * scale, below * scale
    high, low = arctan_of_quotient(above, below)
    first, second = f.parts(HALF_PI, 2)
    top, error = fast_two_sum(first, -high)  # pi / 2 less the angle
    high, low = choose(steep, top, high), choose(steep, error + (second - low), low)
    first, second = f.parts(HALF_PI * 2, 2)
    top, error = fast_two_sum(first, -high)
    left = signed(x.formula.constant(1.0), x) < 0.0
    value = choose(left, top + (error + (second - low)), high + low)
    unordered = x.compared("uno", "eq", y)
    return choose(unordered, x + y, signed(value, y))


def arcsin_parts(x: Number) -> tuple[Number, Number, Number]:
    """Whether |x| > 1/2, and arcsin |x|, or else arcsin sqrt((1 - |x|) / 2), as a sum."""
    size = absolute(x)
    large = size > 0.5
    z = choose(large, fma(size, -0.5, 0.5), size * size)
    root = z.called("sqrt")
    error = fma(-root, root, z) / choose(root.equals(0.0), 1.0, root + root)
    s = choose(large, root, size)
    return large, s, fma(s * z, polynomial(z, coefficients("arcsin", x.formula)), choose(large, error, 0.0))


def arcsin(x: Number) -> Number:
    """arcsin |x| = pi / 2 - 2 arcsin sqrt((1 - |x|) / 2)."""
    large, s, low = arcsin_parts(x)
    first, second = x.formula.format.parts(HALF_PI, 2)
    high, error = fast_two_sum(first, s * -2.0)
    value = choose(large, high + (error + fma(low, -2.0, second)), s + low)
    return signed(value, x)


def arccos(x: Number) -> Number:
    large, s, low = arcsin_parts(x)
    negative = x < 0.0
    first, second = x.formula.format.parts(HALF_PI, 2)
    near = choose(negative, -s, s)
    near_low = choose(negative, -low, low)
    high, error = fast_two_sum(first, -near)
    middle = high + (error + (second - near_low))
    high, error = fast_two_sum(choose(negative, first, 0.0), near)
    outer = (high + (error + (near_low + choose(negative, second, 0.0)))) * 2.0
    return choose(large, outer, middle)
