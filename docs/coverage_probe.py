"""Calls functions on traced sample arguments, and tells from what comes back whether they are differentiable."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from xformad import UnsupportedError, XformadError, jvp, taylor, trace, tree, vjp, vmap
from xformad.core.primitive import Tracer
from xformad.interpreters.index_sets import IndexSets

Samples = list[tuple[Any, ...]]

DIFFERENTIABLE: Final = "differentiable"
NO_DERIVATIVE: Final = "no derivative"
CONSTANT: Final = "constant"
REFUSED: Final = "refused"

MISSING: Final = "or make it a primitive with xformad.extend.primitive and defvjp"
"""What the message says where nobody has decided anything about a function."""


@dataclass(frozen=True)
class Outcome:
    """What a function does on traced arrays.

    Attributes:
        state: one of the words above; the first may be followed by modes that it does not work under.
        primitives: what the sample call was made of.
        reason: what the refusal says.
    """

    state: str
    primitives: tuple[str, ...] = ()
    reason: str = ""


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    """The outcome of one call on traced arguments."""
    leaves, structure = tree.flatten(args)
    traced = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc"]
    found = NO_DERIVATIVE

    def call(*values: Any) -> Any:
        nonlocal found
        filled = list(leaves)
        for i, value in zip(traced, values, strict=True):
            filled[i] = value
        out = tree.leaves_of(function(*tree.unflatten(structure, filled)))
        tracers = [x for x in out if type(x) is Tracer]
        if tracers:
            found = DIFFERENTIABLE
        return tracers

    values = [leaves[i] for i in traced]
    out, pullback = vjp(call, *values)
    pullback([np.ones_like(x) for x in out])
    state = found
    if state == DIFFERENTIABLE:
        state += "".join(f", not under {mode}" for mode, run in MODES.items() if not works(run, call, values))
    graph = trace(call)(*values)
    names = dict.fromkeys(node.primitive.name for node in graph.equations if node.primitive is not None)
    return Outcome(state, tuple(names))


MODES: Final[dict[str, Callable[..., Any]]] = {
    "`jvp`": lambda call, values: jvp(call, values, [np.ones_like(x) for x in values]),
    "`vmap`": lambda call, values: vmap(call)(*[np.stack([x, x]) for x in values]),
    "`taylor`": lambda call, values: taylor(call, values, [[np.ones_like(x)] for x in values], order=3),
    "`sparse_jacobian`": lambda call, values: depend(call, values),
}


def depend(call: Callable[..., Any], values: list[Any]) -> None:
    """Run a function on index sets."""
    with IndexSets(sum(x.size for x in values)) as interpreter:
        call(*[interpreter.input(x, 0) for x in values])


def works(run: Callable[..., Any], call: Callable[..., Any], values: list[Any]) -> bool:
    try:
        run(call, values)
    except XformadError:
        return False
    return True


def without_lines(text: str) -> str:
    """A message without the line of the program that it is about."""
    return re.sub(r" at \S+:\d+| \(\S+:\d+\)", "", text)


def probe(function: Callable[..., Any], samples: Samples) -> Outcome | str:
    """The best outcome over the samples; text with the errors, if none of them suits the function."""
    best: Outcome | None = None
    refusal = ""
    errors = []
    for args in samples:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = outcome(function, args)
        except UnsupportedError as error:
            if MISSING in str(error) or " with out= " in str(error):  # nothing decided; or one argument too many
                errors.append(str(error))
            else:
                refusal = refusal or without_lines(str(error))
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        else:
            if found.state == DIFFERENTIABLE:
                return found
            best = best or found
    if best is not None:
        return best
    methods = [error for error in errors if error.startswith("ConcretizationError: x.")]
    refusal = refusal or without_lines("".join(methods[:1]).partition(": ")[2])
    return Outcome(REFUSED, (), refusal) if refusal else "\n".join(errors[:8])
