"""In-place programs: writes, views and derivatives through them, against plain NumPy and difference quotients."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from tests.operations.case import Case
from tests.operations.test_table import CASES
from xformad import (
    UnsupportedError,
    XformadError,
    checkpoint,
    cond,
    custom_vjp,
    grad,
    jacobian,
    jvp,
    scan,
    sparse_jacobian,
    trace,
    tree,
    value_of,
    vjp,
    vmap,
)
from xformad.core.interpreter import Interpreter, stack
from xformad.core.primitive import Tracer
from xformad.errors import MissingRuleError
from xformad.testing import check_grads

# Which functions give views: every case of the table of operations.

SINGLE = [case for case in CASES if any(isinstance(arg, np.ndarray) and arg.ndim and arg.size for arg in case.args)]


def made(x: Any, how: str) -> Any:
    """A copy of an argument: as a result of an operation, or one that has been written into."""
    if not np.ndim(x):
        return x
    if how == "result":
        return x * 1.0
    out = xnp.zeros(x.shape, x.dtype)
    out[...] = x
    return out


def writes(case: Case, args: list[Any], how: str, back: bool) -> list[Any]:
    """Call a function on arrays, write into these, or, the other way round, into its result; then read both."""
    arrays = [made(x, how) for x in args]
    result = case.fun(*arrays)
    parts = [part for part in tree.leaves_of(result) if np.ndim(part) and part.size and part.dtype.kind in "fc"]
    arrays = [a for a in arrays if np.ndim(a)]
    for x in parts if back else arrays:
        x[...] = 0.375
    return [x * 1.0 for x in (arrays if back else parts)]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("how", ["result", "written"])
@pytest.mark.parametrize("case", SINGLE, ids=[case.name for case in SINGLE])
def test_results_share_memory_with_arguments_as_in_numpy(case: Case, how: str, back: bool) -> None:
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in case.args]
    try:
        expected = writes(case, copies, how, back)
    except (ValueError, DeprecationWarning) as error:
        if "read-only" not in str(error) and "broadcast_arrays" not in str(error):
            raise
        expected = None
    found: list[Any] = []
    refused: list[Exception] = []

    def traced(*args: Any) -> Any:
        try:
            found.extend(value_of(writes(case, list(args), how, back)))
        except (XformadError, ValueError) as error:
            refused.append(error)
        return args[0]

    jvp(traced, case.args, case.args)
    if not refused:
        assert expected is not None
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)


# What functions that are handed to calls may write into.

X = np.array([1.0, 2.0, 3.0])


def test_a_body_writes_into_arrays_that_it_makes() -> None:
    def f(x: Any) -> Any:
        def body(c: Any, xi: Any) -> Any:
            out = xnp.zeros(2)
            out[0] = xi * c
            out[1] += c
            return out[0] + out[1], out

        c, outs = scan(body, 1.0, x)
        return c + np.sum(outs)

    check_grads(f, (X,), order=2)
    np.testing.assert_allclose(vmap(f)(np.stack([X, 2 * X])), [f(X), f(2 * X)])


def writing_body(x: Any) -> Any:
    out = xnp.zeros(3)

    def body(c: Any, xi: Any) -> Any:
        out[0] = 2.0
        return c + xi, None

    return scan(body, 0.0, x)[0] + out[0]


def writing_branch(x: Any) -> Any:
    out = xnp.zeros(3)

    def yes(y: Any) -> Any:
        out[0] = 5.0
        return y

    return cond(x[0] > 0.5, yes, lambda y: -y, x[0]) + out[0]


def writing_checkpoint(x: Any) -> Any:
    out = xnp.zeros(3)
    out[1] = x[1]

    def inner(x: Any) -> Any:
        out[0] = x[0]
        return np.sum(x)

    return checkpoint(inner)(x) + out[0]


@pytest.mark.parametrize("f", [writing_body, writing_branch, writing_checkpoint])
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: grad(f)(X),
        lambda f: jvp(f, (X,), (X,)),
        lambda f: vmap(f)(np.stack([X, X - 1])),
        lambda f: trace(f)(X),
        lambda f: sparse_jacobian(lambda x: f(x)[None], X)(X),
    ],
)
def test_what_a_body_closes_over_is_read_only(f: Callable[[Any], Any], transform: Callable[[Any], Any]) -> None:
    f(X.copy())  # without a transformation, it is as always
    with pytest.raises((ValueError, UnsupportedError)) as error:
        transform(f)
    assert "read-only" in str(error.value) or "from outside of it" in str(error.value)


def test_rules_of_users_do_not_write_into_what_they_are_given() -> None:
    @custom_vjp
    def f(x: Any) -> Any:
        return np.sin(x)

    def backward(x: Any, g: Any) -> Any:
        g *= 2.0
        return (g * np.cos(x),)

    f.defvjp(lambda x: (np.sin(x), x), backward)
    with pytest.raises(ValueError, match="read-only"):
        grad(lambda x: np.sum(f(x) + x))(X)
    cotangent = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        vjp(f, X)[1](cotangent)
    assert cotangent.tolist() == X.tolist()


def test_writes_into_outer_arrays_are_refused() -> None:
    def f(x: Any) -> Any:
        out = xnp.zeros(2)

        def inner(y: Any) -> Any:
            out[0] = y
            return y * y

        return grad(inner)(x) + out[0]

    with pytest.raises(UnsupportedError, match="from outside of the function under grad"):
        grad(f)(1.0)


def test_functions_that_return_what_they_wrote_into() -> None:
    def f(x: Any) -> Any:
        out = xnp.zeros(4)
        for i in range(1, 4):
            out[i] = out[i - 1] + x[i - 1]
        return {"all": out, "part": out[1:], "turned": out.reshape(2, 2).T}

    value, tangent = jvp(f, (X,), (X,))
    assert value["turned"].tolist() == [[0.0, 3.0], [1.0, 6.0]]
    assert tangent["part"].tolist() == [1.0, 3.0, 6.0]
    assert jacobian(lambda x: f(x)["part"])(X).tolist() == [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]


def test_numbers_are_rebound_and_arrays_of_no_axes_are_written_into() -> None:
    def f(x: Any) -> Any:
        total = xnp.zeros(())
        same = total
        for each in x:
            total += each
        number = x[0]
        number += 1.0
        return same * number

    assert f(X) == 12.0
    assert grad(f)(X).tolist() == [8.0, 2.0, 2.0]
    with pytest.raises(UnsupportedError, match="copy it first"):
        grad(lambda x: x.__iadd__(1.0))(np.array(2.0))


def test_memory_is_freed_without_the_collector() -> None:
    def f(x: Any) -> Any:
        a = xnp.zeros((3, 3))
        row, turned, y = a[0], a.T, 2 * x
        z = y[1:]
        row[1] = x[0]
        turned[2] = x
        y[0] = x[1]
        return np.sum(a) + np.sum(z * z) + np.sum(y.reshape(3, 1))

    runs: list[Callable[[], Any]] = [
        lambda: grad(f)(X),
        lambda: jvp(f, (X,), (X,)),
        lambda: vmap(f)(np.stack([X, X])),
        lambda: grad(lambda x: np.sum(grad(f)(x) ** 2))(X),
    ]
    for run in runs:
        run()
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(20):
                run()
            assert len(gc.get_objects()) - before < 20
        finally:
            gc.enable()


def test_an_element_at_a_time_takes_linear_time() -> None:
    """What grows with the length is counted, not timed: the operations of the graph of the gradient."""

    def fill(x: Any, n: int) -> Any:
        out = xnp.ones(n)
        for i in range(1, n):
            out[i] = out[i - 1] * x
        return np.sum(out)

    entries = []
    for n in (50, 100):
        graph = trace(grad(lambda x, n=n: fill(x, n)))(0.9)
        entries.append(sum(int(np.prod(shape)) for shape, _ in (node.spec for node in graph.equations)))
    assert entries[1] < 2.2 * entries[0]


def test_arrays_to_write_into_are_numpys() -> None:
    """With and without a transformation, by position and by keyword."""
    calls: list[Callable[[Any], Any]] = [
        lambda np: np.zeros(3),
        lambda np: np.zeros(shape=(2, 3), dtype=np.float32, order="F"),
        lambda np: np.ones((2,), int),
        lambda np: np.full((2, 3), 1.5),
        lambda np: np.full(shape=3, fill_value=2, dtype=complex),
        lambda np: np.eye(N=2, M=3),
        lambda np: np.identity(2),
        lambda np: np.arange(3),
        lambda np: np.arange(1.0, 3.0, 0.5),
        lambda np: np.linspace(0, 1, num=3),
        lambda np: np.zeros_like(a=[1.0, 2.0]),
        lambda np: np.full_like([1.0, 2.0], 3.0),
        lambda np: np.copy([1.0, 2.0]),
        lambda np: np.array([[1, 2], [3, 4]], dtype=float, order="F"),
        lambda np: np.array(0.5),
        lambda np: np.empty(0),
    ]
    for call in calls:
        expected = call(np)
        assert type(call(xnp)) is np.ndarray
        found: list[Any] = []

        def f(x: Any, call: Callable[[Any], Any] = call, found: list[Any] = found) -> Any:
            a = call(xnp)
            found.append(value_of(a))
            a[...] = a * 2
            found.append(value_of(a))
            return x

        grad(f)(1.0)
        assert found[0].dtype == expected.dtype
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found[1], expected * 2)
    for call in (lambda np: np.zeros(), lambda np: np.zeros_like(), lambda np: np.ones("a")):
        with pytest.raises(TypeError):
            call(xnp)


@pytest.mark.parametrize(
    "make",
    [
        lambda: xnp.zeros((2, 3), float, "F"),
        lambda: xnp.ones((2, 3), order="F"),
        lambda: xnp.full((2, 3), 1.0, None, "F"),
        lambda: xnp.linspace([0.0, 1.0], [2.0, 3.0], 3, axis=-1),
        lambda: xnp.array([[1.0, 2.0], [3.0, 4.0]], order="F"),
        lambda: xnp.eye(3, 2, 0, float, "F"),
        lambda: xnp.zeros_like(np.ones((2, 3)).T),
        lambda: xnp.copy(np.ones((2, 3)).T),
        lambda: xnp.array(np.ones((2, 3)).T),
    ],
)
@pytest.mark.parametrize("flat", [lambda a: a.reshape(-1), lambda a: a.ravel("F"), lambda a: a.T.reshape(-1), np.ravel])
def test_orders_in_memory(make: Callable[[], Any], flat: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        a = make()
        part = flat(a)
        a[0, 1] = 7.0 * x
        return np.sum(part * np.arange(part.size))

    expected = f(1.0)
    try:
        assert jvp(f, (1.0,), (1.0,))[0] == expected
    except UnsupportedError as error:
        assert "cannot be told" in str(error)  # noqa: PT017 - or else the number


def test_an_interpreter_that_refuses_what_waits_to_be_written_is_left_nevertheless() -> None:
    class Refusing(Interpreter):
        def process(self, primitive: Any, args: Any, params: Any) -> Any:
            raise MissingRuleError(primitive.name)

    def run() -> None:
        with Refusing() as interpreter:
            out = xnp.zeros(3)
            out[1] = Tracer(interpreter, 1.0, None)

    with pytest.raises(MissingRuleError):
        run()
    assert stack.live == []
    assert type(xnp.zeros(2)) is np.ndarray
