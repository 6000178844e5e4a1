"""Calls: operations that hold a function, such as `checkpoint`, `scan` and `cond`, and what interpreters make of them.

A call's operands are flat arrays, and its function takes them and returns a tuple of arrays. Reverse mode, forward mode
and `vmap` transform the function, and bind the call again one level below: the pullback of a call is a call of the
pulled-back function. So it stays one operation however transformations are nested. Or the function is run on the
interpreter's own tracers, which is always right, because values are concrete. That is what every other interpreter does,
and reverse and forward mode do where nobody below would see the call: it is faster. docs/decisions/0010-calls.md says more.

`call` itself is the plainest: run the function. As its pullback runs the function again, it is what `checkpoint` binds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import Interpreter, held, shape_of, spec_of, stack
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import ShapeDtype, Value
from xformad.core.views import lent
from xformad.interpreters.batch import Batch, Split
from xformad.interpreters.batch_rules import Batched, batch_rules
from xformad.interpreters.cotangents import Masked, unmasked
from xformad.interpreters.cusps import tangent_of
from xformad.interpreters.jvp import Jvp
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole, zeros_like
from xformad.interpreters.recording import Recorder, recording_rules
from xformad.interpreters.trace import Trace
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.interpreters.vjp_rules import defvjp_joint, entries
from xformad.transformations.closures import Closure
from xformad.transformations.vmap import vmap

FlatFunction: TypeAlias = Callable[..., tuple[Value, ...]]
"""A function of arrays, given by position, that returns a tuple of arrays."""


class Call(Primitive):
    """A primitive that holds functions. Its implementation is bindable: it runs the functions, whatever the operands are.

    Args:
        name, implementation: as for `Primitive`.
        seen_by: the interpreters for the sake of which forward and reverse mode keep the call one operation. Where none of
            them is at work below, nobody would see the call, and the functions are run on the tracers, which is faster:
            reverse mode then need not run them a second time.
        reversed: whether reverse mode keeps the call in any case, since what the tape keeps is what it is about.
    """

    def __init__(
        self,
        name: str,
        implementation: Callable[..., tuple[Value, ...]],
        *,
        seen_by: tuple[type[Interpreter], ...] = (Trace,),
        reversed: bool = False,  # noqa: A002
    ) -> None:
        super().__init__(name, implementation, multiple=True)
        self.seen_by = frozenset(seen_by)
        self.reversed = reversed

    def bind(self, *args: Value, **params: Any) -> Value:
        newest = None
        for arg in args:
            if type(arg) is Tracer and (newest is None or arg.interpreter.level > newest.level):
                newest = arg.interpreter
        if newest is None or not self.kept(newest, args):
            return self.implementation(*args, **params)
        if type(newest) is Vjp:
            wanted = tuple([type(arg) is Tracer and arg.interpreter is newest for arg in args])
            if any(w and not floating(arg.value) for arg, w in zip(args, wanted, strict=True)):
                return self.of_whole_numbers(newest, *args, **params)
            results = newest.process(self, args, {**params, "wanted": wanted})
        else:
            results = newest.process(self, args, params)
        if any(type(x) is Tracer and x.interpreter is newest and holds(x, newest.level) for x in results):
            return self.leaked(*args, **params)
        return results

    def kept(self, interpreter: Interpreter, args: tuple[Value, ...]) -> bool:
        """Whether an interpreter is given the call as one operation. If not, the functions are run on its tracers."""
        if type(interpreter) is Recorder:
            return self in recording_rules
        if not interpreter.keeps_call(args):
            return False
        if not isinstance(interpreter, Jvp | Vjp) or (self.reversed and isinstance(interpreter, Vjp)):
            return True
        return self.seen(args)

    def seen(self, values: Sequence[Value]) -> bool:
        """Whether an interpreter for the sake of which the call stays one operation is at work on any of these values."""
        for x in values:
            while type(x) is Tracer:
                if type(x.interpreter) in self.seen_by:
                    return True
                x = x.value
        return False

    def of_whole_numbers(self, tape: Vjp, *args: Value, **params: Any) -> Value:
        """What to do with whole numbers in containers, which `grad` traces, as their derivative is that of floats."""
        return self.implementation(*args, **params)

    def leaked(self, *args: Value, **params: Any) -> Value:
        """What to do where a function closes over a traced value that `closures` did not find: run it as it is."""
        return self.implementation(*args, **params)


def holds(tracer: Tracer, level: int) -> bool:
    """Whether what a tracer stands for is traced on its own level: the mark of a value that came in by a closure."""
    extra = tracer.extra
    inner = [tracer.value, *(extra if isinstance(extra, list | tuple) else [extra])]
    return any(type(x) is Tracer and x.interpreter.level >= level for x in inner)


ARRAYS: Final = frozenset((Tracer, np.ndarray, np.float64, float))


def is_array(x: Any) -> bool:
    """Whether a leaf can be an operand."""
    return isinstance(x, Tracer | np.ndarray | np.number | np.bool_ | float | int | complex) or hasattr(
        type(x), "__array_function__"
    )


def floating(x: Value) -> bool:
    """Whether a value has derivatives."""
    kind = type(x)
    if kind is float or kind is np.float64:
        return True
    if kind is np.ndarray:
        return bool(x.dtype.kind in "fc")
    return spec_of(x)[1].kind in "fc"


def name_of(fun: Callable[..., Any]) -> str:
    return str(getattr(fun, "__name__", "function"))


def named(fun: FlatFunction, how: str, of: Callable[..., Any]) -> FlatFunction:
    """A function made of another one, with a name that tells so in graphs."""
    fun.__name__ = f"{how}({name_of(of)})"
    return fun


@final
class Flat:
    """A function of pytrees as a function of arrays, for one form of the arguments.

    Args:
        fun: the function. Traced values that it closes over become operands.
        args: its arguments.
        arrays: whether arrays that it closes over become operands, too.

    Attributes:
        operands: the arrays among the leaves of the arguments, after those that the function closes over.
        structure: the tree of the result of the last run.
        has_run: whether there was one.
    """

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...], *, arrays: bool = False) -> None:
        self.closure = Closure(fun, arrays=arrays)
        self.__name__ = name_of(fun)
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
        fun = self.closure.of(values[:count]) if count else self.closure.fun
        leaves = list(self.leaves)
        given = values[count:]
        if stack.live:
            given = tuple([lent(value) if type(value) is np.ndarray else value for value in given])
        for i, value in zip(self.positions, given, strict=True):
            leaves[i] = value
        found, self.structure = tree.flatten(fun(*tree.unflatten(self.in_structure, leaves)))
        found = list(map(held, found))
        self.has_run = True
        arrays = tuple([leaf for leaf in found if type(leaf) in ARRAYS or is_array(leaf)])
        self.others = (
            [(i, leaf) for i, leaf in enumerate(found) if not is_array(leaf)] if len(arrays) < len(found) else []
        )
        return arrays

    def result(self, arrays: Sequence[Value]) -> Any:
        """The result of the function, of the arrays in it."""
        leaves = list(arrays)
        for i, leaf in self.others:
            leaves.insert(i, leaf)
        return tree.unflatten(self.structure, leaves)


def pulled_back(
    fun: FlatFunction,
    wanted: Sequence[bool],
    smooth_out: Sequence[bool],
    masked: Sequence[bool] = (),
    *,
    masks: bool = False,
) -> FlatFunction:
    """The function of arguments and cotangents of the floating-point results that returns cotangents of those arguments
    that are wanted. It runs `fun` on a tape of its own.

    Args:
        fun: the function.
        wanted: for each argument whether its cotangent is; it must be floating-point.
        smooth_out: for each result whether it is floating-point.
        masked: for each of the cotangents whether it is zero outside of a mask. The masks are the last arguments.
        masks: whether a cotangent may be returned as a `Masked` one.
    """
    count = len(wanted)
    smooth = sum(smooth_out)

    def pull(*values: Value) -> tuple[Value, ...]:
        args = list(values[:count])
        with Vjp(fun, partial=True) as tape:
            for i, w in enumerate(wanted):
                if w:
                    args[i] = tape.input(args[i])
            outs = fun(*args)
        gs = list(values[count : count + smooth])
        for i, mask in zip([i for i, m in enumerate(masked) if m], values[count + smooth :], strict=True):
            gs[i] = Masked(gs[i], mask)
        given = iter(gs)
        pairs = [(x, next(given)) for x, floats in zip(outs, smooth_out, strict=True) if floats]
        seeds = [(x.extra, g) for x, g in pairs if type(x) is Tracer and x.interpreter is tape]
        inputs = [x.extra for x, w in zip(args, wanted, strict=True) if w]
        del outs, pairs, args, gs
        found = zip(backward_pass(seeds, inputs, masks=masks), inputs, strict=True)
        return tuple([zeros(node.spec) if g is None else g for g, node in found])

    return named(pull, "pullback", fun)


def zeros(spec: ShapeDtype) -> Value:
    """A zero cotangent."""
    shape, dtype = spec
    return np.zeros(shape, dtype) if shape else dtype.type(0)


def pushed_forward(fun: FlatFunction, moving: Sequence[bool]) -> FlatFunction:
    """The function of arguments and tangents of those that move that returns the results and the tangents of those that
    are floating-point.
    """
    count = len(moving)

    def push(*values: Value) -> tuple[Value, ...]:
        given = iter(values[count:])
        with Jvp(fun) as interpreter:
            outs = fun(*[interpreter.input(x, next(given)) if m else x for x, m in zip(values, moving, strict=False)])
        outs = tuple(map(held, outs))
        own = [type(x) is Tracer and x.interpreter is interpreter for x in outs]
        primals = [held(x.value) if o else x for x, o in zip(outs, own, strict=True)]
        tangents = [tangent_of(x) if o else zeros_like(x) for x, o in zip(outs, own, strict=True) if floating(x)]
        return (*primals, *tangents)

    return named(push, "jvp", fun)


def batched_over(fun: FlatFunction, size: int, batched: Batched) -> FlatFunction:
    """The function of a batch: every result has the batch axis first.

    Where the examples go different ways, this function alone is run for each group of them, not the whole program.
    """

    def run(*values: Value) -> tuple[Value, ...]:
        found = run_together(fun, size, batched, values)
        if found is None:
            axes = tuple([0 if b else None for b in batched])
            found = vmap(fun, in_axes=axes, axis_size=size)(*values)
        return found

    return named(run, "vmap", fun)


def run_together(fun: FlatFunction, size: int, batched: Batched, values: Sequence[Value]) -> tuple[Value, ...] | None:
    """The results of a function of a batch, with the batch axis first; None if the examples go different ways."""
    with Batch(size, fun) as batch:
        try:
            outs = fun(*[batch.input(x) if b else x for x, b in zip(values, batched, strict=True)])
        except (Split, Exception):
            if batch.parted is None:  # also an error that came of a caught Split counts as one
                raise
    if batch.parted is not None:
        return None
    return tuple([x.value if type(x) is Tracer and x.interpreter is batch else repeated(x, size) for x in outs])


def repeated(x: Value, size: int) -> Value:
    """A value for every example of a batch."""
    return np.broadcast_to(x, (size, *shape_of(x))) if hasattr(x, "shape") else np.full(size, x)


def split_tangents(results: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """What `pushed_forward` returned: the results, and a tangent for each, None where it is not floating-point."""
    count = 0
    total = 0
    while total < len(results):
        total += 2 if floating(results[count]) else 1
        count += 1
    rest = iter(results[count:])
    return list(results[:count]), [next(rest) if floating(x) else None for x in results[:count]]


def call_vjp(
    *args: Value, fun: FlatFunction, wanted: Sequence[bool]
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    ans = call.bind(*args, fun=fun)

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        smooth_out = list(map(floating, ans))
        given = [each for each, smooth in zip(g, smooth_out, strict=True) if smooth]
        masked = [type(each) is Masked for each in given]
        masks = [each.mask for each in given if type(each) is Masked]
        back = pulled_back(fun, wanted, smooth_out, masked)
        found = iter(call.bind(*args, *map(unmasked, given), *masks, fun=back))
        return [next(found) if w else None for w in wanted]

    return ans, pullback


def call_jvp(tangents: Tangents, *args: Value, fun: FlatFunction) -> tuple[list[Value], list[Value]]:
    given = [t for t in tangents if t is not None]
    return split_tangents(call.bind(*args, *given, fun=pushed_forward(fun, [t is not None for t in tangents])))


def call_value(*args: Value, fun: FlatFunction) -> tuple[Value, ...]:
    return fun(*args)


call = Call("call", call_value, seen_by=(Trace, Vjp), reversed=True)
defvjp_joint(call, call_vjp)
entries[call].masked = True
defjvp_whole(call, call_jvp)
batch_rules[call] = lambda size, batched, *args, fun: call.bind(*args, fun=batched_over(fun, size, batched))
