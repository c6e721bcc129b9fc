"""Lists of neighbours that are kept between calls, by the ASE calculator and `md.evaluate_batch`: right whatever happens to the
atoms, and made anew only where they must be."""

import numpy as np
import pytest

from sciml import md
from sciml.md.atoms import _evaluator
from sciml.md.dynamics import _evaluate_batch

POTENTIAL = md.LennardJones.of({"Cu": (0.2, 2.3), "Ni": (0.25, 2.2)}, cutoff=4.4, shift=True)
SKIN = 0.5
NAMES = np.array(["Cu", "Ni"])[np.random.default_rng(1).integers(0, 2, 32)]


def brute(atoms):
    """Energy and forces from all pairs and images, in NumPy."""
    r, h = np.asarray(atoms.positions), np.asarray(atoms.cell)
    kinds = [POTENTIAL.names.index(atoms.names[k]) for k in atoms.species]
    around = np.stack(np.meshgrid(*[[-1, 0, 1] if p else [0] for p in atoms.periodic], indexing="ij"), -1).reshape(-1, 3) @ h
    eps, sigma = (np.asarray(a)[np.ix_(kinds, kinds)][..., None] for a in (POTENTIAL.epsilon, POTENTIAL.sigma))
    fractions = np.linalg.solve(h.T, r.T).T if np.any(h) else 0 * r
    inside = r - np.where(atoms.periodic, np.floor(fractions), 0) @ h
    d = inside[None, :, None] + around - inside[:, None, None]
    r2 = np.sum(d**2, axis=-1)
    near = (r2 > 1e-9) & (r2 < POTENTIAL.cutoff**2)
    u, cut = sigma**6 / np.where(near, r2, 1) ** 3, (sigma / POTENTIAL.cutoff) ** 6
    energy = np.sum(np.where(near, 4 * eps * (u**2 - u - cut**2 + cut), 0)) / 2
    slope = np.where(near, 4 * eps * (12 * u**2 - 6 * u) / np.where(near, r2, 1), 0)
    return energy, -np.sum(slope[..., None] * d, axis=(1, 2))


def made(r, names=NAMES, cell=7.2, **options):
    return md.system(r, names, cell=cell, **options)


def sequence():
    """(what happened, the atoms as they are then)."""
    rng = np.random.default_rng(0)
    r = np.asarray(md.fcc(3.6, 2, "Cu").positions) + 0.05 * rng.normal(size=(32, 3))
    yield "start", made(r)
    for k in range(3):
        r = r + 0.02 * rng.normal(size=r.shape)
        yield f"moves a little, {k}", made(r)
    r[5] += [0.3, 0.1, 0.0]
    yield "one atom beyond half the skin", made(r)
    r = r + 0.3 * rng.normal(size=r.shape)
    yield "all beyond the skin", made(r)
    r[3] += [7.2, 0.0, -7.2]
    yield "one is taken to the other side of the cell", made(r)
    yield "all come back into the cell", made(r % 7.2)
    r = r % 7.2
    for scale in (1.002, 0.9, 1.1):
        yield f"the cell and the atoms grow by {scale}", made(scale * r, cell=7.2 * scale)
    tilted = 7.2 * np.eye(3) + [[0, 0, 0], [0.4, 0, 0], [0, 0.2, 0]]
    yield "the cell is sheared, the atoms stay", made(r, cell=tilted)
    yield "the cell is back, the atoms stay", made(r)
    yield "species are permuted", made(r, NAMES[::-1])
    yield "atoms and species are permuted", made(r[::-1], NAMES[::-1])
    yield "an atom is taken out", made(r[:-1], NAMES[:-1])
    yield "it is back", made(r)
    yield "open along one vector", made(r, periodic=(True, True, False))
    yield "open", made(r, cell=None)
    yield "open, moved a little", made(r + 0.01, cell=None)
    yield "periodic again", made(r)


def by_calculator():
    calculator = md.ase_calculator(POTENTIAL, skin=SKIN)

    def found(atoms):
        given = md.to_ase(atoms)
        given.calc = calculator
        return given.get_potential_energy(), given.get_forces()

    return found


def by_batch():
    def found(atoms):
        one = md.evaluate_batch(POTENTIAL, [atoms], skin=SKIN)[0]
        return float(one.energy), one.forces

    return found


@pytest.mark.parametrize("way", [by_calculator, pytest.param(by_batch, marks=pytest.mark.slow)])
def test_what_happens_to_atoms_is_seen(way):
    found = way()
    for what, atoms in sequence():
        energy, forces = found(atoms)
        wanted = brute(atoms)
        np.testing.assert_allclose(energy, wanted[0], rtol=1e-11, err_msg=what)
        np.testing.assert_allclose(forces, wanted[1], atol=1e-9 * np.abs(wanted[1]).max(), err_msg=what)


@pytest.mark.parametrize("way", [by_calculator, by_batch])
def test_lists_are_kept_while_atoms_move_less_than_the_skin(way, monkeypatch):
    made_at, has_moved, remember = [0], _evaluator.has_moved, _evaluate_batch.remember

    def calculator_looked(*given):
        made_at.append(made_at[-1] + bool(has_moved(*given)))
        return made_at[-1] > made_at[-2]

    def batch_kept(known, name, lists, *most):
        made_at.append(np.asarray(lists.positions).tobytes())
        remember(known, name, lists, *most)

    monkeypatch.setattr(_evaluator, "has_moved", calculator_looked)
    monkeypatch.setattr(_evaluate_batch, "remember", batch_kept)
    found, rng = way(), np.random.default_rng(2)
    r = np.asarray(md.fcc(3.6, 2, "Cu").positions)
    v = rng.normal(size=r.shape)
    v *= 0.01 / np.linalg.norm(v, axis=1).max()
    for k in range(100):
        found(made(r + k * v))
    # Half the skin is 25 steps of the fastest atom.
    assert len(made_at) == (100 if way is by_calculator else 101) and 4 <= len(set(made_at[-100:])) <= 5


def test_a_potential_of_open_atoms_keeps_its_list(monkeypatch):
    made_anew, real = [], _evaluator.neighbours_for
    monkeypatch.setattr(_evaluator, "neighbours_for", lambda *a, **b: made_anew.append(a) or real(*a, **b))
    found = by_calculator()
    for k in range(3):
        found(made(np.asarray(md.fcc(3.6, 2, "Cu").positions) + 0.001 * k, cell=None))
    assert len(made_anew) == 1
