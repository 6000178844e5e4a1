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
from functools import partial
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")

import autograd
import autograd.numpy as anp
import numpy as np

import xformad
from tests.benchmarks.eager import peak
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


def cross_entropy(parameters: Any, image: Any, target: Any) -> Any:
    """The loss of a tanh network on one example."""
    (w1, b1), (w2, b2) = parameters
    logits = np.tanh(image @ w1 + b1) @ w2 + b2
    shifted = logits - np.max(logits)
    return np.log(np.sum(np.exp(shifted))) - target @ shifted


def network(*sizes: int) -> list[tuple[Any, Any]]:
    return [(0.05 * random.normal(size=(m, n)), np.zeros(n)) for m, n in zip(sizes, sizes[1:], strict=False)]


def compare_per_example(title: str, loss: Callable[..., Any], parameters: Any, inputs: int, seconds: float) -> None:
    """The gradients of 256 examples by `vmap`, and by a loop of `grad`."""
    images, targets = random.normal(size=(256, inputs)), np.eye(10)[random.integers(0, 10, 256)]
    one = xformad.grad(loss)
    batched = xformad.vmap(one, in_axes=(None, 0, 0))

    def loop() -> Any:
        gradients = [one(parameters, image, target) for image, target in zip(images, targets, strict=True)]
        return xformad.tree.map(lambda *leaves: np.stack(leaves), *gradients)

    found, expected = batched(parameters, images, targets), loop()
    for x, y in zip(xformad.tree.leaves_of(found), xformad.tree.leaves_of(expected), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-12)
    size = sum(x.size for x in xformad.tree.leaves_of(found))
    times = interleaved(
        {
            "vmap": lambda: batched(parameters, images, targets),
            "loop": loop,
            "fill": lambda: np.full(size, 1.0),
        },
        seconds,
    )
    print(f"\nper-example gradients, 256 examples: {title}")
    print(f"  vmap of grad        {readable(times['vmap']):>10}")
    print(
        f"  loop of grad        {readable(times['loop']):>10}   ratio {times['loop'] / times['vmap']:6.2f}   target 20"
    )
    print(f"  filling the result  {readable(times['fill']):>10}   {size * 8 / 1e6:.1f} MB")


def run_vmap(seconds: float) -> None:
    """Where the result is large, its memory sets the time; so the same is shown without the first matrix."""
    large, small = network(784, 50, 10), network(16, 16, 10)
    compare_per_example("network 784-50-10", cross_entropy, large, 784, seconds)
    (w1, b1), (w2, b2) = large

    def loss(parameters: Any, image: Any, target: Any) -> Any:
        return cross_entropy(((w1, parameters[0]), parameters[1]), image, target)

    compare_per_example("the same, all but the first matrix", loss, (b1, (w2, b2)), 784, seconds)
    compare_per_example("network 16-16-10", cross_entropy, small, 16, seconds)


def bell(np: Any) -> Callable[[Any], Any]:
    return lambda x: np.tanh(x) * np.exp(-x * x)


def run_taylor(seconds: float) -> None:
    """The tenth derivative by power series, against Autograd's second one by nesting; the growth with the order."""
    ours, theirs = xformad.derivatives(bell(np), 10), autograd.grad(autograd.grad(bell(anp)))
    np.testing.assert_allclose(ours(0.8)[2], theirs(0.8), rtol=1e-12)
    times = interleaved({"xformad": lambda: ours(0.8), "autograd": lambda: theirs(0.8)}, seconds)
    ratio = times["autograd"] / times["xformad"]
    print("\ntanh(x) exp(-x^2): derivatives up to the tenth, in one run, and Autograd's second derivative")
    print(f"  xformad, tenth      {readable(times['xformad']):>10}")
    print(f"  autograd, second    {readable(times['autograd']):>10}   ratio {ratio:.1f}   target above 1")
    orders = (5, 10, 20, 40)
    times = interleaved({f"{k}": partial(xformad.derivatives(bell(np), k), 0.8) for k in orders}, seconds)
    print("  order  " + "".join(f"{order:>10}" for order in orders))
    print("  time   " + "".join(f"{readable(each):>10}" for each in times.values()))
    for first, last in ((5, 40), (20, 40)):
        growth = np.log(times[f"{last}"] / times[f"{first}"]) / np.log(last / first)
        print(f"  from order {first} to {last} as k^{growth:.2f}   target at most k^2.2")


