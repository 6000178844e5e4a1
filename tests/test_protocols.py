"""Python's protocols on traced values: what works as on a NumPy value, and what is refused, with exact texts."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import ConcretizationError, UnsupportedError, grad
from xformad.core.primitive import Tracer


def seen(look: Callable[[Any], Any], x: Any = 2.5) -> Any:
    """What a program that looks at a traced value in this way finds."""
    found: list[Any] = []

    def f(x: Any) -> Any:
        found.append(look(x))
        return np.sum(x * x)

    grad(f)(x)
    return found[0]


VECTOR = np.array([1.0, 2.0, 3.0])


# Text.


def test_text() -> None:
    assert seen(lambda x: f"{x:.2f}|{x}|{x!r}|{x!s:>5}") == "2.50|2.5|Tracer(2.5, grad)|  2.5"
    assert seen(lambda x: f"{x * 2:.1e} {str(x)}") == "5.0e+00 2.5"  # noqa: RUF010
    assert seen(lambda x: f"{x:8.3f}".strip()) == "2.500"
    assert seen(lambda x: f"%s {x}" % x) == "2.5 2.5"
    assert seen(lambda x: "{:.1f}".format(x)) == "2.5"  # noqa: UP032
    assert seen(lambda x: f"{x} {x!r}", VECTOR) == "[1. 2. 3.] Tracer(array([1., 2., 3.]), grad)"
    inside: list[str] = []

    def f(x: Any) -> Any:
        inside.append(repr(x))
        return x * x

    grad(grad(f))(2.5)
    assert inside == ["Tracer(2.5, grad)"]


# Whole numbers and rounding.


def test_rounding() -> None:
    assert seen(lambda x: (math.floor(x), math.ceil(x), math.trunc(x), round(x))) == (2, 3, 2, 2)
    assert {type(i) for i in seen(lambda x: (math.floor(x), math.ceil(x), math.trunc(x), round(x)))} == {int}
    assert seen(lambda x: float(round(x, 1)), 2.54) == 2.5
    assert grad(lambda x: x * round(x) + x * round(x, 1))(2.5) == 4.5
    assert grad(lambda x: x * math.floor(x))(2.5) == 2.0
    assert seen(lambda x: [10, 20, 30, 40][math.ceil(x)]) == 40
    assert seen(lambda x: len(range(int(np.floor(x))))) == 2


def test_floor_division_and_remainder() -> None:
    assert seen(lambda x: (x // 1, 7 // x)) == (2.0, 2.0)
    assert seen(lambda x: x % 1 == 0.5)
    assert seen(lambda x: divmod(x, 1)[0]) == 2.0
    assert grad(lambda x: x % 1.0)(2.5) == 1.0
    assert grad(lambda x: 7.0 % x)(2.5) == -2.0
    assert grad(lambda x: sum(divmod(x, 1.0)))(2.5) == 1.0
    assert grad(lambda x: sum(divmod(7.0, x)))(2.5) == -2.0
    assert grad(lambda x: x * (x // 1))(2.5) == 2.0
    assert grad(lambda x: np.sum(x % 2.0))(VECTOR + 0.5).tolist() == [1.0, 1.0, 1.0]


def test_whole_number_leaf_is_an_index() -> None:
    assert grad(lambda p: [10.0, 20.0, 30.0][p["i"]] * p["x"])({"i": 1, "x": 3.0}) == {"i": 0.0, "x": 20.0}
    assert grad(lambda p: np.sum(VECTOR[p["i"] :]) * p["x"])({"i": 1, "x": 3.0})["x"] == 5.0
    assert seen(lambda x: _message(TypeError, lambda: [1, 2, 3][x])) == (
        "'float' object cannot be interpreted as an integer"
    )


def _message(kind: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as error:
        call()
    return str(error.value)


# Truth, comparison, hashing.


def test_truth_and_branches() -> None:
    assert seen(lambda x: (bool(x), not x, bool(x > 3), x > 2 and x < 3)) == (True, False, False, True)
    assert grad(lambda x: x**2 if x > 1 else -x)(0.5) == -1.0

    def halving(x: Any) -> Any:
        while x > 1:
            x = x / 2
        return x

    assert grad(halving)(5.0) == 0.125
    assert seen(lambda x: _message(ValueError, lambda: bool(x)), VECTOR) == (
        "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
    )
    assert seen(lambda x: bool((x > 0).all()), VECTOR)


def test_comparison() -> None:
    assert seen(lambda x: (x == 2.5, x != 2.5, x < 3, x <= 2.5, x > 3, x < 3, x == x)) == (
        *(True, False, True, True, False, True, True),
    )
    assert seen(lambda x: (x == "a", x == None, x != None, x is None)) == (False, False, True, False)  # noqa: E711
    assert seen(lambda x: _message(TypeError, lambda: x < None)) == (
        "'<' not supported between instances of 'Tracer' and 'NoneType'"
    )
    assert seen(lambda x: (x > 1.5).tolist(), VECTOR) == [False, True, True]
    assert seen(lambda x: type(x > 1.5), VECTOR) is np.ndarray
    assert seen(lambda x: isinstance(x, float)) is False


def test_hash() -> None:
    assert seen(lambda x: {x: "value"}[2.5]) == "value"
    assert seen(lambda x: {2.5: "value"}[x]) == "value"
    assert seen(lambda x: len({x, x, 2.5})) == 1
    assert seen(lambda x: _message(TypeError, lambda: hash(x)), VECTOR) == "unhashable type: a traced array"


# Containers.


def test_membership_length_iteration() -> None:
    assert seen(lambda x: (x in [2.5], x in (1.0,), 2.5 in [x]))[:2] == (True, False)
    assert seen(lambda x: (2.0 in x, 5.0 in x), VECTOR) == (True, False)
    assert seen(len, VECTOR) == 3
    assert grad(lambda x: sum(y * y for y in x))(VECTOR).tolist() == [2.0, 4.0, 6.0]
    assert grad(lambda x: sum(map(operator.mul, x, reversed([1.0, 2.0, 3.0]))))(VECTOR).tolist() == [3.0, 2.0, 1.0]

    def unpacked(x: Any) -> Any:
        a, *rest = x
        (b, c) = rest
        return a * b * c

    assert grad(unpacked)(VECTOR).tolist() == [6.0, 3.0, 2.0]
    assert grad(lambda x: sum(row[0] for row in x))(np.ones((2, 2))).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert grad(lambda x: sum(y * i for i, y in enumerate(x)))(VECTOR).tolist() == [0.0, 1.0, 2.0]
    assert seen(lambda x: [type(y) is Tracer for y in x], VECTOR) == [True, True, True]
    assert seen(lambda x: _message(TypeError, lambda: len(x))) == "len() of unsized object: a traced 0-d array"
    assert seen(lambda x: _message(TypeError, lambda: list(x))) == "iteration over a traced 0-d array"
    assert seen(lambda x: _message(IndexError, lambda: x[7]), VECTOR) == (
        "index 7 is out of bounds for axis 0 with size 3"
    )


def test_builtins() -> None:
    assert grad(lambda x: sum(sorted([x, 2.0, x * 3])))(1.0) == 4.0
    assert grad(lambda x: max(x, 0.0))(2.0) == 1.0
    assert grad(lambda x: min(x * x, x + 10))(2.0) == 4.0
    assert grad(lambda x: max(x))(VECTOR).tolist() == [0.0, 0.0, 1.0]
    assert grad(lambda x: abs(-x) + (+x))(2.0) == 2.0
    assert grad(lambda x: pow(x, 3))(2.0) == 12.0
    assert grad(lambda x: math.prod([x, x, 2.0]))(3.0) == 12.0
    assert grad(lambda x: sum([x] * 3))(2.0) == 3.0
    assert grad(lambda x: sum(xnp.array(sorted(x)) * xnp.array([1.0, 10.0, 100.0])))(VECTOR[::-1]).tolist() == [
        *(100.0, 10.0, 1.0),
    ]


def test_copies() -> None:
    assert grad(lambda x: copy.copy(x) * copy.deepcopy(x))(3.0) == 6.0
    assert grad(lambda x: copy.deepcopy({"a": [x, 1.0]})["a"][0] ** 2)(3.0) == 6.0
    assert seen(lambda x: type(copy.copy(x)) is Tracer)
    assert seen(lambda x: _message(ConcretizationError, lambda: pickle.dumps(x))) == (
        "a traced value cannot be pickled; pickle xformad.value_of(x)"
    )


# What would drop the derivative.


CONVERSIONS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: float(x), "float(x)"),
    (lambda x: int(x), "int(x)"),
    (lambda x: complex(x), "complex(x)"),
    (lambda x: x.item(), "x.item()"),
    (lambda x: x.tolist(), "x.tolist()"),
    (lambda x: math.sin(x), "float(x)"),
    (lambda x: "%f" % x, "float(x)"),  # noqa: UP031
    (lambda x: np.asarray(x), "numpy.asarray(x)"),
    (lambda x: np.array([x]), "numpy.asarray(x)"),
    (lambda x: np.full(3, x), "numpy.asarray(x)"),
]


@pytest.mark.parametrize("x", [2.5, np.array(2.5), np.array([2.5])], ids=["float", "0-d", "1-d"])
@pytest.mark.parametrize(("convert", "how"), CONVERSIONS)
def test_conversions_are_refused(convert: Callable[[Any], Any], how: str, x: Any) -> None:
    line = f"{__file__}:{convert.__code__.co_firstlineno}"
    instead = how.replace("(x)", "(xformad.stop_gradient(x))").replace("x.", "xformad.stop_gradient(x).")
    if how.startswith("numpy"):
        instead = "numpy.asarray(xformad.stop_gradient(x))"
    assert seen(lambda x: _message(ConcretizationError, lambda: convert(x)), x) == (
        f"{how} at {line} would drop the derivative of a value traced by grad; use NumPy's functions on it, build "
        "arrays with xformad.numpy.array or numpy.stack, or fill one made by xformad.numpy.zeros; to drop the derivative on "
        "purpose, write " + instead
    )


def test_assignment_into_a_plain_array() -> None:
    """NumPy turns the refusal of an element into a ValueError; the cause says what to do."""

    def f(x: Any) -> Any:
        out = np.zeros(3)
        out[0] = x
        return np.sum(out)

    with pytest.raises((ValueError, TypeError)) as error:
        grad(f)(2.0)
    cause = error.value if isinstance(error.value, ConcretizationError) else error.value.__cause__
    assert isinstance(cause, ConcretizationError)
    assert "or fill one made by xformad.numpy.zeros" in str(cause)
    assert f"{__file__}:{f.__code__.co_firstlineno + 2}" in str(cause)

    def g(x: Any) -> Any:
        out = np.zeros(3)
        out[:] = x
        return np.sum(out)

    with pytest.raises(ConcretizationError):
        grad(g)(VECTOR)


def test_assignment_into_a_traced_array() -> None:
    def f(x: Any) -> Any:
        x[0] = 1.0
        return np.sum(x)

    with pytest.raises(UnsupportedError) as error:
        grad(f)(VECTOR)
    line = f"{__file__}:{f.__code__.co_firstlineno + 1}"
    assert str(error.value) == (
        f"the assignment at {line} would write into an argument of a function under transformation, or into an array from "
        "outside of it; copy it first: x = xformad.numpy.array(x)"
    )

    def augmented(x: Any) -> Any:
        out = np.ones(3)
        out += x
        return np.sum(out)

    with pytest.raises(ConcretizationError) as refused:
        grad(augmented)(VECTOR)
    line = f"{__file__}:{augmented.__code__.co_firstlineno + 2}"
    assert str(refused.value) == (
        f"numpy.add at {line} would write traced values into a plain array and drop what is traced; make the array by "
        "xformad.numpy.zeros, array or another function of xformad.numpy, inside of the function"
    )


def test_augmented_assignment_of_a_traced_result() -> None:
    def f(x: Any) -> Any:
        y = +x
        y += x
        y *= x
        y -= 1
        y /= 2
        y **= 2
        return np.sum(y) + 0 * np.sum(x)

    x = np.array([1.0, 2.0])
    assert grad(f)(x).tolist() == [2.0, 28.0]  # (x^2 - 1/2)^2
    assert x.tolist() == [1.0, 2.0]


def test_attributes() -> None:
    assert seen(lambda x: (x.shape, x.ndim, x.size, x.dtype, x.T.shape), np.ones((2, 3))) == (
        *((2, 3), 2, 6, np.dtype(float), (3, 2)),
    )
    assert seen(lambda x: _message(AttributeError, lambda: x.missing)) == "a traced array has no attribute 'missing'"
    assert seen(lambda x: hasattr(x, "sum") and not hasattr(x, "missing"))
    assert {"sum", "T", "shape", "reshape"} <= set(seen(dir))


# Arrays of traced values.


def test_arrays_of_traced_values() -> None:
    assert grad(lambda x: np.sum(xnp.array([x, 2.0, x * x])))(3.0) == 7.0
    assert grad(lambda x: np.sum(xnp.array([[x, 1.0], [x * x, 2.0]]) @ np.array([1.0, 0.0])))(3.0) == 7.0
    assert grad(lambda x: np.sum(np.stack([x, x * x])))(VECTOR).tolist() == [3.0, 5.0, 7.0]
    assert grad(lambda x: np.sum(xnp.asarray(x)))(VECTOR).tolist() == [1.0, 1.0, 1.0]
    assert grad(lambda x: grad(lambda y: np.sum(xnp.array([x * y, y * y])))(2.0))(3.0) == 1.0
