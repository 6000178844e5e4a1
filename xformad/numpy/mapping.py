"""Functions applied along axes or entry by entry: `apply_along_axis`, `apply_over_axes`, `vectorize`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from xformad.core.dispatch import METHODS
from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Tracer
from xformad.core.typing import Shape, Value
from xformad.errors import ConcretizationError
from xformad.numpy.implements import as_array, implements


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Value], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Value:
    arr = as_array(arr)
    axis = normalize_axis_index(axis, len(shape_of(arr)))
    rows = np.moveaxis(arr, axis, -1)
    stack = shape_of(rows)[:-1]
    if 0 in stack:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    found = [METHODS["asarray"](func1d(rows[index], *args, **kwargs)) for index in np.ndindex(stack)]
    of_one = len(shape_of(found[0]))
    result = np.reshape(np.stack(found), stack + shape_of(found[0]))
    order = list(range(len(stack) + of_one))
    return np.transpose(result, order[:axis] + order[len(stack) :] + order[axis : len(stack)])


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Value], a: Any, axes: Any) -> Value:
    value = as_array(a)
    ndim = len(shape_of(value))
    for axis in np.atleast_1d(axes).tolist():
        axis = axis + ndim if axis < 0 else axis
        result = func(value, axis)
        if len(shape_of(result)) != ndim:
            result = np.expand_dims(result, axis)
        if len(shape_of(result)) != ndim:
            raise ValueError("function is not returning an array of the correct shape")
        value = result
    return value


class vectorize(np.vectorize):
    """`numpy.vectorize` for traced arguments: a function of numbers, or of the arrays that `signature` names, is called
    for each entry, and what it returns is put together.

    NumPy's own does not take traced arguments: what it calls the function with are plain numbers. Where the function is
    made of NumPy's functions, calling it with whole arrays, or `xformad.vmap` of it, is faster.

    Args:
        pyfunc: the function.
        otypes: the dtypes of the results.
        doc: the docstring.
        excluded: positions and names of arguments that are passed on as they are.
        cache: as for NumPy's; of no account for traced arguments.
        signature: the axes that the function takes and returns, such as `"(n),(n)->()"`.

    >>> from xformad import grad
    >>> clipped_square = vectorize(lambda x: x * x if x > 0 else 0.0)
    >>> grad(lambda x: np.sum(clipped_square(x)))(np.array([-1.0, 2.0]))
    array([0., 4.])
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function for each entry."""
        if any(type(x) is Tracer for x in (*args, *kwargs.values())):
            return self.traced(args, kwargs)
        try:
            return super().__call__(*args, **kwargs)
        except ConcretizationError:  # lists of traced values, or a function that refers to one
            return self.traced(args, kwargs)

    def traced(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same by calling the function with entries of the arrays and stacking what it returns."""
        inputs, outputs = core_axes(self.signature)
        places = [i for i in range(len(args)) if i not in self.excluded]
        names = [name for name in kwargs if name not in self.excluded]
        arrays = [METHODS["asarray"](x) for x in (*[args[i] for i in places], *[kwargs[name] for name in names])]
        if self.signature is None:
            inputs = [()] * len(arrays)
        elif len(arrays) != len(inputs):
            raise TypeError(f"wrong number of positional arguments: expected {len(inputs)}, got {len(arrays)}")
        check_lengths(arrays, inputs)
        stacks = [shape_of(x)[: len(shape_of(x)) - len(axes)] for x, axes in zip(arrays, inputs, strict=True)]
        stack = np.broadcast_shapes(*stacks)
        if 0 in stack:
            raise ValueError("cannot call `vectorize` on traced inputs of size 0")
        arrays = [
            np.broadcast_to(x, stack + shape_of(x)[len(outer) :]) for x, outer in zip(arrays, stacks, strict=True)
        ]
        results = []
        for index in np.ndindex(stack):
            entries = [x[index] for x in arrays]
            positional = list(args)
            for i, entry in zip(places, entries, strict=False):
                positional[i] = entry
            found = self.pyfunc(*positional, **{**kwargs, **dict(zip(names, entries[len(places) :], strict=True))})
            results.append(found if isinstance(found, tuple) else (found,))
        if outputs is not None and len(results[0]) != len(outputs):
            raise ValueError(f"wrong number of outputs from pyfunc: expected {len(outputs)}, got {len(results[0])}")
        wanted = self.otypes if self.otypes is not None else [None] * len(results[0])
        joined = [
            together(list(part), stack, dtype) for part, dtype in zip(zip(*results, strict=True), wanted, strict=True)
        ]
        return joined[0] if len(joined) == 1 else tuple(joined)


def together(parts: list[Value], stack: Shape, dtype: Any) -> Value:
    """The results for all entries as one array, of the dtype of the first one if none is wanted."""
    parts = [METHODS["asarray"](part) for part in parts]
    wanted = dtype_of(parts[0]) if dtype is None else np.dtype(dtype)
    joined = np.stack([part if dtype_of(part) == wanted else part.astype(wanted) for part in parts])
    return np.reshape(joined, stack + shape_of(parts[0]))


def core_axes(signature: str | None) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]] | None]:
    """The names of the axes of each argument and of each result.

    >>> core_axes("(m,n),(n)->(m)")
    ([('m', 'n'), ('n',)], [('m',)])
    """
    if signature is None:
        return [], None
    found = [
        [
            tuple(name for name in group.replace(" ", "").split(",") if name)
            for group in re.findall(r"\(([^)]*)\)", side)
        ]
        for side in signature.split("->")
    ]
    return found[0], found[1]


def check_lengths(arrays: list[Value], axes: list[tuple[str, ...]]) -> None:
    """See that axes of the same name have the same length."""
    lengths: dict[str, int] = {}
    for x, names in zip(arrays, axes, strict=True):
        shape = shape_of(x)
        if len(shape) < len(names):
            raise ValueError(
                f"{len(shape)}-dimensional argument does not have enough dimensions for all core dimensions {names!r}"
            )
        for name, length in zip(names, shape[len(shape) - len(names) :], strict=True):
            if lengths.setdefault(name, length) != length:
                raise ValueError(f"inconsistent size for core dimension {name!r}: {length} vs {lengths[name]}")
