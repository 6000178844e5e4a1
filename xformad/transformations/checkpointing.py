"""Memory for time: `checkpoint` keeps a function's arguments in the place of its tape, `checkpoint_scan` does so for loops.

>>> import numpy as np
>>> from xformad import grad
>>> grad(lambda x: np.sum(checkpoint(lambda x: np.sin(x) ** 2)(x)))(np.array([0.0, 1.0]))
array([0.        , 0.90929743])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from xformad import tree
from xformad.transformations.calls import Flat, call
from xformad.transformations.loops import scan, scan_length
from xformad.transformations.transformed import Transformed

P = ParamSpec("P")
R = TypeVar("R")

FAN: Final = 8
"""Into how many parts a loop is divided, and each part again: the balance of memory and repeated work."""


def run_checkpoint(fun: Callable[..., Any], options: None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    flat = Flat(lambda args, kwargs: fun(*args, **kwargs), (args, kwargs))
    return flat.result(call.bind(*flat.operands, fun=flat))


def checkpoint(fun: Callable[P, R]) -> Transformed[P, R]:
    """The same function, of whose run a tape keeps the arguments only. The backward pass runs it again.

    Args:
        fun: a function of pytrees, with a pytree as result, without side effects. It may close over traced values.

    Returns:
        The function of the same arguments. The derivative of any order and mode is that of `fun`.

    >>> from xformad import grad
    >>> grad(grad(checkpoint(lambda x: x**3)))(2.0)
    np.float64(12.0)
    """
    return Transformed(run_checkpoint, fun, None, "checkpoint")


def checkpoint_scan(
    body: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None
) -> tuple[Any, Any]:
    """`scan` with recursive checkpoints: a backward pass keeps O(log n) states of n steps, and repeats O(log n) times.

    The loop is divided into 8 parts, and each of them again; of each part that is not being worked on, the state at its
    beginning is kept. A. Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
    differentiation" (1992).

    Args:
        body, init, xs, length: as for `scan`.

    Returns:
        As `scan`. The second results themselves are kept, one a step: return None where the memory counts.

    Raises:
        TreeError: as `scan`.

    >>> from xformad import grad
    >>> grad(lambda x: checkpoint_scan(lambda state, _: (np.sin(state), None), x, length=100)[0])(1.0)
    np.float64(0.00369...)
    """
    count = scan_length(xs, length, "checkpoint_scan")
    return part(body, init, xs, 0, count)


def part(body: Callable[[Any, Any], tuple[Any, Any]], state: Any, xs: Any, start: int, stop: int) -> tuple[Any, Any]:
    """The steps from `start` to `stop`."""
    count = stop - start
    if count <= FAN:
        return scan(body, state, tree.map(lambda x: x[start:stop], xs), length=count)
    step = FAN
    while step * FAN < count:
        step *= FAN
    results = []
    for first in range(start, stop, step):
        last = min(first + step, stop)
        inner = checkpoint(lambda state, xs, first=first, last=last: part(body, state, xs, first, last))
        state, ys = inner(state, xs)
        results.append(ys)
    return state, joined(results)


def joined(results: list[Any]) -> Any:
    """The results of consecutive parts, along their first axis."""
    leaves, structure = tree.flatten(results[0])
    if not leaves:
        return results[0]
    columns = zip(*[tree.leaves_of(ys) for ys in results], strict=True)
    return tree.unflatten(structure, [np.concatenate(column) for column in columns])
