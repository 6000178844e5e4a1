"""Pytrees: taking containers apart and putting them together again."""

from __future__ import annotations

import dataclasses
import pickle
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest

from xformad import TreeError, XformadError, tree


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Layer:
    weights: Any
    bias: Any
    name: str = dataclasses.field(default="layer", metadata={"static": True})
    calls: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    value: Any


class Interval:
    def __init__(self, lower: Any, upper: Any, unit: str = "m") -> None:
        self.lower, self.upper, self.unit = lower, upper, unit

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Interval) and vars(self) == vars(other)


tree.register(Interval, lambda i: ((i.lower, i.upper), i.unit), lambda unit, ends: Interval(ends[0], ends[1], unit))

TREES: list[tuple[Any, list[Any], list[str]]] = [
    (1.0, [1.0], ["t"]),
    (None, [], []),
    ((), [], []),
    ({}, [], []),
    ([1, (2, None), [[]]], [1, 2], ["t[0]", "t[1][0]"]),
    ({"b": 1, "a": {"c": 2}}, [1, 2], ["t['b']", "t['a']['c']"]),
    ({1: "x", (2, 3): "y", None: "z"}, ["x", "y", "z"], ["t[1]", "t[(2, 3)]", "t[None]"]),
    (OrderedDict(b=1, a=2), [1, 2], ["t['b']", "t['a']"]),
    (defaultdict(list, {"b": 1, "a": 2}), [1, 2], ["t['b']", "t['a']"]),
    (Point(1, (2, 3)), [1, 2, 3], ["t.x", "t.y[0]", "t.y[1]"]),
    (Layer(1, [2], "first"), [1, 2], ["t.weights", "t.bias[0]"]),
    (Frozen({"a": 1}), [1], ["t.value['a']"]),
    (Interval(1, (2, 3), "s"), [1, 2, 3], ["t[0]", "t[1][0]", "t[1][1]"]),
    ((Point(Layer(1, None), {}), "text"), [1, "text"], ["t[0].x.weights", "t[1]"]),
]


@pytest.mark.parametrize(("value", "leaves", "paths"), TREES)
def test_flatten_and_unflatten(value: Any, leaves: list[Any], paths: list[str]) -> None:
    found, structure = tree.flatten(value)
    assert found == leaves
    assert tree.leaves_of(value) == leaves
    assert structure.size == len(leaves)
    assert list(structure.paths("t")) == paths
    again = tree.unflatten(structure, leaves)
    assert again == value
    assert type(again) is type(value)
    assert tree.flatten(again)[1] == structure
    assert tree.flatten_like(structure, value) == leaves
    assert hash(structure) == hash(tree.flatten(again)[1])
    assert tree.map(lambda x: x, value) == value


def test_structures() -> None:
    structure = tree.flatten({"w": [1.0, 2.0], "b": (3.0, None)})[1]
    assert repr(structure) == "Structure({'w': [*, *], 'b': (*, None)})"
    assert repr(tree.flatten(1)[1]) == "Structure(*)"
    assert tree.flatten(1)[1] is tree.LEAF
    assert repr(tree.flatten(Point(1, [2]))[1]) == "Structure(Point(x=*, y=[*]))"
    assert pickle.loads(pickle.dumps(structure)) == structure
    assert tree.flatten([1])[1] != tree.flatten((1,))[1]
    assert tree.flatten(Layer(1, 2, "a"))[1] != tree.flatten(Layer(1, 2, "b"))[1]


@pytest.mark.parametrize("leaf", [1, 1.0, "text", b"bytes", True, 1j, {1, 2}, range(3), Point, len, np.float64(1.0)])
def test_leaves(leaf: Any) -> None:
    assert tree.flatten(leaf) == ([leaf], tree.LEAF)


def test_arrays_and_subclasses_of_containers_are_leaves() -> None:
    class List(list[Any]):
        pass

    class Dict(dict[Any, Any]):
        pass

    for leaf in (np.ones(2), List([1, 2]), Dict(a=1), object()):
        leaves, structure = tree.flatten(leaf)
        assert leaves[0] is leaf
        assert structure is tree.LEAF


def test_map() -> None:
    assert tree.map(lambda x, y, z: x + y * z, [1, (2,)], [10, (20,)], [2, (3,)]) == [21, (62,)]
    assert tree.map(lambda x, y: (x, y), {"a": 1, "b": 2}, {"b": 20, "a": 10}) == {"a": (1, 10), "b": (2, 20)}
    assert tree.map(lambda x: x + 1, Layer(1, [2], "n")) == Layer(2, [3], "n")
    assert tree.map(lambda x: x + 1, None) is None
    default = tree.map(lambda x: x + 1, defaultdict(int, a=1))
    assert default["b"] == 0


