"""Interpreters that live outside of xformad, over the table of operations: bounds, operation counts, physical units.

The bounds are those of docs/write_an_interpreter.md; the other two are programs in examples/. Whatever the program,
each of them gives a right answer or says in its own words what it does not take.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.operations.case import Case
from tests.operations.test_table import CASES, TABLES, assert_same
from tests.programs import code_of, load
from tests.test_docs import blocks_of
from xformad import (
    ConcretizationError,
    EscapedTracerError,
    MissingRuleError,
    grad,
    hessian,
    jacobian,
    jvp,
    trace,
    tree,
    vmap,
)
from xformad import numpy as xnp
from xformad.extend import Primitive, primitive_of, primitives

counter = load("operation_counter")
units = load("units_interpreter")
page = code_of("write_an_interpreter.md")
bounds: Callable[..., Callable[..., Any]] = page["bounds"]
Quantity, with_units, ONE, METRE, SECOND = units.Quantity, units.with_units, units.ONE, units.METRE, units.SECOND

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
NUMPYS = [case for table in TABLES if "scipy" not in table.__name__ for case in table.CASES]
"""Those whose primitives have unit rules."""


def tried(fun: Callable[..., Any], args: Any, *errors: type[Exception]) -> tuple[Any, Exception | None]:
    """The result, or the error if it is one of these."""
    try:
        return fun(*args), None
    except errors as error:
        return None, error


def total(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The sum of all that a function returns, which is what can be differentiated."""

    def summed(*args: Any) -> Any:
        return sum(np.sum(np.real(leaf)) for leaf in tree.leaves_of(fun(*args)))

    return summed


def applied(case: Case) -> set[str]:
    """The primitives of a program, whose results it uses."""
    graph = trace(case.fun)(*case.args)
    return {node.primitive.name for node in graph.equations if node.primitive is not None} - {"component"}


