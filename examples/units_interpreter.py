"""Physical units carried through a NumPy program, and through its derivatives.

An interpreter outside of xformad, with a rule table of its own: beside every number goes its unit, a product of powers
of the seven SI base units. Sums and comparisons of different units are refused, with the line of the program; functions
such as exp take pure numbers only. Since the rules of derivatives are programs of the same primitives, the unit of a
derivative comes out by itself: that of the result over that of the argument.

    python examples/units_interpreter.py

A constant of the program is a pure number, but zero (and infinity, and NaN) has every unit. Quantities are in SI units:
5 km is `Quantity(5e3, METRE)`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from xformad import grad, tree
from xformad.extend import Interpreter, Primitive, RuleTable, Tracer, dtype_of, primitive_of, shape_of, user_line

SYMBOLS: Final = ("kg", "m", "s", "A", "K", "mol", "cd")


class UnitError(TypeError):
    """The units in a program do not fit together."""


@dataclass(frozen=True)
class Unit:
    """A product of powers of the SI base units, by their exponents.

    >>> str(METRE / SECOND**2), str(NEWTON), str((METRE**2) ** 0.5), str(METRE / METRE)
    ('m s^-2', 'kg m s^-2', 'm', '1')
    """

    exponents: tuple[Fraction, ...]

    def __mul__(self, other: Unit) -> Unit:
        return Unit(tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: float | Fraction) -> Unit:
        ratio = Fraction(exponent).limit_denominator(1000)
        return Unit(tuple(a * ratio for a in self.exponents))

    def __str__(self) -> str:
        parts = []
        for symbol, exponent in zip(SYMBOLS, self.exponents, strict=True):
            if exponent == 1:
                parts.append(symbol)
            elif exponent:
                parts.append(f"{symbol}^{exponent}" if exponent.denominator == 1 else f"{symbol}^({exponent})")
        return " ".join(parts) or "1"


KILOGRAM, METRE, SECOND, AMPERE, KELVIN, MOLE, CANDELA = (
    Unit(tuple(Fraction(i == j) for j in range(len(SYMBOLS)))) for i in range(len(SYMBOLS))
)
ONE: Final = Unit((Fraction(0),) * len(SYMBOLS))
NEWTON: Final = KILOGRAM * METRE / SECOND**2
JOULE: Final = NEWTON * METRE


class Quantity:
    """A number or array with its unit: what goes into a program and comes out.

    >>> Quantity(9.81, METRE / SECOND**2)
    9.81 m s^-2
    """

    def __init__(self, value: Any, unit: Unit) -> None:
        self.value = value
        self.unit = unit

    def __repr__(self) -> str:
        return str(self.value) if self.unit == ONE else f"{self.value} {self.unit}"


# The interpreter and its table.


@dataclass(frozen=True)
class Operand:
    """What a rule learns of an argument: its value one level below, and its unit; None for what has every unit."""

    value: Any
    unit: Unit | None


Rule = Callable[..., Any]
"""`rule(name, *operands, **params)`: the unit of the result; None if it has every unit, being zero. Where the primitive
returns a tuple, a tuple of units, or one unit for all."""

unit_rules: RuleTable[Rule] = RuleTable("unit", "defunit")


def defunit(operation: Primitive | str | Callable[..., Any], rule: Rule) -> None:
    """Say which unit the result of a primitive has."""
    unit_rules[primitive_of(operation)] = rule


class Units(Interpreter):
    """Runs a program one level below, on values, and finds the units beside it."""

    name = "units"
    carries = "unit"

    def lift(self, leaf: Any) -> Any:
        """A tracer for a quantity; other leaves pass as they are."""
        return Tracer(self, leaf.value, leaf.unit) if isinstance(leaf, Quantity) else leaf

    def lower(self, leaf: Any) -> Any:
        """The quantity that a tracer stands for; other leaves pass as they are."""
        return Quantity(leaf.value, leaf.extra) if self.owns(leaf) else leaf

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if not self.live:
            self.escaped()
        rule = unit_rules[primitive]
        operands = [Operand(x.value, x.extra) if self.owns(x) else Operand(x, unit_of_constant(x)) for x in args]
        units = rule(primitive.name, *operands, **params)
        out = primitive.bind(*(operand.value for operand in operands), **params)
        if primitive.multiple:
            units = units if isinstance(units, tuple) else (units,) * len(out)
            return tuple([self.result(part, unit) for part, unit in zip(out, units, strict=True)])
        return self.result(out, units)

    def result(self, value: Any, unit: Unit | None) -> Any:
        """Truth values and whole numbers are pure numbers: the program may branch on them and index with them."""
        if unit is None or (unit == ONE and dtype_of(value).kind not in "fc"):
            return value
        return Tracer(self, value, unit)

    def concretize(self, tracer: Tracer, how: str) -> Any:
        """`float(x)` and the like, which are fine for a pure number, if it is plain below."""
        value = tracer.value
        if how == "numpy.asarray(x)":
            return super().concretize(tracer, how)
        if tracer.extra != ONE:
            raise UnitError(
                f"{how} at {user_line()} would drop the unit {tracer.extra}; divide by a quantity of it first"
            )
        return value.interpreter.concretize(value, how) if type(value) is Tracer else value


def unit_of_constant(x: Any) -> Unit | None:
    """A constant is a pure number; but zeros, infinities and NaN have every unit."""
    if type(x) is Tracer:  # of another interpreter: its value may be one of many
        return ONE
    return ONE if np.any(np.logical_and(np.isfinite(x), x != 0)) else None


def with_units(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The function of quantities, in containers as you like, that a function of numbers is.

    >>> with_units(lambda x, t: x / t)(Quantity(10.0, METRE), Quantity(4.0, SECOND))
    2.5 m s^-1
    """

    def run(*args: Any) -> Any:
        __tracebackhide__ = True  # no line of the program
        with Units(fun) as interpreter:
            return tree.map(interpreter.lower, fun(*tree.map(interpreter.lift, args)))

    return run


