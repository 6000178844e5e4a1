"""Programs written for Autograd, its README's, its tutorial's, and after its examples, run unmodified on xformad.

`programs/NAME.txt` is a program, `NAME.out` what it prints on Autograd 1.9.1 (recorded by `record.py`). The words must be
the same, and the numbers must agree.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xformad.compat.autograd import install, uninstall

PROGRAMS = Path(__file__).parent / "programs"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)j?")
BARE = re.compile(r"np\.(?:float64|complex128)\((.*?)\)")


def numbers_and_words(text: str) -> tuple[list[complex], str]:
    """The numbers of an output, and the rest, without spaces and brackets: a scalar may be printed as an array is."""
    text = re.sub(r"array\(|\[|\]|\(|\)|,", " ", BARE.sub(r"\1", text))
    return [complex(number) for number in NUMBER.findall(text)], " ".join(NUMBER.sub("#", text).split())


def check_output(name: str, printed: str) -> None:
    expected, words = numbers_and_words((PROGRAMS / f"{name}.out").read_text("utf-8"))
    found, said = numbers_and_words(printed)
    assert said == words
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(path.stem for path in PROGRAMS.glob("*.txt")))
def test_program(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    install()
    try:
        runpy.run_path(str(PROGRAMS / f"{name}.txt"), run_name="__main__")
    finally:
        uninstall()
    check_output(name, capsys.readouterr().out)


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xformad.compat.autograd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_script_runs_from_the_command_line() -> None:
    finished = run(str(PROGRAMS / "logistic_regression.txt"))
    assert finished.returncode == 0, finished.stderr
    check_output("logistic_regression", finished.stdout)


def test_a_package_runs_from_the_command_line(tmp_path: Path) -> None:
    package = tmp_path / "of_a_user"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("from autograd import grad\nslope = grad(lambda x: x**2)\n")
    program = (
        "import sys\nimport autograd\nfrom of_a_user.helper import slope\n"
        "print(autograd.__name__, sys.argv[1:], float(slope(3.0)))\n"
    )
    (package / "__main__.py").write_text(program)
    (tmp_path / "script.py").write_text(program)
    expected = "xformad.compat.autograd ['--depth', '2'] 6.0\n"
    script = "import sys, xformad.compat.autograd.__main__ as drop_in\n"
    for arguments in (["-m", "of_a_user", "--depth", "2"], ["script.py", "--depth", "2"]):
        code = f"{script}sys.path.insert(0, '')\ndrop_in.main({arguments!r})"
        root = Path(__file__).parents[2]
        finished = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{code}"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout == expected


def test_no_program_is_a_usage_error() -> None:
    finished = run()
    assert finished.returncode == 1
    assert finished.stderr == "usage: python -m xformad.compat.autograd script.py args... | -m package args...\n"
