"""What operations cost, for the tables of `profile`: floating-point operations, and bytes of memory that are moved.

The counts are of a model, not of a processor. Arithmetic costs one operation for each entry of its result, an elementary
function such as exp `ELEMENTARY`, moving data none. A product of an m x k and a k x n matrix costs 2 m n k, a reduction one
for each entry of its operand. Complex results cost four times as much, which is exact for sums of products. An array that
is read or written counts once with its bytes; a view of an operand moves none.

>>> flops_of("matmul", [((2, 4), np.dtype(float))], [(2, 3), (3, 4)], {})
48
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from xformad.compiler.replay import ufuncs
from xformad.core.typing import Params, Shape, ShapeDtype, Value

ELEMENTARY: Final = 10
"""What an exponential, a sine or a power counts for: about as many operations as its polynomial has."""

Formula: TypeAlias = Callable[[Shape, Sequence[Shape], Params], int]
"""The operations, of the shape of the result, those of the operands, and the parameters."""

MOVES: Final = (
    "reshape ravel transpose flip roll broadcast setitem pad copy astype spread getitem concatenate stack where "
    "stop_gradient real imag discretize replacement positive component"
)
FUNCTIONS: Final = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh "
    "arctanh cbrt power float_power sinc i0 logaddexp logaddexp2 hypot erf"
)
REDUCTIONS: Final = "sum prod max min any all count_nonzero argmax argmin cumsum cumprod"


def each_entry(weight: int) -> Formula:
    return lambda out, shapes, params: weight * math.prod(out)


def product(out: Shape, shapes: Sequence[Shape], params: Params) -> int:
    """Of `matmul` and `dot`: the last axis of the first operand is summed over."""
    first, second = shapes
    return 2 * math.prod(out) * first[-1] if first and second else math.prod(out)


def tensordot(out: Shape, shapes: Sequence[Shape], params: Params) -> int:
    axes: Sequence[int] = params["axes"][0]
    return 2 * math.prod(out) * math.prod(shapes[0][axis] for axis in axes)


FORMULAS: Final[dict[str, Formula]] = {
    **dict.fromkeys((primitive.name for primitive in ufuncs()), each_entry(1)),
    **dict.fromkeys(MOVES.split(), each_entry(0)),
    **dict.fromkeys(FUNCTIONS.split(), each_entry(ELEMENTARY)),
    **dict.fromkeys(REDUCTIONS.split(), lambda out, shapes, params: math.prod(shapes[0])),
    "matmul": product,
    "dot": product,
    "tensordot": tensordot,
    "scatter_add": lambda out, shapes, params: sum(map(math.prod, shapes[: len(params["indices"])])),
}


def flops_of(name: str, outs: Sequence[ShapeDtype], shapes: Sequence[Shape], params: Params) -> int | None:
    """The floating-point operations of an operation; None if there is no formula.

    Args:
        name: of the primitive.
        outs: the shape and dtype of each result.
        shapes: those of the operands.
        params: the parameters.
    """
    formula = FORMULAS.get(name)
    if formula is None or not outs:
        return None
    flops = formula(outs[0][0], shapes, params)
    return 4 * flops if outs[0][1].kind == "c" else flops


def bytes_of(outs: Sequence[Value], operands: Sequence[Value]) -> int:
    """The bytes of the arrays that an operation reads and writes; 0 if its results are views of its operands."""
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    written = [
        out
        for out in outs
        if not (isinstance(out, np.ndarray) and any(np.may_share_memory(out, array) for array in arrays))
    ]
    return sum(map(nbytes, [*arrays, *written])) if written else 0


def nbytes(x: Any) -> int:
    return int(x.nbytes) if isinstance(x, np.ndarray | np.generic) else 8
