"""`vmap`: a function of one example becomes a function of a batch of them, run once for all.

>>> import numpy as np
>>> def distance(x, y):
...     return np.sqrt(np.sum((x - y) ** 2))
>>> vmap(distance, in_axes=(0, None))(np.array([[3.0, 4.0], [0.0, 1.0]]), np.zeros(2))
array([5., 1.])
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeAlias, final

import numpy as np

from xformad import tree
from xformad.core.interpreter import held, shape_of, spec_of
from xformad.core.operands import refuse_unfit
from xformad.core.primitive import Tracer
from xformad.core.source import user_depth
from xformad.core.typing import Value
from xformad.errors import ArgumentError, BatchError, BatchSplitWarning, TreeError
from xformad.interpreters.batch import Batch, Split, UnsettledError
from xformad.transformations.transformed import Transformed

P = ParamSpec("P")

Axes: TypeAlias = Any
"""An axis, None, or a tree of these that has the form of the upper part of another tree."""

MANY_PATHS: Final = 64


@final
class Options(NamedTuple):
    in_axes: Axes
    out_axes: Axes
    axis_size: int | None


@final
class Path(NamedTuple):
    """What one run of the function gave, for some of the examples.

    Attributes:
        members: which ones; None for all.
        structure: the tree of the result.
        leaves: its leaves, those batched with the batch axis first.
        batched: which of them are.
    """

    members: Any
    structure: tree.Structure
    leaves: list[Value]
    batched: list[bool]


def spread_axes(axes: Axes, structure: tree.Structure, name: str, path: str) -> list[int | None]:
    """The axis for each leaf of a tree.

    Raises:
        TreeError: where the axes are not like the upper part of the tree.
    """
    if axes is None or isinstance(axes, int):
        return [axes] * structure.size
    kind = tree.kind_of(type(axes))
    if structure.type is not type(axes) or kind is None:
        found = "a leaf" if structure.type is None else f"a {structure.type.__name__}"
        raise TreeError(f"{name} is a {type(axes).__name__}, but {path} is {found}")
    parts, _ = kind.flatten(axes)
    if isinstance(axes, dict):
        keys = tree.tree_keys(structure)
        if set(axes) != set(keys):
            raise TreeError(f"{name} has the keys {list(axes)}, but {path} has {list(keys)}")
        parts = [axes[key] for key in keys]
    elif len(parts) != len(structure.children):
        raise TreeError(f"{name} has {len(parts)} children, but {path} has {len(structure.children)}")
    found_axes = []
    for i, (part, child) in enumerate(zip(parts, structure.children, strict=True)):
        label = kind.label(structure.aux, i)
        found_axes += spread_axes(part, child, name + label, path + label)
    return found_axes


@final
class Arguments:
    """The arguments of one call, taken apart.

    Attributes:
        leaves: the leaves of `(args, kwargs)`, those batched with the batch axis first.
        batched: which of them are.
        structure: the tree.
        size: the number of examples.
    """

    def __init__(self, options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.leaves, self.structure = tree.flatten((args, kwargs))
        positional, keywords = self.structure.children
        paths = [*positional.paths("args"), *keywords.paths("kwargs")]
        in_axes = options.in_axes
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise TreeError(f"in_axes has {len(in_axes)} entries, but the call has {len(args)} positional arguments")
        axes = [*spread_axes(in_axes, positional, "in_axes", "args"), *([0] * keywords.size)]
        self.batched = [axis is not None for axis in axes]
        self.size = self.common_size(axes, paths, options.axis_size)
        for i, axis in enumerate(axes):
            if axis:
                self.leaves[i] = np.moveaxis(self.leaves[i], axis, 0)

    def common_size(self, axes: list[int | None], paths: list[str], size: int | None) -> int:
        first = None if size is None else f"axis_size is {size}"
        for leaf, axis, path in zip(self.leaves, axes, paths, strict=True):
            if axis is None:
                continue
            if not isinstance(leaf, np.ndarray | np.generic | Tracer | float | int | complex) and not hasattr(
                leaf, "__array_function__"
            ):
                raise BatchError(f"{path} is a {type(leaf).__name__}, which has no axis {axis}; {instead(path)}")
            if type(leaf) is not np.ndarray and isinstance(leaf, np.ndarray):
                refuse_unfit(leaf, f"vmap of {path}")
            shape = shape_of(leaf)
            if not -len(shape) <= axis < len(shape):
                raise BatchError(f"{path} has shape {shape}, which has no axis {axis}; {instead(path)}")
            found = shape[axis]
            if first is None:
                size, first = found, f"{path} has size {found} along axis {axis}"
            elif found != size:
                raise BatchError(
                    f"{first}, but {path} has size {found} along axis {axis}; all batched arguments must have the same "
                    f"number of examples; {instead(path)}"
                )
        if size is None:
            raise BatchError("vmap of no batched argument: no leaf of the arguments has an axis; give axis_size")
        return size

    def members(self, which: Any) -> list[Value]:
        """The leaves, those batched reduced to some of the examples."""
        if which is None:
            return self.leaves
        return [leaf[which] if b else leaf for leaf, b in zip(self.leaves, self.batched, strict=True)]


def instead(path: str) -> str:
    if path.startswith("kwargs"):
        return "keyword arguments are batched along axis 0; bind one that is not batched with functools.partial"
    return "for an argument that is the same for all examples use in_axes=None"


def run_vmap(fun: Callable[..., Any], options: Options, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    arguments = Arguments(options, args, kwargs)
    waiting: list[Any] = [None]
    paths: list[Path] = []
    warned = False
    while waiting:
        members = waiting.pop()
        result = run_path(fun, arguments, members)
        if isinstance(result, Path):
            paths.append(result)
            continue
        groups = result.groups if members is None else [members[group] for group in result.groups]
        waiting += reversed(groups)
        if len(paths) + len(waiting) > MANY_PATHS and not warned:
            warned = True
            warnings.warn(
                f"vmap of {name_of(fun)}: a condition or index at {result.line} differs between the examples, and the "
                f"{arguments.size} examples take more than {MANY_PATHS} ways through the program; each is one more run. "
                "To compute for all examples at once use numpy.where, numpy.maximum, numpy.minimum or numpy.clip in "
                "the place of if, max and min, and xformad.numpy.take in the place of an index",
                BatchSplitWarning,
                stacklevel=user_depth(),
            )
    return joined(fun, paths, arguments.size, options.out_axes)


def run_path(fun: Callable[..., Any], arguments: Arguments, members: Any) -> Path | Split:
    """Run the function on some of the examples; if they go different ways, the `Split` that says so."""
    with Batch(arguments.size if members is None else len(members), fun) as batch:
        leaves = [
            batch.input(leaf) if b else leaf
            for leaf, b in zip(arguments.members(members), arguments.batched, strict=True)
        ]
        args, kwargs = tree.unflatten(arguments.structure, leaves)
        try:
            found, structure = tree.flatten(fun(*args, **kwargs))
            found = list(map(held, found))
        except (Split, Exception) as error:  # also an error that came of a caught Split counts as one
            if type(error) is UnsettledError and error.tracer.interpreter is batch:
                batch.settle(error.tracer)
            if batch.parted is None:
                raise
    if batch.parted is not None:
        return batch.parted
    batched = [type(x) is Tracer and x.interpreter is batch for x in found]
    return Path(members, structure, [held(x.value) if b else x for x, b in zip(found, batched, strict=True)], batched)


def joined(fun: Callable[..., Any], paths: list[Path], size: int, out_axes: Axes) -> Any:
    """The result of all runs, with the examples in order."""
    if len(paths) > 1:
        paths.sort(key=lambda path: int(path.members[0]))
    structure = paths[0].structure
    order = None
    if len(paths) > 1:
        paths = [in_form(structure, path) for path in paths]
        order = np.argsort(np.concatenate([path.members for path in paths]))
    axes = spread_axes(out_axes, structure, "out_axes", "result")
    leaves = []
    for i, (name, axis) in enumerate(zip(structure.paths("result"), axes, strict=True)):
        if axis is None:
            leaves.append(shared(paths, i, name))
            continue
        leaf = batched_leaf(paths, i, name, size)
        if order is not None:
            leaf = leaf[order]
        ndim = len(shape_of(leaf))
        if not -ndim <= axis < ndim:
            raise BatchError(f"out_axes is {axis} for {name}, which has {ndim} axes, the batch axis counted")
        leaves.append(leaf if axis in (0, -ndim) else np.moveaxis(leaf, 0, axis))
    return tree.unflatten(structure, leaves)


def in_form(structure: tree.Structure, path: Path) -> Path:
    """The result of a run with its leaves in the order of this structure; dicts may have another order of keys.

    Raises:
        TreeError: if it is another tree.
    """
    places = tree.flatten_like(structure, tree.unflatten(path.structure, range(len(path.leaves))), "result")
    return Path(path.members, structure, [path.leaves[i] for i in places], [path.batched[i] for i in places])


def shared(paths: list[Path], i: int, name: str) -> Value:
    """A leaf of the result that must be the same for all examples."""
    if any(path.batched[i] for path in paths):
        raise BatchError(f"out_axes is None for {name}, but it differs between the examples; give it an axis")
    if len(paths) > 1:
        raise BatchError(
            f"out_axes is None for {name}, but the examples took {len(paths)} ways through the program; give it an axis"
        )
    return paths[0].leaves[i]


def batched_leaf(paths: list[Path], i: int, name: str, size: int) -> Value:
    """A leaf of the result with the batch axis first, path after path."""
    leaves = [path.leaves[i] for path in paths]
    if len(paths) == 1 and paths[0].batched[i]:
        return leaves[0]
    for leaf in leaves:
        if not isinstance(leaf, np.ndarray | np.generic | Tracer | float | int | complex):
            raise BatchError(f"{name} is a {type(leaf).__name__}, of which vmap can make no array; use out_axes=None")
    specs = [spec_of(leaf) for leaf in leaves]
    shapes = [shape[path.batched[i] :] for path, (shape, _) in zip(paths, specs, strict=True)]
    for path, shape in zip(paths, shapes, strict=True):
        if shape != shapes[0]:
            raise BatchError(
                f"{name} has shape {shapes[0]} for example {paths[0].members[0]}, but shape {shape} for example "
                f"{path.members[0]}; results of different shapes make no array: pad them, or run a loop"
            )
    dtype = np.result_type(
        *[leaf if type(leaf) in (int, float, complex) else kind for leaf, (_, kind) in zip(leaves, specs, strict=True)]
    )
    parts = []
    for path, leaf in zip(paths, leaves, strict=True):
        if not path.batched[i]:
            whole = (size if path.members is None else len(path.members), *shape_of(leaf))
            leaf = np.broadcast_to(leaf, whole) if type(leaf) is Tracer else np.full(whole, leaf, dtype)
        parts.append(leaf if leaf.dtype == dtype else leaf.astype(dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def name_of(fun: Callable[..., Any]) -> str:
    return getattr(fun, "__name__", "the function")


def checked_axes(axes: Axes, name: str) -> Axes:
    """Axes as they are given, refused if they are none."""
    for leaf in tree.leaves_of(axes):
        if not isinstance(leaf, int) or isinstance(leaf, bool):
            raise ArgumentError(f"{name} must be an int, None, or a tree of these, not {axes!r}")
    return axes


def vmap(
    fun: Callable[P, Any], in_axes: Axes = 0, out_axes: Axes = 0, axis_size: int | None = None
) -> Transformed[P, Any]:
    """A function of batches, from a function of one example. It runs once, on whole batches, without a loop.

    Python's `if`, `while` and `max` work as in one example. Where the examples go different ways, the function is run
    once for each way, on those that take it; so it should have no side effects.

    Args:
        fun: a function of pytrees, with a pytree as result.
        in_axes: which axis of each positional argument the examples are along: an int (negative: from the end), None for
            an argument that is the same for all; a tuple with one entry an argument, each of them an int, None, or a tree
            like the argument, or like the upper part of it. Keyword arguments are batched along axis 0.
        out_axes: along which axis of the result to put the examples, in the same way for the tree of the result. What is
            the same for all examples is repeated; with None, it is returned once.
        axis_size: the number of examples, needed if no argument is batched.

    Returns:
        A function of the same arguments, each with one more axis, whose result has one more axis. Results of a batch of
        no examples are empty; the function must not depend on the numbers then.

    Raises:
        BatchError: when called, if sizes differ, an axis is not there, or results have different shapes.
        TreeError: if the axes are not like the arguments or the result.
        ArgumentError: if the axes are no axes.

    >>> import numpy as np
    >>> from xformad import grad
    >>> loss = lambda w, x: np.tanh(w @ x)
    >>> vmap(grad(loss), in_axes=(None, 0))(np.array([1.0, -1.0]), np.eye(2))
    array([[0.41997434, 0.        ],
           [0.        , 0.41997434]])
    >>> vmap(lambda x: x if x > 0 else 0.1 * x)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """
    in_axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    return Transformed(
        run_vmap, fun, Options(checked_axes(in_axes, "in_axes"), checked_axes(out_axes, "out_axes"), axis_size), "vmap"
    )
