"""Runs the problems, each mark in a fresh process, and writes benchmarks/results/pinn.json and pinn.md.

    python benchmarks/pinn/run.py                         every problem, every mark (about 50 minutes)
    python benchmarks/pinn/run.py burgers heat            these
    python benchmarks/pinn/run.py --seconds 10 burgers    a smoke test: every run this long, written to pinn_smoke.*
    python benchmarks/pinn/run.py --record                Burgers and Allen-Cahn for ten minutes each
    python benchmarks/pinn/run.py --coverage 20 --seconds 90    how many noise draws two standard errors cover
    python benchmarks/pinn/run.py --table                 only writes pinn.md again from pinn.json

Nothing but `max_time` is passed to `solve`. Wall time is the process's, from its start until `solve` has
returned: import and compilation included. `solve` is told the mark less the start-up (measured) less a margin
(--margin, 5 s) for stopping, so a run that goes to its limit ends below the mark; one that ends by itself is
shown with what it took. Peak memory is the process's resident maximum when `solve` returns. Results merge by
problem into the file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
sys.path[:0] = [str(HERE), str(HERE.parents[1])]


def machine() -> dict[str, Any]:
    """Versions and the machine, for every record."""
    versions = {}
    for name in ("jax", "jaxlib", "numpy", "scipy", "sympy", "equinox", "optax", "sciml"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "from the checkout" if name == "sciml" else None
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": versions,
        "system": platform.platform(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def run_one(
    name: str, seconds: float, *, margin: float, key: int = 0, draw: int | None = None, core: int | None = None
) -> dict[str, Any]:
    """One fresh process, on one core if asked. A process that fails gives a record with its last words instead of
    numbers."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        command = [sys.executable, str(HERE / "one.py"), name, str(seconds), "--out", str(out)]
        command += ["--margin", str(margin), "--key", str(key), "--started", repr(time.time())]
        command += [] if draw is None else ["--draw", str(draw)]
        command = command if core is None else ["taskset", "-c", str(core), *command]
        load = os.getloadavg()[0]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 1800)
        if done.returncode or not out.exists():
            return {"name": name, "seconds": seconds, "failed": (done.stderr or done.stdout).strip()[-2000:]}
        return json.loads(out.read_text()) | {"load_before": round(load, 2)} | machine()


def run_problem(problem: Any, seconds: float | None, margin: float, key: int) -> list[dict[str, Any]]:
    records = []
    for mark in problem.marks:
        record = run_one(problem.name, seconds or mark.seconds, margin=margin, key=key)
        record |= {"title": problem.title, "mark": mark.text(), "bound": mark.bound, "own_bounds": mark.own}
        if "failed" not in record:
            record["passed"] = mark.passed(record["errors"]) and record["wall_s"] <= mark.seconds
        records.append(record)
        say(record)
        if seconds:
            break
    return records


def say(record: dict[str, Any]) -> None:
    if "failed" in record:
        print(f"{record['name']:24s} FAILED: {record['failed'].splitlines()[-1]}", flush=True)
        return
    errors = " ".join(f"{short(k)}={v:.1e}" for k, v in record["errors"].items())
    estimate = "none" if record["estimated"] is None else f"{record['estimated']:.1e}"
    print(
        f"{record['name']:24s} {errors}  estimated {estimate}  {record['wall_s']:.0f} s  "
        f"{record['peak_memory_mib']:.0f} MiB  {'pass' if record.get('passed') else 'MISS'}",
        flush=True,
    )
    print(f"{'':24s} {record['result']}", flush=True)


def short(name: str) -> str:
    return name.replace("standard error of ", "se ").replace(", as a factor of the bound", "/bound")


def coverage(draws: int, seconds: float, margin: float) -> dict[str, Any]:
    """Shorter runs over draws of the noise: how often two standard errors cover the truth. Nothing is timed here, so
    every core takes a run of its own."""
    cores = sorted(os.sched_getaffinity(0))

    def several(core: int) -> list[dict[str, Any]]:
        mine = []
        for draw in range(cores.index(core), draws, len(cores)):
            mine.append(run_one("inverse_burgers_noisy", seconds, margin=margin, draw=draw, core=core))
            say(mine[-1])
        return mine

    with ThreadPoolExecutor(len(cores)) as pool:
        runs = [record for found in pool.map(several, cores) for record in found]
    good = [r["details"] for r in runs if "failed" not in r]
    names = good[0].keys() if good else ()
    covered = {name: sum(d[name]["covered by two"] for d in good) for name in names}
    ratio = {
        name: [d[name]["standard error, relative"] / d[name]["cramer-rao, relative"] for d in good] for name in names
    }
    print(f"covered by two standard errors, of {draws} draws: {covered}")
    return {
        "draws": draws, "seconds": seconds, "covered": covered, "standard error over bound": ratio,
        "passed": bool(covered) and all(17 * draws <= 20 * n for n in covered.values()), "runs": runs,
    }  # fmt: skip


