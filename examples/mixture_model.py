"""Eruptions of Old Faithful: a mixture of Gaussian distributions, fitted by natural gradient.

How long the geyser erupts, and how long one then waits for the next eruption, falls into groups (`data/README.md`). The
model: an eruption belongs to group k with probability weight[k], and is then Gaussian, with a full covariance matrix.
A step of gradient ascent on the likelihood goes where the parameters, as numbers, change least; one along the natural
gradient where the *distribution* changes least (S. Amari, 1998). It is the gradient divided by the Fisher matrix, the mean
of the outer products of the scores, which are the gradients of single eruptions: `vmap(grad(...))`.

    python examples/mixture_model.py
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
from tqdm import tqdm

from xformad import grad, tree, vmap

Array = NDArray[np.float64]
Parameters = dict[str, Array]
"""Of k groups in d dimensions: "logits" (k) of the weights, "means" (k, d), and "factors" (k, d, d): the lower triangles of
the Cholesky factors of the inverse covariances, with the logarithms of their diagonals on the diagonal."""

HERE: Final = Path(__file__).parent
DAMPING: Final = 1e-3
"""Added to the Fisher matrix, which is singular: logits that all grow by the same number give the same weights."""


@dataclass(frozen=True)
class Fit:
    """What was found. Log-likelihoods are in nats, of all eruptions together, in minutes.

    Attributes:
        weights, means, covariances: of the groups, in minutes, that of the shortest eruptions first.
        natural, plain: the log-likelihood after each step along the natural gradient, and along the plain one.
        picture: the file.
    """

    weights: Array
    means: Array
    covariances: Array
    natural: list[float]
    plain: list[float]
    picture: Path


def log_sum_exp(x: Array) -> np.float64:
    """log(sum(exp(x))), in a form that cannot overflow."""
    largest = np.max(x)
    total: np.float64 = largest + np.log(np.sum(np.exp(x - largest)))
    return total


def log_density(parameters: Parameters, point: Array) -> np.float64:
    """The logarithm of the density at one point."""
    logits, means, raw = parameters["logits"], parameters["means"], parameters["factors"]
    eye = np.eye(len(point))
    factors = np.tril(raw, -1) + eye * np.exp(raw * eye)
    z = np.einsum("kd,kde->ke", point - means, factors)
    log_determinants = np.sum(raw * eye, axis=(1, 2))
    log_densities = log_determinants - 0.5 * np.sum(z**2, axis=1) - 0.5 * len(point) * np.log(2.0 * np.pi)
    return log_sum_exp(logits + log_densities) - log_sum_exp(logits)


log_densities = vmap(log_density, in_axes=(None, 0))
scores = vmap(grad(log_density), in_axes=(None, 0))


def score_matrix(parameters: Parameters, points: Array) -> Array:
    """The gradient of each point's log-density, a row a point, a column a parameter."""
    return np.hstack([leaf.reshape(len(points), -1) for leaf in tree.leaves_of(scores(parameters, points))])


def moved(parameters: Parameters, direction: Array) -> Parameters:
    """The parameters after a step."""
    leaves, structure = tree.flatten(parameters)
    parts = np.split(direction, np.cumsum([leaf.size for leaf in leaves])[:-1])
    steps = [leaf + part.reshape(leaf.shape) for leaf, part in zip(leaves, parts, strict=True)]
    found: Parameters = tree.unflatten(structure, steps)
    return found


def ascend(
    parameters: Parameters, points: Array, steps: int, rate: float, natural: bool
) -> tuple[Parameters, list[float]]:
    """Gradient ascent on the likelihood.

    Returns:
        The parameters, and the sum of the log-densities before each step and after the last.
    """
    losses = [float(log_densities(parameters, points).sum())]
    for _ in tqdm(range(steps), desc="natural gradient" if natural else "plain gradient", unit="step"):
        found = score_matrix(parameters, points)
        direction = found.mean(axis=0)
        if natural:
            fisher = found.T @ found / len(points)
            direction = np.linalg.solve(fisher + DAMPING * np.eye(len(fisher)), direction)
        parameters = moved(parameters, rate * direction)
        losses.append(float(log_densities(parameters, points).sum()))
    return parameters, losses


