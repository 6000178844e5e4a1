"""Carbon dioxide on Mauna Loa: Gaussian-process regression, its eleven hyperparameters found by the exact gradient.

The monthly means since 1959 (`data/README.md`) are modelled by the covariance function of C. E. Rasmussen and C. K. I.
Williams, Gaussian Processes for Machine Learning (2006), section 5.4.3: a long smooth rise, a seasonal cycle that may
change over decades, irregularities of years, and noise. The negative logarithm of the marginal likelihood is one Cholesky
factorisation in plain NumPy; `xformad.scipy.optimize.minimize` hands its gradient to SciPy's quasi-Newton method. The last
ten years take no part in this: they are predicted.

    python examples/gaussian_process.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from xformad.scipy.optimize import minimize

Array = NDArray[np.float64]
Parameters = dict[str, np.float64]

HERE: Final = Path(__file__).parent
START: Final = {
    "rise, ppm": 66.0,
    "rise, years": 67.0,
    "season, ppm": 2.4,
    "season fades, years": 90.0,
    "season, smoothness": 1.3,
    "irregular, ppm": 0.66,
    "irregular, years": 1.2,
    "irregular, shape": 0.78,
    "months, ppm": 0.18,
    "months, years": 0.13,
    "noise, ppm": 0.19,
}
"""Where the search starts: the values that the book finds."""


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        hyperparameters: by name.
        log_likelihood: the logarithm of the marginal likelihood of the months before the split, in nats.
        start: the same where the search started.
        gradient: the largest entry of its gradient by the logarithms of the hyperparameters, in the end.
        error: the root mean square of the errors of the predicted months, in ppm.
        covered: the share of these months that lie inside of the 95 % intervals.
        picture: the file.
    """

    hyperparameters: dict[str, float]
    log_likelihood: float
    start: float
    gradient: float
    error: float
    covered: float
    picture: Path


def covariance(logarithms: Parameters, x: Array, y: Array) -> Array:
    """Of the concentrations without noise at the times x and y, in years: (len(x), len(y)), in ppm^2."""
    p = {name: np.exp(value) for name, value in logarithms.items()}
    distance = x[:, None] - y
    square = distance**2
    rise = p["rise, ppm"] ** 2 * np.exp(-0.5 * square / p["rise, years"] ** 2)
    season = p["season, ppm"] ** 2 * np.exp(
        -0.5 * square / p["season fades, years"] ** 2
        - 2.0 * np.sin(np.pi * distance) ** 2 / p["season, smoothness"] ** 2
    )
    shape = p["irregular, shape"]
    irregular = p["irregular, ppm"] ** 2 * (1.0 + square / (2.0 * shape * p["irregular, years"] ** 2)) ** -shape
    months = p["months, ppm"] ** 2 * np.exp(-0.5 * square / p["months, years"] ** 2)
    total: Array = rise + season + irregular + months
    return total


def factor(logarithms: Parameters, times: Array) -> Array:
    """The Cholesky factor of the covariance matrix of the measurements."""
    noise = np.exp(logarithms["noise, ppm"]) ** 2 * np.eye(len(times))
    return np.linalg.cholesky(covariance(logarithms, times, times) + noise)


def loss(logarithms: Parameters, times: Array, values: Array) -> np.float64:
    """The negative logarithm of the marginal likelihood of the values, in nats (equation 2.30 of the book)."""
    lower = factor(logarithms, times)
    white = np.linalg.solve(lower, values)
    log_determinant = np.sum(np.log(np.diagonal(lower)))
    total: np.float64 = 0.5 * white @ white + log_determinant + 0.5 * len(times) * np.log(2.0 * np.pi)
    return total


