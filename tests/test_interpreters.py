"""Interpreters at work together: levels, nesting, threads, generators, exceptions, and tracers that escape."""

from __future__ import annotations

import asyncio
import inspect
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from xformad import EscapedTracerError, elementwise_grad, grad, jacobian, make_vjp, value_and_grad, vjp
from xformad.core.interpreter import stack
from xformad.core.primitive import Tracer
from xformad.extend import defvjp, primitive
from xformad.interpreters.trace import Trace
from xformad.interpreters.vjp import Vjp, backward_pass

Derivative = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]


def derivative_by_vjp(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: vjp(fun, x)[1](1.0)[0]


def derivative_by_make_vjp(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: make_vjp(fun, x)[0](1.0)


def derivative_by_value_and_grad(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: value_and_grad(fun)(x)[1]


def derivative_by_hand(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def derivative(x: Any) -> Any:
        with Vjp(fun) as tape:
            tracer = tape.input(x)
            out = fun(tracer)
        if type(out) is not Tracer or out.interpreter is not tape:
            return 0.0
        g = backward_pass([(out.extra, 1.0)], [tracer.extra])[0]
        return 0.0 if g is None else g

    return derivative


DERIVATIVES: dict[str, Derivative] = {
    "grad": grad,
    "vjp": derivative_by_vjp,
    "make_vjp": derivative_by_make_vjp,
    "value_and_grad": derivative_by_value_and_grad,
    "elementwise_grad": elementwise_grad,
    "jacobian": jacobian,
    "by hand": derivative_by_hand,
}

each_inner = pytest.mark.parametrize("inner", DERIVATIVES.values(), ids=DERIVATIVES)
each_outer = pytest.mark.parametrize("outer", DERIVATIVES.values(), ids=DERIVATIVES)


@pytest.fixture(autouse=True)
def stack_is_left_empty() -> Iterator[None]:
    assert stack.live == []
    yield
    assert stack.live == []


@each_outer
@each_inner
def test_perturbation_confusion(outer: Derivative, inner: Derivative) -> None:
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y)(1.0))(4.0) == 8.0
    assert outer(lambda x: inner(lambda y: y * (x - y))(x))(1.0) == -1.0
    assert outer(lambda x: x * inner(lambda y: x * x * y)(3.0))(2.0) == 12.0


@each_outer
@each_inner
def test_closure_that_rebinds_what_it_captured(outer: Derivative, inner: Derivative) -> None:
    def f(x: Any) -> Any:
        def g(y: Any) -> Any:
            nonlocal x
            x = y * x
            return x

        return inner(g)(x) * inner(lambda y: y)(1.0)

    # g(y) = y x at y = x, held fixed: its derivative is the x of the outer function.
    assert outer(f)(1.0) == 1.0


def test_rebinding_a_captured_tracer_after_its_trace_ended_is_an_error() -> None:
    def f(x: Any) -> Any:
        def g(y: Any) -> Any:
            nonlocal x
            x = y * x
            return x

        return grad(g)(2.0) * grad(g)(2.0)

    with pytest.raises(EscapedTracerError, match="a value traced by grad of g was used at "):
        grad(f)(1.0)


def test_three_levels_through_one_primitive() -> None:
    fourth_power = primitive(lambda x: x**4)
    defvjp(fourth_power, lambda g, _ans, x: g * 4 * x**3)
    assert grad(fourth_power)(3.0) == 108.0
    assert grad(grad(fourth_power))(3.0) == 108.0
    assert grad(grad(grad(fourth_power)))(3.0) == 72.0
    assert grad(grad(grad(grad(fourth_power))))(3.0) == 24.0


def test_innermost_variable_is_a_constant_outside() -> None:
    def f(x: Any) -> Any:
        return grad(lambda y: grad(lambda z: x * y * z)(1.0))(1.0)

    assert grad(f)(5.0) == 1.0


def test_levels_are_unique_and_increasing() -> None:
    with Vjp() as first, Vjp() as second:
        assert first.level < second.level
    with Vjp() as third:
        assert second.level < third.level
    assert [tape.live for tape in (first, second, third)] == [False, False, False]


def test_interpreter_entered_after_another_ended_gets_a_level_of_its_own() -> None:
    """The collision of counters that measure the stack's height: a opens, b opens, a ends, c opens."""
    a, b, c = Vjp(), Vjp(), Vjp()
    a.__enter__()
    b.__enter__()
    x = b.input(3.0)
    a.__exit__(None, None, None)
    c.__enter__()
    assert len({a.level, b.level, c.level}) == 3
    y = c.input(5.0)
    product = x * y * x
    assert product.interpreter is c
    (inner,) = backward_pass([(product.extra, 1.0)], [y.extra])
    assert inner.interpreter is b
    assert backward_pass([(inner.extra, 1.0)], [x.extra]) == [6.0]
    b.__exit__(None, None, None)
    c.__exit__(None, None, None)


def differentiating(fun: Callable[[Any], Any], x: float) -> Iterator[float]:
    """A derivative that hands control back between its steps."""
    with Vjp(fun) as tape:
        tracer = tape.input(x)
        yield 0.0
        out = fun(tracer)
        yield 0.0
        out = out * tracer
    yield backward_pass([(out.extra, 1.0)], [tracer.extra])[0]


def test_generators_that_interleave_derivatives() -> None:
    runs = [differentiating(partial(pow, exp=k), 2.0) for k in (1, 2, 3)]
    for order in ((0, 1, 2), (2, 0, 1)):
        for i in order:
            next(runs[i])
    assert [next(runs[i]) for i in (1, 0, 2)] == [12.0, 4.0, 32.0]


def test_abandoned_generator_leaves_nothing() -> None:
    run = differentiating(np.sin, 2.0)
    next(run)
    assert len(stack.live) == 1
    run.close()  # type: ignore[attr-defined]
    assert stack.live == []
    assert grad(lambda x: x**3)(2.0) == 12.0


def test_coroutines_that_interleave_derivatives() -> None:
    async def derivative(power: int, ticks: int) -> float:
        with Vjp() as tape:
            x = tape.input(2.0)
            out = 1.0
            for i in range(power):
                out = out * x
                if i < ticks:
                    await asyncio.sleep(0)
        return float(backward_pass([(out.extra, 1.0)], [x.extra])[0])  # type: ignore[attr-defined]

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(derivative(power, 5 - power) for power in range(1, 6)))

    assert asyncio.run(all_of_them()) == [1.0, 4.0, 12.0, 32.0, 80.0]


def test_threads_do_not_see_each_other() -> None:
    def nested(x: Any) -> Any:  # 2 x^2
        return grad(lambda y: y * grad(lambda z: z * y * x)(x))(x)

    results: list[tuple[float, float]] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        results.extend((grad(nested)(2.0), grad(grad(lambda x: 2 * x**3))(2.0)) for _ in range(100))
        assert stack.live == []

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(8.0, 24.0)] * 800


