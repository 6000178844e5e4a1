"""The eager path against Autograd, hand-written NumPy, and JAX and PyTorch where installed.

    python -m tests.benchmarks.eager            # all, about two minutes
    python -m tests.benchmarks.eager scalar rnn # some

Every line is measured in one run, the contenders in turn. The ratio is the other's time over xformad's: above 1, xformad
is faster. `target` is the ratio that the project set itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tracemalloc
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")

import autograd
import autograd.numpy as anp
import numpy as np

import xformad
import xformad.numpy as xnp
from tests.benchmarks.timing import interleaved, readable

Contenders = dict[str, Callable[[], Any]]

random = np.random.default_rng(0)


def scalar(np: Any) -> Callable[[Any], Any]:
    return lambda x: np.sin(x) * np.exp(-x) + x**2


def bench_scalar() -> tuple[Contenders, float]:
    ours, theirs = xformad.grad(scalar(np)), autograd.grad(scalar(anp))
    contenders: Contenders = {"xformad": lambda: ours(1.3), "autograd": lambda: theirs(1.3)}
    if importlib.util.find_spec("jax"):
        contenders["jax (eager)"], contenders["jax (jit)"] = jax_scalar()
    if importlib.util.find_spec("torch"):
        contenders["torch"] = torch_scalar()
    return contenders, 5


def jax_scalar() -> tuple[Callable[[], Any], Callable[[], Any]]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    eager = jax.grad(scalar(jax.numpy))
    compiled = jax.jit(eager)
    return lambda: float(eager(1.3)), lambda: float(compiled(1.3))


def torch_scalar() -> Callable[[], Any]:
    torch = importlib.import_module("torch")
    derivative = torch.func.grad(scalar(torch))
    point = torch.tensor(1.3, dtype=torch.float64)
    return lambda: derivative(point)


def bench_third() -> tuple[Contenders, float]:
    ours = xformad.grad(xformad.grad(xformad.grad(scalar(np))))
    theirs = autograd.grad(autograd.grad(autograd.grad(scalar(anp))))
    return {"xformad": lambda: ours(1.3), "autograd": lambda: theirs(1.3)}, 5


def rosenbrock(np: Any) -> Callable[[Any], Any]:
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def bench_rosenbrock() -> tuple[Contenders, float]:
    x = np.linspace(0.0, 1.0, 10)
    ours, theirs, plain = xformad.grad(rosenbrock(np)), autograd.grad(rosenbrock(anp)), rosenbrock(np)
    return {"xformad": lambda: ours(x), "autograd": lambda: theirs(x), "numpy, value only": lambda: plain(x)}, 4


def fan(np: Any) -> Callable[[Any], Any]:
    """Autograd's own core benchmark: ten thousand times fan-out and fan-in."""

    def fan_out_fan_in(x: Any) -> Any:
        for _ in range(10_000):
            x = (x + x) / 2.0
        return np.sum(x)

    return fan_out_fan_in


def bench_fan() -> tuple[Contenders, float]:
    ours, theirs = xformad.grad(fan(np)), autograd.grad(fan(anp))
    return {"xformad": lambda: ours(2.0), "autograd": lambda: theirs(2.0)}, 4


def rnn(np: Any, inputs: Any) -> Callable[[Any], Any]:
    """A tanh network of 32 units over 100 steps."""

    def loss(parameters: Any) -> Any:
        recurrent, weights, bias = parameters
        projected = np.dot(inputs, weights) + bias  # of all steps at once
        hidden = np.zeros(32)
        for step in range(len(inputs)):
            hidden = np.tanh(np.dot(recurrent, hidden) + projected[step])
        return np.sum(hidden**2)

    return loss


def bench_rnn() -> tuple[Contenders, float]:
    parameters = (0.2 * random.normal(size=(32, 32)), random.normal(size=(8, 32)), random.normal(size=32))
    inputs = random.normal(size=(100, 8))
    ours, theirs, plain = xformad.grad(rnn(np, inputs)), autograd.grad(rnn(anp, inputs)), rnn(np, inputs)
    return {
        "xformad": lambda: ours(parameters),
        "autograd": lambda: theirs(parameters),
        "numpy, value only": lambda: plain(parameters),
    }, 4


