"""Identities of arithmetic and logic that hold exactly: for NaN, infinities, zeros of both signs, and in each dtype.

What looks like one and is none: `x + 0.0` (it makes 0.0 of -0.0), `0 * x` (NaN and infinities), `x - x`, `-(x - y)` for
`y - x` (0.0 and -0.0), `x**0.5` for `sqrt(x)` (-0.0 and -inf), `1 * z` for a complex z
(0 * inf makes NaN of an infinite part).
Identities that would change how a program is differentiated are left out, too: `stop_gradient(x)` is not x.

>>> import xformad, numpy as np
>>> print(with_exact_identities(xformad.trace(lambda x: 1.0 * x**2 + -np.sin(x) / 4)(np.ones(3))))
inputs  a: float64[3]
b: float64[3] = multiply a a
c: float64[3] = sin a
d: float64[3] = multiply c -0.25
e: float64[3] = add b d
outputs e
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from xformad.compiler.passes.rewriting import applies, equation, may_be_python, operand, operands_of, rewritten, type_of
from xformad.core.graph import Graph, Node
from xformad.core.guards import any_
from xformad.core.primitive import (
    Primitive,
    absolute,
    add,
    bitwise_and,
    bitwise_or,
    divide,
    invert,
    multiply,
    negative,
    positive,
    power,
    subtract,
)
from xformad.core.typing import Value
from xformad.operations.arithmetic import square
from xformad.operations.complex_numbers import conjugate, real
from xformad.operations.discrete import all_, equal, logical_and, logical_not, logical_or, not_equal
from xformad.operations.exponential import exp
from xformad.operations.extrema import maximum, minimum
from xformad.operations.reductions import sum_
from xformad.operations.selection import where
from xformad.operations.shape import astype, copy, discretize

Identity: TypeAlias = Callable[[Node], Value]
"""Of an equation of one primitive: what stands for it, or the equation itself."""


def with_exact_identities(graph: Graph) -> Graph:
    """Operations that change nothing are left out, and others put in simpler terms.

    1 x = x / 1 = x^1 = x - 0 = x + -0.0 = x        x^2 = x x         x / 2^k = 2^-k x
    -(-x) = +x = x      x + -y = x - y      x - -y = x + y      (-x)(-y) = x y      (-x) c = x (-c)
    where(c, x, x) = x      where(not c, x, y) = where(c, y, x)      not (x == y) = (x != y)
    """
    return rewritten(graph, identity)


def identity(node: Node) -> Value:
    """What stands for an equation, by the identity of its primitive."""
    rule = IDENTITIES.get(node.primitive)
    return node if rule is None else rule(node)


# Which operands can stand for a result.


def stands_for(x: Value, node: Node, *others: Value) -> bool:
    """Whether a result that has the entries of one operand is that operand: in shape, dtype, and in what it makes of others.

    Python's 2.0 times an array of float32 is one of float32, and NumPy's is not.
    """
    if not isinstance(x, Node) or x.spec != node.spec:
        return False
    if x.spec[0] != () or not may_be_python(x):
        return True
    return bool(others) and all(may_be_python(other) for other in others)


def number(x: Value) -> Any:
    """A constant that is one number; None for all else."""
    if isinstance(x, Node) or np.ndim(x):
        return None
    return x[()] if isinstance(x, np.ndarray) else x


def is_number(x: Value, value: float) -> bool:
    """Whether an operand is this constant. 0.0 is not -0.0, unless it is a whole number."""
    found = number(x)
    if found is None or isinstance(found, complex | np.complexfloating) or found != value:
        return False
    return bool(value) or isinstance(found, int | np.integer) or math.copysign(1.0, found) == math.copysign(1.0, value)


# Arithmetic.


def of_product(node: Node) -> Value:
    """1 x = x, which is not exact for complex numbers; (-x)(-y) = x y and (-x) c = x (-c), as rounding has no sign."""
    x, y = operands_of(node)
    if node.dtype.kind in "fiub":
        if is_number(y, 1) and stands_for(x, node, y):
            return x
        if is_number(x, 1) and stands_for(y, node, x):
            return y
    return of_signed(node, x, y)


def of_quotient(node: Node) -> Value:
    """x / 1 = x; x / 2^k = 2^-k x, as both round the same number; (-x) / (-y) = x / y and (-x) / c = x / (-c)."""
    x, y = operands_of(node)
    if node.dtype.kind == "f" and is_number(y, 1) and stands_for(x, node, y):
        return x
    inverse = inverse_power_of_two(node, x, number(y))
    if inverse is not None:
        return equation(node, multiply, x, inverse, shape=node.shape)
    return of_signed(node, x, y)


def inverse_power_of_two(node: Node, x: Value, y: Any) -> Any:
    """1 / y for a y = 2^k, neither subnormal nor infinite in the precision of x / y."""
    if y is None or node.dtype.kind != "f" or type_of(x) != node.dtype or isinstance(y, complex | np.complexfloating):
        return None
    bounds = np.finfo(node.dtype)
    if not abs(y) or not bounds.tiny <= abs(y) <= bounds.max or abs(math.frexp(y)[0]) != 0.5:
        return None
    inverse = 1.0 / float(y)
    if not bounds.tiny <= abs(inverse) <= bounds.max:
        return None
    return inverse if isinstance(y, int | float) and not isinstance(y, np.generic) else node.dtype.type(inverse)


def of_signed(node: Node, x: Value, y: Value) -> Value:
    """A real product or quotient whose operands are negated."""
    if node.dtype.kind != "f":
        return node
    left, right = (applies(z, negative) and type_of(z).kind == "f" for z in (x, y))
    if left and right:
        return equation(node, node.primitive, operand(x, 0), operand(y, 0), shape=node.shape)
    if left and (minus := negated(number(y))) is not None:
        return equation(node, node.primitive, operand(x, 0), minus, shape=node.shape)
    if right and (minus := negated(number(x))) is not None:
        return equation(node, node.primitive, minus, operand(y, 0), shape=node.shape)
    return node


def negated(x: Any) -> Any:
    """-x for a real constant that has one: whole numbers have no -0."""
    if isinstance(x, float | np.floating) or (isinstance(x, int) and not isinstance(x, bool) and x):
        return -x
    return None


def of_sum(node: Node) -> Value:
    """x + -y = x - y, by definition; x + -0.0 = x, also for zeros, and x + 0.0 = x if no zero in x is -0.0."""
    x, y = operands_of(node)
    zero = -0.0 if node.dtype.kind == "f" else 0
    if node.dtype.kind in "fiu":
        for one, other in ((x, y), (y, x)):
            if is_number(other, zero) and type_of(other).kind == node.dtype.kind and stands_for(one, node, other):
                return one
    if is_number(y, 0.0) and never_minus_zero(x) and stands_for(x, node, y):
        return x
    if is_negative_of_its_type(y, node):
        return equation(node, subtract, x, operand(y, 0), shape=node.shape)
    if is_negative_of_its_type(x, node):
        return equation(node, subtract, y, operand(x, 0), shape=node.shape)
    return node


def never_minus_zero(x: Value) -> bool:
    """Whether no entry is -0.0: of sums, which start with 0.0, of squares, of what another number was added to."""
    if not isinstance(x, Node) or x.dtype.kind != "f":
        return False
    if x.primitive is multiply:
        return operand(x, 0) is operand(x, 1)
    if x.primitive is add:
        return any(number(y) is not None and not is_number(y, -0.0) for y in operands_of(x))
    return x.primitive in NO_MINUS_ZERO


def of_difference(node: Node) -> Value:
    """x - -y = x + y; x - 0 = x, also for zeros."""
    x, y = operands_of(node)
    if is_number(y, 0.0) and stands_for(x, node, y):
        return x
    if is_negative_of_its_type(y, node):
        return equation(node, add, x, operand(y, 0), shape=node.shape)
    return node


def is_negative_of_its_type(x: Value, node: Node) -> bool:
    """Whether an operand is a negated one of the result's dtype, so that the sign is not one of another precision."""
    return applies(x, negative) and type_of(x) == type_of(operand(x, 0)) == node.dtype and node.dtype.kind in "fc"


