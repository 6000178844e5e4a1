"""Factorisations with an orthogonal factor: `qr`, `qr_multiply`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import dtype_of, ndim_of, shape_of
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.operations import linalg_factors
from xformad.operations.linalg_solve import conjugated, transposed
from xformad.operations.makers import nondifferentiable
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import stacked
from xformad.scipy.linalg.triangular import permuted

column_order = nondifferentiable(
    "column_order",
    lambda a: stacked(lambda a: scipy.linalg.qr(a, mode="r", pivoting=True, check_finite=False)[1], a),
)
defbatch(column_order, as_it_is(column_order))


def pivoted(a: Value, pivoting: bool) -> tuple[Value, tuple[Value, ...]]:
    """The matrix with its columns in the order of the factorisation, and that order, if it is asked for."""
    if not pivoting:
        return a, ()
    order = column_order(a)
    return transposed(permuted(transposed(a), order)), (order,)


@face(scipy.linalg.qr)
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Value, ...]:
    """The factorisation a = q r, as `scipy.linalg.qr` gives it.

    Args:
        a: the matrix, or a stack of them, shape (..., m, n).
        overwrite_a: has no effect on traced arrays.
        lwork: has no effect on traced arrays.
        mode: "economic", "r", or "full" where m <= n.
        pivoting: whether the columns are put in the order of their size first: a[:, p] = q r. The order has no derivative.
        check_finite: whether infinities and NaNs are refused.

    Returns:
        (q, r), with p if `pivoting`, without q if `mode="r"`.

    Raises:
        UnsupportedError: for the columns of q that a tall matrix does not determine, and for `mode="raw"`.

    >>> from xformad import grad
    >>> grad(lambda a: qr(a, mode="economic")[1][0, 0])(np.array([[3.0], [4.0]]))
    array([[-0.6],
           [-0.8]])
    """
    if mode not in ("full", "qr", "r", "economic", "raw"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic', 'raw']")
    a = array(a, check_finite)
    rows, columns = shape_of(a)[-2:]
    if mode == "raw":
        raise UnsupportedError("scipy.linalg.qr with mode='raw' is not supported on traced arrays; use mode='economic'")
    if mode in ("full", "qr") and rows > columns:
        raise UnsupportedError(
            f"scipy.linalg.qr of matrices of shape {(rows, columns)} with mode='full' has columns that the matrix does not "
            "determine, so it has no derivative; use mode='economic'"
        )
    a, order = pivoted(a, pivoting)
    q, r = linalg_factors.qr(a)
    if mode != "r":
        return (q, r, *order)
    below = ((0, 0),) * (ndim_of(r) - 2)
    return (np.pad(r, (*below, (0, rows - shape_of(r)[-2]), (0, 0))), *order)


@face(scipy.linalg.qr_multiply)
def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Value, ...]:
    """The product of the orthogonal factor of a with c, and the triangular factor, as `scipy.linalg.qr_multiply` does.

    Args:
        a: the matrix, or a stack of them, shape (..., m, n).
        c: the other factor: a vector or matrices.
        mode: "right" for c q, "left" for q c.
        pivoting: as for `qr`.
        conjugate: whether q is conjugated.
        overwrite_a: has no effect on traced arrays.
        overwrite_c: has no effect on traced arrays.

    >>> from xformad import grad
    >>> grad(lambda c: qr_multiply(np.array([[3.0], [4.0]]), c)[0][0])(np.ones(2))
    array([-0.6, -0.8])
    """
    if mode not in ("left", "right"):
        raise ValueError(f"Mode argument can only be 'left' or 'right' but not '{mode}'")
    a, c = np.atleast_2d(array(a)), array(c)
    a, order = pivoted(a, pivoting)
    q, r = linalg_factors.qr(a)
    q = conjugated(q) if conjugate else q
    if dtype_of(c).kind not in "fc":
        c = c.astype(float)
    return (c @ q if mode == "right" else q @ c, r, *order)
