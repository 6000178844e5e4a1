"""`vmap`: the interpreter that runs a program once on a whole batch of examples.

A tracer's value has the examples along its first axis. The program sees one example: a tracer for an array of shape
(5, 3) has the shape (3,). Each primitive has a rule that computes it for the whole batch, mostly by the same primitive
with its axes moved by one:

    >>> with Batch(2) as batch:
    ...     x = batch.input(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    ...     total = x @ x + x.shape[0]
    >>> total.shape, total.value
    ((), array([17., 80.]))

Where the course of the program depends on the numbers (`if x > 0:`), the examples must agree. Where they do not, the
interpreter raises `Split`, which says who goes which way, and `vmap` runs the program again for each of the groups.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Final, final

import numpy as np
from numpy import float64, ndarray

from xformad.core.interpreter import FLOAT, SCALAR, Interpreter, agreed, held, ndim_of, shape_of, spec_of
from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.source import user_depth, user_line
from xformad.core.typing import Params, ShapeDtype, Value
from xformad.core.views import argument, link
from xformad.errors import ConcretizationError, RuleError
from xformad.interpreters.batch_rules import ELEMENTWISE, Differs, batch_rules, no_examples, widened

NUMBERS: Final = frozenset((float, int, complex, bool, float64))
ALONE: Final = (True,)
rules: Final = batch_rules.rules
new: Final = object.__new__
looped: Final[set[Primitive]] = set()
"""The primitives that the user has been told to run in a loop."""


class Split(BaseException):
    """The examples of a batch go different ways. Not an error, so `except Exception` does not catch it.

    Attributes:
        batch: the interpreter whose batch it is.
        groups: the positions of the examples that go the same way, in ascending order.
        line: where in the user's program.
    """

    def __init__(self, batch: Batch, groups: list[Any], line: str) -> None:
        self.batch = batch
        self.groups = groups
        self.line = line


class UnsettledError(ConcretizationError):
    """Whole numbers or truth values that differ were to become a plain array, as in `table[i]` of a plain table.

    Where that was an attempt only, as in `xformad.numpy.asarray`, which then joins the traced values, it is caught. Where
    nobody catches it, `vmap` splits the batch.
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__("a batch of whole numbers cannot become a plain array")
        self.tracer = tracer


