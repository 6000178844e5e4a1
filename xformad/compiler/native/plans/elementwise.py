"""Operations entry by entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from xformad.compiler.native import scalars
from xformad.compiler.native.entries import BOOL, Entry
from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.plans import complex_numbers
from xformad.compiler.native.steps import UnsupportedGraphError
from xformad.core.graph import Node


def dtype_of(x: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
    return found


def arithmetic(planner: Planner, node: Node) -> None:
    """The operands are converted to the dtype of the result."""
    name = node.primitive.name  # type: ignore[union-attr]
    if node.dtype.kind == "c":
        formula = complex_numbers.ARITHMETIC.get(name)
        planner.require(formula is not None)
        assert formula is not None
        planner.calculated(node, [node.dtype] * len(node.args), formula)
        return
    if node.dtype.kind not in scalars.KINDS.get(name, "") and name in FORMULAS:
        formulated(planner, node)
        return
    planner.require(node.dtype.kind in scalars.KINDS.get(name, ""))
    if name == "absolute" and dtype_of(planner.operand(node, 0)).kind == "c":
        planner.calculated(node, [dtype_of(planner.operand(node, 0))], complex_numbers.absolute)
        return
    planner.elementwise(node, name, node.dtype)


def common(planner: Planner, node: Node) -> np.dtype[Any]:
    """The dtype in which NumPy compares."""
    operands = planner.operands(node)
    try:
        found = np.result_type(*[x.dtype if hasattr(x, "dtype") else x for x in operands])
    except OverflowError:  # a number of Python's that the dtype of the others does not have
        raise UnsupportedGraphError from None
    # A number of Python's that is traced, and has no dtype of its own in plain running, has one here.
    planner.require(len({x.dtype for x in operands if hasattr(x, "dtype") and x.dtype.kind == found.kind}) <= 1)
    # NumPy compares signed with unsigned integers exactly.
    planner.require(found.kind != "f" or any(dtype_of(x).kind == "f" for x in operands))
    return found


def comparison(planner: Planner, node: Node) -> None:
    name = node.primitive.name  # type: ignore[union-attr]
    computed = common(planner, node)
    if computed.kind == "c":
        formula = complex_numbers.COMPARISONS.get(name)
        planner.require(formula is not None)
        assert formula is not None
        planner.calculated(node, [computed] * len(node.args), formula)
        return
    planner.require(computed.kind == "f" or name in scalars.COMPARISONS)
    planner.elementwise(node, name, computed)


def logic(planner: Planner, node: Node) -> None:
    planner.require(all(dtype_of(x).kind != "c" for x in planner.operands(node)))
    planner.elementwise(node, node.primitive.name, BOOL)  # type: ignore[union-attr]


def conjugation(planner: Planner, node: Node) -> None:
    """Nothing is done to real numbers."""
    (conversion if node.dtype.kind != "c" else arithmetic)(planner, node)


def inversion(planner: Planner, node: Node) -> None:
    planner.elementwise(node, "logical_not" if node.dtype.kind == "b" else "invert", node.dtype)


def conversion(planner: Planner, node: Node) -> None:
    before = dtype_of(planner.operand(node, 0))
    if before.kind == "c" and node.dtype.kind == "b":
        planner.calculated(node, [before], lambda z: (z[0].astype(BOOL) | z[1].astype(BOOL),))
        return
    planner.calculated(node, [node.dtype], lambda x: x)


def selection(planner: Planner, node: Node) -> None:
    """`numpy.where(condition, x, y)`."""
    planner.require(dtype_of(planner.operand(node, 0)).kind == "b")
    planner.calculated(
        node,
        [BOOL, node.dtype, node.dtype],
        lambda c, x, y: [c[0].choose(a, b) for a, b in zip(x, y, strict=True)],
    )


def formulated(planner: Planner, node: Node) -> None:
    """A formula of real numbers, in the dtype of the result."""
    name = node.primitive.name  # type: ignore[union-attr]
    planner.require(node.dtype.kind == "f")
    formula = FORMULAS[name]
    planner.calculated(
        node, [node.dtype] * len(node.args), lambda *x: (formula(*[each[0] for each in x], **node.params),)
    )


def scaled(above: float, below: float) -> Callable[[Entry], Entry]:
    """A change of the unit, by a quotient in the dtype of the entries."""
    return lambda x: x * (x.dtype.type(above) / x.dtype.type(below))


def heaviside(x: Entry, y: Entry) -> Entry:
    steps = (x < 0.0).choose(0.0, x.equals(0.0).choose(y, x.like(1.0)))
    return x.differs(x).choose(np.nan, steps)


def remainder(x: Entry, y: Entry) -> Entry:
    """The rest with the sign of the divisor, as Python's."""
    rest = x.calculated("fmod", y)
    crossing = (rest < 0.0).differs(y < 0.0)
    some = crossing.choose(rest + y, rest)
    found = rest.equals(0.0).choose(rest.like(0.0).calculated("copysign", y), some)
    return y.equals(0.0).choose(rest, found)


