"""Deep Potential against DeePMD-kit: its own reference case, a model of water, and models that we write and it reads."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from identities import six_atoms
from lattices import DATA, evaluated
from rows import Row, case

from sciml import md

# energy, force, virial of a model in DeePMD-kit's own environment
PEER = """
import sys
import numpy as np
from deepmd.infer import DeepPot
model, given, out = sys.argv[1:4]
x = np.load(given)
e, f, v = DeepPot(model).eval(x["coord"].reshape(1, -1), x["box"].reshape(1, 9) if x["box"].size else None, x["kinds"])[:3]
np.savez(out, energy=e.ravel()[0], forces=f.reshape(-1, 3), virial=v.reshape(3, 3))
"""


def ours(model: md.DeepPotential, coord: Any, box: Any, kinds: Any) -> md.Evaluation:
    names = [model.names[k] for k in kinds]
    atoms = md.system(np.reshape(coord, (-1, 3)), names, cell=box, periodic=box is not None, masses=1.0)
    return evaluated(model, atoms)


def furthest(a: Any, b: Any) -> float:
    return float(np.max(np.abs(np.ravel(a) - np.ravel(b))))


@case
def deepmd_case() -> Iterator[Row]:
    import yaml

    model = md.DeepPotential.load(DATA / "deepmd/deeppot_sea.yaml")
    totals = {"in 13 x 13 x 13": -929.7371700503966, "without a box": -929.7134632564031, "in 19 x 13 x 13": -929.7134632564031}
    for wanted in yaml.safe_load((DATA / "deepmd/deeppot-testcase.yaml").read_text())["results"]:
        box = None if wanted.get("box") is None else np.reshape(wanted["box"], (3, 3))
        name = "without a box" if box is None else "in " + " x ".join(f"{edge:g}" for edge in np.diag(box))
        found = ours(model, wanted["coord"], box, wanted["atype"])
        off = {
            "total": abs(float(found.energy) - totals[name]),
            "atom energies": furthest(found.atom_energies, wanted["atomic_energy"]),
            "forces": furthest(found.forces, wanted["force"]),
            "atom virials": furthest(found.atom_virials, wanted["atomic_virial"]),
        }
        text = ", ".join(f"{what} {value:.0e}" for what, value in off.items())
        yield Row(f"DeePMD-kit's reference case, {name}", "1e-10", text, max(off.values()) < 1e-10, None, off)


@case
def deepmd_water() -> Iterator[Row]:
    model = md.DeepPotential.load(DATA / "deepmd/water_a.dp")
    wanted = np.load(DATA / "deepmd/water_a_reference.npz")
    found = ours(model, wanted["coord"][0], wanted["box"][0].reshape(3, 3), wanted["atype"])
    off = {
        "energy of an atom": abs(float(found.energy) - float(wanted["energy"][0, 0])) / len(wanted["atype"]),
        "forces": furthest(found.forces, wanted["force"][0]),
        "virial": furthest(found.virial, wanted["virial"][0]),
    }
    text = ", ".join(f"{what} {value:.0e}" for what, value in off.items())
    virial = float(np.max(np.abs(wanted["virial"])))
    yield Row("water_a.dp, 192 atoms", "1e-10", text, max(off.values()) < 1e-10, None, off | {"largest_virial": virial})


def deepmd_kit(path: Path, coord: np.ndarray, box: np.ndarray | None, kinds: np.ndarray) -> Any:
    """What DeePMD-kit computes with a `.dp` file, which it converts first."""
    env = Path(os.environ.get("DEEPMD_ENV", "/work/venvs/peer_deepmd"))
    folder = path.parent
    given, out, script, converted = (folder / name for name in ("in.npz", "out.npz", "peer.py", path.stem + ".pb"))
    np.savez(given, coord=coord, box=np.zeros(0) if box is None else box, kinds=kinds)
    script.write_text(PEER)
    drop = ("PYTHONPATH", "XLA_FLAGS", "JAX_PLATFORMS")
    around = {k: v for k, v in os.environ.items() if k not in drop}
    around |= {"LD_LIBRARY_PATH": str(env / "lib"), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for command in (
        [env / "bin/dp", "convert-backend", path, converted],
        [env / "bin/python", script, converted, given, out],
    ):
        done = subprocess.run(command, capture_output=True, text=True, env=around, cwd=folder)
        if done.returncode:
            raise RuntimeError(done.stderr[-600:])
    return np.load(out)


@case
def deepmd_reads_ours() -> Iterator[Row]:
    """Parameters are changed at random by a thousandth: the numbers are not those of the file that was read."""
    rng = np.random.default_rng(0)
    water = np.load(DATA / "deepmd/water_a_reference.npz")
    six = six_atoms(("A", "B"))
    for file, coord, cell, kinds in (
        ("water_a.dp", water["coord"][0].reshape(-1, 3), water["box"][0].reshape(3, 3), water["atype"]),
        ("deeppot_sea.yaml", six.positions, six.cell, six.species),
        ("deeppot_sea.yaml", six.positions, None, six.species),
    ):
        model = md.DeepPotential.load(DATA / "deepmd" / file)
        model = jax.tree.map(lambda a: np.asarray(a) * (1 + 1e-3 * rng.normal(size=np.shape(a))), model)
        found = ours(model, coord, cell, kinds)
        with tempfile.TemporaryDirectory() as folder:
            theirs = deepmd_kit(model.save(Path(folder) / "ours.dp"), coord, cell, kinds)
        off = {"energy of an atom": abs(float(found.energy) - float(theirs["energy"])) / len(kinds)}
        off["forces"] = furthest(found.forces, theirs["forces"])
        if cell is not None:
            off["virial"] = furthest(found.virial, theirs["virial"])
        text = ", ".join(f"{what} {value:.0e}" for what, value in off.items())
        place = "" if cell is not None else " without a box"
        name = f"{file} changed, saved by us, read by DeePMD-kit, {len(kinds)} atoms{place}"
        details = off | {"energy": float(theirs["energy"])}
        yield Row(name, "1e-10", text, max(off.values()) < 1e-10, None, details)
