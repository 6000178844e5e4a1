"""`xformad.scipy.stats`: SciPy's values, inside and outside of supports; derivatives against differences of SciPy's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.stats

import xformad
from xformad import IndependentOutputWarning, UnsupportedError, grad, hessian, jacfwd, jacrev, jvp, vmap
from xformad.scipy import stats
from xformad.testing import check_grads

INF, NAN = np.inf, np.nan
POINTS = np.array([-INF, -40.0, -7.3, -1.0, -0.4, 0.0, 1e-9, 0.2, 0.9, 1.0, 2.5, 4.0, 8.0, 25.0, 300.0, INF, NAN])
LEVELS = np.array([-0.1, 0.0, 1e-12, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0, 1.2, NAN])
COUNTS = np.array([-INF, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 5.0, 7.0, 20.0, INF, NAN])

CONTINUOUS: dict[str, list[tuple[float, ...]]] = {
    "beta": [(0.5, 0.5), (1.0, 1.0), (2.0, 7.0), (-1.0, 1.0)],
    "cauchy": [()],
    "chi2": [(0.7,), (2.0,), (9.0,), (-1.0,)],
    "expon": [()],
    "f": [(1.5, 2.0), (5.0, 9.0), (0.0, 1.0)],
    "gamma": [(0.3,), (1.0,), (7.5,), (0.0,)],
    "gennorm": [(0.7,), (1.0,), (2.5,), (-1.0,)],
    "gumbel_l": [()],
    "gumbel_r": [()],
    "halfnorm": [()],
    "invgamma": [(0.5,), (3.0,), (-2.0,)],
    "laplace": [()],
    "logistic": [()],
    "lognorm": [(0.3,), (2.0,), (-1.0,)],
    "norm": [()],
    "pareto": [(0.8,), (3.0,), (0.0,)],
    "t": [(0.6,), (3.0,), (40.0,), (INF,), (-1.0,)],
    "truncnorm": [(-1.0, 2.0), (3.0, 8.0), (-9.0, -4.0), (-INF, 1.0), (0.5, INF), (2.0, 1.0)],
    "uniform": [()],
    "vonmises": [(0.0,), (0.8,), (50.0,), (-1.0,)],
    "weibull_min": [(0.7,), (1.0,), (3.0,), (-1.0,)],
    "wrapcauchy": [(0.2,), (0.9,), (1.5,)],
}
DISCRETE: dict[str, list[tuple[float, ...]]] = {
    "bernoulli": [(0.3,), (0.0,), (1.0,), (1.5,)],
    "betabinom": [(6.0, 0.7, 2.0), (0.0, 1.0, 1.0)],
    "binom": [(5.0, 0.3), (1.0, 0.9), (20.0, 0.0), (7.0, 1.0), (2.5, 0.5)],
    "geom": [(0.2,), (1.0,), (0.0,)],
    "nbinom": [(3.0, 0.4), (0.7, 0.9), (2.0, 1.0)],
    "poisson": [(3.7,), (0.0,), (-1.0,)],
}
BETTER = {
    ("halfnorm", "logsf"): -1e3,  # SciPy: -inf
    ("bernoulli", "logcdf"): None,  # SciPy: 0 above the support also for bad parameters
    ("binom", "logcdf"): None,
    ("geom", "logcdf"): None,
    ("poisson", "logcdf"): None,
}
"""Where SciPy's values are compared only where they are not bad, or above a limit."""

OLD = tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 16)
"""Older SciPys give fewer digits in the tails."""

each_family = pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])