def test_tracer_used_in_another_thread() -> None:
    """A worker thread may compute on behalf of a derivative."""

    def f(x: Any) -> Any:
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(x * x))
        thread.start()
        thread.join()
        return results[0]

    assert grad(grad(f))(3.0) == 2.0


def test_reentrant_gradient_from_a_rule() -> None:
    """The rule of a primitive calls the transformed function that it is part of."""

    @primitive
    def factorial_power(x: Any, n: int) -> Any:
        return x**n

    def rule(g: Any, _ans: Any, x: Any, n: int) -> Any:
        # d x^n = x^(n-1) + x d x^(n-1)
        return g * (1.0 if n == 1 else factorial_power(x, n - 1) + x * derivative(x, n - 1))

    defvjp(factorial_power, rule, None)
    derivative = grad(factorial_power)
    assert derivative(2.0, 4) == 32.0
    assert grad(derivative)(2.0, 4) == 48.0


def test_exception_in_an_inner_derivative() -> None:
    def failing(y: Any) -> Any:
        if y > 1:
            raise ValueError("too large")
        return y * y

    def f(x: Any) -> Any:
        try:
            return grad(failing)(x + 1)
        except ValueError:
            assert len(stack.live) == 1
            return grad(lambda y: y**3)(x)

    assert grad(f)(2.0) == 12.0
    for _ in range(100):
        with pytest.raises(ValueError, match="too large"):
            grad(failing)(2.0)
        assert stack.live == []
    assert grad(failing)(1.0) == 2.0


def test_keyboard_interrupt_leaves_a_clean_state() -> None:
    def interrupted(x: Any) -> Any:
        x = x * x
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grad(lambda x: grad(interrupted)(x))(2.0)
    assert stack.live == []
    assert grad(grad(lambda x: 2 * x**3))(2.0) == 24.0


