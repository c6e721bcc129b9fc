"""What may be asked: partial derivatives as multi-indices, and Laplacians."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

MultiIndex: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Laplacian:
    """The sum of the second derivatives along `axes`, as one request.

    Asking for the sum instead of its terms lets it be carried through a network as one number per neuron
    (Li et al. 2023, arXiv 2307.08214), which is what makes ten or a hundred dimensions affordable.

    **Arguments**: `axes`, the positions of the coordinates (for instance `range(3)`).
    """

    axes: tuple[int, ...]

    def __init__(self, axes: Iterable[int]):
        object.__setattr__(self, "axes", tuple(sorted(int(axis) for axis in axes)))

    # JAX sorts the keys of a dict that crosses a transformation: a Laplacian comes after every multi-index.
    def __lt__(self, other: object) -> bool:
        return isinstance(other, Laplacian) and self.axes < other.axes

    def __gt__(self, other: object) -> bool:
        return isinstance(other, tuple) or (isinstance(other, Laplacian) and self.axes > other.axes)

    def __repr__(self) -> str:
        axes = self.axes
        if len(axes) > 3 and axes == tuple(range(axes[0], axes[-1] + 1)):
            return f"Laplacian(range({axes[0]}, {axes[-1] + 1}))"
        return f"Laplacian({axes})"


Request: TypeAlias = MultiIndex | Laplacian


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
            continue
        if not isinstance(request, tuple | list):
            raise TypeError(
                "A request is a multi-index (a tuple with the order of differentiation in each coordinate) "
                f"or a Laplacian(axes); {request!r} came."
            )
        index = tuple(int(order) for order in request)
        if len(index) != dimension or min(index) < 0 or index != tuple(request):
            raise ValueError(
                f"A multi-index for points of dimension {dimension} is {dimension} non-negative integers; "
                f"{request!r} came."
            )
        found[index] = None
    return tuple(found)


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
    if isinstance(request, Laplacian):
        return repr(request)
    order = sum(request)
    if order == 0:
        return "value"
    parts = [f"dx{axis}" + (f"^{k}" if k > 1 else "") for axis, k in enumerate(request) if k]
    return f"d{order if order > 1 else ''}/{' '.join(parts)}"
