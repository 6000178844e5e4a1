"""What a sparse derivative is prepared with: its arguments, and on which of their entries its result depends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import held, spec_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.errors import ArgumentError, DifferentiationError, TreeError
from xformad.interpreters.dependence import Dependence, stacked
from xformad.interpreters.index_sets import IndexSets
from xformad.transformations.pullback import paired
from xformad.transformations.transformed import Argnums, Key, keys_of
from xformad.transformations.values import value_of

Array = np.ndarray[Any, Any]


@final
class Part(NamedTuple):
    """One argument: its tree, its leaves, and its number among those that are differentiated, or None."""

    key: Key
    structure: tree.Structure
    leaves: list[Value]
    order: int | None

    @property
    def name(self) -> str:
        return f"argument {self.key!r}"


@final
class Prepared:
    """The arguments of one call, of which the real entries of some are the columns of a matrix.

    Args:
        name: of the transformation, for messages.
        fun: the function.
        argnums: the arguments that are differentiated.
        args, kwargs: the arguments.

    Attributes:
        keys: where the differentiated arguments stand.
        width: the number of their entries.
        dtype: that their dtypes promote to.
    """

    def __init__(
        self, name: str, fun: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.name = name
        self.keys = keys_of(fun, argnums, args, kwargs)
        self.parts = []
        for key, value in by_key(args, kwargs).items():
            leaves, structure = tree.flatten(value_of(value))
            order = self.keys.index(key) if key in self.keys else None
            self.parts.append(Part(key, structure, leaves, order))
        self.moving = sorted((part for part in self.parts if part.order is not None), key=lambda part: part.order or 0)
        self.specs = [[self.spec(part, i) for i in range(len(part.leaves))] for part in self.moving]
        self.width = sum(int(np.prod(shape)) for specs in self.specs for shape, _ in specs)
        self.dtype = np.result_type(*[dtype for specs in self.specs for _, dtype in specs] or [np.dtype(float)])

    def spec(self, part: Part, i: int) -> tuple[Shape, np.dtype[Any]]:
        """The shape and dtype of a leaf that is differentiated: it must be real."""
        leaf = part.leaves[i]
        shape, dtype = spec_of(leaf)
        if type(leaf) is int and part.structure is tree.LEAF:
            return shape, np.dtype(float)
        if dtype.kind != "f":
            path = part.name + list(part.structure.paths())[i]
            raise DifferentiationError(
                f"{self.name} needs real floating-point arguments, but {path} is "
                + (f"an array of dtype {dtype}" if isinstance(leaf, np.ndarray) else f"a {type(leaf).__name__}")
            )
        return shape, dtype

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse arguments of other trees and shapes, and other whole numbers in those that are not differentiated.

        Raises:
            TreeError, ArgumentError: see `SparseDerivative`.
        """
        given = by_key(args, kwargs)
        if set(given) != {part.key for part in self.parts}:
            raise ArgumentError(
                f"{self.name} was prepared with the arguments {[part.key for part in self.parts]}, "
                f"but called with {list(given)}"
            )
        for part in self.parts:
            leaves = tree.flatten_like(part.structure, given[part.key], part.name)
            for i, (leaf, sample) in enumerate(zip(leaves, part.leaves, strict=True)):
                if part.order is not None and spec_of(leaf)[0] != spec_of(sample)[0]:
                    path = part.name + list(part.structure.paths())[i]
                    raise TreeError(
                        f"{path} has shape {spec_of(leaf)[0]}, but {self.name} was prepared with shape {spec_of(sample)[0]}"
                    )
                if part.order is None and fixed(sample) and not (fixed(leaf) and np.array_equal(leaf, sample)):
                    path = part.name + list(part.structure.paths())[i]
                    raise ArgumentError(
                        f"{path} is not the one that {self.name} was prepared with, and the pattern may depend on it; "
                        "prepare the derivative anew"
                    )

    def split(self, vector: Array) -> list[Any]:
        """A vector with a number for each column as trees like the differentiated arguments."""
        results = []
        start = 0
        for part, specs in zip(self.moving, self.specs, strict=True):
            leaves = []
            for shape, dtype in specs:
                stop = start + int(np.prod(shape))
                leaves.append(vector[start:stop].reshape(shape).astype(dtype, copy=False)[()])
                start = stop
            results.append(tree.unflatten(part.structure, leaves))
        return results

    def dependence(self, fun: Callable[..., Any], has_aux: bool) -> tuple[Dependence, np.dtype[Any]]:
        """On which columns each entry of the result depends; and the result's dtype."""
        with IndexSets(self.width, fun) as interpreter:
            tracers: dict[Key, Any] = {}
            start = 0
            for part in (*self.moving, *(part for part in self.parts if part.order is None)):
                leaves = []
                for leaf in part.leaves:
                    if part.order is not None:
                        leaves.append(interpreter.input(float(leaf) if type(leaf) is int else leaf, start))
                        start += int(np.size(leaf))
                    else:
                        smooth = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc"
                        leaves.append(interpreter.varying_input(leaf) if smooth else leaf)
                tracers[part.key] = tree.unflatten(part.structure, leaves)
            positional = [tracers[part.key] for part in self.parts if isinstance(part.key, int)]
            out = fun(*positional, **{key: x for key, x in tracers.items() if isinstance(key, str)})
            if has_aux:
                out = paired(out)[0]
            found = [Dependence.none(0, self.width)]
            dtype = self.dtype
            for leaf in map(held, tree.leaves_of(out)):
                shape, kind = spec_of(leaf)
                if kind.kind not in "fc":
                    raise DifferentiationError(f"{self.name} needs floating-point results, but got dtype {kind}")
                dtype = np.result_type(dtype, kind)
                traced = type(leaf) is Tracer and leaf.interpreter is interpreter
                found.append(leaf.extra if traced else Dependence.none(int(np.prod(shape)), self.width))
        return stacked(found), dtype


def by_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[Key, Any]:
    """The arguments of a call by position or name."""
    return {**dict[Key, Any](enumerate(args)), **dict[Key, Any](kwargs.items())}


def fixed(leaf: Value) -> bool:
    """Whether a leaf that is not differentiated is of a kind that decides on patterns: whole numbers and names."""
    return isinstance(leaf, int | str | bytes) or (hasattr(leaf, "dtype") and leaf.dtype.kind in "iub")


def joined(leaves: list[Value]) -> Value:
    """The entries of arrays, one after the other."""
    if len(leaves) == 1:
        return np.ravel(leaves[0])
    return np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.zeros(0)


def pieces(vector: Array, leaves: list[Value]) -> Iterator[Value]:
    """A vector in the shapes and dtypes of arrays."""
    start = 0
    for leaf in leaves:
        shape, dtype = spec_of(leaf)
        stop = start + int(np.prod(shape))
        yield vector[start:stop].reshape(shape).astype(dtype, copy=False)[()]
        start = stop
