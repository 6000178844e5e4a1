"""Indexing under `vmap`: random indices of every kind, in every place, against a loop over the examples.

Which axes of the result come from where is the hardest part of NumPy's indexing: arrays that stand together or apart,
numbers among them, masks, new axes, an ellipsis; and each array the same for all examples or one for each.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from xformad import grad, vmap
from xformad.core.index import ARRAY
from xformad.core.primitive import getitem

SHAPE = (4, 3, 5, 2)
SIZE = 3


def random_index(choose: Random, random: Any) -> tuple[list[Any], list[Any]]:
    """The static parts of an index, with ARRAY in the place of arrays, and the arrays, as `(array, batched)`.

    Slices, new axes, numbers, an ellipsis, integer arrays and masks, which are the same for all or have a batch axis.
    """
    parts: list[Any] = []
    arrays: list[Any] = []
    axis = 0
    common = choose.choice([(2,), (3, 2), (1,), ()])
    ellipsis = False
    while axis < len(SHAPE) and (ellipsis or choose.random() < 0.85):
        length = SHAPE[axis]
        kind = choose.choice(
            ["slice", "newaxis", "number", "array", "array", "array", "mask", "masks", "ellipsis", "bool"]
        )
        axis += 1
        if kind == "slice":
            parts.append(choose.choice([slice(None), slice(1, None), slice(None, None, -1), slice(0, 1)]))
        elif kind == "newaxis":
            parts.append(None)
            axis -= 1
        elif kind == "bool":
            parts.append(True)
            axis -= 1
        elif kind == "number":
            parts.append(choose.randrange(-length, length))
        elif kind == "ellipsis":
            axis -= 1
            if not ellipsis:
                ellipsis = True  # from here on every axis has its part
                parts.append(Ellipsis)
                axis += choose.randrange(len(SHAPE) - axis)
        elif kind in ("mask", "masks"):
            count = common[-1] if common and common[-1] <= length else 1
            kept = axis + (kind == "masks" and axis < len(SHAPE))
            shape = SHAPE[axis - 1 : kept]
            axis = kept
            batched = choose.random() < 0.6
            masks = [random.permutation(np.arange(np.prod(shape)) < count).reshape(shape) for _ in range(SIZE)]
            parts.append(ARRAY)
            arrays.append((np.stack(masks) if batched else masks[0], batched))
        else:
            batched = choose.random() < 0.6
            own = choose.choice([common, common[1:], tuple(1 for _ in common)])
            parts.append(ARRAY)
            arrays.append((random.integers(-length, length, size=(SIZE,) * batched + own), batched))
    return parts, arrays


@pytest.mark.parametrize("seed", range(1500))
def test_a_random_index(seed: int) -> None:
    choose, random = Random(seed), np.random.default_rng(seed)
    parts, given = random_index(choose, random)
    arrays = [array for array, _ in given]
    flags = [batched for _, batched in given]

    def picked(x: Any, *arrays: Any) -> Any:
        return getitem.bind(x, *arrays, index=tuple(parts))

    def loss(x: Any, weights: Any, *arrays: Any) -> Any:
        return np.sum(np.sin(picked(x, *arrays)) * weights)

    def example(values: Any, batched: bool, i: int) -> list[Any]:
        each = zip([values, *arrays], [batched, *flags], strict=True)
        return [array[i] if flag else array for array, flag in each]

    axes = [0 if flag else None for flag in flags]
    for batched in (True, False) if any(flags) else (True,):
        values = random.normal(size=(SIZE, *SHAPE) if batched else SHAPE)
        of_values = 0 if batched else None
        expected = np.stack([picked(*example(values, batched, i)) for i in range(SIZE)])
        np.testing.assert_array_equal(vmap(picked, (of_values, *axes))(values, *arrays), expected)
        weights = random.normal(size=expected.shape[1:])
        slopes = []
        for i in range(SIZE):
            x, *rest = example(values, batched, i)
            slopes.append(grad(loss)(x, weights, *rest))
        gradients = vmap(grad(loss), (of_values, None, *axes))(values, weights, *arrays)
        np.testing.assert_allclose(gradients, np.stack(slopes), atol=1e-14)


def test_the_random_indices_cover_what_they_are_meant_to() -> None:
    seen = [random_index(Random(seed), np.random.default_rng(seed)) for seed in range(1500)]
    counts = [
        sum(1 for _, given in seen if len(given) > 1),
        sum(1 for _, given in seen if len({batched for _, batched in given}) == 2),
        sum(1 for _, given in seen if any(array.dtype.kind == "b" for array, _ in given)),
        sum(1 for parts, given in seen if given and any(part is Ellipsis for part in parts)),
        sum(1 for parts, given in seen if given and any(part is True for part in parts)),
    ]
    assert min(counts) > 50
