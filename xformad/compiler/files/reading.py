"""From the description in a file to a compiled function. Whatever does not fit together is refused here.

What cannot be seen without running the graph, whether the types are those of the results, is checked in its first run.
"""

from __future__ import annotations

from collections.abc import Iterator
from keyword import iskeyword
from os import PathLike
from typing import Any, Final

import numpy as np

from xformad import tree
from xformad.compiler.files import archive
from xformad.compiler.files.values import (
    DEEPEST,
    LARGEST,
    Decoder,
    Json,
    Records,
    below,
    checked,
    fields,
    items,
    misplaced,
    one_of,
    only_item,
    shortened,
    type_of,
)
from xformad.compiler.files.writing import FORMAT, NAMES, Function
from xformad.compiler.primitives import HOLDING_FUNCTIONS, known, with_scipy
from xformad.compiler.signatures import Leaf, Signature
from xformad.core.graph import Graph, Node, component
from xformad.core.guards import guard
from xformad.core.interpreter import SCALAR, Spec
from xformad.core.primitive import Primitive
from xformad.core.typing import Params
from xformad.errors import GraphFileError
from xformad.interpreters.evaluate import GraphFunction
from xformad.interpreters.trace import Traced
from xformad.version import VERSION

NUMBERS: Final[dict[str, type]] = {"float": float, "int": int, "complex": complex}
CONTAINERS: Final = {name: kind for kind, name in NAMES.items()}
LOOPS: Final = frozenset(("scan", "switch", "while"))
"""The primitives that hold functions whose graphs are in a file."""

GUARDED: Final[dict[str, type]] = {"truth": bool, "index": int, "integer": int}
"""Of what type that is which a guard expects."""


def load(path: str | PathLike[str], records: Records) -> Function:
    """Read a file.

    Args:
        path: the file.
        records: the classes of tuples of whole numbers that there may be among parameters.

    Raises:
        GraphFileError: if it does not hold a compiled function that can be read.
        OSError: if it cannot be opened.
    """
    try:
        return function(*archive.read(path), records)
    except GraphFileError as error:
        raise GraphFileError(f"{path} cannot be loaded: {error}") from error.__cause__


def function(description: Json, arrays: list[np.ndarray[Any, Any]], records: Records) -> Function:
    """A function of its description."""
    version, number = description.get("xformad"), description.get("format")
    if type(version) is not str or type(number) is not int or number < 1:
        raise GraphFileError("it does not say in which format it is")
    if number > FORMAT:
        raise GraphFileError(
            f"it was written by xformad {shortened(version)[1:-1]} in format {number}, but this version, {VERSION}, reads "
            f"formats up to {FORMAT}; upgrade xformad"
        )
    _, _, _, name, of_signature, of_graph, primitives = fields(
        description, "format", "xformad", "numpy", "name", "signature", "graph", "primitives"
    )
    reader = Reader(arrays, records, primitives, version)
    signature = reader.signature(of_signature)
    types = [leaf.spec for leaf in signature.leaves if leaf.spec is not None]
    lines: dict[int, str] = {}
    graph = reader.graph(of_graph, lines)
    if [node.spec for node in graph.inputs] != types:
        raise GraphFileError("the graph has other inputs than the signature")
    if len(graph.outputs) + len(signature.others) != signature.result.size:
        raise GraphFileError("the graph has another number of outputs than the signature")
    return Function(checked(name, str), signature, graph, lines)


