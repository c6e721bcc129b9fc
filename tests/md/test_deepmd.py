"""Models of DeePMD-kit, and what DeePMD-kit computes with them."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sciml
from sciml import md

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[2] / "../shared/data")) / "deepmd"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here: set SCIML_DATA")


def evaluated(model, coord, box, kinds):
    names = [model.names[k] for k in kinds]
    atoms = md.system(coord, names, cell=box, periodic=box is not None, masses=1.0)
    order = [atoms.names.index(n) if n in atoms.names else 0 for n in model.names]
    assert order == sorted(order)  # the first atom is of the model's first type
    with sciml.float64():
        neighbours = md.allocate(atoms, model.cutoff, skin=0.0)
        found = jax.jit(md.evaluate)(model, jax.tree.map(jnp.asarray, atoms), neighbours)
    return jax.tree.map(np.asarray, found)


def test_deepmd_kits_own_case():
    yaml = pytest.importorskip("yaml")
    model = md.DeepPotential.load(DATA / "deeppot_sea.yaml")
    for case in yaml.safe_load((DATA / "deeppot-testcase.yaml").read_text())["results"]:
        box = None if case.get("box") is None else np.reshape(case["box"], (3, 3))
        found = evaluated(model, np.reshape(case["coord"], (-1, 3)), box, case["atype"])
        np.testing.assert_allclose(found.atom_energies, np.ravel(case["atomic_energy"]), atol=1e-10)
        np.testing.assert_allclose(found.forces.ravel(), np.ravel(case["force"]), atol=1e-10)
        np.testing.assert_allclose(found.atom_virials.ravel(), np.ravel(case["atomic_virial"]), atol=1e-10)


def test_a_model_of_water():
    pytest.importorskip("h5py")
    model = md.DeepPotential.load(DATA / "water_a.dp")
    wanted = np.load(DATA / "water_a_reference.npz")
    found = evaluated(model, wanted["coord"][0].reshape(-1, 3), wanted["box"][0].reshape(3, 3), wanted["atype"])
    assert abs(float(found.energy) - wanted["energy"][0, 0]) < 1e-10 * 192
    np.testing.assert_allclose(found.atom_energies, wanted["atom_energy"][0, :, 0], atol=1e-9)
    np.testing.assert_allclose(found.forces, wanted["force"][0], atol=1e-10)
    np.testing.assert_allclose(found.virial.ravel(), wanted["virial"][0], atol=1e-9)
