"""Models and data to and from DeePMD-kit, and a model made faster on the way.

    dp convert-backend frozen_model.pb water.dp       # where DeePMD-kit is installed; or .pth, .savedmodel
    python examples/deepmd_exchange.py water.dp

The model is read without DeePMD-kit. Its embedding nets, functions of one number, become Chebyshev series, whose error is
chosen. What that costs and brings is measured: nets of the usual 25-50-100 gain most, small ones little. Then the model and a
few labelled frames are written for DeePMD-kit, read back, and compared. Where DeePMD-kit is installed (`dp` on the PATH, or its
environment in $DEEPMD_ENV), it converts the file to TensorFlow, computes the frames itself, and both are compared.

Without an argument the script takes $SCIML_DATA/deepmd/water_a.dp and the first frames of DeePMD-kit's water example,
$SCIML_DATA/water. Where they are not, and with `--quick`, a small model with random weights, which is no water, and a few
molecules take their place.
"""

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path

import equinox as eqx
import jax
import matplotlib.pyplot as plt
import numpy as np

import sciml
from sciml import md

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[2] / "shared" / "data"))
OUTPUT = Path(__file__).parent / "output"


def molecules(count: int = 3, edge: float = 3.1, seed: int = 0) -> md.System:
    """Water molecules on a cubic lattice, turned at random."""
    shape = np.array([[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]])
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*[np.arange(count)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * edge
    turned = [place + shape @ np.linalg.qr(rng.normal(size=(3, 3)))[0] for place in places]
    return md.system(np.concatenate(turned), ["O", "H", "H"] * len(places), cell=count * edge)


def given(quick: bool, path: str | None) -> tuple[md.DeepPotential, list[md.System]]:
    """A model and frames for it."""
    file = Path(path) if path else DATA / "deepmd" / "water_a.dp"
    if path or (not quick and file.exists() and (DATA / "water").exists()):
        model = md.DeepPotential.load(file)
        if (DATA / "water").exists():
            return model, md.Dataset.load(DATA / "water" / "data_0")[:5].systems
    else:
        if not quick:
            print(f"{file} or {DATA / 'water'} is not here: see the top of this script. A random model is taken instead.")
        descriptor = md.SeE2A.new(2, cutoff=4.0, sel=[30, 60])
        descriptor = eqx.tree_at(lambda d: d.dstd, descriptor, 0.1 * descriptor.dstd)  # inputs of nets of order one
        model = md.deep_potential(("O", "H"), descriptor, widths=(40, 40))
    return model, [molecules(seed=k) for k in range(3)]


evaluate = eqx.filter_jit(md.evaluate)


def measured(model: md.DeepPotential, atoms: md.System) -> tuple[float, np.ndarray, float]:
    """Energy [eV], forces [eV/angstrom], and the seconds that they take."""
    with sciml.float64():
        around = md.neighbours_for(atoms, model)
        found = jax.block_until_ready(evaluate(model, atoms, around))
        times = []
        for _ in range(20):
            began = time.perf_counter()
            jax.block_until_ready(evaluate(model, atoms, around))
            times.append(time.perf_counter() - began)
    return float(found.energy), np.asarray(found.forces), min(times)


def by_deepmd(model: Path, data: md.Dataset, folder: Path) -> None:
    """What DeePMD-kit says of the model and the data, where it is installed."""
    home = os.environ.get("DEEPMD_ENV")
    dp = Path(home) / "bin" / "dp" if home else shutil.which("dp")
    if dp is None or not Path(dp).exists():
        print("DeePMD-kit is not here (no dp on the PATH, no $DEEPMD_ENV): it is not asked. To go on with the files there:")
        print(f"    dp convert-backend {model} {model.with_suffix('.pb')}")
        print(f"    dp test -m {model.with_suffix('.pb')} -s {folder} -d detail")
        return
    # An environment of its own, with libraries of its own.
    around = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XLA_FLAGS", "JAX_PLATFORMS")}
    around |= {"LD_LIBRARY_PATH": str(Path(home) / "lib")} if home else {}
    commands = [
        ["convert-backend", model, model.with_suffix(".pb")],
        ["test", "-m", model.with_suffix(".pb"), "-s", folder, "-d", folder / "detail", "-n", str(len(data))],
    ]
    for command in commands:
        print("   ", "dp", *command)
        subprocess.run([str(dp), *map(str, command)], env=around, check=True, capture_output=True)
    # Columns of the labels, which are ours, and of what DeePMD-kit found.
    energies, forces = (np.loadtxt(f"{folder / 'detail'}.{what}.out", ndmin=2) for what in ("e", "f"))
    off_energy = np.abs(energies[:, 1] - energies[:, 0]).max() / data.atoms[0]
    off_force = np.abs(forces[:, 3:] - forces[:, :3]).max()
    print(f"DeePMD-kit, same model and frames: energies within {off_energy:.0e} eV/atom, forces within {off_force:.0e} eV/A")
    assert off_energy < 1e-9 and off_force < 1e-8


def main(quick: bool, path: str | None = None) -> None:
    model, frames = given(quick, path)
    print(model)
    data = md.Dataset.of(md.label(frames, md.ase_calculator(model)))
    nearest = model.closest or 0.8 * data.nearest  # down to which distance series are made

    energy, forces, seconds = measured(model, frames[0])
    atoms = frames[0].atoms
    print(f"one frame of {atoms} atoms: {energy:.6f} eV in {1e3 * seconds:.1f} ms")
    tolerances = (1e-3, 1e-7) if quick else (1e-3, 1e-5, 1e-7, 1e-9)
    rows = []
    for tolerance in tolerances:
        series = model.compressed(nearest=nearest, tolerance=tolerance)
        e, f, t = measured(series, frames[0])
        rows.append((abs(e - energy) / atoms, np.abs(f - forces).max(), t))
        print(f"compressed to {tolerance:.0e}: {1e3 * t:.1f} ms, {seconds / t:.1f} times faster; ", end="")
        print(f"energy off by {rows[-1][0]:.0e} eV/atom, forces by {rows[-1][1]:.0e} eV/angstrom")
    off_energy, off_force, times = np.array(rows).T

    folder = OUTPUT / "deepmd_exchange"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = series.save(folder / "model.dp")  # the nets themselves are in it, not the series
    again = md.DeepPotential.load(file)
    e, f, _ = measured(again, frames[0])
    print(f"saved {file} and loaded again: the same numbers: {e == energy and np.array_equal(f, forces)}")

    data.write(folder / "data")
    back = md.Dataset.load(folder / "data")
    same = all(np.array_equal(getattr(data, k), getattr(back, k)) for k in ("positions", "energies", "forces", "virials"))
    print(f"wrote {folder / 'data'} and read it back, digit by digit: {same}\n{back}")
    by_deepmd(file, data, folder / "data")

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for off, style, name in ((off_force, "o-", "forces [eV/angstrom]"), (off_energy, "s-", "energy [eV/atom]")):
        left.loglog(tolerances, np.maximum(off, 1e-17), style, label=name)
    left.set(xlabel="tolerance of the series", ylabel="off by at most")
    left.legend()
    right.semilogx(tolerances, 1e3 * times, "o-", label="series")
    right.axhline(1e3 * seconds, color="0.4", ls="--", label="nets")
    right.set(xlabel="tolerance of the series", ylabel=f"{atoms} atoms, energy and forces [ms]", ylim=(0, None))
    right.legend()
    picture = OUTPUT / "deepmd_exchange.png"
    figure.savefig(picture, dpi=150)
    print(f"saved {picture}")
    assert off_energy[-1] < 1e-7 and off_force[-1] < 1e-6
    assert np.array_equal(f, forces) and same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a model of DeePMD-kit, .dp or .yaml")
    parser.add_argument("--quick", action="store_true", help="a small random model, for CI")
    arguments = parser.parse_args()
    main(arguments.quick, arguments.model)
