"""docs/coverage.md accounts for every row of docs/functions.tsv; that it is up to date, `test_docs` tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

DOCS = Path(__file__).parents[1] / "docs"


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
    assert [
        f"{function.name}: {function.state}" for function in FUNCTIONS if not STATES.fullmatch(function.state)
    ] == []


def test_what_autograd_differentiates_is_differentiable() -> None:
    differentiated = [function for function in FUNCTIONS if function.of_autograd]
    others = [function.name for function in differentiated if not function.state.startswith("differentiable")]
    assert others == ["scipy.special.gammasgn"]  # locally constant: Autograd's rule for it is zero


def test_refusals_have_reasons() -> None:
    assert [function.name for function in FUNCTIONS if function.state == "refused" and not function.remark] == []


def test_what_jax_has_is_refused_for_a_listed_reason_only(reasons: dict[str, str]) -> None:
    assert {function.name for function in FUNCTIONS if function.in_jax and function.state == "refused"} <= set(reasons)


def test_reasons_are_for_what_is_refused(reasons: dict[str, str]) -> None:
    assert set(reasons) <= {function.name for function in FUNCTIONS if function.state == "refused"}
