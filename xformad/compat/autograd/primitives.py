"""Autograd's primitives as primitives of xformad: how `primitive`, `defvjp` and `defjvp` are translated.

Autograd's rules are staged: `maker(ans, *args, **kwargs)` returns the function of the cotangent. Its primitives take
containers, return containers, and keep the arguments where they stand. So there are two primitives of xformad for one of
Autograd's: one for the usual case, arrays in and an array out, which costs no more than a primitive of xformad; and one
of the leaves of its containers.

    >>> import numpy as np
    >>> from xformad import grad
    >>> @primitive
    ... def logsumexp(x):
    ...     return np.log(np.sum(np.exp(x)))
    >>> defvjp(logsumexp, lambda ans, x: lambda g: g * np.exp(x - ans))
    >>> grad(logsumexp)(np.zeros(2))
    array([0.5, 0.5])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Final, TypeAlias, TypeVar, final

import numpy as np

from xformad import tree
from xformad.compat.autograd.util import subval
from xformad.compat.autograd.vspaces import SparseObject, vspace
from xformad.compat.autograd.wrap_util import wraps
from xformad.core.interpreter import shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.typing import Value
from xformad.errors import ConcretizationError
from xformad.interpreters.batch import looped
from xformad.interpreters.batch_rules import defbatch_elementwise
from xformad.interpreters.jvp_rules import JvpEntry, jvp_rules
from xformad.interpreters.vjp_rules import BROADCAST, VjpEntry, vjp_rules
from xformad.transformations.values import value_of

F = TypeVar("F", bound=Callable[..., Any])

Maker: TypeAlias = Callable[..., Any]
VjpOfArgnums: TypeAlias = Callable[[tuple[int, ...], Any, tuple[Any, ...], dict[str, Any]], Callable[[Any], Any]]
JvpOfArgnums: TypeAlias = Callable[[Sequence[int], Sequence[Any], Any, tuple[Any, ...], dict[str, Any]], Any]

primitive_vjps: Final[dict[Callable[..., Any], VjpOfArgnums]] = {}
"""The vjp maker of each primitive, `maker(argnums, ans, args, kwargs)`."""

primitive_jvps: Final[dict[Callable[..., Any], JvpOfArgnums]] = {}
"""The jvp of each primitive, `jvp(argnums, tangents, ans, args, kwargs)`."""

OPERATIONS: Final[dict[Callable[..., Any], Operation]] = {}
"""What stands behind each function that `primitive` returned."""

ARRAYS: Final = frozenset((np.ndarray, np.float64, float, Tracer))


class ContainerError(Exception):
    """A primitive returned a container: it is to be run as one of leaves."""


@final
class Form:
    """How the leaves of a call's traced arguments stand in it, and those of its result.

    Attributes:
        argnums: the positions of the traced arguments.
        structures: their trees.
        args: the arguments; those in the traced positions are not used.
        result: the tree of the result, known once it has been computed.
    """

    __slots__ = ("argnums", "args", "result", "structures")

    def __init__(self, args: tuple[Any, ...], argnums: tuple[int, ...], structures: list[tree.Structure]) -> None:
        self.args = args
        self.argnums = argnums
        self.structures = structures
        self.result = tree.LEAF

    def fill(self, leaves: Sequence[Value]) -> tuple[Any, ...]:
        """The arguments with these leaves in the traced ones."""
        args = list(self.args)
        for argnum, part in zip(self.argnums, self.parts(leaves), strict=True):
            args[argnum] = part
        return tuple(args)

    def parts(self, leaves: Sequence[Value]) -> list[Any]:
        """The traced arguments with these leaves."""
        found = []
        start = 0
        for structure in self.structures:
            found.append(tree.unflatten(structure, leaves[start : start + structure.size]))
            start += structure.size
        return found


@final
class Operation:
    """What stands behind one primitive of Autograd.

    Attributes:
        fun: the function that computes it.
        plain: the primitive of xformad for arrays.
        structured: that of the leaves of containers.
        containers: whether the function returns containers.
    """

    __slots__ = ("containers", "fun", "plain", "structured")

    def __init__(self, fun: Callable[..., Any], wrapped: Callable[..., Any]) -> None:
        name = getattr(fun, "__name__", "primitive")
        self.fun = fun
        self.plain = Primitive(name, self.value)
        self.structured = Primitive(name, self.values, multiple=True)
        self.containers = False
        looped.update((self.plain, self.structured))  # Autograd's rules say nothing of batches
        if isinstance(fun, np.ufunc) and fun.signature is None:
            defbatch_elementwise(self.plain)
        OPERATIONS[wrapped] = self

    def value(self, *args: Value, **kwargs: Any) -> Value:
        """The function of arrays, with an array as result."""
        ans = self.fun(*args, **kwargs)
        if type(ans) in ARRAYS:
            return ans
        if type(ans) is SparseObject:
            return ans.dense()
        if tree.kind_of(type(ans)) is not None:
            raise ContainerError
        return ans

    def values(self, *leaves: Value, form: Form, kwargs: dict[str, Any]) -> tuple[Value, ...]:
        """The function of the leaves, with the leaves of its result."""
        ans = self.fun(*form.fill(leaves), **kwargs)
        found, form.result = tree.flatten(ans.dense() if type(ans) is SparseObject else ans)
        return tuple(found)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply the primitive to arguments of which some are traced arrays and none are containers of such."""
        if not self.containers:
            try:
                return self.plain.bind(*args, **kwargs)
            except ContainerError:
                self.containers = True
        return self.bind_leaves(args, kwargs)

    def bind_leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply the primitive to any arguments."""
        flat = [tree.flatten(arg) for arg in args]
        argnums = tuple([i for i, (leaves, _) in enumerate(flat) if any(type(x) is Tracer for x in leaves)])
        form = Form(args, argnums, [flat[i][1] for i in argnums])
        results = self.structured.bind(*[x for i in argnums for x in flat[i][0]], form=form, kwargs=kwargs)
        return tree.unflatten(form.result, results)


def primitive(fun: F) -> F:
    """Make a function a primitive, as Autograd does: its derivatives are what `defvjp` and `defjvp` say.

    Args:
        fun: a function of any positional arguments; what is passed by keyword is not differentiated.
    """

    @wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        traced = inside = False
        for arg in args:
            kind = type(arg)
            if kind is Tracer:
                traced = True
            elif kind not in ARRAYS and tree.kind_of(kind) is not None and holds_tracer(arg):
                inside = True
        if not traced and not (inside and wrapped in primitive_vjps):
            return fun(*args, **kwargs)
        for name, value in kwargs.items():
            if type(value) is Tracer:
                raise ConcretizationError(
                    f"primitive '{operation.plain.name}' takes {name!r} by keyword, and it is traced; pass it by position"
                )
        return operation.bind_leaves(args, kwargs) if inside else operation.bind(args, kwargs)

    operation = Operation(fun, wrapped)
    wrapped.fun = fun  # type: ignore[attr-defined]
    wrapped._is_autograd_primitive = True  # type: ignore[attr-defined]
    return wrapped  # type: ignore[return-value]


def holds_tracer(container: Any) -> bool:
    return any(type(x) is Tracer for x in tree.leaves_of(container))


def notrace_primitive(fun: F) -> F:
    """Make a function one of plain values: traced ones among its arguments are replaced, and nothing is recorded."""

    @wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return fun(*[value_of(arg) if type(arg) is Tracer else arg for arg in args], **kwargs)

    wrapped._is_primitive = True  # type: ignore[attr-defined]
    return wrapped  # type: ignore[return-value]


def operation_of(fun: Callable[..., Any], what: str) -> Operation:
    """What stands behind a primitive to which a rule is given."""
    operation = OPERATIONS.get(fun)
    if operation is None:
        name = getattr(fun, "__name__", fun)
        raise ValueError(
            f"{what}({name}, ...): {name} is no function that autograd.extend.primitive returned, and the rules of "
            "NumPy's and SciPy's functions are xformad's own; make a primitive of yours that calls it"
        )
    return operation


# Reverse mode.


def defvjp_argnums(fun: Callable[..., Any], maker: VjpOfArgnums) -> None:
    """Give a primitive its vjp, `maker(argnums, ans, args, kwargs)`: a function from the cotangent to one an argnum."""
    operation = operation_of(fun, "defvjp_argnums")
    primitive_vjps[fun] = maker

    def rule(argnum: int, g: Value, ans: Value, /, *args: Value, **kwargs: Any) -> Value:
        (message,) = maker((argnum,), ans, args, kwargs)(g)
        return received(message, args[argnum])

    def many(argnums: tuple[int, ...], g: Value, ans: Value, /, *args: Value, **kwargs: Any) -> list[Value]:
        messages = maker(argnums, ans, args, kwargs)(g)
        return [received(message, args[i]) for i, message in zip(argnums, messages, strict=True)]

    def joint(*leaves: Value, form: Form, kwargs: dict[str, Any]) -> Any:
        results = operation.structured.bind(*leaves, form=form, kwargs=kwargs)
        ans = tree.unflatten(form.result, results)
        pull = maker(form.argnums, ans, form.fill(leaves), kwargs)

        def pullback(gs: Sequence[Value]) -> list[Value]:
            messages = pull(tree.unflatten(form.result, list(gs)))
            parts = zip(messages, form.parts(leaves), form.structures, strict=True)
            return [g for message, part, structure in parts for g in received_leaves(message, part, structure)]

        return results, pullback

    vjp_rules.replace(operation.plain, VjpEntry(variadic=rule, many=many, check=BROADCAST))
    vjp_rules.replace(operation.structured, VjpEntry(joint=joint, check=BROADCAST))


def received(message: Any, arg: Value) -> Value:
    """The cotangent of an array that a rule of Autograd's returned."""
    if type(message) is SparseObject:
        message = message.dense()
    shape = shape_of(arg)
    if message is None:
        return vspace(arg).zeros()
    return message if shape_of(message) == shape else enlarged(message, shape)


