"""Loops and branches under `jit`: recorded once, as loops, in every mode; against plain running."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import TreeError, cond, fori_loop, grad, hessian, jit, jvp, scan, switch, tree, vmap, while_loop
from xformad import map as map_over
from xformad.compiler import backends

Fun = Callable[..., Any]

random = np.random.default_rng(3)
W = 0.5 * random.normal(size=(3, 3))
H = random.normal(size=3)
XS = random.normal(size=(5, 3))


@pytest.fixture(params=[name for name in ("replay", "llvm") if name in ("replay", backends.chosen["backend"])])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the back ends in turn."""
    monkeypatch.setitem(backends.chosen, "backend", request.param)
    return str(request.param)


def assert_same(expected: Any, found: Any, tolerance: float = 1e-12) -> None:
    assert tree.flatten(expected)[1] == tree.flatten(found)[1]
    for x, y in zip(tree.leaves_of(expected), tree.leaves_of(found), strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(y, x, rtol=tolerance, atol=tolerance)


def direction(x: Any) -> Any:
    return np.cos(3.0 * x)


def two(x: Any) -> Any:
    return np.stack([x, 0.5 * x])


MODES: dict[str, Callable[[Fun], Fun]] = {
    "value": lambda f: f,
    "grad": lambda f: grad(f),
    "jvp": lambda f: lambda x: jvp(f, (x,), (direction(x),)),
    "vmap": lambda f: lambda x: vmap(f)(two(x)),
    "jvp of grad": lambda f: lambda x: jvp(grad(f), (x,), (direction(x),)),
    "hessian": lambda f: hessian(f),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(two(x)),
    "grad of vmap": lambda f: lambda x: grad(lambda b: np.sum(vmap(f)(b)))(two(x)),
}


# Programs of one array.


def recurrent(w: Any, h: Any, xs: Any, **options: Any) -> Any:
    """A state and sequences that are trees, a number that is counted, and a part of the state that stays as it is."""

    def body(state: Any, x: Any) -> Any:
        h = np.tanh(w @ state["h"] + x["in"])
        return {"h": h, "count": state["count"] + 1, "same": state["same"]}, (np.sum(h**2), h * x["in"])

    state, (energies, products) = scan(body, {"h": h, "count": 0, "same": w[0]}, {"in": xs}, **options)
    total = np.sum(state["h"] * state["same"]) + np.sum(np.sin(energies)) * state["count"]
    return total + np.sum(products[1:] * products[:-1])


def nested(x: Any) -> Any:
    def outer(total: Any, row: Any) -> Any:
        inner, ys = scan(lambda s, e: (s * np.cos(e) + total, s * x), total, row)
        return inner, np.sum(ys)

    total, ys = scan(outer, np.sum(x), np.stack([x, x * 2.0]))
    return total + np.sum(ys)


def scan_in_while(x: Any) -> Any:
    def body(state: Any) -> Any:
        k, y = state
        return k + 1, scan(lambda s, e: (np.sin(s + e), None), y, x)[0]

    return while_loop(lambda state: state[0] < 3, body, (0, np.sum(x)))[1]


def branch_in_scan(x: Any) -> Any:
    """A Python branch on a value in the body, which differs from step to step."""
    return scan(lambda s, e: (s * e if e > 0.0 else s - e, s), np.sum(x**2), x)[0]


def condition_in_scan(x: Any) -> Any:
    def body(s: Any, e: Any) -> Any:
        return cond(e > 0.0, lambda s: s * e, lambda s: s - np.exp(e), s), s

    s, ys = scan(body, np.sum(x**2), x)
    return s + np.sum(ys)


def growing(x: Any) -> Any:
    """How many steps there are depends on the values."""
    y = while_loop(lambda y: np.sum(y * y) < 50.0, lambda y: 1.5 * y + np.sin(x), x)
    return np.sum(y**2)


def while_in_scan(x: Any) -> Any:
    """Each step has a loop of another length."""

    def body(s: Any, e: Any) -> Any:
        s = while_loop(lambda s: np.abs(s) > 0.5 + 0.1 * e, lambda s: s * np.cos(e) * 0.9, s + 3.0 * e)
        return s, s * e

    s, ys = scan(body, np.sum(x), x)
    return s + np.sum(ys**2)


def indexed(x: Any) -> Any:
    return fori_loop(0, 4, lambda i, s: s * x[i % 3] + i, x[0])


def filled(x: Any) -> Any:
    """The body writes into an array of its own."""

    def body(s: Any, e: Any) -> Any:
        y = xnp.zeros(3)
        y[0] = s * e
        y[1:] = np.array([2.0, 3.0]) * e
        return np.sum(y), y

    s, ys = scan(body, x[0], x)
    return s + np.sum(ys**2)


def index_of_largest(x: Any) -> Any:
    return np.argmax(x)


PROGRAMS: dict[str, tuple[Fun, Any]] = {
    "weights": (lambda w: recurrent(w, H, XS), W),
    "state, backwards": (lambda h: recurrent(W, h, XS, reverse=True), H),
    "sequences": (lambda xs: recurrent(W, H, xs), XS),
    "float32": (lambda w: recurrent(w, H.astype(np.float32), XS.astype(np.float32)), W.astype(np.float32)),
    "length": (lambda x: scan(lambda s, _: (np.sin(s), s * x), x, length=4)[0], 0.7),
    "number as state": (lambda x: scan(lambda s, e: (s + e * x, s), 0.0, np.arange(4.0))[0] * x, 0.7),
    "no steps": (lambda x: np.sum(scan(lambda s, e: (s * e, s), np.sum(x), x[:0])[0]), H),
    "nested": (nested, H),
    "scan in while": (scan_in_while, H),
    "condition in scan": (condition_in_scan, H),
    "switch": (lambda x: switch(index_of_largest(x), [np.sin, np.cos, lambda y: y * y], np.sum(x)), H),
    "map": (lambda xs: np.sum(map_over(lambda x: np.sum(x) ** 2 * x, xs)), XS),
    "indexed": (indexed, H),
    "indexed float32": (indexed, H.astype(np.float32)),
    "filled": (filled, H),
}


@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=list(PROGRAMS))
def test_programs(number: int, backend: str) -> None:
    """Recorded at one point, run at another one: without guards, or it would be recorded again."""
    fun, x = list(PROGRAMS.values())[number]
    tolerance = 1e-5 if isinstance(x, np.ndarray) and x.dtype == np.float32 else 1e-12
    for k, name in enumerate(MODES):
        if backend == "replay" or k in (number % 8, (number + 3) % 8):
            plain, inside, outside = MODES[name](fun), MODES[name](jit(fun)), jit(MODES[name](fun))
            for point in (1.1 * x, x):
                expected = plain(point)
                assert_same(expected, outside(point), tolerance)
                assert_same(expected, inside(point), tolerance)
            assert outside.cache_info().misses == 1


