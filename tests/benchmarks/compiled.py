"""`jit` against JAX's: gradients and Hessians in double precision, NumPy arrays in and out, both in one process, in turn.

    python -m tests.benchmarks.compiled            # all
    python -m tests.benchmarks.compiled rnn        # some
    python -m tests.benchmarks.compiled --seconds 3
    python -m tests.benchmarks.compiled --write docs/performance.md

A ratio above 1 says that xformad is faster. `target` is what the project set itself. JAX runs on the CPU, with as many
threads as BLAS; the first call records (traces) and compiles.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import xformad
from tests.benchmarks.timing import interleaved, readable
from xformad.compiler.native import blas

jax.config.update("jax_enable_x64", True)
random = np.random.default_rng(0)


@dataclass
class Work:
    """What is measured.

    Attributes:
        title: what it is.
        program: given a namespace, the function.
        derivative: what is taken of it, given a library.
        args: its arguments.
        target: the ratio to reach.
        alone: of the arguments: a function that does the same products of matrices in NumPy, and nothing else.
    """

    title: str
    program: Callable[[Any], Callable[..., Any]]
    derivative: Callable[[Any], Callable[..., Any]]
    args: tuple[Any, ...]
    target: float
    alone: Callable[..., Callable[[], None]] | None = None


def scalar(np: Any) -> Callable[..., Any]:
    return lambda x: np.sin(x) * np.exp(-x) + x**2


def rosenbrock(np: Any) -> Callable[..., Any]:
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def black_scholes(np: Any) -> Callable[..., Any]:
    def cdf(x: Any) -> Any:
        return 0.5 * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))

    def price(spot: Any, strike: Any, time: Any, rate: Any, volatility: Any) -> Any:
        root = volatility * np.sqrt(time)
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / root
        return np.sum(spot * cdf(d1) - strike * np.exp(-rate * time) * cdf(d1 - root))

    return price


def cross_entropy(np: Any) -> Callable[..., Any]:
    def loss(logits: Any, targets: Any) -> Any:
        shifted = logits - np.max(logits, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - np.sum(targets * shifted, axis=1))

    return loss


def network(np: Any) -> Callable[..., Any]:
    def loss(parameters: Any, x: Any, y: Any) -> Any:
        for weights, bias in parameters[:-1]:
            x = np.tanh(x @ weights + bias)
        weights, bias = parameters[-1]
        return np.mean((x @ weights + bias - y) ** 2)

    return loss


def network_products(parameters: Any, x: Any, y: Any) -> Callable[[], None]:
    """The products of a network's gradient, into memory that is there."""
    factors = []
    for weights, _ in parameters:
        following = x @ weights
        factors += [(x, weights), (x.T, following)]
        if len(factors) > 2:  # the gradient by the data is not asked for
            factors.append((following, weights.T))
        x = following
    tasks = [(left, right, left @ right) for left, right in factors]

    def run() -> None:
        for left, right, out in tasks:
            np.matmul(left, right, out=out)

    return run


SEQUENCE = random.normal(size=(100, 32))


def rnn(np: Any) -> Callable[..., Any]:
    def loss(w: Any, u: Any, b: Any) -> Any:
        inputs = SEQUENCE @ u + b
        h = np.zeros(32)
        for t in range(100):
            h = np.tanh(inputs[t] + h @ w)
        return np.sum(h**2)

    return loss


def rnn_scan(np: Any) -> Callable[..., Any]:
    scan: Any = jax.lax.scan if np is jnp else xformad.scan

    def loss(w: Any, u: Any, b: Any) -> Any:
        h, _ = scan(lambda h, x: (np.tanh(x + h @ w), None), np.zeros(32), SEQUENCE @ u + b)
        return np.sum(h**2)

    return loss


def mixture(np: Any) -> Callable[..., Any]:
    def log_likelihood(logits: Any, means: Any, factors: Any, x: Any) -> Any:
        diagonal = np.exp(np.diagonal(factors, axis1=1, axis2=2))
        lower = np.tril(factors, -1) + diagonal[:, None, :] * np.eye(factors.shape[-1])
        z = np.einsum("nkd,kde->nke", x[:, None, :] - means, lower)
        joint = logits + np.sum(np.log(diagonal), axis=1) - 0.5 * np.sum(z**2, axis=2)
        top = np.max(joint, axis=1, keepdims=True)
        return np.sum(top[:, 0] + np.log(np.sum(np.exp(joint - top), axis=1)))

    return log_likelihood


