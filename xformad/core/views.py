"""Views: which traced arrays share their entries with which, as NumPy's do.

    row = a[0]
    row[1] = 5.0        # changes a

A traced array that a program may write into is written into by `xformad.numpy.in_place`. What is noted here, when a view
is taken, is what that needs to know later, so that taking views costs next to nothing: the view knows what it was made of
and how, and the array can ask for its views as long as they live.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.typing import Params, Value

if TYPE_CHECKING:
    from xformad.core.interpreter import Interpreter

ARGUMENT: Final = "argument"
"""What stands in `Tracer.memory` of an argument of a function under transformation, and of its views: none writes there."""


@final
class Origin(weakref.ref[Tracer]):
    """What a view was made of. It lives as long as the view does, and is among the weak references of the array.

    Attributes:
        base: the array, which the view keeps.
        view: the view, which the array does not keep.
        primitive, params: how the view is made; None for a view that cannot be made anew, and cannot be written into.
    """

    __slots__ = ("base", "params", "primitive", "view")

    base: Tracer
    view: weakref.ref[Tracer]
    primitive: Primitive | None
    params: Params


@final
class Ended(weakref.ref["Interpreter"]):
    """Held by memory to write into, so that the interpreter in whose run it was made finds it when it ends."""

    __slots__ = ("storage",)

    storage: weakref.ref[Any]


def leave(interpreter: Interpreter) -> None:
    """Make what the program has written into ordinary tracers again, since it can be read only as long as one is live."""
    for ended in weakref.getweakrefs(interpreter):
        storage = ended.storage() if type(ended) is Ended else None
        if storage is not None:
            storage.release(interpreter)


def argument(interpreter: Interpreter, value: Value, extra: Any) -> Tracer:
    """A tracer for an argument of a function."""
    tracer = Tracer(interpreter, value, extra)
    tracer.memory = ARGUMENT
    return tracer


def lent(x: Value) -> Value:
    """A value for a function that must not write into it, as it may be run on a copy, more than once, or in vain."""
    if type(x) is Tracer:
        return argument(x.interpreter, x.value, x.extra)
    if type(x) is np.ndarray:
        x = x.view()
        x.flags.writeable = False
    return x


def link(base: Tracer, view: Tracer, primitive: Primitive | None, params: Params) -> None:
    """Note that an array is a view of another one."""
    if base.memory is ARGUMENT:
        view.memory = ARGUMENT
        return
    origin = Origin(base)
    origin.base = base
    origin.view = weakref.ref(view)
    origin.primitive = primitive
    origin.params = params
    view.memory = origin


def views_of(base: Tracer) -> list[Origin]:
    """The origins of the living views of an array, the oldest first."""
    return [origin for origin in weakref.getweakrefs(base) if type(origin) is Origin][::-1]


def owns_all(view: Tracer) -> bool:
    """Whether an array is a view of what nobody but itself has any more, as in `y = np.exp(x).reshape(2, 3)`."""
    origin = view.memory
    if type(origin) is not Origin:
        return origin is None
    if origin.primitive is None or sys.getrefcount(origin.base) > SOLE or len(views_of(origin.base)) > 1:
        return False
    return owns_all(origin.base)


def link_item(base: Tracer, view: Value, index: Any) -> None:
    """Note that `view` is `base[index]`, an index without arrays. A number is no view, but with an ellipsis it is one."""
    if type(view) is Tracer and not base.interpreter.in_place:
        if view.shape == () and index is not Ellipsis and not (type(index) is tuple and Ellipsis in index):
            return
        link(base, view, getitem, {"index": index})


def sole_references() -> int:
    """What counts as the references to an array that one view alone has; it differs between versions of Python."""
    base, view = (Tracer.__new__(Tracer) for _ in range(2))
    base.memory = None
    link(base, view, None, {})
    del base
    return sys.getrefcount(view.memory.base)


SOLE: Final = sole_references()


@final
class ViewPrimitive(Primitive):
    """A primitive whose result, in NumPy, shares its entries with its argument where the memory's layout allows it."""

    def bind(self, *args: Value, **params: Any) -> Value:
        out = super().bind(*args, **params)
        x = args[0]
        if type(out) is Tracer and not x.interpreter.in_place:
            link(x, out, self, params)
        return out

    def __call__(self, *args: Value, **params: Any) -> Value:
        return self.bind(*args, **params)
