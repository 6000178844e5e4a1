"""`debug_nans`: the first operation that makes a NaN or an infinity, in a value, a tangent or a cotangent, raises an error.

>>> import numpy as np
>>> from xformad import grad
>>> with debug_nans():
...     grad(lambda x: np.sum(np.log(x)))(np.array([1.0, -1.0]))
Traceback (most recent call last):
...
xformad.errors.NonFiniteError: log at ...:2 made a NaN at entry (1,): log of a negative number, -1.0
    argument 0: float64[2] = [ 1. -1.]
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple, ParamSpec, Self, TypeVar, final

import numpy as np

from xformad.compiler.replay import ufuncs
from xformad.core.graph import Node
from xformad.core.interpreter import Interpreter
from xformad.core.primitive import Primitive, Tracer
from xformad.core.texts import describe, shortened
from xformad.core.typing import Shape, Value
from xformad.errors import NonFiniteError
from xformad.interpreters.batch import Batch
from xformad.interpreters.cotangents import Masked, Parts, Scattered
from xformad.interpreters.jvp import Jvp
from xformad.interpreters.structural_zeros import settled
from xformad.interpreters.taylor import Taylor
from xformad.interpreters.vjp_rules import ELEMENTWISE as MASKS_STAY
from xformad.interpreters.watching import Application, Bottom, Place, Watcher
from xformad.transformations.reasons import reason_of_derivative, reason_of_value

P = ParamSpec("P")
R = TypeVar("R")

NUMBERS: Final = (np.ndarray, np.generic, float, complex)

ELEMENTWISE: Final = frozenset(ufuncs())

PARTS: Final[dict[type[Interpreter], str]] = {Jvp: "tangent", Taylor: "coefficient"}
"""What the rules of an interpreter compute beside values."""


@final
class Found(NamedTuple):
    """What is not finite.

    Attributes:
        part: as in `NonFiniteError`.
        where: what the message calls it: "", or " in the cotangent of argument 0".
        value: the part.
        mask: where it is not finite.
        operands: what it was made of.
        others: what else, with what the message calls it: the cotangent.
        elementwise: whether each of its entries is made of one of each operand.
    """

    part: str
    where: str
    value: Value
    mask: Any
    operands: list[Value]
    others: list[tuple[str, Value]]
    elementwise: bool


@final
class NanWatcher(Watcher):
    """Raises an error where something is not finite, of operands that are."""

    plainly: ClassVar[bool] = True

    def __init__(self, infinities: bool) -> None:
        super().__init__()
        self.infinities = infinities

    def bad(self, value: Value) -> Any:
        """Where a value is a NaN, or infinite; None if nowhere, or if it is no plain number."""
        if not isinstance(value, NUMBERS) or np.asarray(value).dtype.kind not in "fc":
            return None
        mask = ~np.isfinite(value) if self.infinities else np.isnan(value)
        return mask if np.any(mask) else None

    def made(self, value: Value, operands: Sequence[Value], elementwise: bool) -> Any:
        """Where a value is bad though the operands are not; None if nowhere."""
        mask = self.bad(value)
        if mask is None:
            return None
        for x in operands:
            if self.bad(lowest(x)) is not None:
                known = aligned(x, np.shape(mask)) if elementwise else None
                if known is None:
                    return None
                mask = mask & (np.isfinite(known) if self.infinities else ~np.isnan(known))
        return mask if np.any(mask) else None

    def applied(self, application: Application, out: Value) -> None:
        interpreter, primitive, args, _ = application
        operands = list(args)
        elementwise = primitive in ELEMENTWISE
        for part in out if primitive.multiple else (out,):
            own = type(part) is Tracer and part.interpreter is interpreter
            value = lowest(part)
            mask = self.made(value, operands, elementwise)
            if mask is not None:
                self.refuse(primitive, Found("value", "", value, mask, operands, [], elementwise))
            if not own or self.bad(value) is not None:
                continue
            for what, moving, others in moves(interpreter, part, args):
                moved = lowest(moving)
                mask = self.made(moved, [*operands, *[x for _, x in others]], elementwise)
                if mask is not None:
                    where = f" in the {what} of its result"
                    self.refuse(primitive, Found(what.split()[0], where, moved, mask, operands, others, elementwise))

    def sent(self, place: Place, node: Node, g: Value, messages: Sequence[Value]) -> None:
        operands = list(place.args)
        elementwise = node.plan.entry.mask == MASKS_STAY
        for argnum, message in zip(node.argnums, messages, strict=True):
            value, reached = message, np.True_
            if type(message) is Masked:
                value, reached = message.g, lowest(message.mask)
            elif type(message) is Scattered:
                value = message.pieces[0]
            value = lowest(value)
            if self.bad(value) is None:
                continue
            given = g.settle(node) if type(g) is Parts else (settled(g, node),)
            others = [("cotangent", x) for x in given]
            mask = self.made(value, [*operands, *[x for _, x in others]], elementwise)
            if mask is not None and np.any(mask & reached):
                where = f" in the cotangent of argument {argnum}"
                found = Found("cotangent", where, value, mask & reached, operands, others, elementwise)
                self.refuse(place.primitive, found)

    def refuse(self, primitive: Primitive, found: Found) -> None:
        """Raise the error."""
        shape = np.shape(found.mask)
        index = tuple(map(int, np.argwhere(found.mask)[0])) if shape else ()
        entries = entries_of(found.operands, index, shape) if found.elementwise else None
        owner = self.owner(primitive)
        line = self.line()
        operation, part = primitive.name, found.part
        kind = "a NaN" if np.isnan(np.broadcast_to(found.value, shape)[index]) else "an infinity"
        what = f"{kind}{found.where}{f' at entry {index}' if index else ''}"
        if part == "value":
            reason = reason_of_value(operation, entries)
        else:
            factors = [entries_of([x], index, shape) for _, x in found.others] if found.elementwise else []
            reason = reason_of_derivative(
                operation, entries, factors[0][0] if len(factors) == 1 and factors[0] else None
            )
        reason = reason or reason_by_operands([*found.operands, *[x for _, x in found.others]])
        text = f"{operation} at {line} made {what}: {reason}"
        if owner is not None:
            part = "cotangent" if type(owner) is Place else PARTS.get(type(owner.interpreter), "value")
            text = f"{operation} in {'the derivative of ' if part != 'value' else ''}{owner.primitive.name} at {line}"
            entries = entries_of(owner.args, index, shape)
            operation = owner.primitive.name
            reason = (reason_of_derivative(operation, entries, None) if part != "value" else None) or reason
            text += f" made {what}: {reason}"
        labelled = [*[(f"argument {i}", x) for i, x in enumerate(found.operands)], *found.others]
        lines = [f"    {label}: {operand(x)}" for label, x in labelled]
        if any(batched(x) for _, x in labelled):
            lines.append(
                "    (under vmap: the examples have an axis of their own, in values of the program the first one)"
            )
        raise NonFiniteError("\n".join([text, *lines]), operation, line, part, reason)

    def owner(self, primitive: Primitive) -> Application | Place | None:
        """In whose rule an operation was applied; None if the user's program did, or a node sends what it made itself."""
        if type(self.chain[-1]) is Place:
            return None
        for each in reversed(self.chain):
            if each.primitive is not primitive or type(each) is Place:
                return each
        return None


