"""Rows for `einsum`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operations.case import Case, Refused
from tests.operations.table_products import sample
from xformad import ConcretizationError, UnsupportedError

FORMS: list[tuple[Any, ...]] = [
    ("ij,jk->ik", (2, 3), (3, 2)), ("ij,jk", (2, 3), (3, 2)), ("ba", (2, 3)), ("ij->ji", (2, 3)), (" i j -> i ", (2, 3)),
    ("ij->", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (3, 3, 2)), ("iii->i", (2, 2, 2)),
    ("iiij->j", (2, 2, 2, 3)), ("ijk,jii->k", (2, 3, 4), (3, 2, 2)), ("i,i->", (3,), (3,)), ("i,j", (2,), (3,)),
    (",ij->ij", (), (2, 3)), ("i,i->i", (1,), (3,)), ("i,i->", (1,), (3,)), ("ij,ij,i->j", (2, 3), (2, 3), (2,)),
    ("...ij,...jk->...ik", (4, 2, 3), (3, 2)), ("...ij,jk", (4, 1, 3), (3, 2)), ("...,...", (3,), (2, 1)),
    ("i...->...", (2, 3)), ("...i->i...", (2, 3)), ("i...i->...", (2, 3, 2)), ("abc->b", (2, 0, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
]  # fmt: skip
X, Y, Z = sample(2, 3), sample(3, 4), sample(4, 2)
PATH = ["einsum_path", (0, 1), (0, 1)]


def case(subscripts: str, shapes: list[Any], optimize: Any) -> Case:
    return Case(
        f"einsum {subscripts} {tuple(shapes)} optimize={optimize}",
        lambda *x: np.einsum(subscripts, *x, optimize=optimize),
        tuple(sample(*shape, seed=i)[()] for i, shape in enumerate(shapes)),
        complex=True,
    )


CASES = [
    *(case(subscripts, shapes, False) for subscripts, *shapes in FORMS),
    *(case(subscripts, shapes, True) for subscripts, *shapes in FORMS[::3]),
    Case("einsum lists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), (X, Y), complex=True),
    Case("einsum lists implicit", lambda x: np.einsum(x, [1, 0]), (X,), complex=True),
    Case("einsum lists ellipsis", lambda x, y: np.einsum(x, [..., 1], y, [1, 2], [..., 2]), (X, Y), complex=True),
    Case(
        "einsum with a path", lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z, optimize=PATH), (X, Y, Z), complex=True
    ),
    Case(
        "einsum optimal",
        lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z, optimize="optimal"),
        (X, Y, Z),
        complex=True,
    ),
    Case("einsum constant", lambda x: np.einsum("ij,jk->ik", x, Y), (X,), complex=True),
    Case("einsum same operand", lambda x: np.einsum("ij,kj->ik", x, x), (X,), complex=True),
]

REFUSED = [
    Refused("einsum with too few operands", lambda x: np.einsum("ij,jk", x), (X,), ValueError, "operands"),
    Refused(
        "einsum with too few letters", lambda x: np.einsum("i", x), (X,), ValueError, "more dimensions than subscripts"
    ),
    Refused("einsum with too many letters", lambda x: np.einsum("ijk", x), (X,), ValueError, "too many subscripts"),
    Refused("einsum without the ellipsis", lambda x: np.einsum("...->", x), (X,), ValueError, "output"),
    Refused("einsum of lengths that differ", lambda x: np.einsum("ii", x), (X,), ValueError, "collapsing index"),
    Refused("einsum with a sign", lambda x: np.einsum("i$", x), (X,), ValueError, "invalid subscript"),
    Refused("einsum with dtype", lambda x: np.einsum("ij", x, dtype=float), (X,), UnsupportedError, "astype"),
    Refused(
        "einsum with out",
        lambda x: np.einsum("ij", x, out=np.ones((2, 3))),
        (X,),
        ConcretizationError,
        "into a plain array",
    ),
]
