"""Functions compiled ahead of time, and their files: what is loaded is what was saved, and nothing else is loaded."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import textwrap
import warnings
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies

import xformad.numpy as xnp
from tests.generated import make, parameters
from tests.operations.case import Case
from tests.operations.test_table import CASES
from tests.test_jit import MODES, assert_same
from xformad import (
    ArgumentError,
    CompiledFunction,
    GraphFileError,
    PathError,
    TreeError,
    UnsupportedError,
    XformadError,
    cond,
    grad,
    hessian,
    jit,
    jvp,
    load,
    scan,
    tree,
    vmap,
    while_loop,
)
from xformad.compiler import backends
from xformad.compiler.files.values import Decoder, Encoder
from xformad.compiler.primitives import HOLDING_FUNCTIONS, known
from xformad.core.index import ARRAY
from xformad.extend import Primitive, primitive, primitives

ROOT = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "function.graph"


def assert_equal(expected: Any, found: Any) -> None:
    """Equal to rounding, and in what is no array."""
    for x, y in zip(tree.leaves_of(expected), tree.leaves_of(found), strict=True):
        if isinstance(x, str):
            assert x == y
        else:
            assert_same(x, y, 1e-13)


def saved(path: Path, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> CompiledFunction[Any]:
    """A function after it has been compiled, saved and loaded; it is the same graph."""
    compiled = jit(fun).compile(*args, **kwargs)
    compiled.save(path)
    loaded = load(path)
    numbers = r"GraphFunction \d+"  # each has another one
    assert re.sub(numbers, "", str(loaded.graph)) == re.sub(numbers, "", str(compiled.graph))
    expected = fun(*args, **kwargs)
    for function in (compiled, loaded, loaded):  # what is loaded runs on NumPy once, and is compiled then
        assert_equal(expected, function(*args, **kwargs))
    return loaded


# What is loaded is what was saved.


SAMPLE = CASES if os.environ.get("XFORMAD_ALL_MODES") else CASES[::40]


def cannot_be_saved(case: Case) -> bool:
    return case.name.startswith(("slogdet", "eigh (", "eig real", "svd (", "svd full", "qr (", "qr complete")) or (
        case.name.startswith(("scipy.sparse", "stats.t.", "stats.gamma.", "stats.poisson.ppf"))
    )


@pytest.mark.filterwarnings("ignore::xformad.IndependentOutputWarning")
@pytest.mark.parametrize("case", SAMPLE, ids=[case.name for case in SAMPLE])
def test_the_table(case: Case, path: Path) -> None:
    if cannot_be_saved(case):
        with pytest.raises(UnsupportedError, match="cannot be saved: "):
            jit(case.fun).compile(*case.args).save(path)
        return
    saved(path, case.fun, *case.args)
    saved(path, MODES["jit of vjp"](case.fun)[0], *case.args)


@pytest.mark.parametrize("seed", range(5))
def test_a_generated_program(seed: int, path: Path) -> None:
    loaded = saved(path, make(seed), parameters(seed))
    assert_same(grad(make(seed))(parameters(seed)), grad(loaded)(parameters(seed)), 1e-9)
    saved(path, grad(make(seed)), parameters(seed))


def test_without_machine_code(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fun = grad(make(3))
    loaded = saved(path, fun, parameters(3))
    monkeypatch.setitem(backends.chosen, "backend", "replay")
    on_numpy = saved(path, fun, parameters(3))
    assert on_numpy.program is not None
    assert "kernel" not in on_numpy.program.source
    assert_equal(loaded(parameters(3)), on_numpy(parameters(3)))


def test_the_gradient_of_a_network(path: Path) -> None:
    random = np.random.default_rng(0)
    sizes = [5, 7, 3]
    weights = [(random.normal(size=(m, n)), np.zeros(n)) for m, n in pairwise(sizes)]
    inputs, targets = random.normal(size=(4, 5)), random.normal(size=(4, 3))

    def loss(weights: list[tuple[Any, Any]], inputs: Any, targets: Any, *, penalty: float = 0.1) -> Any:
        for w, b in weights:
            inputs = np.tanh(inputs @ w + b)
        return np.mean((inputs - targets) ** 2) + penalty * sum(np.sum(w**2) for w, _ in weights)

    loaded = saved(path, grad(loss), weights, inputs, targets, penalty=0.5)
    with pytest.raises(TreeError, match=r"^args\[0\]\[1\] is a list, but must be a tuple$"):
        loaded([weights[0], list(weights[1])], inputs, targets, penalty=0.5)


def test_types_of_numbers_and_constants(path: Path) -> None:
    table = np.arange(6.0).reshape(2, 3)
    turned = table.T
    rows = np.array([2, 0])

    def fun(x: Any, n: Any, z: Any, k: Any, empty: Any, point: Any) -> Any:
        return {
            "single": x * np.float32(0.1) + 1.0,
            "special": x + np.array([np.nan, np.inf, -0.0], np.float32),
            "whole": n // np.array([3, 2], np.int16) + k,
            "complex": z * (2.5 - 1j) + np.complex64(1j),
            "large": k * 2**40,
            "constant": (table, -0.0, np.bool_(True)),
            "empty": (empty * 2.0).sum(axis=0),
            "indexed": turned[rows, ..., None] * point,
            "part": x[..., ::-1][1:],
        }

    args = (
        np.ones(3, np.float32), np.array([7, -7], np.int16), np.array([1 + 2j]), 3, np.zeros((0, 2)), np.array(2.0)
    )  # fmt: skip
    loaded = saved(path, fun, *args)
    for _ in range(2):
        found, expected = loaded(*args), fun(*args)
        assert found["special"].dtype == np.float32
        assert found["whole"].dtype == np.int16
        np.testing.assert_array_equal(found["special"], expected["special"])
        assert np.signbit(found["constant"][1])
        found["constant"][0][0, 0] = 5.0  # memory of its own
    assert table[0, 0] == 0.0


def test_values() -> None:
    values = (
        None, True, 2**100, -1, 0.1, -0.0, float("inf"), "text \N{SNOWMAN}", 2 - 1j, complex(0.0, float("-inf")),
        (), (1, (2,)), [1, [2]], slice(None, -1, 2), Ellipsis, ARRAY, np.dtype(np.float32), np.float32(0.1),
        np.int8(-3), np.bool_(True), np.complex64(1j), np.float16(np.inf), np.uint64(2**64 - 1),
    )  # fmt: skip
    encoder = Encoder({})
    text = json.dumps(encoder.encoded(values), allow_nan=False)
    found = Decoder([], {}).decoded(json.loads(text))
    assert repr(found) == repr(values)
    assert list(map(type, found)) == list(map(type, values))
    assert np.isnan(Decoder([], {}).decoded(encoder.encoded(float("nan"))))


def test_equal_functions_have_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        jit(lambda x: np.arange(3.0) * x).compile(2.0).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with np.load(tmp_path / "one") as arrays:
        np.testing.assert_array_equal(arrays["array_0"], np.arange(3.0))


def test_a_program_that_writes_in_place(path: Path) -> None:
    def fun(x: Any) -> Any:
        out = xnp.zeros(3)
        for i in range(3):
            out[i] = x[i] ** 2
        out[1:] += x[:2]
        return out

    saved(path, fun, np.arange(3.0))


def looping(w: Any, xs: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        state = np.tanh(w @ state + x)
        return state, np.sum(state)

    state, sums = scan(step, np.zeros(3), xs)
    grown = while_loop(lambda s: s[0] < 10.0, lambda s: (2.0 * s[0], s[1] + 1), (1.0 + state[0] ** 2, 0))
    return np.sum(sums**2) * grown[0] + cond(state[0] > 0.0, lambda x: x * 2.0, lambda x: -x, state[1])


def test_loops_stay_loops(path: Path) -> None:
    random = np.random.default_rng(0)
    w, xs = random.normal(size=(3, 3)), random.normal(size=(5, 3))
    for fun in (looping, grad(looping)):
        loaded = saved(path, fun, w, xs)
        names = {node.primitive.name for node in loaded.graph.equations if node.primitive is not None}
        assert names >= {"scan", "while", "switch"}
        for factor in (-1.0, 0.1, 3.0):  # another branch, other numbers of steps
            assert_equal(fun(w, factor * xs), loaded(w, factor * xs))
            assert_equal(fun(w, factor * xs), load(path)(w, factor * xs))
    assert_equal(grad(looping)(w, xs), grad(saved(path, looping, w, xs))(w, xs))


# How it is called.


def branching(p: dict[str, Any], *, kind: str = "sum") -> Any:
    x = p["x"]
    if x[0] > 0.0:
        return {"value": np.sum(x**2) * p["w"], "kind": kind}
    return {"value": np.sum(x), "kind": kind}


LINE = branching.__code__.co_firstlineno + 2
POINT = {"x": np.array([1.0, 2.0]), "w": 2.0}
OTHER = {"x": np.array([-1.0, 2.0]), "w": 2.0}


@pytest.fixture(params=["compiled", "loaded"])
def function(request: pytest.FixtureRequest, path: Path) -> CompiledFunction[Any]:
    compiled = jit(branching).compile(POINT, kind="mean")
    compiled.save(path)
    return compiled if request.param == "compiled" else load(path)


def value(function: CompiledFunction[Any]) -> Callable[[Any], Any]:
    return lambda p: function(p, kind="mean")["value"]


def test_under_transformations(function: CompiledFunction[Any]) -> None:
    def plain(p: Any) -> Any:
        return branching(p)["value"]

    fast = value(function)
    assert fast(POINT) == plain(POINT)
    pairs: list[tuple[Any, Any]] = [
        (grad(plain), grad(fast)), (jit(plain), jit(fast)), (jit(grad(plain)), jit(grad(fast))),
        (grad(jit(plain)), grad(jit(fast))), (lambda p: jvp(plain, (p,), (p,)), lambda p: jvp(fast, (p,), (p,))),
        (lambda p: hessian(lambda x: plain({**p, "x": x}))(p["x"]),
         lambda p: hessian(lambda x: fast({**p, "x": x}))(p["x"])),
    ]  # fmt: skip
    for expected, found in pairs:
        for _ in range(2):
            assert_same(expected(POINT), found(POINT), 1e-13)
    batch = {"x": np.array([[1.0, 2.0], [3.0, -4.0]]), "w": np.array([2.0, 3.0])}
    assert_same(vmap(plain)(batch), vmap(fast)(batch), 1e-13)
    assert_same(vmap(grad(plain))(batch), vmap(grad(fast))(batch), 1e-13)


def test_another_way_is_refused(function: CompiledFunction[Any]) -> None:
    message = (
        f"these arguments take another way through branching than the compiled one, on which a condition is True at "
        f"{__file__}:{LINE}; call jit of the function, which records all ways, or compile it for such arguments, too"
    )
    fast = value(function)
    batch = {"x": np.array([[1.0, 2.0], [-3.0, 4.0]]), "w": np.array([2.0, 3.0])}
    calls: list[tuple[Callable[[Any], Any], Any, Any]] = [
        (fast, POINT, OTHER), (grad(fast), POINT, OTHER), (jit(fast), POINT, OTHER), (vmap(fast), batch, batch)
    ]  # fmt: skip
    for _ in range(2):
        for call, good, bad in calls:
            with pytest.raises(PathError) as caught:
                call(bad)
            assert str(caught.value) == message
            if good is not bad:
                call(good)


def test_other_arguments_are_refused(function: CompiledFunction[Any]) -> None:
    end = "; convert it, or compile the function for such arguments, too"
    cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        ((), {"kind": "mean"}, TreeError, "args has 0 children, but must have 1"),
        ((POINT,), {}, TreeError, "kwargs has the keys [], but must have ['kind']"),
        (([1.0],), {"kind": "mean"}, TreeError, "args[0] is a list, but must be a dict"),
        (({"x": [1.0, 2.0], "w": 1.0},), {"kind": "mean"}, TreeError, "args[0]['x'] is a list, but must be a leaf"),
    ]  # fmt: skip
    leaves: list[tuple[Any, str, str]] = [
        ({"x": np.ones(3), "w": 1.0}, "mean", "an array float64[2] as args[0]['x'], but was given an array float64[3]"),
        ({"x": np.ones(2, np.float32), "w": 1.0}, "mean",
         "an array float64[2] as args[0]['x'], but was given an array float32[2]"),
        ({"x": np.ones(2), "w": np.float64(1)}, "mean",
         "a Python float as args[0]['w'], but was given a number numpy.float64"),
        ({"x": np.ones(2), "w": 1}, "mean", "a Python float as args[0]['w'], but was given a Python int"),
        ({"x": np.ones(2), "w": None}, "mean", ""),
        (POINT, "sum", "the value 'mean' as kwargs['kind'], but was given the value 'sum'"),
    ]  # fmt: skip
    for p, kind, text in leaves:
        if text:
            cases.append(((p,), {"kind": kind}, ArgumentError, f"compiled branching takes {text}{end}"))
        else:
            cases.append(((p,), {"kind": kind}, TreeError, "args[0]['w'] is a NoneType, but must be a leaf"))
    for args, kwargs, error, text in cases:
        with pytest.raises(error) as caught:
            function(*args, **kwargs)
        assert str(caught.value) == text


def test_shapes_that_depend_on_numbers(path: Path) -> None:
    loaded = saved(path, lambda x: x[x > 0.0] * 2.0, np.array([1.0, -1.0, 2.0]))
    assert_same(loaded(np.array([-1.0, 1.0, 2.0])), np.array([2.0, 4.0]), 0.0)
    with pytest.raises(PathError, match=r"on which getitem returns float64\[2\] at .*test_graph_files.py:\d+; call"):
        loaded(np.ones(3))


def test_errors_of_operations_are_theirs(path: Path) -> None:
    loaded = saved(path, np.linalg.inv, np.eye(2))
    for function in (loaded, load(path)):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            function(np.zeros((2, 2)))
        assert_same(function(np.eye(2)), np.eye(2), 0.0)


def test_what_cannot_be_compiled() -> None:
    for call in (lambda x: jit(np.sin).compile(x), lambda x: jit(lambda y: x * y).compile(1.0)):
        with pytest.raises(
            UnsupportedError, match="cannot be compiled ahead of time for traced arguments, or with traced"
        ):
            grad(call)(1.0)
    with pytest.raises(
        UnsupportedError, match="cannot be compiled ahead of time for a MaskedArray; pass a NumPy array"
    ):
        jit(np.sin).compile(np.ma.ones(2))  # type: ignore[arg-type]


# What cannot be saved.


class Point(NamedTuple):
    x: Any
    y: Any


class Mode:
    pass


def test_what_cannot_be_saved(path: Path) -> None:
    mode = Mode()
    half = Primitive("half", lambda x: x / 2)
    elsewhere = "; compute it outside of the function, and pass it as an array or a number"
    static = "; graph files hold numbers, strings and arrays: make the other values in the function, or close over them"
    containers = ", and graph files hold tuples, lists and dicts only; have the function take and return one of these"
    keys = ", and graph files hold dicts of strings and whole numbers only"
    dtype = np.dtype(np.longdouble)
    cases: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
        (lambda p: p.x, (Point(1.0, 2.0),), f"args[0] is a Point{containers}"),
        (lambda x: {(1, 2): x}, (1.0,), f"the result has the key (1, 2){keys}"),
        (lambda x, f: x, (1.0, np.sin), f"args[1] is a function{static}"),
        (lambda x: (x, mode), (1.0,), f"the result[1] is a Mode{static}"),
        (lambda x: x, (np.ones(2, dtype),), f"args[0] is of dtype {dtype}, which graph files do not hold; cast it"),
        (lambda x: x * np.ones(2, ">f8"), (1.0,),
         f"operand 1 of multiply at ... is of dtype >f8, which graph files do not hold{elsewhere}"),
        (lambda x: half.bind(x), (1.0,),
         ("a graph file cannot name half at ..., which holds Python functions, or is a primitive not made by "
         "xformad.extend.primitive and without vjp rule; compile a function without it")),
    ]  # fmt: skip
    for fun, args, text in cases:
        compiled = jit(fun).compile(*args)
        with pytest.raises(UnsupportedError) as caught:
            compiled.save(path)
        where = f"{__file__}:{fun.__code__.co_firstlineno}"
        assert str(caught.value) == f"<lambda> cannot be saved: {text}".replace("...", where)
    assert not path.exists()


# Primitives are found by their names.


def test_names_of_primitives_are_unique() -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("xformad.")]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, Primitive)}
    names = [each.name for each in found]
    assert sorted(names) == sorted(set(names))
    assert set(primitives()) <= set(known())
    assert set(names) - set(known()) == set(names) & HOLDING_FUNCTIONS


PROGRAM = """
    import sys
    import numpy as np
    import xformad
    if sys.argv[2] == "defined":
        @xformad.extend.primitive
        def doubled(x):
            return 2.0 * x
    try:
        print(xformad.load(sys.argv[1])(np.ones(2)))
    except xformad.GraphFileError as error:
        print(error)