def lowest(value: Value) -> Value:
    """The plain value under all tracers."""
    while type(value) is Tracer:
        value = value.value
    return value


def batched(value: Value) -> bool:
    """Whether a value stands for the examples of a batch, which have an axis of their own, the first one."""
    while type(value) is Tracer:
        if type(value.interpreter) is Batch:
            return True
        value = value.value
    return False


def aligned(operand: Value, shape: Shape) -> Any:
    """The entries of an operand that those of a result of this shape are made of; None if they cannot be told."""
    value = lowest(operand)
    if not isinstance(value, (*NUMBERS, int)) or (batched(operand) and np.ndim(value) != len(shape)):
        return None
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        return None


def entries_of(operands: Sequence[Value], index: tuple[int, ...], shape: Shape) -> list[Any] | None:
    """The entries of operands that the entry of a result at an index is made of; None if they cannot be told."""
    found = []
    for x in operands:
        values = aligned(x, shape)
        if values is None:
            return None
        found.append(values[index])
    return found


def moves(
    interpreter: Interpreter, part: Tracer, args: tuple[Value, ...]
) -> list[tuple[str, Value, list[tuple[str, Value]]]]:
    """What an interpreter computes beside the value of a result: what it is called, it, and what else it is made of."""
    own = [(i, arg.extra) for i, arg in enumerate(args) if type(arg) is Tracer and arg.interpreter is interpreter]
    if type(interpreter) is Jvp:
        return [("tangent", part.extra, [(f"tangent of argument {i}", extra) for i, extra in own])]
    if type(interpreter) is Taylor:
        return [
            (
                f"coefficient {order}",
                coefficient,
                [
                    (f"coefficient {k} of argument {i}", below)
                    for i, series in own
                    for k, below in enumerate(series[:order], 1)
                    if below is not None
                ],
            )
            for order, coefficient in enumerate(part.extra, 1)
        ]
    return []


