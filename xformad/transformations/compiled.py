"""Functions of flat arrays that are recorded once and compiled: what `jit` is made of.

A `Compiled` function keeps, for each combination of shapes and dtypes, the paths that its runs have taken so far. A path
is a recorded run with its guards. A call tries the paths, and where none fits it records another one. How a compiled
function is transformed stands in `compiled_rules.py`.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, final

import numpy as np

from xformad.compiler.backends import program_of
from xformad.compiler.cache import Cache
from xformad.compiler.passes import constant_key, simplified
from xformad.compiler.replay import depends_on_numbers
from xformad.core.graph import Graph
from xformad.core.guards import GuardError, guard
from xformad.core.primitive import Tracer
from xformad.core.source import user_depth
from xformad.core.typing import Value
from xformad.errors import CompilationWarning, ManyPathsWarning
from xformad.interpreters.recording import NotRecordableError, Recorder
from xformad.transformations.calls import FlatFunction, name_of
from xformad.transformations.recorded import graph_of

Key: TypeAlias = tuple[Any, ...]

MAX_PATHS: Final = 16
"""How many paths are kept for one combination of shapes and dtypes. Beyond, the function is run as it is."""

MAX_KEYS: Final = 64
"""How many combinations of shapes and dtypes are kept."""

NUMBERS: Final = (np.number, np.bool_, float, int, complex)

MAX_DERIVED: Final = 64
"""How many functions made by transformations are kept."""

PATIENCE: Final = 10.0
"""How many seconds a thread waits for another one to have recorded, before it records itself."""

recording: Final = threading.RLock()


@contextmanager
def turn() -> Iterator[None]:
    """One thread at a time records, so that none does what another one is doing. As a recorded function may itself wait
    for a thread that waits here, waiting has an end.
    """
    taken = recording.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        if taken:
            recording.release()


def is_plain(x: Value) -> bool:
    """Whether a compiled program can take a value: it is neither traced nor an array of another class, whose entries lie
    elsewhere, or mean something else.
    """
    kind = type(x)
    return kind is np.ndarray or kind is float or isinstance(x, NUMBERS)


def key_of(values: Sequence[Value]) -> Key:
    """What a recording holds for: the types, shapes and dtypes of the arguments."""
    return tuple([(x.dtype, x.shape) if type(x) is np.ndarray else type(x) for x in values])


@final
class Guarded:
    """What a path took for granted.

    Attributes:
        signature: what was expected of each guard, in order, and the shapes that were found. Equal for equal paths.
        reasons: for each guard what it is, and the user's line.
    """

    __slots__ = ("reasons", "signature")

    def __init__(self, recorder: Recorder) -> None:
        signature: list[Any] = []
        self.reasons: list[str] = []
        for node in recorder.nodes:
            if node.primitive is guard:
                expected, how = node.params["expected"], node.params["how"]
                exact = expected.tobytes() if isinstance(expected, np.ndarray) else constant_key(expected)
                signature.append((how, exact))
                self.reasons.append(f"{described(expected, how)} at {recorder.lines[node]}")
            elif node.primitive is not None and depends_on_numbers(node):
                parts = node.value if isinstance(node.value, tuple) else (node,)
                signature.append(tuple([(part.shape, part.dtype) for part in parts]))
                self.reasons.append(f"the shape or dtype of what {node.primitive.name} returns")
        self.signature = tuple(signature)

    def parting(self, other: Guarded) -> str:
        """Where two paths part."""
        for i, (x, y) in enumerate(zip(self.signature, other.signature, strict=False)):
            if x != y:
                return self.reasons[i]
        return self.reasons[-1] if self.reasons else "?"


def described(expected: Any, how: str) -> str:
    """What a guard is, for people."""
    if how == "truth":
        return f"a condition is {expected}"
    if how in ("index", "integer"):
        return f"a whole number is {expected}"
    if how == "shape":
        return f"the shape is {expected}"
    text = " ".join(str(expected).split())
    return f"the value is {text if len(text) <= 40 else text[:37] + '...'}"


class Way(Protocol):
    """A recorded path, in whatever mode."""

    guarded: Guarded
    calls: int


W = TypeVar("W", bound=Way)


@final
class Ways(Generic[W]):
    """The paths for one combination of shapes and dtypes.

    Attributes:
        known: the paths.
        plain: whether the function is run as it is where none of them fits.
    """

    __slots__ = ("known", "plain")

    def __init__(self) -> None:
        self.known: tuple[W, ...] = ()
        self.plain = False

    def add(self, way: W) -> bool:
        """Add a path, unless it is there: machine code rounds differently from NumPy, and so a guard may fail on the way
        that it was recorded for. Returns whether it was added.
        """
        if any(way.guarded.signature == other.guarded.signature for other in self.known):
            return False
        self.known = (*self.known, way)  # another tuple: threads may be going through the one before
        if len(self.known) == MAX_PATHS:
            self.plain = True
        return True


@final
class Path:
    """A recorded run of a function.

    Attributes:
        graph: what was recorded, simplified.
        program: what runs it.
        run: the program's function, which raises `GuardError` where the path is another one.
        guarded: what was taken for granted.
        calls: how often it was run.
    """

    __slots__ = ("calls", "graph", "guarded", "program", "run")

    def __init__(self, graph: Graph, guarded: Guarded) -> None:
        self.graph = graph
        self.program = program_of(graph)
        self.run: Callable[..., list[Value]] = self.program.run
        self.guarded = guarded
        self.calls = 0


@final
class Compiled:
    """A function of arrays that returns a tuple of arrays, recorded and compiled as it is called.

    Args:
        fun: the function. Traced values must not reach it by closures.

    Attributes:
        paths: its recorded runs.
        pairs: its recorded runs in reverse mode (`compiled_rules.Pair`).
        derived: the functions that transformations made of it.
        recordings: how often a run was recorded.
    """

    def __init__(self, fun: FlatFunction, name: str = "") -> None:
        self.fun = fun
        self.__name__ = name or name_of(fun)
        self.paths: Cache[Key, Ways[Path]] = Cache(MAX_KEYS)
        self.pairs: Cache[Key, Ways[Any]] = Cache(MAX_KEYS)
        self.derived: Cache[Key, Compiled] = Cache(MAX_DERIVED)
        self.recordings = 0
        self.warned = False

    def __call__(self, *values: Value) -> tuple[Value, ...]:
        for x in values:
            if not is_plain(x):
                return self.fun(*values)
        key = key_of(values)
        ways = self.paths.get(key) or self.paths.add(key, Ways())
        found = self.follow(ways.known, values)
        if found is not None:
            return found
        if ways.plain:
            self.many(ways.known)
            return self.fun(*values)
        with turn():
            found = self.follow(ways.known, values)  # another thread may have recorded it meanwhile
            return self.record(ways, values) if found is None else found

    def follow(self, known: Sequence[Path], values: Sequence[Value]) -> tuple[Value, ...] | None:
        """The result by one of the paths, if it fits."""
        for path in known:
            try:
                found = path.run(*values)
            except GuardError:
                continue
            except Exception:  # the program may catch it, or else raises it again
                return self.fun(*values)
            path.calls += 1
            return tuple(found)
        return None

    def record(self, ways: Ways[Path], values: Sequence[Value]) -> tuple[Value, ...]:
        """Run the function and keep the way that it takes."""
        try:
            with Recorder(self.fun) as recorder:
                inputs = [recorder.input(x) for x in values]
                outs = self.fun(*inputs)
            recorder.check()
        except NotRecordableError as error:
            self.refused(ways, error)
            return self.fun(*values)
        self.recordings += 1
        graph = graph_of(self.__name__, recorder, inputs, outs)
        ways.add(Path(simplified(graph), Guarded(recorder)))
        return tuple([x.value if type(x) is Tracer and x.interpreter is recorder else x for x in outs])

    def path_for(self, values: Sequence[Value]) -> Path | None:
        """The path that these arguments take, recorded if it has not been; None if the function is run as it is."""
        if not all(map(is_plain, values)):
            return None
        key = key_of(values)
        for _ in range(2):
            ways = self.paths.get(key) or self.paths.add(key, Ways())
            for path in ways.known:
                try:
                    path.run(*values)
                except GuardError:
                    continue
                return path
            self(*values)
        return None

    def refused(self, ways: Ways[Any], error: NotRecordableError) -> None:
        """A function that cannot be recorded is run as it is, after a warning."""
        ways.plain = True
        if not self.warned:
            self.warned = True
            message = f"jit runs {self.__name__} as it is, because it cannot be recorded: {error}"
            warnings.warn(message, CompilationWarning, stacklevel=user_depth())

    def many(self, known: Sequence[Way]) -> None:
        """Say once that there are too many paths."""
        if not self.warned and len(known) == MAX_PATHS:
            self.warned = True
            warnings.warn(
                f"jit of {self.__name__} has taken {MAX_PATHS} different ways through the program for arguments of the "
                f"same shapes, and runs it as it is from now on; the last two part where "
                f"{known[-1].guarded.parting(known[-2].guarded)}",
                ManyPathsWarning,
                stacklevel=user_depth(),
            )

    def made(self, key: Key, make: Callable[[], FlatFunction]) -> Compiled:
        """A compiled function derived from this one, made once."""
        return self.derived.get(key) or self.derived.add(key, Compiled(make()))
