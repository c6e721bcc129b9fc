"""Cases 15 to 19: Deep Potentials."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import yaml

from sciml import md
from sciml.md.learning.training._prepare import least_squares_bias

from ._table import Row, case, close, data, folder, odd, quietly, refused, same

WATER = -929.7134632564031  # eV, of the six atoms of deeppot-testcase.yaml without images


def model(path: Path) -> Any:
    return quietly(lambda: md.DeepPotential.load(path))


def blocks(path: Path) -> list[tuple[Any, dict[str, Any]]]:
    """Systems of a file of DeePMD-kit's tests, and what it says of each; some of its numbers are words."""
    tree = yaml.safe_load(path.read_text())
    names = tree["type_map"]
    number = lambda a: np.array([float(x) for x in np.ravel(a)])  # noqa: E731
    out = []
    for entry in tree["results"]:
        box = None if entry.get("box") is None else number(entry["box"]).reshape(3, 3)
        r = number(entry["coord"]).reshape(-1, 3)
        kinds = entry.get("atype", tree.get("atype"))
        right = {k: number(entry[k]) for k in ("atomic_energy", "force", "atomic_virial")}
        out.append((md.system(r, [names[k] for k in kinds], cell=box, periodic=box is not None), right))
    return out


def rows(label: str, potential: Any, path: Path) -> Iterator[Row]:
    for k, (atoms, right) in enumerate(blocks(path)):
        found = md.evaluate_batch(potential, [atoms])[0]
        yield close(f"{label} {k}: E", found.energy, float(right["atomic_energy"].sum()), 1e-9)
        yield close(f"{label} {k}: atomic E", found.atom_energies, right["atomic_energy"], 1e-9)
        yield close(f"{label} {k}: F", found.forces.ravel(), right["force"], 1e-9)
        yield close(f"{label} {k}: virial", found.virial.ravel(), right["atomic_virial"].reshape(-1, 9).sum(axis=0), 1e-9)


def descriptors(types: int) -> dict[str, Any]:
    small: dict[str, Any] = dict(cutoff=4.0, widths=(4, 8), key=1)
    places = (20,) * types
    return {
        "se_e2_a": md.SeE2A.new(types, sel=places, axis=4, **small), "se_e2_r": md.SeE2R.new(types, sel=places, **small),
        "se_e3": md.SeE3.new(types, sel=places, **small), "se_atten": md.SeAtten.new(types, sel=40, axis=4, columns=8, **small),
    }  # fmt: skip


@case("15 NaN of JAX: one atom, few neighbours, atoms at one place", "finite; one atom: F = 0; coincident: an error", 300)
def without_neighbours() -> Iterator[Row]:
    np.random.seed(42)
    lithium = md.system(np.random.rand(6, 3) * 10, "Li", cell=10.0)
    alone = [md.system([[1.0, 2, 3]], "Li", cell=20.0, periodic=p) for p in (True, False)]
    for name, descriptor in descriptors(1).items():
        potential = md.deep_potential(("Li",), descriptor, widths=(8,))
        for precision in (np.float64, np.float32) if name == "se_e2_a" else (np.float64,):
            six, one, free = md.evaluate_batch(potential, [lithium, *alone], precision=precision)
            label = f"{name}, {np.dtype(precision).name}"
            finite = [np.isfinite(x).all() for x in (six.energy, six.forces, six.virial)]
            yield same(f"{label}: six atoms are finite", finite, [True] * 3)
            yield close(f"{label}: F of one atom", [one.forces, free.forces], np.zeros((2, 1, 3)), 1e-12)
            yield close(f"{label}: E of one atom, open and not", one.energy, float(free.energy), 1e-6)
    on = md.system([[0, 0, 0], [0, 0, 0.0], [3, 0, 0]], "Li", cell=10.0)
    potential = md.deep_potential(("Li",), descriptors(1)["se_e2_a"], widths=(8,))
    yield refused("coincident atoms", lambda: md.evaluate_batch(potential, [on]), "atoms 0.*lie on each other")
    yield refused("by ASE's calculator", lambda: md.label(on, md.ase_calculator(potential)), "lie on each other")
    sea = model(data("deepmd", "deeppot_sea.yaml"))
    third = blocks(data("deepmd", "deeppot-testcase.yaml"))[2][0]
    yield close("molecules that do not see each other", md.evaluate_batch(sea, [third])[0].energy, WATER, 1e-9)


