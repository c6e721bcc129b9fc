"""Cases 23 and 24: phonons and elastic constants."""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import numpy as np

from sciml import md

from ._table import Row, case, close, refused

A = np.sqrt(2) * 2 ** (1 / 6) * 3.4
NEAREST = md.LennardJones(0.0104, 3.4, cutoff=4.6)
LONGITUDINAL, TRANSVERSE = 1.586283, 1.121671  # THz
GPA = 160.21766208


@case("23 phonons of a nearest-neighbour crystal", "X: 1.586283 and 1.121671 THz; 0 at Gamma; order and images no matter")
def phonons() -> Iterator[Row]:
    cubic = md.fcc(A, 1, "Ar")
    right = [0.0] * 3 + [TRANSVERSE] * 6 + [LONGITUDINAL] * 3
    found = md.phonons(cubic, NEAREST).frequencies([0.0, 0, 0])
    yield close("cubic cell, X folded onto Gamma", found, right, 1e-5)
    yield close("three zeros", found[:3], [0.0] * 3, 1e-5)
    one = md.primitive(cubic)
    q = np.linalg.solve(np.linalg.inv(np.asarray(one.cell)), np.array([1.0, 0, 0]) / A)
    yield close("primitive cell, X", md.phonons(one, NEAREST).frequencies(q), [TRANSVERSE] * 2 + [LONGITUDINAL], 1e-5)
    order = np.array([2, 0, 3, 1])
    shifts = np.array([[1, 0, 0], [0, -2, 0], [0, 0, 3], [0, 0, 0]]) * A
    mixed = eqx.tree_at(lambda s: s.positions, cubic, cubic.positions[order] + shifts)
    yield close("other order, other images", md.phonons(mixed, NEAREST).frequencies([0.0, 0, 0]), right, 1e-5)
    long = md.fcc(A, (2, 1, 1), "Ar")
    both = md.phonons(long, NEAREST).frequencies([0.0, 0, 0])
    yield close("2 x 1 x 1 cells, the highest and lowest", [both[-1], both[2]], [LONGITUDINAL, 0.0], 1e-5)
    off = eqx.tree_at(lambda s: s.positions, cubic, cubic.positions + 0.1 * np.eye(4, 3))
    yield refused("not relaxed", lambda: md.phonons(off, NEAREST), "relax")


def turned(C: np.ndarray, R: np.ndarray) -> np.ndarray:
    """A tensor in Voigt's order, turned."""
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    full = np.zeros((3,) * 4)
    for i, (a, b) in enumerate(pairs):
        for j, (c, d) in enumerate(pairs):
            for x, y in ((a, b), (b, a)):
                full[x, y, c, d] = full[x, y, d, c] = C[i, j]
    full = np.einsum("ia,jb,kc,ld,abcd->ijkl", R, R, R, R, full)
    return np.array([[full[(*p, *q)] for q in pairs] for p in pairs])


@case("24 elastic constants: relaxed ions, factor 2", "Si: 151.42, 76.42, 56.45, clamped 109.76 GPa; LJ 3.0524, 1.5262", 250)
def elastic() -> Iterator[Row]:
    silicon = md.StillingerWeber()
    rest = md.relax(md.diamond(5.43, 1, "Si"), silicon, cell=True, tolerance=1e-7)
    yield close("a0", rest.atoms.volume ** (1 / 3), 5.43095, 1e-5)
    yield close("E per atom", rest.energy / 8, -4.336600, 1e-5)
    yield close("stress at rest [bar]", np.abs(rest.stress).max(), 0, 1.0)
    C = md.elastic_constants(rest.atoms, silicon)
    yield close("C11, C12, C44", [C[0, 0], C[0, 1], C[3, 3]], [151.42, 76.42, 56.45], 0.02)
    yield close("B", (C[0, 0] + 2 * C[0, 1]) / 3, 101.42, 0.01)
    yield close("symmetric", C - C.T, 0 * C, 1e-3)
    clamped = md.elastic_constants(rest.atoms, silicon, positions=False)
    yield close("C44 clamped", clamped[3, 3], 109.76, 0.01)
    one = md.primitive(rest.atoms)
    R = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    R *= np.sign(np.linalg.det(R))
    rotated = md.system(np.asarray(one.positions) @ R.T, "Si", cell=np.asarray(one.cell) @ R.T)
    yield close("two atoms, rotated", md.elastic_constants(rotated, silicon), turned(C, R), 5e-3)
    K = 72 * 0.0104 / (A / np.sqrt(2)) ** 2
    found = md.elastic_constants(md.fcc(A, 1, "Ar"), NEAREST)
    yield close("LJ C11 = 2K/a", found[0, 0], 2 * K / A * GPA, 2e-4)
    yield close("LJ C12 = C44 = K/a", [found[0, 1], found[3, 3]], [K / A * GPA] * 2, 2e-4)
