"""Survival with lung cancer: a Weibull regression fitted by Newton's method, with the exact Hessian of the likelihood.

The patients' survival times T (in days; `data/README.md`) are modelled as log T = x . beta + sigma * epsilon, where x holds
a one, age, sex and the ECOG score of what a patient is able to do, and epsilon is Gumbel distributed: then T is Weibull
distributed. Patients who were alive when the study ended contribute the probability to survive until then. The
log-likelihood is five lines of NumPy; `value_and_grad` and `hessian` do the rest: steps of Newton's method, and at its end
the standard errors, from the inverse of the observed information.

    python examples/weibull_survival.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xformad import hessian, value_and_grad

Array = NDArray[np.float64]

HERE: Final = Path(__file__).parent
NAMES: Final = ("intercept", "age", "female", "ECOG score")
DOUBLINGS: Final = 40


@dataclass(frozen=True)
class Patients:
    """Survival times in days, whether the death was seen (1) or the patient was alive then (0), and the covariates."""

    days: Array
    died: Array
    covariates: Array


@dataclass(frozen=True)
class Fit:
    """What Newton's method found.

    Attributes:
        coefficients, scale: beta and sigma.
        errors: the standard errors of beta, and that of log(sigma) last.
        log_likelihood: in nats, of all patients together.
        gradients: the largest entry of the gradient before each step, and after the last one.
        picture: the file.
    """

    coefficients: Array
    scale: float
    errors: Array
    log_likelihood: float
    gradients: list[float]
    picture: Path


def load_patients(path: Path) -> Patients:
    """The table described in `data/README.md`."""
    days, died, age, female, ecog = np.loadtxt(path, delimiter=",", skiprows=1).T
    return Patients(days, died, np.column_stack([np.ones_like(days), age, female, ecog]))


def log_likelihood(parameters: Array, patients: Patients) -> np.float64:
    """Of the coefficients and, last, the logarithm of the scale.

    With z = (log t - x . beta) / sigma, the density of t is exp(z - exp(z)) / (sigma t), the probability to survive t is
    exp(-exp(z)): D. Collett, Modelling Survival Data in Medical Research, section 6.5.
    """
    coefficients, log_scale = parameters[:-1], parameters[-1]
    log_days = np.log(patients.days)
    z = (log_days - patients.covariates @ coefficients) / np.exp(log_scale)
    total: np.float64 = np.sum(patients.died * (z - log_scale - log_days) - np.exp(z))
    return total


def newton(patients: Patients, steps: int) -> tuple[Array, Array, list[float]]:
    """Maximise the likelihood, from covariates without influence.

    Returns:
        The parameters, the Hessian there, and the largest entry of the gradient at each point that was visited.

    Raises:
        SystemExit: if it does not converge.
    """

    def loss(parameters: Array) -> np.float64:
        return -log_likelihood(parameters, patients)

    slope, curvature = value_and_grad(loss), hessian(loss)
    parameters = np.zeros(patients.covariates.shape[1] + 1)
    parameters[0] = np.log(patients.days.mean())
    gradients = []
    for _ in range(steps):
        value, gradient = slope(parameters)
        matrix = curvature(parameters)
        gradients.append(float(np.abs(gradient).max()))
        if gradients[-1] < 1e-9 * np.abs(value):
            return parameters, matrix, gradients
        step = -np.linalg.solve(matrix, gradient)
        length = 1.0
        while loss(parameters + length * step) > value + 1e-4 * length * gradient @ step and length > 0.5**DOUBLINGS:
            length /= 2.0
        parameters = parameters + length * step
    raise SystemExit(f"Newton's method did not converge in {steps} steps; allow more by --steps")


def kaplan_meier(days: Array, died: Array) -> tuple[Array, Array]:
    """The times of deaths and the estimated probability to survive each (Kaplan and Meier, 1958)."""
    times = np.unique(days[died == 1])
    at_risk = np.array([np.sum(days >= time) for time in times])
    deaths = np.array([np.sum((days == time) & (died == 1)) for time in times])
    return times, np.cumprod(1.0 - deaths / at_risk)


def draw_survival(axes: Axes, patients: Patients, coefficients: Array, scale: float) -> None:
    """The fitted probability to survive beside the estimate without a model, for each ECOG score."""
    times = np.linspace(1.0, patients.days.max(), 200)
    scores = patients.covariates[:, -1]
    for score in (0.0, 1.0, 2.0):
        chosen = scores == score
        z = (np.log(times)[:, None] - patients.covariates[chosen] @ coefficients) / scale
        color = f"C{int(score)}"
        axes.plot(times, np.exp(-np.exp(z)).mean(axis=1), color=color, label=f"ECOG {score:.0f} ({chosen.sum()})")
        seen, probability = kaplan_meier(patients.days[chosen], patients.died[chosen])
        axes.step(np.r_[0.0, seen], np.r_[1.0, probability], where="post", color=color, alpha=0.45, linewidth=1)
    axes.set(title="Survival: Weibull model (smooth), Kaplan-Meier (steps)", xlabel="days", ylabel="share alive")
    axes.set(xlim=(0, times[-1]), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()


def draw_effects(axes: Axes, coefficients: Array, errors: Array) -> None:
    """By what factor a covariate multiplies the survival time, with 95 % intervals."""
    effects = {"ten years older": (10.0, 1), "female": (1.0, 2), "ECOG score + 1": (1.0, 3)}
    for place, (unit, i) in enumerate(effects.values()):
        middle, radius = unit * coefficients[i], 1.96 * unit * errors[i]
        axes.plot(np.exp([middle - radius, middle + radius]), [place, place], color="C0", linewidth=3, alpha=0.5)
        axes.plot(np.exp(middle), place, "o", color="C0")
    axes.axvline(1.0, color="black", linestyle="--", linewidth=1)
    axes.set(title="Effects", xlabel="factor on the survival time, 95 % interval", ylim=(-0.5, len(effects) - 0.5))
    axes.set_yticks(range(len(effects)), list(effects))
    axes.grid(alpha=0.3, axis="x")


def main(argv: Sequence[str] | None = None) -> Fit:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Weibull regression of survival times by Newton's method.")
    parser.add_argument("--steps", type=int, default=30, help="the most steps of Newton's method (default: 30)")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "lung_cancer.csv", help="the table")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="folder for the picture")
    options = parser.parse_args(argv)

    patients = load_patients(options.data)
    parameters, matrix, gradients = newton(patients, options.steps)
    errors = np.sqrt(np.diag(np.linalg.inv(matrix)))
    fit = Fit(
        coefficients=parameters[:-1],
        scale=float(np.exp(parameters[-1])),
        errors=errors,
        log_likelihood=float(log_likelihood(parameters, patients)),
        gradients=gradients,
        picture=options.output / "weibull_survival.png",
    )

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    draw_survival(left, patients, fit.coefficients, fit.scale)
    draw_effects(right, fit.coefficients, fit.errors)
    fit.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(fit.picture, dpi=130)

    for step, gradient in enumerate(gradients):
        print(f"step {step}   largest entry of the gradient {gradient:9.2e}")
    print(f"{len(patients.days)} patients, {patients.died.sum():.0f} deaths, log-likelihood {fit.log_likelihood:.3f}")
    for name, value, error in zip(NAMES, fit.coefficients, errors, strict=False):
        print(f"{name:12} {value:9.5f} +- {error:.5f}")
    print(f"{'scale':12} {fit.scale:9.5f}")
    print(f"picture: {fit.picture}")
    return fit


if __name__ == "__main__":
    main()
