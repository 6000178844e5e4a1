"""Pytrees: nested containers of values, wherever a value may be passed, returned or differentiated.

A tuple, list, dict, namedtuple, dataclass and None are containers, at any depth; so are types made known with
`register`. Everything else is a leaf.

    >>> from xformad import tree
    >>> leaves, structure = tree.flatten({"w": [1.0, 2.0], "b": (3.0, None)})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> tree.unflatten(structure, [10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': (30.0, None)}
    >>> tree.map(lambda x, y: x + y, [1, (2, 3)], [10, (20, 30)])
    [11, (22, 33)]
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, final

from xformad.errors import TreeError

T = TypeVar("T")

Children = Sequence[Any]
Aux = Any
Flatten = Callable[[Any], tuple[Children, Aux]]
Unflatten = Callable[[Aux, Children], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """How containers of one type are taken apart and put together."""

    flatten: Flatten
    unflatten: Unflatten
    label: Callable[[Aux, int], str]


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Structure:
    """A pytree without its leaves.

    Attributes:
        type: the container's type; None for a leaf.
        aux: what the container's kind needs beside the children: a dict's keys, say.
        children: their structures.
        size: the number of leaves.
    """

    type: type | None
    aux: Aux
    children: tuple[Structure, ...]
    size: int

    def paths(self, prefix: str = "") -> Iterator[str]:
        """The path to each leaf, as one would write it: `['w'][0]`."""
        if self.type is None:
            yield prefix
            return
        label = kind_of(self.type).label  # type: ignore[union-attr]
        for i, child in enumerate(self.children):
            yield from child.paths(prefix + label(self.aux, i))

    def __repr__(self) -> str:
        return f"Structure({unflatten(self, ['*'] * self.size)!r})".replace("'*'", "*")


LEAF: Final = Structure(None, None, (), 1)
KINDS: Final[dict[type, Kind]] = {}


def register(
    cls: type[T], flatten: Callable[[T], tuple[Children, Aux]], unflatten: Callable[[Aux, Children], T]
) -> None:
    """Make a type known as a container.

    Args:
        cls: the type. Its subclasses are not included.
        flatten: takes an instance apart: `(children, aux)`, `aux` comparable and hashable.
        unflatten: puts one together: `unflatten(aux, children)`.

    Raises:
        ValueError: if the type is known already.

    >>> class Interval:
    ...     def __init__(self, lower, upper):
    ...         self.lower, self.upper = lower, upper
    >>> register(Interval, lambda i: ((i.lower, i.upper), None), lambda aux, children: Interval(*children))
    >>> flatten(Interval(1.0, 2.0))[0]
    [1.0, 2.0]
    """
    if cls in KINDS:
        raise ValueError(f"{cls.__name__} is registered as a pytree already")
    KINDS[cls] = Kind(flatten, unflatten, lambda aux, i: f"[{i}]")


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a pytree, left to right, and its structure.

    >>> flatten((1.0, [2.0]))[0]
    [1.0, 2.0]
    """
    leaves: list[Any] = []
    return leaves, flatten_into(leaves, tree)