def merge(path: Path, key: str, value: Any) -> None:
    """Replaces one entry of the JSON file, written at once so that a kill leaves the old or the new."""
    found = json.loads(path.read_text()) if path.exists() else {}
    found[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(found, indent=1) + "\n")
    fresh.replace(path)


def table(path: Path) -> str:
    """The Markdown table for the README."""
    found = json.loads(path.read_text())
    lines = [
        "| problem | mark | reached | true error, all fields | estimated | estimated / true | time | memory | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    from problems import PROBLEMS

    last = None
    for name in [*PROBLEMS, *(f"{n} (record)" for n in RECORDS)]:
        for record in found.get(name, []):
            lines.append(row(record))
            last = record if "failed" not in record else last
    if last is not None:
        versions = last["versions"]
        lines += [
            "",
            f"{last['cpu']}, {last['cores_allowed']} cores, {last['precision']}; Python {last['python']}, JAX "
            f"{versions['jax']}, NumPy {versions['numpy']}; {last['date'][:10]}. A fresh process each, import and "
            "compilation included, nothing passed but `max_time`. Errors are relative L2 against the exact solution "
            "(Allen-Cahn, Kuramoto-Sivashinsky: Fourier series of `sciml.solvers`, good to 2e-7 and 1e-11; cavity: the "
            "extrema of Marchi et al. 2009, and for the field staggered cells of `sciml.solvers`, good to 2e-4).",
        ]
    if "coverage" in found:
        c = found["coverage"]
        counts = ", ".join(f"{n} of {c['draws']} for {name}" for name, n in c["covered"].items())
        lines += [
            "",
            f"Inverse Burgers, 1 % noise: two standard errors cover the truth in {counts} ({c['seconds']:g} s on one core "
            "each).",
        ]
    return "\n".join(lines) + "\n"


def row(record: dict[str, Any]) -> str:
    if "failed" in record:
        return f"| {record['title']} | {record['mark']} | failed | | | | | | miss |"
    errors = record["errors"]
    reached = f"{next(iter(errors.values())):.1e}"
    if len(errors) > 1:
        reached = ", ".join(f"{short(k)} {v:.2g}" for k, v in errors.items())
    true, estimate = record["field_errors"]["all"], record["estimated"]
    given = "none" if estimate is None else f"{estimate:.1e}"
    factor = "" if estimate is None or not true else f"{estimate / true:.2g}"
    if estimate is not None and true and not 0.1 <= estimate / true <= 10:
        factor += " (outside)"
    aim = ""
    if record.get("aim") and all(e <= record["aim"] for e in errors.values() if not math.isnan(e)):
        aim = f", aim {record['aim']:g} reached"
    verdict = ("pass" if record.get("passed") else "miss") + aim if record.get("mark") != "record" else ""
    return (
        f"| {record['title']} | {record['mark']} | {reached} | {true:.1e} | {given} | {factor} | "
        f"{record['wall_s']:.0f} s | {record['peak_memory_mib']:.0f} MiB | {verdict} |"
    )


RECORDS = {"burgers": 1.6e-8, "allen_cahn": 9.4e-7}


def main() -> None:
    from problems import PROBLEMS

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(PROBLEMS)}; all by default")
    parser.add_argument("--seconds", type=float, help="instead of the marks' times (a smoke test)")
    parser.add_argument("--margin", type=float, default=5.0, help="seconds kept for stopping")
    parser.add_argument("--key", type=int, default=0, help="of the network and the points")
    parser.add_argument("--record", action="store_true", help="Burgers and Allen-Cahn for ten minutes")
    parser.add_argument("--coverage", type=int, metavar="N", help="draws of noise in the inverse problem")
    parser.add_argument("--table", action="store_true", help="only the Markdown")
    args = parser.parse_args()
    unknown = set(args.names) - set(PROBLEMS)
    if unknown:
        parser.error(f"no problem {', '.join(sorted(unknown))}; there are {', '.join(PROBLEMS)}")
    smoke = args.seconds is not None and not args.coverage
    path = RESULTS / ("pinn_smoke.json" if smoke else "pinn.json")
    if args.record:
        for name in args.names or RECORDS:
            record = run_one(name, args.seconds or 600, margin=args.margin, key=args.key)
            record |= {"title": f"{PROBLEMS[name].title}, ten minutes (published {RECORDS[name]:g})", "mark": "record"}
            say(record | {"passed": True})
            merge(path, f"{name} (record)", [record])
    elif args.coverage:
        merge(path, "coverage", coverage(args.coverage, args.seconds or 90, args.margin))
    elif not args.table:
        for name in args.names or PROBLEMS:
            merge(path, name, run_problem(PROBLEMS[name], args.seconds, args.margin, args.key))
    if path.exists():
        path.with_suffix(".md").write_text(table(path))
        print(f"wrote {path} and {path.with_suffix('.md')}")


if __name__ == "__main__":
    main()
