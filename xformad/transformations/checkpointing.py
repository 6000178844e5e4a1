"""Memory for time: `checkpoint` keeps a function's arguments in the place of its tape, `checkpoint_scan` does so for loops.

>>> import numpy as np
>>> from xformad import grad
>>> grad(lambda x: np.sum(checkpoint(lambda x: np.sin(x) ** 2)(x)))(np.array([0.0, 1.0]))
array([0.        , 0.90929743])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from xformad.core.typing import Value
from xformad.transformations.calls import Flat, FlatFunction, call
from xformad.transformations.loops import Counts, run_scan, scan_length, scan_value
from xformad.transformations.transformed import Transformed

P = ParamSpec("P")
R = TypeVar("R")

FAN: Final = 8
"""Into how many parts a loop is divided, and each part again: the balance of memory and repeated work."""

SHORT: Final = 16
"""The number of steps of a loop that is not divided."""


def run_checkpoint(fun: Callable[..., Any], options: None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    flat = Flat(lambda args, kwargs: fun(*args, **kwargs), (args, kwargs), arrays=True)
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
    body: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """`scan` with recursive checkpoints: a backward pass keeps O(log n) states of n steps, and repeats O(log n) times.

    The loop is divided into 8 parts, and each of them again; of each part that is not being worked on, the state at its
    beginning is kept. A. Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
    differentiation" (1992).

    Args:
        body, init, xs, length, reverse: as for `scan`.

    Returns:
        As `scan`. The second results themselves are kept, one a step: return None where the memory counts.

    Raises:
        TreeError: as `scan`.

    >>> from xformad import grad
    >>> grad(lambda x: checkpoint_scan(lambda state, _: (np.sin(state), None), x, length=100)[0])(1.0)
    np.float64(0.00369...)
    """
    count = scan_length(xs, length, "checkpoint_scan")
    return run_scan(parts, "checkpoint_scan", body, init, xs, count, reverse)


def parts(*args: Value, body: FlatFunction, counts: Counts, length: int, reverse: bool) -> tuple[Value, ...]:
    """The loop, each of its parts a checkpointed function, which does the same."""
    if length <= SHORT:
        return scan_value(*args, body=body, counts=counts, length=length, reverse=reverse)
    constants, state, xs = counts.parts(args)
    bounds = [length * i // FAN for i in range(FAN + 1)]
    pieces = list(pairwise(bounds))
    rows = []
    for start, stop in reversed(pieces) if reverse else pieces:
        piece = partial(parts, body=body, counts=counts, length=stop - start, reverse=reverse)
        found = call.bind(*constants, *state, *[x[start:stop] for x in xs], fun=piece)
        state = found[: counts.state]
        rows.append(found[counts.state :])
    if reverse:
        rows.reverse()
    return (*state, *[np.concatenate(column) for column in zip(*rows, strict=True)])
