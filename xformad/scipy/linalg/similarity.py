"""Unitary similarity to triangular and Hessenberg form: `schur`, `hessenberg`, `rsf2csf`.

A = Q T Q^H. With Q' = Q W and M = Q^H A' Q, T' = M + T W - W T, where W is anti-Hermitian. That T' has no entries where T
has none determines the lower part of W, column by column. The cotangents come from the transpose of that linear map.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import anywhere, dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters import series
from xformad.interpreters.batch_rules import as_it_is, defbatch
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import Tangents, defjvp_joint
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor
from xformad.interpreters.vjp_rules import TRUST, VjpEntry, vjp_rules
from xformad.operations.linalg_solve import adjoint
from xformad.operations.linalg_spectral import phases
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.stacks import stacked
from xformad.scipy.linalg.triangular import triangular
from xformad.transformations.forward import linear_transpose

Rotation = Callable[[Value, Value, Value], Value]
"""`lower(m, t, diagonal)`: the lower part of W, its diagonal included, from M, T and the diagonal as far as it is known."""


def form(name: str, implementation: Callable[..., Any], lower: Rotation, above: int) -> Primitive:
    """A primitive that gives T and Q.

    Args:
        name: its name.
        implementation: of a plain matrix.
        lower: says what the lower part of W is.
        above: the number of the lowest diagonal of T.
    """

    def value(a: Value, **params: Any) -> Any:
        return stacked(lambda a: implementation(a, **params), a)

    def moved(t: Value, q: Value, m: Value, s: Value, diagonal: Value) -> tuple[Value, Value]:
        w = lower(m, t, diagonal)
        w = w - adjoint(np.tril(w, -1)) - np.triu(s, 1)
        return np.triu(m + t @ w - w @ t, above), q @ w

    def jvp(tangents: Tangents, ans: tuple[Value, Value], _a: Value, **_params: Any) -> tuple[Value, Value]:
        t, q = ans
        zero = np.zeros_like(t)
        m = adjoint(q) @ tangents[0] @ q
        return moved(t, q, m, zero, zero[..., 0])

    def vjp(g: tuple[Value, Value], ans: tuple[Value, Value], _a: Value, **_params: Any) -> Value:
        def along(t: Value) -> tuple[Value, Value]:
            return jvp((t,), ans, t)

        return linear_transpose(along, np.zeros(shape_of(_a), dtype_of(_a)))(g)[0]

    def in_series(_taylor: Kinks, ans: tuple[Value, Value], a: Series, **_params: Any) -> tuple[Series, Series]:
        """By A Q = Q T and Q^H Q = I: at each order as in the first derivative, with what is known added."""
        t, q, turned = [ans[0]], [ans[1]], [adjoint(ans[1])]
        zero = np.zeros_like(ans[0])
        for n in range(1, len(a)):
            rest = series.combined(operator.matmul, a, q, n, 1, n)
            rest = series.minus(rest, series.combined(operator.matmul, q, t, n, 1, n - 1))
            p = zero if rest is None else turned[0] @ rest
            s = series.combined(operator.matmul, turned, q, n, 1, n - 1)
            next_t, next_q = moved(ans[0], ans[1], p, zero if s is None else s, phases(turned, q, n) + zero[..., 0])
            t.append(next_t)
            q.append(next_q)
            turned.append(adjoint(next_q))
        return t, q

    primitive = Primitive(name, value, multiple=True)
    vjp_rules[primitive] = VjpEntry({0: vjp}, check=TRUST)
    defjvp_joint(primitive, jvp, strict=False)
    defindexset(primitive, per_matrix)
    defbatch(primitive, as_it_is(primitive))
    deftaylor(primitive, in_series)
    return primitive


def beside(columns: list[Value], n: int) -> Value:
    """A matrix of columns, of which the j-th begins in row j."""
    padded = []
    for j, column in enumerate(columns):
        outer = ((0, 0),) * (len(shape_of(column)) - 1)
        padded.append(np.pad(column, (*outer, (j, 0))))
    return np.stack(padded, axis=-1)


def lower_of_schur(m: Value, t: Value, diagonal: Value) -> Value:
    """(T_j - t_jj I) w = - (column j of M) + (W T, as far as known), below the diagonal, T_j the block below on the right.

    Where eigenvalues are equal the vectors are not determined: NaN, with a warning.
    """
    triangular_or_refused(t, "schur")
    n = shape_of(t)[-1]
    values = np.diagonal(t, axis1=-2, axis2=-1)
    gaps = np.abs(values[..., None, :] - values[..., :, None]) + np.eye(n)
    rounding = 100 * n * float(np.finfo(dtype_of(values)).eps)
    if anywhere(gaps <= rounding * np.max(np.abs(values), initial=0.0)):
        warnings.warn(
            "the derivative of scipy.linalg.schur of a matrix with equal eigenvalues is not determined, and NaN was put in "
            "its place; use a function of the matrix, such as expm, sqrtm or logm",
            RuntimeWarning,
            stacklevel=2,
        )
        return np.full(shape_of(t), np.nan, dtype_of(t))
    columns: list[Value] = []
    for j in range(n):
        rest = -m[..., j + 1 :, j]
        for k, known in enumerate(columns):
            rest = rest + known[..., j + 1 - k :] * t[..., k, j][..., None]
        block = t[..., j + 1 :, j + 1 :] - t[..., j, j][..., None, None] * np.eye(n - 1 - j)
        found = triangular(block, rest[..., None], lower=False, unit=False)[..., 0] if j < n - 1 else rest
        columns.append(np.concatenate([diagonal[..., j : j + 1] + 0 * m[..., j, j : j + 1], found], axis=-1))
    return beside(columns, n)


def lower_of_hessenberg(m: Value, h: Value, diagonal: Value) -> Value:
    """h_(j+1,j) w = column j of M + H W - W H, as far as known, for column j + 1 of W. The first one is zero.

    The entries h_(j+1,j) are real: that determines the phases.
    """
    n = shape_of(h)[-1]
    columns: list[Value] = [0 * m[..., 0]]
    for j in range(n - 1):
        whole = beside(columns, n)
        rest = m[..., j + 1 :, j] + (h[..., j + 1 :, j:] @ whole[..., j:, j][..., None])[..., 0]
        rest = rest - (whole[..., j + 1 :, : j + 1] @ h[..., : j + 1, j][..., None])[..., 0]
        found = rest / h[..., j + 1, j][..., None]
        phase = found[..., :1] - np.real(found[..., :1])
        columns.append(np.concatenate([np.real(diagonal[..., j + 1 : j + 2]) + phase, found[..., 1:]], axis=-1))
    return beside(columns, n)


def schur_value(a: Value, output: str) -> tuple[Value, Value]:
    if a.size == 0:
        return a, a
    found: Any = scipy.linalg.schur(a, output=output, check_finite=False)
    return found[0], found[1]


def hessenberg_value(a: Value) -> tuple[Value, Value]:
    found: Any = scipy.linalg.hessenberg(a, calc_q=True, check_finite=False)
    return found[0], found[1].astype(found[0].dtype)


schur_form = form("schur", schur_value, lower_of_schur, 0)
hessenberg_form = form("hessenberg", hessenberg_value, lower_of_hessenberg, -1)


def triangular_or_refused(t: Value, name: str) -> None:
    if anywhere(np.diagonal(t, -1, -2, -1) != 0):
        raise UnsupportedError(
            f"scipy.linalg.{name} of a real matrix with complex eigenvalues has blocks on its diagonal, which have no "
            "derivative; use schur(a, output='complex')"
        )


@face(scipy.linalg.schur)
def schur(
    a: Any,
    output: str = "real",
    lwork: int | None = None,
    overwrite_a: bool = False,
    sort: Any = None,
    check_finite: bool = True,
) -> tuple[Value, Value]:
    """The Schur form a = z t z^H, as `scipy.linalg.schur` gives it, of matrices with distinct eigenvalues.

    The columns of a complex z are determined up to phases: what is made of them must not depend on these.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n).
        output: "real", of a matrix whose eigenvalues are real if it is, or "complex".
        lwork: has no effect on traced arrays.
        overwrite_a: has no effect on traced arrays.
        sort: None, on traced arrays.
        check_finite: whether infinities and NaNs are refused.

    Returns:
        The triangular matrix t and the unitary matrix z.

    Raises:
        UnsupportedError: if t is real and has blocks on its diagonal.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: np.diagonal(schur(s * np.array([[1.0, 2.0], [0.0, 3.0]]))[0]))(1.0)
    array([1., 3.])
    """
    if output not in ("real", "complex", "r", "c"):
        raise ValueError("argument must be 'real', or 'complex'")
    if sort is not None:
        raise UnsupportedError("scipy.linalg.schur with sort= is not supported on traced arrays: leave it out")
    a = array(a, check_finite)
    if shape_of(a)[-1] != shape_of(a)[-2]:
        raise ValueError("expected square matrix")
    if output[0] == "c":
        a = a.astype(np.result_type(dtype_of(a), np.complex64))
    t, z = schur_form(a, output=output)
    triangular_or_refused(t, "schur")
    return t, z


@face(scipy.linalg.hessenberg)
def hessenberg(a: Any, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The Hessenberg form a = q h q^H, as `scipy.linalg.hessenberg` gives it. It exists where no entry below the diagonal
    of h is zero.

    Args:
        a: the matrix, or a stack of them, shape (..., n, n).
        calc_q: whether to return q, too.
        overwrite_a: has no effect on traced arrays.
        check_finite: whether infinities and NaNs are refused.

    >>> from xformad import grad
    >>> a = np.array([[1.0, 2.0, 3.0], [3.0, 5.0, 6.0], [4.0, 8.0, 1.0]])
    >>> grad(lambda a: hessenberg(a)[1, 0])(a)
    array([[ 0. ,  0. ,  0. ],
           [-0.6,  0. ,  0. ],
           [-0.8,  0. ,  0. ]])
    """
    a = array(a, check_finite)
    n = shape_of(a)[-1]
    if n != shape_of(a)[-2]:
        raise ValueError("expected square matrix")
    if n <= 2:
        return (a, np.eye(n)) if calc_q else a
    h, q = hessenberg_form(a)
    return (h, q) if calc_q else h


@face(scipy.linalg.rsf2csf)
def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Value, Value]:
    """A real Schur form as a complex one; on traced arrays of a form without blocks on its diagonal.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: rsf2csf(s * np.eye(2), np.eye(2))[0].real)(1.0)
    array([[1., 0.],
           [0., 1.]])
    """
    t, z = array(T, check_finite), array(Z, check_finite)
    if shape_of(t)[-2:] != shape_of(z)[-2:]:
        raise ValueError(f"Input array shapes must match: Z: {shape_of(z)} vs. T: {shape_of(t)}")
    triangular_or_refused(t, "rsf2csf")
    dtype = np.result_type(dtype_of(t), dtype_of(z), np.complex64)
    return np.triu(t).astype(dtype), z.astype(dtype)