def start(points: Array, groups: int, seed: int) -> Parameters:
    """Groups of equal weight about points drawn at random."""
    dimension = points.shape[1]
    chosen = np.random.default_rng(seed).choice(len(points), groups, replace=False)
    return {
        "logits": np.zeros(groups),
        "means": points[chosen],
        "factors": np.zeros((groups, dimension, dimension)),
    }


def covariances(raw: Array) -> Array:
    """The covariance matrices of the groups."""
    eye = np.eye(raw.shape[-1])
    factors = np.tril(raw, -1) + eye * np.exp(raw * eye)
    return np.asarray(np.linalg.inv(factors @ np.swapaxes(factors, -1, -2)), np.float64)


def draw_groups(axes: Axes, table: Array, fit: Fit) -> None:
    """The eruptions, and for each group the lines of one and two standard deviations."""
    axes.plot(*table.T, ".", color="gray", markersize=5, alpha=0.6)
    angles = np.linspace(0.0, 2.0 * np.pi, 200)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    for k, (weight, mean, covariance) in enumerate(zip(fit.weights, fit.means, fit.covariances, strict=True)):
        ellipse = np.linalg.cholesky(covariance) @ circle
        for deviations in (1.0, 2.0):
            label = f"{weight:.0%} of the eruptions" if deviations == 1.0 else None
            axes.plot(*(mean[:, None] + deviations * ellipse), color=f"C{k}", label=label)
    axes.set(title="Old Faithful", xlabel="eruption (minutes)", ylabel="wait for the next (minutes)")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")


def draw_ascent(axes: Axes, fit: Fit) -> None:
    """The log-likelihoods over the steps."""
    axes.plot(fit.natural, label="natural gradient")
    axes.plot(fit.plain, label="plain gradient")
    axes.set(title="Ascent", xlabel="step", ylabel="log-likelihood (nats)")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def main(argv: Sequence[str] | None = None) -> Fit:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="A mixture of Gaussian distributions by natural gradient.")
    parser.add_argument("--groups", type=int, default=2, help="how many (default: 2)")
    parser.add_argument("--steps", type=int, default=60, help="steps of gradient ascent (default: 60)")
    parser.add_argument("--rate", type=float, default=0.5, help="length of a natural step (default: 0.5)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the start (default: 0)")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "old_faithful.csv", help="the table")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="folder for the picture")
    options = parser.parse_args(argv)

    table = np.loadtxt(options.data, delimiter=",", skiprows=1)
    mean, deviation = table.mean(axis=0), table.std(axis=0)
    points = (table - mean) / deviation
    in_minutes = -len(table) * np.log(deviation).sum()  # the density of a standardised point is larger by this

    first = start(points, options.groups, options.seed)
    parameters, natural = ascend(first, points, options.steps, options.rate, natural=True)
    _, plain = ascend(first, points, options.steps, options.rate, natural=False)
    order = np.argsort(parameters["means"][:, 0])
    weights = np.exp(parameters["logits"] - log_sum_exp(parameters["logits"]))
    fit = Fit(
        weights=weights[order],
        means=mean + deviation * parameters["means"][order],
        covariances=covariances(parameters["factors"])[order] * np.outer(deviation, deviation),
        natural=[float(in_minutes + loss) for loss in natural],
        plain=[float(in_minutes + loss) for loss in plain],
        picture=options.output / "mixture_model.png",
    )

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_groups(left, table, fit)
    draw_ascent(right, fit)
    fit.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(fit.picture, dpi=130)

    print(f"log-likelihood after {options.steps} steps: natural {fit.natural[-1]:.3f}, plain {fit.plain[-1]:.3f} nats")
    for weight, centre in zip(fit.weights, fit.means, strict=True):
        print(f"{weight:6.1%} of the eruptions: {centre[0]:.2f} minutes, then {centre[1]:.1f} minutes of waiting")
    print(f"picture: {fit.picture}")
    return fit


if __name__ == "__main__":
    main()
