"""The jvp rules of primitives: how they are declared, and how those that are not declared follow from the vjp rules.

A rule is a function `jvp(t, ans, *args, **params)` of the tangent of one argument, the result and the arguments. It
returns what that tangent contributes to the tangent of the result; contributions add up:

    defjvp(solve, lambda t, ans, a, _b: -solve(a, t @ ans), lambda t, _ans, a, _b: solve(a, t))

A primitive without jvp rules needs none. What it does with tangents follows from its vjp rules:

- where it is linear in each argument, it is the primitive with the tangent in the argument's place;
- where it is elementwise, its Jacobian is diagonal, so the vjp rule is the jvp rule;
- else J is the transpose of g -> J^T g, which is a linear program: it is recorded, and a backward pass transposes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad.core.graph import Node
from xformad.core.interpreter import dtype_of, shape_of, spec_of
from xformad.core.primitive import NO_PARAMS, Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.core.typing import Params, ShapeDtype, Value
from xformad.errors import RuleError
from xformad.interpreters.cotangents import Masked, Parts, cast
from xformad.interpreters.snapshots import Snapshots
from xformad.interpreters.vjp import Vjp, backward_pass
from xformad.interpreters.vjp_rules import ELEMENTWISE, STRICT, VjpEntry, vjp_rules

JvpRule: TypeAlias = Callable[..., Value]
"""`rule(t, ans, *args, **params)`: what the tangent `t` of one argument contributes to that of the result."""

Tangents: TypeAlias = Sequence[Value]
"""A tangent for each argument; None for one that has none."""


@final
class JvpEntry:
    """What a primitive does with tangents.

    Args:
        rules: one an argument; None says that it contributes nothing.
        joint: in place of `rules`, one for all: `joint(tangents, ans, *args, **params)`.
        whole: in place of both, one that computes the result too: `whole(tangents, *args, **params) -> (ans, tangent)`.
        strict: whether a tangent of a wrong shape or dtype is refused (a user's rule) or broadcast and cast.
        singular: whether a derivative may be infinite, about which there is no warning: `where` may not take it.
    """

    __slots__ = ("joint", "rules", "singular", "strict", "whole")

    def __init__(
        self,
        rules: dict[int, JvpRule | None] | None = None,
        *,
        joint: Callable[..., Value] | None = None,
        whole: Callable[..., tuple[Value, Value]] | None = None,
        strict: bool = False,
        singular: bool = False,
    ) -> None:
        self.rules = rules
        self.joint = joint
        self.whole = whole
        self.strict = strict
        self.singular = singular

    def tangent(
        self, primitive: Primitive, tangents: Tangents, ans: Value, args: Sequence[Value], params: Params
    ) -> Value:
        """The tangent of the result, or of each part of it; None where it is zero."""
        if self.joint is not None:
            return self.joint(tangents, ans, *args, **params)
        if self.whole is not None:
            return self.whole(tangents, *args, **params)[1]
        if self.singular:
            with np.errstate(divide="ignore", invalid="ignore"):
                return self.total(primitive, tangents, ans, args, params)
        return self.total(primitive, tangents, ans, args, params)

    def total(
        self, primitive: Primitive, tangents: Tangents, ans: Value, args: Sequence[Value], params: Params
    ) -> Value:
        """The sum of what the arguments contribute."""
        rules = self.rules
        assert rules is not None
        total: Value = None
        for i, t in enumerate(tangents):
            if t is None:
                continue
            if i not in rules:
                raise jvp_rules.missing(primitive, i)
            rule = rules[i]
            if rule is not None:
                part = rule(t, ans, *args, **params) if params else rule(t, ans, *args)
                if type(part) is Masked:
                    part = part.g
                total = part if total is None else total + part
        return total


jvp_rules: Final[RuleTable[JvpEntry]] = RuleTable("jvp", "xformad.extend.defjvp")
derived: Final[dict[Primitive, tuple[VjpEntry, JvpEntry | None]]] = {}


def defjvp(primitive: Primitive, *rules: JvpRule | None, argnums: Sequence[int] | None = None) -> None:
    """Give a primitive its jvp rules, one an argument.

    Args:
        primitive: the primitive.
        rules: functions `rule(t, ans, *args, **params)`, written with NumPy's functions, that return what the tangent t
            of one argument contributes to the tangent of the result. None says that it is nothing.
        argnums: the arguments that the rules are for, in order; the first ones if not given.

    Raises:
        ValueError: if the primitive has jvp rules already, or if the numbers of rules and `argnums` differ.

    >>> cube = Primitive("cube", lambda x: x**3)
    >>> defjvp(cube, lambda t, _ans, x: t * 3 * x**2)
    """
    positions = range(len(rules)) if argnums is None else argnums
    if len(positions) != len(rules):
        raise ValueError(f"defjvp({primitive.name}): {len(rules)} rules for {len(positions)} argnums")
    jvp_rules[primitive] = JvpEntry(dict(zip(positions, rules, strict=True)), strict=True)


def defjvp_joint(primitive: Primitive, rule: Callable[..., Value], *, strict: bool = True) -> None:
    """Give a primitive one jvp rule for all arguments.

    Args:
        primitive: the primitive.
        rule: `rule(tangents, ans, *args, **params)`, where `tangents` has None for an argument without tangent. It
            returns the tangent of the result, or None for zero; a tuple of such where the primitive returns a tuple.
        strict: whether a tangent of a wrong shape or dtype is refused, or broadcast and cast.
    """
    jvp_rules[primitive] = JvpEntry(joint=rule, strict=strict)


def defjvp_whole(primitive: Primitive, rule: Callable[..., tuple[Value, Value]]) -> None:
    """Give a primitive a jvp rule that computes the result together with its tangent, for work that they share.

    Args:
        primitive: the primitive.
        rule: `rule(tangents, *args, **params) -> (ans, tangent)`, otherwise as for `defjvp_joint`.
    """
    jvp_rules[primitive] = JvpEntry(whole=rule, strict=True)


def entry_for(primitive: Primitive) -> JvpEntry | None:
    """What a primitive does with tangents, declared or derived; None if its derivative is zero.

    Raises:
        MissingRuleError: if the primitive has neither jvp nor vjp rules.
    """
    entry = jvp_rules.rules.get(primitive)
    if entry is not None:
        return entry
    source = vjp_rules[primitive]
    found = derived.get(primitive)
    if found is None or found[0] is not source:
        found = derived[primitive] = source, derive(primitive, source)
    return found[1]


def derive(primitive: Primitive, entry: VjpEntry) -> JvpEntry | None:
    """The jvp rule that follows from the vjp rules; None if these say that the derivative is zero."""
    rules = entry.rules
    if rules is not None and not any(rules.values()):
        return None
    if entry.linear and not primitive.multiple:
        return JvpEntry(Multilinear(primitive, entry))
    if entry.mask == ELEMENTWISE and rules is not None and entry.check != STRICT:
        return JvpEntry(rules, singular=entry.singular)
    return JvpEntry(joint=transposed_twice(primitive, entry))


class Multilinear(dict[int, JvpRule | None]):
    """The rules of a primitive that is linear in each argument that has a vjp rule, made as they are asked for."""

    def __init__(self, primitive: Primitive, entry: VjpEntry) -> None:
        super().__init__()
        self.primitive = primitive
        self.entry = entry

    def __contains__(self, argnum: object) -> bool:
        return True

    def __missing__(self, argnum: int) -> JvpRule | None:
        rule = self[argnum] = None if self.entry.rule(argnum) is None else replaced(self.primitive, argnum)
        return rule


def replaced(primitive: Primitive, argnum: int) -> JvpRule:
    """The primitive with the tangent in the place of one argument."""

    def rule(t: Value, _ans: Value, *args: Value, **params: Any) -> Value:
        if len(args) == 1:
            return primitive(t, **params)
        return primitive.bind(*args[:argnum], t, *args[argnum + 1 :], **params)

    return rule


def jointly_linear(primitive: Primitive, operands: Callable[[Params], int] | None = None) -> Callable[..., Value]:
    """The rule of a primitive that is linear in all of its first arguments together, as many as `operands(params)`."""

    def rule(tangents: Tangents, ans: Value, *args: Value, **params: Any) -> Value:
        count = len(args) if operands is None else operands(params)
        moved = [zeros_like(x) if t is None else t for t, x in zip(tangents[:count], args, strict=False)]
        return primitive.bind(*moved, *args[count:], **params)

    return rule


def transposed_twice(primitive: Primitive, entry: VjpEntry) -> Callable[..., Value]:
    """The rule of any primitive: the vjp rule is recorded as a program of the cotangent, and transposed."""

    def rule(tangents: Tangents, ans: Value, *args: Value, **params: Any) -> Value:
        parts = ans if primitive.multiple else (ans,)
        inputs: list[Value] = []
        with Vjp() as tape, np.errstate(all="ignore"):  # of the values of this run nothing is used
            for part in parts:
                shape, dtype = spec_of(part)
                smooth = dtype.kind in "fc"
                inputs.append(tape.input(np.zeros(shape, dtype) if shape else dtype.type(0)) if smooth else None)
            g = Parts({i: x for i, x in enumerate(inputs) if x is not None}) if primitive.multiple else inputs[0]
            messages = vjp_of(primitive, entry, tangents, ans, args, params, g)
        seeds = []
        for message, t in zip(messages, (t for t in tangents if t is not None), strict=True):
            if type(message) is Tracer and message.interpreter is tape:
                seeds.append((message.extra, t))
        smooth_parts = [x.extra for x in inputs if x is not None]
        found = iter(backward_pass(seeds, smooth_parts))
        results = [None if x is None else next(found) for x in inputs]
        return tuple(results) if primitive.multiple else results[0]

    return rule


def vjp_of(
    primitive: Primitive,
    entry: VjpEntry,
    tangents: Tangents,
    ans: Value,
    args: tuple[Value, ...],
    params: Params,
    g: Value,
) -> list[Value]:
    """The cotangents of the arguments that have tangents, for a cotangent g of the result: a backward pass of one node."""
    traced = sum(1 << i for i, t in enumerate(tangents) if t is not None)
    plan = entry.plan(primitive, traced, len(args))
    parents = [
        Node(0, None, None, (), NO_PARAMS, (), spec_of(arg), None)
        for arg, t in zip(args, tangents, strict=True)
        if t is not None
    ]
    if entry.joint is not None:
        values: Sequence[Value] = (entry.joint(*args, **params)[1],)
    else:
        values = plan.keep(args, [None] * len(args), Snapshots())
    with_rule = parents if plan.select is None else [parents[k] for k in plan.select]
    spec: ShapeDtype = ((), np.dtype(float)) if primitive.multiple else spec_of(ans)
    node = Node(1, ans, primitive, values, params, with_rule, spec, plan)
    return backward_pass([(node, g)], parents)


def fitted_tangent(t: Value, ans: Value, primitive: Primitive, strict: bool) -> Value:
    """A rule's tangent in the shape and dtype of the result.

    Raises:
        RuleError: if a user's rule returned another shape or dtype.
    """
    shape, dtype = spec_of(ans)
    found, kind = spec_of(t)
    if strict and (found != shape or (kind != dtype and type(t) not in (float, int))):
        what = f"the jvp rule of primitive '{primitive.name}' returned"
        if found != shape:
            raise RuleError(f"{what} shape {found} for a result of shape {shape}")
        raise RuleError(f"{what} dtype {kind} for a result of dtype {dtype}; cast it with .astype")
    if found != shape:
        t = np.broadcast_to(t, shape)
    return cast(t, dtype) if dtype_of(t) != dtype else t


def zeros_like(ans: Value) -> Value:
    """A zero tangent."""
    shape, dtype = shape_of(ans), dtype_of(ans)
    return np.zeros(shape, dtype) if shape else dtype.type(0)
