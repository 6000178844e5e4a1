"""The functions of the Array API standard (2024.12) for floating-point arrays, on traced arrays, through their namespace.

https://data-apis.org/array-api/2024.12/
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import xformad
from xformad import ConcretizationError, grad, hessian, jacfwd, jvp, tree, vjp, vmap
from xformad.testing import check_grads

pytestmark = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy has all names of the standard since version 2.1"
)

NAMES: dict[str, str] = {
    "constants": "e inf nan newaxis pi",
    "data types": ("astype can_cast finfo iinfo isdtype result_type"),
    "creation": (
        "arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu zeros "
        "zeros_like"
    ),
    "element by element": (
        "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or "
        "bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide "
        "greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp "
        "logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive "
        "pow real reciprocal remainder round sign signbit sin sinh square sqrt subtract tan tanh trunc"
    ),
    "indexing": "take take_along_axis",
    "linear algebra": "matmul matrix_transpose tensordot vecdot",
    "manipulation": (
        "broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack "
        "tile unstack"
    ),
    "searching, sets and sorting": (
        "argmax argmin count_nonzero nonzero searchsorted where unique_all unique_counts unique_inverse unique_values "
        "argsort sort"
    ),
    "statistics": "cumulative_prod cumulative_sum max mean min prod std sum var diff all any",
    "inspection": "__array_api_version__ __array_namespace_info__",
}
TYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"
LINALG = (
    "cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer "
    "pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"
)
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift"

X = np.array([[0.3, 1.2, 0.7], [1.9, -0.4, 2.6]])
WHERE = np.array([[0, 2], [1, 0]])


def each(names: str, use: Callable[[Any, Any], Any]) -> dict[str, Callable[[Any, Any], Any]]:
    """For each function of the namespace a program that uses it."""
    return {name: partial(lambda name, xp, x: use(getattr(xp, name), x), name) for name in names.split()}


# Functions of a namespace and an array; the names are those of the standard's functions that they call.
PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "astype": lambda xp, x: xp.astype(x, xp.float64, copy=False),
    "astype float32": lambda xp, x: xp.astype(x, xp.float32),
    "astype complex": lambda xp, x: xp.real(xp.astype(x, xp.complex128) * (1 + 2j)),
    "can_cast": lambda xp, x: x * xp.can_cast(x.dtype, xp.float32),
    "finfo": lambda xp, x: x / xp.finfo(x.dtype).eps,
    "isdtype": lambda xp, x: x * xp.isdtype(x.dtype, "real floating"),
    "result_type": lambda xp, x: xp.astype(x, xp.result_type(x, xp.complex64)) * 1j,
    "asarray": lambda xp, x: xp.asarray(x),
    "asarray with options": lambda xp, x: xp.asarray(x, dtype=xp.float32, device="cpu", copy=True),
    "empty_like": lambda xp, x: x * xp.all(xp.isfinite(xp.empty_like(x) * 0)),
    "full_like": lambda xp, x: xp.full_like(x, 2.0, dtype=xp.float64, device="cpu") * x,
    "full_like of its own": lambda xp, x: xp.full_like(x, x[0, 0]),
    "linspace": lambda xp, x: xp.linspace(x[0, 0], x[0, 1], 5),
    "linspace with options": lambda xp, x: xp.linspace(x[0, 0], x[0, 1], 5, endpoint=False),
    "meshgrid": lambda xp, x: xp.meshgrid(x[0], x[1], indexing="ij"),
    "ones_like": lambda xp, x: xp.ones_like(x, dtype=xp.float64, device="cpu") * x,
    "zeros_like": lambda xp, x: xp.zeros_like(x, device="cpu") + x,
    "tril": lambda xp, x: xp.tril(x, k=-1),
    "triu": lambda xp, x: xp.triu(x, k=1),
    **each(
        "abs asinh atan conj cos cosh exp expm1 negative positive real imag reciprocal sin sinh square tan tanh",
        lambda fun, x: fun(x),
    ),
    **each("ceil floor round sign trunc isfinite isinf isnan signbit logical_not", lambda fun, x: x * fun(x)),
    **each("log log1p log2 log10 sqrt", lambda fun, x: fun(abs(x) + 0.1)),
    **each("acos asin atanh", lambda fun, x: fun(x / 3)),
    **each("acosh", lambda fun, x: fun(x * x + 1.5)),
    **each(
        "add atan2 copysign divide hypot logaddexp maximum minimum multiply nextafter remainder subtract",
        lambda fun, x: fun(x, x[:, ::-1] + 0.06),
    ),
    **each(
        "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor floor_divide",
        lambda fun, x: x * fun(x, x[:, ::-1] + 0.06),
    ),
    **each("bitwise_and bitwise_or bitwise_xor", lambda fun, x: x * fun(x > 0, x > 1)),
    "bitwise_invert": lambda xp, x: x * xp.bitwise_invert(x > 0),
    "pow": lambda xp, x: xp.pow(xp.abs(x), x),
    "clip": lambda xp, x: xp.clip(x, 0.0, 1.0),
    "clip below": lambda xp, x: xp.clip(x, min=0.5),
    "clip above": lambda xp, x: xp.clip(x, max=xp.asarray([0.5, 1.0, 1.5])),
    "take": lambda xp, x: xp.take(x, xp.asarray([0, 2]), axis=1),
    "take_along_axis": lambda xp, x: xp.take_along_axis(x, xp.asarray(WHERE), axis=1),
    "matmul": lambda xp, x: xp.matmul(x, x.mT),
    "matrix_transpose": lambda xp, x: xp.matrix_transpose(x),
    "tensordot": lambda xp, x: xp.tensordot(x, x, axes=2),
    "tensordot of axes": lambda xp, x: xp.tensordot(x, x, axes=((1,), (1,))),
    "vecdot": lambda xp, x: xp.vecdot(x, x),
    "vecdot along an axis": lambda xp, x: xp.vecdot(x, x * 2, axis=-2),
    "broadcast_arrays": lambda xp, x: xp.broadcast_arrays(x, x[0]),
    "broadcast_to": lambda xp, x: xp.broadcast_to(x, (4, 2, 3)),
    "concat": lambda xp, x: xp.concat([x, x], axis=1),
    "concat flat": lambda xp, x: xp.concat((x, x), axis=None),
    "expand_dims": lambda xp, x: xp.expand_dims(x, axis=0),
    "flip": lambda xp, x: xp.flip(x, axis=0),
    "moveaxis": lambda xp, x: xp.moveaxis(x, 0, 1),
    "permute_dims": lambda xp, x: xp.permute_dims(x, (1, 0)),
    "repeat": lambda xp, x: xp.repeat(x, 2, axis=0),
    "repeat by counts": lambda xp, x: xp.repeat(x, xp.asarray([1, 0, 2]), axis=1),
    "reshape": lambda xp, x: xp.reshape(x, (3, 2), copy=True),
    "roll": lambda xp, x: xp.roll(x, (1, 1), axis=(0, 1)),
    "squeeze": lambda xp, x: xp.squeeze(x[None], axis=0),
    "stack": lambda xp, x: xp.stack([x, x], axis=1),
    "tile": lambda xp, x: xp.tile(x, (2, 1)),
    "unstack": lambda xp, x: xp.unstack(x, axis=1),
    "argmax": lambda xp, x: x[..., xp.argmax(x[0])],
    "argmin": lambda xp, x: x * xp.argmin(x, axis=1, keepdims=True),
    "count_nonzero": lambda xp, x: x * xp.count_nonzero(x, axis=1, keepdims=True),
    "nonzero": lambda xp, x: x[xp.nonzero(x > 0)],
    "searchsorted": lambda xp, x: x[1] * xp.searchsorted(xp.sort(x[0]), x[1], side="right"),
    "where": lambda xp, x: xp.where(x > 0, x, 2.0),
    "argsort": lambda xp, x: xp.take_along_axis(x, xp.argsort(x, axis=-1, stable=True), axis=-1),
    "sort": lambda xp, x: xp.sort(x, axis=0, stable=True),
    "unique_values": lambda xp, x: xp.sort(xp.unique_values(x)),
    "unique_all": lambda xp, x: xp.unique_all(x).values,
    "unique_counts": lambda xp, x: xp.unique_counts(x).values,
    "unique_inverse": lambda xp, x: xp.unique_inverse(x).values[xp.unique_inverse(x).inverse_indices],
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True),
    "cumulative_prod": lambda xp, x: xp.cumulative_prod(x, axis=1, include_initial=True),
    "max": lambda xp, x: xp.max(x, axis=1, keepdims=True),
    "min": lambda xp, x: xp.min(x),
    "mean": lambda xp, x: xp.mean(x, axis=(0, 1)),
    "prod": lambda xp, x: xp.prod(x, axis=0, dtype=xp.float64),
    "sum": lambda xp, x: xp.sum(x, axis=0, dtype=xp.float64),
    "std": lambda xp, x: xp.std(x, axis=0, correction=1.0),
    "var": lambda xp, x: xp.var(x, axis=1, correction=0.5, keepdims=True),
    "diff": lambda xp, x: xp.diff(x, axis=0, n=1, prepend=x[:1], append=x[1:] * 2),
    "any": lambda xp, x: x * xp.any(x < 0, axis=0),
    "all": lambda xp, x: x * xp.all(x > 0, axis=0, keepdims=True),
    "operators": lambda xp, x: (-x + 2 * x - x / 3) @ x.T + abs(x)[:, :2] ** 2 + (+x // 1 + x % 0.7)[:, :2],
    "comparisons": lambda xp, x: x * ((x > 0) & (x <= 1.21) | ~(x == 0.71) ^ (x != 1)),
    "indices": lambda xp, x: x[..., 0] + x[1, None, ::2][0, 1] + x[-1, 1],
    "masks": lambda xp, x: x[x > 0],
    "device": lambda xp, x: x.to_device(x.device),
    "dtypes of the device": lambda xp, x: xp.astype(
        x, xp.__array_namespace_info__().default_dtypes(device=x.device)["real floating"]
    ),
    "linalg.cholesky": lambda xp, x: xp.linalg.cholesky(x @ x.mT + xp.eye(2), upper=True),
    "linalg.cross": lambda xp, x: xp.linalg.cross(x[0], x[1], axis=-1),
    "linalg.det": lambda xp, x: xp.linalg.det(x @ x.mT),
    "linalg.diagonal": lambda xp, x: xp.linalg.diagonal(x, offset=1),
    "linalg.eigh": lambda xp, x: xp.linalg.eigh(x @ x.mT).eigenvalues,
    "linalg.eigvalsh": lambda xp, x: xp.linalg.eigvalsh(x @ x.mT),
    "linalg.inv": lambda xp, x: xp.linalg.inv(x @ x.mT),
    "linalg.matmul": lambda xp, x: xp.linalg.matmul(x, x.mT),
    "linalg.matrix_norm": lambda xp, x: xp.linalg.matrix_norm(x, ord="nuc", keepdims=True),
    "linalg.matrix_power": lambda xp, x: xp.linalg.matrix_power(x @ x.mT, 3),
    "linalg.matrix_rank": lambda xp, x: x * xp.linalg.matrix_rank(x),
    "linalg.matrix_transpose": lambda xp, x: xp.linalg.matrix_transpose(x),
    "linalg.outer": lambda xp, x: xp.linalg.outer(x[0], x[1]),
    "linalg.pinv": lambda xp, x: xp.linalg.pinv(x, rtol=1e-9),
    "linalg.qr": lambda xp, x: xp.linalg.qr(x.mT, mode="reduced").R,
    "linalg.slogdet": lambda xp, x: xp.linalg.slogdet(x @ x.mT).logabsdet,
    "linalg.solve": lambda xp, x: xp.linalg.solve(x @ x.mT, x),
    "linalg.svd": lambda xp, x: xp.linalg.svd(x, full_matrices=False).S,
    "linalg.svdvals": lambda xp, x: xp.linalg.svdvals(x),
    "linalg.tensordot": lambda xp, x: xp.linalg.tensordot(x, x.mT, axes=1),
    "linalg.trace": lambda xp, x: xp.linalg.trace(x, offset=1),
    "linalg.vecdot": lambda xp, x: xp.linalg.vecdot(x, x, axis=-1),
    "linalg.vector_norm": lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 1), ord=3),
    "fft.fft": lambda xp, x: xp.fft.fft(x, norm="ortho"),
    "fft.ifft": lambda xp, x: xp.fft.ifft(x, n=4, axis=0),
    "fft.fftn": lambda xp, x: xp.fft.fftn(x),
    "fft.ifftn": lambda xp, x: xp.fft.ifftn(x, axes=(0, 1)),
    "fft.rfft": lambda xp, x: xp.fft.rfft(x, n=4),
    "fft.irfft": lambda xp, x: xp.fft.irfft(x + 1j * x[:, ::-1]),
    "fft.rfftn": lambda xp, x: xp.fft.rfftn(x),
    "fft.irfftn": lambda xp, x: xp.fft.irfftn(x + 1j * x[:, ::-1]),
    "fft.hfft": lambda xp, x: xp.fft.hfft(x + 1j * x[:, ::-1]),
    "fft.ihfft": lambda xp, x: xp.fft.ihfft(x),
    "fft.fftshift": lambda xp, x: xp.fft.fftshift(x, axes=1),
    "fft.ifftshift": lambda xp, x: xp.fft.ifftshift(x),
    "fft.fftfreq": lambda xp, x: x * xp.fft.fftfreq(3) + xp.fft.rfftfreq(4, device=x.device),
}


def test_the_namespace_has_every_name_of_the_standard() -> None:
    def look(x: Any) -> Any:
        xp = x.__array_namespace__()
        assert xp is xformad.numpy
        assert [name for names in NAMES.values() for name in names.split() if not hasattr(xp, name)] == []
        assert [name for name in TYPES.split() if not hasattr(xp, name)] == []
        assert [name for name in LINALG.split() if not hasattr(xp.linalg, name)] == []
        assert [name for name in FFT.split() if not hasattr(xp.fft, name)] == []
        assert xp.__array_api_version__ == np.__array_api_version__
        assert x.__array_namespace__(api_version="2023.12") is xp
        assert (x.device, x.ndim, x.size, x.shape) == ("cpu", 2, 6, (2, 3))
        with pytest.raises(ValueError, match="Version"):
            x.__array_namespace__(api_version="1999.12")
        with pytest.raises(ValueError, match="device"):
            x.to_device("cuda")
        return xp.sum(x)

    grad(look)(X)


def test_every_function_for_floating_point_arrays_has_a_program() -> None:
    others = "bitwise_left_shift bitwise_right_shift iinfo arange empty eye full ones zeros from_dlpack"
    left_out = {*others.split(), *NAMES["constants"].split(), *NAMES["inspection"].split(), *TYPES.split()}
    wanted = {name for names in NAMES.values() for name in names.split()} - left_out
    wanted |= {f"linalg.{name}" for name in LINALG.split()} | {f"fft.{name}" for name in FFT.split()}
    assert wanted - {"fft.rfftfreq"} - set(PROGRAMS) == set()


@pytest.mark.parametrize("name", PROGRAMS)
def test_functions(name: str) -> None:
    """Value and dtype are plain NumPy's; first derivatives are those of difference quotients; a batch is a stack."""
    program = PROGRAMS[name]

    def fun(x: Any) -> Any:
        return program(x.__array_namespace__(), x)

    for point in (X, X.astype(np.float32)):
        plain = tree.leaves_of(program(np, point))
        found = tree.leaves_of(vjp(fun, point)[0])
        batched = tree.leaves_of(vmap(fun)(np.stack([point, point])))
        tangents = tree.leaves_of(jvp(fun, (point,), (np.ones_like(point),))[1])
        rtol = 1e-12 if point is X and name != "astype float32" and "options" not in name else 1e-4
        for expected, value, each, tangent in zip(plain, found, batched, tangents, strict=True):
            assert np.asarray(value).dtype == np.asarray(expected).dtype == np.asarray(tangent).dtype
            assert each.dtype == np.asarray(expected).dtype
            np.testing.assert_allclose(value, expected, rtol=rtol, atol=rtol)
            np.testing.assert_allclose(each[1], expected, rtol=rtol, atol=rtol)
    if np.asarray(tree.leaves_of(program(np, X))[0]).dtype in (np.float64, np.complex128):
        check_grads(fun, (X,), order=1)