def bench_index() -> tuple[Contenders, float]:
    x = np.arange(5000.0)

    def loss(x: Any) -> Any:
        return sum(x[i] * x[i] for i in range(5000))

    ours, theirs = xformad.grad(loss), autograd.grad(loss)
    return {"xformad": lambda: ours(x), "autograd": lambda: theirs(x)}, 10


def network(np: Any, images: Any, targets: Any) -> Callable[[Any], Any]:
    """A 784-200-100-10 tanh network with softmax cross-entropy."""

    def loss(parameters: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = parameters
        hidden = np.tanh(np.dot(images, w1) + b1)
        hidden = np.tanh(np.dot(hidden, w2) + b2)
        logits = np.dot(hidden, w3) + b3
        shifted = logits - np.max(logits, axis=1, keepdims=True)
        return -np.sum(targets * (shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True)))) / len(images)

    return loss


def network_by_hand(images: Any, targets: Any) -> Callable[[Any], Any]:
    def gradient(parameters: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = parameters
        h1 = np.tanh(np.dot(images, w1) + b1)
        h2 = np.tanh(np.dot(h1, w2) + b2)
        logits = np.dot(h2, w3) + b3
        exps = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        g3 = (exps / np.sum(exps, axis=1, keepdims=True) - targets) / len(images)
        g2 = np.dot(g3, w3.T) * (1 - h2 * h2)
        g1 = np.dot(g2, w2.T) * (1 - h1 * h1)
        return (
            (np.dot(images.T, g1), np.sum(g1, axis=0)),
            (np.dot(h1.T, g2), np.sum(g2, axis=0)),
            (np.dot(h2.T, g3), np.sum(g3, axis=0)),
        )

    return gradient


def bench_network() -> tuple[Contenders, float]:
    sizes = [784, 200, 100, 10]
    parameters = [(0.05 * random.normal(size=(m, n)), np.zeros(n)) for m, n in zip(sizes, sizes[1:], strict=False)]
    images = random.normal(size=(256, 784))
    targets = np.eye(10)[random.integers(0, 10, 256)]
    ours, theirs = xformad.grad(network(np, images, targets)), autograd.grad(network(anp, images, targets))
    by_hand = network_by_hand(images, targets)
    for (w, b), (v, c) in zip(ours(parameters), by_hand(parameters), strict=True):
        np.testing.assert_allclose(w, v, atol=1e-12)
        np.testing.assert_allclose(b, c, atol=1e-12)
    return {
        "xformad": lambda: ours(parameters),
        "autograd": lambda: theirs(parameters),
        "numpy by hand": lambda: by_hand(parameters),
    }, 1 / 1.15


BENCHMARKS: dict[str, tuple[str, str, Callable[[], tuple[Contenders, float]]]] = {
    "scalar": ("gradient of sin(x)exp(-x)+x^2 at a float", "autograd", bench_scalar),
    "third": ("its third derivative by nesting", "autograd", bench_third),
    "rosenbrock": ("gradient of Rosenbrock, n = 10", "autograd", bench_rosenbrock),
    "fan": ("fan-out and fan-in, 20 000 operations", "autograd", bench_fan),
    "rnn": ("gradient of a 100-step tanh RNN of 32 units", "autograd", bench_rnn),
    "index": ("gradient of sum(x[i]*x[i] for i in range(5000))", "autograd", bench_index),
    "network": ("gradient of a 784-200-100-10 network, batch 256", "numpy by hand", bench_network),
}


def run_benchmark(name: str, seconds: float) -> None:
    title, reference, make = BENCHMARKS[name]
    contenders, target = make()
    times = interleaved(contenders, seconds)
    ours = times["xformad"]
    print(f"\n{title}\n  {'xformad':20}{readable(ours):>10}")
    for other, measured in times.items():
        if other != "xformad":
            note = f"   target {target:.3g}" if other == reference else ""
            print(f"  {other:20}{readable(measured):>10}   ratio {measured / ours:6.2f}{note}")


def run_untraced() -> None:
    """What `xformad.numpy` costs on plain arrays: most of it is NumPy itself."""
    print("\nuntraced calls: xformad.numpy against numpy (target: at most 50 ns more)")
    x, rows = np.ones(3), [[1.0, 2.0], [3.0, 4.0]]
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "sin": (lambda: xnp.sin(x), lambda: np.sin(x)),
        "sum": (lambda: xnp.sum(x), lambda: np.sum(x)),
        "array": (lambda: xnp.array(rows), lambda: np.array(rows)),
        "asarray": (lambda: xnp.asarray(x), lambda: np.asarray(x)),
        "zeros": (lambda: xnp.zeros(3), lambda: np.zeros(3)),
    }
    for name, (ours, theirs) in pairs.items():
        times = interleaved({"xformad": ours, "numpy": theirs}, seconds=0.3, rounds=31)
        more = 1e9 * (times["xformad"] - times["numpy"])
        same = getattr(xnp, name, None) is getattr(np, name, None) and "." not in name
        print(f"  {name:12}{readable(times['numpy']):>10}   {more:+6.0f} ns{'   the same object' if same else ''}")


