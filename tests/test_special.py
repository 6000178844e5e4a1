"""`xformad.scipy.special`: values and derivatives of mpmath far out and at singular points, dtypes, names, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special as sc

import xformad
from xformad import DifferentiationError, UnsupportedError, grad, jacobian, jvp, taylor, vjp, vmap
from xformad.scipy import special


def derivative(fun: Callable[..., Any], order: int) -> Callable[..., Any]:
    for _ in range(order):
        fun = grad(fun)
    return fun


def exact(fun: Callable[[Any], Any], x: float, order: int) -> float:
    with mpmath.workdps(80):
        return float(mpmath.diff(fun, mpmath.mpf(x), order, h=mpmath.mpf(10) ** -20))


def log_ndtr(x: Any) -> Any:
    return mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


FAR: list[tuple[Any, Any, list[float], float]] = [
    (sc.log_ndtr, log_ndtr, [-1000.0, -40.0, -1.0, 0.0, 3.0, 8.0], 1e-12),
    (sc.erfcx, lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-3.0, 0.0, 0.9, 1.0, 8.0, 9.0, 60.0, 1e4], 1e-13),
    (
        sc.dawsn,
        lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x),
        [0.0, 0.3, 5.0, 30.0],
        1e-11,
    ),
    (sc.expit, lambda x: 1 / (1 + mpmath.exp(-x)), [-600.0, -30.0, 0.0, 2.0, 40.0], 1e-13),
    (sc.log_expit, lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-30.0, 0.0, 40.0], 1e-13),
    (sc.exprel, lambda x: mpmath.hyp1f1(1, 2, x), [-50.0, -1e-9, 0.0, 1e-3, 5.0], 1e-13),
    (sc.rgamma, mpmath.rgamma, [-3.0, -2.5, 0.0, 0.3, 20.0], 1e-12),
    (sc.psi, mpmath.digamma, [1e-3, 0.5, 10.0, 1e6], 1e-13),
    (special.zeta, mpmath.zeta, [-4.0, -3.5, -0.6, -0.4, 1.5, 30.0], 1e-12),
    (sc.spence, lambda x: mpmath.polylog(2, 1 - x), [1e-5, 0.9999999, 1.0, 1.3, 50.0], 1e-12),
    (sc.ellipk, mpmath.ellipk, [-1e4, 0.0, 1e-10, 0.5, 0.999999], 1e-9),
    (sc.ellipe, mpmath.ellipe, [-1e4, 0.0, 1e-10, 0.5, 0.999999], 1e-9),
    (sc.i0e, lambda x: mpmath.exp(-x) * mpmath.besseli(0, x), [0.1, 5.0, 100.0], 1e-10),
    (sc.k1e, lambda x: mpmath.exp(x) * mpmath.besselk(1, x), [5.3], 1e-12),
]


@pytest.mark.parametrize(("fun", "truth", "points", "rtol"), FAR, ids=lambda x: getattr(x, "__name__", ""))
def test_derivatives_far_out_and_at_singular_points(fun: Any, truth: Any, points: list[float], rtol: float) -> None:
    for x in points:
        for order in (1, 2):
            assert derivative(fun, order)(x) == pytest.approx(exact(truth, x, order), rel=rtol, abs=1e-40), (x, order)


SHAPES = [(0.5, 0.3), (0.01, 1e-3), (1.0, 1.0), (2.0, 5.0), (10.0, 10.0), (10.0, 1e-5), (100.0, 150.0), (0.2, 40.0)]


@pytest.mark.parametrize(("a", "x"), SHAPES)
@pytest.mark.parametrize("order", [1, 2])
def test_incomplete_gamma_functions_by_their_parameter(a: float, x: float, order: int) -> None:
    def tail(a: Any) -> Any:
        lower = mpmath.gammainc(a, 0, x, regularized=True) if x <= 10 else None
        return -mpmath.gammainc(a, x, mpmath.inf, regularized=True) if lower is None else lower

    truth = exact(tail, a, order)
    assert derivative(lambda a: sc.gammainc(a, x), order)(a) == pytest.approx(truth, rel=1e-11)
    assert derivative(lambda a: sc.gammaincc(a, x), order)(a) == pytest.approx(-truth, rel=1e-11)


@pytest.mark.parametrize(("a", "b", "x"), [(0.5, 0.5, 0.3), (2.0, 3.0, 0.4), (0.01, 1.0, 0.5), (20.0, 30.0, 0.6)])
def test_incomplete_beta_function_by_its_parameters(a: float, b: float, x: float) -> None:
    def fun(a: Any, b: Any) -> Any:
        return mpmath.betainc(a, b, 0, x, regularized=True)

    by_a, by_b = grad(lambda a, b: sc.betainc(a, b, x), (0, 1))(a, b)
    assert by_a == pytest.approx(exact(lambda a: fun(a, b), a, 1), rel=1e-12)
    assert by_b == pytest.approx(exact(lambda b: fun(a, b), b, 1), rel=1e-12)
    assert derivative(lambda a: sc.betainc(a, b, x), 2)(a) == pytest.approx(exact(lambda a: fun(a, b), a, 2), rel=1e-11)
    mixed = grad(lambda b: grad(lambda a: sc.betainc(a, b, x))(a))(b)
    assert mixed == pytest.approx(exact(lambda b: mpmath.diff(lambda a: fun(a, b), a), b, 1), rel=1e-8)


def test_incomplete_functions_at_the_ends() -> None:
    assert grad(lambda a: sc.gammainc(a, 0.0))(2.0) == 0
    assert grad(lambda a: sc.gammainc(a, np.inf))(2.0) == 0
    assert grad(lambda a: sc.betainc(a, 2.0, 1.0))(2.0) == 0
    assert grad(sc.gammainc, 1)(1.0, 0.0) == 1
    assert grad(sc.betainc, 2)(2.0, 3.0, 1.0) == 0
    assert grad(sc.gammainc, 1)(1e10, 1e10) == pytest.approx(1 / math.sqrt(2e10 * math.pi), rel=1e-10)


def test_differences_of_digamma_do_not_cancel() -> None:
    by_a, by_b = grad(sc.betaln, (0, 1))(1e9, 2.0)
    with mpmath.workdps(40):
        assert by_a == pytest.approx(float(mpmath.digamma(10**9) - mpmath.digamma(10**9 + 2)), rel=1e-14)
    assert by_b == pytest.approx(float(mpmath.digamma(2) - mpmath.digamma(10**9 + 2)), rel=1e-14)


def test_entropies_at_zero() -> None:
    with np.errstate(divide="ignore"):
        assert grad(sc.xlogy, (0, 1))(0.0, 0.0) == (-np.inf, 0)
        assert grad(sc.xlogy, (0, 1))(0.0, 2.0) == (math.log(2), 0)
        assert grad(sc.entr)(0.0) == np.inf
        assert grad(sc.rel_entr, 1)(0.0, 0.0) == 0
        assert grad(sc.kl_div, 1)(0.0, 0.0) == 1
        assert grad(sc.kl_div, (0, 1))(0.0, 2.0) == (-np.inf, 1)
    assert grad(lambda x: grad(sc.xlogy, 1)(x, 2.0))(0.0) == 0.5
    assert grad(sc.kl_div)(1.0, 1.0 + 1e-12) == pytest.approx(-1.000088900582e-12, rel=1e-9)


def test_logistic_functions_far_out() -> None:
    assert grad(sc.expit)(800.0) == grad(sc.expit)(-800.0) == 0
    assert grad(sc.log_expit)(-800.0) == 1
    assert grad(sc.expit)(np.float32(40.0)) == np.float32(math.exp(-40))


def test_logsumexp_of_infinities() -> None:
    assert grad(special.logsumexp)(np.array([1000.0, 1000.0, -np.inf])).tolist() == [0.5, 0.5, 0]
    assert grad(special.logsumexp)(np.array([-np.inf, -np.inf])).tolist() == [0.5, 0.5]
    assert grad(special.logsumexp)(np.array([np.inf, 2.0, np.inf])).tolist() == [0.5, 0, 0.5]
    a, b = np.array([np.inf, 1.0]), np.array([0.0, 2.0])
    assert grad(lambda a: special.logsumexp(a, b=b))(a) == pytest.approx([0, 1], rel=1e-15)
    assert jacobian(special.softmax)(np.array([1e4, 0.0])).tolist() == [[0, 0], [0, 0]]
    assert jacobian(special.log_softmax)(np.array([1e4, 0.0])).tolist() == [[0, 0], [-1, 1]]


def test_logsumexp_of_a_negative_sum() -> None:
    b = np.array([1.0, -2.0])
    out, _ = vjp(lambda a: special.logsumexp(a, b=b), np.zeros(2))
    assert np.isnan(out)
    out, sign = vjp(lambda a: special.logsumexp(a, b=b, return_sign=True), np.zeros(2))[0]
    assert (out, sign) == (0, -1)
    assert grad(lambda a: special.logsumexp(a, b=b, return_sign=True)[0])(np.zeros(2)).tolist() == [-1, 2]


def test_single_precision_is_kept() -> None:
    for fun in (sc.erf, sc.gammaln, sc.psi, sc.expit, sc.log_ndtr, sc.j0, special.logsumexp, special.softmax):
        out, pullback = vjp(fun, np.array([0.5, 1.5], np.float32))
        assert np.asarray(out).dtype == pullback(np.ones_like(out))[0].dtype == np.float32
    assert (
        vjp(sc.gammainc, np.array([2.0], np.float32), np.ones(1, np.float32))[1](np.ones(1, np.float32))[0].dtype
        == np.float32
    )


def test_real_arguments_of_complex_functions() -> None:
    assert grad(lambda x: sc.wofz(x).imag)(0.5) == pytest.approx(
        2 / math.sqrt(math.pi) * grad(sc.dawsn)(0.5), rel=1e-13
    )
    assert grad(lambda x: sc.hankel1(1, x).real)(0.5) == pytest.approx(grad(lambda x: sc.jv(1, x))(0.5), rel=1e-13)
    assert grad(lambda x: special.lambertw(x).real)(0.0) == 1


def test_kinks() -> None:
    assert grad(sc.i0e)(0.0) == grad(lambda x: sc.ive(0, x))(0.0) == 0
    assert jacobian(sc.i1e)(np.array([0.0, 1.0]))[0].tolist() == [0.5, 0]
    assert taylor(lambda t: sc.i0e(t * t), (0.0,), ([1.0],), order=2)[1] == [0, -1]
    with pytest.raises(DifferentiationError, match="no Taylor series of order 1 here, because of numpy"):
        taylor(sc.i0e, (0.0,), ([1.0],), order=2)


def test_names() -> None:
    assert set(special.__all__) == set(sc.__all__)
    for name in special.__all__:
        assert callable(getattr(special, name)) or name in {"errstate"}
    assert special.erf is sc.erf
    assert special.bernoulli(3).tolist() == sc.bernoulli(3).tolist()
    assert special.comb(5, 2, exact=True) == 10
    assert special.logsumexp([0.0, 0.0]) == pytest.approx(math.log(2))
    with pytest.raises(AttributeError):
        special.no_such_function


UNKNOWN = (
    "the derivative of scipy.special.jv with respect to its argument 0, the order, is not known here; differentiate with "
    "respect to the others, or wrap it in a primitive with a rule of your own (docs/write_a_primitive.md)"
)


def test_unknown_derivatives_are_refused_where_their_argument_is_traced() -> None:
    runs: list[Callable[[], Any]] = [
        lambda: vjp(lambda v: sc.jv(v, 1.0), 2.0),
        lambda: vjp(sc.jv, 2.0, 1.0),
        lambda: jvp(lambda v: sc.jv(v, 1.0), (2.0,), (1.0,)),
        lambda: taylor(lambda v: sc.jv(v, 1.0), (2.0,), ([1.0],)),
    ]
    for run in runs:
        with pytest.raises(UnsupportedError) as raised:
            run()
        assert str(raised.value) == UNKNOWN
    assert grad(sc.jv, 1)(2.0, 1.0) == pytest.approx(sc.jvp(2.0, 1.0))
    orders = np.array([0.0, 1.0])
    assert vmap(lambda v: sc.jv(v, 1.0))(orders).tolist() == sc.jv(orders, 1.0).tolist()


def test_refusals() -> None:
    with pytest.raises(UnsupportedError) as raised:
        grad(lambda x: np.real(sc.ive(1.0, x * (1 + 1j))))(0.5)
    assert str(raised.value) == (
        "scipy.special.ive has no complex derivative, as its factor depends on |z|; write scipy.special.iv(v, z) * "
        "numpy.exp(-numpy.abs(z.real))"
    )
    with pytest.raises(UnsupportedError, match=r"scipy\.special\.bernoulli is not supported on traced arrays"):
        grad(lambda n: special.bernoulli(n))(2.0)
    with pytest.raises(ValueError, match="not met"):
        grad(lambda a: special.multigammaln(a, 3))(0.5)
    with pytest.raises(xformad.XformadError, match="is known for q > 0 only"):
        grad(special.zeta)(2.0, -1.5)