@pytest.mark.parametrize("fun", [growing, while_in_scan, branch_in_scan])
def test_what_takes_other_ways(fun: Fun, backend: str) -> None:
    """Guards where there must be: for second derivatives of a loop of unknown length, and Python's branches in a body."""
    for name in MODES if backend == "replay" else ("grad", "vmap"):
        plain, inside, outside = MODES[name](fun), MODES[name](jit(fun)), jit(MODES[name](fun))
        for factor in (1.0, 1.1, 0.4):
            expected = plain(factor * H)
            assert_same(expected, outside(factor * H))
            assert_same(expected, inside(factor * H))


def operations(fun: Any, *args: Any) -> list[str]:
    """The names of the recorded operations."""
    return [node.primitive.name for node in fun.graph(*args).equations if node.primitive is not None]


def test_one_recording_for_all_numbers_of_steps(backend: str) -> None:
    runs = []

    @jit
    def root(a: Any) -> Any:
        runs.append(a)
        return while_loop(lambda r: np.abs(r * r - a) > 1e-12 * a, lambda r: 0.5 * (r + a / r), a)

    for a in (2.0, 1.0, 3.0, 1e6, 1e-3):
        np.testing.assert_allclose(root(a), np.sqrt(a), rtol=1e-12)
    assert len(runs) == 1
    assert operations(root, 2.0).count("while") == 1


