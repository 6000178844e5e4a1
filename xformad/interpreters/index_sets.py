"""Index sets: the interpreter that finds which entries of the inputs each value depends on: the pattern of a Jacobian.

    >>> import numpy as np
    >>> with IndexSets(3) as interpreter:
    ...     x = interpreter.input(np.array([1.0, 2.0, 3.0]), 0)
    ...     y = x[1:] * x[:-1]
    >>> y.extra.rows()
    [[0, 1], [1, 2]]

It runs at one point, and what it finds holds at every point: where a choice depends on the values, as in `where`, `max`,
`sort` and `xformad.cond`, a result depends on all that could be chosen. So values without derivative that may be others at
another point, such as comparisons and positions, are traced, too, with empty sets. Fixed at the point are only those
choices that no array operation makes: Python's branches and loops, `int(x)`, `float(x)` of what has no derivative.

What a primitive does with sets follows from its vjp rules where these say that it is elementwise, moves data, or has no
derivative. Others have a rule here, or else every entry of their result depends on all entries of their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeAlias, final

import numpy as np

from xformad.core.index import ARRAY
from xformad.core.interpreter import Interpreter, dtype_of, held
from xformad.core.primitive import Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.core.source import user_line
from xformad.core.typing import Params, Shape, Value
from xformad.core.views import argument
from xformad.errors import ConcretizationError
from xformad.interpreters.dependence import Dependence, Positions, stacked, united
from xformad.interpreters.vjp_rules import ELEMENTWISE, MOVES, entries

Dependences: TypeAlias = Sequence[Dependence | None]
"""For each argument what its entries depend on; None for a constant, which is the same at every point."""

IndexSetRule: TypeAlias = Callable[..., Any]
"""`rule(dependences, ans, *args, **params)`: what the entries of the result depend on; a tuple of such for a tuple.

