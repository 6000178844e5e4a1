"""Random programs in which several uses of one array meet, against difference quotients, to second order.

Cotangents of different kinds add up where an array is used whole, by rows, by index arrays, under masks and in products.
Rules tested one by one do not show a mistake there. The programs are those of `tests/generated.py`.
"""

from __future__ import annotations

import pytest

from tests.generated import make, parameters
from xformad.testing import check_grads


@pytest.mark.parametrize("seed", range(200))
def test_derivatives_of_a_generated_program(seed: int) -> None:
    check_grads(make(seed), (parameters(seed),), order=2, modes=("forward", "reverse"), rtol=2e-4, atol=2e-4)
