"""Distribution functions and quantiles as operations, where formulas of other operations would lose digits, or are none.

SciPy computes them. The derivatives are those of the distribution function F and the density f, by
d F(x, a) = f dx + (dF/da) da, so that for the quantile x of q, d x = (dq - (dF/da) da) / f.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import defbatch_elementwise
from xformad.interpreters.vjp_rules import ELEMENTWISE
from xformad.operations.makers import smooth, variadic
from xformad.transformations.forward import jvp


class Distribution(Protocol):
    """What the rules ask of a family."""

    scipy: Any

    def _pdf(self, x: Value, *shapes: Value) -> Value: ...
    def _cdf_of_shapes(self, x: Value, *shapes: Value) -> Value: ...
    def _sf_of_shapes(self, x: Value, *shapes: Value) -> Value: ...


def along_shape(family: Distribution, upper: bool, i: int, x: Value, shapes: tuple[Value, ...]) -> Value:
    """The derivative of the distribution function, or of the survival function, with respect to a shape."""

    def of_shape(shape: Value) -> Value:
        own = family._sf_of_shapes if upper else family._cdf_of_shapes
        return own(x, *shapes[:i], shape, *shapes[i + 1 :])

    return jvp(of_shape, (shapes[i],), (np.ones_like(shapes[i]),))[1]


def probability_value(x: Value, *shapes: Value, family: Distribution, upper: bool) -> Value:
    return (family.scipy.sf if upper else family.scipy.cdf)(x, *shapes)


def probability_rule(
    argnum: int, g: Value, _ans: Value, x: Value, *shapes: Value, family: Distribution, upper: bool
) -> Value:
    if argnum:
        return g * along_shape(family, upper, argnum - 1, x, shapes)
    density = g * family._pdf(x, *shapes)
    return -density if upper else density


probability: Primitive = variadic("distribution_function", probability_value, probability_rule, mask=ELEMENTWISE)
defbatch_elementwise(probability)


def quantile_value(q: Value, *shapes: Value, family: Distribution, upper: bool) -> Value:
    return (family.scipy.isf if upper else family.scipy.ppf)(q, *shapes)


def quantile_rule(
    argnum: int, g: Value, ans: Value, _q: Value, *shapes: Value, family: Distribution, upper: bool
) -> Value:
    rate = g / family._pdf(ans, *shapes)
    if argnum:
        moved = rate * along_shape(family, upper, argnum - 1, ans, shapes)
        return moved if upper else -moved
    return -rate if upper else rate


quantile: Primitive = variadic("quantile", quantile_value, quantile_rule, mask=ELEMENTWISE)
defbatch_elementwise(quantile)

steps: Primitive = smooth("quantile_of_whole_numbers", quantile_value, None, None, None, None, mask=ELEMENTWISE)
