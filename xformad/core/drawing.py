"""Graphs drawn into files by Graphviz, and shown in notebooks.

>>> import numpy as np, tempfile, xformad
>>> with tempfile.TemporaryDirectory() as folder:
...     xformad.trace(np.sin)(1.0).draw(Path(folder) / "sine.dot")
...     print((Path(folder) / "sine.dot").read_text("utf-8").partition("{")[0])
digraph "sin"
"""

from __future__ import annotations

import html
import subprocess
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xformad.core.pictures import NO_GROUPS, Groups, as_dot, as_mermaid, picture_of
from xformad.core.texts import head_and_tail
from xformad.errors import MissingPackageError
from xformad.optional import graphviz

if TYPE_CHECKING:
    from xformad.core.graph import Graph

FORMATS: Final = ("svg", "png", "pdf")

MOST_DRAWN: Final = 200
"""The equations of the largest graph that notebooks show as a picture: Graphviz takes seconds for larger ones."""

MOST_LINES: Final = 120
"""How many lines of its text notebooks show of a larger one."""


def draw(graph: Graph, path: str | PathLike[str], groups: Groups = NO_GROUPS) -> None:
    """Draw a graph into a file: see `Graph.draw`."""
    target = Path(path)
    suffix = target.suffix.lower().removeprefix(".")
    if suffix in FORMATS:
        target.write_bytes(rendered(as_dot(picture_of(graph, groups)), suffix))
    elif suffix in ("dot", "gv"):
        target.write_text(as_dot(picture_of(graph, groups)) + "\n", "utf-8")
    elif suffix == "mmd":
        target.write_text(as_mermaid(picture_of(graph, groups)) + "\n", "utf-8")
    else:
        raise ValueError(f"draw({str(path)!r}): the suffix must be one of .svg, .png, .pdf, .dot, .gv and .mmd")


def rendered(dot: str, form: str) -> bytes:
    """What Graphviz draws.

    Raises:
        MissingPackageError: if it is not installed.
    """
    package = graphviz("draw")
    try:
        drawn: bytes = package.Source(dot).pipe(format=form)
    except package.ExecutableNotFound as error:
        raise MissingPackageError(
            "draw needs the program dot of Graphviz, which is no Python package; install it with: apt install graphviz "
            "(Debian, Ubuntu), brew install graphviz (macOS), conda install graphviz, or from "
            "https://graphviz.org/download; or draw into a .mmd or .dot file"
        ) from error
    return drawn


def as_html(graph: Graph) -> str:
    """What notebooks show of a graph. Nothing of it is taken for HTML: names and parameters are the program's."""
    if len(graph) <= MOST_DRAWN:
        try:
            svg = rendered(as_dot(picture_of(graph)), "svg").decode("utf-8")
            return svg[svg.index("<svg") :]
        except (MissingPackageError, subprocess.CalledProcessError):
            pass
    return f"<pre>{html.escape(head_and_tail(str(graph), MOST_LINES))}</pre>"
