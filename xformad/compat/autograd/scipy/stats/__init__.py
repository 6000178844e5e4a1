"""Autograd's `autograd.scipy.stats`: the distributions of `xformad.scipy.stats`; those that Autograd has are modules."""

from __future__ import annotations

from typing import Any

from xformad.compat.autograd.scipy.faces import names_of
from xformad.compat.autograd.scipy.stats import (
    beta,
    chi2,
    dirichlet,
    gamma,
    multivariate_normal,
    norm,
    poisson,
    t,
)

MODULES = (beta, chi2, dirichlet, gamma, multivariate_normal, norm, poisson, t)

globals().update(names_of("stats"), **{module.__name__.rpartition(".")[2]: module for module in MODULES})


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.scipy.stats' has no attribute '{name}'")
