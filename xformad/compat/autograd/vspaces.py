"""Autograd's vector spaces: what zeros, ones, sums and inner products of a kind of value are.

>>> import numpy as np
>>> space = vspace({"w": np.ones((2, 3)), "b": 1.0})
>>> space.size, space.zeros()["b"]
(7, array(0.))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, final

import numpy as np

from xformad.core.interpreter import spec_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.transformations.values import value_of


class VSpace:
    """A vector space of values. Subclass and `register` it for a type of yours."""

    mappings: ClassVar[dict[type, Callable[[Any], Any]]] = {}
    iscomplex: bool = False
    shape: Any
    size: int

    def __init__(self, value: Any) -> None:
        pass

    def zeros(self) -> Any:
        """The zero."""
        raise NotImplementedError(repr(self))

    def ones(self) -> Any:
        """The element of ones."""
        raise NotImplementedError(repr(self))

    def standard_basis(self) -> Iterable[Any]:
        """The basis."""
        raise NotImplementedError(repr(self))

    def randn(self) -> Any:
        """A random element."""
        raise NotImplementedError(repr(self))

    def add(self, x_prev: Any, x_new: Any) -> Any:
        """The sum."""
        return self._add(x_prev, x_new)

    def mut_add(self, x_prev: Any, x_new: Any) -> Any:
        """The sum; None counts as zero. Nothing is written into, since values may be traced."""
        return self._add(self.zeros() if x_prev is None else x_prev, x_new)

    def scalar_mul(self, x: Any, a: Any) -> Any:
        """The product with a number."""
        return self._scalar_mul(x, a)

    def inner_prod(self, x: Any, y: Any) -> Any:
        """The inner product, a real number."""
        return self._inner_prod(x, y)

    def covector(self, x: Any) -> Any:
        """The covector of a vector: its conjugate."""
        return self._covector(x)

    def _add(self, x: Any, y: Any) -> Any:
        return x + y

    def _mut_add(self, x: Any, y: Any) -> Any:
        return self._add(x, y)

    def _scalar_mul(self, x: Any, a: Any) -> Any:
        return x * a

    def _inner_prod(self, x: Any, y: Any) -> Any:
        raise NotImplementedError(repr(self))

    def _covector(self, x: Any) -> Any:
        return x

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}_{self.__dict__}"

    @classmethod
    def register(cls, value_type: type, vspace_maker: Callable[[Any], Any] | None = None) -> None:
        """Make this the space of the values of a type."""
        VSpace.mappings[value_type] = vspace_maker or cls


class ArrayVSpace(VSpace):
    """Real arrays and numbers of one shape and dtype."""

    def __init__(self, value: Value) -> None:
        self.shape, self.dtype = spec_of(value)

    @property
    def size(self) -> int:  # type: ignore[override]
        """The number of real numbers."""
        return int(math.prod(self.shape))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def zeros(self) -> Value:
        return np.zeros(self.shape, self.dtype)

    def ones(self) -> Value:
        return np.ones(self.shape, self.dtype)

    def standard_basis(self) -> Iterator[Value]:
        for index in np.ndindex(*self.shape):
            for unit in self.units():
                vector = np.zeros(self.shape, self.dtype)
                vector[index] = unit
                yield vector

    def units(self) -> tuple[Value, ...]:
        """The basis of one entry."""
        return (1.0,)

    def randn(self) -> Value:
        return np.asarray(np.random.standard_normal(self.shape)).astype(self.dtype)

    def _inner_prod(self, x: Value, y: Value) -> Value:
        return np.dot(np.ravel(x), np.ravel(y))


@final
class ComplexArrayVSpace(ArrayVSpace):
    """Complex arrays and numbers of one shape and dtype."""

    iscomplex = True

    @property
    def size(self) -> int:  # type: ignore[override]
        return 2 * int(math.prod(self.shape))

    def ones(self) -> Value:
        return np.full(self.shape, 1.0 + 1.0j, self.dtype)

    def units(self) -> tuple[Value, ...]:
        return 1.0, 1.0j

    def randn(self) -> Value:
        real, imaginary = np.random.standard_normal((2, *self.shape))
        return np.asarray(real + 1j * imaginary).astype(self.dtype)

    def _inner_prod(self, x: Value, y: Value) -> Value:
        return np.real(np.dot(np.conj(np.ravel(x)), np.ravel(y)))

    def _covector(self, x: Value) -> Value:
        return np.conj(x)


class ContainerVSpace(VSpace):
    """Containers of values: `shape` is the container of their spaces."""

    def __init__(self, value: Any) -> None:
        self.shape = self._make([vspace(x) for x in self._values(value)], value)

    def _values(self, x: Any) -> list[Any]:
        return list(x)

    def _make(self, values: list[Any], like: Any) -> Any:
        return type(like)(values)

    def _each(self, f: Callable[..., Any], *args: Any) -> Any:
        parts = zip(self._values(self.shape), *map(self._values, args), strict=True)
        return self._make([f(*each) for each in parts], self.shape)

    @property
    def size(self) -> int:  # type: ignore[override]
        """The number of real numbers."""
        return sum([int(space.size) for space in self._values(self.shape)])

    def zeros(self) -> Any:
        return self._each(lambda space: space.zeros())

    def ones(self) -> Any:
        return self._each(lambda space: space.ones())

    def randn(self) -> Any:
        return self._each(lambda space: space.randn())

    def standard_basis(self) -> Iterator[Any]:
        zeros = self._values(self.zeros())
        for i, space in enumerate(self._values(self.shape)):
            for x in space.standard_basis():
                yield self._make([*zeros[:i], x, *zeros[i + 1 :]], self.shape)

    def _add(self, x: Any, y: Any) -> Any:
        return self._each(lambda space, a, b: space._add(a, b), x, y)

    def _scalar_mul(self, x: Any, a: Any) -> Any:
        return self._each(lambda space, each: space._scalar_mul(each, a), x)

    def _inner_prod(self, x: Any, y: Any) -> Any:
        return sum(self._values(self._each(lambda space, a, b: space._inner_prod(a, b), x, y)))

    def _covector(self, x: Any) -> Any:
        return self._each(lambda space, each: space._covector(each), x)


class SequenceVSpace(ContainerVSpace):
    """Lists and tuples."""


@final
class ListVSpace(SequenceVSpace):
    """Lists."""


@final
class TupleVSpace(SequenceVSpace):
    """Tuples."""


class NamedTupleVSpace(SequenceVSpace):
    """Namedtuples."""

    def _make(self, values: list[Any], like: Any) -> Any:
        return type(like)(*values)


@final
class DictVSpace(ContainerVSpace):
    """Dicts."""

    def _values(self, x: Any) -> list[Any]:
        return [x[key] for key in (self.shape if "shape" in self.__dict__ else x)]

    def _make(self, values: list[Any], like: Any) -> Any:
        return dict(zip(like, values, strict=True))


@final
class SparseObject:
    """A cotangent of which few entries are not zero, as a function that adds it to an array."""

    __slots__ = ("mut_add", "vs")

    def __init__(self, vs: VSpace, mut_add: Callable[[Any], Any]) -> None:
        self.vs = vs
        self.mut_add = mut_add

    def dense(self) -> Any:
        """The cotangent itself."""
        return self.mut_add(self.vs.zeros())


def vspace(value: Any) -> Any:
    """The vector space of a value, traced or not.

    Raises:
        TypeError: if there is none.
    """
    if type(value) is Tracer:
        return ComplexArrayVSpace(value) if value.dtype.kind == "c" else ArrayVSpace(value)
    maker = VSpace.mappings.get(type(value))
    if maker is None and isinstance(value, tuple) and hasattr(value, "_fields"):
        maker = NamedTupleVSpace
    if maker is None:
        raise TypeError(
            f"Can't find vector space for value {value_of(value)} of type {type(value)}. "
            f"Valid types are {list(VSpace.mappings)}"
        )
    return maker(value)


for real in (float, np.longdouble, np.float64, np.float32, np.float16):
    ArrayVSpace.register(real)
for number in (complex, np.clongdouble, np.complex64, np.complex128):
    ComplexArrayVSpace.register(number)
VSpace.register(np.ndarray, lambda x: ComplexArrayVSpace(x) if x.dtype.kind == "c" else ArrayVSpace(x))
VSpace.register(SparseObject, lambda x: x.vs)
ListVSpace.register(list)
TupleVSpace.register(tuple)
DictVSpace.register(dict)
