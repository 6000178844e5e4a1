"""Rows for `numpy.linalg`. Functions of a symmetric or Hermitian matrix get one built of the argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from tests.operations.table_products import sample
from xformad import UnsupportedError

STACKS: list[tuple[int, ...]] = [(3, 3), (2, 3, 3), (1, 1), (0, 0), (2, 0, 0)]
SYSTEMS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (2, 3, 2)), ((3, 3), (2, 3, 2)),
    ((2, 3, 3), (3, 2)), ((0, 0), (0,)), ((1, 3, 3), (4, 3, 1)),
]  # fmt: skip
MATRICES: list[tuple[int, ...]] = [(3, 3), (2, 3, 3), (4, 2), (2, 4), (3, 2, 3), (1, 1)]
SINGULAR: dict[str, Any] = {
    "of rank 1": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "ones": np.ones((3, 3)),
    "zeros": np.zeros((2, 2)),
    "nearly": np.arange(9.0).reshape(3, 3),
    "stack": np.arange(18.0).reshape(2, 3, 3),
    "of rank 2 of 4": np.diag([2.0, 3.0, 0.0, 0.0]) @ sample(4, 4),
}
linalg: Any = np.linalg  # the stubs lack overloads
VECTOR_ORDERS = (None, 1, 2, 3, 2.5, 0.5, -1, 0, np.inf, -np.inf)
MATRIX_ORDERS: tuple[Any, ...] = (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def regular(*shape: int) -> Any:
    return sample(*shape) + 3 * np.eye(shape[-1])


def adjoint(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -1, -2))


def positive(x: Any) -> Any:
    return x @ adjoint(x) + np.eye(x.shape[-1])


def invariant_eigh(x: Any) -> Any:
    """What does not depend on the phases of the vectors."""
    w, v = linalg.eigh(x + adjoint(x))
    return w, np.abs(v) ** 2, (v * np.sin(w)[..., None, :]) @ adjoint(v)


def turning(*shape: int) -> Any:
    """Matrices with complex eigenvalues, far from each other."""
    n = shape[-1]
    return sample(*shape) + 3 * (np.eye(n, k=1) - np.eye(n, k=-1)) + np.diag(np.arange(n))


def invariant_eig(x: Any) -> Any:
    """What does not depend on the phases of the vectors."""
    w, v = linalg.eig(x)
    return w * (1 + 0j), np.abs(v) ** 2, (v * np.sin(0.3 * w)[..., None, :]) @ linalg.inv(v) * (1 + 0j)


def invariant_svd(x: Any) -> Any:
    u, s, vh = linalg.svd(x, full_matrices=False)
    return np.abs(u) ** 2, s, np.abs(vh) ** 2, (u * np.sin(s)[..., None, :]) @ vh


def stacked(name: str, fun: Any, make: Any = regular, shapes: Any = STACKS, **options: Any) -> list[Case]:
    return [Case(f"{name} {shape}", fun, (make(*shape),), **{"complex": True, **options}) for shape in shapes]


CASES = [
    *stacked("inv", linalg.inv),
    *stacked("det", linalg.det, sample),
    *stacked("slogdet", linalg.slogdet),
    *stacked("cholesky", lambda x: linalg.cholesky(positive(x)), sample),
    *stacked("cholesky upper", lambda x: linalg.cholesky(positive(x), upper=True), sample),
    *stacked("eigvalsh", lambda x: linalg.eigvalsh(x + adjoint(x)), sample),
    *stacked("eigvalsh U", lambda x: linalg.eigvalsh(x + adjoint(x), "U"), sample, STACKS[:1]),
    *stacked("eigh", lambda x: linalg.eigh(x + adjoint(x)), sample, complex=False),
    *stacked("eigh invariant", invariant_eigh, sample),
    *stacked("eigvals", lambda x: linalg.eigvals(x) * (1 + 2j), turning),
    *stacked("eigvals sorted", lambda x: np.sort_complex(linalg.eigvals(x)), turning, STACKS[:1]),
    *stacked("eig invariant", invariant_eig, turning, STACKS[:2]),
    *stacked("eig real", lambda x: linalg.eig(np.diag([1.0, 5.0, 9.0]) + 0.3 * x), sample, STACKS[:1], complex=False),
    *(
        Case(f"lstsq {left} {right}", lambda a, b: (*linalg.lstsq(a, b)[:2], linalg.lstsq(a, b)[3]),
             (sample(*left), sample(*right)), complex=True)
        for left, right in (((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 4), (2,)), ((3, 3), (3, 2)))
    ),
    *stacked("svd", lambda x: linalg.svd(x, full_matrices=False), sample, MATRICES, complex=False),
    *stacked("svd full", linalg.svd, sample, STACKS[:2], complex=False),
    *stacked("svd invariant", invariant_svd, sample, MATRICES),
    *stacked("svd values", lambda x: linalg.svd(x, compute_uv=False), sample, MATRICES),
    *stacked("svdvals", linalg.svdvals, sample, MATRICES),
    *stacked("qr", linalg.qr, sample, MATRICES),
    *stacked("qr r", lambda x: linalg.qr(x, "r"), sample, MATRICES[:3]),
    *stacked("qr complete", lambda x: linalg.qr(x, "complete"), sample, [(2, 3)]),
    *stacked("pinv", linalg.pinv, sample, MATRICES),
    *stacked("pinv rcond", lambda x: linalg.pinv(x, rcond=1e-10), sample, [(3, 2)]),
    *stacked("matrix_transpose", linalg.matrix_transpose, sample, [(2, 3, 2)]),
    *stacked("linalg.trace", linalg.trace, sample, [(2, 3, 3)]),
    *stacked("linalg.trace offset", lambda x: linalg.trace(x, offset=1), sample, [(2, 3, 3)]),
    *stacked("linalg.diagonal", linalg.diagonal, sample, [(2, 3, 3)]),
    *(
        Case(f"solve {left} {right}", linalg.solve, (regular(*left), sample(*right)), complex=True)
        for left, right in SYSTEMS
    ),
    *(Case(f"det singular {name}", linalg.det, (x,), complex=True) for name, x in SINGULAR.items()),
    Case("det fourth order", linalg.det, (sample(3, 3),), order=4),
    Case("inv third order", linalg.inv, (regular(2, 2),), order=3),
    Case("tensorinv", linalg.tensorinv, ((regular(6, 6)).reshape(2, 3, 6),), complex=True),
    Case("tensorsolve", linalg.tensorsolve, ((regular(6, 6)).reshape(2, 3, 6), sample(2, 3)), complex=True),
    *(Case(f"cond {p}", lambda x, p=p: linalg.cond(x, p), (regular(3, 3),)) for p in (None, 2, -2, 1, "fro", np.inf)),
    *stacked("norm", linalg.norm, sample, [(3,), (2, 3), (2, 2, 3), (1,)]),
    *stacked("norm keepdims", lambda x: linalg.norm(x, keepdims=True), sample, [(3,), (2, 3), (2, 2, 3)]),
    *(
        Case(f"norm {order} axis={axis} keepdims={keepdims}",
             lambda x, order=order, axis=axis, keepdims=keepdims: linalg.norm(x, order, axis, keepdims),
             (sample(2, 3),), complex=True)
        for order in VECTOR_ORDERS for axis, keepdims in ((-1, False), (0, True))
    ),
    *(
        Case(f"matrix norm {order} axis={axis} keepdims={keepdims}",
             lambda x, order=order, axis=axis, keepdims=keepdims: linalg.norm(x, order, axis, keepdims),
             (sample(2, 3, 4),), complex=True)
        for order in MATRIX_ORDERS for axis, keepdims in (((-2, -1), False), ((2, 0), True))
    ),
    *(
        Case(f"vector_norm ord={order}", lambda x, order=order: linalg.vector_norm(x, ord=order), (sample(2, 3),))
        for order in VECTOR_ORDERS if order is not None
    ),
    Case("vector_norm axis", lambda x: linalg.vector_norm(x, axis=(0, -1), keepdims=True, ord=3), (sample(2, 3, 2),)),
    Case("matrix_norm", linalg.matrix_norm, (sample(2, 3, 2),), complex=True),
    Case("matrix_norm nuc", lambda x: linalg.matrix_norm(x, ord="nuc", keepdims=True), (sample(2, 3, 2),)),
    Case("norm squared at zero", lambda x: linalg.norm(x) ** 2, (np.zeros(3),)),
    Case("norm times norm at zero", lambda x: linalg.norm(x) * linalg.norm(x), (np.zeros(3),)),
    Case("norm squared of rows, one zero", lambda x: linalg.norm(x, axis=1) ** 2,
         (np.array([[0.3, -0.4], [0.0, 0.0], [1.0, 2.0]]),)),
    Case("gaussian of a norm at zero", lambda x: np.exp(-0.5 * (linalg.norm(x, axis=-1) / 0.7) ** 2), (np.zeros((2, 3)),)),
    Case("cosine of a norm at zero", lambda x: np.cos(linalg.norm(x, keepdims=True)), (np.zeros((2, 2)),)),
]  # fmt: skip

WIDE = np.ones((2, 3))

REFUSED = [
    Refused("inv of a wide matrix", linalg.inv, (WIDE,), linalg.LinAlgError, "square"),
    Refused("inv of a singular matrix", linalg.inv, (np.ones((2, 2)),), linalg.LinAlgError, "Singular"),
    Refused("svd full of a wide matrix", linalg.svd, (WIDE,), UnsupportedError, "full_matrices=False"),
    Refused(
        "qr complete of a tall matrix", lambda x: linalg.qr(x.T, "complete"), (WIDE,), UnsupportedError, "'reduced'"
    ),
    Refused("qr raw", lambda x: linalg.qr(x, "raw"), (WIDE,), UnsupportedError, "'reduced'"),
    Refused("eig of a wide matrix", linalg.eig, (WIDE,), linalg.LinAlgError, "square"),
    Refused("norm of a bad order", lambda x: linalg.norm(x, "bad"), (WIDE,), ValueError, "norm order"),
    Refused("norm of three axes", lambda x: linalg.norm(x, 2), (np.ones((2, 2, 2)),), ValueError, "dimensions"),
]
