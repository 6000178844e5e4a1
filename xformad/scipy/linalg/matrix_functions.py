"""Functions of matrices: `expm`, `sqrtm`, `logm`, the trigonometric and hyperbolic ones, `funm`.

A function of block triangular matrices has the derivative beside the value:

    f([[A, E], [0, A]]) = [[f(A), L(A, E)], [0, f(A)]]

where L(A, E) is the derivative of f at A along E. That along E of the transposed matrix is the transpose of the map, and
the Toeplitz matrix of the coefficients of a power series has the coefficients of f in its first row of blocks. N. Higham,
"Functions of Matrices" (2008), theorems 3.6 and 3.9; R. Mathias, "A chain rule for matrix functions" (1996).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from xformad.core.interpreter import anywhere, dtype_of, plain, shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.interpreters import series
from xformad.interpreters.batch_rules import aligned, as_it_is, defbatch
from xformad.interpreters.cotangents import cast
from xformad.interpreters.index_sets import defindexset, per_matrix
from xformad.interpreters.jvp_rules import defjvp
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import Kinks, deftaylor, from_composition
from xformad.interpreters.vjp_rules import BROADCAST
from xformad.operations.linalg_solve import transposed
from xformad.operations.makers import smooth
from xformad.scipy.faces import array, face
from xformad.scipy.linalg.equations import sylvester
from xformad.scipy.linalg.stacks import stacked


def above(a: Value, e: Value) -> Value:
    """The matrix [[A, E], [0, A]]."""
    outer = np.broadcast_shapes(shape_of(a)[:-2], shape_of(e)[:-2])
    a, e = (np.broadcast_to(x, (*outer, *shape_of(x)[-2:])) for x in (a, e))
    top = np.concatenate([a, e], axis=-1)
    bottom = np.concatenate([np.zeros_like(e), a], axis=-1)
    return np.concatenate([top, bottom], axis=-2)


def along(function: Callable[..., Value], a: Value, e: Value, **params: Any) -> Value:
    """The derivative of a function of matrices at A along E."""
    n = shape_of(a)[-1]
    scale = power_of_two(size(a), size(e))
    return function(above(a, e * scale), **params)[..., :n, n:] / scale


def size(x: Value) -> float:
    return float(np.max(np.abs(plain(x)), initial=0.0))


def power_of_two(wanted: float, found: float) -> float:
    """What brings a size near to the wanted one, without rounding: the derivative is linear in E, not so its accuracy."""
    ratio = wanted / found if found else 1.0
    return 2.0 ** round(math.log2(ratio)) if 1e-30 < ratio < 1e30 else 1.0


def matrix_series(function: Callable[..., Value]) -> Callable[..., Series]:
    """The Taylor rule of any function of matrices."""

    def rule(_taylor: Kinks, ans: Value, a: Series, **params: Any) -> Series:
        zero = np.zeros_like(a[0])
        n, count = shape_of(a[0])[-1], len(a)
        row = np.concatenate([zero if c is None else c for c in a], axis=-1)
        none = np.concatenate([zero] * count, axis=-1)
        wide = np.concatenate([none, row], axis=-1)
        rows = [wide[..., (count - i) * n : (2 * count - i) * n] for i in range(count)]
        found = function(np.concatenate(rows, axis=-2), **params)[..., :n, :]
        return [ans, *[cast(found[..., i * n : (i + 1) * n], dtype_of(ans)) for i in range(1, count)]]

    return rule


def matrix_function(name: str, implementation: Callable[..., Any]) -> Primitive:
    """A primitive of square matrices, with the rules above."""

    def value(a: Value, **params: Any) -> Value:
        return stacked(lambda a: implementation(a.copy(), **params) if a.size else a, a)  # SciPy may want to write

    def vjp(g: Value, _ans: Value, a: Value, **params: Any) -> Value:
        return along(primitive, transposed(a), g, **params)

    primitive = smooth(name, value, vjp, check=BROADCAST)
    defjvp(primitive, lambda t, ans, a, **params: cast(along(primitive, a, t, **params), dtype_of(ans)))
    defindexset(primitive, per_matrix)
    defbatch(primitive, as_it_is(primitive))
    deftaylor(primitive, matrix_series(primitive))
    return primitive


# The exponential, whose derivative SciPy has a function for.


def frechet_value(a: Value, e: Value) -> Value:
    dtype = np.result_type(a, e, np.float32)

    def derivative(a: Value, e: Value) -> Value:
        if a.size == 0:
            return np.zeros(a.shape, dtype)
        found: Any = scipy.linalg.expm_frechet(a.astype(dtype), e.astype(dtype), compute_expm=False, check_finite=False)
        return found.astype(dtype)

    return stacked(derivative, a, e)


def frechet_vjp_matrix(g: Value, _ans: Value, a: Value, e: Value) -> Value:
    """L(A, E) is a block of exp([[A, E], [0, A]]), whose cotangent has the two blocks of A."""
    n = shape_of(a)[-1]
    zero = np.zeros_like(g)
    at_corner = np.concatenate([np.concatenate([zero, g], -1), np.concatenate([zero, zero], -1)], -2)
    both = frechet(transposed(above(a, e)), at_corner)
    return both[..., :n, :n] + both[..., n:, n:]


frechet: Primitive = smooth(
    "expm_frechet", frechet_value, frechet_vjp_matrix, lambda g, _ans, a, _e: frechet(transposed(a), g)
)
defjvp(
    frechet,
    lambda t, _ans, a, e: along(lambda x: frechet(x, above(t, np.zeros_like(t))), a, e),
    lambda t, _ans, a, _e: frechet(a, t),
)
defindexset(frechet, per_matrix)
defbatch(frechet, aligned(frechet))

exponential: Primitive = smooth(
    "expm",
    lambda a: stacked(lambda a: scipy.linalg.expm(a) if a.size else a, a),
    lambda g, _ans, a: frechet(transposed(a), g),
    check=BROADCAST,
)
defjvp(exponential, lambda t, _ans, a: frechet(a, t))
defindexset(exponential, per_matrix)
defbatch(exponential, as_it_is(exponential))
deftaylor(exponential, matrix_series(exponential))
deftaylor(frechet, from_composition(lambda a, e: along(exponential, a, e)))


def square(a: Any, original: Callable[..., Any]) -> Value:
    """An argument as a stack of square matrices. What is none is left to SciPy to refuse."""
    a = array(a, check_finite=False)
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        original(plain(a))
    return a if dtype_of(a).kind in "fc" else a.astype(float)


@face(scipy.linalg.expm)
def expm(A: Any) -> Value:
    """The matrix exponential, as `scipy.linalg.expm` computes it, by squaring a Pade approximant.

    Args:
        A: a square matrix, or a stack of them, shape (..., n, n).

    >>> from xformad import derivatives
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> derivatives(lambda t: expm(t * turn)[0, 0], 4)(0.0)
    array([ 1.,  0., -1.,  0.,  1.])
    """
    a = array(A, check_finite=False)
    if shape_of(a) in ((), (1,)):
        return np.exp(np.reshape(a, (1, 1)))
    return exponential(square(a, scipy.linalg.expm))


@face(scipy.linalg.expm_frechet)
def expm_frechet(
    A: Any, E: Any, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """The derivative of the matrix exponential at A along E, as `scipy.linalg.expm_frechet` computes it.

    Args:
        A: a square matrix, or a stack of them, shape (..., n, n).
        E: the direction, of the same shape.
        method: None, "SPS" or "blockEnlarge"; without effect on traced arrays.
        compute_expm: whether to return exp(A), too.
        check_finite: whether infinities and NaNs are refused.

    Returns:
        exp(A) and the derivative, or the derivative only.

    >>> from xformad import grad
    >>> grad(lambda s: expm_frechet(s * np.eye(2), np.eye(2))[1][0, 0])(0.0)
    np.float64(1.0)
    """
    a, e = array(A, check_finite), array(E, check_finite)
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"Unknown implementation {method}")
    if shape_of(a) != shape_of(e):
        raise ValueError("expected A and E to be the same shape")
    a, e = (square(x, scipy.linalg.expm).astype(np.result_type(dtype_of(x), np.float64)) for x in (a, e))
    derivative = frechet(a, e)
    return (exponential(a), derivative) if compute_expm else derivative


# The square root: X dX + dX X = dA.


def sqrtm_series(_taylor: Kinks, ans: Value, a: Series) -> Series:
    """By X X = A."""
    x = [ans]
    for n in range(1, len(a)):
        rest = series.minus(a[n], series.combined(operator.matmul, x, x, n, 1, n - 1))
        x.append(None if rest is None else cast(sylvester(ans, ans, rest), dtype_of(ans)))
    return x


square_root: Primitive = smooth(
    "sqrtm",
    lambda a: stacked(lambda a: scipy.linalg.sqrtm(a) if a.size else a, a),
    lambda g, ans, _a: sylvester(transposed(ans), transposed(ans), g),
    check=BROADCAST,
)
defjvp(square_root, lambda t, ans, _a: cast(sylvester(ans, ans, t), dtype_of(ans)))
defindexset(square_root, per_matrix)
defbatch(square_root, as_it_is(square_root))
deftaylor(square_root, sqrtm_series)

logarithm = matrix_function("logm", scipy.linalg.logm)
fractional_power = matrix_function(
    "fractional_matrix_power", lambda a, power: scipy.linalg.fractional_matrix_power(a, power)
)


def refuse_disp(disp: Any, name: str) -> None:
    if disp is not True:
        raise UnsupportedError(f"scipy.linalg.{name} with disp=False is not supported on traced arrays: leave it out")


@face(scipy.linalg.sqrtm)
def sqrtm(A: Any, disp: Any = True, blocksize: Any = None) -> Value:
    """The principal square root of matrices, as `scipy.linalg.sqrtm` computes it.

    Its derivative is infinite where the matrix is singular, and exists where no two eigenvalues of the root add up to zero.

    Args:
        A: a square matrix, or a stack of them, shape (..., n, n).
        disp: True only, on traced arrays.
        blocksize: has no effect on traced arrays.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: sqrtm(s * np.eye(2)))(4.0)
    array([[0.25, 0.  ],
           [0.  , 0.25]])
    """
    refuse_disp(disp, "sqrtm")
    return square_root(square(A, scipy.linalg.sqrtm))


@face(scipy.linalg.logm)
def logm(A: Any, disp: Any = True) -> Value:
    """The principal logarithm of matrices, as `scipy.linalg.logm` computes it.

    Args:
        A: a square matrix, or a stack of them, shape (..., n, n), without eigenvalues on the negative real axis, where
            the derivative does not exist.
        disp: True only, on traced arrays.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: logm(s * np.eye(2)))(4.0)
    array([[0.25, 0.  ],
           [0.  , 0.25]])
    """
    refuse_disp(disp, "logm")
    return logarithm(square(A, scipy.linalg.logm))


@face(scipy.linalg.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Value:
    """A real power of matrices, as `scipy.linalg.fractional_matrix_power` computes it.

    Args:
        A: a square matrix, or a stack of them, shape (..., n, n).
        t: the power, a plain number.

    Raises:
        UnsupportedError: if the power is traced.

    >>> from xformad import jacobian
    >>> jacobian(lambda s: fractional_matrix_power(s * np.eye(2), 0.5))(4.0).round(12)
    array([[0.25, 0.  ],
           [0.  , 0.25]])
    """
    if type(t) is Tracer:
        raise UnsupportedError(
            "scipy.linalg.fractional_matrix_power with a traced power is not supported; write expm(t * logm(A))"
        )
    a = square(A, lambda a: scipy.linalg.fractional_matrix_power(a, t))
    return np.linalg.matrix_power(a, int(t)) if t == int(t) else fractional_power(a, power=float(t))


# Compositions.


def real_if_close(a: Value, x: Value) -> Value:
    """A function of a real matrix whose imaginary parts are rounding is real, as SciPy has it."""
    if dtype_of(a).kind == "c" or dtype_of(x).kind != "c":
        return x
    tolerance = {"F": 1e3, "D": 1e6}[dtype_of(x).char] * np.finfo(dtype_of(x)).eps
    return x if anywhere(np.abs(np.imag(x)) > tolerance) else np.real(x)


def turned(a: Value) -> Value:
    """exp(i A)."""
    return exponential(dtype_of(a).type(0) + a * np.complex64(1j))


@face(scipy.linalg.cosm)
def cosm(A: Any) -> Value:
    """The matrix cosine, (exp(iA) + exp(-iA)) / 2.

    >>> from xformad import grad
    >>> grad(lambda s: sinm(s * np.eye(2))[0, 0])(0.0), grad(lambda s: cosm(s * np.eye(2))[0, 0])(0.0)
    (np.float64(1.0), np.float64(0.0))
    """
    a = square(A, scipy.linalg.cosm)
    return 0.5 * (turned(a) + turned(-a)) if dtype_of(a).kind == "c" else np.real(turned(a))


@face(scipy.linalg.sinm)
def sinm(A: Any) -> Value:
    """The matrix sine, (exp(iA) - exp(-iA)) / 2i."""
    a = square(A, scipy.linalg.sinm)
    return -0.5j * (turned(a) - turned(-a)) if dtype_of(a).kind == "c" else np.imag(turned(a))


@face(scipy.linalg.tanm)
def tanm(A: Any) -> Value:
    """The matrix tangent, the solution X of cos(A) X = sin(A)."""
    a = square(A, scipy.linalg.tanm)
    return np.linalg.solve(cosm(a), sinm(a))


@face(scipy.linalg.coshm)
def coshm(A: Any) -> Value:
    """The hyperbolic matrix cosine, (exp(A) + exp(-A)) / 2."""
    a = square(A, scipy.linalg.coshm)
    return 0.5 * (exponential(a) + exponential(-a))


@face(scipy.linalg.sinhm)
def sinhm(A: Any) -> Value:
    """The hyperbolic matrix sine, (exp(A) - exp(-A)) / 2."""
    a = square(A, scipy.linalg.sinhm)
    return 0.5 * (exponential(a) - exponential(-a))


@face(scipy.linalg.tanhm)
def tanhm(A: Any) -> Value:
    """The hyperbolic matrix tangent, the solution X of cosh(A) X = sinh(A)."""
    a = square(A, scipy.linalg.tanhm)
    return np.linalg.solve(coshm(a), sinhm(a))


@face(scipy.linalg.signm)
def signm(A: Any, disp: Any = True) -> Value:
    """The matrix sign function, A (A^2)^(-1/2). Its eigenvalues are the signs of the real parts of those of A.

    >>> signm(np.diag([2.0, -3.0]))
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    refuse_disp(disp, "signm")
    a = square(A, scipy.linalg.signm)
    return real_if_close(a, np.linalg.solve(square_root(a @ a), a))


@face(scipy.linalg.funm)
def funm(A: Any, func: Callable[[Any], Any], disp: bool = True) -> Value:
    """Any function of matrices: V f(w) V^-1 with the eigenvalues w and eigenvectors V.

    SciPy goes by the Schur decomposition. The values are the same, up to rounding that grows as eigenvectors come close to
    each other; a matrix without a full set of eigenvectors is refused by NumPy.

    Args:
        A: a square matrix, or a stack of them, shape (..., n, n), with distinct eigenvalues.
        func: a function of a complex array of eigenvalues, written with NumPy's functions.
        disp: True only, on traced arrays.

    >>> from xformad import jacobian
    >>> a = np.array([[4.0, 1.0], [0.0, 9.0]])
    >>> jacobian(lambda s: funm(s * a, np.sqrt))(1.0).round(12)
    array([[1. , 0.1],
           [0. , 1.5]])
    """
    refuse_disp(disp, "funm")
    a = square(A, lambda a: scipy.linalg.funm(a, func))
    w, v = np.linalg.eig(a)
    w = w.astype(np.result_type(dtype_of(w), np.complex64))
    return real_if_close(a, transposed(np.linalg.solve(transposed(v), transposed(v * func(w)[..., None, :]))))
