"""Autograd's `autograd.core`: vjps and jvps of functions of one argument, vector spaces, and the rules.

>>> import numpy as np
>>> vjp, value = make_vjp(lambda x: x**2, np.array([1.0, 2.0]))
>>> vjp(np.ones(2))
array([2., 4.])
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

import xformad.compat.autograd.primitives as rules
from xformad import tree
from xformad.compat.autograd.primitives import (
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    primitive_jvps,
    primitive_vjps,
    summed,
)
from xformad.compat.autograd.tracer import (
    Box,
    JVPNode,
    Node,
    VJPNode,
    getval,
    isbox,
    toposort,
    trace,
    warn_independent,
)
from xformad.compat.autograd.util import func, subval
from xformad.compat.autograd.vspaces import SparseObject, VSpace, vspace
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.transformations.forward import jvp as push
from xformad.transformations.pullback import Record, record

__all__ = [
    "Box",
    "JVPNode",
    "Node",
    "SparseObject",
    "VJPNode",
    "VSpace",
    "add_outgrads",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "func",
    "getval",
    "isbox",
    "make_jvp",
    "make_vjp",
    "primitive",
    "primitive_jvps",
    "primitive_vjps",
    "sparse_object_types",
    "subval",
    "sum_outgrads",
    "toposort",
    "trace",
    "vspace",
]

sparse_object_types: Final = {SparseObject}


def floating(x: Any) -> Any:
    """An argument as it is differentiated: an array of whole numbers, which Autograd takes, as one of floats."""
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "iub":
        return x.astype(float)
    return x


def recorded(fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Sequence[int]) -> Record:
    """Run a function with the arguments at `argnums` traced, and warn if its result does not depend on them."""
    places = [i if i >= 0 else len(args) + i for i in argnums]
    given = list(args)
    for i in places:
        given[i] = floating(given[i])
    run = record(fun, tuple(given), kwargs, list(places))
    if not any(run.nodes):
        warn_independent()
    return run


def pulled(run: Record, g: Any) -> list[Any]:
    """The cotangent of each traced argument, for one of the result."""
    given = tree.flatten_like(run.structure, g, "cotangent")
    return run.pull([conforming(each, leaf) for each, leaf in zip(given, run.leaves, strict=True)])


def conforming(g: Value, leaf: Value) -> Value:
    """A cotangent in the shape and dtype of a result; a number stands for an array of it."""
    if type(g) is not Tracer:
        g = np.asarray(g)
    shape, dtype = shape_of(leaf), dtype_of(leaf)
    if shape_of(g) != shape:
        g = np.broadcast_to(g, shape) if np.size(g) <= np.size(leaf) else np.reshape(g, shape)
    if dtype.kind not in "fc" or dtype_of(g) == dtype:
        return g
    return g.astype(dtype) if dtype.kind == "c" or dtype_of(g).kind != "c" else np.real(g).astype(dtype)


def make_vjp(fun: Callable[[Any], Any], x: Any) -> tuple[Callable[[Any], Any], Any]:
    """Run `fun(x)`; the function from cotangents of the result to those of x, and the result."""
    run = recorded(fun, (x,), {}, (0,))
    return lambda g: pulled(run, g)[0], run.out


def make_jvp(fun: Callable[[Any], Any], x: Any) -> Callable[[Any], tuple[Any, Any]]:
    """The function from a tangent of x to `fun(x)` and its tangent."""
    point = floating(x)
    leaves, structure = tree.flatten(point)

    def jvp(g: Any) -> tuple[Any, Any]:
        given = tree.flatten_like(structure, g, "tangent")
        tangents = [conforming(t, leaf) for t, leaf in zip(given, leaves, strict=True)]
        ans, tangent = push(fun, (point,), (tree.unflatten(structure, tangents),))
        return ans, tangent

    return jvp


def add_outgrads(prev_g_flagged: tuple[Any, bool] | None, g: Any) -> tuple[Any, bool]:
    """The sum of cotangents, with a mark that is always False: none is written into."""
    g = g.dense() if type(g) is SparseObject else g
    return (g, False) if prev_g_flagged is None else (vspace(g).add(prev_g_flagged[0], g), False)


def sum_outgrads(gs: Any) -> Any:
    """The sum of cotangents or tangents."""
    parts = list(gs)
    return summed(parts, parts[0])


# Autograd's older way to give rules, by methods of the primitive.

DEPRECATED: Final = (
    "The {} method is deprecated. See the update guide and tutorial:\n"
    "https://github.com/HIPS/autograd/blob/master/docs/updateguide.md\n"
    "https://github.com/HIPS/autograd/blob/master/docs/tutorial.md"
)


def primitive(fun: Callable[..., Any]) -> Callable[..., Any]:
    """As `autograd.extend.primitive`, with the old methods `defvjp`, `defvjp_is_zero` and `defgrad`."""
    wrapped: Any = rules.primitive(fun)
    makers: dict[int, Any] = {}

    def given(method: str) -> None:
        warnings.warn(DEPRECATED.format(method), stacklevel=3)
        argnums = sorted(makers)
        defvjp(wrapped, *[makers[i] for i in argnums], argnums=argnums)

    def old_defvjp(vjp: Callable[..., Any], argnum: int = 0) -> None:
        def maker(ans: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
            return lambda g: vjp(g, ans, vspace(args[argnum]), vspace(g), *args, **kwargs)

        makers[argnum] = maker
        given("defvjp")

    def defgrad(maker: Callable[..., Any], argnum: int = 0) -> None:
        makers[argnum] = maker
        given("defgrad")

    def defvjp_is_zero(argnums: Sequence[int] = (0,)) -> None:
        makers.update(dict.fromkeys(argnums))
        given("defvjp_is_zero")

    wrapped.defvjp = old_defvjp
    wrapped.defgrad = defgrad
    wrapped.defvjp_is_zero = defvjp_is_zero
    return wrapped  # type: ignore[no-any-return]