def flatten_into(leaves: list[Any], tree: Any) -> Structure:
    kind = kind_of(type(tree))
    if kind is None:
        leaves.append(tree)
        return LEAF
    before = len(leaves)
    parts, aux = kind.flatten(tree)
    children = tuple([flatten_into(leaves, part) for part in parts])
    return Structure(type(tree), aux, children, len(leaves) - before)


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The pytree of this structure with these leaves: the inverse of `flatten`.

    Raises:
        TreeError: if the number of leaves is not that of the structure.
    """
    leaves = list(leaves)
    if len(leaves) != structure.size:
        raise TreeError(f"the structure has {structure.size} leaves, but {len(leaves)} were given")
    return build(structure, iter(leaves))


def build(structure: Structure, leaves: Iterator[Any]) -> Any:
    if structure.type is None:
        return next(leaves)
    children = [build(child, leaves) for child in structure.children]
    return kind_of(structure.type).unflatten(structure.aux, children)  # type: ignore[union-attr]


def map(fun: Callable[..., Any], tree: Any, *rest: Any) -> Any:  # noqa: A001 - tree.map, as the field calls it
    """Apply a function to the leaves of one or more pytrees of the same structure.

    Raises:
        TreeError: where the trees differ, with the path to the place.

    >>> map(lambda x: 2 * x, {"a": 1, "b": [2]})
    {'a': 2, 'b': [4]}
    """
    leaves, structure = flatten(tree)
    columns = [leaves, *(flatten_like(structure, other) for other in rest)]
    return build(structure, iter([fun(*row) for row in zip(*columns, strict=True)]))


def flatten_like(structure: Structure, tree: Any, name: str = "tree") -> list[Any]:
    """The leaves of a pytree that must have this structure, in its order; dicts may have another order of keys.

    Raises:
        TreeError: where it differs, with the path to the place.
    """
    leaves: list[Any] = []
    collect(structure, tree, leaves, name)
    return leaves


def collect(structure: Structure, tree: Any, leaves: list[Any], path: str) -> None:
    if structure.type is None:
        if kind_of(type(tree)) is not None:
            raise TreeError(f"{path} is a {type(tree).__name__}, but must be a leaf")
        leaves.append(tree)
        return
    for child, part, label in children_like(structure, tree, path):
        collect(child, part, leaves, path + label)


def children_like(structure: Structure, tree: Any, path: str) -> Iterator[tuple[Structure, Any, str]]:
    """The children of a container that must have this structure: the structure, the part and the label of each."""
    assert structure.type is not None
    if type(tree) is not structure.type:
        raise TreeError(f"{path} is a {type(tree).__name__}, but must be a {structure.type.__name__}")
    kind = kind_of(structure.type)
    assert kind is not None
    parts, aux = kind.flatten(tree)
    if isinstance(tree, dict):
        if set(tree) != set(tree_keys(structure)):
            raise TreeError(f"{path} has the keys {list(tree)}, but must have {list(tree_keys(structure))}")
        parts = [tree[key] for key in tree_keys(structure)]
    elif len(parts) != len(structure.children):
        raise TreeError(f"{path} has {len(parts)} children, but must have {len(structure.children)}")
    elif aux != structure.aux:
        raise TreeError(f"{path} has the static parts {aux!r}, but must have {structure.aux!r}")
    for i, (child, part) in enumerate(zip(structure.children, parts, strict=True)):
        yield child, part, kind.label(structure.aux, i)


def flatten_prefix(structure: Structure, prefix: Any, stands: Callable[[Any], bool], name: str = "tree") -> list[Any]:
    """The leaves of a pytree of this structure, in which a value that `stands` for a subtree is one for each leaf of it.

    Raises:
        TreeError: where the structure differs, with the path to the place.

    >>> flatten_prefix(flatten({"a": (1, 2), "b": 3})[1], {"a": None, "b": 0}, lambda x: x is None)
    [None, None, 0]
    """
    if stands(prefix):
        return [prefix] * structure.size
    if structure.type is None:
        return flatten_like(structure, prefix, name)
    return [
        leaf
        for child, part, label in children_like(structure, prefix, name)
        for leaf in flatten_prefix(child, part, stands, name + label)
    ]


def leaves_of(tree: Any) -> list[Any]:
    """The leaves of a pytree, left to right."""
    return flatten(tree)[0]


def kind_of(cls: type) -> Kind | None:
    """How a type is taken apart; None for a leaf's. Namedtuples and dataclasses are recognised here, once."""
    kind = KINDS.get(cls)
    if kind is None and cls not in LEAVES:
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            kind = KINDS[cls] = Kind(
                lambda x: (tuple(x), None), lambda aux, parts: cls(*parts), lambda aux, i: f".{cls._fields[i]}"
            )
        elif dataclasses.is_dataclass(cls):
            kind = KINDS[cls] = dataclass_kind(cls)
        else:
            LEAVES.add(cls)
    return kind


# The types known to be leaves: one look-up settles the usual case.
LEAVES: Final[set[type]] = set()


def dataclass_kind(cls: type) -> Kind:
    """A dataclass: its fields are the children, save those with `metadata={"static": True}`, which are kept as they are."""
    fields = [field for field in dataclasses.fields(cls) if field.init]
    names = [field.name for field in fields if not field.metadata.get("static")]
    static = [field.name for field in fields if field.metadata.get("static")]

    def take_apart(x: Any) -> tuple[Children, Aux]:
        return [getattr(x, name) for name in names], tuple(getattr(x, name) for name in static)

    def put_together(aux: Aux, parts: Children) -> Any:
        return cls(**dict(zip(names, parts, strict=True)), **dict(zip(static, aux, strict=True)))

    return Kind(take_apart, put_together, lambda aux, i: f".{names[i]}")


def tree_keys(structure: Structure) -> tuple[Any, ...]:
    """The keys of a dict's structure."""
    keys: tuple[Any, ...] = structure.aux[1] if structure.type is defaultdict else structure.aux
    return keys


def key_label(aux: Aux, i: int) -> str:
    return f"[{aux[i]!r}]"


KINDS[tuple] = Kind(lambda x: (x, None), lambda aux, parts: tuple(parts), lambda aux, i: f"[{i}]")
KINDS[list] = Kind(lambda x: (x, None), lambda aux, parts: list(parts), lambda aux, i: f"[{i}]")
KINDS[dict] = Kind(
    lambda x: (list(x.values()), tuple(x)), lambda aux, parts: dict(zip(aux, parts, strict=True)), key_label
)
KINDS[OrderedDict] = Kind(
    lambda x: (list(x.values()), tuple(x)), lambda aux, parts: OrderedDict(zip(aux, parts, strict=True)), key_label
)
KINDS[defaultdict] = Kind(
    lambda x: (list(x.values()), (x.default_factory, tuple(x))),
    lambda aux, parts: defaultdict(aux[0], zip(aux[1], parts, strict=True)),
    lambda aux, i: f"[{aux[1][i]!r}]",
)
KINDS[type(None)] = Kind(lambda x: ((), None), lambda aux, parts: None, lambda aux, i: "")