def predict(logarithms: Parameters, times: Array, values: Array, new: Array) -> tuple[Array, Array]:
    """The means and the standard deviations of measurements at new times (equations 2.25 and 2.26)."""
    lower = factor(logarithms, times)
    cross = np.linalg.solve(lower, covariance(logarithms, times, new))
    mean = cross.T @ np.linalg.solve(lower, values)
    prior = np.diagonal(covariance(logarithms, new, new))
    variance = prior - np.sum(cross**2, axis=0) + np.exp(logarithms["noise, ppm"]) ** 2
    return mean, np.sqrt(variance)


def draw(times: Array, values: Array, split: int, future: tuple[Array, Array, Array], picture: Path) -> None:
    """The measurements, and what was predicted from those before the split."""
    new, mean, deviation = future
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for axes in (left, right):
        axes.fill_between(new, mean - 1.96 * deviation, mean + 1.96 * deviation, color="C1", alpha=0.3, linewidth=0)
        axes.plot(new, mean, color="C1", label="predicted, with 95 % intervals")
        axes.plot(times[:split], values[:split], ".", color="C0", markersize=2.5, label="learned from")
        axes.plot(times[split:], values[split:], ".", color="black", markersize=4, label="held out")
        axes.set(xlabel="year", ylabel="carbon dioxide (ppm)")
        axes.grid(alpha=0.3)
    left.set(title="Mauna Loa", xlim=(times[0], new[-1]))
    left.legend(loc="upper left")
    chosen = (new > times[-1] - 5.0) & (new < times[-1])
    right.set(title="The last years", xlim=(times[-1] - 5.0, times[-1]))
    right.set_ylim((mean - 3.0 * deviation)[chosen].min(), (mean + 3.0 * deviation)[chosen].max())
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130)


def main(argv: Sequence[str] | None = None) -> Report:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Gaussian-process regression of carbon dioxide on Mauna Loa.")
    parser.add_argument("--steps", type=int, default=100, help="the most steps of the search (default: 100)")
    parser.add_argument("--since", type=int, default=1959, help="the first year to learn from (default: 1959)")
    parser.add_argument("--until", type=int, default=1988, help="the first year to predict (default: 1988)")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "mauna_loa_co2.csv", help="the table")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="folder for the picture")
    options = parser.parse_args(argv)

    table = np.loadtxt(options.data, delimiter=",", skiprows=1)
    table = table[table[:, 0] >= options.since]
    times, values = table[:, 0] + (table[:, 1] - 0.5) / 12.0, table[:, 2]
    split = int(np.sum(table[:, 0] < options.until))
    level = values[:split].mean()
    known = (times[:split], values[:split] - level)

    start = {name: np.log(value) for name, value in START.items()}
    with tqdm(desc="marginal likelihood", unit="step", total=options.steps) as progress:
        result = minimize(
            loss,
            start,
            args=known,
            method="L-BFGS-B",
            options={"maxiter": options.steps},
            callback=lambda _: progress.update(),
        )
    logarithms: Parameters = result.x

    fine = np.linspace(times[split], times[-1] + 5.0, 800)
    mean, deviation = predict(logarithms, *known, times[split:])
    errors = values[split:] - level - mean
    report = Report(
        hyperparameters={name: float(np.exp(value)) for name, value in logarithms.items()},
        log_likelihood=-float(result.fun),
        start=-float(loss(start, *known)),
        gradient=max(abs(float(value)) for value in result.jac.values()),
        error=float(np.sqrt(np.mean(errors**2))),
        covered=float(np.mean(np.abs(errors) < 1.96 * deviation)),
        picture=options.output / "gaussian_process.png",
    )
    future_mean, future_deviation = predict(logarithms, *known, fine)
    draw(times, values, split, (fine, future_mean + level, future_deviation), report.picture)

    print(
        f"log marginal likelihood of {split} months: {report.start:.2f} at the start, {report.log_likelihood:.2f} nats"
    )
    for name, value in report.hyperparameters.items():
        print(f"{name:20} {value:10.4g}")
    print(f"{len(errors)} months predicted: error {report.error:.2f} ppm, {report.covered:.0%} inside of the intervals")
    print(f"picture: {report.picture}")
    return report


if __name__ == "__main__":
    main()
