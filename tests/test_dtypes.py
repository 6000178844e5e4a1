"""Every floating-point dtype keeps its precision through value and derivative; arrays that hold no numbers are refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import xformad
from tests.operations.case import Case
from tests.operations.test_table import CASES, TABLES
from xformad import (
    ConcretizationError,
    DifferentiationError,
    UnsupportedError,
    XformadError,
    grad,
    hessian,
    jacfwd,
    jacobian,
    jvp,
    taylor,
    tree,
    value_and_grad,
    vjp,
    vmap,
)

DTYPES: list[Any] = [np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128, np.clongdouble]
REFERENCES: dict[Any, Any] = {np.float16: np.float64, np.float32: np.float64, np.complex64: np.complex128}
LONG = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).char)


def cast(args: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    """Samples in a dtype, with imaginary parts if it is a complex one."""
    random = np.random.default_rng(1)
    if np.dtype(dtype).kind != "c":
        return tuple(np.asarray(x, dtype)[()] for x in args)
    return tuple((np.asarray(x) + 0.3j * random.normal(size=np.shape(x))).astype(dtype)[()] for x in args)


def gradients(case: Case, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    out, pullback = vjp(case.fun, *args)
    return out, pullback(tree.map(np.ones_like, out))


def message_of(error: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as raised:
        call()
    return str(raised.value)


# The table of operations.

SCIPY = {case.name for table in TABLES if table.__name__.endswith("_scipy") for case in table.CASES}
"""SciPy's own functions, which take float16 and longdouble for float64, or not at all."""

IN_DTYPES = [
    pytest.param(case, dtype, id=f"{case.name} {np.dtype(dtype).char}")
    for dtype in DTYPES
    if dtype not in (np.float64, np.complex128)  # of which the drivers of the table are
    for case in CASES
    if (case.complex or np.dtype(dtype).kind == "f") and (case.name not in SCIPY or dtype in (np.float32, np.complex64))
]


@pytest.mark.parametrize(("case", "dtype"), IN_DTYPES)
def test_operations_keep_the_dtype(case: Case, dtype: Any) -> None:
    """Value and gradient have the dtype and the precision that plain NumPy and the argument have; or NumPy's error."""
    args = cast(case.args, dtype)
    eps = float(np.finfo(dtype).eps)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refusal: TypeError | None = None
        try:
            plain = case.fun(*args)
        except TypeError as error:  # linear algebra in float16 and longdouble
            refusal = error
        if refusal is not None:
            assert message_of(type(refusal), lambda: vjp(case.fun, *args)) == str(refusal)
            return
        out, found = gradients(case, args)
        for x, y in zip(tree.leaves_of(plain), tree.leaves_of(out), strict=True):
            assert np.asarray(x).dtype == np.asarray(y).dtype
            rounding = (
                64 * eps if case.name in SCIPY else max(8 * eps, 4e-16)
            )  # NumPy's own functions have constants of 53 bits, as `cov` has
            np.testing.assert_allclose(y, x, rtol=rounding, atol=rounding)
        for arg, gradient in zip(args, found, strict=True):
            assert np.asarray(gradient).dtype == np.asarray(arg).dtype
        reference = REFERENCES.get(dtype)
        if reference is not None:
            _, precise = gradients(case, tuple(np.asarray(x, reference)[()] for x in args))
            for gradient, expected in zip(found, precise, strict=True):
                scale = 1 + float(np.max(np.abs(expected), initial=0))
                np.testing.assert_allclose(gradient, expected, rtol=32 * eps, atol=32 * eps * scale)


# Longdouble: no constant of a rule may have the 53 bits of a float.

