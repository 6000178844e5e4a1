"""What `jit` records, what it takes for granted, and what it says about it."""

from __future__ import annotations

import gc
import importlib
import math
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from xformad import ArgumentError, CompilationWarning, ManyPathsWarning, grad, jit, jvp, value_and_grad, vmap
from xformad.compiler import backends
from xformad.compiler.cache import Cache
from xformad.transformations.compiled import MAX_KEYS, MAX_PATHS


def here() -> int:
    """The line of the caller."""
    return sys._getframe(1).f_lineno


def test_cache_info() -> None:
    fast = jit(lambda x: np.sin(x) if x > 0.0 else np.cos(x))
    assert fast.cache_info() == (0, 0, 0, 0)
    for x in (1.0, 2.0, -1.0, 3.0):
        fast(x)
    assert fast.cache_info() == (2, 2, 1, 2)
    grad(fast)(1.0)
    assert fast.cache_info() == (2, 3, 1, 3)
    fast(np.float64(1.0))  # another type
    assert fast.cache_info() == (2, 4, 1, 4)
    fast.cache_clear()
    assert fast.cache_info() == (0, 0, 0, 0)
    assert fast(1.0) == np.sin(1.0)


def test_the_graph_is_that_of_the_path() -> None:
    fast = jit(lambda x, n: {"out": np.sin(x) * n if x > 0.0 else x, "kind": "a"})
    assert str(fast.graph(1.0, 2)) == (
        "inputs  a: float64[], b: int64[]\n"
        "c: bool[] = less 0.0 a\n"
        "d: bool[] = guard c  expected=True how='truth'\n"
        "e: float64[] = sin a\n"
        "f: float64[] = multiply e b\n"
        "outputs f"
    )
    assert len(fast.graph(-1.0, 2)) == 2


def branching(x: Any) -> Any:
    if x[0] > 1.0:
        return np.linalg.inv(np.outer(x, x) + 1.0)
    return x[int(x[1])]


def test_explain() -> None:
    fast = jit(branching)
    x = np.array([0.5, 1.0])
    fast(x), fast(x)
    line = branching.__code__.co_firstlineno
    text = fast.explain(x)
    assert text.startswith("jit of branching for float64[2]: 1 path\npath 1, run 1 time: ")
    assert f"guard: a condition is False at {__file__}:{line + 1}\n" in text
    assert f"guard: a whole number is 1 at {__file__}:{line + 3}\n" in text
    text = fast.explain(4.0 * x)
    assert "2 paths" in text
    assert "NumPy: inv: " in text


def shifted(x: Any) -> Any:
    return float(x) * x


def test_too_many_paths() -> None:
    fast = jit(shifted)
    for i in range(MAX_PATHS):
        assert fast(float(i)) == float(i) ** 2
    line = shifted.__code__.co_firstlineno + 1
    with pytest.warns(ManyPathsWarning) as found:
        assert fast(100.0) == 100.0**2
    assert str(found[0].message) == (
        "jit of shifted has taken 16 different ways through the program for arguments of the same shapes, and runs it as it "
        f"is from now on; the last two part where the value is 15.0 at {__file__}:{line}"
    )
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fast(101.0) == 101.0**2


def test_other_modes_of_too_many_paths() -> None:
    fast = jit(lambda x, n: sum(range(n)) * x**2)
    for n in range(MAX_PATHS):
        assert grad(fast)(3.0, n) == 6.0 * sum(range(n))
    with pytest.warns(ManyPathsWarning, match="a whole number is 15 at"):
        assert grad(fast)(3.0, 100) == 6.0 * 4950
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad(fast)(3.0, 101) == 6.0 * 5050
        np.testing.assert_allclose(vmap(fast, in_axes=(0, None))(np.array([2.0, 3.0]), 3), [12.0, 27.0])


def test_a_function_that_cannot_be_recorded() -> None:
    def fun(x: Any) -> Any:
        return np.asarray(x).sum() * 2.0

    fast = jit(fun)
    with pytest.warns(
        CompilationWarning, match=r"^jit runs fun as it is, because it cannot be recorded: numpy.asarray"
    ):
        assert fast(np.ones(3)) == 6.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fast(np.ones(3)) == 6.0
        assert fast.cache_info().paths == 0
        with pytest.raises(ArgumentError, match="is run as it is for arguments like these"):
            fast.graph(np.ones(3))


def factor(a: Any) -> Any:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return np.linalg.cholesky(a + 10.0 * np.eye(2))


