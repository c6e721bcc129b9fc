"""What must hold whatever the potential: derivatives are derivatives, and nothing depends on how atoms are written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from lattices import DATA, evaluated, potentials, triclinic
from rows import Row, case

import sciml
from sciml import md

SYMMETRIES = ("permutation", "translation", "rotation", "images")


def several() -> Iterator[tuple[str, md.AbstractPotential, list[md.System]]]:
    """Every potential with random triclinic cells, smaller than the cutoff in some directions."""
    for name, potential in potentials().items():
        yield name, potential, [atoms for atoms, _ in triclinic(name)]
    reduced = [dataclasses.replace(a, positions=a.positions / 3.4, cell=a.cell / 3.4) for a, _ in triclinic("lennard_jones")]
    sigma, epsilon = jnp.array([[1.0, 1.1], [1.1, 1.2]]), jnp.array([[0.3, 0.4], [0.4, 0.5]])
    yield "lennard_jones_switch", md.LennardJones(epsilon, sigma, cutoff=2.6, switch=2.0), reduced
    yield "pair_potential", md.PairPotential(lambda r: jnp.exp(-r) * jnp.cos(3 * r), cutoff=2.6), reduced
    yield "deep_potential", md.DeepPotential.load(DATA / "deepmd/deeppot_sea.yaml"), deep_cells()


def deep_cells() -> list[md.System]:
    """Six atoms of DeePMD-kit's two types, no closer than 1.2 angstrom, in triclinic cells of about 4 angstrom."""
    model, rng, cells = md.DeepPotential.load(DATA / "deepmd/deeppot_sea.yaml"), np.random.default_rng(3), []
    while len(cells) < 2:
        h = 6.0 * np.eye(3) + rng.uniform(-0.8, 0.8, (3, 3))
        h[np.triu_indices(3, 1)] = 0
        s = (np.stack(np.meshgrid([0, 0.5], [0, 0.5], [0, 0.5], indexing="ij"), -1).reshape(-1, 3))[:6]
        atoms = md.system((s + rng.uniform(-0.08, 0.08, s.shape)) @ h, list("AABABB"), cell=h, masses=1.0)
        cells.append(dataclasses.replace(atoms, names=model.names))
    return cells


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
    transposed = np.full((atoms, max(map(len, held))), neighbour.size)
    for row, slots in zip(transposed, held, strict=True):
        row[: len(slots)] = slots
    return eqx.tree_at(lambda n: (n.index, n.transposed), n, (jnp.asarray(index), jnp.asarray(transposed)))


@case
def derivatives() -> Iterator[Row]:
    """Along random directions of all positions and of strain, relative to the slope's own size |F| |direction|. Pair potentials'
    own loop needs whole lists; with lists that have lost slots their forces are the gradient of `md.energy`."""
    for name, potential, cells in several():
        # Second derivatives of tables leap at every row: a shorter step.
        h, rng = (2e-6 if name.startswith("eam") else 1e-4), np.random.default_rng(1)
        pairwise = isinstance(potential, md.AbstractPairPotential)
        with sciml.float64():
            energy = jax.jit(lambda r, c, s, n, p=potential: md.energy(p, r, c, s, n))
            gradient = jax.jit(jax.grad(lambda r, e, c, s, n, p=potential: md.energy(p, r @ e, c @ e, s, n), (0, 1)))
            evaluate = jax.jit(md.evaluate)
            worst = {"forces": 0.0, "stress": 0.0, "forces, short lists": 0.0, "stress, short lists": 0.0}
            for atoms in cells:
                r, c, s = (jnp.asarray(a) for a in (atoms.positions, atoms.cell, atoms.species))
                whole = md.allocate(atoms, potential.cutoff, skin=0.3)
                for short, n in (("", whole), (", short lists", shortened(whole, rng))):
                    if short and pairwise:
                        slope = gradient(r, jnp.eye(3), c, s, n)
                    else:
                        found = evaluate(potential, jax.tree.map(jnp.asarray, atoms), n)
                        slope = -found.forces, -found.virial
                    along, strain = rng.normal(size=r.shape), rng.normal(size=(3, 3))
                    F = lambda x, e=strain: np.eye(3) + x * e  # noqa: E731
                    moved = richardson(lambda x, a=along, n=n: float(energy(r + x * a, c, s, n)), h)
                    strained = richardson(lambda x, F=F, n=n: float(energy(r @ F(x), c @ F(x), s, n)), h)
                    for what, exact, g, d in (("forces", moved, slope[0], along), ("stress", strained, slope[1], strain)):
                        off = abs(float(np.sum(g * d)) - exact) / float(np.linalg.norm(g) * np.linalg.norm(d))
                        worst[what + short] = max(worst[what + short], off)
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


