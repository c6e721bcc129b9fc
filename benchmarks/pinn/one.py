"""One problem in this process: solve, measure, write a JSON file. Started by run.py, which wants a fresh process.

    python one.py burgers 60 --out /tmp/burgers.json

`seconds` is the mark: the wall time from the start of the process (import and compilation included) that must
not be exceeded. `solve` counts its `max_time` from its own call, so it is given what is left when it is called,
less a margin for stopping: that is the only thing it is given.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

STARTED = time.time()
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--out", required=True)
    parser.add_argument("--margin", type=float, default=5.0)
    parser.add_argument("--key", type=int, default=0)
    parser.add_argument("--draw", type=int, default=None)
    parser.add_argument("--started", type=float, default=STARTED)
    args = parser.parse_args()

    import numpy as np
    import problems

    from sciml import pinn

    problem = problems.PROBLEMS[args.name] if args.draw is None else problems.noisy_draw(args.draw)
    pde, domain = problem.build()
    startup = time.time() - args.started
    max_time = max(1.0, args.seconds - startup - args.margin)
    key = {"key": args.key} if args.key else {}
    solution = pinn.solve(pde, domain, max_time=max_time, progress=False, **key)
    wall = time.time() - args.started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = time.time()
    estimate, reason = estimated(solution)
    report = {
        "name": problem.name,
        "title": problem.title,
        "seconds": args.seconds,
        "key": args.key,
        "wall_s": wall,
        "startup_s": startup,
        "max_time_s": max_time,
        "peak_memory_mib": peak,
        "errors": problem.errors(solution),
        "field_errors": problem.field_errors(solution),
        "estimated": estimate,
        "estimate_reason": reason,
        "result": str(solution.result),
        "stats": plain(getattr(solution, "stats", {})),
        "details": plain(problem.details(solution)) if problem.details else None,
        "aim": problem.aim,
        "cores_allowed": len(os.sched_getaffinity(0)),
        "precision": precision(solution, np),
    }
    report["estimate_s"] = time.time() - before
    Path(args.out).write_text(json.dumps(report, indent=1))


def estimated(solution) -> tuple[float | None, str | None]:
    """The estimated error, or the reason why there is none; a failure of the estimate is itself a result."""
    try:
        found = solution.estimate_error()
    except Exception as error:
        return None, f"raised {type(error).__name__}: {error}"
    value = getattr(found, "value", None)
    reason = getattr(found, "reason", None)
    return (None if value is None else float(value)), (None if reason is None else str(reason))


def precision(solution, np) -> str:
    leaves = [np.asarray(leaf).dtype for leaf in _leaves(getattr(solution, "params", None))]
    return str(np.result_type(*leaves)) if leaves else "float64 (default)"


def _leaves(tree) -> list:
    import jax

    return [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]


def plain(value):
    """What JSON can hold; anything else as text."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        return value.item()
    return str(value)


if __name__ == "__main__":
    main()
