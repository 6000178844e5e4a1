"""Fits of the survival-analysis package lifelines, unmodified, on Autograd and on xformad: the same, and how much faster.

    python -m tests.compat.lifelines [--rounds 5] [--only WORD]

Needs the extra `compat-tests`. Two processes, one with each library, fit the same models in turns, so that both see the
same machine; the least processor time of each fit counts. Coefficients must agree to 1e-6, standard errors to 1e-5,
relative to the largest standard error or coefficient; otherwise the exit status is 1.

The standard errors of regressions are those at Autograd's coefficients, from which both fit once more: autograd-gamma takes
finite differences of finite differences, so that a step of 1e-9 changes Autograd's own standard errors of a generalized
gamma regression by 4e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

SIDES = ("autograd", "xformad")

Start: TypeAlias = dict[str, Any] | None
Fit: TypeAlias = Callable[[Start], Any]


def models() -> dict[str, Fit]:
    """The fits, by name. Imports lifelines, which imports Autograd: whichever is installed by then."""
    import lifelines as survival  # noqa: PLC0415
    from lifelines import datasets  # noqa: PLC0415

    rossi = datasets.load_rossi()
    regression = datasets.load_regression_dataset()
    waltons = datasets.load_waltons()
    kidney = datasets.load_kidney_transplant()
    breast = datasets.load_gbsg2()[["age", "tsize", "pnodes", "progrec", "estrec", "time", "cens"]]
    diabetes = datasets.load_diabetes()
    diabetes["gender"] = (diabetes["gender"] == "male") * 1
    larynx = datasets.load_larynx()[["time", "age", "death"]]
    knots = np.percentile(waltons["T"], [5, 50, 95])

    def of_waltons(fitter: Any) -> Fit:
        return lambda start: fitter.fit(waltons["T"], waltons["E"])

    def regress(fitter: Any, data: Any, *columns: str, intervals: bool = False, **options: Any) -> Fit:
        method = "fit_interval_censoring" if intervals else "fit"
        return lambda start: getattr(fitter(), method)(data, *columns, initial_point=start, **options)

    ancillary = {"ancillary": True}
    gamma = survival.GeneralizedGammaRegressionFitter
    steps = survival.PiecewiseExponentialRegressionFitter
    cox = survival.CoxPHFitter(baseline_estimation_method="spline", n_baseline_knots=3)
    rossi_columns = (rossi, "week", "arrest")
    return {
        "Weibull AFT, rossi": regress(survival.WeibullAFTFitter, *rossi_columns),
        "Weibull AFT, gbsg2, ancillary": regress(survival.WeibullAFTFitter, breast, "time", "cens", **ancillary),
        "Weibull AFT, diabetes, intervals": regress(
            survival.WeibullAFTFitter, diabetes, "left", "right", intervals=True
        ),
        "log-normal AFT, rossi": regress(survival.LogNormalAFTFitter, *rossi_columns),
        "log-normal AFT, kidney, ancillary": regress(survival.LogNormalAFTFitter, kidney, "time", "death", **ancillary),
        "log-logistic AFT, rossi": regress(survival.LogLogisticAFTFitter, *rossi_columns),
        "generalized gamma regression": regress(gamma, regression, "T", "E"),
        "generalized gamma regression, larynx": regress(lambda: gamma(penalizer=0.1), larynx, "time", "death"),
        "piecewise exponential regression": regress(lambda: steps([20, 40], penalizer=0.01), *rossi_columns),
        "Cox, spline baseline": lambda start: cox.fit(*rossi_columns),
        "Weibull": of_waltons(survival.WeibullFitter()),
        "exponential": of_waltons(survival.ExponentialFitter()),
        "log-normal": of_waltons(survival.LogNormalFitter()),
        "log-logistic": of_waltons(survival.LogLogisticFitter()),
        "generalized gamma": of_waltons(survival.GeneralizedGammaFitter()),
        "piecewise exponential": of_waltons(survival.PiecewiseExponentialFitter([20, 40])),
        "spline": of_waltons(survival.SplineFitter(knots)),
    }


def scaled(fitted: Any) -> dict[str, list[float]] | None:
    """The coefficients of a regression as `initial_point` takes them; None for other models."""
    if not hasattr(fitted, "_norm_std") or not hasattr(fitted, "regressors"):
        return None
    values = (fitted.params_ * fitted._norm_std).reindex(fitted._norm_std.index)
    return {name: list(values.loc[name]) for name in dict.fromkeys(values.index.get_level_values(0))}


def work(side: str) -> None:
    """Fit the models whose names come in by lines, with where to start, and answer each with a line."""
    if side == "xformad":
        from xformad.compat.autograd import install  # noqa: PLC0415

        install()
    warnings.simplefilter("ignore")
    fits = models()
    print(json.dumps(list(fits)), flush=True)
    for line in sys.stdin:
        name, given = json.loads(line)
        start = given and {parameter: np.array(values) for parameter, values in given.items()}
        began = time.process_time()
        fitted = fits[name](start)
        seconds = time.process_time() - began
        coefficients, errors = fitted.summary["coef"], fitted.summary["se(coef)"]
        found = {"seconds": seconds, "coef": list(coefficients), "se": list(errors), "scaled": scaled(fitted)}
        print(json.dumps(found), flush=True)


class Side:
    """A process that fits on one of the libraries."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.compat.lifelines", "--side", name]
        threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads}
        )
        self.names: list[str] = self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process has failed; see above")
        return json.loads(line)

    def fit(self, name: str, start: Start = None) -> dict[str, Any]:
        assert self.process.stdin is not None
        print(json.dumps([name, start]), file=self.process.stdin, flush=True)
        found: dict[str, Any] = self.answer()
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def difference(found: list[float], expected: list[float]) -> float:
    """The largest difference, relative to each number or, where that is small, to the largest of them."""
    a, b = np.array(found), np.array(expected)
    scale = np.maximum(np.abs(b), 1e-3 * np.max(np.abs(b)))
    return float(np.max(np.abs(a - b) / scale))


def main() -> int:
    """Run both sides, print a table, and say whether they agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    if options.side:
        work(options.side)
        return 0
    sides = {name: Side(name) for name in SIDES}
    wrong = []
    ratios = []
    print(f"{'fit, ms of processor time':38s} {'autograd':>9s} {'xformad':>9s} {'ratio':>6s} {'coef':>8s} {'se':>8s}")
    for name in sides["autograd"].names:
        if options.only not in name:
            continue
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side in SIDES:
                runs[side].append(sides[side].fit(name))
        theirs, ours = (min(run["seconds"] for run in runs[side]) for side in SIDES)
        coefficients = difference(runs["xformad"][0]["coef"], runs["autograd"][0]["coef"])
        start = runs["autograd"][0]["scaled"]
        again = {side: sides[side].fit(name, start) if start else runs[side][0] for side in SIDES}
        errors = difference(again["xformad"]["se"], again["autograd"]["se"])
        ratios.append(theirs / ours)
        row = f"{1e3 * theirs:9.1f} {1e3 * ours:9.1f} {ratios[-1]:6.2f} {coefficients:8.0e} {errors:8.0e}"
        print(f"{name:38s} {row}", flush=True)
        if coefficients > 1e-6 or errors > 1e-5:
            wrong.append(name)
    for process in sides.values():
        process.close()
    print(f"{'geometric mean':38s} {'':19s} {np.exp(np.mean(np.log(ratios))):6.2f}")
    if wrong:
        print("these fits differ:", *wrong, sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
