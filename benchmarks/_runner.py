"""Tables of problems, each stated once and solved by default calls in fresh processes: what came, and what was said of it.

A script collects problems with `entry` and hands them to `main`. Each road (`pinn.solve`, `solvers.solve`) of each problem
runs in a process of its own, on one core, and is killed at a hard limit of twice its budget and a minute. What it did is
written to the JSON file at once, so that a run goes on where it was stopped.

A verdict follows from numbers and words alone:

    right       the error (of all fields together) is below the problem's tolerance; `alarm` where the estimate, which is of the
                worst field, is ten times larger than that and than the error of that field
    warned      it is not, and the reader is told: an estimate that is not ten times too small or above a tenth, or none
                (from solvers, which give none: `converged` is False), a note, a warning, a standard error above a tenth
                of the parameter, or the run stopped with an error that sciml worded
    refused     an error that sciml raised before anything was solved
    WRONG       the error is above the tolerance and nothing says so
    CRASH       an error of JAX, NumPy or SymPy came through
    TIME-OUT    killed at the hard limit
    skipped     its data are not here
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

STARTED = time.time()
BENCHMARKS = Path(__file__).resolve().parent
RESULTS = BENCHMARKS / "results"
DATA = Path(os.environ.get("SCIML_DATA", BENCHMARKS.parents[1] / "shared" / "data"))
sys.path[:0] = [str(BENCHMARKS.parent), str(BENCHMARKS / "pinn")]

from run import machine, merge  # noqa: E402

REFUSALS = (ValueError, TypeError, NotImplementedError)
SHOWN = 6  # errors of single fields or places; of more, the three largest
LABELS = ("right", "warned", "refused", "WRONG", "CRASH", "TIME-OUT", "skipped")


class Missing(Exception):
    """The data of a problem are not on this machine."""


@dataclass(frozen=True)
class Stated:
    """A problem as a user states it, and what is right.

    **Attributes:** `truth`: functions of the coordinates by field; or (points by coordinate, values by field); or a function
    of the solution that gives (found, right) by label, numbers or arrays, or (found, right, scale) where the error is not
    relative to what is right but to a scale; or None where the problem has no solution, so that
    every answer without a warning is wrong. `pinn`, `solvers`: options of the two roads, none by default. `solve`: a call of
    its own instead, given the budget.
    """

    pde: Any = None
    domain: Any = None
    truth: Any = None
    pinn: Mapping[str, Any] = field(default_factory=dict)
    solvers: Mapping[str, Any] = field(default_factory=dict)
    solve: Callable[[float], Any] | None = None


@dataclass(frozen=True)
class Entry:
    """One line of a table: `state()` gives the problem. `seconds`: the budget of each road. `right`: the relative error that
    is still right. `beside`: what stands beside the results (published numbers, the right value)."""

    name: str
    state: Callable[[], Stated]
    roads: tuple[str, ...]
    seconds: float
    right: float
    beside: str = ""


class Table(dict[str, Entry]):
    """The problems of a script, in order."""

    def entry(
        self, name: str, beside: str = "", *, roads: tuple[str, ...] = ("pinn", "solvers"), seconds: float = 150,
        right: float = 1e-2,
    ) -> Callable[[Callable[[], Stated]], Callable[[], Stated]]:  # fmt: skip
        def add(state: Callable[[], Stated]) -> Callable[[], Stated]:
            if name in self:
                raise ValueError(f"Two entries are called {name!r}.")
            self[name] = Entry(name, state, roads, seconds, right, beside)
            return state

        return add


# -- one problem, in this process ------------------------------------------------------------------------------------------


def errors(solution: Any, truth: Any, samples: int = 8192) -> dict[str, float]:
    """Relative errors by field (L2) or label, and `all` together: that of all fields (L2), or the largest of the labels."""
    if truth is None:
        return {}
    if callable(truth):
        size = lambda value: float(np.linalg.norm(np.ravel(value)))  # noqa: E731
        found = {
            name: size(np.subtract(got, right)) / (scale[0] if scale else size(right) or 1.0)
            for name, (got, right, *scale) in truth(solution).items()
        }
        return found | {"all": max(found.values())}
    squares, missing = {}, 0
    for name, (got, right) in (_at_table if isinstance(truth, tuple) else _at_samples)(solution, truth, samples):
        known = np.isfinite(right)
        here = known & np.isfinite(got)
        missing += int((known & ~here).sum())
        squares[name] = float((abs(got - right)[here] ** 2).sum()), float((abs(right)[here] ** 2).sum())
    out = {name: (above / below) ** 0.5 for name, (above, below) in squares.items()}
    out["all"] = (sum(a for a, _ in squares.values()) / sum(b for _, b in squares.values())) ** 0.5
    return out | ({"points without a value": float(missing)} if missing else {})


def _at_table(solution: Any, truth: Any, _: int):
    points, values = truth
    for name, right in values.items():
        wanted = [c.name for c in solution.pde[name].coordinates]
        yield name, (np.asarray(getattr(solution, name)(**{c: points[c] for c in wanted})), right)


def _at_samples(solution: Any, truth: Mapping[str, Any], samples: int):
    points = solution.domain.sample(samples, key=1)
    columns = list(solution.domain.names)
    for name, function in truth.items():
        where = [points[:, columns.index(c.name)] for c in solution.pde[name].coordinates]
        yield name, (np.asarray(getattr(solution, name)(*where)), np.asarray(function(*where)))


def one(entry: Entry, road: str, seconds: float, started: float) -> dict[str, Any]:
    """States, solves, measures."""
    row: dict[str, Any] = {"name": entry.name, "road": road, "budget": seconds, "right": entry.right}
    said: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            solution, stated = _solved(entry, road, seconds)
            row["seconds"] = time.time() - started
            row["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            row |= _told(solution)
            row["printed"] = str(solution)
        # An estimate is of the L2 norm, and comparable with nothing else.
        row |= {"errors": errors(solution, stated.truth), "comparable": not callable(stated.truth)}
    except Missing as missing:
        row |= {"skipped": str(missing)}
    except Exception as error:
        # An error that a line of sciml raised was worded for the reader; others came through from below.
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        worded = f"{os.sep}sciml{os.sep}" in last
        row |= {"raised": f"{type(error).__name__}: {error}"[:2000], "worded": worded, "trace": traceback.format_exc()[-3000:]}
        row["early"] = worded and isinstance(error, REFUSALS)
    row.setdefault("seconds", time.time() - started)
    row["memory_with_estimate"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = [str(w.message) for w in said if issubclass(w.category, UserWarning)]
    row["warnings"] = [text for text in told if not text.startswith("jaxlib")]  # that one is of no problem
    return row | {"verdict": verdict(row)}


def _solved(entry: Entry, road: str, seconds: float) -> tuple[Any, Stated]:
    from sciml import pinn, solvers

    stated = entry.state()
    if stated.solve is not None:
        return stated.solve(seconds), stated
    solve = pinn.solve if road == "pinn" else solvers.solve
    options = {"max_time": seconds, "progress": False} | dict(stated.pinn if road == "pinn" else stated.solvers)
    return solve(stated.pde, stated.domain, **options), stated


def _told(solution: Any) -> dict[str, Any]:
    """What the solution says of itself."""
    out: dict[str, Any] = {"result": str(getattr(solution, "result", "")), "notes": list(getattr(solution, "notes", ()))}
    out["converged"] = bool(getattr(solution, "converged", True))
    unknown = {name: (p.value, p.standard_error) for name, p in getattr(solution, "parameters", {}).items()}
    out["parameters"] = {name: [float(value), None if e is None else float(e)] for name, (value, e) in unknown.items()}
    if getattr(solution, "estimator", None) is None:
        return out | {"estimate": None, "estimate_reason": None}
    before = time.time()
    found = solution.estimate_error()
    return out | {"estimate": found.value, "estimate_reason": found.reason, "estimate_seconds": time.time() - before}


def worst(row: Mapping[str, Any]) -> float | None:
    """The error that an estimate speaks of, which is that of the worst field; None where there is no truth."""
    fields = [v for k, v in row["errors"].items() if k not in ("all", "points without a value")]
    return max(fields, default=None)


def verdict(row: Mapping[str, Any]) -> str:
    """The rule of the module's docstring."""
    if row.get("verdict") == "TIME-OUT":
        return "TIME-OUT"
    if "skipped" in row:
        return "skipped"
    if "raised" in row:
        if not row["worded"]:
            return "CRASH"
        return "refused" if row["early"] else "warned"
    error, estimate = row["errors"].get("all"), row["estimate"]
    if error is not None and error <= row["right"]:
        false = estimate is not None and estimate > 10 * max(row["right"], error, worst(row) or 0.0)
        return "right, alarm" if false else "right"
    # A standard error above a tenth of the value, or infinite.
    vague = any(e is not None and not e <= 0.1 * abs(value) for value, e in row.get("parameters", {}).values())
    told = vague or row["notes"] or row["warnings"]
    if estimate is None:
        told = told or row["estimate_reason"] is not None or not row["converged"]
    else:
        told = told or estimate > 0.1 or error is not None and estimate >= (worst(row) or error) / 10
    return "warned" if told else "WRONG"


