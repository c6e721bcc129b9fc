"""Phonons of silicon, from second derivatives of a potential by automatic differentiation.

    D_ia,jb(q) = sum over cells n of d2E / du_ia0 du_jbn exp(2 pi i q n) / sqrt(m_i m_j),      D(q) e = omega^2 e

There is no supercell and nothing is displaced: the matrices are those of the infinite crystal. The potential is that of
Stillinger & Weber (1985, doi:10.1103/PhysRevB.31.5262): its optical modes are two terahertz too high, and so are the transverse
acoustic ones at the face of the zone. `--model` takes a Deep Potential of yours instead.

The dots are neutrons scattered by silicon at 296 K (Dolling 1963, Inelastic Scattering of Neutrons in Solids and Liquids II,
37; Nilsson & Nelin 1972, doi:10.1103/PhysRevB.6.3777).
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sciml import md

EXPERIMENT = {
    "Γ": {"optical": 15.53},
    "X": {"TA": 4.49, "LA and LO": 12.32, "TO": 13.90},
    "L": {"TA": 3.43, "LA": 11.35, "LO": 12.60, "TO": 14.68},
}  # THz
POINTS = {"Γ": [0, 0, 0], "X": [0.5, 0.5, 0], "L": [0.5, 0.5, 0.5]}


def main(quick: bool, model: str | None = None) -> None:
    potential = md.DeepPotential.load(model) if model else md.StillingerWeber()
    rest = md.relax(md.diamond(5.43, 1, "Si"), potential, cell=True, tolerance=1e-5).atoms
    silicon = md.primitive(rest)
    print(f"lattice constant {rest.cell[0, 0]:.4f} angstrom (experiment 5.431)")

    phonons = md.phonons(silicon, potential)
    print(phonons)
    print("THz           here experiment")
    for name, measured in EXPERIMENT.items():
        # Bands that meet at a point of high symmetry are one.
        found = phonons.frequencies(POINTS[name])
        found = found[found > 0.1]
        different = found[np.append(True, np.diff(found) > 1e-3)]
        for branch, here in zip(measured, different, strict=False):
            print(f"{name} {branch:>10} {here:6.2f} {measured[branch]:10.2f}")
    optical = phonons.frequencies(POINTS["Γ"])[-1]
    print(f"the optical frequency at Γ is {optical:.3f} THz, {optical / 2.99792458e-2:.1f} 1/cm")

    bands = phonons.bands("GXU,KGL", points=100 if quick else 400)
    states = phonons.density_of_states(12 if quick else 40, width=0.15)
    T = np.linspace(0, 800, 9 if quick else 41)
    heat = np.array([phonons.heat_capacity(t, mesh=8) for t in T]) / (6 * md.METAL.temperature)

    output = Path(__file__).parent / "output" / "phonons_silicon.png"
    output.parent.mkdir(exist_ok=True)
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(11, 4), layout="constrained", gridspec_kw={"width_ratios": [3, 1, 1.8]}
    )
    bands.plot(left, label=Path(model).name if model else "Stillinger-Weber")
    for tick, label in zip(bands.ticks, bands.labels, strict=True):
        measured = list(EXPERIMENT.get(label, {}).values())
        left.plot(np.full(len(measured), tick), measured, "o", color="C3", ms=5, clip_on=False, zorder=3)
    left.plot([], [], "o", color="C3", ms=5, label="neutrons")
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    middle.plot(states.y, states.x)
    middle.set(xlabel="states [1/THz]", xlim=(0, None), ylim=left.get_ylim())
    middle.tick_params(labelleft=False)
    right.plot(T, heat)
    right.axhline(1, color="0.6", ls=":")
    right.set(xlabel="temperature [K]", title="heat capacity / 3 kB per atom", ylim=(0, 1.05), xlim=(0, T[-1]))
    figure.savefig(output, dpi=150)
    print(f"saved {output}")

    assert np.abs(phonons.frequencies(POINTS["Γ"])[:3]).max() < 1e-5
    assert abs(np.trapezoid(states.y, states.x) - 6) < 1e-3
    if model is None:
        assert 17.5 < optical < 18.2 and 0.5 < heat[len(heat) // 2] < 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a Deep Potential of silicon, .dp or .yaml")
    parser.add_argument("--quick", action="store_true", help="coarser meshes, for CI")
    arguments = parser.parse_args()
    main(arguments.quick, arguments.model)
