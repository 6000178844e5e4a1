"""The errors that xformad raises. Each docstring is the manual page of its error.

All derive from `XformadError` and, where a builtin error describes the case, from that one too, so that
`except TypeError` keeps working.
"""

from __future__ import annotations


class XformadError(Exception):
    """The base of the errors raised by xformad."""


class EscapedTracerError(XformadError, RuntimeError):
    """A traced value was used after the transformation that made it had ended.

    A traced value lives as long as the call of the transformed function. One that was appended to a list, stored in
    an attribute or in a global stands for nothing afterwards. Return it from the function instead (`has_aux=True`
    hands values out beside the result), or store `xformad.value_of(x)`.
    """


class ConcretizationError(XformadError, TypeError):
    """A traced value was to become a plain Python number or a plain NumPy array, which would drop its derivative.

    `float(x)`, `int(x)`, `x.item()`, `math.sin(x)`, `numpy.asarray(x)`, `numpy.array([x, y])` and `out[i] = x` on a
    plain ndarray do that. Use NumPy's function on `x`, build arrays with `xformad.numpy.array` or `numpy.stack`,
    or say that the derivative is to be dropped: `float(xformad.stop_gradient(x))`.
    """


class MissingRuleError(XformadError, NotImplementedError):
    """An interpreter met a primitive that its rule table does not have. The message says how to add the rule."""


class UnsupportedError(XformadError, TypeError):
    """A NumPy function, or a form of it, that xformad does not differentiate. The message says what to write instead."""


class DifferentiationError(XformadError, TypeError):
    """What was to be differentiated has no derivative: an integer array, text, or an output that is no real scalar."""


class RuleError(XformadError, ValueError):
    """A rule returned a cotangent whose shape or dtype is not that of the argument it belongs to."""


class TreeError(XformadError, ValueError):
    """Two pytrees that must have the same structure differ. The message gives the path to the first difference."""


class ArgumentError(XformadError, TypeError):
    """`argnums` names no argument of the call."""


class BatchError(XformadError, ValueError):
    """The arguments or results of `vmap` do not fit its axes, or each other. The message gives the path to the leaf."""


class BatchSplitWarning(UserWarning):
    """`vmap` has run its function many times, because a condition differs between the examples of the batch.

    Each way that the examples take through the program is one more run. Where the ways are many, use functions that
    compute for all examples at once: `numpy.where`, `numpy.maximum`, `xformad.numpy.take`.
    """


class PatternError(XformadError, ValueError):
    """A sparse derivative has entries where its pattern has none: the function branches in another way than where the
    pattern was found, or an argument that decides on the pattern is another one. Prepare the derivative anew there.
    """


class ConvergenceError(XformadError, RuntimeError):
    """An iteration found no solution: `root`, `fixed_point`, a linear solver, or the integrator of `odeint`.

    Attributes:
        residual: how far off the last iterate was.
        evaluations: how often the function was evaluated.
    """

    def __init__(self, message: str, residual: float = float("nan"), evaluations: int = 0) -> None:
        super().__init__(message)
        self.residual = residual
        self.evaluations = evaluations


class NonFiniteError(XformadError, FloatingPointError):
    """An operation made a NaN or an infinity of finite operands, under `xformad.debug_nans`.

    Attributes:
        operation: the name of the primitive.
        line: the user's line, `file:line`; of a cotangent that of the operation of the forward pass that it is pulled
            back through.
        part: what the NaN is in: "value", "tangent", "cotangent" or "coefficient".
        reason: why.
    """

    def __init__(self, message: str, operation: str = "", line: str = "", part: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.line = line
        self.part = part
        self.reason = reason


class PathError(XformadError, ValueError):
    """A function compiled ahead of time was given arguments that take another way through the program.

    `jit(fun).compile(*args)` holds for the way that these arguments take. The message names the condition, whole number or
    shape that is another one now, and the user's line. Call `jit(fun)` itself, which records one way after the other, or
    compile for each of them.
    """


class GraphFileError(XformadError, ValueError):
    """A file does not hold a compiled function that this version of xformad can load: it is damaged, inconsistent, written
    by a newer version, or names a primitive that is not known here. The message says which.
    """


class MissingPackageError(XformadError, ImportError):
    """A package is needed that is not installed. The message gives the command that installs it."""


class IndependentOutputWarning(UserWarning):
    """The output does not depend on the arguments differentiated with respect to: all derivatives are zero."""


class ManyPathsWarning(UserWarning):
    """A function under `jit` goes so many different ways that it is run as it is. The message names the line."""


class CompilationWarning(UserWarning):
    """What `jit` recorded could not be compiled, and runs on NumPy instead: slower, with the same result."""
