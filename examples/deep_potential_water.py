"""Liquid water with a model of DeePMD-kit, at constant volume and temperature.

Deep Potential, smooth edition (Zhang et al. 2018, arXiv 1805.09003): energies of atoms are networks of what stands around
them, trained on density-functional energies and forces. A model that `dp train` made is read without DeePMD-kit:

    dp convert-backend frozen_model.pb water.dp       # or .pth, once, where DeePMD-kit is installed
    python examples/deep_potential_water.py water.dp

Without an argument the script takes $SCIML_DATA/deepmd/water_a.dp, a small model after a short training: within a picosecond
two molecules fall into each other, where it has learned no repulsion. The run then stops, says which atoms they were, and what
was measured until then is shown. A model that was trained for long goes on. The start is the first frame of DeePMD-kit's
water example, 64 molecules at 330 K: the folder examples/water/data of https://github.com/deepmodeling/deepmd-kit, as
$SCIML_DATA/water. `--quick` needs neither: it writes and reads a small model with random weights, which is no water, and runs
a few steps of 8 molecules.
"""

import argparse
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sciml import md

TEMPERATURE = 330.0
DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).parents[2] / "shared" / "data"))


def water() -> md.System:
    """The first frame of the data."""
    folder = DATA / "water" / "data_0"
    if not folder.exists():
        raise SystemExit(f"{folder} is not here: see the top of this script, or run it with --quick.")
    names = np.array((folder / "type_map.raw").read_text().split())[np.loadtxt(folder / "type.raw", dtype=int)]
    positions, box = (np.load(folder / "set.000" / f"{name}.npy")[0] for name in ("coord", "box"))
    return md.system(positions.reshape(-1, 3), names.tolist(), cell=box.reshape(3, 3))


def molecules(count: int = 2, edge: float = 3.1) -> md.System:
    """Molecules on a cubic lattice, turned at random."""
    shape = np.array([[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]])
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*[np.arange(count)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * edge
    turned = [place + shape @ np.linalg.qr(rng.normal(size=(3, 3)))[0] for place in places]
    return md.system(np.concatenate(turned), ["O", "H", "H"] * len(places), cell=count * edge)


def random_model(folder: str) -> Path:
    """A model in the format of DeePMD-kit (`.yaml`), with random weights."""
    import yaml

    rng = np.random.default_rng(1)
    sel, widths, axis = [20, 40], [4, 8], 3

    def array(value):
        values = np.asarray(value).tolist()
        return {"@class": "np.ndarray", "@is_variable": True, "@version": 1, "dtype": "float64", "value": values}

    def network(sizes, residual, last):
        layers = []
        for a, b in zip(sizes, sizes[1:], strict=False):
            final = last and b == 1
            weights = {"w": array(rng.normal(size=(a, b)) / np.sqrt(a + b)), "b": array(0.1 * rng.normal(size=b)), "idt": None}
            layers.append(
                {"activation_function": "none" if final else "tanh", "resnet": residual and not final, "@variables": weights}
            )
        return {"layers": layers}

    descriptor = {
        "type": "se_e2_a", "rcut": 4.0, "rcut_smth": 0.5, "sel": sel, "axis_neuron": axis, "type_one_side": True,
        "embeddings": {"ndim": 1, "networks": [network([1, *widths], True, False) for _ in sel]},
        "@variables": {"davg": array(np.zeros((2, sum(sel), 4))), "dstd": array(np.full((2, sum(sel), 4), 0.1))},
    }  # fmt: skip
    fitting = {
        "type": "ener", "nets": {"ndim": 1, "networks": [network([widths[-1] * axis, 8, 1], True, True) for _ in sel]},
        "@variables": {"bias_atom_e": array(np.zeros((2, 1)))},
    }  # fmt: skip
    parts = {"descriptor": descriptor, "fitting": fitting, "@variables": {"out_bias": array(np.zeros((1, 2, 1)))}}
    tree = {"model": {"type": "standard", "type_map": ["O", "H"], **parts}}
    path = Path(folder) / "random.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def main(quick: bool, model: str | None = None) -> None:
    if quick:
        with tempfile.TemporaryDirectory() as folder:
            potential = md.DeepPotential.load(random_model(folder))
        atoms = molecules()
    else:
        potential = md.DeepPotential.load(model or DATA / "deepmd" / "water_a.dp")
        atoms = water()
    print(potential)
    print(atoms)
    timestep, warm, steps, every = (0.2, 20, 100, 5) if quick else (0.5, 200, 8000, 4)
    ensemble = md.Langevin(temperature=TEMPERATURE, friction=5e-3)
    start = md.simulate(md.thermal(atoms, TEMPERATURE), potential, ensemble, steps=warm, timestep=timestep, every=every)
    print(f"warmed up: {start.temperature[-1]:.0f} K")
    between = [("O", "O"), ("O", "H"), ("H", "H")]
    end = 0.5 * float(atoms.cell[0, 0])
    shells = [md.RadialDistribution(end=end, bins=40 if quick else 150, between=pair) for pair in between]
    vibrations = md.VelocityAutocorrelation(length=10 if quick else 250)
    run = md.simulate(
        start.atoms, potential, md.Rescaling(temperature=TEMPERATURE), steps=steps, timestep=timestep, every=every,
        callbacks=[*shells, vibrations], key=1, throw=False,
    )  # fmt: skip
    print(run)
    drift = np.ptp(run.conserved) / atoms.atoms
    print(f"temperature {md.mean(run.temperature)} K, energy {md.mean(run.potential_energy / atoms.atoms)} eV per atom")
    print(f"the conserved quantity stays within {1e3 * drift:.3f} meV per atom")

    output = Path(__file__).parent / "output" / "deep_potential_water.png"
    output.parent.mkdir(exist_ok=True)
    title = "random weights: no water" if quick else "" if run.converged else "until atoms fell into each other"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for g, pair in zip(shells, between, strict=True):
        g.plot(left).lines[-1].set_label("-".join(pair))
    left.set(xlabel="r [angstrom]", ylabel="g(r)", title=title, ylim=(0, 5))
    left.legend()
    spectrum = vibrations.spectrum
    wavenumber = 33356.4  # 1/cm for a frequency of 1/fs
    names = ("frequency [1/cm]", "density of states [cm]")
    md.Curve(wavenumber * spectrum.x, spectrum.y / wavenumber, spectrum.error / wavenumber, names).plot(right)
    right.set(title="vibrations, all atoms", xlim=(0, 4500))
    figure.savefig(output, dpi=150)
    print(f"saved {output}")
    assert drift < 2e-3 and (run.converged or not quick)
    if not quick:
        oo, oh = shells[0].curve, shells[1].curve
        first = oo.x[np.argmax(oo.y)]
        bond = oh.x[np.argmax(oh.y)]
        print(f"nearest oxygen at {first:.2f} angstrom (experiment 2.8), bond O-H {bond:.2f} (0.97)")
        assert abs(bond - 0.99) < 0.06
        if run.converged:  # otherwise the model is none of water
            assert abs(first - 2.8) < 0.15 and abs(md.mean(run.temperature).value - TEMPERATURE) < 15


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a model of DeePMD-kit, .dp or .yaml")
    parser.add_argument("--quick", action="store_true", help="a random model and 8 molecules, for CI")
    arguments = parser.parse_args()
    main(arguments.quick, arguments.model)
