"""`scipy.linalg` for programs under transformation: the same names, and derivatives.

    >>> import numpy as np
    >>> from xformad import grad
    >>> from xformad.scipy.linalg import expm
    >>> grad(lambda t: np.sum(expm(t * np.array([[0.0, 1.0], [0.0, 0.0]]))))(2.0).round(12)
    np.float64(1.0)

On plain arrays each function is SciPy's. The first axes of arrays are those of a stack of matrices, as in SciPy 1.15 and
later. Options that allow to overwrite arguments have no effect on traced arrays.
"""

from __future__ import annotations

import scipy.linalg
from scipy.linalg import (
    LinAlgError,
    LinAlgWarning,
    dft,
    hadamard,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    pascal,
)

from xformad.scipy.faces import refused
from xformad.scipy.linalg.banded import (
    solve_banded,
    solve_toeplitz,
    solveh_banded,
)
from xformad.scipy.linalg.eigen import (
    eig,
    eigh,
    eigh_tridiagonal,
    eigvals,
    eigvalsh,
    eigvalsh_tridiagonal,
)
from xformad.scipy.linalg.equations import (
    solve_continuous_lyapunov,
    solve_discrete_lyapunov,
    solve_sylvester,
)
from xformad.scipy.linalg.matrix_functions import (
    coshm,
    cosm,
    expm,
    expm_frechet,
    fractional_matrix_power,
    funm,
    logm,
    signm,
    sinhm,
    sinm,
    sqrtm,
    tanhm,
    tanm,
)
from xformad.scipy.linalg.orthogonal import (
    qr,
    qr_multiply,
)
from xformad.scipy.linalg.similarity import (
    hessenberg,
    rsf2csf,
    schur,
)
from xformad.scipy.linalg.singular import (
    orth,
    polar,
    svd,
    svdvals,
)
from xformad.scipy.linalg.special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    diagsvd,
    fiedler,
    fiedler_companion,
    hankel,
    khatri_rao,
    leslie,
    matmul_toeplitz,
    toeplitz,
)
from xformad.scipy.linalg.systems import (
    det,
    inv,
    lstsq,
    norm,
    pinv,
    pinvh,
    solve,
)
from xformad.scipy.linalg.triangular import (
    cho_factor,
    cho_solve,
    cholesky,
    lu,
    lu_factor,
    lu_solve,
    solve_triangular,
)

bandwidth = refused(scipy.linalg.bandwidth, "its result is no array; write bandwidth(xformad.value_of(a))")
cdf2rdf = refused(scipy.linalg.cdf2rdf, "use the complex eigenvalues and eigenvectors of eig")
cho_solve_banded = refused(scipy.linalg.cho_solve_banded, "use solveh_banded(ab, b)")
cholesky_banded = refused(scipy.linalg.cholesky_banded, "use solveh_banded(ab, b), or cholesky of the whole matrix")
clarkson_woodruff_transform = refused(
    scipy.linalg.clarkson_woodruff_transform, "it draws random numbers; multiply by a random matrix made outside"
)
cossin = refused(scipy.linalg.cossin, "there is no rule for it; use svd of the blocks")
eig_banded = refused(scipy.linalg.eig_banded, "use eigh of the whole matrix, or eigh_tridiagonal")
eigvals_banded = refused(scipy.linalg.eigvals_banded, "use eigvalsh of the whole matrix, or eigvalsh_tridiagonal")
expm_cond = refused(scipy.linalg.expm_cond, "there is no rule for it")
ishermitian = refused(scipy.linalg.ishermitian, "its result is no array; write ishermitian(xformad.value_of(a))")
issymmetric = refused(scipy.linalg.issymmetric, "its result is no array; write issymmetric(xformad.value_of(a))")
ldl = refused(scipy.linalg.ldl, "there is no rule for it; use cholesky or lu")
matrix_balance = refused(
    scipy.linalg.matrix_balance, "its scaling is by powers of two; balance xformad.value_of(a), and apply the scaling"
)
null_space = refused(
    scipy.linalg.null_space, "the matrix does not determine its basis; use the projection onto it, I - pinv(A) @ A"
)
ordqz = refused(scipy.linalg.ordqz, "there is no rule for it; use eigvals(solve(B, A))")
orthogonal_procrustes = refused(
    scipy.linalg.orthogonal_procrustes, "use polar(A.conj().T @ B)[0], and svdvals of the same product for the scale"
)
qr_delete = refused(scipy.linalg.qr_delete, "use qr of the changed matrix")
qr_insert = refused(scipy.linalg.qr_insert, "use qr of the changed matrix")
qr_update = refused(scipy.linalg.qr_update, "use qr of the changed matrix")
qz = refused(scipy.linalg.qz, "there is no rule for it; use eigvals(solve(B, A))")
rq = refused(scipy.linalg.rq, "use qr of the matrix with its rows reversed, transposed")
solve_circulant = refused(scipy.linalg.solve_circulant, "use solve(circulant(c), b)")
solve_continuous_are = refused(
    scipy.linalg.solve_continuous_are,
    "use xformad.root of A.T @ X + X @ A - X @ B @ solve(R, B.T @ X) + Q, from its result as a start",
)
solve_discrete_are = refused(
    scipy.linalg.solve_discrete_are, "use xformad.root of the equation, from its result as a start"
)
subspace_angles = refused(scipy.linalg.subspace_angles, "use svdvals(orth(A).T @ orth(B)), the cosines of the angles")

__all__ = [
    "LinAlgError",
    "LinAlgWarning",
    "bandwidth",
    "block_diag",
    "cdf2rdf",
    "cho_factor",
    "cho_solve",
    "cho_solve_banded",
    "cholesky",
    "cholesky_banded",
    "circulant",
    "clarkson_woodruff_transform",
    "companion",
    "convolution_matrix",
    "coshm",
    "cosm",
    "cossin",
    "det",
    "dft",
    "diagsvd",
    "eig",
    "eig_banded",
    "eigh",
    "eigh_tridiagonal",
    "eigvals",
    "eigvals_banded",
    "eigvalsh",
    "eigvalsh_tridiagonal",
    "expm",
    "expm_cond",
    "expm_frechet",
    "fiedler",
    "fiedler_companion",
    "fractional_matrix_power",
    "funm",
    "hadamard",
    "hankel",
    "helmert",
    "hessenberg",
    "hilbert",
    "inv",
    "invhilbert",
    "invpascal",
    "ishermitian",
    "issymmetric",
    "khatri_rao",
    "ldl",
    "leslie",
    "logm",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul_toeplitz",
    "matrix_balance",
    "norm",
    "null_space",
    "ordqz",
    "orth",
    "orthogonal_procrustes",
    "pascal",
    "pinv",
    "pinvh",
    "polar",
    "qr",
    "qr_delete",
    "qr_insert",
    "qr_multiply",
    "qr_update",
    "qz",
    "rq",
    "rsf2csf",
    "schur",
    "signm",
    "sinhm",
    "sinm",
    "solve",
    "solve_banded",
    "solve_circulant",
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
    "solve_discrete_lyapunov",
    "solve_sylvester",
    "solve_toeplitz",
    "solve_triangular",
    "solveh_banded",
    "sqrtm",
    "subspace_angles",
    "svd",
    "svdvals",
    "tanhm",
    "tanm",
    "toeplitz",
]
