"""Pictures of graphs, in the languages of Graphviz and of Mermaid.

>>> import numpy as np, xformad
>>> print(xformad.trace(lambda x: np.sum(x * 2.0))(np.ones(3)).to_mermaid())
flowchart TD
    n1(["a: args[0]<br/>float64[3]"]):::input
    n2["b: multiply<br/>float64[3]"]
    n2c2["2.0"]:::constant
    n3["c: sum<br/>float64[]<br/>axis=(0,)<br/>keepdims=False"]
    result1(["result"]):::output
    n1 -->|1| n2
    n2c2 -->|2| n2
    n2 --> n3
    n3 --> result1
    classDef input fill:#e2f0e0,stroke:#4d8a46
    classDef constant fill:#f7f1dd,stroke:#a08a3a
    classDef output fill:#e0eaf7,stroke:#3f6aa5

A picture is boxes and arrows first (`Picture`), and a text of one of the languages then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, final

import numpy as np

from xformad.core.texts import constant, described, letters, parameter, shortened
from xformad.tree import Structure

if TYPE_CHECKING:
    from xformad.core.graph import Graph, Node

Groups: TypeAlias = "Mapping[str, Iterable[Node]]"
"""Names of groups, with the nodes that are drawn together in a frame."""

NO_GROUPS: Final[Groups] = MappingProxyType({})

WIDTH: Final = 40
"""How many characters of a parameter are shown."""

COLOURS: Final = {
    "input": ("#e2f0e0", "#4d8a46"),
    "constant": ("#f7f1dd", "#a08a3a"),
    "output": ("#e0eaf7", "#3f6aa5"),
}
"""How boxes are filled, and the colour of their edges. Operations are white."""


@final
class Box(NamedTuple):
    """A box of a picture.

    Attributes:
        key: what the text calls it: letters with a number, which is no keyword of any language.
        kind: "operation", or what else it stands for: a key of `COLOURS`.
        lines: what stands in it.
    """

    key: str
    kind: str
    lines: tuple[str, ...]


@final
class Arrow(NamedTuple):
    """An arrow of a picture, between the boxes of these keys; where there are several operands, with its position."""

    start: str
    end: str
    label: str


@final
class Picture(NamedTuple):
    """A graph as boxes and arrows.

    Attributes:
        name: of the graph.
        boxes: by key, in order.
        arrows: from operands to operations, and from results to outputs.
        groups: names of groups, with the keys of the boxes in them.
    """

    name: str
    boxes: dict[str, Box]
    arrows: list[Arrow]
    groups: dict[str, list[str]]


def picture_of(graph: Graph, groups: Groups = NO_GROUPS) -> Picture:
    """The picture of a graph. In its boxes, nodes have the names that they have in the graph's text.

    Raises:
        ValueError: if a node in a group is not one of the graph's equations, or is in two groups.
    """
    nodes = (*graph.inputs, *graph.equations)
    keys = {node: f"n{i}" for i, node in enumerate(nodes, 1)}
    names = dict(zip(nodes, letters(), strict=False))
    picture = Picture(graph.name, {}, [], grouped(graph, groups, keys))
    for node, path in zip(graph.inputs, paths(graph.in_structure, len(graph.inputs), "args"), strict=True):
        put(picture, Box(keys[node], "input", (f"{names[node]}: {path}", described(node))))
    arrays: dict[int, str] = {}
    for node in graph.equations:
        put_equation(picture, node, names[node], keys, arrays)
    inside = {id(node): key for node, key in keys.items()}
    for i, path in enumerate(paths(graph.out_structure, len(graph.outputs), "result")):
        out = graph.outputs[i]
        key = f"result{i + 1}"
        if id(out) in inside:
            put(picture, Box(key, "output", (path,)))
            picture.arrows.append(Arrow(inside[id(out)], key, ""))
        else:
            put(picture, Box(key, "output", (f"{path} = {shortened(constant(out), WIDTH)}",)))
    return picture


def put(picture: Picture, box: Box) -> None:
    picture.boxes[box.key] = box


def put_equation(picture: Picture, node: Node, name: str, keys: dict[Node, str], arrays: dict[int, str]) -> None:
    """Add the box of an equation, those of its constants, and the arrows to it. An array has one box in a picture."""
    assert node.primitive is not None
    key = keys[node]
    params = [f"{name}={shortened(parameter(value), WIDTH)}" for name, value in node.params.items()]
    put(picture, Box(key, "operation", (f"{name}: {node.primitive.name}", described(node), *params)))
    parents = dict(zip(node.argnums, node.parents, strict=True))
    for i, arg in enumerate(node.args):
        if i in parents:
            start = keys[parents[i]]
        elif id(arg) in arrays:
            start = arrays[id(arg)]
        else:
            start = f"{key}c{i + 1}"
            put(picture, Box(start, "constant", (shortened(constant(arg), WIDTH),)))
            if isinstance(arg, np.ndarray):
                arrays[id(arg)] = start
        picture.arrows.append(Arrow(start, key, str(i + 1) if len(node.args) > 1 else ""))


def grouped(graph: Graph, groups: Groups, keys: dict[Node, str]) -> dict[str, list[str]]:
    """The keys of the boxes in each group."""
    inside: dict[Node, str] = {}
    equations = set(graph.equations)
    for name, nodes in groups.items():
        for node in nodes:
            if node not in equations:
                raise ValueError(f"{node!r} in group {name!r} is not an equation of the graph of {graph.name}")
            if inside.setdefault(node, name) != name:
                raise ValueError(f"{node!r} is in two groups, {inside[node]!r} and {name!r}")
    found: dict[str, list[str]] = {name: [] for name in groups}
    for node in graph.equations:
        if node in inside:
            found[inside[node]].append(keys[node])
    return found


def paths(structure: Structure, count: int, prefix: str) -> list[str]:
    """What the leaves of arguments or results are called. A graph that is a part of another one has no trees."""
    return list(structure.paths(prefix)) if structure.size == count else [f"{prefix}[{i}]" for i in range(count)]


def as_dot(picture: Picture) -> str:
    """A picture in DOT, the language of Graphviz: https://graphviz.org/doc/info/lang.html."""
    lines = [
        f"digraph {quoted(picture.name)} {{",
        '    node [shape=box, style="rounded,filled", fillcolor=white, fontname="monospace", fontsize=11]',
        '    edge [color="#606060", fontname="monospace", fontsize=9, arrowsize=0.7]',
    ]
    for box in picture.boxes.values():
        style = ""
        if box.kind in COLOURS:
            fill, edge = COLOURS[box.kind]
            style = f', fillcolor="{fill}", color="{edge}"'
        lines.append(f"    {box.key} [label={quoted(*box.lines)}{style}]")
    for arrow in picture.arrows:
        label = f" [label={quoted(arrow.label)}]" if arrow.label else ""
        lines.append(f"    {arrow.start} -> {arrow.end}{label}")
    for number, (name, keys) in enumerate(picture.groups.items()):
        lines += [
            f"    subgraph cluster{number} {{",
            f'        label={quoted(name)}; style="rounded,dashed"; color="#707070"; fontname="monospace"; fontsize=11',
            f"        {'; '.join(keys)}",
            "    }",
        ]
    return "\n".join([*lines, "}"])


