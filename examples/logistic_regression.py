"""Logistic regression by gradient descent: the model is five lines of NumPy, its gradient one call of `grad`.

The program tells malignant from benign breast tumours by 30 measurements of the cell nuclei on a slide (the Wisconsin
Diagnostic Breast Cancer table, `data/README.md`). The probability that case i is malignant is
sigmoid(inputs[i] . weights), and the weights are those that make the labels of the training cases most likely, found
by walking down the slope of the loss. The cases held out for testing take no part in this.

    python examples/logistic_regression.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray
from tqdm import tqdm

from xformad import grad

Array = NDArray[np.float64]

HERE: Final = Path(__file__).parent
FEATURES: Final = 30


def sigmoid(x: Array) -> Array:
    """The logistic function 1 / (1 + exp(-x)), in a form that cannot overflow."""
    return 0.5 * (np.tanh(x / 2.0) + 1.0)


def logistic_predictions(weights: Array, inputs: Array) -> Array:
    """The probability of the label 1 for each row of inputs."""
    return sigmoid(np.dot(inputs, weights))


def log_loss(weights: Array, inputs: Array, targets: Array) -> np.float64:
    """The negative log-likelihood of the labels, in nats, summed over the cases."""
    predictions = logistic_predictions(weights, inputs)
    label_probabilities = predictions * targets + (1.0 - predictions) * (1.0 - targets)
    loss: np.float64 = -np.sum(np.log(label_probabilities))
    return loss


@dataclass(frozen=True)
class Cases:
    """Standardised features after a column of ones (for the bias), and labels: 1 malignant, 0 benign."""

    inputs: Array
    targets: Array


@dataclass(frozen=True)
class Report:
    """What the program found. Losses are means, in nats a case."""

    train_loss: float
    test_loss: float
    train_accuracy: float
    test_accuracy: float
    picture: Path


def load_table(path: Path) -> tuple[Array, Array]:
    """The features, one row a case, and the labels.

    Raises:
        SystemExit: if the file is missing or is not the table described in `data/README.md`.
    """
    if not path.is_file():
        raise SystemExit(
            f"{path}: no such file. The table is part of xformad's source repository (examples/data); "
            "run the program from a checkout of it, or give the file with --data."
        )
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise SystemExit(f"{path}: not a table of numbers: {error}") from error
    if table.shape[1] != FEATURES + 1 or not np.isin(table[:, -1], (0.0, 1.0)).all():
        raise SystemExit(f"{path}: each row must have {FEATURES} features and a label, 0 or 1")
    return table[:, :-1], table[:, -1]


def split(features: Array, labels: Array, test_share: float, seed: int) -> tuple[Cases, Cases]:
    """Training and test cases, drawn at random. The scale of the features is measured on the training cases alone."""
    order = np.random.default_rng(seed).permutation(len(labels))
    held_out = round(test_share * len(labels))
    test, train = order[:held_out], order[held_out:]
    mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
    inputs = np.hstack([np.ones((len(labels), 1)), (features - mean) / deviation])
    return Cases(inputs[train], labels[train]), Cases(inputs[test], labels[test])


def descend(train: Cases, test: Cases, steps: int, rate: float) -> tuple[Array, Array]:
    """Gradient descent from zero weights.

    Returns:
        The weights, and the mean loss on the (training, test) cases before each step and after the last.

    Raises:
        SystemExit: if the loss is no longer finite.
    """

    def training_loss(weights: Array) -> np.float64:
        return log_loss(weights, train.inputs, train.targets)

    gradient = grad(training_loss)

    weights = np.zeros(train.inputs.shape[1])
    losses = [mean_losses(weights, train, test)]
    with tqdm(range(steps), desc="gradient descent", unit="step") as progress:
        for _ in progress:
            weights -= rate * gradient(weights)
            losses.append(mean_losses(weights, train, test))
            if not np.isfinite(losses[-1][0]):
                raise SystemExit("the descent diverged: take a smaller --rate")
            progress.set_postfix(train=f"{losses[-1][0]:.4f}", held_out=f"{losses[-1][1]:.4f}", refresh=False)
    return weights, np.array(losses)


def mean_losses(weights: Array, train: Cases, test: Cases) -> tuple[float, float]:
    """The loss a training case and a test case."""
    losses = [float(log_loss(weights, cases.inputs, cases.targets)) / len(cases.targets) for cases in (train, test)]
    return losses[0], losses[1]


def accuracy(weights: Array, cases: Cases) -> float:
    """The share of cases whose more probable label is the true one."""
    return float(np.mean((logistic_predictions(weights, cases.inputs) > 0.5) == (cases.targets == 1.0)))


def draw(losses: Array, weights: Array, test: Cases, picture: Path) -> None:
    """Draw the descent, and the probabilities that the model gives to the cases it has not seen."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    descent, histogram = figure.subplots(1, 2)

    for column, name in enumerate(("training cases", "held-out cases")):
        descent.plot(losses[:, column], label=f"{name}, in the end {losses[-1, column]:.3f}")
    descent.set(title="Descent", xlabel="step", ylabel="mean log-loss (nats per case)", yscale="log")
    descent.set_xlim(0, max(len(losses) - 1, 1))
    descent.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    descent.yaxis.set_major_formatter("{x:g}")
    descent.yaxis.set_minor_formatter(NullFormatter())
    descent.grid(alpha=0.3, which="both")
    descent.legend()

    predictions = logistic_predictions(weights, test.inputs)
    by_class = [predictions[test.targets == label] for label in (0.0, 1.0)]
    names = [f"{name} ({len(part)})" for name, part in zip(("benign", "malignant"), by_class, strict=True)]
    histogram.hist(by_class, bins=np.linspace(0.0, 1.0, 11).tolist(), label=names, color=["C0", "C3"])
    histogram.axvline(0.5, color="black", linestyle="--", linewidth=1, label="decision threshold")
    histogram.set(title="Held-out cases by true class", xlabel="predicted probability of malignancy")
    histogram.set(ylabel="number of cases (log scale)", yscale="log", xlim=(0, 1), ylim=(0.5, None))
    histogram.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    histogram.yaxis.set_major_formatter("{x:g}")
    histogram.legend(loc="upper center")

    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130)


