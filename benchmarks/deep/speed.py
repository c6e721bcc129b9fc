"""Deep Potential of DeePMD-kit's water example: a training step and an evaluation, beside DeePMD-kit, in one run.

    DEEPMD_ENV=ENV python benchmarks/deep/speed.py training     a step of one frame of 192 atoms, float64 and float32
    DEEPMD_ENV=ENV python benchmarks/deep/speed.py inference MODEL.dp
                                                                energy, forces and virial of 192 atoms: exact nets, Chebyshev
                                                                series, DeePMD-kit as it is and compressed

MODEL is one that was trained for long (benchmarks/deep/train.py hour): how many terms a series has depends on its nets. Each
part is added to benchmarks/results/deep_speed.json. Nothing else should run on the machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "md")]

import deep_speed  # noqa: E402
from rows import header  # noqa: E402
from water import DATA, dp, python, settings, write_settings  # noqa: E402

RESULT = HERE.parent / "results" / "deep_speed.json"
STEPS = 200
ROUNDS = 3  # processes of each kind, in turn: from one to the next, times differ by up to a quarter

EVALUATE = """
import json, sys, time
import numpy as np
from deepmd.infer import DeepPot
model = DeepPot(sys.argv[1])
x = np.load(sys.argv[2])
call = lambda: model.eval(x["r"].reshape(1, -1), x["cell"].reshape(1, 9), x["kinds"].tolist())
found, took = call(), []
for k in range(46):
    began = time.perf_counter(); call(); took.append(1e3 * (time.perf_counter() - began))
np.savez(sys.argv[3], energy=found[0], forces=found[1][0], virial=found[2][0])
print(json.dumps({"ms": float(np.median(took[5:])), "fastest_ms": min(took[5:])}))
"""

# `dp compress` of DeePMD-kit 3.2 wants a learning rate, which models that were converted from .dp do not have.
COMPRESS = """
import sys
import deepmd.tf.entrypoints
c = sys.modules["deepmd.tf.entrypoints.compress"]
normalize = c.normalize
rate = {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-8, "decay_steps": 100}
c.normalize = lambda data: normalize({**data, "learning_rate": rate})
c.compress(input="model.pb", output="compressed.pb", extrapolate=5, step=0.01, frequency=-1,
           checkpoint_folder="model-compression", training_script=None, mpi_log="master", log_path=None, log_level=2)
