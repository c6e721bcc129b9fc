"""Copper by the embedded-atom method: the crystal at rest, and its melting.

    E = sum_i F(rho_i) + 1/2 sum_ij phi(r_ij),    rho_i = sum_j rho(r_ij)

Lattice constant and elastic constants of the potential of Foiles, Baskes & Daw (1986, doi:10.1103/PhysRevB.33.7983), beside
experiment (Simmons & Wang 1971: 3.615 angstrom, 168, 121 and 75 GPa). Then the crystal is heated at zero pressure. Without
a surface it melts above its melting point, 1358 K: energy and volume leap, and the second shell of neighbours is lost.

The table Cu_u3.eam is looked for in $SCIML_DATA/eam, in ../shared/data/eam, and at the path that is given. It is in the folder
`potentials` of LAMMPS (https://github.com/lammps/lammps). Without it the script takes a Morse potential of copper (Girifalco &
Weizer 1959, doi:10.1103/PhysRev.114.687). (Cu_Zhou.eam.alloy of that folder leaps at its cutoff, where the fourth shell of the
crystal stands: it has no lattice constant at which forces vanish.)
"""

import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sciml import md

FILE = "Cu_u3.eam"


def potential_of_copper(path: str | None) -> md.AbstractPotential:
    folders = [os.environ.get("SCIML_DATA", ""), Path(__file__).parents[2] / "shared" / "data"]
    found = [p for p in ([Path(path)] if path else [Path(f) / "eam" / FILE for f in folders]) if p.exists()]
    if found:
        return md.load_eam(found[0])
    print(f"{path or FILE} is not here: see the top of this script. A Morse potential is taken instead.")
    return md.Morse(0.3429, 1.3588, 2.866, cutoff=6.5, shift=True)


def main(quick: bool, path: str | None = None) -> None:
    copper = potential_of_copper(path)
    rest = md.relax(md.fcc(3.6, 2, "Cu"), copper, cell=True, tolerance=1e-5)
    a = float(rest.atoms.cell[0, 0]) / 2
    C = md.elastic_constants(rest.atoms, copper)
    print(f"lattice constant {a:.4f} angstrom (experiment 3.615), cohesive energy {-rest.energy / 32:.3f} eV (3.49)")
    print(f"C11 {C[0, 0]:.1f}, C12 {C[0, 1]:.1f}, C44 {C[3, 3]:.1f} GPa (experiment 168, 121, 75)")

    n, hot, steps = (3, 3000.0, 6000) if quick else (5, 2400.0, 60_000)
    crystal = md.thermal(md.fcc(a, n, "Cu"), 600)
    options = dict(timestep=2.0, skin=0.8)

    def at_zero_pressure(temperature):
        return md.CellRescaling(
            temperature=temperature, pressure=0.0, cell=md.Isotropic(), time=500.0, compressibility=7e-7, thermostat_time=100.0
        )

    shells = [md.RadialDistribution(end=1.45 * a, bins=100) for _ in range(2)]
    solid = md.simulate(
        crystal, copper, at_zero_pressure(300.0), steps=steps // 6, every=20, callbacks=shells[:1], **options
    )
    heated = md.simulate(
        solid.atoms, copper, at_zero_pressure(md.Ramp(300.0, hot, 2.0 * steps)), steps=steps, every=steps // 200, **options
    )
    liquid = md.simulate(
        heated.atoms, copper, at_zero_pressure(hot), steps=steps // 6, every=20, callbacks=shells[1:], key=1, **options
    )

    T, energy, volume = (x[1:] for x in (heated.temperature, heated.potential_energy, heated.volume))
    energy, volume = energy / crystal.atoms, volume / crystal.atoms
    # Above the equipartition of a crystal, 3/2 kB T: what melting takes.
    wide = 9
    smooth = [np.convolve(x, np.ones(wide) / wide, "valid") for x in (T, energy, volume)]
    leap = np.argmax(smooth[1][wide:] - smooth[1][:-wide])
    print(f"heated at {(hot - 300) / (2e-3 * steps):.0f} K/ps, it melts at about {smooth[0][leap + wide // 2]:.0f} K")
    first, last = md.mean(solid.volume[20:] / crystal.atoms), md.mean(liquid.volume[10:] / crystal.atoms)
    print(f"volume per atom: crystal at 300 K {first}, liquid at {hot:.0f} K {last} angstrom^3")

    # The second shell of the crystal stands at a, where a liquid has few atoms.
    curves = [shell.curve for shell in shells]
    between = [c.y[np.abs(c.x - a * (last.value / first.value) ** (k / 3)) < 0.1].mean() for k, c in enumerate(curves)]
    print(f"g(r) at the second shell: crystal {between[0]:.2f}, liquid {between[1]:.2f}")

    output = Path(__file__).parent / "output" / "copper_eam.png"
    output.parent.mkdir(exist_ok=True)
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    for ax, value, name in ((axes[0], energy, "potential energy [eV/atom]"), (axes[1], volume, "volume [angstrom$^3$/atom]")):
        ax.plot(T, value, ".", ms=3)
        ax.axvline(1358, color="0.6", ls=":")
        ax.set(xlabel="temperature [K]", ylabel=name)
    axes[0].set_title("heated; dotted: copper melts")
    for curve, name in zip(curves, ("crystal, 300 K", f"liquid, {hot:.0f} K"), strict=True):
        curve.plot(axes[2], label=name)
    axes[2].set(xlabel="r [angstrom]")
    axes[2].legend()
    figure.savefig(output, dpi=150)
    print(f"saved {output}")
    assert abs(a - 3.615) < 0.12 and C[0, 0] > C[0, 1] > 0 and C[3, 3] > 0
    assert last.value > 1.08 * first.value
    assert between[0] > 1.5 * between[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", help="an embedded-atom table of copper (.eam, .eam.alloy)")
    parser.add_argument("--quick", action="store_true", help="108 atoms heated fast, for CI")
    arguments = parser.parse_args()
    main(arguments.quick, arguments.table)
