"""From a compiled function to the description that a file has of it. What files cannot hold is refused here."""

from __future__ import annotations

from os import PathLike
from typing import Any, Final, NamedTuple, final

import numpy as np

from xformad import tree
from xformad.compiler.files import archive
from xformad.compiler.files.values import DEEPEST, Encoder, Json, NotSavedError, Records, type_text
from xformad.compiler.primitives import known
from xformad.compiler.signatures import PYTHON_NUMBERS, Leaf, Signature
from xformad.core.graph import Graph, Node
from xformad.core.interpreter import Spec
from xformad.core.primitive import Primitive
from xformad.errors import UnsupportedError
from xformad.interpreters.evaluate import GraphFunction
from xformad.version import VERSION

FORMAT: Final = 1
"""The number of the format, one more with each change by which older versions cannot read files any more."""


@final
class Function(NamedTuple):
    """What a file holds.

    Attributes:
        name: of the function.
        signature: what it takes and returns.
        graph: what it computes.
        lines: the user's lines of the equations, by the numbers of their nodes.
    """

    name: str
    signature: Signature
    graph: Graph
    lines: dict[int, str]


NAMES: Final[dict[type, str]] = {tuple: "tuple", list: "list", dict: "dict", type(None): "None"}
"""What files call containers."""


def save(path: str | PathLike[str], function: Function, records: Records) -> None:
    """Write a compiled function into a file.

    Args:
        path: the file.
        function: the function.
        records: the classes of tuples of whole numbers that there may be among parameters.

    Raises:
        UnsupportedError: if there is something in the function that files cannot hold.
    """
    writer = Writer(function.name, records)
    description = {
        "format": FORMAT,
        "xformad": VERSION,
        "numpy": np.__version__,
        "name": function.name,
        "signature": writer.signature(function.signature),
        "graph": writer.graph(function.graph, function.lines),
        "primitives": sorted(writer.primitives.values()),
    }
    archive.write(path, description, writer.arrays)


