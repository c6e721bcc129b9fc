"""Every potential against LAMMPS on random triclinic cells, small ones too: benchmarks/md/lammps_reference.py."""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md

CASES = json.loads((Path(__file__).parent / "lammps.json").read_text())
EAM = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[2] / "../shared/data")) / "eam"


def potential(name):
    if name.startswith("eam") and not EAM.exists():
        pytest.skip(f"{EAM} is not here: set SCIML_DATA")
    return {
        "lennard_jones": lambda: md.LennardJones(
            jnp.array([[0.0104, 0.015], [0.015, 0.02]]), jnp.array([[3.4, 3.2], [3.2, 3.0]]), cutoff=7.5
        ),
        "lennard_jones_shifted": lambda: md.LennardJones(0.0104, 3.4, cutoff=8.5, shift=True),
        "morse": lambda: md.Morse(0.3429, 1.3588, 2.866, cutoff=6.0),
        "buckingham": lambda: md.Buckingham(1388.773, 0.36231884, 175.0, cutoff=7.0),
        "stillinger_weber": lambda: md.StillingerWeber(cos0=-0.333333333333),
        "eam_Cu_u3": lambda: md.load_eam(EAM / "Cu_u3.eam"),
        "eam_Cu_Zhou": lambda: md.load_eam(EAM / "Cu_Zhou.eam.alloy"),
        "eam_Au": lambda: md.load_eam(EAM / "Au-Grochola-JCP05.eam.alloy"),
    }[name]()


@pytest.mark.parametrize("name", CASES)
def test_energy_forces_and_virial(name):
    with sciml.float64():
        model = potential(name)
        evaluate = jax.jit(md.evaluate)
        for case in CASES[name]["cases"]:
            names = [CASES[name]["species"][k] for k in case["types"]]
            atoms = md.system(case["positions"], names, cell=case["cell"], masses=1.0)
            if atoms.names != tuple(CASES[name]["species"]):  # in the order of the potential's tables
                atoms = md.System(
                    atoms.positions, np.array(case["types"], np.int32), atoms.cell, atoms.masses, names=tuple(CASES[name]["species"])
                )
            found = evaluate(model, jax.tree.map(jnp.asarray, atoms), md.allocate(atoms, model.cutoff, skin=0.3))
            scale = np.abs(case["forces"]).max()
            np.testing.assert_allclose(found.energy, case["energy"], rtol=1e-11)
            np.testing.assert_allclose(found.forces, case["forces"], atol=1e-11 * scale)
            np.testing.assert_allclose(found.virial, case["virial"], atol=1e-11 * np.abs(case["virial"]).max())
            np.testing.assert_allclose(np.sum(found.atom_energies), case["energy"], rtol=1e-11)
