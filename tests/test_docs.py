"""What the documentation says is run: every block of Python in it, the names of files, links, and generated pages."""

from __future__ import annotations

import doctest
import inspect
import os
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xformad import errors

ROOT = Path(__file__).parents[1]
PAGES = [
    path
    for path in (
        ROOT / "README.md",
        ROOT / "examples" / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs" / "decisions").glob("*.md")),
    )
    if path.exists()
]
LANGUAGES = {"python", "text", "sh", "toml", "csv"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, the number of its first line."""

    language: str
    text: str
    line: int


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, without the indentation that they have inside of lists."""
    blocks = []
    language: str | None = None
    indent, first, lines = 0, 0, list[str]()
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        fence = re.match(r"( *)```(.*)$", line)
        if language is None:
            if fence:
                indent, language, first, lines = len(fence[1]), fence[2].strip(), number + 1, []
        elif fence:
            blocks.append(Block(language, "\n".join(lines) + "\n", first))
            language = None
        else:
            lines.append(line[indent:])
    assert language is None, f"{name_of(page)}: the block at line {first} is not closed"
    return blocks


def prose_of(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def run_plain(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Run a block as a script; tracebacks show the page and the line."""
    code = "\n" * (block.line - 1) + block.text
    exec(compile(code, str(page), "exec", dont_inherit=True), namespace)


def run_doctest(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Compare what a session prints with what the page says."""
    report: list[str] = []
    test = doctest.DocTestParser().get_doctest(block.text, namespace, name_of(page), str(page), block.line - 1)
    test.globs = namespace
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "page"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in blocks_of(page):
            if block.language == "python":
                (run_doctest if block.text.lstrip().startswith(">>>") else run_plain)(block, page, namespace)


def test_what_the_readme_says_can_be_done_runs() -> None:
    """The code in its table."""
    page = ROOT / "README.md"
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(page):
        if block.language == "python":
            run_plain(block, page, namespace)
    section = page.read_text("utf-8").partition("## What you can do")[2].partition("\n## ")[0]
    calls = re.findall(r"`(.*?)`", "\n".join(line for line in section.splitlines() if line.startswith("| ")))
    assert len(calls) > 20
    for code in calls:
        eval(code, namespace)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_names_its_language(page: Path) -> None:
    for block in blocks_of(page):
        assert block.language in LANGUAGES, f"{name_of(page)}:{block.line}: language {block.language!r}"


def anchors_of(page: Path) -> set[str]:
    """The anchors that a reader's browser gives the headings of a page, as GitHub forms them."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors_of(file), f"{name_of(page)} links to {target}, but there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    for name in re.findall(r"`((?:xformad|tests|docs|examples)/[\w./]*)`", prose_of(page)):
        made = name.startswith("examples/output")  # by running the examples
        assert made or (ROOT / name).exists(), f"{name_of(page)} names {name}, which does not exist"


def test_layout_names_every_package_and_core_module() -> None:
    text = (ROOT / "docs" / "layout.md").read_text("utf-8")
    modules = [*(ROOT / "xformad" / "core").glob("*.py"), *(ROOT / "xformad" / "interpreters").glob("*.py")]
    wanted = [f"{folder.name}/" for folder in (ROOT / "xformad").iterdir() if (folder / "__init__.py").exists()]
    wanted += [module.name for module in modules if module.name != "__init__.py"]
    missing = [name for name in wanted if name not in text]
    assert not missing, f"docs/layout.md does not say what these are for: {missing}"


def test_every_error_has_a_section() -> None:
    anchors = anchors_of(ROOT / "docs" / "errors.md")
    classes = [
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    ]
    missing = [name for name in [*classes, "GradientError"] if name.lower() not in anchors]
    assert not missing, f"docs/errors.md has no section on {missing}"


def test_the_glossary_is_sorted() -> None:
    terms = re.findall(r"^\*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(terms) > 20
    assert terms == sorted(terms, key=str.lower)


@pytest.mark.parametrize("name", ["generate_coverage", "draw_graphs"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    made_with = re.search(r"made with NumPy\s+(\d+\.\d+)", (ROOT / "docs" / "coverage.md").read_text("utf-8"))
    if name == "generate_coverage" and made_with and not np.__version__.startswith(f"{made_with[1]}."):
        pytest.skip("another version of NumPy has other functions")
    # In a process of its own, where no test has added primitives.
    script = [sys.executable, "-W", "error", str(ROOT / "docs" / f"{name}.py"), "--check"]
    run = subprocess.run(script, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
