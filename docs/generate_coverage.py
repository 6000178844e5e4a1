"""Makes docs/coverage.md from the tables of operations.

    python docs/generate_coverage.py            writes the page
    python docs/generate_coverage.py --check    tells whether it is up to date

Each NumPy function for which there is an implementation is called on traced sample arguments. What comes back tells
whether it is differentiable; `xformad.trace` tells which primitives it is made of.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from xformad import UnsupportedError, XformadError, jvp, taylor, trace, tree, vjp, vmap
from xformad.core.dispatch import ATTRIBUTES, FUNCTIONS, METHODS, UFUNC_METHODS, UFUNCS
from xformad.core.primitive import Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.interpreters.batch_rules import ELEMENTWISE, batch_rules
from xformad.interpreters.index_sets import IndexSets, index_set_rules
from xformad.interpreters.jvp_rules import jvp_rules
from xformad.interpreters.taylor_rules import taylor_rules
from xformad.interpreters.vjp_rules import VjpEntry, vjp_rules
from xformad.transformations.calls import Call
from xformad.transformations.custom_calls import CustomCall

DOCS: Final = Path(__file__).parent
PAGE: Final = DOCS / "coverage.md"

MATRIX: Final = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
VECTOR: Final = np.array([0.3, 0.9, 0.6])
CUBE: Final = np.arange(1.0, 9.0).reshape(2, 2, 2)
MASK: Final = np.array([True, False, True])

# Arguments that are tried, in this order, until a call succeeds; the best outcome counts.
SAMPLES: Final[list[tuple[Any, ...]]] = [
    (MATRIX,), (VECTOR,), (CUBE,), (MATRIX, MATRIX), (VECTOR, VECTOR), (MATRIX, VECTOR), (MATRIX, 0), (MATRIX, 0, 1),
    (MATRIX, [0, 1]), ([MATRIX, MATRIX],), ([VECTOR, VECTOR],), (VECTOR, VECTOR, VECTOR), (CUBE, CUBE, 2),
    (MASK, VECTOR), (MASK, VECTOR, VECTOR), ([MASK], [VECTOR]), (VECTOR, 1.0, 0), (VECTOR, MASK, VECTOR),
]  # fmt: skip

# And for functions that take something else.
SPECIAL: Final[dict[str, list[tuple[Any, ...]]]] = {
    "arccos": [(VECTOR,)],
    "arcsin": [(VECTOR,)],
    "arccosh": [(MATRIX + 1.0,)],
    "astype": [(MATRIX, float)],
    "block": [([[MATRIX], [MATRIX]],)],
    "broadcast_arrays": [(VECTOR, MATRIX)],
    "clip": [(VECTOR, 0.0, 0.5)],
    "cross": [(VECTOR, VECTOR)],
    "repeat": [(VECTOR, 2)],
    "where": [(MASK, VECTOR, VECTOR)],
    "reshape": [(MATRIX, (9,))],
    "resize": [(MATRIX, (9,))],
    "broadcast_to": [(VECTOR, (2, 3))],
    "choose": [(np.array([0, 1, 0]), [VECTOR, VECTOR])],
    "einsum": [("ij,j->i", MATRIX, VECTOR)],
    "einsum_path": [("ij,j->i", MATRIX, VECTOR)],
    "take_along_axis": [(MATRIX, np.zeros((1, 3), int), 0)],
    "put_along_axis": [(MATRIX, np.zeros((1, 3), int), 0.0, 0)],
    "apply_along_axis": [(np.sum, 0, MATRIX)],
    "apply_over_axes": [(np.sum, MATRIX, [0])],
    "piecewise": [(VECTOR, [MASK], [np.sin, np.cos])],
    "can_cast": [(MATRIX, float)],
    "array_split": [(VECTOR, 3)],
    "split": [(VECTOR, 3)],
    "hsplit": [(MATRIX, 3)],
    "vsplit": [(MATRIX, 3)],
    "dsplit": [(CUBE, 2)],
    "pad": [(VECTOR, 1)],
    "percentile": [(VECTOR, 30.0)],
    "nanpercentile": [(VECTOR, 30.0)],
    "quantile": [(VECTOR, 0.3)],
    "nanquantile": [(VECTOR, 0.3)],
    "tensorinv": [(np.eye(4).reshape(2, 2, 2, 2), 2)],
    "tensorsolve": [(np.eye(4).reshape(2, 2, 2, 2), np.ones((2, 2)))],
    "gradient": [(VECTOR,)],
    "insert": [(VECTOR, 1, 0.5)],
    "bincount": [(np.array([0, 1, 1]), VECTOR)],
    "digitize": [(VECTOR, np.array([0.0, 0.5, 1.0]))],
    "ix_": [(np.array([0, 1]), np.array([0, 1]))],
    "full_like": [(MATRIX, 2.0)],
    "polyder": [(VECTOR,)],
    "polyint": [(VECTOR,)],
    "polyfit": [(VECTOR, VECTOR, 1)],
    "vander": [(VECTOR,)],
    "interp": [(VECTOR, np.array([0.0, 0.5, 1.0]), VECTOR)],
    "select": [([MASK], [VECTOR])],
    "matrix_power": [(MATRIX, 3)],
    "multi_dot": [([MATRIX, MATRIX, VECTOR],)],
    "ldexp": [(VECTOR, np.array([1, 2, 3]))],
    "put": [(VECTOR, [0], 1.0)],
    "fill": [(VECTOR, 1.0)],
    "view": [(VECTOR, np.int64)],
    "ravel_multi_index": [((np.array([0, 1]), np.array([1, 0])), (2, 2))],
    "unravel_index": [(np.array([0, 1]), (2, 2))],
    "histogram": [(VECTOR, 2)],
}

DIFFERENTIABLE: Final = "differentiable"
NO_DERIVATIVE: Final = "no derivative"
REFUSED: Final = "refused"


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[str, list[str]]:
    """The state of a function, and the primitives that it is made of, by one call on traced arguments."""
    leaves, structure = tree.flatten(args)
    traced = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"]
    found = NO_DERIVATIVE

    def call(*values: Any) -> Any:
        nonlocal found
        filled = list(leaves)
        for i, value in zip(traced, values, strict=True):
            filled[i] = value
        out = tree.leaves_of(function(*tree.unflatten(structure, filled)))
        tracers = [x for x in out if type(x) is Tracer]
        if tracers:
            found = DIFFERENTIABLE
        return tracers

    values = [leaves[i] for i in traced]
    out, pullback = vjp(call, *values)
    pullback([np.ones_like(x) for x in out])
    state = found
    if state == DIFFERENTIABLE:
        state += "".join(f", not under {mode}" for mode, run in MODES.items() if not works(run, call, values))
    graph = trace(call)(*values)
    return state, list(dict.fromkeys(node.primitive.name for node in graph.equations if node.primitive is not None))


MODES: Final[dict[str, Callable[..., Any]]] = {
    "`jvp`": lambda call, values: jvp(call, values, [np.ones_like(x) for x in values]),
    "`vmap`": lambda call, values: vmap(call)(*[np.stack([x, x]) for x in values]),
    "`taylor`": lambda call, values: taylor(call, values, [[np.ones_like(x)] for x in values], order=3),
    "`sparse_jacobian`": lambda call, values: depend(call, values),
}


def depend(call: Callable[..., Any], values: list[Any]) -> None:
    """Run a function on index sets."""
    with IndexSets(sum(x.size for x in values)) as interpreter:
        call(*[interpreter.input(x, 0) for x in values])


def works(run: Callable[..., Any], call: Callable[..., Any], values: list[Any]) -> bool:
    try:
        run(call, values)
    except XformadError:
        return False
    return True


def probe(name: str, function: Callable[..., Any]) -> tuple[str, list[str]]:
    """The best outcome over the samples.

    Raises:
        SystemExit: if no sample suits the function.
    """
    refused = False
    best: tuple[str, list[str]] | None = None
    errors = []
    for args in (*SPECIAL.get(name, ()), *SAMPLES):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = outcome(function, args)
        except UnsupportedError:
            refused = True
            continue
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
            continue
        if found[0] == DIFFERENTIABLE:
            return found
        best = best or found
    if best is not None:
        return best
    if refused or any(error.startswith("ConcretizationError: x.") for error in errors):
        return REFUSED, []
    raise SystemExit(
        f"no sample suits {name}: add one to SPECIAL in docs/generate_coverage.py\n" + "\n".join(errors[:8])
    )


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(head: str, rows: Iterator[str]) -> list[str]:
    columns = head.count("|") - 1
    return [head, "|" + "---|" * columns, *rows, ""]


def function_rows(module: str) -> Iterator[str]:
    functions = {name_of(function): function for function in (*FUNCTIONS, *UFUNCS)}
    for name in sorted(functions, key=str.lower):
        if name.rpartition(".")[0] == module:
            state, primitives = function_outcome(name.rpartition(".")[2], functions[name])
            yield f"| `{name}` | {state} | {listed(primitives)} |"


def function_outcome(name: str, function: Any) -> tuple[str, list[str]]:
    primitive = UFUNCS.get(function)
    if primitive is not None and form(vjp_rules[primitive]) == "zero":  # it may take whole numbers only
        return NO_DERIVATIVE, [primitive.name]
    return probe(name, function)


def name_of(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{function.__name__}"


def method_rows() -> Iterator[str]:
    for name in sorted({*METHODS, *ATTRIBUTES}):
        if not hasattr(np.ndarray, name) or name.startswith("__"):
            continue
        if name in ATTRIBUTES:
            state, primitives = probe(name, ATTRIBUTES[name])
            yield f"| `x.{name}` | {state} | {listed(primitives)} |"
        else:
            state, primitives = probe(name, METHODS[name])
            yield f"| `x.{name}()` | {state} | {listed(primitives)} |"


def ufunc_method_rows() -> Iterator[str]:
    calls: dict[str, Callable[..., Any]] = {
        "reduce": lambda x: np.add.reduce(x),
        "accumulate": lambda x: np.add.accumulate(x),
        "outer": lambda x: np.add.outer(x, x),
        "at": lambda x: np.add.at(x, [0], 1.0),
        "reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    }
    for name in sorted(set(calls) & set(UFUNC_METHODS)):
        state, primitives = probe(f"add.{name}", calls[name])
        yield f"| `numpy.add.{name}` | {state} | {listed(primitives)} |"


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
- **{REFUSED}**: an error says what to write instead.

The last column names the primitives that the sample call was made of. Aliases (`numpy.abs` for `numpy.absolute`) are not
listed twice. A function that is not listed is refused on traced arrays, and works on plain ones as ever. Functions
that take no arrays (`numpy.zeros`, `numpy.arange`, ...) need nothing: they make constants. `array`, `asarray`,
`asanyarray` and `ascontiguousarray`, which NumPy does not hand over, are in `xformad.numpy`.

All operators of Python work on traced arrays: arithmetic, comparison, `@`, `%`, `//`, `divmod`, `abs`, `round`, indexing,
`len`, iteration, `in`.

Options `out=` and, for ufuncs, `where=` are refused.
"""


def page() -> str:
    head = "| function | on traced arrays | made of |"
    lines = [INTRODUCTION]
    modules = sorted({name_of(function).rpartition(".")[0] for function in (*FUNCTIONS, *UFUNCS)})
    for module in modules:
        lines += [f"## {module}", "", *table(head, function_rows(module))]
    lines += ["## Methods and attributes of arrays", "", "`shape`, `dtype`, `ndim` and `size` are plain values.", ""]
    lines += table("| method | on traced arrays | made of |", method_rows())
    lines += ["## Methods of ufuncs", "", "For `numpy.add`; `outer` works for every ufunc of two arguments.", ""]
    lines += table(head, ufunc_method_rows())
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


def files() -> dict[Path, str]:
    """What this script writes."""
    return {PAGE: page()}


if __name__ == "__main__":
    for path, text in files().items():
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            sys.exit(f"{path.name} is out of date; run: python docs/generate_coverage.py")
