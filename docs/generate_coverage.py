"""Makes docs/coverage.md from the tables of operations.

    python docs/generate_coverage.py            writes the page
    python docs/generate_coverage.py --check    tells whether it is up to date

Each function for which there is an implementation is called on traced sample arguments, those below. What comes back
tells whether it is differentiable; `xformad.trace` tells which primitives it is made of.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from coverage_functions import Coverage
from coverage_page import page

DOCS: Final = Path(__file__).parent
PAGE: Final = DOCS / "coverage.md"

MATRIX: Final = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
VECTOR: Final = np.array([0.3, 0.9, 0.6])
CUBE: Final = np.arange(1.0, 9.0).reshape(2, 2, 2)
MASK: Final = np.array([True, False, True])

# Arguments that are tried, in this order, until a call succeeds; the best outcome counts.
SAMPLES: Final[list[tuple[Any, ...]]] = [
    (MATRIX,), (VECTOR,), (CUBE,), (MATRIX, MATRIX), (VECTOR, VECTOR), (MATRIX, VECTOR), (MATRIX, 0), (MATRIX, 0, 1),
    (MATRIX, [0, 1]), ([MATRIX, MATRIX],), ([VECTOR, VECTOR],), (VECTOR, VECTOR, VECTOR), (CUBE, CUBE, 2),
    (MASK, VECTOR), (MASK, VECTOR, VECTOR), ([MASK], [VECTOR]), (VECTOR, 1.0, 0), (VECTOR, MASK, VECTOR),
]  # fmt: skip

# And for functions that take something else.
SPECIAL: Final[dict[str, list[tuple[Any, ...]]]] = {
    "arccos": [(VECTOR,)],
    "arcsin": [(VECTOR,)],
    "arccosh": [(MATRIX + 1.0,)],
    "astype": [(MATRIX, float)],
    "block": [([[MATRIX], [MATRIX]],)],
    "broadcast_arrays": [(VECTOR, MATRIX)],
    "clip": [(VECTOR, 0.0, 0.5)],
    "cross": [(VECTOR, VECTOR)],
    "repeat": [(VECTOR, 2)],
    "where": [(MASK, VECTOR, VECTOR)],
    "reshape": [(MATRIX, (9,))],
    "resize": [(MATRIX, (9,))],
    "broadcast_to": [(VECTOR, (2, 3))],
    "choose": [(np.array([0, 1, 0]), [VECTOR, VECTOR])],
    "einsum": [("ij,j->i", MATRIX, VECTOR)],
    "einsum_path": [("ij,j->i", MATRIX, VECTOR)],
    "take_along_axis": [(MATRIX, np.zeros((1, 3), int), 0)],
    "put_along_axis": [(MATRIX, np.zeros((1, 3), int), 0.0, 0)],
    "apply_along_axis": [(np.sum, 0, MATRIX)],
    "apply_over_axes": [(np.sum, MATRIX, [0])],
    "piecewise": [(VECTOR, [MASK], [np.sin, np.cos])],
    "can_cast": [(MATRIX, float)],
    "array_split": [(VECTOR, 3)],
    "split": [(VECTOR, 3)],
    "hsplit": [(MATRIX, 3)],
    "vsplit": [(MATRIX, 3)],
    "dsplit": [(CUBE, 2)],
    "pad": [(VECTOR, 1)],
    "percentile": [(VECTOR, 30.0)],
    "nanpercentile": [(VECTOR, 30.0)],
    "quantile": [(VECTOR, 0.3)],
    "nanquantile": [(VECTOR, 0.3)],
    "tensorinv": [(np.eye(4).reshape(2, 2, 2, 2), 2)],
    "tensorsolve": [(np.eye(4).reshape(2, 2, 2, 2), np.ones((2, 2)))],
    "gradient": [(VECTOR,)],
    "insert": [(VECTOR, 1, 0.5)],
    "bincount": [(np.array([0, 1, 1]), VECTOR)],
    "digitize": [(VECTOR, np.array([0.0, 0.5, 1.0]))],
    "ix_": [(np.array([0, 1]), np.array([0, 1]))],
    "full": [((3,), np.array(2.0))],
    "full_like": [(MATRIX, 2.0)],
    "polyder": [(VECTOR,)],
    "polyint": [(VECTOR,)],
    "polyfit": [(VECTOR, VECTOR, 1)],
    "vander": [(VECTOR,)],
    "interp": [(VECTOR, np.array([0.0, 0.5, 1.0]), VECTOR)],
    "select": [([MASK], [VECTOR])],
    "matrix_power": [(MATRIX, 3)],
    "multi_dot": [([MATRIX, MATRIX, VECTOR],)],
    "ldexp": [(VECTOR, np.array([1, 2, 3]))],
    "put": [(VECTOR, [0], 1.0)],
    "fill": [(VECTOR, 1.0)],
    "to_device": [(VECTOR, "cpu")],
    "view": [(VECTOR, np.int64)],
    "ravel_multi_index": [((np.array([0, 1]), np.array([1, 0])), (2, 2))],
    "unravel_index": [(np.array([0, 1]), (2, 2))],
    "histogram": [(VECTOR, 2)],
    "scipy.linalg.cho_solve": [((np.eye(3), False), VECTOR)],
    "scipy.linalg.convolution_matrix": [(VECTOR, 4)],
    "scipy.linalg.diagsvd": [(VECTOR, 3, 3)],
    "scipy.linalg.fractional_matrix_power": [(MATRIX, 0.5)],
    "scipy.linalg.funm": [(MATRIX, np.exp)],
    "scipy.linalg.lu_solve": [((np.eye(3), np.arange(3)), VECTOR)],
    "scipy.linalg.solve_banded": [((1, 1), np.array([[0.0, 1.0, 1.0], [4.0, 4.0, 4.0], [1.0, 1.0, 0.0]]), VECTOR)],
    "scipy.linalg.solve_sylvester": [(MATRIX, MATRIX, MATRIX)],
    "scipy.signal.istft": [(np.ones((3, 4)) + 0j, 1.0, "hann", 4)],
    "scipy.special.bdtr": [(2, 5, VECTOR)],
    "scipy.special.bdtrc": [(2, 5, VECTOR)],
    "scipy.special.bdtri": [(2, 5, VECTOR)],
    "scipy.special.betainc": [(2.0, 3.0, VECTOR)],
    "scipy.special.boxcox": [(VECTOR, 0.5)],
    "scipy.special.boxcox1p": [(VECTOR, 0.5)],
    "scipy.special.comb": [(VECTOR + 3.0, VECTOR)],
    "scipy.special.elliprj": [(VECTOR, VECTOR + 1.0, VECTOR + 2.0, VECTOR)],
    "scipy.special.eval_gegenbauer": [(2, 0.5, VECTOR)],
    "scipy.special.eval_genlaguerre": [(2, 0.5, VECTOR)],
    "scipy.special.eval_jacobi": [(2, 0.5, 0.5, VECTOR)],
    "scipy.special.expn": [(2, VECTOR)],
    "scipy.special.gammainc": [(2.0, VECTOR)],
    "scipy.special.gammaincc": [(2.0, VECTOR)],
    "scipy.special.hyp1f1": [(1.0, 2.0, VECTOR)],
    "scipy.special.hyperu": [(1.0, 2.0, VECTOR)],
    "scipy.special.hyp2f1": [(1.0, 2.0, 3.0, VECTOR)],
    "scipy.special.iv": [(1.0, VECTOR)],
    "scipy.special.ive": [(1.0, VECTOR)],
    "scipy.special.jn": [(1, VECTOR)],
    "scipy.special.multigammaln": [(VECTOR + 3.0, 2)],
    "scipy.special.polygamma": [(1, VECTOR)],
    "scipy.special.sph_harm_y": [(1, 0, VECTOR, VECTOR)],
    "scipy.special.nbdtr": [(2, 5, VECTOR)],
    "scipy.special.nbdtrc": [(2, 5, VECTOR)],
    "scipy.special.nbdtri": [(2, 5, VECTOR)],
    "scipy.special.spherical_in": [(2, VECTOR)],
    "scipy.special.spherical_jn": [(2, VECTOR)],
    "scipy.special.spherical_kn": [(2, VECTOR)],
    "scipy.special.spherical_yn": [(2, VECTOR)],
    "scipy.special.yn": [(1, VECTOR)],
    "scipy.special.zeta": [(VECTOR + 2.0, 1.0)],
}

# What takes no arrays, and makes constants.
CONSTANTS: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "numpy": (
            "arange bartlett blackman diag_indices empty eye fromfunction hamming hanning identity indices kaiser "
            "mask_indices ones tri tril_indices triu_indices zeros"
        ),
        "numpy.fft": "fftfreq rfftfreq",
        "scipy.linalg": "dft hadamard helmert hilbert invhilbert invpascal pascal",
        "scipy.special": "bernoulli",
    }.items()
    for name in names.split()
)

# Why functions are refused that JAX has, or that NumPy or SciPy do not hand over, and what to write instead.
REASONS: Final = {
    "numpy.isfortran": "a traced array has no order in memory; write numpy.isfortran(xformad.value_of(x))",
}

COVERAGE: Final = Coverage(SAMPLES, SPECIAL, CONSTANTS, REASONS)


def files() -> dict[Path, str]:
    """What this script writes."""
    return {PAGE: page(COVERAGE)}


if __name__ == "__main__":
    for path, text in files().items():
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            sys.exit(f"{path.name} is out of date; run: python docs/generate_coverage.py")
