"""Functions compiled ahead of time: `jit(fun).compile(*args)`, which can be saved, and `load`.

>>> import numpy as np, os, tempfile
>>> from xformad import grad, jit
>>> norm = jit(lambda x: np.sqrt(np.sum(x**2))).compile(np.ones(2))
>>> path = os.path.join(tempfile.mkdtemp(), "norm.graph")
>>> norm.save(path)
>>> load(path)(np.array([3.0, 4.0])), grad(load(path))(np.array([3.0, 4.0]))
(np.float64(5.0), array([0.6, 0.8]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Final, Generic, ParamSpec, TypeVar, final

import numpy as np

from xformad import tree
from xformad.compiler.backends import program_of
from xformad.compiler.files import reading, writing
from xformad.compiler.files.values import Records
from xformad.compiler.passes import simplified
from xformad.compiler.replay import Program, depends_on_numbers
from xformad.compiler.signatures import Signature, is_dynamic, leaf_of
from xformad.core.graph import Graph, Node
from xformad.core.guards import GuardError
from xformad.core.interpreter import spec_of
from xformad.core.primitive import Tracer
from xformad.core.texts import describe
from xformad.core.typing import ShapeDtype, Value
from xformad.errors import GraphFileError, PathError, UnsupportedError, XformadError
from xformad.interpreters.evaluate import owned
from xformad.interpreters.recording import Recorder
from xformad.transformations.calls import name_of
from xformad.transformations.closures import Closure
from xformad.transformations.compiled import Compiled, described, is_plain
from xformad.transformations.compiled_rules import jit_call
from xformad.transformations.loops import Counts
from xformad.transformations.recorded import graph_of
from xformad.transformations.while_loops import WhileCounts

P = ParamSpec("P")
R = TypeVar("R")

RECORDS: Final[Records] = {"Counts": (Counts, 3), "WhileCounts": (WhileCounts, 2)}
"""What loops say of their operands."""


@final
class CompiledFunction(Generic[R]):
    """A function for one combination of trees, shapes and dtypes, and for one way through the program: what
    `jit(fun).compile(*args)` and `load(path)` return.

    It can be called, differentiated and transformed like the function that it was made of.

    Attributes:
        graph: what it computes, on the arrays and numbers among the leaves of its arguments.
    """

    def __init__(self, name: str, signature: Signature, graph: Graph, lines: dict[int, str], path: str = "") -> None:
        self.__name__ = name
        self.graph = graph
        self.signature = signature
        self.lines = lines
        self.path = path
        self.program: Program | None = None
        self.compiled = Compiled(self.evaluated, name)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """The result for arguments like those that the function was compiled for.

        Raises:
            TreeError: if their containers are others.
            ArgumentError: if their types, shapes or dtypes are others.
            PathError: if they take another way through the program.
            GraphFileError: in the first call of a loaded function, if the file was inconsistent.
        """
        arrays = self.signature.arrays(self.__name__, args, kwargs)
        found = jit_call.bind(*arrays, fun=self.compiled) if Tracer in map(type, arrays) else self.run(arrays)
        return self.signature.returned(found)  # type: ignore[no-any-return]

    def run(self, arrays: Sequence[Value]) -> Sequence[Value]:
        """The results' arrays, of plain arrays."""
        program = self.program
        if program is None:
            return self.first_run(arrays)
        try:
            return program.run(*arrays)
        except GuardError:
            return self.evaluated(*arrays)  # says which guard, if it does not hold on NumPy either

    def first_run(self, arrays: Sequence[Value]) -> Sequence[Value]:
        """Run a loaded graph on NumPy, record it as it runs, and compile what was recorded: so nothing that the file says
        of types is relied upon.
        """
        with Recorder() as recorder:
            inputs = [recorder.input(x) for x in arrays]
            outs = self.evaluated(*inputs)
        self.program = program_of(simplified(graph_of(self.__name__, recorder, inputs, outs)))
        return [x.value if type(x) is Tracer else x for x in outs]

    def evaluated(self, *arrays: Value) -> tuple[Value, ...]:
        """Run the graph, under whatever interpreter, and compare what there is with what it says."""
        values: dict[Node, Value] = dict(zip(self.graph.inputs, arrays, strict=True))
        for number, node in enumerate(self.graph.equations):
            assert node.primitive is not None
            operands = list(node.args)
            for position, parent in zip(node.argnums, node.parents, strict=True):
                operands[position] = values[parent]
            try:
                values[node] = node.primitive.bind(*operands, **node.params)
            except GuardError:
                self.another_way(node, described(**node.params))
            except (XformadError, np.linalg.LinAlgError, ArithmeticError, MemoryError):
                raise
            except Exception as error:  # NumPy refuses what does not fit together by errors of many types
                if self.trusted:
                    raise
                what = f"{node.primitive.name}, raises {type(error).__name__}: {error}"
                raise GraphFileError(f"{self.path} cannot be run: equation {number}, {what}") from error
            self.compare(number, node, values[node])
        return tuple([values[out] if isinstance(out, Node) else owned(out) for out in self.graph.outputs])

    def compare(self, number: int, node: Node, value: Value) -> None:
        """See whether a result is of the type that the graph says. What loops return may have other lengths."""
        if any(
            each.primitive is not None and each.primitive.name in reading.LOOPS for each in (node, *node.parents[:1])
        ):
            return
        specs: list[ShapeDtype] = [node.spec]
        found = [spec_of(value)] if not isinstance(value, tuple) else list(map(spec_of, value))
        if isinstance(node.value, tuple):
            specs = [(spec.shape, spec.dtype) for spec in node.value]
        if found == specs:
            return
        assert node.primitive is not None
        name = node.primitive.name
        given, expected = (", ".join(describe(*spec) for spec in each) for each in (found, specs))
        if self.trusted or depends_on_numbers(node):
            self.another_way(node, f"{name} returns {expected}")
        raise GraphFileError(
            f"{self.path} is inconsistent: equation {number}, {name}, returns {given}, but should {expected}"
        )

    def another_way(self, node: Node, reason: str) -> None:
        """Refuse arguments for which a guard does not hold."""
        raise PathError(
            f"these arguments take another way through {self.__name__} than the compiled one, on which {reason} at "
            f"{self.lines.get(node.number, '?')}; call jit of the function, which records all ways, or compile it for such "
            "arguments, too"
        ) from None

    @property
    def trusted(self) -> bool:
        """Whether it was not read from a file, or has been run since."""
        return not self.path or self.program is not None

    def save(self, path: str | PathLike[str]) -> None:
        """Write the function into a file, which `load` reads. The format is described in docs/graph_files.md.

        Args:
            path: the file.

        Raises:
            UnsupportedError: if there is something in the function that files cannot hold.
        """
        writing.save(path, writing.Function(self.__name__, self.signature, self.graph, self.lines), RECORDS)

    def __repr__(self) -> str:
        return f"<compiled {self.__name__}: {len(self.graph)} equations>"


