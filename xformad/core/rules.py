"""Rule tables: what one interpreter knows about the primitives.

    >>> from xformad.core.primitive import Primitive
    >>> table = RuleTable("bound", "xformad.interval.defbound")
    >>> double = Primitive("double", lambda x: 2 * x)
    >>> table[double]
    Traceback (most recent call last):
    ...
    xformad.errors.MissingRuleError: no bound rule for primitive 'double'; add one with \
xformad.interval.defbound(double, ...)
    >>> table[double] = lambda interval: tuple(2 * end for end in interval)
    >>> table[double]((1, 2))
    (2, 4)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar, final

from xformad.core.primitive import Primitive
from xformad.errors import MissingRuleError

R = TypeVar("R")


@final
class RuleTable(Generic[R]):
    """A table from primitives to rules of one kind.

    Args:
        kind: what the rules are called in messages: `"vjp"`, `"batching"`.
        adder: the dotted name of the function with which a user adds a rule.
    """

    __slots__ = ("adder", "kind", "rules")

    def __init__(self, kind: str, adder: str) -> None:
        self.kind = kind
        self.adder = adder
        self.rules: dict[Primitive, R] = {}

    def __setitem__(self, primitive: Primitive, rule: R) -> None:
        if primitive in self.rules:
            raise ValueError(
                f"primitive '{primitive.name}' already has a {self.kind} rule; "
                "call the table's replace(primitive, rule) to put another in its place"
            )
        self.rules[primitive] = rule

    def replace(self, primitive: Primitive, rule: R) -> None:
        """Put `rule` in the place of the rule that `primitive` has, or give it its first one."""
        self.rules[primitive] = rule

    def __getitem__(self, primitive: Primitive) -> R:
        rule = self.rules.get(primitive)
        if rule is None:
            raise self.missing(primitive)
        return rule

    def __contains__(self, primitive: object) -> bool:
        return primitive in self.rules

    def __iter__(self) -> Iterator[Primitive]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def missing(self, primitive: Primitive, argument: int | None = None) -> MissingRuleError:
        """The error for a rule that is not there, saying what to write."""
        about = "" if argument is None else f" with respect to argument {argument}"
        return MissingRuleError(
            f"no {self.kind} rule for primitive '{primitive.name}'{about}; "
            f"add one with {self.adder}({primitive.name}, ...)"
        )

    def coverage(self) -> list[str]:
        """The names of the primitives that have a rule, sorted."""
        return sorted(primitive.name for primitive in self.rules)

    def __repr__(self) -> str:
        return f"<RuleTable of {len(self.rules)} {self.kind} rules>"
