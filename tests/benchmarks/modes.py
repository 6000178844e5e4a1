"""The modes beside the gradient: matrices of derivatives, batches, series.

    python -m tests.benchmarks.modes            # all
    python -m tests.benchmarks.modes sparse     # some

As in `eager.py`, every line is measured in one run, the contenders in turn. `target` is what the project set itself.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")

import numpy as np

import xformad
from tests.benchmarks.timing import interleaved, readable

random = np.random.default_rng(0)


def chained_rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def run_sparse(seconds: float) -> None:
    """The sparse Hessian of the chained Rosenbrock function of 100 000 numbers, in gradients' time."""
    x = random.normal(size=100_000)
    gradient = xformad.grad(chained_rosenbrock)
    start = time.perf_counter()
    hessian = xformad.sparse_hessian(chained_rosenbrock, x)
    prepared = time.perf_counter() - start
    v = random.normal(size=x.size)
    np.testing.assert_allclose(hessian(x) @ v, xformad.hvp(chained_rosenbrock)(x, v), rtol=1e-8, atol=1e-8)
    times = interleaved({"gradient": lambda: gradient(x), "hessian": lambda: hessian(x)}, seconds)
    print(f"\nsparse Hessian of a chained Rosenbrock, n = 100 000\n  {hessian!r}")
    print(f"  prepared once in    {readable(prepared):>10}")
    print(f"  gradient            {readable(times['gradient']):>10}")
    ratio = times["hessian"] / times["gradient"]
    print(f"  Hessian             {readable(times['hessian']):>10}   {ratio:.2f} gradients' time   target at most 10")


BENCHMARKS: dict[str, Callable[[float], None]] = {"sparse": run_sparse}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each contender of a line (default: 2)")
    options = parser.parse_args(argv)
    print(f"numpy {np.__version__}, {os.cpu_count()} processors")
    for name in options.names or BENCHMARKS:
        BENCHMARKS[name](options.seconds)


if __name__ == "__main__":
    main()