class Writer(Encoder):
    """Describes one function.

    Attributes:
        primitives: those that its graph has, with their names in files.
    """

    def __init__(self, name: str, records: Records) -> None:
        super().__init__(records)
        self.name = name
        self.names = {primitive: name for name, primitive in known().items()}
        self.primitives: dict[Primitive, str] = {}

    # The signature.

    def signature(self, signature: Signature) -> Json:
        paths = [*signature.args.paths("args"), *signature.kwargs.paths("kwargs")]
        results = list(signature.result.paths("the result"))
        return {
            "args": self.structure(signature.args, "args"),
            "kwargs": self.structure(signature.kwargs, "kwargs"),
            "result": self.structure(signature.result, "the result"),
            "leaves": [self.leaf(leaf, path) for leaf, path in zip(signature.leaves, paths, strict=True)],
            "others": [[i, self.static(x, results[i])] for i, x in signature.others],
        }

    def structure(self, structure: tree.Structure, path: str, depth: int = 0) -> Json:
        """A tree: `"*"` for a leaf, and for a container its name, its children, and a dict's keys."""
        if structure.type is None:
            return "*"
        if structure.type not in NAMES:
            raise UnsupportedError(
                f"{self.name} cannot be saved: {path} is a {structure.type.__name__}, and graph files hold tuples, lists "
                "and dicts only; have the function take and return one of these"
            )
        if depth > DEEPEST:
            raise UnsupportedError(f"{self.name} cannot be saved: {path} is nested more than {DEEPEST} deep")
        labels = [path] * len(structure.children)
        keys = structure.aux if structure.type is dict else ()
        if structure.type is dict:
            labels = [f"{path}[{key!r}]" for key in keys]
            wrong = next((key for key in keys if type(key) not in (str, int)), None)
            if wrong is not None:
                raise UnsupportedError(
                    f"{self.name} cannot be saved: {path} has the key {wrong!r}, and graph files hold dicts of strings and "
                    "whole numbers only"
                )
        elif structure.children:
            labels = [f"{path}[{i}]" for i in range(len(structure.children))]
        children = [self.structure(*each, depth + 1) for each in zip(structure.children, labels, strict=True)]
        return [NAMES[structure.type], children, *([list(keys)] if structure.type is dict else [])]

    def leaf(self, leaf: Leaf, path: str) -> Json:
        if leaf.type is None:
            return {"static": self.static(leaf.value, path)}
        assert leaf.spec is not None
        try:
            text = type_text(leaf.spec)
        except NotSavedError as error:
            raise UnsupportedError(
                f"{self.name} cannot be saved: {path} is {error}, which graph files do not hold; cast it"
            ) from None
        if leaf.type in PYTHON_NUMBERS:
            return {"number": leaf.type.__name__}
        return {"array" if leaf.type is np.ndarray else "scalar": text}

    def static(self, x: Any, path: str) -> Json:
        try:
            return self.encoded(x)
        except NotSavedError as error:
            raise UnsupportedError(
                f"{self.name} cannot be saved: {path} is {error}; graph files hold numbers, strings and arrays: make the "
                "other values in the function, or close over them"
            ) from None

    # The graph.

    def graph(self, graph: Graph, lines: dict[int, str]) -> Json:
        numbers = {node: i for i, node in enumerate((*graph.inputs, *graph.equations))}
        return {
            "name": graph.name,
            "inputs": [self.type(node, "an argument") for node in graph.inputs],
            "equations": [self.equation(node, numbers, lines.get(node.number)) for node in graph.equations],
            "outputs": [self.operand(out, numbers, "a result") for out in graph.outputs],
        }

    def equation(self, node: Node, numbers: dict[Node, int], line: str | None) -> Json:
        """An equation: primitive, operands, parameters, type, and the user's line."""
        primitive = node.primitive
        assert primitive is not None
        where = primitive.name if line is None else f"{primitive.name} at {line}"
        if primitive not in self.primitives:
            name = self.names.get(primitive)
            if name is None:
                raise UnsupportedError(
                    f"{self.name} cannot be saved: a graph file cannot name {where}, which holds Python functions, or is a "
                    "primitive not made by xformad.extend.primitive and without vjp rule; compile a function without it"
                )
            self.primitives[primitive] = name
        parents = dict(zip(node.argnums, node.parents, strict=True))
        operands = [
            self.operand(parents.get(i, arg), numbers, f"operand {i} of {where}") for i, arg in enumerate(node.args)
        ]
        parameters = {key: self.parameter(value, f"parameter {key!r} of {where}") for key, value in node.params.items()}
        return [self.primitives[primitive], operands, parameters, self.type(node, f"the result of {where}"), line]

    def type(self, node: Node, what: str) -> Json:
        """The type of a node's value; a list for a primitive that returns several."""
        try:
            if isinstance(node.value, tuple):
                specs: tuple[Spec, ...] = node.value
                return [type_text((spec.shape, spec.dtype)) for spec in specs]
            return type_text(node.spec)
        except NotSavedError as error:
            raise self.refused(what, error) from None

    def operand(self, x: Any, numbers: dict[Node, int], what: str) -> Json:
        """A node by its number, or a constant."""
        if type(x) is Node:
            return {"node": numbers[x]}
        return self.parameter(x, what)

    def parameter(self, x: Any, what: str) -> Json:
        try:
            return self.encoded(x)
        except NotSavedError as error:
            raise self.refused(what, error) from None

    def refused(self, what: str, error: NotSavedError) -> UnsupportedError:
        return UnsupportedError(
            f"{self.name} cannot be saved: {what} is {error}, which graph files do not hold; compute it outside of the "
            "function, and pass it as an array or a number"
        )

    def encoded(self, x: Any, depth: int = 0) -> Json:
        """A value as JSON; the function of a loop is its graph."""
        if type(x) is GraphFunction:
            return {"graph": self.graph(x.graph, {}), "strong": list(x.strong)}
        return super().encoded(x, depth)
