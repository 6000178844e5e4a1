"""Parameters, constants and static leaves as JSON, and back.

What JSON has stands for itself, a list for a tuple. All else is an object of one key that says what it is:

>>> encoder = Encoder({})
>>> encoder.encoded((1, 2.5, "axis", None, slice(2, None), float("inf"), 2j, np.float32(0.5), np.dtype(bool)))
[1, 2.5, 'axis', None, {'slice': [2, None, None]}, {'float': 'inf'}, {'complex': [0.0, 2.0]}, \
{'scalar': ['float32', 0.5]}, {'dtype': 'bool'}]
>>> Decoder([], {}).decoded(_)
(1, 2.5, 'axis', None, slice(2, None, None), inf, 2j, np.float32(0.5), dtype('bool'))
"""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from xformad.core.index import ARRAY
from xformad.core.texts import describe
from xformad.core.typing import Shape, ShapeDtype
from xformad.errors import GraphFileError

Json: TypeAlias = Any
"""What the `json` module reads and writes."""

T = TypeVar("T")

DTYPES: Final = {
    np.dtype(name).name: np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
}  # fmt: skip
"""What arrays in files may consist of: what is the same on all machines."""

DEEPEST: Final = 50
"""How deeply containers may be nested."""

LONGEST: Final = 4096
"""How many bits a whole number may have."""

MOST_AXES: Final = 64

LARGEST: Final = 2**31
"""What counts are smaller than."""


class NotSavedError(Exception):
    """Files have no form for a value. The message says what it is."""


Records: TypeAlias = dict[str, tuple[type[tuple[int, ...]], int]]
"""Classes of tuples of whole numbers, by name, with their lengths."""


class Encoder:
    """Writes values, and collects the arrays in them.

    Args:
        records: the classes of tuples of whole numbers that there may be.

    Attributes:
        arrays: the arrays, each once.
    """

    def __init__(self, records: Records) -> None:
        self.records = {kind: name for name, (kind, _) in records.items()}
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.numbers: dict[int, int] = {}

    def encoded(self, x: Any, depth: int = 0) -> Json:
        """A value as JSON.

        Raises:
            NotSavedError: if there is no form for it.
        """
        kind = type(x)
        if depth > DEEPEST:
            raise NotSavedError(f"nested more than {DEEPEST} deep")
        if x is None or kind in (bool, str):
            return x
        if kind is int and x.bit_length() <= LONGEST:
            return x
        if kind is float:
            return x if math.isfinite(x) else {"float": str(x)}
        if kind is complex:
            return {"complex": [self.encoded(x.real), self.encoded(x.imag)]}
        if kind is tuple:
            return [self.encoded(part, depth + 1) for part in x]
        if kind is list:
            return {"list": [self.encoded(part, depth + 1) for part in x]}
        if kind is slice:
            return {"slice": [self.encoded(part, depth + 1) for part in (x.start, x.stop, x.step)]}
        if x is Ellipsis or x is ARRAY:
            return {"index": "array" if x is ARRAY else "..."}
        if isinstance(x, np.dtype):
            return {"dtype": name_of_dtype(x)}
        if isinstance(x, np.generic):
            return {"scalar": [name_of_dtype(x.dtype), self.encoded(x.item())]}
        if kind is np.ndarray:
            return {"array": self.number(x)}
        if kind in self.records:
            return {"record": [self.records[kind], list(x)]}
        raise NotSavedError("a function" if hasattr(x, "__name__") else f"a {kind.__name__}")

    def number(self, array: np.ndarray[Any, Any]) -> int:
        """The position of an array among all of the file."""
        name_of_dtype(array.dtype)
        number = self.numbers.setdefault(id(array), len(self.arrays))
        if number == len(self.arrays):
            self.arrays.append(array)
        return number