def reason_by_operands(operands: list[Value]) -> str:
    """What can be said where the operation is not known."""
    numbers = [x for x in map(lowest, operands) if isinstance(x, NUMBERS) and np.asarray(x).dtype.kind in "fc"]
    if all(np.all(np.isfinite(x)) for x in numbers):
        return "all that it was given is finite"
    return "it was given an infinity"


def operand(value: Value) -> str:
    """A value in a line of a message."""
    value = lowest(value)
    array = np.asarray(value)
    if array.dtype.kind not in "fciub":
        return shortened(repr(value), 60)
    text = np.array2string(array, threshold=6, edgeitems=2, precision=6)
    return f"{describe(array.shape, array.dtype)} = {shortened(text, 80)}"


@final
class DebugNans:
    """What `debug_nans` returns: a context, and a decorator."""

    def __init__(self, infinities: bool) -> None:
        self.infinities = infinities
        self.entered = threading.local()

    def __enter__(self) -> Self:
        watcher = NanWatcher(self.infinities)
        quiet = np.errstate(invalid="ignore")
        if self.infinities:
            quiet = np.errstate(invalid="ignore", divide="ignore", over="ignore")
        quiet.__enter__()
        watcher.__enter__()
        self.entered.stack = [*getattr(self.entered, "stack", ()), (watcher, quiet)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        watcher, quiet = self.entered.stack.pop()
        watcher.__exit__(kind, error, traceback)
        quiet.__exit__(kind, error, traceback)

    def __call__(self, fun: Callable[P, R]) -> Callable[P, R]:
        """The function that runs `fun` in this context, its operations on plain arrays watched too."""

        @functools.wraps(fun)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                found: R = Bottom(fun).run(fun, args, kwargs)
            return found

        return run


def debug_nans(*, infinities: bool = False) -> DebugNans:
    """A context in which the first operation that makes a NaN raises an error that tells where and why.

    It watches what runs under a transformation in this thread: values, tangents, coefficients, and cotangents, of which it
    names the operation of the forward pass that they are pulled back through. Functions under `jit` run as they are
    inside. NumPy on plain arrays, outside of any transformation, is seen in functions that it decorates:
    `debug_nans()(fun)(x)`. Outside of the context it costs nothing; inside, operations take several times as long.

    A NaN that an operand has already is no error, so data may have them. A structural zero, as of the branch that
    `where` does not take, is none either.

    Args:
        infinities: whether infinities are errors, too.

    Returns:
        The context. It may be entered again, inside of itself and in other threads.

    Raises:
        NonFiniteError: in the context, by the operation.

    >>> from xformad import grad
    >>> with debug_nans(infinities=True):
    ...     grad(np.sqrt)(0.0)
    Traceback (most recent call last):
    ...
    xformad.errors.NonFiniteError: sqrt at ...:2 made an infinity in the cotangent of argument 0: the derivative of sqrt...
    """
    return DebugNans(infinities)
