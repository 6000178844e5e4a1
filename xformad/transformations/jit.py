"""`jit`: a function that is recorded once, simplified and compiled.

>>> import numpy as np
>>> from xformad import grad
>>> fast = jit(lambda x: np.sum(np.tanh(x) ** 2))
>>> fast(np.array([0.0, 1.0])), grad(fast)(np.array([0.0, 1.0]))
(np.float64(0.58002...), array([0.        , 0.63970...]))
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from types import MethodType
from typing import Any, Final, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, cast, final

import numpy as np

from xformad import tree
from xformad.compiler import backends
from xformad.compiler.cache import Cache
from xformad.compiler.kernels import expanded
from xformad.core.graph import Graph
from xformad.core.guards import GuardError
from xformad.core.interpreter import stack
from xformad.core.typing import Value
from xformad.errors import ArgumentError
from xformad.interpreters.watching import WatchedStack
from xformad.transformations.calls import ARRAYS, is_array, name_of
from xformad.transformations.closures import Closure
from xformad.transformations.compiled import Compiled, Path, Ways, key_of
from xformad.transformations.compiled_rules import jit_call
from xformad.transformations.executable import CompiledFunction, compiled_for
from xformad.transformations.explanations import explained
from xformad.transformations.recorded import flat_graph
from xformad.transformations.values import value_of

P = ParamSpec("P")
R = TypeVar("R")

MAX_FORMS: Final = 64
"""How many forms of arguments (trees, values that are no arrays) are kept."""


@final
class CacheInfo(NamedTuple):
    """What `fun.cache_info()` returns.

    Attributes:
        hits: how many calls ran a recorded path, not counting those inside of transformations.
        misses: how many runs were recorded, in whatever mode.
        forms: how many combinations of trees and of values that are no arrays are known.
        paths: how many recorded paths are kept.
    """

    hits: int
    misses: int
    forms: int
    paths: int


class Static:
    """In the key of a form: a leaf that is an array or a number."""


@final
class Form:
    """The function for one form of the arguments: one tree, and one set of values that are no arrays.

    Its results may have several forms, on several paths: which one it is, a run returns after the arrays.

    Attributes:
        compiled: the function of the arrays.
        results: the forms of the results: trees, and the leaves that are no arrays with their positions.
    """

    def __init__(self, fun: Callable[..., Any], structure: tree.Structure, leaves: list[Any]) -> None:
        self.fun = fun
        self.structure = structure
        self.leaves = [None if dynamic(leaf) else leaf for leaf in leaves]
        self.positions = [i for i, leaf in enumerate(leaves) if dynamic(leaf)]
        self.results: list[tuple[tree.Structure, list[tuple[int, Any]]]] = []
        self.numbers: dict[Any, int] = {}
        self.compiled = Compiled(self.run, name_of(fun))

    def run(self, *values: Value) -> tuple[Value, ...]:
        """The arrays of the result, and the number of its form."""
        leaves = list(self.leaves)
        for i, value in zip(self.positions, values, strict=True):
            leaves[i] = value
        args, kwargs = tree.unflatten(self.structure, leaves)
        found, structure = tree.flatten(self.fun(*args, **kwargs))
        others = [(i, leaf) for i, leaf in enumerate(found) if not dynamic(leaf)]
        number = self.number(structure, others)
        return (*[leaf for leaf in found if dynamic(leaf)], np.int64(number))

    def number(self, structure: tree.Structure, others: list[tuple[int, Any]]) -> int:
        """The number of a form of the result."""
        key = (structure, tuple([(i, type(leaf), leaf if is_hashable(leaf) else id(leaf)) for i, leaf in others]))
        number = self.numbers.get(key)
        if number is None:
            with adding:
                self.results.append((structure, others))
                number = self.numbers[key] = len(self.results) - 1
        return number

    def result(self, arrays: Sequence[Value]) -> Any:
        """The result, of what a run returned."""
        number = arrays[-1]
        if type(number) is not np.int64:  # a batch of examples that go the same way
            number = np.ravel(value_of(number))[0]
        structure, others = self.results[number]
        if structure is tree.LEAF and not others:
            return arrays[0]
        leaves = list(arrays[:-1])
        for i, leaf in others:
            leaves.insert(i, leaf)
        return tree.unflatten(structure, leaves)


adding: Final = threading.Lock()


def is_hashable(x: Any) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True


def dynamic(leaf: Any) -> bool:
    """Whether a leaf is an array or a number, which a recording holds for all values of."""
    kind = type(leaf)
    return kind in ARRAYS or (kind is not bool and is_array(leaf))


@final
class Jitted(Generic[P, R]):
    """What `jit` returns: the function, and what is known of how it runs."""

    def __init__(self, fun: Callable[P, R]) -> None:
        self.fun = fun
        self.forms: Cache[Any, Form] = Cache(MAX_FORMS)
        self.quick: dict[tuple[Any, ...], tuple[Form, Ways[Path]]] = {}
        self.__wrapped__ = fun
        self.__name__ = f"jit({getattr(fun, '__name__', 'function')})"
        self.__doc__ = fun.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        live = stack.live
        if type(live) is WatchedStack and live.plainly:
            return live.run(self.fun, args, kwargs)  # type: ignore[no-any-return]
        simple: Any = None if kwargs or live else simple_key(args)
        if simple is not None:
            quick = self.quick.get(simple)
            if quick is not None:
                form, ways = quick
                for path in ways.known:
                    try:
                        found = path.run(*args)
                    except GuardError:
                        continue
                    except Exception:  # the program may catch it, or else raises it again
                        break
                    path.calls += 1
                    return form.result(found)  # type: ignore[no-any-return]
        if live and Closure(self.fun).tracers:
            return self.fun(*args, **kwargs)  # it closes over traced values, which are others in the next call
        form = self.form_of(args, kwargs)
        leaves = tree.leaves_of((args, kwargs))
        arrays = [leaves[i] for i in form.positions]
        found = jit_call.bind(*arrays, fun=form.compiled)
        if simple is not None:
            ways = form.compiled.paths.get(key_of(arrays)) or Ways()
            if ways.known:
                self.quick[simple] = form, ways
                while len(self.quick) > MAX_FORMS:
                    self.quick.pop(next(iter(self.quick)), None)
        return form.result(found)  # type: ignore[no-any-return]

    def form_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Form:
        """What is known of arguments like these.

        Raises:
            ArgumentError: if there is a leaf that is neither an array nor hashable.
        """
        leaves, structure = tree.flatten((args, kwargs))
        key = (structure, tuple([Static if dynamic(leaf) else (type(leaf), leaf) for leaf in leaves]))
        try:
            return self.forms.get(key) or self.forms.add(key, Form(self.fun, structure, leaves))
        except TypeError:
            wrong = next((leaf for leaf in leaves if not dynamic(leaf) and not is_hashable(leaf)), None)
            if wrong is None:
                raise
            raise ArgumentError(
                f"{self.__name__} got a {type(wrong).__name__}, which is neither an array, a number, nor hashable, so that "
                "a recording could not be found again; register the type by xformad.tree.register, or close over the object"
            ) from None

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method, as a function is one: the object is an argument like others."""
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __reduce__(self) -> Any:
        return Jitted, (self.fun,)

    def cache_info(self) -> CacheInfo:
        """How many calls were recorded, and how many ran what had been."""
        functions = [form.compiled for form in self.forms]
        everything = [each for fun in functions for each in family(fun)]
        paths = [path for fun in everything for ways in fun.paths for path in ways.known]
        pairs = [pair for fun in everything for ways in fun.pairs for pair in ways.known]
        hits = sum(path.calls for fun in functions for ways in fun.paths for path in ways.known)
        return CacheInfo(hits, sum(fun.recordings for fun in everything), len(functions), len(paths) + len(pairs))

    def cache_clear(self) -> None:
        """Forget all recorded paths."""
        self.quick.clear()
        self.forms.clear()

    def path(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Path:
        """The path for these arguments, recorded if it has not been.

        Raises:
            ArgumentError: if the function is run as it is for arguments like these.
        """
        form = self.form_of(args, kwargs)
        leaves = tree.leaves_of((args, kwargs))
        arrays = [leaves[i] for i in form.positions]
        found = form.compiled.path_for(arrays)
        if found is None:
            raise ArgumentError(f"{self.__name__} is run as it is for arguments like these; its warning said why")
        return found

    def compile(self, *args: P.args, **kwargs: P.kwargs) -> CompiledFunction[R]:
        """The function compiled ahead of time, for the trees, shapes and dtypes of these arguments and for the way that
        they take through the program. It can be saved: see `CompiledFunction`.
        """
        return compiled_for(self.fun, args, kwargs)

    def graph(self, *args: P.args, **kwargs: P.kwargs) -> Graph:
        """The graph of the path for these arguments, simplified, on flat arrays.

        Returns:
            Its inputs are the arrays and numbers among the leaves of the arguments, its outputs those of the result.

        >>> print(jit(lambda x: 2.0 * np.sin(x) + 2.0 * np.sin(x)).graph(1.0))
        inputs  a: float64[]
        b: float64[] = sin a
        c: float64[] = multiply 2.0 b
        d: float64[] = add c c
        outputs d
        """
        graph = self.path(args, kwargs).graph
        return flat_graph(graph.name, graph.inputs, graph.equations, graph.outputs[:-1])

    def draw(self, path: str | PathLike[str], *args: P.args, **kwargs: P.kwargs) -> None:
        """Draw the graph of the path for these arguments into a file, with a frame around what is one kernel.

        Args:
            path: the file; what kind it is, its suffix says, as for `Graph.draw`.
        """
        graph, kernels = expanded(self.path(args, kwargs).program.graph)
        graph.draw(path, kernels)

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """What happens in a call with these arguments: paths, guards, kernels, and what runs outside of them and why."""
        self.path(args, kwargs)
        form = self.form_of(args, kwargs)
        leaves = tree.leaves_of((args, kwargs))
        arrays = [leaves[i] for i in form.positions]
        return explained(form.compiled, arrays)


def family(fun: Compiled) -> Iterator[Compiled]:
    """A compiled function, and those that transformations made of it."""
    yield fun
    for each in fun.derived:
        yield from family(each)


def simple_key(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """What a call is recognised by if its arguments are arrays and floats: without looking for trees."""
    key: list[Any] = []
    for x in args:
        kind = type(x)
        if kind is np.ndarray:
            key.append(x.shape)
            key.append(x.dtype)
        elif kind is float or kind is np.float64:
            key.append(kind)
        else:
            return None
    return tuple(key)


class Jit(Protocol):
    """The type of `jit`."""

    def __call__(self, fun: Callable[P, R]) -> Jitted[P, R]: ...

    def set_threads(self, count: int) -> None:
        """Have so many threads work on large loops; 1: none but the one that calls.

        At first it is what the environment's `XFORMAD_NUM_THREADS` or `OMP_NUM_THREADS` says, or the number of processors.
        Results do not depend on it. Products of matrices are BLAS's, which has settings of its own.

        Raises:
            ArgumentError: if the number is not positive.
        """

    def threads(self) -> int:
        """How many threads work on large loops."""


def with_threads(function: Callable[..., Any]) -> Jit:
    """`jit`, with its functions on threads."""
    found = cast(Any, function)
    found.set_threads = set_threads
    found.threads = threads
    return cast(Jit, found)


def set_threads(count: int) -> None:
    if operator.index(count) < 1:
        raise ArgumentError(f"jit.set_threads takes a positive number of threads, not {count}")
    backends.set_threads(operator.index(count))


def threads() -> int:
    return backends.threads["count"]


@with_threads
def jit(fun: Callable[P, R]) -> Jitted[P, R]:
    """The same function, recorded once for each combination of shapes and dtypes, simplified and compiled.

    A recorded run holds for all values of the same shapes and dtypes that take the same way through the program. Where a
    program branches on a value, uses one as a whole number or looks at it, the recording has a guard; a call for which a
    guard does not hold takes another recorded path, or records one. What else happens in the program, printing or
    appending to a list, happens while recording only, and what it reads from outside, closed-over arrays or random
    numbers, is taken as it was then.

    Args:
        fun: a function of pytrees, with a pytree as result. Arrays and numbers are arguments; all other leaves (strings,
            truth values, functions) must be hashable, and each combination of them is recorded for itself.

    Returns:
        The function of the same arguments, an object with methods `graph`, `explain`, `cache_info` and `cache_clear`.

    Raises:
        ArgumentError: when called, if a leaf is neither an array nor hashable.

    Warns:
        ManyPathsWarning: if there are more than 16 paths for arguments of the same shapes: it is then run as it is.
        CompilationWarning: if it cannot be recorded or compiled: it is then run as it is, or on NumPy.

    >>> fast = jit(lambda n: sum(range(n)))
    >>> fast(5), fast(5), fast(6), fast.cache_info().misses
    (10, 10, 15, 2)
    """
    return Jitted(fun)
