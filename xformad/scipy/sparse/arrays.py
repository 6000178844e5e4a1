"""`SparseArray`: a sparse matrix whose stored values may be traced, and the constructors that SciPy has."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import scipy.sparse

from xformad import tree
from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.operations.linalg_solve import conjugated
from xformad.scipy.faces import traced
from xformad.scipy.linalg.stacks import for_columns
from xformad.scipy.sparse import products
from xformad.scipy.sparse.products import Pattern


@final
class SparseArray:
    """A sparse matrix with stored values that may be traced: products with arrays, transposition, scaling.

    It is a pytree with one leaf, `data`. Where the values are is constant.

    Attributes:
        data: the stored values, in the order of the format.
        pattern: where they are.
    """

    __slots__ = ("data", "pattern")
    __array_ufunc__ = None  # so that arrays leave products to it

    def __init__(self, data: Value, pattern: Pattern) -> None:
        self.data = data
        self.pattern = pattern

    @property
    def shape(self) -> Shape:
        """The shape of the matrix."""
        return self.pattern.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the stored values."""
        return dtype_of(self.data)

    @property
    def format(self) -> str:
        """The format: "csr", "csc" or "coo"."""
        return self.pattern.format

    @property
    def nnz(self) -> int:
        """The number of stored values."""
        return len(self.pattern.rows)

    @property
    def T(self) -> SparseArray:
        """The transposed matrix."""
        return SparseArray(self.data, self.pattern.transposed)

    def transpose(self) -> SparseArray:
        """The transposed matrix."""
        return self.T

    def conj(self) -> SparseArray:
        """The conjugated matrix."""
        return SparseArray(conjugated(self.data), self.pattern)

    def toarray(self) -> Value:
        """The dense matrix."""
        return self @ np.eye(self.shape[1], dtype=self.dtype)

    def dot(self, other: Any) -> Value:
        """The product with an array."""
        return self @ other

    def __matmul__(self, other: Any) -> Value:
        if isinstance(other, SparseArray) or scipy.sparse.issparse(other):
            raise UnsupportedError(
                "the product of two sparse matrices with traced values is not supported; apply one after the other: "
                "A @ (B @ x)"
            )
        x = as_array(other)
        rows = shape_of(x)[0 if ndim_of(x) == 1 else -2] if ndim_of(x) else -1
        if rows != self.shape[1]:
            raise ValueError(f"matmul: dimension mismatch: {self.shape} and {shape_of(x)}")
        return for_columns(lambda x: products.product(self.data[None, :], x, pattern=self.pattern), x)

    def __rmatmul__(self, other: Any) -> Value:
        x = as_array(other)
        found = self.T @ (x if ndim_of(x) < 2 else np.swapaxes(x, -1, -2))
        return found if ndim_of(x) < 2 else np.swapaxes(found, -1, -2)

    def __mul__(self, other: Any) -> SparseArray:
        if scipy.sparse.issparse(other) or isinstance(other, SparseArray) or np.ndim(other):
            raise UnsupportedError("a sparse matrix with traced values can be multiplied by numbers only; use A @ x")
        return SparseArray(self.data * other, self.pattern)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SparseArray:
        if np.ndim(other):
            raise UnsupportedError("a sparse matrix with traced values can be divided by numbers only")
        return SparseArray(self.data / other, self.pattern)

    def __neg__(self) -> SparseArray:
        return SparseArray(-self.data, self.pattern)

    def __repr__(self) -> str:
        return f"SparseArray({self.data!r}, {self.pattern!r})"


tree.register(
    SparseArray, lambda a: ((a.data,), a.pattern), lambda pattern, children: SparseArray(children[0], pattern)
)


def wrapped(matrix: Any) -> SparseArray:
    """A matrix of SciPy's, of any format, as a `SparseArray`."""
    if matrix.format not in ("csr", "csc", "coo"):
        matrix = matrix.tocsr()
    if matrix.format == "coo":
        return SparseArray(matrix.data, Pattern("coo", (matrix.row.copy(), matrix.col.copy()), matrix.shape))
    return SparseArray(matrix.data, Pattern(matrix.format, (matrix.indices.copy(), matrix.indptr.copy()), matrix.shape))