def layers(*sizes: int) -> list[tuple[Any, Any]]:
    return [(random.normal(size=(m, n)) / np.sqrt(m), np.zeros(n)) for m, n in zip(sizes[:-1], sizes[1:], strict=True)]


OPTIONS = 1_000_000
ONE_HOT = np.eye(1000)[random.integers(0, 1000, 4096)]
WORKS: dict[str, Work] = {
    "scalar": Work("sin(x)exp(-x)+x^2 at a float, gradient", scalar, lambda lib: lib.grad, (0.7,), 2.0),
    "rosenbrock": Work("Rosenbrock, n = 10, gradient", rosenbrock, lambda lib: lib.grad, (np.linspace(0, 1, 10),), 1.2),
    "options": Work(
        "Black-Scholes, 10^6 options, gradient by spot",
        black_scholes,
        lambda lib: lib.grad,
        (
            random.uniform(80, 120, OPTIONS),
            random.uniform(80, 120, OPTIONS),
            random.uniform(0.1, 2, OPTIONS),
            0.03,
            0.2,
        ),
        1.7,
    ),
    "softmax": Work(
        "softmax cross-entropy (4096, 1000) and gradient",
        cross_entropy,
        lambda lib: lib.value_and_grad,
        (random.normal(size=(4096, 1000)), ONE_HOT),
        1.3,
    ),
    "network": Work(
        "784-200-100-10 tanh network, batch 256, gradient",
        network,
        lambda lib: lib.grad,
        (layers(784, 200, 100, 10), random.normal(size=(256, 784)), random.normal(size=(256, 10))),
        0.9,
        network_products,
    ),
    "rnn": Work(
        "100-step tanh RNN of 32 units, unrolled, gradient",
        rnn,
        lambda lib: lambda f: lib.grad(f, (0, 1, 2)),
        (random.normal(size=(32, 32)) / 6, random.normal(size=(32, 32)) / 6, np.zeros(32)),
        1.3,
    ),
    "rnn_scan": Work(
        "100-step tanh RNN of 32 units, scan, gradient",
        rnn_scan,
        lambda lib: lambda f: lib.grad(f, (0, 1, 2)),
        (random.normal(size=(32, 32)) / 6, random.normal(size=(32, 32)) / 6, np.zeros(32)),
        1.3,
    ),
    "hessian": Work(
        "Rosenbrock, n = 100, Hessian", rosenbrock, lambda lib: lib.hessian, (np.linspace(0, 1, 100),), 1.2
    ),
    "mixture": Work(
        "Gaussian mixture, d = 10, k = 25, n = 1000, value and gradient",
        mixture,
        lambda lib: lambda f: lib.value_and_grad(f, (0, 1, 2)),
        (
            random.normal(size=25),
            random.normal(size=(25, 10)),
            0.1 * random.normal(size=(25, 10, 10)),
            random.normal(size=(1000, 10)),
        ),
        1.2,
    ),
}


