"""`Interpreter`: what gives primitives a meaning; and the thread's stack of those at work.

A transformation enters an interpreter, runs the user's function on its tracers, reads the result off, and leaves:

    with Trace("trace") as interpreter:
        out = fun(*(interpreter.input(x) for x in args))

Every interpreter gets a process-unique, increasing level when it is entered, so "newest" is well defined across threads,
generators and coroutines, however they interleave. The stack serves what has no traced argument to go by, and messages.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Final, NoReturn, Self, final

import numpy as np

from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.source import INTERPRETING, user_line
from xformad.core.typing import Params, Shape, ShapeDtype, Value
from xformad.core.views import leave, link_item
from xformad.errors import ConcretizationError, EscapedTracerError

levels = itertools.count(1)


class Interpreters(threading.local):
    """The interpreters at work in this thread, oldest first."""

    def __init__(self) -> None:
        self.live: list[Interpreter] = []


stack = Interpreters()


class Interpreter(ABC):
    """A meaning for primitives. Subclasses say in `process` what a primitive does to their tracers.

    Args:
        fun: the function under transformation, for messages.

    Attributes:
        name: what messages call the transformation: `"grad"`, `"vmap"`.
        carries: what a value loses when it leaves the interpreter's sight, for messages.
        in_place: whether its tracers are handles of memory that the program writes into, see `xformad.numpy.in_place`.
        takes_every_branch: whether `switch` and `cond` run all branches, where its tracers choose between them.
        runs_compiled: whether it has functions under `jit` run compiled, and not as they are.
        level: larger is newer; 0 before the interpreter is entered.
        live: whether it is at work. The tracers of one that is not have escaped.
        in_memory: whether the program has made memory to write into, while it was the newest one.
    """

    name: ClassVar[str] = "interpreter"
    carries: ClassVar[str] = "derivative"
    takes_every_branch: ClassVar[bool] = False
    in_place: ClassVar[bool] = False

    runs_compiled = False
    level = 0
    live = False
    in_memory = False

    def __init__(self, fun: Callable[..., Any] | None = None) -> None:
        self.fun = fun

    def __init_subclass__(cls) -> None:
        """Note the code of the methods below, which `user_line` passes over in classes outside of xformad."""
        for name in ("process", "item", "spec", "plain", "truth", "index", "concretize"):
            code = getattr(cls.__dict__.get(name), "__code__", None)
            if code is not None:
                INTERPRETING.add(code)

    def __enter__(self) -> Self:
        self.level = next(levels)
        self.live = True
        stack.live.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self.in_memory and kind is None:
                leave(self)  # its rules may refuse what waits to be written
        finally:
            self.live = False
            live = stack.live
            if live[-1] is self:
                live.pop()
            else:  # generators and coroutines may leave in another order than they entered
                live.remove(self)

    def owns(self, value: Value) -> bool:
        """Whether a value is a tracer of this interpreter. Any other, an outer interpreter's included, is a constant."""
        if type(value) is not Tracer:
            return False
        if value.interpreter.in_place:
            value.interpreter.returned(value, self)
        return value.interpreter is self

    @abstractmethod
    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        """Give `primitive` its meaning. At least one of `args` is a tracer of this interpreter, none of a newer one."""

    def item(self, tracer: Tracer, index: int | slice) -> Value:
        """`tracer[index]`. An interpreter may have a shorter way than `process` for this, the commonest operation."""
        out = self.process(getitem, (tracer,), {"index": index})
        link_item(tracer, out, index)
        return out

    def keeps_call(self, args: tuple[Value, ...]) -> bool:
        """Whether calls (`scan`, `checkpoint`, ...) of these arguments are processed as one operation. If not, the function
        in it is run on the tracers, which is always right.
        """
        return False

    def escaped(self) -> NoReturn:
        """Refuse to go on with a tracer of an interpreter that has ended."""
        of = getattr(self.fun, "__name__", None)
        raise EscapedTracerError(
            f"a value traced by {self.name}{'' if of is None else f' of {of}'} was used at {user_line()}, after that call "
            "had ended; return it from the function (has_aux=True hands values out), or store xformad.value_of(x)"
        )

    def held(self, tracer: Tracer) -> Value:
        """What a tracer stands for now, whatever the program writes into it later."""
        return Tracer(self, tracer.value, tracer.extra)

    def returned(self, tracer: Tracer, interpreter: Interpreter) -> None:
        """Called for a handle of memory that a function returned to an interpreter."""
        del tracer, interpreter

    # What a tracer looks like from the program. Values are concrete, so the defaults ask the value.

    def spec(self, tracer: Tracer) -> ShapeDtype:
        """The shape and dtype that the program sees."""
        return spec_of(tracer.value)

    def plain(self, tracer: Tracer) -> Value:
        """The concrete value under all tracers."""
        value = tracer.value
        return value.interpreter.plain(value) if type(value) is Tracer else value

    def shown(self, tracer: Tracer) -> Value:
        """The same, for a text to be read by people: nothing depends on it."""
        return concrete(tracer)

    def formatted(self, tracer: Tracer, spec: str) -> str:
        """`format(tracer, spec)`."""
        return format(concrete(tracer), spec)

    def agreed(self, tracer: Tracer) -> Value:
        """The concrete value that the program sees. Under `vmap` the examples must agree on it, or the batch is split."""
        return agreed(tracer.value)

    def truth(self, tracer: Tracer) -> bool:
        """`bool(tracer)`: where a program branches on a traced value."""
        return bool(tracer.value)

    def anywhere(self, tracer: Tracer) -> bool:
        """Whether a condition holds for any entry, of any example."""
        return anywhere(tracer.value)

    def index(self, tracer: Tracer) -> int:
        """`operator.index(tracer)`: where a program uses a traced value as a whole number."""
        return operator.index(tracer.value)

    def concretize(self, tracer: Tracer, how: str) -> Value:
        """`float(x)`, `numpy.asarray(x)` and the like: what would leave the interpreter's sight."""
        value = "xformad.stop_gradient(x)" if self.carries == "derivative" else "xformad.value_of(x)"
        plain = re.sub(r"\bx\b", value, how)
        raise ConcretizationError(
            f"{how} at {user_line()} would drop the {self.carries} of a value traced by {self.name}; use NumPy's functions "
            "on it, build arrays with xformad.numpy.array or numpy.stack, or fill one made by xformad.numpy.zeros; "
            f"to drop the {self.carries} on purpose, write {plain}"
        )


