"""Truncated Taylor polynomials in several variables, as tables of which coefficient multiplies which.

Along x + s the network's value is u(x + s) = sum_a u_a s^a, with u_a = (d^a u) / a!. For the
coefficients that are asked for and everything below them (a *lower set*), products and compositions close:

    (u w)_a = sum_{b + c = a} u_b w_c                                                                (product)
    dy = w du   =>   y_a = sum_{b + c = a, b_i > 0} (b_i / a_i) u_b w_c  for any one i with a_i > 0    (chain)

(Griewank & Walther, Evaluating Derivatives, 2nd ed., chapter 13, in several variables.) A mixed derivative is
one coefficient among the others, so no interpolation along slanted directions is needed and nothing cancels.

A sum of derivatives adds one *collapsed* coefficient l = sum_k c_k u_{a_k} of which only what is strictly below the
a_k is carried besides: the rules above are linear in the coefficients of the highest order, so

    (u w)_l = u_0 w_l + u_l w_0 + sum_k c_k sum_{b + c = a_k; b, c > 0} u_b w_c

and the chain rule likewise. For a Laplacian, l = sum_{i in A} u_{2 e_i} is half of it,

    (u w)_l = u_0 w_l + u_l w_0 + sum_i u_i w_i          dy = w du  =>  y_l = w_0 u_l + (1/2) sum_i u_i w_i

and, in many dimensions, one *block* coefficient holds all the u_i, i in A, along a trailing axis, so that a layer's
product with it is one matrix product without transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from ._requests import MultiIndex, below, unit


@dataclass(frozen=True)
class Block:
    """All first derivatives along `axes`, stacked along a trailing axis."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class Collapsed:
    """The sum of Taylor coefficients c_k u_{a_k}. With a `block`, half of the Laplacian along its axes."""

    terms: tuple[tuple[float, MultiIndex], ...]
    block: Block | None = None


Key: TypeAlias = MultiIndex | Block | Collapsed


class Term(NamedTuple):
    """A Taylor coefficient. `mask` says which elements may differ from zero; None where all may."""

    value: Any
    mask: np.ndarray | None = None


Series: TypeAlias = dict[Key, Term]  # the zero key is always there; any other that is missing is exactly zero


class Algebra:
    """Which coefficients are carried (`keys`, lowest order first) and how they combine."""

    def __init__(self, indices: frozenset[MultiIndex], collapsed: frozenset[Collapsed], dimension: int):
        self.dimension = dimension
        self.zero: MultiIndex = (0,) * dimension
        closed = {self.zero} | {low for index in indices for low in below(index)}
        for key in collapsed:
            if key.block is None:
                closed |= {low for _, index in key.terms for low in below(index) if low != index}
        self.indices = frozenset(closed)
        self.collapsed = collapsed
        sums = sorted(collapsed, key=lambda key: key.terms)
        self.blocks = tuple(key.block for key in sums if key.block is not None)
        ordered = sorted(closed, key=lambda index: (sum(index), tuple(-k for k in index)))
        self.keys: tuple[Key, ...] = (*ordered, *self.blocks, *sums)
        self.order = max(sum(index) for index in (*ordered, *(index for key in sums for _, index in key.terms)))

        self.product: dict[Key, list[tuple[float, Key, Key]]] = {}
        self.chain: dict[Key, list[tuple[float, Key, Key]]] = {}
        for index in ordered:
            self.product[index] = [(1.0, low, _minus(index, low)) for low in below(index)]
            if any(index):
                self.chain[index] = _chain(index)
        for block in self.blocks:
            self.product[block] = [(1.0, self.zero, block), (1.0, block, self.zero)]
            self.chain[block] = [(1.0, block, self.zero)]
        for key in sums:
            ends: list[tuple[float, Key, Key]] = [(1.0, self.zero, key), (1.0, key, self.zero)]
            if key.block is not None:
                self.product[key] = [*ends, (1.0, key.block, key.block)]
                self.chain[key] = [(1.0, key, self.zero), (0.5, key.block, key.block)]
                continue
            products = ((c, low, _minus(index, low)) for c, index in key.terms for low in below(index))
            chains = ((c * f, b, w) for c, index in key.terms for f, b, w in _chain(index))
            self.product[key] = ends + _between(products, self.zero)
            self.chain[key] = [(1.0, key, self.zero), *_between(chains, self.zero)]
        # Weights of the highest order are never read; not computing them keeps traces small.
        self.weights = frozenset(weight for terms in self.chain.values() for _, _, weight in terms)

    def derivative(self, axis: int) -> tuple[Algebra, list[MultiIndex]]:
        """The algebra in which the derivative along `axis` is needed, and what is read from it."""
        mine = [index for index in self.indices if chain_axis(index) == axis]
        lower = frozenset(_minus(index, unit(axis, self.dimension)) for index in mine)
        return algebra(lower, frozenset(), self.dimension), mine