def enlarged(message: Value, shape: tuple[int, ...]) -> Value:
    """A number in the place of an array of them; what has too many axes is summed up later."""
    return np.broadcast_to(message, shape) if len(shape_of(message)) <= len(shape) else message


def received_leaves(message: Any, arg: Any, structure: tree.Structure) -> list[Value]:
    """The cotangents of the leaves of an argument."""
    if structure is tree.LEAF:
        return [received(message, arg)]
    if type(message) is SparseObject:
        message = message.dense()
    if message is None:
        message = vspace(arg).zeros()
    leaves = tree.leaves_of(arg)
    return [received(g, leaf) for g, leaf in zip(leaves_like(structure, message), leaves, strict=True)]


def leaves_like(structure: tree.Structure, message: Any) -> list[Value]:
    """The leaves of a container, in which lists may stand for tuples and dicts have another order."""
    if structure.type is None:
        return [message]
    keys = structure.aux if structure.type is dict else range(len(structure.children))
    parts = [message[key] for key in keys]
    return [g for child, part in zip(structure.children, parts, strict=True) for g in leaves_like(child, part)]


def defvjp_argnum(fun: Callable[..., Any], maker: Maker) -> None:
    """Give a primitive its vjp, `maker(argnum, ans, args, kwargs)`: a function of the cotangent."""

    def vjps(argnums: tuple[int, ...], *rest: Any) -> Callable[[Any], Any]:
        found = [maker(argnum, *rest) for argnum in argnums]
        return lambda g: [vjp(g) for vjp in found]

    defvjp_argnums(fun, vjps)


