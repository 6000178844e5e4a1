"""Calls: operations that hold a function, such as `checkpoint`, `scan` and `cond`, and what interpreters make of them.

A call's operands are flat arrays, and its function takes them and returns a tuple of arrays. Reverse mode, forward mode
and `vmap` transform the function, and bind the call again one level below: the pullback of a call is a call of the
pulled-back function. So it stays one operation however transformations are nested. Every other interpreter runs the
function on its own tracers, which is always right, because values are concrete.

`call` itself is the plainest: run the function. As its pullback runs the function again, it is what `checkpoint` binds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import Interpreter, spec_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import Batched, batch_rules
from xformad.interpreters.cusps import tangent_of
from xformad.interpreters.jvp import Jvp
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole, zeros_like
from xformad.interpreters.vjp import Vjp
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.transformations.closures import Closure
from xformad.transformations.pullback import record
from xformad.transformations.transformed import Key
from xformad.transformations.vmap import vmap

FlatFunction: TypeAlias = Callable[..., tuple[Value, ...]]
"""A function of arrays, given by position, that returns a tuple of arrays."""


class Call(Primitive):
    """A primitive that holds functions. Its implementation is bindable: it runs the functions, whatever the operands are.

    Args:
        name, implementation: as for `Primitive`.
        recorded: whether reverse mode may record what the functions do, operation by operation, where nothing below is
            traced: nobody is there to see the call as one operation, and its functions need not be run twice.
    """

    def __init__(self, name: str, implementation: Callable[..., tuple[Value, ...]], *, recorded: bool = False) -> None:
        super().__init__(name, implementation, multiple=True)
        self.recorded = recorded

    def bind(self, *args: Value, **params: Any) -> Value:
        newest = None
        for arg in args:
            if type(arg) is Tracer and (newest is None or arg.interpreter.level > newest.level):
                newest = arg.interpreter
        if (
            newest is None
            or not (newest.keeps_call(args) or self.kept(newest))
            or (self.recorded and is_lowest(newest, args))
        ):
            return self.implementation(*args, **params)
        results = newest.process(self, args, params)
        if any(type(x) is Tracer and x.interpreter is newest and holds(x, newest.level) for x in results):
            return self.leaked(*args, **params)
        return results

    def kept(self, interpreter: Interpreter) -> bool:
        """Whether an interpreter that would run the functions on its tracers is given the call all the same."""
        return False

    def leaked(self, *args: Value, **params: Any) -> Value:
        """What to do where a function closes over a traced value that `closures` did not find: run it as it is."""
        return self.implementation(*args, **params)


def is_lowest(interpreter: Interpreter, args: tuple[Value, ...]) -> bool:
    """Whether an interpreter is that of reverse mode, and no argument is traced below it."""
    return isinstance(interpreter, Vjp) and not any(
        type(arg) is Tracer and (arg.interpreter is not interpreter or type(arg.value) is Tracer) for arg in args
    )


def holds(tracer: Tracer, level: int) -> bool:
    """Whether what a tracer stands for is traced on its own level: the mark of a value that came in by a closure."""
    extra = tracer.extra
    inner = [tracer.value, *(extra if isinstance(extra, list | tuple) else [extra])]
    return any(type(x) is Tracer and x.interpreter.level >= level for x in inner)


def is_array(x: Any) -> bool:
    """Whether a leaf can be an operand."""
    return isinstance(x, Tracer | np.ndarray | np.number | np.bool_ | float | int | complex) or hasattr(
        type(x), "__array_function__"
    )


def floating(x: Value) -> bool:
    """Whether a value has derivatives."""
    return spec_of(x)[1].kind in "fc"


@final
class Flat:
    """A function of pytrees as a function of arrays, for one form of the arguments.

    Args:
        fun: the function. Traced values that it closes over become operands.
        args: its arguments.

    Attributes:
        operands: the arrays among the leaves of the arguments, after those that the function closes over.
        structure: the tree of the result of the last run.
        has_run: whether there was one.
    """

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.closure = Closure(fun)
        self.tracers = self.closure.tracers
        self.leaves, self.in_structure = tree.flatten(args)
        self.positions = [i for i, leaf in enumerate(self.leaves) if is_array(leaf)]
        self.operands = [*self.tracers, *(self.leaves[i] for i in self.positions)]
        self.leaves = [None if is_array(leaf) else leaf for leaf in self.leaves]
        self.structure = tree.LEAF
        self.has_run = False
        self.others: list[tuple[int, Any]] = []

    def __call__(self, *values: Value) -> tuple[Value, ...]:
        count = len(self.tracers)
        fun = self.closure.of(list(values[:count]))
        leaves = list(self.leaves)
        for i, value in zip(self.positions, values[count:], strict=True):
            leaves[i] = value
        found, self.structure = tree.flatten(fun(*tree.unflatten(self.in_structure, leaves)))
        self.has_run = True
        self.others = [(i, leaf) for i, leaf in enumerate(found) if not is_array(leaf)]
        return tuple([leaf for leaf in found if is_array(leaf)])

    def result(self, arrays: Sequence[Value]) -> Any:
        """The result of the function, of the arrays in it."""
        leaves = list(arrays)
        for i, leaf in self.others:
            leaves.insert(i, leaf)
        return tree.unflatten(self.structure, leaves)


def pulled_back(fun: FlatFunction, smooth_in: Sequence[bool], smooth_out: Sequence[bool]) -> FlatFunction:
    """The function of arguments and cotangents of the floating-point results that returns cotangents of the floating-point
    arguments.
    """
    count = len(smooth_in)
    keys: list[Key] = [i for i, smooth in enumerate(smooth_in) if smooth]

    def pull(*values: Value) -> tuple[Value, ...]:
        run = record(fun, values[:count], {}, keys)
        given = iter(values[count:])
        return tuple(run.pull([next(given) if smooth else None for smooth in smooth_out]))

    return pull


def pushed_forward(fun: FlatFunction, moving: Sequence[bool]) -> FlatFunction:
    """The function of arguments and tangents of those that move that returns the results and the tangents of those that
    are floating-point.
    """
    count = len(moving)

    def push(*values: Value) -> tuple[Value, ...]:
        given = iter(values[count:])
        with Jvp(fun) as interpreter:
            outs = fun(*[interpreter.input(x, next(given)) if m else x for x, m in zip(values, moving, strict=False)])
        own = [type(x) is Tracer and x.interpreter is interpreter for x in outs]
        primals = [x.value if o else x for x, o in zip(outs, own, strict=True)]
        tangents = [tangent_of(x) if o else zeros_like(x) for x, o in zip(outs, own, strict=True) if floating(x)]
        return (*primals, *tangents)

    return push


def batched_over(fun: FlatFunction, size: int, batched: Batched) -> FlatFunction:
    """The function of a batch: every result has the batch axis first."""
    return vmap(fun, in_axes=tuple([0 if b else None for b in batched]), axis_size=size)


def split_tangents(results: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """What `pushed_forward` returned: the results, and a tangent for each, None where it is not floating-point."""
    count = 0
    total = 0
    while total < len(results):
        total += 2 if floating(results[count]) else 1
        count += 1
    rest = iter(results[count:])
    return list(results[:count]), [next(rest) if floating(x) else None for x in results[:count]]


def call_vjp(*args: Value, fun: FlatFunction) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    ans = call.bind(*args, fun=fun)

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        smooth_in, smooth_out = list(map(floating, args)), list(map(floating, ans))
        given = [each for each, smooth in zip(g, smooth_out, strict=True) if smooth]
        found = iter(call.bind(*args, *given, fun=pulled_back(fun, smooth_in, smooth_out)))
        return [next(found) if smooth else None for smooth in smooth_in]

    return ans, pullback


def call_jvp(tangents: Tangents, *args: Value, fun: FlatFunction) -> tuple[list[Value], list[Value]]:
    given = [t for t in tangents if t is not None]
    return split_tangents(call.bind(*args, *given, fun=pushed_forward(fun, [t is not None for t in tangents])))


def call_value(*args: Value, fun: FlatFunction) -> tuple[Value, ...]:
    return fun(*args)


call = Call("call", call_value)
defvjp_joint(call, call_vjp)
defjvp_whole(call, call_jvp)
batch_rules[call] = lambda size, batched, *args, fun: call.bind(*args, fun=batched_over(fun, size, batched))
