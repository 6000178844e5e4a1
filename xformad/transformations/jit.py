"""`jit`: a function that is recorded once, simplified and compiled.

>>> import numpy as np
>>> from xformad import grad
>>> fast = jit(lambda x: np.sum(np.tanh(x) ** 2))
>>> fast(np.array([0.0, 1.0])), grad(fast)(np.array([0.0, 1.0]))
(np.float64(0.58002...), array([0.        , 0.63970...]))
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Generic, ParamSpec, TypeVar, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import stack
from xformad.core.typing import Value
from xformad.transformations.calls import ARRAYS, is_array, name_of
from xformad.transformations.closures import Closure
from xformad.transformations.compiled import Compiled, jit_call
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

    def result(self, arrays: tuple[Value, ...]) -> Any:
        """The result, of what a run returned."""
        structure, others = self.results[int(np.ravel(value_of(arrays[-1]))[0])]
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
        self.lock = threading.Lock()
        self.__wrapped__ = fun
        self.__name__ = f"jit({getattr(fun, '__name__', 'function')})"
        self.__doc__ = fun.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if stack.live and Closure(self.fun).tracers:
            return self.fun(*args, **kwargs)  # it closes over traced values, which are others in the next call
        leaves, structure = tree.flatten((args, kwargs))
        key = (structure, tuple([None if dynamic(leaf) else leaf for leaf in leaves]))
        form = self.forms.get(key)
        if form is None:
            with self.lock:
                form = self.forms[key] = Form(self.fun, structure, leaves)
                while len(self.forms) > MAX_FORMS:
                    self.forms.pop(next(iter(self.forms)))
        arrays = jit_call.bind(*[leaves[i] for i in form.positions], fun=form.compiled)
        found: R = form.result(arrays)
        return found


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
