"""Functions that close over traced values, as functions of those values.

The body of a loop often uses what stands around it:

    grad(lambda w: scan(lambda state, x: (np.tanh(w @ state + x), state), init, xs)[0])

Here `w` is a traced value in a cell of the body's closure. A loop that is one operation must have it among its operands,
or its derivative would be lost. `captured` finds such values, and `replaced` makes the same function with others in their
place: the code is the same, the cells are new. Looked through are the closures of functions, their defaults, nested
functions, `functools.partial`, bound methods, transformed functions, and pytrees of all these.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CellType, FunctionType, MethodType
from typing import Any

from xformad import tree
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.transformations.transformed import Transformed


def captured(fun: Callable[..., Any]) -> list[Tracer]:
    """The traced values that a function closes over, each once.

    >>> captured(lambda x: x)
    []
    """
    found: dict[int, Tracer] = {}
    seen: set[int] = set()
    waiting: list[Any] = [fun]
    while waiting:
        x = waiting.pop()
        if type(x) is Tracer:
            found[id(x)] = x
        elif id(x) not in seen:
            seen.add(id(x))
            waiting += parts_of(x)
    return list(found.values())


def parts_of(x: Any) -> Iterator[Any]:
    """What a function, or a container of such, holds."""
    if isinstance(x, FunctionType):
        for cell in x.__closure__ or ():
            if not is_empty(cell):
                yield cell.cell_contents
        yield from x.__defaults__ or ()
        yield from (x.__kwdefaults__ or {}).values()
    elif isinstance(x, functools.partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, MethodType):
        yield from (x.__func__, x.__self__)
    elif isinstance(x, Transformed):
        yield x.fun
    elif tree.kind_of(type(x)) is not None:
        yield from tree.leaves_of(x)


def is_empty(cell: CellType) -> bool:
    """Whether a cell has no contents yet, as that of a function defined further down."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False


def replaced(fun: Callable[..., Any], tracers: list[Tracer], values: list[Value]) -> Callable[..., Any]:
    """The function with these values in the place of the tracers that it closes over."""
    if not tracers:
        return fun
    instead = {id(tracer): value for tracer, value in zip(tracers, values, strict=True)}
    rebuilt: Callable[..., Any] = rebuild(fun, instead, {})
    return rebuilt


def rebuild(x: Any, instead: dict[int, Value], done: dict[int, Any]) -> Any:
    """`x` with values in the place of tracers; `x` itself where it holds none of them."""
    if type(x) is Tracer:
        return instead.get(id(x), x)
    if id(x) in done:
        return done[id(x)]
    if not any(id(tracer) in instead for tracer in captured(x)):
        return x
    if isinstance(x, FunctionType):
        return rebuild_function(x, instead, done)
    if isinstance(x, functools.partial):
        args = rebuild(x.args, instead, done)
        return functools.partial(rebuild(x.func, instead, done), *args, **rebuild(x.keywords, instead, done))
    if isinstance(x, MethodType):
        return MethodType(rebuild(x.__func__, instead, done), rebuild(x.__self__, instead, done))
    if isinstance(x, Transformed):
        return Transformed(x.transform, rebuild(x.fun, instead, done), x.options, x.name)
    leaves, structure = tree.flatten(x)
    return tree.unflatten(structure, [rebuild(leaf, instead, done) for leaf in leaves])


def rebuild_function(fun: FunctionType, instead: dict[int, Value], done: dict[int, Any]) -> FunctionType:
    """A function of the same code, which shares those cells that hold no tracer, so that it may write into them."""
    cells = fun.__closure__ or ()
    held = [not is_empty(cell) and bool(captured(cell.cell_contents)) for cell in cells]
    closure = tuple([CellType() if h else cell for cell, h in zip(cells, held, strict=True)])
    new = FunctionType(fun.__code__, fun.__globals__, fun.__name__, None, closure)
    done[id(fun)] = new  # before its cells are filled: a recursive function holds itself
    functools.update_wrapper(new, fun)
    for cell, old, h in zip(closure, cells, held, strict=True):
        if h:
            cell.cell_contents = rebuild(old.cell_contents, instead, done)
    new.__defaults__ = rebuild(fun.__defaults__, instead, done)
    new.__kwdefaults__ = rebuild(fun.__kwdefaults__, instead, done)
    return new