def run_loops(seconds: float) -> None:
    """Loops that are one operation, against Python's, and what recursive checkpoints save."""
    w, h, xs = random.normal(size=(8, 8)) / 4, np.zeros(8), random.normal(size=(100, 8))

    def python_loop(w: Any, h: Any = h) -> Any:
        for i in range(100):
            h = np.tanh(w @ h + xs[i])
        return np.sum(h)

    def scanned(scan: Any) -> Callable[[Any], Any]:
        return lambda w: np.sum(scan(lambda h, x: (np.tanh(w @ h + x), None), h, xs)[0])

    transforms: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
        "value": lambda f: f,
        "grad": xformad.grad,
        "jvp": lambda f: lambda w: xformad.jvp(f, (w,), (w,)),
        "vmap(grad)": lambda f: lambda w: xformad.vmap(xformad.grad(f))(np.stack([w] * 5)),
        "jvp(grad)": lambda f: lambda w: xformad.jvp(xformad.grad(f), (w,), (w,)),
    }
    print("\n100 steps of tanh(W h + x), 8 units, in times of the Python loop (target for grad of scan: 1.2)")
    for name, transform in transforms.items():
        loops = {"loop": python_loop, "scan": scanned(xformad.scan), "saving": scanned(xformad.checkpoint_scan)}
        times = interleaved({key: partial(transform(f), w) for key, f in loops.items()}, seconds)
        a, b = times["scan"] / times["loop"], times["saving"] / times["loop"]
        print(f"  {name:12}{readable(times['loop']):>10}   scan {a:.2f}   checkpoint_scan {b:.2f}")

    def step(h: Any) -> Any:
        return np.tanh(0.9 * h + 0.1 * np.sin(h)) + 0.01 * np.cos(h)

    def long_loop(h: Any) -> Any:
        for _ in range(10_000):
            h = step(h)
        return np.sum(h)

    def long_scan(h: Any) -> Any:
        return np.sum(xformad.checkpoint_scan(lambda h, _: (step(h), None), h, length=10_000)[0])

    plain, saving = (partial(xformad.grad(f), np.linspace(0.0, 1.0, 8)) for f in (long_loop, long_scan))
    times = interleaved({"plain": plain, "saving": saving}, seconds, rounds=3)
    a, b = peak(plain), peak(saving)
    print("gradient of a loop of 10 000 steps over 8 numbers")
    print(f"  plain tape       {a / 1e6:8.2f} MB   {readable(times['plain'])}")
    print(f"  checkpoint_scan  {b / 1e6:8.2f} MB   {readable(times['saving'])}   {100 * b / a:.2f} % (target 2 %)")


def rosenbrock(np: Any) -> Callable[[Any], Any]:
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def run_hessian(seconds: float) -> None:
    """The Hessian of Rosenbrock's function of 100 numbers, all of it, against Autograd's."""
    x = random.normal(size=100)
    ours, theirs = xformad.hessian(rosenbrock(np)), autograd.hessian(rosenbrock(anp))
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-10, atol=1e-10)
    times = interleaved({"xformad": lambda: ours(x), "autograd": lambda: theirs(x)}, seconds)
    print("\nHessian of Rosenbrock's function, n = 100")
    print(f"  xformad             {readable(times['xformad']):>10}")
    ratio = times["autograd"] / times["xformad"]
    print(f"  autograd            {readable(times['autograd']):>10}   ratio {ratio:6.1f}   target 20")


BENCHMARKS: dict[str, Callable[[float], None]] = {
    "hessian": run_hessian,
    "sparse": run_sparse,
    "vmap": run_vmap,
    "taylor": run_taylor,
    "loops": run_loops,
}


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