@case("15 training with frames of one atom", "finite parameters with three losses; coincident atoms named", 300)
def training_of_one_atom() -> Iterator[Row]:
    lithium = md.system(np.random.default_rng(42).random((6, 3)) * 10, "Li", cell=10.0)
    alone = [md.system([[1.0, 2, 3]], "Li", cell=20.0, periodic=p) for p in (True, False)]
    on = md.system([[0, 0, 0], [0, 0, 0.0], [3, 0, 0]], "Li", cell=10.0)
    systems = [lithium, lithium, *alone]
    zero = [np.full((s.atoms, 3), 0.1 if s.atoms > 1 else 0.0) for s in systems]
    labelled = md.Dataset.of(md.Labels(systems, np.array([-6.0, -6.1, -1.0, -1.0]), zero, None))
    for loss in (md.SquaredError(), md.AbsoluteError(), md.Huber(0.1)):
        new = md.deep_potential(("Li",), md.SeE2A.new(1, cutoff=4.0, widths=(4, 8), axis=4), widths=(8,))
        trained = quietly(lambda loss=loss, new=new: md.train(new, labelled, steps=4, loss=loss, progress=False)).potential
        leaves = [a for a in (trained.bias, *np.atleast_1d(trained.fitting.nets[0].layers[0].w)) if a is not None]
        finite = all(np.isfinite(a).all() for a in leaves)
        yield same(f"training with frames of one atom, {type(loss).__name__}", finite, True)
    bad = md.Dataset.of(md.Labels([lithium, on], np.zeros(2), [np.zeros((6, 3)), np.zeros((3, 3))], None))
    yield refused("coincident atoms in train", lambda: md.train(new, bad, steps=1, progress=False), "frame 1 .* atoms 0")


@case("16 se_atten at its cutoff", "smooth: E and F continuous; otherwise a small jump; more neighbours than sel: said")
def at_the_cutoff() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    cluster = rng.uniform(-1.5, 1.5, (6, 3)) + [0, 0, 0]
    jumps: dict[Any, float] = {}
    for layers in (0, 2):
        for smooth in (True, False):
            made = md.SeAtten.new(1, cutoff=6.0, sel=12, widths=(4, 8), axis=4, columns=8, layers=layers, smooth=smooth, key=2)
            potential = md.deep_potential(("A",), made, widths=(8,))

            def found(off: float, potential: Any = potential) -> tuple[float, np.ndarray]:
                far = cluster[0] + [6.0 + off, 0, 0]
                atoms = md.system(np.vstack([cluster, far]), "A", masses=1.0)
                e = md.evaluate_batch(potential, [atoms])[0]
                return float(e.energy), e.forces

            (e, f), (e1, f1) = found(-1e-6), found(1e-6)
            jumps[layers, smooth] = abs(e - e1)
            if smooth:
                yield close(f"jump of E, {layers} layers", e - e1, 0, 1e-9)
                yield close(f"jump of F, {layers} layers", f - f1, 0 * f, 1e-6)
    yield close("jump with smooth=False, 2 layers, is small", jumps[2, False], 0, 1e-2)
    crowded = md.deep_potential(("A",), md.SeAtten.new(1, cutoff=6.0, sel=3, widths=(4, 8), axis=4, columns=8), widths=(8,))
    atoms = md.system(cluster, "A", masses=1.0)
    yield refused("more neighbours than sel", lambda: md.evaluate_batch(crowded, [atoms]), "neighbours.*places|places.*sel")


def changed(tree: Any, *path: str, **more: Any) -> Path:
    """A model of DeePMD-kit with some of its keys changed."""
    new = copy.deepcopy(tree)
    part = new
    for key in path:
        part = part[key]
    part.update(more)
    (out := folder() / "model.yaml").write_text(yaml.safe_dump(new))
    return out


@case("17 exclude_types, zero sel, unknown options", "excluded pairs refused or left out; unknown options refused")
def excluded() -> Iterator[Row]:
    tree = yaml.safe_load(data("deepmd", "deeppot_sea.yaml").read_text())
    load = md.DeepPotential.load
    inner = ("model",) if "descriptor" in tree["model"] else ("model", "model")
    for name, path, more in (
        ("exclude_types", (*inner, "descriptor"), {"exclude_types": [[0, 1]]}),
        ("atom_exclude_types", inner, {"atom_exclude_types": [1]}),
        ("pair_exclude_types", inner, {"pair_exclude_types": [[0, 0]]}),
        ("new_option", (*inner, "descriptor"), {"new_option": True}),
    ):
        yield refused(name, lambda path=path, more=more: load(changed(tree, *path, **more)), name)
    zero = md.SeE2A.new(2, cutoff=4.0, sel=(8, 0), widths=(4, 8), axis=4, key=1)
    potential = md.deep_potential(("O", "H"), zero, widths=(8,))
    pair = md.system([[0, 0, 0], [2.0, 0, 0]], "O")
    found = md.evaluate_batch(potential, [pair])[0]
    yield same("sel of zero is made", np.isfinite(found.forces).all(), True)
    mixed = md.system([[0, 0, 0], [2.0, 0, 0]], ["O", "H"])
    yield refused("a neighbour that sel has no place for", lambda: md.evaluate_batch(potential, [mixed]), "neighbours.*places")