"""


def ours_training(precision: str) -> dict[str, Any]:
    from sciml import md

    data, _ = md.datasets.water()
    model = md.deep_potential(("O", "H"), md.SeE2A.new(2, sel=(46, 92)))
    found = {}
    for name, series in (("series", True), ("exact nets", False)):
        steps = STEPS if series else STEPS // 4
        t = md.train(model, data, steps=steps, precision=np.dtype(precision), series=series, progress=False)
        found[name] = {"ms": 1e3 * t.stats["seconds_per_step"], "seconds": t.stats["seconds"], "terms": t.stats["terms"]}
    return found


def deepmd_training(precision: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_settings(Path(folder), settings(120, precision, every=20))
        began = time.perf_counter()
        out = dp(Path(folder), "train", "input.json", "--skip-neighbor-stat")
        seconds = time.perf_counter() - began
    (each,) = re.findall(r"average training time: ([\d.]+) s/batch", out)
    return {"ms": 1e3 * float(each), "seconds": seconds}


def training() -> None:
    rows: dict[str, Any] = {}
    for precision in ("float64", "float32"):
        rows[f"DeePMD-kit, {precision}"] = deepmd_training(precision)
        rows[f"sciml, {precision}"] = alone("ours_training", precision)
    base = rows["DeePMD-kit, float64"]["ms"]
    faster = {p: base / rows[f"sciml, {p}"]["series"]["ms"] for p in ("float64", "float32")}
    same = rows["DeePMD-kit, float32"]["ms"] / rows["sciml, float32"]["series"]["ms"]
    record("training", {"rows": rows, "faster_than_deepmd_float64": faster, "float32_faster_than_deepmd_float32": same})


def ours_inference(path: str, precision: str, series: str, out: str) -> dict[str, Any]:
    import sciml
    from sciml import md

    dtype = np.dtype(precision)
    with sciml.float64():
        model = _full(md.DeepPotential.load(path))
        model = model.compressed() if series == "series" else model
        given, anew, compiled, _ = deep_speed.prepared(model, 1, dtype)
        energy, forces, virial = map(np.asarray, given())
        np.savez(out, energy=energy, forces=forces, virial=virial)
        found = {"list_given": deep_speed.timed(given), "list_made": deep_speed.timed(anew), "compile_s": compiled}
    terms = [getattr(net, "terms", 0) for net in model.descriptor.embeddings]
    return found | {"terms": terms}


def _full(model: Any) -> Any:
    """With the places of the water example."""
    return dataclasses.replace(model, descriptor=dataclasses.replace(model.descriptor, sel=(46, 92)))


def inference(path: str) -> None:
    from sciml import md

    each: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        r, cell, kinds = deep_speed.water()
        np.savez(folder / "frame.npz", r=r, cell=cell, kinds=kinds)
        full = _full(md.DeepPotential.load(path)).save(folder / "model.dp")
        dp(folder, "convert-backend", "model.dp", "model.pb")
        python(folder, COMPRESS)
        for _ in range(ROUNDS):
            for kind in ("model", "compressed"):
                out = python(folder, EVALUATE, f"{kind}.pb", "frame.npz", f"{kind}.npz")
                each.setdefault(f"DeePMD-kit, {kind}", []).append(json.loads(out.splitlines()[-1]))
            for precision in ("float64", "float32"):
                for series in ("exact", "series"):
                    name, out = f"sciml, {precision}, {series}", folder / f"{series}_{precision}.npz"
                    each.setdefault(name, []).append(alone("ours_inference", full, precision, series, out))
                    two = alone("ours_inference", full, precision, series, folder / "again", devices=2)
                    each.setdefault(f"{name}, a device for each of two cores", []).append(two)
        found = {p.stem: dict(np.load(p)) for p in folder.glob("*.npz") if p.stem not in ("frame", "again")}
    rows = {name: middle(found) for name, found in each.items()}
    base, small = rows["DeePMD-kit, model"]["ms"], rows["DeePMD-kit, compressed"]["ms"]
    ratios = {
        name: {"DeePMD-kit": base / row["list_given"]["ms"], "DeePMD-kit compressed": small / row["list_given"]["ms"]}
        for name, row in rows.items()
        if name.startswith("sciml")
    }
    apart = {name: deep_speed._apart(x, found["model"]) for name, x in found.items() if name != "model"}
    record("inference", {"rows": rows, "times_faster_than": ratios, "deviations_from_deepmd_float64": apart})


def middle(rounds: list[Any]) -> dict[str, Any]:
    """The round of the middle time."""
    ms = [found.get("list_given", found)["ms"] for found in rounds]
    return rounds[ms.index(sorted(ms)[len(ms) // 2])] | {"ms_of_each_round": ms}


def alone(function: str, *arguments: Any, devices: int = 1) -> dict[str, Any]:
    """In a process of its own, with so many devices of JAX."""
    command = [sys.executable, __file__, "call", function, *map(str, arguments)]
    around = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
    done = subprocess.run(command, capture_output=True, text=True, env=around)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def record(name: str, values: dict[str, Any]) -> None:
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    found[name] = header() | {"data": DATA.name} | values
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: values}, indent=1))


if __name__ == "__main__":
    if sys.argv[1] == "call":
        print(json.dumps(globals()[sys.argv[2]](*sys.argv[3:])))
    else:
        {"training": training, "inference": inference}[sys.argv[1]](*sys.argv[2:])
