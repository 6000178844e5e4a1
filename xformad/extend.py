"""What extends xformad: primitives of your own, their rules, and interpreters.

>>> import numpy as np
>>> from xformad import grad
>>> from xformad.extend import defvjp, primitive
>>> @primitive
... def logsumexp(x):
...     m = np.max(x)
...     return m + np.log(np.sum(np.exp(x - m)))
>>> defvjp(logsumexp, lambda g, ans, x: g * np.exp(x - ans))
>>> grad(lambda x: logsumexp(x**2))(np.arange(3.0))
array([0.        , 0.09322525, 3.74495821])
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from xformad import operations
from xformad.core.dispatch import UFUNCS
from xformad.core.interpreter import Interpreter, dtype_of, shape_of
from xformad.core.primitive import Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.core.source import user_line
from xformad.interpreters.batch_rules import defbatch, defbatch_elementwise
from xformad.interpreters.cotangents import unbroadcast
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import defindexset
from xformad.interpreters.jvp_rules import defjvp, defjvp_joint
from xformad.interpreters.taylor_rules import deftaylor, from_composition, from_derivative
from xformad.interpreters.vjp_rules import deflinear, defvjp, defvjp_joint, defvjp_variadic
from xformad.transformations.primitives import primitive

__all__ = [
    "Dependence",
    "Interpreter",
    "Primitive",
    "RuleTable",
    "Tracer",
    "defbatch",
    "defbatch_elementwise",
    "defindexset",
    "defjvp",
    "defjvp_joint",
    "deflinear",
    "deftaylor",
    "defvjp",
    "defvjp_joint",
    "defvjp_variadic",
    "dtype_of",
    "from_composition",
    "from_derivative",
    "primitive",
    "primitive_of",
    "primitives",
    "shape_of",
    "unbroadcast",
    "user_line",
]


def primitives() -> dict[str, Primitive]:
    """The primitives of xformad's operations, by the names that graphs and messages show: what an interpreter meets. Those
    of `xformad.scipy` are among them when its modules have been imported.

    >>> primitives()["sum"]
    <Primitive sum>
    """
    modules = [module for module in vars(operations).values() if isinstance(module, ModuleType)]
    modules += [module for name, module in list(sys.modules.items()) if name.startswith("xformad.scipy.")]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Primitive)]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def primitive_of(operation: Primitive | str | Callable[..., Any]) -> Primitive:
    """The primitive to which an interpreter's rule belongs.

    Args:
        operation: a ufunc of NumPy; or the name of a primitive, as graphs and messages show it; or a primitive, which
            is returned as it is.

    Raises:
        ValueError: if there is no such primitive. Most of NumPy's functions are composed of several.

    >>> import numpy as np
    >>> primitive_of(np.sin), primitive_of("reshape")
    (<Primitive sin>, <Primitive reshape>)
    """
    if isinstance(operation, Primitive):
        return operation
    found = primitives().get(operation) if isinstance(operation, str) else UFUNCS.get(operation)
    if found is None:
        name = operation if isinstance(operation, str) else getattr(operation, "__name__", repr(operation))
        raise ValueError(
            f"{name!r} is neither a ufunc nor the name of a primitive; print(xformad.trace(fun)(x)) shows the primitives "
            "that a function is composed of, and xformad.extend.primitives() lists all"
        )
    return found
