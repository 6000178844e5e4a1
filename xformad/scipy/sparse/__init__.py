"""`scipy.sparse` for programs under transformation: sparse matrices whose stored values are traced.

    >>> import numpy as np
    >>> from xformad import grad
    >>> from xformad.scipy.sparse import csr_array
    >>> from xformad.scipy.sparse.linalg import spsolve
    >>> places = np.array([0, 1, 1]), np.array([0, 0, 1])
    >>> grad(lambda data: np.sum(spsolve(csr_array((data, places)), np.ones(2))))(np.array([2.0, 1.0, 4.0]))
    array([-0.1875 , -0.125  , -0.03125])

Products of traced arrays with SciPy's own matrices, `A @ x` and `x @ A`, work as they are. `csr_array(A)` takes a matrix
of SciPy's, too, of any format, where its values are to be arguments. This is not the place of sparse derivatives: those
are `xformad.sparse_jacobian` and `xformad.sparse_hessian`.
"""

from __future__ import annotations

from xformad.scipy.sparse import linalg
from xformad.scipy.sparse.arrays import SparseArray, coo_array, csc_array, csr_array

__all__ = ["SparseArray", "coo_array", "csc_array", "csr_array", "linalg"]
