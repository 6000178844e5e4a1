"""Products with sparse matrices and systems of them, linear in the stored values: the primitives.

A sparse matrix is a `Pattern`, which is constant, and an array of stored values, a matrix of one row. Entries that are
not stored are zero, and have no derivative.
"""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from xformad.core.primitive import Primitive
from xformad.core.typing import Shape, Value
from xformad.interpreters import series
from xformad.interpreters.batch_rules import defbatch
from xformad.interpreters.dependence import Dependence, united
from xformad.interpreters.index_sets import Dependences, defindexset, per_matrix, present
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.operations.makers import smooth
from xformad.scipy.linalg.stacks import side_by_side, stacked

sparse: Any = scipy.sparse
CLASSES: Final[dict[str, Any]] = {"csr": sparse.csr_array, "csc": sparse.csc_array, "coo": sparse.coo_array}
SWAPPED: Final[dict[str, str]] = {"csr": "csc", "csc": "csr", "coo": "coo"}


@final
class Pattern:
    """Where the stored values of a sparse matrix are. Compared by identity.

    Attributes:
        format: "csr", "csc" or "coo".
        indices: the arrays (indices, indptr), or (rows, columns) for "coo".
        shape: of the matrix.
    """

    __slots__ = ("columns", "format", "indices", "rows", "shape", "turned")

    def __init__(self, format: str, indices: tuple[Any, Any], shape: Shape, turned: Pattern | None = None) -> None:
        self.format = format
        self.indices = indices
        self.shape = shape
        if format == "coo":
            self.rows, self.columns = indices
        else:
            lines = np.repeat(np.arange(len(indices[1]) - 1), np.diff(indices[1]))
            self.rows, self.columns = (lines, indices[0]) if format == "csr" else (indices[0], lines)
        self.turned = turned

    @property
    def transposed(self) -> Pattern:
        """That of the transposed matrix, with the values in the same order."""
        if self.turned is None:
            indices = self.indices[::-1] if self.format == "coo" else self.indices
            self.turned = Pattern(SWAPPED[self.format], indices, self.shape[::-1], self)
        return self.turned

    def matrix(self, data: Any) -> Any:
        """SciPy's matrix with these values."""
        if self.format == "coo":
            return sparse.coo_array((data, self.indices), shape=self.shape)
        return CLASSES[self.format]((data, *self.indices), shape=self.shape)

    def __repr__(self) -> str:
        return f"<{self.format} {self.shape[0]} x {self.shape[1]}>"


def product_value(data: Value, x: Value, pattern: Pattern) -> Value:
    return stacked(lambda data, x: np.asarray(pattern.matrix(data[0]) @ x), data, x)


def outer_entries(g: Value, x: Value, pattern: Pattern) -> Value:
    """The entries of G X^T that are stored."""
    return np.sum(g[..., pattern.rows, :] * x[..., pattern.columns, :], axis=-1)[..., None, :]


# A matrix times columns.
product: Primitive = smooth(
    "sparse_matmul",
    product_value,
    lambda g, _ans, _data, x, pattern: outer_entries(g, x, pattern),
    lambda g, _ans, data, _x, pattern: product(data, g, pattern=pattern.transposed),
    linear=True,
)
defbatch(product, side_by_side(product))


def product_index_set(dependences: Dependences, ans: Value, data: Value, x: Value, pattern: Pattern) -> Dependence:
    """Each entry depends on the values stored in its row, and on the entries of x that these are multiplied by."""
    if ans.ndim > 2:
        found: Dependence = per_matrix(dependences, ans, data, x)
        return found
    width = ans.shape[1]
    column = np.arange(width)
    into = (pattern.rows[:, None] * width + column).ravel()
    sources = (
        np.repeat(np.arange(len(pattern.rows)), width),
        (pattern.columns[:, None] * width + column).ravel(),
    )
    return united([each.pick(sources[i]).merge(into, ans.size) for i, each in present(dependences)])


defindexset(product, product_index_set)


def solve_value(data: Value, b: Value, pattern: Pattern) -> Value:
    def solution(data: Value, b: Value) -> Value:
        dtype = np.result_type(data, b, np.float32)
        if b.size == 0:
            return np.zeros(b.shape, dtype)
        # a copy, since SciPy adds up entries at the same place in place
        found = scipy.sparse.linalg.spsolve(pattern.matrix(data[0].astype(dtype)).tocsc(copy=True), b.astype(dtype))
        return np.asarray(found).reshape(b.shape)

    return stacked(solution, data, b)


def solve_vjp_data(g: Value, ans: Value, data: Value, _b: Value, pattern: Pattern) -> Value:
    """The stored entries of -A^-T G X^T."""
    return -outer_entries(solve(data, g, pattern=pattern.transposed), ans, pattern)


# The solution of a system, for columns.
solve: Primitive = smooth(
    "sparse_solve",
    solve_value,
    solve_vjp_data,
    lambda g, _ans, data, _b, pattern: solve(data, g, pattern=pattern.transposed),
)


def solve_jvp(tangents: Tangents, ans: Value, data: Value, b: Value, pattern: Pattern) -> Value:
    """A dX = dB - dA X."""
    of_data, rest = tangents
    if of_data is not None:
        rest = series.minus(rest, product(of_data, ans, pattern=pattern))
    return solve(data, rest, pattern=pattern)


defjvp_joint(solve, solve_jvp, strict=False)
defbatch(solve, side_by_side(solve))
defindexset(solve, per_matrix)


def solve_series(_taylor: Kinks, ans: Value, data: Series, b: Series, pattern: Pattern) -> Series:
    """By A X = B."""
    x = [ans]
    for n in range(1, len(b)):
        known = series.combined(lambda a, c: product(a, c, pattern=pattern), data, x, n, 1, n)
        rest = series.minus(b[n], known)
        x.append(None if rest is None else solve(data[0], rest, pattern=pattern))
    return x


deftaylor(solve, solve_series)
