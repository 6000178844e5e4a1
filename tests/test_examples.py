"""The example programs, run as a user would run them, in their short settings: their results must be right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs xformad[examples]")
pytest.importorskip("tqdm", reason="needs xformad[examples]")

from matplotlib.image import imread

from tests.programs import load

ROOT = Path(__file__).parent.parent
OPTIONS = {
    "gaussian_process": "--until",
    "logistic_regression": "--output",
    "lotka_volterra": "--steps",
    "mixture_model": "--groups",
    "operation_counter": "--layers",
    "tanh_derivatives": "--output",
    "units_interpreter": "--angle",
    "weibull_survival": "--output",
    "word_vectors": "--output",
}


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


def test_weibull_survival(tmp_path: Path) -> None:
    """The numbers are those of R: survreg(Surv(time, status) ~ age + sex + ph.ecog, lung), where sex is 1 and 2."""
    fit = load("weibull_survival").main(["--output", str(tmp_path)])
    np.testing.assert_allclose(fit.coefficients, [6.27344 + 0.40109, -0.00748, 0.40109, -0.33964], atol=1e-5)
    np.testing.assert_allclose(fit.errors[1:], [0.00676, 0.12373, 0.08348, 0.06135], atol=1e-5)
    assert abs(fit.scale - 0.731) < 1e-3
    assert abs(fit.log_likelihood + 1132.4) < 0.05
    assert fit.gradients[-1] < 1e-6
    assert len(fit.gradients) < 10
    assert_drawn(fit.picture, tmp_path)


def test_lotka_volterra(tmp_path: Path) -> None:
    """B. Carpenter's fit of these data in Stan has 0.55, 0.028, 0.80, 0.024 as posterior means, with a prior."""
    fit = load("lotka_volterra").main(["--steps", "4", "--output", str(tmp_path)])
    np.testing.assert_allclose(fit.parameters, [0.55, 0.028, 0.80, 0.024, 34.0, 5.9], rtol=0.05)
    assert fit.losses[-1] < 2.0187
    assert 0.2 < fit.scatter < 0.3
    assert np.all((fit.errors > 1.0) & (fit.errors < 1.2))
    assert_drawn(fit.picture, tmp_path)


def test_mixture_model(tmp_path: Path) -> None:
    """The likelihood is the one that the R package mclust finds by expectation maximisation (its model VVV)."""
    fit = load("mixture_model").main(["--output", str(tmp_path)])
    assert abs(fit.natural[-1] + 1130.264) < 1e-3
    assert fit.plain[-1] < fit.natural[-1] - 10.0
    np.testing.assert_allclose(fit.weights, [0.356, 0.644], atol=1e-3)
    np.testing.assert_allclose(fit.means, [[2.036, 54.48], [4.290, 79.97]], rtol=1e-3)
    assert_drawn(fit.picture, tmp_path)


def test_gaussian_process(tmp_path: Path) -> None:
    report = load("gaussian_process").main(["--since", "1978", "--steps", "30", "--output", str(tmp_path)])
    assert report.log_likelihood > report.start
    assert report.error < 2.0
    assert 2.0 < report.hyperparameters["season, ppm"] < 5.0
    assert_drawn(report.picture, tmp_path)


def test_operation_counter(capsys: pytest.CaptureFixture[str]) -> None:
    program = load("operation_counter")
    report = program.main(["--layers", "7", "5", "3", "--examples", "11"])
    assert report.total(phase="forward", primitive="matmul").flops == 2 * 11 * (7 * 5 + 5 * 3)
    # For each layer the gradient of the weights, and for all but the first one that of the inputs.
    assert report.total(phase="backward", primitive="matmul").flops == 2 * 11 * (7 * 5 + 2 * 5 * 3)
    assert report.total(phase="forward", primitive="matmul").read == 8 * (11 * 7 + 7 * 5 + 11 * 5 + 5 * 3)
    assert report.total(phase="forward", primitive="matmul").written == 8 * 11 * (5 + 3)
    assert report.total(phase="forward", primitive="tanh").flops == program.ELEMENTARY * 11 * 5
    assert report.total(phase="forward", primitive="sum").flops == 11 * 3 - 1
    assert report.total(phase="backward", primitive="transpose").written == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["phase", "primitive", "calls", "flops", "read", "written", "line"]
    assert lines[1].split()[:4] == ["backward", "matmul", "3", "1,430"]
    flops = [int(line.split()[3].replace(",", "")) for line in lines[1 : 1 + len(report.counts)]]
    assert flops == sorted(flops, reverse=True)
    assert "the backward pass costs " in lines[-1]


def test_operation_counter_tells_the_lines_apart(capsys: pytest.CaptureFixture[str]) -> None:
    report = load("operation_counter").main([])
    source = (ROOT / "examples" / "operation_counter.py").read_text("utf-8").splitlines()
    by_line = {}
    for place, count in report.counts.items():
        if place.phase == "forward" and place.primitive == "matmul":
            path, _, number = place.line.rpartition(":")
            assert path.endswith("operation_counter.py")
            by_line[source[int(number) - 1].strip()] = count.calls
    assert by_line == {"inputs = np.tanh(inputs @ weights + biases)": 2, "outputs = inputs @ weights + biases": 1}


def test_units_interpreter(capsys: pytest.CaptureFixture[str]) -> None:
    found = load("units_interpreter").main(["--angle", "0.5", "--mass", "2", "--length", "3"])
    units = {name: str(quantity.unit) for name, quantity in found.items()}
    assert units == {
        "energy": "kg m^2 s^-2",
        "torque, -dE/d(angle)": "kg m^2 s^-2",
        "angular momentum, dE/d(velocity)": "kg m^2 s^-1",
        "moment of inertia, d2E/d(velocity)2": "kg m^2",
        "dE/d(mass)": "m^2 s^-2",
        "dE/d(length)": "kg m s^-2",
        "dE/d(gravity)": "kg m",
    }
    assert found["torque, -dE/d(angle)"].value == pytest.approx(-2 * 9.81 * 3 * np.sin(0.5))
    assert found["moment of inertia, d2E/d(velocity)2"].value == pytest.approx(2 * 3**2)
    out = capsys.readouterr().out
    line = next(
        i
        for i, text in enumerate((ROOT / "examples" / "units_interpreter.py").read_text("utf-8").splitlines(), 1)
        if text == "    return kinetic + potential"
    )
    assert "torque, -dE/d(angle)" in out
    message = out.splitlines()[-1]
    assert message.startswith("UnitError: add at ")
    assert message.endswith(": the units kg s^-2 and kg m^2 s^-2 do not agree")
    assert f"units_interpreter.py:{line}:" not in message  # that is the line of the right formula
    assert "units_interpreter.py:" in message


@pytest.mark.parametrize("name", ["logistic_regression", "word_vectors"])
def test_missing_data_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no such file.*checkout"):
        load(name).main(["--data", str(tmp_path / "nowhere"), "--output", str(tmp_path)])


@pytest.mark.parametrize(("name", "option"), OPTIONS.items())
def test_help_from_the_command_line(name: str, option: str) -> None:
    program = str(ROOT / "examples" / f"{name}.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, program, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert option in done.stdout
