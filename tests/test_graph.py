"""Recorded graphs: their text, what they hold, and running them again, under any transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from xformad import EscapedTracerError, Graph, TreeError, evaluate, grad, hessian, jacobian, trace, value_and_grad, vjp
from xformad.core.graph import Node
from xformad.core.interpreter import stack
from xformad.core.texts import letters
from xformad.extend import Primitive, defvjp


class Pair(NamedTuple):
    first: Any
    second: Any


def text(*lines: str) -> str:
    return "\n".join(lines)


def names_of(graph: Graph) -> list[str]:
    return [node.primitive.name for node in graph.equations if node.primitive is not None]


# The text.


def test_text() -> None:
    graph = trace(lambda x, y: np.sum(np.sin(x) * y[0] + 2.0) * np.array([1.0, 2.0]))(np.ones((2, 3)), [3.0])
    assert str(graph) == text(
        "inputs  a: float64[2,3], b: float64[]",
        "c: float64[2,3] = sin a",
        "d: float64[2,3] = multiply c b",
        "e: float64[2,3] = add d 2.0",
        "f: float64[] = sum e  axis=(0, 1) keepdims=False",
        "g: float64[2] = multiply f const:float64[2]",
        "outputs g",
    )


def test_text_of_indices_and_constants() -> None:
    graph = trace(lambda p: {"a": p["w"][1:], "b": p["w"][0, None], "c": 3.0, "d": np.ones(2)})(
        {"w": np.ones(3, np.float32)}
    )
    assert str(graph) == text(
        "inputs  a: float32[3]",
        "b: float32[2] = getitem a  index=1:",
        "c: float32[1] = getitem a  index=(0, None)",
        "outputs b, c, 3.0, const:float64[2]",
    )
    graph = trace(lambda x: x[np.array([0, 1]), ::2])(np.ones((4, 4)))
    assert str(graph) == text(
        "inputs  a: float64[4,4]",
        "b: float64[2,2] = getitem a const:int64[2]  index=(array, ::2)",
        "outputs b",
    )


def test_text_of_parameters() -> None:
    graph = trace(lambda x: np.reshape(x, (2, -1)).T.astype(np.float32))(np.ones(4))
    assert str(graph) == text(
        "inputs  a: float64[4]",
        "b: float64[2,2] = reshape a  shape=(2, 2)",
        "c: float64[2,2] = transpose b  axes=(1, 0)",
        "d: float32[2,2] = astype c  dtype=float32",
        "outputs d",
    )


def test_text_of_multiple_results() -> None:
    graph = trace(lambda x: np.linalg.eigh(x))(np.eye(2))
    assert str(graph) == text(
        "inputs  a: float64[2,2]",
        "b: (float64[2], float64[2,2]) = eigh a  uplo='L'",
        "c: float64[2] = component b  index=0",
        "d: float64[2,2] = component b  index=1",
        "outputs c, d",
    )


def test_text_of_a_derivative() -> None:
    assert str(trace(grad(lambda x: x**3 * 2))(2.0)) == text(
        "inputs  a: float64[]",
        "b: float64[] = power a 2",
        "c: float64[] = multiply 3 b",
        "d: float64[] = multiply 2.0 c",
        "outputs d",
    )


def test_text_of_small_graphs() -> None:
    assert str(trace(lambda x: x)(2.0)) == "inputs  a: float64[]\noutputs a"
    assert str(trace(lambda x: 3.0)(2)) == "inputs  a: int64[]\noutputs 3.0"
    assert str(trace(lambda x: (x, x, None))(True)) == "inputs  a: bool[]\noutputs a, a"
    assert str(trace(lambda: None)()) == "inputs\noutputs"
    assert str(trace(lambda x: x * 1j)(1.0)) == text(
        "inputs  a: float64[]", "b: complex128[] = multiply a 1j", "outputs b"
    )


def test_names_after_z() -> None:
    def f(x: Any) -> Any:
        for _ in range(30):
            x = np.sin(x)
        return x

    lines = str(trace(f)(1.0)).splitlines()
    assert lines[-2:] == ["ae: float64[] = sin ad", "outputs ae"]
    names = letters()
    found = [next(names) for _ in range(26 + 26 * 26 + 1)]
    assert len(set(found)) == len(found)
    assert found[25:28] == ["z", "aa", "ab"]
    assert found[-2:] == ["zz", "aaa"]


def test_repr_and_parts() -> None:
    def energy(x: Any) -> Any:
        return np.sum(np.sin(x))

    derivative = trace(energy)
    assert repr(derivative) == "<trace(energy)>"
    graph = derivative(np.ones(2))
    assert isinstance(graph, Graph)
    assert repr(graph) == "<Graph of energy: 1 inputs, 2 equations>"
    assert len(graph) == 2
    assert [repr(node) for node in (*graph.inputs, *graph.equations)] == [
        "<Node 1 input: float64[2]>",
        "<Node 2 sin: float64[2]>",
        "<Node 3 sum: float64[]>",
    ]
    (out,) = graph.outputs
    assert out is graph.equations[-1]
    assert out.shape == ()
    assert out.dtype == np.dtype(float)
    assert names_of(graph) == ["sin", "sum"]
    assert [type(node) for node in out.parents] == [Node]
    assert graph.in_structure.size == 1


def test_operations_that_the_result_does_not_need_are_left_out() -> None:
    def f(x: Any, y: Any) -> Any:
        np.cos(x)
        np.exp(y) * 2
        return np.sin(x)

    graph = trace(f)(1.0, 2.0)
    assert str(graph) == text("inputs  a: float64[], b: float64[]", "c: float64[] = sin a", "outputs c")
    assert evaluate(graph, 0.0, 5.0) == 0.0


def test_branches_are_those_taken() -> None:
    graph = trace(lambda x: np.sin(x) if x > 0 else np.cos(x))(1.0)
    assert names_of(graph) == ["sin"]
    assert evaluate(graph, -1.0) == np.sin(-1.0)


# Evaluation.

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "scalar": (lambda x: np.sin(x) * x**2 - 1.0, (0.5,)),
    "array": (lambda x: np.sum(np.tanh(x[1:] * x[:-1])), (np.array([0.5, 1.0, 2.0]),)),
    "two": (lambda x, y: x @ y + np.max(y), (np.ones((2, 2)), np.array([0.5, 1.0]))),
    "containers": (lambda p: {"a": p["w"] * p["b"][0], "b": Pair(p["w"], None)}, ({"w": np.ones(2), "b": [3.0]},)),
    "constants": (lambda x: (x + np.arange(2.0), 3.0, np.ones(2), None), (np.ones(2),)),
    "eigh": (lambda x: np.linalg.eigh(x @ x.T), (np.array([[1.0, 2.0], [0.0, 3.0]]),)),
    "where": (lambda x: np.where(x > 1, x * x, 0.0), (np.array([0.5, 2.0]),)),
    "gradient": (grad(lambda x: np.sum(x**3)), (np.array([0.5, 2.0]),)),
    "hessian": (hessian(lambda x: np.sum(x**3) * x[0]), (np.array([0.5, 2.0]),)),
    "keepdims": (lambda x: x / np.sum(x, axis=1, keepdims=True), (np.ones((2, 3)),)),
}


def assert_same(got: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, tuple | list):
        assert type(got).__name__ in (type(expected).__name__, "tuple")
        for a, b in zip(got, expected, strict=True):
            assert_same(a, b)
    else:
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_evaluation(name: str) -> None:
    fun, args = FUNCTIONS[name]
    graph = trace(fun)(*args)
    assert_same(evaluate(graph, *args), fun(*args))
    other = tuple(x if isinstance(x, dict) else x * 1.5 for x in args)
    assert_same(evaluate(graph, *other), fun(*other))


def test_derivatives_of_an_evaluation() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x**2)

    x, y = np.array([0.5, 1.0]), np.array([2.0, -1.0])
    graph = trace(f)(x)
    assert_same(grad(lambda x: evaluate(graph, x))(y), grad(f)(y))
    assert_same(hessian(lambda x: evaluate(graph, x))(y), hessian(f)(y))
    assert_same(value_and_grad(lambda x: evaluate(graph, x))(y), value_and_grad(f)(y))
    gradient = trace(grad(f))(x)
    assert_same(evaluate(gradient, y), grad(f)(y))
    assert_same(jacobian(lambda x: evaluate(gradient, x))(y), hessian(f)(y))
    assert_same(evaluate(trace(grad(grad(lambda x: x**4)))(1.0), 2.0), 48.0)


def test_nested_traces() -> None:
    def f(x: Any) -> Any:
        inner = trace(lambda y: y * x)(3.0)
        return evaluate(inner, x) + x

    assert f(2.0) == 6.0
    assert str(trace(f)(2.0)) == text(
        "inputs  a: float64[]",
        "b: float64[] = multiply a a",
        "c: float64[] = add b a",
        "outputs c",
    )
    assert grad(f)(2.0) == 5.0
    assert grad(grad(f))(2.0) == 2.0


def test_graph_with_an_outer_tracer_as_a_constant() -> None:
    graphs: list[Graph] = []

    def f(x: Any) -> Any:
        graphs.append(trace(lambda y: y * x)(3.0))
        assert str(graphs[0]) == text("inputs  a: float64[]", "b: float64[] = multiply a 2.0", "outputs b")
        return evaluate(graphs[0], 5.0)

    assert grad(f)(2.0) == 5.0
    with pytest.raises(EscapedTracerError):
        evaluate(graphs[0], 5.0)


def test_trace_of_a_trace() -> None:
    def f(x: Any) -> Any:
        return evaluate(trace(lambda y: np.sin(y) * 2)(x), x)

    assert names_of(trace(f)(1.0)) == ["sin", "multiply"]


def test_keyword_arguments_are_constants() -> None:
    graph = trace(lambda x, scale: x * scale)(2.0, scale=3.0)
    assert str(graph) == text("inputs  a: float64[]", "b: float64[] = multiply a 3.0", "outputs b")
    assert evaluate(graph, 5.0) == 15.0


def test_evaluation_refuses_other_trees() -> None:
    graph = trace(lambda x, p: x * p["a"])(np.ones(2), {"a": 2.0})
    for args, message in (
        ((1.0,), "args has 1 children, but must have 2"),
        ((1.0, {"b": 2.0}), "args[1] has the keys ['b'], but must have ['a']"),
        ((1.0, 2.0), "args[1] is a float, but must be a dict"),
        (([1.0], {"a": 2.0}), "args[0] is a list, but must be a leaf"),
    ):
        with pytest.raises(TreeError) as error:
            evaluate(graph, *args)
        assert str(error.value) == message


def test_exception_leaves_a_clean_state() -> None:
    def failing(x: Any) -> Any:
        np.sin(x)
        raise LookupError

    with pytest.raises(LookupError):
        trace(failing)(1.0)
    assert stack.live == []
    assert str(trace(np.sin)(1.0)) == text("inputs  a: float64[]", "b: float64[] = sin a", "outputs b")


def test_escaped_tracer() -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        kept.append(x * 2)
        return x

    trace(keeps)(1.0)
    with pytest.raises(EscapedTracerError, match="a value traced by trace of keeps was used at "):
        kept[0] + 1
    with pytest.raises(EscapedTracerError):
        trace(lambda x: kept[0])(1.0)
    with pytest.raises(EscapedTracerError):
        trace(lambda x: x)(kept[0])


def test_constants_are_those_of_the_run() -> None:
    for size in (2, 100_000):
        y, z, index = np.full(size, 3.0), np.ones(2), np.array([0, 1])
        graph = trace(lambda x, y=y, z=z, index=index: ((x * y)[index], z))(np.ones(size))
        y[:] = 0.0
        z[:] = 0.0
        index[:] = 0
        product, constant = evaluate(graph, np.ones(size))
        assert product.tolist() == [3.0, 3.0]
        assert constant.tolist() == [1.0, 1.0]
        constant[:] = 5.0
        assert evaluate(graph, np.ones(size))[1].tolist() == [1.0, 1.0]


def test_primitive_without_any_rule_can_be_traced() -> None:
    triple = Primitive("triple", lambda x: 3 * x)
    graph = trace(lambda x: triple.bind(x) + 1)(2.0)
    assert str(graph) == text("inputs  a: float64[]", "b: float64[] = triple a", "c: float64[] = add b 1", "outputs c")
    defvjp(triple, lambda g, _ans, _x: 3 * g)
    assert grad(lambda x: evaluate(graph, x))(2.0) == 3.0
    assert vjp(lambda x: evaluate(graph, x), 2.0)[1](1.0) == (3.0,)
