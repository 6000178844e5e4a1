"""`debug_nans`: what is found, what is said, and what is no error; that nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import (
    NonFiniteError,
    checkpoint,
    debug_nans,
    derivatives,
    grad,
    hessian,
    jacobian,
    jit,
    jvp,
    make_vjp,
    scan,
    vmap,
)
from xformad.core.interpreter import stack
from xformad.extend import Primitive, defvjp, defvjp_joint
from xformad.interpreters.vjp import Vjp
from xformad.transformations.debugging import NanWatcher

HERE = __file__


def text(*lines: str) -> str:
    return "\n".join(lines)


def line_of(fun: Callable[..., Any]) -> str:
    return f"{HERE}:{fun.__code__.co_firstlineno}"


def found(fun: Callable[..., Any], *args: Any, infinities: bool = False) -> NonFiniteError:
    """The error in a run."""
    with pytest.raises(NonFiniteError) as error, np.errstate(divide="ignore"), debug_nans(infinities=infinities):
        fun(*args)
    assert type(stack.live) is list
    assert stack.live == []
    return error.value


def test_values() -> None:
    fun = lambda x: np.sum(np.log(x) * 2.0)  # noqa: E731
    error = found(grad(fun), np.array([1.0, -2.0, 3.0]))
    assert str(error) == text(
        f"log at {line_of(fun)} made a NaN at entry (1,): log of a negative number, -2.0",
        "    argument 0: float64[3] = [ 1. -2. 3.]",
    )
    assert (error.operation, error.line, error.part) == ("log", line_of(fun), "value")
    assert error.reason == "log of a negative number, -2.0"
    assert isinstance(error, FloatingPointError)


def test_cotangents() -> None:
    """The operation of the forward pass is named, with its line."""
    fun = lambda x: np.sum(np.sqrt(x) * (x > 0))  # noqa: E731
    error = found(grad(fun), np.array([4.0, 0.0]))
    assert str(error) == text(
        f"sqrt at {line_of(fun)} made a NaN in the cotangent of argument 0 at entry (1,): "
        "the derivative of sqrt at 0.0 is infinite, and 0 times infinity is NaN",
        "    argument 0: float64[2] = [4. 0.]",
        "    cotangent: float64[2] = [1. 0.]",
    )
    assert error.part == "cotangent"


def test_tangents_and_coefficients() -> None:
    fun = lambda x: np.sqrt(x) + 1.0  # noqa: E731
    error = found(lambda: jvp(fun, (0.0,), (0.0,)))
    assert str(error) == text(
        f"sqrt at {line_of(fun)} made a NaN in the tangent of its result: "
        "the derivative of sqrt at 0.0 is infinite, and 0 times infinity is NaN",
        "    argument 0: float64[] = 0.",
        "    tangent of argument 0: float64[] = 0.",
    )
    assert error.part == "tangent"
    error = found(derivatives(fun, 2), 0.0)
    assert (error.operation, error.line, error.part) == ("sqrt", line_of(fun), "coefficient")
    assert error.reason == "the derivative of sqrt at 0.0 is infinite"


def test_batches() -> None:
    fun = lambda x: np.log(x) * np.ones(2)  # noqa: E731
    error = found(vmap(fun), np.array([1.0, 2.0, -3.0]))
    assert str(error) == text(
        f"log at {line_of(fun)} made a NaN at entry (2,): log of a negative number, -3.0",
        "    argument 0: float64[3] = [ 1. 2. -3.]",
        "    (under vmap: the examples have an axis of their own, in values of the program the first one)",
    )
    root = lambda x: np.sqrt(x) * 0.0  # noqa: E731
    error = found(vmap(grad(root)), np.array([1.0, 0.0]))
    assert str(error).startswith(
        f"multiply in the derivative of sqrt at {line_of(root)} made a NaN at entry (1,): "
        "the derivative of sqrt at 0.0 is infinite\n"
    )
    assert (error.operation, error.line, error.part) == ("sqrt", line_of(root), "cotangent")


def test_nested_derivatives() -> None:
    """The rules' operations are under the line of the operation that is differentiated, whatever the order."""
    fun = lambda x: np.sum(x**1.5)  # noqa: E731
    x = np.array([1.0, 0.0])
    for second in (hessian(fun), grad(lambda x: np.sum(grad(fun)(x))), jacobian(grad(fun))):
        error = found(second, x, infinities=True)
        assert error.line == line_of(fun)
        assert "infinit" in error.reason
    error = found(grad(lambda x: jvp(fun, (x,), (x,))[1]), np.array([0.0, 1.0]), infinities=True)
    assert error.line == line_of(fun)


def test_infinities_are_errors_where_asked_for() -> None:
    fun = lambda x: np.exp(x) + 1.0  # noqa: E731
    with debug_nans(), np.errstate(over="ignore"):
        assert grad(fun)(1000.0) == np.inf
    error = found(grad(fun), 1000.0, infinities=True)
    assert str(error) == text(
        f"exp at {line_of(fun)} made an infinity: exp of 1000.0 overflows", "    argument 0: float64[] = 1000."
    )
    product = lambda x: np.sum(x @ x)  # noqa: E731
    error = found(grad(product), np.full((2, 2), 1e200), infinities=True)
    assert error.reason == "all that it was given is finite"


