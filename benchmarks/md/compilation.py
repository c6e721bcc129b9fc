"""How long small runs take before their first step, what they compile, and what a second call of the same shapes compiles.

    python benchmarks/md/compilation.py          each case in a fresh process, without JAX's cache of programs on the disk
    python benchmarks/md/compilation.py train    that case alone, as JSON

Writes benchmarks/results/md_compilation.json. Nothing else should run on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from rows import header  # noqa: E402

RESULT = Path(__file__).resolve().parents[1] / "results" / "md_compilation.json"
EVENT = "/jax/core/compile/backend_compile_duration"
STEPS = 20


def labelled(systems: list[Any], seed: int) -> Any:
    """With random labels: compilation does not depend on them."""
    from sciml import md

    rng = np.random.default_rng(seed)
    forces = [rng.normal(size=(s.atoms, 3)) for s in systems]
    forces = [f - f.mean(axis=0) for f in forces]
    return md.Dataset.of(md.Labels(systems, -3.0 * np.array([s.atoms for s in systems]), forces, None))


def tiny(seed: int) -> Any:
    """Three frames of one and two atoms."""
    from sciml import md

    rng, atoms = np.random.default_rng(seed), ([[0.0, 0, 0]], [[0.0, 0, 0], [1.2, 0, 0]], [[0.0, 0, 0], [0.97, 0, 0]])
    frames = zip(atoms, ("O", "OO", "OH"), strict=True)
    return labelled([md.system(np.array(r) + 0.02 * rng.normal(size=np.shape(r)), list(names)) for r, names in frames], seed)


def molecules(seed: int) -> Any:
    """Six hydrocarbon-like heaps of three to nine atoms."""
    from sciml import md

    rng = np.random.default_rng(seed)
    places = lambda n: 1.2 * np.arange(n)[:, None] + 0.5 * rng.normal(size=(n, 3))  # noqa: E731
    return labelled([md.system(places(n), ["C"] + ["H"] * (n - 1)) for n in (3, 4, 5, 6, 8, 9)], seed)


def water(seed: int, order: str) -> Any:
    """Four frames of eight molecules, whose atoms stand in the `order`."""
    from sciml import md

    rng, frames = np.random.default_rng(seed), []
    shape = {"O": [[0.0, 0, 0]], "H": [[0.76, 0.59, 0], [-0.76, 0.59, 0]]}
    one = np.array([shape[name][order[:k].count(name)] for k, name in enumerate(order)])
    corners = np.stack(np.meshgrid(*[np.arange(2) * 3.1] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    for _ in range(4):
        frames.append(md.system((corners + one + 0.05 * rng.normal(size=(8, 3, 3))).reshape(-1, 3), list(order) * 8, cell=6.2))
    return labelled(frames, seed)


def training(names: tuple[str, ...], frames: Any) -> Any:
    from sciml import md

    return lambda k: md.train(md.deep_potential(names, key=k), frames(k), steps=STEPS, key=k, progress=False)


def validation() -> Any:
    from sciml import md

    model = md.train(md.deep_potential(("O", "H")), water(0, "OHH"), steps=1, progress=False).potential
    return lambda k: md.validate(model, water(k, ("OHH", "HOH")[k]))


def silicon(k: int) -> Any:
    from sciml import md

    return md.thermal(md.diamond(5.431, 2, "Si"), 300.0 + k, key=k)


def dynamics(ensemble: Any) -> Any:
    from sciml import md

    options: dict[str, Any] = dict(steps=STEPS, timestep=1.0, progress=False)
    return lambda k: md.simulate(silicon(k), md.StillingerWeber(), ensemble, key=k, **options)


def cases() -> dict[str, Any]:
    """A function that makes what is called, with 0 and then with 1."""
    from sciml import md

    return {
        "train": lambda: training(("O", "H"), tiny),
        "train_molecules": lambda: training(("C", "H"), molecules),
        "validate": validation,
        "rescaling": lambda: dynamics(md.Rescaling(temperature=300.0)),
        "cell_rescaling": lambda: dynamics(md.CellRescaling(temperature=300.0, pressure=0.0)),
        "relax": lambda: lambda k: md.relax(silicon(k), md.StillingerWeber()),
        "evaluate_batch": lambda: lambda k: md.evaluate_batch(md.StillingerWeber(), [silicon(k)] * 4),
    }


def measured(name: str) -> dict[str, Any]:
    """Seconds and compilations of a first and a second call."""
    import jax

    seen: list[float] = []
    listener = lambda event, seconds, **_: seen.append(seconds) if event == EVENT else None  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    call, found = cases()[name](), {}
    for k, which in enumerate(("first", "second")):
        seen.clear()
        began, used = time.perf_counter(), time.process_time()
        call(k)
        found[which] = {
            "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - used,
            "compilations": len(seen), "compiling_seconds": sum(seen),
        }  # fmt: skip
    return found


def main() -> None:
    rows = {}
    around = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    for name in cases():
        out = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, env=around)
        if out.returncode:
            raise RuntimeError(out.stderr[-2000:])
        rows[name] = json.loads(out.stdout.splitlines()[-1])
        print(name, rows[name], flush=True)
    RESULT.write_text(json.dumps(header() | {"case": __doc__.splitlines()[0], "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measured(sys.argv[1])))
    else:
        main()
