"""The text and the tables of docs/coverage.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from coverage_functions import Coverage, rows, state_of
from coverage_probe import CONSTANT, DIFFERENTIABLE, NO_DERIVATIVE, REFUSED, Outcome

from xformad.core.dispatch import ATTRIBUTES, METHODS, UFUNC_METHODS
from xformad.core.primitive import Primitive
from xformad.core.rules import RuleTable
from xformad.interpreters.batch_rules import ELEMENTWISE, batch_rules
from xformad.interpreters.index_sets import index_set_rules
from xformad.interpreters.jvp_rules import jvp_rules
from xformad.interpreters.taylor_rules import taylor_rules
from xformad.interpreters.vjp_rules import VjpEntry, vjp_rules
from xformad.transformations.calls import Call
from xformad.transformations.custom_calls import CustomCall

NO_STATE: Final = "**no state**"


def listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(head: str, rows: Iterator[str]) -> list[str]:
    columns = head.count("|") - 1
    return [head, "|" + "---|" * columns, *rows, ""]


def row(name: str, outcome: Outcome | None) -> str:
    if outcome is None:
        return f"| `{name}` | {NO_STATE} | |"
    reason = outcome.reason.replace("|", "\\|").replace("\n", " ")
    return f"| `{name}` | {outcome.state} | {reason or listed(outcome.primitives)} |"


def count_rows(coverage: Coverage) -> Iterator[str]:
    """The rows of the table of functions, counted by their states."""
    modules: dict[str, list[str]] = {}
    for module, name, *_ in rows():
        modules.setdefault(module, []).append(state_of(coverage.of(f"{module}.{name}")))
    modules["all"] = [state for states in modules.values() for state in states]
    for module, states in modules.items():
        yield f"| {module} | " + " | ".join(str(states.count(state)) for state in "abc") + f" | {len(states)} |"


def probed(coverage: Coverage, name: str, function: Callable[..., Any]) -> Outcome:
    found = coverage.call(name, function)
    if isinstance(found, str):
        raise SystemExit(f"no sample suits {name}: add one to SPECIAL in docs/generate_coverage.py\n{found}")
    return found


def method_rows(coverage: Coverage) -> Iterator[str]:
    for name in sorted({*METHODS, *ATTRIBUTES}):
        if not hasattr(np.ndarray, name) or name.startswith("__"):
            continue
        attribute = name in ATTRIBUTES
        found = probed(coverage, name, ATTRIBUTES[name] if attribute else METHODS[name])
        yield row(f"x.{name}" if attribute else f"x.{name}()", found)


def ufunc_method_rows(coverage: Coverage) -> Iterator[str]:
    calls: dict[str, Callable[..., Any]] = {
        "reduce": lambda x: np.add.reduce(x),
        "accumulate": lambda x: np.add.accumulate(x),
        "outer": lambda x: np.add.outer(x, x),
        "at": lambda x: np.add.at(x, [0], 1.0),
        "reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    }
    for name in sorted(set(calls) & set(UFUNC_METHODS)):
        yield row(f"numpy.add.{name}", probed(coverage, f"add.{name}", calls[name]))


def form(entry: VjpEntry) -> str:
    """The form of the vjp rule of a primitive, in words."""
    linear = ", linear" if entry.linear else ""
    if entry.joint is not None:
        return "joint"
    if entry.variadic is not None:
        return "variadic" + linear
    assert entry.rules is not None
    with_rule = [str(i) for i, rule in entry.rules.items() if rule is not None]
    without = [i for i, rule in entry.rules.items() if rule is None]
    if not with_rule:
        return "zero"
    if len(entry.rules) == 1:
        return "one argument" + linear
    text = f"argument{'s' if len(with_rule) > 1 else ''} {', '.join(with_rule)}"
    if without:
        text += "; zero for " + (f"{without[0]} and on" if len(without) > 4 else ", ".join(map(str, without)))
    return text + linear


def primitive_rows(rules: RuleTable[VjpEntry]) -> Iterator[str]:
    passing = {"elementwise": "pass", "moves": "move along", "": "become numbers"}
    for primitive in sorted(rules, key=lambda each: (each.name.lower(), each.name)):
        entry = rules[primitive]
        zero = form(entry) == "zero"
        zeros = "" if zero else passing[entry.mask]
        modes = [of(primitive, entry, zero) for of in (jvp_rule, batching_rule, taylor_rule, index_sets)]
        yield f"| `{primitive.name}` | {form(entry)} | {zeros} | {' | '.join(modes)} |"


def jvp_rule(primitive: Primitive, entry: VjpEntry, zero: bool) -> str:
    if primitive in jvp_rules:
        return "own"
    if zero:
        return "zero"
    if entry.linear:
        return "linear"
    return "diagonal" if entry.mask == "elementwise" else "transposed"


def batching_rule(primitive: Primitive, entry: VjpEntry, zero: bool) -> str:
    if primitive in ELEMENTWISE:
        return "elementwise"
    return "own" if primitive in batch_rules else "loop"


def taylor_rule(primitive: Primitive, entry: VjpEntry, zero: bool) -> str:
    if primitive in taylor_rules:
        return "own"
    if zero:
        return "zero"
    if isinstance(primitive, Call) and not isinstance(primitive, CustomCall):
        return "inside"
    return "product" if entry.linear else "by jvp"


def index_sets(primitive: Primitive, entry: VjpEntry, zero: bool) -> str:
    if primitive in index_set_rules:
        return "own"
    if zero:
        return "empty"
    if isinstance(primitive, Call):
        return "inside"
    return entry.mask or "all"


INTRODUCTION: Final = f"""\
# Coverage

