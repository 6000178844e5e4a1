"""Loops and branches that are one operation, against plain Python, in every mode and in pairs of modes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad
from xformad import (
    TreeError,
    checkpoint,
    checkpoint_scan,
    cond,
    evaluate,
    fori_loop,
    grad,
    hessian,
    jvp,
    scan,
    switch,
    taylor,
    trace,
    vmap,
    while_loop,
)
from xformad.core.interpreter import stack

random = np.random.default_rng(3)
W = 0.5 * random.normal(size=(3, 3))
H = random.normal(size=3)
XS = random.normal(size=(5, 3))


def recorded(fun: Callable[..., Any], x: Any) -> Any:
    """The value of a function at a point, by the graph that it leaves at another one."""
    return evaluate(trace(fun)(1.01 * x), x)


def agree(fun: Callable[..., Any], plain: Callable[..., Any], x: Any) -> None:
    """Values and derivatives of first and second order in every pair of modes, on one point and on batches."""
    v = np.cos(np.arange(x.size, dtype=x.dtype)).reshape(x.shape)[()]
    batch = np.stack([x, 1.1 * x, -0.9 * x])
    pairs: list[Any] = [
        lambda f: f(x),
        lambda f: grad(f)(x),
        lambda f: jvp(f, (x,), (v,)),
        lambda f: hessian(f)(x),
        lambda f: grad(lambda x: np.sum(grad(f)(x) * v))(x),
        lambda f: grad(lambda x: jvp(f, (x,), (v,))[1])(x),
        lambda f: jvp(lambda x: jvp(f, (x,), (v,))[1], (x,), (v,)),
        lambda f: vmap(f)(batch),
        lambda f: vmap(grad(f))(batch),
        lambda f: grad(lambda b: np.sum(vmap(f)(b)))(batch),
        lambda f: jvp(vmap(f), (batch,), (batch,))[1],
        lambda f: vmap(hessian(f))(batch),
        lambda f: vmap(lambda v: jvp(f, (x,), (v,))[1])(batch),
        lambda f: taylor(f, (x,), ([v],), order=3)[1],
        lambda f: grad(checkpoint(f))(x),
        # Recorded, so that the loop must be one operation on every level.
        lambda f: recorded(f, x),
        lambda f: recorded(grad(f), x),
        lambda f: recorded(lambda x: jvp(f, (x,), (v,))[1], x),
        lambda f: recorded(grad(lambda x: np.sum(grad(f)(x) * v)), x),
        lambda f: recorded(grad(lambda x: jvp(f, (x,), (v,))[1]), x),
        lambda f: recorded(lambda x: jvp(grad(f), (x,), (v,))[1], x),
        lambda f: recorded(vmap(grad(f)), batch),
        lambda f: recorded(grad(lambda b: np.sum(vmap(f)(b))), batch),
    ]
    for i, pair in enumerate(pairs):
        got, expected = (xformad.tree.leaves_of(pair(f)) for f in (fun, plain))
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=f"pair {i}")


def python_scan(body: Any, init: Any, xs: Any = None, length: int | None = None, *, reverse: bool = False) -> Any:
    """What `scan` means."""
    steps = range(len(xformad.tree.leaves_of(xs)[0]) if xs is not None else length or 0)
    rows = []
    for i in reversed(steps) if reverse else steps:
        init, y = body(init, xformad.tree.map(lambda x, i=i: x[i], xs))
        rows.append(y)
    if reverse:
        rows.reverse()
    return init, xformad.tree.map(lambda *column: np.stack(column), *rows)


def recurrent(scan: Any, w: Any, h: Any, xs: Any, **options: Any) -> Any:
    def body(state: Any, x: Any) -> Any:
        h = np.tanh(w @ state["h"] + x["in"])
        return {"h": h, "count": state["count"] + 1}, (np.sum(h**2), h * x["in"])

    state, (energies, products) = scan(body, {"h": h, "count": 0}, {"in": xs}, **options)
    return np.sum(state["h"]) + np.sum(np.sin(energies)) + np.sum(products[1:] * products[:-1])


SCANS: Any = {
    "scan": scan,
    "reverse": functools.partial(scan, reverse=True),
    "checkpoint_scan": checkpoint_scan,
}


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("argument", [0, 1, 2])
def test_scan(name: str, argument: int) -> None:
    plain = functools.partial(python_scan, reverse=name == "reverse")
    args = [W, H, XS]

    def of(scan: Any) -> Any:
        return lambda x: recurrent(scan, *[x if i == argument else each for i, each in enumerate(args)])

    agree(of(SCANS[name]), of(plain), args[argument])


def test_checkpoint_scan_of_many_lengths() -> None:
    for length in (1, 7, 8, 9, 64, 65, 130):

        def loop(scan: Any, x: Any, n: int = length) -> Any:
            return scan(lambda s, _: (np.sin(s) + 0.1, s), x, length=n)

        for f in (checkpoint_scan, scan):
            value, ys = loop(f, 0.3)
            expected, states = loop(python_scan, 0.3)
            np.testing.assert_allclose(value, expected)
            np.testing.assert_allclose(ys, states)
            np.testing.assert_allclose(
                grad(lambda x, f=f, loop=loop: loop(f, x)[0])(0.3),
                grad(lambda x, loop=loop: loop(python_scan, x)[0])(0.3),
            )


def test_nested_scans() -> None:
    def outer(scan: Any, x: Any) -> Any:
        def body(total: Any, row: Any) -> Any:
            inner, ys = scan(lambda s, e: (s * np.cos(e) + total, s), total, row)
            return inner, np.sum(ys)

        total, ys = scan(body, 0.3, np.outer(x, x))
        return total + np.sum(ys**2)

    agree(lambda x: outer(scan, x), lambda x: outer(python_scan, x), H)


def test_map_and_fori_loop() -> None:
    agree(
        lambda x: np.sum(xformad.map(lambda row: np.sum(row**3) * row, np.outer(x, x))),
        lambda x: np.sum(np.stack([np.sum(row**3) * row for row in np.outer(x, x)])),
        H,
    )
    agree(
        lambda x: np.sum(fori_loop(1, 4, lambda i, s: s * np.sin(x) + i, x)),
        lambda x: np.sum(functools.reduce(lambda s, i: s * np.sin(x) + i, range(1, 4), x)),
        H,
    )
    assert fori_loop(3, 3, lambda i, s: s + 1.0, 2.0) == 2.0


def test_scan_without_steps() -> None:
    state, ys = scan(lambda s, x: (s + x, {"y": np.stack([s, x])}), 1.0, np.zeros(0))
    assert state == 1.0
    assert ys["y"].shape == (0, 2)
    assert grad(lambda x: scan(lambda s, _: (s * s, None), x, length=0)[0])(3.0) == 1.0


def test_cond_and_switch() -> None:
    def branches(choose: Any, x: Any) -> Any:
        return np.sum(choose(x[0] > 0, lambda x: {"a": x**3 * x[0]}, lambda x: {"a": np.sin(x)}, x)["a"])

    for x in (np.abs(H), -np.abs(H)):
        agree(lambda x: branches(cond, x), lambda x: branches(lambda p, t, f, x: t(x) if p else f(x), x), x)
    functions: Any = [np.sin, np.cos, lambda x: x**2]
    for i in range(3):
        agree(
            lambda x, i=i: np.sum(switch(i, functions, x)),
            lambda x, i=i: np.sum(functions[i](x)),
            H,
        )
    assert switch(7, functions, 3.0) == 9.0
    assert switch(-1, functions, 0.0) == 0.0
    np.testing.assert_allclose(
        vmap(lambda i, x: switch(i, functions, x))(np.arange(3), np.ones(3)), [np.sin(1), np.cos(1), 1]
    )


def test_branches_that_are_not_taken_send_structural_zeros() -> None:
    root = lambda x: cond(x > 0, np.sqrt, lambda x: 0.0 * x, x)  # noqa: E731
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(vmap(grad(root))(np.array([4.0, 0.0])), [0.25, 0.0])
        np.testing.assert_allclose(grad(lambda x: np.sum(vmap(root)(x)))(np.array([4.0, 0.0])), [0.25, 0.0])


def test_while_loop() -> None:
    def grow(loop: Any, x: Any) -> Any:
        state = loop(
            lambda s: np.sum(s["x"] ** 2) < 50.0,
            lambda s: {"x": s["x"] * 1.5 + 0.1 * x, "n": s["n"] + 1},
            {"x": x, "n": 0},
        )
        return np.sum(np.sin(state["x"]))

    def plain(test: Any, body: Any, state: Any) -> Any:
        while test(state):
            state = body(state)
        return state

    agree(lambda x: grow(while_loop, x), lambda x: grow(plain, x), H)

    def never(x: Any) -> Any:
        return while_loop(lambda s: s > 100.0, lambda s: s * 2.0, x * 3.0)

    assert (never(2.0), grad(never)(2.0), jvp(never, (2.0,), (1.0,))[1]) == (6.0, 3.0, 3.0)

    def slow(a: Any) -> Any:
        return while_loop(lambda x: x < 100.0, lambda x: x * a, 3.0)

    factors = np.array([2.0, 3.0, 50.0])
    np.testing.assert_allclose(vmap(slow)(factors), [192.0, 243.0, 150.0])
    for gradients in (vmap(grad(slow))(factors), grad(lambda a: np.sum(vmap(slow)(a)))(factors)):
        np.testing.assert_allclose(gradients, [576.0, 324.0, 3.0])


class Box:
    """Something that holds a value where nobody looks for it."""

    def __init__(self, w: Any) -> None:
        self.w = w

    def times(self, x: Any) -> Any:
        return np.sin(x * self.w) * self.w


shelf: dict[str, Any] = {}


def closing(w: Any) -> dict[str, Any]:
    """The function `sin(x * w) * w` of x, with w in all sorts of places."""
    weights = {"a": [w, 2 * w]}
    box = Box(w)
    shelf["w"] = w

    def inner(x: Any) -> Any:
        return np.sin(x * w)

    def recursive(x: Any, n: int = 2) -> Any:
        return recursive(x, n - 1) if n else np.sin(x * w) * w

    return {
        "cell": lambda x: np.sin(x * w) * w,
        "nested": lambda x: inner(x) * w,
        "container": lambda x: np.sin(x * weights["a"][0]) * weights["a"][1] / 2,
        "attribute": lambda x: np.sin(x * box.w) * box.w,
        "method": box.times,
        "global": lambda x: np.sin(x * shelf["w"]) * shelf["w"],
        "default": lambda x, w=w: np.sin(x * w) * w,
        "partial": functools.partial(lambda w, x: np.sin(x * w) * w, w),
        "recursive": recursive,
        "transformed": grad(lambda x: np.sum(-np.cos(x * w))),
    }


USES: dict[str, Callable[[Any, Any], Any]] = {
    "checkpoint": lambda f, w: np.sum(checkpoint(f)(w)),
    "scan": lambda f, w: np.sum(scan(lambda s, x: (s + f(x), None), 0 * w, w[None])[0]),
    "cond": lambda f, w: np.sum(cond(w[0] > -9, f, lambda x: x, w)),
    "while": lambda f, w: np.sum(while_loop(lambda s: s[1] < 1, lambda s: (s[0] + f(w), s[1] + 1), (0 * w, 0))[0]),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("place", closing(1.0))
def test_closures_over_traced_values(use: str, place: str) -> None:
    agree(lambda w: USES[use](closing(w)[place], w), lambda w: np.sum(np.sin(w * w) * w), H)


def test_closures_over_traced_values_of_several_levels() -> None:
    def nested(w: Any) -> Any:
        return grad(lambda v: np.sum(scan(lambda s, x: (s + np.sin(x * w) * v, None), 0 * w, np.stack([w, w]))[0]))(2.0)

    np.testing.assert_allclose(grad(nested)(H), grad(lambda w: 2 * np.sum(np.sin(w * w)))(H))


def test_bodies_may_write_into_what_holds_no_traced_value() -> None:
    count = 0

    def body(state: Any, x: Any) -> Any:
        nonlocal count
        count += 1
        return state * x, None

    assert grad(lambda w: scan(body, w, np.array([2.0, 3.0]))[0])(1.0) == 6.0
    assert count >= 2


def test_dtypes() -> None:
    single = np.ones(3, np.float32)
    state, ys = scan(lambda s, x: (np.tanh(s * x), s), single, np.ones((2, 3), np.float32))
    assert (state.dtype, ys.dtype) == (np.float32, np.float32)
    assert grad(lambda x: np.sum(scan(lambda s, _: (s * s, None), x, length=2)[0]))(single).dtype == np.float32
    z = np.array([0.5 + 0.2j])
    spiral = lambda z: np.sum(np.real(scan(lambda s, _: (s * s + z, None), z, length=3)[0]))  # noqa: E731
    plain = lambda z: np.sum(np.real(python_scan(lambda s, _: (s * s + z, None), z, length=3)[0]))  # noqa: E731
    np.testing.assert_allclose(grad(spiral)(z), grad(plain)(z))


def test_exceptions_leave_the_stack_clean() -> None:
    def broken(state: Any, x: Any) -> Any:
        raise RuntimeError("inside")

    for transform in (grad, hessian, lambda f: vmap(f, axis_size=2, in_axes=None)):
        with pytest.raises(RuntimeError, match="inside"):
            transform(lambda x: scan(broken, x, XS)[0])(1.0)
        assert stack.live == []


CHANGED = "; a state keeps its shape and dtype: change the initial one, or cast"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: scan(lambda s, x: (np.stack([s, s]), None), 1.0, XS),
            "state of scan is float64[], but the body returned float64[2]" + CHANGED,
        ),
        (
            lambda: scan(lambda s, x: ({"a": s["a"] + 0.5}, None), {"a": np.int64(0)}, XS),
            "state['a'] of scan is int64[], but the body returned float64[]" + CHANGED,
        ),
        (
            lambda: scan(lambda s, x: ({"b": s["a"]}, None), {"a": 0}, XS),
            "the state that the body of scan returned has the keys ['b'], but must have ['a']",
        ),
        (lambda: scan(lambda s, x: s, 1.0, XS), "the body of scan must return a pair (state, y), but it returned 1.0"),
        (
            lambda: scan(lambda s, x: (s, x), 1.0, {"a": XS, "b": XS[1:]}),
            "xs['a'] has length 5, but xs['b'] has length 4; scan goes along the first axis of all of them",
        ),
        (lambda: scan(lambda s, x: (s, x), 1.0, XS, length=2), "length is 2, but xs has length 5; scan goes along"),
        (lambda: scan(lambda s, x: (s, x), 1.0), "scan without xs needs length=, the number of steps"),
        (lambda: scan(lambda s, x: (s, x), 1.0, [1.0, 2.0]), "xs[0] of scan has no axis to go along"),
        (
            lambda: while_loop(lambda s: True, lambda s: s[None], 1.0 + H),
            "state of while_loop is float64[3], but the body returned float64[1,3]",
        ),
        (
            lambda: vmap(lambda x: cond(x > 0, lambda x: x, lambda x: (x, x), x))(H),
            "the branches must return the same tree, but one returned",
        ),
        (
            lambda: vmap(lambda x: cond(x > 0, lambda x: x, lambda x: np.stack([x, x]), x))(H),
            "under vmap the branches must return the same shapes, but one returned",
        ),
        (lambda: switch(0, [], 1.0), "switch needs a branch"),
    ],
)
def test_misuse(call: Any, text: str) -> None:
    with pytest.raises(TreeError) as raised:
        call()
    assert text in str(raised.value)


def test_numbers_as_initial_state_take_the_dtype_of_the_body() -> None:
    single = np.ones(3, np.float32)
    for length in (1, 3):
        total, before = scan(lambda s, x: (s + x, s), 0.0, single[:length])
        assert (total.dtype, before.dtype) == (np.float32, np.float32)
    state = scan(lambda s, x: ({"a": s["a"] + 0.5, "n": s["n"] + 1}, None), {"a": 0, "n": 0}, XS)[0]
    assert (state["a"], state["n"]) == (2.5, 5)
    assert while_loop(lambda s: s < 2, lambda s: s + 0.75, 0) == 2.25
    derivative = grad(lambda a: scan(lambda s, x: (s * x, None), a, single)[0])(2.0)
    assert (derivative, derivative.dtype) == (1.0, np.float64)
    assert fori_loop(0, 3, lambda i, s: s * (i + 1), single).dtype == np.float32


def test_how_often_a_body_runs() -> None:
    """Where nobody sees that a loop is one operation, reverse mode runs each step once, as in a Python loop."""
    runs: list[int] = []

    def body(state: Any, x: Any) -> Any:
        runs.append(1)
        return np.tanh(state * x), None

    def loop(x: Any) -> Any:
        return np.sum(scan(body, x, XS)[0])

    for fun in (grad(loop), hessian(loop), lambda x: jvp(grad(loop), (x,), (x,)), lambda x: vmap(grad(loop))(x[None])):
        runs.clear()
        fun(H)
        assert len(runs) == len(XS)


def test_examples_that_part_in_every_step_do_so_in_the_step_alone() -> None:
    runs: list[int] = []

    def body(state: Any, x: Any) -> Any:
        runs.append(1)
        return (state * 1.5 if state < x else state * 0.5), None

    def loop(scan: Any) -> Any:
        return lambda x: scan(body, x, np.linspace(1.0, 2.0, 12))[0]

    batch = np.linspace(0.1, 3.0, 40)
    for transform in (vmap, lambda f: vmap(grad(f)), lambda f: grad(lambda b: np.sum(vmap(f)(b) ** 2))):
        expected = transform(loop(python_scan))(batch)
        runs.clear()
        np.testing.assert_allclose(transform(loop(scan))(batch), expected)
        if transform is vmap:
            assert len(runs) < 12 * 5


def test_a_recorded_while_loop_takes_as_many_steps_as_it_needs() -> None:
    def grow(x: Any) -> Any:
        return while_loop(lambda s: s < 100.0, lambda s: s * x, x)

    factors = np.array([2.0, 3.0, 50.0])
    second: Callable[[Any], Any] = grad(grad(grow))
    for fun in (grow, grad(grow), second, lambda x: jvp(grad(grow), (x,), (1.0,))[1]):
        graph = trace(fun)(2.0)
        found = [evaluate(graph, x) for x in factors]
        np.testing.assert_allclose(found, [fun(x) for x in factors])
        np.testing.assert_allclose(vmap(fun)(factors), found)
        np.testing.assert_allclose(evaluate(trace(vmap(fun))(np.full(3, 3.0)), factors), found)
    assert evaluate(trace(grad(grow))(2.0), 200.0) == 1.0
    assert evaluate(trace(grad(grow))(200.0), 2.0) == 448.0


def test_the_slowest_example_says_how_often_a_batch_runs_a_body() -> None:
    runs: list[int] = []

    def body(state: Any) -> Any:
        runs.append(1)
        return state * 2.0

    vmap(grad(lambda x: while_loop(lambda s: s < 100.0, body, x)))(np.array([1.0, 5.0, 60.0]))
    assert len(runs) == 2 * 7