def compiled_for(fun: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> CompiledFunction[R]:
    """A function compiled for arguments like these.

    Raises:
        UnsupportedError: if an argument, or a value that the function closes over, is traced.
    """
    name = name_of(fun)
    (given, of_args), (given_by_name, of_kwargs) = tree.flatten(args), tree.flatten(kwargs)
    leaves = [*given, *given_by_name]
    if any(type(x) is Tracer for x in leaves) or Closure(fun).tracers:
        raise UnsupportedError(
            f"{name} cannot be compiled ahead of time for traced arguments, or with traced values that it closes over; do "
            "so outside of transformations, and call it inside of them"
        )
    foreign = [x for x in leaves if is_dynamic(x) and not is_plain(x)]
    if foreign:  # machine code reads arrays and numbers only
        raise UnsupportedError(
            f"{name} cannot be compiled ahead of time for a {type(foreign[0]).__name__}; pass a NumPy array"
        )
    with Recorder(fun, located=True) as recorder:
        inputs = {i: recorder.input(x) for i, x in enumerate(leaves) if is_dynamic(x)}
        again = [inputs.get(i, x) for i, x in enumerate(leaves)]
        out = fun(*tree.unflatten(of_args, again[: len(given)]), **tree.unflatten(of_kwargs, again[len(given) :]))
        found, of_result = tree.flatten(out)
    others = tuple([(i, x) for i, x in enumerate(found) if not is_dynamic(x)])
    signature = Signature(of_args, of_kwargs, of_result, tuple(map(leaf_of, leaves)), others)
    results = [x for x in found if is_dynamic(x)]
    graph = simplified(graph_of(name, recorder, list(inputs.values()), results))
    lines = {node.number: line for node, line in recorder.lines.items()}
    compiled: CompiledFunction[R] = CompiledFunction(name, signature, graph, lines)
    compiled.program = program_of(graph)
    return compiled


def load(path: str | PathLike[str]) -> CompiledFunction[Any]:
    """Read a compiled function that was saved with `CompiledFunction.save`.

    Nothing in the file is executed, and nothing in it is relied upon: a file that somebody else has written can at worst
    compute something else than it is said to, or for ever. The Python function is not needed.

    Args:
        path: the file.

    Returns:
        The function. It is compiled when it is first called; that call runs on NumPy, and compares the types of all results
        with those in the file.

    Raises:
        GraphFileError: if the file is damaged, inconsistent, written in a newer format, or names primitives that are not
            known: import the modules that make primitives of your own before.
    """
    found = reading.load(path, RECORDS)
    return CompiledFunction(found.name, found.signature, found.graph, found.lines, str(path))