# -- all of them, in fresh processes ---------------------------------------------------------------------------------------


def fresh(script: Path, entry: Entry, road: str, seconds: float, core: int | None) -> dict[str, Any]:
    """One problem by one road in a process of its own."""
    limit = 2 * seconds + 60
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "row.json"
        command = [sys.executable, str(script), "--one", entry.name, road, str(seconds), str(out), repr(time.time())]
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        # Compilation is part of what a user waits for; with JAX's own lines in a trace it is seen who raised.
        environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
        environment |= {"MPLBACKEND": "Agg", "JAX_TRACEBACK_FILTERING": "off"}
        row: dict[str, Any] = {"name": entry.name, "road": road, "budget": seconds, "right": entry.right, "seconds": limit}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
        except subprocess.TimeoutExpired as late:
            terminal = late.stderr or ""
            terminal = terminal if isinstance(terminal, str) else terminal.decode(errors="replace")
            return row | {"verdict": "TIME-OUT", "terminal": terminal[-1000:]}
        if done.returncode or not out.exists():
            raised = (done.stderr or f"ended with {done.returncode}")[-2000:]
            return row | {"verdict": "CRASH", "raised": raised, "worded": False}
        return json.loads(out.read_text()) | {"terminal": done.stderr[-1000:]}


def main(table: Table, script: Path, path: Path, doc: str, beside: str) -> None:
    """The command line of a script of problems; `beside` is the title of what stands beside the results."""
    if sys.argv[1:2] == ["--one"]:
        name, road, seconds, out, started = sys.argv[2:]
        Path(out).write_text(json.dumps(one(table[name], road, float(seconds), float(started)), default=str))
        return
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="problems whose names begin so; all by default")
    parser.add_argument("--road", choices=("pinn", "solvers", "call"), help="only this one")
    parser.add_argument("--again", action="store_true", help="also what is in the file already")
    parser.add_argument("--seconds", type=float, help="instead of the budgets (a smoke test, written beside the results)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once, each on a core of its own")
    parser.add_argument("--table", action="store_true", help="only prints what is in the file")
    args = parser.parse_args()
    if args.seconds:
        path = Path(tempfile.gettempdir()) / f"{path.stem}_smoke.json"
        args.again = True
    chosen = [e for e in table.values() if not args.only or any(e.name.startswith(only) for only in args.only)]
    if not chosen:
        parser.error(f"no problem begins with {', '.join(args.only)}; there are {', '.join(table)}")
    if not args.table:
        _run(chosen, args, script, path)
    found = json.loads(path.read_text()) if path.exists() else {}
    print(text(chosen, found, beside))
    whole = text(list(table.values()), found, beside)
    path.with_suffix(".md").write_text(f"{whole}\n\n{_where(found)}\n")
    print(f"{path}, {path.with_suffix('.md')}")


