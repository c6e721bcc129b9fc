"""Stiff ordinary differential equations: `solvers.integrate` against SciPy's `solve_ivp`, at equal achieved error.

    python stiff.py            every problem; writes benchmarks/results/stiff.json

Both run over a ladder of tolerances (rtol = 1e-3 ... 1e-11; atol the same small fraction of rtol, which suits both). A run's
error is the largest relative error of the components whose reference is known, at the end. Times are of the second call on
(ours is compiled by the first; SciPy compiles nothing), the median of several. SciPy's methods Radau, BDF and LSODA get the
analytic right-hand side as plain Python floats, which is faster for it than NumPy arrays of three to eight numbers, and
vectorised Jacobians by finite differences, its default. What is compared: for each of our runs the fastest SciPy run that is
at least as accurate.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "pinn")]

TOLERANCES = tuple(10.0**-k for k in range(3, 12))
MARK = 1e-6  # six digits


@dataclass(frozen=True)
class Problem:
    """`right(y)` gives the components of dy/dt for a sequence of numbers or arrays; `reference` those known at `end`."""

    name: str
    right: Callable[[Any], tuple[Any, ...]]
    start: tuple[float, ...]
    end: float
    reference: dict[int, float]
    scale: float = 1e-8  # atol = scale x rtol x the largest initial value


def robertson(y):
    a, b, c = y
    first, second, third = 0.04 * a, 3e7 * b * b, 1e4 * b * c
    return -first + third, first - second - third, second


def van_der_pol(y):
    return y[1], 1000 * (1 - y[0] * y[0]) * y[1] - y[0]


def brusselator(y):
    a, b = y
    return 1 - 4 * a + a * a * b, 3 * a - a * a * b


def hires(y):
    a, b, c, d, e, f, g, h = y
    last = 280 * f * h - 1.81 * g
    return (
        -1.71 * a + 0.43 * b + 8.32 * c + 0.0007,
        1.71 * a - 8.75 * b,
        -10.03 * c + 0.43 * d + 0.035 * e,
        8.32 * b + 1.71 * c - 1.12 * d,
        -1.745 * e + 0.43 * f + 0.43 * g,
        -280 * f * h + 0.69 * d + 1.71 * e - 0.43 * f + 0.69 * g,
        last,
        -last,
    )


PROBLEMS = (
    Problem(
        "Robertson", robertson, (1.0, 0.0, 0.0), 1e11,
        {0: 2.083340149701255e-8, 1: 8.333360770334713e-14, 2: 0.9999999791665050},
    ),
    Problem("van der Pol, mu = 1000", van_der_pol, (2.0, 0.0), 2000.0, {0: 1.706167732170469, 1: -8.928097010248125e-4}),
    Problem("Brusselator", brusselator, (1.5, 3.0), 20.0, {0: 0.49863707126834783, 1: 4.596780349452011}),
    Problem("HIRES", hires, (1.0, 0, 0, 0, 0, 0, 0, 0.0057), 321.8122, {0: 0.7371312573325668e-3}),
)  # fmt: skip


def error(problem: Problem, y: np.ndarray) -> float:
    return float(max(abs(y[i] / value - 1) for i, value in problem.reference.items()))


def timed(run: Callable[[], Any], seconds: float = 1.0) -> tuple[float, Any]:
    """The median time of several calls after the first, and what the first returned."""
    first = run()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 50):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
        if times[-1] > 20:
            break
    return statistics.median(times), first


def ours(problem: Problem, rtol: float) -> dict[str, Any]:
    import jax.numpy as jnp

    from sciml import solvers

    right = lambda t, y: jnp.stack(problem.right(y))  # noqa: E731
    atol = problem.scale * rtol * max(map(abs, problem.start))
    begun = time.perf_counter()
    solvers.integrate(right, np.array(problem.start), (0, problem.end), rtol=rtol, atol=atol, throw=False)
    first = time.perf_counter() - begun
    seconds, found = timed(
        lambda: solvers.integrate(right, np.array(problem.start), (0, problem.end), rtol=rtol, atol=atol, throw=False)
    )
    return {
        "rtol": rtol, "seconds": seconds, "first_call": first, "steps": found.stats["steps"], "result": found.result,
        "error": error(problem, found.y[-1]) if found.success else None,
    }  # fmt: skip


def scipys(problem: Problem, method: str, rtol: float) -> dict[str, Any]:
    right = lambda t, y: problem.right(y.tolist())  # noqa: E731
    atol = problem.scale * rtol * max(map(abs, problem.start))
    run = lambda: solve_ivp(right, (0, problem.end), problem.start, method=method, rtol=rtol, atol=atol)  # noqa: E731
    seconds, found = timed(run)
    ended = found.success and np.all(np.isfinite(found.y[:, -1]))
    return {
        "rtol": rtol, "seconds": seconds, "error": error(problem, found.y[:, -1]) if ended else None, "steps": len(found.t) - 1,
        "method": method,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names; all by default")
    args = parser.parse_args()
    from run import machine

    report: dict[str, Any] = {"machine": machine(), "precision": "float64", "problems": {}}
    for problem in PROBLEMS:
        if args.names and not any(n.lower() in problem.name.lower() for n in args.names):
            continue
        mine = [ours(problem, rtol) for rtol in TOLERANCES]
        theirs = [scipys(problem, method, rtol) for method in ("Radau", "BDF", "LSODA") for rtol in TOLERANCES]
        for row in mine:
            if row["error"] is None:
                continue
            good = [r for r in theirs if r["error"] is not None and r["error"] <= row["error"]]
            best = min(good, key=lambda r: r["seconds"], default=None)
            row["scipy"] = best
            row["faster"] = None if best is None else best["seconds"] / row["seconds"]
        reached = min(r["error"] for r in mine if r["error"] is not None)
        report["problems"][problem.name] = {"sciml": mine, "scipy": theirs, "best error": reached, "passed": reached <= MARK}
        print(f"{problem.name}: best error {reached:.1e} ({'pass' if reached <= MARK else 'MISS'})")
        for row in mine:
            peer = row.get("scipy")
            against = ""
            if peer is not None:
                against = f"  {row['faster']:.1f} x faster than {peer['method']} (error {peer['error']:.1e})"
            wrong = "failed" if row["error"] is None else f"error {row['error']:.1e}"
            took = f"{1e3 * row['seconds']:.1f} ms, {row['steps']} steps"
            print(f"  rtol {row['rtol']:.0e}  {wrong}  {took}{against}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "stiff.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