@cache
def algebra(indices: frozenset[MultiIndex], collapsed: frozenset[Collapsed], dimension: int) -> Algebra:
    return Algebra(indices, collapsed, dimension)


def chain_axis(index: MultiIndex) -> int | None:
    """The axis along which the chain rule has the fewest terms."""
    candidates = [(order, axis) for axis, order in enumerate(index) if order]
    return min(candidates)[1] if candidates else None


def _chain(index: MultiIndex) -> list[tuple[float, Key, Key]]:
    axis = chain_axis(index)
    assert axis is not None
    return [(low[axis] / index[axis], low, _minus(index, low)) for low in below(index) if low[axis]]


def _between(terms: Iterable[tuple[float, Key, Key]], zero: MultiIndex) -> list[tuple[float, Key, Key]]:
    """The terms without those of the value itself; equal pairs are added up."""
    found: dict[tuple[Key, Key], float] = {}
    for factor, b, c in terms:
        if b != zero and c != zero:
            found[b, c] = found.get((b, c), 0.0) + factor
    return [(factor, b, c) for (b, c), factor in found.items()]


def _minus(index: MultiIndex, other: MultiIndex) -> MultiIndex:
    return tuple(a - b for a, b in zip(index, other, strict=True))


# Arithmetic of terms. None is the exact zero.


def is_block(key: Key) -> bool:
    return isinstance(key, Block)


def plus(left: Term | None, right: Term | None) -> Term | None:
    if left is None or right is None:
        return right if left is None else left
    mask = None if left.mask is None or right.mask is None else left.mask | right.mask
    return Term(left.value + right.value, mask)


def scale(factor: Any, term: Term | None) -> Term | None:
    if term is None or (isinstance(factor, float | int) and factor == 1):
        return term
    return Term(factor * term.value, term.mask)


def total(terms: Iterable[Term | None]) -> Term | None:
    result = None
    for term in terms:
        result = plus(result, term)
    return result


def times(left: Term | None, right: Term | None, left_key: Key, right_key: Key) -> Term | None:
    """Elementwise product of two terms; two blocks are contracted over their axis."""
    if left is None or right is None:
        return None
    first, second = is_block(left_key), is_block(right_key)
    if first and second:
        return Term((left.value * right.value).sum(axis=-1))
    if first or second:
        block, other = (left, right) if first else (right, left)
        return Term(block.value * jnp.expand_dims(other.value, -1))
    value = left.value * right.value
    masks = [mask for mask in (left.mask, right.mask) if mask is not None]
    if not masks:
        return Term(value)
    mask = masks[0] if len(masks) == 1 else masks[0] & masks[1]
    return Term(value, mask) if mask.any() else None


def multiply(alg: Algebra, left: Series, right: Series, keys: Iterable[Key] | None = None) -> Series:
    """The truncated product of two series."""
    return tidy(
        {
            key: total(scale(f, times(left.get(b), right.get(c), b, c)) for f, b, c in alg.product[key])
            for key in (alg.keys if keys is None else keys)
        }
    )


def square_coefficient(alg: Algebra, series: Mapping[Key, Term], key: Key) -> Term | None:
    """(y y)_a with each pair of the symmetric sum computed once."""
    result, seen = None, set()
    for f, b, c in alg.product[key]:
        if (c, b) in seen:
            continue
        seen.add((b, c))
        result = plus(result, scale(f if b == c else 2 * f, times(series.get(b), series.get(c), b, c)))
    return result


def chain_coefficient(alg: Algebra, inner: Series, weights: Mapping[Key, Term], key: Key) -> Term | None:
    """y_a from dy = w du."""
    return total(scale(factor, times(inner.get(b), weights.get(c), b, c)) for factor, b, c in alg.chain[key])


def integrate(
    alg: Algebra, inner: Series, value: Any, weight: Callable[[Series, Key], Term | None]
) -> tuple[Series, Series]:
    """Solve dy = w(y, u) du order by order. `weight(y, a)` returns w_a from the y found so far."""
    y: Series = {alg.zero: Term(value)}
    w: Series = {}
    for key in alg.keys:
        if key != alg.zero:
            _set(y, key, chain_coefficient(alg, inner, w, key))
        if key in alg.weights:
            _set(w, key, weight(y, key))
    return y, w


def tidy(terms: Mapping[Key, Term | None]) -> Series:
    return {key: term for key, term in terms.items() if term is not None}


def _set(series: Series, key: Key, term: Term | None) -> None:
    if term is not None:
        series[key] = term