def quoted(*lines: str) -> str:
    """Lines as a string of DOT, in which backslashes begin escapes and ampersands HTML's entities."""
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})
    return '"' + "\\n".join(line.translate(escapes) for line in lines) + '"'


def as_mermaid(picture: Picture) -> str:
    """A picture in Mermaid's language of flowcharts: https://mermaid.js.org/syntax/flowchart.html."""
    lines = ["flowchart TD"]
    for box in picture.boxes.values():
        label = '"' + "<br/>".join(map(entities, box.lines)) + '"'
        shape = f"([{label}])" if box.kind in ("input", "output") else f"[{label}]"
        lines.append(f"    {box.key}{shape}" + (f":::{box.kind}" if box.kind in COLOURS else ""))
    for number, (name, keys) in enumerate(picture.groups.items()):
        lines.append(f'    subgraph group{number} ["{entities(name)}"]')
        lines += [f"        {key}" for key in keys]
        lines.append("    end")
    for arrow in picture.arrows:
        lines.append(f"    {arrow.start} -->{f'|{arrow.label}|' if arrow.label else ''} {arrow.end}")
    for kind, (fill, edge) in COLOURS.items():
        lines.append(f"    classDef {kind} fill:{fill},stroke:{edge}")
    return "\n".join(lines)


def entities(text: str) -> str:
    """A text in which what means something to Mermaid, or to the HTML that it makes, stands as an entity code.

    >>> entities('x["a"] <b>')
    'x[#quot;a#quot;] #lt;b#gt;'
    """
    names: dict[str, Any] = {'"': "quot", "<": "lt", ">": "gt", "&": "amp"}
    return re.sub(r'["<>&#`;]', lambda found: f"#{names.get(found[0], ord(found[0]))};", text)