def test_errors_that_the_program_catches() -> None:
    good, bad = np.eye(2), np.array([[1.0, 3.0], [3.0, 1.0]])
    fast = jit(factor)
    for a in (good, bad, 2.0 * good, bad):  # recorded on the way without an error
        np.testing.assert_allclose(fast(a), factor(a))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CompilationWarning)
        for a in (good, bad, 2.0 * good, bad):
            np.testing.assert_allclose(grad(lambda a: np.sum(fast(a)))(a), grad(lambda a: np.sum(factor(a)))(a))
    other = jit(factor)
    line = factor.__code__.co_firstlineno + 2
    with pytest.warns(CompilationWarning) as found:
        np.testing.assert_allclose(other(bad), factor(bad))
    assert str(found[0].message) == (
        f"jit runs factor as it is, because it cannot be recorded: cholesky at {__file__}:{line} raised LinAlgError, which "
        "the program caught; whether it does so for other numbers is not known"
    )
    for a in (good, bad):
        np.testing.assert_allclose(other(a), factor(a))


def test_arguments_that_are_not_hashable() -> None:
    class Thing:
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(ArgumentError) as found:
        jit(lambda x, thing: x)(1.0, Thing())
    assert str(found.value) == (
        "jit(<lambda>) got a Thing, which is neither an array, a number, nor hashable, so that a recording could "
        "not be found again; register the type by xformad.tree.register, or close over the object"
    )


def test_none_and_numbers_are_different_arguments() -> None:
    fast = jit(lambda x, y: x if y is None else x + y)
    assert [fast(1.0, y) for y in (None, 2.0, None, 3, True, False)] == [1.0, 3.0, 1.0, 4, 2.0, 1.0]


def test_pythons_numbers() -> None:
    """They give way to arrays' dtypes, and whole numbers have no bounds."""
    single = np.ones((2, 2), np.float32)
    fast = jit(lambda c, n: (np.linalg.inv(single * (c * 2.0)), c * 2.0, n**n, c > 1.0, n * n > 4))
    for c, n in ((1.5, 3), (0.5, 100), (2.5, 2)):
        single[0, 0] = 3.0
        expected = (np.linalg.inv(single * np.float32(c * 2.0)), c * 2.0, n**n, c > 1.0, n * n > 4)
        found = fast(c, n)
        assert found[0].dtype == np.float32
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
        assert found[1:] == expected[1:]
        assert [type(x) for x in found[1:4]] == [float, int, bool]


class Model:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    @jit
    def apply(self, x: Any) -> Any:
        return np.sum(self.scale * x)


def test_whole_numbers_made_of_floats() -> None:
    fast = jit(lambda x: (int(x) + math.floor(2.0 * x) + math.ceil(x) + round(x)) * x)
    for x in (1.25, 1.75, 1.3, 2.6, 1.26):
        assert fast(x) == (int(x) + math.floor(2.0 * x) + math.ceil(x) + round(x)) * x
    assert fast.cache_info().misses == 3
    with pytest.raises(ValueError, match="cannot convert float NaN to integer"):
        fast(np.nan)


def test_methods() -> None:
    double, triple = Model(2.0), Model(3.0)
    x = np.array([1.0, 2.0])
    assert [double.apply(x), triple.apply(x), double.apply(x)] == [6.0, 9.0, 6.0]
    np.testing.assert_array_equal(grad(triple.apply)(x), [3.0, 3.0])
    assert repr(Model.apply) == "<jit(apply)>"


def scaled(x: Any) -> Any:
    return 2.0 * x


def test_an_error_of_the_back_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: Any) -> Any:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(importlib.import_module(f"{backends.NATIVE}.engine"), "Kernel", broken)
    fast = jit(lambda x: np.sum(np.sin(x) ** 2))
    x = np.array([0.5, 1.0])
    with pytest.warns(CompilationWarning) as found:
        fast(x)
    text = "jit could not compile <lambda>, and runs it on NumPy: RuntimeError: no such instruction"
    assert str(found[0].message) == text
    assert fast(2.0 * x) == np.sum(np.sin(2.0 * x) ** 2)


def test_pictures_have_kernels_in_frames(tmp_path: Path) -> None:
    jit(branching).draw(tmp_path / "graph.dot", np.array([2.0, 1.0]))
    text = (tmp_path / "graph.dot").read_text()
    assert text.count("subgraph") == 1
    assert "inv" in text


def test_pickle() -> None:
    assert pickle.loads(pickle.dumps(jit(scaled)))(3.0) == 6.0


