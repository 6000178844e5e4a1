"""Derivatives of eigenvalues, singular values and their vectors where values are equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xformad import grad, hessian

EYE = np.eye(2)
TWO_AND_TWO = np.diag([1.0, 1.0, 3.0, 3.0])


def rebuilt(x: Any) -> Any:
    w, v = np.linalg.eigh(x)
    return np.sum((v * w) @ v.T)


def apart(x: Any) -> Any:
    w, v = np.linalg.eigh(x)
    return np.sum(v @ v.T) + np.sum(w)


def rebuilt_svd(x: Any) -> Any:
    u, s, vh = np.linalg.svd(x)
    return np.sum((u * s) @ vh)


def logarithm(x: Any) -> Any:
    w, v = np.linalg.eigh(x)
    return np.sum((v * np.log(w)) @ v.T)


def phase(x: Any) -> Any:
    return np.imag(np.linalg.eigh(x)[1][0, 0])


@pytest.mark.parametrize("fun", [rebuilt, apart, rebuilt_svd, logarithm])
def test_what_the_cotangents_do_not_determine_is_nan_with_a_warning(fun: Callable[..., Any]) -> None:
    with pytest.warns(RuntimeWarning, match="is not determined"):
        assert np.isnan(grad(fun)(EYE)).any()


def test_what_depends_on_the_choice_of_vectors_is_nan_with_a_warning() -> None:
    with pytest.warns(RuntimeWarning, match="is not determined"):
        gradient = grad(lambda x: np.linalg.eigh(x)[1][0] @ np.array([1.0, 2.0]))(EYE)
    assert np.isnan(gradient).any()
    with pytest.warns(RuntimeWarning, match="phase"):
        assert np.isnan(grad(phase)(np.array([[2.0, 0.5j], [-0.5j, 1.0]]))).any()


def test_functions_of_the_values_alone() -> None:
    np.testing.assert_allclose(grad(lambda x: np.sum(np.linalg.eigh(x)[0] ** 2))(EYE), 2 * EYE)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.linalg.eigvalsh(x) ** 2))(EYE), 2 * EYE)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.linalg.svdvals(x)))(EYE), EYE)
    np.testing.assert_allclose(grad(lambda x: np.linalg.norm(x, "nuc"))(EYE), EYE)
    np.testing.assert_allclose(hessian(lambda x: np.sum(np.linalg.eigvalsh(x)))(EYE), np.zeros((2, 2, 2, 2)))


def test_projection_onto_an_invariant_subspace() -> None:
    weight = np.random.default_rng(0).normal(size=(4, 4))

    def energy(x: Any) -> Any:
        v = np.linalg.eigh(x)[1][:, :2]
        return np.sum(weight * (v @ v.T))

    gradient = grad(energy)(TWO_AND_TWO)
    direction = np.random.default_rng(1).normal(size=(4, 4))
    direction = direction + direction.T
    step = 1e-5
    difference = (energy(TWO_AND_TWO + step * direction) - energy(TWO_AND_TWO - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient * direction), difference, rtol=1e-6)


def test_polar_factor() -> None:
    """At the identity, the unitary factor of I + E is I + (E - E^T) / 2 to first order."""
    weight = np.array([[1.0, 2.0], [3.0, 5.0]])

    def polar(x: Any) -> Any:
        u, _, vh = np.linalg.svd(x)
        return np.sum(weight * (u @ vh))

    np.testing.assert_allclose(grad(polar)(EYE), (weight - weight.T) / 2)


def test_eigenvalues_of_general_matrices() -> None:
    np.testing.assert_allclose(grad(lambda x: np.real(np.sum(np.linalg.eigvals(x) ** 2)))(EYE), 2 * EYE)
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])  # of a matrix with complex eigenvalues: the square of each is -1
    np.testing.assert_allclose(grad(lambda x: np.real(np.sum(np.linalg.eigvals(x) ** 2)))(turn), 2 * turn.T, atol=1e-14)
    with pytest.warns(RuntimeWarning, match="numpy.linalg.eig "):
        assert np.isnan(grad(lambda x: np.sum(np.real(np.linalg.eig(x)[1] @ np.array([1.0, 2.0]))))(EYE)).any()