def test_arrays_of_the_standard_made_inside() -> None:
    def fun(x: Any) -> Any:
        xp = x.__array_namespace__()
        grid = xp.arange(3.0) + xp.eye(3)[0] * xp.full((3,), 2.0) + xp.zeros(3) + xp.ones(3, dtype=x.dtype)
        return xp.sum(x * grid)

    np.testing.assert_array_equal(grad(fun)(X), [[3.0, 2.0, 3.0]] * 2)


def test_other_libraries_do_not_get_the_value() -> None:
    with pytest.raises(ConcretizationError) as error:
        grad(lambda x: np.sum(np.from_dlpack(x)))(X)
    assert str(error.value).startswith("numpy.from_dlpack(x) at ")
    assert str(error.value).endswith(
        "to drop the derivative on purpose, write numpy.from_dlpack(xformad.stop_gradient(x))"
    )
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(x * np.from_dlpack(xformad.stop_gradient(x))))(X),
        X,
    )
    assert jvp(lambda x: x * (x.__dlpack_device__() == (1, 0)), (X,), (X,))[1].tolist() == X.tolist()


# Whole programs, written once for every library of the standard.


def softmax(x: Any) -> Any:
    xp = x.__array_namespace__()
    shifted = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return shifted / xp.sum(shifted, axis=-1, keepdims=True)