def chain(count: int) -> Callable[[Any], Any]:
    def fun(x: Any) -> Any:
        for _ in range(count // 2):
            x = x * 1.0000001
            x = x + 1e-7
        return x

    return fun


def run_chain() -> None:
    """A chain of a million operations: no recursion, time linear in its length."""
    print("\nchain of n scalar operations")
    small, large = xformad.grad(chain(100_000)), xformad.grad(chain(1_000_000))
    times = interleaved({"small": lambda: small(1.0), "large": lambda: large(1.0)}, seconds=1.0, rounds=3)
    print(f"  n = 100 000    {readable(times['small']):>10}   {1e6 * times['small'] / 1e5:.2f} us an operation")
    print(f"  n = 1 000 000  {readable(times['large']):>10}   {1e6 * times['large'] / 1e6:.2f} us an operation")
    print(f"  ratio of the times: {times['large'] / times['small']:.2f} (linear: 10)")


def elementwise_chain(np: Any) -> Callable[[Any], Any]:
    def fun(x: Any) -> Any:
        for _ in range(5):
            x = np.exp(-x) + np.sin(x) * 0.5 + 1.0
        return np.sum(x)

    return fun


def peak(call: Callable[[], Any]) -> int:
    call()
    tracemalloc.start()
    call()
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return measured


def run_memory() -> None:
    """Peak memory of a gradient through a chain of elementwise operations over 10^6 numbers."""
    x = np.linspace(0.0, 1.0, 1_000_000)
    ours, theirs = xformad.grad(elementwise_chain(np)), autograd.grad(elementwise_chain(anp))
    a, b = peak(lambda: ours(x)), peak(lambda: theirs(x))
    print("\npeak memory, gradient of 35 elementwise operations over 10^6 numbers (8 MB an array)")
    print(f"  xformad {a / 1e6:8.1f} MB\n  autograd {b / 1e6:7.1f} MB   ratio {b / a:.2f}   target 1")


OTHERS: dict[str, Callable[[], None]] = {"untraced": run_untraced, "chain": run_chain, "memory": run_memory}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join([*BENCHMARKS, *OTHERS])}; default: all"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="for each contender of a line (default: 2)")
    options = parser.parse_args(argv)
    print(f"numpy {np.__version__}, {os.cpu_count()} processors")
    for name in options.names or [*BENCHMARKS, *OTHERS]:
        if name in BENCHMARKS:
            run_benchmark(name, options.seconds)
        else:
            OTHERS[name]()


if __name__ == "__main__":
    main()
