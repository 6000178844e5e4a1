"""`numpy.fft` over all its options: NumPy's values, and derivatives that are the adjoint maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import xformad
import xformad.numpy as xnp
from xformad import ConcretizationError, grad, jacobian, jvp, vjp
from xformad.testing import check_grads

fft: Any = np.fft
ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY_AXES = ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "irfft2", "rfftn", "irfftn")
OF_REAL = ("rfft", "ihfft", "rfft2", "rfftn")
NORMS = (None, "backward", "ortho", "forward")


def sample(random: np.random.Generator, shape: tuple[int, ...], name: str) -> Any:
    real = random.normal(size=shape)
    return real if name in OF_REAL or random.integers(3) == 0 else real + 1j * random.normal(size=shape)


def assert_linear(fun: Callable[[Any], Any], x: Any, random: np.random.Generator) -> None:
    """The value is NumPy's, the jvp the map itself, and the vjp its transpose: Re(g . F t) = Re(F^T g . t)."""
    expected = fun(x)
    out, pullback = vjp(fun, x)
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-13)
    t = random.normal(size=x.shape) + (1j * random.normal(size=x.shape) if x.dtype.kind == "c" else 0)
    g = random.normal(size=out.shape) + (1j * random.normal(size=out.shape) if out.dtype.kind == "c" else 0)
    _, moved = jvp(fun, (x,), (t,))
    np.testing.assert_allclose(moved, fun(t), rtol=1e-12, atol=1e-12)
    (sent,) = pullback(g)
    assert sent.dtype == x.dtype
    np.testing.assert_allclose(np.real(np.sum(g * fun(t))), np.real(np.sum(sent * t)), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ONE_AXIS)
def test_one_axis_with_random_options(name: str) -> None:
    random = np.random.default_rng(ONE_AXIS.index(name))
    for _ in range(40):
        shape = tuple(random.integers(2, 6, size=random.integers(1, 4)).tolist())
        options: dict[str, Any] = {"norm": NORMS[random.integers(4)]}
        if random.integers(2):
            options["n"] = [int, np.int64][random.integers(2)](random.integers(1, 8))
        if random.integers(2):
            options["axis"] = int(random.integers(-len(shape), len(shape)))
        assert_linear(partial(getattr(fft, name), **options), sample(random, shape, name), random)


@pytest.mark.parametrize("name", MANY_AXES)
def test_many_axes_with_random_options(name: str) -> None:
    random = np.random.default_rng(MANY_AXES.index(name))
    for _ in range(40):
        ndim = int(random.integers(2, 4))
        shape = tuple(random.integers(2, 5, size=ndim).tolist())
        options: dict[str, Any] = {"norm": NORMS[random.integers(4)]}
        count = 2
        if random.integers(2):
            count = int(random.integers(1, ndim + 2))  # axes may come twice
            options["axes"] = random.integers(-ndim, ndim, size=count).tolist()
        if random.integers(2) and ("axes" in options or name.endswith("2")):
            options["s"] = random.choice([-1, 1, 2, 3, 5], size=count).tolist()
            if name.startswith("i") and "r" in name and options["s"][-1] == -1:
                options["s"][-1] = 4
        assert_linear(partial(getattr(fft, name), **options), sample(random, shape, name), random)


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
@pytest.mark.parametrize("axes", [None, 0, -1, (0,), (0, 2), (-1, 1)])
def test_shifts(name: str, axes: Any) -> None:
    random = np.random.default_rng(0)
    assert_linear(lambda x: getattr(fft, name)(x, axes=axes), random.normal(size=(3, 4, 5)), random)


def test_single_precision() -> None:
    x = np.linspace(0.0, 1.0, 6, dtype=np.float32)
    for name in (*ONE_AXIS, *MANY_AXES):
        a = x.reshape(2, 3) if name in MANY_AXES else x
        out, pullback = vjp(getattr(fft, name), a)
        assert out.dtype == getattr(fft, name)(a).dtype
        assert pullback(np.ones_like(out))[0].dtype == np.float32


