"""Forward mode: the interpreter that carries a tangent along with every value.

A tracer stands for a value that moves along a direction: `value` is where it is, the primal, and `extra` how fast it
moves, the tangent. A primitive is applied to the primals, and its jvp rule to the tangents; both run one level below, so
an outer transformation sees them.

    >>> import numpy as np
    >>> with Jvp() as interpreter:
    ...     x = interpreter.input(3.0, 1.0)
    ...     y = np.sin(x) * x
    >>> y.value, y.extra
    (np.float64(0.4233600...), np.float64(-2.8288574...))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, final

from numpy import float64, ndarray

from xformad.core.interpreter import FLOAT, Interpreter, held
from xformad.core.operands import refuse_result
from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.typing import Params, Value
from xformad.core.views import argument, link
from xformad.interpreters.cusps import Cusp, Germ, is_torn, side_of
from xformad.interpreters.jvp_rules import JvpEntry, entry_for, fitted_tangent, jvp_rules

FLOATS: Final = frozenset((float, float64))


@final
class Jvp(Interpreter):
    """Runs a program one level below, on primals and on tangents."""

    name: ClassVar[str] = "jvp"

    def input(self, value: Value, tangent: Value) -> Tracer:
        """A tracer for an argument that moves with this tangent, of its shape and dtype."""
        for each in (value, tangent):
            if type(each) is Tracer and not each.interpreter.live:
                each.interpreter.escaped()
        if type(tangent) is float:  # Python's floats raise where NumPy's divide by zero
            tangent = float64(tangent)
        return argument(self, held(value), held(tangent))

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        entry = jvp_rules.rules.get(primitive) or entry_for(primitive)
        primals: Sequence[Value]
        tangents: Sequence[Value]
        if entry is not None and entry.whole is not None:
            primals, tangents, _ = self.unwrap(args)
            ans, tangent = entry.whole(tangents, *primals, **params)
            return self.moved(primitive, entry, ans, tangent)
        if len(args) == 1:
            x = args[0].value
            primals = (x,)
            tangents = (args[0].extra,)
            cusped = type(tangents[0]) is Cusp
            if type(x) is Tracer:
                ans = x.interpreter.process(primitive, primals, params)
            else:
                ans = primitive.implementation(x, **params) if params else primitive.implementation(x)
        else:
            primals, tangents, cusped = self.unwrap(args)
            ans = primitive.bind(*primals, **params)
        if entry is None:
            return ans
        if type(ans) is ndarray and ans.dtype is not FLOAT:
            refuse_result(ans.dtype, primitive.name)
        if cusped:
            return self.on_both_sides(primitive, entry, ans, args, params)
        return self.moved(primitive, entry, ans, entry.tangent(primitive, tangents, ans, primals, params))

    def keeps_call(self, args: tuple[Value, ...]) -> bool:
        return not any(type(arg) is Tracer and arg.interpreter is self and type(arg.extra) is Cusp for arg in args)

    def unwrap(self, args: tuple[Value, ...]) -> tuple[list[Value], list[Value], bool]:
        """The primals and tangents of the arguments, and whether a tangent is a cusp."""
        primals, tangents, cusped = [], [], False
        for arg in args:
            if type(arg) is Tracer and arg.interpreter is self:
                primals.append(arg.value)
                tangents.append(arg.extra)
                cusped = cusped or type(arg.extra) is Cusp
            else:
                primals.append(arg)
                tangents.append(None)
        return primals, tangents, cusped

    def moved(self, primitive: Primitive, entry: JvpEntry, ans: Value, tangent: Value) -> Value:
        """Tracers for a result that moves with what a rule returned."""
        if primitive.multiple:
            return tuple([self.moving(primitive, entry, *each) for each in zip(ans, tangent, strict=True)])
        return self.moving(primitive, entry, ans, tangent)

    def moving(self, primitive: Primitive, entry: JvpEntry, ans: Value, tangent: Value) -> Value:
        """A tracer for one part of a result."""
        if tangent is None:
            return ans
        kind = type(tangent)
        if kind is ndarray:
            if type(ans) is not ndarray or tangent.shape != ans.shape or tangent.dtype is not ans.dtype:
                tangent = fitted_tangent(tangent, ans, primitive, entry.strict)
        elif kind is not float64 or type(ans) not in FLOATS:
            tangent = self.fitted(primitive, entry, ans, tangent)
        return Tracer(self, ans, tangent)

    def fitted(self, primitive: Primitive, entry: JvpEntry, ans: Value, tangent: Value) -> Value:
        """A tangent in the shape and dtype of the result."""
        if type(tangent) is Cusp:
            return tangent
        if type(tangent) is Germ:
            tangent = tangent.slope
        return fitted_tangent(tangent, ans, primitive, entry.strict)

    def item(self, tracer: Tracer, index: int | slice) -> Value:
        """What `process` does for `x[index]`, in a fraction of the time."""
        tangent = tracer.extra
        if not self.live or type(tracer.value) is not ndarray or type(tangent) is not ndarray:
            return super().item(tracer, index)
        value = tracer.value[index]
        out = Tracer(self, value, tangent[index])
        if type(value) is ndarray:
            link(tracer, out, getitem, {"index": index})
        return out

    def on_both_sides(
        self, primitive: Primitive, entry: JvpEntry, ans: Value, args: tuple[Value, ...], params: Params
    ) -> Value:
        """Apply a primitive where an argument has a cusp: on each side of it for itself."""
        right, left = (self.on_side(side, primitive, entry, args, params) for side in (0, 1))
        torn = any(type(arg) is Tracer and arg.interpreter is self and is_torn(arg) for arg in args)
        if primitive.multiple:
            return tuple(
                [
                    part if r is None else Tracer(self, part, Cusp(r, s, torn))
                    for part, r, s in zip(ans, right, left, strict=True)
                ]
            )
        return ans if right is None else Tracer(self, ans, Cusp(right, left, torn))

    def on_side(
        self, side: int, primitive: Primitive, entry: JvpEntry, args: tuple[Value, ...], params: Params
    ) -> Value:
        """The germ of the result on one side; for a tuple a tuple of germs."""
        values = []
        slopes: list[Value] = []
        for arg in args:
            if type(arg) is Tracer and arg.interpreter is self:
                value, slope = side_of(arg, side)
            else:
                value, slope = arg, None
            values.append(value)
            slopes.append(slope)
        ans = primitive.bind(*values, **params)
        found = entry.tangent(primitive, slopes, ans, values, params)
        if primitive.multiple:
            return tuple(
                [
                    None if t is None else Germ(part, self.fitted(primitive, entry, part, t))
                    for part, t in zip(ans, found, strict=True)
                ]
            )
        if found is None or type(found) is Germ:
            return found
        if type(found) is Cusp:  # a new one, on this side of the old one
            return found.right
        return Germ(ans, self.fitted(primitive, entry, ans, found))
