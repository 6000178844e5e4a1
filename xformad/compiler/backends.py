"""Which back end runs a graph: machine code where llvmlite is installed, else NumPy alone."""

from __future__ import annotations

import importlib
import importlib.util
import os
import warnings
from typing import Final

from xformad.compiler.loops import with_runners
from xformad.compiler.replay import Program
from xformad.core.graph import Graph, Node
from xformad.errors import CompilationWarning

NATIVE: Final = "xformad.compiler.native"

chosen: Final[dict[str, str]] = {"backend": "llvm" if importlib.util.find_spec("llvmlite") else "replay"}


def program_of(graph: Graph) -> Program:
    """A graph, ready to be run."""
    if chosen["backend"] == "llvm":
        try:
            partition = importlib.import_module(f"{NATIVE}.partition")
            engine = importlib.import_module(f"{NATIVE}.engine")
            return Program(with_runners(partition.with_kernels(graph, engine.Kernel), program_of))
        except Exception as error:  # whatever goes wrong in compiling, the program is right without
            warnings.warn(
                f"jit could not compile {graph.name}, and runs it on NumPy: {type(error).__name__}: {error}",
                CompilationWarning,
                stacklevel=2,
            )
    return replayed(graph)


def replayed(graph: Graph) -> Program:
    """A graph, ready to be run on NumPy alone."""
    return Program(with_runners(graph, replayed))


def set_threads(count: int) -> None:
    """See `xformad.jit.set_threads`."""
    threads["count"] = count
    if chosen["backend"] == "llvm":
        importlib.import_module(f"{NATIVE}.engine").set_threads(count)


def default_threads() -> int:
    """As many as `XFORMAD_NUM_THREADS` or `OMP_NUM_THREADS` says, or as there are processors for this process."""
    for name in ("XFORMAD_NUM_THREADS", "OMP_NUM_THREADS"):
        given = os.environ.get(name, "")
        if given.isdigit() and int(given) > 0:
            return int(given)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


threads: Final = {"count": default_threads()}


def reason_outside(node: Node) -> str:
    """Why an operation runs on NumPy."""
    if chosen["backend"] != "llvm":
        return "llvmlite is not installed"
    found: str = importlib.import_module(f"{NATIVE}.partition").reason_outside(node)
    return found
