"""What a solution is made of."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .geometry import Domain
from .pde import PDE

if TYPE_CHECKING:
    from .solution import Solution

Index = tuple[int, ...]


class AbstractFinal(abc.ABC):
    """What a solution is made of: anything that gives the (real) fields and their derivatives at points."""

    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type[AbstractFinal]]] = {}

    def __init_subclass__(cls) -> None:
        if "kind" in cls.__dict__:
            AbstractFinal.kinds[cls.kind] = cls

    @property
    def parts(self) -> tuple[Solution, ...]:
        """The solutions that it is put together from; none for most."""
        return ()

    @abc.abstractmethod
    def derivatives(self, index: Index, x: Any) -> Any:
        """One derivative of all fields at `x` `(n, d)` (columns as `pde.coordinates`): `(n, fields)`, in the dtype of
        `x`. Pure: may be traced."""

    def cells(self) -> np.ndarray | None:
        """The boxes of space and time that it has functions of its own on, `(C, d, 2)`; None where there are no such."""
        return None

    def windows(self, x: np.ndarray) -> Iterator[tuple[np.ndarray, Any]]:
        """Groups of the (concrete) points `x`, their rows, each with the data it needs for `with_data`: more than one where all
        the data would not fit into memory at once. None are the data that are there anyway."""
        yield np.arange(len(x)), None

    def with_data(self, data: Any) -> AbstractFinal:
        """The same with no more than `data` of `windows`."""
        assert data is None
        return self

    @abc.abstractmethod
    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """A header of plain JSON, and arrays."""

    @classmethod
    @abc.abstractmethod
    def from_saved(
        cls, pde: PDE, domain: Domain, header: dict[str, Any], arrays: dict[str, np.ndarray], **given: Any
    ) -> AbstractFinal:
        """What `to_saved` gave; `network` and `functions` as for `Solution.load`."""
