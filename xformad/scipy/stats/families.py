"""What the families of distributions share: parameters, location and scale, supports, logarithms.

A family states its formulas in the standard form, for points inside of the support and for valid parameters, under SciPy's
names: `_logpdf(x, *shapes)`, `_cdf`, ... What is outside of the support, or belongs to invalid parameters, is taken care of
here: the formulas are evaluated at a harmless point in its place, so that no NaN and no infinity gets into a derivative.

Plain arguments go to SciPy's own distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import scipy.stats

from xformad import tree
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters.batch import Batch
from xformad.numpy.implements import as_array

UNDERFLOW: Final = -746.0
"""exp of anything less is 0."""


def traced(*values: Any) -> bool:
    """Whether there is a traced value among the leaves of these."""
    return any(type(leaf) is Tracer for leaf in tree.leaves_of(values))


def double(x: Any) -> Value:
    """An argument in double precision, which distributions are computed in."""
    x = as_array(x)
    return x if dtype_of(x) == np.float64 else x.astype(np.float64) if hasattr(x, "astype") else np.float64(x)


def everywhere(condition: Value) -> bool:
    """Whether a condition is known to hold for all entries: not if it is recorded, for other values to come."""
    while type(condition) is Tracer:
        if type(condition.interpreter) is not Batch:
            return False
        condition = condition.value
    return bool(np.all(condition))


def select(condition: Value, x: Value, other: Value) -> Value:
    """`numpy.where`, or x as it is, if the condition holds everywhere."""
    return x if everywhere(condition) else np.where(condition, x, other)


def put_together(inside: Value, found: Value, outside: Callable[[], Value]) -> Value:
    """What was found inside of a support, and all else."""
    if everywhere(inside) and shape_of(found) == shape_of(inside):
        return found
    return np.where(inside, found, outside())


def exponential(x: Value) -> Value:
    """exp(x), whose derivatives are zero where it underflows, also if those of x are infinite."""
    seen = ~(x <= UNDERFLOW)
    return select(seen, np.exp(select(seen, x, 0.0)), 0.0)


def logarithm(p: Value, rest: Value) -> Value:
    """log(p) of a probability, by log(1 - rest) where p is large. Its derivatives are zero where p is."""
    large, seen = p > 0.5, p > 0
    found = np.where(large, np.log1p(-np.where(large, rest, 0.0)), np.log(select(seen, p, 1.0)))
    return select(seen, found, np.where(p == 0, -np.inf, np.nan))


def missing(name: str, why: str, instead: str) -> UnsupportedError:
    return UnsupportedError(f"scipy.stats.{name} of traced values {why} ({user_line()}); {instead}")


class Family:
    """A family of univariate distributions, with SciPy's methods.

    Args:
        name: SciPy's.

    Attributes:
        scipy: SciPy's distribution.
        lower, upper: the support, in the standard form.
        example: valid shapes.
    """

    example: tuple[float, ...] = (1.0,)

    def __init__(self, name: str) -> None:
        self.name = name
        self.scipy: Any = getattr(scipy.stats, name)
        self.lower: float = self.scipy.a
        self.upper: float = self.scipy.b
        self.__doc__ = f"`scipy.stats.{name}` for programs under transformation.\n\n{type(self).__doc__}"

    def __repr__(self) -> str:
        return f"<xformad.scipy.stats.{self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with these parameters, as in SciPy."""
        return Frozen(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        """All other methods are SciPy's, and work on plain values."""
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self.scipy, name)
        if not callable(found):
            return found

        def method(*args: Any, **kwargs: Any) -> Any:
            if traced(args, kwargs):
                raise missing(
                    f"{self.name}.{name}",
                    "is not supported",
                    "give it plain values, xformad.value_of(x), or write it with logpdf, cdf and ppf",
                )
            return found(*args, **kwargs)

        return method

    def __dir__(self) -> list[str]:
        return dir(self.scipy)

    def _argcheck(self, *shapes: Value) -> Value:
        """Where the shapes are valid."""
        valid: Value = True
        for shape in shapes:
            valid = valid & (shape > 0)
        return valid

    def _support(self, *shapes: Value) -> tuple[Value, Value]:
        return self.lower, self.upper

    def parsed(self, *args: Any, **kwargs: Any) -> tuple[list[Value], Value, Value]:
        """Shapes, location and scale. SciPy raises the errors."""
        shapes, loc, scale = self.scipy._parse_args(*args, **kwargs)
        return [double(shape) for shape in shapes], double(loc), double(scale)

    def checked(self, shapes: list[Value]) -> tuple[Value, list[Value]]:
        """Where the shapes are valid, and the shapes, valid ones where they are not."""
        valid = np.asarray(True) if not shapes else self._argcheck(*shapes)
        return valid, [select(valid, shape, safe) for shape, safe in zip(shapes, self.example, strict=False)]

    def moment(self, name: str, args: Any, kwargs: Any, of: Callable[[Value, Value, Value], Value]) -> Value:
        """A number that belongs to the distribution: `of(number of the standard form, loc, scale)`."""
        if not traced(args, kwargs):
            return getattr(self.scipy, name)(*args, **kwargs)
        formula = getattr(self, "_var" if name == "std" else f"_{name}", None)
        if formula is None:
            raise missing(
                f"{self.name}.{name}", "has no formula here", "xformad.scipy.integrate.quad computes it of pdf"
            )
        shapes, loc, scale = self.parsed(*args, **kwargs)
        valid, shapes = self.checked(shapes)
        return np.where(valid & (scale > 0), of(formula(*shapes), loc, scale), np.nan)

    def mean(self, *args: Any, **kwargs: Any) -> Value:
        """The mean."""
        return self.moment("mean", args, kwargs, lambda m, loc, scale: m * scale + loc)

    def var(self, *args: Any, **kwargs: Any) -> Value:
        """The variance."""
        return self.moment("var", args, kwargs, lambda v, loc, scale: v * scale**2 + 0 * loc)

    def std(self, *args: Any, **kwargs: Any) -> Value:
        """The standard deviation."""
        return self.moment("std", args, kwargs, lambda v, loc, scale: np.sqrt(v) * scale + 0 * loc)

    def entropy(self, *args: Any, **kwargs: Any) -> Value:
        """The entropy, in natural units."""
        return self.moment("entropy", args, kwargs, lambda h, loc, scale: h + np.log(scale) + 0 * loc)


class Frozen:
    """A distribution with its parameters."""

    def __init__(self, family: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.family = family
        self.args = args
        self.kwargs = kwargs

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.family, name)
        if name in ("mean", "var", "std", "entropy"):
            return lambda: found(*self.args, **self.kwargs)
        if name in METHODS:
            return lambda x: found(x, *self.args, **self.kwargs)
        if traced(self.args, self.kwargs):
            raise missing(
                f"{self.family.name}.{name}",
                "is not supported",
                "give the distribution plain values, xformad.value_of(x)",
            )
        return getattr(self.family.scipy(*self.args, **self.kwargs), name)


METHODS: Final = ("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")
