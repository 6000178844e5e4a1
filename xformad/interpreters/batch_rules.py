"""The batching rules of primitives: what a primitive does to a whole batch of examples at once.

A rule is a function `rule(size, batched, *values, **params)`. `batched` says which of the values have an example in each
row, the batch axis of length `size`, which is always the first; the others are the same for all examples. The result
has the batch axis first:

    defbatch(cumsum, lambda size, batched, x, axis: cumsum(x, axis=axis + 1))

Rules are written with primitives and NumPy's functions, so that what is one level below may be traced again. Elementwise
primitives need none of their own: their operands are lined up, and the primitive is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from xformad.core.interpreter import ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.rules import RuleTable
from xformad.core.source import user_line
from xformad.core.typing import Shape, Value
from xformad.errors import BatchError

BatchRule = Callable[..., Value]
Batched = tuple[bool, ...]

batch_rules: Final[RuleTable[BatchRule]] = RuleTable("batching", "xformad.extend.defbatch")
ELEMENTWISE: Final[set[Primitive]] = set()
"""The primitives that act element by element and broadcast."""


class Differs(Exception):  # noqa: N818 - not an error
    """A rule met what must be the same for all examples, such as the shape of the result, and is not.

    Attributes:
        keys: for each example what it would have to be, in an array whose first axis is the batch.
    """

    def __init__(self, keys: Value) -> None:
        self.keys = keys

    @classmethod
    def check(cls, keys: Any) -> None:
        """Raise it if the keys, which are numbers, are not all the same; a `BatchError` if there are none."""
        if len(keys) == 0:
            raise no_examples()
        if any(key != keys[0] for key in keys):
            raise cls(keys)


def no_examples() -> BatchError:
    """The error where the course of the program depends on numbers of which there are none."""
    return BatchError(f"the program depends on the numbers at {user_line()}, but the batch of vmap has no examples")


def defbatch(primitive: Primitive, rule: BatchRule) -> None:
    """Give a primitive its batching rule: what it means under `vmap`.

    Args:
        primitive: the primitive. Without a rule it runs once for each example.
        rule: `rule(size, batched, *values, **params)`; `batched` is a tuple of bools, one a value. A batched value has
            the examples along its first axis, of length `size`. The result must have them so too; it is a tuple of such
            where the primitive returns a tuple.

    Raises:
        ValueError: if the primitive has a batching rule already.

    >>> double_rows = Primitive("double_rows", lambda x: 2 * x)
    >>> defbatch(double_rows, lambda size, batched, x: double_rows.bind(x))
    """
    batch_rules[primitive] = rule


def defbatch_elementwise(primitive: Primitive) -> None:
    """Say that a primitive acts element by element and broadcasts its arguments, so that it runs on whole batches.

    Args:
        primitive: the primitive.

    Raises:
        ValueError: if the primitive has a batching rule already.

    >>> defbatch_elementwise(Primitive("logistic", lambda x: 1 / (1 + np.exp(-x))))
    """
    batch_rules[primitive] = aligned(primitive)
    ELEMENTWISE.add(primitive)


def widened(x: Value, ndim: int) -> Value:
    """A batched value whose examples have `ndim` axes: new ones of length 1 stand after the batch axis.

    >>> widened(np.ones((5, 2)), 3).shape
    (5, 1, 1, 2)
    """
    shape: Shape = x.shape
    missing = ndim + 1 - len(shape)
    return x.reshape(shape[:1] + (1,) * missing + shape[1:]) if missing > 0 else x


def lined_up(batched: Batched, values: tuple[Value, ...]) -> list[Value]:
    """Values whose examples broadcast against each other, so that the values do."""
    ndim = max([ndim_of(x) - 1 if b else ndim_of(x) for b, x in zip(batched, values, strict=True)])
    return [widened(x, ndim) if b else x for b, x in zip(batched, values, strict=True)]


def aligned(primitive: Primitive) -> BatchRule:
    """The rule of a primitive whose examples broadcast, or are stacks of matrices that do."""
    return lambda size, batched, *values, **params: primitive.bind(*lined_up(batched, values), **params)


def as_it_is(primitive: Primitive) -> BatchRule:
    """The rule of a primitive of one array that takes the first axes for a stack, or for elements."""
    return lambda size, batched, x, **params: primitive.bind(x, **params)


def along_axes(primitive: Primitive) -> BatchRule:
    """The rule of a primitive of one array with a parameter `axis`: a non-negative axis or a tuple of such."""
    return lambda size, batched, x, *, axis, **params: primitive.bind(x, axis=shifted(axis), **params)


def shifted(axis: Any) -> Any:
    """Axes of an example as axes of the batch."""
    return axis + 1 if isinstance(axis, int) else tuple([i + 1 for i in axis])


def reducing(primitive: Primitive) -> BatchRule:
    """The rule of a reduction with `axis` as NumPy has it: None, or negative."""

    def rule(size: int, batched: Batched, x: Value, *, axis: Any, keepdims: bool = False, **params: Any) -> Value:
        ndim = ndim_of(x) - 1
        if axis is None:
            axes: Any = tuple(range(1, ndim + 1))
            if primitive.name in ("argmax", "argmin"):  # these take one axis
                x, axes = x.reshape((size, int(np.prod(x.shape[1:])))), 1
            found = primitive.bind(x, axis=axes, keepdims=False, **params)
            return found.reshape((size,) + (1,) * ndim) if keepdims else found
        return primitive.bind(x, axis=from_front(axis, ndim), keepdims=keepdims, **params)

    return rule


def from_front(axis: Any, ndim: int) -> Any:
    """Axes of an example, which may be negative, as axes of the batch."""
    if isinstance(axis, tuple | list):
        return tuple([from_front(i, ndim) for i in axis])
    return axis + 1 if axis >= 0 else axis if axis >= -ndim else axis - 1


def spread_out(size: int, batched: Batched, values: tuple[Value, ...]) -> list[Value]:
    """The values with a batch axis, all of them."""
    return [x if b else np.broadcast_to(x, (size, *shape_of(x))) for b, x in zip(batched, values, strict=True)]


def joining(primitive: Primitive) -> BatchRule:
    """The rule of a primitive that joins any number of arrays along an axis."""
    return lambda size, batched, *values, axis, **params: primitive.bind(
        *spread_out(size, batched, values), axis=axis + 1, **params
    )
