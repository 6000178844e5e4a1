"""Matrices of derivatives: `jacobian`, by columns or by rows whichever are fewer, `jacfwd` by columns, `jacrev` by rows.

Forward mode gives a column of the Jacobian, the tangents of all results for one entry of the argument that moves.
Reverse mode gives a row, the cotangents of all arguments for one entry of the result. All columns or rows are computed
at once: `vmap` runs the one computation on the whole basis.

>>> import numpy as np
>>> jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
array([[2., 0.],
       [0., 6.]])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import dtype_of, shape_of, spec_of
from xformad.core.typing import Value
from xformad.errors import ArgumentError, DifferentiationError
from xformad.transformations.basis import Basis, Chosen
from xformad.transformations.forward import linearize, push
from xformad.transformations.pullback import Record, record
from xformad.transformations.reverse import bare, warn_independent
from xformad.transformations.transformed import Argnums, Transformed, checked_argnums

P = ParamSpec("P")
R = TypeVar("R")
Mode = Literal["any", "forward", "reverse"]


@final
class Options(NamedTuple):
    """The options of the transformations of this file."""

    argnums: Argnums = 0
    has_aux: bool = False
    holomorphic: bool = False
    chunk_size: int | None = None
    mode: Mode = "any"
    value: bool = False


def checked_mode(inputs: Basis, outputs: Basis, results: list[Value], options: Options) -> Mode:
    """The modes that are left: a row needs real results, a column real arguments, if the function is not holomorphic.

    Raises:
        DifferentiationError: if none is left, or not the one that is asked for; or for results without derivative.
    """
    for leaf, spec in zip(results, outputs.specs, strict=True):
        if spec is None:
            kind = f"dtype {spec_of(leaf)[1]}" if hasattr(leaf, "dtype") else f"a {type(leaf).__name__}"
            raise DifferentiationError(f"jacobian needs floating-point results, but got {kind}")
    ins, outs = (any(spec is not None and spec[1].kind == "c" for spec in b.specs) for b in (inputs, outputs))
    if options.holomorphic or not (ins or outs):
        return options.mode
    if ins and outs:
        raise DifferentiationError(
            "the Jacobian of a function of complex arguments with complex results is defined for holomorphic functions: "
            "say holomorphic=True, or take that of the real and imaginary parts"
        )
    if outs and options.mode == "reverse":
        raise DifferentiationError("jacrev needs real results, but got complex ones; use jacfwd or jacobian")
    if ins and options.mode == "forward":
        raise DifferentiationError("jacfwd needs real arguments, but got complex ones; use jacrev or jacobian")
    return "forward" if outs else "reverse"


def run_columns(chosen: Chosen, options: Options) -> tuple[Any, Any, Any]:
    """The Jacobian by forward mode, the result and aux."""
    basis = chosen.basis
    out: Any = None
    aux: Any = None

    def column(vector: list[Value]) -> Any:
        """The tangents of all results for a unit vector of the arguments."""
        nonlocal out, aux
        run = push(chosen.fun, chosen.args, chosen.kwargs, chosen.keys, chosen.trees(vector), options.has_aux)
        out, aux = run.out, run.aux
        return run.tangents

    if not basis.size:
        columns = column([None] * len(basis.specs))
    elif options.chunk_size is None or options.chunk_size >= basis.size:
        columns = basis.mapped(column, None)
    else:  # the function itself is run once for all chunks
        out, linear, *rest = linearize(chosen, *chosen.values, has_aux=options.has_aux)
        aux = rest[0] if rest else None
        columns = basis.mapped(lambda vector: tree.leaves_of(linear(*chosen.trees(vector))), options.chunk_size)
    results, structure = tree.flatten(out)
    outputs = Basis(results)
    checked_mode(basis, outputs, results, options)
    return of_columns(columns, chosen, outputs, structure, options), out, aux


def of_columns(
    columns: list[Value], chosen: Chosen, outputs: Basis, structure: tree.Structure, options: Options
) -> Any:
    """The Jacobian of the tangents of each result for all unit vectors of the arguments."""
    parts = []
    for column, spec in zip(columns, outputs.specs, strict=True):
        assert spec is not None
        blocks = chosen.basis.blocks(column, *spec)
        for i, leaf in enumerate(chosen.leaves):
            if isinstance(leaf, bool | np.bool_):
                blocks[i] = 0.0
        parts.append(bare(chosen.trees(blocks), options.argnums))
    return tree.unflatten(structure, parts)


def of_rows(run: Record, outputs: Basis, options: Options) -> Any:
    """The Jacobian by reverse mode, of a recorded run."""
    if outputs.size:
        rows = outputs.mapped(run.pull, options.chunk_size)
    else:
        empty = run.pull([None] * len(run.leaves))
        rows = tree.map(lambda g: np.zeros((0, *shape_of(g)), dtype_of(g)), empty)
    parts = []
    for spec, start, size in zip(outputs.specs, outputs.starts, outputs.sizes, strict=True):
        assert spec is not None
        shape, own = spec[0], slice(start, start + size)
        block = tree.map(lambda g, shape=shape, own=own: np.reshape(g[own], shape + shape_of(g)[1:])[()], rows)
        parts.append(bare(block, options.argnums))
    return tree.unflatten(run.structure, parts)


def transposed(run: Record) -> Callable[[list[Value]], list[Value]]:
    """Forward mode of a recorded run: its pullback is a linear program, which is recorded and transposed."""
    zeros = tuple(np.zeros(*spec_of(leaf)) if type(leaf) is not int else 0.0 for leaf in run.leaves)
    with np.errstate(all="ignore"):  # of the values of this run nothing is used
        pulled = record(lambda *cotangents: run.pull(list(cotangents)), zeros, {}, list(range(len(zeros))))
    return lambda vector: pulled.pull([v for v in vector if v is not None])


def run_matrix(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The Jacobian; with `value` and `has_aux`, beside the result and aux."""
    chosen = Chosen(fun, options.argnums, args, kwargs)
    if options.mode == "forward":
        matrix, out, aux = run_columns(chosen, options)
    else:
        run = record(fun, args, kwargs, list(chosen.keys), options.has_aux)
        out, aux = run.out, run.aux
        outputs = Basis(run.leaves)
        mode = checked_mode(chosen.basis, outputs, run.leaves, options)
        if not any(run.nodes):
            warn_independent(fun)
        if mode == "forward" or (mode == "any" and 0 < chosen.basis.size < outputs.size):
            columns = chosen.basis.mapped(transposed(run), options.chunk_size)
            matrix = of_columns(columns, chosen, outputs, run.structure, options)
        else:
            matrix = of_rows(run, outputs, options)
    if options.value:
        return ((out, aux), matrix) if options.has_aux else (out, matrix)
    return (matrix, aux) if options.has_aux else matrix


