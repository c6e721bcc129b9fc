"""Cases 1 to 7: files of labelled structures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import ase.io
import equinox as eqx
import numpy as np

from sciml import md

from ._table import Row, case, close, folder, odd, quietly, refused, same, warned

LJ = md.LennardJones(0.0104, 3.4, cutoff=8.5)


@case("1 extxyz: stress, virial, units", "virial = -V stress; 13 files of dpdata, units read")
def extxyz() -> Iterator[Row]:
    load = lambda name: quietly(lambda: md.Dataset.load(odd("dpdata_xyz", f"{name}.xyz")))  # noqa: E731
    voigt = -27 * np.array([[0.01, 0.006, 0.005], [0.006, 0.02, 0.004], [0.005, 0.004, 0.03]])
    virials = {
        "stress_only": -np.diag([0.27, 0.54, 0.81]), "stress_voigt": voigt, "stresses_key": -np.diag([0.27, 0.54, 0.81]),
        "virials_key": np.diag([0.27, 0.54, 0.81]), "stress_gpa": -0.780189 * np.eye(3), "stress_kbar": -0.780189 * np.eye(3),
        "stress_au_bohr3": -22.95394 * np.eye(3), "virial_hartree": 27.211386 * np.eye(3),
    }  # fmt: skip
    for name, right in virials.items():
        yield close(name, load(name).virials[0], right, 1e-5 * float(np.linalg.norm(right)))
    for name, energy, force in (
        ("energy_hartree", -13.605693, 0.5142207), ("energy_au", -13.605693, 0.5142207),
        ("energy_kcal_mol", -0.4336412, 0.0433641),
    ):  # fmt: skip
        found = load(name)
        yield close(f"{name} E", found.energies[0], energy, 1e-5)
        yield close(f"{name} F", found.forces[0, 0], force, 1e-6)
    for name in ("energy_key_variants", "forces_key", "unknown_props"):
        found = load(name)
        yield close(name, float(found.energies[0] + np.isnan(found.forces).sum()), -1.5, 1e-12)
    for name in ("nopbc", "pbc_false"):
        yield same(f"{name} is open", load(name).periodic.any(), False)
    yield refused("unsupported_unit", lambda: load("unsupported_unit"), "energy in 'nonsense'")
    made = load("stress_only")
    made.write(path := folder() / "again.xyz")
    yield same("virial of the file written", md.Dataset.load(path).virials, made.virials)
    read: Any = ase.io.read(path)
    yield close("ASE's stress of it", read.get_stress()[:3], [0.01, 0.02, 0.03], 1e-12)


def rows_of(found: Any) -> tuple[Any, Any, Any]:
    return found.energy, found.forces, found.virial


@case("2 left-handed cell", "-0.0842278 eV/atom, volume +124.338, the same stress for either sign")
def left_handed() -> Iterator[Row]:
    potential = md.LennardJones(0.05, 1.7, cutoff=5.0)
    given = quietly(lambda: md.from_ase(odd("matscipy_misc", "cryst_rot_mod.xyz")))
    yield close("volume", given.volume, 124.338, 1e-3)
    swapped = eqx.tree_at(lambda s: s.cell, given, given.cell[[1, 0, 2]])
    (e, f, w), (e1, f1, w1) = (rows_of(x) for x in md.evaluate_batch(potential, [given, swapped]))
    size = float(np.abs(f).max())
    yield close("energy, vectors exchanged", e1, float(e), 1e-10 * abs(float(e)))
    yield close("forces, vectors exchanged", f1 - f, 0 * f, 1e-9 * size)
    yield close("virial, vectors exchanged", w1 - w, 0 * w, 1e-9 * float(np.abs(w).max()))
    small = md.LennardJones(0.0104, 3.4, cutoff=6.0)
    volumes = []
    for sign in (1, -1):
        places = np.array([[0, 0, 0], [0, 2.63, 2.63], [2.63, 0, 2.63], [2.63, 2.63, 0]]) + [0.1, 0, 0]
        atoms = md.system(places, "Ar", cell=sign * 5.26 * np.eye(3))
        found = md.evaluate_batch(LJ, [atoms])[0]
        yield close(f"argon, cell {5.26 * sign:+g}", found.energy / 4, -0.0842278, 1e-7)
        yield close(f"stress, cell {5.26 * sign:+g}", -np.trace(found.virial) / 3 / atoms.volume, -9.268e-05, 1e-8)
        rest = md.relax(atoms, small, cell=True).atoms
        run = md.simulate(
            md.thermal(rest, 20), small, md.CellRescaling(20.0, 1.0), steps=50, timestep=2.0, progress=False
        )
        volumes.append([rest.volume, run.volume[0], run.volume[-1]])
    yield close("volumes relaxed and in a run, both signs", volumes[1], volumes[0], 1e-3 * volumes[0][0])


@case("3 frames with different labels", "masks by frame; E_lj by keys; no label counts as zero")
def different_labels() -> Iterator[Row]:
    path = folder() / "mixed.xyz"
    lattice = 'Lattice="0 1.78 1.78 1.78 0 1.78 1.78 1.78 0" Properties=species:S:1:pos:R:3:REF_forces:R:3 pbc="T T T"'
    carbon = "C 0 0 0 0.1 0 0\nC 0.89 0.89 0.9 -0.1 0 0\n"
    path.write_text(
        '1\nProperties=species:S:1:pos:R:3 pbc="F F F" config_type=IsolatedAtom REF_energy=-1.5\nC 0 0 0\n'
        f'2\n{lattice} REF_energy=-15.0 stress="0.01 0 0 0 0.01 0 0 0 0.01"\n{carbon}2\n{lattice} REF_energy=-15.1\n{carbon}'
    )
    found = quietly(lambda: md.Dataset.load(path))
    labelled = found.labelled
    yield same("energies", labelled["energies"], [True] * 3)
    yield same("forces", labelled["forces"], [False, True, True])
    yield same("virials", labelled["virials"], [False, True, False])
    potential = md.LennardJones(0.01, 1.4, cutoff=4.0)
    parts = [md.validate(potential, found[k : k + 1]) for k in (1, 2)]
    whole = md.validate(potential, found)
    both = np.sqrt(np.mean([p.force_error**2 for p in parts]))
    yield close("force error of the parts and the whole", whole.force_error, float(both), 1e-12 * float(both))
    odd_keys = odd("matscipy_misc", "training_data.xyz")
    yield refused("labels of other names", lambda: md.Dataset.load(odd_keys), "keys")
    lj = quietly(lambda: md.Dataset.load(odd_keys, keys={"energy": "E_lj", "forces": "F_lj"}))
    yield same("frames by keys", [len(lj), len(lj.atoms)], [30, 30])
    yield close("largest force by keys", lj.forces.min(), -8436.80972524, 1e-7)
    data = quietly(lambda: md.Dataset.load(odd("matscipy_misc", "test_data.xyz")))
    yield close("its own labels first", data.energies[0], -0.9743916502614107, 1e-12)
    made = md.deep_potential(("C",), md.SeE2A.new(1, cutoff=4.0, widths=(4, 8), axis=4), widths=(8,))
    trained = md.train(made, found, steps=5, batch=3, progress=False).potential
    yield same("five steps of training", np.isfinite(md.evaluate_batch(trained, found.systems)[1].energy), True)


@case("4 odd folders of DeePMD-kit", "open frames without virials; counts that differ refused")
def odd_folders() -> Iterator[Row]:
    for name in ("C1H4O2", "C4H3O1", "C3H3O4"):
        found = quietly(lambda name=name: md.Dataset.load(odd("deepmd_data", "examples", "nopbc", "data", name)))
        yield same(f"{name} is open, without virials", [found.periodic.any(), np.isfinite(found.virials).any()], [False, False])
        far = found[:1]
        moved = md.Dataset(**{n: getattr(far, n) for n in far.__dataclass_fields__} | {"positions": far.positions + 500.0})
        pair = md.LennardJones(0.01, 1.0, cutoff=6.0)
        a, b = (md.evaluate_batch(pair, d.systems)[0].energy for d in (far, moved))
        yield close(f"{name} shifted by 500", b, float(a), 1e-9 * abs(float(a)))
        if name == "C1H4O2":
            told = md.validate(pair, found[:2])
            yield same("no virial in the report", "virials" in repr(told), False)
    tests = "deepmd_data", "source", "tests"
    masked = odd(*tests, "tf", "data_dp_mask")
    yield refused("4 frames and 2", lambda: md.Dataset.load(masked), r"energy\.npy.*4|4.*energy\.npy")
    shutil.copytree(odd(*tests, "tf", "finetune", "data"), copy := folder() / "copy")
    force = copy / "set.000" / "force.npy"
    force.chmod(0o644), copy.chmod(0o755), force.parent.chmod(0o755)
    np.save(force, np.zeros((4, 0)))
    yield refused("forces of no columns", lambda: md.Dataset.load(copy), r"force\.npy.*\(4, 0\)")
    types = odd(*tests, "tf", "data_modifier", "sys_10")
    yield warned("types that are no elements", lambda: md.Dataset.load(types).systems, "Type_0")
    water = odd(*tests, "pt", "model", "water", "data", "single")
    yield warned("fparam and aparam are not read", lambda: md.Dataset.load(water), "fparam")


def small(names: Any, **options: Any) -> Any:
    """A Deep Potential with places for its neighbours and random nets."""
    descriptor = md.SeE2A.new(len(names), cutoff=4.0, sel=(60,) * len(names), widths=(4, 8), axis=4, key=3)
    model = md.deep_potential(names, descriptor, widths=(8, 8), key=3)
    return eqx.tree_at(lambda m: m.bias, model, np.arange(1.0, 1 + len(names)))


@case("5 type_map in another order", "energies bit-identical; an unknown species that is used is named")
def type_maps() -> Iterator[Row]:
    source = odd("deepmd_data", "source", "tests", "tf", "finetune", "data")
    copies = []
    for k, names in enumerate(("O H", "H O", "O H D", "D H O")):
        shutil.copytree(source, copy := folder() / f"copy{k}")
        for path in (copy / "type_map.raw", copy / "type.raw"):
            path.chmod(0o644)
        kinds = np.loadtxt(source / "type.raw", dtype=int)
        old = (source / "type_map.raw").read_text().split()
        new = names.split()
        (copy / "type_map.raw").write_text("\n".join(new))
        np.savetxt(copy / "type.raw", [new.index(old[i]) for i in kinds], fmt="%d")
        copies.append(quietly(lambda copy=copy: md.Dataset.load(copy)))
    model = small(("O", "H"))
    energies = [[float(e.energy) for e in md.evaluate_batch(model, d.systems[:2])] for d in copies]
    yield same("model order O H, data H O", energies[1], energies[0])
    yield same("an unused D", energies[2], energies[0])
    yield same("an unused D before", energies[3], energies[0])
    three = small(("H", "D", "O"))
    first = [float(e.energy) for e in md.evaluate_batch(three, copies[0].systems[:2])]
    second = [float(e.energy) for e in md.evaluate_batch(three, copies[3].systems[:2])]
    yield same("model order H D O", second, first)
    used = md.Dataset(**{n: getattr(copies[3], n) for n in copies[3].__dataclass_fields__} | {"names": ("O", "H", "D")})
    yield refused("a D that is used", lambda: md.validate(model, used), "does not know D")
    yield refused("a D that is used, in train", lambda: md.train(model, used, steps=1, progress=False), "has D")
    shutil.copytree(source, bare := folder() / "bare")
    bare.chmod(0o755)
    (bare / "type_map.raw").unlink()
    yield refused("no type_map.raw", lambda: md.Dataset.load(bare), "type_map.raw|names")


@case("6 mixed-type folders", "both layouts give the same frames; types by frame; sets join")
def mixed_type() -> Iterator[Row]:
    base = "deepmd_data", "source", "tests", "tf", "finetune"
    plain, mixed = (quietly(lambda n=n: md.Dataset.load(odd(*base, n))) for n in ("data", "data_mixed_type"))
    model = small(("O", "H"))
    a, b = (md.evaluate_batch(model, d.renamed(["O", "H"]).systems) for d in (plain, mixed))
    yield close("energies in both layouts", [e.energy for e in a], [e.energy for e in b], 1e-9)
    size = lambda d: np.linalg.norm(d.forces)  # noqa: E731
    yield close("forces in both layouts", size(mixed), float(size(plain)), 1e-12 * float(size(plain)))
    path = folder() / "two"
    rng = np.random.default_rng(0)
    path.mkdir()
    (path / "type_map.raw").write_text("O\nH\nC\n")
    np.savetxt(path / "type.raw", np.zeros(10, int), fmt="%d")
    kinds = {"set.000": np.tile([2] + [0] * 4 + [1] * 5, (6, 1)), "set.001": np.tile([0] * 5 + [1] * 5, (3, 1))}
    for name, types in kinds.items():
        (path / name).mkdir()
        n = len(types)
        for what, shape in (("coord", (n, 30)), ("force", (n, 30)), ("energy", (n,))):
            np.save(path / name / f"{what}.npy", rng.random(shape) * 9)
        np.save(path / name / "box.npy", np.tile(10 * np.eye(3).ravel(), (n, 1)))
        np.save(path / name / "real_atom_types.npy", types)
    found = quietly(lambda: md.Dataset.load(path))
    order = [found.names.index(n) for n in ("O", "H", "C")]
    yield same("compositions of two sets", found.counts[:, order].tolist(), [[4, 5, 1]] * 6 + [[5, 5, 0]] * 3)
    for name in kinds:
        (path / name / "real_atom_types.npy").unlink()
    yield warned("no real_atom_types.npy", lambda: md.Dataset.load(path), "real_atom_types.npy")


@case("7 padding with type -1", "pads dropped: energies, errors and distances of the frames alone")
def padding() -> Iterator[Row]:
    three = md.system([[0, 0, 0], [2.0, 0, 0], [0, 2.2, 0]], ["O", "H", "H"], cell=12.0)
    five = md.system(
        [[1.0, 1, 1], [3, 1, 1], [1, 3.3, 1], [5, 5, 5], [7.5, 5, 5]], ["O", "H", "H", "O", "H"], cell=12.0
    )
    path = folder() / "padded"
    (path / "set.000").mkdir(parents=True)
    (path / "type_map.raw").write_text("O\nH\n")
    np.savetxt(path / "type.raw", np.zeros(5, int), fmt="%d")
    rng = np.random.default_rng(1)
    forces = [rng.normal(size=(3, 3)), rng.normal(size=(5, 3))]
    rows: dict[str, list[Any]] = {"coord": [], "force": [], "real_atom_types": []}
    for atoms, force in zip((three, five), forces, strict=True):
        pad = 5 - atoms.atoms
        rows["coord"].append(np.r_[np.asarray(atoms.positions).ravel(), np.zeros(3 * pad)])
        rows["force"].append(np.r_[force.ravel(), np.zeros(3 * pad)])
        rows["real_atom_types"].append(np.r_[np.asarray(atoms.species), -np.ones(pad, int)])
    for name, value in rows.items():
        np.save(path / "set.000" / f"{name}.npy", np.array(value))
    np.save(path / "set.000" / "box.npy", np.tile(12 * np.eye(3).ravel(), (2, 1)))
    np.save(path / "set.000" / "energy.npy", np.array([-1.0, -2.0]))
    found = quietly(lambda: md.Dataset.load(path))
    yield same("real atoms", found.atoms, [3, 5])
    yield close("the smallest distance", found.nearest, 2.0, 1e-12)
    model = small(("O", "H"))
    together, alone = md.evaluate_batch(model, found.systems), [md.evaluate_batch(model, [s])[0] for s in (three, five)]
    yield close("energies", [e.energy for e in together], [e.energy for e in alone], 1e-12)
    squares = [np.sum((a.forces - f) ** 2) for a, f in zip(alone, forces, strict=True)]
    yield close("force error over real atoms", md.validate(model, found).force_error, float(np.sqrt(sum(squares) / 24)), 1e-12)