def under_tracing(fun: Any, *args: Any) -> Any:
    """The value of a traced run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return xformad.make_vjp(fun, *args)[1]


def scipys(name: str, method: str, *args: Any, **kwargs: Any) -> Any:
    with np.errstate(all="ignore"):
        return getattr(getattr(scipy.stats, name), method)(*args, **kwargs)


@each_family
def test_values_are_scipys(name: str) -> None:
    family = getattr(stats, name)
    methods = ["pdf", "logpdf"] if name in CONTINUOUS else ["pmf", "logpmf"]
    points = POINTS if name in CONTINUOUS else COUNTS
    shifts: list[dict[str, float]] = [{}, {"loc": 2.0}]
    if name in CONTINUOUS:
        shifts = [{}, {"loc": 0.3, "scale": 2.0}, {"scale": -1.0}]
    for shapes in {**CONTINUOUS, **DISCRETE}[name]:
        for shift in shifts:
            for method in [*methods, "cdf", "logcdf", "sf", "logsf", "ppf", "isf"]:
                at = LEVELS if method in ("ppf", "isf") else points
                expected = scipys(name, method, at, *shapes, **shift)
                with np.errstate(all="ignore"):
                    found = under_tracing(lambda x, m=method, a=shapes, k=shift: getattr(family, m)(x, *a, **k), at)
                limit = BETTER.get((name, method), -INF)
                bad = np.isnan(found) if limit is None else found < limit
                found = np.where(bad, expected, found)
                tiny = 1e-15 if name in DISCRETE and "log" in method else 1e-300
                text = f"{method} {shapes} {shift}"
                rtol, atol = (1e-4, 1e-10) if OLD else (1e-10, tiny)
                np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=text)


INSIDE: dict[str, tuple[Any, ...]] = {
    "beta": (np.array([0.2, 0.7]), 1.5, 2.5),
    "cauchy": (np.array([-0.7, 2.4]),),
    "chi2": (np.array([0.7, 4.0]), 3.0),
    "expon": (np.array([0.7, 4.0]),),
    "f": (np.array([0.4, 1.7]), 3.0, 6.0),
    "gamma": (np.array([0.4, 3.7]), 2.5),
    "gennorm": (np.array([-0.4, 1.7]), 1.6),
    "gumbel_l": (np.array([-0.4, 0.7]),),
    "gumbel_r": (np.array([-0.4, 0.7]),),
    "halfnorm": (np.array([0.4, 1.7]),),
    "invgamma": (np.array([0.4, 1.7]), 2.8),
    "laplace": (np.array([-0.4, 1.7]),),
    "logistic": (np.array([-0.4, 1.7]),),
    "lognorm": (np.array([0.4, 1.7]), 0.8),
    "norm": (np.array([-0.4, 1.7]),),
    "pareto": (np.array([1.4, 2.7]), 2.3),
    "t": (np.array([-0.4, 3.7]), 2.4),
    "truncnorm": (np.array([-0.4, 1.3]), -0.7, 1.8),
    "uniform": (np.array([0.4, 0.7]),),
    "vonmises": (np.array([-0.4, 1.7]), 1.3),
    "weibull_min": (np.array([0.4, 1.7]), 1.6),
    "wrapcauchy": (np.array([0.4, 4.7]), 0.4),
    "bernoulli": (np.array([0.0, 1.0]), 0.3),
    "betabinom": (np.array([0.0, 3.0]), 5.0, 0.8, 1.7),
    "binom": (np.array([0.0, 3.0]), 5.0, 0.3),
    "geom": (np.array([1.0, 4.0]), 0.3),
    "nbinom": (np.array([0.0, 4.0]), 2.6, 0.3),
    "poisson": (np.array([0.0, 4.0]), 2.6),
}
BOTH: Any = ("reverse", "forward")


def fixed(name: str) -> int:
    """How many of the first arguments are whole numbers."""
    return 0 if name in CONTINUOUS else 2 if name in ("binom", "betabinom") else 1


@each_family
@pytest.mark.parametrize("method", ["density", "logarithm", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"])
def test_derivatives_agree_with_differences_of_scipys(name: str, method: str) -> None:
    """With respect to the point and all parameters, in both modes, and the derivatives of those."""
    family = getattr(stats, name)
    continuous = name in CONTINUOUS
    x, *shapes = INSIDE[name]
    if name == "vonmises" and method in ("cdf", "logcdf", "sf", "logsf", "ppf", "isf"):
        run = getattr(family, method)
        check_grads(lambda x, loc: run(x, *shapes, loc), (np.array([0.2, 0.6]), 0.1), order=2, modes=BOTH, rtol=1e-5)
        return
    if method in ("ppf", "isf"):
        x = np.array([0.2, 0.6])
    if name == "bernoulli" and method == "logsf":
        x = np.zeros(2)  # of 1 it is infinite
    if method == "density":
        method = "pdf" if continuous else "pmf"
    if method == "logarithm":
        method = "logpdf" if continuous else "logpmf"
    constant = [x, *shapes][: fixed(name)]
    if not continuous and method in ("ppf", "isf"):
        with pytest.warns(IndependentOutputWarning):
            assert not np.any(jacrev(lambda p: getattr(family, method)(x, *shapes[:-1], p))(shapes[-1]))
        return
    args: tuple[Any, ...] = tuple([x, *shapes][fixed(name) :])

    def fun(*args: Any) -> Any:
        return getattr(family, method)(*constant, *args)

    if continuous:
        loc, scale = 0.1, 1.2
        shift = (loc, scale) if name not in ("uniform", "beta", "wrapcauchy") else (0.0, 1.1)
        args = (*args, *shift)
        if method not in ("ppf", "isf"):
            args = (args[0] * shift[1] + shift[0], *args[1:])
    incomplete = name in ("beta", "f", "gennorm", "invgamma", "nbinom", "binom", "poisson", "t", "chi2")  # as gamma is
    order = 2 if method in ("logpdf", "logpmf") or (method in ("cdf", "ppf") and not incomplete) else 1
    check_grads(fun, args, order=order, modes=BOTH, rtol=3e-5, atol=3e-6)


def finite_sum(run: Any, value: Any) -> Any:
    """The sum of those results that are finite, as a function."""
    finite = np.isfinite(value)
    return lambda *args: np.sum(np.where(finite, run(*args), 0.0))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_outside_of_the_support_derivatives_are_zero_and_in_the_tails_not_nan(name: str) -> None:
    family = getattr(stats, name)
    shapes = INSIDE[name][1:]
    at = np.array([-1e6, -300.0, -40.0, -1.0, 0.0, 1.0, 40.0, 300.0, 1e6])
    for method in ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf"):
        value = scipys(name, method, at, *shapes)
        wanted: Any = (0,) if name == "vonmises" else tuple(range(1 + len(shapes)))
        total = finite_sum(getattr(family, method), value)
        with np.errstate(all="ignore"):
            found = grad(total, argnums=wanted)(at, *shapes)
        outside = (at < family.scipy.support(*shapes)[0]) | (at > family.scipy.support(*shapes)[1])
        assert not np.any(found[0][outside])
        for each in found:
            assert not np.any(np.isnan(each)), method


def test_tails_against_closed_forms() -> None:
    """Where the distribution functions are 1 or 0 to rounding, or underflow, their logarithms still have derivatives."""
    np.testing.assert_allclose(grad(stats.norm.logcdf)(-40.0), 40.0, rtol=1e-3)
    np.testing.assert_allclose(grad(stats.norm.logsf)(1e8), -1e8, rtol=1e-12)
    np.testing.assert_allclose(grad(stats.gumbel_r.logcdf)(-20.0), np.exp(20.0))
    np.testing.assert_allclose(grad(stats.gumbel_l.logcdf)(-50.0), 1.0, rtol=1e-14)
    np.testing.assert_allclose(grad(stats.expon.logcdf)(40.0), np.exp(-40.0), rtol=1e-12)
    np.testing.assert_allclose(grad(stats.weibull_min.logsf, argnums=1)(5.0, 4.0), -(5.0**4) * np.log(5.0))
    np.testing.assert_allclose(grad(stats.logistic.logcdf)(-800.0), 1.0)
    np.testing.assert_allclose(grad(stats.truncnorm.logpdf, argnums=1)(32.0, 30.0, 40.0), 30.03, rtol=1e-3)
    assert grad(stats.cauchy.logpdf)(1e200) == pytest.approx(-2e-200)


def test_edges_of_supports() -> None:
    assert grad(stats.expon.logpdf)(0.0) == -1.0
    assert grad(stats.expon.logpdf, argnums=2)(0.0, 0.0, 2.0) == -0.5
    assert grad(stats.uniform.logpdf, argnums=2)(1.0, 0.0, 1.0) == -1.0
    assert grad(stats.gamma.logpdf)(0.0, 1.0) == -1.0
    assert grad(stats.beta.logpdf)(0.0, 1.0, 3.0) == -2.0
    assert grad(stats.weibull_min.logpdf)(0.0, 1.0) == -1.0
    assert grad(stats.t.cdf)(0.0, 3.0) == scipy.stats.t.pdf(0.0, 3.0)
    assert grad(stats.t.cdf, argnums=1)(0.0, 3.0) == 0.0
    assert grad(stats.gennorm.cdf)(0.0, 1.5) == scipy.stats.gennorm.pdf(0.0, 1.5)
    assert grad(stats.bernoulli.logpmf, argnums=1)(0, 0.0) == -1.0
    assert grad(stats.bernoulli.pmf, argnums=1)(1, 0.0) == 1.0
    assert grad(stats.binom.logpmf, argnums=2)(5, 5, 1.0) == 5.0
    assert grad(stats.poisson.logpmf, argnums=1)(0, 0.0) == -1.0


def test_bad_parameters_give_nan_to_values_and_zero_to_others() -> None:
    a = np.array([2.0, -1.0, 0.5])
    value, derivative = xformad.value_and_grad(lambda a: np.sum(np.where(a > 0, stats.gamma.logpdf(1.5, a), 0.0)))(a)
    assert np.isfinite(value)
    assert np.isfinite(derivative).all()
    assert np.isnan(under_tracing(lambda a: stats.gamma.logpdf(1.5, a), a))[1]


def test_arguments() -> None:
    """Broadcasting, keywords, lists, precision, whole numbers, frozen distributions; and SciPy's own errors."""
    x, loc, scale = np.array([[0.3], [1.2]]), np.array([0.0, 0.5, 1.0]), 1.5
    found = under_tracing(lambda s: stats.norm.logpdf(x, loc, scale=s), scale)
    np.testing.assert_allclose(found, scipy.stats.norm.logpdf(x, loc, scale), rtol=1e-14)
    assert jacrev(lambda s: stats.norm(loc=loc, scale=s).logpdf(x))(scale).shape == (2, 3)
    assert grad(lambda m: stats.norm([m, m]).logpdf([1.0, 2.0])[1])(0.5) == pytest.approx(1.5)
    single = jvp(stats.norm.pdf, (np.float32(0.5),), (np.float32(1.0),))
    assert np.asarray(single[0]).dtype == scipy.stats.norm.pdf(np.float32(0.5)).dtype
    assert grad(stats.norm.pdf)(np.float32(0.5)).dtype == np.float32
    assert grad(lambda m: stats.poisson.logpmf(3, m))(2.0) == pytest.approx(0.5)
    assert grad(lambda m: stats.poisson(m).mean() + stats.poisson(mu=m).var())(2.0) == 2.0
    assert type(stats.norm.logpdf(1.0)) is np.float64
    assert repr(stats.norm) == "<xformad.scipy.stats.norm>"
    assert stats.norm.numargs == 0
    assert set(dir(stats.norm)) == set(dir(scipy.stats.norm))
    assert set(dir(stats.dirichlet)) == set(dir(scipy.stats.dirichlet))
    assert callable(stats.dirichlet.rvs)
    assert stats.norm(1.0).interval(0.9) == scipy.stats.norm(1.0).interval(0.9)
    assert stats.spearmanr is scipy.stats.spearmanr
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        grad(lambda x: stats.gamma.logpdf(x))(1.0)
    with pytest.raises(AttributeError):
        stats.norm.unknown


