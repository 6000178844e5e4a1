"""Every operation of the table under Taylor mode, along curves, against nested forward mode; dtypes; refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad
from tests.operations.case import Case, Refused
from tests.operations.test_table import CASES, REFUSED, cast, each_case
from xformad import jvp, taylor, tree
from xformad.core.interpreter import dtype_of
from xformad.core.primitive import Primitive
from xformad.interpreters.jvp_rules import entry_for
from xformad.interpreters.taylor_rules import taylor_rules
from xformad.interpreters.vjp_rules import vjp_rules

ORDER = 4


def curve(x: Any, seed: int, dtype: Any = None) -> list[Any]:
    """Coefficients of orders 1, 2 and 3 of a curve through x."""
    random = np.random.default_rng([7, seed])
    shape = np.shape(x)
    kind = np.asarray(x).dtype if dtype is None else np.dtype(dtype)
    draws = [0.3 * random.normal(size=shape) for _ in range(3)]
    if kind.kind == "c":
        draws = [draw + 0.2j * random.normal(size=shape) for draw in draws]
    return [np.asarray(draw, kind)[()] for draw in draws]


def along(fun: Callable[..., Any], args: tuple[Any, ...], series: list[list[Any]]) -> Callable[[Any], Any]:
    """The function along the curve, as one of t."""

    def at(t: Any) -> list[Any]:
        moved = [x + t * c[0] + t * t * c[1] + t * t * t * c[2] for x, c in zip(args, series, strict=True)]
        return tree.leaves_of(fun(*moved))

    return at


def nested(fun: Callable[[Any], Any], order: int) -> list[list[Any]]:
    """The derivatives at 0 by nested forward mode."""
    found = []
    for _ in range(order + 1):
        found.append(fun(0.0))
        fun = slope(fun)
    return found


def slope(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda t: jvp(fun, (t,), (1.0,))[1]


def interpolated(fun: Callable[[Any], Any], order: int) -> list[list[Any]]:
    """The derivatives at 0 of a function that is smooth there, by Chebyshev interpolation of its values around."""
    degree, radius = 28, 0.8
    nodes = np.polynomial.chebyshev.chebpts1(degree + 1)
    samples = [fun(radius * node) for node in nodes]
    found: list[list[Any]] = [[] for _ in range(order + 1)]
    for values in zip(*samples, strict=True):
        shape = np.shape(values[0])
        fit = np.polynomial.chebyshev.chebfit(nodes, np.reshape(values, (degree + 1, -1)), degree)
        for n in range(order + 1):
            slopes = np.polynomial.chebyshev.chebder(fit, n) if n else fit
            found[n].append(np.reshape(np.polynomial.chebyshev.chebval(0.0, slopes), shape) / radius**n)
    return found


NORM_AT_ZERO = ("norm squared", "norm times norm", "gaussian of a norm", "cosine of a norm")
NOT_BY_NESTING = ("det singular", *NORM_AT_ZERO)
"""Where nested forward mode has no third derivative: at singular matrices, and where a norm is zero."""

SINGLE = ("astype float32",)
"""What computes in single precision."""


def check(case: Case, args: tuple[Any, ...]) -> None:
    series = [curve(x, i) for i, x in enumerate(args)]
    out, coefficients = taylor(case.fun, args, tuple(series), order=ORDER)
    truth, rtol = (interpolated, 1e-7) if case.name.startswith(NOT_BY_NESTING) else (nested, 1e-8)
    rtol = 1e-5 if case.name in SINGLE else rtol
    expected = truth(along(case.fun, args, series), ORDER)
    factorial = 1
    for n, given in enumerate([out, *coefficients]):
        factorial *= max(n, 1)
        for found, exact in zip(tree.leaves_of(given), expected[n], strict=True):
            exact = np.asarray(exact) / factorial
            assert np.shape(found) == np.shape(exact)
            size = np.max(np.abs(exact), initial=1e-3)
            np.testing.assert_allclose(found, exact, rtol=rtol, atol=rtol * size, err_msg=f"order {n}")


@each_case
def test_series_agree_with_nested_forward_mode(case: Case) -> None:
    check(case, case.args)


@pytest.mark.parametrize("case", [c for c in CASES if c.complex], ids=[c.name for c in CASES if c.complex])
def test_complex_series_agree_with_nested_forward_mode(case: Case) -> None:
    random = np.random.default_rng(1)
    check(case, tuple((np.asarray(x) + 0.3j * random.normal(size=np.shape(x)))[()] for x in case.args))


def assert_close(found: Any, expected: Any, rtol: float) -> None:
    for x, y in zip(tree.leaves_of(found), tree.leaves_of(expected), strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.max(np.abs(y), initial=1e-3))


@each_case
def test_a_batch_of_curves_is_each_for_itself(case: Case) -> None:
    """Under `vmap` of points, and of coefficients at one point."""
    series = [curve(x, i)[:2] for i, x in enumerate(case.args)]
    points = [np.stack([np.asarray(x) * scale for scale in (1.0, 1.01)]) for x in case.args]
    directions = [np.stack([c[0], -0.5 * c[0]]) for c in series]

    def at(*primals: Any) -> Any:
        return [c for c in tree.leaves_of(taylor(case.fun, primals, tuple(series))[1]) if c is not None]

    def along(*first: Any) -> Any:
        moved = tuple([c, x[1]] for c, x in zip(first, series, strict=True))
        return [c for c in tree.leaves_of(taylor(case.fun, case.args, moved)[1]) if c is not None]

    for fun, batch in ((at, points), (along, directions)):
        rows = [fun(*(each[j][()] for each in batch)) for j in range(2)]
        assert_close(xformad.vmap(fun)(*batch), [np.stack(leaves) for leaves in zip(*rows, strict=True)], 1e-9)


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@each_case
def test_reverse_mode_and_series_commute(case: Case) -> None:
    """The gradient of a coefficient is the coefficient of the gradient."""
    series = tuple(curve(x, i)[:2] for i, x in enumerate(case.args))
    weights = np.random.default_rng(0).normal(size=64)

    def total(*args: Any) -> Any:
        leaves = [leaf for leaf in tree.leaves_of(case.fun(*args)) if dtype_of(leaf).kind in "fc"]
        return sum(np.sum(np.real(leaf) * np.resize(weights, np.shape(leaf))) for leaf in leaves)

    def second(*args: Any) -> Any:
        return taylor(total, args, series)[1][1]

    everything = tuple(range(len(case.args)))
    if case.name.startswith(NORM_AT_ZERO):
        with pytest.warns(RuntimeWarning, match="not determined where a norm is zero"):
            inside = xformad.grad(second, everything)(*case.args)
        assert any(np.isnan(x).any() for x in inside)
    else:
        inside = xformad.vjp(second, *case.args)[1](1.0)
        outside = taylor(xformad.grad(total, everything), case.args, series)[1][1]
        assert_close(inside, outside, 1e-8)


@each_case
def test_precision_is_numpys(case: Case) -> None:
    """float32 arguments give coefficients of the dtype of NumPy's result."""
    args = cast(case.args, np.float32)
    series = tuple(curve(x, i) for i, x in enumerate(args))
    plain = case.fun(*args)
    out, coefficients = taylor(case.fun, args, series, order=2)
    for given in (out, *coefficients):
        for expected, found in zip(tree.leaves_of(plain), tree.leaves_of(given), strict=True):
            if np.asarray(expected).dtype.kind in "fc":
                assert np.asarray(expected).dtype == np.asarray(found).dtype
            assert np.shape(expected) == np.shape(found)


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_what_must_be_refused(case: Refused) -> None:
    series = tuple([np.ones_like(x)] for x in case.args)
    with pytest.raises(case.error) as raised:
        taylor(case.fun, case.args, series)
    assert case.text in str(raised.value)


def test_every_primitive_has_a_rule_of_its_own() -> None:
    """None falls back on its jvp rule, order by order, which would cost O(k^3)."""
    without = [
        primitive.name
        for name in xformad.operations.__all__
        for module in [getattr(xformad.operations, name)]
        for primitive in vars(module).values()
        if isinstance(primitive, Primitive)
        and primitive not in taylor_rules
        and not vjp_rules[primitive].linear
        and entry_for(primitive) is not None
    ]
    assert not without
