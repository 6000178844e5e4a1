"""`Primitive` and `Tracer`: the two halves of the mechanism that everything stands on.

A program is a sequence of primitive operations. A `Primitive` has no fixed meaning: `primitive.bind(*args, **params)`
hands the call to the *newest* interpreter among those that its arguments' tracers belong to, and that interpreter gives
it a meaning. A `Tracer` is the handle that carries a value through a program on behalf of one interpreter.

An interpreter unwraps its own tracers and binds what it needs on the values inside, so that it works one level below
itself. Nesting transformations therefore needs no code of its own:

    grad(lambda x: x * grad(lambda y: x * y)(1.0))(2.0)

Here `x` belongs to the outer grad's interpreter and `y` to the inner one's, which is newer. `x * y` goes to the inner
one; it takes `x`, which is not its own, for a constant; and the multiplication that it binds goes to the outer one.
Where no argument is traced, NumPy runs and nothing is recorded: the hot path reads no global state, so an exception
can leave nothing dirty and threads cannot see each other's transformations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy import dtype, ndarray

from xformad.core.dispatch import ATTRIBUTES, FUNCTIONS, METHODS, UFUNC_METHODS, UFUNCS
from xformad.core.guarded import guarded
from xformad.core.index import index_value, plain_slice
from xformad.core.operands import OPERANDS, as_operand
from xformad.core.sparse_operands import as_array, sparse_product
from xformad.core.typing import Implementation, Params, Shape, Value
from xformad.errors import ConcretizationError, UnsupportedError

if TYPE_CHECKING:
    from xformad.core.interpreter import Interpreter


class Primitive:
    """An operation that interpreters give meanings to. Compared and hashed by identity.

    Args:
        name: what it is called in graphs and in messages.
        implementation: computes it on plain values, arrays in positional arguments.
        multiple: whether its result is a tuple of arrays (`eigh`) and not one array.

    >>> double = Primitive("double", lambda x: 2 * x)
    >>> double.bind(3.0)
    6.0
    """

    def __init__(self, name: str, implementation: Implementation, *, multiple: bool = False) -> None:
        self.name = name
        self.implementation = implementation
        self.multiple = multiple

    def bind(self, *args: Value, **params: Any) -> Value:
        """Apply the primitive: under the newest interpreter among the arguments', else on NumPy."""
        newest = None
        for arg in args:
            if type(arg) is Tracer:
                interpreter = arg.interpreter
                if newest is not interpreter and (newest is None or interpreter.level > newest.level):
                    newest = interpreter
        if newest is None:
            return self.implementation(*args, **params)
        return newest.process(self, args, params)

    def __call__(self, *args: Value, **params: Any) -> Value:
        if len(args) == 1:  # the usual call inside of rules: spare it the loop
            arg = args[0]
            if type(arg) is Tracer:
                return arg.interpreter.process(self, args, params)
            return self.implementation(arg, **params) if params else self.implementation(arg)
        return self.bind(*args, **params)

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"


# The operators, and what else the interpreters themselves bind. Their rules are in `xformad.operations`.
add = Primitive("add", operator.add)
subtract = Primitive("subtract", operator.sub)
multiply = Primitive("multiply", operator.mul)
divide = Primitive("divide", guarded(operator.truediv, np.divide))
power = Primitive("power", guarded(operator.pow, np.power))
floor_divide = Primitive("floor_divide", guarded(operator.floordiv, np.floor_divide))
remainder = Primitive("remainder", guarded(operator.mod, np.remainder))
matmul = Primitive("matmul", operator.matmul)
negative = Primitive("negative", operator.neg)
positive = Primitive("positive", operator.pos)
absolute = Primitive("absolute", operator.abs)
invert = Primitive("invert", operator.invert)
bitwise_and = Primitive("bitwise_and", operator.and_)
bitwise_or = Primitive("bitwise_or", operator.or_)
bitwise_xor = Primitive("bitwise_xor", operator.xor)
equal = Primitive("equal", operator.eq)
not_equal = Primitive("not_equal", operator.ne)
less = Primitive("less", operator.lt)
less_equal = Primitive("less_equal", operator.le)
greater = Primitive("greater", operator.gt)
greater_equal = Primitive("greater_equal", operator.ge)
floor = Primitive("floor", np.floor)
ceil = Primitive("ceil", np.ceil)
trunc = Primitive("trunc", np.trunc)
rint = Primitive("rint", np.rint)
getitem = Primitive("getitem", index_value)


def methods(primitive: Primitive) -> tuple[Callable[[Value, Value], Value], Callable[[Value, Value], Value]]:
    """The method of a binary operator, and the one for the operands the other way round."""
    return lambda self, other: binary(primitive, self, other), lambda self, other: binary(primitive, other, self)


