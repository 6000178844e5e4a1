"""Eigenvalues, with their vectors: `eigh`, also of generalised problems and tridiagonal matrices, and `eig`.

What `xformad.operations.linalg_spectral` says of equal eigenvalues and of the phases of vectors holds here, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import agreed, dtype_of, ndim_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import defjvp, defjvp_joint
from xformad.interpreters.taylor_rules import coefficientwise, deftaylor
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations import linalg_spectral
from xformad.operations.linalg_solve import adjoint
from xformad.operations.makers import smooth
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import stacked
from xformad.scipy.linalg.triangular import triangular

linalg: Any = scipy.linalg  # the stubs want literal options

# SciPy's eigh, which chooses other vectors than NumPy's where there is a choice: their signs.


Subset = tuple[str, Any, Any] | None
"""Which eigenvalues are wanted: ("i", first, last), ("v", low, high), or None for all."""


def decomposed(a: Value, lower: bool, driver: str | None, tridiagonal: bool, subset: Subset) -> tuple[Value, Value]:
    """All eigenvalues with their vectors; those of the subset as SciPy gives them if it is asked for no others."""

    def one(a: Value) -> tuple[Value, Value]:
        if a.size == 0:
            return np.zeros(0, dtype_of(a).type(0).real.dtype), a
        if tridiagonal:
            w, v = linalg.eigh_tridiagonal(np.diag(a), np.diag(a, -1), lapack_driver="auto" if subset else driver)
        else:
            w, v = linalg.eigh(a, lower=lower, driver=None if subset else driver, check_finite=False)
        if subset is not None:
            kind, low, high = subset
            if tridiagonal:
                options = {"select": kind, "select_range": (low, high), "lapack_driver": driver}
                some, vectors = linalg.eigh_tridiagonal(np.diag(a), np.diag(a, -1), **options)
            else:
                options = {"subset_by_index" if kind == "i" else "subset_by_value": (low, high), "driver": driver}
                some, vectors = linalg.eigh(a, lower=lower, check_finite=False, **options)
            first = low if kind == "i" else int(np.count_nonzero(w <= low))
            w, v = w.copy(), v.copy()
            w[first : first + len(some)], v[:, first : first + len(some)] = some, vectors
        return w, v

    found: tuple[Value, Value] = stacked(one, a)
    return found


hermitian_eigen = Primitive("scipy_eigh", decomposed, multiple=True)
vjp_rules[hermitian_eigen] = VjpEntry(
    {0: lambda g, ans, _a, **_params: linalg_spectral.eigh_vjp(g, ans, _a, "L")}, check=TRUST
)
defjvp_joint(
    hermitian_eigen,
    lambda tangents, ans, a, **_params: linalg_spectral.eigh_jvp(tangents, ans, a, "L"),
)
defindexset(hermitian_eigen, per_matrix)
defbatch(hermitian_eigen, as_it_is(hermitian_eigen))
deftaylor(
    hermitian_eigen,
    lambda taylor, ans, a, **_params: linalg_spectral.eigh_series(taylor, ans, a, "L"),
)


def one_triangle(a: Value, lower: bool) -> Value:
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    return half + np.conj(np.swapaxes(half, -1, -2)) + np.real(a * np.eye(a.shape[-1], dtype=a.dtype))


def made_hermitian(x: Value) -> Value:
    return 0.5 * (x + adjoint(x))


# The Hermitian matrix of which one triangle is read. As for `eigh` its derivative is that of a Hermitian matrix.
hermitian: Primitive = smooth(
    "hermitian",
    one_triangle,
    lambda g, _ans, _a, **_params: made_hermitian(g),
    check=TRUST,
)
defjvp(hermitian, lambda t, _ans, _a, **_params: made_hermitian(t))
defindexset(hermitian, per_matrix)
defbatch(hermitian, as_it_is(hermitian))
deftaylor(hermitian, coefficientwise(lambda c, **_params: made_hermitian(c)))


def checked(indices: Any, bounds: Any, n: int) -> Subset:
    """A subset of n eigenvalues."""
    if indices is not None:
        first, last = (int(i) for i in indices)
        if not 0 <= first <= last < n:
            raise ValueError(
                f"Requested eigenvalue indices are not valid. Valid range is [0, {n - 1}] and start <= end, but "
                f"start={first}, end={last} is given"
            )
        return "i", first, last
    if bounds is not None:
        low, high = bounds
        if not -math.inf <= low < high <= math.inf:
            raise ValueError(
                f"Requested eigenvalue bounds are not valid. Valid range is (-inf, inf) and low < high, but low={low}, "
                f"high={high} is given"
            )
        return "v", low, high
    return None


def selected(w: Value, v: Value, subset: Subset) -> tuple[Value, Value]:
    """The values of a subset, and their vectors."""
    if subset is None:
        return w, v
    kind, first, last = subset
    if kind == "v":
        if ndim_of(w) > 1:
            raise UnsupportedError("eigenvalues of traced stacks cannot be chosen by value; use xformad.vmap")
        first, last = (int(np.count_nonzero(agreed(w <= bound))) for bound in (first, last))
        last -= 1
    return w[..., first : last + 1], v[..., first : last + 1]


@face(scipy.linalg.eigh)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices, also of generalised problems, as `scipy.linalg.eigh` gives them.

    As for `numpy.linalg.eigh` the gradients are those of Hermitian matrices, and where eigenvalues are equal they exist for
    what does not depend on the choice of vectors. A selection is made after all have been computed.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n). One triangle is read.
        b: a positive definite matrix of the same shape, for generalised problems.
        lower: which triangle is read.
        eigvals_only: whether to return the eigenvalues only.
        overwrite_a: has no effect on traced arrays.
        overwrite_b: has no effect on traced arrays.
        type: of the generalised problem: 1 for a v = w b v, 2 for a b v = w v, 3 for b a v = w v.
        check_finite: whether infinities and NaNs are refused.
        subset_by_index: (first, last), to return these eigenvalues only.
        subset_by_value: (low, high), to return the eigenvalues in this half-open interval only.
        driver: the LAPACK driver.

    Returns:
        The eigenvalues in ascending order, and the eigenvectors as columns; or the eigenvalues.

    >>> from xformad import grad
    >>> a, b = np.array([[2.0, 1.0], [1.0, 2.0]]), 2 * np.eye(2)
    >>> grad(lambda a: eigh(a, b, eigvals_only=True)[0])(a)
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    if subset_by_index is not None and subset_by_value is not None:
        raise ValueError("Either index or value subset can be requested.")
    a = array(a, check_finite)
    if shape_of(a)[-1] != shape_of(a)[-2]:
        raise ValueError('expected square "a" matrix')
    subset = checked(subset_by_index, subset_by_value, shape_of(a)[-1])
    if b is None:
        w, v = hermitian_eigen(a, lower=bool(lower), driver=driver, tridiagonal=False, subset=subset)
    else:
        w, v = generalised(a, array(b, check_finite), bool(lower), type, driver, subset)
    w, v = selected(w, v, subset)
    return w if eigvals_only else (w, v)


def generalised(a: Value, b: Value, lower: bool, kind: int, driver: str | None, subset: Subset) -> tuple[Value, Value]:
    """By b = L L^H the problem is one of the matrix L^-1 a L^-H, or L^H a L for the types 2 and 3."""
    if kind not in (1, 2, 3):
        raise ValueError('"type" keyword only accepts 1, 2, and 3.')
    if shape_of(b) != shape_of(a):
        raise ValueError(f"wrong b dimensions {shape_of(b)}, should be {shape_of(a)}")
    factor = np.linalg.cholesky(hermitian(b, lower=lower))
    a = hermitian(a, lower=lower)
    if kind == 1:
        half = triangular(factor, a, lower=True, unit=False)
        inner = adjoint(triangular(factor, adjoint(half), lower=True, unit=False))
    else:
        inner = adjoint(factor) @ a @ factor
    standard = {None: "evx" if subset else "evd", "gv": "ev", "gvd": "evd", "gvx": "evx"}.get(driver, driver)
    w, y = hermitian_eigen(inner, lower=lower, driver=standard, tridiagonal=False, subset=subset)
    return w, factor @ y if kind == 3 else triangular(adjoint(factor), y, lower=False, unit=False)


@face(scipy.linalg.eigvalsh)
def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Value:
    """The eigenvalues of `eigh`.

    >>> from xformad import grad
    >>> grad(lambda a: eigvalsh(a)[1])(np.array([[2.0, 1.0], [1.0, 2.0]])).round(12)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return eigh(
        a,
        b,
        lower=lower,
        eigvals_only=True,
        type=type,
        check_finite=check_finite,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
        driver=driver,
    )


