"""What must hold whatever the potential: derivatives are derivatives, and nothing depends on how atoms are written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from lattices import DATA, EVALUATE, near, potentials
from rows import Row, case
from test_lammps import TRUNCATED, atoms_of

import sciml
from sciml import md

SYMMETRIES = ("permutation", "translation", "rotation", "images")


class Wave(eqx.Module):
    """exp(-r) cos(k r)."""

    k: Any

    def __call__(self, r: Any) -> Any:
        return jnp.exp(-r) * jnp.cos(self.k * r)


def several() -> Iterator[tuple[str, md.AbstractPotential, md.System]]:
    """Every potential with eighteen atoms in a random triclinic cell, smaller than the cutoff in some directions."""
    with sciml.float64():
        known = potentials()
    cutoffs = {name: [p.cutoff for p in getattr(potential, "parts", (potential,))] for name, potential in known.items()}
    for name, potential in known.items():
        yield name, potential, shifted_from(atoms_of(name, 0), [c for c in cutoffs[name] if c])
    sigma, epsilon = np.array([[3.4, 3.2], [3.2, 3.0]]), np.array([[0.3, 0.4], [0.4, 0.5]])
    lj = md.LennardJones(epsilon, sigma, cutoff=7.5, switch=6.0, names=("A", "B"))
    yield "lennard_jones_switch", lj, shifted_from(atoms_of("lennard_jones", 0), [7.5, 6.0])
    yield "pair_potential", md.PairPotential(Wave(np.array(3.0)), cutoff=6.5), shifted_from(atoms_of("morse", 0), [6.5])
    model = md.DeepPotential.load(DATA / "deepmd/deeppot_sea.yaml")
    yield "deep_potential", model, six_atoms(model.names)


def shifted_from(atoms: md.System, cutoffs: list[float]) -> md.System:
    """Atoms displaced a little, so that no pair is so near a cutoff that it crosses it in a difference: there energies or
    their slopes leap."""
    rng = np.random.default_rng(4)
    images = np.stack(np.meshgrid(*[range(-5, 6)] * 3, indexing="ij"), -1).reshape(-1, 1, 1, 3) @ atoms.cell
    while True:
        r = atoms.positions + rng.uniform(-0.02, 0.02, atoms.positions.shape)
        apart = np.linalg.norm(r[:, None] - r[None, :] + images, axis=-1)
        if all(np.min(np.abs(apart - c)) > 2e-3 for c in cutoffs):
            return dataclasses.replace(atoms, positions=r)


def six_atoms(names: tuple[str, str]) -> md.System:
    """Of two types in a triclinic cell of about 6 angstrom, no closer than 2."""
    cell = np.array([[5.9, 0, 0], [0.7, 6.1, 0], [-0.5, 0.6, 6.4]])
    places = np.stack(np.meshgrid([0, 0.5], [0, 0.5], [0, 0.5], indexing="ij"), -1).reshape(-1, 3)[:6] @ cell
    places = places + np.random.default_rng(3).uniform(-0.4, 0.4, places.shape)
    return md.system(places, [names[k] for k in (0, 0, 1, 0, 1, 1)], cell=cell, masses=1.0)


def richardson(f: Callable[[float], Any], h: float) -> Any:
    one, two = ((f(k * h) - f(-k * h)) / (2 * k * h) for k in (1, 2))
    return (4 * one - two) / 3


def shortened(n: md.Neighbours, rng: np.random.Generator) -> md.Neighbours:
    """A list that has lost a fifth of its slots at random: most slots (i, j) that are left have no slot (j, i), and its
    transposed list says so."""
    index, atoms = np.array(n.index), len(n.atom)
    index[rng.random(index.shape) < 0.2] = len(n.owner)
    neighbour = np.append(np.asarray(n.owner), atoms)[index].ravel()
    held = [np.flatnonzero(neighbour == k) for k in range(atoms)]
    transposed = np.full(np.shape(n.transposed), neighbour.size)
    for row, slots in zip(transposed, held, strict=True):
        row[: len(slots)] = slots
    return eqx.tree_at(lambda n: (n.index, n.transposed), n, (jnp.asarray(index), jnp.asarray(transposed)))


@jax.jit
def energy(potential: Any, r: Any, cell: Any, species: Any, n: md.Neighbours) -> Any:
    return md.energy(potential, r, cell, species, n)


@jax.jit
def slopes(potential: Any, r: Any, cell: Any, species: Any, n: md.Neighbours) -> Any:
    """With respect to positions and strain."""
    return jax.grad(lambda r, F: md.energy(potential, r @ F, cell @ F, species, n), (0, 1))(r, jnp.eye(3))


def off_the_slope(potential: Any, atoms: md.System, n: md.Neighbours, own: bool, h: float, rng: Any) -> dict[str, float]:
    """How far forces and stress are from differences of the energy, relative to |slope| |direction|."""
    r, c, s = (jnp.asarray(a) for a in (atoms.positions, atoms.cell, atoms.species))
    if own:
        found = EVALUATE(potential, jax.tree.map(jnp.asarray, atoms), n)
        slope = -found.forces, -found.virial
    else:
        slope = slopes(potential, r, c, s, n)
    along, strain = rng.normal(size=r.shape), rng.normal(size=(3, 3))

    def strained(x: float) -> float:
        F = np.eye(3) + x * strain
        return float(energy(potential, r @ F, c @ F, s, n))

    moved = richardson(lambda x: float(energy(potential, r + x * along, c, s, n)), h)
    pairs = (("forces", moved, slope[0], along), ("stress", richardson(strained, h), slope[1], strain))
    return {
        what: abs(float(np.sum(g * d)) - exact) / float(np.linalg.norm(g) * np.linalg.norm(d)) for what, exact, g, d in pairs
    }


@case
def derivatives() -> Iterator[Row]:
    """Along random directions. Pair potentials' own loop needs whole lists: with those that have lost slots their forces are
    the gradient of `md.energy`."""
    for name, potential, atoms in several():
        # Second derivatives of tables leap at every row: a shorter step. A Deep Potential has -930 eV of which little changes.
        h, rng = 2e-6 if name.startswith("eam") else 1e-3 if name.startswith("deep") else 2e-5, np.random.default_rng(1)
        with sciml.float64():
            whole = near(atoms)
            pairwise = any(isinstance(part, md.AbstractPairPotential) for part in getattr(potential, "parts", (potential,)))
            worst = off_the_slope(potential, atoms, whole, True, h, rng)
            short = off_the_slope(potential, atoms, shortened(whole, rng), not pairwise, h, rng)
        worst |= {f"{what}, short list": value for what, value in short.items()}
        if name in TRUNCATED:  # their corrections for the pressure are of the truncated potential, whose energy leaps
            worst = {what: value for what, value in worst.items() if "stress" not in what}
        text = ", ".join(f"{what} {value:.0e}" for what, value in worst.items())
        yield Row(f"{name}: forces and stress against differences", "1e-7", text, max(worst.values()) < 1e-7, None, worst)


def transformed(atoms: md.System, how: str, rng: np.random.Generator) -> tuple[md.System, np.ndarray, np.ndarray]:
    """The same atoms written down otherwise, their order, and the rotation."""
    order, turn = np.arange(atoms.atoms), np.eye(3)
    r, h, s = np.asarray(atoms.positions), np.asarray(atoms.cell), np.asarray(atoms.species)
    if how == "permutation":
        order = rng.permutation(atoms.atoms)
    elif how == "translation":
        r = r + rng.normal(size=3)
    elif how == "images":
        r = r + rng.integers(-2, 3, r.shape) @ h
    else:
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return dataclasses.replace(atoms, positions=(r @ turn)[order], cell=h @ turn, species=s[order]), order, turn


def deviation(found: md.Evaluation, other: md.Evaluation, order: Any, turn: Any) -> np.ndarray:
    """Of energy, forces and virial."""
    return np.array([
        abs(other.energy - found.energy), np.max(np.abs(other.forces - (found.forces @ turn)[order])),
        np.max(np.abs(other.virial - turn.T @ found.virial @ turn)),
    ])  # fmt: skip


def shaken(atoms: md.System, rng: np.random.Generator) -> md.System:
    """Coordinates and cell changed by half a unit in their last place."""
    half = np.finfo(float).eps / 2
    r, h = (u * (1 + half * rng.choice([-1, 1], np.shape(u))) for u in (atoms.positions, atoms.cell))
    return dataclasses.replace(atoms, positions=r, cell=h)


def host(potential: Any, atoms: md.System, n: md.Neighbours) -> md.Evaluation:
    return jax.tree.map(np.asarray, EVALUATE(potential, jax.tree.map(jnp.asarray, atoms), n))


@case
def invariance() -> Iterator[Row]:
    """Deviations relative to what rounding does: the largest change of eight draws that `shaken` makes."""
    for name, potential, atoms in several():
        rng, worst, relative = np.random.default_rng(2), {}, 0.0
        with sciml.float64():
            found = host(potential, atoms, near(atoms))
            size = np.array([np.max(np.abs(x)) for x in (found.energy, found.forces, found.virial)])
            for how in SYMMETRIES[name == "molecules" :]:  # bonds know atoms by their numbers
                other, order, turn = transformed(atoms, how, rng)
                n, same = near(other), (np.arange(atoms.atoms), np.eye(3))
                seen = host(potential, other, n)
                draws = [deviation(seen, host(potential, shaken(other, rng), n), *same) for _ in range(8)]
                off = deviation(found, seen, order, turn)
                relative = max(relative, float(np.max(off / size)))
                worst[how] = float(np.max(off / np.maximum(np.max(draws, axis=0), np.finfo(float).eps * size)))
        text = ", ".join(f"{how} {value:.1f}" for how, value in worst.items()) + f"; relative {relative:.0e}"
        yield Row(f"{name}: symmetries, in units of rounding", "10", text, max(worst.values()) < 10, None, worst)


@case
def rollouts() -> Iterator[Row]:
    """Twenty steps of 32 atoms; along random directions. Third derivatives of the energy leap where a pair passes the ends of
    the switch, which differences see and gradients do not: a short step for positions."""
    ensembles = {
        "NVE": md.NVE(), "Langevin": md.Langevin(temperature=1.0, friction=1.0),
        "Rescaling": md.Rescaling(temperature=1.0, time=0.2), "NoseHoover": md.NoseHoover(temperature=1.0, time=0.3),
    }  # fmt: skip
    for name, ensemble in ensembles.items():
        with sciml.float64():
            worst, failed = rolled(ensemble)
        text = ", ".join(f"{what} {v:.0e}" for what, v in worst.items())
        met = max(worst.values()) < 1e-7 and not failed
        yield Row(f"gradient of a rollout, {name}, against differences", "1e-7", text, met, None, worst)


def rolled(ensemble: md.AbstractEnsemble) -> tuple[dict[str, float], bool]:
    """Relative deviations of four derivatives, and whether a list did not fit."""
    start = md.thermal(md.fcc((4 / 0.8442) ** (1 / 3), 2, "A", units=md.REDUCED), 1.44, key=1)
    potential, atoms = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0), jax.tree.map(jnp.asarray, start)
    n, rng = md.allocate(start, potential.cutoff, skin=0.5), np.random.default_rng(0)
    one, two, three = (jnp.asarray(rng.normal(size=start.positions.shape)) for _ in range(3))

    @jax.jit
    def outcome(x: Any) -> Any:
        r, v = atoms.positions + x[2] * one, atoms.velocities + x[3] * two
        begun = eqx.tree_at(lambda a: (a.positions, a.velocities), atoms, (r, v))
        lj = eqx.tree_at(lambda p: (p.epsilon, p.sigma), potential, (1 + x[0], 1 + x[1]))
        end, frames, bad = md.rollout(begun, lj, ensemble, n, steps=20, timestep=0.004, every=5)
        return jnp.sum(end.positions * three) + jnp.sum(frames.velocities**2), bad

    slope, worst, failed = jax.jit(jax.grad(lambda x: outcome(x)[0]))(jnp.zeros(4)), {}, False
    for k, (what, h) in enumerate({"epsilon": 1e-4, "sigma": 1e-4, "positions": 5e-6, "velocities": 1e-4}.items()):
        unit = jnp.zeros(4).at[k].set(1.0)
        exact = richardson(lambda x, unit=unit: float(outcome(x * unit)[0]), h)
        failed |= bool(outcome(2 * h * unit)[1])
        worst[what] = abs(float(slope[k]) / exact - 1)
    return worst, failed
