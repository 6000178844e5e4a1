"""The mathematical functions of a kernel: those that its text calls, and nothing else, are added to it.

They are written here rather than called in the C library because calls keep a loop from being vectorised. Each is a
formula without a branch (see `formulas.py`), in two ways:

- to be inlined, so that the loop around it is vectorised like any other;
- or, for sine, cosine and tangent, and where a module calls so many that inlining them would take long to compile, as a
  function for one number and another one for a vector of numbers, which the vectoriser calls in place of the first one
  (LLVM's attribute `vector-function-abi-variant`). Without a loop, there is only the first one.

The latter's arguments may be huge: then the C library is asked, for that vector alone. Sine and cosine come from one
function, so that a program which needs both, as every derivative of one does, calls it once.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from xformad.compiler.native import functions_erf, functions_exp, functions_log, functions_power, functions_trig
from xformad.compiler.native.formulas import DOUBLE, SINGLE, Formula, Number, absolute

PREFIX: Final = "xf_"
"""Of the functions' names in a module. Those for floats have an f at the end, as in C."""

INLINED: Final = 300
"""How many instructions may be inlined in a module. A vectorised loop has some four copies of each."""


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A mathematical function.

    Attributes:
        formula: that gives its results from its arguments.
        arguments: how many.
        wide: whether it is computed with doubles for floats, too.
        library: the functions of the C library that are asked about huge arguments, one a result; if there are any, the
            function is never inlined.
    """

    formula: Callable[..., Number | tuple[Number, ...]]
    arguments: int = 1
    wide: bool = False
    library: tuple[str, ...] = ()


FUNCTIONS: Final[dict[str, Function]] = {
    "exp": Function(functions_exp.exp),
    "exp2": Function(functions_exp.exp2),
    "expm1": Function(functions_exp.expm1),
    "sinh": Function(functions_exp.sinh),
    "cosh": Function(functions_exp.cosh),
    "tanh": Function(functions_exp.tanh),
    "expit": Function(functions_exp.expit),
    "log": Function(functions_log.log),
    "log2": Function(functions_log.log2),
    "log10": Function(functions_log.log10),
    "log1p": Function(functions_log.log1p),
    "arcsinh": Function(functions_log.arcsinh),
    "arccosh": Function(functions_log.arccosh),
    "arctanh": Function(functions_log.arctanh),
    "logaddexp": Function(functions_log.logaddexp, arguments=2),
    "logaddexp2": Function(functions_log.logaddexp2, arguments=2),
    "log_expit": Function(functions_log.log_expit),
    "sincos": Function(functions_trig.sincos, library=("sin", "cos")),
    "tan": Function(functions_trig.tan, library=("tan",)),
    "arcsin": Function(functions_trig.arcsin),
    "arccos": Function(functions_trig.arccos),
    "arctan": Function(functions_trig.arctan),
    "arctan2": Function(functions_trig.arctan2, arguments=2),
    "power": Function(functions_power.power, arguments=2, wide=True),
    "cbrt": Function(functions_power.cbrt),
    "hypot": Function(functions_power.hypot, arguments=2),
    "erf": Function(functions_erf.erf, wide=True),
    "erfc": Function(functions_erf.erfc, wide=True),
}


def definitions(text: str, lanes: int) -> str:
    """The functions that a module calls.

    Args:
        text: of the module, without them.
        lanes: how many doubles the vectoriser puts into a vector.

    >>> print(definitions("%y = call double @xf_exp(double %x)", 4).splitlines()[0])
    define internal double @xf_exp(double %x0) alwaysinline memory(none) nounwind willreturn {
    """
    calls = collections.Counter(re.findall(rf"call [^@]*@{PREFIX}(\w+)\(", text))
    loops = " phi " in text
    texts: list[str] = []
    kept: list[str] = []
    names = {called: (called, False) if called in FUNCTIONS else (called[:-1], True) for called in sorted(calls)}
    instructions = sum(count * definition(*names[called]).count("\n") for called, count in calls.items())
    for called, (name, single) in names.items():
        if instructions <= INLINED and not FUNCTIONS[name].library:
            texts.append(definition(name, single, 0, "alwaysinline"))
            continue
        if not loops:
            texts.append(definition(name, single))
            continue
        widths = [2 * lanes, lanes] if single else [lanes]  # a loop may work on doubles, too
        mangled = "v" * FUNCTIONS[name].arguments + f"_{PREFIX}{called}({PREFIX}{called}_"
        variants = ",".join(f"_ZGV_LLVM_N{n}{mangled}{n})" for n in widths)
        kept.append(f"ptr @{PREFIX}{called}")  # so that it keeps its signature
        texts.append(definition(name, single, 0, f'noinline "vector-function-abi-variant"="{variants}"'))
        for n in widths:
            texts.append(definition(name, single, n))
            kept.append(f"ptr @{PREFIX}{called}_{n}")
    if kept:  # or they would be removed before the vectoriser asks for them
        texts.insert(0, f"@llvm.compiler.used = appending global [{len(kept)} x ptr] [{', '.join(kept)}]")
    return "\n\n".join(texts)


@functools.cache
def definition(name: str, single: bool, lanes: int = 0, attributes: str = "noinline") -> str:
    """The text of a function, for numbers, or for vectors of so many lanes."""
    function = FUNCTIONS[name]
    wide = single and function.wide
    formula = Formula(SINGLE if single and not wide else DOUBLE, lanes, wide)
    x = [formula.parameter(f"x{i}") for i in range(function.arguments)]
    value = function.formula(*x)
    results = value if isinstance(value, tuple) else (value,)
    full = f"{PREFIX}{name}{'f' if single else ''}{f'_{lanes}' if lanes else ''}"
    if function.library:
        far = absolute(x[0]) > functions_trig.BOUNDS[formula.format.kind]
        others = [f"{other}f" if single else other for other in function.library]
        return formula.guarded(full, results, far, others, attributes)
    return formula.text(full, results[0], attributes)