REASONS: list[tuple[Callable[[Any], Any], float, str]] = [
    (lambda x: np.log(x - 2), 2.0, "log of zero"),
    (lambda x: np.log1p(x), -2.0, "log1p of -2.0, which is less than -1"),
    (lambda x: np.arcsin(x), 2.0, "arcsin of 2.0, which is outside of [-1, 1]"),
    (lambda x: np.arccosh(x), 0.5, "arccosh of 0.5, which is less than 1"),
    (lambda x: x / (x - 2), 2.0, "divide of 2.0 by zero"),
    (lambda x: (x - 2) / (x - 2), 2.0, "divide of zero by zero"),
    (lambda x: x**0.5, -2.0, "power of a negative number, -2.0, with the fractional exponent 0.5"),
    (lambda x: x**-1, 0.0, "power of zero with the negative exponent -1"),
    (lambda x: x % (x - 2), 2.0, "remainder of 2.0 by zero"),
    (lambda x: x * 1e308, 1e9, "multiply of 1000000000.0 and 1e+308 overflows"),
]


@pytest.mark.parametrize(("fun", "x", "reason"), REASONS, ids=[reason for *_, reason in REASONS])
def test_reasons(fun: Callable[[Any], Any], x: float, reason: str) -> None:
    assert found(grad(fun), x, infinities=True).reason == reason


def test_what_was_infinite_before_is_a_reason() -> None:
    with np.errstate(over="ignore"):
        error = found(grad(lambda x: (x * 1e308) - (x * 1e308)), 1e9)
    assert error.reason == "subtract of two infinities"
    with np.errstate(over="ignore"):
        error = found(grad(lambda x: np.sum(np.stack([x * 1e308, x * -1e308]))), 1e9)
    assert error.reason == "it was given an infinity"


def test_nans_in_data_are_no_error() -> None:
    data = np.array([1.0, np.nan, 4.0])
    with debug_nans(infinities=True):
        np.testing.assert_array_equal(grad(np.nansum)(data), [1, 0, 1])
        np.testing.assert_array_equal(grad(lambda x: np.nansum(np.sqrt(x) * data))(data), [0.5, 0.0, 1.0])
        vmap(lambda x: np.sqrt(x))(data)
    error = found(grad(lambda x: np.nansum(np.log(x))), np.array([np.nan, -1.0]))
    assert "at entry (1,): log of a negative number" in str(error)
    with debug_nans():
        pullback, _ = make_vjp(np.sin, np.ones(2))
        np.testing.assert_array_equal(pullback(np.array([np.nan, 0.0])), [np.nan, 0.0])


def test_structural_zeros_are_no_error() -> None:
    """What `where` does not take has no cotangent, whatever the derivative is there."""
    x = np.array([4.0, 0.0])
    with debug_nans(infinities=True):
        np.testing.assert_array_equal(grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x), [0.25, 0.0])
        np.testing.assert_array_equal(grad(lambda x: np.sum(np.sqrt(x)[x > 0]))(x), [0.25, 0.0])
    error = found(grad(lambda x: np.sum(np.where(x > 5, 0.0, np.sqrt(x)) * x)), x)
    assert (error.operation, error.part) == ("sqrt", "cotangent")


def test_rules_of_ones_own() -> None:
    wrong = Primitive("wrong", lambda x: x)
    defvjp(wrong, lambda g, _ans, x: g * np.log(-x))
    fun = lambda x: wrong(x) * 2.0  # noqa: E731
    error = found(grad(fun), 1.0)
    assert str(error) == text(
        f"wrong at {line_of(fun)} made a NaN in the cotangent of argument 0: all that it was given is finite",
        "    argument 0: float64[] = 1.",
        "    cotangent: float64[] = 2.",
    )
    joint = Primitive("joint", lambda x, y: (x, y), multiple=True)
    defvjp_joint(joint, lambda x, y: ((x, y), lambda g: (g[0], g[1] * np.log(-y))))
    both = lambda x: joint.bind(x, x)[1] * 1.0  # noqa: E731
    error = found(grad(both), 1.0)
    assert (error.operation, error.line, error.part) == ("joint", line_of(both), "cotangent")
    assert " in the cotangent of argument 1: " in str(error)


def test_jit_runs_plainly_inside() -> None:
    def fun(x: Any) -> Any:
        return np.sum(np.log(x))

    line = f"{HERE}:{fun.__code__.co_firstlineno + 1}"
    fast = jit(fun)
    x = np.array([1.0, 2.0])
    assert fast(x) == fun(x)
    calls = fast.cache_info()
    for transformed in (fast, grad(fast), vmap(fast), jit(grad(fast))):
        error = found(transformed, -x[:, None] if "vmap" in repr(transformed) else -x)
        assert (error.operation, error.line) == ("log", line)
    with debug_nans():
        assert fast(x) == fun(x)
    assert fast.cache_info() == calls
    with np.errstate(invalid="ignore"):
        assert np.isnan(fast(-x))