"""


def test_primitives_of_users(path: Path) -> None:
    def doubled(x: Any) -> Any:
        return 2.0 * x

    doubled.__module__ = "__main__"
    operation = primitive(doubled)
    jit(lambda x: operation(x) + 1.0).compile(np.ones(2)).save(path)
    for name, expected in [
        ("defined", "[3. 3.]"),
        ("undefined", (f"{path} cannot be loaded: the primitive '__main__.doubled' is not known here; import the module "
         "that makes it before")),
    ]:  # fmt: skip
        run = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(path), name]
        found = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == expected


def test_primitives_of_scipy_are_imported(path: Path) -> None:
    special = pytest.importorskip("xformad.scipy.special")
    compiled = jit(lambda x: special.jv(1.5, x)).compile(np.array([0.5, 1.5]))
    compiled.save(path)
    run = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(path), ""]
    found = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(compiled(np.ones(2)))


# Nothing else is loaded.


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def write_description(path: Path, description: str, parts: dict[str, bytes]) -> None:
    """A file with another description, and its checksum."""
    text = description.encode()
    write(path, {**parts, "graph.json": text, "graph.json.sha256": sha256(text).hexdigest().encode()})


def example(x: Any, n: Any) -> Any:
    table = np.array([[0.5, 1.5], [2.5, 3.5]])
    if x[0, 0] > 0.0:
        w, v = np.linalg.eigh(x @ x.T + table @ table.T)
        y = np.sum(np.tanh(x[:, ::-1] * n) @ table, axis=0)
        return {"a": [y, w[None, :]], "b": (np.concatenate([y, v[1]]), None), "c": "text"}
    return x


ARGS = (np.array([[0.5, -1.0], [2.0, 0.25]]), 2.0)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("example") / "function.graph"
    saved(path, example, *ARGS)
    return parts_of(path)


def refused(path: Path) -> str:
    """What is said when a file is loaded that must not be."""
    with pytest.raises(GraphFileError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path} cannot be loaded: ")
    return text.removeprefix(f"{path} cannot be loaded: ")


def test_other_files(path: Path, parts: dict[str, bytes]) -> None:
    digest = parts["graph.json.sha256"]
    array = parts["array_0.npy"]
    cases: list[tuple[dict[str, bytes], str]] = [
        ({}, "it has no graph.json, or no checksum of it"),
        ({"graph.json": b"{}"}, "it has no graph.json, or no checksum of it"),
        ({**parts, "graph.json": parts["graph.json"] + b" "},
         "it is damaged: graph.json has another checksum than when it was written"),
        ({**parts, "array_0.npy": array[:-1] + b"1"},
         "it is damaged: array_0.npy has another checksum than when it was written"),
        ({**parts, "more": b""}, "it does not have the arrays that it lists"),
        ({key: data for key, data in parts.items() if "array" not in key}, "it does not have the arrays that it lists"),
        ({**parts, "graph.json.sha256": digest[:10]},
         "it is damaged: graph.json has another checksum than when it was written"),
    ]  # fmt: skip
    for changed, text in cases:
        write(path, changed)
        assert refused(path) == text
    write(path, parts, zipfile.ZIP_DEFLATED)
    assert refused(path) == "it is compressed, which graph files are not"
    path.write_bytes(b"something else")
    assert refused(path) == "it is damaged, or no graph file: File is not a zip file"
    with pytest.raises(FileNotFoundError):
        load(path.with_name("missing"))


TEXTS: list[tuple[str, str]] = [
    ("[]", "graph.json holds no object"),
    ("{", "graph.json is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ('{"arrays": NaN}', "graph.json is no JSON: NaN is no number in JSON"),
    ('{"arrays": 1e999}', "graph.json is no JSON: 1e999 is no number in JSON"),
    ('{"arrays": [], "arrays": []}', "graph.json is no JSON: a key comes twice"),
    ('{"arrays": []}', "it does not have the arrays that it lists"),
]


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=range(len(TEXTS)))
def test_other_descriptions(text: str, message: str, path: Path, parts: dict[str, bytes]) -> None:
    write_description(path, text, parts)
    assert refused(path) == message


def test_nesting(path: Path, parts: dict[str, bytes]) -> None:
    text = parts["graph.json"].decode()
    write_description(path, text.replace("[0, 0]", "[" * 60 + "]" * 60, 1), parts)
    assert re.fullmatch(r"equation \d+: values are nested more than 50 deep", refused(path))
    write_description(path, text.replace("[0, 0]", "[" * 10**5 + "]" * 10**5, 1), parts)
    assert refused(path).startswith("graph.json is no JSON: maximum recursion depth exceeded")


Edit = Callable[[Any], None]


def setting(*keys: Any) -> Callable[[Any], Edit]:
    """An edit of a description: what is there at these keys is replaced. A text after "equations" is a primitive's name."""

    def to(value: Any) -> Edit:
        def edit(description: Any) -> None:
            for key, following in pairwise((*keys, None)):
                if following is None:
                    description[key] = value
                elif key == "equations":
                    description = {each[0]: each for each in reversed(description[key])}
                else:
                    description = description[key]

        return edit

    return to


