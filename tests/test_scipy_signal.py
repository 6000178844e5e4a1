"""`xformad.scipy.signal` over its options: SciPy's values and errors, and derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal

import xformad.scipy.signal as signal
from xformad import grad, jacobian, jvp, tree, vjp, vmap
from xformad.testing import check_grads

Random = np.random.Generator
original: Any = scipy.signal


def numbers(random: Random, *shape: int) -> Any:
    real = random.normal(size=shape)
    return real + 1j * random.normal(size=shape) if random.integers(3) == 0 else real


def pick(random: Random, *choices: Any) -> Any:
    return choices[random.integers(len(choices))]


def outcome(function: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return function()
        except (IndexError, TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"


def compare(
    name: str, args: tuple[Any, ...], also: tuple[Any, ...] = (), same_text: bool = True, **options: Any
) -> None:
    """The function on traced arguments does what SciPy's does on plain ones; its first outcome, or error, decides."""
    copies = [np.array(x) for x in args]  # old versions of SciPy write into the argument of resample
    expected = outcome(lambda: getattr(original, name)(*copies, *also, **options))
    found = outcome(lambda: vjp(lambda *args: getattr(signal, name)(*args, *also, **options), *args)[0])
    message = f"{name} of {[np.shape(x) for x in args]}, {also}, {options}"
    if isinstance(expected, str):
        assert found == expected if same_text else isinstance(found, str), message
        return
    assert not isinstance(found, str), (message, found)
    for a, b in zip(tree.leaves_of(found), tree.leaves_of(expected), strict=True):
        assert np.shape(a) == np.shape(b), message
        assert np.asarray(a).dtype == np.asarray(b).dtype, message
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=message)


def with_state(name: str, *args: Any, axis: int) -> None:
    """`lfilter` and `sosfilt` with the state, their last argument, traced too."""
    expected = outcome(lambda: getattr(original, name)(*args[:-1], axis, args[-1]))
    found = outcome(lambda: vjp(lambda *args: getattr(signal, name)(*args[:-1], axis, args[-1]), *args)[0])
    if isinstance(expected, str):
        assert found == expected
        return
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


# Convolutions.


@pytest.mark.parametrize("mode", ["full", "same", "valid", "whole"])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_convolutions(name: str, mode: str) -> None:
    random = np.random.default_rng(0)
    for n in range(1, 5):
        for m in range(1, 5):
            method = pick(random, "auto", "direct", "fft")
            args = numbers(random, n), numbers(random, m)
            compare(name, args, mode=mode, method=method)
    for _ in range(15):
        shapes = random.integers(1, 5, size=(2, 2))
        compare(
            name, tuple(numbers(random, *s) for s in shapes), mode=mode, method=pick(random, "auto", "direct", "fft")
        )
    compare(name, (np.ones(2), np.ones(3)), method="exact")
    compare(name, (np.ones(2), np.ones((3, 1))), mode=mode)
    compare(name, (np.array(2.0), np.array(3.0 + 1j)))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
