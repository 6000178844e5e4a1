"""Singular values and what is made of them: `svd`, `svdvals`, `orth`, `polar`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import agreed, dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.operations.linalg_solve import adjoint
from xformad.scipy.faces import array, face

linalg: Any = np.linalg  # the stubs want literal options


@face(scipy.linalg.svd)
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """The singular value decomposition, as `numpy.linalg.svd` gives it. Of matrices that are not square the vectors that
    the matrix does not determine are refused: `full_matrices=False` leaves them out.

    >>> from xformad import grad
    >>> grad(lambda a: svd(a)[1][0])(np.diag([3.0, 2.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    found: Any = linalg.svd(array(a, check_finite), bool(full_matrices), bool(compute_uv))
    return tuple(found) if compute_uv else found


@face(scipy.linalg.svdvals)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Value:
    """The singular values in descending order.

    >>> from xformad import grad
    >>> grad(lambda a: svdvals(a)[1])(np.diag([3.0, 2.0]))
    array([[0., 0.],
           [0., 1.]])
    """
    return np.linalg.svd(array(a, check_finite), compute_uv=False)


@face(scipy.linalg.orth)
def orth(A: Any, rcond: float | None = None) -> Value:
    """Left singular vectors, an orthonormal basis of the column space, as `scipy.linalg.orth` gives it.

    >>> from xformad import grad
    >>> grad(lambda t: (lambda q: (q @ q.T)[0, 1])(orth(np.stack([np.cos(t), np.sin(t)])[:, None])))(0.0)
    np.float64(1.0)
    """
    a = array(A, False)
    if ndim_of(a) != 2:
        raise UnsupportedError("scipy.linalg.orth of traced stacks of matrices is not supported; use xformad.vmap")
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    if rcond is None:
        rcond = float(np.finfo(dtype_of(s)).eps) * max(shape_of(a))
    rank = int(np.count_nonzero(agreed(s > np.max(s, initial=0.0) * rcond)))
    return u[:, :rank]


@face(scipy.linalg.polar)
def polar(a: Any, side: str = "right") -> tuple[Value, Value]:
    """The polar decomposition a = u p, or a = p u for `side="left"`, as `scipy.linalg.polar` gives it.

    u has orthonormal columns or rows and p is positive semidefinite. The derivative exists where a has full rank, equal
    singular values or not.

    Args:
        a: the matrix, or a stack of them, shape (..., m, n).
        side: "right" or "left".

    >>> from xformad import grad
    >>> grad(lambda a: polar(a)[0][0, 1])(2 * np.eye(2))
    array([[ 0.  ,  0.25],
           [-0.25,  0.  ]])
    """
    if side not in ("right", "left"):
        raise ValueError("`side` must be either 'right' or 'left'")
    a = array(a, False)
    if ndim_of(a) < 2:
        raise ValueError("`a` must be a 2-D array.")
    w, _, vh = np.linalg.svd(a, full_matrices=False)
    u = w @ vh
    return u, adjoint(u) @ a if side == "right" else a @ adjoint(u)