def test_warning_turned_error_in_a_rule_leaves_a_clean_state() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            grad(lambda x: np.sum(grad(lambda y: np.sum(np.sqrt(y)))(x)))(np.zeros(2))
    assert stack.live == []
    with np.errstate(all="ignore"):
        assert grad(np.sqrt)(0.0) == np.inf


def test_the_users_errstate_holds_in_the_backward_pass() -> None:
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        grad(lambda x: np.sum(np.sqrt(x)))(np.zeros(2))
    with np.errstate(divide="ignore"):
        assert grad(lambda x: np.sum(np.sqrt(x)))(np.zeros(2)).tolist() == [np.inf, np.inf]


def line_of_the_line_after_next() -> str:
    """`file:line` of the second line below the call."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"{frame.f_back.f_code.co_filename}:{frame.f_back.f_lineno + 2}"


def escaped_text(what: str, line: str) -> str:
    return (
        f"a value traced by {what} was used at {line}, after that call had ended; "
        "return it from the function (has_aux=True hands values out), or store xformad.value_of(x)"
    )


def test_tracer_that_escaped_in_a_list() -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        kept.append(x * 2)
        return x * x

    assert grad(keeps)(3.0) == 6.0
    line = line_of_the_line_after_next()
    with pytest.raises(EscapedTracerError) as error:
        kept[0] + 1
    assert str(error.value) == escaped_text("grad of keeps", line)
    line = line_of_the_line_after_next()
    with pytest.raises(EscapedTracerError) as error:
        np.sin(kept[0])
    assert str(error.value) == escaped_text("grad of keeps", line)
    with pytest.raises(EscapedTracerError):
        kept[0] + kept[0]


def test_tracer_that_escaped_as_a_constant_of_a_new_derivative() -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        kept.append(x)
        return x * x

    grad(keeps)(3.0)
    line = line_of_the_line_after_next()
    with pytest.raises(EscapedTracerError) as error:
        grad(lambda y: y * kept[0])(2.0)
    assert str(error.value) == escaped_text("grad of keeps", line)
    with pytest.raises(EscapedTracerError):
        grad(lambda y: kept[0])(2.0)
    with pytest.raises(EscapedTracerError):
        grad(lambda y: y * y)(kept[0])


def test_tracer_that_escaped_with_an_exception() -> None:
    def failing(x: Any) -> Any:
        raise LookupError(x)

    with pytest.raises(LookupError) as error:
        grad(failing)(3.0)
    with pytest.raises(EscapedTracerError, match="a value traced by grad of failing was used at "):
        error.value.args[0] * 2


def test_escaped_tracer_of_an_outer_level_still_traces_there() -> None:
    """What an inner function stored is a live value of the outer level, as long as that is at work."""

    def f(x: Any) -> Any:
        kept: list[Any] = []

        def g(y: Any) -> Any:
            kept.append(x * 3)
            return x * y

        return grad(g)(2.0) * kept[0]

    assert grad(f)(5.0) == 30.0


def test_escaped_tracer_still_prints() -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        kept.append(x)
        return x * x

    grad(keeps)(3.0)
    assert repr(kept[0]) == "Tracer(3.0, grad)"
    assert f"{kept[0]:.1f}" == "3.0"


def test_lambda_and_partial_names_in_messages() -> None:
    kept: list[Any] = []
    with Vjp() as tape:
        kept.append(tape.input(1.0))
    with pytest.raises(EscapedTracerError, match=r"^a value traced by grad was used at "):
        kept[0] + 1


def test_closure_over_an_outer_tracer_in_a_rule() -> None:
    def f(x: Any) -> Any:
        scaled = primitive(lambda y: y * 2.0)
        defvjp(scaled, lambda g, _ans, y: g * x)
        return grad(scaled)(3.0)

    assert f(5.0) == 5.0
    assert grad(f)(5.0) == 1.0


def test_closure_over_an_outer_tracer_in_an_implementation_is_differentiated() -> None:
    def f(x: Any) -> Any:
        shifted = primitive(lambda y: y + x * x)
        defvjp(shifted, lambda g, _ans, y: g)
        return shifted(3.0)

    assert grad(f)(5.0) == 10.0


def test_trace_and_derivative_interleave() -> None:
    with Trace() as recording, Vjp() as tape:
        x = recording.input(2.0)
        y = tape.input(3.0)
        out = x * y * y
        assert out.interpreter is tape
        (g,) = backward_pass([(out.extra, 1.0)], [y.extra])
    assert g.interpreter is recording
    assert g.value == 12.0
