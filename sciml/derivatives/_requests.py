"""What may be asked: partial derivatives as multi-indices, Laplacians, and other sums of derivatives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

MultiIndex: TypeAlias = tuple[int, ...]


class _Sum:
    # JAX sorts the keys of a dict that crosses a transformation: sums come after every multi-index.
    def _rank(self) -> tuple[int, tuple[Any, ...]]:
        raise NotImplementedError

    def __lt__(self, other: object) -> bool:
        return isinstance(other, _Sum) and self._rank() < other._rank()

    def __gt__(self, other: object) -> bool:
        return isinstance(other, tuple) or (isinstance(other, _Sum) and self._rank() > other._rank())


@dataclass(frozen=True)
class Laplacian(_Sum):
    """The sum of the second derivatives along `axes`, as one request.

    Asking for the sum instead of its terms lets it be carried through a network as one number per neuron
    (Li et al. 2023, arXiv 2307.08214), which is what makes ten or a hundred dimensions affordable.

    **Arguments**: `axes`, the positions of the coordinates (for instance `range(3)`).
    """

    axes: tuple[int, ...]

    def __init__(self, axes: Iterable[int]):
        object.__setattr__(self, "axes", tuple(sorted(int(axis) for axis in axes)))

    def _rank(self) -> tuple[int, tuple[Any, ...]]:
        return (0, self.axes)

    def __repr__(self) -> str:
        axes = self.axes
        if len(axes) > 3 and axes == tuple(range(axes[0], axes[-1] + 1)):
            return f"Laplacian(range({axes[0]}, {axes[-1] + 1}))"
        return f"Laplacian({axes})"


@dataclass(frozen=True)
class Combination(_Sum):
    """A sum of partial derivatives with constant factors, as one request.

        sum_k c_k d^(a_k) u,        as u_t - nu u_xx in Burgers' equation

    Like a Laplacian it is carried through a network as one number per neuron: three instead of four for
    Burgers, where the first derivative is wanted besides. (Dangel et al. 2025, arXiv 2505.13644.)

    **Arguments**: `terms`, pairs of a factor and a multi-index.
    """

    terms: tuple[tuple[float, MultiIndex], ...]

    def __init__(self, terms: Iterable[tuple[float, Iterable[int]]]):
        object.__setattr__(self, "terms", tuple((float(factor), tuple(index)) for factor, index in terms))

    def _rank(self) -> tuple[int, tuple[Any, ...]]:
        return (1, self.terms)

    def __repr__(self) -> str:
        return "Combination(" + " ".join(f"{factor:+.6g} {describe(index)}" for factor, index in self.terms) + ")"


Request: TypeAlias = MultiIndex | Laplacian | Combination


def terms_of(request: Request, dimension: int) -> tuple[tuple[float, MultiIndex], ...]:
    """The partial derivatives that a request is the sum of, with their factors."""
    if isinstance(request, Combination):
        return request.terms
    if isinstance(request, Laplacian):
        return tuple((1.0, tuple(2 * k for k in unit(axis, dimension))) for axis in request.axes)
    return ((1.0, request),)


def normalise(requests: Iterable[Request], dimension: int) -> tuple[Request, ...]:
    """Validated requests without duplicates, in the order given."""
    if dimension < 1:
        raise ValueError(f"A point has at least one coordinate; dimension={dimension} came.")
    found: dict[Request, None] = {}
    for request in requests:
        if isinstance(request, Laplacian):
            axes = request.axes
            if not axes or len(set(axes)) != len(axes) or axes[0] < 0 or axes[-1] >= dimension:
                raise ValueError(f"{request} needs distinct axes from 0 to {dimension - 1} in dimension {dimension}.")
            found[request] = None
        elif isinstance(request, Combination):
            indices = [_index(index, dimension) for _, index in request.terms]
            if not indices or len(set(indices)) < len(indices) or not all(map(any, indices)):
                raise ValueError(f"{request} needs one or more different derivatives, each of order one at least.")
            found[request] = None
        else:
            found[_index(request, dimension)] = None
    return tuple(found)


def _index(given: Any, dimension: int) -> MultiIndex:
    if not isinstance(given, tuple | list):
        raise TypeError(
            "A request is a multi-index (a tuple with the order of differentiation in each coordinate), "
            f"a Laplacian(axes) or a Combination(terms); {given!r} came."
        )
    index = tuple(int(order) for order in given)
    if len(index) != dimension or min(index) < 0 or index != tuple(given):
        raise ValueError(
            f"A multi-index for points of dimension {dimension} is {dimension} non-negative integers; {given!r} came."
        )
    return index


def unit(axis: int, dimension: int) -> MultiIndex:
    return tuple(int(i == axis) for i in range(dimension))


def below(index: MultiIndex) -> Iterable[MultiIndex]:
    """All multi-indices that are at most `index` in every coordinate."""
    return itertools.product(*(range(order + 1) for order in index))


def directions(index: MultiIndex) -> tuple[int, ...]:
    """`(2, 0, 1) -> (0, 0, 2)`: the coordinates to differentiate along, one after the other."""
    return tuple(axis for axis, order in enumerate(index) for _ in range(order))


def describe(request: Request) -> str:
    """`(2, 0, 1)` as `d3/dx0^2 dx2`."""
    if isinstance(request, _Sum):
        return repr(request)
    order = sum(request)
    if order == 0:
        return "value"
    parts = [f"dx{axis}" + (f"^{k}" if k > 1 else "") for axis, k in enumerate(request) if k]
    return f"d{order if order > 1 else ''}/{' '.join(parts)}"
