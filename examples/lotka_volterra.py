"""Hares and lynxes: the differential equations of Lotka and Volterra, fitted to 21 years of pelts.

The Hudson's Bay Company counted the pelts that trappers brought (`data/README.md`). Lotka and Volterra say how prey h and
predators l live on each other: dh/dt = (a - b l) h and dl/dt = (d h - c) l. The program finds the four rates and the two
animals' numbers in 1900 that agree best with the counts, which are taken to scatter by a factor: least squares of
logarithms, by the method of Levenberg and Marquardt. The residuals are functions of the parameters through the solution
of the equations (`odeint`), and `jacfwd` differentiates through it: 6 parameters, 42 residuals.

    python examples/lotka_volterra.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import xformad.numpy as xnp
from xformad import jacfwd, odeint

Array = NDArray[np.float64]

HERE: Final = Path(__file__).parent
NAMES: Final = (
    "a (hares born)",
    "b (hares eaten)",
    "c (lynxes die)",
    "d (lynxes fed)",
    "hares in 1900",
    "lynxes in 1900",
)
START: Final = (0.5, 0.03, 1.0, 0.03, 30.0, 4.0)


@dataclass(frozen=True)
class Fit:
    """What was found.

    Attributes:
        parameters: the rates a, b, c, d in 1/year (b and d for each thousand animals too), and thousands of animals in 1900.
        errors: their standard errors, as factors.
        scatter: the standard deviation of the logarithms of the counts about the model.
        losses: the sum of squares before each step and after the last.
        picture: the file.
    """

    parameters: Array
    errors: Array
    scatter: float
    losses: list[float]
    picture: Path


def change(animals: Array, time: float, rates: Array) -> Array:
    """Of the numbers of hares and lynxes, in thousands a year."""
    hares, lynxes = animals
    a, b, c, d = rates
    found: Array = xnp.array([(a - b * lynxes) * hares, (d * hares - c) * lynxes])
    return found


def animals(parameters: Array, years: Array) -> Array:
    """Hares and lynxes, a row a year."""
    found: Array = odeint(change, parameters[4:], years, parameters[:4], rtol=1e-7, atol=1e-7)
    return found


def levenberg_marquardt(residuals: Callable[[Array], Array], start: Array, steps: int) -> tuple[Array, list[float]]:
    """Minimise the sum of squares (J. J. More, 1978; the damping is divided or multiplied as a step is good or not).

    Returns:
        The minimum, and the sum of squares before each step and after the last.
    """
    slopes = jacfwd(residuals)
    point, damping = start, 1e-2
    found = residuals(point)
    losses = [float(found @ found)]
    for _ in range(steps):
        matrix = slopes(point)
        square, gradient = matrix.T @ matrix, matrix.T @ found
        if np.abs(gradient).max() < 1e-6:
            break
        while damping < 1e12:
            step = -np.linalg.solve(square + damping * np.diag(np.diag(square)), gradient)
            tried = residuals(point + step)
            if tried @ tried < losses[-1]:
                break
            damping *= 4.0
        else:
            break
        point, found, damping = point + step, tried, damping / 5.0
        losses.append(float(found @ found))
    return point, losses


def draw(years: Array, pelts: Array, parameters: Array, picture: Path) -> None:
    """The counts and the solution, over time and against each other."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    fine = np.linspace(years[0], years[-1], 400)
    solution = animals(parameters, fine)
    for column, (name, color) in enumerate((("hares", "C0"), ("lynxes", "C3"))):
        left.plot(fine, solution[:, column], color=color, label=f"{name}, model")
        left.plot(years, pelts[:, column], "o", color=color, markersize=4, label=f"{name}, pelts")
    left.set(title="Over time", xlabel="year", ylabel="thousands", ylim=(0, 1.25 * pelts.max()))
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(ncols=2)
    right.plot(*solution.T, color="C2", label="model")
    right.plot(*pelts.T, "o", color="gray", markersize=4, alpha=0.7, label="pelts")
    right.set(title="Against each other", xlabel="hares (thousands)", ylabel="lynxes (thousands)")
    right.set(xlim=(0, None), ylim=(0, None))
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130)


def main(argv: Sequence[str] | None = None) -> Fit:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Lotka-Volterra equations fitted to counts of pelts.")
    parser.add_argument("--steps", type=int, default=50, help="the most steps (default: 50)")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "hare_lynx.csv", help="the table")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="folder for the picture")
    options = parser.parse_args(argv)

    table = np.loadtxt(options.data, delimiter=",", skiprows=1)
    years, pelts = table[:, 0], table[:, 1:]

    def residuals(logarithms: Array) -> Array:
        return np.ravel(np.log(animals(np.exp(logarithms), years)) - np.log(pelts))

    logarithms, losses = levenberg_marquardt(residuals, np.log(START), options.steps)
    slopes = jacfwd(residuals)(logarithms)
    variance = losses[-1] / (pelts.size - len(START))
    fit = Fit(
        parameters=np.exp(logarithms),
        errors=np.exp(np.sqrt(variance * np.diag(np.linalg.inv(slopes.T @ slopes)))),
        scatter=float(np.sqrt(variance)),
        losses=losses,
        picture=options.output / "lotka_volterra.png",
    )
    draw(years, pelts, fit.parameters, fit.picture)
    for step, loss in enumerate(losses):
        print(f"step {step:2}   sum of squares {loss:.6f}")
    for name, value, error in zip(NAMES, fit.parameters, fit.errors, strict=True):
        print(f"{name:16} {value:8.4f}   up to a factor of {error:.3f}")
    print(f"counts scatter about the model by a factor of {np.exp(fit.scatter):.2f}")
    print(f"picture: {fit.picture}")
    return fit


if __name__ == "__main__":
    main()
