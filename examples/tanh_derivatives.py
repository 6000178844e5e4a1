"""The hyperbolic tangent and its first six derivatives, each by differentiating the one before it.

`elementwise_grad(f)` is again an ordinary Python function of arrays, so it can be differentiated like any other: the
sixth derivative is six transformations, one inside the other, of a single line of NumPy. The closed forms are
polynomials in t = tanh(x), since t' = 1 - t^2; they tell how accurate the nested derivatives are.

    python examples/tanh_derivatives.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from xformad import elementwise_grad

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Report:
    """What the program found: the largest error of each derivative, and where the picture is."""

    errors: list[float]
    picture: Path


def tanh(x: Array) -> Array:
    """The function that is differentiated."""
    return np.tanh(x)


def derivatives(fun: Function, order: int) -> list[Function]:
    """A function of arrays and its derivatives up to an order."""
    functions = [fun]
    for _ in range(order):
        functions.append(elementwise_grad(functions[-1]))
    return functions


def closed_forms(order: int) -> list[Function]:
    """The same by hand: the nth derivative is p_n(tanh(x)), with p_0(t) = t and p_(n+1)(t) = p_n'(t) (1 - t^2)."""
    polynomials = [Polynomial([0.0, 1.0])]
    for _ in range(order):
        polynomials.append(polynomials[-1].deriv() * Polynomial([1.0, 0.0, -1.0]))
    return [lambda x, p=p: p(np.tanh(x)) for p in polynomials]  # type: ignore[misc]


def label(order: int) -> str:
    """The name of a derivative, as mathematicians write it."""
    mark = "'" * order if order < 4 else f"^{{({order})}}"
    return rf"$\tanh{mark}(x)$"


def draw(x: Array, curves: list[Array], picture: Path) -> None:
    """Draw the curves: as they are, and each scaled to its own largest value, which the legend gives."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    plain, scaled = figure.subplots(1, 2)
    for order, curve in enumerate(curves):
        peak = np.max(np.abs(curve))
        plain.plot(x, curve, color=f"C{order}", label=label(order))
        scaled.plot(x, curve / peak, color=f"C{order}", label=f"{label(order)}, peak {peak:.3g}")
    plain.set(title="tanh and its derivatives", xlabel="x", ylabel="value")
    scaled.set(title="each divided by its peak", xlabel="x", ylabel="value / peak", ylim=(-1.1, 1.1))
    for axes in (plain, scaled):
        axes.set_xlim(x[0], x[-1])
        axes.grid(alpha=0.3)
    scaled.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130)


def main(argv: Sequence[str] | None = None) -> Report:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Draw tanh and its derivatives, by nested elementwise_grad.")
    parser.add_argument("--order", type=int, default=6, help="the highest derivative (default: 6)")
    parser.add_argument("--points", type=int, default=701, help="points on the x axis (default: 701)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output", help="folder for the picture")
    options = parser.parse_args(argv)
    if options.order < 0 or options.points < 2:
        parser.error("--order must be at least 0 and --points at least 2")

    x = np.linspace(-7.0, 7.0, options.points)
    curves = [fun(x) for fun in derivatives(tanh, options.order)]
    errors = []
    print("order   largest value   largest error against the closed form")
    for order, (curve, exact) in enumerate(zip(curves, closed_forms(options.order), strict=True)):
        errors.append(float(np.max(np.abs(curve - exact(x)))))
        print(f"{order:5d}   {np.max(np.abs(curve)):13.6f}   {errors[-1]:.1e}")

    picture = options.output / "tanh_derivatives.png"
    draw(x, curves, picture)
    print(f"picture: {picture}")
    return Report(errors, picture)


if __name__ == "__main__":
    main()
