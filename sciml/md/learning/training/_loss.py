"""What training makes small."""

# Annotations are not postponed here: Equinox must see AbstractVar.

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp

from ._buckets import Frames
from ._predict import Prediction


class Weights(NamedTuple):
    """Of energies, forces and virials."""

    energy: Any
    force: Any
    virial: Any


class AbstractLoss(eqx.Module):
    """A function rho of residuals, each by itself:

        L = p_e <rho(dE / sqrt(N))> + p_f <rho(dF)> + p_v <rho(dW / sqrt(N))>

    averaged over frames, components of forces and of virials that there are; N is the number of atoms.
    """

    def __call__(self, residual: Any) -> Any:
        """rho of residuals [eV or eV/angstrom], of any shape."""
        raise NotImplementedError


class SquaredError(AbstractLoss):
    """rho(x) = x^2, the loss of DeePMD-kit."""

    def __call__(self, residual: Any) -> Any:
        return residual**2


class Huber(AbstractLoss):
    """rho(x) = x^2 where |x| < delta, else delta (2 |x| - delta): labels that are far off pull no harder than others (Huber
    1964, doi:10.1214/aoms/1177703732). Good values of `delta`: a few times the error that is expected, 0.1
    eV/angstrom."""

    delta: float = 0.1

    def __check_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"Huber: delta={self.delta!r}; expected a positive number.")

    def __call__(self, residual: Any) -> Any:
        size = jnp.abs(residual)
        return jnp.where(size < self.delta, size**2, self.delta * (2 * size - self.delta))


class AbsoluteError(AbstractLoss):
    """rho(x) = |x|."""

    def __call__(self, residual: Any) -> Any:
        return jnp.abs(residual)


class Squares(NamedTuple):
    """Sums over frames that have the label, and the number of terms: energies per atom, components of forces, of virials per
    atom."""

    sums: Any
    counts: Any


def loss_and_squares(loss: AbstractLoss, weights: Weights, found: Prediction, frames: Frames) -> tuple[Any, Squares]:
    """The loss of a batch, and the squares of its residuals."""
    dtype = found.forces.dtype
    atoms, known = jnp.sum(frames.present, axis=1).astype(dtype), frames.known.astype(dtype)
    present = frames.present[..., None] * known[:, 1, None, None]
    energy = (found.energies - frames.energies).astype(dtype) / jnp.sqrt(atoms)
    force = (found.forces - frames.forces.astype(dtype)) * present
    virial = (found.virials - frames.virials.astype(dtype)) / jnp.sqrt(atoms)[:, None, None]
    counts = jnp.stack([jnp.sum(known[:, 0]), 3 * jnp.sum(present), 9 * jnp.sum(known[:, 2])])
    whole = known[:, 2, None, None]
    totals = jnp.sum(loss(energy) * known[:, 0]), jnp.sum(loss(force) * present), jnp.sum(loss(virial) * whole)
    value = sum(w * t / jnp.maximum(n, 1) for w, t, n in zip(weights, totals, counts, strict=True))
    each = energy**2 / atoms * known[:, 0], force**2, virial**2 / atoms[:, None, None] * whole
    return value, Squares(jnp.stack([jnp.sum(x) for x in each]), counts.astype(dtype))
