"""The twenty-four cases of molecular dynamics that users of other codes stumbled over: is each right, refused, or warned of?

    python benchmarks/cases/md.py                      all (about twenty minutes; what is in the file is kept)
    python benchmarks/cases/md.py --only 9 16          those whose names begin so
    python benchmarks/cases/md.py --again --jobs 2     anew, two at a time, each on a core of its own
    python benchmarks/cases/md.py --table              only the table

Each number that comes is divided, less the right value, by what it may be off: an error of 1 is just allowed, 0 exact. For
averages over random runs the allowance is four standard errors, of means over blocks; what came, with its error, stands below
the table. What must be refused or warned of counts 0 where it is, in words that name the fault, and 2 where it is not. Right
values are those of ../shared/cases/md.md, odd files those of ../shared/data/odd. Each case is a fresh process on one core; it
writes benchmarks/results/md_cases.json when it ends. The rule of the verdicts stands in benchmarks/_runner.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from _runner import RESULTS, main  # noqa: E402
from md_cases import TABLE  # noqa: E402

if __name__ == "__main__":
    main(TABLE, Path(__file__).resolve(), RESULTS / "md_cases.json", __doc__ or "", "right")