def orthonormal(x: Any) -> Any:
    """Gram and Schmidt's rows."""
    xp = x.__array_namespace__()
    rows: list[Any] = []
    for row in xp.unstack(x, axis=0):
        for other in rows:
            row = row - xp.vecdot(other, row) * other
        rows.append(row / xp.linalg.vector_norm(row))
    return xp.stack(rows)


def log_likelihood(x: Any) -> Any:
    """Of the first row as scales, the second as data: a Gaussian process with squared distances."""
    xp = x.__array_namespace__()
    scale, data = xp.abs(x[0, ...]), x[1, ...]
    distance = xp.square(scale[:, None] - scale[None, :])
    covariance = xp.exp(-0.5 * distance) + 0.1 * xp.eye(x.shape[1], dtype=x.dtype, device=x.device)
    factor = xp.linalg.cholesky(covariance)
    half = xp.linalg.solve(factor, data)
    return -0.5 * xp.vecdot(half, half) - xp.sum(xp.log(xp.linalg.diagonal(factor)))


def power_iteration(x: Any) -> Any:
    xp = x.__array_namespace__()
    matrix = xp.matmul(x, xp.matrix_transpose(x))
    vector = xp.ones(matrix.shape[0], dtype=x.dtype)
    for _ in range(20):
        vector = xp.matmul(matrix, vector)
        vector = vector / xp.sqrt(xp.sum(xp.square(vector)))
    return xp.vecdot(vector, matrix @ vector)


