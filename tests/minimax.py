"""Where the polynomials in `xformad/compiler/native` come from: E. Ya. Remez's exchange, in 50 digits.

`python -m tests.minimax NAME` prints the coefficients of one of `TARGETS`. Each is the polynomial p of the given number
of coefficients for which the largest `|weight(t) * (p(t) - target(t))|` over the interval is smallest, its coefficients
then rounded to doubles. The weight is what makes this the relative error of the whole function. See J.-M. Muller,
Elementary Functions, chapter 3.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import mpmath
from mpmath import mp, mpf

Real = Any
"""One of mpmath's numbers; mpmath is not typed."""


@final
@dataclass(frozen=True, slots=True)
class Target:
    """What is approximated by a polynomial.

    Attributes:
        function: of the polynomial's argument.
        weight: of the error, a function of the same argument.
        interval: over which.
    """

    function: Callable[[Real], Real]
    weight: Callable[[Real], Real]
    interval: tuple[float, float]


def points(interval: tuple[float, float], count: int) -> list[Real]:
    """Chebyshev's points, in increasing order."""
    low, high = mpf(interval[0]), mpf(interval[1])
    angles = [mp.pi * (2 * i + 1) / (2 * count) for i in range(count)]
    return [(low + high) / 2 - (high - low) / 2 * mp.cos(angle) for angle in angles]


def value(coefficients: Sequence[Real], t: Real) -> Real:
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * t + c
    return total


def minimax(target: Target, count: int, digits: int = 50) -> tuple[list[Real], Real]:
    """The coefficients, from the lowest power up, and the largest weighted error."""
    with mpmath.workdps(digits):
        grid = points(target.interval, 30 * count)
        values = [target.function(t) for t in grid]
        weights = [target.weight(t) for t in grid]
        chosen = [min(len(grid) - 1, round((i + 0.5) * 30 * count / (count + 1))) for i in range(count + 1)]
        for _ in range(30):
            matrix = mp.matrix(count + 1, count + 1)
            right = mp.matrix(count + 1, 1)
            for row, at in enumerate(chosen):
                for power in range(count):
                    matrix[row, power] = grid[at] ** power
                matrix[row, count] = (-1) ** row / weights[at]
                right[row] = values[at]
            solution = mp.lu_solve(matrix, right)
            coefficients = [solution[i] for i in range(count)]
            errors = [w * (value(coefficients, t) - y) for t, y, w in zip(grid, values, weights, strict=True)]
            largest = max(abs(e) for e in errors)
            if largest <= abs(solution[count]) * mpf("1.001"):
                break
            chosen = exchanged(errors, count + 1)
        return coefficients, largest


def exchanged(errors: list[Real], count: int) -> list[int]:
    """The places of the largest errors whose signs alternate."""
    places: list[int] = []
    for i, error in enumerate(errors):
        if places and (error > 0) == (errors[places[-1]] > 0):
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    while len(places) > count:
        if len(places) == count + 1:
            places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
        else:
            least = min(range(len(places) - 1), key=lambda i: max(abs(errors[places[i]]), abs(errors[places[i + 1]])))
            del places[least : least + 2]
    return places


def arctangent_quotient(z: Real) -> Real:
    """2 artanh(s) / s with z = s^2: the logarithm of (1 + s) / (1 - s), by its s."""
    s = mp.sqrt(z)
    return 2 * mp.atanh(s) / s


LOGARITHM_END: Final = 0.17157287525380993**2
"""The square of (sqrt(2) - 1) / (sqrt(2) + 1): the largest s for a mantissa between sqrt(1/2) and sqrt(2)."""

TANGENT_END: Final = 0.41421356237309515**2
"""The square of the tangent of pi / 8."""

TARGETS: Final = {
    "exp": Target(lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 / mp.exp(r), (-0.34658, 0.34658)),
    "log": Target(lambda z: (arctangent_quotient(z) - 2) / z, lambda z: z, (0.0, LOGARITHM_END)),
    "log_tail": Target(lambda z: (arctangent_quotient(z) - 2 - 2 * z / 3) / z**2, lambda z: z**2, (0.0, LOGARITHM_END)),
    "sin": Target(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z, (0.0, 0.6169)),
    "cos": Target(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2, (0.0, 0.6169)),
    "arctan": Target(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z, (0.0, TANGENT_END)),
    "arcsin": Target(lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z, (0.0, 0.25)),
    "cbrt": Target(lambda m: mp.cbrt(m), lambda m: 1 / mp.cbrt(m), (0.7071, 1.4143)),
    "erf": Target(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, lambda z: mpf(1), (0.0, 1.0)),
    "erf_tail": Target(lambda a: mp.log(mp.erfc(a)), lambda a: mp.erfc(a) / mp.erf(a), (1.0, 5.95)),
    "erfc": Target(
        lambda q: (lambda a: (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a) - 1)(4 * (1 + q) / (1 - q)),
        lambda q: mpf(1),
        (-1.0, 0.7445),
    ),
}


def main(names: list[str]) -> None:
    name, count = names[0], int(names[1])
    coefficients, error = minimax(TARGETS[name], count)
    print(f"# {name}: {count} coefficients, error 2^{float(mp.log(error, 2)):.1f}")
    for c in coefficients:
        print(f"    {float(c)!r},")


if __name__ == "__main__":
    main(sys.argv[1:])
