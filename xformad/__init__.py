"""xformad differentiates and transforms ordinary NumPy code, by composable function transformations.

>>> import numpy as np
>>> from xformad import grad
>>> grad(lambda x: np.sum(np.tanh(x) ** 2))(np.array([0.5, 1.0]))
array([0.72686198, 0.63970001])
"""

from __future__ import annotations

from xformad import extend, numpy, operations, testing, tree
from xformad.core.allocator import keep_freed_memory
from xformad.core.graph import Graph
from xformad.errors import (
    ArgumentError,
    BatchError,
    BatchSplitWarning,
    CompilationWarning,
    ConcretizationError,
    ConvergenceError,
    DifferentiationError,
    EscapedTracerError,
    GraphFileError,
    IndependentOutputWarning,
    ManyPathsWarning,
    MissingPackageError,
    MissingRuleError,
    NonFiniteError,
    PathError,
    PatternError,
    RuleError,
    TreeError,
    UnsupportedError,
    XformadError,
)
from xformad.interpreters.evaluate import evaluate
from xformad.transformations.branches import cond, switch
from xformad.transformations.checkpointing import checkpoint, checkpoint_scan
from xformad.transformations.custom_rules import custom_jvp, custom_vjp
from xformad.transformations.debugging import debug_nans
from xformad.transformations.executable import CompiledFunction, load
from xformad.transformations.forward import jvp, linear_transpose, linearize, make_jvp
from xformad.transformations.implicit import fixed_point, root
from xformad.transformations.jit import jit
from xformad.transformations.loops import fori_loop, map, scan  # noqa: A004 - as the field calls it
from xformad.transformations.matrices import (
    jacfwd,
    jacobian,
    jacrev,
    value_and_jacfwd,
    value_and_jacobian,
    value_and_jacrev,
)
from xformad.transformations.mixed_partials import mixed_partial
from xformad.transformations.ode import odeint
from xformad.transformations.profiling import profile
from xformad.transformations.reverse import elementwise_grad, grad, make_vjp, value_and_grad, vjp
from xformad.transformations.second_order import (
    divergence,
    ggnvp,
    hessian,
    hessian_diagonal,
    hvp,
    laplacian,
    value_grad_and_hessian,
    vhp,
)
from xformad.transformations.sparse import SparseDerivative, sparse_hessian, sparse_jacobian
from xformad.transformations.taylor import derivatives, taylor
from xformad.transformations.tracing import trace
from xformad.transformations.values import stop_gradient, value_of
from xformad.transformations.vmap import vmap
from xformad.transformations.while_loops import while_loop
from xformad.version import VERSION

keep_freed_memory()

__version__ = VERSION

__all__ = [
    "ArgumentError",
    "BatchError",
    "BatchSplitWarning",
    "CompilationWarning",
    "CompiledFunction",
    "ConcretizationError",
    "ConvergenceError",
    "DifferentiationError",
    "EscapedTracerError",
    "Graph",
    "GraphFileError",
    "IndependentOutputWarning",
    "ManyPathsWarning",
    "MissingPackageError",
    "MissingRuleError",
    "NonFiniteError",
    "PathError",
    "PatternError",
    "RuleError",
    "SparseDerivative",
    "TreeError",
    "UnsupportedError",
    "XformadError",
    "checkpoint",
    "checkpoint_scan",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "debug_nans",
    "derivatives",
    "divergence",
    "elementwise_grad",
    "evaluate",
    "extend",
    "fixed_point",
    "fori_loop",
    "ggnvp",
    "grad",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "laplacian",
    "linear_transpose",
    "linearize",
    "load",
    "make_jvp",
    "make_vjp",
    "map",
    "mixed_partial",
    "numpy",
    "odeint",
    "operations",
    "profile",
    "root",
    "scan",
    "sparse_hessian",
    "sparse_jacobian",
    "stop_gradient",
    "switch",
    "taylor",
    "testing",
    "trace",
    "tree",
    "value_and_grad",
    "value_and_jacfwd",
    "value_and_jacobian",
    "value_and_jacrev",
    "value_grad_and_hessian",
    "value_of",
    "vhp",
    "vjp",
    "vmap",
    "while_loop",
]
