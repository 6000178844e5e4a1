"""The example programs, run as a user would run them, in their short settings: their results must be right."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs xformad[examples]")
pytest.importorskip("tqdm", reason="needs xformad[examples]")

from matplotlib.image import imread

ROOT = Path(__file__).parent.parent
PROGRAMS = ("logistic_regression", "tanh_derivatives", "word_vectors")


def load(name: str) -> ModuleType:
    """An example as a module: the folder is no package."""
    spec = importlib.util.spec_from_file_location(f"xformad_example_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def assert_drawn(picture: Path, folder: Path) -> None:
    """A picture of some size in which something is drawn."""
    assert picture.parent == folder
    assert picture.suffix == ".png"
    pixels = np.asarray(imread(picture))
    assert pixels.shape[0] >= 400
    assert pixels.shape[1] >= 800
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 100
    assert 0.005 < np.mean(pixels[..., :3].min(axis=-1) < 0.9) < 0.5


def test_logistic_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = load("logistic_regression").main(["--steps", "300", "--output", str(tmp_path)])
    assert report.test_accuracy >= 0.95
    assert report.train_accuracy >= 0.95
    assert 0.0 < report.train_loss < 0.1
    assert 0.0 < report.test_loss < 0.15
    assert_drawn(report.picture, tmp_path)
    assert f"accuracy {report.test_accuracy:.1%}" in capsys.readouterr().out


def test_logistic_regression_is_repeatable_and_depends_on_the_seed(tmp_path: Path) -> None:
    main = load("logistic_regression").main
    arguments = ["--steps", "20", "--output", str(tmp_path)]
    assert main(arguments) == main(arguments)
    assert main(arguments).test_loss != main([*arguments, "--seed", "1"]).test_loss


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_logistic_regression_says_that_the_rate_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="smaller --rate"):
        load("logistic_regression").main(["--rate", "1", "--output", str(tmp_path)])


@pytest.mark.filterwarnings("ignore:loadtxt. input contained no data:UserWarning")
@pytest.mark.parametrize("text", ["a,b\n1,2\n", "a,b\nx,y\n", "a,b\n"])
def test_logistic_regression_refuses_another_table(tmp_path: Path, text: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(SystemExit, match=r"table\.csv: "):
        load("logistic_regression").main(["--data", str(table), "--output", str(tmp_path)])


def test_word_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = load("word_vectors").main(["--quick", "--output", str(tmp_path)])
    assert report.perplexity < 0.6 * report.unigram_perplexity
    assert {"would", "should", "might", "will", "can"} & set(report.neighbours["could"])
    assert_drawn(report.picture, tmp_path)
    assert "held-out perplexity" in capsys.readouterr().out


def test_word_vectors_refuses_a_text_that_is_not_gzipped(tmp_path: Path) -> None:
    (tmp_path / "pride_and_prejudice.txt.gz").write_text("It is a truth universally acknowledged")
    with pytest.raises(SystemExit, match=r"pride_and_prejudice\.txt\.gz: cannot be read"):
        load("word_vectors").main(["--quick", "--data", str(tmp_path), "--output", str(tmp_path)])


def test_tanh_derivatives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = load("tanh_derivatives").main(["--output", str(tmp_path)])
    assert len(report.errors) == 7
    assert max(report.errors) < 1e-8
    assert_drawn(report.picture, tmp_path)
    assert "52.2338" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["logistic_regression", "word_vectors"])
def test_missing_data_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no such file.*checkout"):
        load(name).main(["--data", str(tmp_path / "nowhere"), "--output", str(tmp_path)])


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_from_the_command_line(name: str) -> None:
    program = str(ROOT / "examples" / f"{name}.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, program, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--output" in done.stdout
