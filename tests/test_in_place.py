"""In-place programs: writes, views and derivatives through them, against plain NumPy and difference quotients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xformad.numpy as xnp
from tests.operations.case import Case
from tests.operations.test_table import CASES
from xformad import (
    XformadError,
    jvp,
    tree,
    value_of,
)

# Which functions give views: every case of the table of operations.

SINGLE = [case for case in CASES if any(isinstance(arg, np.ndarray) and arg.ndim and arg.size for arg in case.args)]


def made(x: Any, how: str) -> Any:
    """A copy of an argument: as a result of an operation, or one that has been written into."""
    if not np.ndim(x):
        return x
    if how == "result":
        return x * 1.0
    out = xnp.zeros(x.shape, x.dtype)
    out[...] = x
    return out


def writes(case: Case, args: list[Any], how: str, back: bool) -> list[Any]:
    """Call a function on arrays, write into these, or, the other way round, into its result; then read both."""
    arrays = [made(x, how) for x in args]
    result = case.fun(*arrays)
    parts = [part for part in tree.leaves_of(result) if np.ndim(part) and part.size and part.dtype.kind in "fc"]
    arrays = [a for a in arrays if np.ndim(a)]
    for x in parts if back else arrays:
        x[...] = 0.375
    return [x * 1.0 for x in (arrays if back else parts)]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("how", ["result", "written"])
@pytest.mark.parametrize("case", SINGLE, ids=[case.name for case in SINGLE])
def test_results_share_memory_with_arguments_as_in_numpy(case: Case, how: str, back: bool) -> None:
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in case.args]
    try:
        expected = writes(case, copies, how, back)
    except (ValueError, DeprecationWarning) as error:
        if "read-only" not in str(error) and "broadcast_arrays" not in str(error):
            raise
        expected = None
    found: list[Any] = []
    refused: list[Exception] = []

    def traced(*args: Any) -> Any:
        try:
            found.extend(value_of(writes(case, list(args), how, back)))
        except (XformadError, ValueError) as error:
            refused.append(error)
        return args[0]

    jvp(traced, case.args, case.args)
    if not refused:
        assert expected is not None
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)
