"""Descriptors beside each other, DeePMD-kit's hybrid."""

# Annotations are not postponed here: Equinox must see what overrides an AbstractVar.

from typing import Any

import jax.numpy as jnp

from ._descriptor import AbstractDescriptor, Limit


class Hybrid(AbstractDescriptor):
    """D_i of several descriptors, one after the other, each with its own cutoff.

    **Attributes:** `descriptors`; `cutoff`, the largest, and `start`, the smallest [angstrom].

    **Raises** `ValueError` where there are none, or they are for different numbers of types.

    >>> from sciml import md
    >>> md.Hybrid((md.SeE2A.new(2, cutoff=4.0, sel=(20, 40)), md.SeE2R.new(2, cutoff=6.0, sel=(60, 120)))).size
    1696
    """

    descriptors: tuple[AbstractDescriptor, ...]

    def __init__(self, descriptors: Any):
        self.descriptors = tuple(descriptors)
        wrong = [d for d in self.descriptors if not isinstance(d, AbstractDescriptor)]
        if wrong or not self.descriptors:
            raise ValueError(f"Hybrid: expected descriptors; {', '.join(type(w).__name__ for w in wrong) or 'nothing'} came.")
        types = [d.types for d in self.descriptors]
        if len(set(types)) > 1:
            raise ValueError(f"Hybrid: the descriptors are for {', '.join(map(str, types))} types; expected the same number.")

    @property
    def cutoff(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return max(d.cutoff for d in self.descriptors)

    @property
    def start(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return min(d.start for d in self.descriptors)

    @property
    def types(self) -> int:
        return self.descriptors[0].types

    @property
    def size(self) -> int:
        return sum(d.size for d in self.descriptors)

    @property
    def mixed(self) -> bool:
        return any(d.mixed for d in self.descriptors)

    @property
    def leaps(self) -> bool:
        return any(d.leaps for d in self.descriptors)

    @property
    def limits(self) -> tuple[Limit, ...]:
        return tuple(limit for d in self.descriptors for limit in d.limits)

    def __call__(self, own: int, parts: list[Any]) -> Any:
        return jnp.concatenate([d(own, parts) for d in self.descriptors], axis=1)

    @property
    def is_new(self) -> bool:
        return any(d.is_new for d in self.descriptors)

    def surveyed(self, survey: Any) -> "Hybrid":
        return Hybrid(d.surveyed(survey) for d in self.descriptors)

    def with_embeddings(self, change: Any, nearest: float) -> "Hybrid":
        return Hybrid(d.with_embeddings(change, nearest) for d in self.descriptors)

    def __repr__(self) -> str:
        return f"hybrid of {'; '.join(map(repr, self.descriptors))}"
