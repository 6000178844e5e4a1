"""Autograd's `autograd.util`: small functions on tuples and graphs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def subvals(x: Iterable[Any], ivs: Iterable[tuple[int, Any]]) -> tuple[Any, ...]:
    """A tuple with some entries replaced.

    >>> subvals((1, 2, 3), [(0, 10), (2, 30)])
    (10, 2, 30)
    """
    changed = list(x)
    for i, value in ivs:
        changed[i] = value
    return tuple(changed)


def subval(x: Iterable[Any], i: int, v: Any) -> tuple[Any, ...]:
    """A tuple with one entry replaced."""
    return subvals(x, [(i, v)])


def func(f: T) -> T:
    """The function itself; of an unbound method, its function."""
    return f


def toposort(end_node: Any, parents: Callable[[Any], Iterable[Any]] = operator.attrgetter("parents")) -> Iterator[Any]:
    """The nodes of a graph from the end back, each before its parents."""
    children: dict[Any, int] = {}
    stack = [end_node]
    while stack:
        node = stack.pop()
        children[node] = children.get(node, 0) + 1
        if children[node] == 1:
            stack.extend(parents(node))
    childless = [end_node]
    while childless:
        node = childless.pop()
        yield node
        for parent in parents(node):
            children[parent] -= 1
            if not children[parent]:
                childless.append(parent)