def test_one_recording_of_a_gradient_for_all_numbers_of_steps(backend: str) -> None:
    fun, fast, inside = grad(growing), jit(grad(growing)), jit(growing)
    for factor in (1.0, 0.1, 2.0, 0.01):
        assert_same(fun(factor * H), fast(factor * H))
        assert_same(fun(factor * H), grad(inside)(factor * H))
    assert fast.cache_info().misses == inside.cache_info().misses == 1


def test_one_recording_for_both_branches(backend: str) -> None:
    runs = []

    @jit
    def fun(x: Any) -> Any:
        runs.append(x)
        return cond(x > 0.0, lambda x: np.sqrt(x), lambda x: -np.sqrt(-x), x)

    with np.errstate(all="raise"):  # the branch that is not taken is not computed
        assert [float(fun(x)) for x in (4.0, -9.0, 16.0)] == [2.0, -3.0, 4.0]
    assert len(runs) == 1


def test_the_branch_is_chosen_at_the_edges(backend: str) -> None:
    fun = jit(lambda i: switch(i, [lambda: 0.0, lambda: 1.0, lambda: 2.0]))
    assert [float(fun(i)) for i in (0, 1, 2, 7, -4)] == [0.0, 1.0, 2.0, 2.0, 0.0]
    assert fun.cache_info().misses == 1


def test_branches_that_cannot_be_recorded_together(backend: str) -> None:
    """A branch that fails, or returns something else, is none if it is not taken."""

    def fails(x: Any) -> Any:
        raise ValueError("not for these")

    fun = jit(lambda x: cond(x > 0.0, np.sin, fails, x))
    assert fun(1.0) == np.sin(1.0)
    assert fun(2.0) == np.sin(2.0)
    with pytest.raises(ValueError, match="not for these"):
        fun(-1.0)
    named = jit(lambda x: cond(x > 0.0, lambda x: (x, "up"), lambda x: (x, "down"), x))
    assert [named(x)[1] for x in (1.0, -1.0, 2.0)] == ["up", "down", "up"]


def test_the_graph_of_a_gradient_has_two_loops() -> None:
    names = operations(jit(grad(lambda w: recurrent(w, H, XS))), W)
    assert names.count("scan") == 2
    assert "tanh" not in names
    # Also if the loop was compiled on its own before.
    assert operations(jit(grad(jit(lambda w: recurrent(w, H, XS)))), W).count("scan") == 2


def test_the_way_back_does_not_run_the_steps_again() -> None:
    graph = jit(grad(lambda w: recurrent(w, H, XS))).graph(W)
    bodies = [node.params["body"].graph for node in graph.equations if "body" in node.params]
    assert [str(body).count("tanh") for body in bodies] == [1, 0]


def test_what_is_not_used_is_not_computed(backend: str) -> None:
    def fun(x: Any, factor: Any) -> Any:
        state, ys = scan(lambda s, e: ((s[0] + e, s[1] * e * factor), (np.sin(e), s[0])), (x, x), XS[:, 0])
        return state[0], ys[1]

    fast = jit(fun)
    body = next(node.params["body"].graph for node in fast.graph(0.5, 2.0).equations if "body" in node.params)
    assert [node.primitive.name for node in body.equations] == ["add"]
    assert (len(body.inputs), len(body.outputs)) == (2, 2)
    assert_same(fun(0.7, 2.0), fast(0.7, 2.0))