class Reader(Decoder):
    """Reads one description.

    Args:
        arrays, records: as for `Decoder`.
        primitives: the names of those that the graph has.
        version: that of xformad which wrote the file.
    """

    def __init__(self, arrays: list[np.ndarray[Any, Any]], records: Records, primitives: Json, version: str) -> None:
        super().__init__(arrays, records)
        self.depth = 0
        names = [checked(name, str) for name in checked(primitives, list)]
        table = known()
        if any(name not in table for name in names):
            table = with_scipy()
        self.primitives: dict[str, Primitive] = {}
        for name in names:
            if name not in table:
                raise GraphFileError(missing(name, version))
            self.primitives[name] = table[name]

    # The signature.

    def signature(self, data: Json) -> Signature:
        args, kwargs, result, leaves, others = fields(data, "args", "kwargs", "result", "leaves", "others")
        signature = Signature(
            self.structure(args),
            self.structure(kwargs),
            self.structure(result),
            tuple([self.leaf(each) for each in checked(leaves, list)]),
            tuple([self.other(*items(each, 2)) for each in checked(others, list)]),
        )
        if signature.args.type is not tuple or signature.kwargs.type is not dict:
            raise GraphFileError("the arguments are no tuple, or the keyword arguments no dict")
        if len(signature.leaves) != signature.args.size + signature.kwargs.size:
            raise GraphFileError("the signature has another number of leaves than its trees")
        positions = [i for i, _ in signature.others]
        if any(i >= signature.result.size for i in positions) or sorted(set(positions)) != positions:
            raise GraphFileError("the leaves of the result that are no arrays have no order")
        return signature

    def structure(self, data: Json, depth: int = 0) -> tree.Structure:
        """The inverse of `Writer.structure`."""
        if data == "*":
            return tree.LEAF
        if depth > DEEPEST or not 2 <= len(checked(data, list)) <= 3:
            raise misplaced(data)
        kind = CONTAINERS[one_of(data[0], CONTAINERS)]
        children = tuple([self.structure(child, depth + 1) for child in checked(data[1], list)])
        aux = None
        if kind is dict:
            aux = tuple([self.key(key) for key in items(data[-1], len(children))])
            if len(set(aux)) < len(aux):
                raise GraphFileError("a dict has a key twice")
        if len(data) != 2 + (kind is dict) or (kind is type(None) and children):
            raise misplaced(data)
        return tree.Structure(kind, aux, children, sum(child.size for child in children))

    def key(self, data: Json) -> str | int:
        return data if type(data) is int else checked(data, str)

    def leaf(self, data: Json) -> Leaf:
        kind, inner = only_item(data)
        if kind == "static":
            return Leaf(None, None, self.decoded(inner))
        if kind == "number":
            number = NUMBERS[one_of(inner, NUMBERS)]
            return Leaf(number, ((), np.dtype(number)), None)
        spec = type_of(inner)
        if kind == "array":
            return Leaf(np.ndarray, spec, None)
        if kind == "scalar" and spec[0] == ():
            return Leaf(spec[1].type, spec, None)
        raise misplaced(data)

    def other(self, position: Json, value: Json) -> tuple[int, Any]:
        return below(position, LARGEST), self.decoded(value)

    # The graph.

    def graph(self, data: Json, lines: dict[int, str]) -> Graph:
        """A graph, and the user's lines of its equations."""
        name, inputs, equations, outputs = fields(data, "name", "inputs", "equations", "outputs")
        nodes: list[Node] = []
        for each in checked(inputs, list):
            nodes.append(Node(len(nodes) + 1, None, None, (), {}, (), type_of(each), Traced(())))
        count = len(nodes)
        for number, each in enumerate(checked(equations, list)):
            try:
                nodes.append(self.equation(each, nodes, lines))
            except GraphFileError as error:
                raise GraphFileError(f"equation {number}: {error}") from None
        found = [self.operand(each, nodes) for each in checked(outputs, list)]
        structures = [tree.flatten(tuple(range(size)))[1] for size in (count, len(found))]
        return Graph(checked(name, str), tuple(nodes[:count]), tuple(nodes[count:]), tuple(found), *structures)

    def equation(self, data: Json, nodes: list[Node], lines: dict[int, str]) -> Node:
        """An equation, on nodes before it."""
        name, operands, parameters, kind, line = items(data, 5)
        primitive = self.primitives[one_of(name, self.primitives)]
        args = [self.operand(each, nodes) for each in checked(operands, list)]
        params = {self.keyword(key): self.decoded(each) for key, each in checked(parameters, dict).items()}
        if any(type(each) is GraphFunction for each in graphs_in(params)) and primitive.name not in LOOPS:
            raise GraphFileError(f"{name} has the function of a loop")
        argnums = tuple([i for i, arg in enumerate(args) if type(arg) is Node])
        parents = tuple([args[i] for i in argnums])
        if not parents:
            raise GraphFileError(f"{name} depends on no argument")
        check_operands(primitive, args, params)
        value, spec = None, SCALAR
        if primitive.multiple:
            value = tuple([Spec(*type_of(each)) for each in checked(kind, list)])
        else:
            spec = type_of(kind)
        node = Node(len(nodes) + 1, value, primitive, blanked(args), params, parents, spec, Traced(argnums))
        if line is not None:
            lines[node.number] = checked(line, str)
        return node

    def keyword(self, name: str) -> str:
        """The name of a parameter, which a program's text has, too."""
        if not name.isidentifier() or iskeyword(name):
            raise GraphFileError(f"{shortened(name)} is no name of a parameter")
        return name

    def operand(self, data: Json, nodes: list[Node]) -> Any:
        """A node before, or a constant."""
        if type(data) is dict and set(data) == {"node"}:
            number = checked(data["node"], int)
            if not 0 <= number < len(nodes):
                raise GraphFileError(f"node {shortened(number)} is not one before it")
            return nodes[number]
        return self.decoded(data)

    def decoded(self, data: Json, depth: int = 0) -> Any:
        """A value; the function of a loop of its graph."""
        if type(data) is not dict or set(data) != {"graph", "strong"}:
            return super().decoded(data, depth)
        if self.depth == DEEPEST:
            raise GraphFileError(f"graphs are nested more than {DEEPEST} deep")
        self.depth += 1
        graph = self.graph(data["graph"], {})
        self.depth -= 1
        return GraphFunction(graph, tuple([below(i, len(graph.inputs)) for i in checked(data["strong"], list)]))


