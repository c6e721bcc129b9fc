"""A Deep Potential for liquid water, trained on quantum data, and a short run with it.

The data are those of DeePMD-kit's water example: 64 molecules, energies and forces of density-functional theory (PBE0). They
are downloaded once, or taken from $SCIML_DATA/water. The model is that of the example too, se_e2_a with a cutoff of 6 angstrom
(Zhang et al. 2018, arXiv 1805.09003), with all settings at their defaults: ten minutes of two cores come to about 65
meV/angstrom; `--minutes 60` trains for an hour.

`--quick` needs no data: it labels a few frames of 8 molecules with a toy of springs and pair forces, and trains a small model.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sciml import md

OUTPUT = Path(__file__).parent / "output"


def toy(frames: int = 24) -> md.Dataset:
    """Molecules that are held together by springs, shaken."""
    rng = np.random.default_rng(0)
    shape = np.array([[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]])
    places = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 3.1
    first = 3 * np.arange(len(places))[:, None]
    bonds = np.concatenate([first + [0, 1], first + [0, 2], first + [1, 2]])
    lengths = np.repeat([0.957, 1.514], [2 * len(places), len(places)])
    springs = md.HarmonicBonds(bonds, k=20.0, length=lengths)
    around = md.Morse(depth=0.02, width=1.2, distance=2.9, cutoff=3.0, shift=True)
    systems = []
    for _ in range(frames):
        turned = [place + shape @ np.linalg.qr(rng.normal(size=(3, 3)))[0] for place in places]
        r = np.concatenate(turned) + 0.05 * rng.normal(size=(len(places) * 3, 3))
        systems.append(md.system(r, ["O", "H", "H"] * len(places), cell=6.2))
    return md.Dataset.of(md.label(systems, md.ase_calculator(springs + around)))


def main(quick: bool, minutes: float) -> None:
    if quick:
        data, held = toy().split(6)
        descriptor = md.SeE2A.new(2, cutoff=4.0, widths=(5, 10), axis=4)
        model, options = md.deep_potential(("O", "H"), descriptor, widths=(16, 16)), {"steps": 300}
    else:
        data, held = md.datasets.water()
        model, options = md.deep_potential(("O", "H")), {"max_time": 60 * minutes}
    print(data, held, sep="\n")

    OUTPUT.mkdir(exist_ok=True)
    training = md.train(model, data, validation=held, **options)
    print(training)
    potential = training.potential
    print("saved", potential.save(OUTPUT / "water.dp"), "for DeePMD-kit and for md.DeepPotential.load")
    validation = md.validate(potential, held)
    print(validation)

    # The embedding nets as Chebyshev series: as accurate, and faster.
    fast = potential.compressed()
    atoms = md.thermal(held.systems[0], 300.0)
    steps, every = (40, 2) if quick else (8000, 4)
    bath = md.Rescaling(temperature=300.0)
    warm = md.simulate(atoms, fast, bath, steps=steps // 4, timestep=0.25 if quick else 0.5, every=every, throw=not quick)
    between = [("O", "O"), ("O", "H"), ("H", "H")]
    shells = [md.RadialDistribution(end=0.49 * float(atoms.cell[0, 0]), bins=40 if quick else 120, between=p) for p in between]
    run = md.simulate(
        warm.atoms, fast, bath, steps=steps, timestep=0.25 if quick else 0.5, every=every, callbacks=shells, throw=not quick
    )
    print(run)

    figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    h = training.history
    axes[0, 0].semilogy(h.step, 1e3 * h.force, label="training")
    axes[0, 0].semilogy(h.step, 1e3 * h.validation_force, "o-", ms=3, label="validation")
    axes[0, 0].set(xlabel="step", ylabel="RMS error of forces [meV/angstrom]")
    axes[0, 0].legend(frameon=False)
    validation.plot((axes[0, 1], axes[1, 0]))
    for g, pair in zip(shells, between, strict=True):
        g.plot(axes[1, 1]).lines[-1].set_label("-".join(pair))
    axes[1, 1].set(xlabel="r [angstrom]", ylabel="g(r)", ylim=(0, 5))
    axes[1, 1].legend(frameon=False)
    figure.savefig(OUTPUT / "train_water.png", dpi=150)
    print(f"saved {OUTPUT / 'train_water.png'}")

    assert h.validation_force[-1] < 0.5 * h.validation_force[0]
    if not quick:
        assert validation.force_error < 0.1 and validation.energy_error < 2e-3
        oo = shells[0].curve
        assert abs(oo.x[np.argmax(oo.y)] - 2.75) < 0.15, "the first shell of oxygens"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="toy data and a small model")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training (default 10)")
    given = parser.parse_args()
    main(given.quick, given.minutes)