def test_vmap_is_a_loop() -> None:
    x, a, b = np.array([0.2, 0.5, 1.7]), np.array([0.7, 1.0, 2.5]), np.array([2.0, 1.0, 0.3])
    cases: list[tuple[Any, tuple[Any, ...]]] = [
        (stats.beta.logpdf, (a, b)), (stats.beta.cdf, (a, b)), (stats.f.logsf, (a, b)), (stats.gamma.ppf, (a,)),
        (stats.truncnorm.logcdf, (a - 3, b + 2)), (stats.t.cdf, (a,)),
    ]  # fmt: skip
    for fun, shapes in cases:
        level = x / 2 if fun.__name__ == "ppf" else x
        expected = [fun(*each) for each in zip(level, *shapes, strict=True)]
        np.testing.assert_allclose(vmap(fun)(level, *shapes), expected, rtol=1e-12)
        slopes = [grad(fun, argnums=1)(*each) for each in zip(level, *shapes, strict=True)]
        np.testing.assert_allclose(vmap(grad(fun, argnums=1))(level, *shapes), slopes, rtol=1e-12)
    curvature = [hessian(stats.binom.logpmf, argnums=2)(2, 5, p) for p in (0.2, 0.7)]
    np.testing.assert_allclose(vmap(hessian(lambda p: stats.binom.logpmf(2, 5, p)))(np.array([0.2, 0.7])), curvature)


