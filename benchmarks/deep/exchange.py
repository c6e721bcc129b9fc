"""Descriptors of DeePMD-kit: its files through us, and ours through it, with random weights.

    DEEPMD_ENV=ENV python benchmarks/deep/exchange.py    (ENV with deepmd-kit[cpu]; writes results/deep_exchange.json)
    ... exchange.py --record                             (writes tests/md/deep/deepmd_cases/ too)

DeePMD-kit's numpy code gives energies of atoms, whose differences are forces, good to 1e-10 eV/angstrom; where its TensorFlow
code takes a file, that gives both. The two differ for DPA-1: TensorFlow's takes 1 as the scale of Q K^T whatever the file says,
and is compared with a model of ours that does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "md")]

from lattices import evaluated  # noqa: E402
from rows import Row, header  # noqa: E402

from sciml import md  # noqa: E402

MARK = 1e-9
ENV = Path(os.environ.get("DEEPMD_ENV", "/work/venvs/peer_deepmd"))
TENSORFLOW = ("se_e2_r", "se_e3", "hybrid", "dpa1_not_smooth", "dpa1_gate")
RECORDED = ("se_e2_r", "se_e3", "hybrid_with_dpa1", "dpa1_gate", "dpa1_gate_without_attention", "zbl")


def load(path: Path) -> Any:
    return (md.JoinedPotential if path.stem == "zbl" else md.DeepPotential).load(path)


def peer(*command: Any) -> None:
    """In DeePMD-kit's environment."""
    around = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XLA_FLAGS", "JAX_PLATFORMS")}
    around |= {"LD_LIBRARY_PATH": str(ENV / "lib"), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=around)
    if done.returncode:
        raise RuntimeError(done.stderr[-800:])


def theirs(folder: Path) -> None:
    peer(ENV / "bin/python", HERE / "peer_models.py", "numpy", folder)
    for name in TENSORFLOW:
        peer(ENV / "bin/dp", "convert-backend", folder / f"{name}.dp", folder / f"{name}.pb")
    peer(ENV / "bin/python", HERE / "peer_models.py", "tensorflow", folder)


def compared(folder: Path, how: str) -> list[Row]:
    given, found = np.load(folder / "atoms.npz"), []
    for path in sorted(folder.glob("*.dp")):
        model = load(path)
        names = [model.names[k] for k in given["kinds"]]
        atoms = md.system(given["coord"], names, cell=given["box"], periodic=True, masses=1.0)
        for backend in ("numpy", "tensorflow"):
            if not (written := path.with_suffix(f".{backend}.npz")).exists():
                continue
            wanted = np.load(written)
            unscaled = backend == "tensorflow" and isinstance(model.descriptor, md.SeAtten)
            ours = evaluated(without_scale(model) if unscaled else model, atoms)
            off = {
                "energies of atoms": float(np.max(np.abs(np.asarray(ours.atom_energies) - wanted["each"]))),
                "forces": float(np.max(np.abs(np.asarray(ours.forces) - wanted["forces"]))),
            }
            text = ", ".join(f"{what} {value:.0e}" for what, value in off.items())
            details = off | {"largest force": float(np.max(np.abs(wanted["forces"])))}
            name = f"{path.stem}, {how}, by its {backend}{', scale 1' * unscaled}"
            row = Row(name, f"{MARK:g}", text, max(off.values()) < MARK, None, details)
            print("met   " if row.met else "MISSED", f"{row.name}: {text}", flush=True)
            found.append(row)
    return found


def without_scale(model: md.DeepPotential) -> md.DeepPotential:
    layers = tuple(dataclasses.replace(layer, temperature=1.0) for layer in model.descriptor.attention)
    return dataclasses.replace(model, descriptor=dataclasses.replace(model.descriptor, attention=layers))


def changed(model: Any) -> Any:
    """Every weight is changed at random by a hundredth: the numbers are not those of the file that was read."""
    rng = np.random.default_rng(1)
    near = getattr(model, "near", None)
    other = jax.tree.map(lambda a: np.asarray(a) * (1 + 1e-2 * rng.normal(size=np.shape(a))), model)
    for part in (d for d in jax.tree.leaves(other, is_leaf=is_isotropic) if is_isotropic(d)):
        part.dstd[..., -3:] = part.dstd[..., -1:]
    return other if near is None else dataclasses.replace(other, near=md.ZBL(model.names, start=1.0, cutoff=2.5))


def is_isotropic(d: Any) -> bool:
    return isinstance(d, (md.SeE2A, md.SeE3, md.SeAtten))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help="write tests/md/deep/deepmd_cases too")
    record, began = parser.parse_args().record, time.time()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        made, saved = Path(one), Path(two)
        peer(ENV / "bin/python", HERE / "peer_models.py", "make", made)
        theirs(made)
        rows = compared(made, "DeePMD-kit's file")
        shutil.copy(made / "atoms.npz", saved)
        for path in made.glob("*.dp"):
            changed(load(path)).save(saved / path.name)
        theirs(saved)
        rows += compared(saved, "our file")
        if record:
            write_cases(made)
    report = {"header": header() | {"seconds": time.time() - began}, "rows": [dataclasses.asdict(r) for r in rows]}
    (HERE.parent / "results/deep_exchange.json").write_text(json.dumps(report, indent=1) + "\n")


def write_cases(made: Path) -> None:
    folder = HERE.parents[1] / "tests/md/deep/deepmd_cases"
    folder.mkdir(exist_ok=True)
    results = {name: np.load(made / f"{name}.numpy.npz") for name in RECORDED}
    arrays = {f"{name}_{what}": found[what] for name, found in results.items() for what in ("each", "forces")}
    np.savez_compressed(folder / "wanted.npz", **arrays, **np.load(made / "atoms.npz"))
    for name in RECORDED:
        shutil.copy(made / f"{name}.dp", folder)


if __name__ == "__main__":
    main()
