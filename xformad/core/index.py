"""The form in which an index goes through primitives: a static part, and the arrays in it as positional arguments.

`x[2:, [0, 1]]` is `getitem.bind(x, array([0, 1]), index=(slice(2, None), ARRAY))`.
"""

from __future__ import annotations

from typing import Any, Final, final

from numpy import asarray

from xformad.core.typing import Value


@final
class Placeholder:
    """Stands in the static part of an index for an array."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "array"

    def __reduce__(self) -> str:
        return "ARRAY"


ARRAY: Final = Placeholder()

NUMBERS: Final = frozenset((float, int, complex))


def assemble(index: Any, arrays: tuple[Value, ...]) -> Any:
    """The index that NumPy takes, from its static part and its arrays, which stand where it has `ARRAY`.

    >>> assemble((slice(2), ARRAY), ([0, 1],))
    (slice(None, 2, None), [0, 1])
    """
    if not arrays:
        return index
    if type(index) is tuple:
        rest = iter(arrays)
        return tuple([next(rest) if part is ARRAY else part for part in index])
    return arrays[0]


def plain_slice(index: slice) -> bool:
    """Whether a slice has plain bounds, and no step."""
    start, stop = index.start, index.stop
    return (start is None or type(start) is int) and (stop is None or type(stop) is int) and index.step is None


def index_value(x: Value, *arrays: Value, index: Any) -> Value:
    """The implementation of `getitem`. A Python number is indexed as NumPy's scalar of it."""
    try:
        return x[assemble(index, arrays)] if arrays else x[index]
    except TypeError:
        if type(x) in NUMBERS:
            return asarray(x)[()][assemble(index, arrays)]
        raise
