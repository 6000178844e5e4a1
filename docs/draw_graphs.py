"""Draws the graphs of docs/how_it_works.md from a recorded run of the program on that page.

    python docs/draw_graphs.py            writes the pictures
    python docs/draw_graphs.py --check    tells whether they are up to date

The forward graph is what `xformad.trace` records. The backward one shows the messages that the vjp rules send over it:
this script calls the rules as the backward pass does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from xformad import trace
from xformad.core.graph import Graph, Node
from xformad.core.texts import letters
from xformad.interpreters.vjp_rules import vjp_rules

DOCS: Final = Path(__file__).parent
COLUMN: Final = 264
ROW: Final = 82
WIDTH: Final = 234
HEIGHT: Final = 44
INK: Final = "#1f2933"
FORWARD: Final = "#3b6ea5"
BACKWARD: Final = "#b3541e"


@dataclass(frozen=True)
class Box:
    """A node in the picture: where its middle is, and its two lines of text."""

    x: float
    y: float
    head: str
    value: str


@dataclass(frozen=True)
class Arrow:
    """An edge of the graph, from a parent to a child, with a label on it."""

    parent: Box
    child: Box
    label: str


def program() -> dict[str, Any]:
    """The names that the first block of Python on the page defines."""
    text = (DOCS / "how_it_works.md").read_text("utf-8")
    block = re.search(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block[1], names)  # noqa: S102 - a block of our own documentation
    return names


def numbers(value: Any) -> str:
    """A value in a few characters."""
    array = np.asarray(value)
    if array.ndim:
        return "[" + ", ".join(numbers(entry) for entry in array) + "]"
    return f"{round(float(array), 2) + 0.0:g}"  # no negative zero


def children_of(graph: Graph) -> dict[Node, list[Node]]:
    children: dict[Node, list[Node]] = {node: [] for node in (*graph.inputs, *graph.equations)}
    for node in graph.equations:
        for parent in dict.fromkeys(node.parents):
            children[parent].append(node)
    return children


def places(graph: Graph) -> dict[Node, tuple[float, int]]:
    """A column and a row for each node: below its parents; beside its siblings; between its parents where they meet."""
    children = children_of(graph)
    found: dict[Node, tuple[float, int]] = dict.fromkeys(graph.inputs, (0.0, 0))
    for node in graph.equations:
        parents = list(dict.fromkeys(node.parents))
        column = sum(found[parent][0] for parent in parents) / len(parents)
        if len(parents) == 1:
            siblings = children[parents[0]]
            column += siblings.index(node) - (len(siblings) - 1) / 2
        found[node] = column, 1 + max(found[parent][1] for parent in parents)
    return found


def messages(graph: Graph) -> Iterator[tuple[Node, Node, Any]]:
    """The messages of the backward pass, in the order in which they are sent: from a node to a parent."""
    received: dict[Node, Any] = {graph.outputs[0]: 1.0}
    for node in reversed(graph.equations):
        g = received[node]
        assert node.primitive is not None
        entry = vjp_rules[node.primitive]
        for argnum, parent in zip(node.argnums, node.parents, strict=True):
            rule = entry.rule(argnum)
            assert rule is not None
            message = rule(g, node.value, *node.args, **node.params)
            received[parent] = received[parent] + message if parent in received else message
            yield node, parent, message


def head(node: Node, names: dict[Node, str], constants: dict[str, Any]) -> str:
    """`d = tanh c`."""
    if node.primitive is None:
        return f"{names[node]} = weights"
    parents = dict(zip(node.argnums, node.parents, strict=True))
    words = [names[parents[i]] if i in parents else constant(arg, constants) for i, arg in enumerate(node.args)]
    return f"{names[node]} = {node.primitive.name} {', '.join(words)}"


def constant(value: Any, constants: dict[str, Any]) -> str:
    return next((name for name, known in constants.items() if np.array_equal(known, value)), numbers(value))


def pictures() -> tuple[str, str]:
    """The forward and the backward graph, as SVG."""
    page = program()
    inputs, targets = page["inputs"], page["targets"]
    constants = {"inputs": inputs, "targets": targets, "(1 - targets)": 1 - targets}
    graph = trace(page["loss"])(page["weights"])
    names = dict(zip((*graph.inputs, *graph.equations), letters(), strict=False))
    where = places(graph)
    left = min(column for column, _ in where.values())

    def box(node: Node, text: str, value: str) -> Box:
        column, row = where[node]
        return Box(30 + WIDTH / 2 + COLUMN * (column - left), 20 + HEIGHT / 2 + ROW * row, text, value)

    forward = {node: box(node, head(node, names, constants), numbers(node.value)) for node in names}
    down = [Arrow(forward[parent], forward[node], "") for node in graph.equations for parent in node.parents]

    sent = list(messages(graph))
    arrived: dict[Node, list[Any]] = {graph.outputs[0]: [1.0]}
    for _, parent, message in sent:
        arrived.setdefault(parent, []).append(message)
    backward = {}
    for node, name in names.items():
        what = "weights" if node.primitive is None else node.primitive.name
        total = "sum of both: " if len(arrived[node]) > 1 else "g = "
        backward[node] = box(node, f"{name}: {what}", total + numbers(sum(arrived[node])))
    up = [
        Arrow(backward[parent], backward[node], f"{number}: {numbers(message)}")
        for number, (node, parent, message) in enumerate(sent, 1)
    ]
    return (
        svg(list(forward.values()), down, "The graph of the loss: operations and values", FORWARD, upwards=False),
        svg(list(backward.values()), up, "The backward pass: messages, in order", BACKWARD, upwards=True),
    )


def svg(boxes: list[Box], arrows: list[Arrow], title: str, colour: str, *, upwards: bool) -> str:
    width = max(box.x for box in boxes) + WIDTH / 2 + 30
    height = max(box.y for box in boxes) + HEIGHT / 2 + 20
    size = f'width="{width:g}" height="{height:g}"'
    font = 'font-family="monospace" font-size="13"'
    marker = 'markerWidth="8" markerHeight="8" orient="auto"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width:g} {height:g}" {font}>',
        f"<title>{escape(title)}</title>",
        f'<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" {marker}>',
        f'<path d="M0 0 L10 5 L0 10 z" fill="{colour}"/></marker></defs>',
        f'<rect {size} rx="8" fill="#ffffff"/>',
    ]
    for arrow in arrows:
        ends = [(arrow.parent.x, arrow.parent.y + HEIGHT / 2 + 2), (arrow.child.x, arrow.child.y - HEIGHT / 2 - 2)]
        if upwards:
            ends.reverse()
        (x1, y1), (x2, y2) = ends
        lines.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="1.6" '
            'marker-end="url(#head)"/>'
        )
        if arrow.label:
            # Outside of the arrow, seen from the middle of the picture; and off a sloping one, above or below.
            left = (x1 + x2) / 2 < width / 2
            slope = 0 if x1 == x2 else -8 if (y1 > y2) == (abs(x1 - width / 2) > abs(x2 - width / 2)) else 12
            x, y = (x1 + x2) / 2 + (-1 if left else 1) * (46 if slope else 10), (y1 + y2) / 2 + 4 + slope
            side = "end" if left else "start"
            lines.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{side}" fill="{colour}">{escape(arrow.label)}</text>')
    middle = f'text-anchor="middle" fill="{INK}"'
    for box in boxes:
        x, y = box.x - WIDTH / 2, box.y - HEIGHT / 2
        lines += [
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#f4f6f8" stroke="{colour}"/>',
            f'<text x="{box.x:g}" y="{box.y - 5:g}" {middle} font-weight="bold">{escape(box.head)}</text>',
            f'<text x="{box.x:g}" y="{box.y + 14:g}" {middle}>{escape(box.value)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def files() -> dict[Path, str]:
    """What this script writes."""
    forward, backward = pictures()
    return {DOCS / "images" / "logistic_forward.svg": forward, DOCS / "images" / "logistic_backward.svg": backward}


if __name__ == "__main__":
    for path, text in files().items():
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            sys.exit(f"{path.name} is out of date; run: python docs/draw_graphs.py")
