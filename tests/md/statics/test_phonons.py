"""Phonons: closed forms, finite differences of forces in supercells, elastic constants, folding."""

import itertools

import equinox as eqx
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

from sciml import md
from sciml.md.atoms._evaluator import Evaluator
from sciml.md.deep._nets import Layer, Network

matplotlib.use("Agg")

SILICON = md.StillingerWeber()
MORSE = md.Morse(0.3429, 1.3588, 2.866, cutoff=6.0, shift=True)
THZ = 1e-12 / (2 * np.pi) * np.sqrt(1.602176634e-19 / 1e-20 / 1.66053906660e-27)  # of sqrt(eV / (angstrom^2 amu))


@pytest.fixture(scope="module")
def silicon():
    return md.phonons(md.primitive(md.diamond(5.431, 1, "Si")), SILICON)


def deep(seed=0):
    """Two types, random nets."""
    rng = np.random.default_rng(seed)

    def net(sizes, last):
        layers = [
            Layer(rng.normal(size=(n, m)) / np.sqrt(n + m), rng.normal(size=m), None, "tanh", n != m // 4)
            for n, m in itertools.pairwise(sizes)
        ]
        return Network((*layers, Layer(rng.normal(size=(sizes[-1], 1)), None, None, "linear", False))[: len(layers) + last])

    descriptor = md.SeE2A(
        embeddings=tuple(net([1, 4, 4], False) for _ in range(2)), davg=np.zeros((2, 2, 4)), dstd=np.full((2, 2, 4), 0.3),
        cutoff=3.6, start=1.0, sel=(20, 20), axis=2, one_sided=True,
    )  # fmt: skip
    fitting = md.FittingNet(tuple(net([8, 5, 5], True) for _ in range(2)))
    return md.DeepPotential(descriptor, fitting, np.zeros(2), ("Si", "Ge"))


def skewed(names=("Si", "Ge")):
    """A cell without symmetry, smaller than most cutoffs; the second atom is counted from a cell further on."""
    cell = [[3.7, 0.1, 0.0], [1.7, 3.4, 0.2], [1.9, 1.2, 3.2]]
    return md.system([[0, 0, 0], [5.5, 1.6, 0.9]], names, cell=cell)


def repeated(atoms, n):
    """`n` cells along each vector, cell by cell, and the cells' lattice vectors."""
    cells = np.array(list(itertools.product(*map(range, n))))
    r = (cells @ atoms.cell)[:, None] + atoms.positions
    kinds = np.tile(np.array(atoms.names)[atoms.species], len(cells))
    masses = np.tile(atoms.masses, len(cells))
    cell = np.array(n)[:, None] * atoms.cell
    return md.system(r.reshape(-1, 3), kinds.tolist(), cell=cell, masses=masses), cells


def square_root(pairs):
    return -jnp.sqrt(1e-3 + jnp.sum(jnp.where(pairs.mask, (1 - pairs.distances / 4.2) ** 3, 0), axis=1))


POTENTIALS = {
    "three-body, a sum, other cutoffs": (SILICON + MORSE + md.LocalPotential(square_root, cutoff=4.2), ("Si", "Si")),
    "a Deep Potential of two types": (deep(), ("Si", "Ge")),
}


@pytest.mark.parametrize("name", [list(POTENTIALS)[0], pytest.param(list(POTENTIALS)[1], marks=pytest.mark.slow)])
def test_dynamical_matrices_are_those_of_finite_differences_in_a_supercell(name):
    potential, names = POTENTIALS[name]
    atoms, q = skewed(names), np.array([1 / 3, 2 / 3, 1 / 2])
    phonons = md.phonons(atoms, potential, largest=np.inf)
    large, cells = repeated(atoms, (3, 3, 2))
    evaluator, h = Evaluator(large, potential), 1e-4
    D = np.zeros((6, 6), complex)
    for j, b in np.ndindex(2, 3):
        step = np.zeros_like(large.positions)
        step[j, b] = h
        # Row i of cell n, column j of cell 0: n = cell of i seen from j is minus that of j seen from i.
        slope = (evaluator(large.positions - step).forces - evaluator(large.positions + step).forces) / (2 * h)
        D[:, 3 * j + b] = np.einsum("n,nk->k", np.exp(-2j * np.pi * cells @ q), slope.reshape(len(cells), 6))
    root = np.repeat(np.sqrt(atoms.masses), 3)
    found = phonons.dynamical_matrix(q)
    np.testing.assert_allclose(found, D / np.outer(root, root), atol=1e-6 * np.abs(found).max())
    np.testing.assert_array_equal(found, found.conj().T)

    # A wave of a mode: forces are -m omega^2 u.
    f, e = phonons.modes(q)
    u = np.real(np.exp(2j * np.pi * cells @ q)[:, None, None] * e[-1] / np.sqrt(atoms.masses)[:, None]).reshape(-1, 3)
    force = evaluator(large.positions + h * u).forces - evaluator(large.positions - h * u).forces
    wanted = -np.sign(f[-1]) * (f[-1] / THZ) ** 2 * large.masses[:, None] * u
    np.testing.assert_allclose(force / (2 * h), wanted, atol=1e-6 * np.abs(wanted).max())

    # The other route: the derivative of the energy of the cell.
    second = md.hessian(atoms, potential)
    np.testing.assert_allclose(phonons.constants.sum(axis=0), second, atol=1e-12 * np.abs(phonons.constants).max())
    assert np.sort(np.abs(phonons.frequencies([[0, 0, 0], [2, -1, 3]])))[:, :3].max() < 5e-6


def test_chains_have_their_closed_forms():
    spring = md.PairPotential(lambda r: (r - 1.5) ** 2, cutoff=2.0)
    chain = md.system([[0, 0, 0]], "A", cell=[0, 0, 1.5], periodic=[False, False, True], masses=3.0)
    q = np.linspace(-0.5, 0.5, 9)[:, None] * [0, 0, 1]
    found = md.phonons(chain, spring)
    wanted = 2 * np.sqrt(2.0 / 3.0) * np.abs(np.sin(np.pi * q[:, 2])) * THZ
    np.testing.assert_allclose(found.frequencies(q)[:, 2], wanted, atol=1e-6)
    assert np.abs(found.frequencies(q)[:, :2]).max() < 1e-6
    # Two masses: f^2 = k ((1/m + 1/M) +- sqrt((1/m + 1/M)^2 - 4 sin^2(pi q) / (m M)))
    both = md.system([[0, 0, 0], [0, 0, 1.5]], ["A", "B"], cell=[0, 0, 3.0], periodic=[False, False, True], masses=[1.0, 4.0])
    root = np.sqrt(1.25**2 - np.sin(np.pi * q[:, 2]) ** 2)
    wanted = np.sqrt(2 * np.maximum(np.stack([1.25 - root, 1.25 + root], axis=1), 0)) * THZ
    np.testing.assert_allclose(md.phonons(both, spring).frequencies(q)[:, -2:], wanted, atol=1e-5)
    # In reduced units, radians per unit of time over 2 pi.
    reduced = md.system([[0, 0, 0]], "A", cell=[0, 0, 1.5], periodic=[False, False, True], masses=3.0, units=md.REDUCED)
    f = md.phonons(reduced, spring).frequencies([0, 0, 0.5])[2]
    assert abs(f - np.sqrt(8 / 3) / (2 * np.pi)) < 1e-12


def test_sound_is_as_fast_as_the_elastic_constants_say():
    rest = md.relax(md.fcc(3.7, 1, "Cu"), MORSE, cell=True, tolerance=1e-6).atoms
    C = md.elastic_constants(rest, MORSE, positions=False) / 160.21766208  # eV/angstrom^3
    density = np.sum(rest.masses) / rest.volume
    copper = md.primitive(rest)
    phonons = md.phonons(copper, MORSE)
    for direction, moduli in (
        ([1, 0, 0], [C[3, 3], C[3, 3], C[0, 0]]),
        ([1, 1, 0], sorted([C[3, 3], (C[0, 0] - C[0, 1]) / 2, (C[0, 0] + C[0, 1] + 2 * C[3, 3]) / 2])),
    ):
        k = 1e-3 * np.array(direction) / np.linalg.norm(direction)  # 1/angstrom, without 2 pi
        speed = phonons.frequencies(copper.cell @ k) / THZ / (2 * np.pi * np.linalg.norm(k))
        np.testing.assert_allclose(speed, np.sqrt(np.array(moduli) / density), rtol=1e-3)


def test_silicon_at_the_centre_of_the_zone_and_folded(silicon):
    f = silicon.frequencies([0, 0, 0])
    assert np.abs(f[:3]).max() < 1e-6
    np.testing.assert_allclose(f[3:], f[3], rtol=1e-9)
    # The two atoms against each other, by finite differences of forces.
    evaluator, h = Evaluator(silicon.atoms, SILICON), 1e-4
    step = np.array([[0, 0, h], [0, 0, 0]])
    pull = [evaluator(silicon.atoms.positions + s * step).forces[0, 2] for s in (1, -1)]
    assert abs(f[3] - np.sqrt((pull[1] - pull[0]) / (2 * h) * 2 / silicon.atoms.masses[0]) * THZ) < 1e-5
    # The centre of the cubic cell's zone holds the primitive cell's centre and its three points X.
    cubic = md.phonons(md.diamond(5.431, 1, "Si"), SILICON).frequencies([0, 0, 0])
    X = silicon.frequencies([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    np.testing.assert_allclose(cubic, np.sort(np.concatenate([f, X.ravel()])), atol=1e-5)


def test_bands_have_the_names_of_the_lattice(silicon):
    bands = silicon.bands("GXU,KGL", points=40)
    assert bands.labels == ("Γ", "X", "U|K", "Γ", "L")
    assert bands.frequencies.shape == (len(bands.x), 6)
    a = 5.431
    lengths = np.array([1, 1 / 8**0.5, 3 / 8**0.5, 3**0.5 / 2]) * 2 * np.pi / a
    np.testing.assert_allclose(np.diff(bands.ticks), lengths, rtol=1e-6)
    ax = bands.plot(label="model")
    assert [text.get_text() for text in ax.get_xticklabels()] == list(bands.labels)
    assert len(ax.get_legend_handles_labels()[1]) == 1
    assert silicon.bands().labels[0] == "Γ"
    with pytest.raises(ValueError, match="two names or more of .*X.* md.primitive"):
        silicon.bands("GM")
    with pytest.raises(ValueError, match="path=3"):
        silicon.bands(3)


def test_states_and_heat(silicon):
    states = silicon.density_of_states(8)
    np.testing.assert_allclose(np.trapezoid(states.y, states.x), 6, rtol=1e-6)
    # The mean square of frequencies is a trace over the mesh, which for even meshes of silicon is that of the force constants.
    square = np.trapezoid(states.y * states.x**2, states.x)
    own = np.trace(silicon.constants[np.flatnonzero(~silicon.images.any(axis=1))[0]]) / silicon.atoms.masses[0] * THZ**2
    assert abs(square / own - 1) < 2e-3
    k = 8.617333262e-5
    assert abs(silicon.heat_capacity(5000.0, mesh=4) / (6 * k) - 1) < 3e-3
    assert silicon.heat_capacity(0, mesh=4) < 1e-100
    F = [silicon.free_energy(300 + d, mesh=4) for d in (-1, 0, 1)]
    assert abs(-300 * (F[0] - 2 * F[1] + F[2]) / silicon.heat_capacity(300, mesh=4) - 1) < 1e-3
    zero = silicon.free_energy(0, mesh=4)
    assert zero > F[1] > silicon.free_energy(1000, mesh=4)


def test_primitive_cells():
    rng = np.random.default_rng(0)
    large = md.diamond(5.431, 2, "Si")
    order = rng.permutation(64)
    shifted = large.positions[order] + rng.integers(-2, 3, (64, 3)) * 2 * 5.431 + 1e-5 * rng.normal(size=(64, 3))
    found = md.primitive(md.system(shifted, "Si", cell=large.cell))
    np.testing.assert_allclose(sorted(found.cell.round(9).tolist()), 5.431 / 2 * (1 - np.eye(3)), atol=1e-9)
    assert found.atoms == 2
    salt = md.system(md.simple_cubic(2.82, 2, "Na").positions, ["Na", "Cl", "Cl", "Na", "Cl", "Na", "Na", "Cl"], cell=5.64)
    smallest = md.primitive(salt)
    assert smallest.atoms == 2 and sorted(np.array(smallest.names)[smallest.species]) == ["Cl", "Na"]
    hexagonal = md.primitive(md.hcp(3.2, 2, "Mg"))
    assert hexagonal.atoms == 2 and abs(hexagonal.volume / 2 - md.hcp(3.2, 1, "Mg").volume / 4) < 1e-9
    assert md.primitive(md.system(rng.random((5, 3)) * 6, "Ar", cell=6.0)).atoms == 5
    isotope = eqx.tree_at(lambda s: s.masses, large, large.masses + 0.1 * (np.arange(64) == 0))
    assert md.primitive(isotope).atoms == 64


CRYSTAL = md.fcc(3.7, 1, "Cu")


def messages(pairs):
    return jnp.sum(pairs.gather(jnp.ones(4)), axis=1)


WRONG = {
    "ASE's atoms": (lambda s: md.phonons(md.to_ase(CRYSTAL), MORSE), "expected a System"),
    "no potential": (lambda s: md.phonons(CRYSTAL, "eam"), "expected a potential"),
    "no potential of a Hessian": (lambda s: md.hessian(CRYSTAL, "eam"), "expected a potential"),
    "bonds": (lambda s: md.phonons(CRYSTAL, MORSE + md.HarmonicBonds([[0, 1]], 1, 1)), "leave it out"),
    "messages": (lambda s: md.phonons(CRYSTAL, md.LocalPotential(messages, cutoff=3.0)), "pairs.gather.* md.hessian"),
    "forces": (lambda s: md.phonons(skewed(), MORSE), r"largest force on an atom is .*md.relax"),
    "atoms on each other": (
        lambda s: md.phonons(md.system([[0, 0, 0], [0, 0, 0]], "Cu", cell=5.0), MORSE), "not finite. Do atoms lie on each"
    ),
    "too many neighbours": (lambda s: md.phonons(md.fcc(2.2, 1, "Si"), deep()), r"sel is \[20, 20\]"),
    "two numbers for q": (lambda s: s.frequencies([0.5, 0.5]), r"q has the shape \(2,\); expected \(..., 3\)"),
    "too many for a Hessian": (lambda s: md.hessian(md.fcc(2.2, 1, "Si"), deep()), r"hessian: .* sel is \[20, 20\]"),
    "q in words": (lambda s: s.frequencies("G"), "expected numbers"),
    "a mesh of none": (lambda s: s.density_of_states(0), "mesh=0; expected the number"),
    "no width": (lambda s: s.density_of_states(2, width=0), "width=0; expected a positive"),
    "points": (lambda s: s.bands(points=0), "points=0"),
    "a negative temperature": (lambda s: s.free_energy(-1), "not negative"),
    "an unstable crystal": (
        lambda s: md.phonons(md.primitive(md.simple_cubic(2.6, 1, "Cu")), MORSE).free_energy(300, mesh=4), "unstable"
    ),
    "an open system's smallest cell": (lambda s: md.primitive(md.system([[0, 0, 0]], "Cu")), "open"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input(what, silicon):
    call, message = WRONG[what]
    with pytest.raises(ValueError, match=message):
        call(silicon)
