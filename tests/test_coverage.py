"""docs/coverage.md accounts for every row of docs/functions.tsv; that it is up to date, `test_docs` tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

DOCS = Path(__file__).parents[1] / "docs"


UNFINISHED = ("numpy.full", "numpy.fill_diagonal", "numpy.put_along_axis")
"""Functions, and modules, that are being worked on: the only ones that may be lacking. A test says when to take one out."""


class Function(NamedTuple):
    """A row of the table, and what the page says of it."""

    name: str
    of_autograd: bool
    in_jax: bool
    state: str
    remark: str


def functions() -> list[Function]:
    page = (DOCS / "coverage.md").read_text("utf-8")
    said = dict(re.findall(r"^\| `([\w.]+)` (\|.*\|.*) \|$", page, flags=re.MULTILINE))
    found = []
    for line in (DOCS / "functions.tsv").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            module, name, _, of_autograd, in_jax = line.split("\t")
            _, state, remark = said.get(f"{module}.{name}", "|no row|").split("|", 2)
            found.append(
                Function(f"{module}.{name}", of_autograd == "yes", in_jax == "yes", state.strip(), remark.strip())
            )
    return found[1:]


FUNCTIONS = functions()
STATES = re.compile(r"differentiable(, not under `\w+`)*|no derivative|constant|refused")


def unfinished(function: Function) -> str | None:
    """Which entry of the list above a function falls under."""
    return next((name for name in UNFINISHED if function.name == name or function.name.startswith(name + ".")), None)


FINISHED = [function for function in FUNCTIONS if unfinished(function) is None]


def lacking(function: Function, reasons: dict[str, str]) -> bool:
    refused = function.state == "refused" and function.in_jax and function.name not in reasons
    underived = function.of_autograd and not function.state.startswith("differentiable")
    return refused or underived or not STATES.fullmatch(function.state)


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("generate_coverage").REASONS


def test_the_table_is_whole() -> None:
    assert len(FUNCTIONS) > 480
    assert {function.name.rpartition(".")[0] for function in FUNCTIONS} == {
        *("numpy", "numpy.fft", "numpy.linalg", "scipy.linalg", "scipy.signal", "scipy.special")
    }


def test_every_function_has_a_state() -> None:
    assert [f"{function.name}: {function.state}" for function in FINISHED if not STATES.fullmatch(function.state)] == []


def test_what_autograd_differentiates_is_differentiable() -> None:
    differentiated = [function for function in FINISHED if function.of_autograd]
    others = [function.name for function in differentiated if not function.state.startswith("differentiable")]
    assert others == ["scipy.special.gammasgn"]  # locally constant: Autograd's rule for it is zero


def test_refusals_have_reasons() -> None:
    assert [function.name for function in FUNCTIONS if function.state == "refused" and not function.remark] == []


def test_what_jax_has_is_refused_for_a_listed_reason_only(reasons: dict[str, str]) -> None:
    assert {function.name for function in FINISHED if function.in_jax and function.state == "refused"} <= set(reasons)


def test_reasons_are_for_what_is_refused(reasons: dict[str, str]) -> None:
    assert set(reasons) <= {function.name for function in FUNCTIONS if function.state == "refused"}


@pytest.mark.parametrize("name", UNFINISHED)
def test_what_is_unfinished_is_lacking(name: str, reasons: dict[str, str]) -> None:
    assert any(lacking(function, reasons) for function in FUNCTIONS if unfinished(function) == name)
