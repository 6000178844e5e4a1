"""What a function that was compiled ahead of time takes and returns: trees, shapes, dtypes, and values that are no arrays.

>>> import numpy as np
>>> from xformad import tree
>>> structures = [tree.flatten(each)[1] for each in ((0,), {"power": 0}, 0)]
>>> signature = Signature(*structures, (leaf_of(np.ones(3)), leaf_of("two")), ())
>>> signature.arrays("f", (np.zeros(3),), {"power": "two"})
[array([0., 0., 0.])]
>>> signature.arrays("f", (np.zeros(4),), {"power": "two"})
Traceback (most recent call last):
...
xformad.errors.ArgumentError: compiled f takes an array float64[3] as args[0], but was given an array float64[4]; ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import spec_of
from xformad.core.primitive import Tracer
from xformad.core.texts import describe
from xformad.core.typing import ShapeDtype, Value
from xformad.errors import ArgumentError

PYTHON_NUMBERS: Final = frozenset((float, int, complex))


@final
class Leaf(NamedTuple):
    """What a leaf of the arguments must be.

    Attributes:
        type: of an array or a number; None for other leaves, which must be the ones that the function was compiled for.
        spec: the shape and dtype of an array or a number.
        value: what another leaf must be.
    """

    type: type | None
    spec: ShapeDtype | None
    value: Any

    def fits(self, x: Value) -> bool:
        """Whether an argument is as it must be. Of a traced one only shape and dtype count."""
        kind = type(x)
        if self.type is None:
            return kind is type(self.value) and bool(x == self.value)
        if kind is self.type:
            return kind in PYTHON_NUMBERS or spec_of(x) == self.spec
        return kind is Tracer and spec_of(x) == self.spec

    def __str__(self) -> str:
        if self.type is None:
            return f"the value {self.value!r}"
        if self.type in PYTHON_NUMBERS:
            return f"a Python {self.type.__name__}"
        assert self.spec is not None
        if issubclass(self.type, np.generic):
            return f"a number numpy.{self.type.__name__}"
        what = "an array" if self.type is np.ndarray else f"a {self.type.__name__}"
        return f"{what} {describe(*self.spec)}"


def is_dynamic(leaf: Any) -> bool:
    """Whether a leaf is an array or a number, which a recording holds for all values of."""
    kind = type(leaf)
    if kind is bool:
        return False
    if kind in PYTHON_NUMBERS or isinstance(leaf, Tracer | np.ndarray | np.number | np.bool_):
        return True
    return hasattr(kind, "__array_function__") and not isinstance(leaf, np.generic)


def leaf_of(x: Any) -> Leaf:
    """What a leaf is, for the signature of a function compiled for it."""
    return Leaf(type(x), spec_of(x), None) if is_dynamic(x) else Leaf(None, None, x)


@final
class Signature:
    """What a compiled function takes and returns.

    Attributes:
        args: the structure of its positional arguments, a tuple.
        kwargs: that of its keyword arguments, a dict.
        result: that of its result.
        leaves: what the leaves of the positional arguments must be, then those of the keyword arguments.
        others: the leaves of the result that are no arrays, with their positions.
    """

    __slots__ = ("args", "kwargs", "leaves", "others", "plain", "result")

    def __init__(
        self,
        args: tree.Structure,
        kwargs: tree.Structure,
        result: tree.Structure,
        leaves: tuple[Leaf, ...],
        others: tuple[tuple[int, Any], ...],
    ) -> None:
        self.args = args
        self.kwargs = kwargs
        self.result = result
        self.leaves = leaves
        self.others = others
        self.plain = not kwargs.children and all(child is tree.LEAF for child in args.children)

    def arrays(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Value]:
        """The arrays and numbers among the leaves of arguments.

        Raises:
            TreeError: if a container is another one.
            ArgumentError: if a leaf is another one.
        """
        quick = self.plain and not kwargs and len(args) == len(self.leaves)
        given = args if quick else self.given(args, kwargs)
        for leaf, x in zip(self.leaves, given, strict=True):
            if not leaf.fits(x):
                self.refuse(name, args, kwargs)
        return [x for leaf, x in zip(self.leaves, given, strict=True) if leaf.type is not None]

    def given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The leaves of arguments."""
        return [*tree.flatten_like(self.args, args, "args"), *tree.flatten_like(self.kwargs, kwargs, "kwargs")]

    def refuse(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        """Say which leaf is another one."""
        paths = [*self.args.paths("args"), *self.kwargs.paths("kwargs")]
        for leaf, x, path in zip(self.leaves, self.given(args, kwargs), paths, strict=True):
            if not leaf.fits(x):
                raise ArgumentError(
                    f"compiled {name} takes {leaf} as {path}, but was given {shown(x)}; convert it, or compile the function "
                    "for such arguments, too"
                )
        raise AssertionError("one of the leaves does not fit")

    def returned(self, arrays: Sequence[Value]) -> Any:
        """The result, of the arrays in it."""
        if self.result is tree.LEAF and not self.others:
            return arrays[0]
        leaves = list(arrays)
        for i, leaf in self.others:
            leaves.insert(i, leaf)
        return tree.unflatten(self.result, leaves)


def shown(x: Any) -> str:
    """What an argument is, for people."""
    if type(x) is Tracer:
        return f"a traced array {describe(*spec_of(x))}"
    return str(leaf_of(x))
