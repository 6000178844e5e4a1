"""In-place programs: how the time of a gradient grows with the number of writes, and what they cost beside a list.

    python -m tests.benchmarks.in_place

Arrays are filled entry by entry, or row by row; the list of the same entries is made an array by `xformad.numpy.array`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import xformad
import xformad.numpy as xnp
from tests.benchmarks.timing import interleaved, readable

LENGTHS = (1000, 4000, 16_000)


def entries(n: int, x: Any) -> Any:
    out = xnp.zeros(n)
    for i in range(n):
        out[i] = x * i
    return np.sum(out * out)


def entries_list(n: int, x: Any) -> Any:
    out = xnp.array([x * i for i in range(n)])
    return np.sum(out * out)


def recurrence(n: int, x: Any) -> Any:
    out = xnp.ones(n)
    for i in range(1, n):
        out[i] = out[i - 1] * x
    return np.sum(out)


def recurrence_list(n: int, x: Any) -> Any:
    out = [1.0]
    for _ in range(1, n):
        out.append(out[-1] * x)
    return np.sum(xnp.array(out))


def rows(n: int, x: Any) -> Any:
    out = xnp.zeros((n, 3))
    for i in range(1, n):
        out[i] = out[i - 1] * 0.5 + x
    return np.sum(out * out)


def rows_list(n: int, x: Any) -> Any:
    out = [np.zeros(3)]
    for _ in range(1, n):
        out.append(out[-1] * 0.5 + x)
    return np.sum(np.stack(out) ** 2)


PROGRAMS: dict[str, tuple[Callable[[int, Any], Any], Callable[[int, Any], Any]]] = {
    "out[i] = x * i": (entries, entries_list),
    "out[i] = out[i - 1] * x": (recurrence, recurrence_list),
    "rows of a matrix": (rows, rows_list),
}

MODES: dict[str, Callable[[Callable[[Any], Any]], Callable[[Any], Any]]] = {
    "grad": xformad.grad,
    "jvp": lambda fun: lambda x: xformad.jvp(fun, (x,), (1.0,))[1],
    "grad of grad": lambda fun: xformad.grad(xformad.grad(fun)),
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each contender of a line (default: 0.5)")
    options = parser.parse_args(argv)
    for mode, transform in MODES.items():
        print(f"\n{mode}: n = {', '.join(map(str, LENGTHS))}; in times of the same with a list")
        for name, (written, listed) in PROGRAMS.items():
            calls: dict[str, Callable[[], Any]] = {}
            for n in LENGTHS:
                ours, theirs = transform(partial(written, n)), transform(partial(listed, n))
                np.testing.assert_allclose(ours(0.99), theirs(0.99), rtol=1e-9)
                calls[f"{n}"], calls[f"{n} list"] = partial(ours, 0.99), partial(theirs, 0.99)
            times = interleaved(calls, options.seconds, rounds=3)
            growth = np.log(times[f"{LENGTHS[-1]}"] / times[f"{LENGTHS[0]}"]) / np.log(LENGTHS[-1] / LENGTHS[0])
            shown = "  ".join(
                f"{readable(times[f'{n}']):>9} ({times[f'{n}'] / times[f'{n} list']:.2f})" for n in LENGTHS
            )
            print(f"  {name:25}{shown}   as n^{growth:.2f}, target n^1.1")


if __name__ == "__main__":
    main()
