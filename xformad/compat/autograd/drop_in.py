"""`install`: `import autograd` means `xformad.compat.autograd`, also where Autograd is installed.

A finder before all others answers for `autograd` and what is below it, with the modules of this package. Modules that have
imported Autograd before keep it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final, final

OURS: Final = "xformad.compat.autograd"
THEIRS: Final = "autograd"


def of_autograd(name: str) -> bool:
    return name == THEIRS or name.startswith(THEIRS + ".")


@final
class Finder(MetaPathFinder, Loader):
    """Finds the modules of `autograd` in this package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of this package that stands for one of Autograd."""
        if not of_autograd(fullname):
            return None
        found = importlib.util.find_spec(OURS + fullname.removeprefix(THEIRS))
        return (
            None
            if found is None
            else ModuleSpec(fullname, self, origin=found.origin, is_package=bool(found.submodule_search_locations))
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import it under its own name."""
        module = importlib.import_module(OURS + spec.name.removeprefix(THEIRS))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own specification back, which the import system has replaced.

        The modules that it has imported get their second names at once: the import system would bind each of them in its
        package, over a function of that name (`autograd.misc.flatten`).
        """
        spec = module.__spec__
        assert spec is not None
        module.__spec__ = spec.loader_state
        for name in [name for name in sys.modules if name.startswith(OURS + ".")]:
            sys.modules.setdefault(THEIRS + name.removeprefix(OURS), sys.modules[name])


FINDER: Final = Finder()
replaced: Final[dict[str, ModuleType]] = {}


def install() -> None:
    """Make `import autograd` mean this package, from now on. Calling it again does nothing.

    >>> install()
    >>> import autograd.numpy as np
    >>> from autograd import grad
    >>> uninstall()
    >>> grad(np.tanh)(0.0)
    np.float64(1.0)
    """
    if FINDER not in sys.meta_path:
        replaced.update(taken_out())
        sys.meta_path.insert(0, FINDER)


def uninstall() -> None:
    """Make `import autograd` mean what it meant before `install`."""
    if FINDER in sys.meta_path:
        sys.meta_path.remove(FINDER)
        taken_out()
        sys.modules.update(replaced)
        replaced.clear()


def taken_out() -> dict[str, ModuleType]:
    """The modules of `autograd` that are imported; they no longer are."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if of_autograd(name)}