def _where(found: Mapping[str, Any]) -> str:
    """The machine and the versions of the last run."""
    if not found:
        return ""
    last = max(found.values(), key=lambda row: row["date"])
    versions = ", ".join(f"{name} {version}" for name, version in last["versions"].items() if version)
    return (
        f"{last['cpu']}, one core for each run, float64; Python {last['python']}, {versions}; {last['date'][:10]}. A fresh "
        "process each, import and compilation included."
    )


def _run(chosen: list[Entry], args: argparse.Namespace, script: Path, path: Path) -> None:
    known = json.loads(path.read_text()) if path.exists() else {}
    work = [
        (entry, road) for entry in chosen for road in entry.roads
        if args.road in (None, road) and (args.again or f"{entry.name}, {road}" not in known)
    ]  # fmt: skip
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    free, lock = cores[: args.jobs], threading.Lock()

    def run(entry: Entry, road: str) -> None:
        with lock:
            core = free.pop() if free else None
        row = fresh(script, entry, road, args.seconds or entry.seconds, core) | machine() | {"cores": 1, "precision": "float64"}
        with lock:
            merge(path, f"{entry.name}, {road}", row)
            print(f"{entry.name:28s} {road:8s} {cell(row):44s} {row['verdict']:12s} {says(row)[:160]}", flush=True)
            if core is not None:
                free.append(core)

    with ThreadPoolExecutor(args.jobs) as pool:
        for done in [pool.submit(run, *each) for each in work]:
            done.result()


