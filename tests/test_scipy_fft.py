"""`xformad.scipy.fft` over its options: SciPy's values and errors, and derivatives that are the adjoint maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.fft

import xformad.scipy.fft as fft
from xformad import jvp, vjp

original: Any = scipy.fft
FOURIER = [name for name in fft.__all__ if "fft" in name and "shift" not in name]
TRIGONOMETRIC = [name for name in fft.__all__ if "fft" not in name]
NORMS = (None, "backward", "ortho", "forward", "half")


def outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"


def assert_same(name: str, x: Any, random: np.random.Generator, **options: Any) -> None:
    """The value is SciPy's, or its error; the jvp the map itself, and the vjp its transpose."""
    fun: Callable[[Any], Any] = partial(getattr(fft, name), **options)
    expected: Any = outcome(lambda: getattr(original, name)(x, **options))
    if isinstance(expected, str):
        assert outcome(lambda: vjp(fun, x)[0]) == expected, (name, options)
        return
    out, pullback = vjp(fun, x)
    assert out.dtype == expected.dtype, (name, options)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12, err_msg=f"{name} {options}")
    t = random.normal(size=x.shape) + (1j * random.normal(size=x.shape) if x.dtype.kind == "c" else 0)
    g = random.normal(size=out.shape) + (1j * random.normal(size=out.shape) if out.dtype.kind == "c" else 0)
    moved = getattr(original, name)(t, **options)
    np.testing.assert_allclose(jvp(fun, (x,), (t,))[1], moved, rtol=1e-11, atol=1e-11)
    (sent,) = pullback(g)
    np.testing.assert_allclose(np.real(np.sum(g * moved)), np.real(np.sum(sent * t)), rtol=1e-10, atol=1e-10)


def some(random: np.random.Generator, name: str) -> tuple[Any, dict[str, Any]]:
    """An array, and options of which a few are wrong."""
    shape = tuple(random.integers(2, 6, size=random.integers(1, 4)).tolist())
    x = random.normal(size=shape)
    if random.integers(2) and (name.strip("2n") not in ("rfft", "ihfft") or not random.integers(5)):
        x = x + 1j * random.normal(size=shape)
    options: dict[str, Any] = {"norm": NORMS[random.integers(9) % 5 if random.integers(4) == 0 else random.integers(4)]}
    if name.endswith(("n", "2")):
        count = int(random.integers(1, len(shape) + 1))
        if random.integers(2):
            options["axes"] = random.permutation(range(-len(shape), 0))[:count].tolist()
            if random.integers(6) == 0:
                options["axes"][0] = [3, options["axes"][-1]][random.integers(2)]
        if random.integers(2):
            options["s"] = random.choice([-1, 1, 2, 3, 5], size=count).tolist()
    else:
        if random.integers(2):
            options["n"] = int(random.integers(1, 7)) if random.integers(8) or name in ("irfft", "hfft") else 0
        if random.integers(2):
            options["axis"] = int(random.integers(-len(shape), len(shape) + (random.integers(6) == 0)))
    return x, options


@pytest.mark.parametrize("name", FOURIER)
def test_fourier_transforms(name: str) -> None:
    random = np.random.default_rng(FOURIER.index(name))
    for _ in range(25):
        x, options = some(random, name)
        assert_same(name, x, random, **options)


@pytest.mark.parametrize("name", TRIGONOMETRIC)
def test_trigonometric_transforms(name: str) -> None:
    random = np.random.default_rng(TRIGONOMETRIC.index(name))
    for _ in range(40):
        x, options = some(random, name)
        options["type"] = int(random.integers(1, 5 + (random.integers(6) == 0)))
        if random.integers(3) == 0:
            options["orthogonalize"] = bool(random.integers(2))
        assert_same(name, x, random, **options)


def test_everything_else_is_scipys() -> None:
    assert fft.next_fast_len is original.next_fast_len
    assert np.array_equal(fft.fftfreq(5), original.fftfreq(5))
    assert np.array_equal(fft.dct([1.0, 2.0]), original.dct([1.0, 2.0]))
    x = np.arange(6, dtype=np.float32)
    out, pullback = vjp(fft.dct, x)
    assert out.dtype == pullback(out)[0].dtype == np.float32
    assert fft.dctn.__name__ == "dctn"


def test_no_points() -> None:
    for name in ("irfft", "hfft"):
        with pytest.raises(ValueError, match=r"^invalid number of data points \(0\) specified$"):
            vjp(lambda x, name=name: getattr(fft, name)(x, 0), np.ones(3))
