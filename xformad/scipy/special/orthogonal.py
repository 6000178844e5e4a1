"""Orthogonal polynomials, differentiable in their last argument (chapter 18 of the DLMF), and spherical harmonics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.errors import UnsupportedError
from xformad.numpy.implements import as_array
from xformad.scipy.faces import face
from xformad.scipy.special.ufuncs import Unknown, smooth_ufunc

DEGREE = Unknown("the degree")
PARAMETER = Unknown("a parameter")


def lower(n: Value, evaluate: Callable[[Value], Value]) -> Value:
    """A polynomial of degree n - 1, which is 0 for n = 0."""
    if type(n) is int:
        return evaluate(n - 1) if n > 0 else 0.0
    return np.where(n == 0, 0, evaluate(np.where(n == 0, 0, n - 1)))


def jacobi_slope(n: Value, a: Value, b: Value, x: Value) -> Value:
    return (n + a + b + 1) / 2 * lower(n, lambda k: eval_jacobi.bind(k, a + 1, b + 1, x))


eval_jacobi: Primitive = smooth_ufunc(
    scipy.special.eval_jacobi, DEGREE, PARAMETER, PARAMETER, jacobi_slope, singular=False
)
eval_legendre: Primitive = smooth_ufunc(
    scipy.special.eval_legendre, DEGREE, lambda n, x: jacobi_slope(n, 0, 0, x), singular=False
)
eval_gegenbauer: Primitive = smooth_ufunc(
    scipy.special.eval_gegenbauer,
    DEGREE,
    PARAMETER,
    lambda n, a, x: 2 * a * lower(n, lambda k: eval_gegenbauer.bind(k, a + 1, x)),
    singular=False,
)
eval_chebyt: Primitive = smooth_ufunc(
    scipy.special.eval_chebyt, DEGREE, lambda n, x: n * lower(n, lambda k: eval_chebyu.bind(k, x)), singular=False
)
eval_chebyu: Primitive = smooth_ufunc(
    scipy.special.eval_chebyu,
    DEGREE,
    lambda n, x: 2 * lower(n, lambda k: eval_gegenbauer.bind(k, 2.0, x)),
    singular=False,
)
eval_hermite: Primitive = smooth_ufunc(
    scipy.special.eval_hermite,
    DEGREE,
    lambda n, x: 2 * n * lower(n, lambda k: eval_hermite.bind(k, x)),
    singular=False,
)
eval_hermitenorm: Primitive = smooth_ufunc(
    scipy.special.eval_hermitenorm,
    DEGREE,
    lambda n, x: n * lower(n, lambda k: eval_hermitenorm.bind(k, x)),
    singular=False,
)
eval_laguerre: Primitive = smooth_ufunc(
    scipy.special.eval_laguerre,
    DEGREE,
    lambda n, x: -lower(n, lambda k: eval_genlaguerre.bind(k, 1.0, x)),
    singular=False,
)
eval_genlaguerre: Primitive = smooth_ufunc(
    scipy.special.eval_genlaguerre,
    DEGREE,
    PARAMETER,
    lambda n, a, x: -lower(n, lambda k: eval_genlaguerre.bind(k, a + 1, x)),
    singular=False,
)


def harmonic(n: Value, m: Value, theta: Value, phi: Value) -> Value:
    return scipy.special.sph_harm_y(n, m, theta, phi)


def harmonic_by_theta(n: Value, m: Value, theta: Value, phi: Value) -> Value:
    """By the ladder operators: (sqrt((n-m)(n+m+1)) exp(-i phi) Y_(m+1) - sqrt((n+m)(n-m+1)) exp(i phi) Y_(m-1)) / 2."""
    up, down = np.sqrt((n - m) * (n + m + 1.0)), np.sqrt((n + m) * (n - m + 1.0))
    above = sph_harm.bind(n, np.where(m < n, m + 1, m), theta, phi)
    below = sph_harm.bind(n, np.where(m > -n, m - 1, m), theta, phi)
    return (up * np.exp(-1j * phi) * above - down * np.exp(1j * phi) * below) / 2


sph_harm: Primitive = smooth_ufunc(
    harmonic,
    Unknown("the degree"),
    Unknown("the order"),
    harmonic_by_theta,
    lambda n, m, theta, phi: 1j * m * sph_harm.bind(n, m, theta, phi),
    name="sph_harm_y",
    singular=False,
)

if hasattr(scipy.special, "sph_harm_y"):  # since SciPy 1.15

    @face(scipy.special.sph_harm_y)
    def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Value:
        """The spherical harmonics of degree n and order m.

        Args:
            n: whole numbers.
            m: whole numbers from -n to n.
            theta: the polar angle.
            phi: the azimuth.
            diff_n: 0; derivatives are taken by xformad.

        Returns:
            Complex numbers.

        Raises:
            UnsupportedError: with `diff_n`.

        >>> from xformad import grad
        >>> grad(lambda theta: sph_harm_y(1, 0, theta, 0.0).real)(0.5).round(12)  # of sqrt(3 / (4 pi)) cos(theta)
        np.float64(-0.234248522432)
        """
        if diff_n != 0:
            raise UnsupportedError(
                "scipy.special.sph_harm_y with diff_n is not supported on traced arrays; differentiate it instead"
            )
        return sph_harm.bind(as_array(n), as_array(m), as_array(theta), as_array(phi))