@final
class Tracer:
    """A handle for a value in a program under transformation. It behaves as the NumPy value it stands for.

    Attributes:
        interpreter: the interpreter that it belongs to.
        value: what it stands for, one level below; always a concrete value in the end, never a mere shape.
        extra: what the interpreter knows about it: a node of the graph, a tangent, a batch axis, a series.
        memory: with what it shares its entries, see `xformad.core.views`; None for an array of its own.
    """

    __slots__ = ("__weakref__", "extra", "interpreter", "memory", "value")
    __array_priority__ = 1000.0  # before numpy.matrix and other subclasses

    def __init__(self, interpreter: Interpreter, value: Value, extra: Any) -> None:
        self.interpreter = interpreter
        self.value = value
        self.extra = extra
        self.memory: Any = None

    # What it stands for, seen from the program.

    @property
    def shape(self) -> Shape:
        return self.interpreter.spec(self)[0]

    @property
    def dtype(self) -> dtype[Any]:
        return self.interpreter.spec(self)[1]

    @property
    def ndim(self) -> int:
        return len(self.interpreter.spec(self)[0])

    @property
    def size(self) -> int:
        total = 1
        for length in self.shape:
            total *= length
        return total

    def __getattr__(self, name: str) -> Any:
        """The other attributes and the methods of ndarray, by the tables in `xformad.numpy`."""
        attribute = ATTRIBUTES.get(name)
        if attribute is not None:
            return attribute(self)
        method = METHODS.get(name)
        if method is None:
            raise AttributeError(f"a traced array has no attribute '{name}'")
        return lambda *args, **kwargs: method(self, *args, **kwargs)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *ATTRIBUTES, *METHODS})

    # NumPy's dispatch protocols: NEP 13 for ufuncs, NEP 18 for functions.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Value, **kwargs: Any) -> Value:
        if method == "__call__" and not kwargs:
            primitive = UFUNCS.get(ufunc)
            if primitive is not None:
                if len(inputs) == 1:
                    return self.interpreter.process(primitive, inputs, NO_PARAMS)
                for operand in inputs:
                    if type(operand) not in OPERANDS:
                        inputs = tuple(as_operand(each, ufunc.__name__) for each in inputs)
                        if any(each is NotImplemented for each in inputs):
                            return NotImplemented
                        break
                return primitive.bind(*inputs)
        handler = UFUNC_METHODS.get(method)
        if handler is None:
            raise UnsupportedError(f"numpy.{ufunc.__name__}.{method} is not supported on traced arrays")
        return handler(ufunc, *inputs, **kwargs)

    def __array_function__(
        self, function: Callable[..., Value], types: Any, args: tuple[Value, ...], kwargs: dict[str, Any]
    ) -> Value:
        face = FUNCTIONS.get(function)
        if face is None:
            return METHODS["__unknown__"](function, args, kwargs)
        return METHODS["__out__"](function, args, kwargs) if "out" in kwargs else face(*args, **kwargs)

    def __array__(self, dtype: object = None, copy: object = None) -> ndarray[Any, Any]:
        return as_array(self, self.interpreter.concretize)  # type: ignore[no-any-return]

    # Arithmetic.

    def __add__(self, other: Value) -> Value:
        if type(other) is Tracer:
            interpreter = self.interpreter
            if other.interpreter is interpreter:
                return interpreter.process(add, (self, other), NO_PARAMS)
            return add.bind(self, other)
        if type(other) in OPERANDS:
            return self.interpreter.process(add, (self, other), NO_PARAMS)
        return binary(add, self, other)

    def __radd__(self, other: Value) -> Value:
        if type(other) in OPERANDS:
            return self.interpreter.process(add, (other, self), NO_PARAMS)
        return binary(add, other, self)

    def __sub__(self, other: Value) -> Value:
        if type(other) is Tracer:
            interpreter = self.interpreter
            if other.interpreter is interpreter:
                return interpreter.process(subtract, (self, other), NO_PARAMS)
            return subtract.bind(self, other)
        if type(other) in OPERANDS:
            return self.interpreter.process(subtract, (self, other), NO_PARAMS)
        return binary(subtract, self, other)

    def __rsub__(self, other: Value) -> Value:
        if type(other) in OPERANDS:
            return self.interpreter.process(subtract, (other, self), NO_PARAMS)
        return binary(subtract, other, self)

    def __mul__(self, other: Value) -> Value:
        if type(other) is Tracer:
            interpreter = self.interpreter
            if other.interpreter is interpreter:
                return interpreter.process(multiply, (self, other), NO_PARAMS)
            return multiply.bind(self, other)
        if type(other) in OPERANDS:
            return self.interpreter.process(multiply, (self, other), NO_PARAMS)
        return binary(multiply, self, other)

    def __rmul__(self, other: Value) -> Value:
        if type(other) in OPERANDS:
            return self.interpreter.process(multiply, (other, self), NO_PARAMS)
        return binary(multiply, other, self)

    def __truediv__(self, other: Value) -> Value:
        if type(other) is Tracer:
            interpreter = self.interpreter
            if other.interpreter is interpreter:
                return interpreter.process(divide, (self, other), NO_PARAMS)
            return divide.bind(self, other)
        if type(other) in OPERANDS:
            return self.interpreter.process(divide, (self, other), NO_PARAMS)
        return binary(divide, self, other)

    def __rtruediv__(self, other: Value) -> Value:
        if type(other) in OPERANDS:
            return self.interpreter.process(divide, (other, self), NO_PARAMS)
        return binary(divide, other, self)

    def __pow__(self, other: Value) -> Value:
        if type(other) is Tracer:
            interpreter = self.interpreter
            if other.interpreter is interpreter:
                return interpreter.process(power, (self, other), NO_PARAMS)
            return power.bind(self, other)
        if type(other) in OPERANDS:
            return self.interpreter.process(power, (self, other), NO_PARAMS)
        return binary(power, self, other)

    def __rpow__(self, other: Value) -> Value:
        if type(other) in OPERANDS:
            return self.interpreter.process(power, (other, self), NO_PARAMS)
        return binary(power, other, self)

    __floordiv__, __rfloordiv__ = methods(floor_divide)
    __mod__, __rmod__ = methods(remainder)
    __matmul__, __rmatmul__ = methods(matmul)
    __and__, __rand__ = methods(bitwise_and)
    __or__, __ror__ = methods(bitwise_or)
    __xor__, __rxor__ = methods(bitwise_xor)
    __eq__, _ = methods(equal)
    __ne__, _ = methods(not_equal)
    __lt__, __gt__ = methods(less)
    __le__, __ge__ = methods(less_equal)

    def __divmod__(self, other: Value) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: Value) -> tuple[Value, Value]:
        return other // self, other % self

    def __neg__(self) -> Value:
        return self.interpreter.process(negative, (self,), NO_PARAMS)

    def __pos__(self) -> Value:
        return self.interpreter.process(positive, (self,), NO_PARAMS)

    def __abs__(self) -> Value:
        return self.interpreter.process(absolute, (self,), NO_PARAMS)

    def __invert__(self) -> Value:
        return self.interpreter.process(invert, (self,), NO_PARAMS)

    def __hash__(self) -> int:
        if self.shape != ():
            raise TypeError("unhashable type: a traced array")
        return hash(self.interpreter.plain(self))

    # The container protocol.

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of unsized object: a traced 0-d array")
        return shape[0]

    def __getitem__(self, index: Any) -> Value:
        if type(index) is int or (type(index) is slice and plain_slice(index)):
            return self.interpreter.item(self, index)
        return METHODS["__getitem__"](self, index)

    def __setitem__(self, index: Any, value: Value) -> None:
        METHODS["__setitem__"](self, index, value)

    def __iter__(self) -> Iterator[Value]:
        if not self.shape:
            raise TypeError("iteration over a traced 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, item: Value) -> bool:
        return bool((self == item).any())

    # Becoming a plain Python value: what the interpreter allows.

    def __bool__(self) -> bool:
        return self.interpreter.truth(self)

    def __index__(self) -> int:
        return self.interpreter.index(self)

    def __int__(self) -> int:
        return int(self.interpreter.concretize(self, "int(x)"))

    def __float__(self) -> float:
        return float(self.interpreter.concretize(self, "float(x)"))

    def __complex__(self) -> complex:
        return complex(self.interpreter.concretize(self, "complex(x)"))

    def __floor__(self) -> int:
        return as_integer(floor.bind(self))

    def __ceil__(self) -> int:
        return as_integer(ceil.bind(self))

    def __trunc__(self) -> int:
        return as_integer(trunc.bind(self))

    def __round__(self, digits: int | None = None) -> Value:
        return as_integer(rint.bind(self)) if digits is None else METHODS["round"](self, digits)

    def __format__(self, spec: str) -> str:
        return self.interpreter.formatted(self, spec)

    def __str__(self) -> str:
        return str(self.interpreter.shown(self))

    def __repr__(self) -> str:
        return f"Tracer({self.interpreter.shown(self)!r}, {self.interpreter.name})"

    def __copy__(self, memo: object = None) -> Value:
        return self.interpreter.process(positive, (self,), NO_PARAMS)

    __deepcopy__ = __copy__

    def __reduce__(self) -> Any:
        raise ConcretizationError("a traced value cannot be pickled; pickle xformad.value_of(x)")


def binary(primitive: Primitive, x: Value, y: Value) -> Value:
    """Bind a binary operator, or answer NotImplemented where an operand is nothing that NumPy computes with."""
    a = x if type(x) in OPERANDS else as_operand(x, primitive.name)
    b = y if type(y) in OPERANDS else as_operand(y, primitive.name)
    if a is NotImplemented or b is NotImplemented:
        return sparse_product(x, y) if primitive is matmul else NotImplemented
    return primitive.bind(a, b)


def as_integer(x: Value) -> int:
    """A whole number as a Python int. No derivative is lost: that of rounding is zero."""
    return x.interpreter.index(x) if type(x) is Tracer else int(x)


NO_PARAMS: Params = {}

OPERANDS.add(Tracer)