class Decoder:
    """Reads values.

    Args:
        arrays: those of the file.
        records: the classes of tuples of whole numbers that there may be.
    """

    def __init__(self, arrays: list[np.ndarray[Any, Any]], records: Records) -> None:
        self.arrays = arrays
        self.records = records

    def decoded(self, data: Json, depth: int = 0) -> Any:
        """A value.

        Raises:
            GraphFileError: if it is in no form that there is.
        """
        if depth > DEEPEST:
            raise GraphFileError(f"values are nested more than {DEEPEST} deep")
        if data is None or type(data) in (bool, str, float):
            return data
        if type(data) is int and data.bit_length() <= LONGEST:
            return data
        if type(data) is list:
            return tuple([self.decoded(part, depth + 1) for part in data])
        kind, inner = only_item(data)
        if kind == "float":
            return float(one_of(inner, ("inf", "-inf", "nan")))
        if kind == "complex":
            return complex(*[checked(self.decoded(part), float) for part in items(inner, 2)])
        if kind == "list":
            return [self.decoded(part, depth + 1) for part in checked(inner, list)]
        if kind == "slice":
            return slice(*[self.decoded(part, depth + 1) for part in items(inner, 3)])
        if kind == "index":
            return ARRAY if one_of(inner, ("array", "...")) == "array" else Ellipsis
        if kind == "dtype":
            return dtype_of(inner)
        if kind == "scalar":
            name, value = items(inner, 2)
            return scalar(dtype_of(name), self.decoded(value, depth + 1))
        if kind == "array":
            return self.arrays[below(inner, len(self.arrays))]
        if kind == "record":
            name, numbers = items(inner, 2)
            record, length = self.records[one_of(name, self.records)]
            return tuple.__new__(record, [below(each, LARGEST) for each in items(numbers, length)])
        raise GraphFileError(f"there is no value of kind {shortened(kind)}")


def name_of_dtype(dtype: np.dtype[Any]) -> str:
    """What files call a dtype.

    Raises:
        NotSavedError: if it is not one of `DTYPES`.
    """
    if DTYPES.get(dtype.name) != dtype:
        raise NotSavedError(f"of dtype {dtype.str if dtype.name in DTYPES else dtype}")
    return dtype.name


def dtype_of(name: Json) -> np.dtype[Any]:
    return DTYPES[one_of(name, DTYPES)]


def scalar(dtype: np.dtype[Any], value: Any) -> Any:
    """A number of NumPy's: the one that is equal to a Python number.

    Raises:
        GraphFileError: if there is none.
    """
    kinds = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
    checked(value, kinds[dtype.kind])
    try:
        with np.errstate(all="ignore"):
            found = dtype.type(value)
    except OverflowError:
        raise GraphFileError(f"{value} is no {dtype}") from None
    if not np.array_equal(found, value, equal_nan=dtype.kind in "fc"):
        raise GraphFileError(f"{value} is no {dtype}")
    return found


def type_text(spec: ShapeDtype) -> str:
    """The type of an array.

    >>> type_text(((2, 3), np.dtype(float)))
    'float64[2,3]'

    Raises:
        NotSavedError: if it is of a dtype that files do not have.
    """
    name_of_dtype(spec[1])
    return describe(*spec)


def type_of(text: Json) -> ShapeDtype:
    """The inverse of `type_text`."""
    name, bracket, rest = checked(text, str).partition("[")
    if not bracket or not rest.endswith("]"):
        raise GraphFileError(f"{text!r} is no type of an array")
    lengths = rest[:-1].split(",") if rest != "]" else []
    if any(not (each.isascii() and each.isdecimal() and len(each) < 19) for each in lengths):
        raise GraphFileError(f"{text!r} is no type of an array")
    shape: Shape = tuple(map(int, lengths))
    if len(shape) > MOST_AXES:
        raise GraphFileError(f"an array has {len(shape)} axes")
    return shape, dtype_of(name)


def checked(x: Json, kind: type[T]) -> T:
    """A part of a description, which must be of a type.

    Raises:
        GraphFileError: if it is of another one.
    """
    if type(x) is not kind:
        raise misplaced(x)
    return x


def items(x: Json, count: int) -> list[Json]:
    """A list, which must have so many items."""
    if len(checked(x, list)) != count:
        raise misplaced(x)
    return x  # type: ignore[no-any-return]


def below(x: Json, limit: int) -> int:
    """A whole number from 0 on, which must be below a limit."""
    if not 0 <= checked(x, int) < limit:
        raise misplaced(x)
    return x  # type: ignore[no-any-return]


def one_of(x: Json, names: Container[str]) -> str:
    """A text, which must be one of these."""
    if checked(x, str) not in names:
        raise misplaced(x)
    return x  # type: ignore[no-any-return]


def only_item(data: Json) -> tuple[str, Json]:
    """The key of an object that has one, and what is there."""
    if len(checked(data, dict)) != 1:
        raise misplaced(data)
    return next(iter(data.items()))  # type: ignore[no-any-return]


def misplaced(x: Json) -> GraphFileError:
    return GraphFileError(f"unexpected {shortened(x)}")


def fields(data: Json, *names: str) -> list[Json]:
    """What an object has under these names, which must be all that it has.

    Raises:
        GraphFileError: if it has others.
    """
    if set(checked(data, dict)) != set(names):
        raise GraphFileError(f"an object has the keys {shortened(sorted(data))}, but must have {sorted(names)}")
    return [data[name] for name in names]


def shortened(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."