def test_no_axes() -> None:
    x = np.ones((2, 3))
    assert_linear(lambda x: fft.fftn(x, axes=()), x, np.random.default_rng(0))
    for name in ("rfftn", "irfftn"):
        with pytest.raises(Exception) as plain:
            getattr(fft, name)(x, axes=())
        with pytest.raises(type(plain.value)) as traced:
            vjp(lambda x, name=name: getattr(fft, name)(x, axes=()), x)
        assert str(traced.value) == str(plain.value)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("fft", {"n": 0}), ("ifft", {"n": -1}), ("rfft", {"norm": "sqrt"}), ("irfft", {"n": 0}), ("fft", {"axis": 2}),
    ("hfft", {"norm": "sqrt"}), ("ihfft", {"axis": -3}), ("fftn", {"axes": (0, 5)}), ("fft2", {"s": (0, 2)}),
    ("ifftn", {"s": (2,), "axes": (0, 1)}), ("rfftn", {"norm": "half"}), ("fft", {"n": 1.5}), ("fft", {"axis": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), WRONG, ids=[f"{name} {options}" for name, options in WRONG])
def test_errors_are_numpys(name: str, options: dict[str, Any]) -> None:
    x = np.ones((2, 3))
    with pytest.raises(Exception) as plain:
        getattr(fft, name)(x, **options)
    with pytest.raises(type(plain.value)) as traced:
        vjp(lambda x: getattr(fft, name)(x, **options), x)
    assert str(traced.value) == str(plain.value)


def test_rfft_of_complex_numbers_is_numpys_error() -> None:
    x = np.ones(3) * 1j
    with pytest.raises(TypeError) as plain:
        fft.rfft(x)
    with pytest.raises(TypeError) as traced:
        vjp(fft.rfft, x)
    assert str(traced.value) == str(plain.value)


def test_deprecated_lengths_without_axes_warn_as_in_numpy() -> None:
    with pytest.warns(DeprecationWarning, match="axes"):
        plain = fft.fftn(np.ones((3, 4)), s=(2, 3))
    with pytest.warns(DeprecationWarning, match="axes"):
        traced = vjp(lambda x: fft.fftn(x, s=(2, 3)), np.ones((3, 4)))[0]
    assert np.array_equal(plain, traced)


def test_out_must_not_be_a_plain_array() -> None:
    with pytest.raises(
        ConcretizationError, match=r"^numpy\.fft\.irfftn at .* would write traced values into a plain array"
    ):
        vjp(lambda x: fft.irfftn(x, out=np.ones((2, 4))), np.ones((2, 3)))
    plain = fft.irfftn(np.ones((2, 3)))
    assert np.array_equal(vjp(lambda x: fft.irfftn(x, out=xnp.zeros((2, 4))), np.ones((2, 3)))[0], plain)


def test_programs() -> None:
    x = np.array([0.3, -1.0, 2.0, 0.7, -0.2])
    check_grads(lambda x: np.sum(np.abs(fft.fft(x)) ** 3), (x,), order=2)
    check_grads(lambda x: fft.irfft(fft.rfft(x) ** 2 * np.exp(1j * fft.rfftfreq(5)), 5), (x,), order=2)
    check_grads(lambda x: np.angle(fft.hfft(x * (1 + 1j * x))) + fft.fftfreq(8), (x,), order=2)
    matrix = jacobian(lambda x: fft.irfft(fft.rfft(x), 5))(x)
    np.testing.assert_allclose(matrix, np.eye(5), atol=1e-14)
    parseval = grad(lambda x: np.sum(np.abs(fft.fft(x, norm="ortho")) ** 2))(x)
    np.testing.assert_allclose(parseval, 2 * x, rtol=1e-14)


def test_namespace() -> None:
    assert xformad.numpy.fft is np.fft