X, Y = "0.7", "1.3"
ELEMENTWISE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "exp": (np.exp, mpmath.exp),
    "exp2": (np.exp2, lambda x: mpmath.mpf(2) ** x),
    "expm1": (np.expm1, mpmath.expm1),
    "log": (np.log, mpmath.log),
    "log2": (np.log2, lambda x: mpmath.log(x, 2)),
    "log10": (np.log10, mpmath.log10),
    "log1p": (np.log1p, lambda x: mpmath.log(1 + x)),
    "sqrt": (np.sqrt, mpmath.sqrt),
    "cbrt": (np.cbrt, lambda x: mpmath.root(x, 3)),
    "sin": (np.sin, mpmath.sin),
    "tan": (np.tan, mpmath.tan),
    "arcsin": (np.arcsin, mpmath.asin),
    "arccos": (np.arccos, mpmath.acos),
    "arctan": (np.arctan, mpmath.atan),
    "sinh": (np.sinh, mpmath.sinh),
    "tanh": (np.tanh, mpmath.tanh),
    "arcsinh": (np.arcsinh, mpmath.asinh),
    "arctanh": (np.arctanh, mpmath.atanh),
    "deg2rad": (np.deg2rad, mpmath.radians),
    "rad2deg": (np.rad2deg, mpmath.degrees),
    "radians": (np.radians, mpmath.radians),
    "degrees": (np.degrees, mpmath.degrees),
    "square": (np.square, lambda x: x * x),
    "reciprocal": (np.reciprocal, lambda x: 1 / x),
    "power of a number": (lambda x: 3.0**x, lambda x: mpmath.mpf(3) ** x),
    "power of a whole number": (lambda x: 3**x, lambda x: mpmath.mpf(3) ** x),
    "power by a number": (lambda x: x**2.5, lambda x: x ** mpmath.mpf("2.5")),
    "power by itself": (lambda x: x**x, lambda x: x**x),
    "arctan2": (lambda x: np.arctan2(x, 0.5), lambda x: mpmath.atan2(x, mpmath.mpf("0.5"))),
    "hypot": (lambda x: np.hypot(x, 0.5), lambda x: mpmath.sqrt(x * x + mpmath.mpf("0.25"))),
    "logaddexp": (lambda x: np.logaddexp(x, 0.5), lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(0.5))),
    "logaddexp of equals": (lambda x: np.logaddexp(x, x), lambda x: x + mpmath.log(2)),
    "logaddexp2": (lambda x: np.logaddexp2(x, 0.5), lambda x: mpmath.log(2**x + mpmath.sqrt(2), 2)),
    "std": (lambda x: np.std(x * np.arange(3)), lambda x: x * mpmath.sqrt(mpmath.mpf(2) / 3)),
    "var": (lambda x: np.var(x * np.arange(4)), lambda x: x * x * mpmath.mpf("1.25")),
    "mean": (lambda x: np.mean(x ** np.arange(3)), lambda x: (1 + x + x * x) / 3),
    "norm": (lambda x: np.linalg.norm(x * np.arange(3)), lambda x: x * mpmath.sqrt(5)),
    "norm of order 3": (lambda x: np.linalg.norm(x * np.arange(3), 3), lambda x: x * mpmath.root(9, 3)),
    "vector_norm": (
        lambda x: np.linalg.vector_norm(x * np.arange(3), ord=2.5),
        lambda x: x * (1 + mpmath.mpf(2) ** mpmath.mpf("2.5")) ** mpmath.mpf("0.4"),
    ),
    "softmax": (
        lambda x: np.exp(x) / np.sum(np.exp(x * np.arange(3))),
        lambda x: mpmath.exp(x) / (1 + mpmath.exp(x) + mpmath.exp(2 * x)),
    ),
}


def as_mpf(x: Any) -> Any:
    """The exact value of a longdouble."""
    high = float(x)
    return mpmath.mpf(high) + mpmath.mpf(float(x - np.longdouble(high)))


