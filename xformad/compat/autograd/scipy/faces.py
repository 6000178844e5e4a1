"""The names of a module of SciPy for programs under transformation."""

from __future__ import annotations

import importlib
from typing import Any


def names_of(name: str) -> dict[str, Any]:
    """The public names of a module of SciPy, with the functions of `xformad.scipy` in the place of those that do not
    dispatch.

    >>> names_of("special")["gammaln"].__name__
    'gammaln'
    """
    found = public(importlib.import_module(f"scipy.{name}"))
    ours = importlib.import_module(f"xformad.scipy.{name}")
    return found | {each: getattr(ours, each) for each in ours.__all__}


def public(space: Any) -> dict[str, Any]:
    """What an object or module offers under names without an underscore."""
    return {name: getattr(space, name) for name in dir(space) if not name.startswith("_")}