def test_convolutions_by_transforms(name: str, mode: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(40):
        args = tuple(numbers(random, *shape) for shape in random.integers(1, 5, size=(2, 2)))
        compare(name, args, mode=mode, axes=pick(random, None, 0, -1, (0, 1), [1, 0], (0, 0), 5, ()))
    compare(name, (numbers(random, 200), numbers(random, 5)), mode=mode)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
def test_convolutions_in_the_plane(name: str, mode: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(40):
        args = tuple(numbers(random, *shape) for shape in random.integers(1, 5, size=(2, 2)))
        options = {"boundary": pick(random, "fill", "wrap", "symm", "none"), "fillvalue": pick(random, 0, 2.5)}
        compare(name, args, mode=mode, **options)


def test_convolutions_of_a_batch_and_second_derivatives() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(3, 4, 3)), random.normal(size=(3, 2, 2))
    for method in ("direct", "fft"):

        def power(x: Any, y: Any, method: str = method) -> Any:
            return np.sum(signal.convolve(x, y, "same", method) ** 3)

        check_grads(power, (x[0], y[0]), modes=("forward", "reverse"))
        found = vmap(grad(power, (0, 1)))(x, y)
        for i in range(3):
            for a, b in zip(found, grad(power, (0, 1))(x[i], y[i]), strict=True):
                np.testing.assert_allclose(a[i], b, rtol=1e-11)
    assert vmap(lambda x: signal.fftconvolve(x, y[0]))(x[:0]).shape == (0, 5, 4)


# Filters.


def test_filters() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        b, a = (numbers(random, int(random.integers(1, 4))) * scale for scale in (1.0, 0.3))
        a[0] = 2.0
        x = numbers(random, *random.integers(1, 7, size=random.integers(1, 3)))
        axis = int(random.integers(-x.ndim, x.ndim))
        compare("lfilter", (b, a, x), axis=axis)
        shape = list(x.shape)
        shape[axis] = max(len(a), len(b)) - 1
        for i in range(x.ndim):
            if i != axis % x.ndim and random.integers(3) == 0:
                shape[i] = 1
        shape[axis] += int(random.integers(5) == 0)
        with_state("lfilter", b, a, x, numbers(random, *shape), axis=axis)
        compare("lfilter_zi", (b, a))
        sections = np.array([[1, 0.5, 0.2, 1, -0.3, 0.1], [0.7, 0, 0.1, 1, 0.2, 0]])[: pick(random, 1, 2)]
        compare("sosfilt", (sections, x), axis=axis)
        shape = list(x.shape)
        shape[axis] = 2
        with_state("sosfilt", sections, x, numbers(random, len(sections), *shape), axis=axis)
        compare("sosfilt_zi", (sections,))
        longer = numbers(random, *(np.array(x.shape) + pick(random, 0, 12)))
        options = {"axis": axis, "padtype": pick(random, "odd", "even", "constant", None, "both")}
        compare("filtfilt", (b, a, longer), padlen=pick(random, None, 2, 0), **options)
        compare("sosfiltfilt", (sections, longer), padlen=pick(random, None, 3, 0), **options)


def test_errors_of_filters() -> None:
    for b, a in [([1.0], [0.0, 1.0]), ([[1.0]], [1.0, 2.0]), ([], [1.0, 2.0])]:
        compare("lfilter", (np.array(b), np.array(a), np.ones(3)))
    compare("lfilter", (np.ones(1), np.ones(2), np.array(1.0)))
    for sections in (np.ones((1, 5)), 2 * np.ones((1, 6)), np.ones((1, 1, 6))):
        compare("sosfilt", (sections, np.ones(3)))
    compare("filtfilt", (np.ones(1), np.ones(2), np.ones(30)), method="other")
    compare("lfilter_zi", (np.ones((2, 2)), np.ones(2)))


def test_filter_derivatives() -> None:
    random = np.random.default_rng(0)
    b, a, x = random.normal(size=3), np.array([1.5, -0.4, 0.3]), random.normal(size=(2, 6))
    check_grads(lambda b, a, x: signal.lfilter(b, a, x), (b, a, x), order=2, modes=("forward", "reverse"))
    check_grads(lambda b, a, x: signal.lfilter(b, a, x), (b * 1j, a + 0.1j, x), order=2)
    state = random.normal(size=(2, 2))
    check_grads(
        lambda b, a, x, z: signal.lfilter(b, a, x, zi=z),
        (b, a, x, state),
        modes=("forward", "reverse"),
    )
    check_grads(lambda b, a, x, z: signal.lfilter(b, a, x, zi=z), (b, a, x[:, :1], state))
    check_grads(signal.lfilter_zi, (b, a), modes=("forward", "reverse"))
    impulse = jacobian(lambda x: signal.lfilter([1.0], [1.0, -0.5], x))(np.zeros(4))
    np.testing.assert_allclose(impulse, [[0.5 ** (i - j) if i >= j else 0 for j in range(4)] for i in range(4)])
    found = vmap(grad(lambda b, a, x: np.sum(signal.lfilter(b, a, x) ** 2), (0, 1, 2)))
    stacks = np.stack([b, 2 * b]), np.stack([a, a + 0.1]), np.stack([x, -x])
    for got, each in zip(found(*stacks), range(3), strict=True):
        for i in range(2):
            one = grad(lambda *args: np.sum(signal.lfilter(*args) ** 2), each)(*[s[i] for s in stacks])
            np.testing.assert_allclose(got[i], one, rtol=1e-11)


def test_a_filter_is_fitted() -> None:
    x = np.sin(np.arange(40.0) ** 1.3)
    y = signal.lfilter([0.5, 0.2], [1.0, -0.6], x)

    def misfit(p: Any) -> Any:
        return np.sum((signal.lfilter(p[:2], np.concatenate([np.ones(1), p[2:]]), x) - y) ** 2)

    p = np.array([0.1, 0.0, -0.2])
    for _ in range(300):
        p = p - 0.01 * grad(misfit)(p)
    np.testing.assert_allclose(p, [0.5, 0.2, -0.6], atol=1e-3)


# Trends, smoothing, resampling.


def test_linear_functions() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        x = numbers(random, *random.integers(1, 16, size=random.integers(1, 3)))
        axis = int(random.integers(-x.ndim, x.ndim))
        kind = pick(random, "linear", "constant", "l", "cubic")
        compare("detrend", (x,), axis=axis, type=kind, bp=pick(random, 0, [2], [1, 3]))
        compare("hilbert", (x.real,), N=pick(random, None, 3, 8, 0), axis=axis)
        window, domain = pick(random, None, "hamming", np.abs), pick(random, "time", "freq", "time", "space")
        points = (int(random.integers(3, 15)),)
        compare("resample", (x + 0j if domain == "freq" else x,), points, axis=axis, window=window, domain=domain)
        mode = pick(random, "interp", "mirror", "nearest", "wrap", "constant", "odd")
        also = (int(random.integers(1, 7)), int(random.integers(0, 3)))
        options = {"deriv": pick(random, 0, 1), "delta": pick(random, 1.0, 0.5)}
        compare("savgol_filter", (x.real,), also, axis=axis, mode=mode, cval=0.7, same_text=False, **options)
    compare("hilbert", (np.ones(3) * 1j,))
    compare("resample", (np.arange(6.0),), (4, np.arange(6.0) / 2))
    compare("resample", (np.arange(6.0),), (4,), window=np.ones(5))


# Spectra.


def test_spectra() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        x = numbers(random, *random.integers(3, 20, size=random.integers(1, 3)))
        y = numbers(random, *x.shape) if x.ndim > 1 or random.integers(3) else numbers(random, 7)
        axis = int(random.integers(-x.ndim, x.ndim))
        window = pick(random, "hann", "boxcar", ("tukey", 0.3), np.array([0.2, 0.7, 1.0, 0.8, 0.3]))
        options = {"fs": pick(random, 1.0, 3.0), "window": window, "axis": axis}
        options |= {"nfft": pick(random, None, 8, 9, 2), "detrend": pick(random, "constant", "linear", False)}
        sides = {"return_onesided": pick(random, True, False)}
        pieces = {"nperseg": pick(random, None, 4, 5, 8), "noverlap": pick(random, None, 0, 1, 3, 6)}
        scaling = {"scaling": pick(random, "density", "spectrum", "other")}
        average = {"average": pick(random, "mean", "median")}
        compare("welch", (x,), **options, **sides, **pieces, **scaling, **average)
        if x.dtype.kind == "c" or y.dtype.kind == "f":
            compare("csd", (x, y), **options, **sides, **pieces, **scaling, **average)
        compare("periodogram", (x,), **options, **sides, **scaling)
        short = {
            "boundary": pick(random, "zeros", None, "even", "odd", "constant"),
            "padded": pick(random, True, False),
        }
        compare(
            "stft",
            (x,),
            **options,
            **sides,
            **pieces,
            **short,
            scaling=pick(random, "psd", "spectrum"),
            same_text=False,
        )
        z = numbers(random, *random.integers(2, 6, size=pick(random, 2, 3)))
        options = {"fs": 2.0, "window": pick(random, "hann", "boxcar"), "nperseg": pick(random, None, 3, 4)}
        options |= {
            "time_axis": int(random.integers(-z.ndim, z.ndim)),
            "freq_axis": int(random.integers(-z.ndim, z.ndim)),
        }
        options |= {
            "noverlap": pick(random, None, 1, 2),
            "nfft": pick(random, None, 8),
            "boundary": pick(random, True, False),
        }
        options |= {"input_onesided": pick(random, True, False), "scaling": pick(random, "spectrum", "psd")}
        compare("istft", (z,), **options, same_text=False)
    compare("coherence", (np.cos(np.arange(20.0) ** 1.2), np.sin(np.arange(20.0) ** 1.4)), nperseg=6)
    for name in ("welch", "periodogram", "stft"):
        compare(name, (np.zeros(0),))


def test_spectra_warn_as_scipy_does() -> None:
    with pytest.warns(UserWarning, match="nperseg"):
        vjp(lambda x: signal.welch(x)[1], np.arange(8.0))
    with pytest.warns(UserWarning, match="complex"):
        vjp(lambda x: signal.stft(x, nperseg=4)[2], np.arange(8.0) * 1j)


def test_stft_there_and_back() -> None:
    x = np.cos(np.arange(16.0) ** 1.3)

    def twice(x: Any) -> Any:
        return signal.istft(signal.stft(x, nperseg=4)[2], nperseg=4)[1]

    np.testing.assert_allclose(jacobian(twice)(x)[:16], np.eye(16), atol=1e-14)
    out, change = jvp(twice, (x,), (x,))
    np.testing.assert_allclose(out, change, atol=1e-14)


# What is SciPy's own.


def test_everything_else_is_scipys() -> None:
    x = np.arange(5.0)
    assert np.array_equal(signal.medfilt(x), original.medfilt(x))
    assert np.array_equal(signal.windows.hann(4), original.windows.hann(4))
    assert signal.ShortTimeFFT is original.ShortTimeFFT
    for name in signal.__all__:
        assert hasattr(original, name)
    assert np.array_equal(signal.convolve([1, 2], [3, 4]), original.convolve([1, 2], [3, 4]))
    with pytest.raises(AttributeError):
        signal.no_such_function


def test_single_precision() -> None:
    x = np.arange(6, dtype=np.float32)
    for name, also in [("hilbert", ()), ("detrend", ()), ("resample", (4,)), ("savgol_filter", (3, 1))]:
        compare_single(name, x, also)
    compare_single("lfilter", x, (), [np.float32(1)], np.array([1, 0.5], np.float32))
    compare_single("stft", x, (), nperseg=4)
    compare_single("welch", x, (), nperseg=4)


def compare_single(name: str, x: Any, also: tuple[Any, ...], *before: Any, **options: Any) -> None:
    expected = tree.leaves_of(getattr(original, name)(*before, x, *also, **options))[-1]
    out, pullback = vjp(lambda x: tree.leaves_of(getattr(signal, name)(*before, x, *also, **options))[-1], x)
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    assert pullback(np.ones_like(out))[0].dtype == np.float32
