"""How values, types, parameters and nodes are written in graphs' texts and pictures, and in messages.

>>> describe((2, 3), np.dtype(np.float64)), parameter(slice(1, None)), next(letters())
('float64[2,3]', '1:', 'a')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from xformad.core.typing import Shape, Value

if TYPE_CHECKING:
    from xformad.core.graph import Node


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
        return "(" + ", ".join(describe(np.shape(part), dtype_of(part)) for part in node.value) + ")"
    return describe(node.shape, node.dtype)


def describe(shape: Shape, dtype: np.dtype[Any]) -> str:
    """`float64[2,3]`."""
    return f"{dtype}[{','.join(map(str, shape))}]"


def constant(value: Value) -> str:
    """How a graph's text shows a value that is no node's: a number as it is, an array by its type."""
    if np.shape(value) == ():
        return str(value)
    return f"const:{describe(np.shape(value), dtype_of(value))}"


def dtype_of(value: Value) -> np.dtype[Any]:
    found: np.dtype[Any] = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    return found


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


def shortened(text: str, width: int) -> str:
    r"""A text on one line, cut to a width.

    >>> shortened("one\n  two three", 10)
    'one two...'
    """
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def head_and_tail(text: str, most: int) -> str:
    r"""A text, without the lines in the middle if there are more than `most`.

    >>> print(head_and_tail("a\nb\nc\nd\ne", 3))
    a
    b
    ... 2 more lines ...
    e
    """
    lines = text.split("\n")
    left_out = len(lines) - most
    if left_out > 0:
        tail = most // 3
        lines[most - tail : len(lines) - tail] = [f"... {left_out} more lines ..."]
    return "\n".join(lines)
