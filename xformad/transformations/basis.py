"""The arguments of a call that are differentiated, taken apart, and the unit vectors of their space."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import spec_of
from xformad.core.typing import Value
from xformad.transformations.transformed import Argnums, keys_of
from xformad.transformations.vmap import vmap


@final
class Basis:
    """The unit vectors of a list of arrays, all entries of all arrays counted through.

    Args:
        leaves: the arrays. What is no floating-point number or array has no entries.
    """

    def __init__(self, leaves: list[Value]) -> None:
        self.specs = [floating(leaf) for leaf in leaves]
        self.sizes = [0 if spec is None else math.prod(spec[0]) for spec in self.specs]
        self.starts = [sum(self.sizes[:i]) for i in range(len(leaves))]
        self.size = sum(self.sizes)

    def vectors(self, start: int, stop: int) -> list[Value]:
        """For each array the unit vectors from `start` to `stop`, along a first axis; None where it has no entries."""
        found: list[Value] = []
        for spec, first, size in zip(self.specs, self.starts, self.sizes, strict=True):
            if spec is None:
                found.append(None)
                continue
            rows = np.zeros((stop - start, size), spec[1])
            own = np.arange(max(start, first), max(min(stop, first + size), first))
            rows[own - start, own - first] = 1
            found.append(rows.reshape(stop - start, *spec[0]))
        return found

    def mapped(self, fun: Callable[[list[Value]], Any], chunk_size: int | None) -> Any:
        """What `fun` makes of one unit vector, a tree, for all of them, along a first axis."""
        step = self.size if chunk_size is None else chunk_size
        parts = [vmap(fun)(self.vectors(i, min(i + step, self.size))) for i in range(0, self.size, step)]
        return parts[0] if len(parts) == 1 else tree.map(lambda *chunks: np.concatenate(chunks), *parts)

    def blocks(self, rows: Value, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[Value]:
        """What belongs to each array, of an array with an entry for each unit vector along its first axis, made last."""
        found: list[Value] = []
        for spec, start, size in zip(self.specs, self.starts, self.sizes, strict=True):
            if spec is None:
                found.append(None)
            elif not size:
                found.append(np.zeros(shape + spec[0], dtype))
            else:
                part = rows if size == self.size else rows[start : start + size]
                found.append(np.reshape(np.moveaxis(part, 0, -1), shape + spec[0])[()])
        return found


def floating(leaf: Value) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """The shape and dtype of a leaf that has derivatives; a Python int is taken for a float."""
    if type(leaf) is int:
        return (), np.dtype(float)
    if not isinstance(leaf, float | complex) and not hasattr(leaf, "dtype"):
        return None
    spec = spec_of(leaf)
    return spec if spec[1].kind in "fc" else None


@final
class Chosen:
    """The arguments of one call that are differentiated; called, the function of them alone."""

    def __init__(
        self, fun: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.fun = fun
        self.args = args
        self.kwargs = kwargs
        self.keys = keys_of(fun, argnums, args, kwargs)
        self.values = [args[key] if isinstance(key, int) else kwargs[key] for key in self.keys]
        flat = [tree.flatten(value) for value in self.values]
        self.structures = [structure for _, structure in flat]
        self.leaves = [leaf for leaves, _ in flat for leaf in leaves]
        self.basis = Basis(self.leaves)

    def trees(self, leaves: list[Value]) -> list[Any]:
        """These leaves, in the trees of the arguments."""
        rest = iter(leaves)
        return [tree.unflatten(structure, [next(rest) for _ in range(structure.size)]) for structure in self.structures]

    def __call__(self, *values: Any) -> Any:
        args, kwargs = list(self.args), dict(self.kwargs)
        for key, value in zip(self.keys, values, strict=True):
            if isinstance(key, int):
                args[key] = value
            else:
                kwargs[key] = value
        return self.fun(*args, **kwargs)
