"""Arithmetic of truncated power series: of lists [x_0, x_1, ..., x_k], which stand for x_0 + x_1 t + ... + x_k t^k.

The coefficients are numbers or arrays, never scaled by factorials, so that those of order 40 neither overflow nor vanish.
None stands for a coefficient that is zero whatever the numbers are; products skip it.

Every function here takes O(k^2) operations. What is no polynomial is found from a differential equation: y = exp(x) has
y' = y x', so n y_n is the sum of j x_j y_(n-j) over j = 1, ..., n. See A. Griewank and A. Walther, "Evaluating
derivatives" (2008), chapter 13.

>>> product(1.0, [1.0, 1.0, None], [1.0, 2.0, 3.0])
[1.0, 3.0, 5.0]
>>> exponential(1.0, [0.0, 1.0, None, None])
[1.0, 1.0, 0.5, 0.16666666666666666]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from xformad.core.interpreter import anywhere
from xformad.core.typing import Value

Series: TypeAlias = list[Value]
"""The coefficients of a power series, the value first."""


def moves(x: Series) -> bool:
    """Whether there is more to a series than its value."""
    return any(c is not None for c in x[1:])


def still(x: Value, like: Series) -> Series:
    """The series of what does not move."""
    return [x, *[None] * (len(like) - 1)]


def plus(a: Value, b: Value) -> Value:
    """The sum of two coefficients."""
    return b if a is None else a if b is None else a + b


def minus(a: Value, b: Value) -> Value:
    """The difference of two coefficients."""
    return a if b is None else -b if a is None else a - b


def over(a: Value, b: Value) -> Value:
    """The quotient of a coefficient by a number."""
    return None if a is None else a / b


def each(function: Callable[[Value], Value], x: Series) -> Series:
    """A linear function of every coefficient."""
    return [None if c is None else function(c) for c in x]


def added(x: Series, y: Series) -> Series:
    return [plus(a, b) for a, b in zip(x, y, strict=True)]


def subtracted(x: Series, y: Series) -> Series:
    return [minus(a, b) for a, b in zip(x, y, strict=True)]


def convolved(x: Series, y: Series, n: int, first: int, last: int) -> Value:
    """The sum of x_j y_(n-j) over j from `first` to `last`."""
    total: Value = None
    for j in range(first, last + 1):
        a = x[j]
        if a is not None:
            b = y[n - j]
            if b is not None:
                total = a * b if total is None else total + a * b
    return total


def combined(multiply: Callable[[Value, Value], Value], x: Series, y: Series, n: int, first: int, last: int) -> Value:
    """As `convolved`, of another product: of matrices, say."""
    total: Value = None
    for j in range(first, last + 1):
        a, b = x[j], y[n - j]
        if a is not None and b is not None:
            total = plus(total, multiply(a, b))
    return total


def product(start: Value, x: Series, y: Series) -> Series:
    """x y, which begins with `start`."""
    return [start, *[convolved(x, y, n, 0, n) for n in range(1, len(x))]]


def products(multiply: Callable[[Value, Value], Value], start: Value, x: Series, y: Series) -> Series:
    """Another product, which is linear in both factors."""
    return [start, *[combined(multiply, x, y, n, 0, n) for n in range(1, len(x))]]


def slopes(x: Series) -> Series:
    """The coefficients j x_j of t x'. Nothing at 0."""
    return [None if c is None else j * c if j > 1 else c if j else None for j, c in enumerate(x)]


def integral(start: Value, x: Series) -> Series:
    """The y that begins with `start` and has t y' = x."""
    return [start, *(over(c, n) for n, c in enumerate(x[1:], 1))]


def quotient(start: Value, x: Series, y: Series) -> Series:
    """x / y, which begins with `start`: x = q y determines one q_n after the other."""
    q = [start]
    divisor = y[0]
    for n in range(1, len(x)):
        q.append(over(minus(x[n], convolved(q, y, n, 0, n - 1)), divisor))
    return q


def reciprocal(start: Value, x: Series) -> Series:
    """1 / x, which begins with `start`."""
    q = [start]
    for n in range(1, len(x)):
        rest = convolved(q, x, n, 0, n - 1)
        q.append(None if rest is None else -rest * start)
    return q


def exponential(start: Value, x: Series) -> Series:
    """exp(x): y' = y x'."""
    return grown(start, slopes(x))


