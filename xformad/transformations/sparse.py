"""Sparse derivatives: `sparse_jacobian`, `sparse_hessian`. They are prepared once and evaluated many times.

>>> import numpy as np
>>> hessian = sparse_hessian(lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2), np.zeros(4))
>>> hessian
<sparse_hessian of <lambda>: 4 x 4, 10 entries, 3 colors (symmetric)>
>>> hessian(np.array([1.0, 2.0, 3.0, 4.0])).toarray()
array([[  4.,  -4.,   0.,   0.],
       [ -4.,  38.,  -8.,   0.],
       [  0.,  -8.,  94., -12.],
       [  0.,   0., -12.,   2.]])

To prepare is to find where the matrix may have entries (`xformad.interpreters.index_sets`), and to colour its columns so
that those of one colour can be told apart in their sum (`xformad.transformations.coloring`). To evaluate is to take one
product with a vector for each colour, and to read the entries off these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, TypeAlias, final

import numpy as np

from xformad import optional, tree
from xformad.core.interpreter import shape_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.typing import Value
from xformad.errors import PatternError, TreeError, UnsupportedError
from xformad.interpreters.dependence import Dependence, united
from xformad.transformations.compression import Compression, compressed, compressed_symmetric
from xformad.transformations.forward import push
from xformad.transformations.prepared import Prepared, joined, pieces
from xformad.transformations.pullback import record
from xformad.transformations.reverse import grad
from xformad.transformations.transformed import Argnums, checked_argnums
from xformad.transformations.vmap import vmap

SparseMatrix: TypeAlias = Any
"""A `scipy.sparse.csr_array`, which has no type here because SciPy is optional."""

FEW: Final = 3
"""Up to as many products in reverse mode are faster one by one."""

CHUNK: Final = 2**20
"""How many numbers the products that are computed at a time may have."""


@final
class SparseDerivative:
    """A sparse Jacobian or Hessian, prepared at one point: call it with arguments like those of that point.

    Its rows and columns are the entries of the result and of the argument, in NumPy's order; of containers leaf by leaf,
    as `xformad.tree.flatten` has them.

    Attributes:
        shape: of the matrix.
        compression: what is coloured: `"columns"`, `"rows"`, or the columns of a `"symmetric"` matrix.
        colors: the colour of each column or row.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        prepared: Prepared,
        pattern: Dependence,
        plan: Compression,
        *,
        has_aux: bool,
        verify: bool,
        chunk_size: int | None,
    ) -> None:
        self.fun = fun
        self.prepared = prepared
        self.plan = plan
        self.has_aux = has_aux
        self.verify = verify
        self.chunk_size = chunk_size
        self.shape = (pattern.size, pattern.width)
        self.compression = plan.kind
        self.colors = plan.colors
        integer = np.int32 if max(*self.shape, len(pattern.indices)) < 2**31 else np.int64
        self.indices = pattern.indices.astype(integer)
        self.indptr = pattern.indptr.astype(integer)

    @property
    def pattern(self) -> SparseMatrix:
        """Where the matrix may have entries that are not zero: a boolean `csr_array`."""
        return self.matrix(np.ones(self.nnz, bool))

    @property
    def nnz(self) -> int:
        """The number of entries of the pattern."""
        return len(self.indices)

    @property
    def color_count(self) -> int:
        """The number of colours, which is the number of products with vectors that an evaluation takes."""
        return self.plan.count

    def matrix(self, data: Value) -> SparseMatrix:
        """The matrix with these entries, in memory of its own."""
        sparse = optional.scipy("sparse", self.prepared.name)
        return sparse.csr_array((data, self.indices.copy(), self.indptr.copy()), shape=self.shape)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The matrix at a point.

        Args:
            args, kwargs: arguments of the trees and shapes of those that the derivative was prepared with.

        Returns:
            A `scipy.sparse.csr_array` with the entries of the pattern, some of which may be zero; with `has_aux` a pair
            `(matrix, aux)`.

        Raises:
            TreeError: if an argument or the result is of another tree or shape.
            ArgumentError: if a whole number, or an array of such, that is not differentiated is another one.
            PatternError: if `verify` was set, and the pattern leaves out entries.
        """
        self.prepared.check(args, kwargs)
        products = (Forward if self.compression == "columns" else Reverse)(self, args, kwargs)
        matrix = self.matrix(np.take(self.computed(products), self.plan.positions))
        if self.verify:
            self.compare(matrix, args, kwargs)
        return (matrix, products.aux) if self.has_aux else matrix

    def computed(self, products: Products) -> Value:
        """The products with all seeds, a product a row: some at a time, so that memory is bounded."""
        count = self.color_count
        chunk = self.chunk_size
        if chunk is None:
            one_by_one = isinstance(products, Reverse) and count <= FEW
            chunk = 1 if one_by_one else max(1, CHUNK // max(*self.shape, 1))
        found: list[Value] = [np.zeros((0, products.length), self.prepared.dtype)]
        for start in range(0, count, chunk):
            seeds = self.plan.seeds(start, min(start + chunk, count)).astype(self.prepared.dtype)
            found.append(products.of(seeds[0])[None] if len(seeds) == 1 else vmap(products.of)(seeds))
            if type(found[-1]) is Tracer:
                raise UnsupportedError(
                    f"{self.title} at {user_line()} is itself being transformed by {found[-1].interpreter.name}, but "
                    "SciPy's matrices hold no traced values; use xformad.jacobian, hessian, or products: jvp, vjp, hvp"
                )
        return found[1] if len(found) == 2 else np.concatenate(found)

    def compare(self, matrix: SparseMatrix, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Compare a matrix with the derivative along a random direction.

        Raises:
            PatternError: if they differ.
        """
        products = (Reverse if self.compression == "symmetric" else Forward)(self, args, kwargs)
        direction = np.random.default_rng(0).normal(size=self.shape[1]).astype(self.prepared.dtype)
        expected = products.of(direction)
        scale = abs(matrix) @ abs(direction) + abs(expected)
        wrong = np.flatnonzero(abs(matrix @ direction - expected) > np.sqrt(np.finfo(expected.dtype).eps) * scale)
        if len(wrong):
            raise PatternError(
                f"{self.title} is wrong in {len(wrong)} rows at {user_line()}, the first of which is row {wrong[0]}: its "
                "pattern does not hold at this point, because the function branches in Python on its values; use "
                "numpy.where in the function, or prepare the derivative at this point"
            )

    @property
    def title(self) -> str:
        return f"{self.prepared.name} of {name_of(self.fun)}"

    def __repr__(self) -> str:
        count = self.color_count
        return (
            f"<{self.title}: {self.shape[0]} x {self.shape[1]}, {self.nnz} entries, "
            f"{count} color{'' if count == 1 else 's'} ({self.compression})>"
        )