def floor_divide(x: Entry, y: Entry) -> Entry:
    """The quotient less what the remainder gives, a whole number but for rounding: the nearest one (as in CPython)."""
    rest = x.calculated("fmod", y)
    quotient = (x - rest) / y
    crossing = (rest < 0.0).differs(y < 0.0) & rest.differs(0.0)
    quotient = crossing.choose(quotient - 1.0, quotient)
    below = quotient.calculated("floor")
    near = (below + 0.5 < quotient).choose(below + 1.0, below)
    zero = quotient.like(0.0).calculated("copysign", x / y)
    return y.equals(0.0).choose(x / y, quotient.equals(0.0).choose(zero, near))


def rounded(x: Entry, decimals: int = 0) -> Entry:
    """To so many decimals, with the two roundings of NumPy."""
    if decimals == 0:
        return x.calculated("rint")
    power = 10.0 ** abs(decimals)
    if decimals > 0:
        return (x * power).calculated("rint") / power
    return (x / power).calculated("rint") * power


def replaced(x: Entry, nan: float, posinf: float | None, neginf: float | None) -> Entry:
    """`numpy.nan_to_num`."""
    largest = float(np.finfo(x.dtype).max)
    x = x.equals(np.inf).choose(largest if posinf is None else posinf, x)
    x = x.equals(-np.inf).choose(-largest if neginf is None else neginf, x)
    return x.differs(x).choose(nan, x)


def sinc(x: Entry, order: int) -> Entry:
    """`numpy.sinc`, which takes 1e-20 for 0 (its smallest normal number, for small floats)."""
    if order:
        raise UnsupportedGraphError
    y = x.equals(0.0).choose(1.0e-20, x) * math.pi
    return y.calculated("sin") / y


def plan_power(planner: Planner, node: Node) -> None:
    """A power with a small whole number as exponent is a product, which is as accurate and faster."""
    exponent = planner.operand(node, 1)
    constant: Any = None if isinstance(exponent, Node) or np.ndim(exponent) else np.asarray(exponent)[()]
    power = WHOLE_POWERS.get(constant)
    if power is not None and (node.dtype.kind != "c" or constant == 2):
        planner.calculated(node, [node.dtype, node.dtype], lambda x, _y: power(x))
        return
    planner.require(node.dtype.kind == "f")
    planner.elementwise(node, "power", node.dtype)


def cube(x: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return (x[0] * x[0] * x[0],)


def fourth(x: tuple[Entry, ...]) -> tuple[Entry, ...]:
    square = x[0] * x[0]
    return (square * square,)


WHOLE_POWERS: Final[dict[int, Callable[[tuple[Entry, ...]], tuple[Entry, ...]]]] = {
    2: lambda x: complex_numbers.square(x) if len(x) == 2 else (x[0] * x[0],),
    3: cube,
    4: fourth,
}


def plan_ldexp(planner: Planner, node: Node) -> None:
    """The exponent is a whole number, bounded to what C's function takes."""
    planner.require(node.dtype.kind == "f" and dtype_of(planner.operand(node, 1)).kind == "i")
    whole = np.dtype(np.int64)
    planner.calculated(node, [node.dtype, whole], lambda x, n: (x[0].calculated("ldexp", bounded(n[0])),))


def bounded(n: Entry) -> Entry:
    return n.calculated("maximum", -5000).calculated("minimum", 5000).astype(np.dtype(np.int32))


def plan_round(planner: Planner, node: Node) -> None:
    if node.dtype.kind in "iu" and node.params.get("decimals", 0) >= 0:
        planner.calculated(node, [node.dtype], lambda x: x)
    else:
        formulated(planner, node)


FORMULAS: Final[dict[str, Callable[..., Entry]]] = {
    "deg2rad": scaled(math.pi, 180.0),
    "radians": scaled(math.pi, 180.0),
    "rad2deg": scaled(180.0, math.pi),
    "degrees": scaled(180.0, math.pi),
    "heaviside": heaviside,
    "remainder": remainder,
    "floor_divide": floor_divide,
    "round": rounded,
    "replacement": replaced,
    "sinc": sinc,
}
"""Operations of real numbers that are put together of others, the primitives' parameters by keyword."""

PLANS.update(
    {
        **dict.fromkeys(FORMULAS, formulated),
        **dict.fromkeys(scalars.ARITHMETIC, arithmetic),
        **dict.fromkeys(scalars.COMPARISONS, comparison),
        **dict.fromkeys(scalars.PROPERTIES, comparison),
        **dict.fromkeys(scalars.LOGIC, logic),
        "conjugate": conjugation,
        "invert": inversion,
        "power": plan_power,
        "ldexp": plan_ldexp,
        "round": plan_round,
        "astype": conversion,
        "discretize": conversion,
        "where": selection,
    }
)
