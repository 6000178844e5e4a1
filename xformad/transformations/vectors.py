"""Pytrees as vectors, for solvers: SciPy works on one vector of real numbers, a program on containers of arrays.

>>> layout = Layout({"position": np.zeros(2), "mass": 1.0}, "x0")
>>> layout.vector([np.array([3.0, 4.0]), 5.0])
array([3., 4., 5.])
>>> layout.tree(np.array([6.0, 7.0, 8.0]))
{'position': array([6., 7.]), 'mass': np.float64(8.0)}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import dtype_of, held, shape_of, spec_of
from xformad.core.primitive import Tracer
from xformad.core.source import user_line
from xformad.core.texts import describe
from xformad.core.typing import Value
from xformad.errors import DifferentiationError, TreeError
from xformad.transformations.calls import Flat, is_array

DOUBLE = np.dtype(np.float64)


@final
class Layout:
    """How the leaves of a pytree lie in a vector of float64: one after the other, complex ones as two real ones.

    Args:
        example: a pytree of the form. Whole numbers in it stand for floats.
        name: what messages call it.

    Attributes:
        structure: the tree.
        shapes, dtypes: of the leaves, the dtypes floating-point ones.
        sizes: how many entries of the vector each leaf takes.
        size: the length of the vector.

    Raises:
        DifferentiationError: for a leaf that is no number and no array.
    """

    def __init__(self, example: Any, name: str) -> None:
        self.name = name
        leaves, self.structure = tree.flatten(example)
        for leaf, path in zip(leaves, self.structure.paths(name), strict=True):
            if not is_array(leaf) or dtype_of(leaf).kind not in "fciub":
                raise DifferentiationError(
                    f"{path} is a {type(leaf).__name__}, but must be a number or an array of them"
                )
        self.shapes = [shape_of(leaf) for leaf in leaves]
        kinds = [dtype_of(leaf) for leaf in leaves]
        self.dtypes = [kind if kind.kind in "fc" else DOUBLE for kind in kinds]
        pairs = zip(self.shapes, self.dtypes, strict=True)
        self.sizes = [math.prod(shape) * (2 if dtype.kind == "c" else 1) for shape, dtype in pairs]
        self.size = sum(self.sizes)

    def vector(self, leaves: Sequence[Value]) -> Value:
        """The vector of these leaves."""
        parts = []
        for leaf, dtype in zip(leaves, self.dtypes, strict=True):
            if dtype.kind == "c":
                parts += [np.real(leaf), np.imag(leaf)]
            else:
                parts.append(leaf)
        if len(parts) == 1 and type(parts[0]) is np.ndarray and parts[0].ndim == 1 and parts[0].dtype is DOUBLE:
            return parts[0]
        flat = [as_double(np.reshape(part, (-1,))) for part in parts]
        return flat[0] if len(flat) == 1 else np.concatenate(flat) if flat else np.zeros(0)

    def leaves(self, vector: Value, *, double: bool = False) -> list[Value]:
        """The leaves in a vector, or, with one more axis at the front, the leaves in a stack of vectors.

        Args:
            vector: of shape (size,) or (n, size).
            double: whether to give them in double precision, and not in their own.
        """
        rows = shape_of(vector)[:-1]
        found = []
        start = 0
        for shape, dtype, size in zip(self.shapes, self.dtypes, self.sizes, strict=True):
            if not shape and not rows and size == 1:
                part = vector[start]
            elif dtype.kind == "c":
                half = start + size // 2
                real, imaginary = vector[..., start:half], vector[..., half : start + size]
                part = np.reshape(real + 1j * imaginary, rows + shape)
            else:
                part = vector if size == self.size else vector[..., start : start + size]
                part = part if len(shape) == 1 else np.reshape(part, rows + shape)
            start += size
            if not double and dtype_of(part) != dtype:
                part = part.astype(dtype)
            found.append(part[()] if type(part) is np.ndarray and not part.ndim else part)
        return found

    def tree(self, vector: Value) -> Any:
        """The pytree in a vector, or, with one more axis at the front, that of stacks."""
        return tree.unflatten(self.structure, self.leaves(vector))

    def like(self, result: Any, what: str) -> Value:
        """The vector of a result that must have this form.

        Raises:
            TreeError: if the tree or a shape differs, or a leaf is complex that must be real.
        """
        leaves = tree.flatten_like(self.structure, result, what)
        for leaf, shape, dtype, path, own in zip(
            leaves, self.shapes, self.dtypes, self.structure.paths(what), self.structure.paths(self.name), strict=True
        ):
            if not is_array(leaf):
                raise TreeError(f"{path} is a {type(leaf).__name__}, but must be a number or an array ({user_line()})")
            found, kind = spec_of(leaf)
            if found != shape:
                raise TreeError(
                    f"{path} is {describe(found, kind)}, but {own} is {describe(shape, dtype)}; their shapes must be "
                    f"equal ({user_line()})"
                )
            if kind.kind == "c" and dtype.kind != "c":
                raise TreeError(
                    f"{path} is {describe(found, kind)}, but {own} is {describe(shape, dtype)}; give a complex {own}, or "
                    f"return the real part ({user_line()})"
                )
        return self.vector(leaves)


def as_double(x: Value) -> Value:
    return x if dtype_of(x) == DOUBLE else x.astype(DOUBLE)


@final
class VectorFunction:
    """A function of a pytree and of more arguments, as one of vectors, whatever is traced in it made explicit.

    Called with a vector, the arguments `between`, and values for `operands`, it returns a vector.

    Args:
        fun: `fun(x, *between, *args)`.
        layout: of x.
        between: numbers that change from call to call.
        args: the other arguments, pytrees.
        vector: makes the vector of the result.

    Attributes:
        operands: the traced values that `fun` closes over, and those in `args`. All else is a constant.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        layout: Layout,
        between: tuple[Value, ...],
        args: tuple[Any, ...],
        vector: Callable[[Any], Value],
    ) -> None:
        self.layout = layout
        self.between = len(between)
        self.vector = vector
        example = layout.tree(np.zeros(layout.size))
        self.flat = Flat(fun, (example, *between, *args))
        values = self.flat.operands
        self.first = len(self.flat.tracers)
        self.count = layout.structure.size
        fixed = range(self.first, self.first + self.count + self.between)
        self.positions = [i for i, value in enumerate(values) if type(value) is Tracer and i not in fixed]
        self.operands = [values[i] for i in self.positions]
        self.values = [None if i in self.positions else value for i, value in enumerate(values)]
        if self.positions:  # a pullback may be called after the program has changed them
            self.values = [value.copy() if type(value) is np.ndarray else value for value in self.values]

    def __repr__(self) -> str:
        """As graphs show it: without an address."""
        return f"<{getattr(self.flat.closure.fun, '__name__', 'function')} of vectors>"

    def __call__(self, x: Value, *rest: Value) -> Value:
        values = list(self.values)
        stop = self.first + self.count
        values[self.first : stop] = self.layout.leaves(x, double=True)
        values[stop : stop + self.between] = rest[: self.between]
        for i, value in zip(self.positions, rest[self.between :], strict=True):
            values[i] = value
        return self.vector(self.flat.result(self.flat(*values)))


def plain_function(fun: Callable[..., Value], what: str) -> Callable[..., np.ndarray[Any, Any]]:
    """A function of plain values for SciPy, which must not see traced ones.

    Raises:
        DifferentiationError: when called, if it depends on a traced value that is no operand.
    """

    def call(*args: Value) -> np.ndarray[Any, Any]:
        found = held(fun(*args))
        if type(found) is Tracer:
            raise DifferentiationError(
                f"{what} depends on a value traced by {found.interpreter.name} that it holds where xformad does not look, "
                f"such as a global variable or an attribute of an object; pass it as an argument ({user_line()})"
            )
        return np.asarray(found, DOUBLE)

    return call