class Products(ABC):
    """Products of a matrix of derivatives with vectors, at one point.

    Attributes:
        length: of a product.
        aux: what the function returned beside its result, with `has_aux`.
    """

    length: int
    aux: Any = None

    @abstractmethod
    def of(self, vector: Value) -> Value:
        """The product with a vector."""


@final
class Forward(Products):
    """Products J v: each a run of the function on tangents."""

    def __init__(self, matrix: SparseDerivative, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.matrix = matrix
        self.point = (args, kwargs)
        self.length = matrix.shape[0]
        if matrix.has_aux and not matrix.color_count:
            self.of(np.zeros(matrix.shape[1]))

    def of(self, vector: Value) -> Value:
        matrix = self.matrix
        run = push(matrix.fun, *self.point, matrix.prepared.keys, matrix.prepared.split(vector), matrix.has_aux)
        self.aux = run.aux
        return of_length(joined(run.tangents), self.length, matrix)


@final
class Reverse(Products):
    """Products w J: the function is run once, and w pulled back. For a symmetric matrix they are J w, too."""

    def __init__(self, matrix: SparseDerivative, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.run = record(matrix.fun, args, kwargs, matrix.prepared.keys, matrix.has_aux)
        self.length = matrix.shape[1]
        self.aux = self.run.aux
        of_length(joined(self.run.leaves), matrix.shape[0], matrix)

    def of(self, vector: Value) -> Value:
        gradients = self.run.pull(list(pieces(vector, self.run.leaves)))
        return joined(tree.leaves_of(gradients))


def of_length(vector: Value, length: int, matrix: SparseDerivative) -> Value:
    """A result or a product, whose length must be that with which the derivative was prepared.

    Raises:
        TreeError: if it is another one.
    """
    (found,) = shape_of(vector)
    if found != length:
        raise TreeError(
            f"{matrix.title} was prepared with a result of {length} entries, but the function returned {found}"
        )
    return vector


def name_of(fun: Callable[..., Any]) -> str:
    wrapped = getattr(fun, "__wrapped__", fun)
    return str(getattr(wrapped, "__name__", None) or getattr(wrapped, "name", "function"))


def sparse_jacobian(
    fun: Callable[..., Any],
    *args: Any,
    argnums: Argnums = 0,
    has_aux: bool = False,
    verify: bool = False,
    chunk_size: int | None = None,
    **kwargs: Any,
) -> SparseDerivative:
    """Prepare the Jacobian of a function as a sparse matrix: find its pattern, and colour its columns or its rows.

    Args:
        fun: a function of pytrees, with a pytree of floating-point arrays as result. Its pattern must not depend on how
            Python branches on values, or on how long a `while_loop` runs: `verify` finds out. `numpy.where`, `maximum`,
            `sort`, `xformad.cond` and indices that depend on values are no matter.
        args, kwargs: its arguments at one point. Those differentiated must be real; the pattern is right for all their
            values, and for all floating-point values of the others.
        argnums: the arguments to differentiate with respect to, as for `grad`.
        has_aux: as for `grad`.
        verify: whether each evaluation is compared with a directional derivative, at the cost of one more product.
        chunk_size: how many products are computed at a time, by `vmap`; by default as many as fit into a few megabytes.

    Returns:
        A `SparseDerivative`: a function of arguments like these, with a `scipy.sparse.csr_array` as result. It has a row
        for each entry of the result and a column for each entry of the arguments.

    Raises:
        DifferentiationError: if an argument or the result is not real floating-point.
        UnsupportedError: if the Jacobian is not sparse.
        MissingPackageError: if SciPy is not installed.

    >>> jacobian = sparse_jacobian(lambda x: x[1:] * x[:-1], np.zeros(3))
    >>> jacobian
    <sparse_jacobian of <lambda>: 2 x 3, 4 entries, 2 colors (columns)>
    >>> jacobian(np.array([1.0, 2.0, 3.0])).toarray()
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """
    optional.scipy("sparse", "sparse_jacobian")
    prepared = Prepared("sparse_jacobian", fun, checked_argnums(argnums), args, kwargs)
    pattern, dtype = prepared.dependence(fun, has_aux)
    plan = compressed(pattern, forward=dtype.kind == "c")
    return SparseDerivative(fun, prepared, pattern, plan, has_aux=has_aux, verify=verify, chunk_size=chunk_size)


def sparse_hessian(
    fun: Callable[..., Any],
    *args: Any,
    argnums: Argnums = 0,
    has_aux: bool = False,
    verify: bool = False,
    chunk_size: int | None = None,
    **kwargs: Any,
) -> SparseDerivative:
    """Prepare the Hessian of a scalar function as a sparse matrix: find its pattern, and colour it symmetrically.

    Args:
        fun: a function with a real scalar result, as for `sparse_jacobian`. The Hessian is taken to be symmetric: it is,
            if no custom rule makes it another matrix.
        args, kwargs, argnums, has_aux, verify, chunk_size: as for `sparse_jacobian`.

    Returns:
        A `SparseDerivative`: a function of arguments like these, with a `scipy.sparse.csr_array` as result. It has a row
        and a column for each entry of the arguments.

    Raises:
        DifferentiationError, UnsupportedError, MissingPackageError: as for `sparse_jacobian`.

    >>> hessian = sparse_hessian(lambda x: np.sum(x[0] * x**2), np.zeros(1000))
    >>> hessian
    <sparse_hessian of <lambda>: 1000 x 1000, 2998 entries, 2 colors (symmetric)>
    """
    optional.scipy("sparse", "sparse_hessian")
    argnums = checked_argnums(argnums)
    prepared = Prepared("sparse_hessian", fun, argnums, args, kwargs)
    gradient: Callable[..., Any] = grad(fun, argnums, has_aux=has_aux)  # type: ignore[call-overload]
    pattern, _ = prepared.dependence(gradient, has_aux)
    pattern = united([pattern, pattern.transposed()])
    plan = compressed_symmetric(pattern)
    return SparseDerivative(gradient, prepared, pattern, plan, has_aux=has_aux, verify=verify, chunk_size=chunk_size)