@case
def invariance() -> Iterator[Row]:
    """Deviations relative to those that rounding makes: of coordinates and cell that are changed by half a unit in their last
    place, at random, the largest of eight times."""
    for name, potential, cells in several():
        rng, worst = np.random.default_rng(2), dict.fromkeys(SYMMETRIES, 0.0)
        relative = 0.0
        with sciml.float64():
            evaluate = jax.jit(md.evaluate)

            def at(atoms: md.System, n: md.Neighbours, p: Any = potential, evaluate: Any = evaluate) -> md.Evaluation:
                return jax.tree.map(np.asarray, evaluate(p, jax.tree.map(jnp.asarray, atoms), n))

            for atoms in cells[:2]:
                listed = md.allocate(atoms, potential.cutoff, skin=0.3)
                found = at(atoms, listed)
                for how in SYMMETRIES:
                    other, order, turn = transformed(atoms, how, rng)
                    n = listed.update(jnp.asarray(other.positions), jnp.asarray(other.cell))
                    if bool(n.overflow):
                        n = md.allocate(other, potential.cutoff, skin=0.3)
                    seen, rounding = at(other, n), np.zeros(3)
                    for _ in range(8):
                        shaken = (
                            u * (1 + np.finfo(float).eps / 2 * rng.choice([-1, 1], u.shape)) for u in (other.positions, other.cell)
                        )
                        shaken = dataclasses.replace(other, **dict(zip(("positions", "cell"), shaken, strict=True)))
                        same = np.arange(atoms.atoms), np.eye(3)
                        rounding = np.maximum(rounding, deviation(seen, at(shaken, n), *same))
                    off = deviation(found, seen, order, turn)
                    size = [np.max(np.abs(x)) for x in (found.energy, found.forces, found.virial)]
                    relative = max(relative, float(np.max(off / size)))
                    worst[how] = max(worst[how], float(np.max(off / np.maximum(rounding, np.finfo(float).eps * np.array(size)))))
        text = ", ".join(f"{how} {value:.1f}" for how, value in worst.items()) + f"; relative {relative:.0e}"
        yield Row(f"{name}: symmetries, in units of rounding", "10", text, max(worst.values()) < 10, None, worst)


@case
def rollouts() -> Iterator[Row]:
    """Twenty steps of 32 atoms; along random directions."""
    start = md.thermal(md.fcc((4 / 0.8442) ** (1 / 3), 2, "A", units=md.REDUCED), 1.44, key=1)
    potential = md.LennardJones(1.0, 1.0, cutoff=2.5, switch=2.0)
    rng = np.random.default_rng(0)
    ensembles = {
        "NVE": md.NVE(), "Langevin": md.Langevin(temperature=1.0, friction=1.0),
        "Rescaling": md.Rescaling(temperature=1.0, time=0.2), "NoseHoover": md.NoseHoover(temperature=1.0, time=0.3),
    }  # fmt: skip
    for name, ensemble in ensembles.items():
        with sciml.float64():
            atoms = jax.tree.map(jnp.asarray, start)
            n = md.allocate(start, potential.cutoff, skin=0.5)
            one, two, three = (jnp.asarray(rng.normal(size=start.positions.shape)) for _ in range(3))

            def outcome(x: Any, ensemble: Any = ensemble, n: Any = n, atoms: Any = atoms, d: Any = (one, two, three)) -> Any:
                r, v = atoms.positions + x[2] * d[0], atoms.velocities + x[3] * d[1]
                begun = eqx.tree_at(lambda a: (a.positions, a.velocities), atoms, (r, v))
                lj = eqx.tree_at(lambda p: (p.epsilon, p.sigma), potential, (1 + x[0], 1 + x[1]))
                end, frames, bad = md.rollout(begun, lj, ensemble, n, steps=20, timestep=0.004, every=5)
                return jnp.sum(end.positions * d[2]) + jnp.sum(frames.velocities**2), bad

            value, slope = jax.jit(outcome), jax.jit(jax.grad(lambda x: outcome(x)[0]))(jnp.zeros(4))
            worst, failed = {}, False
            for k, what in enumerate(("epsilon", "sigma", "positions", "velocities")):
                unit = jnp.zeros(4).at[k].set(1.0)
                exact = richardson(lambda x, unit=unit: float(value(x * unit)[0]), 1e-4)
                failed |= bool(value(2e-4 * unit)[1])
                worst[what] = abs(float(slope[k]) / exact - 1)
        text = ", ".join(f"{what} {v:.0e}" for what, v in worst.items())
        met = max(worst.values()) < 1e-7 and not failed
        yield Row(f"gradient of a rollout, {name}, against differences", "1e-7", text, met, None, worst)
