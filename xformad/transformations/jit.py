"""`jit`: a function that is recorded once, simplified and compiled.

>>> import numpy as np
>>> from xformad import grad
>>> fast = jit(lambda x: np.sum(np.tanh(x) ** 2))
>>> fast(np.array([0.0, 1.0])), grad(fast)(np.array([0.0, 1.0]))
(np.float64(0.58002...), array([0.        , 0.63970...]))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, ParamSpec, TypeVar, final

import numpy as np

from xformad import tree
from xformad.core.guards import GuardError
from xformad.core.interpreter import stack
from xformad.core.typing import Value
from xformad.transformations.calls import ARRAYS, is_array, name_of
from xformad.transformations.closures import Closure
from xformad.transformations.compiled import Compiled, Key, jit_call, key_of
from xformad.transformations.values import value_of

P = ParamSpec("P")
R = TypeVar("R")

MAX_FORMS: Final = 64
"""How many forms of arguments (trees, values that are no arrays) are kept."""


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
        self.compiled = Compiled(self.run, name_of(fun))

    def run(self, *values: Value) -> tuple[Value, ...]:
        """The arrays of the result, and the number of its form."""
        leaves = list(self.leaves)
        for i, value in zip(self.positions, values, strict=True):
            leaves[i] = value
        args, kwargs = tree.unflatten(self.structure, leaves)
        found, structure = tree.flatten(self.fun(*args, **kwargs))
        others = [(i, leaf) for i, leaf in enumerate(found) if not dynamic(leaf)]
        self.results.append((structure, others))
        return (*[leaf for leaf in found if dynamic(leaf)], np.int64(len(self.results) - 1))

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


def dynamic(leaf: Any) -> bool:
    """Whether a leaf is an array or a number, which a recording holds for all values of."""
    kind = type(leaf)
    return kind in ARRAYS or (kind is not bool and is_array(leaf))


@final
class Jitted(Generic[P, R]):
    """What `jit` returns."""

    def __init__(self, fun: Callable[P, R]) -> None:
        self.fun = fun
        self.forms: dict[Any, Form] = {}
        self.quick: dict[tuple[Any, ...], tuple[Form, Key]] = {}
        self.lock = threading.Lock()
        self.__wrapped__ = fun
        self.__name__ = f"jit({getattr(fun, '__name__', 'function')})"
        self.__doc__ = fun.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        simple: Any = None if kwargs or stack.live else simple_key(args)
        if simple is not None:
            quick = self.quick.get(simple)
            if quick is not None:
                form, key = quick
                for path in form.compiled.paths.get(key, ()):
                    try:
                        return form.result(path.run(*args))  # type: ignore[no-any-return]
                    except GuardError:
                        continue
        if stack.live and Closure(self.fun).tracers:
            return self.fun(*args, **kwargs)  # it closes over traced values, which are others in the next call
        form = self.form_of(args, kwargs)
        leaves = tree.leaves_of((args, kwargs))
        arrays = [leaves[i] for i in form.positions]
        if simple is not None:
            self.quick[simple] = form, key_of(arrays)
            while len(self.quick) > MAX_FORMS:
                self.quick.pop(next(iter(self.quick)))
        found: R = form.result(jit_call.bind(*arrays, fun=form.compiled))
        return found

    def form_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Form:
        """What is known of arguments like these."""
        leaves, structure = tree.flatten((args, kwargs))
        key = (structure, tuple([None if dynamic(leaf) else leaf for leaf in leaves]))
        form = self.forms.get(key)
        if form is None:
            with self.lock:
                form = self.forms.setdefault(key, Form(self.fun, structure, leaves))
                while len(self.forms) > MAX_FORMS:
                    self.forms.pop(next(iter(self.forms)))
        return form


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


def jit(fun: Callable[P, R]) -> Jitted[P, R]:
    """The same function, recorded once for each combination of shapes and dtypes, simplified and compiled.

    Args:
        fun: a function of pytrees, with a pytree as result. It may branch and loop on values: each way through it is
            recorded when it is first taken.

    Returns:
        The function of the same arguments.

    >>> jit(lambda n: sum(range(n)))(5)
    10
    """
    return Jitted(fun)