def test_order_of_keys() -> None:
    """A dict's leaves come in its own order; `flatten_like` follows the structure's."""
    structure = tree.flatten({"b": 1, "a": 2})[1]
    assert tree.flatten_like(structure, {"a": 20, "b": 10}) == [10, 20]
    assert list(tree.unflatten(structure, [1, 2])) == ["b", "a"]
    factory = tree.flatten(defaultdict(int, {"b": 1, "a": 2}))[1]
    assert tree.flatten_like(factory, defaultdict(float, {"a": 20, "b": 10})) == [10, 20]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ((1, 2), [1, 2], "tree is a list, but must be a tuple"),
        ((1, 2), (1,), "tree has 1 children, but must have 2"),
        ((1, 2), (1, (2, 3)), "tree[1] is a tuple, but must be a leaf"),
        (1, None, "tree is a NoneType, but must be a leaf"),
        ((1, None), (1, 2), "tree[1] is a int, but must be a NoneType"),
        ({"a": 1}, {"b": 1}, "tree has the keys ['b'], but must have ['a']"),
        ({"a": {"b": [1]}}, {"a": {"b": [1, 2]}}, "tree['a']['b'] has 2 children, but must have 1"),
        ({"a": 1}, OrderedDict(a=1), "tree is a OrderedDict, but must be a dict"),
        (Point(1, [2]), Point(1, (2,)), "tree.y is a tuple, but must be a list"),
        (Layer(1, [2]), Layer(1, 2), "tree.bias is a int, but must be a list"),
        (Layer(1, 2, "a"), Layer(1, 2, "b"), "tree has the static parts ('b',), but must have ('a',)"),
        (Interval(1, 2), Interval(1, 2, "s"), "tree has the static parts 's', but must have 'm'"),
        (Interval(1, (2,)), Interval(1, 2), "tree[1] is a int, but must be a tuple"),
    ],
)
def test_trees_that_differ(first: Any, second: Any, text: str) -> None:
    with pytest.raises(TreeError) as error:
        tree.map(lambda x, y: x, first, second)
    assert str(error.value) == text
    with pytest.raises(TreeError) as error:
        tree.flatten_like(tree.flatten(first)[1], second, "gradient")
    assert str(error.value) == text.replace("tree", "gradient", 1)
    assert isinstance(error.value, XformadError)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize("leaves", [[], [1], [1, 2, 3]])
def test_number_of_leaves(leaves: list[Any]) -> None:
    with pytest.raises(TreeError) as error:
        tree.unflatten(tree.flatten((1, 2))[1], leaves)
    assert str(error.value) == f"the structure has 2 leaves, but {len(leaves)} were given"


def test_unflatten_takes_any_iterable() -> None:
    assert tree.unflatten(tree.flatten((1, [2]))[1], iter("ab")) == ("a", ["b"])


@pytest.mark.parametrize("cls", [list, dict, tuple, Interval, Point, Layer, Frozen, type(None)])
def test_register_refuses_what_is_known(cls: Any) -> None:
    tree.flatten(tree.unflatten(tree.flatten((Point(1, 2), Layer(1, 2), Frozen(1)))[1], range(5)))
    with pytest.raises(ValueError) as error:
        tree.register(cls, lambda x: ((), None), lambda aux, children: None)
    assert str(error.value) == f"{cls.__name__} is registered as a pytree already"


def test_register_after_a_use_as_a_leaf() -> None:
    class Late:
        def __init__(self, value: Any) -> None:
            self.value = value

    late = Late(1)
    assert tree.flatten(late) == ([late], tree.LEAF)
    tree.register(Late, lambda x: ((x.value,), None), lambda aux, children: Late(*children))
    assert tree.flatten(late)[0] == [1]
    assert tree.map(lambda x: x + 1, late).value == 2


def test_errors_of_a_users_functions_pass() -> None:
    with pytest.raises(ZeroDivisionError):
        tree.map(lambda x: x / 0, [1])


def test_deep_trees() -> None:
    nested: Any = 1.0
    for _ in range(200):
        nested = [nested]
    leaves, structure = tree.flatten(nested)
    assert leaves == [1.0]
    assert next(structure.paths("t")) == "t" + "[0]" * 200
    assert tree.unflatten(structure, leaves) == nested
