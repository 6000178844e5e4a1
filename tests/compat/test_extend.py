"""Autograd's ways to extend it: primitives, rules, vector spaces, nodes."""

from __future__ import annotations

import threading
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import xformad
import xformad.compat.autograd.numpy as anp
from xformad.compat.autograd import builtins, core, grad, hessian, jacobian, make_jvp, make_vjp
from xformad.compat.autograd.builtins import DictBox, SequenceBox
from xformad.compat.autograd.extend import (
    Box,
    JVPNode,
    SparseObject,
    VJPNode,
    VSpace,
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    notrace_primitive,
    primitive,
    register_notrace,
    vspace,
)
from xformad.compat.autograd.misc.tracers import full_graph
from xformad.compat.autograd.numpy.numpy_boxes import ArrayBox
from xformad.compat.autograd.numpy.numpy_jvps import broadcast
from xformad.compat.autograd.numpy.numpy_vjps import balanced_eq, match_complex, replace_zero, unbroadcast_f
from xformad.compat.autograd.test_util import check_equivalent, check_grads
from xformad.compat.autograd.tracer import Node, getval, isbox, new_box, trace, trace_stack

X = np.array([0.3, -0.8, 1.4])


def cube() -> Any:
    """A primitive with a reverse rule."""

    @primitive
    def cubed(x: Any) -> Any:
        return x**3

    defvjp(cubed, lambda ans, x: lambda g: g * 3 * x**2)
    return cubed


# Rules.


def test_one_rule_serves_every_mode_and_order() -> None:
    f = cube()
    np.testing.assert_allclose(jacobian(f)(X), np.diag(3 * X**2))
    np.testing.assert_allclose(grad(grad(grad(f)))(2.0), 6.0)
    np.testing.assert_allclose(make_jvp(f)(X)(np.ones(3))[1], 3 * X**2)
    np.testing.assert_allclose(hessian(lambda x: np.sum(f(x)))(X), np.diag(6 * X))
    check_grads(f, modes=["fwd", "rev"], order=2)(X)
    np.testing.assert_allclose(xformad.vmap(f)(X), X**3)


def test_without_traced_arguments_the_function_runs() -> None:
    f = cube()
    assert f(2.0) == 8.0
    assert f.fun(2.0) == 8.0
    assert f.__name__ == "cubed"


