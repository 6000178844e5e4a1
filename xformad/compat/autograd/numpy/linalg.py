"""Autograd's `autograd.numpy.linalg`: NumPy's, which dispatches; `norm` takes lists of traced numbers as well."""

from __future__ import annotations

from typing import Any

import numpy.linalg

from xformad.compat.autograd.numpy.numpy_wrapper import of_lists

globals().update({name: value for name, value in vars(numpy.linalg).items() if not name.startswith("_")})

norm = of_lists(numpy.linalg.norm)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'autograd.numpy.linalg' has no attribute '{name}'")
