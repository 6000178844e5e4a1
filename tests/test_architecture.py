"""The architecture: which module may import which, and budgets for files and for import time."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import pkgutil
import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

import xformad

PACKAGE = Path(xformad.__file__).parent
ROOT = PACKAGE.parent

# From the bottom up. A module may import its own layer and those before it.
LAYERS: list[tuple[str, ...]] = [
    ("xformad.errors",),
    ("xformad.version",),
    ("xformad.optional",),
    ("xformad.tree",),
    ("xformad.core",),
    ("xformad.interpreters",),
    ("xformad.operations",),
    ("xformad.numpy",),
    ("xformad.compiler",),
    ("xformad.transformations",),
    ("xformad.scipy",),
    ("xformad.extend", "xformad.testing"),
    ("xformad.compat",),
    ("xformad",),
]

FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def layer_of(module: str) -> int:
    for i, names in enumerate(LAYERS):
        if any(module == name or (name != "xformad" and module.startswith(name + ".")) for name in names):
            return i
    raise AssertionError(f"{module} is in no layer; add it to LAYERS and to docs/layout.md")


def imports_of(tree: ast.AST) -> list[tuple[str, ast.stmt]]:
    """The modules that a file imports, with the statement; `from package import module` counts as the module."""
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.append((full if full in MODULES else node.module, node))
    return found


def for_types_only(tree: ast.AST) -> set[ast.stmt]:
    """The statements under `if TYPE_CHECKING:`."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if isinstance(inner, ast.stmt)
    }


@each_file
def test_imports_point_down(path: Path) -> None:
    tree = ast.parse(path.read_text())
    own = layer_of(module_of(path))
    types = for_types_only(tree)
    for module, node in imports_of(tree):
        if module.split(".")[0] == "xformad" and node not in types:
            assert layer_of(module) <= own, f"{path}:{node.lineno} imports {module} from a higher layer"


@each_file
def test_only_numpy_is_imported_besides_the_standard_library(path: Path) -> None:
    for module, node in imports_of(ast.parse(path.read_text())):
        name = module.split(".")[0]
        if name == "scipy" and module_of(path).startswith(("xformad.scipy", "xformad.compat")):
            continue  # the extra `xformad[scipy]`, which the core does without
        if name == "llvmlite" and module_of(path).startswith("xformad.compiler.native"):
            continue  # the extra `xformad[jit]`
        assert name in {"xformad", "numpy"} or name in sys.stdlib_module_names, f"{path}:{node.lineno} imports {name}"


@each_file
def test_no_import_in_a_function_and_no_star(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                assert not isinstance(node, ast.Import | ast.ImportFrom), f"{path}:{function.lineno}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"{path}:{node.lineno}"


def test_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        types = for_types_only(tree)
        graph[module] = {name for name, node in imports_of(tree) if name in MODULES and node not in types} - {module}
    done: set[str] = set()
    while len(done) < len(graph):
        free = {module for module in graph if module not in done and graph[module] <= done}
        assert free, f"a cycle among {sorted(set(graph) - done)}"
        done |= free


@each_file
def test_length_of_files(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@each_file
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring[0].isupper() or docstring.startswith(("`", "xformad"))


PUBLIC = [
    module for module in (importlib.import_module(name) for name in sorted(MODULES)) if hasattr(module, "__all__")
]


@pytest.mark.parametrize("module", PUBLIC, ids=[module.__name__ for module in PUBLIC])
def test_public_names(module: ModuleType) -> None:
    names = list(module.__all__)
    assert names == sorted(names) or module is xformad.numpy  # which lists NumPy's
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(module, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert inspect.getdoc(value), f"{module.__name__}.{name} has no docstring"
            assert value.__doc__, f"{module.__name__}.{name} has no docstring of its own"


def test_public_functions_describe_their_arguments() -> None:
    """Every function of more than one argument has an `Args:` section that names them all."""
    for name in xformad.__all__:
        value = getattr(xformad, name)
        if inspect.isfunction(value) and len(inspect.signature(value).parameters) > 1:
            documentation = inspect.getdoc(value) or ""
            assert "Args:" in documentation, name
            for parameter in inspect.signature(value).parameters:
                assert parameter in documentation, f"{name}: {parameter}"


def test_every_error_is_exported_and_has_a_manual_page() -> None:
    errors = importlib.import_module("xformad.errors")
    for name, value in vars(errors).items():
        if inspect.isclass(value) and value.__module__ == errors.__name__:
            assert name in xformad.__all__
            assert issubclass(value, xformad.XformadError | UserWarning)
            assert value.__doc__


def test_every_module_can_be_imported_first(tmp_path: Path) -> None:
    """No order of imports is needed: a module by itself imports what it needs. A random choice of them, which is another
    one as modules are added; that there is no cycle is tested above.
    """
    names = [info.name for info in pkgutil.walk_packages(xformad.__path__, "xformad.")]
    names = Random(len(names)).sample(names, 15)
    program = """
        import importlib, sys
        for name in sys.argv[1:]:
            for module in [m for m in sys.modules if m.split(".")[0] == "xformad"]:
                del sys.modules[module]
            importlib.import_module(name)
    """
    run_python(program, *names, **keeping_bytecode(tmp_path))


def run_python(program: str, *args: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *args],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def keeping_bytecode(folder: Path) -> dict[str, str]:
    """So that a module is compiled once, as it is for users, also where the environment forbids it."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder)}


def test_import_time(tmp_path: Path) -> None:
    program = """
        import time
        import numpy, numpy.ma, numpy.fft, numpy.linalg, numpy.random
        start = time.process_time()  # not disturbed by what else the machine does
        import xformad
        print(time.process_time() - start)
    """
    times = [float(run_python(program, **keeping_bytecode(tmp_path))) for _ in range(6)]  # the first one compiles
    assert min(times) < 0.15


def test_typing_marker() -> None:
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_types_of_transformed_functions(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            from typing import Any, reveal_type

            import numpy as np

            import xformad.numpy as xnp
            from xformad import grad, value_and_grad, vjp
            from xformad.extend import primitive

            def energy(position: float, charge: int = 1, *, unit: str = "J") -> float:
                return position * charge

            def with_aux(position: float) -> tuple[float, str]:
                return position, "aux"

            reveal_type(grad(energy))
            reveal_type(value_and_grad(energy)(1.0, 2, unit="eV"))
            reveal_type(value_and_grad(with_aux, has_aux=True)(1.0))
            grad(energy)("text")
            grad(energy)(1.0, unknown=2.0)
            grad(grad(energy))(1.0, unit=3)
            reveal_type(primitive(energy)(1.0))
            xnp.array([1.0]), xnp.sum(np.ones(2))
        """)
    )
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path), str(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [
        line.split(": ", 1)[1] for line in result.stdout.splitlines() if "program.py" in line and "defined" not in line
    ]
    parameters = "position: float, charge: int =, *, unit: str ="
    assert found == [
        f'note: Revealed type is "xformad.transformations.transformed.Transformed[[{parameters}], Any]"',
        'note: Revealed type is "tuple[float, Any]"',
        'note: Revealed type is "tuple[tuple[float, str], Any]"',
        'error: Argument 1 to "__call__" of "Transformed" has incompatible type "str"; expected "float"  [arg-type]',
        'error: Unexpected keyword argument "unknown" for "__call__" of "Transformed"  [call-arg]',
        'error: Argument "unit" to "__call__" of "Transformed" has incompatible type "int"; expected "str"  [arg-type]',
        'note: Revealed type is "float"',
    ]  # fmt: skip
