"""The bodies of loops as functions of arrays, and the check that they return what they are given the like of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import concrete, spec_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.texts import describe
from xformad.core.typing import ShapeDtype, Value
from xformad.errors import TreeError
from xformad.transformations.calls import ARRAYS, is_array, name_of
from xformad.transformations.closures import Closure

T = TypeVar("T")

NUMBERS: Final = frozenset((float, int, complex))
NOTHING: Final = tree.flatten(None)[1]


@final
class State:
    """The state of a loop: what the body is given, and must return the like of.

    Args:
        loop: the name of the loop, for messages.
        init: the initial state. What is no array in it, text say, must stay as it is.

    Attributes:
        arrays: the arrays among its leaves, which are operands.
    """

    def __init__(self, loop: str, init: Any) -> None:
        self.loop = loop
        self.leaves, self.structure = tree.flatten(init)
        self.specs = [spec_of(plain_number(x)) if is_array(x) else None for x in self.leaves]
        self.all_arrays = None not in self.specs

    @property
    def arrays(self) -> list[Value]:
        return [x for x, spec in zip(self.leaves, self.specs, strict=True) if spec is not None]

    def whole(self, arrays: Sequence[Value]) -> Any:
        """The state with these arrays."""
        if self.structure is tree.LEAF and self.all_arrays:
            return arrays[0]
        if self.all_arrays:
            return tree.unflatten(self.structure, arrays)
        rest = iter(arrays)
        leaves = [x if spec is None else next(rest) for x, spec in zip(self.leaves, self.specs, strict=True)]
        return tree.unflatten(self.structure, leaves)

    def flat(self, new: Any) -> list[Value]:
        """The arrays of what the body returned.

        Raises:
            TreeError: if the tree, a shape or a dtype differs.
            Retyped: if a Python number in the initial state is to have another dtype.
        """
        kind = type(new)
        if self.structure is tree.LEAF and (kind is np.ndarray or kind is Tracer) and spec_of(new) == self.specs[0]:
            return [new]
        leaves = tree.flatten_like(self.structure, new, f"the state that the body of {self.loop} returned")
        for i, (x, spec) in enumerate(zip(leaves, self.specs, strict=True)):
            if spec is None:
                if x is not self.leaves[i] and x != self.leaves[i]:
                    raise TreeError(
                        f"{self.path(i)} of {self.loop} is no number, so the body must return it as it is ({user_line()})"
                    )
            elif type(x) is np.ndarray:
                if x.shape != spec[0] or x.dtype is not spec[1]:
                    self.refuse(i, spec, x)
            elif spec_of(x) is not spec:
                self.refuse(i, spec, x)
        return (
            leaves if self.all_arrays else [x for x, spec in zip(leaves, self.specs, strict=True) if spec is not None]
        )

    def refuse(self, i: int, spec: ShapeDtype, x: Value) -> None:
        """The error for a leaf that is not like the initial one, if it is not."""
        shape, dtype = spec
        other, kind = spec_of(x)
        if (other, kind) == spec:
            return
        if other == shape and type(plain_number(self.leaves[i])) in NUMBERS and kind.kind in "biufc":
            raise Retyped(self, i, kind)
        what = (
            f"{self.path(i)} of {self.loop} is {describe(shape, dtype)}, but the body returned {describe(other, kind)}"
        )
        raise TreeError(f"{what}; a state keeps its shape and dtype: change the initial one, or cast ({user_line()})")

    def path(self, i: int) -> str:
        return list(self.structure.paths("state"))[i]

    def retyped(self, call: Callable[[], T]) -> T:
        """The result of the loop, started again where a Python number in the initial state takes another dtype."""
        while True:
            try:
                return call()
            except Retyped as signal:
                if signal.state is not self:
                    raise
                i, dtype = signal.position, signal.dtype
            x = self.leaves[i]
            self.leaves[i] = x.astype(dtype) if type(x) is Tracer else dtype.type(x)
            self.specs[i] = spec_of(self.leaves[i])


def plain_number(x: Value) -> Value:
    """The Python number that a traced value stands for; other values as they are."""
    plain = concrete(x)
    return plain if type(plain) in NUMBERS else x


class Retyped(Exception):  # noqa: N818 - not an error
    """A Python number in the initial state of a loop takes the dtype that the body makes of it, as in a Python loop.

    Attributes:
        state: the state.
        position: of the leaf.
        dtype: what it is to be.
    """

    def __init__(self, state: State, position: int, dtype: np.dtype[Any]) -> None:
        self.state = state
        self.position = position
        self.dtype = dtype


@final
class Body:
    """The body of a loop as a function of arrays: those that it closes over, those of the state, those of one entry of xs.

    Attributes:
        structure: the tree of what it returned beside the state, when it last ran.
    """

    def __init__(self, body: Callable[[Any, Any], Any], state: State, entry: tree.Structure) -> None:
        self.closure = Closure(body)
        self.__name__ = name_of(body)
        self.tracers = self.closure.tracers
        self.state = state
        self.count = len(state.arrays)
        self.entry = entry
        self.structure = tree.LEAF
        self.others: list[tuple[int, Any]] = []

    def __call__(self, *values: Value) -> tuple[Value, ...]:
        count = len(self.tracers)
        return self.fixed(values[:count])(*values[count:])

    def fixed(self, constants: Sequence[Value]) -> Callable[..., tuple[Value, ...]]:
        """The function of the rest, for many steps."""
        body = self.closure.of(constants)
        state, count, entry = self.state, self.count, self.entry

        def step(*values: Value) -> tuple[Value, ...]:
            x = values[count] if entry is tree.LEAF else tree.unflatten(entry, values[count:])
            out = body(state.whole(values[:count]), x)
            if not isinstance(out, tuple) or len(out) != 2:
                raise TreeError(
                    f"the body of {state.loop} must return a pair (state, y), but it returned {out!r} ({user_line()})"
                )
            new, y = out
            if y is None:
                self.structure = NOTHING
                return tuple(state.flat(new))
            if type(y) in ARRAYS:
                self.structure = tree.LEAF
                return *state.flat(new), y
            leaves, self.structure = tree.flatten(y)
            self.others = [(i, leaf) for i, leaf in enumerate(leaves) if not is_array(leaf)]
            return *state.flat(new), *(leaves if not self.others else filter(is_array, leaves))

        return step

    def results(self, arrays: Sequence[Value]) -> Any:
        """What the steps returned beside the state."""
        leaves = list(arrays)
        for i, leaf in self.others:
            leaves.insert(i, leaf)
        return tree.unflatten(self.structure, leaves)
