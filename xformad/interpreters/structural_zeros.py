"""Structural zeros on their way back: what a node sends whose cotangent is zero where a branch was not taken.

Through an elementwise primitive the zeros stay where they are, whatever the local derivative is there. Through one that
only moves data, its rule, applied to the mask, says where they go. Every other primitive takes them for numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xformad.core.graph import Node
from xformad.core.index import ARRAY
from xformad.core.interpreter import dtype_of, shape_of, spec_of
from xformad.core.primitive import Tracer, getitem
from xformad.core.typing import Value
from xformad.interpreters.cotangents import SPECIAL, Masked, Outer, Scattered, cast, unbroadcast, unmasked
from xformad.interpreters.vjp_rules import ELEMENTWISE, MOVES


def settled(g: Value, node: Node) -> Value:
    """A cotangent as an array."""
    if type(g) is Scattered:
        return g.dense(node)
    return g.settle(node) if type(g) is Outer else unmasked(g)


def fitted(g: Value, node: Node) -> Value:
    """A cotangent with broadcasting and promotion undone."""
    if type(g) in SPECIAL:
        if type(g) is Masked and spec_of(g.g) != node.spec:
            message = cast(unbroadcast(g.g, node.shape), node.dtype)
            if g.full:
                return Masked(message, np.ones(node.shape, bool), full=True)
            return Masked(message, mask_for(g.mask, node))
        return g
    if spec_of(g) == node.spec:
        return g
    shape, dtype = node.spec
    return cast(unbroadcast(g, shape), dtype)


def masked_messages(node: Node, sent: Masked) -> list[Value]:
    """What a node sends whose cotangent is structurally zero in places: structural zeros there, if its kind allows."""
    plan = node.plan
    g, mask = sent.g, sent.mask
    if sent.full and plan.entry.mask == ELEMENTWISE:
        messages = [rule(g, node.value, *node.args, **node.params) for rule in plan.rules]
        messages = [each if type(each) is Masked else Masked(each, mask, full=True) for each in messages]
        return [fitted(message, parent) for message, parent in zip(messages, node.parents, strict=True)]
    if node.primitive is getitem and type(node.params["index"]) is int and type(mask) is not Tracer:
        return [masked_item(g, mask, node.params["index"])]
    with np.errstate(all="ignore"):
        messages = [rule(g, node.value, *node.args, **node.params) for rule in plan.rules]
        if plan.entry.mask == ELEMENTWISE:
            if plan.keep_value or plan.blank is None:
                messages = [masked(message, mask) for message in messages]
            else:
                messages = [Masked(message, mask) for message in messages]
            return [fitted(message, parent) for message, parent in zip(messages, node.parents, strict=True)]
        if plan.entry.mask == MOVES:
            ones = numbers(mask, node.dtype)
            masks = [rule(ones, node.value, *node.args, **node.params) for rule in plan.rules]
            return [
                Masked(settled(message, parent), settled(moved, parent) != 0)
                for message, moved, parent in zip(messages, masks, node.parents, strict=True)
            ]
    return messages


def masked_item(g: Value, mask: Value, index: int) -> Value:
    """What `x[index]` sends to x: only what the mask leaves, so that a loop over x does not make an array a step."""
    if shape_of(mask) == ():
        return Scattered(g, index, (), True) if mask else None
    return Scattered(g[mask], (index, ARRAY), (mask,), True)


def masked(message: Value, mask: Value) -> Masked:
    """A message that is structurally zero outside of a mask; and outside of its own, if it has one."""
    if type(message) is Masked:
        message, mask = message.g, np.logical_and(mask, message.mask)
    return Masked(np.where(mask, message, dtype_of(message).type(0)), mask)


def mask_for(mask: Value, parent: Node) -> Value:
    """The mask of a node for its parent, which may have been broadcast."""
    return mask if shape_of(mask) == parent.shape else unbroadcast(numbers(mask, np.dtype(float)), parent.shape) != 0


def numbers(mask: Value, dtype: np.dtype[Any]) -> Value:
    """A mask as an array of zeros and ones."""
    return mask.astype(dtype) if type(mask) is Tracer else np.asarray(mask, dtype)