def missing(name: str, version: str) -> str:
    """What to say of a primitive that is not there."""
    if "." in name:
        return f"the primitive {shortened(name)} is not known here; import the module that makes it before"
    if name in HOLDING_FUNCTIONS:
        return f"the primitive {name!r} holds a Python function, which files cannot"
    return (
        f"there is no primitive {shortened(name)} here; the file was written by xformad {shortened(version)[1:-1]}, this is "
        f"{VERSION}, and primitives of xformad.scipy need SciPy"
    )


def graphs_in(params: Params) -> Iterator[Any]:
    """The parameters, and what is in those that are tuples."""
    for value in params.values():
        yield from value if type(value) is tuple else (value,)


def blanked(args: list[Any]) -> tuple[Any, ...]:
    """The arguments of a node, without those that its parents stand for."""
    return tuple([None if type(arg) is Node else arg for arg in args])


def check_operands(primitive: Primitive, args: list[Any], params: Params) -> None:
    """What primitives that are not NumPy's take.

    Raises:
        GraphFileError: if they are given something else.
    """
    several = [arg for arg in args if type(arg) is Node and type(arg.value) is tuple]
    if primitive is component:
        if len(several) != 1 or len(args) != 1 or set(params) != {"index"}:
            raise GraphFileError("component takes what has several results, and which one it is")
        below(params["index"], len(several[0].value))
    elif several:
        raise GraphFileError("only component takes what has several results")
    if primitive is guard:
        if len(args) != 1 or set(params) != {"expected", "how"}:
            raise GraphFileError("a guard takes one operand, and says what is expected")
        how = one_of(params["how"], (*GUARDED, "value"))
        if how in GUARDED:
            checked(params["expected"], GUARDED[how])
