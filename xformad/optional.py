"""The packages that xformad can do without: they are imported where they are first needed.

>>> scipy("sparse", "sparse_hessian").__name__
'scipy.sparse'
"""

from __future__ import annotations

import importlib
from types import ModuleType

from xformad.errors import MissingPackageError


def scipy(module: str, purpose: str) -> ModuleType:
    """A module of SciPy.

    Args:
        module: its name in SciPy.
        purpose: what needs it, for the message.

    Raises:
        MissingPackageError: if SciPy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError as error:
        raise MissingPackageError(f"{purpose} needs SciPy; install it with: pip install 'xformad[scipy]'") from error


def graphviz(purpose: str) -> ModuleType:
    """The Python interface of Graphviz.

    Args:
        purpose: what needs it, for the message.

    Raises:
        MissingPackageError: if it is not installed.
    """
    try:
        return importlib.import_module("graphviz")
    except ImportError as error:
        raise MissingPackageError(
            f"{purpose} needs the graphviz package; install it with: pip install 'xformad[draw]'"
        ) from error