def of_negative(node: Node) -> Value:
    """-(-x) = x; -(x c) = x (-c) and -(x / c) = x / (-c) for real numbers, as rounding has no sign."""
    x = operand(node, 0)
    if applies(x, negative):
        return operand(x, 0)
    if node.dtype.kind == "f" and (applies(x, multiply) or applies(x, divide)):
        left, right = operands_of(x)
        if (minus := negated(number(right))) is not None and type_of(left).kind == "f":
            return equation(node, x.primitive, left, minus, shape=node.shape)
        if (minus := negated(number(left))) is not None and type_of(right).kind == "f":
            return equation(node, x.primitive, minus, right, shape=node.shape)
    return node


def of_power(node: Node) -> Value:
    """x^1 = x, and x^2 = x x, which is how NumPy computes the square of an array."""
    x, y = operands_of(node)
    if node.dtype.kind in "fiu" and stands_for(x, node, y):
        if is_number(y, 1):
            return x
        if is_number(y, 2):
            return equation(node, multiply, x, x, shape=node.shape)
    return node


def of_absolute(node: Node) -> Value:
    """| -x | = || x || = | x |."""
    x = operand(node, 0)
    if applies(x, absolute):
        return x
    if applies(x, negative) and x.dtype.kind in "fci":  # the negative of an unsigned number is another one
        return equation(node, absolute, operand(x, 0), shape=node.shape)
    return node


