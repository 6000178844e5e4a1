"""`einsum`, with explicit subscripts: it is linear in each operand, and its transposes are again of its kind.

Each letter is an axis. The cotangent of an operand is the product of the result's cotangent with the other operands,
written with the operand's letters:

    ij,jk->ik    of the first operand:  ik,jk->ij

A letter that nothing else has was summed over, so the cotangent is repeated along it, as a product with ones. A letter
that one operand has twice takes a diagonal, so the cotangent is put there by a product with an identity matrix.
"""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np

from xformad.core.interpreter import dtype_of, shape_of
from xformad.core.primitive import Primitive
from xformad.core.typing import Value
from xformad.interpreters.batch_rules import Batched, defbatch
from xformad.interpreters.dependence import Dependence
from xformad.interpreters.index_sets import Dependences, defindexset
from xformad.interpreters.index_sets_of_products import contraction
from xformad.operations.makers import variadic


def einsum_value(*operands: Value, subscripts: str, optimize: Any) -> Value:
    return np.einsum(subscripts, *operands, optimize=optimize)


def einsum_vjp(argnum: int, g: Value, _ans: Value, *operands: Value, subscripts: str, optimize: Any) -> Value:
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    wanted = terms.pop(argnum)
    factors = [g, *operands[:argnum], *operands[argnum + 1 :]]
    terms.insert(0, output)
    available = set("".join(terms))
    unused = iter(sorted(set(ascii_letters) - set(subscripts)))
    shape = shape_of(operands[argnum])
    dtype = dtype_of(g)
    found = ""
    for letter, length in zip(wanted, shape, strict=True):
        name = letter
        if letter in found:
            name = next(unused)
            terms.append(letter + name)
            factors.append(np.eye(length, dtype=dtype))
        elif letter not in available:
            terms.append(letter)
            factors.append(np.ones(length, dtype))
        found += name
    if not isinstance(optimize, bool | str):
        optimize = "greedy"  # a given path is one for other operands
    return einsum.bind(*factors, subscripts=f"{','.join(terms)}->{found}", optimize=optimize)


# `subscripts`: explicit, without ellipses. `optimize`: as NumPy's.
einsum: Primitive = variadic("einsum", einsum_value, einsum_vjp, linear=True)


def einsum_index_set(
    dependences: Dependences, ans: Value, *operands: Value, subscripts: str, optimize: Any
) -> Dependence:
    terms, output = subscripts.split("->")
    return contraction(dependences, operands, terms.split(","), output)


defindexset(einsum, einsum_index_set)


def einsum_batch(size: int, batched: Batched, *operands: Value, subscripts: str, optimize: Any) -> Value:
    """One more letter for the batch axis."""
    inputs, output = subscripts.split("->")
    letter = next(letter for letter in ascii_letters if letter not in subscripts)
    terms = [letter + term if b else term for b, term in zip(batched, inputs.split(","), strict=True)]
    return einsum.bind(*operands, subscripts=f"{','.join(terms)}->{letter}{output}", optimize=optimize)


defbatch(einsum, einsum_batch)
