"""Wrong input is told before anything is compiled: what was expected, what came, what to do."""

import warnings

import equinox as eqx
import numpy as np
import pytest

from sciml import md

ARGON = md.fcc(5.26, 2, "Ar")
LJ = md.LennardJones(0.0104, 3.4, cutoff=8.5)
ROWS = [[0.0, 0.0, 0.0], [0.0, 0.0, 3.8]]
OPEN = md.system(ROWS, "Ar")


def simulated(atoms=ARGON, potential=LJ, ensemble=md.NVE(), steps=1, timestep=1.0, **options):
    return md.simulate(atoms, potential, ensemble, steps=steps, timestep=timestep, progress=False, **options)


WRONG = {
    "positions that are words": (lambda: md.system([["a", "b"]], "Ar"), r"positions: expected numbers of shape \(atoms, 3\)"),
    "rows of different lengths": (lambda: md.system([[0, 0, 0], [1, 2]], "Ar"), "positions: expected numbers"),
    "complex positions": (lambda: md.system(np.zeros((2, 3), complex), "Ar"), "positions: expected numbers"),
    "positions without rows": (lambda: md.system([0, 0, 0], "Ar"), r"shape \(3,\); expected \(atoms, 3\)"),
    "no atoms": (lambda: md.system(np.zeros((0, 3)), "Ar"), "expected"),
    "positions that are not finite": (lambda: md.system([[0, 0, np.nan]], "Ar"), "positions: 1 of 3 are NaN"),
    "species by number": (lambda: md.system(ROWS, 18), "species=18; expected names"),
    "species by numbers": (lambda: md.system(ROWS, [18, 18]), "expected names"),
    "too few species": (lambda: md.system(ROWS, ["Ar"]), "1 species came for 2 atoms"),
    "no cell": (lambda: md.system(ROWS, "Ar", periodic=True), "needs a cell"),
    "two edges": (lambda: md.system(ROWS, "Ar", cell=[1, 2]), r"shape \(2,\); expected one edge, three"),
    "lengths and angles": (lambda: md.system(ROWS, "Ar", cell=[1, 2, 3, 90, 90, 90]), "expected one edge, three"),
    "a negative edge": (lambda: md.system(ROWS, "Ar", cell=-10), "not negative"),
    "an edge of zero": (lambda: md.system(ROWS, "Ar", cell=[10, 10, 0]), "in one plane, or one that is periodic is zero"),
    "a cell by name": (lambda: md.system(ROWS, "Ar", cell="cubic"), "cell: expected numbers; 'cubic' came"),
    "directions by name": (lambda: md.system(ROWS, "Ar", cell=9, periodic="xyz"), "periodic='xyz'; expected True or False"),
    "two directions": (lambda: md.system(ROWS, "Ar", cell=9, periodic=[True, False]), "expected True or False"),
    "three masses": (lambda: md.system(ROWS, "Ar", masses=[1, 2, 3]), r"masses have the shape \(3,\) for 2 atoms"),
    "no mass": (lambda: md.system(ROWS, "Ar", masses=[40, 0]), "mass of atom 1 is 0; expected a positive"),
    "other velocities": (lambda: md.system(ROWS, "Ar", velocities=np.zeros((3, 3))), "velocities have the shape"),
    "units by name": (lambda: md.system(ROWS, "Ar", units="metal"), "expected md.METAL or md.REDUCED"),
    "a negative temperature": (lambda: md.thermal(ARGON, -3), "temperature=-3"),
    "a temperature in words": (lambda: md.thermal(ARGON, "300 K"), "expected a number that is not negative"),
    "temperature first": (lambda: md.thermal(300, ARGON), "expected a System; a int came"),
    "a bath below zero": (lambda: md.Langevin(temperature=-1), "temperature=-1; expected a positive number"),
    "positions for a system": (lambda: simulated(ARGON.positions), "expected a System; a ndarray came .*md.system"),
    "ASE's atoms for a system": (lambda: simulated(md.to_ase(ARGON)), "a Atoms came .*md.from_ase"),
    "a potential by name": (lambda: simulated(potential="lj"), "expected a potential.* 'lj' came"),
    "an ensemble by name": (lambda: simulated(ensemble="nvt"), "expected an ensemble.* 'nvt' came"),
    "an ensemble's class": (lambda: simulated(ensemble=md.NVE), "expected an ensemble"),
    "steps that are not whole": (lambda: simulated(steps=1.5), "steps=1.5; expected a whole number"),
    "a step of time in words": (lambda: simulated(timestep="1 fs"), "expected a positive number"),
    "a skin below zero": (lambda: simulated(skin=-1), "skin=-1"),
    "a callback without a list": (lambda: simulated(callbacks=print), "expected a list of functions"),
    "an observable without a list": (lambda: simulated(callbacks=md.MeanSquareDisplacement()), "expected a list of functions"),
    "precision in whole numbers": (lambda: simulated(precision=int), "precision=.*expected numpy.float64 or numpy.float32"),
    "precision in words": (lambda: simulated(precision="quadruple"), "expected numpy.float64 or numpy.float32"),
    "forces in whole numbers": (lambda: simulated(forces_in=np.int32), "forces_in=.*expected numpy.float64"),
    "a mask for numbers": (lambda: simulated(fixed=np.ones(32, bool)), r"type bool; expected whole numbers.*flatnonzero"),
    "atoms that are not there": (lambda: simulated(fixed=[99]), "from 0 to 31"),
    "a key in words": (lambda: simulated(key="a"), "expected a whole number"),
    "an infinite cutoff": (lambda: md.allocate(OPEN, np.inf), "positive number"),
    "a cutoff below zero": (lambda: md.LennardJones(1.0, 1.0, cutoff=-1), "positive cutoff"),
    "the volume of an open system": (lambda: md.relax(OPEN, LJ, cell=True), "open, and has no volume"),
    "the stiffness of an open system": (lambda: md.elastic_constants(OPEN, LJ), "open, and has no volume"),
    "a method by name": (lambda: md.relax(ARGON, LJ, "fire"), r"expected md.LBFGS\(\) or md.FIRE\(\)"),
    "a curve through three points": (lambda: md.equation_of_state(ARGON, LJ, points=3), "five at least"),
    "ASE in reduced units": (lambda: md.to_ase(md.fcc(1.6, 2, "Ar", units=md.REDUCED)), "reduced"),
    "names that are no elements": (lambda: md.to_ase(md.fcc(1.6, 2, "A", masses=1.0)), "A are no elements"),
    "a structure that is none": (lambda: md.from_ase(3), "expected ase.Atoms or the path"),
    "a calculator that is none": (lambda: md.label(ARGON, LJ), "expected an ASE calculator"),
    "labels of positions": (lambda: md.label([ROWS], md.ase_calculator(LJ)), "expected a System"),
    "a calculator of no potential": (lambda: md.ase_calculator("emt"), "expected a potential"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_told_before_anything_is_compiled(what):
    call, message = WRONG[what]
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
        warnings.simplefilter("error")
        call()


class Named(md.AbstractPairPotential):
    cutoff: float = 5.0
    names = ("Cu",)


def test_species_that_a_potential_does_not_know():
    with pytest.raises(ValueError, match="does not know Ar; it knows Cu"):
        simulated(potential=Named())


def test_atoms_that_lie_on_each_other():
    """Each call names the atoms; none returns NaN."""
    atoms = md.system([[0, 0, 0], [3.8, 0, 0], [0, 0, 10.0]], "Ar", cell=10)
    told = r"the forces on atoms 0, 2 are not finite. Atoms 0 \(Ar\) and 2 \(Ar\) are 0 angstrom apart: they lie on each other"
    calls = {
        "relax": lambda: md.relax(atoms, LJ),
        "evaluate": lambda: md.evaluate(LJ, atoms, md.neighbours_for(atoms, LJ)),
        "evaluate_batch: system 1": lambda: md.evaluate_batch(LJ, [ARGON, atoms]),
        "ase_calculator": lambda: md.label(atoms, md.ase_calculator(LJ)),
    }
    for where, call in calls.items():
        with pytest.raises(ValueError, match=f"^{where}: {told}"):
            call()
    with pytest.raises(ValueError, match="At the start atoms 0 .* and 2 .* are 0 angstrom apart"):
        simulated(atoms)


FAR = {np.float32: 1.5e7, np.float64: 1e12}


@pytest.mark.parametrize("precision", FAR)
def test_coordinates_that_the_precision_does_not_resolve(precision):
    """At 1.5e7 angstrom float32 counts in steps of one angstrom; at 1e12 the images are more than 32 bits count."""
    far = eqx.tree_at(lambda s: s.positions, ARGON, ARGON.positions + FAR[precision])
    told = r"reach 1e\+12 .*more cells away than lists can count" if precision is np.float64 else (
        r"reach 1.5e\+07 .*float32 resolves them to 1 there.*or compute in numpy.float64"
    )
    calls = [
        lambda: simulated(far, precision=precision),
        lambda: simulated([far, ARGON], precision=precision),
        lambda: md.evaluate_batch(LJ, [far], precision=precision),
    ]
    if precision is np.float64:
        calls += [
            lambda: md.relax(far, LJ), lambda: md.evaluate(LJ, far, md.neighbours_for(far, LJ)),
            lambda: md.label(far, md.ase_calculator(LJ)),
        ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match=told):
            call()


def test_a_run_that_leaves_what_float32_resolves():
    """Positions are unwrapped: an atom that flies far loses its digits on the way."""
    flying = md.system([[15900.0, 0, 0], [15903.8, 0, 0]], "Ar", cell=20.0, velocities=[[40.0, 0, 0]] * 2, masses=1.0)
    told = "float32 does not tell places apart there .positions are unwrapped."
    with pytest.warns(UserWarning, match="The velocities"), pytest.raises(FloatingPointError, match=told):
        simulated(flying, steps=200, timestep=2.0, precision=np.float32, every=50)


FILES = {
    "a.eam": (b"nothing\n1 2\n", md.load_eam, "no table of the embedded-atom method"),
    "empty.eam.alloy": (b"", md.load_eam, "no table of the embedded-atom method"),
    "a.pb": (b"", md.DeepPotential.load, "dp convert-backend a.pb"),
    "a.dp": (b"no HDF5 at all", md.DeepPotential.load, "no HDF5 file"),
    "broken.yaml": (b"a: [1, 2", md.DeepPotential.load, "no YAML file"),
    "text.yaml": (b"hello", md.DeepPotential.load, "no model of DeePMD-kit"),
    "other.yaml": (b"model: {type: ener}", md.DeepPotential.load, "no descriptor"),
    "part.yaml": (b"model: {descriptor: {type: se_e2_a}, fitting: {type: ener}}", md.DeepPotential.load, "is incomplete"),
    "a.xyz": (b"hello\n", md.from_ase, "could not be read by ASE"),
    "a.unknown": (b"hello\n", md.from_ase, "could not be read by ASE.*POSCAR"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_read(name, tmp_path):
    content, load, message = FILES[name]
    with pytest.raises(FileNotFoundError):
        load(tmp_path / name)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / name)


def test_a_model_that_is_not_supported(tmp_path):
    (tmp_path / "a.yaml").write_text("model: {type: standard, descriptor: {type: dpa3}, fitting: {type: ener}}")
    with pytest.raises(NotImplementedError, match="DPA-3 .*'dpa3'; sciml.md reads se_e2_a"):
        md.DeepPotential.load(tmp_path / "a.yaml")
