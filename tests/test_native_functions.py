"""The mathematical functions of compiled kernels, against mpmath, over the whole range of their arguments."""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

pytest.importorskip("llvmlite")

from tests.minimax import TARGETS, points, value
from xformad.compiler.native import coefficients, engine, functions, scalars

Array = np.ndarray[Any, np.dtype[Any]]

Dtype = type[np.float64] | type[np.float32]

MOST_ULP: Final = 2.0

DIGITS: Final = 60


@dataclass(frozen=True)
class Case:
    """A function.

    Attributes:
        exact: by mpmath.
        ranges: from which arguments are drawn, beside all numbers there are.
        near: arguments whose neighbours are tried: roots, branch points, ends of the range.
    """

    exact: Callable[..., Any]
    ranges: Sequence[tuple[float, float]] = ((-1, 1), (-10, 10))
    near: Sequence[float] = (0.0,)


def clipped(fun: Callable[[Any], Any], bound: float) -> Callable[[Any], Any]:
    """A function that is where it was long before, beyond a bound: mpmath need not compute e^(10^300)."""
    return lambda x: fun(max(-bound, min(bound, x)))


def power(x: Any, y: Any) -> Any:
    if y == 0 or x == 1:
        return mpf(1)
    if x == 0:
        return mpf(0) if y > 0 else mp.inf
    size = y * mp.log(abs(x))
    if x < 0 and y != mp.floor(y):
        return mp.nan
    return mp.exp(max(-10000, min(10000, size))) * (-1 if x < 0 and y % 2 else 1)


def logaddexp(x: Any, y: Any) -> Any:
    return max(x, y) + mp.log1p(mp.exp(-min(2000, abs(x - y))))


def logaddexp2(x: Any, y: Any) -> Any:
    return max(x, y) + mp.log1p(mpf(2) ** -min(2000, abs(x - y))) / mp.log(2)


EXPONENTIAL: Final = ((-1, 1), (-40, 40), (-110, 90), (-750, 711))
POSITIVE: Final = ((0, 1), (0.9, 1.1), (0, 100))
TRIGONOMETRIC: Final = ((-1, 1), (-10, 10), (-1e4, 1e4), (-1e9, 1e9), (-1e15, 1e15))
MULTIPLES: Final = tuple([k * math.pi / 2 for k in (1, 2, 3, 4, 11, 1000, 12345, 10**6, 10**9)])


