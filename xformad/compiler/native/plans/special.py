"""SciPy's functions of entries that are formulas of others. SciPy computes them with doubles, whatever the dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from xformad.compiler.native.entries import Entry
from xformad.compiler.native.planner import PLANS, Planner
from xformad.core.graph import Node

DOUBLE: Final = np.dtype(np.float64)


def xlogy(x: Entry, y: Entry) -> Entry:
    """0 for x = 0, but NaN for a y that is NaN."""
    return (x.equals(0.0) & y.equals(y)).choose(0.0, x * y.calculated("log"))


def xlog1py(x: Entry, y: Entry) -> Entry:
    return (x.equals(0.0) & y.equals(y)).choose(0.0, x * y.calculated("log1p"))


def entr(x: Entry) -> Entry:
    """-x log x; 0 at 0, and -infinity beneath."""
    positive = (x < 0.0).choose(-np.inf, -x * x.calculated("log"))
    return x.equals(0.0).choose(0.0, positive)


def ndtr(x: Entry) -> Entry:
    """The normal distribution function: by erf in the middle, by erfc outside, as in Cephes."""
    z = x * math.sqrt(0.5)
    tail = abs(z).calculated("erfc") * 0.5
    outside = (z < 0.0).choose(tail, tail.like(1.0) - tail)
    return (abs(z) < 1.0).choose(z.calculated("erf") * 0.5 + 0.5, outside)


def exprel(x: Entry) -> Entry:
    """(e^x - 1) / x, and 1 at 0."""
    tiny = abs(x) < float(np.finfo(float).eps)
    return tiny.choose(1.0, (x < 717.0).choose(x.calculated("expm1") / x, (x >= 717.0).choose(np.inf, x)))


def huber(delta: Entry, r: Entry) -> Entry:
    """Half the square up to delta, and a straight line beyond."""
    size = abs(r)
    return (delta < 0.0).choose(np.inf, (delta >= size).choose(r * r * 0.5, delta * (size - delta * 0.5)))


SPECIAL: Final[dict[str, Callable[..., Entry]]] = {
    "xlogy": xlogy,
    "xlog1py": xlog1py,
    "entr": entr,
    "ndtr": ndtr,
    "exprel": exprel,
    "huber": huber,
}


def plan_special(planner: Planner, node: Node) -> None:
    planner.require(node.dtype.kind == "f")
    formula = SPECIAL[node.primitive.name]  # type: ignore[union-attr]
    planner.calculated(node, [DOUBLE] * len(node.args), lambda *x: (formula(*[each[0] for each in x]),))


PLANS.update(dict.fromkeys(SPECIAL, plan_special))