def defvjp(fun: Callable[..., Any], *makers: Maker | None, argnums: Iterable[int] | None = None) -> None:
    """Give a primitive its vjps, one an argument.

    Args:
        fun: what `primitive` returned.
        makers: functions `maker(ans, *args, **kwargs)` that return a function of the cotangent; None for a zero.
        argnums: the arguments that they are for; the first ones if not given.
    """
    by_argnum = dict(zip(count() if argnums is None else argnums, makers))  # noqa: B905 - as many as there are makers
    name = getattr(fun, "__name__", fun)
    for maker in makers:
        if maker is not None and not callable(maker):
            raise ValueError(f"Bad VJP '{maker}' for '{name}'")

    def one(argnum: int, ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if argnum not in by_argnum:
            raise NotImplementedError(f"VJP of {name} wrt argnum {argnum} not defined")
        maker = by_argnum[argnum]
        return maker(ans, *args, **kwargs) if maker is not None else lambda _g: vspace(args[argnum]).zeros()

    defvjp_argnum(fun, one)
    if not any(by_argnum.values()):
        vjp_rules.replace(operation_of(fun, "defvjp").plain, VjpEntry(dict.fromkeys(by_argnum)))


# Forward mode.


def defjvp_argnums(fun: Callable[..., Any], jvp: JvpOfArgnums) -> None:
    """Give a primitive its jvp, `jvp(argnums, tangents, ans, args, kwargs)`: the tangent of the result."""
    operation = operation_of(fun, "defjvp_argnums")
    primitive_jvps[fun] = jvp

    def rule(tangents: Sequence[Value], ans: Value, /, *args: Value, **kwargs: Any) -> Value:
        argnums = [i for i, t in enumerate(tangents) if t is not None]
        return enlarged(jvp(argnums, [tangents[i] for i in argnums], ans, args, kwargs), shape_of(ans))

    def structured(
        tangents: Sequence[Value], ans: Sequence[Value], /, *leaves: Value, form: Form, kwargs: dict[str, Any]
    ) -> tuple[Value, ...]:
        moved = [vspace(x).zeros() if t is None else t for t, x in zip(tangents, leaves, strict=True)]
        out = jvp(form.argnums, form.parts(moved), tree.unflatten(form.result, ans), form.fill(leaves), kwargs)
        parts = zip(leaves_like(form.result, out), ans, strict=True)
        return tuple(enlarged(t, shape_of(part)) for t, part in parts)

    jvp_rules.replace(operation.plain, JvpEntry(joint=rule))
    jvp_rules.replace(operation.structured, JvpEntry(joint=structured))


def defjvp_argnum(fun: Callable[..., Any], jvp: Maker) -> None:
    """Give a primitive its jvp, `jvp(argnum, tangent, ans, args, kwargs)`: what an argument contributes."""

    def total(argnums: Sequence[int], tangents: Sequence[Any], *rest: Any) -> Any:
        return summed([jvp(argnum, t, *rest) for argnum, t in zip(argnums, tangents, strict=True)], rest[0])

    defjvp_argnums(fun, total)


def summed(parts: list[Any], ans: Any) -> Any:
    """The sum of contributions to the tangent of a result."""
    total, *rest = [part.dense() if type(part) is SparseObject else part for part in parts]
    for part in rest:
        total = vspace(ans).add(total, part)
    return total


def defjvp(fun: Callable[..., Any], *jvps: Maker | str | None, argnums: Iterable[int] | None = None) -> None:
    """Give a primitive its jvps, one an argument.

    Args:
        fun: what `primitive` returned.
        jvps: functions `jvp(g, ans, *args, **kwargs)` of the tangent; `"same"`: the primitive itself, of the tangent in
            the place of the argument; None for a zero.
        argnums: the arguments that they are for; the first ones if not given.
    """
    by_argnum = dict(zip(count() if argnums is None else argnums, jvps))  # noqa: B905 - as many as there are jvps
    name = getattr(fun, "__name__", fun)

    def one(argnum: int, g: Any, ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if argnum not in by_argnum:
            raise NotImplementedError(f"JVP of {name} wrt argnum {argnum} not defined")
        jvp = by_argnum[argnum]
        if jvp is None:
            return vspace(ans).zeros()
        return jvp(g, ans, *args, **kwargs) if callable(jvp) else fun(*subval(args, argnum, g), **kwargs)

    for jvp in jvps:
        if jvp is not None and jvp != "same" and not callable(jvp):
            raise ValueError(f"Bad JVP '{jvp}' for '{name}'")
    defjvp_argnum(fun, one)


def def_linear(fun: Callable[..., Any]) -> None:
    """Say that a primitive is linear in each argument, which is its jvp."""
    defjvp_argnum(fun, lambda argnum, g, _ans, args, kwargs: fun(*subval(args, argnum, g), **kwargs))
