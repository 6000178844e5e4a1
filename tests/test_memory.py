"""Memory: who owns the arrays, what the tape keeps, and that nothing grows or recurses."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from xformad import elementwise_grad, grad, hessian, jacobian, make_vjp, tree, value_and_grad, vjp
from xformad.interpreters.vjp import Vjp

LARGE = 200_000  # entries: an array of 1.6 MB


# Nothing that is handed out shares memory with anything else.

IDENTITIES: dict[str, Callable[..., Any]] = {
    "identity": lambda x, y: x,
    "sum of both": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "twice the same": lambda x, y: x + x,
    "positive": lambda x, y: +x,
    "pair": lambda x, y: (x, y),
    "same twice": lambda x, y: [x, x],
    "reshaped": lambda x, y: np.reshape(x, -1),
    "transposed": lambda x, y: x.T + y.T,
    "view": lambda x, y: x[:],
    "broadcast": lambda x, y: x + np.zeros((2, 3)) + y,
    "sum": lambda x, y: np.sum(x) + np.sum(y),
    "stacked": lambda x, y: np.stack([x, y]),
    "copied": lambda x, y: np.copy(x),
    "constant": lambda x, y: np.ones(3),
    "product": lambda x, y: x * y,
}


def arrays_of(*trees: Any) -> list[Any]:
    return [leaf for leaf in tree.leaves_of(trees) if isinstance(leaf, np.ndarray)]


@pytest.mark.parametrize("size", [3, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("name", IDENTITIES)
def test_gradients_share_no_memory(name: str, size: int) -> None:
    if name == "broadcast" and size != 3:
        return
    fun = IDENTITIES[name]
    x, y = np.full(size, 2.0), np.full(size, 3.0)
    out, pullback = vjp(fun, x, y)
    ones = tree.map(np.ones_like, out)
    first = pullback(ones)
    expected = tree.map(np.array, first)
    for a, b in combinations(arrays_of(x, y, out, ones, first), 2):
        assert not np.shares_memory(a, b)
    for gradient in first:
        gradient += 100.0
    for leaf in arrays_of(out):
        leaf += 100.0
    x += 100.0
    y += 100.0
    second = pullback(ones)
    for got, wanted in zip(second, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert all((leaf == 1).all() for leaf in arrays_of(ones))


def test_gradients_of_leaves_share_no_memory() -> None:
    x = np.ones(3)
    g = grad(lambda p: np.sum(p["a"] + p["b"][0]))({"a": x, "b": [x]})
    assert not np.shares_memory(g["a"], g["b"][0])
    (g,) = vjp(lambda x: x, x)[1](x)
    assert not np.shares_memory(g, x)
    g1, g2 = grad(lambda x, y: np.sum(x + y), argnums=(0, 1))(x, x)
    assert not np.shares_memory(g1, g2)


def test_jacobians_and_values_share_no_memory() -> None:
    x = np.ones(3)
    matrix = jacobian(lambda x: x)(x)
    matrix += 1
    assert x.tolist() == [1.0] * 3
    assert jacobian(lambda x: x)(x).tolist() == np.eye(3).tolist()
    value, gradient = value_and_grad(lambda x: x)(np.array(2.0))
    assert not np.shares_memory(value, gradient)
    out, _ = vjp(lambda x: x, x)
    assert not np.shares_memory(out, x)
    _, out = make_vjp(lambda x: x[:2], x)
    assert not np.shares_memory(out, x)


def test_gradient_of_a_constant_array_is_writable() -> None:
    g = grad(lambda x: np.sum(x))(np.ones(4))
    g[0] = 5.0
    assert g.tolist() == [5.0, 1.0, 1.0, 1.0]
    assert grad(lambda x: np.sum(x))(np.ones(4)).tolist() == [1.0] * 4
    g = grad(lambda x: np.sum(np.broadcast_to(x, (3, 4))))(np.ones(4))
    g[0] = 5.0
    assert g.tolist() == [5.0, 3.0, 3.0, 3.0]


# What is written into an operand after its use changes nothing.

each_size = pytest.mark.parametrize("size", [2, LARGE], ids=["small", "large"])


@each_size
@pytest.mark.parametrize(
    "use",
    [
        lambda x, y: x * y,
        lambda x, y: y * x,
        lambda x, y: x / y,
        lambda x, y: y / x,
        lambda x, y: y**x,
        lambda x, y: x**y,
        lambda x, y: np.arctan2(x, y),
        lambda x, y: np.where(y > 0, x * y, 0.0),
        lambda x, y: np.maximum(x, y - 1),
        lambda x, y: np.multiply(x, y[::-1]),
        lambda x, y: np.sum(x * y[:, None][:, 0]),
        lambda x, y: np.dot(x, y),
        lambda x, y: np.einsum("i,i->i", x, y),
        lambda x, y: np.interp(0.5, [0.0, 1.0], [0.0, 1.0]) * x * y,
    ],
)
def test_operand_written_into_after_its_use(use: Callable[..., Any], size: int) -> None:
    def f(x: Any) -> Any:
        y = np.full(size, 3.0)
        z = use(x, y)
        y[:] = 0.0
        return np.sum(z)

    x = np.full(size, 2.0)
    expected = grad(lambda x: np.sum(use(x, np.full(size, 3.0))))(x)
    assert expected[0] != 0
    np.testing.assert_array_equal(grad(f)(x), expected)


@each_size
def test_buffer_used_in_a_loop(size: int) -> None:
    def f(x: Any) -> Any:
        buffer = np.zeros(size)
        total = 0.0
        for i in range(4):
            buffer += 1.0
            total = total + np.sum(x * buffer * (i + 1))
            buffer[0] = 10.0 * i
        return total

    expected = np.full(size, 1.0 + 2 * 2 + 3 * 3 + 4 * 4)
    expected[0] = 1 + 2 * 1 + 3 * 11 + 4 * 21
    np.testing.assert_array_equal(grad(f)(np.ones(size)), expected)


@each_size
def test_view_of_an_operand_is_written_into(size: int) -> None:
    def f(x: Any) -> Any:
        base = np.full(2 * size, 3.0)
        z = x * base[::2] + x * base[1::2]
        base[:] = 0.0
        return np.sum(z)

    np.testing.assert_array_equal(grad(f)(np.ones(size)), np.full(size, 6.0))

    def g(x: Any) -> Any:
        base = np.full(size, 3.0)
        half = base[: size // 2]
        z = np.sum(x * base)
        half[:] = 0.0
        return z + np.sum(x * base)

    expected = np.full(size, 6.0)
    expected[: size // 2] = 3.0
    np.testing.assert_array_equal(grad(g)(np.ones(size)), expected)


@each_size
def test_read_only_view_of_an_operand_that_is_written_into(size: int) -> None:
    def f(x: Any) -> Any:
        base = np.full(size, 3.0)
        view = base[:]
        view.flags.writeable = False
        z = x * view
        base[:] = 0.0
        return np.sum(z)

    np.testing.assert_array_equal(grad(f)(np.ones(size)), np.full(size, 3.0))


@each_size
def test_index_arrays_are_written_into(size: int) -> None:
    def f(x: Any) -> Any:
        index = np.zeros(size, int)
        mask = np.ones(size, bool)
        z = np.sum(x[index]) + np.sum(x[mask])
        index[:] = 1
        mask[:] = False
        return z

    g = grad(f)(np.ones(size))
    assert g[0] == size + 1
    assert g[1] == 1


@each_size
def test_argument_written_into_between_the_run_and_the_pullback(size: int) -> None:
    x, y = np.full(size, 2.0), np.full(size, 3.0)
    out, pullback = vjp(lambda x: x * x * y, x)
    x[:] = 0.0
    y[:] = 0.0
    np.testing.assert_array_equal(pullback(np.ones(size))[0], np.full(size, 12.0))
    out[:] = 0.0
    np.testing.assert_array_equal(pullback(np.ones(size))[0], np.full(size, 12.0))


@each_size
def test_result_written_into(size: int) -> None:
    out, pullback = vjp(np.exp, np.zeros(size))
    out[:] = 100.0
    np.testing.assert_array_equal(pullback(np.ones(size))[0], np.ones(size))


def test_argument_written_into_inside_the_function() -> None:
    x = np.array([2.0, 3.0])

    def f(traced: Any) -> Any:
        z = traced * traced
        x[:] = 0.0
        return np.sum(z * traced)

    assert grad(f)(x).tolist() == [12.0, 27.0]


# Long chains.


@pytest.mark.parametrize("length", [100_000, 1_000_000])
def test_long_chain_of_scalars(length: int) -> None:
    def f(x: Any) -> Any:
        for _ in range(length):
            x = x + 1.0
        return x * x

    assert grad(f)(1.0) == 2 * (length + 1.0)


def test_long_chain_of_arrays() -> None:
    def f(x: Any) -> Any:
        for _ in range(100_000):
            x = -x
        return np.sum(x * x)

    assert grad(f)(np.ones(2)).tolist() == [2.0, 2.0]


def test_long_chain_whose_pullback_is_dropped() -> None:
    def f(x: Any) -> Any:
        for _ in range(200_000):
            x = x * 1.0
        return x

    out, pullback = vjp(f, np.ones(2))
    del pullback
    assert out.tolist() == [1.0, 1.0]
    vjp(f, 1.0)
    product, _ = make_vjp(f, 1.0)
    assert product(1.0) == 1.0
    del product


def test_long_chain_dropped_by_an_exception() -> None:
    def f(x: Any) -> Any:
        for _ in range(200_000):
            x = x * 1.0
        raise LookupError

    with pytest.raises(LookupError):
        grad(f)(1.0)


def test_long_chain_to_second_order() -> None:
    def f(x: Any) -> Any:
        for _ in range(3000):
            x = x * 1.001
        return x * x

    assert grad(grad(f))(1.0) == pytest.approx(2 * 1.001**6000, rel=1e-9)


def test_long_branching_chain() -> None:
    def f(x: Any) -> Any:
        a, b = x, x
        for _ in range(20_000):
            a, b = b, (a + b) * 0.5
        return a + b

    assert grad(f)(1.0) == pytest.approx(2.0)


# No growth.


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


CALLS: dict[str, Callable[[], Any]] = {
    "scalar": lambda: grad(lambda x: np.sin(x) * x)(2.0),
    "array": lambda: grad(rosenbrock)(np.ones(3)),
    "where": lambda: grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(np.ones(3)),
    "second order": lambda: grad(grad(lambda x: x**3 * np.exp(x)))(2.0),
    "hessian": lambda: hessian(rosenbrock)(np.ones(2)),
    "pullback": lambda: vjp(lambda x: {"a": x * x}, np.ones(2))[1]({"a": np.ones(2)}),
    "dropped pullback": lambda: vjp(lambda x: x * np.ones(3), np.ones(3)),
    "containers": lambda: grad(lambda p: p["a"] * p["b"][0])({"a": 2.0, "b": [3.0]}),
    "elementwise": lambda: elementwise_grad(lambda x: np.tanh(x))(np.ones(3)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("no_collector")
def test_calls_leave_no_objects(name: str) -> None:
    """Without the garbage collector: no cycles are made either."""
    call = CALLS[name]
    for _ in range(100):
        call()
    before = len(gc.get_objects())
    for _ in range(2000):
        call()
    assert len(gc.get_objects()) - before < 20


@pytest.mark.usefixtures("no_collector")
def test_many_calls_leave_no_memory() -> None:
    derivative = grad(lambda x: np.sin(x) * x)
    for _ in range(100):
        derivative(2.0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20_000):
            derivative(2.0)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 10_000


@pytest.mark.usefixtures("no_collector")
def test_exceptions_leave_no_objects() -> None:
    def failing(x: Any) -> Any:
        raise ValueError(np.sin(x) * x)

    def call() -> None:
        with suppress(ValueError):
            grad(failing)(2.0)

    for _ in range(100):
        call()
    before = len(gc.get_objects())
    for _ in range(1000):
        call()
    assert len(gc.get_objects()) - before < 20


@pytest.mark.usefixtures("no_collector")
def test_closures_are_freed() -> None:
    class Data:
        pass

    data = Data()
    alive = weakref.ref(data)
    grad(lambda x, data=data: x * x)(2.0)
    del data
    assert alive() is None


# Peak memory, in units of one array.


def peak(call: Callable[[], Any]) -> float:
    """The peak of memory during the call, in arrays of LARGE entries."""
    call()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return (tracemalloc.get_traced_memory()[1] - before) / (8 * LARGE)
    finally:
        tracemalloc.stop()


X = np.ones(LARGE)


def test_uses_of_one_array_do_not_add_up() -> None:
    def uses(k: int) -> Callable[[Any], Any]:
        return lambda x: sum(np.sum(x) for _ in range(k))

    few, many = peak(lambda: grad(uses(2))(X)), peak(lambda: grad(uses(40))(X))
    assert many < few + 2


def test_items_of_one_array_do_not_add_up() -> None:
    def uses(k: int) -> Callable[[Any], Any]:
        return lambda x: sum(x[i] * x[i + 1] for i in range(k))

    few, many = peak(lambda: grad(uses(2))(X)), peak(lambda: grad(uses(40))(X))
    assert many < few + 2


def test_constant_used_often_is_copied_once() -> None:
    y = np.full(LARGE, 3.0)

    def uses(k: int) -> Callable[[Any], Any]:
        return lambda x: sum(np.sum(x * y) for _ in range(k))

    few, many = peak(lambda: grad(uses(2))(X)), peak(lambda: grad(uses(40))(X))
    assert many < few + 3


def chain(*steps: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        for _ in range(10):
            for step in steps:
                x = step(x)
        return np.sum(x)

    return f


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ([lambda x: x + 1.0], 0),
        ([lambda x: x - 1.0], 0),
        ([lambda x: -x], 0),
        ([lambda x: 2.0 * x], 0),
        ([lambda x: x / 2.0], 0),
        ([lambda x: np.reshape(x, (2, -1)), lambda x: np.reshape(x, -1)], 0),
        ([np.tanh], 10),
        ([np.sin], 10),
        ([lambda x: np.exp(-x)], 10),
        ([lambda x: np.tanh(x + 1.0)], 10),
        ([lambda x: np.maximum(x, 0.5)], 10),
    ],
    ids=[
        "add",
        "subtract",
        "negative",
        "multiply",
        "divide",
        "reshape",
        "tanh",
        "sin",
        "exp",
        "tanh of sum",
        "maximum",
    ],
)
def test_tape_keeps_what_rules_need(steps: list[Callable[[Any], Any]], kept: int) -> None:
    """Beside the argument's copy, the gradient, and at most four arrays at work."""
    used = peak(lambda: grad(chain(*steps))(X))
    assert kept - 1 < used < kept + 6


def test_tape_is_freed_on_the_way() -> None:
    """The backward pass drops what it has used: it needs no memory on top of the tape's for every step."""
    f = chain(np.tanh)
    assert peak(lambda: grad(f)(X)) < 10 + 5


def test_forward_values_are_dropped_as_the_program_drops_them() -> None:
    with Vjp() as tape:
        x = tape.input(X)
        y = x + 1.0
        value = weakref.ref(y.value)
        z = y * 2.0
        del y
        assert value() is None
    assert z.shape == X.shape


def test_the_real_part_of_a_real_array_is_protected() -> None:
    x = np.full(1000, 3.0)

    def fun(y: Any) -> Any:
        part = np.real(y)
        product = part * part
        x[:] = 0.0
        return np.sum(product)

    np.testing.assert_array_equal(grad(fun)(x), np.full(1000, 6.0))