# Rules.


def agreed(name: str, *operands: Operand) -> Unit | None:
    """The unit that all operands have.

    Raises:
        UnitError: if they have different ones.
    """
    units = list(dict.fromkeys(operand.unit for operand in operands if operand.unit is not None))
    if len(units) > 1:
        raise UnitError(f"{name} at {user_line()}: the units {units[0]} and {units[1]} do not agree")
    return units[0] if units else None


def pure(name: str, *operands: Operand, **params: Any) -> Unit:
    """Pure numbers in, a pure number out: exp, sin, rounding."""
    for operand in operands:
        if operand.unit not in (None, ONE):
            raise UnitError(
                f"{name} at {user_line()}: the argument has the unit {operand.unit}, but must be a pure number"
            )
    return ONE


def known(operand: Operand) -> Unit:
    return ONE if operand.unit is None else operand.unit


def same(name: str, *operands: Operand, **params: Any) -> Unit | None:
    """All operands agree, and the result has their unit."""
    return agreed(name, *operands)


def written(name: str, x: Operand, v: Operand, *rest: Operand, **params: Any) -> Unit | None:
    """The array and what is written into it agree; the others are indices."""
    pure(name, *rest)
    return agreed(name, x, v)


def first(name: str, x: Operand, *rest: Operand, **params: Any) -> Unit:
    """The result has the unit of the first operand; the others are indices and the like."""
    pure(name, *rest)
    return known(x)


def compared(name: str, *operands: Operand, **params: Any) -> Unit:
    """All operands agree, and the result is a truth value, a position or a ratio."""
    agreed(name, *operands)
    return ONE


def number(name: str, *operands: Operand, **params: Any) -> Unit:
    """A truth value, a position or a sign, whatever the units."""
    return ONE


def product(name: str, *operands: Operand, **params: Any) -> Unit | None:
    """The unit is the product of all. A product with zero is zero, and has every unit."""
    if any(operand.unit is None for operand in operands):
        return None
    return math.prod(map(known, operands), start=ONE)


def to_the(exponent: float | Fraction) -> Rule:
    """The unit is a power of the operand's."""
    return lambda name, x, *rest, **params: known(x) ** exponent


def quotient(name: str, x: Operand, y: Operand) -> Unit | None:
    """The unit is the quotient. Zero divided by anything is zero."""
    return None if x.unit is None else x.unit / known(y)


def power(name: str, x: Operand, y: Operand) -> Unit:
    """A quantity may be raised to a constant; a pure number to any pure number."""
    pure(name, y)
    if known(x) == ONE:
        return ONE
    if type(y.value) is Tracer or shape_of(y.value):
        raise UnitError(
            f"{name} at {user_line()}: what has the unit {x.unit} can be raised to one constant exponent only, "
            "else the unit of the result is not known"
        )
    return known(x) ** Fraction(float(y.value))


def reduced(name: str, x: Operand, axis: tuple[int, ...], keepdims: bool) -> Unit:
    """A product of so many factors."""
    return known(x) ** math.prod(shape_of(x.value)[i] for i in axis)


def where(name: str, condition: Operand, x: Operand, y: Operand) -> Unit | None:
    """Both agree, unless all entries are taken from one: as in an `if`, what is not taken does not matter."""
    if type(condition.value) is not Tracer and np.size(condition.value):
        if np.all(condition.value):
            return x.unit
        if not np.any(condition.value):
            return y.unit
    return agreed(name, x, y)


def scatter_add(name: str, *operands: Operand, indices: tuple[Any, ...], **params: Any) -> Unit | None:
    return agreed(name, *operands[: len(indices)])


def divided_by_norm(name: str, c: Operand, n: Operand, limit: Operand) -> Unit | None:
    return agreed(name, Operand(None, quotient(name, c, n)), limit)


def solve(name: str, a: Operand, b: Operand) -> Unit | None:
    return quotient(name, b, a)


