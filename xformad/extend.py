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

from xformad.core.interpreter import Interpreter
from xformad.core.primitive import Primitive, Tracer
from xformad.core.rules import RuleTable
from xformad.interpreters.batch_rules import defbatch, defbatch_elementwise
from xformad.interpreters.cotangents import unbroadcast
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import defindexset
from xformad.interpreters.jvp_rules import defjvp, defjvp_joint
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
    "defvjp",
    "defvjp_joint",
    "defvjp_variadic",
    "primitive",
    "unbroadcast",
]
