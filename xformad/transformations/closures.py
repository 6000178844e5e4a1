"""Functions that close over traced values, as functions of those values.

The body of a loop often uses what stands around it:

    grad(lambda w: scan(lambda state, x: (np.tanh(w @ state + x), state), init, xs)[0])

Here `w` is a traced value in a cell of the body's closure. A loop that is one operation must have it among its operands,
or its derivative would be lost. A `Closure` finds such values, and makes the same function with others in their place: the
code is the same, the cells are new. Looked through are the closures of functions, their defaults, nested
functions, `functools.partial`, bound methods, objects' attributes, transformed functions, and pytrees of all these; not
global variables. What is not found is noticed when the call has run (`xformad.transformations.calls`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from types import CellType, FunctionType, MethodType
from typing import Any, Final, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import stack
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.core.views import lent
from xformad.transformations.transformed import Transformed

PLAIN: Final = frozenset((int, float, complex, bool, str, bytes, type(None)))
"""The types of what holds nothing."""

LIMIT: Final = 1000
"""How many objects are looked through. Beyond, traced values are not found."""


def search(x: Any, arrays: bool) -> tuple[list[Value], set[int]]:
    """The traced values that a function, or a container of such, holds, each once; and, by identity, what holds them."""
    tracers: dict[int, Value] = {}
    seen: dict[int, Any] = {}  # keeps the objects, so that no other gets the id of one
    holders: dict[int, list[int]] = {}
    waiting: list[Any] = [x]
    while waiting:
        x = waiting.pop()
        if len(seen) >= LIMIT or id(x) in seen:
            continue
        seen[id(x)] = x
        for part in parts_of(x):
            if type(part) is Tracer or (arrays and type(part) is np.ndarray):
                tracers[id(part)] = part
            elif type(part) in PLAIN:
                continue
            else:
                waiting.append(part)
            holders.setdefault(id(part), []).append(id(x))
    found: set[int] = set()
    keys = list(tracers)
    while keys:
        for key in holders.get(keys.pop(), ()):
            if key not in found:
                found.add(key)
                keys.append(key)
    return list(tracers.values()), found


def parts_of(x: Any) -> Iterator[Any]:
    """What a function, or a container of such, holds."""
    if isinstance(x, FunctionType):
        for cell in x.__closure__ or ():
            if not is_empty(cell):
                yield cell.cell_contents
        yield from (x.__defaults__, x.__kwdefaults__)
    elif isinstance(x, functools.partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, MethodType):
        yield from (x.__func__, x.__self__)
    elif isinstance(x, Transformed):
        yield x.fun
    elif tree.kind_of(type(x)) is not None:
        yield from tree.leaves_of(x)
    elif is_instance(x):
        yield from vars(x).values()


def is_instance(x: Any) -> bool:
    """Whether something is an object of a class written in Python, which its attributes make up."""
    bases = type(x).__mro__[:-1]
    return isinstance(getattr(x, "__dict__", None), dict) and not any(
        name in vars(base) for base in bases for name in ("__new__", "__slots__")
    )


def is_empty(cell: CellType) -> bool:
    """Whether a cell has no contents yet, as that of a function defined further down."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False


@final
class Closure:
    """A function and the traced values that it closes over.

    Args:
        fun: the function.
        arrays: whether arrays are found, too, which the program may write into before the function is run again.

    Attributes:
        tracers: the traced values, and the arrays.
    """

    def __init__(self, fun: Callable[..., Any], *, arrays: bool = False) -> None:
        self.fun = fun
        self.tracers: list[Value] = []
        self.holders: set[int] = set()
        if stack.live:
            self.tracers, self.holders = search(fun, arrays)
        self.last: tuple[Sequence[Value], Callable[..., Any]] = (self.tracers, fun)

    def of(self, values: Sequence[Value]) -> Callable[..., Any]:
        """The function with these values in the place of the tracers."""
        if not self.tracers:
            return self.fun
        known, fun = self.last  # the steps of a loop have the same ones
        if all(x is y for x, y in zip(known, values, strict=True)):
            return fun
        instead = {id(tracer): lent(value) for tracer, value in zip(self.tracers, values, strict=True)}
        rebuilt: Callable[..., Any] = self.rebuilt(self.fun, instead, {})
        self.last = (values, rebuilt)
        return rebuilt

    def rebuilt(self, x: Any, instead: dict[int, Value], done: dict[int, Any]) -> Any:
        """`x` with values in the place of tracers; `x` itself where it holds none of them."""
        key = id(x)
        if key in instead:
            return instead[key]
        if key in done:
            return done[key]
        if key not in self.holders:
            return x
        if isinstance(x, FunctionType):
            return self.rebuilt_function(x, instead, done)
        if isinstance(x, functools.partial):
            parts = [self.rebuilt(part, instead, done) for part in (x.func, x.args, x.keywords)]
            return functools.partial(parts[0], *parts[1], **parts[2])
        if isinstance(x, MethodType):
            return MethodType(self.rebuilt(x.__func__, instead, done), self.rebuilt(x.__self__, instead, done))
        if isinstance(x, Transformed):
            return Transformed(x.transform, self.rebuilt(x.fun, instead, done), x.options, x.name)
        if tree.kind_of(type(x)) is None:
            done[key] = other = object.__new__(type(x))
            other.__dict__.update({name: self.rebuilt(part, instead, done) for name, part in vars(x).items()})
            return other
        leaves, structure = tree.flatten(x)
        return tree.unflatten(structure, [self.rebuilt(leaf, instead, done) for leaf in leaves])

    def rebuilt_function(self, fun: FunctionType, instead: dict[int, Value], done: dict[int, Any]) -> FunctionType:
        """A function of the same code, which shares those cells that hold no tracer, so that it may write into them."""
        cells = fun.__closure__ or ()
        held = [not is_empty(cell) and self.holds(cell.cell_contents) for cell in cells]
        closure = tuple([CellType() if h else cell for cell, h in zip(cells, held, strict=True)])
        new = FunctionType(fun.__code__, fun.__globals__, fun.__name__, None, closure)
        done[id(fun)] = new  # before its cells are filled: a recursive function holds itself
        for cell, old, h in zip(closure, cells, held, strict=True):
            if h:
                cell.cell_contents = self.rebuilt(old.cell_contents, instead, done)
        new.__defaults__ = self.rebuilt(fun.__defaults__, instead, done)
        new.__kwdefaults__ = self.rebuilt(fun.__kwdefaults__, instead, done)
        new.__qualname__ = fun.__qualname__
        return new

    def holds(self, x: Any) -> bool:
        """Whether something is a tracer, or holds one."""
        return id(x) in self.holders or any(x is tracer for tracer in self.tracers)