def by_lines(data: Value, places: tuple[Any, Any], format: str, shape: Shape) -> SparseArray:
    """A matrix by rows or columns, of values at any places; those at the same place stay apart."""
    major, minor = places if format == "csr" else places[::-1]
    order = np.lexsort((minor, major))
    starts = np.searchsorted(major[order], np.arange(shape[0 if format == "csr" else 1] + 1))
    return SparseArray(data[order], Pattern(format, (minor[order], starts), tuple(shape)))


def constructed(format: str, arg: Any, shape: Any, dtype: Any, copy: bool) -> SparseArray:
    """What SciPy's constructor makes, with traced values in the place of zeros; or of a `SparseArray` itself."""
    if isinstance(arg, SparseArray):
        if arg.format == format:
            return arg
        at = (arg.pattern.rows, arg.pattern.columns)
        if format == "coo":
            return SparseArray(arg.data, Pattern("coo", at, arg.shape))
        return by_lines(arg.data, at, format, arg.shape)
    if scipy.sparse.issparse(arg):
        return wrapped(arg.asformat(format) if dtype is None else arg.asformat(format).astype(dtype))
    if type(arg) is Tracer:
        raise UnsupportedError(
            f"scipy.sparse.{format}_array of a traced dense array is not supported: which entries are zero would depend on "
            "it; pass the stored values and where they are"
        )
    if not (isinstance(arg, tuple) and traced(arg)):
        return wrapped(products.CLASSES[format](arg, shape=shape, dtype=dtype, copy=copy))
    data: Any = arg[0]
    places = arg[1:]
    if dtype is not None:
        data = data.astype(dtype)
    count = len(data)
    if len(places) == 1 and format != "coo":
        rows, columns = (np.asarray(x) for x in places[0])
        return by_lines(data, (rows, columns), format, shape or (int(rows.max()) + 1, int(columns.max()) + 1))
    numbers = products.CLASSES[format]((np.zeros(count), *places), shape=shape)
    return SparseArray(data, wrapped(numbers).pattern)


def csr_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseArray:
    """A sparse matrix by rows, with values that may be traced, as `scipy.sparse.csr_array` makes it.

    Args:
        arg1: (data, indices, indptr), (data, (rows, columns)), a sparse matrix, or a plain dense one. `data` may be
            traced; the rest is constant.
        shape: of the matrix, if it does not follow.
        dtype: of the values.
        copy: as SciPy has it, for plain arrays.

    Returns:
        A `SparseArray`: `A @ x`, `x @ A`, `A.T`, `A.toarray()`, `2 * A`. It may be an argument or a result of what is
        transformed, too.

    >>> from xformad import grad
    >>> indices, indptr = np.array([0, 1, 1]), np.array([0, 2, 3])
    >>> grad(lambda data: np.sum(csr_array((data, indices, indptr)) @ np.array([1.0, 10.0])))(np.ones(3))
    array([ 1., 10., 10.])
    """
    return constructed("csr", arg1, shape, dtype, copy)


def csc_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseArray:
    """A sparse matrix by columns, otherwise as `csr_array`.

    >>> from xformad import grad
    >>> places = np.array([0, 1, 1]), np.array([0, 0, 1])
    >>> grad(lambda data: np.sum(csc_array((data, places)) @ np.array([1.0, 10.0])))(np.ones(3))
    array([ 1.,  1., 10.])
    """
    return constructed("csc", arg1, shape, dtype, copy)


def coo_array(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> SparseArray:
    """A sparse matrix by coordinates, otherwise as `csr_array`. Values at the same place are added up.

    >>> from xformad import grad
    >>> places = np.array([0, 1, 1]), np.array([0, 0, 0])
    >>> grad(lambda data: np.sum((coo_array((data, places)) @ np.array([2.0])) ** 2))(np.ones(3))
    array([ 8., 16., 16.])
    """
    return constructed("coo", arg1, shape, dtype, copy)