def of_order(less: int) -> Rule:
    """A polynomial of the entries of n x n matrices, of degree n less some."""
    return lambda name, a: known(a) ** (shape_of(a.value)[-1] - less)


def cofactors_change(name: str, g: Operand, a: Operand) -> Unit:
    return known(g) * known(a) ** (shape_of(a.value)[-1] - 2)


def slogdet(name: str, a: Operand) -> tuple[Unit, Unit]:
    pure(name, a)
    return ONE, ONE


def register() -> None:
    """Fill the table."""
    rules: dict[Rule, str] = {
        same: "bin_edges nextafter add subtract maximum minimum fmax fmin hypot remainder fmod concatenate stack",
        written: "setitem",
        first: (
            "negative positive absolute fabs conjugate real imag sum max min cumsum norm whole_norm power_norm reshape "
            "ravel transpose flip roll broadcast spread getitem pad copy astype stop_gradient replacement ldexp spacing "
            "fft rfft irfft"
        ),
        compared: (
            "equal not_equal less less_equal greater greater_equal arctan2 floor_divide searchsorted digitize lexsort"
        ),
        number: "sign signbit isnan isinf isfinite argmax argmin argsort argpartition nonzero count_nonzero unique any all "
        "counts running_extremum logical_and logical_or logical_xor logical_not roots",
        product: "multiply matmul dot tensordot einsum cross convolve",
        pure: (
            "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh "
            "sinc i0 deg2rad rad2deg radians degrees logaddexp logaddexp2 floor ceil trunc rint round discretize cumprod "
            "heaviside invert bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd lcm "
            "exponent characteristic_polynomial"
        ),
        to_the(2): "square",
        to_the(-1): "reciprocal inv pinv",
        to_the(Fraction(1, 2)): "sqrt cholesky",
        to_the(Fraction(1, 3)): "cbrt",
        quotient: "divide",
        power: "power float_power",
        reduced: "prod",
        where: "where",
        scatter_add: "scatter_add",
        divided_by_norm: "divided_by_norm",
        solve: "solve",
        of_order(0): "det",
        of_order(1): "cofactors",
        cofactors_change: "cofactors_change",
        slogdet: "slogdet",
        lambda name, a: (ONE, known(a)): "qr",
        lambda name, a, uplo: (known(a), ONE): "eigh",
        lambda name, a: (known(a), ONE): "eig",
        lambda name, a, hermitian: (ONE, known(a), ONE): "svd",
    }
    for rule, names in rules.items():
        for name in names.split():
            defunit(name, rule)
    defunit("copysign", lambda name, x, y: known(x))


register()


# An example: a pendulum.


def energy(angle: Any, velocity: Any, pendulum: dict[str, Any]) -> Any:
    """The energy of a pendulum: kinetic, and potential."""
    kinetic = 0.5 * pendulum["mass"] * (pendulum["length"] * velocity) ** 2
    potential = pendulum["mass"] * pendulum["gravity"] * pendulum["length"] * (1 - np.cos(angle))
    return kinetic + potential


def wrong_energy(angle: Any, velocity: Any, pendulum: dict[str, Any]) -> Any:
    """The same with a slip: the velocity of the bob is the length times the angular velocity."""
    kinetic = 0.5 * pendulum["mass"] * velocity**2
    potential = pendulum["mass"] * pendulum["gravity"] * pendulum["length"] * (1 - np.cos(angle))
    return kinetic + potential


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="The energy of a pendulum, its derivatives, and all their units.")
    parser.add_argument("--angle", type=float, default=0.3, help="in radians (default: 0.3)")
    parser.add_argument("--mass", type=float, default=0.2, help="in kilograms (default: 0.2)")
    parser.add_argument("--length", type=float, default=0.5, help="in metres (default: 0.5)")
    options = parser.parse_args(argv)

    pendulum = {
        "mass": Quantity(options.mass, KILOGRAM),
        "length": Quantity(options.length, METRE),
        "gravity": Quantity(9.81, METRE / SECOND**2),
    }
    state = Quantity(options.angle, ONE), Quantity(1.5, SECOND**-1)
    found: dict[str, Any] = {
        "energy": with_units(energy)(*state, pendulum),
        "torque, -dE/d(angle)": with_units(lambda *args: -grad(energy)(*args))(*state, pendulum),
        "angular momentum, dE/d(velocity)": with_units(grad(energy, 1))(*state, pendulum),
        "moment of inertia, d2E/d(velocity)2": with_units(grad(grad(energy, 1), 1))(*state, pendulum),
    }
    by_pendulum = with_units(grad(energy, 2))(*state, pendulum)
    found |= {f"dE/d({name})": quantity for name, quantity in by_pendulum.items()}
    for name, quantity in found.items():
        print(f"{name:36} {quantity.value: .6f} {quantity.unit}")
    try:
        with_units(wrong_energy)(*state, pendulum)
    except UnitError as error:
        print(f"UnitError: {error}")
    return found


if __name__ == "__main__":
    main()
