"""The 22 problems of PINNacle by default calls: `pinn.solve(pde, domain, max_time=150)`, `solvers.solve(...)` alike.

    python benchmarks/pinn/pinnacle.py                        all, both roads (about two hours; what is in the file is kept)
    python benchmarks/pinn/pinnacle.py --only Wave1D-C --again
    python benchmarks/pinn/pinnacle.py --only Wave KS --seconds 20    a smoke test, written beside the results
    python benchmarks/pinn/pinnacle.py --table

Hao et al. 2023, arXiv:2306.08827. A problem is first stated as it stands there; where that was refused once, the forms that the
advice led to follow it. Errors are relative L2 at the points of the references, of all fields together unless named; beside
them stand the best of the eleven methods of the paper, after the semicolon what other papers reached. Each run is a fresh
process on one core, import and compilation included, in float64; it writes benchmarks/results/pinnacle.json when it ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from _runner import RESULTS, main  # noqa: E402
from pinnacle_problems import TABLE  # noqa: E402

if __name__ == "__main__":
    main(TABLE, Path(__file__).resolve(), RESULTS / "pinnacle.json", __doc__ or "", "published best; other papers")