def test_third_derivatives_of_a_quantile() -> None:
    """Of the exponential distribution, as the gamma distribution of shape 1, that of -log(1-q) is 2 / (1-q)^3."""
    assert grad(grad(grad(lambda q: stats.gamma.ppf(q, 1.0))))(0.4) == pytest.approx(2 / 0.6**3, rel=1e-9)
    assert grad(grad(grad(lambda q: stats.gamma.isf(q, 1.0))))(0.4) == pytest.approx(-2 / 0.4**3, rel=1e-9)


MOMENTS = ["mean", "var", "std", "entropy"]


@each_family
def test_moments(name: str) -> None:
    family = getattr(stats, name)
    shapes = [s for s in {**CONTINUOUS, **DISCRETE}[name] if name != "truncnorm"]
    for method in MOMENTS:
        if not hasattr(type(family), "_var" if method == "std" else f"_{method}"):
            with pytest.raises(
                UnsupportedError, match=f"scipy.stats.{name}.{method} of traced values has no formula here"
            ):
                grad(lambda loc, m=method: getattr(family, m)(*INSIDE[name][1:], loc=loc))(0.5)
            continue
        for each in shapes:
            if not np.isfinite(scipys(name, "cdf", 0.5, *each)) or (name, each) == ("geom", (1.0,)):
                continue  # of geom SciPy says that the entropy is NaN; it is 0
            expected = scipys(name, method, *each, loc=0.5)
            found = under_tracing(lambda loc, m=method, a=each: getattr(family, m)(*a, loc=loc), 0.5)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14, err_msg=f"{method} {each}")
        whole, rest = INSIDE[name][1 : max(1, fixed(name))], (*INSIDE[name][max(1, fixed(name)) :], 0.3)
        check_grads(lambda *a, m=method, n=whole: getattr(family, m)(*n, *a), rest, modes=BOTH, rtol=1e-5)