def agreed(value: Value) -> Value:
    """The concrete value of what may be traced: where the course of a program depends on it. See `Interpreter.agreed`."""
    return value.interpreter.agreed(value) if type(value) is Tracer else value


def plain(value: Value) -> Value:
    """The concrete value of what may be traced, under all tracers. See `Interpreter.plain`."""
    return value.interpreter.plain(value) if type(value) is Tracer else value


def held(value: Value) -> Value:
    """A value as it is now. The program may write into a traced array, so whoever keeps one keeps this."""
    return value.interpreter.held(value) if type(value) is Tracer else value


def concrete(value: Value) -> Value:
    """The plain value under all tracers, for its type and shape only: nobody notes that the program looked at it."""
    while type(value) is Tracer:
        value = held(value) if value.interpreter.in_place else value.value
    return value


def anywhere(condition: Value) -> bool:
    """Whether a condition holds for any entry, under `vmap` of any example: for rules that have a shorter way if not."""
    return condition.interpreter.anywhere(condition) if type(condition) is Tracer else bool(np.any(condition))


@final
class Spec:
    """The shape and dtype of an array: what a rule gets in the place of an argument that the tape does not keep."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"Spec(shape={self.shape}, dtype={self.dtype})"


FLOAT: Final = np.dtype(np.float64)
SCALAR: Final[ShapeDtype] = ((), FLOAT)
"""The spec of Python floats and of NumPy's default scalars, shared: one identity test recognises them."""


def spec_of(value: Value) -> ShapeDtype:
    """The shape and dtype of any value, traced or not.

    >>> spec_of(2.0) is SCALAR, spec_of(np.ones((2, 3), np.float32))
    (True, ((2, 3), dtype('float32')))
    """
    kind = type(value)
    if kind is float or kind is np.float64:
        return SCALAR
    if kind is np.ndarray:
        return value.shape, value.dtype
    if kind is Tracer:
        interpreter: Interpreter = value.interpreter
        return interpreter.spec(value)
    if hasattr(value, "dtype"):
        spec: ShapeDtype = value.shape, value.dtype
        return spec
    array = np.asarray(value)
    return array.shape, array.dtype


def shape_of(value: Value) -> Shape:
    """The shape of any value, traced or not.

    >>> shape_of(2.0), shape_of(np.ones((2, 3)))
    ((), (2, 3))
    """
    return spec_of(value)[0]


def ndim_of(value: Value) -> int:
    """The number of dimensions of any value, traced or not.

    >>> ndim_of(2.0), ndim_of(np.ones((2, 3)))
    (0, 2)
    """
    return value.ndim if type(value) is np.ndarray else len(spec_of(value)[0])


def dtype_of(value: Value) -> np.dtype[Any]:
    """The dtype of any value, traced or not; a Python number has the one that NumPy gives it.

    >>> dtype_of(2.0), dtype_of(np.ones(2, np.float32))
    (dtype('float64'), dtype('float32'))
    """
    return spec_of(value)[1]