def main(argv: Sequence[str] | None = None) -> Report:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Logistic regression on breast cancer data by gradient descent.")
    parser.add_argument("--steps", type=int, default=1000, help="steps of gradient descent (default: 1000)")
    parser.add_argument("--rate", type=float, default=1e-3, help="length of a step per unit of slope (default: 0.001)")
    parser.add_argument("--test-share", type=float, default=0.3, help="share of the cases held out (default: 0.3)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random split (default: 0)")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "breast_cancer.csv", help="the table")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="folder for the picture")
    options = parser.parse_args(argv)
    if options.steps < 0 or not 0.0 < options.test_share < 1.0:
        parser.error("--steps must be at least 0 and --test-share between 0 and 1")

    train, test = split(*load_table(options.data), options.test_share, options.seed)
    weights, losses = descend(train, test, options.steps, options.rate)
    report = Report(
        train_loss=float(losses[-1, 0]),
        test_loss=float(losses[-1, 1]),
        train_accuracy=accuracy(weights, train),
        test_accuracy=accuracy(weights, test),
        picture=options.output / "logistic_regression.png",
    )
    draw(losses, weights, test, report.picture)
    print(f"training cases {len(train.targets):4d}   log-loss {report.train_loss:.4f} nats per case", end="   ")
    print(f"accuracy {report.train_accuracy:.1%}")
    print(f"held-out cases {len(test.targets):4d}   log-loss {report.test_loss:.4f} nats per case", end="   ")
    print(f"accuracy {report.test_accuracy:.1%}")
    print(f"picture: {report.picture}")
    return report


if __name__ == "__main__":
    main()
