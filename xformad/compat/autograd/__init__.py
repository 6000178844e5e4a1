"""Autograd's public interface on xformad: programs that import `autograd` run unmodified.

    python -m xformad.compat.autograd script.py args...
    python -m xformad.compat.autograd -m package args...

or, from code, `install()`, after which `import autograd` means this package, until `uninstall()`.

    >>> from xformad.compat.autograd import grad
    >>> import xformad.compat.autograd.numpy as np
    >>> grad(lambda x: (1.0 - np.exp(-2.0 * x)) / (1.0 + np.exp(-2.0 * x)))(1.0)
    np.float64(0.41997434161402...)

The modules are adapters: names, orders of arguments, and results are Autograd's; what differentiates is xformad.
"""

from __future__ import annotations

import xformad.compat.autograd.numpy as numpy
from xformad.compat.autograd import (
    builtins,
    core,
    differential_operators,
    extend,
    tracer,
    util,
    wrap_util,
)
from xformad.compat.autograd.builtins import dict, isinstance, list, tuple, type
from xformad.compat.autograd.core import primitive
from xformad.compat.autograd.differential_operators import (
    checkpoint,
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_named,
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    holomorphic_grad,
    jacobian,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    tensor_jacobian_product,
    value_and_grad,
    vector_jacobian_product,
)
from xformad.compat.autograd.drop_in import install, uninstall

__all__ = [
    "builtins",
    "checkpoint",
    "core",
    "deriv",
    "dict",
    "differential_operators",
    "elementwise_grad",
    "extend",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "install",
    "isinstance",
    "jacobian",
    "list",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_vjp",
    "multigrad_dict",
    "numpy",
    "primitive",
    "tensor_jacobian_product",
    "tracer",
    "tuple",
    "type",
    "uninstall",
    "util",
    "value_and_grad",
    "vector_jacobian_product",
    "wrap_util",
]
