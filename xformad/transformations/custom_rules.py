"""Functions with derivative rules of their own: `custom_vjp`, `custom_jvp`.

One rule serves all modes. That of `custom_vjp` is transposed for forward mode, that of `custom_jvp` for reverse mode, and
both are run on batches under `vmap`, and on power series. The rules are programs as any other, so higher derivatives are
those of the rules.

>>> import numpy as np
>>> from xformad import grad, jvp
>>> @custom_jvp
... def log1pexp(x):
...     return np.log(1 + np.exp(x))
>>> @log1pexp.defjvp
... def rule(primals, tangents):
...     (x,), (t,) = primals, tangents
...     return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))
>>> grad(log1pexp)(0.0)
np.float64(0.5)
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, final, overload

import numpy as np

from xformad import tree
from xformad.core.interpreter import shape_of, spec_of
from xformad.core.typing import ShapeDtype, Value
from xformad.core.views import lent
from xformad.errors import MissingRuleError, RuleError, UnsupportedError
from xformad.transformations.calls import Flat, floating, is_array
from xformad.transformations.custom_calls import Backward, closing_over, custom_jvp_p, custom_vjp_p

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=Callable[..., Any])


class Custom(ABC, Generic[P, R]):
    """A function with a rule of its own."""

    kind = ""
    __name__: str

    def __init__(self, fun: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> None:
        self.fun = fun
        self.nondiff_argnums = tuple(nondiff_argnums)
        functools.update_wrapper(self, fun)
        self.name: str = getattr(fun, "__name__", "function")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        found: R = self.called(args, dict(kwargs))
        return found

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call with these arguments."""
        positional = self.positional(args, kwargs)
        count = len(positional)
        fun: Callable[..., Any] = self.fun
        fixed = {i: positional[i] for i in self.nondiff_argnums}
        moving = [x for i, x in enumerate(positional) if i not in fixed]

        def at(*values: Any) -> list[Any]:
            """All arguments, with these in the place of those that are differentiated."""
            rest = iter(values)
            return [fixed[i] if i in fixed else next(rest) for i in range(count)]

        flat = Flat(lambda *values: fun(*at(*values)), tuple(moving))
        if flat.tracers:
            raise UnsupportedError(closing_over(f"{self.kind} function {self.name}"))
        return self.bound(flat, at, list(fixed.values()), moving)

    def positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """All arguments by position, defaults filled in."""
        if not kwargs and not self.nondiff_argnums:
            return list(args)
        bound = inspect.signature(self.fun).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise UnsupportedError(
                f"{self.kind} function {self.name} takes {next(iter(bound.kwargs))!r} by keyword only; make it positional"
            )
        return list(bound.args)

    @abstractmethod
    def bound(self, flat: Flat, at: Callable[..., list[Any]], fixed: list[Any], moving: list[Any]) -> Any:
        """The result of a call."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method, as a function is one."""
        method: Callable[..., Any] = self
        return self if instance is None else functools.partial(method, instance)

    def __repr__(self) -> str:
        return f"<{self.kind} function {self.name}>"


def like(structure: tree.Structure, leaves: Sequence[Value], given: Sequence[Value]) -> Any:
    """A tree like one with these leaves, of values for those that are floating-point; zeros for other arrays, else None."""
    rest = iter(given)
    found = [
        None if not is_array(leaf) else next(rest) if floating(leaf) else np.zeros(shape_of(leaf))[()]
        for leaf in leaves
    ]
    return tree.unflatten(structure, found)


def checked(
    structure: tree.Structure, specs: Sequence[ShapeDtype | None], found: Any, what: str, name: str
) -> list[Value]:
    """The values for the floating-point leaves of a tree, of what a rule returned; None stands for zeros.

    Raises:
        TreeError: if the tree differs.
        RuleError: if a shape or dtype does.
    """
    leaves = tree.flatten_prefix(structure, found, lambda x: x is None, f"what {what} returned for {name}")
    values = []
    for leaf, spec, path in zip(leaves, specs, structure.paths(name), strict=True):
        if spec is None:
            continue
        shape, dtype = spec
        if leaf is None:
            values.append(np.zeros(shape, dtype)[()])
            continue
        other, kind = spec_of(leaf)
        if other != shape or (kind != dtype and type(leaf) not in (float, int)):
            got, needs = (f"shape {other}", f"shape {shape}") if other != shape else (f"dtype {kind}", f"dtype {dtype}")
            raise RuleError(f"{what} returned {got} for {path} of {needs}")
        values.append(leaf if kind == dtype else dtype.type(leaf))
    return values