@case("18 energy bias", "O -93.573679, H -187.147357; C -1029.5623, H -13.9709, O -2047.9103; extensive")
def bias() -> Iterator[Row]:
    water = quietly(lambda: md.Dataset.load(odd("deepmd_data", "source", "tests", "tf", "finetune", "data")))
    fitted = dict(zip(water.names, least_squares_bias(water.counts, water.energies), strict=True))
    yield close("water", [fitted["O"], fitted["H"]], [-93.573679, -187.147357], 2e-6)
    base = odd("deepmd_data", "examples", "nopbc", "data")
    three = [quietly(lambda n=n: md.Dataset.load(base / n)) for n in ("C1H4O2", "C4H3O1", "C3H3O4")]
    names = ["C", "H", "O"]
    joined = three[0].renamed(names) + three[1].renamed(names) + three[2].renamed(names)
    yield close("molecules", least_squares_bias(joined.counts, joined.energies), [-1029.5623, -13.9709, -2047.9103], 2e-4)
    small = joined[[0, -1, len(three[0])]]
    new = md.deep_potential(names, md.SeE2A.new(3, cutoff=4.0, widths=(4, 8), axis=4), widths=(8,))
    start = quietly(lambda: md.train(new, small, steps=1, schedule=md.Cosine(rate=(1e-9, 1e-10)), progress=False)).potential
    error = md.validate(start, small).energy_error
    yield close("error per atom before training", error, 0, 0.5)
    cell = md.fcc(4.05, 1, "Al")
    potential = md.deep_potential(("Al",), md.SeE2A.new(1, cutoff=4.0, sel=(60,), widths=(4, 8), axis=4), widths=(8,))
    rattled = eqx.tree_at(lambda s: s.positions, cell, cell.positions + 0.1 * np.random.default_rng(0).normal(size=(4, 3)))
    cells = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 1, 3) @ np.asarray(cell.cell)
    eight = md.system((np.asarray(rattled.positions) + cells).reshape(-1, 3), "Al", cell=2 * np.asarray(cell.cell))
    one, all_of_them = (float(e.energy) for e in md.evaluate_batch(potential, [rattled, eight]))
    yield close("E of eight cells", all_of_them, 8 * one, 1e-11 * abs(8 * one))


@case("19 models of DeePMD-kit", "se_e2_a -929.7371700503966 eV; F, atomic E, virials to 1e-9; round trip; refusals", 300)
def models() -> Iterator[Row]:
    sea = model(data("deepmd", "deeppot_sea.yaml"))
    yield from rows("se_e2_a", sea, data("deepmd", "deeppot-testcase.yaml"))
    written = sea.save(folder() / "again.dp")
    again = md.DeepPotential.load(written)
    atoms = blocks(data("deepmd", "deeppot-testcase.yaml"))[0][0]
    a, b = (md.evaluate_batch(m, [atoms])[0] for m in (sea, again))
    yield same("round trip", np.append(b.forces, b.energy), np.append(a.forces, a.energy))
    text = Path(written).read_bytes().decode(errors="replace")
    keys = "davg", "dstd", "exclude_types", "set_davg_zero", "resnet_dt", "trainable", "precision", "type_map"
    yield same("keys of the file written", [k in text for k in keys], [True] * len(keys))
    yield refused("fparam", lambda: model(odd("deepmd_models", "fparam_aparam.yaml")), "fparam|aparam")
    yield refused("DPA-2", lambda: model(odd("deepmd_models", "deeppot_dpa.yaml")), "dpa2")
    yield refused("spin", lambda: model(odd("deepmd_models", "deeppot_dpa_spin.yaml")), "spin")


@case("19 se_e2_r of pairs of types", "-933.6236442492451, -933.6355652266651 eV; F, atomic E, virials to 1e-9")
def radial_model() -> Iterator[Row]:
    yield from rows("se_e2_r", model(odd("deepmd_models", "deeppot-r.yaml")), odd("deepmd_models", "deeppot-r-testcase.yaml"))
