"""The computation graph: `Node`, one recorded application of a primitive, and `Graph`, a whole recorded run.

A graph prints as one line an equation:

    >>> import xformad, numpy as np
    >>> print(xformad.trace(lambda x: np.sum(x * x))(np.ones(3)))
    inputs  a: float64[3]
    b: float64[3] = multiply a a
    c: float64[] = sum b  axis=(0,) keepdims=False
    outputs c
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import numpy as np

from xformad.core.primitive import Primitive
from xformad.core.typing import Params, Shape, ShapeDtype, Value
from xformad.tree import Structure


@final
class Node:
    """One application of a primitive, recorded; or, where `primitive` is None, an input.

    Attributes:
        number: the order of recording. Parents have smaller numbers than their children.
        value: the result; None on a tape where no rule needs it.
        primitive: what was applied.
        args: its positional arguments, by value. On a tape, those that no rule needs are left out.
        params: its keyword parameters.
        parents: the nodes of the traced ones among the arguments, in order.
        spec: the result's shape and dtype.
        plan: which arguments the parents are, and what the backward pass does; put there by the recording interpreter.
    """

    __slots__ = ("args", "number", "params", "parents", "plan", "primitive", "spec", "value")

    def __init__(
        self,
        number: int,
        value: Value,
        primitive: Primitive | None,
        args: Sequence[Value],
        params: Params,
        parents: Sequence[Node],
        spec: ShapeDtype,
        plan: Any,
    ) -> None:
        self.number = number
        self.value = value
        self.primitive = primitive
        self.args = args
        self.params = params
        self.parents = parents
        self.spec = spec
        self.plan = plan

    @property
    def shape(self) -> Shape:
        return self.spec[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.spec[1]

    @property
    def argnums(self) -> tuple[int, ...]:
        """The positions of the traced ones among the arguments."""
        return () if self.plan is None else self.plan.argnums

    def __repr__(self) -> str:
        what = "input" if self.primitive is None else self.primitive.name
        return f"<Node {self.number} {what}: {describe(self.shape, self.dtype)}>"


component = Primitive("component", lambda whole, index: whole[index])
"""What interpreters record for one component of a tuple-valued primitive."""


@final
class Graph:
    """A recorded run: inputs, equations in the order of execution, outputs.

    Attributes:
        name: of the recorded function.
        inputs: the nodes of the arguments' leaves.
        equations: the nodes of the recorded operations that the outputs depend on.
        outputs: a node for each leaf of the result, or the value of one that does not depend on the inputs.
        in_structure: the tree of the arguments.
        out_structure: the tree of the result.
    """

    __slots__ = ("equations", "in_structure", "inputs", "name", "out_structure", "outputs")

    def __init__(
        self,
        name: str,
        inputs: tuple[Node, ...],
        equations: tuple[Node, ...],
        outputs: tuple[Any, ...],
        in_structure: Structure,
        out_structure: Structure,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.equations = equations
        self.outputs = outputs
        self.in_structure = in_structure
        self.out_structure = out_structure

    def __len__(self) -> int:
        return len(self.equations)

    def __str__(self) -> str:
        names = dict(zip((*self.inputs, *self.equations), letters(), strict=False))
        lines = ["inputs  " + ", ".join(f"{names[node]}: {described(node)}" for node in self.inputs)]
        lines += [equation(node, names) for node in self.equations]
        outputs = (names[out] if isinstance(out, Node) else constant(out) for out in self.outputs)
        return "\n".join(line.rstrip() for line in [*lines, "outputs " + ", ".join(outputs)])

    def __repr__(self) -> str:
        return f"<Graph of {self.name}: {len(self.inputs)} inputs, {len(self.equations)} equations>"


def letters() -> Iterator[str]:
    """The names a, b, ..., z, aa, ab, ... that a graph's text gives its nodes."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    yield from alphabet
    for head in letters():
        yield from (head + letter for letter in alphabet)


def equation(node: Node, names: dict[Node, str]) -> str:
    """The line of a graph's text for one node."""
    assert node.primitive is not None
    parents = dict(zip(node.argnums, node.parents, strict=True))
    args = [names[parents[i]] if i in parents else constant(arg) for i, arg in enumerate(node.args)]
    params = [f"{key}={parameter(value)}" for key, value in node.params.items()]
    text = f"{names[node]}: {described(node)} = {' '.join([node.primitive.name, *args])}"
    return f"{text}  {' '.join(params)}" if params else text


def described(node: Node) -> str:
    """The type of a node's value: `float64[3]`, or a tuple of such."""
    if isinstance(node.value, tuple):
        return "(" + ", ".join(describe(np.shape(part), np.asarray(part).dtype) for part in node.value) + ")"
    return describe(node.shape, node.dtype)


def describe(shape: Shape, dtype: np.dtype[Any]) -> str:
    """`float64[2,3]`."""
    return f"{dtype}[{','.join(map(str, shape))}]"


def constant(value: Value) -> str:
    """How a graph's text shows a value that is no node's: a number as it is, an array by its type."""
    if np.shape(value) == ():
        return str(value)
    return f"const:{describe(np.shape(value), np.asarray(value).dtype)}"


def parameter(value: Any) -> str:
    """How a graph's text shows a parameter."""
    if isinstance(value, slice):
        parts = ("" if part is None else str(part) for part in (value.start, value.stop, value.step))
        return ":".join(parts).removesuffix(":") if value.step is None else ":".join(parts)
    if isinstance(value, tuple) and any(isinstance(part, slice) for part in value):
        return "(" + ", ".join(map(parameter, value)) + ")"
    if isinstance(value, np.dtype) or (isinstance(value, Callable) and hasattr(value, "__name__")):  # type: ignore[arg-type]
        return getattr(value, "name", None) or str(getattr(value, "__name__", value))
    return repr(value)