def measure(name: str, seconds: float) -> str:
    """Print the lines of one work. Returns its row of the table in docs/performance.md."""
    work = WORKS[name]
    ours = xformad.jit(work.derivative(xformad)(work.program(np)))
    theirs = jax.jit(work.derivative(jax)(work.program(jnp)))
    forward = xformad.jit(work.program(np))

    def run_theirs() -> Any:
        return jax.tree.map(np.asarray, theirs(*work.args))

    first: dict[str, float] = {}
    calls: dict[str, Callable[[], Any]] = {"xformad": lambda: ours(*work.args), "JAX": run_theirs}
    for library, call in calls.items():
        start = time.perf_counter()
        found = call()
        first[library] = time.perf_counter() - start
    for x, y in zip(jax.tree.leaves(ours(*work.args)), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8)
    calls["forward"] = lambda: forward(*work.args)
    calls["eager"] = lambda: work.derivative(xformad)(work.program(np))(*work.args)
    if work.alone is not None:
        calls["products"] = work.alone(*work.args)
    times = interleaved(calls, seconds)
    ratio = times["JAX"] / times["xformad"]
    print(f"\n{work.title}")
    print(f"  xformad jit {readable(times['xformad']):>10}   first call {readable(first['xformad']):>10}")
    print(f"  JAX jit     {readable(times['JAX']):>10}   first call {readable(first['JAX']):>10}")
    print(
        f"  ratio {ratio:.2f} (target {work.target}), of the first calls {first['JAX'] / first['xformad']:.2f} (target 1.5)"
    )
    print(f"  in units of the jitted value {times['xformad'] / times['forward']:.2f} (target at most 4)", end="")
    print(f"; eager {readable(times['eager'])}, {times['eager'] / times['xformad']:.1f}x slower")
    if work.alone is not None:
        relative = times["xformad"] / times["products"]
        alone = readable(times["products"])
        print(f"  the same products alone in NumPy {alone}; in units of that {relative:.2f} (target at most 1.15)")
    cells = [work.title, *[readable(times[who]) for who in ("eager", "xformad", "JAX")], f"{ratio:.1f}"]
    return row([*cells, readable(first["xformad"]), readable(first["JAX"])])


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def chain(length: int) -> Callable[[Any], Callable[..., Any]]:
    def program(np: Any) -> Callable[..., Any]:
        def fun(x: Any) -> Any:
            for i in range(length):
                x = np.sin(x) + 1.0 if i % 3 == 0 else x * 0.5
            return x

        return fun

    return program


def indexings(np: Any) -> Callable[..., Any]:
    def fun(x: Any) -> Any:
        total = 0.0
        for i in range(500):
            total = total + x[i] * x[i]
        return total

    return fun


COMPILATIONS: dict[str, tuple[str, Callable[[Any], Callable[..., Any]], int]] = {
    "chain3000": ("a chain of 3000 operations", chain(2250), 10),  # every third step is two operations
    "chain10000": ("a chain of 10 000 operations", chain(7500), 10),
    "indexings500": ("500 indexings", indexings, 500),
}


def compilation(name: str) -> str:
    """Print how long a first call takes that is nearly all compilation. Returns its row of the table."""
    title, program, size = COMPILATIONS[name]
    x = np.linspace(0.1, 0.9, size)
    found = []
    for jit, library in ((xformad.jit, np), (jax.jit, jnp)):
        start = time.perf_counter()
        np.asarray(jit(program(library))(x))
        found.append(time.perf_counter() - start)
    print(
        f"\nfirst call of {title}: xformad {readable(found[0])}, JAX {readable(found[1])}, ratio {found[1] / found[0]:.1f}"
    )
    return row([title, readable(found[0]), readable(found[1]), f"{found[1] / found[0]:.1f}"])


def written(path: Path, machine: str, works: list[str], compilations: list[str]) -> None:
    """Put the tables into a page, between its marks."""
    heads = {
        "works": ["", "eager", "`jit`", "JAX's `jit`", "JAX / `jit`", "first call", "JAX's first call"],
        "compilations": ["first call of", "`jit`", "JAX's `jit`", "JAX / `jit`"],
    }
    text = path.read_text("utf-8")
    for name, rows in (("works", works), ("compilations", compilations)):
        head = heads[name]
        table = "\n".join([machine, "", row(head), row(["---"] * len(head)), *rows])
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert mark, f"{path} has no mark for {name}"
        assert end, f"{path} has no end of the table {name}"
        text = f"{before}{mark}{table}\n{end}{after}"
    path.write_text(text, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="jit against JAX's jit.")
    everything = [*WORKS, *COMPILATIONS]
    parser.add_argument(
        "names", nargs="*", choices=[[], *everything], help=f"of {', '.join(everything)} (default: all)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contender (default: 1)")
    parser.add_argument("--write", type=Path, help="a page whose tables are to be written")
    options = parser.parse_args()
    machine = (
        f"xformad {xformad.__version__}, JAX {jax.__version__}, NumPy {np.__version__}, {os.cpu_count()} cores, "
        f"BLAS: {blas.description()}"
    )
    print(machine)
    xformad.jit(lambda x: x + 1.0)(1.0), jax.jit(jnp.sin)(np.ones(3))  # both have started up
    works = [measure(name, options.seconds) for name in options.names or WORKS if name in WORKS]
    compilations = [compilation(name) for name in options.names or COMPILATIONS if name in COMPILATIONS]
    if options.write:
        written(options.write, machine, works, compilations)


if __name__ == "__main__":
    main()