def test_what_is_refused() -> None:
    with pytest.raises(UnsupportedError) as raised:
        grad(lambda m: stats.norm.rvs(m))(0.0)
    assert str(raised.value).startswith("scipy.stats.norm.rvs of traced values is not supported (")
    assert str(raised.value).endswith(
        "); give it plain values, xformad.value_of(x), or write it with logpdf, cdf and ppf"
    )
    with pytest.raises(UnsupportedError) as raised:
        grad(lambda m: stats.norm(m).rvs())(0.0)
    assert str(raised.value).endswith("); give the distribution plain values, xformad.value_of(x)")
    with pytest.raises(UnsupportedError) as raised:
        grad(lambda kappa: stats.vonmises.cdf(0.5, kappa))(2.0)
    assert str(raised.value).startswith(
        "scipy.stats.vonmises.cdf of traced values has no derivative with respect to kappa ("
    )
    assert str(raised.value).endswith("); integrate pdf from -pi to x with xformad.scipy.integrate.quad")
    with pytest.raises(UnsupportedError, match=r"scipy.stats.sem of traced values does not take nan_policy="):
        grad(lambda x: stats.sem(x, nan_policy="omit"))(np.ones(3))


MEAN, COVARIANCE = np.array([0.3, -0.2]), np.array([[1.3, 0.4], [0.4, 0.8]])


def test_multivariate_normal() -> None:
    x = np.array([[0.1, 0.7], [-0.4, 1.3], [0.2, 0.3]])
    for point, mean, cov in (
        (x, MEAN, COVARIANCE), (x[0], None, COVARIANCE), (x[:1], MEAN, 2.0), (x, MEAN, np.array([0.5, 2.0])),
        (0.3, 0.1, 2.0), (x[:, 0], None, 1.5), (x[None], MEAN, COVARIANCE),
    ):  # fmt: skip
        for method in ("logpdf", "pdf"):
            expected = getattr(scipy.stats.multivariate_normal, method)(point, mean, cov)
            found = under_tracing(
                lambda c, p=point, m=mean, f=method: getattr(stats.multivariate_normal, f)(p, m, c), cov
            )
            assert np.shape(found) == np.shape(expected)
            np.testing.assert_allclose(found, expected, rtol=1e-13)
    check_grads(stats.multivariate_normal.logpdf, (x, MEAN), modes=BOTH)

    def of_root(x: Any, mean: Any, root: Any) -> Any:
        cov = root @ root.T + np.eye(2)
        found = stats.multivariate_normal(mean, cov)
        return found.logpdf(x), found.pdf(x), found.entropy()

    check_grads(of_root, (x, MEAN, COVARIANCE), modes=BOTH)
    single = grad(lambda s: stats.multivariate_normal.entropy(cov=s))(2.0)
    assert single == pytest.approx(0.25)
    derivative = jacfwd(lambda c: stats.multivariate_normal.logpdf(x[0], MEAN, c))(COVARIANCE)
    np.testing.assert_allclose(derivative, derivative.T)
    with pytest.raises(
        UnsupportedError, match="multivariate_normal of traced values needs a positive definite covariance"
    ):
        grad(lambda c: stats.multivariate_normal.logpdf(x[0], MEAN, c, allow_singular=True))(np.ones((2, 2)))
    with pytest.raises(UnsupportedError, match="takes no object of"):
        grad(lambda m: stats.multivariate_normal.logpdf(x[0], m, scipy.stats.Covariance.from_diagonal([1, 2])))(MEAN)
    with pytest.raises(UnsupportedError, match=r"multivariate_normal\.cdf of traced values is not supported"):
        grad(lambda m: stats.multivariate_normal.cdf(x[0], m, COVARIANCE))(MEAN)
    with pytest.raises(ValueError, match="Array 'cov' must be square of the dimension of 'mean', 2"):
        grad(lambda m: stats.multivariate_normal.logpdf(x[0], m, np.eye(3)))(MEAN)