def line_below(lines: int = 1) -> str:
    """`file:line` of a line below the call."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"{frame.f_back.f_code.co_filename}:{frame.f_back.f_lineno + lines}"


# Counts.


@each_case
def test_counting_leaves_values_as_they_are(case: Case) -> None:
    value, report = counter.counted(case.fun)(*case.args)
    assert_same(case.fun(*case.args), value)
    assert applied(case) <= {place.primitive for place in report.counts} <= set(primitives())
    for place, count in report.counts.items():
        assert count.calls > 0
        assert min(count.flops, count.read, count.written) >= 0
        assert re.fullmatch(r".*\.py:\d+", place.line)


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@each_case
def test_counting_a_gradient(case: Case) -> None:
    fun = total(case.fun)
    gradients, report = counter.counted_gradient(fun)(*case.args)
    every = tuple(range(len(case.args)))
    assert_same(grad(fun, argnums=every)(*case.args), gradients)
    forward = counter.counted(fun)(*case.args)[1]
    assert report.total(phase="forward").calls >= forward.total().calls
    assert {place.phase for place in report.counts} <= {"forward", "backward"}


FLOPS: list[tuple[str, Callable[..., Any], tuple[tuple[int, ...], ...], float]] = [
    ("matmul", np.matmul, ((3, 5), (5, 7)), 2 * 3 * 5 * 7),
    ("matmul", np.matmul, ((4, 3, 5), (5, 7)), 4 * 2 * 3 * 5 * 7),
    ("matmul", np.matmul, ((5,), (5,)), 2 * 5),
    ("dot", np.dot, ((3, 5), (5,)), 2 * 3 * 5),
    ("dot", np.dot, ((3, 5), ()), 3 * 5),
    ("tensordot", lambda x, y: np.tensordot(x, y, 2), ((3, 5, 2), (5, 2, 7)), 2 * 3 * 5 * 2 * 7),
    ("einsum", lambda x, y: np.einsum("ij,jk->ik", x, y), ((3, 5), (5, 7)), 2 * 3 * 5 * 7),
    ("einsum", lambda x, y: np.einsum("i,j->ij", x, y), ((3,), (5,)), 3 * 5),
    ("einsum", lambda x: np.einsum("ij->i", x), ((3, 5),), 3 * 5),
    ("einsum", lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z), ((2, 3), (3, 4), (4, 5)), 3 * 2 * 3 * 4 * 5),
    (
        "einsum",
        lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z, optimize=["einsum_path", (0, 1), (0, 1)]),
        ((2, 3), (3, 4), (4, 5)),
        2 * 2 * 3 * 4 + 2 * 2 * 4 * 5,
    ),
    ("add", np.add, ((3, 1), (5,)), 15),
    ("exp", np.exp, ((3, 5),), 150),
    ("reshape", np.ravel, ((3, 5),), 0),
    ("sum", lambda x: np.sum(x, axis=1), ((3, 5),), 3 * 4),
    ("max", np.max, ((3, 5),), 14),
    ("cumsum", lambda x: np.cumsum(x, axis=1), ((3, 5),), 15),
    ("solve", lambda a, b: np.linalg.solve(a + 9 * np.eye(3), b), ((3, 3), (3, 2)), 2 / 3 * 27 + 2 * 9 * 2),
    ("cholesky", lambda a: np.linalg.cholesky(a @ a.T + np.eye(3)), ((3, 3),), 9),
    ("inv", lambda a: np.linalg.inv(a + 9 * np.eye(3)), ((2, 3, 3),), 2 * 2 * 27),
    ("multiply", lambda x: x * 1j, ((3,),), 4 * 3),
    ("arctan2", np.arctan2, ((3,), (3,)), 30),
]


@pytest.mark.parametrize(("name", "fun", "shapes", "flops"), FLOPS)
def test_formulas(name: str, fun: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], flops: float) -> None:
    args = [np.random.default_rng(i).normal(size=shape)[()] for i, shape in enumerate(shapes)]
    report = counter.counted(fun)(*args)[1]
    assert report.total(primitive=name).flops == pytest.approx(flops)


def test_bytes() -> None:
    x = np.ones((4, 6), np.float32)
    report = counter.counted(lambda x: np.exp(x.T[1:]).reshape(-1) + np.float32(1))(x)[1]
    found = {place.primitive: (count.read, count.written) for place, count in report.counts.items()}
    assert found == {"transpose": (0, 0), "getitem": (0, 0), "exp": (80, 80), "reshape": (80, 80), "add": (80, 80)}


def test_every_application_has_its_line() -> None:
    here = line_below()
    report = counter.counted(grad(lambda x: np.sin(x) * x))(2.0)[1]
    assert {place.line for place in report.counts} == {here}
    assert {place.primitive for place in report.counts} >= {"sin", "cos", "multiply", "add"}


def test_counting_lets_numbers_out_but_not_derivatives() -> None:
    assert counter.counted(lambda x: float(x) + int(x) + x.item())(2.5)[0] == 7.0
    assert counter.counted(lambda x: xnp.array([x, 1.0]) * 2)(2.5)[0].tolist() == [5.0, 2.0]
    with pytest.raises(
        ConcretizationError, match=r"float\(x\) at .* would drop the derivative of a value traced by grad"
    ):
        grad(lambda x: counter.counted(lambda y: float(y) * y)(x)[0])(2.5)
    with pytest.raises(ConcretizationError) as error:
        counter.counted(np.array)(2.5)
    assert "would drop the count of a value traced by counting" in str(error.value)
    assert str(error.value).endswith("to drop the count on purpose, write numpy.asarray(xformad.value_of(x))")


# Bounds.

REFUSALS = (
    r"(\w+ at (.*):\d+ is not defined everywhere within the bounds|(.*):\d+: what happens here depends on the point within "
    r"the bounds|\w+ at (.*):\d+: complex numbers have no bounds)"
)


def around(case: Case) -> tuple[list[Any], list[Any]]:
    """Intervals around the arguments of a case, and points in them."""
    random = np.random.default_rng(0)
    radii = [1e-3 * random.random(np.shape(x)) for x in case.args]
    intervals = [((x - r)[()], (x + r)[()]) for x, r in zip(map(np.asarray, case.args), radii, strict=True)]
    points = [
        [(low + random.random(np.shape(low)) * (high - low)) for low, high in intervals],
        [np.where(random.random(np.shape(low)) < 0.5, low, high)[()] for low, high in intervals],
        [low for low, _ in intervals],
        [high for _, high in intervals],
    ]
    return intervals, points


def assert_within(ends: Any, value: Any) -> None:
    ends, value = tree.leaves_of(ends), tree.leaves_of(value)
    assert len(ends) == 2 * len(value)
    for lower, upper, inside in zip(ends[::2], ends[1::2], value, strict=True):
        assert np.shape(lower) == np.shape(upper) == np.shape(inside)
        assert np.all(lower <= inside)
        assert np.all(inside <= upper)


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@pytest.mark.parametrize("derivative", [False, True], ids=["value", "gradient"])
@each_case
def test_values_are_within_bounds(case: Case, derivative: bool) -> None:
    fun = grad(total(case.fun), argnums=tuple(range(len(case.args)))) if derivative else case.fun
    intervals, points = around(case)
    ends, error = tried(bounds(fun), intervals, MissingRuleError, ArithmeticError, TypeError)
    if isinstance(error, MissingRuleError):
        missing = re.findall(r"no bounds rule for primitive '(\w+)'", str(error))[0]
        assert primitive_of(missing) not in page["bounds_rules"]
        assert str(error) == f"no bounds rule for primitive '{missing}'; add one with defbounds({missing}, ...)"
        if not derivative:
            assert missing in {place.primitive for place in counter.counted(fun)(*case.args)[1].counts}
        return
    if error is not None:
        assert re.fullmatch(REFUSALS, str(error)), error
        return
    for point in points:
        assert_within(ends, fun(*point))


def test_enough_of_the_table_has_bounds() -> None:
    """So that the test above cannot pass by refusals."""
    errors = [
        tried(bounds(case.fun), around(case)[0], MissingRuleError, ArithmeticError, TypeError)[1] for case in CASES
    ]
    assert errors.count(None) > 450


def test_the_page_keeps_its_promise() -> None:
    """The interpreter, with the rules that it starts with, in less than 60 lines."""
    blocks = [
        block.text
        for block in blocks_of(Path(__file__).parents[1] / "docs" / "write_an_interpreter.md")
        if block.language == "python" and not block.text.lstrip().startswith(">>>")
    ]
    until = next(i for i, text in enumerate(blocks) if "def bounds(fun)" in text)
    assert sum(bool(line.strip()) for text in blocks[: until + 1] for line in text.splitlines()) < 60


def test_bounds_contain_exact_arithmetic() -> None:
    """Rational numbers are the truth here: point intervals, whose bounds are rounding alone."""
    random = np.random.default_rng(0)

    def program(x: Any, y: Any, z: Any) -> Any:
        return [x + y, x - y, x * y, x / y, (x + y) * z - x / (y + 3), x**3 - y**2, 1 / (x * x + y), -z]

    for _ in range(200):
        point = [float(v) for v in random.uniform(1.0, 2.0, 3)]
        exact = program(*map(Fraction, point))
        ends = bounds(program)(*[(v, v) for v in point])
        for (lower, upper), value in zip(ends, exact, strict=True):
            assert Fraction(float(lower)) <= value <= Fraction(float(upper))
            assert upper - lower < 1e-13
    many = random.normal(size=1000)
    ((lower, upper),) = bounds(lambda x: [np.sum(x)])((many, many))
    assert Fraction(float(lower)) <= sum(map(Fraction, many.tolist())) <= Fraction(float(upper))
    lower, upper = bounds(np.sum)((many.astype(np.float32),) * 2)
    assert Fraction(float(lower)) <= sum(map(Fraction, many.astype(np.float32).tolist())) <= Fraction(float(upper))


RANGES: dict[str, tuple[float, float]] = {
    "exp": (-80, 80), "exp2": (-100, 100), "expm1": (-30, 80), "log": (1e-30, 1e3), "log2": (1e-9, 10),
    "log10": (1e-9, 10), "log1p": (-0.99, 10), "sqrt": (1e-3, 1e9), "cbrt": (-1e3, 1e3), "arctan": (-50, 50),
    "sinh": (-80, 80), "tanh": (-20, 20), "arcsin": (-1, 1), "arccos": (-1, 1), "arcsinh": (-1e5, 1e5),
    "arccosh": (1.001, 1e5), "arctanh": (-0.999, 0.999), "sin": (-1e6, 1e6), "cos": (-1e6, 1e6),
}  # fmt: skip


@pytest.mark.parametrize(("single", "truth"), [(np.float32, np.float64), (np.float64, np.longdouble)])
@pytest.mark.parametrize(("name", "ends"), RANGES.items())
def test_bounds_contain_what_higher_precision_gives(
    name: str, ends: tuple[float, float], single: Any, truth: Any
) -> None:
    function = getattr(np, name)
    x = np.random.default_rng(0).uniform(*ends, 2000).astype(single)
    lower, upper = bounds(function)((x, x))
    exact = function(x.astype(truth))
    assert lower.dtype == upper.dtype == single
    assert np.all(lower.astype(truth) <= exact)
    assert np.all(exact <= upper.astype(truth))
    assert np.all(upper - lower <= 20 * np.spacing(np.maximum(np.abs(lower), np.abs(upper))))


def test_bounds_refuse_what_they_cannot_know() -> None:
    inside = bounds(lambda x: np.log(x))
    with pytest.raises(ArithmeticError, match=r"log at .* is not defined everywhere within the bounds"):
        inside((-1.0, 1.0))
    with pytest.raises(ArithmeticError, match=r"divide at .* is not defined everywhere"):
        bounds(lambda x: 1 / x)((-1.0, 1.0))
    with pytest.raises(ArithmeticError, match=r"power at .* is not defined everywhere"):
        bounds(lambda x: x**0.5)((-1.0, 1.0))
    with pytest.raises(ArithmeticError, match="what happens here depends on the point"):
        bounds(lambda x: x[x > 0])((-np.ones(3), np.ones(3)))
    with pytest.raises(ArithmeticError, match="what happens here depends on the point"):
        bounds(lambda n: sum(range(n)))((1, 3))
    assert bounds(lambda n: [1.0, 2.0, 3.0][n])((1, 1)) == (2.0, 2.0)
    here = line_below()
    branching = bounds(lambda x: 1.0 if x > 0 else 2.0)
    with pytest.raises(ArithmeticError, match="^" + re.escape(f"{here}: what happens here")):
        branching((-1.0, 1.0))


def worst(radius: Any) -> Any:
    return bounds(lambda x: np.sin(x) * np.exp(-x) / (1 + x**2))((0.7 - radius, 0.7 + radius))[1]


def test_bounds_compose_with_derivatives_both_ways() -> None:
    step = 1e-6
    difference = (worst(0.2 + step) - worst(0.2 - step)) / (2 * step)
    assert grad(worst)(0.2) == pytest.approx(difference, rel=1e-7)
    assert jvp(worst, (0.2,), (1.0,))[1] == pytest.approx(difference, rel=1e-7)
    second = (grad(worst)(0.2 + step) - grad(worst)(0.2 - step)) / (2 * step)
    assert grad(grad(worst))(0.2) == pytest.approx(second, rel=1e-6)
    assert jvp(grad(worst), (0.2,), (1.0,))[1] == pytest.approx(second, rel=1e-6)

    def program(x: Any) -> Any:
        return np.sum(np.sin(x * np.array([1.0, 2.0, 0.5])) * np.exp(-x)) / (1 + np.sum(x**2))

    centre = np.array([0.3, -0.8, 1.1])
    ends = bounds(grad(program))((centre - 0.01, centre + 0.01))
    curved = bounds(hessian(program))((centre - 0.01, centre + 0.01))
    moved = bounds(lambda x: jvp(program, (x,), (np.ones(3),))[1])((centre - 0.01, centre + 0.01))
    random = np.random.default_rng(0)
    for _ in range(50):
        point = centre + random.uniform(-0.01, 0.01, 3)
        assert_within(ends, grad(program)(point))
        assert_within(curved, hessian(program)(point))
        assert_within(moved, jvp(program, (point,), (np.ones(3),))[1])
    for lower, upper in (ends, curved):
        assert np.all(upper - lower < 0.5)


# Units.

BASES = [METRE, SECOND, units.KILOGRAM, units.KELVIN]
FACTORS = [2.0, 4.0, 0.5, 8.0]
UNIT_REFUSALS = (
    r"\w+ at (.*):\d+: (the units .* and .* do not agree|the argument has the unit .*, but must be a pure number|what has "
    r"the unit .* can be raised to one constant exponent only, else the unit of the result is not known)"
)


def parts_of(out: Any) -> list[tuple[Any, Any]]:
    """The value and the unit of each leaf of a result."""
    return [(x.value, x.unit) if isinstance(x, Quantity) else (x, ONE) for x in tree.leaves_of(out)]


def test_nearly_all_of_the_table_has_units() -> None:
    """So that the tests below cannot pass by refusals."""
    args = [[Quantity(x, ONE) for x in case.args] for case in NUMPYS]
    errors = [tried(with_units(case.fun), each, MissingRuleError)[1] for case, each in zip(NUMPYS, args, strict=True)]
    assert errors.count(None) > 0.97 * len(NUMPYS)
    args = [[Quantity(x, METRE) for x in case.args] for case in NUMPYS]
    errors = [
        tried(with_units(case.fun), each, MissingRuleError, units.UnitError)[1]
        for case, each in zip(NUMPYS, args, strict=True)
    ]
    assert errors.count(None) > 0.7 * len(NUMPYS)


# Operations whose vjp rules join ones to their arguments: right as numbers, not as units.
RULES_WITH_ONES = {f"prod with zeros{which}" for which in ("", ", axis 0", " of all", " over two axes")}


@each_case
def test_pure_numbers_stay_pure(case: Case) -> None:
    found, error = tried(with_units(case.fun), [Quantity(x, ONE) for x in case.args], MissingRuleError)
    if error is not None:
        missing = re.findall(r"no unit rule for primitive '(\w+)'", str(error))[0]
        assert str(error) == f"no unit rule for primitive '{missing}'; add one with defunit({missing}, ...)"
        return
    out = parts_of(found)
    assert_same(case.fun(*case.args), [value for value, _ in out])
    assert {unit for _, unit in out} <= {ONE}


@pytest.mark.parametrize("alike", [True, False], ids=["one unit", "several units"])
@each_case
def test_units_say_how_values_scale(case: Case, alike: bool) -> None:
    """With arguments in other units, that is other numbers, the result is the same in its unit."""
    bases = BASES[:1] * 4 if alike else BASES
    factors = FACTORS[:1] * 4 if alike else FACTORS
    args = [Quantity(x, unit) for x, unit in zip(case.args, bases, strict=False)]
    found, error = tried(with_units(case.fun), args, units.UnitError, MissingRuleError)
    if error is not None:
        assert isinstance(error, MissingRuleError) or re.fullmatch(UNIT_REFUSALS, str(error)), error
        return
    out = parts_of(found)
    plain = tree.leaves_of(case.fun(*case.args))
    scaled = tree.leaves_of(case.fun(*[x * factor for x, factor in zip(case.args, factors, strict=False)]))
    for (value, unit), before, after in zip(out, plain, scaled, strict=True):
        np.testing.assert_allclose(value, before, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(after, before * conversion(unit), rtol=1e-9, atol=1e-9)


def conversion(unit: Any) -> float:
    """What a number in this unit is multiplied by, when those in the base units are multiplied by `FACTORS`."""
    powers = dict(zip(units.SYMBOLS, unit.exponents, strict=True))
    out = 1.0
    for symbol, factor in zip(("m", "s", "kg", "K"), FACTORS, strict=True):
        out *= factor ** float(powers[symbol])
    return out


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@pytest.mark.parametrize("case", NUMPYS, ids=[case.name for case in NUMPYS])
def test_the_unit_of_a_derivative(case: Case) -> None:
    """It is that of the result over that of the argument, whatever the program."""
    fun = total(case.fun)
    args = [Quantity(x, unit) for x, unit in zip(case.args, BASES, strict=False)]
    every = tuple(range(len(args)))
    derivative = with_units(grad(fun, argnums=every))
    found, error = tried(with_units(fun), args, units.UnitError, MissingRuleError)
    if isinstance(error, MissingRuleError):
        return
    unit = ONE
    if error is None:
        ((_, unit),) = parts_of(found)
        gradient, error = tried(derivative, args, units.UnitError)
        if error is not None:
            assert re.fullmatch(UNIT_REFUSALS, str(error)), error
            assert case.name in RULES_WITH_ONES
    if error is not None:
        args = [Quantity(x, ONE) for x in case.args]
        gradient = derivative(*args)
        unit = ONE
    gradients = parts_of(gradient)
    assert_same(grad(fun, argnums=every)(*case.args), tuple(value for value, _ in gradients))
    for arg, (value, found) in zip(args, gradients, strict=True):
        if np.any(value != 0):
            assert found == unit / arg.unit


def test_unit_errors() -> None:
    length, time = Quantity(2.0, METRE), Quantity(3.0, SECOND)
    here = line_below()
    refused: list[tuple[Callable[..., Any], str]] = [(lambda x, t: x + t, "add at {}: the units m and s do not agree")]
    refused += [(lambda x, t: x < t, "less at {}: the units m and s do not agree")]
    refused += [(lambda x, t: np.exp(x / t), "exp at {}: the argument has the unit m s^-1, but must be a pure number")]
    refused += [(lambda x, t: np.where([True, False], t, 1.0), "where at {}: the units s and 1 do not agree")]
    path, _, number = here.rpartition(":")
    for i, (fun, text) in enumerate(refused):
        with pytest.raises(units.UnitError) as error:
            with_units(fun)(length, time)
        assert str(error.value) == text.format(f"{path}:{int(number) + i}")
    with pytest.raises(
        units.UnitError, match=r"float\(x\) at .* would drop the unit m; divide by a quantity of it first"
    ):
        with_units(lambda x, t: float(x))(length, time)
    assert with_units(lambda x, t: float(x / x) + int(t / t))(length, time) == 2.0
    assert repr(with_units(lambda x, t: np.where(x > 0, x / t, 0.0))(length, time)) == "0.6666666666666666 m s^-1"
    assert repr(with_units(lambda x, t: x**0.5 * np.sqrt(2 * x) / t**1.5)(length, Quantity(4.0, SECOND))).endswith(
        " m s^(-3/2)"
    )


def test_units_compose_with_derivatives_both_ways() -> None:
    def energy(x: Any, stiffness: Any) -> Any:
        return 0.5 * stiffness * np.sum(x**2)

    x, stiffness = Quantity(np.array([0.1, 0.3]), METRE), Quantity(5.0, units.NEWTON / METRE)
    force = with_units(lambda *args: -grad(energy)(*args))(x, stiffness)
    assert force.unit == units.NEWTON
    assert force.value.tolist() == [-0.5, -1.5]
    assert with_units(hessian(energy))(x, stiffness).unit == units.NEWTON / METRE
    assert with_units(jacobian(grad(energy), 1))(x, stiffness).unit == METRE
    tangent = Quantity(np.ones(2), METRE / SECOND)
    power = with_units(lambda x, v, k: jvp(lambda x: energy(x, k), (x,), (v,))[1])(x, tangent, stiffness)
    assert power.unit == units.JOULE / SECOND

    def number(x: Any) -> Any:
        found = with_units(energy)(Quantity(x, METRE), stiffness)
        assert found.unit == units.JOULE
        return found.value

    assert grad(number)(np.array([0.1, 0.3])).tolist() == [0.5, 1.5]
    assert hessian(number)(np.array([0.1, 0.3])).tolist() == [[5.0, 0.0], [0.0, 5.0]]
    assert jvp(number, (np.array([0.1, 0.3]),), (np.ones(2),))[1] == 2.0


# All of them.


def test_the_three_compose() -> None:
    """Each is an interpreter among others: in one another, with derivatives between, and lines still the user's."""

    def fun(x: Any) -> Any:
        return np.sum(x**2) * 3.0

    x = np.array([1.0, 2.0])
    (lower, upper), report = counter.counted(lambda x: bounds(fun)((x - 1, x + 1)))(x)
    assert lower <= 15.0 <= upper
    assert report.total(primitive="outward").calls > 0
    value, report = counter.counted(lambda x: with_units(grad(fun))(Quantity(x, METRE)).value)(x)
    assert value.tolist() == [6.0, 12.0]
    assert report.total(primitive="power").calls == 1
    inner, outer = counter.counted(lambda x: counter.counted(fun)(x)[0])(x)
    assert inner == 15.0
    assert {Path(place.line.rpartition(":")[0]).name for place in outer.counts} == {Path(__file__).name}
    assert {place.primitive for place in outer.counts} == {"power", "sum", "multiply"}
    assert outer.counts == counter.counted(fun)(x)[1].counts
    units.defunit(page["outward"], units.first)
    inside = with_units(lambda x: bounds(grad(fun))((x, 1.5 * x)))(Quantity(x, METRE))
    assert [end.unit for end in inside] == [METRE, METRE]
    assert np.all(inside[0].value <= 6 * x)
    assert np.all(9 * x <= inside[1].value)
    lower, upper = bounds(lambda x: with_units(grad(fun))(Quantity(x, METRE)).value)((x - 1, x + 1))
    assert np.all(lower <= grad(fun)(x))
    assert np.all(grad(fun)(x) <= upper)


