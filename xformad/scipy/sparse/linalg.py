"""`scipy.sparse.linalg` for programs under transformation: `spsolve`."""

from __future__ import annotations

from typing import Any

import scipy.sparse.linalg

from xformad.core.interpreter import ndim_of, shape_of
from xformad.core.typing import Value
from xformad.numpy.implements import as_array
from xformad.scipy.faces import traced
from xformad.scipy.linalg.stacks import for_columns
from xformad.scipy.sparse import products
from xformad.scipy.sparse.arrays import SparseArray, wrapped


def spsolve(A: Any, b: Any, permc_spec: str | None = None, use_umfpack: bool = True) -> Value:
    """Solve a system with a sparse matrix, as `scipy.sparse.linalg.spsolve` does.

    Args:
        A: a `SparseArray`, or a sparse matrix of SciPy's, shape (n, n).
        b: the right-hand side, a dense array of shape (n,) or (n, k).
        permc_spec: the order of columns, if nothing is traced.
        use_umfpack: which solver is used, if nothing is traced.

    Returns:
        The solution, of the shape of b.

    >>> import numpy as np
    >>> import scipy.sparse
    >>> from xformad import grad
    >>> grad(lambda b: np.sum(spsolve(scipy.sparse.csr_array(np.array([[2.0, 0.0], [1.0, 4.0]])), b)))(np.ones(2))
    array([0.375, 0.25 ])
    """
    if not isinstance(A, SparseArray):
        if not traced((b,)):
            return scipy.sparse.linalg.spsolve(A, b, permc_spec, use_umfpack)
        A = wrapped(A)
    b = as_array(b)
    rows, columns = A.shape
    if rows != columns:
        raise ValueError(f"matrix must be square (has shape {A.shape})")
    if rows != shape_of(b)[0 if ndim_of(b) == 1 else -2]:
        raise ValueError(f"matrix - rhs dimension mismatch ({A.shape} - {shape_of(b)[0]})")
    return for_columns(lambda b: products.solve(A.data[None, :], b, pattern=A.pattern), b)


__all__ = ["spsolve"]