def test_dirichlet() -> None:
    alpha = np.array([0.7, 1.5, 3.0])
    x = np.array([[0.2, 0.5], [0.3, 0.1], [0.5, 0.4]])
    for point in (x, x[:2], x[:, 0], x[:2, 0]):
        for method in ("logpdf", "pdf"):
            found = under_tracing(lambda a, p=point, m=method: getattr(stats.dirichlet, m)(p, a), alpha)
            np.testing.assert_allclose(found, getattr(scipy.stats.dirichlet, method)(point, alpha), rtol=1e-13)
    check_grads(stats.dirichlet.logpdf, (x[:2], alpha), modes=BOTH)
    for method in ("mean", "var", "entropy"):
        check_grads(lambda a, m=method: getattr(stats.dirichlet(a), m)(), (alpha,), modes=BOTH)
    for bad, message in (
        (x[:1], "same number of entries"),
        (2 * x, "normal simplex"),
        (x[:2] * [[0.0], [1.0]], "alpha"),
    ):
        with pytest.raises(ValueError, match=message):
            grad(lambda a, p=bad: np.sum(stats.dirichlet.logpdf(p, a)))(alpha)
    with pytest.raises(ValueError, match="All parameters must be greater than 0"):
        grad(lambda a: stats.dirichlet.logpdf(x[:, 0], a))(-alpha)


def test_multinomial() -> None:
    p = np.array([[0.2, 0.3, 0.5], [0.25, 0.25, 0.5], [1.2, -0.4, 0.2]])
    points: list[tuple[Any, Any]] = [([1, 2, 3], 6), ([1, 2, 3], 7), ([[1, 2, 3], [0, 0, 2], [1, 0, 0]], [6, 2, 1])]
    for x, n in points:
        for method in ("logpmf", "pmf"):
            found = under_tracing(lambda p, x=x, n=n, m=method: getattr(stats.multinomial, m)(np.array(x), n, p), p)
            np.testing.assert_allclose(found, getattr(scipy.stats.multinomial, method)(x, n, p), rtol=1e-12)
    x = np.array([1, 2, 3])
    np.testing.assert_allclose(grad(lambda p: stats.multinomial.logpmf(x, 6, p))(p[0]), x / p[0])

    def softmax(z: Any) -> Any:
        return np.exp(z) / np.sum(np.exp(z))

    check_grads(lambda z: stats.multinomial.logpmf(x, 6, softmax(z)), (np.array([0.1, 0.4, -0.3]),), modes=BOTH)
    np.testing.assert_allclose(jacrev(lambda p: stats.multinomial(6, p).mean())(p[0]), 6 * np.eye(3))


SAMPLE = np.array([[0.3, 1.7, 2.2, 0.9], [1.1, 0.4, 3.1, 2.5]])


@pytest.mark.parametrize("name", ["gmean", "hmean", "kurtosis", "sem", "skew", "zscore"])
def test_samples(name: str) -> None:
    own, its = getattr(stats, name), getattr(scipy.stats, name)
    options: list[dict[str, Any]] = [{}, {"axis": 1}, {"axis": None}]
    if name in ("sem", "zscore"):
        options.append({"axis": 1, "ddof": 1})
    if name in ("skew", "kurtosis"):
        options.append({"axis": 1, "bias": False})
    if name == "kurtosis":
        options.append({"axis": 1, "fisher": False})
    data = np.concatenate([SAMPLE, SAMPLE[:, ::-1] ** 2])
    for each in options:
        np.testing.assert_allclose(under_tracing(lambda x, o=each: own(x, **o), data), its(data, **each), rtol=1e-12)
        check_grads(lambda x, o=each: own(x, **o), (data,), modes=BOTH, rtol=1e-5)
