"""Operations whose results are whole numbers or truth values, or locally constant: their derivative is zero.

Under reverse mode they give plain values, so a program may branch on them and index with them.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from xformad.core import guards
from xformad.core import primitive as core
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import Batched, defbatch, defbatch_elementwise, reducing
from xformad.operations.makers import nondifferentiable

equal = nondifferentiable(core.equal, np.equal, 2)
not_equal = nondifferentiable(core.not_equal, np.not_equal, 2)
less = nondifferentiable(core.less, np.less, 2)
less_equal = nondifferentiable(core.less_equal, np.less_equal, 2)
greater = nondifferentiable(core.greater, np.greater, 2)
greater_equal = nondifferentiable(core.greater_equal, np.greater_equal, 2)

logical_and = nondifferentiable("logical_and", np.logical_and, 2)
logical_or = nondifferentiable("logical_or", np.logical_or, 2)
logical_xor = nondifferentiable("logical_xor", np.logical_xor, 2)
logical_not = nondifferentiable("logical_not", np.logical_not)

invert = nondifferentiable(core.invert, np.invert)
bitwise_and = nondifferentiable(core.bitwise_and, np.bitwise_and, 2)
bitwise_or = nondifferentiable(core.bitwise_or, np.bitwise_or, 2)
bitwise_xor = nondifferentiable(core.bitwise_xor, np.bitwise_xor, 2)
left_shift = nondifferentiable("left_shift", np.left_shift, 2)
right_shift = nondifferentiable("right_shift", np.right_shift, 2)
gcd = nondifferentiable("gcd", np.gcd, 2)
lcm = nondifferentiable("lcm", np.lcm, 2)

isnan = nondifferentiable("isnan", np.isnan)
isinf = nondifferentiable("isinf", np.isinf)
isfinite = nondifferentiable("isfinite", np.isfinite)
signbit = nondifferentiable("signbit", np.signbit)

floor = nondifferentiable(core.floor, np.floor)
ceil = nondifferentiable(core.ceil, np.ceil)
trunc = nondifferentiable(core.trunc, np.trunc)
rint = nondifferentiable(core.rint, np.rint)
exponent = nondifferentiable("exponent", lambda x: np.frexp(x)[1])  # of 2, in x = mantissa * 2**exponent
defbatch_elementwise(exponent)
spacing = nondifferentiable("spacing", np.spacing)
round_ = nondifferentiable("round", np.round)
defbatch_elementwise(round_)

whole_number = nondifferentiable("whole_number", operator.index)  # Python's, whose dtype does not count
defbatch(whole_number, lambda _size, _batched, x: x)

argmax = nondifferentiable("argmax", np.argmax)
argmin = nondifferentiable("argmin", np.argmin)
any_ = nondifferentiable(guards.any_, np.any)
guard = nondifferentiable(guards.guard, guards.check)
all_ = nondifferentiable("all", np.all)
count_nonzero = nondifferentiable("count_nonzero", np.count_nonzero)
for reduction in (argmax, argmin, any_, all_, count_nonzero):
    defbatch(reduction, reducing(reduction))


def guard_batch(size: int, _batched: Batched, x: Value, expected: Any, how: str) -> Value:
    """The examples go one way together: a guard that all are as expected, or where that is not a number, one for each."""
    if how in ("truth", "index"):
        found = core.not_equal.bind(x, 0) if how == "truth" else x
        guard.bind(np.all(core.equal.bind(found, expected)), expected=True, how="truth")
    else:
        for i in range(size):
            guard.bind(x[i], expected=expected, how=how)
    return x


defbatch(guard, guard_batch)

# The value without its derivative, at every level of nesting.
stop_gradient: Primitive = nondifferentiable("stop_gradient", lambda x: x)
defbatch_elementwise(stop_gradient)