# -- text ------------------------------------------------------------------------------------------------------------------


def cell(row: Mapping[str, Any] | None) -> str:
    """error / estimate / seconds / memory"""
    if row is None:
        return "-"
    if "errors" not in row:
        return f"- / {row['seconds']:.0f} s"
    error = row["errors"].get("all")
    fields = {k: v for k, v in row["errors"].items() if k not in ("all", "points without a value")}
    missing = row["errors"].get("points without a value")
    by_field = "" if missing is None else f" ({missing:.0f} points without a value)"
    shown = dict(sorted(fields.items(), key=lambda item: -item[1])[:3]) if len(fields) > SHOWN else fields
    by_field += "".join(f" {k} {v:.1e}" for k, v in shown.items()) if len(fields) > 1 else ""
    estimate = ""
    if row.get("estimate_reason") is not None:
        value = row["estimate"]
        estimate = " / none" if value is None else f" / {value:.1e}"
        true = worst(row) if row["comparable"] else None
        estimate += " (outside)" if value is not None and true and not 0.1 <= value / true <= 10 else ""
    reached = "no truth" if error is None else f"{error:.1e}"
    return f"{reached}{estimate} / {row['seconds']:.0f} s / {row['memory']:.0f} MiB{by_field}"


def says(row: Mapping[str, Any]) -> str:
    parts = [row.get(kind, "") for kind in ("skipped", "raised", "result")]
    parts += [*row.get("notes", ()), *row.get("warnings", ())]
    if "errors" in row and row.get("estimate_reason") and row["estimate"] is None:
        parts.append(f"no estimate: {row['estimate_reason']}")
    if "Constant folding" in row.get("terminal", "") or "captured during lowering" in row.get("terminal", ""):
        parts.append("(XLA alarms on the terminal)")
    return " | ".join(" ".join(p.split()) for p in parts if p)


def text(chosen: list[Entry], found: Mapping[str, Any], beside: str) -> str:
    """A table of Markdown, what each run said, and how many there are of each verdict."""
    lines = [f"| problem | {beside} | pinn: error / estimate / time / memory | solvers, or a call of its own | verdict |"]
    lines.append("| --- | --- | --- | --- | --- |")
    words, counts = [], dict.fromkeys(LABELS, 0)
    for entry in chosen:
        rows = {road: found[key] for road in ("pinn", "solvers", "call") if (key := f"{entry.name}, {road}") in found}
        if not rows:
            continue
        other = rows.get("solvers") or rows.get("call")
        verdicts = "; ".join(verdict(row) for row in rows.values())
        lines.append(f"| {entry.name} | {entry.beside} | {cell(rows.get('pinn'))} | {cell(other)} | {verdicts} |")
        for road, row in rows.items():
            counts[verdict(row).split(",")[0]] += 1
            words.append(f"- {entry.name}, {road}, {verdict(row)}: {says(row)[:600]}")
    tally = ", ".join(f"{n} {label}" for label, n in counts.items() if n)
    return "\n".join([*lines, "", *words, "", tally])