def root_of_positive(root: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: np.sum(np.where(x > 0.0, root(x), 0.0))


def test_the_branch_not_taken_sends_nothing_through_jit() -> None:
    x = np.array([0.0, 4.0])
    expected = grad(root_of_positive(np.sqrt))(x)
    np.testing.assert_array_equal(expected, [0.0, 0.25])
    for fun in (root_of_positive(jit(np.sqrt)), jit(root_of_positive(np.sqrt)), jit(root_of_positive(jit(np.sqrt)))):
        np.testing.assert_array_equal(grad(fun)(x), expected)
        np.testing.assert_array_equal(jit(grad(fun))(x), expected)
        np.testing.assert_array_equal(grad(fun)(x + 1.0), grad(root_of_positive(np.sqrt))(x + 1.0))


def test_masks_pass_the_boundary_of_jit() -> None:
    """The branch not taken is inside of a jitted function, and the root outside of it."""

    def fun(choose: Callable[..., Any], root: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: np.sum(choose(root(x), x))

    def choose(y: Any, x: Any) -> Any:
        return np.where(x > 0.0, y, 0.0)

    x = np.array([0.0, 4.0])
    for picked in (choose, jit(choose)):
        for root in (np.sqrt, jit(np.sqrt), jit(jit(np.sqrt))):
            for whole in (fun(picked, root), jit(fun(picked, root))):
                np.testing.assert_array_equal(grad(whole)(x), [0.0, 0.25])
                second = grad(lambda x, whole=whole: np.sum(grad(whole)(x)))
                np.testing.assert_allclose(second(x + 1.0), -0.25 * (x + 1.0) ** -1.5, rtol=1e-15)
                np.testing.assert_array_equal(vmap(grad(whole))(np.stack([x, x]))[1], [0.0, 0.25])


def test_side_effects_happen_while_recording_only() -> None:
    seen: list[Any] = []

    @jit
    def fun(x: Any) -> Any:
        seen.append(str(x))
        return x + 1.0

    fun(1.0), fun(2.0)
    assert seen == ["1.0"]


def test_closed_over_arrays_are_as_they_were() -> None:
    weights = np.ones(3)
    fast = jit(lambda x: x * weights)
    first = fast(np.ones(3))
    weights[0] = 7.0
    np.testing.assert_array_equal(fast(np.ones(3)), first)
    fast.cache_clear()
    np.testing.assert_array_equal(fast(np.ones(3)), [7.0, 1.0, 1.0])


def test_in_place_programs() -> None:
    def recurrence(x: Any) -> Any:
        out = xnp.zeros(5)
        out[0] = x
        for i in range(1, 5):
            out[i] = np.sin(out[i - 1]) + x
        out[1:3] *= 2.0
        return np.sum(out**2)

    for x in (0.3, 0.7, 0.3):
        fast = jit(recurrence)
        np.testing.assert_allclose(fast(x), recurrence(x), rtol=1e-15)
        np.testing.assert_allclose(grad(fast)(x), grad(recurrence)(x), rtol=1e-14)
        np.testing.assert_allclose(jit(grad(recurrence))(x), grad(recurrence)(x), rtol=1e-14)


def test_many_shapes_are_forgotten_one_after_the_other() -> None:
    fast = jit(lambda x: x + 1.0)
    for n in range(3 * MAX_KEYS):
        assert fast(np.ones(n)).shape == (n,)
    assert fast.cache_info().paths <= MAX_KEYS
    assert len(fast.quick) <= MAX_KEYS


def test_many_derived_functions_are_forgotten() -> None:
    fast = jit(lambda x: x * x)
    for n in range(1, 3 * MAX_KEYS):
        vmap(fast)(np.ones(n))
    (form,) = fast.forms
    assert len(form.compiled.derived) <= MAX_KEYS


def test_a_cache_keeps_what_is_used() -> None:
    cache: Cache[int, int] = Cache(4)
    for i in range(100):
        cache.add(i, i)
        assert cache.get(0) == 0
    assert len(cache) == 4


@pytest.mark.parametrize("mode", ["value", "grad", "jvp", "vmap", "plain"])
def test_calls_leave_nothing(mode: str) -> None:
    fast: Any = jit(lambda x: np.sum(np.tanh(x) ** 2))
    runs: dict[str, Callable[[Any], Any]] = {
        "value": fast,
        "grad": value_and_grad(fast),
        "jvp": lambda x: jvp(fast, (x,), (x,)),
        "vmap": lambda x: vmap(fast)(np.stack([x, x])),
        "plain": jit(lambda x: float(x[0]) * np.sum(x)),
    }
    run = runs[mode]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(MAX_PATHS + 2):
            run(np.full(3, float(i)))
        gc.collect()
        before = len(gc.get_objects())
        for i in range(500):
            run(np.full(3, float(i)))
        gc.collect()
    assert len(gc.get_objects()) <= before + 10