This page is made by `docs/generate_coverage.py`, which calls each function on traced arrays. It was made with NumPy
{".".join(np.__version__.split(".")[:2])}.

- **{DIFFERENTIABLE}**: the result carries a derivative, to any order, and the call works under `vjp`, `jvp`, `vmap`,
  `taylor` and `sparse_jacobian`. A mode that refuses it is named.
- **{NO_DERIVATIVE}**: the result is a whole number, a truth value, or locally constant. It is computed, as a plain value.
- **{CONSTANT}**: it takes no arrays, and makes a constant.
- **{REFUSED}**: an error says what to write instead; the last column says it too.

The last column names the primitives that the sample call was made of. A function that is not listed is refused on
traced arrays, and works on plain ones as ever. NumPy does not hand over `array`, `asarray` and a few others; these are in
`xformad.numpy`. Functions of SciPy that are no ufuncs are in `xformad.scipy`.

All operators of Python work on traced arrays: arithmetic, comparison, shifts, `@`, `%`, `//`, `divmod`, `abs`, `round`,
indexing, `len`, iteration, `in`.

The methods `reduce`, `accumulate`, `reduceat` and `outer` of ufuncs work for every ufunc of two arguments that is listed,
one after the other where the order matters. Reductions take `where=` and `initial=`. `out=` writes into arrays
that the program made ([in-place programs](in_place.md)); without it, `where=` of ufuncs is refused.

## What is accounted for

`docs/functions.tsv` lists the functions of NumPy and SciPy that Autograd or JAX cover too. Each of them
is (a) differentiable, (b) works without a derivative, or makes a constant, or (c) is refused.
"""


def page(coverage: Coverage) -> str:
    head = "| function | on traced arrays | made of, or why not |"
    lines = [INTRODUCTION]
    lines += table("| module | (a) | (b) | (c) | functions |", count_rows(coverage))
    for module, names in coverage.names().items():
        lines += [f"## {module}", ""]
        lines += table(head, (row(name, coverage.of(name)) for name in names)) if names else []
        for kind, others in coverage.others(module, names).items():
            lines += [f"{kind}: {listed(others)}.", ""]
    lines += ["## Methods and attributes of arrays", "", "`shape`, `dtype`, `ndim` and `size` are plain values.", ""]
    lines += table("| method | on traced arrays | made of |", method_rows(coverage))
    lines += ["## Methods of ufuncs", "", "For `numpy.add`.", ""]
    lines += table(head, ufunc_method_rows(coverage))
    lines += [
        "## Primitives",
        "",
        "The operations that rules are written for, and the form of the vjp rule: with respect to which arguments there",
        "is one, or a joint one for all, or one for any number of arguments (variadic). A linear primitive has its",
        "transpose for a rule. The third column says what happens to",
        "[structural zeros](how_it_works.md#cotangents-that-are-not-plain-arrays) on the way back.",
        "",
        "The other columns say where the meanings in the other modes come from. **own**: a rule in the table of that mode.",
        "Forward mode: the primitive is linear, its Jacobian diagonal, or its vjp rule is transposed. Taylor mode: a Cauchy",
        "product, or the jvp rule, order by order. `vmap`: elementwise primitives need their operands lined up only. Index",
        "sets: entries depend on those at their place, move, or depend on all entries. **inside**: the primitive holds",
        "functions, and these are run on what the mode makes of the arguments. **zero**, **empty**: there is no derivative.",
        "",
        *table(
            "| primitive | vjp rule | structural zeros | jvp | vmap | Taylor | index sets |", primitive_rows(vjp_rules)
        ),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"