def equation(name: str, *keys: Any) -> Callable[[Any], Edit]:
    """An edit of the first equation with a primitive: of its operands (1), parameters (2) or type (3)."""
    return setting("graph", "equations", name, *keys)


EDITS: list[tuple[Edit, str]] = [
    (setting("format")(2), ("it was written by xformad 0.1.0 in format 2, but this version, 0.1.0, reads formats up to 1; "
     "upgrade xformad")),
    (setting("format")("1"), "it does not say in which format it is"),
    (setting("xformad")(None), "it does not say in which format it is"),
    (setting("more")(1), ("an object has the keys ['format', 'graph', 'more', 'name', 'numpy', 'primitives'..., but must "
     "have ['format', 'graph', 'name', 'numpy', 'primitives', 'signature', 'xformad']")),
    (setting("primitives", 0)("os.system"), ("the primitive 'os.system' is not known here; import the module that makes it "
     "before")),
    (setting("primitives", 0)("unheard_of"), ("there is no primitive 'unheard_of' here; the file was written by xformad "
     "0.1.0, this is 0.1.0, and primitives of xformad.scipy need SciPy")),
    (setting("primitives", 0)("jit"), "the primitive 'jit' holds a Python function, which files cannot"),
    (setting("primitives")([]), "equation 0: unexpected 'getitem'"),
    (setting("signature", "leaves", 0, "array")("float64[2,3]"), "the graph has other inputs than the signature"),
    (setting("signature", "leaves", 0)({"array": "object[2,2]"}), "unexpected 'object'"),
    (setting("signature", "leaves", 0)({"array": "float64[-2,2]"}), "'float64[-2,2]' is no type of an array"),
    (setting("signature", "leaves", 0)({"array": "float64[2,2"}), "'float64[2,2' is no type of an array"),
    (setting("signature", "leaves", 0)({"array": f"float64[{'1,' * 64}1]"}), "an array has 65 axes"),
    (setting("signature", "leaves")([]), "the signature has another number of leaves than its trees"),
    (setting("signature", "args")(["list", []]), "the arguments are no tuple, or the keyword arguments no dict"),
    (setting("signature", "args")(["set", []]), "unexpected 'set'"),
    (setting("signature", "result")(["dict", ["*", "*"], ["a", "a"]]), "a dict has a key twice"),
    (setting("signature", "result")("*"), "the leaves of the result that are no arrays have no order"),
    (setting("signature", "others")([]), "the graph has another number of outputs than the signature"),
    (setting("graph", "inputs", 0)("float64[3]"), "the graph has other inputs than the signature"),
    (setting("graph", "outputs", 0)({"node": 999}), "node 999 is not one before it"),
    (setting("graph", "outputs", 0)({"array": 7}), "unexpected 7"),
    (setting("graph", "outputs", 0)({"code": "1"}), "there is no value of kind 'code'"),
    (equation("getitem", 1, 0)({"node": -1}), "equation 0: node -1 is not one before it"),
    (equation("getitem", 1, 0)({"node": 2}), "equation 0: node 2 is not one before it"),
    (equation("getitem", 1, 0)({"node": 0.0}), "equation 0: unexpected 0.0"),
    (equation("getitem", 1)([]), "equation 0: getitem depends on no argument"),
    (equation("getitem", 2)({"index=0, __import__": 0}), "equation 0: 'index=0, __import__' is no name of a parameter"),
    (equation("getitem", 2)({"lambda": 0}), "equation 0: 'lambda' is no name of a parameter"),
    (equation("getitem", 2, "index")({"graph": {"name": "f", "inputs": [], "equations": [], "outputs": []}, "strong": []}),
     "equation 0: getitem has the function of a loop"),
    (equation("getitem", 3)("float64[9223372036854775808]"), ("equation 0: 'float64[9223372036854775808]' is no type of an "
     "array")),
    (equation("guard", 2, "expected")("os.remove('a')"),
     "equation 2: unexpected \"os.remove('a')\""),
    (equation("guard", 2, "how")("code"), "equation 2: unexpected 'code'"),
    (equation("guard", 2)({}), "equation 2: a guard takes one operand, and says what is expected"),
    (equation("component", 2, "index")("0"), "equation 7: unexpected '0'"),
    (equation("component", 2, "index")(2), "equation 7: unexpected 2"),
    (equation("component", 1, 0)({"node": 2}), "equation 7: component takes what has several results, and which one it is"),
    (equation("add", 1, 0)({"node": 8}), "equation 5: node 8 is not one before it"),
    (equation("multiply", 1, 0)({"node": 8}), "equation 10: only component takes what has several results"),
    (equation("add", 1, 1)({"scalar": ["int8", 300]}), "equation 5: 300 is no int8"),
    (equation("add", 1, 1)({"float": "1e3"}), "equation 5: unexpected '1e3'"),
    (setting("arrays", 0, "type")("float64[4]"), "array_0.npy is not the array that is described"),
    (setting("arrays", 0, "type")("float64[1000000000,1000000000,1000000000]"),
     "array_0.npy is not the array that is described"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), EDITS, ids=range(len(EDITS)))