def of_square(node: Node) -> Value:
    """(-x)^2 = x^2, for real numbers."""
    x = operand(node, 0)
    if applies(x, negative) and node.dtype.kind == "f":
        return equation(node, square, operand(x, 0), shape=node.shape)
    return node


def of_same(node: Node) -> Value:
    """An operation that returns what it is given."""
    x = operand(node, 0)
    return x if stands_for(x, node, x) else node


def of_conjugate(node: Node) -> Value:
    """A real number is its conjugate, and a conjugate's conjugate is the number."""
    x = operand(node, 0)
    if applies(x, conjugate) and stands_for(operand(x, 0), node):
        return operand(x, 0)
    return x if node.dtype.kind == "f" and stands_for(x, node) else node


def of_extremum(node: Node) -> Value:
    """max(x, x) = x."""
    x, y = operands_of(node)
    return x if x is y and stands_for(x, node) else node


def of_conversion(node: Node) -> Value:
    """Conversion to the dtype that it is; and from one to a wider one of its kind and back."""
    x = operand(node, 0)
    if stands_for(x, node):
        return x
    if isinstance(x, Node) and x.primitive in CONVERSIONS:
        source = operand(x, 0)
        there, back = x.dtype, node.dtype
        wider = there.kind == back.kind and there.itemsize >= back.itemsize
        if (wider or back.kind == "b") and stands_for(source, node):
            return source
    return node


# Logic.


def of_where(node: Node) -> Value:
    """where(c, x, x) = x; where(true, x, y) = x; where(not c, x, y) = where(c, y, x)."""
    condition, x, y = operands_of(node)
    if x is y and stands_for(x, node):
        return x
    known = number(condition)
    if known is not None:
        chosen = x if known else y
        return chosen if stands_for(chosen, node) else node
    if applies(condition, logical_not) and type_of(operand(condition, 0)).kind == "b":
        return equation(node, where, operand(condition, 0), y, x, shape=node.shape)
    return node


def of_not(node: Node) -> Value:
    """not not x = x for truth values; not (x == y) = (x != y), also for NaN. Not so for x < y."""
    x = operand(node, 0)
    if applies(x, logical_not) and stands_for(operand(x, 0), node):
        return operand(x, 0)
    for one, other in ((equal, not_equal), (not_equal, equal)):
        if applies(x, one) and node.shape:
            return equation(node, other, *operands_of(x), shape=node.shape)
    return node


def of_invert(node: Node) -> Value:
    """~~x = x."""
    x = operand(node, 0)
    return operand(x, 0) if applies(x, invert) and stands_for(operand(x, 0), node) else node


def of_conjunction(node: Node) -> Value:
    """x and x = x; x and true = x: of truth values, and for each bit of whole numbers."""
    return of_lattice(node, neutral=True)


def of_disjunction(node: Node) -> Value:
    """x or x = x; x or false = x: of truth values, and for each bit of whole numbers."""
    return of_lattice(node, neutral=False)


def of_lattice(node: Node, neutral: bool) -> Value:
    x, y = operands_of(node)
    if x is y and stands_for(x, node):
        return x
    for one, other in ((x, y), (y, x)):
        found = number(other)
        if (
            isinstance(found, bool | np.bool_)
            and bool(found) is neutral
            and node.dtype.kind == "b"
            and stands_for(one, node)
        ):
            return one
    return node


def of_any(node: Node) -> Value:
    """Any, or all, of one truth value is that value."""
    x = operand(node, 0)
    return x if node.shape == () and stands_for(x, node) else node


NO_MINUS_ZERO: Final = (sum_, exp, absolute, square)

CONVERSIONS: Final = (astype, discretize)

IDENTITIES: Final[dict[Primitive | None, Identity]] = {
    add: of_sum,
    subtract: of_difference,
    multiply: of_product,
    divide: of_quotient,
    power: of_power,
    negative: of_negative,
    absolute: of_absolute,
    square: of_square,
    **dict.fromkeys((positive, copy), of_same),
    conjugate: of_conjugate,
    real: of_same,
    **dict.fromkeys((maximum, minimum), of_extremum),
    **dict.fromkeys(CONVERSIONS, of_conversion),
    where: of_where,
    logical_not: of_not,
    invert: of_invert,
    **dict.fromkeys((logical_and, bitwise_and), of_conjunction),
    **dict.fromkeys((logical_or, bitwise_or), of_disjunction),
    **dict.fromkeys((any_, all_), of_any),
}
