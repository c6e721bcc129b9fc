"""Training on DeePMD-kit's water example and on mlearn's silicon, with default settings.

    python benchmarks/deep/train.py steps                       500 steps of one frame
    python benchmarks/deep/train.py hour [SECONDS [FOLDER]]     an hour; writes FOLDER/water.dp
    DEEPMD_ENV=ENV python benchmarks/deep/train.py equal 600    DeePMD-kit and sciml, the same wall time each, in one run
    python benchmarks/deep/train.py silicon [SECONDS]           errors of mlearn's test set
    LAMMPS_ENV=ENV python benchmarks/deep/train.py snap         those of the linear SNAP of the mlearn paper

Errors are those of data_3 (80 frames), which no training sees, and of mlearn's test set, by `md.validate` in float64; those of
SNAP are by LAMMPS (mlearn/errors.py). Each part is added to benchmarks/results/deep_train.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "md")]

from rows import header  # noqa: E402
from water import DATA, dp, settings, write_settings  # noqa: E402

from sciml import md  # noqa: E402

RESULT = HERE.parent / "results" / "deep_train.json"
# DeePMD-kit: (rates, last weight of forces). The first is its own, the others those that did best in a short training of ours.
SCHEDULES = (((1e-3, 3.51e-8), 1.0), ((1e-3, 1e-5), 100.0), ((2e-3, 2e-5), 100.0))
# Others on the silicon set of Zuo et al. 2020 (J. Phys. Chem. A 124, 731, arXiv 1906.08888), mean absolute errors of its test
# set [meV/atom, meV/angstrom]: PyXtal_FF after 4,000 epochs, examples/UCSD-Si-214-25/README.md at commit 32ef62a. The table of
# the paper was not at hand; mlearn/errors.py computes what its linear SNAP says of the same test set.
OTHERS = {
    "PyXtal_FF, symmetry functions": (9.25, 120.0), "PyXtal_FF, embedded density": (4.81, 90.8),
    "PyXtal_FF, SO(4) bispectrum": (3.83, 89.4), "PyXtal_FF, SO(3) power spectrum": (3.95, 82.6),
}  # fmt: skip


def errors(potential: Any, data: Any) -> dict[str, float]:
    v = md.validate(potential, data)
    return {
        "energy_meV_per_atom": 1e3 * v.energy_error, "force_meV_per_angstrom": 1e3 * v.force_error,
        "mean_absolute_energy": 1e3 * v.mean_absolute[0], "mean_absolute_force": 1e3 * v.mean_absolute[1],
    }  # fmt: skip


def trained(name: str, data: Any, held: Any, model: Any, folder: Any = None, *, more: Any = None, **options: Any) -> None:
    began = time.monotonic()
    t = md.train(model, data, validation=held, **options)
    seconds = time.monotonic() - began
    if folder is not None:
        t.potential.save(Path(folder) / f"{name.split()[0]}.dp")
    history = {k: getattr(t.history, k).tolist() for k in ("step", "seconds", "validation_energy", "validation_force")}
    found = {"seconds": seconds, "stats": t.stats, "errors": errors(t.potential, held)}
    record(name, {**found, **(more or {}), "history": history})


def steps() -> None:
    trained("water 500 steps", *md.datasets.water(), md.deep_potential(("O", "H")), steps=500)


def hour(seconds: str = "3600", folder: str | None = None) -> None:
    name = f"water {float(seconds):.0f} s"
    trained(name, *md.datasets.water(), md.deep_potential(("O", "H")), folder, max_time=float(seconds))


def snap() -> None:
    env = Path(os.environ["LAMMPS_ENV"])  # a virtual environment with lammps, mpich and ase
    around = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"LD_LIBRARY_PATH": str(env / "lib")}
    command = [str(env / "bin/python"), str(HERE / "mlearn" / "errors.py"), str(DATA / "silicon" / "test.xyz")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=around).stdout)
    record("silicon, linear SNAP of the mlearn paper", {"precision": "float64", "errors": found})


def silicon(seconds: str = "600") -> None:
    data, held = md.datasets.silicon()
    others = {"mean_absolute_errors_of_others": OTHERS}
    trained(f"silicon {float(seconds):.0f} s", data, held, md.deep_potential(("Si",)), more=others, max_time=float(seconds))
    # se_e2_a sees moments of the neighbours' density up to the first only, in which a tetrahedron hardly shows.
    both = md.Hybrid((md.SeE2A.new(1), md.SeE3.new(1)))
    name = f"silicon {float(seconds):.0f} s, se_e2_a and se_e3"
    trained(name, data, held, md.deep_potential(("Si",), both), more=others, max_time=float(seconds))


def equal(seconds: str = "600") -> None:
    allowed, rows = float(seconds), {}
    data, held = md.datasets.water()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for k, (rate, force) in enumerate(SCHEDULES):
            write_settings(folder, settings(60, "float32", rate=rate, force=force, every=60))
            began = time.monotonic()
            dp(folder, "train", "input.json", "--skip-neighbor-stat")
            short = time.monotonic() - began
            write_settings(folder, settings(260, "float32", rate=rate, force=force, every=60))
            began = time.monotonic()
            dp(folder, "train", "input.json", "--skip-neighbor-stat")
            each = (time.monotonic() - began - short) / 200
            count = int((allowed - short) / each) + 60
            write_settings(folder, settings(count, "float32", rate=rate, force=force, every=1000))
            began = time.monotonic()
            dp(folder, "train", "input.json", "--skip-neighbor-stat")
            took = time.monotonic() - began
            dp(folder, "freeze", "-o", f"{k}.pb")
            dp(folder, "convert-backend", f"{k}.pb", f"{k}.dp")
            found = errors(md.DeepPotential.load(folder / f"{k}.dp"), held)
            rows[f"DeePMD-kit float32, rates {rate}, last force weight {force:g}"] = {"steps": count, "seconds": took, **found}
            print(rows, flush=True)
    began = time.monotonic()
    t = md.train(md.deep_potential(("O", "H")), data, validation=held, max_time=allowed - 15)
    took = time.monotonic() - began
    rows["sciml, default settings"] = {"steps": t.stats["steps"], "seconds": took, **errors(t.potential, held)}
    record(f"equal time, {allowed:.0f} s", {"rows": rows})


def record(name: str, values: dict[str, Any]) -> None:
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    found[name] = header() | {"precision": "float32"} | values
    RESULT.write_text(json.dumps(found, indent=1, default=lambda x: np.asarray(x).tolist()) + "\n")
    print(json.dumps({name: {k: v for k, v in values.items() if k != "history"}}, indent=1, default=str))


if __name__ == "__main__":
    {"steps": steps, "hour": hour, "equal": equal, "silicon": silicon, "snap": snap}[sys.argv[1]](*sys.argv[2:])