def test_loops_and_checkpoints() -> None:
    step = lambda c, x: (np.sqrt(c - x), c)  # noqa: E731
    error = found(grad(lambda c: scan(step, c, np.ones(3))[0]), 1.5)
    assert (error.operation, error.line) == ("sqrt", line_of(step))
    inner = lambda x: np.sum(np.sqrt(x))  # noqa: E731
    error = found(grad(checkpoint(inner)), np.zeros(2), infinities=True)
    assert (error.operation, error.line, error.part) == ("sqrt", line_of(inner), "cotangent")


def test_in_place_programs() -> None:
    def fun(x: Any) -> Any:
        out = xnp.zeros(3)
        for i in range(3):
            out[i] = np.log(x[i])
        return np.sum(out)

    error = found(grad(fun), np.array([1.0, -1.0, 1.0]))
    assert error.line == f"{HERE}:{fun.__code__.co_firstlineno + 3}"


def test_as_a_decorator_plain_numpy_is_seen() -> None:
    @debug_nans()
    def fun(x: Any, *, scale: Any) -> dict[str, Any]:
        return {"out": np.log(x["a"]) * scale, "same": x["b"]}

    with np.errstate(invalid="ignore"):
        result = fun({"a": np.ones(2), "b": "text"}, scale=2.0)
        assert type(result["out"]) is np.ndarray
        assert result["same"] == "text"
        with pytest.raises(NonFiniteError, match="log of a negative number"):
            fun({"a": -np.ones(2), "b": 1}, scale=2.0)
    assert fun.__name__ == "fun"


def test_inside_of_a_function_under_transformation() -> None:
    """It may be entered where interpreters are at work, and left again: what is outside is not watched."""

    def fun(x: Any) -> Any:
        with np.errstate(invalid="ignore"):
            y = np.log(x)
        with debug_nans():
            z = np.sqrt(np.absolute(x))
        with np.errstate(invalid="ignore"):
            return np.sum(z) + np.nansum(y) + np.nansum(np.arcsin(x))

    with np.errstate(invalid="ignore"):
        assert np.isfinite(grad(fun)(np.array([4.0, 0.5]))[1])
    with pytest.raises(NonFiniteError, match="arccosh of 0"):
        grad(lambda x: debug_it(x))(0.5)


def debug_it(x: Any) -> Any:
    with debug_nans():
        return np.arccosh(x)


def test_it_nests_and_leaves_nothing() -> None:
    context = debug_nans()
    with context:
        with context, debug_nans(infinities=True):
            assert grad(np.log)(2.0) == 0.5
        with pytest.raises(NonFiniteError):
            grad(np.log)(-1.0)
        with pytest.raises(KeyError):
            grad(lambda x: {}[x])(1.0)
        with pytest.raises(NonFiniteError):
            grad(np.log)(-1.0)
    assert type(stack.live) is list
    with np.errstate(invalid="ignore"):
        assert grad(np.log)(-1.0) == -1.0
    with Vjp() as tape:
        before = dict(vars(tape))
        with debug_nans():
            assert "process" in vars(tape)
        assert vars(tape) == before


def test_other_threads_are_not_watched() -> None:
    results: list[Any] = []

    def run() -> None:
        with np.errstate(invalid="ignore"):
            results.append(grad(np.log)(-1.0))

    with debug_nans():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        with pytest.raises(NonFiniteError):
            grad(np.log)(-1.0)
    assert results == [-1.0]


def test_one_context_in_many_threads() -> None:
    context = debug_nans()
    barrier = threading.Barrier(4)
    errors: list[str] = []

    def run(x: float) -> None:
        barrier.wait()
        for _ in range(20):
            try:
                with context:
                    grad(np.log)(x)
            except NonFiniteError as error:
                errors.append(error.reason)

    threads = [threading.Thread(target=run, args=(x,)) for x in (-1.0, 1.0, -2.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(errors) == sorted(20 * [f"log of a negative number, {x}" for x in (-1.0, -2.0)])


def test_gradients_are_the_same_inside() -> None:
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(3, 3)), rng.normal(size=(4, 3))

    def fun(w: Any) -> Any:
        q, r = np.linalg.qr(w)
        y = np.tanh(x @ w) @ np.linalg.inv(w) + q[0]
        z = np.concatenate([y[1], y[0]]) if y[0, 0] > 0 else y[0]
        return np.sum(np.where(z > 0, z, -2 * z)) + np.sum(np.sort(r[0]) ** 2) + np.einsum("ij,jk->", w, w)

    expected = grad(fun)(w), hessian(fun)(w), vmap(grad(fun))(np.stack([w, w + 0.1]))
    with debug_nans():
        watched = grad(fun)(w), hessian(fun)(w), vmap(grad(fun))(np.stack([w, w + 0.1]))
    for a, b in zip(expected, watched, strict=True):
        np.testing.assert_array_equal(a, b)


def test_watchers_are_told_of_what_runs_in_their_thread_only() -> None:
    watcher = NanWatcher(infinities=False)
    with watcher:
        assert watcher.chain == []
        grad(np.sin)(1.0)
    assert watcher.chain == []
    assert watcher.before == []