@pytest.mark.skipif(not LONG, reason="longdouble is float64 on this machine")
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_longdouble_derivatives_have_its_precision(name: str) -> None:
    fun, exact = ELEMENTWISE[name]
    x = np.longdouble("0.7")
    one = np.longdouble(1)
    eps = float(np.finfo(np.longdouble).eps)
    with mpmath.workdps(60):
        point = as_mpf(x)
        first, second, third = (mpmath.diff(exact, point, n) for n in (1, 2, 3))
        slopes = [grad(fun)(x), jvp(fun, (x,), (one,))[1], vmap(grad(fun))(np.array([x]))[0]]
        coefficients = [*taylor(fun, (x,), ([one],), order=3)[1]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", xformad.IndependentOutputWarning)  # of what is linear
            curvature = grad(grad(fun))(x)
        for found, expected in [
            *((slope, first) for slope in slopes),
            (curvature, second),
            (coefficients[0], first),
            (coefficients[1], second / 2),
            (coefficients[2], third / 6),
        ]:
            assert np.asarray(found).dtype == np.longdouble
            assert abs(as_mpf(found) - expected) <= 40 * eps * (1 + abs(expected))


# Every mode.


def smooth(x: Any) -> Any:
    return np.sum(np.tanh(2.0 * x) * x**3 + np.pi * x) / 3 + 1


@each_dtype
def test_every_mode_keeps_the_dtype(dtype: Any) -> None:
    x = np.array([0.5, 0.25, -0.75], dtype)
    kind: Any = np.dtype(dtype)
    options: Any = {"holomorphic": True} if kind.kind == "c" else {}
    tanh: Any = np.tanh
    for result in (
        *value_and_grad(smooth, **options)(x),
        *vjp(smooth, x)[1](kind.type(1)),
        *jvp(smooth, (x,), (x,)),
        vmap(smooth)(x[:, None]),
        vmap(grad(smooth, **options))(np.stack([x, x])),
        hessian(smooth, **options)(x),
        jacobian(tanh, **options)(x),
        jacfwd(tanh, **options)(x),
        *taylor(smooth, (x,), ([x, x],))[1],
        *taylor(smooth, (x[0],), ([x[0], x[0]],))[1],
        jvp(grad(smooth, **options), (x,), (x,))[1],
        xformad.derivatives(lambda x: np.exp(2.0 * x) / 3, 3)(x[0]),
        xformad.stop_gradient(x),
        xformad.checkpoint(tanh)(x),
        grad(lambda x: np.real(smooth(xformad.checkpoint(tanh)(x))))(x),
        grad(lambda x: np.real(xformad.scan(lambda c, y: (c * 0.5 + y, c), 0.0 * x[0], x)[0]))(x),
    ):
        assert np.asarray(result).dtype == kind


@each_dtype
def test_arguments_of_different_dtypes_have_gradients_of_their_own(dtype: Any) -> None:
    def fun(x: Any, y: Any) -> Any:
        return np.sum(np.abs(np.sin(x) * y + x / 2) ** 2)

    x = np.array([0.5, 1.5], dtype)
    for other in DTYPES:
        y = np.array([0.7, -0.3], other)
        plain = fun(x, y)
        value, found = value_and_grad(fun, argnums=(0, 1))(x, y)
        assert np.asarray(value).dtype == plain.dtype
        assert [g.dtype for g in found] == [x.dtype, y.dtype]
        moved = jvp(fun, (x, y), (np.ones_like(x), np.ones_like(y)))[1]
        assert moved.dtype == plain.dtype
        eps = max(float(np.finfo(dtype).eps), float(np.finfo(other).eps))
        np.testing.assert_allclose(moved, sum(np.sum(np.real(g)) for g in found), rtol=0, atol=40 * eps)


@each_dtype
def test_python_numbers_are_weak_and_numpys_are_not(dtype: Any) -> None:
    x = np.array([0.5, 1.5], dtype)
    scalar = x[0]
    for fun in (
        lambda x: 2.0 * x + 1 - x / 3 + x**2 + 2**x,
        lambda x: np.where(np.real(x) > 1, x, 0.0) + np.where(np.real(x) > 1, 1, x),
        lambda x: x * True + (x if np.ndim(x) == 0 else np.clip(np.abs(x), 0.0, 1)),
        lambda x: x * np.float64(2.0),
        lambda x: x + np.float32(2.0),
        lambda x: x * np.int8(2),
        lambda x: x * np.arange(2),
        lambda x: 1j * x,
        lambda x: np.concatenate([np.atleast_1d(x), np.ones(1, np.float32)]),
        lambda x: np.mean(x) * np.std(np.abs(x)) * np.pi,
        lambda x: np.stack([x, x]) @ np.ones((np.size(x), 1), np.float16) if np.ndim(x) else x,
    ):
        for point in (x, scalar):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                plain = fun(point)
                out, pullback = vjp(fun, point)
                (gradient,) = pullback(np.ones_like(out))
                assert np.asarray(out).dtype == np.asarray(plain).dtype
                np.testing.assert_allclose(out, plain, rtol=8 * float(np.finfo(dtype).eps))
                assert gradient.dtype == point.dtype
                assert np.asarray(jvp(fun, (point,), (point,))[1]).dtype == np.asarray(plain).dtype


def test_real_and_complex_parts_of_a_program() -> None:
    """A real argument has a real gradient whatever is complex on the way, in the precision of the argument."""

    def fun(x: Any, z: Any) -> Any:
        w = np.exp(1j * x) * z + np.conj(z) ** 2 / x
        return np.sum(np.abs(w) ** 2 + np.real(w) * np.imag(w))

    for real, cplx in [(np.float32, np.complex64), (np.float64, np.complex64), (np.longdouble, np.clongdouble)]:
        x, z = np.array([0.5, 1.5], real), np.array([0.3 + 1j, -1 + 0.2j], cplx)  # type: ignore[var-annotated]
        by_x, by_z = grad(fun, argnums=(0, 1))(x, z)
        assert (by_x.dtype, by_z.dtype) == (x.dtype, z.dtype)
        step = 1e-6
        wide, far = x.astype(float), z.astype(complex)
        for i in range(2):
            e = np.eye(2)[i] * step
            rtol = 3e-5 if cplx is np.complex64 else 1e-8
            difference = (fun(wide + e, far) - fun(wide - e, far)) / (2 * step)
            np.testing.assert_allclose(float(by_x[i]), difference, rtol=rtol)
            along = (fun(wide, far + e) - fun(wide, far - e)) / (2 * step)
            across = (fun(wide, far + 1j * e) - fun(wide, far - 1j * e)) / (2 * step)
            np.testing.assert_allclose(complex(by_z[i]), along - 1j * across, rtol=rtol)


def test_powers_of_negative_numbers_by_complex_exponents() -> None:
    exponent = 1.5 + 0.5j
    slope = (-2 + 0j) ** exponent * np.log(-2 + 0j)
    for base in (-2.0, -2, np.array(-2.0), np.float64(-2.0)):
        np.testing.assert_allclose(grad(lambda y, b=base: b**y, holomorphic=True)(exponent), slope, rtol=1e-14)
        np.testing.assert_allclose(taylor(lambda y, b=base: b**y, (exponent,), ([1.0],))[1][0], slope, rtol=1e-14)


def test_float16_is_averaged_as_numpy_does() -> None:
    """More terms than float16 has numbers for."""
    many = np.linspace(0, 1, 70000).astype(np.float16)
    for fun in (np.mean, np.var, np.std):
        out, pullback = vjp(fun, many)
        plain = fun(many)
        assert type(out) is np.float16
        np.testing.assert_allclose(float(out), float(plain), rtol=2e-3)
        (gradient,) = pullback(np.float16(1))
        assert gradient.dtype == np.float16
        assert abs(gradient[-1]) > 0
    assert grad(np.mean)(np.full(100, 60000, np.float16))[0] == np.float16(0.01)
    assert vjp(np.mean, np.full(100, 60000, np.float16))[0] == np.float16(60000)


# What holds no numbers.

UNFIT: dict[str, Any] = {
    "structured": np.zeros(2, [("a", float)]),
    "object": np.array([1.0, 2.0], object),
    "datetime": np.array(["2020-01-01", "2020-01-03"], "datetime64[D]"),
    "timedelta": np.array([1, 2], "timedelta64[s]"),
    "masked": np.ma.array([1.0, 2.0], mask=[False, True]),
    "matrix": np.array([[1.0, 2.0]]).view(np.matrix),
    "recarray": np.rec.array([(1.0,), (2.0,)], dtype=[("a", float)]),
    "recarray without fields": np.array([1.0, 2.0]).view(np.recarray),
    "text": np.array(["a", "b"]),
    "bytes": np.array([b"a", b"b"]),
}
WHAT_IT_IS: dict[str, str] = {
    "structured": "an array of dtype [('a', '<f8')], which cannot be differentiated; take a field of it: x['name']",
    "object": "an array of dtype object, which cannot be differentiated; make it an array of numbers: x.astype(float)",
    "datetime": (
        "an array of dtype datetime64[D], which cannot be differentiated; make dates numbers: "
        "(x - x[0]) / numpy.timedelta64(1, 'D')"
    ),
    "timedelta": (
        "an array of dtype timedelta64[s], which cannot be differentiated; make times numbers: "
        "x / numpy.timedelta64(1, 's')"
    ),
    "masked": (
        "a MaskedArray, which cannot be differentiated, since derivatives have no mask; use "
        "numpy.where(x.mask, 0.0, x.data), or x.filled(0.0)"
    ),
    "matrix": (
        "a matrix, which cannot be differentiated, since its * is another product; pass numpy.asarray(x), and write @"
    ),
    "recarray": (
        "a recarray, which cannot be differentiated, since its fields may be no numbers; take one: x['name'], or pass "
        "numpy.asarray(x)"
    ),
    "recarray without fields": (
        "a recarray, which cannot be differentiated, since its fields may be no numbers; take one: x['name'], or pass "
        "numpy.asarray(x)"
    ),
    "text": "an array of dtype <U1, which cannot be differentiated; encode text as numbers",
    "bytes": "an array of dtype |S1, which cannot be differentiated; encode text as numbers",
}

each_unfit = pytest.mark.parametrize("name", UNFIT)


@each_unfit
def test_arguments_that_hold_no_numbers(name: str) -> None:
    x = UNFIT[name]
    text = f"argument 0 is {WHAT_IT_IS[name]}"
    for transformed in (grad(np.sum), value_and_grad(np.sum), hessian(np.sum), jacobian(np.sum)):
        assert message_of(DifferentiationError, partial(transformed, x)) == text
    assert message_of(DifferentiationError, lambda: vjp(np.sum, x)) == text
    for push in (lambda: jvp(np.sum, (x,), (np.ones(2),)), lambda: taylor(np.sum, (x,), ([np.ones(2)],))):
        message_of(DifferentiationError, push)
    if name not in ("text", "bytes"):
        assert message_of(DifferentiationError, lambda: grad(lambda p: p["a"])({"a": 1.0, "x": x})) == text
    else:  # labels
        assert grad(lambda p: p["a"])({"a": 1.0, "x": x}) == {"a": 1.0, "x": None}


@each_unfit
def test_constants_that_hold_no_numbers(name: str) -> None:
    """Refused by every operation that has a derivative, on either side, in every mode that takes one."""
    x = UNFIT[name]
    for fun in (
        lambda t: np.sum(t * x),
        lambda t: np.sum(x * t),
        lambda t: np.sum(np.multiply(t, x)),
        lambda t: np.sum(np.where([True, False], t, x)),
        lambda t: np.sum(np.concatenate([t, x])),
        lambda t: np.sum(np.minimum(t, x)),
        lambda t: np.sum(np.stack([t, x])),
    ):
        for transformed in (
            grad(fun),
            lambda t, f=fun: jvp(f, (t,), (t,)),
            lambda t, f=fun: taylor(f, (t,), ([t],)),
            grad(grad(lambda t, f=fun: np.sum(f(t)))),
        ):
            message_of(TypeError, partial(transformed, np.ones(2)))


def test_messages_about_constants() -> None:
    def message(name: str) -> str:
        return message_of(UnsupportedError, lambda: grad(lambda t: np.sum(t * UNFIT[name]))(2.0))

    assert message("object") == (
        "multiply: an operand, and so the result, is an array of dtype object, which is not supported with traced "
        "arrays; make it an array of numbers: x.astype(float)"
    )
    assert message("timedelta") == (
        "multiply: an operand, and so the result, is an array of dtype timedelta64[s], which is not supported with "
        "traced arrays; make times numbers: x / numpy.timedelta64(1, 's')"
    )
    assert message("masked") == (
        "multiply: a MaskedArray is not supported with traced arrays, since derivatives have no mask; use "
        "numpy.where(x.mask, 0.0, x.data), or x.filled(0.0)"
    )
    assert message("matrix") == (
        "multiply: a matrix is not supported with traced arrays, since its * is another product; pass numpy.asarray(x), "
        "and write @"
    )
    assert message_of(UnsupportedError, lambda: grad(lambda t: t * np.timedelta64(3, "s"))(2.0)) == (
        "multiply: an array of dtype timedelta64[s] is not supported with traced arrays; make times numbers: "
        "x / numpy.timedelta64(1, 's')"
    )
    assert message_of(UnsupportedError, lambda: vmap(np.sum)(UNFIT["masked"])).startswith(
        "vmap of args[0]: a MaskedArray is not supported"
    )
    # NumPy's masked arrays do not ask the other operand.
    message_of(ConcretizationError, lambda: grad(lambda t: np.sum(UNFIT["masked"] * t))(2.0))


def test_numbers_in_objects_give_the_right_number_or_an_error() -> None:
    operand = np.array([1.0, 2.0], object)
    assert grad(lambda x: x * operand[1])(2.0) == 2.0
    np.testing.assert_array_equal(grad(lambda x: np.dot(x, operand))(np.ones(2)), [1.0, 2.0])
    with pytest.raises(TypeError):
        grad(lambda x: np.sum(x * np.array([1.0, None])))(2.0)
    with pytest.raises(XformadError):
        grad(lambda x: np.sum(x * np.array([x, 1.0], object)))(2.0)


def test_what_to_write_instead_works() -> None:
    x = np.ones(2)
    dates, times, masked = UNFIT["datetime"], UNFIT["timedelta"], UNFIT["masked"]
    for y, expected in [
        (UNFIT["structured"]["a"], [0.0, 0.0]),
        (UNFIT["recarray"].a, [1.0, 2.0]),
        (UNFIT["object"].astype(float), [1.0, 2.0]),
        ((dates - dates[0]) / np.timedelta64(1, "D"), [0.0, 2.0]),
        (times / np.timedelta64(1, "s"), [1.0, 2.0]),
        (np.where(masked.mask, 0.0, masked.data), [1.0, 0.0]),
        (masked.filled(0.0), [1.0, 0.0]),
    ]:
        np.testing.assert_array_equal(grad(lambda x, y=y: np.sum(x * y))(x), expected)
        assert grad(lambda y: np.sum(x * y))(y).tolist() == [1.0, 1.0]


def test_memory_maps_are_arrays(tmp_path: Path) -> None:
    file = np.memmap(tmp_path / "data", np.float32, "w+", shape=(3,))
    file[:] = [1.0, 2.0, 3.0]
    by_x = grad(lambda x: np.sum(x * file))(np.ones(3, np.float32))
    by_file = grad(lambda x: np.sum(x**2))(file)
    assert type(by_x) is np.ndarray
    assert by_x.tolist() == [1.0, 2.0, 3.0]
    assert by_file.dtype == np.float32
    assert np.asarray(by_file).tolist() == [2.0, 4.0, 6.0]
