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
    empty, vectors = frames.empty, _vectors(frames, 2 * model.cutoff)
    vectors = vectors.astype(dtype)
    slopes_of = jax.value_and_grad(lambda v: _energies(model, v, frames), has_aux=True)
    (_, energies), slopes = slopes_of(vectors)
    slopes = jnp.where(empty[..., None], 0, slopes)
    count, rows = frames.positions.shape[:2]
    onto = jnp.zeros((count * rows, 3), dtype).at[frames.neighbour.reshape(-1)].add(slopes.reshape(-1, 3), mode="drop")
    forces = jnp.sum(slopes, axis=2) - onto.reshape(count, rows, 3)
    virials = -jnp.einsum("fnka,fnkb->fab", slopes, jnp.where(empty[..., None], 0, vectors))
    return Prediction(energies, forces, virials)


def biased(found: Prediction, frames: Frames, shift: Any) -> Prediction:
    """With `shift` `(types,)` added to the energy of each atom of a type."""
    types = np.repeat(np.arange(len(frames.owns)), frames.owns)
    return found._replace(energies=found.energies + jnp.where(frames.present, shift[types], 0).sum(axis=1))


def _vectors(frames: Frames, far: float) -> Any:
    """r_j - r_i of all slots; empty ones are `far`."""
    empty = frames.empty
    index = jnp.where(empty, 0, frames.index).astype(jnp.int32)
    near = jax.vmap(lambda r, i: r[i])(frames.positions, index)
    shift = jnp.einsum("fnks,fsd->fnkd", frames.shift.astype(frames.positions.dtype), frames.cells)
    vectors = near + shift - frames.positions[:, :, None]
    return jnp.where(empty[..., None], jnp.asarray([far, 0, 0], vectors.dtype), vectors)


def _energies(model: Any, vectors: Any, frames: Frames) -> tuple[Any, Any]:
    """The sum over frames, and each frame's energy in the precision of the positions."""
    held = jnp.where(frames.present, model.frame_energies(vectors, frames), 0)
    return jnp.sum(held), jnp.sum(held.astype(frames.positions.dtype), axis=1)
