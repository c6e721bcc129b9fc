"""Twenty-four problems that users of other libraries stumbled over, by default calls of both roads: is each right, refused, or
warned of?

    python benchmarks/cases/run.py                      all (about 80 minutes; what is in the file is kept)
    python benchmarks/cases/run.py --only 9 16a         those whose names begin so
    python benchmarks/cases/run.py --again --jobs 2     anew, two at a time, each on a core of its own
    python benchmarks/cases/run.py --table              only the table

Right values are closed forms, series, or grids good to four or five digits. Errors are relative: at the places named, or in L2.
Each run is a fresh process on one core, import and compilation included, in float64; it writes benchmarks/results/cases.json
when it ends. The rule of the verdicts stands in benchmarks/_runner.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from _runner import RESULTS, main  # noqa: E402
from pde_cases import TABLE  # noqa: E402

if __name__ == "__main__":
    main(TABLE, Path(__file__).resolve(), RESULTS / "cases.json", __doc__ or "", "right")
