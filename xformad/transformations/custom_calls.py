"""The operations that `custom_vjp` and `custom_jvp` bind: calls with a rule of their own, on flat arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from xformad.core.interpreter import Interpreter
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters.batch_rules import Batched, batch_rules
from xformad.interpreters.jvp import Jvp
from xformad.interpreters.jvp_rules import Tangents, defjvp_whole, zeros_like
from xformad.interpreters.taylor import Taylor
from xformad.interpreters.vjp import Vjp
from xformad.interpreters.vjp_rules import defvjp_joint
from xformad.transformations.calls import Call, FlatFunction, batched_over, floating, split_tangents
from xformad.transformations.pullback import record


class CustomCall(Call):
    """A call with a rule of its own, which must not be passed over by running the function on tracers."""

    def kept(self, interpreter: Interpreter, args: tuple[Value, ...]) -> bool:
        """Where derivatives are taken, the rule is meant; elsewhere the function."""
        return interpreter.keeps_call(args) or isinstance(interpreter, Jvp | Taylor)

    def of_whole_numbers(self, tape: Vjp, *args: Value, **params: Any) -> Value:
        """They become floats: a rule gives the derivative of these alone."""
        return self.bind(
            *[x * 1.0 if type(x) is Tracer and x.interpreter is tape and not floating(x.value) else x for x in args],
            **params,
        )

    def leaked(self, *args: Value, **params: Any) -> Value:
        raise UnsupportedError(closing_over("a function with custom rules"))


def closing_over(name: str) -> str:
    return (
        f"{name} uses a traced value that is none of its arguments, so its rule cannot give the derivative with respect to "
        f"that ({user_line()}); pass it as an argument"
    )


@final
class Backward:
    """The rule of `custom_vjp` for flat arrays, and for batches of them.

    Attributes:
        forward: of the operands: the results, and after them the residuals.
        backward: of the residuals and the cotangents of the floating-point results: those of the floating-point operands.
        count: how many results there are, known when `forward` has run.
    """

    def __init__(self, forward: FlatFunction, backward: FlatFunction, count: Callable[[], int]) -> None:
        self.forward = forward
        self.backward = backward
        self.count = count


def custom_vjp_value(*args: Value, fun: FlatFunction, rule: Backward) -> tuple[Value, ...]:
    return fun(*args)


def custom_vjp_vjp(
    *args: Value, fun: FlatFunction, rule: Backward, wanted: Sequence[bool] = ()
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    found = rule.forward(*args)
    count = rule.count()
    ans, residuals = found[:count], found[count:]

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        given = [each for each, x in zip(g, ans, strict=True) if floating(x)]
        cotangents = iter(rule.backward(*residuals, *given))
        return [next(cotangents) if floating(x) else None for x in args]

    return ans, pullback


def custom_vjp_batch(size: int, batched: Batched, *args: Value, fun: FlatFunction, rule: Backward) -> tuple[Value, ...]:
    summed = [not b for b, x in zip(batched, args, strict=True) if floating(x)]

    def backward(*values: Value) -> tuple[Value, ...]:
        """What is the same for all examples gets the sum of their cotangents."""
        found = batched_over(rule.backward, size, (True,) * len(values))(*values)
        return tuple([np.sum(g, axis=0) if s else g for g, s in zip(found, summed, strict=True)])

    whole = Backward(batched_over(rule.forward, size, batched), backward, rule.count)
    return custom_vjp_p.bind(*args, fun=batched_over(fun, size, batched), rule=whole)  # type: ignore[no-any-return]


custom_vjp_p = CustomCall("custom_vjp", custom_vjp_value)
defvjp_joint(custom_vjp_p, custom_vjp_vjp)
batch_rules[custom_vjp_p] = custom_vjp_batch


def custom_jvp_value(*args: Value, fun: FlatFunction, rule: FlatFunction) -> tuple[Value, ...]:
    return fun(*args)


def custom_jvp_jvp(
    tangents: Tangents, *args: Value, fun: FlatFunction, rule: FlatFunction
) -> tuple[list[Value], list[Value]]:
    given = [zeros_like(x) if t is None else t for t, x in zip(tangents, args, strict=True) if floating(x)]
    return split_tangents(rule(*args, *given))


def custom_jvp_vjp(
    *args: Value, fun: FlatFunction, rule: FlatFunction, wanted: Sequence[bool] = ()
) -> tuple[tuple[Value, ...], Callable[[Any], list[Value]]]:
    """The rule is linear in the tangents: it is recorded, and its pullback is the derivative."""
    zeros = tuple([zeros_like(x) for x in args if floating(x)])

    def along(*tangents: Value) -> tuple[list[Value], list[Value]]:
        outs, found = split_tangents(rule(*args, *tangents))
        return [t for t in found if t is not None], outs

    run = record(along, zeros, {}, list(range(len(zeros))), has_aux=True)
    ans = tuple(run.aux)

    def pullback(g: tuple[Value, ...]) -> list[Value]:
        cotangents = iter(run.pull([each for each, x in zip(g, ans, strict=True) if floating(x)]))
        return [next(cotangents) if floating(x) else None for x in args]

    return ans, pullback


def custom_jvp_batch(
    size: int, batched: Batched, *args: Value, fun: FlatFunction, rule: FlatFunction
) -> tuple[Value, ...]:
    flags = (*batched, *[b for b, x in zip(batched, args, strict=True) if floating(x)])
    whole = batched_over(rule, size, flags)
    return custom_jvp_p.bind(*args, fun=batched_over(fun, size, batched), rule=whole)  # type: ignore[no-any-return]


custom_jvp_p = CustomCall("custom_jvp", custom_jvp_value)
defvjp_joint(custom_jvp_p, custom_jvp_vjp)
defjvp_whole(custom_jvp_p, custom_jvp_jvp)
batch_rules[custom_jvp_p] = custom_jvp_batch
