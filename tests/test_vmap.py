"""`vmap`: axes, containers, splitting of batches, nesting with derivatives, and what must be refused."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import xformad
import xformad.numpy as xnp
from xformad import BatchError, BatchSplitWarning, ConcretizationError, EscapedTracerError, TreeError, tree

from xformad import grad, hessian, jvp, value_and_grad, vjp, vmap  # isort: skip
from xformad.extend import defbatch, defbatch_elementwise, defvjp, primitive

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7], [-0.2, 0.4, 0.9], [1.1, -2.0, 0.6]])
SIGNS = np.array([-1.5, 0.5, 2.5, -0.1])


def stack(results: list[Any]) -> Any:
    return tree.map(lambda *leaves: np.stack(leaves), *results)


def close(found: Any, expected: Any) -> None:
    left, right = tree.leaves_of(found), tree.leaves_of(expected)
    assert len(left) == len(right)
    for x, y in zip(left, right, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


def raises(error: type[Exception], text: str, call: Callable[[], Any]) -> None:
    """The call raises this error with exactly this text, where `...` stands for a file and line."""
    with pytest.raises(error) as raised:
        call()
    assert re.fullmatch(re.escape(text).replace(r"\.\.\.", ".*"), str(raised.value)), str(raised.value)


# Axes and containers


class Pair(NamedTuple):
    left: Any
    right: Any


def test_the_program_sees_one_example() -> None:
    seen = []

    def fun(x: Any, y: Any) -> Any:
        seen.append((x.shape, x.ndim, x.size, x.dtype, len(x), y.shape, np.shape(x)))
        return x.sum() * y

    vmap(fun)(X.astype(np.float32), np.arange(4))
    assert seen == [((3,), 1, 3, np.float32, 3, (), (3,))]


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_axes_of_arguments_and_results(axis: int) -> None:
    batch = np.moveaxis(X, 0, axis)
    expected = np.stack([np.cumsum(x) for x in X])
    close(vmap(np.cumsum, in_axes=axis)(batch), expected)
    close(vmap(np.cumsum, in_axes=(axis,), out_axes=axis)(batch), np.moveaxis(expected, 0, axis))


def test_trees_of_axes() -> None:
    def fun(parameters: Any, pair: Pair, *, scale: Any) -> Any:
        return {"out": parameters["w"] @ pair.left + parameters["b"], "pair": Pair(pair.right * scale, pair.left[0])}

    w, b = X.T @ X, np.ones((3, 4))
    pair = Pair(X, np.arange(8.0).reshape(2, 4))
    scale = np.arange(4.0)
    in_axes = ({"w": None, "b": 1}, Pair(0, -1))
    found = vmap(fun, in_axes, {"out": 1, "pair": 0})({"b": b, "w": w}, pair, scale=scale)
    close(found["out"], (X @ w.T + b.T).T)
    close(found["pair"], Pair(pair.right.T * scale[:, None], X[:, 0]))
    assert type(found["pair"]) is Pair
    one = vmap(fun, ({"w": None, "b": 1}, Pair(0, -1)), {"out": 0, "pair": Pair(1, 0)})(
        {"w": w, "b": b}, pair, scale=scale
    )
    close(one["pair"].left, found["pair"].left.T)


def test_an_axis_for_a_whole_tree_and_lists_of_axes() -> None:
    found = vmap(lambda p, y: p["a"][0] * p["b"] + y, [0, None])({"a": [X], "b": X}, X[0])
    close(found, X * X + X[0])


def test_result_that_is_the_same_for_all() -> None:
    found = vmap(lambda x: {"one": 1.0, "array": np.arange(2), "x": x})(SIGNS)
    close(found, {"one": np.ones(4), "array": np.tile(np.arange(2), (4, 1)), "x": SIGNS})
    assert found["array"].dtype == np.arange(2).dtype
    found["array"][0, 0] = 5
    assert found["array"][1, 0] == 0
    once = vmap(lambda x: (x, {"name": "text", "count": 3}), out_axes=(0, None))(SIGNS)
    close(once[0], SIGNS)
    assert once[1] == {"name": "text", "count": 3}


def test_axis_size_and_no_batched_argument() -> None:
    close(vmap(lambda x: x + 1, in_axes=None, axis_size=3)(1.0), np.full(3, 2.0))
    close(vmap(lambda: 1.5, axis_size=2)(), np.full(2, 1.5))
    close(vmap(lambda x: x, axis_size=4)(SIGNS), SIGNS)


def test_a_batch_of_no_examples() -> None:
    assert vmap(lambda x: np.sum(x, axis=0))(np.zeros((0, 3, 2))).shape == (0, 2)
    assert vmap(grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0))))(np.zeros((0, 3))).shape == (0, 3)
    assert vmap(lambda x: 1.0)(np.zeros((0, 3))).shape == (0,)
    raises(
        BatchError,
        "the program depends on the numbers at ..., but the batch of vmap has no examples",
        lambda: vmap(lambda x: x if x > 0 else -x)(np.zeros(0)),
    )


def test_float32_stays() -> None:
    x = X.astype(np.float32)
    assert vmap(lambda x: np.sum(np.tanh(x)) * 2.0)(x).dtype == np.float32
    assert vmap(lambda x: max(x, 0.0))(x[:, 0]).dtype == np.float32
    assert vmap(grad(lambda x: np.sum(np.exp(x) * 0.5)))(x).dtype == np.float32


class Model:
    factor = 2.0

    @vmap
    def scaled(self: Any) -> Any:
        return self

    def loss(self, x: Any) -> Any:
        return np.sum(self.factor * x)


def squared(x: Any) -> Any:
    """The square."""
    return x**2


def test_the_object_that_vmap_returns() -> None:
    batched = vmap(squared)
    assert repr(batched) == "<vmap(squared)>"
    assert batched.__doc__ == "vmap(squared): The square."
    again = pickle.loads(pickle.dumps(vmap(squared, in_axes=(1,), out_axes=-1)))
    close(again(X), X**2)
    close(vmap(Model().loss)(X), 2 * X.sum(axis=1))


# Errors about axes


def test_sizes_that_differ() -> None:
    raises(
        BatchError,
        "args[0]['x'] has size 3 along axis 1, but args[1] has size 4 along axis 0; all batched arguments must have the "
        "same number of examples; for an argument that is the same for all examples use in_axes=None",
        lambda: vmap(lambda p, y: y, in_axes=({"x": 1}, 0))({"x": X}, SIGNS),
    )
    raises(
        BatchError,
        "args[0] has size 4 along axis 0, but kwargs['y'] has size 3 along axis 0; all batched arguments must have the "
        "same number of examples; keyword arguments are batched along axis 0; bind one that is not batched with "
        "functools.partial",
        lambda: vmap(lambda x, y: x)(SIGNS, y=np.ones(3)),
    )
    raises(
        BatchError,
        "axis_size is 5, but args[0] has size 4 along axis 0; all batched arguments must have the same number of "
        "examples; for an argument that is the same for all examples use in_axes=None",
        lambda: vmap(squared, axis_size=5)(SIGNS),
    )


def test_axes_that_are_not_there() -> None:
    raises(
        BatchError,
        "args[0] has shape (4,), which has no axis 1; for an argument that is the same for all examples use in_axes=None",
        lambda: vmap(squared, in_axes=1)(SIGNS),
    )
    raises(
        BatchError,
        "args[1] has shape (), which has no axis 0; for an argument that is the same for all examples use in_axes=None",
        lambda: vmap(lambda x, y: x * y)(SIGNS, 2.0),
    )
    raises(
        BatchError,
        "args[1] is a str, which has no axis 0; for an argument that is the same for all examples use in_axes=None",
        lambda: vmap(lambda x, y: x)(SIGNS, "text"),
    )
    raises(
        BatchError,
        "out_axes is 2 for result['y'], which has 2 axes, the batch axis counted",
        lambda: vmap(lambda x: {"y": x}, out_axes=2)(X),
    )
    raises(
        BatchError,
        "vmap of no batched argument: no leaf of the arguments has an axis; give axis_size",
        lambda: vmap(squared, in_axes=None)(2.0),
    )


def test_axes_unlike_the_tree() -> None:
    raises(
        TreeError,
        "in_axes has 1 entries, but the call has 2 positional arguments",
        lambda: vmap(lambda x, y: x, in_axes=(0,))(SIGNS, SIGNS),
    )
    raises(TreeError, "in_axes[0] is a dict, but args[0] is a leaf", lambda: vmap(squared, in_axes=({"x": 0},))(X))
    raises(
        TreeError,
        "in_axes[0]['a'] has 1 children, but args[0]['a'] has 2",
        lambda: vmap(squared, in_axes=({"a": (0,)},))({"a": (X, X)}),
    )
    raises(
        TreeError,
        "in_axes[0] has the keys ['b'], but args[0] has ['a']",
        lambda: vmap(squared, in_axes=({"b": 0},))({"a": X}),
    )
    raises(TreeError, "out_axes is a tuple, but result is a leaf", lambda: vmap(squared, out_axes=(0,))(X))
    raises(
        xformad.ArgumentError,
        "in_axes must be an int, None, or a tree of these, not (0, 'x')",
        lambda: vmap(squared, in_axes=(0, "x")),
    )
    raises(
        xformad.ArgumentError,
        "out_axes must be an int, None, or a tree of these, not True",
        lambda: vmap(squared, out_axes=True),
    )


def test_results_of_no_array() -> None:
    raises(
        BatchError,
        "result[1] is a str, of which vmap can make no array; use out_axes=None",
        lambda: vmap(lambda x: (x, "text"))(X),
    )
    raises(
        BatchError,
        "out_axes is None for result, but it differs between the examples; give it an axis",
        lambda: vmap(squared, out_axes=None)(X),
    )
    raises(
        BatchError,
        "out_axes is None for result[1], but the examples took 2 ways through the program; give it an axis",
        lambda: vmap(lambda x: (x, "plus") if x > 0 else (x, "minus"), out_axes=(0, None))(SIGNS),
    )
    raises(
        BatchError,
        "result['y'] has shape (2,) for example 0, but shape (3,) for example 1; results of different shapes make no "
        "array: pad them, or run a loop",
        lambda: vmap(lambda x: {"y": X[0] if x > 0 else X[0, :2]})(SIGNS),
    )
    swapped = vmap(lambda x: {"a": x, "b": 1} if x > 0 else {"b": 2, "a": 3 * x})(SIGNS)
    close(swapped["a"], np.where(SIGNS > 0, SIGNS, 3 * SIGNS))
    close(swapped["b"], np.where(SIGNS > 0, 1, 2))
    raises(
        TreeError,
        "result is a tuple, but must be a list",
        lambda: vmap(lambda x: [x] if x > 0 else (x,))(-SIGNS),
    )


def test_leaving_the_batch_is_refused() -> None:
    raises(
        ConcretizationError,
        "float(x) at ... needs a plain value, but under vmap x stands for 4 examples; use NumPy's functions on it, build "
        "or fill arrays of xformad.numpy (array, stack, zeros), and index plain arrays with "
        "xformad.numpy.take(a, x, axis=0)",
        lambda: vmap(lambda x: float(x))(SIGNS),
    )
    for leave in (np.asarray, lambda x: x.tolist(), lambda x: np.ones(2)[x]):
        with pytest.raises(ConcretizationError):
            vmap(leave)(X)
    kept: list[Any] = []
    vmap(kept.append, out_axes=None)(X)
    with pytest.raises(EscapedTracerError, match=r"a value traced by vmap of append was used at .*test_vmap.py"):
        kept[0] + 1
    with pytest.raises(EscapedTracerError):
        vmap(lambda x: x)(kept[0])
    with pytest.raises(ValueError, match="truth value"):
        vmap(lambda x: x if x > 0 else -x)(X)
    with pytest.raises(TypeError):
        vmap(lambda x: [1, 2][x])(SIGNS)


def test_printing() -> None:
    text = []
    vmap(lambda x: text.append(f"{x:.1f} {x} {x!r}"), out_axes=None)(SIGNS)
    assert text == ["[-1.5 0.5 2.5 -0.1] [-1.5  0.5  2.5 -0.1] Tracer(array([-1.5,  0.5,  2.5, -0.1]), vmap)"]


# Splitting


def branches(x: Any) -> Any:
    """Two branches, a loop of a length that depends on x, and `max`."""
    y = np.sin(x) ** 2 if x > 0 else x**2
    while y < 2:
        y = 1.7 * y + 0.3
    return max(y, 2.5) * x**3


def test_branches_and_loops() -> None:
    close(vmap(branches)(SIGNS), stack([branches(x) for x in SIGNS]))


@pytest.mark.parametrize(
    "transform",
    [grad, lambda f: grad(grad(f)), value_and_grad, lambda f: lambda x: jvp(f, (x,), (1.0,)), hessian],
    ids=["grad", "grad of grad", "value_and_grad", "jvp", "hessian"],
)
def test_derivatives_of_branches(transform: Any) -> None:
    transformed = transform(branches)
    close(vmap(transformed)(SIGNS), stack([transformed(x) for x in SIGNS]))


def test_branches_inside_of_derivatives() -> None:
    total = lambda xs: np.sum(vmap(branches)(xs) * SIGNS)  # noqa: E731
    close(grad(total)(SIGNS), SIGNS * stack([grad(branches)(x) for x in SIGNS]))
    close(np.diagonal(hessian(total)(SIGNS)), SIGNS * stack([grad(grad(branches))(x) for x in SIGNS]))
    tangent = np.arange(4.0)
    close(jvp(vmap(branches), (SIGNS,), (tangent,))[1], tangent * stack([grad(branches)(x) for x in SIGNS]))


def test_branches_of_nested_batches() -> None:
    def fun(x: Any, y: Any) -> Any:
        return np.exp(-y) * x if x > y else branches(y)

    y = np.array([0.4, -0.7, 1.1])
    expected = stack([stack([fun(a, b) for b in y]) for a in SIGNS])
    close(vmap(lambda x: vmap(lambda y: fun(x, y))(y))(SIGNS), expected)
    close(vmap(vmap(fun, (None, 0)), (0, None))(SIGNS, y), expected)
    close(vmap(vmap(fun, (0, None)), (None, 0))(SIGNS, y), expected.T)
    slopes = stack([stack([grad(fun, (0, 1))(a, b) for b in y]) for a in SIGNS])
    close(vmap(vmap(grad(fun, (0, 1)), (None, 0)), (0, None))(SIGNS, y), slopes)


def test_a_batch_inside_of_a_gradient_inside_of_a_batch() -> None:
    def loss(w: Any, x: Any) -> Any:
        return np.sum(vmap(lambda each: branches(w * each))(x))

    close(vmap(grad(loss), (0, None))(SIGNS, X[0]), stack([grad(loss)(w, X[0]) for w in SIGNS]))


def test_an_index_that_differs() -> None:
    layers = [np.sin, np.exp, np.tanh]
    which = np.array([2, 0, 0, 1])
    expected = stack([layers[i](x) for i, x in zip(which, SIGNS, strict=True)])
    close(vmap(lambda i, x: layers[i](x))(which, SIGNS), expected)
    close(vmap(lambda i, x: layers[int(i)](x))(which, SIGNS), expected)
    close(vmap(lambda i, x: layers[i.item()](x))(which, SIGNS), expected)
    close(vmap(lambda n, x: np.sum(x[:n]))(which, X), stack([np.sum(x[:n]) for n, x in zip(which, X, strict=True)]))
    table = np.arange(6.0).reshape(3, 2)
    close(vmap(lambda i: table[i])(which), table[which])  # NumPy swallows the split that the index raises
    close(vmap(lambda i: xnp.take(table, i, axis=0))(which), table[which])
    close(vmap(lambda n: np.sum(np.ones(n)))(which), which.astype(float))
    close(vmap(lambda n: sum(range(n)))(which), np.array([1, 0, 0, 0]))
    close(vmap(lambda k, x: np.roll(x, k))(which, X), stack([np.roll(x, k) for k, x in zip(which, X, strict=True)]))


def test_shapes_that_depend_on_the_numbers() -> None:
    def positive(x: Any) -> Any:
        return np.sum(x[x > 0] ** 2) / len(x[x > 0])

    def distinct(x: Any) -> Any:
        return len(np.unique(np.round(x)))

    def places(x: Any) -> Any:
        return np.sum(np.nonzero(x > 0.35)[0])

    for fun in (positive, distinct, places):
        close(vmap(fun)(X), stack([fun(x) for x in X]))
    close(vmap(grad(positive))(X), stack([grad(positive)(x) for x in X]))


def test_masks_of_equal_counts_do_not_split() -> None:
    runs = []

    def middle(x: Any) -> Any:
        runs.append(1)
        return x[x == np.max(x)][0] * x[np.argsort(x) == 1]

    close(vmap(middle)(X), stack([middle(x) for x in X]))
    assert len(runs) == 1 + len(X)


def test_a_run_for_each_way() -> None:
    runs = []

    def fun(x: Any) -> Any:
        runs.append(1)
        return x if x > 0 else -x

    vmap(fun)(np.ones(100))
    assert len(runs) == 1
    runs.clear()
    vmap(fun)(np.linspace(-1, 1, 100))
    assert len(runs) == 3  # one that finds out, and one for each way


def test_a_caught_split_counts() -> None:
    def fun(x: Any) -> Any:
        try:
            return x if x > 0 else -x
        except BaseException:
            return 100 * x

    close(vmap(fun)(SIGNS), np.abs(SIGNS))
    close(vmap(lambda x: fun(x) + vmap(lambda y: fun(x * y))(SIGNS))(SIGNS),
          np.abs(SIGNS)[:, None] + np.abs(SIGNS[:, None] * SIGNS))  # fmt: skip


def test_errors_inside_of_a_split_batch_are_the_users() -> None:
    def fun(x: Any) -> Any:
        if x > 2:
            raise ZeroDivisionError("mine")
        return x

    with pytest.raises(ZeroDivisionError, match="mine"):
        vmap(fun)(SIGNS)
    assert xformad.core.interpreter.stack.live == []


def test_more_than_64_ways_warn_once() -> None:
    def steps(n: Any) -> Any:
        count = 0
        while n > 0:
            n, count = n - 1, count + 1
        return count

    with pytest.warns(BatchSplitWarning) as caught:
        close(vmap(steps)(np.arange(100)), np.arange(100))
    assert len(caught) == 1
    text = (
        "vmap of steps: a condition or index at ...test_vmap.py:... differs between the examples, and the 100 examples "
        "take more than 64 ways through the program; each is one more run. To compute for all examples at once use "
        "numpy.where, numpy.maximum, numpy.minimum or numpy.clip in the place of if, max and min, and xformad.numpy.take "
        "in the place of an index"
    )
    assert re.fullmatch(re.escape(text).replace(r"\.\.\.", ".*"), str(caught[0].message))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(vmap(steps)(np.arange(60)), np.arange(60))


def test_where_is_safe() -> None:
    def fun(x: Any) -> Any:
        return np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 0)), 0)) + np.sum(np.clip(x, 0.0, 1.0) ** 1.5)

    with np.errstate(all="ignore"):
        root = lambda x: np.sum(np.where(x > 0, np.sqrt(x) * np.log(x), 0.0))  # noqa: E731
        for each in (fun, root):
            close(vmap(grad(each))(X), stack([grad(each)(x) for x in X]))
            assert np.isfinite(vmap(grad(each))(X)).all()
            second = grad(lambda x, each=each: np.sum(grad(each)(x) ** 2))
            close(vmap(second)(X), stack([second(x) for x in X]))
        cut = lambda x: np.sum(np.sqrt(x[np.argmax(x)]) * x) + np.sum(x[[0, 1]] ** 2)  # noqa: E731
        close(vmap(grad(cut))(X), stack([grad(cut)(x) for x in X]))


def test_norms_at_zero() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    two, ones = np.full((3, 2), 2.0), np.ones(2)
    for fun in (lambda x: np.linalg.norm(x) ** 2, lambda x: np.sum(np.abs(x) ** 2)):
        close(vmap(grad(fun))(points), 2 * points)
        close(vmap(lambda x, f=fun: grad(lambda y: grad(f)(y) @ ones)(x))(points), two)
        close(grad(lambda x, f=fun: np.sum(vmap(grad(f))(x)))(points), two)
        close(vmap(lambda x, f=fun: jvp(grad(f), (x,), (ones,))[1])(points), two)
        close(jvp(vmap(grad(fun)), (points,), (np.ones((3, 2)),))[1], two)

        def pulled(x: Any, f: Any = fun) -> Any:
            return np.sum(vmap(vjp(f, x)[1])(np.array([1.0, 2.0]))[0])

        close(stack([grad(pulled)(x) for x in points]), 3 * two)


def test_products_with_zeros() -> None:
    x = np.array([[0.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.0, 0.0, 3.0]])
    for fun in (np.prod, lambda x: np.sum(np.cumprod(x) * SIGNS[:3])):
        close(vmap(grad(fun))(x), stack([grad(fun)(each) for each in x]))
        close(vmap(hessian(fun))(x), stack([hessian(fun)(each) for each in x]))


# Composition


def test_per_example_gradients() -> None:
    def loss(parameters: Any, x: Any, t: Any) -> Any:
        (w, b), v = parameters
        z = v @ np.tanh(w @ x + b)
        return np.log(np.sum(np.exp(z - np.max(z)))) + np.max(z) - z[t]

    random = np.random.default_rng(0)
    parameters = ((random.normal(size=(5, 3)), random.normal(size=5)), random.normal(size=(2, 5)))
    labels = np.array([0, 1, 1, 0])
    expected = stack([grad(loss)(parameters, x, t) for x, t in zip(X, labels, strict=True)])
    close(vmap(grad(loss), (None, 0, 0))(parameters, X, labels), expected)
    total = grad(lambda p: np.sum(vmap(loss, (None, 0, 0))(p, X, labels)))(parameters)
    close(total, tree.map(lambda g: g.sum(axis=0), expected))


def test_jacobian_by_vmap() -> None:
    fun = lambda x: np.tanh(X @ x) * x[0]  # noqa: E731
    x = X[1]
    out, pullback = vjp(fun, x)
    (rows,) = vmap(pullback)(np.eye(len(out)))
    columns = vmap(lambda t: jvp(fun, (x,), (t,))[1], out_axes=1)(np.eye(len(x)))
    close(rows, xformad.jacobian(fun)(x))
    close(columns, rows)


def test_trace_of_vmap_and_arrays_made_inside() -> None:
    graph = xformad.trace(vmap(lambda x: xnp.array([x[0], 2 * x[1]]) @ np.ones(2)))(X)
    assert [node.primitive.name for node in graph.equations if node.primitive] == [
        "getitem", "getitem", "multiply", "stack", "matmul",
    ]  # fmt: skip
    close(
        vmap(lambda x: np.zeros_like(x) + xnp.asarray([x[0], 1.0, 0.0]))(X),
        stack([np.array([x[0], 1.0, 0.0]) for x in X]),
    )


def test_complex_batches() -> None:
    z = X + 1j * X[::-1]
    fun = lambda z: np.sum(np.abs(np.exp(z)) ** 2)  # noqa: E731
    close(vmap(grad(fun))(z), stack([grad(fun)(each) for each in z]))


# Primitives of an extender


def test_a_primitive_without_a_rule_runs_in_a_loop_with_one_warning() -> None:
    @primitive
    def halves(x: Any) -> Any:
        assert x.shape == (3,)
        return np.sort(x) / 2

    defvjp(halves, lambda g, _ans, x: g[np.argsort(np.argsort(x))] / 2)
    with pytest.warns(RuntimeWarning) as caught:
        close(vmap(halves)(X), np.sort(X, axis=1) / 2)
    text = (
        "primitive 'halves' has no batching rule, so vmap runs it once for each example; add one with "
        "xformad.extend.defbatch(halves, ...), or, if it acts element by element, with "
        "xformad.extend.defbatch_elementwise(halves)"
    )
    assert [str(warning.message) for warning in caught] == [text]
    assert caught[0].filename == __file__
    weights = np.arange(3.0)
    loss = lambda x: halves(x) @ weights  # noqa: E731
    close(vmap(grad(loss))(X), stack([grad(loss)(x) for x in X]))
    close(grad(lambda x: np.sum(vmap(loss)(x)))(X), stack([grad(loss)(x) for x in X]))
    raises(
        BatchError,
        "the program depends on the numbers at ..., but the batch of vmap has no examples",
        lambda: vmap(halves)(np.zeros((0, 3))),
    )


def test_a_loop_whose_results_differ_in_shape_or_number() -> None:
    @primitive
    def chosen(x: Any) -> Any:
        return x[x > 0]

    parts = xformad.extend.Primitive("parts", lambda x: (x[:1], x[1:] * 2), multiple=True)
    with pytest.warns(RuntimeWarning, match="chosen"):
        close(vmap(lambda x: np.sum(chosen(x)))(X), stack([np.sum(x[x > 0]) for x in X]))
    with pytest.warns(RuntimeWarning, match="parts"):
        close(vmap(parts.bind)(X), (X[:, :1], 2 * X[:, 1:]))


def test_rules_of_an_extender() -> None:
    @primitive
    def scaled(x: Any, y: Any) -> Any:
        return x * y

    @primitive
    def total(x: Any) -> Any:
        return np.sum(x)

    defbatch_elementwise(scaled)
    defbatch(total, lambda size, batched, x: np.sum(x, axis=tuple(range(1, x.ndim))))
    close(vmap(lambda x: scaled(x, x[0]))(X), X * X[:, :1])
    close(vmap(lambda x: scaled(X, x))(X), X * X[:, None])
    close(vmap(total)(X), X.sum(axis=1))
    with pytest.raises(ValueError, match="already has a batching rule"):
        defbatch(total, lambda size, batched, x: x)


def test_a_rule_without_the_batch_axis_is_refused() -> None:
    @primitive
    def wrong(x: Any) -> Any:
        return np.sum(x)

    defbatch(wrong, lambda size, batched, x: np.sum(x))
    raises(
        xformad.RuleError,
        "the batching rule of primitive 'wrong' returned shape () for a batch of 4 examples; its first axis must be the "
        "batch",
        lambda: vmap(wrong)(X),
    )