def transformed(
    name: str,
    fun: Callable[P, Any],
    argnums: Argnums,
    has_aux: bool,
    holomorphic: bool,
    chunk_size: int | None,
    mode: Mode,
    value: bool = False,
) -> Transformed[P, Any]:
    options = Options(checked_argnums(argnums), has_aux, holomorphic, checked_chunk_size(chunk_size), mode, value)
    return Transformed(run_matrix, fun, options, name)


def checked_chunk_size(chunk_size: int | None) -> int | None:
    """Raises ArgumentError for what is no chunk size."""
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError(f"chunk_size must be a positive int or None, not {chunk_size!r}")
    return chunk_size


def jacobian(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The Jacobian of a function of pytrees with a pytree as result: all partial derivatives.

    The function is run once. By columns (forward mode) if the arguments have fewer entries than the results, else by
    rows (reverse mode).

    Args:
        fun: the function.
        argnums, has_aux: as for `grad`.
        holomorphic: whether `fun` is a holomorphic function of complex arguments.
        chunk_size: how many columns or rows to compute at once; all if None. It bounds the memory: a chunk needs about
            that many times what one derivative needs.

    Returns:
        A function of the same arguments. For arrays, its result has the shape `result.shape + argument.shape`. For
        containers it is a tree like the result of trees like the argument. A pair `(jacobian, aux)` with `has_aux`.

    Raises:
        DifferentiationError: when called, for results or arguments without derivative; for complex arguments and results
            without `holomorphic`.

    >>> jacobian(lambda x, y: {"sum": x + y, "product": x * y}, argnums=(0, 1))(3.0, 5.0)
    {'sum': (np.float64(1.0), np.float64(1.0)), 'product': (np.float64(5.0), np.float64(3.0))}
    """
    return transformed("jacobian", fun, argnums, has_aux, holomorphic, chunk_size, "any")


def jacfwd(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The Jacobian by forward mode, all columns at once: for functions of few numbers.

    Args:
        fun, argnums, has_aux, holomorphic, chunk_size: as for `jacobian`.

    Returns:
        As `jacobian`.

    >>> jacfwd(lambda t: np.stack([np.cos(t), np.sin(t)]))(0.0)
    array([-0.,  1.])
    """
    return transformed("jacfwd", fun, argnums, has_aux, holomorphic, chunk_size, "forward")


def jacrev(
    fun: Callable[P, Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The Jacobian by reverse mode, all rows at once: for functions with few results.

    Args:
        fun, argnums, has_aux, holomorphic, chunk_size: as for `jacobian`.

    Returns:
        As `jacobian`.

    >>> jacrev(lambda x: np.stack([np.sum(x), np.prod(x)]))(np.array([2.0, 3.0]))
    array([[1., 1.],
           [3., 2.]])
    """
    return transformed("jacrev", fun, argnums, has_aux, holomorphic, chunk_size, "reverse")


def value_and_jacobian(
    fun: Callable[P, R],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The value and the Jacobian, from one run.

    Args:
        fun, argnums, has_aux, holomorphic, chunk_size: as for `jacobian`.

    Returns:
        A function of the same arguments, with the result `(value, jacobian)`, or `((value, aux), jacobian)`.
    """
    return transformed("value_and_jacobian", fun, argnums, has_aux, holomorphic, chunk_size, "any", value=True)


def value_and_jacfwd(
    fun: Callable[P, R],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The value and the Jacobian by forward mode, from one run.

    Args:
        fun, argnums, has_aux, holomorphic, chunk_size: as for `jacobian`.

    Returns:
        As `value_and_jacobian`.
    """
    return transformed("value_and_jacfwd", fun, argnums, has_aux, holomorphic, chunk_size, "forward", value=True)


def value_and_jacrev(
    fun: Callable[P, R],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Transformed[P, Any]:
    """The value and the Jacobian by reverse mode, from one run.

    Args:
        fun, argnums, has_aux, holomorphic, chunk_size: as for `jacobian`.

    Returns:
        As `value_and_jacobian`.
    """
    return transformed("value_and_jacrev", fun, argnums, has_aux, holomorphic, chunk_size, "reverse", value=True)
