"""Pictures of graphs: their texts, the files that are drawn, and what notebooks show."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xformad import Graph, MissingPackageError, grad, hessian, jit, trace
from xformad.compiler.kernels import expanded
from xformad.core.drawing import MOST_DRAWN
from xformad.extend import Primitive

STRING = r'"(?:[^"\\]|\\.)*"'
VALUE = rf"(?:{STRING}|[\w.]+)"
ATTRIBUTES = rf"\[\w+={VALUE}(?:, \w+={VALUE})*\]"
STATEMENT = re.compile(
    rf"digraph {STRING} \{{|subgraph \w+ \{{|\}}|\w+ {ATTRIBUTES}|\w+ -> \w+(?: {ATTRIBUTES})?"
    rf"|\w+={VALUE}(?:; \w+={VALUE})*|(?:\w+(?:; \w+)*)?"
)


def parsed(dot: str) -> str:
    """A text in DOT, after a look at its grammar, by Graphviz too where it is installed."""
    depth = 0
    for number, line in enumerate(dot.split("\n")):
        assert STATEMENT.fullmatch(line.strip()), line
        depth += line.endswith("{") - (line.strip() == "}")
        assert depth > 0 or line == "}", number
    assert depth == 0
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tcanon"], input=dot, text=True, check=True, capture_output=True)
    return dot


def program(p: dict[str, Any], x: Any) -> Any:
    hidden = np.tanh(x @ p["w"] + p["b"])
    return np.sum(hidden[1:] * np.array([1.0, 2.0]) - 3.0)


def small() -> Graph:
    return trace(program)({"w": np.ones((3, 2)), "b": np.zeros(2)}, np.ones((4, 3)))


def test_dot() -> None:
    graph = small()
    groups = {"one": graph.equations[1:3], 'the "other"': graph.equations[4:5]}
    assert parsed(graph.to_dot(groups)).split("\n") == [
        'digraph "program" {',
        '    node [shape=box, style="rounded,filled", fillcolor=white, fontname="monospace", fontsize=11]',
        '    edge [color="#606060", fontname="monospace", fontsize=9, arrowsize=0.7]',
        '    n1 [label="a: args[0][\'w\']\\nfloat64[3,2]", fillcolor="#e2f0e0", color="#4d8a46"]',
        '    n2 [label="b: args[0][\'b\']\\nfloat64[2]", fillcolor="#e2f0e0", color="#4d8a46"]',
        '    n3 [label="c: args[1]\\nfloat64[4,3]", fillcolor="#e2f0e0", color="#4d8a46"]',
        '    n4 [label="d: matmul\\nfloat64[4,2]"]',
        '    n5 [label="e: add\\nfloat64[4,2]"]',
        '    n6 [label="f: tanh\\nfloat64[4,2]"]',
        '    n7 [label="g: getitem\\nfloat64[3,2]\\nindex=1:"]',
        '    n8 [label="h: multiply\\nfloat64[3,2]"]',
        '    n8c2 [label="const:float64[2]", fillcolor="#f7f1dd", color="#a08a3a"]',
        '    n9 [label="i: subtract\\nfloat64[3,2]"]',
        '    n9c2 [label="3.0", fillcolor="#f7f1dd", color="#a08a3a"]',
        '    n10 [label="j: sum\\nfloat64[]\\naxis=(0, 1)\\nkeepdims=False"]',
        '    result1 [label="result", fillcolor="#e0eaf7", color="#3f6aa5"]',
        '    n3 -> n4 [label="1"]',
        '    n1 -> n4 [label="2"]',
        '    n4 -> n5 [label="1"]',
        '    n2 -> n5 [label="2"]',
        "    n5 -> n6",
        "    n6 -> n7",
        '    n7 -> n8 [label="1"]',
        '    n8c2 -> n8 [label="2"]',
        '    n8 -> n9 [label="1"]',
        '    n9c2 -> n9 [label="2"]',
        "    n9 -> n10",
        "    n10 -> result1",
        "    subgraph cluster0 {",
        '        label="one"; style="rounded,dashed"; color="#707070"; fontname="monospace"; fontsize=11',
        "        n5; n6",
        "    }",
        "    subgraph cluster1 {",
        '        label="the \\"other\\""; style="rounded,dashed"; color="#707070"; fontname="monospace"; fontsize=11',
        "        n8",
        "    }",
        "}",
    ]


def test_mermaid() -> None:
    graph = trace(lambda x, y: (np.sin(x) - 2.0 * y, 5.0, np.ones(2)))(1.0, np.ones(3))
    assert graph.to_mermaid({"a <b>": graph.equations[:1]}).split("\n") == [
        "flowchart TD",
        '    n1(["a: args[0]<br/>float64[]"]):::input',
        '    n2(["b: args[1]<br/>float64[3]"]):::input',
        '    n3["c: sin<br/>float64[]"]',
        '    n4["d: multiply<br/>float64[3]"]',
        '    n4c1["2.0"]:::constant',
        '    n5["e: subtract<br/>float64[3]"]',
        '    result1(["result[0]"]):::output',
        '    result2(["result[1] = 5.0"]):::output',
        '    result3(["result[2] = const:float64[2]"]):::output',
        '    subgraph group0 ["a #lt;b#gt;"]',
        "        n3",
        "    end",
        "    n1 --> n3",
        "    n4c1 -->|1| n4",
        "    n2 -->|2| n4",
        "    n3 -->|1| n5",
        "    n4 -->|2| n5",
        "    n5 --> result1",
        "    classDef input fill:#e2f0e0,stroke:#4d8a46",
        "    classDef constant fill:#f7f1dd,stroke:#a08a3a",
        "    classDef output fill:#e0eaf7,stroke:#3f6aa5",
    ]


def test_pictures_of_derivatives() -> None:
    p, x = {"w": np.ones((3, 2)), "b": np.zeros(2)}, np.ones((4, 3))
    for graph in (trace(grad(program))(p, x), trace(hessian(lambda w: program({"w": w, "b": 0.0}, x)))(p["w"])):
        dot = parsed(graph.to_dot())
        operands = sum(len(node.args) for node in graph.equations)
        assert dot.count(" -> ") == operands + len(graph.outputs)
        assert graph.to_mermaid().count(" -->") == operands + len(graph.outputs)


def test_what_programs_call_things_is_escaped() -> None:
    odd = Primitive('a"b <i> \\n &amp; #1; `c` {|}', lambda x, note: x)
    graph = trace(lambda x: odd.bind(x, note='"]\n<script>' + 50 * "x"))(1.0)
    note = '"]\\n<script>' + 50 * "x"
    label = f"b: {odd.name}\nfloat64[]\nnote='{note}"[: len(f"b: {odd.name}\nfloat64[]\nnote=") + 37] + "..."
    found = re.search(rf"n2 \[label=({STRING})\]", parsed(graph.to_dot()))
    assert found is not None
    unescaped = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[1][1:-1])
    assert html.unescape(unescaped) == label
    found = re.search(r'n2\["([^"<>`]*(?:<br/>[^"<>`]*)*)"\]', graph.to_mermaid())
    assert found is not None
    codes = {"quot": '"', "lt": "<", "gt": ">", "amp": "&"}
    plain = re.sub(r"#(\w+);", lambda m: codes.get(m[1]) or chr(int(m[1])), found[1].replace("<br/>", "\n"))
    assert plain == label
    assert "<script>" not in graph._repr_html_()


def test_groups_are_checked() -> None:
    graph = small()
    with pytest.raises(
        ValueError, match=r"^<Node 1 input: .*> in group 'g' is not an equation of the graph of program$"
    ):
        graph.to_dot({"g": graph.inputs})
    with pytest.raises(ValueError, match=r"^<Node \d+ matmul: .*> is in two groups, 'g' and 'h'$"):
        graph.to_mermaid({"g": graph.equations[:2], "h": graph.equations[:1]})


def test_kernels_of_a_compiled_program() -> None:
    """The equations are the recorded ones again, whatever stood for them."""
    fast = jit(lambda x, w: np.sum(np.exp(np.tanh(x * 2.0) @ w) + 1.0))
    x, w = np.full((4, 3), 0.1), np.ones((3, 2))
    value = fast(x, w)
    graph, groups = expanded(fast.path((x, w), {}).program.graph)
    names = [node.primitive.name for node in graph.equations if node.primitive is not None]
    assert names == ["multiply", "tanh", "matmul", "exp", "add", "sum"]
    assert sum(map(len, groups.values())) == len(set().union(*groups.values()))
    parsed(graph.to_dot(groups))
    np.testing.assert_allclose(value, np.sum(np.exp(np.tanh(x * 2.0) @ w) + 1.0))


# Files.


@pytest.fixture
def fake_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program `dot` that shows what it is given, so that it need not be installed."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "dot"
    script.write_text(
        f"#!{sys.executable}\nimport html, sys\n"
        "print('<?xml?>\\n<svg>', sys.argv[1:], html.escape(sys.stdin.read()), '</svg>')\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.usefixtures("fake_dot")
def test_drawing(tmp_path: Path) -> None:
    graph = small()
    for form in ("svg", "png", "pdf"):
        graph.draw(tmp_path / f"graph.{form}", {"g": graph.equations[:1]})
        drawn = (tmp_path / f"graph.{form}").read_text()
        assert f"-T{form}" in drawn
        assert html.escape(graph.to_dot({"g": graph.equations[:1]})) in drawn
    shown = graph._repr_html_()
    assert shown.startswith("<svg>")
    assert html.escape(graph.to_dot()) in shown


def test_texts_are_written_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    graph = small()
    for name, text in (("g.dot", graph.to_dot()), ("g.GV", graph.to_dot()), ("g.mmd", graph.to_mermaid())):
        graph.draw(str(tmp_path / name))
        assert (tmp_path / name).read_text("utf-8") == text + "\n"
    with pytest.raises(ValueError, match=r"^draw\('g\.txt'\): the suffix must be one of \.svg, \.png, \.pdf, \.dot, "):
        graph.draw("g.txt")
    assert graph._repr_html_() == f"<pre>{html.escape(str(graph))}</pre>"


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackageError) as missing:
        small().draw(tmp_path / "graph.svg")
    assert str(missing.value) == (
        "draw needs the program dot of Graphviz, which is no Python package; install it with: apt install graphviz "
        "(Debian, Ubuntu), brew install graphviz (macOS), conda install graphviz, or from https://graphviz.org/download; "
        "or draw into a .mmd or .dot file"
    )
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(MissingPackageError) as missing:
        small().draw(tmp_path / "graph.svg")
    assert str(missing.value) == "draw needs the graphviz package; install it with: pip install 'xformad[draw]'"
    assert not (tmp_path / "graph.svg").exists()


def test_large_graphs_are_shown_as_shortened_text() -> None:
    def chain(x: Any) -> Any:
        for _ in range(3 * MOST_DRAWN):
            x = x * 1.5
        return x

    graph = trace(chain)(1.0)
    shown = graph._repr_html_()
    lines = shown.removeprefix("<pre>").removesuffix("</pre>").split("\n")
    assert len(lines) == 121
    assert lines[0] == "inputs  a: float64[]"
    assert lines[80] == "... 482 more lines ..."
    assert lines[-1] == str(graph).split("\n")[-1]
    parsed(graph.to_dot())