def test_inconsistent_descriptions(edit: Edit, message: str, path: Path, parts: dict[str, bytes]) -> None:
    description = json.loads(parts["graph.json"])
    edit(description)
    write_description(path, json.dumps(description), parts)
    assert refused(path) == message


FIRST_RUN: list[tuple[Edit, str]] = [
    (equation("add", 3)("float64[2,3]"), "is inconsistent: equation 5, add, returns float64[2,2], but should float64[2,3]"),
    (equation("sum", 2, "axis")([7]), "cannot be run: equation 13, sum, raises AxisError: axis 7 is out of bounds for "),
    (equation("transpose", 2)({"axis": 0}), "cannot be run: equation 3, transpose, raises TypeError: "),
    (equation("getitem", 2, "index")([0, "text"]), "cannot be run: equation 0, getitem, raises IndexError: only integers, "),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), FIRST_RUN, ids=range(len(FIRST_RUN)))
def test_descriptions_of_other_types(edit: Edit, message: str, path: Path, parts: dict[str, bytes]) -> None:
    """Types are compared when the graph is run, on NumPy, before machine code is made of it."""
    description = json.loads(parts["graph.json"])
    edit(description)
    write_description(path, json.dumps(description), parts)
    function = load(path)
    calls: list[Callable[..., Any]] = [
        function,
        lambda x, n: grad(lambda x: np.sum(function(x, n)["a"][0]))(x),
        function,
    ]
    for call in calls:
        with pytest.raises(GraphFileError) as caught:
            call(*ARGS)
        assert str(caught.value).startswith(f"{path} {message}")