@face(scipy.linalg.eigh_tridiagonal)
def eigh_tridiagonal(
    d: Any,
    e: Any,
    eigvals_only: bool = False,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Any:
    """Eigenvalues and eigenvectors of real symmetric tridiagonal matrices, as `scipy.linalg.eigh_tridiagonal` gives them.

    Args:
        d: the diagonal, shape (..., n).
        e: the diagonal beside it, shape (..., n - 1).
        eigvals_only: whether to return the eigenvalues only.
        select: "a" for all, "i" for those with the numbers and "v" for those within the bounds of `select_range`.
        select_range: (first, last) or (low, high).
        check_finite: whether infinities and NaNs are refused.
        tol: has no effect on traced arrays.
        lapack_driver: the LAPACK driver.

    Returns:
        The eigenvalues in ascending order, and the eigenvectors as columns; or the eigenvalues.

    >>> from xformad import grad
    >>> grad(lambda e: eigh_tridiagonal(np.zeros(2), e, eigvals_only=True)[1])(np.ones(1)).round(12)
    array([1.])
    """
    d, e = array(d, check_finite), array(e, check_finite)
    for x in (d, e):
        if dtype_of(x).kind == "c":
            raise TypeError("Only real arrays currently supported")
    n = shape_of(d)[-1]
    if n != shape_of(e)[-1] + 1:
        raise ValueError(f"d ({n}) must have one more element than e ({shape_of(e)[-1]})")
    beside = np.pad(e, (*((0, 0),) * (ndim_of(e) - 1), (0, 1)))
    matrix = (
        d[..., None, :] * np.eye(n) + beside[..., None, :] * np.eye(n, k=-1) + beside[..., :, None] * np.eye(n, k=1)
    )
    matrix = matrix.astype(np.result_type(dtype_of(d), dtype_of(e)))
    by_index, by_value = select in ("i", "index", 2), select in ("v", "value", 1)
    if not (by_index or by_value or select in ("a", "all", 0)):
        raise ValueError('invalid argument for select, must be "a", "v" or "i"')
    subset = checked(select_range if by_index else None, select_range if by_value else None, n)
    driver = "auto" if lapack_driver == "sterf" else lapack_driver  # that one computes no vectors
    w, v = hermitian_eigen(matrix, lower=True, driver=driver, tridiagonal=True, subset=subset)
    w, v = selected(w, v, subset)
    return w if eigvals_only else (w, v)


@face(scipy.linalg.eigvalsh_tridiagonal)
def eigvalsh_tridiagonal(
    d: Any,
    e: Any,
    select: Any = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float = 0.0,
    lapack_driver: str = "auto",
) -> Value:
    """The eigenvalues of `eigh_tridiagonal`.

    >>> from xformad import grad
    >>> grad(lambda d: np.sum(eigvalsh_tridiagonal(d, np.ones(1))))(np.zeros(2)).round(12)
    array([1., 1.])
    """
    return eigh_tridiagonal(d, e, True, select, select_range, check_finite, tol, lapack_driver)


@face(scipy.linalg.eig)
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """Eigenvalues, always complex, and eigenvectors of square matrices, as `scipy.linalg.eig` gives them.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n).
        b: None, on traced arrays.
        left: False, on traced arrays.
        right: whether to return the eigenvectors.
        overwrite_a: has no effect on traced arrays.
        overwrite_b: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.
        homogeneous_eigvals: False, on traced arrays.

    Raises:
        UnsupportedError: of generalised problems and left eigenvectors; the message says what to write.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: eig(np.diag([1.0, 2.0]) * s)[0].real)(1.0)
    array([1., 2.])
    """
    if b is not None:
        raise UnsupportedError(
            "scipy.linalg.eig of generalised problems is not supported on traced arrays; use eig(solve(b, a)), or eigh(a, b)"
        )
    if left or homogeneous_eigvals:
        raise UnsupportedError(
            "scipy.linalg.eig with left=True or homogeneous_eigvals=True is not supported on traced arrays; the rows of "
            "inv(v), for the right eigenvectors v, are conjugated left ones"
        )
    a = array(a, check_finite)
    if ndim_of(a) < 2 or shape_of(a)[-1] != shape_of(a)[-2]:
        raise ValueError("expected square matrix")
    w, v = np.linalg.eig(a)
    w = w.astype(np.result_type(dtype_of(w), np.complex64))
    return (w, v) if right else w


@face(scipy.linalg.eigvals)
def eigvals(
    a: Any, b: Any = None, overwrite_a: bool = False, check_finite: bool = True, homogeneous_eigvals: bool = False
) -> Value:
    """The eigenvalues of `eig`.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: eigvals(np.diag([1.0, 2.0]) * s).real)(1.0)
    array([1., 2.])
    """
    return eig(a, b, right=False, check_finite=check_finite, homogeneous_eigvals=homogeneous_eigvals)