def grown(start: Value, rates: Series) -> Series:
    """The y that begins with `start` and has t y' = y r, for the series r of `rates`, which has nothing at 0."""
    y = [start]
    for n in range(1, len(rates)):
        y.append(over(convolved(rates, y, n, 1, n), n))
    return y


def logarithm(start: Value, x: Series) -> Series:
    """log(x): x y' = x'."""
    y, rates = [start], [None]
    for n in range(1, len(x)):
        rest = convolved(rates, x, n, 1, n - 1)
        rate = over(minus(None if x[n] is None else n * x[n], rest), x[0])
        rates.append(rate)
        y.append(over(rate, n))
    return y


def raised(start: Value, x: Series, power: Value) -> Series:
    """x ** p, which begins with `start`: x y' = p y x', so n x_0 y_n is the sum of (p j - (n - j)) x_j y_(n-j)."""
    y = [start]
    for n in range(1, len(x)):
        total: Value = None
        for j in range(1, n + 1):
            if x[j] is not None and y[n - j] is not None:
                total = plus(total, (power * j - (n - j)) * (x[j] * y[n - j]))
        y.append(None if total is None else total / (n * x[0]))
    return y


def square_root(start: Value, x: Series) -> Series:
    """sqrt(x), which begins with `start`: y y = x."""
    y = [start]
    twice = start + start
    for n in range(1, len(x)):
        y.append(over(minus(x[n], convolved(y, y, n, 1, n - 1)), twice))
    return y


def rotated(sine: Value, cosine: Value, x: Series, sign: int) -> tuple[Series, Series]:
    """The solutions of s' = c x' and c' = sign s x' that begin with `sine` and `cosine`: circular or hyperbolic ones."""
    rates = slopes(x)
    s, c = [sine], [cosine]
    for n in range(1, len(x)):
        s_n, c_n = convolved(rates, c, n, 1, n), convolved(rates, s, n, 1, n)
        s.append(over(s_n, n))
        c.append(over(c_n, sign * n))
    return s, c


def logistic(start: Value, rate: Value, x: Series, sign: int) -> Series:
    """The y with y' = w x' and w = 1 + sign y^2: tan and tanh. `rate` is w_0, which may be known more exactly."""
    rates = slopes(x)
    y, w = [start], [rate]
    for n in range(1, len(x)):
        y.append(over(convolved(rates, w, n, 1, n), n))
        w_n = convolved(y, y, n, 0, n)
        w.append(None if w_n is None else sign * w_n)
    return y


# What belongs to kinks and singular points, at which a series is to be another one in some entries.


def at(function: Callable[[Value], Value], x: Value) -> Value:
    """The value of a function, of a Python float as one."""
    value = function(x)
    return float(value) if type(x) is float and type(value) is np.float64 else value


def moving(x: Series, mask: Value) -> Value:
    """Where in a mask there is more to a series than its value."""
    total: Value = False
    for c in x[1:]:
        if c is not None:
            total = np.logical_or(total, c != 0)
    return np.logical_and(mask, total)


def select(mask: Value, a: Value, b: Value) -> Value:
    """`numpy.where`, and in a fraction of the time for scalars."""
    return (a if mask else b) if type(mask) is bool or type(mask) is np.bool_ else np.where(mask, a, b)


def chosen(mask: Value, x: Series, y: Series) -> Series:
    """x where a mask is true, y elsewhere."""
    return [
        None if a is None and b is None else select(mask, 0.0 if a is None else a, 0.0 if b is None else b)
        for a, b in zip(x, y, strict=True)
    ]


def filled(x: Series, mask: Value, value: float) -> Series:
    """The series with another value where a mask is true."""
    return [select(mask, value, x[0]), *x[1:]]


def ahead(x: Series, y: Series, side: int) -> tuple[Value, bool]:
    """Where x > y for small t > 0, or t < 0 if `side` is -1; and whether that differs from the other side's anywhere.

    The first coefficients that differ decide.
    """
    found, tie, differs = x[0] > y[0], x[0] == y[0], False
    for n in range(1, len(x)):
        if not anywhere(tie):
            break
        a, b = (0.0 if c is None else c if side > 0 or n % 2 == 0 else -c for c in (x[n], y[n]))
        if a is not b:
            decided = np.logical_and(tie, a != b)
            differs = differs or anywhere(decided)
            found = np.logical_or(found, np.logical_and(tie, a > b))
            tie = np.logical_and(tie, a == b)
    return found, differs


def shifted(x: Series) -> Series:
    """x / t, of a series without value; its last coefficient is not known, and is None."""
    return [*x[1:], None]