def test_batches() -> None:
    def fun(x: Any) -> Any:
        return np.sum(x**2) * 3.0

    x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    expected = vmap(grad(fun))(x)
    found = with_units(vmap(grad(fun)))(Quantity(x, METRE))
    assert found.unit == METRE
    np.testing.assert_array_equal(found.value, expected)
    np.testing.assert_array_equal(vmap(lambda x: with_units(grad(fun))(Quantity(x, METRE)).value)(x), expected)
    np.testing.assert_array_equal(counter.counted(vmap(grad(fun)))(x)[0], expected)
    np.testing.assert_array_equal(vmap(lambda x: counter.counted(grad(fun))(x)[0])(x), expected)
    lower, upper = bounds(vmap(grad(fun)))((x - 0.1, x + 0.1))
    assert np.all(lower <= 6 * (x - 0.1))
    assert np.all(6 * (x + 0.1) <= upper)


@pytest.mark.parametrize(
    ("run", "add", "kind", "adder"),
    [
        (lambda fun: bounds(fun)((1.0, 2.0)), lambda p: page["defbounds"](page["at_ends"], p), "bounds", "defbounds"),
        (lambda fun: with_units(fun)(Quantity(1.0, METRE)), lambda p: units.defunit(p, units.first), "unit", "defunit"),
    ],
)
def test_a_rule_is_missed_and_added_once(
    run: Callable[..., Any], add: Callable[[Primitive], None], kind: str, adder: str
) -> None:
    halve = Primitive("halve", lambda x: x / 2)
    with pytest.raises(MissingRuleError) as error:
        run(halve)
    assert str(error.value) == f"no {kind} rule for primitive 'halve'; add one with {adder}(halve, ...)"
    add(halve)
    assert getattr(run(halve), "value", None) == 0.5 or run(halve) == (0.5, 1.0)
    with pytest.raises(ValueError) as twice:
        add(halve)
    assert str(twice.value) == (
        f"primitive 'halve' already has a {kind} rule; call the table's replace(primitive, rule) to put another in its place"
    )


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (lambda fun: bounds(fun)((1.0, 2.0)), "bounds"),
        (lambda fun: with_units(fun)(Quantity(1.0, METRE)), "units"),
        (lambda fun: counter.counted(fun)(1.0), "counting"),
    ],
)
def test_tracers_do_not_escape(run: Callable[..., Any], name: str) -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        kept.append(x)
        return x

    run(keeps)
    here = line_below(2)
    with pytest.raises(EscapedTracerError, match=f"a value traced by {name} of keeps was used at {re.escape(here)}"):
        kept[0] + 1
