"""Which primitives there are: xformad's own, and those of users, of which the compiler knows nothing.

Files call them by names, and are read by looking these up: xformad's own go by the names that graphs show, others by these
names after that of the module.

>>> from xformad.core.primitive import Primitive, add
>>> double = Primitive("double", lambda x: 2 * x)
>>> known()["add"] is add, qualified(double)
(True, '....double')
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import weakref
from typing import Final, final

from xformad.core.primitive import Primitive
from xformad.interpreters.vjp_rules import vjp_rules

OURS: Final = "xformad."

HOLDING_FUNCTIONS: Final = frozenset(
    ("call", "custom_jvp", "custom_vjp", "jit", "kernel", "linear_solution", "odeint", "root")
)
"""xformad's primitives that hold Python functions, which files do not."""

SCIPY: Final = ("fft", "integrate", "interpolate", "linalg", "optimize", "signal", "sparse", "special", "stats")
"""The packages of `xformad.scipy`, which are not imported before they are needed."""

made: Final[weakref.WeakValueDictionary[str, Primitive]] = weakref.WeakValueDictionary()
"""What was made by `xformad.extend.primitive`, the newest one of each name."""


def own() -> dict[str, Primitive]:
    """xformad's own primitives: those that its modules have as attributes."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(OURS)]
    found = [value for module in modules for value in list(vars(module).values()) if isinstance(value, Primitive)]
    return {primitive.name: primitive for primitive in found}


@final
class Substitute(Primitive):
    """What stands for one of xformad's own primitives in a program, with another implementation."""


ours: Final[dict[str, Primitive]] = {}
"""Those found so far."""


def is_own(primitive: Primitive) -> bool:
    """Whether a primitive is xformad's own: a user's may have the same name, and mean something else."""
    if primitive.name not in ours:  # a module may have been imported since
        ours.update(own())
    return ours.get(primitive.name) is primitive or type(primitive) is Substitute


def known() -> dict[str, Primitive]:
    """The primitives that files may name, by their names there. Of others than xformad's: those made by
    `xformad.extend.primitive`, and those that have vjp rules.
    """
    table = own()
    theirs = {qualified(each): each for each in vjp_rules if table.get(each.name) is not each}
    named = {name: each for name, each in (*theirs.items(), *made.items()) if not name.startswith(OURS)}
    return {**named, **{name: each for name, each in table.items() if name not in HOLDING_FUNCTIONS}}


def with_scipy() -> dict[str, Primitive]:
    """The same, when all packages of `xformad.scipy` have been imported."""
    if importlib.util.find_spec("scipy") is not None:
        for package in SCIPY:
            importlib.import_module(f"xformad.scipy.{package}")
    return known()


def qualified(primitive: Primitive) -> str:
    """The name of somebody else's primitive."""
    module = vars(primitive).get("__module__") or getattr(primitive.implementation, "__module__", None)
    return f"{module}.{primitive.name}"
