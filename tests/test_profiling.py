"""`profile`: what is counted, under which line, eager and compiled; that nothing is left behind."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import checkpoint, grad, hessian, jit, jvp, profile, scan, value_and_grad, vmap
from xformad.compiler.timing import timed_code
from xformad.core.interpreter import stack
from xformad.transformations.costs import bytes_of, flops_of
from xformad.transformations.profiles import Profile, Row, amount, duration
from xformad.transformations.profiling import programs_of

W = np.random.default_rng(0).normal(size=(30, 20))
X = np.random.default_rng(1).normal(size=(50, 30))


def loss(w: Any, x: Any) -> Any:
    h = np.tanh(x @ w)
    return np.sum(h[1:] ** 2)


def line(offset: int) -> str:
    return f"{__file__}:{loss.__code__.co_firstlineno + offset}"


def counts(report: Profile[Any]) -> dict[tuple[str, str, str], tuple[int, int, int | None]]:
    return {(row.phase, row.operation, row.line): (row.calls, row.bytes, row.flops) for row in report.rows}


def test_operations_and_lines() -> None:
    report = profile(loss)(W, X)
    assert report.value == loss(W, X)
    n = 49 * 20
    assert counts(report) == {
        ("forward", "matmul", line(1)): (1, X.nbytes + W.nbytes + 8000, 2 * 50 * 30 * 20),
        ("forward", "tanh", line(1)): (1, 16000, 10 * 1000),
        ("forward", "getitem", line(2)): (1, 0, 0),
        ("forward", "power", line(2)): (1, 16 * n, 10 * n),
        ("forward", "sum", line(2)): (1, 8 * n + 8, n),
    }
    assert all(row.seconds > 0 for row in report.rows)
    assert [row.seconds for row in report.rows] == sorted((row.seconds for row in report.rows), reverse=True)


def test_backward_passes_are_under_the_lines_of_the_way_forward() -> None:
    report = profile(value_and_grad(loss))(W, X)
    np.testing.assert_array_equal(report.value[1], grad(loss)(W, X))
    found = counts(report)
    assert found["backward", "matmul", line(1)] == (1, X.nbytes + W.nbytes + 8000, 2 * 50 * 30 * 20)
    assert found["backward", "scatter_add", line(1)][0] == 1  # the sum of what is sent to tanh
    assert {row.line for row in report.rows} == {line(1), line(2)}
    assert found["forward", "tanh", line(1)] == counts(profile(loss)(W, X))["forward", "tanh", line(1)]


def test_sums_of_cotangents_are_of_the_backward_pass() -> None:
    report = profile(grad(lambda x: np.sum(np.sin(x) * np.cos(x))))(X)
    (row,) = [row for row in report.rows if row.operation == "add"]
    assert (row.phase, row.calls, row.flops) == ("backward", 1, X.size)


def test_sums_of_rows() -> None:
    report = profile(grad(loss))(W, X)
    total = report.total
    for rows in (report.rows, report.by_line, report.by_operation):
        assert sum(row.calls for row in rows) == total.calls
        assert sum(row.bytes for row in rows) == total.bytes
        assert sum(row.flops or 0 for row in rows) == total.flops
        assert sum(row.seconds for row in rows) == pytest.approx(total.seconds)
    assert {row.line for row in report.by_line} == {line(1), line(2)}
    assert {row.operation for row in report.by_line} == {""}
    names = [(row.phase, row.operation) for row in report.by_operation]
    assert len(names) == len(set(names))


def test_the_table() -> None:
    rows = [
        Row("forward", "sin", "/home/prog.py:3", 2, 0.003, 16000, 10000),
        Row("backward", "<odd>" + 50 * "x", "?", 1, 0.001, 80, None),
    ]
    report = Profile(None, rows[::-1])
    assert str(report).split("\n") == [
        "     time  share   calls     bytes     flops  phase     operation                                 line",
        "  3.00 ms  75.0%       2   16.00 k   10.00 k  forward   sin                                       prog.py:3",
        "  1.00 ms  25.0%       1        80         -  backward  <odd>" + 32 * "x" + "...  ?",
        "  4.00 ms 100.0%       3   16.08 k   10.00 k            total",
    ]
    assert repr(report) == "<Profile: 3 operations, 4.00 ms>"
    assert "&lt;odd&gt;" in report._repr_html_()
    assert [duration(s) for s in (2.5, 0.5, 1e-5, 0.0)] == ["2.50 s", "500.00 ms", "10.00 us", "0.00 us"]
    assert [amount(n) for n in (0, 1000, 2_500_000, 3_000_000_000)] == ["0", "1.00 k", "2.50 M", "3.00 G"]
    assert str(Profile(None, [])).split("\n")[1].split() == ["0.00", "us", "0.0%", "0", "0", "-", "total"]


def test_costs() -> None:
    spec = ((3, 4), np.dtype(float))
    assert flops_of("add", [spec], [(3, 4), (4,)], {}) == 12
    assert flops_of("add", [((3, 4), np.dtype(complex))], [(3, 4), (4,)], {}) == 48
    assert flops_of("dot", [((), np.dtype(float))], [(5,), (5,)], {}) == 10
    assert flops_of("tensordot", [spec], [(3, 5, 2), (4, 5, 2)], {"axes": ((1, 2), (1, 2))}) == 240
    assert flops_of("eigh", [spec], [(3, 3)], {}) is None
    a = np.ones((3, 4))
    assert (bytes_of([a.T], [a]), bytes_of([a * 2], [a, 1.0]), bytes_of([1.0], [a])) == (0, 192, 104)


def test_other_transformations() -> None:
    report = profile(hessian(lambda w: loss(w, X[:4, :3])))(W[:3, :2])
    np.testing.assert_allclose(report.value, hessian(lambda w: loss(w, X[:4, :3]))(W[:3, :2]))
    report = profile(vmap(lambda x: np.sum(np.tanh(x))))(X)
    assert {row.operation: row.flops for row in report.rows} == {"tanh": 15000, "sum": 1500}
    step = lambda c, x: (np.sin(c) + x, c)  # noqa: E731
    assert {row.operation: row.calls for row in profile(lambda c: scan(step, c, np.ones(5))[0])(1.0).rows}["sin"] == 5
    inner = checkpoint(lambda x: np.sum(np.sin(x)))
    calls = {(row.phase, row.operation): row.calls for row in profile(grad(inner))(np.ones(3)).by_operation}
    assert (calls["forward", "sin"], calls["backward", "sin"]) == (1, 1)


def test_programs_may_do_what_they_like() -> None:
    def fun(x: Any, options: dict[str, Any]) -> Any:
        out = xnp.zeros(3)
        for i in range(3):
            out[i] = x[i] * 2
        if float(x[0]) > 0 and options["flag"]:
            out = out + np.asarray(x)
        return {"out": out, "name": options["name"]}

    result = profile(fun)(np.ones(3), {"flag": True, "name": "n"}).value
    np.testing.assert_array_equal(result["out"], 3 * np.ones(3))
    assert type(result["out"]) is np.ndarray
    assert result["name"] == "n"


# Compiled.


def test_compiled_programs() -> None:
    fast = jit(loss)
    first = profile(fast)(W, X)
    assert first.rows[0].operation == "loss: record and compile"
    report = profile(fast)(W, X)
    assert report.value == pytest.approx(loss(W, X), rel=1e-12)
    assert report.total.calls >= 1
    assert {row.phase for row in report.rows} == {"forward"}
    text = " ".join(row.operation for row in report.rows)
    assert all(name in text for name in ("matmul", "tanh", "sum"))
    assert "record" not in text
    known = counts(profile(loss)(W, X))
    assert report.total.flops is not None
    assert report.total.flops >= known["forward", "matmul", line(1)][2] + known["forward", "tanh", line(1)][2]  # type: ignore[operator]
    assert all(row.line.startswith(__file__) for row in report.rows)


def test_compiled_gradients() -> None:
    """Forward and backward are the programs that run unwatched; what is around them is seen, too."""
    fast = jit(loss)
    whole = grad(lambda w: np.sin(fast(w * 2.0, X)))
    profile(whole)(W)
    recorded = fast.cache_info().misses
    report = profile(whole)(W)
    np.testing.assert_allclose(report.value, grad(lambda w: np.sin(loss(w * 2.0, X)))(W), rtol=1e-9)
    assert fast.cache_info().misses == recorded
    matmuls = [row.phase for row in report.rows if "matmul" in row.operation]
    assert sorted(matmuls) == ["backward", "forward"]
    assert {("forward", "sin"), ("backward", "cos")} <= {(row.phase, row.operation) for row in report.rows}


def test_compiled_functions_under_other_transformations() -> None:
    fast = jit(lambda x: np.sum(np.tanh(x) * x))
    plain = lambda x: np.sum(np.tanh(x) * x)  # noqa: E731
    report: Any
    for transformed, same in (
        (vmap(fast), vmap(plain)),
        (lambda x: jvp(fast, (x,), (x,)), lambda x: jvp(plain, (x,), (x,))),
        (jit(grad(fast)), grad(plain)),
        (grad(lambda x: np.sum(vmap(fast)(x))), grad(lambda x: np.sum(vmap(plain)(x)))),
    ):
        profile(transformed)(X)
        report = profile(transformed)(X)
        for a, b in zip(np.atleast_1d(report.value), np.atleast_1d(same(X)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)
        assert "tanh" in " ".join(row.operation for row in report.rows)


def test_guards() -> None:
    fast = jit(lambda x: np.sin(x) if x > 0 else np.cos(x))
    for x in (1.0, -1.0, 2.0, -2.0):
        assert profile(fast)(x).value == pytest.approx(np.sin(x) if x > 0 else np.cos(x))


def test_nothing_is_left_behind() -> None:
    fast = jit(loss)
    fast(W, X)
    (form,) = fast.forms
    before = [
        (program.run, program.run.__code__, set(program.run.__globals__)) for program in programs_of(form.compiled)
    ]
    profile(fast)(W, X)

    def fails(w: Any) -> Any:
        fast(w, X)
        raise KeyError("stop")

    with pytest.raises(KeyError):
        profile(fails)(W)
    assert stack.live == []
    assert type(stack.live) is list
    for run, code, names in before:
        assert run.__code__ is code
        assert set(run.__globals__) - names <= {"__builtins__"}


def test_timed_programs_have_the_same_lines() -> None:
    fast = jit(loss)
    fast(W, X)
    (form,) = fast.forms
    for program in programs_of(form.compiled):
        assert timed_code(program).co_varnames == program.run.__code__.co_varnames


def test_threads() -> None:
    """Each has a profile of its own, also of one compiled function; who has none is not counted."""
    fast = jit(lambda x: np.sum(np.tanh(x)))
    fast(X)
    reports: list[Profile[Any]] = []
    stop = threading.Event()

    def other() -> None:
        while not stop.is_set():
            fast(X)

    def run() -> None:
        reports.extend(profile(fast)(X) for _ in range(10))

    threads = [threading.Thread(target=each) for each in (other, run, run)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    stop.set()
    threads[0].join()
    assert len(reports) == 20
    assert {report.total.calls for report in reports} == {profile(fast)(X).total.calls}
