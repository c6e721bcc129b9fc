"""What a descriptor is: numbers that say how the neighbours of an atom lie, the same for any rotation or order of them."""

# Annotations are not postponed here: Equinox must see AbstractVar.

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..._precision import is_traced
from ..atoms._potential import dot
from ..potentials._trainable import Limit
from ._arguments import placed


class AbstractDescriptor(eqx.Module):
    """D_i of the neighbours of atom i. `md.train` trains its floating arrays but those named davg and dstd.

    **Attributes:** `cutoff` [angstrom]; `start`, where the switch begins [angstrom].
    """

    cutoff: eqx.AbstractVar[float]
    start: eqx.AbstractVar[float]

    @property
    def types(self) -> int:
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The length of D."""
        raise NotImplementedError

    @property
    def mixed(self) -> bool:
        """Whether it tells types apart by itself, so that one fitting net serves atoms of all types."""
        return False

    @property
    def leaps(self) -> bool:
        """Whether it is not continuous where an atom crosses the cutoff."""
        return False

    @property
    def row_by_row(self) -> bool:
        """Whether `own` may be an array, the type of each row: one program for atoms of all types instead of one for each."""
        return False

    @property
    def limits(self) -> tuple[Limit, ...]:
        """How many neighbours there is room for."""
        raise NotImplementedError

    def __call__(self, own: Any, parts: list[Any]) -> Any:
        """D `(rows, size)` of atoms of the type `own`, a Python number or, `row_by_row`, of the types `(rows,)`; `parts[t]`
        `(rows, slots, 3)` are the vectors to their neighbours of type t [angstrom], in any order. Those beyond the cutoff are
        empty places."""
        raise NotImplementedError

    @property
    def is_new(self) -> bool:
        """Whether it has no normalisation and no places yet."""
        raise NotImplementedError

    def surveyed(self, survey: Any) -> "AbstractDescriptor":
        """With its normalisation from the data, and its places where it has none: a `Survey` knows both."""
        raise NotImplementedError

    def with_embeddings(self, change: Callable[[Any, float, float], Any], nearest: float) -> "AbstractDescriptor":
        """With `change(net, low, high)` for each net of the length of one vector, which sees numbers between the two at
        distances down to `nearest` [angstrom]; itself where it has no such nets."""
        raise NotImplementedError


class AbstractTyped(AbstractDescriptor):
    """A descriptor with places for neighbours of each type, and nets of one number.

    **Attributes:** `embeddings`, the nets; `dstd` `(types, ...)`; `sel`, places for each type of neighbour, None before they
    are found from data.
    """

    embeddings: eqx.AbstractVar[tuple[Any, ...]]
    dstd: eqx.AbstractVar[Any]
    sel: eqx.AbstractVar[tuple[int, ...] | None]

    @property
    def types(self) -> int:
        return self.dstd.shape[0]

    @property
    def size(self) -> int:
        return self.embeddings[0].width

    @property
    def limits(self) -> tuple[Limit, ...]:
        return tuple(Limit(self.cutoff, (t,), places) for t, places in enumerate(placed(self.sel)))


class AbstractEmbedded(AbstractTyped):
    """One with nets of w / r: `embeddings` has one for each type of neighbour (`one_sided`), or for each pair of types, number
    centre + types x neighbour.

    **Attributes:** `davg` and `dstd` of centre and neighbour, of w / r alone `(types, types)` or first `(types, types, ...)`.
    """

    davg: eqx.AbstractVar[Any]
    one_sided: eqx.AbstractVar[bool]

    def embedding(self, own: int, kind: int) -> Any:
        """The net of neighbours of the type `kind` of an atom of the type `own`."""
        return self.embeddings[kind if self.one_sided else own + self.types * kind]

    @property
    def is_new(self) -> bool:
        return self.sel is None or not np.any(self.davg)

    def with_embeddings(self, change: Callable[[Any, float, float], Any], nearest: float) -> "AbstractEmbedded":
        xp = jnp if is_traced(self.davg, self.dstd) else np
        davg, dstd = (xp.asarray(a).reshape(self.types, self.types, -1)[..., 0] for a in (self.davg, self.dstd))
        low, high = radial_ends(davg, dstd, self.start, self.cutoff, nearest)  # [own, kind]
        if self.one_sided:
            spans = zip(low.min(axis=0), high.max(axis=0), strict=True)
        else:
            spans = zip(low.T.ravel(), high.T.ravel(), strict=True)
        nets = [change(net, a, b) for net, (a, b) in zip(self.embeddings, spans, strict=True)]
        return dataclasses.replace(self, embeddings=tuple(nets))


def warn_of_leaps(descriptor: AbstractDescriptor, where: str, stacklevel: int) -> None:
    if descriptor.leaps:
        warnings.warn(
            f"{where}: attention is not smooth (smooth=False). The energy leaps where an atom crosses the cutoff, by 1e-6 to "
            "1e-5 eV in small nets, and runs at constant energy drift.",
            stacklevel=stacklevel,
        )


def environment(vectors: Any, start: float, cutoff: float) -> Any:
    """DeePMD-kit's row R = w (1/r, x/r^2, y/r^2, z/r^2) of each vector `(..., 4)`, zero beyond the cutoff."""
    r = jnp.sqrt(dot(vectors, vectors))[..., None]
    w = switch(r, start, cutoff)
    return jnp.concatenate([w / r, w / r**2 * vectors], axis=-1)


def radial(r: Any, start: float, cutoff: float) -> Any:
    """The first component of R at the distance r, in NumPy."""
    u = np.clip((r - start) / (cutoff - start), 0, 1)
    return (1 + u**3 * (-6 * u**2 + 15 * u - 10)) / r


def switch(r: Any, start: float, cutoff: float) -> Any:
    """w = 1 + u^3 (-6 u^2 + 15 u - 10),    u = clip((r - start) / (cutoff - start), 0, 1)"""
    u = jnp.clip((r - start) / (cutoff - start), 0, 1)
    return 1 + u**3 * (-6 * u**2 + 15 * u - 10)


def radial_ends(davg: Any, dstd: Any, start: float, cutoff: float, nearest: float) -> Any:
    """The least and the largest of (w / r - davg) / dstd at distances down to `nearest`, `(2, ...)`."""
    xp = jnp if is_traced(davg, dstd) else np
    davg, dstd = xp.asarray(davg), xp.asarray(dstd)
    return xp.stack([-davg, radial(nearest, start, cutoff) - davg]) / dstd