def test_rules_by_argnum() -> None:
    @primitive
    def f(x: Any, y: Any, power: int = 1) -> Any:
        return x * y**power

    def vjp(argnum: int, ans: Any, args: Any, kwargs: Any) -> Any:
        x, y = args
        p = kwargs["power"]
        return lambda g: g * (y**p if argnum == 0 else p * x * y ** (p - 1))

    def jvp(argnum: int, g: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        return vjp(argnum, ans, args, kwargs)(g)

    defvjp_argnum(f, vjp)
    defjvp_argnum(f, jvp)
    assert grad(f, (0, 1))(2.0, 3.0, power=2) == (9.0, 12.0)
    assert make_jvp(f, 1)(2.0, 3.0, power=2)(1.0) == (18.0, 12.0)
    check_grads(lambda x, y: f(x, y, power=3), (0, 1))(0.7, 1.2)


def test_rules_of_several_argnums_are_called_once_for_all_of_them_in_forward_mode() -> None:
    @primitive
    def f(x: Any, y: Any) -> Any:
        return x * y

    seen = []

    def jvp(argnums: Any, gs: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        seen.append(tuple(argnums))
        x, y = args
        return sum(g * (y if argnum == 0 else x) for argnum, g in zip(argnums, gs, strict=True))

    defvjp_argnums(f, lambda argnums, ans, args, kwargs: lambda g: [g * args[1 - i] for i in argnums])
    defjvp_argnums(f, jvp)
    assert grad(f, (0, 1))(2.0, 3.0) == (3.0, 2.0)
    assert make_jvp(lambda x: f(x, x))(3.0)(1.0)[1] == 6.0
    assert seen == [(0, 1)]


def test_many_arguments() -> None:
    @primitive
    def total(*xs: Any) -> Any:
        return sum(xs)

    defvjp_argnums(total, lambda argnums, ans, args, kwargs: lambda g: [g * (i + 1) for i in argnums])
    assert grad(lambda x: total(*[x] * 6))(1.0) == 21.0


def test_rules_for_chosen_arguments() -> None:
    @primitive
    def f(name: str, x: Any, n: int, y: Any) -> Any:
        assert name == "a name"
        return x**n + y

    defvjp(f, lambda ans, name, x, n, y: lambda g: g * n * x ** (n - 1), argnums=[1])
    assert grad(lambda x: f("a name", x, 3, 1.0))(2.0) == 12.0
    with pytest.raises(NotImplementedError, match="VJP of f wrt argnum 3 not defined"):
        grad(lambda y: f("a name", 2.0, 3, y))(2.0)


def test_no_rule_at_all() -> None:
    @primitive
    def f(x: Any) -> Any:
        return x

    with pytest.raises(NotImplementedError, match="no vjp rule for primitive 'f'"):
        grad(f)(1.0)


def test_none_is_a_zero() -> None:
    @primitive
    def f(x: Any, y: Any) -> Any:
        return x * np.round(y)

    defvjp(f, lambda ans, x, y: lambda g: g * np.round(y), None)
    defjvp(f, lambda g, ans, x, y: g * np.round(y), None)
    assert grad(f, (0, 1))(2.0, 3.4) == (3.0, 0.0)
    assert make_jvp(f, 1)(2.0, 3.4)(1.0) == (6.0, 0.0)

    @primitive
    def rounded(x: Any) -> Any:
        return np.round(x)

    defvjp(rounded, None)
    with pytest.warns(UserWarning, match="Output seems independent"):
        assert grad(rounded)(2.2) == 0.0


def test_linear_and_same() -> None:
    @primitive
    def product(x: Any, y: Any) -> Any:
        return x * y

    def_linear(product)
    assert make_jvp(lambda x: product(x, x))(3.0)(1.0)[1] == 6.0

    @primitive
    def doubled(x: Any) -> Any:
        return 2 * x

    defjvp(doubled, "same")
    assert make_jvp(doubled)(3.0)(5.0)[1] == 10.0


@pytest.mark.parametrize("define", [defvjp, defjvp])
def test_what_is_no_rule_is_refused(define: Any) -> None:
    with pytest.raises(ValueError, match=r"Bad J?VJ?P 'nonsense' for 'cubed'"):
        define(cube(), "nonsense")


def test_rules_of_numpy_are_not_replaced() -> None:
    with pytest.raises(ValueError, match=r"sin is no function that autograd\.extend\.primitive returned"):
        defvjp(anp.sin, lambda ans, x: lambda g: g)


def test_rules_can_be_given_again() -> None:
    f = cube()
    defvjp(f, lambda ans, x: lambda g: 7.0 * g)
    assert grad(f)(1.0) == 7.0
    assert make_jvp(f)(1.0)(1.0)[1] == 7.0


def test_a_wrong_rule_is_caught_by_the_checker() -> None:
    f = cube()
    defvjp(f, lambda ans, x: lambda g: g * 3.003 * x**2)
    with pytest.raises(AssertionError, match="is wrong"):
        check_grads(f, modes=["rev"])(2.0)


def test_the_old_methods() -> None:
    @core.primitive
    def product(x: Any, y: Any) -> Any:
        return x * y

    old: Any = product
    with pytest.warns(UserWarning, match="The defgrad method is deprecated"):
        old.defgrad(lambda ans, x, y: lambda g: y * g)
    with pytest.warns(UserWarning, match="The defvjp method is deprecated"):
        old.defvjp(lambda g, ans, vs, gvs, x, y: x * g, argnum=1)
    assert grad(product, (0, 1))(2.0, 3.0) == (3.0, 2.0)
    with pytest.warns(UserWarning, match="The defvjp_is_zero method is deprecated"):
        old.defvjp_is_zero(argnums=(1,))
    assert grad(product, (0, 1))(2.0, 3.0) == (3.0, 0.0)


def test_broadcasting_is_undone_and_numbers_are_spread() -> None:
    @primitive
    def f(x: Any, y: Any) -> Any:
        return x + y

    defvjp(f, lambda ans, x, y: unbroadcast_f(x, lambda g: g), lambda ans, x, y: lambda g: g)
    first, second = grad(lambda x, y: np.sum(f(x, y)), (0, 1))(np.ones((2, 1)), np.ones(3))
    np.testing.assert_array_equal(first, [[3.0], [3.0]])
    np.testing.assert_array_equal(second, [2.0, 2.0, 2.0])

    @primitive
    def mean(x: Any) -> Any:
        return np.mean(x)

    defvjp(mean, lambda ans, x: lambda g: g / x.size)
    defjvp(mean, lambda g, ans, x: np.mean(g))
    np.testing.assert_allclose(grad(mean)(X), np.full(3, 1 / 3))


def test_a_rule_that_takes_plain_cotangents_only() -> None:
    a = np.array([[2.0, 1.0], [0.5, 3.0]])

    @primitive
    def solved(b: Any) -> Any:
        return scipy.linalg.solve(a, b)

    defvjp(solved, lambda ans, b: lambda g: scipy.linalg.solve(a.T, np.asarray(g)))
    np.testing.assert_allclose(jacobian(solved)(np.ones(2)), np.linalg.inv(a))


def test_a_sparse_cotangent() -> None:
    @primitive
    def item(x: Any, i: int) -> Any:
        return x[i]

    def item_vjp(ans: Any, x: Any, i: int) -> Any:
        space = vspace(x)

        def mut_add(array: Any) -> Any:
            array[i] += 2.0
            return array

        return lambda g: SparseObject(space, mut_add)

    defvjp(item, item_vjp)
    np.testing.assert_array_equal(grad(lambda x: item(x, 1) + item(x, 1) + x[0])(X), [1.0, 4.0, 0.0])


# Containers.


def test_a_primitive_of_containers() -> None:
    @primitive
    def weighted(params: Any, factor: Any) -> Any:
        return factor * (params["a"] * params["b"][1])

    def vjp(ans: Any, params: Any, factor: Any) -> Any:
        return lambda g: {"b": [0.0, g * factor * params["a"]], "a": g * factor * params["b"][1]}

    defvjp(weighted, vjp, lambda ans, params, factor: lambda g: g * ans / factor)
    params = {"a": 3.0, "b": [1.0, 5.0]}
    found, factor = grad(weighted, (0, 1))(params, 2.0)
    assert found == {"a": 10.0, "b": [0.0, 6.0]}
    assert factor == 15.0
    assert grad(lambda p: grad(weighted)(p, 2.0)["a"])(params) == {"a": 0.0, "b": [0.0, 2.0]}
    assert make_jvp(weighted)(params, 2.0)({"a": 1.0, "b": [0.0, 1.0]})[1] == 16.0


def test_a_primitive_that_returns_a_container() -> None:
    @primitive
    def both(x: Any) -> Any:
        return [np.sin(x), (x**2, "a name")]

    defvjp(both, lambda ans, x: lambda g: g[0] * np.cos(x) + g[1][0] * 2 * x)
    defjvp(both, lambda g, ans, x: [g * np.cos(x), (2 * g * x, None)])
    np.testing.assert_allclose(grad(lambda x: both(x)[0] * both(x)[1][0])(0.5), np.cos(0.5) * 0.25 + np.sin(0.5))
    np.testing.assert_allclose(grad(grad(lambda x: both(x)[1][0] ** 2))(0.5), 12 * 0.25)
    np.testing.assert_allclose(make_jvp(lambda x: both(x)[0])(0.5)(2.0)[1], 2 * np.cos(0.5))
    assert both(0.5)[1][1] == "a name"


def test_a_container_without_a_rule_runs_the_function() -> None:
    @primitive
    def summed(values: Any) -> Any:
        return values[0] + values[1]

    assert grad(lambda x: summed([x, x**2]))(3.0) == 7.0


def test_a_traced_keyword_is_refused() -> None:
    @primitive
    def f(x: Any, y: Any = 1.0) -> Any:
        return x * y

    defvjp(f, lambda ans, x, y=1.0: lambda g: g * y)
    with pytest.raises(TypeError, match="primitive 'f' takes 'y' by keyword, and it is traced; pass it by position"):
        grad(lambda x: f(x, y=x))(1.0)


# What is not traced.


def test_notrace() -> None:
    @notrace_primitive
    def plain(x: Any) -> Any:
        assert type(x) is np.ndarray
        return float(np.sum(x))

    np.testing.assert_array_equal(grad(lambda x: np.sum(x) * plain(x))(X), np.full(3, np.sum(X)))

    @primitive
    def counted(x: Any) -> Any:
        return np.round(x)

    register_notrace(VJPNode, counted)
    register_notrace(JVPNode, counted)
    assert grad(lambda x: x * counted(x))(2.2) == 2.0
    assert make_jvp(lambda x: x * counted(x))(2.2)(1.0)[1] == 2.0


def test_boxes() -> None:
    def f(x: Any) -> Any:
        assert all(isinstance(x, kind) for kind in (Box, ArrayBox))
        array_box: Any = ArrayBox
        assert type(x) == array_box  # noqa: E721 - as programs ask
        assert isbox(x)
        assert not isinstance(x, SequenceBox | DictBox)
        assert builtins.isinstance(x, np.ndarray)
        assert builtins.type(x) is np.ndarray
        assert getval(x) is not x
        assert x._value.shape == (3,)
        assert isbox(new_box(x._value, x._trace, x._node))
        assert trace_stack.top == 0
        return np.sum(x)

    grad(f)(X)
    assert not isinstance(X, Box)
    assert trace_stack.top == -1
    assert ArrayBox != Box


def test_types_of_boxes() -> None:
    class Mine:
        pass

    class Array(np.ndarray):
        pass

    ArrayBox.register(Array)
    with pytest.raises(TypeError, match=r"make the type known as a container of arrays with xformad\.tree\.register"):
        ArrayBox.register(Mine)


def test_builtins() -> None:
    def f(x: Any) -> Any:
        pair = builtins.tuple((x, x**2))
        assert builtins.isinstance(pair, builtins.tuple)
        assert builtins.type(pair) is tuple
        named = builtins.dict({"a": x}, b=2.0)
        return builtins.list(pair)[1] * named["a"]

    assert grad(f)(3.0) == 27.0
    assert builtins.type("Name", (), {}).__name__ == "Name"


# Vector spaces.

Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [
        2.0,
        np.float32(1.0),
        1 + 2j,
        np.ones((2, 3)),
        np.ones(2, np.complex64),
        [1.0, (X, 2.0)],
        {"b": X, "a": 1j},
        Point(1.0, X),
    ],
)
def test_vector_spaces(value: Any) -> None:
    space = vspace(value)
    basis = list(space.standard_basis())
    assert len(basis) == space.size
    assert space == vspace(space.ones()) == vspace(space.randn())
    assert space != vspace([1.0])
    x, y = space.randn(), space.randn()
    np.testing.assert_allclose(
        space.inner_prod(x, space.add(y, space.scalar_mul(x, 2.0))),
        space.inner_prod(x, y) + 2 * space.inner_prod(x, x),
        rtol=1e-5,
    )
    np.testing.assert_allclose([space.inner_prod(b, c) for b in basis for c in basis], np.eye(len(basis)).ravel())
    check_equivalent(space.mut_add(None, x), x)
    check_equivalent(space.covector(space.covector(x)), x)
    assert "Space" in repr(space)


def test_a_value_without_a_vector_space() -> None:
    with pytest.raises(TypeError, match="Can't find vector space for value text of type <class 'str'>"):
        vspace("text")


def test_a_vector_space_of_ones_own() -> None:
    class Mine:
        pass

    class MineSpace(VSpace):
        def __init__(self, value: Any) -> None:
            self.size = 0

    MineSpace.register(Mine)
    assert vspace(Mine()) == MineSpace(None)
    for method in (MineSpace(None).zeros, MineSpace(None).ones, MineSpace(None).randn, MineSpace(None).standard_basis):
        with pytest.raises(NotImplementedError, match="MineSpace"):
            method()
    with pytest.raises(NotImplementedError, match="MineSpace"):
        MineSpace(None).inner_prod(1.0, 1.0)
    assert MineSpace(None).add(1, 2) == 3


def test_helpers_of_rules() -> None:
    assert match_complex(1.0, 2 + 3j) == 2.0
    assert match_complex(1j, 2.0) == 2 + 0j
    assert match_complex(1.0, 2.0) == 2.0
    np.testing.assert_array_equal(replace_zero(np.array([0.0, 2.0]), 1.0), [1.0, 2.0])
    np.testing.assert_array_equal(balanced_eq(np.array([1.0, 2.0]), 1.0, np.array([1.0, 0.0])), [0.5, 0.0])
    np.testing.assert_array_equal(unbroadcast_f(1.0, lambda g: g * (1 + 1j))(np.ones(2)), 2.0)
    np.testing.assert_array_equal(broadcast(1.0, np.zeros(2, complex)), [1 + 0j, 1 + 0j])
    space = vspace(np.zeros(2))
    assert core.add_outgrads(None, 1.0) == (1.0, False)
    np.testing.assert_array_equal(core.sum_outgrads([X, X, X]), 3 * X)
    dense = core.add_outgrads((np.ones(2), False), SparseObject(space, lambda x: x + 1.0))[0]
    np.testing.assert_array_equal(dense, [2.0, 2.0])


# Graphs.


class Step(Node):
    """A node that counts."""

    def __init__(self, value: Any, fun: Any, args: Any, kwargs: Any, parent_argnums: Any, parents: Any) -> None:
        self.names: list[str] = [name for parent in parents for name in parent.names] + [fun.__name__]

    def initialize_root(self, *args: Any, **kwargs: Any) -> None:
        self.names = []


def test_nodes_of_containers_and_of_primitives() -> None:
    f = cube()

    def program(params: Any) -> Any:
        values, vectors = np.linalg.eigh(f(params["a"]))
        return {"out": (np.sum(vectors) * values[0], params["b"][0]), "constant": 1.0}

    value, node = trace(Step.new_root(), program, {"a": np.diag([1.0, 2.0]), "b": [2.0]})
    assert value["constant"] == 1.0
    assert {"cubed", "eigh", "container_take", "make_sequence", "make_dict", "sum", "multiply"} <= set(node.names)


def test_a_graph_of_a_constant() -> None:
    with pytest.warns(UserWarning, match="Output seems independent of input"):
        assert trace(Step.new_root(), lambda x: [2.0, None], 1.0) == ([2.0, None], None)
    graph = full_graph(lambda x: (x > 0) * x, 3.0)
    assert graph.recipe[0].__name__ == "multiply"


def test_nodes_are_abstract() -> None:
    with pytest.raises(NotImplementedError):
        Node(1.0, np.sin, (), {}, (), ())
    with pytest.raises(NotImplementedError):
        Node.new_root()


def test_threads() -> None:
    f = cube()
    results: list[float] = []

    def work() -> None:
        results.extend(float(grad(f)(float(x))) for x in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted([3.0 * x**2 for x in range(50)] * 4)


def test_a_vjp_takes_any_number_of_cotangents() -> None:
    vjp, value = make_vjp(lambda x: {"a": x**2, "b": np.sum(x)})(X)
    np.testing.assert_allclose(value["b"], np.sum(X))
    for scale in (1.0, 2.0):
        np.testing.assert_allclose(vjp({"a": scale * np.ones(3), "b": 1.0}), scale * 2 * X + 1)
    np.testing.assert_allclose(make_vjp(lambda x: x**2)(X)[0](1.0), 2 * X)
