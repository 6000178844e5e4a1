"""Taylor mode: the interpreter that carries a truncated power series along with every value.

A tracer stands for a value that moves along a curve x_0 + x_1 t + ... + x_k t^k: `value` is x_0, and `extra` the list of
the other coefficients. They are Taylor coefficients, the n-th derivative over n factorial; None stands for a zero. A
primitive is applied to the values, and its Taylor rule to the series; both run one level below, so an outer
transformation sees them. All derivatives up to order k cost O(k^2), where nested forward mode costs 2^k.

    >>> import numpy as np
    >>> with Taylor(3) as interpreter:
    ...     x = interpreter.input(2.0, [1.0])
    ...     y = np.exp(x) / x
    >>> y.value, y.extra
    (np.float64(3.69452...), [1.84726..., 0.92363..., 0.153938...])

Kinks: |t| is t for t > 0 and -t for t < 0, each a power series. So a program is run for one side, where an operation
with a kink takes the branch that its argument's leading coefficient shows, and, if there was one, for the other side too.
If both agree, as for |t|^2, that is the series of the result. Otherwise there is none. `transformations.taylor` does that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, final

from numpy import float64, ndarray

from xformad.core.interpreter import FLOAT, Interpreter, held
from xformad.core.operands import refuse_result
from xformad.core.primitive import Primitive, Tracer, getitem
from xformad.core.source import user_line
from xformad.core.typing import Params, Value
from xformad.core.views import argument, link
from xformad.errors import RuleError
from xformad.interpreters.series import Series
from xformad.interpreters.taylor_rules import fitted, rule_for, taylor_rules

FLOATS: Final = frozenset((float, float64))
NUMBERS: Final = frozenset((float, float64, int))


@final
class Taylor(Interpreter):
    """Runs a program one level below, on power series.

    Args:
        order: of the last coefficient.
        fun: the function under transformation, for messages.
        side: 1 where the series are to hold for small t > 0, -1 for t < 0.

    Attributes:
        kinks: what was not smooth, with the user's line.
    """

    name: ClassVar[str] = "taylor"

    def __init__(self, order: int, fun: Callable[..., Any] | None = None, side: int = 1) -> None:
        super().__init__(fun)
        self.order = order
        self.side = side
        self.kinks: list[str] = []

    def input(self, value: Value, coefficients: Series) -> Tracer:
        """A tracer for an argument with these coefficients of orders 1, 2, ..., of its shape and dtype. The rest is zero."""
        for x in (value, *coefficients):
            if type(x) is Tracer and not x.interpreter.live:
                x.interpreter.escaped()
        if type(value) in FLOATS:
            coefficients = [float(c) if type(c) is float64 else c for c in coefficients]
        series = [*map(held, coefficients), *[None] * (self.order - len(coefficients))]
        return argument(self, held(value), series)

    def kink(self, what: str) -> None:
        """Report that a series holds on one side only, or, with NaN for coefficients, that there is none."""
        self.kinks.append(f"{what} at {user_line()}")

    def process(self, primitive: Primitive, args: tuple[Value, ...], params: Params) -> Value:
        if not self.live:
            self.escaped()
        rule = taylor_rules.rules.get(primitive) or rule_for(primitive)
        primals = []
        order = self.order
        scalars = True
        for arg in args:
            if type(arg) is Tracer and arg.interpreter is self:
                order = min(order, len(arg.extra))
                arg = arg.value
            scalars = scalars and type(arg) in NUMBERS
            primals.append(arg)
        ans = primitive.bind(*primals, **params)
        if rule is None:
            return ans
        if type(ans) is ndarray and ans.dtype is not FLOAT:
            refuse_result(ans.dtype, primitive.name)
        zeros = [None] * order
        series: list[Series] = []
        if scalars and type(ans) in FLOATS:
            # Python's floats are several times as fast as NumPy's, but raise where those divide by zero.
            for arg, x in zip(args, primals, strict=True):
                if type(x) is float64:
                    x = float(x)
                series.append([x, *zeros] if type(arg) is not Tracer else [x, *arg.extra[:order]])
            try:
                return self.moving(primitive, order, ans, rule(self, float(ans), *series, **params))
            except ArithmeticError:
                series = [[c if c is None else float64(c) for c in x] for x in series]
                return self.moving(primitive, order, ans, rule(self, ans, *series, **params))
        for arg, x in zip(args, primals, strict=True):
            if type(arg) is not Tracer or arg.interpreter is not self:
                series.append([x, *zeros])
            elif type(x) is float64:  # which a Python float is weaker than
                series.append([x, *(float64(c) if type(c) is float else c for c in arg.extra[:order])])
            else:
                series.append([x, *arg.extra[:order]])
        return self.moving(primitive, order, ans, rule(self, ans, *series, **params))

    def moving(self, primitive: Primitive, order: int, ans: Value, found: Any) -> Value:
        """Tracers for a result with the series that a rule returned."""
        if primitive.multiple:
            parts = zip(ans, found, strict=True)
            return tuple([part if y is None else self.tracer(primitive, order, part, y) for part, y in parts])
        return self.tracer(primitive, order, ans, found)

    def tracer(self, primitive: Primitive, order: int, ans: Value, y: Series) -> Value:
        """A tracer for a series, its coefficients in the shape and dtype of the value; the value, if they are all zero."""
        if len(y) != order + 1:
            raise RuleError(
                f"the taylor rule of primitive '{primitive.name}' returned {len(y)} coefficients for order {order}; "
                f"return {order + 1}, the value first"
            )
        kind = type(ans)
        if kind in FLOATS:
            if y[0] is not None and y[0] != ans:  # a limit in the place of the value
                ans = float64(y[0])
            extra = [float(c) if type(c) is float64 or type(c) is ndarray else c for c in y[1:]]
            if all(type(c) is float or c is None for c in extra):
                return Tracer(self, ans, extra) if any(c is not None for c in extra) else ans
        else:
            ans = y[0]
        extra = []
        for c in y[1:]:
            if c is not None and not (
                kind is ndarray and type(c) is ndarray and c.shape == ans.shape and c.dtype is ans.dtype
            ):
                c = fitted(c, ans, primitive)
            extra.append(c)
        return Tracer(self, ans, extra) if any(c is not None for c in extra) else ans

    def item(self, tracer: Tracer, index: int | slice) -> Value:
        """What `process` does for `x[index]`, in a fraction of the time."""
        x = tracer.value
        if not self.live or type(x) is not ndarray:
            return super().item(tracer, index)
        ans = x[index]
        coefficients = [None if c is None else c[index] for c in tracer.extra]
        if type(ans) is ndarray:
            out = Tracer(self, ans, coefficients)
            link(tracer, out, getitem, {"index": index})
            return out
        return Tracer(self, ans, [float(c) if type(c) is float64 else c for c in coefficients])
