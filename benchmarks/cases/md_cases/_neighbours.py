"""Cases 10 to 14: angles, open systems, lists of neighbours, small cells, the skin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import sciml
from sciml import md

from ._table import Row, case, close, odd, quietly, refused, same


@case("10 harmonic angle at 180 and 0 degrees", "no NaN; |F| = k (theta - theta0) / r = 5.236 eV/A, E = 2.7416 eV")
def straight() -> Iterator[Row]:
    line = lambda off: md.system([[np.cos(off), np.sin(off), 0], [0, 0, 0], [-1.0, 0, 0]], "C")  # noqa: E731
    at = lambda off, angle: md.evaluate_batch(md.HarmonicAngles([[0, 1, 2]], 5.0, angle), [line(off)])[0]  # noqa: E731
    rest = at(0.0, 180.0)
    yield close("theta0 = 180: E", rest.energy, 0, 1e-12)
    yield close("theta0 = 180: F", rest.forces, np.zeros((3, 3)), 1e-12)
    bend = np.pi / 3
    for off in (1e-2, 1e-4, 1e-6):
        found = at(off, 120.0)
        yield close(f"|F|, {off:g} off", np.linalg.norm(found.forces[0]), 5 * (bend - off), 1e-5)
        yield close(f"E, {off:g} off", found.energy, 2.5 * (bend - off) ** 2, 1e-8)
    yield same("exactly straight is finite", np.isfinite(at(0.0, 120.0).forces).all(), True)
    folded = md.system([[1, 0, 0], [0, 0, 0], [1.0, 0, 0]], "C")
    zero = md.evaluate_batch(md.HarmonicAngles([[0, 1, 2]], 5.0, 120.0), [folded])[0]
    yield same("exactly folded is finite", np.isfinite(zero.forces).all(), True)
    # Two bending modes of k and r: (m1 m2 (m1 + m2...)): by finite differences 6 k / r^2 for equal masses of one.
    co2 = md.system([[0, 0, 0], [1.16, 0, 0], [2.32, 0, 0.0]], ["O", "C", "O"])
    bending = np.linalg.eigvalsh(md.hessian(co2, md.HarmonicAngles([[0, 1, 2]], 5.0, 180.0)))[-2:]
    yield close("bending of CO2", bending, [6 * 5.0 / 1.16**2] * 2, 1e-6)


@case("11 open systems with a cell", "E = -1.9957724668 for every cell and shift; no stress of open systems")
def open_systems() -> Iterator[Row]:
    water = np.array([[0, 0, 0.119262], [0, 0.763239, -0.477047], [0, -0.763239, -0.477047]])
    lj = md.LennardJones(1.0, 0.9, cutoff=10.0)
    shifts = (0.0, 100.0, -6.0)
    for cell in (None, 1.0, 20.0):
        made = [md.system(water + s, ["O", "H", "H"], cell=cell, periodic=False) for s in shifts]
        for shift, found in zip(shifts, md.evaluate_batch(lj, made), strict=True):
            yield close(f"cell {cell}, shift {shift:g}", found.energy, -1.9957724668, 1e-10)
    yield same("no volume", np.isnan(made[0].volume), True)
    yield same("no stress at rest", np.isnan(md.relax(made[0], lj, throw=False, steps=1).stress).all(), True)
    run = md.simulate(md.thermal(made[0], 5), lj, steps=2, timestep=0.5, progress=False)
    yield same("no pressure in a run", np.isnan(run.pressure).all(), True)
    argon, base = md.LennardJones(0.0104, 3.4, cutoff=8.5), md.fcc(5.26, 2, "Ar")
    virials = []
    for c, z in ((30.0, 8.0), (200.0, 8.0), (30.0, -2.0), (30.0, 27.0)):
        flat = md.system(base.positions + [0, 0, z], "Ar", cell=[10.52, 10.52, c], periodic=(True, True, False))
        found = md.evaluate_batch(argon, [flat])[0]
        virials.append(np.r_[float(found.energy), np.diag(found.virial)])
    for k, what in enumerate(("c = 200", "below 0", "beyond c"), 1):
        yield close(f"slab, {what}", virials[k], virials[0], 1e-9)
    yield same("a slab has no stress", np.isnan(md.relax(flat, argon, throw=False, steps=1).stress).all(), True)
    calculated = md.to_ase(flat)
    calculated.calc = md.ase_calculator(argon)
    try:
        calculated.get_stress()
        yield same("ASE's stress of a slab", 0, 1)
    except Exception as error:  # ASE's own
        yield same("ASE's stress of a slab", "stress" in str(error).lower() or "Property" in type(error).__name__, True)


PLACES = [
    [-2.60451931e-05, 34.8159984, 35.6217908], [1.87087577, 34.99960922, 33.83063715], [2.07860043, 33.19639737, 35.40671674],
    [0.0568514, 33.07733668, 33.69007949],
]  # fmt: skip


def pairs_in(n: Any, atoms: Any, cutoff: float) -> int:
    places = np.asarray(n.at(np.asarray(atoms.positions), np.asarray(atoms.cell)))
    index, own = np.asarray(n.index), places[np.asarray(n.entry)]
    near = np.append(places, [[np.inf] * 3], axis=0)[np.minimum(index, len(places))]
    return int((np.linalg.norm(near - own[:, None], axis=2) < cutoff).sum())


@case("12 lists: wrapped, far images, skewed cells", "-5.47827984126; overflow said; 6120 pairs", 250)
def lists() -> Iterator[Row]:
    lj = md.LennardJones(1.0, 2.2, cutoff=4.0)
    raw = np.array(PLACES)
    wrapped = raw % [2892, 36.15, 36.15]
    for name, r in (("raw", raw), ("wrapped", wrapped)):
        atoms = md.system(r, "Ar", cell=[2892, 36.15, 36.15])
        yield close(f"a, {name}", md.evaluate_batch(lj, [atoms])[0].energy, -5.47827984126, 1e-9)
        with sciml.float64():
            yield close(f"a, pairs {name}", pairs_in(md.allocate(atoms, 4.0, skin=0.1), atoms, 4.0), 12, 0.5)
    far = md.system([[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10.0]], "Ar", cell=20.0)
    near = eqx.tree_at(lambda s: s.positions, far, far.positions - np.array([[0, 0, 0], [7.0, 0, 0], [0] * 3, [0] * 3]))
    with sciml.float64():
        n = md.allocate(far, 4.0, skin=0.2)
        r, h = jnp.asarray(near.positions), jnp.asarray(near.cell)
        yield same("b, the old list is stale", bool(n.is_stale(r, h)), True)
        later = n.update(r, h)
        yield same("b, one pair, or overflow said", bool(later.overflow) or pairs_in(later, near, 4.0) == 2, True)
    rng = np.random.default_rng(0)
    nickel = quietly(lambda: md.Dataset.load(odd("deepmd_data", "source", "tests", "pt", "NiO", "data", "single"))).systems[0]
    pair = md.LennardJones(0.01, 1.6, cutoff=4.0)
    shifts = rng.integers(-5, 6, (nickel.atoms, 3)) @ np.asarray(nickel.cell)
    moved = eqx.tree_at(lambda s: s.positions, nickel, nickel.positions + shifts)
    a, b = (float(e.energy) for e in md.evaluate_batch(pair, [nickel, moved]))
    yield close("c, images in a rhombohedron", b, a, 1e-9)
    cell = np.array([[20.336391026925106, 0, 0], [10.168195513462551, 17.611831250611051, 0],
                     [10.168195513462551, 5.8706104168703526, 16.604593741893638]])  # fmt: skip
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3)[1:] / 8
    energies = []
    for k in range(3):
        turned = cell if k < 2 else cell @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
        h = turned * (1 + 1e-14 * rng.normal(size=(3, 3))) if k else turned
        atoms = md.system(grid @ h, "Cu", cell=h)
        with sciml.float64():
            yield close(f"d, pairs {k}", pairs_in(md.allocate(atoms, 3.0, skin=0.0), atoms, 3.0), 6120, 0.5)
        energies.append(float(md.evaluate_batch(md.LennardJones(0.4, 2.3, cutoff=3.0), [atoms])[0].energy))
    yield close("d, rounding and rotation", energies[1:], energies[:1] * 2, 1e-8)


@case("13 cutoff larger than half the box", "78 neighbours, -0.0842277845 eV/atom; 18, -0.0690980944; supercells")
def small_cells() -> Iterator[Row]:
    one = md.primitive(md.fcc(5.26, 1, "Ar"))
    yield close("atoms", one.atoms, 1, 0.5)
    for cutoff, count, energy, stress in ((8.5, 78, -0.0842277845, -9.268e-05), (6.0, 18, -0.0690980944, -9.098e-04)):
        found = md.evaluate_batch(md.LennardJones(0.0104, 3.4, cutoff=cutoff), [one])[0]
        with sciml.float64():
            yield close(f"neighbours, {cutoff:g}", pairs_in(md.allocate(one, cutoff, skin=0.0), one, cutoff), count, 0.5)
        yield close(f"E, {cutoff:g}", found.energy, energy, 2e-10)
        yield close(f"stress, {cutoff:g}", -np.trace(found.virial) / 3 / one.volume, stress, 1e-8 if cutoff > 8 else 1e-7)
        yield close(f"F, {cutoff:g}", found.forces, [[0.0] * 3], 1e-12)
    tests = "deepmd_data", "source", "tests"
    oxide = quietly(lambda: md.Dataset.load(odd(*tests, "pt", "NiO", "data", "single"))).systems[0]
    water = quietly(lambda: md.Dataset.load(odd(*tests, "tf", "data_modifier", "sys_10"))).systems[0]
    glass = quietly(lambda: md.from_ase(odd("matscipy_misc", "glass_min.xyz")))
    for name, atoms, sigma in (("NiO", oxide, 1.6), ("water", water, 0.8), ("glass", glass, 0.7)):
        cells = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 1, 3) @ np.asarray(atoms.cell)
        names = [atoms.names[k] for k in atoms.species]
        eight = md.system(
            (np.asarray(atoms.positions) + cells).reshape(-1, 3), names * 8, cell=2 * np.asarray(atoms.cell), masses=1.0
        )
        lj = md.LennardJones(0.01, sigma, cutoff=6.0)
        a, b = (float(e.energy) for e in md.evaluate_batch(lj, [atoms, eight]))
        yield close(f"{name}, eight cells", b / 8, a, 1e-10 * abs(a))


@case("14 skin and wrapping", "drift 1e-9 eV/atom/step whatever the skin; the same path; float32", 250)
def skins() -> Iterator[Row]:
    lj = md.LennardJones(0.0104, 3.4, cutoff=6.0, switch=5.0)
    start = md.thermal(md.simple_cubic(2 ** (1 / 6) * 3.4, 4, "Ar"), 300, key=1)
    for precision in (np.float64, np.float32):
        drifts, paths = [], []
        for skin in (0.5, 0.0):
            options: dict[str, Any] = dict(steps=2500, timestep=2.0, every=50, skin=skin, precision=precision)
            run = md.simulate(start, lj, md.NVE(), **options, progress=False)
            energy = run.potential_energy + run.kinetic_energy
            drifts.append(np.polyfit(run.step, energy / 64, 1)[0])
            paths.append(run.positions[2])
        name = np.dtype(precision).name
        for skin, drift in zip((0.5, 0.0), drifts, strict=True):
            yield close(f"drift per atom and step, {name}, skin {skin:g}", drift, 0, 5e-9)
        yield close(f"path after 100 steps, {name}", paths[0] - paths[1], 0 * paths[0], 1e-9 if name == "float64" else 2e-2)
    cell = np.asarray(start.cell)
    wrapped = eqx.tree_at(lambda s: s.positions, start, start.positions - 3 * cell[0] + 2 * cell[1])
    a, b = (md.simulate(s, lj, steps=100, timestep=2.0, progress=False).positions[-1] for s in (start, wrapped))
    yield close("path from another image", b - a, np.broadcast_to(2 * cell[1] - 3 * cell[0], a.shape), 1e-9)
    yield refused("a negative skin", lambda: md.simulate(start, lj, steps=1, timestep=1.0, skin=-0.1, progress=False), "skin")
    yield same("jax is left alone", jax.config.jax_enable_x64, False)
