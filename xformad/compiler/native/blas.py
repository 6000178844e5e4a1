"""The matrix products of the BLAS that NumPy uses, by their addresses in memory: machine code calls them directly.

NumPy's core is linked with a BLAS, so its own library is asked for the functions: the loader searches what a library is
linked with, too. How they are called there depends on how NumPy was built. A function is used only if a small product
with it is right; where none is, products are left to NumPy.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from typing import Any, Final, NamedTuple, final

import numpy as np

from xformad.compiler.native.views import View

NAMES: Final = (
    "scipy_cblas_{}64_",  # NumPy's wheels: OpenBLAS with 64-bit integers
    "cblas_{}$NEWLAPACK$ILP64",  # wheels for macOS: Accelerate, as NumPy 2 builds with it
    "cblas_{}64_",
    "cblas_{}$NEWLAPACK",
    "cblas_{}",
)

CORE_NAMES: Final = ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename")

LIBRARIES: Final = ("numpy._core._multiarray_umath", "numpy.linalg._umath_linalg")

ROW_MAJOR: Final = 101
COLUMN_MAJOR: Final = 102
PLAIN: Final = 111
TRANSPOSED: Final = 112


@final
class Routine(NamedTuple):
    """A function of BLAS.

    Attributes:
        address: where it is.
        integer: LLVM's type of its whole numbers.
    """

    address: int
    integer: str


@functools.cache
def libraries() -> tuple[ctypes.CDLL, ...]:
    """NumPy's own libraries, which are loaded already."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(ctypes.CDLL(str(importlib.import_module(name).__file__)))
        except (ImportError, OSError):
            continue
    return tuple(found)


def integer_of(name: str) -> str:
    """The type of whole numbers of a function with this name.

    Without "64" they have 32 bits, mostly. Passed as 64 bits they are right in either case, where each argument fills a
    register or a slot of eight bytes of its own, as everywhere but on Apple's machines.

    >>> integer_of("scipy_cblas_dgemm64_")
    'i64'
    """
    return "i32" if sys.platform == "darwin" and "64" not in name else "i64"


ROUTINES: Final = {"d": "dgemm", "f": "sgemm", "D": "zgemm", "F": "cgemm"}
"""The products of matrices, by the characters of dtypes."""


@functools.cache
def gemm(char: str) -> Routine | None:
    """The product of matrices of a dtype, `cblas_dgemm` for float64; None if there is none, or it is not found."""
    for library in libraries() if char in ROUTINES else ():
        for pattern in NAMES:
            name = pattern.format(ROUTINES[char])
            function = getattr(library, name, None)
            if function is not None and is_right(function, integer_of(name), np.dtype(char)):
                address = ctypes.cast(function, ctypes.c_void_p).value
                assert address is not None
                return Routine(address, integer_of(name))
    return None


def is_right(function: Any, integer: str, dtype: np.dtype[Any]) -> bool:
    """Whether a function computes `y = 2 a b^T + y`, for parts of larger arrays. It takes complex numbers by address."""
    whole, where = ctypes.c_int64 if integer == "i64" else ctypes.c_int32, ctypes.c_void_p
    real = {"d": ctypes.c_double, "f": ctypes.c_float}.get(dtype.char, where)
    function.restype = None
    function.argtypes = [
        *[ctypes.c_int] * 3,
        *[whole] * 3,
        *[real, where, whole, where, whole, real, where, whole],
    ]
    a, b, y = ((np.arange(m * n).reshape(m, n) - 7).astype(dtype) for m, n in ((3, 6), (2, 7), (3, 5)))
    if dtype.kind == "c":
        a, b = a + dtype.type(1j) * a[::-1], b - dtype.type(2j) * b[::-1]
    expected = y.copy()
    expected[:, :2] += 2 * np.einsum("ik,jk->ij", a[:, :4], b[:, :4])
    two, one = np.array(2, dtype), np.array(1, dtype)
    alpha, beta = (x.ctypes.data if dtype.kind == "c" else x.item() for x in (two, one))
    data = a.ctypes.data, b.ctypes.data, y.ctypes.data
    function(ROW_MAJOR, PLAIN, TRANSPOSED, 3, 2, 4, alpha, data[0], 6, data[1], 7, beta, data[2], 5)
    return bool(np.array_equal(y, expected))


def layout(view: View) -> tuple[int, int] | None:
    """How BLAS reads the matrices of a view: by rows, or by columns (transposed), and the step from one to the next.

    None if it cannot: the entries of neither lie one after the other.
    """
    (m, n), (row_step, step) = view.shape[-2:], view.strides[-2:]
    if (step == 1 or n == 1) and (row_step >= n or m == 1):
        return PLAIN, max(1, n) if m == 1 else row_step
    if (row_step == 1 or m == 1) and (step >= m or n == 1):
        return TRANSPOSED, max(1, m) if n == 1 else step
    return None


def description() -> str:
    """The name of the BLAS that NumPy was built with, and of the kernels that it chose for this machine, if it tells."""
    built: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    found = built.get("Build Dependencies", {}).get("blas", {})
    parts = [str(found.get("name", "unknown BLAS")), str(found.get("version", ""))]
    for library in libraries():
        for name in CORE_NAMES:
            function = getattr(library, name, None)
            if function is not None:
                function.restype, function.argtypes = ctypes.c_char_p, []
                return " ".join([*parts, f"({function().decode()} kernels)"])
    return " ".join(parts)
