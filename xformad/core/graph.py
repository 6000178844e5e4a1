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

from collections.abc import Sequence
from os import PathLike
from typing import Any, final

import numpy as np

from xformad.core.drawing import as_html, draw
from xformad.core.pictures import NO_GROUPS, Groups, as_dot, as_mermaid, picture_of
from xformad.core.primitive import Primitive
from xformad.core.texts import constant, describe, described, equation, letters
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

    def _repr_html_(self) -> str:
        """What notebooks show: a picture, or the text where Graphviz is missing or the graph is large."""
        return as_html(self)

    def to_dot(self, groups: Groups = NO_GROUPS) -> str:
        """A picture of the graph in DOT, the language of Graphviz.

        Args:
            groups: names of groups, with the nodes that are to be drawn together in a frame.

        Raises:
            ValueError: if a node in a group is not one of the graph's equations, or is in two groups.
        """
        return as_dot(picture_of(self, groups))

    def to_mermaid(self, groups: Groups = NO_GROUPS) -> str:
        """A picture of the graph in the language of Mermaid, which GitHub and many notebooks show in Markdown.

        Args:
            groups: as for `to_dot`.

        Raises:
            ValueError: as for `to_dot`.
        """
        return as_mermaid(picture_of(self, groups))

    def draw(self, path: str | PathLike[str], groups: Groups = NO_GROUPS) -> None:
        """Draw the graph into a file.

        Args:
            path: the file. Its suffix says what is made: `.svg`, `.png` or `.pdf` by Graphviz, or one of the texts, `.dot`
                or `.mmd`, for which nothing needs to be installed.
            groups: as for `to_dot`.

        Raises:
            MissingPackageError: if the `graphviz` package or Graphviz itself is not installed.
            ValueError: if the suffix is another one, or as for `to_dot`.
        """
        draw(self, path, groups)