def float_specs(leaves: Sequence[Any]) -> list[ShapeDtype | None]:
    """The shape and dtype of each floating-point leaf; None for others."""
    return [spec_of(leaf) if is_array(leaf) and floating(leaf) else None for leaf in leaves]


@final
class CustomVjp(Custom[P, R]):
    """A function with a vjp rule of its own. See `custom_vjp`."""

    kind = "custom_vjp"
    forward: Callable[..., Any] | None = None
    backward: Callable[..., Any] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give the function its rule.

        Args:
            forward: of the same arguments, returns `(result, residuals)`: what the function returns, and a pytree of what
                the second part needs.
            backward: `backward(*nondiff, residuals, g)`: with the arguments of `nondiff_argnums` first, the residuals, and
                a cotangent like the result, returns a tuple with a cotangent for each of the other arguments, like it; None
                for zero.
        """
        self.forward = forward
        self.backward = backward

    def bound(self, flat: Flat, at: Callable[..., list[Any]], fixed: list[Any], moving: list[Any]) -> Any:
        forward, backward = self.forward, self.backward
        if forward is None or backward is None:
            raise MissingRuleError(
                f"custom_vjp function {self.name} has no rule; add one with {self.name}.defvjp(forward, backward)"
            )
        name = self.name
        trees = [tree.flatten(x) for x in moving]
        specs = [float_specs(leaves) for leaves, _ in trees]

        def run_forward(*values: Any) -> Any:
            found = forward(*at(*values))
            if not isinstance(found, tuple) or len(found) != 2:
                raise RuleError(f"the forward function of custom_vjp {name} must return a pair (result, residuals)")
            return found

        ahead = Flat(run_forward, tuple(moving))
        state: dict[str, Any] = {}

        def forward_flat(*values: Value) -> tuple[Value, ...]:
            arrays = ahead(*values)
            out, residuals = ahead.result(arrays)
            state["out"] = out_leaves, _ = tree.flatten(out)
            state["residuals"] = ahead.structure.children[1]
            state["others"] = [None if is_array(x) else x for x in tree.leaves_of(residuals)]
            state["count"] = sum(is_array(x) for x in out_leaves)
            return arrays

        def backward_flat(*values: Value) -> tuple[Value, ...]:
            rest = map(lent, values)
            held = [next(rest) if x is None else x for x in state["others"]]
            out_leaves, structure = state["out"]
            g = like(structure, out_leaves, list(rest))
            found = backward(*fixed, tree.unflatten(state["residuals"], held), g)
            if not isinstance(found, tuple) or len(found) != len(moving):
                raise RuleError(
                    f"the backward function of custom_vjp {name} must return a tuple of {len(moving)} cotangents, one a "
                    f"differentiated argument, but it returned {found!r}"
                )
            what = f"the backward function of custom_vjp {name}"
            cotangents: list[Value] = []
            for i, (each, (_, structure), spec) in enumerate(zip(found, trees, specs, strict=True)):
                cotangents += checked(structure, spec, each, what, f"argument {i}")
            return tuple(cotangents)

        rule = Backward(forward_flat, backward_flat, lambda: int(state["count"]))
        out = custom_vjp_p.bind(*flat.operands, fun=flat, rule=rule)
        if not flat.has_run:  # reverse mode runs the forward function in its place
            return tree.unflatten(state["out"][1], merged(state["out"][0], out))
        return flat.result(out)


def merged(leaves: Sequence[Any], arrays: Sequence[Value]) -> list[Any]:
    """The leaves of a tree with these in the place of its arrays."""
    rest = iter(arrays)
    return [next(rest) if is_array(leaf) else leaf for leaf in leaves]


@final
class CustomJvp(Custom[P, R]):
    """A function with a jvp rule of its own. See `custom_jvp`."""

    kind = "custom_jvp"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: C) -> C:
        """Give the function its rule.

        Args:
            rule: `rule(*nondiff, primals, tangents)`: with the arguments of `nondiff_argnums` first, a tuple of the others,
                and one of their tangents, returns `(result, tangent)`. It must be linear in the tangents.

        Returns:
            The rule, so that this can be used as a decorator.
        """
        self.rule = rule
        return rule

    def bound(self, flat: Flat, at: Callable[..., list[Any]], fixed: list[Any], moving: list[Any]) -> Any:
        rule = self.rule
        if rule is None:
            raise MissingRuleError(
                f"custom_jvp function {self.name} has no rule; add one with {self.name}.defjvp(rule)"
            )
        leaves, structure = tree.flatten(tuple(moving))
        state: dict[str, Any] = {}
        name = self.name

        def rule_flat(*values: Value) -> tuple[Value, ...]:
            count = len(flat.operands)
            values = tuple(map(lent, values))
            primals = merged(leaves, values[:count])
            tangents = like(structure, primals, values[count:])
            found = rule(*fixed, tree.unflatten(structure, primals), tangents)
            if not isinstance(found, tuple) or len(found) != 2:
                raise RuleError(f"the rule of custom_jvp {name} must return a pair (result, tangent)")
            state["out"] = outs, out_structure = tree.flatten(found[0])
            moved = checked(out_structure, float_specs(outs), found[1], f"the rule of custom_jvp {name}", "the result")
            return (*(x for x in outs if is_array(x)), *moved)

        out = custom_jvp_p.bind(*flat.operands, fun=flat, rule=rule_flat)
        if not flat.has_run:
            return tree.unflatten(state["out"][1], merged(state["out"][0], out))
        return flat.result(out)


@overload
def custom_vjp(fun: Callable[P, R], *, nondiff_argnums: Sequence[int] = ...) -> CustomVjp[P, R]: ...
@overload
def custom_vjp(
    fun: None = None, *, nondiff_argnums: Sequence[int] = ...
) -> Callable[[Callable[P, R]], CustomVjp[P, R]]: ...
def custom_vjp(fun: Callable[..., Any] | None = None, *, nondiff_argnums: Sequence[int] = ()) -> Any:
    """A function whose derivative is what `defvjp` says, in every mode.

    Args:
        fun: a function of pytrees, with a pytree as result. It must not use traced values other than its arguments.
        nondiff_argnums: the positions of arguments that are not differentiated, of any type; the rule gets them as they are.

    Returns:
        The function, with the method `defvjp(forward, backward)`; without `fun`, a decorator.

    >>> from xformad import grad
    >>> @custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    >>> grad(lambda x: clipped(x) ** 2)(3.0)
    np.float64(1.0)
    """
    if fun is None:
        return functools.partial(custom_vjp, nondiff_argnums=nondiff_argnums)
    return CustomVjp(fun, nondiff_argnums)


@overload
def custom_jvp(fun: Callable[P, R], *, nondiff_argnums: Sequence[int] = ...) -> CustomJvp[P, R]: ...
@overload
def custom_jvp(
    fun: None = None, *, nondiff_argnums: Sequence[int] = ...
) -> Callable[[Callable[P, R]], CustomJvp[P, R]]: ...
def custom_jvp(fun: Callable[..., Any] | None = None, *, nondiff_argnums: Sequence[int] = ()) -> Any:
    """A function whose derivative is what `defjvp` says, in every mode.

    Args:
        fun, nondiff_argnums: as for `custom_vjp`.

    Returns:
        The function, with the method `defjvp(rule)`; without `fun`, a decorator.
    """
    if fun is None:
        return functools.partial(custom_jvp, nondiff_argnums=nondiff_argnums)
    return CustomJvp(fun, nondiff_argnums)