The arguments and the result are plain values."""


@final
class IndexSets(Interpreter):
    """Runs a program one level below, and finds what each value depends on.

    Args:
        width: the number of input entries.
        fun: the function under transformation, for messages.
    """

    name: ClassVar[str] = "index_sets"
    takes_every_branch: ClassVar[bool] = True

    def __init__(self, width: int, fun: Callable[..., Any] | None = None) -> None:
        super().__init__(fun)
        self.width = width

    def input(self, value: Value, start: int) -> Tracer:
        """A tracer for an input whose entries have the numbers from `start` on."""
        return argument(self, held(value), Dependence.of_inputs(np.size(value), start, self.width))

    def varying(self, value: Value) -> Tracer:
        """A tracer for a value that depends on no input, but may be another one at another point."""
        return Tracer(self, value, Dependence.none(np.size(value), self.width))

    def varying_input(self, value: Value) -> Tracer:
        """The same for an argument."""
        return argument(self, held(value), Dependence.none(np.size(value), self.width))

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        values = [arg.value if type(arg) is Tracer and arg.interpreter is self else arg for arg in args]
        ans = primitive.bind(*values, **params)
        found = self.dependence(primitive, args, ans, values, params)
        if primitive.multiple:
            return tuple([self.result(part, each) for part, each in zip(ans, found, strict=True)])
        return self.result(ans, found)

    def result(self, value: Value, found: Dependence) -> Tracer:
        return Tracer(self, value, found) if dtype_of(value).kind in "fc" else self.varying(value)

    def dependence(
        self, primitive: Primitive, args: tuple[Value, ...], ans: Value, values: list[Value], params: Params
    ) -> Any:
        """What the entries of a result depend on; for a tuple a tuple of such."""
        found = [arg.extra if type(arg) is Tracer and arg.interpreter is self else None for arg in args]
        entry = entries.get(primitive)
        if entry is not None and entry.rules is not None:
            for i, each in enumerate(found):
                if each is not None and entry.rules.get(i) is None:  # no derivative with respect to it
                    found[i] = Dependence.none(each.size, self.width)
        if all(each is None or each.empty for each in found):
            parts = ans if primitive.multiple else (ans,)
            empty = [Dependence.none(np.size(part), self.width) for part in parts]
            return empty if primitive.multiple else empty[0]
        plain_ans = tuple(map(plain, ans)) if primitive.multiple else plain(ans)
        return rule_of(primitive)(found, plain_ans, *map(plain, values), **params)

    def concretize(self, tracer: Tracer, how: str) -> Value:
        """A number that depends on no input may become a plain one, for Python to branch on. An array may not."""
        if not tracer.extra.empty:
            return super().concretize(tracer, how)
        if how == "numpy.asarray(x)":
            raise ConcretizationError(
                f"numpy.asarray(x) at {user_line()} would hide that x may be another array at another point; use "
                "xformad.numpy.asarray(x), and xformad.numpy.take(a, x, axis=0) in the place of a[x] for a plain array a"
            )
        return self.plain(tracer)


def plain(x: Value) -> Value:
    return x.interpreter.plain(x) if type(x) is Tracer else x


index_set_rules: Final[RuleTable[IndexSetRule]] = RuleTable("sparsity", "xformad.extend.defindexset")


def defindexset(primitive: Primitive, rule: IndexSetRule) -> None:
    """Say on what the entries of a primitive's result depend. Without it, each depends on all entries of all arguments.

    Args:
        primitive: the primitive.
        rule: `rule(dependences, ans, *args, **params)` of plain values, where `dependences` has for each argument a
            `Dependence`, or None if it is a constant. It returns the `Dependence` of the result, or a tuple of such where
            the primitive returns a tuple. It must leave nothing out: at no point may an entry depend on more.

    Raises:
        ValueError: if the primitive has such a rule already.
    """
    index_set_rules[primitive] = rule


def rule_of(primitive: Primitive) -> IndexSetRule:
    """The rule of a primitive: the one that it was given; else what follows from its vjp rules."""
    rule = index_set_rules.rules.get(primitive)
    if rule is not None:
        return rule
    entry = entries.get(primitive)
    if entry is not None and entry.mask == ELEMENTWISE:
        return elementwise
    if entry is not None and entry.mask == MOVES:
        return moving(primitive)
    return everywhere if primitive.multiple else everything


def present(dependences: Dependences) -> list[tuple[int, Dependence]]:
    """The arguments that depend on inputs."""
    return [(i, each) for i, each in enumerate(dependences) if each is not None and not each.empty]


def numbered(shape: Shape) -> Positions:
    """An array whose entries are their own positions."""
    return np.arange(int(np.prod(shape))).reshape(shape)


# Rules, by the algebra of primitives.


def everything(dependences: Dependences, ans: Value, *args: Value, **params: Any) -> Dependence:
    """Every entry depends on all entries of all arguments."""
    merged = united([each.merge(np.zeros(each.size, np.intp), 1) for _, each in present(dependences)])
    return merged.pick(np.zeros(np.size(ans), np.intp))


def everywhere(dependences: Dependences, ans: tuple[Value, ...], *args: Value, **params: Any) -> tuple[Dependence, ...]:
    """The same, for every component of a tuple."""
    return tuple([everything(dependences, part) for part in ans])


def elementwise(dependences: Dependences, ans: Value, *args: Value, **params: Any) -> Dependence:
    """Every entry depends on the entries at its place, after broadcasting."""
    shape = np.shape(ans)
    return united([broadcast(each, np.shape(args[i]), shape) for i, each in present(dependences)])


def broadcast(dependence: Dependence, shape: Shape, into: Shape) -> Dependence:
    """That of an array of this shape, broadcast to another one."""
    if shape == into:
        return dependence
    return dependence.pick(np.broadcast_to(numbered(shape), into).ravel())


def moving(primitive: Primitive) -> IndexSetRule:
    """The rule of a primitive that only moves, repeats and drops entries: it is applied to the entries' positions.

    Zeros that it fills in, as padding does, depend on nothing. So positions are counted from one there.
    """

    def rule(dependences: Dependences, ans: Value, *args: Value, **params: Any) -> Dependence:
        parts = []
        positions = []
        count = 1
        for each, arg in zip(dependences, args, strict=True):
            if each is None or each.empty:
                positions.append(np.zeros(np.shape(arg), np.intp))
            else:
                positions.append(count + numbered(np.shape(arg)))
                parts.append(each)
                count += each.size
        return stacked(parts).pick(np.ravel(primitive.implementation(*positions, **params)) - 1)

    return rule


def collapsed(dependence: Dependence, shape: Shape, axes: Sequence[int]) -> Dependence:
    """The sets of an array united along axes."""
    axes = [axis % len(shape) for axis in axes]
    if not axes:
        return dependence
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return dependence.merge(np.broadcast_to(numbered(kept), shape).ravel(), int(np.prod(kept)))


def along_axes(*axes: int) -> IndexSetRule:
    """The rule of a primitive for which every entry depends on all entries at its place along these axes."""

    def rule(dependences: Dependences, ans: Value, *args: Value, **params: Any) -> Dependence:
        found = []
        for i, each in present(dependences):
            shape = np.shape(args[i])
            kept = [1 if j - len(shape) in axes else n for j, n in enumerate(shape)]
            found.append(broadcast(collapsed(each, shape, axes), tuple(kept), np.shape(ans)))
        return united(found)

    return rule


def reduction(
    dependences: Dependences, ans: Value, x: Value, axis: int | tuple[int, ...], keepdims: bool, **params: Any
) -> Dependence:
    """Every entry depends on those that were reduced to it."""
    (each,) = dependences
    assert each is not None
    return collapsed(each, np.shape(x), (axis,) if isinstance(axis, int) else axis)


def accumulation(dependences: Dependences, ans: Value, x: Value, axis: int) -> Dependence:
    """Every entry depends on the entry at its place and those before."""
    (each,) = dependences
    assert each is not None
    positions = np.moveaxis(numbered(np.shape(x)), axis, -1)
    later, earlier = np.tril_indices(positions.shape[-1])
    picked = each.pick(positions[..., earlier].ravel())
    return picked.merge(positions[..., later].ravel(), each.size)


def per_matrix(dependences: Dependences, ans: Value, *args: Value, **params: Any) -> Any:
    """Every entry depends on all entries of the matrices at its place in the stack."""
    if isinstance(ans, tuple):
        return tuple([per_matrix(dependences, part, *args) for part in ans])
    stack = np.broadcast_shapes(*[np.shape(arg)[:-2] for arg in args])
    shape = np.shape(ans)
    found = []
    for i, each in present(dependences):
        outer = np.shape(args[i])[:-2]
        merged = collapsed(each, np.shape(args[i]), (-2, -1))
        positions = numbered(outer).reshape(outer + (1,) * (len(shape) - len(stack)))
        found.append(merged.pick(np.broadcast_to(positions, shape).ravel()))
    return united(found)


# Indexing. An index that may be another one at another point can pick any entry along its axes.


def varying_axes(index: Any, arrays: Sequence[Value], dependences: Dependences, ndim: int) -> list[int]:
    """The axes that are indexed by arrays that are no constants."""
    parts = index if type(index) is tuple else (index,)
    rest = iter(zip(arrays, dependences, strict=True))
    taken: list[tuple[int, bool]] = []  # by each part, how many axes, and whether they vary
    for part in parts:
        if part is ARRAY:
            array, dependence = next(rest)
            array = np.asarray(array)
            taken.append((array.ndim if array.dtype.kind == "b" else 1, dependence is not None))
        elif part is Ellipsis:
            taken.append((-1, False))
        else:
            taken.append((0 if part is None or isinstance(part, bool) else 1, False))
    free = ndim - sum(count for count, _ in taken if count > 0)
    axes: list[int] = []
    axis = 0
    for count, varies in taken:
        span = free if count < 0 else count
        if varies:
            axes += range(axis, axis + span)
        axis += span
    return axes


def interchangeable(shape: Shape, axes: Sequence[int]) -> Positions:
    """An array of positions in which all entries along these axes have the position of the first one."""
    positions = numbered(shape)
    if positions.size:
        for axis in axes:
            positions = np.broadcast_to(positions.take([0], axis), shape)
    return positions
