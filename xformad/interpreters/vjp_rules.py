"""The vjp rules of primitives: how they are declared, and what the tape keeps for them.

A rule is a function `vjp(g, ans, *args, **params)` of the result's cotangent, the result and the arguments. It returns
the cotangent of one argument:

    defvjp(exp, lambda g, ans, _x: g * ans)

A parameter that a rule does not use is named with a leading underscore, as linters ask. The tape relies on it: it does
not keep the values of such arguments. What the rule receives in their place has their `shape` and `dtype` only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, final

from numpy import ndarray

from xformad.core.graph import Node
from xformad.core.interpreter import Spec, held, spec_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.core.typing import Value, VjpRule
from xformad.interpreters.snapshots import Snapshots

JointRule = Callable[..., tuple[Value, Callable[[Value], Sequence[Value]]]]

# How a masked cotangent passes a primitive.
ELEMENTWISE: Final = "elementwise"
MOVES: Final = "moves"  # the primitive only moves data: its rule, applied to the mask, says where zeros are structural

# What the tape does with an argument.
DROPPED: Final = 0  # no rule needs it
CONSTANT: Final = 1  # a rule needs it, and it is not traced
VARIABLE: Final = 2  # a rule needs it, and it is traced
NUMBER: Final = 3  # a rule needs it, and it is a plain number

FEW: Final = 4  # arguments, for which a rule that is called for each of them is as good as one for all

# What the backward pass does with a rule's result.
TRUST: Final = 0  # the rule guarantees shape and dtype
BROADCAST: Final = 1  # undo broadcasting and promotion
STRICT: Final = 2  # refuse a wrong shape or dtype: a user's rule


@final
class Plan:
    """What the tape does for one primitive and one choice of traced arguments. Made once, kept.

    Attributes:
        entry: the primitive's rules.
        rules: the rule of each traced argument that has one.
        argnums: their positions.
        select: which of the traced arguments those are; None if all.
        keep_value: whether a rule needs the result.
        blank: what is kept of the arguments where no rule needs anything of them; else None.
        modes: for each argument, whether no rule needs it, or one does and it is not traced, or it is.
        small: whether all arguments are scalars where the result is one, so that there is nothing to save.
        joint: whether one function stands for the rules: the pullback of a joint rule, or a rule for many arguments.
        watch: where somebody watches (`xformad.interpreters.watching`), what sends the messages of a node; else None.
    """

    __slots__ = (
        *("argnums", "blank", "check", "entry", "joint", "keep_value"),
        *("modes", "rules", "select", "small", "specs", "watch"),
    )

    def __init__(self, entry: VjpEntry, traced: int, count: int) -> None:
        positions = [i for i in range(count) if traced >> i & 1]
        chosen = [(k, i, rule) for k, i in enumerate(positions) if (rule := entry.rule(i)) is not None]
        self.entry = entry
        self.rules = tuple(rule for _, _, rule in chosen)
        self.argnums = tuple(i for _, i, _ in chosen)
        self.select = None if len(chosen) == len(positions) else tuple(k for k, _, _ in chosen)
        distinct = self.rules if entry.variadic is None else self.rules[:1]
        needs = [needed(rule, count) for rule in distinct]
        kept = set().union(*(args for _, args in needs))
        self.keep_value = any(value for value, _ in needs)
        self.modes = tuple(
            DROPPED if i not in kept else VARIABLE if traced >> i & 1 else CONSTANT for i in range(count)
        )
        self.blank = (None,) * count if not kept and not entry.specs else None
        self.small = entry.mask == ELEMENTWISE
        self.joint = entry.joint is not None or (entry.many is not None and len(self.rules) > FEW)
        self.specs = entry.specs
        self.check = entry.check
        self.watch: Callable[[Node, Value], Sequence[Value]] | None = None

    def keep(self, values: Sequence[Value], args: Sequence[Value], snapshots: Snapshots) -> Sequence[Value]:
        """What the tape keeps of the arguments: only what a rule needs, in memory that the program cannot write into."""
        modes = self.modes
        if len(modes) == 2:
            x, y = values
            first, second = modes
            if first < VARIABLE or snapshots.callers:
                x = self.kept(x, first, args[0], snapshots)
            if second < VARIABLE or snapshots.callers:
                y = self.kept(y, second, args[1], snapshots)
            return x, y
        if len(modes) == 1:
            return (self.kept(values[0], modes[0], args[0], snapshots),)
        return [self.kept(*each, snapshots) for each in zip(values, modes, args, strict=True)]

    def kept(self, value: Value, mode: int, arg: Value, snapshots: Snapshots) -> Value:
        """What the tape keeps of one argument."""
        if mode == DROPPED:
            return Spec(*spec_of(value)) if self.specs else None
        if type(value) is not ndarray:
            return held(value) if mode == CONSTANT and type(value) is Tracer else value
        if mode == CONSTANT:
            return snapshots.of(value)
        if snapshots.callers and (value.base is not None or arg.extra.primitive is None):
            return snapshots.of_traced(value, arg)
        return value


@final
class VjpEntry:
    """The vjp rules of one primitive.

    Args:
        rules: one an argument; None says that the derivative is zero.
        variadic: in place of `rules`, one rule for every argument: `variadic(argnum, g, ans, *args, **params)`.
        many: beside `variadic`, the same for several arguments at once: `many(argnums, g, ans, *args, **params)`, a list.
            A rule that is called for each of n arguments with all n of them takes time quadratic in n.
        joint: in place of both, a rule for shared work: `joint(*args, **params) -> (ans, pullback)`.
        check: what is done with the results.
        mask: how a `Masked` cotangent passes: `"elementwise"`, `"moves"` (data is moved), or `""` (it does not).
        specs: whether the rules look at the shapes of arguments that they do not keep.
        linear: whether the primitive is linear in each argument that has a rule, which is then its transpose.
        singular: whether a derivative may be infinite where the primitive is finite.
    """

    __slots__ = (
        *("check", "joint", "linear", "many", "mask", "masked", "plans"),
        *("quick", "rules", "singular", "specs", "variadic"),
    )

    def __init__(
        self,
        rules: dict[int, VjpRule | None] | None = None,
        *,
        variadic: VjpRule | None = None,
        many: VjpRule | None = None,
        joint: JointRule | None = None,
        check: int = STRICT,
        mask: str = "",
        specs: bool = True,
        linear: bool = False,
        singular: bool = False,
    ) -> None:
        self.rules = rules
        self.variadic = variadic
        self.many = many
        self.joint = joint
        self.check = check
        self.mask = mask
        self.specs = specs
        self.linear = linear
        self.singular = singular
        self.masked = False
        self.plans: dict[tuple[int, int], Plan] = {}
        # For one argument at 0; for two by the bit mask of the traced ones, and, 4 more, beside a plain Python number.
        self.quick: list[Plan | None] = [None] * 7

    def rule(self, argnum: int) -> VjpRule | None:
        if self.joint is not None:
            return self.joint
        if self.variadic is not None:
            return partial(self.variadic, argnum)
        assert self.rules is not None
        return self.rules[argnum]

    def plan(self, primitive: Primitive, traced: int, count: int) -> Plan:
        """The plan for `count` arguments of which those in the bit mask `traced` are traced."""
        plan = self.plans.get((traced, count))
        if plan is None:
            for i in range(count):
                if self.rules is not None and traced >> i & 1 and i not in self.rules:
                    raise vjp_rules.missing(primitive, i)
            if len(self.plans) >= 256:
                self.plans.clear()
            plan = self.plans[traced, count] = Plan(self, traced, count)
            if count <= 2:
                self.quick[0 if count == 1 else traced] = plan
        return plan

    def plan_beside_number(self, primitive: Primitive, traced: int) -> Plan:
        """The plan for two arguments of which one is a Python number, which broadcasts and promotes nothing."""
        plan = self.plan(primitive, traced, 2)
        if self.mask == ELEMENTWISE and self.check == BROADCAST:
            plan = Plan(self, traced, 2)
            plan.check = TRUST
            plan.modes = tuple([NUMBER if mode == CONSTANT else mode for mode in plan.modes])
        self.quick[4 + traced] = plan
        return plan


vjp_rules: Final[RuleTable[VjpEntry]] = RuleTable("vjp", "xformad.extend.defvjp")
entries: Final = vjp_rules.rules


def needed(rule: VjpRule, count: int) -> tuple[bool, set[int]]:
    """What a rule `(g, ans, *args)` needs: the result?, and which arguments. It does not need a parameter named `_...`."""
    skipped = 0
    if isinstance(rule, partial):
        skipped, rule = len(rule.args), rule.func
    code = getattr(rule, "__code__", None)
    if code is None:
        return True, set(range(count))
    names = code.co_varnames[skipped : code.co_argcount]
    args = {i for i, name in enumerate(names[2:]) if not name.startswith("_")}
    if code.co_flags & 4:  # *args
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        if not rest.startswith("_"):
            args.update(range(len(names) - 2, count))
    return len(names) < 2 or not names[1].startswith("_"), args & set(range(count))


def defvjp(primitive: Primitive, *rules: VjpRule | None, argnums: Sequence[int] | None = None) -> None:
    """Give a primitive its vjp rules, one an argument.

    Args:
        primitive: the primitive.
        rules: functions `rule(g, ans, *args, **params)`, written with NumPy's functions, that return the cotangent of
            one argument, of its shape and dtype. None says that the derivative with respect to the argument is zero.
        argnums: the arguments that the rules are for, in order; the first ones if not given.

    Raises:
        ValueError: if the primitive has vjp rules already, or if the numbers of rules and `argnums` differ.

    >>> import numpy as np
    >>> cube = Primitive("cube", lambda x: x**3)
    >>> defvjp(cube, lambda g, _ans, x: g * 3 * x**2)
    """
    positions = range(len(rules)) if argnums is None else argnums
    if len(positions) != len(rules):
        raise ValueError(f"defvjp({primitive.name}): {len(rules)} rules for {len(positions)} argnums")
    vjp_rules[primitive] = VjpEntry(dict(zip(positions, rules, strict=True)))


def deflinear(primitive: Primitive, *transposes: VjpRule | None, argnums: Sequence[int] | None = None) -> None:
    """Give a primitive that is linear in each of some arguments its transposes. Its derivatives, of any mode, follow.

    Args:
        primitive: the primitive.
        transposes: functions `transpose(g, ans, *args, **params)` as for `defvjp`; of the argument that it is for, a
            transpose may use the shape and dtype only, so its name begins with an underscore.
        argnums: the arguments that the transposes are for, in order; the first ones if not given.

    Raises:
        ValueError: as `defvjp`.
    """
    defvjp(primitive, *transposes, argnums=argnums)
    entries[primitive].linear = True


def defvjp_joint(primitive: Primitive, joint: JointRule) -> None:
    """Give a primitive one rule for all arguments, for gradients that share work.

    Args:
        primitive: the primitive.
        joint: `joint(*args, **params) -> (ans, pullback)`; `pullback(g)` returns a cotangent for every argument, or
            None in the place of a zero. Where the primitive returns a tuple, `g` is one.
    """
    vjp_rules[primitive] = VjpEntry(joint=joint)


def defvjp_variadic(primitive: Primitive, rule: VjpRule) -> None:
    """Give a primitive of any number of arguments its rule, `rule(argnum, g, ans, *args, **params)`."""
    vjp_rules[primitive] = VjpEntry(variadic=rule)
