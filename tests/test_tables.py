"""The tables of rules have no hole: every primitive of xformad has a meaning under every interpreter."""

from __future__ import annotations

import importlib
import pkgutil

import xformad
from xformad.core.graph import component
from xformad.core.primitive import Primitive
from xformad.interpreters.batch_rules import batch_rules
from xformad.interpreters.index_sets import index_set_rules
from xformad.interpreters.jvp_rules import entry_for, jvp_rules
from xformad.interpreters.taylor_rules import rule_for, taylor_rules
from xformad.interpreters.vjp_rules import vjp_rules
from xformad.transformations.calls import Call
from xformad.transformations.custom_calls import CustomCall

IN_GRAPHS_ONLY = {component}
"""What a graph shows for a part of a tuple; no interpreter but `evaluate` meets it."""

TAYLOR_BY_JVP = {
    "custom_jvp",
    "custom_vjp",
    "distribution_function",
    "integral",
    "linear_solution",
    "odeint",
    "quantile",
    "root",
}
"""What has a rule of the user's, or a solver inside: their series follow from the jvp rule, order by order."""

ON_ALL = {"integral", "linear_solution", "odeint", "root", "undetermined", "whole_norm"}
"""Each entry of their results depends on all entries of the arguments indeed."""


def library() -> list[Primitive]:
    """The primitives that the modules of xformad define."""
    found: dict[Primitive, None] = {}
    for info in pkgutil.walk_packages(xformad.__path__, "xformad."):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, Primitive):
                found[value] = None
    return [primitive for primitive in found if primitive not in IN_GRAPHS_ONLY]


PRIMITIVES = library()


def without_derivative(primitive: Primitive) -> bool:
    return entry_for(primitive) is None


def runs_inside(primitive: Primitive) -> bool:
    """Whether interpreters without a rule for it run the function that it holds, which is always right."""
    return isinstance(primitive, Call) and not isinstance(primitive, CustomCall)


def test_there_are_primitives() -> None:
    assert len(PRIMITIVES) > 140
    assert len({primitive.name for primitive in PRIMITIVES}) == len(PRIMITIVES)


def test_every_primitive_has_a_vjp_rule() -> None:
    assert [p.name for p in PRIMITIVES if p not in vjp_rules] == []


def test_every_primitive_has_a_jvp_rule() -> None:
    """Its own, or one that follows from the vjp rules; `entry_for` raises where there is none."""
    without = [p for p in PRIMITIVES if p not in jvp_rules and without_derivative(p)]
    assert all(not any((vjp_rules[p].rules or {}).values()) and vjp_rules[p].joint is None for p in without)


def test_every_primitive_has_a_batching_rule() -> None:
    assert [p.name for p in PRIMITIVES if p not in batch_rules] == []


def test_every_primitive_has_a_taylor_rule() -> None:
    """Its own; or a product, where it is linear. None falls back on its jvp rule, but for those that hold a solver."""
    others = [
        p.name
        for p in PRIMITIVES
        if p not in taylor_rules and not without_derivative(p) and not vjp_rules[p].linear and not runs_inside(p)
    ]
    assert sorted(others) == sorted(TAYLOR_BY_JVP)
    for p in PRIMITIVES:
        if not runs_inside(p):
            assert (rule_for(p) is None) == (p not in taylor_rules and without_derivative(p))


def test_every_primitive_has_an_index_set_rule() -> None:
    """Its own; or by its vjp rules it is elementwise, moves entries, or has no derivative."""
    others = [
        p.name
        for p in PRIMITIVES
        if p not in index_set_rules and not without_derivative(p) and not vjp_rules[p].mask and not isinstance(p, Call)
    ]
    assert sorted(others) == sorted(ON_ALL)
