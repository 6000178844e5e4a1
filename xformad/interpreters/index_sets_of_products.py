"""Index sets of products: what the entries of `matmul`, `tensordot`, `einsum` and the like depend on.

All are sums of products, written with a letter for each axis: `ij,jk->ik`. An entry of the result depends on the entries of
an operand that have the same letters' indices, whatever the indices of the letters that are summed over; but where the
other operands are constant, only on those that meet no zero there. So a product with a constant banded matrix is banded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from xformad.core.typing import Shape, Value
from xformad.interpreters.dependence import Dependence, united
from xformad.interpreters.index_sets import Dependences, IndexSetRule, collapsed, numbered, present

Array = np.ndarray[Any, Any]


def contraction(dependences: Dependences, operands: Sequence[Value], terms: Sequence[str], output: str) -> Dependence:
    """What the entries of a sum of products depend on.

    Args:
        dependences: of the operands.
        operands: their values.
        terms: the letters of the operands' axes. Axes of length 1 broadcast.
        output: the letters of the result's axes.
    """
    lengths: dict[str, int] = {}
    for operand, term in zip(operands, terms, strict=True):
        for letter, length in zip(term, np.shape(operand), strict=True):
            lengths[letter] = length if lengths.get(letter, 1) == 1 else lengths[letter]
    places = numbered(tuple(lengths[letter] for letter in output))
    found = []
    for i, each in present(dependences):
        letters, positions = spread(numbered(np.shape(operands[i])), terms[i], lengths)
        used, nonzero = factors(dependences, operands, terms, lengths, letters + output)
        summed = [k for k, letter in enumerate(letters) if letter not in output and letter not in used]
        each = each.pick(positions.ravel())
        each = collapsed(each, positions.shape, summed)
        letters = "".join(letter for letter in letters if letter in output or letter in used)
        positions = numbered(tuple(lengths[letter] for letter in letters))
        free = [letter for letter in output if letter not in used]
        index = {letter: x.reshape((-1,) + (1,) * len(free)) for letter, x in zip(used, nonzero, strict=True)}
        grid = np.ix_(*(range(lengths[letter]) for letter in free))
        index.update(zip(free, grid, strict=True))
        sources = positions[tuple(index[letter] for letter in letters)]
        targets = places[tuple(index[letter] for letter in output)]
        shape = np.broadcast_shapes(sources.shape, targets.shape)
        picked = each.pick(np.broadcast_to(sources, shape).ravel())
        found.append(picked.merge(np.broadcast_to(targets, shape).ravel(), places.size))
    return united(found)


def spread(x: Array, term: str, lengths: dict[str, int]) -> tuple[str, Array]:
    """An operand with each letter once, taking diagonals, and with axes of full lengths."""
    letters = "".join(dict.fromkeys(term))
    x = np.einsum(f"{term}->{letters}", x)
    return letters, np.broadcast_to(x, tuple(lengths[letter] for letter in letters))


def factors(
    dependences: Dependences, operands: Sequence[Value], terms: Sequence[str], lengths: dict[str, int], wanted: str
) -> tuple[str, tuple[Array, ...]]:
    """Where the constant operands are not zero: letters, and the indices of each; no letters where no zero is."""
    constant = [k for k, each in enumerate(dependences) if each is None]
    spreads = [spread(np.not_equal(operands[k], 0).astype(float), terms[k], lengths) for k in constant]
    letters = "".join(dict.fromkeys(letter for term, _ in spreads for letter in term if letter in wanted))
    if not letters:
        return "", ()
    counts = np.einsum(",".join(term for term, _ in spreads) + "->" + letters, *(x for _, x in spreads))
    return ("", ()) if np.all(counts) else (letters, np.nonzero(counts))


def product(terms_of: Callable[..., tuple[str, str, str]]) -> IndexSetRule:
    """The rule of a product of two arrays, of the function that gives their letters: `(ndim of x, ndim of y, **params)`."""

    def rule(dependences: Dependences, ans: Value, x: Value, y: Value, **params: Any) -> Dependence:
        left, right, output = terms_of(np.ndim(x), np.ndim(y), **params)
        return contraction(dependences, (x, y), (left, right), output)

    return rule


def matmul_terms(left: int, right: int) -> tuple[str, str, str]:
    """The letters of a product of stacks of matrices, or of vectors.

    >>> matmul_terms(3, 2)
    ('cik', 'kj', 'cij')
    """
    stack = ascii_letters[2 : 2 + max(left - 2, right - 2, 0)].translate(str.maketrans("ijk", "XYZ"))
    outer = ("i" if left > 1 else "") + ("j" if right > 1 else "")
    first = stack[len(stack) - max(left - 2, 0) :] + ("ik" if left > 1 else "k")
    second = stack[len(stack) - max(right - 2, 0) :] + ("kj" if right > 1 else "k")
    return first, second, stack + outer


def tensordot_terms(left: int, right: int, axes: tuple[Shape, Shape]) -> tuple[str, str, str]:
    """The letters of a product that is summed over pairs of axes.

    >>> tensordot_terms(2, 2, ((1,), (0,)))
    ('ab', 'bd', 'ad')
    """
    first = ascii_letters[:left]
    second = list(ascii_letters[left : left + right])
    for of_x, of_y in zip(*axes, strict=True):
        second[of_y] = first[of_x]
    free = [letter for letter in first if letter not in second] + [letter for letter in second if letter not in first]
    return first, "".join(second), "".join(free)


def dot_terms(left: int, right: int) -> tuple[str, str, str]:
    """The letters of `dot`: the last axis of x with the last but one of y."""
    if left == 0 or right == 0:
        return tensordot_terms(left, right, ((), ()))
    return tensordot_terms(left, right, ((left - 1,), (max(right - 2, 0),)))
