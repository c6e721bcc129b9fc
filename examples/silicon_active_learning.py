"""Silicon by active learning: from ten labelled crystals to a Deep Potential that melts.

Several Deep Potentials are trained on the same labels from different random starts. They move atoms, and differ where none of
them has seen the like:

    eps_i = sqrt(< |F_i - <F_i>|^2 >)

Frames whose largest eps_i is between two levels are labelled, the potentials are trained on all there is, and so on (Zhang et
al. 2019, doi:10.1103/PhysRevMaterials.3.023804; DP-GEN, doi:10.1016/j.cpc.2020.107206). Each round heats a crystal further.

Labels are of Stillinger & Weber (1985, doi:10.1103/PhysRevB.31.5262), which stands for a density-functional code: any ASE
calculator can take its place. Here the truth is cheap, so the error is measured where it matters: along its own dynamics, from
the cold crystal to the melt. (It melts at 1691 K; without a surface, and heated within picoseconds, above 2000 K.)
"""

import argparse
from pathlib import Path

import equinox as eqx
import matplotlib.pyplot as plt
import numpy as np

from sciml import md

TRUTH = md.StillingerWeber()
CALCULATOR = md.ase_calculator(TRUTH)
HOT, TIMESTEP = 3200.0, 2.0  # K, fs
LOW, HIGH = 0.2, 1.5  # eV/angstrom: frames between them are labelled


def rattled(atoms: md.System, amounts: np.ndarray) -> list[md.System]:
    """Copies whose atoms are displaced at random by so many angstrom."""
    rng = np.random.default_rng(0)
    moved = [atoms.positions + amount * rng.normal(size=atoms.positions.shape) for amount in amounts]
    return [eqx.tree_at(lambda s: s.positions, atoms, r) for r in moved]


def heated(potential: md.AbstractPotential, cells: int, steps: int) -> md.Trajectory:
    """A crystal at constant volume that is heated to HOT in half of the steps, and stays there."""
    start = md.thermal(md.diamond(5.431, cells, "Si"), 300.0)
    bath = md.Langevin(temperature=md.Ramp(300.0, HOT, TIMESTEP * steps / 2), friction=5e-3)
    options = dict(timestep=TIMESTEP, every=steps // 200, skin=1.0, throw=False)
    return md.simulate(start, potential, bath, steps=steps, **options)


def melts_at(run: md.Trajectory) -> float:
    """The temperature at which the potential energy leaps [K]; it stands still at first, with 3/2 kB T on top in a crystal."""
    wide = 15
    T, energy = (np.convolve(x, np.ones(wide) / wide, "valid") for x in (run.temperature, run.potential_energy))
    rest = energy / run.atoms.atoms - 1.5 * md.METAL.temperature * T
    return float(T[:-wide][np.argmax(rest[wide:] - rest[:-wide])])


def main(quick: bool) -> None:
    crystal = md.diamond(5.431, 2, "Si")  # 64 atoms
    rounds, count, steps, most, explored = (1, 2, 300, 16, 150) if quick else (6, 3, 3000, 50, 2000)
    widths, fitting, final = ((6, 12), (24,), (2, 3000)) if quick else ((10, 20, 40), (60, 60), (3, 20_000))

    truth = heated(TRUTH, *final)
    along = [eqx.tree_at(lambda s: s.positions, truth.atoms, f.positions) for f in truth.frames[:: 10 if quick else 4]]
    seen = md.Dataset.of(md.label(along, CALCULATOR))
    first = md.Dataset.of(md.label(rattled(crystal, np.linspace(0.02, 0.16, 10)), CALCULATOR))
    print(f"to begin with: {first}\nto test on: {seen}")

    def new(key):
        # The energy has squared cosines of angles, which lengths and directions alone (se_e2_a) take long to learn.
        reach = dict(cutoff=4.0, start=1.0, sel=[28], key=key)
        descriptor = md.Hybrid((md.SeE2A.new(1, **reach, widths=widths, axis=6), md.SeE3.new(1, **reach)))
        return md.deep_potential("Si", descriptor, widths=fitting, key=key)

    models = [new(key) for key in range(count)]

    def train(dataset, k):
        """All models at once, from where they are."""
        # Nets as small as these are no slower than series.
        models[:] = [made.potential for made in md.train(models, dataset, steps=steps, series=False, key=k)]
        return models

    def explore(committee, k):
        """Crystals that are heated further in each round, from two thirds of the rounds on to HOT."""
        top = 300.0 + (HOT - 300.0) * min(1.0, 1.5 * k / rounds)
        bath = md.Langevin(temperature=md.Ramp(300.0, top, TIMESTEP * explored / 2), friction=5e-3)
        return md.Exploration([crystal] * 2, bath, steps=explored, timestep=TIMESTEP, every=5)(committee, k)

    def test(committee):
        return {"force error": md.validate(committee.members[0], seen).force_error}

    levels = dict(low=LOW, high=3 * HIGH if quick else HIGH)
    learned = md.active_learning(train, explore, CALCULATOR, first, rounds=rounds, most=most, test=test, **levels)
    print(f"{learned.result}\nlabels  accurate  candidate  failed  error of forces [eV/angstrom]")
    names = "labels", "accurate", "candidate", "failed", "force error"
    for labels, *shares, error in zip(*(learned.rounds[name] for name in names), strict=True):
        words = "".join(f"{'' if np.isnan(share) else f'{share:.0%}':>10}" for share in shares)
        print(f"{labels:6d}{words}  {error:.3f}")

    runs = {"Stillinger-Weber": truth}
    if not quick:
        runs["Deep Potential"] = heated(learned.potentials[0].compressed(), *final)
    for name, one in runs.items():
        words = f", diffusion {md.diffusion(one[100:])} angstrom^2/fs" if one.converged else ""
        print(f"{name}: melts at about {melts_at(one):.0f} K{words}")

    output = Path(__file__).parent / "output" / "silicon_active_learning.png"
    output.parent.mkdir(exist_ok=True)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    learned.plot(left).set(xlabel="labels spent", ylabel="error of forces [eV/angstrom]")
    for name, one in runs.items():
        middle.plot(one.temperature, one.potential_energy / one.atoms.atoms, ".", ms=4, label=name)
        if one.converged:
            md.radial_distribution(one[100:], end=0.5 * float(crystal.cell[0, 0]), bins=60).plot(right, label=name)
    middle.set(xlabel="temperature [K]", ylabel="potential energy [eV/atom]", title="a crystal that is heated")
    middle.legend()
    right.set(xlabel="r [angstrom]", ylabel="g(r)", title=f"melt, {HOT:.0f} K")
    right.legend()
    figure.savefig(output, dpi=150)
    print(f"saved {output}")
    errors = learned.rounds["force error"]
    assert errors[-1] < (0.95 if quick else 0.25) * errors[0]
    assert quick or (runs["Deep Potential"].converged and learned.rounds["failed"][-1] < 0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of smaller nets, for CI")
    main(parser.parse_args().quick)
