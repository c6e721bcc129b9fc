"""Energy, forces and virial of frames, differentiable in the model's parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._buckets import Frames


class Prediction(NamedTuple):
    """`energies` `(frames,)` [eV], without biases; `forces` `(frames, rows, 3)`; `virials` `(frames, 3, 3)`."""

    energies: Any
    forces: Any
    virials: Any


def predict(model: Any, frames: Frames, dtype: Any) -> Prediction:
    """What `model` says of `frames`; vectors are taken in the precision of the positions, and nets run in `dtype`.

        F_i = sum_j dE/dr_ij - sum_(k, slots of i) dE/dr_k,    virial = -sum_ij dE/dr_ij r_ij
    """
    vectors, empty = _vectors(frames, 2 * model.cutoff)
    vectors = vectors.astype(dtype)
    slopes_of = jax.value_and_grad(lambda v: _energies(model, v, frames), has_aux=True)
    (_, energies), slopes = slopes_of(vectors)
    slopes = jnp.where(empty[..., None], 0, slopes)
    count, rows = frames.positions.shape[:2]
    target = jnp.where(empty, count * rows, frames.index + rows * jnp.arange(count)[:, None, None])
    onto = jnp.zeros((count * rows, 3), dtype).at[target.reshape(-1)].add(slopes.reshape(-1, 3), mode="drop")
    forces = jnp.sum(slopes, axis=2) - onto.reshape(count, rows, 3)
    virials = -jnp.einsum("fnka,fnkb->fab", slopes, jnp.where(empty[..., None], 0, vectors))
    return Prediction(energies, forces, virials)


def biased(found: Prediction, frames: Frames, shift: Any) -> Prediction:
    """With `shift` `(types,)` added to the energy of each atom of a type."""
    types = np.repeat(np.arange(len(frames.owns)), frames.owns)
    return found._replace(energies=found.energies + jnp.where(frames.present, shift[types], 0).sum(axis=1))


def _vectors(frames: Frames, far: float) -> tuple[Any, Any]:
    """r_j - r_i of all slots, and which are empty."""
    rows = frames.positions.shape[1]
    empty = frames.index >= rows
    index = jnp.where(empty, 0, frames.index).astype(jnp.int32)
    near = jax.vmap(lambda r, i: r[i])(frames.positions, index)
    shift = jnp.einsum("fnks,fsd->fnkd", frames.shift.astype(frames.positions.dtype), frames.cells)
    vectors = near + shift - frames.positions[:, :, None]
    return jnp.where(empty[..., None], jnp.asarray([far, 0, 0], vectors.dtype), vectors), empty


def _energies(model: Any, vectors: Any, frames: Frames) -> tuple[Any, Any]:
    """The sum over frames, and each frame's energy in the precision of the positions."""
    count, begin = len(vectors), np.cumsum([0, *frames.owns])
    ends = np.cumsum(frames.rooms)[:-1]
    each: Any = []
    for own, rows in enumerate(frames.owns):
        if rows:
            inside = vectors[:, begin[own] : begin[own + 1]].reshape(count * rows, -1, 3)
            each.append(model.inner_energies(own, jnp.split(inside, ends, axis=1)).reshape(count, rows))
    held = jnp.where(frames.present, jnp.concatenate(each, axis=1), 0)
    return jnp.sum(held), jnp.sum(held.astype(frames.positions.dtype), axis=1)
