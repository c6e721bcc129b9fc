"""Burgers by sciml, DeepXDE, jinns and jNO on this machine, one after the other: error against wall time, on one plot.

    python benchmarks/pinn/peers/compare.py                  15 minutes each; writes results/peers_burgers.json, .png
    python benchmarks/pinn/peers/compare.py --limit 60       shorter
    python benchmarks/pinn/peers/compare.py --only sciml     one again; the others are kept from the file
    python benchmarks/pinn/peers/compare.py --plot           only draws again

The peers run at their own published or documented settings (see burgers_*.py), each in its environment, and
report their error while they train. sciml's points are default calls, one fresh process for each time limit,
since nothing but `max_time` is what a user passes. Every clock starts with the process: import and compilation
count. DeepXDE gets the number of threads with which its step was faster in a short trial before.

The environments (Python 3.11; PyTorch's CPU build):

    cd /work/venvs
    python3.11 -m venv peer_deepxde && peer_deepxde/bin/pip install torch==2.13.0
    peer_deepxde/bin/pip install deepxde
    python3.11 -m venv peer_jinns && peer_jinns/bin/pip install jinns
    python3.12 -m venv peer_jno && peer_jno/bin/pip install jax-numerical-operators

jinns 1.10.2 crashes CPython 3.12.1 on import (a TypeVar with keywords), so it gets 3.11, and with it JAX 0.10.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parents[1] / "results"
VENVS = Path("/work/venvs")
PEERS = {"DeepXDE": "deepxde", "jinns": "jinns", "jNO": "jno"}
BUDGETS = (15, 30, 45, 60, 90, 120, 180, 300, 600, 900)
sys.path[:0] = [str(HERE.parent), str(HERE)]


def run_peer(library: str, limit: float, threads: int | None) -> dict[str, Any]:
    """One peer's script in its own environment; when it cannot run, why, in place of numbers."""
    short = PEERS[library]
    python = VENVS / f"peer_{short}" / "bin" / "python"
    if not python.exists():
        return {"library": library, "failed": f"{python} does not exist: its environment is not installed"}
    environment = dict(os.environ) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "log.json"
        command = [str(python), str(HERE / f"burgers_{short}.py"), "--limit", str(limit), "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=limit + 900)
        if not out.exists():
            return {"library": library, "failed": (done.stderr or done.stdout)[-2000:]}
        found = json.loads(out.read_text())
    if done.returncode:
        found["failed"] = f"ended with code {done.returncode}: {done.stderr[-2000:]}"
    return found | ({"threads": threads} if threads else {})


def run_sciml(limit: float, margin: float) -> dict[str, Any]:
    from run import run_one

    pairs, runs = [], []
    for seconds in (b for b in BUDGETS if b <= limit):
        record = run_one("burgers", seconds, margin=margin)
        runs.append(record)
        if "failed" in record:
            return {"library": "sciml", "failed": record["failed"], "pairs": pairs, "runs": runs}
        pairs.append([record["wall_s"], record["errors"]["u"], None])
        print(f"{record['wall_s']:8.1f} s  relative L2 {record['errors']['u']:.3e}", flush=True)
        if record["wall_s"] < 0.7 * seconds:
            break  # it ended by itself: more time changes nothing
    return {
        "library": "sciml", "settings": "the default call, one process for each max_time; float64", "pairs": pairs,
        "notes": [], "runs": runs,
    }  # fmt: skip


def faster_threads() -> int:
    """The number of threads, of 1 and all cores, with which DeepXDE's Adam step is faster here."""
    from adam_step import measure

    with tempfile.TemporaryDirectory() as folder:
        points = Path(folder) / "points.npz"
        times = {
            n: measure("deepxde", "float32", points, threads=n, steps=100)["ms_per_step"]
            for n in {1, len(os.sched_getaffinity(0))}
        }
    print(f"DeepXDE: {', '.join(f'{v:.2f} ms per step with {n} thread(s)' for n, v in times.items())}", flush=True)
    return min(times, key=times.__getitem__)


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.8), layout="constrained")
    for (library, found), marker in zip(results.items(), "osd^", strict=False):
        pairs = found.get("pairs", [])
        if not pairs:
            continue
        wall, error = [p[0] for p in pairs], [p[1] for p in pairs]
        style = {"marker": marker, "ms": 5, "lw": 2} if library == "sciml" else {"lw": 1.3}
        (line,) = axes.loglog(wall, error, label=f"{library}: {found['settings']}", **style)
        for when, text in found.get("notes", []):
            if "where" in text or text.startswith("end of L-BFGS"):
                nearest = min(pairs, key=lambda p, when=when: abs(p[0] - when))
                axes.plot(nearest[0], nearest[1], "x", color=line.get_color(), ms=9, mew=2)
    axes.set(xlabel="wall time [s], import and compilation included", ylabel="relative L2 error")
    axes.set_title("Burgers, nu = 0.01/pi, same machine, one run (x: end of the published settings)", fontsize=10)
    axes.grid(True, which="major", alpha=0.4)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--limit", type=float, default=900.0, help="wall seconds for each")
    parser.add_argument("--margin", type=float, default=5.0, help="seconds that sciml keeps for stopping")
    parser.add_argument("--only", action="append", choices=("sciml", *PEERS))
    parser.add_argument("--plot", action="store_true")
    parser.add_argument("--out", default=str(RESULTS / "peers_burgers.json"))
    args = parser.parse_args()
    from run import machine

    out = Path(args.out)
    report = json.loads(out.read_text()) if out.exists() else {}
    results = report.get("results", {})
    for library in () if args.plot else (args.only or ("sciml", *PEERS)):
        print(library, flush=True)
        if library == "sciml":
            results[library] = run_sciml(args.limit, args.margin)
        else:
            threads = faster_threads() if library == "DeepXDE" and (VENVS / "peer_deepxde").exists() else None
            results[library] = run_peer(library, args.limit, threads)
        results[library]["machine"] = machine()
        found = results[library]
        if "failed" in found:
            print(f"FAILED: {found['failed'].strip().splitlines()[-1]}", flush=True)
        for wall, error, step in found.get("pairs", [])[-1:]:
            print(f"{library}: {error:.2e} after {wall:.0f} s ({step or 'default call'})", flush=True)
        results = {name: results[name] for name in ("sciml", *PEERS) if name in results}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"limit": args.limit, "results": results}, indent=1) + "\n")
    plot(results, out.with_suffix(".png"))
    print(f"wrote {out} and {out.with_suffix('.png')}")


if __name__ == "__main__":
    main()