def within(low: float, high: float, fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """NaN outside of a function's domain."""
    return lambda x: fun(x) if low <= x <= high else mp.nan


CASES: Final[dict[str, Case]] = {
    "exp": Case(clipped(mp.exp, 10000), EXPONENTIAL, (0.0, math.log(2) / 2, 709.78, -708.4, -745.13, 88.72, -103.97)),
    "exp2": Case(clipped(lambda x: mpf(2) ** x, 20000), EXPONENTIAL, (0.0, 0.5, 1024, -1074, 128, -149)),
    "expm1": Case(clipped(mp.expm1, 10000), EXPONENTIAL, (0.0, math.log(2) / 2, -37.4, 709.78, 88.72)),
    "sinh": Case(clipped(mp.sinh, 10000), EXPONENTIAL, (0.0, 710.47, 89.41)),
    "cosh": Case(clipped(mp.cosh, 10000), EXPONENTIAL, (0.0, 710.47, 89.41)),
    "tanh": Case(clipped(mp.tanh, 10000), ((-1, 1), (-25, 25)), (0.0, 0.55)),
    "expit": Case(clipped(lambda x: 1 / (1 + mp.exp(-x)), 10000), EXPONENTIAL, (0.0, -708.4, -745.13, -103.97)),
    "log_expit": Case(lambda x: min(x, 0) - mp.log1p(mp.exp(-min(2000, abs(x)))), EXPONENTIAL, (0.0,)),
    "log": Case(within(0, mp.inf, mp.log), POSITIVE, (1.0, math.sqrt(0.5), math.sqrt(2))),
    "log2": Case(within(0, mp.inf, lambda x: mp.log(x) / mp.log(2)), POSITIVE, (1.0, 2.0, 8.0, math.sqrt(0.5))),
    "log10": Case(within(0, mp.inf, mp.log10), POSITIVE, (1.0, 10.0, 1000.0, math.sqrt(0.5))),
    "log1p": Case(within(-1, mp.inf, mp.log1p), ((-1, 1), (0, 10)), (0.0, -1.0, math.sqrt(2) - 1)),
    "arcsinh": Case(mp.asinh, near=(0.0, 0.35, 2.0**54, 2.0**25)),
    "arccosh": Case(within(1, mp.inf, mp.acosh), ((1, 1.1), (1, 3), (1, 1000)), (1.0, 2.0**54, 2.0**25)),
    "arctanh": Case(within(-1, 1, mp.atanh), ((-0.2, 0.2), (-1, 1)), (0.0, 0.1716, 0.5, 1.0, -1.0)),
    "sin": Case(mp.sin, TRIGONOMETRIC, (0.0, *MULTIPLES, 2.0**20, 2.0**45, 1e22, 1.7e308, 3e38)),
    "cos": Case(mp.cos, TRIGONOMETRIC, (0.0, *MULTIPLES, 2.0**20, 2.0**45, 1e22, 1.7e308, 3e38)),
    "tan": Case(mp.tan, TRIGONOMETRIC, (0.0, *MULTIPLES, 2.0**20, 2.0**45, 1e22, 1.7e308, 3e38)),
    "arcsin": Case(within(-1, 1, mp.asin), ((-1, 1), (0.99, 1)), (0.0, 0.5, 1.0, -1.0)),
    "arccos": Case(within(-1, 1, mp.acos), ((-1, 1), (0.99, 1)), (0.0, 0.5, -0.5, 1.0, -1.0)),
    "arctan": Case(mp.atan, near=(0.0, 0.41421356, 1.0, 2.41421356)),
    "cbrt": Case(lambda x: mp.sign(x) * mp.cbrt(abs(x)), near=(0.0, 1.0, 8.0, 27.0)),
    "erf": Case(clipped(mp.erf, 30), ((-1, 1), (-6, 6)), (0.0, 1.0, -1.0, 5.95)),
    "erfc": Case(clipped(mp.erfc, 30), ((-1, 1), (-6, 28), (-3, 10)), (0.0, 0.5, 26.5, 10.0)),
    "arctan2": Case(mp.atan2, near=(0.0, 1.0)),
    "hypot": Case(mp.hypot, near=(0.0, 1.0)),
    "power": Case(power, ((-10, 10), (0, 3), (-300, 300), (-6, 6)), (1.0, 2.0, 3.0, -1.0)),
    "logaddexp": Case(logaddexp, ((-3, 3), (-800, 800)), (0.0, 1.0)),
    "logaddexp2": Case(logaddexp2, ((-3, 3), (-800, 800)), (0.0, 1.0)),
}
"""Every function that kernels have."""

ASKED: Final = (0.0, 1.0, 0.5, 2.0, 3.0, 4.0, math.inf, 1e308, 1e-310, 5e-324, 3e38, 1e-45, 700.0, 0.1, 2.5)
SPECIAL: Final = np.array([*ASKED, *[-x for x in ASKED], math.nan])


def loop(name: str, dtype: Dtype, times: int = 1) -> str:
    """A module with a loop over the entries of arrays: the function is called as kernels call it."""
    kind = scalars.TYPES[np.dtype(dtype).char]
    two = name in functions.FUNCTIONS and functions.FUNCTIONS[name].arguments == 2
    count = 2 if two else 1
    lines: list[str] = []

    def write(text: str) -> str:
        lines.append(f"  %v{len(lines)} = {text}")
        return f"%v{len(lines) - 1}"

    args = [write(f"load {kind}, ptr {write(f'getelementptr {kind}, ptr %p{i}, i64 %i')}") for i in range(count)]
    result = scalars.ARITHMETIC[name](write, args, np.dtype(dtype))
    for _ in range(times - 1):
        result = scalars.ARITHMETIC[name](write, [result, *args[1:]], np.dtype(dtype))
    address = write(f"getelementptr {kind}, ptr %p{count}, i64 %i")
    pointers = ", ".join(f"ptr noalias %p{i}" for i in range(count + 1))
    body = "\n".join(lines)
    text = f"""define void @loop({pointers}, i64 %n) {{
entry:
  br label %next
next:
  %i = phi i64 [0, %entry], [%following, %next]
{body}
  store {kind} {result}, ptr {address}
  %following = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %following, %n
  br i1 %done, label %end, label %next
end:
  ret void
}}"""
    text += "\n\n" + functions.definitions(text, engine.the_engine().lanes)
    return engine.declarations(text) + "\n\n" + text


def compiled(name: str, dtype: Dtype, times: int = 1) -> Callable[..., Array]:
    """The function of arrays."""
    code = engine.the_engine().compile(loop(name, dtype, times))
    address = code.get_function_address("loop")

    def run(*args: Array, _code: Any = code) -> Array:
        out = np.empty(args[0].shape, dtype)
        pointers = [np.ascontiguousarray(x, dtype) for x in args]
        kinds = [ctypes.c_void_p] * (len(args) + 1)
        function = ctypes.CFUNCTYPE(None, *kinds, ctypes.c_int64)(address)
        function(*[x.ctypes.data for x in pointers], out.ctypes.data, out.size)
        return out

    return run


def arguments(case: Case, dtype: Dtype, seed: int, count: int = 150) -> Array:
    """All kinds of numbers: any bits at all, some from the ranges, neighbours of others."""
    random = np.random.default_rng(seed)
    whole = np.uint64 if dtype is np.float64 else np.uint32
    found = [random.integers(0, np.iinfo(whole).max, 2 * count, dtype=whole).view(dtype)]
    found += [random.uniform(low, high, count).astype(dtype) for low, high in case.ranges]
    found += [np.exp(random.uniform(-90, 5, count)).astype(dtype) * random.choice([-1, 1], count)]
    with np.errstate(all="ignore"):
        for x in case.near:
            middle = np.full(8, x, dtype)
            steps = np.array([-(2**20), -50, -3, -1, 0, 1, 2, 1000])
            found.append((middle.view(np.int64 if dtype is np.float64 else np.int32) + steps).view(dtype))
    together = np.concatenate([np.asarray(x, dtype) for x in found])
    return np.extract(np.isfinite(together), together)


def ulps(got: Any, exact: Any, dtype: Dtype) -> float:
    """How far a result is from the exact one, in units of the last place of the latter."""
    limits = np.finfo(dtype)
    if mp.isnan(exact):
        return 0.0 if np.isnan(got) else math.inf
    if np.isnan(got):
        return math.inf
    largest = mpf(float(limits.max))
    if np.isinf(got):
        return 0.0 if abs(exact) > largest * (1 - mpf(float(limits.eps))) and (exact > 0) == (got > 0) else math.inf
    if mp.isinf(exact):
        return math.inf
    exponent = mp.frexp(exact)[1] if exact else -2000
    unit = mpf(2) ** (max(exponent, limits.minexp + 1) - limits.nmant - 1)
    return float(abs(mpf(float(got)) - exact) / unit)


def exact_values(case: Case, args: Sequence[Array]) -> list[Any]:
    with mpmath.workdps(DIGITS):
        return [case.exact(*[mpf(float(x)) for x in each]) for each in zip(*args, strict=True)]


def paired(name: str, dtype: Dtype) -> list[Array]:
    """The arguments of a function."""
    case = CASES[name]
    first = arguments(case, dtype, 1)
    if name not in functions.FUNCTIONS or functions.FUNCTIONS[name].arguments == 1:
        return [first]
    random = np.random.default_rng(3)
    second = np.resize(random.permutation(arguments(case, dtype, 2)), first.shape)
    if name == "power":
        whole = random.integers(-20, 20, first.size // 4).astype(dtype)
        base = random.uniform(-10, 10, whole.size).astype(dtype)
        near_one = (1 + random.uniform(-0.01, 0.01, whole.size)).astype(dtype)
        large = random.uniform(-60000, 60000, whole.size).astype(dtype)
        first, second = np.concatenate([first, base, near_one]), np.concatenate([second, whole, large])
    return [first, second]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_against_mpmath(name: str, dtype: Dtype) -> None:
    args = paired(name, dtype)
    got = compiled(name, dtype)(*args)
    exact = exact_values(CASES[name], args)
    errors: list[float] = []
    for i, (result, value_) in enumerate(zip(got, exact, strict=True)):
        error = ulps(result, value_, dtype)
        if name.startswith("logaddexp") and math.isfinite(
            error
        ):  # a sum: near zero, an error of what is added up remains
            with mpmath.workdps(DIGITS):
                size = max(abs(value_), *[abs(mpf(float(x[i]))) for x in args])
                error = min(error, float(abs(mpf(float(result)) - value_) / size / mpf(float(np.finfo(dtype).eps))) * 2)
        errors.append(error)
    worst = int(np.argmax(errors))
    assert errors[worst] <= MOST_ULP, (errors[worst], [x[worst] for x in args], got[worst], exact[worst])


def expected(name: str, *args: Array) -> Array:
    """By NumPy, which agrees with C on special values, or by SciPy."""
    with np.errstate(all="ignore"):
        if hasattr(np, name):
            return np.asarray(getattr(np, name)(*args))
        special = pytest.importorskip("scipy.special")
        return np.asarray(getattr(special, name)(*args))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_special_values(name: str, dtype: Dtype) -> None:
    with np.errstate(all="ignore"):
        numbers = SPECIAL.astype(dtype)
    args = [numbers]
    if name in functions.FUNCTIONS and functions.FUNCTIONS[name].arguments == 2:
        args = [np.array(x) for x in zip(*itertools.product(numbers, numbers), strict=True)]
    got, wanted = compiled(name, dtype)(*args), expected(name, *args)
    epsilon = float(np.finfo(dtype).eps)
    least = epsilon if name.startswith("logaddexp") else 8 * float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(got, wanted, rtol=4 * epsilon, atol=least)
    number = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(wanted[number]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_one_entry_and_many_agree(name: str, dtype: Dtype) -> None:
    """The vectoriser changes nothing."""
    run = compiled(name, dtype)
    args = [x[::7] for x in paired(name, dtype)]
    one_by_one = np.concatenate([run(*[x[i : i + 1] for x in args]) for i in range(args[0].size)])
    np.testing.assert_array_equal(run(*args), one_by_one)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_loops_are_vectorised(name: str, dtype: Dtype) -> None:
    made = str(engine.the_engine().optimised(loop(name, dtype))[0])
    kind = scalars.TYPES[np.dtype(dtype).char]
    body = made[made.index("@loop(") :]
    body = body[: body.index("\n}")]
    assert f"store <{engine.the_engine().lanes}" in body or f"store <{2 * engine.the_engine().lanes} x {kind}>" in body


@pytest.mark.parametrize("name", ["tanh", "sin", "power", "arctan2"])
def test_many_calls_are_not_inlined(name: str) -> None:
    times = 30
    args = [np.linspace(0.1, 1.2, 37), np.linspace(0.3, 0.7, 37)][: 1 if name in ("tanh", "sin") else 2]
    text = loop(name, np.float64, times)
    assert "alwaysinline" not in text
    single, many = compiled(name, np.float64), compiled(name, np.float64, times)
    value_ = args[0]
    for _ in range(times):
        value_ = single(value_, *args[1:])
    np.testing.assert_array_equal(many(*args), value_)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("single", [False, True])
def test_coefficients(name: str, single: bool) -> None:
    """Rounding the coefficients to doubles has left the errors small."""
    table = coefficients.SINGLE_POLYNOMIALS if single else coefficients.DOUBLE_POLYNOMIALS
    target = TARGETS[name]
    with mpmath.workdps(40):
        grid = points(target.interval, 41)
        errors = [target.weight(t) * (value([mpf(c) for c in table[name]], t) - target.function(t)) for t in grid]
        bound = mpf(2) ** (-13 if name == "cbrt" else -26 if single else -54)
        assert max(abs(e) for e in errors) < bound