def attempt(path: Path) -> Any:
    """The results of a file that may be damaged, on NumPy and compiled; None if it is refused. No other error is raised,
    but for those that operations raise because of the numbers.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            function = load(path)
            return [function(*ARGS), function(*ARGS)]
    except (XformadError, np.linalg.LinAlgError, ArithmeticError, MemoryError):
        return None


@given(seed=strategies.integers(0, 2**32))
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_damaged_bytes(seed: int, path: Path, parts: dict[str, bytes]) -> None:
    """What is still loaded is what was saved."""
    random = Random(seed)
    write(path, parts)
    data = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 1, 2, 5])):
        position = random.randrange(len(data) or 1)
        how = random.choice(["flip", "flip", "delete", "insert", "truncate"])
        if how == "flip":
            data[position] ^= 1 << random.randrange(8)
        elif how == "delete":
            del data[position : position + random.randrange(1, 50)]
        elif how == "insert":
            data[position:position] = random.randbytes(random.randrange(1, 20))
        else:
            data = data[: max(position, 100)]
    path.write_bytes(data)
    for found in attempt(path) or ():
        assert_equal(example(*ARGS), found)


POOL = [
    None, True, 0, -1, 1, 3, 1000, 2**63, -(2**40), 0.5, -1e300, "", "*", "x", "float64[2]", "float64[2,2]", "int8[]",
    "complex64[0,3]", [], {}, [0], [1, 0], [[0, 1]], ["tuple", []], ["dict", ["*"], ["a"]], {"node": 0}, {"node": 5},
    {"array": 0}, {"float": "nan"}, {"slice": [None, None, -1]}, {"slice": [0, 0, 0]}, {"index": "..."},
    {"index": "array"}, {"dtype": "float32"}, {"scalar": ["float32", 0.5]}, {"complex": [0.0, 1.0]}, {"list": [1]},
    {"record": ["Counts", [1, 1, 2]]},
]  # fmt: skip
"""What parts of a description are replaced with."""


def places(x: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a description, with each of its keys."""
    for key, value in x.items() if isinstance(x, dict) else enumerate(x):
        yield x, key
        if isinstance(value, dict | list):
            yield from places(value)


@given(seed=strategies.integers(0, 2**32))
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
def test_changed_descriptions(seed: int, path: Path, parts: dict[str, bytes]) -> None:
    """With a new checksum they may be other functions, or are refused."""
    random = Random(seed)
    description = json.loads(parts["graph.json"])
    names = sorted(known())
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        container, key = random.choice(list(places(description)))
        other, place = random.choice(list(places(description)))
        how = random.choice(["replace", "replace", "copy", "delete", "rename"])
        if how == "replace":
            container[key] = copy.deepcopy(random.choice(POOL))
        elif how == "copy":
            container[key] = copy.deepcopy(other[place])
        elif how == "delete":
            del container[key]
        else:
            equations = description["graph"]["equations"] or [[]]
            random.choice(equations)[:1] = [random.choice(names)]
            description["primitives"] = [each[0] for each in equations if each and isinstance(each[0], str)]
        if not isinstance(description.get("graph"), dict) or not isinstance(
            description["graph"].get("equations"), list
        ):
            break
        if not all(isinstance(each, list) for each in description["graph"]["equations"]):
            break
    write_description(path, json.dumps(description), parts)
    attempt(path)
