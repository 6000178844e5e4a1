"""Which functions there are: those that NumPy dispatches, those of `xformad.numpy` and `xformad.scipy`, and the rows of
docs/functions.tsv; and what each of them does on traced arrays.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from coverage_probe import CONSTANT, DIFFERENTIABLE, NO_DERIVATIVE, REFUSED, Outcome, Samples, probe

import xformad.numpy
import xformad.scipy
from xformad.core.dispatch import FUNCTIONS, UFUNCS
from xformad.interpreters.vjp_rules import vjp_rules

DESCRIBED: Final = "With what their docstrings say is differentiable"
PLAIN: Final = "For plain arrays, being SciPy's own"
REFUSALS: Final = "Refused"

WRITERS: Final = frozenset(("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"))
"""Functions that write into their first argument, which must not be one of the function under transformation."""

TABLE: Final = Path(__file__).with_name("functions.tsv")


def rows() -> list[tuple[str, str, bool, bool]]:
    """The table: module, name, whether it has a gradient in Autograd, and whether it exists in JAX."""
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [(module, name, of_autograd == "yes", in_jax == "yes")
            for module, name, _, of_autograd, in_jax in (line.split("\t") for line in lines[1:])]  # fmt: skip


def member(module: str, name: str) -> Any:
    """What a name means in NumPy or SciPy; None where this version has it not."""
    return getattr(importlib.import_module(module), name, None)


def scipy_modules() -> dict[str, Any]:
    """The modules of `xformad.scipy` by SciPy's names."""
    found = [info.name for info in pkgutil.iter_modules(xformad.scipy.__path__) if info.ispkg]
    modules = {f"scipy.{name}": importlib.import_module(f"xformad.scipy.{name}") for name in found}
    return {name: module for name, module in modules.items() if hasattr(module, "__all__")}


def on_a_copy(function: Callable[..., Any]) -> Callable[..., Any]:
    """The result is what was written into."""

    def call(array: Any, *args: Any) -> Any:
        copy = xformad.numpy.array(array)
        function(copy, *args)
        return copy

    return call


def module_of(function: Any) -> str:
    """Where users find a function that dispatches."""
    module = getattr(function, "__module__", None)
    if module:
        return str(module)
    special = importlib.import_module("scipy.special")
    return "scipy.special" if getattr(special, function.__name__, None) is function else "numpy"


@dataclass
class Coverage:
    """The outcomes of all functions.

    Attributes:
        samples: arguments that are tried on every function.
        special: those for functions that take something else, by their names with or without the module.
        constants: the functions that take no arrays.
        reasons: why functions are refused that cannot say so themselves, and what to write instead.
    """

    samples: Samples
    special: dict[str, Samples]
    constants: frozenset[str]
    reasons: dict[str, str]
    known: dict[str, Outcome | None] = field(default_factory=dict)

    def of(self, name: str) -> Outcome | None:
        """The outcome of a function, by its name with the module; None where nothing is known of it."""
        if name not in self.known:
            self.known[name] = self.find(name)
        return self.known[name]

    def find(self, name: str) -> Outcome | None:
        module, _, last = name.rpartition(".")
        if name in self.constants:
            return Outcome(CONSTANT)
        function = member(module, last)
        primitive = UFUNCS.get(function)
        if primitive is not None:
            rules = vjp_rules[primitive].rules
            if rules is not None and not any(rules.values()):  # it may take whole numbers only
                return Outcome(NO_DERIVATIVE, (primitive.name,))
        found = self.call(name, self.ours(module, last, function))
        if name in self.reasons and (isinstance(found, str) or found.state == REFUSED):
            return Outcome(REFUSED, (), self.reasons[name])
        if isinstance(found, Outcome):
            return found
        if function in FUNCTIONS or primitive is not None:
            raise SystemExit(f"no sample suits {name}: add one to SPECIAL in docs/generate_coverage.py\n{found}")
        return None

    def ours(self, module: str, name: str, function: Any) -> Any:
        """The function that programs call: NumPy's where it dispatches, else that of xformad."""
        if module == "numpy" and name in WRITERS:
            return on_a_copy(function)
        if function in FUNCTIONS or function in UFUNCS or name.startswith("_"):
            return function
        if module.startswith("numpy"):
            return getattr(xformad.numpy, name, function) if module == "numpy" else function
        return getattr(scipy_modules().get(module), name, function)

    def call(self, name: str, function: Callable[..., Any] | None) -> Outcome | str:
        """The outcome of calls with samples; text with the errors where none suits it."""
        if function is None:
            return "it is not in this version"
        return probe(
            function, [*self.special.get(name, ()), *self.special.get(name.rpartition(".")[2], ()), *self.samples]
        )

    def names(self) -> dict[str, list[str]]:
        """The functions of each module: rows of the table and others that do something on traced arrays."""
        found = {f"{module}.{name}" for module, name, *_ in rows()}
        found |= {f"{module_of(function)}.{function.__name__}" for function in (*FUNCTIONS, *UFUNCS)}
        for module, ours in scipy_modules().items():
            functions = [f"{module}.{name}" for name in ours.__all__ if is_function(getattr(ours, name))]
            found |= {name for name in functions if state_of(self.of(name)) in ("a", "b")}
        modules: dict[str, list[str]] = {module: [] for module in scipy_modules()}
        for name in sorted(found, key=str.lower):
            modules.setdefault(name.rpartition(".")[0], []).append(name)
        return dict(sorted(modules.items()))

    def others(self, module: str, listed: list[str]) -> dict[str, list[str]]:
        """What else a module of `xformad.scipy` has, by what it does."""
        ours = scipy_modules().get(module)
        found: dict[str, list[str]] = {}
        for name in [] if ours is None else ours.__all__:
            if f"{module}.{name}" in listed:
                continue
            if getattr(ours, name) is not member(module, name):
                kind = REFUSALS if refused(self.of(f"{module}.{name}")) else DESCRIBED
            elif is_function(getattr(ours, name)):
                kind = PLAIN
            else:
                continue
            found.setdefault(kind, []).append(name)
        return dict(sorted(found.items(), reverse=True))


def refused(outcome: Outcome | None) -> bool:
    """Whether a function refuses traced arrays as such, not these samples."""
    return outcome is not None and "not supported on traced arrays" in outcome.reason


def is_function(x: Any) -> bool:
    return callable(x) and not isinstance(x, type) and (isinstance(x, np.ufunc) or hasattr(x, "__name__"))


def state_of(outcome: Outcome | None) -> str:
    """The letter that counts: a for derivatives, b for none, c for a refusal; none where nothing is known."""
    if outcome is None:
        return ""
    if outcome.state.startswith(DIFFERENTIABLE):
        return "a"
    return "c" if outcome.state == REFUSED else "b"