@final
class Batch(Interpreter):
    """Runs a program on a batch of examples.

    Args:
        size: how many there are.
        fun: the function under transformation, for messages.

    Attributes:
        parted: the first `Split` that was raised. Whoever may have caught it, the run does not count.
    """

    name: ClassVar[str] = "vmap"

    def __init__(self, size: int, fun: Callable[..., Any] | None = None) -> None:
        self.size = size
        self.fun = fun
        self.parted: Split | None = None

    def input(self, value: Value) -> Tracer:
        """A tracer for an argument whose first axis is the batch."""
        if type(value) is Tracer and not value.interpreter.live:
            value.interpreter.escaped()
        return argument(self, held(value), None)

    def keeps_call(self, args: tuple[Value, ...]) -> bool:
        return True

    def spec(self, tracer: Tracer) -> ShapeDtype:
        value = tracer.value
        shape, dtype = (value.shape, value.dtype) if type(value) is ndarray else spec_of(value)
        return SCALAR if len(shape) == 1 and dtype is FLOAT else (shape[1:], dtype)

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        if primitive in ELEMENTWISE and len(args) <= 2:
            x = args[0]
            if len(args) == 1:
                x = x.value
                if type(x) is Tracer:
                    value = x.interpreter.process(primitive, (x,), params)
                else:
                    value = primitive.implementation(x, **params) if params else primitive.implementation(x)
            else:
                y = args[1]
                if type(x) is not Tracer or x.interpreter is not self:
                    y = y.value
                    if type(x) not in NUMBERS:
                        y = widened(y, ndim_of(x))
                elif type(y) is Tracer and y.interpreter is self:
                    x = x.value
                    y = y.value
                    if x.ndim != y.ndim:
                        x, y = widened(x, y.ndim - 1), widened(y, x.ndim - 1)
                else:
                    x = x.value
                    if type(y) not in NUMBERS:
                        x = widened(x, ndim_of(y))
                if type(x) is Tracer or type(y) is Tracer:
                    value = primitive.bind(x, y, **params)
                else:
                    value = primitive.implementation(x, y, **params) if params else primitive.implementation(x, y)
        else:
            value = self.general(primitive, args, params)
            if primitive.multiple:
                return tuple([Tracer(self, part, None) for part in value])
        tracer = new(Tracer)
        tracer.interpreter = self
        tracer.value = value
        tracer.extra = None
        tracer.memory = None
        return tracer

    def general(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        """The result, with the batch axis, by the primitive's rule."""
        rule = rules.get(primitive)
        try:
            if len(args) == 1 and rule is not None:
                value = rule(self.size, ALONE, args[0].value, **params)
            else:
                batched = tuple([type(arg) is Tracer and arg.interpreter is self for arg in args])
                values = [arg.value if b else arg for arg, b in zip(args, batched, strict=True)]
                if rule is None:
                    return self.loop(primitive, batched, values, params)
                value = rule(self.size, batched, *values, **params)
        except Differs as difference:
            raise self.split(difference.keys) from None
        if type(value) is not ndarray or value.shape[:1] != (self.size,):
            self.check(primitive, value)
        return value

    def check(self, primitive: Primitive, value: Value) -> None:
        """Refuse what a rule returned if it has not the batch axis."""
        for part in value if primitive.multiple else (value,):
            if shape_of(part)[:1] != (self.size,):
                raise RuleError(
                    f"the batching rule of primitive '{primitive.name}' returned shape {shape_of(part)} for a batch of "
                    f"{self.size} examples; its first axis must be the batch"
                )

    def item(self, tracer: Tracer, index: int | slice) -> Value:
        """`tracer[index]` without the look-up of a rule."""
        value = tracer.value
        if type(value) is not ndarray or not self.live:
            return super().item(tracer, index)
        value = value[:, index]
        out = Tracer(self, value, None)
        if value.ndim > 1:
            link(tracer, out, getitem, {"index": index})
        return out

    def loop(self, primitive: Primitive, batched: tuple[bool, ...], values: list[Value], params: Params) -> Value:
        """A primitive without a batching rule: once for each example."""
        if primitive not in looped:
            looped.add(primitive)
            warnings.warn(
                f"primitive '{primitive.name}' has no batching rule, so vmap runs it once for each example; add one with "
                f"xformad.extend.defbatch({primitive.name}, ...), or, if it acts element by element, with "
                f"xformad.extend.defbatch_elementwise({primitive.name})",
                RuntimeWarning,
                stacklevel=user_depth(),
            )
        if self.size == 0:
            raise no_examples()
        results = [
            primitive.bind(*[x[i] if b else x for x, b in zip(values, batched, strict=True)], **params)
            for i in range(self.size)
        ]
        shapes = [tuple(map(shape_of, result)) if primitive.multiple else shape_of(result) for result in results]
        if len(set(shapes)) > 1:
            raise Differs([shapes.index(shape) for shape in shapes])
        return (
            tuple(np.stack(parts) for parts in zip(*results, strict=True)) if primitive.multiple else np.stack(results)
        )

    def split(self, keys: Value) -> Split:
        """The exception that parts the batch into groups of equal keys."""
        rows = np.asarray(keys).reshape(self.size, -1)
        _, inverse, counts = np.unique(
            rows[:, 0] if rows.shape[1] == 1 else rows, axis=0, return_inverse=True, return_counts=True
        )
        order = np.argsort(inverse.reshape(-1), kind="stable")
        split = Split(self, np.split(order, np.cumsum(counts)[:-1]), user_line())
        self.parted = self.parted or split
        return split

    def agreed(self, tracer: Tracer) -> Value:
        """The value of every example, if it is the same for all of them.

        Raises:
            Split: if it is not.
        """
        if not self.live:
            self.escaped()
        values = np.asarray(agreed(tracer.value))
        if self.size == 0:
            raise no_examples()
        if self.size > 1 and values.size and (values[1:] != values[:1]).any():
            raise self.split(values)
        return values[0]

    def settle(self, tracer: Tracer) -> None:
        """Part the batch by the values of a tracer."""
        try:
            self.agreed(tracer)
        except Split as split:
            if split.batch is not self:
                raise

    def formatted(self, tracer: Tracer, spec: str) -> str:
        """The numbers of all examples, each formatted."""
        options: Any = {"formatter": {"all": lambda x: format(x, spec)}} if spec else {}
        return np.array2string(np.asarray(self.plain(tracer)), **options)

    def truth(self, tracer: Tracer) -> bool:
        shape = self.spec(tracer)[0]
        if shape == ():
            return bool(self.agreed(tracer if self.spec(tracer)[1].kind == "b" else tracer != 0))
        if any(n != 1 for n in shape):
            return bool(np.zeros(shape))  # NumPy's error
        return self.truth(tracer.reshape(()))

    def index(self, tracer: Tracer) -> int:
        shape, dtype = self.spec(tracer)
        if shape != () or dtype.kind not in "iu":
            return operator.index(np.zeros(shape, dtype))  # NumPy's error
        return operator.index(self.agreed(tracer))

    def concretize(self, tracer: Tracer, how: str) -> Value:
        shape, dtype = self.spec(tracer)
        if dtype.kind in "iub":
            if shape == () and how != "numpy.asarray(x)":
                return self.agreed(tracer)
            values = np.asarray(self.plain(tracer))
            rows = values.reshape((-1, *shape))
            if len(rows) and (rows == rows[0]).all():
                return np.asarray(rows[0])
            raise UnsettledError(tracer)
        raise ConcretizationError(
            f"{how} at {user_line()} needs a plain value, but under vmap x stands for {self.size} examples; use NumPy's "
            "functions on it, build or fill arrays of xformad.numpy (array, stack, zeros), and index plain arrays with "
            "xformad.numpy.take(a, x, axis=0)"
        )