@pytest.mark.parametrize("fun", [softmax, orthonormal, log_likelihood, power_iteration])
def test_programs_of_the_standard(fun: Callable[[Any], Any]) -> None:
    out = vjp(fun, X)[0]
    np.testing.assert_allclose(out, fun(X), rtol=1e-12)
    np.testing.assert_allclose(vmap(fun)(np.stack([X, X + 0.1]))[1], fun(X + 0.1), rtol=1e-12)
    check_grads(fun, (X,), order=2)
    single = X.astype(np.float32)
    assert vjp(fun, single)[0].dtype == np.float32
    assert jacfwd(fun)(single).dtype == np.float32
    total = hessian(lambda x: np.sum(fun(x) ** 2))
    np.testing.assert_allclose(vmap(total)(X[None])[0], total(X), rtol=1e-9, atol=1e-12)


SCIPY = """
import numpy as np
import scipy.special, scipy.stats, scipy.integrate
from xformad.testing import check_grads
x = np.array([0.3, 0.7, 1.2, 0.9, 2.1])
for fun in (scipy.special.softmax, scipy.stats.gmean, scipy.stats.skew, scipy.integrate.trapezoid):
    check_grads(fun, (x,), order=2)
"""


def test_scipy_takes_traced_arrays_for_those_of_the_standard() -> None:
    """With SCIPY_ARRAY_API=1, which SciPy reads when it is imported."""
    pytest.importorskip("scipy")
    run = subprocess.run(
        [sys.executable, "-c", SCIPY],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