def test_what_bodies_must_return(backend: str) -> None:
    with pytest.raises(TreeError, match="a state keeps its shape and dtype"):
        jit(lambda x: scan(lambda s, e: (np.stack([s, e]), None), x[0], x)[0])(H)
    with pytest.raises(ZeroDivisionError, match="here"):
        jit(lambda x: scan(lambda s, e: raising(), x[0], x)[0])(H)
    with pytest.raises(IndexError):
        jit(lambda x: fori_loop(0, 5, lambda i, s: s + x[i], 0.0))(H)


HIDDEN: dict[str, Any] = {}


def raising() -> Any:
    raise ZeroDivisionError("here")


def test_a_body_that_uses_what_closures_do_not_show(backend: str) -> None:
    """A traced value in a global variable, say: the loop is unrolled, and right."""

    def fun(x: Any) -> Any:
        HIDDEN["sine"] = np.sin(x)
        return scan(lambda s, e: (s * HIDDEN["sine"][0] + e, None), x[0], x)[0]

    fast = jit(fun)
    for factor in (1.0, 2.0):
        assert_same(fun(factor * H), fast(factor * H))
        assert_same(grad(fun)(factor * H), grad(fast)(factor * H))
    HIDDEN.clear()


def test_memory_is_the_caller_s_or_new(backend: str) -> None:
    """What is returned is not overwritten by the next call, and arguments are left alone."""
    fast = jit(lambda x: scan(lambda s, e: (s + e, s), x[0], x))
    x = XS.copy()
    first = fast(x)
    kept = [y.copy() for y in first]
    second = fast(2.0 * x)
    assert_same(kept, list(first))
    np.testing.assert_array_equal(x, XS)
    assert not np.shares_memory(first[1], second[1])


def test_no_steps_at_another_length(backend: str) -> None:
    fast = jit(lambda x: scan(lambda s, e: (s + e, s * e), 1.0, x))
    for n in (3, 0, 1):
        assert_same(scan(lambda s, e: (s + e, s * e), 1.0, np.arange(1.0 * n)), fast(np.arange(1.0 * n)))


def test_time_does_not_grow_with_the_length(backend: str) -> None:
    def fun(x: Any, xs: Any) -> Any:
        return scan(lambda s, e: (0.5 * s + np.sin(e * x), None), x, xs)[0]

    sizes = [len(jit(grad(fun)).graph(0.3, np.ones(n))) for n in (10, 1000)]
    assert sizes[0] == sizes[1]
    if backend == "llvm":
        start = time.process_time()
        found = jit(grad(fun))(0.3, np.linspace(0.0, 1.0, 100_000))
        assert time.process_time() - start < 1.0
        assert np.isfinite(found)


# Programs that write into arrays.


def triangle(x: Any) -> Any:
    y = xnp.zeros((3, 3))
    for i in range(3):
        y[i, : i + 1] = x[i] * np.arange(1.0, i + 2)
    y[1] += y[2]
    y[:, 0] *= 2.0
    return np.sum(y**2)


def recurrence(x: Any) -> Any:
    y = xnp.empty(6)
    y[0], y[1] = x[0], x[1]
    for i in range(2, 6):
        y[i] = np.sin(y[i - 1]) * x[2] + y[i - 2]
    return y[5] + np.sum(y[1:4])


def out_of(x: Any) -> Any:
    y = np.exp(x)
    view = y[1:]
    view *= x[:2]
    np.multiply(y, 2.0, out=y)
    return np.sum(y * x)


@pytest.mark.parametrize("fun", [triangle, recurrence, out_of])
def test_programs_that_write(fun: Fun, backend: str) -> None:
    for k, name in enumerate(MODES):
        if backend == "replay" or k < 2:
            plain, inside, outside = MODES[name](fun), MODES[name](jit(fun)), jit(MODES[name](fun))
            for factor in (1.0, 1.1):
                expected = plain(factor * H)
                assert_same(expected, outside(factor * H))
                assert_same(expected, inside(factor * H))
            assert outside.cache_info().misses == 1
